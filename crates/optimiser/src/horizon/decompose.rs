//! Prices for what couples the units, found by asking all of them (Dantzig and Wolfe 1960).
//!
//! Told prices, every unit answers with its own cheapest schedule ([`super::response`]), which is
//! exact for it whatever its capacity, efficiency, charge and times: nothing is averaged. The
//! answers give a lower bound (the Lagrangian one, of the whole problem), and each group's answer is
//! a column of the master programme, whose multipliers are the next prices. As groups' schedules are
//! mixed with one set of shares per group, a mixture is feasible for every unit.
//!
//! Cheapest schedules are extreme: where two intervals are equally dear, all units choose the same
//! one, and mixtures of a few such answers miss a target that is to be met exactly. So units are
//! also asked with prices that differ by a little from unit to unit: their answers cost little more
//! and spread over the intervals that are near a tie.
//!
//! The first prices are those of a few scaled units' linear programme: every n-th unit in order of
//! likeness, standing for its neighbours (a scaled unit is exactly that many equal ones). For a
//! large fleet they are improved on a larger sample before all units are asked.

mod approach;
mod columns;
mod sample;
mod scale;

use std::collections::BTreeMap;

use self::columns::{add_limit, add_share, merged};
use self::sample::sample;
use self::scale::{excess, limit_power_w, penalty_per_wh, spread_per_wh};
use super::fleet::{Differing, Fleet, Sweep};
use super::master::{Column, Master, Missing, Mix};
use super::plan::{Plan, Prices, lower_bound};
use super::problem::Problem;
use super::settle::{missing_w, power_w, trim_all};
use super::solve::{EXACT_TOLERANCE, MAX_EXACT_CELLS, NoPlan, Settings, exact};

/// Units of the sample that stands for a large fleet.
const SAMPLE_UNITS: usize = 2_400;
/// Units of the sample whose linear programme gives the first prices.
const FEW_UNITS: usize = 24;
/// Tolerance of that, and of the programme that mixes.
const ROUGH: f64 = 1e-5;
const MIXER_TOLERANCE: f64 = 1e-7;
/// Groups of a fleet that is its own sample, and of one that starts from a sample.
const GROUPS: u32 = 60;
const GROUPS_OF_LARGE: u32 = 120;
/// Groups that are one for the search of prices.
const GROUPS_IN_ONE: u32 = 10;
/// Sweeps that a mixture is made of: the last ones, or as many as have so many answers.
const MIXED_ANSWERS: usize = 600;
const MIXED_SWEEPS: usize = 10;
/// How far prices differ from unit to unit at first, as a share of the spread of prices over time,
/// and by which factor they differ less when that made the mixture too dear.
const FIRST_DIFFERENCE: f64 = 0.03;
const CALMING: f64 = 0.4;
/// Factor on the penalty where a row may only be missed if there is no other way.
const FORBIDDING: f64 = 30.0;
/// Prices asked for between mixtures.
const STEPS_PER_ROUND: u32 = 3;
/// Largest residual, as a share of the fleet's power, that is spread rather than mixed away.
const SPREADABLE: f64 = 2e-3;
/// Masters in a row without a share after which a column is left out.
const MAX_IDLE: u32 = 6;
/// Times that the targets are shifted by what netting adds.
const MAX_SHIFTS: u32 = 3;
/// Excess over a limit that is none, relative to what its units can do.
const LIMITS_KEPT: f64 = 0.5 * crate::TOLERANCE;
/// Limits taken into the master after one mixture.
const MAX_WATCHED_AT_ONCE: usize = 64;
/// Weight of the first proximal term.
const FIRST_WEIGHT: f64 = 0.02;
/// Share of what the columns promise that a bound must rise by for its prices to be the centre.
const SERIOUS: f64 = 0.1;

