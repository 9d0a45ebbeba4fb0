//! Durable state as readers see it, and what devices are answered from it.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet::dispatch::assess::Policy;
use fleet::{Access, ControlId, Delivery, DeliveryState, DerId, Lfdi, Observation};
use ieee2030_5::server::freshness::Revisions;
use ieee2030_5::server::notification::{self, Change};
use ieee2030_5::server::{
    self, DocumentWrite, Owner, Request, Resources, Response, ServerConfig, Submission, View,
};
use store::{Batch, DocumentChange};
use units::Timestamp;

use super::bodies::Bodies;
use super::observe;
use crate::control_loop::State;

/// Which listener device documents belong to in the store.
pub const DOCUMENT_LISTENER: &str = "ieee2030_5";
/// Version of the shape of device documents.
pub(super) const DOCUMENT_VERSION: u32 = 1;

/// Decisions, deliveries and device documents at one instant.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// The fold of journal and ledger.
    pub state: State,
    /// Protocol documents of devices.
    pub resources: Resources,
    /// When it was published.
    pub at: Timestamp,
    /// What changed last, for bodies that are kept.
    revisions: Revisions,
}

/// What a device's request comes to without a decision.
#[derive(Clone, Debug)]
pub enum AtOnce {
    /// This answers it.
    Reply(Response),
    /// Readings alone, which no journal keeps.
    Readings(Box<Submission>),
    /// The owner has to decide.
    Decide,
}

impl Durable {
    /// As folded from a store.
    #[must_use]
    pub fn new(state: State, resources: Resources, at: Timestamp) -> Self {
        Self {
            state,
            resources,
            at,
            revisions: Revisions::default(),
        }
    }

    /// What the device server answers from.
    #[must_use]
    pub const fn view<'a>(&'a self, config: &'a ServerConfig) -> View<'a> {
        View {
            fleet: &self.state.fleet,
            resources: &self.resources,
            config,
        }
    }

    /// Takes up what a round at `now` has made durable. Returns what changed for devices.
    pub fn publish(&mut self, batch: &Batch, now: Timestamp) -> BTreeSet<Change> {
        let changes = changes_of(batch);
        self.state.apply_all(batch);
        for change in &batch.documents {
            if let Err(error) = self.resources.apply(&write(change)) {
                tracing::error!(%error, "a committed document is not readable");
            }
        }
        self.at = now;
        self.revisions
            .commit(changes.iter().copied(), &self.state.fleet);
        changes
    }

    /// Answers where reading suffices.
    #[must_use]
    pub fn at_once(
        &self,
        request: &Request<'_>,
        (config, bodies): (&ServerConfig, &Bodies),
        now: Timestamp,
    ) -> AtOnce {
        let (view, revisions) = (self.view(config), &self.revisions);
        if let Some(kept) = bodies.get(request, &view, revisions, now) {
            return AtOnce::Reply(kept);
        }
        match server::handle(request, &view, now) {
            server::Answer::Reply(response) => {
                bodies.keep(request, &response, (&view, revisions), now);
                AtOnce::Reply(response)
            }
            server::Answer::Submit(submission) => {
                let readings_only = submission.command.is_none()
                    && submission.evidence.is_empty()
                    && submission.documents.is_empty();
                if readings_only {
                    AtOnce::Readings(submission)
                } else {
                    AtOnce::Decide
                }
            }
        }
    }

    /// Whether who holds a certificate may come in, and the DER that has been heard with that
    /// request, if that is news. Who may not come in is not heard.
    #[must_use]
    pub fn caller(
        &self,
        observations: &[Observation],
        lfdi: Lfdi,
        now: Timestamp,
    ) -> (Access, Option<DerId>) {
        let access = self.state.fleet.access_of(lfdi);
        let der = self.state.fleet.der_by_lfdi(lfdi).map(|der| der.id);
        let granted = matches!(access, Access::Granted);
        let heard = der.filter(|der| granted && observe::is_news(observations, *der, now));
        (access, heard)
    }

    /// The DER to which alone one of these controls is addressed: who fetches it, looks after them.
    #[must_use]
    pub fn looked_after(&self, controls: &[(ControlId, DerId)]) -> Vec<DerId> {
        let fleet = &self.state.fleet;
        let own = |id| fleet.control(id).is_some_and(|c| c.der.is_some());
        let own = controls.iter().filter(|(control, _)| own(*control));
        let mut ders: Vec<DerId> = own.map(|(_, der)| *der).collect();
        ders.dedup();
        ders
    }

    /// Those of the controls that have been sent to a device of which that is news.
    #[must_use]
    pub fn newly_served(&self, mut controls: Vec<(ControlId, DerId)>) -> Vec<(ControlId, DerId)> {
        let State {
            fleet, deliveries, ..
        } = &self.state;
        controls.retain(|(control, der)| {
            if fleet.control(*control).is_none() {
                return false;
            }
            let row = deliveries.get(*control, *der);
            let state = row.map_or(DeliveryState::Planned, Delivery::state);
            matches!(state, DeliveryState::Planned | DeliveryState::Silent)
        });
        controls
    }
}

/// The thresholds, with the rate at which devices are asked to look at this time.
pub(super) fn policy(configured: Policy, devices: &ServerConfig, durable: &Durable) -> Policy {
    let rates = durable.resources.rates().over(&devices.poll_rates);
    Policy {
        latency: Duration::from_secs(rates.der_program_s.into()),
        ..configured
    }
}

/// What `batch` changes that devices are served.
fn changes_of(batch: &Batch) -> BTreeSet<Change> {
    let events = batch.entries.iter();
    let events = events.filter_map(|entry| notification::change_of(&entry.event));
    let documents = batch.documents.iter().filter_map(change_of_document);
    events.chain(documents).collect()
}

fn change_of_document(change: &DocumentChange) -> Option<Change> {
    let key = match change {
        DocumentChange::Put(document) => &document.key,
        DocumentChange::Delete(key) => key,
    };
    let owner: Owner = key.owner.parse().ok()?;
    (key.listener == DOCUMENT_LISTENER).then(|| Change::of_document(owner, &key.path))
}

/// A stored document change as the protocol crate takes it.
fn write(change: &DocumentChange) -> DocumentWrite {
    let (key, bytes) = match change {
        DocumentChange::Put(document) => (&document.key, Some(document.body.clone())),
        DocumentChange::Delete(key) => (key, None),
    };
    let owner = key.owner.parse();
    DocumentWrite {
        owner: owner.expect("the core writes the owner as it is read"),
        path: key.path.clone(),
        bytes,
    }
}
