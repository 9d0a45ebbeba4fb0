use std::collections::BTreeMap;

use units::{Timestamp, Watts};

use super::{Events, FunctionSet, MAX_EVENTS, Outcome, Phase, Traits};
use crate::client::event::{Announced, Extent, Listed, Referred};
use crate::client::setpoint::{Modes, Request, Requests, Setpoint, Source};
use crate::codec::simple::{HexBinary8, HexBinary32, HexBinary128, PerCent, TimeType};
use crate::codec::table::Edition;
use crate::wire::control_mode::{DerControlType, Mode};
use crate::wire::der_control::{DerControl, DerControlBase, EventState, EventStatus};
use crate::wire::quantity::ActivePower;
use crate::wire::time::DateTimeInterval;

mod editions;
mod laws;

const SITE: u128 = 0xA;
const SYSTEM: u128 = 0xB;

fn traits() -> Traits {
    Traits {
        function_set: FunctionSet::Der,
        seed: 1,
        supported: Modes::ALL,
        category: None,
        edition: Edition::Y2018,
    }
}

/// The events of a device with both programmes.
struct Bench {
    events: Events<Requests>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self::with(Traits { seed, ..traits() })
    }

    fn with(traits: Traits) -> Self {
        let mut events = Events::new(traits);
        events.assign(&BTreeMap::from([(SITE, 1), (SYSTEM, 5)]), at(0));
        Self { events }
    }

    fn learn(&mut self, program: u128, controls: &[DerControl], now: Timestamp) {
        let listed = controls.iter().map(|control| {
            let event = Announced::der_control(program, control);
            Listed::new(event, &control.event_status)
        });
        let listed: Vec<_> = listed.collect();
        self.events.learn(program, (&listed, Extent::Whole), now);
    }

    fn step(&mut self, now: Timestamp) {
        self.events.step(now);
    }

    fn next_change(&self) -> Option<Timestamp> {
        self.events.next_change()
    }

    fn phases(&self) -> impl Iterator<Item = (u128, Phase)> {
        self.events.phases()
    }

    fn setpoint(&self) -> Setpoint {
        let mut setpoint = Setpoint::default();
        for (event, modes) in self.events.in_force() {
            setpoint.fill(&event.payload, modes, Source::Event(event.mrid.value()));
        }
        setpoint
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn target(w: i64) -> DerControlBase {
    DerControlBase {
        op_mod_target_w: Some(Mode::of(ActivePower::nearest(Watts::whole(w)))),
        ..DerControlBase::default()
    }
}

/// A control of 1 kW times its mRID, created at its mRID, from `start` for `duration` seconds.
fn control(mrid: u8, start: i64, duration: u32) -> DerControl {
    DerControl {
        reply_to: Some("/rsp".into()),
        response_required: Some(HexBinary8::new(0b111)),
        mrid: HexBinary128::new(mrid.into()),
        creation_time: TimeType(mrid.into()),
        interval: DateTimeInterval {
            duration,
            start: TimeType(start),
        },
        base: target(i64::from(mrid) * 1_000),
        ..DerControl::default()
    }
}

fn with_status(control: &DerControl, current_status: EventState) -> DerControl {
    let event_status = EventStatus {
        current_status,
        ..EventStatus::default()
    };
    DerControl {
        event_status,
        ..control.clone()
    }
}

fn statuses(events: &mut Bench) -> Vec<(u128, u8)> {
    events
        .events
        .take_due()
        .iter()
        .map(|due| (due.subject.value(), due.status.0))
        .collect()
}

fn asked(events: &Bench) -> Option<i64> {
    let setpoint = events.setpoint();
    let active = setpoint.active_power()?;
    let Request::TargetW(p) = &active.request else {
        panic!("{active:?} in a test that asks for watts");
    };
    Some(p.quantity()?.micro() / units::MICRO)
}

#[test]
fn an_event_is_received_started_and_completed() {
    let mut events = Bench::new(1);
    events.learn(SITE, &[control(1, 100, 50)], at(90));
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![(1, 1)], None)
    );
    assert_eq!(events.next_change(), Some(at(100)));
    events.step(at(100));
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![(1, 2)], Some(1_000))
    );
    events.step(at(149));
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![], Some(1_000))
    );
    events.step(at(150));
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![(1, 3)], None)
    );
}