pub(super) fn decompose(problem: &Problem, settings: &Settings) -> Result<Plan, NoPlan> {
    if 4 * SAMPLE_UNITS < problem.units.len() {
        return from_sample(problem, settings);
    }
    let fleet = Fleet::new(problem, GROUPS);
    let mut search = Search::new(&fleet, settings);
    let mut start = Start::at(first_prices(problem, &fleet));
    search.ask(&start.prices)?;
    search.find(&mut start, ROUND)?;
    let cells = problem.units.len() * problem.intervals();
    match search.best_plan {
        None if cells <= MAX_EXACT_CELLS => exact(problem, EXACT_TOLERANCE),
        plan => plan.ok_or(NoPlan::Numerical),
    }
}

/// Where a search begins.
struct Start {
    prices: Prices,
    /// How far prices differ from unit to unit, as a share of their spread over time.
    difference: f64,
}

impl Start {
    fn at(prices: Prices) -> Self {
        Self {
            prices,
            difference: FIRST_DIFFERENCE,
        }
    }
}

/// Sweeps of one round: at most so many to come near, and so many that differ otherwise.
#[derive(Clone, Copy)]
struct Round {
    near: u32,
    others: u32,
    /// Sweeps after which a plan is the answer, whatever its gap.
    enough: u32,
}

const ROUND: Round = Round {
    near: 12,
    others: 4,
    enough: u32::MAX,
};
const ROUND_OF_LARGE: Round = Round {
    near: 1,
    others: 3,
    enough: 20,
};

/// Plans a sample first, for prices that are near the targets and the difference that is small
/// enough, then all units.
fn from_sample(problem: &Problem, settings: &Settings) -> Result<Plan, NoPlan> {
    let fleet = Fleet::new(problem, GROUPS_OF_LARGE);
    let small = sample(problem, &fleet, &fleet.order(), SAMPLE_UNITS);
    let small_fleet = Fleet::new(&small, GROUPS);
    let mut rehearsal = Search::new(&small_fleet, settings);
    let mut start = Start::at(first_prices(&small, &small_fleet));
    rehearsal.ask(&start.prices)?;
    rehearsal.find(&mut start, ROUND)?;
    let watched = std::mem::take(&mut rehearsal.master.watched);
    drop(rehearsal);
    let mut search = Search::new(&fleet, settings);
    search.watch(&watched);
    search.find(&mut start, ROUND_OF_LARGE)?;
    search.best_plan.ok_or(NoPlan::Numerical)
}

/// Prices of a few scaled units' linear programme, if it has a solution.
fn first_prices(problem: &Problem, fleet: &Fleet<'_>) -> Prices {
    let few = sample(problem, fleet, &fleet.order(), FEW_UNITS);
    let prices = exact(&few, ROUGH).map(|plan| plan.prices.target_per_wh);
    let mut first = Prices::none(problem.intervals());
    if let Ok(prices) = prices {
        first.target_per_wh = prices;
    }
    first
}

/// What a mixture came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mixed {
    /// A mixture that needs little spreading.
    Plan,
    /// One that misses targets: the answers do not surround them.
    Missed,
}

/// The state of a search for prices.
struct Search<'a> {
    fleet: &'a Fleet<'a>,
    settings: &'a Settings,
    sweeps: Vec<Sweep>,
    /// What groups answered, by sweep.
    answers: Vec<Vec<Column>>,
    /// Of few and large groups, for prices.
    master: Master<'a>,
    /// Of the groups themselves, for the mixture.
    mixer: Master<'a>,
    /// By the mixer's columns.
    share: Vec<f64>,
    best_bound: f64,
    best_prices: Prices,
    best_plan: Option<Plan>,
    weight: f64,
    nulls: u32,
}

impl<'a> Search<'a> {
    fn new(fleet: &'a Fleet<'a>, settings: &'a Settings) -> Self {
        let problem = fleet.problem;
        let penalty_per_wh = penalty_per_wh(problem);
        let base_w = power_w(problem).max(f64::MIN_POSITIVE);
        let master = |groups, penalty_per_wh| Master {
            problem,
            groups,
            columns: Vec::new(),
            watched: Vec::new(),
            penalty_per_wh,
            base_w,
            offset_w: vec![0.0; problem.intervals()],
        };
        Self {
            fleet,
            settings,
            sweeps: Vec::new(),
            answers: Vec::new(),
            master: master(fleet.groups.div_ceil(GROUPS_IN_ONE), penalty_per_wh),
            mixer: master(fleet.groups, FORBIDDING * penalty_per_wh),
            share: Vec::new(),
            best_bound: f64::NEG_INFINITY,
            best_prices: Prices::none(problem.intervals()),
            best_plan: None,
            weight: FIRST_WEIGHT,
            nulls: 0,
        }
    }

