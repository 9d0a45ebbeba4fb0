//! Members of two dispatches at once.
//!
//! All members of the group of a more urgent dispatch serve that one for as long as it asks its group
//! for something; before and after they serve the other one. Those that it can't or need not ask are
//! left alone by both: what the other had them do, the more urgent one would have to undo, and both
//! would drive their members against each other. Of two that are equally urgent the later one is
//! refused.

use units::{Interval, Timestamp, Watts};

use super::Dispatch;
use super::meanwhile::{Course, Later};
use super::plan::{Extent, Taken};
use crate::{DerId, DispatchId, Fleet};

/// A more urgent dispatch, which may take members from another.
#[derive(Clone, Copy, Debug)]
pub struct Rival<'a> {
    dispatch: &'a Dispatch,
    /// Of its group, ascending.
    members: &'a [DerId],
}

impl Fleet {
    /// The dispatches that may take members of `dispatch` from it at some time from `now` on, the most
    /// urgent first.
    #[must_use]
    pub fn rivals(&self, dispatch: &Dispatch, now: Timestamp) -> Vec<Rival<'_>> {
        let Some(span) = dispatch.span() else {
            return Vec::new();
        };
        let ahead = Interval::between(span.start.max(now), span.end());
        let rivals = self.open_dispatches(now).filter(|other| {
            other.id != dispatch.id
                && other.is_in_force()
                && dispatch.conduct.priority < other.conduct.priority
                && other.span().is_some_and(|span| span.overlaps(ahead))
        });
        let with_members = rivals.filter_map(|dispatch| {
            let members = self.group(dispatch.group)?.members.as_slice();
            Some(Rival { dispatch, members })
        });
        let mut rivals: Vec<Rival<'_>> = with_members.collect();
        rivals.sort_by_key(|rival| std::cmp::Reverse(rival.dispatch.conduct.priority));
        rivals
    }
}

impl Rival<'_> {
    /// Which dispatch it is.
    #[must_use]
    pub const fn id(&self) -> DispatchId {
        self.dispatch.id
    }

    /// What it asks of `der` at `at`; `None` where it asks nothing, be `der` its member or not.
    #[must_use]
    pub fn asks_at(&self, der: DerId, at: Timestamp) -> Option<Watts> {
        self.dispatch.asks_at(der, at)
    }

    /// Whether `der` is its own at `at`.
    #[must_use]
    pub fn has_at(&self, der: DerId, at: Timestamp) -> bool {
        self.intervals_of(der).any(|interval| interval.contains(at))
    }

    /// What it has `der` do at the beginning of `span`, and for how much of it; where it asks nothing of
    /// it, that is what it does `unasked`. `None` where `der` is not its own then.
    pub(crate) fn takes(&self, der: DerId, span: Interval, unasked: Watts) -> Option<Taken> {
        if !self.has_at(der, span.start) {
            return None;
        }
        let is_one = |interval: Interval| without(span, [interval].into_iter()).is_empty();
        let extent = match without(span, self.intervals_of(der)).is_empty() {
            true if self.intervals_of(der).any(is_one) => Extent::Whole,
            true => Extent::Several,
            false => Extent::Part,
        };
        let asked = self.dispatch.schedule.iter().filter_map(|target| {
            let p = self.asks_at(der, target.interval.start)?;
            Some((target.interval, p))
        });
        Some(Taken {
            p: self.asks_at(der, span.start).unwrap_or(unasked),
            course: Course::of(span, asked, unasked),
            extent,
        })
    }

    /// What it has `der` do in the parts of `span` in which it is its own, which it is not at the
    /// beginning; as [`Self::takes`].
    pub(crate) fn takes_later(&self, der: DerId, span: Interval, unasked: Watts) -> Option<Later> {
        let parts = self.intervals_of(der).filter_map(|interval| {
            let (start, end) = (
                interval.start.max(span.start),
                interval.end().min(span.end()),
            );
            let p = self.asks_at(der, interval.start).unwrap_or(unasked);
            (start < end).then(|| (p, end.since(start).as_secs_f64()))
        });
        let (mut range, mut taken_s, mut energy_ws) = (None, 0.0, 0.0);
        for (p, duration_s) in parts {
            let (least, most) = range.unwrap_or((p, p));
            range = Some((least.min(p), most.max(p)));
            taken_s += duration_s;
            energy_ws += p.as_f64() * duration_s;
        }
        let (least, most) = range?;
        Some(Later {
            least,
            most,
            mean: Watts::from_f64(energy_ws / taken_s),
            part: taken_s / span.duration.as_secs_f64(),
        })
    }

    /// The intervals in which `der` is its own.
    pub fn intervals_of(&self, der: DerId) -> impl Iterator<Item = Interval> {
        let own = self.members.binary_search(&der).is_ok();
        let schedule = self.dispatch.schedule.iter().filter(move |_| own);
        schedule.map(|target| target.interval)
    }
}

impl Dispatch {
    /// What its plan asks of `der` at `at`.
    #[must_use]
    pub fn asks_at(&self, der: DerId, at: Timestamp) -> Option<Watts> {
        let index = self
            .schedule
            .iter()
            .position(|target| target.interval.contains(at))?;
        let share = self.plan.as_ref()?.share(der, u32::try_from(index).ok()?)?;
        Some(share.p())
    }

    /// The intervals in which its plan asks `der` for something.
    pub fn intervals_of(&self, der: DerId) -> impl Iterator<Item = Interval> {
        let asked = (0_u32..).zip(&self.schedule).filter(move |(index, _)| {
            let plan = self.plan.as_ref();
            plan.is_some_and(|plan| plan.share(der, *index).is_some())
        });
        asked.map(|(_, target)| target.interval)
    }
}

/// What of `whole` is left when `taken` are taken from it, in order.
pub(crate) fn without(whole: Interval, taken: impl Iterator<Item = Interval>) -> Vec<Interval> {
    let mut taken: Vec<Interval> = taken.filter(|interval| interval.overlaps(whole)).collect();
    taken.sort_unstable();
    let (mut left, mut from) = (Vec::new(), whole.start);
    for interval in taken {
        if from < interval.start {
            left.push(Interval::between(from, interval.start));
        }
        from = from.max(interval.end());
    }
    if from < whole.end() {
        left.push(Interval::between(from, whole.end()));
    }
    left
}
