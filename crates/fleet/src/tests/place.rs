//! Who may come in, where DER belong, and what rules them.
#![expect(clippy::cast_possible_truncation, reason = "a test counts few")]

use std::time::Duration;

use proptest::prelude::*;
use units::{Interval, Percent, Watts};

use super::{Rig, t, watts};
use crate::{
    Access, ActivePower, AggregatorId, AssignmentId, Client, Command, ControlBase, ControlStatus,
    CurveId, CurvePoint, CurveShape, CurveType, DefaultControl, DerId, Fleet, Level, Lfdi, Name,
    NewAggregator, NewAssignment, NewControl, NewCurve, NewProgram, Origin, Pin, ProgramId,
    Rejection, Scaled, Scope, Setting, Share,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn aggregator(rig: &mut Rig, number: u8) -> AggregatorId {
    let new = NewAggregator {
        name: name(&format!("aggregator {number}")),
        lfdi: Lfdi([100 + number; 20]),
        pin: Pin::with_check_digit(11_111),
        registered: true,
        may_enrol: true,
    };
    rig.must(&Command::EnrolAggregator(new), 0);
    AggregatorId(rig.fleet.aggregators().len() as u32 - 1)
}

fn node(rig: &mut Rig, level: Level, parent: Option<AssignmentId>) -> AssignmentId {
    let name = name(&format!("{level:?} {}", rig.fleet.assignments().len()));
    let new = NewAssignment {
        name,
        level,
        parent,
    };
    rig.must(&Command::CreateAssignment(new), 0);
    AssignmentId(rig.fleet.assignments().len() as u32 - 1)
}

fn program(rig: &mut Rig, primacy: u8, scope: Scope) -> ProgramId {
    let new = NewProgram {
        name: name(&format!("programme of primacy {primacy}")),
        primacy,
        scope,
    };
    rig.must(&Command::CreateProgram(new), 0);
    ProgramId(rig.fleet.programs().len() as u32 - 1)
}

pub(super) fn control(der: Option<DerId>, program: ProgramId, start: i64, secs: u64) -> NewControl {
    NewControl {
        der,
        program,
        origin: Origin::Operator,
        interval: Interval {
            start: t(start),
            duration: Duration::from_secs(secs),
        },
        base: target(500),
        terms: None,
    }
}

pub(super) fn target(value: i16) -> ControlBase {
    ControlBase::asking(ActivePower::TargetW {
        value,
        multiplier: 0,
    })
}

#[test]
fn one_control_for_a_feeder_addresses_everyone_below_it() {
    let mut rig = Rig::new();
    let ders: Vec<DerId> = (0..3).map(|_| rig.storage(5_000, 10_000)).collect();
    let substation = node(&mut rig, Level::Substation, None);
    let feeder = node(&mut rig, Level::Feeder, Some(substation));
    let other = node(&mut rig, Level::Feeder, Some(substation));
    let transformer = node(&mut rig, Level::Transformer, Some(feeder));
    rig.must(&Command::AssignDer(ders[0], vec![transformer]), 1);
    rig.must(&Command::AssignDer(ders[1], vec![feeder]), 1);
    rig.must(&Command::AssignDer(ders[2], vec![other]), 1);
    let program = program(&mut rig, 5, Scope::Assignment(feeder));
    rig.must(&Command::IssueControl(control(None, program, 100, 60)), 10);
    let asked = |der: DerId, at: i64| {
        let control = rig.fleet.in_force(der, t(at))?;
        control.base.active().map(ActivePower::p)
    };
    assert_eq!(asked(ders[0], 120), Some(watts(500)));
    assert_eq!(asked(ders[1], 120), Some(watts(500)));
    assert_eq!(asked(ders[2], 120), None);
    assert_eq!(asked(ders[0], 160), None);
    let levels: Vec<Level> = rig
        .fleet
        .assignments_of(ders[0])
        .iter()
        .map(|n| n.level)
        .collect();
    assert_eq!(
        levels,
        [Level::Substation, Level::Feeder, Level::Transformer]
    );
}

#[test]
fn a_der_belongs_to_fifteen_groups_at_most_and_to_one_of_a_level() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let groups: Vec<AssignmentId> = (0..16)
        .map(|_| node(&mut rig, Level::NonTopology, None))
        .collect();
    rig.must(&Command::AssignDer(der, groups[..15].to_vec()), 1);
    let max = Fleet::MAX_ASSIGNMENTS_OF_DER;
    assert_eq!(
        rig.fleet.decide(&Command::AssignDer(der, groups), t(1)),
        Err(Rejection::TooMany {
            what: "groups of one DER",
            max
        })
    );
    let feeders = [
        node(&mut rig, Level::Feeder, None),
        node(&mut rig, Level::Feeder, None),
    ];
    let both = rig
        .fleet
        .decide(&Command::AssignDer(der, feeders.to_vec()), t(1));
    assert!(matches!(
        both,
        Err(Rejection::Invalid {
            field: "assignments",
            ..
        })
    ));
    let upside_down = Command::CreateAssignment(NewAssignment {
        name: name("system"),
        level: Level::System,
        parent: Some(feeders[0]),
    });
    let refused = rig.fleet.decide(&upside_down, t(1));
    assert!(matches!(
        refused,
        Err(Rejection::Invalid {
            field: "parent",
            ..
        })
    ));
}

