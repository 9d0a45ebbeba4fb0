use super::{Rig, mrid, t, target};
use crate::dispatch::Plan;
use crate::{
    ActivePower, Command, Conduct, ControlBase, DerId, DispatchId, Fleet, GroupChange, GroupName,
    Lfdi, MridKind, Name, NewControl, NewDispatch, Origin, Pin, ProgramId, Rejection, id::IdError,
};

/// Lets the newest dispatch out, with a plan that asks nobody.
fn publish(rig: &mut Rig, now: i64) {
    let dispatch = DispatchId::from(rig.fleet.dispatches().len() - 1);
    let plan = Plan {
        dispatch,
        generation: 1,
        made: t(now),
        effective: t(now),
        allocations: Vec::new(),
        unasked: Vec::new(),
        balances: Vec::new(),
        elsewhere: Vec::new(),
        late: Vec::new(),
        pasts: Vec::new(),
        observed: 0,
    };
    rig.must(&Command::AdoptPlan(plan), now);
    rig.must(&Command::PublishDispatch(dispatch), now);
}

#[test]
fn folding_the_events_again_gives_the_same_fleet() {
    let mut rig = Rig::new();
    let members = [rig.storage(5_000, 10_000), rig.storage(5_000, 10_000)];
    rig.group("g", &members);
    let id = rig.fleet.group_by_mrid(&mrid("g")).unwrap().id;
    let change = GroupChange {
        remove: vec![members[1]],
        ..GroupChange::default()
    };
    rig.must(&Command::ChangeGroup(id, change), 5);
    let mut again = Fleet::default();
    for event in &rig.events {
        again.apply(event);
    }
    assert_eq!(again, rig.fleet);
    assert_eq!(rig.fleet.group(id).unwrap().version.minor, 1);
}

#[test]
fn the_same_report_twice_is_one_event() {
    let mut rig = Rig::new();
    let id = rig.storage(5_000, 10_000);
    let capability = rig.fleet.der(id).unwrap().capability.clone().unwrap();
    assert!(
        rig.must(&Command::ReportCapability(id, capability), 9)
            .is_empty()
    );
}

#[test]
fn a_group_in_use_is_not_deleted_and_members_are_not_promised_twice() {
    let mut rig = Rig::new();
    let member = rig.storage(5_000, 10_000);
    rig.group("a", &[member]);
    rig.group("b", &[member]);
    let id = |name| rig.fleet.group_by_mrid(&mrid(name)).unwrap().id;
    let (a, b) = (id("a"), id("b"));
    let dispatch = |name, group| {
        let schedule = vec![target(100, 60, 1_000)];
        let mrid = mrid(name);
        Command::CreateDispatch(NewDispatch {
            mrid,
            name: None,
            group,
            schedule,
            ramp: None,
            conduct: Conduct::default(),
        })
    };
    rig.must(&dispatch("d1", a), 10);
    publish(&mut rig, 10);
    let second = rig.fleet.decide(&dispatch("d2", b), t(11)).unwrap_err();
    assert_eq!(
        second.to_string(),
        "schedule: members are committed to dispatch d1 at that time"
    );
    let delete = rig
        .fleet
        .decide(&Command::DeleteGroup(a), t(50))
        .unwrap_err();
    assert_eq!(delete, Rejection::GroupInUse(mrid("a")));
    assert!(rig.fleet.decide(&Command::DeleteGroup(a), t(160)).is_ok());
}

#[test]
fn members_neither_come_nor_go_while_their_group_is_dispatched() {
    let mut rig = Rig::new();
    let members = [rig.storage(5_000, 10_000), rig.storage(5_000, 10_000)];
    rig.group("a", &members[..1]);
    let group = rig.fleet.group_by_mrid(&mrid("a")).unwrap().id;
    let schedule = vec![target(100, 60, 1_000)];
    let dispatch = NewDispatch {
        mrid: mrid("d"),
        name: None,
        group,
        schedule,
        ramp: None,
        conduct: Conduct::default(),
    };
    rig.must(&Command::CreateDispatch(dispatch), 10);
    let add = GroupChange {
        add: vec![members[1]],
        ..GroupChange::default()
    };
    let remove = GroupChange {
        remove: vec![members[0]],
        ..GroupChange::default()
    };
    for change in [add.clone(), remove] {
        let refused = rig
            .fleet
            .decide(&Command::ChangeGroup(group, change), t(50));
        assert_eq!(refused, Err(Rejection::GroupInUse(mrid("a"))));
    }
    let renamed = GroupChange {
        description: Name::new("b").ok(),
        ..GroupChange::default()
    };
    rig.must(&Command::ChangeGroup(group, renamed), 50);
    rig.must(&Command::ChangeGroup(group, add), 160);
}

