//! A disk that is full, fails, is read-only or has changed what was written: the server says which
//! file and why, and once the cause is gone everything acknowledged is there.
//!
//! Failures of single calls are injected with strace(1), so that nothing in the product knows of
//! the test.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use wattfold::clock;

use crate::api::Api;
use crate::device::{Device, power_meter, power_readings, write};
use crate::rig::{Rig, Setup, alone, shared, until};

const METER: u128 = 0x2030_7000;
/// The size of an SQLite page.
const PAGE: u64 = 4_096;
/// More than fit into the writes before the failure.
const ENROLMENTS: usize = 500;
const STORED_WITHIN: Duration = Duration::from_secs(30);

/// What strace is to have this call on a file of the data directory answer, and when.
fn failing(rig: &Rig, file: &str, (call, error, when): (&str, &str, &str)) -> Vec<String> {
    let path = rig.data().join(file);
    let inject = format!("inject={call}:error={error}:when={when}");
    let path = path.to_str().unwrap();
    let trace = format!("trace={call}");
    // -D: the server stays the child of whoever starts it.
    let command = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P", path];
    let what = ["-e", trace.as_str(), "-e", inject.as_str()];
    command.into_iter().chain(what).map(str::to_owned).collect()
}

async fn names(rig: &Rig) -> BTreeSet<String> {
    let ders = rig.api().list("/ders").await;
    let name = |der: &serde_json::Value| der["name"].as_str().unwrap().to_owned();
    ders.iter().map(name).collect()
}

/// Enrols until that is refused or nobody answers; gives the names that were acknowledged.
async fn enrol(mut api: Api) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for number in 1..=ENROLMENTS {
        let name = format!("enrolled-{number:06}");
        let body = json!({ "name": name, "kind": "pv", "lfdi": format!("{number:040X}") });
        match api.try_post("/ders", &body).await {
            Ok(reply) if reply.status == 201 => {
                acknowledged.insert(name);
            }
            Ok(reply) => {
                assert!([500, 503].contains(&reply.status), "{reply:?}");
                return acknowledged;
            }
            Err(_) => return acknowledged,
        }
    }
    panic!("all {ENROLMENTS} were acknowledged, so that nothing failed");
}

