//! Loads that heat, or are off or on: a plan goes on from what the ones before it have asked.

use super::*;
use crate::dispatch::Past;
use crate::enrolment::{Switching, Thermal};
use crate::{DerKind, Mode, Modes};

const HEATER: DerId = DerId(0);
const OTHER: DerId = DerId(1);

/// Loads of 2 kW that are what `flexibility` says, and a battery, in one dispatch of half-hours.
fn scene(loads: u32, flexibility: &Flexibility, p_w: &[i64]) -> Scene {
    let mut rig = Rig::new();
    let modes = Modes::default().with(Mode::TargetW);
    let mut members: Vec<DerId> = (0..loads)
        .map(|_| rig.der(DerKind::Load, 0, 2_000, None, modes))
        .collect();
    for der in &members {
        let put = EnrolmentCommand::PutFlexibility(*der, Box::new(flexibility.clone()));
        rig.must(&Command::Enrolment(put), 0);
    }
    members.push(rig.storage(500, 20_000));
    rig.group("g", &members);
    let mut scene = Scene {
        rig,
        observations: vec![Observation::default(); members.len()],
        deliveries: Ledger::default(),
        limits: Vec::new(),
    };
    let unasked = if flexibility.switching.is_some() {
        -2_000
    } else {
        -1_000
    };
    (0..members.len()).for_each(|der| scene.hear(der, unasked, 0));
    scene.hear(members.len() - 1, 0, 0);
    let group = scene.rig.fleet.group_by_mrid(&mrid("g")).unwrap().id;
    let targets = (0..).zip(p_w);
    let new = NewDispatch {
        mrid: mrid("d"),
        name: None,
        group,
        schedule: targets
            .map(|(k, p)| target(k * 1_800 + 100, 1_800, *p))
            .collect(),
        ramp: Some(Duration::from_secs(5)),
        conduct: Conduct::default(),
    };
    scene.must(&Command::CreateDispatch(new), 10);
    let plan = scene.replan(10);
    scene.must(&Command::AdoptPlan(plan), 10);
    scene.must(&Command::PublishDispatch(DispatchId(0)), 10);
    scene.reconcile(10);
    scene
}

fn heating() -> Flexibility {
    Flexibility {
        thermal: Some(Thermal {
            hold: WattHours::whole(500),
            precondition: WattHours::ZERO,
            recovery: Duration::from_secs(3_600),
        }),
        ..Flexibility::default()
    }
}

fn switched() -> Flexibility {
    Flexibility {
        switching: Some(Switching {
            min_on: Duration::from_secs(3_600),
            min_off: Duration::from_secs(3_600),
        }),
        ..Flexibility::default()
    }
}

impl Scene {
    /// All do what they are asked, else what they do unasked, and are heard.
    fn all_follow(&mut self, unasked: i64, now: i64) {
        let loads = self.observations.len() - 1;
        for der in 0..=loads {
            let asked = self.asked(u32::try_from(der).unwrap(), now);
            let unasked = if der == loads { 0 } else { unasked };
            let p_w = asked.map_or(unasked, |p| p.micro() / units::MICRO);
            self.hear(der, p_w, now);
        }
    }

    fn past_of(&self, der: DerId, now: i64) -> Past {
        let der = self.rig.fleet.der(der).unwrap();
        self.world(now).past(der, t(now)).unwrap()
    }

    /// The control that `der` has for the interval that runs at `now`.
    fn control_of(&self, der: DerId, now: i64) -> usize {
        let control = self.rig.fleet.in_force(der, t(now)).unwrap();
        control.id.index()
    }
}

fn share(plan: &Plan, der: DerId, interval: u32) -> Watts {
    plan.share(der, interval)
        .map_or(watts(-9_999), ActivePower::p)
}

#[test]
fn a_heater_is_held_back_no_further_by_a_correction_than_it_can_do_without_in_all() {
    // 500 W for an hour is what it can do without; the battery gives the other 500 W.
    let mut scene = scene(1, &heating(), &[0, 0]);
    assert_eq!(scene.asked(0, 100), Some(watts(-500)));
    scene.all_follow(-1_000, 1_900);
    let at = 1_900;
    let past = scene.past_of(HEATER, at);
    assert_eq!(past.unasked, watts(-1_000), "the meter says -500 W");
    assert_eq!(past.held, WattHours::whole(250));
    let battery = scene.control_of(OTHER, at);
    scene.respond(battery, 4, at);
    scene.hear(1, 0, at);
    let plan = scene.replan(at);
    assert_eq!(plan.standing_of(OTHER), Some(Standing::OptedOut));
    let given = share(&plan, HEATER, 1);
    assert!(
        watts(-510) <= given && given <= watts(-500),
        "{given} for half an hour, with 250 Wh left"
    );
    scene.must(&Command::AdoptPlan(plan), at);
    scene.reconcile(at);
    scene.all_follow(-1_000, 3_600);
    let held = scene.past_of(HEATER, 3_700).held;
    assert!(
        WattHours::whole(498) <= held && held <= WattHours::whole(500),
        "{held}"
    );
}

