//! The thread that owns the working state.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fleet::dispatch::LinearLimit;
use fleet::{Command, Evidence, Lfdi};
use ieee2030_5::server::{self, Answer, Request, Response, Submission, View};
use store::{
    Actor, Batch, CommitError, Document, DocumentChange, DocumentKey, StorageError, Store,
};
use tokio::sync::oneshot;
use units::Timestamp;

use super::settle::changes_of;
use super::{
    AccountChange, AccountError, Durable, Input, Node, Outcomes, Published, Revision, Unavailable,
};
use crate::clock;
use crate::config::Limit;
use crate::control_loop::{Inputs, Vitals};
use crate::telemetry::Report;

/// Inputs that share one commit at most; bounds how long the first of them waits.
const MAX_INPUTS_PER_COMMIT: usize = 1_024;

/// Which listener device documents belong to in the store.
pub const DOCUMENT_LISTENER: &str = "ieee2030_5";
/// Version of the shape of device documents.
const DOCUMENT_VERSION: u32 = 1;

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
            random: match self.method.as_str() {
                "GET" | "HEAD" => 0,
                _ => u32::from_be_bytes(crate::auth::random()),
            },
        }
    }
}

/// An answer that waits for the commit.
enum Pending {
    Commands(oneshot::Sender<Result<Outcomes, Unavailable>>, Outcomes),
    Device(
        oneshot::Sender<Result<Response, Unavailable>>,
        Box<Submission>,
        Report,
    ),
    Documents(oneshot::Sender<Result<(), Unavailable>>),
    Revised(
        oneshot::Sender<Result<Option<Outcomes>, Unavailable>>,
        Option<Outcomes>,
    ),
    /// A reply that changes nothing, but may rest on what is not durable yet.
    Reply(oneshot::Sender<Result<Response, Unavailable>>, Response),
}

pub(super) struct Owner {
    pub(super) node: Arc<Node>,
    store: Box<dyn Store>,
    pub(super) working: Durable,
    limits: Vec<Limit>,
    /// `limits` as rows over the fleet, and the number of DER they were made for.
    rows: (usize, Vec<LinearLimit>),
    period: Duration,
    next_tick: clock::Monotonic,
    /// The instant of the round; never before that of the round before, whatever the clock says.
    now: Timestamp,
    /// Why nothing more can be stored.
    failed: Option<StorageError>,
}

impl Owner {
    pub(super) fn new(
        node: Arc<Node>,
        store: Box<dyn Store>,
        working: Durable,
        limits: Vec<Limit>,
        period: Duration,
    ) -> Self {
        let rows = (usize::MAX, Vec::new());
        Self {
            now: working.at,
            node,
            store,
            working,
            limits,
            rows,
            period,
            next_tick: clock::monotonic(),
            failed: None,
        }
    }

