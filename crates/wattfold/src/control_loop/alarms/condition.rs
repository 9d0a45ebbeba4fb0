//! The conditions of alarms, each with its dead band: what raised an alarm must be undercut by some
//! way for its condition to be gone.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet::alarm::silence;
use fleet::alarm::{Detail, Kind, Subject};
use fleet::dispatch::assess::{Standing, World};
use fleet::dispatch::{DispatchPhase, LinearLimit};
use fleet::microgrid::{Microgrid, Operation};
use fleet::{Aim, Der, DerId, Dispatch};
use units::Watts;

use super::{MAX_TERMS_OF_TICK, Seen};
use crate::control_loop::{Inputs, State};

/// The clock stands so far behind when that is told, and when it is no longer.
const CLOCK_BEHIND: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(1));
/// Readings are stamped so far ahead when that is told, and when it is no longer.
const CLOCK_AHEAD: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(30));
/// What a sum may be above a limit without exceeding it: rounding.
const ROUNDING: Watts = Watts::whole(1);
/// Of a limit, what a sum must be below it for the limit to be kept again.
const LIMIT_BAND: i64 = 50;

/// Where adding up the DER under shared limits has got to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LimitPass {
    row: usize,
    term: usize,
    /// What meters read, in W.
    metered_w: f64,
    /// The same with silent DER at their worst, in W.
    adverse_w: f64,
}

/// How far the readings of `der` are ahead of time, if that is too far.
pub(super) fn clock_ahead(world: &World<'_>, der: &Der) -> Option<Detail> {
    let at = world.observation(der.id).p?.at;
    let ahead = at.since(world.now);
    if ahead <= CLOCK_AHEAD.1 {
        return None;
    }
    let subject = Subject::Der(der.id);
    let raised = world
        .fleet
        .alarms()
        .is_raised(Kind::DerClockAhead, &subject);
    let bound = if raised { CLOCK_AHEAD.1 } else { CLOCK_AHEAD.0 };
    (bound < ahead).then_some(Detail::Off(ahead))
}

impl State {
    /// The conditions that every tick looks at: those of the server and of dispatches, and of DER
    /// those that are raised.
    pub(super) fn conditions(&mut self, inputs: &Inputs<'_>) -> Vec<Seen> {
        let mut seen = self.of_server();
        let world = self.world(inputs);
        let mut of_dispatches = Vec::new();
        for dispatch in self.fleet.open_dispatches(inputs.now) {
            let about = Subject::Dispatch(dispatch.id);
            let impossible = self.alarm_pass.impossible.contains(&dispatch.id);
            let impossible = impossible.then_some(Detail::Plain);
            of_dispatches.push((Kind::PlanImpossible, about.clone(), impossible));
            of_dispatches.push((Kind::DispatchShort, about, short(&world, dispatch)));
            let astray = astray(&world, dispatch).map(Subject::Der);
            let astray = astray.map(|about| (Kind::DerNotFollowing, about, Some(Detail::Plain)));
            of_dispatches.extend(astray);
        }
        let book = self.fleet.alarms();
        let keys = of_dispatches.iter().map(|(kind, about, _)| (*kind, about));
        let keys: BTreeSet<(Kind, &Subject)> = keys.collect();
        for kind in [
            Kind::PlanImpossible,
            Kind::DispatchShort,
            Kind::DerNotFollowing,
        ] {
            let over = book.raised(kind).map(|alarm| &alarm.subject);
            let over = over.filter(|about| !keys.contains(&(kind, *about)));
            seen.extend(over.map(|about| (kind, about.clone(), None)));
        }
        seen.extend(of_dispatches);
        seen.extend(self.of_microgrids(inputs));
        seen.extend(self.of_strategies());
        for kind in [Kind::DerSilent, Kind::DerClockAhead] {
            for alarm in book.raised(kind) {
                let Subject::Der(der) = alarm.subject else {
                    continue;
                };
                let der = self.fleet.der(der);
                let there = der.and_then(|der| match kind {
                    Kind::DerSilent => {
                        let moot = self.fleet.is_moot(kind, &alarm.subject);
                        let silent = !moot && silence::is_silent(&world, der);
                        silent.then_some(alarm.detail)
                    }
                    _ => clock_ahead(&world, der),
                });
                seen.push((kind, alarm.subject.clone(), there));
            }
        }
        let configured = |subject: &Subject| {
            let mut limits = inputs.limits.iter();
            limits.any(|limit| matches!(subject, Subject::Limit(name) if *name == limit.name))
        };
        for kind in [Kind::LimitExceeded, Kind::LimitAtRisk] {
            let gone = book.raised(kind).filter(|it| !configured(&it.subject));
            seen.extend(gone.map(|alarm| (kind, alarm.subject.clone(), None)));
        }
        seen
    }

