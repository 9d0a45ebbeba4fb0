use super::{NEW, NOW, OTHER, OWN, STRANGER, World, end_device, request, seen};
use crate::codec::simple::HexBinary32;
use crate::schema::{fresh_directory, meaning, schema};
use crate::server::{DaylightSaving, TimeZone};
use crate::wire::der::{Der, DerList};
use crate::wire::der_control::{DerProgram, DerProgramList};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::{EndDevice, EndDeviceList, Registration};
use crate::wire::function_set_assignments::FunctionSetAssignmentsList;
use crate::wire::time::Time;

#[test]
fn a_device_finds_its_programme_from_device_capability_alone() {
    let mut world = World::new();
    let capability: DeviceCapability = world.read(OWN, "/dcap");
    let devices = capability.end_device_list_link.unwrap();
    assert_eq!(devices.all, Some(1));
    let list: EndDeviceList = world.read(OWN, &format!("{}?s=0&l=255", devices.href.as_str()));
    assert_eq!((list.all, list.results), (1, 1));
    let device = &list.end_device[0];
    assert_eq!(device.lfdi, Some(OWN.into()));
    let assignments = device.function_set_assignments_list_link.as_ref().unwrap();
    let list: FunctionSetAssignmentsList = world.read(OWN, assignments.href.as_str());
    let programs = list.function_set_assignments[0]
        .der_program_list_link
        .as_ref()
        .unwrap();
    let list: DerProgramList = world.read(OWN, programs.href.as_str());
    let program: &DerProgram = &list.der_program[0];
    assert_eq!(program.primacy, 20);
    let default = program.default_der_control_link.as_ref().unwrap();
    assert_eq!(world.get(OWN, default.href.as_str()).status, 200);
    let registration = device.registration_link.as_ref().unwrap();
    let registration: Registration = world.read(OWN, registration.href.as_str());
    assert_eq!(registration.pin, 111_115);
    let ders: DerList = world.read(OWN, device.der_list_link.as_ref().unwrap().href.as_str());
    assert_eq!(ders.der.len(), 1);
}

#[test]
fn registration_in_band_is_once_and_only_for_the_certificate() {
    let mut world = World::new();
    let none: EndDeviceList = world.read(NEW, "/edev?l=9");
    assert_eq!((none.all, none.results), (0, 0));
    assert_eq!(world.get(NEW, "/edev/2").status, 404);
    assert_eq!(world.post(NEW, "/edev", &end_device(OTHER)).status, 403);
    let posted = EndDevice {
        device_category: Some(HexBinary32::new(0x0100_0000)),
        ..end_device(NEW)
    };
    let reply = world.post(NEW, "/edev", &posted);
    assert_eq!(
        (reply.status, reply.location.as_deref()),
        (201, Some("/edev/2"))
    );
    let device: EndDevice = world.read(NEW, "/edev/2");
    assert_eq!(device.device_category, posted.device_category);
    assert_eq!((device.lfdi, device.sfdi), (posted.lfdi, posted.sfdi));
    assert_eq!(device.changed_time, posted.changed_time);
    assert_eq!(world.post(NEW, "/edev", &posted).status, 409);
    assert_eq!(
        world.post(STRANGER, "/edev", &end_device(STRANGER)).status,
        403
    );
}

#[test]
fn identity_is_not_changed_by_a_put() {
    let mut world = World::new();
    assert_eq!(world.put(OWN, "/edev/0", &end_device(OTHER)).status, 403);
    let mut short = end_device(OWN);
    short.lfdi = None;
    short.sfdi.0 += 1;
    assert_eq!(world.put(OWN, "/edev/0", &short).status, 403);
    let changed = EndDevice {
        device_category: Some(HexBinary32::new(2)),
        ..end_device(OWN)
    };
    assert_eq!(world.put(OWN, "/edev/0", &changed).status, 204);
    let device: EndDevice = world.read(OWN, "/edev/0");
    assert_eq!(device.device_category, Some(HexBinary32::new(2)));
    assert_eq!(device.lfdi, Some(OWN.into()));
}

#[test]
fn the_resources_of_others_do_not_exist() {
    let mut world = World::new();
    world.control(0, 0, 600);
    let absent = seen(world.get(OWN, "/edev/77"));
    for address in [
        "/edev/0",
        "/edev/0/rg",
        "/edev/0/fsa/1/derp",
        "/derp/0",
        "/derp/0/derc",
        "/rsps/0/rsp",
    ] {
        assert_eq!(world.get(OWN, address).status, 200, "{address}");
        for foreign in [OTHER, STRANGER, NEW] {
            assert_eq!(seen(world.get(foreign, address)), absent, "{address}");
        }
        let delete = request(OTHER, "DELETE", address, b"");
        assert_eq!(seen(world.send(&delete)), absent, "{address}");
    }
}

#[test]
fn a_list_is_paged() {
    let mut world = World::new();
    for _ in 0..3 {
        world.control(0, 0, 600);
    }
    let page = |world: &mut World, query: &str| {
        let list: crate::wire::der_control::DerControlList =
            world.read(OWN, &format!("/derp/0/derc{query}"));
        assert_eq!(
            usize::try_from(list.results).unwrap(),
            list.der_control.len()
        );
        (list.all, list.results)
    };
    assert_eq!(page(&mut world, ""), (3, 1));
    assert_eq!(page(&mut world, "?l=2"), (3, 2));
    assert_eq!(page(&mut world, "?s=2&l=2"), (3, 1));
    assert_eq!(page(&mut world, "?s=3&l=2"), (3, 0));
    assert_eq!(page(&mut world, "?s=4000000000000&l=2"), (3, 0));
    assert_eq!(page(&mut world, "?l=0"), (3, 0));
    assert_eq!(page(&mut world, "?l=2&other=x"), (3, 2));
    assert_eq!(page(&mut world, &format!("?l=9&a={}", NOW.secs())), (3, 0));
    assert_eq!(
        page(&mut world, &format!("?l=9&a={}", NOW.secs() - 1)),
        (3, 3)
    );
    world.config.list_limit_max = 2;
    assert_eq!(page(&mut world, "?l=9"), (3, 2));
    for bad in [
        "?l=x",
        "?l=-1",
        "?s=",
        "?l=1&l=1",
        "?a=99999999999999999999",
    ] {
        let reply = world.get(OWN, &format!("/derp/0/derc{bad}"));
        assert_eq!(reply.status, 400, "{bad}");
    }
}

