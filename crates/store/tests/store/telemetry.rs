//! Samples: kept once, found by time, gone when too old.

use std::time::Duration;

use fleet::{DerId, Quality};
use store::telemetry::{Inserted, Kept, Quantity, Resolution, Sample};
use store::{Address, Postgres, Telemetry};
use units::{Interval, Timestamp};

use crate::cluster::{Cluster, connect};
use crate::cluster_crash::crash;
use crate::sample::JOURNAL;

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

const CASES: [fn(Telemetry); 8] = [
    samples_come_back_by_time_whenever_they_came_in,
    a_repeated_sample_changes_nothing,
    what_is_no_number_is_left_out,
    the_latest_of_each_der_and_quantity_is_found,
    old_hours_retire_in_turns,
    rollups_are_kept_for_their_own_times,
    an_insert_has_a_limit,
    an_answer_has_a_limit,
];

#[test]
fn telemetry_goes_on_after_a_crash_of_the_database() {
    let cluster = Cluster::start("-c listen_addresses=", &[]);
    let url = cluster.url("postgres");
    let address = Address::new(&url, None).unwrap();
    Postgres::open(&address, JOURNAL).unwrap();
    let mut telemetry = Telemetry::connect(&address).unwrap();
    telemetry
        .insert(&[sample(1, Quantity::P, NOON, 1.0)])
        .unwrap();
    crash(&cluster);
    assert_eq!(values(&telemetry, EVER, 9), [1.0]);
    crash(&cluster);
    telemetry
        .insert(&[sample(1, Quantity::P, NOON + 1_000, 2.0)])
        .unwrap();
    assert_eq!(values(&telemetry, EVER, 9), [1.0, 2.0]);
}

#[test]
fn telemetry_in_a_file_keeps_the_contract() {
    for case in CASES {
        case(Telemetry::in_memory().unwrap());
    }
}

#[test]
fn telemetry_in_a_database_keeps_the_contract() {
    for case in CASES {
        case(connected(&Cluster::shared().database()));
    }
}

/// A handle on the samples of a database with its tables.
pub(crate) fn connected(url: &str) -> Telemetry {
    let address = Address::new(url, None).unwrap();
    Postgres::open(&address, JOURNAL).unwrap();
    Telemetry::connect(&address).unwrap()
}

