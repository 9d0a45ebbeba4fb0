//! Responses: what a device did with an event.

use crate::codec::simple::{AnyUri, HexBinary128, HexBinary160, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::control_mode::{DefaultDerControlType, DerControlType, DerControlType2};
use crate::wire::demand_response::{ApplianceLoadReduction, DutyCycle, Offset, SetPoint, UnitType};
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

    /// What a device did with a DER control.
    pub struct DerControlResponse("DERControlResponse") {
        @opt href: AnyUri = "href",
        opt created_date_time: TimeType = "createdDateTime",
        one end_device_lfdi: HexBinary160 = "endDeviceLFDI",
        opt status: ResponseStatus = "status",
        one subject: HexBinary128 = "subject",
        opt modes_responded: DerControlType = "modesResponded" in Y2023,
        opt modes_responded2: DerControlType2 = "modesResponded2" in Y2023,
    }

    /// What a device did with a default control.
    pub struct DefaultDerControlResponse("DefaultDERControlResponse" in Y2023) {
        @opt href: AnyUri = "href",
        opt created_date_time: TimeType = "createdDateTime",
        one end_device_lfdi: HexBinary160 = "endDeviceLFDI",
        opt status: ResponseStatus = "status",
        one subject: HexBinary128 = "subject",
        one defaults_responded: DefaultDerControlType = "defaultsResponded",
        one modes_responded: DerControlType = "modesResponded",
        one modes_responded2: DerControlType2 = "modesResponded2",
    }

    /// What a device did with an end device control.
    pub struct DrResponse("DrResponse") {
        @opt href: AnyUri = "href",
        opt created_date_time: TimeType = "createdDateTime",
        one end_device_lfdi: HexBinary160 = "endDeviceLFDI",
        opt status: ResponseStatus = "status",
        one subject: HexBinary128 = "subject",
        opt appliance_load_reduction: ApplianceLoadReduction = "ApplianceLoadReduction",
        opt applied_target_reduction: AppliedTargetReduction = "AppliedTargetReduction",
        opt duty_cycle: DutyCycle = "DutyCycle",
        opt offset: Offset = "Offset",
        opt override_duration: u16 = "overrideDuration",
        opt set_point: SetPoint = "SetPoint",
    }

    /// The reduction that a device applied.
    pub struct AppliedTargetReduction("AppliedTargetReduction") {
        one kind: UnitType = "type",
        one value: u16 = "value",
    }

    /// What a device did with a granted reservation.
    pub struct FlowReservationResponseResponse("FlowReservationResponseResponse") {
        @opt href: AnyUri = "href",
        opt created_date_time: TimeType = "createdDateTime",
        one end_device_lfdi: HexBinary160 = "endDeviceLFDI",
        opt status: ResponseStatus = "status",
        one subject: HexBinary128 = "subject",
    }

    /// What a device did with a price.
    pub struct PriceResponse("PriceResponse") {
        @opt href: AnyUri = "href",
        opt created_date_time: TimeType = "createdDateTime",
        one end_device_lfdi: HexBinary160 = "endDeviceLFDI",
        opt status: ResponseStatus = "status",
        one subject: HexBinary128 = "subject",
    }

    /// What a device did with a message.
    pub struct TextResponse("TextResponse") {
        @opt href: AnyUri = "href",
        opt created_date_time: TimeType = "createdDateTime",
        one end_device_lfdi: HexBinary160 = "endDeviceLFDI",
        opt status: ResponseStatus = "status",
        one subject: HexBinary128 = "subject",
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
        RESUMED = 15,
        NOT_SUPPORTED = 251,
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
