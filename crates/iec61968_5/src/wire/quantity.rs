//! What can be asked or reported, in which direction and unit.

use crate::literals::literals;

literals!(
    /// `DERParameterKind`.
    DerParameter {
        /// Active power.
        ActivePower = "activePower",
        /// Apparent power.
        ApparentPower = "apparentPower",
        /// Fastest decrease.
        DecreasingRampRate = "decreasingRampRate",
        /// Regulation, slow, both ways.
        HighFilterBiDirectionalRegulation = "highFilterBiDirectionalRegulation",
        /// Regulation, slow, down.
        HighFilterDownRegulation = "highFilterDownRegulation",
        /// Regulation, slow, up.
        HighFilterUpRegulation = "highFilterUpRegulation",
        /// Fastest increase.
        IncreasingRampRate = "increasingRampRate",
        /// Regulation, fast, both ways.
        LowFilterBiDirectionalRegulation = "lowFilterBiDirectionalRegulation",
        /// Regulation, fast, down.
        LowFilterDownRegulation = "lowFilterDownRegulation",
        /// Regulation, fast, up.
        LowFilterUpRegulation = "lowFilterUpRegulation",
        /// Reactive power.
        ReactivePower = "reactivePower",
        /// Voltage.
        Voltage = "voltage",
    }
);

literals!(
    /// `FlowDirectionKind`.
    FlowDirection {
        /// Delivered to the customer.
        Forward = "forward",
        /// Under-excited.
        Lagging = "lagging",
        /// Over-excited.
        Leading = "leading",
        /// Forward less reverse.
        Net = "net",
        /// Does not apply.
        None = "none",
        /// Quadrants 1 and minus 4.
        Q1MinusQ4 = "q1minusQ4",
        /// Quadrants 1 and 2.
        Q1PlusQ2 = "q1plusQ2",
        /// Quadrants 1 and 3.
        Q1PlusQ3 = "q1plusQ3",
        /// Quadrants 1 and 4.
        Q1PlusQ4 = "q1plusQ4",
        /// Quadrants 2 and minus 3.
        Q2MinusQ3 = "q2minusQ3",
        /// Quadrants 2 and 3.
        Q2PlusQ3 = "q2plusQ3",
        /// Quadrants 2 and 4.
        Q2PlusQ4 = "q2plusQ4",
        /// Quadrants 3 and minus 2.
        Q3MinusQ2 = "q3minusQ2",
        /// Quadrants 3 and 4.
        Q3PlusQ4 = "q3plusQ4",
        /// First quadrant.
        Quadrant1 = "quadrant1",
        /// Second quadrant.
        Quadrant2 = "quadrant2",
        /// Third quadrant.
        Quadrant3 = "quadrant3",
        /// Fourth quadrant.
        Quadrant4 = "quadrant4",
        /// Received from the customer.
        Reverse = "reverse",
        /// Forward plus reverse.
        Total = "total",
        /// The same, for each phase.
        TotalByPhase = "totalByPhase",
    }
);

literals!(
    /// `UnitMultiplier`.
    UnitMultiplier {
        /// 10¹⁸
        Exa = "E",
        /// 10⁹
        Giga = "G",
        /// 10⁶
        Mega = "M",
        /// 10¹⁵
        Peta = "P",
        /// 10¹²
        Tera = "T",
        /// 10²⁴
        Yotta = "Y",
        /// 10²¹
        Zetta = "Z",
        /// 10⁻¹⁸
        Atto = "a",
        /// 10⁻²
        Centi = "c",
        /// 10⁻¹
        Deci = "d",
        /// 10¹
        Deca = "da",
        /// 10⁻¹⁵
        Femto = "f",
        /// 10²
        Hecto = "h",
        /// 10³
        Kilo = "k",
        /// 10⁻³
        Milli = "m",
        /// 10⁻⁶
        Micro = "micro",
        /// 10⁻⁹
        Nano = "n",
        /// 1
        One = "none",
        /// 10⁻¹²
        Pico = "p",
        /// 10⁻²⁴
        Yocto = "y",
        /// 10⁻²¹
        Zepto = "z",
    }
);

