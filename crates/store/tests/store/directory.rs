//! A data directory: reopened, shared, foreign, cut short.

use std::process::Command;

use rusqlite::Connection;
use store::{
    Batch, CommitError, Document, DocumentChange, DocumentKey, MAX_ACCOUNTS, Memory, OpenError,
    Sqlite, Store,
};

use crate::sample::{self, JOURNAL};

fn filled(directory: &std::path::Path) -> Sqlite {
    let mut store = Sqlite::open(directory, JOURNAL).unwrap();
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    store
}

#[test]
fn everything_is_there_after_reopening() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("a/b");
    let mut store = filled(&directory);
    let account = store
        .create_account("admin", "$argon2id$", sample::NOW)
        .unwrap();
    store.set_secret("key", b"1").unwrap();
    let (head, fleet) = (store.head(), store::fold(&store).unwrap());
    drop(store);

    let mut store = Sqlite::open(&directory, store::JournalId(1)).unwrap();
    assert_eq!(
        store.journal(),
        JOURNAL,
        "a journal keeps the identity it began with"
    );
    assert_eq!(store.head(), head);
    assert_eq!(store::fold(&store).unwrap(), fleet);
    assert_eq!(store.accounts().unwrap()[0].id, account);
    assert_eq!(store.secret("key").unwrap().as_deref(), Some(&b"1"[..]));
    let more = Batch {
        expected_version: head.version,
        ..Batch::default()
    };
    assert_eq!(store.commit(&more).unwrap(), head.version);
}

#[test]
fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    drop(filled(&directory));
    assert_eq!(
        directory.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_closed() {
    let root = tempfile::tempdir().unwrap();
    let store = filled(root.path());
    let refused = Sqlite::open(root.path(), JOURNAL).unwrap_err();
    assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
    drop(store);
    Sqlite::open(root.path(), JOURNAL).unwrap();
}

#[test]
fn another_process_is_kept_out() {
    let root = tempfile::tempdir().unwrap();
    let store = filled(root.path());
    let lock = root.path().join("lock");
    let try_lock = || {
        Command::new("flock")
            .arg("-n")
            .arg(&lock)
            .arg("true")
            .status()
            .unwrap()
    };
    assert!(
        !try_lock().success(),
        "flock(1) got the lock of an open store"
    );
    drop(store);
    assert!(try_lock().success());
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("fleet.sqlite");
    Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE other (x)")
        .unwrap();
    let refused = Sqlite::open(root.path(), JOURNAL).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");

    std::fs::write(
        &file,
        "not a database, and long enough to be told from an empty one",
    )
    .unwrap();
    let refused = Sqlite::open(root.path(), JOURNAL).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");
}

#[test]
fn a_later_format_is_refused() {
    let root = tempfile::tempdir().unwrap();
    drop(filled(root.path()));
    let file = root.path().join("fleet.sqlite");
    Connection::open(&file)
        .unwrap()
        .execute_batch("PRAGMA user_version = 2")
        .unwrap();
    let refused = Sqlite::open(root.path(), JOURNAL).unwrap_err();
    assert!(
        matches!(
            refused,
            OpenError::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn a_journal_cut_short_is_not_continued() {
    let root = tempfile::tempdir().unwrap();
    drop(filled(root.path()));
    let file = root.path().join("fleet.sqlite");
    let delete = "DELETE FROM journal WHERE sequence = 20";
    Connection::open(&file)
        .unwrap()
        .execute_batch(delete)
        .unwrap();
    let refused = Sqlite::open(root.path(), JOURNAL).unwrap_err();
    assert!(
        matches!(&refused, OpenError::HeadMismatch { expected, found, .. }
            if (expected.version, found.version) == (20, 19)),
        "{refused}"
    );
}

#[test]
fn a_malformed_record_is_named_by_sequence_number_and_field() {
    let root = tempfile::tempdir().unwrap();
    let store = filled(root.path());
    let other = Connection::open(root.path().join("fleet.sqlite")).unwrap();
    let edit = |sql: &str| {
        other.execute_batch(sql).unwrap();
        store.read(1, usize::MAX).unwrap_err().to_string()
    };
    let error = edit(
        "UPDATE journal SET payload = replace(payload, '\"pin\":111115', '\"pin\":\"no\"')
         WHERE kind = 'der_enrolled'",
    );
    assert!(
        error.starts_with("journal entry 3: field pin: invalid type: string"),
        "{error}"
    );
    let error = edit("UPDATE journal SET version = 2 WHERE sequence = 2");
    assert_eq!(
        error,
        "journal entry 2: kind \"program_created\" of version 2 is unknown to this release"
    );
    let error = edit("UPDATE journal SET actor = 'nobody' WHERE sequence = 1");
    assert!(
        error.starts_with("journal entry 1: field actor: is none of"),
        "{error}"
    );
    let error = edit("UPDATE journal SET hash = x'00' WHERE sequence = 1");
    assert_eq!(error, "journal entry 1: field hash: is not 32 bytes");
    let error = edit("UPDATE journal SET payload = CAST(x'ff' AS TEXT) WHERE sequence = 1");
    assert!(
        error.starts_with("journal entry 1: field payload: "),
        "{error}"
    );
    let error = store::fold(&store).unwrap_err().to_string();
    assert!(error.starts_with("journal entry 1"), "{error}");
}

/// The database refuses in the middle of a commit, after the journal's rows were written.
#[test]
fn a_commit_the_database_refuses_leaves_no_trace() {
    let root = tempfile::tempdir().unwrap();
    let mut store = filled(root.path());
    let head = store.head();
    let other = Connection::open(root.path().join("fleet.sqlite")).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON document
             BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        )
        .unwrap();
    let mut batch = sample::batch(head.version, &sample::events()[..1]);
    batch.documents.push(DocumentChange::Put(Document {
        key: DocumentKey {
            listener: "a".into(),
            owner: "b".into(),
            path: "c".into(),
        },
        version: 1,
        body: Vec::new(),
    }));
    let refused = store.commit(&batch).unwrap_err();
    assert!(matches!(refused, CommitError::Storage(_)), "{refused}");
    assert_eq!(store.head(), head);
    assert_eq!(
        store.read(1, usize::MAX).unwrap().len() as u64,
        head.version
    );
    other.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(store.commit(&batch).unwrap(), head.version + 1);
    assert!(
        store::audit::verify(root.path(), &[head])
            .unwrap()
            .is_intact()
    );
}

#[test]
fn accounts_have_a_limit() {
    let root = tempfile::tempdir().unwrap();
    let mut store = filled(root.path());
    let other = Connection::open(root.path().join("fleet.sqlite")).unwrap();
    let fill = "WITH RECURSIVE number(n) AS (SELECT 2 UNION SELECT n + 1 FROM number WHERE n < ?1)
                INSERT INTO account (name, password_hash, created_ms)
                SELECT 'user ' || n, '', 0 FROM number";
    other
        .execute(fill, [i64::try_from(MAX_ACCOUNTS).unwrap()])
        .unwrap();
    let mut memory = Memory::new(JOURNAL);
    for number in 2..=MAX_ACCOUNTS {
        memory
            .create_account(&format!("user {number}"), "", sample::NOW)
            .unwrap();
    }
    let stores: [&mut dyn Store; 2] = [&mut store, &mut memory];
    for store in stores {
        store
            .create_account("the last one", "", sample::NOW)
            .unwrap();
        let refused = store
            .create_account("one more", "", sample::NOW)
            .unwrap_err();
        assert_eq!(refused.to_string(), "accounts: at most 1000 are allowed");
    }
}
