//! Bringing the world to the plan, and noticing when the plan no longer fits the world.
//!
//! Nothing here remembers anything: what is to be done follows from the plan in force, the
//! controls that exist and the clock, so a restart and a normal run are one path.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use units::{Interval, Timestamp, Watts};

use super::assess::{Known, World, members};
use super::plan::{Allocation, OnShort, Plan, Request, plan};
use super::rival::{Rival, without};
use super::share::Grid;
use super::{Aim, Dispatch, LinearLimit, Standing, Target};
use crate::control::ControlStatus;
use crate::microgrid::Coupling;
use crate::{
    Command, Control, ControlBase, DerId, DispatchId, NewControl, Origin, Rejection, Terms,
};

/// Why a plan is to be replaced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// A member no longer stands as the plan assumed.
    Standing {
        /// Who.
        der: DerId,
        /// As planned.
        from: Standing,
        /// As it is.
        to: Standing,
    },
    /// A more urgent dispatch takes a member, or gives it back.
    Elsewhere {
        /// Who.
        der: DerId,
        /// Which dispatch; `None` when it gives it back.
        by: Option<DispatchId>,
    },
    /// What a member's share is a percentage of has changed.
    Rated {
        /// Who.
        der: DerId,
    },
    /// A member's share is beyond what it can do now, or beyond what is approved for it ahead.
    OutOfReach {
        /// Who.
        der: DerId,
        /// What it was asked.
        asked: Watts,
    },
    /// The shares of the running interval, with what everybody else does or could do, exceed a
    /// shared limit.
    LimitExceeded {
        /// By how much.
        excess: Watts,
    },
    /// Members that are not asked do something else than the plan expects of them.
    UnaskedMoved {
        /// As planned, all of them together.
        expected: Watts,
        /// As metered, or as a silent member was last asked.
        found: Watts,
    },
}

/// The commands that bring the controls of `dispatch` to its plan; none when they agree.
#[must_use]
pub fn reconcile(world: &World<'_>, dispatch: &Dispatch) -> Vec<Command> {
    let Some(plan) = &dispatch.plan else {
        return Vec::new();
    };
    if !dispatch.is_in_force() {
        return Vec::new();
    }
    let mut commands = withdrawals(world, dispatch, plan);
    let rivals = world.fleet.rivals(dispatch, world.now);
    let earliest = plan.effective.max(world.now).ceil_secs();
    for allocation in &plan.allocations {
        let Some(target) = dispatch.schedule.get(allocation.interval as usize) else {
            continue;
        };
        let Some(der) = world.fleet.der(allocation.der) else {
            continue;
        };
        if world.coupling(der.id) != Coupling::Connected {
            continue;
        }
        let taken = rivals.iter().flat_map(|rival| rival.intervals_of(der.id));
        let from = target.interval.start.max(earliest);
        let ahead = Interval::between(from, target.interval.end());
        for piece in without(ahead, taken) {
            let issue = issue(world, (dispatch, plan), (der, allocation), piece);
            commands.extend(issue.map(Command::IssueControl));
        }
    }
    commands
}

/// The control that has `der` do its share all through `piece`, unless it has one.
fn issue(
    world: &World<'_>,
    (dispatch, plan): (&Dispatch, &Plan),
    (der, allocation): (&crate::Der, &Allocation),
    piece: Interval,
) -> Option<NewControl> {
    let base = ControlBase::asking(allocation.share);
    let current = held(world, der.id, dispatch, allocation.interval);
    let is_asked_from = |at| {
        current.iter().any(|control| {
            control.base == base
                && control.interval.start <= at
                && control.interval.end() == piece.end()
        })
    };
    if is_asked_from(piece.start) {
        return None;
    }
    let origin = Origin::Dispatch {
        dispatch: dispatch.id,
        generation: plan.generation,
        interval: allocation.interval,
    };
    let last = dispatch
        .span()
        .is_some_and(|span| span.end() == piece.end());
    let mut new = NewControl {
        der: Some(der.id),
        program: der.program,
        origin,
        interval: piece,
        base: base.clone(),
        terms: release(dispatch).filter(|_| last),
    };
    // Beneath a control that ranks higher it would be displaced as soon as it began.
    let free = world.fleet.free_from(&new);
    if piece.end() <= free || is_asked_from(free) {
        return None;
    }
    new.interval = Interval::between(free, piece.end());
    Some(new)
}

