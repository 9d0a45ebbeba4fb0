//! How a dispatch went at each member, judged by its meter.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::dispatch::Standing;
use fleet::dispatch::assess::World;
use fleet::dispatch::verdict::{self, Case, Course, Energy, Stretch, Verdict};
use fleet::{
    ActivePower, Control, ControlId, ControlStatus, DeliveryState, Der, DerId, Dispatch,
    DispatchId, DispatchPhase, Evidence, Fleet, Origin, delivery,
};
use serde::Serialize;
use units::{Interval, Timestamp, Watts};
use utoipa::ToSchema;

/// How long before a dispatch its members' output is taken as what they would do unasked.
pub(super) const BASE: Duration = Duration::from_secs(300);

/// The outcome at one DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Too early to say.
    Pending,
    /// The meter shows what was asked, within tolerance.
    Delivered,
    /// The meter shows at least half of the asked change.
    PartlyDelivered,
    /// The meter does not show it, whatever the device says.
    NotDelivered,
    /// The owner opted out.
    OptedOut,
    /// The device refused.
    Rejected,
    /// Not heard for too long; what it did is not known.
    Silent,
    /// Its microgrid was no part of the grid when the dispatch was over.
    Islanded,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pending => Self::Pending,
            Verdict::Delivered => Self::Delivered,
            Verdict::PartlyDelivered => Self::PartlyDelivered,
            Verdict::NotDelivered => Self::NotDelivered,
            Verdict::OptedOut => Self::OptedOut,
            Verdict::Rejected => Self::Rejected,
            Verdict::Silent => Self::Silent,
            Verdict::Islanded => Self::Islanded,
        }
    }
}

/// When, and how much in W, injection positive.
pub(super) type MeterReading = (Timestamp, f64);

/// Readings of active power by DER, ascending by time.
#[derive(Clone, Debug, Default)]
pub(super) struct Meters(pub(super) BTreeMap<DerId, Vec<MeterReading>>);

impl Meters {
    /// Mean of the readings of `der` inside `interval`, `None` without any.
    #[must_use]
    pub(super) fn mean(&self, der: DerId, interval: Interval) -> Option<Watts> {
        let readings = self.0.get(&der)?;
        let from = readings.partition_point(|(at, _)| *at < interval.start);
        let to = readings.partition_point(|(at, _)| *at < interval.end());
        let inside = readings.get(from..to).filter(|inside| !inside.is_empty())?;
        let sum: f64 = inside.iter().map(|(_, value)| value).sum();
        Some(Watts::from_f64(sum / inside.len() as f64))
    }
}

/// What is known of one member of a dispatch.
#[derive(Clone, Debug)]
pub(super) struct Member<'a> {
    pub(super) der: &'a Der,
    pub(super) standing: Standing,
    /// Its controls of this dispatch, by start, then by age.
    pub(super) controls: Vec<&'a Control>,
    /// The control of now, else the next one, else the last one.
    pub(super) current: Option<&'a Control>,
    /// How far `current` has come.
    pub(super) state: Option<DeliveryState>,
    /// `None` for a member that was never asked and never refused.
    pub(super) verdict: Option<Verdict>,
    /// Asked and metered so far, ramps left out.
    pub(super) energy: Energy,
    /// The controls of which the device learned only after they were to begin, or has not learned
    /// though they were, and by how much.
    pub(super) told_late: BTreeMap<ControlId, Duration>,
}

/// The controls of each of these dispatches, by DER.
pub(super) type ControlIndex<'a> = BTreeMap<DispatchId, BTreeMap<DerId, Vec<&'a Control>>>;

/// Finds the controls of all `dispatches` in one pass; what is long over is still there.
pub(super) fn controls<'a>(fleet: &'a Fleet, dispatches: &[&Dispatch]) -> ControlIndex<'a> {
    let mut index: ControlIndex<'_> = dispatches
        .iter()
        .map(|dispatch| (dispatch.id, BTreeMap::new()))
        .collect();
    for control in fleet.controls() {
        if let Origin::Dispatch { dispatch, .. } = control.origin
            && let Some(by_der) = index.get_mut(&dispatch)
            && let Some(der) = control.der
        {
            by_der.entry(der).or_default().push(control);
        }
    }
    for controls in index.values_mut().flat_map(BTreeMap::values_mut) {
        controls.sort_by_key(|control| (control.interval.start, control.created));
    }
    index
}

/// The members of `dispatch`: those of its group, and those who left the group after they were
/// asked. Ascending.
pub(super) fn members(fleet: &Fleet, dispatch: &Dispatch, index: &ControlIndex<'_>) -> Vec<DerId> {
    let group = fleet
        .group(dispatch.group)
        .map_or(&[][..], |group| group.members.as_slice());
    let asked = index.get(&dispatch.id).into_iter().flat_map(BTreeMap::keys);
    let mut members: Vec<DerId> = group.iter().chain(asked).copied().collect();
    members.sort_unstable();
    members.dedup();
    members
}

/// From before the dispatch to its end or to now: the readings a judgement rests on.
pub(super) fn span(dispatch: &Dispatch, now: Timestamp) -> Option<Interval> {
    let span = dispatch.span()?;
    Some(Interval::between(
        span.start.before(BASE),
        span.end().min(now),
    ))
}

