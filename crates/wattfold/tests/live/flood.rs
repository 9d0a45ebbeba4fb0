//! Ten thousand connections, and what they cost others: nothing but memory, and little of that.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use wattfold::clock;
use wattfold::device_listener::MAX_CONNECTIONS_OF_DER;

use crate::device::Device;
use crate::exchange::{Request, Wire};
use crate::peers;
use crate::rig::{Rig, Setup, alone, asked, shared, until};

const CONNECTIONS: usize = 10_000;
/// Connections that go through a whole handshake, unless `WATTFOLD_IDLE` sets another number.
const ESTABLISHED: u64 = 2_000;
/// How long a well-behaved device waits at most while others flood.
const SERVED_WITHIN: Duration = Duration::from_secs(3);
/// What each silent connection may add to the server's memory.
const SILENT_BYTES_MAX: u64 = 8 * 1_024;
/// What a connection in its handshake or after it may add.
const TLS_BYTES_MAX: u64 = 64 * 1_024;
/// The head of a record that announces a longer `ClientHello` than follows.
const HALF_A_HELLO: &str = "1603010200010001fc0303";
/// The time that a handshake may take, and some.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(20);
const MIB: u64 = 1_024 * 1_024;

/// How the connections of a flood behave.
struct Kind {
    what: &'static str,
    count: usize,
    /// Arguments of the program that holds them.
    how: Vec<String>,
    /// Whether the server closes them after a while.
    is_given_up: bool,
    /// What each may add to the server's memory.
    bytes_max: u64,
}

/// Another process with its own limit of open files, which holds the connections.
struct Flood {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// How many could be opened.
    opened: usize,
}

impl Flood {
    async fn start(rig: &Rig, count: usize, how: &[String]) -> Self {
        let mut command = Command::new(peers::python());
        command
            .arg(peers::script("hold_connections.py"))
            .args([rig.devices.port().to_string(), count.to_string()])
            .args(how)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let start = move || {
            let mut child = command.spawn().unwrap();
            let orders = child.stdin.take();
            let mut flood = Self {
                answers: BufReader::new(child.stdout.take().unwrap()),
                orders,
                child,
                opened: 0,
            };
            let line = flood.line();
            flood.opened = line.strip_prefix("open ").unwrap().parse().unwrap();
            flood
        };
        tokio::task::spawn_blocking(start).await.unwrap()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// How many the server has not closed.
    fn still_open(&mut self) -> usize {
        let orders = self.orders.as_mut().unwrap();
        orders.write_all(b"count\n").unwrap();
        orders.flush().unwrap();
        self.line().parse().unwrap()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        drop(self.orders.take());
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("{error}");
        }
    }
}

async fn registered(rig: &Rig, number: usize) -> Device {
    let device = rig.device(number);
    let enrolment = json!({
        "name": device.name, "kind": "pv", "lfdi": device.lfdi.to_string(),
        "registration": "out_of_band",
    });
    rig.api().post("/ders", &enrolment).await;
    device
}

/// The device is served over the connection it has and over a new one. Returns the longer time.
async fn served(device: &Device, kept: &mut Wire) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let began = clock::now();
        let reply = kept
            .exchange(&Request::new("GET", "/edev/0"))
            .await
            .unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        let reply = device.get("/edev/0").await.unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        longest = longest.max(clock::now().since(began));
    }
    assert!(longest < SERVED_WITHIN, "{longest:?}");
    longest
}

