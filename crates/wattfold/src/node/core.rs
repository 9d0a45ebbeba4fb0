//! The node as a value: inputs and an instant in, what is durable, answered and observed out.
//!
//! It has no clock, no thread, no channel and no lock. One round is [`Core::decide`], then
//! [`Core::commit`]; whoever drives it publishes what came of that before answering anybody.

use std::time::Duration;

use fleet::dispatch::LinearLimit;
use fleet::dispatch::assess::Policy;
use fleet::{Client, Command, ControlId, DerId, Evidence, Fleet, Observation};
use ieee2030_5::server::{self, Response, ServerConfig, Submission, notification};
use store::{
    Account, Actor, Batch, CommitError, Document, DocumentChange, DocumentKey, ReadError,
    RequestId, StorageError, Store,
};
use units::{Timestamp, Zone};

use super::durable::{DOCUMENT_LISTENER, DOCUMENT_VERSION};
use super::{
    AccountChange, AccountError, DeviceRequest, Durable, Outcomes, Published, Revise, Revision,
    Settlement, Unavailable, durable,
};
use crate::config::Limit;
use crate::control_loop::{Inputs, State, Vitals};
use crate::telemetry::Report;

/// What decisions rest on beside state, inputs and observations.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Limits over several DER.
    pub limits: Vec<Limit>,
    /// Thresholds of the control loop, as configured.
    pub policy: Policy,
    /// The device server's settings.
    pub devices: ServerConfig,
    /// Local time by which strategies follow the calendar.
    pub zone: Zone,
}

/// What a round needs of what changes around the core while it decides.
pub trait Rim {
    /// Looks at the latest readings, by DER; there is one for each that is enrolled durably.
    fn observed<R>(&self, look: impl FnOnce(&[Observation]) -> R) -> R;

    /// Whether a client may post this now, and the room for its readings.
    ///
    /// # Errors
    /// [`Unavailable`] when it may not; the core then changes nothing for it.
    fn admit(&self, submission: &Submission, fleet: &Fleet) -> Result<Report, Unavailable>;
}

/// What the core is asked.
pub enum Input {
    /// To be decided in order, each on its own.
    Commands(Actor, Vec<Command>),
    /// A device's request.
    Device(Box<DeviceRequest>),
    /// These controls were sent to these DER.
    Served {
        /// Which.
        controls: Vec<(ControlId, DerId)>,
        /// When.
        at: Timestamp,
    },
    /// A change of the local accounts; it is durable by itself.
    Account(AccountChange),
    /// The local accounts.
    Accounts,
    /// Documents to keep or remove.
    Documents(Actor, Vec<server::DocumentWrite>),
    /// A change that rests on the state as it is then.
    Revise(Actor, Box<Revise>),
    /// What came of notifications.
    Settle(Vec<Settlement>),
    /// One round of the control loop.
    Tick {
        /// Reports of readings refused so far for lack of room.
        readings_refused: u64,
    },
}

/// What an input comes to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Of [`Input::Commands`].
    Commands(Outcomes),
    /// Of [`Input::Device`].
    Device(Response),
    /// Of [`Input::Account`].
    Account(Result<(), AccountError>),
    /// Of [`Input::Accounts`].
    Accounts(Vec<Account>),
    /// Of [`Input::Documents`], [`Input::Served`], [`Input::Settle`] and [`Input::Tick`].
    Done,
    /// Of [`Input::Revise`]; nothing when it was refused.
    Revised(Option<Outcomes>),
}

/// What was decided and is not durable yet.
#[must_use]
pub struct Decided {
    now: Timestamp,
    batch: Batch,
    pending: Vec<Pending>,
    observed: Vec<(Box<Submission>, Report)>,
}

impl Decided {
    /// What has to become durable.
    #[must_use]
    pub const fn batch(&self) -> &Batch {
        &self.batch
    }

    /// What is made durable decides these requests of other nodes, once and for all.
    pub fn answers_requests(&mut self, requests: Vec<RequestId>) {
        self.batch.decided = requests;
    }

