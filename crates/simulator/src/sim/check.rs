//! The checkers: each knows one rule that must hold whatever happens, and nothing of the workload.

pub mod answers;
pub mod conservation;
pub mod durability;
pub mod expiry;
pub mod fallback;
pub mod generation;
pub mod ledger;
pub mod limits;
pub mod replay;
pub mod shared;

use units::Timestamp;

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Virtual time.
    pub at: Timestamp,
    /// Which checker found it.
    pub checker: &'static str,
    /// What was found.
    pub message: String,
}

/// Whether a rule holds, or what was found instead.
pub type Verdict = Result<(), String>;
