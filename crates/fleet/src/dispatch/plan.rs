//! Sharing a net target among the members of a group.
//!
//! In each interval every controllable member has a feasible range: its own limits, what its
//! ramp can reach and what its energy can hold for the whole interval. All start from what they
//! would do unasked and move by the same fraction of the range that lies in the asked direction
//! (water-filling: a member whose level is capped by a shared limit stops, the others go on).
//! Where shared limits overlap this keeps every one of them, but caps are never raised again.
//! Where an interval then falls short, because of such limits or of energy that was spent before, all
//! intervals are solved as one problem, which also says what contradicts what when there is no
//! plan.
//! Shares are then put on the values each device's wire format can hold and the rounding is
//! handed out step by step, so that shares, unasked output and a named residue add up to the
//! target exactly.

mod fill;
mod horizon;

use std::collections::BTreeSet;
use std::time::Duration;

use units::{Money, Timestamp, WattHours, Watts};

use super::limit::LinearLimit;
use super::meanwhile::{Course, Elsewhere, Later};
use super::share::Grid;
use super::{Behaviour, Objective, Past, Standing, Target};
use crate::{ActivePower, DerId, DispatchId, Rejection};

/// What a member contributes to a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Can be asked for a share.
    Controllable,
    /// Can't be asked and is expected to keep its output.
    Fixed,
    /// Silent: expected to follow the controls it holds, counted at its most adverse feasible
    /// output against shared limits until it is known to be at its default control. Or silent having
    /// left the dispatch: expected to do what it did last, counted so whatever its default. Or in a
    /// microgrid on its way to or from an island: expected to do nothing, counted in the same way.
    Held,
}

/// One member, as the planner sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct Member {
    /// Who.
    pub der: DerId,
    /// How it stands, for the record.
    pub standing: Standing,
    /// What it contributes.
    pub role: Role,
    /// Output it would have unasked.
    pub base: Watts,
    /// Lowest output it can be asked for.
    pub lo: Watts,
    /// Highest output it can be asked for.
    pub hi: Watts,
    /// Steepest change per second, `None` when unlimited.
    pub ramp_w_per_s: Option<Watts>,
    /// Energy stored above its reserve, `None` when unlimited.
    pub energy_up: Option<WattHours>,
    /// Energy missing until its store is full, `None` when unlimited.
    pub energy_down: Option<WattHours>,
    /// How its energy behaves.
    pub behaviour: Behaviour,
    /// Values it can be asked for.
    pub grid: Grid,
    /// For a held member: the position in [`Request::targets`] from which it is known to be at its
    /// default control, and so no longer counted at its worst. `None` when it never is.
    pub settled_from: Option<u32>,
    /// Position in [`Request::expected`], for members whose output differs by interval: held
    /// members, and controllable ones that had shares in the parent plan.
    pub expected: Option<u32>,
    /// Position in [`Request::elsewhere`], for members of which other dispatches ask something before
    /// or between the targets, or that are a more urgent one's own in some.
    pub elsewhere: Option<u32>,
    /// Least and most that controls from elsewhere than this dispatch have it do at some time in its
    /// targets, where it is not asked for something else.
    pub committed: Option<(Watts, Watts)>,
    /// Its place in the order of the [`Objective`]: the lowest come first, those alike share.
    pub merit: i64,
    /// What a kWh of its flexibility costs; `None` when it is not for sale.
    pub price_per_kwh: Option<Money>,
}

/// What a more urgent dispatch has one of its members do in an interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// So much, when it begins; what it does unasked, where that dispatch does not ask it.
    pub p: Watts,
    /// And then until it ends.
    pub course: Course,
    /// For how much of the interval it does.
    pub extent: Extent,
}

/// How much of an interval something holds for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Then something else that the same dispatch asks, to its end.
    Several,
    /// Not to its end; what the member does afterwards is open.
    Part,
}

/// What to do when the members can't reach the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnShort {
    /// Refuse, naming what is short.
    Reject,
    /// Go as far as possible; the residue says what is missing. For corrections of a dispatch
    /// that runs already.
    Approach,
}

