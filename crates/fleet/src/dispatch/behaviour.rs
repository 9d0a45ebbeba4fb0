//! How the energy behind a member changes with its power, and when its owner needs it.

use std::time::Duration;

use units::{Interval, Timestamp, WattHours, Watts};

use super::assess::World;
use crate::{Der, DerKind};

/// What a store loses, what leaves it as it is, and what has to be in it when.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Behaviour {
    /// Output at which its energy stays as it is: nothing of a battery, what a heater does unasked. Of
    /// a device that is either off or on, which of them it is.
    pub neutral: Watts,
    /// Stored of what is absorbed, in (0, 1].
    pub charge_efficiency: f64,
    /// Injected of what is taken from the store, in (0, 1].
    pub discharge_efficiency: f64,
    /// What it has to absorb, and until when it is there.
    pub need: Option<Need>,
    /// Time constant with which it makes up, unasked, for what it was held back by.
    pub recovery: Option<Duration>,
    /// Energy by which it has been held back already and that it has not made up for; negative where
    /// it has taken in advance.
    pub held: WattHours,
    /// For one that is either off or on at its full range.
    pub switching: Option<Switching>,
}

/// How a device that is either off or on may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Switching {
    /// Least time on.
    pub min_on: Duration,
    /// Least time off.
    pub min_off: Duration,
    /// What it does before the first interval: nothing, or its full range.
    pub output: Watts,
    /// For how long it will have done so by then; `None` where it is free to change.
    pub lasted: Option<Duration>,
}

/// Energy that has to be in a store when its vehicle leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Need {
    /// More than it holds now; may be negative.
    pub energy: WattHours,
    /// When it leaves.
    pub by: Timestamp,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            neutral: Watts::ZERO,
            charge_efficiency: 1.0,
            discharge_efficiency: 1.0,
            need: None,
            recovery: None,
            held: WattHours::ZERO,
            switching: None,
        }
    }
}

impl Behaviour {
    /// Energy taken from the store while the output is `p`; negative when it is filled.
    #[must_use]
    pub fn drawn(&self, p: Watts, duration: Duration) -> WattHours {
        let net = (p - self.neutral).over(duration);
        match net < WattHours::ZERO {
            true => WattHours::from_f64(net.as_f64() * self.charge_efficiency),
            false => WattHours::from_f64(net.as_f64() / self.discharge_efficiency),
        }
    }

    /// The output that takes `energy` from the store in `duration`; the inverse of [`Self::drawn`].
    #[must_use]
    pub fn output(&self, energy: WattHours, duration: Duration) -> Option<Watts> {
        let net = match energy < WattHours::ZERO {
            true => WattHours::from_f64(energy.as_f64() / self.charge_efficiency),
            false => WattHours::from_f64(energy.as_f64() * self.discharge_efficiency),
        };
        Some(net.spread_over(duration)? + self.neutral)
    }

    /// The highest output in `interval` with which what is needed can still be absorbed until then,
    /// at most `lo` (negative) at a time, when so much is `drawn` already.
    #[must_use]
    pub fn highest(&self, interval: Interval, lo: Watts, drawn: WattHours) -> Option<Watts> {
        let need = self.need?;
        let until = interval.end().min(need.by);
        let most_later = -self.drawn(lo, need.by.since(until));
        self.output(
            most_later - need.energy - drawn,
            until.since(interval.start),
        )
    }

    /// Energy at its terminals of `up` in its store, what its owner needs kept: no more than what it
    /// can have back, at `lo` (negative) from `now` on, by when it is needed.
    #[must_use]
    pub fn available(&self, up: WattHours, (now, lo): (Timestamp, Watts)) -> WattHours {
        let spare = self.need.map(|need| {
            let most = -self.drawn(lo, need.by.since(now));
            (most - need.energy).max(WattHours::ZERO)
        });
        let energy = spare.map_or(up, |spare| up.min(spare));
        WattHours::from_f64(energy.as_f64() * self.discharge_efficiency)
    }

