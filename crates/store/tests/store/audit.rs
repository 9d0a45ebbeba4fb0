//! Every way of tampering with a journal is found, with its place.

use std::path::Path;

use rusqlite::{Connection, params};
use store::audit::{self, Fault, MAX_FINDINGS, Report};
use store::{Hash, Head, RawEntry, Sqlite, Store};
use units::Timestamp;

use crate::sample::{self, JOURNAL};

const LAST: u64 = 20;

struct Journal {
    root: tempfile::TempDir,
    head: Head,
}

impl Journal {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(root.path(), JOURNAL).unwrap();
        store.commit(&sample::batch(0, &sample::events())).unwrap();
        assert_eq!(store.head().version, LAST);
        Self {
            head: store.head(),
            root,
        }
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn edit(&self, sql: &str) -> Report {
        let connection = Connection::open(self.path().join("fleet.sqlite")).unwrap();
        connection.execute_batch(sql).unwrap();
        self.verify()
    }

    fn verify(&self) -> Report {
        audit::verify(self.path(), &[]).unwrap()
    }
}

#[track_caller]
fn check(sql: &str, expected: &[(u64, Fault)]) {
    let report = Journal::new().edit(sql);
    let found: Vec<(u64, Fault)> = report
        .findings
        .iter()
        .map(|finding| (finding.sequence, finding.fault))
        .collect();
    assert_eq!(found, expected, "{report}");
    assert!(!report.is_intact());
}

#[test]
fn an_untouched_journal_is_intact() {
    let journal = Journal::new();
    let report = audit::verify(journal.path(), &[journal.head]).unwrap();
    assert!(report.is_intact(), "{report}");
    assert_eq!((report.entries, report.head), (LAST, journal.head));
    assert!(report.to_string().ends_with("\nintact"), "{report}");
}

#[test]
fn an_open_store_can_be_verified_from_outside() {
    let root = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(root.path(), JOURNAL).unwrap();
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    assert!(
        audit::verify(root.path(), &[store.head()])
            .unwrap()
            .is_intact()
    );
}

#[test]
fn where_there_is_no_journal_there_is_no_report() {
    let root = tempfile::tempdir().unwrap();
    assert!(audit::verify(root.path(), &[]).is_err());
    assert!(
        !root.path().join("fleet.sqlite").exists(),
        "an audit creates nothing"
    );
}

#[test]
fn an_edited_column_is_found() {
    let edits = [
        "payload = replace(payload, '\"pin\":1', '\"pin\":2')",
        "payload = payload || ' '",
        "actor = 'account:1'",
        "at_ms = at_ms - 1",
        "kind = 'control_cancelled'",
        "version = 2",
    ];
    for edit in edits {
        let sql = format!("UPDATE journal SET {edit} WHERE sequence = 3");
        check(&sql, &[(3, Fault::Altered)]);
    }
}

#[test]
fn an_unreadable_entry_is_found_and_walked_past() {
    let edits = [
        "payload = CAST(x'ff' AS TEXT)",
        "hash = x'00'",
        "version = -1",
    ];
    for edit in edits {
        let sql = format!(
            "UPDATE journal SET {edit} WHERE sequence = 3;
             DELETE FROM journal WHERE sequence = 7"
        );
        check(
            &sql,
            &[(3, Fault::Altered), (7, Fault::Missing { through: 7 })],
        );
    }
}

#[test]
fn an_edited_hash_is_found_at_both_of_its_ends() {
    let sql = "UPDATE journal SET hash = zeroblob(32) WHERE sequence = 3";
    check(sql, &[(3, Fault::Altered), (4, Fault::Altered)]);
}

#[test]
fn a_removed_entry_is_found() {
    let removed = |through| Fault::Missing { through };
    check("DELETE FROM journal WHERE sequence = 1", &[(1, removed(1))]);
    check(
        "DELETE FROM journal WHERE sequence BETWEEN 7 AND 9",
        &[(7, removed(9))],
    );
    check(
        "DELETE FROM journal WHERE sequence IN (2, 10)",
        &[(2, removed(2)), (10, removed(10))],
    );
    check(
        "DELETE FROM journal WHERE sequence > 15",
        &[(16, removed(LAST))],
    );
    check("DELETE FROM journal", &[(1, removed(LAST))]);
}

#[test]
fn renumbering_does_not_hide_a_removal() {
    let report = Journal::new().edit(
        "DELETE FROM journal WHERE sequence = 12;
         UPDATE journal SET sequence = sequence - 1 WHERE sequence > 12;",
    );
    assert_eq!(report.findings[0].sequence, 12, "{report}");
    assert_eq!(
        report.findings.last().unwrap().fault,
        Fault::Missing { through: LAST }
    );
    assert_eq!(
        report.findings.len(),
        9,
        "every renumbered entry, and the end: {report}"
    );
}