/// Waits until the server has no more device connections than this many.
async fn calm(rig: &Rig, connections: u64, within: Duration) {
    let mut api = rig.api();
    until("the flood is over", within, async || {
        let open = api.metric("wattfold_connections").await;
        (open <= connections).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_cost_others_little() {
    let _machine = alone().await;
    let established = usize::try_from(asked("WATTFOLD_IDLE", ESTABLISHED)).unwrap();
    // So many that none has too many connections.
    let flooding = established.div_ceil(MAX_CONNECTIONS_OF_DER);
    let setup = Setup {
        devices: 1 + flooding,
        ..Setup::default()
    };
    let mut rig = Rig::started("flood", &setup).await;
    let device = registered(&rig, 1).await;
    for number in 2..2 + flooding {
        registered(&rig, number).await;
    }
    let mut kept = device.connect().await.unwrap();
    served(&device, &mut kept).await;
    for kind in kinds(&rig, (established, flooding)) {
        withstood(&mut rig, &device, &mut kept, &kind).await;
    }
    rig.stop().await;
    rig.audit();
}

fn kinds(rig: &Rig, (established, flooding): (usize, usize)) -> [Kind; 3] {
    let pki = |file: &str| rig.pki().join(file).to_str().unwrap().to_owned();
    let certificates = (2..2 + flooding).flat_map(|number| {
        ["chain", "key"].map(|half| pki(&format!("der-{number:03}.{half}.pem")))
    });
    [
        Kind {
            what: "silent",
            count: CONNECTIONS,
            how: Vec::new(),
            is_given_up: true,
            bytes_max: SILENT_BYTES_MAX,
        },
        Kind {
            what: "established and idle",
            count: established,
            how: ["--tls".to_owned()]
                .into_iter()
                .chain(certificates)
                .collect(),
            is_given_up: false,
            bytes_max: TLS_BYTES_MAX,
        },
        Kind {
            what: "half a ClientHello",
            count: CONNECTIONS,
            how: vec![HALF_A_HELLO.to_owned()],
            is_given_up: true,
            bytes_max: TLS_BYTES_MAX,
        },
    ]
}

/// The flood comes, the device is served meanwhile, the flood goes, and nothing is left of it.
async fn withstood(rig: &mut Rig, device: &Device, kept: &mut Wire, kind: &Kind) {
    let (idle, began) = (rig.resident_bytes(), clock::now());
    let mut flood = Flood::start(rig, kind.count, &kind.how).await;
    let took = clock::now().since(began);
    let longest = served(device, kept).await;
    let resident = rig.resident_bytes();
    let open = flood.still_open();
    let count = u64::try_from(kind.count).unwrap();
    let line = json!({
        "connections": open, "kind": kind.what, "made_in_s": took.as_secs(),
        "bytes_per_connection": resident.saturating_sub(idle) / count,
        "resident_mib": resident / MIB, "resident_before_mib": idle / MIB,
        "longest_wait_of_another_device_ms": longest.as_millis(),
    });
    println!("idle: {line}");
    assert_eq!(flood.opened, kind.count);
    assert_eq!(open, kind.count);
    let bound = idle + kind.bytes_max * count;
    assert!(resident < bound, "{resident} of {bound} bytes");
    if kind.is_given_up {
        calm(rig, 1, GIVEN_UP_WITHIN).await;
        assert_eq!(flood.still_open(), 0);
    }
    drop(flood);
    calm(rig, 1, Duration::from_secs(5)).await;
    served(device, kept).await;
    rig.assert_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_are_refused_and_hold_up_nobody() {
    let _machine = shared().await;
    let setup = Setup {
        ieee2030_5: "poll_rate_s = 1\nmax_connections = 8",
        ..Setup::default()
    };
    let mut rig = Rig::started("limit", &setup).await;
    let device = registered(&rig, 1).await;
    let mut kept = device.connect().await.unwrap();
    let mut unfinished = Vec::new();
    for _ in 0..7 {
        // A head that is never finished holds a place for as long as the listener allows.
        let mut wire = device.connect().await.unwrap();
        wire.send(b"GET /dcap HTTP/1.1\r\nHost:").await.unwrap();
        unfinished.push(wire);
    }
    for _ in 0..20 {
        let mut refused = Wire::plain(rig.devices).await.unwrap();
        assert!(refused.is_closed_within(Duration::from_secs(2)).await);
    }
    assert!(device.connect().await.is_err());
    let mut api = rig.api();
    assert_eq!(api.metric("wattfold_connections").await, 8);
    assert_eq!(api.metric("wattfold_connections_refused_total").await, 21);
    let reply = kept
        .exchange(&Request::new("GET", "/edev/0"))
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
    drop(unfinished);
    calm(&rig, 1, Duration::from_secs(5)).await;
    served(&device, &mut kept).await;
    rig.stop().await;
}
