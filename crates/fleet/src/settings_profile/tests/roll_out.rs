use proptest::prelude::*;

use super::*;
use crate::settings_profile::{HaltReason, Phase};

/// Three DER that have "old", and a roll-out of "new" to them, one by one.
fn begun() -> (Rig, SettingsProfileId, SettingsProfileId, RollOutId) {
    let mut rig = Rig::new(4);
    let old = rig.profile("spring", values(300, None), 0);
    let new = rig.profile("spring", values(60, None), 0);
    for der in 0..3 {
        rig.require(Subject::Der(DerId(der)), Some(old), 0).unwrap();
    }
    rig.settle(0);
    rig.all_follow(1);
    let id = rig.begin("faster", new, &[&[0], &[1, 2]], 1_000).unwrap();
    (rig, old, new, id)
}

#[test]
fn it_reaches_stage_by_stage_on_evidence() {
    let (mut rig, old, new, id) = begun();
    let required = |rig: &Rig, at| [0, 1, 2, 3].map(|der| rig.required(der, at));
    rig.settle(1_001);
    assert_eq!(
        required(&rig, 1_001),
        [Some(new), Some(old), Some(old), None]
    );
    // The canary's programme is new; the device still reports the old delay.
    assert_eq!(rig.default(DerId(0)).enter_service.delay_cs, Some(6_000));
    rig.settle(1_900);
    assert_eq!(rig.roll_out(id).begun, [t(1_000)]);
    rig.all_follow(1_950);
    rig.settle(1_951);
    assert_eq!(rig.roll_out(id).begun, [t(1_000), t(1_951)]);
    assert_eq!(
        required(&rig, 1_951),
        [Some(new), Some(new), Some(new), None]
    );
    rig.settle(1_952);
    rig.all_follow(2_000);
    rig.settle(2_851);
    assert_eq!(rig.roll_out(id).phase, Phase::Completed(t(2_851)));
    assert!(rig.replays());
}

#[test]
fn rolling_back_leaves_exactly_what_was_required_before() {
    let (mut rig, old, _, id) = begun();
    let before: Vec<DefaultControl> = (0..3).map(|d| rig.default(DerId(d)).clone()).collect();
    rig.settle(1_001);
    rig.all_follow(1_002);
    rig.settle(1_901);
    rig.settle(1_902);
    rig.step(id, Decision::RolledBack, 2_000);
    rig.settle(2_001);
    for (der, before) in (0..3).zip(&before) {
        assert_eq!(rig.required(der, 2_001), Some(old));
        assert!(rig.default(DerId(der)).asks_as(before));
    }
    assert!(rig.replays());
}

#[test]
fn a_completed_one_can_be_rolled_back_too() {
    let (mut rig, old, new, id) = begun();
    for now in [1_001, 1_901, 1_902, 2_802] {
        rig.settle(now);
        rig.all_follow(now);
        rig.settle(now);
    }
    assert!(matches!(rig.roll_out(id).phase, Phase::Completed(_)));
    assert_eq!(rig.required(1, 3_000), Some(new));
    rig.step(id, Decision::RolledBack, 3_000);
    assert_eq!(rig.required(1, 3_000), Some(old));
}

#[test]
fn a_later_requirement_goes_before_a_roll_out_that_is_over() {
    let (mut rig, _, new, id) = begun();
    let refused = rig
        .require(Subject::Der(DerId(2)), Some(new), 1_500)
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "subject: DER 2 is in roll-out faster, which is open"
    );
    for now in [1_001, 1_901, 1_902, 2_802] {
        rig.settle(now);
        rig.all_follow(now);
        rig.settle(now);
    }
    assert!(!rig.roll_out(id).is_open());
    let other = rig.profile("own", values(5, None), 3_000);
    rig.require(Subject::Der(DerId(2)), Some(other), 4_000)
        .unwrap();
    assert_eq!(rig.required(2, 3_999), Some(new));
    assert_eq!(rig.required(2, 4_000), Some(other));
}

#[test]
fn halting_stops_issuing() {
    let (mut rig, _, _, id) = begun();
    // Halted before the canary's programme was touched.
    rig.step(id, Decision::Halted(HaltReason::Operator), 1_000);
    rig.all_follow(1_002);
    let events = rig.events.len();
    rig.settle(90_000);
    assert_eq!(rig.events.len(), events, "{:?}", &rig.events[events..]);
    assert_eq!(rig.default(DerId(0)).enter_service.delay_cs, Some(30_000));
    rig.step(id, Decision::Resumed, 90_001);
    rig.settle(90_002);
    assert_eq!(rig.default(DerId(0)).enter_service.delay_cs, Some(6_000));
}

#[test]
fn a_drifting_canary_halts_it() {
    let (mut rig, _, _, id) = begun();
    rig.settle(1_001);
    // Long after, the canary still reports the old delay.
    rig.settle(1_001 + 900);
    rig.settle(1_001 + 901);
    assert_eq!(
        rig.roll_out(id).phase,
        Phase::Halted(HaltReason::Alarms(1), t(1_901))
    );
    assert_eq!(rig.roll_out(id).begun.len(), 1);
}

