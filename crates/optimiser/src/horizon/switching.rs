//! Units that are on or off: the relaxation, rounded and completed by the others.
//!
//! The relaxation lets a committed unit take any power from zero on and starts it for nothing, so its
//! bound holds for the whole problem. Its schedule is rounded, unit by unit, to the sequence of on
//! and off that keeps the least times and is nearest to it: an interval spent on below the least
//! power counts what is too much, one spent off counts what is missing, so many times as the
//! rounding's *lean* says. Dynamic programming over when the unit is free to change finds it: intervals
//! may differ in length, and a unit changes only once those that it has been on or off for, and the time
//! before the first one, last as long as it must.
//! Then the problem is solved again with the units switched so, which repairs what rounding broke.
//! Of several leans the cheapest result is taken; the gap is to the relaxation.
//!
//! Units that are alike have the same schedule in the relaxation, and rounded one by one they would all
//! be on or all off. So they are also rounded one after the other, each with what rounding the units
//! before it has left of their sum.

use super::plan::Plan;
use super::problem::{Commitment, Problem, Shape, Switch, Unit};
use super::solve::{NoPlan, Settings, solve_relaxed};

/// How sequences are rounded to the relaxation.
#[derive(Clone, Copy)]
enum Rounding {
    /// Each unit to the sum that the units before it have left.
    Carried,
    /// Each unit by itself; what is missing while off counts so many times.
    Lean(f64),
}

/// Roundings that are tried; with the last, all are off that may be.
const ROUNDINGS: [Rounding; 6] = [
    Rounding::Carried,
    Rounding::Lean(1.0),
    Rounding::Lean(3.0),
    Rounding::Lean(0.4),
    Rounding::Lean(12.0),
    Rounding::Lean(0.0),
];

pub(super) fn solve_switched(problem: &Problem, settings: &Settings) -> Result<Plan, NoPlan> {
    let intervals = problem.intervals();
    let relaxed = solve_relaxed(problem, settings)?;
    let mut best: Option<Plan> = None;
    for rounding in ROUNDINGS {
        let mut switched = problem.clone();
        let mut starts = 0.0;
        let mut carry = vec![0.0; intervals];
        for (index, unit) in problem.units.iter().enumerate() {
            let Some(commitment) = unit.commitment else {
                continue;
            };
            let sequence = match rounding {
                Rounding::Lean(lean) => {
                    let p_w = relaxed.unit_w(index, intervals);
                    let off = |t: usize| lean * p_w[t].abs();
                    let on = |t: usize| (commitment.min_w - p_w[t].abs()).max(0.0);
                    let sequence = rounded(problem, unit, &commitment, (off, on));
                    sequence.ok_or(NoPlan::NoSwitching)?
                }
                Rounding::Carried => {
                    for (carry, p_w) in carry.iter_mut().zip(relaxed.unit_w(index, intervals)) {
                        *carry += p_w;
                    }
                    let near = |t: usize| while_on(problem, unit, &commitment, t, carry[t]);
                    let off = |t: usize| carry[t].abs();
                    let on = |t: usize| (carry[t] - near(t)).abs();
                    let sequence = rounded(problem, unit, &commitment, (off, on));
                    let sequence = sequence.ok_or(NoPlan::NoSwitching)?;
                    let chosen: Vec<f64> = sequence
                        .iter()
                        .enumerate()
                        .map(|(t, switch)| match switch {
                            Switch::On => near(t),
                            Switch::Off => 0.0,
                        })
                        .collect();
                    for (carry, chosen) in carry.iter_mut().zip(chosen) {
                        *carry -= chosen;
                    }
                    sequence
                }
            };
            starts += commitment.start_cost * count_starts(commitment.before, &sequence);
            let shape = u32::try_from(switched.shapes.len()).map_err(|_| NoPlan::NoSwitching)?;
            switched
                .shapes
                .push(switched_shape(problem, unit, &commitment, &sequence));
            switched.units[index] = Unit {
                lo_w: 1.0,
                hi_w: 1.0,
                shape: Some(shape),
                commitment: None,
                ..*unit
            };
        }
        let Ok(plan) = solve_relaxed(&switched, settings) else {
            continue;
        };
        let objective = plan.objective + starts;
        if best.as_ref().is_none_or(|best| objective < best.objective) {
            best = Some(Plan {
                objective,
                lower_bound: relaxed.lower_bound,
                prices: relaxed.prices.clone(),
                ..plan
            });
        }
    }
    best.ok_or(NoPlan::NoSwitching)
}

fn count_starts(before: Switch, sequence: &[Switch]) -> f64 {
    let earlier = std::iter::once(&before).chain(sequence);
    let pairs = earlier.zip(sequence);
    pairs
        .filter(|pair| *pair == (&Switch::Off, &Switch::On))
        .map(|_| 1.0)
        .sum()
}

/// The range that is left once the unit is switched, as factors on one watt.
fn switched_shape(
    problem: &Problem,
    unit: &Unit,
    commitment: &Commitment,
    sequence: &[Switch],
) -> Shape {
    let ranges = sequence.iter().enumerate().map(|(t, switch)| match switch {
        Switch::Off => (0.0, 0.0),
        Switch::On => range_while_on(problem, unit, commitment, t),
    });
    let (lo, hi) = ranges.unzip();
    Shape { lo, hi }
}

