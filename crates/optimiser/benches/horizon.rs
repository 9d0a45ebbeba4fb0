//! Plans of a day against HiGHS on the same linear programme, and for a hundred thousand units.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/highs/fleets.rs"]
mod fleets;
#[path = "../tests/highs/peer.rs"]
mod peer;

use std::time::{Duration, Instant};

use fleets::{Shape, day};
use optimiser::horizon::{Plan, Problem, Settings, certify, solve};

fn main() {
    for (shape, name) in [
        (Shape::Batteries, "batteries"),
        (Shape::HalfVehicles, "half vehicles"),
    ] {
        let problem = day(shape, 1000, 1);
        let (plan, took) = timed(&problem);
        println!(
            "{name} {} obj {} bound {} gap {} {:?}",
            1000,
            plan.objective,
            plan.lower_bound,
            plan.gap(),
            took
        );
        println!("{:?}", certify(&problem, &plan));
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed(problem: &Problem) -> (Plan, Duration) {
    let start = Instant::now();
    let plan = solve(problem, &Settings::default()).expect("the fleet can do it");
    (plan, start.elapsed())
}
