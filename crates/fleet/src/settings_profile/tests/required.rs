use super::*;
use crate::settings_profile::{SettingsEvent, SettingsProfile};
use crate::{ControlBase, CurveType, Setting, Share};

#[test]
fn the_most_local_requirement_that_has_begun_holds() {
    let mut rig = Rig::new(2);
    for (title, level, parent) in [
        ("substation", Level::Substation, None),
        ("feeder", Level::Feeder, Some(AssignmentId(0))),
    ] {
        let title = name(title);
        let node = NewAssignment {
            name: title,
            level,
            parent,
        };
        rig.must(&Command::CreateAssignment(node), 0);
    }
    rig.must(&Command::AssignDer(DerId(0), vec![AssignmentId(1)]), 0);
    let wide = rig.profile("wide", values(300, None), 0);
    let local = rig.profile("local", values(60, None), 0);
    let own = rig.profile("own", values(10, None), 0);
    for der in [0, 1] {
        rig.settings(SettingsCommand::SetCategory(DerId(der), CATEGORY), 0)
            .unwrap();
    }
    rig.require(Subject::Category(CATEGORY), Some(wide), 10)
        .unwrap();
    rig.require(Subject::Assignment(AssignmentId(0)), Some(wide), 10)
        .unwrap();
    rig.require(Subject::Assignment(AssignmentId(1)), Some(local), 20)
        .unwrap();
    rig.require(Subject::Der(DerId(0)), Some(own), 30).unwrap();
    rig.require(Subject::Der(DerId(0)), None, 40).unwrap();
    let seen = |at| (rig.required(0, at), rig.required(1, at));
    assert_eq!(seen(9), (None, None));
    assert_eq!(seen(10), (Some(wide), Some(wide)));
    assert_eq!(seen(20), (Some(local), Some(wide)));
    assert_eq!(seen(30), (Some(own), Some(wide)));
    assert_eq!(seen(40), (Some(local), Some(wide)));
    assert!(rig.replays());
}

#[test]
fn a_new_version_changes_nothing_until_it_is_required() {
    let mut rig = Rig::new(1);
    let first = rig.profile("spring", values(300, None), 0);
    rig.require(Subject::Der(DerId(0)), Some(first), 1).unwrap();
    let second = rig.profile("spring", values(60, None), 2);
    let book = rig.fleet.settings();
    let versions: Vec<_> = book
        .versions(&name("spring"))
        .map(|p| (p.id, p.version))
        .collect();
    assert_eq!(versions, [(first, 1), (second, 2)]);
    assert_eq!(rig.required(0, 100), Some(first));
}

#[test]
fn versions_are_so_many_at_most() {
    let mut rig = Rig::new(1);
    let first = rig.profile("spring", values(300, None), 0);
    let version = rig.fleet.settings().profile(first).unwrap().clone();
    let max = SettingsProfile::MAX_VERSIONS;
    for index in 1..max - 1 {
        let next = SettingsProfile {
            id: SettingsProfileId::from(index),
            version: version.version + u32::try_from(index).unwrap(),
            ..version.clone()
        };
        let created = SettingsEvent::ProfileCreated(next);
        rig.fleet.apply(&Event::Settings(created));
    }
    rig.profile("spring", values(60, None), 1);
    let one_more = SettingsCommand::CreateProfile(NewSettingsProfile {
        name: name("autumn"),
        category: CATEGORY,
        values: values(60, None),
        comment: None,
        author: name("ann"),
    });
    let refused = rig.settings(one_more, 2);
    let what = "versions of settings profiles";
    assert_eq!(refused, Err(Rejection::TooMany { what, max }));
}

