//! Dispatches that take members from one another, are approved of, changed and let out.

use std::collections::BTreeSet;

use proptest::prelude::*;

use units::Interval;

use super::*;
use crate::dispatch::assess::members;
use crate::dispatch::meanwhile::Later;
use crate::dispatch::plan::Extent;
use crate::dispatch::rival::without;
use crate::{
    Aim, ApprovalRule, Capacity, DispatchChange, Need, Objective, Priority, Publish, Stage,
};

/// A dispatch of the group `group` to `p` over `interval`, planned at `now` and, unless it waits,
/// let out.
fn dispatch(
    scene: &mut Scene,
    (name, group): (&str, &str),
    conduct: Conduct,
    (start, secs, p, now): (i64, u64, i64, i64),
) -> DispatchId {
    let group = scene.rig.fleet.group_by_mrid(&mrid(group)).unwrap().id;
    let new = NewDispatch {
        mrid: mrid(name),
        name: None,
        group,
        schedule: vec![target(start, secs, p)],
        ramp: Some(Duration::from_secs(5)),
        conduct,
    };
    scene.must(&Command::CreateDispatch(new), now);
    let id = scene.rig.fleet.dispatches().last().unwrap().id;
    step(scene, id, now);
    let planned = scene.rig.fleet.dispatch(id).unwrap().clone();
    if scene
        .rig
        .fleet
        .publish_if_ready(&planned, t(now))
        .unwrap()
        .is_some()
    {
        scene.must(&Command::PublishDispatch(id), now);
        tick(scene, id, now);
    }
    id
}

fn urgent() -> Conduct {
    Conduct {
        priority: Priority::Emergency,
        ..Conduct::default()
    }
}

/// Plans dispatch `id` anew.
fn step(scene: &mut Scene, id: DispatchId, now: i64) {
    let dispatch = scene.rig.fleet.dispatch(id).unwrap().clone();
    let plan = replan(&scene.world(now), &dispatch, &scene.limits).unwrap();
    scene.must(&Command::AdoptPlan(plan), now);
}

/// What the control loop does for dispatch `id`.
fn tick(scene: &mut Scene, id: DispatchId, now: i64) -> Option<Cause> {
    let dispatch = scene.rig.fleet.dispatches()[id.index()].clone();
    let found = causes(&scene.world(now), &dispatch, &scene.limits);
    let found = found.first().copied();
    if found.is_some() {
        step(scene, id, now);
    }
    let dispatch = scene.rig.fleet.dispatches()[id.index()].clone();
    let commands = reconcile(&scene.world(now), &dispatch);
    commands.iter().for_each(|command| scene.must(command, now));
    found
}

/// Everybody does what was asked.
fn obey(scene: &mut Scene, now: i64) {
    for der in 0..scene.observations.len() {
        let asked = scene.asked(u32::try_from(der).unwrap(), now);
        let p = asked.map_or(0, |p| p.micro() / units::MICRO);
        scene.hear(der, p, now);
    }
}

