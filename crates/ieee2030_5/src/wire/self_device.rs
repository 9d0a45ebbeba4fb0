//! The server as a device.

use crate::codec::simple::{AnyUri, HexBinary32, HexBinary160, UInt40};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};

complex! {
    /// The server itself.
    pub struct SelfDevice("SelfDevice") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @opt poll_rate: u32 = "pollRate",
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
        opt proxied_device_list_link: ListLink = "ProxiedDeviceListLink" in Y2023,
    }
}