#[test]
fn one_certificate_is_one_client() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().lfdi;
    let aggregator = aggregator(&mut rig, 1);
    let taken = |client, lfdi| rig.fleet.decide(&Command::Rekey(client, lfdi), t(1));
    assert_eq!(
        taken(Client::Aggregator(aggregator), own),
        Err(Rejection::LfdiTaken(own))
    );
    assert_eq!(
        taken(Client::Der(der), Lfdi([101; 20])),
        Err(Rejection::LfdiTaken(Lfdi([101; 20])))
    );
    rig.must(&Command::Rekey(Client::Der(der), Lfdi([9; 20])), 5);
    assert!(rig.fleet.der_by_lfdi(own).is_none());
    let rekeyed = rig.fleet.der_by_lfdi(Lfdi([9; 20])).unwrap();
    assert_eq!((rekeyed.id, rekeyed.changed), (der, t(5)));
}

#[test]
fn an_aggregators_ders_come_with_the_latest_change_first() {
    let mut rig = Rig::new();
    let manager = aggregator(&mut rig, 1);
    let ders: Vec<DerId> = (0..4).map(|_| rig.managed(manager)).collect();
    assert_eq!(rig.fleet.ders_of(manager), ders, "equal times go by SFDI");
    let feeder = node(&mut rig, Level::Feeder, None);
    rig.must(&Command::AssignDer(ders[2], vec![feeder]), 5);
    rig.must(&Command::Rekey(Client::Der(ders[1]), Lfdi([9; 20])), 6);
    rig.must(&Command::RemoveDer(ders[0]), 7);
    assert_eq!(rig.fleet.ders_of(manager), [ders[1], ders[2], ders[3]]);
}

#[test]
fn access_is_taken_and_given_back_once() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let set = |granted| Command::SetAccess(Client::Der(der), granted);
    assert_eq!(rig.must(&set(false), 7).len(), 1);
    assert_eq!(rig.fleet.der(der).unwrap().access, Access::Revoked(t(7)));
    assert!(rig.must(&set(false), 8).is_empty());
    rig.must(&set(true), 9);
    assert_eq!(rig.fleet.der(der).unwrap().access, Access::Granted);
}