#[test]
fn a_more_urgent_dispatch_takes_a_member_and_gives_it_back() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    let mine = DispatchId(0);
    scene.rig.group("h", &[DerId(0)]);
    obey(&mut scene, 104);
    let theirs = dispatch(
        &mut scene,
        ("urgent", "h"),
        urgent(),
        (170, 20, -1_000, 105),
    );
    obey(&mut scene, 110);
    assert_eq!(tick(&mut scene, mine, 110), None, "it lies further ahead");
    assert_eq!(
        scene.asked(0, 165),
        Some(watts(1_000)),
        "until then it serves the first"
    );

    obey(&mut scene, 167);
    let taken = Cause::Elsewhere {
        der: DerId(0),
        by: Some(theirs),
    };
    assert_eq!(tick(&mut scene, mine, 167), Some(taken));
    let plan = scene
        .rig
        .fleet
        .dispatch(mine)
        .unwrap()
        .plan
        .clone()
        .unwrap();
    assert_eq!(plan.elsewhere, [(1, DerId(0))]);
    let of_running = plan.balances.iter().find(|b| b.interval == 1).unwrap();
    assert_eq!(of_running.unasked, watts(-1_000));
    assert_eq!(scene.asked(0, 175), Some(watts(-1_000)));
    let others: Watts = [1, 2]
        .map(|der| scene.asked(der, 175).unwrap())
        .into_iter()
        .sum();
    assert_eq!(others, watts(4_000), "the others make up for it");

    obey(&mut scene, 178);
    assert_eq!(
        tick(&mut scene, mine, 178),
        None,
        "it does what is expected"
    );
    obey(&mut scene, 187);
    let back = Cause::Elsewhere {
        der: DerId(0),
        by: None,
    };
    assert_eq!(tick(&mut scene, mine, 187), Some(back));
    assert_eq!(scene.asked(0, 189), Some(watts(-1_000)));
    let all: Watts = [0, 1, 2]
        .map(|der| scene.asked(der, 191).unwrap())
        .into_iter()
        .sum();
    assert_eq!(all, watts(3_000), "a fresh control goes on");
    assert_eq!(tick(&mut scene, theirs, 187), None);
}

#[test]
fn what_a_more_urgent_dispatch_asks_one_after_the_other_is_known_on_average() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    scene.rig.group("h", &[DerId(0)]);
    obey(&mut scene, 104);
    let group = scene.rig.fleet.group_by_mrid(&mrid("h")).unwrap().id;
    let new = NewDispatch {
        mrid: mrid("urgent"),
        name: None,
        group,
        schedule: vec![target(160, 20, -1_000), target(180, 20, 500)],
        ramp: Some(Duration::from_secs(5)),
        conduct: urgent(),
    };
    scene.must(&Command::CreateDispatch(new), 105);
    let theirs = scene.rig.fleet.dispatches().last().unwrap().id;
    step(&mut scene, theirs, 105);
    scene.must(&Command::PublishDispatch(theirs), 105);
    let mine = scene.rig.fleet.dispatch(DispatchId(0)).unwrap();
    let rivals = scene.rig.fleet.rivals(mine, t(105));
    let takes = |from, until| {
        let span = Interval::between(t(from), t(until));
        let taken = rivals[0].takes(DerId(0), span, watts(200))?;
        let course = taken.course;
        Some(([taken.p, course.mean, course.last], taken.extent))
    };
    let known = |p: [i64; 3], extent| Some((p.map(watts), extent));
    assert_eq!(takes(165, 175), known([-1_000; 3], Extent::Whole));
    assert_eq!(
        takes(175, 190),
        known([-1_000, 0, 500], Extent::Several),
        "5 s of one and 10 s of the other"
    );
    assert_eq!(takes(190, 220), known([500, 300, 200], Extent::Part));
    assert_eq!(takes(150, 190), None, "not from the beginning");
    let span = Interval::between(t(150), t(190));
    let later = rivals[0].takes_later(DerId(0), span, watts(200)).unwrap();
    let range = [later.least, later.mean, later.most];
    assert_eq!(range, [-1_000, -500, 500].map(watts));
    assert!((later.part - 0.75).abs() < 1e-9);
    assert_eq!(later.mean_with(watts(900)), watts(-150));
    assert_eq!(rivals[0].takes_later(DerId(1), span, watts(200)), None);
    let another = Later {
        least: watts(100),
        most: watts(900),
        mean: watts(500),
        part: 0.25,
    };
    let both = later.and(another);
    let range = [both.least, both.mean, both.most];
    assert_eq!(range, [-1_000, -250, 900].map(watts));
    assert!((both.part - 1.0).abs() < 1e-9);
}

/// Asks the group of the scene, at 12 s, for 3 kW over a minute from `start` on.
fn one_after_the_other(scene: &Scene, start: i64) -> Result<Plan, Rejection> {
    let new = NewDispatch {
        mrid: mrid("next"),
        name: None,
        group: scene.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id,
        schedule: vec![target(start, 60, 3_000)],
        ramp: Some(Duration::from_secs(5)),
        conduct: Conduct::default(),
    };
    let mut fleet = scene.rig.fleet.clone();
    let events = fleet.decide(&Command::CreateDispatch(new), t(12))?;
    events.iter().for_each(|event| fleet.apply(event));
    let world = World {
        fleet: &fleet,
        ..scene.world(12)
    };
    replan(&world, fleet.dispatches().last().unwrap(), &scene.limits)
}

