//! Aims that depend on the members, and members chosen by merit.

use optimiser::single::{Ranges, headroom, merit_order};
use proptest::prelude::*;
use units::{Money, Percent, WattHours, Watts};

use super::{limit, member, request, shares, target, watts};
use crate::dispatch::limit::LinearLimit;
use crate::dispatch::meanwhile::{Course, Elsewhere, Later};
use crate::dispatch::plan::{Extent, Member, Plan, Request, Role, Taken, plan};
use crate::dispatch::{Aim, Objective, Standing, Target};
use crate::{DerId, Rejection};

fn aim(aim: Aim) -> Target {
    Target {
        aim,
        ..target(0, 60, 0)
    }
}

fn planned(members: &[Member], aimed: Aim) -> Result<Plan, Rejection> {
    plan(&request(members, &[aim(aimed)], &[]))
}

fn spare(plan: &Plan) -> Vec<u32> {
    let spare = plan
        .unasked
        .iter()
        .filter(|(_, why)| *why == Standing::Spare);
    spare.map(|(der, _)| der.0).collect()
}

fn by(objective: Objective, members: &[Member], p: i64, limits: &[LinearLimit]) -> Plan {
    let request = Request {
        objective,
        ..request(members, &[target(0, 60, p)], limits)
    };
    plan(&request).unwrap()
}

fn merits(merits: &[i64]) -> Vec<Member> {
    let ranked = (0..).zip(merits).map(|(index, merit)| Member {
        merit: *merit,
        ..member(index, 0, -1_000, 1_000)
    });
    ranked.collect()
}

#[test]
fn a_delta_is_what_members_do_and_so_much_more() {
    let mut members = [
        member(0, 300, -1_000, 1_000),
        member(1, -200, -1_000, 1_000),
    ];
    members[1].role = Role::Fixed;
    let plan = planned(&members, Aim::Delta(watts(-500))).unwrap();
    assert_eq!(plan.balances[0].target, watts(-400));
    assert_eq!(shares(&plan, 0), [-200]);
}

#[test]
fn a_percentage_is_of_the_way_that_is_left() {
    let members = [member(0, 200, -1_000, 1_000), member(1, 0, -500, 3_000)];
    let up = planned(&members, Aim::Percent(Percent::from_hundredths(5_000))).unwrap();
    assert_eq!(up.balances[0].target, watts(200 + 1_900));
    let down = planned(&members, Aim::Percent(Percent::from_hundredths(-10_000))).unwrap();
    assert_eq!(down.balances[0].target, watts(-1_500));
    assert_eq!(shares(&down, 0), [-1_000, -500]);
}

#[test]
fn a_bound_that_is_kept_anyway_asks_nobody() {
    let members = [member(0, 300, -1_000, 1_000), member(1, 100, -1_000, 1_000)];
    let kept = planned(&members, Aim::AtMost(watts(500))).unwrap();
    assert_eq!((shares(&kept, 0), spare(&kept)), (vec![], vec![0, 1]));
    assert_eq!(kept.balances[0].target, watts(400));
    assert_eq!(kept.balances[0].unasked, watts(400));
    let binding = planned(&members, Aim::AtMost(watts(-100))).unwrap();
    assert_eq!(shares(&binding, 0).iter().sum::<i64>(), -100);
    let floor = planned(&members, Aim::AtLeast(watts(1_000))).unwrap();
    assert_eq!(shares(&floor, 0).iter().sum::<i64>(), 1_000);
    let refused = planned(&members, Aim::AtLeast(watts(2_001))).unwrap_err();
    assert!(matches!(refused, Rejection::ShortOfPower { short, .. } if short == watts(1)));
}

#[test]
fn a_price_takes_all_that_is_sold_at_it() {
    let sold = |index, price: i64| Member {
        price_per_kwh: Some(Money::from_micro(price)),
        ..member(index, 100, -1_000, 1_000)
    };
    let members = [
        sold(0, 100_000),
        sold(1, 300_000),
        member(2, 100, -1_000, 1_000),
    ];
    let plan = planned(&members, Aim::Price(Money::from_micro(200_000))).unwrap();
    assert_eq!((shares(&plan, 0), spare(&plan)), (vec![1_000], vec![1, 2]));
    assert_eq!(plan.balances[0].target, watts(1_200));
    assert_eq!(plan.balances[0].residue, Watts::ZERO);
    let nobody = planned(&members, Aim::Price(Money::ZERO)).unwrap();
    assert_eq!(shares(&nobody, 0), Vec::<i64>::new());
}

