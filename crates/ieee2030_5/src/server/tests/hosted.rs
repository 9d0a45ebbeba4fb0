//! Function sets without dispatch meaning, fed with what IEEE's schema makes.
#![expect(clippy::unwrap_in_result, reason = "a test may stop")]

use std::collections::BTreeMap;
use std::path::Path;

use units::Timestamp;

use super::{AGGREGATOR, MANAGED, NOW, OTHER, OWN, STRANGER, World, request};
use crate::codec::read::read;
use crate::codec::simple::HexBinary128;
use crate::codec::table::{Edition, Extension, Profile};
use crate::schema::{fresh_directory, schema, schema_of};
use crate::server::hosted::facts::Facts;
use crate::server::hosted::host::{HostRefusal, host, withdraw};
use crate::server::hosted::path::{HostedPath, NUMBERS_MAX, Part};
use crate::server::hosted::route::{Base, ROUTES, RouteId, Writes};
use crate::server::hosted::{MAX_DOCUMENTS_OF_CLIENT, MAX_FILE_BYTES};
use crate::server::{Owner, Request, View};
use crate::translate::metering::Quantity;
use crate::translate::{Client, DerId};
use crate::wire::demand_response::{DemandResponseProgram, EndDeviceControl, EndDeviceControlList};
use crate::wire::der::DerStatus;
use crate::wire::der_control::EventState;
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::EndDevice;
use crate::wire::flow_reservation::FlowReservationRequestList;
use crate::wire::log_event::LogEvent;
use crate::wire::messaging::{MessagingProgramList, TextMessageList};
use crate::wire::metering_mirror::MirrorUsagePoint;

const ME: Client = Client::Der(DerId(0));

impl World {
    fn view(&self) -> View<'_> {
        View {
            fleet: &self.fleet,
            resources: &self.resources,
            config: &self.config,
        }
    }

    fn host(&mut self, owner: Owner, path: &str, body: &str) -> Result<(), HostRefusal> {
        let write = host(owner, path, body.as_bytes(), &self.view())?;
        self.resources
            .apply(&write)
            .expect("what is hosted is readable");
        Ok(())
    }

    fn withdraw(&mut self, path: &str) -> usize {
        let writes = withdraw(path, &self.view()).unwrap();
        for write in &writes {
            self.resources.apply(write).unwrap();
        }
        writes.len()
    }
}

/// Every document of every route: made by the schema of 2023, in which all are.
fn made(directory: &Path) -> BTreeMap<&'static str, String> {
    let names: Vec<&str> = ROUTES.iter().map(|route| route.document).collect();
    let profile = Profile::new(Edition::Y2023, Extension::None);
    schema_of(profile, "make", directory, &names);
    let body = |name: &str| {
        let text = std::fs::read_to_string(directory.join(format!("{name}.plain.xml"))).unwrap();
        text.replace("href=\"/\"", "href=\"/dcap\"")
    };
    names.into_iter().map(|name| (name, body(name))).collect()
}

/// The same document with another mRID.
fn renamed(body: &str, number: usize) -> String {
    let Some((before, rest)) = body.split_once("mRID>") else {
        return body.to_owned();
    };
    let (_, after) = rest.split_once('<').unwrap();
    format!("{before}mRID>{:032X}<{after}", 0xABC0_0000 + number)
}

fn numbered(route: RouteId, number: u32) -> HostedPath {
    let mut numbers = [0; NUMBERS_MAX];
    numbers[..route.route().numbers()].fill(number);
    HostedPath {
        client: (route.route().base == Base::EndDevice).then_some(ME),
        route,
        numbers,
        part: Part::Document,
    }
}

/// A world in which every route has two documents where it has members.
fn everything(world: &mut World, directory: &Path) -> Vec<HostedPath> {
    let made = made(directory);
    let mut hosted = Vec::new();
    for (place, route) in RouteId::all().enumerate() {
        let owner = match route.route().base {
            Base::Root => Owner::Everyone,
            Base::EndDevice => Owner::Client(ME),
        };
        let path = numbered(route, 7);
        let members = if route.route().is_member() { 2 } else { 1 };
        for member in 0..members {
            let path = match route.route().is_member() {
                true => path.list().member(7 + member),
                false => path,
            };
            let body = &made[route.route().document];
            let body = renamed(body, 10 * place + usize::try_from(member).unwrap());
            // What lies below the first member alone is reached by all routes.
            world
                .host(owner, &path.to_string(), &body)
                .unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
            hosted.push(path);
        }
    }
    hosted
}

