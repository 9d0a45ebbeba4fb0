//! Dispatches from draft to end: aims, plans side by side, two people, changes.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use units::Timestamp;

use super::world::{Reply, Server, dispatch};
use crate::api::value::Time;
use crate::clock;

pub(super) const PASSWORD: &str = "correct horse battery";

impl Server {
    /// As one of the accounts, whose password is [`PASSWORD`] but for that of the first.
    pub(super) async fn by(&self, name: &str, method: &str, path: &str, body: Value) -> Reply {
        let password = match name {
            "admin" => &self.password,
            _ => PASSWORD,
        };
        let presented = STANDARD.encode(format!("{name}:{password}"));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Basic {presented}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()));
        self.send(request.unwrap()).await
    }

    pub(super) async fn with_bert(&self) {
        let body = json!({ "name": "bert", "password": PASSWORD });
        let created = self.post("/api/v1/accounts", body).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    }

    pub(super) async fn with_rules(&self, rules: Value) {
        let rules = json!({ "items": rules });
        let set = self.ask("PUT", "/api/v1/approval_rules", Some(rules)).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    }
}

pub(super) fn from_now(s: i64) -> String {
    Time(Timestamp::from_secs(clock::now().secs() + s)).to_text()
}

#[tokio::test]
async fn two_people_let_a_dispatch_out() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    server.with_bert().await;
    server
        .with_rules(json!([
            { "group": group, "from_w": 5000.0, "up_to": "reliability", "need": "second_person" },
            { "from_w": 8000.0, "up_to": "reliability", "need": "balancing_authority" },
        ]))
        .await;
    let created = server
        .post("/api/v1/dispatches", dispatch(&group, 9_000.0))
        .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let created = created.json();
    assert_eq!(
        (
            &created["state"],
            &created["missing_approvals"],
            &created["author"]
        ),
        (
            &json!("planned"),
            &json!(["second_person", "balancing_authority"]),
            &json!("admin")
        )
    );
    let path = format!("/api/v1/dispatches/{}", created["mrid"].as_str().unwrap());
    let early = server.post(&format!("{path}/publish"), json!({})).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    assert!(early.text.contains("second person"), "{}", early.text);

    let capacity = json!({ "generation": 1, "capacity": "balancing_authority" });
    let not_bert = server
        .by("bert", "POST", &format!("{path}/approve"), capacity.clone())
        .await;
    assert_eq!(not_bert.json()["field"], "capacity", "{}", not_bert.text);
    let first = server
        .by(
            "bert",
            "POST",
            &format!("{path}/approve"),
            json!({ "generation": 1 }),
        )
        .await
        .json();
    assert_eq!(first["state"], "planned", "{first}");
    assert!(server.node.read(|p| p.fleet.controls().is_empty()));
    let second = server
        .post(&format!("{path}/approve"), capacity)
        .await
        .json();
    assert_eq!(second["state"], "active", "{second}");
    assert_eq!(server.node.read(|p| p.fleet.controls().len()), 2);
    assert_eq!(second["approvals"][0]["by"], "bert");
}

#[tokio::test]
async fn what_has_changed_since_it_was_looked_at_is_not_approved() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    server.with_bert().await;
    let rule = json!([{ "from_w": 0.0, "up_to": "reliability", "need": "second_person" }]);
    server.with_rules(rule).await;
    let mut draft = dispatch(&group, 1_000.0);
    draft["schedule"][0]["start"] = json!(from_now(600));
    let created = server
        .post("/api/v1/dispatches", draft.clone())
        .await
        .json();
    assert_eq!(created["generation"], 1, "{created}");
    let path = format!("/api/v1/dispatches/{}", created["mrid"].as_str().unwrap());
    draft["schedule"][0]["p_w"] = json!(9_000.0);
    let change = json!({ "schedule": draft["schedule"] });
    let changed = server.ask("PATCH", &path, Some(change)).await.json();
    assert_eq!(changed["generation"], 2, "{changed}");

    let approve = format!("{path}/approve");
    let stale = json!({ "generation": 1 });
    let refused = server.by("bert", "POST", &approve, stale).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    let told = "plan generation 1 was looked at, and generation 2 is in force";
    assert!(refused.text.contains(told), "{}", refused.text);
    let blind = server.by("bert", "POST", &approve, json!({})).await;
    assert_eq!(blind.status, StatusCode::UNPROCESSABLE_ENTITY);
    let shown = server.get(&path).await.json();
    assert_eq!(
        (&shown["state"], &shown["approvals"]),
        (&json!("planned"), &json!([]))
    );
    let seen = json!({ "generation": 2 });
    let approved = server.by("bert", "POST", &approve, seen).await.json();
    assert_eq!(approved["state"], "published", "{approved}");
}

