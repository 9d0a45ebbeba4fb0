//! The server's clock as seen from a device.

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

    /// Narrows with a later answer. When the two cannot both hold a clock was set, and the later
    /// one counts.
    pub(super) fn narrowed(self, later: Self) -> Self {
        let both = Self {
            low_ms: self.low_ms.max(later.low_ms),
            high_ms: self.high_ms.min(later.high_ms),
        };
        if both.low_ms <= both.high_ms {
            both
        } else {
            later
        }
    }

    pub(super) fn server_time(self, local: Timestamp) -> Timestamp {
        let offset_ms = self.low_ms.midpoint(self.high_ms);
        Timestamp::from_millis(local.millis().saturating_add(offset_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::ServerClock;
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
            clock = clock.narrowed(answer(local_ms));
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
        assert_eq!(before.narrowed(after), after);
    }
}
