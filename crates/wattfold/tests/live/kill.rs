//! SIGKILL in the middle of acknowledged commands: whatever was acknowledged is there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use fleet::Lfdi;
use jiff::Timestamp;
use serde_json::{Value, json};
use wattfold::clock;

use crate::api::Api;
use crate::device::{Device, describe_battery, document, write};
use crate::exchange::{Request, Wire};
use crate::rig::{Rig, Setup, alone};

const ROUNDS: u64 = 6;
const ENROLLING: usize = 3;
const SEED: u64 = 0x2030_5615;
const HOUR_S: i64 = 3_600;

/// What the server has acknowledged, over all rounds.
#[derive(Debug, Default)]
struct Acknowledged {
    ders: BTreeSet<String>,
    dispatches: BTreeSet<String>,
    /// By its mRID, what a control is for.
    controls: BTreeMap<String, ControlIdentity>,
    /// Controls whose receipt the device has reported.
    received: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ControlIdentity {
    dispatch: String,
    interval: u64,
    generation: u64,
    start: String,
}

impl Acknowledged {
    fn add(&mut self, more: Self) {
        self.ders.extend(more.ders);
        self.dispatches.extend(more.dispatches);
        self.received.extend(more.received);
        for (mrid, identity) in more.controls {
            self.add_control(mrid, &identity);
        }
    }

    fn add_control(&mut self, mrid: String, identity: &ControlIdentity) {
        let known = self
            .controls
            .entry(mrid)
            .or_insert_with(|| identity.clone());
        assert_eq!(known, identity, "one mRID was issued twice");
    }

    fn count(&self) -> usize {
        self.ders.len() + self.dispatches.len() + self.received.len()
    }
}

/// What all rounds have in common.
struct Scene {
    rig: Rig,
    device: Device,
    group: String,
    next_der: Arc<AtomicU64>,
    next_start_s: Arc<AtomicI64>,
}

/// Enrols one DER after the other until the server is gone.
async fn enrol(mut api: Api, next: Arc<AtomicU64>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let name = format!("enrolled-{number:06}");
        let lfdi = format!("{number:040X}");
        let body = json!({ "name": name, "kind": "pv", "lfdi": lfdi });
        let Ok(reply) = api.try_post("/ders", &body).await else {
            return acknowledged;
        };
        assert_eq!(reply.status, 201, "{reply:?}");
        acknowledged.ders.insert(name);
    }
}

/// Asks for one short dispatch after the other, each in an hour of its own.
async fn dispatch(mut api: Api, group: String, next_s: Arc<AtomicI64>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    loop {
        let start_s = next_s.fetch_add(HOUR_S, Ordering::Relaxed);
        let start = Timestamp::from_second(start_s).unwrap().to_string();
        let body = json!({
            "group": group, "ramp_s": 10,
            "schedule": [{ "start": start, "duration_s": 60, "p_w": 1_000.0 }],
        });
        let Ok(reply) = api.try_post("/dispatches", &body).await else {
            return acknowledged;
        };
        assert_eq!(reply.status, 201, "{reply:?}");
        let mrid = reply.json()["mrid"].as_str().unwrap().to_owned();
        acknowledged.dispatches.insert(mrid.clone());
        let path = format!("/api/v1/dispatches/{mrid}/deliveries");
        let Ok(reply) = api.send(Request::new("GET", &path)).await else {
            return acknowledged;
        };
        assert_eq!(reply.status, 200, "{reply:?}");
        for (mrid, identity) in controls(&mrid, &reply.json()["items"]) {
            acknowledged.add_control(mrid, &identity);
        }
    }
}

/// Says over mutual TLS that each control has been received.
async fn respond(device: Device) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    let ended: io::Result<()> = async {
        let mut wire = device.connect().await?;
        let assignments = ask(&mut wire, &Request::new("GET", "/edev/0/fsa?l=9")).await?;
        let programs = attributes(&assignments, "<DERProgramListLink ", "href");
        let programs = format!("{}?l=9", programs[0]);
        let programs = ask(&mut wire, &Request::new("GET", &programs)).await?;
        let lists = attributes(&programs, "<DERControlListLink ", "href");
        loop {
            for list in &lists {
                respond_to_latest(&mut wire, list, device.lfdi, &mut acknowledged).await?;
            }
        }
    }
    .await;
    assert!(ended.is_err());
    acknowledged
}

