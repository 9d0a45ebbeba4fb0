//! Every mode and curve of a control and of a default, what the device refuses, and its alarms.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Edition, delivery, issue, states, write_evidence};
use super::{DEVICES, enrol};
use crate::rig::{Rig, Setup, shared, until};

const SOON: Duration = Duration::from_secs(30);

/// A kind of curve, a command of py20305 and the names of its points.
type CurveCommand = (&'static str, &'static str, [&'static str; 2]);

/// Kinds of curves, what py20305 calls the command that each becomes (none for some, which it only
/// reads), and the names of the points that it hands over.
pub(super) const CURVES: [CurveCommand; 15] = [
    (
        "freq_watt",
        "update_freq_watt",
        ["fw_curve_f_pts", "fw_curve_p_pts"],
    ),
    ("hfrt_may_trip", "", ["", ""]),
    (
        "hfrt_must_trip",
        "update_of",
        ["of_curve_tms_points", "of_curve_f_pts"],
    ),
    ("hvrt_may_trip", "", ["", ""]),
    (
        "hvrt_momentary_cessation",
        "update_ov_mc",
        ["ov_curve_tms_points", "ov_curve_v_pts"],
    ),
    (
        "hvrt_must_trip",
        "update_ov",
        ["ov_curve_tms_points", "ov_curve_v_pts"],
    ),
    ("lfrt_may_trip", "", ["", ""]),
    (
        "lfrt_must_trip",
        "update_uf",
        ["uf_curve_tms_points", "uf_curve_f_pts"],
    ),
    ("lvrt_may_trip", "", ["", ""]),
    (
        "lvrt_momentary_cessation",
        "update_uv_mc",
        ["uv_curve_tms_points", "uv_curve_v_pts"],
    ),
    (
        "lvrt_must_trip",
        "update_uv",
        ["uv_curve_tms_points", "uv_curve_v_pts"],
    ),
    (
        "volt_var",
        "update_qv",
        ["qv_curve_v_pts", "qv_curve_q_pts"],
    ),
    (
        "volt_watt",
        "update_pv",
        ["pv_curve_v_pts", "pv_curve_p_pts"],
    ),
    ("watt_pf", "", ["", ""]),
    (
        "watt_var",
        "update_qp",
        ["qp_curve_p_pts", "qp_curve_q_pts"],
    ),
];

/// One curve of each kind; gives their mRIDs.
pub(super) async fn curves(rig: &Rig, program: &Value) -> Vec<Value> {
    let path = format!("/programs/{}/curves", program.as_str().unwrap());
    let mut mrids = Vec::new();
    for (number, (kind, _, _)) in (1_i32..).zip(CURVES) {
        let points: Vec<Value> = [(1, 44), (2, 0), (3, -44)]
            .map(|(x, y)| json!({ "x": 1_000 * x + number, "y": y }))
            .into();
        let mut shape = json!({ "kind": kind, "points": points, "x_multiplier": -2,
            "y_multiplier": 0, "y_ref_type": 3, "open_loop_s": 5.0 });
        if kind == "volt_var" {
            shape["v_ref_pct"] = json!(98.5);
            shape["autonomous_v_ref_s"] = json!(300.0);
        }
        let body = json!({ "name": kind, "shape": shape });
        mrids.push(rig.api().post(&path, &body).await["mrid"].take());
    }
    mrids
}

/// A default with everything that only a default has, and a limit.
pub(super) async fn set_default(rig: &Rig, program: &Value, max_lim_w_pct: f64) {
    let path = format!("/programs/{}/default_control", program.as_str().unwrap());
    let body = json!({
        "base": { "max_lim_w_pct": max_lim_w_pct },
        "grad_pct_per_s": 1.0,
        "soft_grad_pct_per_s": 0.5,
        "enter_service": { "delay_s": 300.0, "high_freq_hz": 60.1, "high_volt_pct": 105.0,
            "low_freq_hz": 59.5, "low_volt_pct": 91.7, "ramp_s": 300.0, "random_delay_s": 10.0 },
    });
    let reply = rig.api().try_put(&path, &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// The device was given the default: ramps in hundredths of percent per second, times in
/// hundredths of seconds.
pub(super) async fn assert_default_is_applied(client: &Client) {
    let what = "the default is applied";
    client
        .polls_until(what, SOON, async || {
            client.applied_last("update_es_permit_service")
        })
        .await;
    let applied = client.applied();
    let given = |method: &str, key: &str| {
        let mut values = applied.iter().filter(|one| one.method == method);
        values.find_map(|one| one.params.get(key).cloned())
    };
    assert_eq!(given("update_p_ramp", "w_ramp"), Some(json!(100)));
    assert_eq!(given("update_p_ramp", "soft_grad_w"), Some(json!(50)));
    assert_eq!(given("update_p_lim", "p_lim_w"), Some(json!(90.0)));
    assert_eq!(
        client.applied_last("update_es_permit_service"),
        Some(json!({
            "es_delay": 30_000, "es_high_freq": 6_010, "es_low_freq": 5_950,
            "es_high_volt": 10_500, "es_low_volt": 9_170, "es_ramp_tms": 30_000,
            "es_random_delay": 1_000,
        }))
    );
}

/// Every mode that is not a curve and that the device does not refuse.
fn scalars() -> Value {
    json!({
        "connect": true,
        "energize": true,
        "fixed_pf_absorb": { "displacement": 0.95, "injects_vars": false },
        "fixed_pf_inject": { "displacement": 0.9, "injects_vars": true },
        "fixed_var": { "pct": -12.5, "of": "set_max_var" },
        "max_lim_w_pct": 75.5,
        "freq_droop": { "db_of_hz": 0.036, "db_uf_hz": 0.034, "k_of_pu": 0.05, "k_uf_pu": 0.04,
            "open_loop_s": 5.0 },
        "ramp_s": 30.0,
    })
}

/// A control of every mode, after which the default holds again: another one than before.
pub(super) async fn assert_every_mode_is_applied(rig: &Rig, client: &Client, program: &Value) {
    set_default(rig, program, 85.0).await;
    let mut base = scalars();
    base["curves"] = curves(rig, program).await.into();
    let control = issue(rig, program, &json!({ "duration_s": 6, "base": base })).await;
    client
        .polls_until("all modes are over", SOON, async || {
            (client.responses(&control) == [1, 2, 3]).then_some(())
        })
        .await;
    until("the new default is applied", SOON, async || {
        let limit = client.applied_last("update_p_lim")?;
        (limit["p_lim_w"] == 85.0).then_some(())
    })
    .await;
    let applied = client.applied();
    let given = |method: &str| {
        let mut of = applied.iter().filter(|one| one.method == method);
        let with = of.find(|one| one.params.get("ramp_tms") == Some(&json!(3_000)));
        &with
            .unwrap_or_else(|| panic!("{method} with its ramp: {applied:#?}"))
            .params
    };
    for (number, (kind, method, [x, y])) in (1_i32..).zip(CURVES) {
        if method.is_empty() {
            continue;
        }
        let points = given(method);
        let expected: Vec<f64> = (1..=3)
            .map(|x| f64::from(1_000 * x + number) * 0.01)
            .collect();
        let xs: Vec<f64> = serde_json::from_value(points[x].clone()).unwrap();
        let close = xs.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close && xs.len() == 3, "{kind}: {points}");
        assert_eq!(points[y], json!([44, 0, -44]), "{kind}: {points}");
    }
    assert_eq!(given("update_qv")["qv_vref"], json!(98.5));
    assert_eq!(given("update_qv")["qv_vref_auto_ena"], json!(1));
    assert_eq!(given("update_qv")["qv_olrt"], json!(5.0));
    assert_eq!(given("update_p_lim")["p_lim_w"], json!(75.5));
    assert_eq!(given("update_const_q")["const_q_pct"], json!(-12.5));
    assert_eq!(given("update_connect")["connected"], json!(true));
    let droop = given("update_pf");
    assert_eq!(
        ["pf_dbof", "pf_dbuf", "pf_kof", "pf_kuf", "pf_olrt"].map(|key| &droop[key]),
        [0.036, 0.034, 0.05, 0.04, 5.0]
            .map(|value| json!(value))
            .each_ref()
    );
    let factor = given("update_const_pf");
    // `excitation` is true while reactive power is absorbed.
    assert_eq!(
        factor["inj"],
        json!({ "pf": 0.9, "excitation": false, "mode": 1 }),
        "{factor}"
    );
    assert_eq!(
        factor["abs"],
        json!({ "pf": 0.95, "excitation": true, "mode": 1 }),
        "{factor}"
    );
}

/// What is asked, the command, why it is refused, the response and the step of the delivery.
type Refusal = (Value, &'static str, &'static str, u8, &'static str);

/// What the device will not do, why, the response that says so, and the step of the delivery.
fn refusals(edition: Edition) -> [Refusal; 4] {
    let unsupported = match edition {
        Edition::Y2018 => 252,
        Edition::Y2023 => 251,
    };
    [
        (
            json!({ "fixed_w_pct": 40.0 }),
            "update_fixed_w",
            "opt_out",
            4,
            "overridden",
        ),
        (
            json!({ "target_w": 5e3 }),
            "update_target_w",
            "invalid",
            253,
            "rejected",
        ),
        (
            json!({ "target_var": 5e2 }),
            "update_target_var",
            "not_supported",
            unsupported,
            "rejected",
        ),
        (
            json!({ "max_lim_w_pct": 1.0 }),
            "update_p_lim",
            "not_configured",
            252,
            "rejected",
        ),
    ]
}

pub(super) async fn assert_refusals_reach_the_ledger(
    rig: &Rig,
    client: &Client,
    (der, program): (&str, &Value),
    edition: Edition,
) -> String {
    let mut text = String::new();
    for (base, method, why, code, state) in refusals(edition) {
        let behaviour = json!({ "refuses": { method: why } });
        Client::behave(&client.folder, &behaviour);
        let body = json!({ "duration_s": 30, "base": base, "terms": { "response_required": 7 } });
        let control = issue(rig, program, &body).await;
        client
            .polls_until(why, SOON, async || {
                (2 <= client.responses(&control).len()).then_some(())
            })
            .await;
        let row = delivery(rig, der, &control).await;
        let responses = client.responses(&control);
        writeln!(text, "{why}: responses {responses:?}, {:?}", states(&row)).unwrap();
        assert_eq!(responses, [1, code], "{why}: {row}");
        assert_eq!(states(&row).last(), Some(&state), "{why}: {row}");
        assert!(
            client
                .applied()
                .iter()
                .any(|one| one.refused.as_deref() == Some(why))
        );
    }
    Client::behave(&client.folder, &json!({}));
    text
}

/// An alarm that comes and goes is two log events, and is in the status for as long as it lasts.
pub(super) async fn assert_alarms_are_logged(rig: &Rig, client: &Client) {
    /// Over-voltage: bit 1 of `DERStatus.alarmStatus`, codes 2 and 3 of CSIP's table 14.
    const OVER_VOLTAGE: u32 = 1 << 1;
    let device = rig.device(1);
    for (alarms, code) in [(OVER_VOLTAGE, 2), (0, 3)] {
        Client::behave(&client.folder, &json!({ "alarms": alarms }));
        let expected = format!("<logEventCode>{code}</logEventCode>");
        until(&format!("log event {code}"), SOON, async || {
            let seen = device.get("/edev/0/lel?s=0&l=10").await.unwrap().text();
            seen.contains(&expected).then_some(())
        })
        .await;
        let raised = format!("<alarmStatus>{OVER_VOLTAGE:08X}</alarmStatus>");
        until("the status says the same", SOON, async || {
            let status = device.get("/edev/0/der/1/ders").await.unwrap().text();
            (status.contains(&raised) == (alarms != 0)).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn py20305_understands_every_mode_and_says_what_it_refuses() {
    let _machine = shared().await;
    let setup = Setup {
        ieee2030_5: DEVICES,
        ..Setup::default()
    };
    let mut rig = Rig::started("py20305-modes", &setup).await;
    let der = enrol(&rig, 1, "in_band").await;
    let program = rig.api().get(&format!("/ders/{der}")).await["program"].take();
    set_default(&rig, &program, 90.0).await;
    let device = rig.device(1);
    let client = Client::start(&rig, &device, Edition::Y2018, &json!({}));
    client.reports(&rig, &der).await;
    assert_default_is_applied(&client).await;
    assert_every_mode_is_applied(&rig, &client, &program).await;
    let scope = (der.as_str(), &program);
    let told = assert_refusals_reach_the_ledger(&rig, &client, scope, Edition::Y2018).await;
    assert_alarms_are_logged(&rig, &client).await;
    write_evidence("py20305-modes.txt", &format!("{}{told}", client.summary()));
    client.assert_all_is_well().await;
    drop(client);
    rig.stop().await;
    rig.audit();
}
