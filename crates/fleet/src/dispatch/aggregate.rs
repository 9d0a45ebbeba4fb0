//! What several DER do and can do, added up.

use std::time::Duration;

use units::{Timestamp, Vars, Watts};

use super::Standing;
use super::assess::World;
use crate::DerId;

/// How long available power must last to be counted.
pub const SUSTAINED: Duration = Duration::from_secs(900);

/// Sums over members. What is not heard counts as zero: nobody can promise it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Aggregate {
    /// Active power of the members that are heard.
    pub p: Watts,
    /// Reactive power of the members that are heard.
    pub q: Vars,
    /// Mean voltage of those that report one, in volts.
    pub voltage_v: Option<f64>,
    /// How far power could be raised now and held for [`SUSTAINED`].
    pub up: Watts,
    /// How far power could be lowered now and held for [`SUSTAINED`], as a magnitude.
    pub down: Watts,
    /// Most injection of all members by their settings.
    pub installed_max: Watts,
    /// Most absorption of all members by their settings, as a negative injection.
    pub installed_min: Watts,
    /// Members that are heard.
    pub reachable: u32,
    /// Members that were heard once and are not now.
    pub silent: u32,
    /// Members never heard.
    pub never_heard: u32,
    /// When the oldest of the readings added up was taken; `None` without any.
    pub at: Option<Timestamp>,
}

impl World<'_> {
    /// Adds up `ders`.
    #[must_use]
    pub fn aggregate(&self, ders: &[DerId]) -> Aggregate {
        let mut sum = Aggregate::default();
        let mut voltages = (0.0, 0_u32);
        for der in ders.iter().filter_map(|id| self.fleet.der(*id)) {
            if let Some(settings) = &der.settings {
                sum.installed_max += settings.p_inject_max;
                sum.installed_min -= settings.p_absorb_max;
            }
            let observation = self.observation(der.id);
            if !self.is_reachable(der.id) {
                let heard = observation.last_contact.is_some();
                *(if heard {
                    &mut sum.silent
                } else {
                    &mut sum.never_heard
                }) += 1;
                continue;
            }
            sum.reachable += 1;
            if let Some(voltage) = observation.voltage_v {
                voltages = (voltages.0 + voltage.value, voltages.1 + 1);
            }
            sum.q += observation.q.map_or(Vars::ZERO, |q| q.value);
            let Some(p) = observation.p else { continue };
            sum.p += p.value;
            sum.at = Some(sum.at.map_or(p.at, |at| at.min(p.at)));
            if self.standing(der, None) == Standing::Controllable
                && let Some(range) = self.range_for(der, SUSTAINED)
            {
                sum.up += (range.hi - p.value).max(Watts::ZERO);
                sum.down += (p.value - range.lo).max(Watts::ZERO);
            }
        }
        sum.voltage_v = (0 < voltages.1).then(|| voltages.0 / f64::from(voltages.1));
        sum
    }
}
