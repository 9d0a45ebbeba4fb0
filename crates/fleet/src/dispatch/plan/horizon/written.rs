//! Writing a request as the optimiser's problem.

use optimiser::horizon::{
    self, Commitment, Deadline, Limit, Preferred, Problem, Ramp, Shape, Store, Switch, Unit,
};
use units::{MICRO, WattHours, Watts};

use super::super::fill::{State, ramp_reach};
use super::super::{Member, Plan, Request, Role};
use super::{MAX_CELLS, MAX_NAMED_CELLS, MOST_KEPT};
use crate::dispatch::conflict::Constraint;
use crate::dispatch::limit::Row;
use crate::dispatch::{Aim, Objective};

/// A request as the optimiser's problem.
pub(super) struct Written {
    pub(super) problem: Problem,
    /// By member: which unit it is.
    pub(super) units: Vec<Option<u32>>,
    /// By unit: which member it is.
    pub(super) members: Vec<usize>,
    /// By target: which interval it is.
    pub(super) of_target: Vec<usize>,
    /// By target: what a relative one has come to.
    pub(super) relative: Vec<Option<Watts>>,
}

impl Written {
    /// `None` where it is too large, or where aims can't be resolved.
    pub(super) fn new(request: &Request<'_>, in_order: Option<&Plan>) -> Option<Self> {
        let (units, members) = numbered(request);
        let targets = request.targets.len();
        let cells = members.len().saturating_mul(2 * targets);
        if members.is_empty() || MAX_CELLS < cells {
            return None;
        }
        let (mut aims, mut relative) = (Vec::new(), Vec::new());
        for (position, (_, target)) in request.targets.iter().enumerate() {
            let come_to = in_order.map(|plan| plan.balances[position].target);
            let (aim, net) = match target.aim {
                Aim::Net(p) => (horizon::Target::Exact(p.as_f64()), None),
                Aim::AtMost(p) => (horizon::Target::AtMost(p.as_f64()), None),
                Aim::AtLeast(p) => (horizon::Target::AtLeast(p.as_f64()), None),
                Aim::Delta(_) | Aim::Percent(_) => {
                    (horizon::Target::Exact(come_to?.as_f64()), come_to)
                }
                Aim::Price(_) => return None,
            };
            aims.push(aim);
            relative.push(net);
        }
        let state = State::new(request, None);
        let mut written = Self {
            problem: Problem::default(),
            units,
            members,
            of_target: Vec::new(),
            relative,
        };
        written.intervals(request, &state, &aims);
        written.limits(request, &state);
        written.write_units(request, state);
        Some(written)
    }

    /// Intervals, those between targets included, and the targets without what members that are not
    /// asked do. The power of a unit counts from that at which its energy stays as it is.
    fn intervals(&mut self, request: &Request<'_>, state: &State<'_>, aims: &[horizon::Target]) {
        let problem = &mut self.problem;
        for (position, (_, target)) in request.targets.iter().enumerate() {
            let before = position.checked_sub(1);
            if let Some((_, before)) = before.map(|before| &request.targets[before]) {
                let gap = target.interval.start.since(before.interval.end());
                if !gap.is_zero() {
                    problem.interval_s.push(gap.as_secs_f64());
                    problem.targets.push(horizon::Target::Free);
                }
            }
            let expected = state.expected(position);
            let members = expected.iter().zip(request.members).zip(&self.units);
            let apart: Watts = members
                .map(|((p, member), unit)| match unit {
                    None => *p,
                    Some(_) => member.behaviour.neutral,
                })
                .sum();
            let less = |p_w: f64| p_w - apart.as_f64();
            self.of_target.push(problem.interval_s.len());
            let duration = state.remaining(position).as_secs_f64();
            problem.interval_s.push(duration.max(1.0));
            problem.targets.push(match aims[position] {
                horizon::Target::Free => horizon::Target::Free,
                horizon::Target::Exact(p_w) => horizon::Target::Exact(less(p_w)),
                horizon::Target::AtMost(p_w) => horizon::Target::AtMost(less(p_w)),
                horizon::Target::AtLeast(p_w) => horizon::Target::AtLeast(less(p_w)),
            });
        }
        problem.price_per_wh = vec![0.0; problem.interval_s.len()];
    }

