//! What meters, and devices themselves, said of the members of dispatches.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::dispatch::Batch;
use fleet::dispatch::verdict::{Archive, Metered, Potential, Rank};
use fleet::{Control, DerId, DerKind, Dispatch, DispatchId};
use ieee2030_5::server::Resources;
use ieee2030_5::translate::metering::Point;
use store::telemetry::{Quantity, Resolution, Rollup, Sample, Telemetry as File, TelemetryError};
use units::{Interval, Timestamp, Watts};

/// How long before a dispatch its members' output is taken as what they would do unasked.
pub(crate) const BASE: Duration = Duration::from_secs(300);
/// Readings, or spans of readings, of a DER that are in memory before they are taken together.
pub(crate) const MAX_READ_AT_ONCE: usize = 10_000;
/// Most parts into which the readings of a DER in one dispatch are taken together, beside those
/// that begin where something else was to be followed.
pub(crate) const MAX_DER_SLOTS: i64 = 10_000;
/// Parts after which the members that are left are looked at apart.
pub(crate) const MAX_METER_SLOTS: usize = 1_000_000;

const HOUR_MS: i64 = 3_600_000;

/// When, and how much, injection positive.
pub(crate) type MeterReading = (Timestamp, Watts);

/// Whose readings are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Of which dispatch.
    pub(crate) dispatch: DispatchId,
    /// Which member.
    pub(crate) der: DerId,
    span: Interval,
    /// When what is judged begins or ends, ascending: readings before and after are told apart.
    marks: Vec<Timestamp>,
    /// The most that the DER may inject, for one that says what it could.
    generates: Option<Watts>,
    rank: Rank,
}

impl Wanted {
    /// The readings of `der` on which a judgement of `dispatch` rests, from before it to its end or
    /// to `now`.
    pub(crate) fn of(
        dispatch: &Dispatch,
        (der, controls): (&fleet::Der, &[&Control]),
        resources: &Resources,
        now: Timestamp,
    ) -> Self {
        let most = der.settings.as_ref().map(|settings| settings.p_inject_max);
        Self {
            dispatch: dispatch.id,
            der: der.id,
            span: span(dispatch, now).unwrap_or(Interval::between(now, now)),
            marks: marks(dispatch, controls),
            generates: most.filter(|_| generates(der.kind)),
            rank: rank(resources, der.id),
        }
    }

    /// What was read of `quantity`, every reading of it, each taken as `read` says.
    fn slots(
        &self,
        file: &File,
        quantity: Quantity,
        read: impl Fn(Watts) -> Watts,
    ) -> Result<Slots, TelemetryError> {
        loop {
            let horizon = file.horizon()?;
            let retired = Timestamp::from_millis(horizon.saturating_mul(HOUR_MS));
            let mut slots = Slots::new(self);
            let (start, end) = (self.span.start, self.span.end());
            if start < end {
                let of = (self.der, quantity);
                slots.read_spans(file, of, (start, end.min(retired)), &read)?;
                slots.read(file, of, (start.max(retired), end), &read)?;
            }
            if file.horizon()? == horizon {
                return Ok(slots);
            }
        }
    }
}

/// Readings from `first` to `last`, both included, taken together.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Slot {
    first: Timestamp,
    last: Timestamp,
    /// The last of them.
    latest: Watts,
    batch: Batch,
}

/// How exactly it is known what was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Grain {
    /// By every reading.
    Readings,
    /// In part, or all, by what those of each minute come to.
    Minutes,
    /// In part, or all, not any more.
    Retired,
}

/// What was read of one quantity of a member, ascending by time.
#[derive(Debug)]
struct Slots {
    slots: Vec<Slot>,
    grain: Grain,
    origin: Timestamp,
    width_ms: i64,
    marks: Vec<Timestamp>,
}

impl Slots {
    fn new(wanted: &Wanted) -> Self {
        let whole_ms = i64::try_from(wanted.span.duration.as_millis()).unwrap_or(i64::MAX);
        Self {
            slots: Vec::new(),
            grain: Grain::Readings,
            origin: wanted.span.start,
            width_ms: whole_ms / MAX_DER_SLOTS + 1,
            marks: wanted.marks.clone(),
        }
    }

