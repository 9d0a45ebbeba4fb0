use std::sync::atomic::{AtomicBool, Ordering};

use fleet::{
    Access, ActivePower, CimMrid, Client, ControlBase, Delivery, DeliveryState, DerKind, Lfdi,
    Name, NewAggregator, NewControl, NewDer, Origin, Pin, ProgramId,
};
use store::{
    AccountId, Batch, CommitError, DocumentKey, Entry, Head, JournalId, Memory, ReadError, Visit,
};
use units::{Interval, Percent, Watts};

use super::*;
use crate::clock;

/// How a store refuses.
#[derive(Clone, Copy)]
enum Failure {
    /// Its medium has no room.
    Medium,
    /// Its medium fails while it commits.
    Commit,
    /// A rule of its own.
    Rule,
}

/// A store that fails when it is told to.
struct Ailing {
    inner: Memory,
    fails: Arc<AtomicBool>,
    how: Failure,
}

impl Ailing {
    fn check(&self) -> Result<(), CommitError> {
        if !self.fails.load(Ordering::SeqCst) {
            return Ok(());
        }
        match self.how {
            Failure::Medium => {
                let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                Err(CommitError::Storage(full.into()))
            }
            Failure::Commit => {
                let lost = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
                Err(CommitError::Unsure(lost.into()))
            }
            Failure::Rule => Err(CommitError::TooLarge {
                what: "entries of one batch",
                max: 0,
            }),
        }
    }
}

impl Store for Ailing {
    fn journal(&self) -> JournalId {
        self.inner.journal()
    }

    fn head(&self) -> Head {
        self.inner.head()
    }

    fn commit(&mut self, batch: &Batch) -> Result<u64, CommitError> {
        self.check()?;
        self.inner.commit(batch)
    }

    fn scan(&self, from: u64, limit: usize, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        self.inner.scan(from, limit, visit)
    }

    fn deliveries(&self, skip: u64, limit: usize) -> Result<Vec<fleet::DeliveryEntry>, ReadError> {
        self.inner.deliveries(skip, limit)
    }

    fn document(&self, key: &DocumentKey) -> Result<Option<store::Document>, ReadError> {
        self.inner.document(key)
    }

    fn documents(&self) -> Result<Vec<store::Document>, ReadError> {
        self.inner.documents()
    }

    fn create_account(
        &mut self,
        name: &str,
        password_hash: &str,
        created: Timestamp,
    ) -> Result<AccountId, CommitError> {
        self.check()?;
        self.inner.create_account(name, password_hash, created)
    }

    fn set_password(&mut self, id: AccountId, password_hash: &str) -> Result<(), CommitError> {
        self.check()?;
        self.inner.set_password(id, password_hash)
    }

    fn delete_account(&mut self, id: AccountId) -> Result<(), CommitError> {
        self.inner.delete_account(id)
    }

    fn accounts(&self) -> Result<Vec<Account>, ReadError> {
        self.inner.accounts()
    }

    fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.inner.secret(name)
    }

    fn secrets(&self) -> Result<store::Secrets, ReadError> {
        self.inner.secrets()
    }

    fn last_account(&self) -> Result<AccountId, ReadError> {
        self.inner.last_account()
    }

    fn set_secret(&mut self, name: &str, value: &[u8]) -> Result<(), CommitError> {
        self.inner.set_secret(name, value)
    }
}

fn start(store: Box<dyn Store>, state: State) -> Started {
    let metrics = Arc::new(Metrics::default());
    let parts: Parts = Parts {
        store,
        state,
        resources: Resources::default(),
        telemetry: Telemetry::in_memory(Arc::clone(&metrics)).unwrap(),
        observations: Vec::new(),
        limits: Vec::new(),
        control: Control::default(),
        devices: ServerConfig::new(Lfdi([0; 20])),
        zone: units::UTC.clone(),
        metrics,
    };
    Node::start(parts).unwrap()
}

fn ailing(how: Failure) -> (Started, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(false));
    let store = Ailing {
        inner: Memory::new(JournalId(1)),
        fails: Arc::clone(&fails),
        how,
    };
    (start(Box::new(store), State::default()), fails)
}

fn enrolment(n: u8) -> Command {
    Command::EnrolDer(NewDer {
        mrid: CimMrid::new(&format!("der-{n}")).unwrap(),
        name: Name::new(&format!("der {n}")).unwrap(),
        kind: DerKind::Storage,
        lfdi: Lfdi([n; 20]),
        pin: Pin::with_check_digit(11_111),
        registered: true,
        reserve: Percent::default(),
        manager: None,
        assignments: Vec::new(),
    })
}