#[test]
fn energy_is_not_promised_to_two_dispatches() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    // An hour of 60 W each; the dispatch takes 50 Wh of them from each until 280 s.
    let holds = |scene: &mut Scene| {
        for observation in &mut scene.observations {
            observation.soc_pct = reading(0.6, 11);
        }
    };
    holds(&mut scene);
    let refused = one_after_the_other(&scene, 300).unwrap_err();
    assert!(
        matches!(refused, Rejection::ShortOfEnergy { .. }),
        "{refused:?}"
    );
    assert!(one_after_the_other(&scene, 40).is_ok(), "it comes first");
}

#[test]
fn what_a_battery_does_for_one_dispatch_it_does_not_do_until_the_next() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    obey(&mut scene, 101);
    let dispatch = scene.rig.fleet.dispatch(DispatchId(0)).unwrap();
    let metered = scene.observations[0].p.unwrap().value;
    assert_eq!(metered, watts(1_000));
    let targets = [(0, target(1_000, 60, 0))];
    let ders = [DerId(0)];
    let other = Dispatch {
        id: DispatchId(9),
        ..dispatch.clone()
    };
    let known = members(&scene.world(101), &ders, &other, (t(101), &targets));
    assert_eq!(known.members[0].base, watts(0));
    let before = known.elsewhere[0][0].before.unwrap();
    assert_eq!(before.last, watts(0));
    let energy = before.mean.over(Duration::from_secs(899));
    let asked = watts(1_000).over(Duration::from_secs(179));
    assert!(
        (energy - asked).abs() < WattHours::from_f64(0.001),
        "{energy}"
    );
}

#[test]
fn a_more_urgent_dispatch_asks_those_too_who_would_do_their_share_for_another() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    scene.rig.group("h", &[DerId(0), DerId(1)]);
    let conduct = Conduct {
        objective: Objective::FewestDevices,
        ..urgent()
    };
    obey(&mut scene, 104);
    let theirs = dispatch(&mut scene, ("urgent", "h"), conduct, (160, 60, 4_000, 105));
    let plan = scene.rig.fleet.dispatch(theirs).unwrap().plan.clone();
    let asked = [0, 1].map(|der| plan.as_ref().unwrap().share(DerId(der), 0).unwrap().p());
    assert_eq!(
        asked,
        [watts(4_000), watts(0)],
        "the second is asked for nothing"
    );
}

#[test]
fn a_member_that_left_the_more_urgent_dispatch_is_left_alone_by_the_other() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    scene.rig.group("h", &[DerId(0), DerId(1)]);
    obey(&mut scene, 104);
    let theirs = dispatch(&mut scene, ("urgent", "h"), urgent(), (160, 60, 4_000, 105));
    obey(&mut scene, 158);
    tick(&mut scene, DispatchId(0), 158);
    let of_theirs = |control: &&crate::Control| {
        control.der == Some(DerId(1))
            && matches!(control.origin, Origin::Dispatch { dispatch, .. } if dispatch == theirs)
    };
    let control = scene.rig.fleet.controls().iter().find(of_theirs).unwrap();
    let control = control.id.index();
    scene.respond(control, 4, 162);
    tick(&mut scene, theirs, 163);
    tick(&mut scene, DispatchId(0), 163);
    let own = |id| scene.rig.fleet.dispatch(id).unwrap().plan.as_ref().unwrap();
    assert_eq!(own(theirs).standing_of(DerId(1)), Some(Standing::OptedOut));
    assert!(
        own(DispatchId(0))
            .elsewhere
            .iter()
            .any(|(_, der)| *der == DerId(1))
    );
    assert_eq!(scene.asked(1, 170), None, "by neither");
    assert!(scene.asked(1, 225).is_some(), "once the other is over");
}

