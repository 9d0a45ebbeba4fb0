//! A database: reopened, foreign, of a later release, careless, reached by TLS; and no password
//! in any message.

use std::error::Error;
use std::process::Command;

use store::{Address, AddressError, OpenError, Postgres, StorageError, Store};

use crate::cluster::{Cluster, PASSWORD, connect};
use crate::lease::leading;
use crate::sample::{self, JOURNAL};

fn open(url: &str) -> Result<Postgres, OpenError> {
    Postgres::open(&address(url), JOURNAL)
}

fn address(url: &str) -> Address {
    Address::new(url, None).unwrap()
}

/// An error with everything below it.
fn chain(error: &dyn Error) -> String {
    let own = format!("{error} {error:?}");
    match error.source() {
        Some(cause) => own + ": " + &chain(cause),
        None => own,
    }
}

#[test]
fn everything_is_there_after_reopening() {
    let url = Cluster::shared().database();
    let mut store = leading(&url);
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    let account = store
        .create_account("admin", "$argon2id$", sample::NOW)
        .unwrap();
    store.set_secret("key", b"1").unwrap();
    let (head, fleet) = (store.head(), store::fold(&store).unwrap());
    drop(store);
    let other = Address::new(&url, None).unwrap();
    let store = Postgres::open(&other, store::JournalId(1)).unwrap();
    assert_eq!(
        store.journal(),
        JOURNAL,
        "a journal keeps the identity it began with"
    );
    assert_eq!(store.head(), head);
    assert_eq!(store::fold(&store).unwrap(), fleet);
    assert_eq!(store.accounts().unwrap()[0].id, account);
    assert_eq!(store.secret("key").unwrap().as_deref(), Some(&b"1"[..]));
}

#[test]
fn nodes_that_open_an_empty_database_together_begin_one_journal() {
    let url = Cluster::shared().database();
    let begin = |number| {
        let address = Address::new(&url, None).unwrap();
        let store = Postgres::open(&address, store::JournalId(number)).unwrap();
        store.journal()
    };
    let begin = &begin;
    let journals = std::thread::scope(|scope| {
        let begun = [1, 2, 3, 4].map(|number| scope.spawn(move || begin(number)));
        begun.map(|node| node.join().unwrap())
    });
    assert!(journals.iter().all(|journal| *journal == journals[0]));
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let url = Cluster::shared().database();
    connect(&url)
        .batch_execute("CREATE SCHEMA wattfold; CREATE TABLE wattfold.other (x integer)")
        .unwrap();
    let refused = open(&url).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'wattfold'::regnamespace";
    assert_eq!(connect(&url).query(tables, &[]).unwrap().len(), 1);
}

#[test]
fn a_later_format_is_refused() {
    let url = Cluster::shared().database();
    drop(open(&url).unwrap());
    let later = "UPDATE wattfold.format SET format = format + 1";
    connect(&url).batch_execute(later).unwrap();
    let refused = open(&url).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Newer { found, known, .. } if *found == known + 1),
        "{refused}"
    );
}

/// A database as the release of format 1 left it, by `pg_dump`.
#[test]
fn a_database_of_format_1_is_brought_to_this_release() {
    let url = Cluster::shared().database();
    let dump = include_str!("../../../../testdata/store/postgresql_1.sql");
    connect(&url).batch_execute(dump).unwrap();
    let store = open(&url).unwrap();
    assert_eq!(
        store.head().to_string(),
        "20:b8ca1fc2d809fa9d0e4da744c95e9817c88f25ebceb8317f99b9620d1993829f"
    );
    let (fleet, head) = store::fold(&store).unwrap();
    assert_eq!((fleet.ders().len(), head), (2, store.head()));
    assert_eq!(store.deliveries(0, 9).unwrap().len(), 1);
    assert_eq!(store.documents().unwrap()[0].body, [0, 255]);
    assert_eq!(store.accounts().unwrap()[0].name, "admin");
    assert_eq!(store.secret("key").unwrap().as_deref(), Some(&b"1"[..]));
    let mut store = leading(&url);
    let more = store::Batch {
        expected_version: 20,
        ..sample::batch(0, &sample::events()[..1])
    };
    assert_eq!(store.commit(&more).unwrap(), 21);
    drop(store);
    assert_eq!(
        open(&url).unwrap().head().version,
        21,
        "and opened once more"
    );
}

#[test]
fn a_journal_cut_short_is_not_continued() {
    let url = Cluster::shared().database();
    let mut store = leading(&url);
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    connect(&url)
        .batch_execute("DELETE FROM wattfold.journal WHERE sequence = 20")
        .unwrap();
    let refused = open(&url).unwrap_err();
    assert!(
        matches!(&refused, OpenError::HeadMismatch { expected, found, .. }
            if (expected.version, found.version) == (20, 19)),
        "{refused}"
    );
}

