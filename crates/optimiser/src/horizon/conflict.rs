//! Which constraints contradict each other, when there is no plan.
//!
//! All constraints may be broken by the same amount `v`, relative to their scale, and the least `v`
//! is found by a linear programme; the constraints are compatible when it is zero. Those with a
//! positive multiplier at the optimum already contradict each other (Farkas). From them, blocks of
//! constraints and then single ones are left out as long as the rest still contradicts itself
//! (deletion filter, Chinneck and Dravnieks 1991): what remains is irreducible.

use thiserror::Error;

use super::lp::Rows;
use super::problem::{Invalid, Problem, Target};

/// Most unit-intervals of a problem in which a conflict is searched.
pub const MAX_CONFLICT_CELLS: usize = 20_000;
/// The least relative breach that counts as one.
const BREACH: f64 = 1e-6;
/// Multipliers below this share of the largest are none.
const MULTIPLIER: f64 = 1e-6;
const TOLERANCE: f64 = 1e-9;

/// One constraint, or those of one kind on one unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Constraint {
    /// The target of an interval.
    Target {
        /// Which.
        interval: u32,
    },
    /// A limit in an interval.
    Limit {
        /// Which.
        limit: u32,
        /// When.
        interval: u32,
    },
    /// The energy a unit must have by its deadline, or at the end.
    Deadline {
        /// Which unit.
        unit: u32,
    },
    /// Capacity and reserve of a unit's store.
    Store {
        /// Which unit.
        unit: u32,
    },
    /// The ramp of a unit.
    Ramp {
        /// Which unit.
        unit: u32,
    },
    /// The power ranges of all units.
    Ranges,
}

/// Constraints that contradict each other; without any one of them the others do not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// Ascending.
    pub constraints: Vec<Constraint>,
}

/// Why no conflict is named.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum NoConflict {
    /// The problem breaks a rule.
    #[error("the problem is not well formed: {0}")]
    Invalid(#[from] Invalid),
    /// There is none: all constraints can be kept, each to within a millionth of its scale.
    #[error("the constraints do not contradict each other")]
    Compatible,
    /// More unit-intervals than [`MAX_CONFLICT_CELLS`].
    #[error("{cells} unit-intervals are too many to search")]
    TooLarge {
        /// How many.
        cells: usize,
    },
    /// The interior-point method gave up.
    #[error("the solver did not converge")]
    Numerical,
}

/// Names constraints that contradict each other, irreducibly. Costs play no part, and a committed
/// unit may take any power from zero on.
///
/// # Errors
///
/// When there is no conflict, or the problem is too large.
pub fn conflict(problem: &Problem) -> Result<Conflict, NoConflict> {
    problem.validate()?;
    let cells = problem.units.len() * problem.intervals();
    if MAX_CONFLICT_CELLS < cells {
        return Err(NoConflict::TooLarge { cells });
    }
    let all = all_constraints(problem);
    let whole = breach(problem, &all)?;
    if whole.by <= BREACH {
        return Err(NoConflict::Compatible);
    }
    let support: Vec<Constraint> = whole.support;
    let mut suspects = if BREACH < breach(problem, &support)?.by {
        support
    } else {
        all
    };
    let mut block = suspects.len().div_ceil(2);
    loop {
        let mut at = 0;
        while at < suspects.len() {
            let end = (at + block).min(suspects.len());
            let mut rest = suspects.clone();
            rest.drain(at..end);
            if BREACH < breach(problem, &rest)?.by {
                suspects = rest;
            } else {
                at = end;
            }
        }
        if block == 1 {
            break;
        }
        block = block.div_ceil(2);
    }
    suspects.sort_unstable();
    Ok(Conflict {
        constraints: suspects,
    })
}

fn all_constraints(problem: &Problem) -> Vec<Constraint> {
    let mut all = vec![Constraint::Ranges];
    for (target, interval) in problem.targets.iter().zip(0..) {
        if *target != Target::Free {
            all.push(Constraint::Target { interval });
        }
    }
    for (limit, index) in problem.limits.iter().zip(0..) {
        for (bound, interval) in limit.at_most_w.iter().zip(0..) {
            if bound.is_finite() {
                let limit = index;
                all.push(Constraint::Limit { limit, interval });
            }
        }
    }
    for (item, unit) in problem.units.iter().zip(0..) {
        if let Some(store) = item.store {
            all.push(Constraint::Store { unit });
            if store.deadline.is_some() || 0.0 < store.end_min_wh {
                all.push(Constraint::Deadline { unit });
            }
        }
        if item.ramp.is_some() {
            all.push(Constraint::Ramp { unit });
        }
    }
    all
}

