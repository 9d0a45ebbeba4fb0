//! What a control or a default control asks, as the API writes it: one field for each element of
//! the `DERControlBase` of IEEE 2030.5.

use fleet::{
    ControlBase, FixedVar, Fleet, FreqDroop, PowerFactor, Scaled, Setting, Share, VarReference,
};
use serde::{Deserialize, Serialize};
use units::{Percent, Watts};
use utoipa::ToSchema;

use crate::api::curve;
use crate::api::problem::Problem;

/// Largest power or reactive power of a setting, in W or var: what 16 bits and the largest
/// multiplier of the wire hold, cut to what the fixed point of the fleet holds.
pub const MAX_POWER: f64 = 9.0e12;

/// A field, what is given for it in W, and what it sets.
type PowerField = (&'static str, Option<f64>, fn(Scaled) -> Setting);

/// What is asked; a field that is absent is not touched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Base {
    /// `opModConnect`: connect (true) or disconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<bool>,
    /// `opModEnergize`: energise (true) or de-energise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energize: Option<bool>,
    /// `opModFixedPFAbsorbW`: power factor while absorbing active power.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_pf_absorb: Option<FixedPf>,
    /// `opModFixedPFInjectW`: power factor while injecting active power.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_pf_inject: Option<FixedPf>,
    /// `opModFixedVar`: reactive power as a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_var: Option<FixedVarShare>,
    /// `opModFixedW`: active power in percent of the device's maximum, injection positive,
    /// -100 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_w_pct: Option<f64>,
    /// `opModMaxLimW`: most injection in percent of the device's maximum, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lim_w_pct: Option<f64>,
    /// `opModTargetW`: active power in W, injection positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_w: Option<f64>,
    /// `opModTargetVar`: reactive power in var, injection positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_var: Option<f64>,
    /// `opModFreqDroop`: frequency droop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freq_droop: Option<Droop>,
    /// CSIP-AUS `opModImpLimW`: most import of the site, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imp_lim_w: Option<f64>,
    /// CSIP-AUS `opModExpLimW`: most export of the site, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp_lim_w: Option<f64>,
    /// CSIP-AUS `opModGenLimW`: most generation, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gen_lim_w: Option<f64>,
    /// CSIP-AUS `opModLoadLimW`: most load, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_lim_w: Option<f64>,
    /// CSIP-AUS 1.3 `opModStorageTargetW`: active power of the storage in W, injection positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_target_w: Option<f64>,
    /// mRIDs of curves of the same programme, at most one of a kind (`opModVoltVar` and so on).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<String>,
    /// `rampTms`: time to ramp into and out of the control, in s, 0 to 655.35.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_s: Option<f64>,
}

/// A fixed power factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedPf {
    /// Power factor, more than 0 to 1.
    pub displacement: f64,
    /// Whether reactive power is injected (over-excited) rather than absorbed.
    pub injects_vars: bool,
}

/// Reactive power as a share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedVarShare {
    /// Share in percent, injection positive, -100 to 100.
    pub pct: f64,
    /// What it is a share of.
    pub of: VarOf,
}

/// What a share of reactive power is of (`DERUnitRefType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VarOf {
    /// The device's maximum active power.
    SetMaxW,
    /// The device's maximum reactive power.
    SetMaxVar,
    /// The reactive power that the device has available.
    StatVarAvail,
}

/// Frequency droop (IEEE 1547-2018, 6.5.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Droop {
    /// Over-frequency dead band in Hz.
    pub db_of_hz: f64,
    /// Under-frequency dead band in Hz.
    pub db_uf_hz: f64,
    /// Over-frequency droop per unit.
    pub k_of_pu: f64,
    /// Under-frequency droop per unit.
    pub k_uf_pu: f64,
    /// Open-loop response time in s.
    pub open_loop_s: f64,
}

