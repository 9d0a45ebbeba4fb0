//! What a DER reports of itself, as the fleet reads it.

use fleet::{Capability, EnterService, Modes, Settings};
use units::{Percent, Timestamp, Vars, VoltAmperes, WattHours, Watts};

use super::Quality;
use super::metering::{Measurement, Point, Quantity, believed};
use crate::codec::simple::TimeType;
use crate::wire::control_mode::DerControlType;
use crate::wire::der::{
    DerAvailability, DerCapability, DerSettings, DerStatus, DerType, connect_status,
};
use crate::wire::power_status::PowerStatus;
use crate::wire::quantity::{ActivePower, ApparentPower, ReactivePower, WattHour};

/// Most energy that a vehicle can be believed to ask for.
const MAX_REQUEST_WH: f64 = 1e7;

/// A value that cannot be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is negative or beyond what can be computed with")]
pub struct OutOfRange {
    pub field: &'static str,
}

/// The nameplate.
///
/// Interpretation: `rtgMaxW` is the injection rating unless `rtgMaxDischargeRateW` is given for a
/// storage type; a storage type that gives no discharge rate and does not claim to discharge (an EV
/// charger) injects nothing, whatever its `rtgMaxW`.
pub fn capability(wire: &DerCapability) -> Result<Capability, OutOfRange> {
    let p_max = watts(&wire.rtg_max_w, "rtgMaxW")?;
    let discharge = wire
        .rtg_max_discharge_rate_w
        .as_ref()
        .map(|w| watts(w, "rtgMaxDischargeRateW"))
        .transpose()?;
    Ok(Capability {
        p_inject_max: injection(wire.der_type, wire.modes_supported, p_max, discharge),
        p_absorb_max: match &wire.rtg_max_charge_rate_w {
            Some(charge) => watts(charge, "rtgMaxChargeRateW")?,
            None => Watts::ZERO,
        },
        s_max: volt_amperes(wire.rtg_max_va.as_ref(), "rtgMaxVA")?,
        q_inject_max: vars(wire.rtg_max_var.as_ref(), "rtgMaxVar")?,
        q_absorb_max: vars(wire.rtg_max_var_neg.as_ref(), "rtgMaxVarNeg")?,
        energy_max: watt_hours(wire.rtg_max_wh.as_ref(), "rtgMaxWh")?,
        modes: Modes(wire.modes_supported.value()),
        doe_modes: wire.doe_modes_supported.map_or(0, |modes| modes.value()),
    })
}

/// The settings. `nameplate` says what kind of DER it is, if it has said so.
///
/// Interpretation: modes that are not reported as enabled or disabled are taken as enabled.
pub fn settings(
    wire: &DerSettings,
    nameplate: Option<&DerCapability>,
) -> Result<Settings, OutOfRange> {
    let p_max = watts(&wire.set_max_w, "setMaxW")?;
    let discharge = wire
        .set_max_discharge_rate_w
        .as_ref()
        .map(|w| watts(w, "setMaxDischargeRateW"))
        .transpose()?;
    let der_type = nameplate.map_or(DerType::UNKNOWN, |n| n.der_type);
    let modes_supported = nameplate.map_or(DerControlType::new(u32::MAX), |n| n.modes_supported);
    let ramp = Percent::from_hundredths(i32::from(wire.set_grad_w));
    let p_inject_max = injection(der_type, modes_supported, p_max, discharge);
    Ok(Settings {
        p_inject_max,
        p_max: (p_max != p_inject_max).then_some(p_max),
        p_absorb_max: match (&wire.set_max_charge_rate_w, nameplate) {
            (Some(charge), _) => watts(charge, "setMaxChargeRateW")?,
            (
                None,
                Some(DerCapability {
                    rtg_max_charge_rate_w: Some(charge),
                    ..
                }),
            ) => watts(charge, "rtgMaxChargeRateW")?,
            (None, _) => Watts::ZERO,
        },
        s_max: volt_amperes(wire.set_max_va.as_ref(), "setMaxVA")?,
        q_inject_max: vars(wire.set_max_var.as_ref(), "setMaxVar")?,
        q_absorb_max: vars(wire.set_max_var_neg.as_ref(), "setMaxVarNeg")?,
        energy_max: watt_hours(wire.set_max_wh.as_ref(), "setMaxWh")?,
        ramp_per_second: (wire.set_grad_w > 0).then_some(ramp),
        soft_ramp_per_second: wire
            .set_soft_grad_w
            .map(|hundredths| Percent::from_hundredths(i32::from(hundredths))),
        enter_service: EnterService {
            delay_cs: wire.set_es_delay,
            high_freq_chz: wire.set_es_high_freq,
            high_volt_cpct: wire.set_es_high_volt,
            low_freq_chz: wire.set_es_low_freq,
            low_volt_cpct: wire.set_es_low_volt,
            ramp_tms_cs: wire.set_es_ramp_tms,
            random_delay_cs: wire.set_es_random_delay,
        },
        modes: Modes(wire.modes_enabled.map_or(u32::MAX, |modes| modes.value())),
        updated: wire.updated_time.timestamp(),
    })
}

