//! Device information: maker, model, versions.

use crate::codec::simple::{AnyUri, HexBinary32, HexBinary64, HexBinary160, Text, TimeType};
use crate::codec::table::complex;
use crate::wire::link::ListLink;
use crate::wire::quantity::{ActivePower, RealEnergy};

complex! {
    /// What a device is.
    pub struct DeviceInformation("DeviceInformation") {
        @opt href: AnyUri = "href",
        @opt poll_rate: u32 = "pollRate",
        opt connection_point_id: Text<32> = "connectionPointID" in Y2023,
        opt drlc_capabilities: DrlcCapabilities = "DRLCCapabilities",
        opt functions_implemented: HexBinary64 = "functionsImplemented",
        opt gps_location: GPSLocationType = "gpsLocation",
        one lfdi: HexBinary160 = "lFDI",
        one mf_date: TimeType = "mfDate",
        one mf_hw_ver: Text<32> = "mfHwVer",
        one mf_id: u32 = "mfID",
        opt mf_info: Text<32> = "mfInfo",
        one mf_model: Text<32> = "mfModel",
        one mf_ser_num: Text<32> = "mfSerNum",
        one primary_power: u8 = "primaryPower",
        one secondary_power: u8 = "secondaryPower",
        opt supported_locale_list_link: ListLink = "SupportedLocaleListLink",
        one sw_act_time: TimeType = "swActTime",
        one sw_ver: Text<32> = "swVer",
    }

    /// What a device can shed.
    pub struct DrlcCapabilities("DRLCCapabilities") {
        one average_energy: RealEnergy = "averageEnergy",
        one max_demand: ActivePower = "maxDemand",
        one options_implemented: HexBinary32 = "optionsImplemented",
    }

    /// Where a device is, WGS 84.
    pub struct GPSLocationType("GPSLocationType") {
        one lat: Text<32> = "lat",
        one lon: Text<32> = "lon",
    }

    /// A language that a device can display.
    pub struct SupportedLocale("SupportedLocale") {
        @opt href: AnyUri = "href",
        one locale: Text<42> = "locale",
    }

    /// Languages that a device can display.
    pub struct SupportedLocaleList("SupportedLocaleList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many supported_locale: SupportedLocale = "SupportedLocale",
    }
}
