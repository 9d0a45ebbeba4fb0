//! Values with the instant from which each holds.

use units::Timestamp;

/// What holds from when; of several the latest that has begun holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dated<T>(Vec<(Timestamp, T)>);

impl<T> Default for Dated<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Dated<T> {
    /// From `entries`, `None` unless they ascend by instant without repetition.
    #[must_use]
    pub fn new(entries: Vec<(Timestamp, T)>) -> Option<Self> {
        let ascends = entries.windows(2).all(|pair| pair[0].0 < pair[1].0);
        ascends.then_some(Self(entries))
    }

    /// One value for all time to come.
    #[must_use]
    pub fn from(start: Timestamp, value: T) -> Self {
        Self(vec![(start, value)])
    }

    /// What holds at `at`; `None` before the first instant.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<&T> {
        let begun = self.0.partition_point(|(from, _)| *from <= at);
        Some(&self.0.get(begun.checked_sub(1)?)?.1)
    }

    /// All of them, in order.
    #[must_use]
    pub fn entries(&self) -> &[(Timestamp, T)] {
        &self.0
    }
}
