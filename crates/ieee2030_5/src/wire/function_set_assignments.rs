//! Function set assignments: which programmes a device takes part in.

use crate::codec::simple::{AnyUri, HexBinary128, Text};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};

complex! {
    /// One assignment of function sets.
    pub struct FunctionSetAssignments("FunctionSetAssignments") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
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
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
    }

    /// Assignments of one device.
    pub struct FunctionSetAssignmentsList("FunctionSetAssignmentsList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many function_set_assignments: FunctionSetAssignments = "FunctionSetAssignments",
    }
}