async fn enrol(node: &Node, n: u8) -> Result<(), Unavailable> {
    let outcomes = node.command(Actor::System, vec![enrolment(n)]).await?;
    outcomes
        .into_iter()
        .for_each(|outcome| drop(outcome.unwrap()));
    Ok(())
}

/// A control of the first DER, in an hour.
fn later_control() -> NewControl {
    let base = ControlBase::asking(ActivePower::FixedW {
        percent: Percent::WHOLE,
        of: Watts::whole(5_000),
    });
    NewControl {
        der: Some(DerId(0)),
        program: ProgramId(0),
        origin: Origin::Operator,
        interval: Interval {
            start: Timestamp::from_secs(clock::now().secs() + 3_600),
            duration: Duration::from_secs(60),
        },
        base,
        terms: None,
    }
}

fn ders(node: &Node) -> usize {
    node.read(|published| published.fleet.ders().len())
}

#[tokio::test]
async fn a_failed_medium_ends_the_node() {
    let ((node, owner), fails) = ailing(Failure::Medium);
    enrol(&node, 1).await.unwrap();
    fails.store(true, Ordering::SeqCst);
    assert_eq!(enrol(&node, 2).await, Err(Unavailable::Store));
    node.ended().await;
    assert_eq!(enrol(&node, 3).await, Err(Unavailable::Stopping));
    let ended = owner.join().unwrap().unwrap_err();
    assert_eq!(ended.to_string(), "the file system refused");
    assert_eq!(ders(&node), 1);
}

#[tokio::test]
async fn who_asks_while_a_commit_fails_is_told_that_nobody_knows() {
    let ((node, owner), fails) = ailing(Failure::Commit);
    fails.store(true, Ordering::SeqCst);
    let asked = membership::watched(enrol(&node, 1)).await;
    assert_eq!(asked, (Err(Unavailable::Unanswered), Course::Unsure));
    node.ended().await;
    assert!(owner.join().unwrap().is_err());
}

#[tokio::test]
async fn a_failed_medium_ends_the_node_when_an_account_is_changed() {
    let ((node, owner), fails) = ailing(Failure::Medium);
    fails.store(true, Ordering::SeqCst);
    let change = AccountChange::Create {
        name: "anna".to_owned(),
        password_hash: "hash".to_owned(),
    };
    let failed = node.change_account(change).await;
    assert_eq!(failed, Err(AccountError::Unavailable(Unavailable::Store)));
    node.ended().await;
    assert!(owner.join().unwrap().is_err());
}

#[tokio::test]
async fn a_rule_of_the_store_refuses_the_batch_and_the_node_goes_on() {
    let ((node, owner), fails) = ailing(Failure::Rule);
    fails.store(true, Ordering::SeqCst);
    assert_eq!(enrol(&node, 1).await, Err(Unavailable::Store));
    fails.store(false, Ordering::SeqCst);
    enrol(&node, 1).await.unwrap();
    assert_eq!(ders(&node), 1);
    node.stop();
    node.ended().await;
    owner.join().unwrap().unwrap();
}

