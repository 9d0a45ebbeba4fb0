use axum::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::world::{Server, battery, dispatch};
use crate::api::MAX_BODY_BYTES;
use crate::api::der::MAX_FILTER_CHARS;
use crate::api::enrolment::MAX_ENROLMENTS;

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn each_bad_query_names_the_parameter() {
    let server = Server::start();
    server.with_batteries(1).await;
    let der = server.get("/api/v1/ders").await.json()["items"][0]["mrid"]
        .as_str()
        .unwrap()
        .to_owned();
    let long = "x".repeat(MAX_FILTER_CHARS + 1);
    let span = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    for (path, status, field) in [
        ("/ders?limit=0".to_owned(), 422, "limit"),
        ("/ders?limit=1001".to_owned(), 422, "limit"),
        ("/ders?limit=-1".to_owned(), 422, "limit"),
        ("/ders?after=x".to_owned(), 422, "after"),
        ("/ders?state=asleep".to_owned(), 422, "state"),
        (format!("/ders?filter={long}"), 422, "filter"),
        ("/ders?colour=red".to_owned(), 422, "colour"),
        ("/dispatches?phase=later".to_owned(), 422, "phase"),
        (
            format!("/telemetry?der={der}&quantity=joy&{span}"),
            422,
            "quantity",
        ),
        (
            format!("/telemetry?der={der}&quantity=p_w&from=2026-01-01T00:00:00Z"),
            422,
            "to",
        ),
        (
            format!("/telemetry?der={der}&quantity=p_w&{span}&limit=10001"),
            422,
            "limit",
        ),
        (
            format!(
                "/telemetry?der={der}&quantity=p_w&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"
            ),
            422,
            "to",
        ),
        (
            format!("/telemetry?der={der}&quantity=p_w&from=soon&to=later"),
            422,
            "from",
        ),
    ] {
        let reply = server.get(&format!("/api/v1{path}")).await;
        let problem = reply.json();
        assert_eq!(
            (reply.status.as_u16(), &problem["field"]),
            (status, &json!(field)),
            "{path}: {problem}"
        );
        assert!(
            problem["rule"]
                .as_str()
                .is_some_and(|rule| !rule.is_empty()),
            "{path}"
        );
        assert_eq!(
            reply.headers[header::CONTENT_TYPE],
            "application/problem+json"
        );
    }
    for path in [
        "/ders/none",
        "/groups/none",
        "/dispatches/none",
        "/dispatches/none/series",
        "/dispatches/none/deliveries",
        "/nothing",
        "/ders?group=none",
    ] {
        let reply = server.get(&format!("/api/v1{path}")).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["status"]),
            (404, &json!(404)),
            "{path}"
        );
    }
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    match body.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => body[pointer.trim_start_matches('/')] = value,
    }
    body
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn each_bad_field_is_named_and_nothing_is_applied() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let good = dispatch(&group, 100.0);
    let in_schedule =
        |name: &str, value: Value| with(good.clone(), &format!("/schedule/0/{name}"), value);
    let der = battery(9);
    let groups = json!({ "names": ["g"], "members": [] });
    let cases = [
        ("/ders", with(der.clone(), "/name", json!("")), "name"),
        (
            "/ders",
            with(der.clone(), "/name", json!("x".repeat(65))),
            "name",
        ),
        (
            "/ders",
            with(der.clone(), "/kind", json!("windmill")),
            "kind",
        ),
        ("/ders", with(der.clone(), "/lfdi", json!("12")), "lfdi"),
        (
            "/ders",
            with(der.clone(), "/lfdi", json!("é".repeat(20))),
            "lfdi",
        ),
        ("/ders", with(der.clone(), "/pin", json!(123_456)), "pin"),
        ("/ders", with(der.clone(), "/pin", json!(-1)), "pin"),
        (
            "/ders",
            with(der.clone(), "/mrid", json!("a\u{7}b")),
            "mrid",
        ),
        (
            "/ders",
            with(der.clone(), "/colour", json!("red")),
            "colour",
        ),
        ("/ders", json!([]), "body"),
        (
            "/ders",
            Value::Array(vec![der.clone(); MAX_ENROLMENTS + 1]),
            "body",
        ),
        ("/ders", json!("u9"), "body"),
        ("/ders", json!([["u9", "storage", "00", null, null]]), "[0]"),
        ("/groups", json!([["g"], ["u0"], null, null, null]), "body"),
        (
            "/groups",
            with(groups.clone(), "/names", json!([])),
            "names",
        ),
        (
            "/groups",
            with(groups.clone(), "/names", json!(vec!["n"; 17])),
            "names",
        ),
        (
            "/groups",
            with(groups.clone(), "/names", json!(["g", ""])),
            "names[1]",
        ),
        (
            "/groups",
            with(groups.clone(), "/members", json!(["u0", "u7"])),
            "members[1]",
        ),
        (
            "/groups",
            with(groups.clone(), "/functions", json!(["flying"])),
            "functions[0]",
        ),
        (
            "/groups",
            with(groups.clone(), "/description", json!("x".repeat(65))),
            "description",
        ),
        (
            "/dispatches",
            with(good.clone(), "/group", json!("nobody")),
            "group",
        ),
        (
            "/dispatches",
            with(good.clone(), "/schedule", json!([])),
            "schedule",
        ),
        (
            "/dispatches",
            in_schedule("duration_s", json!(0)),
            "schedule[0].duration_s",
        ),
        (
            "/dispatches",
            in_schedule("duration_s", json!(1.5)),
            "schedule[0].duration_s",
        ),
        (
            "/dispatches",
            in_schedule("start", json!("noon")),
            "schedule[0].start",
        ),
        (
            "/dispatches",
            in_schedule("start", json!("2026-01-01T00:00:00.5Z")),
            "schedule[0].start",
        ),
        (
            "/dispatches",
            in_schedule("start", json!("2026-01-01T00:00:00Z")),
            "schedule",
        ),
        (
            "/dispatches",
            in_schedule("p_w", json!(1e13)),
            "schedule[0].p_w",
        ),
        (
            "/dispatches",
            in_schedule("p_w", json!("much")),
            "schedule[0].p_w",
        ),
        (
            "/dispatches",
            with(good.clone(), "/ramp_s", json!(7_200)),
            "ramp",
        ),
    ];
    for (path, body, field) in cases {
        let reply = server.post(&format!("/api/v1{path}"), body).await;
        let problem = reply.json();
        assert_eq!(
            (reply.status.as_u16(), &problem["field"]),
            (422, &json!(field)),
            "{problem}"
        );
        assert!(
            problem["rule"]
                .as_str()
                .is_some_and(|rule| !rule.is_empty()),
            "{problem}"
        );
    }
    let total = async |path: &str| server.get(path).await.json()["total"].clone();
    assert_eq!(total("/api/v1/ders").await, json!(2));
    assert_eq!(total("/api/v1/groups").await, json!(1));
    assert_eq!(total("/api/v1/dispatches").await, json!(0));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn what_is_no_json_is_refused_by_its_kind() {
    let server = Server::start();
    let json_type = "application/json";
    let deep = "[".repeat(100_000);
    let deep_names = format!("{{\"names\":{deep}");
    let deep_inside = format!("{{\"name\":{}", "{\"a\":".repeat(100_000));
    let large = " ".repeat(MAX_BODY_BYTES + 1);
    for (content_type, body, expected) in [
        (json_type, "", 400),
        (json_type, "{", 400),
        (json_type, "{\"names\u{0}\":[]}", 400),
        (json_type, deep.as_str(), 422),
        (json_type, deep_inside.as_str(), 422),
        (json_type, large.as_str(), 413),
        ("text/plain", "{}", 415),
        ("application/xml", "<a/>", 415),
        ("", "{}", 415),
    ] {
        for path in ["/api/v1/groups", "/api/v1/ders", "/api/v1/dispatches"] {
            let mut request = Request::post(path).header(header::AUTHORIZATION, server.basic());
            if !content_type.is_empty() {
                request = request.header(header::CONTENT_TYPE, content_type);
            }
            let reply = server
                .send(request.body(Body::from(body.to_owned())).unwrap())
                .await;
            let start: String = body.chars().take(40).collect();
            let status = reply.status.as_u16();
            assert!(
                status == expected,
                "{path} {content_type} {start}: {}",
                reply.text
            );
            assert_eq!(reply.json()["status"], json!(status));
        }
    }
    let deep_names = Request::post("/api/v1/groups")
        .header(header::AUTHORIZATION, server.basic())
        .header(header::CONTENT_TYPE, json_type)
        .body(Body::from(deep_names));
    let refused = server.send(deep_names.unwrap()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        refused.text.contains("recursion limit exceeded"),
        "{}",
        refused.text
    );
    let trailing = Request::post("/api/v1/groups")
        .header(header::AUTHORIZATION, server.basic())
        .header(header::CONTENT_TYPE, json_type)
        .body(Body::from("{\"names\":[\"a\"],\"members\":[]} {}"));
    assert_eq!(
        server.send(trailing.unwrap()).await.status,
        StatusCode::BAD_REQUEST
    );
    let huge = with(dispatch("g", 0.0), "/name", json!("x"))
        .to_string()
        .replace("0.0", "1e999");
    let huge = Request::post("/api/v1/dispatches")
        .header(header::AUTHORIZATION, server.basic())
        .header(header::CONTENT_TYPE, json_type)
        .body(Body::from(huge));
    assert_eq!(
        server.send(huge.unwrap()).await.status,
        StatusCode::BAD_REQUEST
    );
    let not_utf8 = Request::post("/api/v1/groups")
        .header(header::AUTHORIZATION, server.basic())
        .header(header::CONTENT_TYPE, json_type)
        .body(Body::from(Bytes::from_static(b"{\"names\":[\"\xff\"]}")));
    let reply = server.send(not_utf8.unwrap()).await;
    assert!(reply.status.is_client_error(), "{}", reply.text);
}

#[tokio::test]
async fn a_login_body_is_small() {
    let server = Server::start();
    let body = json!({ "user": "admin", "password": "x".repeat(5_000) }).to_string();
    let request = Request::post("/api/v1/session").header(header::CONTENT_TYPE, "application/json");
    let reply = server.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let server = Server::start();
    for (method, path, allow) in [
        ("DELETE", "/api/v1/ders", "GET,HEAD,POST"),
        ("PUT", "/api/v1/groups/x", "GET,HEAD,PATCH,DELETE"),
        ("GET", "/api/v1/dispatches/x/cancel", "POST"),
        ("POST", "/metrics", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
    ] {
        let reply = server.ask(method, path, None).await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(reply.headers[header::ALLOW], allow, "{path}");
        assert_eq!(reply.json()["title"], json!("Method not allowed"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_a_request_timeout() {
    let server = Server::start();
    let endless = tokio_stream::pending::<Result<Bytes, std::io::Error>>();
    let request = Request::post("/api/v1/ders")
        .header(header::AUTHORIZATION, server.basic())
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(endless))
        .unwrap();
    let reply = server.send(request).await;
    assert_eq!(reply.status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(reply.json()["title"], json!("Request timeout"));
}
