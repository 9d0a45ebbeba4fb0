//! Samples: kept once, found by time, gone when too old.

use std::time::Duration;

use fleet::{DerId, Quality};
use store::Telemetry;
use store::telemetry::{Quantity, Sample};
use units::{Interval, Timestamp};

const NOON: i64 = 1_800_000_000_000;

fn sample(der: u32, quantity: Quantity, at_ms: i64, value: f64) -> Sample {
    let at = Timestamp::from_millis(at_ms);
    Sample {
        der: DerId(der),
        quantity,
        at,
        value,
        quality: Quality::Valid,
    }
}

fn between(start_ms: i64, millis: u64) -> Interval {
    Interval {
        start: Timestamp::from_millis(start_ms),
        duration: Duration::from_millis(millis),
    }
}

const EVER: Interval = Interval {
    start: Timestamp::from_millis(i64::MIN / 2),
    duration: Duration::MAX,
};

fn values(telemetry: &Telemetry, interval: Interval, limit: usize) -> Vec<f64> {
    let samples = telemetry
        .query(DerId(1), Quantity::P, interval, limit)
        .unwrap();
    samples.iter().map(|sample| sample.value).collect()
}

#[test]
fn samples_come_back_by_time_whenever_they_came_in() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let day = 86_400_000;
    let mut backdated = sample(1, Quantity::P, NOON - day, 1.5);
    backdated.quality = Quality::Estimated;
    let samples = [
        sample(1, Quantity::P, NOON, 3.0),
        backdated,
        sample(1, Quantity::P, NOON - 1, 2.0),
        sample(1, Quantity::Q, NOON, 9.0),
        sample(2, Quantity::P, NOON, 9.0),
        sample(1, Quantity::P, -5, 0.25),
    ];
    assert_eq!(telemetry.insert(&samples).unwrap(), 6);
    assert_eq!(values(&telemetry, EVER, 10), [0.25, 1.5, 2.0, 3.0]);
    assert_eq!(values(&telemetry, EVER, 2), [0.25, 1.5]);
    assert_eq!(values(&telemetry, EVER, 0), [0.0; 0]);
    assert_eq!(
        values(&telemetry, between(NOON - day, 86_400_000), 10),
        [1.5, 2.0]
    );
    assert_eq!(values(&telemetry, between(NOON, 1), 10), [3.0]);
    let found = telemetry
        .query(DerId(1), Quantity::P, between(NOON - day, 1), 1)
        .unwrap();
    assert_eq!(found, [backdated]);
}

#[test]
fn a_repeated_sample_changes_nothing() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let first = sample(1, Quantity::P, NOON, 1.0);
    let second = Sample {
        value: 2.0,
        ..first
    };
    assert_eq!(telemetry.insert(&[first, second]).unwrap(), 1);
    assert_eq!(telemetry.insert(&[second, first]).unwrap(), 0);
    assert_eq!(values(&telemetry, EVER, 10), [1.0]);
}

#[test]
fn what_is_no_number_is_left_out() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let samples = [f64::NAN, f64::INFINITY, -0.5].map(|value| sample(1, Quantity::P, NOON, value));
    assert_eq!(telemetry.insert(&samples).unwrap(), 1);
    assert_eq!(values(&telemetry, EVER, 10), [-0.5]);
}

#[test]
fn the_latest_of_each_der_and_quantity_is_found() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let hour = 3_600_000;
    let old_soc = sample(1, Quantity::Soc, NOON - 3 * hour, 55.0);
    let p = sample(1, Quantity::P, NOON, 3.0);
    let other = sample(u32::MAX, Quantity::Voltage, NOON - hour, 231.0);
    let earlier = [
        sample(1, Quantity::Soc, NOON - 3 * hour - 1, 54.0),
        sample(1, Quantity::P, NOON - 1, 2.0),
        sample(1, Quantity::Q, NOON - 9 * hour, 2.0),
    ];
    telemetry.insert(&earlier).unwrap();
    telemetry.insert(&[old_soc, p, other]).unwrap();
    let latest = telemetry
        .latest(Timestamp::from_millis(NOON - 4 * hour))
        .unwrap();
    assert_eq!(latest, [p, old_soc, other]);
}

#[test]
fn old_hours_are_deleted_in_turns() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let hour = 3_600_000;
    let start = NOON.div_euclid(hour) * hour;
    let samples: Vec<Sample> = (0..100)
        .map(|i| sample(1, Quantity::P, start - 50 * 60_000 + i * 60_000, 0.0))
        .collect();
    telemetry.insert(&samples).unwrap();
    let before = Timestamp::from_millis(start + 59 * 60_000);
    let deleted = |telemetry: &mut Telemetry| telemetry.delete_before(before, 20).unwrap();
    let turns: Vec<usize> = (0..4).map(|_| deleted(&mut telemetry)).collect();
    assert_eq!(turns, [20, 20, 10, 0]);
    assert_eq!(
        values(&telemetry, EVER, 100).len(),
        50,
        "the hour of `before` is kept whole"
    );
}

#[test]
fn an_insert_has_a_limit() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let mut samples = vec![sample(1, Quantity::P, NOON, 0.0); Telemetry::MAX_INSERT + 1];
    let refused = telemetry.insert(&samples).unwrap_err();
    assert_eq!(refused.to_string(), "at most 100000 samples at a time");
    samples.pop();
    assert_eq!(telemetry.insert(&samples).unwrap(), 1);
}

#[test]
fn an_answer_has_a_limit() {
    let mut telemetry = Telemetry::in_memory().unwrap();
    let at = |i| sample(1, Quantity::P, NOON + i, 0.0);
    let all: Vec<Sample> = (0..=100_000).map(at).collect();
    let (first, last) = all.split_at(100_000);
    assert_eq!(
        telemetry.insert(first).unwrap() + telemetry.insert(last).unwrap(),
        100_001
    );
    assert_eq!(
        values(&telemetry, EVER, usize::MAX).len(),
        Telemetry::MAX_QUERY
    );
}

#[test]
fn a_second_handle_reads_what_the_first_has_written() {
    let root = tempfile::tempdir().unwrap();
    let mut writer = Telemetry::open(root.path()).unwrap();
    let reader = Telemetry::open(root.path()).unwrap();
    writer.insert(&[sample(1, Quantity::P, NOON, 1.0)]).unwrap();
    assert_eq!(values(&reader, EVER, 10), [1.0]);
    drop((writer, reader));
    assert_eq!(
        values(&Telemetry::open(root.path()).unwrap(), EVER, 10),
        [1.0]
    );
}

#[test]
fn quantities_are_known_by_their_names() {
    for quantity in Quantity::ALL {
        assert_eq!(quantity.as_str().parse(), Ok(quantity));
    }
    assert!("p_kw".parse::<Quantity>().is_err());
}
