//! cactus-client, the conformance harness of the CSIP-AUS national test programme: its server
//! procedures, each against a server of its own, judged by it with warnings counted as failures.
//!
//! `cargo xtask conformance` runs all of them; without `WATTFOLD_CONFORMANCE` those run that take
//! seconds and touch every part of the protocol once.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its environment and the clock"
)]

mod procedure;
mod report;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use crate::peers;
use crate::rig::shared;

use procedure::{Plan, Sink, Verdict};

/// Names of procedures, or `all`.
const CHOICE: &str = "WATTFOLD_CONFORMANCE";
/// Procedures at one time: most of their time they wait.
const AT_ONCE: usize = 4;

/// Seconds each; together they register in and out of band, poll, post meters and statuses, take
/// every kind of limit, subscribe, and try what is forbidden.
const BRIEF: [&str; 14] = [
    "S-ALL-02", "S-ALL-03", "S-ALL-05", "S-ALL-07", "S-ALL-10", "S-ALL-17", "S-ALL-24", "S-ALL-25",
    "S-ALL-26", "S-ALL-33", "S-ALL-43", "S-ALL-53", "S-ALL-57", "S-OPT-02",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cactus_client_finds_nothing_wrong() {
    let _machine = shared().await;
    let plans = chosen().await;
    let sink = Arc::new(Sink::start().await);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let (mut running, here) = (JoinSet::new(), LocalSet::new());
    for plan in plans {
        let (sink, places) = (Arc::clone(&sink), Arc::clone(&places));
        let run = async move {
            let _place = places.acquire().await.unwrap();
            let verdict = plan.run(&sink).await;
            println!("{verdict}");
            verdict
        };
        running.spawn_local_on(run, &here);
    }
    let mut verdicts = here.run_until(running.join_all()).await;
    verdicts.sort_by(|a, b| a.name.cmp(&b.name));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../conformance");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("cactus.md"), report::report(&verdicts)).unwrap();
    let failed: Vec<&Verdict> = verdicts
        .iter()
        .filter(|v| !v.is_as_it_should_be())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// What is to be run: procedures by name, longest first.
async fn chosen() -> Vec<Plan> {
    let known = procedures().await;
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let names: Vec<String> = match choice.as_str() {
        "" => BRIEF.map(str::to_owned).into(),
        "all" => known.clone(),
        listed => listed.split([',', ' ']).map(str::to_owned).collect(),
    };
    let unknown: Vec<&String> = names.iter().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "no such procedures: {unknown:?}");
    let mut plans: Vec<Plan> = names.iter().map(|name| Plan::of(name)).collect();
    plans.sort_by_key(|plan| std::cmp::Reverse(plan.longest));
    plans
}

/// Every server procedure that cactus-client brings with it.
async fn procedures() -> Vec<String> {
    let list = "from cactus_test_definitions.server import TestProcedureId\n\
                print('\\n'.join(TestProcedureId))";
    let mut command = Command::new(peers::python());
    command.args(["-c", list]);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}
