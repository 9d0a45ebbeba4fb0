use fleet::Evidence;

use super::{NOW, OTHER, OWN, World};
use crate::codec::simple::{HexBinary8, HexBinary128, SignedPerCent, TimeType};
use crate::translate::{Command, ControlId, DerId};
use crate::wire::control_mode::Mode;
use crate::wire::der_control::{DefaultDerControl, DerControl, DerControlList, EventState};
use crate::wire::response::{Response, ResponseList, ResponseStatus};

const LIST: &str = "/derp/0/derc?l=255";
/// How long controls are listed beyond their end.
const LINGERS_S: u64 = 5;
const ACTIVE: &str = "/derp/0/actderc?l=255";

fn states(world: &mut World, address: &str) -> Vec<EventState> {
    let list: DerControlList = world.read(OWN, address);
    list.der_control
        .iter()
        .map(|control| control.event_status.current_status)
        .collect()
}

#[test]
fn a_control_is_scheduled_then_active_then_gone() {
    let mut world = World::new();
    let id = world.control(0, 60, 600);
    let reply = world.get(OWN, LIST);
    assert_eq!(reply.served, [(id, DerId(0))]);
    let list: DerControlList = crate::codec::read::read(&reply.body).unwrap();
    let control: &DerControl = &list.der_control[0];
    assert_eq!(
        control.mrid,
        HexBinary128::from(world.fleet.control(id).unwrap().mrid)
    );
    assert_eq!(control.event_status.current_status, EventState::SCHEDULED);
    assert_eq!(control.event_status.date_time, NOW.into());
    assert_eq!(
        (control.interval.start.0, control.interval.duration),
        (NOW.secs() + 60, 600)
    );
    assert_eq!(
        control.base.op_mod_fixed_w,
        Some(Mode::of(SignedPerCent(5_000)))
    );
    assert_eq!(control.response_required, Some(HexBinary8::new(3)));
    assert_eq!(control.reply_to.as_ref().unwrap().as_str(), "/rsps/0/rsp");
    assert_eq!(states(&mut world, ACTIVE), []);
    world.pass(60);
    assert_eq!(states(&mut world, LIST), [EventState::ACTIVE]);
    assert_eq!(states(&mut world, ACTIVE), [EventState::ACTIVE]);
    let one: DerControl = world.read(OWN, control.href.as_ref().unwrap().as_str());
    assert_eq!(one.event_status.date_time.0, NOW.secs() + 60);
    world.pass(600);
    assert_eq!(states(&mut world, ACTIVE), []);
    world.pass(LINGERS_S);
    assert_eq!(states(&mut world, LIST), []);
    assert_eq!(
        world
            .get(OWN, control.href.as_ref().unwrap().as_str())
            .status,
        404
    );
}

#[test]
fn a_control_that_starts_at_once_is_never_scheduled() {
    let mut world = World::new();
    world.control(0, 0, 600);
    assert_eq!(states(&mut world, LIST), [EventState::ACTIVE]);
}

#[test]
fn a_cancelled_control_is_seen_until_its_end() {
    let mut world = World::new();
    let id = world.control(0, 0, 600);
    world.pass(100);
    world.command(&Command::CancelControl(id));
    world.pass(499);
    let list: DerControlList = world.read(OWN, LIST);
    let status = &list.der_control[0].event_status;
    assert_eq!(status.current_status, EventState::CANCELLED);
    assert_eq!(status.date_time, TimeType(NOW.secs() + 100));
    assert_eq!(states(&mut world, ACTIVE), []);
    world.pass(LINGERS_S);
    assert_eq!(states(&mut world, LIST), [EventState::CANCELLED]);
    world.pass(1);
    assert_eq!(states(&mut world, LIST), []);
}

#[test]
fn a_later_control_supersedes() {
    let mut world = World::new();
    world.control(0, 0, 600);
    world.pass(10);
    world.control(0, 100, 600);
    let list: DerControlList = world.read(OWN, LIST);
    let marks: Vec<bool> = list
        .der_control
        .iter()
        .map(|c| c.event_status.potentially_superseded)
        .collect();
    assert_eq!(marks, [true, false]);
    assert_eq!(
        states(&mut world, LIST),
        [EventState::ACTIVE, EventState::SCHEDULED]
    );
    world.pass(100);
    assert_eq!(
        states(&mut world, LIST),
        [EventState::SUPERSEDED, EventState::ACTIVE]
    );
    assert_eq!(states(&mut world, ACTIVE), [EventState::ACTIVE]);
}

#[test]
fn controls_are_listed_by_start_then_the_latest_made() {
    let mut world = World::new();
    let late = world.control(0, 500, 10);
    let first = world.control(0, 0, 10);
    world.pass(1);
    let second = world.control(0, 499, 10);
    let own = |id| (id, DerId(0));
    assert_eq!(
        world.get(OWN, LIST).served,
        [own(first), own(second), own(late)]
    );
}

