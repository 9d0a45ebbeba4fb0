use fleet::Lfdi;
use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Reply, Server, battery};
use crate::clock;
use crate::node::DeviceRequest;

/// The path of the DER called `u0`.
async fn path(server: &Server) -> String {
    let ders = server.get("/api/v1/ders?filter=u0").await.json();
    format!(
        "/api/v1/ders/{}",
        ders["items"][0]["mrid"].as_str().unwrap()
    )
}

async fn put(server: &Server, path: &str, body: Value) -> Reply {
    let path = format!("{path}/default_control");
    server.ask("PUT", &path, Some(body)).await
}

/// The `DefaultDERControl` that the device of `u0` is served.
fn served(server: &Server) -> String {
    let request = DeviceRequest {
        method: "GET".to_owned(),
        path: "/derp/0/dderc".to_owned(),
        query: None,
        accept: None,
        content_type: None,
        if_none_match: None,
        range: None,
        body: bytes::Bytes::new(),
        lfdi: Lfdi([0; 20]),
        random: 0,
    };
    let response = server
        .node
        .device_at_once(&request, clock::now())
        .unwrap()
        .unwrap();
    assert_eq!(response.status, 200);
    String::from_utf8(response.body.into()).unwrap()
}

#[tokio::test]
async fn a_default_is_set_on_the_grid_of_the_device_and_served_to_it() {
    let server = Server::start();
    server.with_batteries(1).await;
    let path = path(&server).await;
    assert_eq!(server.get(&path).await.json()["default_p_w"], Value::Null);
    assert!(!served(&server).contains("opModFixedW"));
    for (asked, held, wire) in [
        (1_234.7, 1_234.5, "<opModFixedW>2469</opModFixedW>"),
        (-1_234.7, -1_234.5, "<opModFixedW>-2469</opModFixedW>"),
        (5_000.0, 5_000.0, "<opModFixedW>10000</opModFixedW>"),
        (0.3, 0.0, "<opModFixedW>0</opModFixedW>"),
    ] {
        let reply = put(&server, &path, json!({ "p_w": asked })).await;
        assert_eq!(
            (reply.status, reply.json()),
            (StatusCode::OK, json!({ "p_w": held }))
        );
        assert_eq!(server.get(&path).await.json()["default_p_w"], json!(held));
        assert!(served(&server).contains(wire), "{}", served(&server));
    }
    let reply = put(&server, &path, json!({ "p_w": null })).await;
    assert_eq!(
        (reply.status, reply.json()),
        (StatusCode::OK, json!({ "p_w": null }))
    );
    assert_eq!(server.get(&path).await.json()["default_p_w"], Value::Null);
    assert!(!served(&server).contains("opModFixedW"));
}

#[tokio::test]
async fn of_two_changes_of_a_default_at_one_time_neither_is_lost() {
    let server = Server::start();
    server.with_batteries(1).await;
    let path = path(&server).await;
    let der = server.get(&path).await.json();
    let program = der["program"].as_str().unwrap();
    let program = format!("/api/v1/programs/{program}/default_control");
    let connect = json!({ "base": { "connect": false } });
    let (connected, p_w) = tokio::join!(
        server.ask("PUT", &program, Some(connect)),
        put(&server, &path, json!({ "p_w": 100.0 }))
    );
    assert_eq!(connected.status, StatusCode::OK, "{}", connected.text);
    assert_eq!(p_w.status, StatusCode::OK, "{}", p_w.text);
    let served = served(&server);
    assert!(
        served.contains("<opModConnect>false</opModConnect>"),
        "{served}"
    );
    assert!(
        served.contains("<opModFixedW>200</opModFixedW>"),
        "{served}"
    );
}

#[tokio::test]
async fn a_default_that_the_device_cannot_hold_is_refused_and_changes_nothing() {
    let server = Server::start();
    server.with_batteries(1).await;
    let path = path(&server).await;
    put(&server, &path, json!({ "p_w": 100.0 })).await;
    for body in [
        json!({ "p_w": 5_000.001 }),
        json!({ "p_w": -5_000.001 }),
        json!({ "p_w": 1e300 }),
        json!({ "p_w": "1" }),
        json!({ "p_w": 1.0, "q_var": 1.0 }),
        json!({}),
    ] {
        let reply = put(&server, &path, body.clone()).await;
        assert_eq!(
            reply.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{body}: {}",
            reply.text
        );
    }
    assert_eq!(server.get(&path).await.json()["default_p_w"], json!(100.0));
}

#[tokio::test]
async fn a_default_needs_a_der_that_has_reported_how_it_can_be_asked() {
    let server = Server::start();
    let nobody = put(&server, "/api/v1/ders/x", json!({ "p_w": 1.0 })).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    server.post("/api/v1/ders", battery(0)).await;
    let path = path(&server).await;
    let mute = put(&server, &path, json!({ "p_w": 1.0 })).await;
    assert_eq!(mute.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(mute.json()["field"], json!("p_w"));
    let cleared = put(&server, &path, json!({ "p_w": null })).await;
    assert_eq!(cleared.status, StatusCode::OK);
}
