//! Strategies: what is due when, once each, by the calendar and by what is measured.

use std::collections::BTreeSet;

use proptest::prelude::*;
use units::{Date, Percent, Weekday, Zone, ZoneChange};

use super::*;
use crate::dispatch::LinearLimit;
use crate::dispatch::assess::{Policy, World};
use crate::enrolment::{Dated, DemandResponseProgram, DemandResponseProgramId, Terms};
use crate::strategy::due;
use crate::strategy::{
    Calendar, Due, Flow, Gauge, Level, Missed, NewStrategy, Occurrence, Outcome, Standing,
    Strategy, StrategyBook, StrategyCommand, Template, Threshold, Trigger, Watch,
};
use crate::{
    Aim, DispatchId, EnrolmentCommand, GroupId, Ledger, Note, Objective, Observation, Priority,
    Publish, Quality, Reading, Rejection, StrategyId,
};

const ID: StrategyId = StrategyId(0);
const DAY: i64 = 86_400;
const NONE: [i64; 0] = [];
/// 2026-03-01T00:00:00Z.
const MARCH: i64 = 1_772_323_200;
/// When clocks are changed in New York in 2026 (Python 3.11 `zoneinfo`, tzdata 2025b).
const NEW_YORK: [(i64, i32); 2] = [(1_772_953_200, -14_400), (1_793_512_800, -18_000)];

