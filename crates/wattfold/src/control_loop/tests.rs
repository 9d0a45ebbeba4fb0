use std::time::Duration;

use fleet::{
    ActivePower, Capability, CimMrid, ControlBase, DeliveryState, DerKind, EnterService, Envelope,
    EnvelopePoint, Fallback, Identity, Lfdi, Mode, Modes, Name, NewControl, NewDer, NewProgram,
    Origin, Pin, ProgramId, Quality, Reading, Scope, Settings,
};
use units::{Interval, Percent, Watts};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000);

struct Scene {
    state: State,
    observations: Vec<Observation>,
}

impl Scene {
    /// Three batteries of 5 kW that know envelopes, heard now.
    fn new() -> Self {
        let mut scene = Self {
            state: State::default(),
            observations: vec![Observation::default(); 3],
        };
        scene.run(&Command::FoundFleet(Identity { seed: 1, pen: 2 }));
        for index in 0..3 {
            scene.enrol(index);
            scene.hear(usize::from(index), 0.0, NOW);
        }
        scene
    }

    fn enrol(&mut self, index: u8) {
        let der = DerId(u32::from(index));
        self.run(&Command::EnrolDer(NewDer {
            mrid: CimMrid::new(&format!("der-{index}")).unwrap(),
            name: Name::new(&format!("DER {index}")).unwrap(),
            kind: DerKind::Storage,
            lfdi: Lfdi([index; 20]),
            pin: Pin::with_check_digit(11_111),
            registered: true,
            reserve: Percent::default(),
            manager: None,
            assignments: Vec::new(),
        }));
        let modes = Modes::default().with(Mode::FixedW).with(Mode::TargetW);
        self.run(&Command::ReportCapability(
            der,
            Capability {
                p_inject_max: Watts::whole(5_000),
                p_absorb_max: Watts::whole(5_000),
                s_max: None,
                q_inject_max: None,
                q_absorb_max: None,
                energy_max: None,
                modes,
                doe_modes: 0b1111,
            },
        ));
        self.run(&Command::ReportSettings(
            der,
            Settings {
                p_inject_max: Watts::whole(5_000),
                p_absorb_max: Watts::whole(5_000),
                p_max: None,
                s_max: None,
                energy_max: None,
                q_inject_max: None,
                q_absorb_max: None,
                soft_ramp_per_second: None,
                enter_service: EnterService::default(),
                ramp_per_second: None,
                modes,
                updated: NOW,
            },
        ));
    }

    fn hear(&mut self, der: usize, p_w: f64, at: Timestamp) {
        self.observations[der].last_contact = Some(at);
        self.observations[der].p = Some(Reading {
            value: Watts::from_f64(p_w),
            at,
            quality: Quality::Valid,
        });
    }

    fn inputs(&self, now: Timestamp) -> Inputs<'_> {
        Inputs {
            observations: &self.observations,
            policy: Policy {
                silent_after: Duration::from_secs(60),
                ..Policy::default()
            },
            limits: &[],
            zone: &units::UTC,
            now,
        }
    }

    fn run(&mut self, command: &Command) -> Batch {
        let mut state = std::mem::take(&mut self.state);
        let mut batch = Batch::default();
        let inputs = self.inputs(NOW);
        state
            .execute(&Actor::System, command, &inputs, &mut batch)
            .unwrap();
        self.state = state;
        batch
    }

    fn tick(&mut self, now: Timestamp) -> Vec<DeliveryEntry> {
        let mut state = std::mem::take(&mut self.state);
        let mut batch = Batch::default();
        state.tick(&self.inputs(now), &mut batch);
        self.state = state;
        batch.deliveries
    }

    /// Everyone is asked for 2 kW from now on.
    fn everyone(&mut self) -> ControlId {
        self.run(&Command::CreateProgram(NewProgram {
            name: Name::new("emergency").unwrap(),
            primacy: 1,
            scope: Scope::All,
        }));
        let program = ProgramId(3);
        self.run(&Command::IssueControl(NewControl {
            der: None,
            program,
            origin: Origin::Operator,
            interval: Interval::between(NOW, NOW.after(Duration::from_secs(600))),
            base: ControlBase::asking(ActivePower::TargetW {
                value: 2_000,
                multiplier: 0,
            }),
            terms: None,
        }));
        self.state.fleet.controls().last().unwrap().id
    }
}

