//! The thread that owns the core: it waits for inputs, reads the clock, publishes and answers.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fleet::{Fleet, Observation};
use ieee2030_5::server::Submission;
use store::{Batch, Position, RequestId, StorageError};
use units::Timestamp;

use super::core::{Committed, Core, Input, Rim};
use super::pace::{self, Pace};
use super::{Message, Node, Reply, Unavailable};
use crate::clock;
use crate::telemetry::Report;

/// Inputs that share one commit at most; bounds how long the first of them waits.
const MAX_INPUTS_PER_COMMIT: usize = 1_024;

pub(super) struct Owner {
    node: Arc<Node>,
    core: Core,
    pace: Pace,
    /// How far the store has come, where other nodes want to know.
    position: Option<Position>,
}

/// What is decided together.
#[derive(Default)]
pub(super) struct Taken {
    inputs: Vec<Input>,
    replies: Vec<Option<Reply>>,
    /// The requests of other nodes among them.
    requests: Vec<RequestId>,
    pub(super) stopping: bool,
}

impl Taken {
    fn add(&mut self, message: Message) {
        match message {
            Message::Input {
                input,
                reply,
                request,
            } => {
                self.inputs.push(input);
                self.replies.push(reply);
                self.requests.extend(request);
            }
            Message::Stop => self.stopping = true,
        }
    }

    /// Answers that this node does not lead.
    pub(super) fn turn_down(self) {
        for reply in self.replies.into_iter().flatten() {
            if reply.send(Err(Unavailable::NotLeader)).is_err() {
                tracing::debug!("nobody waits for this answer any more");
            }
        }
    }
}

impl Rim for Node {
    fn observed<R>(&self, look: impl FnOnce(&[Observation]) -> R) -> R {
        let observations = self.observations.read();
        look(&observations.unwrap_or_else(PoisonError::into_inner))
    }

    fn admit(&self, submission: &Submission, fleet: &Fleet) -> Result<Report, Unavailable> {
        self.admitted(submission, fleet)
    }
}

impl Owner {
    pub(super) fn new(node: Arc<Node>, core: Core, period: Duration) -> Self {
        Self {
            node,
            core,
            pace: Pace::new(period, clock::monotonic()),
            position: None,
        }
    }

    /// Keeps track of how far the store has come, from `position` on.
    pub(super) const fn follow_position(&mut self, position: Position) {
        self.position = Some(position);
    }

    /// How far the store has come, if that is kept track of.
    pub(super) const fn position(&self) -> Option<Position> {
        self.position
    }

    /// Runs until it is told to stop or the store's medium fails: the next start folds what is
    /// there.
    pub(super) fn run(mut self, messages: &Receiver<Message>) -> Result<(), StorageError> {
        loop {
            let taken = self.take(messages, Duration::MAX);
            let stopping = taken.stopping;
            self.round(taken)?;
            if stopping {
                return Ok(());
            }
        }
    }

    /// Waits for messages until the next tick, at most `longest`, and takes those there are.
    pub(super) fn take(&self, messages: &Receiver<Message>, longest: Duration) -> Taken {
        let wait = self.pace.wait(clock::monotonic());
        let mut taken = Taken::default();
        match messages.recv_timeout(wait.min(longest)) {
            Ok(message) => taken.add(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => taken.stopping = true,
        }
        let room = MAX_INPUTS_PER_COMMIT - taken.inputs.len();
        for message in messages.try_iter().take(room) {
            taken.add(message);
        }
        taken
    }

    /// Decides what was taken, commits it as one, publishes, answers.
    pub(super) fn round(&mut self, taken: Taken) -> Result<(), StorageError> {
        let Taken {
            mut inputs,
            replies,
            requests,
            ..
        } = taken;
        let begun = clock::monotonic();
        if self.pace.is_due(begun) {
            inputs.push(Input::Tick {
                readings_refused: self.node.metrics.readings_refused(),
            });
        }
        let node = Arc::clone(&self.node);
        let mut decided = self.core.decide(clock::now(), inputs, node.as_ref());
        decided.answers_requests(requests);
        let begun = clock::monotonic();
        let committed = self.core.commit(decided, || node.durable().clone());
        let took = clock::monotonic().saturating_duration_since(begun);
        let Committed {
            now,
            published,
            answers,
            observed,
            failed,
        } = committed;
        if let Some(batch) = published {
            node.metrics.committed(&batch, took);
            node.publish(&batch, now);
            if pace::is_signal(&batch) {
                self.pace.signal(clock::monotonic());
            }
            if let (Some(position), Some(own)) = (&mut self.position, &node.membership) {
                *position = position.after(&batch, self.core.store().head());
                own.folded(position.change);
            }
        }
        for (submission, report) in observed {
            node.observe_submitted(&submission, report, now);
        }
        for (reply, answer) in replies.into_iter().zip(answers) {
            node.count(&answer);
            if reply.is_some_and(|reply| reply.send(answer).is_err()) {
                tracing::debug!("nobody waits for this answer any more");
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Node {
    pub(super) fn publish(&self, batch: &Batch, now: Timestamp) {
        let changes = {
            let durable = self.durable.write();
            let mut durable = durable.unwrap_or_else(PoisonError::into_inner);
            let changes = durable.publish(batch, now);
            let ders = durable.state.fleet.ders().len();
            let observations = self.observations.write();
            let mut observations = observations.unwrap_or_else(PoisonError::into_inner);
            if observations.len() < ders {
                observations.resize(ders, Observation::default());
            }
            changes
        };
        self.committed(changes);
        self.bump();
    }
}
