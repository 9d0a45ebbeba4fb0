//! What one control asks, mode by mode.

use std::sync::Arc;

use units::Watts;

use super::Modes;
use crate::client::report::Nameplate;
use crate::codec::simple::{PerCent, SignedPerCent};
use crate::wire::control_mode::{
    ActivePowerDeltaControlType, DerControlType, DerControlType2, Mode,
    ReactivePowerDeltaControlType, UnsignedFixedVar,
};
use crate::wire::der_control::{DerControlBase, FixedVar, FreqDroopType};
use crate::wire::der_curve::DerCurveType;
use crate::wire::link::Link;
use crate::wire::quantity::{
    ActivePower, PowerFactorWithExcitation, ReactivePower, UnsignedActivePower,
    UnsignedReactivePower, VoltageRms,
};

/// An element of `DERControlBase`: its value, and whether it turns its mode off.
trait Carries {
    type Value;

    fn carried(&self) -> (Self::Value, bool);
}

impl<T: Clone> Carries for Mode<T> {
    type Value = T;

    fn carried(&self) -> (T, bool) {
        (self.value.clone(), self.disabled)
    }
}

macro_rules! plain {
    ($($Type:ty, $disabled:expr;)*) => {$(
        impl Carries for $Type {
            type Value = Self;

            fn carried(&self) -> (Self, bool) {
                let disabled: fn(&Self) -> bool = $disabled;
                (self.clone(), disabled(self))
            }
        }
    )*};
}

plain! {
    bool, |_| false;
    ActivePower, |_| false;
    ActivePowerDeltaControlType, |it| it.disabled == Some(true);
    ReactivePowerDeltaControlType, |it| it.disabled == Some(true);
}

macro_rules! requests {
    ($( $Request:ident($Value:ty) = $field:ident, $modes:expr; )*) => {
        /// One thing asked, named after its element of `DERControlBase`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Request {
            $( $Request($Value), )*
            /// The address of the curve to follow.
            Curve(DerCurveType, Arc<str>),
        }

        impl Request {
            /// The mode it is made in.
            #[must_use]
            pub fn mode(&self) -> Modes {
                match self {
                    $( Self::$Request(_) => $modes, )*
                    Self::Curve(kind, _) => curve_mode(*kind),
                }
            }
        }

        fn values(base: &DerControlBase) -> Vec<Part> {
            let mut parts = Vec::new();
            $( parts.extend(base.$field.as_ref().map(|element| {
                let (value, is_disabled) = element.carried();
                Part { request: Request::$Request(value), is_disabled }
            })); )*
            parts
        }
    };
}

const fn first(bits: u32) -> Modes {
    Modes::of_type(DerControlType::new(bits))
}

const fn second(bits: u32) -> Modes {
    Modes::of_type2(DerControlType2::new(bits))
}

