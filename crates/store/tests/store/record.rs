//! Records: every event survives, nothing malformed gets through.

use std::time::Duration;

use fleet::dispatch::Past;
use fleet::{DerId, Event};
use proptest::prelude::*;
use store::record::{RecordError, decode, encode};
use units::{WattHours, Watts};

use crate::sample;

#[test]
fn every_event_comes_back_the_same() {
    for event in sample::events() {
        let record = encode(&event).unwrap();
        assert_eq!(
            decode(record.kind, record.version, &record.payload).unwrap(),
            event
        );
    }
}

#[test]
fn a_cancelled_dispatch_with_its_plan_comes_back_the_same() {
    let mut fleet = fleet::Fleet::default();
    sample::decide(&mut fleet, &sample::commands(), sample::NOW);
    let dispatch = fleet.dispatches()[0].clone();
    assert!(dispatch.plan.is_some() && dispatch.cancelled.is_some());
    let der = fleet.ders()[0].clone();
    assert!(der.capability.is_some() && der.settings.is_some());
    let control = fleet.controls()[0].clone();
    assert!(control.cancelled.is_some());
    let whole = [
        Event::DispatchCreated(dispatch),
        Event::DerEnrolled(der),
        Event::ControlIssued(control),
    ];
    for event in whole {
        let record = encode(&event).unwrap();
        assert_eq!(
            decode(record.kind, record.version, &record.payload).unwrap(),
            event
        );
    }
}

#[test]
fn what_a_plan_has_noted_of_loads_comes_back_the_same_and_may_be_missing() {
    let plan = sample::events().into_iter().find_map(|event| match event {
        Event::PlanAdopted(plan) => Some(plan),
        _ => None,
    });
    let mut plan = plan.unwrap();
    let earlier = encode(&Event::PlanAdopted(plan.clone())).unwrap();
    assert!(!earlier.payload.contains("pasts"), "{}", earlier.payload);
    let past = |der, since| Past {
        der: DerId(der),
        unasked: Watts::whole(-2_000),
        output: Watts::ZERO,
        held: WattHours::whole(-3),
        since,
    };
    plan.pasts = vec![past(1, None), past(2, Some(sample::NOW))];
    let event = Event::PlanAdopted(plan);
    let record = encode(&event).unwrap();
    let read = decode(record.kind, record.version, &record.payload).unwrap();
    assert_eq!(read, event);
}

#[test]
fn a_ramp_finer_than_a_millisecond_is_refused() {
    let dispatch = sample::events().into_iter().find_map(|event| match event {
        Event::DispatchCreated(dispatch) => Some(dispatch),
        _ => None,
    });
    let mut dispatch = dispatch.unwrap();
    dispatch.ramp = Duration::from_micros(1_500);
    let refused = encode(&Event::DispatchCreated(dispatch)).unwrap_err();
    assert_eq!((refused.kind, refused.field), ("dispatch_created", "ramp"));
}

/// Each field of each record, taken away or given the wrong type, is named in the error.
#[test]
fn a_field_that_is_wrong_is_named() {
    let mut fields = 0;
    for event in sample::events() {
        let record = encode(&event).unwrap();
        let whole: serde_json::Value = serde_json::from_str(&record.payload).unwrap();
        for field in whole.as_object().unwrap().keys() {
            let mut wrong = whole.clone();
            wrong[field] = serde_json::json!({ "no": [] });
            let error = decode(record.kind, record.version, &wrong.to_string()).unwrap_err();
            let RecordError::Malformed { field: named, .. } = &error else {
                panic!("{error}")
            };
            assert!(
                named.starts_with(field.as_str()),
                "{}: {field}: {error}",
                record.kind
            );
            fields += 1;
        }
        let mut extra = whole;
        extra["extra"] = 1.into();
        let error = decode(record.kind, record.version, &extra.to_string())
            .unwrap_err()
            .to_string();
        assert!(error.contains("extra"), "{error}");
    }
    assert!(fields > 60, "{fields} fields were tried");
}

#[test]
fn a_missing_field_is_named() {
    let error = decode("der_registered", 1, r#"{"der":1}"#)
        .unwrap_err()
        .to_string();
    assert!(error.contains("missing field `at_ms`"), "{error}");
}

#[test]
fn what_follows_a_record_is_an_error() {
    let error = decode("group_deleted", 1, r#"{"group":1} {"group":2}"#)
        .unwrap_err()
        .to_string();
    assert!(error.contains("trailing characters"), "{error}");
}

proptest! {
    #[test]
    fn mutilated_records_are_errors_or_events_but_never_panics(
        index in any::<prop::sample::Index>(),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<bool>(),
    ) {
        let events = sample::events();
        let record = encode(index.get(&events)).unwrap();
        let mut bytes = record.payload.into_bytes();
        let position = position.index(bytes.len());
        if cut {
            bytes.truncate(position);
        } else {
            bytes[position] = byte;
        }
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(event) = decode(record.kind, record.version, &text)
        {
            let again = encode(&event).unwrap();
            prop_assert_eq!(decode(again.kind, again.version, &again.payload).unwrap(), event);
        }
    }
}
