//! Whatever arrives gets an answer in the protocol's form, and nothing of it is done.

use std::fmt::Write as _;

use iec61968_5::client;
use iec61968_5::envelope::Outcome;
use iec61968_5::limits::{
    MAX_ATTRIBUTES, MAX_BODY_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_GROUPS_PER_MESSAGE, MAX_ITEMS,
    MAX_MEMBERS, MAX_NAMES, MAX_TEXT_BYTES,
};
use iec61968_5::message::Operation;
use iec61968_5::server::Request;
use iec61968_5::soap::CONTENT_TYPE;
use iec61968_5::wire::naming::Name;
use proptest::prelude::*;

use crate::scene::{Scene, body, dispatch, dispatches, errors, group, groups};

const CREATE: Operation = Operation::CreateDerGroups;

fn good() -> String {
    body(CREATE, groups(vec![group("east", &["der-1"])]))
}

/// Posts in both modes and expects a fault of this HTTP status that says this.
fn faults(body: &[u8], status: u16, says: &str) {
    for mut scene in [Scene::new(), Scene::strict()] {
        let content_type = Some(CONTENT_TYPE);
        let request = Request {
            content_type,
            soap_action: None,
            body,
        };
        let (response, submitted) = scene.post_as(&request);
        assert_eq!(
            (response.status, submitted),
            (status, 0),
            "{}",
            response.body
        );
        assert_eq!(response.content_type, CONTENT_TYPE);
        let error = client::response(response.body.as_bytes(), CREATE)
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{error:?} says {says:?}");
    }
}

/// Posts in both modes and expects a reply that refuses the message with this code.
fn refuses(body: &str, operation: Operation, code: &str) {
    for mut scene in [Scene::new(), Scene::strict()] {
        let (response, submitted) = scene.post(body);
        assert_eq!(submitted, 0);
        let answer = client::response(response.body.as_bytes(), operation).unwrap();
        assert_eq!(answer.reply.result, Outcome::Failed);
        assert_eq!(errors(&answer)[0].0, code, "{:?}", answer.reply);
    }
}

#[test]
fn the_body_these_tests_spoil_is_good() {
    assert_eq!(Scene::strict().post(&good()).1, 1);
}

#[test]
fn malformed() {
    let good = good();
    faults(b"", 400, "root element");
    faults(b"{\"json\": true}", 400, "root element");
    faults(
        good.replace("</m:Payload>", "</m:Wrong>").as_bytes(),
        400,
        "not well-formed",
    );
    faults(
        good.replace("<m:Payload>", "<m:Payload a=b>").as_bytes(),
        400,
        "not well-formed",
    );
    faults(
        good.replace("<m:Payload>", "<m:Payload a='1' a='2'>")
            .as_bytes(),
        400,
        "not well-formed",
    );
    faults(
        good.replace("<m:Payload>", "<nobody:x/><m:Payload>")
            .as_bytes(),
        400,
        "prefix nobody",
    );
    faults(format!("{good}<again/>").as_bytes(), 400, "root element");
    faults(format!("{good}text").as_bytes(), 400, "root element");
    faults(good.replace("east", "ea\u{1}st").as_bytes(), 400, "U+0001");
    faults(good.replace("east", "ea&#1;st").as_bytes(), 400, "U+0001");
    faults(&[b'<', 0xff, 0xfe, b'>'], 400, "UTF-8");
}

#[test]
fn truncated() {
    let good = good();
    for cut in (0..good.len()).step_by(7) {
        let (response, submitted) = Scene::new().post(&good[..cut]);
        assert_eq!((response.status, submitted), (400, 0), "cut at {cut}");
    }
}

