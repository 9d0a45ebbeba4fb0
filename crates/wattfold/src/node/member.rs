//! The thread that owns the core of a node among others: it follows until the lease is given to
//! it, leads for as long as it can be sure of the lease, and follows again.
//!
//! While it follows, the published state is the fold of what the leader commits. To lead it takes
//! the lease, after which nobody else can commit, folds to the head, and decides from there.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{
    Address, Asked, JournalId, Lease, OpenError, Position, Postgres, ReadError, StorageError,
    Store as _, Term,
};
use thiserror::Error;

use super::core::{Core, Rules};
use super::membership::Membership;
use super::owner::Owner;
use super::{Message, Node, Unavailable};
use crate::clock;

/// Longest wait of a follower for news before it asks.
const POLL: Duration = Duration::from_millis(50);
/// Pause before a database that failed is asked again.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait of a leader before it looks whether it still is one.
const LEADER_WAIT: Duration = Duration::from_millis(50);
/// A lease is renewed so many times while it lasts.
const RENEWALS: u32 = 4;
/// A leader stops deciding when less than this part of its lease is left.
const MARGIN: u32 = 8;

/// A node's place at a database that others share.
pub struct Seat {
    /// Folded up to `position`.
    pub store: Postgres,
    /// How far.
    pub position: Position,
    /// What the node is called.
    pub name: String,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
}

/// A term, and until when it is sure.
type Given = (Term, clock::Monotonic);

/// What a member does next.
enum Next {
    Lead(Box<Postgres>, Term, clock::Monotonic),
    Follow,
    Stop,
}

/// Why nothing is followed at this time.
#[derive(Debug, Error)]
enum FollowError {
    #[error("the database can't be opened")]
    Open(#[from] OpenError),
    #[error("the database can't be read")]
    Read(#[from] ReadError),
    #[error("the lease can't be asked for")]
    Lease(#[from] StorageError),
    #[error("the database holds another journal")]
    OtherJournal,
}

pub(super) struct Member {
    node: Arc<Node>,
    rules: Rules,
    period: Duration,
    address: Address,
    journal: JournalId,
    store: Option<Postgres>,
    position: Position,
    lease: Lease,
    duration: Duration,
}

impl Member {
    pub(super) fn new(node: Arc<Node>, seat: Seat, rules: Rules, period: Duration) -> Self {
        let address = seat.store.address().clone();
        Self {
            node,
            rules,
            period,
            journal: seat.store.journal(),
            lease: Lease::new(address.clone(), seat.name),
            address,
            store: Some(seat.store),
            position: seat.position,
            duration: seat.lease,
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let mut next = Next::Follow;
        loop {
            next = match next {
                Next::Follow => self.follow(messages),
                Next::Lead(store, term, until) => self.lead(*store, term, until, messages),
                Next::Stop => return,
            };
        }
    }

    fn own(&self) -> &Membership {
        let own = self.node.membership.as_ref();
        own.expect("a member is one of several")
    }

    fn follow(&mut self, messages: &Receiver<Message>) -> Next {
        self.own().follow();
        let mut failing = false;
        loop {
            if self.turn_down(messages) {
                return Next::Stop;
            }
            match self.look() {
                Ok(None) => failing = false,
                Ok(Some((term, until))) => match self.take_over(term) {
                    Ok(store) => return Next::Lead(Box::new(store), term, until),
                    Err(error) => self.failed(&error, &mut failing),
                },
                Err(error) => self.failed(&error, &mut failing),
            }
        }
    }

    fn failed(&mut self, error: &FollowError, failing: &mut bool) {
        let error: &dyn std::error::Error = error;
        if !std::mem::replace(failing, true) {
            tracing::error!(error, "the database can't be followed");
        }
        self.store = None;
        std::thread::park_timeout(RETRY_PAUSE);
    }

    /// Takes up what was committed, and asks for the lease when nobody has it.
    fn look(&mut self) -> Result<Option<Given>, FollowError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => Postgres::open(&self.address, self.journal)?,
        };
        if store.journal() != self.journal {
            return Err(FollowError::OtherJournal);
        }
        store.listen()?;
        store.wait(POLL)?;
        self.catch_up(&mut store)?;
        self.store = Some(store);
        if self.lease.look()?.left.is_some() {
            self.own().lease_seen();
            return Ok(None);
        }
        let begun = clock::monotonic();
        match self.lease.acquire(self.duration)? {
            Asked::Given(term) => Ok(Some((term, begun + self.duration))),
            Asked::Held(_) => Ok(None),
        }
    }

    fn catch_up(&mut self, store: &mut Postgres) -> Result<(), FollowError> {
        while let Some((batch, until)) = store.since(self.position)? {
            self.node.publish(&batch, clock::now());
            self.position = until;
            self.own().folded(until.change);
        }
        self.own().is_current();
        Ok(())
    }

    /// Folds to the head, which nobody moves any more.
    fn take_over(&mut self, term: Term) -> Result<Postgres, FollowError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => Postgres::open(&self.address, self.journal)?,
        };
        store.lead(&term)?;
        self.catch_up(&mut store)?;
        Ok(store)
    }

