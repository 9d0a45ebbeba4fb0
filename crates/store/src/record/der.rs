//! Enrolment.

use std::borrow::Cow;

use fleet::{
    Access, AggregatorId, AssignmentId, Der, DerId, DerKind, Event, Pin, ProgramId, Registration,
};
use serde::{Deserialize, Serialize};
use units::{Percent, Timestamp};

use super::RecordError;
use super::capability::{CapabilityV1, SettingsV1};
use super::field::text;

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum DerKindV1 {
    Pv,
    Storage,
    EvCharger,
    Load,
    Generator,
}

impl From<DerKind> for DerKindV1 {
    fn from(kind: DerKind) -> Self {
        match kind {
            DerKind::Pv => Self::Pv,
            DerKind::Storage => Self::Storage,
            DerKind::EvCharger => Self::EvCharger,
            DerKind::Load => Self::Load,
            DerKind::Generator => Self::Generator,
        }
    }
}

impl From<DerKindV1> for DerKind {
    fn from(kind: DerKindV1) -> Self {
        match kind {
            DerKindV1::Pv => Self::Pv,
            DerKindV1::Storage => Self::Storage,
            DerKindV1::EvCharger => Self::EvCharger,
            DerKindV1::Load => Self::Load,
            DerKindV1::Generator => Self::Generator,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DerV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    kind: DerKindV1,
    #[serde(borrow)]
    lfdi: Cow<'a, str>,
    pin: u32,
    enrolled_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capability: Option<CapabilityV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<SettingsV1>,
    #[serde(default, skip_serializing_if = "is_zero")]
    reserve_hundredths: i32,
    program: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    assignments: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_ms: Option<i64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_zero(hundredths: &i32) -> bool {
    *hundredths == 0
}

pub(super) fn revoked(access: Access) -> Option<i64> {
    match access {
        Access::Granted => None,
        Access::Revoked(at) => Some(at.millis()),
    }
}

pub(super) fn access(revoked_ms: Option<i64>) -> Access {
    revoked_ms.map_or(Access::Granted, |at| {
        Access::Revoked(Timestamp::from_millis(at))
    })
}

impl<'a> From<&'a Der> for DerV1<'a> {
    fn from(der: &'a Der) -> Self {
        Self {
            id: der.id.0,
            mrid: der.mrid.as_str().into(),
            name: der.name.as_str().into(),
            kind: der.kind.into(),
            lfdi: der.lfdi.to_string().into(),
            pin: der.pin.digits(),
            enrolled_ms: der.enrolled.millis(),
            registered_ms: match der.registration {
                Registration::Authorised => None,
                Registration::Registered(at) => Some(at.millis()),
            },
            capability: der.capability.as_ref().map(Into::into),
            settings: der.settings.as_ref().map(Into::into),
            reserve_hundredths: der.reserve.hundredths(),
            program: der.program.0,
            manager: der.manager.map(|manager| manager.0),
            revoked_ms: revoked(der.access),
            assignments: der.assignments.iter().map(|node| node.0).collect(),
            changed_ms: Some(der.changed.millis()).filter(|at| *at != der.enrolled.millis()),
            removed_ms: der.removed.map(Timestamp::millis),
        }
    }
}

impl DerV1<'_> {
    pub(super) fn read(self) -> Result<Der, RecordError> {
        Ok(Der {
            id: DerId(self.id),
            mrid: text("mrid", &self.mrid)?,
            name: text("name", &self.name)?,
            kind: self.kind.into(),
            lfdi: text("lfdi", &self.lfdi)?,
            pin: Pin::new(self.pin).map_err(|reason| RecordError::malformed("pin", &reason))?,
            enrolled: Timestamp::from_millis(self.enrolled_ms),
            registration: self.registered_ms.map_or(Registration::Authorised, |at| {
                Registration::Registered(Timestamp::from_millis(at))
            }),
            capability: self.capability.map(Into::into),
            settings: self.settings.map(Into::into),
            reserve: Percent::from_hundredths(self.reserve_hundredths),
            program: ProgramId(self.program),
            manager: self.manager.map(AggregatorId),
            access: access(self.revoked_ms),
            assignments: self.assignments.into_iter().map(AssignmentId).collect(),
            changed: Timestamp::from_millis(self.changed_ms.unwrap_or(self.enrolled_ms)),
            removed: self.removed_ms.map(Timestamp::from_millis),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DerRegisteredV1 {
    der: u32,
    at_ms: i64,
}

impl DerRegisteredV1 {
    pub(super) fn new(der: DerId, at: Timestamp) -> Self {
        Self {
            der: der.0,
            at_ms: at.millis(),
        }
    }
}

impl From<DerRegisteredV1> for Event {
    fn from(registered: DerRegisteredV1) -> Self {
        Self::DerRegistered(
            DerId(registered.der),
            Timestamp::from_millis(registered.at_ms),
        )
    }
}
