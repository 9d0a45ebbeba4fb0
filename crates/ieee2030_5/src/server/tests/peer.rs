//! What py20305, another team's client, puts and posts, made by its own builders.

use units::Watts;

use super::{OWN, World, request};
use crate::schema::{fresh_directory, schema};
use crate::translate::DerId;
use crate::translate::metering::{Forward, Quantity};
use crate::wire::der::DerStatus;
use crate::wire::metering_mirror::MirrorUsagePoint;

#[test]
fn another_teams_device_reports_and_mirrors_its_meter() {
    let directory = fresh_directory("peer");
    schema("bodies", &directory, &[&OWN.to_string()]);
    let body = |name: &str| std::fs::read(directory.join(name)).unwrap();
    let mut world = World::new();
    world.config.forward = Forward::Injected;
    for (method, address, name, status) in [
        ("PUT", "/edev/0/der/1/dercap", "dercap.xml", 204),
        ("PUT", "/edev/0/der/1/derg", "derg.xml", 204),
        ("PUT", "/edev/0/der/1/ders", "ders.xml", 204),
        ("PUT", "/edev/0/der/1/dera", "dera.xml", 204),
        ("POST", "/edev/0/lel", "lel.xml", 201),
        ("POST", "/mup", "mup.xml", 201),
        ("POST", "/mup/0-1", "mmr.xml", 204),
    ] {
        let reply = world.send(&request(OWN, method, address, &body(name)));
        assert_eq!(reply.status, status, "{name}: {:?}", reply.reason);
    }
    let der = world.fleet.der(DerId(0)).unwrap();
    assert_eq!(
        der.capability.as_ref().unwrap().p_inject_max,
        Watts::whole(15_000)
    );
    assert_eq!(
        der.settings.as_ref().unwrap().p_inject_max,
        Watts::whole(10_000)
    );
    let status: DerStatus = world.read(OWN, "/edev/0/der/1/ders");
    assert!(status.alarm_status.is_some());
    let metered: f64 = String::from_utf8(body("power.txt"))
        .unwrap()
        .parse()
        .unwrap();
    let told = |quantity| {
        world
            .measurements
            .iter()
            .find(|told| told.quantity == quantity)
    };
    let power = told(Quantity::ActivePower).unwrap().value;
    assert!((power - metered).abs() < 1.0, "{power} against {metered}");
    assert!(told(Quantity::Voltage).is_some() && told(Quantity::Frequency).is_some());
    let kept: MirrorUsagePoint = world.read(OWN, "/mup/0-1");
    assert!(
        kept.mirror_meter_reading
            .iter()
            .all(|reading| reading.reading_type.is_some())
    );
}
