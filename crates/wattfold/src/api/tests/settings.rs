//! Settings management from the REST API to what a device is served and reports.
#![expect(clippy::too_many_lines, reason = "a story is told from end to end")]

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use fleet::{Lfdi, Modes};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::world::{Reply, Server};
use crate::clock;
use crate::node::DeviceRequest;

const DAY_S: u64 = 86_400;

fn request(method: &str, path: &str, body: &str) -> DeviceRequest {
    DeviceRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: None,
        accept: None,
        content_type: (method == "PUT").then(|| "application/sep+xml".to_owned()),
        if_none_match: None,
        range: None,
        body: Bytes::copy_from_slice(body.as_bytes()),
        lfdi: Lfdi([0; 20]),
        random: 0,
    }
}

/// What the device of `u0` is served at `path`.
fn served(server: &Server, path: &str) -> String {
    let response = server
        .node
        .device_at_once(&request("GET", path, ""), clock::now());
    let response = response.unwrap().unwrap();
    assert_eq!(response.status, 200);
    String::from_utf8(response.body.into()).unwrap()
}

/// The device of `u0` reports its settings.
async fn report(server: &Server, es_delay_cs: u32, modes: Modes) {
    let body = format!(
        "<DERSettings xmlns=\"urn:ieee:std:2030.5:ns\"><modesEnabled>{:08X}</modesEnabled>\
         <setESDelay>{es_delay_cs}</setESDelay><setGradW>0</setGradW>\
         <setMaxVA><multiplier>0</multiplier><value>5000</value></setMaxVA>\
         <setMaxVar><multiplier>0</multiplier><value>2200</value></setMaxVar>\
         <setMaxW><multiplier>0</multiplier><value>5000</value></setMaxW>\
         <updatedTime>{}</updatedTime></DERSettings>",
        modes.0,
        clock::now().secs()
    );
    let request = request("PUT", "/edev/0/der/1/derg", &body);
    let response = server.node.device(request).await.unwrap();
    assert!((200..300).contains(&response.status), "{response:?}");
}

fn all_modes() -> Modes {
    Modes(0x07FF_FFFF)
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come about");
}

async fn der(server: &Server, name: &str) -> String {
    let ders = server
        .get(&format!("/api/v1/ders?filter={name}"))
        .await
        .json();
    ders["items"][0]["mrid"].as_str().unwrap().to_owned()
}

fn profile(es_delay_s: f64) -> Value {
    json!({
        "name": "spring",
        "category": { "normal": "B", "abnormal": "III" },
        "comment": "first of the year",
        "settings": {
            "ES_DELAY": es_delay_s,
            "SET_GRAD_W": 1.5,
            "QV_MODE_ENABLE": true,
            "QV_CURVE_V1": 0.92, "QV_CURVE_Q1": 0.44,
            "QV_CURVE_V2": 0.98, "QV_CURVE_Q2": 0,
            "QV_CURVE_V3": 1.02, "QV_CURVE_Q3": 0,
            "QV_CURVE_V4": 1.08, "QV_CURVE_Q4": -0.44,
        },
    })
}

async fn created(server: &Server, path: &str, body: Value) -> Value {
    let reply = server.post(path, body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    reply.json()
}

async fn csv(server: &Server, method: &str, path: &str, body: &str) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, server.basic())
        .header(header::CONTENT_TYPE, "text/csv; charset=utf-8")
        .body(Body::from(body.to_owned()));
    server.send(request.unwrap()).await
}

