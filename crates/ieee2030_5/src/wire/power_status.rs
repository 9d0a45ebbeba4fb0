//! Power status: sources of power, battery, vehicle.

use crate::codec::simple::{AnyUri, PerCent, TimeType};
use crate::codec::table::complex;
use crate::wire::quantity::{ActivePower, RealEnergy};

complex! {
    /// Where the power of a device comes from, and how much is left.
    pub struct PowerStatus("PowerStatus") {
        @opt href: AnyUri = "href",
        @opt poll_rate: u32 = "pollRate",
        one battery_status: u8 = "batteryStatus",
        one changed_time: TimeType = "changedTime",
        one current_power_source: u8 = "currentPowerSource",
        opt estimated_charge_remaining: PerCent = "estimatedChargeRemaining",
        opt estimated_time_remaining: u32 = "estimatedTimeRemaining",
        opt pev_info: PevInfo = "PEVInfo",
        opt session_time_on_battery: u32 = "sessionTimeOnBattery",
        opt total_time_on_battery: u32 = "totalTimeOnBattery",
    }

    /// What a vehicle that is plugged in needs.
    pub struct PevInfo("PEVInfo") {
        one charging_power_now: ActivePower = "chargingPowerNow",
        one energy_request_now: RealEnergy = "energyRequestNow",
        one max_forward_power: ActivePower = "maxForwardPower",
        one minimum_charging_duration: u32 = "minimumChargingDuration",
        one target_state_of_charge: PerCent = "targetStateOfCharge",
        one time_charge_is_needed: TimeType = "timeChargeIsNeeded",
        one time_charging_status_pev: TimeType = "timeChargingStatusPEV",
    }
}
