//! Limits on what is hosted, reached.

use super::host::host;
use super::submit::Writing;
use super::*;
use crate::codec::table::Profile;
use crate::server::href::hosted as address;
use crate::server::http::Refusal;
use crate::server::{Resources, ServerConfig, View};
use crate::translate::{DerId, Fleet, Lfdi};

const PROGRAM: &str = "<DemandResponseProgram xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>FF</mRID>\
                       <primacy>1</primacy></DemandResponseProgram>";
const LOCALE: &str = "<SupportedLocale xmlns=\"urn:ieee:std:2030.5:ns\"><locale>de</locale>\
                      </SupportedLocale>";

fn path(text: &str) -> HostedPath {
    address(text).unwrap()
}

fn blank(owner: Owner, bytes: Bytes) -> HostedDocument {
    HostedDocument {
        owner,
        facts: Facts::default(),
        sort_key: None,
        bytes,
        etag: None,
    }
}

/// `number` documents, each in a list of its own.
fn fill(hosted: &mut Hosted, number: usize, at: impl Fn(usize) -> HostedPath) {
    for k in 0..number {
        hosted.insert(at(k), blank(Owner::Everyone, Bytes::new()));
    }
}

fn operator_hosts(resources: &Resources, at: &str, body: &[u8]) -> Result<(), String> {
    let config = ServerConfig::new(Lfdi([7; 20]));
    let fleet = Fleet::default();
    let view = View {
        fleet: &fleet,
        resources,
        config: &config,
    };
    let made = host(Owner::Everyone, at, body, &view);
    made.map(drop).map_err(|refused| refused.rule)
}

fn device_posts(resources: &Resources, list: &str) -> Result<(), Refusal> {
    let path = path(list);
    let writing = Writing {
        hosted: resources.hosted(),
        path,
        client: path.client.unwrap(),
        method: "POST",
        body: LOCALE.as_bytes(),
        profile: Profile::default(),
        now: Timestamp::from_secs(1),
    };
    writing.decide().map(drop)
}

fn numbered(top: usize, below: usize) -> HostedPath {
    let list = path(&format!("/dr/{top}/edc"));
    list.member(u32::try_from(below).unwrap())
}

#[test]
fn operators_and_devices_have_room_of_their_own() {
    let mut resources = Resources::default();
    fill(resources.hosted_mut(), MAX_DOCUMENTS - 1, |k| {
        numbered(1 + k / 1_000, k % 1_000)
    });
    let of_device = |k: usize| {
        let client = Some(Client::Der(DerId(u32::try_from(k).unwrap())));
        HostedPath {
            client,
            ..place(client, RouteId::SUPPORTED_LOCALES).member(1)
        }
    };
    fill(
        resources.hosted_mut(),
        MAX_DOCUMENTS_OF_CLIENTS - 1,
        of_device,
    );
    assert_eq!(
        operator_hosts(&resources, "/dr/9999", PROGRAM.as_bytes()),
        Ok(())
    );
    assert_eq!(device_posts(&resources, "/edev/3/di/loc"), Ok(()));
    resources
        .hosted_mut()
        .insert(path("/dr/9998"), blank(Owner::Everyone, Bytes::new()));
    let refused = operator_hosts(&resources, "/dr/9999", PROGRAM.as_bytes());
    assert_eq!(refused, Err(format!("at most {MAX_DOCUMENTS} documents")));
    assert_eq!(
        device_posts(&resources, "/edev/3/di/loc"),
        Ok(()),
        "devices are not hurt"
    );
    resources.hosted_mut().insert(
        path("/edev/3/di/loc/2"),
        blank(Owner::Everyone, Bytes::new()),
    );
    let refused = device_posts(&resources, "/edev/3/di/loc").unwrap_err();
    let limit = format!("at most {MAX_DOCUMENTS_OF_CLIENTS} documents of all devices");
    assert_eq!(refused, Refusal::limit(limit));
    resources.hosted_mut().remove(path("/edev/3/di/loc/2"));
    resources.hosted_mut().remove(path("/dr/9998"));
    assert_eq!(
        operator_hosts(&resources, "/dr/9999", PROGRAM.as_bytes()),
        Ok(())
    );
    assert_eq!(device_posts(&resources, "/edev/3/di/loc"), Ok(()));
}