#[test]
fn reordered_entries_are_found_and_traced() {
    let swap = |a: u64, b: u64| {
        format!(
            "UPDATE journal SET sequence = -1 WHERE sequence = {a};
             UPDATE journal SET sequence = {a} WHERE sequence = {b};
             UPDATE journal SET sequence = {b} WHERE sequence = -1;"
        )
    };
    let moved = |from| Fault::Moved { from };
    check(
        &swap(5, 6),
        &[(5, moved(6)), (6, moved(5)), (7, Fault::Altered)],
    );
    check(
        &swap(4, 9),
        &[
            (4, moved(9)),
            (5, Fault::Altered),
            (9, moved(4)),
            (10, Fault::Altered),
        ],
    );
}

#[test]
fn an_added_entry_is_found() {
    let copy = "INSERT INTO journal SELECT 21, at_ms, actor, kind, version, payload, hash
                FROM journal WHERE sequence = 20";
    check(
        copy,
        &[(21, Fault::Altered), (21, Fault::Surplus { through: 21 })],
    );
    let below = "INSERT INTO journal SELECT 0, at_ms, actor, kind, version, payload, hash
                 FROM journal WHERE sequence = 20";
    let report = Journal::new().edit(below);
    assert_eq!(report.findings[0].fault, Fault::OutOfPlace, "{report}");
}

#[test]
fn a_journal_put_back_to_an_earlier_state_is_found_by_a_head_kept_elsewhere() {
    let root = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(root.path(), JOURNAL).unwrap();
    let events = sample::events();
    store.commit(&sample::batch(0, &events[..10])).unwrap();
    let kept = Journal::new().head;
    let report = audit::verify(root.path(), &[kept]).unwrap();
    assert_eq!(report.findings[0].sequence, LAST);
    assert_eq!(
        report.findings[0].fault,
        Fault::NotAsKnown { known: kept.hash }
    );
}

/// A forger who edits one entry and computes every later hash anew, head included, leaves a sound
/// chain; only a head kept elsewhere shows it.
#[test]
fn a_forged_chain_is_found_as_far_as_it_can_be() {
    let journal = Journal::new();
    let connection = Connection::open(journal.path().join("fleet.sqlite")).unwrap();
    connection
        .execute_batch("UPDATE journal SET actor = 'account:1' WHERE sequence = 8")
        .unwrap();
    let mut previous = relink(&connection, 8);
    let faults = journal.verify().findings;
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].sequence, faults[0].fault), (9, Fault::Altered));
    for sequence in 9..=LAST {
        previous = relink(&connection, sequence);
    }
    let head = journal.head;
    let faults = journal.verify().findings;
    assert_eq!(
        (faults[0].sequence, faults[0].fault),
        (LAST, Fault::NotAsKnown { known: head.hash })
    );
    connection
        .execute("UPDATE head SET hash = ?1", [previous.0])
        .unwrap();
    assert!(journal.verify().is_intact());
    let faults = audit::verify(journal.path(), &[head]).unwrap().findings;
    assert_eq!(
        (faults[0].sequence, faults[0].fault),
        (LAST, Fault::NotAsKnown { known: head.hash })
    );
}

/// Gives the entry a hash that fits what it holds.
fn relink(connection: &Connection, sequence: u64) -> Hash {
    let number = sequence.cast_signed();
    let previous = connection
        .query_row(
            "SELECT hash FROM journal WHERE sequence = ?1",
            [number - 1],
            |row| row.get(0).map(Hash),
        )
        .unwrap();
    let (at, actor, kind, version, payload): (i64, String, String, u32, String) = connection
        .query_row(
            "SELECT at_ms, actor, kind, version, payload FROM journal WHERE sequence = ?1",
            [number],
            |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            },
        )
        .unwrap();
    let entry = RawEntry {
        sequence,
        at: Timestamp::from_millis(at),
        actor: &actor,
        kind: &kind,
        version,
        payload: &payload,
        hash: previous,
    };
    let hash = entry.linked_to(previous);
    connection
        .execute(
            "UPDATE journal SET hash = ?2 WHERE sequence = ?1",
            params![number, hash.0],
        )
        .unwrap();
    hash
}

#[test]
fn a_report_lists_so_many_faults_and_counts_the_others() {
    let root = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(root.path(), JOURNAL).unwrap();
    let events = sample::events();
    for _ in 0..5 {
        store
            .commit(&sample::batch(store.head().version, &events))
            .unwrap();
    }
    let connection = Connection::open(root.path().join("fleet.sqlite")).unwrap();
    connection
        .execute_batch("UPDATE journal SET at_ms = 0")
        .unwrap();
    let report = audit::verify(root.path(), &[]).unwrap();
    assert_eq!(
        (report.findings.len(), report.unlisted),
        (MAX_FINDINGS, 100 - MAX_FINDINGS as u64)
    );
    assert!(
        report
            .to_string()
            .ends_with("and 36 more\nNOT intact: 100 faults"),
        "{report}"
    );
}