    /// Runs until it is told to stop or the store's medium fails. A commit that failed half-way
    /// may be in the file or not, so nothing more can be decided on top of it: the next start
    /// folds what is there.
    pub(super) fn run(mut self, inputs: &Receiver<Input>) -> Result<(), StorageError> {
        let mut stopping = false;
        while !stopping {
            let wait = self.next_tick.saturating_duration_since(clock::monotonic());
            let mut taken = Vec::new();
            match inputs.recv_timeout(wait) {
                Ok(input) => taken.push(input),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => stopping = true,
            }
            taken.extend(inputs.try_iter().take(MAX_INPUTS_PER_COMMIT - taken.len()));
            stopping |= self.round(taken);
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Decides what was taken, commits it as one, publishes, answers. Returns whether to stop.
    fn round(&mut self, taken: Vec<Input>) -> bool {
        self.now = self.now.max(clock::now());
        let now = self.now;
        let mut batch = Batch {
            expected_version: self.store.head().version,
            ..Batch::default()
        };
        let mut pending = Vec::new();
        let mut stop = false;
        self.refresh_rows();
        for input in taken {
            match input {
                Input::Commands {
                    actor,
                    commands,
                    reply,
                } => {
                    let outcomes = self.commands(&actor, &commands, now, &mut batch);
                    pending.push(Pending::Commands(reply, outcomes));
                }
                Input::Device { request, reply } => {
                    self.device(&request, reply, now, (&mut batch, &mut pending));
                }
                Input::Served { controls, at } => {
                    for row in controls {
                        self.working
                            .state
                            .witness(row, Evidence::Served, at, &mut batch);
                    }
                }
                Input::Documents {
                    actor,
                    writes,
                    reply,
                } => {
                    self.operators_documents(&actor, &writes, &mut batch);
                    pending.push(Pending::Documents(reply));
                }
                Input::Revise {
                    actor,
                    revise,
                    reply,
                } => {
                    let revision = self.with_published(now, revise);
                    let outcomes = revision.map(|revision| match revision {
                        Revision::Commands(commands) => {
                            self.commands(&actor, &commands, now, &mut batch)
                        }
                        Revision::Documents(writes) => {
                            self.operators_documents(&actor, &writes, &mut batch);
                            Outcomes::new()
                        }
                    });
                    pending.push(Pending::Revised(reply, outcomes));
                }
                Input::Account { change, reply } => answer(reply, self.account(change, now)),
                Input::Accounts { reply } => {
                    answer(reply, self.store.accounts().map_err(|_| Unavailable::Store));
                }
                Input::Settle { settlements } => self.settle(&settlements, &mut batch),
                Input::Stop => stop = true,
            }
        }
        let begun = clock::monotonic();
        if self.next_tick <= begun {
            self.next_tick = begun + self.period;
            self.tick(now, &mut batch);
        }
        let committed = self.commit(&batch, now);
        self.reply(pending, committed, now);
        stop
    }

    fn tick(&mut self, now: Timestamp, batch: &mut Batch) {
        self.working.state.note_vitals(Vitals {
            clock_behind: now.since(clock::now()),
            readings_refused: self.node.metrics.readings_refused(),
        });
        self.with_inputs(now, |state, inputs| state.tick(inputs, batch));
    }

    /// Limits given as "all" follow enrolment.
    fn refresh_rows(&mut self) {
        let ders = self.working.state.fleet.ders().len();
        if self.rows.0 != ders {
            let fleet = &self.working.state.fleet;
            for limit in &self.limits {
                let unknown = limit.unknown(fleet);
                if !unknown.is_empty() {
                    tracing::warn!(
                        limit = limit.name,
                        ?unknown,
                        "a limit names DER not enrolled"
                    );
                }
            }
            self.rows = (
                ders,
                self.limits
                    .iter()
                    .flat_map(|limit| limit.rows(fleet))
                    .collect(),
            );
        }
    }

    fn with_inputs<R>(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut crate::control_loop::State, &Inputs<'_>) -> R,
    ) -> R {
        let observations = self
            .node
            .observations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let inputs = Inputs {
            observations: &observations,
            policy: self.node.policy(&self.working.resources),
            limits: &self.rows.1,
            now,
        };
        act(&mut self.working.state, &inputs)
    }

    /// Looks at the working state as others look at what is published.
    fn with_published<R>(&self, now: Timestamp, look: impl FnOnce(&Published<'_>) -> R) -> R {
        let observations = self
            .node
            .observations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        look(&Published {
            fleet: &self.working.state.fleet,
            deliveries: &self.working.state.deliveries,
            authors: &self.working.state.authors,
            observations: &observations,
            resources: &self.working.resources,
            policy: self.node.policy(&self.working.resources),
            at: now,
        })
    }

    fn commands(
        &mut self,
        actor: &Actor,
        commands: &[Command],
        now: Timestamp,
        batch: &mut Batch,
    ) -> Outcomes {
        let outcomes = self.with_inputs(now, |state, inputs| {
            let execute = |command| state.execute(actor, command, inputs, batch);
            commands.iter().map(execute).collect::<Outcomes>()
        });
        for outcome in &outcomes {
            self.node.metrics.command(outcome.is_ok());
        }
        outcomes
    }

    /// Whatever the answer is, it rests on the working state and so waits for the commit.
    fn device(
        &mut self,
        request: &DeviceRequest,
        reply: oneshot::Sender<Result<Response, Unavailable>>,
        now: Timestamp,
        (batch, pending): (&mut Batch, &mut Vec<Pending>),
    ) {
        let view = View {
            fleet: &self.working.state.fleet,
            resources: &self.working.resources,
            config: &self.node.devices,
        };
        let submission = match server::handle(&request.borrowed(), &view, now) {
            Answer::Reply(response) => return pending.push(Pending::Reply(reply, response)),
            Answer::Submit(submission) => submission,
        };
        let report = match self.node.admit(&submission, view.fleet) {
            Ok(report) => report,
            Err(unavailable) => return answer(reply, Err(unavailable)),
        };
        let profile = view.profile_of(submission.client);
        let actor = Actor::Device(request.lfdi);
        let decided = submission.command.as_ref().map(|command| {
            self.with_inputs(now, |state, inputs| {
                state.execute(&actor, command, inputs, batch)
            })
        });
        if let Some(Err(rejection)) = decided {
            let response = server::rejected(&rejection, profile);
            return pending.push(Pending::Reply(reply, response));
        }
        for sign in &submission.evidence {
            self.working
                .state
                .witness((sign.control, sign.der), sign.evidence, sign.at, batch);
        }
        self.documents(&submission.documents, batch);
        pending.push(Pending::Device(reply, submission, report));
    }

    fn operators_documents(
        &mut self,
        actor: &Actor,
        writes: &[server::DocumentWrite],
        batch: &mut Batch,
    ) {
        tracing::info!(?actor, writes = writes.len(), "documents changed");
        self.documents(writes, batch);
    }

    pub(super) fn documents(&mut self, writes: &[server::DocumentWrite], batch: &mut Batch) {
        for write in writes {
            if let Err(error) = self.working.resources.apply(write) {
                tracing::error!(%error, "a document made by the server itself is not readable");
            }
            batch.documents.push(document(write));
        }
    }

    fn account(&mut self, change: AccountChange, now: Timestamp) -> Result<(), AccountError> {
        let changed = match change {
            AccountChange::Create {
                name,
                password_hash,
            } => self
                .store
                .create_account(&name, &password_hash, now)
                .map(drop),
            AccountChange::SetPassword { id, password_hash } => {
                self.store.set_password(id, &password_hash)
            }
        };
        changed.map_err(|error| {
            let refused = AccountError::Refused(error.to_string());
            self.note(error);
            refused
        })
    }

    /// Only a failure of the medium ends the node.
    fn note(&mut self, error: CommitError) {
        if let CommitError::Storage(error) = error {
            self.failed = Some(error);
        }
    }

    /// Makes the batch durable and publishes it; on failure forgets it.
    fn commit(&mut self, batch: &Batch, now: Timestamp) -> Result<(), Unavailable> {
        let begun = clock::monotonic();
        if batch.entries.is_empty() && batch.deliveries.is_empty() && batch.documents.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.store.commit(batch) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "nothing was committed"
            );
            self.note(error);
            self.working = self.node.durable().clone();
            return Err(Unavailable::Store);
        }
        let took = clock::monotonic().saturating_duration_since(begun);
        self.node.metrics.committed(batch, took);
        self.publish(batch, now);
        Ok(())
    }

    fn publish(&self, batch: &Batch, now: Timestamp) {
        let changes = changes_of(batch);
        {
            let mut durable = self
                .node
                .durable
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            durable.state.apply_all(batch);
            for change in &batch.documents {
                if let Err(error) = durable.resources.apply(&write(change)) {
                    tracing::error!(%error, "a committed document is not readable");
                }
            }
            durable.at = now;
            let Durable {
                state, revisions, ..
            } = &mut *durable;
            revisions.commit(changes.iter().copied(), &state.fleet);
            let ders = durable.state.fleet.ders().len();
            let mut observations = self
                .node
                .observations
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if observations.len() < ders {
                observations.resize(ders, fleet::Observation::default());
            }
        }
        self.node.committed(changes);
        self.node.bump();
    }

    fn reply(&self, pending: Vec<Pending>, committed: Result<(), Unavailable>, now: Timestamp) {
        for waiting in pending {
            match waiting {
                Pending::Commands(reply, outcomes) => answer(reply, committed.map(|()| outcomes)),
                Pending::Documents(reply) => answer(reply, committed),
                Pending::Revised(reply, outcomes) => answer(reply, committed.map(|()| outcomes)),
                Pending::Reply(reply, response) => answer(reply, committed.map(|()| response)),
                Pending::Device(reply, submission, report) => {
                    if committed.is_ok() {
                        self.node.observe_submitted(&submission, report, now);
                    }
                    answer(reply, committed.map(|()| submission.reply));
                }
            }
        }
    }
}

fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("nobody waits for this answer any more");
    }
}

fn document(write: &server::DocumentWrite) -> DocumentChange {
    let key = DocumentKey {
        listener: DOCUMENT_LISTENER.to_owned(),
        owner: write.owner.to_string(),
        path: write.path.clone(),
    };
    match &write.bytes {
        Some(body) => DocumentChange::Put(Document {
            key,
            version: DOCUMENT_VERSION,
            body: body.clone(),
        }),
        None => DocumentChange::Delete(key),
    }
}

/// A stored document change as the protocol crate takes it.
fn write(change: &DocumentChange) -> server::DocumentWrite {
    let (key, bytes) = match change {
        DocumentChange::Put(document) => (&document.key, Some(document.body.clone())),
        DocumentChange::Delete(key) => (key, None),
    };
    let owner = key.owner.parse();
    server::DocumentWrite {
        owner: owner.expect("`document` writes the owner as it is read"),
        path: key.path.clone(),
        bytes,
    }
}