impl Base {
    /// As the domain has it; values are the nearest at or below the magnitude given that the wire
    /// can hold.
    pub(super) fn read(&self, fleet: &Fleet) -> Result<ControlBase, Problem> {
        let mut base = ControlBase::default();
        let switches = [
            self.connect.map(Setting::Connect),
            self.energize.map(Setting::Energize),
        ];
        for setting in switches.into_iter().flatten() {
            base.set(setting);
        }
        self.read_power(&mut base)?;
        self.read_reactive(&mut base)?;
        if let Some(droop) = &self.freq_droop {
            base.set(Setting::FreqDroop(
                droop.read().map_err(|p| p.under("freq_droop"))?,
            ));
        }
        for (index, mrid) in self.curves.iter().enumerate() {
            let field = format!("curves[{index}]");
            let curve = curve::find(fleet, mrid)
                .map_err(|_| Problem::field(&field, "is no curve's mRID"))?;
            let setting = Setting::Curve(curve.shape.kind, curve.id);
            if base.settings().iter().any(|s| s.kind() == setting.kind()) {
                return Err(Problem::field(field, "is the second curve of its kind"));
            }
            base.set(setting);
        }
        if let Some(ramp_s) = self.ramp_s {
            let hundredths = scaled("ramp_s", ramp_s, 100.0, u16::MAX.into())?;
            base.set(Setting::RampTms(hundredths));
        }
        Ok(base)
    }

    fn read_power(&self, base: &mut ControlBase) -> Result<(), Problem> {
        if let Some(pct) = self.fixed_w_pct {
            let percent = percent("fixed_w_pct", pct, -100.0)?;
            base.set(Setting::FixedW(Share { percent, of: None }));
        }
        if let Some(pct) = self.max_lim_w_pct {
            let percent = percent("max_lim_w_pct", pct, 0.0)?;
            base.set(Setting::MaxLimW(Share { percent, of: None }));
        }
        let signed: [PowerField; 2] = [
            ("target_w", self.target_w, Setting::TargetW),
            (
                "storage_target_w",
                self.storage_target_w,
                Setting::StorageTargetW,
            ),
        ];
        for (field, given, setting) in signed {
            if let Some(given) = given {
                base.set(setting(power(field, given, -MAX_POWER)?));
            }
        }
        let limits: [PowerField; 4] = [
            ("imp_lim_w", self.imp_lim_w, Setting::ImpLimW),
            ("exp_lim_w", self.exp_lim_w, Setting::ExpLimW),
            ("gen_lim_w", self.gen_lim_w, Setting::GenLimW),
            ("load_lim_w", self.load_lim_w, Setting::LoadLimW),
        ];
        for (field, given, setting) in limits {
            if let Some(given) = given {
                base.set(setting(power(field, given, 0.0)?));
            }
        }
        Ok(())
    }

    fn read_reactive(&self, base: &mut ControlBase) -> Result<(), Problem> {
        if let Some(pf) = &self.fixed_pf_absorb {
            let pf = pf.read().map_err(|p| p.under("fixed_pf_absorb"))?;
            base.set(Setting::FixedPfAbsorbW(pf));
        }
        if let Some(pf) = &self.fixed_pf_inject {
            let pf = pf.read().map_err(|p| p.under("fixed_pf_inject"))?;
            base.set(Setting::FixedPfInjectW(pf));
        }
        if let Some(share) = &self.fixed_var {
            let percent = percent("fixed_var.pct", share.pct, -100.0)?;
            let reference = share.of.into();
            base.set(Setting::FixedVar(FixedVar {
                reference,
                percent,
                of: None,
            }));
        }
        if let Some(var) = self.target_var {
            base.set(Setting::TargetVar(power("target_var", var, -MAX_POWER)?));
        }
        Ok(())
    }

    /// As the API shows it.
    pub(super) fn of(fleet: &Fleet, asked: &ControlBase) -> Self {
        let mut base = Self::default();
        for setting in asked.settings() {
            base.show(fleet, setting);
        }
        base
    }

    fn show(&mut self, fleet: &Fleet, setting: &Setting) {
        let w = |value: Scaled| Some(value.w().as_f64());
        match *setting {
            Setting::Connect(connect) => self.connect = Some(connect),
            Setting::Energize(energize) => self.energize = Some(energize),
            Setting::FixedPfAbsorbW(pf) => self.fixed_pf_absorb = Some(pf.into()),
            Setting::FixedPfInjectW(pf) => self.fixed_pf_inject = Some(pf.into()),
            Setting::FixedVar(fixed) => {
                self.fixed_var = Some(FixedVarShare {
                    pct: fixed.percent.as_f64(),
                    of: fixed.reference.into(),
                });
            }
            Setting::FixedW(share) => self.fixed_w_pct = Some(share.percent.as_f64()),
            Setting::MaxLimW(share) => self.max_lim_w_pct = Some(share.percent.as_f64()),
            Setting::FreqDroop(droop) => self.freq_droop = Some(droop.into()),
            Setting::Curve(_, id) => self
                .curves
                .extend(fleet.curve(id).map(|c| c.mrid.to_string())),
            Setting::TargetVar(value) => self.target_var = w(value),
            Setting::TargetW(value) => self.target_w = w(value),
            Setting::ImpLimW(value) => self.imp_lim_w = w(value),
            Setting::ExpLimW(value) => self.exp_lim_w = w(value),
            Setting::GenLimW(value) => self.gen_lim_w = w(value),
            Setting::LoadLimW(value) => self.load_lim_w = w(value),
            Setting::StorageTargetW(value) => self.storage_target_w = w(value),
            Setting::RampTms(hundredths) => self.ramp_s = Some(f64::from(hundredths) / 100.0),
        }
    }
}

