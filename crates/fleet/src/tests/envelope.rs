//! Envelopes become controls without gaps.
#![expect(clippy::unwrap_in_result, reason = "a test may stop")]

use proptest::prelude::*;
use units::{Interval, Watts};

use super::{Rig, t, watts};
use crate::{
    Command, Control, ControlBase, ControlId, Der, DerId, Envelope, EnvelopePoint, Fallback, Fleet,
    Name, NewControl, NewProgram, Origin, ProgramChange, Rejection, Scaled, Scope, Setting,
};

fn envelope(der: DerId, source: &str, points: &[(i64, i64, i64)]) -> Envelope {
    let point = |&(start, end, export): &(i64, i64, i64)| EnvelopePoint {
        interval: Interval::between(t(start), t(end)),
        import_max: None,
        export_max: Some(watts(export)),
    };
    Envelope {
        der,
        source: Name::new(source).unwrap(),
        set: t(0),
        points: points.iter().map(point).collect(),
        fallback: Fallback {
            import_max: None,
            export_max: Some(watts(1_500)),
        },
    }
}

/// A storage that knows the envelope modes.
fn site(rig: &mut Rig) -> DerId {
    let der = rig.storage(5_000, 10_000);
    rig.knows_envelopes(der);
    der
}

fn most_export(fleet: &Fleet, der: &Der, at: i64) -> Option<Watts> {
    let span = Interval::between(t(at), t(at));
    let settings = der.settings.as_ref().unwrap();
    fleet.limits_during(der, settings, span).0
}

fn open(rig: &Rig) -> Vec<&Control> {
    let controls = rig.fleet.controls().iter();
    controls.filter(|c| c.cancelled.is_none()).collect()
}

#[test]
fn each_point_is_a_control_of_its_own_programme_and_the_rest_is_its_default() {
    let mut rig = Rig::new();
    let der = site(&mut rig);
    let points = [(100, 200, 4_000), (200, 300, 0)];
    rig.follow(&Command::SetEnvelope(envelope(der, "grid", &points)), 10);
    let controls = open(&rig);
    assert_eq!(controls.len(), 2);
    assert!(controls.iter().all(|c| c.origin == Origin::Envelope));
    let programs = rig.fleet.programs_of(der);
    assert!(
        programs[0].primacy < programs[1].primacy,
        "above any dispatch"
    );
    let der = rig.fleet.der(der).unwrap();
    let at = |at| most_export(&rig.fleet, der, at);
    assert_eq!(
        (at(50), at(150), at(250)),
        (Some(watts(1_500)), Some(watts(4_000)), Some(watts(0)))
    );
    assert_eq!(at(300), Some(watts(1_500)));
}

#[test]
fn an_update_touches_only_what_changes_and_leaves_no_gap() {
    let mut rig = Rig::new();
    let der = site(&mut rig);
    let before = [(100, 200, 4_000), (200, 300, 3_000), (300, 400, 2_000)];
    rig.follow(&Command::SetEnvelope(envelope(der, "grid", &before)), 10);
    let after = [
        (100, 200, 4_000),
        (200, 300, 1_000),
        (300, 400, 2_000),
        (400, 500, 500),
    ];
    let events = rig.follow(&Command::SetEnvelope(envelope(der, "grid", &after)), 250);
    // One control for what is left of the running point, one for the new one; one withdrawn.
    let issued = events
        .iter()
        .filter(|e| matches!(e, crate::Event::ControlIssued(_)));
    assert_eq!(issued.count(), 2);
    assert_eq!(open(&rig).len(), 4);
    let der = rig.fleet.der(der).unwrap();
    assert_eq!(most_export(&rig.fleet, der, 250), Some(watts(1_000)));
    assert!(
        rig.follow(
            &Command::SetEnvelope(envelope(DerId(0), "grid", &after)),
            251
        )
        .is_empty()
    );
}

