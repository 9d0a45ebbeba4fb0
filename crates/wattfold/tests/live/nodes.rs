//! Three nodes on one database: the leader is killed, the leader is paused, and clients of the
//! others notice a pause at most.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use fleet::{DeliveryState, Lfdi};
use jiff::Timestamp;
use serde_json::json;
use store::{Address, JournalId, Postgres, Store as _};
use wattfold::clock;

use crate::api::Api;
use crate::cluster::Cluster;
use crate::device::{Device, describe_battery, document, write};
use crate::exchange::Request;
use crate::rig::{Rig, Setup, alone, until};

const HOUR_S: i64 = 3_600;
/// What the issue allows for another node to lead.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// Time for a client to be served again.
const SERVED_AGAIN: Duration = Duration::from_secs(20);

struct Nodes {
    url: String,
    rigs: Vec<Rig>,
    password: String,
}

impl Nodes {
    async fn started(name: &str, count: usize) -> Self {
        let database = tokio::task::spawn_blocking(|| Cluster::shared().database());
        let url = database.await.unwrap();
        let setup = |node: &str| Setup {
            control: "tick_ms = 200\nsilent_after_s = 600",
            tables: format!("[store]\nurl = \"{url}\"\nnode = \"{node}\""),
            ..Setup::default()
        };
        let first = Rig::started(&format!("{name}-1"), &setup("node-1")).await;
        let password = first.password();
        let mut rigs = vec![first];
        for number in 2..=count {
            let node = format!("node-{number}");
            let mut rig = rigs[0].beside(&format!("{name}-{number}"), &setup(&node));
            rig.start().await;
            rigs.push(rig);
        }
        Self {
            url,
            rigs,
            password,
        }
    }

    fn api(&self, node: usize) -> Api {
        Api::new(self.rigs[node].enterprise, "admin", &self.password)
    }

    /// The one that leads, once there is one among `of`.
    async fn leader(&self, of: &[usize], within: Duration) -> usize {
        until("a node leads", within, async || {
            for node in of {
                if self.leads(*node).await {
                    return Some(*node);
                }
            }
            None
        })
        .await
    }

    async fn leads(&self, node: usize) -> bool {
        let mut api = self.api(node);
        api.metric("wattfold_leads").await == 1
    }

    /// The names of all DER.
    async fn names(&self, node: usize) -> Vec<String> {
        let ders = self.api(node).list("/ders").await;
        let name = |der: &serde_json::Value| der["name"].as_str().unwrap().to_owned();
        ders.iter().map(name).collect()
    }

    fn verify_chain(&self) -> u64 {
        verify_chain(&self.url)
    }
}

/// Walks the chain in the database, and says how long it is.
pub(crate) fn verify_chain(url: &str) -> u64 {
    let address = Address::new(url, None).unwrap();
    let verified = std::thread::spawn(move || {
        let mut store = Postgres::open(&address, JournalId(0)).unwrap();
        let verified = store.consistently(|store| store::audit::verify_store(store, &[]));
        let report = verified.unwrap().0.unwrap();
        assert!(report.is_intact(), "{report}");
        let (fleet, head) = store::fold(&store).unwrap();
        store::ledger(&store, &fleet).unwrap();
        assert_receipts_are_single(&store);
        head.version
    });
    verified.join().unwrap()
}

/// No device said of one control twice that it was received.
fn assert_receipts_are_single(store: &Postgres) {
    let mut seen = BTreeSet::new();
    for step in store.deliveries(0, usize::MAX).unwrap() {
        if step.state == DeliveryState::Received {
            assert!(
                seen.insert((step.control, step.der)),
                "{step:?} is there twice"
            );
        }
    }
}

/// What clients were told.
#[derive(Debug, Default)]
struct Told {
    ders: BTreeSet<String>,
    dispatches: BTreeSet<String>,
    /// Of requests that were answered 201, by node.
    answered: BTreeMap<usize, usize>,
    /// What was asked for and answered that nothing was done at this time: names of DER, starts of
    /// dispatches.
    put_off: BTreeSet<String>,
    /// Answers that it is unknown what was done.
    unknown: usize,
}