#[test]
fn an_event_that_is_over_is_not_met_again_while_the_server_shows_it() {
    let mut events = Bench::new(1);
    let list = [control(1, 100, 50)];
    events.learn(SITE, &list, at(90));
    events.step(at(200));
    statuses(&mut events);
    events.learn(SITE, &list, at(201));
    assert_eq!(statuses(&mut events), []);
    events.learn(SITE, &[], at(202));
    assert_eq!(events.phases().count(), 0);
}

#[test]
fn responses_are_made_only_where_required() {
    let mut events = Bench::new(1);
    let quiet = DerControl {
        response_required: Some(HexBinary8::new(0b010)),
        ..control(1, 100, 50)
    };
    let nowhere = DerControl {
        reply_to: None,
        ..control(2, 300, 50)
    };
    events.learn(SITE, &[quiet, nowhere], at(90));
    for t in [100, 150, 300, 350] {
        events.step(at(t));
    }
    assert_eq!(statuses(&mut events), [(1, 2), (1, 3)]);
}

#[test]
fn a_later_control_of_the_programme_supersedes_whatever_the_order_of_arrival() {
    let (old, new) = (control(1, 100, 100), control(2, 130, 30));
    for list in [[old.clone(), new.clone()], [new, old]] {
        let mut events = Bench::new(1);
        events.learn(SITE, &list, at(90));
        events.step(at(100));
        assert_eq!(asked(&events), Some(1_000));
        statuses(&mut events);
        events.step(at(130));
        assert_eq!(asked(&events), Some(2_000));
        assert_eq!(statuses(&mut events), [(2, 2), (1, 7)]);
        events.step(at(160));
        assert_eq!(
            (asked(&events), statuses(&mut events)),
            (None, vec![(2, 3)])
        );
        events.step(at(199));
        assert_eq!(asked(&events), None, "a superseded event never resumes");
    }
}

#[test]
fn the_better_programme_wins_though_its_control_is_older() {
    let mut events = Bench::new(1);
    events.learn(SYSTEM, &[control(9, 100, 100)], at(90));
    events.learn(SITE, &[control(1, 100, 40)], at(90));
    statuses(&mut events);
    events.step(at(100));
    assert_eq!(asked(&events), Some(1_000));
    assert_eq!(statuses(&mut events), [(1, 2), (9, 14)]);
    events.step(at(150));
    assert_eq!(asked(&events), None);
}

#[test]
fn a_limit_stands_beside_a_set_point() {
    let mut events = Bench::new(1);
    let base = DerControlBase {
        op_mod_max_lim_w: Some(Mode::of(PerCent(4_000))),
        ..DerControlBase::default()
    };
    let limit = DerControl {
        base,
        ..control(2, 100, 50)
    };
    events.learn(SITE, &[control(1, 100, 50), limit], at(100));
    let setpoint = events.setpoint();
    assert_eq!(setpoint.active_power().unwrap().source, Source::Event(1));
    assert_eq!(setpoint.max_lim_w(), Some(4_000));
}

#[test]
fn an_event_loses_only_the_modes_that_a_better_one_takes() {
    let mut events = Bench::new(1);
    let base = DerControlBase {
        op_mod_connect: Some(false),
        ..target(500)
    };
    let both = DerControl {
        base,
        ..control(1, 100, 100)
    };
    events.learn(SITE, &[both, control(2, 120, 20)], at(100));
    statuses(&mut events);
    events.step(at(120));
    assert_eq!(asked(&events), Some(2_000));
    assert!(!events.setpoint().is_connected());
    events.step(at(140));
    assert_eq!(asked(&events), None);
    assert!(!events.setpoint().is_connected());
    events.step(at(200));
    assert_eq!(statuses(&mut events), [(2, 2), (2, 3), (1, 3)]);
}

