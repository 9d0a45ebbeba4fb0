use std::time::Duration;

use fleet::{Name, Rejection, Target};
use iec61968_5::envelope::Outcome;
use iec61968_5::limits::{MAX_DISPATCHES_PER_MESSAGE, MAX_POINTS};
use iec61968_5::message::{Operation, Payload};
use iec61968_5::profile::AbsentFlow;
use iec61968_5::wire::der_group_dispatches::DerGroupDispatch;
use iec61968_5::wire::naming::Name as WireName;
use iec61968_5::wire::quantity::{
    CurveStyle, DerParameter, FlowDirection, TimeIntervalKind, UnitMultiplier, UnitSymbol,
};
use units::{Interval, WattHours, Watts};

use crate::scene::{NOW, Scene, dispatch, dispatches, errors};

const CREATE: Operation = Operation::CreateDerGroupDispatches;

fn accepted(scene: &mut Scene, wire: DerGroupDispatch) -> Vec<(u64, u64, i64)> {
    let answer = scene.ask(CREATE, dispatches(vec![wire]));
    assert_eq!(answer.reply.result, Outcome::Ok, "{:?}", answer.reply);
    let schedule = &scene.fleet.dispatches().last().unwrap().schedule;
    let seconds = |t: &Target| t.interval.start.since(NOW).as_secs();
    schedule
        .iter()
        .map(|t| {
            (
                seconds(t),
                t.interval.duration.as_secs(),
                whole(t.aim.p().unwrap()),
            )
        })
        .collect()
}

fn whole(p: Watts) -> i64 {
    p.micro() / 1_000_000
}

fn refused(scene: &mut Scene, wire: DerGroupDispatch) -> (String, String) {
    let answer = scene.ask(CREATE, dispatches(vec![wire]));
    assert_eq!(answer.reply.result, Outcome::Failed);
    assert!(scene.fleet.dispatches().is_empty());
    let error = &answer.reply.errors[0];
    (error.code.clone(), error.reason.clone().unwrap())
}

fn east() -> Scene {
    let mut scene = Scene::new();
    scene.group("east", &["der-1", "der-2"]);
    scene
}

#[test]
fn a_schedule_becomes_targets_and_is_shown_with_its_mrid() {
    let mut scene = east();
    let wire = DerGroupDispatch {
        names: vec![WireName::plain("evening")],
        ..dispatch("east", &[6.0, -1.5, 4.25])
    };
    let answer = scene.ask(CREATE, dispatches(vec![wire.clone()]));
    assert_eq!(errors(&answer), [("0.0", "", "")]);
    let accepted = &scene.fleet.dispatches()[0];
    let starts = |k: u64| NOW.after(Duration::from_secs(60 + 300 * k));
    let target = |k, watts| {
        let interval = Interval {
            start: starts(k),
            duration: Duration::from_secs(300),
        };
        Target::net(interval, Watts::whole(watts))
    };
    assert_eq!(
        accepted.schedule,
        [target(0, 6_000), target(1, -1_500), target(2, 4_250)]
    );
    assert_eq!(accepted.name, Some(Name::new("evening").unwrap()));
    let Some(Payload::Dispatches(echo)) = answer.payload else {
        panic!("no payload")
    };
    let group = scene.fleet.groups().next().unwrap();
    let expected = DerGroupDispatch {
        mrid: Some(accepted.mrid.as_str().to_owned()),
        group_mrid: Some(group.mrid.as_str().to_owned()),
        ..wire
    };
    assert_eq!(echo.dispatches, [expected]);
}

#[test]
fn only_the_direction_decides_the_sign() {
    let flows = [
        (None, AbsentFlow::Injection, 2_000),
        (None, AbsentFlow::Absorption, -2_000),
        (Some(FlowDirection::Reverse), AbsentFlow::Absorption, 2_000),
        (Some(FlowDirection::Forward), AbsentFlow::Injection, -2_000),
    ];
    for (flow, absent, expected) in flows {
        let mut scene = east();
        scene.profile.absent_flow = absent;
        let mut wire = dispatch("east", &[2.0]);
        wire.parameter.flow_direction = flow;
        assert_eq!(
            accepted(&mut scene, wire),
            [(60, 300, expected)],
            "{flow:?} {absent:?}"
        );
    }
    let mut wire = dispatch("east", &[2.0]);
    wire.parameter.flow_direction = Some(FlowDirection::Q1PlusQ2);
    assert_eq!(refused(&mut east(), wire).0, "99.3");
    let mut negative = dispatch("east", &[-2.0]);
    negative.parameter.flow_direction = Some(FlowDirection::Forward);
    assert_eq!(accepted(&mut east(), negative), [(60, 300, 2_000)]);
}

