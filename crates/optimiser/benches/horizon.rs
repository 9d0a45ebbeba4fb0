//! Plans of a day: a thousand units against `HiGHS` on the same linear programme, and larger fleets.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/highs/fleets.rs"]
mod fleets;
#[path = "../tests/highs/peer.rs"]
mod peer;

use fleets::{Shape, day};
use optimiser::horizon::{Plan, Problem, Settings, certify, solve};
use peer::Found;

const SHAPES: [(Shape, &str); 2] = [
    (Shape::Batteries, "batteries"),
    (Shape::HalfVehicles, "half vehicles"),
];
const SEED: u64 = 1;

fn main() {
    println!(
        "horizon: 96 intervals, processor time of one thread; gap is between plan and certified bound"
    );
    println!(
        "{:<14} {:>8} {:>9} {:>9} {:>13} {:>9} {:>12} {:>8}",
        "fleet", "units", "ms", "gap %", "peer's status", "peer ms", "off peer %", "ratio"
    );
    for (shape, name) in SHAPES {
        let problem = day(shape, 1_000, SEED);
        let (plan, took_s) = timed(&problem);
        let found = peer::highs(&peer::written(&problem), &["ipm"]);
        row(name, &problem, &plan, took_s, Some(&found));
    }
    for (shape, name) in SHAPES {
        for units in [10_000, 100_000] {
            let problem = day(shape, units, SEED);
            let before_kib = peak_kib();
            let (plan, took_s) = timed(&problem);
            row(name, &problem, &plan, took_s, None);
            println!(
                "{:>23} peak +{} MiB",
                "",
                peak_kib().saturating_sub(before_kib) / 1_024
            );
        }
    }
}

fn row(name: &str, problem: &Problem, plan: &Plan, took_s: f64, peer: Option<&Found>) {
    let certified = certify(problem, plan).expect("the plan is what it says it is");
    let gap = (certified.objective - certified.lower_bound) / certified.objective.abs();
    let (units, ms) = (problem.units.len(), took_s * 1e3);
    print!("{name:<14} {units:>8} {ms:>9.0} {:>9.3}", gap * 100.0);
    match peer {
        None => println!(),
        Some(found) => {
            let off = (certified.objective - found.objective) / found.objective.abs() * 100.0;
            let (status, peer_ms) = (&found.status, found.seconds * 1e3);
            let ratio = found.seconds / took_s;
            println!(" {status:>13} {peer_ms:>9.0} {off:>12.3} {ratio:>8.0}");
        }
    }
}

/// The plan and the processor time that it took, which is what the peer tells too.
fn timed(problem: &Problem) -> (Plan, f64) {
    let start_s = processor_s();
    let plan = solve(problem, &Settings::default()).expect("the fleet can do it");
    (plan, processor_s() - start_s)
}

/// Time that this thread has been on a processor, as Linux counts it.
fn processor_s() -> f64 {
    let status = std::fs::read_to_string("/proc/self/schedstat").expect("Linux tells");
    let first = status.split_whitespace().next();
    let ns: f64 = first
        .and_then(|ns| ns.parse().ok())
        .expect("a number of ns");
    ns * 1e-9
}

/// Peak of resident memory since the last call, as Linux counts it.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux resets the peak");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number
        .and_then(|text| text.parse().ok())
        .expect("a number of KiB")
}
