//! Alarms as operators see them and deal with them.

use std::time::Duration;

use fleet::alarm::{Delay, Detail, Kind, Priority, Raise, Subject};
use fleet::{AlarmBook, AlarmCommand, AssignmentId, Command, DerId};
use http::StatusCode;
use serde_json::{Value, json};
use store::Actor;

use super::world::Server;
use crate::api::alarm::MAX_ACKNOWLEDGED;
use crate::api::value::Time;
use crate::clock;

async fn raise(server: &Server, kind: Kind, subject: Subject) {
    let raise = Raise {
        kind,
        subject,
        detail: Detail::LastHeard(clock::now()),
    };
    let command = Command::Alarm(AlarmCommand::Raise(raise));
    let outcomes = server.node.command(Actor::System, vec![command]).await;
    outcomes.unwrap().remove(0).unwrap();
}

/// Two DER, one below a feeder; an alarm on each and one on the feeder. The feeder's mRID.
async fn with_alarms(server: &Server) -> String {
    server.with_batteries(2).await;
    let feeder = json!({ "name": "F1", "level": "feeder" });
    let feeder = server.post("/api/v1/assignments", feeder).await.json();
    let feeder = feeder["mrid"].as_str().unwrap().to_owned();
    let ders = server.get("/api/v1/ders").await.json();
    let der = ders["items"][0]["mrid"].as_str().unwrap();
    let path = format!("/api/v1/ders/{der}/assignments");
    let placed = json!({ "assignments": [&feeder] });
    let placed = server.ask("PUT", &path, Some(placed)).await;
    assert!(placed.status.is_success(), "{}", placed.text);
    raise(server, Kind::DerSilent, Subject::Der(DerId(0))).await;
    raise(server, Kind::DerSilent, Subject::Der(DerId(1))).await;
    let about = Subject::Assignment(AssignmentId(0));
    raise(server, Kind::PlaceSilent, about).await;
    feeder
}

fn ids(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_u64().unwrap()).collect()
}