#[test]
fn the_cheapest_come_first_and_those_alike_share() {
    let members = merits(&[30, 10, 20, 20]);
    let plan = by(Objective::LeastCost, &members, 2_000, &[]);
    assert_eq!(
        (shares(&plan, 0), spare(&plan)),
        (vec![1_000, 500, 500], vec![0])
    );
    let down = by(Objective::LeastUsed, &members, -1_000, &[]);
    assert_eq!(
        (shares(&down, 0), spare(&down)),
        (vec![-1_000], vec![0, 2, 3])
    );
}

#[test]
fn as_few_as_possible_are_the_largest() {
    let members = [
        member(0, 0, -1_000, 1_000),
        member(1, 0, -3_000, 3_000),
        member(2, 0, -1_000, 1_000),
    ];
    let plan = by(Objective::FewestDevices, &members, 3_500, &[]);
    assert_eq!(
        (shares(&plan, 0), spare(&plan)),
        (vec![500, 3_000], vec![2])
    );
}

#[test]
fn one_that_follows_somebody_else_is_not_left_alone() {
    let mut members = [member(0, 0, -3_000, 3_000), member(1, 0, -1_000, 1_000)];
    for (committed_w, asked) in [(None, vec![500]), (Some(0), vec![500, 0])] {
        members[1].committed = committed_w.map(|p| (watts(p), watts(p)));
        let plan = by(Objective::FewestDevices, &members, 500, &[]);
        assert_eq!(shares(&plan, 0), asked, "{committed_w:?}");
    }
}

#[test]
fn a_limit_cuts_the_dearest_behind_it() {
    let members = merits(&[1, 2, 3, 4]);
    let limits = [limit("feeder", &[(0, 1.0), (1, 1.0), (2, 1.0)], 1_500)];
    let plan = by(Objective::LeastCost, &members, 2_000, &limits);
    assert_eq!(shares(&plan, 0), [1_000, 500, 500]);
    assert_eq!(
        spare(&plan),
        [2],
        "the third is dearer than the second behind the same limit"
    );
}

fn taken(first_mean_last_w: [i64; 3], extent: Extent) -> Taken {
    let [p, mean, last] = first_mean_last_w.map(watts);
    let course = Course { mean, last };
    Taken { p, course, extent }
}

fn during(taken: Taken) -> Elsewhere {
    Elsewhere {
        during: Some(taken),
        ..Elsewhere::default()
    }
}

#[test]
fn what_a_more_urgent_dispatch_asks_later_in_an_interval_takes_its_room_in_all_of_it() {
    let mut members = [member(0, 0, -1_000, 1_000), member(1, 0, -2_000, 2_000)];
    members[0].elsewhere = Some(0);
    members[0].committed = Some((watts(-800), watts(700)));
    let limits = [limit("import", &[(0, -1.0), (1, -1.0)], 1_000)];
    for (extent, share) in [(Extent::Whole, -1_700), (Extent::Several, -200)] {
        let elsewhere = [vec![during(taken([700, -50, -800], extent))]];
        let request = Request {
            elsewhere: &elsewhere,
            on_short: crate::dispatch::plan::OnShort::Approach,
            ..request(&members, &[target(0, 60, -1_000)], &limits)
        };
        let plan = plan(&request).unwrap();
        assert_eq!(shares(&plan, 0), vec![share], "{extent:?}");
    }
}

#[test]
fn both_what_is_asked_of_a_member_and_what_another_asks_of_it_later_have_room() {
    let mut members = [member(0, 0, -1_000, 1_000), member(1, 0, -1_000, 1_000)];
    members[0].elsewhere = Some(0);
    let limits = [limit("export", &[(0, 1.0), (1, 1.0)], 1_000)];
    for (later_w, expected) in [
        (None, [500, 500]),
        (Some(800), [800, 200]),
        (Some(300), [500, 500]),
    ] {
        let later = later_w.map(|p| Later {
            least: watts(-100),
            most: watts(p),
            mean: watts(0),
            part: 0.25,
        });
        let row = Elsewhere {
            later,
            ..Elsewhere::default()
        };
        let elsewhere = [vec![row]];
        let request = Request {
            elsewhere: &elsewhere,
            on_short: crate::dispatch::plan::OnShort::Approach,
            ..request(&members, &[target(0, 60, 1_000)], &limits)
        };
        let plan = plan(&request).unwrap();
        assert_eq!(shares(&plan, 0), expected, "{later_w:?}");
    }
}

