//! The life of alarms by command, event and fold.

use std::time::Duration;

use units::{Percent, Timestamp};

use crate::alarm::{
    AlarmCommand, AlarmEvent, Condition, Detail, Kind, Means, NewSuppression, Raise, State, Subject,
};
use crate::{
    AlarmBook, AlarmId, AssignmentId, CimMrid, Command, DerId, DerKind, Event, Fleet, Level, Lfdi,
    Name, NewAssignment, NewDer, Note, Pin, Rejection, SuppressionId,
};

const ID: AlarmId = AlarmId(0);

fn t(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn note(text: &str) -> Note {
    Note::new(text).unwrap()
}

pub(super) fn raise(kind: Kind, subject: Subject) -> AlarmCommand {
    let detail = Detail::Plain;
    AlarmCommand::Raise(Raise {
        kind,
        subject,
        detail,
    })
}

/// A fleet, and all that has been journalled of it.
#[derive(Default)]
pub(super) struct Rig {
    pub(super) fleet: Fleet,
    events: Vec<Event>,
}

impl Rig {
    pub(super) fn run(&mut self, command: AlarmCommand, at: i64) -> usize {
        self.decide(&Command::Alarm(command), at).unwrap()
    }

    fn refused(&mut self, command: AlarmCommand, at: i64) -> Rejection {
        self.decide(&Command::Alarm(command), at).unwrap_err()
    }

    pub(super) fn decide(&mut self, command: &Command, at: i64) -> Result<usize, Rejection> {
        let events = self.fleet.decide(command, t(at))?;
        events.iter().for_each(|event| self.fleet.apply(event));
        self.events.extend(events.iter().cloned());
        Ok(events.len())
    }

    fn state(&self) -> State {
        let alarm = self.fleet.alarms().alarm(ID);
        alarm.map_or(State::Normal, |alarm| alarm.state)
    }

    fn check_replay(&self) {
        let mut again = Fleet::default();
        self.events.iter().for_each(|event| again.apply(event));
        assert_eq!(again.alarms(), self.fleet.alarms());
    }
}

#[test]
fn an_alarm_that_two_acknowledge_was_seen_by_the_first() {
    let mut rig = Rig::default();
    rig.run(raise(Kind::ClockBehind, Subject::Server), 10);
    assert_eq!(rig.run(raise(Kind::ClockBehind, Subject::Server), 11), 0);
    let acknowledge = |by: &str| AlarmCommand::Acknowledge(ID, name(by), Some(note("seen")));
    assert_eq!(rig.run(acknowledge("ann"), 12), 1);
    assert_eq!(rig.run(acknowledge("bob"), 13), 0);
    let seen = rig.fleet.alarms().alarm(ID).unwrap().acknowledged.clone();
    let seen = seen.unwrap();
    assert_eq!((seen.by.as_str(), seen.at), ("ann", t(12)));
    assert_eq!(rig.state(), State::Acknowledged);
    rig.run(AlarmCommand::Return(ID), 20);
    assert!(rig.fleet.alarms().is_empty());
    let gone = rig.refused(acknowledge("bob"), 21);
    assert!(matches!(gone, Rejection::Unknown { what: "alarm", .. }));
    rig.check_replay();
}

#[test]
fn one_that_returns_unseen_stays_and_may_come_again() {
    let mut rig = Rig::default();
    rig.run(raise(Kind::ClockBehind, Subject::Server), 10);
    rig.run(AlarmCommand::Return(ID), 11);
    assert_eq!(rig.run(AlarmCommand::Return(ID), 12), 0);
    assert_eq!(rig.state(), State::ReturnedUnacknowledged);
    rig.run(raise(Kind::ClockBehind, Subject::Server), 13);
    let alarm = rig.fleet.alarms().alarm(ID).unwrap();
    assert_eq!(
        (alarm.state, alarm.annunciations),
        (State::Unacknowledged, 2)
    );
    assert_eq!((alarm.raised, alarm.returned), (t(13), None));
    rig.run(AlarmCommand::Return(ID), 14);
    rig.run(AlarmCommand::Acknowledge(ID, name("ann"), None), 15);
    assert!(rig.fleet.alarms().is_empty());
    assert_eq!(rig.fleet.alarms().history().count(), 2);
    // The next one is another alarm.
    rig.run(raise(Kind::ClockBehind, Subject::Server), 20);
    assert_eq!(rig.fleet.alarms().alarms().next().unwrap().id, AlarmId(1));
    rig.check_replay();
}

#[test]
fn a_shelf_is_for_a_time_and_what_is_still_there_then_is_shown_again() {
    let shelve = |until: i64| AlarmCommand::Shelve(ID, name("ann"), note("known"), t(until));
    let mut rig = Rig::default();
    rig.run(raise(Kind::ClockBehind, Subject::Server), 10);
    let day = i64::try_from(AlarmBook::MAX_SHELVE.as_secs()).unwrap();
    for until in [10, 5, 12 + day] {
        let refused = rig.refused(shelve(until), 11);
        assert!(matches!(refused, Rejection::Invalid { field: "until", .. }));
    }
    rig.run(shelve(11 + day), 11);
    assert_eq!(rig.state(), State::Shelved);
    let twice = rig.refused(shelve(100), 12);
    assert!(matches!(twice, Rejection::Invalid { field: "state", .. }));
    rig.run(AlarmCommand::Return(ID), 20);
    rig.run(raise(Kind::ClockBehind, Subject::Server), 30);
    assert_eq!(
        (rig.state(), rig.fleet.alarms().history().count()),
        (State::Shelved, 1)
    );
    rig.run(AlarmCommand::Unshelve(ID, None), 11 + day);
    assert_eq!(rig.state(), State::Unacknowledged);
    assert_eq!(rig.fleet.alarms().history().count(), 2);
    rig.run(shelve(12 + day + 60), 12 + day);
    rig.run(AlarmCommand::Return(ID), 13 + day);
    rig.run(AlarmCommand::Unshelve(ID, Some(name("ann"))), 14 + day);
    assert!(rig.fleet.alarms().is_empty());
    rig.check_replay();
}

fn feeder(rig: &mut Rig) -> AssignmentId {
    let node = |name: &str, level, parent| {
        Command::CreateAssignment(NewAssignment {
            name: Name::new(name).unwrap(),
            level,
            parent,
        })
    };
    rig.decide(&node("S", Level::Substation, None), 0).unwrap();
    let above = Some(AssignmentId(0));
    rig.decide(&node("F", Level::Feeder, above), 0).unwrap();
    AssignmentId(1)
}

fn suppress(subject: Subject, kind: Option<Kind>, means: Means) -> AlarmCommand {
    AlarmCommand::Suppress(Box::new(NewSuppression {
        subject,
        kind,
        means,
        by: name("ann"),
        reason: note("maintenance"),
        until: None,
    }))
}

#[test]
fn a_place_under_maintenance_shows_no_alarms_until_that_is_over() {
    let mut rig = Rig::default();
    let feeder = feeder(&mut rig);
    let about_feeder = || raise(Kind::PlaceSilent, Subject::Assignment(feeder));
    rig.run(about_feeder(), 10);
    rig.run(raise(Kind::ClockBehind, Subject::Server), 10);
    let substation = Subject::Assignment(AssignmentId(0));
    assert_eq!(rig.run(suppress(substation, None, Means::ByDesign), 11), 2);
    assert_eq!(rig.state(), State::Suppressed);
    let clock = rig.fleet.alarms().alarm(AlarmId(1)).unwrap();
    assert_eq!(clock.state, State::Unacknowledged);
    // A second rule covers it too, so that the end of the first shows nothing yet.
    let own = Subject::Assignment(feeder);
    rig.run(
        suppress(own, Some(Kind::PlaceSilent), Means::OutOfService),
        12,
    );
    assert_eq!(rig.state(), State::OutOfService);
    rig.run(AlarmCommand::Release(SuppressionId(1), None), 13);
    assert_eq!(rig.state(), State::Suppressed);
    rig.run(
        AlarmCommand::Release(SuppressionId(0), Some(name("bob"))),
        14,
    );
    assert_eq!(rig.state(), State::Unacknowledged);
    rig.check_replay();

    // What begins during maintenance is not raised at all.
    rig.run(AlarmCommand::Acknowledge(ID, name("ann"), None), 15);
    rig.run(AlarmCommand::Return(ID), 16);
    rig.run(
        suppress(Subject::Assignment(feeder), None, Means::ByDesign),
        17,
    );
    assert_eq!(rig.run(about_feeder(), 18), 0);
    rig.run(AlarmCommand::Release(SuppressionId(2), None), 19);
    assert_eq!(rig.run(about_feeder(), 20), 1);
    rig.check_replay();
}

#[test]
fn a_shelf_that_ends_during_maintenance_shows_nothing() {
    let mut rig = Rig::default();
    let feeder = feeder(&mut rig);
    rig.run(raise(Kind::PlaceSilent, Subject::Assignment(feeder)), 10);
    rig.run(
        suppress(Subject::Assignment(feeder), None, Means::ByDesign),
        11,
    );
    let refused = rig.refused(
        AlarmCommand::Shelve(ID, name("ann"), note("known"), t(60)),
        12,
    );
    assert!(matches!(refused, Rejection::Invalid { field: "state", .. }));
    let unknown = suppress(Subject::Der(DerId(7)), None, Means::ByDesign);
    let unknown = rig.refused(unknown, 13);
    assert!(matches!(
        unknown,
        Rejection::Unknown {
            what: "subject",
            ..
        }
    ));
    rig.check_replay();
}

#[test]
fn a_shelf_that_ends_where_a_rule_holds_annunciates_nothing() {
    let mut rig = Rig::default();
    let feeder = feeder(&mut rig);
    let der = NewDer {
        mrid: CimMrid::new("der-0").unwrap(),
        name: name("DER 0"),
        kind: DerKind::Storage,
        lfdi: Lfdi([7; 20]),
        pin: Pin::with_check_digit(11_111),
        registered: true,
        reserve: Percent::default(),
        manager: None,
        assignments: Vec::new(),
    };
    rig.decide(&Command::EnrolDer(der), 0).unwrap();
    rig.run(raise(Kind::DerClockAhead, Subject::Der(DerId(0))), 10);
    let shelve = AlarmCommand::Shelve(ID, name("ann"), note("known"), t(60));
    rig.run(shelve, 11);
    let rule = suppress(Subject::Assignment(feeder), None, Means::ByDesign);
    rig.run(rule, 12);
    assert_eq!(rig.state(), State::Shelved, "it is not below the place yet");
    let there = Command::AssignDer(DerId(0), vec![feeder]);
    rig.decide(&there, 13).unwrap();
    rig.run(AlarmCommand::Unshelve(ID, None), 60);
    let alarm = rig.fleet.alarms().alarm(ID).unwrap();
    assert_eq!((alarm.state, alarm.annunciations), (State::Suppressed, 1));
    assert!(alarm.shelf.is_none());
    assert_eq!(rig.fleet.alarms().history().count(), 1);
    rig.check_replay();
}

#[test]
fn at_the_limit_the_oldest_of_the_lowest_priority_gives_way_to_a_higher_one() {
    let mut rig = Rig::default();
    let limit = |n: usize| Subject::Limit(name(&format!("limit {n}")));
    rig.run(raise(Kind::LimitExceeded, limit(0)), 10);
    for der in 1..AlarmBook::MAX_ACTIVE_ALARMS {
        rig.run(raise(Kind::DerSilent, Subject::Der(DerId::from(der))), 10);
    }
    rig.run(raise(Kind::AlarmsOverflow, Subject::Server), 11);
    assert_eq!(rig.run(raise(Kind::LimitExceeded, limit(1)), 12), 2);
    let book = rig.fleet.alarms();
    assert_eq!(book.len(), AlarmBook::MAX_ACTIVE_ALARMS + 1);
    assert!(book.is_raised(Kind::LimitExceeded, &limit(1)));
    let is_silent = |der: u32| book.is_raised(Kind::DerSilent, &Subject::Der(DerId(der)));
    assert!(!is_silent(1), "the oldest one of low priority");
    assert!(is_silent(2) && book.is_raised(Kind::AlarmsOverflow, &Subject::Server));
    assert_eq!(book.displaced_count(), 1);
    let low = rig.refused(raise(Kind::DerSilent, Subject::Der(DerId(1))), 13);
    assert!(matches!(low, Rejection::TooMany { .. }));
    rig.check_replay();

    for n in 2..AlarmBook::MAX_ACTIVE_ALARMS {
        rig.run(raise(Kind::LimitExceeded, limit(n)), 14);
    }
    let none_is_lower = raise(Kind::LimitExceeded, limit(AlarmBook::MAX_ACTIVE_ALARMS));
    let refused = rig.refused(none_is_lower, 15);
    assert!(matches!(refused, Rejection::TooMany { .. }));
    let displaced = rig.fleet.alarms().displaced_count() as usize;
    assert_eq!(displaced, AlarmBook::MAX_ACTIVE_ALARMS - 1);
}

#[test]
fn alarms_and_rules_are_bounded_in_number() {
    let mut rig = Rig::default();
    for der in 0..AlarmBook::MAX_ACTIVE_ALARMS {
        rig.run(raise(Kind::DerSilent, Subject::Der(DerId::from(der))), 10);
    }
    let one_more = raise(Kind::DerSilent, Subject::Der(DerId(u32::MAX)));
    let refused = rig.refused(one_more.clone(), 11);
    assert!(matches!(
        refused,
        Rejection::TooMany {
            max: AlarmBook::MAX_ACTIVE_ALARMS,
            ..
        }
    ));
    assert_eq!(rig.run(raise(Kind::AlarmsOverflow, Subject::Server), 11), 1);
    rig.run(AlarmCommand::Acknowledge(ID, name("ann"), None), 12);
    rig.run(AlarmCommand::Return(ID), 12);
    rig.run(AlarmCommand::Acknowledge(AlarmId(1), name("ann"), None), 12);
    rig.run(AlarmCommand::Return(AlarmId(1)), 12);
    assert_eq!(rig.run(one_more, 13), 1);
    for _ in 0..AlarmBook::MAX_SUPPRESSIONS {
        let rule = suppress(Subject::Limit(name("head")), None, Means::ByDesign);
        rig.run(rule, 14);
    }
    let rule = suppress(Subject::Server, None, Means::ByDesign);
    let refused = rig.refused(rule, 15);
    assert!(matches!(
        refused,
        Rejection::TooMany {
            max: AlarmBook::MAX_SUPPRESSIONS,
            ..
        }
    ));
}

#[test]
fn what_was_annunciated_is_remembered_for_a_month_and_in_number() {
    let mut book = AlarmBook::default();
    let raised = |id: u32, at: i64| {
        let raise = Raise {
            kind: Kind::DerSilent,
            subject: Subject::Der(DerId(id)),
            detail: Detail::Plain,
        };
        AlarmEvent::Raised(AlarmId(id), raise, t(at))
    };
    let most = u32::try_from(AlarmBook::MAX_HISTORY).unwrap();
    for id in 0..=most {
        book.apply(&raised(id, 10));
    }
    assert_eq!(book.history().count(), AlarmBook::MAX_HISTORY);
    assert_eq!(book.history().next().unwrap().alarm, AlarmId(1));
    let month = Duration::from_secs(30 * 86_400);
    book.apply(&raised(most + 1, t(11).after(month).secs()));
    assert_eq!(book.history().count(), 1);
    let alarm = book.alarm(AlarmId(0)).unwrap();
    assert_eq!(alarm.condition, Condition::Abnormal);
}