#[tokio::test]
async fn decisions_never_go_back_before_what_was_decided() {
    let ahead = clock::now().after(Duration::from_secs(86_400));
    let mut store = Memory::new(JournalId(1));
    let mut state = State::default();
    let events = state.fleet.decide(&enrolment(1), ahead).unwrap();
    events.iter().for_each(|event| state.apply(event));
    let entry = |event| Entry {
        actor: Actor::System,
        at: ahead,
        event,
    };
    let batch = Batch {
        entries: events.into_iter().map(entry).collect(),
        ..Batch::default()
    };
    store.commit(&batch).unwrap();
    let (node, owner) = start(Box::new(store), state);
    enrol(&node, 2).await.unwrap();
    let enrolled = node.read(|published| published.fleet.ders()[1].enrolled);
    assert_eq!(enrolled, ahead);
    node.stop();
    owner.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_device_is_sent_a_control_when_the_ledger_says_so() {
    let (node, owner) = start(Box::new(Memory::new(JournalId(1))), State::default());
    enrol(&node, 1).await.unwrap();
    let issue = vec![Command::IssueControl(later_control()); 2];
    node.command(Actor::System, issue).await.unwrap();
    let row = |id| vec![(ControlId(id), DerId(0))];
    node.fetched(row(0), clock::now()).await.unwrap();
    let state =
        |id| node.read(|published| published.deliveries.own(ControlId(id)).map(Delivery::state));
    assert_eq!(
        (state(0), state(1)),
        (Some(DeliveryState::Sent), Some(DeliveryState::Planned))
    );
    node.stop();
    owner.join().unwrap().unwrap();
    for known in [0, 7] {
        node.fetched(row(known), clock::now()).await.unwrap();
    }
    let news = node.fetched(row(1), clock::now()).await;
    assert_eq!(news, Err(Unavailable::Stopping));
}

#[tokio::test]
async fn who_is_shut_out_is_not_heard() {
    let (node, owner) = start(Box::new(Memory::new(JournalId(1))), State::default());
    enrol(&node, 1).await.unwrap();
    let (lfdi, now) = (Lfdi([1; 20]), clock::now());
    let last_contact = || node.read(|published| published.observations[0].last_contact);
    assert_eq!(node.heard_from(lfdi, now), Access::Granted);
    assert_eq!(last_contact(), Some(now));
    let revoke = Command::SetAccess(Client::Der(DerId(0)), false);
    node.command(Actor::System, vec![revoke]).await.unwrap();
    let later = now.after(Duration::from_secs(1));
    assert!(matches!(node.heard_from(lfdi, later), Access::Revoked(_)));
    assert_eq!(last_contact(), Some(now));
    node.stop();
    owner.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_der_is_heard_when_its_aggregator_puts_or_fetches_something_for_it() {
    let (node, owner) = start(Box::new(Memory::new(JournalId(1))), State::default());
    let aggregator = NewAggregator {
        name: Name::new("aggregator").unwrap(),
        lfdi: Lfdi([9; 20]),
        pin: Pin::with_check_digit(11_111),
        registered: true,
        may_enrol: false,
    };
    let Command::EnrolDer(der) = enrolment(1) else {
        unreachable!("it enrols a DER");
    };
    let managed = NewDer {
        manager: Some(fleet::AggregatorId(0)),
        ..der
    };
    let commands = vec![
        Command::EnrolAggregator(aggregator),
        Command::EnrolDer(managed),
    ];
    node.command(Actor::System, commands).await.unwrap();
    let last_contact = || node.read(|published| published.observations[0].last_contact);
    assert_eq!(last_contact(), None);
    let settings = "<DERSettings xmlns=\"urn:ieee:std:2030.5:ns\"><setGradW>0</setGradW>\
         <setMaxW><multiplier>0</multiplier><value>5000</value></setMaxW>\
         <updatedTime>1800000000</updatedTime></DERSettings>";
    let put = DeviceRequest {
        method: "PUT".to_owned(),
        path: "/edev/0/der/1/derg".to_owned(),
        query: None,
        accept: None,
        content_type: Some("application/sep+xml".to_owned()),
        if_none_match: None,
        range: None,
        body: bytes::Bytes::from_static(settings.as_bytes()),
        lfdi: Lfdi([9; 20]),
        random: 0,
    };
    let reply = node.device(put).await.unwrap();
    assert_eq!(reply.status, 204, "{:?}", reply.reason);
    let put_at = last_contact().unwrap();
    node.command(Actor::System, vec![Command::IssueControl(later_control())])
        .await
        .unwrap();
    let fetched_at = put_at.after(Duration::from_secs(60));
    node.fetched(vec![(ControlId(0), DerId(0))], fetched_at)
        .await
        .unwrap();
    assert_eq!(last_contact(), Some(fetched_at));
    node.stop();
    owner.join().unwrap().unwrap();
}

#[tokio::test]
async fn what_waits_for_the_owner_is_bounded() {
    let (node, owner) = start(Box::new(Memory::new(JournalId(1))), State::default());
    let busy = {
        // The owner can't look at observations, so it is stuck with the first command.
        let _held = node.observations.write().unwrap();
        let first = Input::Commands(Actor::System, vec![enrolment(1)]);
        node.inbox.send(Message::note(first)).unwrap();
        let served = || {
            let (controls, at) = (Vec::new(), Timestamp::default());
            Message::note(Input::Served { controls, at })
        };
        let fills = std::iter::repeat_with(|| node.inbox.try_send(served()).is_ok());
        let taken = fills.take_while(|is_taken| *is_taken).count();
        // The owner has taken at most one commit's worth of them before it got stuck.
        assert!(taken + 1 >= MAX_WAITING_INPUTS, "{taken}");
        assert!(taken < MAX_WAITING_INPUTS + 1_024, "{taken}");
        node.inbox.try_send(served()).is_err()
    };
    assert!(busy);
    while enrol(&node, 2).await == Err(Unavailable::Busy) {
        tokio::task::yield_now().await;
    }
    assert_eq!(ders(&node), 2);
    node.stop();
    owner.join().unwrap().unwrap();
}
