//! Nameplate and settings.

use fleet::{Capability, DerId, Event, Modes, Settings};
use serde::{Deserialize, Serialize};
use units::{Percent, Timestamp, Vars, VoltAmperes, WattHours, Watts};

use super::program::EnterServiceV1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapabilityV1 {
    p_inject_max_uw: i64,
    p_absorb_max_uw: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    s_max_uva: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q_inject_max_uvar: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q_absorb_max_uvar: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_max_uwh: Option<i64>,
    modes: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    doe_modes: u8,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_zero(bits: &u8) -> bool {
    *bits == 0
}

impl From<&Capability> for CapabilityV1 {
    fn from(capability: &Capability) -> Self {
        Self {
            p_inject_max_uw: capability.p_inject_max.micro(),
            p_absorb_max_uw: capability.p_absorb_max.micro(),
            s_max_uva: capability.s_max.map(VoltAmperes::micro),
            q_inject_max_uvar: capability.q_inject_max.map(Vars::micro),
            q_absorb_max_uvar: capability.q_absorb_max.map(Vars::micro),
            energy_max_uwh: capability.energy_max.map(WattHours::micro),
            modes: capability.modes.0,
            doe_modes: capability.doe_modes,
        }
    }
}

impl From<CapabilityV1> for Capability {
    fn from(capability: CapabilityV1) -> Self {
        Self {
            p_inject_max: Watts::from_micro(capability.p_inject_max_uw),
            p_absorb_max: Watts::from_micro(capability.p_absorb_max_uw),
            s_max: capability.s_max_uva.map(VoltAmperes::from_micro),
            q_inject_max: capability.q_inject_max_uvar.map(Vars::from_micro),
            q_absorb_max: capability.q_absorb_max_uvar.map(Vars::from_micro),
            energy_max: capability.energy_max_uwh.map(WattHours::from_micro),
            modes: Modes(capability.modes),
            doe_modes: capability.doe_modes,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsV1 {
    p_inject_max_uw: i64,
    p_absorb_max_uw: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_max_uw: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s_max_uva: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_max_uwh: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q_inject_max_uvar: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q_absorb_max_uvar: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ramp_pct_hundredths_per_s: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    soft_ramp_pct_hundredths_per_s: Option<i32>,
    #[serde(default, skip_serializing_if = "EnterServiceV1::is_empty")]
    enter_service: EnterServiceV1,
    modes: u32,
    updated_ms: i64,
}

impl From<&Settings> for SettingsV1 {
    fn from(settings: &Settings) -> Self {
        Self {
            p_inject_max_uw: settings.p_inject_max.micro(),
            p_absorb_max_uw: settings.p_absorb_max.micro(),
            p_max_uw: settings.p_max.map(Watts::micro),
            s_max_uva: settings.s_max.map(VoltAmperes::micro),
            energy_max_uwh: settings.energy_max.map(WattHours::micro),
            q_inject_max_uvar: settings.q_inject_max.map(Vars::micro),
            q_absorb_max_uvar: settings.q_absorb_max.map(Vars::micro),
            ramp_pct_hundredths_per_s: settings.ramp_per_second.map(Percent::hundredths),
            soft_ramp_pct_hundredths_per_s: settings.soft_ramp_per_second.map(Percent::hundredths),
            enter_service: settings.enter_service.into(),
            modes: settings.modes.0,
            updated_ms: settings.updated.millis(),
        }
    }
}

impl From<SettingsV1> for Settings {
    fn from(settings: SettingsV1) -> Self {
        Self {
            p_inject_max: Watts::from_micro(settings.p_inject_max_uw),
            p_absorb_max: Watts::from_micro(settings.p_absorb_max_uw),
            p_max: settings.p_max_uw.map(Watts::from_micro),
            s_max: settings.s_max_uva.map(VoltAmperes::from_micro),
            energy_max: settings.energy_max_uwh.map(WattHours::from_micro),
            ramp_per_second: settings
                .ramp_pct_hundredths_per_s
                .map(Percent::from_hundredths),
            q_inject_max: settings.q_inject_max_uvar.map(Vars::from_micro),
            q_absorb_max: settings.q_absorb_max_uvar.map(Vars::from_micro),
            soft_ramp_per_second: settings
                .soft_ramp_pct_hundredths_per_s
                .map(Percent::from_hundredths),
            enter_service: settings.enter_service.into(),
            modes: Modes(settings.modes),
            updated: Timestamp::from_millis(settings.updated_ms),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapabilityReportedV1 {
    der: u32,
    capability: CapabilityV1,
}

impl CapabilityReportedV1 {
    pub(super) fn new(der: DerId, capability: &Capability) -> Self {
        Self {
            der: der.0,
            capability: capability.into(),
        }
    }
}

impl From<CapabilityReportedV1> for Event {
    fn from(reported: CapabilityReportedV1) -> Self {
        Self::CapabilityReported(DerId(reported.der), reported.capability.into())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsReportedV1 {
    der: u32,
    settings: SettingsV1,
}

impl SettingsReportedV1 {
    pub(super) fn new(der: DerId, settings: &Settings) -> Self {
        Self {
            der: der.0,
            settings: settings.into(),
        }
    }
}

impl From<SettingsReportedV1> for Event {
    fn from(reported: SettingsReportedV1) -> Self {
        Self::SettingsReported(DerId(reported.der), reported.settings.into())
    }
}
