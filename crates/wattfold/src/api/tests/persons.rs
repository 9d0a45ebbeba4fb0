//! Personal data: who may see them, versions, erasure, and files.

use std::fmt::Write as _;

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::world::{Reply, Server};
use crate::api::person::MAX_PERSON_BYTES;

const PATH: &str = "/api/v1/owners/owner-1/person";
const HEADER: &str = "mrid,name,kind,lfdi,owner,site,service_point,owner_name,owner_email,\
                      owner_phone,owner_address\n";

fn ada() -> Value {
    json!({ "name": "Ada Lovelace", "email": "ada@example.org", "phone": "+44 20 7946 0000",
            "postal_address": "12 St James's Square\nLondon", "note": "calls back" })
}

fn row(n: u32, owner: u32, person: &str) -> String {
    format!("plant-{n},Plant {n},pv,{n:040X},owner-{owner},site-{owner},point-{owner},{person}\n")
}

impl Server {
    async fn with_owner(&self, name: &str) {
        let path = format!("/api/v1/owners/{name}");
        let body = json!({ "consents": { "dispatch": true } });
        let reply = self.ask("PUT", &path, Some(body)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    }

    async fn put_if(&self, condition: (&str, &str), body: &Value) -> Reply {
        let request = Request::builder()
            .method("PUT")
            .uri(PATH)
            .header(header::AUTHORIZATION, self.basic())
            .header(header::CONTENT_TYPE, "application/json")
            .header(condition.0, condition.1)
            .body(Body::from(body.to_string()));
        self.send(request.unwrap()).await
    }

    async fn by_somebody(&self, method: &str, path: &str, body: &str) -> Reply {
        let credentials = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            "operator:correct horse battery",
        );
        let media = match path.contains("imports") {
            true => "text/csv",
            false => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Basic {credentials}"))
            .header(header::CONTENT_TYPE, media)
            .body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    async fn with_operator(&self) {
        let body = json!({ "name": "operator", "password": "correct horse battery" });
        let reply = self.ask("POST", "/api/v1/accounts", Some(body)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    }
}

fn of(reply: &Reply) -> (u16, String) {
    let title = match reply.text.is_empty() {
        true => String::new(),
        false => reply.json()["title"].as_str().unwrap_or("").to_owned(),
    };
    (reply.status.as_u16(), title)
}

fn says(status: u16, title: &str) -> (u16, String) {
    (status, title.to_owned())
}

#[tokio::test]
async fn a_person_is_put_shown_and_put_again() {
    let server = Server::start();
    assert_eq!(of(&server.get(PATH).await), says(404, "Not found"));
    let reply = server.ask("PUT", PATH, Some(ada())).await;
    assert_eq!(of(&reply), says(404, "Not found"));
    server.with_owner("owner-1").await;
    assert_eq!(of(&server.get(PATH).await), says(404, "Not found"));

    let reply = server.ask("PUT", PATH, Some(ada())).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert_eq!(
        (&reply.headers["etag"], reply.json()),
        (&"\"1\"".parse().unwrap(), ada())
    );
    let shown = server.get(PATH).await;
    assert_eq!(
        (&shown.headers["etag"], shown.json()),
        (&"\"1\"".parse().unwrap(), ada())
    );
    assert_eq!(shown.headers["cache-control"], "no-store");

    let bea = json!({ "name": "Bea" });
    let stale = server.put_if(("if-match", "\"2\""), &bea).await;
    assert_eq!(of(&stale), says(412, "Precondition failed"));
    let stale = server.put_if(("if-none-match", "*"), &bea).await;
    assert_eq!(of(&stale), says(412, "Precondition failed"));
    for broken in [
        ("if-match", "2"),
        ("if-match", "\"x\""),
        ("if-none-match", "\"1\""),
    ] {
        let reply = server.put_if(broken, &bea).await;
        assert_eq!(of(&reply), says(400, "Malformed request"), "{broken:?}");
    }
    let put = server.put_if(("if-match", "\"1\""), &bea).await;
    assert_eq!(put.headers["etag"], "\"2\"");
    assert_eq!(server.get(PATH).await.json(), bea);
}

#[tokio::test]
async fn what_is_refused_is_not_told() {
    let server = Server::start();
    server.with_owner("owner-1").await;
    let long = "7946".repeat(9);
    let cases = [
        (
            json!({ "phone": long }),
            "phone",
            "has more than 32 characters",
        ),
        (json!({ "phone": 79460 }), "phone", "is not a text"),
        (json!({ "name": ["79460"] }), "name", "is not a text"),
        (
            json!({ "email": "79460\u{7}" }),
            "email",
            "has control characters",
        ),
        (json!({ "email": "" }), "email", "is empty; leave it out"),
    ];
    for (body, field, rule) in cases {
        let reply = server.ask("PUT", PATH, Some(body)).await;
        let problem = reply.json();
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(
            (&problem["field"], &problem["rule"]),
            (&json!(field), &json!(rule))
        );
        assert!(!reply.text.contains("7946"), "{}", reply.text);
    }
    let large = json!({ "note": "x".repeat(MAX_PERSON_BYTES) });
    let reply = server.ask("PUT", PATH, Some(large)).await;
    assert_eq!(of(&reply), says(413, "Too large"));
    assert_eq!(of(&server.get(PATH).await), says(404, "Not found"));
}

#[tokio::test]
async fn other_accounts_see_nothing_of_persons() {
    let server = Server::start();
    server.with_operator().await;
    server.with_owner("owner-1").await;
    server.ask("PUT", PATH, Some(ada())).await;
    let forbidden = says(403, "Forbidden");
    let file = HEADER.to_owned() + &row(1, 1, "Eve,,,");
    let cases = [
        ("GET", PATH, String::new()),
        ("PUT", PATH, json!({ "name": "Eve" }).to_string()),
        ("DELETE", PATH, String::new()),
        ("POST", "/api/v1/imports", file.clone()),
        ("POST", "/api/v1/imports?dry_run=true", file),
        (
            "GET",
            "/api/v1/exports/ders?personal=include",
            String::new(),
        ),
    ];
    for (method, path, body) in cases {
        let reply = server.by_somebody(method, path, &body).await;
        assert_eq!(of(&reply), forbidden, "{method} {path}");
    }
    let reply = server.by_somebody("GET", "/api/v1/exports/ders", "").await;
    assert_eq!(reply.status, StatusCode::OK);
    let without = HEADER.to_owned() + &row(1, 1, ",,,");
    let reply = server
        .by_somebody("POST", "/api/v1/imports", &without)
        .await;
    assert_eq!(reply.status, StatusCode::ACCEPTED, "{}", reply.text);
    assert_eq!(server.get(PATH).await.json(), ada());
}

#[tokio::test]
async fn an_erased_person_is_gone_and_its_record_stays() {
    let server = Server::start();
    server.with_owner("owner-1").await;
    server.ask("PUT", PATH, Some(ada())).await;
    let missing = server
        .ask("DELETE", "/api/v1/owners/nobody/person", None)
        .await;
    assert_eq!(of(&missing), says(404, "Not found"));
    for _ in 0..2 {
        let reply = server.ask("DELETE", PATH, None).await;
        assert_eq!(
            (reply.status, reply.text.as_str()),
            (StatusCode::NO_CONTENT, "")
        );
    }
    let gone = says(410, "Erased");
    assert_eq!(of(&server.get(PATH).await), gone);
    assert_eq!(of(&server.ask("PUT", PATH, Some(ada())).await), gone);
    let owner = server.get("/api/v1/owners/owner-1").await.json();
    assert!(owner["erased_at"].is_string(), "{owner}");
    assert_eq!(owner["consents"]["dispatch"]["given"], false);
    let again = json!({ "consents": { "research": true } });
    let reply = server
        .ask("PUT", "/api/v1/owners/owner-1", Some(again))
        .await;
    assert_eq!(of(&reply), says(409, "Conflict"));
}

#[tokio::test]
async fn a_contract_in_force_is_named_and_keeps_the_person() {
    let server = Server::start();
    server.with_owner("owner-1").await;
    server.ask("PUT", PATH, Some(ada())).await;
    let program = json!({ "name": "Saver", "terms": [{ "from": "2026-01-01T00:00:00Z" }] });
    let path = "/api/v1/demand_response_programs/saver";
    let reply = server.ask("PUT", path, Some(program)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let put = |until: Value| {
        let contract = json!({ "owner": "owner-1", "program": "saver", "ders": [],
                               "from": "2026-01-01T00:00:00Z", "until": until });
        server.ask("PUT", "/api/v1/contracts/contract-7", Some(contract))
    };
    let reply = put(Value::Null).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let refused = server.ask("DELETE", PATH, None).await;
    assert_eq!(of(&refused), says(409, "Conflict"));
    assert!(refused.text.contains("contract-7"), "{}", refused.text);
    assert_eq!(server.get(PATH).await.json(), ada());
    let reply = put(json!("2026-01-02T00:00:00Z")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert_eq!(
        server.ask("DELETE", PATH, None).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn a_file_brings_persons_and_takes_them_out_when_asked() {
    let server = Server::start();
    let mut file = HEADER.to_owned();
    file.push_str(&row(1, 1, "Ada,ada@example.org,,"));
    file.push_str(&row(
        2,
        1,
        ",,+44 20 7946 0000,\"12 St James's Square\nLondon\"",
    ));
    file.push_str(&row(3, 2, ",,,"));
    file.push_str(&row(4, 3, &format!("Bea,,{},", "7".repeat(33))));
    writeln!(file, "plant-5,Plant 5,pv,{:040X},,,,Eve,,,", 5).unwrap();
    let rehearsed = server
        .imported("text/csv", "?dry_run=true", file.clone())
        .await;
    let import = server.imported("text/csv", "", file.clone()).await;
    for import in [&rehearsed, &import] {
        let rules: Vec<(u64, &str, &str)> = import["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                let text = |field: &str| error[field].as_str().unwrap();
                (error["row"].as_u64().unwrap(), text("field"), text("rule"))
            })
            .collect();
        let expected = [
            (4, "owner_phone", "has more than 32 characters"),
            (5, "owner", "is missing"),
        ];
        assert_eq!(rules, expected);
    }
    let expected = json!({ "name": "Ada", "email": "ada@example.org",
        "phone": "+44 20 7946 0000", "postal_address": "12 St James's Square\nLondon" });
    assert_eq!(server.get(PATH).await.json(), expected);
    let other = server.get("/api/v1/owners/owner-2/person").await;
    assert_eq!(of(&other), says(404, "Not found"));
    let again = server.imported("text/csv", "", file).await;
    assert_eq!(again["unchanged"], 3, "{again}");
    assert_eq!(server.get(PATH).await.headers["etag"], "\"1\"");

    for format in ["csv", "json"] {
        let path = format!("/api/v1/exports/ders?format={format}");
        let plain = server.get(&path).await.text;
        assert!(!plain.contains("Ada") && !plain.contains("7946"), "{plain}");
        let whole = server.get(&(path + "&personal=include")).await.text;
        assert!(whole.contains("Ada") && whole.contains("7946"), "{whole}");
        let media = match format {
            "csv" => "text/csv",
            _ => "application/json",
        };
        let back = server.imported(media, "", whole).await;
        assert_eq!(
            (&back["unchanged"], &back["refused"]),
            (&json!(3), &json!(0)),
            "{back}"
        );
    }

    server.ask("DELETE", PATH, None).await;
    let back = HEADER.to_owned() + &row(1, 1, "Ada,,,") + &row(3, 2, "Cleo,,,");
    let back = server.imported("text/csv", "", back).await;
    assert_eq!(
        (&back["refused"], &back["errors"][0]["row"]),
        (&json!(1), &json!(1)),
        "{back}"
    );
    assert_eq!(of(&server.get(PATH).await), says(410, "Erased"));
    let other = server.get("/api/v1/owners/owner-2/person").await;
    assert_eq!(other.json(), json!({ "name": "Cleo" }));
}
