//! Sharing a demand among units in one interval, in closed form or nearly so.
//!
//! Unit `i` has a range `lo_i ≤ p_i ≤ hi_i`, and `Σ p_i = D`. Each method gives the shares and a
//! multiplier that [`certify`] holds them to: the optimality conditions of the method's own
//! objective, checked unit by unit. All methods work on slices of numbers, one per unit, so that a
//! pass over a million units is a pass over memory.
//!
//! | method | objective | work |
//! |---|---|---|
//! | [`water_filling`] | least `Σ w_i (p_i - r_i)² / 2` | Newton on the multiplier, a few passes |
//! | [`headroom`] | the same share of the way to a bound | closed form, two passes |
//! | [`level`] | largest least `p_i / rating_i` (max-min fair) | Newton on the level |
//! | [`merit_order`] | least `Σ c_i p_i` | weighted quick-select, linear on average |
//! | [`fewest`] | fewest units away from their preference | quick-select on the range |
//! | [`commit`] | least cost with starts and least powers | Lagrangian bound and repair |
//!
//! Fairness over time is merit order on what each unit has given so far.

mod certify;
mod commit;
mod fewest;
mod level;
mod merit;
mod water;

use thiserror::Error;

pub use certify::{Objective, Refuted, certify};
pub use commit::{Committable, Committed, commit};
pub use fewest::{Fewest, fewest};
pub use level::level;
pub use merit::merit_order;
pub use water::{headroom, water_filling};

/// Ranges of units, watts, one entry per unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ranges<'a> {
    /// Lowest powers.
    pub lo_w: &'a [f64],
    /// Highest powers.
    pub hi_w: &'a [f64],
}

/// Powers that add up to the demand, and the multiplier that proves them best.
#[derive(Clone, PartialEq, Debug)]
pub struct Shares {
    /// By unit, watts.
    pub p_w: Vec<f64>,
    /// What one more watt of demand costs, in the method's own objective.
    pub multiplier: f64,
}

/// Why there are no shares.
#[derive(Clone, Copy, PartialEq, Debug, Error)]
pub enum NoShares {
    /// The slices differ in length.
    #[error("a list has {found} entries for {units} units")]
    Length {
        /// Entries of the list.
        found: usize,
        /// Units.
        units: usize,
    },
    /// A number is not finite, a range is empty, or a weight or rating is not positive.
    #[error("unit {unit} has a number outside its range")]
    Number {
        /// Which.
        unit: usize,
    },
    /// The demand is not a finite number.
    #[error("the demand is not a finite number")]
    Demand,
    /// All units at their bounds fall short of the demand.
    #[error("the units reach {reach_w} W of {demand_w} W")]
    OutOfReach {
        /// The nearest that they reach.
        reach_w: f64,
        /// What was asked.
        demand_w: f64,
    },
    /// Units with a least power can be switched on in no way that was found to meet the demand.
    #[error("no set of units was found that meets the demand")]
    NoSet,
}

impl Ranges<'_> {
    /// Number of units.
    #[must_use]
    pub fn units(&self) -> usize {
        self.lo_w.len()
    }

    /// Holds ranges and demand to their rules; gives the sums of the bounds.
    fn check(&self, demand_w: f64, lists: &[&[f64]]) -> Result<(f64, f64), NoShares> {
        let units = self.units();
        for list in lists.iter().copied().chain([self.hi_w]) {
            if list.len() != units {
                let found = list.len();
                return Err(NoShares::Length { found, units });
            }
        }
        if !demand_w.is_finite() {
            return Err(NoShares::Demand);
        }
        let (mut least, mut most, mut is_sound) = (0.0, 0.0, true);
        for (lo, hi) in self.lo_w.iter().zip(self.hi_w) {
            is_sound &= lo <= hi;
            least += lo;
            most += hi;
        }
        // A sum is finite only if its terms are; a range with a number that is none is not sound.
        let sums = [least, most];
        if !is_sound || !sums.iter().all(|sum| sum.is_finite()) {
            let broken = |i: &usize| {
                let (lo, hi) = (self.lo_w[*i], self.hi_w[*i]);
                !(lo <= hi && lo.is_finite() && hi.is_finite())
            };
            let unit = (0..units).find(broken).unwrap_or(0);
            return Err(NoShares::Number { unit });
        }
        // Rounding of a sum of many terms may not make its own bound unreachable.
        let slack = 1e-12 * (least.abs() + most.abs());
        if demand_w < least - slack || most + slack < demand_w {
            let reach_w = demand_w.clamp(least, most);
            return Err(NoShares::OutOfReach { reach_w, demand_w });
        }
        Ok((least, most))
    }
}

/// The first unit whose entry is not a positive finite number.
fn all_positive(list: &[f64]) -> Result<(), NoShares> {
    let broken = list.iter().position(|x| !(x.is_finite() && 0.0 < *x));
    broken.map_or(Ok(()), |unit| Err(NoShares::Number { unit }))
}

/// The first unit whose entry is not a finite number.
fn all_finite(list: &[f64]) -> Result<(), NoShares> {
    let broken = list.iter().position(|x| !x.is_finite());
    broken.map_or(Ok(()), |unit| Err(NoShares::Number { unit }))
}

/// Spreads what rounding left of the demand over units with room, so that shares add up to it as
/// closely as a sum of numbers can.
fn settle(ranges: Ranges<'_>, demand_w: f64, p_w: &mut [f64], sum_w: f64) {
    let mut missing = demand_w - sum_w;
    for (p, (lo, hi)) in p_w.iter_mut().zip(ranges.lo_w.iter().zip(ranges.hi_w)) {
        if missing == 0.0 {
            break;
        }
        let settled = (*p + missing).clamp(*lo, *hi);
        missing -= settled - *p;
        *p = settled;
    }
}

#[cfg(test)]
mod tests;
