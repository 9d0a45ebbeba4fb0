//! Microgrids: which state follows which, by whose leave, and what is refused.

use proptest::prelude::*;
use units::Interval;

use super::{Rig, mrid, t, watts};
use crate::microgrid::{
    Action, Agreement, Coupling, Exchange, Leave, Member, Microgrid, NewMicrogrid, NewPermit,
    Report, SchedulePoint, State,
};
use crate::{
    Client, Command, ControlBase, DerId, Fleet, MicrogridBook, MicrogridCommand, MicrogridId, Name,
    NewControl, Note, Origin, PermitId, Rejection, Scope, Setting, Share,
};

pub(super) const GRID: MicrogridId = MicrogridId(0);

pub(super) fn member(der: DerId) -> Member {
    Member {
        der,
        grid_forming: None,
        black_start: None,
    }
}

pub(super) fn microgrid(name: &str, members: &[DerId]) -> NewMicrogrid {
    NewMicrogrid {
        mrid: mrid(name),
        name: Name::new(name).unwrap(),
        assignment: None,
        import_max: None,
        export_max: None,
        controller: None,
        members: members.iter().map(|der| member(*der)).collect(),
    }
}

pub(super) fn put(new: NewMicrogrid) -> Command {
    Command::Microgrid(MicrogridCommand::Put(Box::new(new)))
}

pub(super) fn report(state: State, at: i64, agreement: Agreement) -> Command {
    let report = Report {
        state,
        at: t(at),
        by: Name::new("operator").unwrap(),
        reason: Note::new("seen").unwrap(),
        agreement,
    };
    Command::Microgrid(MicrogridCommand::Report(GRID, report))
}

pub(super) fn seen(state: State, at: i64) -> Command {
    report(state, at, Agreement::NotGiven)
}

pub(super) fn permit(action: Action, from: i64, to: i64) -> Command {
    let new = NewPermit {
        action,
        window: Interval::between(t(from), t(to)),
        by: Name::new("control room").unwrap(),
        reason: Note::new("test of the island").unwrap(),
    };
    Command::Microgrid(MicrogridCommand::Grant(GRID, new))
}

fn schedule(points: Vec<SchedulePoint>) -> Command {
    Command::Microgrid(MicrogridCommand::SetSchedule(GRID, points))
}

fn point(start: i64, end: i64, exchange: Exchange) -> SchedulePoint {
    SchedulePoint {
        interval: Interval::between(t(start), t(end)),
        exchange,
    }
}

fn refused(rig: &Rig, command: &Command, now: i64) -> String {
    rig.fleet.decide(command, t(now)).unwrap_err().to_string()
}

fn state(rig: &Rig) -> State {
    rig.fleet.microgrids().microgrid(GRID).unwrap().1.state()
}

fn two_batteries() -> Rig {
    let mut rig = Rig::new();
    let ders = [rig.storage(5_000, 10_000), rig.storage(5_000, 10_000)];
    rig.must(&put(microgrid("campus", &ders)), 10);
    rig
}

#[test]
fn a_planned_island_takes_a_permit_to_leave_and_one_to_come_back() {
    let mut rig = two_batteries();
    let planned = seen(State::PlannedIslanding, 20);
    let missing = "microgrid campus has no permit to island";
    assert_eq!(refused(&rig, &planned, 20), missing);
    rig.must(&permit(Action::Island, 30, 60), 20);
    assert_eq!(
        refused(&rig, &planned, 29),
        missing,
        "its time has not come"
    );
    rig.must(&seen(State::PlannedIslanding, 30), 30);
    rig.must(&seen(State::Islanded, 31), 31);
    let operation = rig.fleet.microgrids().microgrid(GRID).unwrap().1;
    assert_eq!(operation.current().leave, Leave::Permit(PermitId(0)));
    assert!(!operation.is_unplanned(t(59)));
    assert!(operation.is_unplanned(t(60)), "it stays beyond its permit");

    let back = seen(State::Reconnecting, 40);
    assert_eq!(
        refused(&rig, &back, 40),
        "microgrid campus has no permit to reconnect"
    );
    rig.must(&permit(Action::Reconnect, 40, 80), 40);
    rig.must(&back, 41);
    rig.must(&seen(State::GridConnected, 42), 42);
    assert_eq!(rig.fleet.coupling(DerId(1)), Coupling::Connected);
}

