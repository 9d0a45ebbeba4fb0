//! What nodes on one database learn from one another: commits, requests, observations, sessions.

use std::time::Duration;

use fleet::{DerId, Observation, Quality, Reading};
use store::{
    Address, Batch, CommitError, Document, DocumentChange, DocumentKey, Inbox, MAX_REQUESTS,
    Memory, Position, Postgres, ReadError, Reply, Request, Session, Shared, Store, Waiting,
};
use units::{Timestamp, Vars, WattHours, Watts};

use crate::cluster::{Cluster, connect};
use crate::lease::{LONG, given, leading, nodes};
use crate::sample::{self, JOURNAL, NOW};

fn document(path: &str, body: &[u8]) -> Document {
    let key = DocumentKey {
        listener: "a".into(),
        owner: "b".into(),
        path: path.into(),
    };
    Document {
        key,
        version: 1,
        body: body.to_vec(),
    }
}

/// A follower that takes up batch after batch is where the leader is, and where a fold is.
#[test]
fn a_follower_takes_up_what_is_committed() {
    let (_, mut a, mut b) = nodes();
    let term = given(&mut a.lease, LONG);
    a.store.lead(&term).unwrap();
    b.store.listen().unwrap();
    let mut position = b.store.position().unwrap();
    assert_eq!(b.store.since(position).unwrap(), None);
    let mut copy = Memory::new(JOURNAL);
    let events = sample::events();
    let (first, second) = events.split_at(7);
    let mut batches = vec![
        sample::batch(0, first),
        Batch {
            documents: vec![
                DocumentChange::Put(document("x", b"1")),
                DocumentChange::Put(document("y", b"2")),
            ],
            ..sample::batch(7, second)
        },
    ];
    batches.push(Batch {
        expected_version: 20,
        documents: vec![DocumentChange::Delete(document("x", b"").key)],
        ..Batch::default()
    });
    let mut leader = position;
    for batch in &batches {
        a.store.commit(batch).unwrap();
        leader = leader.after(batch, a.store.head());
        b.store.wait(Duration::from_secs(5)).unwrap();
        let (found, until) = b.store.since(position).unwrap().unwrap();
        assert_eq!(&found, batch);
        copy.commit(&found).unwrap();
        position = until;
        assert_eq!(position, leader, "a leader knows where it is by itself");
    }
    assert_eq!(b.store.since(position).unwrap(), None);
    assert_eq!(b.store.head(), a.store.head());
    assert_eq!(store::fold(&copy).unwrap(), store::fold(&a.store).unwrap());
    assert_eq!(copy.documents().unwrap(), a.store.documents().unwrap());

    let ((documents, head), at) = b
        .store
        .consistently(|store| (store.documents().unwrap(), store.head()))
        .unwrap();
    assert_eq!((documents.len(), head, at), (1, a.store.head(), position));
}

#[test]
fn a_follower_does_not_take_up_a_broken_chain() {
    let (url, mut a, mut b) = nodes();
    let term = given(&mut a.lease, LONG);
    a.store.lead(&term).unwrap();
    let position = b.store.position().unwrap();
    a.store
        .commit(&sample::batch(0, &sample::events()))
        .unwrap();
    connect(&url)
        .batch_execute("UPDATE wattfold.journal SET actor = 'system' WHERE sequence = 3")
        .unwrap();
    let refused = b.store.since(position);
    assert!(
        matches!(refused, Err(ReadError::Chain { sequence: 3 })),
        "{refused:?}"
    );
}

fn inbox(url: &str, node: &str) -> Inbox {
    Inbox::new(Address::new(url, None).unwrap(), node.to_owned())
}

fn request(id: u128) -> Request {
    Request {
        id,
        head: format!("{{\"number\":{id}}}"),
        body: vec![0, 1, 255],
    }
}

fn reply(id: u128, change: u64) -> Reply {
    Reply {
        id,
        head: "201".into(),
        body: b"done".to_vec(),
        change,
    }
}

