//! How large a problem's powers and prices are.

use super::super::plan::Prices;
use super::super::problem::Problem;
use super::super::response::Stage;

/// The most that a limit's sum can be.
pub(super) fn limit_power_w(problem: &Problem, limit: u32) -> f64 {
    let terms = problem.limits[limit as usize].terms.iter();
    let powers = terms.map(|(unit, factor)| {
        let unit = &problem.units[*unit as usize];
        factor.abs() * unit.lo_w.abs().max(unit.hi_w.abs())
    });
    powers.sum::<f64>().max(f64::MIN_POSITIVE)
}

/// How far a limit is exceeded at worst, relative to what its units can do.
pub(super) fn excess(problem: &Problem, limit: u32, p_w: &[f64]) -> f64 {
    let intervals = problem.intervals();
    let limit = &problem.limits[limit as usize];
    let mut sum = vec![0.0; intervals];
    let mut power = 0.0;
    for (unit, factor) in &limit.terms {
        let at = *unit as usize * intervals;
        let bounds = &problem.units[*unit as usize];
        power += factor.abs() * bounds.lo_w.abs().max(bounds.hi_w.abs());
        for (sum, p_w) in sum.iter_mut().zip(&p_w[at..at + intervals]) {
            *sum += factor * p_w;
        }
    }
    let over = sum
        .iter()
        .zip(&limit.at_most_w)
        .map(|(sum, bound)| sum - bound);
    over.fold(0.0, f64::max) / power.max(f64::MIN_POSITIVE)
}

/// How far what a Wh earns differs over time.
pub(super) fn spread_per_wh(problem: &Problem, prices: &Prices) -> f64 {
    let earned = problem
        .price_per_wh
        .iter()
        .zip(&prices.target_per_wh)
        .map(|(a, b)| a + b);
    let (least, most) = earned.fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), earned| (least.min(earned), most.max(earned)),
    );
    (most - least).max(0.0)
}

/// A price that is dearer than any unit's, losses on the way through a store included.
pub(super) fn penalty_per_wh(problem: &Problem) -> f64 {
    let stride = problem.units.len().div_ceil(1_000).max(1);
    let (mut least, mut most, mut lost) = (0.0_f64, 0.0_f64, 1.0_f64);
    for unit in problem.units.iter().step_by(stride) {
        for t in 0..problem.intervals() {
            for step in Stage::of(problem, unit, t).steps() {
                least = least.min(step.slope_per_wh);
                most = most.max(step.slope_per_wh);
            }
        }
        if let Some(store) = unit.store {
            lost = lost.min(store.charge_efficiency * store.discharge_efficiency);
        }
    }
    let spread = (most - least) / lost;
    if spread == 0.0 { 1.0 } else { 3.0 * spread }
}
