//! The server's clock as seen from a device.

use std::time::Duration;

use units::Timestamp;

/// How far the server's clock is ahead of the local one, as narrow as the answers allow.
///
/// `Time.currentTime` has whole seconds. The server stamped it after the request left and before
/// the answer came, so every answer bounds the offset from both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerClock {
    low_ms: i64,
    high_ms: i64,
}

impl ServerClock {
    pub(super) fn from_answer(sent: Timestamp, received: Timestamp, server_s: i64) -> Self {
        let server_ms = server_s.saturating_mul(1000);
        Self {
            low_ms: server_ms.saturating_sub(received.millis()),
            high_ms: server_ms.saturating_add(999).saturating_sub(sent.millis()),
        }
    }

    /// Narrows with a later answer. When the two cannot both hold, a clock has drifted or was set:
    /// up to `tolerance` apart, the estimate moves by no more than it must; beyond, the later
    /// answer counts alone.
    pub(super) fn narrowed(self, later: Self, tolerance: Duration) -> Self {
        let both = Self {
            low_ms: self.low_ms.max(later.low_ms),
            high_ms: self.high_ms.min(later.high_ms),
        };
        if both.low_ms <= both.high_ms {
            return both;
        }
        let apart_ms = (both.low_ms - both.high_ms).unsigned_abs();
        if tolerance.as_millis() < u128::from(apart_ms) {
            return later;
        }
        let edge_ms = if self.high_ms < later.low_ms {
            later.low_ms
        } else {
            later.high_ms
        };
        Self {
            low_ms: edge_ms,
            high_ms: edge_ms,
        }
    }

    /// In milliseconds, for [`Self::from_bounds`].
    pub(super) fn bounds(self) -> (i64, i64) {
        (self.low_ms, self.high_ms)
    }

    pub(super) fn from_bounds((low_ms, high_ms): (i64, i64)) -> Self {
        Self { low_ms, high_ms }
    }

    pub(super) fn server_time(self, local: Timestamp) -> Timestamp {
        let offset_ms = self.low_ms.midpoint(self.high_ms);
        Timestamp::from_millis(local.millis().saturating_add(offset_ms))
    }
}

/// What a clock may go on by between two looks at it; more is not believed.
pub const MAX_STEP: Duration = Duration::from_secs(900);

/// The device's own clock made steady: what it is set back or ahead by is not taken for time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Steady {
    latest: Timestamp,
    ahead_ms: i64,
    leaps: u32,
}

impl Steady {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            latest: now,
            ahead_ms: 0,
            leaps: 0,
        }
    }

    /// Takes the clock's word for it that it is `local` now, unless it has leapt since the last time.
    pub(super) fn pass(&mut self, local: Timestamp) -> Timestamp {
        let now = self.at(local);
        let ahead_ms = now.millis().saturating_sub(local.millis());
        self.leaps = self
            .leaps
            .saturating_add(u32::from(ahead_ms != self.ahead_ms));
        self.ahead_ms = ahead_ms;
        self.latest = now;
        now
    }

    /// What [`Self::pass`] would say.
    pub(super) fn at(&self, local: Timestamp) -> Timestamp {
        let now = local.millis().saturating_add(self.ahead_ms);
        let now = Timestamp::from_millis(now);
        let is_likely = self.latest <= now && now.since(self.latest) <= MAX_STEP;
        if is_likely { now } else { self.latest }
    }

    /// How often the clock has leapt.
    pub(super) fn leaps(&self) -> u32 {
        self.leaps
    }

    /// The server's clock as seen from the device's own as that shows it.
    pub(super) fn of_local(&self, clock: ServerClock) -> ServerClock {
        ServerClock {
            low_ms: clock.low_ms.saturating_add(self.ahead_ms),
            high_ms: clock.high_ms.saturating_add(self.ahead_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ServerClock, Steady};
    use units::Timestamp;

    /// The answer of a server 5 000 ms ahead to a request that takes 20 ms each way.
    fn answer(local_ms: i64) -> ServerClock {
        let server_ms = local_ms + 20 + 5_000;
        ServerClock::from_answer(
            Timestamp::from_millis(local_ms),
            Timestamp::from_millis(local_ms + 40),
            server_ms.div_euclid(1000),
        )
    }

    fn error_ms(clock: ServerClock) -> i64 {
        clock.server_time(Timestamp::from_millis(0)).millis() - 5_000
    }

    #[test]
    fn answers_narrow_the_offset_to_the_round_trip() {
        let first = answer(1_234);
        assert!(error_ms(first).abs() <= 520);
        let mut clock = first;
        for local_ms in [2_400, 3_950, 5_010, 7_333, 8_999, 9_985] {
            clock = clock.narrowed(answer(local_ms), Duration::ZERO);
        }
        assert!(error_ms(clock).abs() <= 40, "{}", error_ms(clock));
    }

    #[test]
    fn a_clock_that_was_set_is_followed() {
        let before = answer(0);
        let after = ServerClock::from_answer(
            Timestamp::from_millis(10_000),
            Timestamp::from_millis(10_000),
            3_600,
        );
        assert_eq!(before.narrowed(after, Duration::from_secs(1)), after);
    }

    #[test]
    fn a_small_drift_moves_the_estimate_as_little_as_it_must() {
        let exact = ServerClock {
            low_ms: 5_000,
            high_ms: 5_040,
        };
        let drifted = ServerClock {
            low_ms: 5_100,
            high_ms: 6_000,
        };
        let followed = exact.narrowed(drifted, Duration::from_millis(100));
        assert_eq!(error_ms(followed), 100);
        let back = ServerClock {
            low_ms: 4_000,
            high_ms: 4_950,
        };
        let followed = exact.narrowed(back, Duration::from_millis(100));
        assert_eq!(error_ms(followed), -50);
    }

    #[test]
    fn a_clock_that_leaps_is_not_believed() {
        let at = Timestamp::from_secs;
        let mut steady = Steady::new(at(10_000));
        assert_eq!(steady.pass(at(10_010)), at(10_010));
        assert_eq!(steady.at(at(6_410)), at(10_010));
        assert_eq!(steady.pass(at(6_410)), at(10_010));
        assert_eq!(steady.pass(at(6_415)), at(10_015));
        let server = ServerClock::from_answer(at(10_015), at(10_015), 20_015);
        let local = steady.of_local(server);
        assert_eq!(local.server_time(at(6_415)), server.server_time(at(10_015)));
        assert_eq!(steady.pass(at(10_000)), at(10_015), "an hour ahead again");
        assert_eq!(steady.pass(at(10_900)), at(10_915));
        assert_eq!(steady.leaps(), 2);
    }
}
