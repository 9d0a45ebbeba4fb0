//! Microgrids as operators and microgrid controllers see them.

use std::time::Duration;

use fleet::{Command, ControlBase, DerId, NewControl, Origin, Setting};
use http::StatusCode;
use ieee2030_5::translate::metering::Quantity;
use serde_json::{Value, json};
use store::Actor;
use units::Interval;

use super::world::{Reply, Server, dispatch};
use crate::api::value::Time;
use crate::clock;

const CAMPUS: &str = "/api/v1/microgrids/campus";

async fn ders(server: &Server) -> Vec<String> {
    let page = server.get("/api/v1/ders").await.json();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|der| der["mrid"].as_str().unwrap().to_owned())
        .collect()
}

/// Three batteries, of which the first two are a microgrid; a group of all.
async fn with_campus(server: &Server) -> (Vec<String>, String) {
    server.with_batteries(3).await;
    let group = server.with_group(3).await;
    let ders = ders(server).await;
    let body = json!({
        "name": "Campus",
        "export_max_w": 8_000.0,
        "members": [{ "der": &ders[0], "grid_forming": true }, { "der": &ders[1] }],
    });
    let put = server.ask("PUT", CAMPUS, Some(body)).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
    (ders, group)
}

async fn report(server: &Server, state: &str) -> Reply {
    let body = json!({ "state": state, "reason": "seen" });
    server.post(&format!("{CAMPUS}/reports"), body).await
}

async fn grant(server: &Server, action: &str) -> Reply {
    let body = json!({
        "action": action,
        "start": Time(clock::now().before(Duration::from_secs(1))).to_text(),
        "duration_s": 3_600,
        "reason": "yearly test",
    });
    server.post(&format!("{CAMPUS}/permits"), body).await
}

