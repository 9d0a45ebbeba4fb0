//! Device status: temperatures, uptime, operating state.

use crate::codec::simple::{AnyUri, TimeType};
use crate::codec::table::complex;
use crate::wire::link::Link;

complex! {
    /// How a device itself fares.
    pub struct DeviceStatus("DeviceStatus") {
        @opt href: AnyUri = "href",
        @opt poll_rate: u32 = "pollRate",
        one changed_time: TimeType = "changedTime",
        opt on_count: u16 = "onCount",
        opt op_state: u8 = "opState",
        opt op_time: u32 = "opTime",
        many temperature: Temperature = "Temperature",
        opt time_link: Link = "TimeLink",
    }

    /// A temperature at some place of a device.
    pub struct Temperature("Temperature") {
        one multiplier: i8 = "multiplier",
        one subject: u8 = "subject",
        one value: i16 = "value",
    }
}
