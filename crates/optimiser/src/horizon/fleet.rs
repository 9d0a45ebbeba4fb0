//! The units of a problem as the decomposition sees them: which answer alone, which only together,
//! and which are alike.

use std::collections::BTreeMap;

use super::lp::{Coupling, NoOptimum, Part};
use super::plan::{Memberships, Method, Plan, Prices, constant_part, running_cost, unit_cost};
use super::problem::{Problem, Unit};
use super::response::Responder;
use super::settle::spread;
use super::solve::NoPlan;

/// Most units that answer together; a limit over more of them gets prices instead.
pub(super) const MAX_BLOCK_UNITS: usize = 6;
const BLOCK_TOLERANCE: f64 = 1e-8;

/// Units that limits of their own hold together (such as several behind one inverter's rating), or
/// one with a ramp. Their joint answer is a linear programme.
struct Block {
    units: Vec<u32>,
    limits: Vec<u32>,
}

/// A problem's units, cut into blocks and groups.
pub(super) struct Fleet<'a> {
    pub(super) problem: &'a Problem,
    memberships: Memberships,
    /// Units that answer alone.
    plain: Vec<u32>,
    blocks: Vec<Block>,
    /// Limits that get prices.
    pub(super) shared_limits: Vec<u32>,
    /// By unit.
    pub(super) group_of: Vec<u32>,
    pub(super) groups: u32,
}

/// What every unit answered to prices.
pub(super) struct Sweep {
    /// By unit, then interval.
    pub(super) p_w: Vec<f64>,
    /// By group: cost, and power by interval.
    pub(super) cost: Vec<f64>,
    pub(super) group_w: Vec<Vec<f64>>,
    /// The Lagrangian bound, where all were told the same prices.
    pub(super) bound: f64,
    /// Those, with what blocks charge within.
    pub(super) prices: Prices,
}

/// How prices differ from unit to unit.
#[derive(Clone, Copy)]
pub(super) struct Differing {
    /// Most that they do, money per Wh.
    pub(super) per_wh: f64,
    /// How far those of whole groups do besides, likewise.
    pub(super) group_per_wh: f64,
    /// Which of all ways to differ.
    pub(super) seed: u64,
}

impl Differing {
    /// Adds numbers between minus and plus the most: one of the unit's own and one that its group has
    /// in common. The same for the same unit, group and interval.
    fn apply(self, unit: u32, group: u32, adder: &mut [f64]) {
        let mut own = (self.seed << 32) | u64::from(unit);
        let mut common = !((self.seed << 32) | u64::from(group));
        for adder in adder {
            *adder += self.per_wh * drawn(&mut own) + self.group_per_wh * drawn(&mut common);
        }
    }
}