    /// Energy at its terminals that fills `down` in its store.
    #[must_use]
    pub fn absorbable(&self, down: WattHours) -> WattHours {
        WattHours::from_f64(down.as_f64() / self.charge_efficiency)
    }

    /// Whether its vehicle is away at the end of `interval`.
    #[must_use]
    pub fn leaves_before(&self, end: Timestamp) -> bool {
        self.need.is_some_and(|need| need.by < end)
    }

    /// What it takes beyond its neutral output, unasked, when so much more is `drawn` than it is held
    /// back by already: on average over `duration`. Not positive.
    #[must_use]
    pub fn rebound(&self, drawn: WattHours, duration: Duration) -> Watts {
        let drawn = self.held + drawn;
        let Some(recovery) = self.recovery.filter(|_| WattHours::ZERO < drawn) else {
            return Watts::ZERO;
        };
        let made_up = 1.0 - (-duration.as_secs_f64() / recovery.as_secs_f64()).exp();
        let energy = WattHours::from_f64(drawn.as_f64() * made_up);
        -energy.spread_over(duration).unwrap_or_default()
    }
}

impl World<'_> {
    /// How the energy of `der` behaves from now on, when it would do `base` unasked and nothing else is
    /// known of that.
    #[must_use]
    pub fn behaviour(&self, der: &Der, base: Watts) -> Behaviour {
        let need = self.charge_need(der);
        let Some(known) = self.fleet.enrolment().flexibility(der.id) else {
            return Behaviour {
                need,
                ..Behaviour::default()
            };
        };
        let is_load = matches!(der.kind, DerKind::Load);
        let thermal = known.thermal.filter(|_| is_load);
        let switching = known.switching.filter(|_| is_load);
        let past = self.past(der, self.now);
        let base = past.map_or(base, |past| past.unasked);
        let unasked = match switching.is_some() {
            true => fully(der, base),
            false => base,
        };
        let follows = thermal.is_some() || switching.is_some();
        Behaviour {
            neutral: if follows { unasked } else { Watts::ZERO },
            charge_efficiency: known.charge_efficiency.as_f64() / 100.0,
            discharge_efficiency: known.discharge_efficiency.as_f64() / 100.0,
            need,
            recovery: thermal.map(|thermal| thermal.recovery),
            held: past.map_or(WattHours::ZERO, |past| past.held),
            switching: self.switching(der, self.now),
        }
    }

    /// How `der` may change from what it does at `at`, if it is either off or on.
    pub(crate) fn switching(&self, der: &Der, at: Timestamp) -> Option<Switching> {
        let least = self.fleet.enrolment().flexibility(der.id)?.switching?;
        let past = self.past(der, at)?;
        Some(Switching {
            min_on: least.min_on,
            min_off: least.min_off,
            output: fully(der, past.output),
            lasted: past.since.map(|since| at.since(since)),
        })
    }

    /// What has to be in the vehicle at `der` when it leaves: as the vehicle says, else as its owner
    /// does.
    #[must_use]
    pub fn charge_need(&self, der: &Der) -> Option<Need> {
        let observation = self.observation(der.id);
        let told = observation
            .energy_requested
            .zip(observation.charge_needed_by)
            .filter(|(_, by)| self.now < by.value);
        if let Some((energy, by)) = told {
            let (energy, by) = (energy.value, by.value);
            return Some(Need { energy, by });
        }
        let flexibility = self.fleet.enrolment().flexibility(der.id)?;
        let departure = flexibility.departure.filter(|it| self.now < it.at)?;
        let missing = departure.soc.as_f64() - observation.soc_pct?.value;
        let whole = self.capacity(der)?;
        Some(Need {
            energy: WattHours::from_f64(whole.as_f64() * missing / 100.0),
            by: departure.at,
        })
    }
}

/// What a device does that is either off or on, when it is nearer to `p` than the other.
fn fully(der: &Der, p: Watts) -> Watts {
    let whole = der.settings.as_ref().map_or(p, |s| -s.p_absorb_max);
    match p.micro() < whole.micro() / 2 {
        true => whole,
        false => Watts::ZERO,
    }
}
