//! Alarms as the loop raises them.

use std::time::Duration;

use fleet::alarm::{Alarm, State as AlarmState};
use fleet::dispatch::LinearLimit;
use fleet::dispatch::assess::Policy;
use fleet::microgrid::{Agreement, Member, NewMicrogrid, Report, State as Island};
use fleet::{
    AssignmentId, Capability, CimMrid, Conduct, DerFunction, DerFunctions, DerKind, DispatchPhase,
    EnterService, Fleet, GroupId, Identity, Level, Lfdi, MicrogridCommand, MicrogridId, Mode,
    Modes, Name, NewAssignment, NewDer, NewDispatch, NewGroup, Note, Observation, Pin, Quality,
    Reading, Settings, Target,
};
use store::Entry;
use units::{Interval, Percent, WattHours, Watts};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);

/// A loop over batteries of 5 kW that ask every half minute and are silent after one.
struct Scene {
    state: State,
    observations: Vec<Observation>,
    limits: Vec<LinearLimit>,
    journal: Vec<Entry>,
    at: Timestamp,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn modes() -> Modes {
    Modes::default()
        .with(Mode::Charge)
        .with(Mode::Discharge)
        .with(Mode::TargetW)
}

fn settings() -> Settings {
    Settings {
        p_inject_max: Watts::whole(5_000),
        p_absorb_max: Watts::whole(5_000),
        p_max: None,
        s_max: None,
        energy_max: Some(WattHours::whole(50_000)),
        q_inject_max: None,
        q_absorb_max: None,
        soft_ramp_per_second: None,
        enter_service: EnterService::default(),
        ramp_per_second: None,
        modes: modes(),
        updated: NOW,
    }
}

fn capability() -> Capability {
    Capability {
        p_inject_max: Watts::whole(5_000),
        p_absorb_max: Watts::whole(5_000),
        s_max: None,
        q_inject_max: None,
        q_absorb_max: None,
        energy_max: Some(WattHours::whole(50_000)),
        modes: modes(),
        doe_modes: 0,
    }
}

impl Scene {
    fn new(ders: u32) -> Self {
        let mut scene = Self {
            state: State::default(),
            observations: Vec::new(),
            limits: Vec::new(),
            journal: Vec::new(),
            at: NOW,
        };
        scene.run(&Command::FoundFleet(Identity { seed: 1, pen: 2 }));
        scene.run(&Command::CreateAssignment(NewAssignment {
            name: name("feeder"),
            level: Level::Feeder,
            parent: None,
        }));
        for index in 0..ders {
            let mut lfdi = [0; 20];
            lfdi[..4].copy_from_slice(&index.to_be_bytes());
            scene.run(&Command::EnrolDer(NewDer {
                mrid: CimMrid::new(&format!("der-{index}")).unwrap(),
                name: name(&format!("DER {index}")),
                kind: DerKind::Storage,
                lfdi: Lfdi(lfdi),
                pin: Pin::with_check_digit(11_111),
                registered: true,
                reserve: Percent::default(),
                manager: None,
                assignments: vec![AssignmentId(0)],
            }));
            scene.observations.push(Observation::default());
        }
        scene.hear(0..ders);
        scene
    }

    /// The DER report who and what they are, half full and idle.
    fn described(mut self) -> Self {
        for index in 0..self.observations.len() {
            let der = DerId::from(index);
            self.run(&Command::ReportCapability(der, capability()));
            self.run(&Command::ReportSettings(der, settings()));
            self.meter(index, 0);
            self.observations[index].soc_pct = Some(Reading {
                value: 50.0,
                at: self.at,
                quality: Quality::Valid,
            });
        }
        self
    }

    fn meter(&mut self, der: usize, p_w: i64) {
        self.observations[der].p = Some(Reading {
            value: Watts::whole(p_w),
            at: self.at,
            quality: Quality::Valid,
        });
    }

    fn hear(&mut self, ders: std::ops::Range<u32>) {
        for der in ders {
            self.observations[DerId(der).index()].last_contact = Some(self.at);
        }
    }