#[tokio::test]
async fn a_requirement_reaches_the_device_and_is_read_back() {
    let server = Server::start();
    server.with_batteries(1).await;
    report(&server, 0, all_modes()).await;
    let made = created(&server, "/api/v1/settings-profiles", profile(300.0)).await;
    assert_eq!((&made["id"], &made["version"]), (&json!(0), &json!(1)));
    assert_eq!(made["author"], "admin");
    assert_eq!(made["settings"]["QV_CURVE_Q4"], json!(-0.44));
    let u0 = der(&server, "u0").await;
    let requirement = json!({ "subject": { "der": u0 }, "profile": 0 });
    created(&server, "/api/v1/settings-requirements", requirement).await;
    until("the default control", async || {
        served(&server, "/derp/0/dderc").contains("<setESDelay>30000</setESDelay>")
    })
    .await;
    let default = served(&server, "/derp/0/dderc");
    assert!(default.contains("<setGradW>150</setGradW>"), "{default}");
    assert!(default.contains("<opModVoltVar href="), "{default}");
    let curves = served(&server, "/derp/0/dc");
    // 2.2 kvar of 5 kVA are all that the device has.
    assert!(
        curves.contains("<xvalue>9200</xvalue><yvalue>10000</yvalue>"),
        "{curves}"
    );
    assert!(curves.contains("<curveType>11</curveType>"), "{curves}");

    let path = format!("/api/v1/ders/{u0}/settings_comparison");
    let compared = server.get(&path).await.json();
    assert_eq!(compared["profile"], 0);
    assert_eq!(compared["issued_profile"], 0);
    assert_eq!(
        compared["required_by"],
        json!({ "requirement": { "der": u0 } })
    );
    let state = |compared: &Value, parameter: &str| {
        let settings = compared["settings"].as_array().unwrap().clone();
        let row = settings
            .into_iter()
            .find(|row| row["parameter"] == parameter);
        row.unwrap()["state"].clone()
    };
    assert_eq!(state(&compared, "ES_DELAY"), "differs");
    assert_eq!(state(&compared, "SET_GRAD_W"), "differs");
    assert_eq!(state(&compared, "QV_CURVE_V1"), "not_reported");
    assert_eq!(state(&compared, "QV_MODE_ENABLE"), "not_reported");
    report(&server, 30_000, Modes(all_modes().0 & !(1 << 23))).await;
    let compared = server.get(&path).await.json();
    assert_eq!(state(&compared, "ES_DELAY"), "matches");
    assert_eq!(state(&compared, "QV_MODE_ENABLE"), "differs");
}

#[tokio::test]
async fn a_roll_out_is_steered_by_hand() {
    let server = Server::start();
    server.with_batteries(3).await;
    let mut plain = profile(60.0);
    plain["settings"] = json!({ "ES_DELAY": 60 });
    created(&server, "/api/v1/settings-profiles", plain).await;
    let u0 = der(&server, "u0").await;
    let body = json!({
        "name": "spring to all",
        "profile": 0,
        "stages": { "lists": [[u0], ["u1"]] },
        "criteria": { "wait_s": 900, "deadline_s": DAY_S, "match_min_pct": 95.5, "alarms_max": 0 },
    });
    let begun = created(&server, "/api/v1/roll-outs", body.clone()).await;
    assert_eq!(
        (&begun["phase"], &begun["stage"]),
        (&json!("running"), &json!(1))
    );
    assert_eq!(begun["criteria"]["match_min_pct"], json!(95.5));
    let again = server.post("/api/v1/roll-outs", body).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);
    until("the first stage", async || {
        let ders = server.get("/api/v1/roll-outs/0/ders").await.json();
        ders["items"][0]["standing"] == "issued" || ders["items"][0]["standing"] == "unreadable"
    })
    .await;
    let ders = server.get("/api/v1/roll-outs/0/ders").await.json();
    assert_eq!(ders["items"][1]["standing"], "ahead");
    for (verb, phase, stage) in [
        ("halt", "halted", 1),
        ("resume", "running", 1),
        ("advance", "running", 2),
        ("advance", "completed", 2),
        ("roll_back", "rolled_back", 2),
    ] {
        let path = format!("/api/v1/roll-outs/0/{verb}");
        let reply = server.ask("POST", &path, None).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let now = reply.json();
        assert_eq!(
            (&now["phase"], &now["stage"]),
            (&json!(phase), &json!(stage))
        );
    }
    let refused = server.ask("POST", "/api/v1/roll-outs/0/resume", None).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        refused.json()["detail"],
        "phase: is rolled back, which admits no such step"
    );
    let listed = server.get("/api/v1/roll-outs").await.json();
    assert_eq!(listed["total"], 1);
}

