//! How a dispatch went at each member, judged by the best evidence that there is.

mod meters;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet::dispatch::Standing;
use fleet::dispatch::assess::World;
use fleet::dispatch::verdict::{
    self, Archive, Asked, Case, Contact, Course, Energy, Judgement, Potential, Stretch, Word,
};
use fleet::{
    ActivePower, Control, ControlId, ControlStatus, DeliveryState, Der, DerId, Dispatch,
    DispatchId, DispatchPhase, Evidence, Fleet, Origin, delivery,
};
use units::{Interval, Timestamp, Watts};

pub(super) use self::meters::{Grain, Meters, Readings, Wanted, span};
pub(super) use self::tally::{Tallies, Tally};

use self::meters::{BASE, generates};

/// How it is known what a DER would have done unasked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Estimate {
    /// The device said what it could inject.
    Available,
    /// By its readings before the dispatch.
    Before,
    /// It is not known.
    Assumed,
}

/// What a DER would have done unasked, over the time that is judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Baseline {
    pub(super) from: Estimate,
    pub(super) estimate: Potential,
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
    /// The status code of the response by which it refused or its owner opted out.
    pub(super) response_code: Option<u8>,
    /// `None` for a member that never refused, and that was not asked, or not for longer than a
    /// ramp.
    pub(super) judgement: Option<Judgement>,
    /// So far, ramps left out.
    pub(super) energy: Energy,
    pub(super) baseline: Baseline,
    /// How exactly its meter's readings are known.
    pub(super) grain: Grain,
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

/// Judges the members that are `wanted` by their readings, and shows each.
pub(super) fn judge<'a>(
    world: &World<'a>,
    wanted: &[Wanted],
    meters: &Meters,
    mut show: impl FnMut(&'a Dispatch, &Member<'a>),
) {
    let ids: BTreeSet<DispatchId> = wanted.iter().map(|one| one.dispatch).collect();
    let dispatches = ids.iter().filter_map(|id| world.fleet.dispatch(*id));
    let dispatches: Vec<&Dispatch> = dispatches.collect();
    let index = controls(world.fleet, &dispatches);
    for one in wanted {
        let dispatch = world.fleet.dispatch(one.dispatch);
        let (Some(dispatch), Some(der)) = (dispatch, world.fleet.der(one.der)) else {
            continue;
        };
        let end = dispatch.span().map_or(world.now, Interval::end);
        let over = dispatch.cancelled.unwrap_or(end).min(end);
        // A member that falls silent after the end was not silent in it.
        let then = World {
            now: world.now.min(over),
            ..*world
        };
        let by_der = index.get(&dispatch.id);
        let controls = by_der.and_then(|by_der| by_der.get(&der.id));
        let controls = controls.cloned().unwrap_or_default();
        let readings = meters.of(dispatch.id, der.id);
        show(dispatch, &member(&then, dispatch, der, controls, readings));
    }
}

fn member<'a>(
    world: &World<'a>,
    dispatch: &Dispatch,
    der: &'a Der,
    controls: Vec<&'a Control>,
    readings: &Readings,
) -> Member<'a> {
    let refusal = refusal(world, &controls);
    let standing = refusal.map_or_else(
        || world.standing(der, Some(dispatch)),
        |(standing, _)| standing,
    );
    let unasked = unasked(dispatch, readings);
    let (over, running) = stretches(world, dispatch, (der, &controls), readings);
    let course = match dispatch.phase(world.now) {
        DispatchPhase::Ended | DispatchPhase::Cancelled => Course::Over,
        _ => Course::Running,
    };
    let contact = match world.observation(der.id).last_contact {
        Some(_) => Contact::Heard,
        None => Contact::Never,
    };
    let judged_as = match (standing, contact) {
        // It could not be asked because it has told nothing of itself.
        (Standing::Unable, Contact::Never) => Standing::Silent,
        (Standing::Controllable | Standing::Spare, _) if was_silent(world, &controls, readings) => {
            Standing::Silent
        }
        _ => standing,
    };
    let case = Case {
        standing: judged_as,
        contact,
        word: word(world, &controls),
        meter: readings.rank(),
        base: unasked.estimate.p,
        rating: rating(der),
        tolerance: world.policy.tolerance,
        confirm_within: world.policy.silent_after,
        stretches: &over,
        course,
        archive: readings.archive(),
    };
    let refused = matches!(
        judged_as,
        Standing::OptedOut | Standing::Rejected | Standing::NotFollowing | Standing::Silent
    );
    let asked = !controls.is_empty() && (course == Course::Running || !over.is_empty());
    let judgement = (asked || refused).then(|| verdict::judge(&case));
    let current = current(world, &controls);
    let delivery = current.and_then(|control| world.deliveries.own(control.id));
    let all: Vec<Stretch> = over.iter().chain(&running).copied().collect();
    Member {
        der,
        standing,
        current,
        state: delivery.map(fleet::Delivery::state),
        response_code: refusal.and_then(|(_, code)| code),
        judgement,
        energy: verdict::energy(&all),
        baseline: potential_of(&all, der, readings).unwrap_or(unasked),
        grain: readings.grain(),
        told_late: told_late(world, &controls),
        controls,
    }
}

