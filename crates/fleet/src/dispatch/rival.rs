//! Members of two dispatches at once.
//!
//! A member serves the more urgent dispatch for as long as that one asks it for something; before
//! and after it serves the other one. Of two that are equally urgent the later one is refused.

use units::{Interval, Timestamp, Watts};

use super::Dispatch;
use super::plan::{Extent, Taken};
use crate::{DerId, Fleet};

impl Fleet {
    /// The dispatches that may take members of `dispatch` from it at some time from `now` on.
    #[must_use]
    pub fn rivals(&self, dispatch: &Dispatch, now: Timestamp) -> Vec<&Dispatch> {
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
        rivals.collect()
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

    /// What its plan asks of `der` at the beginning of `span`, and whether to its end.
    pub(super) fn takes(&self, der: DerId, span: Interval) -> Option<Taken> {
        let p = self.asks_at(der, span.start)?;
        let asked = self.intervals_of(der);
        let left = without(span, asked);
        let extent = match left.is_empty() {
            true => Extent::Whole,
            false => Extent::Part,
        };
        Some(Taken { p, extent })
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