/// A number from -1 to 1 (`SplitMix64`, Steele, Lea and Flood 2014).
fn drawn(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

impl<'a> Fleet<'a> {
    pub(super) fn new(problem: &'a Problem, groups: u32) -> Self {
        let (blocks, shared_limits) = blocks(problem);
        let mut is_blocked = vec![false; problem.units.len()];
        for unit in blocks.iter().flat_map(|block| &block.units) {
            is_blocked[*unit as usize] = true;
        }
        let indices = 0..u32::try_from(problem.units.len()).expect("MAX_UNITS fits");
        let plain = indices.filter(|unit| !is_blocked[*unit as usize]).collect();
        let mut fleet = Self {
            problem,
            memberships: Memberships::of(problem),
            plain,
            blocks,
            shared_limits,
            group_of: vec![0; problem.units.len()],
            groups: 1,
        };
        fleet.make_groups(groups);
        fleet
    }

    /// Cuts the units, in order of likeness, into groups of about the same power.
    fn make_groups(&mut self, groups: u32) {
        let order = self.order();
        let total: f64 = order.iter().map(|&unit| self.span_w(unit)).sum();
        let mut passed = 0.0;
        let mut last = 0;
        let mut used: BTreeMap<u32, u32> = BTreeMap::new();
        for &unit in &order {
            let place = if total > 0.0 { passed / total } else { 0.0 };
            passed += self.span_w(unit);
            while last + 1 < groups && f64::from(last + 1) <= place * f64::from(groups) {
                last += 1;
            }
            let next = u32::try_from(used.len()).expect("no more than groups");
            self.group_of[unit as usize] = *used.entry(last).or_insert(next);
        }
        for block in &self.blocks {
            for unit in &block.units {
                self.group_of[*unit as usize] = self.group_of[block.units[0] as usize];
            }
        }
        self.groups = u32::try_from(used.len().max(1)).expect("no more than groups");
    }

    /// Units so that neighbours are alike: in the same limits, present at the same time, with about
    /// the same share of energy, then by how long their energy lasts.
    pub(super) fn order(&self) -> Vec<u32> {
        let mut keyed: Vec<([u64; 5], u32)> = self
            .problem
            .units
            .iter()
            .zip(0_u32..)
            .map(|(unit, index)| (self.likeness(unit, index), index))
            .collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, index)| index).collect()
    }

    fn likeness(&self, unit: &Unit, index: u32) -> [u64; 5] {
        let limit = self.memberships.of_unit(index as usize).first();
        let limit = limit.map_or(u64::MAX, |(limit, _)| u64::from(*limit));
        let window = (u64::from(unit.present_from) << 32) | u64::from(unit.present_until);
        let profile = |index: Option<u32>| index.map_or(0, |i| u64::from(i) + 1);
        let kind = (profile(unit.shape) << 33)
            | (profile(unit.tariff) << 1)
            | u64::from(unit.store.is_some());
        let (soc, lasting) = unit.store.map_or((0, 0), |store| {
            let room = store.capacity_wh.max(f64::MIN_POSITIVE);
            let power = (unit.hi_w - unit.lo_w).max(f64::MIN_POSITIVE);
            (
                whole(8.0 * store.energy_wh / room),
                whole(1e3 * room / power),
            )
        });
        [limit, kind, window, soc, lasting]
    }

    /// Width of a unit's range, as a measure of how much it weighs.
    pub(super) fn span_w(&self, unit: u32) -> f64 {
        let unit = &self.problem.units[unit as usize];
        unit.hi_w.max(0.0) - unit.lo_w.min(0.0)
    }

    /// Lets every unit answer to the same prices, or to ones that differ from unit to unit.
    pub(super) fn sweep(
        &self,
        told: &Prices,
        differing: Option<Differing>,
    ) -> Result<Sweep, NoPlan> {
        let intervals = self.problem.intervals();
        let mut p_w = vec![0.0; self.problem.units.len() * intervals];
        let mut prices = told.clone();
        let mut adder = vec![0.0; intervals];
        let mut responder = Responder::new(self.problem);
        let mut cost = vec![0.0; self.groups as usize];
        let mut group_w = vec![vec![0.0; intervals]; self.groups as usize];
        let hours: Vec<f64> = (0..intervals).map(|t| self.problem.hours(t)).collect();
        let mut bound = 0.0;
        for &unit in &self.plain {
            self.memberships.adder(self.problem, told, unit, &mut adder);
            if let Some(differing) = differing {
                differing.apply(unit, self.group_of[unit as usize], &mut adder);
            }
            let at = unit as usize * intervals;
            let answer = &mut p_w[at..at + intervals];
            let value = responder
                .respond(&self.problem.units[unit as usize], &adder, answer)
                .map_err(|stuck| NoPlan::out_of_reach(unit, stuck))?;
            bound += value;
            let group = self.group_of[unit as usize] as usize;
            cost[group] += value;
            for (t, p_w) in answer.iter().enumerate() {
                cost[group] += adder[t] * hours[t] * p_w;
                group_w[group][t] += p_w;
            }
        }
        for block in &self.blocks {
            self.answer_together(block, told, differing, &mut p_w, &mut prices)?;
        }
        let mut scratch = vec![0.0; intervals];
        for unit in self.blocks.iter().flat_map(|block| &block.units) {
            let at = *unit as usize * intervals;
            let answer = &p_w[at..at + intervals];
            let group = self.group_of[*unit as usize] as usize;
            cost[group] += unit_cost(self.problem, &self.problem.units[*unit as usize], answer);
            for (sum, p_w) in group_w[group].iter_mut().zip(answer) {
                *sum += p_w;
            }
            self.memberships
                .adder(self.problem, &prices, *unit, &mut adder);
            bound += responder
                .respond(&self.problem.units[*unit as usize], &adder, &mut scratch)
                .map_err(|stuck| NoPlan::out_of_reach(*unit, stuck))?;
        }
        bound += constant_part(self.problem, &prices);
        Ok(Sweep {
            p_w,
            cost,
            group_w,
            bound,
            prices,
        })
    }

    /// The plan of a schedule whose stores keep their bounds, once what it misses is spread.
    pub(super) fn finished(
        &self,
        mut p_w: Vec<f64>,
        missing: Vec<f64>,
        lower_bound: f64,
        prices: Prices,
    ) -> Result<Plan, NoPlan> {
        spread(self.problem, &self.memberships, &mut p_w, missing)?;
        Ok(Plan {
            objective: running_cost(self.problem, &p_w),
            p_w,
            lower_bound,
            prices,
            method: Method::Decomposed,
        })
    }

    /// Solves one block and notes the multipliers of its own limits and ramps.
    fn answer_together(
        &self,
        block: &Block,
        told: &Prices,
        differing: Option<Differing>,
        p_w: &mut [f64],
        prices: &mut Prices,
    ) -> Result<(), NoPlan> {
        let intervals = self.problem.intervals();
        let mut adders = vec![0.0; block.units.len() * intervals];
        for (unit, adder) in block.units.iter().zip(adders.chunks_exact_mut(intervals)) {
            let outer = Prices {
                ramp_per_w: BTreeMap::new(),
                target_per_wh: told.target_per_wh.clone(),
                limit_per_wh: told
                    .limit_per_wh
                    .iter()
                    .filter(|(limit, _)| !block.limits.contains(limit))
                    .map(|(limit, price)| (*limit, price.clone()))
                    .collect(),
            };
            self.memberships.adder(self.problem, &outer, *unit, adder);
            if let Some(differing) = differing {
                differing.apply(*unit, self.group_of[*unit as usize], adder);
            }
        }
        let part = Part {
            problem: self.problem,
            units: &block.units,
            limits: &block.limits,
            coupling: Coupling::LimitsOnly,
            adder_per_wh: &adders,
        };
        let optimum = part.solve(BLOCK_TOLERANCE).map_err(|none| match none {
            NoOptimum::Infeasible => NoPlan::Infeasible,
            NoOptimum::Numerical => NoPlan::Numerical,
        })?;
        for (k, &unit) in block.units.iter().enumerate() {
            let at = unit as usize * intervals;
            p_w[at..at + intervals]
                .copy_from_slice(&optimum.p_w[k * intervals..(k + 1) * intervals]);
            if !optimum.ramp_per_w[k].is_empty() {
                prices
                    .ramp_per_w
                    .insert(unit, optimum.ramp_per_w[k].clone());
            }
        }
        for (limit, price) in block.limits.iter().zip(optimum.limit_per_wh) {
            prices.limit_per_wh.insert(*limit, price);
        }
        Ok(())
    }
}

