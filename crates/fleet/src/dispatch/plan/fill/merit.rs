//! What an aim comes to, and shares by merit.

use units::{Money, Percent, Watts};

use super::{Direction, State, watts};
use crate::dispatch::limit::Row;
use crate::dispatch::{Aim, Objective};

/// A place in the order of merit, and a position in the list of members.
type Ranked = (i64, usize);
/// Members in order, and by position how far each may go.
type Ranks<'a, C> = (&'a [Ranked], C);

impl State<'_> {
    /// The net active power that the aim of an interval comes to.
    pub(super) fn wanted(&self, position: usize, expected: &[Watts]) -> Watts {
        let unasked = self.unasked(expected);
        let start: Watts = self.controllable().map(|(_, slot)| slot.start).sum();
        let as_they_are = start + unasked;
        match self.aim(position) {
            Aim::Net(p) => p,
            Aim::Delta(p) => as_they_are + p,
            Aim::AtMost(p) => as_they_are.min(p),
            Aim::AtLeast(p) => as_they_are.max(p),
            Aim::Percent(share) => {
                let range = |(_, slot): (usize, &super::Slot)| match share < Percent::default() {
                    true => slot.start - slot.lo,
                    false => slot.hi - slot.start,
                };
                let whole: Watts = self.controllable().map(range).sum();
                as_they_are + share.of(whole)
            }
            Aim::Price(price) => {
                let for_sale = |(index, slot): (usize, &super::Slot)| match self.sells(index, price)
                {
                    true => slot.hi - slot.start,
                    false => Watts::ZERO,
                };
                let whole: Watts = self.controllable().map(for_sale).sum();
                as_they_are + whole
            }
        }
    }

    /// The aim of an interval; one that is relative to what members do unasked has come to what
    /// the guide says.
    fn aim(&self, position: usize) -> Aim {
        let aim = self.request.targets[position].1.aim;
        let guided = self.guide.and_then(|guide| guide.target(position));
        guided.map_or(aim, Aim::Net)
    }

    /// What of `wanted` shares have come to: a price takes what there is.
    pub(super) fn reached(&self, aim: Aim, wanted: Watts, unasked: Watts) -> Watts {
        match aim {
            Aim::Price(_) => unasked + self.controllable().map(|(_, slot)| slot.share).sum(),
            _ => wanted,
        }
    }

    /// Leaves alone those whose share is what they do unasked, where not everybody has to take part.
    /// A member that was asked before keeps its share, and so does one that a less urgent dispatch
    /// has do something, for that one lets go of it.
    pub(super) fn spare(&mut self, aim: Aim, expected: &[Watts]) {
        let for_all = self.request.objective == Objective::ProRata;
        if for_all && !aim.is_bound() && !matches!(aim, Aim::Price(_)) {
            return;
        }
        for (index, slot) in self.slots.iter().enumerate() {
            let idle = slot.share == expected[index];
            let member = &self.request.members[index];
            if idle && member.expected.is_none() && member.committed.is_none() {
                self.asked[index] = false;
            }
        }
    }

    fn sells(&self, index: usize, price: Money) -> bool {
        let member = &self.request.members[index];
        member.price_per_kwh.is_some_and(|own| own <= price)
    }

    /// Who may move at `price`.
    pub(super) fn caps_at(&self, price: Money) -> Vec<f64> {
        let members = 0..self.slots.len();
        members
            .map(|index| f64::from(u8::from(self.sells(index, price))))
            .collect()
    }

    /// The members in order of merit, each with its rank; `None` where all move alike, as they do in
    /// making up for what rounding has taken from a guide.
    pub(super) fn order(&self, aim: Aim, direction: Direction) -> Option<Vec<Ranked>> {
        if matches!(aim, Aim::Price(_)) || self.guide.is_some() {
            return None;
        }
        let rank = |index: usize| match self.request.objective {
            Objective::ProRata => None,
            Objective::LeastCost | Objective::LeastUsed => Some(self.request.members[index].merit),
            Objective::FewestDevices => {
                #[expect(clippy::cast_possible_truncation, reason = "a count of micro-watts")]
                let width = self.slots[index].width(direction) as i64;
                Some(-width)
            }
        };
        let ranked = self
            .controllable()
            .map(|(index, _)| Some((rank(index)?, index)));
        let mut order = ranked.collect::<Option<Vec<_>>>()?;
        order.sort_unstable();
        Some(order)
    }

    /// Moves members as far as their caps allow, the first in order first, until `need` is met;
    /// those of one rank by the same fraction, unless few are wanted. Returns what is provided.
    pub(super) fn in_order(
        &mut self,
        direction: Direction,
        need: Watts,
        (order, caps): Ranks<'_, &[f64]>,
    ) -> Watts {
        let together = self.request.objective != Objective::FewestDevices;
        let mut left = need.micro() as f64;
        let alike = |a: &Ranked, b: &Ranked| together && a.0 == b.0;
        for rank in order.chunk_by(alike) {
            let room = |index: usize| {
                let cap = caps.get(index).copied().unwrap_or(1.0);
                self.slots[index].width(direction) * cap
            };
            let whole: f64 = rank.iter().map(|(_, index)| room(*index)).sum();
            let fraction = if whole > left { left / whole } else { 1.0 };
            let moves: Vec<(usize, Watts)> = rank
                .iter()
                .map(|(_, index)| (*index, watts(room(*index) * fraction)))
                .collect();
            for (index, moved) in moves {
                let slot = &mut self.slots[index];
                slot.share = match direction {
                    Direction::Up => (slot.start + moved).min(slot.hi),
                    Direction::Down => (slot.start - moved).max(slot.lo),
                };
            }
            left = (left - whole).max(0.0);
        }
        let moved = |(_, slot): (usize, &super::Slot)| (slot.share - slot.start).abs();
        self.controllable().map(moved).sum()
    }

    /// Lowers the caps of those that load `row`, the last in order first, until it is just kept;
    /// `false` when it is exceeded even where they start.
    pub(super) fn cap_last(
        &self,
        direction: Direction,
        row: &Row,
        (order, caps): Ranks<'_, &mut [f64]>,
    ) -> bool {
        let sign = match direction {
            Direction::Up => 1.0,
            Direction::Down => -1.0,
        };
        let mut load = vec![0.0; self.slots.len()];
        for (index, coefficient) in &row.terms {
            load[*index] += (coefficient * sign).max(0.0);
        }
        let mut excess = row.excess(|index| self.slots[index].share);
        for (_, index) in order.iter().rev() {
            let width = self.slots[*index].width(direction);
            let slot = &self.slots[*index];
            let moved = (slot.share - slot.start).abs().micro() as f64;
            if load[*index] <= 0.0 || moved <= 0.0 || width <= 0.0 {
                continue;
            }
            let taken = (excess / load[*index]).min(moved);
            caps[*index] = ((moved - taken) / width).min(caps[*index]);
            excess -= taken * load[*index];
            if excess <= 0.0 {
                return true;
            }
        }
        excess <= super::TOLERANCE_MICRO_W
    }
}