#[test]
fn multipliers_and_time_units_scale() {
    let multipliers = [
        (UnitMultiplier::One, 4_000.0),
        (UnitMultiplier::Kilo, 4.0),
        (UnitMultiplier::Mega, 0.004),
        (UnitMultiplier::Milli, 4e6),
    ];
    for (multiplier, value) in multipliers {
        let mut wire = dispatch("east", &[value]);
        wire.parameter.multiplier = multiplier;
        assert_eq!(
            accepted(&mut east(), wire),
            [(60, 300, 4_000)],
            "{multiplier:?}"
        );
    }
    let units = [
        (TimeIntervalKind::Second, 5),
        (TimeIntervalKind::Minute, 300),
        (TimeIntervalKind::Hour, 18_000),
        (TimeIntervalKind::Day, 432_000),
    ];
    for (unit, seconds) in units {
        let mut wire = dispatch("east", &[1.0]);
        wire.parameter.schedules[0].interval_unit = unit;
        assert_eq!(
            accepted(&mut east(), wire),
            [(60, seconds, 1_000)],
            "{unit:?}"
        );
    }
    let mut wire = dispatch("east", &[1.0]);
    wire.parameter.schedules[0].interval_unit = TimeIntervalKind::Month;
    assert_eq!(refused(&mut east(), wire).0, "99.3");
}

#[test]
fn points_are_ordered_by_number_and_hold_over_gaps() {
    let mut wire = dispatch("east", &[]);
    wire.parameter.schedules[0].points = vec![(4, 3.0), (1, 9.0), (2, 2.0), (1, 1.0)];
    assert_eq!(
        accepted(&mut east(), wire),
        [(60, 300, 1_000), (360, 600, 2_000), (960, 300, 3_000)]
    );
    for numbers in [[0, 1], [-1, 1], [2, 3], [1, i64::MAX]] {
        let mut wire = dispatch("east", &[]);
        wire.parameter.schedules[0].points = numbers.map(|n| (n, 1.0)).to_vec();
        assert_eq!(refused(&mut east(), wire).0, "1.8", "{numbers:?}");
    }
}

#[test]
fn several_schedules_of_a_parameter_are_one_after_the_other() {
    let mut wire = dispatch("east", &[1.0, 2.0]);
    let mut later = wire.parameter.schedules[0].clone();
    later.start_time = NOW.after(Duration::from_secs(3_600));
    wire.parameter.schedules.insert(0, later);
    let starts: Vec<_> = accepted(&mut east(), wire.clone())
        .iter()
        .map(|t| t.0)
        .collect();
    assert_eq!(starts, [60, 360, 3_600, 3_900]);
    wire.parameter.schedules[0].start_time = NOW.after(Duration::from_secs(200));
    assert_eq!(refused(&mut east(), wire).0, "6.1", "they overlap");
}

#[test]
fn a_level_line_can_be_held_and_a_slope_can_not() {
    let line = |values: &[f64]| {
        let mut wire = dispatch("east", values);
        wire.parameter.schedules[0].curve_style = CurveStyle::StraightLineYValues;
        wire
    };
    assert_eq!(
        accepted(&mut east(), line(&[2.0, 2.0, 2.0])),
        [(60, 300, 2_000), (360, 300, 2_000)]
    );
    let (code, reason) = refused(&mut east(), line(&[2.0, 3.0]));
    assert_eq!(code, "99.3");
    assert!(reason.contains("constantYValue"), "{reason}");
    assert_eq!(refused(&mut east(), line(&[2.0])).0, "1.8");
}

