//! What nobody controls.

use crate::noise::{Noise, Wander};

/// Households and businesses along the feeder.
#[derive(Clone, Debug)]
pub struct BaseLoad {
    mean_w: f64,
    wander: Wander,
}

impl BaseLoad {
    /// `mean_w` is a magnitude.
    #[must_use]
    pub fn new(mean_w: f64, noise: Noise) -> Self {
        Self {
            mean_w,
            wander: Wander::new(noise, 0.05, 20.0),
        }
    }

    /// The power injected, which is never positive.
    pub fn step(&mut self, dt_s: f64) -> f64 {
        -(self.mean_w * (1.0 + self.wander.step(dt_s))).max(0.0)
    }
}
