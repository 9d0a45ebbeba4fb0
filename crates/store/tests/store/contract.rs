//! One suite for every implementation. A further one joins with a function that opens an empty
//! store.

use std::ops::ControlFlow;
use std::time::Duration;

use fleet::{
    ControlId, DeliveryEntry, DeliveryState, DerId, Event, Evidence, Fleet, Group, GroupId, Ledger,
};
use store::{
    Account, AccountId, Batch, CommitError, Document, DocumentChange, DocumentKey, Memory, Sqlite,
    Store,
};
use units::{Timestamp, Watts};

use crate::cluster::Cluster;
use crate::lease::leading;
use crate::sample::{self, JOURNAL, NOW};

type Open<'a> = &'a dyn Fn() -> Box<dyn Store>;

const CASES: [fn(Open<'_>); 12] = [
    what_was_committed_is_read_back,
    a_wrong_version_is_a_conflict_and_leaves_no_trace,
    a_batch_that_fails_halfway_leaves_no_trace,
    an_entry_is_read_from_where_it_was_asked_for,
    a_scan_ends_when_the_visitor_has_seen_enough,
    folding_gives_the_live_fleet,
    the_ledger_has_each_step_in_order,
    a_step_of_an_unknown_control_is_named,
    documents_are_replaced_and_erased,
    accounts_are_unique_and_their_ids_are_not_given_twice,
    secrets_are_replaced,
    limits_are_named,
];

fn contract(open: impl Fn() -> Box<dyn Store>) {
    for case in CASES {
        case(&open);
    }
}

#[test]
fn memory_keeps_the_contract() {
    contract(|| Box::new(Memory::new(JOURNAL)));
}

#[test]
fn sqlite_keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    let next = std::cell::Cell::new(0);
    contract(|| {
        next.set(next.get() + 1);
        let directory = root.path().join(next.get().to_string());
        Box::new(Sqlite::open(&directory, JOURNAL).unwrap())
    });
}

#[test]
fn postgresql_keeps_the_contract() {
    contract(|| Box::new(leading(&Cluster::shared().database())));
}

fn what_was_committed_is_read_back(open: Open<'_>) {
    let mut store = open();
    assert_eq!((store.journal(), store.head().version), (JOURNAL, 0));
    let entries = sample::entries(&sample::events());
    let (first, second) = entries.split_at(5);
    let batch = |expected_version, entries: &[store::Entry]| Batch {
        expected_version,
        entries: entries.to_vec(),
        ..Batch::default()
    };
    assert_eq!(store.commit(&batch(0, first)).unwrap(), 5);
    assert_eq!(
        store.commit(&batch(5, second)).unwrap(),
        entries.len() as u64
    );
    assert_eq!(store.head().version, entries.len() as u64);
    let read = store.read(1, usize::MAX).unwrap();
    assert!(
        read.iter()
            .map(|stored| stored.sequence)
            .eq(1..=entries.len() as u64)
    );
    assert!(read.into_iter().map(|stored| stored.entry).eq(entries));
}

fn a_wrong_version_is_a_conflict_and_leaves_no_trace(open: Open<'_>) {
    let mut store = open();
    store
        .commit(&sample::batch(0, &sample::events()[..3]))
        .unwrap();
    let head = store.head();
    for expected_version in [0, 2, 4, u64::MAX] {
        let mut batch = sample::batch(expected_version, &sample::events()[..1]);
        batch
            .documents
            .push(DocumentChange::Put(document("a", b"1")));
        let refused = store.commit(&batch).unwrap_err();
        let expected = expected_version;
        assert!(
            matches!(refused, CommitError::Conflict { expected: e, found: 3 } if e == expected)
        );
    }
    assert_eq!(store.head(), head);
    assert_eq!(store.read(1, usize::MAX).unwrap().len(), 3);
    assert!(store.documents().unwrap().is_empty());
}

/// The last entry can't be stored, since its interval is not a number of milliseconds.
fn a_batch_that_fails_halfway_leaves_no_trace(open: Open<'_>) {
    let mut store = open();
    let mut events = sample::events();
    let Some(Event::ControlIssued(mut control)) = events
        .iter()
        .find(|event| matches!(event, Event::ControlIssued(_)))
        .cloned()
    else {
        panic!("the history has a control")
    };
    control.interval.duration = Duration::from_nanos(1);
    events.push(Event::ControlIssued(control));
    let mut batch = sample::batch(0, &events);
    batch
        .documents
        .push(DocumentChange::Put(document("a", b"1")));
    let refused = store.commit(&batch).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "duration of control_issued can't be stored: it is not a number of whole milliseconds"
    );
    assert_eq!(store.head().version, 0);
    assert!(store.read(1, usize::MAX).unwrap().is_empty());
    assert!(store.documents().unwrap().is_empty());
    assert_eq!(
        store.commit(&sample::batch(0, &sample::events())).unwrap(),
        20
    );
}