/// How members are to let go at the end.
fn release(dispatch: &Dispatch) -> Option<Terms> {
    let seconds = i16::try_from(dispatch.conduct.release.as_secs()).unwrap_or(i16::MAX);
    (seconds != 0).then(|| Terms {
        randomize_duration_s: seconds,
        ..Terms::default()
    })
}

/// Controls of members the plan no longer asks. A silent member keeps those that it holds: it
/// can't hear of a withdrawal, and they stay counted on it. Those that it never fetched are
/// withdrawn, for their share has gone to others.
fn withdrawals(world: &World<'_>, dispatch: &Dispatch, plan: &Plan) -> Vec<Command> {
    let mut withdrawn = Vec::new();
    for (der, standing) in &plan.unasked {
        let stale = world.controls(*der, dispatch.id).filter(|control| {
            let held = *standing == Standing::Silent && world.is_held(control);
            control.cancelled.is_none() && world.now < control.interval.end() && !held
        });
        withdrawn.extend(stale.map(|control| Command::CancelControl(control.id)));
    }
    withdrawn.extend(outdated(world, dispatch, plan));
    withdrawn
}

/// Controls of members that the plan asks, in intervals in which it does not or before or after them;
/// those too of members that a more urgent dispatch takes, which get fresh ones when it lets go.
fn outdated(world: &World<'_>, dispatch: &Dispatch, plan: &Plan) -> Vec<Command> {
    let mut outdated = Vec::new();
    let taken = plan.elsewhere.iter().map(|(_, der)| *der);
    let asked = plan.allocations.iter().map(|a| a.der).chain(taken);
    let asked: BTreeSet<DerId> = asked.collect();
    for control in asked
        .iter()
        .flat_map(|der| world.controls(*der, dispatch.id))
    {
        let (Origin::Dispatch { interval, .. }, Some(der)) = (control.origin, control.der) else {
            continue;
        };
        let target = dispatch.schedule.get(interval as usize);
        let fits = plan.share(der, interval).is_some()
            && target.is_some_and(|target| {
                target.interval.start <= control.interval.start
                    && control.interval.end() <= target.interval.end()
            });
        let reached = plan.effective <= world.now.max(control.interval.start);
        let open = control.cancelled.is_none() && world.now < control.interval.end();
        if !fits && reached && open {
            outdated.push(Command::CancelControl(control.id));
        }
    }
    outdated
}

/// The controls of `der` for one interval of the dispatch that stand, the newest of those that begin
/// together.
fn held<'a>(world: &World<'a>, der: DerId, dispatch: &Dispatch, index: u32) -> Vec<&'a Control> {
    let own = world.controls(der, dispatch.id).filter(|control| {
        let own = matches!(control.origin, Origin::Dispatch { interval, .. } if interval == index);
        let status = || world.fleet.status(control, world.now);
        own && matches!(
            status(),
            ControlStatus::Scheduled | ControlStatus::Active(_)
        ) && !world.fleet.is_displaced(control, world.now)
    });
    let own: Vec<&Control> = own.collect();
    let newest = |control: &&&Control| {
        let age = |c: &Control| (c.created, c.mrid);
        let later = |other: &&Control| {
            age(control) < age(other) && other.interval.overlaps(control.interval)
        };
        !own.iter().any(later)
    };
    own.iter().filter(newest).copied().collect()
}

impl Cause {
    /// The same without how much of it there is, which a meter says anew every time.
    #[must_use]
    pub const fn kind(self) -> Self {
        match self {
            Self::LimitExceeded { .. } => Self::LimitExceeded {
                excess: Watts::ZERO,
            },
            Self::UnaskedMoved { .. } => Self::UnaskedMoved {
                expected: Watts::ZERO,
                found: Watts::ZERO,
            },
            Self::Standing { .. }
            | Self::Elsewhere { .. }
            | Self::Rated { .. }
            | Self::OutOfReach { .. } => self,
        }
    }
}