#[tokio::test]
async fn a_file_goes_in_and_comes_out_the_same() {
    let server = Server::start();
    let file = "PARAMETER,VALUE\nMT_FILE_INFO_TYPE,SS\nCOMMENT,from the utility\n\
                NP_NORMAL_OP_CAT,CAT_B\nNP_ABNORMAL_OP_CAT,CAT_II\n\
                MT_DER_OWNER_NAME,Erika Mustermann\nES_V_LOW-SS,0.917\nES_DELAY-SS,300\n\
                MYPARAM-SS,100\n";
    let import = "/api/v1/settings-profiles/import?name=spring";
    let reply = csv(&server, "POST", import, file).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    let imported = reply.json();
    assert_eq!(imported["profile"]["comment"], "from the utility");
    assert_eq!(
        imported["set_aside"],
        json!([
            { "row": 6, "parameter": "MT_DER_OWNER_NAME", "reason": "description" },
            { "row": 9, "parameter": "MYPARAM", "reason": "unknown" },
        ])
    );
    let exported = server.get("/api/v1/settings-profiles/0/file").await;
    assert_eq!(
        exported.headers[header::CONTENT_TYPE],
        "text/csv; charset=utf-8"
    );
    let kept: String = file
        .split_inclusive('\n')
        .filter(|row| !row.starts_with("MYPARAM") && !row.starts_with("MT_DER"))
        .collect();
    assert_eq!(exported.text, kept);
    let second = csv(&server, "POST", import, &exported.text).await.json();
    assert_eq!(second["profile"]["version"], 2);
    assert_eq!(
        second["profile"]["settings"],
        imported["profile"]["settings"]
    );
    let versions = server
        .get("/api/v1/settings-profiles?name=spring")
        .await
        .json();
    assert_eq!(versions["total"], 2);
    assert_eq!(versions["items"][0]["version"], 2);
}

#[tokio::test]
async fn a_file_of_applied_settings_is_read_back() {
    let server = Server::start();
    server.with_batteries(1).await;
    let u0 = der(&server, "u0").await;
    let path = format!("/api/v1/ders/{u0}/applied_settings");
    let file = "PARAMETER,VALUE\nMT_FILE_INFO_TYPE,AS\nQV_CURVE_V1-AS,0.92\n";
    let reply = csv(&server, "PUT", &path, file).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert_eq!(reply.json()["settings_count"], 1);
    let category = json!({ "normal": "B", "abnormal": "III" });
    let put = format!("/api/v1/ders/{u0}/performance_category");
    let set = server.ask("PUT", &put, Some(category.clone())).await;
    assert_eq!((set.status, set.json()), (StatusCode::OK, category));
    let all = server.get(&path).await.text;
    assert!(all.contains("NP_NORMAL_OP_CAT,CAT_B\n"), "{all}");
    assert!(all.contains("QV_CURVE_V1-AS,0.92\n"), "{all}");
    let future = format!("{path}?at=2999-01-01T00:00:00Z");
    let refused = csv(&server, "PUT", &future, file).await;
    assert_eq!(refused.json()["detail"], "at: is in the future");
    let nothing = csv(&server, "PUT", &path, "PARAMETER,VALUE\nMYPARAM,1\n").await;
    assert_eq!(
        nothing.json()["detail"],
        "file: has no setting that is known"
    );
}