fn new_york() -> Zone {
    let changes = NEW_YORK.map(|(at, offset_s)| ZoneChange {
        at: t(at),
        offset_s,
    });
    Zone::new(-18_000, changes.to_vec()).unwrap()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn daily(hour: u32, minute: u32) -> Calendar {
    Calendar {
        weekdays: BTreeSet::new(),
        months: BTreeSet::new(),
        start_s: hour * 3_600 + minute * 60,
        excluded: BTreeSet::new(),
    }
}

fn template(lead_s: u64, duration_s: u64) -> Template {
    Template {
        aim: Aim::Net(watts(2_000)),
        duration: secs(duration_s),
        lead: secs(lead_s),
        ramp: None,
        priority: Priority::Economic,
        objective: Objective::ProRata,
        publish: Publish::OnCommand,
        release: Duration::ZERO,
    }
}

fn new_strategy(trigger: Trigger, template: Template) -> NewStrategy {
    NewStrategy {
        mrid: mrid("evening"),
        name: Name::new("Evening peak").unwrap(),
        program: DemandResponseProgramId(0),
        group: GroupId(0),
        trigger,
        template,
        by: Name::new("anna").unwrap(),
    }
}

/// A fleet with one strategy, and what has been seen for it.
struct Scene {
    rig: Rig,
    observations: Vec<Observation>,
    limits: Vec<LinearLimit>,
    zone: Zone,
    watch: Watch,
}

impl Scene {
    /// Two batteries of 5 kW, a group of both, a programme.
    fn new() -> Self {
        let mut rig = Rig::new();
        let members = [rig.storage(5_000, 20_000), rig.storage(5_000, 20_000)];
        rig.group("all", &members);
        rig.must(
            &Command::Enrolment(EnrolmentCommand::PutProgram(DemandResponseProgram {
                mrid: mrid("peak"),
                name: Name::new("Peak").unwrap(),
                terms: Dated::from(t(0), Terms::default()),
            })),
            0,
        );
        Self {
            rig,
            observations: vec![Observation::default(); 2],
            limits: Vec::new(),
            zone: new_york(),
            watch: Watch::default(),
        }
    }

    fn with(new: NewStrategy, now: i64) -> Self {
        let mut scene = Self::new();
        scene.must(StrategyCommand::Put(Box::new(new)), now);
        scene
    }

    fn ask(&mut self, command: StrategyCommand, now: i64) -> Result<usize, Rejection> {
        let events = self.rig.fleet.decide(&Command::Strategy(command), t(now))?;
        for event in &events {
            self.rig.fleet.apply(event);
        }
        Ok(events.len())
    }

    fn must(&mut self, command: StrategyCommand, now: i64) {
        self.ask(command, now).unwrap();
    }

    fn stand(&mut self, standing: Standing, now: i64) {
        let by = Name::new("bert").unwrap();
        self.must(StrategyCommand::Stand(ID, standing, by), now);
    }

    fn hear(&mut self, der: usize, p_w: i64, at: i64) {
        self.observations[der].last_contact = Some(t(at));
        self.observations[der].p = Some(Reading {
            value: watts(p_w),
            at: t(at),
            quality: Quality::Valid,
        });
    }

    fn due(&mut self, now: i64) -> Vec<Due> {
        let deliveries = Ledger::default();
        let world = World {
            fleet: &self.rig.fleet,
            observations: &self.observations,
            deliveries: &deliveries,
            policy: Policy {
                silent_after: secs(60),
                ..Policy::default()
            },
            now: t(now),
        };
        self.watch.due(&world, &self.limits, &self.zone)
    }

    /// Does what is due, as the control loop does; the starts of the dispatches that were made.
    fn tick(&mut self, now: i64) -> Vec<i64> {
        let mut made = Vec::new();
        for due in self.due(now) {
            let (strategy, start, dispatch) = match due {
                Due::Note(command) => {
                    self.must(command, now);
                    continue;
                }
                Due::Create {
                    strategy,
                    start,
                    dispatch,
                } => (strategy, start, dispatch),
            };
            let id = DispatchId::from(self.rig.fleet.dispatches().len());
            self.rig.must(&Command::CreateDispatch(*dispatch), now);
            let occurrence = Occurrence {
                start,
                decided: t(now),
                outcome: Outcome::Created(id),
            };
            self.must(StrategyCommand::Note(strategy, occurrence), now);
            made.push(start.secs());
        }
        made
    }

    fn outcomes(&self) -> Vec<(i64, Outcome)> {
        let (_, progress) = self.rig.fleet.strategies().strategy(ID).unwrap();
        let all = progress.occurrences.iter();
        all.map(|it| (it.start.secs(), it.outcome.clone()))
            .collect()
    }
}

/// Five in the afternoon in New York on day `day` of March 2026: 22:00 UTC, and 21:00 from the 8th on.
fn five(day: i64) -> i64 {
    let hour = if day < 8 { 22 } else { 21 };
    MARCH + (day - 1) * DAY + hour * 3_600
}

#[test]
fn a_dispatch_is_made_ahead_of_each_local_time_and_says_whose_it_is() {
    let calendar = Trigger::Calendar(daily(17, 0));
    let mut scene = Scene::with(new_strategy(calendar, template(3_600, 7_200)), MARCH);
    assert_eq!(scene.tick(five(1) - 3_601), NONE);
    assert_eq!(scene.tick(five(1) - 3_600), [five(1)]);
    assert_eq!(scene.tick(five(1) - 3_599), NONE);
    let dispatch = scene.rig.fleet.dispatch(DispatchId(0)).unwrap();
    assert_eq!(dispatch.mrid.as_str(), "evening-20260301T220000Z");
    assert_eq!(dispatch.conduct.program, Some(DemandResponseProgramId(0)));
    assert_eq!(dispatch.conduct.author, Name::new("anna").ok());
    assert_eq!(dispatch.span().unwrap().duration, secs(7_200));
    let maker = scene.rig.fleet.strategies().maker_of(DispatchId(0));
    assert_eq!(maker.unwrap().mrid, mrid("evening"));
    let days: Vec<i64> = (2..=10).map(five).collect();
    let made: Vec<i64> = days.iter().flat_map(|at| scene.tick(*at)).collect();
    assert_eq!(made, days, "a day has 23 hours when clocks are put forward");
}

/// 02:30 does not come on 8 March, 01:30 comes twice on 1 November: instants from Python's `zoneinfo`
/// as in the tests of [`Zone`].
#[test]
fn a_time_that_is_left_out_or_comes_twice_happens_once() {
    let zone = new_york();
    let starts = |calendar: &Calendar, from: i64, days: i64| -> Vec<i64> {
        let starts = calendar.starts(&zone, t(from), t(from + days * DAY));
        starts.map(Timestamp::secs).collect()
    };
    let spring = [1_772_868_600, 1_772_953_200, 1_773_037_800];
    assert_eq!(starts(&daily(2, 30), 1_772_841_600, 3), spring);
    let autumn = [1_793_424_600, 1_793_511_000, 1_793_601_000];
    assert_eq!(starts(&daily(1, 30), 1_793_404_800, 3), autumn);
    assert_eq!(
        starts(&daily(1, 30), autumn[1], 1),
        NONE,
        "nor from in between"
    );
}

#[test]
fn days_months_and_excluded_dates_decide() {
    let calendar = Calendar {
        weekdays: BTreeSet::from([Weekday::Monday, Weekday::Friday]),
        months: BTreeSet::from([3]),
        excluded: BTreeSet::from([Date::new(2026, 3, 6).unwrap()]),
        ..daily(17, 0)
    };
    let zone = new_york();
    let found: Vec<i64> = calendar
        .starts(&zone, t(MARCH), t(MARCH + 45 * DAY))
        .map(Timestamp::secs)
        .collect();
    assert_eq!(found, [2, 9, 13, 16, 20, 23, 27, 30].map(five));
}

#[test]
fn what_could_not_be_made_in_time_is_told_and_not_made() {
    let calendar = Trigger::Calendar(daily(17, 0));
    let mut scene = Scene::with(new_strategy(calendar, template(0, 7_200)), MARCH);
    let tolerance = i64::try_from(Strategy::TOLERANCE.as_secs()).unwrap();
    assert_eq!(
        scene.tick(five(1) + tolerance),
        [five(1)],
        "late is soon enough"
    );
    assert_eq!(scene.tick(five(3) + tolerance + 1), NONE);
    let missed = Outcome::Missed(Missed::Down);
    assert_eq!(
        scene.outcomes()[1..],
        [(five(2), missed.clone()), (five(3), missed)]
    );
    let (strategy, progress) = scene.rig.fleet.strategies().strategy(ID).unwrap();
    assert!(strategy.failure(progress).is_some());
    assert_eq!(scene.tick(five(4)), [five(4)]);
    let (strategy, progress) = scene.rig.fleet.strategies().strategy(ID).unwrap();
    assert_eq!(strategy.failure(progress), None);
}

#[test]
fn one_dispatch_at_a_time_is_open() {
    let long = template(7 * 86_400, 86_400);
    let calendar = Trigger::Calendar(daily(17, 0));
    let mut scene = Scene::with(new_strategy(calendar, long), MARCH);
    assert_eq!(scene.tick(MARCH), [five(1)]);
    assert_eq!(scene.tick(five(2) - 1), NONE, "the first runs");
    assert_eq!(scene.tick(five(2)), [five(2)], "it is over");
    scene
        .rig
        .must(&Command::CancelDispatch(DispatchId(1)), five(2) + 60);
    assert_eq!(
        scene.tick(five(2) + 60),
        [five(3)],
        "called off is over too"
    );
    let change = crate::DispatchChange {
        schedule: Some(vec![target(five(3), 26 * 3_600, 2_000)]),
        ..crate::DispatchChange::default()
    };
    let extended = Command::ChangeDispatch(DispatchId(2), change);
    scene.rig.must(&extended, five(3));
    assert_eq!(scene.tick(five(4) + 301), NONE);
    let open = Outcome::Missed(Missed::Open(DispatchId(2)));
    assert_eq!(scene.outcomes().last(), Some(&(five(4), open)));
}

#[test]
fn what_was_to_begin_during_a_pause_or_before_a_change_is_not_due() {
    let calendar = Trigger::Calendar(daily(17, 0));
    let mut scene = Scene::with(new_strategy(calendar, template(3_600, 600)), MARCH);
    scene.stand(Standing::Paused, MARCH + 60);
    assert_eq!(scene.tick(five(1)), NONE);
    assert_eq!(scene.tick(five(2) + 3_600), NONE);
    scene.stand(Standing::Running, five(2) + 3_600);
    assert_eq!(scene.tick(five(2) + 3_601), NONE);
    assert!(scene.outcomes().is_empty(), "nor is it missed");
    assert_eq!(scene.tick(five(3) - 3_600), [five(3)]);
    scene
        .rig
        .must(&Command::CancelDispatch(DispatchId(0)), five(3) - 3_590);
    let earlier = new_strategy(Trigger::Calendar(daily(16, 30)), template(3_600, 600));
    scene.must(
        StrategyCommand::Put(Box::new(earlier.clone())),
        five(3) - 3_580,
    );
    assert_eq!(scene.tick(five(3) - 3_570), [five(3) - 1_800]);
    let same = StrategyCommand::Put(Box::new(earlier));
    assert_eq!(scene.ask(same, five(3)), Ok(0), "so already");
    let back = new_strategy(Trigger::Calendar(daily(17, 0)), template(3_600, 600));
    scene
        .rig
        .must(&Command::CancelDispatch(DispatchId(1)), five(3) - 1_900);
    scene.must(StrategyCommand::Put(Box::new(back)), five(3) - 1_800);
    assert_eq!(scene.tick(five(3) - 60), NONE, "that one was made");
    scene.stand(Standing::Retired, five(3));
    assert_eq!(scene.tick(five(4)), NONE);
    let by = Name::new("bert").unwrap();
    let again = StrategyCommand::Stand(ID, Standing::Running, by);
    assert!(scene.ask(again, five(4)).is_err());
}

#[test]
fn what_was_refused_is_tried_again_when_the_strategy_is_changed() {
    let calendar = || Trigger::Calendar(daily(17, 0));
    let mut scene = Scene::with(new_strategy(calendar(), template(3_600, 600)), MARCH);
    let refused = Occurrence {
        start: t(five(1)),
        decided: t(five(1) - 3_600),
        outcome: Outcome::Refused(Note::new("short by 1 W").unwrap()),
    };
    scene.must(StrategyCommand::Note(ID, refused.clone()), five(1) - 3_600);
    assert_eq!(scene.tick(five(1) - 3_590), NONE);
    let again = scene.ask(StrategyCommand::Note(ID, refused), five(1) - 3_590);
    assert_eq!(again, Ok(0), "that is known");
    let shorter = new_strategy(calendar(), template(3_600, 300));
    scene.must(StrategyCommand::Put(Box::new(shorter)), five(1) - 1_800);
    assert_eq!(scene.tick(five(1) - 1_790), [five(1)]);
    assert_eq!(scene.tick(five(1) - 1_780), NONE);
}

fn threshold(gauge: Gauge, (above, below): (Level, Level)) -> Trigger {
    Trigger::Threshold(Threshold {
        gauge,
        above,
        below,
        lasting: secs(30),
        pause: secs(600),
    })
}

/// Above 6 kW of import, again below 4 kW.
fn overload() -> Trigger {
    let levels = (Level::Power(watts(6_000)), Level::Power(watts(4_000)));
    threshold(Gauge::Group(GroupId(0), Flow::Import), levels)
}

#[test]
fn a_dispatch_is_made_when_a_power_has_been_above_its_level() {
    let mut scene = Scene::with(new_strategy(overload(), template(60, 600)), 1_000);
    for (now, p_w) in [(1_000, -3_500), (1_020, -2_900), (1_030, -3_500)] {
        scene.hear(0, -3_000, now);
        scene.hear(1, p_w, now);
        assert_eq!(scene.tick(now), NONE);
    }
    for now in [1_040, 1_059] {
        scene.hear(0, -3_000, now);
        scene.hear(1, -3_500, now);
        assert_eq!(scene.tick(now), NONE, "not for so long without a break");
    }
    assert_eq!(scene.tick(1_060), [1_120]);
    // Its end is at 1720, and 600 s later the next one may come, once it has been below.
    for now in (1_070..4_000).step_by(10) {
        scene.hear(0, -3_000, now);
        scene.hear(1, -3_500, now);
        assert_eq!(scene.tick(now), NONE, "it has not been below since");
    }
    for (now, p_w) in [(4_000, -1_500), (4_010, -900), (4_020, -3_500)] {
        scene.hear(0, -3_000, now);
        scene.hear(1, p_w, now);
        assert_eq!(scene.tick(now), NONE);
    }
    assert_eq!(scene.tick(4_050), [4_110]);
}

#[test]
fn a_pause_is_kept_though_it_has_been_below() {
    let mut scene = Scene::with(new_strategy(overload(), template(0, 60)), 1_000);
    let mut made = Vec::new();
    for now in (1_000..3_000).step_by(10) {
        let p_w = if now % 100 < 40 { -900 } else { -5_000 };
        scene.hear(0, -3_000, now);
        scene.hear(1, p_w, now);
        made.extend(scene.tick(now));
    }
    let apart = made.windows(2).all(|two| two[0] + 60 + 600 <= two[1]);
    assert!(apart && 2 < made.len(), "{made:?}");
}

#[test]
fn what_is_not_heard_counts_with_all_that_it_can_do() {
    let mut scene = Scene::with(new_strategy(overload(), template(0, 600)), 1_000);
    scene.hear(0, -5_000, 1_000);
    scene.hear(1, -5_000, 1_000);
    scene.tick(1_000);
    // The readings of the second grow old: it may import 5 kW or inject as much.
    for now in [1_030, 1_061, 1_100, 2_000] {
        scene.hear(0, -5_000, now);
        let made = scene.due(now);
        assert_eq!(made.is_empty(), now != 1_030, "{now}");
        assert_eq!(scene.watch.is_blind(ID), now != 1_030);
    }
    // Whatever it does, 4 kW are exceeded by the others and itself.
    let levels = (Level::Power(watts(-1)), Level::Power(watts(-2_000)));
    let low = threshold(Gauge::Group(GroupId(0), Flow::Import), levels);
    scene.must(
        StrategyCommand::Put(Box::new(new_strategy(low, template(0, 600)))),
        2_000,
    );
    scene.hear(0, -5_000, 2_000);
    scene.due(2_000);
    scene.hear(0, -5_000, 2_030);
    assert_eq!(scene.tick(2_030), [2_030]);
    assert!(!scene.watch.is_blind(ID));
    scene.hear(0, 0, 2_100);
    scene.tick(2_100);
    let (_, progress) = scene.rig.fleet.strategies().strategy(ID).unwrap();
    assert!(!progress.armed, "it may be below or not");
}

#[test]
fn a_share_of_a_limit_is_watched() {
    let name = Name::new("import at feeder").unwrap();
    let levels = [9_000, 8_000].map(|it| Level::Share(Percent::from_hundredths(it)));
    let trigger = threshold(Gauge::Limit(name.clone()), (levels[0], levels[1]));
    let mut scene = Scene::with(new_strategy(trigger, template(0, 600)), 1_000);
    for now in [1_000, 1_030] {
        scene.hear(0, -4_000, now);
        scene.hear(1, -3_201, now);
        assert_eq!(scene.tick(now), NONE, "there is no such limit");
        assert!(scene.watch.is_blind(ID));
    }
    scene.limits.push(LinearLimit {
        name,
        terms: vec![(DerId(0), -1.0), (DerId(1), -1.0)],
        max: watts(8_000),
        during: None,
    });
    assert_eq!(scene.tick(1_040), NONE);
    scene.hear(0, -4_000, 1_070);
    scene.hear(1, -3_201, 1_070);
    assert_eq!(scene.tick(1_070), [1_070], "7201 W of 8 kW are above 90 %");
}

#[test]
fn a_refusal_is_not_tried_again_before_the_pause_is_over() {
    let mut scene = Scene::with(new_strategy(overload(), template(0, 600)), 1_000);
    let refused = |start: i64| Occurrence {
        start: t(start),
        decided: t(start),
        outcome: Outcome::Refused(Note::new("short by 1 W").unwrap()),
    };
    let mut tries = Vec::new();
    for now in (1_000..3_000).step_by(10) {
        scene.hear(0, -5_000, now);
        scene.hear(1, -5_000, now);
        if let [Due::Create { start, .. }] = scene.due(now)[..] {
            tries.push(now);
            scene.must(StrategyCommand::Note(ID, refused(start.secs())), now);
        }
    }
    assert_eq!(tries, [1_030, 1_630, 2_230, 2_830]);
}

impl Scene {
    /// Such a strategy is refused for this field.
    fn refuses(&mut self, field: &str, new: NewStrategy) {
        let refused = self.ask(StrategyCommand::Put(Box::new(new)), 0);
        let named = matches!(&refused, Err(Rejection::Invalid { field: at, .. }) if *at == field);
        assert!(named, "{field}: {refused:?}");
    }
}

#[test]
fn a_calendar_or_template_that_makes_no_sense_is_refused() {
    let mut scene = Scene::new();
    let by = |calendar: Calendar| new_strategy(Trigger::Calendar(calendar), template(0, 600));
    let asking = |template: Template| new_strategy(Trigger::Calendar(daily(17, 0)), template);
    let good = || by(daily(17, 0));
    let months = BTreeSet::from([13]);
    scene.refuses("start", by(daily(24, 0)));
    scene.refuses(
        "months",
        by(Calendar {
            months,
            ..daily(17, 0)
        }),
    );
    let ramp = Some(secs(600));
    scene.refuses("duration", asking(template(0, 0)));
    scene.refuses("duration", asking(template(0, 86_401)));
    scene.refuses("lead", asking(template(7 * 86_400 + 1, 600)));
    scene.refuses(
        "ramp",
        asking(Template {
            ramp,
            ..template(0, 600)
        }),
    );
    let long = mrid(&"e".repeat(Strategy::MAX_MRID_CHARS + 1));
    scene.refuses(
        "mrid",
        NewStrategy {
            mrid: long,
            ..good()
        },
    );
    let nowhere = NewStrategy {
        program: DemandResponseProgramId(9),
        ..good()
    };
    let nobody = NewStrategy {
        group: GroupId(9),
        ..good()
    };
    for new in [nowhere, nobody] {
        let refused = scene.ask(StrategyCommand::Put(Box::new(new)), 0);
        assert!(matches!(refused, Err(Rejection::Unknown { .. })));
    }
    let many = by(Calendar {
        excluded: (0..1_001).map(Date::of_day).collect(),
        ..daily(17, 0)
    });
    let refused = scene.ask(StrategyCommand::Put(Box::new(many)), 0);
    assert!(matches!(
        refused,
        Err(Rejection::TooMany { max: 1_000, .. })
    ));
}

#[test]
fn a_threshold_that_makes_no_sense_is_refused() {
    let mut scene = Scene::new();
    let share = Level::Share(Percent::WHOLE);
    let power = |w: i64| Level::Power(watts(w));
    let of_group = || Gauge::Group(GroupId(0), Flow::Export);
    let of_limit = || Gauge::Limit(Name::new("any").unwrap());
    let by = |gauge: Gauge, levels: (Level, Level)| {
        new_strategy(threshold(gauge, levels), template(0, 600))
    };
    scene.refuses("above", by(of_group(), (share, share)));
    scene.refuses("below", by(of_limit(), (share, power(1))));
    scene.refuses("below", by(of_group(), (power(1), power(2))));
    for (field, lasting, pause) in [
        ("lasting", 86_401, 60),
        ("pause", 0, 59),
        ("pause", 0, 7 * 86_400 + 1),
    ] {
        let trigger = Trigger::Threshold(Threshold {
            gauge: of_group(),
            above: power(2),
            below: power(1),
            lasting: secs(lasting),
            pause: secs(pause),
        });
        scene.refuses(field, new_strategy(trigger, template(0, 600)));
    }
}

#[test]
fn one_look_finds_so_much_and_the_next_goes_on() {
    let calendar = Trigger::Calendar(daily(17, 0));
    let mut scene = Scene::with(new_strategy(calendar, template(0, 600)), MARCH);
    let later = MARCH + 150 * DAY;
    assert_eq!(scene.tick(later), NONE);
    assert_eq!(scene.outcomes().len(), due::MAX_DUE);
    assert_eq!(scene.tick(later), NONE);
    assert_eq!(scene.outcomes().len(), 150);
}

#[test]
fn one_look_adds_up_so_many_der_and_the_next_goes_on() {
    let mut scene = Scene::new();
    let limit = Name::new("many").unwrap();
    scene.limits.push(LinearLimit {
        name: limit.clone(),
        terms: vec![(DerId(9), 1.0); due::MAX_TERMS],
        max: watts(1),
        during: None,
    });
    for text in ["one", "two"] {
        let below = Level::Power(watts(-1));
        let trigger = Trigger::Threshold(Threshold {
            gauge: Gauge::Limit(limit.clone()),
            above: below,
            below,
            lasting: Duration::ZERO,
            pause: secs(60),
        });
        let new = NewStrategy {
            mrid: mrid(text),
            name: Name::new(text).unwrap(),
            ..new_strategy(trigger, template(0, 600))
        };
        scene.must(StrategyCommand::Put(Box::new(new)), 0);
    }
    let of = |due: &[Due]| match due {
        [Due::Create { strategy, .. }] => strategy.0,
        _ => panic!("{due:?}"),
    };
    let looks = [0, 1].map(|now| of(&scene.due(now)));
    assert_eq!(looks, [0, 1]);
}

#[test]
fn strategies_retired_ones_and_occurrences_have_limits() {
    let mut scene = Scene::new();
    let number = |n: usize| NewStrategy {
        mrid: mrid(&format!("s{n}")),
        name: Name::new(&format!("strategy {n}")).unwrap(),
        ..new_strategy(Trigger::Calendar(daily(17, 0)), template(0, 600))
    };
    let put = |n: usize| StrategyCommand::Put(Box::new(number(n)));
    for n in 0..StrategyBook::MAX_STRATEGIES {
        scene.must(put(n), 0);
    }
    let taken = NewStrategy {
        name: Name::new("strategy 2").unwrap(),
        ..number(1)
    };
    let taken = scene.ask(StrategyCommand::Put(Box::new(taken)), 0);
    assert!(matches!(taken, Err(Rejection::NameTaken(_))));
    let full = scene.ask(put(1_000), 0);
    assert!(matches!(full, Err(Rejection::TooMany { max: 1_000, .. })));
    let retire = |n: u32| {
        let by = Name::new("bert").unwrap();
        StrategyCommand::Stand(StrategyId(n), Standing::Retired, by)
    };
    for n in 0..1_000 {
        scene.must(retire(n), 0);
    }
    let again = scene.ask(put(0), 0);
    assert!(matches!(again, Err(Rejection::MridTaken(_))));
    scene.must(put(1_000), 0);
    scene.must(retire(1_000), 0);
    let book = scene.rig.fleet.strategies();
    assert_eq!(book.strategies().count(), StrategyBook::MAX_RETIRED);
    assert!(book.by_mrid(&mrid("s0")).is_none(), "the first is let go");
    for n in 0..300 {
        let occurrence = Occurrence {
            start: t(n),
            decided: t(n),
            outcome: Outcome::Missed(Missed::Down),
        };
        scene.must(StrategyCommand::Note(StrategyId(5), occurrence), n);
    }
    let (_, progress) = scene
        .rig
        .fleet
        .strategies()
        .strategy(StrategyId(5))
        .unwrap();
    assert_eq!(progress.occurrences.len(), StrategyBook::MAX_OCCURRENCES);
    assert_eq!(progress.occurrences[0].start, t(44));
}

proptest! {
    /// Whenever somebody looks: each local time comes to one occurrence; it is made where somebody
    /// looked in time, and missed where nobody did.
    #[test]
    fn none_is_made_twice_and_none_is_lost(
        lead_s in 0_u64..20 * 3_600,
        steps in prop::collection::vec(
            prop_oneof![3 => 1_i64..600, 3 => 600_i64..40_000, 1 => 40_000_i64..300_000],
            1..120,
        ),
    ) {
        let calendar = Trigger::Calendar(daily(17, 0));
        let mut scene = Scene::with(new_strategy(calendar, template(lead_s, 3_600)), MARCH);
        let mut looks = vec![MARCH];
        looks.extend(steps.iter().scan(MARCH, |now, step| {
            *now += step;
            Some(*now)
        }));
        looks.retain(|now| *now < MARCH + 30 * DAY);
        for now in &looks {
            scene.tick(*now);
        }
        let last = *looks.last().unwrap();
        let lead = i64::try_from(lead_s).unwrap();
        let mut expected = Vec::new();
        for start in (1..=31).map(five) {
            let in_time = looks.iter().any(|now| start - lead <= *now && *now <= start + 300);
            if in_time {
                expected.push((start, true));
            } else if start + 300 < last {
                expected.push((start, false));
            }
        }
        let found: Vec<(i64, bool)> = scene
            .outcomes()
            .into_iter()
            .map(|(start, outcome)| (start, matches!(outcome, Outcome::Created(_))))
            .collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(
            scene.rig.fleet.dispatches().len(),
            scene.outcomes().iter().filter(|(_, it)| matches!(it, Outcome::Created(_))).count()
        );
    }
}
