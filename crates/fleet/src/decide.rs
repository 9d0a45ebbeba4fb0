//! Deciding a command: events, or a rejection that says why.

mod client;
mod control;
mod dispatch;
mod envelope;
mod group;
mod program;

use units::{Percent, Timestamp};

use crate::{
    Access, Capability, Command, Der, DerId, Event, Fleet, NewDer, NewProgram, Registration,
    Rejection, Scope, Settings,
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
            Command::ChangeDispatch(id, change) => self.change_dispatch(*id, change, now),
            Command::ApproveDispatch(id, by, capacity) => {
                self.approve_dispatch(*id, (by, *capacity), now)
            }
            Command::PublishDispatch(id) => self.publish_dispatch(*id, now),
            Command::SetApprovalRules(rules) => self.set_approval_rules(rules),
            Command::CancelDispatch(id) => self.cancel_dispatch(*id, now),
            Command::SetDefaultControl(id, default) => self.set_default(*id, default, now),
            Command::IssueControl(new) => self.issue_control(new, now),
            Command::CancelControl(id) => self.cancel_control(*id, now),
            _ => self.decide_place(command, now),
        }
    }

    /// Who may come in, where DER belong and what programmes there are.
    fn decide_place(&self, command: &Command, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::EnrolAggregator(new) => self.enrol_aggregator(new, now),
            Command::RegisterAggregator(id) => self.register_aggregator(*id, now),
            Command::SetAccess(client, true) => self.set_access(*client, Access::Granted, now),
            Command::SetAccess(client, false) => {
                self.set_access(*client, Access::Revoked(now), now)
            }
            Command::Rekey(client, lfdi) => self.rekey(*client, *lfdi, now),
            Command::RemoveDer(id) => self.remove_der(*id, now),
            Command::AssignDer(id, nodes) => self.assign_der(*id, nodes, now),
            Command::CreateAssignment(new) => self.create_assignment(new),
            Command::DeleteAssignment(id) => self.delete_assignment(*id, now),
            Command::CreateProgram(new) => self.create_program(new),
            Command::CreateEnvelopeProgram(der) => self.create_envelope_program(*der),
            Command::ChangeProgram(id, change) => self.change_program(*id, change),
            Command::DeleteProgram(id) => self.delete_program(*id, now),
            Command::CreateCurve(new) => self.create_curve(new, now),
            Command::DeleteCurve(id) => self.delete_curve(*id, now),
            Command::SetEnvelope(envelope) => self.set_envelope(envelope, now),
            Command::ClearEnvelope(der, source) => self.clear_envelope(*der, source),
            Command::Settings(command) => self.decide_settings(command, now),
            Command::Enrolment(command) => self.decide_enrolment(command, now),
            Command::Alarm(command) => self.decide_alarm(command, now),
            Command::Microgrid(command) => self.decide_microgrid(command, now),
            Command::Strategy(command) => self.decide_strategy(command, now),
            _ => unreachable!("every other command is decided above"),
        }
    }

    pub(crate) fn enrol(&self, new: &NewDer, now: Timestamp) -> Result<Vec<Event>, Rejection> {
        if self.ders.len() >= Self::MAX_DERS {
            return Err(Rejection::TooMany {
                what: "DER",
                max: Self::MAX_DERS,
            });
        }
        if !(0..=Percent::WHOLE.hundredths()).contains(&new.reserve.hundredths()) {
            return Err(invalid("reserve", "is 0 to 100 %"));
        }
        self.check_lfdi(new.lfdi)?;
        if let Some(manager) = new.manager {
            self.known_aggregator(manager)?;
        }
        let assignments = self.check_assignments(&new.assignments)?;
        if self.by_mrid.contains_key(&new.mrid) {
            return Err(Rejection::MridTaken(new.mrid.clone()));
        }
        if self.by_name.contains_key(&new.name) {
            return Err(Rejection::NameTaken(new.name.clone()));
        }
        let id = DerId::from(self.ders.len());
        let program = self.new_program(&NewProgram {
            name: new.name.clone(),
            primacy: DISPATCH_PRIMACY,
            scope: Scope::Device(id),
        });
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
            program: program.id,
            manager: new.manager,
            access: Access::Granted,
            assignments,
            changed: now,
            removed: None,
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

    pub(crate) fn known(&self, id: DerId) -> Result<&Der, Rejection> {
        let der = self.der(id).filter(|der| der.removed.is_none());
        der.ok_or_else(|| Rejection::Unknown {
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
