//! Shares of what a DER is set to, when that changes.

use units::{Percent, Vars};

use super::place::{control, target};
use super::{Rig, t, watts};
use crate::{
    ActivePower, Command, ControlBase, DefaultControl, DerId, Event, FixedVar, NewControl, Setting,
    Share, Terms, VarReference,
};

fn share(hundredths: i32, of: i64) -> Share {
    Share {
        percent: Percent::from_hundredths(hundredths),
        of: Some(watts(of)),
    }
}

/// `der` is set to inject at most `w` from `now` on.
fn set_to(rig: &mut Rig, der: DerId, w: i64, now: i64) -> Vec<Event> {
    let mut settings = rig.fleet.der(der).unwrap().settings.clone().unwrap();
    settings.p_inject_max = watts(w);
    rig.follow(&Command::ReportSettings(der, settings), now)
}

#[test]
fn an_operators_percentage_follows_the_settings_it_was_of() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let base = ControlBase::asking(ActivePower::FixedW {
        percent: Percent::from_hundredths(4_000),
        of: watts(5_000),
    });
    let new = NewControl {
        base,
        ..control(Some(der), own, 100, 100)
    };
    rig.must(&Command::IssueControl(new), 10);
    let mut settings = rig.fleet.der(der).unwrap().settings.clone().unwrap();
    settings.p_inject_max = watts(4_000);
    rig.follow(&Command::ReportSettings(der, settings), 150);
    let now = rig.fleet.in_force(der, t(151)).unwrap();
    let expected = ActivePower::FixedW {
        percent: Percent::from_hundredths(5_000),
        of: watts(4_000),
    };
    assert_eq!(now.base.active(), Some(expected));
    assert_eq!(now.interval.end(), t(200));
    assert_eq!(rig.fleet.controls()[0].cancelled, Some(t(150)));
}

#[test]
fn a_percentage_that_was_superseded_is_not_asked_again() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let fixed = |hundredths| ControlBase::of([Setting::FixedW(share(hundredths, 5_000))]);
    let long = NewControl {
        base: fixed(4_000),
        ..control(Some(der), own, 100, 100)
    };
    rig.must(&Command::IssueControl(long), 10);
    // It takes over from the long one for good, and asks nothing that depends on the settings.
    rig.must(&Command::IssueControl(control(Some(der), own, 140, 20)), 20);
    set_to(&mut rig, der, 4_000, 110);
    let asked = |rig: &Rig, at| Some(rig.fleet.in_force(der, t(at))?.base.clone());
    let expected = ControlBase::of([Setting::FixedW(share(5_000, 4_000))]);
    assert_eq!(asked(&rig, 120), Some(expected));
    assert_eq!(
        (asked(&rig, 150), asked(&rig, 170)),
        (Some(target(500)), None)
    );
    set_to(&mut rig, der, 5_000, 165);
    assert_eq!(asked(&rig, 170), None);
}

#[test]
fn what_has_begun_goes_on_without_waiting_for_a_random_time() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let terms = Terms {
        randomize_start_s: 300,
        randomize_duration_s: 60,
        ..Terms::default()
    };
    for start in [100, 300] {
        let new = NewControl {
            base: ControlBase::of([Setting::FixedW(share(4_000, 5_000))]),
            terms: Some(terms.clone()),
            ..control(Some(der), own, start, 100)
        };
        rig.must(&Command::IssueControl(new), 10);
    }
    set_to(&mut rig, der, 4_000, 150);
    let controls = rig.fleet.controls();
    let fresh = controls.iter().filter(|c| c.cancelled.is_none());
    let fresh: Vec<(i64, i16, i16)> = fresh
        .map(|c| {
            let terms = c.terms();
            let start_s = c.interval.start.secs();
            (start_s, terms.randomize_start_s, terms.randomize_duration_s)
        })
        .collect();
    assert_eq!(fresh, [(150, 0, 60), (300, 300, 60)]);
}

#[test]
fn shares_of_reactive_power_and_of_the_maximum_follow_the_settings_too() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let fixed = FixedVar {
        reference: VarReference::SetMaxVar,
        percent: Percent::from_hundredths(-4_000),
        of: Some(Vars::whole(2_000)),
    };
    let new = NewControl {
        base: ControlBase::of([
            Setting::FixedVar(fixed),
            Setting::MaxLimW(share(5_000, 8_000)),
        ]),
        ..control(Some(der), own, 100, 100)
    };
    rig.must(&Command::IssueControl(new), 10);
    let mut settings = rig.fleet.der(der).unwrap().settings.clone().unwrap();
    settings.p_max = Some(watts(10_000));
    settings.q_absorb_max = Some(Vars::whole(1_000));
    rig.follow(&Command::ReportSettings(der, settings.clone()), 150);
    let now = rig.fleet.in_force(der, t(151)).unwrap();
    let expected = FixedVar {
        percent: Percent::from_hundredths(-8_000),
        of: Some(Vars::whole(1_000)),
        ..fixed
    };
    let base = ControlBase::of([
        Setting::FixedVar(expected),
        Setting::MaxLimW(share(4_000, 10_000)),
    ]);
    assert_eq!(now.base, base);
    assert_eq!(now.base.limits(&settings), (Some(watts(4_000)), None));
}

#[test]
fn a_percentage_of_a_default_control_follows_the_settings() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let base = |share| ControlBase::of([Setting::FixedW(share)]);
    let default = DefaultControl {
        grad_w: Some(7),
        ..DefaultControl::asking(base(share(4_000, 5_000)))
    };
    rig.must(&Command::SetDefaultControl(own, default.clone()), 1);
    set_to(&mut rig, der, 4_000, 10);
    let expected = DefaultControl {
        base: base(share(5_000, 4_000)),
        ..default
    };
    assert!(rig.fleet.program(own).unwrap().default.asks_as(&expected));
    let again = set_to(&mut rig, der, 4_000, 11);
    assert!(again.is_empty(), "{again:?}");
}

#[test]
fn a_share_of_the_maximum_is_of_what_the_standard_says() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let mut settings = rig.fleet.der(der).unwrap().settings.clone().unwrap();
    settings.p_max = Some(watts(8_000));
    let half = Share {
        percent: Percent::from_hundredths(5_000),
        of: None,
    };
    let limit = ControlBase::of([Setting::MaxLimW(half)]);
    assert_eq!(limit.p(Some(&settings)), Some(watts(4_000)));
    assert_eq!(limit.limits(&settings), (Some(watts(4_000)), None));
    let discharge = ControlBase::of([Setting::FixedW(half)]);
    assert_eq!(discharge.p(Some(&settings)), Some(watts(2_500)));
}