#[test]
fn a_cancelled_event_ends_and_frees_what_it_would_have_displaced() {
    let mut events = Bench::new(1);
    let (old, new) = (control(1, 100, 100), control(2, 130, 30));
    events.learn(SITE, &[old.clone(), new.clone()], at(90));
    events.step(at(100));
    statuses(&mut events);
    events.learn(
        SITE,
        &[old.clone(), with_status(&new, EventState::CANCELLED)],
        at(110),
    );
    assert_eq!(statuses(&mut events), [(2, 6)]);
    events.step(at(140));
    assert_eq!(asked(&events), Some(1_000));
    events.learn(SITE, &[with_status(&old, EventState::CANCELLED)], at(150));
    assert_eq!(
        (asked(&events), statuses(&mut events)),
        (None, vec![(1, 6)])
    );
}

#[test]
fn cancelled_with_randomization_ends_within_the_range() {
    let mut events = Bench::new(1);
    let event = DerControl {
        randomize_duration: Some(30),
        ..control(1, 100, 1_000)
    };
    events.learn(SITE, std::slice::from_ref(&event), at(100));
    statuses(&mut events);
    let mut cancelled = with_status(&event, EventState::CANCELLED_WITH_RANDOMIZATION);
    cancelled.event_status.date_time = TimeType(200);
    events.learn(SITE, &[cancelled], at(200));
    let end = events.next_change().unwrap();
    assert!((at(200)..=at(230)).contains(&end));
    events.step(at(231));
    assert_eq!(
        (asked(&events), statuses(&mut events)),
        (None, vec![(1, 6)])
    );
}

#[test]
fn start_and_duration_are_randomised_within_their_ranges() {
    let mut starts = Vec::new();
    for seed in 0..40 {
        let mut events = Bench::new(seed);
        let event = DerControl {
            randomize_start: Some(-10),
            randomize_duration: Some(20),
            ..control(1, 100, 50)
        };
        events.learn(SITE, &[event], at(50));
        let start = events.next_change().unwrap();
        events.step(start);
        let end = events.next_change().unwrap();
        assert!((90..=100).contains(&start.secs()));
        assert!((50..=70).contains(&(end.secs() - start.secs())));
        starts.push(start);
    }
    starts.sort();
    starts.dedup();
    assert!(starts.len() > 5, "devices should not start together");
}

#[test]
fn what_comes_too_late_or_asks_nothing_is_refused() {
    let mut events = Bench::new(1);
    let empty = DerControl {
        base: DerControlBase::default(),
        ..control(2, 100, 50)
    };
    events.learn(SITE, &[control(1, 10, 50), empty], at(90));
    assert_eq!(statuses(&mut events), [(1, 254), (2, 252)]);
    events.learn(SITE, &[control(3, 95, 2)], at(90));
    events.step(at(98));
    assert_eq!(statuses(&mut events), [(3, 1), (3, 10)]);
}

#[test]
fn the_owner_opts_out_of_what_runs_and_what_comes() {
    let mut events = Bench::new(1);
    events.learn(SITE, &[control(1, 100, 50), control(2, 150, 50)], at(100));
    statuses(&mut events);
    events.events.opt_out(at(110));
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![(1, 4), (2, 4)], None)
    );
    events.learn(SITE, &[control(3, 200, 50)], at(120));
    assert_eq!(statuses(&mut events), [(3, 1), (3, 4)]);
    events.step(at(210));
    assert_eq!(asked(&events), None);
    assert_eq!(
        statuses(&mut events),
        [(1, 8), (2, 10)],
        "one took part, the other never did"
    );
    assert_eq!(
        events.phases().collect::<Vec<_>>(),
        [1, 2, 3].map(|mrid| (mrid, Phase::Over(Outcome::OptedOut)))
    );
    events.events.opt_in(at(220));
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![(3, 5)], Some(3_000))
    );
    events.step(at(250));
    assert_eq!(statuses(&mut events), [(3, 9)]);
    events.learn(SITE, &[control(4, 300, 50)], at(300));
    assert_eq!(asked(&events), Some(4_000));
}

