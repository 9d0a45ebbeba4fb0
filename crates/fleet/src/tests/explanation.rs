//! Why a DER does what it does.

use std::time::Duration;

use proptest::prelude::*;
use units::{Interval, Percent};

use super::place::{control, target};
use super::{Rig, t, watts};
use crate::control::explanation::{
    Ability, Advantage, Decided, Explanation, Fate, Taken, claims, explain,
};
use crate::control::precedence::in_force;
use crate::dispatch::assess::{Policy, World};
use crate::{
    Command, Control, ControlBase, ControlId, DefaultControl, DerId, Evidence, Ledger, Mrid, Name,
    NewProgram, Observation, Origin, ProgramId, Quality, Reading, Scaled, Scope, Setting, Share,
    Terms,
};

const LIMIT: Setting = Setting::MaxLimW(Share {
    percent: Percent::from_hundredths(5_000),
    of: None,
});

fn program(rig: &mut Rig, primacy: u8, scope: Scope) -> ProgramId {
    let new = NewProgram {
        name: Name::new(&format!("primacy {primacy}")).unwrap(),
        primacy,
        scope,
    };
    rig.must(&Command::CreateProgram(new), 0);
    ProgramId::from(rig.fleet.programs().len() - 1)
}

/// The ledger of every control issued, each taken to where `told` says.
fn ledger(rig: &Rig, told: &[(u32, Evidence)]) -> Ledger {
    let mut ledger = Ledger::default();
    for control in rig.fleet.controls() {
        ledger.begin(control);
    }
    for (control, evidence) in told {
        let control = rig.fleet.control(ControlId(*control)).unwrap();
        let step = ledger.next(control, DerId(0), *evidence, t(15)).unwrap();
        ledger.push(step, control.created);
    }
    ledger
}

struct Scene {
    rig: Rig,
    ledger: Ledger,
    observations: Vec<Observation>,
}

impl Scene {
    fn explain(&self, now: i64, at: i64) -> Explanation<'_> {
        let world = World {
            fleet: &self.rig.fleet,
            observations: &self.observations,
            deliveries: &self.ledger,
            policy: Policy::default(),
            now: t(now),
        };
        explain(&world, &self.rig.fleet.ders()[0], t(at))
    }
}

/// A battery with an own programme (20), one for everybody (5) with a default, and controls: 0 own
/// from 10 on, 1 own from 20 on, 2 shared from 30 to 40, 3 withdrawn at 12, 4 to come.
fn scene() -> Scene {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let all = program(&mut rig, 5, Scope::All);
    let default = DefaultControl::asking(ControlBase::of([LIMIT]));
    rig.must(&Command::SetDefaultControl(all, default), 0);
    let own = rig.fleet.ders()[0].program;
    rig.must(&Command::IssueControl(control(Some(der), own, 10, 190)), 1);
    rig.must(&Command::IssueControl(control(Some(der), own, 20, 180)), 2);
    rig.must(&Command::IssueControl(control(None, all, 30, 10)), 3);
    rig.must(&Command::IssueControl(control(None, all, 60, 10)), 4);
    rig.must(&Command::CancelControl(ControlId(3)), 12);
    rig.must(&Command::IssueControl(control(Some(der), own, 150, 10)), 13);
    let told = [
        (0, Evidence::Served),
        (1, Evidence::Served),
        (1, Evidence::Response(4)),
        (2, Evidence::Served),
    ];
    let ledger = ledger(&rig, &told);
    let p = Reading {
        value: watts(100),
        at: t(20),
        quality: Quality::Estimated,
    };
    let observations = vec![Observation {
        last_contact: Some(t(21)),
        p: Some(p),
        ..Observation::default()
    }];
    Scene {
        rig,
        ledger,
        observations,
    }
}

