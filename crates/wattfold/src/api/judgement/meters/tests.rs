use fleet::Quality;

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

fn wanted(dispatch: u32, secs: i64) -> Wanted {
    Wanted {
        dispatch: DispatchId(dispatch),
        der: DER,
        span: Interval::between(Timestamp::from_secs(0), Timestamp::from_secs(secs)),
        generates: None,
        rank: Rank::DeviceTelemetry,
    }
}

#[test]
fn of_one_der_the_earliest_readings_are_looked_at() {
    let most = i64::try_from(MAX_DER_READINGS).unwrap();
    let file = file(most + 1);
    let (meters, read) = Meters::read(&file, &[wanted(0, most + 1)]).unwrap();
    let readings = meters.of(DispatchId(0), DER).p();
    assert_eq!((read, readings.len()), (1, MAX_DER_READINGS));
    assert_eq!(readings[0].0, Timestamp::from_secs(0));
}

#[test]
fn members_beyond_the_most_readings_are_left_for_another_time() {
    let most = i64::try_from(MAX_DER_READINGS).unwrap();
    let file = file(most);
    let each = u32::try_from(MAX_METER_READINGS / MAX_DER_READINGS).unwrap();
    let all: Vec<Wanted> = (0..each + 2).map(|n| wanted(n, most)).collect();
    let (meters, read) = Meters::read(&file, &all).unwrap();
    assert_eq!(read, MAX_METER_READINGS / MAX_DER_READINGS);
    assert_eq!(meters.all().count(), read);
    let (_, rest) = Meters::read(&file, &all[read..]).unwrap();
    assert_eq!(rest, 2);
}

#[test]
fn what_a_der_could_inject_is_what_it_said_then_or_last_before() {
    let said = |at, p| (Timestamp::from_secs(at), Watts::whole(p));
    let readings = Readings {
        available: vec![said(10, 4_000), said(20, 3_000), said(30, 2_000)],
        ..Readings::NONE.clone()
    };
    let between = |a, b| Interval::between(Timestamp::from_secs(a), Timestamp::from_secs(b));
    let during = readings.available(between(20, 40)).unwrap();
    assert_eq!((during.p, during.readings), (Watts::whole(2_500), 2));
    let before = readings.available(between(21, 29)).unwrap();
    assert_eq!(
        (before.p, before.uncertainty),
        (Watts::whole(3_000), Watts::whole(3_000))
    );
    assert_eq!(readings.available(between(0, 10)), None);
}