    /// Whether there is anything to make durable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Batch {
            entries,
            deliveries,
            documents,
            ..
        } = &self.batch;
        entries.is_empty() && deliveries.is_empty() && documents.is_empty()
    }
}

/// What became of a round.
#[must_use]
pub struct Committed {
    /// The instant of the round; never before that of the round before.
    pub now: Timestamp,
    /// What is durable now and not published yet.
    pub published: Option<Batch>,
    /// One for each input, in their order; to be given when `published` is.
    pub answers: Vec<Result<Answer, Unavailable>>,
    /// What devices have posted, to be taken in before they are answered.
    pub observed: Vec<(Box<Submission>, Report)>,
    /// Why nothing more can be stored: the medium failed. A commit that failed half-way may be
    /// there or not, so nothing more can be decided on top of it.
    pub failed: Option<StorageError>,
}

/// An answer that waits.
enum Pending {
    /// It holds only if the round becomes durable; of a query, what it tells may not be durable
    /// yet.
    IfDurable(Answer),
    /// Whatever becomes of the round.
    Anyway(Result<Answer, Unavailable>),
}

/// How many DER there are, and the counts of changes of service points and of microgrids.
type Basis = (usize, u64, u64);

/// The working state and the store that makes it durable.
pub struct Core {
    store: Box<dyn Store>,
    working: Durable,
    rules: Rules,
    /// The limits as rows over the fleet, and for which DER, service points and microgrids they were
    /// made.
    rows: Option<(Basis, Vec<LinearLimit>)>,
    now: Timestamp,
    /// By how much the clock of the round is behind `now`.
    clock_behind: Duration,
    failed: Option<StorageError>,
}

impl Core {
    /// `state` and `resources` are the fold of `store`. The first round is no earlier than what was
    /// decided last.
    ///
    /// # Errors
    /// [`ReadError`] when the newest entry of the journal can't be read.
    pub fn new(
        store: Box<dyn Store>,
        (state, resources): (State, server::Resources),
        rules: Rules,
        now: Timestamp,
    ) -> Result<Self, ReadError> {
        let now = no_earlier(now, store.as_ref(), &state)?;
        Ok(Self {
            store,
            working: Durable::new(state, resources, now),
            rules,
            rows: None,
            now,
            clock_behind: Duration::ZERO,
            failed: None,
        })
    }

    /// The state as it is decided upon, which may hold what is not durable yet.
    #[must_use]
    pub const fn working(&self) -> &Durable {
        &self.working
    }

    /// What is durable.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// Gives the store back, for a start from what is in it.
    #[must_use]
    pub fn into_store(self) -> Box<dyn Store> {
        self.store
    }

    /// The instant of the last round.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Decides all of `inputs`, in order, on the working state.
    pub fn decide(&mut self, now: Timestamp, inputs: Vec<Input>, rim: &impl Rim) -> Decided {
        self.now = self.now.max(now);
        self.clock_behind = self.now.since(now);
        let mut decided = Decided {
            now: self.now,
            batch: Batch {
                expected_version: self.store.head().version,
                ..Batch::default()
            },
            pending: Vec::with_capacity(inputs.len()),
            observed: Vec::new(),
        };
        self.refresh_rows();
        for input in inputs {
            let pending = self.input(input, rim, &mut decided);
            decided.pending.push(pending);
        }
        decided
    }

    /// Makes durable what was decided. If that fails, the state goes on from what was published
    /// last, which `published` gives.
    pub fn commit(&mut self, decided: Decided, published: impl FnOnce() -> Durable) -> Committed {
        let is_empty = decided.is_empty();
        let Decided {
            now,
            batch,
            pending,
            observed,
        } = decided;
        let mut lost = None;
        if !is_empty && let Err(error) = self.store.commit(&batch) {
            tracing::error!(error = &error as &dyn std::error::Error, "a commit failed");
            lost = Some(match error {
                CommitError::Unsure(_) => Unavailable::Unanswered,
                _ => Unavailable::Store,
            });
            self.note(error);
            self.working = published();
        }
        let answered = |pending| match pending {
            Pending::IfDurable(answer) => lost.map_or(Ok(answer), Err),
            Pending::Anyway(answer) => answer,
        };
        Committed {
            now,
            published: (!is_empty && lost.is_none()).then_some(batch),
            answers: pending.into_iter().map(answered).collect(),
            observed: if lost.is_some() { Vec::new() } else { observed },
            failed: self.failed.take(),
        }
    }