    fn limits(&mut self, request: &Request<'_>, state: &State<'_>) {
        let asked: Vec<bool> = self.units.iter().map(Option::is_some).collect();
        for limit in request.limits {
            let mut row = Limit {
                terms: Vec::new(),
                at_most_w: vec![f64::INFINITY; self.problem.interval_s.len()],
            };
            let intervals = self.of_target.iter().zip(&request.targets);
            for (number, (interval, (_, target))) in intervals.enumerate() {
                if !limit.holds_in(target.interval) {
                    continue;
                }
                let expected = state.expected(number);
                let Row { terms, room, .. } = limit.row(request, &asked, &expected, number);
                let neutral = |(member, c): &(usize, f64)| {
                    c * request.members[*member].behaviour.neutral.as_f64()
                };
                let neutral: f64 = terms.iter().map(neutral).sum();
                row.at_most_w[*interval] = room / MICRO as f64 - neutral;
                let units = terms.iter();
                row.terms = units
                    .filter_map(|(member, c)| Some((self.units[*member]?, *c)))
                    .collect();
            }
            self.problem.limits.push(row);
        }
    }

    fn write_units(&mut self, request: &Request<'_>, state: State<'_>) {
        let costs = costs(request, &self.members);
        let taken: Vec<Option<Shape>> = self
            .members
            .iter()
            .map(|member| self.taken(request, &state, &request.members[*member]))
            .collect();
        let targets = request.targets.len();
        let expected: Vec<Vec<Watts>> = (0..targets.min(1)).map(|t| state.expected(t)).collect();
        let (previous, drawn) = state.outset();
        let level = level(request, &self.problem, &self.members);
        for ((index, deviation_per_wh), taken) in self.members.iter().zip(costs).zip(taken) {
            let member = &request.members[*index];
            let start = expected.first().map_or(member.base, |row| row[*index]);
            let neutral = member.behaviour.neutral;
            let (lo, hi) = (
                (member.lo - neutral).as_f64(),
                (member.hi - neutral).as_f64(),
            );
            let toward = match request.objective {
                Objective::ProRata if level < 0.0 => start - member.lo,
                Objective::ProRata => member.hi - start,
                Objective::LeastCost | Objective::LeastUsed | Objective::FewestDevices => {
                    Watts::ZERO
                }
            };
            let p_w = (start - neutral).as_f64() + level * toward.as_f64();
            let reach = member
                .ramp_w_per_s
                .map(|ramp| ramp_reach(ramp, request.ramp).as_f64());
            let mut unit = Unit {
                lo_w: lo,
                hi_w: hi,
                preferred: Some(Preferred {
                    p_w: p_w.clamp(lo, hi),
                    deviation_per_wh,
                }),
                ramp: reach
                    .filter(|reach| *reach < hi - lo)
                    .map(|max_step_w| Ramp {
                        from_w: (previous[*index] - neutral).as_f64(),
                        max_step_w,
                    }),
                store: store(member, drawn[*index]),
                commitment: commitment(member, (lo, hi)),
                ..Unit::default()
            };
            self.have_charged(request, member, &mut unit);
            if let Some(shape) = taken {
                (unit.lo_w, unit.hi_w) = (1.0, 1.0);
                unit.shape = u32::try_from(self.problem.shapes.len()).ok();
                self.problem.shapes.push(shape);
            }
            self.problem.units.push(unit);
        }
    }

    /// Has the store of a vehicle charged when it leaves, as far as it can be, and the vehicle gone
    /// afterwards.
    fn have_charged(&self, request: &Request<'_>, member: &Member, unit: &mut Unit) {
        let (Some(need), Some(store)) = (member.behaviour.need, &mut unit.store) else {
            return;
        };
        let ends = request
            .targets
            .iter()
            .map(|(_, target)| target.interval.end());
        let there = ends.take_while(|end| *end <= need.by).count();
        let Some(last) = there.checked_sub(1) else {
            unit.present_until = 0;
            return;
        };
        let until = request.targets[last].1.interval.end();
        let later = member
            .behaviour
            .drawn(member.lo, need.by.since(until))
            .abs();
        let needed = (member.energy_up.unwrap_or_default().max(WattHours::ZERO) + need.energy
            - later)
            .as_f64();
        let interval = self.of_target[last];
        let hours: f64 = self.problem.interval_s[..=interval].iter().sum::<f64>() / 3_600.0;
        let most = store.energy_wh + store.charge_efficiency * hours * -unit.lo_w.min(0.0);
        let min_wh = needed.min(most).min(store.capacity_wh).max(0.0);
        let interval = u32::try_from(interval).unwrap_or(u32::MAX);
        store.deadline = Some(Deadline { interval, min_wh });
        if there < request.targets.len() {
            unit.present_until = interval + 1;
        }
    }

