use fleet::Quality;

use super::{AGGREGATOR, MANAGED, NOW, OF_RIVAL, OTHER, OWN, RIVAL, World};
use crate::codec::simple::{HexBinary16, HexBinary128, Int48, TimeType};
use crate::server::resources::{MAX_METER_READINGS, MAX_USAGE_POINTS};
use crate::translate::metering::{Forward, Measurement, Point, Quantity};
use crate::wire::metering::{
    DataQualifierType, FlowDirectionType, Reading, ReadingType, UomType, role_flags,
};
use crate::wire::metering_mirror::{
    MirrorMeterReading, MirrorMeterReadingList, MirrorReadingSet, MirrorUsagePoint,
    MirrorUsagePointList,
};
use crate::wire::time::DateTimeInterval;

fn usage_point(mrid: u128) -> MirrorUsagePoint {
    MirrorUsagePoint {
        mrid: HexBinary128::new(mrid),
        role_flags: HexBinary16::new(role_flags::IS_MIRROR | role_flags::IS_DER),
        status: 1,
        device_lfdi: OWN.into(),
        ..MirrorUsagePoint::default()
    }
}

fn reading_type(uom: UomType, flow: FlowDirectionType) -> ReadingType {
    ReadingType {
        data_qualifier: Some(DataQualifierType::AVERAGE),
        flow_direction: Some(flow),
        power_of_ten_multiplier: Some(-1),
        uom: Some(uom),
        ..ReadingType::default()
    }
}

fn reading(mrid: u128, kind: Option<ReadingType>, value: i64) -> MirrorMeterReading {
    MirrorMeterReading {
        mrid: HexBinary128::new(mrid),
        reading: Some(Reading {
            time_period: Some(DateTimeInterval {
                duration: 60,
                start: TimeType(NOW.secs() - 3_600),
            }),
            value: Some(Int48(value)),
            ..Reading::default()
        }),
        reading_type: kind,
        ..MirrorMeterReading::default()
    }
}

fn values(world: &World) -> Vec<String> {
    world
        .measurements
        .iter()
        .map(|told| format!("{:.1}", told.value))
        .collect()
}

/// A usage point with one reading posted to it.
pub(super) fn mirror(world: &mut World) -> String {
    let reply = world.post(OWN, "/mup", &usage_point(7));
    assert_eq!(reply.status, 201);
    let location = reply.location.unwrap();
    let kind = reading_type(UomType::WATT, FlowDirectionType::REVERSE);
    assert_eq!(
        world
            .post(OWN, &location, &reading(1, Some(kind), 12_345))
            .status,
        201
    );
    location
}

#[test]
fn power_in_reverse_is_injection() {
    let mut world = World::new();
    let location = mirror(&mut world);
    let start = TimeType(NOW.secs() - 3_600).timestamp();
    let expected = Measurement {
        point: Point::Der,
        quantity: Quantity::ActivePower,
        value: 1_234.5,
        at: start,
        period_s: 60,
        quality: Quality::Valid,
    };
    assert_eq!(world.measurements, [expected]);
    let again = world.post(OWN, &location, &reading(1, None, 1_000));
    assert_eq!((again.status, again.location), (204, None));
    assert_eq!(values(&world)[1], "100.0");
    let forward = reading_type(UomType::WATT, FlowDirectionType::FORWARD);
    assert_eq!(
        world
            .post(OWN, &location, &reading(2, Some(forward), 50))
            .status,
        201
    );
    assert_eq!(values(&world)[2], "-5.0");
}

#[test]
fn both_directions_of_one_period_are_one_net_value() {
    let mut world = World::new();
    let location = mirror(&mut world);
    world.measurements.clear();
    let list = MirrorMeterReadingList {
        mirror_meter_reading: vec![
            reading(
                3,
                Some(reading_type(UomType::WATT, FlowDirectionType::FORWARD)),
                300,
            ),
            reading(
                4,
                Some(reading_type(UomType::WATT, FlowDirectionType::REVERSE)),
                0,
            ),
            reading(
                5,
                Some(reading_type(
                    UomType::VOLT,
                    FlowDirectionType::NOT_APPLICABLE,
                )),
                2_301,
            ),
            reading(
                6,
                Some(reading_type(UomType::WATT_HOUR, FlowDirectionType::FORWARD)),
                1,
            ),
        ],
        ..MirrorMeterReadingList::default()
    };
    assert_eq!(world.post(OWN, &location, &list).status, 201);
    let told: Vec<Quantity> = world.measurements.iter().map(|m| m.quantity).collect();
    let energy = Quantity::EnergyAbsorbed;
    assert_eq!(told, [Quantity::ActivePower, energy, Quantity::Voltage]);
    assert_eq!(values(&world), ["-30.0", "0.1", "230.1"]);
}