fn range_while_on(problem: &Problem, unit: &Unit, commitment: &Commitment, t: usize) -> (f64, f64) {
    let (lo, hi) = problem.range_w(unit, t);
    match 0.0 < hi {
        true => (lo.max(commitment.min_w).min(hi), hi),
        false => (lo, hi.min(-commitment.min_w).max(lo)),
    }
}

/// The power while on that is nearest to `p_w`.
fn while_on(problem: &Problem, unit: &Unit, commitment: &Commitment, t: usize, p_w: f64) -> f64 {
    let (lo, hi) = range_while_on(problem, unit, commitment, t);
    p_w.clamp(lo, hi)
}

/// How the best way to somewhere got there.
#[derive(Clone, Copy)]
enum Came {
    /// As it was before the first interval.
    Begun,
    /// It stayed as it was for one interval more.
    Stayed,
    /// It changed at the beginning of this interval and had to stay so since.
    Changed(usize),
}

/// The best ways to be free to change, by the interval before which, in one position.
struct Ways {
    cost: Vec<f64>,
    came: Vec<Came>,
}

impl Ways {
    fn new(intervals: usize) -> Self {
        Self {
            cost: vec![f64::INFINITY; intervals + 1],
            came: vec![Came::Begun; intervals + 1],
        }
    }

    fn offer(&mut self, t: usize, cost: f64, came: Came) {
        if cost < self.cost[t] {
            (self.cost[t], self.came[t]) = (cost, came);
        }
    }
}

/// The first interval before which a unit may change that has been `switch` for `lasted_s` before
/// interval `from`; the number of intervals when it has to stay so to their end.
fn free_from(
    interval_s: &[f64],
    commitment: &Commitment,
    (switch, from, mut lasted_s): (Switch, usize, f64),
) -> usize {
    // Sums of lengths may fall short of a least time by what floating point loses.
    let least_s = commitment.least_s(switch) * (1.0 - 1e-9);
    let mut t = from;
    while t < interval_s.len() && lasted_s < least_s {
        lasted_s += interval_s[t];
        t += 1;
    }
    t
}

/// The admissible sequence that is nearest: by interval, how far it is to be off and to be on.
/// `None` when the least times can't be kept within the ranges.
fn rounded(
    problem: &Problem,
    unit: &Unit,
    commitment: &Commitment,
    (off, on): (impl Fn(usize) -> f64, impl Fn(usize) -> f64),
) -> Option<Vec<Switch>> {
    let intervals = problem.intervals();
    let away = |switch: Switch, t: usize| {
        let (lo, hi) = problem.range_w(unit, t);
        let most = lo.abs().max(hi.abs());
        let can_be_on = 0.0 < most && commitment.min_w <= most;
        match switch {
            Switch::On if !can_be_on => f64::INFINITY,
            Switch::On => on(t),
            Switch::Off => off(t),
        }
    };
    let run = |switch, from: usize, to: usize| (from..to).map(|t| away(switch, t)).sum::<f64>();
    let free = |run| free_from(&problem.interval_s, commitment, run);
    let mut ways = [Ways::new(intervals), Ways::new(intervals)];
    let first = free((commitment.before, 0, commitment.lasted_s));
    let held = run(commitment.before, 0, first);
    ways[commitment.before as usize].offer(first, held, Came::Begun);
    for t in 0..intervals {
        for (switch, other) in [(Switch::Off, Switch::On), (Switch::On, Switch::Off)] {
            let so_far = ways[switch as usize].cost[t];
            if so_far.is_infinite() {
                continue;
            }
            let stay = so_far + away(switch, t);
            ways[switch as usize].offer(t + 1, stay, Came::Stayed);
            let until = free((other, t, 0.0)).max(t + 1);
            let change = so_far + run(other, t, until);
            ways[other as usize].offer(until, change, Came::Changed(t));
        }
    }
    let cost = |switch: &Switch| ways[*switch as usize].cost[intervals];
    let last = [Switch::Off, Switch::On]
        .into_iter()
        .min_by(|a, b| cost(a).total_cmp(&cost(b)))
        .filter(|last| cost(last).is_finite())?;
    Some(traced(&ways, last))
}

/// The sequence of the best way that ends as `last`.
fn traced(ways: &[Ways; 2], last: Switch) -> Vec<Switch> {
    let mut t = ways[0].cost.len() - 1;
    let mut sequence = vec![last; t];
    let mut switch = last;
    loop {
        let from = match ways[switch as usize].came[t] {
            Came::Begun => 0,
            Came::Stayed => t - 1,
            Came::Changed(from) => from,
        };
        sequence[from..t].fill(switch);
        match ways[switch as usize].came[t] {
            Came::Begun => return sequence,
            Came::Stayed => {}
            Came::Changed(_) => {
                switch = match switch {
                    Switch::Off => Switch::On,
                    Switch::On => Switch::Off,
                }
            }
        }
        t = from;
    }
}

#[cfg(test)]
mod tests;
