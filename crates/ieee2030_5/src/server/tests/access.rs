//! Nothing crosses between clients: every resource, every method, every kind of caller.

use super::{
    AGGREGATOR, MANAGED, NEW, NOW, OTHER, OWN, REVOKED, RIVAL, STRANGER, World, end_device,
    request, seen,
};
use crate::codec::simple::{HexBinary16, HexBinary128};
use crate::codec::table::Profile;
use crate::codec::write::write;
use crate::server::Refused;
use crate::server::hosted::path::{HostedPath, NUMBERS_MAX, Part};
use crate::server::hosted::route::{Base, RouteId};
use crate::server::href::Target;
use crate::translate::{Client, DerId, Lfdi};
use crate::wire::der_control::DerControlList;
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::EndDeviceList;
use crate::wire::log_event::LogEvent;
use crate::wire::metering_mirror::{MirrorUsagePoint, MirrorUsagePointList};
use crate::wire::response::{Response, ResponseStatus};

const DER: DerId = DerId(3);
const ME: Client = Client::Der(DER);

/// Everything that belongs to DER 3, and its own programme.
fn targets() -> Vec<Target> {
    let mut targets = vec![
        Target::EndDevice(ME),
        Target::Registration(ME),
        Target::DeviceInformation(ME),
        Target::LogEvents(ME),
        Target::LogEvent(ME, 1),
        Target::Subscriptions(ME),
        Target::Subscription(ME, 1),
        Target::ConnectionPoint(DER),
        Target::AssignmentsList(DER),
        Target::Assignments(DER, 1),
        Target::AssignedPrograms(DER, 1),
        Target::Ders(DER),
        Target::Der(DER),
        Target::Capability(DER),
        Target::Settings(DER),
        Target::Status(DER),
        Target::Availability(DER),
        Target::AssociatedPrograms(DER),
        Target::Program(3),
        Target::DefaultControl(3),
        Target::Controls(3),
        Target::ActiveControls(3),
        Target::Control(3, 0),
        Target::Curves(3),
        Target::Curve(3, 0),
        Target::MirrorUsagePoint(ME, 1),
        Target::ResponseSet(ME),
        Target::Responses(ME),
        Target::Response(ME, 1),
    ];
    for route in RouteId::all().filter(|route| route.route().base == Base::EndDevice) {
        let mut numbers = [0; NUMBERS_MAX];
        numbers[..route.route().numbers()].fill(1);
        let document = HostedPath {
            client: Some(ME),
            route,
            numbers,
            part: Part::Document,
        };
        targets.push(Target::Hosted(document));
        if route.route().is_member() {
            targets.push(Target::Hosted(document.list()));
        }
    }
    let top = |name: &str| Target::parse(&format!("/edev/3/fsa/1/{name}")).unwrap();
    targets.extend(["dr", "tp", "msg", "bill", "ppy", "file", "upt"].map(top));
    targets
}

/// DER 3 has a control, a curve, a log event, a mirrored meter and a response.
fn world() -> World {
    let mut world = World::with_aggregators();
    let control = world.control(3, 0, 600);
    world.command(&crate::translate::Command::CreateCurve(fleet::NewCurve {
        program: fleet::ProgramId(3),
        name: None,
        shape: fleet::CurveShape::new(
            fleet::CurveType::VoltVar,
            vec![fleet::CurvePoint {
                x: 1,
                y: 2,
                injects_vars: None,
            }],
        ),
    }));
    assert_eq!(
        world
            .post(MANAGED, "/edev/3/lel", &LogEvent::default())
            .status,
        201
    );
    assert_eq!(
        world.post(MANAGED, "/mup", &usage_point(MANAGED, 5)).status,
        201
    );
    let response = response(&world, MANAGED, control);
    assert_eq!(world.post(MANAGED, "/rsps/3/rsp", &response).status, 201);
    world
}

