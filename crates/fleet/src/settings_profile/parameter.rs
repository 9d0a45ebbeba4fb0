//! The parameters of a profile: name, unit, resolution, range and clause, one row each.
//!
//! Names are those of the common file format for DER settings (EPRI 3002020201), without the
//! suffix that says which kind of file they stand in. IEEE 1547-2018 has no adjustable may-trip
//! curves and no ramp rate outside of enter service; the rows for CSIP's (`..._MAY_TRIP_...`,
//! `SET_GRAD_W`, `SET_SOFT_GRAD_W`) use the format's freedom to carry further parameters.

use std::fmt;

use super::{Abnormal, Category, Decimal};

/// What kind of value a parameter takes, with its unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `ENABLED` or `DISABLED`.
    Switch,
    /// `INJ` or `ABS`.
    Excitation,
    /// Voltage, per unit of the nominal one.
    VoltagePu,
    /// Active power, per unit of the rating; negative absorbs.
    ActivePowerPu,
    /// Reactive power, per unit of the apparent power rating; negative absorbs.
    ReactivePowerPu,
    /// Power factor.
    PowerFactor,
    /// Droop: change of frequency per change of active power, both per unit.
    DroopPu,
    /// Hertz.
    Hertz,
    /// Seconds.
    Seconds,
    /// Percent of the maximum active power per second.
    PercentPerSecond,
}

impl Kind {
    /// As it is written, empty where there is no unit.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Switch | Self::Excitation | Self::PowerFactor => "",
            Self::VoltagePu | Self::ActivePowerPu | Self::ReactivePowerPu | Self::DroopPu => "pu",
            Self::Hertz => "Hz",
            Self::Seconds => "s",
            Self::PercentPerSecond => "%/s",
        }
    }
}

macro_rules! parameters {
    ($($variant:ident $name:literal $kind:ident $step:literal [$($range:literal)*] $clause:literal)+) => {
        /// One setting; the order is that of the file.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Parameter {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl Parameter {
            /// Every parameter, in the order of the file.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in the file.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it takes.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)+ }
            }

            /// The finest difference that IEEE 2030.5 can hold, in millionths of the unit.
            #[must_use]
            pub const fn step_micro(self) -> i64 {
                match self { $(Self::$variant => $step,)+ }
            }

            /// Where the standard has it.
            #[must_use]
            pub const fn clause(self) -> &'static str {
                match self { $(Self::$variant => $clause,)+ }
            }

            const fn range_milli(self) -> &'static [i64] {
                match self { $(Self::$variant => &[$($range),*],)+ }
            }
        }
    };
}

