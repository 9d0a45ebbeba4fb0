//! A dispatch goes on while the server, or its database, is killed again and again: nothing that was
//! acknowledged is lost, nothing is doubled, nothing is stuck.
//!
//! Operators and devices never stop. They ask again when they got no answer, and keep what they were
//! told in [`Told`], outside the server. After every kill, and at the end, it is compared with what
//! the server shows. `WATTFOLD_KILLS` sets the number of kills, `WATTFOLD_SEED` the seed.

mod operator;
mod told;
mod unit;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio::task::JoinSet;
use wattfold::clock;

use self::operator::Operator;
use self::told::{Fault, Found, FoundControl, FoundDispatch, Told, faults};
use self::unit::Unit;
use crate::api::Api;
use crate::cluster::Cluster;
use crate::cluster_crash;
use crate::device::{describe_battery, power_meter, write};
use crate::nodes::verify_chain;
use crate::rig::{Rig, Setup, alone, asked, until};

const SEED: u64 = 0x2030_5619;
const GROUPS: usize = 2;
const UNITS_PER_GROUP: usize = 2;
const METER: u128 = 0x2030_6000;
/// Most kills come within this time of the check before, or after so many more requests; some come
/// later by [`CALM`].
const CALM: Duration = Duration::from_millis(2_500);
const LONGEST_MS: usize = 700;
const MOST_REQUESTS: usize = 40;
const REQUESTS_WITHIN: Duration = Duration::from_secs(3);
/// Readings are gathered and written without waiting for the disk, so that those of the last moment
/// before a kill may go with it (`docs/faults.md`).
const READINGS_AT_RISK: Duration = Duration::from_secs(1);
/// A check after a kill looks this far back; that at the end at everything.
const LOOK_BACK_S: i64 = 25;
/// What should have ended has this long to end, kills included.
const ENDS_WITHIN_S: i64 = 20;
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

const OVER: u8 = 1;
const CLOSED: u8 = 2;

/// Chance that comes out the same each time (`SplitMix64`).
#[derive(Clone, Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = usize::try_from((bits ^ (bits >> 31)) >> 1).unwrap();
        bits % end
    }
}

/// What all clients share.
#[derive(Debug, Default)]
struct Scene {
    /// Clients hold it to read while they ask and note the answer; who compares holds it to write.
    gate: RwLock<()>,
    told: Mutex<Told>,
    /// What clients have seen for themselves that may not be.
    faults: Mutex<Vec<Fault>>,
    requests: AtomicU64,
    phase: AtomicU8,
}

impl Scene {
    async fn going(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().await
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    fn add(&self, fault: Fault) {
        self.faults.lock().unwrap().push(fault);
    }

    fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing more is asked of the fleet.
    fn is_over(&self) -> bool {
        OVER <= self.phase.load(Ordering::Relaxed)
    }

    /// Devices stop, too.
    fn is_closed(&self) -> bool {
        CLOSED <= self.phase.load(Ordering::Relaxed)
    }
}

/// What is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    /// The server, by SIGKILL.
    Server,
    /// The database server, by an immediate shutdown.
    Database(&'static Cluster),
}

/// A server under clients.
struct Run {
    name: &'static str,
    rig: Rig,
    scene: Arc<Scene>,
    operators: JoinSet<()>,
    units: JoinSet<()>,
    chance: Chance,
    /// Readings that may have gone with the last kill.
    risked: BTreeSet<(String, i64)>,
    /// How many did, over all kills.
    readings_gone: usize,
}

impl Run {
    async fn started(name: &'static str, tables: String, seed: u64) -> Self {
        let setup = Setup {
            devices: GROUPS * UNITS_PER_GROUP,
            control: "tick_ms = 100\nsilent_after_s = 600\nsettle_s = 60\nlead_s = 1",
            tables,
            ..Setup::default()
        };
        let mut run = Self {
            name,
            rig: Rig::started(name, &setup).await,
            scene: Arc::new(Scene::default()),
            operators: JoinSet::new(),
            units: JoinSet::new(),
            chance: Chance(seed),
            risked: BTreeSet::new(),
            readings_gone: 0,
        };
        let mut units = Vec::new();
        for group in 0..GROUPS {
            let mut members = Vec::new();
            for place in 0..UNITS_PER_GROUP {
                let number = 1 + group * UNITS_PER_GROUP + place;
                let unit = run.unit(number).await;
                members.push(unit.device.name.clone());
                units.push(unit);
            }
            let body = json!({ "names": [format!("crash {group}")], "members": members });
            let made = run.rig.api().post("/groups", &body).await;
            let operator = Operator {
                scene: Arc::clone(&run.scene),
                api: run.rig.api(),
                number: group,
                group: made["mrid"].as_str().unwrap().to_owned(),
                chance: Chance(seed ^ (group as u64 + 1)),
            };
            run.operators.spawn(operator.work());
        }
        for unit in units {
            run.units.spawn(unit.work());
        }
        run
    }