#[test]
fn a_revoked_permit_is_none() {
    let mut rig = two_batteries();
    rig.must(&permit(Action::Island, 20, 90), 20);
    let by = Name::new("control room").unwrap();
    let revoke = MicrogridCommand::Revoke(GRID, PermitId(0), by);
    assert_eq!(rig.must(&Command::Microgrid(revoke.clone()), 25).len(), 1);
    assert!(rig.must(&Command::Microgrid(revoke), 26).is_empty());
    let planned = seen(State::PlannedIslanding, 30);
    assert!(refused(&rig, &planned, 30).contains("no permit to island"));
}

#[test]
fn an_unplanned_island_is_taken_in_without_a_permit() {
    let mut rig = two_batteries();
    rig.must(&seen(State::Islanded, 20), 25);
    let operation = rig.fleet.microgrids().microgrid(GRID).unwrap().1;
    assert_eq!(operation.current().leave, Leave::None);
    assert!(operation.is_unplanned(t(25)));
    assert_eq!(rig.fleet.coupling_at(DerId(0), t(19)), Coupling::Connected);
    assert_eq!(rig.fleet.coupling_at(DerId(0), t(20)), Coupling::Separated);
    rig.must(&report(State::Reconnecting, 30, Agreement::Given), 30);
    rig.must(&seen(State::GridConnected, 31), 31);
    let operation = rig.fleet.microgrids().microgrid(GRID).unwrap().1;
    assert_eq!(operation.current().leave, Leave::Agreement);
}

#[test]
fn a_reconnection_whose_permit_is_revoked_is_not_believed() {
    let mut rig = two_batteries();
    rig.must(&seen(State::Islanded, 20), 20);
    rig.must(&permit(Action::Reconnect, 20, 90), 20);
    rig.must(&seen(State::Reconnecting, 30), 30);
    let by = Name::new("control room").unwrap();
    let revoke = MicrogridCommand::Revoke(GRID, PermitId(0), by);
    rig.must(&Command::Microgrid(revoke), 31);
    let connected = seen(State::GridConnected, 32);
    assert!(refused(&rig, &connected, 32).contains("no permit to reconnect"));
    assert_eq!(rig.fleet.coupling(DerId(0)), Coupling::Uncertain);
}

/// IEEE 2030.7-2017: T1 to T4 between the two steady states, and what being without voltage adds.
#[test]
fn only_these_states_follow_one_another() {
    use State as S;
    let legal: [(S, &[S]); 7] = [
        (
            S::GridConnected,
            &[
                S::PlannedIslanding,
                S::UnplannedIslanding,
                S::Islanded,
                S::DeEnergised,
            ],
        ),
        (
            S::PlannedIslanding,
            &[
                S::GridConnected,
                S::UnplannedIslanding,
                S::Islanded,
                S::DeEnergised,
            ],
        ),
        (
            S::UnplannedIslanding,
            &[S::Islanded, S::Reconnecting, S::DeEnergised],
        ),
        (S::Islanded, &[S::Reconnecting, S::DeEnergised]),
        (
            S::Reconnecting,
            &[S::GridConnected, S::Islanded, S::DeEnergised],
        ),
        (S::DeEnergised, &[S::Reconnecting, S::BlackStart]),
        (S::BlackStart, &[S::Islanded, S::DeEnergised]),
    ];
    for (from, to) in legal {
        let follows: Vec<S> = S::ALL.into_iter().filter(|s| from.leads_to(*s)).collect();
        assert_eq!(follows, to, "{from:?}");
    }
    let mut rig = two_batteries();
    rig.must(&seen(S::Islanded, 20), 20);
    let direct = report(S::GridConnected, 21, Agreement::Given);
    assert_eq!(
        refused(&rig, &direct, 21),
        "microgrid campus does not come from islanded to grid_connected"
    );
}

#[test]
fn a_report_is_neither_of_the_future_nor_of_before_the_last_one() {
    let mut rig = two_batteries();
    rig.must(&seen(State::Islanded, 20), 25);
    for at in [19, 31] {
        let back = report(State::Reconnecting, at, Agreement::Given);
        assert!(refused(&rig, &back, 30).contains("not ahead"), "{at}");
    }
    assert!(rig.must(&seen(State::Islanded, 28), 28).is_empty());
}