fn usage_point(lfdi: Lfdi, mrid: u128) -> MirrorUsagePoint {
    MirrorUsagePoint {
        mrid: HexBinary128::new(mrid),
        role_flags: HexBinary16::new(0),
        device_lfdi: lfdi.into(),
        ..MirrorUsagePoint::default()
    }
}

fn response(world: &World, lfdi: Lfdi, control: crate::translate::ControlId) -> Response {
    Response {
        created_date_time: Some(NOW.into()),
        end_device_lfdi: lfdi.into(),
        status: Some(ResponseStatus::RECEIVED),
        subject: world.fleet.control(control).unwrap().mrid.into(),
        ..Response::default()
    }
}

#[test]
fn what_belongs_to_others_answers_as_if_it_were_not_there() {
    let mut world = world();
    let before = (world.fleet.clone(), world.resources.clone());
    let absent = seen(world.get(OWN, "/edev/4000/rg"));
    assert_eq!(absent.status, 404);
    for target in targets() {
        let address = target.to_string();
        for foreign in [OWN, OTHER, NEW, RIVAL, STRANGER, REVOKED] {
            for method in ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"] {
                let reply = world.send(&request(foreign, method, &address, b"<x/>"));
                assert!(reply.refused.is_some(), "{method} {address}");
                assert_eq!(seen(reply), absent, "{method} {address} by {foreign}");
            }
        }
    }
    assert_eq!((world.fleet, world.resources), before);
}

#[test]
fn the_owner_and_who_stands_in_for_it_read_the_same() {
    let mut world = world();
    let mut read = 0;
    for target in targets() {
        let address = target.to_string();
        let own = world.get(MANAGED, &address);
        let managing = world.get(AGGREGATOR, &address);
        assert_eq!(own.status, managing.status, "{address}");
        assert!(
            [200, 404].contains(&own.status),
            "{address}: {:?}",
            own.reason
        );
        read += usize::from(own.status == 200);
    }
    assert!(read > 25, "{read}");
}

#[test]
fn who_is_refused_why() {
    let mut world = world();
    for (lfdi, method, address, refused) in [
        (OWN, "GET", "/edev/3", Refused::Foreign),
        (OWN, "GET", "/derp/3/derc", Refused::Foreign),
        (OWN, "GET", "/mup/3-1", Refused::Foreign),
        (REVOKED, "GET", "/edev/5", Refused::Revoked),
        (OWN, "GET", "/edev/99", Refused::Absent),
        (OWN, "GET", "/nothing", Refused::Absent),
        (OWN, "BREW", "/dcap", Refused::NotImplemented),
        (OWN, "PATCH", "/dcap", Refused::Method),
        (STRANGER, "POST", "/edev", Refused::NotAuthorised),
        (OWN, "POST", "/mup", Refused::Format),
        (AGGREGATOR, "PUT", "/edev/3", Refused::NotAuthorised),
    ] {
        let body = match address {
            "/edev" => write(&end_device(lfdi), Profile::default()),
            _ => b"<x/>".to_vec(),
        };
        let reply = world.send(&request(lfdi, method, address, &body));
        assert_eq!(reply.refused, Some(refused), "{method} {address}");
        assert!(!refused.to_string().is_empty());
    }
    let mut get = request(OWN, "GET", "/dcap", b"");
    get.accept = Some("application/sep-exi");
    assert_eq!(world.send(&get).refused, Some(Refused::NotAcceptable));
}

#[test]
fn who_has_lost_access_is_a_stranger() {
    let mut world = world();
    let capability: DeviceCapability = world.read(REVOKED, "/dcap");
    let mirrored = capability.mirror_usage_point_list_link.unwrap();
    assert_eq!(mirrored.all, Some(0));
    let devices: EndDeviceList = world.read(REVOKED, "/edev?l=9");
    assert_eq!((devices.all, devices.results), (0, 0));
    let meters: MirrorUsagePointList = world.read(REVOKED, "/mup?l=9");
    assert_eq!(meters.all, 0);
    assert_eq!(world.get(REVOKED, "/edev/5").status, 404);
    assert_eq!(
        world.post(REVOKED, "/edev", &end_device(REVOKED)).status,
        403
    );
    assert_eq!(
        world.post(REVOKED, "/mup", &usage_point(REVOKED, 1)).status,
        403
    );
    let client = Client::Der(DerId(5));
    world.command(&crate::translate::Command::SetAccess(client, true));
    assert_eq!(world.get(REVOKED, "/edev/5").status, 200);
}

