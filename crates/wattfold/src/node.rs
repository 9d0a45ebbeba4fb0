//! The node: one thread owns the working state; everybody else reads what it has published.
//!
//! An input is decided on the working copy, made durable together with whatever else waits
//! (group commit), then published, and only then answered. A reader therefore never sees, and a
//! device is never served, anything that a crash could take back.
//!
//! All of that is a value, [`core::Core`], with no thread or lock in it; the rest of this module is
//! how threads get at it.

mod bodies;
pub mod core;
mod durable;
mod member;
pub mod membership;
pub mod observe;
mod owner;
mod pace;
pub mod restart;
mod settle;

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use fleet::dispatch::assess::{Policy, World};
use fleet::{Command, ControlId, DerId, Event, Fleet, Ledger, Lfdi, Observation, Rejection};
use ieee2030_5::server::{DocumentWrite, Request, Resources, Response, ServerConfig};
use store::{Account, Actor, CommitError, ReadError, RequestId, StorageError, Store};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use units::{Timestamp, Zone};

use crate::clock;
use crate::config::{Control, Limit};
use crate::control_loop::{Authors, State};
use crate::metrics::Metrics;
use crate::notifier::Feed;
use crate::telemetry::{Allowances, MAX_WAITING_SAMPLES, Telemetry};

pub use bodies::{Bodies, MAX_KEPT_BYTES};
pub use durable::{AtOnce, DOCUMENT_LISTENER, Durable};
pub use member::Seat;
pub use settle::Settlement;

use membership::{Course, Errand, Membership};

use self::core::{Answer, Core, Input, Rules};

/// Inputs that may wait for the owner; one more is refused, so that a flood costs its senders
/// and not the control loop.
pub const MAX_WAITING_INPUTS: usize = 20_000;

/// Why there is no answer. Nothing has changed, but for [`Unavailable::Unanswered`].
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
    /// Another node decides.
    #[error("another node leads")]
    NotLeader,
    /// No node decides at this time.
    #[error("no node leads at this time, and nothing was changed")]
    NoLeader,
    /// It is not known whether a decision was kept: the store failed in the middle of a commit, or
    /// the node that decided has not answered.
    #[error("it is not known whether the change was kept; look before you ask again")]
    Unanswered,
}

/// What a node is made of.
pub struct Parts<S = Box<dyn Store>> {
    /// Durable state, already folded into `state` and `resources`.
    pub store: S,
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
    /// Local time by which strategies follow the calendar.
    pub zone: Zone,
    /// Counters.
    pub metrics: Arc<Metrics>,
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

/// Where an answer goes.
type Reply = oneshot::Sender<Result<Answer, Unavailable>>;

/// What the owner is told.
enum Message {
    Input {
        input: Input,
        /// Who waits for an answer.
        reply: Option<Reply>,
        /// The request of another node that this is.
        request: Option<RequestId>,
    },
    Stop,
}

impl Message {
    /// What nobody waits for.
    const fn note(input: Input) -> Self {
        Self::Input {
            input,
            reply: None,
            request: None,
        }
    }
}

/// A device's request, owned, so that it can wait its turn.
#[derive(Debug, Clone)]
pub struct DeviceRequest {
    /// Method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query.
    pub query: Option<String>,
    /// `Accept`.
    pub accept: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `Range`.
    pub range: Option<String>,
    /// Body.
    pub body: bytes::Bytes,
    /// From the client certificate.
    pub lfdi: Lfdi,
    /// Drawn for this request, for what it may create.
    pub random: u32,
}

impl DeviceRequest {
    /// As the protocol crate takes it.
    #[must_use]
    pub fn borrowed(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            accept: self.accept.as_deref(),
            content_type: self.content_type.as_deref(),
            if_none_match: self.if_none_match.as_deref(),
            range: self.range.as_deref(),
            body: &self.body,
            lfdi: self.lfdi,
            random: self.random,
        }
    }
}

