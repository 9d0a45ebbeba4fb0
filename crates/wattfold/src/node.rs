//! The node: one thread owns the working state; everybody else reads what it has published.
//!
//! An input is decided on the working copy, made durable together with whatever else waits
//! (group commit), then published, and only then answered. A reader therefore never sees, and a
//! device is never served, anything that a crash could take back.

mod bodies;
mod observe;
mod owner;
mod settle;

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use fleet::dispatch::assess::{Policy, World};
use fleet::{
    Command, ControlId, Delivery, DeliveryState, DerId, Event, Fleet, Ledger, Observation,
    Rejection,
};
use ieee2030_5::server::freshness::Revisions;
use ieee2030_5::server::{DocumentWrite, Resources, Response, ServerConfig};
use store::{Account, Actor, ReadError, StorageError, Store};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use units::Timestamp;

use crate::clock;
use crate::config::{Control, Limit};
use crate::control_loop::{Authors, State};
use crate::metrics::Metrics;
use crate::notifier::Feed;
use crate::telemetry::{Allowances, MAX_WAITING_SAMPLES, Telemetry};

use bodies::Bodies;
pub use bodies::MAX_KEPT_BYTES;
pub use owner::{DOCUMENT_LISTENER, DeviceRequest};
pub use settle::Settlement;

pub(crate) use observe::restore;

/// Inputs that may wait for the owner; one more is refused, so that a flood costs its senders
/// and not the control loop.
pub const MAX_WAITING_INPUTS: usize = 20_000;

/// Why there is no answer. Nothing has changed, unless the medium of the store failed in the
/// middle of a commit: then it is unknown whether the change is there, and the node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// Too much is waiting.
    #[error("{MAX_WAITING_INPUTS} inputs are waiting already")]
    Busy,
    /// The store could not be written: by one of its rules, or because its medium failed.
    #[error("the store could not be written")]
    Store,
    /// The node is shutting down, or its owner has ended.
    #[error("the node is stopping")]
    Stopping,
    /// More readings have come than could be written.
    #[error("{MAX_WAITING_SAMPLES} readings are waiting to be written already")]
    Telemetry,
    /// The client posts more than it may.
    #[error("the client posts more than it may; there is room in {} s", wait.as_secs())]
    TooOften {
        /// Until there is room, whole seconds.
        wait: Duration,
    },
}

/// What a node is made of.
pub struct Parts {
    /// Durable state, already folded into `state` and `resources`.
    pub store: Box<dyn Store>,
    /// The fold.
    pub state: State,
    /// Protocol documents of devices.
    pub resources: Resources,
    /// Time series.
    pub telemetry: Telemetry,
    /// Latest readings at start.
    pub observations: Vec<Observation>,
    /// Limits over several DER.
    pub limits: Vec<Limit>,
    /// The control loop's settings.
    pub control: Control,
    /// The device server's settings.
    pub devices: ServerConfig,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// Durable state as readers see it.
#[derive(Clone, Debug, Default)]
struct Durable {
    state: State,
    resources: Resources,
    /// What changed last, for bodies that are kept.
    revisions: Revisions,
    at: Timestamp,
}

/// A consistent view for the length of one read.
#[derive(Clone, Copy, Debug)]
pub struct Published<'a> {
    /// Decisions.
    pub fleet: &'a Fleet,
    /// What became of each control.
    pub deliveries: &'a Ledger,
    /// Who asked for what.
    pub authors: &'a Authors,
    /// Latest readings, by DER.
    pub observations: &'a [Observation],
    /// Protocol documents of devices.
    pub resources: &'a Resources,
    /// Thresholds of judgement.
    pub policy: Policy,
    /// When it was published.
    pub at: Timestamp,
}

impl<'a> Published<'a> {
    /// As the domain judges it at `now`.
    #[must_use]
    pub fn world(&self, now: Timestamp) -> World<'a> {
        World {
            fleet: self.fleet,
            observations: self.observations,
            deliveries: self.deliveries,
            policy: self.policy,
            now,
        }
    }
}

/// What the owner is asked.
enum Input {
    Commands {
        actor: Actor,
        commands: Vec<Command>,
        reply: oneshot::Sender<Result<Outcomes, Unavailable>>,
    },
    Device {
        request: DeviceRequest,
        reply: oneshot::Sender<Result<Response, Unavailable>>,
    },
    Served {
        controls: Vec<(ControlId, DerId)>,
        at: Timestamp,
    },
    Account {
        change: AccountChange,
        reply: oneshot::Sender<Result<(), AccountError>>,
    },
    Accounts {
        reply: oneshot::Sender<Result<Vec<Account>, Unavailable>>,
    },
    Documents {
        actor: Actor,
        writes: Vec<DocumentWrite>,
        reply: oneshot::Sender<Result<(), Unavailable>>,
    },
    Revise {
        actor: Actor,
        revise: Box<Revise>,
        reply: oneshot::Sender<Result<Option<Outcomes>, Unavailable>>,
    },
    Settle {
        settlements: Vec<Settlement>,
    },
    Stop,
}

