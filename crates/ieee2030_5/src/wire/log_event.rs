//! Log events: alarms and their return to normal.

use crate::codec::simple::{AnyUri, Text, TimeType};
use crate::codec::table::complex;

complex! {
    /// One log event.
    pub struct LogEvent("LogEvent") {
        @opt href: AnyUri = "href",
        one created_date_time: TimeType = "createdDateTime",
        opt details: Text<32> = "details",
        opt extended_data: u32 = "extendedData",
        one function_set: u8 = "functionSet",
        one log_event_code: u8 = "logEventCode",
        one log_event_id: u16 = "logEventID",
        one log_event_pen: u32 = "logEventPEN",
        one profile_id: u8 = "profileID",
    }

    /// Log events, newest first.
    pub struct LogEventList("LogEventList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many log_event: LogEvent = "LogEvent",
    }
}