async fn stops_and_has_all(name: &str, fault: (&str, &str, &str), reason: &str) {
    let _machine = shared().await;
    let mut rig = Rig::started(name, &Setup::default()).await;
    rig.stop().await;
    rig.under = failing(&rig, "fleet.sqlite-wal", fault);
    rig.start().await;
    let acknowledged = enrol(rig.api()).await;
    rig.ended().await;
    let log = rig.whole_log();
    assert!(!acknowledged.is_empty());
    for part in ["data/fleet.sqlite failed", reason] {
        assert!(log.contains(part), "{part} is not in:\n{log}");
    }
    rig.under.clear();
    rig.start().await;
    let there = names(&rig).await;
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "{lost:?}");
    println!("{name}: {} acknowledged DER are there", acknowledged.len());
    rig.stop().await;
    rig.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_server_which_has_everything_afterwards() {
    let full = ("pwrite64", "ENOSPC", "60+");
    stops_and_has_all("disk-full", full, "database or disk is full").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_does_not_sync_stops_the_server_which_has_everything_afterwards() {
    let failing = ("fsync,fdatasync", "EIO", "20+");
    stops_and_has_all("disk-sync", failing, "disk I/O error").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_turns_read_only_stops_the_server_which_has_everything_afterwards() {
    let read_only = ("pwrite64", "EROFS", "60+");
    stops_and_has_all("disk-turned", read_only, "disk I/O error").await;
}

/// On a mount of its own, since the superuser may write whatever the mode of a file is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_says_that_its_disk_is_read_only() {
    const READ_ONLY: &str =
        r#"mount --bind data data && mount -o remount,bind,ro data && exec "$@""#;
    let _machine = shared().await;
    let mut rig = Rig::started("disk-read-only", &Setup::default()).await;
    let body = json!({ "name": "kept", "kind": "pv", "lfdi": "A".repeat(40) });
    rig.api().post("/ders", &body).await;
    rig.stop().await;
    rig.under = ["unshare", "-rm", "sh", "-c", READ_ONLY, "sh"]
        .map(str::to_owned)
        .to_vec();
    let log = rig.start_in_vain().await;
    for part in ["data can't be opened", "Read-only file system"] {
        assert!(log.contains(part), "{part} is not in:\n{log}");
    }
    rig.under.clear();
    rig.start().await;
    assert!(names(&rig).await.contains("kept"));
    rig.stop().await;
}

/// A device with a meter.
async fn metered(rig: &Rig) -> (Device, String) {
    let device = rig.device(1);
    let enrolment = json!({
        "name": device.name, "kind": "pv", "lfdi": device.lfdi.to_string(),
        "registration": "out_of_band",
    });
    rig.api().post("/ders", &enrolment).await;
    let meter = write("POST", "/mup", power_meter(device.lfdi, METER));
    let meter = device.ask(&meter).await.unwrap();
    assert_eq!(meter.status, 201, "{meter:?}");
    (device, meter.header("location").to_owned())
}

/// Posts so many single readings, each acknowledged, from `start_s` on.
async fn post((device, meter): &(Device, String), start_s: i64, count: i64) {
    let mut wire = device.connect().await.unwrap();
    for second in start_s..start_s + count {
        let reading = write("POST", meter, power_readings(METER, second, 1));
        let reply = wire.exchange(&reading).await.unwrap();
        assert_eq!(reply.status, 204, "{reply:?}");
    }
}

async fn count_readings(rig: &Rig, start_s: i64) -> usize {
    let mut api = rig.api();
    let ders = api.list("/ders").await;
    let at = |s: i64| Timestamp::from_second(s).unwrap();
    let path = format!(
        "/telemetry?der={}&quantity=p_w&limit=10000&from={}&to={}",
        ders[0]["mrid"].as_str().unwrap(),
        at(start_s),
        at(start_s + 3_000)
    );
    let series = api.get(&path).await;
    series["points"].as_array().unwrap().len()
}

/// The writes of one thread fail for a while, and then don't.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_wait_for_a_disk_that_is_full() {
    let _machine = alone().await;
    let mut rig = Rig::started("disk-readings", &Setup::default()).await;
    let meter = metered(&rig).await;
    rig.stop().await;
    let full = ("pwrite64", "ENOSPC", "1..6");
    rig.under = failing(&rig, "telemetry.sqlite-wal", full);
    rig.start().await;
    let start_s = clock::now().secs() - 2_000;
    post(&meter, start_s, 40).await;
    until("all readings are stored", STORED_WITHIN, async || {
        (count_readings(&rig, start_s).await == 40).then_some(())
    })
    .await;
    let log = rig.whole_log();
    for part in ["data/telemetry.sqlite", "database or disk is full"] {
        assert!(log.contains(part), "{part} is not in:\n{log}");
    }
    assert_eq!(rig.api().metric("wattfold_samples_shed_total").await, 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readings_of_the_last_moment_are_there_after_an_orderly_stop() {
    let _machine = shared().await;
    let mut rig = Rig::started("disk-orderly", &Setup::default()).await;
    let meter = metered(&rig).await;
    let start_s = clock::now().secs() - 2_000;
    post(&meter, start_s, 20).await;
    rig.stop().await;
    rig.start().await;
    assert_eq!(count_readings(&rig, start_s).await, 20);
    rig.stop().await;
}

/// Overwrites the last page of a file, and gives what was there.
fn damage(path: &Path) -> Vec<u8> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let last = file.metadata().unwrap().len() - PAGE;
    let mut page = vec![0; usize::try_from(PAGE).unwrap()];
    file.read_exact_at(&mut page, last).unwrap();
    file.write_all_at(&vec![0xa5; page.len()], last).unwrap();
    page
}

fn repair(path: &Path, page: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let last = file.metadata().unwrap().len() - PAGE;
    file.write_all_at(page, last).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_says_which_file_is_damaged() {
    let _machine = shared().await;
    let mut rig = Rig::started("disk-damaged", &Setup::default()).await;
    let meter = metered(&rig).await;
    let start_s = clock::now().secs() - 2_000;
    post(&meter, start_s, 300).await;
    rig.stop().await;
    for (file, reason) in [
        ("fleet.sqlite", "fleet.sqlite is damaged"),
        ("telemetry.sqlite", "telemetry.sqlite can't be used"),
    ] {
        let path = rig.data().join(file);
        let page = damage(&path);
        let log = rig.start_in_vain().await;
        assert!(log.contains(reason), "{reason} is not in:\n{log}");
        repair(&path, &page);
    }
    rig.start().await;
    assert_eq!(count_readings(&rig, start_s).await, 300);
    rig.stop().await;
    rig.audit();
}
