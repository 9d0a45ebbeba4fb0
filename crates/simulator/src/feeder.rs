//! A feeder head: one rating, one meter, all that hangs below it.
//!
//! The meter sees what the plants do, never what devices say.

use std::collections::VecDeque;

use units::{Timestamp, Watts};

use crate::plant::BaseLoad;

/// Readings kept, the newest: a day at ten a second.
pub const MAX_READINGS: usize = 864_000;

/// A feeder head with the load that nobody controls.
#[derive(Clone, Debug)]
pub struct Feeder {
    rating_w: f64,
    background: BaseLoad,
    log: MeterLog,
}

/// What two meters have counted up to an instant: that of the feeder head, and that of the load
/// which nobody controls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    pub at: Timestamp,
    pub head_w: f64,
    pub background_w: f64,
    /// Watt-seconds since the start.
    head_ws: f64,
    background_ws: f64,
}

impl Reading {
    /// Net power of all DER below the feeder head.
    #[must_use]
    pub fn der_w(&self) -> f64 {
        self.head_w - self.background_w
    }
}

/// The readings of a feeder's meters.
#[derive(Clone, Debug, Default)]
pub struct MeterLog {
    readings: VecDeque<Reading>,
    highest_w: f64,
}

impl Feeder {
    #[must_use]
    pub fn new(rating_w: f64, background: BaseLoad) -> Self {
        Self {
            rating_w,
            background,
            log: MeterLog::default(),
        }
    }

    /// Takes in what all DER together did in the `dt_s` seconds up to `at`.
    pub fn step(&mut self, der_w: f64, at: Timestamp, dt_s: f64) {
        let background_w = self.background.step(dt_s);
        self.log.push(der_w + background_w, background_w, at, dt_s);
    }

    #[must_use]
    pub fn rating_w(&self) -> f64 {
        self.rating_w
    }

    #[must_use]
    pub fn log(&self) -> &MeterLog {
        &self.log
    }
}

impl MeterLog {
    fn push(&mut self, head_w: f64, background_w: f64, at: Timestamp, dt_s: f64) {
        let last = self.latest().unwrap_or_default();
        self.highest_w = self.highest_w.max(head_w.abs());
        if self.readings.len() == MAX_READINGS {
            self.readings.pop_front();
        }
        self.readings.push_back(Reading {
            at,
            head_w,
            background_w,
            head_ws: last.head_ws + head_w * dt_s,
            background_ws: last.background_ws + background_w * dt_s,
        });
    }

    #[must_use]
    pub fn latest(&self) -> Option<Reading> {
        self.readings.back().copied()
    }

    /// The largest power that the feeder head has seen, either way.
    #[must_use]
    pub fn highest(&self) -> Watts {
        Watts::from_f64(self.highest_w)
    }

    /// Mean net power of the DER between two instants; none if the meters did not run then.
    #[must_use]
    pub fn mean_der_w(&self, from: Timestamp, to: Timestamp) -> Option<f64> {
        let (first, last) = (self.der_ws(from)?, self.der_ws(to)?);
        let seconds = (to - from) as f64 / 1000.0;
        (seconds > 0.0).then(|| (last - first) / seconds)
    }

    /// The DER's counter at `at`, between two readings in proportion.
    fn der_ws(&self, at: Timestamp) -> Option<f64> {
        let counter = |reading: &Reading| reading.head_ws - reading.background_ws;
        let next = self.readings.partition_point(|reading| reading.at < at);
        let after = self.readings.get(next)?;
        let Some(before) = next.checked_sub(1).map(|index| &self.readings[index]) else {
            return (after.at == at).then(|| counter(after));
        };
        let share = (at - before.at) as f64 / (after.at - before.at) as f64;
        Some(counter(before) + (counter(after) - counter(before)) * share)
    }
}

#[cfg(test)]
mod tests {
    use super::{Feeder, MAX_READINGS};
    use crate::noise::Noise;
    use crate::plant::BaseLoad;
    use units::Timestamp;

    #[test]
    fn the_mean_is_that_of_the_der_without_the_load_beside_them() {
        let mut feeder = Feeder::new(100_000.0, BaseLoad::new(40_000.0, Noise::new(5)));
        for tick in 0..=600_u32 {
            let der_w = if tick <= 300 { 10_000.0 } else { -20_000.0 };
            feeder.step(der_w, Timestamp::from_millis(i64::from(tick) * 100), 0.1);
        }
        let mean = |from, to| {
            let log = feeder.log();
            log.mean_der_w(Timestamp::from_millis(from), Timestamp::from_millis(to))
        };
        assert!((mean(5_030, 25_770).unwrap() - 10_000.0).abs() < 1e-6);
        assert!((mean(20_000, 40_000).unwrap() + 5_000.0).abs() < 1e-6);
        assert_eq!(mean(50_000, 61_000), None);
        assert_eq!(mean(30_000, 30_000), None);
        let highest_w = feeder.log().highest().as_f64();
        assert!((55_000.0..70_000.0).contains(&highest_w), "{highest_w}");
    }

    #[test]
    fn the_oldest_readings_make_room() {
        let mut feeder = Feeder::new(1.0, BaseLoad::new(0.0, Noise::new(1)));
        let at = |tick: usize| Timestamp::from_millis(i64::try_from(tick).unwrap());
        for tick in 0..MAX_READINGS + 10 {
            feeder.step(1_000.0, at(tick), 0.001);
        }
        let log = feeder.log();
        assert_eq!(log.readings.len(), MAX_READINGS);
        assert_eq!(log.mean_der_w(at(5), at(1_000)), None);
        let mean_w = log.mean_der_w(at(10), at(MAX_READINGS)).unwrap();
        assert!((mean_w - 1_000.0).abs() < 1e-3);
    }
}