/// What to plan. `members` ascend by DER.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// For which dispatch.
    pub dispatch: DispatchId,
    /// The generation this plan will have.
    pub generation: u32,
    /// When it is made.
    pub now: Timestamp,
    /// When its controls can begin to act; a whole second.
    pub effective: Timestamp,
    /// Schedule index and target of the intervals to plan, in order.
    pub targets: Vec<(u32, Target)>,
    /// How long an interval's ramp may take.
    pub ramp: Duration,
    /// The members.
    pub members: &'a [Member],
    /// By [`Member::expected`]: expected output in each of `targets`.
    pub expected: &'a [Vec<Watts>],
    /// By [`Member::elsewhere`]: what other dispatches ask before and in each of `targets`.
    pub elsewhere: &'a [Vec<Elsewhere>],
    /// By what members are chosen.
    pub objective: Objective,
    /// Limits over several members.
    pub limits: &'a [LinearLimit],
    /// What to do when the target is out of reach.
    pub on_short: OnShort,
}

/// What one member is asked, or expected to do, in one interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allocation {
    /// Who.
    pub der: DerId,
    /// Index in the dispatch's schedule.
    pub interval: u32,
    /// What it is asked.
    pub share: ActivePower,
}

/// Shares for the rest of a dispatch. Immutable; a change is a plan of the next generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// For which dispatch.
    pub dispatch: DispatchId,
    /// Counts up from 1; the parent is the one before.
    pub generation: u32,
    /// When it was made.
    pub made: Timestamp,
    /// When its controls begin to act.
    pub effective: Timestamp,
    /// Shares, by interval, then by DER.
    pub allocations: Vec<Allocation>,
    /// Members that are not asked, and why.
    pub unasked: Vec<(DerId, Standing)>,
    /// By interval planned: schedule index, output expected of members not asked, and what is
    /// left of the target once both are taken off. The residue is smaller than the finest step
    /// of a member with room, unless the plan could only approach the target.
    pub balances: Vec<Balance>,
    /// By interval, then by DER: members that are a more urgent dispatch's own in it, and this one does
    /// not.
    pub elsewhere: Vec<(u32, DerId)>,
    /// Members that may know of their first new share only so long after it is due, ascending.
    pub late: Vec<(DerId, Duration)>,
    /// What was known of the members that heat, or are off or on, when it was made; ascending by DER.
    pub pasts: Vec<Past>,
    /// Digest of the observation it rests on.
    pub observed: u64,
}

/// How one interval adds up: `target = shares + unasked + residue`, to the micro-watt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balance {
    /// Index in the dispatch's schedule.
    pub interval: u32,
    /// Net target.
    pub target: Watts,
    /// Expected of members that are not asked.
    pub unasked: Watts,
    /// What nobody was given.
    pub residue: Watts,
}

impl Plan {
    /// The share of `der` in schedule interval `interval`.
    #[must_use]
    pub fn share(&self, der: DerId, interval: u32) -> Option<ActivePower> {
        self.allocations
            .binary_search_by_key(&(interval, der), |a| (a.interval, a.der))
            .ok()
            .map(|position| self.allocations[position].share)
    }

    /// How `der` stood when it was left out; `None` when it was asked or is no member.
    #[must_use]
    pub fn standing_of(&self, der: DerId) -> Option<Standing> {
        let position = self
            .unasked
            .binary_search_by_key(&der, |(id, _)| *id)
            .ok()?;
        Some(self.unasked[position].1)
    }
}

/// Plans `request`: interval by interval, and over all of them at once where that falls short or
/// costs more than it has to.
///
/// # Errors
/// [`Rejection::ShortOfPower`] or [`Rejection::ShortOfEnergy`] when the target is out of reach
/// and the request says to refuse; [`Rejection::LimitExceeded`] when a shared limit is broken
/// whatever is asked; [`Rejection::Conflict`] around any of them when it takes more than one
/// interval, limit or member to see why.
pub fn plan(request: &Request<'_>) -> Result<Plan, Rejection> {
    let in_order = fill(request, None);
    let is_short = |filled: &Filled| filled.short.is_some();
    if in_order.as_ref().is_ok_and(|filled| !is_short(filled)) && !horizon::may_save(request) {
        return in_order.map(|filled| filled.plan);
    }
    let planned = in_order.as_ref().ok().map(|filled| &filled.plan);
    let guide = horizon::guide(request, planned);
    let at_once = guide.as_ref().ok().map(|guide| fill(request, Some(guide)));
    let at_once = at_once
        .and_then(Result::ok)
        .filter(|filled| !is_short(filled));
    let clashes = guide.err().unwrap_or_default();
    match (in_order, at_once) {
        (Ok(in_order), Some(at_once)) if !is_short(&in_order) => {
            Ok(horizon::cheaper(request, in_order.plan, at_once.plan))
        }
        (_, Some(at_once)) => Ok(at_once.plan),
        (Ok(in_order), None) => match (in_order.short, request.on_short) {
            (Some(short), OnShort::Reject) => Err(short.among(clashes)),
            _ => Ok(in_order.plan),
        },
        (Err(rejection), None) => Err(rejection.among(clashes)),
    }
}

