//! How often clients look, and what they are spared.

use super::{OWN, STRANGER, World, request};
use crate::server::{DocumentWrite, Rates};
use crate::wire::der_control::DerProgramList;
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::EndDevice;
use crate::wire::metering_mirror::{MirrorUsagePoint, MirrorUsagePointList};

#[test]
fn rates_are_set_at_run_time_one_by_one() {
    let mut world = World::with_aggregators();
    let point = MirrorUsagePoint {
        device_lfdi: OWN.into(),
        ..MirrorUsagePoint::default()
    };
    world.post(OWN, "/mup", &point);
    let rates = Rates {
        device_capability_s: Some(11),
        end_device_s: Some(12),
        function_set_assignments_s: Some(13),
        der_program_s: Some(14),
        der_s: Some(15),
        usage_point_s: Some(16),
        time_s: Some(17),
        post_rate_s: Some(18),
        urgent_s: Some(9),
    };
    world
        .resources
        .apply(&DocumentWrite::rates(&rates))
        .unwrap();
    for (address, rate) in [
        ("/dcap", 11),
        ("/edev", 12),
        ("/edev/0/fsa", 13),
        ("/edev/0/fsa/1/derp", 14),
        ("/edev/0/der", 15),
        ("/mup", 16),
        ("/tm", 17),
    ] {
        let body = String::from_utf8(world.get(OWN, address).body.to_vec()).unwrap();
        assert!(
            body.contains(&format!("pollRate=\"{rate}\"")),
            "{address}: {body}"
        );
    }
    let device: EndDevice = world.read(OWN, "/edev/0");
    assert_eq!(device.post_rate, Some(18));
    let list: MirrorUsagePointList = world.read(OWN, "/mup");
    assert_eq!(list.mirror_usage_point[0].post_rate, Some(18));
    world.control(0, 14, 600);
    let urgent: DerProgramList = world.read(OWN, "/edev/0/fsa/1/derp");
    assert_eq!(urgent.poll_rate, Some(9));
    let unchanged: DeviceCapability = world.read(STRANGER, "/dcap");
    assert_eq!(unchanged.poll_rate, Some(11));
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let mut world = World::with_aggregators();
    world.control(0, 60, 600);
    let mut get = request(OWN, "GET", "/derp/0/derc?l=9", b"");
    let first = world.send(&get);
    let etag = first.etag.clone().unwrap();
    get.if_none_match = Some(&etag);
    let again = world.send(&get);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.etag.as_deref(), Some(etag.as_str()));
    let weak = format!("\"x\", W/{etag}");
    get.if_none_match = Some(&weak);
    assert_eq!(world.send(&get).status, 304);
    world.pass(60);
    let active = world.send(&get);
    assert_eq!(active.status, 200, "the clock has made it another");
    assert_ne!(active.etag, first.etag);
}

#[test]
fn a_device_looks_more_often_while_it_is_under_a_control_or_soon_will_be() {
    let mut world = World::with_aggregators();
    let rate = |world: &mut World| -> DerProgramList { world.read(OWN, "/edev/0/fsa/1/derp") };
    assert_eq!(rate(&mut world).poll_rate, Some(600));
    world.control(0, 900, 300);
    assert_eq!(
        rate(&mut world).poll_rate,
        Some(600),
        "it looks before then"
    );
    world.pass(300);
    assert_eq!(
        rate(&mut world).poll_rate,
        Some(60),
        "it would not look before"
    );
    world.pass(899);
    assert_eq!(rate(&mut world).poll_rate, Some(60), "it may be cancelled");
    world.pass(1);
    assert_eq!(rate(&mut world).poll_rate, Some(600));
}