#[test]
fn an_operators_control_for_all_has_a_row_for_each_that_fetched_it() {
    let mut scene = Scene::new();
    let control = scene.everyone();
    let mut batch = Batch::default();
    let seen = [DerId(0), DerId(1)];
    for der in seen {
        scene
            .state
            .witness((control, der), Evidence::Served, NOW, &mut batch);
        scene
            .state
            .witness((control, der), Evidence::Response(2), NOW, &mut batch);
    }
    let later = NOW.after(Duration::from_secs(30));
    scene.hear(0, 2_010.0, later);
    scene.hear(1, 0.0, later);
    let steps = scene.tick(later);
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(
        (steps[0].der, steps[0].state),
        (DerId(0), DeliveryState::Following)
    );
    // The other two are not heard any more; of the third nothing is known here.
    let silent = later.after(Duration::from_secs(61));
    scene.hear(0, 2_010.0, silent);
    let steps = scene.tick(silent);
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert_eq!(
        (steps[0].der, steps[0].state),
        (DerId(1), DeliveryState::Silent)
    );
    scene.hear(1, 0.0, silent);
    let steps = scene.tick(silent);
    assert_eq!(
        steps[0].state,
        DeliveryState::Started,
        "it is back where it was"
    );
    assert!(
        scene.tick(NOW.after(Duration::from_secs(700))).is_empty(),
        "it is over"
    );
}

#[test]
fn what_is_watched_survives_a_restart() {
    let mut scene = Scene::new();
    scene.everyone();
    let again = State::new(scene.state.fleet.clone(), scene.state.deliveries.clone());
    assert_eq!(again.watched, scene.state.watched);
    assert_ne!(again.watched, Watched::default());
}

#[test]
fn an_envelope_and_the_controls_that_follow_are_one_batch() {
    let mut scene = Scene::new();
    let fallback = Fallback {
        import_max: None,
        export_max: Some(Watts::whole(500)),
    };
    let batch = scene.run(&envelope(0, fallback));
    let kinds: Vec<&str> = batch
        .entries
        .iter()
        .map(|entry| match entry.event {
            Event::EnvelopeSet(_) => "envelope",
            Event::ProgramCreated(_) => "programme",
            Event::ControlIssued(_) => "control",
            Event::ProgramChanged(_) => "default",
            _ => "other",
        })
        .collect();
    assert_eq!(
        kinds,
        ["envelope", "programme", "control", "control", "default"]
    );
}

/// The most that one DER may export in the 600 s from now on, in two steps.
fn envelope(der: u32, fallback: Fallback) -> Command {
    let point = |start_s: u64, export_w: i64| EnvelopePoint {
        interval: Interval::between(
            NOW.after(Duration::from_secs(start_s)),
            NOW.after(Duration::from_secs(start_s + 300)),
        ),
        import_max: None,
        export_max: Some(Watts::whole(export_w)),
    };
    Command::SetEnvelope(Envelope {
        der: DerId(der),
        source: Name::new("grid").unwrap(),
        set: NOW,
        points: vec![point(0, 3_000), point(300, 1_000)],
        fallback,
    })
}

#[test]
fn a_tick_restores_what_was_withdrawn_of_an_envelope() {
    let mut scene = Scene::new();
    scene.run(&envelope(0, Fallback::default()));
    scene.run(&envelope(1, Fallback::default()));
    scene.run(&Command::CancelControl(ControlId(3)));
    let program = scene.state.fleet.envelope_program(DerId(0)).unwrap().id;
    scene.run(&Command::DeleteProgram(program));
    let open = |scene: &Scene, der: u32| {
        let own = scene.state.fleet.own_controls_of(DerId(der));
        own.filter(|control| control.cancelled.is_none()).count()
    };
    assert_eq!((open(&scene, 0), open(&scene, 1)), (0, 1));
    let later = NOW.after(Duration::from_secs(1));
    scene.tick(later);
    assert_eq!((open(&scene, 0), open(&scene, 1)), (2, 2));
    let issued = scene.state.fleet.controls().len();
    scene.tick(later.after(Duration::from_secs(1)));
    assert_eq!(scene.state.fleet.controls().len(), issued);
}

#[test]
fn a_control_says_nothing_before_a_device_could_have_heard_of_it() {
    let mut scene = Scene::new();
    scene.run(&envelope(0, Fallback::default()));
    let silent = NOW.after(Duration::from_secs(61));
    let told = |lead_s: u64| {
        let mut state = scene.state.clone();
        let mut inputs = scene.inputs(silent);
        inputs.policy.lead = Duration::from_secs(lead_s);
        let mut batch = Batch::default();
        state.tick(&inputs, &mut batch);
        batch.deliveries.len()
    };
    assert_eq!((told(200), told(300)), (1, 2));
}