#[test]
fn a_der_is_in_one_microgrid_and_leaves_it_when_it_is_removed() {
    let mut rig = two_batteries();
    let third = rig.storage(5_000, 10_000);
    let other = put(microgrid("harbour", &[DerId(1), third]));
    assert_eq!(
        refused(&rig, &other, 20),
        "members: der-1 is a member of microgrid campus"
    );
    let twice = put(microgrid("harbour", &[third, third]));
    assert!(refused(&rig, &twice, 20).contains("name a DER once"));
    let nobody = put(microgrid("harbour", &[]));
    assert!(refused(&rig, &nobody, 20).contains("at least one"));
    rig.must(&seen(State::Islanded, 20), 20);
    rig.must(&Command::RemoveDer(DerId(1)), 30);
    let (campus, _) = rig.fleet.microgrids().microgrid(GRID).unwrap();
    assert!(!campus.has(DerId(1)) && campus.has(DerId(0)));
    assert_eq!(rig.fleet.coupling(DerId(1)), Coupling::Connected);
}

#[test]
fn an_island_keeps_its_members_and_stays_in_service() {
    let mut rig = two_batteries();
    rig.must(&seen(State::UnplannedIslanding, 20), 20);
    let fewer = put(microgrid("campus", &[DerId(0)]));
    assert!(refused(&rig, &fewer, 21).contains("connected to the grid only"));
    let remove = Command::Microgrid(MicrogridCommand::Remove(GRID));
    assert!(refused(&rig, &remove, 21).contains("connected to the grid only"));
    let mut rated = microgrid("campus", &[DerId(0), DerId(1)]);
    rated.export_max = Some(watts(1));
    assert_eq!(rig.must(&put(rated.clone()), 22).len(), 1);
    assert!(rig.must(&put(rated), 23).is_empty());
}

#[test]
fn a_permit_to_island_is_refused_where_nobody_can_form_a_grid() {
    let mut rig = two_batteries();
    let mut follower = microgrid("campus", &[DerId(0), DerId(1)]);
    for member in &mut follower.members {
        member.grid_forming = Some(false);
    }
    rig.must(&put(follower), 11);
    let island = permit(Action::Island, 20, 60);
    assert_eq!(refused(&rig, &island, 20), "members: none can form a grid");
    rig.must(&permit(Action::Reconnect, 20, 60), 20);
}

#[test]
fn windows_of_permits_are_ahead_and_a_month_at_most() {
    let rig = two_batteries();
    for (from, to) in [(20, 20), (5, 20)] {
        let over = permit(Action::Island, from, to);
        assert!(refused(&rig, &over, 20).contains("empty or over"));
    }
    let long = permit(Action::Island, 20, 20 + 31 * 86_400 + 1);
    assert!(refused(&rig, &long, 20).contains("31 days"));
}

#[test]
fn what_does_not_exist_is_named() {
    let rig = two_batteries();
    let mut new = microgrid("harbour", &[DerId(7)]);
    assert_eq!(refused(&rig, &put(new.clone()), 20), "no DER 7");
    new.members = vec![member(DerId(0))];
    new.controller = Some(Client::Der(DerId(9)));
    assert_eq!(refused(&rig, &put(new), 20), "no DER 9");
    let taken = NewMicrogrid {
        mrid: mrid("another"),
        ..microgrid("campus", &[DerId(0)])
    };
    assert_eq!(
        refused(&rig, &put(taken), 20),
        "name campus is already in use"
    );
    let Command::Microgrid(MicrogridCommand::Report(_, report)) = seen(State::Islanded, 20) else {
        panic!("a report")
    };
    let nowhere = Command::Microgrid(MicrogridCommand::Report(MicrogridId(3), report));
    assert_eq!(refused(&rig, &nowhere, 20), "no microgrid 3");
}

