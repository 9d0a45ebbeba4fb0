//! Plans over many intervals for units with stores, limits over several of them, and a target.
//!
//! [`solve`] finds a [`Plan`] of least cost with a bound on how far from the optimum it can be;
//! [`certify`] checks both without the solver's code; [`conflict`] names constraints that
//! contradict each other when there is no plan.

mod certify;
mod conflict;
mod decompose;
mod fleet;
mod lp;
mod master;
mod plan;
mod problem;
mod response;
mod settle;
mod solve;
mod switching;

pub use certify::{Certified, Refuted, certify};
pub use conflict::{Conflict, Constraint, MAX_CONFLICT_CELLS, NoConflict, conflict};
pub use plan::{Method, Plan, Prices};
pub use problem::{
    Commitment, Deadline, Invalid, Limit, MAX_DECAY, MAX_INTERVALS, MAX_UNIT_INTERVALS, MAX_UNITS,
    Preferred, Problem, Ramp, Shape, Store, Switch, Target, Tariff, Unit,
};
pub use solve::{MAX_EXACT_CELLS, NoPlan, Path, Settings, solve};

#[cfg(test)]
mod tests;