impl FixedPf {
    /// In thousandths.
    fn read(&self) -> Result<PowerFactor, Problem> {
        let displacement: u16 = scaled("displacement", self.displacement, 1_000.0, 1_000)?;
        if displacement == 0 {
            return Err(Problem::field("displacement", "must be more than 0"));
        }
        Ok(PowerFactor {
            displacement,
            injects_vars: self.injects_vars,
            multiplier: -3,
        })
    }
}

impl From<PowerFactor> for FixedPf {
    fn from(pf: PowerFactor) -> Self {
        Self {
            displacement: f64::from(pf.displacement) / 10_f64.powi(-i32::from(pf.multiplier)),
            injects_vars: pf.injects_vars,
        }
    }
}

impl Droop {
    /// In thousandths; the response time in hundredths.
    fn read(&self) -> Result<FreqDroop, Problem> {
        Ok(FreqDroop {
            db_of_mhz: scaled("db_of_hz", self.db_of_hz, 1_000.0, u32::MAX)?,
            db_uf_mhz: scaled("db_uf_hz", self.db_uf_hz, 1_000.0, u32::MAX)?,
            k_of: scaled("k_of_pu", self.k_of_pu, 1_000.0, u16::MAX.into())?,
            k_uf: scaled("k_uf_pu", self.k_uf_pu, 1_000.0, u16::MAX.into())?,
            open_loop_tms: scaled("open_loop_s", self.open_loop_s, 100.0, u16::MAX.into())?,
        })
    }
}

impl From<FreqDroop> for Droop {
    fn from(droop: FreqDroop) -> Self {
        Self {
            db_of_hz: f64::from(droop.db_of_mhz) / 1_000.0,
            db_uf_hz: f64::from(droop.db_uf_mhz) / 1_000.0,
            k_of_pu: f64::from(droop.k_of) / 1_000.0,
            k_uf_pu: f64::from(droop.k_uf) / 1_000.0,
            open_loop_s: f64::from(droop.open_loop_tms) / 100.0,
        }
    }
}

impl From<VarOf> for VarReference {
    fn from(of: VarOf) -> Self {
        match of {
            VarOf::SetMaxW => Self::SetMaxW,
            VarOf::SetMaxVar => Self::SetMaxVar,
            VarOf::StatVarAvail => Self::StatVarAvail,
        }
    }
}

impl From<VarReference> for VarOf {
    fn from(of: VarReference) -> Self {
        match of {
            VarReference::SetMaxW => Self::SetMaxW,
            VarReference::SetMaxVar => Self::SetMaxVar,
            VarReference::StatVarAvail => Self::StatVarAvail,
        }
    }
}

/// `given` × `per`, rounded, from 0 to `most`.
pub(super) fn scaled<T: TryFrom<u32>>(
    field: &str,
    given: f64,
    per: f64,
    most: u32,
) -> Result<T, Problem> {
    let counted = (given * per).round();
    let refuse = || Problem::field(field, format!("must be 0 to {}", f64::from(most) / per));
    if !(0.0..=f64::from(most)).contains(&counted) {
        return Err(refuse());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a whole number from 0 to at most 2³² - 1"
    )]
    T::try_from(counted as u32).map_err(|_| refuse())
}

/// A share in percent from `least` to 100, to the hundredth.
pub(super) fn percent(field: &str, given: f64, least: f64) -> Result<Percent, Problem> {
    if !(least..=100.0).contains(&given) {
        return Err(Problem::field(field, format!("must be {least} to 100")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be at most 100 %"
    )]
    let hundredths = (given * 100.0).round() as i32;
    Ok(Percent::from_hundredths(hundredths))
}

fn power(field: &str, given: f64, least: f64) -> Result<Scaled, Problem> {
    if !(least..=MAX_POWER).contains(&given) {
        return Err(Problem::field(
            field,
            format!("must be {least} to {MAX_POWER}"),
        ));
    }
    Ok(Scaled::from_w(Watts::from_f64(given)))
}
