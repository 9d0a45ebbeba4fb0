//! As few units as can be.

use super::{NoShares, Ranges};

/// Units in and out of the set that may be exchanged, and sizes of the set that are tried.
const MAX_EXCHANGED: usize = 256;
const MAX_SIZES: usize = 64;

/// Shares of as few units as were found, and a proof of how few there can be.
#[derive(Clone, PartialEq, Debug)]
pub struct Fewest {
    /// By unit, watts; zero for units that are not used.
    pub p_w: Vec<f64>,
    /// Units used.
    pub used: usize,
    /// No shares use fewer.
    pub at_least: usize,
}

/// Meets a demand with as few units away from zero as were found. A unit that is used gives at
/// least `min_w` and at most `hi_w`; a demand that is not positive uses nobody.
///
/// The units with the largest `hi` are taken until they reach the demand: `k` of them. Any `k - 1`
/// units reach at most what the `k - 1` largest do, which is less than the demand; so `k` is a lower
/// bound, always. Where least powers are zero, the `k` units meet the demand and the bound is met.
/// Where their least powers add up to more than the demand, units with large least powers are
/// exchanged for the next ones while the reach allows, and then units added; the bound stays `k`.
///
/// # Errors
///
/// When a number is outside its range, the demand is out of reach, or no set was found.
pub fn fewest(demand_w: f64, min_w: &[f64], hi_w: &[f64]) -> Result<Fewest, NoShares> {
    let zeros = vec![0.0; hi_w.len()];
    let ranges = Ranges { lo_w: &zeros, hi_w };
    ranges.check(demand_w, &[min_w])?;
    let broken = |i: &usize| !(0.0 <= min_w[*i] && min_w[*i] <= hi_w[*i]);
    if let Some(unit) = (0..hi_w.len()).find(broken) {
        return Err(NoShares::Number { unit });
    }
    let mut order: Vec<usize> = (0..hi_w.len()).collect();
    order.sort_by(|a, b| hi_w[*b].total_cmp(&hi_w[*a]).then(a.cmp(b)));
    let mut reach = 0.0;
    let at_least = order
        .iter()
        .take_while(|i| {
            let is_needed = reach < demand_w;
            reach += hi_w[**i];
            is_needed
        })
        .count();
    let chosen = choose(demand_w, min_w, hi_w, &order, at_least).ok_or(NoShares::NoSet)?;
    let mut p_w = zeros.clone();
    let mut missing = demand_w.max(0.0);
    for &i in &chosen {
        p_w[i] = min_w[i];
        missing -= min_w[i];
    }
    for &i in &chosen {
        let more = missing.clamp(0.0, hi_w[i] - min_w[i]);
        p_w[i] += more;
        missing -= more;
    }
    Ok(Fewest {
        p_w,
        used: chosen.len(),
        at_least,
    })
}

/// A set of units whose least powers fit below the demand and whose reach is above it.
fn choose(
    demand_w: f64,
    min_w: &[f64],
    hi_w: &[f64],
    order: &[usize],
    at_least: usize,
) -> Option<Vec<usize>> {
    for count in (at_least..=order.len()).take(MAX_SIZES) {
        let mut chosen = order[..count].to_vec();
        let last = order.len().min(count + MAX_EXCHANGED);
        let mut spare = order[count..last].to_vec();
        let mut least: f64 = chosen.iter().map(|i| min_w[*i]).sum();
        let mut reach: f64 = chosen.iter().map(|i| hi_w[*i]).sum();
        while demand_w < least {
            // The exchange that takes most off the least powers and keeps the reach.
            let exchange = chosen
                .iter()
                .enumerate()
                .skip(count.saturating_sub(MAX_EXCHANGED))
                .filter_map(|(at, out)| {
                    let fits = |i: &&usize| {
                        demand_w <= reach - hi_w[*out] + hi_w[**i] && min_w[**i] < min_w[*out]
                    };
                    let best = spare
                        .iter()
                        .filter(fits)
                        .min_by(|a, b| min_w[**a].total_cmp(&min_w[**b]).then(a.cmp(b)))?;
                    Some((min_w[*out] - min_w[*best], at, *best))
                })
                .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            let Some((_, at, enter)) = exchange else {
                break;
            };
            let leave = std::mem::replace(&mut chosen[at], enter);
            spare.retain(|i| *i != enter);
            spare.push(leave);
            least += min_w[enter] - min_w[leave];
            reach += hi_w[enter] - hi_w[leave];
        }
        if least <= demand_w.max(0.0) && demand_w <= reach {
            return Some(chosen);
        }
        if min_w.iter().all(|min| *min == 0.0) {
            break;
        }
    }
    None
}