#[test]
fn the_tightest_of_all_sources_holds() {
    let mut rig = Rig::new();
    let der = site(&mut rig);
    rig.follow(
        &Command::SetEnvelope(envelope(der, "grid", &[(100, 300, 4_000)])),
        10,
    );
    rig.follow(
        &Command::SetEnvelope(envelope(der, "market", &[(200, 400, 3_000)])),
        11,
    );
    let found = rig.fleet.der(der).unwrap();
    let at = |at| most_export(&rig.fleet, found, at);
    // Outside its points each source falls back to 1,500 W.
    assert_eq!(
        (at(150), at(250), at(350)),
        (Some(watts(1_500)), Some(watts(3_000)), Some(watts(1_500)))
    );
    let clear = Command::ClearEnvelope(der, Name::new("market").unwrap());
    rig.follow(&clear, 20);
    let found = rig.fleet.der(der).unwrap();
    assert_eq!(most_export(&rig.fleet, found, 150), Some(watts(4_000)));
    let unknown = rig.fleet.decide(&clear, t(21));
    assert!(matches!(unknown, Err(Rejection::Unknown { .. })));
}

#[test]
fn a_device_without_envelope_modes_has_its_injection_limited_by_its_settings() {
    let mut rig = Rig::new();
    let der = rig.pv(8_000);
    rig.follow(
        &Command::SetEnvelope(envelope(der, "grid", &[(100, 200, 4_000)])),
        10,
    );
    let percent = |rig: &Rig| {
        let control = *open(rig).first().unwrap();
        match control.base.settings() {
            [Setting::MaxLimW(share)] => share.percent.hundredths(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(percent(&rig), 5_000);
    let mut settings = rig.fleet.der(der).unwrap().settings.clone().unwrap();
    settings.p_inject_max = watts(5_000);
    rig.follow(&Command::ReportSettings(der, settings), 150);
    assert_eq!(open(&rig).len(), 1);
    assert_eq!(percent(&rig), 8_000, "the same watts of the new maximum");
}

#[test]
fn bad_envelopes_name_the_rule() {
    let mut rig = Rig::new();
    let der = site(&mut rig);
    let refused = |points: &[(i64, i64, i64)]| {
        let envelope = envelope(der, "grid", points);
        rig.fleet
            .decide(&Command::SetEnvelope(envelope), t(1))
            .unwrap_err()
    };
    let field = |rejection| match rejection {
        Rejection::Invalid { field, .. } => field,
        Rejection::TooMany { what, .. } => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(refused(&[(100, 200, 1), (150, 300, 1)])), "points");
    assert_eq!(field(refused(&[(100, 100, 1)])), "points");
    assert_eq!(field(refused(&[(100, 200, -1)])), "limit");
    let many: Vec<(i64, i64, i64)> = (0..=Envelope::MAX_POINTS as i64)
        .map(|k| (k * 300, (k + 1) * 300, 1))
        .collect();
    assert_eq!(field(refused(&many)), "points of one envelope");
    for k in 0..Fleet::MAX_ENVELOPES_OF_DER {
        let source = format!("source {k}");
        rig.must(&Command::SetEnvelope(envelope(der, &source, &[])), 1);
    }
    let fifth = Command::SetEnvelope(envelope(der, "one more", &[]));
    assert_eq!(
        field(rig.fleet.decide(&fifth, t(1)).unwrap_err()),
        "sources of envelopes of one DER"
    );
}

/// What is asked to bring the controls of `der` to its envelopes, until nothing is.
fn settle(rig: &mut Rig, der: DerId, now: i64) -> usize {
    let mut asked = 0;
    loop {
        let commands = rig.fleet.envelope_commands(der, t(now));
        if commands.is_empty() {
            return asked;
        }
        asked += commands.len();
        assert!(asked < 100, "{commands:?}");
        for command in &commands {
            rig.follow(command, now);
        }
    }
}

/// An operator's own limit on export, above the envelope or not.
fn operator(
    rig: &mut Rig,
    der: DerId,
    primacy: u8,
    (start, end, now): (i64, i64, i64),
) -> ControlId {
    let new = NewProgram {
        name: Name::new("works").unwrap(),
        primacy,
        scope: Scope::Device(der),
    };
    rig.must(&Command::CreateProgram(new), now);
    let new = NewControl {
        der: Some(der),
        program: rig.fleet.programs().last().unwrap().id,
        origin: Origin::Operator,
        interval: Interval::between(t(start), t(end)),
        base: ControlBase::of([Setting::ExpLimW(Scaled::from_w(watts(5_000)))]),
        terms: None,
    };
    rig.must(&Command::IssueControl(new), now);
    rig.fleet.controls().last().unwrap().id
}

/// The envelope's control in force at `at`, if it is one that is.
fn holder(rig: &Rig, der: DerId, at: i64) -> Option<Interval> {
    let candidates = rig.fleet.ranked_controls_of(der);
    let export = |setting: &Setting| matches!(setting, Setting::ExpLimW(_));
    let control = crate::control::precedence::in_force(&candidates, t(at), export)?;
    (control.origin == Origin::Envelope).then_some(control.interval)
}

#[test]
fn an_envelope_that_rolls_on_keeps_its_limit_in_force() {
    let mut rig = Rig::new();
    let der = site(&mut rig);
    for round in 0..6 {
        let now = round * 300;
        let points: Vec<(i64, i64, i64)> = (0..Envelope::MAX_POINTS as i64)
            .map(|k| (now + k * 300, now + (k + 1) * 300, 1_000 + k + 2 * round))
            .collect();
        rig.follow(&Command::SetEnvelope(envelope(der, "grid", &points)), now);
        let most = most_export(&rig.fleet, rig.fleet.der(der).unwrap(), now + 10);
        assert_eq!(most, Some(watts(1_000 + 2 * round)), "round {round}");
    }
    let shown = rig.fleet.own_controls_of(der);
    let (withdrawn, stands): (Vec<&Control>, Vec<&Control>) =
        shown.partition(|control| control.cancelled.is_some());
    let open = stands.iter().filter(|c| t(1_500) < c.interval.end());
    assert_eq!(open.count(), Envelope::MAX_POINTS);
    assert_eq!(withdrawn.len(), Fleet::MAX_WITHDRAWN_CONTROLS);
}

#[test]
fn an_envelope_that_does_not_fit_is_refused_as_a_whole() {
    let mut rig = Rig::new();
    let der = site(&mut rig);
    operator(&mut rig, der, 30, (1_000, 1_001, 1));
    let like = rig.fleet.controls()[0].clone();
    for second in 1..Fleet::MAX_LIVE_CONTROLS as i64 - 1 {
        rig.must(
            &Command::IssueControl(NewControl {
                der: like.der,
                program: like.program,
                origin: like.origin,
                interval: Interval::between(t(1_000 + second), t(1_001 + second)),
                base: like.base.clone(),
                terms: None,
            }),
            1,
        );
    }
    let set = |points: &[(i64, i64, i64)]| Command::SetEnvelope(envelope(der, "grid", points));
    let refused = rig
        .fleet
        .decide(&set(&[(100, 200, 1), (200, 300, 2)]), t(2));
    assert!(
        matches!(refused, Err(Rejection::TooMany { .. })),
        "{refused:?}"
    );
    rig.follow(&set(&[(100, 200, 1)]), 2);
}

#[test]
fn what_is_withdrawn_or_removed_of_an_envelope_is_restored() {
    let mut rig = Rig::new();
    let der = site(&mut rig);
    rig.follow(
        &Command::SetEnvelope(envelope(der, "grid", &[(100, 200, 4_000)])),
        10,
    );
    assert_eq!(settle(&mut rig, der, 11), 0);
    rig.must(&Command::CancelControl(ControlId(0)), 150);
    assert_eq!(settle(&mut rig, der, 151), 1);
    assert_eq!(
        holder(&rig, der, 151),
        Some(Interval::between(t(151), t(200)))
    );
    let program = rig.fleet.envelope_program(der).unwrap().id;
    rig.must(&Command::DeleteProgram(program), 160);
    settle(&mut rig, der, 161);
    assert_eq!(
        holder(&rig, der, 161),
        Some(Interval::between(t(161), t(200)))
    );
    assert_ne!(rig.fleet.envelope_program(der).unwrap().id, program);
}

#[test]
fn an_envelope_goes_on_where_what_was_above_it_ends() {
    for primacy in [1, 10] {
        let mut rig = Rig::new();
        let der = site(&mut rig);
        rig.follow(
            &Command::SetEnvelope(envelope(der, "grid", &[(100, 200, 4_000)])),
            10,
        );
        operator(&mut rig, der, primacy, (120, 140, 50));
        assert_eq!(settle(&mut rig, der, 51), 1);
        assert_eq!(
            (51..200)
                .map(|now| settle(&mut rig, der, now))
                .sum::<usize>(),
            0
        );
        assert_eq!(
            holder(&rig, der, 119),
            Some(Interval::between(t(100), t(200)))
        );
        assert_eq!(holder(&rig, der, 130), None);
        assert_eq!(
            holder(&rig, der, 140),
            Some(Interval::between(t(140), t(200)))
        );
    }
    let mut rig = Rig::new();
    let der = site(&mut rig);
    rig.follow(
        &Command::SetEnvelope(envelope(der, "grid", &[(100, 200, 4_000)])),
        10,
    );
    let above = operator(&mut rig, der, 1, (120, 140, 50));
    settle(&mut rig, der, 51);
    rig.must(&Command::CancelControl(above), 130);
    assert_eq!(settle(&mut rig, der, 130), 1);
    assert_eq!(
        holder(&rig, der, 130),
        Some(Interval::between(t(130), t(200)))
    );
    assert!((130..200).all(|at| holder(&rig, der, at).is_some()));
}

#[test]
fn the_programme_of_an_envelope_is_told_by_what_it_is_for() {
    let mut rig = Rig::new();
    let der = site(&mut rig);
    let name = Name::new(crate::Program::ENVELOPE).unwrap();
    let namesake = NewProgram {
        name,
        primacy: 30,
        scope: Scope::Device(der),
    };
    rig.must(&Command::CreateProgram(namesake), 1);
    let theirs = rig.fleet.programs().last().unwrap().id;
    rig.follow(
        &Command::SetEnvelope(envelope(der, "grid", &[(100, 200, 4_000)])),
        10,
    );
    let ours = rig.fleet.envelope_program(der).unwrap().id;
    assert_ne!(ours, theirs);
    assert_eq!(rig.fleet.controls_under(theirs, der).count(), 0);
    let renamed = ProgramChange {
        name: Some(Name::new("DOE").unwrap()),
        primacy: None,
    };
    rig.must(&Command::ChangeProgram(ours, renamed), 11);
    rig.follow(
        &Command::SetEnvelope(envelope(der, "grid", &[(100, 200, 3_000)])),
        12,
    );
    assert!(open(&rig).iter().all(|control| control.program == ours));
    assert_eq!(open(&rig).len(), 1);
}

fn any_points() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
    proptest::collection::vec((1..100_i64, 0..50_i64, 0..6_i64), 0..8).prop_map(|steps| {
        let mut at = 0;
        let point = |(length, gap, export): (i64, i64, i64)| {
            let start = at + gap;
            at = start + length;
            (start, at, export * 1_000)
        };
        steps.into_iter().map(point).collect()
    })
}

proptest! {
    /// Whatever envelopes came one after another, at every later instant the device is limited to
    /// exactly what the last ones say.
    #[test]
    fn what_is_in_force_is_the_last_envelope(
        updates in proptest::collection::vec((any_points(), 0..2_u8, 1..80_i64), 1..6),
    ) {
        let mut rig = Rig::new();
        let der = site(&mut rig);
        let mut now = 0;
        for (points, source, wait) in updates {
            now += wait;
            let source = ["grid", "market"][usize::from(source)];
            rig.follow(&Command::SetEnvelope(envelope(der, source, &points)), now);
        }
        let envelopes = rig.fleet.envelopes_of(der).to_vec();
        let found = rig.fleet.der(der).unwrap();
        for at in now..now + 400 {
            let expected = envelopes.iter().filter_map(|e| e.at(t(at)).export_max).min();
            prop_assert_eq!(most_export(&rig.fleet, found, at), expected, "at {}", at);
        }
    }
}
