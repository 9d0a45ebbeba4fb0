use super::{AnyResource, Carried, DOCUMENTS, SortKey, find, kind_of, write, write_list};
use crate::codec::read::{ReadError, read};
use crate::codec::simple::{HexBinary128, Text, TimeType};
use crate::codec::table::{Edition, Extension, Profile};
use crate::wire::billing::CustomerAccount;
use crate::wire::connection_point::ConnectionPoint;
use crate::wire::control_mode::DoeControlType;
use crate::wire::der::DerCapability;
use crate::wire::der_control::{DerControl, DerControlList, DerProgram};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::link::Resource;
use crate::wire::pricing::TimeTariffInterval;
use crate::wire::quantity::ActivePower;
use crate::wire::response::{DerControlResponse, Response, ResponseList};
use crate::wire::subscription::{Notification, NotificationStatus};

const AUS_12: Profile = Profile::new(Edition::Y2018, Extension::CsipAus12);
const AUS_13: Profile = Profile::new(Edition::Y2018, Extension::CsipAus13);

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn documents_are_found_by_name() {
    assert!(DOCUMENTS.is_sorted_by(|a, b| a.name() < b.name()));
    for kind in DOCUMENTS {
        assert_eq!(find(kind.name()).unwrap().name(), kind.name());
        assert_eq!(kind.empty().kind().name(), kind.name());
    }
    assert!(find("ConnectionPoint").is_none(), "it is of the extension");
    assert!(find("DERControlBase").is_none(), "it is no document");
}

#[test]
fn a_body_is_known_by_namespace_and_name() {
    let kind = |body: &str| kind_of(body.as_bytes()).map(|kind| kind.map(|kind| kind.name()));
    let point = "<c:ConnectionPoint xmlns:c='https://csipaus.org/ns'/>";
    assert_eq!(kind(point), Ok(Some("csipaus:ConnectionPoint")));
    let beta = "<ConnectionPoint xmlns='https://csipaus.org/ns/v1.3-beta/storage'/>";
    assert_eq!(kind(beta), Ok(Some("csipaus:ConnectionPoint")));
    assert_eq!(
        kind("<ConnectionPoint xmlns='urn:ieee:std:2030.5:ns'/>"),
        Ok(None)
    );
    assert_eq!(
        kind("<s:Time xmlns:s='http://ieee.org/2030.5'/>"),
        Ok(Some("Time"))
    );
    assert_eq!(kind("<Time xmlns='urn:x'/>"), Err(ReadError::Namespace));
}

#[test]
fn lists_know_their_members() {
    let list_of = |name| find(name).unwrap().list_of();
    assert_eq!(list_of("DERControlList"), Some("DERControl"));
    assert_eq!(list_of("ResponseList"), Some("Response"));
    assert_eq!(list_of("DERCurve"), None, "its points are no members");
    for kind in DOCUMENTS {
        assert_eq!(
            kind.list_of().is_some(),
            kind.name().ends_with("List"),
            "{kind:?}"
        );
        let member = kind.list_of();
        assert!(
            member.is_none_or(|member| find(member).is_some()),
            "{kind:?}"
        );
    }
}

/// The order of lists: primacy, start, then the newest, then the largest mRID.
#[test]
fn members_have_their_places() {
    let program = |primacy, mrid| DerProgram {
        primacy,
        mrid: HexBinary128::new(mrid),
        ..DerProgram::default()
    };
    let control = |start, created, mrid| {
        let mut control = DerControl {
            creation_time: TimeType(created),
            mrid: HexBinary128::new(mrid),
            ..DerControl::default()
        };
        control.interval.start = TimeType(start);
        control
    };
    let account = |name: Option<&str>| CustomerAccount {
        customer_name: name.map(Text::clipped),
        ..CustomerAccount::default()
    };
    fn in_order(values: &[impl super::Registered]) {
        let key = |value| super::Registered::sort_key(value).unwrap();
        let keys: Vec<SortKey> = values.iter().map(key).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{values:?}");
    }
    in_order(&[
        program(1, 9),
        program(2, 7),
        program(2, 5),
        program(255, u128::MAX),
    ]);
    in_order(&[
        control(-1, 0, 0),
        control(0, 5, 1),
        control(0, 4, 9),
        control(0, 4, 8),
        control(i64::MAX, 0, 0),
    ]);
    in_order(&[
        account(None),
        account(Some("")),
        account(Some("A")),
        account(Some("AB")),
        account(Some("B")),
    ]);
    assert!(find("Time").unwrap().empty().sort_key().is_none());
}

