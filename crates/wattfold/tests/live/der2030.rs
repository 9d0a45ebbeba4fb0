//! `wattfold der2030` as an aggregator of the real server, with notifications over mutual TLS.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wattfold::clock;

use crate::rig::{Rig, Setup, free_address, shared, until};

/// More than a change may take to arrive on a busy machine.
const SOON: Duration = Duration::from_secs(30);
const DEVICES: usize = 3;

const LOOPBACK: &str = "poll_rate_s = 1\npost_rate_s = 1\n\
    [ieee2030_5.notifications]\nnetworks = [\"127.0.0.0/8\"]\n";

/// A client that runs until it is dropped.
struct Run {
    child: Child,
    out: PathBuf,
}

impl Run {
    fn start(rig: &Rig, name: &str) -> Self {
        let out = rig.dir.join(format!("{name}.out"));
        let log = std::fs::File::create(rig.dir.join(format!("{name}.log"))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_wattfold"))
            .args(["der2030", "run", "--json", "--config", "aggregator.toml"])
            .args(["--state", "aggregator.state"])
            .current_dir(&rig.dir)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&out).unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, out }
    }

    /// What it has said so far.
    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.out).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    async fn says(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        until(what, SOON, async || self.lines().into_iter().find(&is_it)).await
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("{}: {error}", self.out.display());
        }
    }
}

/// Enrols the aggregator and its devices, and writes its configuration.
async fn enrolled(rig: &Rig) -> Vec<Value> {
    let aggregator = rig.device(1);
    let enrolment = json!({
        "name": "aggregator", "lfdi": aggregator.lfdi.to_string(), "registration": "out_of_band",
    });
    let id = rig.api().post("/aggregators", &enrolment).await["id"].clone();
    let mut ders = Vec::new();
    let mut list = String::new();
    for number in 2..2 + DEVICES {
        let device = rig.device(number);
        list += &format!("{}\n", device.lfdi);
        let enrolment = json!({
            "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
            "registration": "out_of_band", "aggregator": id,
        });
        ders.push(rig.api().post("/ders", &enrolment).await);
    }
    std::fs::write(rig.dir.join("devices.csv"), list).unwrap();
    let (listen, server, name) = (free_address(), rig.devices, &aggregator.name);
    let config = format!(
        "[server]\nurl = \"https://{server}/dcap\"\n\
         [tls]\ncert = \"pki/{name}.chain.pem\"\nkey = \"pki/{name}.key.pem\"\n\
         ca = \"pki/ca-chain.pem\"\n\
         [subscription]\nlisten = \"{listen}\"\nuri = \"https://{listen}/ntf\"\n\
         [devices]\nfile = \"devices.csv\"\n\
         make = {{ kind = \"storage\", p_inject_max_w = 5000, p_absorb_max_w = 5000 }}\n"
    );
    std::fs::write(rig.dir.join("aggregator.toml"), config).unwrap();
    ders
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregator_is_told_of_a_control_and_goes_on_with_it_after_a_kill() {
    let _machine = shared().await;
    let setup = Setup {
        devices: 1 + DEVICES,
        ieee2030_5: LOOPBACK,
        ..Setup::default()
    };
    let rig = Rig::started("der2030", &setup).await;
    let ders = enrolled(&rig).await;
    let run = Run::start(&rig, "first");
    for der in &ders {
        run.says("every device is in service", |it| {
            it["lfdi"] == der["lfdi"] && it["stage"] == "in service"
        })
        .await;
    }
    run.says("it has subscribed", |it| {
        it["subscribed"].as_u64() >= Some(1 + 4 * 3)
    })
    .await;
    let start = jiff::Timestamp::from_second(clock::now().secs() + 3).unwrap();
    let program = ders[0]["program"].as_str().unwrap();
    let control = json!({
        "start": start.to_string(), "duration_s": 15, "base": { "target_w": -2_000 },
    });
    let path = format!("/programs/{program}/controls");
    let issued = rig.api().post(&path, &control).await;
    run.says("a notification has come", |it| it["notified"] == 204)
        .await;
    let asked = run
        .says("the device is asked", |it| {
            it["setpoint"]["opModTargetW"].is_object()
        })
        .await;
    assert_eq!(asked["lfdi"], ders[0]["lfdi"]);
    assert_eq!(asked["setpoint"]["opModTargetW"]["value"], -2_000.0);
    assert_eq!(asked["setpoint"]["opModTargetW"]["event"], issued["mrid"]);
    run.says("the start is answered", |it| it["response"] == 2)
        .await;
    run.kill();
    let run = Run::start(&rig, "second");
    let again = run
        .says("the device is asked again", |it| {
            it["setpoint"]["opModTargetW"].is_object()
        })
        .await;
    assert_eq!(again["setpoint"], asked["setpoint"]);
    run.says("the end is answered", |it| it["response"] == 3)
        .await;
    let told: Vec<Value> = run
        .lines()
        .into_iter()
        .filter(|it| it["response"].is_u64())
        .collect();
    assert_eq!(
        told.len(),
        1,
        "what was said before the kill is not said again: {told:?}"
    );
}
