//! Scenarios: requirements, programmes, roll-outs and drift together, by commands and events alone.

mod drift;
mod required;
mod roll_out;

use std::time::Duration;

use units::{Percent, Timestamp, Vars, VoltAmperes, Watts};

use super::read_back::{drift, facts, standing};
use super::reconcile::reconcile;
use super::{
    Abnormal, Category, Criteria, Decimal, Decision, Facts, NewRollOut, NewSettingsProfile, Normal,
    Parameter as P, Requirement, RollOut, SettingsCommand, StagePlan, Subject, Value, Values,
};
use crate::{
    AssignmentId, Command, DefaultControl, Der, DerId, DerKind, EnterService, Event, Fleet, Level,
    Lfdi, Modes, Name, NewAssignment, NewDer, Pin, Rejection, RollOutId, Settings,
    SettingsProfileId,
};

const CATEGORY: Category = Category {
    normal: Normal::B,
    abnormal: Abnormal::III,
};
/// What a device gets to fetch and report, in the scenarios.
const GRACE: Duration = Duration::from_secs(900);

fn t(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn number(milli: i64) -> Value {
    Value::Number(Decimal::from_milli(milli))
}

/// Enter-service delay in seconds, and volt-var with this droop end where given.
fn values(es_delay_s: i64, volt_var_q4: Option<i64>) -> Values {
    let mut values = Values::from([
        (P::EsDelay, number(es_delay_s * 1_000)),
        (P::EsVLow, number(917)),
    ]);
    if let Some(q4) = volt_var_q4 {
        values.extend([
            (P::QvModeEnable, Value::Enabled(true)),
            (P::QvCurveV1, number(920)),
            (P::QvCurveQ1, number(440)),
            (P::QvCurveV2, number(980)),
            (P::QvCurveQ2, number(0)),
            (P::QvCurveV3, number(1_020)),
            (P::QvCurveQ3, number(0)),
            (P::QvCurveV4, number(1_080)),
            (P::QvCurveQ4, number(q4)),
        ]);
    }
    values
}

struct Rig {
    fleet: Fleet,
    events: Vec<Event>,
}

impl Rig {
    /// `ders` DER of 10 kVA and ±4.4 kvar that have reported their settings.
    fn new(ders: u32) -> Self {
        let mut rig = Self {
            fleet: Fleet::default(),
            events: Vec::new(),
        };
        (0..ders).for_each(|_| rig.enrol());
        rig
    }

    fn enrol(&mut self) {
        let index = self.fleet.ders().len();
        let mut lfdi = [0; 20];
        lfdi[16..].copy_from_slice(&u32::try_from(index).expect("few").to_be_bytes());
        self.must(
            &Command::EnrolDer(NewDer {
                mrid: crate::CimMrid::new(&format!("der-{index}")).expect("an mRID"),
                name: name(&format!("DER {index}")),
                kind: DerKind::Pv,
                lfdi: Lfdi(lfdi),
                pin: Pin::with_check_digit(11_111),
                registered: true,
                reserve: Percent::default(),
                manager: None,
                assignments: Vec::new(),
            }),
            0,
        );
        self.report(DerId::from(index), EnterService::default(), 0);
    }

    fn try_to(&mut self, command: &Command, now: i64) -> Result<Vec<Event>, Rejection> {
        let events = self.fleet.decide(command, t(now))?;
        for event in &events {
            self.fleet.apply(event);
        }
        self.events.extend(events.clone());
        Ok(events)
    }

    fn must(&mut self, command: &Command, now: i64) {
        if let Err(rejection) = self.try_to(command, now) {
            panic!("{command:?}: {rejection}");
        }
    }

    fn settings(&mut self, command: SettingsCommand, now: i64) -> Result<Vec<Event>, Rejection> {
        self.try_to(&Command::Settings(command), now)
    }

    /// What a device that follows would report.
    fn report(&mut self, der: DerId, enter_service: EnterService, now: i64) {
        let mut settings = self.der(der).settings.clone().unwrap_or_else(unset);
        settings.enter_service = enter_service;
        settings.updated = t(now);
        self.must(&Command::ReportSettings(der, settings), now);
    }

    /// Every DER reports the enter-service settings that its programme asks for.
    fn all_follow(&mut self, now: i64) {
        for index in 0..self.fleet.ders().len() {
            let der = DerId::from(index);
            let enter_service = self.default(der).enter_service;
            self.report(der, enter_service, now);
        }
    }

    fn der(&self, der: DerId) -> &Der {
        self.fleet.der(der).expect("a DER")
    }

    fn default(&self, der: DerId) -> &DefaultControl {
        let program = self.fleet.program(self.der(der).program);
        &program.expect("its own programme").default
    }

    fn profile(&mut self, title: &str, values: Values, now: i64) -> SettingsProfileId {
        let id = SettingsProfileId::from(self.fleet.settings().profiles().len());
        let created = self.settings(
            SettingsCommand::CreateProfile(NewSettingsProfile {
                name: name(title),
                category: CATEGORY,
                values,
                comment: None,
                author: name("ann"),
            }),
            now,
        );
        created.expect("sound values");
        id
    }

    fn require(
        &mut self,
        subject: Subject,
        profile: Option<SettingsProfileId>,
        from: i64,
    ) -> Result<Vec<Event>, Rejection> {
        let requirement = Requirement {
            subject,
            profile,
            from: t(from),
            author: name("ann"),
        };
        self.settings(SettingsCommand::Require(requirement), from)
    }

    fn begin(
        &mut self,
        title: &str,
        profile: SettingsProfileId,
        stages: &[&[u32]],
        now: i64,
    ) -> Result<RollOutId, Rejection> {
        let id = RollOutId::from(self.fleet.settings().roll_outs().len());
        let lists = stages
            .iter()
            .map(|stage| stage.iter().copied().map(DerId).collect());
        let new = NewRollOut {
            name: name(title),
            profile,
            plan: StagePlan::Lists(lists.collect()),
            criteria: Criteria {
                wait: Duration::from_secs(900),
                deadline: Duration::from_secs(86_400),
                match_min: Percent::WHOLE,
                alarms_max: 0,
            },
            comment: None,
            author: name("ann"),
        };
        self.settings(SettingsCommand::BeginRollOut(Box::new(new)), now)?;
        Ok(id)
    }

    fn step(&mut self, id: RollOutId, decision: Decision, now: i64) {
        self.settings(SettingsCommand::StepRollOut(id, decision), now)
            .expect("it admits the step");
    }

    fn roll_out(&self, id: RollOutId) -> &RollOut {
        self.fleet.settings().roll_out(id).expect("a roll-out")
    }

    fn required(&self, der: u32, now: i64) -> Option<SettingsProfileId> {
        let required = self
            .fleet
            .settings()
            .required(&self.fleet, self.der(DerId(der)), t(now));
        required.map(|(profile, _)| profile)
    }

    /// What the control loop does in one pass, every device having been heard.
    fn settle(&mut self, now: i64) {
        for index in 0..self.fleet.ders().len() {
            let der = DerId::from(index);
            for _ in 0..8 {
                let commands = reconcile(&self.fleet, self.der(der), t(now)).unwrap_or_default();
                commands
                    .into_iter()
                    .for_each(|command| self.must(&command, now));
            }
            let rest = reconcile(&self.fleet, self.der(der), t(now));
            assert!(rest.is_ok_and(|rest| rest.is_empty()), "it comes to an end");
            let (raise, clear) = drift(&self.fleet, self.der(der), GRACE, t(now));
            let raise = raise.into_iter().map(SettingsCommand::RaiseDrift);
            let clear = clear
                .into_iter()
                .map(|p| SettingsCommand::ClearDrift(der, p));
            for command in raise.chain(clear) {
                self.must(&Command::Settings(command), now);
            }
        }
        let steps: Vec<(RollOutId, Decision)> = self
            .fleet
            .settings()
            .open_roll_outs()
            .filter_map(|r| Some((r.id, r.evaluate(|der| self.facts(r, der, now), t(now))?)))
            .collect();
        for (id, decision) in steps {
            self.step(id, decision, now);
        }
    }

    fn facts(&self, roll_out: &RollOut, der: DerId, now: i64) -> Facts {
        facts(&self.fleet, roll_out, self.der(der), Some(t(now)))
    }

    /// Folding the events again gives the same fleet.
    fn replays(&self) -> bool {
        let mut again = Fleet::default();
        self.events.iter().for_each(|event| again.apply(event));
        again == self.fleet
    }
}

fn unset() -> Settings {
    Settings {
        p_inject_max: Watts::whole(10_000),
        p_absorb_max: Watts::ZERO,
        p_max: None,
        s_max: Some(VoltAmperes::whole(10_000)),
        q_inject_max: Some(Vars::whole(4_400)),
        q_absorb_max: None,
        energy_max: None,
        ramp_per_second: None,
        soft_ramp_per_second: None,
        enter_service: EnterService::default(),
        modes: Modes(u32::MAX),
        updated: t(0),
    }
}
