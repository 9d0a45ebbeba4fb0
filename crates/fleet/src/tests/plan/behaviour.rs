//! Losses, vehicles that leave, devices that heat, devices that are off or on.

use std::time::Duration;

use proptest::prelude::*;
use units::{Timestamp, WattHours, Watts};

use super::{limit, member, request, shares, target, watts};
use crate::dispatch::behaviour::{Behaviour, Need, Switching};
use crate::dispatch::plan::{Member, Plan, plan};
use crate::dispatch::{Constraint, Target};
use crate::{DerId, Rejection};

const HOUR: Duration = Duration::from_secs(3_600);

fn hour(at: i64, p: i64) -> Target {
    target(at * 3_600, 3_600, p)
}

fn store(index: u32, p: i64, (up, down): (i64, i64), behaviour: Behaviour) -> Member {
    Member {
        energy_up: Some(WattHours::whole(up)),
        energy_down: Some(WattHours::whole(down)),
        behaviour,
        ..member(index, 0, -p, p)
    }
}

fn vehicle(need_wh: i64, by_s: i64) -> Behaviour {
    Behaviour {
        need: Some(Need {
            energy: WattHours::whole(need_wh),
            by: Timestamp::from_secs(by_s),
        }),
        ..Behaviour::default()
    }
}

fn heater(recovery_s: u64) -> Behaviour {
    Behaviour {
        neutral: watts(-1_000),
        recovery: Some(Duration::from_secs(recovery_s)),
        ..Behaviour::default()
    }
}

fn share(plan: &Plan, der: u32, interval: u32) -> i64 {
    let share = plan.share(DerId(der), interval);
    share.map_or(0, |share| share.p().micro() / units::MICRO)
}

#[test]
fn what_a_store_loses_is_missing_at_its_terminals() {
    let lossy = Behaviour {
        charge_efficiency: 0.8,
        discharge_efficiency: 0.9,
        ..Behaviour::default()
    };
    let members = [store(0, 5_000, (1_000, 0), lossy)];
    assert!(plan(&request(&members, &[hour(0, 900)], &[])).is_ok());
    let refused = plan(&request(&members, &[hour(0, 901)], &[])).unwrap_err();
    assert!(
        matches!(refused, Rejection::ShortOfEnergy { .. }),
        "{refused}"
    );
    // 1000 Wh absorbed are 800 Wh stored, of which 720 Wh come back.
    let empty = [store(0, 5_000, (0, 5_000), lossy)];
    let there_and_back = |back: i64| [hour(0, -1_000), hour(1, back)];
    assert!(plan(&request(&empty, &there_and_back(720), &[])).is_ok());
    assert!(plan(&request(&empty, &there_and_back(721), &[])).is_err());
}

#[test]
fn a_vehicle_gives_only_what_it_can_have_back_before_it_leaves() {
    // It needs 3 kWh in 4 h at 1 kW: one hour is spare, in which it can give nothing for 1 h, or
    // 1 kW for half an hour.
    let members = [store(0, 1_000, (5_000, 5_000), vehicle(3_000, 4 * 3_600))];
    let half = [target(0, 1_800, 1_000)];
    assert!(plan(&request(&members, &half, &[])).is_ok());
    assert!(plan(&request(&members, &[hour(0, 0)], &[])).is_ok());
    assert!(plan(&request(&members, &[hour(0, 1)], &[])).is_err());
    let late = [hour(2, 0)];
    assert!(
        plan(&request(&members, &late, &[])).is_err(),
        "it has to charge by then"
    );
}

#[test]
fn a_vehicle_that_has_left_is_counted_as_nothing() {
    let members = [
        store(0, 1_000, (5_000, 5_000), vehicle(0, 5_400)),
        member(1, 0, -2_000, 2_000),
    ];
    let plan = plan(&request(&members, &[hour(0, 1_500), hour(1, 1_500)], &[])).unwrap();
    assert!(plan.share(DerId(0), 0).is_some());
    assert_eq!(plan.share(DerId(0), 1), None);
    assert_eq!(plan.balances[1].unasked, Watts::ZERO);
}

