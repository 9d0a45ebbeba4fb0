//! Plans against `HiGHS`: seeded problems of every feature, solved by both.

#![cfg(test)]

mod fleets;
#[expect(dead_code, reason = "only the benchmark asks how long the peer takes")]
mod peer;

use fleets::{Draw, day};
use optimiser::TOLERANCE;
use optimiser::horizon::{
    Commitment, Conflict, Constraint, Deadline, Limit, NoPlan, Path, Plan, Preferred, Problem,
    Ramp, Settings, Shape, Store, Switch, Target, Tariff, Unit, certify, conflict, solve,
};
use optimiser::single::{Ranges, merit_order};
use peer::{highs, written};
use serde_json::{Value, json};

const INTERVALS: u32 = 12;

/// What a drawn problem has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Feature {
    Stores,
    Deadlines,
    Losses,
    Ramps,
    Limits,
    Preferences,
    Tariffs,
    Hybrids,
}

const FEATURES: [Feature; 8] = [
    Feature::Stores,
    Feature::Deadlines,
    Feature::Losses,
    Feature::Ramps,
    Feature::Limits,
    Feature::Preferences,
    Feature::Tariffs,
    Feature::Hybrids,
];

/// A problem with one feature, or with all of them, that has a plan: its targets and limits are
/// about what its units do at their cheapest by themselves.
fn draw(seed: u64, features: &[Feature]) -> Problem {
    let mut draw = Draw(seed);
    let has = |feature| features.contains(&feature);
    let intervals = INTERVALS as usize;
    let mut list =
        |least, most| -> Vec<f64> { (0..intervals).map(|_| draw.between(least, most)).collect() };
    let mut problem = Problem {
        interval_s: (0..INTERVALS)
            .map(|t| if t % 3 == 0 { 900.0 } else { 1_800.0 })
            .collect(),
        price_per_wh: list(50e-6, 250e-6),
        shapes: vec![Shape {
            lo: list(0.5, 1.0),
            hi: list(0.0, 1.0),
        }],
        tariffs: vec![Tariff {
            inject_per_wh: list(0.0, 40e-6),
            absorb_per_wh: list(0.0, 40e-6),
        }],
        ..Problem::default()
    };
    for index in 0..8 {
        let unit = unit(&mut draw, features, index);
        problem.units.push(unit);
    }
    problem.targets = vec![Target::Free; intervals];
    let alone = Settings {
        path: Path::Exact,
        ..Settings::default()
    };
    // Some can't even keep their own stores; then there is no plan with targets either.
    let Ok(plan) = solve(&problem, &alone) else {
        return problem;
    };
    let sum = |t: usize, units: std::ops::Range<usize>| -> f64 {
        units.map(|unit| plan.unit_w(unit, intervals)[t]).sum()
    };
    for t in 0..intervals {
        problem.targets[t] = match draw.below(4) {
            0 => Target::Free,
            1 => Target::Exact(0.8 * sum(t, 0..8)),
            2 => Target::AtLeast(0.7 * sum(t, 0..8) - 200.0),
            _ => Target::AtMost(0.7 * sum(t, 0..8) + 200.0),
        };
    }
    if has(Feature::Limits) {
        let bound = |t: usize| sum(t, 0..4).abs() * 0.9 + 300.0;
        problem.limits.push(Limit {
            terms: vec![
                (0, 1.0),
                (1, 0.5),
                (2, 1.0),
                (3, 1.0),
                (4, -0.2),
                (5, 0.1),
                (6, 0.3),
            ],
            at_most_w: (0..intervals)
                .map(|t| if t % 4 == 3 { f64::INFINITY } else { bound(t) })
                .collect(),
        });
    }
    if has(Feature::Hybrids) {
        for sign in [1.0, -1.0] {
            problem.limits.push(Limit {
                terms: vec![(6, sign), (7, sign)],
                at_most_w: vec![4_000.0; intervals],
            });
        }
    }
    problem
}

