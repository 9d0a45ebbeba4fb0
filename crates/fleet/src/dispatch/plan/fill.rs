//! One interval at a time: ranges, common level, wire values, rounding.

mod merit;
mod rounding;

use std::time::Duration;

use units::{Interval, WattHours, Watts};

use super::horizon::Guide;
use super::{Allocation, Balance, Member, Request, Role, Taken};
use crate::dispatch::Aim;
use crate::dispatch::limit::Row;
use crate::{Name, Rejection};

/// Most rounds of capping levels at shared limits; each round settles at least one limit, so
/// this bounds contradictory sets only.
const MAX_ROUNDS: usize = 64;

/// By how much a shared limit may seem exceeded for the sake of floating point, in micro-watts.
const TOLERANCE_MICRO_W: f64 = 1_000.0;

/// A member's feasible range in the interval at hand.
#[derive(Clone, Copy, Debug)]
struct Slot {
    lo: Watts,
    hi: Watts,
    /// Where it starts from: its unasked output brought into the range.
    start: Watts,
    /// What it is given.
    share: Watts,
}

/// What carries over from one interval to the next.
pub(super) struct State<'a> {
    request: &'a Request<'a>,
    /// Shares for all intervals together, where those in order are not enough.
    guide: Option<&'a Guide>,
    slots: Vec<Slot>,
    /// Who is asked in the interval at hand.
    asked: Vec<bool>,
    /// Output at the end of the interval before.
    previous: Vec<Watts>,
    /// Energy injected since now, net, by member with a store.
    drawn: Vec<WattHours>,
    /// Energy by which shares have fallen behind the guide, by member.
    owed: Vec<WattHours>,
    /// What the first target that was missed was short of.
    short: Option<Rejection>,
}

