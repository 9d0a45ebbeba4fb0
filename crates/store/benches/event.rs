//! One event to very many DER: its plan, a control for each with the ledger's first step, made
//! durable in one commit, against a raw bulk insert of the very same rows.
//!
//! On SQLite raw is a prepared statement in one transaction, on PostgreSQL a binary COPY. Both
//! sides run in one process on one disk, so that their ratio holds on any machine.

#[path = "../tests/store/cluster.rs"]
mod cluster;

use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use fleet::dispatch::plan::{Allocation, Balance, Plan};
use fleet::{
    ActivePower, Control, ControlBase, ControlId, DeliveryEntry, DeliveryState, DerId, DispatchId,
    Event, Evidence, Mrid, Origin, ProgramId,
};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;
use rusqlite::{Connection, params};
use store::{Actor, Address, Asked, Batch, Entry, JournalId, Lease, Postgres, Sqlite, Store};
use units::{Interval, Percent, Timestamp, Watts};

use cluster::{Cluster, connect};

/// One less than a million, so that the plan fits into the batch.
const SIZES: [u32; 3] = [10_000, 100_000, 999_999];
const AT: Timestamp = Timestamp::from_secs(1_800_000_000);

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let root = tempfile::tempdir()?;
    let mut out = stdout().lock();
    writeln!(
        out,
        "{:>9} {:<11}{:>10}{:>10}{:>8}{:>12}",
        "DER", "medium", "raw", "store", "ratio", "peak memory"
    )?;
    for ders in SIZES {
        let batch = event(ders);
        let directory = root.path().join(ders.to_string());
        let (raw, ours) = on_sqlite(&directory, &batch)?;
        line(&mut out, (ders, "SQLite"), raw, ours)?;
        let (raw, ours) = on_postgres(&batch)?;
        line(&mut out, (ders, "PostgreSQL"), raw, ours)?;
    }
    Ok(writeln!(out, "ratio: at most 3")?)
}

fn line(
    out: &mut impl Write,
    (ders, medium): (u32, &str),
    raw: Duration,
    ours: Duration,
) -> Result<(), Failure> {
    let (raw, ours) = (raw.as_secs_f64(), ours.as_secs_f64());
    Ok(writeln!(
        out,
        "{ders:>9} {medium:<11}{raw:>8.3} s{ours:>8.3} s{:>8.2}{:>8} MiB",
        ours / raw,
        peak_mib()
    )?)
}

fn event(ders: u32) -> Batch {
    let active = ActivePower::FixedW {
        percent: Percent::from_hundredths(5_000),
        of: Watts::whole(5_000),
    };
    let share = |number| Allocation {
        der: DerId(number),
        interval: 0,
        share: active,
    };
    let balance = Balance {
        interval: 0,
        target: Watts::whole(2_500 * i64::from(ders)),
        unasked: Watts::whole(0),
        residue: Watts::whole(0),
    };
    let plan = Plan {
        dispatch: DispatchId(0),
        generation: 1,
        made: AT,
        effective: AT,
        allocations: (0..ders).map(share).collect(),
        unasked: Vec::new(),
        balances: vec![balance],
        elsewhere: Vec::new(),
        late: Vec::new(),
        pasts: Vec::new(),
        observed: 0,
    };
    let issued = (0..ders).map(|number| Event::ControlIssued(control(number, active)));
    let events = std::iter::once(Event::PlanAdopted(plan)).chain(issued);
    let entry = |event| Entry {
        actor: Actor::System,
        at: AT,
        event,
    };
    let step = |number| DeliveryEntry {
        control: ControlId(number),
        der: DerId(number),
        state: DeliveryState::Sent,
        at: AT,
        evidence: Evidence::Served,
    };
    Batch {
        entries: events.map(entry).collect(),
        deliveries: (0..ders).map(step).collect(),
        ..Batch::default()
    }
}

fn control(number: u32, active: ActivePower) -> Control {
    Control {
        id: ControlId(number),
        mrid: Mrid(u128::from(number) << 32),
        der: Some(DerId(number)),
        program: ProgramId(number),
        origin: Origin::Dispatch {
            dispatch: DispatchId(0),
            generation: 1,
            interval: 0,
        },
        interval: Interval {
            start: AT,
            duration: Duration::from_secs(900),
        },
        created: AT,
        base: ControlBase::asking(active),
        terms: None,
        cancelled: None,
    }
}