#[test]
fn the_programme_holds_what_is_required() {
    let mut rig = Rig::new(1);
    let profile = rig.profile("spring", values(300, Some(-440)), 0);
    rig.require(Subject::Der(DerId(0)), Some(profile), 10)
        .unwrap();
    rig.settle(5);
    assert_eq!(*rig.default(DerId(0)), DefaultControl::default());
    rig.settle(10);
    let default = rig.default(DerId(0));
    assert_eq!(default.enter_service.delay_cs, Some(30_000));
    assert_eq!(default.enter_service.low_volt_cpct, Some(9_170));
    let [Setting::Curve(CurveType::VoltVar, curve)] = default.base.settings() else {
        panic!("a volt-var curve, not {:?}", default.base);
    };
    let curve = rig.fleet.curve(*curve).unwrap();
    assert_eq!(curve.name, Some(name("spring v1")));
    let ys: Vec<_> = curve.shape.points.iter().map(|p| p.y).collect();
    assert_eq!(ys, [10_000, 0, 0, -10_000]);
    let events = rig.events.len();
    rig.settle(11);
    assert_eq!(rig.events.len(), events, "what holds is no event again");
    assert!(rig.replays());
}

#[test]
fn shares_follow_the_device_s_settings() {
    let mut rig = Rig::new(1);
    let profile = rig.profile("spring", values(300, Some(-440)), 0);
    rig.require(Subject::Der(DerId(0)), Some(profile), 0)
        .unwrap();
    rig.settle(1);
    let doubled = Settings {
        q_inject_max: Some(Vars::whole(8_800)),
        ..unset()
    };
    rig.must(&Command::ReportSettings(DerId(0), doubled), 2);
    rig.settle(3);
    let curves: Vec<_> = rig.fleet.curves_of(rig.der(DerId(0)).program).collect();
    let [curve] = curves.as_slice() else {
        panic!("the curve it replaced is out of service: {curves:?}");
    };
    assert_eq!(curve.shape.points[0].y, 5_000);
}

#[test]
fn what_was_there_before_comes_back() {
    let mut rig = Rig::new(1);
    let program = rig.der(DerId(0)).program;
    let limit = Setting::MaxLimW(Share {
        percent: Percent::from_hundredths(7_000),
        of: None,
    });
    let mut before = DefaultControl::asking(ControlBase::of([limit]));
    before.enter_service.delay_cs = Some(100);
    before.grad_w = Some(50);
    rig.must(&Command::SetDefaultControl(program, before.clone()), 0);
    let first = rig.profile("spring", values(300, Some(-440)), 0);
    let mut wider = values(60, None);
    wider.insert(P::SetGradW, number(1_000));
    let second = rig.profile("summer", wider, 0);
    for (profile, from) in [(Some(first), 10), (Some(second), 20)] {
        rig.require(Subject::Der(DerId(0)), profile, from).unwrap();
        rig.settle(from);
        assert!(rig.default(DerId(0)).base.settings().contains(&limit));
    }
    assert_eq!(rig.default(DerId(0)).grad_w, Some(100));
    assert_eq!(
        rig.default(DerId(0)).base.settings(),
        [limit],
        "no volt-var any more"
    );
    rig.require(Subject::Der(DerId(0)), None, 30).unwrap();
    rig.settle(30);
    assert!(
        rig.default(DerId(0)).asks_as(&before),
        "{:?}",
        rig.default(DerId(0))
    );
    assert_eq!(rig.fleet.curves_of(program).count(), 0);
    assert_eq!(rig.fleet.settings().realised(DerId(0)), None);
    assert!(rig.replays());
}

#[test]
fn what_somebody_changes_is_brought_back() {
    let mut rig = Rig::new(1);
    let profile = rig.profile("spring", values(300, None), 0);
    rig.require(Subject::Der(DerId(0)), Some(profile), 0)
        .unwrap();
    rig.settle(1);
    let program = rig.der(DerId(0)).program;
    let mut other = rig.default(DerId(0)).clone();
    other.enter_service.delay_cs = Some(1);
    other.soft_grad_w = Some(7);
    rig.must(&Command::SetDefaultControl(program, other), 2);
    rig.settle(3);
    let default = rig.default(DerId(0));
    assert_eq!(default.enter_service.delay_cs, Some(30_000));
    assert_eq!(
        default.soft_grad_w,
        Some(7),
        "the profile does not speak of it"
    );
}

