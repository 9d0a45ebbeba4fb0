//! A run of named steps: a heading and a time for each, and a table at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Tests counted from the closing lines of `cargo test`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    passed: u64,
    failed: u64,
}

impl Totals {
    /// Adds a line such as `test result: ok. 8 passed; 0 failed; …`; other lines change nothing.
    pub(crate) fn count(&mut self, line: &str) {
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|result| result.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            match part.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.passed + self.failed == 0
    }
}

pub(crate) struct Steps<'a> {
    only: &'a [String],
    done: Vec<(&'static str, Duration)>,
    pub(crate) totals: Totals,
}

impl<'a> Steps<'a> {
    /// Runs every step, or only the named ones.
    pub(crate) fn new(only: &'a [String]) -> Self {
        Self {
            only,
            done: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// Runs a step; the first that fails prints the table and ends the run.
    pub(crate) fn step(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Totals) -> Result<()>,
    ) -> Result<()> {
        if !self.only.is_empty() && !self.only.iter().any(|wanted| wanted == name) {
            return Ok(());
        }
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = work(&mut self.totals);
        let took = start.elapsed();
        self.done.push((name, took));
        match outcome {
            Ok(()) => {
                println!("=== {name}: {}", seconds(took));
                Ok(())
            }
            Err(error) => {
                println!("\nstep `{name}` failed after {}: {error:#}", seconds(took));
                self.report();
                bail!("step `{name}` failed")
            }
        }
    }

    /// Reports a run in which every step succeeded.
    pub(crate) fn finish(&self) -> Result<()> {
        let was_run = |wanted: &&String| self.done.iter().any(|(name, _)| name == wanted);
        if let Some(unknown) = self.only.iter().find(|wanted| !was_run(wanted)) {
            bail!("there is no step `{unknown}`");
        }
        self.report();
        Ok(())
    }

    /// The time of every step, and the totals alone on the last line.
    fn report(&self) {
        println!("\n{:<16} {:>9}", "step", "time");
        for (name, took) in &self.done {
            println!("{name:<16} {:>9}", seconds(*took));
        }
        let all = self.done.iter().map(|(_, took)| *took).sum();
        println!("{:<16} {:>9}", "all", seconds(all));
        println!(
            "{} passed, {} failed",
            self.totals.passed, self.totals.failed
        );
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_over_test_binaries() {
        let mut totals = Totals::default();
        for line in [
            "running 3 tests",
            "test result: ok. 8 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 14 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.58s",
            "test result: unreadable",
        ] {
            totals.count(line);
        }
        assert_eq!((totals.passed, totals.failed), (22, 2));
    }

    #[test]
    fn a_failing_step_ends_the_run_and_an_unnamed_step_is_skipped() {
        let only = ["second".to_owned()];
        let mut steps = Steps::new(&only);
        let skipped = steps.step("first", |_| bail!("must not run"));
        assert!(skipped.is_ok());
        let failed = steps.step("second", |_| bail!("broken"));
        assert_eq!(failed.unwrap_err().to_string(), "step `second` failed");
    }

    #[test]
    fn a_step_that_does_not_exist_is_an_error() {
        let only = ["frobnicate".to_owned()];
        let mut steps = Steps::new(&only);
        steps.step("first", |_| Ok(())).unwrap();
        assert!(steps.finish().is_err());
    }
}