#[test]
fn entities() {
    let good = good();
    let declared = good.replacen('\n', "\n<!DOCTYPE a [<!ENTITY b 'boom'>]>", 1);
    faults(
        declared.replace("east", "&b;").as_bytes(),
        400,
        "document type",
    );
    faults(good.replace("east", "&b;").as_bytes(), 400, "entity &b;");
    let external = good.replacen('\n', "\n<!DOCTYPE a SYSTEM 'file:///etc/passwd'>", 1);
    faults(external.as_bytes(), 400, "document type");
    let (_, submitted) = Scene::strict().post(&good.replace("east", "&amp;&#x65;&lt;ast"));
    assert_eq!(submitted, 1, "the entities of XML itself are known");
}

#[test]
fn oversized() {
    let mut large = good();
    let padding = " ".repeat(MAX_BODY_BYTES);
    large.push_str(&padding);
    faults(large.as_bytes(), 413, "larger than");
    let just = &large[..MAX_BODY_BYTES];
    assert_eq!(
        Scene::strict().post(just).1,
        1,
        "the limit itself is allowed"
    );
}

#[test]
fn deep_wide_and_wordy() {
    let good = good();
    let deep = |by: usize| {
        let nest = "<x:y xmlns:x='urn:x'>".repeat(by) + &"</x:y>".repeat(by);
        good.replace(
            "</msg:CorrelationID>",
            &format!("</msg:CorrelationID>{nest}"),
        )
    };
    // The header is the fourth level of the document.
    let room = MAX_DEPTH - 4;
    assert_eq!(
        Scene::strict().post(&deep(room)).1,
        1,
        "the limit itself is allowed"
    );
    faults(deep(room + 1).as_bytes(), 400, "deep");
    let wide = "<x:y xmlns:x='urn:x'/>".repeat(MAX_ELEMENTS);
    let wide = good.replace(
        "</msg:CorrelationID>",
        &format!("</msg:CorrelationID>{wide}"),
    );
    faults(wide.as_bytes(), 400, "elements");
    let wordy = good.replace("east", &"x".repeat(MAX_TEXT_BYTES + 1));
    faults(wordy.as_bytes(), 400, "bytes of text");
    let mut attributes = String::from("<m:Payload");
    for index in 0..=MAX_ATTRIBUTES {
        write!(attributes, " a{index}='1'").unwrap();
    }
    let decorated = good.replace("<m:Payload>", &format!("{attributes}>"));
    faults(decorated.as_bytes(), 400, "attributes");
    let long = format!("<m:Payload a='{}'>", "x".repeat(MAX_TEXT_BYTES + 1));
    faults(
        good.replace("<m:Payload>", &long).as_bytes(),
        400,
        "bytes of text",
    );
}

#[test]
fn wrong_content_type() {
    let good = good();
    let types = [
        (None, 415),
        (Some("application/json"), 415),
        (Some("application/soap+xml"), 415),
        (Some("text/xml; charset=utf-16"), 415),
        (Some("text/xml"), 200),
        (Some("Text/XML; charset=\"UTF-8\""), 200),
        (Some("application/xml"), 200),
    ];
    for (content_type, status) in types {
        let request = Request {
            content_type,
            soap_action: None,
            body: good.as_bytes(),
        };
        let (response, submitted) = Scene::new().post_as(&request);
        assert_eq!(response.status, status, "{content_type:?}");
        assert_eq!(submitted, usize::from(status == 200));
    }
}

#[test]
fn not_our_envelope() {
    let good = good();
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    faults(
        good.replace(soap, "http://www.w3.org/2003/05/soap-envelope")
            .as_bytes(),
        500,
        "1.2",
    );
    faults(good.replace(soap, "urn:other").as_bytes(), 500, "SOAP 1.1");
    faults(b"<a/>", 500, "SOAP 1.1");
    let empty = format!("<s:Envelope xmlns:s='{soap}'><s:Body/></s:Envelope>");
    faults(empty.as_bytes(), 500, "0 elements");
    let bodyless = format!("<s:Envelope xmlns:s='{soap}'/>");
    faults(bodyless.as_bytes(), 500, "no Body");
    let header = "<soap:Header><w:Sec xmlns:w='urn:w' soap:mustUnderstand='1'/></soap:Header>";
    let mandatory = good.replace("<soap:Body>", &format!("{header}<soap:Body>"));
    faults(mandatory.as_bytes(), 500, "header entry Sec");
}

