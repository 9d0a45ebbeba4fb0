//! Silence: one cause, one alarm.

use std::time::Duration;

use units::{Percent, Timestamp};

use crate::alarm::silence::{MAX_PLACES_OF_ROUND, Round};
use crate::alarm::{AlarmCommand, Detail, Kind, Means, NewSuppression, Subject};
use crate::dispatch::assess::{Policy, World};
use crate::{
    AggregatorId, AssignmentId, CimMrid, Command, DerId, DerKind, Fleet, Ledger, Level, Lfdi, Name,
    NewAggregator, NewAssignment, NewDer, Note, Observation, Pin,
};

const FEEDER_A: AssignmentId = AssignmentId(1);
const FEEDER_B: AssignmentId = AssignmentId(2);
const AGGREGATOR: AggregatorId = AggregatorId(0);

fn t(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn lfdi(number: usize) -> Lfdi {
    let mut lfdi = [0; 20];
    lfdi[..8].copy_from_slice(&number.to_be_bytes());
    Lfdi(lfdi)
}

/// What is raised.
type Raised = (Kind, Subject, Detail);

/// A substation with two feeders; DER are silent after a minute and ask every half minute.
struct Scene {
    fleet: Fleet,
    observations: Vec<Observation>,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self {
            fleet: Fleet::default(),
            observations: Vec::new(),
        };
        let node = |name, level, parent| {
            Command::CreateAssignment(NewAssignment {
                name,
                level,
                parent,
            })
        };
        scene.run(&node(name("S"), Level::Substation, None), 0);
        for feeder in ["A", "B"] {
            let above = Some(AssignmentId(0));
            scene.run(&node(name(feeder), Level::Feeder, above), 0);
        }
        scene.run(
            &Command::EnrolAggregator(NewAggregator {
                name: name("aggregator"),
                lfdi: lfdi(usize::MAX),
                pin: Pin::with_check_digit(11_111),
                registered: true,
                may_enrol: false,
            }),
            0,
        );
        scene
    }

    fn run(&mut self, command: &Command, at: i64) {
        for event in self.fleet.decide(command, t(at)).unwrap() {
            self.fleet.apply(&event);
        }
    }

    /// `count` more DER of this place, each heard at zero.
    fn enrol(&mut self, count: usize, at: Option<AssignmentId>, manager: Option<AggregatorId>) {
        for _ in 0..count {
            let index = self.observations.len();
            self.run(
                &Command::EnrolDer(NewDer {
                    mrid: CimMrid::new(&format!("der-{index}")).unwrap(),
                    name: name(&format!("DER {index}")),
                    kind: DerKind::Storage,
                    lfdi: lfdi(index),
                    pin: Pin::with_check_digit(11_111),
                    registered: true,
                    reserve: Percent::default(),
                    manager,
                    assignments: at.into_iter().collect(),
                }),
                0,
            );
            self.observations.push(Observation::default());
            self.hear(index..index + 1, 0);
        }
    }

    fn hear(&mut self, ders: std::ops::Range<usize>, at: i64) {
        for seen in &mut self.observations[ders] {
            seen.last_contact = Some(t(at));
        }
    }

    /// Looks at all once and carries out what comes of it: what is raised, and who has recovered.
    fn round(&mut self, now: i64) -> (Vec<Raised>, usize) {
        let deliveries = Ledger::default();
        let world = World {
            fleet: &self.fleet,
            observations: &self.observations,
            deliveries: &deliveries,
            policy: Policy {
                silent_after: Duration::from_secs(60),
                latency: Duration::from_secs(30),
                latency_aggregated: Duration::from_secs(30),
                ..Policy::default()
            },
            now: t(now),
        };
        let mut round = Round::default();
        for der in self.fleet.ders() {
            round.add(&world, der);
        }
        let found = round.conclude(&self.fleet);
        let mut raised = Vec::new();
        for command in found.commands {
            if let AlarmCommand::Raise(it) = &command {
                raised.push((it.kind, it.subject.clone(), it.detail));
            }
            self.run(&Command::Alarm(command), now);
        }
        for id in &found.recovered {
            self.run(&Command::Alarm(AlarmCommand::Return(*id)), now);
        }
        (raised, found.recovered.len())
    }

    fn subjects(&mut self, now: i64) -> Vec<Subject> {
        let (raised, _) = self.round(now);
        raised.into_iter().map(|(_, subject, _)| subject).collect()
    }
}

fn members(count: u32, of: u32, last_heard: i64) -> Detail {
    Detail::Members {
        count,
        of,
        last_heard: t(last_heard),
    }
}

