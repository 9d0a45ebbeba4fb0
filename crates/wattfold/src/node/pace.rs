//! When the control loop looks next: every period, and sooner when something is decided that plans in
//! force rest on.

use std::time::Duration;

use fleet::{DeliveryState, Event, MicrogridEvent};
use store::Batch;

use crate::clock::Monotonic;

/// Least time between two looks, were signals to come one after the other.
const SPACING: Duration = Duration::from_secs(1);

/// The times of the control loop.
pub(super) struct Pace {
    period: Duration,
    next: Monotonic,
    last: Option<Monotonic>,
}

impl Pace {
    /// Looks at `now` and then every `period`.
    pub(super) const fn new(period: Duration, now: Monotonic) -> Self {
        Self {
            period,
            next: now,
            last: None,
        }
    }

    /// How long it is until the next look.
    pub(super) fn wait(&self, now: Monotonic) -> Duration {
        self.next.saturating_duration_since(now)
    }

    /// Whether it is time to look, which is then done.
    pub(super) fn is_due(&mut self, now: Monotonic) -> bool {
        let due = self.next <= now;
        if due {
            (self.next, self.last) = (now + self.period, Some(now));
        }
        due
    }

    /// Something was decided that calls for a look.
    pub(super) fn signal(&mut self, now: Monotonic) {
        let soonest = self.last.map_or(now, |last| now.max(last + SPACING));
        self.next = self.next.min(soonest);
    }
}

/// Whether plans in force may not fit any more by what was decided: a member refused or opted out, a
/// microgrid moved, an envelope changed.
pub(super) fn is_signal(batch: &Batch) -> bool {
    let refused = batch.deliveries.iter().any(|step| {
        matches!(
            step.state,
            DeliveryState::Overridden | DeliveryState::Rejected
        )
    });
    refused
        || batch.entries.iter().any(|entry| {
            matches!(
                entry.event,
                Event::EnvelopeSet(_)
                    | Event::EnvelopeCleared(..)
                    | Event::Microgrid(MicrogridEvent::Moved(..))
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn signals_bring_a_look_forward_and_a_flood_of_them_no_more_than_one_a_second() {
        let now = clock::monotonic();
        let at = |ms: u64| now + Duration::from_millis(ms);
        let mut pace = Pace::new(Duration::from_secs(10), now);
        assert!(pace.is_due(at(0)) && !pace.is_due(at(9_999)));
        let mut looks = Vec::new();
        for ms in 0..5_000 {
            if ms < 3_500 {
                pace.signal(at(ms));
            }
            if pace.is_due(at(ms)) {
                looks.push(ms);
            }
        }
        assert_eq!(looks, [1_000, 2_000, 3_000, 4_000]);
        assert_eq!(pace.wait(at(4_000)), Duration::from_secs(10));
    }

    #[test]
    fn a_period_that_is_shorter_stays() {
        let now = clock::monotonic();
        let mut pace = Pace::new(Duration::from_millis(200), now);
        assert!(pace.is_due(now));
        pace.signal(now + Duration::from_millis(100));
        assert_eq!(pace.wait(now), Duration::from_millis(200));
    }
}
