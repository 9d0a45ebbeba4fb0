//! Checking a plan without any of the code that made it.
//!
//! Every constraint is evaluated as [`Problem`] states it, and the dual bound is computed anew from
//! the plan's prices: whatever these are, `Σ_i min (cost_i - adder_i · p_i)` plus the constant part
//! is a lower bound (weak duality), so the prices need not be trusted. The minimum of a unit with a
//! store is the value function of dynamic programming, kept as a list of pieces that is sorted anew
//! in every interval: slower than the solver's, and another algorithm.

use thiserror::Error;

use super::plan::Plan;
use super::problem::{Problem, Store, Switch, Target, Unit};
use crate::TOLERANCE;

/// What a plan was found to be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Certified {
    /// What it costs.
    pub objective: f64,
    /// What any plan costs at least.
    pub lower_bound: f64,
    /// Largest violation of a constraint, relative to the constraint's scale.
    pub violation: f64,
}

/// Why a plan is not what it says it is.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum Refuted {
    /// It has another size than the problem.
    #[error("the plan has {found} powers for {expected} unit-intervals")]
    Size {
        /// Of the plan.
        found: usize,
        /// Of the problem.
        expected: usize,
    },
    /// A constraint is violated.
    #[error(
        "{what} is violated by {by} of its scale, at unit or limit {index}, interval {interval}"
    )]
    Violated {
        /// Which kind.
        what: &'static str,
        /// Unit or limit; 0 for a target.
        index: usize,
        /// When.
        interval: usize,
        /// How far, relative to its scale.
        by: f64,
    },
    /// It costs something else.
    #[error("the plan says it costs {stated} and costs {found}")]
    Objective {
        /// What the plan says.
        stated: f64,
        /// What is so.
        found: f64,
    },
    /// The prices do not prove the bound.
    #[error("the plan's bound is {stated} and its prices prove {found}")]
    Bound {
        /// What the plan says.
        stated: f64,
        /// What is so.
        found: f64,
    },
    /// A price has a sign that its constraint does not allow, or is missing.
    #[error("a price is no multiplier of its constraint")]
    Price,
}

/// Checks every constraint to [`TOLERANCE`], the objective and the bound.
///
/// # Errors
///
/// The first thing that is not so.
pub fn certify(problem: &Problem, plan: &Plan) -> Result<Certified, Refuted> {
    let intervals = problem.intervals();
    let expected = problem.units.len() * intervals;
    if plan.p_w.len() != expected {
        let found = plan.p_w.len();
        return Err(Refuted::Size { found, expected });
    }
    let mut check = Check { violation: 0.0 };
    let mut objective = 0.0;
    for (index, unit) in problem.units.iter().enumerate() {
        let p_w = plan.unit_w(index, intervals);
        check.unit(problem, index, unit, p_w)?;
        objective += cost(problem, unit, p_w);
    }
    check.limits(problem, plan)?;
    check.targets(problem, plan)?;
    let scale = objective.abs().max(1e-12);
    if TOLERANCE < (objective - plan.objective).abs() / scale {
        let stated = plan.objective;
        return Err(Refuted::Objective {
            stated,
            found: objective,
        });
    }
    let lower_bound = bound(problem, plan)?;
    if TOLERANCE * scale.max(lower_bound.abs()) < plan.lower_bound - lower_bound {
        return Err(Refuted::Bound {
            stated: plan.lower_bound,
            found: lower_bound,
        });
    }
    Ok(Certified {
        objective,
        lower_bound,
        violation: check.violation,
    })
}

struct Check {
    violation: f64,
}

impl Check {
    /// `excess` beyond a bound, in the unit of `scale`.
    fn hold(
        &mut self,
        what: &'static str,
        (index, interval): (usize, usize),
        excess: f64,
        scale: f64,
    ) -> Result<(), Refuted> {
        let by = if excess <= 0.0 { 0.0 } else { excess / scale };
        self.violation = self.violation.max(by);
        if by <= TOLERANCE {
            return Ok(());
        }
        Err(Refuted::Violated {
            what,
            index,
            interval,
            by,
        })
    }