#[test]
fn a_default_control_is_there_before_any_event() {
    let mut world = World::new();
    let default: DefaultDerControl = world.read(OWN, "/derp/0/dderc");
    let base = crate::wire::der_control::DerControlBase::default();
    assert_eq!(default.base, base);
}

fn response(world: &World, control: ControlId, status: ResponseStatus) -> Response {
    Response {
        created_date_time: Some(world.now.into()),
        end_device_lfdi: OWN.into(),
        status: Some(status),
        subject: world.fleet.control(control).unwrap().mrid.into(),
        ..Response::default()
    }
}

#[test]
fn responses_are_evidence_and_can_be_read_again() {
    let mut world = World::new();
    let control = world.control(0, 0, 600);
    for status in [
        ResponseStatus::RECEIVED,
        ResponseStatus::STARTED,
        ResponseStatus::COMPLETED,
    ] {
        let posted = response(&world, control, status);
        let reply = world.post(OWN, "/rsps/0/rsp", &posted);
        assert_eq!(reply.status, 201);
        let kept: Response = world.read(OWN, &reply.location.unwrap());
        assert_eq!((kept.status, kept.subject), (posted.status, posted.subject));
        world.pass(1);
    }
    let told: Vec<Evidence> = world.evidence.iter().map(|e| e.evidence).collect();
    assert_eq!(
        told,
        [
            Evidence::Response(1),
            Evidence::Response(2),
            Evidence::Response(3)
        ]
    );
    assert!(world.evidence.iter().all(|e| e.control == control));
    let list: ResponseList = world.read(OWN, "/rsps/0/rsp?l=9");
    assert_eq!(list.all, 3);
    assert_eq!(list.response[0].status, Some(ResponseStatus::COMPLETED));
}

#[test]
fn a_response_of_the_derived_type_is_taken() {
    let mut world = World::new();
    let control = world.control(0, 0, 600);
    let posted = response(&world, control, ResponseStatus::RECEIVED);
    let body = crate::codec::write::write(&posted, crate::codec::table::Profile::default());
    let body = String::from_utf8(body).unwrap();
    let body = body
        .replace("<Response ", "<DERControlResponse ")
        .replace("</Response", "</DERControlResponse");
    let reply = world.send(&super::request(OWN, "POST", "/rsps/0/rsp", body.as_bytes()));
    assert_eq!(reply.status, 201);
    assert_eq!(world.evidence.len(), 1);
}

#[test]
fn a_response_to_nothing_of_ours_is_refused() {
    let mut world = World::new();
    let control = world.control(0, 0, 600);
    let theirs = world.control(1, 0, 600);
    let mut unknown = response(&world, control, ResponseStatus::RECEIVED);
    unknown.subject = HexBinary128::new(1);
    assert_eq!(world.post(OWN, "/rsps/0/rsp", &unknown).status, 400);
    let foreign = response(&world, theirs, ResponseStatus::RECEIVED);
    assert_eq!(world.post(OWN, "/rsps/0/rsp", &foreign).status, 400);
    let mut other = response(&world, control, ResponseStatus::RECEIVED);
    other.end_device_lfdi = OTHER.into();
    assert_eq!(world.post(OWN, "/rsps/0/rsp", &other).status, 400);
    assert!(world.evidence.is_empty());
}

#[test]
fn a_response_is_dated_between_the_control_and_now() {
    let mut world = World::new();
    let control = world.control(0, 0, 600);
    world.pass(10);
    let mut posted = response(&world, control, ResponseStatus::RECEIVED);
    for told in [i64::MAX, 0] {
        posted.created_date_time = Some(TimeType(told));
        assert_eq!(world.post(OWN, "/rsps/0/rsp", &posted).status, 201);
    }
    assert_eq!(world.evidence[0].at, world.now);
    assert_eq!(world.evidence[1].at, NOW);
}

#[test]
fn only_the_latest_responses_are_kept() {
    let mut world = World::new();
    let control = world.control(0, 0, 600);
    let posted = response(&world, control, ResponseStatus::RECEIVED);
    let max = crate::server::resources::MAX_RESPONSES;
    let mut locations = std::collections::BTreeSet::new();
    for _ in 0..max + 3 {
        locations.insert(world.post(OWN, "/rsps/0/rsp", &posted).location.unwrap());
    }
    assert_eq!(locations.len(), max + 3);
    let list: ResponseList = world.read(OWN, "/rsps/0/rsp?l=255");
    assert_eq!(usize::try_from(list.all).unwrap(), max);
    assert_eq!(world.get(OWN, "/rsps/0/rsp/1").status, 404);
}
