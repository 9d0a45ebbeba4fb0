//! The relaxation as one linear programme, solved by Clarabel's interior-point method.
//!
//! Variables are the steps `x` of every unit and interval ([`super::response::Stage`]) and the
//! energy `e` of every store:
//!
//! ```text
//! p_it = lo_it + Σ_j x_itj,  0 ≤ x_itj ≤ width_itj
//! e_it = a_t e_i,t-1 - Δ_t (drawn(lo_it) + Σ_j drawn_j x_itj),  floor_it ≤ e_it ≤ capacity_i
//! |p_it - p_i,t-1| ≤ step_i,  Σ_i a_ri p_it ≤ b_rt,  Σ_i p_it {=, ≥, ≤} D_t
//! min Σ Δ_t (slope_j - adder_it) x_itj
//! ```
//!
//! Powers are divided by the largest one and costs by the dearest, so that Clarabel's absolute
//! tolerances are relative ones.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, SolverStatus, ZeroConeT,
};

use super::problem::{Problem, Target};
use super::response::Stage;

/// Which rows over several units are part of the programme.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Coupling {
    /// Targets and these limits.
    Whole,
    /// These limits only.
    LimitsOnly,
}

/// Some units of a problem with some of its limits.
pub(super) struct Part<'a> {
    pub(super) problem: &'a Problem,
    /// Ascending.
    pub(super) units: &'a [u32],
    /// Each over units of this part only.
    pub(super) limits: &'a [u32],
    pub(super) coupling: Coupling,
    /// By unit of this part and interval: money per Wh that injecting earns besides the price;
    /// empty for none.
    pub(super) adder_per_wh: &'a [f64],
}

/// An optimum of the relaxation, and what its constraints are worth.
pub(super) struct Optimum {
    /// By unit of the part, then interval.
    pub(super) p_w: Vec<f64>,
    /// By interval, money per Wh, with the sign that the target's sense allows.
    pub(super) target_per_wh: Vec<f64>,
    /// By limit of the part, then interval, money per Wh, not negative.
    pub(super) limit_per_wh: Vec<Vec<f64>>,
    /// By unit of the part, then interval, money per W of upward change; empty without ramps.
    pub(super) ramp_per_w: Vec<Vec<f64>>,
}

/// Why there is no optimum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoOptimum {
    /// The constraints contradict each other.
    Infeasible,
    /// The interior-point method gave up.
    Numerical,
}

/// The variables at the optimum, and the multipliers of the rows.
type Solved = (Vec<f64>, Vec<f64>);

/// A linear programme as it is written: `A x + s = b`, rows of equalities before the others.
#[derive(Default)]
pub(super) struct Rows {
    row: Vec<usize>,
    column: Vec<usize>,
    value: Vec<f64>,
    bound: Vec<f64>,
    equalities: usize,
}

impl Rows {
    /// Number of rows begun.
    pub(super) fn rows(&self) -> usize {
        self.bound.len()
    }

    /// Begins a row, whose index it gives. All equalities come first.
    pub(super) fn begin(&mut self, bound: f64) -> usize {
        self.bound.push(bound);
        self.bound.len() - 1
    }

    pub(super) fn begin_equality(&mut self, bound: f64) -> usize {
        debug_assert_eq!(self.equalities, self.bound.len(), "equalities come first");
        self.equalities += 1;
        self.begin(bound)
    }

    /// Adds a term to the row begun last.
    pub(super) fn term(&mut self, column: usize, value: f64) {
        self.row.push(self.bound.len() - 1);
        self.column.push(column);
        self.value.push(value);
    }

    pub(super) fn subtract_from_bound(&mut self, value: f64) {
        *self.bound.last_mut().expect("a row was begun") -= value;
    }

    /// Minimises `cost · x`; gives `x` and the rows' multipliers.
    pub(super) fn minimise(self, cost: &[f64], tolerance: f64) -> Result<Solved, NoOptimum> {
        let columns = cost.len();
        self.minimise_quadratic(&CscMatrix::zeros((columns, columns)), cost, tolerance)
    }

