//! What a DER can do (nameplate) and how it is set up, in the terms of IEEE 1547-2018 table 28.

use units::{Percent, Timestamp, Vars, VoltAmperes, WattHours, Watts};

use crate::EnterService;

/// A control mode a DER supports or has enabled.
///
/// Names follow IEEE 2030.5 `DERControlType`, whose bit positions the discriminants keep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Mode {
    /// Can charge.
    Charge = 0,
    /// Can discharge.
    Discharge = 1,
    /// Connect and disconnect.
    Connect = 2,
    /// Energise and de-energise.
    Energize = 3,
    /// Fixed reactive power.
    FixedVar = 6,
    /// Fixed active power, in percent of the maximum.
    FixedW = 7,
    /// Maximum active power limit, in percent of the maximum.
    MaxLimW = 20,
    /// Target reactive power.
    TargetVar = 21,
    /// Target active power, in watts.
    TargetW = 22,
}

/// A set of control modes as the `DERControlType` bitmap; bits without a [`Mode`] are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Modes(pub u32);

impl Modes {
    /// Whether `mode` is in the set.
    #[must_use]
    pub const fn has(self, mode: Mode) -> bool {
        self.0 & (1 << mode as u8) != 0
    }

    /// The set with `mode` added.
    #[must_use]
    pub const fn with(self, mode: Mode) -> Self {
        Self(self.0 | (1 << mode as u8))
    }
}

/// Nameplate: fixed by the manufacturer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capability {
    /// Active power rating at unity power factor, injection (`rtgMaxW`, for storage
    /// `rtgMaxDischargeRateW` where given); not negative.
    pub p_inject_max: Watts,
    /// Active power charge maximum rating (`rtgMaxChargeRateW`), as a magnitude; zero for a DER
    /// that cannot absorb.
    pub p_absorb_max: Watts,
    /// Apparent power maximum rating.
    pub s_max: Option<VoltAmperes>,
    /// Reactive power injected maximum rating, as a magnitude.
    pub q_inject_max: Option<Vars>,
    /// Reactive power absorbed maximum rating, as a magnitude.
    pub q_absorb_max: Option<Vars>,
    /// Energy storage capacity.
    pub energy_max: Option<WattHours>,
    /// Supported control modes.
    pub modes: Modes,
    /// Supported envelope modes of CSIP-AUS (`doeModesSupported`): export, import, generation and
    /// load limit from bit 0; zero for a device that knows none.
    pub doe_modes: u8,
}

/// Settings: what the installation has been set to; never beyond the nameplate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Maximum injection (`setMaxW`, for storage `setMaxDischargeRateW` where given).
    pub p_inject_max: Watts,
    /// Maximum absorption (`setMaxChargeRateW`), as a magnitude.
    pub p_absorb_max: Watts,
    /// Maximum active power (`setMaxW`), of which `opModMaxLimW` is a share; `None` where it is the
    /// maximum injection.
    pub p_max: Option<Watts>,
    /// Maximum apparent power.
    pub s_max: Option<VoltAmperes>,
    /// Most reactive power injected (`setMaxVar`), as a magnitude.
    pub q_inject_max: Option<Vars>,
    /// Most reactive power absorbed (`setMaxVarNeg`), as a magnitude.
    pub q_absorb_max: Option<Vars>,
    /// Usable energy (`setMaxWh`).
    pub energy_max: Option<WattHours>,
    /// Ramp rate (`setGradW`) as a share of the maximum per second; `None` when unlimited.
    pub ramp_per_second: Option<Percent>,
    /// Soft-start ramp rate (`setSoftGradW`), as a share of the maximum per second.
    pub soft_ramp_per_second: Option<Percent>,
    /// When it enters service (`setES…`).
    pub enter_service: EnterService,
    /// Enabled control modes.
    pub modes: Modes,
    /// When the device last changed them, by its own clock.
    pub updated: Timestamp,
}

impl Settings {
    /// Maximum active power (`setMaxW`).
    #[must_use]
    pub fn max_w(&self) -> Watts {
        self.p_max.unwrap_or(self.p_inject_max)
    }

    /// What a signed share of active power (`opModFixedW`) is of, as a magnitude.
    #[must_use]
    pub fn p_max_toward(&self, percent: Percent) -> Watts {
        match percent.hundredths() < 0 {
            true => self.p_absorb_max,
            false => self.p_inject_max,
        }
    }

    /// The steepest change of active power, in watts per second, `None` when unlimited.
    #[must_use]
    pub fn ramp_w_per_s(&self) -> Option<Watts> {
        let whole = self.p_inject_max.max(self.p_absorb_max);
        self.ramp_per_second.map(|share| share.of(whole))
    }
}