struct Breach {
    by: f64,
    /// Constraints with a positive multiplier.
    support: Vec<Constraint>,
}

/// The least relative amount by which the constraints must be broken.
fn breach(problem: &Problem, constraints: &[Constraint]) -> Result<Breach, NoConflict> {
    let intervals = problem.intervals();
    let base_w = problem
        .units
        .iter()
        .map(|unit| unit.lo_w.abs().max(unit.hi_w.abs()))
        .fold(1e-9, f64::max);
    let columns = 1 + 3 * problem.units.len() * intervals;
    let mut elastic = Elastic {
        problem,
        base_w,
        rows: Rows::default(),
        owner: Vec::new(),
    };
    elastic.dynamics();
    for &constraint in constraints {
        elastic.write(constraint);
    }
    for column in 0..columns {
        let is_energy = 0 < column && (column - 1) % 3 == 2;
        if !is_energy {
            elastic.rows.begin(0.0);
            elastic.rows.term(column, -1.0);
        }
    }
    let mut cost = vec![0.0; columns];
    cost[0] = 1.0;
    let first = problem
        .units
        .iter()
        .filter(|unit| unit.store.is_some())
        .count()
        * intervals;
    let owner = elastic.owner;
    let (x, z) = elastic
        .rows
        .minimise(&cost, TOLERANCE)
        .map_err(|_| NoConflict::Numerical)?;
    let largest = z[first..first + owner.len()]
        .iter()
        .copied()
        .fold(0.0, f64::max);
    let mut support: Vec<Constraint> = owner
        .iter()
        .zip(&z[first..])
        .filter(|(_, z)| MULTIPLIER * largest < **z)
        .map(|(owner, _)| *owner)
        .collect();
    support.sort_unstable();
    support.dedup();
    Ok(Breach { by: x[0], support })
}

/// A programme whose first variable says how far its constraints are broken; then, by unit and
/// interval, injected and absorbed power and energy.
struct Elastic<'a> {
    problem: &'a Problem,
    base_w: f64,
    rows: Rows,
    /// Of the rows after the dynamics.
    owner: Vec<Constraint>,
}

