//! Finding prices at which the answers of units that are told slightly different ones come near the
//! targets.
//!
//! As units differ, what all of them do together is a smooth function of the prices, and what it
//! misses is the gradient of a concave one. Its zero is found by the fixed point of a small step along
//! what is missed, accelerated with the steps before (Anderson 1965).

use super::Search;
use super::limit_power_w;
use crate::horizon::fleet::Differing;
use crate::horizon::plan::Prices;
use crate::horizon::problem::Target;
use crate::horizon::solve::NoPlan;

/// Steps that the acceleration knows of.
const MEMORY: usize = 6;
/// A step that leaves this many times the least missed is taken back.
const WORSE: f64 = 2.5;
/// What the answers may miss of a row, as a share of its power, to be mixed at once.
const NEAR: f64 = 4e-3;
/// Length of a plain step: how many times the difference a price moves when its row is missed by
/// all of its power.
const STEP: f64 = 4.0;

impl Search<'_> {
    /// Moves `prices` until the answers are near, with at most so many sweeps.
    pub(super) fn approach(
        &mut self,
        prices: &mut Prices,
        differing: Differing,
        most: u32,
    ) -> Result<(), NoPlan> {
        let mut history = History::default();
        for sweep in 0..most {
            self.ask_apart(prices, differing)?;
            let missed = self.missed(prices);
            let worst = missed.iter().fold(0.0_f64, |worst, m| worst.max(m.abs()));
            if worst <= NEAR || sweep + 1 == most {
                break;
            }
            let step = missed
                .iter()
                .map(|missed| STEP * differing.per_wh * missed)
                .collect();
            let next = history.next(self.position(prices), step);
            self.move_to(prices, &next);
        }
        Ok(())
    }

    /// By how much the last answers miss the rows that are priced, targets first, relative to the
    /// power that each row sees; nothing where a one-sided row is kept and has no price.
    fn missed(&self, prices: &Prices) -> Vec<f64> {
        let problem = self.fleet.problem;
        let intervals = problem.intervals();
        let answers = self.answers.last().expect("a sweep was made");
        let mut missed = Vec::new();
        for t in 0..intervals {
            let sum: f64 = answers.iter().map(|column| column.p_w[t]).sum();
            let price = prices.target_per_wh[t];
            missed.push(
                match problem.targets[t] {
                    Target::Free => 0.0,
                    Target::Exact(p_w) => p_w - sum,
                    Target::AtLeast(p_w) if 0.0 < price => p_w - sum,
                    Target::AtLeast(p_w) => (p_w - sum).max(0.0),
                    Target::AtMost(p_w) if price < 0.0 => p_w - sum,
                    Target::AtMost(p_w) => (p_w - sum).min(0.0),
                } / self.master.base_w,
            );
        }
        for limit in &self.master.watched {
            let power = limit_power_w(problem, *limit);
            let price = prices.limit_per_wh.get(limit);
            for (t, bound) in problem.limits[*limit as usize].at_most_w.iter().enumerate() {
                let of_groups = answers
                    .iter()
                    .filter_map(|column| column.limit_w.get(limit));
                let sum: f64 = of_groups.map(|limit_w| limit_w[t]).sum();
                let is_priced = price.is_some_and(|price| 0.0 < price[t]);
                let over = if bound.is_finite() { bound - sum } else { 0.0 };
                missed.push(if is_priced { over } else { over.min(0.0) } / power);
            }
        }
        missed
    }

    /// The prices of the same rows; those of limits with the sign turned, so that to be missed
    /// moves all of them up.
    fn position(&self, prices: &Prices) -> Vec<f64> {
        let mut position = prices.target_per_wh.clone();
        for limit in &self.master.watched {
            let at = position.len();
            position.resize(at + self.fleet.problem.intervals(), 0.0);
            if let Some(price) = prices.limit_per_wh.get(limit) {
                for (position, price) in position[at..].iter_mut().zip(price) {
                    *position = -price;
                }
            }
        }
        position
    }

    fn move_to(&self, prices: &mut Prices, position: &[f64]) {
        let intervals = self.fleet.problem.intervals();
        prices.target_per_wh.copy_from_slice(&position[..intervals]);
        let of_limits = position[intervals..].chunks(intervals);
        for (limit, position) in self.master.watched.iter().zip(of_limits) {
            let price = position.iter().map(|position| -position).collect();
            prices.limit_per_wh.insert(*limit, price);
        }
        *prices = std::mem::take(prices).with_allowed_signs(self.fleet.problem);
    }
}

/// A position and the plain step from it.
type Known = (Vec<f64>, Vec<f64>);

/// What is known, the latest last.
#[derive(Default)]
struct History {
    known: Vec<Known>,
}

impl History {
    /// The next position: that combination of the known ones whose steps come nearest to cancelling,
    /// and the step from there.
    fn next(&mut self, position: Vec<f64>, step: Vec<f64>) -> Vec<f64> {
        let norm = dot(&step, &step);
        let best = self
            .known
            .iter()
            .min_by(|a, b| dot(&a.1, &a.1).total_cmp(&dot(&b.1, &b.1)));
        if let Some(best) = best.filter(|best| WORSE * WORSE * dot(&best.1, &best.1) < norm) {
            let best = best.clone();
            let back = best
                .0
                .iter()
                .zip(&best.1)
                .map(|(x, f)| x + 0.5 * f)
                .collect();
            self.known = vec![best];
            return back;
        }
        self.known.push((position, step));
        if MEMORY < self.known.len() {
            self.known.remove(0);
        }
        let (latest, before) = self.known.split_last().expect("one was pushed");
        let turns: Vec<Vec<f64>> = before.iter().map(|old| minus(&latest.1, &old.1)).collect();
        let weights = least_squares(&turns, &latest.1);
        let mut next: Vec<f64> = latest.0.iter().zip(&latest.1).map(|(x, f)| x + f).collect();
        for ((old, turn), weight) in before.iter().zip(&turns).zip(weights) {
            let moved = minus(&latest.0, &old.0);
            for (next, (moved, turn)) in next.iter_mut().zip(moved.iter().zip(turn)) {
                *next -= weight * (moved + turn);
            }
        }
        next
    }
}

/// The weights at which the columns add up to most of the target, a little shy of the optimum where
/// columns are alike.
fn least_squares(columns: &[Vec<f64>], target: &[f64]) -> Vec<f64> {
    let n = columns.len();
    let mut rows: Vec<Vec<f64>> = columns
        .iter()
        .map(|a| {
            columns
                .iter()
                .map(|b| dot(a, b))
                .chain([dot(a, target)])
                .collect()
        })
        .collect();
    let largest = (0..n).map(|i| rows[i][i]).fold(0.0, f64::max);
    for (i, row) in rows.iter_mut().enumerate() {
        row[i] += 1e-6 * largest + f64::MIN_POSITIVE;
    }
    // Elimination without exchanges: the matrix is symmetric and positive definite.
    for i in 0..n {
        let (above, below) = rows.split_at_mut(i + 1);
        for row in below {
            let factor = row[i] / above[i][i];
            for (entry, pivot) in row[i..].iter_mut().zip(&above[i][i..]) {
                *entry -= factor * pivot;
            }
        }
    }
    let mut weights = vec![0.0; n];
    for i in (0..n).rev() {
        let known = dot(&rows[i][i + 1..n], &weights[i + 1..]);
        weights[i] = (rows[i][n] - known) / rows[i][i];
    }
    weights
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