// Steps are those of the element that carries the setting: hundredths of a percent, of a second and
// of a hertz, thousandths for droop. Ranges are in thousandths of the unit.
parameters! {
    ApLimitEnable "AP_LIMIT_ENABLE" Switch 1 [] "IEEE 1547-2018 4.6.2"
    ApLimit "AP_LIMIT" ActivePowerPu 100 [0 1_000] "IEEE 1547-2018 4.6.2"

    EsPermitService "ES_PERMIT_SERVICE" Switch 1 [] "IEEE 1547-2018 table 39"
    EsVLow "ES_V_LOW" VoltagePu 100 [880 950] "IEEE 1547-2018 table 4"
    EsVHigh "ES_V_HIGH" VoltagePu 100 [1_050 1_060] "IEEE 1547-2018 table 4"
    EsFLow "ES_F_LOW" Hertz 10_000 [59_000 59_900] "IEEE 1547-2018 table 4"
    EsFHigh "ES_F_HIGH" Hertz 10_000 [60_100 61_000] "IEEE 1547-2018 table 4"
    EsDelay "ES_DELAY" Seconds 10_000 [0 600_000] "IEEE 1547-2018 4.10.3 a)"
    EsRandomizedDelay "ES_RANDOMIZED_DELAY" Seconds 10_000 [0 1_000_000] "IEEE 1547-2018 4.10.3 c)"
    EsRampRate "ES_RAMP_RATE" Seconds 10_000 [0 1_000_000] "IEEE 1547-2018 4.10.3 b)"
    SetGradW "SET_GRAD_W" PercentPerSecond 10_000 [10 655_350] "IEEE 2030.5 setGradW"
    SetSoftGradW "SET_SOFT_GRAD_W" PercentPerSecond 10_000 [10 655_350] "IEEE 2030.5 setSoftGradW"

    ConstPfModeEnable "CONST_PF_MODE_ENABLE" Switch 1 [] "IEEE 1547-2018 5.3.2"
    ConstPfExcitation "CONST_PF_EXCITATION" Excitation 1 [] "IEEE 1547-2018 5.3.2"
    ConstPf "CONST_PF" PowerFactor 100 [0 1_000] "IEEE 1547-2018 5.3.2"
    ConstQModeEnable "CONST_Q_MODE_ENABLE" Switch 1 [] "IEEE 1547-2018 5.3.5"
    ConstQ "CONST_Q" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 5.3.5"

    QvModeEnable "QV_MODE_ENABLE" Switch 1 [] "IEEE 1547-2018 5.3.3"
    QvVref "QV_VREF" VoltagePu 100 [950 1_050] "IEEE 1547-2018 table 8"
    QvVrefAutoMode "QV_VREF_AUTO_MODE" Switch 1 [] "IEEE 1547-2018 5.3.3"
    QvVrefTime "QV_VREF_TIME" Seconds 10_000 [300_000 5_000_000] "IEEE 1547-2018 5.3.3"
    QvCurveV1 "QV_CURVE_V1" VoltagePu 100 [820 980] "IEEE 1547-2018 table 8"
    QvCurveQ1 "QV_CURVE_Q1" ReactivePowerPu 100 [0 1_000] "IEEE 1547-2018 table 8"
    QvCurveV2 "QV_CURVE_V2" VoltagePu 100 [970 1_000] "IEEE 1547-2018 table 8"
    QvCurveQ2 "QV_CURVE_Q2" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 table 8"
    QvCurveV3 "QV_CURVE_V3" VoltagePu 100 [1_000 1_030] "IEEE 1547-2018 table 8"
    QvCurveQ3 "QV_CURVE_Q3" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 table 8"
    QvCurveV4 "QV_CURVE_V4" VoltagePu 100 [1_020 1_180] "IEEE 1547-2018 table 8"
    QvCurveQ4 "QV_CURVE_Q4" ReactivePowerPu 100 [-1_000 0] "IEEE 1547-2018 table 8"
    QvOlrt "QV_OLRT" Seconds 10_000 [1_000 90_000] "IEEE 1547-2018 table 8"

    QpModeEnable "QP_MODE_ENABLE" Switch 1 [] "IEEE 1547-2018 5.3.4"
    QpCurveP3Gen "QP_CURVE_P3_GEN" ActivePowerPu 100 [500 1_000] "IEEE 1547-2018 table 9"
    QpCurveP2Gen "QP_CURVE_P2_GEN" ActivePowerPu 100 [400 800] "IEEE 1547-2018 table 9"
    QpCurveP1Gen "QP_CURVE_P1_GEN" ActivePowerPu 100 [0 700] "IEEE 1547-2018 table 9"
    QpCurveP1Load "QP_CURVE_P1_LOAD" ActivePowerPu 100 [-700 0] "IEEE 1547-2018 table 9"
    QpCurveP2Load "QP_CURVE_P2_LOAD" ActivePowerPu 100 [-800 -400] "IEEE 1547-2018 table 9"
    QpCurveP3Load "QP_CURVE_P3_LOAD" ActivePowerPu 100 [-1_000 -500] "IEEE 1547-2018 table 9"
    QpCurveQ3Gen "QP_CURVE_Q3_GEN" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 table 9"
    QpCurveQ2Gen "QP_CURVE_Q2_GEN" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 table 9"
    QpCurveQ1Gen "QP_CURVE_Q1_GEN" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 table 9"
    QpCurveQ1Load "QP_CURVE_Q1_LOAD" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 table 9"
    QpCurveQ2Load "QP_CURVE_Q2_LOAD" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 table 9"
    QpCurveQ3Load "QP_CURVE_Q3_LOAD" ReactivePowerPu 100 [-1_000 1_000] "IEEE 1547-2018 table 9"

    PvModeEnable "PV_MODE_ENABLE" Switch 1 [] "IEEE 1547-2018 5.4.2"
    PvCurveV1 "PV_CURVE_V1" VoltagePu 100 [1_050 1_090] "IEEE 1547-2018 table 10"
    PvCurveP1 "PV_CURVE_P1" ActivePowerPu 100 [0 1_000] "IEEE 1547-2018 table 10"
    PvCurveV2 "PV_CURVE_V2" VoltagePu 100 [1_060 1_100] "IEEE 1547-2018 table 10"
    PvCurveP2 "PV_CURVE_P2" ActivePowerPu 100 [0 1_000] "IEEE 1547-2018 table 10"
    PvOlrt "PV_OLRT" Seconds 10_000 [500 60_000] "IEEE 1547-2018 table 10"

    Ov2TripV "OV2_TRIP_V" VoltagePu 100 [1_200 1_200] "IEEE 1547-2018 tables 11 to 13"
    Ov2TripT "OV2_TRIP_T" Seconds 10_000 [160 160] "IEEE 1547-2018 tables 11 to 13"
    Ov1TripV "OV1_TRIP_V" VoltagePu 100 [1_100 1_200] "IEEE 1547-2018 tables 11 to 13"
    Ov1TripT "OV1_TRIP_T" Seconds 10_000 [1_000 13_000] "IEEE 1547-2018 tables 11 to 13"
    Uv1TripV "UV1_TRIP_V" VoltagePu 100 [0 880] "IEEE 1547-2018 tables 11 to 13"
    Uv1TripT "UV1_TRIP_T" Seconds 10_000 [2_000 21_000] "IEEE 1547-2018 tables 11 to 13"
    Uv2TripV "UV2_TRIP_V" VoltagePu 100 [0 500] "IEEE 1547-2018 tables 11 to 13"
    Uv2TripT "UV2_TRIP_T" Seconds 10_000 [160 2_000] "IEEE 1547-2018 tables 11 to 13"
    Of2TripF "OF2_TRIP_F" Hertz 10_000 [61_800 66_000] "IEEE 1547-2018 table 18"
    Of2TripT "OF2_TRIP_T" Seconds 10_000 [160 1_000_000] "IEEE 1547-2018 table 18"
    Of1TripF "OF1_TRIP_F" Hertz 10_000 [61_000 66_000] "IEEE 1547-2018 table 18"
    Of1TripT "OF1_TRIP_T" Seconds 10_000 [180_000 1_000_000] "IEEE 1547-2018 table 18"
    Uf1TripF "UF1_TRIP_F" Hertz 10_000 [50_000 59_000] "IEEE 1547-2018 table 18"
    Uf1TripT "UF1_TRIP_T" Seconds 10_000 [180_000 1_000_000] "IEEE 1547-2018 table 18"
    Uf2TripF "UF2_TRIP_F" Hertz 10_000 [50_000 57_000] "IEEE 1547-2018 table 18"
    Uf2TripT "UF2_TRIP_T" Seconds 10_000 [160 1_000_000] "IEEE 1547-2018 table 18"

    Ov1MayTripV "OV1_MAY_TRIP_V" VoltagePu 100 [1_000 1_200] "IEEE 2030.5 opModHVRTMayTrip"
    Ov1MayTripT "OV1_MAY_TRIP_T" Seconds 10_000 [0 1_000_000] "IEEE 2030.5 opModHVRTMayTrip"
    Ov2MayTripV "OV2_MAY_TRIP_V" VoltagePu 100 [1_000 1_200] "IEEE 2030.5 opModHVRTMayTrip"
    Ov2MayTripT "OV2_MAY_TRIP_T" Seconds 10_000 [0 1_000_000] "IEEE 2030.5 opModHVRTMayTrip"
    Uv1MayTripV "UV1_MAY_TRIP_V" VoltagePu 100 [0 1_000] "IEEE 2030.5 opModLVRTMayTrip"
    Uv1MayTripT "UV1_MAY_TRIP_T" Seconds 10_000 [0 1_000_000] "IEEE 2030.5 opModLVRTMayTrip"
    Uv2MayTripV "UV2_MAY_TRIP_V" VoltagePu 100 [0 1_000] "IEEE 2030.5 opModLVRTMayTrip"
    Uv2MayTripT "UV2_MAY_TRIP_T" Seconds 10_000 [0 1_000_000] "IEEE 2030.5 opModLVRTMayTrip"
    Of1MayTripF "OF1_MAY_TRIP_F" Hertz 10_000 [60_000 66_000] "IEEE 2030.5 opModHFRTMayTrip"
    Of1MayTripT "OF1_MAY_TRIP_T" Seconds 10_000 [0 1_000_000] "IEEE 2030.5 opModHFRTMayTrip"
    Uf1MayTripF "UF1_MAY_TRIP_F" Hertz 10_000 [50_000 60_000] "IEEE 2030.5 opModLFRTMayTrip"
    Uf1MayTripT "UF1_MAY_TRIP_T" Seconds 10_000 [0 1_000_000] "IEEE 2030.5 opModLFRTMayTrip"

    McEnable "MC_ENABLE" Switch 1 [] "IEEE 1547-2018 6.4.2.7.3"
    McHvrtV1 "MC_HVRT_V1" VoltagePu 100 [1_000 1_200] "IEEE 1547-2018 table 16"
    McLvrtV1 "MC_LVRT_V1" VoltagePu 100 [0 1_000] "IEEE 1547-2018 table 16"

    PfModeEnable "PF_MODE_ENABLE" Switch 1 [] "IEEE 1547-2018 6.5.2.7"
    PfDbof "PF_DBOF" Hertz 1_000 [17 1_000] "IEEE 1547-2018 table 24"
    PfDbuf "PF_DBUF" Hertz 1_000 [17 1_000] "IEEE 1547-2018 table 24"
    PfKof "PF_KOF" DroopPu 1_000 [20 50] "IEEE 1547-2018 table 24"
    PfKuf "PF_KUF" DroopPu 1_000 [20 50] "IEEE 1547-2018 table 24"
    PfOlrt "PF_OLRT" Seconds 10_000 [200 10_000] "IEEE 1547-2018 table 24"
}

impl Parameter {
    /// The parameter of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|each| each.name() == name)
    }

    /// Least and greatest value for a DER of `category`; `None` for what is no number.
    #[must_use]
    pub fn range(self, category: Category) -> Option<(Decimal, Decimal)> {
        let milli = match (self, category.abnormal) {
            // IEEE 1547a-2020 widened the clearing times of table 13, so that a DER of category III
            // can be set as one of category II.
            (Self::Uv1TripT, Abnormal::III) => &[2_000, 50_000],
            (Self::Uv2TripT, Abnormal::III) => &[160, 21_000],
            (Self::PfKof | Self::PfKuf, Abnormal::I | Abnormal::II) => &[30, 50],
            (Self::PfOlrt, Abnormal::I | Abnormal::II) => &[1_000, 10_000],
            _ => self.range_milli(),
        };
        match *milli {
            [min, max] => Some((Decimal::from_milli(min), Decimal::from_milli(max))),
            _ => None,
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
