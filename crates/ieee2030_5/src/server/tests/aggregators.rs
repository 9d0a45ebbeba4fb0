//! Aggregators and their own.

use super::{
    AGGREGATOR, MANAGED, NOW, Name, NewAggregator, OF_RIVAL, OTHER, OWN, Pin, RIVAL, World,
    end_device, request,
};
use crate::codec::simple::HexBinary32;
use crate::codec::table::{Edition, Extension, Profile};
use crate::codec::write::write;
use crate::server::config::ConnectionPoints;
use crate::translate::{AggregatorId, Client, Command, DerId, Lfdi};
use crate::wire::connection_point::ConnectionPoint;
use crate::wire::der::{DerList, DerStatus};
use crate::wire::der_control::DerControlList;
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::{EndDevice, EndDeviceList, Registration};
use crate::wire::log_event::LogEvent;
use crate::wire::metering_mirror::{MirrorUsagePoint, MirrorUsagePointList};
use crate::wire::response::{Response, ResponseStatus};

fn devices(world: &mut World, lfdi: Lfdi) -> Vec<String> {
    let list: EndDeviceList = world.read(lfdi, "/edev?l=255");
    assert_eq!(usize::try_from(list.all).unwrap(), list.end_device.len());
    let href = |device: &EndDevice| device.href.as_ref().unwrap().as_str().to_owned();
    list.end_device.iter().map(href).collect()
}

#[test]
fn an_aggregator_sees_itself_and_its_own() {
    let mut world = World::with_aggregators();
    let mut own = devices(&mut world, AGGREGATOR);
    own.sort();
    assert_eq!(own, ["/edev/3", "/edev/a0"]);
    let mut rival = devices(&mut world, RIVAL);
    rival.sort();
    assert_eq!(rival, ["/edev/4", "/edev/a1"]);
    assert_eq!(devices(&mut world, MANAGED), ["/edev/3"]);
    let own: EndDevice = world.read(AGGREGATOR, "/edev/a0");
    assert_eq!(own.lfdi, Some(AGGREGATOR.into()));
    assert_eq!(own.function_set_assignments_list_link, None);
    assert_eq!(own.der_list_link, None);
    let subscriptions = own.subscription_list_link.unwrap();
    assert_eq!(subscriptions.href.as_str(), "/edev/a0/sub");
    let device: EndDevice = world.read(AGGREGATOR, "/edev/3");
    assert_eq!(device.subscription_list_link, None);
    assert!(device.function_set_assignments_list_link.is_some());
    let registration: Registration = world.read(AGGREGATOR, "/edev/3/rg");
    assert_eq!(registration.pin, 111_115);
    let registration: Registration = world.read(AGGREGATOR, "/edev/a0/rg");
    assert_eq!(registration.pin, Pin::with_check_digit(22_222).digits());
    let capability: DeviceCapability = world.read(AGGREGATOR, "/dcap");
    assert_eq!(capability.end_device_list_link.unwrap().all, Some(2));
}

#[test]
fn end_devices_are_listed_by_their_latest_change() {
    let mut world = World::with_aggregators();
    let add = |world: &mut World, byte: u8| {
        world.pass(10);
        let device = end_device(Lfdi([byte; 20]));
        let reply = world.post(AGGREGATOR, "/edev", &device);
        assert_eq!(reply.status, 201, "{:?}", reply.reason);
        reply.location.unwrap()
    };
    let (first, second) = (add(&mut world, 0xA1), add(&mut world, 0xA2));
    assert_eq!(devices(&mut world, AGGREGATOR)[..2], [second, first]);
    let list: EndDeviceList = world.read(AGGREGATOR, "/edev?l=255");
    let ordered = |a: &EndDevice, b: &EndDevice| {
        (b.changed_time, a.sfdi) <= (a.changed_time, b.sfdi) && b.changed_time <= a.changed_time
    };
    assert!(list.end_device.is_sorted_by(ordered));
    let page: EndDeviceList = world.read(AGGREGATOR, "/edev?s=1&l=1");
    assert_eq!((page.all, page.results), (4, 1));
}

