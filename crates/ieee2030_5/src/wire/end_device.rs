//! End devices and their registration.

use crate::codec::simple::{AnyUri, HexBinary32, HexBinary160, TimeType, UInt40};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};

complex! {
    /// A device as the server knows it.
    pub struct EndDevice("EndDevice") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt aggregated_device_list_link: ListLink = "AggregatedDeviceListLink" in Y2023,
        opt aggregation_priority_link: Link = "AggregationPriorityLink" in Y2023,
        opt configuration_link: Link = "ConfigurationLink",
        opt der_list_link: ListLink = "DERListLink",
        opt device_category: HexBinary32 = "deviceCategory",
        opt device_information_link: Link = "DeviceInformationLink",
        opt device_status_link: Link = "DeviceStatusLink",
        opt distribution: u8 = "distribution" in Y2023,
        opt file_status_link: Link = "FileStatusLink",
        opt ip_interface_list_link: ListLink = "IPInterfaceListLink",
        opt lfdi: HexBinary160 = "lFDI",
        opt load_shed_availability_list_link: ListLink = "LoadShedAvailabilityListLink",
        opt log_event_list_link: ListLink = "LogEventListLink",
        opt phase: u8 = "phase" in Y2023,
        opt power_status_link: Link = "PowerStatusLink",
        one sfdi: UInt40 = "sFDI",
        one changed_time: TimeType = "changedTime",
        opt enabled: bool = "enabled",
        opt flow_reservation_request_list_link: ListLink = "FlowReservationRequestListLink",
        opt flow_reservation_response_list_link: ListLink = "FlowReservationResponseListLink",
        opt function_set_assignments_list_link: ListLink = "FunctionSetAssignmentsListLink",
        opt post_rate: u32 = "postRate",
        opt registration_link: Link = "RegistrationLink",
        opt proxied_device_list_link: ListLink = "ProxiedDeviceListLink" in Y2023,
        opt subscription_list_link: ListLink = "SubscriptionListLink",
        opt connection_point_link: Link = "csipaus:ConnectionPointLink" in CSIP_AUS,
    }

    /// End devices.
    pub struct EndDeviceList("EndDeviceList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many end_device: EndDevice = "EndDevice",
    }

    /// The PIN that proves to a device that this is its server.
    pub struct Registration("Registration") {
        @opt href: AnyUri = "href",
        @opt poll_rate: u32 = "pollRate",
        one date_time_registered: TimeType = "dateTimeRegistered",
        one pin: u32 = "pIN",
    }
}