fn an_entry_is_read_from_where_it_was_asked_for(open: Open<'_>) {
    let mut store = open();
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    let read = |from, limit| -> Vec<u64> {
        store
            .read(from, limit)
            .unwrap()
            .iter()
            .map(|stored| stored.sequence)
            .collect()
    };
    assert_eq!(read(0, 2), [1, 2]);
    assert_eq!(read(1, 2), [1, 2]);
    assert_eq!(read(7, 3), [7, 8, 9]);
    assert_eq!(read(20, 3), [20]);
    assert!(read(21, 3).is_empty());
    assert!(read(u64::MAX, 3).is_empty());
    assert!(read(1, 0).is_empty());
}

fn a_scan_ends_when_the_visitor_has_seen_enough(open: Open<'_>) {
    let mut store = open();
    store.commit(&sample::batch(0, &sample::events())).unwrap();
    let mut seen = Vec::new();
    let visit: &mut store::Visit<'_> = &mut |entry| {
        seen.push(entry.sequence);
        if seen.len() < 2 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    store.scan(4, usize::MAX, visit).unwrap();
    assert_eq!(seen, [4, 5]);
}

fn folding_gives_the_live_fleet(open: Open<'_>) {
    let mut store = open();
    let mut live = Fleet::default();
    let events = sample::decide(&mut live, &sample::commands(), NOW);
    store.commit(&sample::batch(0, &events)).unwrap();
    let (folded, head) = store::fold(store.as_ref()).unwrap();
    assert_eq!(folded, live);
    assert_eq!(head, store.head());
    assert!(
        store::audit::verify_store(store.as_ref(), &[head])
            .unwrap()
            .is_intact()
    );
}

fn the_ledger_has_each_step_in_order(open: Open<'_>) {
    let mut store = open();
    let steps = steps();
    let mut batch = sample::batch(0, &sample::events());
    batch.deliveries = steps[..3].to_vec();
    let version = store.commit(&batch).unwrap();
    let later = Batch {
        expected_version: version,
        deliveries: steps[3..].to_vec(),
        ..Batch::default()
    };
    assert_eq!(
        store.commit(&later).unwrap(),
        version,
        "steps do not move the journal"
    );
    assert_eq!(store.deliveries(0, 100).unwrap(), steps);
    assert_eq!(store.deliveries(2, 2).unwrap(), steps[2..4]);
    assert!(store.deliveries(u64::MAX, 2).unwrap().is_empty());

    let (fleet, _) = store::fold(store.as_ref()).unwrap();
    let ledger = store::ledger(store.as_ref(), &fleet).unwrap();
    let mut expected = Ledger::default();
    for control in fleet.controls() {
        expected.begin(control);
    }
    for step in steps
        .iter()
        .filter(|step| step.evidence != Evidence::Journal)
    {
        let created = fleet.control(step.control).unwrap().created;
        assert!(expected.push(*step, created));
    }
    assert_eq!(ledger, expected);
}

fn a_step_of_an_unknown_control_is_named(open: Open<'_>) {
    let mut store = open();
    let mut batch = sample::batch(0, &sample::events());
    batch.deliveries = steps();
    batch.deliveries[1].control = ControlId(4_000);
    store.commit(&batch).unwrap();
    let (fleet, _) = store::fold(store.as_ref()).unwrap();
    let error = store::ledger(store.as_ref(), &fleet).unwrap_err();
    assert_eq!(
        error.to_string(),
        "delivery step 2: field control: is not one of this DER"
    );
}

fn documents_are_replaced_and_erased(open: Open<'_>) {
    let mut store = open();
    let mut change = |changes: &[DocumentChange]| {
        let batch = Batch {
            documents: changes.to_vec(),
            ..Batch::default()
        };
        store.commit(&batch).unwrap();
        store.documents().unwrap()
    };
    let put = |path: &str, body: &[u8]| DocumentChange::Put(document(path, body));
    assert_eq!(
        change(&[put("b", b"1"), put("a", b"2")]),
        [document("a", b"2"), document("b", b"1")]
    );
    assert_eq!(
        change(&[put("b", b"")]),
        [document("a", b"2"), document("b", b"")]
    );
    let erase = |path: &str| DocumentChange::Delete(document(path, b"").key);
    assert_eq!(change(&[erase("a"), erase("absent")]), [document("b", b"")]);
    assert_eq!(
        store.document(&document("b", b"").key).unwrap(),
        Some(document("b", b""))
    );
    assert_eq!(store.document(&document("a", b"").key).unwrap(), None);
}

