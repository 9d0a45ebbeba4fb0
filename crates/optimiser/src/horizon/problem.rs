//! What is to be planned, and the rules that it must keep before anything is solved.

use thiserror::Error;

/// Most intervals in one problem: a week of five-minute steps and some room.
pub const MAX_INTERVALS: usize = 4_096;
/// Most units in one problem.
pub const MAX_UNITS: usize = 4_000_000;
/// Most unit-intervals in one problem, which bounds the plan's memory to 3.2 GB.
pub const MAX_UNIT_INTERVALS: usize = 400_000_000;
/// Largest product of a standing loss and the horizon, beyond which energies leave the range of `f64`.
pub const MAX_DECAY: f64 = 500.0;

/// Units, what couples them, and what power is worth, over consecutive intervals `t`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Problem {
    /// Length `Δ_t` of every interval, seconds, positive.
    pub interval_s: Vec<f64>,
    /// Paid for injected and charged for absorbed energy, money per Wh, by interval.
    pub price_per_wh: Vec<f64>,
    /// What all units together must do, by interval.
    pub targets: Vec<Target>,
    /// The units `i`.
    pub units: Vec<Unit>,
    /// Limits over several units `r`.
    pub limits: Vec<Limit>,
    /// Factors on power ranges that units refer to.
    pub shapes: Vec<Shape>,
    /// Costs by interval that units refer to.
    pub tariffs: Vec<Tariff>,
}

/// A rule on `Σ_i p_it`, watts.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Target {
    /// None.
    #[default]
    Free,
    /// Equal to this.
    Exact(f64),
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

/// A sparse row over units: `Σ a_i · p_it ≤ at_most_w[t]`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Limit {
    /// Unit and coefficient `a_i`; a unit stands here once.
    pub terms: Vec<(u32, f64)>,
    /// Bound by interval, watts; infinite where there is none.
    pub at_most_w: Vec<f64>,
}

/// Factors on a unit's range, by interval.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Shape {
    /// On [`Unit::lo_w`].
    pub lo: Vec<f64>,
    /// On [`Unit::hi_w`].
    pub hi: Vec<f64>,
}

/// Costs by interval, money per Wh, that are added to a unit's own.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tariff {
    /// Per Wh injected.
    pub inject_per_wh: Vec<f64>,
    /// Per Wh absorbed.
    pub absorb_per_wh: Vec<f64>,
}

/// One unit. Its power lies in `[lo_w, hi_w]`, times its shape's factors, while it is present, and
/// is zero otherwise.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Unit {
    /// Lowest power, watts.
    pub lo_w: f64,
    /// Highest power, watts.
    pub hi_w: f64,
    /// Index into [`Problem::shapes`].
    pub shape: Option<u32>,
    /// First interval in which it is connected.
    pub present_from: u32,
    /// First interval in which it no longer is.
    pub present_until: u32,
    /// Cost per Wh injected.
    pub inject_per_wh: f64,
    /// Cost per Wh absorbed. It and the cost of injection may not add up to less than zero, or
    /// cost would not be convex in power.
    pub absorb_per_wh: f64,
    /// Index into [`Problem::tariffs`].
    pub tariff: Option<u32>,
    /// What it would rather do.
    pub preferred: Option<Preferred>,
    /// How fast it may change from one interval to the next.
    pub ramp: Option<Ramp>,
    /// The energy behind it.
    pub store: Option<Store>,
    /// What switching it on and off implies.
    pub commitment: Option<Commitment>,
}

impl Default for Unit {
    fn default() -> Self {
        Self {
            lo_w: 0.0,
            hi_w: 0.0,
            shape: None,
            present_from: 0,
            present_until: u32::MAX,
            inject_per_wh: 0.0,
            absorb_per_wh: 0.0,
            tariff: None,
            preferred: None,
            ramp: None,
            store: None,
            commitment: None,
        }
    }
}

/// A power that a unit should keep to, and the cost of not doing so.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Preferred {
    /// Watts; counted only while it lies inside the range.
    pub p_w: f64,
    /// Money per Wh away from it, not negative.
    pub deviation_per_wh: f64,
}

/// Limit of change between neighbouring intervals, whose powers are taken as means.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ramp {
    /// Power before the first interval, watts.
    pub from_w: f64,
    /// Most change from one interval's power to the next, watts.
    pub max_step_w: f64,
}