#[test]
fn local_time_follows_zone_and_season() {
    let mut world = World::new();
    world.config.time_zone = TimeZone {
        offset_s: -18_000,
        dst_offset_s: 3_600,
        summers: vec![DaylightSaving {
            start: NOW,
            end: NOW.after(std::time::Duration::from_secs(10)),
        }],
    };
    let summer: Time = world.read(STRANGER, "/tm");
    assert_eq!(summer.current_time.0, NOW.secs());
    assert_eq!(summer.local_time.unwrap().0, NOW.secs() - 14_400);
    world.pass(10);
    let winter: Time = world.read(STRANGER, "/tm");
    assert_eq!(winter.local_time.unwrap().0, NOW.secs() + 10 - 18_000);
}

#[test]
fn head_is_get_without_its_body() {
    let mut world = World::new();
    world.control(0, 0, 600);
    for address in ["/dcap", "/tm", "/edev", "/derp/0/derc"] {
        let head = world.send(&request(OWN, "HEAD", address, b""));
        let get = world.get(OWN, address);
        assert!(head.head_only && head.served.is_empty());
        assert_eq!(
            (head.status, &head.body, head.content_type),
            (200, &get.body, get.content_type)
        );
    }
}

/// Puts what the links of an end device and a DER offer beside what is reported of the DER.
fn report_on_itself(world: &mut World) {
    for (address, name, elements) in [
        (
            "cfg",
            "Configuration",
            "<currentLocale>en</currentLocale><userDeviceName>d</userDeviceName>",
        ),
        ("dstat", "DeviceStatus", "<changedTime>1</changedTime>"),
        (
            "fs",
            "FileStatus",
            "<loadPercent>0</loadPercent><nextRequestAttempt>1</nextRequestAttempt><request503Count>0\
             </request503Count><requestFailCount>0</requestFailCount><status>0</status><statusTime>1</statusTime>",
        ),
        (
            "ps",
            "PowerStatus",
            "<batteryStatus>0</batteryStatus><changedTime>1</changedTime><currentPowerSource>1\
             </currentPowerSource>",
        ),
    ] {
        let body = format!("<{name} xmlns=\"urn:ieee:std:2030.5:ns\">{elements}</{name}>");
        let address = format!("/edev/0/{address}");
        let put = request(OWN, "PUT", &address, body.as_bytes());
        assert_eq!(world.send(&put).status, 204, "{address}");
    }
}

/// Writes all that can be found by links from device capability on to files, and their number.
fn written(directory: &std::path::Path) -> usize {
    let mut world = World::new();
    world.control(0, 0, 600);
    world.control(0, 300, 600);
    super::reports::report_everything(&mut world);
    super::metering::mirror(&mut world);
    report_on_itself(&mut world);
    let mut waiting = vec!["/dcap".to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(address) = waiting.pop() {
        if !seen.insert(address.clone()) {
            continue;
        }
        let reply = world.get(OWN, &format!("{address}?l=255"));
        assert_eq!(reply.status, 200, "{address}");
        let body = String::from_utf8(reply.body.to_vec()).unwrap();
        let links = body
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        waiting.extend(links.map(str::to_owned));
        let file = format!("{}.xml", address.trim_start_matches('/').replace('/', "."));
        std::fs::write(directory.join(file), body).unwrap();
    }
    std::fs::write(
        directory.join("error.xml"),
        world.get(OWN, "/edev?l=x").body,
    )
    .unwrap();
    assert!(seen.len() >= 24, "{seen:?}");
    seen.len() + 1
}

#[test]
fn every_reply_is_valid_by_the_schema() {
    let directory = fresh_directory("judged/written");
    let count = written(&directory);
    let verdict = schema("judge", &directory, &[]);
    assert!(verdict.contains(&format!("judged {count}")), "{verdict}");
}

/// The types of py20305, made by another team from the same standard, say what ours say.
#[test]
fn every_reply_says_the_same_to_another_client() {
    let directory = fresh_directory("echo/written");
    let echoed = fresh_directory("echo/echoed");
    let count = written(&directory);
    schema("echo", &directory, &[]);
    let mut compared = 0;
    for entry in std::fs::read_dir(&echoed).unwrap() {
        let theirs = entry.unwrap().path();
        let ours = directory.join(theirs.file_name().unwrap());
        let [ours, theirs] = [ours, theirs].map(|path| meaning(&std::fs::read(path).unwrap()));
        assert_eq!(ours, theirs);
        compared += 1;
    }
    assert_eq!(compared, count);
}

#[test]
fn a_der_links_to_what_it_reports() {
    let mut world = World::new();
    let der: Der = world.read(OWN, "/edev/0/der/1");
    for link in [
        der.der_capability_link,
        der.der_settings_link,
        der.der_status_link,
        der.der_availability_link,
    ] {
        assert_eq!(world.get(OWN, link.unwrap().href.as_str()).status, 404);
    }
}
