//! What a node starts from: the fold of its store, and the latest readings.

use fleet::{DeliveryEntry, Evidence, Observation, Registration};
use ieee2030_5::server::resources::DocumentError;
use ieee2030_5::server::{DocumentWrite, Resources};
use ieee2030_5::translate;
use store::telemetry::Sample;
use store::{ReadError, Store};
use thiserror::Error;
use units::Timestamp;

use super::durable::DOCUMENT_LISTENER;
use super::observe;
use crate::control_loop::{Authors, State};
use crate::telemetry;

/// Why a store can't be folded.
#[derive(Debug, Error)]
pub enum FoldError {
    /// It can't be read.
    #[error("the store can't be read")]
    Read(#[from] ReadError),
    /// A stored document is not that of a DER.
    #[error("a device document belongs to {0:?}, which is no DER")]
    Owner(String),
    /// A stored document can't be read.
    #[error("a device document can't be read")]
    Document(#[from] DocumentError),
}

/// Decisions, deliveries and device documents as `store` has them.
///
/// # Errors
/// [`FoldError`] when it is not what this program has written.
pub fn fold(store: &dyn Store) -> Result<(State, Resources), FoldError> {
    let mut authors = Authors::default();
    let note: &mut store::Note<'_> = &mut |actor, event| authors.note(actor, event);
    let (fleet, head) = store::fold_noting(store, note)?;
    tracing::info!(
        version = head.version,
        ders = fleet.ders().len(),
        "journal folded"
    );
    let deliveries = store::ledger(store, &fleet)?;
    let mut state = State::new(fleet, deliveries);
    state.authors = authors;
    Ok((state, resources(store)?))
}

fn resources(store: &dyn Store) -> Result<Resources, FoldError> {
    let mut resources = Resources::default();
    for document in store.documents()? {
        if document.key.listener != DOCUMENT_LISTENER {
            continue;
        }
        let Ok(owner) = document.key.owner.parse() else {
            return Err(FoldError::Owner(document.key.owner));
        };
        let write = DocumentWrite {
            owner,
            path: document.key.path,
            bytes: Some(document.body),
        };
        resources.apply(&write)?;
    }
    Ok(resources)
}

/// The latest readings out of `samples`, and who was heard: a DER that the ledger or an
/// alarm knows to be silent still is, the others get the usual time from `now` to be heard again.
#[must_use]
pub fn recall(
    samples: &[Sample],
    (state, resources): (&State, &Resources),
    now: Timestamp,
) -> Vec<Observation> {
    let ders = state.fleet.ders();
    let mut observations = vec![Observation::default(); ders.len()];
    let mut sampled: Vec<Option<Timestamp>> = vec![None; ders.len()];
    for sample in samples {
        let index = sample.der.index();
        if let Some(observation) = observations.get_mut(index) {
            observe::restore(observation, &telemetry::measurement(sample));
            sampled[index] = sampled[index].max(Some(sample.at));
        }
    }
    let steps = newest_steps(state);
    for der in ders {
        let index = der.id.index();
        let observation = &mut observations[index];
        let kept = resources.of(der.id).status.as_ref();
        let told = kept.map_or_else(Vec::new, |status| translate::der::status(status, now));
        let needed = resources.power_status(der.id);
        let needed = needed.map_or_else(Vec::new, |it| translate::der::power_status(&it, now));
        told.iter()
            .chain(&needed)
            .for_each(|told| observe::restore(observation, told));
        let silent_since = steps[index].filter(|step| sampled[index] < Some(step.at));
        if let Some(Evidence::LastHeard(at)) = silent_since.map(|step| step.evidence) {
            observation.last_contact = Some(at);
            continue;
        }
        let alarmed = state.fleet.alarms().silent_since(&state.fleet, der);
        if let Some(at) = alarmed.filter(|at| sampled[index] <= Some(*at)) {
            observation.last_contact = Some(at);
            continue;
        }
        let was_heard = der.capability.is_some()
            || sampled[index].is_some()
            || steps[index].is_some_and(|step| step.evidence != Evidence::Journal);
        if was_heard && matches!(der.registration, Registration::Registered(_)) {
            observation.last_contact = Some(now);
        }
    }
    observations
}

/// The newest step of the ledger about each DER.
fn newest_steps(state: &State) -> Vec<Option<DeliveryEntry>> {
    let mut newest: Vec<Option<DeliveryEntry>> = vec![None; state.fleet.ders().len()];
    let rows = state.deliveries.rows();
    for step in rows.filter_map(|row| row.entries.last()) {
        if let Some(slot) = newest.get_mut(step.der.index())
            && slot.is_none_or(|known| known.at <= step.at)
        {
            *slot = Some(*step);
        }
    }
    newest
}