#[test]
fn a_list_is_made_of_its_members() {
    let mut head = find("DERControlList").unwrap().empty();
    for (attribute, value) in [("href", "/a"), ("all", "7"), ("results", "2")] {
        head.read_attribute(attribute, value).unwrap();
    }
    let mut limited = DerControl::default();
    limited.base.op_mod_imp_lim_w = Some(ActivePower {
        multiplier: 2,
        value: 50,
    });
    let members: [&dyn AnyResource; 2] = [&DerControl::default(), &limited];
    let body = write_list(&*head, members, AUS_12);
    let list: DerControlList = read(&body).unwrap();
    assert_eq!((list.all, list.results, list.der_control.len()), (7, 2, 2));
    assert_eq!(list.der_control[1], limited);
    let plain = text(write_list(&*head, members, Profile::default()));
    assert!(!plain.contains("csipaus"), "{plain}");
}

#[test]
fn members_of_a_derived_type_say_so() {
    let response = DerControlResponse::default();
    let head = ResponseList::default();
    let body = write_list(
        &head,
        [&response as &dyn AnyResource, &Response::default()],
        Profile::default(),
    );
    let body = text(body);
    assert_eq!(
        body.matches("<Response xsi:type=\"DERControlResponse\">")
            .count(),
        1
    );
    assert_eq!(body.matches("<Response>").count(), 1);
    assert_eq!(body.matches("xmlns:xsi=").count(), 1);
    let mut copied = crate::codec::write::Writer::new(Profile::default(), 0);
    let kind = find("DERControlResponse").unwrap();
    let member = write(&response, Profile::default());
    copied.root("ResponseList", &head, |out| {
        kind.copy(&member, "Response", out).unwrap();
    });
    assert!(text(copied.into_bytes()).contains("<Response xsi:type=\"DERControlResponse\">"));
}

