//! The master programme of the decomposition: how to mix answers of groups of units.
//!
//! Column `(g, k)` is what group `g` answered in sweep `k`: its power `P_gk`, its part `A_rgk` of
//! every watched limit and its cost `c_gk`. With `α_gk` its share and `r` what a row misses,
//!
//! ```text
//! min Σ c_gk α_gk + missed(r)
//! Σ P_gkt α_gk + r_t {=, ≥, ≤} D_t,   Σ A_rgkt α_gk - r_rt ≤ b_rt,
//! Σ_k α_gk = 1 for every g,   α ≥ 0.
//! ```
//!
//! A convex mixture of feasible schedules is feasible, so a solution that misses nothing is a plan;
//! `missed` is then a penalty of `M` per Wh. To find prices, `missed` is `Σ Δ_t (π̂_t r_t + ρ r_t²/2)`,
//! by which the multipliers stay near the best prices `π̂` known: this is the dual of a bundle method
//! with a proximal term (Lemaréchal, Nemirovskii and Nesterov 1995).

use std::collections::BTreeMap;

use super::lp::{NoOptimum, Rows};
use super::plan::{Prices, constant_part};
use super::problem::{Problem, Target};

/// What one group answered in one sweep.
#[derive(Clone)]
pub(super) struct Column {
    pub(super) group: u32,
    pub(super) sweep: u32,
    pub(super) cost: f64,
    /// By interval.
    pub(super) p_w: Vec<f64>,
    /// By watched limit, by interval; absent where the group has no part.
    pub(super) limit_w: BTreeMap<u32, Vec<f64>>,
    /// Masters in a row in which it had no share.
    pub(super) idle: u32,
}

pub(super) struct Mix {
    /// By column.
    pub(super) share: Vec<f64>,
    pub(super) prices: Prices,
    /// Most that a row is missed by, relative to the fleet's power.
    pub(super) missed: f64,
}

/// What it costs to miss a row.
pub(super) enum Missing<'a> {
    /// A penalty.
    Penalty,
    /// The price at the centre, and half the weight times the square of what is missed. The weight
    /// is relative: a row missed by the whole fleet's power moves its price by this share of the
    /// penalty.
    Proximal { centre: &'a Prices, weight: f64 },
}

pub(super) struct Master<'a> {
    pub(super) problem: &'a Problem,
    pub(super) groups: u32,
    pub(super) columns: Vec<Column>,
    /// Limits that a mixture has exceeded.
    pub(super) watched: Vec<u32>,
    /// `M`, money per Wh.
    pub(super) penalty_per_wh: f64,
    /// Power that residuals are measured against, watts.
    pub(super) base_w: f64,
    /// Taken off the targets: what netting adds to the mixture, watts.
    pub(super) offset_w: Vec<f64>,
}

/// A master as it is written. Powers are in units of the fleet's, money of the penalty's.
struct Sheet {
    rows: Rows,
    cost: Vec<f64>,
    curvature: Vec<f64>,
    priced: Vec<(Priced, usize)>,
}

/// What a row of the master puts a price on.
#[derive(Clone, Copy)]
enum Priced {
    Target(usize),
    Limit(u32, usize),
}

