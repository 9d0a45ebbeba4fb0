//! Bringing the programme of a DER to what is required of it. It takes no input but the state, so
//! that a restart and a normal run are the same.
//!
//! The settings go into the default control of the programme that is the DER's own, because shares of
//! reactive power differ between devices. What the profile says nothing about stays as it is; what
//! it replaces is kept, and put back when nothing is required any more.

use std::collections::BTreeSet;

use units::{Percent, Timestamp};

use super::compile::{CompileError, compile};
use super::{Basis, Compiled, Parameter, SettingsBook, SettingsCommand, SettingsProfile, Values};
use crate::{
    Command, ControlBase, Curve, CurveId, CurveShape, CurveType, DefaultControl, Der, FixedVar,
    Fleet, FreqDroop, Name, NewCurve, PowerFactor, Setting, SettingsProfileId, Share, VarReference,
};

/// What the programme of a DER was brought to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Realised {
    /// Which version.
    pub profile: SettingsProfileId,
    /// What its shares are of.
    pub basis: Option<Basis>,
    /// When.
    pub at: Timestamp,
    /// Which version it followed.
    pub previous: Option<SettingsProfileId>,
    /// What the settings took the place of.
    pub replaced: DefaultControl,
}

/// What is still to be done so that the programme of `der` holds what is required at `now`; to be
/// asked again until there is nothing.
///
/// # Errors
/// [`CompileError`] when the device can't have it; its programme stays as it is.
pub fn reconcile(fleet: &Fleet, der: &Der, now: Timestamp) -> Result<Vec<Command>, CompileError> {
    let book = fleet.settings();
    let still = book
        .open_roll_out_of(der.id)
        .is_some_and(|r| r.holds_still(der.id));
    let Some(program) = fleet
        .program(der.program)
        .filter(|_| der.removed.is_none() && !still)
    else {
        return Ok(Vec::new());
    };
    let required = book
        .required(fleet, der, now)
        .and_then(|(id, _)| book.profile(id));
    let realised = book.realised(der.id);
    let target = match required {
        Some(profile) => {
            let basis = Basis::of(der);
            let compiled = compile(&profile.values, basis)?;
            Some((profile, basis, compiled))
        }
        None if realised.is_none() => return Ok(Vec::new()),
        None => None,
    };
    let site = Site {
        fleet,
        der,
        program: &program.default,
        realised,
    };
    Ok(site.to(target, now))
}

/// The programme of a DER as it is.
struct Site<'a> {
    fleet: &'a Fleet,
    der: &'a Der,
    program: &'a DefaultControl,
    realised: Option<&'a Realised>,
}

type Target<'a> = Option<(&'a SettingsProfile, Option<Basis>, Compiled)>;