impl Elastic<'_> {
    fn column(&self, unit: usize, t: usize) -> usize {
        1 + 3 * (unit * self.problem.intervals() + t)
    }

    fn dynamics(&mut self) {
        for (index, unit) in self.problem.units.iter().enumerate() {
            let Some(store) = unit.store else { continue };
            for t in 0..self.problem.intervals() {
                let hours = self.problem.hours(t);
                let at = self.column(index, t);
                let before = if t == 0 {
                    store.energy_wh / self.base_w
                } else {
                    0.0
                };
                self.rows.begin_equality(store.kept(hours) * before);
                self.rows.term(at + 2, 1.0);
                self.rows.term(at, hours / store.discharge_efficiency);
                self.rows.term(at + 1, -hours * store.charge_efficiency);
                if 0 < t {
                    self.rows.term(at - 3 + 2, -store.kept(hours));
                }
            }
        }
    }

    /// Begins `terms ≤ bound + v · scale`, in watts or watt-hours.
    fn begin(&mut self, owner: Constraint, bound: f64, scale: f64) {
        self.rows.begin(bound / self.base_w);
        self.rows.term(0, -scale.max(1e-9) / self.base_w);
        self.owner.push(owner);
    }

    fn power(&mut self, unit: usize, t: usize, factor: f64) {
        let at = self.column(unit, t);
        self.rows.term(at, factor);
        self.rows.term(at + 1, -factor);
    }

    fn write(&mut self, constraint: Constraint) {
        let problem = self.problem;
        match constraint {
            Constraint::Ranges => self.ranges(constraint),
            Constraint::Target { interval } => self.target(constraint, interval as usize),
            Constraint::Limit { limit, interval } => {
                let limit = &problem.limits[limit as usize];
                let t = interval as usize;
                let terms = limit.terms.iter();
                let scale = terms
                    .map(|(unit, a)| a.abs() * power_w(problem, *unit as usize))
                    .sum();
                self.begin(constraint, limit.at_most_w[t], scale);
                for (unit, a) in &limit.terms {
                    self.power(*unit as usize, t, *a);
                }
            }
            Constraint::Deadline { unit } => self.deadline(constraint, unit as usize),
            Constraint::Store { unit } => self.store(constraint, unit as usize),
            Constraint::Ramp { unit } => self.ramp(constraint, unit as usize),
        }
    }

    fn ranges(&mut self, owner: Constraint) {
        for index in 0..self.problem.units.len() {
            let unit = &self.problem.units[index];
            let scale = power_w(self.problem, index);
            for t in 0..self.problem.intervals() {
                let (lo, hi) = self.problem.relaxed_range_w(unit, t);
                let at = self.column(index, t);
                let bounds = [
                    (at, 1.0, hi.max(0.0)),
                    (at, -1.0, -lo.max(0.0)),
                    (at + 1, 1.0, (-lo).max(0.0)),
                    (at + 1, -1.0, -(-hi).max(0.0)),
                ];
                for (column, sign, bound) in bounds {
                    self.begin(owner, bound, scale);
                    self.rows.term(column, sign);
                }
            }
        }
    }

    fn target(&mut self, owner: Constraint, t: usize) {
        let units = self.problem.units.len();
        let scale: f64 = (0..units).map(|unit| power_w(self.problem, unit)).sum();
        let (at_most, at_least) = match self.problem.targets[t] {
            Target::Free => (None, None),
            Target::Exact(p_w) => (Some(p_w), Some(p_w)),
            Target::AtLeast(p_w) => (None, Some(p_w)),
            Target::AtMost(p_w) => (Some(p_w), None),
        };
        for (bound, sign) in [(at_most, 1.0), (at_least, -1.0)] {
            let Some(p_w) = bound else { continue };
            self.begin(owner, sign * p_w, scale);
            for unit in 0..units {
                self.power(unit, t, sign);
            }
        }
    }

    fn deadline(&mut self, owner: Constraint, unit: usize) {
        let Some(store) = self.problem.units[unit].store else {
            return;
        };
        let last = self.problem.intervals() - 1;
        let end = (0.0 < store.end_min_wh).then_some((last, store.end_min_wh));
        let by = store.deadline.map(|d| (d.interval as usize, d.min_wh));
        for (t, min_wh) in [by, end].into_iter().flatten() {
            self.begin(owner, -min_wh, store.capacity_wh);
            let at = self.column(unit, t);
            self.rows.term(at + 2, -1.0);
        }
    }

    fn store(&mut self, owner: Constraint, unit: usize) {
        let Some(store) = self.problem.units[unit].store else {
            return;
        };
        let mut unused = store.energy_wh;
        for t in 0..self.problem.intervals() {
            unused *= store.kept(self.problem.hours(t));
            let at = self.column(unit, t);
            self.begin(owner, store.capacity_wh, store.capacity_wh);
            self.rows.term(at + 2, 1.0);
            self.begin(owner, -store.reserve_wh.min(unused), store.capacity_wh);
            self.rows.term(at + 2, -1.0);
        }
    }

    fn ramp(&mut self, owner: Constraint, unit: usize) {
        let Some(ramp) = self.problem.units[unit].ramp else {
            return;
        };
        let scale = power_w(self.problem, unit);
        for t in 0..self.problem.intervals() {
            for sign in [1.0, -1.0] {
                let from = if t == 0 { sign * ramp.from_w } else { 0.0 };
                self.begin(owner, ramp.max_step_w + from, scale);
                self.power(unit, t, sign);
                if 0 < t {
                    self.power(unit, t - 1, -sign);
                }
            }
        }
    }
}

fn power_w(problem: &Problem, unit: usize) -> f64 {
    let unit = &problem.units[unit];
    unit.lo_w.abs().max(unit.hi_w.abs())
}