#[test]
fn a_revoked_certificate_does_not_come_back_as_a_new_client() {
    let mut rig = Rig::new();
    let manager = aggregator(&mut rig, 1);
    let (removed, rekeyed) = (rig.managed(manager), rig.managed(manager));
    let lfdi = |rig: &Rig, der: DerId| rig.fleet.der(der).unwrap().lfdi;
    let (first, second) = (lfdi(&rig, removed), lfdi(&rig, rekeyed));
    let third = rig.fleet.aggregator(manager).unwrap().lfdi;
    for client in [
        Client::Der(removed),
        Client::Der(rekeyed),
        Client::Aggregator(manager),
    ] {
        rig.must(&Command::SetAccess(client, false), 5);
    }
    rig.must(&Command::RemoveDer(removed), 6);
    for (client, new) in [(Client::Der(rekeyed), 8), (Client::Aggregator(manager), 9)] {
        rig.must(&Command::Rekey(client, Lfdi([new; 20])), 6);
        rig.must(&Command::SetAccess(client, true), 7);
    }
    let other = rig.storage(5_000, 10_000);
    for lfdi in [first, second, third] {
        assert_eq!(rig.fleet.access_of(lfdi), Access::Revoked(t(5)));
        let back = rig
            .fleet
            .decide(&Command::Rekey(Client::Der(other), lfdi), t(8));
        assert_eq!(back, Err(Rejection::LfdiRevoked(lfdi)));
    }
    let mut again = Fleet::default();
    rig.events.iter().for_each(|event| again.apply(event));
    assert_eq!(again, rig.fleet);
}

#[test]
fn what_is_removed_is_found_no_more_and_its_controls_are_withdrawn() {
    let mut rig = Rig::new();
    let (gone, stays) = (rig.storage(5_000, 10_000), rig.storage(5_000, 10_000));
    rig.group("g", &[gone, stays]);
    let der = rig.fleet.der(gone).unwrap().clone();
    let issue = Command::IssueControl(control(Some(gone), der.program, 100, 60));
    rig.must(&issue, 10);
    rig.must(&Command::RemoveDer(gone), 20);
    assert!(rig.fleet.der_by_lfdi(der.lfdi).is_none());
    assert!(rig.fleet.der_by_name(&der.name).is_none());
    assert_eq!(rig.fleet.controls()[0].cancelled, Some(t(20)));
    assert_eq!(rig.fleet.groups().next().unwrap().members, [stays]);
    let again = rig.fleet.decide(&Command::RemoveDer(gone), t(21));
    assert!(matches!(again, Err(Rejection::Unknown { what: "DER", .. })));
    assert!(rig.fleet.decide(&issue, t(21)).is_err());
}

#[test]
fn a_curve_serves_its_own_programme_and_type_and_stays_while_it_is_used() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let all = program(&mut rig, 7, Scope::All);
    let point = |x, y| CurvePoint {
        x,
        y,
        injects_vars: None,
    };
    let shape = |points| CurveShape::new(CurveType::VoltVar, points);
    let curve = |points| {
        Command::CreateCurve(NewCurve {
            program: all,
            name: None,
            shape: shape(points),
        })
    };
    let sloped = vec![point(92, 44), point(98, 0), point(102, 0), point(108, -44)];
    for points in [
        vec![],
        vec![point(0, 0); 11],
        vec![point(2, 0), point(1, 0)],
    ] {
        assert!(matches!(
            rig.fleet.decide(&curve(points), t(1)),
            Err(Rejection::Invalid {
                field: "CurveData",
                ..
            })
        ));
    }
    rig.must(&curve(sloped), 1);
    let with = |program, kind| {
        let base = ControlBase::of([Setting::Curve(kind, CurveId(0))]);
        let new = NewControl {
            base,
            ..control(None, program, 100, 60)
        };
        Command::IssueControl(new)
    };
    assert!(
        rig.fleet
            .decide(&with(own, CurveType::VoltVar), t(2))
            .is_err()
    );
    assert!(
        rig.fleet
            .decide(&with(all, CurveType::VoltWatt), t(2))
            .is_err()
    );
    rig.must(&with(all, CurveType::VoltVar), 2);
    let one = Command::IssueControl(NewControl {
        base: ControlBase::of([Setting::Curve(CurveType::VoltVar, CurveId(0))]),
        ..control(Some(der), all, 160, 10)
    });
    rig.must(&one, 3);
    let delete = Command::DeleteCurve(CurveId(0));
    for at in [159, 169] {
        let used = rig.fleet.decide(&delete, t(at));
        assert!(
            matches!(used, Err(Rejection::Invalid { field: "curve", .. })),
            "at {at}"
        );
    }
    rig.must(&delete, 170);
    assert_eq!(rig.fleet.curves_of(all).count(), 0);
}

