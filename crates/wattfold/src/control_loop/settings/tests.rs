#![expect(
    clippy::unwrap_in_result,
    clippy::needless_pass_by_value,
    reason = "a test may stop, and hands over what it makes"
)]
use std::time::Duration;

use fleet::dispatch::assess::Policy;
use fleet::settings_profile::{
    Abnormal, Category, Criteria, Decimal, NewRollOut, NewSettingsProfile, Normal, Parameter,
    Phase, Requirement, StagePlan, Subject, Value, Values,
};
use fleet::{
    DerKind, EnterService, Lfdi, Modes, Name, NewDer, Observation, Pin, Settings, SettingsProfileId,
};
use units::{Percent, Timestamp, Watts};

use super::*;

const CATEGORY: Category = Category {
    normal: Normal::B,
    abnormal: Abnormal::III,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A state with DER that are heard whenever the loop looks.
struct Rig {
    state: State,
    changes: Batch,
    policy: Policy,
}

impl Rig {
    fn new(ders: usize) -> Self {
        let mut rig = Self {
            state: State::default(),
            changes: Batch::default(),
            policy: Policy {
                silent_after: Duration::from_secs(600),
                ..Policy::default()
            },
        };
        for index in 0..ders {
            let mut lfdi = [0; 20];
            lfdi[12..].copy_from_slice(&(index as u64).to_be_bytes());
            let new = NewDer {
                mrid: fleet::CimMrid::new(&format!("der-{index}")).unwrap(),
                name: name(&format!("DER {index}")),
                kind: DerKind::Pv,
                lfdi: Lfdi(lfdi),
                pin: Pin::with_check_digit(11_111),
                registered: true,
                reserve: Percent::default(),
                manager: None,
                assignments: Vec::new(),
            };
            rig.must(Command::EnrolDer(new), 0);
        }
        rig
    }

    fn with<R>(
        &mut self,
        now: i64,
        act: impl FnOnce(&mut State, &Inputs<'_>, &mut Batch) -> R,
    ) -> R {
        let now = Timestamp::from_secs(now);
        let heard = Observation {
            last_contact: Some(now),
            ..Observation::default()
        };
        let observations = vec![heard; self.state.fleet.ders().len()];
        let inputs = Inputs {
            observations: &observations,
            policy: self.policy,
            limits: &[],
            zone: &units::UTC,
            now,
        };
        act(&mut self.state, &inputs, &mut self.changes)
    }

    fn must(&mut self, command: Command, now: i64) {
        let outcome = self.with(now, |state, inputs, changes| {
            state.execute(&Actor::System, &command, inputs, changes)
        });
        outcome.unwrap_or_else(|rejection| panic!("{command:?}: {rejection}"));
    }

    fn settings(&mut self, command: SettingsCommand) {
        self.must(Command::Settings(command), 0);
    }

    fn tick(&mut self, now: i64) {
        self.with(now, |state, inputs, changes| state.tick(inputs, changes));
    }

    fn profile(&mut self, es_delay_s: i64) -> SettingsProfileId {
        let id = SettingsProfileId::from(self.state.fleet.settings().profiles().len());
        let delay = Value::Number(Decimal::from_milli(es_delay_s * 1_000));
        self.settings(SettingsCommand::CreateProfile(NewSettingsProfile {
            name: name("spring"),
            category: CATEGORY,
            values: Values::from([(Parameter::EsDelay, delay)]),
            comment: None,
            author: name("ann"),
        }));
        id
    }

    fn delay_cs(&self, der: usize) -> Option<u32> {
        let der = &self.state.fleet.ders()[der];
        let program = self.state.fleet.program(der.program).unwrap();
        program.default.enter_service.delay_cs
    }

    /// The device takes over what its programme says, and reports it.
    fn follow(&mut self, der: usize, now: i64) {
        let enter_service = EnterService {
            delay_cs: self.delay_cs(der),
            ..EnterService::default()
        };
        let settings = Settings {
            p_inject_max: Watts::whole(5_000),
            p_absorb_max: Watts::ZERO,
            p_max: None,
            s_max: None,
            q_inject_max: None,
            q_absorb_max: None,
            energy_max: None,
            ramp_per_second: None,
            soft_ramp_per_second: None,
            enter_service,
            modes: Modes(u32::MAX),
            updated: Timestamp::from_secs(now),
        };
        self.must(Command::ReportSettings(DerId::from(der), settings), now);
    }

    fn begin(&mut self, profile: SettingsProfileId, stages: Vec<Vec<DerId>>) -> RollOutId {
        self.settings(SettingsCommand::BeginRollOut(Box::new(NewRollOut {
            name: name("faster"),
            profile,
            plan: StagePlan::Lists(stages),
            criteria: Criteria {
                wait: Duration::from_secs(900),
                deadline: Duration::from_secs(3_600),
                match_min: Percent::WHOLE,
                alarms_max: 0,
            },
            comment: None,
            author: name("ann"),
        })));
        RollOutId(0)
    }

    fn phase(&self, id: RollOutId) -> Phase {
        self.state.fleet.settings().roll_out(id).unwrap().phase
    }
}

#[test]
fn a_roll_out_goes_from_stage_to_stage_and_everything_is_journalled() {
    let mut rig = Rig::new(3);
    let profile = rig.profile(60);
    let id = rig.begin(profile, vec![vec![DerId(0)], vec![DerId(1), DerId(2)]]);
    rig.tick(1);
    assert_eq!(
        [0, 1, 2].map(|der| rig.delay_cs(der)),
        [Some(6_000), None, None]
    );
    rig.follow(0, 100);
    rig.tick(899);
    assert_eq!(rig.delay_cs(1), None, "the stage waits");
    rig.tick(900);
    rig.tick(901);
    assert_eq!([0, 1, 2].map(|der| rig.delay_cs(der)), [Some(6_000); 3]);
    rig.follow(1, 1_000);
    rig.follow(2, 1_000);
    rig.tick(1_800);
    assert_eq!(rig.phase(id), Phase::Completed(Timestamp::from_secs(1_800)));
    // The journal alone gives the same fleet.
    let mut again = State::default();
    again.apply_all(&rig.changes);
    assert_eq!(again.fleet, rig.state.fleet);
    let events = rig.changes.entries.len();
    rig.tick(1_900);
    assert_eq!(
        rig.changes.entries.len(),
        events,
        "what holds is not decided again"
    );
}

#[test]
fn a_canary_that_does_not_follow_halts_the_rest_and_can_be_taken_back() {
    let mut rig = Rig::new(2);
    let profile = rig.profile(60);
    rig.follow(0, 0);
    let id = rig.begin(profile, vec![vec![DerId(0)], vec![DerId(1)]]);
    rig.tick(1);
    // It reports another delay after it was given one.
    let wrong = EnterService {
        delay_cs: Some(30_000),
        ..EnterService::default()
    };
    let mut settings = rig.state.fleet.ders()[0].settings.clone().unwrap();
    settings.enter_service = wrong;
    rig.must(Command::ReportSettings(DerId(0), settings), 100);
    rig.tick(601);
    rig.tick(602);
    assert!(
        matches!(rig.phase(id), Phase::Halted(_, _)),
        "{:?}",
        rig.phase(id)
    );
    assert_eq!(rig.state.fleet.settings().drifts().count(), 1);
    rig.tick(100_000);
    assert_eq!(rig.delay_cs(1), None);
    rig.settings(SettingsCommand::StepRollOut(id, Decision::RolledBack));
    rig.tick(100_001);
    assert_eq!(rig.delay_cs(0), None);
    assert_eq!(rig.state.fleet.settings().drifts().count(), 0);
}

#[test]
fn one_tick_looks_at_so_many_der_and_the_next_at_the_next() {
    let mut rig = Rig::new(MAX_DERS_OF_TICK + 1);
    let profile = rig.profile(60);
    for der in [0, MAX_DERS_OF_TICK] {
        rig.settings(SettingsCommand::Require(Requirement {
            subject: Subject::Der(DerId::from(der)),
            profile: Some(profile),
            from: Timestamp::from_secs(0),
            author: name("ann"),
        }));
    }
    let held = |rig: &Rig| [0, MAX_DERS_OF_TICK].map(|der| rig.delay_cs(der).is_some());
    rig.tick(1);
    assert_eq!(held(&rig), [true, false]);
    rig.tick(2);
    assert_eq!(held(&rig), [true, true]);
}
