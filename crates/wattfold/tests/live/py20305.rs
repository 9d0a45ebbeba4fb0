//! py20305, another team's client: registers, reports, is dispatched, applies it and says so.

mod aggregator;
mod client;
mod edition;
mod events;
mod modes;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use wattfold::clock;

use crate::device::Device;
use crate::rig::{Rig, Setup, shared, until};
use client::{Applied, Client, Edition, write_evidence};

const COMPLETED_WITHIN: Duration = Duration::from_secs(90);
/// Longer than the client waits between two looks, whatever `pollRate` says.
const START_IN_S: i64 = 14;
const DISPATCH_S: i64 = 12;
const TARGET_W: f64 = 3_500.0;
const PIN: u32 = 123_455;

const DEVICES: &str = "poll_rate_s = 1\npost_rate_s = 1\nforward = \"injected\"";

/// A DER with the certificate of this number, which registers itself or is registered already.
async fn enrol(rig: &Rig, number: usize, registration: &str) -> String {
    let device = rig.device(number);
    let enrolment = json!({
        "name": device.name, "kind": "pv", "lfdi": device.lfdi.to_string(), "pin": PIN,
        "registration": registration,
    });
    let der = rig.api().post("/ders", &enrolment).await;
    der["mrid"].as_str().unwrap().to_owned()
}

async fn dispatch(rig: &Rig, mrid: &str) -> String {
    let mut api = rig.api();
    let group = json!({ "names": ["py20305"], "members": [mrid] });
    let group = api.post("/groups", &group).await;
    let start = Timestamp::from_second(clock::now().secs() + START_IN_S).unwrap();
    let asked = json!({
        "group": group["mrid"], "name": "another team's device", "ramp_s": 4,
        "schedule": [{ "start": start.to_string(), "duration_s": DISPATCH_S, "p_w": TARGET_W }],
    });
    let dispatch = api.post("/dispatches", &asked).await;
    dispatch["mrid"].as_str().unwrap().to_owned()
}

/// Waits until the device has said that it is done, and gives the row of its delivery.
async fn completed(rig: &Rig, client: &Client, dispatch: &str) -> Value {
    let mut api = rig.api();
    let path = format!("/dispatches/{dispatch}/deliveries");
    let what = format!("py20305 completes; see {}", client.folder.display());
    until(&what, COMPLETED_WITHIN, async || {
        let row = api.list(&path).await.remove(0);
        let completed = row["controls"][0]["state"] == "completed";
        completed.then_some(row)
    })
    .await
}

/// What was said of the control.
fn told(delivery: &Value, responses: &[u8]) -> String {
    let mut text = format!("Responses posted, in order: {responses:?}\n");
    writeln!(text, "Delivery as the REST API shows it:").unwrap();
    for entry in delivery["controls"][0]["entries"].as_array().unwrap() {
        let field = |name: &str| entry[name].as_str().unwrap();
        let (at, state, evidence) = (field("at"), field("state"), field("evidence"));
        writeln!(text, "  {at} {state:<10} {evidence}").unwrap();
    }
    writeln!(
        text,
        "asked {} W, verdict {}, delivered {} Wh of {} Wh",
        delivery["controls"][0]["p_w"],
        delivery["verdict"],
        delivery["delivered_wh"],
        delivery["asked_wh"]
    )
    .unwrap();
    text
}

/// The client registered, described its device and posted its meter.
fn assert_everything_was_taken(client: &Client) {
    let exchanges = client.exchanges();
    for (method, path, status) in [
        ("POST", "/edev", 201),
        ("PUT", "/edev/0/der/1/dercap", 204),
        ("PUT", "/edev/0/der/1/derg", 204),
        ("PUT", "/edev/0/der/1/ders", 204),
        ("PUT", "/edev/0/der/1/dera", 204),
        ("POST", "/mup", 201),
    ] {
        let happened = exchanges.iter().any(|e| e.is(method, path, status));
        assert!(happened, "{method} {path} {status}");
    }
}

/// Started again, it does not register again, and finds the PIN that it expects.
async fn finds_itself_registered(rig: &Rig, device: &Device) {
    let pins = json!({ "registration_pins": { device.lfdi.to_string(): PIN } });
    let client = Client::start(rig, device, Edition::Y2018, &pins);
    let what = format!("the PIN is found; see {}", client.folder.display());
    until(&what, COMPLETED_WITHIN, async || {
        let log = client.log();
        let found = log.contains("Registration PIN verified")
            && log.contains("EndDevice already registered");
        found.then_some(())
    })
    .await;
    let registered = client.exchanges();
    let registered = registered.iter().filter(|e| e.is("POST", "/edev", 201));
    assert_eq!(registered.count(), 1, "of both runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn py20305_registers_reports_and_delivers_a_dispatch() {
    let _machine = shared().await;
    let setup = Setup {
        ieee2030_5: DEVICES,
        ..Setup::default()
    };
    let mut rig = Rig::started("py20305", &setup).await;
    let mrid = enrol(&rig, 1, "in_band").await;
    let device = rig.device(1);
    let client = Client::start(&rig, &device, Edition::Y2018, &json!({}));
    let der = client.reports(&rig, &mrid).await;
    assert_eq!(der["p_w"]["value"], 6_000.0, "{der}");
    assert_eq!(der["capability"]["p_inject_max_w"], 10_000.0);
    assert_eq!(der["state"], "reachable");

    let dispatched = dispatch(&rig, &mrid).await;
    let delivery = completed(&rig, &client, &dispatched).await;
    let control = delivery["controls"][0]["mrid"].as_str().unwrap();
    let responses = client.responses(control);
    let text = format!("{}\n{}", client.summary(), told(&delivery, &responses));
    write_evidence("py20305-dispatch.txt", &text);
    assert_eq!(
        client::states(&delivery["controls"][0]),
        [
            "planned",
            "sent",
            "received",
            "started",
            "following",
            "completed"
        ],
        "{delivery}"
    );
    assert_eq!(responses, [1, 2, 3]);
    assert_eq!(delivery["verdict"], "delivered", "{delivery}");
    let applied = client.applied();
    let is_asked =
        |one: &Applied| one.method == "update_target_w" && one.params["watts"] == TARGET_W;
    assert!(applied.iter().any(is_asked), "{applied:#?}");
    assert_everything_was_taken(&client);
    client.assert_all_is_well().await;
    drop(client);
    finds_itself_registered(&rig, &device).await;
    rig.stop().await;
    rig.audit();
}
