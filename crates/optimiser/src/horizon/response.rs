//! The cheapest schedule of one unit at given prices, exactly.
//!
//! In each interval a unit's cost is convex and piecewise linear in its power: it is made of
//! *steps*, each with a width and a slope, from the lowest power up. For a unit with a store every
//! step is also an amount of energy that can be left in the store, at a price per stored Wh. Then
//! the schedule of least cost is an inventory problem on a line, and greedy: walk forward in time
//! and keep all steps seen so far, ordered by price. Where energy would fall below its floor, the
//! cheapest steps that are open are taken for good; where it could exceed the capacity, the dearest
//! are given up for good; at the end, those that pay for themselves are taken. A decision is final
//! because cheaper steps are always taken before dearer ones, whatever comes later. This is the
//! value function of dynamic programming (its slopes are the ordered steps, floor and capacity cut
//! its ends) without the recursion back. With `n` open steps an interval costs at most
//! `n` comparisons; `n` is about the hours that the store lasts, in intervals.
//!
//! Standing loss scales the value function's argument; energies are kept divided by what is left of
//! a Wh of the beginning, so nothing has to be scaled.

use super::problem::{Problem, Store, Unit};

/// Most steps of one interval: range ends, zero and the preferred power bound at most three.
const MAX_STEPS: usize = 3;

/// A piece of a unit's range in one interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    /// Watts.
    pub(super) width_w: f64,
    /// Cost per Wh of going up through it, price included.
    pub(super) slope_per_wh: f64,
    /// Wh taken from a store per Wh of going up through it.
    pub(super) drawn: f64,
}

/// A unit's range in one interval, cut where the slope of its cost changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) lo_w: f64,
    pub(super) hi_w: f64,
    steps: [Step; MAX_STEPS],
    count: usize,
}

impl Stage {
    pub(super) fn of(problem: &Problem, unit: &Unit, t: usize) -> Self {
        let (lo_w, hi_w) = problem.relaxed_range_w(unit, t);
        let mut stage = Self {
            lo_w,
            hi_w,
            steps: [Step::default(); MAX_STEPS],
            count: 0,
        };
        if hi_w <= lo_w {
            return stage;
        }
        let (inject, absorb) = problem.costs_per_wh(unit, t);
        let price = problem.price_per_wh[t];
        let drawn = unit.store.map(|store| store.drawn_per_wh());
        let (charge, discharge) = drawn.unwrap_or((0.0, 0.0));
        if unit.preferred.is_none() {
            if lo_w < 0.0 {
                stage.push(hi_w.min(0.0) - lo_w, -absorb - price, charge);
            }
            if 0.0 < hi_w {
                stage.push(hi_w - lo_w.max(0.0), inject - price, discharge);
            }
            return stage;
        }
        let preferred = unit
            .preferred
            .filter(|preferred| lo_w <= preferred.p_w && preferred.p_w <= hi_w);
        let (bend_w, deviation) = preferred.map_or((lo_w, 0.0), |p| (p.p_w, p.deviation_per_wh));
        let mut from_w = lo_w;
        let cuts = [bend_w.min(0.0), bend_w.max(0.0), hi_w];
        for cut in cuts {
            let to_w = cut.min(hi_w);
            if to_w <= from_w {
                continue;
            }
            let is_injecting = 0.0 <= from_w;
            let own = if is_injecting { inject } else { -absorb };
            let away = if bend_w <= from_w {
                deviation
            } else {
                -deviation
            };
            let drawn = if is_injecting { discharge } else { charge };
            stage.push(to_w - from_w, own + away - price, drawn);
            from_w = to_w;
        }
        stage
    }

    fn push(&mut self, width_w: f64, slope_per_wh: f64, drawn: f64) {
        self.steps[self.count] = Step {
            width_w,
            slope_per_wh,
            drawn,
        };
        self.count += 1;
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps[..self.count]
    }
}

/// No schedule keeps the store within its bounds: they cross at the end of this interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OutOfReach {
    pub(super) interval: usize,
}

/// A step that can still be taken or given up.
#[derive(Clone, Copy)]
struct Open {
    price: f64,
    width: f64,
    drawn: f64,
    at: usize,
}

/// Room to work in, used again for every unit.
pub(super) struct Responder<'a> {
    problem: &'a Problem,
    hours: Vec<f64>,
    /// By interval: what is left of a Wh of the beginning.
    left: Vec<f64>,
    open: Vec<Open>,
    /// Steps before this index of `open` are taken.
    head: usize,
    width: f64,
    /// Energy with all open steps given up.
    least: f64,
}