#[test]
fn every_document_of_every_route_is_served_listed_and_valid() {
    let made = fresh_directory("hosted/made");
    let written = fresh_directory("hosted/written");
    let mut world = World::new();
    // What the schema makes at its smallest begins at the epoch.
    world.now = Timestamp::from_secs(0);
    let hosted = everything(&mut world, &made);
    let mut served = 0;
    for path in &hosted {
        let event = path.route.route().is_event();
        let address = path.to_string();
        let reply = world.get(OWN, &address);
        if event && reply.status == 404 {
            continue;
        }
        assert_eq!(reply.status, 200, "{address}: {:?}", reply.reason);
        let body = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(body.contains(&format!(" href=\"{address}\"")), "{body}");
        let known_in_2018 = !matches!(
            path.route.route().document,
            "CurrentDERControls" | "DERComponent"
        );
        if known_in_2018 {
            let file = format!("{}.xml", address.trim_start_matches('/').replace('/', "."));
            std::fs::write(written.join(file), &body).unwrap();
            served += 1;
        }
        if path.route.route().is_member() {
            let list = path.list().to_string();
            let reply = world.get(OWN, &format!("{list}?l=255"));
            assert_eq!(reply.status, 200, "{list}: {:?}", reply.reason);
            let body = String::from_utf8(reply.body.to_vec()).unwrap();
            assert!(
                body.contains("all=\"2\" ") && body.contains("results=\"2\""),
                "{body}"
            );
            assert!(body.contains(&format!("href=\"{address}\"")), "{body}");
            if known_in_2018 {
                let file = format!("{}.xml", list.trim_start_matches('/').replace('/', "."));
                if !written.join(&file).exists() {
                    served += 1;
                }
                std::fs::write(written.join(file), &body).unwrap();
            }
        }
        assert_eq!(world.get(STRANGER, &address).status, 404);
    }
    let verdict = schema("judge", &written, &[]);
    assert!(verdict.contains(&format!("judged {served}")), "{verdict}");
    assert!(served > 60, "{served}");
}

fn events(world: &mut World) {
    world.host(Owner::Everyone, "/dr/1", DR_PROGRAM).unwrap();
    for (number, created, start) in [(1, 0, 100), (2, 10, 400), (3, 20, 450)] {
        let body = control(number, NOW.secs() + created, NOW.secs() + start, 0);
        world
            .host(Owner::Everyone, &format!("/dr/1/edc/{number}"), &body)
            .unwrap();
    }
}

const DR_PROGRAM: &str = "<DemandResponseProgram xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>0A</mRID>\
    <primacy>3</primacy></DemandResponseProgram>";

fn control(number: u8, created: i64, start: i64, status: u8) -> String {
    format!(
        "<EndDeviceControl xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>0B{number:02X}</mRID>\
         <creationTime>{created}</creationTime><EventStatus><currentStatus>{status}</currentStatus>\
         <dateTime>{created}</dateTime><potentiallySuperseded>false</potentiallySuperseded>\
         </EventStatus><interval><duration>200</duration><start>{start}</start></interval>\
         <deviceCategory>00000001</deviceCategory><drProgramMandatory>false</drProgramMandatory>\
         <loadShiftForward>false</loadShiftForward></EndDeviceControl>"
    )
}

fn states(world: &mut World, address: &str) -> Vec<(u128, EventState)> {
    let list: EndDeviceControlList = world.read(OWN, address);
    let state = |control: &EndDeviceControl| {
        (
            control.mrid.value() & 0xFF,
            control.event_status.current_status,
        )
    };
    list.end_device_control.iter().map(state).collect()
}

