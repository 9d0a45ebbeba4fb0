//! One device that posts a thousand messages a second and a fleet that posts 6 000 readings a second:
//! others are served, controls reach them, memory is bounded, nothing acknowledged is lost.
//!
//! `WATTFOLD_FLOOD_S` sets how long the flood lasts. Times are reported, not judged: that takes an
//! optimised build on a machine of its own (`cargo xtask soak`).

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wattfold::clock;

use crate::api::Api;
use crate::device::{Device, describe_battery, power_meter, power_readings, write};
use crate::exchange::{Request, Wire};
use crate::kill::attributes;
use crate::rig::{Rig, Setup, alone, asked, until};

const METER: u128 = 0x2030_8000;
/// Devices that only look for their controls.
const PROBES: usize = 4;
/// Devices that post their meters once a second.
const POSTING: usize = 80;
const READINGS: usize = 75;
/// Connections of the device that floods, how often each posts, and how many readings.
const LANES: usize = 8;
const LANE_EVERY: Duration = Duration::from_millis(8);
const FLOODED: usize = 9;
const PROBE_EVERY: Duration = Duration::from_millis(50);
const COMMAND_EVERY: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);
/// A control is fetched within the rate at which devices look, which is the least that the
/// configuration takes, and what one look takes.
const FETCHED_WITHIN: Duration = Duration::from_secs(3);
const RESIDENT_MORE_MAX: u64 = 200 * 1_024 * 1_024;
const STORED_WITHIN: Duration = Duration::from_secs(120);

const CALM: u8 = 0;
const FLOOD: u8 = 1;
const OVER: u8 = 2;

/// What all tasks share.
#[derive(Debug, Default)]
struct Scene {
    phase: AtomicU8,
    /// By phase, how long requests took that only look.
    looks: [Mutex<Vec<Duration>>; 2],
    /// By phase, how long it took from the acknowledgement of a dispatch until its control was in the
    /// hands of its device.
    fetches: [Mutex<Vec<Duration>>; 2],
}

impl Scene {
    fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.phase() == OVER
    }

    /// The phase's own list, none once all is over.
    fn note(&self, lists: &[Mutex<Vec<Duration>>; 2], took: Duration) {
        if let Some(list) = lists.get(usize::from(self.phase())) {
            list.lock().unwrap().push(took);
        }
    }
}

/// What a device posted.
#[derive(Clone, Copy, Debug, Default)]
struct Posted {
    messages: usize,
    acknowledged_readings: usize,
    put_off: usize,
}

impl Posted {
    fn add(&mut self, more: Self) {
        self.messages += more.messages;
        self.acknowledged_readings += more.acknowledged_readings;
        self.put_off += more.put_off;
    }
}

/// A device with a meter.
#[derive(Clone)]
struct Metered {
    device: Device,
    meter: String,
    mrid: u128,
}

impl Metered {
    async fn enrolled(rig: &Rig, number: usize) -> Self {
        let device = enrolled(rig, number, "pv").await;
        let mrid = METER + 16 * number as u128;
        let meter = write("POST", "/mup", power_meter(device.lfdi, mrid));
        let meter = device.ask(&meter).await.unwrap();
        assert_eq!(meter.status, 201, "{meter:?}");
        Self {
            device,
            meter: meter.header("location").to_owned(),
            mrid,
        }
    }

    /// Posts readings of so many seconds at this pace, each second once, from `start_s` on.
    async fn post(
        self,
        scene: Arc<Scene>,
        (mut start_s, count): (i64, usize),
        pace: Duration,
    ) -> Posted {
        let mut posted = Posted::default();
        let mut wire = self.device.connect().await.unwrap();
        let mut next = clock::deadline(Duration::ZERO);
        while !scene.is_over() {
            let body = power_readings(self.mrid, start_s, count);
            let reply = wire.exchange(&write("POST", &self.meter, body)).await;
            let reply = reply.unwrap();
            posted.messages += 1;
            match reply.status {
                204 => posted.acknowledged_readings += count,
                429 => posted.put_off += 1,
                _ => panic!("{reply:?}"),
            }
            start_s += i64::try_from(count).unwrap();
            next = clock::deadline(Duration::ZERO).max(next + pace);
            tokio::time::sleep_until(next).await;
        }
        posted
    }
}