impl Site<'_> {
    fn to(&self, target: Target<'_>, now: Timestamp) -> Vec<Command> {
        let (mut wanted, replaced) = self.cleared(target.as_ref().map(|(profile, _, _)| *profile));
        if let Some((profile, _, compiled)) = &target {
            let missing = compiled
                .curves
                .iter()
                .filter(|shape| self.curve(shape).is_none());
            let create: Vec<Command> = missing.map(|s| self.create(s, profile.label())).collect();
            if !create.is_empty() {
                return create;
            }
            let asked = self.asked(compiled);
            copy(&asked, &mut wanted, &Managed::by(&profile.values));
        }
        let mut commands = Vec::new();
        if !wanted.asks_as(self.program) {
            wanted.set = now;
            commands.push(Command::SetDefaultControl(self.der.program, wanted));
        }
        let realised =
            target.map(|(profile, basis, _)| self.realise(profile, basis, replaced, now));
        if realised.as_ref().map(key) != self.realised.map(key) {
            let realise = SettingsCommand::Realise(self.der.id, realised.map(Box::new));
            commands.push(Command::Settings(realise));
        }
        if commands.is_empty() {
            commands.extend(self.unused().map(Command::DeleteCurve));
        }
        commands
    }

    fn realise(
        &self,
        profile: &SettingsProfile,
        basis: Option<Basis>,
        replaced: DefaultControl,
        at: Timestamp,
    ) -> Realised {
        let before = self.realised;
        let same = before.filter(|before| before.profile == profile.id);
        Realised {
            profile: profile.id,
            basis,
            at,
            previous: match same {
                Some(same) => same.previous,
                None => before.map(|before| before.profile),
            },
            replaced,
        }
    }

    /// The default control without what profiles asked for, and what they took the place of once
    /// `next` is in its place.
    fn cleared(&self, next: Option<&SettingsProfile>) -> (DefaultControl, DefaultControl) {
        let book = self.fleet.settings();
        let managed = |profile: Option<&SettingsProfile>| {
            profile
                .map(|profile| Managed::by(&profile.values))
                .unwrap_or_default()
        };
        let old = managed(self.realised.and_then(|r| book.profile(r.profile)));
        let new = managed(next);
        let mut wanted = self.program.clone();
        if let Some(realised) = self.realised {
            copy(&self.in_service(&realised.replaced), &mut wanted, &old);
        }
        let mut replaced = DefaultControl::default();
        copy(&wanted, &mut replaced, &new);
        (wanted, replaced)
    }

    /// Without references to curves that are out of service.
    fn in_service(&self, default: &DefaultControl) -> DefaultControl {
        let serves = |setting: &&Setting| match setting {
            Setting::Curve(_, id) => self
                .fleet
                .curve(*id)
                .is_some_and(|curve| curve.removed.is_none()),
            _ => true,
        };
        let settings = default.base.settings().iter().filter(serves).copied();
        DefaultControl {
            base: ControlBase::of(settings),
            ..default.clone()
        }
    }

    /// The compiled default control with its references to the curves of the programme.
    fn asked(&self, compiled: &Compiled) -> DefaultControl {
        let mut asked = compiled.default.clone();
        for shape in &compiled.curves {
            if let Some(curve) = self.curve(shape) {
                asked.base.set(Setting::Curve(shape.kind, curve.id));
            }
        }
        asked
    }

    fn curve(&self, shape: &CurveShape) -> Option<&Curve> {
        let mut curves = self.fleet.curves_of(self.der.program);
        curves.find(|curve| curve.removed.is_none() && curve.shape == *shape)
    }

    fn create(&self, shape: &CurveShape, name: Name) -> Command {
        Command::CreateCurve(NewCurve {
            program: self.der.program,
            name: Some(name),
            shape: shape.clone(),
        })
    }

    /// Curves that a profile brought and nothing refers to any more.
    fn unused(&self) -> impl Iterator<Item = CurveId> {
        let (fleet, program) = (self.fleet, self.der.program);
        let default = referred(self.program);
        let by_controls: BTreeSet<CurveId> = fleet
            .controls_of(self.der.id)
            .into_iter()
            .flat_map(|control| control.base.settings().iter().filter_map(curve_of))
            .collect();
        fleet
            .curves_of(program)
            .filter(move |curve| curve.removed.is_none() && is_ours(fleet.settings(), curve))
            .map(|curve| curve.id)
            .filter(move |id| !default.contains(id) && !by_controls.contains(id))
    }
}

fn is_ours(book: &SettingsBook, curve: &Curve) -> bool {
    curve.name.as_ref().is_some_and(|name| book.is_label(name))
}

fn curve_of(setting: &Setting) -> Option<CurveId> {
    match setting {
        Setting::Curve(_, id) => Some(*id),
        _ => None,
    }
}

fn referred(default: &DefaultControl) -> BTreeSet<CurveId> {
    default
        .base
        .settings()
        .iter()
        .filter_map(curve_of)
        .collect()
}

