use std::time::Duration;

use proptest::prelude::*;
use units::{Interval, Timestamp};

use super::t;
use crate::control::in_force;
use crate::{
    ActivePower, Control, ControlBase, ControlId, ControlStatus, DerId, Mrid, Origin, ProgramId,
};

fn control(index: u32, program: u32, start: i64, secs: u64, created: i64) -> Control {
    let active = Some(ActivePower::TargetW {
        value: 100,
        multiplier: 0,
    });
    Control {
        id: ControlId(index),
        mrid: Mrid(u128::from(index)),
        der: DerId(0),
        program: ProgramId(program),
        origin: Origin::Operator,
        interval: Interval {
            start: t(start),
            duration: Duration::from_secs(secs),
        },
        created: t(created),
        base: ControlBase {
            active,
            ..ControlBase::default()
        },
        cancelled: None,
    }
}

#[test]
fn a_superseded_control_never_resumes() {
    let long = control(0, 0, 100, 100, 0);
    let short = control(1, 0, 120, 20, 50);
    let all = [long.clone(), short.clone()];
    assert_eq!(long.status(&all, t(110)), ControlStatus::Active(t(100)));
    assert_eq!(long.status(&all, t(130)), ControlStatus::Superseded(t(120)));
    assert_eq!(long.status(&all, t(150)), ControlStatus::Superseded(t(120)));
    assert_eq!(short.status(&all, t(130)), ControlStatus::Active(t(120)));
    assert_eq!(in_force(&[(&long, 20), (&short, 20)], t(150)), None);
}

#[test]
fn the_lower_primacy_value_wins_whatever_is_newer() {
    let emergency = control(0, 0, 0, 100, 0);
    let dispatch = control(1, 1, 0, 100, 90);
    let winner = in_force(&[(&dispatch, 20), (&emergency, 5)], t(95));
    assert_eq!(winner.map(|c| c.id), Some(ControlId(0)));
}

#[test]
fn a_control_withdrawn_before_it_began_displaces_nobody() {
    let first = control(0, 0, 0, 100, 0);
    let mut second = control(1, 0, 30, 70, 10);
    second.cancelled = Some(t(20));
    let all = [first.clone(), second];
    assert_eq!(first.status(&all, t(50)), ControlStatus::Active(t(0)));
}

#[test]
fn a_control_withdrawn_after_it_began_has_ended_the_other_for_good() {
    let first = control(0, 0, 0, 100, 0);
    let mut second = control(1, 0, 30, 70, 10);
    second.cancelled = Some(t(40));
    let all = [first.clone(), second];
    assert_eq!(first.status(&all, t(50)), ControlStatus::Superseded(t(30)));
}

proptest! {
    #[test]
    fn supersession_does_not_depend_on_the_order_of_arrival(
        parts in proptest::collection::vec((0..3_u32, 0..50_i64, 1..50_u64, 0..20_i64), 1..8),
        at in 0..120_i64,
        turn in 0..8_usize,
    ) {
        let controls: Vec<Control> = (0..)
            .zip(&parts)
            .map(|(i, (program, start, secs, created))| control(i, *program, *start, *secs, *created))
            .collect();
        let mut turned = controls.clone();
        turned.rotate_left(turn % controls.len());
        turned.reverse();
        let now: Timestamp = t(at);
        for control in &controls {
            prop_assert_eq!(control.status(&controls, now), control.status(&turned, now));
        }
        let ranked = |list: &[Control]| {
            let pairs: Vec<(&Control, u8)> = list.iter().map(|c| (c, 10)).collect();
            in_force(&pairs, now).map(|c| c.id)
        };
        prop_assert_eq!(ranked(&controls), ranked(&turned));
    }
}