/// A plan, and what the first target that it misses was short of.
struct Filled {
    plan: Plan,
    short: Option<Rejection>,
}

fn fill(request: &Request<'_>, guide: Option<&horizon::Guide>) -> Result<Filled, Rejection> {
    let mut state = fill::State::new(request, guide);
    let mut plan = Plan {
        dispatch: request.dispatch,
        generation: request.generation,
        made: request.now,
        effective: request.effective,
        allocations: Vec::with_capacity(request.members.len() * request.targets.len()),
        unasked: request
            .members
            .iter()
            .filter(|member| member.role != Role::Controllable)
            .map(|member| (member.der, member.standing))
            .collect(),
        balances: Vec::with_capacity(request.targets.len()),
        elsewhere: elsewhere(request),
        late: Vec::new(),
        pasts: Vec::new(),
        observed: digest(request.members),
    };
    for position in 0..request.targets.len() {
        let balance = state.fill(position, &mut plan.allocations)?;
        plan.balances.push(balance);
    }
    plan.add_spare(request);
    let short = state.short();
    Ok(Filled { plan, short })
}

impl Plan {
    /// Notes the members that could be asked and are not needed.
    fn add_spare(&mut self, request: &Request<'_>) {
        let asked: BTreeSet<DerId> = self.allocations.iter().map(|a| a.der).collect();
        let taken: BTreeSet<DerId> = self.elsewhere.iter().map(|(_, der)| *der).collect();
        let spare = request.members.iter().filter(|member| {
            member.role == Role::Controllable
                && !taken.contains(&member.der)
                && !asked.contains(&member.der)
        });
        self.unasked
            .extend(spare.map(|member| (member.der, Standing::Spare)));
        self.unasked.sort_unstable_by_key(|(der, _)| *der);
    }
}

impl Request<'_> {
    /// What a more urgent dispatch asks of `member` at this position of the targets.
    pub(super) fn taken(&self, member: &Member, position: usize) -> Option<Taken> {
        self.elsewhere(member, position).during
    }

    /// What other dispatches have `member` do before this position of the targets; `None` where it does
    /// what it does unasked.
    pub(super) fn before(&self, member: &Member, position: usize) -> Option<Course> {
        self.elsewhere(member, position).before
    }

    /// What a more urgent dispatch asks of `member` from some time of this target on.
    pub(super) fn later(&self, member: &Member, position: usize) -> Option<Later> {
        self.elsewhere(member, position).later
    }

    fn elsewhere(&self, member: &Member, position: usize) -> Elsewhere {
        let row = member
            .elsewhere
            .and_then(|row| self.elsewhere.get(row as usize));
        let known = row.and_then(|row| row.get(position)).copied();
        known.unwrap_or_default()
    }
}

fn elsewhere(request: &Request<'_>) -> Vec<(u32, DerId)> {
    let mut taken = Vec::new();
    for (position, (interval, _)) in request.targets.iter().enumerate() {
        let members = request.members.iter().filter(|member| {
            member.role == Role::Controllable && request.taken(member, position).is_some()
        });
        taken.extend(members.map(|member| (*interval, member.der)));
    }
    taken
}

/// FNV-1a over what the planner saw, a word for each member, so that a plan can be tied to its observation.
fn digest(members: &[Member]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for member in members {
        let identity = u64::from(member.der.0) << 8 | member.role as u64;
        let energy = member.energy_up.map_or(0, WattHours::micro)
            ^ member
                .energy_down
                .map_or(0, WattHours::micro)
                .rotate_left(16);
        let power = member.base.micro()
            ^ member.lo.micro().rotate_left(21)
            ^ member.hi.micro().rotate_left(42);
        let seen = identity ^ energy.cast_unsigned().rotate_left(8) ^ power.cast_unsigned();
        hash = (hash ^ seen).wrapping_mul(PRIME);
    }
    hash
}
