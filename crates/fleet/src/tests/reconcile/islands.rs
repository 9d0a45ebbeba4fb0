//! Dispatches whose members leave the grid with their microgrid, and come back.

use proptest::prelude::*;
use units::Interval;

use super::*;
use crate::dispatch::availability::Absence;
use crate::dispatch::verdict::{Archive, Case, Contact, Course, Rank, Verdict, Word, judge};
use crate::microgrid::{Action, Agreement, Coupling, Exchange, SchedulePoint, State};
use crate::tests::microgrid::{GRID, microgrid, permit, put, report, seen};
use crate::{MicrogridCommand, Priority};

/// The batteries 0 and 1 of the scene are a microgrid.
fn scene(p: i64) -> Scene {
    let mut scene = Scene::new(p);
    scene.must(&put(microgrid("campus", &[DerId(0), DerId(1)])), 10);
    scene.reconcile(11);
    scene
}

/// Controls of `der` that are neither withdrawn nor over at `now`.
fn open(scene: &Scene, der: u32, now: i64) -> usize {
    let controls = scene.rig.fleet.own_controls_of(DerId(der));
    controls
        .filter(|c| c.cancelled.is_none() && t(now) < c.interval.end())
        .count()
}

fn step(scene: &mut Scene, now: i64) {
    let plan = scene.replan(now);
    scene.must(&Command::AdoptPlan(plan), now);
    scene.reconcile(now);
}

#[test]
fn the_shares_of_an_island_go_to_the_others_and_its_controls_at_once() {
    let mut scene = scene(3_000);
    (0..3).for_each(|der| scene.hear(der, 1_000, 119));
    assert_eq!(open(&scene, 0, 119), 3);
    scene.follow(&seen(State::Islanded, 118), 120);
    assert_eq!((open(&scene, 0, 120), open(&scene, 2, 120)), (0, 3));
    assert_eq!(scene.reconcile(120), 0, "the old plan gives them nothing");
    let cause = Cause::Standing {
        der: DerId(0),
        from: Standing::Controllable,
        to: Standing::Islanded,
    };
    assert_eq!(scene.cause(120), Some(cause));
    step(&mut scene, 120);
    assert_eq!(scene.asked(2, 125), Some(watts(3_000)));
    assert_eq!(scene.asked(0, 125), None);
    let plan = scene.rig.fleet.dispatches()[0].plan.as_ref().unwrap();
    assert_eq!(plan.standing_of(DerId(1)), Some(Standing::Islanded));
    assert!(plan.balances.iter().all(|b| b.unasked == Watts::ZERO));
    assert_eq!(scene.cause(125), None, "what the island does moves nothing");
}

#[test]
fn upon_reconnection_members_get_what_is_in_force() {
    let mut scene = scene(6_000);
    scene.follow(&seen(State::Islanded, 110), 110);
    (0..2).for_each(|der| scene.hear(der, 0, 120));
    scene.hear(2, 2_000, 120);
    step(&mut scene, 120);
    assert_eq!(scene.asked(2, 165), Some(watts(5_000)));
    scene.follow(&report(State::Reconnecting, 150, Agreement::Given), 150);
    (0..2).for_each(|der| scene.hear(der, 0, 150));
    scene.hear(2, 5_000, 150);
    assert_eq!(scene.cause(150), None, "they are not part of the grid yet");
    scene.follow(&seen(State::GridConnected, 155), 155);
    assert_eq!(open(&scene, 0, 155), 0);
    step(&mut scene, 156);
    assert_eq!(scene.asked(0, 165), Some(watts(500)));
    let begun: Vec<Timestamp> = scene
        .rig
        .fleet
        .own_controls_of(DerId(0))
        .filter(|control| control.cancelled.is_none())
        .map(|control| control.interval.start)
        .collect();
    assert!(begun.iter().all(|at| t(156) <= *at), "{begun:?}");
}

#[test]
fn against_a_limit_an_island_is_nothing_and_a_transition_the_worst() {
    let mut scene = scene(3_000);
    (0..3).for_each(|der| scene.hear(der, 1_000, 109));
    let der = scene.rig.fleet.ders()[0].clone();
    let counts = |scene: &Scene, c: f64| scene.world(112).adverse(&der, c);
    assert_eq!(counts(&scene, 1.0), watts(1_000));
    scene.follow(&seen(State::UnplannedIslanding, 110), 110);
    assert_eq!(
        (counts(&scene, 1.0), counts(&scene, -1.0)),
        (watts(5_000), watts(-5_000))
    );
    scene.limits = feeder(12_000);
    let planned = |scene: &Scene| {
        let dispatch = &scene.rig.fleet.dispatches()[0];
        replan(&scene.world(112), dispatch, &scene.limits)
    };
    let plan = planned(&scene).unwrap();
    assert_eq!(plan.share(DerId(2), 0).unwrap().p(), watts(2_000));
    scene.limits = feeder(9_000);
    let plan = planned(&scene).unwrap();
    assert_eq!(plan.share(DerId(2), 0).unwrap().p(), watts(-1_000));
    scene.limits = feeder(4_000);
    assert!(matches!(
        planned(&scene),
        Err(Rejection::LimitExceeded { .. })
    ));
    scene.follow(&seen(State::Islanded, 111), 111);
    assert_eq!(
        (counts(&scene, 1.0), counts(&scene, -1.0)),
        (watts(0), watts(0))
    );
    assert_eq!(
        planned(&scene).unwrap().share(DerId(2), 0).unwrap().p(),
        watts(3_000)
    );
}

