//! The load of alarms on operators.

use std::time::Duration;

use units::{Interval, Timestamp};

use super::life::{Rig, raise};
use crate::DerId;
use crate::alarm::metrics::{Flood, Metrics, STALE_AFTER, metrics};
use crate::alarm::{Kind, Priority, State, Subject};

const HOUR: Duration = Duration::from_secs(3_600);

fn t(minutes: i64) -> Timestamp {
    Timestamp::from_secs(60 * minutes)
}

/// An hour in which so many DER fall silent in each period of ten minutes.
fn hour(counts: [u32; 6], positions: usize) -> Metrics {
    let mut rig = Rig::default();
    let mut der = 0;
    for (period, count) in (0..).zip(counts) {
        for place in 0..count {
            let at = 600 * period + 1 + i64::from(place);
            rig.run(raise(Kind::DerSilent, Subject::Der(DerId(der))), at);
            der += 1;
        }
    }
    metrics(rig.fleet.alarms(), t(60), HOUR, positions)
}

#[test]
fn a_flood_begins_above_ten_in_ten_minutes_and_ends_below_five() {
    assert!(hour([10, 10, 10, 10, 10, 10], 1).floods.is_empty());
    let one = hour([0, 11, 5, 4, 5, 0], 1);
    let flood = Flood {
        interval: Interval::between(t(10), t(30)),
        annunciations: 16,
        goes_on: false,
    };
    assert_eq!(one.floods, [flood]);
    assert!(!one.in_flood);
    assert!((one.flood_pct - 100.0 / 3.0).abs() < 1e-9);
    assert!((one.overloaded_pct - 100.0 / 6.0).abs() < 1e-9);
    assert_eq!((one.annunciations, one.peak_period), (25, 11.0));
    let on = hour([0, 0, 11, 5, 5, 5], 1);
    assert!(on.in_flood);
    assert_eq!(on.floods[0].interval, Interval::between(t(20), t(60)));
    // What is annunciated in this very instant counts.
    let mut rig = Rig::default();
    for der in 0..11 {
        rig.run(raise(Kind::DerSilent, Subject::Der(DerId(der))), 3_600);
    }
    assert!(metrics(rig.fleet.alarms(), t(60), HOUR, 1).in_flood);
    // Two operating positions deal with twice as many.
    assert!(hour([0, 20, 9, 0, 0, 0], 2).floods.is_empty());
    let two = hour([0, 21, 10, 9, 0, 0], 2);
    assert_eq!(two.floods[0].interval, Interval::between(t(10), t(30)));
    assert!((two.peak_period - 10.5).abs() < 1e-9);
}

#[test]
fn the_worst_contributors_and_those_that_chatter_are_named() {
    let mut rig = Rig::default();
    let clock = || raise(Kind::ClockBehind, Subject::Server);
    for time in 0..4 {
        rig.run(clock(), 10 * time);
        let id = rig.fleet.alarms().alarms().next().unwrap().id;
        rig.run(crate::AlarmCommand::Return(id), 10 * time + 1);
    }
    for der in 0..12 {
        rig.run(raise(Kind::DerSilent, Subject::Der(DerId(der))), 100);
    }
    let found = metrics(rig.fleet.alarms(), t(5), HOUR, 1);
    assert_eq!(found.contributors.len(), 10);
    assert_eq!(
        found.contributors[0],
        (Kind::ClockBehind, Subject::Server, 4)
    );
    assert_eq!(found.chattering, [(Kind::ClockBehind, Subject::Server)]);
    assert_eq!(found.by_priority[&Priority::Medium], 4);
    assert_eq!(found.by_priority[&Priority::Low], 12);
    assert_eq!(found.by_state[&State::Unacknowledged], 12);
    assert_eq!(found.by_state[&State::ReturnedUnacknowledged], 1);
    assert!((found.last_period - 16.0).abs() < 1e-9);
}

#[test]
fn an_alarm_that_stands_for_more_than_a_day_is_stale_unless_it_is_put_aside() {
    let mut rig = Rig::default();
    for der in 0..3 {
        rig.run(raise(Kind::DerSilent, Subject::Der(DerId(der))), 0);
    }
    let by = crate::Name::new("ann").unwrap();
    let why = crate::Note::new("known").unwrap();
    let id = crate::AlarmId;
    rig.run(crate::AlarmCommand::Acknowledge(id(1), by.clone(), None), 1);
    let until = Timestamp::from_secs(3_600);
    rig.run(crate::AlarmCommand::Shelve(id(2), by, why, until), 1);
    let day = Timestamp::from_secs(0).after(STALE_AFTER);
    let stale = |now| metrics(rig.fleet.alarms(), now, HOUR, 1).stale;
    assert_eq!((stale(day), stale(day.after(HOUR))), (0, 2));
}