    fn unit(
        &mut self,
        problem: &Problem,
        index: usize,
        unit: &Unit,
        p_w: &[f64],
    ) -> Result<(), Refuted> {
        let scale = power_w(unit);
        for (t, p) in p_w.iter().enumerate() {
            let (mut lo, mut hi) = problem.range_w(unit, t);
            if unit.commitment.is_some() {
                (lo, hi) = (lo.min(0.0), hi.max(0.0));
            }
            let excess = if p.is_nan() {
                f64::INFINITY
            } else {
                (p - hi).max(lo - p)
            };
            self.hold("a power range", (index, t), excess, scale)?;
            if let Some(ramp) = unit.ramp {
                let before = if t == 0 { ramp.from_w } else { p_w[t - 1] };
                let excess = (p - before).abs() - ramp.max_step_w;
                self.hold("a ramp", (index, t), excess, scale.max(ramp.from_w.abs()))?;
            }
        }
        if let Some(store) = unit.store {
            self.store(problem, index, &store, p_w)?;
        }
        self.switching(problem, index, unit, p_w)
    }

    fn store(
        &mut self,
        problem: &Problem,
        index: usize,
        store: &Store,
        p_w: &[f64],
    ) -> Result<(), Refuted> {
        let mut energy = store.energy_wh;
        let mut untouched = store.energy_wh;
        for (t, p) in p_w.iter().enumerate() {
            let hours = problem.interval_s[t] / 3_600.0;
            let decay = (-store.loss_per_h * hours).exp();
            let discharged = p.max(0.0) * hours / store.discharge_efficiency;
            let charged = (-p).max(0.0) * hours * store.charge_efficiency;
            energy = energy * decay - discharged + charged;
            untouched *= decay;
            let scale = store.capacity_wh.max(1e-9);
            let mut least = store.reserve_wh.min(untouched);
            if store.deadline.is_some_and(|d| d.interval as usize == t) {
                least = least.max(store.deadline.map_or(0.0, |d| d.min_wh));
            }
            if t + 1 == p_w.len() {
                least = least.max(store.end_min_wh);
            }
            self.hold("a store's floor", (index, t), least - energy, scale)?;
            self.hold(
                "a store's capacity",
                (index, t),
                energy - store.capacity_wh,
                scale,
            )?;
        }
        Ok(())
    }

    /// On and off at least as long as they must be, and never between off and the least power.
    fn switching(
        &mut self,
        problem: &Problem,
        index: usize,
        unit: &Unit,
        p_w: &[f64],
    ) -> Result<(), Refuted> {
        let Some(commitment) = unit.commitment else {
            return Ok(());
        };
        let scale = power_w(unit);
        let mut state = commitment.before;
        let mut lasted_s = commitment.lasted_s;
        for (t, p) in p_w.iter().enumerate() {
            let now = switch(unit, *p);
            if now == Switch::On {
                let short = commitment.min_w - p.abs();
                self.hold("a least power", (index, t), short, scale)?;
            }
            if now != state {
                let least_s = match state {
                    Switch::On => commitment.min_on_s,
                    Switch::Off => commitment.min_off_s,
                };
                let short_s = least_s - lasted_s;
                self.hold("a least time on or off", (index, t), short_s, least_s)?;
                (state, lasted_s) = (now, 0.0);
            }
            lasted_s += problem.interval_s[t];
        }
        Ok(())
    }

    fn limits(&mut self, problem: &Problem, plan: &Plan) -> Result<(), Refuted> {
        let intervals = problem.intervals();
        for (index, limit) in problem.limits.iter().enumerate() {
            let scale: f64 = limit
                .terms
                .iter()
                .map(|(unit, a)| a.abs() * power_w(&problem.units[*unit as usize]))
                .sum();
            for (t, bound) in limit.at_most_w.iter().enumerate() {
                let terms = limit.terms.iter();
                let sum: f64 = terms
                    .map(|(unit, a)| a * plan.unit_w(*unit as usize, intervals)[t])
                    .sum();
                self.hold("a limit", (index, t), sum - bound, scale)?;
            }
        }
        Ok(())
    }

