//! A whole fleet and its server on one thread in virtual time, through faults that a seed decides.
//!
//! The node's core, the IEEE 2030.5 server and the clients are the real ones, as values; the network
//! between them is a queue of happenings. Checkers watch all the time. The same seed gives the same
//! run, to the last line of its trace.

pub mod check;
pub mod device;
pub mod fault;
pub mod horizon;

mod clock;
mod island;
mod link;
mod mishap;
mod operator;
mod queue;
mod roster;
mod run;
mod scene;
mod server;
mod stores;
mod trace;
mod watch;

use std::time::Duration;

use serde_json::{Value, json};
use units::Timestamp;

use check::{Checks, Violation};
use fault::{Counts, Faults};
pub use trace::Keep;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Decides everything that is random.
    pub seed: u64,
    /// How many DER.
    pub ders: usize,
    /// Virtual time, the quiet end included.
    pub lasts: Duration,
    /// What may go wrong.
    pub faults: Faults,
    /// How much of the trace is kept.
    pub keep: Keep,
}

/// What came of one run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Requests that reached the server.
    pub requests: u64,
    /// Commands that the operator gave.
    pub commands: u64,
    /// How often each rule was looked at.
    pub checks: Checks,
    /// How often each fault occurred.
    pub faults: Counts,
    /// Of the trace.
    pub digest: u64,
    /// The first rule that did not hold; the run ended there.
    pub violation: Option<Violation>,
    /// As much of the trace as was to be kept.
    pub trace: Vec<String>,
}

/// Several runs, one after another.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    seeds: u64,
    ders: usize,
    virtual_s: u64,
    requests: u64,
    commands: u64,
    checks: Checks,
    faults: Counts,
    digest: u64,
    violations: u64,
}

/// Runs once, until something is violated or the time is over.
#[must_use]
pub fn run(setup: Setup) -> Outcome {
    run::Run::new(setup).run()
}

impl Totals {
    /// Takes in the outcome of a run.
    pub fn add(&mut self, setup: &Setup, outcome: &Outcome) {
        self.seeds += 1;
        self.ders = setup.ders;
        self.virtual_s += setup.lasts.as_secs();
        self.requests += outcome.requests;
        self.commands += outcome.commands;
        self.checks.extend(&outcome.checks);
        self.faults.extend(&outcome.faults);
        self.digest = trace::digest(self.digest, &outcome.digest.to_be_bytes());
        self.violations += u64::from(outcome.violation.is_some());
    }

    /// Whether no rule was violated.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.violations == 0
    }

    /// For programs; `wall` is the time that it took.
    #[must_use]
    pub fn json(&self, wall: Duration) -> Value {
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        json!({
            "seeds": self.seeds,
            "ders": self.ders,
            "virtual_hours": tenth(self.virtual_s as f64 / 3_600.0),
            "requests": self.requests,
            "commands": self.commands,
            "checks": self.checks.json(),
            "faults": self.faults.json(),
            "violations": self.violations,
            "digest": format!("{:016x}", self.digest),
            "wall_s": tenth(wall.as_secs_f64()),
        })
    }
}

/// For people: what was violated, and how to see it again.
#[must_use]
pub fn explain(setup: &Setup, violation: &Violation) -> String {
    let Violation {
        at,
        checker,
        message,
    } = violation;
    let Setup {
        seed, ders, faults, ..
    } = setup;
    let hours = setup.lasts.as_secs_f64() / 3_600.0;
    let at = trace::Clock(*at);
    format!(
        "violation: seed {seed}, at {at}, {checker}: {message}\nagain: cargo xtask sim --seed {seed} \
         --ders {ders} --hours {hours} --faults {faults}\n"
    )
}

/// So far from the beginning of a day, as a share of it.
fn hour_of_day(at: Timestamp) -> f64 {
    (at.secs().rem_euclid(86_400)) as f64 / 3_600.0
}

#[cfg(test)]
mod tests;