#[test]
fn what_a_more_urgent_dispatch_asks_fills_and_empties_a_store_on_average() {
    let mut members = [member(0, 0, -1_000, 1_000)];
    members[0].elsewhere = Some(0);
    members[0].energy_up = Some(WattHours::ZERO);
    let targets = [target(0, 60, 0), target(60, 60, 900)];
    for (mean_w, share) in [(-600, 600), (0, 0), (600, 0)] {
        let elsewhere = [vec![
            during(taken([0, mean_w, 0], Extent::Several)),
            Elsewhere::default(),
        ]];
        let request = Request {
            elsewhere: &elsewhere,
            on_short: crate::dispatch::plan::OnShort::Approach,
            ..request(&members, &targets, &[])
        };
        let plan = plan(&request).unwrap();
        assert_eq!(shares(&plan, 1), vec![share], "{mean_w} W");
    }
}

#[test]
fn what_a_more_urgent_dispatch_asks_of_a_member_counts_and_is_not_asked_again() {
    let mut members = [member(0, 0, -1_000, 1_000), member(1, 0, -1_000, 1_000)];
    members[0].elsewhere = Some(0);
    let targets = [target(0, 60, 500), target(60, 60, 500)];
    let taken = taken([-700; 3], Extent::Whole);
    let elsewhere = [vec![during(taken), Elsewhere::default()]];
    let request = Request {
        elsewhere: &elsewhere,
        on_short: crate::dispatch::plan::OnShort::Approach,
        ..request(&members, &targets, &[])
    };
    let plan = plan(&request).unwrap();
    assert_eq!(plan.elsewhere, [(0, DerId(0))]);
    assert_eq!(
        (shares(&plan, 0), shares(&plan, 1)),
        (vec![1_000], vec![250, 250])
    );
    let balance = plan.balances[0];
    assert_eq!(
        (balance.unasked, balance.residue),
        (watts(-700), watts(200))
    );
    assert_eq!(plan.unasked, []);
}

type Drawn = (i64, i64, i64, i64, bool);

