use super::read::{Document, ReadError, read};
use super::simple::{HexBinary128, Simple, Text, ValueError};
use super::table::Profile;
use super::write::write;
use super::{MAX_ATTRIBUTES, MAX_BODY_BYTES, MAX_DEPTH, MAX_ELEMENTS, MAX_TEXT_BYTES};
use crate::wire::control_mode::Mode;
use crate::wire::der::DerSettings;
use crate::wire::der_control::{DerControl, DerControlBase, EventState};
use crate::wire::log_event::LogEvent;
use crate::wire::quantity::ActivePower;
use crate::wire::response::Response;
use crate::wire::time::Time;

mod traps;

const NS: &str = "urn:ieee:std:2030.5:ns";

fn settings(inside: &str) -> Result<DerSettings, ReadError> {
    read(format!("<DERSettings xmlns=\"{NS}\">{inside}</DERSettings>").as_bytes())
}

const SETTINGS: &str = "<setGradW>0</setGradW><setMaxW><multiplier>1</multiplier><value>500</value>\
    </setMaxW><updatedTime>1600000000</updatedTime>";

#[test]
fn any_prefix_any_order_and_the_draft_namespace_are_read() {
    let expected = settings(SETTINGS).unwrap();
    let prefixed = format!(
        "<s:DERSettings xmlns:s='{NS}'><s:updatedTime> 1600000000 </s:updatedTime><s:setMaxW>\
         <s:value>500</s:value><s:multiplier>1</s:multiplier></s:setMaxW><s:setGradW>0</s:setGradW>\
         </s:DERSettings>"
    );
    assert_eq!(read(prefixed.as_bytes()), Ok(expected.clone()));
    let draft = format!("<DERSettings xmlns=\"http://ieee.org/2030.5\">{SETTINGS}</DERSettings>");
    assert_eq!(read(draft.as_bytes()), Ok(expected));
}

#[test]
fn unknown_elements_are_skipped_in_any_namespace() {
    let expected = settings(SETTINGS).unwrap();
    let known_name = "<c:setMaxW xmlns:c='urn:other'><c:deep><c:er/>text</c:deep></c:setMaxW>";
    let later = "<setMaxQ2030><value>1</value></setMaxQ2030><empty/>";
    assert_eq!(
        settings(&format!("{known_name}{SETTINGS}{later}")),
        Ok(expected)
    );
}

#[test]
fn root_of_another_namespace_or_name_is_refused() {
    let foreign = format!("<DERSettings xmlns=\"urn:other\">{SETTINGS}</DERSettings>");
    assert_eq!(
        read::<DerSettings>(foreign.as_bytes()),
        Err(ReadError::Namespace)
    );
    let none = format!("<DERSettings>{SETTINGS}</DERSettings>");
    assert_eq!(
        read::<DerSettings>(none.as_bytes()),
        Err(ReadError::Namespace)
    );
    let other = format!("<Time xmlns=\"{NS}\"/>");
    assert_eq!(
        read::<DerSettings>(other.as_bytes()),
        Err(ReadError::Root {
            expected: "DERSettings"
        })
    );
}

#[test]
fn missing_and_repeated_elements_are_named() {
    assert_eq!(
        settings(&SETTINGS.replace("<updatedTime>1600000000</updatedTime>", "")),
        Err(ReadError::Missing {
            in_type: "DERSettings",
            name: "updatedTime"
        })
    );
    assert_eq!(
        settings(&format!("{SETTINGS}<setGradW>1</setGradW>")),
        Err(ReadError::Repeated {
            in_type: "DERSettings",
            name: "setGradW",
            max: 1
        })
    );
}

#[test]
fn numbers_out_of_range_are_named() {
    assert_eq!(
        settings(&SETTINGS.replace(">500<", ">40000<")),
        Err(ReadError::Value {
            in_type: "ActivePower",
            name: "value",
            source: ValueError::Number
        })
    );
    for bad in ["", "1.0", "1e3", "0x1", "-", "NaN", "99999999999999999999"] {
        let text = SETTINGS.replace(">1600000000<", &format!(">{bad}<"));
        assert!(matches!(
            settings(&text),
            Err(ReadError::Value {
                name: "updatedTime",
                ..
            })
        ));
    }
}

