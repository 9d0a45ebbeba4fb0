//! Choosing how a problem is solved, and solving it where that takes no search for prices.

use thiserror::Error;

use super::decompose::decompose;
use super::lp::{Coupling, NoOptimum, Part};
use super::plan::{Memberships, Method, Plan, Prices, lower_bound, running_cost};
use super::problem::{Invalid, Problem, Target};
use super::response::{OutOfReach, Responder};
use super::settle::settle;
use super::switching::solve_switched;

/// Most unit-intervals that are solved as one linear programme.
pub const MAX_EXACT_CELLS: usize = 100_000;
/// Unit-intervals up to which one linear programme is the quicker way.
const SMALL_CELLS: usize = 2_000;
pub(super) const EXACT_TOLERANCE: f64 = 1e-9;

/// How to solve.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    /// Which way.
    pub path: Path,
    /// Relative gap at which a decomposition stops.
    pub gap: f64,
    /// Sweeps over all units after which a decomposition gives the best plan that it has, whatever
    /// its gap.
    pub max_sweeps: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: Path::Quickest,
            gap: 2.5e-3,
            max_sweeps: 120,
        }
    }
}

/// Which way to solve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Path {
    /// Closed forms where they are exact, one linear programme where it is small, decomposition
    /// elsewhere.
    Quickest,
    /// One linear programme.
    Exact,
    /// Decomposition.
    Decomposed,
}

/// Why there is no plan.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum NoPlan {
    /// The problem breaks a rule.
    #[error("the problem is not well formed: {0}")]
    Invalid(#[from] Invalid),
    /// One unit's store can't be kept within its bounds.
    #[error("unit {unit} can't keep its store within bounds at the end of interval {interval}")]
    OutOfReach {
        /// Which.
        unit: u32,
        /// When.
        interval: usize,
    },
    /// The constraints contradict each other; [`super::conflict`] names some that do.
    #[error("no schedule keeps all constraints")]
    Infeasible,
    /// More unit-intervals than [`MAX_EXACT_CELLS`].
    #[error("{cells} unit-intervals are too many for one linear programme")]
    TooLarge {
        /// How many.
        cells: usize,
    },
    /// An optimum was found, but no schedule near it that the stores can follow and that meets the
    /// target: the relaxation lets a store charge and discharge at once to waste energy.
    #[error(
        "the stores can't waste the energy that the target of interval {interval} asks them to"
    )]
    Unphysical {
        /// The interval that is worst off.
        interval: usize,
    },
    /// No sequence of starts and stops was found that the other units can complete.
    #[error("no way to switch units on and off was found that meets the constraints")]
    NoSwitching,
    /// The interior-point method gave up, or the decomposition reached its limit of sweeps.
    #[error("the solver did not converge")]
    Numerical,
}

impl NoPlan {
    pub(super) fn out_of_reach(unit: u32, stuck: OutOfReach) -> Self {
        Self::OutOfReach {
            unit,
            interval: stuck.interval,
        }
    }
}

impl From<NoOptimum> for NoPlan {
    fn from(none: NoOptimum) -> Self {
        match none {
            NoOptimum::Infeasible => Self::Infeasible,
            NoOptimum::Numerical => Self::Numerical,
        }
    }
}

/// Finds a plan of least cost.
///
/// # Errors
///
/// When the problem is not well formed, contradicts itself, or is beyond the solver.
pub fn solve(problem: &Problem, settings: &Settings) -> Result<Plan, NoPlan> {
    problem.validate()?;
    if problem.units.iter().any(|unit| unit.commitment.is_some()) {
        return solve_switched(problem, settings);
    }
    solve_relaxed(problem, settings)
}

/// Solves with committed units free to take any power from zero on.
pub(super) fn solve_relaxed(problem: &Problem, settings: &Settings) -> Result<Plan, NoPlan> {
    let cells = problem.units.len() * problem.intervals();
    match settings.path {
        Path::Exact => exact(problem, EXACT_TOLERANCE),
        Path::Decomposed => decompose(problem, settings),
        Path::Quickest if is_separate(problem) => separate(problem),
        Path::Quickest if cells <= SMALL_CELLS => exact(problem, EXACT_TOLERANCE),
        Path::Quickest => decompose(problem, settings),
    }
}

fn is_separate(problem: &Problem) -> bool {
    let is_free = |target: &Target| *target == Target::Free;
    problem.limits.is_empty()
        && problem.targets.iter().all(is_free)
        && problem.units.iter().all(|unit| unit.ramp.is_none())
}

/// Every unit's own cheapest schedule, which is the optimum where nothing couples them.
fn separate(problem: &Problem) -> Result<Plan, NoPlan> {
    let intervals = problem.intervals();
    let prices = Prices::none(intervals);
    let mut responder = Responder::new(problem);
    let mut p_w = vec![0.0; problem.units.len() * intervals];
    let mut bound = 0.0;
    for (index, unit) in problem.units.iter().enumerate() {
        let at = index * intervals;
        bound += responder
            .respond(unit, &prices.target_per_wh, &mut p_w[at..at + intervals])
            .map_err(|stuck| {
                NoPlan::out_of_reach(u32::try_from(index).unwrap_or(u32::MAX), stuck)
            })?;
    }
    finished(problem, p_w, bound, prices, Method::Separate)
}

pub(super) fn exact(problem: &Problem, tolerance: f64) -> Result<Plan, NoPlan> {
    let cells = problem.units.len() * problem.intervals();
    if MAX_EXACT_CELLS < cells {
        return Err(NoPlan::TooLarge { cells });
    }
    let units: Vec<u32> = (0..).take(problem.units.len()).collect();
    let limits: Vec<u32> = (0..).take(problem.limits.len()).collect();
    let part = Part {
        problem,
        units: &units,
        limits: &limits,
        coupling: Coupling::Whole,
        adder_per_wh: &[],
    };
    let optimum = part.solve(tolerance)?;
    let ramps = units.iter().copied().zip(optimum.ramp_per_w);
    let prices = Prices {
        target_per_wh: optimum.target_per_wh,
        limit_per_wh: limits.iter().copied().zip(optimum.limit_per_wh).collect(),
        ramp_per_w: ramps.filter(|(_, ramp)| !ramp.is_empty()).collect(),
    };
    let bound =
        lower_bound(problem, &prices).map_err(|(unit, stuck)| NoPlan::out_of_reach(unit, stuck))?;
    finished(problem, optimum.p_w, bound, prices, Method::Exact)
}

/// Makes a schedule physical and states what it costs.
pub(super) fn finished(
    problem: &Problem,
    mut p_w: Vec<f64>,
    lower_bound: f64,
    prices: Prices,
    method: Method,
) -> Result<Plan, NoPlan> {
    settle(problem, &Memberships::of(problem), &mut p_w)?;
    let objective = running_cost(problem, &p_w);
    Ok(Plan {
        p_w,
        objective,
        lower_bound,
        prices,
        method,
    })
}
