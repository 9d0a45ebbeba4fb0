//! A profile as an IEEE 2030.5 programme holds it: a default control and its curves.
//!
//! IEEE 1547-2018 gives reactive power per unit of the apparent power rating, `DERCurve` and
//! `opModFixedVar` in percent of the device's `setMaxVar`. The shares therefore differ between
//! devices, and are made again when a device changes its settings.
//!
//! Interpretation: IEEE 2030.5 has the x of a volt-var curve multiplied by `vRef`, IEEE 1547-2018
//! table 8 shifts the curve by it. `QV_VREF` is sent as `vRef` and the corners as they stand at a
//! reference of 1 pu; the two readings differ by less than 1 % of the nominal voltage.

use thiserror::Error;
use units::{Percent, Vars, VoltAmperes};

use super::{Decimal, Excitation, Parameter as P, Value, Values};
use crate::{
    CurvePoint, CurveShape, CurveType, DefaultControl, Der, FixedVar, FreqDroop, PowerFactor,
    Setting, Share, VarReference,
};

/// Hundredths of a percent, of a second and of a hertz, as powers of ten.
const HUNDREDTHS: i8 = -2;
/// `DERUnitRefType`: percent of `setMaxW`, of `setMaxVar`, and of the effective voltage.
const SET_MAX_W: u8 = 1;
const SET_MAX_VAR: u8 = 2;
const EFFECTIVE_V: u8 = 4;

/// What the shares of a device are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Basis {
    /// Apparent power maximum.
    pub s_max: VoltAmperes,
    /// Most reactive power injected, as a magnitude.
    pub q_inject_max: Vars,
    /// Most reactive power absorbed, as a magnitude.
    pub q_absorb_max: Vars,
}

impl Basis {
    /// What the device reports: its settings, or else its nameplate. `None` until it has reported
    /// all three.
    ///
    /// Interpretation: a device with `setMaxVar` and no `setMaxVarNeg` absorbs as much as it
    /// injects (IEEE 2030.5, `DERSettings`).
    #[must_use]
    pub fn of(der: &Der) -> Option<Self> {
        let (settings, nameplate) = (der.settings.as_ref(), der.capability.as_ref());
        let q_inject_max = settings
            .and_then(|s| s.q_inject_max)
            .or_else(|| nameplate.and_then(|n| n.q_inject_max))?;
        let q_absorb_max = settings
            .and_then(|s| s.q_absorb_max.or(s.q_inject_max))
            .or_else(|| nameplate.and_then(|n| n.q_absorb_max.or(n.q_inject_max)))?;
        let s_max = settings
            .and_then(|s| s.s_max)
            .or_else(|| nameplate.and_then(|n| n.s_max))?;
        Some(Self {
            s_max,
            q_inject_max,
            q_absorb_max,
        })
    }
}

/// Why a profile can't be asked of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CompileError {
    /// The device has yet to report what its shares are of.
    #[error("{0} is a share of ratings that the DER has not reported")]
    NoBasis(P),
    /// The device's reactive power does not reach that far.
    #[error("{parameter} asks for {asked:.1}, the DER has {most:.1}")]
    BeyondRating {
        /// Which parameter.
        parameter: P,
        /// What it asks for, as a magnitude.
        asked: Vars,
        /// What the device has.
        most: Vars,
    },
}

/// What a programme is to hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Compiled {
    /// Everything but the curves.
    pub default: DefaultControl,
    /// One curve of a type; the default control refers to each.
    pub curves: Vec<CurveShape>,
}

/// Whether IEEE 2030.5-2018 has an element for it. A watt-var curve has no absorbing side there:
/// x is 0 to 100 % of `setMaxW`.
#[must_use]
pub const fn is_carried(parameter: P) -> bool {
    !matches!(
        parameter,
        P::QpCurveP1Load
            | P::QpCurveP2Load
            | P::QpCurveP3Load
            | P::QpCurveQ1Load
            | P::QpCurveQ2Load
            | P::QpCurveQ3Load
    )
}

