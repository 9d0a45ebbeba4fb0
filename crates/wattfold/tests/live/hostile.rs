//! Broken, slow and hostile peers on every interface: each gets a clear error in the form of its
//! protocol, nothing is half-applied, and the server goes on serving.

mod cases;
mod crossing;
mod slow;

use std::fs::File;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::api::Api;
use crate::device::{Device, document, write};
use crate::exchange::{Reply, Request, Wire};
use crate::peers;
use crate::rig::{Rig, Setup, shared};
use cases::{Case, sent};
use wattfold::device_listener::MAX_HEAD_BYTES;

const DEVICE_BODY_MAX: usize = ieee2030_5::server::http::MAX_REQUEST_BYTES;
const SOAP_BODY_MAX: usize = iec61968_5::limits::MAX_BODY_BYTES;
const REST_BODY_MAX: usize = wattfold::api::MAX_BODY_BYTES;
const SOAP_PATH: &str = "/61968-5/get/queryDERGroups";

/// A server with two registered devices; the third certificate is a stranger's.
async fn with_devices(name: &str) -> (Rig, [Device; 3]) {
    let setup = Setup {
        devices: 3,
        ..Setup::default()
    };
    let rig = Rig::started(name, &setup).await;
    let devices = [1, 2, 3].map(|number| rig.device(number));
    let mut api = rig.api();
    for device in &devices[..2] {
        let enrolment = json!({
            "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
            "registration": "out_of_band",
        });
        api.post("/ders", &enrolment).await;
    }
    let mut wire = devices[0].connect().await.unwrap();
    crate::device::describe_battery(&mut wire, "/edev/0").await;
    (rig, devices)
}

/// Replies of the device listener, to be validated by the schema in the end.
struct Transcript(File);

impl Transcript {
    fn new(rig: &Rig) -> Self {
        Self(File::create(rig.dir.join("replies.jsonl")).unwrap())
    }

