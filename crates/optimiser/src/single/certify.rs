//! Holding shares to the optimality conditions of the method that made them.

use thiserror::Error;

use super::{Ranges, Shares};

/// Tolerance, relative to the scale of the condition.
const TOLERANCE: f64 = 1e-9;

/// What the shares are best at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Objective<'a> {
    /// Least `Σ w_i (p_i - r_i)² / 2`.
    Squares {
        /// `r`, watts.
        preferred_w: &'a [f64],
        /// `w`, positive.
        weight: &'a [f64],
    },
    /// The same share of the way from `r` to a bound.
    Headroom {
        /// `r`, watts.
        preferred_w: &'a [f64],
    },
    /// Largest least `p_i / rating_i`.
    MaxMin {
        /// Ratings, watts.
        rating_w: &'a [f64],
    },
    /// Least `Σ c_i p_i`.
    Cost {
        /// `c`.
        per_wh: &'a [f64],
    },
}

/// Why shares are not what they are said to be.
#[derive(Clone, Copy, PartialEq, Debug, Error)]
pub enum Refuted {
    /// A share is outside its range.
    #[error("unit {unit} is outside its range")]
    Range {
        /// Which.
        unit: usize,
    },
    /// The shares do not add up.
    #[error("the shares add up to {sum_w} W")]
    Sum {
        /// What they add up to.
        sum_w: f64,
    },
    /// A unit could change its share with another one and be better off.
    #[error("unit {unit} breaks the optimality condition")]
    Condition {
        /// Which.
        unit: usize,
    },
}

/// Checks range, sum and the condition of Karush, Kuhn and Tucker of every unit: its marginal
/// objective is the multiplier, or it is at the bound on the side that forbids going on.
///
/// # Errors
///
/// The first thing that is not so.
pub fn certify(
    demand_w: f64,
    ranges: Ranges<'_>,
    objective: Objective<'_>,
    shares: &Shares,
) -> Result<(), Refuted> {
    let mut sum_w = 0.0;
    let mut scale_w = demand_w.abs();
    for (unit, p) in shares.p_w.iter().enumerate() {
        let (lo, hi) = (ranges.lo_w[unit], ranges.hi_w[unit]);
        if !(lo <= *p && *p <= hi) {
            return Err(Refuted::Range { unit });
        }
        sum_w += p;
        scale_w += lo.abs().max(hi.abs());
    }
    let has_all = shares.p_w.len() == ranges.lo_w.len();
    if !has_all || TOLERANCE * scale_w < (sum_w - demand_w).abs() {
        return Err(Refuted::Sum { sum_w });
    }
    let holds = |unit: &usize| holds(*unit, ranges, objective, shares, scale_w);
    match (0..shares.p_w.len()).find(|unit| !holds(unit)) {
        None => Ok(()),
        Some(unit) => Err(Refuted::Condition { unit }),
    }
}

fn holds(
    unit: usize,
    ranges: Ranges<'_>,
    objective: Objective<'_>,
    shares: &Shares,
    scale_w: f64,
) -> bool {
    let (lo, hi, p) = (ranges.lo_w[unit], ranges.hi_w[unit], shares.p_w[unit]);
    let multiplier = shares.multiplier;
    let near = TOLERANCE * scale_w;
    // What the unit would give at this multiplier, were there no range.
    let wanted = match objective {
        Objective::Squares {
            preferred_w,
            weight,
        } => preferred_w[unit] + multiplier / weight[unit],
        Objective::MaxMin { rating_w } => multiplier * rating_w[unit],
        Objective::Headroom { preferred_w } => {
            let from = preferred_w[unit].clamp(lo, hi);
            let bound = if multiplier < 0.0 { lo } else { hi };
            from + multiplier.abs() * (bound - from)
        }
        Objective::Cost { per_wh } => match per_wh[unit].total_cmp(&multiplier) {
            std::cmp::Ordering::Less => hi,
            std::cmp::Ordering::Equal => p,
            std::cmp::Ordering::Greater => lo,
        },
    };
    (p - wanted.clamp(lo, hi)).abs() <= near
}
