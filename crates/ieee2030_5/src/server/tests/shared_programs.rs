//! Programmes for many and the group hierarchy.

use std::time::Duration;

use fleet::microgrid::{Agreement, Member, NewMicrogrid, Report, State};
use fleet::{
    CimMrid, CurvePoint, CurveShape, CurveType, DefaultControl, EnterService, FreqDroop, Level,
    MicrogridCommand, MicrogridId, NewAssignment, NewCurve, NewProgram, Note, PowerFactor, Scaled,
    Scope, Setting, Share, Terms,
};

use super::{
    AGGREGATOR, ActivePower, ControlBase, Interval, MANAGED, Name, NewControl, OTHER, OWN, Origin,
    Percent, RIVAL, STRANGER, Watts, World,
};
use crate::codec::simple::HexBinary8;
use crate::codec::table::{Edition, Extension, Profile};
use crate::schema::{fresh_directory, schema_of};
use crate::server::DocumentWrite;
use crate::translate::{AssignmentId, Client, Command, ControlId, CurveId, DerId, ProgramId};
use crate::wire::der_control::{
    DefaultDerControl, DerControl, DerControlList, DerProgramList, EventState,
};
use crate::wire::der_curve::{DerCurve, DerCurveList, DerCurveType};
use crate::wire::function_set_assignments::FunctionSetAssignmentsList;
use crate::wire::response::{Response, ResponseStatus};

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
fn a_der_in_an_island_is_shown_its_own_programmes_only() {
    let mut world = World::with_aggregators();
    let (feeder, _) = places(&mut world);
    let campus = NewMicrogrid {
        mrid: CimMrid::new("campus").unwrap(),
        name: Name::new("campus").unwrap(),
        assignment: None,
        import_max: None,
        export_max: None,
        controller: None,
        members: vec![Member {
            der: DerId(0),
            grid_forming: None,
            black_start: None,
        }],
    };
    let put = MicrogridCommand::Put(Box::new(campus));
    world.command(&Command::Microgrid(put));
    let report = |world: &mut World, state| {
        let report = Report {
            state,
            at: world.now,
            by: Name::new("operator").unwrap(),
            reason: Note::new("seen").unwrap(),
            agreement: Agreement::Given,
        };
        let command = MicrogridCommand::Report(MicrogridId(0), report);
        world.command(&Command::Microgrid(command));
    };
    let shown = |world: &mut World| {
        let list: DerProgramList = world.read(OWN, "/edev/0/der/1/derp?l=9");
        let status = world.get(OWN, &format!("/derp/{}/derc", feeder.0)).status;
        (list.all, status)
    };
    assert_eq!(shown(&mut world), (3, 200));
    report(&mut world, State::UnplannedIslanding);
    assert_eq!(shown(&mut world), (3, 200), "it may be on the grid yet");
    report(&mut world, State::Islanded);
    assert_eq!(shown(&mut world), (1, 404));
    assert_eq!(
        world
            .get(AGGREGATOR, &format!("/derp/{}/derc", feeder.0))
            .status,
        200
    );
    report(&mut world, State::Reconnecting);
    assert_eq!(shown(&mut world), (3, 200));
}