#[test]
fn everything_about_a_microgrid_has_a_limit() {
    let mut rig = two_batteries();
    let many: Vec<DerId> = (0..=Microgrid::MAX_MEMBERS).map(DerId::from).collect();
    let crowd = put(microgrid("crowd", &many));
    assert!(refused(&rig, &crowd, 20).contains("at most 1000"));

    let long = (0..=Microgrid::MAX_SCHEDULE_POINTS as i64).map(|i| {
        let limits = Exchange::Limits {
            import_max: None,
            export_max: Some(watts(1)),
        };
        point(i, i + 1, limits)
    });
    let long: Vec<SchedulePoint> = long.collect();
    assert!(refused(&rig, &schedule(long.clone()), 20).contains("at most 576"));
    rig.must(&schedule(long[1..].to_vec()), 20);

    for _ in 0..Microgrid::MAX_PERMITS {
        rig.must(&permit(Action::Reconnect, 20, 60), 20);
    }
    let more = permit(Action::Reconnect, 20, 60);
    assert!(refused(&rig, &more, 20).contains("at most 16"));
    rig.must(&permit(Action::Reconnect, 60, 90), 60);
    let (_, operation) = rig.fleet.microgrids().microgrid(GRID).unwrap();
    assert_eq!(operation.permits.len(), Microgrid::MAX_PERMITS);

    for step in 0..Microgrid::MAX_TRANSITIONS as i64 {
        let at = 100 + 3 * step;
        rig.must(&seen(State::Islanded, at), at);
        rig.must(
            &report(State::Reconnecting, at + 1, Agreement::Given),
            at + 1,
        );
        rig.must(&seen(State::GridConnected, at + 2), at + 2);
    }
    let (_, operation) = rig.fleet.microgrids().microgrid(GRID).unwrap();
    assert_eq!(operation.transitions.len(), Microgrid::MAX_TRANSITIONS);
    for index in rig.fleet.microgrids().microgrids().count()..MicrogridBook::MAX_MICROGRIDS {
        let der = rig.enrol(crate::DerKind::Pv, None);
        rig.must(&put(microgrid(&format!("m{index}"), &[der])), 400);
    }
    let der = rig.enrol(crate::DerKind::Pv, None);
    let one_more = put(microgrid("one more", &[der]));
    assert!(refused(&rig, &one_more, 400).contains("at most 1000"));
}

#[test]
fn a_schedule_is_in_order_and_of_whole_seconds() {
    let rig = two_batteries();
    let net = Exchange::Net {
        p: watts(1_000),
        tolerance: watts(100),
    };
    let crossed = schedule(vec![point(100, 200, net), point(150, 250, net)]);
    assert!(refused(&rig, &crossed, 20).contains("do not overlap"));
    let empty = schedule(vec![point(100, 100, net)]);
    assert!(refused(&rig, &empty, 20).contains("whole seconds"));
    let negative = Exchange::Net {
        p: watts(1_000),
        tolerance: watts(-1),
    };
    let negative = schedule(vec![point(100, 200, negative)]);
    assert!(refused(&rig, &negative, 20).contains("magnitude"));
}

#[test]
fn ratings_and_schedules_are_limits_while_it_is_connected() {
    let mut rig = two_batteries();
    let mut rated = microgrid("campus", &[DerId(0), DerId(1)]);
    rated.import_max = Some(watts(7_000));
    rated.export_max = Some(watts(8_000));
    rig.must(&put(rated), 11);
    let net = Exchange::Net {
        p: watts(-1_000),
        tolerance: watts(100),
    };
    rig.must(&schedule(vec![point(100, 200, net)]), 12);
    let limits = rig.fleet.microgrids().limits();
    let told = limits
        .iter()
        .map(|it| (it.name.as_str(), it.terms[0].1, it.max, it.during.is_some()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("export of microgrid campus", 1.0, watts(8_000), false),
            ("import of microgrid campus", -1.0, watts(7_000), false),
            ("schedule of microgrid campus", 1.0, watts(-900), true),
            ("schedule of microgrid campus", -1.0, watts(1_100), true),
        ]
    );
    let before = rig.fleet.microgrids().revision();
    rig.must(&seen(State::Islanded, 20), 20);
    assert_eq!(rig.fleet.microgrids().limits(), []);
    assert_ne!(rig.fleet.microgrids().revision(), before);
}

