//! What a device says of itself: nameplate, settings, status, availability and meter readings.

use super::config::DeviceConfig;
use units::{Timestamp, Vars, VoltAmperes, WattHours, Watts};

use crate::codec::simple::{
    AnyUri, HexBinary8, HexBinary16, HexBinary128, HexBinary160, Int48, PerCent, Text, TimeType,
};
use crate::wire::control_mode::DerControlType;
use crate::wire::der::{
    ConnectStatusType, DerAvailability, DerCapability, DerSettings, DerStatus, DerType,
    OperationalModeStatusType, StateOfChargeStatusType, connect_status,
};
use crate::wire::metering::{
    AccumulationBehaviourType, CommodityType, DataQualifierType, FlowDirectionType, KindType,
    Reading, ReadingType, ServiceKind, UomType, role_flags,
};
use crate::wire::metering_mirror::{MirrorMeterReading, MirrorMeterReadingList, MirrorUsagePoint};
use crate::wire::quantity::{ActivePower, ApparentPower, ReactivePower, WattHour};
use crate::wire::time::DateTimeInterval;

/// `OperationalModeStatusType.value`.
const OPERATIONAL_MODE_OFF: u8 = 1;
const OPERATIONAL_MODE_OPERATIONAL: u8 = 2;

/// What a device is and how it is set up. The ratings are also the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nameplate {
    pub der_type: DerType,
    pub modes: DerControlType,
    /// Largest injection.
    pub p_inject_max: Watts,
    /// Largest absorption, as a magnitude.
    pub p_absorb_max: Watts,
    pub s_max: VoltAmperes,
    pub q_max: Vars,
    pub energy_max: Option<WattHours>,
    /// Ramp rate in hundredths of a percent of the maximum per second.
    pub gradient_hundredths_per_s: u16,
}

/// What a device measures, over `period_s` seconds up to now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// Mean over the period, injection positive.
    pub p: Watts,
    /// Mean over the period, injection positive.
    pub q: Vars,
    pub voltage_v: f64,
    pub soc_hundredths: Option<u16>,
    /// The largest injection possible now.
    pub p_available: Watts,
    pub is_connected: bool,
    pub period_s: u32,
}

fn is_storage(nameplate: &Nameplate) -> bool {
    nameplate.energy_max.is_some()
}

pub(super) fn capability(device: &DeviceConfig) -> DerCapability {
    let nameplate = &device.nameplate;
    let storage = is_storage(nameplate);
    DerCapability {
        modes_supported: nameplate.modes,
        rtg_max_charge_rate_w: storage.then(|| ActivePower::nearest(nameplate.p_absorb_max)),
        rtg_max_discharge_rate_w: storage.then(|| ActivePower::nearest(nameplate.p_inject_max)),
        rtg_max_va: Some(ApparentPower::nearest(nameplate.s_max)),
        rtg_max_var: Some(ReactivePower::nearest(nameplate.q_max)),
        rtg_max_var_neg: Some(ReactivePower::nearest(-nameplate.q_max)),
        rtg_max_w: ActivePower::nearest(nameplate.p_inject_max.max(nameplate.p_absorb_max)),
        rtg_max_wh: nameplate.energy_max.map(WattHour::nearest),
        der_type: nameplate.der_type,
        doe_modes_supported: Some(device.doe_modes),
        vpp_modes_supported: Some(device.vpp_modes),
        ..DerCapability::default()
    }
}

pub(super) fn settings(device: &DeviceConfig, updated: Timestamp) -> DerSettings {
    let nameplate = &device.nameplate;
    let storage = is_storage(nameplate);
    DerSettings {
        modes_enabled: Some(nameplate.modes),
        set_grad_w: nameplate.gradient_hundredths_per_s,
        set_max_charge_rate_w: storage.then(|| ActivePower::nearest(nameplate.p_absorb_max)),
        set_max_discharge_rate_w: storage.then(|| ActivePower::nearest(nameplate.p_inject_max)),
        set_max_va: Some(ApparentPower::nearest(nameplate.s_max)),
        set_max_var: Some(ReactivePower::nearest(nameplate.q_max)),
        set_max_var_neg: Some(ReactivePower::nearest(-nameplate.q_max)),
        set_max_w: ActivePower::nearest(nameplate.p_inject_max.max(nameplate.p_absorb_max)),
        set_max_wh: nameplate.energy_max.map(WattHour::nearest),
        updated_time: TimeType::from(updated),
        doe_modes_enabled: Some(device.doe_modes),
        vpp_modes_enabled: Some(device.vpp_modes),
        ..DerSettings::default()
    }
}

pub(super) fn status(
    nameplate: &Nameplate,
    measured: &Measurement,
    server_now: Timestamp,
) -> DerStatus {
    let at = TimeType::from(server_now);
    let connected = connect_status::CONNECTED | connect_status::AVAILABLE;
    let bits = match (measured.is_connected, measured.p == Watts::ZERO) {
        (false, _) => connect_status::AVAILABLE,
        (true, true) => connected,
        (true, false) => connected | connect_status::OPERATING,
    };
    let connect = ConnectStatusType {
        date_time: at,
        value: HexBinary8::new(bits),
    };
    let operational = match measured.is_connected {
        true => OPERATIONAL_MODE_OPERATIONAL,
        false => OPERATIONAL_MODE_OFF,
    };
    DerStatus {
        gen_connect_status: Some(connect.clone()),
        operational_mode_status: Some(OperationalModeStatusType {
            date_time: at,
            value: operational,
        }),
        reading_time: at,
        state_of_charge_status: measured.soc_hundredths.map(|soc| StateOfChargeStatusType {
            date_time: at,
            value: PerCent(soc),
        }),
        stor_connect_status: is_storage(nameplate).then_some(connect),
        ..DerStatus::default()
    }
}

