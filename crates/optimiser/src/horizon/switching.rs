//! Units that are on or off: the relaxation, rounded and completed by the others.
//!
//! The relaxation lets a committed unit take any power from zero on and starts it for nothing, so its
//! bound holds for the whole problem. Its schedule is rounded, unit by unit, to the sequence of on
//! and off that keeps the least times and is nearest to it: an interval spent on below the least
//! power counts what is too much, one spent off counts what is missing, so many times as the
//! rounding's *lean* says. Dynamic programming over how long the unit has been on or off finds it.
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
                    rounded(problem, unit, &commitment, (off, on))
                }
                Rounding::Carried => {
                    for (carry, p_w) in carry.iter_mut().zip(relaxed.unit_w(index, intervals)) {
                        *carry += p_w;
                    }
                    let near = |t: usize| while_on(problem, unit, &commitment, t, carry[t]);
                    let off = |t: usize| carry[t].abs();
                    let on = |t: usize| (carry[t] - near(t)).abs();
                    let sequence = rounded(problem, unit, &commitment, (off, on));
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

/// Sequences by how long the unit has been in its state, at most as long as it must.
struct Chain {
    /// States: on for 1, 2, … intervals, then off for 1, 2, ….
    on: usize,
    off: usize,
}

impl Chain {
    fn states(&self) -> usize {
        self.on + self.off
    }

    fn switch(&self, state: usize) -> Switch {
        if state < self.on {
            Switch::On
        } else {
            Switch::Off
        }
    }

    /// States that the unit may be in one interval later.
    fn next(&self, state: usize) -> [Option<usize>; 2] {
        if state < self.on {
            let is_free = state + 1 == self.on;
            let stays = if is_free { state } else { state + 1 };
            [Some(stays), is_free.then_some(self.on)]
        } else {
            let is_free = state + 1 == self.states();
            let stays = if is_free { state } else { state + 1 };
            [Some(stays), is_free.then_some(0)]
        }
    }
}

/// The admissible sequence that is nearest: by interval, how far it is to be off and to be on.
fn rounded(
    problem: &Problem,
    unit: &Unit,
    commitment: &Commitment,
    (off, on): (impl Fn(usize) -> f64, impl Fn(usize) -> f64),
) -> Vec<Switch> {
    let intervals = problem.intervals();
    let least = |least: u32| (least.max(1) as usize).min(intervals.max(1));
    let chain = Chain {
        on: least(commitment.min_on),
        off: least(commitment.min_off),
    };
    let mut cost = vec![f64::INFINITY; chain.states()];
    let before = match commitment.before {
        Switch::On => chain.on - 1,
        Switch::Off => chain.states() - 1,
    };
    cost[before] = 0.0;
    let mut came_from: Vec<Vec<usize>> = Vec::with_capacity(intervals);
    for t in 0..intervals {
        let (lo, hi) = problem.range_w(unit, t);
        let most = lo.abs().max(hi.abs());
        let can_be_on = 0.0 < most && commitment.min_w <= most;
        let mut next_cost = vec![f64::INFINITY; chain.states()];
        let mut from = vec![0; chain.states()];
        for (state, so_far) in cost.iter().enumerate() {
            for next in chain.next(state).into_iter().flatten() {
                let away = match chain.switch(next) {
                    Switch::On if !can_be_on => f64::INFINITY,
                    Switch::On => on(t),
                    Switch::Off => off(t),
                };
                if so_far + away < next_cost[next] {
                    next_cost[next] = so_far + away;
                    from[next] = state;
                }
            }
        }
        came_from.push(from);
        cost = next_cost;
    }
    let mut state = (0..chain.states())
        .min_by(|a, b| cost[*a].total_cmp(&cost[*b]))
        .unwrap_or(before);
    let mut sequence: Vec<Switch> = came_from
        .iter()
        .rev()
        .map(|from| {
            let switch = chain.switch(state);
            state = from[state];
            switch
        })
        .collect();
    sequence.reverse();
    sequence
}