#[test]
fn a_displaced_control_does_not_resume_where_the_one_above_it_is_over() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let emergency = program(&mut rig, 1, Scope::All);
    let long = control(Some(der), own, 100, 100);
    rig.must(&Command::IssueControl(long), 10);
    let short = NewControl {
        base: target(-500),
        ..control(None, emergency, 120, 20)
    };
    rig.must(&Command::IssueControl(short), 10);
    let asked = |at| {
        let control = rig.fleet.in_force(der, t(at))?;
        control.base.active().map(|power| power.p())
    };
    assert_eq!(asked(110), Some(watts(500)));
    assert_eq!(asked(130), Some(watts(-500)));
    assert_eq!(asked(150), None);
    let long = &rig.fleet.controls()[0];
    assert!(!rig.fleet.is_displaced(long, t(119)));
    assert!(rig.fleet.is_displaced(long, t(150)));
    assert_eq!(
        rig.fleet.status(long, t(150)),
        ControlStatus::Active(t(100)),
        "its own programme has not superseded it"
    );
}

#[test]
fn what_was_displaced_does_not_resume_when_what_displaced_it_is_long_over() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let above = program(&mut rig, 1, Scope::Device(der));
    let all = program(&mut rig, 7, Scope::All);
    rig.must(
        &Command::IssueControl(control(Some(der), own, 100, 900)),
        10,
    );
    rig.must(&Command::IssueControl(control(Some(der), own, 120, 20)), 11);
    let limited = |program| NewControl {
        base: ControlBase::of([Setting::ExpLimW(Scaled::ZERO)]),
        ..control(Some(der), program, 100, 900)
    };
    rig.must(&Command::IssueControl(limited(own)), 12);
    let short = NewControl {
        interval: Interval::between(t(110), t(130)),
        ..limited(above)
    };
    rig.must(&Command::IssueControl(short), 13);
    rig.must(&Command::IssueControl(control(None, all, 100, 900)), 10);
    rig.must(&Command::IssueControl(control(None, all, 120, 20)), 11);
    for second in 0..50 {
        let at = 200 + second * 3;
        let other = NewControl {
            base: ControlBase::of([Setting::Energize(true)]),
            ..control(Some(der), own, at, 2)
        };
        rig.must(&Command::IssueControl(other.clone()), at);
        let shared = NewControl {
            der: None,
            program: all,
            ..other
        };
        rig.must(&Command::IssueControl(shared), at);
        let controls = rig.fleet.controls();
        let status = |index: usize| rig.fleet.status(&controls[index], t(at));
        assert_eq!(status(0), ControlStatus::Superseded(t(120)), "at {at}");
        assert_eq!(status(4), ControlStatus::Superseded(t(120)), "at {at}");
        assert!(rig.fleet.is_displaced(&controls[2], t(at)), "at {at}");
        assert!(rig.fleet.own_controls_of(der).count() < 20);
    }
}

#[test]
fn what_is_over_is_kept_for_what_it_took_within_a_bound() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let above = program(&mut rig, 1, Scope::Device(der));
    rig.must(
        &Command::IssueControl(control(Some(der), own, 1, 10_000)),
        0,
    );
    for at in 1..=2 * Fleet::MAX_ENDED_CONTROLS as i64 {
        rig.must(&Command::IssueControl(control(Some(der), above, at, 1)), at);
        assert!(rig.fleet.own_controls_of(der).count() <= Fleet::MAX_ENDED_CONTROLS + 3);
        assert!(rig.fleet.is_displaced(&rig.fleet.controls()[0], t(at)));
    }
}

