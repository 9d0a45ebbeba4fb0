use super::*;
use crate::settings_profile::read_back::{comparison, reported};
use crate::settings_profile::{AppliedSettings, Drift};

fn drifting() -> (Rig, SettingsProfileId) {
    let mut rig = Rig::new(1);
    let profile = rig.profile("spring", values(300, Some(-440)), 0);
    rig.require(Subject::Der(DerId(0)), Some(profile), 0)
        .unwrap();
    rig.settle(0);
    (rig, profile)
}

fn open(rig: &Rig) -> Vec<(P, i64)> {
    let drifts = rig.fleet.settings().drifts();
    drifts
        .map(|drift| (drift.parameter, drift.since.millis() / 1_000))
        .collect()
}

#[test]
fn what_is_not_reported_never_matches() {
    let (mut rig, profile) = drifting();
    let states = |rig: &Rig| {
        let required = &rig.fleet.settings().profile(profile).unwrap().values;
        comparison(&rig.fleet, rig.der(DerId(0)), required)
    };
    assert!(
        states(&rig)
            .iter()
            .all(|field| !field.matches() && !field.differs())
    );
    rig.all_follow(1);
    for field in states(&rig) {
        let read_back = matches!(field.parameter, P::EsDelay | P::EsVLow);
        assert_eq!(field.matches(), read_back, "{:?}", field.parameter);
        assert!(!field.differs());
    }
}

#[test]
fn an_alarm_opens_after_the_grace_and_closes_when_it_is_right() {
    let (mut rig, profile) = drifting();
    rig.all_follow(1);
    rig.settle(1_000);
    assert_eq!(open(&rig), []);
    let wrong = EnterService {
        delay_cs: Some(100),
        low_volt_cpct: Some(9_170),
        ..EnterService::default()
    };
    rig.report(DerId(0), wrong, 2_000);
    rig.settle(2_001);
    let all: Vec<Drift> = rig.fleet.settings().drifts().copied().collect();
    assert_eq!(
        all,
        [Drift {
            der: DerId(0),
            parameter: P::EsDelay,
            profile,
            required: number(300_000),
            reported: number(1_000),
            since: t(2_001),
        }]
    );
    // Another wrong value is the same alarm.
    let worse = EnterService {
        delay_cs: Some(200),
        ..wrong
    };
    rig.report(DerId(0), worse, 2_100);
    rig.settle(2_101);
    assert_eq!(open(&rig), [(P::EsDelay, 2_001)]);
    let events = rig.events.len();
    rig.settle(2_102);
    assert_eq!(rig.events.len(), events, "an open alarm is no event again");
    rig.all_follow(2_200);
    rig.settle(2_201);
    assert_eq!(open(&rig), []);
    assert!(rig.replays());
}

#[test]
fn new_settings_on_their_way_are_no_drift() {
    let (mut rig, _) = drifting();
    rig.all_follow(1);
    let next = rig.profile("spring", values(60, Some(-440)), 2_000);
    rig.require(Subject::Der(DerId(0)), Some(next), 2_000)
        .unwrap();
    rig.settle(2_000);
    rig.settle(2_899);
    assert_eq!(open(&rig), []);
    rig.settle(2_900);
    assert_eq!(open(&rig), [(P::EsDelay, 2_900)]);
    // Nothing required any more, nothing drifts.
    rig.require(Subject::Der(DerId(0)), None, 3_000).unwrap();
    rig.settle(3_000);
    rig.settle(3_001);
    assert_eq!(open(&rig), []);
}

#[test]
fn a_disabled_mode_is_read_back_and_an_enabled_one_is_not() {
    let (mut rig, profile) = drifting();
    let mut settings = rig.der(DerId(0)).settings.clone().unwrap();
    // Without opModVoltVar, bit 23.
    settings.modes = Modes(!(1 << 23));
    rig.must(&Command::ReportSettings(DerId(0), settings), 10);
    let required = rig
        .fleet
        .settings()
        .profile(profile)
        .unwrap()
        .values
        .clone();
    let fields = comparison(&rig.fleet, rig.der(DerId(0)), &required);
    let differing: Vec<P> = fields
        .iter()
        .filter(|f| f.differs())
        .map(|f| f.parameter)
        .collect();
    assert_eq!(differing, [P::QvModeEnable]);
}

#[test]
fn of_file_and_device_the_later_one_counts() {
    let (mut rig, _) = drifting();
    let file = |rig: &mut Rig, es_delay_s, at| {
        let applied = AppliedSettings {
            values: values(es_delay_s, None),
            at: t(at),
            author: name("installer"),
        };
        let report = SettingsCommand::ReportApplied(DerId(0), Box::new(applied));
        rig.settings(report, at).unwrap();
    };
    let delay = |rig: &Rig| reported(&rig.fleet, rig.der(DerId(0)))[&P::EsDelay].value;
    file(&mut rig, 10, 100);
    assert_eq!(delay(&rig), number(10_000));
    rig.all_follow(200);
    assert_eq!(delay(&rig), number(300_000));
    file(&mut rig, 20, 300);
    assert_eq!(delay(&rig), number(20_000));
}
