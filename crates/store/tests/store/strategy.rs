//! Strategies in the journal: every event survives and folds to the same book.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet::enrolment::{Dated, DemandResponseProgram, DemandResponseProgramId, Terms};
use fleet::strategy::{
    Calendar, Flow, Gauge, Level, Missed, NewStrategy, Occurrence, Outcome, Standing, Template,
    Threshold, Trigger,
};
use fleet::{
    Aim, Command, DerKind, DispatchId, EnrolmentCommand, Event, Fleet, GroupId, Note, Objective,
    Priority, Publish, StrategyCommand, StrategyId,
};
use store::Store;
use units::{Date, Percent, Timestamp, Watts, Weekday};

use crate::sample::{JOURNAL, NOW, batch, decide, mrid, name, new_der, new_group};

const EVENING: StrategyId = StrategyId(0);

fn evening() -> NewStrategy {
    NewStrategy {
        mrid: mrid("evening"),
        name: name("Évening \"peak\""),
        program: DemandResponseProgramId(0),
        group: GroupId(0),
        trigger: Trigger::Calendar(Calendar {
            weekdays: BTreeSet::from([Weekday::Monday, Weekday::Sunday]),
            months: BTreeSet::from([1, 12]),
            start_s: 61_200,
            excluded: BTreeSet::from([Date::new(2026, 12, 25).unwrap()]),
        }),
        template: Template {
            aim: Aim::Net(Watts::from_micro(2_000_000_001)),
            duration: Duration::from_secs(7_200),
            lead: Duration::from_secs(3_600),
            ramp: Some(Duration::from_secs(60)),
            priority: Priority::Reliability,
            objective: Objective::LeastUsed,
            publish: Publish::OnCommand,
            release: Duration::from_secs(300),
        },
        by: name("anna"),
    }
}

fn threshold(gauge: Gauge, (above, below): (Level, Level)) -> Trigger {
    Trigger::Threshold(Threshold {
        gauge,
        above,
        below,
        lasting: Duration::from_secs(30),
        pause: Duration::from_secs(900),
    })
}

fn commands() -> Vec<Command> {
    let plain = Template {
        ramp: None,
        publish: Publish::WhenApproved,
        ..evening().template
    };
    let share = |hundredths| Level::Share(Percent::from_hundredths(hundredths));
    let power = |w| Level::Power(Watts::whole(w));
    let limit = Gauge::Limit(name("import at feeder"));
    let others = [
        ("limit", threshold(limit, (share(9_000), share(8_000)))),
        (
            "import",
            threshold(
                Gauge::Group(GroupId(0), Flow::Import),
                (power(8_000), power(5_000)),
            ),
        ),
        (
            "export",
            threshold(
                Gauge::Group(GroupId(0), Flow::Export),
                (power(8_000), power(5_000)),
            ),
        ),
    ];
    let others = others.map(|(text, trigger)| {
        StrategyCommand::Put(Box::new(NewStrategy {
            mrid: mrid(text),
            name: name(text),
            trigger,
            template: plain.clone(),
            ..evening()
        }))
    });
    let note = |secs: u64, outcome| {
        let occurrence = Occurrence {
            start: NOW.after(Duration::from_secs(secs)),
            decided: NOW,
            outcome,
        };
        StrategyCommand::Note(EVENING, occurrence)
    };
    let reason = Note::new("short by 1.0 W of \"feeder\"").unwrap();
    let of_strategies = [
        note(1, Outcome::Created(DispatchId(4))),
        note(2, Outcome::Refused(reason)),
        note(3, Outcome::Missed(Missed::Down)),
        note(4, Outcome::Missed(Missed::Open(DispatchId(4)))),
        StrategyCommand::Rearm(EVENING),
        StrategyCommand::Stand(EVENING, Standing::Paused, name("bert")),
        StrategyCommand::Stand(EVENING, Standing::Running, name("bert")),
        StrategyCommand::Stand(StrategyId(3), Standing::Retired, name("bert")),
    ];
    let program = DemandResponseProgram {
        mrid: mrid("peak"),
        name: name("Peak"),
        terms: Dated::from(NOW, Terms::default()),
    };
    let mut commands = vec![
        Command::EnrolDer(new_der(0, DerKind::Storage)),
        Command::EnrolDer(new_der(1, DerKind::Storage)),
        Command::CreateGroup(new_group("group-1")),
        Command::Enrolment(EnrolmentCommand::PutProgram(program)),
        Command::Strategy(StrategyCommand::Put(Box::new(evening()))),
    ];
    commands.extend(others.map(Command::Strategy));
    commands.extend(of_strategies.map(Command::Strategy));
    commands
}

