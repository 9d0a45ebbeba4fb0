//! The checkers: each knows one rule that must hold whatever happens, and nothing of the workload.

pub mod answers;
pub mod conservation;
pub mod durability;
pub mod energy;
pub mod expiry;
pub mod fallback;
pub mod generation;
pub mod island;
pub mod ledger;
pub mod limits;
pub mod replay;
pub mod shared;

use std::collections::BTreeMap;

use serde_json::Value;
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

/// How often each rule was looked at where it could have been broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks(BTreeMap<&'static str, u64>);

impl Checks {
    pub(super) fn add(&mut self, checker: &'static str) {
        *self.0.entry(checker).or_default() += 1;
    }

    /// Takes in those of another run.
    pub fn extend(&mut self, other: &Self) {
        for (checker, count) in &other.0 {
            *self.0.entry(checker).or_default() += count;
        }
    }

    /// How often `checker` looked.
    #[must_use]
    pub fn of(&self, checker: &str) -> u64 {
        self.0.get(checker).copied().unwrap_or(0)
    }

    /// By checker.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows = self.0.iter();
        Value::Object(
            rows.map(|(name, count)| ((*name).to_owned(), (*count).into()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests;
