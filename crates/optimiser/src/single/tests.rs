use proptest::prelude::*;

use super::*;

/// Ranges, preferences, weights and costs of some units, and where in their reach the demand lies.
#[derive(Clone, Debug)]
struct Case {
    lo_w: Vec<f64>,
    hi_w: Vec<f64>,
    preferred_w: Vec<f64>,
    weight: Vec<f64>,
    cost: Vec<f64>,
    at: f64,
}

impl Case {
    fn ranges(&self) -> Ranges<'_> {
        Ranges {
            lo_w: &self.lo_w,
            hi_w: &self.hi_w,
        }
    }

    fn demand_w(&self, at: f64) -> f64 {
        let sum = |list: &[f64]| list.iter().sum::<f64>();
        sum(&self.lo_w) + at * (sum(&self.hi_w) - sum(&self.lo_w))
    }

    fn objectives(&self) -> [Objective<'_>; 4] {
        [
            Objective::Squares {
                preferred_w: &self.preferred_w,
                weight: &self.weight,
            },
            Objective::Headroom {
                preferred_w: &self.preferred_w,
            },
            Objective::MaxMin {
                rating_w: &self.weight,
            },
            Objective::Cost { per_wh: &self.cost },
        ]
    }

    fn share(&self, demand_w: f64, objective: Objective<'_>) -> Shares {
        let shares = match objective {
            Objective::Squares {
                preferred_w,
                weight,
            } => water_filling(demand_w, self.ranges(), preferred_w, weight),
            Objective::Headroom { preferred_w } => headroom(demand_w, self.ranges(), preferred_w),
            Objective::MaxMin { rating_w } => level(demand_w, self.ranges(), rating_w),
            Objective::Cost { per_wh } => merit_order(demand_w, self.ranges(), per_wh),
        };
        shares.unwrap()
    }
}

fn case() -> impl Strategy<Value = Case> {
    let unit = (
        -1_000.0..1_000.0_f64,
        // One in four ranges is a point.
        prop_oneof![3 => 0.0..2_000.0_f64, 1 => Just(0.0)],
        -1_500.0..1_500.0_f64,
        0.01..100.0_f64,
        0..6_u8,
    );
    (prop::collection::vec(unit, 1..40), 0.0..=1.0_f64).prop_map(|(units, at)| Case {
        lo_w: units.iter().map(|unit| unit.0).collect(),
        hi_w: units.iter().map(|unit| unit.0 + unit.1).collect(),
        preferred_w: units.iter().map(|unit| unit.2).collect(),
        weight: units.iter().map(|unit| unit.3).collect(),
        cost: units.iter().map(|unit| f64::from(unit.4)).collect(),
        at,
    })
}