fn deciding(store: &Postgres, decided: &[u128]) -> Batch {
    Batch {
        decided: decided.to_vec(),
        ..sample::batch(store.head().version, &sample::events()[..1])
    }
}

#[test]
fn a_request_is_decided_once_and_answered_where_it_was_put() {
    let url = Cluster::shared().database();
    let mut store = leading(&url);
    let (mut leader, mut follower, mut other) =
        (inbox(&url, "l"), inbox(&url, "f"), inbox(&url, "o"));
    assert!(follower.put(&request(1)).unwrap());
    assert!(follower.put(&request(1)).unwrap(), "the same once more");
    assert!(other.put(&request(2)).unwrap());
    let open = |id| Waiting::Open(request(id));
    assert_eq!(leader.waiting(9).unwrap(), [open(1), open(2)]);
    assert_eq!(leader.waiting(1).unwrap(), [open(1)]);
    assert_eq!(leader.depth().unwrap(), 2);
    let batch = deciding(&store, &[1]);
    store.commit(&batch).unwrap();
    let change = store.position().unwrap().change;
    let version = store.head().version;
    let again = deciding(&store, &[1]);
    assert!(matches!(store.commit(&again), Err(CommitError::Withdrawn)));
    assert_eq!(
        store.refresh().unwrap().version,
        version,
        "not decided twice"
    );
    assert_eq!(leader.waiting(9).unwrap(), [Waiting::Decided(1), open(2)]);

    assert!(!follower.withdraw(1).unwrap(), "it was decided");
    leader.answer(&reply(1, 0)).unwrap();
    leader
        .answer(&Reply {
            head: "late".into(),
            ..reply(1, 0)
        })
        .unwrap();
    assert_eq!(other.answers().unwrap(), []);
    assert_eq!(follower.answers().unwrap(), [reply(1, change)]);
    follower.remove(&[1]).unwrap();
    assert_eq!(follower.answers().unwrap(), []);
    assert_eq!(leader.waiting(9).unwrap(), [open(2)]);
}

#[test]
fn what_was_withdrawn_is_not_carried_out() {
    let url = Cluster::shared().database();
    let mut store = leading(&url);
    let (mut leader, mut follower) = (inbox(&url, "l"), inbox(&url, "f"));
    follower.put(&request(7)).unwrap();
    assert_eq!(leader.waiting(9).unwrap().len(), 1);
    assert!(follower.withdraw(7).unwrap());
    assert!(follower.withdraw(7).unwrap(), "gone already");
    let batch = deciding(&store, &[7]);
    assert!(matches!(store.commit(&batch), Err(CommitError::Withdrawn)));
    assert_eq!(store.refresh().unwrap().version, 0);
}

#[test]
fn requests_have_a_limit() {
    let url = Cluster::shared().database();
    leading(&url);
    let mut follower = inbox(&url, "f");
    connect(&url)
        .execute(
            "INSERT INTO wattfold.request (id, node, head, body)
             SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 'x', '', ''
             FROM generate_series(2, $1::bigint) AS n",
            &[&i64::try_from(MAX_REQUESTS).unwrap()],
        )
        .unwrap();
    assert!(follower.put(&request(1 << 100)).unwrap());
    assert!(!follower.put(&request(1 << 101)).unwrap());
    assert!(
        follower.put(&request(1 << 100)).unwrap(),
        "that one is there"
    );
}

