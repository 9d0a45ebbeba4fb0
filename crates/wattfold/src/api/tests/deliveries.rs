//! Verdicts on a short dispatch in which every member behaves differently.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::{ControlId, DerId, Lfdi};
use http::StatusCode;
use ieee2030_5::translate::metering::Quantity;
use serde_json::{Value, json};
use units::{Timestamp, WattHours};

use super::world::{Server, battery};
use crate::api::value::Time;
use crate::clock;
use crate::config::Control;
use crate::node::DeviceRequest;

/// Follows; its meter is of revenue quality.
const GOOD: u32 = 0;
/// Says that it began and never moves.
const LIAR: u32 = 1;
/// Never moves and says nothing.
const MUTE: u32 = 2;
const OPTED_OUT: u32 = 3;
const REFUSING: u32 = 4;
/// PV at its limit.
const PV: u32 = 5;
/// Enrolled, and never heard.
const ABSENT: u32 = 6;

const FIELDS: [&str; 4] = [
    "asked_wh",
    "delivered_wh",
    "curtailed_wh",
    "curtailed_uncertainty_wh",
];

/// What the device of `u{n}` posts.
async fn posts(server: &Server, n: u32, path: &str, body: String) {
    let mut lfdi = [0; 20];
    lfdi[16..].copy_from_slice(&n.to_be_bytes());
    let request = DeviceRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: None,
        accept: None,
        content_type: Some("application/sep+xml".to_owned()),
        if_none_match: None,
        range: None,
        body: bytes::Bytes::from(body),
        lfdi: Lfdi(lfdi),
        random: 0,
    };
    let reply = server.node.device(request).await.unwrap();
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    assert_eq!(reply.status, 201, "{text}");
}

async fn responds(server: &Server, n: u32, row: &Value, status: u8) {
    let subject = row["controls"][0]["mrid"].as_str().unwrap();
    let body = format!(
        "<Response xmlns=\"urn:ieee:std:2030.5:ns\"><createdDateTime>{}</createdDateTime>\
         <endDeviceLFDI>{n:040X}</endDeviceLFDI><status>{status}</status>\
         <subject>{subject}</subject></Response>",
        clock::now().secs()
    );
    posts(server, n, &format!("/rsps/{n}/rsp"), body).await;
}

/// The rows of all pages, by name.
async fn rows(server: &Server, mrid: &str) -> BTreeMap<String, Value> {
    let (mut rows, mut after) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("/api/v1/dispatches/{mrid}/deliveries?limit=3{after}");
        let page = server.get(&path).await.json();
        for row in page["items"].as_array().unwrap() {
            let name = row["der"]["name"].as_str().unwrap().to_owned();
            assert!(rows.insert(name, row.clone()).is_none(), "listed twice");
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return rows,
        }
    }
}

/// A dispatch of seven members from a second or two from now, for two seconds.
async fn dispatched(server: &Server) -> (String, Timestamp) {
    server.with_batteries(PV).await;
    server.with_pv(PV).await;
    let absent = server.post("/api/v1/ders", battery(ABSENT)).await;
    assert_eq!(absent.status, StatusCode::CREATED, "{}", absent.text);
    let meter = "<MirrorUsagePoint xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>01</mRID>\
         <roleFlags>0019</roleFlags><serviceCategoryKind>0</serviceCategoryKind>\
         <status>1</status><deviceLFDI>";
    let meter = format!("{meter}{GOOD:040X}</deviceLFDI></MirrorUsagePoint>");
    posts(server, GOOD, "/mup", meter).await;
    let group = server.with_group(ABSENT + 1).await;
    let start = Timestamp::from_secs(clock::now().secs() + 2);
    let body = json!({
        "group": group,
        "ramp_s": 0,
        "schedule": [{ "start": Time(start).to_text(), "duration_s": 2, "p_w": -12_000.0 }],
    });
    let created = server.post("/api/v1/dispatches", body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let mrid = created.json()["mrid"].as_str().unwrap().to_owned();
    (mrid, start)
}

/// Lets time pass until a second after `start`, then every device does what it does.
async fn carried_out(server: &Server, mrid: &str, start: Timestamp) {
    let shares = rows(server, mrid).await;
    responds(server, OPTED_OUT, &shares["u3"], 4).await;
    responds(server, REFUSING, &shares["u4"], 252).await;
    tokio::time::sleep(start.after(Duration::from_millis(300)).since(clock::now())).await;
    responds(server, LIAR, &shares["u1"], 2).await;
    let share = |name: &str| shares[name]["controls"][0]["p_w"].as_f64().unwrap();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.measured(DerId(GOOD), Quantity::ActivePower, share("u0"));
        server.measured(DerId(LIAR), Quantity::ActivePower, 0.0);
        server.measured(DerId(MUTE), Quantity::ActivePower, 3.0);
        server.measured(DerId(PV), Quantity::AvailablePower, 4_000.0);
        server.measured(DerId(PV), Quantity::ActivePower, share("u5"));
    }
}

