use std::time::Duration;

use fleet::{ControlId, DerId};
use http::StatusCode;
use ieee2030_5::translate::metering::Quantity;
use serde_json::{Value, json};

use super::world::{Server, dispatch};

async fn dispatched(server: &Server, p_w: f64) -> String {
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let created = server
        .post("/api/v1/dispatches", dispatch(&group, p_w))
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    created.json()["mrid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_dispatch_is_planned_and_shared() {
    let server = Server::start();
    let mrid = dispatched(&server, 4_000.0).await;
    let row = server
        .get(&format!("/api/v1/dispatches/{mrid}"))
        .await
        .json();
    assert_eq!(
        (&row["phase"], &row["target_w"]),
        (&json!("running"), &json!(4_000.0))
    );
    assert_eq!(
        (&row["generation"], &row["residue_w"]),
        (&json!(1), &json!([0.0]))
    );
    assert_eq!(
        (&row["counts"], &row["promised_w"]),
        (&json!({ "planned": 2 }), &json!(0.0))
    );
    assert_eq!(row["verdicts"], json!({ "pending": 2 }));
    let path = format!("/api/v1/dispatches/{mrid}/deliveries");
    let page = server.get(&path).await.json();
    let asked: f64 = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["controls"][0]["p_w"].as_f64())
        .sum();
    assert!((asked - 4_000.0).abs() < 1e-6, "{asked}");
    assert_eq!(page["items"][0]["standing"], json!("controllable"));
    let der = server.get("/api/v1/ders").await.json();
    assert_eq!(der["items"][0]["name"], json!("u0"));
}

#[tokio::test]
async fn who_may_be_told_too_late_and_who_was_is_shown() {
    let server = Server::start();
    let mrid = dispatched(&server, 4_000.0).await;
    let path = format!("/api/v1/dispatches/{mrid}");
    let row = server.get(&path).await.json();
    assert_eq!(row["late_members"], json!(2));
    assert_eq!(row["late"][0]["name"], json!("u0"));
    let lacks = row["late"][0]["by_s"].as_f64().unwrap();
    assert!((599.0..=600.0).contains(&lacks), "{lacks}");
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("wattfold_late_members 2"), "{metrics}");
    let start = server
        .node
        .read(|published| published.fleet.controls()[0].interval.start);
    let control = |n| vec![(ControlId(n), DerId(n))];
    let late = start.after(Duration::from_secs(30));
    server.node.fetched(control(0), late).await.unwrap();
    server.node.fetched(control(1), start).await.unwrap();
    let page = server.get(&format!("{path}/deliveries")).await.json();
    let told = |n: usize| {
        let row = &page["items"][n];
        (
            row["told_late"].clone(),
            row["controls"][0]["told_late_s"].clone(),
        )
    };
    assert_eq!(told(0), (json!(true), json!(30.0)));
    assert_eq!(told(1), (json!(false), Value::Null));
    assert_eq!(page["items"][1]["late_by_s"], row["late"][1]["by_s"]);
    assert_eq!(server.get(&path).await.json()["told_late"], json!(1));
}

#[tokio::test]
async fn measured_power_is_added_up_over_time() {
    let server = Server::start();
    let mrid = dispatched(&server, 4_000.0).await;
    server.measured(DerId(0), Quantity::ActivePower, 1_900.0);
    server.measured(DerId(1), Quantity::ActivePower, 2_000.0);
    let row = server
        .get(&format!("/api/v1/dispatches/{mrid}"))
        .await
        .json();
    assert_eq!(row["measured_w"]["value"], json!(3_900.0));
    let path = format!("/api/v1/dispatches/{mrid}/series");
    let written = async || {
        for _ in 0..100 {
            let series = server.get(&path).await.json();
            let last = series["points"].as_array().unwrap().last().unwrap().clone();
            if last["measured_w"] == json!(3_900.0) {
                return series;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Value::Null
    };
    let series = written().await;
    assert_eq!(series["tolerance_pct"], json!(5.0));
    assert_eq!(series["intervals"][0]["p_w"], json!(4_000.0));
    assert!(series["points"].as_array().unwrap().len() <= 601);
}

#[tokio::test]
async fn what_the_members_cant_reach_is_refused_with_how_much_is_missing() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let refused = server
        .post("/api/v1/dispatches", dispatch(&group, 12_000.0))
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let problem = refused.json();
    assert_eq!(problem["title"], json!("Short of power"));
    assert_eq!(
        (&problem["interval"], &problem["asked_w"]),
        (&json!(1), &json!(12_000.0))
    );
    assert_eq!(problem["short_w"], json!(2_000.0));
    assert_eq!(
        server.get("/api/v1/dispatches").await.json()["total"],
        json!(0)
    );
}

#[tokio::test]
async fn a_dispatch_is_called_off_once() {
    let server = Server::start();
    let mrid = dispatched(&server, 4_000.0).await;
    let path = format!("/api/v1/dispatches/{mrid}/cancel");
    let row = server.ask("POST", &path, None).await;
    assert_eq!(
        (row.status, &row.json()["phase"]),
        (StatusCode::OK, &json!("cancelled"))
    );
    assert_eq!(
        server.ask("POST", &path, None).await.status,
        StatusCode::CONFLICT
    );
    let over = server
        .get(&format!("/api/v1/dispatches/{mrid}"))
        .await
        .json();
    assert_eq!(
        (&over["measured_w"], &over["promised_w"]),
        (&json!(null), &json!(0.0))
    );
    let listed = server
        .get("/api/v1/dispatches?phase=cancelled")
        .await
        .json();
    assert_eq!(listed["total"], json!(1));
    let deliveries = server
        .get(&format!("/api/v1/dispatches/{mrid}/deliveries"))
        .await
        .json();
    assert_eq!(deliveries["items"][0]["asked_w"], json!(null));
}

#[tokio::test]
async fn the_summary_holds_what_runs() {
    let server = Server::start();
    let mrid = dispatched(&server, -4_000.0).await;
    let summary = server.get("/api/v1/summary").await.json();
    assert_eq!(summary["ders"]["reachable"], json!(2));
    assert_eq!(summary["running"][0]["mrid"], json!(mrid));
    assert_eq!(summary["running"][0]["target_w"], json!(-4_000.0));
    assert_eq!(
        (&summary["coming"], &summary["lost"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test]
async fn readings_are_found_again() {
    let server = Server::start();
    server.with_batteries(1).await;
    // A second reading of the same millisecond would be taken for a repetition.
    tokio::time::sleep(Duration::from_millis(2)).await;
    server.measured(DerId(0), Quantity::ActivePower, 1_234.0);
    let der = server.get("/api/v1/ders").await.json()["items"][0]["mrid"]
        .as_str()
        .unwrap()
        .to_owned();
    let query = "quantity=p_w&from=2020-01-01T00:00:00Z&to=2120-01-01T00:00:00Z";
    let path = format!("/api/v1/telemetry?der={der}&{query}");
    for _ in 0..100 {
        let found = server.get(&path).await.json();
        if found["points"]
            .as_array()
            .is_some_and(|points| points.len() == 2)
        {
            assert_eq!(found["points"][1]["value"], json!(1_234.0));
            assert_eq!(found["points"][1]["quality"], json!("valid"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("readings were not written in five seconds");
}