async fn deliveries(server: &Server, dispatch: &str) -> Vec<Value> {
    let path = format!("/api/v1/dispatches/{dispatch}/deliveries");
    let page = server.get(&path).await.json();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_microgrid_is_put_listed_and_taken_out_of_service() {
    let server = Server::start();
    let (ders, _) = with_campus(&server).await;
    let campus = server.get(CAMPUS).await.json();
    assert_eq!(
        (&campus["name"], &campus["state"], &campus["is_unplanned"]),
        (&json!("Campus"), &json!("grid_connected"), &json!(false))
    );
    assert_eq!(
        campus["members"][0],
        json!({ "der": &ders[0], "grid_forming": true })
    );
    assert_eq!(
        (&campus["export_max_w"], &campus["import_max_w"]),
        (&json!(8_000.0), &Value::Null)
    );
    let page = server.get("/api/v1/microgrids").await.json();
    assert_eq!(
        (&page["total"], &page["items"][0]["mrid"]),
        (&json!(1), &json!("campus"))
    );
    let gone = server.ask("DELETE", CAMPUS, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get(CAMPUS).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::start();
    let (ders, _) = with_campus(&server).await;
    let refused = async |method: &str, path: &str, body: Value| {
        let reply = server.ask(method, path, Some(body)).await;
        assert_eq!(
            reply.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            reply.text
        );
        reply.json()["field"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let stranger = json!({ "name": "Campus", "members": [{ "der": "nobody" }] });
    assert_eq!(refused("PUT", CAMPUS, stranger).await, "members[0].der");
    let negative =
        json!({ "name": "Campus", "import_max_w": -1.0, "members": [{ "der": &ders[0] }] });
    assert_eq!(refused("PUT", CAMPUS, negative).await, "import_max_w");
    let reason = json!({ "state": "islanded", "reason": "" });
    assert_eq!(
        refused("POST", &format!("{CAMPUS}/reports"), reason).await,
        "reason"
    );
    let start = Time(clock::now()).to_text();
    let both = json!({ "points": [{ "start": start, "duration_s": 60, "net_w": 1.0, "export_max_w": 1.0 }] });
    assert_eq!(
        refused("PUT", &format!("{CAMPUS}/schedule"), both).await,
        "points[0].net_w"
    );
    let unknown = server.post(
        "/api/v1/microgrids/x/reports",
        json!({ "state": "islanded", "reason": "a" }),
    );
    assert_eq!(unknown.await.status, StatusCode::NOT_FOUND);
    let wrong = json!({ "state": "adrift", "reason": "a" });
    let wrong = server.post(&format!("{CAMPUS}/reports"), wrong).await;
    assert!(wrong.status.is_client_error());
}

#[tokio::test]
async fn a_planned_island_goes_by_permits_and_they_are_kept() {
    let server = Server::start();
    with_campus(&server).await;
    let refused = report(&server, "planned_islanding").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(
        refused.json()["detail"],
        "microgrid Campus has no permit to island"
    );
    let granted = grant(&server, "island").await;
    assert_eq!(granted.status, StatusCode::OK, "{}", granted.text);
    assert_eq!(granted.json()["permits"][0]["by"], "admin");
    for state in ["planned_islanding", "islanded"] {
        let reply = report(&server, state).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        assert_eq!(reply.json()["is_unplanned"], false);
    }
    let jumped = report(&server, "grid_connected").await;
    assert_eq!(jumped.status, StatusCode::CONFLICT);
    assert_eq!(
        jumped.json()["detail"],
        "microgrid Campus does not come from islanded to grid_connected"
    );
    grant(&server, "reconnect").await;
    let revoked = server
        .ask("DELETE", &format!("{CAMPUS}/permits/1"), None)
        .await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(
        report(&server, "reconnecting").await.status,
        StatusCode::CONFLICT
    );
    grant(&server, "reconnect").await;
    for state in ["reconnecting", "grid_connected"] {
        assert_eq!(report(&server, state).await.status, StatusCode::OK);
    }
    let campus = server.get(CAMPUS).await.json();
    let states: Vec<&str> = campus["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["to"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
        [
            "grid_connected",
            "planned_islanding",
            "islanded",
            "reconnecting",
            "grid_connected"
        ]
    );
    assert_eq!(campus["transitions"][1]["permit"], json!(0));
    assert_eq!(campus["permits"][1]["revoked_by"], "admin");
}

#[tokio::test]
async fn members_of_an_island_are_asked_for_nothing_and_the_reason_is_shown() {
    let server = Server::start();
    let (ders, group) = with_campus(&server).await;
    let created = server
        .post("/api/v1/dispatches", dispatch(&group, 3_000.0))
        .await;
    let mrid = created.json()["mrid"].as_str().unwrap().to_owned();
    assert_eq!(report(&server, "islanded").await.status, StatusCode::OK);
    for row in &deliveries(&server, &mrid).await[..2] {
        assert_eq!(
            (&row["standing"], &row["verdict"]),
            (&json!("islanded"), &json!("islanded"))
        );
        assert_eq!(row["asked_w"], Value::Null, "its control is withdrawn");
    }
    server.measured(DerId(0), Quantity::ActivePower, 4_000.0);
    let status = server.get(&format!("/api/v1/groups/{group}")).await.json();
    assert_eq!(
        (
            &status["status"]["islanded"],
            &status["status"]["p_w"]["value"]
        ),
        (&json!(2), &json!(0.0)),
        "{status}"
    );
    let explained = server
        .get(&format!("/api/v1/ders/{}/explanation", ders[0]))
        .await
        .json();
    assert_eq!(explained["microgrid"]["state"], "islanded");
    assert_eq!(explained["microgrid"]["coupling"], "separated");
    let der = server
        .node
        .read(|published| published.fleet.der(DerId(0)).unwrap().program);
    let control = Command::IssueControl(NewControl {
        der: Some(DerId(0)),
        program: der,
        origin: Origin::Operator,
        interval: Interval {
            start: clock::now().ceil_secs(),
            duration: Duration::from_secs(600),
        },
        base: ControlBase::of([Setting::Energize(true)]),
        terms: None,
    });
    let refused = server
        .node
        .command(Actor::System, vec![control])
        .await
        .unwrap();
    let refused = refused[0].as_ref().unwrap_err().to_string();
    assert!(
        refused.ends_with("is in microgrid Campus, which is islanded"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_dispatch_that_a_schedule_does_not_allow_is_refused_and_names_it() {
    let server = Server::start();
    let (_, group) = with_campus(&server).await;
    let start = clock::now().before(Duration::from_secs(60));
    let start = Time(units::Timestamp::from_secs(start.secs())).to_text();
    let schedule = json!({ "points": [{ "start": start, "duration_s": 7_200, "net_w": 0.0, "tolerance_w": 500.0 }] });
    let path = format!("{CAMPUS}/schedule");
    let set = server.ask("PUT", &path, Some(schedule.clone())).await;
    assert_eq!((set.status, set.json()), (StatusCode::OK, schedule.clone()));
    assert_eq!(server.get(&path).await.json(), schedule);
    let refused = server
        .post("/api/v1/dispatches", dispatch(&group, 6_000.0))
        .await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text
    );
    assert_eq!(
        refused.json()["limited_by"],
        json!(["schedule of microgrid Campus"])
    );
    let fits = server
        .post("/api/v1/dispatches", dispatch(&group, 5_000.0))
        .await;
    assert_eq!(fits.status, StatusCode::CREATED, "{}", fits.text);
}

#[tokio::test]
async fn an_unplanned_island_is_one_alarm() {
    let server = Server::start();
    with_campus(&server).await;
    report(&server, "unplanned_islanding").await;
    let mut alarms = Value::Null;
    for _ in 0..100 {
        alarms = server.get("/api/v1/alarms").await.json();
        if alarms["total"] != json!(0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(alarms["total"], json!(1), "{alarms}");
    let alarm = &alarms["items"][0];
    assert_eq!(
        (&alarm["kind"], &alarm["subject"], &alarm["subject_name"]),
        (
            &json!("microgrid_islanded"),
            &json!({ "microgrid": "campus" }),
            &json!("Campus")
        )
    );
    let rule =
        json!({ "subject": { "microgrid": "campus" }, "means": "by_design", "reason": "test" });
    let set = server.post("/api/v1/alarm-suppressions", rule).await;
    assert_eq!(set.status, StatusCode::CREATED, "{}", set.text);
    let alarm = server.get("/api/v1/alarms/0").await.json();
    assert_eq!(alarm["state"], "suppressed");
}
