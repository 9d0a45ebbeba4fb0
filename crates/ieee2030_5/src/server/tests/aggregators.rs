//! Aggregators, shared programmes and the group hierarchy.

use std::time::Duration;

use fleet::{
    CurvePoint, CurveShape, CurveType, DefaultControl, EnterService, FreqDroop, Level,
    NewAssignment, NewCurve, NewProgram, PowerFactor, Scaled, Scope, Setting, Share, Terms,
};

use super::{
    AGGREGATOR, ActivePower, ControlBase, Interval, MANAGED, NOW, Name, NewAggregator, NewControl,
    OF_RIVAL, OTHER, OWN, Origin, Percent, Pin, RIVAL, STRANGER, Watts, World, end_device, request,
};
use crate::codec::simple::{HexBinary8, HexBinary32};
use crate::codec::table::{Edition, Extension, Profile};
use crate::codec::write::write;
use crate::schema::{fresh_directory, schema_of};
use crate::server::DocumentWrite;
use crate::server::config::ConnectionPoints;
use crate::translate::{
    AggregatorId, AssignmentId, Client, Command, ControlId, CurveId, DerId, Lfdi, ProgramId,
};
use crate::wire::connection_point::ConnectionPoint;
use crate::wire::der::{DerList, DerStatus};
use crate::wire::der_control::{
    DefaultDerControl, DerControl, DerControlList, DerProgramList, EventState,
};
use crate::wire::der_curve::{DerCurve, DerCurveList, DerCurveType};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::{EndDevice, EndDeviceList, Registration};
use crate::wire::function_set_assignments::FunctionSetAssignmentsList;
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

/// A system with a feeder, a group beside the topology, and a programme of each, for DER 0 and 3.
fn places(world: &mut World) -> (ProgramId, ProgramId) {
    let mut node = |name: &str, level, parent| {
        world.command(&Command::CreateAssignment(NewAssignment {
            name: Name::new(name).unwrap(),
            level,
            parent,
        }));
    };
    node("System", Level::System, None);
    node("Feeder 7", Level::Feeder, Some(AssignmentId(0)));
    node("Volunteers", Level::NonTopology, None);
    for der in [0, 3] {
        let leaves = vec![AssignmentId(1), AssignmentId(2)];
        world.command(&Command::AssignDer(DerId(der), leaves));
    }
    let mut program = |name: &str, primacy, node| {
        world.command(&Command::CreateProgram(NewProgram {
            name: Name::new(name).unwrap(),
            primacy,
            scope: Scope::Assignment(AssignmentId(node)),
        }));
        world.fleet.programs().last().unwrap().id
    };
    (program("feeder", 30, 1), program("volunteers", 90, 2))
}

fn shared_control(world: &mut World, program: ProgramId, base: ControlBase) -> ControlId {
    world.command(&Command::IssueControl(NewControl {
        der: None,
        program,
        origin: Origin::Operator,
        interval: Interval {
            start: world.now,
            duration: Duration::from_secs(600),
        },
        base,
        terms: None,
    }));
    world.fleet.controls().last().unwrap().id
}