#[test]
fn hosted_events_follow_the_clock() {
    let mut world = World::new();
    events(&mut world);
    let (list, active) = ("/dr/1/edc?l=9", "/dr/1/actedc?l=9");
    world.pass(30);
    let scheduled = EventState::SCHEDULED;
    assert_eq!(
        states(&mut world, list),
        [(1, scheduled), (2, scheduled), (3, scheduled)]
    );
    assert_eq!(states(&mut world, active), []);
    world.pass(90);
    assert_eq!(states(&mut world, active), [(1, EventState::ACTIVE)]);
    world.pass(340);
    assert_eq!(
        states(&mut world, list),
        [(2, EventState::SUPERSEDED), (3, EventState::ACTIVE)]
    );
    let one: EndDeviceControl = world.read(OWN, "/dr/1/edc/2");
    assert!(one.event_status.potentially_superseded);
    assert_eq!(one.reply_to.unwrap().as_str(), "/rsps/0/rsp");
    assert_eq!(one.response_required.unwrap().value(), 3);
    assert_eq!(world.get(OWN, "/dr/1/edc/1").status, 404);
    let cancelled = control(3, NOW.secs() + 460, NOW.secs() + 450, 2);
    world
        .host(Owner::Everyone, "/dr/1/edc/3", &cancelled)
        .unwrap();
    assert_eq!(states(&mut world, active), []);
    assert_eq!(states(&mut world, list)[1], (3, EventState::CANCELLED));
}

#[test]
fn links_lead_to_what_is_there() {
    let mut world = World::new();
    let capability: DeviceCapability = world.read(OWN, "/dcap");
    assert_eq!(capability.demand_response_program_list_link, None);
    events(&mut world);
    let capability: DeviceCapability = world.read(OWN, "/dcap");
    let programs = capability.demand_response_program_list_link.unwrap();
    assert_eq!((programs.href.as_str(), programs.all), ("/dr", Some(1)));
    let program: DemandResponseProgram = world.read(OWN, "/dr/1");
    let controls = program.end_device_control_list_link.unwrap();
    assert_eq!(
        (controls.href.as_str(), controls.all),
        ("/dr/1/edc", Some(3))
    );
    let device: EndDevice = world.read(OWN, "/edev/0");
    assert_eq!(
        device.power_status_link.unwrap().href.as_str(),
        "/edev/0/ps"
    );
    assert_eq!(device.flow_reservation_response_list_link, None);
    let stranger: DeviceCapability = world.read(STRANGER, "/dcap");
    assert_eq!(stranger.demand_response_program_list_link, None);
    assert_eq!(world.withdraw("/dr/1"), 4);
    assert_eq!(world.get(OWN, "/dr/1/edc").status, 404);
}

#[test]
fn what_is_hosted_for_some_is_hidden_from_others() {
    let mut world = World::new();
    let message = |number: u8, mrid: &str| {
        format!(
            "<TextMessage xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>{mrid}</mRID><creationTime>1</creationTime>\
             <EventStatus><currentStatus>0</currentStatus><dateTime>1</dateTime><potentiallySuperseded>false\
             </potentiallySuperseded></EventStatus><interval><duration>4000000000</duration><start>1</start>\
             </interval><priority>{number}</priority><textMessage>Hello &amp; goodbye</textMessage></TextMessage>"
        )
    };
    let program = |mrid: &str| {
        format!(
            "<MessagingProgram xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>{mrid}</mRID><locale>en</locale>\
             <primacy>1</primacy></MessagingProgram>"
        )
    };
    let other = Owner::Client(Client::Der(DerId(1)));
    world
        .host(Owner::Everyone, "/msg/1", &program("01"))
        .unwrap();
    world.host(other, "/msg/2", &program("02")).unwrap();
    world
        .host(Owner::Everyone, "/msg/1/txt/1", &message(1, "03"))
        .unwrap();
    world
        .host(other, "/msg/2/txt/1", &message(1, "04"))
        .unwrap();
    for (lfdi, all, status) in [(OWN, 1, 404), (OTHER, 2, 200)] {
        let list: MessagingProgramList = world.read(lfdi, "/msg?l=9");
        assert_eq!(
            (list.all, list.messaging_program.len()),
            (all, usize::try_from(all).unwrap())
        );
        for address in ["/msg/2", "/msg/2/txt/1", "/msg/2/txt", "/msg/2/acttxt"] {
            assert_eq!(world.get(lfdi, address).status, status, "{address}");
        }
    }
    let active: TextMessageList = world.read(OWN, "/msg/1/acttxt?l=9");
    assert_eq!(
        active.text_message[0].text_message.as_str(),
        "Hello & goodbye"
    );
    let refused = world.host(Owner::Everyone, "/msg/2/txt/2", &message(1, "05"));
    assert_eq!(refused.unwrap_err().field, "owner");
}

