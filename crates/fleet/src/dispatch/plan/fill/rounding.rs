//! Shares on the grid of the wire, within shared limits all the same.

use units::Watts;

use super::{Slot, State, TOLERANCE_MICRO_W, watts};
use crate::dispatch::limit::Row;
use crate::dispatch::plan::Member;

/// Most passes over the members that hand out rounding; each shrinks what is left by more than
/// half of a common step.
const MAX_ROUNDING_PASSES: usize = 16;

impl State<'_> {
    /// Puts every share on its wire grid, then hands out what rounding left, a step at a time;
    /// returns what remains of `wanted`.
    pub(super) fn round(&mut self, wanted: Watts, rows: &[Row]) -> Watts {
        let mut given = Watts::ZERO;
        let is_guided = self.guide.is_some();
        for (index, member) in self.request.members.iter().enumerate() {
            if self.asked[index] {
                let slot = &mut self.slots[index];
                slot.share = match is_guided {
                    true => nearest(member, slot),
                    false => on_grid(member, slot),
                };
                given += slot.share;
            }
        }
        let mut loads = Loads::new(rows, &self.slots);
        given += self.unload(rows, &mut loads);
        let mut left = wanted - given;
        for _ in 0..MAX_ROUNDING_PASSES {
            let before = left;
            for (index, member) in self.request.members.iter().enumerate() {
                if left == Watts::ZERO {
                    return left;
                }
                if self.asked[index] {
                    left -= step(&mut self.slots[index], member, left, (index, &mut loads));
                }
            }
            if left == before {
                break;
            }
        }
        // What is left by now is less than the steps of most; whoever has fine ones takes it.
        for (index, member) in self.request.members.iter().enumerate() {
            if self.asked[index] && left != Watts::ZERO {
                left -= steps(&mut self.slots[index], member, left, (index, &mut loads));
            }
        }
        left
    }

    /// Takes back what rounding has put on a shared limit beyond its room, as few steps as that
    /// takes; returns the change of power.
    fn unload(&mut self, rows: &[Row], loads: &mut Loads) -> Watts {
        let mut change = Watts::ZERO;
        for (row_index, row) in rows.iter().enumerate() {
            for (index, coefficient) in &row.terms {
                let excess = -loads.room[row_index];
                if excess <= TOLERANCE_MICRO_W {
                    break;
                }
                let member = &self.request.members[*index];
                if !self.asked[*index] {
                    continue;
                }
                let slot = &mut self.slots[*index];
                let way = watts((excess / coefficient.abs()).ceil());
                let moved = if *coefficient > 0.0 {
                    let lowest = member.grid.ceil(slot.lo);
                    member.grid.floor(slot.share - way).max(lowest)
                } else {
                    let highest = member.grid.floor(slot.hi);
                    member.grid.ceil(slot.share + way).min(highest)
                };
                let fits = slot.lo <= moved && moved <= slot.hi && moved != slot.share;
                if fits && loads.take(*index, moved - slot.share) {
                    change += moved - slot.share;
                    slot.share = moved;
                }
            }
        }
        change
    }
}

/// How far each shared limit is from being exceeded while rounding is handed out.
struct Loads {
    /// Room left by row, in micro-watts; negative where rounding has gone beyond.
    room: Vec<f64>,
    /// By member: the rows that it is part of, with its coefficient.
    of_member: Vec<Vec<(usize, f64)>>,
}

impl Loads {
    fn new(rows: &[Row], slots: &[Slot]) -> Self {
        let mut of_member = if rows.is_empty() {
            Vec::new()
        } else {
            vec![Vec::new(); slots.len()]
        };
        for (row_index, row) in rows.iter().enumerate() {
            for (index, coefficient) in &row.terms {
                of_member[*index].push((row_index, *coefficient));
            }
        }
        let room = rows
            .iter()
            .map(|row| -row.excess(|index| slots[index].share))
            .collect();
        Self { room, of_member }
    }

    /// Takes the load of `change` by member `index`, unless a limit has no room for it.
    fn take(&mut self, index: usize, change: Watts) -> bool {
        let Some(rows) = self.of_member.get(index) else {
            return true;
        };
        let load = |coefficient: f64| coefficient * change.micro() as f64;
        if rows
            .iter()
            .any(|(row, c)| load(*c) > 0.0 && self.room[*row] < load(*c))
        {
            return false;
        }
        for (row, coefficient) in rows {
            self.room[*row] -= load(*coefficient);
        }
        true
    }
}

/// Moves one member by one wire step towards `left`, if that fits; returns the change.
fn step(
    slot: &mut Slot,
    member: &Member,
    left: Watts,
    (index, loads): (usize, &mut Loads),
) -> Watts {
    let moved = if left > Watts::ZERO {
        member.grid.ceil(slot.share + Watts::from_micro(1))
    } else {
        member.grid.floor(slot.share - Watts::from_micro(1))
    };
    let change = moved - slot.share;
    let fits = change.abs() <= left.abs() && slot.lo <= moved && moved <= slot.hi;
    if !fits || !loads.take(index, change) {
        return Watts::ZERO;
    }
    slot.share = moved;
    change
}

/// Moves one member by as many wire steps towards `left` as fit; returns the change.
fn steps(
    slot: &mut Slot,
    member: &Member,
    left: Watts,
    (index, loads): (usize, &mut Loads),
) -> Watts {
    let moved = if left > Watts::ZERO {
        member.grid.floor((slot.share + left).min(slot.hi))
    } else {
        member.grid.ceil((slot.share + left).max(slot.lo))
    };
    let change = moved - slot.share;
    let towards = (left > Watts::ZERO) == (change > Watts::ZERO) && change != Watts::ZERO;
    let fits = towards && slot.lo <= moved && moved <= slot.hi;
    if !fits || !loads.take(index, change) {
        return Watts::ZERO;
    }
    slot.share = moved;
    change
}

/// The wire value next to the ideal share that lies in range: the one nearer to the start, else
/// the other, else (a range narrower than a step) the one nearer to zero.
fn on_grid(member: &Member, slot: &Slot) -> Watts {
    let fits = |p: Watts| slot.lo <= p && p <= slot.hi;
    let below = || member.grid.floor(slot.share);
    let above = || member.grid.ceil(slot.share);
    let up = slot.share >= slot.start;
    let first = if up { below() } else { above() };
    if fits(first) {
        return first;
    }
    let second = if up { above() } else { below() };
    if fits(second) || (up != (slot.share >= Watts::ZERO)) {
        return second;
    }
    first
}

/// The wire value in range that is nearest to the ideal share: a guide that leaves members no room
/// elsewhere is met by rounding both ways.
fn nearest(member: &Member, slot: &Slot) -> Watts {
    let (below, above) = (member.grid.floor(slot.share), member.grid.ceil(slot.share));
    let first = match above - slot.share < slot.share - below {
        true => above,
        false => below,
    };
    match slot.lo <= first && first <= slot.hi {
        true => first,
        false => on_grid(member, slot),
    }
}