    fn add(&mut self, what: &str, reply: &Reply) {
        let content_type = reply.headers.get("content-type");
        let line = json!({
            "method": "", "path": what, "status": reply.status,
            "content_type": content_type, "received": reply.text(),
        });
        writeln!(self.0, "{line}").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_get_an_error_of_the_protocol() {
    let _machine = shared().await;
    let (mut rig, [device, _, stranger]) = with_devices("hostile-devices").await;
    let mut transcript = Transcript::new(&rig);
    let before = device.get("/edev/0/der/1/derg").await.unwrap().text();
    for case in device_cases() {
        let mut wire = device.connect().await.unwrap();
        if let Some(reply) = sent(&mut wire, &case).await {
            transcript.add(case.what, &reply);
            assert_tells(case.what, &reply);
        }
        let next = device.get("/tm").await.unwrap();
        assert_eq!(next.status, 200, "after {}", case.what);
    }
    assert_eq!(
        device.get("/edev/0/der/1/derg").await.unwrap().text(),
        before
    );

    for (request, status) in [
        (write("POST", "/edev", end_device(&stranger)), 403),
        (write("POST", "/edev", end_device(&device)), 403),
        (
            write(
                "POST",
                "/mup",
                crate::device::power_meter(stranger.lfdi, 16),
            ),
            403,
        ),
        (Request::new("GET", "/dcap"), 200),
        (Request::new("GET", "/tm"), 200),
        (Request::new("GET", "/edev/0"), 404),
        (Request::new("GET", "/edev/0/fsa"), 404),
        (Request::new("GET", "/edev/0/der/1/derg"), 404),
        (Request::new("GET", "/rsps/0"), 404),
    ] {
        let reply = stranger.ask(&request).await.unwrap();
        transcript.add("a stranger", &reply);
        assert_eq!(reply.status, status, "{request:?}: {}", reply.text());
    }
    assert_eq!(device.get("/edev/0/fsa").await.unwrap().status, 200);
    let log = rig.whole_log();
    for reason in ["limit", "cut_off", "head_too_large", "no_http", "absent"] {
        let told = format!("reason=\"{reason}\"");
        let told = [told, format!("reason={reason}")];
        assert!(told.iter().any(|told| log.contains(told)), "{reason}");
    }
    let seen = stranger.get("/edev?l=255").await.unwrap().text();
    assert!(
        seen.contains("all=\"0\"") && !seen.contains("<EndDevice "),
        "{seen}"
    );
    let path = rig.dir.join("replies.jsonl").to_str().unwrap().to_owned();
    let judged = peers::run("sep_valid.py", &[path]).await;
    assert!(
        judged.status.success(),
        "{}",
        String::from_utf8_lossy(&judged.stdout)
    );
    rig.stop().await;
}

/// The listener's buffer is many times as long as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_all_at_once_are_all_answered_in_order() {
    let _machine = shared().await;
    let mut rig = Rig::started("pipelined", &Setup::default()).await;
    let mut wire = rig.device(1).connect().await.unwrap();
    let [time, nothing] = ["/tm", "/nothing"].map(|path| Request::new("GET", path).bytes());
    let pair = [time, nothing].concat();
    let pairs = 4 * MAX_HEAD_BYTES / pair.len();
    wire.send(&pair.repeat(pairs)).await.unwrap();
    for number in 0..pairs {
        assert_eq!(wire.reply().await.unwrap().status, 200, "{number}");
        assert_eq!(wire.reply().await.unwrap().status, 404, "{number}");
    }
    rig.stop().await;
}

/// A refusal of the protocol says why, but where that would tell absent from forbidden.
fn assert_tells(what: &str, reply: &Reply) {
    let has_error = reply.text().contains("<Error ") && reply.text().contains("<reasonCode>");
    assert!(
        has_error || matches!(reply.status, 404..=406),
        "{what}: {reply:?}"
    );
    if reply.status == 405 {
        assert_eq!(reply.header("allow"), "GET, HEAD");
    }
}

fn end_device(device: &Device) -> String {
    let (lfdi, sfdi) = (device.lfdi, device.lfdi.sfdi());
    document(
        "EndDevice",
        &format!("<lFDI>{lfdi}</lFDI><sFDI>{sfdi}</sFDI><changedTime>0</changedTime>"),
    )
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn device_cases() -> Vec<Case> {
    let path = "/edev/0/der/1/derg";
    let put = |body: &[u8]| write("PUT", path, body);
    let settings = |content: &str| document("DERSettings", content);
    let typed = |kind: &str| Request::new("PUT", path).body(kind, settings(""));
    let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">\
                <!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]><DERSettings>&c;</DERSettings>";
    let out_of_range = settings(
        "<setGradW>70000</setGradW><setMaxW><multiplier>0</multiplier><value>1</value></setMaxW>\
         <updatedTime>1</updatedTime>",
    );
    let unknown_subject = document(
        "DERControlResponse",
        "<endDeviceLFDI>0000000000000000000000000000000000000000</endDeviceLFDI>\
         <status>1</status><subject>0123456789ABCDEF0123456789ABCDEF</subject>",
    );
    let stream = put(b"");
    vec![
        Case::of(
            "a length beyond the limit",
            413,
            stream.head(&length(DEVICE_BODY_MAX + 1)),
        ),
        Case::of(
            "chunks beyond the limit",
            413,
            cases::chunked(&stream, DEVICE_BODY_MAX + 2),
        ),
        Case::of("a body cut off", 400, cases::cut_off(&stream)).then_end(),
        Case::of("malformed XML", 400, put(b"<DERSettings><a></b>").bytes()),
        Case::of("no XML at all", 400, put(b"{\"a\": 1}").bytes()),
        Case::of("nothing", 400, put(b"").bytes()),
        Case::of(
            "not UTF-8",
            400,
            put(b"<DERSettings>\xff\xfe</DERSettings>").bytes(),
        ),
        Case::of("an entity bomb", 400, put(bomb.as_bytes()).bytes()),
        Case::of(
            "deep nesting",
            400,
            put(settings(&cases::deep(10_000)).as_bytes()).bytes(),
        ),
        Case::of(
            "a wrong namespace",
            400,
            put(b"<DERSettings xmlns=\"urn:x\"/>").bytes(),
        ),
        Case::of(
            "another document",
            400,
            put(document("DERStatus", "").as_bytes()).bytes(),
        ),
        Case::of(
            "a number out of range",
            400,
            put(out_of_range.as_bytes()).bytes(),
        ),
        Case::of(
            "a response to nothing",
            400,
            write("POST", "/rsps/0/rsp", unknown_subject).bytes(),
        ),
        Case::of("JSON as such", 415, typed("application/json").bytes()),
        Case::of("XML as text", 415, typed("text/xml").bytes()),
        Case::of("a wrong method", 405, write("DELETE", "/tm", "").bytes()),
        Case::of(
            "an end device that its aggregator alone may delete",
            403,
            write("DELETE", "/edev/0", "").bytes(),
        ),
        Case::of(
            "another's end device",
            404,
            Request::new("GET", "/edev/1").bytes(),
        ),
        Case::of(
            "another's settings",
            404,
            write("PUT", "/edev/1/der/1/derg", settings("")).bytes(),
        ),
        Case::of(
            "no such resource",
            404,
            Request::new("GET", "/edev/9").bytes(),
        ),
        Case::of(
            "a path that climbs",
            404,
            Request::new("GET", "/edev/0/../1").bytes(),
        ),
        Case::of(
            "an Accept of other things",
            406,
            Request::new("GET", "/tm")
                .header("Accept", "text/html")
                .bytes(),
        ),
        Case::of("a head beyond the limit", 431, huge_head()).bare(),
        Case::of("no HTTP", 400, b"\x00\x01\x02 nonsense\r\n\r\n".to_vec()).bare(),
    ]
}

fn length(bytes: usize) -> String {
    format!("Content-Length: {bytes}\r\n")
}

/// A head that fills the buffer of the listener and goes on. Not a byte more is sent, or the
/// refusal would be lost in the reset of the connection.
fn huge_head() -> Vec<u8> {
    let mut head = b"GET /tm HTTP/1.1\r\nHost: test\r\nX-Long: ".to_vec();
    head.resize(MAX_HEAD_BYTES, b'x');
    head
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enterprise_systems_get_a_soap_fault() {
    let _machine = shared().await;
    let (mut rig, _) = with_devices("hostile-soap").await;
    for case in soap_cases(&rig.api()) {
        let mut wire = Wire::plain(rig.enterprise).await.unwrap();
        let reply = sent(&mut wire, &case).await.unwrap();
        assert!(
            reply.header("content-type").starts_with("text/xml"),
            "{}: {reply:?}",
            case.what
        );
        assert!(
            reply.text().contains("Fault") && reply.text().contains("<faultstring>"),
            "{}: {}",
            case.what,
            reply.text()
        );
        match reply.status {
            401 => assert!(reply.header("www-authenticate").starts_with("Basic ")),
            405 => assert_eq!(reply.header("allow"), "GET, HEAD, POST"),
            _ => {}
        }
        rig.assert_running();
    }
    let wsdl = Request::new("GET", &format!("{SOAP_PATH}?wsdl"));
    assert_eq!(rig.api().send(wsdl).await.unwrap().status, 200);
    rig.stop().await;
}

fn soap_cases(api: &Api) -> Vec<Case> {
    let post = |body: &[u8]| {
        let request = Request::new("POST", SOAP_PATH).body("text/xml; charset=utf-8", body);
        api.authorized(request)
    };
    let bomb = b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
    let json = Request::new("POST", SOAP_PATH).body("application/json", "{}");
    let stranger = Request::new("POST", SOAP_PATH).body("text/xml", "<a/>");
    vec![
        Case::of(
            "a length beyond the limit",
            413,
            post(b"").head(&length(SOAP_BODY_MAX + 2)),
        ),
        Case::of(
            "chunks beyond the limit",
            413,
            cases::chunked(&post(b""), SOAP_BODY_MAX + 2),
        ),
        Case::of("a body cut off", 400, cases::cut_off(&post(b""))).then_end(),
        Case::of("malformed XML", 400, post(b"<a></b>").bytes()),
        Case::of("an entity bomb", 400, post(bomb).bytes()),
        Case::of(
            "deep nesting",
            400,
            post(cases::deep(10_000).as_bytes()).bytes(),
        ),
        Case::of("no envelope", 500, post(b"<a/>").bytes()),
        Case::of("a wrong content type", 415, api.authorized(json).bytes()),
        Case::of(
            "a wrong method",
            405,
            api.authorized(Request::new("DELETE", SOAP_PATH)).bytes(),
        ),
        Case::of(
            "no such service",
            404,
            api.authorized(Request::new("POST", "/61968-5/x")).bytes(),
        ),
        Case::of(
            "no such schema",
            404,
            api.authorized(Request::new("GET", "/61968-5/xsd/x"))
                .bytes(),
        ),
        Case::of("no credentials", 401, stranger.bytes()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_get_a_problem_of_rfc_9457() {
    let _machine = shared().await;
    let (mut rig, _) = with_devices("hostile-rest").await;
    let mut api = rig.api();
    for case in rest_cases(&api) {
        let mut wire = Wire::plain(rig.enterprise).await.unwrap();
        let reply = sent(&mut wire, &case).await.unwrap();
        assert_eq!(
            reply.header("content-type"),
            "application/problem+json",
            "{}",
            case.what
        );
        let problem: Value = reply.json();
        assert_eq!(problem["status"], reply.status, "{}", case.what);
        assert!(
            problem["type"].is_string() && problem["title"].is_string(),
            "{}: {problem}",
            case.what
        );
        match reply.status {
            405 => assert!(reply.header("allow").contains("GET"), "{reply:?}"),
            422 => assert!(problem["field"].is_string(), "{problem}"),
            _ => {}
        }
        rig.assert_running();
    }
    assert_eq!(api.list("/ders").await.len(), 2);
    rig.stop().await;
}

fn rest_cases(api: &Api) -> Vec<Case> {
    let post = |body: &str| {
        let request = Request::new("POST", "/api/v1/ders").body("application/json", body);
        api.authorized(request)
    };
    let authorized = |method: &str, path: &str| api.authorized(Request::new(method, path));
    let text = Request::new("POST", "/api/v1/ders").body("text/plain", "{}");
    let deep = "[".repeat(100_000);
    let out_of_range = r#"{"name": "x", "kind": "pv", "lfdi": "00", "pin": 1e30}"#;
    vec![
        Case::of(
            "a length beyond the limit",
            413,
            post("").head(&length(REST_BODY_MAX + 1)),
        ),
        Case::of(
            "chunks beyond the limit",
            413,
            cases::chunked(&post(""), REST_BODY_MAX + 1),
        ),
        Case::of("a body cut off", 400, cases::cut_off(&post(""))).then_end(),
        Case::of("malformed JSON", 400, post("{\"name\": ").bytes()),
        Case::of("deep nesting", 422, post(&deep).bytes()),
        Case::of(
            "an unknown field",
            422,
            post(r#"{"colour": "red"}"#).bytes(),
        ),
        Case::of("a number out of range", 422, post(out_of_range).bytes()),
        Case::of("a wrong content type", 415, api.authorized(text).bytes()),
        Case::of(
            "a wrong method",
            405,
            authorized("DELETE", "/api/v1/ders").bytes(),
        ),
        Case::of(
            "an unknown mRID",
            404,
            authorized("GET", "/api/v1/ders/nobody").bytes(),
        ),
        Case::of(
            "no such resource",
            404,
            authorized("GET", "/api/v1/nothing").bytes(),
        ),
        Case::of(
            "no credentials",
            401,
            Request::new("GET", "/api/v1/ders").bytes(),
        ),
    ]
}
