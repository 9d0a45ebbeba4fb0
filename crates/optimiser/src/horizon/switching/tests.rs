use proptest::prelude::*;

use super::*;
use crate::horizon::{Target, certify, solve};

/// One block of 1 kW over these intervals.
fn block(interval_s: &[f64], commitment: Commitment) -> Problem {
    Problem {
        interval_s: interval_s.to_vec(),
        price_per_wh: vec![0.0; interval_s.len()],
        targets: vec![Target::Free; interval_s.len()],
        units: vec![Unit {
            hi_w: 1_000.0,
            commitment: Some(commitment),
            ..Unit::default()
        }],
        ..Problem::default()
    }
}

/// Whether no change comes before what it changes from has lasted as long as it must.
fn is_admissible(interval_s: &[f64], commitment: &Commitment, sequence: &[Switch]) -> bool {
    let (mut state, mut lasted_s) = (commitment.before, commitment.lasted_s);
    for (switch, length_s) in sequence.iter().zip(interval_s) {
        if *switch != state {
            let least_s = match state {
                Switch::On => commitment.min_on_s,
                Switch::Off => commitment.min_off_s,
            };
            if lasted_s < least_s {
                return false;
            }
            (state, lasted_s) = (*switch, 0.0);
        }
        lasted_s += length_s;
    }
    true
}

/// All sequences of so many intervals.
fn all(intervals: usize) -> impl Iterator<Item = Vec<Switch>> {
    (0..1_u32 << intervals).map(move |bits| {
        let switch = |t: usize| match bits >> t & 1 {
            0 => Switch::Off,
            _ => Switch::On,
        };
        (0..intervals).map(switch).collect()
    })
}

fn any_commitment() -> impl Strategy<Value = Commitment> {
    let least_s = || (0..8_u32).prop_map(|n| f64::from(n) * 300.0);
    let lasted_s = prop_oneof![
        (0..8_u32).prop_map(|n| f64::from(n) * 300.0),
        Just(f64::INFINITY),
    ];
    let before = prop_oneof![Just(Switch::Off), Just(Switch::On)];
    (least_s(), least_s(), before, lasted_s).prop_map(|(min_on_s, min_off_s, before, lasted_s)| {
        Commitment {
            min_w: 1_000.0,
            start_cost: 0.0,
            min_on_s,
            min_off_s,
            before,
            lasted_s,
        }
    })
}

/// Lengths of intervals, the first of which may be what a second is left of; how far each is to be
/// off and to be on; whether it can be on in each.
type Day = (Vec<f64>, Vec<(f64, f64)>, Vec<bool>);

fn any_day() -> impl Strategy<Value = Day> {
    let length_s = || prop_oneof![Just(1.0), Just(300.0), Just(900.0), Just(1_200.0)];
    (1..9_usize).prop_flat_map(move |n| {
        (
            proptest::collection::vec(length_s(), n),
            proptest::collection::vec((0.0..10.0_f64, 0.0..10.0_f64), n),
            proptest::collection::vec(proptest::bool::weighted(0.9), n),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_admissible_sequence_is_nearer_than_the_one_that_is_found(
        (interval_s, away, can_be_on) in any_day(),
        commitment in any_commitment(),
    ) {
        let mut problem = block(&interval_s, commitment);
        problem.shapes.push(Shape {
            lo: vec![1.0; interval_s.len()],
            hi: can_be_on.iter().map(|can| f64::from(u8::from(*can))).collect(),
        });
        problem.units[0].shape = Some(0);
        let distance = |sequence: &[Switch]| -> f64 {
            let each = sequence.iter().zip(&away).zip(&can_be_on);
            each.map(|((switch, (off, on)), can)| match switch {
                Switch::Off => *off,
                Switch::On if *can => *on,
                Switch::On => f64::INFINITY,
            })
            .sum()
        };
        let nearest = all(interval_s.len())
            .filter(|sequence| is_admissible(&interval_s, &commitment, sequence))
            .map(|sequence| distance(&sequence))
            .fold(f64::INFINITY, f64::min);
        let found = rounded(&problem, &problem.units[0], &commitment, (|t| away[t].0, |t| away[t].1));
        match found {
            None => prop_assert!(nearest.is_infinite(), "there is one {nearest} away"),
            Some(sequence) => {
                prop_assert!(is_admissible(&interval_s, &commitment, &sequence), "{sequence:?}");
                let found = distance(&sequence);
                prop_assert!((found - nearest).abs() <= 1e-9, "{found} for {nearest}");
            }
        }
    }

    #[test]
    fn a_plan_is_certified_where_it_keeps_the_least_times_and_only_there(
        (interval_s, _, _) in any_day(),
        commitment in any_commitment(),
        bits in 0..256_u32,
    ) {
        let problem = block(&interval_s, commitment);
        let mut plan = solve(&problem, &Settings::default()).unwrap();
        prop_assert!(certify(&problem, &plan).is_ok());
        let sequence: Vec<Switch> = all(8).nth(bits as usize).unwrap();
        let sequence = &sequence[..interval_s.len()];
        for (p_w, switch) in plan.p_w.iter_mut().zip(sequence) {
            *p_w = if *switch == Switch::On { 1_000.0 } else { 0.0 };
        }
        let admissible = is_admissible(&interval_s, &commitment, sequence);
        prop_assert_eq!(certify(&problem, &plan).is_ok(), admissible);
    }
}

#[test]
fn a_remainder_of_a_second_does_not_stretch_a_least_time() {
    // Off for 30 min at least, of which 20 are over; the first interval is what is left of one.
    let commitment = Commitment {
        min_w: 1_000.0,
        start_cost: 0.0,
        min_on_s: 1_800.0,
        min_off_s: 1_800.0,
        before: Switch::Off,
        lasted_s: 1_200.0,
    };
    let interval_s = [1.0, 900.0, 900.0, 900.0, 900.0];
    let mut problem = block(&interval_s, commitment);
    let wants = |switch: [Switch; 5], problem: &Problem| {
        let off = |t: usize| f64::from(u8::from(switch[t] == Switch::On));
        let on = |t: usize| f64::from(u8::from(switch[t] == Switch::Off));
        rounded(problem, &problem.units[0], &commitment, (off, on)).unwrap()
    };
    let (off, on) = (Switch::Off, Switch::On);
    let wanted = [off, off, on, on, off];
    assert_eq!(wants(wanted, &problem), wanted);
    assert_eq!(wants([on; 5], &problem), [off, off, on, on, on]);
    problem.targets[2] = Target::Exact(1_000.0);
    let plan = solve(&problem, &Settings::default()).unwrap();
    certify(&problem, &plan).unwrap();
}