#[test]
fn an_alarm_that_it_came_to_set_right_does_not_halt_it() {
    let mut rig = Rig::new(1);
    let old = rig.profile("spring", values(300, None), 0);
    let new = rig.profile("spring", values(60, None), 0);
    rig.require(Subject::Der(DerId(0)), Some(old), 0).unwrap();
    rig.settle(0);
    let delay_cs = Some(6_000);
    let insists = EnterService {
        delay_cs,
        ..EnterService::default()
    };
    rig.report(DerId(0), insists, 1);
    rig.settle(950);
    assert_eq!(rig.fleet.settings().drifts().next().unwrap().profile, old);
    let id = rig.begin("faster", new, &[&[0]], 1_000).unwrap();
    rig.settle(1_001);
    rig.settle(1_002);
    assert_eq!(rig.roll_out(id).phase, Phase::Running);
    rig.all_follow(1_003);
    rig.settle(1_901);
    rig.settle(1_902);
    assert_eq!(rig.roll_out(id).phase, Phase::Completed(t(1_901)));
}

#[test]
fn evidence_is_what_the_version_changed() {
    let mut rig = Rig::new(2);
    let old = rig.profile("spring", values(300, None), 0);
    let new = rig.profile("spring", values(300, Some(-440)), 0);
    rig.require(Subject::Der(DerId(0)), Some(old), 0).unwrap();
    rig.settle(0);
    rig.all_follow(1);
    let id = rig.begin("volt-var", new, &[&[0], &[1]], 1_000).unwrap();
    rig.settle(1_001);
    rig.all_follow(1_002);
    // The delay is as it was, and IEEE 2030.5 does not tell of curves: nothing is shown.
    rig.settle(50_000);
    assert_eq!(rig.roll_out(id).begun.len(), 1);
    let seen = standing(&rig.fleet, rig.der(DerId(0)), new, Some(t(50_000)));
    assert_eq!(seen, crate::settings_profile::Standing::Unreadable);
    // The installer's settings file tells.
    let applied = crate::settings_profile::AppliedSettings {
        values: values(300, Some(-440)),
        at: t(50_001),
        author: name("installer"),
    };
    let report = SettingsCommand::ReportApplied(DerId(0), Box::new(applied));
    rig.settings(report, 50_001).unwrap();
    rig.settle(50_002);
    assert_eq!(rig.roll_out(id).begun.len(), 2);
}

#[test]
fn one_open_roll_out_at_a_time_reaches_a_der() {
    let (mut rig, _, new, id) = begun();
    let refused = rig.begin("again", new, &[&[3], &[2]], 1_100).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "stages: DER 2 is in roll-out faster, which is open"
    );
    rig.step(id, Decision::RolledBack, 1_200);
    rig.begin("again", new, &[&[3], &[2]], 1_300).unwrap();
}

/// Why a roll-out of this plan and these criteria over three DER is refused.
fn refused(plan: StagePlan, criteria: Criteria) -> String {
    let mut rig = Rig::new(3);
    let profile = rig.profile("spring", values(300, None), 0);
    let new = NewRollOut {
        name: name("bad"),
        profile,
        plan,
        criteria,
        comment: None,
        author: name("ann"),
    };
    let outcome = rig.settings(SettingsCommand::BeginRollOut(Box::new(new)), 0);
    outcome.unwrap_err().to_string()
}

const SOUND: Criteria = Criteria {
    wait: Duration::from_secs(1),
    deadline: Duration::from_secs(1),
    match_min: Percent::WHOLE,
    alarms_max: 0,
};

fn lists(lists: &[&[u32]]) -> StagePlan {
    let stage = |list: &&[u32]| list.iter().copied().map(DerId).collect();
    StagePlan::Lists(lists.iter().map(stage).collect())
}

#[test]
fn bad_stages_are_refused() {
    let check = |plan, expected: &str| assert_eq!(refused(plan, SOUND), expected);
    check(lists(&[]), "stages: have at least one DER each");
    check(lists(&[&[0], &[]]), "stages: have at least one DER each");
    check(lists(&[&[0], &[1, 0]]), "stages: name DER 0 twice");
    check(lists(&[&[9]]), "no DER 9");
    for shares in [
        &[][..],
        &[5_000],
        &[5_000, 5_000, 10_000],
        &[0, 10_000],
        &[10_001],
    ] {
        let shares = shares.iter().copied().map(Percent::from_hundredths);
        let plan = StagePlan::Shares((0..3).map(DerId).collect(), shares.collect());
        check(plan, "stages: rise from above 0 to 100 %");
    }
    check(
        StagePlan::Lists(vec![vec![DerId(0)]; RollOut::MAX_STAGES + 1]),
        "stages of one roll-out: at most 20 are allowed",
    );
    check(
        StagePlan::Lists(vec![vec![DerId(0); RollOut::MAX_DERS + 1]]),
        "DER of one roll-out: at most 100000 are allowed",
    );
}