    async fn unit(&self, number: usize) -> Unit {
        let device = self.rig.device(number);
        let enrolment = json!({
            "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
            "registration": "out_of_band",
        });
        self.rig.api().post("/ders", &enrolment).await;
        let mut wire = device.connect().await.unwrap();
        // Enrolled in order of their numbers, from 1.
        let end_device = format!("/edev/{}", number - 1);
        describe_battery(&mut wire, &end_device).await;
        let meter_mrid = METER + 16 * number as u128;
        let meter = write("POST", "/mup", power_meter(device.lfdi, meter_mrid));
        let meter = wire.exchange(&meter).await.unwrap();
        assert_eq!(meter.status, 201, "{meter:?}");
        Unit {
            scene: Arc::clone(&self.scene),
            device,
            end_device,
            meter: meter.header("location").to_owned(),
            meter_mrid,
            known: BTreeMap::new(),
            metered_s: 0,
        }
    }

    /// Waits for the next point, drawn from the seed: a time, or a number of requests.
    async fn point(&mut self) {
        match self.chance.below(12) {
            0 => {
                let ms = u64::try_from(self.chance.below(LONGEST_MS)).unwrap();
                tokio::time::sleep(CALM + Duration::from_millis(ms)).await;
            }
            1..6 => {
                let ms = u64::try_from(self.chance.below(LONGEST_MS)).unwrap();
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            _ => {
                let more = 1 + self.chance.below(MOST_REQUESTS) as u64;
                let target = self.scene.requests.load(Ordering::Relaxed) + more;
                let deadline = clock::now().after(REQUESTS_WITHIN);
                while self.scene.requests.load(Ordering::Relaxed) < target
                    && clock::now() < deadline
                {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }

    /// Kills the victim and waits until all is served again. Returns by when a reading must have been
    /// acknowledged to be there.
    async fn kill(&mut self, victim: Victim) -> units::Timestamp {
        match victim {
            Victim::Server => {
                self.rig.kill();
                let since = clock::now().before(READINGS_AT_RISK);
                self.risk(since);
                self.rig.start().await;
                since
            }
            Victim::Database(cluster) => {
                let crash = tokio::task::spawn_blocking(|| cluster_crash::crash(cluster));
                crash.await.unwrap();
                self.rig.assert_running();
                let mut api = self.rig.api();
                until("the node leads again", ANSWERED_WITHIN, async || {
                    (api.metric("wattfold_leads").await == 1).then_some(())
                })
                .await;
                // The server keeps readings until the database takes them; all are looked for at the
                // end.
                units::Timestamp::from_millis(0)
            }
        }
    }

    /// Readings acknowledged since then may be gone.
    fn risk(&mut self, since: units::Timestamp) {
        let mut told = self.scene.told();
        told.readings.retain(|reading, at| {
            let is_safe = *at < since;
            if !is_safe {
                self.risked.insert(reading.clone());
            }
            is_safe
        });
    }

    /// Compares what was told since then with what is there, while nobody asks.
    async fn check(&mut self, since_s: i64, ended_by_s: i64, stored_by: units::Timestamp) {
        let _closed = self.scene.gate.write().await;
        let mut told = self.scene.told().clone();
        told.dispatches.retain(|_, told| since_s <= told.start_s);
        told.controls.retain(|_, told| since_s + 10 <= told.end_s);
        told.readings.retain(|(_, second), _| since_s <= *second);
        let found = found(&mut self.rig.api(), &told, since_s).await;
        let mut all = faults(&told, &found, (ended_by_s, stored_by));
        all.append(&mut self.scene.faults.lock().unwrap());
        let risked = std::mem::take(&mut self.risked);
        self.readings_gone += risked.difference(&found.readings).count();
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert!(all.is_empty(), "{}:\n{}", self.name, all.join("\n"));
    }

    /// Lets everything end, and compares all of it.
    async fn end(&mut self) {
        self.scene.phase.store(OVER, Ordering::Relaxed);
        while let Some(ended) = self.operators.join_next().await {
            ended.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.scene.phase.store(CLOSED, Ordering::Relaxed);
        while let Some(ended) = self.units.join_next().await {
            ended.unwrap();
        }
        tokio::time::sleep(2 * READINGS_AT_RISK).await;
        let now = clock::now();
        self.check(0, now.secs(), now).await;
    }
}

/// What the server has of what was told since then.
async fn found(api: &mut Api, told: &Told, since_s: i64) -> Found {
    let mut found = Found::default();
    let rows = match since_s {
        0 => api.list("/dispatches").await,
        _ => {
            let mut page = api.get("/dispatches?limit=40").await;
            page["items"].as_array_mut().map(std::mem::take).unwrap()
        }
    };
    for row in &rows {
        let dispatch = FoundDispatch::read(row);
        let path = format!("/dispatches/{}/deliveries", dispatch.mrid);
        for row in &api.list(&path).await {
            let controls = FoundControl::read(&dispatch.mrid, row);
            found.controls.extend(controls);
        }
        found.dispatches.push(dispatch);
    }
    let ders: BTreeSet<&String> = told.readings.keys().map(|(der, _)| der).collect();
    let first_s = told.readings.keys().map(|(_, second)| *second).min();
    let second = |s: i64| Timestamp::from_second(s).unwrap();
    for row in api.list("/ders").await {
        let (name, mrid) = (row["name"].as_str().unwrap(), row["mrid"].as_str().unwrap());
        let Some(first_s) = first_s.filter(|_| ders.contains(&name.to_owned())) else {
            continue;
        };
        let path = format!(
            "/telemetry?der={mrid}&quantity=p_w&limit=10000&from={}&to={}",
            second(first_s),
            second(clock::now().secs() + 1)
        );
        let series = api.get(&path).await;
        for point in series["points"].as_array().unwrap() {
            let at: Timestamp = point["at"].as_str().unwrap().parse().unwrap();
            found.readings.insert((name.to_owned(), at.as_second()));
        }
    }
    found
}

/// Kills the victim so often, and says in one line what came of it.
async fn crash(name: &'static str, tables: String, (victim, kills): (Victim, u64)) -> Run {
    let (kills, seed) = (asked("WATTFOLD_KILLS", kills), asked("WATTFOLD_SEED", SEED));
    println!("{name}: {kills} kills from seed {seed}");
    let begun = clock::monotonic();
    let mut run = Run::started(name, tables, seed).await;
    for number in 1..=kills {
        run.point().await;
        let killed_s = clock::now().secs();
        let stored_by = run.kill(victim).await;
        let (since_s, ended_by_s) = (killed_s - LOOK_BACK_S, killed_s - ENDS_WITHIN_S);
        run.check(since_s, ended_by_s, stored_by).await;
        if number % 50 == 0 {
            println!("{name}: {number} kills");
        }
    }
    run.end().await;
    let wall_s = clock::monotonic()
        .saturating_duration_since(begun)
        .as_secs();
    let line = {
        let told = run.scene.told();
        let responses: usize = told.controls.values().map(|c| c.acknowledged.len()).sum();
        let completed = |control: &&told::ToldControl| control.acknowledged.contains(&3);
        json!({
            "store": name, "seed": seed, "kills": kills,
            "dispatches": told.dispatches.len(), "controls": told.controls.len(),
            "completed": told.controls.values().filter(completed).count(),
            "responses": responses, "readings": told.readings.len(),
            "readings_gone": run.readings_gone, "faults": 0, "wall_s": wall_s,
        })
    };
    println!("crash: {line}");
    let at_least =
        |what: &str, count: u64| assert!(count <= line[what].as_u64().unwrap(), "{what}");
    at_least("dispatches", kills / 10);
    at_least("completed", kills / 10);
    at_least("readings", kills / 10);
    run.rig.stop().await;
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatch_survives_kills_of_its_server_on_sqlite() {
    let _machine = alone().await;
    let run = crash("crash-sqlite", String::new(), (Victim::Server, 50)).await;
    println!("{}", run.rig.audit());
}

async fn on_database(cluster: &'static Cluster) -> (String, String) {
    let database = tokio::task::spawn_blocking(|| cluster.database());
    let url = database.await.unwrap();
    let tables = format!("[store]\nurl = \"{url}\"\nlease_ms = 500");
    (url, tables)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatch_survives_kills_of_its_server_on_postgresql() {
    let _machine = alone().await;
    let shared = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
    let (url, tables) = on_database(shared).await;
    crash("crash-postgresql", tables, (Victim::Server, 10)).await;
    println!("the journal is intact at version {}", verify_chain(&url));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatch_survives_crashes_of_its_database() {
    let _machine = alone().await;
    let own = || &*Box::leak(Box::new(Cluster::start("-c listen_addresses=", &[])));
    let cluster = tokio::task::spawn_blocking(own).await.unwrap();
    let (url, tables) = on_database(cluster).await;
    crash("crash-database", tables, (Victim::Database(cluster), 4)).await;
    println!("the journal is intact at version {}", verify_chain(&url));
}
