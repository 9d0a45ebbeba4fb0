//! Billing: accounts, agreements, and what consumption costs.

use crate::codec::simple::{AnyUri, HexBinary16, HexBinary128, Int48, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};
use crate::wire::time::DateTimeInterval;

complex! {
    /// The account of a customer.
    pub struct CustomerAccount("CustomerAccount") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one currency: u16 = "currency",
        opt customer_account: Text<42> = "customerAccount",
        opt customer_agreement_list_link: ListLink = "CustomerAgreementListLink",
        opt customer_name: Text<42> = "customerName",
        one price_power_of_ten_multiplier: i8 = "pricePowerOfTenMultiplier",
        opt service_supplier_link: Link = "ServiceSupplierLink",
    }

    /// Accounts by the name of the customer.
    pub struct CustomerAccountList("CustomerAccountList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many customer_account: CustomerAccount = "CustomerAccount",
    }

    /// An agreement about one service at one place.
    pub struct CustomerAgreement("CustomerAgreement") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt active_billing_period_list_link: ListLink = "ActiveBillingPeriodListLink",
        opt active_projection_reading_list_link: ListLink = "ActiveProjectionReadingListLink",
        opt active_target_reading_list_link: ListLink = "ActiveTargetReadingListLink",
        opt billing_period_list_link: ListLink = "BillingPeriodListLink",
        opt historical_reading_list_link: ListLink = "HistoricalReadingListLink",
        opt prepayment_link: Link = "PrepaymentLink",
        opt projection_reading_list_link: ListLink = "ProjectionReadingListLink",
        opt service_account: Text<42> = "serviceAccount",
        opt service_location: Text<42> = "serviceLocation",
        opt target_reading_list_link: ListLink = "TargetReadingListLink",
        opt tariff_profile_link: Link = "TariffProfileLink",
        opt usage_point_link: Link = "UsagePointLink",
    }

    /// Agreements by their places.
    pub struct CustomerAgreementList("CustomerAgreementList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many customer_agreement: CustomerAgreement = "CustomerAgreement",
    }

    /// A period for which a bill is made.
    pub struct BillingPeriod("BillingPeriod") {
        @opt href: AnyUri = "href",
        opt bill_last_period: Int48 = "billLastPeriod",
        opt bill_to_date: Int48 = "billToDate",
        one interval: DateTimeInterval = "interval",
        opt status_time_stamp: TimeType = "statusTimeStamp",
    }

    /// Billing periods, latest first.
    pub struct BillingPeriodList("BillingPeriodList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many billing_period: BillingPeriod = "BillingPeriod",
    }

    /// A value with what it costs.
    pub struct BillingReading("BillingReading") {
        @opt href: AnyUri = "href",
        opt consumption_block: u8 = "consumptionBlock",
        opt quality_flags: HexBinary16 = "qualityFlags",
        opt time_period: DateTimeInterval = "timePeriod",
        opt tou_tier: u8 = "touTier",
        opt value: Int48 = "value",
        many charge: Charge = "Charge",
    }

    /// Values of a billing reading set.
    pub struct BillingReadingList("BillingReadingList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many billing_reading: BillingReading = "BillingReading",
    }

    /// Billing readings of one period.
    pub struct BillingReadingSet("BillingReadingSet") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one time_period: DateTimeInterval = "timePeriod",
        opt billing_reading_list_link: ListLink = "BillingReadingListLink",
    }

    /// Billing reading sets, latest first.
    pub struct BillingReadingSetList("BillingReadingSetList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many billing_reading_set: BillingReadingSet = "BillingReadingSet",
    }

    /// One item of a bill.
    pub struct Charge("Charge") {
        opt description: Text<20> = "description",
        opt kind: ChargeKind = "kind",
        one value: i32 = "value",
    }

    /// What was consumed in the past.
    pub struct HistoricalReading("HistoricalReading") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt billing_reading_set_list_link: ListLink = "BillingReadingSetListLink",
        opt reading_type_link: Link = "ReadingTypeLink",
    }

    /// What was consumed in the past, by description.
    pub struct HistoricalReadingList("HistoricalReadingList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many historical_reading: HistoricalReading = "HistoricalReading",
    }

    /// What is expected to be consumed.
    pub struct ProjectionReading("ProjectionReading") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt billing_reading_set_list_link: ListLink = "BillingReadingSetListLink",
        opt reading_type_link: Link = "ReadingTypeLink",
    }

    /// Projections by description.
    pub struct ProjectionReadingList("ProjectionReadingList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many projection_reading: ProjectionReading = "ProjectionReading",
    }

    /// What is aimed to be consumed.
    pub struct TargetReading("TargetReading") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt billing_reading_set_list_link: ListLink = "BillingReadingSetListLink",
        opt reading_type_link: Link = "ReadingTypeLink",
    }

    /// Targets by description.
    pub struct TargetReadingList("TargetReadingList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many target_reading: TargetReading = "TargetReading",
    }

    /// Who supplies a service.
    pub struct ServiceSupplier("ServiceSupplier") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt email: Text<32> = "email",
        opt phone: Text<20> = "phone",
        opt provider_id: u32 = "providerID",
        opt web: Text<42> = "web",
    }

    /// Suppliers.
    pub struct ServiceSupplierList("ServiceSupplierList" in Y2018) {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many service_supplier: ServiceSupplier = "ServiceSupplier",
    }
}

codes! {
    /// What a charge is for.
    pub struct ChargeKind(u8) {
        CONSUMPTION = 0,
        REBATE = 1,
        AUXILIARY = 2,
        DEMAND = 3,
        TAX = 4,
    }
}
