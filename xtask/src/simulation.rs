//! Runs of the whole-fleet simulation: one by hand, a hundred seeds among the tests, thousands in soak.

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::portion::{Portion, Portions};
use crate::process::{cargo, command, root, run};
use crate::soak::{self, Seeds};
use crate::{setup, tasks};

/// Seeds of `cargo xtask test`.
const BRIEF_SEEDS: u64 = 100;
/// Seeds of `cargo xtask soak`, unless others are asked for.
const SOAK_SEEDS: u64 = 10_000;
/// What is kept after so many, so that what is stopped goes on there.
const KEEP_EVERY: u64 = 100;
/// The fleet of both.
const FLEET: [&str; 6] = ["--ders", "50", "--hours", "6", "--faults", "all"];
/// Where the results of soak are.
const RESULTS: &str = "docs/evidence/soak-sim.jsonl";

/// How two outcomes that are added up were run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// At the same time.
    BySide,
    /// One after the other.
    After,
}

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
    let sum = seeds(1, BRIEF_SEEDS)?;
    println!("{}", Value::Object(sum.clone()));
    passed(&sum)
}

/// Many seeds, those left out that were run before; what came of them is kept, whatever it is.
pub(crate) fn soak(wanted: Seeds) -> Result<()> {
    build()?;
    let path = root().join(RESULTS);
    let kept = || -> Result<Portions> {
        let text = match path.exists() {
            true => std::fs::read_to_string(&path)?,
            false => String::new(),
        };
        Portions::read(&text).with_context(|| format!("cannot read {RESULTS}"))
    };
    let from = wanted.from.unwrap_or(1);
    let to = wanted.seeds.map_or(SOAK_SEEDS + 1, |seeds| from + seeds);
    println!(
        "seeds {from} to {} of the simulation, {}",
        to - 1,
        FLEET.join(" ")
    );
    while let Some((first, count)) = kept()?.missing((from, to), KEEP_EVERY) {
        let outcome = seeds(first, count)?;
        // Read once more: another sitting may have added to it meanwhile.
        let mut portions = kept()?;
        portions.add(Portion {
            from: first,
            seeds: count,
            revision: soak::revision()?,
            outcome,
        })?;
        std::fs::write(&path, portions.text())?;
        println!("seeds {first} to {}: {}", first + count - 1, RESULTS);
    }
    let all = kept()?.all();
    println!("{}", Value::Object(all.clone()));
    passed(&all)
}

fn passed(sum: &Map<String, Value>) -> Result<()> {
    match sum.get("violations").and_then(Value::as_u64) {
        Some(0) => Ok(()),
        _ => bail!("the simulation found violations"),
    }
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

/// Runs so many seeds from this one on, on as many processes as there are processors, and adds up
/// what they say.
fn seeds(first: u64, count: u64) -> Result<Map<String, Value>> {
    let processors = available_parallelism().map_or(1, |count| count.get() as u64);
    let mut running = Vec::new();
    for number in 0..processors.min(count) {
        let share = |number: u64| first + count * number / processors.min(count);
        let (from, to) = (share(number), share(number + 1));
        let mut simulation = program();
        simulation
            .args(["--seed", &from.to_string()])
            .args(["--seeds", &(to - from).to_string()])
            .args(FLEET)
            .stdout(Stdio::piped());
        let child: Child = simulation.spawn().context("cannot start the simulation")?;
        running.push(child);
    }
    let mut sum = Map::new();
    for child in running {
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().unwrap_or_default();
        let one: Map<String, Value> =
            serde_json::from_str(line).context("the simulation did not end with JSON")?;
        add(&mut sum, one, Side::BySide);
    }
    Ok(sum)
}

/// Adds up the counts, and the time as what was run was run. The size of the fleet is that of all, and
/// digests are of one process alone.
pub(crate) fn add(sum: &mut Map<String, Value>, one: Map<String, Value>, side: Side) {
    for (key, value) in one {
        if key == "digest" {
            continue;
        }
        let before = sum.entry(key.as_str()).or_insert(Value::Null);
        match value {
            Value::Object(counts) => {
                let mut all = before.as_object().cloned().unwrap_or_default();
                add(&mut all, counts, side);
                *before = Value::Object(all);
            }
            value if key == "ders" => *before = value,
            value if key == "wall_s" && side == Side::BySide => {
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
                        let tenths = (a + value.as_f64().unwrap_or(0.0)) * 10.0;
                        (tenths.round() / 10.0).into()
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
            add(&mut sum, one, Side::BySide);
        }
        let all = json!({
            "seeds": 100, "ders": 50, "virtual_hours": 601.0,
            "faults": {"loss": 6}, "violations": 2, "wall_s": 2.5,
        });
        assert_eq!(Value::Object(sum), all);
    }
}
