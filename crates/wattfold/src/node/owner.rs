//! The thread that owns the core: it waits for inputs, reads the clock, publishes and answers.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use fleet::{Fleet, Observation};
use ieee2030_5::server::Submission;
use store::{Batch, StorageError};
use units::Timestamp;

use super::core::{Committed, Core, Input, Rim};
use super::{Message, Node, Reply, Unavailable};
use crate::clock;
use crate::telemetry::Report;

/// Inputs that share one commit at most; bounds how long the first of them waits.
const MAX_INPUTS_PER_COMMIT: usize = 1_024;

pub(super) struct Owner {
    node: Arc<Node>,
    core: Core,
    period: Duration,
    next_tick: clock::Monotonic,
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
            period,
            next_tick: clock::monotonic(),
        }
    }

    /// Runs until it is told to stop or the store's medium fails: the next start folds what is
    /// there.
    pub(super) fn run(mut self, messages: &Receiver<Message>) -> Result<(), StorageError> {
        let mut stopping = false;
        while !stopping {
            let wait = self.next_tick.saturating_duration_since(clock::monotonic());
            let mut taken = Vec::new();
            match messages.recv_timeout(wait) {
                Ok(message) => taken.push(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => stopping = true,
            }
            taken.extend(
                messages
                    .try_iter()
                    .take(MAX_INPUTS_PER_COMMIT - taken.len()),
            );
            let (mut inputs, mut replies) = (Vec::new(), Vec::new());
            for message in taken {
                match message {
                    Message::Input(input, reply) => {
                        inputs.push(input);
                        replies.push(reply);
                    }
                    Message::Stop => stopping = true,
                }
            }
            self.round(inputs, replies)?;
        }
        Ok(())
    }

    /// Decides `inputs`, commits them as one, publishes, answers.
    fn round(
        &mut self,
        mut inputs: Vec<Input>,
        replies: Vec<Option<Reply>>,
    ) -> Result<(), StorageError> {
        let begun = clock::monotonic();
        if self.next_tick <= begun {
            self.next_tick = begun + self.period;
            inputs.push(Input::Tick);
        }
        let node = Arc::clone(&self.node);
        let decided = self.core.decide(clock::now(), inputs, node.as_ref());
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
    fn publish(&self, batch: &Batch, now: Timestamp) {
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
