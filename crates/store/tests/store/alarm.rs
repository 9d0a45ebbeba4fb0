//! Alarms in the journal: every event survives and folds to the same book.

use std::time::Duration;

use fleet::alarm::{Detail, Kind, Means, NewSuppression, Raise, Subject};
use fleet::{
    AggregatorId, AlarmCommand, AlarmEvent, AlarmId, AssignmentId, Command, DerId, DerKind,
    DispatchId, Event, Fleet, Level, NewAssignment, Note, SuppressionId,
};
use store::Store;
use store::record::{RecordError, decode, encode};
use units::{Timestamp, Watts};

use crate::sample::{NOW, batch, decide, name, new_der};

fn note(text: &str) -> Note {
    Note::new(text).unwrap()
}

fn raise(kind: Kind, subject: Subject, detail: Detail) -> AlarmCommand {
    AlarmCommand::Raise(Raise {
        kind,
        subject,
        detail,
    })
}

fn suppress(kind: Option<Kind>, means: Means, until: Option<Timestamp>) -> AlarmCommand {
    AlarmCommand::Suppress(Box::new(NewSuppression {
        subject: Subject::Assignment(AssignmentId(0)),
        kind,
        means,
        by: name("ann"),
        reason: note("\"works\" on the line"),
        until,
    }))
}

fn commands() -> Vec<AlarmCommand> {
    let later = NOW.after(Duration::from_secs(60));
    let members = |count| Detail::Members {
        count,
        of: 10_000,
        last_heard: NOW.before(Duration::from_millis(1)),
    };
    let power = Detail::Power {
        found: Watts::from_micro(-1),
        bound: Watts::whole(5_000),
    };
    let limit = || Subject::Limit(name("head: north"));
    let off = Detail::Off(Duration::from_millis(2_500));
    let place = Subject::Assignment(AssignmentId(0));
    let ann = || name("ann");
    vec![
        raise(Kind::PlaceSilent, place, members(9_000)),
        raise(Kind::LimitExceeded, limit(), power),
        raise(Kind::ClockBehind, Subject::Server, off),
        raise(Kind::ReadingsRefused, Subject::Server, Detail::Count(3)),
        raise(
            Kind::DerSilent,
            Subject::Der(DerId(0)),
            Detail::LastHeard(NOW),
        ),
        raise(
            Kind::PlaceSilent,
            Subject::Aggregator(AggregatorId(2)),
            members(1),
        ),
        raise(
            Kind::DispatchShort,
            Subject::Dispatch(DispatchId(1)),
            Detail::Plain,
        ),
        AlarmCommand::Describe(AlarmId(0), members(8_000)),
        AlarmCommand::Acknowledge(AlarmId(0), ann(), Some(note("called"))),
        AlarmCommand::Acknowledge(AlarmId(1), ann(), None),
        AlarmCommand::Return(AlarmId(2)),
        AlarmCommand::Shelve(AlarmId(3), ann(), note("known"), later),
        AlarmCommand::Unshelve(AlarmId(3), None),
        AlarmCommand::Shelve(AlarmId(3), ann(), note("known"), later),
        AlarmCommand::Unshelve(AlarmId(3), Some(ann())),
        suppress(None, Means::ByDesign, None),
        suppress(Some(Kind::PlaceSilent), Means::OutOfService, Some(later)),
        AlarmCommand::Release(SuppressionId(1), None),
        AlarmCommand::Release(SuppressionId(0), Some(ann())),
    ]
}

fn history() -> (Fleet, Vec<Event>) {
    let mut all = vec![
        Command::EnrolDer(new_der(0, DerKind::Pv)),
        Command::CreateAssignment(NewAssignment {
            name: name("feeder"),
            level: Level::Feeder,
            parent: None,
        }),
    ];
    all.extend(commands().into_iter().map(Command::Alarm));
    let mut fleet = Fleet::default();
    let mut events = decide(&mut fleet, &all, NOW);
    // Only as many alarms as are kept would make it.
    let displaced = AlarmEvent::Displaced(AlarmId(4), AlarmId(5), NOW);
    fleet.apply(&Event::Alarm(displaced.clone()));
    events.push(Event::Alarm(displaced));
    (fleet, events)
}

