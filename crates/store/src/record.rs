//! On-disk records: the one serialised shape of each event.
//!
//! A record is JSON with a kind and a version. Power and energy are whole micro-units, shares are
//! hundredths of a percent, times are milliseconds since 1970 UTC; absent means none. A shape is
//! never changed once released: a change is a new version with a shape of its own, and
//! [`decode`] lifts every older one.

mod aggregator;
mod alarm;
mod assignment;
mod capability;
mod control;
mod curve;
mod delivery;
mod der;
mod dispatch;
mod enrolment;
mod envelope;
mod field;
mod flexibility;
mod group;
mod microgrid;
pub(crate) mod observation;
mod plan;
mod program;
mod settings_profile;
mod strategy;

use fleet::{EnrolmentEvent, Event, SettingsEvent};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) use delivery::{decode_step, encode_evidence, state_text};

use aggregator::AggregatorV1;
use assignment::AssignmentV1;
use capability::{CapabilityReportedV1, SettingsReportedV1};
use control::{ControlCancelledV1, ControlV1};
use curve::{CurveRemovedV1, CurveV1};
use der::{DerRegisteredV1, DerV1};
use dispatch::{ApprovalRulesV1, DispatchApprovedV1, DispatchAtV1, DispatchV1, DispatchV2};
use enrolment::{
    BoundV1, ContractV1, DemandResponseProgramV1, InterconnectionV1, OwnerErasedV1, OwnerV1,
    PlacedV1, ServicePointV1, SiteV1,
};
use envelope::{EnvelopeClearedV1, EnvelopeV1};
use flexibility::FlexibilityV1;
use group::{GroupDeletedV1, GroupV1};
use plan::PlanV1;
use program::{FleetFoundedV1, ProgramV1};
use settings_profile::{
    AppliedV1, CategorySetV1, DriftClearedV1, DriftRaisedV1, ProfileV1, RealisedV1, RequirementV1,
    RollOutSteppedV1, RollOutV1,
};

/// An event in its stored form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Which event.
    pub kind: &'static str,
    /// Which version of its shape.
    pub version: u32,
    /// The shape, as JSON.
    pub payload: String,
}

/// A value has no place in its record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field} of {kind} can't be stored: it {rule}")]
pub struct Unstorable {
    /// Of which record.
    pub kind: &'static str,
    /// Which field.
    pub field: &'static str,
    /// What is the matter with it.
    pub rule: &'static str,
}

/// Why a record can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// No release up to this one writes such a kind and version.
    #[error("kind {kind:?} of version {version} is unknown to this release")]
    Unknown {
        /// Which kind.
        kind: String,
        /// Which version.
        version: u32,
    },
    /// A field is missing or holds what it may not.
    #[error("field {field}: {reason}")]
    Malformed {
        /// Path of the field inside the record.
        field: String,
        /// What is wrong.
        reason: String,
    },
}

