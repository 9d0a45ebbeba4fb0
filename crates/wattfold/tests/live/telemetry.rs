//! More readings than can be written: some are shed and counted, and controls do not wait.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;
use wattfold::clock;
use wattfold::telemetry::MAX_WAITING_SAMPLES;

use crate::api::Api;
use crate::device::{Device, power_meter, power_readings, write};
use crate::peers::{self, Running};
use crate::rig::{Rig, Setup, alone, until};

const METER: u128 = 0x2030_5000;
const READINGS: usize = 1_000;
const POSTING: usize = 4;
/// Half as much again as the queue holds.
const POSTS: usize = MAX_WAITING_SAMPLES * 3 / 2 / READINGS;
const COMMANDED_WITHIN: Duration = Duration::from_secs(2);
const RESIDENT_MORE_MAX: u64 = 200 * 1_024 * 1_024;

/// While it lives nobody can write the database.
struct Lock {
    running: Running,
    _held: ChildStdin,
}

impl Lock {
    fn take(file: &Path) -> Self {
        let mut child = Command::new(peers::python())
            .arg(peers::script("hold_lock.py"))
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let held = child.stdin.take().unwrap();
        let mut answer = BufReader::new(child.stdout.take().unwrap());
        let running = Running(child);
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        assert_eq!(line, "locked\n");
        Self {
            running,
            _held: held,
        }
    }

    fn release(self) {
        drop(self.running);
    }
}

/// Posts every `POSTING`th block of readings.
async fn flood(device: Device, meter: String, first: usize, start_s: i64) {
    let mut wire = device.connect().await.unwrap();
    for post in (first..POSTS).step_by(POSTING) {
        let begin_s = start_s + i64::try_from(post * READINGS).unwrap();
        let body = power_readings(METER, begin_s, READINGS);
        let reply = wire.exchange(&write("POST", &meter, body)).await.unwrap();
        assert_eq!(reply.status, 204, "{reply:?}");
    }
}

/// Enrols the device with a meter for its power, and gives the address of the meter.
async fn metered(device: &Device, api: &mut Api) -> String {
    let enrolment = json!({
        "name": device.name, "kind": "pv", "lfdi": device.lfdi.to_string(), "mrid": "metered",
        "registration": "out_of_band",
    });
    api.post("/ders", &enrolment).await;
    let meter = write("POST", "/mup", power_meter(device.lfdi, METER));
    let meter = device.ask(&meter).await.unwrap();
    assert_eq!(meter.status, 201, "{meter:?}");
    meter.header("location").to_owned()
}

/// Gives one command after the other until all is posted. Returns how many, and the longest time
/// that one took.
async fn command_meanwhile(api: &mut Api, mut posting: JoinSet<()>) -> (usize, Duration) {
    let (mut commands, mut longest) = (0, Duration::ZERO);
    while !posting.is_empty() {
        let group = json!({ "names": [format!("group {commands}")], "members": ["metered"] });
        let asked = clock::now();
        api.post("/groups", &group).await;
        longest = longest.max(clock::now().since(asked));
        commands += 1;
        while let Some(ended) = posting.try_join_next() {
            ended.unwrap();
        }
    }
    (commands, longest)
}

async fn stores_the_next(device: &Device, api: &mut Api, meter: &str) {
    let at_s = clock::now().secs() - 50;
    let reading = write("POST", meter, power_readings(METER, at_s, 1));
    assert_eq!(device.ask(&reading).await.unwrap().status, 204);
    let at = |s: i64| Timestamp::from_second(s).unwrap();
    let path = format!(
        "/telemetry?der=metered&quantity=p_w&from={}&to={}",
        at(at_s),
        at(at_s + 1)
    );
    until(
        "the next reading is stored",
        Duration::from_secs(5),
        async || {
            let found = api.get(&path).await;
            let points = found["points"].as_array().unwrap();
            (points.len() == 1).then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_readings_is_shed_while_commands_are_taken() {
    let _machine = alone().await;
    let mut rig = Rig::started("telemetry", &Setup::default()).await;
    let (device, mut api) = (rig.device(1), rig.api());
    let meter = metered(&device, &mut api).await;
    let idle = rig.resident_bytes();
    let lock = Lock::take(&rig.data().join("telemetry.sqlite"));
    let sent = u64::try_from(POSTS * READINGS).unwrap();
    let start_s = clock::now().secs() - i64::try_from(sent).unwrap() - 100;
    let began = clock::now();
    let mut posting = JoinSet::new();
    for first in 0..POSTING {
        posting.spawn(flood(device.clone(), meter.clone(), first, start_s));
    }
    let (commands, longest) = command_meanwhile(&mut api, posting).await;
    let took = clock::now().since(began);
    let shed = api.metric("wattfold_samples_shed_total").await;
    let resident = rig.resident_bytes();
    println!(
        "{sent} readings in {took:?}, {shed} shed; the longest of {commands} commands took \
         {longest:?}; {} MiB resident, before {} MiB",
        resident >> 20,
        idle >> 20
    );
    assert!(longest < COMMANDED_WITHIN, "{longest:?}");
    assert!(0 < shed);
    assert!(resident < idle + RESIDENT_MORE_MAX, "{resident}");

    lock.release();
    let accounted = async || {
        let stored = api.metric("wattfold_samples_stored_total").await;
        let shed = api.metric("wattfold_samples_shed_total").await;
        (sent <= stored + shed).then_some((stored, shed))
    };
    let (stored, shed) = until(
        "every reading is accounted for",
        Duration::from_secs(30),
        accounted,
    )
    .await;
    assert_eq!(stored + shed, sent);
    println!("{stored} readings stored, {shed} shed");

    stores_the_next(&device, &mut api, &meter).await;
    rig.stop().await;
    rig.audit();
}
