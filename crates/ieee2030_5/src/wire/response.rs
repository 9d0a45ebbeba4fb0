//! Responses: what a device did with an event.

use crate::codec::simple::{AnyUri, HexBinary128, HexBinary160, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::link::ListLink;

complex! {
    /// A response to an event.
    pub struct Response("Response") {
        @opt href: AnyUri = "href",
        opt created_date_time: TimeType = "createdDateTime",
        one end_device_lfdi: HexBinary160 = "endDeviceLFDI",
        opt status: ResponseStatus = "status",
        one subject: HexBinary128 = "subject",
    }

    /// Responses.
    pub struct ResponseList("ResponseList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many response: Response = "Response",
    }

    /// Where responses are posted.
    pub struct ResponseSet("ResponseSet") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt response_list_link: ListLink = "ResponseListLink",
    }

    /// Response sets.
    pub struct ResponseSetList("ResponseSetList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many response_set: ResponseSet = "ResponseSet",
    }
}

codes! {
    /// What became of an event at a device.
    pub struct ResponseStatus(u8) {
        RECEIVED = 1,
        STARTED = 2,
        COMPLETED = 3,
        OPT_OUT = 4,
        OPT_IN = 5,
        CANCELLED = 6,
        SUPERSEDED = 7,
        PARTIAL_OPT_OUT = 8,
        PARTIAL_OPT_IN = 9,
        COMPLETED_NO_PARTICIPATION = 10,
        ACKNOWLEDGED = 11,
        NO_DISPLAY = 12,
        ABORTED_BY_SERVER = 13,
        ABORTED_BY_PROGRAM = 14,
        NOT_APPLICABLE = 252,
        INVALID = 253,
        EXPIRED = 254,
    }
}

/// Bits of `responseRequired`.
pub mod response_required {
    pub const RECEIVED: u8 = 1 << 0;
    pub const SPECIFIC: u8 = 1 << 1;
    pub const USER: u8 = 1 << 2;
}

/// Whether `name` is an element of type Response or of a type derived from it without additions.
#[must_use]
pub fn is_response(name: &str) -> bool {
    matches!(name, "Response" | "DERControlResponse")
}
