//! A charger with a vehicle plugged in.

use super::{HOUR_S, Output, Request, towards};

/// How a charger and its vehicle are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvRating {
    pub p_charge_max_w: f64,
    pub capacity_wh: f64,
    pub efficiency: f64,
    /// Share of the rating by which power moves in a second.
    pub ramp_per_s: f64,
}

/// Charges as fast as it can until the vehicle is full, slower when asked to. It never injects.
#[derive(Clone, Debug)]
pub struct EvCharger {
    rating: EvRating,
    stored_wh: f64,
    p_w: f64,
}

impl EvCharger {
    #[must_use]
    pub fn new(rating: EvRating, soc_pct: f64) -> Self {
        Self {
            rating,
            stored_wh: rating.capacity_wh * soc_pct.clamp(0.0, 100.0) / 100.0,
            p_w: 0.0,
        }
    }

    /// What the vehicle still takes until it is full, at its cells.
    #[must_use]
    pub fn remaining_wh(&self) -> f64 {
        (self.rating.capacity_wh - self.stored_wh).max(0.0)
    }

    pub(super) fn step(&mut self, request: &Request, dt_s: f64) -> Output {
        let rating = self.rating;
        if request.is_disconnected {
            self.p_w = 0.0;
        } else {
            let target_w = request.target_w(-rating.p_charge_max_w, -rating.p_charge_max_w, 0.0);
            let wanted_w = towards(
                self.p_w,
                target_w,
                rating.p_charge_max_w * rating.ramp_per_s * dt_s,
            );
            let room_w =
                self.remaining_wh() / rating.efficiency * HOUR_S / dt_s.max(f64::MIN_POSITIVE);
            self.p_w = wanted_w.max(-room_w).min(0.0);
        }
        let stored_wh = -self.p_w * dt_s / HOUR_S * rating.efficiency;
        self.stored_wh = (self.stored_wh + stored_wh).min(rating.capacity_wh);
        Output {
            p_w: self.p_w,
            p_available_w: 0.0,
            soc_pct: Some(100.0 * self.stored_wh / rating.capacity_wh),
            is_connected: !request.is_disconnected,
        }
    }
}