fn samples_come_back_by_time_whenever_they_came_in(mut telemetry: Telemetry) {
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
    assert_eq!(telemetry.insert(&samples).unwrap().new, 6);
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

fn a_repeated_sample_changes_nothing(mut telemetry: Telemetry) {
    let first = sample(1, Quantity::P, NOON, 1.0);
    let second = Sample {
        value: 2.0,
        ..first
    };
    assert_eq!(telemetry.insert(&[first, second]).unwrap().new, 1);
    assert_eq!(telemetry.insert(&[second, first]).unwrap().new, 0);
    assert_eq!(values(&telemetry, EVER, 10), [1.0]);
}

fn what_is_no_number_is_left_out(mut telemetry: Telemetry) {
    let samples = [f64::NAN, f64::INFINITY, -0.5].map(|value| sample(1, Quantity::P, NOON, value));
    assert_eq!(telemetry.insert(&samples).unwrap().new, 1);
    assert_eq!(values(&telemetry, EVER, 10), [-0.5]);
}

fn the_latest_of_each_der_and_quantity_is_found(mut telemetry: Telemetry) {
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

/// From when on samples are kept, and roll-ups of any time.
fn kept_from(samples: Timestamp) -> Kept {
    let ever = Timestamp::from_millis(i64::MIN);
    Kept {
        samples,
        rollups: [ever; 3],
    }
}

fn old_hours_retire_in_turns(mut telemetry: Telemetry) {
    let hour = 3_600_000;
    let start = NOON.div_euclid(hour) * hour;
    let at = |der: u32, minute: i64| sample(der, Quantity::P, start + minute * 60_000, 0.25);
    let of = |der: u32| (-50..50).map(move |minute| at(der, minute));
    let samples: Vec<Sample> = (1..6).flat_map(of).collect();
    telemetry.insert(&samples).unwrap();
    let kept = kept_from(Timestamp::from_millis(start + 59 * 60_000));
    let turns: Vec<usize> = (0..5)
        .map(|_| telemetry.retire(&kept, 120).unwrap())
        .collect();
    assert_eq!(turns, [100, 100, 50, 0, 0], "whole hours of DER only");
    let now = between(start, 3_600_000);
    assert_eq!(values(&telemetry, now, 100).len(), 50, "kept whole");
    let old = |minute| at(9, minute);
    let inserted = telemetry.insert(&[old(-1), old(0), old(-40)]).unwrap();
    assert_eq!(inserted, Inserted { new: 1, too_old: 2 });

    let ever = kept_from(Timestamp::from_millis(i64::MAX));
    assert_eq!(
        telemetry.retire(&ever, 1).unwrap(),
        0,
        "the newest hour is kept"
    );
    telemetry.insert(&[at(1, 60)]).unwrap();
    let turns = (0..7).map(|_| telemetry.retire(&ever, 1).unwrap());
    assert_eq!(turns.collect::<Vec<_>>(), [50, 50, 50, 50, 50, 1, 0]);
    assert_eq!(telemetry.insert(&samples).unwrap().too_old, samples.len());
    let before = kept_from(Timestamp::from_millis(start - 9 * hour));
    assert_eq!(telemetry.retire(&before, 9).unwrap(), 0);
    assert_eq!(
        telemetry.insert(&samples).unwrap().new,
        0,
        "it never goes back"
    );
}

/// Each resolution for its own time; what is too old for one is never stored as that.
fn rollups_are_kept_for_their_own_times(mut telemetry: Telemetry) {
    let hour = 3_600_000;
    let start = NOON.div_euclid(hour) * hour;
    let samples: Vec<Sample> = (0..=600)
        .map(|minute| sample(1, Quantity::P, start + minute * 60_000, 0.5))
        .collect();
    telemetry.insert(&samples).unwrap();
    let from = |hours: i64| Timestamp::from_millis(start + hours * hour + 1);
    let mut kept = Kept {
        samples: from(9),
        rollups: [from(6), from(4), from(0)],
    };
    let counts = |telemetry: &Telemetry| {
        Resolution::ALL.map(|resolution| {
            let of = (DerId(1), Quantity::P);
            let found = telemetry.rollups(of, EVER, resolution, 1_000).unwrap();
            found.rollups.len()
        })
    };
    while telemetry.retire(&kept, 60).unwrap() != 0 {}
    assert_eq!(counts(&telemetry), [4 * 60 + 1, 6 * 4 + 1, 11]);
    kept.rollups = [from(9), from(9), from(3)];
    let mut turns = Vec::new();
    loop {
        match telemetry.retire(&kept, 60).unwrap() {
            0 => break,
            deleted => turns.push(deleted),
        }
    }
    assert_eq!(
        turns,
        [60 + 20 + 3, 60, 60],
        "at most 60 of each resolution"
    );
    assert_eq!(counts(&telemetry), [61, 5, 8]);
}

fn an_insert_has_a_limit(mut telemetry: Telemetry) {
    let mut samples = vec![sample(1, Quantity::P, NOON, 0.0); Telemetry::MAX_INSERT + 1];
    let refused = telemetry.insert(&samples).unwrap_err();
    assert_eq!(refused.to_string(), "at most 100000 samples at a time");
    samples.pop();
    assert_eq!(telemetry.insert(&samples).unwrap().new, 1);
}

fn an_answer_has_a_limit(mut telemetry: Telemetry) {
    let at = |i| sample(1, Quantity::P, NOON + i, 0.0);
    let all: Vec<Sample> = (0..=100_000).map(at).collect();
    let (first, last) = all.split_at(100_000);
    assert_eq!(
        telemetry.insert(first).unwrap().new + telemetry.insert(last).unwrap().new,
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

/// Partitions of the samples by name, without the default one.
fn partitions(url: &str) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
               WHERE inhparent = 'wattfold.sample'::regclass AND relname <> 'sample_other'
               ORDER BY substr(relname, 8)::bigint";
    let rows = connect(url).query(sql, &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Days since 1970, by the clock of the server.
fn today(url: &str) -> i64 {
    let sql = "SELECT floor(extract(epoch FROM now()) / 86400)::bigint";
    connect(url).query_one(sql, &[]).unwrap().get(0)
}

const DAY: i64 = 86_400_000;

#[test]
fn partitions_are_made_ahead_and_dropped_by_age() {
    let url = Cluster::shared().database();
    let mut telemetry = connected(&url);
    let today = today(&url);
    let at = |day: i64| sample(1, Quantity::P, (today + day) * DAY + 5, 0.5);
    telemetry.insert(&[at(0)]).unwrap();
    let days = |days: &[i64]| -> Vec<String> {
        let name = |day: &i64| format!("sample_{}", today + day);
        days.iter().map(name).collect()
    };
    assert_eq!(partitions(&url), days(&[0, 1, 2]), "made ahead");
    telemetry.insert(&[at(-3), at(-2), at(1)]).unwrap();
    assert_eq!(partitions(&url), days(&[-3, -2, 0, 1, 2]));
    assert_eq!(values(&telemetry, EVER, 10).len(), 4);

    let before = Timestamp::from_millis((today - 2) * DAY + DAY - 1);
    while telemetry.retire(&kept_from(before), 1).unwrap() != 0 {}
    assert_eq!(
        partitions(&url),
        days(&[-2, 0, 1, 2]),
        "a day goes when all of it is too old"
    );
    let end = Timestamp::from_millis((today - 1) * DAY);
    while telemetry.retire(&kept_from(end), 1).unwrap() != 0 {}
    assert_eq!(partitions(&url), days(&[0, 1, 2]));
    assert_eq!(values(&telemetry, EVER, 10).len(), 2);
    assert_eq!(telemetry.insert(&[at(-2)]).unwrap().too_old, 1);
    assert_eq!(partitions(&url), days(&[0, 1, 2]), "nor made again");
}

/// However wrong clients' clocks are, they make no partitions without end, and what they sent is
/// found in its day's partition once that day has come.
#[test]
fn times_out_of_reach_make_no_partitions() {
    let url = Cluster::shared().database();
    let mut telemetry = connected(&url);
    let today = today(&url);
    let far = [-100_000, -801, 3, 4, 100_000];
    let samples = far.map(|day| sample(1, Quantity::P, (today + day) * DAY, 0.5));
    assert_eq!(telemetry.insert(&samples).unwrap().new, 5);
    assert_eq!(partitions(&url).len(), 3);
    assert_eq!(values(&telemetry, EVER, 10).len(), 5);

    let mut other = connect(&url);
    let (day, gone) = (today + 2, format!("sample_{}", today + 2));
    other
        .batch_execute(&format!("DROP TABLE wattfold.{gone}"))
        .unwrap();
    let early = sample(1, Quantity::P, day * DAY + 7, 0.25);
    assert_eq!(telemetry.insert(&[early]).unwrap().new, 1);
    let count = "SELECT count(*) FROM wattfold.sample_other";
    let rows: i64 = other.query_one(count, &[]).unwrap().get(0);
    assert_eq!(rows, 6, "its partition was gone, so it went to the others");
    let mut later = connected(&url);
    assert_eq!(later.insert(&[early]).unwrap().new, 0);
    assert!(partitions(&url).contains(&gone));
    let rows: i64 = other.query_one(count, &[]).unwrap().get(0);
    assert_eq!(rows, 5, "moved to the day's own partition");
    assert_eq!(values(&later, EVER, 10).len(), 6);
}

#[test]
fn a_lost_connection_is_made_again() {
    let url = Cluster::shared().database();
    let mut telemetry = connected(&url);
    let mut end = connect(&url);
    let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE application_name = 'wattfold telemetry' AND datname = current_database()";
    end.execute(cut, &[]).unwrap();
    let samples = [sample(1, Quantity::P, NOON, 1.0)];
    if telemetry.insert(&samples).is_err() {
        assert_eq!(telemetry.insert(&samples).unwrap().new, 1);
    }
    assert_eq!(values(&telemetry, EVER, 10), [1.0]);
}
