//! From the node to the notifier: what has been published.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ieee2030_5::server::notification::Change;
use tokio::sync::mpsc;

use super::waiting::Waiting;

/// Commits that may wait for the notifier. If there are more, it looks at everything instead.
pub const MAX_WAITING_COMMITS: usize = 1_024;

/// The end that the node holds.
#[derive(Clone, Debug)]
pub struct Feed {
    sender: mpsc::Sender<Published>,
    missed: Arc<AtomicBool>,
    waiting: Arc<Waiting>,
}

/// The changes of one commit.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) changes: BTreeSet<Change>,
    /// They count as one notification until it is known how many there are.
    pub(super) _waiting: Waiting,
}

/// The end that the notifier holds.
#[derive(Debug)]
pub struct Receiver {
    pub(super) published: mpsc::Receiver<Published>,
    missed: Arc<AtomicBool>,
    pub(super) waiting: Arc<Waiting>,
}

/// A feed and its other end.
#[must_use]
pub fn feed() -> (Feed, Receiver) {
    let (sender, published) = mpsc::channel(MAX_WAITING_COMMITS);
    let missed = Arc::new(AtomicBool::new(false));
    let waiting = Arc::new(Waiting::default());
    let feed = Feed {
        sender,
        missed: Arc::clone(&missed),
        waiting: Arc::clone(&waiting),
    };
    let receiver = Receiver {
        published,
        missed,
        waiting,
    };
    (feed, receiver)
}

impl Feed {
    /// Tells what a commit has changed.
    pub fn committed(&self, changes: BTreeSet<Change>) {
        if changes.is_empty() {
            return;
        }
        let published = Published {
            changes,
            _waiting: self.waiting.share(1),
        };
        if self.sender.try_send(published).is_err() {
            self.missed.store(true, Ordering::SeqCst);
        }
    }

    /// Notifications that are due and not taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.total()
    }
}

impl Receiver {
    /// Whether something was published that is not in the channel.
    pub(super) fn has_missed(&self) -> bool {
        self.missed.swap(false, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_known_to_be_missing() {
        let (feed, mut receiver) = feed();
        let changes = BTreeSet::from([Change::Everything]);
        for _ in 0..MAX_WAITING_COMMITS {
            feed.committed(changes.clone());
        }
        assert_eq!(feed.waiting(), MAX_WAITING_COMMITS);
        assert!(!receiver.has_missed());
        feed.committed(changes.clone());
        assert!(receiver.has_missed());
        assert!(!receiver.has_missed());
        while let Ok(published) = receiver.published.try_recv() {
            assert_eq!(published.changes, changes);
        }
        assert_eq!(feed.waiting(), 0);
    }
}