/// What makes a programme be brought to the same version again.
const fn key(realised: &Realised) -> (SettingsProfileId, Option<Basis>) {
    (realised.profile, realised.basis)
}

/// The parts of a default control that a profile decides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Managed {
    /// [`Setting::kind`]s.
    kinds: BTreeSet<u8>,
    /// Parameters that are fields of their own.
    fields: Vec<Parameter>,
}

/// Makes the managed parts of `into` what they are in `from`.
fn copy(from: &DefaultControl, into: &mut DefaultControl, managed: &Managed) {
    let is_managed = |setting: &&Setting| managed.kinds.contains(&setting.kind());
    let kept = into
        .base
        .settings()
        .iter()
        .filter(|setting| !is_managed(setting));
    let copied = from.base.settings().iter().filter(is_managed);
    into.base = ControlBase::of(kept.chain(copied).copied());
    for parameter in &managed.fields {
        copy_field(from, into, *parameter);
    }
}

fn copy_field(from: &DefaultControl, into: &mut DefaultControl, parameter: Parameter) {
    let (es, set) = (&from.enter_service, &mut into.enter_service);
    match parameter {
        Parameter::SetGradW => into.grad_w = from.grad_w,
        Parameter::SetSoftGradW => into.soft_grad_w = from.soft_grad_w,
        Parameter::EsDelay => set.delay_cs = es.delay_cs,
        Parameter::EsFHigh => set.high_freq_chz = es.high_freq_chz,
        Parameter::EsVHigh => set.high_volt_cpct = es.high_volt_cpct,
        Parameter::EsFLow => set.low_freq_chz = es.low_freq_chz,
        Parameter::EsVLow => set.low_volt_cpct = es.low_volt_cpct,
        Parameter::EsRampRate => set.ramp_tms_cs = es.ramp_tms_cs,
        Parameter::EsRandomizedDelay => set.random_delay_cs = es.random_delay_cs,
        _ => {}
    }
}

impl Managed {
    fn by(values: &Values) -> Self {
        let mut managed = Self::default();
        for parameter in values.keys() {
            match kinds_of(*parameter) {
                [] => managed.fields.push(*parameter),
                kinds => managed.kinds.extend(kinds),
            }
        }
        managed
    }
}

/// The kinds of setting that a parameter belongs to; none for a field of its own.
fn kinds_of(parameter: Parameter) -> &'static [u8] {
    let place = PLACES
        .iter()
        .find(|(first, last, _)| *first <= parameter && parameter <= *last);
    place.map_or(&[], |(_, _, kinds)| kinds)
}

const fn curve(kind: CurveType) -> u8 {
    Setting::Curve(kind, CurveId(0)).kind()
}

const MAX_LIM_W: u8 = Setting::MaxLimW(Share {
    percent: Percent::from_hundredths(0),
    of: None,
})
.kind();
const FIXED_PF: u8 = Setting::FixedPfInjectW(PowerFactor {
    displacement: 1,
    injects_vars: true,
    multiplier: 0,
})
.kind();
const FIXED_VAR: u8 = Setting::FixedVar(FixedVar {
    reference: VarReference::SetMaxVar,
    percent: Percent::from_hundredths(0),
    of: None,
})
.kind();
const FREQ_DROOP: u8 = Setting::FreqDroop(FreqDroop {
    db_of_mhz: 0,
    db_uf_mhz: 0,
    k_of: 0,
    k_uf: 0,
    open_loop_tms: 0,
})
.kind();

