use proptest::prelude::*;

use super::{t, watts};
use crate::delivery::silent_since;
use crate::{ControlId, Delivery, DeliveryState, DerId, Evidence};

fn row() -> Delivery {
    Delivery::planned(ControlId(0), DerId(0), t(0))
}

fn feed(row: &mut Delivery, evidence: Evidence, at: i64) -> DeliveryState {
    if let Some(entry) = row.next(evidence, t(at)) {
        row.push(entry);
    }
    row.state()
}

#[test]
fn the_usual_course() {
    let mut row = row();
    assert_eq!(feed(&mut row, Evidence::Served, 1), DeliveryState::Sent);
    assert_eq!(
        feed(&mut row, Evidence::Response(1), 2),
        DeliveryState::Received
    );
    assert_eq!(
        feed(&mut row, Evidence::Response(2), 3),
        DeliveryState::Started
    );
    let measured = Evidence::Measured {
        asked: watts(100),
        metered: watts(99),
    };
    assert_eq!(feed(&mut row, measured, 4), DeliveryState::Following);
    assert_eq!(
        feed(&mut row, Evidence::Response(3), 5),
        DeliveryState::Completed
    );
    assert_eq!(row.entries.len(), 6);
}

#[test]
fn a_repeated_or_late_response_changes_nothing() {
    let mut row = row();
    feed(&mut row, Evidence::Response(2), 1);
    assert_eq!(
        feed(&mut row, Evidence::Response(1), 2),
        DeliveryState::Started
    );
    assert_eq!(
        feed(&mut row, Evidence::Response(2), 3),
        DeliveryState::Started
    );
    assert_eq!(row.entries.len(), 2);
    feed(&mut row, Evidence::Response(4), 4);
    assert_eq!(
        feed(&mut row, Evidence::Response(3), 5),
        DeliveryState::Overridden
    );
}

#[test]
fn a_silent_device_returns_to_what_it_had_confirmed() {
    let mut row = row();
    feed(&mut row, Evidence::Response(2), 1);
    assert_eq!(
        feed(&mut row, Evidence::LastHeard(t(1)), 9),
        DeliveryState::Silent
    );
    assert!(row.is_known_to_device());
    assert_eq!(feed(&mut row, Evidence::Heard, 12), DeliveryState::Started);
}

#[test]
fn a_silence_is_remembered_after_the_device_has_returned() {
    let (mut first, mut second) = (row(), row());
    feed(&mut first, Evidence::Response(2), 1);
    feed(&mut first, Evidence::LastHeard(t(5)), 9);
    feed(&mut second, Evidence::LastHeard(t(5)), 9);
    feed(&mut second, Evidence::Heard, 12);
    let since = |then| silent_since([&first, &second].into_iter(), t(then));
    assert_eq!(since(8), None, "nobody knew yet");
    assert_eq!(since(9), Some(t(5)));
    assert_eq!(since(11), Some(t(5)));
    assert_eq!(since(12), None, "one of its controls was asked for again");
    assert_eq!(silent_since([&row()].into_iter(), t(9)), None);
}

#[test]
fn a_flapping_device_does_not_grow_its_row_without_end() {
    let mut row = row();
    for at in 0..1_000 {
        feed(&mut row, Evidence::LastHeard(t(at)), at);
        feed(&mut row, Evidence::Heard, at);
    }
    assert_eq!(row.entries.len(), Delivery::MAX_ENTRIES);
    let opted_out = feed(&mut row, Evidence::Response(4), 2_000);
    assert_eq!(
        opted_out,
        DeliveryState::Overridden,
        "the last word is kept"
    );
}

proptest! {
    #[test]
    fn no_state_is_left_for_an_earlier_one(codes in proptest::collection::vec(0..16_u8, 0..20)) {
        let mut row = row();
        let mut highest = DeliveryState::Planned;
        for code in codes {
            let now = feed(&mut row, Evidence::Response(code), 1);
            prop_assert!(now >= highest);
            highest = now;
        }
    }
}
