use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::json;

use super::world::{Reply, Server};

async fn log_in(server: &Server, password: &str) -> Reply {
    let body = json!({ "user": "admin", "password": password }).to_string();
    let request = Request::post("/api/v1/session").header(header::CONTENT_TYPE, "application/json");
    server.send(request.body(Body::from(body)).unwrap()).await
}

fn cookie(reply: &Reply) -> String {
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn nothing_is_shown_to_strangers_but_health() {
    let server = Server::start();
    for path in ["/healthz", "/readyz"] {
        let reply = server
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
    }
    for path in [
        "/metrics",
        "/api/v1/summary",
        "/api/v1/ders",
        "/api/v1/groups/x",
        "/api/v1/dispatches",
        "/api/v1/dispatches/x/series",
        "/api/v1/telemetry",
        "/api/v1/stream",
        "/api/v1/session",
        "/api/v1/openapi.json",
        "/api/v1/no/such/thing",
    ] {
        let reply = server
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(
            reply.headers[header::WWW_AUTHENTICATE]
                .to_str()
                .unwrap()
                .starts_with("Basic")
        );
        let script = Request::get(path).header("sec-fetch-dest", "empty");
        let reply = server.send(script.body(Body::empty()).unwrap()).await;
        assert!(
            reply.headers[header::WWW_AUTHENTICATE]
                .to_str()
                .unwrap()
                .starts_with("Session")
        );
    }
}

#[tokio::test]
async fn a_session_is_a_cookie_no_script_can_read() {
    let server = Server::start();
    assert_eq!(
        log_in(&server, "wrong").await.status,
        StatusCode::UNAUTHORIZED
    );
    let reply = log_in(&server, &server.password).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    let set = reply.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(
        set.contains("; HttpOnly; SameSite=Strict") && !set.contains("Secure"),
        "{set}"
    );
    let cookie = cookie(&reply);
    let with = |method: &str, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, &cookie)
    };
    let shown = server
        .send(with("GET", "/api/v1/session").body(Body::empty()).unwrap())
        .await;
    assert_eq!(shown.json(), json!({ "user": "admin" }));
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    let foreign = with("DELETE", "/api/v1/session").header(header::ORIGIN, "https://evil.example");
    let refused = server.send(foreign.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let own = with("DELETE", "/api/v1/session")
        .header(header::HOST, "wattfold:8080")
        .header(header::ORIGIN, "http://wattfold:8080");
    let ended = server.send(own.body(Body::empty()).unwrap()).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert!(
        ended.headers[header::SET_COOKIE]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    let shown = server
        .send(with("GET", "/api/v1/session").body(Body::empty()).unwrap())
        .await;
    assert_eq!(shown.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_password_is_changed_and_kept() {
    let mut server = Server::start();
    let path = "/api/v1/session/password";
    let change = |current: &str, new: &str| json!({ "current": current, "new": new });
    let wrong = server
        .post(path, change("wrong", "a long new password"))
        .await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.json()["field"]),
        (422, &json!("current"))
    );
    let short = server.post(path, change(&server.password, "short")).await;
    assert_eq!(
        (short.status.as_u16(), &short.json()["field"]),
        (422, &json!("new"))
    );
    let changed = server
        .post(path, change(&server.password, "a long new password"))
        .await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.text);
    assert_eq!(
        server.get("/api/v1/session").await.status,
        StatusCode::UNAUTHORIZED
    );
    "a long new password".clone_into(&mut server.password);
    assert_eq!(server.get("/api/v1/session").await.status, StatusCode::OK);
    let stored = server.node.accounts().await.unwrap();
    assert!(stored[0].password_hash.starts_with("$argon2id$"));
}

#[tokio::test]
async fn guessing_is_answered_with_how_long_to_wait() {
    let server = Server::start();
    for _ in 0..crate::auth::MAX_FAILURES {
        assert_eq!(
            log_in(&server, "guess").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let reply = log_in(&server, &server.password).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(reply.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn metrics_are_counted() {
    let server = Server::start();
    server.with_batteries(1).await;
    let text = server.get("/metrics").await.text;
    for line in [
        "wattfold_ders_reachable 1",
        "wattfold_journal_version 4",
        "wattfold_commands_total{outcome=\"accepted\"} 3",
        "wattfold_responses_total{listener=\"api\",status=\"201\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
