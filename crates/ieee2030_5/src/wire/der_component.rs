//! Parts of a DER and the controls that it follows (edition of 2023).

use crate::codec::simple::{AnyUri, HexBinary160, PerCent, SignedPerCent, TimeType};
use crate::codec::table::complex;
use crate::wire::control_mode::{
    ActivePowerDeltaControlType, Mode, ReactivePowerDeltaControlType, UnsignedFixedVar,
};
use crate::wire::der_control::{FixedVar, FreqDroopType};
use crate::wire::der_curve::DerCurve;
use crate::wire::link::Link;
use crate::wire::quantity::{
    ActivePower, PowerFactorWithExcitation, ReactivePower, UnsignedActivePower,
    UnsignedReactivePower, VoltageRms,
};

complex! {
    /// A part of a DER with identity, ratings and status of its own.
    pub struct DerComponent("DERComponent" in Y2023) {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt associated_usage_point_link: Link = "AssociatedUsagePointLink",
        opt der_availability_link: Link = "DERAvailabilityLink",
        opt der_capability_link: Link = "DERCapabilityLink",
        opt der_settings_link: Link = "DERSettingsLink",
        opt der_status_link: Link = "DERStatusLink",
        one lfdi: HexBinary160 = "lFDI",
    }

    /// Parts of a DER.
    pub struct DerComponentList("DERComponentList" in Y2023) {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many der_component: DerComponent = "DERComponent",
    }

    /// The controls that a DER follows now, in all their detail.
    pub struct CurrentDerControls("CurrentDERControls" in Y2023) {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt op_mod_connect: bool = "opModConnect",
        opt op_mod_delta_var: ReactivePowerDeltaControlType = "opModDeltaVar",
        opt op_mod_delta_w: ActivePowerDeltaControlType = "opModDeltaW",
        opt op_mod_energize: bool = "opModEnergize",
        opt op_mod_fixed_pf_absorb_w: Mode<PowerFactorWithExcitation> = "opModFixedPFAbsorbW",
        opt op_mod_fixed_pf_inject_w: Mode<PowerFactorWithExcitation> = "opModFixedPFInjectW",
        opt op_mod_fixed_v: Mode<SignedPerCent> = "opModFixedV",
        opt op_mod_fixed_var: Mode<FixedVar> = "opModFixedVar",
        opt op_mod_fixed_w: Mode<SignedPerCent> = "opModFixedW",
        opt op_mod_freq_droop: Mode<FreqDroopType> = "opModFreqDroop",
        opt op_mod_freq_watt: Mode<DerCurve> = "opModFreqWatt",
        opt op_mod_grid_connect_permit: bool = "opModGridConnectPermit",
        opt op_mod_hfrt_may_trip: Mode<DerCurve> = "opModHFRTMayTrip",
        opt op_mod_hfrt_must_trip: Mode<DerCurve> = "opModHFRTMustTrip",
        opt op_mod_hvrt_may_trip: Mode<DerCurve> = "opModHVRTMayTrip",
        opt op_mod_hvrt_momentary_cessation: Mode<DerCurve> = "opModHVRTMomentaryCessation",
        opt op_mod_hvrt_must_trip: Mode<DerCurve> = "opModHVRTMustTrip",
        opt op_mod_island_permit: bool = "opModIslandPermit",
        opt op_mod_lfrt_may_trip: Mode<DerCurve> = "opModLFRTMayTrip",
        opt op_mod_lfrt_must_trip: Mode<DerCurve> = "opModLFRTMustTrip",
        opt op_mod_lvrt_may_trip: Mode<DerCurve> = "opModLVRTMayTrip",
        opt op_mod_lvrt_momentary_cessation: Mode<DerCurve> = "opModLVRTMomentaryCessation",
        opt op_mod_lvrt_must_trip: Mode<DerCurve> = "opModLVRTMustTrip",
        opt op_mod_max_lim_pct_va_absorb: Mode<PerCent> = "opModMaxLimPctVAAbsorb",
        opt op_mod_max_lim_pct_va_inject: Mode<PerCent> = "opModMaxLimPctVAInject",
        opt op_mod_max_lim_pct_var_absorb: Mode<UnsignedFixedVar> = "opModMaxLimPctVarAbsorb",
        opt op_mod_max_lim_pct_var_inject: Mode<UnsignedFixedVar> = "opModMaxLimPctVarInject",
        opt op_mod_max_lim_pct_w_absorb: Mode<PerCent> = "opModMaxLimPctWAbsorb",
        opt op_mod_max_lim_var_absorb: Mode<UnsignedReactivePower> = "opModMaxLimVarAbsorb",
        opt op_mod_max_lim_var_inject: Mode<UnsignedReactivePower> = "opModMaxLimVarInject",
        opt op_mod_max_lim_w: Mode<PerCent> = "opModMaxLimW",
        opt op_mod_max_lim_w_absorb: Mode<UnsignedActivePower> = "opModMaxLimWAbsorb",
        opt op_mod_max_lim_w_inject: Mode<UnsignedActivePower> = "opModMaxLimWInject",
        opt op_mod_target_v: Mode<VoltageRms> = "opModTargetV",
        opt op_mod_target_var: Mode<ReactivePower> = "opModTargetVar",
        opt op_mod_target_w: Mode<ActivePower> = "opModTargetW",
        opt op_mod_volt_var: Mode<DerCurve> = "opModVoltVar",
        opt op_mod_volt_watt: Mode<DerCurve> = "opModVoltWatt",
        opt op_mod_watt_pf: Mode<DerCurve> = "opModWattPF",
        opt op_mod_watt_var: Mode<DerCurve> = "opModWattVar",
        one updated_time: TimeType = "updatedTime",
    }
}