fn accounts_are_unique_and_their_ids_are_not_given_twice(open: Open<'_>) {
    let mut store = open();
    let first = store.create_account("admin", "$argon2id$1", NOW).unwrap();
    let second = store.create_account("Zoë", "$argon2id$2", NOW).unwrap();
    assert!(matches!(
        store.create_account("admin", "x", NOW),
        Err(CommitError::AccountExists(name)) if name == "admin"
    ));
    store.set_password(first, "$argon2id$3").unwrap();
    store.delete_account(second).unwrap();
    assert!(matches!(
        store.delete_account(second),
        Err(CommitError::NoAccount(_))
    ));
    assert!(matches!(
        store.set_password(second, "x"),
        Err(CommitError::NoAccount(_))
    ));
    let third = store.create_account("Zoë", "$argon2id$4", NOW).unwrap();
    assert!(third > second);
    let account = |id: AccountId, name: &str, hash: &str| Account {
        id,
        name: name.to_owned(),
        password_hash: hash.to_owned(),
        created: NOW,
    };
    let expected = [
        account(first, "admin", "$argon2id$3"),
        account(third, "Zoë", "$argon2id$4"),
    ];
    assert_eq!(store.accounts().unwrap(), expected);
}

fn secrets_are_replaced(open: Open<'_>) {
    let mut store = open();
    assert_eq!(store.secret("session-key").unwrap(), None);
    store.set_secret("session-key", &[1, 2, 3]).unwrap();
    store.set_secret("session-key", &[4]).unwrap();
    assert_eq!(store.secret("session-key").unwrap(), Some(vec![4]));
}

fn limits_are_named(open: Open<'_>) {
    let mut store = open();
    let refused = |result: Result<u64, CommitError>, what: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with(what), "{error}");
    };
    let mut long = document("a", b"");
    long.body = vec![0; store::MAX_DOCUMENT_BYTES];
    let mut batch = Batch {
        documents: vec![DocumentChange::Put(long)],
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
    let DocumentChange::Put(document) = &mut batch.documents[0] else {
        panic!("it is a put")
    };
    document.body.push(0);
    refused(store.commit(&batch), "document in bytes: at most 1048576");
    document_key_limit(store.as_mut());

    let steps = vec![steps()[0]; store::MAX_BATCH + 1];
    let batch = Batch {
        deliveries: steps,
        ..Batch::default()
    };
    refused(
        store.commit(&batch),
        "delivery steps of one batch: at most 1000000",
    );

    let text = "x".repeat(store::MAX_KEY_BYTES + 1);
    refused(
        store.create_account(&text, "", NOW).map(|_| 0),
        "account name",
    );
    refused(
        store.create_account("a", &text, NOW).map(|_| 0),
        "password hash",
    );
    refused(store.set_secret(&text, b"").map(|()| 0), "name of a secret");
    let secret = vec![0; store::MAX_SECRET_BYTES + 1];
    refused(
        store.set_secret("a", &secret).map(|()| 0),
        "secret in bytes",
    );
    assert_eq!(store.head().version, 0);
}

fn document_key_limit(store: &mut dyn Store) {
    for part in 0..3 {
        let mut key = document("a", b"").key;
        let parts = [&mut key.listener, &mut key.owner, &mut key.path];
        *parts.into_iter().nth(part).unwrap() = "x".repeat(store::MAX_KEY_BYTES + 1);
        let batch = Batch {
            documents: vec![DocumentChange::Delete(key)],
            ..Batch::default()
        };
        let error = store.commit(&batch).unwrap_err().to_string();
        assert!(error.starts_with("document key in bytes"), "{error}");
    }
}

/// A group so large that its record is longer than a payload may be.
#[test]
fn a_payload_has_a_limit() {
    let members = vec![DerId(u32::MAX); store::MAX_PAYLOAD_BYTES / 11 + 1];
    let template = sample::events().into_iter().find_map(|event| match event {
        Event::GroupCreated(group) => Some(group),
        _ => None,
    });
    let group = Group {
        id: GroupId(0),
        members,
        ..template.unwrap()
    };
    let mut store = Memory::new(JOURNAL);
    let refused = store
        .commit(&sample::batch(0, &[Event::GroupCreated(group)]))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "payload in bytes: at most 268435456 are allowed"
    );
}

fn document(path: &str, body: &[u8]) -> Document {
    let key = DocumentKey {
        listener: "mirror".into(),
        owner: "LFDI".into(),
        path: path.into(),
    };
    Document {
        key,
        version: 2,
        body: body.to_vec(),
    }
}

fn steps() -> Vec<DeliveryEntry> {
    let step = |control, state, evidence| DeliveryEntry {
        control: ControlId(control),
        der: DerId(0),
        state,
        at: Timestamp::from_millis(NOW.millis() + 1),
        evidence,
    };
    let measured = Evidence::Measured {
        asked: Watts::whole(-5),
        metered: Watts::from_micro(3),
    };
    vec![
        step(0, DeliveryState::Planned, Evidence::Journal),
        step(0, DeliveryState::Sent, Evidence::Served),
        step(1, DeliveryState::Sent, Evidence::Served),
        step(0, DeliveryState::Received, Evidence::Response(1)),
        step(0, DeliveryState::Silent, Evidence::LastHeard(NOW)),
        step(1, DeliveryState::Following, measured),
        step(1, DeliveryState::Overridden, Evidence::Response(4)),
        step(2, DeliveryState::Rejected, Evidence::Response(253)),
        step(0, DeliveryState::Started, Evidence::Response(2)),
        step(0, DeliveryState::Completed, Evidence::Response(3)),
    ]
}
