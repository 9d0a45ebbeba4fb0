//! Long runs whose results are kept in docs/evidence: the simulation, kills, floods.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, command, output_of, root, run_watched};
use crate::{setup, simulation, tasks};

/// A test of the live suite, made longer by a variable of its environment, and how the line begins
/// that says what came of it.
struct Long {
    test: &'static str,
    variable: &'static str,
    value: u32,
    says: &'static str,
}

/// Which seeds of the simulation are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seeds {
    /// From this one on, else from the first.
    pub(crate) from: Option<u64>,
    /// So many, else all.
    pub(crate) seeds: Option<u64>,
}

/// Kills in the middle of dispatches.
const KILL: [Long; 3] = [
    Long {
        test: "crash::a_dispatch_survives_kills_of_its_server_on_sqlite",
        variable: "WATTFOLD_KILLS",
        value: 1_000,
        says: "crash: ",
    },
    Long {
        test: "crash::a_dispatch_survives_kills_of_its_server_on_postgresql",
        variable: "WATTFOLD_KILLS",
        value: 200,
        says: "crash: ",
    },
    Long {
        test: "crash::a_dispatch_survives_crashes_of_its_database",
        variable: "WATTFOLD_KILLS",
        value: 40,
        says: "crash: ",
    },
];

/// Messages, and connections that are idle.
const FLOOD: [Long; 2] = [
    Long {
        test: "messages::a_flood_of_messages_delays_nobody_else",
        variable: "WATTFOLD_FLOOD_S",
        value: 300,
        says: "flood: ",
    },
    Long {
        test: "flood::ten_thousand_connections_cost_others_little",
        variable: "WATTFOLD_IDLE",
        value: 10_000,
        says: "idle: ",
    },
];

/// Runs the named parts, or all of them; what came of each is kept, whatever it is.
pub(crate) fn soak(parts: &[String], seeds: Seeds) -> Result<()> {
    let known = ["sim", "kill", "flood"];
    if let Some(part) = parts.iter().find(|part| !known.contains(&part.as_str())) {
        bail!("there is no part `{part}`, only {}", known.join(", "));
    }
    setup::debian_packages()?;
    setup::peers()?;
    setup::node_modules()?;
    tasks::build_console()?;
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let mut outcomes = Vec::new();
    if wanted("sim") {
        outcomes.push(simulation::soak(seeds));
    }
    if wanted("kill") {
        outcomes.push(long("kill", "dev", &KILL));
    }
    if wanted("flood") {
        outcomes.push(long("flood", "sim", &FLOOD));
    }
    outcomes.into_iter().collect()
}

/// The revision of the sources.
pub(crate) fn revision() -> Result<String> {
    let revision = output_of(&mut command("git", &["rev-parse", "--short=12", "HEAD"]));
    revision.context("the revision is not known: git does not answer")
}

/// Writes a result down with the command and the revision that led to it.
fn keep(part: &str, how: &str, found: &str) -> Result<()> {
    let revision = revision()?;
    let text = format!("command: cargo xtask soak {part} ({how})\nrevision: {revision}\n{found}\n");
    print!("{text}");
    let path = format!("docs/evidence/soak-{part}.txt");
    std::fs::write(root().join(&path), text)?;
    println!("wrote {path}");
    Ok(())
}

/// Runs tests of the live suite in this profile.
fn long(part: &str, profile: &str, tests: &[Long]) -> Result<()> {
    let mut found = Vec::new();
    let mut failed = Vec::new();
    for long in tests {
        let mut said = false;
        let succeeded = run_watched(&mut live_test(profile, long), |line| {
            if line.starts_with(long.says) {
                said = true;
                found.push(line.to_owned());
            }
        })?;
        if !succeeded || !said {
            failed.push(long.test);
            found.push(format!("{} failed", long.test));
        }
    }
    let how = format!("profile {profile}");
    keep(part, &how, &found.join("\n"))?;
    if !failed.is_empty() {
        bail!("{} failed", failed.join(", "));
    }
    Ok(())
}

fn live_test(profile: &str, long: &Long) -> Command {
    let mut test = cargo(&["test", "--locked", "--profile", profile]);
    test.args(["-p", "wattfold", "--test", "live", "--"]);
    test.args(["--nocapture", "--exact", long.test])
        .env("WATTFOLD_PEERS", setup::venv())
        .env(long.variable, long.value.to_string());
    test
}
