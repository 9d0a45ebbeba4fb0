use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Reply, Server, battery};

async fn own_program(server: &Server) -> String {
    let reply = server.post("/api/v1/ders", battery(0)).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    format!(
        "/api/v1/programs/{}",
        reply.json()["program"].as_str().unwrap()
    )
}

async fn fleet_program(server: &Server) -> String {
    let body = json!({ "name": "everybody", "primacy": 3, "scope": "all" });
    let reply = server.post("/api/v1/programs", body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    format!(
        "/api/v1/programs/{}",
        reply.json()["mrid"].as_str().unwrap()
    )
}

async fn issue(server: &Server, program: &str, body: Value) -> Reply {
    server.post(&format!("{program}/controls"), body).await
}

#[tokio::test]
async fn programmes_are_created_changed_and_taken_out_of_service() {
    let server = Server::start();
    let own = own_program(&server).await;
    let der = server.get(&own).await.json()["scope"]["der"].clone();
    let node = json!({ "name": "group", "level": "non_topology" });
    let node = server.post("/api/v1/assignments", node).await.json();
    let mut made = Vec::new();
    for scope in [
        json!("all"),
        json!({ "der": der }),
        json!({ "assignment": node["mrid"] }),
    ] {
        let body = json!({ "name": "new", "primacy": 7, "scope": scope });
        let reply = server.post("/api/v1/programs", body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        assert_eq!(reply.json()["scope"], scope);
        made.push(reply.json());
    }
    let all = server.get("/api/v1/programs").await.json();
    assert_eq!(all["total"], json!(2), "{all}");
    let of_der = format!("/api/v1/programs?der={}", der.as_str().unwrap());
    assert_eq!(server.get(&of_der).await.json()["total"], json!(3));
    let path = format!("/api/v1/programs/{}", made[0]["mrid"].as_str().unwrap());
    let patch = json!({ "name": "renamed", "primacy": 9 });
    let changed = server.ask("PATCH", &path, Some(patch)).await.json();
    assert_eq!(
        (&changed["name"], &changed["primacy"]),
        (&json!("renamed"), &json!(9))
    );
    let deleted = server.ask("DELETE", &path, None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.text);
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
    let kept = server.ask("DELETE", &own, None).await;
    assert!(kept.status.is_client_error(), "{}", kept.text);
    let nowhere = json!({ "name": "x", "primacy": 1, "scope": { "der": "nobody" } });
    let nowhere = server.post("/api/v1/programs", nowhere).await;
    assert_eq!(nowhere.json()["field"], json!("scope"), "{}", nowhere.text);
}

#[tokio::test]
async fn a_control_asks_every_mode_and_is_shown_as_asked() {
    let server = Server::start();
    let own = own_program(&server).await;
    let curve = json!({ "name": "vv", "shape": { "kind": "volt_var", "y_ref_type": 3,
        "x_multiplier": -2, "open_loop_s": 5.0, "v_ref_pct": 100.0,
        "points": [{ "x": 9_200, "y": 44 }, { "x": 10_800, "y": -44 }] } });
    let curve = server.post(&format!("{own}/curves"), curve).await;
    assert_eq!(curve.status, StatusCode::CREATED, "{}", curve.text);
    let base = json!({
        "connect": true,
        "energize": false,
        "fixed_pf_absorb": { "displacement": 0.95, "injects_vars": false },
        "fixed_pf_inject": { "displacement": 1.0, "injects_vars": true },
        "fixed_var": { "pct": -12.5, "of": "set_max_var" },
        "fixed_w_pct": -20.0,
        "max_lim_w_pct": 50.0,
        "target_w": -3_300.0,
        "target_var": 120.0,
        "freq_droop": { "db_of_hz": 0.036, "db_uf_hz": 0.036, "k_of_pu": 0.05, "k_uf_pu": 0.05,
            "open_loop_s": 5.0 },
        "imp_lim_w": 100_000.0,
        "exp_lim_w": 0.0,
        "gen_lim_w": 8_500.0,
        "load_lim_w": 250.0,
        "storage_target_w": -1_000.0,
        "curves": [curve.json()["mrid"]],
        "ramp_s": 30.0,
    });
    let terms = json!({ "randomize_start_s": 60, "randomize_duration_s": -30,
        "response_required": 3, "device_category": 4, "description": "all at once" });
    let body = json!({ "duration_s": 600, "base": base, "terms": terms });
    let issued = issue(&server, &own, body).await;
    assert_eq!(issued.status, StatusCode::CREATED, "{}", issued.text);
    let issued = issued.json();
    assert_eq!((&issued["base"], &issued["terms"]), (&base, &terms));
    assert_eq!(issued["status"], json!("active"));
    assert_eq!(
        issued["deliveries"],
        json!([{ "state": "planned", "ders_count": 1 }])
    );
    let path = format!("/api/v1/controls/{}", issued["mrid"].as_str().unwrap());
    assert_eq!(server.get(&path).await.json()["base"], base);
    let used = format!("/api/v1/curves/{}", curve.json()["mrid"].as_str().unwrap());
    let used = server.ask("DELETE", &used, None).await;
    assert!(used.status.is_client_error(), "{}", used.text);
}

#[tokio::test]
async fn what_the_wire_cannot_hold_is_refused_with_its_field() {
    let server = Server::start();
    let own = own_program(&server).await;
    for (base, field) in [
        (json!({ "fixed_w_pct": 100.1 }), "base.fixed_w_pct"),
        (json!({ "max_lim_w_pct": -0.1 }), "base.max_lim_w_pct"),
        (json!({ "exp_lim_w": -1.0 }), "base.exp_lim_w"),
        (json!({ "target_w": 1e13 }), "base.target_w"),
        (json!({ "connect": true, "ramp_s": 655.36 }), "base.ramp_s"),
        (
            json!({ "fixed_pf_inject": { "displacement": 0.0, "injects_vars": true } }),
            "base.fixed_pf_inject.displacement",
        ),
        (json!({ "curves": ["00"] }), "base.curves[0]"),
        (json!({ "frobnicate": 1 }), "base.frobnicate"),
    ] {
        let body = json!({ "duration_s": 60, "base": base });
        let refused = issue(&server, &own, body).await;
        assert_eq!(
            refused.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{}",
            refused.text
        );
        assert_eq!(refused.json()["field"], json!(field), "{}", refused.text);
    }
    let nothing = issue(&server, &own, json!({ "duration_s": 60, "base": {} })).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    let listed = server.get(&format!("{own}/controls")).await.json();
    assert_eq!(listed["total"], json!(0));
}

#[tokio::test]
async fn controls_are_withdrawn_one_by_one_and_all_together() {
    let server = Server::start();
    own_program(&server).await;
    let program = fleet_program(&server).await;
    let mut mrids = Vec::new();
    for n in 0..3 {
        let body = json!({ "duration_s": 60, "start": format!("2040-01-01T00:0{n}:00Z"),
            "base": { "exp_lim_w": 1_000.0 } });
        let issued = issue(&server, &program, body).await.json();
        assert_eq!(
            (&issued["der"], &issued["status"]),
            (&json!(null), &json!("scheduled"))
        );
        mrids.push(issued["mrid"].as_str().unwrap().to_owned());
    }
    let cancel = format!("/api/v1/controls/{}/cancel", mrids[1]);
    let one = server.ask("POST", &cancel, None).await.json();
    assert_eq!(one["status"], json!("cancelled"));
    let all = format!("{program}/controls/cancel");
    let rest = server.ask("POST", &all, None).await.json();
    assert_eq!(rest, json!({ "cancelled_count": 2 }));
    assert_eq!(
        server.ask("POST", &all, None).await.json(),
        json!({ "cancelled_count": 0 })
    );
    let page = server
        .get(&format!("{program}/controls?limit=2"))
        .await
        .json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(page["total"], json!(3));
    let unknown = server.ask("POST", "/api/v1/controls/00/cancel", None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_default_of_a_programme_is_replaced_as_a_whole() {
    let server = Server::start();
    let path = format!("{}/default_control", fleet_program(&server).await);
    let full = json!({
        "base": { "exp_lim_w": 5_000.0, "ramp_s": 2.0 },
        "grad_pct_per_s": 1.0,
        "soft_grad_pct_per_s": 0.5,
        "enter_service": { "delay_s": 300.0, "high_freq_hz": 60.1, "high_volt_pct": 105.0,
            "low_freq_hz": 59.5, "low_volt_pct": 91.7, "ramp_s": 300.0, "random_delay_s": 10.0 },
    });
    let set = server.ask("PUT", &path, Some(full.clone())).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
    let mut shown = set.json();
    assert!(shown.as_object_mut().unwrap().remove("set_at").is_some());
    assert_eq!(shown, full);
    let grad = json!({ "grad_pct_per_s": 2.5 });
    let mut shown = server.ask("PUT", &path, Some(grad)).await.json();
    shown.as_object_mut().unwrap().remove("set_at");
    assert_eq!(shown, json!({ "base": {}, "grad_pct_per_s": 2.5 }));
    let steep = server
        .ask("PUT", &path, Some(json!({ "grad_pct_per_s": 655.36 })))
        .await;
    assert_eq!(
        steep.json()["field"],
        json!("grad_pct_per_s"),
        "{}",
        steep.text
    );
    let early = json!({ "set_at": "2030-01-01T00:00:00Z" });
    let early = server.ask("PUT", &path, Some(early)).await;
    assert_eq!(
        early.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        early.text
    );
}

#[tokio::test]
async fn a_curve_has_one_to_ten_points_and_belongs_to_its_programme() {
    let server = Server::start();
    let own = own_program(&server).await;
    let points: Vec<Value> = (0..11).map(|x| json!({ "x": x, "y": 0 })).collect();
    for (count, status) in [
        (0, StatusCode::UNPROCESSABLE_ENTITY),
        (1, StatusCode::CREATED),
        (10, StatusCode::CREATED),
        (11, StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let shape = json!({ "kind": "watt_pf", "points": points[..count] });
        let reply = server
            .post(&format!("{own}/curves"), json!({ "shape": shape }))
            .await;
        assert_eq!(reply.status, status, "{count}: {}", reply.text);
    }
    let listed = server.get(&format!("{own}/curves")).await.json();
    assert_eq!(listed["total"], json!(2));
    let other = fleet_program(&server).await;
    let foreign = json!({ "duration_s": 60, "base": { "curves": [listed["items"][0]["mrid"]] } });
    let refused = issue(&server, &other, foreign).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text
    );
    let path = format!(
        "/api/v1/curves/{}",
        listed["items"][0]["mrid"].as_str().unwrap()
    );
    let deleted = server.ask("DELETE", &path, None).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.text);
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
}
