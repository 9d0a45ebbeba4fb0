//! Roll-ups: what the samples of whole minutes, quarters of an hour and hours come to.
//!
//! They are made of the samples themselves when they are asked for, as long as those are kept. A
//! sample that comes late counts from then on, and one that comes twice counts once, as in the
//! samples. What is retired no longer changes, and has its roll-ups stored.

use fleet::{DerId, Quality};
use units::{Interval, Timestamp};

use super::{Quantity, Sample, Samples, Span, Telemetry, TelemetryError, quality_number};

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

    /// Its number where it is stored; never given to another.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Minute => 1,
            Self::QuarterHour => 2,
            Self::Hour => 3,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        let known = Self::ALL.into_iter();
        known.into_iter().find(|one| one.number() == number)
    }

    pub(super) fn span_of(self, at: Timestamp) -> Timestamp {
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
    /// Their sum, added up by time, as far as a number reaches.
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

    pub(super) const fn of(start: Timestamp, sample: &Sample) -> Self {
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
    pub(super) fn add(&mut self, sample: &Sample) {
        self.count += 1;
        self.sum = (self.sum + sample.value).clamp(f64::MIN, f64::MAX);
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
        let start = resolution.span_from(interval.start);
        if end <= start {
            let (rollups, next) = (Vec::new(), None);
            return Ok(Rollups { rollups, next });
        }
        let all = Interval::between(start, end);
        // The samples are read first: what retires meanwhile is then found twice, not never.
        let of_samples = self.of_samples((der, quantity), all, resolution, limit)?;
        let span = Span {
            start_ms: start.millis(),
            end_ms: end.millis(),
        };
        let more = limit.saturating_add(1);
        let stored = match &self.samples {
            Samples::File(file) => file.rollups((der, quantity), resolution, span, more)?,
            Samples::Server(server) => server.rollups((der, quantity), resolution, span, more)?,
        };
        Ok(merged(of_samples, stored, limit))
    }

    /// What is made of the samples that there are.
    fn of_samples(
        &self,
        (der, quantity): (DerId, Quantity),
        all: Interval,
        resolution: Resolution,
        limit: usize,
    ) -> Result<Rollups, TelemetryError> {
        let (mut from, end) = (all.start, all.end());
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

/// Both by time, the first `limit`. `stored` has one more than that when there are more.
fn merged(of_samples: Rollups, stored: Vec<Rollup>, limit: usize) -> Rollups {
    let known_to = stored.get(limit).map(|rollup| rollup.start);
    let known_to = [known_to, of_samples.next].into_iter().flatten().min();
    let both = of_samples.rollups.into_iter().chain(stored);
    let known = both.filter(|rollup| known_to.is_none_or(|end| rollup.start < end));
    let mut rollups: Vec<Rollup> = known.collect();
    rollups.sort_by_key(|rollup| rollup.start);
    rollups.dedup_by_key(|rollup| rollup.start);
    let cut = rollups.get(limit).map(|rollup| rollup.start);
    rollups.truncate(limit);
    let next = cut.or(known_to);
    Rollups { rollups, next }
}