#[test]
fn a_heater_has_to_make_up_for_one_dispatch_before_it_can_do_without_for_another() {
    let mut scene = scene(1, &heating(), &[0, 0]);
    let der = scene.rig.fleet.der(HEATER).unwrap().clone();
    scene.all_follow(-1_000, 3_699);
    let left = |scene: &Scene, now| scene.world(now).energy(&der).unwrap();
    assert_eq!(
        left(&scene, 3_700),
        (WattHours::ZERO, WattHours::whole(500))
    );
    // What it takes beyond 1 kW until then makes up for it.
    scene.hear(0, -1_400, 5_000);
    assert_eq!(scene.past_of(HEATER, 5_000).unasked, watts(-1_000));
    let expected = 500.0 * (1.0 - (-1.0_f64).exp());
    let (up, down) = left(&scene, 7_300);
    assert!((up.as_f64() - expected).abs() < 0.01, "{up}");
    assert_eq!(up + down, WattHours::whole(500));
    let rebound = scene
        .world(7_300)
        .behaviour(&der, watts(-1_000))
        .rebound(WattHours::ZERO, Duration::from_secs(1));
    assert!(rebound < watts(-180), "{rebound}");
    // Once that is done its meter says what it does unasked.
    scene.hear(0, -700, 40_000);
    let past = scene.past_of(HEATER, 40_000);
    assert_eq!(past.unasked, watts(-700));
    assert!(past.held < WattHours::whole(1), "{}", past.held);
}

#[test]
fn what_a_plan_noted_of_a_load_is_handed_on_from_plan_to_plan() {
    let mut scene = scene(1, &heating(), &[0, 0]);
    for (generation, at) in (2..12).zip((400..).step_by(300)) {
        scene.all_follow(-1_000, at);
        let plan = Plan {
            generation,
            ..scene.replan(at)
        };
        assert_eq!(plan.pasts, [scene.past_of(HEATER, at)]);
        scene.must(&Command::AdoptPlan(plan), at);
        scene.reconcile(at);
        let (held, hours) = (
            scene.past_of(HEATER, at).held.as_f64(),
            (at - 100) as f64 / 3_600.0,
        );
        assert!(
            (held - 500.0 * hours).abs() < 5.0,
            "{held} Wh after {hours} h"
        );
    }
}

#[test]
fn a_load_that_is_switched_off_stays_so_when_its_dispatch_is_planned_again() {
    let mut scene = scene(2, &switched(), &[-2_000; 4]);
    let off = |scene: &Scene, now| -> Vec<u32> {
        let is_off = |der: &u32| scene.asked(*der, now) == Some(Watts::ZERO);
        (0..2).filter(is_off).collect()
    };
    let first = off(&scene, 200);
    assert_eq!(first.len(), 1);
    let der = scene.rig.fleet.der(DerId(first[0])).unwrap().clone();
    for (generation, at) in (2..8).zip((700..).step_by(500)) {
        scene.all_follow(-2_000, at);
        let switching = scene.world(at).switching(&der, t(at)).unwrap();
        let since = Duration::from_secs(u64::try_from(at - 100).unwrap());
        assert_eq!(
            (switching.output, switching.lasted),
            (Watts::ZERO, Some(since))
        );
        let plan = Plan {
            generation,
            ..scene.replan(at)
        };
        assert_eq!(plan.balances[0].residue, Watts::ZERO);
        scene.must(&Command::AdoptPlan(plan), at);
        scene.reconcile(at);
        assert_eq!(off(&scene, at + 10), first, "at {at}");
    }
}

#[test]
fn a_load_that_has_just_been_switched_off_can_not_be_switched_on_at_once() {
    let mut scene = scene(2, &switched(), &[-2_000, -2_000]);
    let off = if scene.asked(0, 200) == Some(Watts::ZERO) {
        0
    } else {
        1
    };
    // At 3 700 it is over; it has been off for an hour and may be on, and is then on for an hour.
    scene.all_follow(-2_000, 3_600);
    let der = scene.rig.fleet.der(DerId(off)).unwrap().clone();
    let at_the_end = scene.world(3_600).switching(&der, t(3_700)).unwrap();
    let hour = Some(Duration::from_secs(3_600));
    assert_eq!((at_the_end.output, at_the_end.lasted), (Watts::ZERO, hour));
    scene.all_follow(-2_000, 4_000);
    let on = scene.world(4_000).switching(&der, t(4_000)).unwrap();
    assert_eq!(
        (on.output, on.lasted),
        (watts(-2_000), Some(Duration::from_secs(300)))
    );
    // What it does by itself is not held against it.
    scene.hear(usize::try_from(off).unwrap(), 0, 4_100);
    let by_itself = scene.world(4_100).switching(&der, t(4_100)).unwrap();
    assert_eq!((by_itself.output, by_itself.lasted), (Watts::ZERO, None));
}