    fn with_inputs<R>(&mut self, act: impl FnOnce(&mut State, &Inputs<'_>, &mut Batch) -> R) -> R {
        let inputs = Inputs {
            observations: &self.observations,
            policy: Policy {
                silent_after: Duration::from_secs(60),
                latency: Duration::from_secs(30),
                lead: Duration::ZERO,
                settle: Duration::from_secs(10),
                ..Policy::default()
            },
            limits: &self.limits,
            zone: &units::UTC,
            now: self.at,
        };
        let mut batch = Batch::default();
        let result = act(&mut self.state, &inputs, &mut batch);
        self.journal.extend(batch.entries);
        result
    }

    fn run(&mut self, command: &Command) {
        let actor = Actor::System;
        self.with_inputs(|state, inputs, batch| {
            state.execute(&actor, command, inputs, batch).unwrap();
        });
    }

    /// Lets `secs` seconds pass, with a tick in each.
    fn pass(&mut self, secs: u64) {
        for _ in 0..secs {
            self.at = self.at.after(Duration::from_secs(1));
            self.with_inputs(|state, inputs, batch| state.tick(inputs, batch));
        }
    }

    fn alarms(&self) -> Vec<&Alarm> {
        self.state.fleet.alarms().alarms().collect()
    }

    fn kinds(&self) -> Vec<Kind> {
        self.alarms().iter().map(|alarm| alarm.kind).collect()
    }

    /// Entries about alarms.
    fn journalled(&self) -> usize {
        let alarms = self.journal.iter();
        alarms
            .filter(|entry| matches!(entry.event, fleet::Event::Alarm(_)))
            .count()
    }

    /// What the journal folds to is what the loop has.
    fn check_replay(&self) {
        let mut again = Fleet::default();
        self.journal
            .iter()
            .for_each(|entry| again.apply(&entry.event));
        assert_eq!(again.alarms(), self.state.fleet.alarms());
    }

    /// All DER to `p_w` together from now on for an hour.
    fn dispatch(&mut self, p_w: i64) {
        let members = (0..self.observations.len()).map(DerId::from).collect();
        self.run(&Command::CreateGroup(NewGroup {
            mrid: CimMrid::new("group").unwrap(),
            names: Vec::new(),
            description: None,
            functions: DerFunctions::default().with(DerFunction::RealPowerDispatch),
            members,
            version: None,
        }));
        let interval = Interval::between(self.at, self.at.after(Duration::from_secs(3_600)));
        let p = Watts::whole(p_w);
        self.run(&Command::CreateDispatch(NewDispatch {
            mrid: CimMrid::new("dispatch").unwrap(),
            name: None,
            group: GroupId(0),
            schedule: vec![Target::net(interval, p)],
            ramp: Some(Duration::ZERO),
            conduct: Conduct::default(),
        }));
        let dispatch = &self.state.fleet.dispatches()[0];
        assert_eq!(dispatch.phase(self.at), DispatchPhase::Running(0));
    }
}

#[test]
fn ten_thousand_der_of_one_feeder_that_fall_silent_are_one_alarm() {
    let mut scene = Scene::new(10_000);
    // Silent after a minute, told after a polling interval and another minute.
    scene.pass(149);
    assert_eq!(scene.kinds(), []);
    scene.pass(1);
    let [alarm] = scene.alarms()[..] else {
        panic!("{:?}", scene.kinds())
    };
    assert_eq!(alarm.kind, Kind::PlaceSilent);
    assert_eq!(alarm.subject, Subject::Assignment(AssignmentId(0)));
    let whole = Detail::Members {
        count: 10_000,
        of: 10_000,
        last_heard: NOW,
    };
    assert_eq!(alarm.detail, whole);
    scene.pass(60);
    assert_eq!(scene.journalled(), 1);
    // All but three come back.
    scene.hear(0..9_997);
    scene.pass(40);
    scene.hear(0..9_997);
    scene.pass(30);
    let silent = [
        Kind::PlaceSilent,
        Kind::DerSilent,
        Kind::DerSilent,
        Kind::DerSilent,
    ];
    assert_eq!(scene.kinds(), silent);
    assert_eq!(scene.alarms()[0].state, AlarmState::ReturnedUnacknowledged);
    scene.hear(0..10_000);
    scene.pass(40);
    scene.hear(0..10_000);
    scene.pass(30);
    assert!(
        scene
            .alarms()
            .iter()
            .all(|a| a.condition == fleet::alarm::Condition::Normal)
    );
    scene.check_replay();
}

#[test]
fn a_meter_that_chatters_about_a_limit_is_one_alarm() {
    let mut scene = Scene::new(1).described();
    scene.limits.push(LinearLimit {
        name: name("head"),
        terms: vec![(DerId(0), 1.0)],
        max: Watts::whole(1_000),
        during: None,
    });
    // Not for long enough to be told.
    for round in 0..100 {
        scene.hear(0..1);
        scene.meter(0, if round % 2 == 0 { 1_500 } else { 0 });
        scene.pass(30);
    }
    assert_eq!(scene.journalled(), 0);
    // Above it for a minute, and then just below and above it by turns.
    for round in 0..100 {
        scene.hear(0..1);
        scene.meter(
            0,
            if round < 3 || round % 2 == 0 {
                1_500
            } else {
                990
            },
        );
        scene.pass(30);
    }
    assert_eq!(scene.kinds(), [Kind::LimitExceeded]);
    let power = Detail::Power {
        found: Watts::whole(1_500),
        bound: Watts::whole(1_000),
    };
    assert_eq!(scene.alarms()[0].detail, power);
    // In and out of the dead band, but never out for five minutes.
    for round in 0..100 {
        scene.hear(0..1);
        scene.meter(0, if round % 2 == 0 { 985 } else { 970 });
        scene.pass(30);
    }
    assert_eq!(scene.journalled(), 1);
    for _ in 0..11 {
        scene.hear(0..1);
        scene.meter(0, 970);
        scene.pass(30);
    }
    assert_eq!(scene.alarms()[0].state, AlarmState::ReturnedUnacknowledged);
    scene.check_replay();
}

#[test]
fn a_limit_that_only_silent_der_could_exceed_is_at_risk() {
    let mut scene = Scene::new(2).described();
    scene.limits.push(LinearLimit {
        name: name("head"),
        terms: vec![(DerId(0), 1.0), (DerId(1), 1.0)],
        max: Watts::whole(4_000),
        during: None,
    });
    for _ in 0..14 {
        scene.hear(0..1);
        scene.pass(30);
    }
    assert_eq!(scene.kinds(), [Kind::DerSilent, Kind::LimitAtRisk]);
    // A limit that is no longer configured is not at risk.
    scene.limits.clear();
    for _ in 0..12 {
        scene.hear(0..1);
        scene.pass(30);
    }
    let returned = AlarmState::ReturnedUnacknowledged;
    assert_eq!(scene.alarms()[1].state, returned);
}

#[test]
fn a_shelved_alarm_comes_back_by_itself_when_its_time_is_up() {
    let mut scene = Scene::new(1);
    scene.state.note_vitals(Vitals {
        clock_behind: Duration::from_secs(3),
        ..Vitals::default()
    });
    scene.hear(0..1);
    scene.pass(1);
    assert_eq!(scene.kinds(), [Kind::ClockBehind]);
    let off = Detail::Off(Duration::from_secs(3));
    assert_eq!(scene.alarms()[0].detail, off);
    let until = scene.at.after(Duration::from_secs(20));
    let why = Note::new("known").unwrap();
    let shelve = AlarmCommand::Shelve(AlarmId(0), name("ann"), why, until);
    scene.run(&Command::Alarm(shelve));
    scene.pass(19);
    assert_eq!(scene.alarms()[0].state, AlarmState::Shelved);
    scene.pass(1);
    assert_eq!(scene.alarms()[0].state, AlarmState::Unacknowledged);
    // Between the bounds it stays; below both it returns after a minute.
    for (behind_ms, expected) in [(1_500, 1), (500, 0)] {
        scene.state.note_vitals(Vitals {
            clock_behind: Duration::from_millis(behind_ms),
            ..Vitals::default()
        });
        scene.hear(0..1);
        scene.pass(62);
        let book = scene.state.fleet.alarms();
        assert_eq!(book.raised(Kind::ClockBehind).count(), expected);
    }
    scene.check_replay();
}

#[test]
fn what_was_waited_for_is_forgotten_with_what_it_was_about() {
    let mut scene = Scene::new(4).described();
    scene.dispatch(8_000);
    for _ in 0..6 {
        scene.hear(0..4);
        for der in 0..4 {
            scene.meter(der, 0);
        }
        scene.pass(30);
    }
    let waits = |scene: &Scene| {
        let mut there = scene.state.alarm_pass.there.keys();
        there.any(|(kind, _)| *kind == Kind::DispatchShort)
    };
    assert!(waits(&scene));
    scene.run(&Command::CancelDispatch(DispatchId(0)));
    scene.pass(1);
    assert!(!waits(&scene));
    assert!(!scene.kinds().contains(&Kind::DispatchShort));
}

#[test]
fn readings_that_were_refused_before_this_node_led_are_no_alarm() {
    let mut scene = Scene::new(0);
    scene.state.note_vitals(Vitals {
        readings_refused: 500,
        ..Vitals::default()
    });
    scene.pass(120);
    assert_eq!(scene.kinds(), []);
    scene.state.note_vitals(Vitals {
        readings_refused: 501,
        ..Vitals::default()
    });
    scene.pass(1);
    assert_eq!(scene.kinds(), [Kind::ReadingsRefused]);
}

#[test]
fn readings_that_are_refused_are_one_alarm_until_none_has_been_for_five_minutes() {
    let mut scene = Scene::new(0);
    for refused in 1..=600 {
        scene.state.note_vitals(Vitals {
            readings_refused: refused,
            ..Vitals::default()
        });
        scene.pass(1);
    }
    assert_eq!(
        (scene.kinds(), scene.journalled()),
        (vec![Kind::ReadingsRefused], 1)
    );
    scene.pass(299);
    let book = scene.state.fleet.alarms();
    assert!(book.is_raised(Kind::ReadingsRefused, &Subject::Server));
    scene.pass(3);
    let book = scene.state.fleet.alarms();
    assert!(!book.is_raised(Kind::ReadingsRefused, &Subject::Server));
}

#[test]
fn a_dispatch_that_is_not_delivered_is_told_once_and_a_member_that_is_lost_but_once() {
    let mut scene = Scene::new(4).described();
    scene.dispatch(8_000);
    let controls = scene.state.fleet.controls().len();
    assert_eq!(controls, 4);
    // Nobody follows; all are heard.
    for _ in 0..14 {
        scene.hear(0..4);
        for der in 0..4 {
            scene.meter(der, 0);
        }
        scene.pass(30);
    }
    let kinds = scene.kinds();
    let count = |kind: Kind| kinds.iter().filter(|it| **it == kind).count();
    assert_eq!(count(Kind::DerNotFollowing), 4, "{kinds:?}");
    assert_eq!(count(Kind::DispatchShort), 1);
    let short = Detail::Power {
        found: Watts::ZERO,
        bound: Watts::whole(8_000),
    };
    let alarms = scene.alarms();
    let told = alarms.iter().find(|it| it.kind == Kind::DispatchShort);
    assert_eq!(told.unwrap().detail, short);
    scene.check_replay();

    // Members that fail because the feeder is lost are told as the feeder alone.
    let mut scene = Scene::new(4).described();
    scene.dispatch(8_000);
    scene.pass(160);
    let of_ders = |kind: &Kind| matches!(kind, Kind::DerNotFollowing | Kind::DerSilent);
    assert_eq!(scene.kinds().iter().filter(|kind| of_ders(kind)).count(), 0);
    assert!(scene.kinds().contains(&Kind::PlaceSilent));
}

#[test]
fn a_dispatch_of_which_no_plan_keeps_a_limit_is_told_until_one_does() {
    let mut scene = Scene::new(2).described();
    scene.limits.push(LinearLimit {
        name: name("head"),
        terms: vec![(DerId(1), 1.0)],
        max: Watts::whole(4_000),
        during: None,
    });
    scene.dispatch(2_000);
    let follow = |scene: &mut Scene, heard: std::ops::Range<u32>| {
        scene.hear(heard);
        let plan = scene.state.fleet.dispatches()[0].plan.clone().unwrap();
        for der in 0..2 {
            let share = plan.share(DerId::from(der), 0).map(fleet::ActivePower::p);
            scene.meter(der, share.unwrap_or_default().micro() / 1_000_000);
        }
        scene.pass(30);
    };
    for _ in 0..5 {
        follow(&mut scene, 0..2);
    }
    assert_eq!(scene.kinds(), []);
    // At its worst the one that is lost injects 5 kW, and nothing can be done about it.
    for _ in 0..6 {
        follow(&mut scene, 0..1);
    }
    assert!(
        scene.kinds().contains(&Kind::PlanImpossible),
        "{:?}",
        scene.kinds()
    );
    for _ in 0..4 {
        follow(&mut scene, 0..2);
    }
    let book = scene.state.fleet.alarms();
    assert_eq!(book.raised(Kind::PlanImpossible).count(), 0);
    scene.check_replay();
}

#[test]
fn a_der_whose_clock_is_ahead_is_told_until_it_is_right() {
    let mut scene = Scene::new(2).described();
    for ahead_s in [120; 11] {
        scene.hear(0..2);
        scene.at = scene.at.after(Duration::from_secs(ahead_s));
        scene.meter(1, 0);
        scene.at = scene.at.before(Duration::from_secs(ahead_s));
        scene.pass(30);
    }
    assert_eq!(scene.kinds(), [Kind::DerClockAhead]);
    assert_eq!(scene.alarms()[0].subject, Subject::Der(DerId(1)));
    for _ in 0..12 {
        scene.hear(0..2);
        scene.meter(1, 0);
        scene.pass(30);
    }
    assert_eq!(scene.alarms()[0].state, AlarmState::ReturnedUnacknowledged);
}

#[test]
fn a_tick_changes_so_many_alarms_and_the_next_one_goes_on_until_none_is_left_to_open() {
    let ders = u32::try_from(AlarmBook::MAX_ACTIVE_ALARMS + 2_500).unwrap();
    let mut scene = Scene::new(0);
    for index in 0..ders {
        let mut lfdi = [0; 20];
        lfdi[..4].copy_from_slice(&index.to_be_bytes());
        // Nowhere in particular, so that nothing groups them.
        scene.run(&Command::EnrolDer(NewDer {
            mrid: CimMrid::new(&format!("der-{index}")).unwrap(),
            name: name(&format!("DER {index}")),
            kind: DerKind::Storage,
            lfdi: Lfdi(lfdi),
            pin: Pin::with_check_digit(11_111),
            registered: true,
            reserve: Percent::default(),
            manager: None,
            assignments: Vec::new(),
        }));
        scene.observations.push(Observation::default());
    }
    scene.hear(0..ders);
    scene.pass(149);
    assert_eq!(scene.journalled(), 0);
    scene.pass(1);
    assert_eq!(scene.journalled(), MAX_CHANGES_OF_TICK);
    scene.pass(30);
    let book = scene.state.fleet.alarms();
    assert_eq!(book.len(), AlarmBook::MAX_ACTIVE_ALARMS + 1);
    let overflow = book.find(Kind::AlarmsOverflow, &Subject::Server).unwrap();
    let most = u32::try_from(AlarmBook::MAX_ACTIVE_ALARMS).unwrap();
    assert_eq!(overflow.detail, Detail::Count(most));
    scene.check_replay();
}

/// The members of the microgrid 0, which there is from then on.
fn microgrid(scene: &mut Scene, members: std::ops::Range<u32>) {
    let member = |der| Member {
        der: DerId(der),
        grid_forming: None,
        black_start: None,
    };
    scene.run(&Command::Microgrid(MicrogridCommand::Put(Box::new(
        NewMicrogrid {
            mrid: CimMrid::new("campus").unwrap(),
            name: name("campus"),
            assignment: Some(AssignmentId(0)),
            import_max: None,
            export_max: None,
            controller: None,
            members: members.map(member).collect(),
        },
    ))));
}

fn report(scene: &mut Scene, state: Island) {
    let report = Report {
        state,
        at: scene.at,
        by: name("operator"),
        reason: Note::new("seen").unwrap(),
        agreement: Agreement::Given,
    };
    let command = MicrogridCommand::Report(MicrogridId(0), report);
    scene.run(&Command::Microgrid(command));
}

#[test]
fn an_unplanned_island_is_one_alarm_whatever_its_members_do() {
    let mut scene = Scene::new(8).described();
    microgrid(&mut scene, 0..4);
    scene.dispatch(8_000);
    report(&mut scene, Island::UnplannedIslanding);
    scene.pass(1);
    assert_eq!(scene.kinds(), [Kind::MicrogridIslanded]);
    report(&mut scene, Island::Islanded);
    // Silent for longer than it takes to be told, and heard again they do something else.
    for _ in 0..12 {
        scene.hear(4..8);
        (4..8).for_each(|der| scene.meter(der, 2_000));
        scene.pass(20);
    }
    scene.hear(0..8);
    (0..4).for_each(|der| scene.meter(der, -3_000));
    scene.pass(20);
    assert_eq!(scene.kinds(), [Kind::MicrogridIslanded]);
    let alarm = scene.alarms()[0];
    assert_eq!(
        (&alarm.subject, alarm.detail, alarm.annunciations),
        (&Subject::Microgrid(MicrogridId(0)), Detail::Count(4), 1)
    );
    report(&mut scene, Island::Reconnecting);
    report(&mut scene, Island::GridConnected);
    for _ in 0..4 {
        scene.hear(0..8);
        scene.pass(20);
    }
    let alarm = scene.alarms()[0];
    assert_eq!(alarm.state, AlarmState::ReturnedUnacknowledged);
    scene.check_replay();
}

#[test]
fn what_is_silent_when_its_microgrid_leaves_is_told_by_the_microgrid() {
    let mut scene = Scene::new(8);
    microgrid(&mut scene, 0..1);
    for _ in 0..12 {
        scene.hear(1..8);
        scene.pass(20);
    }
    assert_eq!(scene.kinds(), [Kind::DerSilent]);
    report(&mut scene, Island::Islanded);
    for _ in 0..5 {
        scene.hear(1..8);
        scene.pass(20);
    }
    let states: Vec<(Kind, AlarmState)> = scene
        .alarms()
        .iter()
        .map(|alarm| (alarm.kind, alarm.state))
        .collect();
    assert_eq!(
        states,
        [
            (Kind::DerSilent, AlarmState::ReturnedUnacknowledged),
            (Kind::MicrogridIslanded, AlarmState::Unacknowledged)
        ]
    );
}

#[test]
fn the_controls_of_an_island_are_withdrawn_in_the_commit_that_reports_it() {
    let mut scene = Scene::new(2).described();
    microgrid(&mut scene, 0..1);
    scene.dispatch(2_000);
    let open = |scene: &Scene| {
        let controls = scene.state.fleet.own_controls_of(DerId(0));
        controls.filter(|c| c.cancelled.is_none()).count()
    };
    assert_eq!(open(&scene), 1);
    report(&mut scene, Island::UnplannedIslanding);
    assert_eq!(open(&scene), 0);
    scene.hear(0..2);
    scene.pass(5);
    assert_eq!(open(&scene), 0, "no tick issues them again");
    let share = scene.state.fleet.dispatches()[0].plan.as_ref().unwrap();
    assert_eq!(share.share(DerId(1), 0).unwrap().p(), Watts::whole(2_000));
}