    /// Minimises `x · diagonal x / 2 + cost · x`.
    pub(super) fn minimise_curved(
        self,
        diagonal: &[f64],
        cost: &[f64],
        tolerance: f64,
    ) -> Result<Solved, NoOptimum> {
        let curved: Vec<usize> = (0..cost.len()).filter(|j| diagonal[*j] != 0.0).collect();
        let values = curved.iter().map(|j| diagonal[*j]).collect();
        let (n, rows) = (cost.len(), curved.clone());
        let p = CscMatrix::new_from_triplets(n, n, rows, curved, values);
        self.minimise_quadratic(&p, cost, tolerance)
    }

    fn minimise_quadratic(
        self,
        p: &CscMatrix<f64>,
        cost: &[f64],
        tolerance: f64,
    ) -> Result<Solved, NoOptimum> {
        let (rows, columns) = (self.bound.len(), cost.len());
        let a = CscMatrix::new_from_triplets(rows, columns, self.row, self.column, self.value);
        let cones = [
            ZeroConeT(self.equalities),
            NonnegativeConeT(rows - self.equalities),
        ];
        let settings = DefaultSettings {
            verbose: false,
            tol_gap_abs: tolerance,
            tol_gap_rel: tolerance,
            tol_feas: tolerance,
            ..DefaultSettings::default()
        };
        let mut solver = DefaultSolver::new(p, cost, &a, &self.bound, &cones, settings)
            .map_err(|_| NoOptimum::Numerical)?;
        solver.solve();
        match solver.solution.status {
            SolverStatus::Solved | SolverStatus::AlmostSolved => {
                Ok((solver.solution.x, solver.solution.z))
            }
            SolverStatus::PrimalInfeasible | SolverStatus::AlmostPrimalInfeasible => {
                Err(NoOptimum::Infeasible)
            }
            _ => Err(NoOptimum::Numerical),
        }
    }
}

/// Where things stand among variables and rows.
struct Layout {
    /// Of every unit and interval.
    stages: Vec<Stage>,
    /// First step variable of every unit and interval.
    first: Vec<usize>,
    /// First energy variable of every unit, if it has a store.
    energy: Vec<Option<usize>>,
    columns: usize,
    base_w: f64,
    base_per_wh: f64,
}

