//! What meters, and devices themselves, said of the members of dispatches.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::dispatch::verdict::{Metered, Potential, Rank};
use fleet::{DerId, DerKind, Dispatch, DispatchId};
use ieee2030_5::server::Resources;
use ieee2030_5::translate::metering::Point;
use store::telemetry::{Quantity, Sample, Telemetry as File, TelemetryError};
use units::{Interval, Timestamp, Watts};

/// How long before a dispatch its members' output is taken as what they would do unasked.
pub(crate) const BASE: Duration = Duration::from_secs(300);
/// Most readings of a kind that are looked at of one DER in one dispatch, the earliest.
pub(crate) const MAX_DER_READINGS: usize = 10_000;
/// Readings after which the members that are left are looked at apart.
pub(crate) const MAX_METER_READINGS: usize = 1_000_000;

/// When, and how much, injection positive.
pub(crate) type MeterReading = (Timestamp, Watts);

/// Whose readings are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Of which dispatch.
    pub(crate) dispatch: DispatchId,
    /// Which member.
    pub(crate) der: DerId,
    span: Interval,
    /// The most that the DER may inject, for one that says what it could.
    generates: Option<Watts>,
    rank: Rank,
}

impl Wanted {
    /// The readings of `der` on which a judgement of `dispatch` rests, from before it to its end or
    /// to `now`.
    pub(crate) fn of(
        dispatch: &Dispatch,
        der: &fleet::Der,
        resources: &Resources,
        now: Timestamp,
    ) -> Self {
        let most = der.settings.as_ref().map(|settings| settings.p_inject_max);
        Self {
            dispatch: dispatch.id,
            der: der.id,
            span: span(dispatch, now).unwrap_or(Interval::between(now, now)),
            generates: most.filter(|_| generates(der.kind)),
            rank: rank(resources, der.id),
        }
    }

    fn samples(&self, file: &File, quantity: Quantity) -> Result<Vec<Sample>, TelemetryError> {
        if self.span.duration.is_zero() {
            return Ok(Vec::new());
        }
        file.query(self.der, quantity, self.span, MAX_DER_READINGS)
    }
}

/// What was read of one member, ascending by time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Readings {
    p: Vec<MeterReading>,
    available: Vec<MeterReading>,
    rank: Rank,
}

impl Readings {
    const NONE: &'static Self = &Self {
        p: Vec::new(),
        available: Vec::new(),
        rank: Rank::DeviceTelemetry,
    };

    /// Active power.
    #[must_use]
    pub(crate) fn p(&self) -> &[MeterReading] {
        &self.p
    }

    /// What they are worth.
    #[must_use]
    pub(crate) const fn rank(&self) -> Rank {
        self.rank
    }

    /// Active power inside `interval`, `None` without any reading.
    #[must_use]
    pub(crate) fn metered(&self, interval: Interval) -> Option<Metered> {
        Metered::of(&inside(&self.p, interval))
    }

    /// What active power inside `interval` lets expect of the time after it.
    #[must_use]
    pub(crate) fn before(&self, interval: Interval) -> Option<Potential> {
        Potential::before(&inside(&self.p, interval))
    }

    /// What the DER said in `interval`, or else last before it, that it could inject.
    #[must_use]
    pub(crate) fn available(&self, interval: Interval) -> Option<Potential> {
        Potential::said(&inside(&self.available, interval)).or_else(|| {
            let before = self
                .available
                .partition_point(|(at, _)| *at < interval.start);
            let (_, p) = self.available.get(before.checked_sub(1)?)?;
            Potential::said(&[*p])
        })
    }
}

/// What was read, by dispatch and member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters(BTreeMap<(DispatchId, DerId), Readings>);

impl Meters {
    /// Reads what is `wanted`, up to [`MAX_METER_READINGS`], and says of how many it did.
    ///
    /// # Errors
    /// [`TelemetryError`] when the file can't be read.
    pub(crate) fn read(file: &File, wanted: &[Wanted]) -> Result<(Self, usize), TelemetryError> {
        let mut meters = Self::default();
        let (mut done, mut count) = (0, 0);
        for one in wanted {
            if MAX_METER_READINGS <= count {
                break;
            }
            let p = one.samples(file, Quantity::P)?;
            let available = match one.generates {
                Some(_) => one.samples(file, Quantity::PAvailable)?,
                None => Vec::new(),
            };
            done += 1;
            count += p.len() + available.len();
            let most = one.generates.unwrap_or(Watts::MAX);
            let readings = Readings {
                p: ordered(&p, |p| p),
                available: ordered(&available, |p| p.clamp(Watts::ZERO, most)),
                rank: one.rank,
            };
            meters.0.insert((one.dispatch, one.der), readings);
        }
        Ok((meters, done))
    }

    /// The readings of one member.
    #[must_use]
    pub(crate) fn of(&self, dispatch: DispatchId, der: DerId) -> &Readings {
        self.0.get(&(dispatch, der)).unwrap_or(Readings::NONE)
    }

    /// Those of everybody.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Readings> {
        self.0.values()
    }
}

/// Whether what the DER does not inject is lost.
pub(crate) const fn generates(kind: DerKind) -> bool {
    match kind {
        DerKind::Pv | DerKind::Generator => true,
        DerKind::Storage | DerKind::EvCharger | DerKind::Load => false,
    }
}

/// From before the dispatch to its end or to now: the readings a judgement rests on.
pub(crate) fn span(dispatch: &Dispatch, now: Timestamp) -> Option<Interval> {
    let span = dispatch.span()?;
    Some(Interval::between(
        span.start.before(BASE),
        span.end().min(now),
    ))
}

/// What readings of `der` are worth. It is not stored with a reading which of its meters it came
/// from, so that all of them have to be of revenue quality.
fn rank(resources: &Resources, der: DerId) -> Rank {
    let points = resources.of(der).usage_points.values();
    let mut own = points
        .filter(|point| Point::of(point.role_flags) == Point::Der)
        .map(|point| point.role_flags.value())
        .peekable();
    let revenue = ieee2030_5::wire::metering::role_flags::IS_REVENUE_QUALITY;
    match own.peek().is_some() && own.all(|flags| flags & revenue != 0) {
        true => Rank::RevenueMeter,
        false => Rank::DeviceTelemetry,
    }
}

fn inside(readings: &[MeterReading], interval: Interval) -> Vec<Watts> {
    let from = readings.partition_point(|(at, _)| *at < interval.start);
    let to = readings.partition_point(|(at, _)| *at < interval.end());
    let inside = readings.get(from..to).unwrap_or_default();
    inside.iter().map(|(_, p)| *p).collect()
}

fn ordered(samples: &[Sample], read: impl Fn(Watts) -> Watts) -> Vec<MeterReading> {
    let of = |sample: &Sample| (sample.at, read(Watts::from_f64(sample.value)));
    let mut readings: Vec<MeterReading> = samples.iter().map(of).collect();
    readings.sort_by_key(|(at, _)| *at);
    readings.dedup_by_key(|(at, _)| *at);
    readings
}

#[cfg(test)]
mod tests;
