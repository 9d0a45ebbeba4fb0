//! `dispatch::plan` for a million DER against one pass over their limits in memory.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use fleet::dispatch::plan::{Member, OnShort, Request, Role, plan};
use fleet::dispatch::share::Grid;
use fleet::dispatch::{Behaviour, Objective, Standing, Target};
use fleet::{DerId, DispatchId};
use units::{Interval, Timestamp, WattHours, Watts};

const ROUNDS: usize = 7;

fn main() {
    println!("plan: one interval, no shared limit; time against one pass over the limits");
    println!(
        "{:>10} {:>12} {:>12} {:>8} {:>14}",
        "DER", "plan ms", "pass ms", "ratio", "peak B/DER"
    );
    for count in [10_000, 100_000, 1_000_000] {
        row(count);
    }
}

fn row(count: u32) {
    let members: Vec<Member> = (0..count).map(member).collect();
    let interval = Interval {
        start: Timestamp::from_secs(0),
        duration: Duration::from_secs(900),
    };
    let request = Request {
        dispatch: DispatchId(0),
        generation: 1,
        now: Timestamp::from_secs(0),
        effective: Timestamp::from_secs(0),
        targets: vec![(
            0,
            Target::net(interval, Watts::whole(i64::from(count) * 700)),
        )],
        ramp: Duration::from_secs(60),
        members: &members,
        expected: &[],
        elsewhere: &[],
        objective: Objective::ProRata,
        limits: &[],
        on_short: OnShort::Reject,
    };
    let planned = median(|| drop(black_box(plan(black_box(&request)).expect("within reach"))));
    let passed = median(|| {
        let sum: (Watts, Watts) = black_box(&members)
            .iter()
            .fold((Watts::ZERO, Watts::ZERO), |sum, m| {
                (sum.0 + m.lo, sum.1 + m.hi)
            });
        black_box(sum);
    });
    let bytes = peak_bytes(|| drop(black_box(plan(&request)))) / u64::from(count);
    let (planned_ms, passed_ms) = (planned.as_secs_f64() * 1e3, passed.as_secs_f64() * 1e3);
    let ratio = planned_ms / passed_ms;
    println!("{count:>10} {planned_ms:>12.2} {passed_ms:>12.3} {ratio:>8.1} {bytes:>14}");
}

/// How far the peak of resident memory rises while `work` runs, as Linux counts it.
fn peak_bytes(work: impl FnOnce()) -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux resets the peak");
    let before = status_kib("VmRSS:");
    work();
    status_kib("VmHWM:").saturating_sub(before) * 1_024
}

fn status_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number
        .and_then(|text| text.parse().ok())
        .expect("a number of KiB")
}

/// Storage of 1 to 10 kW, a spread of charge, some of it ramp-limited.
fn member(index: u32) -> Member {
    let rating = Watts::whole(i64::from(1_000 + index.wrapping_mul(7_919) % 9_000));
    Member {
        der: DerId(index),
        standing: Standing::Controllable,
        role: Role::Controllable,
        base: Watts::whole(i64::from(index % 500)),
        lo: -rating,
        hi: rating,
        ramp_w_per_s: index.is_multiple_of(3).then(|| Watts::whole(100)),
        energy_up: Some(WattHours::whole(i64::from(500 + index % 5_000))),
        energy_down: Some(WattHours::whole(i64::from(500 + index % 3_000))),
        behaviour: Behaviour::default(),
        grid: Grid::TargetW { multiplier: 0 },
        settled_from: None,
        expected: None,
        elsewhere: None,
        committed: None,
        merit: 0,
        price_per_kwh: None,
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}
