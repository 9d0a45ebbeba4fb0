//! A backup, and what is restored or copied, is there as a whole or not at all.

use std::path::{Path, PathBuf};

use postgres::{Client, NoTls};
use store::backup::{BackupError, ImportError, PersonKeys};
use store::telemetry::Sample;
use store::{Address, JournalId, OpenError, Postgres, Sqlite, Store as _, Telemetry, backup};

use crate::cluster::Cluster;
use crate::sample::{self, JOURNAL};

const SAMPLES: usize = 1_000;

/// A fleet with readings in `directory`.
fn fill(directory: &Path) {
    let mut store = Sqlite::open(directory, JOURNAL).unwrap();
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    let mut telemetry = Telemetry::open(directory).unwrap();
    let at = |second: i64| Sample {
        der: fleet::DerId(1),
        quantity: store::telemetry::Quantity::P,
        at: units::Timestamp::from_secs(second),
        value: 1.0,
        quality: fleet::Quality::Valid,
    };
    let samples: Vec<Sample> = (0..SAMPLES as i64).map(at).collect();
    telemetry.insert(&samples).unwrap();
}

/// What is read after the fleet is none of ours for as long as `under` runs.
fn with_damaged<R>(file: &Path, under: impl FnOnce() -> R) -> R {
    let whole = std::fs::read(file).unwrap();
    std::fs::write(file, [7; 4096]).unwrap();
    let result = under();
    std::fs::write(file, whole).unwrap();
    result
}

fn directories() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let (data, kept) = (root.path().join("data"), root.path().join("kept"));
    fill(&data);
    (root, data, kept)
}

#[test]
fn half_a_backup_is_no_data_directory_and_is_made_anew() {
    let (_root, data, kept) = directories();
    let telemetry = data.join("telemetry.sqlite");
    let broken = with_damaged(&telemetry, || backup::from_directory(&data, &kept));
    assert!(broken.is_err(), "{broken:?}");
    assert!(!kept.join("fleet.sqlite").exists());
    let moved = backup::from_directory(&data, &kept).unwrap();
    assert_eq!(moved.samples, SAMPLES as u64);
    assert!(!kept.join("wattfold-unfinished").exists());
    let again = backup::from_directory(&data, &kept);
    assert!(
        matches!(again, Err(BackupError::Import(ImportError::NotEmpty))),
        "{again:?}"
    );
}

/// SQLite would take it for a part of the file that is put beside it.
#[test]
fn a_log_that_another_fleet_left_is_not_taken_for_this_ones() {
    let (_root, data, kept) = directories();
    std::fs::create_dir(&kept).unwrap();
    let log = kept.join("fleet.sqlite-wal");
    std::fs::write(&log, [0; 32]).unwrap();
    let refused = backup::to_directory(&data, &kept);
    assert!(
        matches!(&refused, Err(BackupError::InTheWay(what)) if what.ends_with("fleet.sqlite-wal")),
        "{refused:?}"
    );
    std::fs::remove_file(log).unwrap();
    assert_eq!(
        backup::to_directory(&data, &kept).unwrap().samples,
        SAMPLES as u64
    );
}

#[test]
fn no_server_starts_on_half_a_fleet_in_a_database_and_it_is_taken_over_anew() {
    let (_root, data, kept) = directories();
    let address = Address::new(&Cluster::shared().database(), None).unwrap();
    let copy = || backup::to_database(&data, &address, PersonKeys::Left);
    // Telemetry arrives; what comes after it is damaged.
    let persons = data.join("persons.sqlite");
    drop(store::Persons::open(&data).unwrap());
    let broken = with_damaged(&persons, copy);
    assert!(broken.is_err(), "{broken:?}");
    for refused in [
        Postgres::open(&address, JOURNAL),
        Postgres::existing(&address),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, OpenError::Unfinished(_)), "{refused}");
    }
    let fewer = data.join("telemetry.sqlite");
    let connection = rusqlite::Connection::open(fewer).unwrap();
    connection
        .execute("DELETE FROM sample WHERE at_ms = 0", [])
        .unwrap();
    drop(connection);
    assert_eq!(copy().unwrap().samples, SAMPLES as u64 - 1, "no stray ones");
    let head = Postgres::open(&address, JOURNAL).unwrap().head();
    assert_eq!(head, Sqlite::open(&data, JOURNAL).unwrap().head());
    let again = copy();
    assert!(
        matches!(again, Err(BackupError::Import(ImportError::NotEmpty))),
        "{again:?}"
    );
    assert_eq!(backup::from_database(&address, &kept).unwrap().head, head);
}

fn store_of(data: &Path) -> Sqlite {
    Sqlite::open(data, JOURNAL).unwrap()
}

#[test]
fn what_did_not_arrive_as_it_was_sent_is_no_fleet() {
    let (_root, data, _kept) = directories();
    let (made, mut fleet) = (units::Timestamp::from_secs(1), store_of(&data));
    fleet.create_account("anna", "hash", made).unwrap();
    fleet.set_secret("session", b"key").unwrap();
    drop(fleet);
    let url = Cluster::shared().database();
    let address = Address::new(&url, None).unwrap();
    drop(Postgres::open(&address, store_of(&data).journal()).unwrap());
    let mut client = Client::connect(&url, NoTls).unwrap();
    let swallow = "CREATE FUNCTION wattfold.swallow() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER swallow BEFORE INSERT ON wattfold.account
            FOR EACH ROW EXECUTE FUNCTION wattfold.swallow()";
    client.batch_execute(swallow).unwrap();
    let copy = || backup::to_database(&data, &address, PersonKeys::Left);
    let found = copy();
    assert!(
        matches!(&found, Err(BackupError::Differs(what)) if what == "accounts"),
        "{found:?}"
    );
    let refused = Postgres::open(&address, JOURNAL).unwrap_err();
    assert!(matches!(refused, OpenError::Unfinished(_)), "{refused}");
    client
        .batch_execute("DROP TRIGGER swallow ON wattfold.account")
        .unwrap();
    let moved = copy().unwrap();
    assert!(0 < moved.accounts);
    let arrived = Postgres::open(&address, JOURNAL).unwrap();
    assert_eq!(arrived.head(), store_of(&data).head());
    assert_eq!(
        arrived.secrets().unwrap(),
        store_of(&data).secrets().unwrap()
    );
}

#[test]
fn a_database_of_an_earlier_format_is_not_backed_up_and_not_changed() {
    let url = Cluster::shared().database();
    let address = Address::new(&url, None).unwrap();
    drop(Postgres::open(&address, JournalId(1)).unwrap());
    let earlier = "UPDATE wattfold.format SET format = format - 1 RETURNING format";
    let mut client = Client::connect(&url, NoTls).unwrap();
    let format: i32 = client.query_one(earlier, &[]).unwrap().get(0);
    let root = tempfile::tempdir().unwrap();
    let kept = root.path().join("kept");
    let refused = backup::from_database(&address, &kept);
    assert!(
        matches!(&refused, Err(BackupError::Open(OpenError::Older { found, .. }))
            if *found == i64::from(format)),
        "{refused:?}"
    );
    let now = client.query_one("SELECT format FROM wattfold.format", &[]);
    assert_eq!(now.unwrap().get::<_, i32>(0), format);
    assert!(!kept.join("fleet.sqlite").exists());
}
