//! Max-min fairness.

use super::{NoShares, Ranges, Shares, water_filling};

/// Largest least `p_i / rating_i`, then largest second least, and so on: every unit that is not at
/// a bound has the same `p_i / rating_i`, which is the multiplier: `p_i = clip(λ rating_i, lo, hi)`.
///
/// It is water-filling with the preference zero and the weight `1 / rating_i`.
///
/// # Errors
///
/// When a number is outside its range or the demand out of reach.
pub fn level(demand_w: f64, ranges: Ranges<'_>, rating_w: &[f64]) -> Result<Shares, NoShares> {
    super::all_positive(rating_w)?;
    let weight: Vec<f64> = rating_w.iter().map(|rating| 1.0 / rating).collect();
    let preferred_w = vec![0.0; rating_w.len()];
    water_filling(demand_w, ranges, &preferred_w, &weight)
}