#[test]
fn vehicles_take_turns_at_a_limit_so_that_all_have_left_charged() {
    // Both need 2 kWh through a 2 kW limit in 2 h: the one that leaves first has to come first.
    let members = [
        store(0, 2_000, (0, 9_000), vehicle(2_000, 7_200)),
        store(1, 2_000, (0, 9_000), vehicle(2_000, 3_600)),
    ];
    let limits = [limit("street", &[(0, -1.0), (1, -1.0)], 2_000)];
    let targets = [hour(0, -2_000), hour(1, -2_000)];
    let plan = plan(&request(&members, &targets, &limits)).unwrap();
    assert_eq!(share(&plan, 1, 0), -2_000);
    assert_eq!(share(&plan, 0, 0) + share(&plan, 0, 1), -2_000);
}

#[test]
fn a_vehicle_that_can_not_be_charged_in_time_is_named() {
    let members = [
        store(0, 2_000, (0, 9_000), vehicle(2_000, 7_200)),
        store(1, 2_000, (0, 9_000), vehicle(2_000, 3_600)),
    ];
    let targets = [hour(0, -1_000), hour(1, -2_000)];
    let refused = plan(&request(&members, &targets, &[])).unwrap_err();
    let Rejection::Conflict { among, .. } = &refused else {
        panic!("{refused}")
    };
    let departure = Constraint::Departure(DerId(1).into());
    assert!(among.contains(&departure), "{refused}");
}

#[test]
fn a_heater_that_is_held_back_takes_more_when_it_is_let_go() {
    let heating = heater(3_600);
    let held = WattHours::whole(600);
    let rebound = heating.rebound(held, HOUR);
    let expected = -600.0 * (1.0 - (-1.0_f64).exp());
    assert!((rebound.as_f64() - expected).abs() < 1e-3, "{rebound}");
    assert_eq!(heating.rebound(-held, HOUR), Watts::ZERO);
    assert_eq!(Behaviour::default().rebound(held, HOUR), Watts::ZERO);
}

#[test]
fn a_heater_is_held_back_for_no_more_than_it_can_do_without() {
    let mut members = [store(0, 0, (500, 0), heater(3_600))];
    (members[0].base, members[0].lo) = (watts(-1_000), watts(-3_000));
    assert!(plan(&request(&members, &[hour(0, -500)], &[])).is_ok());
    assert!(plan(&request(&members, &[hour(0, -499)], &[])).is_err());
    let half = [target(0, 1_800, 0)];
    assert_eq!(
        shares(&plan(&request(&members, &half, &[])).unwrap(), 0),
        [0]
    );
}

#[test]
fn heaters_take_turns_and_make_up_for_it() {
    let mut members = [
        store(0, 0, (500, 0), heater(1_800)),
        store(1, 0, (500, 0), heater(1_800)),
    ];
    for member in &mut members {
        (member.base, member.lo) = (watts(-1_000), watts(-3_000));
    }
    let targets = [hour(0, -1_500), hour(1, -1_500)];
    let plan = plan(&request(&members, &targets, &[])).unwrap();
    for der in 0..2 {
        let held: i64 = (0..2)
            .map(|interval| 1_000 + share(&plan, der, interval))
            .sum();
        assert!(held <= 500, "{held} of {der}");
    }
}

#[test]
fn a_device_that_is_off_or_on_is_asked_for_nothing_in_between() {
    let switched = Behaviour {
        neutral: watts(-2_000),
        switching: Some(Switching {
            min_on: HOUR,
            min_off: HOUR,
            output: watts(-2_000),
            lasted: None,
        }),
        ..Behaviour::default()
    };
    let mut members = vec![member(0, 0, -500, 500)];
    for index in 1..4 {
        members.push(Member {
            behaviour: switched,
            ..member(index, -2_000, -2_000, 0)
        });
    }
    let targets = [target(0, 1_800, -4_100), target(1_800, 1_800, -2_300)];
    let plan = plan(&request(&members, &targets, &[])).unwrap();
    for interval in 0..2 {
        for der in 1..4 {
            let off = plan
                .share(DerId(der), interval)
                .is_some_and(|s| s.p() == Watts::ZERO);
            let on = plan
                .share(DerId(der), interval)
                .is_none_or(|s| s.p() == watts(-2_000));
            assert!(off || on, "{:?}", plan.share(DerId(der), interval));
        }
    }
    let off = |interval| {
        (1..4)
            .filter(|der| {
                plan.share(DerId(*der), interval)
                    .is_some_and(|s| s.p() == Watts::ZERO)
            })
            .count()
    };
    assert_eq!((off(0), off(1)), (1, 2));
    assert!(
        plan.balances
            .iter()
            .all(|balance| balance.residue == Watts::ZERO)
    );
}

