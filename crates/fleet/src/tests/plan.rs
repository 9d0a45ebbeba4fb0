//! Laws of the planner: what is given adds up, nothing is beyond a limit, a refusal is right.

mod behaviour;
mod horizon;
mod objective;

use std::time::Duration;

use proptest::prelude::*;
use units::{Timestamp, WattHours, Watts};

use super::{target, watts};
use crate::dispatch::limit::LinearLimit;
use crate::dispatch::plan::{Member, OnShort, Plan, Request, Role, plan};
use crate::dispatch::share::Grid;
use crate::dispatch::{Aim, Behaviour, Objective, Standing, Target};
use crate::{DerId, DispatchId, Name, Rejection};

fn member(index: u32, base: i64, lo: i64, hi: i64) -> Member {
    Member {
        der: DerId(index),
        standing: Standing::Controllable,
        role: Role::Controllable,
        base: watts(base),
        lo: watts(lo),
        hi: watts(hi),
        ramp_w_per_s: None,
        energy_up: None,
        energy_down: None,
        behaviour: Behaviour::default(),
        grid: Grid::TargetW { multiplier: 0 },
        settled_from: None,
        expected: None,
        elsewhere: None,
        committed: None,
        merit: 0,
        price_per_kwh: None,
    }
}

fn request<'a>(
    members: &'a [Member],
    targets: &[Target],
    limits: &'a [LinearLimit],
) -> Request<'a> {
    Request {
        dispatch: DispatchId(0),
        generation: 1,
        now: Timestamp::from_secs(0),
        effective: Timestamp::from_secs(0),
        targets: (0..).zip(targets.iter().copied()).collect(),
        ramp: Duration::from_secs(10),
        members,
        expected: &[],
        elsewhere: &[],
        objective: Objective::ProRata,
        limits,
        on_short: OnShort::Reject,
    }
}

fn shares(plan: &Plan, interval: u32) -> Vec<i64> {
    let own = plan.allocations.iter().filter(|a| a.interval == interval);
    own.map(|a| a.share.p().micro() / units::MICRO).collect()
}

fn limit(name: &str, terms: &[(u32, f64)], max: i64) -> LinearLimit {
    let terms = terms.iter().map(|(der, c)| (DerId(*der), *c)).collect();
    LinearLimit {
        name: Name::new(name).unwrap(),
        terms,
        max: watts(max),
        during: None,
    }
}

#[test]
fn all_move_by_the_same_fraction_of_what_they_can() {
    let members = [member(0, 0, -1_000, 1_000), member(1, 0, -3_000, 3_000)];
    let plan = plan(&request(&members, &[target(0, 60, 2_000)], &[])).unwrap();
    assert_eq!(shares(&plan, 0), [500, 1_500]);
    assert_eq!(plan.balances[0].residue, Watts::ZERO);
}

#[test]
fn members_that_are_not_asked_count_with_what_they_do() {
    let mut members = [member(0, 0, -1_000, 1_000), member(1, -400, -3_000, 3_000)];
    members[1].role = Role::Fixed;
    let plan = plan(&request(&members, &[target(0, 60, 300)], &[])).unwrap();
    assert_eq!(shares(&plan, 0), [700]);
    assert_eq!(plan.balances[0].unasked, watts(-400));
}

#[test]
fn what_is_asked_of_a_member_elsewhere_takes_its_room_under_a_limit() {
    let mut members = [member(0, 0, -1_000, 1_000), member(1, -400, -3_000, 3_000)];
    members[1].role = Role::Fixed;
    let limits = [limit("feeder", &[(0, 1.0), (1, 1.0)], 700)];
    let planned = |p, members: &[Member]| {
        plan(&request(members, &[target(0, 60, p)], &limits)).map(|plan| shares(&plan, 0))
    };
    assert_eq!(planned(600, &members), Ok(vec![1_000]));
    members[1].committed = Some((watts(-400), watts(100)));
    assert_eq!(planned(200, &members), Ok(vec![600]));
    assert!(planned(201, &members).is_err());
}