#[test]
fn settings_of_different_kinds_run_side_by_side() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let all = program(&mut rig, 1, Scope::All);
    rig.must(
        &Command::IssueControl(control(Some(der), own, 100, 100)),
        10,
    );
    let half = Share {
        percent: Percent::from_hundredths(5_000),
        of: None,
    };
    let limit = NewControl {
        base: ControlBase::of([Setting::MaxLimW(half), Setting::Energize(true)]),
        ..control(None, all, 100, 100)
    };
    rig.must(&Command::IssueControl(limit), 11);
    assert_eq!(
        rig.fleet.in_force(der, t(150)).map(|c| c.base.clone()),
        Some(target(500))
    );
    let settings = rig.fleet.der(der).unwrap().settings.clone().unwrap();
    let span = Interval::between(t(150), t(160));
    let der = rig.fleet.der(der).unwrap();
    assert_eq!(
        rig.fleet.limits_during(der, &settings, span),
        (Some(watts(2_500)), None)
    );
}

#[test]
fn a_default_limit_holds_unless_a_control_of_its_kind_covers_the_whole_span() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let own = rig.fleet.der(der).unwrap().program;
    let export = |w| ControlBase::of([Setting::ExpLimW(Scaled::from_w(watts(w)))]);
    let default = DefaultControl::asking(export(1_500));
    rig.must(&Command::SetDefaultControl(own, default), 1);
    let wider = NewControl {
        base: export(4_000),
        ..control(Some(der), own, 100, 100)
    };
    rig.must(&Command::IssueControl(wider), 2);
    let settings = rig.fleet.der(der).unwrap().settings.clone().unwrap();
    let most = |from, to| {
        let der = rig.fleet.der(der).unwrap();
        let span = Interval::between(t(from), t(to));
        rig.fleet.limits_during(der, &settings, span).0
    };
    assert_eq!(most(110, 150), Some(watts(4_000)));
    assert_eq!(most(110, 250), Some(watts(1_500)));
    assert_eq!(most(10, 20), Some(watts(1_500)));
}

proptest! {
    #[test]
    fn a_scaled_value_never_exceeds_what_it_is_of(micro in -9_000_000_000_000_000..9_000_000_000_000_000_i64) {
        let p = Watts::from_micro(micro);
        let scaled = Scaled::from_w(p).w();
        prop_assert!(scaled.abs() <= p.abs());
        let allowed = (p.abs().micro() / 3_276).max(1_000);
        prop_assert!((p - scaled).abs().micro() <= allowed, "{p} {scaled}");
    }

    #[test]
    fn whole_watts_of_the_wire_come_back_exactly(w in 0..=i64::from(i16::MAX), zeros in 0..3_u32) {
        let p = Watts::whole(w * 10_i64.pow(zeros));
        prop_assert_eq!(Scaled::from_w(p).w(), p);
    }
}

#[test]
fn replaying_what_was_decided_gives_the_same_fleet() {
    let mut rig = Rig::new();
    let der = rig.storage(5_000, 10_000);
    let feeder = node(&mut rig, Level::Feeder, None);
    let aggregator = aggregator(&mut rig, 3);
    let programme = program(&mut rig, 3, Scope::Assignment(feeder));
    rig.must(&Command::AssignDer(der, vec![feeder]), 1);
    rig.must(&Command::IssueControl(control(None, programme, 100, 60)), 2);
    rig.must(
        &Command::SetAccess(Client::Aggregator(aggregator), false),
        3,
    );
    rig.must(&Command::DeleteProgram(programme), 4);
    rig.must(&Command::AssignDer(der, vec![]), 5);
    rig.must(&Command::DeleteAssignment(feeder), 6);
    let mut again = Fleet::default();
    for event in &rig.events {
        again.apply(event);
    }
    assert_eq!(again, rig.fleet);
    assert!(rig.fleet.programs_of(der).iter().all(|p| p.id != programme));
}
