use fleet::microgrid::{
    Agreement, Coupling, Member, MicrogridCommand, NewMicrogrid, Report, State,
};
use fleet::{
    CimMrid, Command, Control, ControlBase, DerId, DerKind, Fleet, Lfdi, MicrogridId, Name, NewDer,
    Note, Origin, Pin, Setting,
};
use units::Percent;

use crate::sim::check::island;

use super::{START, control, later, plan};

fn of(origin: Origin, setting: Setting) -> Control {
    Control {
        origin,
        base: ControlBase::of([setting]),
        ..control()
    }
}

#[test]
fn what_stands_at_a_member_off_the_grid_is_seen() {
    let power = control().base.settings()[0];
    let limit = Setting::ExpLimW(fleet::Scaled::ZERO);
    let check = |control: &Control, coupling| island::control(control, coupling, START).is_err();
    let envelope = of(Origin::Envelope, limit);
    for (control, uncertain, separated) in [
        (of(Origin::Operator, power), true, true),
        (of(Origin::Operator, limit), false, true),
        (envelope.clone(), false, true),
        (of(Origin::Settings, limit), false, false),
        (of(Origin::Operator, Setting::Connect(false)), false, false),
    ] {
        assert!(!check(&control, Coupling::Connected));
        assert_eq!(check(&control, Coupling::Uncertain), uncertain);
        assert_eq!(check(&control, Coupling::Separated), separated);
    }
    let withdrawn = Control {
        cancelled: Some(START),
        ..envelope.clone()
    };
    assert!(!check(&withdrawn, Coupling::Separated));
    let over = island::control(&envelope, Coupling::Separated, later(600));
    assert_eq!(over, Ok(()));
}

/// DER 0 in a microgrid that is an island since `START`.
fn fleet() -> Fleet {
    let name = |text: &str| Name::new(text).unwrap();
    let mut fleet = Fleet::default();
    let new = NewDer {
        mrid: CimMrid::new("der").unwrap(),
        name: name("der"),
        kind: DerKind::Storage,
        lfdi: Lfdi([1; 20]),
        pin: Pin::with_check_digit(1),
        registered: true,
        reserve: Percent::default(),
        manager: None,
        assignments: Vec::new(),
    };
    let microgrid = NewMicrogrid {
        mrid: CimMrid::new("microgrid").unwrap(),
        name: name("microgrid"),
        assignment: None,
        import_max: None,
        export_max: None,
        controller: None,
        members: vec![Member {
            der: DerId(0),
            grid_forming: None,
            black_start: None,
        }],
    };
    let report = Report {
        state: State::Islanded,
        at: START,
        by: name("operator"),
        reason: Note::new("seen").unwrap(),
        agreement: Agreement::NotGiven,
    };
    for command in [
        Command::EnrolDer(new),
        Command::Microgrid(MicrogridCommand::Put(Box::new(microgrid))),
        Command::Microgrid(MicrogridCommand::Report(MicrogridId(0), report)),
    ] {
        for event in fleet.decide(&command, START).unwrap() {
            fleet.apply(&event);
        }
    }
    fleet
}

#[test]
fn a_share_of_a_member_in_an_island_is_seen() {
    let fleet = fleet();
    let mut made = plan(1, [1_000, 0]);
    assert_eq!(island::plan(&made, &fleet), Ok(()), "made with the report");
    made.made = later(1);
    assert!(island::plan(&made, &fleet).is_err());
    made.allocations.remove(0);
    assert_eq!(island::plan(&made, &fleet), Ok(()));
}

#[test]
fn a_member_in_an_island_that_follows_a_control_for_many_is_seen() {
    let fleet = fleet();
    let for_many = Control {
        der: None,
        ..control()
    };
    let follows = |der, control: &Control, known| island::follows(der, control, &fleet, known);
    assert!(follows(DerId(0), &for_many, START).is_err());
    let before = START.before(std::time::Duration::from_secs(1));
    assert_eq!(follows(DerId(0), &for_many, before), Ok(()), "not heard of");
    assert_eq!(follows(DerId(0), &control(), START), Ok(()));
    assert_eq!(follows(DerId(1), &for_many, START), Ok(()));
}
