//! A photovoltaic inverter.

use super::{Output, Request, towards};
use crate::noise::{Noise, Wander};

/// Injects what the sun gives, less when asked to.
#[derive(Clone, Debug)]
pub struct Pv {
    rated_w: f64,
    ramp_w_per_s: f64,
    clouds: Wander,
    p_w: f64,
}

impl Pv {
    /// `ramp_per_s` is the share of the rating by which the inverter moves its power in a second.
    #[must_use]
    pub fn new(rated_w: f64, ramp_per_s: f64, noise: Noise) -> Self {
        Self {
            rated_w,
            ramp_w_per_s: rated_w * ramp_per_s,
            clouds: Wander::new(noise, 0.02, 60.0),
            p_w: 0.0,
        }
    }

    pub(super) fn step(&mut self, request: &Request, sun: f64, dt_s: f64) -> Output {
        let sky = sun * (1.0 + self.clouds.step(dt_s));
        let available_w = (self.rated_w * sky).clamp(0.0, self.rated_w);
        if request.is_disconnected {
            self.p_w = 0.0;
        } else {
            let target_w = request.target_w(available_w, 0.0, available_w);
            let moved_w = towards(self.p_w, target_w, self.ramp_w_per_s * dt_s);
            // The sun is not bound by the ramp of the inverter.
            self.p_w = moved_w.min(available_w);
        }
        Output {
            p_w: self.p_w,
            p_available_w: available_w,
            soc_pct: None,
            is_connected: !request.is_disconnected,
        }
    }
}

/// The irradiance of a clear day as a share of the strongest, at `hour` of the day.
#[must_use]
pub fn clear_sky(hour: f64) -> f64 {
    const SUNRISE_H: f64 = 6.0;
    const SUNSET_H: f64 = 20.0;
    let share = (hour - SUNRISE_H) / (SUNSET_H - SUNRISE_H);
    if (0.0..=1.0).contains(&share) {
        (share * std::f64::consts::PI).sin().powf(1.3)
    } else {
        0.0
    }
}