/// The direction of the asked change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl<'a> State<'a> {
    pub(super) fn new(request: &'a Request<'a>, guide: Option<&'a Guide>) -> Self {
        let mut state = Self {
            request,
            guide,
            slots: Vec::with_capacity(request.members.len()),
            asked: Vec::new(),
            previous: request.members.iter().map(|m| m.base).collect(),
            drawn: vec![WattHours::ZERO; request.members.len()],
            owed: vec![WattHours::ZERO; request.members.len()],
            short: None,
        };
        if let Some((_, first)) = request.targets.first() {
            // A meter read in mid-ramp says less than the control that runs.
            if first.interval.start <= request.now {
                state.previous = state.expected(0);
            }
            let begins = first.interval.start.max(request.effective);
            state.pass(begins.since(request.now), 0);
        }
        state
    }

    /// Output before the first interval, and energy injected until then.
    pub(super) fn outset(self) -> (Vec<Watts>, Vec<WattHours>) {
        (self.previous, self.drawn)
    }

    /// What the first target that was missed was short of.
    pub(super) fn short(self) -> Option<Rejection> {
        self.short
    }

    /// Counts the energy that flows while the output stays as it was. A store stops at its bounds.
    fn draw(&mut self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let members = self.request.members.iter().zip(&self.previous);
        for (drawn, (member, p)) in self.drawn.iter_mut().zip(members) {
            let full = member.energy_down.map_or(-WattHours::MAX, |down| -down);
            let empty = member.energy_up.unwrap_or(WattHours::MAX);
            let flow = member.behaviour.drawn(*p, duration);
            *drawn = (*drawn + flow).max(full).min(empty);
        }
    }

    /// Plans one interval and appends its allocations.
    pub(super) fn fill(
        &mut self,
        position: usize,
        allocations: &mut Vec<Allocation>,
    ) -> Result<Balance, Rejection> {
        let (interval, target) = self.request.targets[position];
        let duration = self.remaining(position);
        let expected: Vec<Watts> = self.expected(position);
        let members = self.request.members.iter();
        let asked = members.zip(&expected).map(|(member, expected)| {
            let is_free = self.elsewhere(member, position).is_none();
            let stays = !member.behaviour.leaves_before(target.interval.end());
            let takes_any = self.guide.is_some()
                || member.behaviour.switching.is_none()
                || is_switched(member, *expected);
            member.role == Role::Controllable && is_free && stays && takes_any
        });
        self.asked = asked.collect();
        self.ranges(&expected, self.ahead(position));
        self.follow_guide(position, duration);
        let rows: Vec<Row> = self
            .request
            .limits
            .iter()
            .filter(|limit| limit.holds_in(target.interval))
            .flat_map(|limit| limit.rows(self.request, &self.asked, &expected, position))
            .collect();
        self.relieve(&rows);
        let wanted = self.wanted(position, &expected);
        self.share_out(position, wanted - self.unasked(&expected), &rows)?;
        self.spare(target.aim, &expected);
        let unasked = self.unasked(&expected);
        let wanted = self.reached(target.aim, wanted, unasked);
        let residue = self.round(wanted - unasked, &rows);
        self.pay(duration);
        let members = self.request.members.iter().zip(&self.slots);
        for ((member, slot), asked) in members.zip(&self.asked) {
            if *asked {
                let share = member.grid.encode(slot.share);
                let der = member.der;
                allocations.push(Allocation {
                    der,
                    interval,
                    share,
                });
            }
        }
        if position + 1 < self.request.targets.len() {
            self.carry_over(position, duration);
        }
        Ok(Balance {
            interval,
            target: wanted,
            unasked,
            residue,
        })
    }

    /// Starts from what the guide has for this interval and what rounding owes it from those before,
    /// as far as the ranges allow.
    fn follow_guide(&mut self, position: usize, duration: Duration) {
        let Some(guide) = self.guide else {
            return;
        };
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let Some(p) = guide.share(index, position).filter(|_| self.asked[index]) {
                if self.request.members[index].behaviour.switching.is_some() {
                    let p = p.clamp(slot.lo, slot.hi);
                    (slot.lo, slot.hi, slot.start, slot.share) = (p, p, p, p);
                    continue;
                }
                let owed = self.owed[index].spread_over(duration).unwrap_or_default();
                slot.start = (p + owed).clamp(slot.lo, slot.hi);
                slot.share = slot.start;
                self.owed[index] += p.over(duration);
            }
        }
    }

    /// Takes what the shares give off what rounding owes to the guide.
    fn pay(&mut self, duration: Duration) {
        if self.guide.is_some() {
            let shares = self.slots.iter().zip(&self.asked).zip(&mut self.owed);
            for ((slot, _), owed) in shares.filter(|((_, asked), _)| **asked) {
                *owed -= slot.share.over(duration);
            }
        }
    }

    /// What the next interval starts from; in a gap before it members go back to what they do
    /// unasked.
    fn carry_over(&mut self, position: usize, duration: Duration) {
        let request = self.request;
        let outputs = self.previous.iter_mut().zip(&self.slots);
        for ((previous, slot), member) in outputs.zip(request.members) {
            let taken = request.taken(member, position);
            let later = request.later(member, position);
            let own = later.map_or(slot.share, |later| later.mean_with(slot.share));
            *previous = taken.map_or(own, |taken| taken.course.mean);
        }
        self.draw(duration);
        let outputs = self.previous.iter_mut().zip(&self.slots);
        for ((previous, slot), member) in outputs.zip(request.members) {
            let taken = request.taken(member, position);
            *previous = taken.map_or(slot.share, |taken| taken.course.last);
        }
        let [(_, this), (_, next), ..] = &self.request.targets[position..] else {
            return;
        };
        let gap = next.interval.start.since(this.interval.end());
        if !gap.is_zero() {
            let stores = self.request.members.iter().zip(&self.drawn);
            for (previous, (member, drawn)) in self.previous.iter_mut().zip(stores) {
                *previous = member.base + member.behaviour.rebound(*drawn, gap);
            }
            self.pass(gap, position + 1);
        }
    }

    /// Lets the time before a target pass, in which others may ask something of members.
    fn pass(&mut self, duration: Duration, position: usize) {
        let request = self.request;
        let before = |member| request.before(member, position);
        for (previous, member) in self.previous.iter_mut().zip(request.members) {
            *previous = before(member).map_or(*previous, |course| course.mean);
        }
        self.draw(duration);
        for (previous, member) in self.previous.iter_mut().zip(request.members) {
            *previous = before(member).map_or(*previous, |course| course.last);
        }
    }

    /// How much of the interval lies ahead once controls can act.
    pub(super) fn remaining(&self, position: usize) -> Duration {
        self.ahead(position).duration
    }

    /// The part of the interval that lies ahead once controls can act.
    fn ahead(&self, position: usize) -> Interval {
        let interval = self.request.targets[position].1.interval;
        Interval::between(interval.start.max(self.request.effective), interval.end())
    }

    /// Output each member would have in this interval if nothing more were asked.
    pub(super) fn expected(&self, position: usize) -> Vec<Watts> {
        let by_interval = |member: &Member| {
            let row = self.request.expected.get(member.expected? as usize)?;
            row.get(position).copied()
        };
        let ahead = self.ahead(position);
        let output = |(member, drawn): (&Member, &WattHours)| {
            if member.behaviour.leaves_before(ahead.end()) {
                return Watts::ZERO;
            }
            let elsewhere = self.elsewhere(member, position).map(|taken| taken.p);
            let asked = elsewhere.or_else(|| by_interval(member));
            let rebound = || member.behaviour.rebound(*drawn, ahead.duration);
            asked.unwrap_or_else(|| member.base + rebound())
        };
        let members = self.request.members.iter();
        members.zip(&self.drawn).map(output).collect()
    }

    /// What a more urgent dispatch asks of `member` in this interval.
    pub(super) fn elsewhere(&self, member: &Member, position: usize) -> Option<Taken> {
        self.request.taken(member, position)
    }

    fn unasked(&self, expected: &[Watts]) -> Watts {
        let members = self.asked.iter().zip(expected);
        members.filter(|(asked, _)| !**asked).map(|(_, p)| *p).sum()
    }

    fn ranges(&mut self, expected: &[Watts], ahead: Interval) {
        self.slots.clear();
        for (index, member) in self.request.members.iter().enumerate() {
            if !self.asked[index] {
                self.slots.push(Slot::fixed(expected[index]));
                continue;
            }
            if self.guide.is_none() && member.behaviour.switching.is_some() {
                self.slots.push(Slot::fixed(expected[index]));
                continue;
            }
            let (mut lo, mut hi) = (member.lo, member.hi);
            if let Some(ramp) = member.ramp_w_per_s {
                let reach = ramp_reach(ramp, self.request.ramp);
                lo = lo.max(self.previous[index] - reach).min(hi);
                hi = hi.min(self.previous[index] + reach).max(lo);
            }
            let (lo, hi) = self.within_energy(index, member, (lo, hi), ahead);
            let start = expected[index].clamp(lo, hi);
            self.slots.push(Slot {
                lo,
                hi,
                start,
                share: start,
            });
        }
    }

    /// The part of a range that the member's energy can hold for the whole interval. Energy
    /// goes before ramp: an empty battery stops whatever its ramp.
    fn within_energy(
        &self,
        index: usize,
        member: &Member,
        (lo, hi): (Watts, Watts),
        ahead: Interval,
    ) -> (Watts, Watts) {
        let none = WattHours::ZERO;
        let drawn = self.drawn[index];
        let output = |energy| member.behaviour.output(energy, ahead.duration);
        let most = member.energy_up.and_then(|e| output((e - drawn).max(none)));
        let least = member
            .energy_down
            .and_then(|e| output(-(e + drawn).max(none)));
        let hi = most.map_or(hi, |most| hi.min(most));
        let lo = least.map_or(lo, |least| lo.max(least));
        let highest = member.behaviour.highest(ahead, member.lo, drawn);
        let hi = highest.map_or(hi, |highest| hi.min(highest.max(lo)));
        if lo <= hi {
            (lo, hi)
        } else {
            (Watts::ZERO.min(lo), Watts::ZERO.min(lo))
        }
    }

    /// Moves starts that together exceed a shared limit back until it is kept, each by the same
    /// fraction of its way to the unloading end of its range.
    fn relieve(&mut self, rows: &[Row]) {
        for _ in 0..rows.len().min(MAX_ROUNDS) {
            let Some((row, excess)) = self.most_exceeded(rows) else {
                return;
            };
            let way = |slot: &Slot, c: f64| {
                if c > 0.0 {
                    slot.start - slot.lo
                } else {
                    slot.hi - slot.start
                }
            };
            let relief: f64 = row
                .terms
                .iter()
                .map(|(index, c)| c.abs() * way(&self.slots[*index], *c).micro() as f64)
                .sum();
            if relief <= 0.0 {
                return;
            }
            let fraction = (excess / relief).min(1.0);
            for (index, c) in &row.terms {
                let slot = &mut self.slots[*index];
                let moved = watts(way(slot, *c).micro() as f64 * fraction);
                slot.start = if *c > 0.0 {
                    slot.start - moved
                } else {
                    slot.start + moved
                };
                slot.share = slot.start;
            }
        }
    }

    /// Gives every slot its ideal share of `wanted`, the net power of the controllable members.
    fn share_out(&mut self, position: usize, wanted: Watts, rows: &[Row]) -> Result<(), Rejection> {
        let start: Watts = self.controllable().map(|(_, slot)| slot.start).sum();
        let need = wanted - start;
        let direction = if need >= Watts::ZERO {
            Direction::Up
        } else {
            Direction::Down
        };
        let target = self.request.targets[position].1;
        let order = self.order(target.aim, direction);
        let mut caps: Vec<f64> = match (rows.is_empty(), target.aim) {
            (_, Aim::Price(price)) => self.caps_at(price),
            (true, _) => Vec::new(),
            (false, _) => vec![1.0; self.slots.len()],
        };
        let mut binding: Vec<Name> = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let reached = match &order {
                None => self.level(direction, need.abs(), &caps),
                Some(order) => self.in_order(direction, need.abs(), (order, &caps)),
            };
            let missing = need.abs() - reached;
            let Some((row, excess)) = self.most_exceeded(rows) else {
                self.judge(position, missing, direction, binding);
                return Ok(());
            };
            let capped = match &order {
                None => self.cap(direction, row, &mut caps),
                Some(order) => self.cap_last(direction, row, (order, &mut caps)),
            };
            if !capped {
                let excess = watts(excess);
                let interval = self.request.targets[position].0 as usize + 1;
                return Err(Rejection::LimitExceeded {
                    interval,
                    limit: row.name.clone(),
                    excess,
                });
            }
            if !binding.contains(&row.name) {
                binding.push(row.name.clone());
            }
        }
        let interval = self.request.targets[position].0 as usize + 1;
        let limit = binding.pop().unwrap_or_else(|| rows[0].name.clone());
        Err(Rejection::LimitExceeded {
            interval,
            limit,
            excess: need.abs(),
        })
    }

    /// Moves every slot to the common level that provides `need`, or as far as caps allow;
    /// returns what is provided. The level is exact up to rounding: members at their cap are
    /// taken out until none is above it.
    fn level(&mut self, direction: Direction, need: Watts, caps: &[f64]) -> Watts {
        let cap = |index: usize| caps.get(index).copied().unwrap_or(1.0);
        let mut level = 0.0_f64;
        loop {
            let (mut open, mut provided) = (0.0, 0.0);
            for (index, slot) in self.controllable() {
                let width = slot.width(direction);
                if cap(index) > level {
                    open += width;
                } else {
                    provided += width * cap(index);
                }
            }
            if open <= 0.0 {
                break;
            }
            let next = ((need.micro() as f64 - provided) / open).min(1.0);
            if next <= level {
                break;
            }
            level = next;
            if caps.is_empty() {
                break;
            }
        }
        let mut reached = Watts::ZERO;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let moved = watts(slot.width(direction) * level.min(cap(index)));
            slot.share = match direction {
                Direction::Up => (slot.start + moved).min(slot.hi),
                Direction::Down => (slot.start - moved).max(slot.lo),
            };
            reached += (slot.share - slot.start).abs();
        }
        reached
    }

    fn most_exceeded<'r>(&self, rows: &'r [Row]) -> Option<(&'r Row, f64)> {
        rows.iter()
            .map(|row| (row, row.excess(|index| self.slots[index].share)))
            .filter(|(_, excess)| *excess > TOLERANCE_MICRO_W)
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Lowers the caps of the members that load `row` to the level at which it is just kept;
    /// `false` when it is exceeded even where they start.
    fn cap(&self, direction: Direction, row: &Row, caps: &mut [f64]) -> bool {
        let sign = if direction == Direction::Up {
            1.0
        } else {
            -1.0
        };
        let loading: Vec<(usize, f64)> = row
            .terms
            .iter()
            .filter(|(_, coefficient)| coefficient * sign > 0.0)
            .map(|(index, coefficient)| (*index, coefficient.abs()))
            .collect();
        let moved = |index: usize| {
            (self.slots[index].share - self.slots[index].start)
                .abs()
                .micro() as f64
        };
        let excess = row.excess(|index| self.slots[index].share);
        let load: f64 = loading.iter().map(|(index, c)| c * moved(*index)).sum();
        if load < excess {
            return false;
        }
        let keep = (load - excess) / load;
        for (index, _) in loading {
            let width = self.slots[index].width(direction);
            if width > 0.0 {
                caps[index] = caps[index].min(moved(index) / width * keep);
            }
        }
        true
    }

    /// Notes what `missing` power comes from, unless something was missing before. A price takes
    /// what there is.
    fn judge(
        &mut self,
        position: usize,
        missing: Watts,
        direction: Direction,
        limited_by: Vec<Name>,
    ) {
        // What levels may lose in floating point and each share in rounding to a micro-watt, which
        // is far below any wire step.
        let members = i64::try_from(self.slots.len()).unwrap_or(i64::MAX);
        let negligible = Watts::from_micro(members.saturating_add(10_000));
        let (index, target) = self.request.targets[position];
        if missing <= negligible || matches!(target.aim, Aim::Price(_)) || self.short.is_some() {
            return;
        }
        let interval = index as usize + 1;
        let shares: Watts = self.slots.iter().map(|slot| slot.share).sum();
        let asked = match direction {
            Direction::Up => shares + missing,
            Direction::Down => shares - missing,
        };
        if limited_by.is_empty() && self.without_energy(direction) >= missing {
            let short = missing.over(self.remaining(position));
            self.short = Some(Rejection::ShortOfEnergy {
                interval,
                asked,
                short,
            });
            return;
        }
        let reachable = match direction {
            Direction::Up => asked - missing,
            Direction::Down => asked + missing,
        };
        self.short = Some(Rejection::ShortOfPower {
            interval,
            asked,
            reachable,
            short: missing,
            limited_by,
        });
    }

    /// Further power the members would have if their energy were without limit.
    fn without_energy(&self, direction: Direction) -> Watts {
        self.controllable()
            .map(|(index, slot)| {
                let member = &self.request.members[index];
                let reach = member
                    .ramp_w_per_s
                    .map_or(Watts::MAX, |ramp| ramp_reach(ramp, self.request.ramp));
                match direction {
                    Direction::Up => member.hi.min(self.previous[index] + reach) - slot.hi,
                    Direction::Down => slot.lo - member.lo.max(self.previous[index] - reach),
                }
            })
            .map(|room| room.max(Watts::ZERO))
            .sum()
    }

    fn controllable(&self) -> impl Iterator<Item = (usize, &Slot)> {
        let slots = self.slots.iter().enumerate();
        slots.filter(|(index, _)| self.asked[*index])
    }
}

impl Slot {
    const fn fixed(p: Watts) -> Self {
        Self {
            lo: p,
            hi: p,
            start: p,
            share: p,
        }
    }

    fn width(&self, direction: Direction) -> f64 {
        let width = match direction {
            Direction::Up => self.hi - self.start,
            Direction::Down => self.start - self.lo,
        };
        width.micro() as f64
    }
}

/// Whether `member`, which is either off or on, is asked already for what it does not do unasked. When
/// to switch is decided for all intervals at once; until that is done anew it stays as it is.
fn is_switched(member: &Member, expected: Watts) -> bool {
    let away = (expected - member.behaviour.neutral).abs();
    member.expected.is_some() && member.hi - member.lo < away + away
}

pub(super) fn ramp_reach(per_second: Watts, ramp: Duration) -> Watts {
    Watts::from_f64(per_second.as_f64() * ramp.as_secs_f64())
}

pub(super) fn watts(micro: f64) -> Watts {
    Watts::from_f64(micro / units::MICRO as f64)
}