#[test]
fn what_can_not_be_dispatched_is_named() {
    let mut reactive = dispatch("east", &[1.0]);
    reactive.parameter.parameter = DerParameter::ReactivePower;
    let (code, reason) = refused(&mut east(), reactive);
    assert_eq!(code, "99.3");
    assert!(reason.contains("reactivePower"), "{reason}");
    let mut wrong_unit = dispatch("east", &[1.0]);
    wrong_unit.parameter.unit = UnitSymbol::Hz;
    assert_eq!(refused(&mut east(), wrong_unit).0, "1.8");
    let mut huge = dispatch("east", &[1.0]);
    huge.parameter.multiplier = UnitMultiplier::Yotta;
    assert_eq!(refused(&mut east(), huge).0, "1.8");
    let mut never = dispatch("east", &[1.0]);
    never.parameter.schedules[0].interval_duration = 0;
    assert_eq!(refused(&mut east(), never).0, "1.8");
    let mut past = dispatch("east", &[1.0]);
    past.parameter.schedules[0].start_time = NOW.before(Duration::from_secs(9_000));
    assert_eq!(refused(&mut east(), past).0, "6.1");
    assert_eq!(refused(&mut east(), dispatch("north", &[1.0])).0, "99.1");
}

#[test]
fn the_planners_refusal_says_how_much_is_short() {
    let mut scene = east();
    let named = DerGroupDispatch {
        names: vec![WireName::plain("evening")],
        ..dispatch("east", &[6.0, 60.0])
    };
    scene.planner = Some(Rejection::ShortOfPower {
        interval: 2,
        asked: Watts::whole(60_000),
        reachable: Watts::whole(10_000),
        short: Watts::whole(50_000),
        limited_by: vec![],
    });
    let answer = scene.ask(CREATE, dispatches(vec![named.clone()]));
    assert_eq!(errors(&answer), [("99.4", "FATAL", "evening")]);
    let details = answer.reply.errors[0].details.clone().unwrap();
    assert!(
        details.contains("interval 2") && details.contains("50000.0 W"),
        "{details}"
    );
    scene.planner = Some(Rejection::ShortOfEnergy {
        interval: 1,
        asked: Watts::whole(6_000),
        short: WattHours::whole(250),
    });
    let answer = scene.ask(CREATE, dispatches(vec![named]));
    let details = answer.reply.errors[0].details.clone().unwrap();
    assert!(details.contains("250.0 Wh"), "{details}");
}

#[test]
fn each_dispatch_of_a_message_stands_alone() {
    let mut scene = east();
    scene.group("west", &["der-3"]);
    let asked = vec![
        dispatch("east", &[1.0]),
        dispatch("north", &[1.0]),
        dispatch("west", &[1.0]),
    ];
    let answer = scene.ask(CREATE, dispatches(asked));
    assert_eq!(answer.reply.result, Outcome::Partial);
    assert_eq!(errors(&answer), [("99.1", "FATAL", "north")]);
    assert_eq!(scene.fleet.dispatches().len(), 2);
}

#[test]
fn there_are_limits_to_points_and_dispatches() {
    let mut scene = east();
    let many = vec![1.0; MAX_POINTS + 1];
    assert_eq!(refused(&mut scene, dispatch("east", &many)).0, "3.1");
    let one = dispatch("east", &[1.0]);
    let answer = scene.ask(
        CREATE,
        dispatches(vec![one; MAX_DISPATCHES_PER_MESSAGE + 1]),
    );
    assert_eq!(errors(&answer), [("3.1", "FATAL", "")]);
    let answer = scene.ask(CREATE, dispatches(vec![dispatch("east", &[f64::MAX])]));
    assert_eq!(
        errors(&answer),
        [("1.8", "FATAL", "east")],
        "the group stands for the dispatch"
    );
    let mut schedules = dispatch("east", &[1.0]);
    schedules.parameter.schedules =
        vec![schedules.parameter.schedules[0].clone(); iec61968_5::limits::MAX_SCHEDULES + 1];
    assert_eq!(refused(&mut scene, schedules).0, "3.1");
}

#[test]
fn a_start_between_two_seconds_is_moved_to_the_next_one() {
    let mut wire = dispatch("east", &[1.0]);
    wire.parameter.schedules[0].start_time = NOW.after(Duration::from_millis(60_250));
    assert_eq!(accepted(&mut east(), wire), [(61, 300, 1_000)]);
}
