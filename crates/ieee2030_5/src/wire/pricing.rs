//! Pricing: tariffs, their components, and prices over time.

use crate::codec::simple::{
    AnyUri, HexBinary8, HexBinary16, HexBinary128, Text, TimeType, UInt48, codes,
};
use crate::codec::table::complex;
use crate::wire::der_control::EventStatus;
use crate::wire::link::{Link, ListLink};
use crate::wire::metering::ServiceKind;
use crate::wire::quantity::UnitValueType;
use crate::wire::time::DateTimeInterval;

complex! {
    /// A tariff.
    pub struct TariffProfile("TariffProfile") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt binding_prices: bool = "bindingPrices" in Y2023,
        opt currency: u16 = "currency",
        opt date_announced: TimeType = "dateAnnounced" in Y2023,
        opt date_effective: TimeType = "dateEffective" in Y2023,
        opt local_price: bool = "localPrice" in Y2023,
        opt location: GeographicLocationType = "location" in Y2023,
        opt price_power_of_ten_multiplier: i8 = "pricePowerOfTenMultiplier",
        one primacy: u8 = "primacy",
        opt rate_code: Text<20> = "rateCode",
        opt rate_code_long: Text<42> = "rateCodeLong" in Y2023,
        opt rate_component_list_link: ListLink = "RateComponentListLink",
        opt retailer: Text<20> = "retailer" in Y2023,
        opt retailer_long: Text<42> = "retailerLong" in Y2023,
        one service_category_kind: ServiceKind = "serviceCategoryKind",
        opt tariff_description_external_uri: AnyUri = "tariffDescriptionExternalURI" in Y2023,
        due combined_time_tariff_interval_list_link: ListLink =
            "csipaus:CombinedTimeTariffIntervalListLink" in CSIP_AUS_13,
    }

    /// Tariffs, best rank first.
    pub struct TariffProfileList("TariffProfileList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many tariff_profile: TariffProfile = "TariffProfile",
    }

    /// Where a tariff applies, in the codes of ISO 3166.
    pub struct GeographicLocationType("GeographicLocationType" in Y2023) {
        one country: Text<2> = "country",
        opt subdivision: Text<3> = "subdivision",
    }

    /// One component of a tariff.
    pub struct RateComponent("RateComponent") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt active_time_tariff_interval_list_link: ListLink = "ActiveTimeTariffIntervalListLink",
        opt flow_rate_end_limit: UnitValueType = "flowRateEndLimit",
        opt flow_rate_start_limit: UnitValueType = "flowRateStartLimit",
        one reading_type_link: Link = "ReadingTypeLink",
        one role_flags: HexBinary16 = "roleFlags",
        one time_tariff_interval_list_link: ListLink = "TimeTariffIntervalListLink",
    }

    /// Components of a tariff.
    pub struct RateComponentList("RateComponentList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt subscribable: u8 = "subscribable" in CSIP_AUS_13,
        many rate_component: RateComponent = "RateComponent",
    }

    /// The prices of one interval of time.
    pub struct TimeTariffInterval("TimeTariffInterval") {
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
        opt randomize_duration: i16 = "randomizeDuration",
        opt randomize_start: i16 = "randomizeStart",
        opt consumption_tariff_interval_list_link: ListLink = "ConsumptionTariffIntervalListLink",
        one tou_tier: u8 = "touTier",
        due consumption_tariff_interval_list_summary: ConsumptionTariffIntervalList =
            "csipaus:ConsumptionTariffIntervalListSummary" in CSIP_AUS_13,
        due rate_component_link: Link = "RateComponentLink" in CSIP_AUS_13,
    }

    /// Intervals in order of start.
    pub struct TimeTariffIntervalList("TimeTariffIntervalList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate" in CSIP_AUS_13,
        many time_tariff_interval: TimeTariffInterval = "TimeTariffInterval",
    }

    /// The price from a level of consumption on.
    pub struct ConsumptionTariffInterval("ConsumptionTariffInterval") {
        @opt href: AnyUri = "href",
        one consumption_block: u8 = "consumptionBlock",
        many environmental_cost: EnvironmentalCost = "EnvironmentalCost",
        opt price: i32 = "price",
        one start_value: UInt48 = "startValue",
    }

    /// Steps of a tariff in order of consumption.
    pub struct ConsumptionTariffIntervalList("ConsumptionTariffIntervalList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many consumption_tariff_interval: ConsumptionTariffInterval = "ConsumptionTariffInterval",
    }

    /// What consumption costs besides money.
    pub struct EnvironmentalCost("EnvironmentalCost") {
        one amount: u32 = "amount",
        one cost_kind: CostKindType = "costKind",
        one cost_level: u8 = "costLevel",
        one num_cost_levels: u8 = "numCostLevels",
    }
}

codes! {
    /// What an environmental cost counts.
    pub struct CostKindType(u8) {
        CARBON_DIOXIDE_G = 0,
        SULPHUR_DIOXIDE_G = 1,
        NITROGEN_OXIDES_G = 2,
        RENEWABLE_PERCENT = 3,
    }
}