#[test]
fn of_several_the_most_urgent_one_says_what_a_member_does() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    scene.rig.group("h", &[DerId(0)]);
    scene.rig.group("e", &[DerId(0)]);
    let reliable = Conduct {
        priority: Priority::Reliability,
        ..Conduct::default()
    };
    obey(&mut scene, 104);
    let middle = dispatch(&mut scene, ("middle", "h"), reliable, (160, 60, 1_000, 105));
    dispatch(&mut scene, ("urgent", "e"), urgent(), (160, 60, 3_000, 106));
    obey(&mut scene, 150);
    tick(&mut scene, middle, 151);
    obey(&mut scene, 157);
    tick(&mut scene, DispatchId(0), 158);
    let plan = scene
        .rig
        .fleet
        .dispatch(DispatchId(0))
        .unwrap()
        .plan
        .as_ref();
    let balance = plan
        .unwrap()
        .balances
        .iter()
        .find(|b| b.interval == 1)
        .unwrap();
    assert_eq!(balance.unasked, watts(3_000));
}

#[test]
fn of_two_equally_urgent_ones_the_later_is_refused() {
    let mut scene = Scene::new(3_000);
    scene.rig.group("h", &[DerId(0)]);
    let group = scene.rig.fleet.group_by_mrid(&mrid("h")).unwrap().id;
    let new = |conduct| {
        Command::CreateDispatch(NewDispatch {
            mrid: mrid("second"),
            name: None,
            group,
            schedule: vec![target(100, 60, 0)],
            ramp: None,
            conduct,
        })
    };
    let refused = scene
        .rig
        .fleet
        .decide(&new(Conduct::default()), t(11))
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "schedule: members are committed to dispatch d at that time"
    );
    assert!(scene.rig.fleet.decide(&new(urgent()), t(11)).is_ok());
}

#[test]
fn nobody_is_asked_before_it_is_published() {
    let mut scene = Scene::new(3_000);
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    let waiting = Conduct {
        publish: Publish::OnCommand,
        ..Conduct::default()
    };
    let id = dispatch(&mut scene, ("d2", "g"), waiting, (100, 60, 3_000, 12));
    assert_eq!(tick(&mut scene, id, 20), None);
    assert_eq!(scene.asked(0, 110), None);
    scene.must(&Command::PublishDispatch(id), 30);
    tick(&mut scene, id, 30);
    assert_eq!(scene.asked(0, 110), Some(watts(1_000)));
    let again = scene
        .rig
        .fleet
        .decide(&Command::PublishDispatch(id), t(31))
        .unwrap_err();
    assert_eq!(again.to_string(), "dispatch: is published already");
}

#[test]
fn two_people_and_the_balancing_authority_have_to_agree() {
    let mut scene = Scene::new(3_000);
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    let rule = |from, need| ApprovalRule {
        group: None,
        from: watts(from),
        up_to: Priority::Reliability,
        need,
    };
    let rules = vec![
        rule(2_000, Need::SecondPerson),
        rule(3_000, Need::BalancingAuthority),
    ];
    scene.must(&Command::SetApprovalRules(rules), 11);
    let by = |name: &str| Conduct {
        author: Name::new(name).ok(),
        ..Conduct::default()
    };
    let small = dispatch(&mut scene, ("small", "g"), by("ann"), (100, 60, 1_999, 12));
    assert!(scene.rig.fleet.dispatch(small).unwrap().published.is_some());
    scene.must(&Command::CancelDispatch(small), 12);

    let large = dispatch(&mut scene, ("large", "g"), by("ann"), (100, 60, 3_000, 12));
    let approve =
        |name: &str, capacity| Command::ApproveDispatch(large, Name::new(name).unwrap(), capacity);
    let missing = |scene: &Scene| {
        let dispatch = scene.rig.fleet.dispatch(large).unwrap();
        scene.rig.fleet.missing_approvals(dispatch)
    };
    assert_eq!(missing(&scene).len(), 2);
    scene.must(&approve("ann", Capacity::BalancingAuthority), 13);
    assert_eq!(
        missing(&scene),
        BTreeSet::from([Need::SecondPerson]),
        "not by its author"
    );
    let early = scene
        .rig
        .fleet
        .decide(&Command::PublishDispatch(large), t(13))
        .unwrap_err();
    assert_eq!(
        early.to_string(),
        "dispatch large waits for the approval of a second person"
    );
    let twice = approve("ann", Capacity::Operator);
    let twice = scene.rig.fleet.decide(&twice, t(14)).unwrap_err();
    assert_eq!(twice.to_string(), "by: has approved of it already");
    scene.must(&approve("bert", Capacity::Operator), 15);
    assert_eq!(
        scene.rig.fleet.dispatch(large).unwrap().published,
        Some(t(15))
    );

    let now = dispatch(&mut scene, ("now", "g"), urgent(), (100, 60, 3_000, 16));
    assert!(
        scene.rig.fleet.dispatch(now).unwrap().published.is_some(),
        "an emergency"
    );
}