fn unit(draw: &mut Draw, features: &[Feature], index: u32) -> Unit {
    let has = |feature| features.contains(&feature);
    let rating_w = draw.between(1_000.0, 6_000.0);
    let mut unit = Unit {
        lo_w: -rating_w * draw.between(0.0, 1.0),
        hi_w: rating_w,
        inject_per_wh: draw.between(20e-6, 200e-6),
        absorb_per_wh: draw.between(0.0, 20e-6),
        ..Unit::default()
    };
    if has(Feature::Stores) || index.is_multiple_of(2) {
        let capacity_wh = rating_w * draw.between(1.0, 4.0);
        unit.inject_per_wh *= 0.2;
        unit.store = Some(Store {
            energy_wh: capacity_wh * draw.between(0.2, 0.9),
            capacity_wh,
            reserve_wh: capacity_wh * draw.between(0.0, 0.3),
            charge_efficiency: draw.between(0.8, 1.0),
            discharge_efficiency: draw.between(0.8, 1.0),
            loss_per_h: if has(Feature::Losses) {
                draw.between(0.0, 0.2)
            } else {
                0.0
            },
            deadline: None,
            end_min_wh: 0.1 * capacity_wh,
        });
    }
    if has(Feature::Deadlines)
        && let Some(store) = &mut unit.store
    {
        unit.present_from = draw.below(4);
        unit.present_until = 8 + draw.below(4);
        unit.lo_w = -rating_w;
        let interval = unit.present_until - 1;
        store.deadline = Some(Deadline {
            interval,
            min_wh: (store.energy_wh + 0.4 * rating_w).min(store.capacity_wh),
        });
        if index.is_multiple_of(3) {
            unit.hi_w = 0.0;
        }
    }
    if has(Feature::Ramps) && !index.is_multiple_of(3) {
        unit.ramp = Some(Ramp {
            from_w: 0.0,
            max_step_w: rating_w * draw.between(0.3, 0.8),
        });
    }
    if has(Feature::Preferences) {
        unit.preferred = Some(Preferred {
            p_w: unit.lo_w + (unit.hi_w - unit.lo_w) * draw.between(0.0, 1.0),
            deviation_per_wh: draw.between(0.0, 60e-6),
        });
    }
    if has(Feature::Tariffs) {
        unit.tariff = Some(0);
        unit.shape = Some(0);
    }
    unit
}

fn by(path: Path) -> Settings {
    Settings {
        path,
        ..Settings::default()
    }
}

/// Solves by both and compares; gives the plan where there is one.
fn compare(problem: &Problem, path: Path, label: &str) -> Option<Plan> {
    let found = highs(&written(problem), &[]);
    match solve(problem, &by(path)) {
        Ok(plan) => {
            assert_eq!(found.status, "Optimal", "{label}");
            let certified = certify(problem, &plan).unwrap_or_else(|e| panic!("{label}: {e}"));
            let scale = match path {
                Path::Exact => found.objective.abs().max(1e-3),
                // Costs and revenues of a day nearly cancel, and a millionth of every capacity may be
                // missing: tolerances are relative to what moves.
                Path::Quickest | Path::Decomposed => {
                    found.objective.abs().max(0.1 * turnover(problem, &plan))
                }
            };
            let off = (certified.objective - found.objective) / scale;
            let slack = 1e-6_f64.max(if path == Path::Exact { 0.0 } else { plan.gap() });
            assert!(
                -5.0 * TOLERANCE <= off && off <= slack,
                "{label}: {off} beyond {slack}"
            );
            let below = (found.objective - certified.lower_bound) / scale;
            assert!(
                -1e-6 <= below,
                "{label}: the bound is above the optimum by {below}"
            );
            Some(plan)
        }
        Err(NoPlan::Infeasible | NoPlan::OutOfReach { .. }) => {
            assert_eq!(found.status, "Infeasible", "{label}");
            None
        }
        Err(other) => panic!("{label}: {other}"),
    }
}

/// What all energy that moves is worth at the price.
fn turnover(problem: &Problem, plan: &Plan) -> f64 {
    let intervals = problem.intervals();
    let worth = |(cell, p_w): (usize, &f64)| {
        let t = cell % intervals;
        p_w.abs() * problem.hours(t) * problem.price_per_wh[t]
    };
    plan.p_w.iter().enumerate().map(worth).sum()
}