#[test]
fn observations_reach_the_other_nodes() {
    let url = Cluster::shared().database();
    leading(&url);
    let shared = |node: &str| Shared::new(Address::new(&url, None).unwrap(), node.to_owned());
    let (mut a, mut b) = (shared("a"), shared("b"));
    let at = |value| Reading {
        value,
        at: NOW,
        quality: Quality::Estimated,
    };
    let full = Observation {
        last_contact: Some(NOW),
        p: Some(Reading {
            value: Watts::from_micro(-3),
            at: Timestamp::from_millis(-5),
            quality: Quality::Questionable,
        }),
        q: Some(Reading {
            value: Vars::from_micro(7),
            at: NOW,
            quality: Quality::Valid,
        }),
        voltage_v: Some(at(230.1)),
        soc_pct: Some(at(0.1 + 0.2)),
        p_available: None,
        energy_requested: Some(Reading {
            value: WattHours::from_micro(7),
            at: NOW,
            quality: Quality::Estimated,
        }),
        charge_needed_by: Some(Reading {
            value: Timestamp::from_millis(-7),
            at: NOW,
            quality: Quality::Valid,
        }),
        connected: Some(Reading {
            value: false,
            at: NOW,
            quality: Quality::Valid,
        }),
    };
    let told = [(DerId(4), full), (DerId(u32::MAX), Observation::default())];
    a.tell(&told).unwrap();
    assert_eq!(a.told().unwrap(), [], "not to itself");
    assert_eq!(b.told().unwrap(), told);
    b.tell(&[(DerId(4), Observation::default())]).unwrap();
    assert_eq!(a.told().unwrap(), [(DerId(4), Observation::default())]);
    let mut others = shared("c").told().unwrap();
    others.sort_by_key(|(der, latest)| (*der, latest.last_contact));
    let empty = |der| (DerId(der), Observation::default());
    assert_eq!(
        others,
        [empty(4), (DerId(4), full), empty(u32::MAX)],
        "what one node tells does not hide what another did"
    );
}

#[test]
fn sessions_are_shared_and_end_everywhere() {
    let url = Cluster::shared().database();
    let mut store = leading(&url);
    let account = store.create_account("admin", "x", NOW).unwrap();
    let shared = |node: &str| Shared::new(Address::new(&url, None).unwrap(), node.to_owned());
    let (mut a, mut b) = (shared("a"), shared("b"));
    let after = |seconds| NOW.after(Duration::from_secs(seconds));
    let session = |number, seconds| Session {
        id: [number; 32],
        account,
        expires: after(seconds),
    };
    for (number, seconds) in [(1, 10), (2, 20), (3, 30)] {
        a.begin_session(&session(number, seconds), NOW, 9).unwrap();
    }
    let of = |shared: &mut Shared, now| -> Vec<u8> {
        let is_open = |number: &u8| {
            let found = shared.session([*number; 32], now).unwrap();
            found.is_some_and(|found| found == account)
        };
        (0..9).filter(is_open).collect()
    };
    assert_eq!(of(&mut b, NOW), [1, 2, 3]);
    assert_eq!(of(&mut b, after(10)), [2, 3]);
    b.end_session([2; 32]).unwrap();
    assert_eq!(of(&mut a, NOW), [1, 3]);
    a.end_sessions_of(account, Some([1; 32])).unwrap();
    assert_eq!(of(&mut b, NOW), [1]);
    a.begin_session(&session(4, 90), after(15), 9).unwrap();
    assert_eq!(of(&mut b, NOW), [4], "what is over is forgotten");
    a.begin_session(&session(5, 80), NOW, 2).unwrap();
    a.begin_session(&session(6, 85), NOW, 2).unwrap();
    assert_eq!(
        of(&mut b, NOW),
        [4, 6],
        "the one that ends first makes room"
    );
    assert_eq!(a.accounts().unwrap(), store.accounts().unwrap());
    store.delete_account(account).unwrap();
    assert_eq!(of(&mut b, NOW), [0_u8; 0]);
}

/// A position is as good as a version: it moves with every commit.
#[test]
fn every_commit_moves_the_position() {
    let url = Cluster::shared().database();
    let mut store = leading(&url);
    let mut seen: Vec<Position> = vec![store.position().unwrap()];
    for _ in 0..3 {
        store.commit(&Batch::default()).unwrap();
        seen.push(store.position().unwrap());
    }
    let changes: Vec<u64> = seen.iter().map(|position| position.change).collect();
    assert_eq!(changes, [0, 1, 2, 3]);
}