#[test]
fn a_change_voids_approvals() {
    let mut scene = Scene::new(3_000);
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    let waiting = Conduct {
        publish: Publish::OnCommand,
        ..Conduct::default()
    };
    let id = dispatch(&mut scene, ("d2", "g"), waiting, (100, 60, 3_000, 12));
    let by = Name::new("bert").unwrap();
    scene.must(&Command::ApproveDispatch(id, by, Capacity::Operator), 13);
    let change = DispatchChange {
        name: Name::new("another name").ok(),
        ..DispatchChange::default()
    };
    scene.must(&Command::ChangeDispatch(id, change), 14);
    let changed = scene.rig.fleet.dispatch(id).unwrap();
    assert_eq!(changed.approvals, []);
    assert_eq!(
        changed.plan.as_ref().unwrap().generation,
        1,
        "until it is planned anew"
    );
}

#[test]
fn what_has_begun_stays_and_the_running_interval_may_end_at_another_time() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    obey(&mut scene, 110);
    let change = |schedule: Vec<crate::Target>| {
        let change = DispatchChange {
            schedule: Some(schedule),
            ..DispatchChange::default()
        };
        Command::ChangeDispatch(DispatchId(0), change)
    };
    for bad in [
        vec![target(100, 60, 2_000)],
        vec![target(110, 50, 3_000)],
        vec![target(100, 5, 3_000), target(160, 60, 3_000)],
    ] {
        let refused = scene.rig.fleet.decide(&change(bad), t(110)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "schedule: interval 1 has begun and stays"
        );
    }
    scene.must(&change(vec![target(100, 90, 3_000)]), 110);
    step(&mut scene, DispatchId(0), 110);
    tick(&mut scene, DispatchId(0), 110);
    assert_eq!(scene.asked(0, 185), Some(watts(1_000)), "extended");
    assert_eq!(scene.asked(0, 191), None, "what came after is withdrawn");

    scene.must(&change(vec![target(100, 30, 3_000)]), 120);
    step(&mut scene, DispatchId(0), 120);
    tick(&mut scene, DispatchId(0), 123);
    assert_eq!(scene.asked(0, 125), Some(watts(1_000)));
    assert_eq!(scene.asked(0, 131), None, "shortened");
}

#[test]
fn a_dispatch_goes_through_its_stages() {
    let mut scene = Scene::new(3_000);
    let rest = Duration::from_secs(100);
    let stage = |scene: &Scene, at| scene.rig.fleet.dispatches()[0].stage(t(at), rest);
    let stages: Vec<_> = [50, 100, 104, 105, 219, 225, 279, 280, 379, 380]
        .map(|at| stage(&scene, at))
        .into();
    use Stage::{Notice, RampIn, Recovery, Sustain};
    assert_eq!(
        stages,
        [
            Some(Notice),
            Some(RampIn),
            Some(RampIn),
            Some(Sustain),
            Some(Sustain),
            Some(Sustain),
            Some(Sustain),
            Some(Recovery),
            Some(Recovery),
            None
        ]
    );
    scene.must(&Command::CancelDispatch(DispatchId(0)), 110);
    assert_eq!(stage(&scene, 110), None);
}

