//! What several DER do and can do, added up.

use std::time::Duration;

use units::{Timestamp, Vars, Watts};

use super::Standing;
use super::assess::World;
use crate::DerId;
use crate::microgrid::Coupling;

/// How long available power must last to be counted.
pub const SUSTAINED: Duration = Duration::from_secs(900);

/// Sums over members. What is not heard counts as zero: nobody can promise it. So does what is in an
/// island: the grid has nothing of it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Aggregate {
    /// Active power of the members that are heard.
    pub p: Watts,
    /// Reactive power of the members that are heard.
    pub q: Vars,
    /// Voltages of those that report one.
    pub voltage: Option<VoltageSpread>,
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
    /// Members in microgrids that are islands, or on their way to or from one.
    pub islanded: u32,
    /// When the oldest of the readings added up was taken; `None` without any.
    pub at: Option<Timestamp>,
}

/// Voltages of several DER, in volts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct VoltageSpread {
    /// Lowest.
    pub min_v: f64,
    /// Mean.
    pub mean_v: f64,
    /// Highest.
    pub max_v: f64,
}

impl VoltageSpread {
    fn of(readings_v: &[f64]) -> Option<Self> {
        let first = *readings_v.first()?;
        let bounds = |(min, max): (f64, f64), v: &f64| (min.min(*v), max.max(*v));
        let (min_v, max_v) = readings_v.iter().fold((first, first), bounds);
        let mean_v = readings_v.iter().sum::<f64>() / readings_v.len() as f64;
        Some(Self {
            min_v,
            mean_v,
            max_v,
        })
    }
}

impl World<'_> {
    /// Adds up `ders`.
    #[must_use]
    pub fn aggregate(&self, ders: &[DerId]) -> Aggregate {
        let mut sum = Aggregate::default();
        let mut voltages_v = Vec::new();
        for der in ders.iter().filter_map(|id| self.fleet.der(*id)) {
            if let Some(settings) = &der.settings {
                sum.installed_max += settings.p_inject_max;
                sum.installed_min -= settings.p_absorb_max;
            }
            let observation = self.observation(der.id);
            if self.coupling(der.id) != Coupling::Connected {
                sum.islanded += 1;
                continue;
            }
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
            voltages_v.extend(observation.voltage_v.map(|voltage| voltage.value));
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
        sum.voltage = VoltageSpread::of(&voltages_v);
        sum
    }
}