/// The rows and the dispatch when all is over and written.
async fn ended(server: &Server, mrid: &str) -> (BTreeMap<String, Value>, Value) {
    for _ in 0..200 {
        let row = server
            .get(&format!("/api/v1/dispatches/{mrid}"))
            .await
            .json();
        let rows = rows(server, mrid).await;
        let seen = |name: &str, verdict: &str| rows[name]["verdict"] == json!(verdict);
        if row["phase"] == json!("ended")
            && seen("u0", "delivered")
            && seen("u5", "complied_binding")
        {
            return (rows, row);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:#?}", rows(server, mrid).await);
}

fn micro_wh(value: &Value) -> i64 {
    WattHours::from_f64(value.as_f64().unwrap()).micro()
}

#[tokio::test]
async fn each_member_is_judged_by_what_it_did_and_the_totals_are_the_sums() {
    let server = Server::start();
    let (mrid, start) = dispatched(&server).await;
    carried_out(&server, &mrid, start).await;
    let (rows, dispatch) = ended(&server, &mrid).await;
    for (name, verdict, evidence, code) in [
        ("u0", "delivered", "revenue_meter", Value::Null),
        (
            "u1",
            "acknowledged_not_delivered",
            "device_telemetry",
            Value::Null,
        ),
        ("u2", "not_delivered", "device_telemetry", Value::Null),
        ("u3", "opted_out", "response", json!(4)),
        ("u4", "rejected", "response", json!(252)),
        ("u5", "complied_binding", "device_telemetry", Value::Null),
        ("u6", "never_reachable", "nothing", Value::Null),
    ] {
        let row = &rows[name];
        let found = (&row["verdict"], &row["evidence"], &row["response_code"]);
        assert_eq!(found, (&json!(verdict), &json!(evidence), &code), "{row:#}");
        assert_eq!(row["tolerance_pct"], json!(5.0));
        assert_eq!(dispatch["verdicts"][verdict], json!(1), "{dispatch:#}");
    }
    let pv = &rows["u5"];
    let limit_w = pv["controls"][0]["p_w"].as_f64().unwrap();
    let hours = 2.0 / 3_600.0;
    let held_back_wh = (4_000.0 - limit_w) * hours;
    let curtailed_wh = pv["curtailed_wh"].as_f64().unwrap();
    assert!((curtailed_wh - held_back_wh).abs() < 1e-5, "{pv:#}");
    assert_eq!(pv["curtailed_uncertainty_wh"], json!(0.0));
    assert_eq!(pv["baseline"]["kind"], json!("available_power"));
    assert_eq!(
        (&pv["baseline"]["p_w"], &pv["baseline"]["readings"]),
        (&json!(4_000.0), &json!(2))
    );
    assert_eq!(rows["u0"]["baseline"]["kind"], json!("readings_before"));
    assert_eq!(rows["u0"]["curtailed_wh"], json!(0.0));
    assert_eq!(rows["u6"]["baseline"]["kind"], json!("assumed_zero"));
    for field in FIELDS {
        let sum: i64 = rows.values().map(|row| micro_wh(&row[field])).sum();
        assert_eq!(micro_wh(&dispatch[field]), sum, "{field}");
    }
    assert_ne!(dispatch["delivered_wh"], json!(0.0));
}

/// What is said of the one member as soon as it is `verdict`.
async fn said(server: &Server, mrid: &str, verdict: &str) -> Value {
    for _ in 0..200 {
        let row = rows(server, mrid).await.remove("u0").unwrap();
        if row["verdict"] == json!(verdict) {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:#?}", rows(server, mrid).await);
}

#[tokio::test]
async fn what_a_member_refuses_is_given_to_others_long_before_the_loop_comes_round() {
    let server = Server::with_control(Control {
        tick_ms: 60_000,
        lead_s: 1,
        ..Control::default()
    });
    server.with_batteries(2).await;
    let group = server.with_group(2).await;
    for der in [DerId(0), DerId(1)] {
        server.measured(der, Quantity::StateOfCharge, 50.0);
        server.measured(der, Quantity::ActivePower, 0.0);
    }
    let start = Timestamp::from_secs(clock::now().secs() + 600);
    let body = json!({
        "group": group,
        "ramp_s": 0,
        "schedule": [{ "start": Time(start).to_text(), "duration_s": 60, "p_w": -3_000.0 }],
    });
    let created = server.post("/api/v1/dispatches", body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let mrid = created.json()["mrid"].as_str().unwrap().to_owned();
    let shares = rows(&server, &mrid).await;
    // No plan is replaced within two seconds.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    responds(&server, 0, &shares["u0"], 4).await;
    for _ in 0..200 {
        let dispatch = server
            .get(&format!("/api/v1/dispatches/{mrid}"))
            .await
            .json();
        if dispatch["generation"] == 2 {
            let shares = rows(&server, &mrid).await;
            let asked = shares["u1"]["controls"].as_array().unwrap().last().unwrap();
            assert_eq!(asked["p_w"], -3_000.0);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:#?}", rows(&server, &mrid).await);
}

#[tokio::test]
async fn who_was_silent_is_judged_again_by_what_its_meter_tells_afterwards() {
    let server = Server::with_silent_after(2);
    server.with_batteries(1).await;
    let group = server.with_group(1).await;
    let start = Timestamp::from_secs(clock::now().secs() + 1);
    let body = json!({
        "group": group,
        "ramp_s": 0,
        "schedule": [{ "start": Time(start).to_text(), "duration_s": 3, "p_w": 3_000.0 }],
    });
    server.measured(DerId(0), Quantity::StateOfCharge, 50.0);
    let created = server.post("/api/v1/dispatches", body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let mrid = created.json()["mrid"].as_str().unwrap().to_owned();
    server
        .node
        .fetched(vec![(ControlId(0), DerId(0))], clock::now())
        .await
        .unwrap();
    let end = start.after(Duration::from_secs(3));
    tokio::time::sleep(end.since(clock::now())).await;
    said(&server, &mrid, "silent").await;
    server.measured(DerId(0), Quantity::ActivePower, 0.0);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let back = said(&server, &mrid, "silent").await;
    assert_eq!(
        (&back["evidence"], &back["standing"]),
        (&json!("nothing"), &json!("controllable"))
    );
    let meanwhile = start.after(Duration::from_millis(2_500));
    server.measured_at(DerId(0), Quantity::ActivePower, 3_000.0, meanwhile);
    let told = said(&server, &mrid, "delivered").await;
    assert_eq!(told["evidence"], json!("device_telemetry"));
}