fn ranked() -> impl Strategy<Value = Vec<Member>> {
    let one = (
        -500..500_i64,
        0..3_000_i64,
        0..3_000_i64,
        0..4_i64,
        any::<bool>(),
    );
    prop::collection::vec(one, 1..12).prop_map(|drawn| {
        let member = |(index, (base, down, up, merit, store)): (u32, Drawn)| {
            // Enough for a minute of what it does, and of half of what it could do beyond.
            let holds = watts(base.max(0) + up / 2).over(std::time::Duration::from_secs(61));
            Member {
                merit,
                energy_up: store.then_some(holds),
                ..member(index, base, base - down, base + up)
            }
        };
        (0..).zip(drawn).map(member).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Exchange argument: the cost of a merit order is least when nobody is moved while somebody
    /// cheaper could move further.
    #[test]
    fn nobody_moves_while_somebody_cheaper_has_room(
        members in ranked(), p in -8_000..8_000_i64,
    ) {
        let request = Request {
            objective: Objective::LeastCost,
            on_short: crate::dispatch::plan::OnShort::Approach,
            ..request(&members, &[target(0, 60, p)], &[])
        };
        let plan = plan(&request).unwrap();
        let balance = plan.balances[0];
        let total: Watts = plan.allocations.iter().map(|a| a.share.p()).sum();
        prop_assert_eq!(total + balance.unasked + balance.residue, balance.target);
        let base: i64 = members.iter().map(|m| m.base.micro()).sum();
        let up = base <= watts(p).micro();
        let one_watt = 1_000_000;
        for dear in &members {
            let moved = plan.share(dear.der, 0).map_or(0, |s| (s.p() - dear.base).micro());
            if moved.abs() <= one_watt {
                continue;
            }
            for cheap in members.iter().filter(|m| m.merit < dear.merit) {
                let share = plan.share(cheap.der, 0).map_or(cheap.base, crate::ActivePower::p);
                let energy = cheap.energy_up.map_or(Watts::MAX, |e| {
                    e.spread_over(std::time::Duration::from_secs(60)).unwrap()
                });
                let room = if up { cheap.hi.min(energy) - share } else { share - cheap.lo };
                prop_assert!(room.micro() <= one_watt, "{cheap:?} has {room} left, {dear:?}");
            }
        }
    }

    /// The largest first are the fewest: no smaller number of members has the range.
    #[test]
    fn no_smaller_number_of_members_would_do(members in ranked(), p in 0..6_000_i64) {
        let base: i64 = members.iter().map(|m| m.base.micro()).sum::<i64>() / 1_000_000;
        let plan = plan(&Request {
            objective: Objective::FewestDevices,
            ..request(&members, &[target(0, 60, base + p)], &[])
        });
        let Ok(plan) = plan else { return Ok(()) };
        let moved = plan.allocations.iter().filter(|a| {
            let base = members[a.der.index()].base;
            watts(1) < (a.share.p() - base).abs()
        });
        let mut ranges: Vec<Watts> = members
            .iter()
            .map(|m| {
                let energy = m.energy_up.map_or(Watts::MAX, |e| {
                    e.spread_over(std::time::Duration::from_secs(60)).unwrap()
                });
                (m.hi.min(energy) - m.base).max(Watts::ZERO)
            })
            .collect();
        ranges.sort_unstable_by(|a, b| b.cmp(a));
        let mut needed = 0;
        let mut left = watts(p);
        while Watts::ZERO < left && needed < ranges.len() {
            left -= ranges[needed];
            needed += 1;
        }
        prop_assert!(moved.count() <= needed, "{plan:?}");
    }
}

/// What a member of each draw does, the lowest and highest that it could, and its place in the order.
fn any_members() -> impl Strategy<Value = Vec<Member>> {
    let one = (-2_000..2_000_i64, 0..3_000_i64, 0..3_000_i64, 0..4_i64);
    proptest::collection::vec(one, 1..30).prop_map(|drawn| {
        let members = (0..)
            .zip(drawn)
            .map(|(index, (base, down, up, merit))| Member {
                merit,
                ..member(index, base, base - down, base + up)
            });
        members.collect()
    })
}

proptest! {
    /// The closed forms know nothing of starts, directions and wire values.
    #[test]
    fn shares_are_those_of_the_closed_forms(members in any_members(), way in -1.0..1.0_f64) {
        let width: Vec<f64> = members
            .iter()
            .map(|m| if way < 0.0 { m.base - m.lo } else { m.hi - m.base })
            .map(Watts::as_f64)
            .collect();
        #[expect(clippy::cast_possible_truncation, reason = "a few kilowatts")]
        let need = (way.abs() * width.iter().sum::<f64>()).floor() as i64;
        let ranges = Ranges { lo_w: &vec![0.0; width.len()], hi_w: &width };
        let rank: Vec<f64> = members.iter().map(|m| m.merit as f64).collect();
        let needed = need as f64;
        let whole: Watts = members.iter().map(|m| m.base).sum();
        let whole = whole.micro() / 1_000_000;
        let target = if way < 0.0 { whole - need } else { whole + need };
        for (objective, best) in [
            (Objective::ProRata, headroom(needed, ranges, &vec![0.0; width.len()]).unwrap()),
            (Objective::LeastCost, merit_order(needed, ranges, &rank).unwrap()),
        ] {
            let plan = by(objective, &members, target, &[]);
            let planned = |member: &Member| {
                let share = plan.share(member.der, 0).map(crate::ActivePower::p);
                share.unwrap_or(member.base)
            };
            prop_assert_eq!(members.iter().map(planned).sum::<Watts>(), watts(target));
            for (index, best_w) in best.p_w.iter().enumerate() {
                let moved = (planned(&members[index]) - members[index].base).abs().as_f64();
                prop_assert!((moved - best_w).abs() <= 1.0, "{objective:?} {index}: {moved} {best_w}");
            }
        }
    }
}