    fn read(
        &mut self,
        file: &File,
        (der, quantity): (DerId, Quantity),
        (mut from, end): (Timestamp, Timestamp),
        read: impl Fn(Watts) -> Watts,
    ) -> Result<(), TelemetryError> {
        while from < end {
            let rest = Interval::between(from, end);
            let samples = file.query(der, quantity, rest, MAX_READ_AT_ONCE)?;
            for sample in &samples {
                let p = read(power(sample));
                self.add(Slot {
                    first: sample.at,
                    last: sample.at,
                    latest: p,
                    batch: Batch::one(p),
                });
            }
            let full = samples.len() == MAX_READ_AT_ONCE;
            let Some(last) = samples.last().filter(|_| full) else {
                break;
            };
            from = Timestamp::from_millis(last.at.millis().saturating_add(1));
        }
        Ok(())
    }

    /// What was read before the readings of that time were retired.
    fn read_spans(
        &mut self,
        file: &File,
        of: (DerId, Quantity),
        (start, end): (Timestamp, Timestamp),
        read: impl Fn(Watts) -> Watts,
    ) -> Result<(), TelemetryError> {
        if end <= start {
            return Ok(());
        }
        let first_hour = file.first_hour(Resolution::Minute)?;
        self.grain = match first_hour {
            Some(first) if first <= start.millis().div_euclid(HOUR_MS) => Grain::Minutes,
            _ => Grain::Retired,
        };
        let minute_ms = Resolution::Minute.millis();
        let into = start.millis().rem_euclid(minute_ms);
        let mut next = Some(Timestamp::from_millis(start.millis().saturating_sub(into)));
        while let Some(from) = next.filter(|from| *from < end) {
            let rest = Interval::between(from, end);
            let found = file.rollups(of, rest, Resolution::Minute, MAX_READ_AT_ONCE)?;
            for rollup in &found.rollups {
                self.add_span(rollup, &read);
            }
            next = found.next;
        }
        Ok(())
    }

    fn add_span(&mut self, rollup: &Rollup, read: impl Fn(Watts) -> Watts) {
        let p = |value: f64| read(Watts::from_f64(value));
        let extremes = (p(rollup.min), p(rollup.max));
        let Some(batch) = Batch::summed_up(rollup.count, p(rollup.mean()), extremes) else {
            return;
        };
        let last = rollup.start.millis() + Resolution::Minute.millis() - 1;
        self.add(Slot {
            first: rollup.start,
            last: Timestamp::from_millis(last),
            latest: p(rollup.last),
            batch,
        });
    }

    /// Adds what was read after all that is there.
    fn add(&mut self, slot: Slot) {
        match self.slots.last() {
            Some(last) if self.place(last.first) == self.place(slot.last) => {
                let last = self.slots.last_mut().expect("it has a last one");
                *last = Slot {
                    first: last.first,
                    batch: last.batch.joined(slot.batch),
                    ..slot
                };
            }
            _ => self.slots.push(slot),
        }
    }

    /// What is in one place is between the same marks and of one width.
    fn place(&self, at: Timestamp) -> (usize, i64) {
        let marks = self.marks.partition_point(|mark| *mark <= at);
        let after = at.millis().saturating_sub(self.origin.millis());
        (marks, after.div_euclid(self.width_ms))
    }
}

/// What was read of one member, ascending by time.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Readings {
    p: Vec<Slot>,
    available: Vec<Slot>,
    grain: Grain,
    rank: Rank,
}

