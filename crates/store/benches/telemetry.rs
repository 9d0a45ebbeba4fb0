//! Telemetry: reports of five values each from 240,000 DER, one a minute, which is 20,000 samples
//! a second; then what it costs to find them and to roll them up.
//!
//! On either medium the same rows are also written raw: on SQLite by a prepared statement into a
//! table of the same shape in a file with the same settings, on PostgreSQL by binary COPY into a
//! table of the same shape. Both sides take turns in one process on one disk, so that their ratio
//! holds on any machine.

#[path = "../tests/store/cluster.rs"]
mod cluster;

use std::io::{Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use fleet::{DerId, Quality};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;
use rusqlite::{Connection, params};
use store::telemetry::{Kept, Quantity, Sample};
use store::{Address, JournalId, Postgres, Telemetry};
use units::{Interval, Timestamp};

use cluster::{Cluster, connect};

const DERS: u32 = 240_000;
const PER_SECOND: u32 = DERS / 60;
const SECONDS: u32 = 120;
const QUANTITIES: usize = 5;
const COUNT: u32 = SECONDS * PER_SECOND * 5;

type Failure = Box<dyn std::error::Error>;
type Raw<'a> = &'a mut dyn FnMut(&[Sample]) -> Result<(), Failure>;

fn main() -> Result<(), Failure> {
    let root = tempfile::tempdir()?;
    let start = wall_clock() / 3_600 * 3_600 - 3_600;
    on_sqlite(root.path(), start)?;
    on_postgres(start)
}

fn on_sqlite(root: &Path, start: i64) -> Result<(), Failure> {
    let mut telemetry = Telemetry::open(root)?;
    let mut raw = Connection::open(root.join("raw.sqlite"))?;
    raw.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;
         CREATE TABLE sample (
             hour INTEGER NOT NULL, der INTEGER NOT NULL, at_ms INTEGER NOT NULL,
             quantity INTEGER NOT NULL, value REAL NOT NULL, quality INTEGER NOT NULL,
             PRIMARY KEY (hour, der, at_ms, quantity)) STRICT, WITHOUT ROWID;",
    )?;
    let mut insert = |samples: &[Sample]| -> Result<(), Failure> {
        let transaction = raw.transaction()?;
        let mut insert = transaction.prepare_cached(
            "INSERT INTO sample (hour, der, at_ms, quantity, value, quality)
             VALUES (?1, ?2, ?3, ?4, ?5, 0)",
        )?;
        for (number, sample) in samples.iter().enumerate() {
            let (hour, at) = (sample.at.secs() / 3_600, sample.at.millis());
            let quantity = i16::try_from(number % QUANTITIES)?;
            insert.execute(params![hour, sample.der.0, at, quantity, sample.value])?;
        }
        drop(insert);
        Ok(transaction.commit()?)
    };
    measure("SQLite", (&mut telemetry, &mut insert), start)
}

fn on_postgres(start: i64) -> Result<(), Failure> {
    let url = Cluster::shared().database();
    let address = Address::new(&url, None)?;
    Postgres::open(&address, JournalId(1))?;
    let mut telemetry = Telemetry::connect(&address)?;
    let mut raw = connect(&url);
    raw.batch_execute("CREATE TABLE raw (LIKE wattfold.sample INCLUDING ALL)")?;
    let columns = [
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::INT2,
        Type::FLOAT8,
        Type::INT2,
    ];
    let mut insert = |samples: &[Sample]| -> Result<(), Failure> {
        let copy = raw.copy_in("COPY raw FROM STDIN (FORMAT binary)")?;
        let mut rows = BinaryCopyInWriter::new(copy, &columns);
        for (number, sample) in samples.iter().enumerate() {
            rows.write(&[
                &(sample.at.secs() / 3_600),
                &i64::from(sample.der.0),
                &sample.at.millis(),
                &i16::try_from(number % QUANTITIES)?,
                &sample.value,
                &0_i16,
            ])?;
        }
        rows.finish()?;
        Ok(())
    };
    measure("PostgreSQL", (&mut telemetry, &mut insert), start)
}

fn measure(
    medium: &str,
    (telemetry, raw): (&mut Telemetry, Raw<'_>),
    start: i64,
) -> Result<(), Failure> {
    let (mut ours, mut theirs) = (Duration::ZERO, Duration::ZERO);
    let mut slowest = Duration::ZERO;
    for second in 0..SECONDS {
        let samples = reports(start, second);
        let (new, time) = timed(|| telemetry.insert(&samples));
        assert!(new?.new == samples.len(), "every sample is new");
        ours += time;
        slowest = slowest.max(time);
        let (written, time) = timed(|| raw(&samples));
        written?;
        theirs += time;
    }
    let (again, repeat) = timed(|| telemetry.insert(&reports(start, 0)));
    assert!(again?.new == 0, "a repeated sample is not new");
    let day = Interval {
        start: Timestamp::from_secs(start - 80_000),
        duration: Duration::from_secs(86_400),
    };
    let (found, query) = timed(|| telemetry.query(DerId(17), Quantity::P, day, 10_000));
    assert!(found?.len() == 2, "one sample a minute");
    let (latest, recall) = timed(|| telemetry.latest(Timestamp::from_secs(start)));
    assert!(
        latest?.len() == DERS as usize * QUANTITIES,
        "five of each DER"
    );
    let far = Timestamp::from_secs(start + 3_600);
    let later = Sample {
        der: DerId(0),
        quantity: Quantity::P,
        at: far,
        value: 0.0,
        quality: Quality::Valid,
    };
    telemetry.insert(&[later])?;
    let kept = Kept {
        samples: far,
        rollups: [Timestamp::from_secs(0); 3],
    };
    let (retired, retire) = timed(|| telemetry.retire(&kept, 20_000));
    assert!((19_000..=20_000).contains(&retired?), "whole hours of DER");

    let mut out = stdout().lock();
    let rate = |time: Duration| f64::from(COUNT) / time.as_secs_f64();
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    writeln!(
        out,
        "{medium}: telemetry of {DERS} DER, {COUNT} samples, a transaction each second of them"
    )?;
    let (ours, theirs) = (rate(ours), rate(theirs));
    writeln!(
        out,
        "  insert                 {ours:>9.0} /s    (at least 20000)"
    )?;
    writeln!(out, "  raw                    {theirs:>9.0} /s")?;
    writeln!(
        out,
        "  ratio                  {ratio:>9.2}       (at least 0.50)"
    )?;
    writeln!(out, "  slowest transaction    {:>9.1} ms", millis(slowest))?;
    writeln!(out, "  20000 repeated samples {:>9.1} ms", millis(repeat))?;
    writeln!(out, "  one DER, one day       {:>9.3} ms", millis(query))?;
    writeln!(out, "  latest of every DER    {:>9.0} ms", millis(recall))?;
    writeln!(out, "  retire 20000           {:>9.1} ms", millis(retire))?;
    Ok(())
}

/// The DER whose turn it is in this second of the minute, spread over the whole fleet.
fn reports(start: i64, second: u32) -> Vec<Sample> {
    let at = Timestamp::from_secs(start + i64::from(second));
    let ders = (0..PER_SECOND).map(|number| DerId(number * 60 + second % 60));
    ders.flat_map(|der| {
        Quantity::ALL[..QUANTITIES]
            .iter()
            .map(move |quantity| Sample {
                der,
                quantity: *quantity,
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

/// Seconds since 1970: only days near the database's clock have partitions.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn wall_clock() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
