use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const WAIT: u64 = 900;
const DEADLINE: u64 = 86_400;

fn t(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn roll_out(stages: &[&[u32]]) -> RollOut {
    RollOut {
        id: RollOutId(0),
        name: Name::new("spring").expect("a name"),
        profile: SettingsProfileId(1),
        stages: stages
            .iter()
            .map(|stage| stage.iter().copied().map(DerId).collect())
            .collect(),
        begun: vec![t(0)],
        waiting_since: t(0),
        criteria: Criteria {
            wait: Duration::from_secs(WAIT),
            deadline: Duration::from_secs(DEADLINE),
            match_min: Percent::from_hundredths(6_600),
            alarms_max: 1,
        },
        phase: Phase::Running,
        comment: None,
        author: Name::new("ann").expect("a name"),
        created: t(0),
    }
}

fn all(standing: Standing) -> impl Fn(DerId) -> Facts {
    move |_| Facts {
        standing,
        alarm: false,
    }
}

#[test]
fn a_stage_waits_however_good_it_looks() {
    let roll_out = roll_out(&[&[1], &[2, 3]]);
    assert_eq!(roll_out.evaluate(all(Standing::Matches), t(899)), None);
    assert_eq!(
        roll_out.evaluate(all(Standing::Matches), t(900)),
        Some(Decision::Advanced)
    );
}

#[test]
fn only_what_matches_is_evidence() {
    let roll_out = roll_out(&[&[1], &[2, 3]]);
    for standing in [
        Standing::Pending,
        Standing::Unable,
        Standing::Issued,
        Standing::Unreadable,
        Standing::Differs,
    ] {
        assert_eq!(
            roll_out.evaluate(all(standing), t(86_399)),
            None,
            "{standing:?}"
        );
        let halted = Decision::Halted(HaltReason::Evidence { matching: 0, of: 1 });
        assert_eq!(roll_out.evaluate(all(standing), t(86_400)), Some(halted));
    }
    // Nobody is left who could show anything else.
    let nobody = roll_out.evaluate(all(Standing::Removed), t(900));
    assert_eq!(nobody, Some(Decision::Advanced));
}

#[test]
fn the_share_is_that_of_the_stage() {
    let mut roll_out = roll_out(&[&[1], &[2, 3, 4]]);
    roll_out.step(Decision::Advanced, t(1_000));
    let matching = |many: u32| {
        move |der: DerId| Facts {
            standing: match der.0 < 2 + many {
                true => Standing::Matches,
                false => Standing::Issued,
            },
            alarm: false,
        }
    };
    assert_eq!(roll_out.evaluate(matching(1), t(1_900)), None);
    assert_eq!(
        roll_out.evaluate(matching(2), t(1_900)),
        Some(Decision::Completed)
    );
}

#[test]
fn alarms_halt_at_once_and_count_in_all_stages_begun() {
    let mut roll_out = roll_out(&[&[1], &[2, 3], &[4]]);
    let alarms = |of: &'static [u32]| {
        move |der: DerId| Facts {
            standing: Standing::Matches,
            alarm: of.contains(&der.0),
        }
    };
    // DER 2 and 4 are still ahead.
    assert_eq!(roll_out.evaluate(alarms(&[1, 2, 4]), t(1)), None);
    roll_out.step(Decision::Advanced, t(2));
    assert_eq!(
        roll_out.evaluate(alarms(&[1, 2, 4]), t(3)),
        Some(Decision::Halted(HaltReason::Alarms(2)))
    );
}

#[test]
fn a_resumed_stage_waits_anew() {
    let mut roll_out = roll_out(&[&[1], &[2]]);
    roll_out.step(Decision::Halted(HaltReason::Operator), t(10));
    assert_eq!(roll_out.evaluate(all(Standing::Matches), t(100_000)), None);
    assert!(roll_out.holds_still(DerId(1)) && !roll_out.holds_still(DerId(2)));
    roll_out.step(Decision::Resumed, t(100_000));
    assert_eq!(roll_out.evaluate(all(Standing::Matches), t(100_899)), None);
    assert_eq!(
        roll_out.evaluate(all(Standing::Matches), t(100_900)),
        Some(Decision::Advanced)
    );
}

#[test]
fn stages_by_share_are_disjoint_complete_and_begin_small() {
    let ders: Vec<DerId> = (0..1_000).map(DerId).collect();
    let shares: Vec<Percent> = [100, 1_000, 10_000].map(Percent::from_hundredths).to_vec();
    let stages = split(&ders, &shares, 7);
    assert_eq!(
        stages.iter().map(Vec::len).collect::<Vec<_>>(),
        [10, 90, 900]
    );
    let mut together = stages.concat();
    together.sort_unstable();
    assert_eq!(together, ders);
    assert_ne!(
        stages[0],
        split(&ders, &shares, 8)[0],
        "another roll-out, another canary"
    );
    assert_ne!(stages[0], ders[..10], "the canary is no neighbourhood");
}

#[test]
fn a_share_of_few_is_at_least_one() {
    let shares: Vec<Percent> = [1, 5_000, 10_000].map(Percent::from_hundredths).to_vec();
    let stages = split(&[DerId(3), DerId(4)], &shares, 0);
    assert_eq!(stages.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![
        Just(Decision::Advanced),
        Just(Decision::Halted(HaltReason::Operator)),
        Just(Decision::Resumed),
        Just(Decision::Completed),
        Just(Decision::RolledBack),
    ]
}

proptest! {
    /// Whatever is asked in whatever order: stages begin one after the other, time does not go back,
    /// a halted roll-out begins nothing, and what was rolled back stays so.
    #[test]
    fn steps_keep_the_order(steps in proptest::collection::vec(decision(), 0..40)) {
        let mut roll_out = roll_out(&[&[1], &[2], &[3], &[4]]);
        for (at, step) in (1..).zip(steps) {
            let before = roll_out.clone();
            roll_out.step(step, t(at));
            prop_assert!(roll_out.begun.len() <= roll_out.stages.len());
            prop_assert!(roll_out.begun.is_sorted());
            if !before.admits(step) {
                prop_assert_eq!(&roll_out, &before);
            }
            if !matches!(before.phase, Phase::Running) {
                prop_assert_eq!(&roll_out.begun, &before.begun);
            }
            if matches!(before.phase, Phase::RolledBack(_)) {
                prop_assert_eq!(roll_out.phase, before.phase);
            }
        }
    }

    #[test]
    fn splitting_loses_nobody(
        count in 1_u32..500,
        mut shares in proptest::collection::btree_set(1_i32..10_000, 0..8),
        seed in any::<u64>(),
    ) {
        shares.insert(10_000);
        let ders: Vec<DerId> = (0..count).map(DerId).collect();
        let shares: Vec<Percent> = shares.into_iter().map(Percent::from_hundredths).collect();
        let stages = split(&ders, &shares, seed);
        let mut seen = BTreeMap::new();
        for der in stages.iter().flatten() {
            *seen.entry(*der).or_insert(0) += 1;
        }
        prop_assert_eq!(seen.len(), ders.len());
        prop_assert!(seen.values().all(|times| *times == 1));
        prop_assert!(stages.iter().all(|stage| !stage.is_empty() && stage.is_sorted()));
    }
}
