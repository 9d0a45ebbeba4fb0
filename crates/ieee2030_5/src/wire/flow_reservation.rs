//! Flow reservation: storage and vehicles ask when they may charge.

use crate::codec::simple::{AnyUri, HexBinary8, HexBinary128, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::der_control::EventStatus;
use crate::wire::quantity::{ActivePower, SignedRealEnergy};
use crate::wire::time::DateTimeInterval;

complex! {
    /// A request to charge or discharge at some time.
    pub struct FlowReservationRequest("FlowReservationRequest") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one creation_time: TimeType = "creationTime",
        opt duration_requested: u16 = "durationRequested",
        one energy_requested: SignedRealEnergy = "energyRequested",
        one interval_requested: DateTimeInterval = "intervalRequested",
        one power_requested: ActivePower = "powerRequested",
        one request_status: RequestStatus = "RequestStatus",
    }

    /// Requests in order of start.
    pub struct FlowReservationRequestList("FlowReservationRequestList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many flow_reservation_request: FlowReservationRequest = "FlowReservationRequest",
    }

    /// What became of a request.
    pub struct RequestStatus("RequestStatus") {
        one date_time: TimeType = "dateTime",
        one request_status: RequestState = "requestStatus",
    }

    /// A grant to charge or discharge.
    pub struct FlowReservationResponse("FlowReservationResponse") {
        @opt href: AnyUri = "href",
        @opt reply_to: AnyUri = "replyTo",
        @opt response_required: HexBinary8 = "responseRequired",
        @opt subscribable: u8 = "subscribable",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one creation_time: TimeType = "creationTime",
        one event_status: EventStatus = "EventStatus",
        one interval: DateTimeInterval = "interval",
        one energy_available: SignedRealEnergy = "energyAvailable",
        one power_available: ActivePower = "powerAvailable",
        one subject: HexBinary128 = "subject",
    }

    /// Grants in order of start.
    pub struct FlowReservationResponseList("FlowReservationResponseList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many flow_reservation_response: FlowReservationResponse = "FlowReservationResponse",
    }
}

codes! {
    /// What became of a request.
    pub struct RequestState(u8) {
        REQUESTED = 0,
        CANCELLED = 1,
    }
}