impl Readings {
    const NONE: &'static Self = &Self {
        p: Vec::new(),
        available: Vec::new(),
        grain: Grain::Readings,
        rank: Rank::DeviceTelemetry,
    };

    /// Active power: the last reading of every part.
    pub(crate) fn p(&self) -> impl Iterator<Item = MeterReading> {
        self.p.iter().map(|slot| (slot.last, slot.latest))
    }

    /// What they are worth.
    #[must_use]
    pub(crate) const fn rank(&self) -> Rank {
        self.rank
    }

    /// How exactly they are known.
    #[must_use]
    pub(crate) const fn grain(&self) -> Grain {
        self.grain
    }

    /// Whether all that was read can be looked at.
    #[must_use]
    pub(crate) const fn archive(&self) -> Archive {
        match self.grain {
            Grain::Readings | Grain::Minutes => Archive::Kept,
            Grain::Retired => Archive::Retired,
        }
    }

    /// Active power inside `interval`, `None` without any reading.
    #[must_use]
    pub(crate) fn metered(&self, interval: Interval) -> Option<Metered> {
        inside(&self.p, interval).map(Metered::from)
    }

    /// What active power inside `interval` lets expect of the time after it.
    #[must_use]
    pub(crate) fn before(&self, interval: Interval) -> Option<Potential> {
        inside(&self.p, interval).map(|batch| Potential::before(&batch))
    }

    /// What the DER said in `interval`, or else last before it, that it could inject.
    #[must_use]
    pub(crate) fn available(&self, interval: Interval) -> Option<Potential> {
        let said = inside(&self.available, interval).or_else(|| {
            let before = self
                .available
                .partition_point(|slot| slot.last < interval.start);
            let last = self.available.get(before.checked_sub(1)?)?;
            Some(Batch::one(last.latest))
        });
        said.map(|batch| Potential::said(&batch))
    }
}

/// What was read, by dispatch and member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters(BTreeMap<(DispatchId, DerId), Readings>);

impl Meters {
    /// Reads what is `wanted`, up to [`MAX_METER_SLOTS`], and says of how many it did. No reading of
    /// those is left out, however many there are.
    ///
    /// # Errors
    /// [`TelemetryError`] when the file can't be read.
    pub(crate) fn read(file: &File, wanted: &[Wanted]) -> Result<(Self, usize), TelemetryError> {
        let mut meters = Self::default();
        let (mut done, mut count) = (0, 0);
        for one in wanted {
            if MAX_METER_SLOTS <= count {
                break;
            }
            let p = one.slots(file, Quantity::P, |p| p)?;
            let available = match one.generates {
                Some(most) => {
                    let read = |p: Watts| p.clamp(Watts::ZERO, most);
                    one.slots(file, Quantity::PAvailable, read)?.slots
                }
                None => Vec::new(),
            };
            done += 1;
            count += p.slots.len() + available.len();
            let readings = Readings {
                p: p.slots,
                available,
                grain: p.grain,
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

/// When a stretch or an interval of `dispatch` that is judged may begin or end.
fn marks(dispatch: &Dispatch, controls: &[&Control]) -> Vec<Timestamp> {
    let of_controls = controls.iter().flat_map(|control| {
        let settled = control.interval.start.max(control.created);
        let displaced = control.superseded_at(controls.iter().copied());
        let (from, to) = (settled.after(dispatch.ramp), control.interval.end());
        [Some(from), Some(to), control.cancelled, displaced]
    });
    let of_schedule = dispatch.schedule.iter().flat_map(|target| {
        let Interval { start, .. } = target.interval;
        [start, start.after(dispatch.ramp), target.interval.end()].map(Some)
    });
    let all = of_controls.chain(of_schedule).chain([dispatch.cancelled]);
    let mut marks: Vec<Timestamp> = all.flatten().collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// What was read inside `interval`. Minutes of which only a part lies inside count where no other
/// does.
fn inside(slots: &[Slot], interval: Interval) -> Option<Batch> {
    let (start, end) = (interval.start, interval.end());
    let from = slots.partition_point(|slot| slot.last < start);
    let to = slots.partition_point(|slot| slot.first < end);
    let touching = slots.get(from..to).unwrap_or_default();
    let is_whole = |slot: &&Slot| start <= slot.first && slot.last < end;
    let whole = touching.iter().filter(is_whole).map(|slot| slot.batch);
    let touching = touching.iter().map(|slot| slot.batch);
    whole
        .reduce(Batch::joined)
        .or_else(|| touching.reduce(Batch::joined))
}

fn power(sample: &Sample) -> Watts {
    Watts::from_f64(sample.value)
}

#[cfg(test)]
mod tests;
