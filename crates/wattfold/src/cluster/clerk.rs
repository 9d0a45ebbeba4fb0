//! The thread at the inbox: it puts what this node asks, fetches the answers, and, where the node
//! leads, hands over what others ask.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Weak;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use store::{Inbox, Reply, RequestId, StorageError, Waiting};
use tokio::sync::{mpsc as queue, oneshot};

use super::MAX_CARRIED_OUT;
use crate::clock;
use crate::node::membership::{CARRY_TIMEOUT, Errand, MAX_ERRANDS};
use crate::node::{Node, Unavailable};

/// Pause between two looks into the inbox.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often answers that nobody wants are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Pause after the database did not answer.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What became of a request of another node.
#[derive(Debug)]
pub(super) enum Done {
    /// This is the answer.
    Answered(Reply),
    /// It is left to another leader.
    Left(RequestId),
}

/// A request that waits for its answer.
struct Outstanding {
    /// Nobody waits for the answer to a note.
    reply: Option<oneshot::Sender<Result<Reply, Unavailable>>>,
    until: clock::Monotonic,
}

pub(super) struct Clerk {
    node: Weak<Node>,
    inbox: Inbox,
    /// To be put.
    unput: Vec<Errand>,
    outstanding: BTreeMap<RequestId, Outstanding>,
    /// Whose answers can be removed.
    taken: Vec<RequestId>,
    /// What is being carried out here.
    carried_out: BTreeSet<RequestId>,
    /// Answers that are not in the database yet.
    unanswered: Vec<Reply>,
    work: queue::Sender<Waiting>,
    next_sweep: clock::Monotonic,
}

impl Clerk {
    pub(super) fn new(node: Weak<Node>, inbox: Inbox, work: queue::Sender<Waiting>) -> Self {
        Self {
            node,
            inbox,
            unput: Vec::new(),
            outstanding: BTreeMap::new(),
            taken: Vec::new(),
            carried_out: BTreeSet::new(),
            unanswered: Vec::new(),
            work,
            next_sweep: clock::monotonic(),
        }
    }

    /// Runs until the node is gone.
    pub(super) fn run(mut self, errands: &Receiver<Errand>, done: &Receiver<Done>) {
        let mut failing = false;
        loop {
            match errands.recv_timeout(LOOK_EVERY) {
                Ok(errand) if self.unput.len() < MAX_ERRANDS => self.unput.push(errand),
                Ok(errand) => answer(errand.reply, Err(Unavailable::Busy)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // The others wait where there is a limit to them.
            let room = MAX_ERRANDS.saturating_sub(self.unput.len());
            self.unput.extend(errands.try_iter().take(room));
            for done in done.try_iter() {
                match done {
                    Done::Answered(reply) => self.unanswered.push(reply),
                    Done::Left(id) => drop(self.carried_out.remove(&id)),
                }
            }
            let Some(node) = self.node.upgrade() else {
                return;
            };
            match self.turn(&node) {
                Ok(()) => failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(error, "the inbox can't be used");
                    }
                    self.give_up();
                    std::thread::park_timeout(RETRY_PAUSE);
                }
            }
        }
    }

    fn turn(&mut self, node: &Node) -> Result<(), StorageError> {
        self.put()?;
        self.answer()?;
        if !self.outstanding.is_empty() {
            self.fetch(node)?;
            self.withdraw()?;
        }
        if node.leads() {
            self.hand_over()?;
        } else {
            self.carried_out.clear();
        }
        let now = clock::monotonic();
        if !self.taken.is_empty() || self.next_sweep <= now {
            self.inbox.remove(&self.taken)?;
            self.taken.clear();
        }
        if self.next_sweep <= now {
            self.next_sweep = now + SWEEP_EVERY;
            node.metrics().inbox_depth(self.inbox.depth()?);
        }
        Ok(())
    }

    /// Puts what waits; to put it twice is to put it once.
    fn put(&mut self) -> Result<(), StorageError> {
        while let Some(errand) = self.unput.last() {
            let is_put = self.inbox.put(&errand.request)?;
            let Some(errand) = self.unput.pop() else {
                return Ok(());
            };
            if is_put {
                let outstanding = Outstanding {
                    reply: errand.reply,
                    until: errand.until,
                };
                self.outstanding.insert(errand.request.id, outstanding);
            } else {
                answer(errand.reply, Err(Unavailable::Busy));
            }
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<(), StorageError> {
        while let Some(reply) = self.unanswered.last() {
            self.inbox.answer(reply)?;
            if let Some(reply) = self.unanswered.pop() {
                self.carried_out.remove(&reply.id);
            }
        }
        Ok(())
    }

    /// Gives the answers whose commits are published here.
    fn fetch(&mut self, node: &Node) -> Result<(), StorageError> {
        let replies = self.inbox.answers()?;
        let change = node.standing().map_or(0, |own| own.change);
        for reply in replies {
            if change < reply.change {
                continue;
            }
            self.taken.push(reply.id);
            if let Some(outstanding) = self.outstanding.remove(&reply.id) {
                answer(outstanding.reply, Ok(reply));
            }
        }
        Ok(())
    }

    /// Takes back what has waited for too long. What a leader has decided can't be taken back: its
    /// answer gets as much time once more.
    fn withdraw(&mut self) -> Result<(), StorageError> {
        let now = clock::monotonic();
        let late = self.outstanding.iter().filter(|(_, o)| o.until <= now);
        let late: Vec<RequestId> = late.map(|(id, _)| *id).collect();
        for id in late {
            let is_withdrawn = self.inbox.withdraw(id)?;
            let Some(outstanding) = self.outstanding.remove(&id) else {
                continue;
            };
            if is_withdrawn {
                answer(outstanding.reply, Err(Unavailable::NoLeader));
            } else if outstanding.until + CARRY_TIMEOUT <= now {
                self.taken.push(id);
                answer(outstanding.reply, Err(Unavailable::Unanswered));
            } else {
                self.outstanding.insert(id, outstanding);
            }
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), StorageError> {
        let room = MAX_CARRIED_OUT.saturating_sub(self.carried_out.len());
        if room == 0 {
            return Ok(());
        }
        for waiting in self.inbox.waiting(MAX_CARRIED_OUT)? {
            let id = match &waiting {
                Waiting::Open(request) => request.id,
                Waiting::Decided(id) => *id,
            };
            if self.carried_out.contains(&id) || MAX_CARRIED_OUT <= self.carried_out.len() {
                continue;
            }
            if self.work.try_send(waiting).is_ok() {
                self.carried_out.insert(id);
            }
        }
        Ok(())
    }

    /// While the database does not answer: what was not put is put by nobody, of the rest nobody
    /// can tell.
    fn give_up(&mut self) {
        let now = clock::monotonic();
        for errand in self.unput.extract_if(.., |errand| errand.until <= now) {
            // A put that was cut off may be there, and is not to be carried out late.
            self.taken.push(errand.request.id);
            answer(errand.reply, Err(Unavailable::Unanswered));
        }
        let late = |outstanding: &Outstanding| outstanding.until + CARRY_TIMEOUT <= now;
        for (id, outstanding) in self.outstanding.extract_if(.., |_, o| late(o)) {
            self.taken.push(id);
            answer(outstanding.reply, Err(Unavailable::Unanswered));
        }
    }
}

fn answer(
    reply: Option<oneshot::Sender<Result<Reply, Unavailable>>>,
    answer: Result<Reply, Unavailable>,
) {
    if reply.is_some_and(|reply| reply.send(answer).is_err()) {
        tracing::debug!("nobody waits for this answer any more");
    }
}