#[test]
fn wrong_namespace() {
    let good = good();
    faults(
        good.replace("/DERGroupsMessage", "/OtherMessage")
            .as_bytes(),
        500,
        "no operation",
    );
    faults(
        good.replace("TC57/2017/", "TC57/1999/").as_bytes(),
        500,
        "no operation",
    );
    faults(
        good.replace("CreateDERGroups", "CreateMeters").as_bytes(),
        500,
        "no operation",
    );
    let payload = good.replace("2017/DERGroups#", "2017x/DERGroups#");
    refuses(&payload.replace("2017x", "1999"), CREATE, "1.7");
    // Without a header that can be read, the answer is a fault message.
    faults(
        good.replace("2011/schema/message", "1999/schema")
            .as_bytes(),
        500,
        "Header",
    );
}

#[test]
fn a_header_that_cannot_be_read() {
    let good = good();
    let no_verb = good.replace("<msg:Verb>create</msg:Verb>", "");
    let (response, submitted) = Scene::new().post(&no_verb);
    assert_eq!((response.status, submitted), (500, 0));
    assert!(
        response.body.contains("<m:DERGroupsFaultMessage"),
        "{}",
        response.body
    );
    assert!(response.body.contains("<msg:code>1.5</msg:code>"));
    faults(
        good.replace("<msg:Verb>", "<msg:Vrb/><msg:Verb>")
            .as_bytes(),
        500,
        "Header",
    );
    let time = regex_free_replace(&good, "Timestamp", "yesterday");
    faults(time.as_bytes(), 500, "Header");
}

/// `body` with the text of the element of this name replaced.
fn regex_free_replace(body: &str, element: &str, text: &str) -> String {
    let from = body.find(&format!(":{element}>")).unwrap() + element.len() + 2;
    let to = from + body[from..].find('<').unwrap();
    format!("{}{text}{}", &body[..from], &body[to..])
}

#[test]
fn missing_and_unknown_elements() {
    let good = good();
    let (start, end) = (
        good.find("<m:Payload>").unwrap(),
        good.find("</m:CreateDER").unwrap(),
    );
    refuses(
        &format!("{}{}", &good[..start], &good[end..]),
        CREATE,
        "1.7",
    );
    refuses(
        &good.replace("</m:Payload>", "<m:Sum/></m:Payload>"),
        CREATE,
        "1.8",
    );
    refuses(
        &good.replace("</p:name>", "</p:name><p:nick/>"),
        CREATE,
        "1.8",
    );
    refuses(
        &good.replace("</p:DERGroups>", "text</p:DERGroups>"),
        CREATE,
        "1.8",
    );
    let operation_set = "<m:OperationSet/></m:Payload>";
    refuses(&good.replace("</m:Payload>", operation_set), CREATE, "1.8");
    let query = body(Operation::QueryDerGroups, client::query(vec![]));
    let (start, end) = (
        query.find("<m:Request>").unwrap(),
        query.find("</m:DERGroupQ").unwrap(),
    );
    let bare = format!("{}{}", &query[..start], &query[end..]);
    refuses(&bare, Operation::QueryDerGroups, "1.6");
}

#[test]
fn numbers_out_of_range() {
    let create = Operation::CreateDerGroupDispatches;
    let good = body(create, dispatches(vec![dispatch("east", &[6.0])]));
    for value in ["NaN", "INF", "1e999", "six", "", "0x10", "6 kW", "1e400"] {
        refuses(
            &regex_free_replace(&good, "nominalYValue", value),
            create,
            "1.8",
        );
    }
    for number in ["1.5", "99999999999999999999", "one", "-", ""] {
        refuses(
            &regex_free_replace(&good, "intervalNumber", number),
            create,
            "1.8",
        );
        refuses(
            &regex_free_replace(&good, "timeIntervalDuration", number),
            create,
            "1.8",
        );
    }
    for time in [
        "2026",
        "2026-13-01T00:00:00Z",
        "2026-01-01 00:00:00Z",
        "now",
    ] {
        refuses(&regex_free_replace(&good, "startTime", time), create, "1.8");
    }
    for unit in ["kW", "w", ""] {
        refuses(&regex_free_replace(&good, "yUnit", unit), create, "1.8");
    }
    let good = self::good();
    refuses(
        &regex_free_replace(&good, "realPowerDispatch", "yes"),
        CREATE,
        "1.8",
    );
}

