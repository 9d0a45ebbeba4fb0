//! A battery behind an inverter.

use super::{HOUR_S, Output, Request, towards};

/// How a battery is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StorageRating {
    pub p_discharge_max_w: f64,
    pub p_charge_max_w: f64,
    pub capacity_wh: f64,
    /// Of one way: what goes in, or comes out, of what passes the terminals.
    pub efficiency: f64,
    /// State of charge below which the owner allows no discharge, 0 to 100.
    pub reserve_pct: f64,
    /// Share of the discharge rating by which power moves in a second.
    pub ramp_per_s: f64,
}

/// Idle unless asked.
#[derive(Clone, Debug)]
pub struct Storage {
    rating: StorageRating,
    stored_wh: f64,
    p_w: f64,
}

impl Storage {
    #[must_use]
    pub fn new(rating: StorageRating, soc_pct: f64) -> Self {
        Self {
            rating,
            stored_wh: rating.capacity_wh * soc_pct.clamp(0.0, 100.0) / 100.0,
            p_w: 0.0,
        }
    }

    #[must_use]
    pub fn stored_wh(&self) -> f64 {
        self.stored_wh
    }

    pub(super) fn step(&mut self, request: &Request, dt_s: f64) -> Output {
        let rating = self.rating;
        if request.is_disconnected {
            self.p_w = 0.0;
        } else {
            let (low_w, high_w) = (-rating.p_charge_max_w, rating.p_discharge_max_w);
            let target_w = request.target_w(0.0, low_w, high_w);
            let step_w = rating.p_discharge_max_w * rating.ramp_per_s * dt_s;
            let wanted_w = towards(self.p_w, target_w, step_w);
            self.p_w = wanted_w.clamp(-self.acceptable_w(dt_s), self.deliverable_w(dt_s));
        }
        self.move_energy(dt_s);
        Output {
            p_w: self.p_w,
            p_available_w: rating.p_discharge_max_w.min(self.deliverable_w(dt_s)),
            soc_pct: Some(100.0 * self.stored_wh / rating.capacity_wh),
            is_connected: !request.is_disconnected,
        }
    }

    /// What the cells above the reserve can give for `dt_s` at the terminals.
    fn deliverable_w(&self, dt_s: f64) -> f64 {
        let reserve_wh = self.rating.capacity_wh * self.rating.reserve_pct / 100.0;
        let above_wh = (self.stored_wh - reserve_wh).max(0.0);
        above_wh * self.rating.efficiency * HOUR_S / dt_s.max(f64::MIN_POSITIVE)
    }

    /// What the cells can take for `dt_s` at the terminals.
    fn acceptable_w(&self, dt_s: f64) -> f64 {
        let room_wh = (self.rating.capacity_wh - self.stored_wh).max(0.0);
        room_wh / self.rating.efficiency * HOUR_S / dt_s.max(f64::MIN_POSITIVE)
    }

    fn move_energy(&mut self, dt_s: f64) {
        let passed_wh = self.p_w * dt_s / HOUR_S;
        let from_cells_wh = if passed_wh > 0.0 {
            passed_wh / self.rating.efficiency
        } else {
            passed_wh * self.rating.efficiency
        };
        self.stored_wh = (self.stored_wh - from_cells_wh).clamp(0.0, self.rating.capacity_wh);
    }
}
