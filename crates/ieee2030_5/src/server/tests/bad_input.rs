use super::{NEW, OWN, STRANGER, World, end_device, request};
use crate::codec::MAX_DEPTH;
use crate::codec::read::read;
use crate::codec::table::Profile;
use crate::codec::write::write;
use crate::server::Response;
use crate::server::http::MAX_REQUEST_BYTES;
use crate::wire::error::{Error, ReasonCode};

fn reason(reply: &Response) -> ReasonCode {
    read::<Error>(&reply.body).unwrap().reason_code
}

/// Sends `body` wherever a body is taken and expects one answer, and that nothing has changed.
fn refused_everywhere(body: &[u8], status: u16, code: ReasonCode) {
    let mut world = World::new();
    super::metering::mirror(&mut world);
    let before = (world.fleet.clone(), world.resources.clone());
    for (method, address) in [
        ("POST", "/edev"),
        ("PUT", "/edev/0"),
        ("PUT", "/edev/0/di"),
        ("PUT", "/edev/0/der/1/dercap"),
        ("PUT", "/edev/0/der/1/derg"),
        ("PUT", "/edev/0/der/1/ders"),
        ("PUT", "/edev/0/der/1/dera"),
        ("POST", "/edev/0/lel"),
        ("POST", "/mup"),
        ("POST", "/mup/0-1"),
        ("POST", "/rsps/0/rsp"),
    ] {
        let reply = world.send(&request(OWN, method, address, body));
        assert_eq!(
            (reply.status, reason(&reply)),
            (status, code),
            "{method} {address}"
        );
        assert!(reply.reason.is_some());
    }
    assert_eq!((world.fleet, world.resources), before);
}

#[test]
fn malformed_bodies() {
    for body in [
        "",
        "x",
        "<",
        "<EndDevice",
        "<a></b>",
        "{\"json\":1}",
        "<?xml?>",
    ] {
        refused_everywhere(body.as_bytes(), 400, ReasonCode::INVALID_FORMAT);
    }
    refused_everywhere(&[0xFF, 0xFE, 0x00], 400, ReasonCode::INVALID_FORMAT);
    refused_everywhere(&[0x80, b'E', b'X', b'I'], 400, ReasonCode::INVALID_FORMAT);
}

#[test]
fn wrong_roots_and_namespaces() {
    let ns = "urn:ieee:std:2030.5:ns";
    let time = format!("<Time xmlns=\"{ns}\"/>");
    refused_everywhere(time.as_bytes(), 400, ReasonCode::INVALID_FORMAT);
    refused_everywhere(
        b"<EndDevice xmlns=\"urn:other\"/>",
        400,
        ReasonCode::INVALID_FORMAT,
    );
    refused_everywhere(b"<EndDevice/>", 400, ReasonCode::INVALID_FORMAT);
}

#[test]
fn oversized_and_deep_bodies() {
    let long = vec![b' '; MAX_REQUEST_BYTES + 1];
    refused_everywhere(&long, 413, ReasonCode::RESOURCE_LIMIT);
    let mut world = World::new();
    let mut body = write(&end_device(NEW), Profile::default());
    body.resize(MAX_REQUEST_BYTES, b' ');
    assert_eq!(
        world.send(&request(NEW, "POST", "/edev", &body)).status,
        201
    );
    let depth = MAX_DEPTH + 1;
    for root in ["LogEvent", "EndDevice"] {
        let deep = format!(
            "<{root} xmlns=\"urn:ieee:std:2030.5:ns\">{}",
            "<a>".repeat(depth)
        );
        let address = if root == "LogEvent" {
            "/edev/0/lel"
        } else {
            "/edev"
        };
        let mut world = World::new();
        let reply = world.send(&request(OWN, "POST", address, deep.as_bytes()));
        assert_eq!(
            (reply.status, reason(&reply)),
            (400, ReasonCode::RESOURCE_LIMIT)
        );
    }
}

#[test]
fn entities() {
    let bomb = b"<!DOCTYPE EndDevice [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">\
        <!ENTITY c \"&b;&b;&b;&b;&b;\">]><EndDevice xmlns=\"urn:ieee:std:2030.5:ns\">&c;</EndDevice>";
    refused_everywhere(bomb, 400, ReasonCode::INVALID_FORMAT);
    let external = b"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><x/>";
    refused_everywhere(external, 400, ReasonCode::INVALID_FORMAT);
}