    fn input(&mut self, input: Input, rim: &impl Rim, decided: &mut Decided) -> Pending {
        let batch = &mut decided.batch;
        let answer = match input {
            Input::Commands(actor, commands) => {
                Answer::Commands(self.commands(&actor, &commands, rim, batch))
            }
            Input::Device(request) => return self.device(&request, rim, decided),
            Input::Served { controls, at } => {
                for row in controls {
                    self.working.state.witness(row, Evidence::Served, at, batch);
                }
                Answer::Done
            }
            Input::Account(change) => {
                return Pending::Anyway(Ok(Answer::Account(self.account(change))));
            }
            Input::Accounts => {
                let accounts = self.store.accounts().map_err(|_| Unavailable::Store);
                return Pending::Anyway(accounts.map(Answer::Accounts));
            }
            Input::Documents(actor, writes) => {
                self.operators_documents(&actor, &writes, batch);
                Answer::Done
            }
            Input::Revise(actor, revise) => {
                Answer::Revised(self.revise(&actor, revise, rim, batch))
            }
            Input::Settle(settlements) => {
                self.settle(&settlements, batch);
                Answer::Done
            }
            Input::Tick { readings_refused } => {
                self.working.state.note_vitals(Vitals {
                    clock_behind: self.clock_behind,
                    readings_refused,
                });
                self.with_inputs(rim, |state, inputs| state.tick(inputs, batch));
                Answer::Done
            }
        };
        Pending::IfDurable(answer)
    }

    /// Limits given as "all" follow enrolment, those of service points what stands behind them, and
    /// those of microgrids what is known of these.
    fn refresh_rows(&mut self) {
        let fleet = &self.working.state.fleet;
        let ders = (
            fleet.ders().len(),
            fleet.enrolment().revision(),
            fleet.microgrids().revision(),
        );
        if self.rows.as_ref().is_some_and(|(of, _)| *of == ders) {
            return;
        }
        for limit in &self.rules.limits {
            let unknown = limit.unknown(fleet);
            if !unknown.is_empty() {
                let limit = &limit.name;
                tracing::warn!(limit, ?unknown, "a limit names DER not enrolled");
            }
        }
        let limits = self.rules.limits.iter();
        let limits = limits.flat_map(|limit| limit.rows(fleet));
        let limits = limits.chain(fleet.enrolment().limits());
        let limits = limits.chain(fleet.microgrids().limits()).collect();
        self.rows = Some((ders, limits));
    }

