//! Values with a power of ten, and what they are in SI units.

use units::{Vars, VoltAmperes, WattHours, Watts};

use crate::codec::simple::{Int48, UInt48};
use crate::codec::table::complex;
use crate::wire::metering::UomType;

complex! {
    /// Watts: `value` times ten to the power of `multiplier`.
    pub struct ActivePower("ActivePower") {
        one multiplier: i8 = "multiplier",
        one value: i16 = "value",
    }

    /// Vars.
    pub struct ReactivePower("ReactivePower") {
        one multiplier: i8 = "multiplier",
        one value: i16 = "value",
    }

    /// Watts of one direction.
    pub struct UnsignedActivePower("UnsignedActivePower" in Y2023) {
        one multiplier: i8 = "multiplier",
        one value: u16 = "value",
    }

    /// Vars of one direction.
    pub struct UnsignedReactivePower("UnsignedReactivePower" in Y2023) {
        one multiplier: i8 = "multiplier",
        one value: u16 = "value",
    }

    /// Volt-amperes.
    pub struct ApparentPower("ApparentPower") {
        one multiplier: i8 = "multiplier",
        one value: u16 = "value",
    }

    /// Amperes.
    pub struct CurrentRms("CurrentRMS") {
        one multiplier: i8 = "multiplier",
        one value: u16 = "value",
    }

    /// Volts.
    pub struct VoltageRms("VoltageRMS") {
        one multiplier: i8 = "multiplier",
        one value: u16 = "value",
    }

    /// Ampere-hours.
    pub struct AmpereHour("AmpereHour") {
        one multiplier: i8 = "multiplier",
        one value: u16 = "value",
    }

    /// Watt-hours.
    pub struct WattHour("WattHour") {
        one multiplier: i8 = "multiplier",
        one value: u16 = "value",
    }

    /// Watt-hours, wider.
    pub struct RealEnergy("RealEnergy") {
        one multiplier: i8 = "multiplier",
        one value: UInt48 = "value",
    }

    /// Siemens.
    pub struct ReactiveSusceptance("ReactiveSusceptance") {
        one multiplier: i8 = "multiplier",
        one value: u16 = "value",
    }

    /// A displacement power factor.
    pub struct PowerFactor("PowerFactor") {
        one displacement: u16 = "displacement",
        one multiplier: i8 = "multiplier",
    }

    /// A displacement power factor and its sign: `excitation` is true when under-excited.
    pub struct PowerFactorWithExcitation("PowerFactorWithExcitation") {
        one displacement: u16 = "displacement",
        one excitation: bool = "excitation",
        one multiplier: i8 = "multiplier",
    }

    /// A value with its unit.
    pub struct UnitValueType("UnitValueType") {
        one multiplier: i8 = "multiplier",
        one unit: UomType = "unit",
        one value: i32 = "value",
    }

    /// Watt-hours of either direction.
    pub struct SignedRealEnergy("SignedRealEnergy") {
        one multiplier: i8 = "multiplier",
        one value: Int48 = "value",
    }
}

/// The smallest multiplier at which `micro` millionths fit into `value`, and that value, rounded to
/// the nearest. A value that can be written exactly is.
fn scaled(micro: i64, max: u64) -> (i8, i64) {
    let (mut multiplier, mut divisor) = (-6_i8, 1_i64);
    let mut value = micro;
    while value.unsigned_abs() > max {
        multiplier += 1;
        divisor *= 10;
        let half = divisor / 2 * micro.signum();
        value = micro.saturating_add(half) / divisor;
    }
    while multiplier < 0 && value % 10 == 0 {
        multiplier += 1;
        value /= 10;
    }
    (multiplier, value)
}

/// `value` times ten to the power of `multiplier`, in millionths; none if beyond 64 bits or finer.
fn micro(multiplier: i8, value: i64) -> Option<i64> {
    let power = i32::from(multiplier) + 6;
    if value == 0 {
        return Some(0);
    }
    if power >= 0 {
        return 10_i64.checked_pow(power.unsigned_abs())?.checked_mul(value);
    }
    let divisor = 10_i64.checked_pow(power.unsigned_abs())?;
    Some(value / divisor)
}

macro_rules! scaled_quantities {
    ($($Type:ident($repr:ty) is $Quantity:ident;)*) => {$(
        impl $Type {
            /// The nearest value that the wire can hold, the exact one if there is one.
            #[must_use]
            pub fn nearest(quantity: $Quantity) -> Self {
                let signed = <$repr>::MIN != 0;
                let held = if signed { quantity.micro() } else { quantity.micro().max(0) };
                let (multiplier, value) = scaled(held, i64::from(<$repr>::MAX).unsigned_abs());
                let value = <$repr>::try_from(value).expect("scaled to the range of the type");
                Self { multiplier, value }
            }

            /// The quantity, if its size is one that can be computed with.
            #[must_use]
            pub fn quantity(&self) -> Option<$Quantity> {
                micro(self.multiplier, i64::from(self.value)).map($Quantity::from_micro)
            }
        }
    )*};
}

scaled_quantities! {
    ActivePower(i16) is Watts;
    ReactivePower(i16) is Vars;
    ApparentPower(u16) is VoltAmperes;
    WattHour(u16) is WattHours;
}

#[cfg(test)]
mod tests;
