use fleet::{CimMrid, Command, DerFunctions, DerId, Lfdi, NewDer, NewGroup};
use iec61968_5::client;
use iec61968_5::envelope::{IdKind, Outcome};
use iec61968_5::limits::{MAX_REPLY_GROUPS, MAX_REPLY_MEMBERS};
use iec61968_5::message::{Operation, Payload, ResponseMessage};
use iec61968_5::profile::PartialResult;
use iec61968_5::wire::der_group_queries::GroupKey;
use iec61968_5::wire::der_groups::EndDeviceGroup;
use iec61968_5::wire::naming::{Name, NameType, Version};

use crate::scene::{Scene, body, dispatch, dispatches, errors, group, groups};

const CREATE: Operation = Operation::CreateDerGroups;
const CHANGE: Operation = Operation::ChangeDerGroups;
const DELETE: Operation = Operation::DeleteDerGroups;
const QUERY: Operation = Operation::QueryDerGroups;

fn payload(answer: &ResponseMessage) -> &[EndDeviceGroup] {
    match &answer.payload {
        Some(Payload::Groups(groups)) => &groups.groups,
        None => &[],
        other => panic!("not groups: {other:?}"),
    }
}

fn members(group: &EndDeviceGroup) -> Vec<&str> {
    group
        .devices
        .iter()
        .filter_map(|device| device.mrid.as_deref())
        .collect()
}

#[test]
fn two_groups_in_one_message_get_mrids_and_are_shown_whole() {
    let mut scene = Scene::new();
    let east = EndDeviceGroup {
        description: Some("Feeder <7> & its \"laterals\"".to_owned()),
        names: vec![Name {
            name: "east".to_owned(),
            name_type: Some(NameType {
                description: None,
                name: "feeder".to_owned(),
                authority: Some((None, "utility".to_owned())),
            }),
        }],
        version: Some(Version {
            major: Some(4),
            minor: Some(2),
            ..Version::default()
        }),
        ..group("", &["der-1", "der-2"])
    };
    let west = EndDeviceGroup {
        mrid: Some("W".to_owned()),
        ..group("west", &["der-3"])
    };
    let answer = scene.ask(CREATE, groups(vec![east.clone(), west]));
    assert_eq!(answer.reply.result, Outcome::Ok);
    assert_eq!(errors(&answer), [("0.0", "", "")]);
    assert_eq!(
        (answer.header.verb.as_str(), answer.header.noun.as_str()),
        ("reply", "DERGroups")
    );
    assert_eq!(answer.header.correlation_id.as_deref(), Some("m-1"));
    assert_eq!(answer.header.source.as_deref(), Some("wattfold"));
    let [first, second] = payload(&answer) else {
        panic!("two groups")
    };
    assert!(
        first
            .mrid
            .as_deref()
            .is_some_and(|mrid| mrid.starts_with("minted-"))
    );
    assert_eq!(first.description, east.description);
    assert_eq!(
        (first.functions, &first.names),
        (east.functions, &east.names)
    );
    assert_eq!(members(first), ["der-1", "der-2"]);
    assert_eq!(first.version.and_then(|v| v.major), Some(4));
    assert_eq!(second.mrid.as_deref(), Some("W"));
    assert_eq!(scene.fleet.groups().count(), 2);
}

#[test]
fn each_group_of_a_message_stands_alone() {
    let mut scene = Scene::new();
    let stranger = group("south", &["der-1", "der-99"]);
    let taken = EndDeviceGroup {
        mrid: Some("N".to_owned()),
        ..group("north", &["der-2"])
    };
    let no_function = EndDeviceGroup {
        functions: None,
        ..group("west", &[])
    };
    let asked = groups(vec![taken.clone(), stranger, no_function, taken]);
    let answer = scene.ask(CREATE, asked.clone());
    assert_eq!(answer.reply.result, Outcome::Partial);
    assert_eq!(
        errors(&answer),
        [
            ("99.2", "FATAL", "south"),
            ("5.8", "FATAL", "west"),
            ("6.1", "FATAL", "N")
        ]
    );
    let kinds: Vec<_> = answer
        .reply
        .errors
        .iter()
        .map(|e| e.id.as_ref().and_then(|id| id.kind))
        .collect();
    assert_eq!(
        kinds,
        [Some(IdKind::Name), Some(IdKind::Name), Some(IdKind::Uuid)]
    );
    assert_eq!(payload(&answer).len(), 1);
    let again = scene.ask(CREATE, asked.clone());
    assert_eq!(again.reply.result, Outcome::Failed);
    assert!(again.payload.is_none());

    scene = Scene::new();
    scene.profile.partial_result = PartialResult::Failed;
    let answer = scene.ask(CREATE, asked);
    assert_eq!(
        (answer.reply.result, payload(&answer).len()),
        (Outcome::Failed, 1)
    );
}

