use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Server, battery};

async fn enrol(server: &Server, body: Value) -> Value {
    let reply = server.post("/api/v1/ders", body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    reply.json()
}

async fn node(server: &Server, name: &str, level: &str, parent: Option<&Value>) -> Value {
    let body = json!({ "name": name, "level": level, "parent": parent });
    let reply = server.post("/api/v1/assignments", body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    reply.json()
}

fn path(noun: &str, of: &Value) -> String {
    format!("/api/v1/{noun}/{}", of["mrid"].as_str().unwrap())
}

#[tokio::test]
async fn an_aggregator_stands_in_for_its_ders() {
    let server = Server::start();
    let body = json!({ "name": "north", "lfdi": format!("{:040X}", 77), "pin": 123_455,
        "registration": "out_of_band", "may_enrol": true });
    let reply = server.post("/api/v1/aggregators", body.clone()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    let one = reply.json();
    assert_eq!(
        (&one["pin"], &one["registration"], &one["access"]["granted"]),
        (&json!(123_455), &json!("registered"), &json!(true))
    );
    let again = server.post("/api/v1/aggregators", body).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);

    let mut der = battery(0);
    der["aggregator"] = one["id"].clone();
    let der = enrol(&server, der).await;
    assert_eq!(der["aggregator"], one["id"]);
    let listed = server.get("/api/v1/aggregators").await.json();
    assert_eq!(listed["items"][0]["ders_count"], json!(1));
    let nobody = json!({ "name": "x", "kind": "pv", "lfdi": format!("{:040X}", 3),
        "aggregator": 9 });
    let refused = server.post("/api/v1/ders", nobody).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn access_is_granted_revoked_and_moved_to_a_new_certificate() {
    let server = Server::start();
    let der = enrol(&server, battery(0)).await;
    let at = path("ders", &der);
    for granted in [false, true] {
        let reply = server
            .ask(
                "PUT",
                &format!("{at}/access"),
                Some(json!({ "granted": granted })),
            )
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        assert_eq!(reply.json()["granted"], json!(granted));
        assert_eq!(reply.json()["revoked_at"].is_null(), granted);
        assert_eq!(server.get(&at).await.json()["access"], reply.json());
    }
    let key = |n: u32| Some(json!({ "lfdi": format!("{n:040X}") }));
    let rekeyed = server.ask("PUT", &format!("{at}/lfdi"), key(8)).await;
    assert_eq!(rekeyed.status, StatusCode::OK, "{}", rekeyed.text);
    let found = server.get(&format!("/api/v1/ders?filter={:040X}", 8)).await;
    assert_eq!(found.json()["items"][0]["mrid"], der["mrid"]);
    enrol(&server, battery(1)).await;
    let taken = server.ask("PUT", &format!("{at}/lfdi"), key(1)).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.text);
    let garbage = Some(json!({ "lfdi": "ZZ" }));
    let garbage = server.ask("PUT", &format!("{at}/lfdi"), garbage).await;
    assert_eq!(garbage.json()["field"], json!("lfdi"), "{}", garbage.text);
}

#[tokio::test]
async fn a_removed_der_is_gone_and_its_name_is_free() {
    let server = Server::start();
    let der = enrol(&server, battery(0)).await;
    let at = path("ders", &der);
    let removed = server.ask("DELETE", &at, None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT, "{}", removed.text);
    assert_eq!(server.get(&at).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        server.ask("DELETE", &at, None).await.status,
        StatusCode::NOT_FOUND
    );
    let listed = server.get("/api/v1/ders").await.json();
    assert_eq!(
        (&listed["total"], &listed["items"]),
        (&json!(0), &json!([]))
    );
    let counted = &server.get("/api/v1/summary").await.json()["ders"];
    assert_eq!(
        (&counted["total"], &counted["never_heard"]),
        (&json!(0), &json!(0))
    );
    enrol(&server, battery(0)).await;
}

#[tokio::test]
async fn ders_are_placed_in_the_hierarchy() {
    let server = Server::start();
    let system = node(&server, "grid", "system", None).await;
    let feeder = node(&server, "feeder 7", "feeder", Some(&system["mrid"])).await;
    let der = enrol(&server, battery(0)).await;
    let place = |nodes: Value| Some(json!({ "assignments": nodes }));
    let at = format!("{}/assignments", path("ders", &der));
    let placed = server.ask("PUT", &at, place(json!([feeder["mrid"]]))).await;
    assert_eq!(placed.status, StatusCode::OK, "{}", placed.text);
    let shown = server.get(&path("ders", &der)).await.json();
    assert_eq!(shown["assignments"], json!([feeder["mrid"]]));
    let unknown = server
        .ask("PUT", &at, place(json!([feeder["mrid"], "0"])))
        .await;
    assert_eq!(unknown.json()["field"], json!("assignments[1]"));
    let in_use = server
        .ask("DELETE", &path("assignments", &feeder), None)
        .await;
    assert!(in_use.status.is_client_error(), "{}", in_use.text);
    server.ask("PUT", &at, place(json!([]))).await;
    for node in [&feeder, &system] {
        let deleted = server.ask("DELETE", &path("assignments", node), None).await;
        assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.text);
        let gone = server.get(&path("assignments", node)).await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn an_envelope_is_set_replaced_and_withdrawn() {
    let server = Server::start();
    let der = enrol(&server, battery(0)).await;
    let at = format!("{}/envelopes", path("ders", &der));
    let one = format!("{at}/network%20model");
    let points: Vec<Value> = (0..3)
        .map(|n| {
            json!({ "start": format!("2030-01-01T00:0{n}:00Z"), "duration_s": 60,
                "export_max_w": 1_500.0 + f64::from(n) })
        })
        .collect();
    let body = json!({ "points": points, "fallback": { "import_max_w": 5_000.0 } });
    let set = server.ask("PUT", &one, Some(body)).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    let listed = server.get(&at).await.json();
    assert_eq!(listed["items"][0]["source"], json!("network model"));
    assert_eq!(listed["items"][0]["points"], json!(points));
    assert_eq!(
        listed["items"][0]["fallback"],
        json!({ "import_max_w": 5_000.0 })
    );
    let negative = json!({ "points": [{ "start": "2030-01-01T00:00:00Z", "duration_s": 60,
        "import_max_w": -1.0 }] });
    let negative = server.ask("PUT", &one, Some(negative)).await;
    assert_eq!(negative.json()["field"], json!("points[0].import_max_w"));
    let many = json!({ "points": vec![points[0].clone(); fleet::Envelope::MAX_POINTS + 1] });
    let many = server.ask("PUT", &one, Some(many)).await;
    assert_eq!(many.json()["field"], json!("points"), "{}", many.text);
    let cleared = server.ask("DELETE", &one, None).await;
    assert_eq!(cleared.status, StatusCode::NO_CONTENT, "{}", cleared.text);
    assert_eq!(server.get(&at).await.json()["items"], json!([]));
    let gone = server.ask("DELETE", &one, None).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}