impl RecordError {
    pub(crate) fn malformed(field: &str, reason: &impl ToString) -> Self {
        Self::Malformed {
            field: field.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// The latest shape of `event`.
pub fn encode(event: &Event) -> Result<Record, Unstorable> {
    let (kind, payload) = match event {
        Event::FleetFounded(id) => ("fleet_founded", json(&FleetFoundedV1::from(*id))),
        Event::ProgramCreated(p) => ("program_created", json(&ProgramV1::from(p))),
        Event::ProgramChanged(p) => ("program_changed", json(&ProgramV1::from(p))),
        Event::DerEnrolled(der) => ("der_enrolled", json(&DerV1::from(der))),
        Event::DerRegistered(id, at) => ("der_registered", json(&DerRegisteredV1::new(*id, *at))),
        Event::CapabilityReported(id, capability) => (
            "capability_reported",
            json(&CapabilityReportedV1::new(*id, capability)),
        ),
        Event::SettingsReported(id, settings) => (
            "settings_reported",
            json(&SettingsReportedV1::new(*id, settings)),
        ),
        Event::GroupCreated(group) => ("group_created", json(&GroupV1::from(group))),
        Event::GroupChanged(group) => ("group_changed", json(&GroupV1::from(group))),
        Event::GroupDeleted(id) => ("group_deleted", json(&GroupDeletedV1::from(*id))),
        Event::DispatchCreated(d) => ("dispatch_created", json(&DispatchV2::try_from(d)?)),
        Event::PlanAdopted(plan) => ("plan_adopted", json(&PlanV1::from(plan))),
        Event::DispatchCancelled(id, at) => {
            ("dispatch_cancelled", json(&DispatchAtV1::new(*id, *at)))
        }
        Event::ControlIssued(c) => ("control_issued", json(&ControlV1::try_from(c)?)),
        Event::ControlCancelled(id, at) => (
            "control_cancelled",
            json(&ControlCancelledV1::new(*id, *at)),
        ),
        _ => encode_place(event)?,
    };
    let version = match event {
        Event::DispatchCreated(_) => 2,
        _ => 1,
    };
    Ok(Record {
        kind,
        version,
        payload,
    })
}

/// Who may come in, where DER belong and what rules them.
fn encode_place(event: &Event) -> Result<(&'static str, String), Unstorable> {
    Ok(match event {
        Event::AggregatorEnrolled(a) => ("aggregator_enrolled", json(&AggregatorV1::from(a))),
        Event::AggregatorChanged(a) => ("aggregator_changed", json(&AggregatorV1::from(a))),
        Event::DerChanged(der) => ("der_changed", json(&DerV1::from(der))),
        Event::AssignmentCreated(node) => ("assignment_created", json(&AssignmentV1::from(node))),
        Event::AssignmentChanged(node) => ("assignment_changed", json(&AssignmentV1::from(node))),
        Event::CurveCreated(curve) => ("curve_created", json(&CurveV1::from(curve))),
        Event::CurveRemoved(id, at) => ("curve_removed", json(&CurveRemovedV1::new(*id, *at))),
        Event::EnvelopeSet(envelope) => ("envelope_set", json(&EnvelopeV1::try_from(envelope)?)),
        Event::EnvelopeCleared(der, source) => (
            "envelope_cleared",
            json(&EnvelopeClearedV1::new(*der, source)),
        ),
        Event::DispatchChanged(d) => ("dispatch_changed", json(&DispatchV2::try_from(&**d)?)),
        Event::DispatchApproved(id, approval) => (
            "dispatch_approved",
            json(&DispatchApprovedV1::new(*id, approval)),
        ),
        Event::DispatchPublished(id, at) => {
            ("dispatch_published", json(&DispatchAtV1::new(*id, *at)))
        }
        Event::ApprovalRulesSet(rules) => (
            "approval_rules_set",
            json(&ApprovalRulesV1::from(rules.as_slice())),
        ),
        Event::Settings(event) => encode_settings(event)?,
        Event::Enrolment(event) => encode_enrolment(event)?,
        Event::Alarm(event) => alarm::encode(event)?,
        Event::Microgrid(event) => microgrid::encode(event)?,
        Event::Strategy(event) => strategy::encode(event)?,
        _ => unreachable!("every other event is encoded above"),
    })
}

fn encode_settings(event: &SettingsEvent) -> Result<(&'static str, String), Unstorable> {
    use SettingsEvent as E;
    Ok(match event {
        E::ProfileCreated(p) => ("settings_profile_created", json(&ProfileV1::from(p))),
        E::Required(r) => ("settings_required", json(&RequirementV1::from(r))),
        E::CategorySet(der, category) => {
            let shape = CategorySetV1::new(*der, *category);
            ("der_category_set", json(&shape))
        }
        E::RollOutBegun(r) => ("roll_out_begun", json(&RollOutV1::try_from(&**r)?)),
        E::RollOutStepped(id, decision, at) => {
            let shape = RollOutSteppedV1::new(*id, *decision, *at);
            ("roll_out_stepped", json(&shape))
        }
        E::Realised(der, realised) => {
            let shape = RealisedV1::new(*der, realised.as_deref());
            ("settings_realised", json(&shape))
        }
        E::Applied(der, applied) => ("settings_applied", json(&AppliedV1::new(*der, applied))),
        E::DriftRaised(drift) => ("drift_raised", json(&DriftRaisedV1::from(drift))),
        E::DriftCleared(der, parameter, at) => {
            let shape = DriftClearedV1::new(*der, *parameter, *at);
            ("drift_cleared", json(&shape))
        }
    })
}

fn encode_enrolment(event: &EnrolmentEvent) -> Result<(&'static str, String), Unstorable> {
    use EnrolmentEvent as E;
    Ok(match event {
        E::OwnerPut(owner) => ("owner_put", json(&OwnerV1::from(owner))),
        E::OwnerErased(id, at) => ("owner_erased", json(&OwnerErasedV1::new(*id, *at))),
        E::SitePut(site) => ("site_put", json(&SiteV1::from(site))),
        E::ServicePointPut(point) => ("service_point_put", json(&ServicePointV1::from(point))),
        E::ProgramPut(program) => {
            let shape = DemandResponseProgramV1::try_from(program)?;
            ("demand_response_program_put", json(&shape))
        }
        E::ContractPut(contract) => ("contract_put", json(&ContractV1::from(contract))),
        E::Placed(der, point) => ("der_placed", json(&PlacedV1::new(*der, *point))),
        E::InterconnectionPut(der, record) => {
            let shape = InterconnectionV1::new(*der, record);
            ("interconnection_put", json(&shape))
        }
        E::FlexibilityPut(der, flexibility) => {
            let shape = FlexibilityV1::new(*der, flexibility)?;
            ("flexibility_put", json(&shape))
        }
        E::Bound(der, binding) => ("der_bound", json(&BoundV1::new(*der, binding))),
    })
}

/// The event that a record of this kind and version holds.
pub fn decode(kind: &str, version: u32, payload: &str) -> Result<Event, RecordError> {
    match (kind, version) {
        ("fleet_founded", 1) => Ok(Event::FleetFounded(
            parse::<FleetFoundedV1>(payload)?.into(),
        )),
        ("program_created", 1) => parse::<ProgramV1<'_>>(payload)?
            .read()
            .map(Event::ProgramCreated),
        ("program_changed", 1) => parse::<ProgramV1<'_>>(payload)?
            .read()
            .map(Event::ProgramChanged),
        ("der_enrolled", 1) => parse::<DerV1<'_>>(payload)?.read().map(Event::DerEnrolled),
        ("der_registered", 1) => Ok(parse::<DerRegisteredV1>(payload)?.into()),
        ("capability_reported", 1) => Ok(parse::<CapabilityReportedV1>(payload)?.into()),
        ("settings_reported", 1) => Ok(parse::<SettingsReportedV1>(payload)?.into()),
        ("group_created", 1) => parse::<GroupV1<'_>>(payload)?
            .read()
            .map(Event::GroupCreated),
        ("group_changed", 1) => parse::<GroupV1<'_>>(payload)?
            .read()
            .map(Event::GroupChanged),
        ("group_deleted", 1) => Ok(parse::<GroupDeletedV1>(payload)?.into()),
        ("dispatch_created", 1) => parse::<DispatchV1<'_>>(payload)?
            .read()
            .map(Event::DispatchCreated),
        ("plan_adopted", 1) => parse::<PlanV1>(payload)?.read().map(Event::PlanAdopted),
        ("dispatch_created", 2) => parse::<DispatchV2<'_>>(payload)?
            .read()
            .map(Event::DispatchCreated),
        ("dispatch_cancelled", 1) => {
            let (id, at) = parse::<DispatchAtV1>(payload)?.read();
            Ok(Event::DispatchCancelled(id, at))
        }
        ("control_issued", 1) => parse::<ControlV1<'_>>(payload)?
            .read()
            .map(Event::ControlIssued),
        ("control_cancelled", 1) => Ok(parse::<ControlCancelledV1>(payload)?.into()),
        _ => decode_place(kind, version, payload),
    }
}

fn decode_place(kind: &str, version: u32, payload: &str) -> Result<Event, RecordError> {
    match (kind, version) {
        ("aggregator_enrolled", 1) => parse::<AggregatorV1<'_>>(payload)?
            .read()
            .map(Event::AggregatorEnrolled),
        ("aggregator_changed", 1) => parse::<AggregatorV1<'_>>(payload)?
            .read()
            .map(Event::AggregatorChanged),
        ("der_changed", 1) => parse::<DerV1<'_>>(payload)?.read().map(Event::DerChanged),
        ("assignment_created", 1) => parse::<AssignmentV1<'_>>(payload)?
            .read()
            .map(Event::AssignmentCreated),
        ("assignment_changed", 1) => parse::<AssignmentV1<'_>>(payload)?
            .read()
            .map(Event::AssignmentChanged),
        ("curve_created", 1) => parse::<CurveV1<'_>>(payload)?
            .read()
            .map(Event::CurveCreated),
        ("curve_removed", 1) => Ok(parse::<CurveRemovedV1>(payload)?.into()),
        ("envelope_set", 1) => parse::<EnvelopeV1<'_>>(payload)?
            .read()
            .map(Event::EnvelopeSet),
        ("envelope_cleared", 1) => parse::<EnvelopeClearedV1<'_>>(payload)?.read(),
        ("dispatch_changed", 1) => parse::<DispatchV2<'_>>(payload)?
            .read()
            .map(|dispatch| Event::DispatchChanged(Box::new(dispatch))),
        ("dispatch_approved", 1) => parse::<DispatchApprovedV1<'_>>(payload)?.read(),
        ("dispatch_published", 1) => {
            let (id, at) = parse::<DispatchAtV1>(payload)?.read();
            Ok(Event::DispatchPublished(id, at))
        }
        ("approval_rules_set", 1) => Ok(parse::<ApprovalRulesV1>(payload)?.into()),
        ("owner_put", 1) => enrolment(parse::<OwnerV1<'_>>(payload)?.read()),
        ("owner_erased", 1) => enrolment(Ok(parse::<OwnerErasedV1>(payload)?.read())),
        ("site_put", 1) => enrolment(parse::<SiteV1<'_>>(payload)?.read()),
        ("service_point_put", 1) => enrolment(parse::<ServicePointV1<'_>>(payload)?.read()),
        ("demand_response_program_put", 1) => {
            enrolment(parse::<DemandResponseProgramV1<'_>>(payload)?.read())
        }
        ("contract_put", 1) => enrolment(parse::<ContractV1<'_>>(payload)?.read()),
        ("der_placed", 1) => enrolment(Ok(parse::<PlacedV1>(payload)?.read())),
        ("interconnection_put", 1) => enrolment(parse::<InterconnectionV1>(payload)?.read()),
        ("flexibility_put", 1) => enrolment(Ok(parse::<FlexibilityV1>(payload)?.read())),
        ("der_bound", 1) => enrolment(parse::<BoundV1<'_>>(payload)?.read()),
        _ => decode_book(kind, version, payload),
    }
}

fn decode_book(kind: &str, version: u32, payload: &str) -> Result<Event, RecordError> {
    if let Some(event) = alarm::decode(kind, version, payload) {
        return event.map(Event::Alarm);
    }
    if let Some(event) = strategy::decode(kind, version, payload) {
        return event.map(Event::Strategy);
    }
    match microgrid::decode(kind, version, payload) {
        Some(event) => event.map(Event::Microgrid),
        None => decode_settings(kind, version, payload).map(Event::Settings),
    }
}

fn enrolment(read: Result<EnrolmentEvent, RecordError>) -> Result<Event, RecordError> {
    read.map(Event::Enrolment)
}

fn decode_settings(kind: &str, version: u32, payload: &str) -> Result<SettingsEvent, RecordError> {
    match (kind, version) {
        ("settings_profile_created", 1) => parse::<ProfileV1<'_>>(payload)?.read(),
        ("settings_required", 1) => parse::<RequirementV1<'_>>(payload)?.read(),
        ("der_category_set", 1) => Ok(parse::<CategorySetV1>(payload)?.read()),
        ("roll_out_begun", 1) => parse::<RollOutV1<'_>>(payload)?.read(),
        ("roll_out_stepped", 1) => Ok(parse::<RollOutSteppedV1>(payload)?.read()),
        ("settings_realised", 1) => parse::<RealisedV1>(payload)?.read(),
        ("settings_applied", 1) => parse::<AppliedV1<'_>>(payload)?.read(),
        ("drift_raised", 1) => parse::<DriftRaisedV1<'_>>(payload)?.read(),
        ("drift_cleared", 1) => parse::<DriftClearedV1<'_>>(payload)?.read(),
        _ => Err(RecordError::Unknown {
            kind: kind.to_owned(),
            version,
        }),
    }
}

fn json(shape: &impl Serialize) -> String {
    serde_json::to_string(shape).expect("record shapes have text keys and finite numbers only")
}

/// Reads `payload`, and once more with the path kept when that fails: keeping it costs time that
/// a million sound records need not spend.
fn parse<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, RecordError> {
    if let Ok(shape) = serde_json::from_str(payload) {
        return Ok(shape);
    }
    let mut deserializer = serde_json::Deserializer::from_str(payload);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| RecordError::malformed(&error.path().to_string(), error.inner()))
        .and_then(|shape| match deserializer.end() {
            Ok(()) => Ok(shape),
            Err(error) => Err(RecordError::malformed(".", &error)),
        })
}
