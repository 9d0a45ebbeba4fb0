//! Runs of the whole-fleet simulation: one by hand, a hundred seeds among the tests, thousands in soak.

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::process::{cargo, command, root, run};
use crate::{setup, soak, tasks};

/// Seeds of `cargo xtask test`.
const BRIEF_SEEDS: u64 = 100;
/// Seeds of `cargo xtask soak`.
const SOAK_SEEDS: u64 = 10_000;
/// The fleet of both.
const FLEET: [&str; 6] = ["--ders", "50", "--hours", "6", "--faults", "all"];

/// Runs the simulation with these options.
pub(crate) fn sim(args: &[String]) -> Result<()> {
    setup::debian_packages()?;
    setup::node_modules()?;
    tasks::build_console()?;
    build()?;
    run(program().args(args))
}

/// The seeds of every test run.
pub(crate) fn brief() -> Result<()> {
    build()?;
    let sum = seeds(BRIEF_SEEDS)?;
    println!("{sum}");
    Ok(())
}

/// Many seeds; what came of them is kept, whatever it is.
pub(crate) fn soak() -> Result<()> {
    build()?;
    println!("{SOAK_SEEDS} seeds of the simulation, {}", FLEET.join(" "));
    let outcome = seeds(SOAK_SEEDS);
    let found = match &outcome {
        Ok(sum) => sum.to_string(),
        Err(error) => format!("{error:#}"),
    };
    let how = format!("{SOAK_SEEDS} seeds from 1, {}", FLEET.join(" "));
    soak::keep("sim", &how, &found)?;
    outcome.map(drop)
}

/// Fast, with debug assertions and overflow checks left in.
fn build() -> Result<()> {
    run(&mut cargo(&[
        "build",
        "--profile",
        "sim",
        "--locked",
        "-p",
        "simulator",
    ]))
}

fn program() -> Command {
    let program = root().join("target/sim/simulator");
    command(&program.to_string_lossy(), &["sim"])
}

/// Runs so many seeds, on as many processes as there are processors, and adds up what they say.
fn seeds(count: u64) -> Result<Value> {
    let processors = available_parallelism().map_or(1, |count| count.get() as u64);
    let mut running = Vec::new();
    for number in 0..processors {
        let (from, to) = (
            count * number / processors,
            count * (number + 1) / processors,
        );
        let (first, seeds) = ((from + 1).to_string(), (to - from).to_string());
        let mut simulation = program();
        simulation
            .args(["--seed", &first, "--seeds", &seeds])
            .args(FLEET)
            .stdout(Stdio::piped());
        let child: Child = simulation.spawn().context("cannot start the simulation")?;
        running.push(child);
    }
    let mut sum = Map::new();
    let mut has_failed = false;
    for child in running {
        let output = child.wait_with_output()?;
        has_failed |= !output.status.success();
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().unwrap_or_default();
        let one: Map<String, Value> =
            serde_json::from_str(line).context("the simulation did not end with JSON")?;
        add(&mut sum, one);
    }
    let sum = Value::Object(sum);
    if has_failed {
        bail!("the simulation found violations: {sum}");
    }
    Ok(sum)
}

/// Adds up the counts; of the time, the longest counts. The size of the fleet is that of all, and
/// digests are of one process alone.
fn add(sum: &mut Map<String, Value>, one: Map<String, Value>) {
    for (key, value) in one {
        if key == "digest" {
            continue;
        }
        let before = sum.entry(key.as_str()).or_insert(Value::Null);
        match value {
            Value::Object(counts) => {
                let mut all = before.as_object().cloned().unwrap_or_default();
                add(&mut all, counts);
                *before = Value::Object(all);
            }
            value if key == "ders" => *before = value,
            value if key == "wall_s" => {
                let longest = before
                    .as_f64()
                    .unwrap_or(0.0)
                    .max(value.as_f64().unwrap_or(0.0));
                *before = longest.into();
            }
            value => {
                *before = match (before.as_u64(), value.as_u64()) {
                    (Some(a), Some(b)) => (a + b).into(),
                    (None, Some(b)) if before.is_null() => b.into(),
                    _ => {
                        let a = before.as_f64().unwrap_or(0.0);
                        (a + value.as_f64().unwrap_or(0.0)).into()
                    }
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_counts_of_all_processes_are_added_up() {
        let mut sum = Map::new();
        for wall_s in [2.5, 1.5] {
            let one = json!({
                "seeds": 50, "ders": 50, "virtual_hours": 300.5, "digest": "00ff",
                "faults": {"loss": 3}, "violations": 1, "wall_s": wall_s,
            });
            let Value::Object(one) = one else {
                unreachable!("it is written so");
            };
            add(&mut sum, one);
        }
        let all = json!({
            "seeds": 100, "ders": 50, "virtual_hours": 601.0,
            "faults": {"loss": 6}, "violations": 2, "wall_s": 2.5,
        });
        assert_eq!(Value::Object(sum), all);
    }
}