#[tokio::test]
async fn only_the_first_account_creates_others_and_each_name_once() {
    let server = Server::start();
    server.with_bert().await;
    let body = json!({ "name": "carl", "password": PASSWORD });
    let refused = server.by("bert", "POST", "/api/v1/accounts", body).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let again = json!({ "name": "bert", "password": PASSWORD });
    assert_eq!(
        server.post("/api/v1/accounts", again).await.status,
        StatusCode::CONFLICT
    );
    for (name, password, field) in [("a:b", PASSWORD, "name"), ("carl", "short", "password")] {
        let body = json!({ "name": name, "password": password });
        let refused = server.post("/api/v1/accounts", body).await;
        assert_eq!(refused.json()["field"], field, "{}", refused.text);
    }
    let listed = server.get("/api/v1/accounts").await.json();
    let names: Vec<&str> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| account["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["admin", "bert"]);
    assert_eq!(listed["items"][0]["balancing_authority"], true);
}

#[tokio::test]
async fn plans_are_compared_before_one_is_adopted() {
    let server = Server::start();
    server.with_batteries(3).await;
    let group = server.with_group(3).await;
    let mut draft = dispatch(&group, 5_000.0);
    draft["publish"] = json!("on_command");
    draft["schedule"][0]["start"] = json!(from_now(600));
    let created = server.post("/api/v1/dispatches", draft).await.json();
    assert_eq!(
        (&created["state"], &created["stage"]),
        (&json!("approved"), &Value::Null)
    );
    let path = format!("/api/v1/dispatches/{}", created["mrid"].as_str().unwrap());
    let plans = server.get(&format!("{path}/plans")).await.json();
    let seen: Vec<(&str, u64, f64)> = plans["plans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| {
            let number = |field: &str| plan[field].as_u64().unwrap();
            let fairness = plan["fairness"].as_f64().unwrap();
            (
                plan["objective"].as_str().unwrap(),
                number("asked"),
                fairness,
            )
        })
        .collect();
    assert_eq!((seen[0].0, seen[0].1), ("pro_rata", 3), "the one in force");
    assert!(0.999 < seen[0].2, "{seen:?}");
    assert_eq!(
        seen.iter()
            .find(|plan| plan.0 == "fewest_devices")
            .unwrap()
            .1,
        1
    );
    assert_eq!(plans["members"].as_array().unwrap().len(), 3);
    let shares: f64 = plans["plans"][4]["balances"][0]["shares_w"]
        .as_f64()
        .unwrap();
    assert!((shares - 5_000.0).abs() < 1e-6, "{plans}");

    let stale = json!({ "objective": "fewest_devices", "generation": 7 });
    let refused = server.post(&format!("{path}/plans"), stale).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text);
    let adopt = json!({ "objective": "fewest_devices", "generation": 1 });
    let adopted = server.post(&format!("{path}/plans"), adopt).await.json();
    assert_eq!(
        (&adopted["objective"], &adopted["generation"]),
        (&json!("fewest_devices"), &json!(2))
    );
    let after = server.get(&format!("{path}/plans")).await.json();
    let before = &after["superseded"];
    assert_eq!(before.as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &before[0]["generation"],
            &before[0]["asked"],
            &before[0]["residue_w"]
        ),
        (&json!(1), &json!(3), &json!(0.0))
    );
    let published = server
        .post(&format!("{path}/publish"), json!({}))
        .await
        .json();
    assert_eq!(
        (&published["state"], &published["stage"]),
        (&json!("published"), &json!("notice"))
    );
    assert_eq!(server.node.read(|p| p.fleet.controls().len()), 1);
}

