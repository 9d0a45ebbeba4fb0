//! Bulk enrolment and what it enrols with.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::world::{Reply, Server};
use crate::api::import::MAX_IMPORT_ROWS;

const HEADER: &str = "mrid,name,kind,lfdi,registration,owner,consents,site,service_point,\
                      service_point_export_max_w,permission_from,export_max_w,contract,program,\
                      contract_from\n";

fn row(n: u32) -> String {
    format!(
        "plant-{n},Plant {n},storage,{n:040X},out_of_band,owner-{},dispatch telemetry,site-{n},\
         point-{n},6000,2026-01-01T00:00:00Z,5000,contract-{n},saver,2026-01-01T00:00:00Z\n",
        n / 2
    )
}

impl Server {
    async fn import(&self, media: &str, query: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder()
            .method("POST")
            .uri(format!("/api/v1/imports{query}"))
            .header(header::AUTHORIZATION, self.basic())
            .header(header::CONTENT_TYPE, media)
            .body(body.into());
        self.send(request.unwrap()).await
    }

    /// Takes a file in; how it ended.
    pub(super) async fn imported(&self, media: &str, query: &str, body: impl Into<Body>) -> Value {
        let begun = self.import(media, query, body).await;
        assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
        let path = format!("/api/v1/imports/{}", begun.json()["id"]);
        for _ in 0..600 {
            let import = self.get(&path).await.json();
            if import["state"] != "running" {
                return import;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the import does not end");
    }

    async fn with_program(&self) {
        let body = json!({ "name": "Saver", "terms": [{
            "from": "2026-01-01T00:00:00Z", "notice_s": 60, "max_duration_s": 7200,
            "price_per_kwh": 0.25, "kinds": ["storage"], "opt_out": { "per_year": 3 },
        }] });
        let reply = self.ask("PUT", "/api/v1/demand_response_programs/saver", Some(body));
        let reply = reply.await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    }
}

fn counts(import: &Value) -> [u64; 5] {
    ["done", "enrolled", "changed", "unchanged", "refused"]
        .map(|field| import[field].as_u64().unwrap())
}

#[tokio::test]
async fn a_file_is_taken_in_a_row_at_a_time_and_can_be_given_again() {
    let server = Server::start();
    server.with_program().await;
    let mut file = HEADER.to_owned();
    (1..=6).for_each(|n| file.push_str(&row(n)));
    file.push_str("plant-7,Plant 7,windmill,0000000000000000000000000000000000000007,,,,,,,,,,,\n");
    file.push_str("plant-8,Plant 1,storage,0000000000000000000000000000000000000008,,,,,,,,,,,\n");
    file.push_str("plant-9,Plant 9,pv,9,,,,,,,,,,,\n");
    file.push_str(
        "plant-10,Plant 10,pv,000000000000000000000000000000000000000A,,owner-9,,,,,,,,,\n",
    );

    let rehearsed = server
        .imported("text/csv", "?dry_run=true", file.clone())
        .await;
    assert_eq!(counts(&rehearsed), [10, 6, 0, 0, 4], "{rehearsed}");
    assert_eq!(server.get("/api/v1/ders").await.json()["total"], 0);

    let import = server.imported("text/csv", "", file.clone()).await;
    assert_eq!(counts(&import), [10, 6, 0, 0, 4], "{import}");
    assert_eq!(import["errors"], rehearsed["errors"]);
    let errors: Vec<(u64, &str, &str)> = import["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let text = |field: &str| e[field].as_str().unwrap();
            (e["row"].as_u64().unwrap(), text("field"), text("rule"))
        })
        .collect();
    assert_eq!(errors[1], (8, "name", "is in use"));
    assert_eq!((errors[0].0, errors[0].1), (7, "kind"));
    assert!(errors[0].2.contains("windmill"), "{}", errors[0].2);
    assert_eq!(errors[2], (9, "lfdi", "LFDI must be 40 hexadecimal digits"));
    assert_eq!(
        errors[3],
        (10, "site", "is missing: owner, site, service_point")
    );

    let again = server
        .imported("text/csv", "", file.replace(",6000,", ",7000,"))
        .await;
    assert_eq!(counts(&again), [10, 0, 6, 0, 4], "{again}");
    let point = server.get("/api/v1/service_points/point-3").await.json();
    assert_eq!(
        (&point["export_max_w"], &point["ders"]),
        (&json!(7000.0), &json!(["plant-3"]))
    );
    let owner = server.get("/api/v1/owners/owner-1").await.json();
    assert_eq!(owner["consents"]["dispatch"]["given"], true);
    assert_eq!(owner["consents"].get("research"), None);
}

#[tokio::test]
async fn what_is_exported_is_what_is_there() {
    let server = Server::start();
    server.with_program().await;
    let mut file = HEADER.to_owned();
    (1..=4).for_each(|n| file.push_str(&row(n)));
    server.imported("text/csv", "", file).await;
    for (format, media) in [("csv", "text/csv"), ("json", "application/json")] {
        let export = server
            .get(&format!("/api/v1/exports/ders?format={format}"))
            .await;
        let import = server.imported(media, "", export.text.clone()).await;
        assert_eq!(counts(&import), [4, 0, 0, 4, 0], "{format}: {import}");
    }
    let rows = server.get("/api/v1/exports/ders?format=json").await.json();
    assert_eq!(
        (
            &rows[0]["contract"],
            &rows[0]["consents"],
            &rows[0]["export_max_w"]
        ),
        (
            &json!("contract-1"),
            &json!("dispatch telemetry"),
            &json!(5000.0)
        )
    );
}

#[tokio::test]
async fn consent_that_was_withdrawn_is_not_given_by_a_file() {
    let server = Server::start();
    server.with_program().await;
    let file = format!("{HEADER}{}", row(2));
    server.imported("text/csv", "", file.clone()).await;
    let body = json!({ "consents": { "dispatch": false } });
    let owner = server
        .ask("PUT", "/api/v1/owners/owner-1", Some(body))
        .await
        .json();
    assert_eq!(owner["consents"]["dispatch"]["given"], false);
    let again = server.imported("text/csv", "", file).await;
    assert_eq!(counts(&again), [1, 0, 0, 1, 0]);
}

#[tokio::test]
async fn of_a_row_no_more_is_kept_than_its_cells() {
    let server = Server::start();
    let nested = json!([{ "mrid": "der-1", "name": [[1, 2], { "a": 3 }], "lfdi": "" }]);
    let wide: Vec<String> = (0..40).map(|n| format!("\"c{n}\": 1")).collect();
    let wide = format!("[{{{}}}]", wide.join(","));
    for (file, told) in [
        (nested.to_string(), "is neither text nor a number"),
        (wide, "has more than 33 columns"),
        ("[{\"mrid\": true}]".to_owned(), "invalid type: boolean"),
    ] {
        let import = server.imported("application/json", "", file).await;
        assert_eq!(counts(&import)[4], 1, "{import}");
        assert!(import["errors"].to_string().contains(told), "{import}");
    }
    let reply = server.import("application/json", "", "[{}, 7]").await;
    assert_eq!(reply.status.as_u16(), 422, "{}", reply.text);
    assert!(reply.text.contains("a row"), "{}", reply.text);
}

#[tokio::test]
async fn a_file_that_can_not_be_read_is_refused_as_a_whole() {
    let server = Server::start();
    for (media, body, status, word) in [
        ("text/csv", "mrid,colour\n", 422, "colour"),
        ("application/json", "{}", 422, "body"),
        ("application/json", "[", 400, "JSON"),
        ("text/plain", "", 415, "application/json"),
    ] {
        let reply = server.import(media, "", body).await;
        assert_eq!(reply.status.as_u16(), status, "{}", reply.text);
        assert!(reply.text.contains(word), "{}", reply.text);
    }
    let mut long = "mrid,name,lfdi\n".to_owned();
    for n in 0..=MAX_IMPORT_ROWS {
        writeln!(long, "{n},,").unwrap();
    }
    let reply = server.import("text/csv", "", long).await;
    assert_eq!(
        reply.status,
        StatusCode::PAYLOAD_TOO_LARGE,
        "{}",
        reply.text
    );
    let long = format!("[{}{{}}]", "{},".repeat(MAX_IMPORT_ROWS));
    let reply = server.import("application/json", "", long).await;
    assert_eq!(
        reply.status,
        StatusCode::PAYLOAD_TOO_LARGE,
        "{}",
        reply.text
    );
    let empty = server.imported("text/csv", "", "mrid,name,lfdi\n").await;
    assert_eq!(counts(&empty), [0; 5], "one after the other may run");
    assert_eq!(
        server.get("/api/v1/imports/77").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_module_moves_and_the_history_tells() {
    let server = Server::start();
    server.with_batteries(2).await;
    let ders = server.get("/api/v1/ders").await.json();
    let path = |n: usize| {
        let mrid = ders["items"][n]["mrid"].as_str().unwrap();
        format!("/api/v1/ders/{mrid}")
    };
    let body = json!({ "from": ders["items"][0]["mrid"] });
    let moved = server
        .post(&format!("{}/module", path(1)), body.clone())
        .await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.text);
    let moved = moved.json();
    assert_eq!(moved["lfdi"], format!("{:040X}", 0));
    assert_eq!(moved["items"][0]["reason"], "module_moved_here");
    let left = server.get(&format!("{}/bindings", path(0))).await.json();
    assert_eq!(
        (&left["lfdi"], &left["items"][0]["lfdi"]),
        (&Value::Null, &Value::Null)
    );
    let again = server.post(&format!("{}/module", path(1)), body).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    let body = json!({ "lfdi": format!("{:040X}", 99), "replaced": "device" });
    let replaced = server
        .post(&format!("{}/bindings", path(1)), body)
        .await
        .json();
    assert_eq!(replaced["items"][1]["reason"], "device_replaced");
    assert_eq!(replaced["lfdi"], format!("{:040X}", 99));
}

#[tokio::test]
async fn a_der_without_permission_is_left_out_of_a_dispatch() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let ders = server.get("/api/v1/ders").await.json();
    let mrid = ders["items"][0]["mrid"].as_str().unwrap();
    let path = format!("/api/v1/ders/{mrid}/interconnection");
    let put = server.ask("PUT", &path, Some(json!({}))).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
    let short = server
        .post(
            "/api/v1/dispatches",
            super::world::dispatch(&group, 6_000.0),
        )
        .await;
    assert_eq!(short.json()["reachable_w"], 5_000.0, "{}", short.text);
    let body = json!({ "permission_from": "2026-01-01T00:00:00Z", "export_max_w": 1_000.0 });
    server.ask("PUT", &path, Some(body)).await;
    let short = server
        .post(
            "/api/v1/dispatches",
            super::world::dispatch(&group, 7_000.0),
        )
        .await;
    assert_eq!(short.json()["reachable_w"], 6_000.0, "{}", short.text);
}

#[tokio::test]
async fn what_a_file_does_not_say_stays_as_it_is() {
    let server = Server::start();
    server.with_program().await;
    let whole = r#"[{ "mrid": "plant-1", "name": "Plant 1", "kind": "storage",
        "lfdi": "0000000000000000000000000000000000000001", "owner": "ann", "site": "home",
        "service_point": "point", "permission_from": "2026-01-01T00:00:00Z", "export_max_w": 5000,
        "may_discharge": false, "firmness": "flexible", "contract": "c", "program": "saver",
        "contract_from": "2026-01-01T00:00:00Z", "contract_until": "2027-01-01T00:00:00Z" }]"#;
    let import = server.imported("application/json", "", whole).await;
    assert_eq!(counts(&import), [1, 1, 0, 0, 0], "{import}");
    let record = "/api/v1/ders/plant-1/interconnection";
    let before = server.get(record).await.json();
    let contract = "/api/v1/contracts";
    let until = server.get(contract).await.json()["items"][0]["until"].clone();
    assert_eq!(
        (&before["may_discharge"], &before["firmness"]),
        (&json!(false), &json!("flexible"))
    );
    let part = "mrid,name,kind,lfdi,import_max_w,contract,program,contract_from\n\
        plant-1,Plant 1,storage,0000000000000000000000000000000000000001,4000,c,saver,2026-01-01T00:00:00Z\n";
    let import = server.imported("text/csv", "", part).await;
    assert_eq!(counts(&import), [1, 0, 1, 0, 0], "{import}");
    let mut after = server.get(record).await.json();
    assert_eq!(after["import_max_w"].take(), json!(4_000.0));
    after.as_object_mut().unwrap().remove("import_max_w");
    assert_eq!(after, before);
    assert_eq!(
        server.get(contract).await.json()["items"][0]["until"],
        until
    );
    assert!(until.is_string(), "{until}");
}
