//! Devices behind a device (edition of 2023).

use crate::codec::simple::{
    AnyUri, HexBinary32, HexBinary128, HexBinary160, Text, TimeType, UInt40,
};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};

complex! {
    /// In which order the members of an aggregation are drawn upon.
    pub struct AggregationPriority("AggregationPriority" in Y2023) {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        some priority_data: PriorityData = "PriorityData",
    }

    /// A member by its LFDI.
    pub struct PriorityData("PriorityData" in Y2023) {
        one lfdi: HexBinary160 = "lFDI",
    }

    /// A member of an aggregation.
    pub struct AggregatedDevice("AggregatedDevice" in Y2023) {
        @opt href: AnyUri = "href",
        one changed_time: TimeType = "changedTime",
        opt device_category: HexBinary32 = "deviceCategory",
        opt enabled: bool = "enabled",
        one lfdi: HexBinary160 = "lFDI",
        one sfdi: UInt40 = "sFDI",
    }

    /// Members of an aggregation.
    pub struct AggregatedDeviceList("AggregatedDeviceList" in Y2023) {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many aggregated_device: AggregatedDevice = "AggregatedDevice",
    }

    /// A device that another one speaks for.
    pub struct ProxiedDevice("ProxiedDevice" in Y2023) {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt aggregated_device_list_link: ListLink = "AggregatedDeviceListLink",
        opt aggregation_priority_link: Link = "AggregationPriorityLink",
        opt configuration_link: Link = "ConfigurationLink",
        opt der_list_link: ListLink = "DERListLink",
        opt device_category: HexBinary32 = "deviceCategory",
        opt device_information_link: Link = "DeviceInformationLink",
        opt device_status_link: Link = "DeviceStatusLink",
        opt distribution: u8 = "distribution",
        opt file_status_link: Link = "FileStatusLink",
        opt ip_interface_list_link: ListLink = "IPInterfaceListLink",
        opt lfdi: HexBinary160 = "lFDI",
        opt load_shed_availability_list_link: ListLink = "LoadShedAvailabilityListLink",
        opt log_event_list_link: ListLink = "LogEventListLink",
        opt phase: u8 = "phase",
        opt power_status_link: Link = "PowerStatusLink",
        one sfdi: UInt40 = "sFDI",
        one changed_time: TimeType = "changedTime",
        opt enabled: bool = "enabled",
        opt flow_reservation_request_list_link: ListLink = "FlowReservationRequestListLink",
        opt flow_reservation_response_list_link: ListLink = "FlowReservationResponseListLink",
        opt function_set_assignments_list_link: ListLink = "FunctionSetAssignmentsListLink",
        opt post_rate: u32 = "postRate",
        opt registration_link: Link = "RegistrationLink",
    }

    /// Devices that another one speaks for.
    pub struct ProxiedDeviceList("ProxiedDeviceList" in Y2023) {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many proxied_device: ProxiedDevice = "ProxiedDevice",
    }
}
