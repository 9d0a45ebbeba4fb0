//! Metering mirror: devices post their meters to the server.

use crate::codec::simple::{AnyUri, HexBinary16, HexBinary128, HexBinary160, Text, TimeType};
use crate::codec::table::complex;
use crate::wire::link::Link;
use crate::wire::metering::{Reading, ReadingType, ServiceKind};
use crate::wire::time::DateTimeInterval;

complex! {
    /// A usage point whose meter is elsewhere.
    pub struct MirrorUsagePoint("MirrorUsagePoint") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable" in Y2023,
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one role_flags: HexBinary16 = "roleFlags",
        one service_category_kind: ServiceKind = "serviceCategoryKind",
        one status: u8 = "status",
        one device_lfdi: HexBinary160 = "deviceLFDI",
        many mirror_meter_reading: MirrorMeterReading = "MirrorMeterReading",
        opt post_rate: u32 = "postRate",
        opt usage_point_link: Link = "UsagePointLink" in Y2023,
    }

    /// Mirrored usage points.
    pub struct MirrorUsagePointList("MirrorUsagePointList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable" in Y2023,
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many mirror_usage_point: MirrorUsagePoint = "MirrorUsagePoint",
    }

    /// Readings of one type.
    pub struct MirrorMeterReading("MirrorMeterReading") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt last_update_time: TimeType = "lastUpdateTime",
        many mirror_reading_set: MirrorReadingSet = "MirrorReadingSet",
        opt next_update_time: TimeType = "nextUpdateTime",
        opt reading: Reading = "Reading",
        opt reading_type: ReadingType = "ReadingType",
    }

    /// Readings of several types in one post.
    pub struct MirrorMeterReadingList("MirrorMeterReadingList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many mirror_meter_reading: MirrorMeterReading = "MirrorMeterReading",
    }

    /// Readings of one period.
    pub struct MirrorReadingSet("MirrorReadingSet") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one time_period: DateTimeInterval = "timePeriod",
        many reading: Reading = "Reading",
    }
}