    /// Which microgrids are off the grid unplanned, and of those that are out of service that they are
    /// not.
    fn of_microgrids(&self, inputs: &Inputs<'_>) -> Vec<Seen> {
        let microgrids = self.fleet.microgrids();
        let of = |(microgrid, operation): (&Microgrid, &Operation)| {
            let count = u32::try_from(microgrid.members.len()).unwrap_or(u32::MAX);
            let detail = operation.is_unplanned(inputs.now);
            let detail = detail.then_some(Detail::Count(count));
            (
                Kind::MicrogridIslanded,
                Subject::Microgrid(microgrid.id),
                detail,
            )
        };
        let raised = self.fleet.alarms().raised(Kind::MicrogridIslanded);
        let gone = raised.filter_map(|alarm| match alarm.subject {
            Subject::Microgrid(id) if microgrids.microgrid(id).is_none() => {
                Some((alarm.kind, alarm.subject.clone(), None))
            }
            _ => None,
        });
        microgrids.microgrids().map(of).chain(gone).collect()
    }

    /// Which strategies have not made what was due, or can't tell whether anything is; of those that
    /// are let go that they are neither.
    fn of_strategies(&self) -> Vec<Seen> {
        let book = self.fleet.strategies();
        let mut seen = Vec::new();
        for (strategy, progress) in book.strategies() {
            let about = Subject::Strategy(strategy.id);
            let failed = strategy.failure(progress).map(|_| Detail::Plain);
            seen.push((Kind::StrategyFailed, about.clone(), failed));
            let blind = self.strategy_watch.is_blind(strategy.id);
            seen.push((Kind::StrategyBlind, about, blind.then_some(Detail::Plain)));
        }
        for kind in [Kind::StrategyFailed, Kind::StrategyBlind] {
            let raised = self.fleet.alarms().raised(kind);
            let gone = raised.filter(|alarm| match alarm.subject {
                Subject::Strategy(id) => book.strategy(id).is_none(),
                _ => false,
            });
            seen.extend(gone.map(|alarm| (kind, alarm.subject.clone(), None)));
        }
        seen
    }

    fn of_server(&mut self) -> Vec<Seen> {
        let vitals = self.alarm_pass.vitals;
        let book = self.fleet.alarms();
        let behind = match book.is_raised(Kind::ClockBehind, &Subject::Server) {
            true => CLOCK_BEHIND.1,
            false => CLOCK_BEHIND.0,
        };
        let behind = (behind < vitals.clock_behind).then(|| {
            // As the journal has it.
            let millis = u64::try_from(vitals.clock_behind.as_millis()).unwrap_or(u64::MAX);
            Detail::Off(Duration::from_millis(millis))
        });
        // What was refused before the first tick, as by a node that followed then, is no news.
        let total = vitals.readings_refused;
        let before = self.alarm_pass.refused_before.replace(total);
        let refused = total.saturating_sub(before.unwrap_or(total));
        let refused = u32::try_from(refused).unwrap_or(u32::MAX);
        let refused = (0 < refused).then_some(Detail::Count(refused));
        let overflow = self.overflow();
        vec![
            (Kind::ClockBehind, Subject::Server, behind),
            (Kind::ReadingsRefused, Subject::Server, refused),
            (Kind::AlarmsOverflow, Subject::Server, overflow),
        ]
    }