#[test]
fn the_extension_is_declared_where_it_is_used() {
    let declarations = |value: &dyn AnyResource, profile| {
        let body = text(write(value, profile));
        let root = body.split('>').nth(1).unwrap().to_owned();
        assert_eq!(
            body.matches("xmlns:").count(),
            root.matches("xmlns:").count()
        );
        root.split("xmlns:csipaus=\"")
            .nth(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
    };
    let point = ConnectionPoint::default();
    assert_eq!(
        declarations(&point, AUS_12).as_deref(),
        Some("https://csipaus.org/ns")
    );
    assert_eq!(
        declarations(&point, AUS_13).as_deref(),
        Some("https://csipaus.org/ns/v1.3")
    );
    assert_eq!(
        declarations(&point, Profile::default()).as_deref(),
        Some("https://csipaus.org/ns"),
        "for whom it is not meant it is well-formed at least"
    );
    assert_eq!(declarations(&DerProgram::default(), AUS_13), None);
    let first = DeviceCapability::default();
    assert!(declarations(&first, AUS_12).is_some());
    assert_eq!(declarations(&first, Profile::default()), None);
}

#[test]
fn a_profile_says_what_is_required() {
    let nameplate = DerCapability::default();
    let without = write(&nameplate, AUS_12);
    let kind = find("DERCapability").unwrap();
    assert!(kind.read(&without, Profile::default()).is_ok());
    assert_eq!(
        kind.read(&without, AUS_12).err(),
        Some(ReadError::Missing {
            in_type: "DERCapability",
            name: "csipaus:doeModesSupported"
        })
    );
    let with = DerCapability {
        doe_modes_supported: Some(DoeControlType::new(DoeControlType::EXP_LIM_W)),
        ..nameplate
    };
    assert!(kind.read(&write(&with, AUS_12), AUS_12).is_ok());
    let price = find("TimeTariffInterval").unwrap();
    let body = write(&TimeTariffInterval::default(), AUS_13);
    assert!(price.read(&body, AUS_12).is_ok());
    assert!(price.read(&body, AUS_13).is_err());
}

/// As the reference server of the Australian programme sends it.
#[test]
fn a_notification_is_read_with_what_it_carries() {
    let body = "<Notification xmlns=\"urn:ieee:std:2030.5:ns\" \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
        xmlns:csipaus=\"https://csipaus.org/ns\">\
        <subscribedResource>/edev/8/derp/1/derc</subscribedResource>\
        <Resource xsi:type=\"DERControlList\" all=\"1\" results=\"1\" href=\"/edev/8/derp/1/derc\">\
        <DERControl><mRID>AABB</mRID><creationTime>123</creationTime><EventStatus>\
        <currentStatus>0</currentStatus><dateTime>10</dateTime>\
        <potentiallySuperseded>false</potentiallySuperseded></EventStatus>\
        <interval><duration>789</duration><start>456</start></interval><DERControlBase>\
        <csipaus:opModImpLimW><multiplier>1</multiplier><value>100</value></csipaus:opModImpLimW>\
        </DERControlBase></DERControl></Resource><status>0</status>\
        <subscriptionURI>/edev/8/sub/5</subscriptionURI></Notification>";
    let notification: Notification = read(body.as_bytes()).unwrap();
    assert_eq!(notification.status, NotificationStatus::CHANGED);
    let carried = notification.resource.as_ref().unwrap();
    assert_eq!(carried.kind().name(), "DERControlList");
    let list = carried.get::<DerControlList>().unwrap();
    let limit = list.der_control[0].base.op_mod_imp_lim_w.clone();
    assert_eq!(limit.unwrap().value, 100);
    let again = text(write(&notification, AUS_12));
    assert!(
        again.contains(
            "<Resource xsi:type=\"DERControlList\" href=\"/edev/8/derp/1/derc\" all=\"1\""
        )
    );
    assert_eq!(read(again.as_bytes()), Ok(notification));
}

#[test]
fn a_resource_of_a_type_that_is_not_known_is_an_address() {
    let notified = |resource: &str| {
        let body = format!(
            "<Notification xmlns='urn:ieee:std:2030.5:ns' xmlns:i='http://www.w3.org/2001/XMLSchema-\
             instance' xmlns:s='urn:ieee:std:2030.5:ns'><subscribedResource>/a</subscribedResource>\
             {resource}<status>4</status><subscriptionURI>/s</subscriptionURI></Notification>"
        );
        read::<Notification>(body.as_bytes()).unwrap().resource
    };
    assert_eq!(notified(""), None);
    let address = Carried::new(Resource {
        href: Some("/x".into()),
    });
    for unknown in [
        "<Resource href='/x'/>",
        "<Resource i:type='Newer' href='/x'><new/></Resource>",
    ] {
        assert_eq!(notified(unknown), Some(address.clone()), "{unknown}");
    }
    let program =
        notified("<Resource i:type=' s:DERProgram '><mRID>1</mRID><primacy>3</primacy></Resource>");
    assert_eq!(
        program.unwrap().get::<DerProgram>().map(|p| p.primacy),
        Some(3)
    );
}

#[test]
fn what_is_sent_on_keeps_its_digits() {
    let body = "<DERCapability xmlns=\"urn:ieee:std:2030.5:ns\"><modesSupported>0c</modesSupported>\
        <rtgMaxW><multiplier>0</multiplier><value>1</value></rtgMaxW><type>4</type></DERCapability>";
    let kind = find("DERCapability").unwrap();
    let again = text(kind.rewrite(body.as_bytes(), Profile::default()).unwrap());
    assert!(
        again.contains("<modesSupported>0C</modesSupported>"),
        "{again}"
    );
}
