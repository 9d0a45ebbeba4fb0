//! Strategies over the API: dispatches that nobody asked for by hand.

use std::time::Duration;

use fleet::DerId;
use http::StatusCode;
use ieee2030_5::translate::metering::Quantity;
use serde_json::{Value, json};
use units::Timestamp;

use super::world::Server;
use crate::api::value::Time;
use crate::clock;

const EVENING: &str = "/api/v1/strategies/evening";

impl Server {
    async fn must_put(&self, path: &str, body: Value) -> Value {
        let reply = self.ask("PUT", path, Some(body)).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text);
        reply.json()
    }

    /// Two batteries of 5 kW under contract in the programme `peak`, and a group of both; its mRID.
    async fn with_contracts(&self) -> String {
        self.with_batteries(2).await;
        let group = self.with_group(2).await;
        let listed = self.get("/api/v1/ders").await.json();
        let ders: Vec<&Value> = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|der| &der["mrid"])
            .collect();
        let long_ago = "2026-01-01T00:00:00Z";
        let terms = json!({ "name": "Peak", "terms": [{ "from": long_ago }] });
        self.must_put("/api/v1/demand_response_programs/peak", terms)
            .await;
        let owner = json!({ "consents": { "dispatch": true } });
        self.must_put("/api/v1/owners/owner-1", owner).await;
        self.must_put("/api/v1/sites/site-1", json!({ "owner": "owner-1" }))
            .await;
        self.must_put(
            "/api/v1/service_points/point-1",
            json!({ "site": "site-1" }),
        )
        .await;
        for der in &ders {
            let path = format!("/api/v1/ders/{}/service_point", der.as_str().unwrap());
            self.must_put(&path, json!({ "service_point": "point-1" }))
                .await;
        }
        let contract =
            json!({ "owner": "owner-1", "program": "peak", "ders": ders, "from": long_ago });
        self.must_put("/api/v1/contracts/contract-1", contract)
            .await;
        group
    }

    /// The strategy `evening` when `is_so` is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut strategy = Value::Null;
        for _ in 0..250 {
            strategy = self.get(EVENING).await.json();
            if is_so(&strategy) {
                return strategy;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("waited in vain until {what}: {strategy}")
    }
}

/// A few seconds ahead, so that it is due at once with a lead.
fn soon() -> Timestamp {
    Timestamp::from_secs(clock::now().secs() + 5)
}

fn evening(group: &str, start: Timestamp, p_w: f64) -> Value {
    let text = Time(start).to_text();
    json!({
        "name": "Evening peak",
        "program": "peak",
        "group": group,
        "trigger": { "calendar": { "start": &text[11..19] } },
        "template": { "aim": { "p_w": p_w }, "duration_s": 600, "lead_s": 3_600,
            "objective": "least_used" },
    })
}

#[tokio::test]
async fn a_dispatch_comes_when_it_is_due_and_says_which_strategy_made_it() {
    let server = Server::start();
    let group = server.with_contracts().await;
    let start = soon();
    server
        .must_put(EVENING, evening(&group, start, 6_000.0))
        .await;
    let made = server
        .until("it has made a dispatch", |it| {
            !it["open_dispatch"].is_null()
        })
        .await;
    let mrid = made["open_dispatch"].as_str().unwrap();
    assert!(
        mrid.starts_with("evening-20") && mrid.ends_with('Z'),
        "{mrid}"
    );
    assert_eq!(made["failure"], Value::Null);
    let dispatch = server.get(&format!("/api/v1/dispatches/{mrid}")).await;
    let dispatch = dispatch.json();
    assert_eq!(
        (
            &dispatch["strategy"],
            &dispatch["program"],
            &dispatch["author"],
            &dispatch["objective"],
            &dispatch["schedule"][0]["start"],
        ),
        (
            &json!("evening"),
            &json!("peak"),
            &json!("admin"),
            &json!("least_used"),
            &json!(Time(start).to_text()),
        ),
        "{dispatch}"
    );
    assert_ne!(dispatch["published_at"], Value::Null);
    assert_eq!(server.node.read(|p| p.fleet.controls().len()), 2);
    let occurrences = server.get(&format!("{EVENING}/occurrences")).await.json();
    let items = occurrences["items"].as_array().unwrap();
    assert_eq!(
        (&items[0]["outcome"], &items[0]["dispatch"]),
        (&json!("created"), &json!(mrid))
    );
    let day = Duration::from_secs(86_400);
    assert_eq!(
        (&items[1]["outcome"], &items[1]["start"]),
        (&json!("upcoming"), &json!(Time(start.after(day)).to_text()))
    );
    assert_eq!(made["next_at"], items[1]["start"]);
    assert!((30..=32).contains(&(items.len() - 1)), "{}", items.len());
    let by_hand = super::world::dispatch(&group, 0.0);
    let by_hand = server.post("/api/v1/dispatches", by_hand).await;
    assert_eq!(by_hand.status, StatusCode::UNPROCESSABLE_ENTITY);
    let own = server.get("/api/v1/dispatches?strategy=evening").await;
    assert_eq!(own.json()["total"], 1);
    let preview = server.get(&format!("{EVENING}/preview")).await.json();
    assert_eq!(
        (
            &preview["start"],
            &preview["is_feasible"],
            &preview["asked"]
        ),
        (&items[1]["start"], &json!(true), &json!(2)),
        "{preview}"
    );
}