/// What becomes of the state as the owner has it; nothing when that is refused.
type Revise = dyn FnOnce(&Published<'_>) -> Option<Revision> + Send;

/// What a change comes to that rests on what there is.
#[derive(Debug, Clone)]
pub enum Revision {
    /// To be decided in order, each on its own.
    Commands(Vec<Command>),
    /// Documents to keep or remove.
    Documents(Vec<DocumentWrite>),
}

/// One outcome for each command of a submission.
pub type Outcomes = Vec<Result<Vec<Event>, Rejection>>;

/// A change of the local accounts.
#[derive(Debug, Clone)]
pub enum AccountChange {
    /// Create one.
    Create {
        /// What its owner calls it.
        name: String,
        /// PHC string.
        password_hash: String,
    },
    /// Replace its password.
    SetPassword {
        /// Which account.
        id: store::AccountId,
        /// PHC string.
        password_hash: String,
    },
}

/// Why an account was not changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AccountError {
    /// The node does not take it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The store refused it.
    #[error("{0}")]
    Refused(String),
}

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The newest entry of the journal can't be read.
    #[error("the newest entry of the journal can't be read")]
    Read(#[from] ReadError),
    /// The owner thread can't be started.
    #[error("the owner thread can't be started")]
    Thread(#[source] std::io::Error),
}

/// A node and the thread of its owner, which ends with an error when the store's medium failed.
pub type Started = (Arc<Node>, JoinHandle<Result<(), StorageError>>);

/// The handle everybody holds.
pub struct Node {
    durable: RwLock<Durable>,
    observations: RwLock<Vec<Observation>>,
    inbox: SyncSender<Input>,
    published: watch::Sender<u64>,
    /// Nothing is ever sent; the owner drops the other end when it ends.
    ended: watch::Receiver<()>,
    telemetry: Telemetry,
    allowances: Allowances,
    /// As configured.
    policy: Policy,
    devices: ServerConfig,
    metrics: Arc<Metrics>,
    feed: OnceLock<Feed>,
    bodies: Bodies,
}

impl Node {
    /// Starts the owner thread; join the handle after [`Node::stop`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(parts: Parts) -> Result<Started, StartError> {
        let (inbox, inputs) = sync_channel(MAX_WAITING_INPUTS);
        let (alive, ended) = watch::channel(());
        let at = no_earlier(clock::now(), parts.store.as_ref(), &parts.state)?;
        let durable = Durable {
            state: parts.state,
            resources: parts.resources,
            revisions: Revisions::default(),
            at,
        };
        let mut observations = parts.observations;
        observations.resize(durable.state.fleet.ders().len(), Observation::default());
        let node = Arc::new(Self {
            durable: RwLock::new(durable.clone()),
            observations: RwLock::new(observations),
            inbox,
            published: watch::Sender::new(0),
            ended,
            telemetry: parts.telemetry,
            allowances: Allowances::default(),
            policy: parts.control.policy(parts.devices.poll_rates.der_program_s),
            devices: parts.devices,
            metrics: parts.metrics,
            feed: OnceLock::new(),
            bodies: Bodies::default(),
        });
        let owner = owner::Owner::new(
            Arc::clone(&node),
            parts.store,
            durable,
            parts.limits,
            Duration::from_millis(parts.control.tick_ms),
        );
        let thread = std::thread::Builder::new()
            .name("owner".to_owned())
            .spawn(move || {
                let _alive = alive;
                owner.run(&inputs)
            })
            .map_err(StartError::Thread)?;
        Ok((node, thread))
    }

    /// Returns when the owner has ended, for whatever reason.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// Lets the owner finish what waits and end.
    pub fn stop(&self) {
        if self.inbox.send(Input::Stop).is_err() {
            tracing::debug!("the owner has ended already");
        }
    }

    /// Looks at what is published. Keep it short: the owner waits for readers to publish.
    pub fn read<R>(&self, look: impl FnOnce(&Published<'_>) -> R) -> R {
        let durable = self.durable();
        let observations = self
            .observations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        look(&Published {
            fleet: &durable.state.fleet,
            deliveries: &durable.state.deliveries,
            authors: &durable.state.authors,
            observations: &observations,
            resources: &durable.resources,
            policy: self.policy(&durable.resources),
            at: durable.at,
        })
    }

    /// The thresholds, with the rate at which devices are asked to look at this time.
    fn policy(&self, resources: &Resources) -> Policy {
        let rates = resources.rates().over(&self.devices.poll_rates);
        Policy {
            latency: Duration::from_secs(rates.der_program_s.into()),
            ..self.policy
        }
    }

    fn durable(&self) -> RwLockReadGuard<'_, Durable> {
        self.durable.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides `commands` in order, each on its own; returns when what was accepted is durable.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was decided.
    pub async fn command(
        &self,
        actor: Actor,
        commands: Vec<Command>,
    ) -> Result<Outcomes, Unavailable> {
        self.ask(|reply| Input::Commands {
            actor,
            commands,
            reply,
        })
        .await?
    }

    /// Has `revise` make a change of what there is when the owner gets to it, so that of two
    /// changes of one thing neither is lost; returns when the change is durable.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was decided; within, why `revise` refused.
    pub async fn revise<E: Send + 'static>(
        &self,
        actor: Actor,
        revise: impl FnOnce(&Published<'_>) -> Result<Revision, E> + Send + 'static,
    ) -> Result<Result<Outcomes, E>, Unavailable> {
        let (refuse, refused) = oneshot::channel();
        let revise = move |published: &Published<'_>| match revise(published) {
            Ok(revision) => Some(revision),
            Err(error) => {
                if refuse.send(error).is_err() {
                    tracing::debug!("nobody waits for this refusal any more");
                }
                None
            }
        };
        let outcomes = self.ask(|reply| Input::Revise {
            actor,
            revise: Box::new(revise),
            reply,
        });
        match outcomes.await?? {
            Some(outcomes) => Ok(Ok(outcomes)),
            None => refused.await.map(Err).map_err(|_| Unavailable::Stopping),
        }
    }

    /// Answers a device's request that changes something; returns when the change is durable.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was changed.
    pub async fn device(&self, request: DeviceRequest) -> Result<Response, Unavailable> {
        self.ask(|reply| Input::Device { request, reply }).await?
    }

    /// Notes that these controls have been asked for, and so that the DER to which alone one of
    /// them is addressed are looked after, by themselves or by their aggregator.
    pub fn fetched(&self, controls: Vec<(ControlId, DerId)>, at: Timestamp) {
        let mut ders: Vec<DerId> = self.read(|published| {
            let own = |id| published.fleet.control(id).is_some_and(|c| c.der.is_some());
            let own = controls.iter().filter(|(control, _)| own(*control));
            own.map(|(_, der)| *der).collect()
        });
        ders.dedup();
        self.heard(&ders, at);
        self.served(controls, at);
    }

    /// Notes that a device has been sent these controls, those of which that is news. Dropped when
    /// the owner is busy: the device fetches them again at its next poll.
    pub fn served(&self, mut controls: Vec<(ControlId, DerId)>, at: Timestamp) {
        self.read(|published| {
            controls.retain(|(control, der)| {
                if published.fleet.control(*control).is_none() {
                    return false;
                }
                let row = published.deliveries.get(*control, *der);
                let state = row.map_or(DeliveryState::Planned, Delivery::state);
                matches!(state, DeliveryState::Planned | DeliveryState::Silent)
            });
        });
        if controls.is_empty() {
            return;
        }
        if self.inbox.try_send(Input::Served { controls, at }).is_err() {
            self.metrics.input_dropped();
        }
    }

    /// Keeps or removes documents of function sets that no dispatch reads; returns when that is
    /// durable.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was changed.
    pub async fn write_documents(
        &self,
        actor: Actor,
        writes: Vec<DocumentWrite>,
    ) -> Result<(), Unavailable> {
        self.ask(|reply| Input::Documents {
            actor,
            writes,
            reply,
        })
        .await?
    }

    /// Changes the local accounts.
    ///
    /// # Errors
    /// [`AccountError`] with the reason.
    pub async fn change_account(&self, change: AccountChange) -> Result<(), AccountError> {
        self.ask(|reply| Input::Account { change, reply }).await?
    }

    /// The local accounts.
    ///
    /// # Errors
    /// [`Unavailable`] when they can't be read.
    pub async fn accounts(&self) -> Result<Vec<Account>, Unavailable> {
        self.ask(|reply| Input::Accounts { reply }).await?
    }

    async fn ask<R>(
        &self,
        input: impl FnOnce(oneshot::Sender<R>) -> Input,
    ) -> Result<R, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.inbox
            .try_send(input(reply))
            .map_err(|error| match error {
                TrySendError::Full(_) => Unavailable::Busy,
                TrySendError::Disconnected(_) => Unavailable::Stopping,
            })?;
        answer.await.map_err(|_| Unavailable::Stopping)
    }

    /// Counts up whenever something new can be read.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// Time series.
    #[must_use]
    pub const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The device server's settings.
    #[must_use]
    pub const fn devices(&self) -> &ServerConfig {
        &self.devices
    }

    /// Counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn bump(&self) {
        self.published
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// `now`, unless something was decided or witnessed later by a clock that was ahead: time never
/// goes back for the state.
fn no_earlier(now: Timestamp, store: &dyn Store, state: &State) -> Result<Timestamp, ReadError> {
    let decided = store.read(store.head().version.max(1), 1)?;
    let decided = decided.iter().map(|stored| stored.entry.at);
    let witnessed = state.deliveries.rows().filter_map(|row| row.entries.last());
    let newest = decided.chain(witnessed.map(|entry| entry.at)).max();
    let at = newest.map_or(now, |newest| newest.max(now));
    if now < at {
        let behind_s = at.since(now).as_secs();
        tracing::warn!(
            behind_s,
            "the clock is behind the journal; decisions wait for it"
        );
    }
    Ok(at)
}

#[cfg(test)]
mod tests;
