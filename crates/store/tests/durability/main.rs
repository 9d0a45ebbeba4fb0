//! What was acknowledged survives: a kill, and loss of power at any instant.
//!
//! `examples/append.rs` writes and acknowledges. It is watched from outside with strace(1), so
//! nothing in the product knows of the test.

#![cfg(test)]

mod disk;
mod trace;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use store::audit;
use store::{Head, JournalId, Sqlite, Store};

use disk::{Disk, FATES, Fate};
use trace::{Call, trace};

/// Enough for the log to be checkpointed and begun anew in between.
const COMMITS: usize = 300;

fn append() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/append");
    assert!(
        path.exists(),
        "{} is missing: cargo build -p store --examples",
        path.display()
    );
    path
}

/// Whether the store in `directory` opens, holds everything up to `acknowledged`, and is sound:
/// chain, ledger and document agree, since each commit writes all three. Returns its version.
#[track_caller]
fn check(directory: &Path, acknowledged: Option<Head>) -> u64 {
    let store = Sqlite::open(directory, JournalId(1)).unwrap();
    let known: Vec<Head> = acknowledged.into_iter().collect();
    let report = audit::verify_store(&store, &known).unwrap();
    assert!(report.is_intact(), "{report}");
    let head = store.head();
    assert!(head.version >= acknowledged.map_or(0, |head| head.version));
    assert_eq!(
        store.read(1, usize::MAX).unwrap().len() as u64,
        head.version
    );
    assert_eq!(
        store.deliveries(0, usize::MAX).unwrap().len() as u64,
        head.version
    );
    let documents = store.documents().unwrap();
    let number = documents
        .first()
        .map(|document| String::from_utf8_lossy(&document.body));
    assert_eq!(
        number.map_or(0, |number| number.parse().unwrap()),
        head.version
    );
    head.version
}

#[test]
fn every_acknowledgement_follows_a_sync_of_what_it_acknowledges() {
    let root = tempfile::tempdir().unwrap();
    let calls = trace(&append(), &root.path().join("data"), COMMITS);
    let mut unsynced = Vec::new();
    let mut written = false;
    let mut acknowledged = 0;
    for call in &calls {
        match call {
            Call::Write { path, .. } if is_data(path) => {
                written = true;
                unsynced.push(path.clone());
            }
            Call::Truncate { path, .. } if is_data(path) => unsynced.push(path.clone()),
            Call::Sync { path } => unsynced.retain(|other| other != path),
            Call::Acknowledge { .. } => {
                assert!(
                    written,
                    "acknowledgement {acknowledged} without a write before it"
                );
                let left: Vec<_> = unsynced.iter().filter(|path| is_log(path)).collect();
                assert!(
                    left.is_empty(),
                    "acknowledgement {acknowledged} before a sync of {left:?}"
                );
                written = false;
                acknowledged += 1;
            }
            _ => {}
        }
    }
    assert_eq!(acknowledged, COMMITS);
}

/// Power is lost at many instants: the disk then holds what was synced, and of the writes since
/// then none, all, or some, each perhaps torn.
#[test]
fn power_may_be_lost_at_any_instant() {
    let root = tempfile::tempdir().unwrap();
    let calls = trace(&append(), &root.path().join("data"), COMMITS);
    let mut disk = Disk::default();
    let mut acknowledged = None;
    let (mut crashes, mut lost) = (0, 0);
    let checkpoint = calls.iter().position(|call| match call {
        Call::Write { path, offset, .. } => is_data(path) && !is_log(path) && *offset > 4_096,
        _ => false,
    });
    let last = calls
        .iter()
        .rposition(|call| matches!(call, Call::Acknowledge { .. }));
    assert!(
        checkpoint < last,
        "the log was not checkpointed between two commits"
    );
    for (number, call) in calls.iter().enumerate() {
        if is_turning_point(number, call) {
            let fate = FATES[crashes % FATES.len()];
            let copy = root.path().join(number.to_string());
            std::fs::create_dir(&copy).unwrap();
            lost += disk.lose_power(fate, number as u64, &copy);
            check(&copy, acknowledged);
            std::fs::remove_dir_all(&copy).unwrap();
            crashes += 1;
        }
        disk.apply(call);
        if let Call::Acknowledge { head } = call {
            acknowledged = Some(*head);
        }
    }
    assert_eq!(acknowledged.map(|head| head.version), Some(COMMITS as u64));
    assert!(crashes > 2 * COMMITS, "{crashes} crashes");
    assert!(lost > COMMITS, "only {lost} writes were ever lost");
}

/// The check above can fail: a disk that forgets synced writes is noticed.
#[test]
fn a_disk_that_lies_about_syncing_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let calls = trace(&append(), &root.path().join("data"), COMMITS);
    let mut disk = Disk::default();
    let mut acknowledged = None;
    let middle = calls.len() * 2 / 3;
    for (number, call) in calls.iter().enumerate() {
        if number < middle || !matches!(call, Call::Sync { .. }) {
            disk.apply(call);
        }
        if let Call::Acknowledge { head } = call {
            acknowledged = Some(*head);
        }
    }
    let copy = root.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    disk.lose_power(Fate::NoneWritten, 0, &copy);
    let store = Sqlite::open(&copy, JournalId(1)).unwrap();
    assert!(store.head().version < acknowledged.unwrap().version);
    assert!(
        !audit::verify_store(&store, &[acknowledged.unwrap()])
            .unwrap()
            .is_intact()
    );
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    let mut acknowledged: Option<Head> = None;
    for round in 0..20 {
        let mut child = Command::new(append())
            .arg(&directory)
            .arg("1000000")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..=round * 7 {
            acknowledged = Some(lines.next().unwrap().unwrap().parse().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            acknowledged = line.parse().ok().or(acknowledged);
        }
        check(&directory, acknowledged);
    }
    assert!(acknowledged.unwrap().version > 1_000);
}

fn is_data(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("fleet.sqlite"))
        && !path.to_string_lossy().ends_with("-shm")
}

/// In write-ahead mode a commit is in the log; the database itself lags behind until a checkpoint.
fn is_log(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-wal")
}

/// Syncs, acknowledgements, and every change of the database itself, but only some of the many
/// changes of the log.
fn is_turning_point(number: usize, call: &Call) -> bool {
    match call {
        Call::Write { path, .. } if is_log(path) => number.is_multiple_of(7),
        Call::Write { path, .. } | Call::Truncate { path, .. } | Call::Sync { path } => {
            is_data(path)
        }
        Call::Remove { .. } | Call::Acknowledge { .. } => true,
        Call::Open { .. } => false,
    }
}