#[test]
fn a_device_that_can_t_have_it_keeps_what_it_has() {
    let mut rig = Rig::new(1);
    let weak = Settings {
        q_inject_max: Some(Vars::whole(1_000)),
        ..unset()
    };
    rig.must(&Command::ReportSettings(DerId(0), weak), 0);
    let profile = rig.profile("spring", values(300, Some(-440)), 0);
    rig.require(Subject::Der(DerId(0)), Some(profile), 0)
        .unwrap();
    let error = reconcile(&rig.fleet, rig.der(DerId(0)), t(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "QV_CURVE_Q1 asks for 4400.0 var, the DER has 1000.0 var"
    );
    assert_eq!(*rig.default(DerId(0)), DefaultControl::default());
}

#[test]
fn bad_commands_are_refused_with_their_reason() {
    let mut rig = Rig::new(2);
    let profile = rig.profile("spring", values(300, None), 0);
    let refused = |outcome: Result<Vec<Event>, Rejection>| outcome.unwrap_err().to_string();
    let new = |title: &str, values: Values, category: Category| {
        SettingsCommand::CreateProfile(NewSettingsProfile {
            name: name(title),
            category,
            values,
            comment: None,
            author: name("ann"),
        })
    };
    let empty = new("empty", Values::new(), CATEGORY);
    assert_eq!(
        refused(rig.settings(empty, 1)),
        "values: at least one setting is required"
    );
    let wrong = new("wrong", values(601, None), CATEGORY);
    assert_eq!(
        refused(rig.settings(wrong, 1)),
        "values: ES_DELAY = 601: is 0 to 600 s (IEEE 1547-2018 4.10.3 a))"
    );
    let other = Category {
        normal: Normal::A,
        ..CATEGORY
    };
    let moved = new("spring", values(300, None), other);
    assert_eq!(
        refused(rig.settings(moved, 1)),
        "category: is the same for all versions of a name"
    );
    let unknown = Some(SettingsProfileId(9));
    assert_eq!(
        refused(rig.require(Subject::Der(DerId(0)), unknown, 1)),
        "no settings profile 9"
    );
    assert_eq!(
        refused(rig.require(Subject::Der(DerId(7)), Some(profile), 1)),
        "no DER 7"
    );
    assert_eq!(
        refused(rig.require(Subject::Assignment(AssignmentId(7)), Some(profile), 1)),
        "no node 7"
    );
    assert_eq!(
        refused(rig.require(Subject::Category(other), Some(profile), 1)),
        "profile: is for DER of another category"
    );
    rig.settings(SettingsCommand::SetCategory(DerId(0), other), 1)
        .unwrap();
    assert_eq!(
        refused(rig.require(Subject::Der(DerId(0)), Some(profile), 1)),
        "profile: is for a category that DER 0 was not approved for"
    );
}

#[test]
fn requirements_of_one_subject_are_bounded() {
    let mut rig = Rig::new(1);
    let profile = rig.profile("spring", values(300, None), 0);
    let max = i64::try_from(crate::SettingsBook::MAX_REQUIREMENTS_OF_SUBJECT).unwrap();
    for from in (1..max).rev() {
        rig.require(Subject::Der(DerId(0)), Some(profile), from)
            .unwrap();
    }
    let refused = rig
        .require(Subject::Der(DerId(0)), Some(profile), 0)
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "requirements of one subject: at most 32 are allowed"
    );
    // What is over makes room.
    for from in max..3 * max {
        rig.require(Subject::Der(DerId(0)), Some(profile), from)
            .unwrap();
    }
    assert_eq!(
        rig.fleet.settings().requirements().count(),
        crate::SettingsBook::MAX_REQUIREMENTS_OF_SUBJECT
    );
}