#[test]
fn an_aggregator_creates_and_deletes_where_it_may() {
    let mut world = World::with_aggregators();
    let newcomer = Lfdi([0xB1; 20]);
    let posted = EndDevice {
        device_category: Some(HexBinary32::new(1 << 25)),
        ..end_device(newcomer)
    };
    assert_eq!(world.post(RIVAL, "/edev", &posted).status, 403);
    let reply = world.post(AGGREGATOR, "/edev", &posted);
    assert_eq!(
        (reply.status, reply.location.as_deref()),
        (201, Some("/edev/6"))
    );
    let created = world.fleet.der(DerId(6)).unwrap();
    assert_eq!(
        (created.lfdi, created.manager),
        (newcomer, Some(AggregatorId(0)))
    );
    let device: EndDevice = world.read(AGGREGATOR, "/edev/6");
    assert_eq!(device.device_category, posted.device_category);
    let ders: DerList = world.read(AGGREGATOR, "/edev/6/der");
    assert_eq!(ders.all, 1);
    for taken in [newcomer, OWN, AGGREGATOR, RIVAL, OF_RIVAL] {
        assert_eq!(
            world.post(AGGREGATOR, "/edev", &end_device(taken)).status,
            409
        );
    }
    let mut wrong = end_device(Lfdi([0xB2; 20]));
    wrong.sfdi.0 += 1;
    assert_eq!(world.post(AGGREGATOR, "/edev", &wrong).status, 400);
    wrong.lfdi = None;
    assert_eq!(world.post(AGGREGATOR, "/edev", &wrong).status, 400);
    let delete = |world: &mut World, lfdi, address: &str| {
        world.send(&request(lfdi, "DELETE", address, b"")).status
    };
    assert_eq!(delete(&mut world, RIVAL, "/edev/4"), 403);
    assert_eq!(delete(&mut world, AGGREGATOR, "/edev/a0"), 403);
    assert_eq!(delete(&mut world, OWN, "/edev/0"), 403);
    assert_eq!(delete(&mut world, AGGREGATOR, "/edev/6"), 204);
    assert_eq!(world.get(AGGREGATOR, "/edev/6").status, 404);
    assert_eq!(world.get(newcomer, "/edev/6").status, 404);
    assert!(!devices(&mut world, AGGREGATOR).contains(&"/edev/6".to_owned()));
    let again = world.post(AGGREGATOR, "/edev", &posted);
    assert_eq!(
        again.location.as_deref(),
        Some("/edev/7"),
        "no number twice"
    );
}

#[test]
fn the_pin_of_a_device_created_in_band_is_drawn_and_not_read_off_its_certificate() {
    let mut world = World::with_aggregators();
    let body = write(&end_device(Lfdi([0xB1; 20])), Profile::default());
    let mut post = request(AGGREGATOR, "POST", "/edev", &body);
    post.random = 907_654;
    assert_eq!(world.send(&post).status, 201);
    let registration: Registration = world.read(AGGREGATOR, "/edev/6/rg");
    assert_eq!(registration.pin, Pin::with_check_digit(7_654).digits());
}

#[test]
fn a_revoked_device_is_not_created_again_by_its_aggregator() {
    let mut world = World::with_aggregators();
    world.command(&Command::SetAccess(Client::Der(DerId(3)), false));
    assert_eq!(world.get(MANAGED, "/edev/3").status, 404);
    let delete = request(AGGREGATOR, "DELETE", "/edev/3", b"");
    assert_eq!(world.send(&delete).status, 204);
    let posted = world.post(AGGREGATOR, "/edev", &end_device(MANAGED));
    assert_eq!(posted.status, 403);
    assert_eq!(world.fleet.der_by_lfdi(MANAGED), None);
}

#[test]
fn an_aggregator_registers_itself_in_band() {
    let mut world = World::new();
    let lfdi = Lfdi([0xC1; 20]);
    world.command(&Command::EnrolAggregator(NewAggregator {
        name: Name::new("new").unwrap(),
        lfdi,
        pin: Pin::with_check_digit(1),
        registered: false,
        may_enrol: true,
    }));
    let none: EndDeviceList = world.read(lfdi, "/edev?l=9");
    assert_eq!(none.all, 0);
    assert_eq!(world.post(lfdi, "/edev", &end_device(OWN)).status, 403);
    let reply = world.post(lfdi, "/edev", &end_device(lfdi));
    assert_eq!(
        (reply.status, reply.location.as_deref()),
        (201, Some("/edev/a0"))
    );
    assert_eq!(world.post(lfdi, "/edev", &end_device(lfdi)).status, 409);
    assert_eq!(devices(&mut world, lfdi), ["/edev/a0"]);
}

