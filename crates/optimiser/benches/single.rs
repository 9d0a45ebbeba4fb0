//! One interval, a million units: every method against a plain sum over the same arrays.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/highs/fleets.rs"]
#[expect(dead_code, reason = "only the source of numbers is used here")]
mod fleets;

use std::hint::black_box;
use std::time::Instant;

use fleets::Draw;
use optimiser::single::{Ranges, headroom, level, merit_order, water_filling};

const ROUNDS: usize = 9;
const UNITS: usize = 1_000_000;

fn main() {
    let mut draw = Draw(7);
    let mut list =
        |least, most| -> Vec<f64> { (0..UNITS).map(|_| draw.between(least, most)).collect() };
    let hi_w = list(1_000.0, 10_000.0);
    let lo_w: Vec<f64> = list(0.0, 1.0)
        .iter()
        .zip(&hi_w)
        .map(|(share, hi)| -share * hi)
        .collect();
    let preferred_w: Vec<f64> = list(-0.1, 0.9)
        .iter()
        .zip(&hi_w)
        .map(|(share, hi)| share * hi)
        .collect();
    let weight = list(0.1, 10.0);
    let cost = list(0.0, 1.0);
    let ranges = Ranges {
        lo_w: &lo_w,
        hi_w: &hi_w,
    };
    let demand_w = 0.7 * hi_w.iter().sum::<f64>();
    let pass_ms = median_ms(|| {
        let lists = lo_w.iter().zip(&hi_w).zip(preferred_w.iter().zip(&weight));
        let sums = lists.fold([0.0; 4], |sums, ((lo, hi), (preferred, weight))| {
            [
                sums[0] + lo,
                sums[1] + hi,
                sums[2] + preferred,
                sums[3] + weight,
            ]
        });
        black_box(sums);
    });
    println!("single: {UNITS} units; a pass is a plain sum over the four arrays of water-filling");
    println!("{:<14} {:>9} {:>8}", "method", "ms", "passes");
    println!("{:<14} {pass_ms:>9.2} {:>8.1}", "one pass", 1.0);
    let row = |name: &str, ms: f64| println!("{name:<14} {ms:>9.2} {:>8.1}", ms / pass_ms);
    row(
        "water-filling",
        median_ms(|| {
            drop(black_box(water_filling(
                demand_w,
                ranges,
                &preferred_w,
                &weight,
            )));
        }),
    );
    row(
        "headroom",
        median_ms(|| drop(black_box(headroom(demand_w, ranges, &preferred_w)))),
    );
    row(
        "max-min",
        median_ms(|| drop(black_box(level(demand_w, ranges, &hi_w)))),
    );
    row(
        "merit order",
        median_ms(|| drop(black_box(merit_order(demand_w, ranges, &cost)))),
    );
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn median_ms(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
