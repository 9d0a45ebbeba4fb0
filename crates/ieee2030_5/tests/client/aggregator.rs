//! Many devices behind one client.

use ieee2030_5::client::{DeviceIndex, MAX_DEVICES, Stage};
use units::Watts;

use crate::town::{Town, control, lfdi};

/// More than a page of the server, and than one of the client.
const DEVICES: usize = 300;

fn in_service(town: &Town) -> usize {
    let devices = 0..u32::try_from(town.devices).unwrap();
    let stages = devices.map(|place| town.client.stage(DeviceIndex(place)));
    stages.filter(|stage| *stage == Stage::InService).count()
}

#[test]
fn the_list_is_read_page_by_page_and_what_is_shared_once() {
    let mut town = Town::new(DEVICES, false);
    town.measure();
    town.run(1);
    assert_eq!(in_service(&town), DEVICES);
    assert_eq!(
        town.count("GET /edev"),
        4,
        "301 end devices, a hundred to a page"
    );
    assert_eq!(town.count("GET /derp/1/derc"), 1);
    assert_eq!(town.count("GET /derp/1/dderc"), 1);
    assert_eq!(town.count("GET /edev/299/fsa"), 1);
    assert_eq!(town.count("PUT /edev/299/der/1/derg"), 1);
    assert_eq!(town.count("POST /mup"), DEVICES, "a meter for each");
    assert_eq!(town.count("POST /mup/300"), 1, "which is read");
}

#[test]
fn a_control_of_the_shared_programme_reaches_every_device_and_each_is_answered_for() {
    let mut town = Town::new(DEVICES, false);
    town.controls = vec![control(0xC1, 20, 30, -1_500)];
    town.run(10);
    let answered = |town: &Town, code: u8| {
        let mut devices: Vec<_> = town.responses.iter().filter(|it| it.1 == code).collect();
        devices.sort_unstable();
        devices.dedup();
        devices.len()
    };
    assert_eq!((answered(&town, 1), answered(&town, 2)), (DEVICES, 0));
    town.run(12);
    assert_eq!(answered(&town, 2), DEVICES);
    for place in [0, 17, DEVICES - 1] {
        assert_eq!(town.asked_w(place), Some(Watts::whole(-1_500)));
    }
    town.run(40);
    assert_eq!((answered(&town, 3), town.asked_w(17)), (DEVICES, None));
    assert_eq!(town.responses.len(), 3 * DEVICES, "none twice");
    assert!(town.responses.contains(&(lfdi(42), 3)));
    assert_eq!(town.taken.len(), town.responses.len());
}

#[test]
fn an_owner_who_opts_out_does_so_for_one_device() {
    let mut town = Town::new(3, false);
    town.controls = vec![control(0xC1, 5, 60, 900)];
    town.run(10);
    town.client.opt_out(DeviceIndex(1), town.now);
    town.run(2);
    let asked = [0, 1, 2].map(|place| town.asked_w(place));
    assert_eq!(
        asked,
        [Some(Watts::whole(900)), None, Some(Watts::whole(900))]
    );
    assert_eq!(
        town.responses
            .iter()
            .filter(|it| **it == (lfdi(1), 4))
            .count(),
        1
    );
}

#[test]
fn a_device_that_is_taken_away_stops_and_the_others_go_on() {
    let mut town = Town::new(4, false);
    town.controls = vec![control(0xC1, 5, 2_000, 900)];
    town.run(10);
    town.devices = 3;
    town.run(320);
    assert_eq!(town.client.stage(DeviceIndex(3)), Stage::Unregistered);
    assert_eq!(town.asked_w(3), None);
    assert_eq!(town.asked_w(2), Some(Watts::whole(900)));
    assert!(
        town.responses.contains(&(lfdi(3), 13)),
        "aborted by the server"
    );
}

#[test]
fn ten_thousand_devices_are_served_by_one_client() {
    let mut town = Town::new(MAX_DEVICES, true);
    town.measure();
    town.controls = vec![control(0xC1, 5, 600, -1_500)];
    town.run(6);
    assert_eq!(in_service(&town), MAX_DEVICES);
    assert_eq!(town.asked_w(MAX_DEVICES - 1), Some(Watts::whole(-1_500)));
    assert_eq!(town.responses.len(), 2 * MAX_DEVICES);
    assert_eq!(
        town.count("GET /derp/1/derc"),
        2,
        "once, and once when it was subscribed to"
    );
}

#[test]
fn devices_beyond_the_limit_are_left_out() {
    let town = Town::new(MAX_DEVICES + 1, false);
    let last = lfdi(MAX_DEVICES - 1);
    assert!(town.client.device(&last).is_some());
    assert!(town.client.device(&lfdi(MAX_DEVICES)).is_none());
}

#[test]
fn a_server_that_is_away_is_left_alone_by_the_whole_fleet() {
    let mut town = Town::new(DEVICES, false);
    town.run(2);
    town.is_up = false;
    town.asked.clear();
    town.run(900);
    let tries: usize = town.asked.values().sum();
    assert!(tries < 20 * 64, "{tries} requests in a quarter of an hour");
    town.is_up = true;
    town.asked.clear();
    town.run(120);
    assert!(town.count("GET /edev") >= 4);
}