/// Judges the `members` of `dispatch`.
pub(super) fn judge<'a>(
    world: &World<'a>,
    dispatch: &Dispatch,
    members: &[DerId],
    index: &ControlIndex<'a>,
    meters: &Meters,
) -> Vec<Member<'a>> {
    let end = dispatch.span().map_or(world.now, Interval::end);
    let over = dispatch.cancelled.unwrap_or(end).min(end);
    // A member that falls silent after the end was not silent in it.
    let then = World {
        now: world.now.min(over),
        ..*world
    };
    let by_der = index.get(&dispatch.id);
    let ders = members.iter().filter_map(|id| world.fleet.der(*id));
    ders.map(|der| {
        let controls = by_der
            .and_then(|by_der| by_der.get(&der.id))
            .cloned()
            .unwrap_or_default();
        member(&then, dispatch, der, controls, meters)
    })
    .collect()
}

fn member<'a>(
    world: &World<'a>,
    dispatch: &Dispatch,
    der: &'a Der,
    controls: Vec<&'a Control>,
    meters: &Meters,
) -> Member<'a> {
    let standing = refusal(world, &controls).unwrap_or_else(|| world.standing(der, Some(dispatch)));
    let (over, running) = stretches(world, dispatch, &controls, meters);
    let refused = matches!(
        standing,
        Standing::OptedOut | Standing::Rejected | Standing::NotFollowing | Standing::Silent
    );
    let asked = !controls.is_empty();
    let base_span = dispatch
        .span()
        .map(|span| Interval::between(span.start.before(BASE), span.start));
    let case = Case {
        standing,
        base: base_span
            .and_then(|span| meters.mean(der.id, span))
            .unwrap_or(Watts::ZERO),
        rating: der
            .settings
            .as_ref()
            .map_or(Watts::ZERO, |s| s.p_inject_max.max(s.p_absorb_max)),
        tolerance: world.policy.tolerance,
        stretches: &over,
        course: match dispatch.phase(world.now) {
            DispatchPhase::Ended | DispatchPhase::Cancelled => Course::Over,
            _ => Course::Running,
        },
    };
    let verdict = (asked || refused).then(|| verdict::verdict(&case));
    let current = current(world, &controls);
    let delivery = current.and_then(|control| world.deliveries.own(control.id));
    let all: Vec<Stretch> = over.iter().chain(&running).copied().collect();
    Member {
        der,
        standing,
        current,
        state: delivery.map(fleet::Delivery::state),
        verdict,
        energy: verdict::energy(&all),
        told_late: told_late(world, &controls),
        controls,
    }
}

/// A control that was withdrawn or displaced before it was to begin can't be late.
fn told_late(world: &World<'_>, controls: &[&Control]) -> BTreeMap<ControlId, Duration> {
    let late = |control: &&&Control| {
        let row = world.deliveries.own(control.id)?;
        let due = control.interval.start;
        let known = row.told().unwrap_or(world.now);
        let over = over_at(control, controls).unwrap_or(world.now);
        (due < over && due < known).then(|| (control.id, known.min(over).since(due)))
    };
    controls
        .iter()
        .filter_map(|control| late(&control))
        .collect()
}

/// When `control`, one of `controls`, ceased to hold.
fn over_at(control: &Control, controls: &[&Control]) -> Option<Timestamp> {
    let displaced = control.superseded_at(controls.iter().copied());
    let ends = [Some(control.interval.end()), control.cancelled, displaced];
    ends.into_iter().flatten().min()
}

/// A refusal stated for any of the controls. It outlives the control's place among the live ones.
fn refusal(world: &World<'_>, controls: &[&Control]) -> Option<Standing> {
    controls.iter().find_map(|control| {
        let row = world.deliveries.own(control.id)?;
        match (row.state(), row.entries.last()?.evidence) {
            (DeliveryState::Overridden, Evidence::Response(code)) if delivery::is_opt_out(code) => {
                Some(Standing::OptedOut)
            }
            (DeliveryState::Rejected, _) => Some(Standing::Rejected),
            _ => None,
        }
    })
}

fn current<'a>(world: &World<'a>, controls: &[&'a Control]) -> Option<&'a Control> {
    let status = |control: &Control| control.status(controls.iter().copied(), world.now);
    let active = controls
        .iter()
        .rfind(|c| matches!(status(c), ControlStatus::Active(_)));
    let next = || {
        controls
            .iter()
            .find(|c| matches!(status(c), ControlStatus::Scheduled))
    };
    let ended = || {
        controls
            .iter()
            .rfind(|c| matches!(status(c), ControlStatus::Ended(_)))
    };
    active
        .or_else(next)
        .or_else(ended)
        .or(controls.last())
        .copied()
}

/// The times in which each control was to be followed, ramps left out: those that are over, and
/// the part so far of the one that runs.
fn stretches(
    world: &World<'_>,
    dispatch: &Dispatch,
    controls: &[&Control],
    meters: &Meters,
) -> (Vec<Stretch>, Option<Stretch>) {
    let (mut over, mut running) = (Vec::new(), None);
    for control in controls {
        let Some(asked) = control.base.active().map(ActivePower::p) else {
            continue;
        };
        let end = over_at(control, controls).unwrap_or(world.now);
        let settled = control
            .interval
            .start
            .max(control.created)
            .after(dispatch.ramp);
        let interval = Interval::between(settled, end.min(world.now));
        if interval.duration.is_zero() {
            continue;
        }
        let stretch = Stretch {
            interval,
            asked,
            metered: control.der.and_then(|der| meters.mean(der, interval)),
        };
        if end <= world.now {
            over.push(stretch);
        } else {
            running = Some(stretch);
        }
    }
    (over, running)
}
