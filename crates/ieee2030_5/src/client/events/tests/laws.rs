//! What holds for any events, told in any order and followed at any pace.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Bench, SITE, SYSTEM, at, control, with_status};
use crate::client::setpoint::{Modes, Requests};
use crate::codec::simple::{PerCent, TimeType};
use crate::wire::control_mode::Mode;
use crate::wire::der_control::{DerControl, DerControlBase, EventState};

/// All events of these tests are over by then.
const HORIZON_S: i64 = 160;

/// A control and its programme.
type Given = (u128, DerControl);

/// What a control is made of.
#[derive(Clone, Debug)]
struct Sketch {
    program: u128,
    start_s: i64,
    duration_s: u32,
    created_s: i64,
    /// Bits: a target, a limit, a connection.
    asks: u8,
    randomize_start_s: i16,
    randomize_duration_s: i16,
}

impl Sketch {
    fn made(&self, mrid: u8) -> Given {
        let target = control(mrid, self.start_s, self.duration_s);
        let has = |bit: u8| self.asks & bit != 0;
        let base = DerControlBase {
            op_mod_target_w: target.base.op_mod_target_w.clone().filter(|_| has(1)),
            op_mod_max_lim_w: has(2).then_some(Mode::of(PerCent(mrid.into()))),
            op_mod_connect: has(4).then_some(true),
            ..DerControlBase::default()
        };
        let control = DerControl {
            base,
            creation_time: TimeType(self.created_s),
            randomize_start: Some(self.randomize_start_s),
            randomize_duration: Some(self.randomize_duration_s),
            ..target
        };
        (self.program, control)
    }
}

fn sketches(randomized: i16) -> impl Strategy<Value = Vec<Sketch>> {
    let program = prop_oneof![Just(SITE), Just(SYSTEM)];
    let times = (0..60_i64, 1..50_u32, 0..6_i64);
    let random = (-randomized..=randomized, -randomized..=randomized);
    let sketch =
        (program, times, 1..8_u8, random).prop_map(|(program, times, asks, random)| Sketch {
            program,
            start_s: times.0,
            duration_s: times.1,
            created_s: times.2,
            asks,
            randomize_start_s: random.0,
            randomize_duration_s: random.1,
        });
    prop::collection::vec(sketch, 1..9)
}

fn made(sketches: &[Sketch]) -> Vec<Given> {
    (1..)
        .zip(sketches)
        .map(|(mrid, it)| it.made(mrid))
        .collect()
}

/// What is in force: by event, its modes.
type Force = BTreeMap<u128, Modes>;

fn force(bench: &Bench) -> Force {
    let in_force = bench.events.in_force();
    in_force
        .iter()
        .map(|(event, modes)| (event.mrid.value(), *modes))
        .collect()
}

fn tell(bench: &mut Bench, all: &[Given], now_s: i64) {
    for program in [SITE, SYSTEM] {
        let of_program = all.iter().filter(|(of, _)| *of == program);
        let controls: Vec<DerControl> = of_program.map(|(_, control)| control.clone()).collect();
        bench.learn(program, &controls, at(now_s));
    }
}

/// The same rules second by second, without looking ahead: of the events that go on, the best
/// holds a mode, and whoever had to stand back for it once never gets it again.
fn model(all: &[Given]) -> Vec<Force> {
    let mut ranked: Vec<&Given> = all.iter().collect();
    let rank = |(program, control): &&Given| {
        (
            *program,
            -control.creation_time.0,
            std::cmp::Reverse(control.mrid.value()),
        )
    };
    ranked.sort_by_key(rank);
    let mut lost: BTreeMap<u128, Modes> = BTreeMap::new();
    let mut seconds = Vec::new();
    for now_s in 0..HORIZON_S {
        let mut held = Modes::default();
        let mut force = Force::new();
        for (_, control) in &ranked {
            let start_s = control.interval.start.0;
            let is_on = start_s <= now_s && now_s < start_s + i64::from(control.interval.duration);
            let gone = lost.entry(control.mrid.value()).or_default();
            let modes = Requests::of(&control.base).modes().without(*gone);
            if is_on && !modes.is_empty() {
                *gone = gone.with(modes.common(held));
                let left = modes.without(held);
                held = held.with(left);
                if !left.is_empty() {
                    force.insert(control.mrid.value(), left);
                }
            }
        }
        seconds.push(force);
    }
    seconds
}