/// A row of the journal as it is stored.
struct Row {
    sequence: i64,
    kind: String,
    payload: String,
    hash: [u8; 32],
}

fn rows(store: &dyn Store) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    store.scan(1, usize::MAX, &mut |raw| {
        rows.push(Row {
            sequence: raw.sequence.cast_signed(),
            kind: raw.kind.to_owned(),
            payload: raw.payload.to_owned(),
            hash: raw.hash.0,
        });
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn on_sqlite(directory: &Path, batch: &Batch) -> Result<(Duration, Duration), Failure> {
    let mut store = Sqlite::open(&directory.join("store"), JournalId(1))?;
    let ours = timed(|| store.commit(batch).map(drop))?;
    let rows = rows(&store)?;
    drop(Sqlite::open(&directory.join("raw"), JournalId(1))?);
    let mut raw = Connection::open(directory.join("raw/fleet.sqlite"))?;
    raw.execute_batch("PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;")?;
    let raw = timed(|| {
        let transaction = raw.transaction()?;
        let mut insert = transaction.prepare(
            "INSERT INTO journal (sequence, at_ms, actor, kind, version, payload, hash)
             VALUES (?1, ?2, 'system', ?3, 1, ?4, ?5)",
        )?;
        for row in &rows {
            let at = AT.millis();
            insert.execute(params![row.sequence, at, row.kind, row.payload, row.hash])?;
        }
        drop(insert);
        let mut insert = transaction.prepare(
            "INSERT INTO delivery (control, der, state, at_ms, evidence)
             VALUES (?1, ?2, 'sent', ?3, '\"served\"')",
        )?;
        for step in &batch.deliveries {
            insert.execute(params![step.control.0, step.der.0, step.at.millis()])?;
        }
        drop(insert);
        transaction.commit()
    })?;
    Ok((raw, ours))
}

fn on_postgres(batch: &Batch) -> Result<(Duration, Duration), Failure> {
    let cluster = Cluster::shared();
    let open = |url: &str| -> Result<Postgres, Failure> {
        let address = Address::new(url, None)?;
        Ok(Postgres::open(&address, JournalId(1))?)
    };
    let mut store = open(&cluster.database())?;
    let mut lease = Lease::new(store.address().clone(), "bench".to_owned());
    let Asked::Given(term) = lease.acquire(Duration::from_secs(3_600))? else {
        return Err("the lease of a fresh database is free".into());
    };
    store.lead(&term)?;
    let ours = timed(|| store.commit(batch).map(drop))?;
    let rows = rows(&store)?;
    let url = cluster.database();
    drop(open(&url)?);
    let mut raw = connect(&url);
    let raw = timed(|| {
        let mut transaction = raw.transaction()?;
        let journal = [Type::INT8, Type::INT8, Type::TEXT, Type::TEXT, Type::INT4];
        let journal = [&journal[..], &[Type::TEXT, Type::BYTEA]].concat();
        let copy = transaction.copy_in("COPY wattfold.journal FROM STDIN (FORMAT binary)")?;
        let mut writer = BinaryCopyInWriter::new(copy, &journal);
        for row in &rows {
            writer.write(&[
                &row.sequence,
                &AT.millis(),
                &"system",
                &row.kind,
                &1_i32,
                &row.payload,
                &row.hash.as_slice(),
            ])?;
        }
        writer.finish()?;
        let delivery = [Type::INT8, Type::INT8, Type::INT8, Type::TEXT, Type::INT8];
        let delivery = [&delivery[..], &[Type::TEXT]].concat();
        let copy = transaction.copy_in("COPY wattfold.delivery FROM STDIN (FORMAT binary)")?;
        let mut writer = BinaryCopyInWriter::new(copy, &delivery);
        for (number, step) in (1_i64..).zip(&batch.deliveries) {
            writer.write(&[
                &number,
                &i64::from(step.control.0),
                &i64::from(step.der.0),
                &"sent",
                &step.at.millis(),
                &"\"served\"",
            ])?;
        }
        writer.finish()?;
        transaction.commit()
    })?;
    Ok((raw, ours))
}

/// The most memory that this process has had, as Linux counts it; 0 elsewhere.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}
