//! Which units to start, and how much each is to give.

use super::{NoShares, Ranges};

/// Units for which the set is improved by exchanges; a larger one is left as it is filled.
const MAX_IMPROVED: usize = 20_000;
/// Units up to which the set is also filled from each of them.
const MAX_STARTED: usize = 64;
/// Units in and out of the set, nearest to the margin, that are exchanged.
const NEAR_MARGIN: usize = 24;
/// Rounds of improvement.
const MAX_ROUNDS: usize = 8;

/// Units that are off, or on between a least and a highest power; one entry per unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Committable<'a> {
    /// Money for being on at all.
    pub start_cost: &'a [f64],
    /// Money per watt held for the interval.
    pub cost_per_w: &'a [f64],
    /// Least power while on, not negative.
    pub min_w: &'a [f64],
    /// Highest power.
    pub hi_w: &'a [f64],
}

/// What each unit gives, what it costs, and what it costs at least.
#[derive(Clone, PartialEq, Debug)]
pub struct Committed {
    /// By unit, watts; zero for units that are off.
    pub p_w: Vec<f64>,
    /// Of starts and power.
    pub cost: f64,
    /// No choice of units costs less: the Lagrangian bound at `multiplier`.
    pub lower_bound: f64,
    /// Of the demand, money per watt.
    pub multiplier: f64,
}

/// Meets a demand at low cost with a bound on how low it can be.
///
/// With the multiplier `λ` of the demand, unit `i` by itself would be on at `hi_i` where its average
/// cost `c_i + s_i / hi_i` is below `λ`, and off elsewhere. So
/// `L(λ) = λ D + Σ min(0, s_i + (c_i - λ) hi_i)` (or at `min_i`, where `c_i > λ`), which is no more
/// than the least cost, for every `λ`; it is largest where merit order by average cost clears.
/// The units cheaper than that are the first set; then units near the margin are put in, taken out
/// and exchanged as long as that lowers the cost of the best way to share the demand within the set. A
/// few units are also tried from the set that begins with each of them.
///
/// # Errors
///
/// When a number is outside its range, the demand out of reach, or no set was found.
pub fn commit(demand_w: f64, units: Committable<'_>) -> Result<Committed, NoShares> {
    units.check(demand_w)?;
    let mut by_average: Vec<usize> = (0..units.hi_w.len())
        .filter(|i| 0.0 < units.hi_w[*i])
        .collect();
    by_average.sort_by(|a, b| {
        units
            .average(*a)
            .total_cmp(&units.average(*b))
            .then(a.cmp(b))
    });
    let mut by_cost = by_average.clone();
    by_cost.sort_by(|a, b| {
        units.cost_per_w[*a]
            .total_cmp(&units.cost_per_w[*b])
            .then(a.cmp(b))
    });
    let search = Search {
        units,
        demand_w,
        by_average,
        by_cost,
    };
    let (mut set, margin) = search.filled(None);
    let multiplier = search
        .by_average
        .get(margin)
        .map_or(0.0, |i| units.average(*i));
    let mut cost = search.cost(&set);
    if search.by_average.len() <= MAX_IMPROVED {
        search.improve(&mut set, &mut cost, margin);
    }
    if search.by_average.len() <= MAX_STARTED {
        for first in &search.by_average {
            let (mut other, margin) = search.filled(Some(*first));
            let mut other_cost = search.cost(&other);
            search.improve(&mut other, &mut other_cost, margin);
            if is_lower(other_cost, cost) {
                (set, cost) = (other, other_cost);
            }
        }
    }
    let cost = cost.ok_or(NoShares::NoSet)?;
    Ok(Committed {
        p_w: search.shared(&set),
        cost,
        lower_bound: units.bound(demand_w, multiplier),
        multiplier,
    })
}

impl Committable<'_> {
    fn check(&self, demand_w: f64) -> Result<(), NoShares> {
        let zeros = vec![0.0; self.hi_w.len()];
        let ranges = Ranges {
            lo_w: &zeros,
            hi_w: self.hi_w,
        };
        ranges.check(demand_w, &[self.start_cost, self.cost_per_w, self.min_w])?;
        let is_sound = |i: usize| {
            let is_cost = self.start_cost[i].is_finite() && 0.0 <= self.start_cost[i];
            let is_range = 0.0 <= self.min_w[i] && self.min_w[i] <= self.hi_w[i];
            is_cost && is_range && self.cost_per_w[i].is_finite()
        };
        match (0..self.hi_w.len()).find(|i| !is_sound(*i)) {
            None => Ok(()),
            Some(unit) => Err(NoShares::Number { unit }),
        }
    }

    fn average(&self, i: usize) -> f64 {
        self.cost_per_w[i] + self.start_cost[i] / self.hi_w[i]
    }

    /// `L(λ)`.
    pub(super) fn bound(&self, demand_w: f64, multiplier: f64) -> f64 {
        let own = |i: usize| {
            let per_w = self.cost_per_w[i] - multiplier;
            let p_w = if per_w < 0.0 {
                self.hi_w[i]
            } else {
                self.min_w[i]
            };
            (self.start_cost[i] + per_w * p_w).min(0.0)
        };
        multiplier * demand_w + (0..self.hi_w.len()).map(own).sum::<f64>()
    }
}

