//! What a solver gives back, and the dual bound that comes with it.

use std::collections::BTreeMap;

use super::problem::{Problem, Target};
use super::response::{OutOfReach, Responder};

/// A schedule for every unit, what it costs, and the proof of how good it is.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// By unit, then interval, watts.
    pub p_w: Vec<f64>,
    /// Running cost, less what the price pays, and the cost of starts.
    pub objective: f64,
    /// No schedule costs less: the Lagrangian bound of the whole problem at [`Plan::prices`].
    pub lower_bound: f64,
    /// The multipliers that prove the bound.
    pub prices: Prices,
    /// How the plan was found.
    pub method: Method,
}

/// How a plan is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Nothing couples the units: each one's own cheapest schedule.
    Separate,
    /// Nothing couples the intervals: merit order in each.
    MeritOrder,
    /// One linear programme.
    Exact,
    /// Prices for what couples the units, and their answers to them.
    Decomposed,
}

/// Multipliers of the constraints that couple units or neighbouring intervals. They are a
/// certificate: whatever they are, the bound they give holds.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Prices {
    /// Of the targets, by interval, money per Wh: what one more Wh asked for costs.
    pub target_per_wh: Vec<f64>,
    /// Of limits, by interval, money per Wh, not negative; a limit that is absent has none.
    pub limit_per_wh: BTreeMap<u32, Vec<f64>>,
    /// Of ramps, by unit and interval, money per W of upward change (negative: of downward change).
    pub ramp_per_w: BTreeMap<u32, Vec<f64>>,
}

impl Plan {
    /// Power of a unit by interval, watts.
    #[must_use]
    pub fn unit_w(&self, unit: usize, intervals: usize) -> &[f64] {
        &self.p_w[unit * intervals..(unit + 1) * intervals]
    }

    /// Distance of the objective from the bound, relative to the larger magnitude of both.
    #[must_use]
    pub fn gap(&self) -> f64 {
        let scale = self.objective.abs().max(self.lower_bound.abs());
        if scale == 0.0 {
            return 0.0;
        }
        (self.objective - self.lower_bound) / scale
    }
}

impl Prices {
    pub(super) fn none(intervals: usize) -> Self {
        Self {
            target_per_wh: vec![0.0; intervals],
            ..Self::default()
        }
    }

    /// The sign that the sense of every target allows.
    pub(super) fn with_allowed_signs(mut self, problem: &Problem) -> Self {
        for (price, target) in self.target_per_wh.iter_mut().zip(&problem.targets) {
            *price = match target {
                Target::Free => 0.0,
                Target::Exact(_) => *price,
                Target::AtLeast(_) => price.max(0.0),
                Target::AtMost(_) => price.min(0.0),
            };
        }
        for price in self.limit_per_wh.values_mut().flatten() {
            *price = price.max(0.0);
        }
        self
    }
}

/// The limits that every unit stands in.
pub(super) struct Memberships {
    first: Vec<u32>,
    terms: Vec<(u32, f64)>,
}

impl Memberships {
    pub(super) fn of(problem: &Problem) -> Self {
        let mut first = vec![0_u32; problem.units.len() + 1];
        let entries = || {
            problem
                .limits
                .iter()
                .zip(0_u32..)
                .flat_map(|(limit, index)| {
                    limit
                        .terms
                        .iter()
                        .map(move |&(unit, factor)| (unit as usize, index, factor))
                })
        };
        for (unit, ..) in entries() {
            first[unit + 1] += 1;
        }
        for unit in 0..problem.units.len() {
            first[unit + 1] += first[unit];
        }
        let mut next = first.clone();
        let mut terms = vec![(0, 0.0); first[problem.units.len()] as usize];
        for (unit, limit, factor) in entries() {
            terms[next[unit] as usize] = (limit, factor);
            next[unit] += 1;
        }
        Self { first, terms }
    }

    /// Limits and coefficients of a unit.
    pub(super) fn of_unit(&self, unit: usize) -> &[(u32, f64)] {
        &self.terms[self.first[unit] as usize..self.first[unit + 1] as usize]
    }

    /// Writes what a unit earns per Wh injected, besides its price:
    /// `π_t - Σ_r a_r μ_rt - (ρ_t - ρ_t+1) / Δ_t`.
    pub(super) fn adder(&self, problem: &Problem, prices: &Prices, unit: u32, adder: &mut [f64]) {
        adder.copy_from_slice(&prices.target_per_wh);
        for (limit, factor) in self.of_unit(unit as usize) {
            if let Some(price) = prices.limit_per_wh.get(limit) {
                for (adder, price) in adder.iter_mut().zip(price) {
                    *adder -= factor * price;
                }
            }
        }
        if let Some(ramp) = prices.ramp_per_w.get(&unit) {
            for (t, adder) in adder.iter_mut().enumerate() {
                let next = ramp.get(t + 1).copied().unwrap_or(0.0);
                *adder -= (ramp[t] - next) / problem.hours(t);
            }
        }
    }
}

/// What the prices charge for the constraints' bounds, which no schedule changes:
/// `Σ_t π_t Δ_t D_t - Σ_rt μ_rt Δ_t b_rt - Σ_i (ρ_i0 from_i + Σ_t |ρ_it| step_i)`.
pub(super) fn constant_part(problem: &Problem, prices: &Prices) -> f64 {
    let mut constant = 0.0;
    for (t, target) in problem.targets.iter().enumerate() {
        constant += match target {
            Target::Free => 0.0,
            Target::Exact(p_w) | Target::AtLeast(p_w) | Target::AtMost(p_w) => {
                prices.target_per_wh[t] * problem.hours(t) * p_w
            }
        };
    }
    for (&limit, price) in &prices.limit_per_wh {
        let bounds = &problem.limits[limit as usize].at_most_w;
        for (t, bound_w) in bounds.iter().enumerate() {
            if price[t] != 0.0 {
                constant -= price[t] * problem.hours(t) * bound_w;
            }
        }
    }
    for (&unit, price) in &prices.ramp_per_w {
        let Some(ramp) = problem.units[unit as usize].ramp else {
            continue;
        };
        constant -= price[0] * ramp.from_w;
        constant -= price.iter().map(|rho| rho.abs()).sum::<f64>() * ramp.max_step_w;
    }
    constant
}

/// The Lagrangian bound at these prices: the constant part and every unit's least cost.
pub(super) fn lower_bound(problem: &Problem, prices: &Prices) -> Result<f64, (u32, OutOfReach)> {
    let memberships = Memberships::of(problem);
    let mut responder = Responder::new(problem);
    let mut adder = vec![0.0; problem.intervals()];
    let mut p_w = vec![0.0; problem.intervals()];
    let mut bound = constant_part(problem, prices);
    for (unit, index) in problem.units.iter().zip(0..) {
        memberships.adder(problem, prices, index, &mut adder);
        bound += responder
            .respond(unit, &adder, &mut p_w)
            .map_err(|stuck| (index, stuck))?;
    }
    Ok(bound)
}

/// Running cost of all units.
pub(super) fn running_cost(problem: &Problem, p_w: &[f64]) -> f64 {
    let intervals = problem.intervals();
    problem
        .units
        .iter()
        .zip(p_w.chunks_exact(intervals.max(1)))
        .map(|(unit, p_w)| unit_cost(problem, unit, p_w))
        .sum()
}

pub(super) fn unit_cost(problem: &Problem, unit: &super::problem::Unit, p_w: &[f64]) -> f64 {
    let costs = p_w.iter().enumerate();
    costs
        .map(|(t, &p_w)| problem.running_cost(unit, t, p_w))
        .sum()
}