#[test]
fn what_operators_get_wrong_is_told_by_field_and_rule() {
    let mut world = World::new();
    events(&mut world);
    let everyone = Owner::Everyone;
    let absent = Owner::Client(Client::Der(DerId(99)));
    let linked = DR_PROGRAM.replace(
        "<primacy>",
        "<EndDeviceControlListLink href=\"/x\"/><primacy>",
    );
    let linked = linked.replace("0A", "0C");
    for (owner, path, body, field) in [
        (everyone, "/dcap", DR_PROGRAM, "path"),
        (everyone, "/dr", DR_PROGRAM, "path"),
        (everyone, "/dr/9/edc/1", DR_PROGRAM, "path"),
        (absent, "/dr/2", DR_PROGRAM, "owner"),
        (everyone, "/edev/0/cfg", DR_PROGRAM, "owner"),
        (Owner::Client(ME), "/dr/1", DR_PROGRAM, "owner"),
        (everyone, "/tp/1", DR_PROGRAM, "body"),
        (everyone, "/dr/2", "x", "body"),
        (
            everyone,
            "/dr/2",
            "<DemandResponseProgram xmlns=\"urn:ieee:std:2030.5:ns\"/>",
            "body",
        ),
        (everyone, "/dr/2", DR_PROGRAM, "mRID"),
        (everyone, "/dr/2", &linked, "EndDeviceControlListLink"),
    ] {
        let refused = world.host(owner, path, body).unwrap_err();
        assert_eq!(refused.field, field, "{path}: {refused}");
        assert!(!refused.rule.is_empty());
    }
    let view = world.view();
    assert_eq!(withdraw("/dr/7", &view).unwrap_err().field, "path");
}

#[test]
fn files_are_downloaded_whole_or_in_parts() {
    let mut world = World::new();
    let file = |size: usize| {
        format!(
            "<File xmlns=\"urn:ieee:std:2030.5:ns\"><fileURI>/file/1/content</fileURI><mfID>1</mfID>\
             <mfModel>m</mfModel><mfVer>1</mfVer><size>{size}</size><type>0000</type></File>"
        )
    };
    world.host(Owner::Everyone, "/file/1", &file(10)).unwrap();
    let mut content = |bytes: &str| world.host(Owner::Everyone, "/file/1/content", bytes);
    assert_eq!(content("too short").unwrap_err().field, "size");
    assert_eq!(
        content(&"x".repeat(MAX_FILE_BYTES + 1)).unwrap_err().field,
        "body"
    );
    content("0123456789").unwrap();
    let mut get = request(OWN, "GET", "/file/1/content", b"");
    get.accept = Some("application/octet-stream");
    let whole = world.send(&get);
    assert_eq!(
        (whole.status, whole.body.as_ref()),
        (200, &b"0123456789"[..])
    );
    assert_eq!(whole.content_type, Some("application/octet-stream"));
    get.range = Some("bytes=2-4");
    let part = world.send(&get);
    assert_eq!((part.status, part.body.as_ref()), (206, &b"234"[..]));
    assert_eq!(part.content_range.as_deref(), Some("bytes 2-4/10"));
    assert!(part.etag.is_some() && part.etag == whole.etag);
    let tag = whole.etag.unwrap();
    let known = Request {
        if_none_match: Some(&tag),
        ..get
    };
    assert_eq!(world.send(&known).status, 304);
    get.range = Some("bytes=10-");
    assert_eq!(world.send(&get).status, 416);
    get.range = None;
    get.accept = Some("application/sep+xml");
    assert_eq!(world.send(&get).status, 406);
    get.accept = None;
    get.lfdi = STRANGER;
    assert_eq!(world.send(&get).status, 404);
    assert_eq!(world.withdraw("/file/1"), 2);
    get.lfdi = OWN;
    assert_eq!(world.send(&get).status, 404);
}