#[test]
fn power_that_is_missing_is_named_in_watts() {
    let members = [member(0, 0, -1_000, 1_000), member(1, 0, -3_000, 3_000)];
    let refused = plan(&request(&members, &[target(0, 60, 5_000)], &[])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "interval 1: 5000.0 W asked, 4000.0 W reachable, short by 1000.0 W"
    );
}

#[test]
fn energy_that_is_missing_is_named_in_watt_hours() {
    let mut members = [member(0, 0, -1_000, 1_000)];
    members[0].energy_up = Some(WattHours::whole(750));
    let refused = plan(&request(&members, &[target(0, 3_600, 1_000)], &[])).unwrap_err();
    let short = WattHours::whole(250);
    assert_eq!(
        refused,
        Rejection::ShortOfEnergy {
            interval: 1,
            asked: watts(1_000),
            short
        }
    );
}

#[test]
fn what_is_stored_in_one_interval_can_be_used_in_the_next() {
    let mut members = [member(0, 0, -1_000, 1_000)];
    members[0].energy_up = Some(WattHours::ZERO);
    members[0].energy_down = Some(WattHours::whole(1_000));
    let targets = [target(0, 1_800, -1_000), target(1_800, 1_800, 1_000)];
    let plan = plan(&request(&members, &targets, &[])).unwrap();
    assert_eq!(
        (shares(&plan, 0), shares(&plan, 1)),
        (vec![-1_000], vec![1_000])
    );
}

#[test]
fn a_ramp_bounds_the_change_between_intervals() {
    let mut members = [member(0, 0, -1_000, 1_000)];
    members[0].ramp_w_per_s = Some(watts(50));
    let refused = plan(&request(&members, &[target(0, 60, 600)], &[])).unwrap_err();
    let message = refused.to_string();
    let expected = "interval 1: 600.0 W asked, 500.0 W reachable, short by 100.0 W; \
                    can't be kept together: the target of interval 1 and the ramp of DER 0";
    assert_eq!(message, expected);
}

#[test]
fn what_flows_before_the_first_interval_is_counted_within_the_bounds_of_the_store() {
    let mut members = [member(0, -1_000, -1_000, 1_000)];
    members[0].energy_up = Some(WattHours::whole(500));
    members[0].energy_down = Some(WattHours::whole(1_000));
    let charged_first = [target(7_200, 3_600, 1_000)];
    assert!(
        plan(&request(&members, &charged_first, &[])).is_ok(),
        "1500 Wh by then"
    );
    let far = [target(72_000, 7_200, 1_000)];
    let refused = plan(&request(&members, &far, &[])).unwrap_err();
    let short = WattHours::whole(500);
    assert_eq!(
        refused,
        Rejection::ShortOfEnergy {
            interval: 1,
            asked: watts(1_000),
            short
        }
    );
}

#[test]
fn a_correction_counts_from_the_control_that_runs_and_not_from_a_meter_in_mid_ramp() {
    let mut members = [member(0, 300, -3_000, 3_000)];
    members[0].ramp_w_per_s = Some(watts(100));
    members[0].expected = Some(0);
    let expected = [vec![watts(2_500)]];
    let request = Request {
        now: Timestamp::from_secs(10),
        effective: Timestamp::from_secs(13),
        expected: &expected,
        ..request(&members, &[target(0, 60, 2_900)], &[])
    };
    assert_eq!(shares(&plan(&request).unwrap(), 0), [2_900]);
}

