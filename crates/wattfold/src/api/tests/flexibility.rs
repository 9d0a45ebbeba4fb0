use http::StatusCode;
use serde_json::json;
use units::Timestamp;

use super::world::{Server, dispatch};
use crate::api::value::Time;
use crate::clock;

fn in_s(seconds: i64) -> String {
    Time(Timestamp::from_secs(clock::now().secs() + seconds)).to_text()
}

async fn first(server: &Server) -> String {
    let ders = server.get("/api/v1/ders").await.json();
    ders["items"][0]["mrid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_an_owner_allows_is_put_and_shown() {
    let server = Server::start();
    server.with_batteries(1).await;
    let path = format!("/api/v1/ders/{}/flexibility", first(&server).await);
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
    let given = json!({
        "departure": { "at": "2026-03-20T12:00:00Z", "soc_pct": 80.5 },
        "charge_efficiency_pct": 96.0,
        "discharge_efficiency_pct": 95.25,
        "switching": { "min_on_s": 600, "min_off_s": 300 },
        "thermal": { "hold_wh": 1_500.0, "precondition_wh": 0.0, "recovery_s": 3_600 },
    });
    let put = server.ask("PUT", &path, Some(given.clone())).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
    assert_eq!(server.get(&path).await.json(), given);
}

#[tokio::test]
async fn what_an_owner_can_not_mean_is_refused_by_field() {
    let server = Server::start();
    server.with_batteries(1).await;
    let path = format!("/api/v1/ders/{}/flexibility", first(&server).await);
    let bad = [
        (
            json!({ "charge_efficiency_pct": 0.0 }),
            "charge_efficiency_pct",
        ),
        (
            json!({ "discharge_efficiency_pct": 101.0 }),
            "discharge_efficiency_pct",
        ),
        (
            json!({ "departure": { "at": "2026-03-20T12:00:00Z", "soc_pct": -1.0 } }),
            "departure.soc_pct",
        ),
        (
            json!({ "switching": { "min_on_s": 86_401, "min_off_s": 0 } }),
            "switching",
        ),
        (
            json!({ "thermal": { "hold_wh": -1.0, "recovery_s": 1 } }),
            "thermal.hold_wh",
        ),
        (
            json!({ "thermal": { "hold_wh": 1.0, "recovery_s": 0 } }),
            "thermal.recovery_s",
        ),
    ];
    for (body, field) in bad {
        let refused = server.ask("PUT", &path, Some(body)).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            refused.text
        );
        assert_eq!(refused.json()["field"], json!(field));
    }
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_dispatch_that_a_departure_does_not_allow_names_it() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let leaving = first(&server).await;
    let path = format!("/api/v1/ders/{leaving}/flexibility");
    // 5 kWh are missing, which takes an hour at 5 kW.
    let departure = json!({ "departure": { "at": in_s(3_600), "soc_pct": 75.0 } });
    assert_eq!(
        server.ask("PUT", &path, Some(departure)).await.status,
        StatusCode::OK
    );
    let refused = server
        .post("/api/v1/dispatches", dispatch(&group, 4_000.0))
        .await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text
    );
    let conflict = refused.json()["conflict"].clone();
    let named = json!({ "constraint": "departure", "der": leaving });
    assert!(conflict.as_array().unwrap().contains(&named), "{conflict}");
    let kept = server
        .post("/api/v1/dispatches", dispatch(&group, -1_000.0))
        .await;
    assert_eq!(kept.status, StatusCode::CREATED, "{}", kept.text);
}
