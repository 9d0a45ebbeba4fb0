use super::*;
use crate::translate::AggregatorId;
use crate::wire::der::DerStatus;
use crate::wire::log_event::LogEvent;

const DER: Client = Client::Der(DerId(3));

#[test]
fn documents_are_taken_up_and_given_up_by_path() {
    let mut resources = Resources::default();
    let event = LogEvent {
        log_event_code: 4,
        ..LogEvent::default()
    };
    let mut apply = |write: &DocumentWrite| resources.apply(write).unwrap();
    apply(&DocumentWrite::put(DER, "lel/7", &event));
    apply(&DocumentWrite::put(DER, "ders", &DerStatus::default()));
    let kept = resources.of_client(DER);
    assert_eq!(kept.log_events.get(&7), Some(&event));
    assert_eq!(next_number(&kept.log_events), 8);
    assert!(kept.status.is_some());
    let mut apply = |write: &DocumentWrite| resources.apply(write).unwrap();
    apply(&DocumentWrite::remove(DER, "lel/7"));
    apply(&DocumentWrite::remove(DER, "ders"));
    assert_eq!(resources.of_client(DER), &Documents::default());
}

#[test]
fn a_document_that_is_none_of_ours_is_an_error() {
    let mut resources = Resources::default();
    for path in [
        "",
        "x",
        "lel",
        "lel/",
        "lel/x",
        "rsp/-1",
        "mup/4294967296",
        "y/1",
        "/y/1",
        "/dcap",
    ] {
        let event = DocumentWrite::put(DER, path, &LogEvent::default());
        let unknown = Err(DocumentError::Path(path.to_owned()));
        assert_eq!(resources.apply(&event), unknown);
    }
    let wrong = DocumentWrite::put(DER, "ders", &LogEvent::default());
    let refused = resources.apply(&wrong);
    assert!(matches!(refused, Err(DocumentError::Body { .. })));
}

#[test]
fn an_owner_is_told_by_its_text() {
    for owner in [
        Owner::Client(DER),
        Owner::Client(Client::Aggregator(AggregatorId(4))),
        Owner::Assignment(AssignmentId(5)),
        Owner::Everyone,
    ] {
        assert_eq!(owner.to_string().parse(), Ok(owner));
    }
    for text in ["", "a", "fsa-", "fsa-x", "-1", "**", "03"] {
        assert_eq!(text.parse::<Owner>(), Err(NoOwner), "{text}");
    }
}

#[test]
fn rates_and_profiles_are_documents_too() {
    let mut resources = Resources::default();
    let rates = Rates {
        der_program_s: Some(60),
        ..Rates::default()
    };
    resources.apply(&DocumentWrite::rates(&rates)).unwrap();
    assert_eq!(resources.rates(), &rates);
    for profile in Profile::ALL {
        let write = DocumentWrite::profile(DER, Some(profile));
        resources.apply(&write).unwrap();
        assert_eq!(resources.profile(DER), Some(profile));
    }
    let removed = DocumentWrite::profile(DER, None);
    resources.apply(&removed).unwrap();
    assert_eq!(resources.profile(DER), None);
}