impl<'a> Responder<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        Self {
            problem,
            hours: (0..problem.intervals()).map(|t| problem.hours(t)).collect(),
            left: vec![1.0; problem.intervals()],
            open: Vec::with_capacity(64),
            head: 0,
            width: 0.0,
            least: 0.0,
        }
    }

    /// Writes the schedule that minimises running cost less `adder_per_wh · energy injected`, and
    /// gives that minimum. Ramps are not seen, and a committed unit may take any power from zero on.
    ///
    /// The minimum is that of the relaxation in which a store may charge and discharge at once.
    pub(super) fn respond(
        &mut self,
        unit: &Unit,
        adder_per_wh: &[f64],
        p_w: &mut [f64],
    ) -> Result<f64, OutOfReach> {
        match unit.store {
            None => Ok(self.respond_at_once(unit, adder_per_wh, p_w)),
            Some(store) => self.respond_with_store(unit, &store, adder_per_wh, p_w),
        }
    }

    fn respond_at_once(&self, unit: &Unit, adder_per_wh: &[f64], p_w: &mut [f64]) -> f64 {
        let mut value = 0.0;
        for (t, p) in p_w.iter_mut().enumerate() {
            let stage = Stage::of(self.problem, unit, t);
            *p = stage.lo_w;
            for step in stage.steps() {
                if step.slope_per_wh < adder_per_wh[t] {
                    *p += step.width_w;
                }
            }
            value += self.problem.running_cost(unit, t, *p) - adder_per_wh[t] * *p * self.hours[t];
        }
        value
    }

    fn respond_with_store(
        &mut self,
        unit: &Unit,
        store: &Store,
        adder_per_wh: &[f64],
        p_w: &mut [f64],
    ) -> Result<f64, OutOfReach> {
        self.open.clear();
        self.head = 0;
        self.width = 0.0;
        self.least = store.energy_wh;
        let sides = store.drawn_per_wh();
        let (mut value, mut left, mut grown) = (0.0, 1.0, 1.0);
        let (mut kept, mut kept_for) = (1.0, 0.0);
        for t in 0..p_w.len() {
            let hours = self.hours[t];
            if 0.0 < store.loss_per_h {
                if hours.total_cmp(&kept_for).is_ne() {
                    (kept, kept_for) = (store.kept(hours), hours);
                }
                left *= kept;
                grown = 1.0 / left;
            }
            self.left[t] = left;
            let stage = Stage::of(self.problem, unit, t);
            let p = stage.hi_w;
            p_w[t] = p;
            if stage.lo_w < 0.0 || 0.0 < p {
                value += match (stage.steps().last(), unit.preferred) {
                    // Without a preference the last slope is that of all the way from zero.
                    (Some(step), None) => (step.slope_per_wh - adder_per_wh[t]) * p * hours,
                    _ => self.problem.running_cost(unit, t, p) - adder_per_wh[t] * p * hours,
                };
                self.least -= p * hours * grown * if p < 0.0 { sides.0 } else { sides.1 };
                for step in stage.steps() {
                    self.insert(Open {
                        price: (adder_per_wh[t] - step.slope_per_wh) * left / step.drawn,
                        width: step.width_w * step.drawn * hours * grown,
                        drawn: step.drawn,
                        at: t,
                    });
                }
            }
            let floor = self.problem.floor_wh(store, t, store.energy_wh * left) * grown;
            let capacity = store.capacity_wh * grown;
            let slack = 1e-9 * capacity;
            if self.least + self.width < floor - slack || capacity + slack < self.least {
                return Err(OutOfReach { interval: t });
            }
            value += self.take(floor - self.least, p_w);
            self.give_up(self.least + self.width - capacity);
        }
        while let Some(open) = self.open.get(self.head).copied() {
            if 0.0 <= open.price {
                break;
            }
            value += self.take(open.width, p_w);
        }
        Ok(value)
    }

    fn insert(&mut self, open: Open) {
        self.width += open.width;
        self.open.push(open);
        let mut place = self.open.len() - 1;
        while self.head < place && open.price < self.open[place - 1].price {
            self.open[place] = self.open[place - 1];
            place -= 1;
        }
        self.open[place] = open;
    }

    /// Takes the cheapest steps up to an energy, and gives their cost.
    fn take(&mut self, mut energy: f64, p_w: &mut [f64]) -> f64 {
        let mut cost = 0.0;
        while 0.0 < energy && self.head < self.open.len() {
            let open = &mut self.open[self.head];
            let taken = open.width.min(energy);
            cost += taken * open.price;
            let at = open.at;
            p_w[at] -= taken * self.left[at] / (open.drawn * self.hours[at]);
            open.width -= taken;
            self.least += taken;
            self.width -= taken;
            energy -= taken;
            if open.width <= 0.0 {
                self.head += 1;
            }
        }
        cost
    }

    /// Gives the dearest steps up, down to an energy.
    fn give_up(&mut self, mut energy: f64) {
        while 0.0 < energy && self.head < self.open.len() {
            let last = self.open.len() - 1;
            let open = &mut self.open[last];
            let given = open.width.min(energy);
            open.width -= given;
            self.width -= given;
            energy -= given;
            if open.width <= 0.0 {
                self.open.truncate(last);
            }
        }
    }
}
