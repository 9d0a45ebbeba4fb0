//! The fleet's identity and its programmes.

use std::borrow::Cow;

use fleet::{
    AssignmentId, ControlBase, DefaultControl, DerId, EnterService, Identity, Program, ProgramId,
    Role, Scope,
};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::RecordError;
use super::field::{ControlBaseV1, text};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetFoundedV1 {
    seed: u64,
    pen: u32,
}

impl From<Identity> for FleetFoundedV1 {
    fn from(identity: Identity) -> Self {
        Self {
            seed: identity.seed,
            pen: identity.pen,
        }
    }
}

impl From<FleetFoundedV1> for Identity {
    fn from(founded: FleetFoundedV1) -> Self {
        Self {
            seed: founded.seed,
            pen: founded.pen,
        }
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ScopeV1 {
    Device(u32),
    Assignment(u32),
    All,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    primacy: u8,
    scope: ScopeV1,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<RoleV1>,
    default: ControlBaseV1,
    #[serde(default, skip_serializing_if = "is_default")]
    default_rates: DefaultRatesV1,
    #[serde(default, skip_serializing_if = "is_default")]
    default_set_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_ms: Option<i64>,
}

/// What a programme is for. Where it is not said, as in all records from before it was, the name
/// that the programme was given tells.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum RoleV1 {
    General,
    Envelope,
}

fn role_by_name(name: &str, scope: Scope) -> Role {
    match scope {
        Scope::Device(_) if name == Program::ENVELOPE => Role::Envelope,
        _ => Role::General,
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Ramp rates and enter-service settings of a default control, in the units of the wire.
#[derive(Serialize, Deserialize, Default, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct DefaultRatesV1 {
    #[serde(skip_serializing_if = "Option::is_none")]
    grad_w: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_grad_w: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    es_delay: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    es_high_freq: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    es_high_volt: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    es_low_freq: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    es_low_volt: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    es_ramp_tms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    es_random_delay: Option<u32>,
}

impl From<&DefaultControl> for DefaultRatesV1 {
    fn from(default: &DefaultControl) -> Self {
        let enter = default.enter_service;
        Self {
            grad_w: default.grad_w,
            soft_grad_w: default.soft_grad_w,
            es_delay: enter.delay_cs,
            es_high_freq: enter.high_freq_chz,
            es_high_volt: enter.high_volt_cpct,
            es_low_freq: enter.low_freq_chz,
            es_low_volt: enter.low_volt_cpct,
            es_ramp_tms: enter.ramp_tms_cs,
            es_random_delay: enter.random_delay_cs,
        }
    }
}

impl DefaultRatesV1 {
    fn read(self, base: ControlBase, set: Timestamp) -> DefaultControl {
        DefaultControl {
            base,
            grad_w: self.grad_w,
            soft_grad_w: self.soft_grad_w,
            enter_service: EnterService {
                delay_cs: self.es_delay,
                high_freq_chz: self.es_high_freq,
                high_volt_cpct: self.es_high_volt,
                low_freq_chz: self.es_low_freq,
                low_volt_cpct: self.es_low_volt,
                ramp_tms_cs: self.es_ramp_tms,
                random_delay_cs: self.es_random_delay,
            },
            set,
        }
    }
}

impl<'a> From<&'a Program> for ProgramV1<'a> {
    fn from(program: &'a Program) -> Self {
        Self {
            id: program.id.0,
            mrid: program.mrid.to_string().into(),
            name: program.name.as_str().into(),
            primacy: program.primacy,
            scope: match program.scope {
                Scope::Device(der) => ScopeV1::Device(der.0),
                Scope::Assignment(node) => ScopeV1::Assignment(node.0),
                Scope::All => ScopeV1::All,
            },
            role: match program.role {
                role if role == role_by_name(program.name.as_str(), program.scope) => None,
                Role::General => Some(RoleV1::General),
                Role::Envelope => Some(RoleV1::Envelope),
            },
            default: (&program.default.base).into(),
            default_rates: (&program.default).into(),
            default_set_ms: program.default.set.millis(),
            removed_ms: program.removed.map(Timestamp::millis),
        }
    }
}

impl ProgramV1<'_> {
    pub(super) fn read(self) -> Result<Program, RecordError> {
        let scope = match self.scope {
            ScopeV1::Device(der) => Scope::Device(DerId(der)),
            ScopeV1::Assignment(node) => Scope::Assignment(AssignmentId(node)),
            ScopeV1::All => Scope::All,
        };
        Ok(Program {
            id: ProgramId(self.id),
            mrid: text("mrid", &self.mrid)?,
            name: text("name", &self.name)?,
            primacy: self.primacy,
            scope,
            role: match self.role {
                Some(RoleV1::General) => Role::General,
                Some(RoleV1::Envelope) => Role::Envelope,
                None => role_by_name(&self.name, scope),
            },
            default: self.default_rates.read(
                self.default.read()?,
                Timestamp::from_millis(self.default_set_ms),
            ),
            removed: self.removed_ms.map(Timestamp::from_millis),
        })
    }
}

/// Enter-service settings that a device reports, in the units of the wire, in the order delay, high
/// frequency, high voltage, low frequency, low voltage, ramp time, random delay.
#[derive(Serialize, Deserialize, Default, PartialEq)]
pub(super) struct EnterServiceV1(
    Option<u32>,
    Option<u16>,
    Option<i16>,
    Option<u16>,
    Option<i16>,
    Option<u32>,
    Option<u32>,
);

impl EnterServiceV1 {
    pub(super) fn is_empty(&self) -> bool {
        is_default(self)
    }
}

impl From<EnterService> for EnterServiceV1 {
    fn from(enter: EnterService) -> Self {
        Self(
            enter.delay_cs,
            enter.high_freq_chz,
            enter.high_volt_cpct,
            enter.low_freq_chz,
            enter.low_volt_cpct,
            enter.ramp_tms_cs,
            enter.random_delay_cs,
        )
    }
}

impl From<EnterServiceV1> for EnterService {
    fn from(enter: EnterServiceV1) -> Self {
        Self {
            delay_cs: enter.0,
            high_freq_chz: enter.1,
            high_volt_cpct: enter.2,
            low_freq_chz: enter.3,
            low_volt_cpct: enter.4,
            ramp_tms_cs: enter.5,
            random_delay_cs: enter.6,
        }
    }
}

/// A default control outside of a programme.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct DefaultControlV1 {
    base: ControlBaseV1,
    #[serde(default, skip_serializing_if = "is_default")]
    rates: DefaultRatesV1,
}

impl From<&DefaultControl> for DefaultControlV1 {
    fn from(default: &DefaultControl) -> Self {
        Self {
            base: (&default.base).into(),
            rates: default.into(),
        }
    }
}

impl DefaultControlV1 {
    pub(super) fn read(self) -> Result<DefaultControl, RecordError> {
        Ok(self.rates.read(self.base.read()?, Timestamp::default()))
    }
}
