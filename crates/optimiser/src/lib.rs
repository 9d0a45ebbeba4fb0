//! Numerical optimisation of flexible units: [`single`] for one interval, [`horizon`] for many.
//!
//! Both take plain numbers (watts, watt-hours, seconds; positive power is injection into the grid)
//! and give back shares with a certificate that another function checks without the solver's code.
//! Nothing here reads a clock, does IO or draws random numbers: the same problem gives the same
//! answer, bit for bit.

pub mod horizon;
pub mod single;

/// Relative tolerance to which feasibility is kept and certified, against the largest power,
/// energy or bound that the constraint at hand contains.
pub const TOLERANCE: f64 = 1e-6;
