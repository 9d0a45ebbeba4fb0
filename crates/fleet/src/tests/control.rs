use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use units::{Interval, Percent, Timestamp};

use super::t;
use crate::control::precedence::in_force;
use crate::{
    ActivePower, Control, ControlBase, ControlId, ControlStatus, DerId, Mrid, Origin, ProgramId,
    Setting, Share, Terms,
};

fn control(index: u32, program: u32, start: i64, secs: u64, created: i64) -> Control {
    Control {
        id: ControlId(index),
        mrid: Mrid(u128::from(index)),
        der: Some(DerId(0)),
        program: ProgramId(program),
        origin: Origin::Operator,
        interval: Interval {
            start: t(start),
            duration: Duration::from_secs(secs),
        },
        created: t(created),
        base: ControlBase::asking(ActivePower::TargetW {
            value: 100,
            multiplier: 0,
        }),
        terms: None,
        cancelled: None,
    }
}

fn any(_: &Setting) -> bool {
    true
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
    assert_eq!(in_force(&[(&long, 20), (&short, 20)], t(150), any), None);
}

#[test]
fn the_lower_primacy_value_wins_whatever_is_newer() {
    let emergency = control(0, 0, 0, 100, 0);
    let dispatch = control(1, 1, 0, 100, 90);
    let winner = in_force(&[(&dispatch, 20), (&emergency, 5)], t(95), any);
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

fn asking(base: ControlBase, control: Control) -> Control {
    Control { base, ..control }
}

fn for_category(bits: u32, control: Control) -> Control {
    let terms = Terms {
        device_category: Some(bits),
        ..Terms::default()
    };
    Control {
        terms: Some(Box::new(terms)),
        ..control
    }
}

#[test]
fn controls_for_different_kinds_of_device_run_side_by_side() {
    let first = for_category(0b0011, control(0, 0, 0, 100, 0));
    let status = |bits| {
        let second = for_category(bits, control(1, 0, 30, 70, 10));
        first.status(&[first.clone(), second], t(50))
    };
    assert_eq!(status(0b1100), ControlStatus::Active(t(0)));
    assert_eq!(status(0b0110), ControlStatus::Superseded(t(30)));
    let all = control(1, 0, 30, 70, 10);
    let both = [first.clone(), all];
    assert_eq!(first.status(&both, t(50)), ControlStatus::Superseded(t(30)));
}

#[test]
fn what_never_begins_displaces_nobody() {
    let last = control(0, 0, 110, 20, 0);
    let middle = control(1, 0, 100, 20, 1);
    let first = control(2, 0, 90, 15, 2);
    let all = [last.clone(), middle.clone(), first.clone()];
    assert_eq!(first.status(&all, t(95)), ControlStatus::Active(t(90)));
    assert_eq!(middle.status(&all, t(95)), ControlStatus::Superseded(t(2)));
    assert_eq!(last.status(&all, t(115)), ControlStatus::Active(t(110)));
    let ranked: Vec<(&Control, u8)> = all.iter().map(|c| (c, 20)).collect();
    let winner = |at| in_force(&ranked, t(at), any).map(|c| c.id.0);
    assert_eq!(
        (winner(95), winner(107), winner(115)),
        (Some(2), None, Some(0))
    );
}

#[test]
fn one_value_of_active_power_excludes_another_in_whatever_mode_it_is_asked() {
    let share = Share {
        percent: Percent::from_hundredths(5_000),
        of: None,
    };
    let first = control(0, 0, 0, 100, 0);
    let with = |setting| {
        let second = asking(ControlBase::of([setting]), control(1, 0, 30, 70, 10));
        first.status(&[first.clone(), second], t(50))
    };
    assert_eq!(
        with(Setting::FixedW(share)),
        ControlStatus::Superseded(t(30))
    );
    assert_eq!(with(Setting::MaxLimW(share)), ControlStatus::Active(t(0)));
}

#[test]
fn a_control_goes_on_with_what_nobody_takes() {
    let limit = Setting::MaxLimW(Share {
        percent: Percent::from_hundredths(5_000),
        of: None,
    });
    let both = ControlBase::of([limit, Setting::Energize(true)]);
    let long = asking(both, control(0, 0, 0, 100, 0));
    let short = asking(ControlBase::of([limit]), control(1, 0, 30, 20, 10));
    let all = [long.clone(), short];
    assert_eq!(long.status(&all, t(40)), ControlStatus::Active(t(0)));
    let ranked: Vec<(&Control, u8)> = all.iter().map(|c| (c, 20)).collect();
    let winner = |at, setting: Setting| {
        let asks = |asked: &Setting| asked.class() == setting.class();
        in_force(&ranked, t(at), asks).map(|c| c.id.0)
    };
    assert_eq!((winner(40, limit), winner(60, limit)), (Some(1), None));
    assert_eq!(winner(60, Setting::Energize(true)), Some(0));
}

/// The least is the best.
type Rank = (u8, Reverse<(Timestamp, Mrid)>, ControlId);

proptest! {
    /// Second by second, among those that run the best one holds; it holds till its end or till a
    /// better one begins, and what has lost once is out.
    #[test]
    fn what_is_in_force_is_what_the_rules_say_second_by_second(
        parts in proptest::collection::vec((0..3_u8, 0..50_i64, 1..50_u64, 0..60_i64), 1..8),
        cancelled in proptest::collection::vec(proptest::option::of(0..80_i64), 8),
    ) {
        let made = (0..).zip(&parts).map(|(i, (_, start, secs, created))| {
            control(i, 0, *start, *secs, *created)
        });
        let controls: Vec<Control> = made
            .zip(&cancelled)
            .map(|(made, at)| Control { cancelled: at.map(t).filter(|at| made.created < *at), ..made })
            .collect();
        let ranked: Vec<(&Control, u8)> = controls.iter().zip(&parts).map(|(c, p)| (c, p.0)).collect();
        let mut out = BTreeSet::new();
        let mut holder: Option<Rank> = None;
        for second in 0..110 {
            let now = t(second);
            let runs = |c: &Control| c.begins() <= now && now < c.interval.end()
                && c.cancelled.is_none_or(|at| now < at);
            holder = holder.filter(|(_, _, id)| runs(&controls[id.index()]));
            let running = ranked.iter().filter(|(c, _)| runs(c) && !out.contains(&c.id));
            let keys = running.map(|(c, primacy)| (*primacy, Reverse((c.created, c.mrid)), c.id));
            let running: Vec<_> = keys.collect();
            holder = running.iter().copied().chain(holder).min();
            out.extend(running.iter().map(|key| key.2).filter(|id| Some(*id) != holder.map(|h| h.2)));
            let found = in_force(&ranked, now, any).map(|c| c.id);
            prop_assert_eq!(found, holder.map(|h| h.2), "at {}", second);
        }
    }

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
            in_force(&pairs, now, any).map(|c| c.id)
        };
        prop_assert_eq!(ranked(&controls), ranked(&turned));
    }
}
