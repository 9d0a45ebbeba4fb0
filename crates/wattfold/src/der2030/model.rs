//! A simple device: it does what is asked of it as far as its ratings and its energy go.

use std::time::Duration;

use ieee2030_5::client::Sample;
use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::setpoint::{Request, Setpoint, hundredths_of};
use ieee2030_5::wire::quantity::{ActivePower, ReactivePower};
use units::{Timestamp, Vars, Watts};

use super::config::Kind;

/// What a plant without a reservoir could inject now, as a share of its rating.
const RESOURCE_SHARE: f64 = 0.7;
/// A reservoir begins half full.
const SOC_START: f64 = 0.5;
const VOLTAGE_V: f64 = 230.0;

/// A device and how it is now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    kind: Kind,
    nameplate: Nameplate,
    p_w: f64,
    q_var: f64,
    energy_wh: f64,
    at: Timestamp,
}

impl Model {
    pub(super) fn new(kind: Kind, nameplate: Nameplate, now: Timestamp) -> Self {
        let energy = nameplate.energy_max.map_or(0.0, |it| it.as_f64());
        Self {
            kind,
            nameplate,
            p_w: 0.0,
            q_var: 0.0,
            energy_wh: energy * SOC_START,
            at: now,
        }
    }

    /// Does until `now` what is asked, and says what the meter shows.
    pub(super) fn step(&mut self, setpoint: &Setpoint, now: Timestamp) -> Sample {
        let elapsed = now.since(self.at);
        self.at = now;
        let (low_w, high_w) = self.reach_w(setpoint);
        let asked = setpoint.active_power();
        let asked = asked
            .and_then(|it| it.request.p(&self.nameplate))
            .map(Watts::as_f64);
        let target_w = asked.unwrap_or(self.own_w()).clamp(low_w, high_w);
        let step_w = self.ramp_w(setpoint, elapsed);
        self.p_w += (target_w - self.p_w).clamp(-step_w, step_w);
        self.p_w = self.p_w.clamp(low_w.min(self.p_w), high_w.max(low_w));
        self.q_var = self.asked_var(setpoint);
        let energy_max = self.nameplate.energy_max.map(|it| it.as_f64());
        if let Some(max) = energy_max {
            let used = self.p_w * elapsed.as_secs_f64() / 3_600.0;
            self.energy_wh = (self.energy_wh - used).clamp(0.0, max);
        }
        Sample {
            p: Watts::from_f64(self.p_w),
            q: Vars::from_f64(self.q_var),
            voltage_v: VOLTAGE_V,
            soc_hundredths: energy_max.map(|max| soc_hundredths(self.energy_wh / max.max(1.0))),
            p_available: Watts::from_f64(self.available_w()),
            is_connected: setpoint.is_connected(),
        }
    }

    /// What it does of its own accord.
    fn own_w(&self) -> f64 {
        match self.kind {
            Kind::Pv | Kind::PvAndStorage | Kind::Other => self.available_w(),
            Kind::Evse => -self.nameplate.p_absorb_max.as_f64(),
            Kind::Storage => 0.0,
        }
    }

    fn available_w(&self) -> f64 {
        let rated = self.nameplate.p_inject_max.as_f64();
        match self.kind {
            Kind::Pv | Kind::Other => rated * RESOURCE_SHARE,
            Kind::Evse => 0.0,
            Kind::Storage | Kind::PvAndStorage => {
                let has_energy = self.nameplate.energy_max.is_none() || self.energy_wh > 0.0;
                if has_energy { rated } else { 0.0 }
            }
        }
    }

    /// Between which powers it may and can be.
    fn reach_w(&self, setpoint: &Setpoint) -> (f64, f64) {
        if !setpoint.is_connected() {
            return (0.0, 0.0);
        }
        let full = self
            .nameplate
            .energy_max
            .is_some_and(|it| self.energy_wh >= it.as_f64());
        let absorbs = matches!(self.kind, Kind::Storage | Kind::PvAndStorage | Kind::Evse);
        let mut low_w = match absorbs && !full {
            true => -self.nameplate.p_absorb_max.as_f64(),
            false => 0.0,
        };
        let mut high_w = self.available_w();
        let watts = |p: &ActivePower| p.quantity().map_or(0.0, Watts::as_f64);
        if let Some(share) = setpoint.max_lim_w() {
            high_w = high_w.min(hundredths_of(share.into(), self.nameplate.p_inject_max).as_f64());
        }
        for asked in setpoint.asked.iter().filter(|it| !it.is_disabled) {
            match &asked.request {
                Request::ExpLimW(p) | Request::GenLimW(p) => high_w = high_w.min(watts(p)),
                Request::ImpLimW(p) | Request::LoadLimW(p) => low_w = low_w.max(-watts(p)),
                _ => {}
            }
        }
        (low_w.min(high_w), high_w)
    }

    fn asked_var(&self, setpoint: &Setpoint) -> f64 {
        let q_max = self.nameplate.q_max.as_f64();
        let vars = |q: &ReactivePower| q.quantity().map_or(0.0, Vars::as_f64);
        let asked = setpoint.asked.iter().filter(|it| !it.is_disabled);
        let mut asked = asked.filter_map(|it| match &it.request {
            Request::TargetVar(q) => Some(vars(q)),
            Request::FixedVar(fixed) => Some(f64::from(fixed.value.0) / 10_000.0 * q_max),
            _ => None,
        });
        asked.next().unwrap_or(0.0).clamp(-q_max, q_max)
    }

    fn ramp_w(&self, setpoint: &Setpoint, elapsed: Duration) -> f64 {
        let grad = setpoint.standing.grad_w;
        let grad = grad.unwrap_or(self.nameplate.gradient_hundredths_per_s);
        let max = self.nameplate.p_inject_max.max(self.nameplate.p_absorb_max);
        f64::from(grad) / 10_000.0 * max.as_f64() * elapsed.as_secs_f64()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held between 0 and 10 000"
)]
fn soc_hundredths(share: f64) -> u16 {
    (share.clamp(0.0, 1.0) * 10_000.0).round() as u16
}
