//! Roll-ups: what the samples of whole minutes, quarters of an hour and hours come to.
//!
//! They are made of the samples themselves when they are asked for. A sample that comes late counts
//! from then on, and one that comes twice counts once, as in the samples.

use fleet::{DerId, Quality};
use units::{Interval, Timestamp};

use super::{Quantity, Sample, Telemetry, TelemetryError, quality_number};

/// How long the spans of roll-ups are. Each begins at a whole multiple of its length since 1970, in
/// UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Resolution {
    /// 1 minute.
    Minute,
    /// 15 minutes.
    QuarterHour,
    /// 1 hour.
    Hour,
}

impl Resolution {
    /// Every resolution, the finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::QuarterHour, Self::Hour];

    /// The length of a span, milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::QuarterHour => 900_000,
            Self::Hour => 3_600_000,
        }
    }

    fn span_of(self, at: Timestamp) -> Timestamp {
        let into = at.millis().rem_euclid(self.millis());
        Timestamp::from_millis(at.millis().saturating_sub(into))
    }

    /// The first span that begins at `at` or later.
    fn span_from(self, at: Timestamp) -> Timestamp {
        match at.millis().rem_euclid(self.millis()) {
            0 => at,
            into => Timestamp::from_millis(at.millis().saturating_add(self.millis() - into)),
        }
    }
}

/// What the samples of one span come to, in the quantity's unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rollup {
    /// When the span begins.
    pub start: Timestamp,
    /// How many samples there are, at least 1.
    pub count: u32,
    /// Their sum, added up by time.
    pub sum: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// The first by time.
    pub first: f64,
    /// The last by time.
    pub last: f64,
    /// How far the least trustworthy can be trusted.
    pub quality: Quality,
}

impl Rollup {
    /// The mean of the samples, each with the same weight.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / f64::from(self.count)
    }

    const fn of(start: Timestamp, sample: &Sample) -> Self {
        Self {
            start,
            count: 1,
            sum: sample.value,
            min: sample.value,
            max: sample.value,
            first: sample.value,
            last: sample.value,
            quality: sample.quality,
        }
    }

    /// Adds a sample that is later than those before.
    fn add(&mut self, sample: &Sample) {
        self.count += 1;
        self.sum += sample.value;
        self.min = self.min.min(sample.value);
        self.max = self.max.max(sample.value);
        self.last = sample.value;
        if quality_number(self.quality) < quality_number(sample.quality) {
            self.quality = sample.quality;
        }
    }
}

/// Roll-ups by time.
#[derive(Clone, PartialEq, Debug)]
pub struct Rollups {
    /// Those of the spans that have samples.
    pub rollups: Vec<Rollup>,
    /// The span to go on from, when there are more.
    pub next: Option<Timestamp>,
}

impl Telemetry {
    /// Samples after which an answer ends with the last whole span.
    pub const MAX_ROLLED_UP: usize = 200_000;

    /// The roll-ups of one DER and quantity, the first `limit` of those whose span begins inside
    /// `interval`. Each is of its whole span, so intervals that adjoin have each span once.
    ///
    /// # Errors
    /// [`TelemetryError::Storage`] when the samples can't be read.
    pub fn rollups(
        &self,
        (der, quantity): (DerId, Quantity),
        interval: Interval,
        resolution: Resolution,
        limit: usize,
    ) -> Result<Rollups, TelemetryError> {
        let end = resolution.span_from(interval.end());
        let mut from = resolution.span_from(interval.start);
        let mut rollups: Vec<Rollup> = Vec::new();
        let mut seen = 0;
        while from < end {
            let rest = Interval::between(from, end);
            let samples = self.query(der, quantity, rest, Self::MAX_QUERY)?;
            for sample in &samples {
                let start = resolution.span_of(sample.at);
                let full = rollups.len() == limit;
                match rollups.last_mut() {
                    Some(last) if last.start == start => last.add(sample),
                    _ if full => {
                        let next = Some(start);
                        return Ok(Rollups { rollups, next });
                    }
                    _ => rollups.push(Rollup::of(start, sample)),
                }
            }
            seen += samples.len();
            let Some(last) = samples.last().filter(|_| samples.len() == Self::MAX_QUERY) else {
                break;
            };
            if Self::MAX_ROLLED_UP <= seen && 1 < rollups.len() {
                let next = rollups.pop().map(|unfinished| unfinished.start);
                return Ok(Rollups { rollups, next });
            }
            from = Timestamp::from_millis(last.at.millis().saturating_add(1));
        }
        let next = None;
        Ok(Rollups { rollups, next })
    }
}