#[tokio::test]
async fn what_is_refused_is_told_once_with_its_reason() {
    let server = Server::start();
    let group = server.with_contracts().await;
    server
        .must_put(EVENING, evening(&group, soon(), 11_000.0))
        .await;
    let failed = server
        .until("it has failed", |it| !it["failure"].is_null())
        .await;
    let reason = failed["failure"]["reason"].as_str().unwrap();
    assert!(reason.contains("short by 1000.0 W"), "{reason}");
    let mut alarms = Value::Null;
    for _ in 0..100 {
        alarms = server
            .get("/api/v1/alarms?kind=strategy_failed")
            .await
            .json();
        if alarms["total"] == json!(1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let alarm = &alarms["items"][0];
    assert_eq!(
        (&alarm["subject"], &alarm["subject_name"]),
        (&json!({ "strategy": "evening" }), &json!("Evening peak")),
        "{alarms}"
    );
    let occurrences = server.get(&format!("{EVENING}/occurrences")).await.json();
    let refused = occurrences["items"].as_array().unwrap().iter();
    let refused = refused.filter(|it| it["outcome"] == "refused").count();
    assert_eq!(refused, 1, "it is not tried again and again");
    let preview = server.get(&format!("{EVENING}/preview")).await.json();
    assert_eq!(preview["is_feasible"], false);
    assert!(preview["reason"].as_str().unwrap().contains("short by"));
    server
        .must_put(EVENING, evening(&group, soon(), 9_000.0))
        .await;
    server
        .until("it has made a dispatch", |it| {
            it["failure"].is_null() && !it["open_dispatch"].is_null()
        })
        .await;
}

#[tokio::test]
async fn what_is_measured_makes_a_dispatch() {
    let server = Server::start();
    let group = server.with_contracts().await;
    let mut body = evening(&group, soon(), 0.0);
    body["trigger"] = json!({ "threshold": { "group": group, "above_w": 8_000.0,
        "below_w": 5_000.0, "pause_s": 900 } });
    body["template"]["aim"] = json!({ "at_least_w": -4_000.0 });
    let put = server.must_put(EVENING, body.clone()).await;
    assert_eq!(put["trigger"]["threshold"]["flow"], "import");
    let preview = server.get(&format!("{EVENING}/preview")).await.json();
    assert_eq!(
        preview["gauge"],
        json!({ "least_w": 0.0, "most_w": 0.0, "max_w": null, "is_above": false })
    );
    for der in [0, 1] {
        server.measured(DerId(der), Quantity::ActivePower, -4_500.0);
    }
    let made = server
        .until("it has made a dispatch", |it| {
            !it["open_dispatch"].is_null()
        })
        .await;
    assert_eq!(made["next_at"], Value::Null);
}

#[tokio::test]
async fn a_strategy_is_paused_resumed_and_retired() {
    let server = Server::start();
    let group = server.with_contracts().await;
    let later = clock::now().after(Duration::from_secs(40_000));
    let body = evening(&group, Timestamp::from_secs(later.secs()), 6_000.0);
    let created = server.post("/api/v1/strategies", body.clone()).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let created = created.json();
    let path = format!("/api/v1/strategies/{}", created["mrid"].as_str().unwrap());
    assert_eq!(created["standing"], "running");
    let taken = server.ask("PUT", EVENING, Some(body.clone())).await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "its name is in use");
    let paused = server
        .post(&format!("{path}/pause"), json!({}))
        .await
        .json();
    assert_eq!(
        (&paused["standing"], &paused["next_at"]),
        (&json!("paused"), &Value::Null)
    );
    let none = server.get(&format!("{path}/preview")).await;
    assert_eq!(none.status, StatusCode::CONFLICT);
    let resumed = server.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!(resumed.json()["standing"], "running");
    let retired = server.ask("DELETE", &path, None).await;
    assert_eq!(retired.status, StatusCode::NO_CONTENT);
    let kept = server.get(&path).await.json();
    assert_eq!(kept["standing"], "retired");
    let again = server.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    let listed = server.get("/api/v1/strategies").await.json();
    assert_eq!(listed["total"], 1);
    for unknown in ["", "/occurrences", "/preview"] {
        let path = format!("/api/v1/strategies/nobody{unknown}");
        assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

/// Such a strategy is refused for this field.
async fn refuses(server: &Server, field: &str, body: Value) {
    let refused = server.ask("PUT", EVENING, Some(body)).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{field}: {}",
        refused.text
    );
    assert_eq!(refused.json()["field"], field, "{}", refused.text);
}

#[tokio::test]
async fn what_makes_no_sense_names_its_field() {
    let server = Server::start();
    let group = server.with_contracts().await;
    let good = evening(&group, soon(), 0.0);
    let dates = "trigger.calendar.excluded_dates";
    let many: Vec<&str> = vec!["2026-12-25"; 1_001];
    for (field, key, value) in [
        ("trigger.calendar.start", "start", json!("24:00")),
        ("trigger.calendar.start", "start", json!("5 pm")),
        (dates, "excluded_dates", json!(["2026-02-29"])),
        (dates, "excluded_dates", json!(many)),
        ("months", "months", json!([13])),
    ] {
        let mut body = good.clone();
        body["trigger"]["calendar"][key] = value;
        refuses(&server, field, body).await;
    }
    let mut nowhere = good.clone();
    nowhere["group"] = json!("nowhere");
    refuses(&server, "group", nowhere).await;
    let mut brief = good.clone();
    brief["template"]["duration_s"] = json!(0);
    refuses(&server, "duration", brief).await;
    let mut aimless = good.clone();
    aimless["template"]["aim"] = json!({});
    refuses(&server, "template.aim.p_w", aimless).await;
    let long = format!("/api/v1/strategies/{}", "e".repeat(47));
    let refused = server.ask("PUT", &long, Some(good.clone())).await;
    assert_eq!(refused.json()["field"], "mrid", "{}", refused.text);
    server.must_put(EVENING, good).await;
    let wide = "?from=2026-01-01T00:00:00Z&to=2027-01-03T00:00:00Z";
    let refused = server.get(&format!("{EVENING}/occurrences{wide}")).await;
    assert_eq!(refused.json()["field"], "to", "{}", refused.text);
}

#[tokio::test]
async fn a_threshold_that_makes_no_sense_names_its_field() {
    let server = Server::start();
    let group = server.with_contracts().await;
    for (field, threshold) in [
        (
            "trigger.threshold.group",
            json!({ "above_w": 1.0, "pause_s": 60 }),
        ),
        (
            "trigger.threshold.above_w",
            json!({ "group": group, "pause_s": 60 }),
        ),
        (
            "trigger.threshold.above_pct",
            json!({ "group": group, "above_w": 1.0, "above_pct": 1.0, "pause_s": 60 }),
        ),
        (
            "above",
            json!({ "group": group, "above_pct": 90.0, "pause_s": 60 }),
        ),
        (
            "pause",
            json!({ "limit": "a", "above_pct": 90.0, "pause_s": 59 }),
        ),
        (
            "trigger.threshold.flow",
            json!({ "limit": "a", "flow": "export", "above_w": 1.0, "pause_s": 60 }),
        ),
    ] {
        let mut body = evening(&group, soon(), 0.0);
        body["trigger"] = json!({ "threshold": threshold });
        refuses(&server, field, body).await;
    }
}