proptest! {
    #[test]
    fn what_is_in_force_is_what_the_rules_say_second_by_second(all in sketches(0)) {
        let all = made(&all);
        let mut bench = Bench::new(1);
        tell(&mut bench, &all, -1);
        for (now_s, expected) in (0..).zip(model(&all)) {
            bench.step(at(now_s));
            prop_assert_eq!(force(&bench), expected, "at {}", now_s);
        }
    }

    #[test]
    fn the_order_in_which_events_become_known_does_not_matter(
        (all, order) in sketches(20).prop_flat_map(|all| {
            let order = Just((0..all.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(all), order)
        }),
        seed in any::<u64>(),
    ) {
        let all = made(&all);
        let mut at_once = Bench::new(seed);
        tell(&mut at_once, &all, -100);
        let mut one_by_one = Bench::new(seed);
        let mut known: Vec<Given> = Vec::new();
        for place in order {
            known.push(all[place].clone());
            tell(&mut one_by_one, &known, -100);
        }
        for now_s in -30..HORIZON_S {
            at_once.step(at(now_s));
            one_by_one.step(at(now_s));
            prop_assert_eq!(force(&at_once), force(&one_by_one), "at {}", now_s);
        }
    }

    #[test]
    fn a_mode_is_held_by_one_event_and_what_was_lost_never_comes_back(
        all in sketches(20),
        cancelled in prop::collection::btree_map(0..8_usize, 0..HORIZON_S, 0..3),
        seed in any::<u64>(),
    ) {
        let mut bench = Bench::new(seed);
        let mut all = made(&all);
        let mut before = Force::new();
        let mut gone: BTreeMap<u128, Modes> = BTreeMap::new();
        for now_s in -30..HORIZON_S {
            for (place, _) in cancelled.iter().filter(|(_, when_s)| **when_s == now_s) {
                if let Some((_, control)) = all.get_mut(*place) {
                    *control = with_status(control, EventState::CANCELLED);
                }
            }
            tell(&mut bench, &all, now_s);
            let now = force(&bench);
            let mut held = Modes::default();
            for (mrid, modes) in &now {
                prop_assert!(held.exclusive().common(*modes).is_empty(), "at {}", now_s);
                held = held.with(*modes);
                let gone = gone.get(mrid).copied().unwrap_or_default();
                prop_assert!(gone.common(*modes).is_empty(), "{} at {}", mrid, now_s);
            }
            for (mrid, modes) in &before {
                let lost = modes.without(now.get(mrid).copied().unwrap_or_default());
                let gone = gone.entry(*mrid).or_default();
                *gone = gone.with(lost);
            }
            before = now;
        }
        prop_assert_eq!(before, Force::new());
    }

    #[test]
    fn the_pace_does_not_matter(
        all in sketches(20),
        pauses in prop::collection::vec(1..40_i64, 1..12),
        seed in any::<u64>(),
    ) {
        let all = made(&all);
        let (mut steady, mut jumping) = (Bench::new(seed), Bench::new(seed));
        tell(&mut steady, &all, -100);
        tell(&mut jumping, &all, -100);
        let mut now_s = -30;
        for pause_s in pauses {
            for second in now_s..now_s + pause_s {
                steady.step(at(second));
            }
            now_s += pause_s;
            steady.step(at(now_s));
            jumping.step(at(now_s));
            prop_assert_eq!(force(&steady), force(&jumping), "at {}", now_s);
        }
    }

    #[test]
    fn every_event_is_answered_once_to_the_end(all in sketches(20), seed in any::<u64>()) {
        let all = made(&all);
        let mut bench = Bench::new(seed);
        tell(&mut bench, &all, -100);
        for now_s in -100..HORIZON_S {
            bench.step(at(now_s));
        }
        let mut last: BTreeMap<u128, u8> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (mrid, status) in super::statuses(&mut bench) {
            prop_assert!(seen.insert((mrid, status)), "{} told {} twice", mrid, status);
            prop_assert!(!matches!(last.get(&mrid), Some(3..)), "{} after the end", mrid);
            last.insert(mrid, status);
        }
        let ends: BTreeSet<u128> = last.iter().filter(|(_, it)| **it >= 3).map(|(it, _)| *it).collect();
        let given: BTreeSet<u128> = all.iter().map(|(_, it)| it.mrid.value()).collect();
        prop_assert_eq!(ends, given);
    }
}
