//! Local time: what is added to UTC somewhere, and since when.

use crate::{Date, Timestamp};

/// Seconds of a day of 24 hours.
const DAY_S: i64 = 86_400;

/// From when on something else is added to UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZoneChange {
    /// Since when.
    pub at: Timestamp,
    /// What is added to UTC from then on, in s; positive in the east.
    pub offset_s: i32,
}

/// The local time of a place over the years that matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// What is added to UTC before the first change, in s.
    first_s: i32,
    changes: Vec<ZoneChange>,
}

/// Coordinated universal time.
pub static UTC: Zone = Zone::fixed(0);

impl Zone {
    /// Most that is added to UTC or taken from it, in s: a day.
    pub const MAX_OFFSET_S: i32 = 86_400;

    /// The same offset at all times.
    #[must_use]
    pub const fn fixed(offset_s: i32) -> Self {
        Self {
            first_s: offset_s,
            changes: Vec::new(),
        }
    }

    /// `first_s` until the first of `changes`. `None` unless these ascend, lie further apart than
    /// clocks are changed by, and no offset is beyond [`Self::MAX_OFFSET_S`].
    #[must_use]
    pub fn new(first_s: i32, changes: Vec<ZoneChange>) -> Option<Self> {
        let offsets = changes.iter().map(|change| change.offset_s);
        let mut offsets = std::iter::once(first_s).chain(offsets);
        let bounded = offsets.all(|offset| offset.abs() <= Self::MAX_OFFSET_S);
        let apart = |pair: &[ZoneChange]| {
            let by = i64::from(pair[0].offset_s) - i64::from(pair[1].offset_s);
            by.abs() < (pair[1].at - pair[0].at) / 1_000
        };
        let ascends = changes.windows(2).all(apart);
        (bounded && ascends).then_some(Self { first_s, changes })
    }

    /// What is added to UTC at `at`, in s.
    #[must_use]
    pub fn offset_s(&self, at: Timestamp) -> i32 {
        let begun = self.changes.partition_point(|change| change.at <= at);
        let last = begun.checked_sub(1).and_then(|last| self.changes.get(last));
        last.map_or(self.first_s, |change| change.offset_s)
    }

    /// The day that a clock there shows at `at`.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> Date {
        let local = at.secs() + i64::from(self.offset_s(at));
        Date::of_day(local.div_euclid(DAY_S))
    }

    /// The first instant at which a clock there shows `time_s` seconds after midnight of `date`, or
    /// more: a time that a change of the clock leaves out is when the clock is changed, and one that
    /// comes twice is when it comes first.
    #[must_use]
    pub fn first_at(&self, date: Date, time_s: u32) -> Timestamp {
        let local_s = date.days() * DAY_S + i64::from(time_s);
        let mut begun = None;
        let mut offset_s = self.first_s;
        for change in &self.changes {
            let shown_at_end = change.at.secs() + i64::from(offset_s);
            if local_s < shown_at_end {
                break;
            }
            (begun, offset_s) = (Some(change.at), change.offset_s);
        }
        let shown = Timestamp::from_secs(local_s - i64::from(offset_s));
        begun.map_or(shown, |begun| shown.max(begun))
    }
}