#[test]
fn lists_have_a_limit() {
    let mut resources = Resources::default();
    let member = |k: usize| path("/dr").member(u32::try_from(k).unwrap());
    fill(resources.hosted_mut(), MAX_MEMBERS - 1, member);
    assert_eq!(
        operator_hosts(&resources, "/dr/99999", PROGRAM.as_bytes()),
        Ok(())
    );
    fill(resources.hosted_mut(), MAX_MEMBERS, member);
    let refused = operator_hosts(&resources, "/dr/99999", PROGRAM.as_bytes());
    assert_eq!(
        refused,
        Err(format!("at most {MAX_MEMBERS} members of one list"))
    );
}

#[test]
fn files_have_a_limit_together() {
    let mut resources = Resources::default();
    let largest = Bytes::from(vec![0; MAX_FILE_BYTES]);
    let files = MAX_FILES_BYTES / MAX_FILE_BYTES;
    for k in 1..files {
        resources.hosted_mut().insert(
            path(&format!("/file/{k}/content")),
            blank(Owner::Everyone, largest.clone()),
        );
    }
    let mut file = blank(Owner::Everyone, Bytes::new());
    file.facts.size_bytes = u32::try_from(MAX_FILE_BYTES).ok();
    resources.hosted_mut().insert(path("/file/99"), file);
    assert_eq!(
        operator_hosts(&resources, "/file/99/content", &largest),
        Ok(())
    );
    resources.hosted_mut().insert(
        path("/file/98/content"),
        blank(Owner::Everyone, Bytes::from_static(b"1")),
    );
    let refused = operator_hosts(&resources, "/file/99/content", &largest);
    assert_eq!(
        refused,
        Err(format!("at most {MAX_FILES_BYTES} bytes of files"))
    );
    resources.hosted_mut().remove(path("/file/98/content"));
    resources.hosted_mut().insert(
        path("/file/99/content"),
        blank(Owner::Everyone, largest.clone()),
    );
    let again = operator_hosts(&resources, "/file/99/content", &largest);
    assert_eq!(again, Ok(()), "one that is replaced does not count");
}

#[test]
fn what_is_below_a_document_goes_with_it() {
    let mut hosted = Hosted::default();
    for text in [
        "/tp/1",
        "/tp/1/rc/2",
        "/tp/1/rc/2/tti/3",
        "/tp/2",
        "/tp/2/rc/2",
        "/dr/1",
    ] {
        hosted.insert(path(text), blank(Owner::Everyone, Bytes::new()));
    }
    for text in ["/file/1", "/file/1/content", "/file/2/content"] {
        hosted.insert(path(text), blank(Owner::Everyone, Bytes::new()));
    }
    let held = |of: &str| -> Vec<String> {
        let held = hosted.held_by(path(of));
        held.map(|(path, _)| path.to_string()).collect()
    };
    assert_eq!(held("/tp/1"), ["/tp/1", "/tp/1/rc/2", "/tp/1/rc/2/tti/3"]);
    assert_eq!(held("/tp/2/rc/2"), ["/tp/2/rc/2"]);
    assert_eq!(held("/file/1"), ["/file/1", "/file/1/content"]);
}

#[test]
fn an_mrid_leads_to_its_event() {
    let mut hosted = Hosted::default();
    let mrid = HexBinary128::new(5);
    let mut document = blank(Owner::Everyone, Bytes::new());
    document.facts.mrid = Some(mrid);
    for text in ["/edev/3/frq/1", "/edev/4/frq/1", "/dr/1/edc/2"] {
        hosted.insert(path(text), document.clone());
    }
    assert_eq!(hosted.with_mrid(mrid).count(), 3);
    let found = hosted.event_by_mrid(mrid).map(|(path, _)| path);
    assert_eq!(found, Some(path("/dr/1/edc/2")));
    hosted.remove(path("/dr/1/edc/2"));
    assert_eq!(hosted.event_by_mrid(mrid), None);
    assert_eq!(hosted.with_mrid(HexBinary128::new(4)).count(), 0);
}
