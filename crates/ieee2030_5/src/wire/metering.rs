//! Metering: readings and what they measure.

use crate::codec::simple::{
    AnyUri, HexBinary16, HexBinary128, HexBinary160, Int48, Text, UInt48, codes,
};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};
use crate::wire::quantity::UnitValueType;
use crate::wire::time::DateTimeInterval;

complex! {
    /// One measured value.
    pub struct Reading("Reading") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt consumption_block: u8 = "consumptionBlock",
        opt quality_flags: HexBinary16 = "qualityFlags",
        opt time_period: DateTimeInterval = "timePeriod",
        opt tou_tier: u8 = "touTier",
        opt value: Int48 = "value",
        opt local_id: HexBinary16 = "localID",
    }

    /// What a set of readings measures.
    pub struct ReadingType("ReadingType") {
        @opt href: AnyUri = "href",
        opt accumulation_behaviour: AccumulationBehaviourType = "accumulationBehaviour",
        opt calorific_value: UnitValueType = "calorificValue",
        opt commodity: CommodityType = "commodity",
        opt conversion_factor: UnitValueType = "conversionFactor",
        opt data_qualifier: DataQualifierType = "dataQualifier",
        opt flow_direction: FlowDirectionType = "flowDirection",
        opt interval_length: u32 = "intervalLength",
        opt kind: KindType = "kind",
        opt max_number_of_intervals: u8 = "maxNumberOfIntervals",
        opt number_of_consumption_blocks: u8 = "numberOfConsumptionBlocks",
        opt number_of_tou_tiers: u8 = "numberOfTouTiers",
        opt phase: u8 = "phase",
        opt power_of_ten_multiplier: i8 = "powerOfTenMultiplier",
        opt sub_interval_length: u32 = "subIntervalLength",
        opt supply_limit: UInt48 = "supplyLimit",
        opt tiered_consumption_blocks: bool = "tieredConsumptionBlocks",
        opt uom: UomType = "uom",
    }

    /// A place where a service is delivered and metered.
    pub struct UsagePoint("UsagePoint") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one role_flags: HexBinary16 = "roleFlags",
        one service_category_kind: ServiceKind = "serviceCategoryKind",
        one status: u8 = "status",
        opt device_lfdi: HexBinary160 = "deviceLFDI",
        opt meter_reading_list_link: ListLink = "MeterReadingListLink",
    }

    /// Usage points.
    pub struct UsagePointList("UsagePointList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many usage_point: UsagePoint = "UsagePoint",
    }

    /// Readings of one type at a usage point.
    pub struct MeterReading("MeterReading") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt rate_component_list_link: ListLink = "RateComponentListLink",
        opt reading_link: Link = "ReadingLink",
        opt reading_set_list_link: ListLink = "ReadingSetListLink",
        one reading_type_link: Link = "ReadingTypeLink",
    }

    /// What is read at a usage point.
    pub struct MeterReadingList("MeterReadingList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many meter_reading: MeterReading = "MeterReading",
    }

    /// Readings of one period.
    pub struct ReadingSet("ReadingSet") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one time_period: DateTimeInterval = "timePeriod",
        opt reading_list_link: ListLink = "ReadingListLink",
    }

    /// Reading sets, latest first.
    pub struct ReadingSetList("ReadingSetList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many reading_set: ReadingSet = "ReadingSet",
    }

    /// Values of a reading set.
    pub struct ReadingList("ReadingList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many reading: Reading = "Reading",
    }
}

codes! {
    /// Unit of measure, as IEC 61968-9 numbers them.
    pub struct UomType(u8) {
        NOT_APPLICABLE = 0,
        AMPERE = 5,
        VOLT = 29,
        HERTZ = 33,
        WATT = 38,
        VOLT_AMPERE = 61,
        VAR = 63,
        VOLT_AMPERE_HOUR = 71,
        WATT_HOUR = 72,
        VAR_HOUR = 73,
    }

    /// Direction of what is measured.
    pub struct FlowDirectionType(u8) {
        NOT_APPLICABLE = 0,
        FORWARD = 1,
        REVERSE = 19,
    }

    /// What a value is of its interval.
    pub struct DataQualifierType(u8) {
        NOT_APPLICABLE = 0,
        AVERAGE = 2,
        MAXIMUM = 8,
        MINIMUM = 9,
        NORMAL = 12,
        STANDARD_DEVIATION_OF_POPULATION = 29,
        STANDARD_DEVIATION_OF_SAMPLE = 30,
    }

    /// How values follow one another.
    pub struct AccumulationBehaviourType(u8) {
        NOT_APPLICABLE = 0,
        CUMULATIVE = 3,
        DELTA_DATA = 4,
        INDICATING = 6,
        SUMMATION = 9,
        INSTANTANEOUS = 12,
    }

    /// What kind of quantity is measured.
    pub struct KindType(u8) {
        NOT_APPLICABLE = 0,
        CURRENCY = 3,
        DEMAND = 8,
        ENERGY = 12,
        POWER = 37,
    }

    /// What is metered.
    pub struct CommodityType(u8) {
        NOT_APPLICABLE = 0,
        ELECTRICITY_SECONDARY = 1,
        ELECTRICITY_PRIMARY = 2,
    }

    /// The service at a usage point.
    pub struct ServiceKind(u8) {
        ELECTRICITY = 0,
        GAS = 1,
        WATER = 2,
    }
}

/// Bits of a usage point's role flags.
pub mod role_flags {
    pub const IS_MIRROR: u16 = 1 << 0;
    pub const IS_PREMISES_AGGREGATION_POINT: u16 = 1 << 1;
    pub const IS_PEV: u16 = 1 << 2;
    pub const IS_DER: u16 = 1 << 3;
    pub const IS_REVENUE_QUALITY: u16 = 1 << 4;
    pub const IS_DC: u16 = 1 << 5;
    pub const IS_SUBMETER: u16 = 1 << 6;
}