requests! {
    Connect(bool) = op_mod_connect, first(DerControlType::CONNECT);
    DeltaVar(ReactivePowerDeltaControlType) = op_mod_delta_var, first(DerControlType::DELTA_VAR);
    DeltaW(ActivePowerDeltaControlType) = op_mod_delta_w, first(DerControlType::DELTA_W);
    Energize(bool) = op_mod_energize, first(DerControlType::ENERGIZE);
    FixedPfAbsorbW(PowerFactorWithExcitation) = op_mod_fixed_pf_absorb_w,
        first(DerControlType::FIXED_PF_ABSORB_W);
    FixedPfInjectW(PowerFactorWithExcitation) = op_mod_fixed_pf_inject_w,
        first(DerControlType::FIXED_PF_INJECT_W);
    FixedV(SignedPerCent) = op_mod_fixed_v, first(DerControlType::FIXED_V);
    FixedVar(FixedVar) = op_mod_fixed_var, first(DerControlType::FIXED_VAR);
    FixedW(SignedPerCent) = op_mod_fixed_w, first(DerControlType::FIXED_W);
    FreqDroop(FreqDroopType) = op_mod_freq_droop, first(DerControlType::FREQ_DROOP);
    GridConnectPermit(bool) = op_mod_grid_connect_permit,
        first(DerControlType::GRID_CONNECT_PERMIT);
    IslandPermit(bool) = op_mod_island_permit, first(DerControlType::ISLAND_PERMIT);
    MaxLimPctVaAbsorb(PerCent) = op_mod_max_lim_pct_va_absorb,
        second(DerControlType2::MAX_LIM_PCT_VA_ABSORB);
    MaxLimPctVaInject(PerCent) = op_mod_max_lim_pct_va_inject,
        second(DerControlType2::MAX_LIM_PCT_VA_INJECT);
    MaxLimPctVarAbsorb(UnsignedFixedVar) = op_mod_max_lim_pct_var_absorb,
        second(DerControlType2::MAX_LIM_PCT_VAR_ABSORB);
    MaxLimPctVarInject(UnsignedFixedVar) = op_mod_max_lim_pct_var_inject,
        second(DerControlType2::MAX_LIM_PCT_VAR_INJECT);
    MaxLimPctWAbsorb(PerCent) = op_mod_max_lim_pct_w_absorb,
        second(DerControlType2::MAX_LIM_PCT_W_ABSORB);
    MaxLimVarAbsorb(UnsignedReactivePower) = op_mod_max_lim_var_absorb,
        second(DerControlType2::MAX_LIM_VAR_ABSORB);
    MaxLimVarInject(UnsignedReactivePower) = op_mod_max_lim_var_inject,
        second(DerControlType2::MAX_LIM_VAR_INJECT);
    MaxLimW(PerCent) = op_mod_max_lim_w, first(DerControlType::MAX_LIM_W);
    MaxLimWAbsorb(UnsignedActivePower) = op_mod_max_lim_w_absorb,
        second(DerControlType2::MAX_LIM_W_ABSORB);
    MaxLimWInject(UnsignedActivePower) = op_mod_max_lim_w_inject,
        second(DerControlType2::MAX_LIM_W_INJECT);
    TargetV(VoltageRms) = op_mod_target_v, second(DerControlType2::TARGET_V);
    TargetVar(ReactivePower) = op_mod_target_var, first(DerControlType::TARGET_VAR);
    TargetW(ActivePower) = op_mod_target_w, first(DerControlType::TARGET_W);
    ImpLimW(ActivePower) = op_mod_imp_lim_w, Modes::IMP_LIM_W;
    ExpLimW(ActivePower) = op_mod_exp_lim_w, Modes::EXP_LIM_W;
    GenLimW(ActivePower) = op_mod_gen_lim_w, Modes::GEN_LIM_W;
    LoadLimW(ActivePower) = op_mod_load_lim_w, Modes::LOAD_LIM_W;
    StorageTargetW(ActivePower) = op_mod_storage_target_w, Modes::STORAGE_TARGET_W;
}

impl Request {
    /// The active power that is asked for, injection positive.
    #[must_use]
    pub fn p(&self, nameplate: &Nameplate) -> Option<Watts> {
        match self {
            Self::TargetW(p) => p.quantity(),
            Self::FixedW(SignedPerCent(share)) if *share < 0 => {
                Some(hundredths_of((*share).into(), nameplate.p_absorb_max))
            }
            Self::FixedW(SignedPerCent(share)) => {
                Some(hundredths_of((*share).into(), nameplate.p_inject_max))
            }
            _ => None,
        }
    }
}

/// `hundredths` of a percent of `whole`.
#[must_use]
pub fn hundredths_of(hundredths: i32, whole: Watts) -> Watts {
    units::Percent::from_hundredths(hundredths).of(whole)
}