impl Part<'_> {
    pub(super) fn solve(&self, tolerance: f64) -> Result<Optimum, NoOptimum> {
        let layout = self.layout();
        let cost = self.cost(&layout);
        let mut rows = Rows::default();
        self.dynamics(&layout, &mut rows);
        let exact = self.target_rows(&layout, &mut rows, Sense::Equality);
        let one_sided = self.target_rows(&layout, &mut rows, Sense::Inequality);
        let limits = self.limit_rows(&layout, &mut rows);
        let ramps = self.ramp_rows(&layout, &mut rows);
        self.bounds(&layout, &mut rows);
        let (x, z) = rows.minimise(&cost, tolerance)?;
        Ok(self.optimum(&layout, &x, &z, &[exact, one_sided, limits, ramps]))
    }

    fn intervals(&self) -> usize {
        self.problem.intervals()
    }

    fn layout(&self) -> Layout {
        let intervals = self.intervals();
        let mut layout = Layout {
            stages: Vec::with_capacity(self.units.len() * intervals),
            first: Vec::with_capacity(self.units.len() * intervals),
            energy: Vec::with_capacity(self.units.len()),
            columns: 0,
            base_w: 0.0,
            base_per_wh: 0.0,
        };
        for &index in self.units {
            let unit = &self.problem.units[index as usize];
            for t in 0..intervals {
                let stage = Stage::of(self.problem, unit, t);
                layout.first.push(layout.columns);
                layout.columns += stage.steps().len();
                layout.base_w = layout.base_w.max(stage.hi_w.abs()).max(stage.lo_w.abs());
                for step in stage.steps() {
                    layout.base_per_wh = layout.base_per_wh.max(step.slope_per_wh.abs());
                }
                layout.stages.push(stage);
            }
            layout.energy.push(unit.store.map(|_| layout.columns));
            layout.columns += if unit.store.is_some() { intervals } else { 0 };
        }
        for adder in self.adder_per_wh {
            layout.base_per_wh = layout.base_per_wh.max(adder.abs());
        }
        for base in [&mut layout.base_w, &mut layout.base_per_wh] {
            if *base == 0.0 {
                *base = 1.0;
            }
        }
        layout
    }

    fn cost(&self, layout: &Layout) -> Vec<f64> {
        let mut cost = vec![0.0; layout.columns];
        for (cell, stage) in layout.stages.iter().enumerate() {
            let hours = self.problem.hours(cell % self.intervals());
            let adder = self.adder_per_wh.get(cell).copied().unwrap_or(0.0);
            for (j, step) in stage.steps().iter().enumerate() {
                cost[layout.first[cell] + j] =
                    (step.slope_per_wh - adder) * hours / layout.base_per_wh;
            }
        }
        cost
    }

    fn dynamics(&self, layout: &Layout, rows: &mut Rows) {
        for (k, &index) in self.units.iter().enumerate() {
            let unit = &self.problem.units[index as usize];
            let (Some(store), Some(energy)) = (unit.store, layout.energy[k]) else {
                continue;
            };
            for t in 0..self.intervals() {
                let hours = self.problem.hours(t);
                let cell = k * self.intervals() + t;
                let stage = &layout.stages[cell];
                let drawn = store.drawn_wh(stage.lo_w * hours) / layout.base_w;
                rows.begin_equality(-drawn);
                rows.term(energy + t, 1.0);
                if t == 0 {
                    let before = store.kept(hours) * store.energy_wh / layout.base_w;
                    rows.subtract_from_bound(-before);
                } else {
                    rows.term(energy + t - 1, -store.kept(hours));
                }
                for (j, step) in stage.steps().iter().enumerate() {
                    rows.term(layout.first[cell] + j, step.drawn * hours);
                }
            }
        }
    }

    /// Adds `factor · p` of a unit of the part in an interval to the row begun last.
    fn add_power(&self, layout: &Layout, rows: &mut Rows, cell: usize, factor: f64) {
        let stage = &layout.stages[cell];
        for j in 0..stage.steps().len() {
            rows.term(layout.first[cell] + j, factor);
        }
        rows.subtract_from_bound(factor * stage.lo_w / layout.base_w);
    }

    /// Writes the targets of one sense; gives the row before the first one.
    fn target_rows(&self, layout: &Layout, rows: &mut Rows, sense: Sense) -> usize {
        let first = rows.bound.len();
        if self.coupling == Coupling::LimitsOnly {
            return first;
        }
        for (t, target) in self.problem.targets.iter().enumerate() {
            let (sign, bound_w) = match (sense, *target) {
                (Sense::Equality, Target::Exact(p_w)) => {
                    rows.begin_equality(p_w / layout.base_w);
                    (1.0, p_w)
                }
                (Sense::Inequality, Target::AtMost(p_w)) => (1.0, p_w),
                (Sense::Inequality, Target::AtLeast(p_w)) => (-1.0, p_w),
                _ => continue,
            };
            if sense == Sense::Inequality {
                rows.begin(sign * bound_w / layout.base_w);
            }
            for k in 0..self.units.len() {
                self.add_power(layout, rows, k * self.intervals() + t, sign);
            }
        }
        first
    }

    fn limit_rows(&self, layout: &Layout, rows: &mut Rows) -> usize {
        let first = rows.bound.len();
        for &index in self.limits {
            let limit = &self.problem.limits[index as usize];
            for (t, bound_w) in limit.at_most_w.iter().enumerate() {
                if !bound_w.is_finite() {
                    continue;
                }
                rows.begin(bound_w / layout.base_w);
                for (unit, factor) in &limit.terms {
                    let k = self
                        .units
                        .binary_search(unit)
                        .expect("the part holds its units");
                    self.add_power(layout, rows, k * self.intervals() + t, *factor);
                }
            }
        }
        first
    }

    fn ramp_rows(&self, layout: &Layout, rows: &mut Rows) -> usize {
        let first = rows.bound.len();
        for (k, &index) in self.units.iter().enumerate() {
            let Some(ramp) = self.problem.units[index as usize].ramp else {
                continue;
            };
            for t in 0..self.intervals() {
                let cell = k * self.intervals() + t;
                for sign in [1.0, -1.0] {
                    rows.begin(ramp.max_step_w / layout.base_w);
                    self.add_power(layout, rows, cell, sign);
                    match t {
                        0 => rows.subtract_from_bound(-sign * ramp.from_w / layout.base_w),
                        _ => self.add_power(layout, rows, cell - 1, -sign),
                    }
                }
            }
        }
        first
    }

    fn bounds(&self, layout: &Layout, rows: &mut Rows) {
        for (cell, stage) in layout.stages.iter().enumerate() {
            for (j, step) in stage.steps().iter().enumerate() {
                rows.begin(0.0);
                rows.term(layout.first[cell] + j, -1.0);
                rows.begin(step.width_w / layout.base_w);
                rows.term(layout.first[cell] + j, 1.0);
            }
        }
        for (k, &index) in self.units.iter().enumerate() {
            let unit = &self.problem.units[index as usize];
            let (Some(store), Some(energy)) = (unit.store, layout.energy[k]) else {
                continue;
            };
            let mut unused_wh = store.energy_wh;
            for t in 0..self.intervals() {
                unused_wh *= store.kept(self.problem.hours(t));
                let floor_wh = self.problem.floor_wh(&store, t, unused_wh);
                rows.begin(-floor_wh / layout.base_w);
                rows.term(energy + t, -1.0);
                rows.begin(store.capacity_wh / layout.base_w);
                rows.term(energy + t, 1.0);
            }
        }
    }

    fn optimum(&self, layout: &Layout, x: &[f64], z: &[f64], firsts: &[usize; 4]) -> Optimum {
        let intervals = self.intervals();
        let p_w = layout
            .stages
            .iter()
            .zip(&layout.first)
            .map(|(stage, &first)| {
                let steps = stage.steps().iter().enumerate();
                let up: f64 = steps
                    .map(|(j, step)| (x[first + j] * layout.base_w).clamp(0.0, step.width_w))
                    .sum();
                (stage.lo_w + up).min(stage.hi_w)
            })
            .collect();
        let per_wh = |z: f64, t: usize| z * layout.base_per_wh / self.problem.hours(t);
        let [mut exact, mut one_sided, mut limit_row, mut ramp_row] = *firsts;
        let take = |row: &mut usize| {
            *row += 1;
            z[*row - 1]
        };
        let mut target_per_wh = vec![0.0; intervals];
        if self.coupling == Coupling::Whole {
            for (t, target) in self.problem.targets.iter().enumerate() {
                target_per_wh[t] = match target {
                    Target::Free => 0.0,
                    Target::Exact(_) => -per_wh(take(&mut exact), t),
                    Target::AtMost(_) => -per_wh(take(&mut one_sided).max(0.0), t),
                    Target::AtLeast(_) => per_wh(take(&mut one_sided).max(0.0), t),
                };
            }
        }
        let limit_per_wh = self
            .limits
            .iter()
            .map(|&index| {
                let bounds = self.problem.limits[index as usize]
                    .at_most_w
                    .iter()
                    .enumerate();
                bounds
                    .map(|(t, bound)| match bound.is_finite() {
                        true => per_wh(take(&mut limit_row).max(0.0), t),
                        false => 0.0,
                    })
                    .collect()
            })
            .collect();
        let ramp_per_w = self
            .units
            .iter()
            .map(|&index| match self.problem.units[index as usize].ramp {
                None => Vec::new(),
                Some(_) => (0..intervals)
                    .map(|_| (take(&mut ramp_row) - take(&mut ramp_row)) * layout.base_per_wh)
                    .collect(),
            })
            .collect();
        Optimum {
            p_w,
            target_per_wh,
            limit_per_wh,
            ramp_per_w,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    Equality,
    Inequality,
}