/// Stored energy `e`, Wh: `e_t = a_t e_{t-1} - Δ_t/3600 · (p⁺/η_d - η_c p⁻)`.
///
/// `a_t = exp(-loss_per_h · Δ_t/3600)`. A water heater or a building is a store whose energy counts
/// from what it would have with no input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Store {
    /// Energy before the first interval.
    pub energy_wh: f64,
    /// Most it holds.
    pub capacity_wh: f64,
    /// Least it keeps; a store that begins with less is not taken lower than it is.
    pub reserve_wh: f64,
    /// `η_c`: stored of what is absorbed, in (0, 1].
    pub charge_efficiency: f64,
    /// `η_d`: injected of what is taken from the store, in (0, 1].
    pub discharge_efficiency: f64,
    /// Standing loss, as the rate of an exponential decay per hour, not negative.
    pub loss_per_h: f64,
    /// Least energy at the end of an interval.
    pub deadline: Option<Deadline>,
    /// Least energy at the end of the last interval.
    pub end_min_wh: f64,
}

/// Energy that must be there when the interval ends, such as when a vehicle leaves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Deadline {
    /// Interval.
    pub interval: u32,
    /// Wh.
    pub min_wh: f64,
}

/// A unit that is either off (zero) or on (at least `min_w` away from zero); its range is on one
/// side of zero. With `min_w` at the whole range it is a block that is on or off.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Commitment {
    /// Least magnitude while on, watts.
    pub min_w: f64,
    /// Money per start.
    pub start_cost: f64,
    /// Least time on, seconds.
    pub min_on_s: f64,
    /// Least time off, seconds.
    pub min_off_s: f64,
    /// Whether it was on before the first interval.
    pub before: Switch,
    /// For how long it had been so by then, seconds; infinite where it is free to change.
    pub lasted_s: f64,
}

impl Commitment {
    /// Seconds for which it stays `switch` at least, once it is. What is still running when the last
    /// interval ends is not held to it.
    #[must_use]
    pub const fn least_s(&self, switch: Switch) -> f64 {
        match switch {
            Switch::On => self.min_on_s,
            Switch::Off => self.min_off_s,
        }
    }
}

/// Whether a unit is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switch {
    /// Off: its power is zero.
    Off,
    /// On.
    On,
}

/// Why a problem is refused unsolved.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum Invalid {
    /// A list by interval has another length than `interval_s`.
    #[error("{what} has {found} entries for {intervals} intervals")]
    Length {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Intervals.
        intervals: usize,
    },
    /// Larger than a limit.
    #[error("{what}: {found} is more than {most}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How many.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// A number outside its range.
    #[error("unit {unit}: {what}")]
    Unit {
        /// Which.
        unit: usize,
        /// The rule that is broken.
        what: &'static str,
    },
    /// A number outside its range, not of one unit.
    #[error("{what} {index}: {rule}")]
    Entry {
        /// Which list.
        what: &'static str,
        /// Where.
        index: usize,
        /// The rule that is broken.
        rule: &'static str,
    },
}

impl Store {
    /// Share of the energy that is left after `hours`.
    #[must_use]
    pub fn kept(&self, hours: f64) -> f64 {
        (-self.loss_per_h * hours).exp()
    }

    /// Wh taken from the store per Wh less absorbed, and per Wh more injected.
    #[must_use]
    pub fn drawn_per_wh(&self) -> (f64, f64) {
        (self.charge_efficiency, 1.0 / self.discharge_efficiency)
    }

    /// Energy taken from the store when `injected_wh` reaches the grid; negative when charging.
    #[must_use]
    pub fn drawn_wh(&self, injected_wh: f64) -> f64 {
        if injected_wh < 0.0 {
            injected_wh * self.charge_efficiency
        } else {
            injected_wh / self.discharge_efficiency
        }
    }
}

impl Problem {
    /// Number of intervals.
    #[must_use]
    pub fn intervals(&self) -> usize {
        self.interval_s.len()
    }

    /// Length of an interval in hours.
    #[must_use]
    pub fn hours(&self, t: usize) -> f64 {
        self.interval_s[t] / 3_600.0
    }

    /// Range of a unit in an interval, watts.
    #[must_use]
    pub fn range_w(&self, unit: &Unit, t: usize) -> (f64, f64) {
        if t < unit.present_from as usize || unit.present_until as usize <= t {
            return (0.0, 0.0);
        }
        match unit.shape {
            None => (unit.lo_w, unit.hi_w),
            Some(shape) => {
                let shape = &self.shapes[shape as usize];
                (unit.lo_w * shape.lo[t], unit.hi_w * shape.hi[t])
            }
        }
    }

    /// Range of a unit in an interval with zero included where the unit may be off, watts.
    #[must_use]
    pub fn relaxed_range_w(&self, unit: &Unit, t: usize) -> (f64, f64) {
        let (lo, hi) = self.range_w(unit, t);
        match unit.commitment {
            None => (lo, hi),
            Some(_) => (lo.min(0.0), hi.max(0.0)),
        }
    }

