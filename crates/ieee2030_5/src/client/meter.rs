//! The device's own meter: from samples to the means that are posted.

use units::{Timestamp, Vars, Watts};

use super::report::Measurement;

/// What a device measures at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Injection positive.
    pub p: Watts,
    /// Injection positive.
    pub q: Vars,
    pub voltage_v: f64,
    /// Hundredths of a percent.
    pub soc_hundredths: Option<u16>,
    /// The largest injection possible now.
    pub p_available: Watts,
    pub is_connected: bool,
}

/// Means since the last reading; a sample holds until the next one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    latest: Option<(Timestamp, Sample)>,
    begun: Option<Timestamp>,
    p_w_ms: f64,
    q_var_ms: f64,
}

impl Meter {
    pub(super) fn take(&mut self, sample: Sample, now: Timestamp) {
        self.advance(now);
        self.latest = Some((now, sample));
        self.begun = self.begun.or(Some(now));
    }

    /// The latest values as they are, without ending the period.
    pub(super) fn latest(&self) -> Option<Measurement> {
        let (_, sample) = self.latest?;
        Some(measurement(&sample, sample.p, sample.q, 0))
    }

    /// The means since the last call.
    pub(super) fn reading(&mut self, now: Timestamp) -> Option<Measurement> {
        self.advance(now);
        let (_, sample) = self.latest?;
        let elapsed_ms = now - self.begun?;
        let mean = |sum: f64, instant: f64| match elapsed_ms {
            ..=0 => instant,
            elapsed_ms => sum / elapsed_ms as f64,
        };
        let p = Watts::from_f64(mean(self.p_w_ms, sample.p.as_f64()));
        let q = Vars::from_f64(mean(self.q_var_ms, sample.q.as_f64()));
        let period_s = u32::try_from(elapsed_ms / 1000).unwrap_or(0).max(1);
        *self = Self {
            latest: self.latest,
            begun: Some(now),
            p_w_ms: 0.0,
            q_var_ms: 0.0,
        };
        Some(measurement(&sample, p, q, period_s))
    }

    fn advance(&mut self, now: Timestamp) {
        let Some((at, sample)) = &mut self.latest else {
            return;
        };
        let held_ms = (now - *at).max(0) as f64;
        self.p_w_ms += sample.p.as_f64() * held_ms;
        self.q_var_ms += sample.q.as_f64() * held_ms;
        *at = now;
    }
}

fn measurement(sample: &Sample, p: Watts, q: Vars, period_s: u32) -> Measurement {
    Measurement {
        p,
        q,
        voltage_v: sample.voltage_v,
        soc_hundredths: sample.soc_hundredths,
        p_available: sample.p_available,
        is_connected: sample.is_connected,
        period_s,
    }
}

#[cfg(test)]
mod tests {
    use super::{Meter, Sample};
    use units::{Timestamp, Vars, Watts};

    #[test]
    fn a_reading_is_the_mean_over_its_period() {
        let sample = |w| Sample {
            p: Watts::whole(w),
            q: Vars::ZERO,
            voltage_v: 230.0,
            soc_hundredths: None,
            p_available: Watts::ZERO,
            is_connected: true,
        };
        let mut meter = Meter::default();
        assert_eq!(meter.reading(Timestamp::from_millis(0)), None);
        meter.take(sample(1_000), Timestamp::from_millis(0));
        meter.take(sample(-500), Timestamp::from_millis(1_500));
        let reading = meter.reading(Timestamp::from_millis(2_000)).unwrap();
        assert_eq!((reading.p, reading.period_s), (Watts::whole(625), 2));
        let next = meter.reading(Timestamp::from_millis(4_000)).unwrap();
        assert_eq!(next.p, Watts::whole(-500));
        assert_eq!(meter.latest().unwrap().p, Watts::whole(-500));
    }
}