#[test]
fn energies_of_the_two_directions_are_two_counters() {
    for (forward, expected) in [
        (
            Forward::Absorbed,
            [Quantity::EnergyInjected, Quantity::EnergyAbsorbed],
        ),
        (
            Forward::Injected,
            [Quantity::EnergyAbsorbed, Quantity::EnergyInjected],
        ),
    ] {
        let mut world = World::new();
        world.config.forward = forward;
        let location = mirror(&mut world);
        for (flow, value, counter) in [
            (FlowDirectionType::REVERSE, 70, expected[0]),
            (FlowDirectionType::FORWARD, 20, expected[1]),
        ] {
            world.measurements.clear();
            let kind = reading_type(UomType::WATT_HOUR, flow);
            let posted = reading(u128::from(flow.0), Some(kind), value);
            world.post(OWN, &location, &posted);
            assert_eq!(world.measurements[0].quantity, counter);
            assert_eq!(values(&world), [format!("{:.1}", value as f64 / 10.0)]);
        }
    }
}

#[test]
fn a_flood_of_usage_points_is_stopped_at_the_limit() {
    let mut world = World::new();
    let mut taken = 0;
    for mrid in 0..10_000 {
        let reply = world.post(OWN, "/mup", &usage_point(mrid));
        match reply.status {
            201 => taken += 1,
            400 => assert_eq!(reply.refused, Some(crate::server::Refused::Limit)),
            other => panic!("{other}"),
        }
    }
    assert_eq!(taken, MAX_USAGE_POINTS);
}

#[test]
fn clients_that_count_the_other_way_can_be_told_apart() {
    let mut world = World::new();
    world.config.forward = Forward::Injected;
    mirror(&mut world);
    assert_eq!(values(&world), ["-1234.5"]);
}

#[test]
fn readings_in_a_set_and_of_the_premises_are_told() {
    let mut world = World::new();
    let premises = MirrorUsagePoint {
        role_flags: HexBinary16::new(role_flags::IS_PREMISES_AGGREGATION_POINT),
        ..usage_point(9)
    };
    let location = world.post(OWN, "/mup", &premises).location.unwrap();
    let kind = reading_type(UomType::WATT, FlowDirectionType::FORWARD);
    let mut posted = reading(1, Some(kind), 10);
    let doubted = Reading {
        quality_flags: Some(HexBinary16::new(1 << 4)),
        ..posted.reading.clone().unwrap()
    };
    posted.reading = None;
    posted.mirror_reading_set = vec![MirrorReadingSet {
        reading: vec![doubted],
        ..MirrorReadingSet::default()
    }];
    assert_eq!(world.post(OWN, &location, &posted).status, 201);
    let told = world.measurements[0];
    assert_eq!(
        (told.point, told.quality),
        (Point::Premises, Quality::Questionable)
    );
}

#[test]
fn the_same_mrid_is_the_same_usage_point() {
    let mut world = World::new();
    let location = mirror(&mut world);
    let again = world.post(OWN, "/mup", &usage_point(7));
    assert_eq!(
        (again.status, again.location),
        (204, Some(location.clone()))
    );
    let list: MirrorUsagePointList = world.read(OWN, "/mup?l=9");
    assert_eq!(list.all, 1);
    let kept: MirrorUsagePoint = world.read(OWN, &location);
    assert_eq!(
        kept.mirror_meter_reading.len(),
        1,
        "its reading types are kept"
    );
    assert_eq!(kept.post_rate, Some(300));
}

#[test]
fn the_usage_points_of_others_do_not_exist() {
    let mut world = World::new();
    let location = mirror(&mut world);
    assert_eq!(world.get(OTHER, &location).status, 404);
    assert_eq!(
        world.post(OTHER, &location, &reading(1, None, 1)).status,
        404
    );
    assert_eq!(world.post(OTHER, "/mup", &usage_point(7)).status, 403);
    let list: MirrorUsagePointList = world.read(OTHER, "/mup?l=9");
    assert_eq!((list.all, list.results), (0, 0));
    assert_eq!(world.measurements.len(), 1);
}

