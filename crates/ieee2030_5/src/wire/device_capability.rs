//! Device capability: the one address a client is given.

use crate::codec::simple::AnyUri;
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};

complex! {
    /// Where the function sets of a server are.
    pub struct DeviceCapability("DeviceCapability") {
        @opt href: AnyUri = "href",
        @opt poll_rate: u32 = "pollRate",
        opt customer_account_list_link: ListLink = "CustomerAccountListLink",
        opt demand_response_program_list_link: ListLink = "DemandResponseProgramListLink",
        opt der_program_list_link: ListLink = "DERProgramListLink",
        opt file_list_link: ListLink = "FileListLink",
        opt messaging_program_list_link: ListLink = "MessagingProgramListLink",
        opt prepayment_list_link: ListLink = "PrepaymentListLink",
        opt response_set_list_link: ListLink = "ResponseSetListLink",
        opt tariff_profile_list_link: ListLink = "TariffProfileListLink",
        opt time_link: Link = "TimeLink",
        opt usage_point_list_link: ListLink = "UsagePointListLink",
        opt end_device_list_link: ListLink = "EndDeviceListLink",
        opt mirror_usage_point_list_link: ListLink = "MirrorUsagePointListLink",
        opt self_device_link: Link = "SelfDeviceLink",
    }
}