#[test]
fn an_island_outside_the_group_takes_no_room_under_a_limit() {
    let mut scene = Scene::new(3_000);
    let outsider = scene.rig.storage(5_000, 10_000);
    scene.observations.push(Observation::default());
    scene.hear(3, 4_000, 50);
    (0..3).for_each(|der| scene.hear(der, 0, 50));
    scene.must(&put(microgrid("campus", &[outsider])), 10);
    let terms = (0..4).map(|der| (DerId(der), 1.0)).collect();
    scene.limits = vec![LinearLimit {
        terms,
        ..feeder(4_000)[0].clone()
    }];
    let given = |scene: &Scene| -> Watts {
        let shares = scene.replan(60).allocations.into_iter();
        shares
            .filter(|a| a.interval == 0)
            .map(|a| a.share.p())
            .sum()
    };
    assert_eq!(given(&scene), Watts::ZERO);
    scene.follow(&seen(State::Islanded, 51), 55);
    assert_eq!(given(&scene), watts(3_000));
}

fn scheduled(exchange: Exchange) -> Command {
    let point = SchedulePoint {
        interval: Interval::between(t(170), t(200)),
        exchange,
    };
    Command::Microgrid(MicrogridCommand::SetSchedule(GRID, vec![point]))
}

#[test]
fn a_dispatch_that_a_schedule_does_not_allow_names_it() {
    let mut scene = scene(3_000);
    scene.must(
        &scheduled(Exchange::Limits {
            import_max: None,
            export_max: Some(watts(1_000)),
        }),
        12,
    );
    scene.limits = scene.rig.fleet.microgrids().limits();
    let plan = scene.replan(13);
    let shares = |interval| -> Vec<Watts> {
        let of = |der| plan.share(DerId(der), interval).unwrap().p();
        (0..3).map(of).collect()
    };
    let thirds = [watts(1_000); 3];
    let capped = [watts(500), watts(500), watts(2_000)];
    let schedule = [shares(0), shares(1), shares(2)];
    assert_eq!(schedule, [thirds, capped, thirds], "while it holds");

    scene.must(
        &scheduled(Exchange::Net {
            p: watts(-2_000),
            tolerance: watts(0),
        }),
        14,
    );
    scene.limits = scene.rig.fleet.microgrids().limits();
    let dispatch = Dispatch {
        published: None,
        ..scene.rig.fleet.dispatches()[0].clone()
    };
    let plan = replan(&scene.world(15), &dispatch, &scene.limits).unwrap();
    let kept = plan.share(DerId(0), 1).unwrap().p() + plan.share(DerId(1), 1).unwrap().p();
    assert_eq!(kept, watts(-2_000), "the plan keeps the schedule");
    let more = Dispatch {
        schedule: dispatch
            .schedule
            .iter()
            .map(|it| target(it.interval.start.secs(), 60, 4_000))
            .collect(),
        plan: None,
        ..dispatch
    };
    let refused = replan(&scene.world(15), &more, &scene.limits).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "interval 2: 4000.0 W asked, 3000.0 W reachable, short by 1000.0 W, limited by schedule of \
         microgrid campus"
    );
}

#[test]
fn an_island_is_not_available_and_no_sum_has_it() {
    let mut scene = Scene::new(0);
    scene.must(&put(microgrid("campus", &[DerId(0)])), 10);
    scene.follow(&seen(State::Islanded, 11), 11);
    (0..3).for_each(|der| scene.hear(der, 1_000, 20));
    let ders: Vec<DerId> = (0..3).map(DerId).collect();
    let window = Interval::between(t(1_000), t(2_000));
    let offer = scene.world(20).availability(&ders, window, None);
    let islanded = Absence::Standing(Standing::Islanded);
    assert_eq!(
        (offer.counted, offer.left_out.get(&islanded)),
        (2, Some(&1))
    );
    let sum = scene.world(20).aggregate(&ders);
    assert_eq!((sum.p, sum.islanded, sum.reachable), (watts(2_000), 1, 2));
}