#[test]
fn members_may_be_given_by_name() {
    let mut scene = Scene::new();
    let mut by_name = group("east", &[]);
    let device = |name: &str| iec61968_5::wire::der_groups::EndDevice {
        mrid: None,
        names: vec![Name::plain(name)],
    };
    by_name.devices = vec![device("pv4"), device("pv2")];
    let answer = scene.ask(CREATE, groups(vec![by_name]));
    assert_eq!(members(&payload(&answer)[0]), ["der-2", "der-4"]);
}

#[test]
fn a_change_merges() {
    let mut scene = Scene::new();
    let mrid = scene.group("east", &["der-1"]);
    let add = EndDeviceGroup {
        functions: None,
        ..group("east", &["der-3"])
    };
    let answer = scene.ask(CHANGE, groups(vec![add]));
    let changed = &payload(&answer)[0];
    assert_eq!(members(changed), ["der-1", "der-3"]);
    assert_eq!(changed.functions, group("", &[]).functions);
    assert_eq!(changed.version.and_then(|v| v.minor), Some(1));

    let rename = EndDeviceGroup {
        mrid: Some(mrid),
        functions: Some([true; 9]),
        ..group("orient", &[])
    };
    let answer = scene.ask(CHANGE, groups(vec![rename]));
    let changed = &payload(&answer)[0];
    assert_eq!(changed.names, [Name::plain("orient")]);
    assert_eq!(
        (changed.functions, members(changed).len()),
        (Some([true; 9]), 2)
    );

    let answer = scene.ask(CHANGE, groups(vec![group("east", &[])]));
    assert_eq!(errors(&answer), [("99.1", "FATAL", "east")]);
}

#[test]
fn a_group_is_deleted_unless_it_is_being_dispatched() {
    let mut scene = Scene::new();
    let mrid = scene.group("east", &["der-1"]);
    scene.group("west", &["der-2"]);
    let asked = dispatches(vec![dispatch("east", &[1.0])]);
    let accepted = scene.ask(Operation::CreateDerGroupDispatches, asked);
    assert_eq!(accepted.reply.result, Outcome::Ok, "{:?}", accepted.reply);
    let by_mrid = EndDeviceGroup {
        mrid: Some(mrid.clone()),
        ..EndDeviceGroup::default()
    };
    let by_name = EndDeviceGroup {
        functions: None,
        ..group("west", &[])
    };
    let answer = scene.ask(DELETE, groups(vec![by_mrid, by_name.clone()]));
    assert_eq!(answer.reply.result, Outcome::Partial);
    assert_eq!(errors(&answer), [("6.1", "FATAL", mrid.as_str())]);
    let answer = scene.ask(DELETE, groups(vec![by_name]));
    assert_eq!(errors(&answer), [("99.1", "FATAL", "west")]);
    assert_eq!(scene.fleet.groups().count(), 1);
}

#[test]
fn groups_are_queried_one_several_or_all() {
    let mut scene = Scene::new();
    let mrid = scene.group("east", &["der-1"]);
    scene.group("west", &["der-2"]);
    let named = |name: &str| GroupKey {
        mrid: None,
        names: vec![Name::plain(name)],
    };
    let by_mrid = GroupKey {
        mrid: Some(mrid),
        names: vec![],
    };
    let mut count = |keys| payload(&scene.ask(QUERY, client::query(keys))).len();
    assert_eq!(count(vec![]), 2);
    assert_eq!(count(vec![by_mrid.clone()]), 1);
    assert_eq!(count(vec![named("west"), by_mrid.clone()]), 2);
    assert_eq!(
        count(vec![named("east"), by_mrid]),
        1,
        "one group asked for twice is told once"
    );
    let answer = scene.ask(QUERY, client::query(vec![named("west"), named("north")]));
    assert_eq!(answer.reply.result, Outcome::Partial);
    assert_eq!(errors(&answer), [("99.1", "FATAL", "north")]);
    assert_eq!(payload(&answer).len(), 1);
    let answer = scene.ask(QUERY, client::query(vec![named("north")]));
    assert_eq!(
        (answer.reply.result, answer.payload),
        (Outcome::Failed, None)
    );
}

