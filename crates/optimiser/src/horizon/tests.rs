use super::*;

/// Batteries that differ in everything, in feeders of ten with a limit each, every fourth one behind
/// one inverter with a solar plant; a price that rises and falls, and a schedule to be followed.
fn feeders(count: u32) -> Problem {
    let intervals = 24_u32;
    let drawn = |seed: u32, least: f64, most: f64| {
        let bits = seed.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503) >> 3;
        least + (most - least) * f64::from(bits % 10_007) / 10_007.0
    };
    let battery = |i: u32| {
        let rating_w = drawn(i, 2_000.0, 9_000.0);
        let capacity_wh = rating_w * drawn(i + 7_000, 2.0, 4.0);
        Unit {
            lo_w: -rating_w,
            hi_w: rating_w,
            inject_per_wh: drawn(i + 1_000, 5e-6, 30e-6),
            store: Some(Store {
                energy_wh: capacity_wh * drawn(i + 2_000, 0.1, 0.95),
                capacity_wh,
                reserve_wh: 0.1 * capacity_wh,
                charge_efficiency: drawn(i + 3_000, 0.9, 0.98),
                discharge_efficiency: drawn(i + 4_000, 0.9, 0.98),
                loss_per_h: 0.001,
                deadline: None,
                end_min_wh: 0.1 * capacity_wh,
            }),
            ..Unit::default()
        }
    };
    let solar = |i: u32| Unit {
        hi_w: drawn(i + 5_000, 3_000.0, 8_000.0),
        shape: Some(0),
        ..Unit::default()
    };
    let sun = |t: u32| (1.0 - ((f64::from(t) - 12.5) / 6.5).powi(2)).max(0.0);
    let units = (0..count).map(|i| if i % 4 == 3 { solar(i) } else { battery(i) });
    let mut limits: Vec<Limit> = (0..count / 10)
        .map(|feeder| Limit {
            terms: (0..10).map(|k| (feeder * 10 + k, 1.0)).collect(),
            at_most_w: vec![28_000.0; intervals as usize],
        })
        .collect();
    limits.extend((0..count / 4).map(|site| Limit {
        terms: vec![(site * 4 + 2, 1.0), (site * 4 + 3, 1.0)],
        at_most_w: vec![9_000.0; intervals as usize],
    }));
    let wave = |t: u32| (f64::from(t) / 24.0 * std::f64::consts::TAU).cos();
    Problem {
        interval_s: vec![3_600.0; intervals as usize],
        price_per_wh: (0..intervals)
            .map(|t| (120.0 + 60.0 * wave(t * 2)) * 1e-6)
            .collect(),
        targets: (0..intervals)
            .map(|t| match t {
                17..20 => Target::Exact(f64::from(count) * 900.0),
                _ => Target::AtLeast(-1_500.0 * f64::from(count)),
            })
            .collect(),
        units: units.collect(),
        limits,
        shapes: vec![Shape {
            lo: vec![1.0; intervals as usize],
            hi: (0..intervals).map(sun).collect(),
        }],
        tariffs: Vec::new(),
    }
}

fn by(path: Path) -> Settings {
    Settings {
        path,
        ..Settings::default()
    }
}

/// `feeders` without what couples the units.
fn apart(count: u32) -> Problem {
    let mut problem = feeders(count);
    problem.limits.clear();
    problem.targets.fill(Target::Free);
    problem
}

#[test]
fn units_that_nothing_couples_do_what_one_linear_programme_would() {
    let problem = apart(12);
    let alone = solve(&problem, &by(Path::Quickest)).unwrap();
    let together = solve(&problem, &by(Path::Exact)).unwrap();
    assert_eq!(alone.method, Method::Separate);
    assert_eq!(together.method, Method::Exact);
    let scale = together.objective.abs();
    assert!((alone.objective - together.objective).abs() <= 1e-6 * scale);
    assert!(alone.gap().abs() <= 1e-9);
    certify(&problem, &alone).unwrap();
}

#[test]
fn limits_of_feeders_and_inverters_are_kept_by_a_decomposition_near_the_optimum() {
    let problem = feeders(80);
    let exact = solve(&problem, &by(Path::Exact)).unwrap();
    let plan = solve(&problem, &by(Path::Decomposed)).unwrap();
    certify(&problem, &exact).unwrap();
    let certified = certify(&problem, &plan).unwrap();
    let off = (certified.objective - exact.objective) / exact.objective.abs();
    assert!(
        -1e-6 <= off && off <= plan.gap() + 1e-6,
        "{off} beyond {}",
        plan.gap()
    );
    assert!(plan.gap() <= 0.05, "{}", plan.gap());
}

