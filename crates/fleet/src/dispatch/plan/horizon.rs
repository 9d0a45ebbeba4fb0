//! All intervals of a request as one problem.
//!
//! Interval by interval, a store gives its share of the first target whatever it is needed for
//! later, and members behind overlapping limits are never moved back. [`optimiser::horizon`] sees
//! stores, ramps, limits and targets of all intervals together. Its answer is real numbers; they
//! guide the same steps that put shares on the wire interval by interval, which keep the sums exact.

mod written;

use optimiser::horizon::{self, Problem, Settings};
use units::Watts;

use self::written::Written;
use super::{Member, OnShort, Plan, Request, Role};
use crate::dispatch::Objective;
use crate::dispatch::conflict::Constraint;

/// Most unit-intervals that are solved as one problem. Each is visited once in a sweep, of which a try
/// takes at most [`Settings::max_sweeps`], so it bounds the work by two tries of that many visits, and by
/// a few times that where members are off or on. Beyond it, intervals are planned in order.
pub(super) const MAX_CELLS: usize = 40_000;
/// Most unit-intervals in which what contradicts what is searched for.
pub(super) const MAX_NAMED_CELLS: usize = 2_000;
/// Most of a store that is kept back for rounding shares to what the wire can hold.
const MOST_KEPT: f64 = 0.01;

/// Shares that meet all targets together.
pub(super) struct Guide {
    /// By unit and interval of the problem, watts.
    p_w: Vec<f64>,
    intervals: usize,
    /// By member: which unit it is.
    units: Vec<Option<u32>>,
    /// By target: which interval it is.
    of_target: Vec<usize>,
    /// By target: what a relative one has come to.
    relative: Vec<Option<Watts>>,
    /// By unit: what its power counts from.
    neutral: Vec<Watts>,
}

impl Guide {
    /// The share of member number `index` in target number `position`.
    pub(super) fn share(&self, index: usize, position: usize) -> Option<Watts> {
        let unit = (*self.units.get(index)?)? as usize;
        let cell = unit * self.intervals + *self.of_target.get(position)?;
        let p_w = self.p_w.get(cell)?;
        Some(Watts::from_f64(*p_w) + *self.neutral.get(unit)?)
    }

    /// What the relative aim of a target has come to.
    pub(super) fn target(&self, position: usize) -> Option<Watts> {
        self.relative.get(position).copied().flatten()
    }
}

/// Whether all intervals at once may cost less than one after the other: where a store is used in
/// one, it is missing in the next.
pub(super) fn may_save(request: &Request<'_>) -> bool {
    let stores = |member: &Member| member.role == Role::Controllable && member.energy_up.is_some();
    request.objective == Objective::LeastCost
        && request.targets.len() > 1
        && request.members.iter().any(stores)
}

/// The plan of these two, which both meet the targets, that costs less.
pub(super) fn cheaper(request: &Request<'_>, in_order: Plan, at_once: Plan) -> Plan {
    match cost(request, &at_once) < cost(request, &in_order) {
        true => at_once,
        false => in_order,
    }
}

fn cost(request: &Request<'_>, plan: &Plan) -> f64 {
    let of = |allocation: &super::Allocation| {
        let members = request.members;
        let member = members
            .binary_search_by_key(&allocation.der, |m| m.der)
            .map(|position| &members[position]);
        let targets = &request.targets;
        let position = targets.binary_search_by_key(&allocation.interval, |(index, _)| *index);
        let (Ok(member), Ok(position)) = (member, position) else {
            return 0.0;
        };
        let moved = (allocation.share.p() - member.base).abs();
        moved.over(targets[position].1.interval.duration).as_f64() * member.merit as f64
    };
    plan.allocations.iter().map(of).sum()
}

/// Shares for all intervals together. `in_order` is the plan made one after the other, where there
/// is one: relative aims are what they have come to in it.
///
/// # Errors
/// The constraints that contradict each other, none where they are not known.
pub(super) fn guide(
    request: &Request<'_>,
    in_order: Option<&Plan>,
) -> Result<Guide, Vec<Constraint>> {
    let written = Written::new(request, in_order).ok_or_else(Vec::new)?;
    let solve = |problem: &Problem| horizon::solve(problem, &Settings::default()).ok();
    let solved = written.is_within_ranges().then(|| {
        // A target that takes the last of a store is met where its shares are on the wire as they are.
        solve(&written.with_room_for_rounding(request)).or_else(|| solve(&written.problem))
    });
    match solved.flatten() {
        Some(plan) => Ok(Guide {
            p_w: plan.p_w,
            neutral: written
                .members
                .iter()
                .map(|member| request.members[*member].behaviour.neutral)
                .collect(),
            intervals: written.problem.intervals(),
            units: written.units,
            of_target: written.of_target,
            relative: written.relative,
        }),
        None if request.on_short == OnShort::Approach => Err(Vec::new()),
        None => Err(written.conflict(request)),
    }
}