    /// Cost per Wh injected and per Wh absorbed in an interval, price not counted.
    #[must_use]
    pub fn costs_per_wh(&self, unit: &Unit, t: usize) -> (f64, f64) {
        match unit.tariff {
            None => (unit.inject_per_wh, unit.absorb_per_wh),
            Some(tariff) => {
                let tariff = &self.tariffs[tariff as usize];
                (
                    unit.inject_per_wh + tariff.inject_per_wh[t],
                    unit.absorb_per_wh + tariff.absorb_per_wh[t],
                )
            }
        }
    }

    /// Least energy of a store at the end of an interval, when `unused_wh` would be left of what it
    /// began with.
    #[must_use]
    pub fn floor_wh(&self, store: &Store, t: usize, unused_wh: f64) -> f64 {
        let mut floor = store.reserve_wh.min(unused_wh);
        if let Some(deadline) = store.deadline.filter(|d| d.interval as usize == t) {
            floor = floor.max(deadline.min_wh);
        }
        if t + 1 == self.intervals() {
            floor = floor.max(store.end_min_wh);
        }
        floor
    }

    /// Cost of running a unit at `p_w` for an interval, less what the price pays for it. Starts
    /// are not counted.
    #[must_use]
    pub fn running_cost(&self, unit: &Unit, t: usize, p_w: f64) -> f64 {
        let (inject, absorb) = self.costs_per_wh(unit, t);
        let energy = inject * p_w.max(0.0) + absorb * (-p_w).max(0.0) - self.price_per_wh[t] * p_w;
        let (lo, hi) = self.relaxed_range_w(unit, t);
        let away = unit
            .preferred
            .filter(|preferred| lo <= preferred.p_w && preferred.p_w <= hi)
            .map_or(0.0, |preferred| {
                preferred.deviation_per_wh * (p_w - preferred.p_w).abs()
            });
        (energy + away) * self.hours(t)
    }