/// Loads of 2 kW that are on unasked and stay off or on for half an hour: for each whether it is off
/// by now, and for how many minutes it has been as it is.
fn any_loads() -> impl Strategy<Value = Vec<(bool, u64)>> {
    let load = (any::<bool>(), prop_oneof![0..40_u64, Just(1_000)]);
    proptest::collection::vec(load, 1..4)
}

fn load(index: u32, (is_off, minutes): (bool, u64)) -> Member {
    let half = Duration::from_secs(1_800);
    Member {
        behaviour: Behaviour {
            neutral: watts(-2_000),
            switching: Some(Switching {
                min_on: half,
                min_off: half,
                output: if is_off { Watts::ZERO } else { watts(-2_000) },
                lasted: Some(Duration::from_secs(minutes * 60)),
            }),
            ..Behaviour::default()
        },
        ..member(index, -2_000, -2_000, 0)
    }
}

/// Whether a load keeps its least times, by interval off or not.
fn keeps_times(intervals: &[u64], (is_off, minutes): (bool, u64), off: &[bool]) -> bool {
    let (mut state, mut lasted_s) = (is_off, minutes * 60);
    off.iter().zip(intervals).all(|(off, length_s)| {
        let (changes, may_change) = (*off != state, 1_800 <= lasted_s);
        if changes {
            (state, lasted_s) = (*off, 0);
        }
        lasted_s += length_s;
        !changes || may_change
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Every way to switch them is tried.
    #[test]
    fn loads_keep_their_least_times_from_before_a_plan_into_it(
        loads in any_loads(),
        intervals in proptest::collection::vec(
            prop_oneof![Just(1_u64), Just(600), Just(900), Just(1_800)], 1..5),
        asked in proptest::collection::vec(0..4_usize, 4),
    ) {
        let mut members: Vec<Member> =
            (0..).zip(&loads).map(|(index, it)| load(index, *it)).collect();
        members.push(member(9, 0, -100, 100));
        let mut start = 0;
        let targets: Vec<Target> = intervals
            .iter()
            .zip(&asked)
            .map(|(secs, off)| {
                let on = loads.len().saturating_sub(*off);
                let target = target(start, *secs, -2_000 * i64::try_from(on).unwrap());
                start += i64::try_from(*secs).unwrap();
                target
            })
            .collect();
        let wanted = |t: usize| asked[t].min(loads.len());
        let (count, length) = (loads.len(), intervals.len());
        let ways = (0_u32..1 << (count * length)).map(|bits| -> Vec<Vec<bool>> {
            let off = |load: usize, t: usize| bits >> (load * length + t) & 1 == 1;
            (0..count).map(|load| (0..length).map(|t| off(load, t)).collect()).collect()
        });
        let is_way = |way: &Vec<Vec<bool>>| {
            let meets = |t: usize| way.iter().filter(|off| off[t]).count() == wanted(t);
            (0..length).all(meets)
                && way.iter().zip(&loads).all(|(off, it)| keeps_times(&intervals, *it, off))
        };
        let possible: Vec<Vec<Vec<bool>>> = ways.filter(is_way).collect();
        if let Ok(plan) = plan(&request(&members, &targets, &[])) {
            let is_off = |load: usize, t: usize| {
                let der = DerId(u32::try_from(load).unwrap());
                plan.share(der, u32::try_from(t).unwrap())
                    .is_some_and(|share| share.p() == Watts::ZERO)
            };
            let way: Vec<Vec<bool>> = (0..count)
                .map(|load| (0..length).map(|t| is_off(load, t)).collect())
                .collect();
            // Loads that are left alone do as they like.
            let is_asked = plan.allocations.iter().any(|asked| asked.der != DerId(9));
            let is_left_alone = !is_asked && (0..length).all(|t| wanted(t) == 0);
            prop_assert!(
                is_left_alone || possible.contains(&way),
                "{way:?} of {}",
                possible.len()
            );
        } else if count == 1 {
            prop_assert!(possible.is_empty(), "{possible:?}");
        }
    }
}
