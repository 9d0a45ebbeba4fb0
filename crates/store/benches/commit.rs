//! Commits: ours against SQLite's own, one at a time and in batches.
//!
//! Both sides run in turns in one process on one disk, so that their ratio holds on any machine.

use std::io::{Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use fleet::{
    ActivePower, Control, ControlBase, ControlId, DerId, DispatchId, Event, Mrid, Origin, ProgramId,
};
use rusqlite::Connection;
use store::record;
use store::{Actor, Batch, Entry, JournalId, Sqlite, Store};
use units::{Interval, Percent, Timestamp, Watts};

const ROUNDS: u32 = 10;
const SINGLE_COMMITS: u32 = 200;
const BATCHES: u32 = 20;
const BATCH: u32 = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = tempfile::tempdir()?;
    let single = single_commits(root.path())?;
    let batched = batched_commits(root.path())?;
    let mut out = stdout().lock();
    writeln!(out, "durable commits, one event each")?;
    writeln!(out, "  raw SQLite INSERT  {:>10.0} /s", single.raw)?;
    writeln!(out, "  store              {:>10.0} /s", single.ours)?;
    writeln!(
        out,
        "  ratio              {:>10.2}    (at least 0.50)",
        single.ours / single.raw
    )?;
    writeln!(out, "events in batches of {BATCH}")?;
    writeln!(out, "  raw SQLite INSERT  {:>10.0} /s", batched.raw)?;
    writeln!(
        out,
        "  store              {:>10.0} /s    (at least 100000)",
        batched.ours
    )?;
    writeln!(
        out,
        "  ratio              {:>10.2}",
        batched.ours / batched.raw
    )?;
    Ok(())
}

/// Events per second.
struct Rates {
    raw: f64,
    ours: f64,
}

fn single_commits(root: &Path) -> Result<Rates, Box<dyn std::error::Error>> {
    let raw = raw(&root.join("single.sqlite"))?;
    let mut ours = Sqlite::open(&root.join("single"), JournalId(1))?;
    let payload = record::encode(&entry(1_000_000).event)?.payload;
    let (mut raw_time, mut our_time) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        raw_time += timed(|| (0..SINGLE_COMMITS).try_for_each(|_| insert(&raw, &payload, 1)))?;
        our_time += timed(|| (0..SINGLE_COMMITS).try_for_each(|_| commit(&mut ours, 1)))?;
    }
    Ok(rates(ROUNDS * SINGLE_COMMITS, raw_time, our_time))
}

fn batched_commits(root: &Path) -> Result<Rates, Box<dyn std::error::Error>> {
    let raw = raw(&root.join("batched.sqlite"))?;
    let mut ours = Sqlite::open(&root.join("batched"), JournalId(1))?;
    let payload = record::encode(&entry(1_000_000).event)?.payload;
    let (mut raw_time, mut our_time) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..ROUNDS {
        raw_time += timed(|| (0..BATCHES).try_for_each(|_| insert(&raw, &payload, BATCH)))?;
        our_time += timed(|| (0..BATCHES).try_for_each(|_| commit(&mut ours, BATCH)))?;
    }
    Ok(rates(ROUNDS * BATCHES * BATCH, raw_time, our_time))
}

/// A table of one text column with the store's own settings.
fn raw(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE journal (sequence INTEGER PRIMARY KEY, payload TEXT NOT NULL) STRICT;",
    )?;
    Ok(connection)
}

/// As many records, encoded beforehand, in one transaction.
fn insert(
    connection: &Connection,
    payload: &str,
    count: u32,
) -> Result<(), Box<dyn std::error::Error>> {
    let transaction = connection.unchecked_transaction()?;
    let mut insert = transaction.prepare_cached("INSERT INTO journal (payload) VALUES (?1)")?;
    for _ in 0..count {
        insert.execute([payload])?;
    }
    drop(insert);
    Ok(transaction.commit()?)
}

fn commit(store: &mut Sqlite, entries: u32) -> Result<(), Box<dyn std::error::Error>> {
    let expected_version = store.head().version;
    let first = u32::try_from(expected_version)?;
    let entries = (first..first + entries).map(entry).collect();
    store.commit(&Batch {
        expected_version,
        entries,
        ..Batch::default()
    })?;
    Ok(())
}

fn entry(number: u32) -> Entry {
    let at = Timestamp::from_secs(1_800_000_000);
    let control = Control {
        id: ControlId(number),
        mrid: Mrid(u128::from(number) << 32),
        der: Some(DerId(number % 1_000)),
        program: ProgramId(number % 1_000),
        origin: Origin::Dispatch {
            dispatch: DispatchId(1),
            generation: 1,
            interval: 0,
        },
        interval: Interval {
            start: at,
            duration: Duration::from_secs(900),
        },
        created: at,
        base: ControlBase::asking(ActivePower::FixedW {
            percent: Percent::from_hundredths(5_000),
            of: Watts::whole(5_000),
        }),
        terms: None,
        cancelled: None,
    };
    Entry {
        actor: Actor::System,
        at,
        event: Event::ControlIssued(control),
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn rates(events: u32, raw: Duration, ours: Duration) -> Rates {
    let rate = |time: Duration| f64::from(events) / time.as_secs_f64();
    Rates {
        raw: rate(raw),
        ours: rate(ours),
    }
}