/// Units held together by small limits or by ramps that can bind, and the limits left over.
fn blocks(problem: &Problem) -> (Vec<Block>, Vec<u32>) {
    let mut root: Vec<u32> = (0..).take(problem.units.len()).collect();
    let mut size = vec![1_usize; problem.units.len()];
    let find = |root: &mut Vec<u32>, unit: u32| {
        let mut at = unit;
        while root[at as usize] != at {
            at = root[at as usize];
        }
        root[unit as usize] = at;
        at
    };
    let mut inner = Vec::new();
    let mut shared = Vec::new();
    for (limit, index) in problem.limits.iter().zip(0_u32..) {
        let mut roots: Vec<u32> = limit
            .terms
            .iter()
            .map(|(u, _)| find(&mut root, *u))
            .collect();
        roots.sort_unstable();
        roots.dedup();
        let joint: usize = roots.iter().map(|r| size[*r as usize]).sum();
        if roots.is_empty() || MAX_BLOCK_UNITS < joint {
            shared.push(index);
            continue;
        }
        for r in &roots[1..] {
            root[*r as usize] = roots[0];
        }
        size[roots[0] as usize] = joint;
        inner.push((roots[0], index));
    }
    let mut is_limited = vec![false; problem.units.len()];
    for (at, _) in &inner {
        is_limited[*at as usize] = true;
    }
    let mut members: BTreeMap<u32, Block> = BTreeMap::new();
    for (unit, index) in problem.units.iter().zip(0_u32..) {
        let at = find(&mut root, index);
        if 1 < size[at as usize] || can_ramp_bind(unit) || is_limited[at as usize] {
            let block = members.entry(at).or_insert_with(|| Block {
                units: Vec::new(),
                limits: Vec::new(),
            });
            block.units.push(index);
        }
    }
    for (at, limit) in inner {
        let at = find(&mut root, at);
        if let Some(block) = members.get_mut(&at) {
            block.limits.push(limit);
        }
    }
    (members.into_values().collect(), shared)
}

fn can_ramp_bind(unit: &Unit) -> bool {
    unit.ramp.is_some_and(|ramp| {
        let (lo, hi) = (unit.lo_w.min(0.0), unit.hi_w.max(0.0));
        let widest = (hi - lo).max(hi - ramp.from_w).max(ramp.from_w - lo);
        unit.shape.is_some() || ramp.max_step_w < widest
    })
}

/// The whole part of a number that is not negative, as bits that order as it does.
fn whole(number: f64) -> u64 {
    number.max(0.0).floor().to_bits()
}