#[test]
fn too_many() {
    let groups_of = |count| body(CREATE, groups(vec![group("east", &[]); count]));
    refuses(&groups_of(MAX_GROUPS_PER_MESSAGE + 1), CREATE, "3.1");
    let (_, submitted) = Scene::strict().post(&groups_of(MAX_GROUPS_PER_MESSAGE));
    assert_eq!(
        submitted, MAX_GROUPS_PER_MESSAGE,
        "the limit itself is allowed"
    );
    let members_of = |count| body(CREATE, groups(vec![group("east", &vec!["der-1"; count])]));
    refuses(&members_of(MAX_MEMBERS + 1), CREATE, "3.1");
    assert_eq!(Scene::strict().post(&members_of(MAX_MEMBERS)).1, 1);
    let mut named = group("east", &[]);
    named.names = vec![Name::plain("east"); MAX_NAMES + 1];
    refuses(&body(CREATE, groups(vec![named.clone()])), CREATE, "3.1");
    named.names.pop();
    assert_eq!(
        Scene::strict().post(&body(CREATE, groups(vec![named]))).1,
        1
    );
    let ids = "<m:ID>1</m:ID>".repeat(MAX_ITEMS + 1);
    let query = body(Operation::QueryDerGroups, client::query(vec![]));
    let query = query.replace("<m:Request>", &format!("<m:Request>{ids}"));
    refuses(&query, Operation::QueryDerGroups, "3.1");
}

#[test]
fn unknown_mrids() {
    let delete = Operation::DeleteDerGroups;
    for mrid in ["nobody".to_owned(), "x".repeat(65), "a\tb".to_owned()] {
        let mut scene = Scene::new();
        let mut unknown = group("", &[]);
        unknown.mrid = Some(mrid);
        unknown.names.clear();
        let (response, submitted) = scene.post(&body(delete, groups(vec![unknown])));
        assert_eq!(submitted, 0);
        let answer = client::response(response.body.as_bytes(), delete).unwrap();
        assert_eq!(errors(&answer)[0].0, "99.1");
    }
}

#[test]
fn names_that_the_fleet_cannot_hold() {
    let mut scene = Scene::new();
    let nameless = group("", &[]);
    let long = group(&"x".repeat(65), &[]);
    let mut ranged = group("v", &[]);
    ranged.version = Some(iec61968_5::wire::naming::Version {
        major: Some(-1),
        ..iec61968_5::wire::naming::Version::default()
    });
    let (response, submitted) = scene.post(&body(CREATE, groups(vec![nameless, long, ranged])));
    assert_eq!(submitted, 0);
    let answer = client::response(response.body.as_bytes(), CREATE).unwrap();
    assert!(errors(&answer).iter().all(|error| error.0 == "1.8"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_spoilt_byte_never_panics_and_never_goes_unanswered(at in 0_usize..1_500, byte: u8) {
        let mut spoilt = body(CREATE, groups(vec![group("east", &["der-1"])])).into_bytes();
        let at = at % spoilt.len();
        spoilt[at] = byte;
        let content_type = Some(CONTENT_TYPE);
        let request = Request { content_type, soap_action: None, body: &spoilt };
        let (response, _) = Scene::new().post_as(&request);
        prop_assert!(iec61968_5::xml::parse(response.body.as_bytes()).is_ok());
    }
}