async fn enrolled(rig: &Rig, number: usize, kind: &str) -> Device {
    let device = rig.device(number);
    let enrolment = json!({
        "name": device.name, "kind": kind, "lfdi": device.lfdi.to_string(),
        "registration": "out_of_band",
    });
    rig.api().post("/ders", &enrolment).await;
    device
}

/// A battery, with the path of the list of its controls.
async fn probe(rig: &Rig, number: usize) -> (Device, String) {
    let device = enrolled(rig, number, "storage").await;
    let mut wire = device.connect().await.unwrap();
    // Enrolled in order of their numbers, from 1.
    let end_device = format!("/edev/{}", number - 1);
    describe_battery(&mut wire, &end_device).await;
    let assignments = text(&mut wire, &format!("{end_device}/fsa?l=9")).await;
    let programs = attributes(&assignments, "<DERProgramListLink ", "href");
    let programs = text(&mut wire, &format!("{}?l=9", programs[0])).await;
    let lists = attributes(&programs, "<DERControlListLink ", "href");
    (device, lists[0].clone())
}

async fn text(wire: &mut Wire, path: &str) -> String {
    let reply = wire.exchange(&Request::new("GET", path)).await.unwrap();
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.text()
}

/// Looks again and again, and is always served.
async fn look(scene: Arc<Scene>, (device, list): (Device, String)) {
    let mut wire = device.connect().await.unwrap();
    while !scene.is_over() {
        let begun = clock::monotonic();
        text(&mut wire, &list).await;
        let took = clock::monotonic().saturating_duration_since(begun);
        scene.note(&scene.looks, took);
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

/// Dispatches a battery again and again, and watches from its side when the control is there.
async fn command(scene: Arc<Scene>, mut api: Api, (device, list): (Device, String)) {
    let group = json!({ "names": ["probed"], "members": [device.name] });
    let group = api.post("/groups", &group).await["mrid"].clone();
    let mut wire = device.connect().await.unwrap();
    let mut start_s = clock::now().secs() + 7_200;
    while !scene.is_over() {
        let before = all(&mut wire, &list).await;
        let body = json!({
            "group": group, "ramp_s": 1,
            "schedule": [{ "start": Timestamp::from_second(start_s).unwrap().to_string(),
                           "duration_s": 60, "p_w": 1_000.0 }],
        });
        api.post("/dispatches", &body).await;
        let acknowledged = clock::monotonic();
        let since = || clock::monotonic().saturating_duration_since(acknowledged);
        while all(&mut wire, &list).await == before {
            assert!(since() < FETCHED_WITHIN, "the control is not there");
            tokio::time::sleep(PROBE_EVERY).await;
        }
        let took = since();
        scene.note(&scene.fetches, took);
        start_s += 3_600;
        tokio::time::sleep(COMMAND_EVERY).await;
    }
}

/// How many controls there are.
async fn all(wire: &mut Wire, list: &str) -> usize {
    let head = text(wire, list).await;
    let all = attributes(&head, "<DERControlList ", "all");
    all[0].parse().unwrap()
}

/// Middle, 99th percentile and longest, in milliseconds.
fn spread(times: &Mutex<Vec<Duration>>) -> Value {
    let mut times = times.lock().unwrap().clone();
    times.sort_unstable();
    assert!(!times.is_empty(), "nothing was measured");
    let ms = |time: Duration| (time.as_secs_f64() * 10_000.0).round() / 10.0;
    let at = |percent: usize| ms(times[(times.len() - 1) * percent / 100]);
    json!({ "count": times.len(), "p50_ms": at(50), "p99_ms": at(99), "max_ms": at(100) })
}

/// Every reading that was acknowledged is stored once, beyond those of before.
async fn stored(api: &mut Api, before: u64, readings: usize) {
    let readings = before + u64::try_from(readings).unwrap();
    until(
        "what was acknowledged is stored",
        STORED_WITHIN,
        async || {
            let stored = api.metric("wattfold_samples_stored_total").await;
            assert!(stored <= readings, "{stored} of {readings}");
            (stored == readings).then_some(())
        },
    )
    .await;
    assert_eq!(api.metric("wattfold_samples_shed_total").await, 0);
}

/// Lets the flood run, and gives the most memory that the server had.
async fn run_flood(rig: &Rig, scene: &Scene, flood_s: u64) -> u64 {
    scene.phase.store(FLOOD, Ordering::Relaxed);
    let mut most = 0;
    for _ in 0..flood_s {
        tokio::time::sleep(SECOND).await;
        most = most.max(rig.resident_bytes());
    }
    scene.phase.store(OVER, Ordering::Relaxed);
    most
}

async fn total(mut posting: JoinSet<Posted>) -> Posted {
    let mut posted = Posted::default();
    while let Some(more) = posting.join_next().await {
        posted.add(more.unwrap());
    }
    posted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_messages_delays_nobody_else() {
    let _machine = alone().await;
    let flood_s = asked("WATTFOLD_FLOOD_S", 12);
    let setup = Setup {
        devices: PROBES + POSTING + 1,
        ..Setup::default()
    };
    let mut rig = Rig::started("messages", &setup).await;
    let scene = Arc::new(Scene::default());
    let mut others = JoinSet::new();
    for number in 1..=PROBES {
        let probed = probe(&rig, number).await;
        if number == 1 {
            others.spawn(command(Arc::clone(&scene), rig.api(), probed.clone()));
        }
        others.spawn(look(Arc::clone(&scene), probed));
    }
    let mut fleet = Vec::new();
    for number in PROBES + 1..=PROBES + POSTING + 1 {
        fleet.push(Metered::enrolled(&rig, number).await);
    }
    tokio::time::sleep(SECOND * u32::try_from(5 + flood_s / 10).unwrap()).await;
    let before = rig.resident_bytes();
    let stored_before = rig.api().metric("wattfold_samples_stored_total").await;
    let start_s = clock::now().secs() - 86_400;
    let flooder = fleet.pop().unwrap();
    let mut flooding = JoinSet::new();
    for lane in 0..LANES {
        // Each lane has seconds of its own, half a day in all.
        let start_s = start_s + i64::try_from(lane * 500_000).unwrap() - 5_000_000;
        let post = flooder
            .clone()
            .post(Arc::clone(&scene), (start_s, FLOODED), LANE_EVERY);
        flooding.spawn(post);
    }
    let mut posting = JoinSet::new();
    for metered in fleet {
        posting.spawn(metered.post(Arc::clone(&scene), (start_s, READINGS), SECOND));
    }
    let most = run_flood(&rig, &scene, flood_s).await;
    let (flooded, posted) = (total(flooding).await, total(posting).await);
    while let Some(ended) = others.join_next().await {
        ended.unwrap();
    }
    let acknowledged = flooded.acknowledged_readings + posted.acknowledged_readings;
    stored(&mut rig.api(), stored_before, acknowledged).await;
    let [calm, flood] = [CALM, FLOOD].map(|phase| {
        let phase = usize::from(phase);
        json!({ "looks": spread(&scene.looks[phase]), "controls": spread(&scene.fetches[phase]) })
    });
    let line = json!({
        "flood_s": flood_s, "messages_of_one": flooded.messages, "put_off": flooded.put_off,
        "messages_of_fleet": posted.messages, "readings_acknowledged": acknowledged,
        "readings_stored": acknowledged, "calm": calm, "flood": flood,
        "resident_before_mib": before >> 20, "resident_most_mib": most >> 20,
    });
    println!("flood: {line}");
    assert_eq!(posted.put_off, 0, "of the others");
    assert!(0 < flooded.put_off);
    assert!(most < before + RESIDENT_MORE_MAX, "{most}, before {before}");
    rig.stop().await;
    rig.audit();
}