#[tokio::test]
async fn bad_input_is_refused_field_by_field_and_row_by_row() {
    let server = Server::start();
    server.with_batteries(1).await;
    let mut wrong = profile(601.0);
    wrong["settings"]["ES_V_LOW"] = json!(0.5);
    let reply = server.post("/api/v1/settings-profiles", wrong).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        reply.json()["errors"],
        json!([
            { "field": "settings.ES_V_LOW",
              "rule": "ES_V_LOW = 0.5: is 0.88 to 0.95 pu (IEEE 1547-2018 table 4)" },
            { "field": "settings.ES_DELAY",
              "rule": "ES_DELAY = 601: is 0 to 600 s (IEEE 1547-2018 4.10.3 a))" },
        ])
    );
    let mut odd = profile(300.0);
    odd["settings"] = json!({ "ES_DELAY": true, "NO_SUCH": 1, "QV_MODE_ENABLE": 1,
        "ES_V_LOW": 0.000_000_1 });
    let reply = server.post("/api/v1/settings-profiles", odd).await.json();
    let fields: Vec<&str> = reply["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "settings.ES_DELAY",
            "settings.ES_V_LOW",
            "settings.NO_SUCH",
            "settings.QV_MODE_ENABLE"
        ]
    );

    let import = "/api/v1/settings-profiles/import?name=x";
    let head = "PARAMETER,VALUE\nNP_NORMAL_OP_CAT,CAT_B\nNP_ABNORMAL_OP_CAT,CAT_III\n";
    let out_of_range = csv(&server, "POST", import, &format!("{head}ES_DELAY,700\n")).await;
    assert_eq!(out_of_range.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        out_of_range.json()["errors"],
        json!([{ "field": "ES_DELAY", "row": 4,
            "rule": "ES_DELAY = 700: is 0 to 600 s (IEEE 1547-2018 4.10.3 a))" }])
    );
    let unreadable = csv(&server, "POST", import, &format!("{head}ES_DELAY,soon\n")).await;
    assert_eq!(unreadable.json()["errors"][0]["row"], 4);
    let nameless = csv(&server, "POST", import, "PARAMETER,VALUE\nES_DELAY,300\n").await;
    assert_eq!(nameless.json()["field"], "NP_NORMAL_OP_CAT");
    let json = server.post(import, json!({})).await;
    assert_eq!(json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = "x".repeat(settings_file::MAX_FILE_BYTES + 1);
    let large = csv(&server, "POST", import, &large).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let nothing = server.get("/api/v1/settings-profiles").await.json();
    assert_eq!(nothing["total"], 0, "nothing is half applied");

    created(&server, "/api/v1/settings-profiles", profile(300.0)).await;
    for (path, body, field) in [
        (
            "/api/v1/settings-requirements",
            json!({ "subject": { "der": "nobody" }, "profile": 0 }),
            "subject.der",
        ),
        (
            "/api/v1/settings-requirements",
            json!({ "subject": { "assignment": "none" }, "profile": 0 }),
            "subject.assignment",
        ),
        (
            "/api/v1/settings-requirements",
            json!({ "subject": { "category": { "normal": "B", "abnormal": "III" } },
                "profile": 9 }),
            "profile",
        ),
        (
            "/api/v1/roll-outs",
            json!({ "name": "x", "profile": 0, "stages": { "lists": [["nobody"]] },
                "criteria": { "wait_s": 1, "deadline_s": 1, "match_min_pct": 1,
                    "alarms_max": 0 } }),
            "stages.lists[0][0]",
        ),
        (
            "/api/v1/roll-outs",
            json!({ "name": "x", "profile": 0,
                "stages": { "shares": { "ders": [], "reached_pct": [101] } },
                "criteria": { "wait_s": 1, "deadline_s": 1, "match_min_pct": 1,
                    "alarms_max": 0 } }),
            "stages.shares.reached_pct[0]",
        ),
    ] {
        let reply = server.post(path, body).await;
        assert_eq!(
            reply.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            reply.text
        );
        assert_eq!(reply.json()["field"], field, "{}", reply.text);
    }
    for path in [
        "/api/v1/settings-profiles/7",
        "/api/v1/settings-profiles/x/file",
        "/api/v1/roll-outs/0",
        "/api/v1/roll-outs/-1/ders",
        "/api/v1/ders/nobody/settings_comparison",
        "/api/v1/ders/nobody/applied_settings",
    ] {
        assert_eq!(
            server.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
