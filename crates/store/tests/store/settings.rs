//! Settings management in the journal: every event survives and folds to the same book.

use std::time::Duration;

use fleet::settings_profile::{
    Abnormal, AppliedSettings, Basis, Category, Criteria, Decimal, Decision, Drift, Excitation,
    HaltReason, NewRollOut, NewSettingsProfile, Normal, Parameter, Realised, Requirement,
    StagePlan, Subject, Value, Values,
};
use fleet::{
    AssignmentId, Command, ControlBase, DefaultControl, DerId, DerKind, Event, Fleet, Level,
    NewAssignment, Note, RollOutId, Setting, SettingsCommand, SettingsEvent, SettingsProfileId,
};
use store::Store;
use store::record::{RecordError, decode, encode};
use units::{Percent, Timestamp, Vars, VoltAmperes};

use crate::sample::{NOW, batch, decide, name, new_der};

const CATEGORY: Category = Category {
    normal: Normal::A,
    abnormal: Abnormal::II,
};

fn values() -> Values {
    Values::from([
        (
            Parameter::EsDelay,
            Value::Number(Decimal::from_milli(300_000)),
        ),
        (
            Parameter::QvCurveQ4,
            Value::Number(Decimal::from_milli(-440)),
        ),
        (Parameter::ConstPfModeEnable, Value::Enabled(false)),
        (
            Parameter::ConstPfExcitation,
            Value::Excitation(Excitation::Absorbing),
        ),
    ])
}

fn require(subject: Subject, profile: Option<SettingsProfileId>) -> SettingsCommand {
    SettingsCommand::Require(Requirement {
        subject,
        profile,
        from: NOW,
        author: name("ann"),
    })
}

fn realised() -> Realised {
    let mut replaced = DefaultControl::asking(ControlBase::of([Setting::Energize(true)]));
    replaced.grad_w = Some(100);
    replaced.enter_service.low_volt_cpct = Some(-1);
    Realised {
        profile: SettingsProfileId(0),
        basis: Some(Basis {
            s_max: VoltAmperes::whole(10),
            q_inject_max: Vars::whole(4),
            q_absorb_max: Vars::whole(3),
        }),
        at: NOW,
        previous: Some(SettingsProfileId(0)),
        replaced,
    }
}

fn commands() -> Vec<SettingsCommand> {
    let drift = Drift {
        der: DerId(0),
        parameter: Parameter::EsDelay,
        profile: SettingsProfileId(0),
        required: Value::Number(Decimal::from_milli(300_000)),
        reported: Value::Number(Decimal::ZERO),
        since: NOW,
    };
    let applied = AppliedSettings {
        values: values(),
        at: NOW,
        author: name("installer"),
    };
    let mut commands = vec![
        SettingsCommand::CreateProfile(NewSettingsProfile {
            name: name("spring"),
            category: CATEGORY,
            values: values(),
            comment: Some(Note::new("\"first\"").unwrap()),
            author: name("ann"),
        }),
        SettingsCommand::SetCategory(DerId(0), CATEGORY),
        require(Subject::Der(DerId(0)), Some(SettingsProfileId(0))),
        require(Subject::Assignment(AssignmentId(0)), None),
        require(Subject::Category(CATEGORY), Some(SettingsProfileId(0))),
        SettingsCommand::BeginRollOut(Box::new(NewRollOut {
            name: name("faster"),
            profile: SettingsProfileId(0),
            plan: StagePlan::Lists(vec![vec![DerId(1)], vec![DerId(0)]]),
            criteria: Criteria {
                wait: Duration::from_secs(900),
                deadline: Duration::from_secs(86_400),
                match_min: Percent::from_hundredths(9_550),
                alarms_max: 2,
            },
            comment: None,
            author: name("ann"),
        })),
    ];
    let evidence = HaltReason::Evidence { matching: 3, of: 4 };
    let steps = [
        Decision::Advanced,
        Decision::Halted(HaltReason::Operator),
        Decision::Resumed,
        Decision::Halted(HaltReason::Alarms(7)),
        Decision::Resumed,
        Decision::Halted(evidence),
        Decision::Resumed,
        Decision::Completed,
        Decision::RolledBack,
    ];
    commands.extend(steps.map(|step| SettingsCommand::StepRollOut(RollOutId(0), step)));
    commands.extend([
        SettingsCommand::Realise(DerId(0), Some(Box::new(realised()))),
        SettingsCommand::Realise(DerId(0), None),
        SettingsCommand::ReportApplied(DerId(0), Box::new(applied)),
        SettingsCommand::RaiseDrift(drift),
        SettingsCommand::ClearDrift(DerId(0), Parameter::EsDelay),
    ]);
    commands
}

fn history() -> (Fleet, Vec<Event>) {
    let mut all = vec![
        Command::EnrolDer(new_der(0, DerKind::Pv)),
        Command::EnrolDer(new_der(1, DerKind::Pv)),
        Command::CreateAssignment(NewAssignment {
            name: name("feeder"),
            level: Level::Feeder,
            parent: None,
        }),
    ];
    all.extend(commands().into_iter().map(Command::Settings));
    let mut fleet = Fleet::default();
    let events = decide(&mut fleet, &all, NOW);
    (fleet, events)
}

#[test]
fn every_event_comes_back_the_same() {
    let (_, events) = history();
    let settings = events.iter().filter(|e| matches!(e, Event::Settings(_)));
    assert_eq!(settings.count(), commands().len(), "one event a command");
    for event in events {
        let record = encode(&event).unwrap();
        let back = decode(record.kind, record.version, &record.payload);
        assert_eq!(back, Ok(event), "{}", record.payload);
    }
}

#[test]
fn folding_the_journal_gives_the_same_book() {
    let (fleet, events) = history();
    let mut store = store::Memory::new(crate::sample::JOURNAL);
    store.commit(&batch(0, &events)).unwrap();
    let (folded, _) = store::fold(&store).unwrap();
    assert_eq!(folded, fleet);
}

/// Each field taken away or of the wrong type is named.
#[test]
fn a_field_that_is_wrong_is_named() {
    for event in history()
        .1
        .iter()
        .filter(|e| matches!(e, Event::Settings(_)))
    {
        let record = encode(event).unwrap();
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
            assert!(
                named.starts_with(field.as_str()) || named == "parameter",
                "{named}"
            );
        }
    }
}

#[test]
fn a_parameter_that_is_unknown_is_refused() {
    let payload = r#"{"der":0,"parameter":"ES_DELAYED","at_ms":0}"#;
    assert_eq!(
        decode("drift_cleared", 1, payload).unwrap_err().to_string(),
        "field parameter: \"ES_DELAYED\" is unknown"
    );
}

#[test]
fn a_roll_out_that_has_gone_on_is_no_beginning() {
    let (_, events) = history();
    let begun = events.into_iter().find_map(|event| match event {
        Event::Settings(SettingsEvent::RollOutBegun(roll_out)) => Some(roll_out),
        _ => None,
    });
    let begun = begun.unwrap();
    let mut on = begun.clone();
    on.step(Decision::Advanced, Timestamp::from_secs(1));
    let mut finer = begun;
    finer.criteria.wait = Duration::from_millis(1);
    for (roll_out, field) in [(on, "phase"), (finer, "criteria")] {
        let refused = encode(&Event::Settings(SettingsEvent::RollOutBegun(roll_out)));
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind, refused.field), ("roll_out_begun", field));
    }
}
