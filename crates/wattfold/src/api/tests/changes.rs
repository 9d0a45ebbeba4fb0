//! Dispatches that change, or that the world around them changes, before and after they are let out.

use fleet::DerId;
use http::StatusCode;
use serde_json::{Value, json};

use super::approvals::{PASSWORD, from_now};
use super::world::{Server, dispatch};

async fn published(server: &Server, group: &str, delta_w: f64) -> String {
    let mut later = dispatch(group, 0.0);
    later["schedule"][0] =
        json!({ "start": from_now(3_600), "duration_s": 60, "delta_w": delta_w });
    let created = server.post("/api/v1/dispatches", later).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let created = created.json();
    assert_eq!(created["state"], "published", "{created}");
    format!("/api/v1/dispatches/{}", created["mrid"].as_str().unwrap())
}

fn second_person(group: &str, from_w: f64) -> Value {
    json!([{ "group": group, "from_w": from_w, "up_to": "reliability", "need": "second_person" }])
}

#[tokio::test]
async fn who_changes_a_draft_is_no_second_person() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    server.with_bert().await;
    let carl = json!({ "name": "carl", "password": PASSWORD });
    server.post("/api/v1/accounts", carl).await;
    server.with_rules(second_person(&group, 5_000.0)).await;
    let mut draft = dispatch(&group, 1_000.0);
    draft["publish"] = json!("on_command");
    let start = draft["schedule"][0]["start"].clone();
    let created = server.post("/api/v1/dispatches", draft).await.json();
    let path = format!("/api/v1/dispatches/{}", created["mrid"].as_str().unwrap());
    let more = json!({ "schedule": [{ "start": start, "duration_s": 60, "p_w": 9_000.0 }] });
    let changed = server.by("bert", "PATCH", &path, more).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let seen = json!({ "generation": changed.json()["generation"] });
    for (who, missing) in [
        ("bert", json!(["second_person"])),
        ("admin", json!(["second_person"])),
        ("carl", json!([])),
    ] {
        let approve = format!("{path}/approve");
        let approved = server.by(who, "POST", &approve, seen.clone()).await.json();
        assert_eq!(approved["missing_approvals"], missing, "{who}: {approved}");
    }
}

#[tokio::test]
async fn what_is_published_does_not_grow_past_its_approvals() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    server.with_rules(second_person(&group, 5_000.0)).await;
    let path = published(&server, &group, 2_000.0).await;
    let start = server.get(&path).await.json()["schedule"][0]["start"].clone();
    let to = |aim: &str, value: f64| json!({ "schedule": [{ "start": start, "duration_s": 60, aim: value }] });
    let relative = server
        .ask("PATCH", &path, Some(to("delta_w", 9_000.0)))
        .await;
    assert_eq!(relative.status, StatusCode::CONFLICT, "{}", relative.text);
    assert!(relative.text.contains("second person"), "{}", relative.text);
    let smaller = server
        .ask("PATCH", &path, Some(to("delta_w", 4_000.0)))
        .await;
    assert_eq!(smaller.status, StatusCode::OK, "{}", smaller.text);
}

#[tokio::test]
async fn a_draft_goes_out_when_the_rule_that_held_it_falls_away() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    server.with_rules(second_person(&group, 5_000.0)).await;
    let created = server
        .post("/api/v1/dispatches", dispatch(&group, 9_000.0))
        .await
        .json();
    assert_eq!(created["state"], "planned", "{created}");
    server.with_rules(json!([])).await;
    let path = format!("/api/v1/dispatches/{}", created["mrid"].as_str().unwrap());
    assert_eq!(server.get(&path).await.json()["state"], "active");
    assert_eq!(server.node.read(|p| p.fleet.controls().len()), 2);
}

#[tokio::test]
async fn a_draft_is_planned_anew_when_it_is_let_out() {
    let server = Server::start();
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    let mut draft = dispatch(&group, 9_000.0);
    draft["publish"] = json!("on_command");
    draft["schedule"][0]["start"] = json!(from_now(600));
    let created = server.post("/api/v1/dispatches", draft).await.json();
    let path = format!("/api/v1/dispatches/{}", created["mrid"].as_str().unwrap());
    let ders = server.get("/api/v1/ders").await.json();
    let der_mrid = ders["items"][0]["mrid"].as_str().unwrap();
    let record = format!("/api/v1/ders/{der_mrid}/interconnection");
    let permit =
        |p_w: f64| json!({ "permission_from": "2026-01-01T00:00:00Z", "export_max_w": p_w });
    let set = server.ask("PUT", &record, Some(permit(1_000.0))).await;
    assert!(set.status.is_success(), "{}", set.text);
    let refused = server.post(&format!("{path}/publish"), json!({})).await;
    assert_eq!(refused.json()["reachable_w"], 6_000.0, "{}", refused.text);
    assert!(server.node.read(|p| p.fleet.controls().is_empty()));
    let set = server.ask("PUT", &record, Some(permit(4_500.0))).await;
    assert!(set.status.is_success(), "{}", set.text);
    let out = server
        .post(&format!("{path}/publish"), json!({}))
        .await
        .json();
    assert_eq!(
        (&out["state"], &out["generation"]),
        (&json!("published"), &json!(2)),
        "{out}"
    );
    let share = server.node.read(|p| {
        let own = |der: Option<DerId>| {
            let der = der.and_then(|id| p.fleet.der(id));
            der.is_some_and(|it| it.mrid.as_str() == der_mrid)
        };
        let mut own = p.fleet.controls().iter().filter(|c| own(c.der));
        own.find_map(|c| Some(c.base.active()?.p().as_f64()))
    });
    assert!(share.is_some_and(|p_w| p_w <= 4_500.0), "{share:?}");
}
