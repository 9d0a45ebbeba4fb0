//! Plants: what is behind a device's terminals.
//!
//! Power is in watts, injection positive. A plant is stepped in time with what is asked of it and
//! does what its physics allow.

mod base_load;
mod ev_charger;
mod pv;
mod storage;

use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::setpoint::{self, Setpoint, hundredths_of};
use units::Watts;

pub use base_load::BaseLoad;
pub use ev_charger::{EvCharger, EvRating};
pub use pv::{Pv, clear_sky};
pub use storage::{Storage, StorageRating};

/// Seconds in an hour.
const HOUR_S: f64 = 3600.0;

/// What is asked of a plant. Nothing asked leaves it to its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Request {
    pub p_w: Option<f64>,
    /// Inject no more than this.
    pub p_limit_w: Option<f64>,
    /// Absorb no more than this, as a magnitude.
    pub p_absorb_limit_w: Option<f64>,
    pub is_disconnected: bool,
}

impl Request {
    /// What the set-point asks of a device with this nameplate.
    #[must_use]
    pub fn from_setpoint(setpoint: &Setpoint, nameplate: &Nameplate) -> Self {
        let mut limit = setpoint
            .max_lim_w()
            .map(|hundredths| hundredths_of(hundredths.into(), nameplate.p_inject_max).as_f64());
        let mut absorb_limit: Option<f64> = None;
        for asked in setpoint.asked.iter().filter(|asked| !asked.is_disabled) {
            let (limit, p) = match &asked.request {
                setpoint::Request::ExpLimW(p) => (&mut limit, p),
                setpoint::Request::ImpLimW(p) => (&mut absorb_limit, p),
                _ => continue,
            };
            let p_w = p.quantity().map(Watts::as_f64);
            *limit = p_w.map(|p_w| limit.map_or(p_w, |other| other.min(p_w)));
        }
        let p = setpoint
            .active_power()
            .and_then(|asked| asked.request.p(nameplate));
        Self {
            p_w: p.map(Watts::as_f64),
            p_limit_w: limit,
            p_absorb_limit_w: absorb_limit,
            is_disconnected: !setpoint.is_connected(),
        }
    }

    /// The power to go for: what is asked, or `own` if nothing is, within `low` to `high`.
    fn target_w(&self, own_w: f64, low_w: f64, high_w: f64) -> f64 {
        let low_w = self
            .p_absorb_limit_w
            .map_or(low_w, |limit| low_w.max(-limit).min(high_w));
        let high_w = self
            .p_limit_w
            .map_or(high_w, |limit| high_w.min(limit.max(low_w)));
        self.p_w.unwrap_or(own_w).clamp(low_w, high_w)
    }
}

/// What a plant does at its terminals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Output {
    pub p_w: f64,
    /// The largest injection possible now.
    pub p_available_w: f64,
    pub soc_pct: Option<f64>,
    pub is_connected: bool,
}

/// One plant of any kind.
#[derive(Clone, Debug)]
pub enum Plant {
    Pv(Pv),
    Storage(Storage),
    EvCharger(EvCharger),
}

impl Plant {
    /// Lets `dt_s` seconds pass. `sun` is the irradiance as a share of the strongest.
    pub fn step(&mut self, request: &Request, sun: f64, dt_s: f64) -> Output {
        match self {
            Self::Pv(pv) => pv.step(request, sun, dt_s),
            Self::Storage(storage) => storage.step(request, dt_s),
            Self::EvCharger(charger) => charger.step(request, dt_s),
        }
    }
}

/// `from` moved towards `to` by no more than `step`.
fn towards(from: f64, to: f64, step: f64) -> f64 {
    from + (to - from).clamp(-step, step)
}

#[cfg(test)]
mod tests;