#[test]
fn each_control_that_asks_says_why_it_is_not_in_force() {
    let scene = scene();
    let explanation = scene.explain(25, 35);
    let [limit, power] = explanation.settings.as_slice() else {
        panic!("{explanation:?}")
    };
    assert_eq!(power.class, Setting::TargetW(Scaled::ZERO).class());
    let fates: Vec<(u32, &Fate<'_>)> = power
        .claims
        .iter()
        .map(|claim| (claim.control.id.0, &claim.fate))
        .collect();
    let control = |id: u32| scene.rig.fleet.control(ControlId(id)).unwrap();
    let to = |by: u32, at: i64, advantage| Taken {
        by: control(by),
        at: t(at),
        advantage,
    };
    assert_eq!(
        fates,
        [
            (3, &Fate::Cancelled(t(12))),
            (2, &Fate::InForce),
            (
                4,
                &Fate::Scheduled {
                    from: t(150),
                    loses: None
                }
            ),
            (1, &Fate::Displaced(to(2, 30, Advantage::Primacy))),
            (0, &Fate::Displaced(to(1, 20, Advantage::Later))),
        ]
    );
    assert!(
        matches!(power.decided, Decided::Control(winner, _) if winner.id == ControlId(2)),
        "{:?}",
        power.decided
    );
    // Nobody limits injection, so the default control of the programme for everybody does.
    assert!(limit.claims.is_empty());
    assert!(matches!(limit.decided, Decided::Default(program, setting)
            if program.primacy == 5 && *setting == LIMIT));
    assert_eq!(explanation.inject_max, Some(watts(2_500)));
    assert_eq!(explanation.absorb_max, None);
    let later = scene.explain(25, 50);
    let fate = &later.settings[1].claims[1].fate;
    assert_eq!(*fate, Fate::Ended(t(40)));
    assert_eq!(later.settings[1].decided, Decided::Device);
}

#[test]
fn what_the_device_makes_of_it_stands_beside() {
    let scene = scene();
    let explanation = scene.explain(25, 25);
    let metered = explanation.metered.unwrap();
    assert_eq!(
        (metered.asked, metered.follows()),
        (Some(watts(500)), Some(false))
    );
    assert_eq!(
        (metered.age_ms(t(25)), metered.reading.quality),
        (5_000, Quality::Estimated)
    );
    let claims = &explanation.settings[1].claims;
    assert!(claims.iter().all(|claim| claim.ability == Ability::Able));
    let opted_out = claims.iter().find(|claim| claim.control.id == ControlId(1));
    let entries = &opted_out.unwrap().delivery.unwrap().entries;
    assert_eq!(entries.last().unwrap().evidence, Evidence::Response(4));
    // It opted out of control 1 and was never served 4; 0 and 2 it holds.
    assert_eq!(explanation.on_loss.controls_until, Some(t(200)));
    assert_eq!(
        explanation.on_loss.silent_at,
        Some(t(21).after(Policy::default().silent_after))
    );
    let defaults: Vec<Setting> = explanation
        .on_loss
        .defaults
        .iter()
        .map(|(_, setting)| **setting)
        .collect();
    assert_eq!(defaults, [LIMIT]);
}

#[test]
fn a_mode_that_the_device_lacks_or_has_turned_off_is_told() {
    let ability = |change: &dyn Fn(&mut Rig)| {
        let mut scene = scene();
        change(&mut scene.rig);
        scene.explain(25, 25).settings[1].claims[0].ability
    };
    let report = |rig: &mut Rig| {
        let capability = rig.fleet.ders()[0].capability.clone().unwrap();
        let settings = rig.fleet.ders()[0].settings.clone().unwrap();
        (capability, settings)
    };
    assert_eq!(ability(&|_| {}), Ability::Able);
    let disabled = ability(&|rig| {
        let (_, mut settings) = report(rig);
        settings.modes = crate::Modes::default();
        rig.must(&Command::ReportSettings(DerId(0), settings), 14);
    });
    assert_eq!(disabled, Ability::Disabled);
    let unsupported = ability(&|rig| {
        let (mut capability, _) = report(rig);
        capability.modes = crate::Modes::default();
        rig.must(&Command::ReportCapability(DerId(0), capability), 14);
    });
    assert_eq!(unsupported, Ability::Unsupported);
}

#[test]
fn of_two_for_different_devices_the_better_one_is_said_to_be_in_force() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.ders()[0].program;
    for bits in [0b01, 0b10] {
        let mut new = control(Some(der), own, 10, 50);
        new.terms = Some(Terms {
            device_category: Some(bits),
            ..Terms::default()
        });
        rig.must(&Command::IssueControl(new), 1);
    }
    let candidates = rig.fleet.ranked_controls_of(der);
    let claims = claims(&candidates, target(1).settings()[0].class(), t(20));
    let fates: Vec<(u32, Fate<'_>)> = claims.iter().map(|c| (c.control.id.0, c.fate)).collect();
    let best = rig.fleet.control(ControlId(1)).unwrap();
    assert_eq!(fates, [(1, Fate::InForce), (0, Fate::Beside(best))]);
}

/// A control in the making: programme, start, duration, creation, what it asks, for whom.
type Sketch = (u8, i64, u64, i64, u8, u8);

fn made(index: u32, sketch: &Sketch, cancelled: Option<i64>) -> Control {
    let (program, start, secs, created, asks, categories) = *sketch;
    let settings = [
        Setting::TargetW(Scaled::from_w(watts(100))),
        LIMIT,
        Setting::Energize(true),
    ];
    let has = |place: usize| asks & (1 << place) != 0;
    let asked = settings.iter().enumerate().filter(|(place, _)| has(*place));
    Control {
        id: ControlId(index),
        mrid: Mrid(u128::from(index)),
        der: (program != 0).then_some(DerId(0)),
        program: ProgramId(u32::from(program)),
        origin: Origin::Operator,
        interval: Interval {
            start: t(start),
            duration: Duration::from_secs(secs),
        },
        created: t(created),
        base: ControlBase::of(asked.map(|(_, setting)| *setting)),
        terms: Some(Box::new(Terms {
            device_category: Some(u32::from(categories)),
            ..Terms::default()
        })),
        cancelled: cancelled.map(t).filter(|at| t(created) < *at),
    }
}

proptest! {
    /// The explanation and the rule of precedence come to the same winner by different ways.
    #[test]
    fn the_winner_is_the_one_in_force(
        sketches in proptest::collection::vec(
            (0..3_u8, 0..50_i64, 1..50_u64, 0..60_i64, 1..8_u8, 1..4_u8), 1..9),
        cancelled in proptest::collection::vec(proptest::option::of(0..80_i64), 9),
    ) {
        let controls: Vec<Control> = (0..)
            .zip(&sketches)
            .zip(&cancelled)
            .map(|((index, sketch), at)| made(index, sketch, *at))
            .collect();
        let ranked: Vec<(&Control, u8)> =
            controls.iter().zip(&sketches).map(|(c, sketch)| (c, sketch.0)).collect();
        for second in 0..110 {
            for setting in [Setting::TargetW(Scaled::ZERO), LIMIT, Setting::Energize(true)] {
                let class = setting.class();
                let all = claims(&ranked, class, t(second));
                let winners = all.iter().filter(|claim| claim.fate == Fate::InForce);
                let winners: Vec<ControlId> = winners.map(|claim| claim.control.id).collect();
                let expected = in_force(&ranked, t(second), |asked| asked.class() == class);
                let expected: Vec<ControlId> = expected.map(|control| control.id).into_iter().collect();
                prop_assert_eq!(winners, expected, "class {} at {}", class, second);
                let asking = ranked.iter().filter(|(c, _)| c.base.asks_class(class)).count();
                prop_assert_eq!(all.len(), asking);
            }
        }
    }
}
