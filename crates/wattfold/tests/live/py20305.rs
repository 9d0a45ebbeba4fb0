//! py20305, another team's client: registers, reports, is dispatched, applies it and says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use fleet::Lfdi;
use jiff::Timestamp;
use serde_json::{Value, json};
use wattfold::clock;

use crate::peers::{self, Running};
use crate::rig::{Rig, Setup, shared, until};

const REGISTERED_WITHIN: Duration = Duration::from_secs(60);
const COMPLETED_WITHIN: Duration = Duration::from_secs(90);
/// Longer than the client waits between two looks, whatever `pollRate` says.
const START_IN_S: i64 = 14;
const DISPATCH_S: i64 = 12;
const TARGET_W: f64 = 3_500.0;

/// One request of the client and its answer.
#[derive(Debug, serde::Deserialize)]
struct Exchange {
    method: String,
    path: String,
    status: u16,
    sent: String,
}

struct Client {
    _running: Running,
    transcript: PathBuf,
    log: PathBuf,
}

impl Client {
    fn start(rig: &Rig, name: &str, lfdi: Lfdi) -> Self {
        let (config, transcript) = (rig.dir.join("client.json"), rig.dir.join("exchanges.jsonl"));
        let log = rig.dir.join("client.log");
        let text = json!({
            "server": {
                "url": format!("https://localhost:{}", rig.devices.port()),
                "server_2018_compat": true,
            },
            "tls": {
                "client_cert": format!("pki/{name}.chain.pem"),
                "client_key": format!("pki/{name}.key.pem"),
                "ca_cert": "pki/ca-chain.pem",
            },
            "devices": [{
                "type": "custom",
                "class_path": "py20305_device.Inverter",
                "lfdi": lfdi.to_string(),
            }],
            "telemetry": { "post_rate_seconds": 1 },
            "history": { "enabled": false },
        });
        std::fs::write(&config, text.to_string()).unwrap();
        let child = Command::new(peers::python())
            .arg(peers::script("py20305_device.py"))
            .args([&config, &transcript])
            .current_dir(&rig.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            _running: Running(child),
            transcript,
            log,
        }
    }

    fn exchanges(&self) -> Vec<Exchange> {
        let text = std::fs::read_to_string(&self.transcript).unwrap_or_default();
        // The last line may be half written.
        let lines = text.lines().map(serde_json::from_str);
        lines.filter_map(Result::ok).collect()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Waits until the DER is registered, described and metered.
async fn reports(rig: &Rig, client: &Client, mrid: &str) -> Value {
    let mut api = rig.api();
    until(
        &format!("py20305 reports; see {}", client.log.display()),
        REGISTERED_WITHIN,
        async || {
            let der = api.get(&format!("/ders/{mrid}")).await;
            let told = der["registration"] == "registered"
                && der["capability"].is_object()
                && der["settings"].is_object()
                && der["p_available_w"].is_object()
                && der["p_w"].is_object();
            told.then_some(der)
        },
    )
    .await
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
    until(
        &format!("py20305 completes; see {}", client.log.display()),
        COMPLETED_WITHIN,
        async || {
            let row = api.list(&path).await.remove(0);
            let completed = row["controls"][0]["state"] == "completed";
            completed.then_some(row)
        },
    )
    .await
}

/// What was asked and answered, most frequent last, and what was said of the control.
fn summary(exchanges: &[Exchange], delivery: &Value) -> String {
    let mut counts = BTreeMap::<_, usize>::new();
    for exchange in exchanges {
        let key = (&exchange.method, &exchange.path, exchange.status);
        *counts.entry(key).or_default() += 1;
    }
    let mut text = format!("py20305: {} exchanges\n\n", exchanges.len());
    for ((method, path, status), count) in counts {
        writeln!(text, "{count:>5} × {method:<4} {status} {path}").unwrap();
    }
    writeln!(
        text,
        "\nResponses posted, in order: {:?}",
        responses(exchanges)
    )
    .unwrap();
    writeln!(text, "Delivery as the REST API shows it:").unwrap();
    for entry in delivery["controls"][0]["entries"].as_array().unwrap() {
        let field = |name: &str| entry[name].as_str().unwrap();
        writeln!(
            text,
            "  {} {:<10} {}",
            field("at"),
            field("state"),
            field("evidence")
        )
        .unwrap();
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

/// The status of each Response that the server took.
fn responses(exchanges: &[Exchange]) -> Vec<u8> {
    let posted = exchanges
        .iter()
        .filter(|e| e.method == "POST" && e.status == 201 && e.path.starts_with("/rsps/"));
    posted
        .map(|exchange| {
            let (_, rest) = exchange.sent.split_once("status>").unwrap();
            rest.split('<').next().unwrap().parse().unwrap()
        })
        .collect()
}

/// The client registered, described its device and posted its meter, and nothing was refused.
fn assert_everything_was_taken(exchanges: &[Exchange]) {
    for (method, path, status) in [
        ("POST", "/edev", 201),
        ("PUT", "/edev/0/der/1/dercap", 204),
        ("PUT", "/edev/0/der/1/derg", 204),
        ("PUT", "/edev/0/der/1/ders", 204),
        ("PUT", "/edev/0/der/1/dera", 204),
        ("POST", "/mup", 201),
    ] {
        let happened =
            |e: &Exchange| (e.method.as_str(), e.path.as_str(), e.status) == (method, path, status);
        assert!(exchanges.iter().any(happened), "{method} {path} {status}");
    }
    let refused: Vec<&Exchange> = exchanges.iter().filter(|e| e.status >= 400).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

fn write_evidence(text: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../evidence");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("py20305.txt"), text).unwrap();
    println!("{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn py20305_registers_reports_and_delivers_a_dispatch() {
    let _machine = shared().await;
    let setup = Setup {
        ieee2030_5: "poll_rate_s = 1\npost_rate_s = 1\nforward = \"injected\"",
        ..Setup::default()
    };
    let mut rig = Rig::started("py20305", &setup).await;
    let device = rig.device(1);
    let enrolment = json!({ "name": "py20305", "kind": "pv", "lfdi": device.lfdi.to_string() });
    let der = rig.api().post("/ders", &enrolment).await;
    assert_eq!(der["registration"], "authorised");
    let mrid = der["mrid"].as_str().unwrap();

    let client = Client::start(&rig, &device.name, device.lfdi);
    let der = reports(&rig, &client, mrid).await;
    assert_eq!(der["p_w"]["value"], 6_000.0, "{der}");
    assert_eq!(der["capability"]["p_inject_max_w"], 10_000.0);
    assert_eq!(der["state"], "reachable");

    let dispatched = dispatch(&rig, mrid).await;
    let delivery = completed(&rig, &client, &dispatched).await;
    let exchanges = client.exchanges();
    write_evidence(&summary(&exchanges, &delivery));
    let states: Vec<&str> = delivery["controls"][0]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states,
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
    assert_eq!(responses(&exchanges), [1, 2, 3]);
    assert_eq!(delivery["verdict"], "delivered", "{delivery}");
    let log = client.log();
    assert!(
        log.contains("update_fixed_w({'WSetEna': 1"),
        "not applied; see {}",
        client.log.display()
    );

    assert_everything_was_taken(&exchanges);
    let transcript = [client.transcript.to_str().unwrap().to_owned()];
    drop(client);
    let judged = peers::run("sep_valid.py", &transcript).await;
    let told = String::from_utf8_lossy(&judged.stdout);
    assert!(
        judged.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&judged.stderr)
    );
    println!("{told}");
    rig.stop().await;
    rig.audit();
}
