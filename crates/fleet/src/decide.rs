//! Deciding a command: events, or a rejection that says why.

mod dispatch;
mod group;

use units::{Percent, Timestamp};

use crate::state::MridKind;
use crate::{
    Capability, Command, Control, ControlBase, ControlId, Der, DerId, Event, Fleet, Mode,
    NewControl, NewDer, Program, ProgramId, Registration, Rejection, Scope, Settings,
};

/// Primacy of the programme that carries dispatch shares (IEEE 2030.5 leaves 3 to 64 to the
/// utility).
const DISPATCH_PRIMACY: u8 = 20;

impl Fleet {
    /// What `command` leads to at `now`. The events are to be made durable, then
    /// [applied](Fleet::apply); nothing has changed until then.
    ///
    /// # Errors
    /// A [`Rejection`] with the reason.
    pub fn decide(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::FoundFleet(identity) => {
                if !self.ders.is_empty() || self.identity != crate::Identity::default() {
                    return Err(invalid("fleet", "is founded already"));
                }
                Ok(vec![Event::FleetFounded(*identity)])
            }
            Command::EnrolDer(new) => self.enrol(new, now),
            Command::RegisterDer(id) => match self.known(*id)?.registration {
                Registration::Registered(_) => Err(Rejection::AlreadyRegistered(*id)),
                Registration::Authorised => Ok(vec![Event::DerRegistered(*id, now)]),
            },
            Command::ReportCapability(id, capability) => self.report_capability(*id, capability),
            Command::ReportSettings(id, settings) => self.report_settings(*id, settings),
            Command::CreateGroup(new) => self.create_group(new, now),
            Command::ChangeGroup(id, change) => self.change_group(*id, change, now),
            Command::DeleteGroup(id) => self.delete_group(*id, now),
            Command::CreateDispatch(new) => self.create_dispatch(new, now),
            Command::AdoptPlan(plan) => self.adopt_plan(plan, now),
            Command::CancelDispatch(id) => self.cancel_dispatch(*id, now),
            Command::SetDefaultControl(id, base) => self.set_default(*id, *base),
            Command::IssueControl(new) => self.issue_control(new, now),
            Command::CancelControl(id) => self.cancel_control(*id, now),
        }
    }

    fn enrol(&self, new: &NewDer, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        if self.ders.len() >= Self::MAX_DERS {
            return Err(Rejection::TooMany {
                what: "DER",
                max: Self::MAX_DERS,
            });
        }
        if !(0..=Percent::WHOLE.hundredths()).contains(&new.reserve.hundredths()) {
            return Err(invalid("reserve", "is 0 to 100 %"));
        }
        if self.by_lfdi.contains_key(&new.lfdi) {
            return Err(Rejection::LfdiTaken(new.lfdi));
        }
        if self.by_mrid.contains_key(&new.mrid) {
            return Err(Rejection::MridTaken(new.mrid.clone()));
        }
        if self.by_name.contains_key(&new.name) {
            return Err(Rejection::NameTaken(new.name.clone()));
        }
        let id = DerId::from(self.ders.len());
        let program_id = ProgramId::from(self.programs.len());
        let program = Program {
            id: program_id,
            mrid: self.identity.mrid(MridKind::Program, program_id.0),
            name: new.name.clone(),
            primacy: DISPATCH_PRIMACY,
            scope: Scope::Device(id),
            default: ControlBase::default(),
        };
        let registration = if new.registered {
            Registration::Registered(now)
        } else {
            Registration::Authorised
        };
        let der = Der {
            id,
            mrid: new.mrid.clone(),
            name: new.name.clone(),
            kind: new.kind,
            lfdi: new.lfdi,
            pin: new.pin,
            enrolled: now,
            registration,
            capability: None,
            settings: None,
            reserve: new.reserve,
            program: program_id,
        };
        Ok(vec![
            Event::ProgramCreated(program),
            Event::DerEnrolled(der),
        ])
    }

    /// A report equal to the last one tells nothing new and is no event.
    fn report_capability(&self, id: DerId, new: &Capability) -> Result<Vec<Event>, Rejection> {
        let der = self.known(id)?;
        if new.p_inject_max < units::Watts::ZERO || new.p_absorb_max < units::Watts::ZERO {
            return Err(invalid(
                "capability",
                "ratings are magnitudes, not negative",
            ));
        }
        if der.capability.as_ref() == Some(new) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::CapabilityReported(id, new.clone())])
    }

    fn report_settings(&self, id: DerId, new: &Settings) -> Result<Vec<Event>, Rejection> {
        let der = self.known(id)?;
        if new.p_inject_max < units::Watts::ZERO || new.p_absorb_max < units::Watts::ZERO {
            return Err(invalid("settings", "maxima are magnitudes, not negative"));
        }
        if der.settings.as_ref() == Some(new) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::SettingsReported(id, new.clone())])
    }

    /// The default control that is in force already is no event.
    fn set_default(&self, id: ProgramId, base: ControlBase) -> Result<Vec<Event>, Rejection> {
        let program = self.known_program(id)?;
        if program.default == base {
            return Ok(Vec::new());
        }
        let default = base;
        Ok(vec![Event::ProgramChanged(Program {
            default,
            ..program.clone()
        })])
    }

    fn issue_control(&self, new: &NewControl, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let der = self.known(new.der)?;
        let program = self.known_program(new.program)?;
        if program.scope != Scope::Device(new.der) && program.scope != Scope::All {
            return Err(invalid("program", "addresses another DER"));
        }
        if new.interval.duration.is_zero() || new.interval.end() <= now {
            return Err(invalid("interval", "is empty or over"));
        }
        if new.interval.start.millis() % 1_000 != 0 || new.interval.duration.subsec_nanos() != 0 {
            return Err(invalid(
                "interval",
                "starts and lasts whole seconds on the wire",
            ));
        }
        if u32::try_from(new.interval.duration.as_secs()).is_err() {
            return Err(invalid("interval", "lasts at most 2³²-1 seconds"));
        }
        if new.base == ControlBase::default() {
            return Err(invalid("control", "asks for nothing"));
        }
        if new.base.connect.is_some() && !der.can(Mode::Connect) {
            return Err(invalid("connect", "the DER does not support opModConnect"));
        }
        if self.live_controls(new.der, now) >= Self::MAX_LIVE_CONTROLS {
            let max = Self::MAX_LIVE_CONTROLS;
            return Err(Rejection::TooMany {
                what: "controls of one DER",
                max,
            });
        }
        let id = ControlId::from(self.controls.len());
        let control = Control {
            id,
            mrid: self.identity.mrid(MridKind::Control, id.0),
            der: new.der,
            program: new.program,
            origin: new.origin,
            interval: new.interval,
            created: now,
            base: new.base,
            cancelled: None,
        };
        Ok(vec![Event::ControlIssued(control)])
    }

    /// Withdrawing twice, or what is over, changes nothing.
    fn cancel_control(&self, id: ControlId, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        let control = self.control(id).ok_or_else(|| Rejection::Unknown {
            what: "control",
            id: id.to_string(),
        })?;
        if control.cancelled.is_some() || control.interval.end() <= now {
            return Ok(Vec::new());
        }
        Ok(vec![Event::ControlCancelled(id, now)])
    }

    fn known_program(&self, id: ProgramId) -> Result<&Program, Rejection> {
        self.program(id).ok_or_else(|| Rejection::Unknown {
            what: "programme",
            id: id.to_string(),
        })
    }

    /// Controls of `der` that are not over.
    fn live_controls(&self, der: DerId, now: Timestamp) -> usize {
        self.controls_of(der)
            .filter(|control| now < control.interval.end())
            .count()
    }

    pub(crate) fn known(&self, id: DerId) -> Result<&Der, Rejection> {
        self.der(id).ok_or_else(|| Rejection::Unknown {
            what: "DER",
            id: id.to_string(),
        })
    }
}

/// A field and the rule it breaks.
fn invalid(field: &'static str, rule: &str) -> Rejection {
    Rejection::Invalid {
        field,
        rule: rule.to_owned(),
    }
}