    fn ask(&mut self, prices: &Prices) -> Result<(), NoPlan> {
        let sweep = self.fleet.sweep(prices, None)?;
        if self.best_bound < sweep.bound {
            self.best_bound = sweep.bound;
            self.best_prices = sweep.prices.clone();
        }
        self.add(sweep);
        Ok(())
    }

    fn ask_apart(&mut self, prices: &Prices, differing: Differing) -> Result<(), NoPlan> {
        let sweep = self.fleet.sweep(prices, Some(differing))?;
        self.add(sweep);
        Ok(())
    }

    /// Makes columns of a sweep.
    fn add(&mut self, sweep: Sweep) {
        let index = u32::try_from(self.sweeps.len()).expect("max_sweeps fits");
        let groups = (0..self.fleet.groups).zip(sweep.cost.iter().zip(&sweep.group_w));
        let mut columns: Vec<Column> = groups
            .map(|(group, (cost, p_w))| Column {
                group,
                sweep: index,
                cost: *cost,
                p_w: p_w.clone(),
                limit_w: BTreeMap::new(),
                idle: 0,
            })
            .collect();
        for &limit in &self.master.watched {
            add_limit(self.fleet, limit, &sweep, &mut columns);
        }
        for chunk in columns.chunks(GROUPS_IN_ONE as usize) {
            self.master.columns.push(merged(chunk));
        }
        self.sweeps.push(sweep);
        // Answers that no mixture will use are not kept: they are most of the memory.
        if let Some(old) = self.sweeps.len().checked_sub(self.mixed_sweeps() + 1) {
            self.sweeps[old].p_w = Vec::new();
        }
        self.answers.push(columns);
    }

    /// Takes limits into the masters.
    fn watch(&mut self, limits: &[u32]) {
        // What forgotten answers have in a limit is not known.
        let is_kept = |column: &Column| !self.sweeps[column.sweep as usize].p_w.is_empty();
        self.master.columns.retain(is_kept);
        for &limit in limits {
            self.master.watched.push(limit);
            self.mixer.watched.push(limit);
            let kept = self.sweeps.iter().zip(&mut self.answers);
            for (sweep, columns) in kept.filter(|(sweep, _)| !sweep.p_w.is_empty()) {
                add_limit(self.fleet, limit, sweep, columns);
            }
        }
        for column in &mut self.master.columns {
            let first = (column.group * GROUPS_IN_ONE) as usize;
            let of_sweep = &self.answers[column.sweep as usize][first..];
            let chunk = &of_sweep[..of_sweep.len().min(GROUPS_IN_ONE as usize)];
            column.limit_w = merged(chunk).limit_w;
        }
    }

    /// Asks until a mixture makes a plan within the gap, or often enough: then the best plan is what
    /// there is, and says what its gap is. `start` ends where the next search may begin.
    fn find(&mut self, start: &mut Start, round: Round) -> Result<(), NoPlan> {
        loop {
            let spread = spread_per_wh(self.fleet.problem, &start.prices);
            let mut differing = Differing {
                per_wh: start.difference * spread,
                group_per_wh: 0.0,
                seed: self.sweeps.len() as u64,
            };
            self.approach(&mut start.prices, differing, round.near)?;
            // The answers of large groups would else all be the same mean, and no mixture of them
            // could be anything else.
            differing.group_per_wh = differing.per_wh;
            for _ in 0..round.others {
                differing.seed = self.sweeps.len() as u64;
                self.ask_apart(&start.prices, differing)?;
            }
            self.ask(&start.prices)?;
            let mixed = self.mix_answers()?;
            let most = match self.best_plan {
                None => self.settings.max_sweeps,
                Some(_) => self.settings.max_sweeps.min(round.enough),
            };
            let is_over = most as usize <= self.sweeps.len();
            let is_near = |plan: &Plan| plan.gap() <= self.settings.gap;
            if is_over || self.best_plan.as_ref().is_some_and(is_near) {
                return Ok(());
            }
            if mixed == Mixed::Plan {
                start.difference *= CALMING;
            }
            for _ in 0..STEPS_PER_ROUND {
                if self.step()? <= 0.1 * self.settings.gap {
                    break;
                }
            }
        }
    }