    /// Adds up the next DER under shared limits; of each limit that is done, whether it is kept.
    pub(super) fn look_at_limits(&mut self, inputs: &Inputs<'_>) -> Vec<Seen> {
        let mut pass = self.alarm_pass.limits;
        let mut seen = Vec::new();
        let mut left = MAX_TERMS_OF_TICK;
        for _ in 0..inputs.limits.len() {
            let Some(limit) = inputs.limits.get(pass.row) else {
                pass = LimitPass::default();
                continue;
            };
            // A schedule is kept by its microgrid: what does not fit it overloads nothing.
            if limit.during.is_some() {
                pass = LimitPass {
                    row: pass.row + 1,
                    ..LimitPass::default()
                };
                continue;
            }
            let terms = limit.terms.get(pass.term..).unwrap_or_default();
            let world = self.world(inputs);
            for (id, coefficient) in terms.iter().take(left) {
                if let Some(der) = self.fleet.der(*id) {
                    let metered = world.observation(*id).p.map(|p| p.value);
                    let metered = metered.filter(|_| !self.fleet.is_separated(*id));
                    pass.metered_w += coefficient * metered.unwrap_or_default().as_f64();
                    pass.adverse_w += coefficient * world.adverse(der, *coefficient).as_f64();
                }
            }
            pass.term += terms.len().min(left);
            left -= terms.len().min(left);
            if pass.term < limit.terms.len() {
                break;
            }
            seen.extend(self.judge(limit, &pass));
            pass = LimitPass {
                row: pass.row + 1,
                ..LimitPass::default()
            };
        }
        self.alarm_pass.limits = pass;
        seen
    }

    /// Whether a limit is exceeded, or else would be at worst.
    fn judge(&self, limit: &LinearLimit, pass: &LimitPass) -> [Seen; 2] {
        let about = Subject::Limit(limit.name.clone());
        let beyond = |kind: Kind, sum_w: f64| {
            let found = Watts::from_f64(sum_w);
            let raised = self.fleet.alarms().is_raised(kind, &about);
            let band = Watts::from_micro(limit.max.abs().micro() / LIMIT_BAND);
            let bound = match raised {
                true => limit.max - band,
                false => limit.max + ROUNDING,
            };
            let bound_told = limit.max;
            (bound < found).then_some(Detail::Power {
                found,
                bound: bound_told,
            })
        };
        let exceeded = beyond(Kind::LimitExceeded, pass.metered_w);
        let at_risk = match exceeded {
            Some(_) => None,
            None => beyond(Kind::LimitAtRisk, pass.adverse_w),
        };
        [
            (Kind::LimitExceeded, about.clone(), exceeded),
            (Kind::LimitAtRisk, about, at_risk),
        ]
    }
}

/// The members that are left out of the plan because their meters contradict it, and that are
/// heard: of one that is not, its silence is what is told.
fn astray<'a>(world: &World<'a>, dispatch: &'a Dispatch) -> impl Iterator<Item = DerId> + use<'a> {
    let world = *world;
    let unasked = dispatch.plan.iter().flat_map(|plan| &plan.unasked);
    unasked
        .filter(move |(der, standing)| {
            *standing == Standing::NotFollowing
                && world.is_reachable(*der)
                && !world
                    .fleet
                    .is_moot(Kind::DerNotFollowing, &Subject::Der(*der))
        })
        .map(|(der, _)| *der)
}

/// How far a running dispatch is from its target, if that is beyond what its members' tolerances
/// add up to. Members that are not heard, and those in an island, count as nothing.
fn short(world: &World<'_>, dispatch: &Dispatch) -> Option<Detail> {
    let DispatchPhase::Running(index) = dispatch.phase(world.now) else {
        return None;
    };
    let target = dispatch.schedule.get(index)?;
    let bound = dispatch
        .target_p(index)
        .filter(|_| dispatch.is_in_force())?;
    let made = dispatch.plan.as_ref().map_or(dispatch.created, |p| p.made);
    let begun = target.interval.start.max(made);
    if world.now < begun.after(dispatch.ramp).after(world.policy.settle) {
        return None;
    }
    let group = world.fleet.group(dispatch.group)?;
    let (mut metered, mut allowed) = (Watts::ZERO, Watts::ZERO);
    for der in group.members.iter().filter_map(|id| world.fleet.der(*id)) {
        allowed += world.allowed_deviation(der);
        let p = world.observation(der.id).p;
        if let Some(p) = p.filter(|_| world.is_counted(der.id)) {
            metered += p.value;
        }
    }
    let about = Subject::Dispatch(dispatch.id);
    if world.fleet.alarms().is_raised(Kind::DispatchShort, &about) {
        allowed = Watts::from_micro(allowed.micro() / 5 * 4);
    }
    let astray = match target.aim {
        Aim::AtMost(most) => metered - most,
        Aim::AtLeast(least) => least - metered,
        Aim::Net(_) | Aim::Delta(_) | Aim::Percent(_) | Aim::Price(_) => (metered - bound).abs(),
    };
    (allowed < astray).then_some(Detail::Power {
        found: metered,
        bound,
    })
}
