//! One writer among many: the lease, its token, and a holder that was paused.

use std::time::Duration;

use fleet::{ControlId, DeliveryEntry, DeliveryState, DerId, Evidence};
use store::{
    Address, Asked, CommitError, Document, DocumentChange, DocumentKey, Lease, Postgres, Store,
    Term,
};

use crate::cluster::{Cluster, connect};
use crate::sample::{self, JOURNAL};

pub(crate) const LONG: Duration = Duration::from_secs(60);
const OVER: Duration = Duration::from_millis(1);

/// An open store that may write.
pub(crate) fn leading(url: &str) -> Postgres {
    let address = Address::new(url, None).unwrap();
    let mut store = Postgres::open(&address, JOURNAL).unwrap();
    let term = given(&mut Lease::new(address, "test".to_owned()), LONG);
    store.lead(&term).unwrap();
    store
}

pub(crate) fn given(lease: &mut Lease, duration: Duration) -> Term {
    match lease.acquire(duration).unwrap() {
        Asked::Given(term) => term,
        Asked::Held(standing) => panic!("held: {standing:?}"),
    }
}

pub(crate) struct Node {
    pub(crate) store: Postgres,
    pub(crate) lease: Lease,
}

pub(crate) fn nodes() -> (String, Node, Node) {
    let url = Cluster::shared().database();
    let node = |name: &str| {
        let address = Address::new(&url, None).unwrap();
        Node {
            store: Postgres::open(&address, JOURNAL).unwrap(),
            lease: Lease::new(address, name.to_owned()),
        }
    };
    let (a, b) = (node("a"), node("b"));
    (url, a, b)
}

fn pause(duration: Duration) {
    std::thread::park_timeout(duration);
}

#[test]
fn nobody_writes_without_the_lease() {
    let (_, mut a, _) = nodes();
    let refused = a.store.commit(&sample::batch(0, &sample::events()));
    assert!(
        matches!(refused, Err(CommitError::Fenced { own: 0, current: 0 })),
        "{refused:?}"
    );
    assert_eq!(a.store.read(1, 10).unwrap(), []);
}

#[test]
fn one_holds_it_until_it_ends_or_is_given_back() {
    let (_, mut a, mut b) = nodes();
    let first = given(&mut a.lease, LONG);
    assert_eq!(first.token, 1);
    let Asked::Held(standing) = b.lease.acquire(LONG).unwrap() else {
        panic!("two hold it")
    };
    assert_eq!((standing.holder.as_str(), standing.token), ("a", 1));
    assert!(standing.left.unwrap() <= LONG);
    assert!(a.lease.renew(first, OVER).unwrap());
    pause(Duration::from_millis(20));
    assert_eq!(a.lease.look().unwrap().left, None);
    assert!(
        a.lease.renew(first, LONG).unwrap(),
        "nobody took it meanwhile"
    );
    a.lease.release(first).unwrap();
    let second = given(&mut b.lease, LONG);
    assert_eq!(second.token, 2);
    assert!(!a.lease.renew(first, LONG).unwrap());
    a.lease.release(first).unwrap();
    assert_eq!(b.lease.look().unwrap().holder, "b");
    assert!(b.lease.look().unwrap().left.is_some());
}

#[test]
fn a_holder_whose_lease_went_to_another_can_not_write() {
    let (_, mut a, mut b) = nodes();
    let term = given(&mut a.lease, OVER);
    a.store.lead(&term).unwrap();
    let events = sample::events();
    assert_eq!(a.store.commit(&sample::batch(0, &events[..3])).unwrap(), 3);
    pause(Duration::from_millis(20));
    let term = given(&mut b.lease, LONG);
    assert_eq!(b.store.lead(&term).unwrap().version, 3);
    // The session of `a` was ended; over a fresh one its old token is refused.
    let refused = a.store.commit(&sample::batch(3, &events[3..]));
    assert!(
        matches!(refused, Err(CommitError::Storage(_))),
        "{refused:?}"
    );
    let mut again = Postgres::open(a.store.address(), JOURNAL).unwrap();
    again.lead(&Term { token: 1 }).unwrap();
    let refused = again.commit(&sample::batch(3, &events[3..]));
    assert!(
        matches!(refused, Err(CommitError::Fenced { own: 1, current: 2 })),
        "{refused:?}"
    );
    assert_eq!(b.store.commit(&sample::batch(3, &events[3..])).unwrap(), 20);
    assert!(
        store::audit::verify_store(&b.store, &[b.store.head()])
            .unwrap()
            .is_intact()
    );
}

/// The old leader stops between its rows and its COMMIT, with every lock in its hands.
#[test]
fn a_holder_that_is_paused_within_a_commit_holds_up_nobody() {
    let (url, mut a, mut b) = nodes();
    let term = given(&mut a.lease, OVER);
    let mut paused = connect(&url);
    paused
        .batch_execute(&format!(
            "SET application_name = 'wattfold writer {}'; SET search_path = wattfold;
             BEGIN; SELECT FROM head FOR UPDATE;
             INSERT INTO journal VALUES (1, 0, 'system', 'fleet_founded', 1, '{{}}', decode(
                 repeat('00', 32), 'hex'))",
            term.token
        ))
        .unwrap();
    pause(Duration::from_millis(20));
    let term = given(&mut b.lease, LONG);
    b.store.lead(&term).unwrap();
    let events = sample::events();
    assert_eq!(b.store.commit(&sample::batch(0, &events)).unwrap(), 20);
    assert!(paused.batch_execute("COMMIT").is_err());
    assert_eq!(a.store.refresh().unwrap(), b.store.head());
    assert!(
        store::audit::verify_store(&a.store, &[b.store.head()])
            .unwrap()
            .is_intact()
    );
}

#[test]
fn whoever_reads_finds_what_another_has_written() {
    let (_, mut a, mut b) = nodes();
    let term = given(&mut a.lease, LONG);
    a.store.lead(&term).unwrap();
    let mut batch = sample::batch(0, &sample::events());
    batch.deliveries.push(DeliveryEntry {
        control: ControlId(0),
        der: DerId(0),
        state: DeliveryState::Sent,
        at: sample::NOW,
        evidence: Evidence::Served,
    });
    let key = DocumentKey {
        listener: "a".into(),
        owner: "b".into(),
        path: "c".into(),
    };
    let body = vec![0, 255];
    batch.documents.push(DocumentChange::Put(Document {
        key,
        version: 1,
        body,
    }));
    a.store.commit(&batch).unwrap();
    assert_eq!(b.store.head().version, 0);
    assert_eq!(b.store.refresh().unwrap(), a.store.head());
    assert_eq!(
        store::fold(&b.store).unwrap(),
        store::fold(&a.store).unwrap()
    );
    assert_eq!(b.store.deliveries(0, 9).unwrap(), batch.deliveries);
    assert_eq!(b.store.documents().unwrap().len(), 1);
}
