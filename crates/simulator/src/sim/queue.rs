//! What is to happen, in the order of virtual time; what is due at one instant, in the order in
//! which it was scheduled.

use std::collections::BTreeMap;

use units::Timestamp;

/// Future happenings.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// Boxed, so that what is moved about in here is small.
    due: BTreeMap<(Timestamp, u64), Box<T>>,
    count: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, at: Timestamp, what: T) {
        self.count += 1;
        self.due.insert((at, self.count), Box::new(what));
    }

    pub(super) fn pop(&mut self) -> Option<(Timestamp, T)> {
        let ((at, _), what) = self.due.pop_first()?;
        Some((at, *what))
    }
}
