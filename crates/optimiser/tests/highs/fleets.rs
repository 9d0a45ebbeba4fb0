//! Fleets drawn from a seed, as spread out as real ones are.

use optimiser::horizon::{Deadline, Problem, Store, Target, Unit};

/// A source of numbers that a seed replays (`SplitMix64`, Steele, Lea and Flood 2014).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn between(&mut self, least: f64, most: f64) -> f64 {
        let unit = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        least + (most - least) * unit
    }

    /// A whole number from `0` to below `most`.
    pub(crate) fn below(&mut self, most: u32) -> u32 {
        u32::try_from(self.bits() % u64::from(most)).expect("below a u32")
    }
}

/// Day-ahead prices of a day in quarter-hours, money per Wh: low at noon, high in the evening.
fn prices(intervals: u32) -> Vec<f64> {
    (0..intervals)
        .map(|t| {
            let hour = f64::from(t) * 24.0 / f64::from(intervals);
            let bump = |at: f64, width: f64| (-((hour - at) / width).powi(2)).exp();
            (90.0 + 60.0 * bump(8.0, 1.8) + 130.0 * bump(19.0, 2.2) - 70.0 * bump(13.0, 2.6)) * 1e-6
        })
        .collect()
}

/// Batteries of two to four hours, charged between 10 and 95 per cent, each with its own losses,
/// wear and reserve.
fn battery(draw: &mut Draw) -> Unit {
    let rating_w = draw.between(2_000.0, 12_000.0);
    let capacity_wh = rating_w * draw.between(2.0, 4.0);
    Unit {
        lo_w: -rating_w * draw.between(0.8, 1.0),
        hi_w: rating_w,
        inject_per_wh: draw.between(10e-6, 30e-6),
        absorb_per_wh: draw.between(0.0, 5e-6),
        store: Some(Store {
            energy_wh: capacity_wh * draw.between(0.10, 0.95),
            capacity_wh,
            reserve_wh: capacity_wh * draw.between(0.05, 0.20),
            charge_efficiency: draw.between(0.92, 0.98),
            discharge_efficiency: draw.between(0.92, 0.98),
            loss_per_h: draw.between(0.0, 0.001),
            deadline: None,
            end_min_wh: capacity_wh * draw.between(0.10, 0.30),
        }),
        ..Unit::default()
    }
}

/// A vehicle that comes in the evening of the day before or in the morning, has to have its energy
/// when it leaves, and can discharge in one case of three.
fn vehicle(draw: &mut Draw, intervals: u32) -> Unit {
    let rating_w = [3_700.0, 7_400.0, 11_000.0][draw.below(3) as usize];
    let capacity_wh = draw.between(35_000.0, 90_000.0);
    let per_hour = f64::from(intervals) / 24.0;
    let at = |hour: f64| {
        let index = (hour.clamp(0.0, 24.0) * per_hour).floor();
        (0..=intervals)
            .rev()
            .find(|t| f64::from(*t) <= index)
            .unwrap_or(0)
    };
    let (from, until) = if draw.below(2) == 0 {
        (0, at(draw.between(5.5, 9.5)))
    } else {
        let from = draw.between(8.0, 18.0);
        (at(from), at(from + draw.between(3.0, 9.0)))
    };
    let energy_wh = capacity_wh * draw.between(0.15, 0.7);
    let efficiency = draw.between(0.88, 0.95);
    let hours = f64::from(until - from) / per_hour;
    let reach_wh = (energy_wh + 0.9 * rating_w * efficiency * hours).min(capacity_wh);
    let two_ways = draw.below(3) == 0;
    Unit {
        lo_w: -rating_w,
        hi_w: if two_ways { rating_w } else { 0.0 },
        present_from: from,
        present_until: until,
        inject_per_wh: draw.between(20e-6, 50e-6),
        store: Some(Store {
            energy_wh,
            capacity_wh,
            reserve_wh: 0.1 * capacity_wh,
            charge_efficiency: efficiency,
            discharge_efficiency: efficiency,
            loss_per_h: 0.0,
            deadline: Some(Deadline {
                interval: until - 1,
                min_wh: energy_wh + (reach_wh - energy_wh) * draw.between(0.4, 1.0),
            }),
            end_min_wh: 0.0,
        }),
        ..Unit::default()
    }
}

/// What the fleet is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Batteries,
    HalfVehicles,
}

/// A day of a fleet in quarter-hours: an evening schedule that it follows exactly for four hours,
/// and a connection that limits what it may absorb at any other time.
pub(crate) fn day(shape: Shape, units: u32, seed: u64) -> Problem {
    const INTERVALS: u32 = 96;
    let mut draw = Draw(seed);
    let units: Vec<Unit> = (0..units)
        .map(|index| match shape {
            Shape::HalfVehicles if index % 2 == 1 => vehicle(&mut draw, INTERVALS),
            Shape::Batteries | Shape::HalfVehicles => battery(&mut draw),
        })
        .collect();
    let of_batteries = units.iter().filter(|unit| unit.present_until == u32::MAX);
    let power_w: f64 = of_batteries.map(|unit| unit.hi_w).sum();
    let absorbing_w: f64 = units.iter().map(|unit| unit.lo_w).sum();
    let targets = (0..INTERVALS)
        .map(|t| match t {
            68..84 => Target::Exact(power_w * (0.25 + 0.02 * f64::from((t * 7) % 5))),
            _ => Target::AtLeast(0.35 * absorbing_w),
        })
        .collect();
    Problem {
        interval_s: vec![900.0; INTERVALS as usize],
        price_per_wh: prices(INTERVALS),
        targets,
        units,
        ..Problem::default()
    }
}
