//! How control modes are asked for, and the bits that say which a device has.

use crate::codec::read::{Element, Open, ReadError, Reader};
use crate::codec::simple::{PerCent, bits};
use crate::codec::table::{Profiles, TypeTable, complex};
use crate::codec::write::Writer;
use crate::wire::der_control::DerUnitRefType;

/// A control mode with its value, which the edition of 2023 can have disabled.
///
/// A device of 2018 does not know that and uses the value, as the standard wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mode<T> {
    pub disabled: bool,
    pub value: T,
}

impl<T> Mode<T> {
    pub const fn of(value: T) -> Self {
        Self {
            disabled: false,
            value,
        }
    }
}

impl<T: Element> Element for Mode<T> {
    const INSIDE: Option<&'static TypeTable> = T::INSIDE;

    fn read<'a>(reader: &mut Reader<'a>, open: &Open<'a>) -> Result<Self, ReadError> {
        let disabled = match reader.attribute(open, None, "disabled")? {
            Some(text) => reader.value(&text)?,
            None => false,
        };
        T::read(reader, open).map(|value| Self { disabled, value })
    }

    fn write(&self, name: &str, out: &mut Writer) {
        let tag_name = out.len() + 1;
        self.value.write(name, out);
        if self.disabled && Profiles::Y2023.contains(out.profile()) {
            out.insert(tag_name + name.len(), b" disabled=\"true\"");
        }
    }
}

complex! {
    /// Watts by which active power is to change from what it is when the control begins.
    pub struct ActivePowerDeltaControlType("ActivePowerDeltaControlType" in Y2023) {
        @opt bidirectional: u8 = "bidirectional",
        @opt disabled: bool = "disabled",
        one multiplier: i8 = "multiplier",
        one value: i16 = "value",
    }

    /// Vars by which reactive power is to change from what it is when the control begins.
    pub struct ReactivePowerDeltaControlType("ReactivePowerDeltaControlType" in Y2023) {
        @opt bidirectional: u8 = "bidirectional",
        @opt disabled: bool = "disabled",
        one multiplier: i8 = "multiplier",
        one value: i16 = "value",
    }

    /// Reactive power of one direction in percent of what `ref_type` says.
    pub struct UnsignedFixedVar("UnsignedFixedVar" in Y2023) {
        one ref_type: DerUnitRefType = "refType",
        one value: PerCent = "value",
    }
}

bits! {
    /// Control modes as bits, in capability and settings.
    pub struct DerControlType(u32 as HexBinary32) {
        CHARGE = 0,
        DISCHARGE = 1,
        CONNECT = 2,
        ENERGIZE = 3,
        FIXED_PF_ABSORB_W = 4,
        FIXED_PF_INJECT_W = 5,
        FIXED_VAR = 6,
        FIXED_W = 7,
        FREQ_DROOP = 8,
        FREQ_WATT = 9,
        HFRT_MAY_TRIP = 10,
        HFRT_MUST_TRIP = 11,
        HVRT_MAY_TRIP = 12,
        HVRT_MOMENTARY_CESSATION = 13,
        HVRT_MUST_TRIP = 14,
        LFRT_MAY_TRIP = 15,
        LFRT_MUST_TRIP = 16,
        LVRT_MAY_TRIP = 17,
        LVRT_MOMENTARY_CESSATION = 18,
        LVRT_MUST_TRIP = 19,
        MAX_LIM_W = 20,
        TARGET_VAR = 21,
        TARGET_W = 22,
        VOLT_VAR = 23,
        VOLT_WATT = 24,
        WATT_PF = 25,
        WATT_VAR = 26,
        DELTA_VAR = 27,
        DELTA_W = 28,
        FIXED_V = 29,
        GRID_CONNECT_PERMIT = 30,
        ISLAND_PERMIT = 31,
    }

    /// The control modes of 2023 that [`DerControlType`] has no room for.
    pub struct DerControlType2(u32 as HexBinary32) {
        MAX_LIM_PCT_VA_ABSORB = 0,
        MAX_LIM_PCT_VA_INJECT = 1,
        MAX_LIM_PCT_VAR_ABSORB = 2,
        MAX_LIM_PCT_VAR_INJECT = 3,
        MAX_LIM_PCT_W_ABSORB = 4,
        MAX_LIM_VAR_ABSORB = 5,
        MAX_LIM_VAR_INJECT = 6,
        MAX_LIM_W_ABSORB = 7,
        MAX_LIM_W_INJECT = 8,
        TARGET_V = 9,
    }

    /// What a default control sets besides control modes.
    pub struct DefaultDerControlType(u32 as HexBinary32) {
        SET_ES_DELAY = 0,
        SET_ES_HIGH_FREQ = 1,
        SET_ES_HIGH_VOLT = 2,
        SET_ES_LOW_FREQ = 3,
        SET_ES_LOW_VOLT = 4,
        SET_ES_RAMP_TMS = 5,
        SET_ES_RANDOM_DELAY = 6,
        SET_GRAD_W = 7,
        SET_SOFT_GRAD_W = 8,
    }

    /// Limits at the connection point that a device keeps (CSIP-AUS).
    pub struct DoeControlType(u8 as HexBinary8) {
        EXP_LIM_W = 0,
        IMP_LIM_W = 1,
        GEN_LIM_W = 2,
        LOAD_LIM_W = 3,
    }

    /// Targets of storage that a device follows (CSIP-AUS 1.3).
    pub struct VppControlType(u8 as HexBinary8) {
        STORAGE_TARGET_W = 0,
    }
}

#[cfg(test)]
mod tests;