    fn targets(&mut self, problem: &Problem, plan: &Plan) -> Result<(), Refuted> {
        let intervals = problem.intervals();
        let scale: f64 = problem.units.iter().map(power_w).sum();
        let mut sums = vec![0.0; intervals];
        for p_w in plan.p_w.chunks_exact(intervals.max(1)) {
            for (sum, p) in sums.iter_mut().zip(p_w) {
                *sum += p;
            }
        }
        for (t, (sum, target)) in sums.iter().zip(&problem.targets).enumerate() {
            let excess = match target {
                Target::Free => 0.0,
                Target::Exact(p_w) => (sum - p_w).abs(),
                Target::AtLeast(p_w) => p_w - sum,
                Target::AtMost(p_w) => sum - p_w,
            };
            self.hold("a target", (0, t), excess, scale)?;
        }
        Ok(())
    }
}

fn power_w(unit: &Unit) -> f64 {
    unit.lo_w.abs().max(unit.hi_w.abs()).max(1e-9)
}

fn switch(unit: &Unit, p_w: f64) -> Switch {
    if TOLERANCE * power_w(unit) < p_w.abs() {
        Switch::On
    } else {
        Switch::Off
    }
}

/// Of running and of starts, as the problem states them.
fn cost(problem: &Problem, unit: &Unit, p_w: &[f64]) -> f64 {
    let running: f64 = p_w
        .iter()
        .enumerate()
        .map(|(t, p)| problem.running_cost(unit, t, *p))
        .sum();
    let Some(commitment) = unit.commitment else {
        return running;
    };
    let mut state = commitment.before;
    let mut starts = 0.0;
    for p in p_w {
        let now = switch(unit, *p);
        if (state, now) == (Switch::Off, Switch::On) {
            starts += 1.0;
        }
        state = now;
    }
    running + starts * commitment.start_cost
}

/// The Lagrangian bound at the plan's prices, every term as its constraint is written.
fn bound(problem: &Problem, plan: &Plan) -> Result<f64, Refuted> {
    let intervals = problem.intervals();
    let prices = &plan.prices;
    if prices.target_per_wh.len() != intervals {
        return Err(Refuted::Price);
    }
    // Money per W of every unit and interval, all multipliers together.
    let mut per_w = vec![0.0; problem.units.len() * intervals];
    let mut constant = 0.0;
    for (t, target) in problem.targets.iter().enumerate() {
        let money = prices.target_per_wh[t] * problem.hours(t);
        let (is_allowed, p_w) = match *target {
            Target::Free => (money == 0.0, 0.0),
            Target::Exact(p_w) => (money.is_finite(), p_w),
            Target::AtLeast(p_w) => (0.0 <= money, p_w),
            Target::AtMost(p_w) => (money <= 0.0, p_w),
        };
        is_allowed.then_some(()).ok_or(Refuted::Price)?;
        constant += money * p_w;
        for unit in 0..problem.units.len() {
            per_w[unit * intervals + t] -= money;
        }
    }
    for (&index, price) in &prices.limit_per_wh {
        let limit = problem.limits.get(index as usize).ok_or(Refuted::Price)?;
        let is_allowed = price.len() == intervals && price.iter().all(|price| 0.0 <= *price);
        is_allowed.then_some(()).ok_or(Refuted::Price)?;
        for (t, price) in price.iter().enumerate().filter(|(_, price)| **price != 0.0) {
            constant -= price * problem.hours(t) * limit.at_most_w[t];
            for (unit, a) in &limit.terms {
                per_w[*unit as usize * intervals + t] += a * price * problem.hours(t);
            }
        }
    }
    for (&index, rho) in &prices.ramp_per_w {
        let ramp = problem.units.get(index as usize).and_then(|unit| unit.ramp);
        let ramp = ramp
            .filter(|_| rho.len() == intervals)
            .ok_or(Refuted::Price)?;
        let at = index as usize * intervals;
        constant -= rho.first().map_or(0.0, |rho| rho * ramp.from_w);
        for (t, rho) in rho.iter().enumerate() {
            constant -= rho.abs() * ramp.max_step_w;
            per_w[at + t] += rho;
            if 0 < t {
                per_w[at + t - 1] -= rho;
            }
        }
    }
    let least: f64 = problem
        .units
        .iter()
        .zip(per_w.chunks_exact(intervals.max(1)))
        .map(|(unit, per_w)| match unit.store {
            None => least_cost_at_once(problem, unit, per_w),
            Some(store) => least_cost_with_store(problem, unit, &store, per_w),
        })
        .sum();
    Ok(constant + least)
}