/// The mode of each type of curve.
const CURVES: [(DerCurveType, u32); 15] = [
    (DerCurveType::FREQ_WATT, DerControlType::FREQ_WATT),
    (DerCurveType::HFRT_MAY_TRIP, DerControlType::HFRT_MAY_TRIP),
    (DerCurveType::HFRT_MUST_TRIP, DerControlType::HFRT_MUST_TRIP),
    (DerCurveType::HVRT_MAY_TRIP, DerControlType::HVRT_MAY_TRIP),
    (
        DerCurveType::HVRT_MOMENTARY_CESSATION,
        DerControlType::HVRT_MOMENTARY_CESSATION,
    ),
    (DerCurveType::HVRT_MUST_TRIP, DerControlType::HVRT_MUST_TRIP),
    (DerCurveType::LFRT_MAY_TRIP, DerControlType::LFRT_MAY_TRIP),
    (DerCurveType::LFRT_MUST_TRIP, DerControlType::LFRT_MUST_TRIP),
    (DerCurveType::LVRT_MAY_TRIP, DerControlType::LVRT_MAY_TRIP),
    (
        DerCurveType::LVRT_MOMENTARY_CESSATION,
        DerControlType::LVRT_MOMENTARY_CESSATION,
    ),
    (DerCurveType::LVRT_MUST_TRIP, DerControlType::LVRT_MUST_TRIP),
    (DerCurveType::VOLT_VAR, DerControlType::VOLT_VAR),
    (DerCurveType::VOLT_WATT, DerControlType::VOLT_WATT),
    (DerCurveType::WATT_PF, DerControlType::WATT_PF),
    (DerCurveType::WATT_VAR, DerControlType::WATT_VAR),
];

fn curve_mode(kind: DerCurveType) -> Modes {
    let row = CURVES.iter().find(|(of, _)| *of == kind);
    row.map_or(Modes::default(), |(_, bits)| first(*bits))
}

fn curves(base: &DerControlBase) -> impl Iterator<Item = Part> {
    let links: [&Option<Mode<Link>>; 15] = [
        &base.op_mod_freq_watt,
        &base.op_mod_hfrt_may_trip,
        &base.op_mod_hfrt_must_trip,
        &base.op_mod_hvrt_may_trip,
        &base.op_mod_hvrt_momentary_cessation,
        &base.op_mod_hvrt_must_trip,
        &base.op_mod_lfrt_may_trip,
        &base.op_mod_lfrt_must_trip,
        &base.op_mod_lvrt_may_trip,
        &base.op_mod_lvrt_momentary_cessation,
        &base.op_mod_lvrt_must_trip,
        &base.op_mod_volt_var,
        &base.op_mod_volt_watt,
        &base.op_mod_watt_pf,
        &base.op_mod_watt_var,
    ];
    CURVES
        .into_iter()
        .zip(links)
        .filter_map(|((kind, _), link)| {
            let link = link.as_ref()?;
            Some(Part {
                request: Request::Curve(kind, link.value.href.as_str().into()),
                is_disabled: link.disabled,
            })
        })
}

/// One of the things that a control asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub request: Request,
    /// The mode is turned off.
    pub is_disabled: bool,
}

/// All that one event or default control asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requests {
    /// In order of mode.
    pub parts: Vec<Part>,
    /// Hundredths of a second for the transition.
    pub ramp_tms: Option<u16>,
}

impl Requests {
    /// What `base` asks. Of two values of active power it is the one in watts.
    #[must_use]
    pub fn of(base: &DerControlBase) -> Self {
        let mut parts = values(base);
        parts.extend(curves(base));
        parts
            .retain(|part| !matches!(&part.request, Request::TargetW(p) if p.quantity().is_none()));
        let has_target = parts
            .iter()
            .any(|part| matches!(part.request, Request::TargetW(_)));
        parts.retain(|part| !(has_target && matches!(part.request, Request::FixedW(_))));
        parts.sort_by_key(|part| part.request.mode());
        Self {
            parts,
            ramp_tms: base.ramp_tms,
        }
    }

    #[must_use]
    pub fn modes(&self) -> Modes {
        let modes = self.parts.iter().map(|part| part.request.mode());
        modes.fold(Modes::default(), Modes::with)
    }

    /// The curves it refers to.
    pub fn curves(&self) -> impl Iterator<Item = (DerCurveType, &Arc<str>)> {
        self.parts.iter().filter_map(|part| match &part.request {
            Request::Curve(kind, href) => Some((*kind, href)),
            _ => None,
        })
    }
}