#[test]
fn every_event_of_strategies_survives_the_journal() {
    let mut live = Fleet::default();
    let events = decide(&mut live, &commands(), NOW);
    let kinds: BTreeSet<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Strategy(event) => Some(format!("{:?}", std::mem::discriminant(event))),
            _ => None,
        })
        .collect();
    assert_eq!(kinds.len(), 4, "one of each kind");

    let mut store = store::Memory::new(JOURNAL);
    store.commit(&batch(0, &events)).unwrap();
    let (folded, _) = store::fold(&store).unwrap();
    assert_eq!(folded, live);
    let maker = folded.strategies().maker_of(DispatchId(4)).unwrap();
    assert_eq!(maker.id, EVENING);
}

/// What is written stays readable: the shapes of version 1, word by word.
#[test]
fn the_records_are_these() {
    let events = decide(&mut Fleet::default(), &commands(), NOW);
    let at = NOW.millis();
    let records: Vec<String> = events
        .iter()
        .filter(|event| matches!(event, Event::Strategy(_)))
        .map(|event| store::record::encode(event).unwrap())
        .map(|record| format!("{} {} {}", record.kind, record.version, record.payload))
        .collect();
    let mark = |by: &str| format!(r#"{{"by":"{by}","at_ms":{at}}}"#);
    let anna = mark("anna");
    let start = |secs: i64| Timestamp::from_millis(at + secs * 1_000).millis();
    assert_eq!(
        records[0],
        format!(
            r#"strategy_put 1 {{"strategy":0,"mrid":"evening","name":"Évening \"peak\"","program":0,"group":0,"trigger":{{"calendar":{{"weekdays":[1,7],"months":[1,12],"start_s":61200,"excluded":[[2026,12,25]]}}}},"template":{{"aim":{{"net":2000000001}},"duration_ms":7200000,"lead_ms":3600000,"ramp_ms":60000,"priority":"reliability","objective":"least_used","on_command":true,"release_ms":300000}},"standing":"running","created":{anna},"changed":{anna}}}"#
        )
    );
    let trigger = |record: &str| {
        let from = record.find(r#""trigger":"#).unwrap();
        let to = record.find(r#","template""#).unwrap();
        record[from + 10..to].to_owned()
    };
    assert_eq!(
        [1, 2, 3].map(|n| trigger(&records[n])),
        [
            r#"{"threshold":{"gauge":{"limit":"import at feeder"},"above":{"share":9000},"below":{"share":8000},"lasting_ms":30000,"pause_ms":900000}}"#,
            r#"{"threshold":{"gauge":{"group_import":0},"above":{"power":8000000000},"below":{"power":5000000000},"lasting_ms":30000,"pause_ms":900000}}"#,
            r#"{"threshold":{"gauge":{"group_export":0},"above":{"power":8000000000},"below":{"power":5000000000},"lasting_ms":30000,"pause_ms":900000}}"#,
        ]
    );
    let bert = mark("bert");
    let (first, second, third, fourth) = (start(1), start(2), start(3), start(4));
    assert_eq!(
        records[4..],
        [
            format!(
                r#"strategy_occurred 1 {{"strategy":0,"start_ms":{first},"decided_ms":{at},"outcome":{{"created":4}}}}"#
            ),
            format!(
                r#"strategy_occurred 1 {{"strategy":0,"start_ms":{second},"decided_ms":{at},"outcome":{{"refused":"short by 1.0 W of \"feeder\""}}}}"#
            ),
            format!(
                r#"strategy_occurred 1 {{"strategy":0,"start_ms":{third},"decided_ms":{at},"outcome":"missed_down"}}"#
            ),
            format!(
                r#"strategy_occurred 1 {{"strategy":0,"start_ms":{fourth},"decided_ms":{at},"outcome":{{"missed_open":4}}}}"#
            ),
            format!(r#"strategy_rearmed 1 {{"strategy":0,"at_ms":{at}}}"#),
            format!(r#"strategy_stood 1 {{"strategy":0,"standing":"paused","mark":{bert}}}"#),
            format!(r#"strategy_stood 1 {{"strategy":0,"standing":"running","mark":{bert}}}"#),
            format!(r#"strategy_stood 1 {{"strategy":3,"standing":"retired","mark":{bert}}}"#),
        ]
    );
}

#[test]
fn what_nobody_knows_is_refused() {
    for (payload, error) in [
        (
            r#"{"strategy":0,"standing":"asleep","mark":{"by":"a","at_ms":0}}"#,
            "field standing: \"asleep\" is unknown",
        ),
        (
            r#"{"strategy":0,"standing":"paused","mark":{"by":"","at_ms":0}}"#,
            "field by: name must have 1 to 64 characters, has 0",
        ),
    ] {
        let refused = store::record::decode("strategy_stood", 1, payload).unwrap_err();
        assert_eq!(refused.to_string(), error);
    }
}
