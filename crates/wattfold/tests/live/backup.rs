//! Backup, restoring and moving to PostgreSQL by the command line, while the server works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use wattfold::clock;

use crate::api::Api;
use crate::cluster::Cluster;
use crate::device::{describe_battery, power_meter, power_readings, write};
use crate::rig::{Rig, Setup, alone};

/// A URL of a fresh database.
async fn database() -> String {
    let database = tokio::task::spawn_blocking(|| Cluster::shared().database());
    database.await.unwrap()
}

fn on(url: &str) -> Setup {
    Setup {
        tables: format!("[store]\nurl = \"{url}\"\nlease_ms = 1000"),
        ..Setup::default()
    }
}

/// One device with a meter, and a group.
async fn fill(rig: &Rig) {
    let device = rig.device(1);
    let enrolment = json!({
        "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
        "registration": "out_of_band",
    });
    let mut api = rig.api();
    api.post("/ders", &enrolment).await;
    let mut wire = device.connect().await.unwrap();
    describe_battery(&mut wire, "/edev/0").await;
    let meter = write("POST", "/mup", power_meter(device.lfdi, 16));
    let meter = wire.exchange(&meter).await.unwrap();
    assert_eq!(meter.status, 201, "{meter:?}");
    let readings = power_readings(16, clock::now().secs() - 300, 200);
    let place = meter.header("location").to_owned();
    let posted = wire.exchange(&write("POST", &place, readings)).await;
    assert!((200..300).contains(&posted.unwrap().status));
    let group = json!({ "names": ["kept"], "members": [device.name] });
    api.post("/groups", &group).await;
    crate::rig::until("the readings are stored", STORED_WITHIN, async || {
        (api.metric("wattfold_samples_stored_total").await >= 200).then_some(())
    })
    .await;
}

const STORED_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Enrols without a pause until told that it is enough.
async fn enrol(mut api: Api, is_over: Arc<AtomicBool>, number: Arc<AtomicU64>) {
    while !is_over.load(Ordering::Relaxed) {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "name": format!("e-{number}"), "kind": "pv",
                           "lfdi": format!("{number:040X}") });
        api.post("/ders", &body).await;
    }
}

/// Runs a command of the binary while DER are being enrolled.
async fn while_busy(rig: &Rig, arguments: &[&str], from: u64) -> String {
    let (is_over, number) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(from)),
    );
    let busy = tokio::spawn(enrol(rig.api(), Arc::clone(&is_over), Arc::clone(&number)));
    while number.load(Ordering::Relaxed) < from + 20 {
        tokio::task::yield_now().await;
    }
    let said = rig.wattfold(arguments);
    is_over.store(true, Ordering::Relaxed);
    busy.await.unwrap();
    assert!(said.ends_with("intact\n"), "{said}");
    said
}

fn count(said: &str, what: &str) -> u64 {
    let line = said.lines().find(|line| line.starts_with(what)).unwrap();
    let value = line.split_whitespace().nth(1).unwrap();
    value.split(':').next().unwrap().parse().unwrap()
}

fn refused(rig: &Rig, arguments: &[&str], why: &str) {
    let output = rig.try_wattfold(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(why), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_on_sqlite_is_backed_up_restored_and_moved() {
    let _machine = alone().await;
    let mut rig = Rig::started("backup", &Setup::default()).await;
    fill(&rig).await;
    let said = while_busy(&rig, &["backup", "--data", "data", "kept"], 1).await;
    assert!(
        count(&said, "head") > 20 && count(&said, "samples") >= 200,
        "{said}"
    );
    assert!(
        count(&said, "documents") > 0 && count(&said, "accounts") == 1,
        "{said}"
    );
    refused(
        &rig,
        &["backup", "--data", "data", "kept"],
        "there is a fleet already",
    );
    let url = database().await;
    refused(&rig, &["copy", "--from", "data", "--to", &url], "in use");
    rig.stop().await;

    let restored = rig.wattfold(&["restore", "--data", "restored", "kept"]);
    assert_eq!(restored, said);
    refused(
        &rig,
        &["restore", "--data", "data", "kept"],
        "there is a fleet already",
    );

    let moved = rig.wattfold(&["copy", "--from", "data", "--to", &url]);
    assert!(count(&moved, "head") >= count(&said, "head"), "{moved}");
    let ders = format!("e-{}", 20);
    refused(
        &rig,
        &["copy", "--from", "data", "--to", &url],
        "there is a fleet already",
    );
    let mut there = rig.beside("backup-moved", &on(&url));
    there.start().await;
    let mut api = Api::new(there.enterprise, "admin", &rig.password());
    let names = api.list("/ders").await;
    assert!(names.iter().any(|der| der["name"] == ders.as_str()));
    api.post("/groups", &json!({ "names": ["later"], "members": [ders] }))
        .await;
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_on_postgresql_is_backed_up_and_restored() {
    let _machine = alone().await;
    let url = database().await;
    let mut rig = Rig::started("backup-pg", &on(&url)).await;
    fill(&rig).await;
    let from = ["backup", "--config", "wattfold.toml", "kept"];
    let said = while_busy(&rig, &from, 1).await;
    assert!(
        count(&said, "head") > 20 && count(&said, "samples") >= 200,
        "{said}"
    );
    rig.stop().await;
    let audit = rig.wattfold(&["audit", "verify", "--data", "kept"]);
    assert!(audit.ends_with("intact\n"), "{audit}");
    let into = ["restore", "--config", "wattfold.toml", "kept"];
    refused(&rig, &into, "there is a fleet already");

    let password = rig.password();
    rig.configure(&on(&database().await));
    let empty = ["backup", "--config", "wattfold.toml", "none"];
    refused(&rig, &empty, "is not a wattfold store");
    assert_eq!(rig.wattfold(&into), said);
    rig.start().await;
    let mut api = Api::new(rig.enterprise, "admin", &password);
    assert!(api.list("/ders").await.len() > 20);
    rig.stop().await;
}
