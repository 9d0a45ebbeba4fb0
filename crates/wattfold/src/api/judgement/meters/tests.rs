use fleet::Quality;
use store::telemetry::Kept;

use super::*;

const DER: DerId = DerId(0);

fn file(readings: i64) -> File {
    let mut file = File::in_memory().unwrap();
    let sample = |n: i64| Sample {
        der: DER,
        quantity: Quantity::P,
        at: Timestamp::from_secs(n),
        value: 1.0,
        quality: Quality::Valid,
    };
    let samples: Vec<Sample> = (0..readings).map(sample).collect();
    for some in samples.chunks(File::MAX_INSERT) {
        file.insert(some).unwrap();
    }
    file
}

fn between(a: i64, b: i64) -> Interval {
    Interval::between(Timestamp::from_secs(a), Timestamp::from_secs(b))
}

fn wanted(dispatch: u32, secs: i64) -> Wanted {
    Wanted {
        dispatch: DispatchId(dispatch),
        der: DER,
        span: between(0, secs),
        marks: Vec::new(),
        generates: None,
        rank: Rank::DeviceTelemetry,
    }
}

fn read(file: &File, wanted: Wanted) -> Readings {
    let of = wanted.dispatch;
    let (meters, done) = Meters::read(file, &[wanted]).unwrap();
    assert_eq!(done, 1);
    meters.of(of, DER).clone()
}

/// Rests for 2 999.5 s, then charges with 4 kW, four readings a second.
fn charging(secs: i64) -> (File, Timestamp) {
    let mut file = File::in_memory().unwrap();
    let begins = Timestamp::from_millis(2_999_500);
    let sample = |n: i64| {
        let at = Timestamp::from_millis(n * 250);
        let value = if at < begins { 0.0 } else { -4_000.0 };
        let (quantity, quality) = (Quantity::P, Quality::Valid);
        Sample {
            der: DER,
            quantity,
            at,
            value,
            quality,
        }
    };
    let samples: Vec<Sample> = (0..secs * 4).map(sample).collect();
    file.insert(&samples).unwrap();
    (file, begins)
}

/// Hours before that of `secs` are retired; of roll-ups those before that of `minutes_from`.
fn retire(file: &mut File, secs: i64, minutes_from: i64) {
    let newer = Sample {
        der: DER,
        quantity: Quantity::Q,
        at: Timestamp::from_secs(secs),
        value: 1.0,
        quality: Quality::Valid,
    };
    file.insert(&[newer]).unwrap();
    let kept = Kept {
        samples: Timestamp::from_secs(secs),
        rollups: [minutes_from, 0, 0].map(Timestamp::from_secs),
    };
    while 0 < file.retire(&kept, 20_000).unwrap() {}
}

#[test]
fn no_reading_of_a_der_is_left_out_however_many_there_are() {
    const SECS: i64 = 12_000;
    let (file, begins) = charging(SECS);
    let count = usize::try_from(SECS * 4).unwrap();
    assert!(MAX_READ_AT_ONCE < count);
    let readings = read(
        &file,
        Wanted {
            marks: vec![begins],
            ..wanted(0, SECS)
        },
    );
    assert!(readings.p().count() <= usize::try_from(MAX_DER_SLOTS).unwrap() + 1);
    let whole = readings.metered(between(0, SECS)).unwrap();
    assert_eq!(whole.readings, u32::try_from(count).unwrap());
    let end = Timestamp::from_secs(SECS);
    let after = readings.metered(Interval::between(begins, end)).unwrap();
    assert_eq!(
        (after.mean, after.least, after.most),
        (
            -Watts::whole(4_000),
            -Watts::whole(4_000),
            -Watts::whole(4_000)
        ),
        "no reading of before the stretch counts in it"
    );
    let start = Timestamp::from_secs(0);
    let before = readings.before(Interval::between(start, begins)).unwrap();
    let expected = u32::try_from(begins.millis() / 250).unwrap();
    assert_eq!((before.p, before.readings), (Watts::ZERO, expected));
    assert_eq!(readings.grain(), Grain::Readings);
}

#[test]
fn retired_readings_are_judged_by_what_their_minutes_come_to() {
    let (mut file, begins) = charging(3_600);
    let exact = read(&file, wanted(0, 3_600));
    retire(&mut file, 7_200, 0);
    assert_eq!(
        file.query(DER, Quantity::P, between(0, 3_600), 1).unwrap(),
        []
    );
    let marks = vec![begins];
    let minutes = read(
        &file,
        Wanted {
            marks,
            ..wanted(0, 3_600)
        },
    );
    assert_eq!(
        (exact.grain(), minutes.grain()),
        (Grain::Readings, Grain::Minutes)
    );
    assert_eq!(minutes.archive(), Archive::Kept);
    let all = between(0, 3_600);
    assert_eq!(minutes.metered(all), exact.metered(all));
    let after = Interval::between(begins, Timestamp::from_secs(3_600));
    let metered = minutes.metered(after).unwrap();
    assert_eq!(
        (metered.mean, metered.readings),
        (-Watts::whole(4_000), 10 * 60 * 4),
        "the minute in which it began is left out"
    );
    let (rough, fine) = (minutes.before(all).unwrap(), exact.before(all).unwrap());
    assert_eq!(rough.p, fine.p);
    assert!(fine.uncertainty <= rough.uncertainty);
    assert!(
        minutes.metered(between(2_999, 3_001)).is_some(),
        "there is no other"
    );
}

#[test]
fn when_the_minutes_are_retired_as_well_that_is_said() {
    let (mut file, _) = charging(3_600);
    retire(&mut file, 7_200, 3_600);
    let readings = read(&file, wanted(0, 3_600));
    assert_eq!(readings.metered(between(0, 3_600)), None);
    assert_eq!(
        (readings.grain(), readings.archive()),
        (Grain::Retired, Archive::Retired)
    );
}

#[test]
fn members_beyond_the_most_parts_are_left_for_another_time() {
    let most = 10_000;
    let file = file(most);
    let each = MAX_METER_SLOTS / usize::try_from(most).unwrap();
    let all: Vec<Wanted> = (0..u32::try_from(each).unwrap() + 2)
        .map(|n| wanted(n, most))
        .collect();
    let (meters, read) = Meters::read(&file, &all).unwrap();
    let of_one = meters.all().next().unwrap().p().count();
    assert_eq!(read, MAX_METER_SLOTS.div_ceil(of_one));
    assert_eq!(meters.all().count(), read);
    let (_, rest) = Meters::read(&file, &all[read..]).unwrap();
    assert_eq!(rest, all.len() - read);
}

#[test]
fn what_a_der_could_inject_is_what_it_said_then_or_last_before() {
    let said = |at, p| {
        let (at, p) = (Timestamp::from_secs(at), Watts::whole(p));
        Slot {
            first: at,
            last: at,
            latest: p,
            batch: Batch::one(p),
        }
    };
    let readings = Readings {
        available: vec![said(10, 4_000), said(20, 3_000), said(30, 2_000)],
        ..Readings::NONE.clone()
    };
    let during = readings.available(between(20, 40)).unwrap();
    assert_eq!((during.p, during.readings), (Watts::whole(2_500), 2));
    let before = readings.available(between(21, 29)).unwrap();
    assert_eq!(
        (before.p, before.uncertainty),
        (Watts::whole(3_000), Watts::whole(3_000))
    );
    assert_eq!(readings.available(between(0, 10)), None);
}
