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

use std::collections::BTreeMap;

use super::fleet::{Differing, Fleet, Sweep};
use super::master::{Column, Master, Missing, Mix};
use super::plan::{Memberships, Method, Plan, Prices, lower_bound, unit_cost};
use super::problem::{Problem, Target, Unit};
use super::response::Stage;
use super::settle::{missing_w, power_w, trim_all};
use super::solve::{NoPlan, Settings, exact, finished};

/// Units of the sample that stands for a large fleet.
const SAMPLE_UNITS: usize = 800;
/// Units of the sample whose linear programme gives the first prices.
const FEW_UNITS: usize = 24;
/// Groups of a fleet that is its own sample, and of one that starts from a sample.
const GROUPS: u32 = 60;
const GROUPS_OF_LARGE: u32 = 120;
/// Groups that are one for the search of prices.
const GROUPS_IN_ONE: u32 = 10;
/// Sweeps that a mixture is made of: the last ones.
const MIXED_SWEEPS: usize = 10;
/// How far prices differ from unit to unit at first, as a share of the spread of prices over time,
/// and by which factor they differ less when that made the mixture too dear.
const FIRST_DIFFERENCE: f64 = 0.04;
const CALMING: f64 = 0.4;
/// Sweeps until the answers count as near enough to the targets to be mixed.
const MAX_APPROACH: u32 = 12;
/// What the answers may miss of a row, as a share of its power, to be mixed at once.
const NEAR: f64 = 4e-3;
/// Length of the first step: how many times the difference a price moves when its row is missed by
/// all of its power.
const FIRST_STEP: f64 = 4.0;
/// Factor on the penalty where a row may only be missed if there is no other way.
const FORBIDDING: f64 = 30.0;
/// Prices asked for between mixtures.
const STEPS_PER_ROUND: u32 = 3;
/// Largest residual, as a share of the fleet's power, that is spread rather than mixed away.
const SPREADABLE: f64 = 2e-3;
/// Sweeps at the same prices that differ in another way from unit to unit.
const OTHERS: u32 = 4;
/// Prices asked for on the sample of a large fleet, at most.
const MAX_REHEARSED: u32 = 12;
/// Masters in a row without a share after which a column is left out.
const MAX_IDLE: u32 = 6;
/// Times that the targets are shifted by what netting adds.
const MAX_SHIFTS: u32 = 3;
/// Limits taken into the master after one mixture.
const MAX_WATCHED_AT_ONCE: usize = 64;
/// Weight of the first proximal term.
const FIRST_WEIGHT: f64 = 0.02;
/// Share of what the columns promise that a bound must rise by for its prices to be the centre.
const SERIOUS: f64 = 0.1;

pub(super) fn decompose(problem: &Problem, settings: &Settings) -> Result<Plan, NoPlan> {
    let is_large = 2 * SAMPLE_UNITS < problem.units.len();
    let groups = if is_large { GROUPS_OF_LARGE } else { GROUPS };
    let fleet = Fleet::new(problem, groups);
    let mut search = Search::new(&fleet, settings);
    let (prices, near) = if is_large {
        rehearsed_prices(problem, &fleet, settings)?
    } else {
        let prices = first_prices(problem, &fleet);
        (prices.clone(), prices)
    };
    search.ask(&prices)?;
    search.plan(near)
}

/// Prices of a few scaled units' linear programme, if it has a solution.
fn first_prices(problem: &Problem, fleet: &Fleet<'_>) -> Prices {
    let few = sample(problem, fleet, &fleet.order(), FEW_UNITS);
    let prices = exact(&few).map(|plan| plan.prices.target_per_wh);
    let mut first = Prices::none(problem.intervals());
    if let Ok(prices) = prices {
        first.target_per_wh = prices;
    }
    first
}

/// The first prices, improved on a sample until its columns promise little more.
fn rehearsed_prices(
    problem: &Problem,
    fleet: &Fleet<'_>,
    settings: &Settings,
) -> Result<(Prices, Prices), NoPlan> {
    let small = sample(problem, fleet, &fleet.order(), SAMPLE_UNITS);
    let small_fleet = Fleet::new(&small, GROUPS);
    let mut rehearsal = Search::new(&small_fleet, settings);
    rehearsal.ask(&first_prices(&small, &small_fleet))?;
    for _ in 0..MAX_REHEARSED {
        if rehearsal.step()? <= 0.1 * settings.gap {
            break;
        }
    }
    let mut prices = rehearsal.best_prices.clone();
    let differing = Differing {
        per_wh: FIRST_DIFFERENCE * spread_per_wh(&small, &prices),
        seed: 0,
    };
    rehearsal.approach(&mut prices, differing)?;
    Ok((rehearsal.best_prices, prices))
}

