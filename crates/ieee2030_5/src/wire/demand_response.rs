//! Demand response and load control.

use crate::codec::simple::{
    AnyUri, HexBinary8, HexBinary32, HexBinary128, PerCent, Text, TimeType, codes,
};
use crate::codec::table::complex;
use crate::wire::der_control::EventStatus;
use crate::wire::link::{Link, ListLink};
use crate::wire::quantity::ActivePower;
use crate::wire::time::DateTimeInterval;

complex! {
    /// A programme of end device controls with its rank.
    pub struct DemandResponseProgram("DemandResponseProgram") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt active_end_device_control_list_link: ListLink = "ActiveEndDeviceControlListLink",
        opt availability_update_percent_change_threshold: PerCent =
            "availabilityUpdatePercentChangeThreshold",
        opt availability_update_power_change_threshold: ActivePower =
            "availabilityUpdatePowerChangeThreshold",
        opt end_device_control_list_link: ListLink = "EndDeviceControlListLink",
        one primacy: u8 = "primacy",
    }

    /// Programmes, best rank first.
    pub struct DemandResponseProgramList("DemandResponseProgramList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many demand_response_program: DemandResponseProgram = "DemandResponseProgram",
    }

    /// One demand response event.
    pub struct EndDeviceControl("EndDeviceControl") {
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
        opt appliance_load_reduction: ApplianceLoadReduction = "ApplianceLoadReduction",
        one device_category: HexBinary32 = "deviceCategory",
        one dr_program_mandatory: bool = "drProgramMandatory",
        opt duty_cycle: DutyCycle = "DutyCycle",
        one load_shift_forward: bool = "loadShiftForward",
        opt offset: Offset = "Offset",
        opt override_duration: u16 = "overrideDuration",
        opt set_point: SetPoint = "SetPoint",
        opt target_reduction: TargetReduction = "TargetReduction",
    }

    /// Demand response events in order of start.
    pub struct EndDeviceControlList("EndDeviceControlList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many end_device_control: EndDeviceControl = "EndDeviceControl",
    }

    /// How an appliance is to save.
    pub struct ApplianceLoadReduction("ApplianceLoadReduction") {
        one kind: ApplianceLoadReductionType = "type",
    }

    /// Which share of its normal duty a device may run.
    pub struct DutyCycle("DutyCycle") {
        one normal_value: u8 = "normalValue",
    }

    /// By how much a set point is to move, in tenths of a degree, or consumption, in percent.
    pub struct Offset("Offset") {
        opt cooling_offset: u8 = "coolingOffset",
        opt heating_offset: u8 = "heatingOffset",
        opt load_adjustment_percentage_offset: PerCent = "loadAdjustmentPercentageOffset",
    }

    /// The temperatures to keep, in hundredths of a degree Celsius.
    pub struct SetPoint("SetPoint") {
        opt cooling_setpoint: i16 = "coolingSetpoint",
        opt heating_setpoint: i16 = "heatingSetpoint",
    }

    /// By how much to reduce.
    pub struct TargetReduction("TargetReduction") {
        one kind: UnitType = "type",
        one value: u16 = "value",
    }

    /// How much a device could shed, and for how long.
    pub struct LoadShedAvailability("LoadShedAvailability") {
        @opt href: AnyUri = "href",
        opt availability_duration: u32 = "availabilityDuration",
        opt demand_response_program_link: Link = "DemandResponseProgramLink",
        opt sheddable_percent: PerCent = "sheddablePercent",
        opt sheddable_power: ActivePower = "sheddablePower",
    }

    /// What a device could shed.
    pub struct LoadShedAvailabilityList("LoadShedAvailabilityList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many load_shed_availability: LoadShedAvailability = "LoadShedAvailability",
    }
}

codes! {
    /// How much an appliance is to save.
    pub struct ApplianceLoadReductionType(u8) {
        DELAY = 0,
        TEMPORARY_REDUCTION = 1,
    }

    /// Unit of a reduction.
    pub struct UnitType(u8) {
        KILOWATT_HOUR = 0,
        KILOWATT = 1,
        WATT = 2,
        CUBIC_METRE = 3,
        CUBIC_FOOT = 4,
        US_GALLON = 5,
        IMPERIAL_GALLON = 6,
        BTU = 7,
        LITRE = 8,
        KILOPASCAL_GAUGE = 9,
        KILOPASCAL_ABSOLUTE = 10,
        MEGAJOULE = 11,
        NONE = 12,
    }
}