#[test]
fn an_aggregator_reports_for_its_der() {
    let mut world = World::with_aggregators();
    let status = DerStatus {
        reading_time: NOW.into(),
        ..DerStatus::default()
    };
    assert_eq!(
        world.put(AGGREGATOR, "/edev/3/der/1/ders", &status).status,
        204
    );
    let kept: DerStatus = world.read(MANAGED, "/edev/3/der/1/ders");
    assert_eq!(kept.reading_time, status.reading_time);
    assert_eq!(
        world
            .post(AGGREGATOR, "/edev/3/lel", &LogEvent::default())
            .status,
        201
    );
    assert_eq!(
        world
            .put(AGGREGATOR, "/edev/3", &end_device(MANAGED))
            .status,
        403
    );
    let point = MirrorUsagePoint {
        device_lfdi: MANAGED.into(),
        ..MirrorUsagePoint::default()
    };
    let reply = world.post(AGGREGATOR, "/mup", &point);
    assert_eq!(
        (reply.status, reply.location.as_deref()),
        (201, Some("/mup/3-1"))
    );
    for lfdi in [AGGREGATOR, MANAGED] {
        let list: MirrorUsagePointList = world.read(lfdi, "/mup?l=9");
        assert_eq!(list.all, 1);
    }
    let list: MirrorUsagePointList = world.read(RIVAL, "/mup?l=9");
    assert_eq!(list.all, 0);
    let foreign = MirrorUsagePoint {
        device_lfdi: OF_RIVAL.into(),
        ..MirrorUsagePoint::default()
    };
    assert_eq!(world.post(AGGREGATOR, "/mup", &foreign).status, 403);
    let control = world.control(3, 0, 600);
    let list: DerControlList = world.read(AGGREGATOR, "/derp/3/derc?l=9");
    let reply_to = list.der_control[0].reply_to.as_ref().unwrap().as_str();
    assert_eq!(reply_to, "/rsps/a0/rsp");
    let response = Response {
        end_device_lfdi: MANAGED.into(),
        status: Some(ResponseStatus::STARTED),
        subject: world.fleet.control(control).unwrap().mrid.into(),
        ..Response::default()
    };
    let reply = world.post(AGGREGATOR, reply_to, &response);
    assert_eq!(reply.status, 201, "{:?}", reply.reason);
    assert_eq!(
        (world.evidence[0].control, world.evidence[0].der),
        (control, DerId(3))
    );
    let kept: Response = world.read(AGGREGATOR, &reply.location.unwrap());
    assert_eq!(kept.status, response.status);
}

#[test]
fn a_connection_point_has_a_name() {
    let mut world = World::with_aggregators();
    world.config.profile = Profile::new(Edition::Y2018, Extension::CsipAus12);
    world.config.connection_points = ConnectionPoints::Nmi;
    let device: EndDevice = world.read(OWN, "/edev/0");
    assert_eq!(
        device.connection_point_link.unwrap().href.as_str(),
        "/edev/0/cp"
    );
    assert_eq!(world.get(OWN, "/edev/0/cp").status, 404);
    let body = |name: &str| {
        format!(
            "<ConnectionPoint xmlns=\"https://csipaus.org/ns\"><connectionPointId>{name}</connectionPointId></ConnectionPoint>"
        )
    };
    let mut send = |lfdi, method, name: &str| {
        let body = body(name);
        let address = if lfdi == AGGREGATOR {
            "/edev/3/cp"
        } else {
            "/edev/0/cp"
        };
        world.send(&request(lfdi, method, address, body.as_bytes()))
    };
    assert_eq!(send(OWN, "PUT", "NOTAVALIDID").status, 400);
    let first = send(OWN, "PUT", "41020000002");
    assert_eq!(
        (first.status, first.location.as_deref()),
        (201, Some("/edev/0/cp"))
    );
    let again = send(OWN, "POST", "41020000026");
    assert_eq!(
        (again.status, again.location.as_deref()),
        (204, Some("/edev/0/cp"))
    );
    assert_eq!(send(AGGREGATOR, "PUT", "41020000002").status, 201);
    let point: ConnectionPoint = world.read(OWN, "/edev/0/cp");
    assert_eq!(point.connection_point_id.as_str(), "41020000026");
    assert_eq!(world.get(OTHER, "/edev/0/cp").status, 404);
}

#[test]
fn options_names_the_methods() {
    let mut world = World::with_aggregators();
    for (address, allow) in [
        ("/dcap", &["GET", "HEAD"][..]),
        ("/edev/0/der/1/ders", &["GET", "HEAD", "PUT"]),
        ("/mup", &["GET", "HEAD", "POST"]),
        ("/edev/0/frq", &["GET", "HEAD", "POST"]),
        ("/edev/0/cfg", &["GET", "HEAD", "PUT"]),
    ] {
        let reply = world.send(&request(OWN, "OPTIONS", address, b""));
        assert_eq!((reply.status, reply.allow), (200, Some(allow)), "{address}");
    }
    assert_eq!(world.send(&request(OWN, "BREW", "/dcap", b"")).status, 501);
}
