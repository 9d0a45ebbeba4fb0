//! Curves that control modes follow.

use crate::codec::simple::{AnyUri, HexBinary128, PerCent, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::der_control::DerUnitRefType;

complex! {
    /// A curve of a programme.
    pub struct DerCurve("DERCurve") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt autonomous_v_ref_enable: bool = "autonomousVRefEnable",
        opt autonomous_v_ref_time_constant: u32 = "autonomousVRefTimeConstant",
        one creation_time: TimeType = "creationTime",
        some curve_data: CurveData = "CurveData" max 10,
        one curve_type: DerCurveType = "curveType",
        opt open_loop_tms: u16 = "openLoopTms",
        opt ramp_dec_tms: u16 = "rampDecTms",
        opt ramp_inc_tms: u16 = "rampIncTms",
        opt ramp_pt1_tms: u16 = "rampPT1Tms",
        opt v_ref: PerCent = "vRef",
        one x_multiplier: i8 = "xMultiplier",
        one y_multiplier: i8 = "yMultiplier",
        one y_ref_type: DerUnitRefType = "yRefType",
    }

    /// Curves of a programme.
    pub struct DerCurveList("DERCurveList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many der_curve: DerCurve = "DERCurve",
    }

    /// One point of a curve.
    pub struct CurveData("CurveData") {
        opt excitation: bool = "excitation",
        one xvalue: i32 = "xvalue",
        one yvalue: i32 = "yvalue",
    }
}

codes! {
    /// Which control mode a curve is for.
    pub struct DerCurveType(u8) {
        FREQ_WATT = 0,
        HFRT_MAY_TRIP = 1,
        HFRT_MUST_TRIP = 2,
        HVRT_MAY_TRIP = 3,
        HVRT_MOMENTARY_CESSATION = 4,
        HVRT_MUST_TRIP = 5,
        LFRT_MAY_TRIP = 6,
        LFRT_MUST_TRIP = 7,
        LVRT_MAY_TRIP = 8,
        LVRT_MOMENTARY_CESSATION = 9,
        LVRT_MUST_TRIP = 10,
        VOLT_VAR = 11,
        VOLT_WATT = 12,
        WATT_PF = 13,
        WATT_VAR = 14,
    }
}