/// What is edited behind the store's back is found by the audit, on this medium too.
#[test]
fn an_edited_entry_is_found() {
    let url = Cluster::shared().database();
    let mut store = leading(&url);
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    connect(&url)
        .batch_execute("UPDATE wattfold.journal SET at_ms = at_ms + 1 WHERE sequence = 7")
        .unwrap();
    let report = store::audit::verify_store(&store, &[]).unwrap();
    assert!(
        report.to_string().contains("entry 7: its content"),
        "{report}"
    );
}

#[test]
fn a_server_that_may_lose_a_commit_is_refused() {
    for off in ["fsync", "full_page_writes"] {
        let cluster = Cluster::start(&format!("-c listen_addresses= -c {off}=off"), &[]);
        let refused = open(&cluster.url("postgres")).unwrap_err();
        assert!(
            matches!(refused, OpenError::Unsafe { setting, .. } if setting == off),
            "{refused}"
        );
    }
}

/// The server's own setting gives way to ours, session by session.
#[test]
fn commits_are_synchronous_whatever_the_default_is() {
    let cluster = Cluster::start("-c listen_addresses= -c synchronous_commit=off", &[]);
    open(&cluster.url("postgres")).unwrap();
}

#[test]
fn an_address_never_shows_its_password() {
    let secret = "hunter2";
    let url = format!("postgres://joe:{secret}@127.0.0.1:1/fleet?connect_timeout=1");
    let address = Address::new(&url, None).unwrap();
    assert_eq!(address.to_string(), "postgres://joe@127.0.0.1:1/fleet");
    let refused = Postgres::open(&address, JOURNAL).unwrap_err();
    let said = format!("{address:?} {}", chain(&refused));
    assert!(
        said.contains("127.0.0.1:1") && !said.contains(secret),
        "{said}"
    );
    for wrong in [
        format!("postgres://joe:{secret}@127.0.0.1:port/fleet"),
        format!("postgres://joe:{secret}@127.0.0.1/fleet?{secret}=1"),
        format!("mysql://joe:{secret}@127.0.0.1/fleet"),
        format!("postgres://joe:{secret}"),
    ] {
        if let Err(refused) = Address::new(&wrong, None) {
            let said = chain(&refused);
            assert!(!said.contains(&format!(":{secret}@")), "{said}");
        }
    }
}

#[test]
fn tls_is_not_asked_for_without_a_ca() {
    let refused = Address::new("postgres://joe@db/fleet?sslmode=require", None).unwrap_err();
    assert!(matches!(refused, AddressError::NoCa), "{refused}");
    let missing = std::path::Path::new("/nonexistent/ca.pem");
    let refused = Address::new("postgres://joe@db/fleet", Some(missing)).unwrap_err();
    assert!(
        refused.to_string().contains("/nonexistent/ca.pem"),
        "{refused}"
    );
}

fn openssl(directory: &std::path::Path, arguments: &str) {
    let made = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

#[test]
fn tls_verifies_the_servers_name_and_chain() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path();
    let ca = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=";
    openssl(directory, &format!("{ca}ours -keyout ca.key -out ca.pem"));
    openssl(
        directory,
        &format!("{ca}theirs -keyout other.key -out other.pem"),
    );
    openssl(
        directory,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost -keyout server.key -out server.csr",
    );
    openssl(
        directory,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -copy_extensions copy \
         -out server.crt",
    );
    let (key, certificate) = (directory.join("server.key"), directory.join("server.crt"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let _cluster = Cluster::start(
        &format!(
            "-c listen_addresses=localhost -c port={port} -c ssl=on \
             -c ssl_cert_file=../server.crt -c ssl_key_file=../server.key"
        ),
        &[("server.crt", &certificate), ("server.key", &key)],
    );
    let open = |host: &str, ca: &str, password: &str| {
        let url = format!("postgres://wattfold:{password}@{host}:{port}/postgres");
        let address = Address::new(&url, Some(&directory.join(ca))).unwrap();
        Postgres::open(&address, JOURNAL)
    };
    assert_eq!(
        open("localhost", "ca.pem", PASSWORD)
            .unwrap()
            .head()
            .version,
        0
    );
    let refused = |opened: Result<Postgres, OpenError>| match opened.unwrap_err() {
        OpenError::Storage {
            source: StorageError::Postgres(source),
            ..
        } => chain(&source),
        other => panic!("{other}"),
    };
    let said = refused(open("localhost", "other.pem", PASSWORD));
    assert!(said.contains("UnknownIssuer"), "{said}");
    let said = refused(open("127.0.0.1", "ca.pem", PASSWORD));
    assert!(said.contains("NotValidForName"), "{said}");
    let said = refused(open("localhost", "ca.pem", "wrong-one"));
    assert!(said.contains("password authentication failed"), "{said}");
    assert!(!said.contains("wrong-one"), "{said}");
}