async fn listed(server: &Server, query: &str) -> Vec<u64> {
    let reply = server.get(&format!("/api/v1/alarms?{query}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{query}: {}", reply.text);
    ids(&reply.json())
}

fn ahead(by: Duration) -> String {
    Time(clock::now().after(by)).to_text()
}

#[tokio::test]
async fn alarms_are_listed_filtered_and_paged() {
    let server = Server::start();
    let feeder = with_alarms(&server).await;
    let all = server.get("/api/v1/alarms").await.json();
    assert_eq!((ids(&all), &all["total"]), (vec![0, 1, 2], &json!(3)));
    let first = &all["items"][0];
    assert_eq!(first["kind"], "der_silent");
    assert_eq!(
        (&first["state"], &first["is_there"]),
        (&json!("unacknowledged"), &json!(true))
    );
    assert_eq!(
        (&first["priority"], &first["subject_name"]),
        (&json!("low"), &json!("u0"))
    );
    assert!(first["detail"]["last_heard_at"].is_string());
    let der = first["subject"]["der"].as_str().unwrap().to_owned();
    assert_eq!(listed(&server, &format!("der={der}")).await, [0]);
    assert_eq!(listed(&server, &format!("place={feeder}")).await, [0, 2]);
    assert_eq!(listed(&server, "kind=place_silent").await, [2]);
    assert_eq!(listed(&server, "priority=low").await, [0, 1]);
    assert_eq!(listed(&server, "state=acknowledged").await, [0; 0]);
    assert_eq!(listed(&server, "limit=1&after=0").await, [1]);
    for (query, field) in [("kind=nothing", "kind"), ("limit=0", "limit")] {
        let refused = server.get(&format!("/api/v1/alarms?{query}")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(refused.json()["field"], field);
    }
    for unknown in ["der=nobody", "place=nowhere"] {
        let refused = server.get(&format!("/api/v1/alarms?{unknown}")).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{unknown}");
    }
}

#[tokio::test]
async fn alarms_are_acknowledged_one_by_one_and_together() {
    let server = Server::start();
    with_alarms(&server).await;
    let one = server
        .post("/api/v1/alarms/0/acknowledge", json!({ "note": "called" }))
        .await;
    assert_eq!(one.status, StatusCode::OK, "{}", one.text);
    let one = one.json();
    assert_eq!(one["state"], "acknowledged");
    let seen = one["alarm"]["acknowledged"].clone();
    assert_eq!(
        (&seen["by"], &seen["note"]),
        (&json!("admin"), &json!("called"))
    );
    // The second one changes nothing.
    let again = server.post("/api/v1/alarms/0/acknowledge", json!({})).await;
    assert_eq!(again.json()["alarm"]["acknowledged"], seen);
    let many = server
        .post("/api/v1/alarms/acknowledge", json!({ "ids": [0, 1, 2, 7] }))
        .await
        .json();
    assert_eq!(many["acknowledged_count"], 3);
    assert_eq!(many["refused"][0]["id"], 7);
    let ids: Vec<usize> = (0..=MAX_ACKNOWLEDGED).collect();
    let refused = server
        .post("/api/v1/alarms/acknowledge", json!({ "ids": ids }))
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = server.post("/api/v1/alarms/9/acknowledge", json!({})).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_alarm_is_shelved_for_a_day_at_most_and_taken_off_the_shelf() {
    let server = Server::start();
    with_alarms(&server).await;
    let shelve = |until: String| json!({ "reason": "router on its way", "until": until });
    let day = AlarmBook::MAX_SHELVE;
    for by in [Duration::ZERO, day + Duration::from_secs(60)] {
        let refused = server
            .post("/api/v1/alarms/0/shelve", shelve(ahead(by)))
            .await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.json()["field"], "until");
    }
    let nameless = json!({ "reason": " ", "until": ahead(Duration::from_secs(60)) });
    let refused = server.post("/api/v1/alarms/0/shelve", nameless).await;
    assert_eq!(refused.json()["field"], "reason");
    let until = ahead(day - Duration::from_secs(60));
    let shelved = server
        .post("/api/v1/alarms/0/shelve", shelve(until))
        .await
        .json();
    assert_eq!(shelved["state"], "shelved");
    assert_eq!(shelved["alarm"]["shelved"]["reason"], "router on its way");
    let seen = server.post("/api/v1/alarms/0/acknowledge", json!({})).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    let back = server.ask("POST", "/api/v1/alarms/0/unshelve", None).await;
    assert_eq!(back.json()["state"], "unacknowledged");
    let twice = server.ask("POST", "/api/v1/alarms/0/unshelve", None).await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_feeder_under_maintenance_shows_no_alarms() {
    let server = Server::start();
    let feeder = with_alarms(&server).await;
    let rule = |subject: Value| json!({ "subject": subject, "means": "by_design", "reason": "line works" });
    let path = "/api/v1/alarm-suppressions";
    let set = server
        .post(path, rule(json!({ "assignment": feeder })))
        .await;
    assert_eq!(set.status, StatusCode::CREATED, "{}", set.text);
    assert_eq!(
        (&set.json()["by"], &set.json()["kind"]),
        (&json!("admin"), &Value::Null)
    );
    assert_eq!(listed(&server, "state=suppressed").await, [0, 2]);
    assert_eq!(server.get(path).await.json()["total"], 1);
    let ended = server.ask("DELETE", &format!("{path}/0"), None).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(listed(&server, "state=unacknowledged").await, [0, 1, 2]);
    let ended = server.ask("DELETE", &format!("{path}/0"), None).await;
    assert_eq!(ended.status, StatusCode::NOT_FOUND);
    for subject in ["der", "assignment", "dispatch"] {
        let refused = server.post(path, rule(json!({ subject: "nothing" }))).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{subject}"
        );
        assert_eq!(refused.json()["field"], format!("subject.{subject}"));
    }
}

#[tokio::test]
async fn the_load_on_operators_is_shown() {
    let server = Server::start();
    with_alarms(&server).await;
    for name in 0..9 {
        let name = fleet::Name::new(&format!("limit {name}")).unwrap();
        raise(&server, Kind::LimitAtRisk, Subject::Limit(name)).await;
    }
    let shown = server.get("/api/v1/alarms/metrics?hours=1").await.json();
    assert_eq!(shown["annunciations_count"], 12);
    assert_eq!(
        (&shown["in_flood"], &shown["last_ten_minutes"]),
        (&json!(true), &json!(12.0))
    );
    assert_eq!(shown["contributors"].as_array().unwrap().len(), 10);
    assert_eq!(shown["priorities"][2]["annunciations_count"], 11);
    assert_eq!(
        shown["states"][0],
        json!({ "state": "unacknowledged", "alarms_count": 12 })
    );
    let shared = server
        .get("/api/v1/alarms/metrics?positions=2")
        .await
        .json();
    assert_eq!(
        (&shared["in_flood"], &shared["last_ten_minutes"]),
        (&json!(false), &json!(6.0))
    );
    for (query, field) in [
        ("hours=0", "hours"),
        ("hours=721", "hours"),
        ("positions=0", "positions"),
    ] {
        let refused = server.get(&format!("/api/v1/alarms/metrics?{query}")).await;
        assert_eq!(refused.json()["field"], field, "{query}");
    }
}

#[tokio::test]
async fn every_kind_is_listed_with_what_to_do() {
    let server = Server::start();
    let kinds = server.get("/api/v1/alarms/kinds").await.json();
    let items = kinds["items"].as_array().unwrap();
    assert_eq!(items.len(), Kind::table().len());
    assert_eq!(items[0]["kind"], "limit_exceeded");
    assert_eq!(
        (&items[0]["priority"], &items[0]["severity"]),
        (&json!("high"), &json!("severe"))
    );
    let silent = items
        .iter()
        .find(|row| row["kind"] == "der_silent")
        .unwrap();
    assert_eq!(silent["waits_for_poll"], true);
}

/// The page for operators says of each kind what the table says.
#[test]
fn the_documentation_of_alarms_follows_the_table() {
    let page = include_str!("../../../../../docs/alarms.md");
    let mut from = 0;
    for row in Kind::table() {
        let priority = match row.priority {
            Priority::High => "high",
            Priority::Medium => "medium",
            Priority::Low => "low",
        };
        let on = match row.on_delay {
            Delay::For(delay) => format!("{} s", delay.as_secs()),
            Delay::PollAnd(more) => format!("a polling interval and {} s", more.as_secs()),
        };
        let section = format!(
            "### {}\n\nPriority {priority}; act within {} min.\n\n- Cause: {}\n- Consequence: {}\n\
             - Action: {}\n- Raised after {on}, returned after {} s; dead band: {}.\n",
            row.name,
            row.respond_within.as_secs() / 60,
            row.cause,
            row.consequence,
            row.action,
            row.off_delay.as_secs(),
            row.deadband,
        );
        let at = page[from..].find(&section);
        from += at.unwrap_or_else(|| panic!("docs/alarms.md lacks, in this order:\n{section}"));
    }
}
