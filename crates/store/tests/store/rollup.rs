//! Roll-ups: what SQL makes of the same samples, whenever and however often they came in.

use fleet::{DerId, Quality};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;
use store::backup::PersonKeys;
use store::telemetry::{Kept, Quantity, Resolution, Rollup, Sample};
use store::{Address, Sqlite, Telemetry, backup};
use units::{Interval, Timestamp};

use crate::cluster::Cluster;
use crate::sample::JOURNAL;
use crate::telemetry::connected;

const HOUR: i64 = 3_600_000;
/// Not at the beginning of a span.
const START: i64 = 1_800_000_012_345;
const OF: (DerId, Quantity) = (DerId(1), Quantity::P);

fn sample(at_ms: i64, value: f64, quality: Quality) -> Sample {
    Sample {
        der: OF.0,
        quantity: OF.1,
        at: Timestamp::from_millis(at_ms),
        value,
        quality,
    }
}

fn between(start_ms: i64, end_ms: i64) -> Interval {
    let at = Timestamp::from_millis;
    Interval::between(at(start_ms), at(end_ms))
}

/// Batches in which times repeat and go back, around 1970 and around `START`. Values are eighths,
/// so that sums are exact.
fn batches() -> impl Strategy<Value = Vec<Vec<Sample>>> {
    let quality = prop::sample::select(vec![
        Quality::Valid,
        Quality::Estimated,
        Quality::Questionable,
    ]);
    let row = (0..2_usize, 0..200_i64, -80_000..80_000_i32, quality);
    let row = row.prop_map(|(era, step, eighths, quality)| {
        let at_ms = [-HOUR, START][era] + step * 47_000;
        sample(at_ms, f64::from(eighths) / 8.0, quality)
    });
    prop::collection::vec(prop::collection::vec(row, 0..60), 1..6)
}

