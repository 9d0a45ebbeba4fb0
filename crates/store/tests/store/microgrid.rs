//! Microgrids in the journal: every event survives and folds to the same book.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet::microgrid::{
    Action, Agreement, Exchange, Member, NewMicrogrid, NewPermit, Report, SchedulePoint, State,
};
use fleet::{
    Client, Command, DerId, DerKind, Event, Fleet, MicrogridCommand, MicrogridId, Note, PermitId,
};
use store::Store;
use units::{Timestamp, Watts};

use crate::sample::{JOURNAL, NOW, batch, decide, interval, mrid, name, new_der};

const CAMPUS: MicrogridId = MicrogridId(0);

fn campus() -> NewMicrogrid {
    NewMicrogrid {
        mrid: mrid("campus"),
        name: name("Überlingen \"Campus\""),
        assignment: None,
        import_max: Some(Watts::from_micro(7_000_000_001)),
        export_max: Some(Watts::ZERO),
        controller: Some(Client::Der(DerId(1))),
        members: vec![
            Member {
                der: DerId(0),
                grid_forming: Some(true),
                black_start: Some(false),
            },
            Member {
                der: DerId(1),
                grid_forming: None,
                black_start: None,
            },
        ],
    }
}

fn report(state: State) -> MicrogridCommand {
    let report = Report {
        state,
        at: NOW,
        by: name("operator"),
        reason: Note::new("seen").unwrap(),
        agreement: Agreement::Given,
    };
    MicrogridCommand::Report(CAMPUS, report)
}

fn grant(action: Action) -> MicrogridCommand {
    let new = NewPermit {
        action,
        window: interval(0, 3_600),
        by: name("control room"),
        reason: Note::new("yearly test").unwrap(),
    };
    MicrogridCommand::Grant(CAMPUS, new)
}

fn schedule() -> MicrogridCommand {
    let point = |start: i64, exchange| SchedulePoint {
        interval: interval(start, 900),
        exchange,
    };
    let net = Exchange::Net {
        p: Watts::whole(-2_000),
        tolerance: Watts::whole(50),
    };
    let limits = Exchange::Limits {
        import_max: None,
        export_max: Some(Watts::whole(1_000)),
    };
    MicrogridCommand::SetSchedule(CAMPUS, vec![point(0, net), point(900, limits)])
}

fn commands() -> Vec<Command> {
    let harbour = NewMicrogrid {
        mrid: mrid("harbour"),
        name: name("harbour"),
        controller: None,
        members: vec![Member {
            der: DerId(2),
            grid_forming: None,
            black_start: None,
        }],
        ..campus()
    };
    let by = name("control room");
    let of_microgrids = [
        MicrogridCommand::Put(Box::new(campus())),
        MicrogridCommand::Put(Box::new(harbour)),
        MicrogridCommand::Remove(MicrogridId(1)),
        schedule(),
        grant(Action::Island),
        grant(Action::Reconnect),
        report(State::PlannedIslanding),
        report(State::Islanded),
        report(State::DeEnergised),
        report(State::BlackStart),
        MicrogridCommand::Revoke(CAMPUS, PermitId(1), by),
    ];
    let ders = (0..3).map(|index| Command::EnrolDer(new_der(index, DerKind::Storage)));
    ders.chain(of_microgrids.map(Command::Microgrid)).collect()
}

#[test]
fn every_event_of_microgrids_survives_the_journal() {
    let mut live = Fleet::default();
    let events = decide(&mut live, &commands(), NOW);
    let kinds: BTreeSet<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Microgrid(event) => Some(format!("{:?}", std::mem::discriminant(event))),
            _ => None,
        })
        .collect();
    assert_eq!(kinds.len(), 6, "one of each kind");

    let mut store = store::Memory::new(JOURNAL);
    store.commit(&batch(0, &events)).unwrap();
    let (folded, _) = store::fold(&store).unwrap();
    assert_eq!(folded, live);
    let (_, operation) = folded.microgrids().microgrid(CAMPUS).unwrap();
    assert_eq!(operation.state(), State::BlackStart);
    assert_eq!(operation.current().at, NOW);
    let until = NOW.after(Duration::from_secs(3_599));
    assert!(operation.permit(Action::Island, until).is_some());
    assert!(operation.permit(Action::Reconnect, NOW).is_none());
}

/// What is written stays readable: the shapes of version 1, word by word.
#[test]
fn the_records_are_these() {
    let events = decide(&mut Fleet::default(), &commands(), NOW);
    let at = NOW.millis();
    let records: Vec<(String, String)> = events
        .iter()
        .filter(|event| matches!(event, Event::Microgrid(_)))
        .map(|event| store::record::encode(event).unwrap())
        .map(|record| {
            (
                format!("{} {}", record.kind, record.version),
                record.payload,
            )
        })
        .collect();
    let of = |kind: &str| {
        let found = records.iter().find(|(of, _)| of == kind);
        found.unwrap_or_else(|| panic!("no {kind}")).1.clone()
    };
    assert_eq!(
        of("microgrid_put 1"),
        format!(
            r#"{{"microgrid":0,"mrid":"campus","name":"Überlingen \"Campus\"","import_max":7000000001,"export_max":0,"controller":{{"der":1}},"members":[{{"der":0,"grid_forming":true,"black_start":false}},{{"der":1}}],"at_ms":{at}}}"#
        )
    );
    assert_eq!(of("microgrid_removed 1"), r#"{"microgrid":1}"#);
    assert_eq!(
        of("microgrid_moved 1"),
        format!(
            r#"{{"microgrid":0,"to":"planned_islanding","at_ms":{at},"leave":{{"permit":0}},"by":"operator","reason":"seen","reported_ms":{at}}}"#
        )
    );
    assert_eq!(
        of("microgrid_permit_granted 1"),
        format!(
            r#"{{"microgrid":0,"permit":0,"action":"island","window":[{at},3600000],"by":"control room","reason":"yearly test","at_ms":{at}}}"#
        )
    );
    assert_eq!(
        of("microgrid_permit_revoked 1"),
        format!(r#"{{"microgrid":0,"permit":1,"by":"control room","at_ms":{at}}}"#)
    );
    let start = Timestamp::from_secs(NOW.secs()).millis();
    let next = start + 900_000;
    assert_eq!(
        of("microgrid_schedule_set 1"),
        format!(
            r#"{{"microgrid":0,"points":[[[{start},900000],{{"net":[-2000000000,50000000]}}],[[{next},900000],{{"limits":[null,1000000000]}}]]}}"#
        )
    );
}

#[test]
fn a_state_that_nobody_knows_is_refused() {
    let payload = r#"{"microgrid":0,"to":"adrift","at_ms":0,"leave":"none","by":"a","reason":"b","reported_ms":0}"#;
    let error = store::record::decode("microgrid_moved", 1, payload).unwrap_err();
    assert_eq!(error.to_string(), "field to: \"adrift\" is unknown");
}