/// From one parameter to another, in their order: what they make up together.
type Place = (Parameter, Parameter, &'static [u8]);

use Parameter as P;

const PLACES: [Place; 17] = [
    (P::ApLimitEnable, P::ApLimit, &[MAX_LIM_W]),
    (
        P::EsPermitService,
        P::EsPermitService,
        &[Setting::Energize(true).kind()],
    ),
    (P::ConstPfModeEnable, P::ConstPf, &[FIXED_PF]),
    (P::ConstQModeEnable, P::ConstQ, &[FIXED_VAR]),
    (P::QvModeEnable, P::QvOlrt, &[curve(CurveType::VoltVar)]),
    (
        P::QpModeEnable,
        P::QpCurveQ3Load,
        &[curve(CurveType::WattVar)],
    ),
    (P::PvModeEnable, P::PvOlrt, &[curve(CurveType::VoltWatt)]),
    (P::Ov2TripV, P::Ov1TripT, &[curve(CurveType::HvrtMustTrip)]),
    (P::Uv1TripV, P::Uv2TripT, &[curve(CurveType::LvrtMustTrip)]),
    (P::Of2TripF, P::Of1TripT, &[curve(CurveType::HfrtMustTrip)]),
    (P::Uf1TripF, P::Uf2TripT, &[curve(CurveType::LfrtMustTrip)]),
    (
        P::Ov1MayTripV,
        P::Ov2MayTripT,
        &[curve(CurveType::HvrtMayTrip)],
    ),
    (
        P::Uv1MayTripV,
        P::Uv2MayTripT,
        &[curve(CurveType::LvrtMayTrip)],
    ),
    (
        P::Of1MayTripF,
        P::Of1MayTripT,
        &[curve(CurveType::HfrtMayTrip)],
    ),
    (
        P::Uf1MayTripF,
        P::Uf1MayTripT,
        &[curve(CurveType::LfrtMayTrip)],
    ),
    (
        P::McEnable,
        P::McLvrtV1,
        &[
            curve(CurveType::HvrtMomentaryCessation),
            curve(CurveType::LvrtMomentaryCessation),
        ],
    ),
    (P::PfModeEnable, P::PfOlrt, &[FREQ_DROOP]),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What a place is to a person who reads the name.
    #[test]
    fn every_parameter_is_in_its_place() {
        let of = |names: &[&str], kinds: &[u8]| {
            for parameter in Parameter::ALL {
                let is_one = names.iter().any(|name| parameter.name().starts_with(name));
                let in_place = !kinds.is_empty() && kinds_of(*parameter) == kinds;
                assert_eq!(is_one, in_place, "{parameter}");
            }
        };
        of(&["QV_"], &[curve(CurveType::VoltVar)]);
        of(&["QP_"], &[curve(CurveType::WattVar)]);
        of(&["PV_"], &[curve(CurveType::VoltWatt)]);
        of(&["PF_"], &[FREQ_DROOP]);
        of(&["AP_"], &[MAX_LIM_W]);
        of(&["CONST_PF"], &[FIXED_PF]);
        of(&["CONST_Q"], &[FIXED_VAR]);
        of(&["OV1_TRIP", "OV2_TRIP"], &[curve(CurveType::HvrtMustTrip)]);
        of(&["UV1_TRIP", "UV2_TRIP"], &[curve(CurveType::LvrtMustTrip)]);
        of(&["OF1_TRIP", "OF2_TRIP"], &[curve(CurveType::HfrtMustTrip)]);
        of(&["UF1_TRIP", "UF2_TRIP"], &[curve(CurveType::LfrtMustTrip)]);
        of(&["OV1_MAY", "OV2_MAY"], &[curve(CurveType::HvrtMayTrip)]);
        of(&["UV1_MAY", "UV2_MAY"], &[curve(CurveType::LvrtMayTrip)]);
        of(&["OF1_MAY"], &[curve(CurveType::HfrtMayTrip)]);
        of(&["UF1_MAY"], &[curve(CurveType::LfrtMayTrip)]);
        of(&["ES_PERMIT"], &[Setting::Energize(true).kind()]);
        let fields = Parameter::ALL.iter().filter(|p| kinds_of(**p).is_empty());
        assert!(
            fields
                .clone()
                .all(|p| p.name().starts_with("ES_") || p.name().starts_with("SET_"))
        );
        assert_eq!(fields.count(), 9);
    }
}