/// What SQLite makes of the rows as they arrived, by a table that this test has made.
fn by_sql(samples: &[Sample], interval: Interval, resolution: Resolution) -> Vec<Rollup> {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE row (at_ms INTEGER PRIMARY KEY, value REAL, quality INTEGER)")
        .unwrap();
    for sample in samples {
        let quality = match sample.quality {
            Quality::Valid => 0,
            Quality::Estimated => 1,
            Quality::Questionable => 2,
        };
        let row = (sample.at.millis(), sample.value, quality);
        let insert = "INSERT OR IGNORE INTO row VALUES (?1, ?2, ?3)";
        connection.execute(insert, row).unwrap();
    }
    let sql =
        "SELECT span.start, span.n, span.total, span.low, span.high, a.value, b.value, span.worst
         FROM (SELECT at_ms - (at_ms % ?1 + ?1) % ?1 AS start, count(*) AS n, sum(value) AS total,
                   min(value) AS low, max(value) AS high, min(at_ms) AS first_ms,
                   max(at_ms) AS last_ms, max(quality) AS worst FROM row GROUP BY 1) AS span
         JOIN row AS a ON a.at_ms = span.first_ms JOIN row AS b ON b.at_ms = span.last_ms
         WHERE span.start >= ?2 AND span.start < ?3 ORDER BY 1";
    let mut select = connection.prepare(sql).unwrap();
    let (start, end) = (interval.start.millis(), interval.end().millis());
    let rows = select.query_map([resolution.millis(), start, end], |row| {
        Ok(Rollup {
            start: Timestamp::from_millis(row.get(0)?),
            count: row.get(1)?,
            sum: row.get(2)?,
            min: row.get(3)?,
            max: row.get(4)?,
            first: row.get(5)?,
            last: row.get(6)?,
            quality: [Quality::Valid, Quality::Estimated, Quality::Questionable]
                [usize::from(row.get::<_, u8>(7)?)],
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// All of them, asked for `limit` at a time.
fn paged(
    telemetry: &Telemetry,
    all: Interval,
    resolution: Resolution,
    limit: usize,
) -> Vec<Rollup> {
    let (mut found, mut interval) = (Vec::new(), all);
    loop {
        let page = telemetry.rollups(OF, interval, resolution, limit).unwrap();
        assert!(page.rollups.len() <= limit);
        found.extend(page.rollups);
        let Some(next) = page.next else { return found };
        interval = Interval::between(next, all.end());
    }
}

/// After each batch, from when on samples are kept and how many retire at a time.
type Retired = Vec<(Timestamp, usize)>;

fn retired() -> impl Strategy<Value = Retired> {
    let from = prop::sample::select(vec![-9 * HOUR, -HOUR / 2, START, START + HOUR, i64::MAX]);
    let turn = (from.prop_map(Timestamp::from_millis), 1..40_usize);
    prop::collection::vec(turn, 6)
}

/// Retires, but maybe not to the end: a turn may come between any two batches.
fn retire(telemetry: &mut Telemetry, from: Timestamp, limit: usize) {
    let rollups = [Timestamp::from_millis(i64::MIN); 3];
    let samples = from;
    let turns = if limit < 20 { 2 } else { 10_000 };
    let left = (0..turns).find(|_| {
        let kept = Kept { samples, rollups };
        telemetry.retire(&kept, limit).unwrap() == 0
    });
    assert!(left.is_some() || turns == 2);
}

/// Inserts a batch, and returns those of it that are not too old.
fn taken(telemetry: &mut Telemetry, batch: &[Sample]) -> Vec<Sample> {
    let horizon = telemetry.horizon().unwrap();
    let (old, taken): (Vec<Sample>, Vec<Sample>) = batch
        .iter()
        .partition(|sample| sample.at.millis().div_euclid(HOUR) < horizon);
    let inserted = telemetry.insert(batch).unwrap();
    assert_eq!(inserted.too_old, old.len());
    taken
}

fn check(
    mut telemetry: Telemetry,
    (batches, retired): (&[Vec<Sample>], &Retired),
) -> Result<(), TestCaseError> {
    let mut arrived = Vec::new();
    for (batch, (from, limit)) in batches.iter().zip(retired) {
        arrived.extend(taken(&mut telemetry, batch));
        retire(&mut telemetry, *from, *limit);
        for resolution in Resolution::ALL {
            for interval in [
                between(-9 * HOUR, START + 9 * HOUR),
                between(-HOUR + 1, START + HOUR),
            ] {
                let expected = by_sql(&arrived, interval, resolution);
                prop_assert_eq!(&paged(&telemetry, interval, resolution, 1_000), &expected);
                prop_assert_eq!(&paged(&telemetry, interval, resolution, 7), &expected);
            }
        }
    }
    Ok(())
}

#[test]
fn rollups_of_a_file_are_those_of_sql() {
    let mut runner = TestRunner::new(Config::with_cases(32));
    let checked = runner.run(&(batches(), retired()), |(batches, retired)| {
        check(Telemetry::in_memory().unwrap(), (&batches, &retired))
    });
    checked.unwrap();
}

#[test]
fn rollups_of_a_database_are_those_of_sql() {
    let mut runner = TestRunner::new(Config::with_cases(6));
    let checked = runner.run(&(batches(), retired()), |(batches, retired)| {
        let telemetry = connected(&Cluster::shared().database());
        check(telemetry, (&batches, &retired))
    });
    checked.unwrap();
}

/// An answer goes through a bounded number of samples, and the next goes on where it ended.
#[test]
fn rollups_of_many_samples_come_in_turns() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let start = START - START.rem_euclid(HOUR);
    let step = 20 * HOUR / 250_000;
    let at = |i| sample(start + i * step, 1.0, Quality::Valid);
    let samples: Vec<Sample> = (0..250_000).map(at).collect();
    for batch in samples.chunks(Telemetry::MAX_INSERT) {
        telemetry.insert(batch).unwrap();
    }
    let all = between(start, start + 20 * HOUR);
    let first = telemetry.rollups(OF, all, Resolution::Hour, 100).unwrap();
    assert_eq!(
        first.rollups.len(),
        15,
        "nobody looked behind the sixteenth"
    );
    assert_eq!(first.next, Some(Timestamp::from_millis(start + 15 * HOUR)));
    let found = paged(&telemetry, all, Resolution::Hour, 100);
    assert_eq!(found, by_sql(&samples, all, Resolution::Hour));
    assert_eq!(found.len(), 20);
}

/// What is retired goes along to a database and back into files, in the middle of retiring.
#[test]
fn what_is_retired_is_part_of_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let [old, kept] = ["old", "kept"].map(|name| folder.path().join(name));
    drop(Sqlite::open(&old, JOURNAL).unwrap());
    let mut telemetry = Telemetry::open(&old).unwrap();
    let at = |i: u32| sample(START + i64::from(i) * 61_000, f64::from(i), Quality::Valid);
    let samples: Vec<Sample> = (0..300).map(at).collect();
    telemetry.insert(&samples).unwrap();
    let from = Timestamp::from_millis(START + 3 * HOUR);
    retire(&mut telemetry, from, 1);
    let all = between(START - HOUR, START + 9 * HOUR);
    let shown = |telemetry: &Telemetry| {
        let rollups = |resolution| paged(telemetry, all, resolution, 50);
        (Resolution::ALL.map(rollups), telemetry.horizon().unwrap())
    };
    let expected = shown(&telemetry);
    assert_eq!(expected.0[0], by_sql(&samples, all, Resolution::Minute));
    drop(telemetry);

    let address = Address::new(&Cluster::shared().database(), None).unwrap();
    backup::to_database(&old, &address, PersonKeys::Left).unwrap();
    let mut moved = Telemetry::connect(&address).unwrap();
    assert_eq!(shown(&moved), expected);
    retire(&mut moved, from, 1);
    assert_eq!(shown(&moved), expected);
    backup::from_database(&address, &kept).unwrap();
    let mut kept = Telemetry::open(&kept).unwrap();
    assert_eq!(shown(&kept), expected);
    assert_eq!(kept.insert(&samples[..2]).unwrap().too_old, 2);
}

#[test]
fn rollups_of_any_time_do_not_overflow() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let (start, end) = (i64::MIN / 2, i64::MAX / 2);
    let samples = [start + 2 * HOUR, end - 2 * HOUR].map(|at| sample(at, 2.5, Quality::Valid));
    telemetry.insert(&samples).unwrap();
    let ever = between(start, end);
    for resolution in Resolution::ALL {
        for limit in [0, 1, 9] {
            let found = telemetry.rollups(OF, ever, resolution, limit).unwrap();
            assert_eq!(found.rollups.len(), limit.min(2));
            assert_eq!(found.next.is_some(), limit < 2);
            let means: Vec<f64> = found.rollups.iter().map(Rollup::mean).collect();
            assert_eq!(means, vec![2.5; limit.min(2)]);
        }
    }
}