impl Told {
    fn add(&mut self, more: Self) {
        self.ders.extend(more.ders);
        self.dispatches.extend(more.dispatches);
        for (node, count) in more.answered {
            *self.answered.entry(node).or_default() += count;
        }
        self.put_off.extend(more.put_off);
        self.unknown += more.unknown;
    }

    /// Whether the request was acknowledged.
    fn heard(&mut self, node: usize, reply: &crate::exchange::Reply, what: &str) -> bool {
        match reply.status {
            201 => {
                *self.answered.entry(node).or_default() += 1;
                return true;
            }
            503 => {
                assert!(!reply.header("retry-after").is_empty(), "{reply:?}");
                self.put_off.insert(what.to_owned());
            }
            500 => {
                assert!(reply.text().contains("look before you ask"), "{reply:?}");
                self.unknown += 1;
            }
            _ => panic!("{reply:?}"),
        }
        false
    }
}

/// What all clients draw from.
struct Load {
    group: String,
    next_der: AtomicU64,
    next_start_s: AtomicI64,
    is_over: AtomicBool,
}

/// Enrols one DER after the other at a node until that is gone or the load is over.
async fn enrol(mut api: Api, node: usize, load: Arc<Load>) -> Told {
    let mut told = Told::default();
    while !load.is_over.load(Ordering::Relaxed) {
        let number = load.next_der.fetch_add(1, Ordering::Relaxed);
        let name = format!("enrolled-{number:06}");
        let body = json!({ "name": name, "kind": "pv", "lfdi": format!("{number:040X}") });
        let Ok(reply) = api.try_post("/ders", &body).await else {
            return told;
        };
        if told.heard(node, &reply, &name) {
            // What was acknowledged can be read where it was acknowledged.
            let mrid = reply.json()["mrid"].as_str().unwrap().to_owned();
            let path = format!("/api/v1/ders/{mrid}");
            let Ok(read) = api.send(Request::new("GET", &path)).await else {
                return told;
            };
            assert_eq!(read.status, 200, "{read:?}");
            told.ders.insert(name);
        }
    }
    told
}

/// Asks a node for one short dispatch after the other, each in an hour of its own.
async fn dispatch(mut api: Api, node: usize, load: Arc<Load>) -> Told {
    let mut told = Told::default();
    while !load.is_over.load(Ordering::Relaxed) {
        let start_s = load.next_start_s.fetch_add(HOUR_S, Ordering::Relaxed);
        let start = Timestamp::from_second(start_s).unwrap().to_string();
        let body = json!({
            "group": load.group, "ramp_s": 10,
            "schedule": [{ "start": start, "duration_s": 60, "p_w": 10.0 }],
        });
        let Ok(reply) = api.try_post("/dispatches", &body).await else {
            return told;
        };
        if told.heard(node, &reply, &start) {
            let mrid = reply.json()["mrid"].as_str().unwrap().to_owned();
            told.dispatches.insert(mrid);
        }
    }
    told
}

