use iec61968_5::client;
use iec61968_5::envelope::Outcome;
use iec61968_5::message::{Operation, Payload};
use iec61968_5::wire::der_group_queries::GroupKey;
use iec61968_5::wire::naming::Name;
use iec61968_5::wire::quantity::{DerParameter, UnitMultiplier, UnitSymbol};

use crate::scene::{NOW, Scene, errors};

const QUERY: Operation = Operation::QueryDerGroupStatuses;

#[test]
fn a_status_tells_what_a_group_does_and_can_do() {
    let mut scene = Scene::new();
    let mrid = scene.group("east", &["der-1", "der-2"]);
    let answer = scene.ask(QUERY, client::query(vec![]));
    assert_eq!(answer.header.noun, "DERGroupStatuses");
    let Some(Payload::Statuses(statuses)) = answer.payload else {
        panic!("no payload")
    };
    let [east] = statuses.groups.as_slice() else {
        panic!("one group")
    };
    assert_eq!(
        (east.mrid.as_ref(), &east.names),
        (Some(&mrid), &vec![Name::plain("east")])
    );
    let value = |kind| {
        east.parameters
            .iter()
            .find(|p| p.parameter == kind)
            .unwrap()
    };
    let p = value(DerParameter::ActivePower);
    assert_eq!(
        (p.unit, p.multiplier, p.flow_direction),
        (UnitSymbol::W, UnitMultiplier::One, None)
    );
    assert_eq!(
        (p.installed_max, p.installed_min),
        (Some(10_000.0), Some(-2_000.0))
    );
    assert_eq!(
        (p.max, p.min, p.nominal),
        (Some(4_500.0), Some(-1_000.0), Some(3_000.0))
    );
    assert_eq!(p.time_stamp, NOW);
    let q = value(DerParameter::ReactivePower);
    assert_eq!((q.unit, q.nominal), (UnitSymbol::VAr, Some(-400.0)));
    assert_eq!(
        (q.installed_max, q.installed_min),
        (Some(4_000.0), Some(-4_000.0))
    );
    let s = value(DerParameter::ApparentPower);
    assert_eq!((s.unit, s.installed_max), (UnitSymbol::VA, Some(11_000.0)));
    assert!((s.nominal.unwrap() - 3_026.549).abs() < 0.001);
    let v = value(DerParameter::Voltage);
    assert_eq!(
        (v.min, v.nominal, v.max),
        (Some(228.5), Some(230.0), Some(231.25))
    );
    let status = east.status.clone().unwrap();
    assert_eq!(status.value.as_deref(), Some("Online"));
    assert_eq!(status.remark.as_deref(), Some("2 of 2 members reporting"));
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut scene = Scene::new();
    scene.group("empty", &[]);
    let answer = scene.ask(QUERY, client::query(vec![]));
    let Some(Payload::Statuses(statuses)) = answer.payload else {
        panic!("no payload")
    };
    let status = statuses.groups[0].status.clone().unwrap();
    assert_eq!(status.value.as_deref(), Some("Offline"));
}

#[test]
fn a_missing_group_is_named_beside_those_found() {
    let mut scene = Scene::new();
    scene.group("east", &["der-1"]);
    let named = |name: &str| GroupKey {
        mrid: None,
        names: vec![Name::plain(name)],
    };
    let unknown = GroupKey {
        mrid: Some("nobody".to_owned()),
        names: vec![],
    };
    let asked = client::query(vec![named("north"), named("east"), unknown]);
    let answer = scene.ask(QUERY, asked);
    assert_eq!(answer.reply.result, Outcome::Partial);
    assert_eq!(
        errors(&answer),
        [("99.1", "FATAL", "north"), ("99.1", "FATAL", "nobody")]
    );
    assert!(answer.payload.is_some());
}