    /// Holds the problem to its rules.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), Invalid> {
        let intervals = self.intervals();
        too_large("intervals", intervals, MAX_INTERVALS)?;
        too_large("units", self.units.len(), MAX_UNITS)?;
        let cells = self.units.len().saturating_mul(intervals);
        too_large("unit-intervals", cells, MAX_UNIT_INTERVALS)?;
        self.validate_lists()?;
        self.validate_limits()?;
        let horizon_h: f64 = self.interval_s.iter().sum::<f64>() / 3_600.0;
        for (index, unit) in self.units.iter().enumerate() {
            self.validate_unit(unit, horizon_h)
                .map_err(|what| Invalid::Unit { unit: index, what })?;
        }
        Ok(())
    }

    fn validate_lists(&self) -> Result<(), Invalid> {
        let intervals = self.intervals();
        length("price_per_wh", self.price_per_wh.len(), intervals)?;
        length("targets", self.targets.len(), intervals)?;
        for shape in &self.shapes {
            length("a shape", shape.lo.len(), intervals)?;
            length("a shape", shape.hi.len(), intervals)?;
            all_finite("a factor of shape", &shape.lo)?;
            all_finite("a factor of shape", &shape.hi)?;
        }
        for tariff in &self.tariffs {
            length("a tariff", tariff.inject_per_wh.len(), intervals)?;
            length("a tariff", tariff.absorb_per_wh.len(), intervals)?;
            all_finite("a cost of tariff", &tariff.inject_per_wh)?;
            all_finite("a cost of tariff", &tariff.absorb_per_wh)?;
        }
        all_finite("price", &self.price_per_wh)?;
        all_finite("length of interval", &self.interval_s)?;
        if let Some(index) = self.interval_s.iter().position(|&length| length <= 0.0) {
            let (what, rule) = ("length of interval", "is not positive");
            return Err(Invalid::Entry { what, index, rule });
        }
        let infinite = |target: &Target| match target {
            Target::Free => false,
            Target::Exact(p_w) | Target::AtLeast(p_w) | Target::AtMost(p_w) => !p_w.is_finite(),
        };
        if let Some(index) = self.targets.iter().position(infinite) {
            let (what, rule) = ("target", "is not finite");
            return Err(Invalid::Entry { what, index, rule });
        }
        Ok(())
    }

    fn validate_limits(&self) -> Result<(), Invalid> {
        for (index, limit) in self.limits.iter().enumerate() {
            length("a limit", limit.at_most_w.len(), self.intervals())?;
            let broken = |rule| Invalid::Entry {
                what: "limit",
                index,
                rule,
            };
            if limit
                .at_most_w
                .iter()
                .any(|b| b.is_nan() || *b == f64::NEG_INFINITY)
            {
                return Err(broken("a bound is not a number"));
            }
            if !limit.terms.iter().all(|(_, a)| a.is_finite()) {
                return Err(broken("a coefficient is not finite"));
            }
            let mut units: Vec<u32> = limit.terms.iter().map(|(unit, _)| *unit).collect();
            units.sort_unstable();
            if units.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(broken("names a unit twice"));
            }
            if units
                .last()
                .is_some_and(|last| self.units.len() <= *last as usize)
            {
                return Err(broken("names a unit that does not exist"));
            }
        }
        Ok(())
    }

    fn validate_unit(&self, unit: &Unit, horizon_h: f64) -> Result<(), &'static str> {
        let numbers = [unit.lo_w, unit.hi_w, unit.inject_per_wh, unit.absorb_per_wh];
        (numbers.iter().all(|n| n.is_finite()))
            .then_some(())
            .ok_or("a number is not finite")?;
        let has = |index: Option<u32>, length| index.is_none_or(|i| (i as usize) < length);
        (has(unit.shape, self.shapes.len()))
            .then_some(())
            .ok_or("its shape does not exist")?;
        (has(unit.tariff, self.tariffs.len()))
            .then_some(())
            .ok_or("its tariff does not exist")?;
        for t in 0..self.intervals() {
            let (lo, hi) = self.range_w(unit, t);
            (lo <= hi).then_some(()).ok_or("its range is empty")?;
            let (inject, absorb) = self.costs_per_wh(unit, t);
            (0.0 <= inject + absorb)
                .then_some(())
                .ok_or("its costs add up to less than zero")?;
        }
        if let Some(preferred) = unit.preferred {
            preferred
                .p_w
                .is_finite()
                .then_some(())
                .ok_or("its preferred power is not finite")?;
            let cost = preferred.deviation_per_wh;
            (cost.is_finite() && 0.0 <= cost)
                .then_some(())
                .ok_or("a deviation pays")?;
        }
        if let Some(ramp) = unit.ramp {
            let is_sound = ramp.from_w.is_finite() && 0.0 <= ramp.max_step_w;
            is_sound.then_some(()).ok_or("its ramp is not a limit")?;
        }
        if let Some(store) = unit.store {
            self.validate_store(&store, horizon_h)?;
        }
        if let Some(commitment) = unit.commitment {
            let numbers = [
                commitment.min_w,
                commitment.start_cost,
                commitment.min_on_s,
                commitment.min_off_s,
            ];
            let is_sound = numbers.iter().all(|n| n.is_finite() && 0.0 <= *n);
            (is_sound && 0.0 <= commitment.lasted_s)
                .then_some(())
                .ok_or("its commitment is not finite and positive")?;
            let is_on_one_side = 0.0 <= unit.lo_w || unit.hi_w <= 0.0;
            is_on_one_side
                .then_some(())
                .ok_or("it is committed on both sides of zero")?;
        }
        Ok(())
    }

    fn validate_store(&self, store: &Store, horizon_h: f64) -> Result<(), &'static str> {
        let energies = [
            store.energy_wh,
            store.capacity_wh,
            store.reserve_wh,
            store.end_min_wh,
        ];
        let is_sound = energies.iter().all(|e| e.is_finite() && 0.0 <= *e);
        is_sound
            .then_some(())
            .ok_or("an energy is not finite and positive")?;
        (store.energy_wh <= store.capacity_wh)
            .then_some(())
            .ok_or("it holds more than its capacity")?;
        (store.reserve_wh <= store.capacity_wh)
            .then_some(())
            .ok_or("its reserve is above its capacity")?;
        for efficiency in [store.charge_efficiency, store.discharge_efficiency] {
            (0.0 < efficiency && efficiency <= 1.0)
                .then_some(())
                .ok_or("an efficiency is not in (0, 1]")?;
        }
        let loss = store.loss_per_h;
        (0.0 <= loss && loss * horizon_h <= MAX_DECAY)
            .then_some(())
            .ok_or("its standing loss is out of range")?;
        if let Some(deadline) = store.deadline {
            ((deadline.interval as usize) < self.intervals())
                .then_some(())
                .ok_or("its deadline is too late")?;
            let is_sound = deadline.min_wh.is_finite() && 0.0 <= deadline.min_wh;
            is_sound
                .then_some(())
                .ok_or("the energy of its deadline is not finite and positive")?;
        }
        Ok(())
    }
}

fn length(what: &'static str, found: usize, intervals: usize) -> Result<(), Invalid> {
    if found == intervals {
        return Ok(());
    }
    Err(Invalid::Length {
        what,
        found,
        intervals,
    })
}

fn too_large(what: &'static str, found: usize, most: usize) -> Result<(), Invalid> {
    if found <= most {
        return Ok(());
    }
    Err(Invalid::TooLarge { what, found, most })
}

fn all_finite(what: &'static str, numbers: &[f64]) -> Result<(), Invalid> {
    numbers
        .iter()
        .position(|number| !number.is_finite())
        .map_or(Ok(()), |index| {
            let rule = "is not finite";
            Err(Invalid::Entry { what, index, rule })
        })
}