/// What the values come to for a device of this basis. The values keep their
/// [rules](super::rule::violations); what does not is left out.
///
/// # Errors
/// [`CompileError`] naming the parameter.
pub fn compile(values: &Values, basis: Option<Basis>) -> Result<Compiled, CompileError> {
    let from = Compiler { values, basis };
    let mut compiled = Compiled::default();
    from.enter_service(&mut compiled.default);
    let settings = [
        from.energize(),
        from.max_lim_w(),
        from.fixed_pf(),
        from.fixed_var()?,
        from.freq_droop(),
    ];
    for setting in settings.into_iter().flatten() {
        compiled.default.base.set(setting);
    }
    compiled.curves.extend(from.volt_var()?);
    compiled.curves.extend(from.volt_watt());
    compiled.curves.extend(from.watt_var()?);
    compiled.curves.extend(from.ride_through());
    Ok(compiled)
}

/// A share of the most reactive power that a device injects or, negative, absorbs.
#[derive(Clone, Copy)]
struct VarShare {
    hundredths: i32,
    of: Vars,
}

struct Compiler<'a> {
    values: &'a Values,
    basis: Option<Basis>,
}

impl Compiler<'_> {
    fn enabled(&self, switch: P) -> bool {
        self.values.get(&switch) == Some(&Value::Enabled(true))
    }

    fn number(&self, parameter: P) -> Option<Decimal> {
        self.values.get(&parameter).and_then(|value| value.number())
    }

    /// In the steps of the wire.
    fn steps<T: TryFrom<i64>>(&self, parameter: P) -> Option<T> {
        let steps = self.number(parameter)?.steps(parameter.step_micro())?;
        T::try_from(steps).ok()
    }

    fn enter_service(&self, default: &mut DefaultControl) {
        default.grad_w = self.steps(P::SetGradW);
        default.soft_grad_w = self.steps(P::SetSoftGradW);
        let es = &mut default.enter_service;
        es.delay_cs = self.steps(P::EsDelay);
        es.high_freq_chz = self.steps(P::EsFHigh);
        es.high_volt_cpct = self.steps(P::EsVHigh);
        es.low_freq_chz = self.steps(P::EsFLow);
        es.low_volt_cpct = self.steps(P::EsVLow);
        es.ramp_tms_cs = self.steps(P::EsRampRate);
        es.random_delay_cs = self.steps(P::EsRandomizedDelay);
    }

    fn energize(&self) -> Option<Setting> {
        match self.values.get(&P::EsPermitService) {
            Some(Value::Enabled(permitted)) => Some(Setting::Energize(*permitted)),
            _ => None,
        }
    }

    fn max_lim_w(&self) -> Option<Setting> {
        let hundredths = self.steps(P::ApLimit)?;
        self.enabled(P::ApLimitEnable)
            .then_some(Setting::MaxLimW(Share {
                percent: Percent::from_hundredths(hundredths),
                of: None,
            }))
    }

    fn fixed_pf(&self) -> Option<Setting> {
        let ten_thousandths: u16 = self.steps(P::ConstPf)?;
        let excitation = self.values.get(&P::ConstPfExcitation)?;
        let (displacement, multiplier) = match ten_thousandths % 10 {
            0 => (ten_thousandths / 10, -3),
            _ => (ten_thousandths, -4),
        };
        self.enabled(P::ConstPfModeEnable)
            .then_some(Setting::FixedPfInjectW(PowerFactor {
                displacement,
                injects_vars: *excitation == Value::Excitation(Excitation::Injecting),
                multiplier,
            }))
    }

    fn fixed_var(&self) -> Result<Option<Setting>, CompileError> {
        if !self.enabled(P::ConstQModeEnable) {
            return Ok(None);
        }
        let share = self.share_of_max_var(P::ConstQ)?;
        Ok(share.map(|VarShare { hundredths, of }| {
            Setting::FixedVar(FixedVar {
                reference: VarReference::SetMaxVar,
                percent: Percent::from_hundredths(hundredths),
                of: Some(of),
            })
        }))
    }

    /// Frequency droop has no switch in IEEE 1547-2018: it is on wherever it is set.
    fn freq_droop(&self) -> Option<Setting> {
        let droop = FreqDroop {
            db_of_mhz: self.steps(P::PfDbof)?,
            db_uf_mhz: self.steps(P::PfDbuf)?,
            k_of: self.steps(P::PfKof)?,
            k_uf: self.steps(P::PfKuf)?,
            open_loop_tms: self.steps(P::PfOlrt)?,
        };
        let off = self.values.get(&P::PfModeEnable) == Some(&Value::Enabled(false));
        (!off).then_some(Setting::FreqDroop(droop))
    }

    /// A share of the apparent power as one of what the device can inject or absorb.
    ///
    /// Interpretation: a negative percentage of `setMaxVar` is one of `setMaxVarNeg`.
    fn share_of_max_var(&self, parameter: P) -> Result<Option<VarShare>, CompileError> {
        let Some(share) = self.number(parameter) else {
            return Ok(None);
        };
        let basis = self.basis.ok_or(CompileError::NoBasis(parameter))?;
        let most = match share < Decimal::ZERO {
            true => basis.q_absorb_max,
            false => basis.q_inject_max,
        };
        let asked = i128::from(basis.s_max.micro()) * i128::from(share.micro()) / 1_000_000;
        let asked = Vars::from_micro(i64::try_from(asked).unwrap_or(i64::MAX));
        if asked == Vars::ZERO {
            return Ok(Some(VarShare {
                hundredths: 0,
                of: most,
            }));
        }
        if most.micro() < asked.micro().abs() {
            return Err(CompileError::BeyondRating {
                parameter,
                asked: Vars::from_micro(asked.micro().abs()),
                most,
            });
        }
        let scaled = i128::from(asked.micro()) * 10_000;
        let most_micro = i128::from(most.micro());
        let nearest = (scaled + scaled.signum() * most_micro / 2) / most_micro;
        // The quotient is at most 10 000 in magnitude, for `asked` is at most `most`.
        let hundredths = i32::try_from(nearest).unwrap_or(10_000);
        Ok(Some(VarShare {
            hundredths,
            of: most,
        }))
    }

    fn volt_var(&self) -> Result<Option<CurveShape>, CompileError> {
        const CORNERS: [(P, P); 4] = [
            (P::QvCurveV1, P::QvCurveQ1),
            (P::QvCurveV2, P::QvCurveQ2),
            (P::QvCurveV3, P::QvCurveQ3),
            (P::QvCurveV4, P::QvCurveQ4),
        ];
        if !self.enabled(P::QvModeEnable) {
            return Ok(None);
        }
        let mut shape = CurveShape::new(CurveType::VoltVar, self.var_corners(&CORNERS)?);
        shape.y_ref_type = SET_MAX_VAR;
        shape.v_ref = self.steps(P::QvVref);
        shape.open_loop_tms = self.steps(P::QvOlrt);
        if self.enabled(P::QvVrefAutoMode) {
            shape.autonomous_v_ref_time = self.steps(P::QvVrefTime);
        }
        Ok(Some(in_hundredths(shape)))
    }

    fn watt_var(&self) -> Result<Option<CurveShape>, CompileError> {
        const CORNERS: [(P, P); 3] = [
            (P::QpCurveP1Gen, P::QpCurveQ1Gen),
            (P::QpCurveP2Gen, P::QpCurveQ2Gen),
            (P::QpCurveP3Gen, P::QpCurveQ3Gen),
        ];
        if !self.enabled(P::QpModeEnable) {
            return Ok(None);
        }
        let mut shape = CurveShape::new(CurveType::WattVar, self.var_corners(&CORNERS)?);
        shape.y_ref_type = SET_MAX_VAR;
        Ok(Some(in_hundredths(shape)))
    }

    fn var_corners(&self, corners: &[(P, P)]) -> Result<Vec<CurvePoint>, CompileError> {
        let mut points = Vec::with_capacity(corners.len());
        for (x, y) in corners {
            let x = self.steps(*x);
            let y = self.share_of_max_var(*y)?;
            points.extend(x.zip(y).map(|(x, y)| point(x, y.hundredths)));
        }
        Ok(points)
    }

    fn volt_watt(&self) -> Option<CurveShape> {
        if !self.enabled(P::PvModeEnable) {
            return None;
        }
        let points = vec![
            point(self.steps(P::PvCurveV1)?, self.steps(P::PvCurveP1)?),
            point(self.steps(P::PvCurveV2)?, self.steps(P::PvCurveP2)?),
        ];
        let mut shape = CurveShape::new(CurveType::VoltWatt, points);
        shape.y_ref_type = SET_MAX_W;
        shape.open_loop_tms = self.steps(P::PvOlrt);
        Some(in_hundredths(shape))
    }

    fn ride_through(&self) -> Vec<CurveShape> {
        type Step = (P, P);
        const CURVES: [(CurveType, Step, Step); 8] = [
            (
                CurveType::HvrtMustTrip,
                (P::Ov2TripT, P::Ov2TripV),
                (P::Ov1TripT, P::Ov1TripV),
            ),
            (
                CurveType::LvrtMustTrip,
                (P::Uv2TripT, P::Uv2TripV),
                (P::Uv1TripT, P::Uv1TripV),
            ),
            (
                CurveType::HfrtMustTrip,
                (P::Of2TripT, P::Of2TripF),
                (P::Of1TripT, P::Of1TripF),
            ),
            (
                CurveType::LfrtMustTrip,
                (P::Uf2TripT, P::Uf2TripF),
                (P::Uf1TripT, P::Uf1TripF),
            ),
            (
                CurveType::HvrtMayTrip,
                (P::Ov2MayTripT, P::Ov2MayTripV),
                (P::Ov1MayTripT, P::Ov1MayTripV),
            ),
            (
                CurveType::LvrtMayTrip,
                (P::Uv2MayTripT, P::Uv2MayTripV),
                (P::Uv1MayTripT, P::Uv1MayTripV),
            ),
            (
                CurveType::HfrtMayTrip,
                (P::Of1MayTripT, P::Of1MayTripF),
                (P::Of1MayTripT, P::Of1MayTripF),
            ),
            (
                CurveType::LfrtMayTrip,
                (P::Uf1MayTripT, P::Uf1MayTripF),
                (P::Uf1MayTripT, P::Uf1MayTripF),
            ),
        ];
        let corner = |(x, y): Step| Some((self.steps(x)?, self.steps(y)?));
        let stairs = CURVES.into_iter().filter_map(|(kind, fast, slow)| {
            let slow = corner(slow)?;
            let fast = corner(fast).unwrap_or(slow);
            Some(duration_curve(kind, fast, slow))
        });
        let mut curves: Vec<CurveShape> = stairs.collect();
        if self.enabled(P::McEnable) {
            let at_once = |kind, threshold| {
                let y = self.steps(threshold)?;
                Some(duration_curve(kind, (0, y), (0, y)))
            };
            curves.extend(at_once(CurveType::HvrtMomentaryCessation, P::McHvrtV1));
            curves.extend(at_once(CurveType::LvrtMomentaryCessation, P::McLvrtV1));
        }
        curves
    }
}

/// Clearing times are steps, and curves are read as straight between their points: the corner
/// between the fast and the slow one is a point of its own.
fn duration_curve(kind: CurveType, fast: (i32, i32), slow: (i32, i32)) -> CurveShape {
    let mut points = vec![
        point(fast.0, fast.1),
        point(slow.0, fast.1),
        point(slow.0, slow.1),
    ];
    points.dedup();
    let mut shape = CurveShape::new(kind, points);
    shape.y_ref_type = match kind {
        CurveType::HfrtMayTrip
        | CurveType::HfrtMustTrip
        | CurveType::LfrtMayTrip
        | CurveType::LfrtMustTrip => 0,
        _ => EFFECTIVE_V,
    };
    in_hundredths(shape)
}

const fn point(x: i32, y: i32) -> CurvePoint {
    CurvePoint {
        x,
        y,
        injects_vars: None,
    }
}

fn in_hundredths(shape: CurveShape) -> CurveShape {
    CurveShape {
        x_multiplier: HUNDREDTHS,
        y_multiplier: HUNDREDTHS,
        ..shape
    }
}

#[cfg(test)]
mod tests;
