//! How many notifications wait, over all tasks that know a part of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One holder's share of the total; it is taken off when the holder is dropped.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    total: Arc<AtomicUsize>,
    own: usize,
}

impl Waiting {
    /// Another holder, with a share of `own`.
    pub(super) fn share(&self, own: usize) -> Self {
        self.total.fetch_add(own, Ordering::SeqCst);
        Self {
            total: Arc::clone(&self.total),
            own,
        }
    }

    /// Makes the share `own`.
    pub(super) fn set(&mut self, own: usize) {
        self.total.fetch_add(own, Ordering::SeqCst);
        self.total.fetch_sub(self.own, Ordering::SeqCst);
        self.own = own;
    }

    /// The sum of all shares.
    pub(super) fn total(&self) -> usize {
        self.total.load(Ordering::SeqCst)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.total.fetch_sub(self.own, Ordering::SeqCst);
    }
}
