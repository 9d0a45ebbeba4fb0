//! Telemetry: reports of five values each from 240,000 DER, one a minute, which is 20,000 samples
//! a second; then what it costs to find and to delete them.

use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use fleet::{DerId, Quality};
use store::Telemetry;
use store::telemetry::{Quantity, Sample};
use units::{Interval, Timestamp};

const DERS: u32 = 240_000;
const PER_SECOND: u32 = DERS / 60;
const SECONDS: u32 = 120;
const START: i64 = 1_800_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = tempfile::tempdir()?;
    let mut telemetry = Telemetry::open(root.path())?;
    let mut insert = Duration::ZERO;
    let mut slowest = Duration::ZERO;
    for second in 0..SECONDS {
        let samples = reports(second);
        let (new, time) = timed(|| telemetry.insert(&samples));
        assert!(new? == samples.len(), "every sample is new");
        insert += time;
        slowest = slowest.max(time);
    }
    let count = SECONDS * PER_SECOND * 5;
    let (again, repeat) = timed(|| telemetry.insert(&reports(0)));
    assert!(again? == 0, "a repeated sample is not new");

    let day = Interval {
        start: Timestamp::from_secs(START - 80_000),
        duration: Duration::from_secs(86_400),
    };
    let (found, query) = timed(|| telemetry.query(DerId(17), Quantity::P, day, 10_000));
    assert!(found?.len() == 2, "one sample a minute");
    let (latest, start) = timed(|| telemetry.latest(Timestamp::from_secs(START)));
    assert!(latest?.len() == DERS as usize * 5, "five of each DER");
    let far = Timestamp::from_secs(START + 100_000);
    let (deleted, delete) = timed(|| telemetry.delete_before(far, 20_000));
    assert!(deleted? == 20_000, "a full turn");

    let mut out = stdout().lock();
    let rate = f64::from(count) / insert.as_secs_f64();
    writeln!(
        out,
        "telemetry of {DERS} DER, {count} samples, a transaction each second of them"
    )?;
    writeln!(
        out,
        "  insert                 {rate:>9.0} /s    (at least 20000)"
    )?;
    writeln!(out, "  slowest transaction    {:>9.1} ms", millis(slowest))?;
    writeln!(out, "  20000 repeated samples {:>9.1} ms", millis(repeat))?;
    writeln!(out, "  one DER, one day       {:>9.3} ms", millis(query))?;
    writeln!(out, "  latest of every DER    {:>9.0} ms", millis(start))?;
    writeln!(out, "  delete 20000           {:>9.1} ms", millis(delete))?;
    Ok(())
}

/// The DER whose turn it is in this second of the minute, spread over the whole fleet.
fn reports(second: u32) -> Vec<Sample> {
    let at = Timestamp::from_secs(START + i64::from(second));
    let ders = (0..PER_SECOND).map(|number| DerId(number * 60 + second % 60));
    ders.flat_map(|der| {
        Quantity::ALL.map(|quantity| Sample {
            der,
            quantity,
            at,
            value: f64::from(der.0),
            quality: Quality::Valid,
        })
    })
    .collect()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
