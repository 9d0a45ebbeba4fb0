//! What members do before and between the targets of a dispatch, when others have plans for them.
//!
//! Energy that another dispatch takes from a store until then is not there any more, and what it puts
//! there is; one that has a member do something now says nothing of what it does when that is over.

use units::{Interval, Timestamp, Watts};

use super::assess::World;
use super::plan::Taken;
use super::{Dispatch, Target};
use crate::{Control, Der, DerKind, DispatchId, Origin};

/// What a member does in a stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Course {
    /// On average.
    pub mean: Watts,
    /// When it ends.
    pub last: Watts,
}

/// What others have a member do about a target of a dispatch.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Elsewhere {
    /// From now on, or from the end of the target before, to the beginning of this one. `None` where it
    /// does what it does unasked.
    pub before: Option<Course>,
    /// While the target lasts. `None` where it is the dispatch's own at first.
    pub during: Option<Taken>,
    /// Where it is the dispatch's own at first: what it does from when others have it.
    pub later: Option<Later>,
}

/// What more urgent dispatches have a member do from some time of a target on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Later {
    /// At the least.
    pub least: Watts,
    /// At the most.
    pub most: Watts,
    /// On average.
    pub mean: Watts,
    /// The part of the target for which they have it, in (0, 1].
    pub part: f64,
}

impl Later {
    /// Both of them, of which one dispatch has it after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let share = other.part / (self.part + other.part);
        let beyond = (other.mean - self.mean).as_f64() * share;
        Self {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
            mean: self.mean + Watts::from_f64(beyond),
            part: (self.part + other.part).min(1.0),
        }
    }

    /// What is done on average over all of the target by one that does `own` for the rest.
    #[must_use]
    pub fn mean_with(&self, own: Watts) -> Watts {
        own + Watts::from_f64((self.mean - own).as_f64() * self.part)
    }
}

impl Course {
    /// What is done in `span` by `parts` of it, in order, and `unasked` in the rest.
    #[must_use]
    pub fn of(
        span: Interval,
        parts: impl Iterator<Item = (Interval, Watts)>,
        unasked: Watts,
    ) -> Self {
        let mut beyond_ws = 0.0;
        let mut last = unasked;
        for (interval, p) in parts {
            let from = interval.start.max(span.start);
            let until = interval.end().min(span.end());
            if from < until {
                beyond_ws += (p - unasked).as_f64() * until.since(from).as_secs_f64();
                last = if until == span.end() { p } else { unasked };
            }
        }
        let mean = match span.duration.is_zero() {
            true => last,
            false => unasked + Watts::from_f64(beyond_ws / span.duration.as_secs_f64()),
        };
        Self { mean, last }
    }
}

/// The stretches before each of `targets` in which a plan that acts from `effective` on asks nothing:
/// empty where one target follows the other, or the first is running.
pub(super) fn stretches(
    now: Timestamp,
    effective: Timestamp,
    targets: &[(u32, Target)],
) -> Vec<Interval> {
    let mut from = now;
    let mut stretches = Vec::with_capacity(targets.len());
    for (_, target) in targets {
        let interval = target.interval;
        let is_running = interval.start <= now;
        let until = match is_running {
            true => from,
            false => interval.start.max(effective).max(from),
        };
        stretches.push(Interval::between(from, until));
        from = interval.end().max(until);
    }
    stretches
}

impl World<'_> {
    /// What dispatches other than `dispatch` have `der` do in each of `stretches`, which are in order;
    /// `None` where they ask nothing of it then and it does what it does `unasked`. Empty where that is
    /// so in all of them.
    pub(super) fn meanwhile(
        &self,
        der: &Der,
        (dispatch, stretches): (&Dispatch, &[Interval]),
        unasked: Watts,
    ) -> Vec<Option<Course>> {
        let other = |control: &Control| of_another(control, dispatch.id);
        let end = stretches.last().map(|stretch| stretch.end());
        let asks = |control: &Control| {
            let meets = |stretch: &Interval| lasts_into(control.interval, *stretch);
            other(control) && control.cancelled.is_none() && stretches.iter().any(meets)
        };
        let Some(end) = end.filter(|_| self.fleet.own_controls_of(der.id).any(asks)) else {
            return Vec::new();
        };
        let asked = self.asked(der, end);
        let course = |stretch: &Interval| {
            let others = asked.iter().filter(|(control, _, _)| other(control));
            let parts = others
                .map(|(_, held, p)| (*held, *p))
                .filter(|(held, _)| lasts_into(*held, *stretch));
            let mut parts = parts.peekable();
            parts.peek()?;
            Some(Course::of(*stretch, parts, unasked))
        };
        stretches.iter().map(course).collect()
    }

    /// What `der` does now by its meter, or would do if its meter shows what a dispatch asks of it: a
    /// battery is then left to its default control, or at rest.
    pub(super) fn metered_unasked(&self, der: &Der) -> Option<Watts> {
        let metered = self.observation(der.id).p?.value;
        let is_asked = |control: &Control| {
            let is_share = matches!(control.origin, Origin::Dispatch { .. });
            is_share && control.cancelled.is_none() && control.interval.contains(self.now)
        };
        let stores = der.kind == DerKind::Storage;
        match stores && self.fleet.own_controls_of(der.id).any(is_asked) {
            true => Some(self.default_p(der).unwrap_or_default()),
            false => Some(metered),
        }
    }
}

/// Whether `held` lasts for some time of `stretch`.
fn lasts_into(held: Interval, stretch: Interval) -> bool {
    held.start.max(stretch.start) < held.end().min(stretch.end())
}

fn of_another(control: &Control, dispatch: DispatchId) -> bool {
    matches!(control.origin, Origin::Dispatch { dispatch: of, .. } if of != dispatch)
}