/// Why the plan of `dispatch` should be replaced now: at most one cause for each member, and those
/// about all of them.
#[must_use]
pub fn causes(world: &World<'_>, dispatch: &Dispatch, limits: &[LinearLimit]) -> Vec<Cause> {
    let Some(plan) = dispatch.plan.as_ref().filter(|_| dispatch.is_in_force()) else {
        return Vec::new();
    };
    let pause = world.policy.lead.max(Duration::from_secs(2));
    let ahead = remaining(dispatch, world.now.after(world.policy.lead).ceil_secs());
    let Some(group) = world.fleet.group(dispatch.group) else {
        return Vec::new();
    };
    if world.now < plan.made.after(pause) || ahead.is_empty() {
        return Vec::new();
    }
    let span = span_of(world, &ahead);
    let rivals = world.fleet.rivals(dispatch, world.now);
    let ders = group.members.iter().filter_map(|id| world.fleet.der(*id));
    ders.filter_map(|der| {
        let planned = planned_standing(plan, der.id);
        let standing = world.standing_during(der, Some(dispatch), span);
        if planned == standing || (planned, standing) == (Standing::Spare, Standing::Controllable) {
            return taken_elsewhere(world, (dispatch, plan), der, &rivals)
                .or_else(|| rated_anew(plan, der, &ahead))
                .or_else(|| no_longer_approved(world, plan, der, &ahead))
                .or_else(|| out_of_reach(world, dispatch, plan, der));
        }
        // Silence alone frees nothing while the device holds the very shares of this plan.
        let holds = || {
            ahead.iter().all(|(index, _)| {
                let share = plan.share(der.id, *index).map(crate::ActivePower::p);
                share.is_none() || world.outlook(der, dispatch, *index, Known::ToDevice) == share
            })
        };
        if standing == Standing::Silent && holds() {
            return None;
        }
        Some(Cause::Standing {
            der: der.id,
            from: planned,
            to: standing,
        })
    })
    .chain(unasked_moved(world, dispatch, plan))
    .chain(limit_exceeded(world, dispatch, plan, limits))
    .collect()
}

/// From the first of `targets` that is not over to the end of the last.
fn span_of(world: &World<'_>, targets: &[(u32, Target)]) -> Interval {
    let first = targets.first().map(|(_, target)| target.interval.start);
    let last = targets.last().map(|(_, target)| target.interval.end());
    let from = first.unwrap_or(world.now).max(world.now);
    Interval::between(from, last.unwrap_or(from).max(from))
}

