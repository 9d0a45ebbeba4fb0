//! What a client does about a server that refuses, forgets or takes back.

use super::{Made, Rote, START, control, page_of};
use crate::client::list::PAGE_LEN;
use crate::client::{DeviceIndex, Method, Outcome, Phase};
use crate::codec::simple::HexBinary128;
use crate::codec::table::{Edition, Extension, Profile};
use crate::wire::der_control::{
    DefaultDerControl, DerControl, DerControlBase, DerProgram, DerProgramList,
};
use crate::wire::link::{Link, ListLink};
use crate::wire::log_event::LogEvent;

fn status(status: u16) -> Made {
    Made {
        status,
        ..Made::default()
    }
}

fn posts(rote: &Rote, href: &str) -> usize {
    let posts = rote.requests.iter();
    let posts = posts.filter(|it| it.method == Method::Post && it.href == href);
    posts.count()
}

/// A server that shows its list of end devices and answers what is posted there with `refusal`.
fn refusing(refusal: u16) -> Rote {
    let mut rote = Rote::new().with_tree();
    let list = rote.answers.remove("/devices").unwrap();
    rote.answer("/devices?s=0&l=255", list);
    rote.answer("/devices", status(refusal));
    rote
}

#[test]
fn a_registration_that_is_refused_is_repeated_up_to_hours_later() {
    for refusal in [400, 403] {
        let mut rote = refusing(refusal);
        rote.run(3 * 3_600);
        let tries = posts(&rote, "/devices");
        assert!((12..=15).contains(&tries), "{tries} after {refusal}");
        rote.requests.clear();
        rote.run(600);
        let reads = rote.count("/devices?");
        assert!(reads <= 31, "{reads} in ten minutes, at a pollRate of 20 s");
    }
}

#[test]
fn a_registration_that_exists_already_is_looked_for_at_once() {
    let mut rote = refusing(409);
    rote.run(3);
    assert_eq!(rote.count("/devices?"), 2);
    assert!(posts(&rote, "/devices") <= 2);
}

#[test]
fn a_response_waits_for_a_server_that_may_take_it_later() {
    for (refusal, waits) in [(408, true), (401, true), (403, false), (404, false)] {
        let mut rote = Rote::new().with_tree();
        rote.register();
        rote.controls(1);
        rote.answer("/responses", status(refusal));
        rote.run(30);
        let waiting = rote.client.waiting_responses();
        assert_eq!(waiting, usize::from(waits), "{refusal}");
        rote.answer("/responses", status(201));
        rote.requests.clear();
        rote.run(25);
        assert_eq!(posts(&rote, "/responses"), usize::from(waits), "{refusal}");
    }
}

#[test]
fn a_response_to_nowhere_keeps_no_other_waiting() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    let nowhere = DerControl {
        reply_to: Some("http://elsewhere.example/rsp".into()),
        ..control(0)
    };
    rote.at("/controls/0", &page_of(2, &[nowhere, control(1)]));
    rote.run(30);
    assert_eq!(rote.client.waiting_responses(), 0);
    assert_eq!(posts(&rote, "/responses"), 1);
}

#[test]
fn a_default_control_that_is_gone_is_in_force_no_more() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    let program = DerProgram {
        mrid: HexBinary128::new(1),
        der_control_list_link: Some(ListLink::to("/controls/0", 0)),
        default_der_control_link: Some(Link::to("/default")),
        ..DerProgram::default()
    };
    let programs = DerProgramList {
        all: 1,
        results: 1,
        poll_rate: Some(20),
        der_program: vec![program],
        ..DerProgramList::default()
    };
    rote.at("/programs", &programs);
    let base = DerControlBase {
        op_mod_connect: Some(false),
        ..DerControlBase::default()
    };
    let default = DefaultDerControl {
        mrid: HexBinary128::new(2),
        base,
        ..DefaultDerControl::default()
    };
    for _ in 0..2 {
        rote.at("/default", &default);
        rote.run(930);
        let setpoint = rote.client.setpoint(DeviceIndex::OWN, rote.now);
        assert!(!setpoint.is_connected());
        rote.client.take_changed(rote.now);
        rote.answer("/default", status(404));
        rote.run(30);
        assert_eq!(rote.client.take_changed(rote.now), [DeviceIndex::OWN]);
        let setpoint = rote.client.setpoint(DeviceIndex::OWN, rote.now);
        assert!(setpoint.is_connected());
    }
}

#[test]
fn a_control_that_is_missing_from_one_of_several_pages_is_removed_when_it_is_missing_twice() {
    let profile = Profile::new(Edition::Y2023, Extension::None);
    let mut rote = Rote::with(|config| config.profile = profile).with_tree();
    rote.register();
    let long = |number| {
        let mut control = control(number);
        control.interval.duration = 86_400;
        control
    };
    let count = u32::try_from(PAGE_LEN).unwrap() + 2;
    let all: Vec<DerControl> = (0..count).map(long).collect();
    let (first, second) = all.split_at(PAGE_LEN);
    let pages = ["/controls/0?s=0&l=32", "/controls/0?s=32&l=32"];
    rote.at(pages[0], &page_of(count, first));
    rote.at(pages[1], &page_of(count, second));
    rote.run(15);
    let missing = u128::from(count - 1);
    let phase = |rote: &Rote| {
        let mut events = rote.client.events(DeviceIndex::OWN);
        events.find(|(mrid, _)| *mrid == missing).map(|(_, it)| it)
    };
    assert_eq!(phase(&rote), Some(Phase::Scheduled));
    rote.at(pages[0], &page_of(count - 1, first));
    rote.at(pages[1], &page_of(count - 1, &second[..1]));
    for expected in [Phase::Scheduled, Phase::Over(Outcome::Cancelled)] {
        rote.requests.clear();
        while rote.count(pages[1]) == 0 {
            rote.run(1);
        }
        assert_eq!(phase(&rote), Some(expected));
    }
}

#[test]
fn an_alarm_waits_for_the_server_to_say_where_it_goes() {
    let mut rote = Rote::new().with_tree();
    rote.answer("/alarms", status(201));
    let alarm = LogEvent::default();
    rote.client.alarm(DeviceIndex::OWN, alarm, START);
    rote.run(5);
    assert_eq!(posts(&rote, "/alarms"), 0);
    rote.register();
    rote.run(60);
    assert_eq!(posts(&rote, "/alarms"), 1);
}
