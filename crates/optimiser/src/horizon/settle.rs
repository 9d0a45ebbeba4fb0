//! Making a schedule physical: stores within their bounds by their true dynamics, targets met.
//!
//! A mixture of schedules in which a store charges in one and discharges in another nets to a power
//! at which less energy is lost than was counted. The store then holds more than planned, which may
//! be more than it can. Here absorption that does not fit is given up, and what the target then
//! misses is spread over stores with room and units without a store.

use super::plan::Memberships;
use super::problem::{Problem, Store, Target, Unit};
use super::solve::NoPlan;

/// Residuals against the target below this share of the fleet's power are none.
const NEGLIGIBLE: f64 = 1e-10;
/// Passes over an interval's units until what is left of its residual counts as out of reach.
const MAX_PASSES: u32 = 60;
/// Units that a residual is spread over first; when they can't take it, eight times as many.
const FIRST_HELPERS: usize = 2_000;

/// Brings every store within its bounds, then every interval to its target.
pub(super) fn settle(
    problem: &Problem,
    memberships: &Memberships,
    p_w: &mut [f64],
) -> Result<(), NoPlan> {
    trim_all(problem, p_w);
    let missing = missing_w(problem, p_w);
    spread(problem, memberships, p_w, missing)
}

/// Spreads what the targets miss, while every store stays within its bounds.
pub(super) fn spread(
    problem: &Problem,
    memberships: &Memberships,
    p_w: &mut [f64],
    mut missing: Vec<f64>,
) -> Result<(), NoPlan> {
    let negligible_w = NEGLIGIBLE * power_w(problem);
    let mut helpers = FIRST_HELPERS;
    loop {
        if missing.iter().all(|missing| missing.abs() <= negligible_w) {
            return Ok(());
        }
        let stride = problem.units.len().div_ceil(helpers).max(1);
        let mut spread = Spread::new(problem, memberships, p_w, stride);
        for (t, missing) in missing.iter_mut().enumerate() {
            *missing = spread.over(t, *missing, negligible_w, p_w);
        }
        if stride == 1 {
            break;
        }
        helpers *= 8;
    }
    let tolerated = 0.01 * crate::TOLERANCE * power_w(problem);
    let worst = (0..missing.len()).max_by(|a, b| missing[*a].abs().total_cmp(&missing[*b].abs()));
    match worst.filter(|t| tolerated < missing[*t].abs()) {
        None => Ok(()),
        Some(interval) => Err(NoPlan::Unphysical { interval }),
    }
}

/// Sum of the units' largest magnitudes of power.
pub(super) fn power_w(problem: &Problem) -> f64 {
    problem
        .units
        .iter()
        .map(|unit| unit.lo_w.abs().max(unit.hi_w.abs()))
        .sum()
}

/// What the target of every interval asks for beyond what the units do.
pub(super) fn missing_w(problem: &Problem, p_w: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; problem.intervals()];
    for p_w in p_w.chunks_exact(problem.intervals().max(1)) {
        for (sum, p_w) in sums.iter_mut().zip(p_w) {
            *sum += p_w;
        }
    }
    for (sum, target) in sums.iter_mut().zip(&problem.targets) {
        *sum = match target {
            Target::Free => 0.0,
            Target::Exact(p_w) => p_w - *sum,
            Target::AtLeast(p_w) => (p_w - *sum).max(0.0),
            Target::AtMost(p_w) => (p_w - *sum).min(0.0),
        };
    }
    sums
}

/// Brings every store within its bounds.
pub(super) fn trim_all(problem: &Problem, p_w: &mut [f64]) {
    let units = p_w.chunks_exact_mut(problem.intervals().max(1));
    for (unit, p_w) in problem.units.iter().zip(units) {
        if let Some(store) = unit.store {
            trim(problem, unit, &store, p_w);
        }
    }
}

/// Keeps the store within its bounds by changing power where it would leave them.
fn trim(problem: &Problem, unit: &Unit, store: &Store, p_w: &mut [f64]) {
    let mut energy = store.energy_wh;
    let mut unused = store.energy_wh;
    for (t, p) in p_w.iter_mut().enumerate() {
        let hours = problem.hours(t);
        let kept = store.kept(hours);
        energy *= kept;
        unused *= kept;
        let drawn = store.drawn_wh(*p * hours);
        let least = energy - store.capacity_wh;
        let most = (energy - problem.floor_wh(store, t, unused)).max(least);
        if drawn < least || most < drawn {
            let (lo, hi) = problem.relaxed_range_w(unit, t);
            *p = (injected_wh(store, drawn.clamp(least, most)) / hours).clamp(lo, hi);
        }
        energy -= store.drawn_wh(*p * hours);
    }
}

/// What reaches the grid when this energy is taken from the store; negative when charging.
fn injected_wh(store: &Store, drawn_wh: f64) -> f64 {
    if drawn_wh < 0.0 {
        drawn_wh / store.charge_efficiency
    } else {
        drawn_wh * store.discharge_efficiency
    }
}

/// A unit that takes part in spreading. Energies are divided by what is left, at that time, of a Wh
/// of the beginning, so that a change of power moves all later ones by the same.
struct Helper {
    unit: usize,
    /// By interval: least energy above the floor, and below the capacity, from its end on.
    above: Vec<f64>,
    below: Vec<f64>,
    left: Vec<f64>,
    /// Taken from the store so far, beyond what was planned.
    moved: f64,
}

