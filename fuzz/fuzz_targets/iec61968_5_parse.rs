//! Whatever is posted to the SOAP listener gets a well-formed answer, and what is read as a
//! request survives being written and read again.

#![no_main]

use iec61968_5::message::{read_request, write_request};
use iec61968_5::profile::{Mode, Profile};
use iec61968_5::{client, message::Operation, soap, xml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    for operation in Operation::ALL {
        // A server may answer with anything.
        drop(client::response(body, operation));
    }
    let Ok(envelope) = xml::parse(body) else {
        return;
    };
    let Ok(content) = soap::body(&envelope) else {
        return;
    };
    for mode in [Mode::Lenient, Mode::Strict] {
        let profile = Profile {
            mode,
            ..Profile::default()
        };
        let Ok(request) = read_request(content, &profile) else {
            continue;
        };
        let written = write_request(&request);
        let again = xml::parse(written.as_bytes()).expect("our own document is well-formed");
        let again = soap::body(&again).expect("our own envelope is one");
        let again = read_request(again, &profile).expect("our own request is one");
        assert_eq!(request, again);
    }
});