#[test]
fn nobody_responds_for_another() {
    let mut world = world();
    let control = world.control(0, 0, 600);
    let of_own = response(&world, OWN, control);
    let forged = response(&world, OTHER, control);
    let status = |world: &mut World, lfdi: Lfdi, address: &str, body: &Response| {
        world.post(lfdi, address, body).status
    };
    assert_eq!(status(&mut world, OTHER, "/rsps/1/rsp", &of_own), 400);
    assert_eq!(status(&mut world, OTHER, "/rsps/1/rsp", &forged), 400);
    assert_eq!(status(&mut world, OTHER, "/rsps/0/rsp", &of_own), 404);
    assert_eq!(status(&mut world, AGGREGATOR, "/rsps/a0/rsp", &of_own), 400);
    assert_eq!(status(&mut world, AGGREGATOR, "/rsps/3/rsp", &of_own), 400);
    assert_eq!(world.evidence.len(), 1, "that of the world alone");
    assert_eq!(status(&mut world, OWN, "/rsps/0/rsp", &of_own), 201);
    for unknown in [15, 100, 251, 0] {
        let body = Response {
            status: Some(ResponseStatus(unknown)),
            ..of_own.clone()
        };
        assert_eq!(
            status(&mut world, OWN, "/rsps/0/rsp", &body),
            400,
            "{unknown}"
        );
    }
}

#[test]
fn a_meter_reading_has_one_owner() {
    let mut world = world();
    let reading = crate::wire::metering_mirror::MirrorMeterReading {
        mrid: HexBinary128::new(0xAA),
        reading_type: Some(crate::wire::metering::ReadingType::default()),
        ..Default::default()
    };
    let with_reading = |lfdi: Lfdi, mrid: u128| MirrorUsagePoint {
        mirror_meter_reading: vec![reading.clone()],
        ..usage_point(lfdi, mrid)
    };
    assert_eq!(world.post(OWN, "/mup", &with_reading(OWN, 1)).status, 201);
    assert_eq!(
        world.post(OTHER, "/mup", &with_reading(OTHER, 2)).status,
        409
    );
    assert_eq!(
        world.post(OTHER, "/mup", &usage_point(OTHER, 2)).status,
        201
    );
    assert_eq!(world.post(OTHER, "/mup/1-1", &reading).status, 409);
    assert_eq!(world.post(OTHER, "/mup", &with_reading(OWN, 3)).status, 403);
    assert_eq!(
        world
            .send(&request(OTHER, "DELETE", "/mup/0-1", b""))
            .status,
        404
    );
    assert_eq!(
        world.send(&request(OWN, "DELETE", "/mup/0-1", b"")).status,
        204
    );
    assert_eq!(world.post(OTHER, "/mup/1-1", &reading).status, 201);
    let next = world.post(OWN, "/mup", &usage_point(OWN, 4));
    assert_eq!(
        next.location.as_deref(),
        Some("/mup/0-2"),
        "no number twice"
    );
}

#[test]
fn controls_of_one_are_not_in_the_list_of_another() {
    let mut world = world();
    world.control(0, 0, 600);
    let mine: DerControlList = world.read(MANAGED, "/derp/3/derc?l=9");
    assert_eq!(mine.all, 1);
    let whole = String::from_utf8(world.get(OWN, "/derp/0/derc?l=9").body.to_vec()).unwrap();
    assert!(!whole.contains("/derp/3"));
}