#[test]
fn a_shared_limit_moves_shares_to_others_and_is_named_when_it_binds() {
    let members = [
        member(0, 0, 0, 1_000),
        member(1, 0, 0, 1_000),
        member(2, 0, 0, 1_000),
    ];
    let limits = [limit("lateral", &[(0, 1.0), (1, 1.0)], 500)];
    let plan = plan(&request(&members, &[target(0, 60, 1_400)], &limits)).unwrap();
    assert_eq!(shares(&plan, 0), [250, 250, 900]);
    let refused = super::plan::plan(&request(&members, &[target(0, 60, 1_600)], &limits));
    let message = refused.unwrap_err().to_string();
    assert!(
        message.ends_with("short by 100.0 W, limited by lateral"),
        "{message}"
    );
}

#[test]
fn a_silent_member_takes_its_worst_case_from_a_shared_limit() {
    let mut members = [member(0, 0, 0, 1_000), member(1, 100, 0, 1_000)];
    members[1].role = Role::Held;
    members[1].standing = Standing::Silent;
    let limits = [limit("feeder", &[(0, 1.0), (1, 1.0)], 1_300)];
    let refused = plan(&request(&members, &[target(0, 60, 500)], &limits)).unwrap_err();
    assert!(
        matches!(refused, Rejection::ShortOfPower { reachable, .. } if reachable == watts(400))
    );
}

#[test]
fn a_held_member_is_expected_to_follow_the_controls_it_holds() {
    let mut members = [member(0, 0, 0, 1_000), member(1, 0, 0, 1_000)];
    members[1].role = Role::Held;
    members[1].expected = Some(0);
    let expected = [vec![watts(300), watts(0)]];
    let targets = [target(0, 60, 800), target(60, 60, 800)];
    let request = Request {
        expected: &expected,
        ..request(&members, &targets, &[])
    };
    let plan = plan(&request).unwrap();
    assert_eq!((shares(&plan, 0), shares(&plan, 1)), (vec![500], vec![800]));
}

#[derive(Clone, Debug)]
struct Case {
    members: Vec<Member>,
    targets: Vec<Target>,
    limits: Vec<LinearLimit>,
}

fn grid(kind: u8, hi: i64, lo: i64) -> Grid {
    match kind {
        0 => Grid::TargetW { multiplier: 0 },
        1 => Grid::TargetW { multiplier: 1 },
        _ => Grid::FixedW {
            inject: watts(hi.max(1)),
            absorb: watts((-lo).max(1)),
        },
    }
}