    /// Asks for the next prices; gives what the columns promised, relative to the bound.
    fn step(&mut self) -> Result<f64, NoPlan> {
        let mix = self.solve_proximal()?;
        let scale = self.best_bound.abs().max(f64::MIN_POSITIVE);
        let promised = self.master.promise(&mix.prices) - self.best_bound;
        let before = self.best_bound;
        self.ask(&mix.prices)?;
        if before + SERIOUS * promised.max(0.0) < self.best_bound {
            self.nulls = 0;
            self.weight *= 2.0;
        } else {
            self.nulls += 1;
            if self.nulls.is_multiple_of(3) {
                self.weight *= 0.5;
            }
        }
        self.refuse_if_out_of_reach()?;
        Ok(promised / scale)
    }

    /// Mixes the last answers into a plan, which is kept if it is the best. Limits that the mixture
    /// exceeds are taken in. Where netting makes it inject more than it counted, it is asked for
    /// that much less.
    fn mix_answers(&mut self) -> Result<Mixed, NoPlan> {
        let problem = self.fleet.problem;
        self.mixer.offset_w.fill(0.0);
        let mut shifts = 0;
        self.fill_mixer();
        loop {
            let mix = self.solve_mixer(MIXER_TOLERANCE)?;
            let mut p_w = self.mixture();
            let violated = self.violated(&p_w);
            if !violated.is_empty() {
                self.watch(&violated);
                self.fill_mixer();
                continue;
            }
            trim_all(problem, &mut p_w);
            let missing = missing_w(problem, &p_w);
            let worst_w = missing.iter().fold(0.0_f64, |worst, m| worst.max(m.abs()));
            let is_mixed = mix.missed <= SPREADABLE;
            let must_shift = is_mixed && 2.0 * SPREADABLE * self.master.base_w < worst_w;
            if !must_shift || shifts == MAX_SHIFTS {
                self.keep(p_w, missing);
                return Ok(if is_mixed { Mixed::Plan } else { Mixed::Missed });
            }
            for (offset, missing) in self.mixer.offset_w.iter_mut().zip(&missing) {
                *offset -= missing;
            }
            shifts += 1;
        }
    }

    /// Spreads what a schedule misses and keeps it, if it then is the best plan.
    fn keep(&mut self, p_w: Vec<f64>, missing: Vec<f64>) {
        let problem = self.fleet.problem;
        let (bound, prices) = (self.best_bound, self.best_prices.clone());
        let plan = self.fleet.finished(p_w, missing, bound, prices);
        if let Some(best) = &mut self.best_plan {
            best.lower_bound = bound;
            best.prices = self.best_prices.clone();
        }
        let keeps_limits = |plan: &Plan| {
            let limits = 0..u32::try_from(problem.limits.len()).expect("limits are numbered");
            limits
                .into_iter()
                .all(|limit| excess(problem, limit, &plan.p_w) <= LIMITS_KEPT)
        };
        let plan = plan.ok().filter(keeps_limits);
        let objective = self
            .best_plan
            .as_ref()
            .map_or(f64::INFINITY, |best| best.objective);
        if let Some(plan) = plan
            && plan.objective < objective
        {
            self.best_plan = Some(plan);
        }
    }