#[test]
fn entities_and_document_types_are_refused() {
    let bomb = format!(
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>\
         <DERSettings xmlns=\"{NS}\"><setGradW>&b;</setGradW></DERSettings>"
    );
    assert_eq!(
        read::<DerSettings>(bomb.as_bytes()),
        Err(ReadError::DocumentType)
    );
    let entity = SETTINGS.replace(">0<", ">&b;<");
    assert_eq!(settings(&entity), Err(ReadError::Entity));
    let attribute = format!("<Time xmlns=\"{NS}\" href=\"&b;\"/>");
    assert_eq!(read::<Time>(attribute.as_bytes()), Err(ReadError::Entity));
}

#[test]
fn predefined_references_and_cdata_are_text() {
    let text = settings(&SETTINGS.replace(">0<", ">&#x31;<![CDATA[2]]>&#51;<")).unwrap();
    assert_eq!(text.set_grad_w, 123);
}

#[test]
fn every_cut_of_a_document_is_refused() {
    let whole = format!("<DERSettings xmlns=\"{NS}\">{SETTINGS}</DERSettings>");
    for length in 0..whole.len() {
        assert!(
            read::<DerSettings>(&whole.as_bytes()[..length]).is_err(),
            "cut at {length}"
        );
    }
    assert!(read::<DerSettings>(format!("{whole} \n<!-- end -->").as_bytes()).is_ok());
    assert_eq!(
        read::<DerSettings>(format!("{whole}<x/>").as_bytes()),
        Err(ReadError::Malformed)
    );
}

#[test]
fn stray_text_and_other_encodings_are_refused() {
    assert_eq!(
        settings(&format!("x{SETTINGS}")),
        Err(ReadError::StrayText {
            in_type: "DERSettings"
        })
    );
    assert_eq!(
        settings("<setGradW><a/></setGradW>"),
        Err(ReadError::ElementInValue)
    );
    assert_eq!(
        read::<Time>(b"<Time xmlns='\xFF'/>"),
        Err(ReadError::NotUtf8)
    );
    let latin = format!("<?xml version='1.0' encoding='ISO-8859-1'?><Time xmlns=\"{NS}\"/>");
    assert_eq!(read::<Time>(latin.as_bytes()), Err(ReadError::NotUtf8));
    assert_eq!(read::<Time>(b"\xFF\xFE<\0"), Err(ReadError::NotUtf8));
}

#[test]
fn limit_of_body_bytes() {
    let pad = |length: usize| format!("{}<Time xmlns=\"{NS}\"/>", " ".repeat(length));
    let room = MAX_BODY_BYTES - pad(0).len();
    assert!(Document::open(pad(room).as_bytes()).is_ok());
    assert_eq!(
        Document::open(pad(room + 1).as_bytes()).err(),
        Some(ReadError::BodyTooLong)
    );
}

