use super::{Rig, mrid, t, target};
use crate::{
    Command, DerId, Fleet, GroupChange, Lfdi, MridKind, NewDispatch, Pin, Rejection, id::IdError,
};

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
        })
    };
    rig.must(&dispatch("d1", a), 10);
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
