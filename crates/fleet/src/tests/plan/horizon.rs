//! Plans over intervals that share energy, and limits that overlap.

use proptest::prelude::*;
use units::{WattHours, Watts};

use super::{limit, member, request, shares, target, watts};
use crate::dispatch::plan::{Member, Plan, Request, Role, plan};
use crate::dispatch::{Aim, Objective, Target};
use crate::{DerId, Rejection};

fn hour(at: i64, p: i64) -> Target {
    target(at * 3_600, 3_600, p)
}

fn battery(index: u32, p: i64, energy_wh: i64) -> Member {
    Member {
        energy_up: Some(WattHours::whole(energy_wh)),
        energy_down: Some(WattHours::ZERO),
        ..member(index, 0, -p, p)
    }
}

fn hourly(powers: &[i64]) -> Vec<Target> {
    let targets = (0..).zip(powers);
    targets.map(|(k, p)| hour(k, *p)).collect()
}

/// Energy that `der` injects by `plan`, in intervals of one hour, in Wh.
fn injected(plan: &Plan, der: u32) -> i64 {
    let own = plan.allocations.iter().filter(|a| a.der == DerId(der));
    own.map(|a| a.share.p().micro() / units::MICRO).sum()
}

#[test]
fn a_store_that_holds_little_is_not_spent_on_what_others_can_do() {
    let members = [battery(0, 1_000, 1_000), battery(1, 1_000, 4_000)];
    let targets = hourly(&[1_000, 1_000, 1_000, 2_000]);
    let plan = plan(&request(&members, &targets, &[])).unwrap();
    assert_eq!(injected(&plan, 0), 1_000);
    assert_eq!(injected(&plan, 1), 4_000);
    assert!(plan.balances.iter().all(|b| b.residue == Watts::ZERO));
}

#[test]
fn what_is_needed_later_is_charged_before() {
    let mut members = [battery(0, 1_000, 0), member(1, 0, 0, 3_000)];
    members[0].energy_down = Some(WattHours::whole(2_000));
    let targets = hourly(&[1_000, 1_000, 4_000]);
    let plan = plan(&request(&members, &targets, &[])).unwrap();
    assert_eq!(shares(&plan, 2), [1_000, 3_000]);
    assert_eq!(injected(&plan, 0), 0);
}

#[test]
fn limits_that_overlap_leave_what_a_linear_programme_would_find() {
    let members = [
        member(0, 0, 0, 1_000),
        member(1, 0, 0, 1_000),
        member(2, 0, 0, 1_000),
    ];
    let limits = [
        limit("north", &[(0, 1.0), (1, 1.0)], 1_000),
        limit("south", &[(1, 1.0), (2, 1.0)], 1_000),
    ];
    let plan = plan(&request(&members, &[target(0, 60, 2_000)], &limits)).unwrap();
    assert_eq!(shares(&plan, 0), [1_000, 0, 1_000]);
}

#[test]
fn constraints_that_contradict_each_other_are_named_without_others() {
    let members = [
        battery(0, 1_000, 1_500),
        member(1, 0, 0, 500),
        battery(2, 0, 700),
    ];
    let targets = hourly(&[1_500, 100, 1_500, 100]);
    let refused = plan(&request(&members, &targets, &[])).unwrap_err();
    let message = refused.to_string();
    assert_eq!(
        message,
        "interval 3: short by 550.0 Wh of energy to hold 1500.0 W; can't be kept together: \
         the target of interval 1, the target of interval 2, the target of interval 3, the energy \
         of DER 0 and the power that the members can give and take"
    );
    let Rejection::Conflict { short, .. } = refused else {
        panic!("{message}")
    };
    assert!(matches!(
        *short,
        Rejection::ShortOfEnergy { interval: 3, .. }
    ));
}

#[test]
fn limits_in_conflict_are_all_named() {
    let members = [member(0, 0, -1_000, 1_000), member(1, 0, -1_000, 1_000)];
    let limits = [
        limit("export", &[(0, 1.0), (1, 1.0)], 500),
        limit("import", &[(0, -1.0)], -200),
        limit("spare", &[(1, -1.0)], -400),
    ];
    let refused = plan(&request(&members, &[target(0, 60, 300)], &limits)).unwrap_err();
    let message = refused.to_string();
    for name in ["import", "spare"] {
        let limit = format!("limit {name} in interval 1");
        assert!(message.contains(&limit), "{message}");
    }
}