    /// The range of a member by interval in watts, where it is not the same in all: a more urgent
    /// dispatch asks for something in some, or it is left to itself between them.
    fn taken(&self, request: &Request<'_>, state: &State<'_>, member: &Member) -> Option<Shape> {
        let intervals = self.problem.interval_s.len();
        let targets = 0..request.targets.len();
        let elsewhere = targets.map(|t| Some(state.elsewhere(member, t)?.course.mean));
        let elsewhere: Vec<Option<Watts>> = elsewhere.collect();
        if intervals == self.of_target.len() && elsewhere.iter().all(Option::is_none) {
            return None;
        }
        // Between targets it does what it does unasked, and stops where its store is full or empty.
        let neutral = member.behaviour.neutral;
        let (base, none) = ((member.base - neutral).as_f64(), f64::INFINITY);
        let room_wh = match base < 0.0 {
            true => member.energy_down.map_or(none, WattHours::as_f64),
            false => member.energy_up.map_or(none, WattHours::as_f64),
        };
        let hours: f64 = self.problem.interval_s.iter().sum::<f64>() / 3_600.0;
        let (lo, hi) = match base.abs() * hours <= room_wh {
            true => (base, base),
            false => (base.min(0.0), base.max(0.0)),
        };
        let mut shape = Shape {
            lo: vec![lo; intervals],
            hi: vec![hi; intervals],
        };
        let mut next = 0;
        for (position, (interval, elsewhere)) in self.of_target.iter().zip(elsewhere).enumerate() {
            let before = request.before(member, position);
            if let Some(course) = before.filter(|_| next < *interval) {
                let p = (course.mean - neutral).as_f64();
                (shape.lo[next], shape.hi[next]) = (p.min(0.0), p.max(0.0));
            }
            let (lo, hi) = elsewhere.map_or((member.lo, member.hi), |p| (p, p));
            shape.lo[*interval] = (lo - neutral).as_f64();
            shape.hi[*interval] = (hi - neutral).as_f64();
            next = interval + 1;
        }
        Some(shape)
    }

    /// The problem with a little of every store kept back at both ends, as much as shares may differ
    /// from their ideal on the wire.
    pub(super) fn with_room_for_rounding(&self, request: &Request<'_>) -> Problem {
        let mut problem = self.problem.clone();
        let hours: f64 = problem.interval_s.iter().sum::<f64>() / 3_600.0;
        for (unit, member) in problem.units.iter_mut().zip(&self.members) {
            let member = &request.members[*member];
            if let Some(store) = &mut unit.store {
                let rounding = member.grid.step(member.hi).as_f64() * hours;
                let kept = rounding.min(MOST_KEPT * store.capacity_wh);
                store.capacity_wh = (store.capacity_wh - kept).max(store.energy_wh);
                store.reserve_wh = kept.min(store.energy_wh);
            }
        }
        problem
    }

    /// Whether every target lies within what the members can do at all, each for itself. Where one
    /// does not there is nothing to solve.
    pub(super) fn is_within_ranges(&self) -> bool {
        let problem = &self.problem;
        let targets = problem.targets.iter().enumerate();
        targets.into_iter().all(|(t, target)| {
            let ranges = problem.units.iter().map(|unit| problem.range_w(unit, t));
            let (lo, hi) = ranges.fold((0.0, 0.0), |sum, range| (sum.0 + range.0, sum.1 + range.1));
            let slack = optimiser::TOLERANCE * f64::max(hi - lo, 1.0);
            match target {
                horizon::Target::Free => true,
                horizon::Target::Exact(p_w) => lo - slack <= *p_w && *p_w <= hi + slack,
                horizon::Target::AtLeast(p_w) => *p_w <= hi + slack,
                horizon::Target::AtMost(p_w) => lo - slack <= *p_w,
            }
        })
    }

    pub(super) fn conflict(&self, request: &Request<'_>) -> Vec<Constraint> {
        if MAX_NAMED_CELLS < self.problem.units.len() * self.problem.intervals() {
            return Vec::new();
        }
        let constraints = horizon::conflict(&self.problem).map(|conflict| conflict.constraints);
        let interval = |interval: u32| {
            let mut targets = self.of_target.iter().zip(&request.targets);
            let at = targets.find(|(at, _)| **at == interval as usize);
            at.map(|(_, (index, _))| *index as usize + 1)
        };
        let der = |unit: u32| request.members[self.members[unit as usize]].der.into();
        let named = |constraint: horizon::Constraint| match constraint {
            horizon::Constraint::Target { interval: at } => Constraint::Target {
                interval: interval(at).unwrap_or_default(),
            },
            horizon::Constraint::Limit {
                limit,
                interval: at,
            } => Constraint::Limit {
                name: request.limits[limit as usize].name.clone(),
                interval: interval(at),
            },
            horizon::Constraint::Deadline { unit } => Constraint::Departure(der(unit)),
            horizon::Constraint::Store { unit } => Constraint::Energy(der(unit)),
            horizon::Constraint::Ramp { unit } => Constraint::Ramp(der(unit)),
            horizon::Constraint::Ranges => Constraint::Members,
        };
        constraints
            .unwrap_or_default()
            .into_iter()
            .map(named)
            .collect()
    }
}

