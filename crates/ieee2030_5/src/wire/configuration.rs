//! Configuration: what of a device can be set from afar.

use crate::codec::simple::{AnyUri, HexBinary32, Text, TimeOffsetType, TimeType};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};

complex! {
    /// What can be configured in a device.
    pub struct Configuration("Configuration") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @opt poll_rate: u32 = "pollRate",
        one current_locale: Text<42> = "currentLocale",
        opt power_configuration: PowerConfiguration = "PowerConfiguration",
        opt price_response_cfg_list_link: ListLink = "PriceResponseCfgListLink",
        opt time_configuration: TimeConfiguration = "TimeConfiguration",
        one user_device_name: Text<32> = "userDeviceName",
    }

    /// When the battery was installed, and when to warn.
    pub struct PowerConfiguration("PowerConfiguration") {
        opt battery_install_time: TimeType = "batteryInstallTime",
        opt low_charge_threshold: u32 = "lowChargeThreshold",
    }

    /// The daylight saving rules and the zone of a device.
    pub struct TimeConfiguration("TimeConfiguration") {
        one dst_end_rule: HexBinary32 = "dstEndRule",
        one dst_offset: TimeOffsetType = "dstOffset",
        one dst_start_rule: HexBinary32 = "dstStartRule",
        one tz_offset: TimeOffsetType = "tzOffset",
    }

    /// From which price on a device consumes less or not at all.
    pub struct PriceResponseCfg("PriceResponseCfg") {
        @opt href: AnyUri = "href",
        one consume_threshold: i32 = "consumeThreshold",
        one max_reduction_threshold: i32 = "maxReductionThreshold",
        one rate_component_link: Link = "RateComponentLink",
    }

    /// Price responses, one for each rate component.
    pub struct PriceResponseCfgList("PriceResponseCfgList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many price_response_cfg: PriceResponseCfg = "PriceResponseCfg",
    }
}
