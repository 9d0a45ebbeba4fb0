//! What is known of a DER by the second: its latest readings and when it was last heard.

use units::{Timestamp, Vars, WattHours, Watts};

/// How far a reading can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quality {
    /// Measured.
    Valid,
    /// Estimated or substituted by the device.
    Estimated,
    /// The device itself doubts it.
    Questionable,
}

/// A value and its circumstances.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Reading<T> {
    /// The value.
    pub value: T,
    /// When it was taken, by the device's clock.
    pub at: Timestamp,
    /// How far it can be trusted.
    pub quality: Quality,
}

/// The latest readings of one DER.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Observation {
    /// When the device last made a request.
    pub last_contact: Option<Timestamp>,
    /// Active power, injection positive.
    pub p: Option<Reading<Watts>>,
    /// Reactive power, injection positive.
    pub q: Option<Reading<Vars>>,
    /// Voltage, in volts.
    pub voltage_v: Option<Reading<f64>>,
    /// State of charge, 0 to 100.
    pub soc_pct: Option<Reading<f64>>,
    /// The highest injection it could give now (for PV: what the sun offers).
    pub p_available: Option<Reading<Watts>>,
    /// Energy that the vehicle at it still has to be charged with (`energyRequestNow`).
    pub energy_requested: Option<Reading<WattHours>>,
    /// Until when (`timeChargeIsNeeded`).
    pub charge_needed_by: Option<Reading<Timestamp>>,
    /// Whether it says that it is connected to the grid.
    pub connected: Option<Reading<bool>>,
}
