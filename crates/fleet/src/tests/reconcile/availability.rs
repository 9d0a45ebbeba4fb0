//! What is said to be available, held against the planner and against counting.

use proptest::prelude::*;

use super::*;
use crate::dispatch::availability::{Absence, Availability, LADDER};
use crate::dispatch::plan::{OnShort, Request, plan};
use crate::{Aim, Objective, Target};

const HOUR: u64 = 3_600;

/// Batteries of 5 kW: with energy for half an hour up, for two hours, and for eight.
fn batteries(soc: &[f64]) -> Scene {
    let mut scene = Scene::new(3_000);
    scene.must(&Command::CancelDispatch(DispatchId(0)), 11);
    for (der, soc) in soc.iter().enumerate() {
        scene.hear(der, 0, 12);
        scene.observations[der].soc_pct = Some(Reading {
            value: *soc,
            at: t(12),
            quality: Quality::Valid,
        });
    }
    scene
}

fn available(scene: &Scene, now: i64) -> Availability {
    let ders = [DerId(0), DerId(1), DerId(2)];
    scene
        .world(now)
        .availability(&ders, target(100, HOUR, 0).interval, None)
}

fn held(availability: &Availability) -> Vec<i64> {
    let held = availability.up.held.iter();
    held.map(|(_, p)| p.micro() / units::MICRO).collect()
}

#[test]
fn power_is_held_for_as_long_as_energy_lasts() {
    // 10 kWh each: 2.5, 10 and 0 kWh.
    let scene = batteries(&[25.0, 100.0, 0.0]);
    let available = available(&scene, 12);
    assert_eq!(
        held(&available),
        [10_000, 10_000, 7_500, 6_250, 3_125, 1_562]
    );
    assert_eq!(available.counted, 3);
    // Nine tenths are 9 kW: 2.5 kWh last for 4 kW over 37.5 minutes.
    assert_eq!(available.up.duration, Duration::from_secs(2_250));
    assert_eq!(
        available.up.notice,
        Duration::from_secs(60),
        "until devices know"
    );
    assert_eq!(available.up.ramp_w_per_s, None);
    // Then 2.5 and 10 kWh have to come back at 5 kW; those two are needed for nine tenths.
    assert_eq!(available.up.recovery, Duration::from_secs(7_200));
    assert_eq!(
        available.down.held[0].1,
        watts(10_000),
        "the full one can't charge"
    );
}

#[test]
fn who_is_not_counted_is_told() {
    let mut scene = batteries(&[50.0, 50.0, 50.0]);
    scene.observations[1].last_contact = None;
    let group = scene.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id;
    let new = NewDispatch {
        mrid: mrid("d2"),
        name: None,
        group,
        schedule: vec![target(100, 60, 1_000)],
        ramp: None,
        conduct: Conduct {
            objective: Objective::FewestDevices,
            ..Conduct::default()
        },
    };
    scene.must(&Command::CreateDispatch(new), 12);
    let dispatch = scene.rig.fleet.dispatch(DispatchId(1)).unwrap().clone();
    let plan = replan(&scene.world(12), &dispatch, &[]).unwrap();
    scene.must(&Command::AdoptPlan(plan), 12);
    scene.must(&Command::PublishDispatch(DispatchId(1)), 12);
    let available = available(&scene, 13);
    assert_eq!(available.counted, 1);
    let left_out: Vec<_> = available.left_out.into_iter().collect();
    assert_eq!(
        left_out,
        [
            (Absence::Standing(Standing::Silent), 1),
            (Absence::Committed, 1)
        ]
    );
}

#[test]
fn who_has_not_followed_is_trusted_less() {
    let mut scene = Scene::new(3_000);
    scene.reconcile(11);
    (0..3).for_each(|control| {
        let of_first = scene.rig.fleet.controls()[control].der == Some(DerId(0));
        if !of_first {
            scene.respond(control, 3, 100);
        }
    });
    (0..3).for_each(|der| scene.hear(der, 0, 400));
    let available = available(&scene, 401);
    // Of ten credited and one asked, the first has followed none: 9/11; the others 10/11.
    let whole = available.up.held[0].1;
    assert!(available.up.expected < whole && available.up.firm < available.up.expected);
    let of = |kept: f64| (9.0 + kept) / 11.0;
    let expected = 5_000.0 * (of(0.0) + of(1.0) + of(1.0));
    assert!(
        (available.up.expected.as_f64() - expected).abs() < 1.0,
        "{available:?}"
    );
    let spread: f64 = [0.0, 1.0, 1.0]
        .map(|k| of(k) * (1.0 - of(k)) * 25e6)
        .iter()
        .sum();
    let firm = expected - 1.281_551_6 * spread.sqrt();
    assert!(
        (available.up.firm.as_f64() - firm).abs() < 1.0,
        "{available:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The planner gives what is said to be available, and not a twentieth more.
    #[test]
    fn the_planner_agrees(soc in prop::collection::vec(0.0..100.0_f64, 3), rung in 0..LADDER.len()) {
        let scene = batteries(&soc);
        let available = available(&scene, 12);
        let (duration, p) = available.up.held[rung];
        let world = scene.world(12);
        let ask = |p: Watts| {
            let interval = units::Interval { start: t(12), duration };
            let targets = vec![(0, Target { interval, aim: Aim::Net(p) })];
            let dispatch = scene.rig.fleet.dispatch(DispatchId(0)).unwrap();
            let ders = [DerId(0), DerId(1), DerId(2)];
            let known = crate::dispatch::assess::members(
                &world, &ders, &Dispatch { plan: None, ..dispatch.clone() }, (t(12), &targets),
            );
            plan(&Request {
                dispatch: DispatchId(0),
                generation: 1,
                now: t(12),
                effective: t(12),
                targets,
                ramp: Duration::from_secs(1),
                members: &known.members,
                expected: &known.expected,
                elsewhere: &known.elsewhere,
                objective: Objective::ProRata,
                limits: &[],
                on_short: OnShort::Reject,
            })
        };
        let less = Watts::from_f64((p.as_f64() - 3.0).max(0.0));
        prop_assert!(ask(less).is_ok(), "{:?}", ask(less));
        let more = Watts::from_f64(p.as_f64() * 1.05 + 10.0);
        prop_assert!(ask(more).is_err());
        prop_assert!(available.up.held.windows(2).all(|pair| pair[1].1 <= pair[0].1));
        prop_assert!(available.up.firm <= available.up.expected);
    }
}