/// Whether a more urgent dispatch takes `der`, or gives it back, when a correction would act.
fn taken_elsewhere(
    world: &World<'_>,
    (dispatch, plan): (&Dispatch, &Plan),
    der: &crate::Der,
    rivals: &[Rival<'_>],
) -> Option<Cause> {
    let at = world.now.after(world.policy.lead).ceil_secs();
    let index = dispatch
        .schedule
        .iter()
        .position(|target| target.interval.contains(at))?;
    let index = u32::try_from(index).ok()?;
    let by = rivals.iter().find(|rival| rival.has_at(der.id, at));
    let planned = plan.elsewhere.binary_search(&(index, der.id)).is_ok();
    let asked = planned || plan.share(der.id, index).is_some();
    (asked && planned != by.is_some()).then_some(Cause::Elsewhere {
        der: der.id,
        by: by.map(Rival::id),
    })
}

/// Whether a share ahead of `der` is of a maximum that the device is no longer set to.
fn rated_anew(plan: &Plan, der: &crate::Der, ahead: &[(u32, Target)]) -> Option<Cause> {
    let grid = Grid::of(der)?;
    let stale = |index: u32| {
        let share = plan.share(der.id, index)?;
        let p = share.p();
        Some(grid.encode(grid.floor(p)) != share)
    };
    let mut shares = ahead.iter().filter_map(|(index, _)| stale(*index));
    shares
        .any(|stale| stale)
        .then_some(Cause::Rated { der: der.id })
}

/// Whether a share ahead of `der` is beyond what is approved for it by now.
fn no_longer_approved(
    world: &World<'_>,
    plan: &Plan,
    der: &crate::Der,
    ahead: &[(u32, Target)],
) -> Option<Cause> {
    let enrolment = world.fleet.enrolment();
    let is_beyond = |asked: Watts, (inject, absorb): (Option<Watts>, Option<Watts>)| {
        inject.is_some_and(|most| most < asked) || absorb.is_some_and(|most| asked < -most)
    };
    // The least of all intervals; most members are within it and are looked at no further.
    let least = enrolment.limits_during(der.id, span_of(world, ahead));
    let beyond = |(index, target): &(u32, Target)| {
        let asked = plan.share(der.id, *index)?.p();
        let beyond = is_beyond(asked, least)
            && is_beyond(asked, enrolment.limits_during(der.id, target.interval));
        beyond.then_some(asked)
    };
    let asked = ahead.iter().find_map(beyond)?;
    Some(Cause::OutOfReach { der: der.id, asked })
}

fn planned_standing(plan: &Plan, der: DerId) -> Standing {
    plan.standing_of(der).unwrap_or(Standing::Controllable)
}

/// Whether members that are not asked have moved, by more than their tolerances together, from
/// what the plan expects of them in the running interval. An owner who opts out goes on at will,
/// so what such a member did when the plan was made says little.
fn unasked_moved(world: &World<'_>, dispatch: &Dispatch, plan: &Plan) -> Option<Cause> {
    let running = dispatch
        .schedule
        .iter()
        .position(|target| target.interval.contains(world.now))?;
    let index = u32::try_from(running).ok()?;
    let balance = plan.balances.iter().find(|b| b.interval == index)?;
    let (mut found, mut allowed) = (Watts::ZERO, Watts::ZERO);
    for (id, standing) in &plan.unasked {
        let Some(der) = world.fleet.der(*id) else {
            continue;
        };
        if *standing == Standing::Islanded {
            continue;
        }
        let metered = world.observation(*id).p.map(|reading| reading.value);
        let held = (*standing == Standing::Silent)
            .then(|| world.outlook(der, dispatch, index, Known::ToDevice))
            .flatten();
        found += held.or(metered).unwrap_or_default();
        allowed += world.allowed_deviation(der);
    }
    // A member that a more urgent dispatch takes is expected to do what that one asks, if anything.
    let rivals = world.fleet.rivals(dispatch, world.now);
    for (_, id) in plan.elsewhere.iter().filter(|(at, _)| *at == index) {
        let asked = rivals
            .iter()
            .find_map(|rival| rival.asks_at(*id, world.now));
        let metered = || world.observation(*id).p.map(|reading| reading.value);
        found += asked.or_else(metered).unwrap_or_default();
        let der = world.fleet.der(*id);
        allowed += der.map_or(Watts::ZERO, |der| world.allowed_deviation(der));
    }
    let expected = balance.unasked;
    ((found - expected).abs() > allowed).then_some(Cause::UnaskedMoved { expected, found })
}

fn limit_exceeded(
    world: &World<'_>,
    dispatch: &Dispatch,
    plan: &Plan,
    limits: &[LinearLimit],
) -> Option<Cause> {
    let running = dispatch
        .schedule
        .iter()
        .position(|target| target.interval.contains(world.now))?;
    let index = u32::try_from(running).ok()?;
    let load = |(id, coefficient): &(DerId, f64)| {
        // What a silent member was asked says nothing of what it does, nor what one in an island was.
        let asked = plan
            .share(*id, index)
            .filter(|_| world.is_counted(*id))
            .map(crate::ActivePower::p);
        let der = world.fleet.der(*id);
        let p = asked.or_else(|| der.map(|der| world.adverse(der, *coefficient)));
        coefficient * p.unwrap_or_default().as_f64()
    };
    let excess = |limit: &LinearLimit| {
        let excess = Watts::from_f64(limit.terms.iter().map(load).sum()) - limit.max;
        (limit.noise() < excess).then_some(excess)
    };
    let limits = limits.iter().filter(|limit| limit.holds_at(world.now));
    let excess = limits.filter_map(excess).max()?;
    Some(Cause::LimitExceeded { excess })
}

/// Whether the running share of a controllable member is beyond its range by more than the
/// tolerance.
fn out_of_reach(
    world: &World<'_>,
    dispatch: &Dispatch,
    plan: &Plan,
    der: &crate::Der,
) -> Option<Cause> {
    let running = dispatch
        .schedule
        .iter()
        .position(|t| t.interval.contains(world.now))?;
    let asked = plan.share(der.id, u32::try_from(running).ok()?)?.p();
    let left = dispatch.schedule[running].interval.end().since(world.now);
    let range = world.range_for(der, left)?;
    let allowed = world.allowed_deviation(der);
    let beyond = asked > range.hi + allowed || asked < range.lo - allowed;
    beyond.then_some(Cause::OutOfReach { der: der.id, asked })
}

/// The targets of `dispatch` that are not over at `effective`, with their schedule index.
#[must_use]
pub fn remaining(dispatch: &Dispatch, effective: Timestamp) -> Vec<(u32, Target)> {
    let indexed = dispatch.schedule.iter().enumerate();
    indexed
        .filter(|(_, target)| effective < target.interval.end())
        .filter_map(|(index, target)| Some((u32::try_from(index).ok()?, *target)))
        .collect()
}

/// Plans `dispatch` from what is known now: its first plan, or the successor of the one in
/// force.
///
/// # Errors
/// As [`plan`]; a successor approaches its target and is refused for broken limits only.
pub fn replan(
    world: &World<'_>,
    dispatch: &Dispatch,
    limits: &[LinearLimit],
) -> Result<Plan, Rejection> {
    let on_short = match dispatch.plan {
        Some(_) if dispatch.is_in_force() => OnShort::Approach,
        _ => OnShort::Reject,
    };
    plan_from(world, dispatch, limits, on_short)
}

/// As [`replan`], doing as `on_short` says when the target is out of reach. A correction acts after
/// the time that members may take to know of it; what somebody asks for holds from now on.
///
/// # Errors
/// As [`plan`].
pub fn plan_from(
    world: &World<'_>,
    dispatch: &Dispatch,
    limits: &[LinearLimit],
    on_short: OnShort,
) -> Result<Plan, Rejection> {
    let effective = match on_short {
        OnShort::Approach => world.now.after(world.policy.lead).ceil_secs(),
        OnShort::Reject => world.now.ceil_secs(),
    };
    let targets = remaining(dispatch, effective);
    let group = world.fleet.group(dispatch.group);
    let ders = group.map_or(&[][..], |group| group.members.as_slice());
    let current = dispatch.plan.as_ref();
    let targets = resolved(targets, current);
    let known = members(world, ders, dispatch, (effective, &targets));
    let limits = net_of_outsiders(world, limits, ders, &targets);
    let mut plan = plan(&Request {
        dispatch: dispatch.id,
        generation: current.map_or(1, |plan| plan.generation + 1),
        now: world.now,
        effective,
        targets,
        ramp: dispatch.ramp,
        members: &known.members,
        expected: &known.expected,
        elsewhere: &known.elsewhere,
        objective: dispatch.conduct.objective,
        limits: &limits,
        on_short,
    })
    .map_err(|rejection| rejection.named(world.fleet))?;
    plan.late = late(world, dispatch, &plan);
    let known = ders.iter().filter_map(|id| world.fleet.der(*id));
    plan.pasts = known.filter_map(|der| world.past(der, world.now)).collect();
    Ok(plan)
}

/// The targets with what the plan in force has made of those that are relative: they are relative to
/// what members did when they were first planned.
fn resolved(targets: Vec<(u32, Target)>, current: Option<&Plan>) -> Vec<(u32, Target)> {
    let net = |(index, target): (u32, Target)| {
        let relative = target.aim.is_relative();
        let balances = current.map_or(&[][..], |plan| &plan.balances);
        let planned = balances.iter().find(|b| b.interval == index && relative);
        let aim = planned.map_or(target.aim, |balance| Aim::Net(balance.target));
        (index, Target { aim, ..target })
    };
    targets.into_iter().map(net).collect()
}

/// `changed` with as much of the plan of `current` as still says something about it.
///
/// That is what is about intervals that begin as they did and ask the same, or another difference to
/// the same.
#[must_use]
pub fn carried(changed: &Dispatch, current: &Dispatch) -> Dispatch {
    let old_at = |index: u32| current.schedule.get(index as usize);
    let index_of = |index: u32| {
        let old = old_at(index)?;
        let kept = |new: &Target| new.keeps_reference_of(old);
        u32::try_from(changed.schedule.iter().position(kept)?).ok()
    };
    let mut carried = changed.clone();
    carried.plan = current.plan.as_ref().map(|plan| {
        let mut plan = plan.clone();
        plan.allocations.retain_mut(|allocation| {
            let index = index_of(allocation.interval);
            allocation.interval = index.unwrap_or_default();
            index.is_some()
        });
        plan.allocations.sort_by_key(|a| (a.interval, a.der));
        plan.balances.retain_mut(|balance| {
            let Some(index) = index_of(balance.interval) else {
                return false;
            };
            let aims = old_at(balance.interval).zip(changed.schedule.get(index as usize));
            if let Some((Aim::Delta(old), Aim::Delta(new))) = aims.map(|(a, b)| (a.aim, b.aim)) {
                balance.target += new - old;
            }
            balance.interval = index;
            true
        });
        plan
    });
    carried
}

/// The members whose notice is shorter than the time they may take to know, by how much.
fn late(world: &World<'_>, dispatch: &Dispatch, plan: &Plan) -> Vec<(DerId, Duration)> {
    let earliest = plan.effective.max(world.now);
    let mut late: BTreeMap<DerId, Duration> = BTreeMap::new();
    for allocation in &plan.allocations {
        let (Some(target), Some(der)) = (
            dispatch.schedule.get(allocation.interval as usize),
            world.fleet.der(allocation.der),
        ) else {
            continue;
        };
        if plan_share_is_held(dispatch, allocation) {
            continue;
        }
        let notice = target.interval.start.max(earliest).since(world.now);
        let by = world.latency(der).saturating_sub(notice);
        if !by.is_zero() {
            late.entry(der.id).or_insert(by);
        }
    }
    late.into_iter().collect()
}

/// Whether the plan in force asks the same already.
fn plan_share_is_held(dispatch: &Dispatch, allocation: &Allocation) -> bool {
    dispatch.plan.as_ref().is_some_and(|current| {
        current.share(allocation.der, allocation.interval) == Some(allocation.share)
    })
}

/// The limits with the power of DER outside `ders` taken off: the worst of what they do (or, if
/// silent, could do) and of what they are committed to during the targets.
fn net_of_outsiders(
    world: &World<'_>,
    limits: &[LinearLimit],
    ders: &[DerId],
    targets: &[(u32, Target)],
) -> Vec<LinearLimit> {
    let load = |der: &crate::Der, coefficient: f64| {
        let connected = world.coupling(der.id) == Coupling::Connected;
        let committed = world
            .fleet
            .own_controls_of(der.id)
            .filter(|c| c.cancelled.is_none() && connected)
            .filter(|c| targets.iter().any(|(_, t)| t.interval.overlaps(c.interval)))
            .filter_map(|c| c.base.p(der.settings.as_ref()));
        committed
            .chain([world.adverse(der, coefficient)])
            .map(|p| coefficient * p.as_f64())
            .fold(f64::MIN, f64::max)
    };
    let net = |limit: &LinearLimit| {
        let mut net = LinearLimit {
            name: limit.name.clone(),
            terms: Vec::new(),
            max: limit.max,
            during: limit.during,
        };
        for (id, coefficient) in &limit.terms {
            if ders.binary_search(id).is_ok() {
                net.terms.push((*id, *coefficient));
            } else if let Some(der) = world.fleet.der(*id) {
                net.max -= Watts::from_f64(load(der, *coefficient));
            }
        }
        net
    };
    // A schedule that none of `ders` is under is no matter of theirs.
    let concerns = |limit: &&LinearLimit| {
        let ahead = targets.iter().any(|(_, t)| limit.holds_in(t.interval));
        let mut terms = limit.terms.iter();
        ahead && (limit.during.is_none() || terms.any(|(id, _)| ders.binary_search(id).is_ok()))
    };
    limits.iter().filter(concerns).map(net).collect()
}
