//! What a device must have heard of.

use std::time::Duration;

use units::Timestamp;

/// Up to when a device certainly knows what was published.
///
/// Nobody can say when a message arrives that may get lost. But who could be reached without a break
/// for [`Horizon::PATIENCE`] has looked at everything in that time, whatever single messages were
/// lost, and so knows all that was published before it. What it knows it keeps when it is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizon {
    /// Since when nothing has stood in the way; none while something does.
    clear_since: Option<Timestamp>,
    known: Option<Timestamp>,
}

impl Horizon {
    /// Three poll rates of the simulation: a new programme is found in two steps, the function set
    /// assignments and then the programmes, and some single messages get lost on the way.
    pub const PATIENCE: Duration = Duration::from_secs(900);

    /// Something stands in the way from `now` on: what was learned until then stays known.
    pub fn impair(&mut self, now: Timestamp) {
        self.known = self.known(now);
        self.clear_since = None;
    }

    /// Nothing stands in the way any more.
    pub fn clear(&mut self, now: Timestamp) {
        self.clear_since = self.clear_since.or(Some(now));
    }

    /// It has forgotten everything.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// All that was published by then is known at `now`; none where nothing has to be.
    #[must_use]
    pub fn known(&self, now: Timestamp) -> Option<Timestamp> {
        let since = self
            .clear_since
            .filter(|since| Self::PATIENCE <= now.since(*since));
        since.map(|_| now.before(Self::PATIENCE)).max(self.known)
    }

    /// Whether all that was published at `at` is known at `now`.
    #[must_use]
    pub fn knows(&self, at: Timestamp, now: Timestamp) -> bool {
        self.known(now).is_some_and(|known| at <= known)
    }
}

#[cfg(test)]
mod tests {
    use super::Horizon;
    use units::Timestamp;

    #[test]
    fn what_was_heard_stays_known_and_what_came_since_the_break_is_not() {
        let at = Timestamp::from_secs;
        let mut horizon = Horizon::default();
        assert_eq!(horizon.known(at(5_000)), None);
        horizon.clear(at(1_000));
        assert_eq!(horizon.known(at(1_899)), None);
        assert_eq!(horizon.known(at(2_000)), Some(at(1_100)));
        horizon.impair(at(2_000));
        assert_eq!(horizon.known(at(9_000)), Some(at(1_100)));
        horizon.clear(at(9_000));
        assert_eq!(horizon.known(at(9_500)), Some(at(1_100)));
        assert!(horizon.knows(at(1_100), at(9_500)) && !horizon.knows(at(1_101), at(9_500)));
        assert_eq!(horizon.known(at(9_900)), Some(at(9_000)));
        horizon.forget();
        assert_eq!(horizon.known(at(99_000)), None);
    }
}