#[test]
fn an_lfdi_that_is_none() {
    let mut world = World::new();
    let body = String::from_utf8(write(&end_device(NEW), Profile::default())).unwrap();
    let body = body.replace(&NEW.to_string(), "this is not an LFDI");
    let reply = world.send(&request(NEW, "POST", "/edev", body.as_bytes()));
    assert_eq!(
        (reply.status, reason(&reply)),
        (400, ReasonCode::INVALID_VALUES)
    );
}

#[test]
fn every_cut_of_a_body() {
    let mut world = World::new();
    let body = write(&end_device(NEW), Profile::default());
    for length in 0..body.len() {
        let reply = world.send(&request(NEW, "POST", "/edev", &body[..length]));
        assert_eq!(reply.status, 400, "cut at {length}");
    }
    assert_eq!(
        world.send(&request(NEW, "POST", "/edev", &body)).status,
        201
    );
}

#[test]
fn content_types() {
    let mut world = World::new();
    let body = write(&end_device(NEW), Profile::default());
    for wrong in [
        "text/xml",
        "application/xml",
        "application/sep-exi",
        "application/json",
        "",
    ] {
        let mut post = request(NEW, "POST", "/edev", &body);
        post.content_type = Some(wrong);
        let reply = world.send(&post);
        assert_eq!(
            (reply.status, reason(&reply)),
            (415, ReasonCode::INVALID_FORMAT),
            "{wrong}"
        );
    }
    let mut post = request(NEW, "POST", "/edev", &body);
    post.content_type = Some("Application/SEP+XML; level=-S1");
    assert_eq!(world.send(&post).status, 201);
}

#[test]
fn accept() {
    let mut world = World::new();
    let cases = [
        (None, 200),
        (Some("*/*"), 200),
        (Some("application/*;q=0.1"), 200),
        (
            Some("application/sep-exi, application/sep+xml;level=+S1;q=0.5"),
            200,
        ),
        (Some("application/sep+xml;level=-S1"), 200),
        (Some("application/sep+xml;level=-S2"), 406),
        (Some("application/sep-exi"), 406),
        (Some("application/sep+xml;q=0"), 406),
        (Some("text/html"), 406),
        (Some(""), 406),
    ];
    for (accept, status) in cases {
        let mut get = request(OWN, "GET", "/dcap", b"");
        get.accept = accept;
        assert_eq!(world.send(&get).status, status, "{accept:?}");
    }
}

#[test]
fn methods() {
    let mut world = World::new();
    for (method, address, allow) in [
        ("POST", "/dcap", &["GET", "HEAD"][..]),
        ("DELETE", "/edev/0/der/1/derg", &["GET", "HEAD", "PUT"]),
        ("PUT", "/edev", &["GET", "HEAD", "POST"]),
        ("PATCH", "/tm", &["GET", "HEAD"]),
        ("DELETE", "/derp/0/derc", &["GET", "HEAD"]),
    ] {
        let reply = world.send(&request(OWN, method, address, b""));
        assert_eq!(
            (reply.status, reply.allow),
            (405, Some(allow)),
            "{method} {address}"
        );
    }
}

#[test]
fn what_a_stranger_may_see() {
    let mut world = World::new();
    for (address, status) in [
        ("/dcap", 200),
        ("/tm", 200),
        ("/sdev", 200),
        ("/edev", 200),
        ("/edev/0", 404),
        ("/x", 404),
    ] {
        assert_eq!(world.get(STRANGER, address).status, status, "{address}");
    }
    let mup = write(
        &crate::wire::metering_mirror::MirrorUsagePoint::default(),
        Profile::default(),
    );
    assert_eq!(
        world.send(&request(STRANGER, "POST", "/mup", &mup)).status,
        403
    );
}

#[test]
fn what_the_fleet_rejects_is_said_in_the_words_of_the_protocol() {
    use crate::server::rejected;
    use crate::translate::{DerId, Rejection};

    for (rejection, status, code) in [
        (
            Rejection::AlreadyRegistered(DerId(0)),
            409,
            ReasonCode::INVALID_VALUES,
        ),
        (Rejection::LfdiTaken(OWN), 409, ReasonCode::INVALID_VALUES),
        (
            Rejection::TooMany {
                what: "DER",
                max: 1,
            },
            400,
            ReasonCode::RESOURCE_LIMIT,
        ),
        (
            Rejection::Invalid {
                field: "f",
                rule: "r".to_owned(),
            },
            400,
            ReasonCode::INVALID_VALUES,
        ),
    ] {
        let reply = rejected(&rejection, Profile::default());
        assert_eq!(
            (reply.status, reason(&reply)),
            (status, code),
            "{rejection}"
        );
    }
}