#[test]
fn the_limits_of_a_fleet_are_reached_and_named() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    rig.group("a", &[der]);
    let group = rig.fleet.group_by_mrid(&mrid("a")).unwrap().id;
    let too_many = |rig: &Rig, command: &Command| match rig.fleet.decide(command, t(1)) {
        Err(Rejection::TooMany { what, max }) => (what, max),
        other => panic!("{other:?}"),
    };
    let schedule = |count: i64| (0..count).map(|k| target(10 + k, 1, 0)).collect();
    let dispatch = |index: usize, schedule| {
        let mrid = mrid(&format!("d{index}"));
        Command::CreateDispatch(NewDispatch {
            mrid,
            name: None,
            group,
            schedule,
            ramp: None,
            conduct: Conduct::default(),
        })
    };
    let intervals = i64::try_from(Fleet::MAX_INTERVALS).unwrap();
    let long = dispatch(0, schedule(intervals + 1));
    assert_eq!(too_many(&rig, &long), ("intervals", Fleet::MAX_INTERVALS));

    let name = GroupName {
        name: Name::new("n").unwrap(),
        name_type: None,
        authority: None,
    };
    let names = Some(vec![name; Fleet::MAX_GROUP_NAMES + 1]);
    let change = Command::ChangeGroup(
        group,
        GroupChange {
            names,
            ..GroupChange::default()
        },
    );
    assert_eq!(
        too_many(&rig, &change),
        ("group names", Fleet::MAX_GROUP_NAMES)
    );

    for index in 0..Fleet::MAX_OPEN_DISPATCHES {
        let start = 10 + i64::try_from(index).unwrap();
        rig.must(&dispatch(index, vec![target(start, 1, 0)]), 1);
    }
    let one_more = dispatch(Fleet::MAX_OPEN_DISPATCHES, vec![target(9_000, 1, 0)]);
    assert_eq!(
        too_many(&rig, &one_more),
        ("open dispatches", Fleet::MAX_OPEN_DISPATCHES)
    );
}

#[test]
fn controls_that_are_over_make_room_for_others() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let control = |start: i64| {
        Command::IssueControl(NewControl {
            der: Some(der),
            program: ProgramId(0),
            origin: Origin::Operator,
            interval: target(start, 1, 0).interval,
            base: ControlBase::asking(ActivePower::TargetW {
                value: 1,
                multiplier: 0,
            }),
            terms: None,
        })
    };
    let limit = i64::try_from(Fleet::MAX_LIVE_CONTROLS).unwrap();
    for start in 0..limit {
        rig.must(&control(10 + start), 1);
    }
    let refused = rig.fleet.decide(&control(9_000), t(1)).unwrap_err();
    let max = Fleet::MAX_LIVE_CONTROLS;
    assert_eq!(
        refused,
        Rejection::TooMany {
            what: "controls of one DER",
            max
        }
    );
    rig.group("a", &[der]);
    let group = rig.fleet.group_by_mrid(&mrid("a")).unwrap().id;
    let schedule = vec![target(9_000, 60, 0)];
    let dispatch = NewDispatch {
        mrid: mrid("d"),
        name: None,
        group,
        schedule,
        ramp: None,
        conduct: Conduct::default(),
    };
    let refused = rig
        .fleet
        .decide(&Command::CreateDispatch(dispatch), t(1))
        .unwrap_err();
    assert_eq!(
        refused,
        Rejection::TooMany {
            what: "controls of one DER",
            max
        }
    );
    rig.must(&control(9_000), 12);
}

#[test]
fn an_unknown_member_refuses_the_whole_group_change() {
    let mut rig = Rig::new();
    rig.group("a", &[]);
    let id = rig.fleet.group_by_mrid(&mrid("a")).unwrap().id;
    let change = GroupChange {
        add: vec![DerId(7)],
        ..GroupChange::default()
    };
    let refused = rig
        .fleet
        .decide(&Command::ChangeGroup(id, change), t(1))
        .unwrap_err();
    assert_eq!(refused.to_string(), "no DER 7");
}

/// The pair is the worked example that public 2030.5 material repeats.
#[test]
fn short_form_identifier_of_a_known_certificate() {
    let lfdi: Lfdi = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5".parse().unwrap();
    assert_eq!(lfdi.sfdi(), 167_261_211_391);
    assert_eq!(lfdi.to_string(), "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5");
}

#[test]
fn a_pin_carries_a_check_digit() {
    assert_eq!(Pin::with_check_digit(11_111).digits(), 111_115);
    assert_eq!(Pin::new(111_116), Err(IdError::CheckDigit(111_116)));
}

#[test]
fn mrids_of_one_fleet_differ_and_end_with_its_enterprise_number() {
    let rig = Rig::new();
    let identity = rig.fleet.identity();
    let first = identity.mrid(MridKind::Control, 1).to_string();
    assert_eq!(first.len(), 32);
    assert!(first.ends_with(&format!("{:08X}", 37_250)));
    assert_ne!(
        identity.mrid(MridKind::Program, 1),
        identity.mrid(MridKind::Control, 1)
    );
}