#[test]
fn a_programme_that_is_no_longer_assigned_is_abandoned() {
    let mut events = Bench::new(1);
    events.learn(SITE, &[control(1, 100, 50)], at(100));
    events.learn(SYSTEM, &[control(2, 300, 50)], at(100));
    statuses(&mut events);
    events
        .events
        .assign(&BTreeMap::from([(SYSTEM, 5)]), at(110));
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![(1, 13)], None)
    );
    assert_eq!(events.phases().collect::<Vec<_>>(), [(2, Phase::Scheduled)]);
}

#[test]
fn the_number_of_events_held_is_limited() {
    let mut events = Bench::new(1);
    let many: Vec<DerControl> = (0..MAX_EVENTS + 3)
        .map(|n| DerControl {
            mrid: HexBinary128::new(u128::try_from(n).unwrap()),
            ..control(1, 100, 50)
        })
        .collect();
    events.learn(SITE, &many, at(90));
    assert_eq!(events.phases().count(), MAX_EVENTS);
}

#[test]
fn follow_up_events_hand_over_without_a_gap_or_a_loser() {
    for seed in 0..60 {
        let mut events = Bench::new(seed);
        let randomised = |mrid, start| DerControl {
            randomize_start: Some(30),
            creation_time: TimeType(100 - i64::from(mrid)),
            ..control(mrid, start, 100)
        };
        events.learn(SITE, &[randomised(1, 100), randomised(2, 200)], at(90));
        statuses(&mut events);
        let mut asked_then = Vec::new();
        for now_s in 90..400 {
            events.step(at(now_s));
            asked_then.push(asked(&events));
        }
        asked_then.dedup();
        let told = statuses(&mut events);
        assert!(told.contains(&(1, 3)) && told.contains(&(2, 3)), "{told:?}");
        assert!(told.iter().all(|(_, status)| *status < 4), "{told:?}");
        let powers: Vec<i64> = asked_then.into_iter().flatten().collect();
        assert_eq!(powers, [1_000, 2_000], "seed {seed}");
    }
}

#[test]
fn events_for_other_kinds_of_device_are_ignored_without_a_word() {
    let mut events = Bench::with(Traits {
        category: Some(0b100),
        ..traits()
    });
    let of = |mrid, category| DerControl {
        device_category: Some(HexBinary32::new(category)),
        ..control(mrid, 100, 50)
    };
    events.learn(SITE, &[of(1, 0b11), of(2, 0b110)], at(100));
    assert_eq!(statuses(&mut events), [(2, 1), (2, 2)]);
}

#[test]
fn what_the_device_cannot_do_is_not_applicable_and_displaces_nothing() {
    let mut events = Bench::with(Traits {
        supported: Modes::of_type(DerControlType::new(DerControlType::TARGET_W)),
        ..traits()
    });
    let limit = DerControl {
        base: DerControlBase {
            op_mod_max_lim_w: Some(Mode::of(PerCent(0))),
            ..DerControlBase::default()
        },
        ..control(2, 100, 50)
    };
    events.learn(SITE, &[control(1, 100, 50), limit], at(100));
    assert_eq!(statuses(&mut events), [(1, 1), (2, 252), (1, 2)]);
    assert_eq!(events.setpoint().max_lim_w(), None);
}

#[test]
fn an_event_that_refers_to_nothing_is_invalid() {
    let mut events = Bench::new(1);
    let event = control(1, 100, 50);
    let mut listed = Listed::new(Announced::der_control(SITE, &event), &event.event_status);
    listed.referred = Referred::Wrong;
    let listed = (&[listed][..], Extent::Whole);
    events.events.learn(SITE, listed, at(100));
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![(1, 253)], None)
    );
}