#[test]
fn the_verdict_on_a_member_that_left_says_so() {
    let mut scene = scene(3_000);
    scene.follow(&seen(State::Islanded, 200), 200);
    let dispatch = &scene.rig.fleet.dispatches()[0];
    let der = &scene.rig.fleet.ders()[0];
    let at = |now| scene.world(now).standing(der, Some(dispatch));
    assert_eq!(at(250), Standing::Islanded);
    assert_ne!(at(150), Standing::Islanded, "before it left it was there");
    let case = Case {
        standing: Standing::Islanded,
        contact: Contact::Heard,
        word: Word::None,
        meter: Rank::DeviceTelemetry,
        confirm_within: Duration::from_secs(900),
        base: watts(0),
        rating: watts(5_000),
        tolerance: Percent::from_hundredths(500),
        stretches: &[],
        course: Course::Running,
        archive: Archive::Kept,
    };
    assert_eq!(judge(&case).verdict, Verdict::Islanded);
}

#[test]
fn no_permit_to_island_while_an_emergency_dispatch_asks_its_members() {
    let mut scene = scene(3_000);
    scene.must(&permit(Action::Island, 100, 300), 20);
    let id = DispatchId(0);
    let urgent = crate::DispatchChange {
        priority: Some(Priority::Emergency),
        ..crate::DispatchChange::default()
    };
    scene.must(&Command::ChangeDispatch(id, urgent), 21);
    let plan = scene.replan(21);
    scene.must(&Command::AdoptPlan(plan), 21);
    let during = permit(Action::Island, 100, 300);
    let refused = scene.rig.fleet.decide(&during, t(22)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "microgrid campus may not leave: emergency dispatch d asks its members"
    );
    scene.must(&permit(Action::Island, 280, 300), 22);
}

#[test]
fn an_envelope_is_lifted_in_an_island_and_back_before_the_switch_closes() {
    let mut scene = scene(3_000);
    let envelope = |export: i64| {
        Command::SetEnvelope(Envelope {
            der: DerId(0),
            source: Name::new("grid").unwrap(),
            set: t(0),
            points: vec![EnvelopePoint {
                interval: Interval::between(t(100), t(900)),
                import_max: None,
                export_max: Some(watts(export)),
            }],
            fallback: Fallback {
                import_max: None,
                export_max: Some(watts(1_500)),
            },
        })
    };
    scene.follow(&envelope(2_000), 20);
    let limit = |scene: &Scene| {
        let der = scene.rig.fleet.der(DerId(0)).unwrap();
        let span = Interval::between(t(200), t(201));
        let settings = der.settings.as_ref().unwrap();
        scene.rig.fleet.limits_during(der, settings, span).0
    };
    assert_eq!(limit(&scene), Some(watts(2_000)));
    scene.follow(&seen(State::UnplannedIslanding, 120), 120);
    assert_eq!(limit(&scene), Some(watts(2_000)));
    scene.follow(&seen(State::Islanded, 121), 121);
    assert_eq!(limit(&scene), None);
    scene.follow(&envelope(1_200), 130);
    assert_eq!(limit(&scene), None);
    scene.follow(&report(State::Reconnecting, 140, Agreement::Given), 140);
    assert_eq!(
        limit(&scene),
        Some(watts(1_200)),
        "as it is now, not as it was"
    );
}

proptest! {
    /// Whatever the microgrid does while a dispatch runs, no plan gives a share to a member that is
    /// not connected, and no such member has a control of the dispatch.
    #[test]
    fn no_plan_ever_gives_a_share_to_an_islanded_member(
        states in prop::collection::vec(prop::sample::select(State::ALL.to_vec()), 1..24),
        p in -9_000_i64..9_000,
    ) {
        let mut scene = scene(p);
        let mut now = 100;
        for state in states {
            now += 5;
            (0..3).for_each(|der| scene.hear(der, 0, now));
            let command = report(state, now, Agreement::Given);
            if scene.rig.fleet.decide(&command, t(now)).is_ok() {
                scene.follow(&command, now);
            }
            scene.reconcile(now);
            let check = |scene: &Scene, plan: Option<&Plan>| {
                for der in (0..3).map(DerId) {
                    if scene.rig.fleet.coupling(der) == Coupling::Connected {
                        continue;
                    }
                    let mut shares = plan.into_iter().flat_map(|plan| &plan.allocations);
                    assert!(!shares.any(|share| share.der == der));
                    assert_eq!(open(scene, der.0, now), 0);
                }
            };
            check(&scene, None);
            let plan = scene.replan(now);
            check(&scene, Some(&plan));
            let target = plan.balances.iter().all(|balance| {
                let of = plan.allocations.iter().filter(|a| a.interval == balance.interval);
                let shares: Watts = of.map(|a| a.share.p()).sum();
                shares + balance.unasked + balance.residue == balance.target
            });
            prop_assert!(target, "it adds up");
            scene.must(&Command::AdoptPlan(plan), now);
            scene.reconcile(now);
            check(&scene, None);
        }
    }
}