/// The latest controls begin last, and there may be more than fit on a page.
async fn respond_to_latest(
    wire: &mut Wire,
    list: &str,
    lfdi: Lfdi,
    acknowledged: &mut Acknowledged,
) -> io::Result<()> {
    let head = ask(wire, &Request::new("GET", list)).await?;
    let all: usize = attributes(&head, "<DERControlList ", "all")[0]
        .parse()
        .unwrap();
    let page = format!("{list}?l=255&s={}", all.saturating_sub(250));
    let page = ask(wire, &Request::new("GET", &page)).await?;
    let reply_to = attributes(&page, "<DERControl ", "replyTo");
    let controls = page.split("<DERControl ").skip(1).zip(reply_to);
    for (control, reply_to) in controls {
        let mrid = text_of(control, "mRID");
        if !acknowledged.received.contains(mrid) {
            ask(wire, &write("POST", &reply_to, response(lfdi, mrid, 1))).await?;
            acknowledged.received.insert(mrid.to_owned());
        }
    }
    Ok(())
}

async fn ask(wire: &mut Wire, request: &Request) -> io::Result<String> {
    let reply = wire.exchange(request).await?;
    assert!((200..300).contains(&reply.status), "{request:?}: {reply:?}");
    Ok(reply.text())
}

/// What a device answers to a control, with this `Response.status`.
pub(crate) fn response(lfdi: Lfdi, mrid: &str, status: u8) -> String {
    let at = clock::now().secs();
    document(
        "DERControlResponse",
        &format!(
            "<createdDateTime>{at}</createdDateTime><endDeviceLFDI>{lfdi}</endDeviceLFDI>\
             <status>{status}</status><subject>{mrid}</subject>"
        ),
    )
}