#[test]
fn the_cheap_store_is_kept_for_when_it_saves_most() {
    let mut members = [
        Member {
            merit: 10,
            ..battery(0, 2_000, 2_000)
        },
        Member {
            merit: 50,
            ..member(1, 0, 0, 1_000)
        },
        Member {
            merit: 500,
            ..member(2, 0, 0, 2_000)
        },
    ];
    members[0].energy_down = Some(WattHours::ZERO);
    let targets = hourly(&[1_000, 2_000]);
    let request = Request {
        objective: Objective::LeastCost,
        ..request(&members, &targets, &[])
    };
    let plan = plan(&request).unwrap();
    assert_eq!(injected(&plan, 0), 2_000);
    assert_eq!(injected(&plan, 1), 1_000);
    assert_eq!(injected(&plan, 2), 0);
}

#[test]
fn a_gap_between_intervals_is_left_to_the_members() {
    let mut members = [battery(0, 1_000, 1_000), battery(1, 1_000, 4_000)];
    members[0].base = watts(200);
    let targets = [hour(0, 1_000), hour(2, 1_000), hour(3, 1_500)];
    let plan = plan(&request(&members, &targets, &[])).unwrap();
    assert!(injected(&plan, 0) <= 800, "{}", injected(&plan, 0));
}

#[test]
fn a_relative_aim_keeps_what_it_has_come_to() {
    let members = [battery(0, 1_000, 1_000), battery(1, 1_000, 4_000)];
    let mut targets = hourly(&[1_000, 1_000, 1_000, 2_000]);
    targets[0].aim = Aim::Delta(watts(1_000));
    targets[3].aim = Aim::AtLeast(watts(2_000));
    let plan = plan(&request(&members, &targets, &[])).unwrap();
    assert_eq!(plan.balances[0].target, watts(1_000));
    assert_eq!(shares(&plan, 3).iter().sum::<i64>(), 2_000);
}

fn any_fleet() -> impl Strategy<Value = (Vec<Member>, Vec<Target>)> {
    let one = (500..5_000_i64, 0..8_000_i64, 0..8_000_i64, 0..6_u8);
    let members = proptest::collection::vec(one, 2..8).prop_map(|drawn| {
        let numbered = (0..).zip(drawn);
        let members = numbered.map(|(index, (p, up, down, role))| Member {
            energy_up: Some(WattHours::whole(up)),
            energy_down: Some(WattHours::whole(down)),
            role: [Role::Controllable, Role::Fixed][usize::from(role / 5)],
            ..member(index, 0, -p, p)
        });
        members.collect::<Vec<_>>()
    });
    let powers = proptest::collection::vec(-8_000..8_000_i64, 2..6);
    (members, powers).prop_map(|(members, powers)| (members, hourly(&powers)))
}

proptest! {
    #[test]
    fn no_store_is_taken_beyond_its_bounds((members, targets) in any_fleet()) {
        let request = request(&members, &targets, &[]);
        let planned = plan(&request);
        let Ok(planned) = planned else {
            return Ok(());
        };
        for member in &members {
            let mut drawn = Watts::ZERO;
            for interval in 0..u32::try_from(targets.len()).unwrap() {
                drawn += planned.share(member.der, interval).map_or(member.base, |s| s.p());
                let wh = drawn.as_f64();
                let (up, down) = (member.energy_up.unwrap(), member.energy_down.unwrap());
                prop_assert!(-down.as_f64() - 1e-3 <= wh && wh <= up.as_f64() + 1e-3, "{wh} {member:?}");
            }
        }
        for balance in &planned.balances {
            prop_assert_eq!(balance.residue, Watts::ZERO);
        }
    }

    /// Whatever is refused has too little energy or power by a bound that does not share the solver's
    /// code: a schedule that exists is found. It is drawn first, and its sums are the targets.
    #[test]
    fn a_schedule_that_exists_is_found(
        drawn in proptest::collection::vec(proptest::collection::vec(-1_000..1_000_i64, 4), 2..6)
    ) {
        let members: Vec<Member> = (0..).zip(&drawn).map(|(index, powers)| {
            let sums = powers.iter().scan(0, |sum, p| { *sum += p; Some(*sum) });
            let (most, least) = sums.fold((0, 0), |(a, b): (i64, i64), s| (a.max(s), b.min(s)));
            Member {
                // What rounding may take, an hour of one watt for each interval.
                energy_up: Some(WattHours::whole(most + 8)),
                energy_down: Some(WattHours::whole(8 - least)),
                ..member(index, 0, -1_000, 1_000)
            }
        }).collect();
        let sums: Vec<i64> = (0..4).map(|t| drawn.iter().map(|powers| powers[t]).sum()).collect();
        let planned = plan(&request(&members, &hourly(&sums), &[]));
        prop_assert!(planned.is_ok(), "{}", planned.unwrap_err());
    }
}
