//! What outlives a restart.

use ieee2030_5::client::{Client, DeviceIndex, Phase, SavedError};
use units::Watts;

use crate::town::{Town, config, control, lfdi};

const DEVICES: usize = 3;

fn restarted(town: &mut Town, saved: &[u8]) {
    town.client = Client::restore(config(DEVICES, false), saved, town.now).unwrap();
}

#[test]
fn controls_go_on_without_the_server_and_nothing_is_said_twice() {
    let mut town = Town::new(DEVICES, false);
    town.controls = vec![control(0xC1, 5, 60, 700), control(0xC2, 65, 30, 300)];
    town.run(20);
    assert_eq!(
        town.responses.len(),
        3 * DEVICES,
        "received twice, started once"
    );
    town.is_up = false;
    let saved = town.client.save();
    restarted(&mut town, &saved);
    assert_eq!(
        town.asked_w(2),
        Some(Watts::whole(700)),
        "at once, before any answer"
    );
    town.run(50);
    assert_eq!(town.asked_w(2), Some(Watts::whole(300)));
    town.run(40);
    assert_eq!(town.asked_w(2), None);
    town.is_up = true;
    town.run(120);
    let mut of_one: Vec<u8> = town
        .responses
        .iter()
        .filter(|it| it.0 == lfdi(1))
        .map(|it| it.1)
        .collect();
    of_one.sort_unstable();
    assert_eq!(of_one, [1, 1, 2, 2, 3, 3]);
}

#[test]
fn responses_that_waited_are_sent_and_those_taken_since_are_not_repeated() {
    let mut town = Town::new(DEVICES, false);
    town.controls = vec![control(0xC1, 5, 60, 700)];
    town.run(3);
    let before_the_start = town.client.save();
    town.run(5);
    let mut saved = before_the_start;
    for taken in town.taken.iter().filter(|it| it.status.0 == 2) {
        saved.extend_from_slice(town.client.taken_line(taken).as_bytes());
    }
    let told = town.responses.len();
    restarted(&mut town, &saved);
    town.run(5);
    assert_eq!(
        town.responses.len(),
        told,
        "they were taken after the state was written"
    );
    town.is_up = false;
    town.run(60);
    assert_eq!(town.client.waiting_responses(), DEVICES);
    let saved = town.client.save();
    restarted(&mut town, &saved);
    assert_eq!(town.client.waiting_responses(), DEVICES);
    town.is_up = true;
    town.run(120);
    assert_eq!(
        town.responses.iter().filter(|it| it.1 == 3).count(),
        DEVICES
    );
}

#[test]
fn a_line_that_the_power_cut_off_is_as_good_as_not_written() {
    let mut town = Town::new(DEVICES, false);
    town.controls = vec![control(0xC1, 5, 60, 700)];
    town.run(3);
    let mut saved = town.client.save();
    town.run(5);
    let started = town.taken.iter().filter(|it| it.status.0 == 2);
    let lines: Vec<String> = started.map(|it| town.client.taken_line(it)).collect();
    assert_eq!(lines.len(), DEVICES);
    saved.extend_from_slice(lines[0].as_bytes());
    let told = town.responses.len();
    for torn in 0..lines[1].len() {
        let mut saved = saved.clone();
        saved.extend_from_slice(&lines[1].as_bytes()[..torn]);
        restarted(&mut town, &saved);
    }
    saved.extend_from_slice(b"\0\0\0\0");
    restarted(&mut town, &saved);
    town.run(5);
    assert_eq!(
        town.responses.len(),
        told + DEVICES - 1,
        "all but the first"
    );
}

#[test]
fn an_owner_who_opted_out_stays_out() {
    let mut town = Town::new(DEVICES, false);
    town.controls = vec![control(0xC1, 5, 60, 700)];
    town.run(10);
    town.client.opt_out(DeviceIndex(1), town.now);
    let saved = town.client.save();
    restarted(&mut town, &saved);
    town.run(5);
    assert_eq!(town.asked_w(1), None);
    assert_eq!(town.asked_w(0), Some(Watts::whole(700)));
    let phases: Vec<(u128, Phase)> = town.client.events(DeviceIndex(0)).collect();
    assert_eq!(phases, [(0xC1, Phase::Active)]);
}

#[test]
fn a_state_that_is_not_whole_is_refused_as_a_whole() {
    let mut town = Town::new(DEVICES, false);
    town.controls = vec![control(0xC1, 5, 60, 700)];
    town.run(10);
    let saved = town.client.save();
    let read = |saved: &[u8]| Client::restore(config(DEVICES, false), saved, town.now).err();
    assert_eq!(read(&saved), None);
    assert_eq!(read(b""), Some(SavedError::Head));
    assert_eq!(read(b"wattfold-der2030-state 2\n"), Some(SavedError::Head));
    let text = String::from_utf8(saved.clone()).unwrap();
    for (from, to) in [
        (" active ", " asleep "),
        ("device D0", "device X0"),
        ("clock ", "clock x"),
        ("page ", "page -"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{from}");
        let refused = read(broken.as_bytes());
        assert!(
            matches!(refused, Some(SavedError::Line { .. })),
            "{from}: {refused:?}"
        );
    }
    for cut in 0..saved.len() {
        // Whatever is cut off: no panic. A cut between two lines leaves a shorter state.
        let refused = read(&saved[..cut]);
        assert_ne!(refused, Some(SavedError::TooMuch));
    }
    let huge = text.replacen("page ", "page 9999999999", 1);
    assert_eq!(read(huge.as_bytes()), Some(SavedError::Truncated));
    let many: String = (0..600)
        .map(|n| format!("event {n:X} active 0 - 0 0\n"))
        .collect();
    let lfdi = "D0".repeat(20);
    let full = format!("wattfold-der2030-state 1\ndevice {lfdi} - 0 0\n{many}");
    assert_eq!(read(full.as_bytes()), Some(SavedError::TooMuch));
}