/// The least cost of a unit without a store lies where its cost bends.
fn least_cost_at_once(problem: &Problem, unit: &Unit, per_w: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (t, per_w) in per_w.iter().enumerate() {
        let (lo, hi) = problem.relaxed_range_w(unit, t);
        let bend = unit.preferred.map_or(0.0, |preferred| preferred.p_w);
        let candidates = [lo, hi, 0.0_f64.clamp(lo, hi), bend.clamp(lo, hi)];
        let costs = candidates.map(|p| problem.running_cost(unit, t, p) + per_w * p);
        sum += costs.into_iter().fold(f64::INFINITY, f64::min);
    }
    sum
}

/// A piece of the value function: slope in money per Wh stored, width in Wh.
type Piece = (f64, f64);

fn least_cost_with_store(problem: &Problem, unit: &Unit, store: &Store, per_w: &[f64]) -> f64 {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut least_wh = store.energy_wh;
    let mut untouched = store.energy_wh;
    let mut value = 0.0;
    for (t, per_w) in per_w.iter().enumerate() {
        let hours = problem.interval_s[t] / 3_600.0;
        let decay = (-store.loss_per_h * hours).exp();
        least_wh *= decay;
        untouched *= decay;
        for (slope, width) in &mut pieces {
            *slope /= decay;
            *width *= decay;
        }
        let stage = stage_pieces(problem, unit, store, t, per_w / hours);
        value += stage.value;
        least_wh += stage.least_wh;
        pieces.extend(stage.pieces);
        pieces.sort_by(|a, b| a.0.total_cmp(&b.0));
        let floor = problem.floor_wh(store, t, untouched);
        while least_wh < floor && !pieces.is_empty() {
            let (slope, width) = pieces.remove(0);
            let used = width.min(floor - least_wh);
            value += slope * used;
            least_wh += used;
            if used < width {
                pieces.insert(0, (slope, width - used));
                break;
            }
        }
        let mut most_wh = least_wh + pieces.iter().map(|(_, width)| width).sum::<f64>();
        while store.capacity_wh < most_wh {
            let Some((slope, width)) = pieces.pop() else {
                break;
            };
            let cut = width.min(most_wh - store.capacity_wh);
            most_wh -= cut;
            if cut < width {
                pieces.push((slope, width - cut));
                break;
            }
        }
    }
    value
        + pieces
            .iter()
            .map(|(slope, width)| slope.min(0.0) * width)
            .sum::<f64>()
}

struct StagePieces {
    /// Cost at full discharge and no charge.
    value: f64,
    /// Energy that this leaves, relative to doing nothing.
    least_wh: f64,
    pieces: Vec<Piece>,
}

/// One interval, from discharging as much as can be to charging as much as can be.
fn stage_pieces(
    problem: &Problem,
    unit: &Unit,
    store: &Store,
    t: usize,
    per_wh: f64,
) -> StagePieces {
    let hours = problem.interval_s[t] / 3_600.0;
    let (lo, hi) = problem.relaxed_range_w(unit, t);
    let (inject, absorb) = problem.costs_per_wh(unit, t);
    let price = problem.price_per_wh[t];
    let preferred = unit.preferred.filter(|p| lo <= p.p_w && p.p_w <= hi);
    let mut cuts = vec![hi, 0.0, preferred.map_or(hi, |p| p.p_w), lo];
    cuts.retain(|cut| lo <= *cut && *cut <= hi);
    cuts.sort_by(|a, b| b.total_cmp(a));
    let mut pieces = Vec::new();
    for pair in cuts.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        if from <= to {
            continue;
        }
        let middle = (from + to) / 2.0;
        let (per_wh_down, gain) = if 0.0 < middle {
            (price - inject - per_wh, 1.0 / store.discharge_efficiency)
        } else {
            (price + absorb - per_wh, store.charge_efficiency)
        };
        let away = preferred.map_or(0.0, |p| {
            if middle < p.p_w {
                p.deviation_per_wh
            } else {
                -p.deviation_per_wh
            }
        });
        pieces.push(((per_wh_down + away) / gain, (from - to) * hours * gain));
    }
    StagePieces {
        value: problem.running_cost(unit, t, hi) + per_wh * hours * hi,
        least_wh: -hi.max(0.0) * hours / store.discharge_efficiency
            + (-hi).max(0.0) * hours * store.charge_efficiency,
        pieces,
    }
}