#[test]
fn the_topology_is_one_assignment_and_every_other_group_one_more() {
    let mut world = World::with_aggregators();
    let list: FunctionSetAssignmentsList = world.read(OWN, "/edev/0/fsa?l=9");
    assert_eq!(list.all, 1, "programmes of its own alone");
    let (feeder, volunteers) = places(&mut world);
    let list: FunctionSetAssignmentsList = world.read(OWN, "/edev/0/fsa?l=9");
    assert_eq!(list.all, 2);
    let descriptions: Vec<&str> = list
        .function_set_assignments
        .iter()
        .map(|set| set.description.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(descriptions, ["Volunteers", "System/Feeder 7"]);
    let mut named = Vec::new();
    for set in &list.function_set_assignments {
        let link = set.der_program_list_link.as_ref().unwrap();
        let programs: DerProgramList = world.read(OWN, &format!("{}?l=9", link.href.as_str()));
        assert_eq!(Some(programs.all), link.all);
        let href =
            |p: &crate::wire::der_control::DerProgram| p.href.as_ref().unwrap().as_str().to_owned();
        named.push(programs.der_program.iter().map(href).collect::<Vec<_>>());
    }
    let [feeder, volunteers] = [feeder, volunteers].map(|p| format!("/derp/{}", p.0));
    assert_eq!(
        named,
        [
            vec![volunteers.clone()],
            vec!["/derp/0".to_owned(), feeder.clone()]
        ]
    );
    let all: DerProgramList = world.read(OWN, "/edev/0/der/1/derp?l=9");
    assert!(all.der_program.is_sorted_by_key(|program| program.primacy));
    assert_eq!(all.all, 3);
    for (lfdi, status) in [
        (OWN, 200),
        (MANAGED, 200),
        (AGGREGATOR, 200),
        (OTHER, 404),
        (RIVAL, 404),
        (STRANGER, 404),
    ] {
        for address in [&feeder, &volunteers] {
            assert_eq!(world.get(lfdi, address).status, status, "{address}");
        }
    }
}

#[test]
fn a_shared_control_is_one_resource_for_many() {
    let mut world = World::with_aggregators();
    let (feeder, _) = places(&mut world);
    let limit = Setting::ExpLimW(Scaled {
        value: 5_000,
        multiplier: 0,
    });
    let control = shared_control(&mut world, feeder, ControlBase::of([limit]));
    world.config.profile = Profile::new(Edition::Y2018, Extension::CsipAus12);
    let address = format!("/derp/{}/derc?l=9", feeder.0);
    let mut hrefs = Vec::new();
    for (lfdi, served, reply_to) in [
        (OWN, DerId(0), "/rsps/0/rsp"),
        (MANAGED, DerId(3), "/rsps/3/rsp"),
        (AGGREGATOR, DerId(3), "/rsps/a0/rsp"),
    ] {
        let reply = world.get(lfdi, &address);
        assert_eq!(reply.served, [(control, served)]);
        let list: DerControlList = crate::codec::read::read(&reply.body).unwrap();
        let shown: &DerControl = &list.der_control[0];
        assert_eq!(shown.event_status.current_status, EventState::ACTIVE);
        assert_eq!(shown.base.op_mod_exp_lim_w.as_ref().unwrap().value, 5_000);
        assert_eq!(shown.reply_to.as_ref().unwrap().as_str(), reply_to);
        hrefs.push(shown.href.clone());
        let response = Response {
            end_device_lfdi: world.fleet.der(served).unwrap().lfdi.into(),
            status: Some(ResponseStatus::RECEIVED),
            subject: shown.mrid,
            ..Response::default()
        };
        let reply = world.post(lfdi, reply_to, &response);
        assert_eq!(reply.status, 201, "{:?}", reply.reason);
        assert_eq!(world.evidence.last().unwrap().der, served);
    }
    hrefs.dedup();
    assert_eq!(hrefs.len(), 1);
    assert_eq!(world.get(OTHER, &address).status, 404);
    world.command(&Command::AssignDer(DerId(0), Vec::new()));
    assert_eq!(world.get(OWN, &address).status, 404, "no longer addressed");
}

/// A curve of every type, added to `program`, and every setting with a value of its own.
fn every_setting(world: &mut World, program: ProgramId) -> ControlBase {
    let point = |x, y| CurvePoint {
        x,
        y,
        injects_vars: None,
    };
    let mut settings = Vec::new();
    for (number, kind) in CurveType::ALL.into_iter().enumerate() {
        world.command(&Command::CreateCurve(NewCurve {
            program,
            name: Some(Name::new("curve").unwrap()),
            shape: CurveShape::new(kind, vec![point(1, 2), point(3, 4)]),
        }));
        let curve = CurveId(u32::try_from(number).unwrap());
        settings.push(Setting::Curve(kind, curve));
    }
    let share = |hundredths| Share {
        percent: Percent::from_hundredths(hundredths),
        of: None,
    };
    let scaled = Scaled {
        value: 12,
        multiplier: 2,
    };
    let power_factor = PowerFactor {
        displacement: 95,
        injects_vars: true,
        multiplier: -2,
    };
    settings.extend([
        Setting::Connect(true),
        Setting::Energize(true),
        Setting::FixedPfAbsorbW(power_factor),
        Setting::FixedPfInjectW(power_factor),
        Setting::FixedW(share(-5_000)),
        Setting::MaxLimW(share(7_500)),
        Setting::FreqDroop(FreqDroop {
            db_of_mhz: 36,
            db_uf_mhz: 36,
            k_of: 50,
            k_uf: 50,
            open_loop_tms: 500,
        }),
        Setting::TargetVar(scaled),
        Setting::TargetW(scaled),
        Setting::ImpLimW(scaled),
        Setting::ExpLimW(scaled),
        Setting::GenLimW(scaled),
        Setting::LoadLimW(scaled),
        Setting::RampTms(100),
    ]);
    ControlBase::of(settings)
}

/// A control with every term, a default with every field, of the programme of a feeder.
fn with_every_setting(world: &mut World) -> ProgramId {
    let (program, _) = places(world);
    let base = every_setting(world, program);
    world.command(&Command::IssueControl(NewControl {
        der: None,
        program,
        origin: Origin::Operator,
        interval: Interval {
            start: world.now.after(Duration::from_secs(100)),
            duration: Duration::from_secs(600),
        },
        base: base.clone(),
        terms: Some(Terms {
            randomize_start_s: -60,
            randomize_duration_s: 30,
            response_required: Some(7),
            device_category: Some(1 << 21),
            description: Some(Name::new("all of them").unwrap()),
        }),
    }));
    let default = DefaultControl {
        grad_w: Some(100),
        soft_grad_w: Some(200),
        enter_service: EnterService {
            delay_cs: Some(30_000),
            high_freq_chz: Some(6_010),
            high_volt_cpct: Some(10_500),
            low_freq_chz: Some(5_950),
            low_volt_cpct: Some(9_170),
            ramp_tms_cs: Some(30_000),
            random_delay_cs: Some(100),
        },
        ..DefaultControl::asking(base)
    };
    world.command(&Command::SetDefaultControl(program, default));
    program
}

#[test]
fn every_mode_curve_and_default_is_served_valid() {
    let mut world = World::with_aggregators();
    let program = with_every_setting(&mut world).0;
    let directory = fresh_directory("modes/written");
    for profile in Profile::ALL {
        world.config.profile = profile;
        for (file, address) in [
            ("c", "derc?l=9"),
            ("d", "dderc"),
            ("k", "dc?l=99"),
            ("p", ""),
        ] {
            let address = format!("/derp/{program}/{address}");
            let body = world.get(OWN, &address).body;
            std::fs::write(directory.join(format!("{file}.xml")), body).unwrap();
        }
        let verdict = schema_of(profile, "judge", &directory, &[]);
        assert!(verdict.contains("judged 4"), "{verdict}");
    }
}

#[test]
fn every_mode_curve_and_default_says_what_was_asked() {
    let mut world = World::with_aggregators();
    let program = with_every_setting(&mut world).0;
    world.config.profile = Profile::new(Edition::Y2018, Extension::CsipAus12);
    let list: DerControlList = world.read(OWN, &format!("/derp/{program}/derc?l=9"));
    let control = &list.der_control[0];
    let randomised = (control.randomize_start, control.randomize_duration);
    assert_eq!(randomised, (Some(-60), Some(30)));
    assert_eq!(control.response_required, Some(HexBinary8::new(7)));
    assert_eq!(control.event_status.current_status, EventState::SCHEDULED);
    assert_eq!(
        control.base.op_mod_fixed_w.as_ref().unwrap().value.0,
        -5_000
    );
    assert_eq!(control.base.op_mod_load_lim_w.as_ref().unwrap().value, 12);
    let curves: DerCurveList = world.read(OWN, &format!("/derp/{program}/dc?l=99"));
    assert_eq!(curves.all, 15);
    let volt_var = control.base.op_mod_volt_var.as_ref().unwrap();
    let curve: DerCurve = world.read(OWN, volt_var.value.href.as_str());
    assert_eq!(curve.curve_type, DerCurveType::VOLT_VAR);
    let default: DefaultDerControl = world.read(OWN, &format!("/derp/{program}/dderc"));
    assert_eq!(default.set_grad_w, Some(100));
    assert_eq!(default.set_es_delay, Some(30_000));
    assert!(default.base.op_mod_hvrt_must_trip.is_some());
    world.pass(50);
    let early: DerControlList = world.read(OWN, &format!("/derp/{program}/derc?l=9"));
    let status = &early.der_control[0].event_status;
    assert_eq!(
        status.current_status,
        EventState::ACTIVE,
        "its earliest start has come"
    );
}

#[test]
fn a_later_control_of_the_programme_marks_the_earlier_one() {
    let mut world = World::with_aggregators();
    let (feeder, _) = places(&mut world);
    let asking = |percent| {
        ControlBase::asking(ActivePower::FixedW {
            percent: Percent::from_hundredths(percent),
            of: Watts::whole(1_000),
        })
    };
    shared_control(&mut world, feeder, asking(1_000));
    world.pass(60);
    shared_control(&mut world, feeder, asking(2_000));
    let list: DerControlList = world.read(OWN, &format!("/derp/{}/derc?l=9", feeder.0));
    let states: Vec<(EventState, bool)> = list
        .der_control
        .iter()
        .map(|control| {
            (
                control.event_status.current_status,
                control.event_status.potentially_superseded,
            )
        })
        .collect();
    assert_eq!(
        states,
        [(EventState::SUPERSEDED, true), (EventState::ACTIVE, false)]
    );
    let since = list.der_control[0].event_status.potentially_superseded_time;
    assert_eq!(since, Some(world.now.into()));
    world
        .resources
        .apply(&DocumentWrite::profile(
            Client::Der(DerId(0)),
            Some(Profile::new(Edition::Y2023, Extension::None)),
        ))
        .unwrap();
    let list: DerControlList = world.read(OWN, &format!("/derp/{}/derc?l=9", feeder.0));
    assert_eq!(
        list.der_control[0].event_status.current_status,
        EventState::ACTIVE
    );
    world.pass(545);
    let list: DerControlList = world.read(OWN, &format!("/derp/{}/derc?l=9", feeder.0));
    assert_eq!(
        list.der_control[0].event_status.current_status,
        EventState::COMPLETED
    );
    let list: DerControlList = world.read(MANAGED, &format!("/derp/{}/derc?l=9", feeder.0));
    assert_eq!(list.all, 1, "the edition of 2018 has no completed state");
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
