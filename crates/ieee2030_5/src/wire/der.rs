//! DER and what it says of itself.

use crate::codec::simple::{AnyUri, HexBinary8, HexBinary32, PerCent, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::control_mode::{DerControlType, DerControlType2, DoeControlType, VppControlType};
use crate::wire::link::{Link, ListLink};
use crate::wire::quantity::{
    ActivePower, AmpereHour, ApparentPower, CurrentRms, PowerFactor, ReactivePower,
    ReactiveSusceptance, UnsignedActivePower, UnsignedReactivePower, VoltageRms, WattHour,
};

complex! {
    /// One DER of an end device.
    pub struct Der("DER") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt associated_der_program_list_link: ListLink = "AssociatedDERProgramListLink",
        opt associated_usage_point_link: Link = "AssociatedUsagePointLink",
        opt current_der_controls_link: Link = "CurrentDERControlsLink" in Y2023,
        opt current_der_program_link: Link = "CurrentDERProgramLink",
        opt der_availability_link: Link = "DERAvailabilityLink",
        opt der_capability_link: Link = "DERCapabilityLink",
        opt der_component_list_link: ListLink = "DERComponentListLink" in Y2023,
        opt der_settings_link: Link = "DERSettingsLink",
        opt der_status_link: Link = "DERStatusLink",
    }

    /// DER of an end device.
    pub struct DerList("DERList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many der: Der = "DER",
    }

    /// Nameplate ratings.
    pub struct DerCapability("DERCapability") {
        @opt href: AnyUri = "href",
        one modes_supported: DerControlType = "modesSupported",
        opt modes_supported2: DerControlType2 = "modesSupported2" in Y2023,
        opt rtg_abnormal_category: u8 = "rtgAbnormalCategory",
        opt rtg_max_a: CurrentRms = "rtgMaxA",
        opt rtg_max_ah: AmpereHour = "rtgMaxAh",
        opt rtg_max_charge_rate_va: ApparentPower = "rtgMaxChargeRateVA",
        opt rtg_max_charge_rate_w: ActivePower = "rtgMaxChargeRateW",
        opt rtg_max_discharge_rate_va: ApparentPower = "rtgMaxDischargeRateVA",
        opt rtg_max_discharge_rate_w: ActivePower = "rtgMaxDischargeRateW",
        opt rtg_max_v: VoltageRms = "rtgMaxV",
        opt rtg_max_va: ApparentPower = "rtgMaxVA",
        opt rtg_max_var: ReactivePower = "rtgMaxVar",
        opt rtg_max_var_neg: ReactivePower = "rtgMaxVarNeg",
        one rtg_max_w: ActivePower = "rtgMaxW",
        opt rtg_max_wh: WattHour = "rtgMaxWh",
        opt rtg_min_pf_over_excited: PowerFactor = "rtgMinPFOverExcited",
        opt rtg_min_pf_under_excited: PowerFactor = "rtgMinPFUnderExcited",
        opt rtg_min_v: VoltageRms = "rtgMinV",
        opt rtg_normal_category: u8 = "rtgNormalCategory",
        opt rtg_over_excited_pf: PowerFactor = "rtgOverExcitedPF",
        opt rtg_over_excited_w: ActivePower = "rtgOverExcitedW",
        opt rtg_reactive_susceptance: ReactiveSusceptance = "rtgReactiveSusceptance",
        opt rtg_under_excited_pf: PowerFactor = "rtgUnderExcitedPF",
        opt rtg_under_excited_w: ActivePower = "rtgUnderExcitedW",
        opt rtg_v_nom: VoltageRms = "rtgVNom",
        one der_type: DerType = "type",
        due doe_modes_supported: DoeControlType = "csipaus:doeModesSupported" in CSIP_AUS,
        opt vpp_modes_supported: VppControlType = "csipaus:vppModesSupported" in CSIP_AUS_13,
    }

    /// Settings, which narrow the ratings.
    pub struct DerSettings("DERSettings") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt modes_enabled: DerControlType = "modesEnabled",
        opt modes_enabled2: DerControlType2 = "modesEnabled2" in Y2023,
        opt set_es_delay: u32 = "setESDelay",
        opt set_es_high_freq: u16 = "setESHighFreq",
        opt set_es_high_volt: i16 = "setESHighVolt",
        opt set_es_low_freq: u16 = "setESLowFreq",
        opt set_es_low_volt: i16 = "setESLowVolt",
        opt set_es_ramp_tms: u32 = "setESRampTms",
        opt set_es_random_delay: u32 = "setESRandomDelay",
        one set_grad_w: u16 = "setGradW",
        opt set_max_a: CurrentRms = "setMaxA",
        opt set_max_ah: AmpereHour = "setMaxAh",
        opt set_max_charge_rate_va: ApparentPower = "setMaxChargeRateVA",
        opt set_max_charge_rate_w: ActivePower = "setMaxChargeRateW",
        opt set_max_discharge_rate_va: ApparentPower = "setMaxDischargeRateVA",
        opt set_max_discharge_rate_w: ActivePower = "setMaxDischargeRateW",
        opt set_max_v: VoltageRms = "setMaxV",
        opt set_max_va: ApparentPower = "setMaxVA",
        opt set_max_var: ReactivePower = "setMaxVar",
        opt set_max_var_neg: ReactivePower = "setMaxVarNeg",
        one set_max_w: ActivePower = "setMaxW",
        opt set_max_wh: WattHour = "setMaxWh",
        opt set_min_pf_over_excited: PowerFactor = "setMinPFOverExcited",
        opt set_min_pf_under_excited: PowerFactor = "setMinPFUnderExcited",
        opt set_min_v: VoltageRms = "setMinV",
        opt set_soft_grad_w: u16 = "setSoftGradW",
        opt set_v_nom: VoltageRms = "setVNom",
        opt set_v_ref: VoltageRms = "setVRef",
        opt set_v_ref_ofs: VoltageRms = "setVRefOfs",
        one updated_time: TimeType = "updatedTime",
        opt doe_modes_enabled: DoeControlType = "csipaus:doeModesEnabled" in CSIP_AUS,
        opt vpp_modes_enabled: VppControlType = "csipaus:vppModesEnabled" in CSIP_AUS_13,
        opt set_min_wh: WattHour = "csipaus:setMinWh" in CSIP_AUS_13,
    }

    /// Status as of `reading_time`.
    pub struct DerStatus("DERStatus") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt alarm_status: HexBinary32 = "alarmStatus",
        opt connect_status: ConnectStatusType2 = "connectStatus" in Y2023,
        opt gen_connect_status: ConnectStatusType = "genConnectStatus",
        opt inverter_status: InverterStatusType = "inverterStatus",
        opt local_control_mode_status: LocalControlModeStatusType = "localControlModeStatus",
        opt manufacturer_status: ManufacturerStatusType = "manufacturerStatus",
        opt operational_mode_status: OperationalModeStatusType = "operationalModeStatus",
        one reading_time: TimeType = "readingTime",
        opt state_of_charge_status: StateOfChargeStatusType = "stateOfChargeStatus",
        opt storage_mode_status: StorageModeStatusType = "storageModeStatus",
        opt stor_connect_status: ConnectStatusType = "storConnectStatus",
    }

    /// What the DER could still deliver.
    pub struct DerAvailability("DERAvailability") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        opt availability_duration: u32 = "availabilityDuration",
        opt max_charge_duration: u32 = "maxChargeDuration",
        one reading_time: TimeType = "readingTime",
        opt reserve_charge_percent: PerCent = "reserveChargePercent",
        opt reserve_percent: PerCent = "reservePercent",
        opt stat_var_absorb_avail: UnsignedReactivePower = "statVarAbsorbAvail" in Y2023,
        opt stat_var_avail: ReactivePower = "statVarAvail",
        opt stat_w_absorb_avail: UnsignedActivePower = "statWAbsorbAvail" in Y2023,
        opt stat_w_avail: ActivePower = "statWAvail",
    }

    /// A connect status and since when.
    pub struct ConnectStatusType("ConnectStatusType") {
        one date_time: TimeType = "dateTime",
        one value: HexBinary8 = "value",
    }

    /// A connect status of the whole and since when.
    pub struct ConnectStatusType2("ConnectStatusType2" in Y2023) {
        one date_time: TimeType = "dateTime",
        one value: HexBinary8 = "value",
    }

    /// An operational mode and since when.
    pub struct OperationalModeStatusType("OperationalModeStatusType") {
        one date_time: TimeType = "dateTime",
        one value: u8 = "value",
    }

    /// State of charge in hundredths of a percent and since when.
    pub struct StateOfChargeStatusType("StateOfChargeStatusType") {
        one date_time: TimeType = "dateTime",
        one value: PerCent = "value",
    }

    /// A storage mode and since when.
    pub struct StorageModeStatusType("StorageModeStatusType") {
        one date_time: TimeType = "dateTime",
        one value: u8 = "value",
    }

    /// Who controls the DER and since when.
    pub struct LocalControlModeStatusType("LocalControlModeStatusType") {
        one date_time: TimeType = "dateTime",
        one value: u8 = "value",
    }

    /// An inverter status and since when.
    pub struct InverterStatusType("InverterStatusType") {
        one date_time: TimeType = "dateTime",
        one value: u8 = "value",
    }

    /// A status of the maker's own and since when.
    pub struct ManufacturerStatusType("ManufacturerStatusType") {
        one date_time: TimeType = "dateTime",
        one value: Text<6> = "value",
    }
}

codes! {
    /// What kind of DER it is.
    pub struct DerType(u8) {
        UNKNOWN = 0,
        VIRTUAL_OR_MIXED = 1,
        RECIPROCATING_ENGINE = 2,
        FUEL_CELL = 3,
        PHOTOVOLTAIC = 4,
        COMBINED_HEAT_AND_POWER = 5,
        OTHER_GENERATION = 6,
        OTHER_STORAGE = 80,
        ELECTRIC_VEHICLE = 81,
        EVSE = 82,
        PHOTOVOLTAIC_AND_STORAGE = 83,
    }
}

/// Bits of a connect status.
pub mod connect_status {
    pub const CONNECTED: u8 = 1 << 0;
    pub const AVAILABLE: u8 = 1 << 1;
    pub const OPERATING: u8 = 1 << 2;
    pub const TEST: u8 = 1 << 3;
    pub const FAULT: u8 = 1 << 4;
}