/// Every n-th unit in order, scaled to its neighbours' power.
fn sample(problem: &Problem, fleet: &Fleet<'_>, order: &[u32], units: usize) -> Problem {
    let mut small = Problem {
        units: Vec::new(),
        limits: problem.limits.clone(),
        ..problem.clone()
    };
    for limit in &mut small.limits {
        limit.terms.clear();
    }
    let memberships = Memberships::of(problem);
    let per_chunk = order.len().div_ceil(units);
    for (chunk, index) in order.chunks(per_chunk).zip(0_u32..) {
        let chosen = chunk[chunk.len() / 2];
        let all: f64 = chunk.iter().map(|unit| fleet.span_w(*unit)).sum();
        let one = fleet.span_w(chosen);
        let factor = if 0.0 < one { all / one } else { 1.0 };
        small
            .units
            .push(scaled(&problem.units[chosen as usize], factor));
        for (limit, coefficient) in memberships.of_unit(chosen as usize) {
            small.limits[*limit as usize]
                .terms
                .push((index, *coefficient));
        }
    }
    small
}

/// A unit that is `factor` equal ones.
fn scaled(unit: &Unit, factor: f64) -> Unit {
    let mut unit = *unit;
    unit.lo_w *= factor;
    unit.hi_w *= factor;
    if let Some(preferred) = &mut unit.preferred {
        preferred.p_w *= factor;
    }
    unit.ramp = None;
    if let Some(store) = &mut unit.store {
        store.energy_wh *= factor;
        store.capacity_wh *= factor;
        store.reserve_wh *= factor;
        store.end_min_wh *= factor;
        if let Some(deadline) = &mut store.deadline {
            deadline.min_wh *= factor;
        }
    }
    unit
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

    /// Moves `prices` until the answers to prices that differ from unit to unit come near the
    /// targets. As units differ, what all of them do is a smooth function of the prices, and what
    /// the targets miss is the gradient of a concave one. Every row has a gain of its own, which
    /// grows while the row is missed on the same side and shrinks when it changes sides.
    fn approach(&mut self, prices: &mut Prices, differing: Differing) -> Result<(), NoPlan> {
        let mut gains: Vec<f64> = Vec::new();
        let mut before: Vec<f64> = Vec::new();
        for _ in 0..MAX_APPROACH {
            self.ask_apart(prices, differing)?;
            let missed = self.missed(prices);
            let worst = missed.iter().fold(0.0_f64, |worst, m| worst.max(m.abs()));
            if worst <= NEAR {
                break;
            }
            gains.resize(missed.len(), FIRST_STEP * differing.per_wh);
            before.resize(missed.len(), 0.0);
            for ((gain, missed), before) in gains.iter_mut().zip(&missed).zip(&before) {
                if missed * before < 0.0 {
                    *gain *= 0.5;
                } else if 0.5 * before.abs() < missed.abs() && *before != 0.0 {
                    *gain *= 1.3;
                }
            }
            let moves: Vec<f64> = missed.iter().zip(&gains).map(|(m, g)| m * g).collect();
            self.advance(prices, &moves);
            before = missed;
        }
        Ok(())
    }

    /// By how much the last answers miss the rows that are priced, targets first, relative to the power that each row sees;
    /// nothing where a one-sided row is kept and has no price.
    fn missed(&self, prices: &Prices) -> Vec<f64> {
        let problem = self.fleet.problem;
        let intervals = problem.intervals();
        let answers = self.answers.last().expect("a sweep was made");
        let mut missed = Vec::new();
        for t in 0..intervals {
            let sum: f64 = answers.iter().map(|column| column.p_w[t]).sum();
            let price = prices.target_per_wh[t];
            missed.push(
                match problem.targets[t] {
                    Target::Free => 0.0,
                    Target::Exact(p_w) => p_w - sum,
                    Target::AtLeast(p_w) if 0.0 < price => p_w - sum,
                    Target::AtLeast(p_w) => (p_w - sum).max(0.0),
                    Target::AtMost(p_w) if price < 0.0 => p_w - sum,
                    Target::AtMost(p_w) => (p_w - sum).min(0.0),
                } / self.master.base_w,
            );
        }
        for limit in &self.master.watched {
            let power = limit_power_w(problem, *limit);
            let price = prices.limit_per_wh.get(limit);
            for (t, bound) in problem.limits[*limit as usize].at_most_w.iter().enumerate() {
                let of_groups = answers
                    .iter()
                    .filter_map(|column| column.limit_w.get(limit));
                let sum: f64 = of_groups.map(|limit_w| limit_w[t]).sum();
                let is_priced = price.is_some_and(|price| 0.0 < price[t]);
                let over = if bound.is_finite() { bound - sum } else { 0.0 };
                missed.push(if is_priced { over } else { over.min(0.0) } / power);
            }
        }
        missed
    }

    fn advance(&self, prices: &mut Prices, moves: &[f64]) {
        let problem = self.fleet.problem;
        let intervals = problem.intervals();
        add(&mut prices.target_per_wh, &moves[..intervals]);
        for (limit, moves) in self
            .master
            .watched
            .iter()
            .zip(moves[intervals..].chunks(intervals))
        {
            let price = prices
                .limit_per_wh
                .entry(*limit)
                .or_insert_with(|| vec![0.0; intervals]);
            for (price, moved) in price.iter_mut().zip(moves) {
                *price -= moved;
            }
        }
        *prices = std::mem::take(prices).with_allowed_signs(problem);
    }

    /// Makes columns of a sweep.
    fn add(&mut self, sweep: Sweep) {
        let problem = self.fleet.problem;
        let intervals = problem.intervals();
        let index = u32::try_from(self.sweeps.len()).expect("max_sweeps fits");
        let mut columns: Vec<Column> = (0..self.fleet.groups)
            .map(|group| Column {
                group,
                sweep: index,
                cost: 0.0,
                p_w: vec![0.0; intervals],
                limit_w: BTreeMap::new(),
                idle: 0,
            })
            .collect();
        for (unit, p_w) in sweep.p_w.chunks_exact(intervals).enumerate() {
            let column = &mut columns[self.fleet.group_of[unit] as usize];
            column.cost += unit_cost(problem, &problem.units[unit], p_w);
            for (sum, p_w) in column.p_w.iter_mut().zip(p_w) {
                *sum += p_w;
            }
        }
        for &limit in &self.master.watched {
            add_limit(self.fleet, limit, &sweep, &mut columns);
        }
        for chunk in columns.chunks(GROUPS_IN_ONE as usize) {
            self.master.columns.push(merged(chunk));
        }
        self.sweeps.push(sweep);
        self.answers.push(columns);
    }

    /// Takes limits into the masters.
    fn watch(&mut self, limits: &[u32]) {
        for &limit in limits {
            self.master.watched.push(limit);
            self.mixer.watched.push(limit);
            for (sweep, columns) in self.sweeps.iter().zip(&mut self.answers) {
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

    /// Asks until a mixture makes a plan within the gap, or often enough: then the best plan is the
    /// answer, and says what its gap is.
    fn plan(mut self, mut prices: Prices) -> Result<Plan, NoPlan> {
        let mut difference = FIRST_DIFFERENCE;
        loop {
            let per_wh = difference * spread_per_wh(self.fleet.problem, &prices);
            let mut differing = Differing {
                per_wh,
                seed: self.sweeps.len() as u64,
            };
            self.approach(&mut prices, differing)?;
            for _ in 0..OTHERS {
                differing.seed = self.sweeps.len() as u64;
                self.ask_apart(&prices, differing)?;
            }
            self.ask(&prices)?;
            let mixed = self.mix_answers()?;
            let is_over = self.settings.max_sweeps as usize <= self.sweeps.len();
            let is_near = |plan: &Plan| plan.gap() <= self.settings.gap;
            if is_over || self.best_plan.as_ref().is_some_and(is_near) {
                return self.best_plan.ok_or(NoPlan::Numerical);
            }
            if mixed == Mixed::Plan {
                difference *= CALMING;
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
            let mix = self.solve_mixer(1e-8)?;
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
                self.keep(p_w);
                return Ok(if is_mixed { Mixed::Plan } else { Mixed::Missed });
            }
            for (offset, missing) in self.mixer.offset_w.iter_mut().zip(&missing) {
                *offset -= missing;
            }
            shifts += 1;
        }
    }

    /// Settles a schedule and keeps it, if it then is the best plan.
    fn keep(&mut self, p_w: Vec<f64>) {
        let problem = self.fleet.problem;
        let (bound, prices) = (self.best_bound, self.best_prices.clone());
        let plan = finished(problem, p_w, bound, prices, Method::Decomposed);
        if let Some(best) = &mut self.best_plan {
            best.lower_bound = bound;
            best.prices = self.best_prices.clone();
        }
        let objective = self
            .best_plan
            .as_ref()
            .map_or(f64::INFINITY, |best| best.objective);
        if let Ok(plan) = plan
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

    fn fill_mixer(&mut self) {
        let first = self.answers.len().saturating_sub(MIXED_SWEEPS);
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
                    for (p_w, answer) in p_w.iter_mut().zip(answer) {
                        *p_w += share * answer;
                    }
                }
            }
        }
        p_w
    }

    /// Limits without a price that the mixture exceeds, worst first.
    fn violated(&self, p_w: &[f64]) -> Vec<u32> {
        let problem = self.fleet.problem;
        let is_watched = |limit: &u32| self.master.watched.contains(limit);
        let unwatched: Vec<u32> = self
            .fleet
            .shared_limits
            .iter()
            .copied()
            .filter(|limit| !is_watched(limit))
            .collect();
        let mut found: Vec<(f64, u32)> = unwatched
            .into_iter()
            .map(|limit| (excess(problem, limit, p_w), limit))
            .filter(|(excess, _)| 0.1 * crate::TOLERANCE < *excess)
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found.truncate(MAX_WATCHED_AT_ONCE);
        found.into_iter().map(|(_, limit)| limit).collect()
    }
}

/// What several groups answered, as the answer of one.
fn merged(columns: &[Column]) -> Column {
    let mut sum = columns[0].clone();
    sum.group /= GROUPS_IN_ONE;
    for column in &columns[1..] {
        sum.cost += column.cost;
        add(&mut sum.p_w, &column.p_w);
        for (limit, limit_w) in &column.limit_w {
            match sum.limit_w.get_mut(limit) {
                Some(sum) => add(sum, limit_w),
                None => {
                    sum.limit_w.insert(*limit, limit_w.clone());
                }
            }
        }
    }
    sum
}

fn add(sum: &mut [f64], terms: &[f64]) {
    for (sum, term) in sum.iter_mut().zip(terms) {
        *sum += term;
    }
}

/// Writes the part that each column's group has in a limit.
fn add_limit(fleet: &Fleet<'_>, limit: u32, sweep: &Sweep, columns: &mut [Column]) {
    let intervals = fleet.problem.intervals();
    let mut by_group: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (unit, factor) in &fleet.problem.limits[limit as usize].terms {
        let at = *unit as usize * intervals;
        let sum = by_group
            .entry(fleet.group_of[*unit as usize])
            .or_insert_with(|| vec![0.0; intervals]);
        for (sum, p_w) in sum.iter_mut().zip(&sweep.p_w[at..at + intervals]) {
            *sum += factor * p_w;
        }
    }
    for column in columns {
        if let Some(limit_w) = by_group.get(&column.group) {
            column.limit_w.insert(limit, limit_w.clone());
        }
    }
}

/// The most that a limit's sum can be.
fn limit_power_w(problem: &Problem, limit: u32) -> f64 {
    let terms = problem.limits[limit as usize].terms.iter();
    let powers = terms.map(|(unit, factor)| {
        let unit = &problem.units[*unit as usize];
        factor.abs() * unit.lo_w.abs().max(unit.hi_w.abs())
    });
    powers.sum::<f64>().max(f64::MIN_POSITIVE)
}

/// How far a limit is exceeded at worst, relative to what its units can do.
fn excess(problem: &Problem, limit: u32, p_w: &[f64]) -> f64 {
    let intervals = problem.intervals();
    let limit = &problem.limits[limit as usize];
    let mut sum = vec![0.0; intervals];
    let mut power = 0.0;
    for (unit, factor) in &limit.terms {
        let at = *unit as usize * intervals;
        let bounds = &problem.units[*unit as usize];
        power += factor.abs() * bounds.lo_w.abs().max(bounds.hi_w.abs());
        for (sum, p_w) in sum.iter_mut().zip(&p_w[at..at + intervals]) {
            *sum += factor * p_w;
        }
    }
    let over = sum
        .iter()
        .zip(&limit.at_most_w)
        .map(|(sum, bound)| sum - bound);
    over.fold(0.0, f64::max) / power.max(f64::MIN_POSITIVE)
}

/// How far what a Wh earns differs over time.
fn spread_per_wh(problem: &Problem, prices: &Prices) -> f64 {
    let earned = problem
        .price_per_wh
        .iter()
        .zip(&prices.target_per_wh)
        .map(|(a, b)| a + b);
    let (least, most) = earned.fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), earned| (least.min(earned), most.max(earned)),
    );
    (most - least).max(0.0)
}

/// A price that is dearer than any unit's, losses on the way through a store included.
fn penalty_per_wh(problem: &Problem) -> f64 {
    let stride = problem.units.len().div_ceil(1_000).max(1);
    let (mut least, mut most, mut lost) = (0.0_f64, 0.0_f64, 1.0_f64);
    for unit in problem.units.iter().step_by(stride) {
        for t in 0..problem.intervals() {
            for step in Stage::of(problem, unit, t).steps() {
                least = least.min(step.slope_per_wh);
                most = most.max(step.slope_per_wh);
            }
        }
        if let Some(store) = unit.store {
            lost = lost.min(store.charge_efficiency * store.discharge_efficiency);
        }
    }
    let spread = (most - least) / lost;
    if spread == 0.0 { 1.0 } else { 3.0 * spread }
}