struct Search<'a> {
    units: Committable<'a>,
    demand_w: f64,
    by_average: Vec<usize>,
    by_cost: Vec<usize>,
}

impl Search<'_> {
    /// The first unit, if one is given, with the cheapest units by average cost that together reach
    /// the demand, and the place of the last one.
    fn filled(&self, first: Option<usize>) -> (Vec<bool>, usize) {
        let mut set = vec![false; self.units.hi_w.len()];
        let mut reach = 0.0;
        let mut margin = 0;
        if let Some(first) = first {
            set[first] = true;
            reach = self.units.hi_w[first];
        }
        for (place, &i) in self.by_average.iter().enumerate() {
            if self.demand_w <= reach {
                break;
            }
            if !set[i] {
                reach += self.units.hi_w[i];
            }
            set[i] = true;
            margin = place;
        }
        (set, margin)
    }

    /// Least cost of the demand within the set, `None` where it can't be met.
    fn cost(&self, set: &[bool]) -> Option<f64> {
        let (mut missing, mut cost) = (self.demand_w, 0.0);
        for &i in self.by_cost.iter().filter(|i| set[**i]) {
            missing -= self.units.min_w[i];
            cost += self.units.start_cost[i] + self.units.cost_per_w[i] * self.units.min_w[i];
        }
        let slack = 1e-9 * self.demand_w.abs();
        if missing < -slack {
            return None;
        }
        for &i in self.by_cost.iter().filter(|i| set[**i]) {
            let more = missing.clamp(0.0, self.units.hi_w[i] - self.units.min_w[i]);
            cost += more * self.units.cost_per_w[i];
            missing -= more;
        }
        (missing <= slack).then_some(cost)
    }

    /// The powers behind [`Search::cost`].
    fn shared(&self, set: &[bool]) -> Vec<f64> {
        let mut p_w = vec![0.0; set.len()];
        let mut missing = self.demand_w;
        for &i in self.by_cost.iter().filter(|i| set[**i]) {
            p_w[i] = self.units.min_w[i];
            missing -= p_w[i];
        }
        for &i in self.by_cost.iter().filter(|i| set[**i]) {
            let more = missing.clamp(0.0, self.units.hi_w[i] - self.units.min_w[i]);
            p_w[i] += more;
            missing -= more;
        }
        p_w
    }

    fn improve(&self, set: &mut [bool], cost: &mut Option<f64>, margin: usize) {
        let first = margin.saturating_sub(NEAR_MARGIN);
        let near: Vec<usize> = self
            .by_average
            .iter()
            .copied()
            .skip(first)
            .take(3 * NEAR_MARGIN)
            .collect();
        for _ in 0..MAX_ROUNDS {
            let before = *cost;
            for (place, &a) in near.iter().enumerate() {
                self.try_with(set, cost, &[a]);
                for &b in &near[..place] {
                    self.try_exchange(set, cost, [a, b]);
                }
            }
            if *cost == before {
                return;
            }
        }
    }

    /// Exchanges two units of which one is in the set, if that lowers the cost.
    fn try_exchange(&self, set: &mut [bool], cost: &mut Option<f64>, pair: [usize; 2]) {
        if set[pair[0]] != set[pair[1]] {
            self.try_with(set, cost, &pair);
        }
    }

    /// Turns these units over, and back if that does not lower the cost.
    fn try_with(&self, set: &mut [bool], cost: &mut Option<f64>, turned: &[usize]) {
        for &i in turned {
            set[i] = !set[i];
        }
        let tried = self.cost(set);
        if is_lower(tried, *cost) {
            *cost = tried;
            return;
        }
        for &i in turned {
            set[i] = !set[i];
        }
    }
}

/// Whether a cost is lower than another; none is the highest.
fn is_lower(tried: Option<f64>, cost: Option<f64>) -> bool {
    tried.is_some_and(|tried| cost.is_none_or(|cost| tried < cost))
}