#[test]
fn bad_criteria_are_refused() {
    let check = |criteria, expected: &str| assert_eq!(refused(lists(&[&[0]]), criteria), expected);
    let hasty = Criteria {
        deadline: Duration::ZERO,
        ..SOUND
    };
    let rule = "deadline: is no shorter than the wait, and at most 90 days";
    check(hasty, rule);
    let patient = Criteria {
        deadline: RollOut::MAX_WAIT + Duration::from_secs(1),
        ..SOUND
    };
    check(patient, rule);
    let over = Criteria {
        match_min: Percent::from_hundredths(10_001),
        ..SOUND
    };
    check(over, "match_min: is 0 to 100 %");
}

#[test]
fn open_roll_outs_are_bounded() {
    let max = crate::SettingsBook::MAX_OPEN_ROLL_OUTS;
    let mut rig = Rig::new(u32::try_from(max).unwrap() + 1);
    let profile = rig.profile("spring", values(300, None), 0);
    for der in 0..u32::try_from(max).unwrap() {
        rig.begin(&format!("r{der}"), profile, &[&[der]], 0)
            .unwrap();
    }
    let last = u32::try_from(max).unwrap();
    let refused = rig.begin("one more", profile, &[&[last]], 0).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "open roll-outs: at most 100 are allowed"
    );
}

#[derive(Clone, Debug)]
enum Move {
    Settle,
    Follow,
    Wait(i64),
    Halt,
    Resume,
    Advance,
    Begin(Vec<u32>),
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => Just(Move::Settle),
        2 => Just(Move::Follow),
        2 => (1_i64..2_000).prop_map(Move::Wait),
        1 => Just(Move::Halt),
        1 => Just(Move::Resume),
        1 => Just(Move::Advance),
        1 => proptest::collection::btree_set(0_u32..4, 1..3)
            .prop_map(|ders| Move::Begin(ders.into_iter().collect())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens: no DER is in two open roll-outs, replay is live, and after everything is
    /// rolled back each DER has exactly what was required and asked of it before.
    #[test]
    fn rolling_everything_back_restores(moves in proptest::collection::vec(a_move(), 0..24)) {
        let mut rig = Rig::new(4);
        let old = rig.profile("spring", values(300, Some(-440)), 0);
        let new = rig.profile("spring", values(60, Some(-300)), 0);
        for der in 0..2 {
            rig.require(Subject::Der(DerId(der)), Some(old), 0).unwrap();
        }
        rig.settle(0);
        let state = |rig: &Rig, now| {
            let of = |der: u32| {
                let mut default = rig.default(DerId(der)).clone();
                default.set = t(0);
                // Curves are made anew; what they say counts.
                let shapes: Vec<_> = default
                    .base
                    .settings()
                    .iter()
                    .filter_map(|setting| match setting {
                        crate::Setting::Curve(_, id) => rig.fleet.curve(*id),
                        _ => None,
                    })
                    .map(|curve| curve.shape.clone())
                    .collect();
                let rest = (default.grad_w, default.enter_service);
                (rig.required(der, now), shapes, rest)
            };
            [0, 1, 2, 3].map(of)
        };
        let before = state(&rig, 0);
        let mut now = 1;
        for each in moves {
            now += 1;
            let open: Vec<RollOut> = rig.fleet.settings().open_roll_outs().cloned().collect();
            match each {
                Move::Settle => rig.settle(now),
                Move::Follow => rig.all_follow(now),
                Move::Wait(secs) => now += secs,
                Move::Begin(ders) => {
                    let title = format!("r{}", rig.fleet.settings().roll_outs().len());
                    let stages: Vec<&[u32]> = ders.chunks(1).collect();
                    let taken = ders.iter().any(|der| {
                        rig.fleet.settings().open_roll_out_of(DerId(*der)).is_some()
                    });
                    let outcome = rig.begin(&title, new, &stages, now);
                    prop_assert_eq!(outcome.is_err(), taken);
                }
                Move::Halt | Move::Resume | Move::Advance => {
                    let Some(one) = open.first() else { continue };
                    let decision = match each {
                        Move::Halt => Decision::Halted(HaltReason::Operator),
                        Move::Resume => Decision::Resumed,
                        _ => one.next(),
                    };
                    let admits = one.admits(decision);
                    let step = SettingsCommand::StepRollOut(one.id, decision);
                    prop_assert_eq!(rig.settings(step, now).is_ok(), admits);
                }
            }
            for der in 0..4 {
                let open = rig.fleet.settings().open_roll_outs();
                let count = open.filter(|r| r.ders().any(|each| each == DerId(der))).count();
                prop_assert!(count <= 1);
            }
        }
        let all: Vec<RollOutId> = rig.fleet.settings().roll_outs().iter().map(|r| r.id).collect();
        for id in all {
            rig.step(id, Decision::RolledBack, now + 1);
        }
        rig.settle(now + 2);
        prop_assert_eq!(state(&rig, now + 2), before);
        prop_assert!(rig.replays());
    }
}