#[tokio::test]
async fn each_aim_is_read_and_shown_and_two_at_once_are_refused() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    for (aim, p_w) in [
        (json!({ "p_w": -3000.0 }), -3_000.0),
        (json!({ "delta_w": 1000.0 }), 1_000.0),
        (json!({ "pct": 50.0 }), 5_000.0),
        (json!({ "at_most_w": -1000.0 }), -1_000.0),
        (json!({ "at_least_w": 2000.0 }), 2_000.0),
        (json!({ "price_per_kwh": 1.0 }), 0.0),
    ] {
        let mut draft = dispatch(&group, 0.0);
        draft["publish"] = json!("on_command");
        draft["schedule"][0].as_object_mut().unwrap().remove("p_w");
        for (field, value) in aim.as_object().unwrap() {
            draft["schedule"][0][field] = value.clone();
        }
        let created = server.post("/api/v1/dispatches", draft).await;
        assert_eq!(
            created.status,
            StatusCode::CREATED,
            "{aim}: {}",
            created.text
        );
        let interval = created.json()["schedule"][0].clone();
        assert_eq!(
            (&interval["aim"], interval["p_w"].as_f64()),
            (&aim, Some(p_w)),
            "{aim}"
        );
    }
    let mut both = dispatch(&group, 1.0);
    both["schedule"][0]["pct"] = json!(5.0);
    let refused = server.post("/api/v1/dispatches", both).await;
    assert_eq!(
        refused.json()["field"],
        "schedule[0].p_w",
        "{}",
        refused.text
    );
    let mut far = dispatch(&group, 0.0);
    far["schedule"][0] = json!({ "start": from_now(5), "duration_s": 60, "pct": 101.0 });
    let refused = server.post("/api/v1/dispatches", far).await;
    assert_eq!(
        refused.json()["field"],
        "schedule[0].pct",
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn a_dispatch_is_extended_while_it_runs() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let created = server
        .post("/api/v1/dispatches", dispatch(&group, 2_000.0))
        .await
        .json();
    let path = format!("/api/v1/dispatches/{}", created["mrid"].as_str().unwrap());
    let start = created["schedule"][0]["start"].clone();
    let longer = json!({ "schedule": [{ "start": start, "duration_s": 7_200, "p_w": 2_000.0 }] });
    let extended = server.ask("PATCH", &path, Some(longer)).await;
    assert_eq!(extended.status, StatusCode::OK, "{}", extended.text);
    assert_eq!(extended.json()["generation"], 2);
    let ends = server.node.read(|p| {
        let live = p.fleet.controls().iter().filter(|c| c.cancelled.is_none());
        live.map(|c| c.interval.duration.as_secs()).max()
    });
    // From the lead of a correction, 15 minutes, to the new end.
    assert!(ends.is_some_and(|s| 6_200 < s), "{ends:?}");
    let other = json!({ "schedule": [{ "start": start, "duration_s": 7_200, "p_w": 3_000.0 }] });
    let refused = server.ask("PATCH", &path, Some(other)).await;
    assert_eq!(refused.json()["field"], "schedule", "{}", refused.text);
}

#[tokio::test]
async fn what_a_group_can_do_is_told_before_it_is_asked() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let path = |to| {
        let from = from_now(0);
        format!(
            "/api/v1/groups/{group}/availability?from={from}&to={}",
            from_now(to)
        )
    };
    let shown = server.get(&path(3_600)).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    let shown = shown.json();
    assert_eq!(shown["counted"], 2);
    // Each holds 10 kWh above its reserve of nothing, and 5 kW.
    let held: Vec<f64> = shown["up"]["held"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["p_w"].as_f64().unwrap())
        .collect();
    assert_eq!(
        held,
        [10_000.0, 10_000.0, 10_000.0, 10_000.0, 5_000.0, 2_500.0]
    );
    assert!(shown["up"]["firm_pct"].as_f64().unwrap() < 100.0);
    assert_eq!(server.get(&path(-1)).await.json()["field"], "to");
}