    /// When prices have left any cost behind, asks whether their direction alone proves that the
    /// constraints contradict each other (Farkas): then even free units can't meet them.
    fn refuse_if_out_of_reach(&self) -> Result<(), NoPlan> {
        let prices = &self.best_prices;
        let dearest = prices
            .target_per_wh
            .iter()
            .chain(prices.limit_per_wh.values().flatten());
        if dearest.fold(0.0_f64, |most, price| most.max(price.abs())) < self.master.penalty_per_wh {
            return Ok(());
        }
        let mut free = self.fleet.problem.clone();
        free.price_per_wh.fill(0.0);
        free.tariffs.clear();
        for unit in &mut free.units {
            unit.tariff = None;
            unit.preferred = None;
            (unit.inject_per_wh, unit.absorb_per_wh) = (0.0, 0.0);
        }
        let bound = lower_bound(&free, prices)
            .map_err(|(unit, stuck)| NoPlan::out_of_reach(unit, stuck))?;
        if bound <= 1e-9 * self.master.penalty_per_wh * self.master.base_w {
            return Ok(());
        }
        Err(NoPlan::Infeasible)
    }

    fn solve_proximal(&mut self) -> Result<Mix, NoPlan> {
        let centre = self.best_prices.clone();
        let missing = Missing::Proximal {
            centre: &centre,
            weight: self.weight,
        };
        let mix = self
            .master
            .solve(&missing, 1e-6)
            .or_else(|_| self.master.solve(&missing, 1e-4))?;
        for (column, share) in self.master.columns.iter_mut().zip(&mix.share) {
            column.idle = if *share < 1e-4 { column.idle + 1 } else { 0 };
        }
        self.master.columns.retain(|column| column.idle < MAX_IDLE);
        Ok(mix)
    }

    /// How many of the last sweeps mixtures are made of.
    fn mixed_sweeps(&self) -> usize {
        MIXED_SWEEPS.max(MIXED_ANSWERS / self.fleet.groups as usize)
    }

    fn fill_mixer(&mut self) {
        let first = self.answers.len().saturating_sub(self.mixed_sweeps());
        let last = self.answers[first..].iter().flatten();
        self.mixer.columns = last.cloned().collect();
    }

    fn solve_mixer(&mut self, tolerance: f64) -> Result<Mix, NoPlan> {
        let mix = self
            .mixer
            .solve(&Missing::Penalty, tolerance)
            .or_else(|_| self.mixer.solve(&Missing::Penalty, tolerance * 100.0))?;
        self.share.clone_from(&mix.share);
        Ok(mix)
    }

    /// The mixture, by unit and interval.
    fn mixture(&self) -> Vec<f64> {
        let intervals = self.fleet.problem.intervals();
        let mut p_w = vec![0.0; self.fleet.problem.units.len() * intervals];
        let groups = self.fleet.groups as usize;
        for (index, sweep) in self.sweeps.iter().enumerate() {
            let mut share = vec![0.0; groups];
            for (column, s) in self.mixer.columns.iter().zip(&self.share) {
                if column.sweep as usize == index {
                    share[column.group as usize] = *s;
                }
            }
            if share.iter().all(|s| *s == 0.0) {
                continue;
            }
            let units = p_w
                .chunks_exact_mut(intervals)
                .zip(sweep.p_w.chunks_exact(intervals));
            for ((p_w, answer), group) in units.zip(&self.fleet.group_of) {
                let share = share[*group as usize];
                if share != 0.0 {
                    add_share(p_w, answer, share);
                }
            }
        }
        p_w
    }

    /// Limits without a price that the mixture exceeds, worst first.
    fn violated(&self, p_w: &[f64]) -> Vec<u32> {
        let problem = self.fleet.problem;
        let unwatched = self
            .fleet
            .shared_limits
            .iter()
            .filter(|limit| !self.master.watched.contains(limit));
        let mut found: Vec<(f64, u32)> = unwatched
            .map(|limit| (excess(problem, *limit, p_w), *limit))
            .filter(|(excess, _)| LIMITS_KEPT < *excess)
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found.truncate(MAX_WATCHED_AT_ONCE);
        found.into_iter().map(|(_, limit)| limit).collect()
    }
}