/// Everything told is there once, at this node.
async fn verify(nodes: &Nodes, node: usize, told: &Told) {
    let mut api = nodes.api(node);
    let ders = api.list("/ders").await;
    let names: BTreeSet<String> = ders
        .iter()
        .map(|der| der["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), ders.len(), "a DER is there twice");
    let lost: Vec<_> = told.ders.difference(&names).collect();
    assert!(lost.is_empty(), "node {node} lost {lost:?}");
    let dispatches = api.list("/dispatches").await;
    let mut starts = BTreeMap::new();
    for dispatch in &dispatches {
        let schedule = &dispatch["schedule"][0];
        let start: Timestamp = schedule["start"].as_str().unwrap().parse().unwrap();
        *starts.entry(start.to_string()).or_insert(0) += 1;
    }
    let doubled: Vec<_> = starts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "node {node} has twice {doubled:?}");
    let mrids: BTreeSet<String> = dispatches
        .iter()
        .map(|dispatch| dispatch["mrid"].as_str().unwrap().to_owned())
        .collect();
    let lost: Vec<_> = told.dispatches.difference(&mrids).collect();
    assert!(lost.is_empty(), "node {node} lost {lost:?}");
    let starts: BTreeSet<String> = starts.into_keys().collect();
    let there = told
        .put_off
        .iter()
        .filter(|what| names.contains(*what) || starts.contains(*what));
    let there: Vec<_> = there.collect();
    assert!(
        there.is_empty(),
        "node {node} has what was put off: {there:?}"
    );
    let mut controls = BTreeSet::new();
    for mrid in &told.dispatches {
        let rows = api.list(&format!("/dispatches/{mrid}/deliveries")).await;
        let own = rows
            .iter()
            .flat_map(|row| row["controls"].as_array().unwrap());
        let mut generations = BTreeSet::new();
        for control in own {
            let id = control["mrid"].as_str().unwrap().to_owned();
            assert!(controls.insert(id), "{control} is there twice");
            let place = (
                control["interval"].to_string(),
                control["generation"].to_string(),
            );
            assert!(generations.insert(place), "{control} was issued twice");
        }
        assert!(!generations.is_empty(), "{mrid} has no control");
    }
}

/// A battery enrolled and described by way of nodes that do not lead, in a group.
async fn scene(nodes: &Nodes, at: (usize, usize)) -> (Device, Arc<Load>) {
    let device = nodes.rigs[0].device(1).at(nodes.rigs[at.1].devices);
    let enrolment = json!({
        "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
        "registration": "out_of_band",
    });
    let mut api = nodes.api(at.0);
    api.post("/ders", &enrolment).await;
    let lfdi = device.lfdi.to_string();
    until(
        "the device is known at another node",
        TAKE_OVER,
        async || {
            let ders = nodes.api(at.1).list("/ders").await;
            ders.iter()
                .any(|der| der["lfdi"] == lfdi.as_str())
                .then_some(())
        },
    )
    .await;
    describe_battery(&mut device.connect().await.unwrap(), "/edev/0").await;
    let group = json!({ "names": ["led"], "members": [device.name] });
    let group = api.post("/groups", &group).await["mrid"]
        .as_str()
        .unwrap()
        .to_owned();
    let start_s = clock::now().secs() / HOUR_S * HOUR_S + 2 * HOUR_S;
    let load = Load {
        group,
        next_der: AtomicU64::new(1),
        next_start_s: AtomicI64::new(start_s),
        is_over: AtomicBool::new(false),
    };
    (device, Arc::new(load))
}

fn loaded(nodes: &Nodes, load: &Arc<Load>) -> tokio::task::JoinSet<Told> {
    let mut clients = tokio::task::JoinSet::new();
    for node in 0..nodes.rigs.len() {
        clients.spawn(enrol(nodes.api(node), node, Arc::clone(load)));
        clients.spawn(dispatch(nodes.api(node), node, Arc::clone(load)));
    }
    clients
}

async fn over(clients: tokio::task::JoinSet<Told>, load: &Load) -> Told {
    load.is_over.store(true, Ordering::Relaxed);
    let mut told = Told::default();
    for more in clients.join_all().await {
        told.add(more);
    }
    told
}

/// A node serves commands again.
async fn commanded(nodes: &Nodes, node: usize, load: &Load) {
    until("a command is carried out", SERVED_AGAIN, async || {
        let number = load.next_der.fetch_add(1, Ordering::Relaxed);
        let body = json!({
            "name": format!("after-{number}"), "kind": "pv", "lfdi": format!("{number:040X}")
        });
        let reply = nodes.api(node).try_post("/ders", &body).await.unwrap();
        (reply.status == 201).then_some(())
    })
    .await;
}

fn response(lfdi: Lfdi, mrid: &str) -> String {
    let at = clock::now().secs();
    document(
        "DERControlResponse",
        &format!(
            "<createdDateTime>{at}</createdDateTime><endDeviceLFDI>{lfdi}</endDeviceLFDI>\
             <status>1</status><subject>{mrid}</subject>"
        ),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_leads_when_the_leader_is_killed() {
    let _machine = alone().await;
    let mut nodes = Nodes::started("killed", 3).await;
    let first = nodes.leader(&[0, 1, 2], TAKE_OVER).await;
    let others: Vec<usize> = (0..3).filter(|node| *node != first).collect();
    let (_, load) = scene(&nodes, (others[0], others[1])).await;
    let clients = loaded(&nodes, &load);
    tokio::time::sleep(Duration::from_secs(3)).await;
    nodes.rigs[first].kill();
    let killed = clock::monotonic();
    let second = nodes.leader(&others, TAKE_OVER).await;
    let took = clock::monotonic().saturating_duration_since(killed);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = over(clients, &load).await;
    println!(
        "led again after {took:?}; {} DER and {} dispatches acknowledged ({:?} by node), \
         {} put off, {} unknown",
        told.ders.len(),
        told.dispatches.len(),
        told.answered,
        told.put_off.len(),
        told.unknown
    );
    assert!(took < TAKE_OVER, "{took:?}");
    assert!(told.answered[&others[0]] > 5 && told.answered[&others[1]] > 5);
    commanded(&nodes, others[0], &load).await;
    commanded(&nodes, others[1], &load).await;
    for node in &others {
        verify(&nodes, *node, &told).await;
    }
    nodes.rigs[first].start().await;
    until("the one killed follows", TAKE_OVER, async || {
        let (here, there) = (nodes.names(first).await, nodes.names(second).await);
        (here == there).then_some(())
    })
    .await;
    assert!(!nodes.leads(first).await && nodes.leads(second).await);
    verify(&nodes, first, &told).await;
    println!("the journal is intact at version {}", nodes.verify_chain());
    for rig in &mut nodes.rigs {
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_paused_follows() {
    let _machine = alone().await;
    let mut nodes = Nodes::started("paused", 3).await;
    let first = nodes.leader(&[0, 1, 2], TAKE_OVER).await;
    let others: Vec<usize> = (0..3).filter(|node| *node != first).collect();
    let (_, load) = scene(&nodes, (others[0], others[1])).await;
    let clients = loaded(&nodes, &load);
    tokio::time::sleep(Duration::from_secs(2)).await;
    nodes.rigs[first].signal("STOP");
    let second = nodes.leader(&others, TAKE_OVER).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    nodes.rigs[first].signal("CONT");
    let continued = clock::monotonic();
    until("the one paused follows", TAKE_OVER, async || {
        (!nodes.leads(first).await).then_some(())
    })
    .await;
    let took = clock::monotonic().saturating_duration_since(continued);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let told = over(clients, &load).await;
    println!(
        "follows {took:?} after it went on; {} DER and {} dispatches acknowledged \
         ({:?} by node), {} put off, {} unknown",
        told.ders.len(),
        told.dispatches.len(),
        told.answered,
        told.put_off.len(),
        told.unknown
    );
    assert!(nodes.leads(second).await && !nodes.leads(first).await);
    nodes.rigs[first].assert_running();
    for node in 0..3 {
        commanded(&nodes, node, &load).await;
    }
    for node in 0..3 {
        verify(&nodes, node, &told).await;
    }
    println!("the journal is intact at version {}", nodes.verify_chain());
    for rig in &mut nodes.rigs {
        rig.stop().await;
    }
}

/// Reads, sessions, readings and responses by way of nodes that do not lead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_serves_devices_and_people() {
    let _machine = alone().await;
    let mut nodes = Nodes::started("served", 2).await;
    let leader = nodes.leader(&[0, 1], TAKE_OVER).await;
    let follower = 1 - leader;
    let (device, load) = scene(&nodes, (follower, follower)).await;
    let start_s = load.next_start_s.load(Ordering::Relaxed);
    let body = json!({
        "group": load.group, "ramp_s": 10,
        "schedule": [{ "start": Timestamp::from_second(start_s).unwrap().to_string(),
                       "duration_s": 60, "p_w": 10.0 }],
    });
    let mut api = nodes.api(follower);
    let mrid = api.post("/dispatches", &body).await["mrid"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/dispatches/{mrid}/deliveries");
    let rows = api.list(&path).await;
    let control = rows[0]["controls"][0]["mrid"].as_str().unwrap().to_owned();
    let mut wire = device.connect().await.unwrap();
    let answer = wire
        .exchange(&write(
            "POST",
            "/rsps/0/rsp",
            response(device.lfdi, &control),
        ))
        .await
        .unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    for node in [leader, follower] {
        until("the response is in the ledger", TAKE_OVER, async || {
            let rows = nodes.api(node).list(&path).await;
            let entries = rows[0]["controls"][0]["entries"]
                .as_array()
                .unwrap()
                .clone();
            let received = entries.iter().filter(|entry| entry["state"] == "received");
            (received.count() == 1).then_some(())
        })
        .await;
    }
    for node in [leader, follower] {
        until("the state of charge is known", TAKE_OVER, async || {
            let ders = nodes.api(node).list("/ders").await;
            let der = ders
                .iter()
                .find(|der| der["name"] == device.name.as_str())?;
            der.to_string().contains("\"soc_pct\":{\"").then_some(())
        })
        .await;
    }
    session(&nodes, leader, follower).await;
    import(&nodes, leader, follower).await;
    account(&nodes, leader, follower).await;
    nodes.verify_chain();
    for rig in &mut nodes.rigs {
        rig.stop().await;
    }
}

/// A session begun at one node holds at the other, and ends at both.
async fn session(nodes: &Nodes, one: usize, other: usize) {
    let login = json!({ "user": "admin", "password": nodes.password }).to_string();
    let begin = Request::new("POST", "/api/v1/session").body("application/json", login);
    let ask = async |node: usize, request: Request| {
        let address = nodes.rigs[node].enterprise;
        let mut wire = crate::exchange::Wire::plain(address).await.unwrap();
        wire.exchange(&request).await.unwrap()
    };
    let begun = ask(one, begin).await;
    assert_eq!(begun.status, 204, "{begun:?}");
    let cookie = begun
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let show = || Request::new("GET", "/api/v1/session").header("Cookie", &cookie);
    for node in [one, other] {
        assert_eq!(ask(node, show()).await.status, 200);
    }
    let body = json!({ "name": "by session", "kind": "pv", "lfdi": "F".repeat(40) });
    let create = Request::new("POST", "/api/v1/ders")
        .header("Cookie", &cookie)
        .header("X-Wattfold-Request", "1")
        .body("application/json", body.to_string());
    let created = ask(other, create).await;
    assert_eq!(created.status, 201, "{created:?}");
    let end = Request::new("DELETE", "/api/v1/session")
        .header("Cookie", &cookie)
        .header("X-Wattfold-Request", "1");
    assert_eq!(ask(other, end).await.status, 204);
    for node in [one, other] {
        assert_eq!(ask(node, show()).await.status, 401);
    }
}

/// Files of DER are taken in by the node that leads; the other one says so.
async fn import(nodes: &Nodes, leader: usize, follower: usize) {
    let rows = json!([{ "mrid": "of-a-file", "name": "of a file", "kind": "pv" }]);
    let reply = nodes.api(follower).try_post("/imports", &rows).await;
    let reply = reply.unwrap();
    assert_eq!(reply.status, 421, "{}", reply.text());
    assert_eq!(reply.json()["title"], "Misdirected request");
    let mut api = nodes.api(leader);
    let id = api.post("/imports", &rows).await["id"].clone();
    let import = until("the file is taken in", TAKE_OVER, async || {
        let import = api.get(&format!("/imports/{id}")).await;
        (import["state"] != "running").then_some(import)
    });
    assert_eq!(import.await["done"], 1);
}

/// An account made at one node holds at the other. Its password passes no other node: it is made while
/// the one that leads does nothing.
async fn account(nodes: &Nodes, leader: usize, follower: usize) {
    let desk = json!({ "name": "desk", "password": "correct horse battery" });
    nodes.rigs[leader].signal("STOP");
    let reply = nodes.api(follower).try_post("/accounts", &desk).await;
    nodes.rigs[leader].signal("CONT");
    let reply = reply.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.text());
    let listed = nodes.api(follower).get("/accounts").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    for node in [leader, follower] {
        until("the account holds", 2 * TAKE_OVER, async || {
            let address = nodes.rigs[node].enterprise;
            let mut api = Api::new(address, "desk", "correct horse battery");
            let request = Request::new("GET", "/api/v1/session");
            let holds = api.send(request).await.unwrap().status == 200;
            if !holds {
                // Ten failures would shut this address out.
                tokio::time::sleep(Duration::from_millis(1_500)).await;
            }
            holds.then_some(())
        })
        .await;
    }
}