fn variants() -> Vec<(String, Problem)> {
    let mut all = Vec::new();
    for seed in 0..4 {
        for feature in FEATURES {
            all.push((format!("{feature:?} {seed}"), draw(seed, &[feature])));
        }
        all.push((format!("all {seed}"), draw(seed, &FEATURES)));
    }
    all
}

#[test]
fn one_linear_programme_has_the_objective_that_highs_finds() {
    let mut plans = 0;
    for (label, problem) in variants() {
        if let Some(plan) = compare(&problem, Path::Exact, &label) {
            plans += 1;
            assert!(plan.gap() <= 1e-6, "{label}: {}", plan.gap());
        }
    }
    assert!(20 <= plans, "only {plans} problems had a plan");
}

#[test]
fn a_decomposition_is_within_the_gap_that_it_reports() {
    let mut plans = 0;
    for (label, problem) in variants() {
        plans += usize::from(compare(&problem, Path::Decomposed, &label).is_some());
    }
    assert!(20 <= plans, "only {plans} problems had a plan");
}

#[test]
fn a_fleet_of_vehicles_and_batteries_is_planned_within_the_gap_that_it_reports() {
    for shape in [fleets::Shape::Batteries, fleets::Shape::HalfVehicles] {
        for seed in 1..4 {
            let problem = day(shape, 30, seed);
            assert!(compare(&problem, Path::Decomposed, &format!("fleet {seed}")).is_some());
        }
    }
}

/// The relaxation that the peer solves is below; a unit that is on or off costs no less.
#[test]
fn units_that_are_on_or_off_are_switched_within_the_gap_to_the_relaxation() {
    for seed in 0..6 {
        let mut problem = draw(seed, &[Feature::Stores]);
        let mut draw = Draw(seed + 100);
        for index in 0..3 {
            let rating_w = draw.between(2_000.0, 5_000.0);
            problem.units.push(Unit {
                lo_w: 0.0,
                hi_w: rating_w,
                inject_per_wh: draw.between(60e-6, 160e-6),
                commitment: Some(Commitment {
                    // The last one is a block.
                    min_w: if index == 2 { rating_w } else { 0.4 * rating_w },
                    start_cost: draw.between(0.0, 0.05),
                    min_on_s: 3.0 * problem.interval_s[0],
                    min_off_s: 2.0 * problem.interval_s[0],
                    before: Switch::Off,
                    lasted_s: f64::INFINITY,
                }),
                ..Unit::default()
            });
        }
        let found = highs(&written(&problem), &[]);
        assert_eq!(found.status, "Optimal");
        let plan = solve(&problem, &Settings::default()).expect("a plan");
        let certified = certify(&problem, &plan).expect("a plan that is what it says");
        let scale = found.objective.abs();
        let bound = (certified.lower_bound - found.objective).abs() / scale;
        assert!(
            bound <= 1e-6,
            "{seed}: the bound is {bound} from the relaxation"
        );
        assert!(
            found.objective - 1e-6 * scale <= certified.objective,
            "{seed}"
        );
        assert!(plan.gap() <= 0.5, "{seed}: {}", plan.gap());
    }
}

/// Energy that a target asks for beyond what there is, in each of the ways a problem can say so.
fn contradictions() -> Vec<(&'static str, Problem)> {
    let base = || {
        let mut problem = draw(3, &[Feature::Stores, Feature::Limits]);
        problem.limits[0].at_most_w.fill(f64::INFINITY);
        problem.targets.fill(Target::Free);
        problem
    };
    let mut too_much_power = base();
    too_much_power.targets[4] = Target::AtLeast(1e6);
    let mut too_much_energy = base();
    too_much_energy.targets.fill(Target::AtLeast(12_000.0));
    let mut limit_against_target = base();
    limit_against_target.limits[0].terms = (0..8).map(|unit| (unit, 1.0)).collect();
    limit_against_target.limits[0].at_most_w[5] = 1_000.0;
    limit_against_target.targets[5] = Target::Exact(2_000.0);
    let mut late_vehicle = base();
    late_vehicle.units[2].present_from = 10;
    let store = late_vehicle.units[2]
        .store
        .as_mut()
        .expect("it has a store");
    store.energy_wh = 0.1 * store.capacity_wh;
    store.end_min_wh = 0.0;
    store.deadline = Some(Deadline {
        interval: 10,
        min_wh: store.capacity_wh,
    });
    let mut slow = base();
    slow.units.truncate(2);
    slow.limits.clear();
    for unit in &mut slow.units {
        unit.ramp = Some(Ramp {
            from_w: 0.0,
            max_step_w: 100.0,
        });
    }
    slow.targets[1] = Target::AtLeast(1_000.0);
    vec![
        ("power", too_much_power),
        ("energy", too_much_energy),
        ("limit", limit_against_target),
        ("vehicle", late_vehicle),
        ("ramps", slow),
    ]
}

