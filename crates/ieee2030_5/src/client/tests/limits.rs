//! How much a client takes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Made, Rote, START, control, page_of};
use crate::client::events::{Due, FunctionSet};
use crate::client::response::Responses;
use crate::client::setpoint::Modes;
use crate::client::{
    Client, DeviceIndex, MAX_ASSIGNMENTS, MAX_PAGES, MAX_REDIRECTIONS, MAX_SAVED_BYTES,
    MAX_WAITING_ALARMS, MAX_WAITING_OF_DEVICE, MAX_WAITING_RESPONSES, SavedError, Stage,
};
use crate::codec::simple::HexBinary128;
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::link::ListLink;
use crate::wire::log_event::LogEvent;
use crate::wire::response::ResponseStatus;

const HOPS: [&str; 7] = ["/dcap", "/1", "/2", "/3", "/4", "/5", "/6"];

#[test]
fn so_many_redirections_are_followed_and_no_more() {
    assert_eq!(HOPS.len(), usize::from(MAX_REDIRECTIONS) + 2);
    for (hops, is_found) in [(5, true), (6, false)] {
        let mut rote = Rote::new().with_tree();
        let dcap = rote.answers.remove("/dcap").unwrap();
        for pair in HOPS[..=hops].windows(2) {
            let moved = Made {
                status: 302,
                location: Some(pair[1]),
                ..Made::default()
            };
            rote.answer(pair[0], moved);
        }
        rote.answer(HOPS[hops], dcap);
        rote.run(10);
        assert_eq!(0 < rote.count(HOPS[hops]), is_found);
        let is_lost = rote.client.stage(DeviceIndex::OWN) == Stage::Discovering;
        assert_eq!(is_lost, !is_found);
    }
}

#[test]
fn a_list_is_read_up_to_so_many_pages() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    rote.at("/controls/0", &page_of(u32::MAX, &[control(0)]));
    rote.run(60);
    let reads = rote.requests.iter();
    let reads = reads.filter(|it| it.href.starts_with("/controls/0"));
    let pages: BTreeSet<&str> = reads.map(|it| it.href.as_str()).collect();
    assert_eq!(pages.len(), MAX_PAGES);
}

#[test]
fn assignments_beyond_the_limit_are_not_followed() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    let beyond = u32::try_from(MAX_ASSIGNMENTS).unwrap() + 1;
    let assignment = |n: u32| FunctionSetAssignments {
        der_program_list_link: Some(ListLink::to(format!("/programs/{n}"), 1)),
        ..FunctionSetAssignments::default()
    };
    let list = FunctionSetAssignmentsList {
        all: beyond,
        results: beyond,
        function_set_assignments: (0..beyond).map(assignment).collect(),
        ..FunctionSetAssignmentsList::default()
    };
    rote.at("/own/assignments", &list);
    for n in 0..beyond {
        let refused = Made {
            status: 500,
            ..Made::default()
        };
        rote.answer(&format!("/programs/{n}"), refused);
    }
    rote.run(60);
    let reads = rote.requests.iter();
    let reads = reads.filter(|it| it.href.starts_with("/programs/"));
    let lists: BTreeSet<&str> = reads.map(|it| it.href.as_str()).collect();
    assert_eq!(lists.len(), MAX_ASSIGNMENTS);
}

#[test]
fn alarms_that_nobody_takes_do_not_pile_up() {
    let mut rote = Rote::new();
    for _ in 0..=MAX_WAITING_ALARMS {
        let alarm = LogEvent::default();
        rote.client.alarm(DeviceIndex::OWN, alarm, START);
    }
    assert_eq!(rote.client.devices[0].alarms.len(), MAX_WAITING_ALARMS);
}

#[test]
fn responses_of_all_devices_together_have_a_limit() {
    let mut responses = Responses::default();
    let due = Due {
        function_set: FunctionSet::Der,
        reply_to: Arc::from("/rsp"),
        subject: HexBinary128::new(1),
        status: ResponseStatus::RECEIVED,
        at: START,
        modes: Modes::default(),
    };
    let devices = MAX_WAITING_RESPONSES / MAX_WAITING_OF_DEVICE;
    for place in 0..=devices {
        let device = DeviceIndex(u32::try_from(place).unwrap());
        for _ in 0..=MAX_WAITING_OF_DEVICE {
            responses.push(device, due.clone());
        }
        let all = (place + 1) * MAX_WAITING_OF_DEVICE;
        assert_eq!(responses.len(), all.min(MAX_WAITING_RESPONSES));
    }
}

#[test]
fn a_meter_at_an_odd_address_outlives_a_restart() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    let made = Made {
        status: 201,
        location: Some("/mirrors/a b"),
        ..Made::default()
    };
    rote.answer("/mirrors", made);
    rote.run(20);
    assert!(0 < rote.count("/mirrors/a%20b"));
    let saved = rote.client.save();
    let again = Client::restore(rote.client.config.clone(), &saved, rote.now).unwrap();
    assert_eq!(
        again.devices[0].usage_point.as_deref(),
        Some("/mirrors/a%20b")
    );
}

#[test]
fn a_saved_state_has_a_limit_and_stays_below_it() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    rote.run(20);
    let config = || rote.client.config.clone();
    let read = |saved: &[u8]| Client::restore(config(), saved, START).err();
    let mut longest = vec![0; MAX_SAVED_BYTES + 1];
    longest[0] = b'\n';
    assert_eq!(read(&longest), Some(SavedError::TooLong));
    assert_eq!(read(&longest[..MAX_SAVED_BYTES]), Some(SavedError::Head));
    let saved = rote.client.save();
    for max in [0, saved.len() / 2, saved.len() - 1] {
        let cut = rote.client.save_within(max);
        assert!(cut.len() < saved.len());
        assert_eq!(read(&cut), None, "it is whole all the same");
    }
    assert_eq!(rote.client.save_within(saved.len()), saved);
}