/// What becomes of the state as the owner has it; nothing when that is refused.
pub type Revise = dyn FnOnce(&Published<'_>) -> Option<Revision> + Send;

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

impl From<&CommitError> for AccountError {
    fn from(error: &CommitError) -> Self {
        match error {
            CommitError::Storage(_) => Unavailable::Store.into(),
            CommitError::Unsure(_) => Unavailable::Unanswered.into(),
            refused => Self::Refused(refused.to_string()),
        }
    }
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
    inbox: SyncSender<Message>,
    published: watch::Sender<u64>,
    /// Nothing is ever sent; the owner drops the other end when it ends.
    ended: watch::Receiver<()>,
    telemetry: Telemetry,
    allowances: Allowances,
    /// As configured.
    policy: Policy,
    devices: ServerConfig,
    zone: Zone,
    metrics: Arc<Metrics>,
    feed: OnceLock<Feed>,
    bodies: Bodies,
    /// What it is among others; nothing when it has a store for itself.
    membership: Option<Membership>,
}

impl Node {
    /// Starts the owner thread; join the handle after [`Node::stop`].
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(parts: Parts) -> Result<Started, StartError> {
        let (store, parts) = parts.split();
        let rules = parts.rules();
        let folded = (parts.state.clone(), parts.resources.clone());
        let core = Core::new(store, folded, rules, clock::now())?;
        let period = Duration::from_millis(parts.control.tick_ms);
        let durable = core.working().clone();
        let (node, inputs, alive) = Self::made(parts, durable, None);
        let owner = owner::Owner::new(Arc::clone(&node), core, period);
        let thread = thread(move || {
            let _alive = alive;
            owner.run(&inputs)
        })?;
        Ok((node, thread))
    }

    /// Starts a node that shares its store with others, whose requests to the leader go to
    /// `errands`.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn join(parts: Parts<Seat>, errands: SyncSender<Errand>) -> Result<Started, StartError> {
        let (seat, parts) = parts.split();
        let rules = parts.rules();
        let period = Duration::from_millis(parts.control.tick_ms);
        let durable = Durable::new(parts.state.clone(), parts.resources.clone(), clock::now());
        let membership = Membership::new(errands, seat.position.change);
        let (node, inputs, alive) = Self::made(parts, durable, Some(membership));
        let member = member::Member::new(Arc::clone(&node), seat, rules, period);
        let thread = thread(move || {
            let _alive = alive;
            member.run(&inputs);
            Ok(())
        })?;
        Ok((node, thread))
    }

    fn made(parts: Parts<()>, durable: Durable, membership: Option<Membership>) -> Made {
        let (inbox, inputs) = sync_channel(MAX_WAITING_INPUTS);
        let (alive, ended) = watch::channel(());
        let mut observations = parts.observations;
        observations.resize(durable.state.fleet.ders().len(), Observation::default());
        let policy = parts.control.policy(parts.devices.poll_rates.der_program_s);
        let node = Arc::new(Self {
            durable: RwLock::new(durable),
            observations: RwLock::new(observations),
            inbox,
            published: watch::Sender::new(0),
            ended,
            telemetry: parts.telemetry,
            allowances: Allowances::default(),
            policy,
            devices: parts.devices,
            zone: parts.zone,
            metrics: parts.metrics,
            feed: OnceLock::new(),
            bodies: Bodies::default(),
            membership,
        });
        (node, inputs, alive)
    }

    /// Returns when the owner has ended, for whatever reason.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// Lets the owner finish what waits and end.
    pub fn stop(&self) {
        if self.inbox.send(Message::Stop).is_err() {
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
            policy: durable::policy(self.policy, &self.devices, &durable),
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
        match self.ask(Input::Commands(actor, commands)).await? {
            Answer::Commands(outcomes) => Ok(outcomes),
            other => unreachable!("commands are answered with outcomes, not {other:?}"),
        }
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
        match self.ask(Input::Revise(actor, Box::new(revise))).await? {
            Answer::Revised(Some(outcomes)) => Ok(Ok(outcomes)),
            Answer::Revised(None) => refused.await.map(Err).map_err(|_| Unavailable::Stopping),
            other => unreachable!("a revision is answered with outcomes, not {other:?}"),
        }
    }

    /// Answers a device's request that changes something; returns when the change is durable.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was changed.
    pub async fn device(&self, request: DeviceRequest) -> Result<Response, Unavailable> {
        match self.ask(Input::Device(Box::new(request))).await? {
            Answer::Device(response) => Ok(response),
            other => unreachable!("a request is answered with a response, not {other:?}"),
        }
    }

    /// Notes that these controls have been asked for, and so that the DER to which alone one of
    /// them is addressed are looked after, by themselves or by their aggregator. Else as
    /// [`Node::served`].
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was noted, and so nothing may be sent.
    pub async fn fetched(
        &self,
        controls: Vec<(ControlId, DerId)>,
        at: Timestamp,
    ) -> Result<(), Unavailable> {
        let ders = self.durable().looked_after(&controls);
        self.heard(&ders, at);
        self.served(controls, at).await
    }

    /// Notes that a device is being sent these controls; returns when that is durable for those of
    /// which it is news. Only then it may be sent them: a control of which the ledger does not know
    /// that it was sent is withdrawn from a device that falls silent, and its share goes to others.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was noted, and so nothing may be sent.
    pub async fn served(
        &self,
        controls: Vec<(ControlId, DerId)>,
        at: Timestamp,
    ) -> Result<(), Unavailable> {
        let controls = self.durable().newly_served(controls);
        if controls.is_empty() {
            return Ok(());
        }
        self.ask(Input::Served { controls, at }).await.map(drop)
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
        self.ask(Input::Documents(actor, writes)).await.map(drop)
    }

    /// Changes the local accounts.
    ///
    /// # Errors
    /// [`AccountError`] with the reason.
    pub async fn change_account(&self, change: AccountChange) -> Result<(), AccountError> {
        match self.ask(Input::Account(change)).await? {
            Answer::Account(changed) => changed,
            other => unreachable!("a change of accounts is not answered with {other:?}"),
        }
    }

    /// The local accounts.
    ///
    /// # Errors
    /// [`Unavailable`] when they can't be read.
    pub async fn accounts(&self) -> Result<Vec<Account>, Unavailable> {
        match self.ask(Input::Accounts).await? {
            Answer::Accounts(accounts) => Ok(accounts),
            other => unreachable!("accounts are asked for, not {other:?}"),
        }
    }

    async fn ask(&self, input: Input) -> Result<Answer, Unavailable> {
        let answer = if self.leads() {
            self.ask_owner(input).await
        } else {
            Err(Unavailable::NotLeader)
        };
        match answer {
            Err(Unavailable::NotLeader) => membership::note(Course::TurnedDown),
            Err(Unavailable::Unanswered) => membership::note(Course::Unsure),
            _ => {}
        }
        answer
    }

    async fn ask_owner(&self, input: Input) -> Result<Answer, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Input {
            input,
            reply: Some(reply),
            request: membership::carried_out(),
        };
        self.inbox.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::Busy,
            TrySendError::Disconnected(_) => Unavailable::Stopping,
        })?;
        answer.await.map_err(|_| Unavailable::Stopping)?
    }

    /// Counts what became of commands.
    fn count(&self, answer: &Result<Answer, Unavailable>) {
        if let Ok(Answer::Commands(outcomes) | Answer::Revised(Some(outcomes))) = answer {
            for outcome in outcomes {
                self.metrics.command(outcome.is_ok());
            }
        }
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

    /// Local time by which strategies follow the calendar.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
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

/// A node, what its owner is told, and what the owner drops when it ends.
type Made = (Arc<Node>, Receiver<Message>, watch::Sender<()>);
/// What a thread of an owner ends with.
type Ended = Result<(), StorageError>;

impl<S> Parts<S> {
    fn split(self) -> (S, Parts<()>) {
        let Self {
            store,
            state,
            resources,
            telemetry,
            observations,
            limits,
            control,
            devices,
            zone,
            metrics,
        } = self;
        let parts = Parts {
            store: (),
            state,
            resources,
            telemetry,
            observations,
            limits,
            control,
            devices,
            zone,
            metrics,
        };
        (store, parts)
    }

    fn rules(&self) -> Rules {
        Rules {
            limits: self.limits.clone(),
            policy: self.control.policy(self.devices.poll_rates.der_program_s),
            devices: self.devices.clone(),
            zone: self.zone.clone(),
        }
    }
}

fn thread(run: impl FnOnce() -> Ended + Send + 'static) -> Result<JoinHandle<Ended>, StartError> {
    let builder = std::thread::Builder::new().name("owner".to_owned());
    builder.spawn(run).map_err(StartError::Thread)
}

#[cfg(test)]
mod tests;