#[test]
fn a_name_of_several_groups_names_none_of_them() {
    let mut scene = Scene::new();
    scene.group("east", &["der-1"]);
    scene.group("east", &["der-2"]);
    let answer = scene.ask(DELETE, groups(vec![group("east", &[])]));
    assert_eq!(errors(&answer), [("2.29", "FATAL", "east")]);
    assert_eq!(scene.fleet.groups().count(), 2);
}

#[test]
fn a_fleet_without_groups_answers_without_payload() {
    let answer = Scene::new().ask(QUERY, client::query(vec![]));
    assert_eq!((answer.reply.result, answer.payload), (Outcome::Ok, None));
}

#[test]
fn without_correlation_id_the_message_id_is_echoed() {
    let mut scene = Scene::new();
    let body = body(QUERY, client::query(vec![]));
    let correlated = body.replace(
        "<msg:CorrelationID>m-1</msg:CorrelationID>",
        "<msg:CorrelationID>c-7</msg:CorrelationID>",
    );
    let bare = body.replace("<msg:CorrelationID>m-1</msg:CorrelationID>", "");
    for (body, expected) in [(correlated, "c-7"), (bare, "m-1")] {
        let (response, _) = scene.post(&body);
        let answer = client::response(response.body.as_bytes(), QUERY).unwrap();
        assert_eq!(answer.header.correlation_id.as_deref(), Some(expected));
    }
}

fn bulk_group(scene: &mut Scene, name: usize, members: Vec<DerId>) {
    let group = NewGroup {
        mrid: CimMrid::new(&format!("g-{name}")).unwrap(),
        names: vec![],
        description: None,
        functions: DerFunctions::default(),
        members,
        version: None,
    };
    scene.decide(&Command::CreateGroup(group)).unwrap();
}

#[test]
fn an_answer_has_so_many_groups_and_says_when_there_are_more() {
    const STATUSES: Operation = Operation::QueryDerGroupStatuses;
    let mut scene = Scene::new();
    for name in 0..MAX_REPLY_GROUPS {
        bulk_group(&mut scene, name, vec![]);
    }
    for operation in [QUERY, STATUSES] {
        let answer = scene.ask(operation, client::query(vec![]));
        assert_eq!(answer.reply.result, Outcome::Ok, "all of them fit");
    }
    bulk_group(&mut scene, MAX_REPLY_GROUPS, vec![]);
    for operation in [QUERY, STATUSES] {
        let answer = scene.ask(operation, client::query(vec![]));
        assert_eq!(answer.reply.result, Outcome::Partial);
        let details = answer.reply.errors[0].details.as_deref();
        assert_eq!(details, Some("10000 of 10001 groups are shown"));
        let shown = match answer.payload {
            Some(Payload::Groups(groups)) => groups.groups.len(),
            Some(Payload::Statuses(statuses)) => statuses.groups.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown, MAX_REPLY_GROUPS);
    }
}

#[test]
fn an_answer_has_so_many_members() {
    const DERS: u16 = 1_000;
    let mut scene = Scene::new();
    for index in 5..=DERS {
        let mut lfdi = [0; 20];
        lfdi[..2].copy_from_slice(&index.to_be_bytes());
        let new = NewDer {
            mrid: CimMrid::new(&format!("der-{index}")).unwrap(),
            name: fleet::Name::new(&format!("pv{index}")).unwrap(),
            kind: fleet::DerKind::Pv,
            lfdi: Lfdi(lfdi),
            pin: fleet::Pin::with_check_digit(0),
            registered: true,
            reserve: units::Percent::default(),
            manager: None,
            assignments: Vec::new(),
        };
        scene.decide(&Command::EnrolDer(new)).unwrap();
    }
    let all: Vec<DerId> = (0..u32::from(DERS)).map(DerId).collect();
    let fitting = MAX_REPLY_MEMBERS / usize::from(DERS);
    for name in 0..=fitting {
        bulk_group(&mut scene, name, all.clone());
    }
    let answer = scene.ask(QUERY, client::query(vec![]));
    assert_eq!(answer.reply.result, Outcome::Partial);
    assert_eq!(errors(&answer), [("0.2", "WARNING", "")]);
    assert_eq!(payload(&answer).len(), fitting);
}
