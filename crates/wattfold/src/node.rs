//! The node: one thread owns the working state; everybody else reads what it has published.
//!
//! An input is decided on the working copy, made durable together with whatever else waits
//! (group commit), then published, and only then answered. A reader therefore never sees, and a
//! device is never served, anything that a crash could take back.

mod observe;
mod owner;

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use fleet::dispatch::assess::{Policy, World};
use fleet::{
    Command, ControlId, Delivery, DeliveryState, DerId, Event, Fleet, Observation, Rejection,
};
use ieee2030_5::server::{Resources, Response, ServerConfig};
use store::{Account, Actor, ReadError, StorageError, Store};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use units::Timestamp;

use crate::clock;
use crate::config::{Control, Limit};
use crate::control_loop::State;
use crate::metrics::Metrics;
use crate::telemetry::Telemetry;

pub use owner::{DOCUMENT_LISTENER, DeviceRequest};

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
    at: Timestamp,
}

/// A consistent view for the length of one read.
#[derive(Clone, Copy, Debug)]
pub struct Published<'a> {
    /// Decisions.
    pub fleet: &'a Fleet,
    /// Delivery rows, by control.
    pub deliveries: &'a [Delivery],
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
        controls: Vec<ControlId>,
        at: Timestamp,
    },
    Account {
        change: AccountChange,
        reply: oneshot::Sender<Result<(), AccountError>>,
    },
    Accounts {
        reply: oneshot::Sender<Result<Vec<Account>, Unavailable>>,
    },
    Stop,
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
    policy: Policy,
    devices: ServerConfig,
    metrics: Arc<Metrics>,
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
            policy: parts.control.policy(),
            devices: parts.devices,
            metrics: parts.metrics,
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
            observations: &observations,
            resources: &durable.resources,
            policy: self.policy,
            at: durable.at,
        })
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

    /// Answers a device's request that changes something; returns when the change is durable.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was changed.
    pub async fn device(&self, request: DeviceRequest) -> Result<Response, Unavailable> {
        self.ask(|reply| Input::Device { request, reply }).await?
    }

    /// Notes that a device has been sent these controls, those of which that is news. Dropped when
    /// the owner is busy: the device fetches them again at its next poll.
    pub fn served(&self, mut controls: Vec<ControlId>, at: Timestamp) {
        self.read(|published| {
            let state = |id: &ControlId| published.deliveries.get(id.index()).map(Delivery::state);
            controls.retain(|id| {
                matches!(
                    state(id),
                    Some(DeliveryState::Planned | DeliveryState::Silent)
                )
            });
        });
        if controls.is_empty() {
            return;
        }
        if self.inbox.try_send(Input::Served { controls, at }).is_err() {
            self.metrics.input_dropped();
        }
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

    /// The DER with this certificate, if any.
    #[must_use]
    pub fn der_of(&self, lfdi: fleet::Lfdi) -> Option<DerId> {
        self.durable()
            .state
            .fleet
            .der_by_lfdi(lfdi)
            .map(|der| der.id)
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
    let witnessed = state.deliveries.iter().filter_map(|row| row.entries.last());
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