#[test]
fn limit_of_depth() {
    let nested =
        |depth: usize| format!("{SETTINGS}{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(settings(&nested(MAX_DEPTH - 1)).is_ok());
    assert_eq!(settings(&nested(MAX_DEPTH)), Err(ReadError::TooDeep));
}

#[test]
fn limit_of_elements() {
    let inside = 5;
    let many = |count: usize| format!("{SETTINGS}{}", "<a/>".repeat(count));
    assert!(settings(&many(MAX_ELEMENTS - inside - 1)).is_ok());
    assert_eq!(
        settings(&many(MAX_ELEMENTS - inside)),
        Err(ReadError::TooManyElements)
    );
}

#[test]
fn limit_of_text_bytes() {
    let log = |length: usize| {
        let pad = " ".repeat(length - 1);
        settings(&SETTINGS.replace(">0<", &format!(">{pad}0<")))
    };
    assert!(log(MAX_TEXT_BYTES).is_ok());
    assert_eq!(log(MAX_TEXT_BYTES + 1), Err(ReadError::TextTooLong));
    let attribute = format!(
        "<Time xmlns=\"{NS}\" href=\"{}\"/>",
        "a".repeat(MAX_TEXT_BYTES + 1)
    );
    assert_eq!(
        read::<Time>(attribute.as_bytes()),
        Err(ReadError::TextTooLong)
    );
}

#[test]
fn limit_of_attributes() {
    let with = |count: usize| {
        let attributes: String = (1..count).map(|i| format!(" a{i}=''")).collect();
        let body = format!("<Time xmlns=\"{NS}\"{attributes}/>");
        Document::open(body.as_bytes()).map(|_| ())
    };
    assert_eq!(with(MAX_ATTRIBUTES), Ok(()));
    assert_eq!(with(MAX_ATTRIBUTES + 1), Err(ReadError::TooManyAttributes));
    let bindings: String = (0..=MAX_ATTRIBUTES)
        .map(|i| format!(" xmlns:a{i}='b'"))
        .collect();
    let body = format!("<Time xmlns=\"{NS}\"{bindings}/>");
    assert_eq!(
        Document::open(body.as_bytes()).err(),
        Some(ReadError::TooManyAttributes)
    );
}

#[test]
fn mrids_keep_their_digits() {
    for text in [
        "0ED30F5A0000",
        "00000000000000000000000000000001",
        "FF",
        "ABCDEF0123456789ABCDEF0100009F80",
    ] {
        let mut out = Vec::new();
        HexBinary128::read(text).unwrap().write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
    let mut odd = Vec::new();
    HexBinary128::read("abc").unwrap().write(&mut odd);
    assert_eq!(odd, b"0ABC");
    assert_eq!(HexBinary128::read("ab"), HexBinary128::read("00AB"));
    assert_eq!(HexBinary128::read(&"F".repeat(33)), Err(ValueError::Hex));
}

#[test]
fn text_is_bounded_in_characters() {
    assert!(Text::<2>::read("äö").is_ok());
    assert_eq!(Text::<2>::read("äöü"), Err(ValueError::TooLong));
    assert_eq!(Text::<4>::clipped("a\u{1}bcde").as_str(), "a?bc");
    assert_eq!(
        Text::<4>::clipped("aö€").as_str(),
        "aö",
        "we keep to octets"
    );
}

#[test]
fn a_control_is_written_in_schema_order() {
    let control = DerControl {
        mrid: HexBinary128::new(0xAB),
        description: Some(Text::clipped("a<b & \"c\"")),
        event_status: crate::wire::der_control::EventStatus {
            current_status: EventState::ACTIVE,
            ..Default::default()
        },
        base: DerControlBase {
            op_mod_connect: Some(true),
            op_mod_target_w: Some(Mode::of(ActivePower {
                multiplier: 1,
                value: -5,
            })),
            ..Default::default()
        },
        response_required: Some(super::simple::HexBinary8::new(3)),
        href: Some("/c/1".into()),
        ..Default::default()
    };
    let bytes = write(&control, Profile::default());
    assert_eq!(read(&bytes), Ok(control));
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "<?xml version=\"1.0\"?>\n<DERControl xmlns=\"urn:ieee:std:2030.5:ns\" \
         href=\"/c/1\" responseRequired=\"03\"><mRID>000000000000000000000000000000AB</mRID>\
         <description>a&lt;b &amp; &quot;c&quot;</description><creationTime>0</creationTime>\
         <EventStatus><currentStatus>1</currentStatus><dateTime>0</dateTime>\
         <potentiallySuperseded>false</potentiallySuperseded></EventStatus><interval><duration>0\
         </duration><start>0</start></interval><DERControlBase><opModConnect>true</opModConnect>\
         <opModTargetW><multiplier>1</multiplier><value>-5</value></opModTargetW></DERControlBase>\
         </DERControl>"
    );
}

#[test]
fn lfdi_is_twenty_octets() {
    let response = |lfdi: &str| {
        let body = format!(
            "<DERControlResponse xmlns=\"{NS}\"><endDeviceLFDI>{lfdi}</endDeviceLFDI>\
             <subject>AB</subject></DERControlResponse>"
        );
        Document::open(body.as_bytes()).and_then(Document::read_as::<Response>)
    };
    assert!(response(&"aB".repeat(20)).is_ok());
    for bad in ["AB", "not hexadecimal", "", &"AB".repeat(21)] {
        assert!(matches!(
            response(bad),
            Err(ReadError::Value {
                name: "endDeviceLFDI",
                ..
            })
        ));
    }
}

#[test]
fn log_events_round_trip() {
    let event = LogEvent {
        log_event_code: 3,
        details: Some(Text::clipped("x\ny")),
        ..Default::default()
    };
    assert_eq!(read(&write(&event, Profile::default())), Ok(event));
}