fn keys(constraints: &[Constraint]) -> Vec<Value> {
    let key = |constraint: &Constraint| match constraint {
        Constraint::Target { interval } => json!(["target", interval]),
        Constraint::Limit { limit, interval } => json!(["limit", limit, interval]),
        Constraint::Deadline { unit } => json!(["deadline", unit]),
        Constraint::Store { unit } => json!(["store", unit]),
        Constraint::Ramp { unit } => json!(["ramp", unit]),
        Constraint::Ranges => json!(["ranges"]),
    };
    constraints.iter().map(key).collect()
}

fn status_of(problem: &Problem, constraints: &[Constraint]) -> String {
    let mut written = written(problem);
    written["only"] = Value::Array(keys(constraints));
    highs(&written, &[]).status
}

#[test]
fn a_conflict_contradicts_itself_and_without_any_one_member_does_not() {
    for (label, problem) in contradictions() {
        assert_eq!(
            highs(&written(&problem), &[]).status,
            "Infeasible",
            "{label}"
        );
        for path in [Path::Exact, Path::Decomposed] {
            let refused = solve(&problem, &by(path)).expect_err(label);
            let is_so = matches!(refused, NoPlan::Infeasible | NoPlan::OutOfReach { .. });
            assert!(is_so, "{label}: {refused}");
        }
        let Conflict { constraints } = conflict(&problem).expect(label);
        assert_eq!(
            status_of(&problem, &constraints),
            "Infeasible",
            "{label}: {constraints:?}"
        );
        for out in 0..constraints.len() {
            let mut rest = constraints.clone();
            let dropped = rest.remove(out);
            assert_eq!(
                status_of(&problem, &rest),
                "Optimal",
                "{label} without {dropped:?}"
            );
        }
    }
}

#[test]
fn merit_order_has_the_cost_that_highs_finds() {
    for seed in 0..20 {
        let mut draw = Draw(seed);
        let units: Vec<Unit> = (0..50)
            .map(|_| Unit {
                lo_w: -draw.between(0.0, 1_000.0),
                hi_w: draw.between(0.0, 1_000.0),
                // Few different costs, so that many tie.
                inject_per_wh: f64::from(draw.below(9)) * 1e-5,
                ..Unit::default()
            })
            .map(|unit| Unit {
                absorb_per_wh: -unit.inject_per_wh,
                ..unit
            })
            .collect();
        let (least, most): (f64, f64) = units
            .iter()
            .fold((0.0, 0.0), |sums, u| (sums.0 + u.lo_w, sums.1 + u.hi_w));
        let demand_w = draw.between(least, most);
        let list = |of: fn(&Unit) -> f64| units.iter().map(of).collect::<Vec<f64>>();
        let (lo_w, hi_w, cost) = (
            list(|u| u.lo_w),
            list(|u| u.hi_w),
            list(|u| u.inject_per_wh),
        );
        let ranges = Ranges {
            lo_w: &lo_w,
            hi_w: &hi_w,
        };
        let shares = merit_order(demand_w, ranges, &cost).expect("within reach");
        let ours: f64 = shares.p_w.iter().zip(&cost).map(|(p, c)| p * c).sum();
        let problem = Problem {
            interval_s: vec![3_600.0],
            price_per_wh: vec![0.0],
            targets: vec![Target::Exact(demand_w)],
            units,
            ..Problem::default()
        };
        let theirs = highs(&written(&problem), &[]).objective;
        assert!(
            (ours - theirs).abs() <= 1e-9 * cost.iter().sum::<f64>() * 1e3,
            "{ours} {theirs}"
        );
    }
}
