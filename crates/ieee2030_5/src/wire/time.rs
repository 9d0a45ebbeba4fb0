//! Time: the server's clock, which devices discipline theirs to.

use crate::codec::simple::{AnyUri, TimeOffsetType, TimeType};
use crate::codec::table::complex;

complex! {
    /// The clock of the server.
    pub struct Time("Time") {
        @opt href: AnyUri = "href",
        @opt poll_rate: u32 = "pollRate",
        one current_time: TimeType = "currentTime",
        one dst_end_time: TimeType = "dstEndTime",
        one dst_offset: TimeOffsetType = "dstOffset",
        one dst_start_time: TimeType = "dstStartTime",
        opt local_time: TimeType = "localTime",
        one quality: u8 = "quality",
        one tz_offset: TimeOffsetType = "tzOffset",
    }

    /// From `start` for `duration` seconds.
    pub struct DateTimeInterval("DateTimeInterval") {
        one duration: u32 = "duration",
        one start: TimeType = "start",
    }
}