pub(super) fn availability(measured: &Measurement, server_now: Timestamp) -> DerAvailability {
    DerAvailability {
        reading_time: TimeType::from(server_now),
        stat_w_avail: Some(ActivePower::nearest(measured.p_available)),
        ..DerAvailability::default()
    }
}

/// The quantities a device meters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metered {
    ActivePower,
    ReactivePower,
    Voltage,
}

impl Metered {
    const ALL: [Self; 3] = [Self::ActivePower, Self::ReactivePower, Self::Voltage];

    fn tag(self) -> u8 {
        match self {
            Self::ActivePower => 1,
            Self::ReactivePower => 2,
            Self::Voltage => 3,
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::ActivePower => "Active power",
            Self::ReactivePower => "Reactive power",
            Self::Voltage => "Voltage",
        }
    }

    /// Tenths, so that a kilowatt device is metered to a ten-thousandth.
    const POWER_OF_TEN: i8 = -1;

    fn reading_type(self) -> ReadingType {
        let (uom, kind) = match self {
            Self::ActivePower => (UomType::WATT, KindType::POWER),
            Self::ReactivePower => (UomType::VAR, KindType::POWER),
            Self::Voltage => (UomType::VOLT, KindType::NOT_APPLICABLE),
        };
        // Reverse is from the customer to the grid, so that injection is positive.
        let direction = match self {
            Self::Voltage => FlowDirectionType::NOT_APPLICABLE,
            Self::ActivePower | Self::ReactivePower => FlowDirectionType::REVERSE,
        };
        ReadingType {
            accumulation_behaviour: Some(AccumulationBehaviourType::INSTANTANEOUS),
            commodity: Some(CommodityType::ELECTRICITY_SECONDARY),
            data_qualifier: Some(DataQualifierType::AVERAGE),
            flow_direction: Some(direction),
            kind: Some(kind),
            power_of_ten_multiplier: Some(Self::POWER_OF_TEN),
            uom: Some(uom),
            ..ReadingType::default()
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "`as` saturates and 48 bits are kept below"
    )]
    fn value(self, measured: &Measurement) -> Int48 {
        let value = match self {
            Self::ActivePower => measured.p.as_f64(),
            Self::ReactivePower => measured.q.as_f64(),
            Self::Voltage => measured.voltage_v,
        };
        let bound = (1_i64 << 47) - 1;
        Int48(((value * 10.0).round() as i64).clamp(-bound, bound))
    }
}

/// Makes the mRIDs of a device's own objects: of its LFDI, a tag and the maker's enterprise number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mrids {
    pub(super) lfdi: [u8; 20],
    pub(super) pen: u32,
}

impl Mrids {
    fn mrid(self, tag: u8) -> HexBinary128 {
        let head = self.lfdi[..11]
            .iter()
            .fold(0_u128, |value, octet| value << 8 | u128::from(*octet));
        HexBinary128::new(head << 40 | u128::from(tag) << 32 | u128::from(self.pen))
    }
}

pub(super) fn usage_point(mrids: Mrids) -> MirrorUsagePoint {
    let readings = Metered::ALL.map(|metered| MirrorMeterReading {
        mrid: mrids.mrid(metered.tag()),
        description: Some(Text::clipped(metered.description())),
        reading_type: Some(metered.reading_type()),
        ..MirrorMeterReading::default()
    });
    MirrorUsagePoint {
        mrid: mrids.mrid(0),
        description: Some(Text::clipped("DER terminals")),
        role_flags: HexBinary16::new(
            role_flags::IS_MIRROR | role_flags::IS_DER | role_flags::IS_SUBMETER,
        ),
        service_category_kind: ServiceKind::ELECTRICITY,
        status: 1,
        device_lfdi: HexBinary160(mrids.lfdi),
        mirror_meter_reading: readings.into(),
        ..MirrorUsagePoint::default()
    }
}

pub(super) fn readings(
    mrids: Mrids,
    measured: &Measurement,
    server_now: Timestamp,
) -> MirrorMeterReadingList {
    let start_s = server_now
        .secs()
        .saturating_sub(i64::from(measured.period_s));
    let readings = Metered::ALL.map(|metered| MirrorMeterReading {
        mrid: mrids.mrid(metered.tag()),
        description: Some(Text::clipped(metered.description())),
        last_update_time: Some(TimeType::from(server_now)),
        reading: Some(Reading {
            time_period: Some(DateTimeInterval {
                duration: measured.period_s,
                start: TimeType(start_s),
            }),
            value: Some(metered.value(measured)),
            ..Reading::default()
        }),
        reading_type: Some(metered.reading_type()),
        ..MirrorMeterReading::default()
    });
    MirrorMeterReadingList {
        href: None::<AnyUri>,
        all: u32::try_from(readings.len()).expect("as many as there are quantities"),
        results: u32::try_from(readings.len()).expect("as many as there are quantities"),
        mirror_meter_reading: readings.into(),
    }
}