#[test]
fn devices_write_what_the_standard_lets_them() {
    let directory = fresh_directory("hosted/submitted");
    let made = made(&directory);
    let mut world = World::new();
    for route in RouteId::all().filter(|route| route.route().writes != Writes::None) {
        let body = &made[route.route().document];
        let body = body.as_bytes();
        let mut path = numbered(route, 1);
        // Below members whose numbers the server gives, those it gave.
        let mut above = Vec::new();
        while let Some(next) = path.above() {
            above.push(next);
            path = next;
        }
        let mut numbers = [0; NUMBERS_MAX];
        for list in above.iter().rev() {
            let list = HostedPath { numbers, ..*list }.list();
            let kept = world.resources.hosted().members(list).next().unwrap();
            numbers = kept.0.numbers;
        }
        let path = HostedPath {
            numbers,
            ..numbered(route, 1)
        };
        let address = match route.route().writes {
            Writes::Members => {
                let list = path.list().to_string();
                let reply = world.send(&request(OWN, "POST", &list, body));
                assert_eq!(reply.status, 201, "{list}: {:?}", reply.reason);
                let foreign = world.send(&request(OTHER, "POST", &list, body));
                assert_eq!(foreign.status, 404, "{list}");
                reply.location.unwrap()
            }
            _ => path.to_string(),
        };
        let put = world.send(&request(OWN, "PUT", &address, body));
        assert_eq!(put.status, 204, "{address}: {:?}", put.reason);
        assert_eq!(world.get(OWN, &address).status, 200);
        let wrong = world.send(&request(OWN, "PUT", &address, DR_PROGRAM.as_bytes()));
        assert_eq!(wrong.status, 400, "{address}");
        for (method, lfdi) in [
            ("PUT", OTHER),
            ("PUT", STRANGER),
            ("GET", OTHER),
            ("DELETE", OTHER),
        ] {
            let reply = world.send(&request(lfdi, method, &address, body));
            assert_eq!(reply.status, 404, "{method} {address}");
        }
    }
    let kept = world.resources.hosted().iter().count();
    assert_eq!(
        kept,
        RouteId::all()
            .filter(|route| route.route().writes != Writes::None)
            .count()
    );
    let interfaces = world.get(OWN, "/edev/0/ns?l=1");
    let body = String::from_utf8(interfaces.body.to_vec()).unwrap();
    let (_, address) = body.split_once("<IPInterface href=\"").unwrap();
    let (address, _) = address.split_once('"').unwrap();
    let delete = world.send(&request(OWN, "DELETE", address, b""));
    assert_eq!(delete.status, 204);
    assert_eq!(world.get(OWN, address).status, 404);
    assert_eq!(world.resources.hosted().iter().count(), kept - 6);
}

const RESERVATION: &str = "<FlowReservationRequest xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>0D</mRID>\
    <creationTime>1</creationTime><energyRequested><multiplier>0</multiplier><value>1</value></energyRequested>\
    <intervalRequested><duration>1</duration><start>1</start></intervalRequested><powerRequested>\
    <multiplier>0</multiplier><value>1</value></powerRequested><RequestStatus><dateTime>1</dateTime>\
    <requestStatus>0</requestStatus></RequestStatus></FlowReservationRequest>";

#[test]
fn the_same_mrid_is_the_same_document_and_devices_keep_a_bounded_number() {
    let mut world = World::new();
    let first = world.send(&request(OWN, "POST", "/edev/0/frq", RESERVATION.as_bytes()));
    let again = world.send(&request(OWN, "POST", "/edev/0/frq", RESERVATION.as_bytes()));
    assert_eq!((first.status, again.status), (201, 204));
    assert_eq!(first.location, again.location);
    for number in 1..MAX_DOCUMENTS_OF_CLIENT {
        let body = renamed(RESERVATION, number);
        let reply = world.send(&request(OWN, "POST", "/edev/0/frq", body.as_bytes()));
        assert_eq!(reply.status, 201);
    }
    let body = renamed(RESERVATION, MAX_DOCUMENTS_OF_CLIENT);
    let reply = world.send(&request(OWN, "POST", "/edev/0/frq", body.as_bytes()));
    assert_eq!(reply.status, 400);
    let error: crate::wire::error::Error = read(&reply.body).unwrap();
    assert_eq!(
        error.reason_code,
        crate::wire::error::ReasonCode::RESOURCE_LIMIT
    );
    let list: FlowReservationRequestList = world.read(OWN, "/edev/0/frq?l=255&s=1");
    assert_eq!(usize::try_from(list.all).unwrap(), MAX_DOCUMENTS_OF_CLIENT);
    let others = world.send(&request(OTHER, "POST", "/edev/1/frq", body.as_bytes()));
    assert_eq!(others.status, 201);
}

