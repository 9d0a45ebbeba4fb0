use std::cell::Cell;
use std::collections::BTreeSet;

use fleet::enrolment::{Dated, DemandResponseProgram, DemandResponseProgramId, Terms};
use fleet::strategy::{Calendar, NewStrategy, Template, Trigger};
use fleet::{
    Aim, CimMrid, DerFunction, DerFunctions, DerKind, EnrolmentCommand, GroupId, Lfdi, Name,
    NewDer, NewGroup, Objective, Pin, Priority, Publish, StrategyCommand,
};
use ieee2030_5::server::Resources;
use store::{JournalId, Memory};
use units::{Percent, Watts};

use super::*;
use crate::config::Control;
use crate::node::{observe, restart};

/// One thread, one vector of readings, and whether there is room for more.
#[derive(Default)]
struct Plain {
    observations: Vec<Observation>,
    is_full: Cell<bool>,
}

impl Rim for Plain {
    fn observed<R>(&self, look: impl FnOnce(&[Observation]) -> R) -> R {
        look(&self.observations)
    }

    fn admit(&self, _: &Submission, _: &Fleet) -> Result<Report, Unavailable> {
        if self.is_full.get() {
            return Err(Unavailable::Telemetry);
        }
        Ok(Report::default())
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn core() -> Core {
    let devices = ServerConfig::new(Lfdi([0; 20]));
    let rules = Rules {
        limits: Vec::new(),
        policy: Control::default().policy(devices.poll_rates.der_program_s),
        devices,
        zone: units::UTC.clone(),
    };
    let folded = (State::default(), Resources::default());
    Core::new(Box::new(Memory::new(JournalId(1))), folded, rules, NOW).unwrap()
}

fn enrolment() -> Input {
    let der = NewDer {
        mrid: CimMrid::new("der-1").unwrap(),
        name: Name::new("der 1").unwrap(),
        kind: DerKind::Storage,
        lfdi: Lfdi([1; 20]),
        pin: Pin::with_check_digit(11_111),
        registered: true,
        reserve: Percent::default(),
        manager: None,
        assignments: Vec::new(),
    };
    Input::Commands(Actor::System, vec![Command::EnrolDer(der)])
}

fn put(path: &str, body: &'static str) -> Input {
    Input::Device(Box::new(DeviceRequest {
        method: "PUT".to_owned(),
        path: path.to_owned(),
        query: None,
        accept: None,
        content_type: Some("application/sep+xml".to_owned()),
        if_none_match: None,
        range: None,
        body: bytes::Bytes::from_static(body.as_bytes()),
        lfdi: Lfdi([1; 20]),
        random: 7,
    }))
}

const CONNECTED: &str = "<DERStatus xmlns=\"urn:ieee:std:2030.5:ns\"><genConnectStatus>\
     <dateTime>1800000000</dateTime><value>07</value></genConnectStatus>\
     <readingTime>1800000000</readingTime></DERStatus>";

#[test]
fn what_a_device_has_posted_is_observed_when_it_is_durable() {
    let (mut core, mut rim) = (core(), Plain::default());
    let decided = core.decide(NOW, vec![enrolment()], &rim);
    assert!(core.commit(decided, Durable::default).published.is_some());
    rim.observations.push(Observation::default());

    let decided = core.decide(NOW, vec![put("/edev/0/der/1/ders", CONNECTED)], &rim);
    assert!(!decided.is_empty());
    let committed = core.commit(decided, Durable::default);
    let [Ok(Answer::Device(response))] = committed.answers.as_slice() else {
        panic!("{:?}", committed.answers)
    };
    assert_eq!(response.status, 204, "{:?}", response.reason);
    let [(submission, _)] = committed.observed.as_slice() else {
        panic!("{} observed", committed.observed.len())
    };
    observe::submitted(&mut rim.observations, submission, committed.now);
    let observation = &rim.observations[0];
    assert_eq!(observation.last_contact, Some(NOW));
    assert!(observation.connected.is_some_and(|reading| reading.value));

    rim.is_full.set(true);
    let decided = core.decide(NOW, vec![put("/edev/0/der/1/ders", CONNECTED)], &rim);
    assert!(decided.is_empty());
    let committed = core.commit(decided, Durable::default);
    assert!(matches!(
        committed.answers[..],
        [Err(Unavailable::Telemetry)]
    ));
    assert!(committed.observed.is_empty());
}

#[test]
fn a_der_and_its_documents_are_removed_in_one_commit() {
    let (mut core, mut rim) = (core(), Plain::default());
    let decided = core.decide(NOW, vec![enrolment()], &rim);
    assert!(core.commit(decided, Durable::default).published.is_some());
    rim.observations.push(Observation::default());
    let decided = core.decide(NOW, vec![put("/edev/0/der/1/ders", CONNECTED)], &rim);
    assert!(core.commit(decided, Durable::default).published.is_some());
    let kept = |core: &Core| core.store().documents().unwrap().len();
    assert_eq!(kept(&core), 1);

    let remove = Input::Commands(Actor::System, vec![Command::RemoveDer(DerId(0))]);
    let decided = core.decide(NOW, vec![remove], &rim);
    let committed = core.commit(decided, Durable::default);
    let [Ok(Answer::Commands(outcomes))] = committed.answers.as_slice() else {
        panic!("{:?}", committed.answers)
    };
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(kept(&core), 0, "nothing else is to be committed");
    let of = Client::Der(DerId(0));
    assert_eq!(core.working().resources.without_client(of), []);
}

#[test]
fn a_round_that_was_not_made_durable_is_gone_at_the_next_start() {
    let (mut core, rim) = (core(), Plain::default());
    let decided = core.decide(
        NOW,
        vec![
            enrolment(),
            Input::Tick {
                readings_refused: 0,
            },
        ],
        &rim,
    );
    assert_eq!(core.working().state.fleet.ders().len(), 1);
    drop(decided);
    let store = core.into_store();
    let (state, _) = restart::fold(store.as_ref()).unwrap();
    assert_eq!(state.fleet.ders().len(), 0);
}

#[test]
fn what_is_published_is_what_a_fold_of_the_store_gives() {
    let (mut core, rim) = (core(), Plain::default());
    let mut published = core.working().clone();
    let decided = core.decide(NOW, vec![enrolment()], &rim);
    let committed = core.commit(decided, Durable::default);
    published.publish(&committed.published.unwrap(), committed.now);
    let (folded, _) = restart::fold(core.store()).unwrap();
    assert_eq!(folded.fleet, published.state.fleet);
    assert_eq!(folded.deliveries, published.state.deliveries);
    assert_eq!(folded.fleet, core.working().state.fleet);
}

/// A strategy whose dispatch of every noon is due an hour ahead, over one DER.
fn with_a_strategy(core: &mut Core, rim: &mut Plain) {
    let name = |text: &str| Name::new(text).unwrap();
    let mrid = |text: &str| CimMrid::new(text).unwrap();
    let commands = vec![
        Command::CreateGroup(NewGroup {
            mrid: mrid("group"),
            names: Vec::new(),
            description: None,
            functions: DerFunctions::default().with(DerFunction::RealPowerDispatch),
            members: vec![DerId(0)],
            version: None,
        }),
        Command::Enrolment(EnrolmentCommand::PutProgram(DemandResponseProgram {
            mrid: mrid("peak"),
            name: name("Peak"),
            terms: Dated::from(Timestamp::default(), Terms::default()),
        })),
        Command::Strategy(StrategyCommand::Put(Box::new(NewStrategy {
            mrid: mrid("noon"),
            name: name("Noon"),
            program: DemandResponseProgramId(0),
            group: GroupId(0),
            trigger: Trigger::Calendar(Calendar {
                weekdays: BTreeSet::new(),
                months: BTreeSet::new(),
                start_s: 12 * 3_600,
                excluded: BTreeSet::new(),
            }),
            template: Template {
                aim: Aim::AtMost(Watts::whole(1_000)),
                duration: Duration::from_secs(600),
                lead: Duration::from_secs(3_600),
                ramp: None,
                priority: Priority::Economic,
                objective: Objective::ProRata,
                publish: Publish::WhenApproved,
                release: Duration::ZERO,
            },
            by: name("anna"),
        }))),
    ];
    for input in [enrolment(), Input::Commands(Actor::System, commands)] {
        let decided = core.decide(NOW, vec![input], rim);
        let committed = core.commit(decided, Durable::default);
        let Some(Ok(Answer::Commands(outcomes))) = committed.answers.first() else {
            panic!("{:?}", committed.answers)
        };
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    rim.observations.push(Observation::default());
}

fn started_again(core: Core, now: Timestamp) -> Core {
    let rules = core.rules.clone();
    let store = core.into_store();
    let folded = restart::fold(store.as_ref()).unwrap();
    Core::new(store, folded, rules, now).unwrap()
}

/// The leader dies at every step around a dispatch that is due: the next one makes it once.
#[test]
fn a_dispatch_of_a_strategy_is_made_once_whenever_the_leader_dies() {
    let (mut core, mut rim) = (core(), Plain::default());
    with_a_strategy(&mut core, &mut rim);
    let tick = || {
        let readings_refused = 0;
        vec![Input::Tick { readings_refused }]
    };
    let made = |core: &Core| {
        let all = core.working().state.fleet.dispatches().iter();
        all.map(|it| it.mrid.to_string()).collect::<Vec<_>>()
    };
    // `NOW` is 2027-01-15T08:00:00Z.
    let due = NOW.after(Duration::from_secs(3 * 3_600));
    let noon = ["noon-20270115T120000Z"];
    for (dies_before_the_commit, second) in [(true, 0), (true, 1), (false, 2), (false, 3)] {
        let now = due.after(Duration::from_secs(second));
        let decided = core.decide(now, tick(), &rim);
        assert_eq!(made(&core), noon, "at {second} s");
        if dies_before_the_commit {
            drop(decided);
            core = started_again(core, now);
            assert!(made(&core).is_empty(), "nothing of it is durable");
        } else {
            drop(core.commit(decided, Durable::default));
            core = started_again(core, now);
            assert_eq!(made(&core), noon);
        }
    }
    let (_, progress) = core
        .working()
        .state
        .fleet
        .strategies()
        .strategies()
        .next()
        .unwrap();
    assert_eq!(progress.occurrences.len(), 1);
}
