//! DER programmes, their controls and default controls.

use crate::codec::simple::{
    AnyUri, HexBinary8, HexBinary32, HexBinary128, PerCent, SignedPerCent, Text, TimeType, codes,
};
use crate::codec::table::complex;
use crate::wire::control_mode::{
    ActivePowerDeltaControlType, Mode, ReactivePowerDeltaControlType, UnsignedFixedVar,
};
use crate::wire::link::{Link, ListLink};
use crate::wire::quantity::{
    ActivePower, PowerFactorWithExcitation, ReactivePower, UnsignedActivePower,
    UnsignedReactivePower, VoltageRms,
};
use crate::wire::time::DateTimeInterval;

complex! {
    /// A programme of controls with its rank.
    pub struct DerProgram("DERProgram") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt active_der_control_list_link: ListLink = "ActiveDERControlListLink",
        opt default_der_control_link: Link = "DefaultDERControlLink",
        opt der_control_list_link: ListLink = "DERControlListLink",
        opt der_curve_list_link: ListLink = "DERCurveListLink",
        one primacy: u8 = "primacy",
    }

    /// Programmes, best rank first.
    pub struct DerProgramList("DERProgramList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many der_program: DerProgram = "DERProgram",
    }

    /// One control event.
    pub struct DerControl("DERControl") {
        @opt href: AnyUri = "href",
        @opt reply_to: AnyUri = "replyTo",
        @opt response_required: HexBinary8 = "responseRequired",
        @opt subscribable: u8 = "subscribable",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one creation_time: TimeType = "creationTime",
        one event_status: EventStatus = "EventStatus",
        one interval: DateTimeInterval = "interval",
        opt randomize_duration: i16 = "randomizeDuration",
        opt randomize_start: i16 = "randomizeStart",
        one base: DerControlBase = "DERControlBase",
        opt device_category: HexBinary32 = "deviceCategory",
    }

    /// Control events in order of start.
    pub struct DerControlList("DERControlList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many der_control: DerControl = "DERControl",
    }

    /// What is asked of a DER.
    pub struct DerControlBase("DERControlBase") {
        opt op_mod_connect: bool = "opModConnect",
        opt op_mod_delta_var: ReactivePowerDeltaControlType = "opModDeltaVar" in Y2023,
        opt op_mod_delta_w: ActivePowerDeltaControlType = "opModDeltaW" in Y2023,
        opt op_mod_energize: bool = "opModEnergize",
        opt op_mod_fixed_pf_absorb_w: Mode<PowerFactorWithExcitation> = "opModFixedPFAbsorbW",
        opt op_mod_fixed_pf_inject_w: Mode<PowerFactorWithExcitation> = "opModFixedPFInjectW",
        opt op_mod_fixed_v: Mode<SignedPerCent> = "opModFixedV" in Y2023,
        opt op_mod_fixed_var: Mode<FixedVar> = "opModFixedVar",
        opt op_mod_fixed_w: Mode<SignedPerCent> = "opModFixedW",
        opt op_mod_freq_droop: Mode<FreqDroopType> = "opModFreqDroop",
        opt op_mod_freq_watt: Mode<Link> = "opModFreqWatt",
        opt op_mod_grid_connect_permit: bool = "opModGridConnectPermit" in Y2023,
        opt op_mod_hfrt_may_trip: Mode<Link> = "opModHFRTMayTrip",
        opt op_mod_hfrt_must_trip: Mode<Link> = "opModHFRTMustTrip",
        opt op_mod_hvrt_may_trip: Mode<Link> = "opModHVRTMayTrip",
        opt op_mod_hvrt_momentary_cessation: Mode<Link> = "opModHVRTMomentaryCessation",
        opt op_mod_hvrt_must_trip: Mode<Link> = "opModHVRTMustTrip",
        opt op_mod_island_permit: bool = "opModIslandPermit" in Y2023,
        opt op_mod_lfrt_may_trip: Mode<Link> = "opModLFRTMayTrip",
        opt op_mod_lfrt_must_trip: Mode<Link> = "opModLFRTMustTrip",
        opt op_mod_lvrt_may_trip: Mode<Link> = "opModLVRTMayTrip",
        opt op_mod_lvrt_momentary_cessation: Mode<Link> = "opModLVRTMomentaryCessation",
        opt op_mod_lvrt_must_trip: Mode<Link> = "opModLVRTMustTrip",
        opt op_mod_max_lim_pct_va_absorb: Mode<PerCent> = "opModMaxLimPctVAAbsorb" in Y2023,
        opt op_mod_max_lim_pct_va_inject: Mode<PerCent> = "opModMaxLimPctVAInject" in Y2023,
        opt op_mod_max_lim_pct_var_absorb: Mode<UnsignedFixedVar> =
            "opModMaxLimPctVarAbsorb" in Y2023,
        opt op_mod_max_lim_pct_var_inject: Mode<UnsignedFixedVar> =
            "opModMaxLimPctVarInject" in Y2023,
        opt op_mod_max_lim_pct_w_absorb: Mode<PerCent> = "opModMaxLimPctWAbsorb" in Y2023,
        opt op_mod_max_lim_var_absorb: Mode<UnsignedReactivePower> =
            "opModMaxLimVarAbsorb" in Y2023,
        opt op_mod_max_lim_var_inject: Mode<UnsignedReactivePower> =
            "opModMaxLimVarInject" in Y2023,
        opt op_mod_max_lim_w: Mode<PerCent> = "opModMaxLimW",
        opt op_mod_max_lim_w_absorb: Mode<UnsignedActivePower> = "opModMaxLimWAbsorb" in Y2023,
        opt op_mod_max_lim_w_inject: Mode<UnsignedActivePower> = "opModMaxLimWInject" in Y2023,
        opt op_mod_target_v: Mode<VoltageRms> = "opModTargetV" in Y2023,
        opt op_mod_target_var: Mode<ReactivePower> = "opModTargetVar",
        opt op_mod_target_w: Mode<ActivePower> = "opModTargetW",
        opt op_mod_volt_var: Mode<Link> = "opModVoltVar",
        opt op_mod_volt_watt: Mode<Link> = "opModVoltWatt",
        opt op_mod_watt_pf: Mode<Link> = "opModWattPF",
        opt op_mod_watt_var: Mode<Link> = "opModWattVar",
        opt ramp_tms: u16 = "rampTms",
        opt op_mod_imp_lim_w: ActivePower = "csipaus:opModImpLimW" in CSIP_AUS,
        opt op_mod_exp_lim_w: ActivePower = "csipaus:opModExpLimW" in CSIP_AUS,
        opt op_mod_gen_lim_w: ActivePower = "csipaus:opModGenLimW" in CSIP_AUS,
        opt op_mod_load_lim_w: ActivePower = "csipaus:opModLoadLimW" in CSIP_AUS,
        opt op_mod_storage_target_w: ActivePower = "csipaus:opModStorageTargetW" in CSIP_AUS_13,
    }

    /// What holds when no event does.
    pub struct DefaultDerControl("DefaultDERControl") {
        @opt href: AnyUri = "href",
        @opt reply_to: AnyUri = "replyTo" in Y2023,
        @opt response_required: HexBinary8 = "responseRequired" in Y2023,
        @opt subscribable: u8 = "subscribable",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one base: DerControlBase = "DERControlBase",
        opt set_es_delay: u32 = "setESDelay",
        opt set_es_high_freq: u16 = "setESHighFreq",
        opt set_es_high_volt: i16 = "setESHighVolt",
        opt set_es_low_freq: u16 = "setESLowFreq",
        opt set_es_low_volt: i16 = "setESLowVolt",
        opt set_es_ramp_tms: u32 = "setESRampTms",
        opt set_es_random_delay: u32 = "setESRandomDelay",
        opt set_grad_w: u16 = "setGradW",
        opt set_soft_grad_w: u16 = "setSoftGradW",
        opt updated_time: TimeType = "updatedTime" in Y2023,
    }

    /// Reactive power in percent of what `ref_type` says.
    pub struct FixedVar("FixedVar") {
        one ref_type: DerUnitRefType = "refType",
        one value: SignedPerCent = "value",
    }

    /// Frequency droop parameters.
    pub struct FreqDroopType("FreqDroopType") {
        one dbof: u32 = "dBOF",
        one dbuf: u32 = "dBUF",
        one kof: u16 = "kOF",
        one kuf: u16 = "kUF",
        one open_loop_tms: u16 = "openLoopTms",
        opt p_min: ActivePower = "pMin" in Y2023,
    }

    /// Where an event is in its life.
    pub struct EventStatus("EventStatus") {
        one current_status: EventState = "currentStatus",
        one date_time: TimeType = "dateTime",
        one potentially_superseded: bool = "potentiallySuperseded",
        opt potentially_superseded_time: TimeType = "potentiallySupersededTime",
        opt reason: Text<192> = "reason",
    }
}

codes! {
    /// State of an event.
    pub struct EventState(u8) {
        SCHEDULED = 0,
        ACTIVE = 1,
        CANCELLED = 2,
        CANCELLED_WITH_RANDOMIZATION = 3,
        /// Deprecated in 2023: servers of that edition complete or cancel instead.
        SUPERSEDED = 4,
        /// Since 2023.
        COMPLETED = 5,
    }

    /// What a percentage is a percentage of.
    pub struct DerUnitRefType(u8) {
        NOT_APPLICABLE = 0,
        SET_MAX_W = 1,
        SET_MAX_VAR = 2,
        STAT_VAR_AVAIL = 3,
        SET_EFFECTIVE_V = 4,
        SET_MAX_CHARGE_RATE_W = 5,
        SET_MAX_DISCHARGE_RATE_W = 6,
        STAT_W_AVAIL = 7,
        /// Since 2023.
        SET_MAX_VA = 8,
    }
}
