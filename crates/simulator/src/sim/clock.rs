//! A device's own clock, which may run wrong and may be set.

use units::Timestamp;

use crate::noise::Noise;

/// The largest drift, in parts per million: a poor crystal.
const DRIFT_MAX_PPM: f64 = 100.0;

/// Local time as a function of true time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begun: Timestamp,
    offset_ms: i64,
    drift_ppm: f64,
}

/// Whether a clock drifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    Exact,
    Drifting,
}

impl Clock {
    /// Some seconds off from the start.
    pub(super) fn new(begun: Timestamp, quality: Quality, noise: &mut Noise) -> Self {
        let (offset_s, drift_ppm) = (
            noise.between(-30.0, 30.0),
            noise.between(-DRIFT_MAX_PPM, DRIFT_MAX_PPM),
        );
        let (offset_s, drift_ppm) = match quality {
            Quality::Exact => (0.0, 0.0),
            Quality::Drifting => (offset_s, drift_ppm),
        };
        Self {
            begun,
            offset_ms: rounded(offset_s * 1_000.0),
            drift_ppm,
        }
    }

    pub(super) fn local(&self, now: Timestamp) -> Timestamp {
        let drifted_ms = rounded((now - self.begun) as f64 * self.drift_ppm / 1e6);
        Timestamp::from_millis(now.millis() + self.offset_ms + drifted_ms)
    }

    /// Sets it ahead, or back where `by_ms` is negative.
    pub(super) fn set(&mut self, by_ms: i64) {
        self.offset_ms += by_ms;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "minutes of milliseconds at most"
)]
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_drifts_by_some_seconds_in_a_day_and_can_be_set() {
        let begun = Timestamp::from_secs(1_000);
        let day_later = Timestamp::from_secs(1_000 + 86_400);
        for seed in 0..100 {
            let mut clock = Clock::new(begun, Quality::Drifting, &mut Noise::new(seed));
            let error = |clock: &Clock, at: Timestamp| clock.local(at) - at;
            let drift_ms = error(&clock, day_later) - error(&clock, begun);
            assert!(drift_ms.abs() <= 8_640, "{drift_ms}");
            let before_ms = error(&clock, day_later);
            clock.set(-3_600_000);
            assert_eq!(error(&clock, day_later), before_ms - 3_600_000);
        }
        let exact = Clock::new(begun, Quality::Exact, &mut Noise::new(1));
        assert_eq!(exact.local(day_later), day_later);
    }
}