#[test]
fn members_let_go_over_the_time_of_release() {
    let mut scene = Scene::new(3_000);
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    let conduct = Conduct {
        release: Duration::from_secs(40),
        ..Conduct::default()
    };
    let id = dispatch(&mut scene, ("d2", "g"), conduct, (100, 60, 3_000, 12));
    let control = scene.rig.fleet.own_controls_of(DerId(0)).last().unwrap();
    assert_eq!(control.terms().randomize_duration_s, 40);
    let dispatch = scene.rig.fleet.dispatch(id).unwrap();
    assert_eq!(dispatch.stage(t(199), Duration::ZERO), Some(Stage::Release));
    assert_eq!(dispatch.stage(t(200), Duration::ZERO), None);
}

#[test]
fn a_delta_is_of_what_members_did_when_it_was_first_planned() {
    let mut scene = Scene::new(3_000);
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    (0..3).for_each(|der| scene.hear(der, 200, 12));
    let group = scene.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id;
    let new = NewDispatch {
        mrid: mrid("d2"),
        name: None,
        group,
        schedule: vec![crate::Target {
            aim: Aim::Delta(watts(900)),
            ..target(100, 60, 0)
        }],
        ramp: None,
        conduct: Conduct::default(),
    };
    scene.must(&Command::CreateDispatch(new), 12);
    let id = DispatchId(1);
    step(&mut scene, id, 12);
    scene.must(&Command::PublishDispatch(id), 12);
    let planned = |scene: &Scene| scene.rig.fleet.dispatch(id).unwrap().target_p(0).unwrap();
    assert_eq!(planned(&scene), watts(1_500));
    (0..3).for_each(|der| scene.hear(der, 700, 20));
    step(&mut scene, id, 20);
    assert_eq!(planned(&scene), watts(1_500));
}

#[test]
fn a_bound_is_watched_while_it_asks_nobody() {
    let mut scene = Scene::new(3_000);
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    let group = scene.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id;
    let new = NewDispatch {
        mrid: mrid("d2"),
        name: None,
        group,
        schedule: vec![crate::Target {
            aim: Aim::AtMost(watts(1_000)),
            ..target(100, 60, 0)
        }],
        ramp: None,
        conduct: Conduct::default(),
    };
    scene.must(&Command::CreateDispatch(new), 12);
    let id = DispatchId(1);
    step(&mut scene, id, 12);
    scene.must(&Command::PublishDispatch(id), 12);
    tick(&mut scene, id, 12);
    assert_eq!(scene.asked(0, 110), None);
    (0..3).for_each(|der| scene.hear(der, 100, 102));
    assert_eq!(tick(&mut scene, id, 102), None);
    (0..3).for_each(|der| scene.hear(der, 900, 110));
    assert!(matches!(
        tick(&mut scene, id, 110),
        Some(Cause::UnaskedMoved { .. })
    ));
    let all: Watts = [0, 1, 2]
        .map(|der| scene.asked(der, 115).unwrap())
        .into_iter()
        .sum();
    assert_eq!(all, watts(1_000));
}

proptest! {
    #[test]
    fn what_is_left_of_an_interval_is_the_rest_of_it(
        start in 0..50_i64, secs in 1..60_u64,
        taken in prop::collection::vec((0..100_i64, 1..30_u64), 0..5),
    ) {
        let interval = |(start, secs)| target(start, secs, 0).interval;
        let whole = interval((start, secs));
        let left = without(whole, taken.iter().copied().map(interval));
        prop_assert!(left.windows(2).all(|pair| pair[0].end() < pair[1].start));
        for second in 0..130 {
            let is_taken = taken.iter().any(|t| interval(*t).contains(t_of(second)));
            let is_left = left.iter().any(|piece| piece.contains(t_of(second)));
            prop_assert_eq!(is_left, whole.contains(t_of(second)) && !is_taken, "{}", second);
        }
    }
}

fn t_of(second: i64) -> Timestamp {
    t(second)
}