/// The attribute of each element that begins so.
pub(crate) fn attributes(document: &str, element: &str, name: &str) -> Vec<String> {
    let value = |tag: &str| {
        let (_, rest) = tag.split_once(&format!("{name}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    document.split(element).skip(1).filter_map(value).collect()
}

pub(crate) fn text_of<'a>(document: &'a str, name: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("<{name}>")).unwrap();
    rest.split('<').next().unwrap()
}

fn controls(dispatch: &str, rows: &Value) -> Vec<(String, ControlIdentity)> {
    let rows = rows.as_array().unwrap();
    let controls = rows
        .iter()
        .flat_map(|row| row["controls"].as_array().unwrap());
    let identity = |control: &Value| ControlIdentity {
        dispatch: dispatch.to_owned(),
        interval: control["interval"].as_u64().unwrap(),
        generation: control["generation"].as_u64().unwrap(),
        start: control["start"].as_str().unwrap().to_owned(),
    };
    controls
        .map(|control| {
            (
                control["mrid"].as_str().unwrap().to_owned(),
                identity(control),
            )
        })
        .collect()
}

/// Everything acknowledged is there, and every control is what it was.
async fn verify(rig: &Rig, acknowledged: &mut Acknowledged) {
    let mut api = rig.api();
    let ders = names(&api.list("/ders").await, "name");
    let lost: Vec<_> = acknowledged.ders.difference(&ders).collect();
    assert!(lost.is_empty(), "DER lost: {lost:?}");
    let dispatches = names(&api.list("/dispatches").await, "mrid");
    let lost: Vec<_> = acknowledged.dispatches.difference(&dispatches).collect();
    assert!(lost.is_empty(), "dispatches lost: {lost:?}");
    let mut there = BTreeSet::new();
    let mut received = BTreeSet::new();
    for dispatch in &dispatches {
        let rows = api
            .list(&format!("/dispatches/{dispatch}/deliveries"))
            .await;
        for row in rows
            .iter()
            .flat_map(|row| row["controls"].as_array().unwrap())
        {
            let states = row["entries"].as_array().unwrap();
            if states.iter().any(|entry| entry["state"] == "received") {
                received.insert(row["mrid"].as_str().unwrap().to_owned());
            }
        }
        for (mrid, identity) in controls(dispatch, &Value::Array(rows)) {
            assert!(there.insert(mrid.clone()), "{mrid} is there twice");
            acknowledged.add_control(mrid, &identity);
        }
    }
    let lost: Vec<_> = acknowledged
        .controls
        .keys()
        .filter(|mrid| !there.contains(*mrid))
        .collect();
    assert!(lost.is_empty(), "controls lost: {lost:?}");
    let lost: Vec<_> = acknowledged.received.difference(&received).collect();
    assert!(lost.is_empty(), "responses lost: {lost:?}");
}

fn names(rows: &[Value], field: &str) -> BTreeSet<String> {
    let name = |row: &Value| row[field].as_str().unwrap().to_owned();
    rows.iter().map(name).collect()
}

/// A battery that is dispatched in all rounds.
async fn scene() -> Scene {
    let setup = Setup {
        control: "tick_ms = 200\nsilent_after_s = 600",
        ..Setup::default()
    };
    let rig = Rig::started("kill", &setup).await;
    let device = rig.device(1);
    let enrolment = json!({
        "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
        "registration": "out_of_band",
    });
    let mut api = rig.api();
    api.post("/ders", &enrolment).await;
    describe_battery(&mut device.connect().await.unwrap(), "/edev/0").await;
    let group = json!({ "names": ["killed"], "members": [device.name] });
    let group = api.post("/groups", &group).await["mrid"]
        .as_str()
        .unwrap()
        .to_owned();
    let start_s = clock::now().secs() / HOUR_S * HOUR_S + 2 * HOUR_S;
    Scene {
        rig,
        device,
        group,
        next_der: Arc::new(AtomicU64::new(1)),
        next_start_s: Arc::new(AtomicI64::new(start_s)),
    }
}

/// Loads the server for so long, then kills it; returns what it had acknowledged.
async fn round(scene: &mut Scene, load_for: Duration) -> Acknowledged {
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..ENROLLING {
        load.spawn(enrol(scene.rig.api(), Arc::clone(&scene.next_der)));
    }
    let next_start_s = Arc::clone(&scene.next_start_s);
    load.spawn(dispatch(scene.rig.api(), scene.group.clone(), next_start_s));
    load.spawn(respond(scene.device.clone()));
    tokio::time::sleep(load_for).await;
    scene.rig.kill();
    let mut acknowledged = Acknowledged::default();
    for more in load.join_all().await {
        acknowledged.add(more);
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_sigkill() {
    let _machine = alone().await;
    let mut scene = scene().await;
    let mut acknowledged = Acknowledged::default();
    let mut seed = SEED;
    for number in 0..ROUNDS {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let load_for = Duration::from_millis(300 + (seed >> 33) % 700);
        let before = acknowledged.count();
        acknowledged.add(round(&mut scene, load_for).await);
        let audit = scene.rig.audit();
        scene.rig.start().await;
        verify(&scene.rig, &mut acknowledged).await;
        println!(
            "round {number}: killed after {load_for:?}, {} acknowledged commands are there; {}",
            acknowledged.count() - before,
            audit.trim()
        );
    }
    println!(
        "{} DER, {} dispatches, {} controls, {} responses survived {ROUNDS} kills",
        acknowledged.ders.len(),
        acknowledged.dispatches.len(),
        acknowledged.controls.len(),
        acknowledged.received.len()
    );
    assert!(50 <= acknowledged.ders.len(), "there was hardly any load");
    assert!(10 <= acknowledged.dispatches.len() && 10 <= acknowledged.received.len());
    scene.rig.stop().await;
    scene.rig.audit();
}