    fn with_inputs<R>(
        &mut self,
        rim: &impl Rim,
        act: impl FnOnce(&mut State, &Inputs<'_>) -> R,
    ) -> R {
        let policy = durable::policy(self.rules.policy, &self.rules.devices, &self.working);
        let limits = self.rows.as_ref().map_or(&[][..], |(_, rows)| rows);
        rim.observed(|observations| {
            let inputs = Inputs {
                observations,
                policy,
                limits,
                zone: &self.rules.zone,
                now: self.now,
            };
            act(&mut self.working.state, &inputs)
        })
    }

    fn commands(
        &mut self,
        actor: &Actor,
        commands: &[Command],
        rim: &impl Rim,
        batch: &mut Batch,
    ) -> Outcomes {
        let outcomes: Outcomes = self.with_inputs(rim, |state, inputs| {
            let execute = |command| state.execute(actor, command, inputs, batch);
            commands.iter().map(execute).collect()
        });
        for (command, outcome) in commands.iter().zip(&outcomes) {
            // What a DER that is no more has put and posted, and what is hosted for it alone, would
            // be found by nobody.
            if let (Command::RemoveDer(der), Ok(_)) = (command, outcome) {
                let of = Client::Der(*der);
                let writes = self.working.resources.without_client(of);
                self.documents(&writes, batch);
            }
        }
        outcomes
    }

    /// Lets `revise` look at the working state as others look at what is published.
    fn revise(
        &mut self,
        actor: &Actor,
        revise: Box<Revise>,
        rim: &impl Rim,
        batch: &mut Batch,
    ) -> Option<Outcomes> {
        let revision = rim.observed(|observations| {
            revise(&Published {
                fleet: &self.working.state.fleet,
                deliveries: &self.working.state.deliveries,
                authors: &self.working.state.authors,
                observations,
                resources: &self.working.resources,
                policy: durable::policy(self.rules.policy, &self.rules.devices, &self.working),
                at: self.now,
            })
        })?;
        Some(match revision {
            Revision::Commands(commands) => self.commands(actor, &commands, rim, batch),
            Revision::Documents(writes) => {
                self.operators_documents(actor, &writes, batch);
                Outcomes::new()
            }
        })
    }

    /// Whatever the answer is, it rests on the working state and so waits for the commit.
    fn device(
        &mut self,
        request: &DeviceRequest,
        rim: &impl Rim,
        decided: &mut Decided,
    ) -> Pending {
        let view = self.working.view(&self.rules.devices);
        let submission = match server::handle(&request.borrowed(), &view, self.now) {
            server::Answer::Reply(response) => {
                return Pending::IfDurable(Answer::Device(response));
            }
            server::Answer::Submit(submission) => submission,
        };
        let report = match rim.admit(&submission, view.fleet) {
            Ok(report) => report,
            Err(unavailable) => return Pending::Anyway(Err(unavailable)),
        };
        let profile = view.profile_of(submission.client);
        let actor = Actor::Device(request.lfdi);
        let batch = &mut decided.batch;
        let outcome = submission.command.as_ref().map(|command| {
            self.with_inputs(rim, |state, inputs| {
                state.execute(&actor, command, inputs, batch)
            })
        });
        if let Some(Err(rejection)) = outcome {
            let response = server::rejected(&rejection, profile);
            return Pending::IfDurable(Answer::Device(response));
        }
        for sign in &submission.evidence {
            let row = (sign.control, sign.der);
            let state = &mut self.working.state;
            state.witness(row, sign.evidence, sign.at, batch);
        }
        self.documents(&submission.documents, batch);
        let reply = submission.reply.clone();
        decided.observed.push((submission, report));
        Pending::IfDurable(Answer::Device(reply))
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

    fn documents(&mut self, writes: &[server::DocumentWrite], batch: &mut Batch) {
        for write in writes {
            if let Err(error) = self.working.resources.apply(write) {
                tracing::error!(%error, "a document made by the server itself is not readable");
            }
            batch.documents.push(document(write));
        }
    }

    fn settle(&mut self, settlements: &[Settlement], batch: &mut Batch) {
        for settlement in settlements {
            let Settlement { id, revision, told } = *settlement;
            let view = self.working.view(&self.rules.devices);
            let kept = notification::settle(id, revision, told, &view);
            self.documents(kept.as_slice(), batch);
        }
    }

    fn account(&mut self, change: AccountChange) -> Result<(), AccountError> {
        let changed = match change {
            AccountChange::Create {
                name,
                password_hash,
            } => self
                .store
                .create_account(&name, &password_hash, self.now)
                .map(drop),
            AccountChange::SetPassword { id, password_hash } => {
                self.store.set_password(id, &password_hash)
            }
        };
        changed.map_err(|error| {
            let failed = AccountError::from(&error);
            self.note(error);
            failed
        })
    }

    /// Only a failure of the medium ends the node.
    fn note(&mut self, error: CommitError) {
        if let CommitError::Storage(error) | CommitError::Unsure(error) = error {
            self.failed = Some(error);
        }
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
