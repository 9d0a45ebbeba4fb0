//! What its owner lets a DER be used for, and how its energy behaves.

use std::time::Duration;

use units::{Percent, Timestamp, WattHours};

/// Longest least time on or off, and longest recovery.
pub const MAX_HOLD: Duration = Duration::from_secs(24 * 3_600);

/// What a DER's nameplate does not tell of its energy and of its owner's needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flexibility {
    /// What has to be in a vehicle when it leaves.
    pub departure: Option<Departure>,
    /// Stored of what is absorbed; more than nothing.
    pub charge_efficiency: Percent,
    /// Injected of what is taken from the store; more than nothing.
    pub discharge_efficiency: Percent,
    /// For a device that is either off or on.
    pub switching: Option<Switching>,
    /// For a device that heats or cools.
    pub thermal: Option<Thermal>,
}

/// A vehicle is at its charger until then and has to be charged so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Departure {
    /// When.
    pub at: Timestamp,
    /// State of charge.
    pub soc: Percent,
}

/// A device that can only be off, or on at its full rating.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Switching {
    /// Least time on.
    pub min_on: Duration,
    /// Least time off.
    pub min_off: Duration,
}

/// A device whose comfort is a store: held back it takes more afterwards (rebound), and what it
/// takes beforehand it need not take later (pre-conditioning).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thermal {
    /// Energy that it can do without for a while.
    pub hold: WattHours,
    /// Energy that it can take in advance.
    pub precondition: WattHours,
    /// Time constant with which it makes up for what it was held back by: after so long, 63 % are
    /// made up for.
    pub recovery: Duration,
}

impl Default for Flexibility {
    fn default() -> Self {
        Self {
            departure: None,
            charge_efficiency: Percent::WHOLE,
            discharge_efficiency: Percent::WHOLE,
            switching: None,
            thermal: None,
        }
    }
}

impl Flexibility {
    /// The first rule that it breaks, by field.
    pub(super) fn broken_rule(&self) -> Option<(&'static str, &'static str)> {
        let share = |p: Percent| 0 < p.hundredths() && p <= Percent::WHOLE;
        if !share(self.charge_efficiency) {
            return Some(("charge_efficiency_pct", "is more than 0 and at most 100"));
        }
        if !share(self.discharge_efficiency) {
            return Some(("discharge_efficiency_pct", "is more than 0 and at most 100"));
        }
        let soc = self.departure.map(|departure| departure.soc);
        if soc.is_some_and(|soc| soc < Percent::default() || Percent::WHOLE < soc) {
            return Some(("departure.soc_pct", "is 0 to 100"));
        }
        let switching = self.switching.as_ref();
        if switching.is_some_and(|s| MAX_HOLD < s.min_on.max(s.min_off)) {
            return Some(("switching", "holds for at most 24 h"));
        }
        let thermal = self.thermal.as_ref()?;
        if thermal.hold < WattHours::ZERO || thermal.precondition < WattHours::ZERO {
            return Some(("thermal", "energies are not negative"));
        }
        let recovers = !thermal.recovery.is_zero() && thermal.recovery <= MAX_HOLD;
        (!recovers).then_some(("thermal.recovery_s", "is more than 0 s and at most 24 h"))
    }
}
