//! `sep2_client` 0.1.0, another team's client in Rust: registers, walks by links and reads what it is
//! asked. Its own types keep it from responding: an mRID loses its first two digits when it is read
//! and gets `0x` before it when it is written, which is no `xs:hexBinary`
//! (`sep2_common` 0.1.0, `HexBinary128`).

use std::process::Command;

use serde_json::json;

use crate::peers;
use crate::rig::{Rig, Setup, shared};

/// What the client says it did: its word and the rest.
async fn run(rig: &Rig) -> Vec<(String, String)> {
    let device = rig.device_with_leaf_only(1);
    let mut command = Command::new(peers::sep2_client());
    command
        .arg(format!("https://localhost:{}", rig.devices.port()))
        .arg(rig.dir.join(format!("{}.leaf.pem", device.name)))
        .arg(rig.pki().join(format!("{}.key.pem", device.name)))
        .arg(rig.pki().join("ca-chain.pem"))
        .arg(device.lfdi.to_string());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let told = String::from_utf8(output.stdout).unwrap();
    println!("{told}");
    let lines = told.lines().map(|line| line.split_once(' ').unwrap());
    lines
        .map(|(word, rest)| (word.to_owned(), rest.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sep2_client_registers_and_reads_what_it_is_asked() {
    let _machine = shared().await;
    let mut rig = Rig::started("sep2_client", &Setup::default()).await;
    let lfdi = rig.device(1).lfdi.to_string();
    let enrolment = json!({ "name": "sep2_client", "kind": "pv", "lfdi": lfdi });
    let mut der = rig.api().post("/ders", &enrolment).await;
    let program = format!("/programs/{}", der["program"].as_str().unwrap());
    let grad = json!({ "grad_pct_per_s": 2.5 });
    let default = rig
        .api()
        .try_put(&format!("{program}/default_control"), &grad)
        .await;
    assert_eq!(default.status, 200, "{default:?}");
    let shape =
        json!({ "kind": "volt_var", "points": [{ "x": 92, "y": 44 }, { "x": 108, "y": -44 }] });
    let curve = rig
        .api()
        .post(&format!("{program}/curves"), &json!({ "shape": shape }))
        .await;
    let base = json!({ "max_lim_w_pct": 62.5, "curves": [curve["mrid"]] });
    let control = json!({ "start": "2040-01-01T00:00:00Z", "duration_s": 600, "base": base });
    let control = rig
        .api()
        .post(&format!("{program}/controls"), &control)
        .await;

    let told = run(&rig).await;
    let said = |word: &str| {
        let found = told.iter().find(|(first, _)| first == word);
        found
            .unwrap_or_else(|| panic!("{word}: {told:?}"))
            .1
            .as_str()
    };
    assert_eq!(said("registered"), "/edev/0");
    assert_eq!(said("available"), "204 No Content");
    assert_eq!(said("default"), "Some(250)");
    assert_eq!(said("curve"), "OpModVoltVar 2");
    let mrid = control["mrid"].as_str().unwrap();
    let read = format!("00{} Some(6250) 2208988800 600", &mrid[2..]);
    assert_eq!(
        said("control"),
        read,
        "without the first two digits of {mrid}"
    );
    assert!(said("subject").starts_with("0x00"), "{told:?}");
    assert!(
        said("responded").starts_with("400 Bad Request - Error"),
        "{told:?}"
    );

    der = rig
        .api()
        .get(&format!("/ders/{}", der["mrid"].as_str().unwrap()))
        .await;
    assert_eq!(der["registration"], "registered", "{der}");
    assert_eq!(der["controls"][0]["delivery_state"], "sent", "{der}");
    rig.stop().await;
    rig.audit();
}