#[test]
fn ten_thousand_der_of_a_feeder_that_fall_silent_are_one_alarm() {
    let mut scene = Scene::new();
    scene.enrol(10_000, Some(FEEDER_A), None);
    scene.enrol(100, Some(FEEDER_B), None);
    // They were heard one after the other within their half minute.
    for der in 0..10_000 {
        scene.hear(der..der + 1, i64::try_from(der % 30).unwrap());
    }
    for now in (0..=149).step_by(7) {
        scene.hear(10_000..10_100, now);
        assert_eq!(scene.round(now), (Vec::new(), 0), "at {now}");
    }
    scene.hear(10_000..10_100, 150);
    let (raised, _) = scene.round(151);
    let about = Subject::Assignment(FEEDER_A);
    assert_eq!(
        raised,
        [(Kind::PlaceSilent, about, members(10_000, 10_000, 29))]
    );
    assert!(scene.subjects(200).is_empty());
}

#[test]
fn what_is_left_after_a_place_has_recovered_surfaces_by_itself() {
    let mut scene = Scene::new();
    scene.enrol(100, Some(FEEDER_A), None);
    scene.enrol(1, Some(FEEDER_B), None);
    scene.hear(100..101, 10_000);
    assert_eq!(scene.subjects(151), [Subject::Assignment(FEEDER_A)]);
    // A fifth is not few yet.
    scene.hear(0..80, 10_000);
    assert_eq!(scene.round(300), (Vec::new(), 0));
    let alarm = scene.fleet.alarms().alarms().next().unwrap();
    assert_eq!(alarm.detail, members(20, 100, 0));
    scene.hear(80..98, 10_000);
    assert_eq!(scene.round(400), (Vec::new(), 1));
    let left = [Subject::Der(DerId(98)), Subject::Der(DerId(99))];
    assert_eq!(scene.subjects(401), left);
    assert!(scene.subjects(402).is_empty());
}

#[test]
fn the_place_is_the_highest_one_that_the_silent_ones_share_and_no_higher() {
    let mut scene = Scene::new();
    scene.enrol(10, Some(FEEDER_A), None);
    scene.enrol(10, Some(FEEDER_B), None);
    assert_eq!(scene.subjects(151), [Subject::Assignment(AssignmentId(0))]);
    let mut scene = Scene::new();
    scene.enrol(10, Some(FEEDER_A), None);
    assert_eq!(scene.subjects(151), [Subject::Assignment(FEEDER_A)]);
    // A feeder that fails later is one of its own, not the substation.
    scene.enrol(10, Some(FEEDER_B), None);
    scene.hear(10..20, 200);
    assert_eq!(scene.subjects(355), [Subject::Assignment(FEEDER_B)]);
}

#[test]
fn an_aggregator_that_is_lost_is_told_rather_than_the_feeder_its_der_are_on() {
    let mut scene = Scene::new();
    scene.enrol(90, Some(FEEDER_A), Some(AGGREGATOR));
    scene.enrol(10, Some(FEEDER_A), None);
    scene.hear(90..100, 10_000);
    let (raised, _) = scene.round(151);
    let about = Subject::Aggregator(AGGREGATOR);
    assert_eq!(raised, [(Kind::PlaceSilent, about, members(90, 90, 0))]);
}

#[test]
fn few_silent_der_are_told_one_by_one_and_some_not_at_all() {
    let mut scene = Scene::new();
    scene.enrol(10, Some(FEEDER_A), None);
    scene.hear(2..10, 10_000);
    assert_eq!(scene.subjects(149), []);
    assert_eq!(
        scene.subjects(151),
        [Subject::Der(DerId(0)), Subject::Der(DerId(1))]
    );
    // Those that were never heard, are shut out, removed or under maintenance ought not to be
    // heard.
    let mut scene = Scene::new();
    scene.enrol(4, None, None);
    scene.observations[0].last_contact = None;
    let client = crate::Client::Der(DerId(1));
    scene.run(&Command::SetAccess(client, false), 1);
    scene.run(&Command::RemoveDer(DerId(2)), 1);
    let rule = NewSuppression {
        subject: Subject::Der(DerId(3)),
        kind: None,
        means: Means::ByDesign,
        by: name("ann"),
        reason: Note::new("meter changed").unwrap(),
        until: None,
    };
    let rule = AlarmCommand::Suppress(Box::new(rule));
    scene.run(&Command::Alarm(rule), 1);
    assert_eq!(scene.subjects(500), []);
}

#[test]
fn places_are_told_a_few_at_a_time_and_none_of_their_der_before_them() {
    let mut scene = Scene::new();
    let feeders = MAX_PLACES_OF_ROUND + 2;
    for feeder in 0..feeders {
        let new = NewAssignment {
            name: name(&format!("feeder {feeder}")),
            level: Level::Feeder,
            parent: None,
        };
        scene.run(&Command::CreateAssignment(new), 0);
        let id = AssignmentId::from(3 + feeder);
        scene.enrol(3, Some(id), None);
    }
    assert_eq!(scene.subjects(151).len(), MAX_PLACES_OF_ROUND);
    assert_eq!(scene.subjects(152).len(), 2);
    let all = scene.fleet.alarms().alarms();
    assert!(all.clone().all(|alarm| alarm.kind == Kind::PlaceSilent));
    assert_eq!(all.count(), feeders);
}