fn of_alarms() -> Vec<Event> {
    let (_, events) = history();
    let alarms = events.into_iter();
    alarms
        .filter(|event| matches!(event, Event::Alarm(_)))
        .collect()
}

#[test]
fn every_event_comes_back_the_same() {
    let mut kinds = std::collections::BTreeSet::new();
    for event in of_alarms() {
        let record = encode(&event).unwrap();
        kinds.insert(record.kind);
        let back = decode(record.kind, record.version, &record.payload);
        assert_eq!(back, Ok(event), "{}", record.payload);
    }
    assert_eq!(kinds.len(), 11, "one of each kind: {kinds:?}");
}

#[test]
fn folding_the_journal_gives_the_same_alarms() {
    let (fleet, events) = history();
    let mut store = store::Memory::new(crate::sample::JOURNAL);
    store.commit(&batch(0, &events)).unwrap();
    let (folded, _) = store::fold(&store).unwrap();
    assert_eq!(folded.alarms(), fleet.alarms());
    assert_eq!(folded, fleet);
}

#[test]
fn who_caused_an_event_is_told_while_folding() {
    let (_, events) = history();
    let mut store = store::Memory::new(crate::sample::JOURNAL);
    let batch = batch(0, &events);
    store.commit(&batch).unwrap();
    let mut noted = Vec::new();
    let mut note = |actor: &store::Actor, event: &Event| noted.push((actor.clone(), event.clone()));
    store::fold_noting(&store, &mut note).unwrap();
    let written = batch.entries.into_iter();
    let written: Vec<_> = written.map(|entry| (entry.actor, entry.event)).collect();
    assert_eq!(noted, written);
}

/// Each field of the wrong type is named.
#[test]
fn a_field_that_is_wrong_is_named() {
    for event in of_alarms() {
        let record = encode(&event).unwrap();
        let sound: serde_json::Value = serde_json::from_str(&record.payload).unwrap();
        let fields = sound.as_object().unwrap();
        for field in fields.keys() {
            let mut wrong = fields.clone();
            wrong.insert(field.clone(), serde_json::json!({"no": []}));
            let payload = serde_json::to_string(&wrong).unwrap();
            let refused = decode(record.kind, record.version, &payload);
            let Err(RecordError::Malformed { field: named, .. }) = refused else {
                panic!("{payload} is refused, not {refused:?}");
            };
            assert!(named.starts_with(field.as_str()), "{named}");
        }
    }
}

#[test]
fn kinds_and_subjects_that_are_unknown_are_refused() {
    let raised = |kind: &str, subject: &str| {
        let payload = serde_json::json!({
            "alarm": 0, "kind": kind, "subject": subject, "detail": "plain", "at_ms": 0
        });
        decode("alarm_raised", 1, &payload.to_string()).map_err(|error| error.to_string())
    };
    assert!(raised("der_silent", "der:3").is_ok());
    let wrong = raised("der_mute", "der:3").unwrap_err();
    assert_eq!(wrong, "field kind: \"der_mute\" is unknown");
    for subject in ["der:x", "der", "server:1", "limit:", "moon:1"] {
        let wrong = raised("der_silent", subject).unwrap_err();
        assert_eq!(wrong, format!("field subject: \"{subject}\" is unknown"));
    }
}

#[test]
fn a_time_finer_than_a_millisecond_is_refused() {
    let detail = Detail::Off(Duration::from_micros(1));
    let event = Event::Alarm(AlarmEvent::Described(AlarmId(0), detail));
    let refused = encode(&event).unwrap_err();
    assert_eq!((refused.kind, refused.field), ("alarm_described", "detail"));
}
