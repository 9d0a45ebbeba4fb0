//! What an edition adds, and what servers of an older one do.

use super::*;

#[test]
fn since_2023_each_mode_that_is_lost_is_answered() {
    let mut events = Bench::with(Traits {
        edition: Edition::Y2023,
        ..traits()
    });
    let both = DerControl {
        base: DerControlBase {
            op_mod_connect: Some(true),
            ..target(1_000)
        },
        ..control(1, 100, 100)
    };
    events.learn(SITE, &[both, control(2, 120, 20)], at(100));
    events.events.take_due();
    events.step(at(120));
    let due = events.events.take_due();
    let told: Vec<_> = due
        .iter()
        .map(|it| (it.subject.value(), it.status.0))
        .collect();
    assert_eq!(told, [(2, 2), (1, 7)]);
    assert_eq!(due[1].modes.types().0, DerControlType::TARGET_W);
    events.step(at(200));
    let due = events.events.take_due();
    assert_eq!(due.last().unwrap().modes.types().0, DerControlType::CONNECT);
}

#[test]
fn since_2023_an_event_that_is_removed_before_its_end_is_cancelled() {
    for (edition, extent, ends) in [
        (Edition::Y2023, Extent::Whole, 6),
        (Edition::Y2023, Extent::Part, 3),
        (Edition::Y2018, Extent::Whole, 3),
    ] {
        let mut events = Bench::with(Traits {
            edition,
            ..traits()
        });
        events.learn(SITE, &[control(1, 100, 50), control(2, 300, 50)], at(100));
        events.learn(SYSTEM, &[control(3, 500, 50)], at(100));
        statuses(&mut events);
        events.events.learn(SITE, (&[], extent), at(120));
        let is_cancelled = ends == 6;
        let told = if is_cancelled {
            vec![(1, 6), (2, 6)]
        } else {
            vec![]
        };
        let asks = (!is_cancelled).then_some(1_000);
        assert_eq!((statuses(&mut events), asked(&events)), (told, asks));
        events.step(at(500));
        events.step(at(600));
        let of_system = statuses(&mut events);
        assert!(of_system.ends_with(&[(3, 2), (3, 3)]), "{of_system:?}");
    }
}

#[test]
fn an_event_that_is_removed_at_its_end_is_completed() {
    let mut events = Bench::with(Traits {
        edition: Edition::Y2023,
        ..traits()
    });
    events.learn(SITE, &[control(1, 100, 50)], at(100));
    events.learn(SITE, &[], at(150));
    assert_eq!(statuses(&mut events), [(1, 1), (1, 2), (1, 3)]);
}

#[test]
fn an_event_whose_curve_has_not_been_read_is_met_later_and_not_taken_for_removed() {
    let mut events = Bench::with(Traits {
        edition: Edition::Y2023,
        ..traits()
    });
    let event = control(1, 100, 50);
    let mut listed = [Listed::new(
        Announced::der_control(SITE, &event),
        &event.event_status,
    )];
    for (referred, told) in [
        (Referred::Awaited, vec![]),
        (Referred::Good, vec![(1, 1), (1, 2)]),
        (Referred::Awaited, vec![]),
    ] {
        listed[0].referred = referred;
        events.events.learn(SITE, (&listed, Extent::Whole), at(100));
        assert_eq!(statuses(&mut events), told);
    }
    assert_eq!(asked(&events), Some(1_000));
}

#[test]
fn a_completed_event_of_the_server_is_left_to_the_devices_own_end() {
    let mut events = Bench::new(1);
    let event = control(1, 100, 50);
    events.learn(SITE, std::slice::from_ref(&event), at(100));
    statuses(&mut events);
    let completed = with_status(&event, EventState::COMPLETED);
    events.learn(
        SITE,
        &[
            completed,
            with_status(&control(2, 10, 50), EventState::COMPLETED),
        ],
        at(120),
    );
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![], Some(1_000))
    );
    events.step(at(150));
    assert_eq!(statuses(&mut events), [(1, 3)]);
}

#[test]
fn a_legacy_server_may_supersede_by_itself() {
    let mut events = Bench::new(1);
    let event = control(1, 100, 50);
    events.learn(SITE, std::slice::from_ref(&event), at(100));
    statuses(&mut events);
    events.learn(
        SITE,
        &[with_status(&event, EventState::SUPERSEDED)],
        at(120),
    );
    assert_eq!(
        (statuses(&mut events), asked(&events)),
        (vec![(1, 7)], None)
    );
}