/// By member, the number of its unit; by unit, the position of its member.
fn numbered(request: &Request<'_>) -> (Vec<Option<u32>>, Vec<usize>) {
    let mut members = Vec::new();
    let mut units = Vec::with_capacity(request.members.len());
    for (index, member) in request.members.iter().enumerate() {
        units.push(match member.role {
            Role::Controllable => u32::try_from(members.len()).ok(),
            Role::Fixed | Role::Held => None,
        });
        if member.role == Role::Controllable {
            members.push(index);
        }
    }
    (units, members)
}

/// What is left in the store of a member when the first interval begins.
fn store(member: &Member, drawn: WattHours) -> Option<Store> {
    let (up, down) = (member.energy_up?, member.energy_down?);
    let none = WattHours::ZERO;
    let energy = (up.max(none) - drawn).max(none);
    Some(Store {
        energy_wh: energy.as_f64(),
        capacity_wh: (energy + (down + drawn).max(none)).as_f64(),
        reserve_wh: 0.0,
        charge_efficiency: member.behaviour.charge_efficiency,
        discharge_efficiency: member.behaviour.discharge_efficiency,
        loss_per_h: 0.0,
        deadline: None,
        end_min_wh: 0.0,
    })
}

/// A device that is either off or on: switched away from what its power counts from, or not.
fn commitment(member: &Member, (lo, hi): (f64, f64)) -> Option<Commitment> {
    let switching = member.behaviour.switching?;
    let is_on = |p: Watts| p < Watts::ZERO;
    let neutral = is_on(member.behaviour.neutral);
    let (there, back) = if neutral {
        (switching.min_off, switching.min_on)
    } else {
        (switching.min_on, switching.min_off)
    };
    let lasted_s = switching.lasted.map(|lasted| lasted.as_secs_f64());
    Some(Commitment {
        min_w: lo.abs().max(hi.abs()),
        start_cost: 0.0,
        min_on_s: there.as_secs_f64(),
        min_off_s: back.as_secs_f64(),
        before: match is_on(switching.output) == neutral {
            true => Switch::Off,
            false => Switch::On,
        },
        lasted_s: lasted_s.unwrap_or(f64::INFINITY),
    })
}

/// By unit, what a Wh away from where it would rather be counts.
fn costs(request: &Request<'_>, members: &[usize]) -> Vec<f64> {
    let members = || members.iter().map(|index| &request.members[*index]);
    let width = |member: &Member| (member.hi - member.lo).as_f64();
    let most = members()
        .map(|member| member.merit)
        .max()
        .unwrap_or(0)
        .max(1) as f64;
    let widest = members().map(width).fold(1.0, f64::max);
    let cost = |member: &Member| match request.objective {
        Objective::ProRata => 1.0,
        // Nobody moves for nothing, so that those whose terms name no price are not moved in circles.
        Objective::LeastCost => 1e-3 + member.merit as f64 / most,
        Objective::LeastUsed => 1e-2 + member.merit as f64 / most,
        Objective::FewestDevices => 2.0 - width(member) / widest,
    };
    members().map(cost).collect()
}

/// The same share of everybody's way that would meet the targets on average: from -1, all the way
/// down, to 1.
fn level(request: &Request<'_>, problem: &Problem, members: &[usize]) -> f64 {
    let members = || members.iter().map(|index| &request.members[*index]);
    let base: Watts = members().map(|member| member.base).sum();
    let (mut asked, mut hours) = (0.0, 0.0);
    for (interval_s, target) in problem.interval_s.iter().zip(&problem.targets) {
        let p_w = match target {
            horizon::Target::Free => continue,
            horizon::Target::Exact(p_w) => *p_w,
            horizon::Target::AtMost(p_w) => p_w.min(base.as_f64()),
            horizon::Target::AtLeast(p_w) => p_w.max(base.as_f64()),
        };
        asked += (p_w - base.as_f64()) * interval_s;
        hours += interval_s;
    }
    let mean = asked / f64::max(hours, 1.0);
    let way: Watts = match mean < 0.0 {
        true => members().map(|member| member.base - member.lo).sum(),
        false => members().map(|member| member.hi - member.base).sum(),
    };
    (mean / way.as_f64().max(1.0)).clamp(-1.0, 1.0)
}
