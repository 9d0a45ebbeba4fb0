//! Every message emitted is valid against the schemas, by xmllint, lxml and xmlschema.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use iec61968_5::client;
use iec61968_5::message::{Asked, Operation};
use iec61968_5::schema::{WSDLS, XSDS, document};
use iec61968_5::wire::der_group_queries::GroupKey;
use iec61968_5::wire::der_groups::EndDeviceGroup;
use iec61968_5::wire::naming::{Name, NameType, Version};

use crate::peers;
use crate::scene::{Scene, body, dispatch, dispatches, group, groups};

/// Requests of every operation that succeed, succeed in part and fail.
fn requests() -> Vec<(Operation, Asked)> {
    let described = EndDeviceGroup {
        mrid: Some("E".to_owned()),
        description: Some("a < b & \"c\" > 'd'".to_owned()),
        names: vec![Name {
            name: "eäst".to_owned(),
            name_type: Some(NameType {
                description: Some("kind".to_owned()),
                name: "feeder".to_owned(),
                authority: Some((Some("who".to_owned()), "utility".to_owned())),
            }),
        }],
        version: Some(Version {
            date: None,
            major: Some(1),
            minor: Some(0),
            revision: Some(2),
        }),
        ..group("", &["der-1", "der-2"])
    };
    let west = || group("west", &["der-3"]);
    let nobody = || group("nobody", &["der-9"]);
    let only_name = |name: &str| EndDeviceGroup {
        functions: None,
        ..group(name, &[])
    };
    let key = |name: &str| GroupKey {
        mrid: None,
        names: vec![Name::plain(name)],
    };
    let create = Operation::CreateDerGroups;
    let order = Operation::CreateDerGroupDispatches;
    vec![
        (create, groups(vec![described.clone(), west()])),
        (create, groups(vec![described.clone(), group("third", &[])])),
        (create, groups(vec![described, nobody()])),
        (Operation::ChangeDerGroups, groups(vec![west(), nobody()])),
        (
            order,
            dispatches(vec![
                dispatch("west", &[1.5, -2.0]),
                dispatch("nobody", &[1.0]),
            ]),
        ),
        (order, dispatches(vec![dispatch("west", &[1.0])])),
        (Operation::QueryDerGroups, client::query(vec![])),
        (
            Operation::QueryDerGroups,
            client::query(vec![key("west"), key("nobody")]),
        ),
        (Operation::QueryDerGroupStatuses, client::query(vec![])),
        (
            Operation::QueryDerGroupStatuses,
            client::query(vec![key("nobody")]),
        ),
        (
            Operation::DeleteDerGroups,
            groups(vec![only_name("third"), only_name("nobody")]),
        ),
    ]
}

/// What stands between two markers.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).expect("start marker") + from.len();
    let end = text.rfind(to).expect("end marker");
    &text[start..end]
}

/// Writes the documents and gives pairs of schema and document.
fn emit(directory: &Path) -> Vec<(PathBuf, PathBuf)> {
    fs::create_dir_all(directory).unwrap();
    let mut pairs = vec![];
    let mut write = |operation: Operation, kind: &str, text: &str| {
        let file = directory.join(format!("{}-{}-{kind}.xml", pairs.len(), operation.name()));
        fs::write(&file, text).unwrap();
        let xsd = format!("{}Message.xsd", operation.message_noun().as_str());
        pairs.push((peers::schema_dir().join("xsd").join(xsd), file));
    };
    let mut scene = Scene::new();
    for (operation, asked) in requests() {
        let request = body(operation, asked);
        write(
            operation,
            "request",
            between(&request, "<soap:Body>", "</soap:Body>"),
        );
        let (response, _) = scene.post(&request);
        assert_eq!(response.status, 200);
        write(
            operation,
            "response",
            between(&response.body, "<soap:Body>", "</soap:Body>"),
        );
        let typo = request.replace("<msg:Noun>DER", "<msg:Noun>DE");
        let (noted, _) = scene.post(&typo);
        write(
            operation,
            "noted",
            between(&noted.body, "<soap:Body>", "</soap:Body>"),
        );
        let (fault, _) = scene.post(&request.replace("msg:Verb>", "msg:Vrb>"));
        assert_eq!(fault.status, 500);
        write(
            operation,
            "fault",
            between(&fault.body, "<detail>", "</detail>"),
        );
    }
    pairs
}

#[test]
fn every_message_is_valid() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("iec61968_5-messages");
    let pairs = emit(&directory);
    assert_eq!(pairs.len(), requests().len() * 4);
    for (xsd, xml) in &pairs {
        peers::succeeds(
            Command::new("xmllint")
                .args(["--nonet", "--noout", "--schema"])
                .arg(xsd)
                .arg(xml),
        );
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validate.py");
    let arguments = pairs.iter().flat_map(|(xsd, xml)| [xsd, xml]);
    peers::succeeds(Command::new(peers::python()).arg(script).args(arguments));
}

#[test]
fn the_validators_find_what_is_wrong() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("iec61968_5-spoilt");
    fs::create_dir_all(&directory).unwrap();
    let request = body(Operation::CreateDerGroups, groups(vec![group("east", &[])]));
    let good = between(&request, "<soap:Body>", "</soap:Body>");
    let spoilt = good.replace("<p:realPowerDispatch>true", "<p:realPowerDispatch>yes");
    assert_ne!(good, spoilt);
    let file = directory.join("spoilt.xml");
    fs::write(&file, spoilt).unwrap();
    let xsd = peers::schema_dir().join("xsd/DERGroupsMessage.xsd");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validate.py");
    let output = Command::new(peers::python())
        .arg(script)
        .arg(xsd)
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && text.contains("lxml:") && text.contains("xmlschema:"));
}

#[test]
fn documents_are_served_with_the_address_of_the_server() {
    let origin = "https://derms.example:8443/";
    for (path, _) in WSDLS {
        let wsdl = document(path, Some("wsdl"), origin).unwrap();
        assert!(
            wsdl.contains(&format!("location=\"https://derms.example:8443{path}\"")),
            "{path}"
        );
        assert!(!wsdl.contains("localhost"));
        assert_eq!(document(path, Some("WSDL"), origin), Some(wsdl));
        assert_eq!(document(path, None, origin), None);
    }
    for (name, text) in XSDS {
        let served = document(&format!("/61968-5/xsd/{name}"), None, origin);
        assert_eq!(served.as_deref(), Some(text));
    }
    assert_eq!(document("/61968-5/xsd/../Cargo.toml", None, origin), None);
    let quoted = document(WSDLS[0].0, Some("wsdl"), "http://a\"b").unwrap();
    assert!(quoted.contains("http://a&quot;b/61968-5"));
}

#[test]
fn every_schema_file_is_embedded() {
    let listed = |folder: &str| {
        let files = fs::read_dir(peers::schema_dir().join(folder)).unwrap();
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect::<Vec<_>>()
    };
    let xsds = listed("xsd");
    assert_eq!(xsds.len(), XSDS.len());
    assert!(
        xsds.iter()
            .all(|file| XSDS.iter().any(|(name, _)| name == file))
    );
    let wsdls: usize = ["create", "change", "get"]
        .map(|folder| listed(folder).len())
        .iter()
        .sum();
    assert_eq!(wsdls, WSDLS.len());
}
