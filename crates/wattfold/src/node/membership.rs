//! What a node is among others on the same database.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fleet::{DerId, Observation};
use store::{Reply, Request, RequestId};
use tokio::sync::oneshot;

use super::{Node, Unavailable, observe};
use crate::clock;

/// Requests that may wait on their way to the leader.
pub const MAX_ERRANDS: usize = 4_096;
/// How long a request may take that another node carries out.
pub const CARRY_TIMEOUT: Duration = Duration::from_secs(10);

tokio::task_local! {
    /// The request of another node that a task carries out; taken by its first decision.
    static CARRIED_OUT: Mutex<Option<RequestId>>;
    /// What has become of the decisions that a task has asked for.
    static COURSE: Mutex<Course>;
}

/// What has become of the decisions that a task has asked for. The last of these words stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub enum Course {
    /// All were made, or refused.
    #[default]
    Decided,
    /// This node may not make one.
    TurnedDown,
    /// It is not known whether one was kept.
    Unsure,
}

/// A request on its way to the leader.
#[derive(Debug)]
pub struct Errand {
    /// What is asked.
    pub request: Request,
    /// Who waits for the answer.
    pub reply: Option<oneshot::Sender<Result<Reply, Unavailable>>>,
    /// Until when.
    pub until: clock::Monotonic,
}

/// A node's part among others.
#[derive(Debug)]
pub struct Membership {
    leads: AtomicBool,
    /// The last commit that is published here.
    change: AtomicU64,
    /// When the lease was last renewed by this node, or seen in force.
    lease_seen: Mutex<clock::Monotonic>,
    /// When the database last told how far it has come.
    current: Mutex<clock::Monotonic>,
    /// DER of which something was observed here that the other nodes don't know.
    touched: Mutex<BTreeSet<DerId>>,
    errands: SyncSender<Errand>,
}

impl Membership {
    /// Of a node whose requests to the leader go to `errands`.
    #[must_use]
    pub fn new(errands: SyncSender<Errand>, change: u64) -> Self {
        let now = clock::monotonic();
        Self {
            leads: AtomicBool::new(false),
            change: AtomicU64::new(change),
            lease_seen: Mutex::new(now),
            current: Mutex::new(now),
            touched: Mutex::default(),
            errands,
        }
    }

    pub(super) fn lead(&self) {
        self.leads.store(true, Ordering::SeqCst);
    }

    pub(super) fn follow(&self) {
        self.leads.store(false, Ordering::SeqCst);
    }

    /// Every commit up to this one is published.
    pub(super) fn folded(&self, change: u64) {
        self.change.store(change, Ordering::SeqCst);
    }

    pub(super) fn lease_seen(&self) {
        *lock(&self.lease_seen) = clock::monotonic();
    }

    pub(super) fn is_current(&self) {
        *lock(&self.current) = clock::monotonic();
    }

    pub(super) fn touch(&self, ders: &[DerId]) {
        lock(&self.touched).extend(ders);
    }

    /// Sends a request whose answer nobody waits for; whether there was room.
    pub(super) fn send(&self, errand: Errand) -> Result<(), Unavailable> {
        self.errands.try_send(errand).map_err(|error| match error {
            TrySendError::Full(_) => Unavailable::Busy,
            TrySendError::Disconnected(_) => Unavailable::Stopping,
        })
    }
}

/// How a node stands among others.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Whether it leads.
    pub leads: bool,
    /// The last commit that is published here.
    pub change: u64,
    /// Since when nothing was heard of the lease in force.
    pub lease_age: Duration,
    /// Since when it may be behind the journal.
    pub behind: Duration,
}

impl Node {
    /// Whether decisions are made here; a node that has a store for itself always leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        let membership = self.membership.as_ref();
        membership.is_none_or(|own| own.leads.load(Ordering::SeqCst))
    }

    /// How it stands among other nodes; nothing when it has a store for itself.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let own = self.membership.as_ref()?;
        let now = clock::monotonic();
        let age = |at: &Mutex<clock::Monotonic>| now.saturating_duration_since(*lock(at));
        Some(Standing {
            leads: own.leads.load(Ordering::SeqCst),
            change: own.change.load(Ordering::SeqCst),
            lease_age: age(&own.lease_seen),
            behind: age(&own.current),
        })
    }

    /// Has the leader carry out a request; returns when that is published here.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody did, or nobody can tell.
    pub async fn carry(&self, head: String, body: Vec<u8>) -> Result<Reply, Unavailable> {
        let own = self.membership.as_ref().ok_or(Unavailable::NoLeader)?;
        let (reply, answer) = oneshot::channel();
        own.send(Errand {
            request: Request {
                id: u128::from_be_bytes(crate::auth::random()),
                head,
                body,
            },
            reply: Some(reply),
            until: clock::monotonic() + CARRY_TIMEOUT,
        })?;
        answer.await.map_err(|_| Unavailable::Stopping)?
    }

    /// The latest observations of DER that were observed here since the last call.
    pub(crate) fn observed_here(&self) -> Vec<(DerId, Observation)> {
        let Some(own) = &self.membership else {
            return Vec::new();
        };
        let touched = std::mem::take(&mut *lock(&own.touched));
        self.read(|published| {
            let latest = |der: DerId| Some((der, *published.observations.get(der.index())?));
            touched.into_iter().filter_map(latest).collect()
        })
    }

    /// Takes up what was observed at other nodes, as far as it is newer.
    pub(crate) fn observed_elsewhere(&self, told: &[(DerId, Observation)]) {
        let mut changed = false;
        self.with_observations(|observations| {
            for (der, latest) in told {
                if let Some(own) = observations.get_mut(der.index()) {
                    changed |= observe::merge(own, latest);
                }
            }
        });
        if changed {
            self.bump();
        }
    }
}

/// Runs `work` as what carries out `request`: its first decision is marked with it.
pub async fn carrying_out<W: Future>(request: RequestId, work: W) -> W::Output {
    CARRIED_OUT.scope(Mutex::new(Some(request)), work).await
}

/// Runs `work` and tells what has become of the decisions that it asked for.
pub async fn watched<W: Future>(work: W) -> (W::Output, Course) {
    let watched = async {
        let output = work.await;
        (output, COURSE.with(|course| *lock(course)))
    };
    COURSE.scope(Mutex::default(), watched).await
}

/// The request that this task carries out, for its first decision.
pub(super) fn carried_out() -> Option<RequestId> {
    CARRIED_OUT.try_with(|request| lock(request).take()).ok()?
}

/// Notes what has become of a decision; what is worse stands.
pub(super) fn note(course: Course) {
    let noted = COURSE.try_with(|noted| {
        let mut noted = lock(noted);
        *noted = course.max(*noted);
    });
    if noted.is_err() {
        tracing::trace!("whoever asks finds out by the answer");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