fn injection(
    der_type: DerType,
    modes: DerControlType,
    p_max: Watts,
    discharge: Option<Watts>,
) -> Watts {
    let stores = matches!(
        der_type,
        DerType::OTHER_STORAGE | DerType::ELECTRIC_VEHICLE | DerType::EVSE
    );
    match discharge {
        Some(discharge) if stores => discharge,
        None if stores && !modes.has(DerControlType::DISCHARGE) => Watts::ZERO,
        _ => p_max,
    }
}

/// What a status tells: state of charge and whether it is connected.
#[must_use]
pub fn status(wire: &DerStatus, now: Timestamp) -> Vec<Measurement> {
    let mut told = Vec::new();
    if let Some(soc) = &wire.state_of_charge_status {
        let percent = f64::from(soc.value.0) / 100.0;
        told.push(measurement(
            Quantity::StateOfCharge,
            percent,
            soc.date_time,
            now,
        ));
    }
    let connected = match (&wire.gen_connect_status, &wire.stor_connect_status) {
        (Some(one), None) | (None, Some(one)) => {
            Some((is_connected(one.value.value()), one.date_time))
        }
        (Some(generator), Some(storage)) => Some((
            is_connected(generator.value.value()) || is_connected(storage.value.value()),
            generator.date_time.max(storage.date_time),
        )),
        (None, None) => None,
    };
    if let Some((connected, at)) = connected {
        let value = if connected { 1.0 } else { 0.0 };
        told.push(measurement(Quantity::Connected, value, at, now));
    }
    told
}

fn is_connected(bits: u8) -> bool {
    bits & connect_status::CONNECTED != 0
}

/// What the status of a power supply tells: how far a battery is charged, and what a vehicle needs.
///
/// Interpretation: a charger that says nothing of a vehicle has none, so nothing is needed of it.
#[must_use]
pub fn power_status(wire: &PowerStatus, now: Timestamp) -> Vec<Measurement> {
    let changed = wire.changed_time;
    let mut told = Vec::new();
    if let Some(remaining) = wire.estimated_charge_remaining {
        let percent = f64::from(remaining.0) / 100.0;
        told.push(measurement(Quantity::StateOfCharge, percent, changed, now));
    }
    let (energy_wh, by, at) = match &wire.pev_info {
        None => (Some(0.0), changed, changed),
        Some(vehicle) => {
            let energy = &vehicle.energy_request_now;
            let scale = 10_f64.powi(i32::from(energy.multiplier));
            let energy_wh = Some(energy.value.0 as f64 * scale).filter(|wh| *wh <= MAX_REQUEST_WH);
            (
                energy_wh,
                vehicle.time_charge_is_needed,
                vehicle.time_charging_status_pev,
            )
        }
    };
    if let Some(energy_wh) = energy_wh {
        let by_s = by.timestamp().secs() as f64;
        told.push(measurement(Quantity::EnergyRequested, energy_wh, at, now));
        told.push(measurement(Quantity::ChargeNeededBy, by_s, at, now));
    }
    told
}

/// What an availability tells.
///
/// Interpretation: `statWAvail` is the level of injection the DER could reach now, not the distance
/// from its present level; the standard says "estimated reserve active power" and devices in the
/// field report it the way SunSpec's `WAval` is defined.
#[must_use]
pub fn availability(wire: &DerAvailability, now: Timestamp) -> Vec<Measurement> {
    wire.stat_w_avail
        .as_ref()
        .and_then(ActivePower::quantity)
        .map(|p| measurement(Quantity::AvailablePower, p.as_f64(), wire.reading_time, now))
        .into_iter()
        .collect()
}

fn measurement(quantity: Quantity, value: f64, at: TimeType, now: Timestamp) -> Measurement {
    let (at, quality) = believed(at.timestamp(), Quality::Valid, now);
    Measurement {
        point: Point::Der,
        quantity,
        value,
        at,
        period_s: 0,
        quality,
    }
}

macro_rules! magnitudes {
    ($($function:ident: $Wire:ty => $Quantity:ty;)*) => {$(
        fn $function(
            wire: Option<&$Wire>,
            field: &'static str,
        ) -> Result<Option<$Quantity>, OutOfRange> {
            wire.map(|wire| match wire.quantity() {
                Some(quantity) if <$Quantity>::ZERO <= quantity => Ok(quantity),
                _ => Err(OutOfRange { field }),
            })
            .transpose()
        }
    )*};
}

magnitudes! {
    volt_amperes: ApparentPower => VoltAmperes;
    watt_hours: WattHour => WattHours;
}

fn watts(wire: &ActivePower, field: &'static str) -> Result<Watts, OutOfRange> {
    match wire.quantity() {
        Some(quantity) if Watts::ZERO <= quantity => Ok(quantity),
        _ => Err(OutOfRange { field }),
    }
}

/// As a magnitude: the standard has the rating of absorbed reactive power negative, but devices
/// send either sign.
fn vars(wire: Option<&ReactivePower>, field: &'static str) -> Result<Option<Vars>, OutOfRange> {
    wire.map(|wire| {
        let quantity = wire.quantity().ok_or(OutOfRange { field })?;
        Ok(Vars::from_micro(quantity.micro().saturating_abs()))
    })
    .transpose()
}