#[test]
fn a_number_is_not_given_out_twice() {
    let mut world = World::new();
    let post = |world: &mut World| {
        let reply = world.send(&request(OWN, "POST", "/edev/0/frq", RESERVATION.as_bytes()));
        reply.location.unwrap()
    };
    let first = post(&mut world);
    assert_eq!(world.send(&request(OWN, "DELETE", &first, b"")).status, 204);
    world.pass(1);
    assert_ne!(post(&mut world), first);
}

#[test]
fn facts_are_read_of_any_document() {
    let facts: Facts = crate::codec::read::Document::open(RESERVATION.as_bytes())
        .unwrap()
        .read_as()
        .unwrap();
    assert_eq!(facts.creation_time.unwrap().0, 1);
    assert!(facts.interval.is_none());
}

/// Its numbers are never given out again, so nothing needs to be remembered of it.
#[test]
fn nothing_is_kept_of_a_device_that_is_removed() {
    let mut world = World::with_aggregators();
    let of = Client::Der(DerId(3));
    let own = Owner::Client(of);
    world
        .host(Owner::Everyone, "/dr/2", &renamed(DR_PROGRAM, 2))
        .unwrap();
    let others = world.resources.clone();
    world.host(own, "/dr/1", DR_PROGRAM).unwrap();
    let reservation = request(MANAGED, "POST", "/edev/3/frq", RESERVATION.as_bytes());
    assert_eq!(world.send(&reservation).status, 201);
    let status = DerStatus::default();
    world.put(AGGREGATOR, "/edev/3/der/1/ders", &status);
    world.post(MANAGED, "/edev/3/lel", &LogEvent::default());
    for mrid in [7, 8] {
        let point = MirrorUsagePoint {
            mrid: HexBinary128::new(mrid),
            device_lfdi: MANAGED.into(),
            ..MirrorUsagePoint::default()
        };
        assert_eq!(world.post(MANAGED, "/mup", &point).status, 201);
    }
    world.send(&request(MANAGED, "DELETE", "/mup/3-1", b""));
    assert_ne!(world.resources, others);
    let removed = world.send(&request(AGGREGATOR, "DELETE", "/edev/3", b""));
    assert_eq!(removed.status, 204);
    assert_eq!(world.resources, others);
}

#[test]
fn what_a_vehicle_asks_for_is_told_and_found_again() {
    let mut world = World::new();
    let by = NOW.secs() + 7_200;
    let status = |vehicle: &str| {
        format!(
            "<PowerStatus xmlns=\"urn:ieee:std:2030.5:ns\"><batteryStatus>4</batteryStatus>\
             <changedTime>{0}</changedTime><currentPowerSource>1</currentPowerSource>\
             <estimatedChargeRemaining>4250</estimatedChargeRemaining>{vehicle}</PowerStatus>",
            NOW.secs()
        )
    };
    let vehicle = format!(
        "<PEVInfo><chargingPowerNow><multiplier>0</multiplier><value>0</value></chargingPowerNow>\
         <energyRequestNow><multiplier>1</multiplier><value>1250</value></energyRequestNow>\
         <maxForwardPower><multiplier>3</multiplier><value>7</value></maxForwardPower>\
         <minimumChargingDuration>6429</minimumChargingDuration>\
         <targetStateOfCharge>9000</targetStateOfCharge><timeChargeIsNeeded>{by}</timeChargeIsNeeded>\
         <timeChargingStatusPEV>{0}</timeChargingStatusPEV></PEVInfo>",
        NOW.secs()
    );
    let mut told = |body: &str| {
        world.measurements.clear();
        let reply = world.send(&request(OWN, "PUT", "/edev/0/ps", body.as_bytes()));
        assert_eq!(reply.status, 204);
        let told = world.measurements.iter();
        told.map(|m| (m.quantity, m.value)).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&status(&vehicle)),
        [
            (Quantity::StateOfCharge, 42.5),
            (Quantity::EnergyRequested, 12_500.0),
            (Quantity::ChargeNeededBy, by as f64),
        ]
    );
    assert_eq!(
        told(&status(""))[1..],
        [
            (Quantity::EnergyRequested, 0.0),
            (Quantity::ChargeNeededBy, NOW.secs() as f64),
        ]
    );
    let kept = world.resources.power_status(DerId(0)).unwrap();
    assert_eq!(kept.pev_info, None);
    assert_eq!(world.resources.power_status(DerId(1)), None);
}