#[test]
fn nothing_is_asked_of_an_island_but_to_keep_off() {
    let mut rig = two_batteries();
    let program = rig.fleet.der(DerId(0)).unwrap().program;
    let control = |setting: Setting| {
        Command::IssueControl(NewControl {
            der: Some(DerId(0)),
            program,
            origin: Origin::Operator,
            interval: Interval::between(t(100), t(900)),
            base: ControlBase::of([setting]),
            terms: None,
        })
    };
    let half = Setting::MaxLimW(Share {
        percent: units::Percent::from_hundredths(5_000),
        of: Some(watts(5_000)),
    });
    rig.must(&control(half), 20);
    rig.must(&control(Setting::Energize(false)), 20);
    rig.follow(&seen(State::UnplannedIslanding, 30), 30);
    let open = |rig: &Rig| {
        let controls = rig.fleet.controls().iter();
        controls.filter(|c| c.cancelled.is_none()).count()
    };
    assert_eq!(
        open(&rig),
        2,
        "a limit holds while the switch may be closed"
    );
    rig.follow(&seen(State::Islanded, 31), 31);
    assert_eq!(open(&rig), 1, "what keeps it off stays");
    assert!(matches!(
        rig.fleet.decide(&control(half), t(40)),
        Err(Rejection::Islanded { .. })
    ));
    rig.must(&control(Setting::Energize(false)), 40);
}

#[test]
fn programmes_for_many_do_not_reach_an_island() {
    let mut rig = two_batteries();
    rig.must(
        &Command::CreateProgram(crate::NewProgram {
            name: Name::new("everybody").unwrap(),
            primacy: 30,
            scope: Scope::All,
        }),
        15,
    );
    let shown = |rig: &Rig| rig.fleet.programs_of(DerId(0)).len();
    assert_eq!(shown(&rig), 2);
    rig.must(&seen(State::UnplannedIslanding, 20), 20);
    assert_eq!(shown(&rig), 2);
    rig.must(&seen(State::Islanded, 21), 21);
    assert_eq!(shown(&rig), 1);
    rig.must(&report(State::Reconnecting, 22, Agreement::Given), 22);
    assert_eq!(shown(&rig), 2);
}

#[derive(Clone, Debug)]
enum Step {
    Report(State, Agreement),
    Grant(Action),
    Revoke(u32),
    Remove(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let agreement = prop_oneof![Just(Agreement::Given), Just(Agreement::NotGiven)];
    let action = prop_oneof![Just(Action::Island), Just(Action::Reconnect)];
    prop_oneof![
        6 => (prop::sample::select(State::ALL.to_vec()), agreement)
            .prop_map(|(state, agreement)| Step::Report(state, agreement)),
        2 => action.prop_map(Step::Grant),
        1 => (0..4_u32).prop_map(Step::Revoke),
        1 => (0..3_u32).prop_map(Step::Remove),
    ]
}

proptest! {
    /// Whatever is reported, granted and revoked: what was decided is legal and by leave, members
    /// are found through the book and the book through members, and the journal tells all of it.
    #[test]
    fn any_sequence_keeps_what_must_hold(steps in prop::collection::vec(step(), 1..60)) {
        let mut rig = two_batteries();
        let mut now = 100;
        for step in steps {
            now += 10;
            let before = state(&rig);
            let command = match step.clone() {
                Step::Report(state, agreement) => report(state, now - 5, agreement),
                Step::Grant(action) => permit(action, now, now + 45),
                Step::Revoke(id) => {
                    let by = Name::new("control room").unwrap();
                    Command::Microgrid(MicrogridCommand::Revoke(GRID, PermitId(id), by))
                }
                Step::Remove(der) => Command::RemoveDer(DerId(der)),
            };
            let had = |action| {
                let (_, it) = rig.fleet.microgrids().microgrid(GRID).unwrap();
                it.permit(action, t(now)).is_some()
            };
            let (island, reconnect) = (had(Action::Island), had(Action::Reconnect));
            let Ok(events) = rig.fleet.decide(&command, t(now)) else { continue };
            for event in &events {
                rig.fleet.apply(event);
            }
            rig.events.extend(events);
            let after = state(&rig);
            if before != after {
                prop_assert!(before.leads_to(after));
                prop_assert!(after != State::PlannedIslanding || island);
                let given = matches!(step, Step::Report(_, Agreement::Given));
                prop_assert!(after != State::Reconnecting || reconnect || given);
            }
            let book = rig.fleet.microgrids();
            let (campus, _) = book.microgrid(GRID).unwrap();
            for der in rig.fleet.ders() {
                let of = book.of(der.id).is_some_and(|(it, _)| it.id == GRID);
                prop_assert_eq!(of, campus.has(der.id));
                prop_assert!(der.removed.is_none() || !of);
            }
        }
        let mut replayed = Fleet::default();
        for event in &rig.events {
            replayed.apply(event);
        }
        prop_assert_eq!(replayed, rig.fleet);
    }
}
