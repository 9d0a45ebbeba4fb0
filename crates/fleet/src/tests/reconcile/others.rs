//! Members that somebody else commands meanwhile.

use super::*;

/// An operator takes one of the members for itself in mid-dispatch, for everyone's programme.
fn emergency(scene: &mut Scene, p: i16, start: i64, secs: u64, now: i64) {
    let base = ControlBase::asking(ActivePower::TargetW {
        value: p,
        multiplier: 0,
    });
    emergency_of(scene, base, (start, secs), now);
}

fn emergency_of(scene: &mut Scene, base: ControlBase, (start, secs): (i64, u64), now: i64) {
    let new = NewProgram {
        name: Name::new("emergency").unwrap(),
        primacy: 1,
        scope: Scope::Device(DerId(0)),
    };
    scene.must(&Command::CreateProgram(new), now);
    let program = scene.rig.fleet.programs().last().unwrap().id;
    let control = NewControl {
        der: Some(DerId(0)),
        program,
        origin: Origin::Operator,
        interval: target(start, secs, 0).interval,
        base,
        terms: None,
    };
    scene.must(&Command::IssueControl(control), now);
}

#[test]
fn a_member_commanded_by_others_is_planned_around_and_asked_afresh_afterwards() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..3).for_each(|der| scene.hear(der, 1_000, 110));
    emergency(&mut scene, -600, 118, 20, 110);
    // It lies further ahead than a correction takes.
    assert_eq!(scene.cause(110), None);
    (0..3).for_each(|der| scene.hear(der, 1_000, 115));
    assert!(matches!(
        scene.cause(115),
        Some(Cause::Standing {
            der: DerId(0),
            to: Standing::Commanded,
            ..
        })
    ));
    let plan = scene.replan(115);
    assert_eq!(plan.standing_of(DerId(0)), Some(Standing::Commanded));
    assert_eq!(plan.balances[0].unasked, watts(-600));
    let shares: Watts = [1, 2]
        .map(|der| plan.share(DerId(der), 0).unwrap().p())
        .into_iter()
        .sum();
    assert_eq!(shares, watts(3_600), "the others make up for it");
    scene.must(&Command::AdoptPlan(plan), 115);
    scene.reconcile(115);
    assert_eq!(scene.asked(0, 120), Some(watts(-600)));
    assert_eq!(
        scene.asked(0, 140),
        None,
        "its displaced control never resumes"
    );
    (1..3).for_each(|der| scene.hear(der, 1_800, 138));
    scene.hear(0, -600, 138);
    assert!(matches!(
        scene.cause(138),
        Some(Cause::Standing {
            der: DerId(0),
            from: Standing::Commanded,
            to: Standing::Controllable
        })
    ));
    let plan = scene.replan(138);
    scene.must(&Command::AdoptPlan(plan), 138);
    scene.reconcile(138);
    let fresh = scene.rig.fleet.in_force(DerId(0), t(142)).unwrap();
    assert!(matches!(
        fresh.origin,
        Origin::Dispatch {
            generation: 3,
            interval: 0,
            ..
        }
    ));
    assert_eq!((fresh.created, fresh.interval.start), (t(138), t(141)));
    let total: Watts = (0..3).filter_map(|der| scene.asked(der, 142)).sum();
    assert_eq!(total, watts(3_000));
    assert_eq!(scene.reconcile(139), 0);
}

#[test]
fn a_share_beneath_a_control_of_higher_rank_waits_for_its_end() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..3).for_each(|der| scene.hear(der, 1_000, 105));
    emergency(&mut scene, -600, 110, 20, 105);
    let issued: Vec<usize> = (106..135).map(|now| scene.reconcile(now)).collect();
    assert_eq!(issued.iter().sum::<usize>(), 1, "{issued:?}");
    let fresh = scene.rig.fleet.controls().last().unwrap();
    assert_eq!(
        (fresh.der, fresh.interval),
        (Some(DerId(0)), target(130, 30, 0).interval)
    );
    assert_eq!(scene.asked(0, 120), Some(watts(-600)));
    assert_eq!(scene.asked(0, 135), Some(watts(1_000)));
}

#[test]
fn a_share_goes_on_at_once_when_what_was_above_it_is_withdrawn() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    emergency(&mut scene, -600, 110, 20, 105);
    let above = scene.rig.fleet.controls().last().unwrap().id;
    assert_eq!(scene.reconcile(112), 1);
    scene.must(&Command::CancelControl(above), 115);
    assert_eq!((scene.reconcile(116), scene.reconcile(117)), (1, 0));
    assert_eq!(scene.asked(0, 116), Some(watts(1_000)));
}

#[test]
fn a_plant_that_can_only_be_limited_is_commanded_by_whoever_limits_it_above() {
    let mut rig = Rig::new();
    let members = [rig.pv(5_000), rig.storage(5_000, 10_000)];
    rig.group("g", &members);
    let mut scene = Scene {
        rig,
        observations: vec![Observation::default(); 2],
        deliveries: Ledger::default(),
        limits: Vec::new(),
    };
    (0..2).for_each(|der| scene.hear(der, 3_000, 80));
    let half = Setting::MaxLimW(Share {
        percent: Percent::from_hundredths(5_000),
        of: None,
    });
    emergency_of(&mut scene, ControlBase::of([half]), (100, 180), 10);
    let der = scene.rig.fleet.ders()[0].clone();
    let standing = |now| scene.world(now).standing(&der, None);
    assert_eq!(
        (standing(90), standing(97)),
        (Standing::Controllable, Standing::Commanded)
    );
    assert_eq!(scene.world(97).commanded(&der), Some(watts(2_500)));
    scene.hear(0, 1_200, 150);
    assert_eq!(
        scene.world(150).commanded(&der),
        Some(watts(1_200)),
        "the sun is less"
    );
}

#[test]
fn what_others_command_is_counted_in_whatever_unit_it_is_asked() {
    let tenths = |value| Scaled {
        value,
        multiplier: -1,
    };
    for setting in [
        Setting::TargetW(tenths(1_005)),
        Setting::StorageTargetW(tenths(1_005)),
    ] {
        let mut scene = Scene::new(3_000);
        emergency_of(&mut scene, ControlBase::of([setting]), (20, 100), 12);
        let der = &scene.rig.fleet.ders()[0];
        let world = scene.world(25);
        assert_eq!(world.standing(der, None), Standing::Commanded);
        assert_eq!(world.commanded(der), Some(Watts::from_f64(100.5)));
    }
}