impl Master<'_> {
    pub(super) fn solve(&self, missing: &Missing<'_>, tolerance: f64) -> Result<Mix, NoOptimum> {
        let base_cost = self.penalty_per_wh * self.base_w;
        let mut sheet = Sheet {
            rows: Rows::default(),
            cost: self.columns.iter().map(|c| c.cost / base_cost).collect(),
            curvature: vec![0.0; self.columns.len()],
            priced: Vec::new(),
        };
        self.convexity(&mut sheet);
        for t in 0..self.problem.intervals() {
            if let Target::Exact(p_w) = self.problem.targets[t] {
                sheet.priced.push((Priced::Target(t), sheet.rows.rows()));
                sheet
                    .rows
                    .begin_equality((p_w - self.offset_w[t]) / self.base_w);
                self.add_power(&mut sheet.rows, t, 1.0);
                self.miss(&mut sheet, missing, Priced::Target(t), 1.0);
            }
        }
        for t in 0..self.problem.intervals() {
            let (sign, p_w) = match self.problem.targets[t] {
                Target::AtLeast(p_w) => (-1.0, p_w),
                Target::AtMost(p_w) => (1.0, p_w),
                Target::Free | Target::Exact(_) => continue,
            };
            sheet.priced.push((Priced::Target(t), sheet.rows.rows()));
            sheet
                .rows
                .begin(sign * (p_w - self.offset_w[t]) / self.base_w);
            self.add_power(&mut sheet.rows, t, sign);
            self.miss(&mut sheet, missing, Priced::Target(t), sign);
        }
        for &limit in &self.watched {
            self.limit(&mut sheet, missing, limit);
        }
        for index in 0..self.columns.len() {
            sheet.rows.begin(0.0);
            sheet.rows.term(index, -1.0);
        }
        if matches!(missing, Missing::Penalty) {
            for index in self.columns.len()..sheet.cost.len() {
                sheet.rows.begin(0.0);
                sheet.rows.term(index, -1.0);
            }
        }
        let (x, z) = sheet
            .rows
            .minimise_curved(&sheet.curvature, &sheet.cost, tolerance)?;
        Ok(self.mix(&x, &z, &sheet.priced))
    }

    fn convexity(&self, sheet: &mut Sheet) {
        for group in 0..self.groups {
            sheet.rows.begin_equality(1.0);
            for (index, column) in self.columns.iter().enumerate() {
                if column.group == group {
                    sheet.rows.term(index, 1.0);
                }
            }
        }
    }

    fn add_power(&self, rows: &mut Rows, t: usize, sign: f64) {
        for (index, column) in self.columns.iter().enumerate() {
            if column.p_w[t] != 0.0 {
                rows.term(index, sign * column.p_w[t] / self.base_w);
            }
        }
    }

    fn limit(&self, sheet: &mut Sheet, missing: &Missing<'_>, limit: u32) {
        let bounds = &self.problem.limits[limit as usize].at_most_w;
        for (t, bound_w) in bounds.iter().enumerate().filter(|(_, b)| b.is_finite()) {
            let priced = Priced::Limit(limit, t);
            sheet.priced.push((priced, sheet.rows.rows()));
            sheet.rows.begin(bound_w / self.base_w);
            for (index, column) in self.columns.iter().enumerate() {
                if let Some(limit_w) = column.limit_w.get(&limit) {
                    sheet.rows.term(index, limit_w[t] / self.base_w);
                }
            }
            self.miss(sheet, missing, priced, -1.0);
        }
    }

    /// Lets the row begun last be missed. `sign` is that of its power.
    fn miss(&self, sheet: &mut Sheet, missing: &Missing<'_>, priced: Priced, sign: f64) {
        let (Priced::Target(t) | Priced::Limit(_, t)) = priced;
        let hours = self.problem.hours(t);
        match *missing {
            Missing::Penalty => {
                // One-sided rows are missed on one side only, that on which they bind.
                let is_exact = matches!(self.problem.targets[t], Target::Exact(_));
                sheet.rows.term(sheet.cost.len(), -1.0);
                sheet.cost.push(hours);
                if is_exact && matches!(priced, Priced::Target(_)) {
                    sheet.rows.term(sheet.cost.len(), 1.0);
                    sheet.cost.push(hours);
                }
                sheet.curvature.resize(sheet.cost.len(), 0.0);
            }
            Missing::Proximal { centre, weight } => {
                let per_wh = match priced {
                    Priced::Target(t) => centre.target_per_wh[t],
                    Priced::Limit(limit, t) => centre
                        .limit_per_wh
                        .get(&limit)
                        .map_or(0.0, |price| price[t]),
                };
                sheet.rows.term(sheet.cost.len(), sign);
                sheet.cost.push(hours * per_wh / self.penalty_per_wh);
                sheet.curvature.push(hours * weight);
            }
        }
    }

    fn mix(&self, x: &[f64], z: &[f64], priced: &[(Priced, usize)]) -> Mix {
        let intervals = self.problem.intervals();
        let mut share: Vec<f64> = x[..self.columns.len()].iter().map(|s| s.max(0.0)).collect();
        let mut totals = vec![0.0; self.groups as usize];
        for (share, column) in share.iter_mut().zip(&self.columns) {
            if *share < SHARE_FLOOR {
                *share = 0.0;
            }
            totals[column.group as usize] += *share;
        }
        for (share, column) in share.iter_mut().zip(&self.columns) {
            *share /= totals[column.group as usize];
        }
        let mut prices = Prices::none(intervals);
        for &(what, row) in priced {
            let multiplier = z[row] * self.penalty_per_wh;
            match what {
                Priced::Target(t) => {
                    let sign = match self.problem.targets[t] {
                        Target::AtLeast(_) => 1.0,
                        Target::Free | Target::Exact(_) | Target::AtMost(_) => -1.0,
                    };
                    prices.target_per_wh[t] = sign * multiplier / self.problem.hours(t);
                }
                Priced::Limit(limit, t) => {
                    let of_limit = prices.limit_per_wh.entry(limit);
                    of_limit.or_insert_with(|| vec![0.0; intervals])[t] =
                        multiplier / self.problem.hours(t);
                }
            }
        }
        let missed = x[self.columns.len()..].iter().map(|x| x.abs());
        Mix {
            share,
            prices: prices.with_allowed_signs(self.problem),
            missed: missed.fold(0.0, f64::max),
        }
    }

    /// The bound that the columns promise at these prices: no less than the true one.
    pub(super) fn promise(&self, prices: &Prices) -> f64 {
        let mut least = vec![f64::INFINITY; self.groups as usize];
        for column in &self.columns {
            let mut value = column.cost;
            for (t, p_w) in column.p_w.iter().enumerate() {
                value -= prices.target_per_wh[t] * self.problem.hours(t) * p_w;
            }
            for (limit, limit_w) in &column.limit_w {
                let Some(price) = prices.limit_per_wh.get(limit) else {
                    continue;
                };
                for (t, p_w) in limit_w.iter().enumerate() {
                    value += price[t] * self.problem.hours(t) * p_w;
                }
            }
            let least = &mut least[column.group as usize];
            *least = least.min(value);
        }
        constant_part(self.problem, prices) + least.iter().sum::<f64>()
    }
}

/// A share below this is none.
const SHARE_FLOOR: f64 = 1e-7;