/// Whether the device was silent at the end and has not told since what it did meanwhile.
fn was_silent(world: &World<'_>, controls: &[&Control], readings: &Readings) -> bool {
    let rows = controls.iter();
    let rows = rows.filter_map(|control| world.deliveries.own(control.id));
    delivery::silent_since(rows, world.now).is_some_and(|heard| {
        let meanwhile = Interval::between(heard, world.now);
        readings.archive() == Archive::Kept && readings.metered(meanwhile).is_none()
    })
}

fn rating(der: &Der) -> Watts {
    let settings = der.settings.as_ref();
    settings.map_or(Watts::ZERO, |s| s.p_inject_max.max(s.p_absorb_max))
}

/// What the member did before `dispatch`.
fn unasked(dispatch: &Dispatch, readings: &Readings) -> Baseline {
    let span = dispatch.span();
    let span = span.map(|span| Interval::between(span.start.before(BASE), span.start));
    match span.and_then(|span| readings.before(span)) {
        Some(estimate) => Baseline {
            from: Estimate::Before,
            estimate,
        },
        None => Baseline {
            from: Estimate::Assumed,
            estimate: Potential {
                p: Watts::ZERO,
                uncertainty: Watts::ZERO,
                readings: 0,
            },
        },
    }
}

/// What a member that generates said it could inject, over all `stretches`; `None` where what it did
/// before has to stand for that in any of them.
fn potential_of(stretches: &[Stretch], der: &Der, readings: &Readings) -> Option<Baseline> {
    if !generates(der.kind) {
        return None;
    }
    let (mut whole_ms, mut p, mut uncertainty) = (0_i128, 0_i128, 0_i128);
    let mut count = 0_u32;
    for stretch in stretches {
        let said = readings.available(stretch.interval)?;
        let ms = i128::try_from(stretch.interval.duration.as_millis()).ok()?;
        whole_ms += ms;
        p += i128::from(said.p.micro()) * ms;
        uncertainty += i128::from(said.uncertainty.micro()) * ms;
        count = count.saturating_add(said.readings);
    }
    let mean = |sum: i128| {
        let micro = sum.checked_div(whole_ms)?;
        i64::try_from(micro).ok().map(Watts::from_micro)
    };
    Some(Baseline {
        from: Estimate::Available,
        estimate: Potential {
            p: mean(p)?,
            uncertainty: mean(uncertainty)?,
            readings: count,
        },
    })
}

/// Whether the device said of any of the controls that it began or completed it.
fn word(world: &World<'_>, controls: &[&Control]) -> Word {
    let began = controls.iter().any(|control| {
        let row = world.deliveries.own(control.id);
        row.is_some_and(|row| {
            row.entries.iter().any(|entry| {
                matches!(
                    (entry.state, entry.evidence),
                    (
                        DeliveryState::Started | DeliveryState::Completed,
                        Evidence::Response(_)
                    )
                )
            })
        })
    });
    match began {
        true => Word::Began,
        false => Word::None,
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
fn refusal(world: &World<'_>, controls: &[&Control]) -> Option<(Standing, Option<u8>)> {
    controls.iter().find_map(|control| {
        let row = world.deliveries.own(control.id)?;
        match (row.state(), row.entries.last()?.evidence) {
            (DeliveryState::Overridden, Evidence::Response(code)) if delivery::is_opt_out(code) => {
                Some((Standing::OptedOut, Some(code)))
            }
            (DeliveryState::Rejected, Evidence::Response(code)) => {
                Some((Standing::Rejected, Some(code)))
            }
            (DeliveryState::Rejected, _) => Some((Standing::Rejected, None)),
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
    (der, controls): (&Der, &[&Control]),
    readings: &Readings,
) -> (Vec<Stretch>, Option<Stretch>) {
    let before = unasked(dispatch, readings);
    let before = (before.from == Estimate::Before).then_some(before.estimate);
    let (mut over, mut running) = (Vec::new(), None);
    for control in controls {
        let Some(asked) = control.base.active().map(asked) else {
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
            metered: readings.metered(interval),
            potential: match asked {
                _ if generates(der.kind) => readings.available(interval).or(before),
                Asked::Limit(_) => before,
                Asked::Set(_) => None,
            },
        };
        if end <= world.now {
            over.push(stretch);
        } else {
            running = Some(stretch);
        }
    }
    (over, running)
}

fn asked(power: ActivePower) -> Asked {
    match power {
        ActivePower::MaxLimW { .. } => Asked::Limit(power.p()),
        ActivePower::FixedW { .. } | ActivePower::TargetW { .. } => Asked::Set(power.p()),
    }
}
