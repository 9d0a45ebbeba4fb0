//! DER programmes, their controls and default controls.

use crate::codec::simple::{
    AnyUri, HexBinary8, HexBinary32, HexBinary128, PerCent, SignedPerCent, Simple, Text, TimeType,
    ValueError, codes,
};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};
use crate::wire::quantity::{ActivePower, PowerFactorWithExcitation, ReactivePower};
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
        opt op_mod_energize: bool = "opModEnergize",
        opt op_mod_fixed_pf_absorb_w: PowerFactorWithExcitation = "opModFixedPFAbsorbW",
        opt op_mod_fixed_pf_inject_w: PowerFactorWithExcitation = "opModFixedPFInjectW",
        opt op_mod_fixed_var: FixedVar = "opModFixedVar",
        opt op_mod_fixed_w: SignedPerCent = "opModFixedW",
        opt op_mod_freq_droop: FreqDroopType = "opModFreqDroop",
        opt op_mod_freq_watt: Link = "opModFreqWatt",
        opt op_mod_hfrt_may_trip: Link = "opModHFRTMayTrip",
        opt op_mod_hfrt_must_trip: Link = "opModHFRTMustTrip",
        opt op_mod_hvrt_may_trip: Link = "opModHVRTMayTrip",
        opt op_mod_hvrt_momentary_cessation: Link = "opModHVRTMomentaryCessation",
        opt op_mod_hvrt_must_trip: Link = "opModHVRTMustTrip",
        opt op_mod_lfrt_may_trip: Link = "opModLFRTMayTrip",
        opt op_mod_lfrt_must_trip: Link = "opModLFRTMustTrip",
        opt op_mod_lvrt_may_trip: Link = "opModLVRTMayTrip",
        opt op_mod_lvrt_momentary_cessation: Link = "opModLVRTMomentaryCessation",
        opt op_mod_lvrt_must_trip: Link = "opModLVRTMustTrip",
        opt op_mod_max_lim_w: PerCent = "opModMaxLimW",
        opt op_mod_target_var: ReactivePower = "opModTargetVar",
        opt op_mod_target_w: ActivePower = "opModTargetW",
        opt op_mod_volt_var: Link = "opModVoltVar",
        opt op_mod_volt_watt: Link = "opModVoltWatt",
        opt op_mod_watt_pf: Link = "opModWattPF",
        opt op_mod_watt_var: Link = "opModWattVar",
        opt ramp_tms: u16 = "rampTms",
    }

    /// What holds when no event does.
    pub struct DefaultDerControl("DefaultDERControl") {
        @opt href: AnyUri = "href",
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
        SUPERSEDED = 4,
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
    }
}

/// Control modes as bits, in capability and settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DerControlType(pub u32);

impl DerControlType {
    pub const CHARGE: u32 = 1 << 0;
    pub const DISCHARGE: u32 = 1 << 1;
    pub const CONNECT: u32 = 1 << 2;
    pub const ENERGIZE: u32 = 1 << 3;
    pub const FIXED_PF_ABSORB_W: u32 = 1 << 4;
    pub const FIXED_PF_INJECT_W: u32 = 1 << 5;
    pub const FIXED_VAR: u32 = 1 << 6;
    pub const FIXED_W: u32 = 1 << 7;
    pub const FREQ_DROOP: u32 = 1 << 8;
    pub const FREQ_WATT: u32 = 1 << 9;
    pub const MAX_LIM_W: u32 = 1 << 20;
    pub const TARGET_VAR: u32 = 1 << 21;
    pub const TARGET_W: u32 = 1 << 22;
    pub const VOLT_VAR: u32 = 1 << 23;
    pub const VOLT_WATT: u32 = 1 << 24;
    pub const WATT_PF: u32 = 1 << 25;
    pub const WATT_VAR: u32 = 1 << 26;

    #[must_use]
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }
}

impl Simple for DerControlType {
    fn read(text: &str) -> Result<Self, ValueError> {
        HexBinary32::read(text).map(|bits| Self(bits.0))
    }

    fn write(&self, out: &mut Vec<u8>) {
        HexBinary32(self.0).write(out);
    }
}