#[test]
fn the_same_problem_has_the_same_plan_and_another_order_the_same_cost() {
    let problem = feeders(20);
    let plan = solve(&problem, &by(Path::Decomposed)).unwrap();
    assert_eq!(solve(&problem, &by(Path::Decomposed)), Ok(plan));
    let mut turned = problem.clone();
    turned.units.reverse();
    for limit in &mut turned.limits {
        for (unit, _) in &mut limit.terms {
            *unit = 19 - *unit;
        }
    }
    let exact = solve(&problem, &by(Path::Exact)).unwrap();
    let other = solve(&turned, &by(Path::Exact)).unwrap();
    assert!((exact.objective - other.objective).abs() <= 1e-7 * exact.objective.abs());
}

#[test]
fn more_asked_for_never_costs_less() {
    let mut before = f64::NEG_INFINITY;
    for more_w in [0.0, 5_000.0, 10_000.0, 15_000.0] {
        let mut problem = feeders(20);
        problem.targets[18] = Target::AtLeast(20_000.0 + more_w);
        let plan = solve(&problem, &by(Path::Exact)).unwrap();
        assert!(
            before <= plan.objective + 1e-6,
            "{before} {}",
            plan.objective
        );
        before = plan.objective;
    }
}

#[test]
fn a_certificate_refuses_a_plan_that_is_not_what_it_says() {
    let problem = feeders(20);
    let plan = solve(&problem, &by(Path::Exact)).unwrap();
    certify(&problem, &plan).unwrap();
    let refused = |change: fn(&mut Plan)| {
        let mut changed = plan.clone();
        change(&mut changed);
        certify(&problem, &changed).unwrap_err()
    };
    let violated = |refuted| matches!(refuted, Refuted::Violated { .. });
    assert!(violated(refused(|plan| plan.p_w[17] += 200.0)));
    assert!(violated(refused(|plan| plan.p_w[0] = f64::NAN)));
    assert!(violated(refused(|plan| plan
        .p_w
        .iter_mut()
        .for_each(|p| *p *= 1.01))));
    let objective = refused(|plan| plan.objective -= 0.01 * plan.objective.abs());
    assert!(matches!(objective, Refuted::Objective { .. }));
    let bound = refused(|plan| plan.lower_bound += 1e-3 * plan.lower_bound.abs());
    assert!(matches!(bound, Refuted::Bound { .. }));
    let price = refused(|plan| plan.prices.target_per_wh[3] = -1e-6);
    assert_eq!(price, Refuted::Price);
    let size = refused(|plan| plan.p_w.truncate(3));
    assert!(matches!(size, Refuted::Size { found: 3, .. }));
}

#[test]
fn what_is_too_large_or_not_well_formed_is_refused_unsolved() {
    let mut long = apart(1);
    long.interval_s = vec![60.0; MAX_INTERVALS + 1];
    assert!(matches!(long.validate(), Err(Invalid::TooLarge { .. })));
    let mut wide = feeders(20);
    wide.units = vec![Unit::default(); MAX_EXACT_CELLS / wide.intervals() + 1];
    assert!(matches!(
        solve(&wide, &by(Path::Exact)),
        Err(NoPlan::TooLarge { .. })
    ));
    assert!(matches!(conflict(&wide), Err(NoConflict::TooLarge { .. })));
    let mut leaking = apart(1);
    leaking.units[0].store.as_mut().unwrap().loss_per_h = MAX_DECAY;
    let what = "its standing loss is out of range";
    assert_eq!(leaking.validate(), Err(Invalid::Unit { unit: 0, what }));
    let mut empty = apart(1);
    empty.units[0].lo_w = 1e9;
    let what = "its range is empty";
    assert_eq!(empty.validate(), Err(Invalid::Unit { unit: 0, what }));
    assert_eq!(conflict(&apart(2)), Err(NoConflict::Compatible));
}

/// What a water heater loses it has to be given again: the store leaks, and whoever holds it back
/// for hours sees it come back.
#[test]
fn a_heater_that_is_held_back_takes_more_afterwards() {
    let heater = Unit {
        lo_w: -3_000.0,
        store: Some(Store {
            energy_wh: 4_000.0,
            capacity_wh: 6_000.0,
            reserve_wh: 3_000.0,
            charge_efficiency: 1.0,
            discharge_efficiency: 1.0,
            loss_per_h: 0.1,
            deadline: None,
            end_min_wh: 4_000.0,
        }),
        ..Unit::default()
    };
    let day = |targets: Vec<Target>| Problem {
        interval_s: vec![3_600.0; 6],
        price_per_wh: vec![1e-4, 1e-4, 1e-4, 2e-4, 2e-4, 2e-4],
        targets,
        units: vec![heater],
        ..Problem::default()
    };
    let mut held = vec![Target::Free; 6];
    let free = solve(&day(held.clone()), &Settings::default()).unwrap();
    held[..3].fill(Target::Exact(0.0));
    let held_back = solve(&day(held.clone()), &Settings::default()).unwrap();
    certify(&day(held), &held_back).unwrap();
    assert!(free.p_w[2] < -1.0, "{:?}", free.p_w);
    let later = |plan: &Plan| plan.p_w[3..].iter().sum::<f64>();
    assert!(
        later(&held_back) < later(&free) - 1.0,
        "{:?}",
        held_back.p_w
    );
}
