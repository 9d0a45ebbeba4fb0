//! A few units that stand for many.

use super::super::fleet::Fleet;
use super::super::plan::Memberships;
use super::super::problem::{Problem, Unit};

/// Every n-th unit in order, scaled to its neighbours' power.
pub(super) fn sample(problem: &Problem, fleet: &Fleet<'_>, order: &[u32], units: usize) -> Problem {
    let mut small = Problem {
        interval_s: problem.interval_s.clone(),
        price_per_wh: problem.price_per_wh.clone(),
        targets: problem.targets.clone(),
        units: Vec::new(),
        limits: problem.limits.clone(),
        shapes: problem.shapes.clone(),
        tariffs: problem.tariffs.clone(),
    };
    for limit in &mut small.limits {
        limit.terms.clear();
    }
    let memberships = Memberships::of(problem);
    let per_chunk = order.len().div_ceil(units);
    for (chunk, index) in order.chunks(per_chunk).zip(0_u32..) {
        let chosen = chunk[chunk.len() / 2];
        let all: f64 = chunk.iter().map(|unit| fleet.span_w(*unit)).sum();
        let one = fleet.span_w(chosen);
        let factor = if 0.0 < one { all / one } else { 1.0 };
        small
            .units
            .push(scaled(&problem.units[chosen as usize], factor));
        for (limit, coefficient) in memberships.of_unit(chosen as usize) {
            small.limits[*limit as usize]
                .terms
                .push((index, *coefficient));
        }
    }
    small
}

/// A unit that is `factor` equal ones.
fn scaled(unit: &Unit, factor: f64) -> Unit {
    let mut unit = *unit;
    unit.lo_w *= factor;
    unit.hi_w *= factor;
    if let Some(preferred) = &mut unit.preferred {
        preferred.p_w *= factor;
    }
    unit.ramp = None;
    if let Some(store) = &mut unit.store {
        store.energy_wh *= factor;
        store.capacity_wh *= factor;
        store.reserve_wh *= factor;
        store.end_min_wh *= factor;
        if let Some(deadline) = &mut store.deadline {
            deadline.min_wh *= factor;
        }
    }
    unit
}