/// Spreads what the targets miss over units that can change it without a bound being passed, now or
/// later, in proportion to how far each can.
struct Spread<'a> {
    problem: &'a Problem,
    memberships: &'a Memberships,
    helpers: Vec<Helper>,
    /// By limit, then interval: what is left of its bound, watts.
    slack_w: Vec<Vec<f64>>,
}

impl<'a> Spread<'a> {
    fn new(problem: &'a Problem, memberships: &'a Memberships, p_w: &[f64], stride: usize) -> Self {
        let intervals = problem.intervals();
        let helpers = (0..problem.units.len())
            .step_by(stride)
            .filter(|unit| problem.units[*unit].ramp.is_none())
            .map(|unit| {
                Helper::new(
                    problem,
                    unit,
                    &p_w[unit * intervals..(unit + 1) * intervals],
                )
            })
            .collect();
        let slack_w = problem.limits.iter().map(|limit| {
            let mut slack = limit.at_most_w.clone();
            for (unit, factor) in &limit.terms {
                let at = *unit as usize * intervals;
                for (slack, p_w) in slack.iter_mut().zip(&p_w[at..at + intervals]) {
                    *slack -= factor * p_w;
                }
            }
            slack
        });
        Self {
            problem,
            memberships,
            helpers,
            slack_w: slack_w.collect(),
        }
    }

    /// Spreads over the helpers what an interval misses; gives what is left.
    fn over(&mut self, t: usize, mut missing: f64, negligible_w: f64, p_w: &mut [f64]) -> f64 {
        let intervals = self.problem.intervals();
        for _ in 0..MAX_PASSES {
            if missing.abs() <= negligible_w {
                break;
            }
            let room =
                |helper: &Helper| self.room_w(helper, t, missing, p_w[helper.unit * intervals + t]);
            let rooms: Vec<f64> = self.helpers.iter().map(room).collect();
            let room: f64 = rooms.iter().sum();
            if room <= negligible_w * 1e-3 {
                break;
            }
            let share = (missing.abs() / room).min(1.0) * missing.signum();
            for (helper, room) in self.helpers.iter_mut().zip(rooms) {
                let change = share * room;
                if change != 0.0 {
                    let p = &mut p_w[helper.unit * intervals + t];
                    helper.change(self.problem, t, *p, *p + change);
                    *p += change;
                    missing -= change;
                    let limits = self.memberships.of_unit(helper.unit);
                    use_up(&mut self.slack_w, limits, t, change);
                }
            }
        }
        missing
    }

    /// How far a unit's power can go in the direction of `missing`.
    fn room_w(&self, helper: &Helper, t: usize, missing: f64, p_w: f64) -> f64 {
        let unit = &self.problem.units[helper.unit];
        let (lo, hi) = self.problem.relaxed_range_w(unit, t);
        let mut room = if missing < 0.0 { p_w - lo } else { hi - p_w };
        if let Some(store) = &unit.store {
            let energy = if missing < 0.0 {
                helper.below[t] + helper.moved
            } else {
                helper.above[t] - helper.moved
            };
            // A watt draws at most `1/η_d`, whichever way it goes.
            let hours = self.problem.hours(t);
            room = room.min(energy * helper.left[t] * store.discharge_efficiency / hours);
        }
        for (limit, factor) in self.memberships.of_unit(helper.unit) {
            if 0.0 < factor * missing {
                let slack = self.slack_w[*limit as usize][t];
                let sharers = self.problem.limits[*limit as usize].terms.len();
                room = room.min(slack / (factor.abs() * sharers as f64));
            }
        }
        room.max(0.0)
    }
}

impl Helper {
    fn new(problem: &Problem, index: usize, p_w: &[f64]) -> Self {
        let mut helper = Self {
            unit: index,
            above: Vec::new(),
            below: Vec::new(),
            left: Vec::new(),
            moved: 0.0,
        };
        let Some(store) = problem.units[index].store else {
            return helper;
        };
        let (mut energy, mut left) = (store.energy_wh, 1.0);
        for (t, p) in p_w.iter().enumerate() {
            let hours = problem.hours(t);
            let kept = store.kept(hours);
            left *= kept;
            energy = energy * kept - store.drawn_wh(p * hours);
            let floor = problem.floor_wh(&store, t, store.energy_wh * left);
            helper.above.push((energy - floor) / left);
            helper.below.push((store.capacity_wh - energy) / left);
            helper.left.push(left);
        }
        for t in (1..p_w.len()).rev() {
            helper.above[t - 1] = helper.above[t - 1].min(helper.above[t]);
            helper.below[t - 1] = helper.below[t - 1].min(helper.below[t]);
        }
        helper
    }

    fn change(&mut self, problem: &Problem, t: usize, from_w: f64, to_w: f64) {
        if let Some(store) = &problem.units[self.unit].store {
            let hours = problem.hours(t);
            let drawn = store.drawn_wh(to_w * hours) - store.drawn_wh(from_w * hours);
            self.moved += drawn / self.left[t];
        }
    }
}

/// Takes a change of power off what is left of the limits' bounds.
fn use_up(slack_w: &mut [Vec<f64>], limits: &[(u32, f64)], t: usize, change: f64) {
    for (limit, factor) in limits {
        slack_w[*limit as usize][t] -= factor * change;
    }
}