#[test]
fn a_reading_of_unknown_type_is_refused() {
    let mut world = World::new();
    let location = mirror(&mut world);
    assert_eq!(
        world.post(OWN, &location, &reading(99, None, 1)).status,
        400
    );
    assert_eq!(world.post(OWN, &location, &usage_point(7)).status, 400);
}

#[test]
fn usage_points_and_meter_readings_are_bounded() {
    let mut world = World::new();
    for mrid in 0..MAX_USAGE_POINTS {
        let mrid = u128::try_from(mrid).unwrap();
        assert_eq!(world.post(OWN, "/mup", &usage_point(mrid)).status, 201);
    }
    let reply = world.post(OWN, "/mup", &usage_point(1 << 100));
    assert_eq!(reply.status, 400);
    let error: crate::wire::error::Error = crate::codec::read::read(&reply.body).unwrap();
    assert_eq!(
        error.reason_code,
        crate::wire::error::ReasonCode::RESOURCE_LIMIT
    );
    let kind = reading_type(UomType::WATT, FlowDirectionType::FORWARD);
    let many = |count: usize| MirrorMeterReadingList {
        mirror_meter_reading: (0..count)
            .map(|i| reading(u128::try_from(i).unwrap(), Some(kind.clone()), 1))
            .collect(),
        ..MirrorMeterReadingList::default()
    };
    assert_eq!(
        world
            .post(OWN, "/mup/0-1", &many(MAX_METER_READINGS + 1))
            .status,
        400
    );
    assert_eq!(
        world
            .post(OWN, "/mup/0-1", &many(MAX_METER_READINGS))
            .status,
        201
    );
}

/// Two usage points of a client may have the same reading; it is free when neither has it.
#[test]
fn the_mrid_of_a_reading_is_taken_while_any_usage_point_has_it() {
    let mut world = World::new();
    let kind = || Some(reading_type(UomType::WATT, FlowDirectionType::REVERSE));
    let mut points = [7, 8].map(|mrid| {
        let point = MirrorUsagePoint {
            mirror_meter_reading: vec![reading(1, kind(), 1)],
            ..usage_point(mrid)
        };
        world.post(OWN, "/mup", &point).location.unwrap()
    });
    points.reverse();
    for (point, status) in points.iter().zip([409, 201]) {
        let delete = super::request(OWN, "DELETE", point, b"");
        assert_eq!(world.send(&delete).status, 204);
        let foreign = MirrorUsagePoint {
            device_lfdi: OTHER.into(),
            mirror_meter_reading: vec![reading(1, kind(), 1)],
            ..usage_point(9)
        };
        assert_eq!(
            world.post(OTHER, "/mup", &foreign).status,
            status,
            "{point}"
        );
    }
}

/// An aggregator pages through those of its DER and its own, the highest mRID first.
#[test]
fn usage_points_of_many_are_listed_by_mrid() {
    let mut world = World::with_aggregators();
    for (lfdi, mrid) in [
        (MANAGED, 5),
        (AGGREGATOR, 9),
        (MANAGED, 7),
        (OF_RIVAL, 8),
        (OWN, 6),
        (MANAGED, 1),
    ] {
        let point = MirrorUsagePoint {
            device_lfdi: lfdi.into(),
            ..usage_point(mrid)
        };
        assert_eq!(world.post(lfdi, "/mup", &point).status, 201);
    }
    let mut page = |lfdi, query: &str| {
        let list: MirrorUsagePointList = world.read(lfdi, &format!("/mup?{query}"));
        let shown = list.mirror_usage_point.iter();
        let mrids: Vec<u128> = shown.map(|point| point.mrid.value()).collect();
        (list.all, mrids)
    };
    assert_eq!(page(AGGREGATOR, "s=0&l=3"), (4, vec![9, 7, 5]));
    assert_eq!(page(AGGREGATOR, "s=3&l=3"), (4, vec![1]));
    assert_eq!(page(MANAGED, "s=0&l=9"), (3, vec![7, 5, 1]));
    assert_eq!(page(RIVAL, "s=0&l=9"), (1, vec![8]));
}