    /// Answers everybody that this node does not lead. Returns whether to stop.
    fn turn_down(&self, messages: &Receiver<Message>) -> bool {
        for message in messages.try_iter() {
            match message {
                Message::Stop => return true,
                Message::Input { reply, .. } => {
                    let answer = Err(Unavailable::NotLeader);
                    if reply.is_some_and(|reply| reply.send(answer).is_err()) {
                        tracing::debug!("nobody waits for this answer any more");
                    }
                }
            }
        }
        false
    }

    /// Decides until the lease can't be relied upon any more.
    fn lead(
        &mut self,
        store: Postgres,
        term: Term,
        until: clock::Monotonic,
        messages: &Receiver<Message>,
    ) -> Next {
        let folded = {
            let durable = self.node.durable();
            (durable.state.clone(), durable.resources.clone())
        };
        let core = Core::new(Box::new(store), folded, self.rules.clone(), clock::now());
        let core = match core {
            Ok(core) => core,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "can't lead");
                return Next::Follow;
            }
        };
        tracing::info!(
            token = term.token,
            version = self.position.head.version,
            "leading"
        );
        let node = Arc::clone(&self.node);
        let mut owner = Owner::new(node, core, self.period);
        owner.follow_position(self.position);
        let valid = Mutex::new(Some(until));
        self.own().lead();
        let stopping = std::thread::scope(|scope| {
            let (halt, halted) = sync_channel(0);
            let (lease, duration, node) = (&mut self.lease, self.duration, &self.node);
            let valid = &valid;
            scope.spawn(move || keep(lease, term, duration, (node, valid), &halted));
            let stopping = rounds(&mut owner, messages, &|| is_sure(valid, duration));
            node.membership.as_ref().expect("a member").follow();
            drop::<SyncSender<()>>(halt);
            stopping
        });
        self.position = owner.position().unwrap_or(self.position);
        drop(owner);
        let released = self.lease.release(term);
        if let Err(error) = released {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "lease not given back"
            );
        }
        tracing::info!(token = term.token, "leading no more");
        if stopping { Next::Stop } else { Next::Follow }
    }
}

/// Whether the lease goes on for long enough to begin another commit.
fn is_sure(valid: &Mutex<Option<clock::Monotonic>>, duration: Duration) -> bool {
    let until = *valid.lock().unwrap_or_else(PoisonError::into_inner);
    until.is_some_and(|until| clock::monotonic() + duration / MARGIN < until)
}

/// Runs rounds for as long as `is_sure`. Returns whether it was told to stop.
fn rounds(owner: &mut Owner, messages: &Receiver<Message>, is_sure: &dyn Fn() -> bool) -> bool {
    while is_sure() {
        let taken = owner.take(messages, LEADER_WAIT);
        let stopping = taken.stopping;
        if !is_sure() {
            taken.turn_down();
            return stopping;
        }
        if let Err(error) = owner.round(taken) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the database failed"
            );
            return stopping;
        }
        if stopping {
            return true;
        }
    }
    tracing::warn!("the lease could not be renewed in time");
    false
}

/// Renews the lease until it is another's or nobody wants it any more.
fn keep(
    lease: &mut Lease,
    term: Term,
    duration: Duration,
    (node, valid): (&Node, &Mutex<Option<clock::Monotonic>>),
    halted: &Receiver<()>,
) {
    let own = node.membership.as_ref().expect("a member");
    while matches!(
        halted.recv_timeout(duration / RENEWALS),
        Err(RecvTimeoutError::Timeout)
    ) {
        let begun = clock::monotonic();
        let until = match lease.renew(term, duration) {
            Ok(true) => Some(begun + duration),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "lease not renewed"
                );
                continue;
            }
        };
        *valid.lock().unwrap_or_else(PoisonError::into_inner) = until;
        if until.is_none() {
            return tracing::warn!("the lease was given to another node");
        }
        own.lease_seen();
        own.is_current();
    }
}