fn any_member() -> impl Strategy<Value = Member> {
    let bounds = (
        0..8_000_i64,
        0..8_000_i64,
        -9_000_000_000..9_000_000_000_i64,
        0..3_u8,
    );
    let extra = (
        0..3_u8,
        proptest::option::of(1..500_i64),
        proptest::option::of(0..4_000_i64),
    );
    (bounds, extra).prop_map(|((down, up, base, kind), (role, ramp, energy))| {
        let mut member = member(0, 0, -down, up);
        member.base = Watts::from_micro(base);
        member.grid = grid(kind, up, -down);
        member.role = [Role::Controllable, Role::Controllable, Role::Fixed][usize::from(role)];
        member.ramp_w_per_s = ramp.map(watts);
        member.energy_up = energy.map(WattHours::whole);
        member.energy_down = energy.map(|e| WattHours::whole(4_000 - e));
        member
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    let members = proptest::collection::vec(any_member(), 1..40);
    let powers = proptest::collection::vec(-60_000..60_000_i64, 1..4);
    (members, powers, proptest::option::of(0..50_000_i64)).prop_map(|(mut members, powers, max)| {
        for (index, member) in (0..).zip(members.iter_mut()) {
            member.der = DerId(index);
        }
        let targets = (0..)
            .zip(&powers)
            .map(|(k, p)| target(k * 900, 900, *p))
            .collect();
        let half: Vec<(u32, f64)> = members
            .iter()
            .map(|m| (m.der.0, 1.0))
            .take(members.len() / 2 + 1)
            .collect();
        let limits = max
            .map(|max| limit("half", &half, max))
            .into_iter()
            .collect();
        Case {
            members,
            targets,
            limits,
        }
    })
}

/// What the members alone could reach, found by adding up ranges rather than by sharing.
fn checks(case: &Case, plan: &Plan) -> Result<(), TestCaseError> {
    let mut drawn = vec![WattHours::ZERO; case.members.len()];
    for (k, balance) in plan.balances.iter().enumerate() {
        let duration = case.targets[k].interval.duration;
        let mut sum = Watts::ZERO;
        for (index, member) in case.members.iter().enumerate() {
            let Some(share) = plan.share(member.der, balance.interval) else {
                drawn[index] += member.base.over(duration);
                continue;
            };
            let p = share.p();
            sum += p;
            let slack = member.grid.step(p);
            prop_assert!(
                member.lo - slack <= p && p <= member.hi + slack,
                "{p} of {member:?}"
            );
            prop_assert_eq!(member.grid.encode(p).p(), p, "a value the wire can hold");
            drawn[index] += p.over(duration);
            if let Some(up) = member.energy_up {
                let tolerance = slack.over(duration);
                prop_assert!(
                    p <= slack
                        || drawn[index] <= up.max(WattHours::ZERO) + tolerance
                        || drawn[index] - p.over(duration) > up,
                    "{:?}",
                    member
                );
            }
        }
        prop_assert_eq!(sum + balance.unasked + balance.residue, balance.target);
        // Every member may lose less than one of its steps; one that has room for a whole step
        // towards the residue, and nothing else to bound it, would have taken it.
        let steps = case
            .members
            .iter()
            .map(|m| m.grid.step(watts(1)).max(m.grid.step(watts(-1))));
        let most = steps.sum::<Watts>() + Watts::from_micro(10_000);
        prop_assert!(balance.residue.abs() <= most, "{:?}", balance);
        for member in case.members.iter().filter(|m| m.role == Role::Controllable) {
            let bounded = member.ramp_w_per_s.is_some() || member.energy_up.is_some();
            if bounded || !case.limits.is_empty() {
                continue;
            }
            let p = plan.share(member.der, balance.interval).unwrap().p();
            let next = if balance.residue > Watts::ZERO {
                member.grid.ceil(p + Watts::from_micro(1))
            } else {
                member.grid.floor(p - Watts::from_micro(1))
            };
            let room = member.lo <= next && next <= member.hi;
            let fits = (next - p).abs() <= balance.residue.abs();
            prop_assert!(
                !(room && fits),
                "{:?} could take some of {:?}",
                member,
                balance
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_plan_adds_up_and_keeps_every_limit(case in any_case()) {
        let planned = plan(&request(&case.members, &case.targets, &case.limits));
        if let Ok(plan) = planned {
            checks(&case, &plan)?;
            for limit in &case.limits {
                for balance in &plan.balances {
                    let used: f64 = limit.terms.iter().map(|(der, c)| {
                        let fixed = case.members[der.index()].base;
                        let p = plan.share(*der, balance.interval).map_or(fixed, |s| s.p());
                        c * p.as_f64()
                    }).sum();
                    prop_assert!(used <= limit.max.as_f64() + 0.01, "{used} of {limit:?}");
                }
            }
        }
    }

    #[test]
    fn a_refusal_names_a_target_that_is_accepted(case in any_case()) {
        let mut case = case;
        case.targets.truncate(1);
        let refused = plan(&request(&case.members, &case.targets, &case.limits));
        if let Err(Rejection::ShortOfPower { reachable, .. }) = refused {
            case.targets[0].aim = Aim::Net(reachable);
            let again = plan(&request(&case.members, &case.targets, &case.limits));
            prop_assert!(again.is_ok(), "{:?}", again);
        }
    }

    #[test]
    fn the_same_request_gives_the_same_plan(case in any_case()) {
        let request = request(&case.members, &case.targets, &case.limits);
        prop_assert_eq!(plan(&request), plan(&request));
    }
}