impl UnitMultiplier {
    /// The power of ten it stands for.
    #[must_use]
    pub const fn exponent(self) -> i32 {
        match self {
            Self::Yotta => 24,
            Self::Zetta => 21,
            Self::Exa => 18,
            Self::Peta => 15,
            Self::Tera => 12,
            Self::Giga => 9,
            Self::Mega => 6,
            Self::Kilo => 3,
            Self::Hecto => 2,
            Self::Deca => 1,
            Self::One => 0,
            Self::Deci => -1,
            Self::Centi => -2,
            Self::Milli => -3,
            Self::Micro => -6,
            Self::Nano => -9,
            Self::Pico => -12,
            Self::Femto => -15,
            Self::Atto => -18,
            Self::Zepto => -21,
            Self::Yocto => -24,
        }
    }

    /// `value` with the multiplier carried out. Division by a power of ten is exact where
    /// multiplication by its inverse is not.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        let scale = 10_f64.powi(self.exponent().abs());
        if self.exponent() < 0 {
            value / scale
        } else {
            value * scale
        }
    }
}

literals!(
    /// `DERUnitSymbol`.
    UnitSymbol {
        /// Ampere.
        A = "A",
        /// Ampere-hour.
        Ah = "Ah",
        /// Ampere-second.
        As = "As",
        /// British thermal unit.
        Btu = "Btu",
        /// Hertz.
        Hz = "Hz",
        /// Quantity power.
        Q = "Q",
        /// Quantity energy.
        Qh = "Qh",
        /// Volt.
        V = "V",
        /// Volt-ampere.
        VA = "VA",
        /// Volt-ampere-hour.
        VAh = "VAh",
        /// Volt-ampere reactive.
        VAr = "VAr",
        /// Volt-ampere reactive hour.
        VArh = "VArh",
        /// Volt per volt-ampere.
        VPerVA = "VPerVA",
        /// Volt per volt-ampere reactive.
        VPerVAr = "VPerVAr",
        /// Volt-hour.
        Vh = "Vh",
        /// Volt-second.
        Vs = "Vs",
        /// Watt.
        W = "W",
        /// Watt per ampere.
        WPerA = "WPerA",
        /// Watt per second.
        WPers = "WPers",
        /// Watt-hour.
        Wh = "Wh",
        /// Degree.
        Deg = "deg",
        /// Degree Celsius.
        DegC = "degC",
        /// Hour.
        H = "h",
        /// Minute.
        Min = "min",
        /// Ohm.
        Ohm = "ohm",
        /// Ohm per metre.
        OhmPerm = "ohmPerm",
        /// Ohm-metre.
        Ohmm = "ohmm",
        /// Per hertz.
        OnePerHz = "onePerHz",
        /// Second.
        S = "s",
        /// Therm.
        Therm = "therm",
    }
);

literals!(
    /// `CurveStyle`.
    CurveStyle {
        /// N points for N intervals, each held until the next.
        ConstantYValue = "constantYValue",
        /// N + 1 points for N intervals, joined by straight lines.
        StraightLineYValues = "straightLineYValues",
    }
);

literals!(
    /// `TimeIntervalKind`.
    TimeIntervalKind {
        /// Day.
        Day = "D",
        /// Month.
        Month = "M",
        /// Year.
        Year = "Y",
        /// Hour.
        Hour = "h",
        /// Minute.
        Minute = "m",
        /// Second.
        Second = "s",
    }
);

impl TimeIntervalKind {
    /// Seconds in it; `None` where the calendar decides.
    #[must_use]
    pub const fn seconds(self) -> Option<u64> {
        match self {
            Self::Second => Some(1),
            Self::Minute => Some(60),
            Self::Hour => Some(3_600),
            Self::Day => Some(86_400),
            Self::Month | Self::Year => None,
        }
    }
}