proptest! {
    #[test]
    fn every_method_meets_the_demand_within_ranges_and_its_own_conditions(case in case()) {
        let demand_w = case.demand_w(case.at);
        for objective in case.objectives() {
            let shares = case.share(demand_w, objective);
            let verdict = certify(demand_w, case.ranges(), objective, &shares);
            prop_assert!(verdict.is_ok(), "{objective:?}: {verdict:?} {shares:?}");
        }
    }

    #[test]
    fn nobody_gives_less_when_more_is_asked(case in case(), more in 0.0..=1.0_f64) {
        let (demand_w, higher_w) = (case.demand_w(case.at), case.demand_w(case.at.max(more)));
        for objective in case.objectives() {
            let (before, after) = (case.share(demand_w, objective), case.share(higher_w, objective));
            for (before, after) in before.p_w.iter().zip(&after.p_w) {
                prop_assert!(*before <= after + 1e-6, "{objective:?}: {before} {after}");
            }
        }
    }

    #[test]
    fn the_order_of_units_changes_nothing(case in case()) {
        let turned = |list: &[f64]| list.iter().rev().copied().collect::<Vec<f64>>();
        let mirror = Case {
            lo_w: turned(&case.lo_w),
            hi_w: turned(&case.hi_w),
            preferred_w: turned(&case.preferred_w),
            weight: turned(&case.weight),
            cost: turned(&case.cost),
            at: case.at,
        };
        let demand_w = case.demand_w(case.at);
        for (objective, mirrored) in case.objectives().into_iter().zip(mirror.objectives()) {
            let there = case.share(demand_w, objective).p_w;
            let back = turned(&mirror.share(demand_w, mirrored).p_w);
            for (there, back) in there.iter().zip(back) {
                prop_assert!((there - back).abs() <= 1e-6, "{objective:?}: {there} {back}");
            }
        }
    }

    /// Against trying all sets of a few units.
    #[test]
    fn the_fewest_units_are_as_few_as_any_set_has(
        units in prop::collection::vec((0.0..1_000.0_f64, 0.0..0.9_f64), 1..9),
        at in 0.0..=1.0_f64,
        free in any::<bool>(),
    ) {
        let hi_w: Vec<f64> = units.iter().map(|unit| unit.0).collect();
        let min_w: Vec<f64> =
            units.iter().map(|unit| if free { 0.0 } else { unit.0 * unit.1 }).collect();
        let demand_w = at * hi_w.iter().sum::<f64>();
        let best = sets(units.len())
            .filter(|set| {
                let sum = |list: &[f64]| set.iter().map(|i| list[*i]).sum::<f64>();
                sum(&min_w) <= demand_w + 1e-9 && demand_w <= sum(&hi_w) + 1e-9
            })
            .map(|set| set.len())
            .min();
        let found = fewest(demand_w, &min_w, &hi_w);
        if let Ok(found) = &found {
            prop_assert!((found.p_w.iter().sum::<f64>() - demand_w).abs() <= 1e-6);
            let best = best.unwrap();
            prop_assert!(found.at_least <= best && best <= found.used);
            prop_assert!(!free || found.used == found.at_least);
        }
        prop_assert!(!free || found.is_ok());
    }

    /// Against trying all sets of a few units.
    #[test]
    fn commitment_is_between_its_bound_and_little_above_the_best_set(
        units in prop::collection::vec((10.0..1_000.0_f64, 0.0..0.6_f64, 0.0..50.0_f64, 0.0..0.5_f64), 1..9),
        at in 0.0..=1.0_f64,
    ) {
        let list = |of: fn(&Offer) -> f64| units.iter().map(of).collect::<Vec<f64>>();
        let (hi_w, min_w) = (list(|u| u.0), list(|u| u.0 * u.1));
        let (start_cost, cost_per_w) = (list(|u| u.2), list(|u| u.3));
        let demand_w = at * hi_w.iter().sum::<f64>();
        let offered = Committable {
            start_cost: &start_cost,
            cost_per_w: &cost_per_w,
            min_w: &min_w,
            hi_w: &hi_w,
        };
        let best = sets(units.len())
            .filter_map(|set| {
                let pick = |list: &[f64]| set.iter().map(|i| list[*i]).collect::<Vec<f64>>();
                let (lo_w, hi_w, cost) = (pick(&min_w), pick(&hi_w), pick(&cost_per_w));
                let ranges = Ranges { lo_w: &lo_w, hi_w: &hi_w };
                let shares = merit_order(demand_w, ranges, &cost).ok()?;
                let power: f64 = shares.p_w.iter().zip(&cost).map(|(p, c)| p * c).sum();
                Some(power + pick(&start_cost).iter().sum::<f64>())
            })
            .fold(f64::INFINITY, f64::min);
        if let Ok(found) = commit(demand_w, offered) {
            prop_assert!((found.p_w.iter().sum::<f64>() - demand_w).abs() <= 1e-6);
            prop_assert!(found.lower_bound <= best + 1e-6);
            prop_assert!(best <= found.cost + 1e-6);
            prop_assert!(found.cost <= 1.25 * best + 1e-6, "{} {best}", found.cost);
        } else {
            prop_assert!(best.is_infinite());
        }
    }
}

/// Highest power, share of it that is the least, start cost and cost per watt.
type Offer = (f64, f64, f64, f64);

fn sets(units: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_usize << units).map(move |bits| (0..units).filter(|i| bits >> i & 1 == 1).collect())
}

#[test]
fn a_demand_out_of_reach_and_numbers_that_are_none_are_refused() {
    let ranges = Ranges {
        lo_w: &[0.0, 0.0],
        hi_w: &[1.0, 2.0],
    };
    let beyond = merit_order(4.0, ranges, &[1.0, 2.0]);
    let (reach_w, demand_w) = (3.0, 4.0);
    assert_eq!(beyond, Err(NoShares::OutOfReach { reach_w, demand_w }));
    let weightless = water_filling(1.0, ranges, &[0.0, 0.0], &[1.0, 0.0]);
    assert_eq!(weightless, Err(NoShares::Number { unit: 1 }));
    let nowhere = headroom(1.0, ranges, &[0.0, f64::NAN]);
    assert_eq!(nowhere, Err(NoShares::Number { unit: 1 }));
    let short = merit_order(1.0, ranges, &[1.0]);
    assert_eq!(short, Err(NoShares::Length { found: 1, units: 2 }));
    assert_eq!(
        merit_order(f64::NAN, ranges, &[1.0, 1.0]),
        Err(NoShares::Demand)
    );
}

#[test]
fn a_certificate_notices_a_share_that_is_moved() {
    let (lo_w, hi_w, cost) = (vec![0.0; 4], vec![10.0; 4], [1.0, 2.0, 3.0, 4.0]);
    let ranges = Ranges {
        lo_w: &lo_w,
        hi_w: &hi_w,
    };
    let objective = Objective::Cost { per_wh: &cost };
    let mut shares = merit_order(15.0, ranges, &cost).unwrap();
    assert_eq!(certify(15.0, ranges, objective, &shares), Ok(()));
    shares.p_w[0] -= 1.0;
    shares.p_w[2] += 1.0;
    assert_eq!(
        certify(15.0, ranges, objective, &shares),
        Err(Refuted::Condition { unit: 0 })
    );
    shares.p_w[2] += 1.0;
    assert_eq!(
        certify(15.0, ranges, objective, &shares),
        Err(Refuted::Sum { sum_w: 16.0 })
    );
    shares.p_w[2] = 11.0;
    assert_eq!(
        certify(15.0, ranges, objective, &shares),
        Err(Refuted::Range { unit: 2 })
    );
}
