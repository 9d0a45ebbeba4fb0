//! A relay between devices and a server: who is who, what breaks, and what comes back.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use wattfold::clock;
use wattfold::relay::{HELLO_TIMEOUT, MAX_HELLO_BYTES};
use wattfold::steady::SEND_TIMEOUT;
use wattfold::tls::{Connector, lfdi_of_pem};

use crate::device::Device;
use crate::exchange::{Request, Wire};
use crate::rig::{Rig, Setup, free_address, shared, until};

const RECOVERS_WITHIN: Duration = Duration::from_secs(20);
const SLACK: Duration = Duration::from_secs(5);

/// A relay process with its addresses.
struct Relay {
    dir: PathBuf,
    public: SocketAddr,
    /// Where devices that name nobody get nowhere.
    strict: SocketAddr,
    tunnel: SocketAddr,
    child: Option<Child>,
}

impl Relay {
    /// Gives the relay a certificate of the server's PKI, and the server a tunnel to it.
    fn new(rig: &Rig, more: &str) -> Self {
        let server = ["--server-name", "localhost", "--server-ip", "127.0.0.1"];
        let made = [["pki", "server", "pki", "relay"].as_slice(), &server].concat();
        rig.wattfold(&made);
        let relay = Self {
            dir: rig.dir.clone(),
            public: free_address(),
            strict: free_address(),
            tunnel: free_address(),
            child: None,
        };
        let lfdi = lfdi_of_pem(&rig.pki().join("server.chain.pem")).unwrap();
        let text = format!(
            r#"{more}
[tunnel]
listen = "{}"
cert_chain = "pki/relay.chain.pem"
key = "pki/relay.key.pem"
trust = "pki/ca-chain.pem"
[[public]]
listen = "{}"
default = "utility"
[[public]]
listen = "{}"
[[addressees]]
name = "utility"
lfdi = "{lfdi}"
hosts = ["localhost"]
"#,
            relay.tunnel, relay.public, relay.strict
        );
        std::fs::write(rig.dir.join("relay.toml"), text).unwrap();
        let config = rig.dir.join("wattfold.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let tunnels = format!("tunnels = [{{ relay = \"{}\" }}]\n", relay.tunnel);
        let text = text.replace("[ieee2030_5]\n", &format!("[ieee2030_5]\n{tunnels}"));
        std::fs::write(config, text).unwrap();
        relay
    }

    fn start(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("relay.log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_wattfold"))
            .args(["relay", "--config", "relay.toml"])
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("relay.log")).unwrap()
    }

    async fn says(&self, what: &str) {
        until(what, RECOVERS_WITHIN, async || {
            self.log().contains(what).then_some(())
        })
        .await;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let killed = child.kill().and_then(|()| child.wait());
            if std::thread::panicking() || killed.is_err() {
                eprintln!("{killed:?}\n{}", self.log());
            }
        }
    }
}

async fn reached(device: &Device) {
    until("the device gets through", RECOVERS_WITHIN, async || {
        let reply = device.get("/tm").await.ok()?;
        (reply.status == 200).then_some(())
    })
    .await;
}

async fn started(name: &str, devices: usize, more: &str) -> (Rig, Relay) {
    let setup = Setup {
        devices,
        ..Setup::default()
    };
    let mut rig = Rig::new(name, &setup);
    let mut relay = Relay::new(&rig, more);
    relay.start();
    rig.start().await;
    (rig, relay)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_sees_the_device_and_not_the_relay() {
    let _machine = shared().await;
    let (mut rig, relay) = started("relay-identity", 2, "").await;
    let direct = [1, 2].map(|number| rig.device(number));
    let mut api = rig.api();
    for device in &direct {
        let enrolment = json!({
            "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
            "registration": "out_of_band",
        });
        api.post("/ders", &enrolment).await;
    }
    for (number, device) in direct.iter().enumerate() {
        let through = device.at(relay.public);
        reached(&through).await;
        let own = through.get(&format!("/edev/{number}")).await.unwrap();
        assert_eq!(own.status, 200);
        let sfdi = format!("<sFDI>{}</sFDI>", device.lfdi.sfdi());
        assert!(own.text().contains(&sfdi), "{}", own.text());
        let other = through.get(&format!("/edev/{}", 1 - number)).await;
        assert_eq!(other.unwrap().status, 404);
    }
    // A body of many pieces goes through as it is.
    let page = Request::new("GET", "/edev?s=0&l=255");
    let (near, far) = (
        direct[0].ask(&page).await,
        direct[0].at(relay.public).ask(&page).await,
    );
    assert_eq!(near.unwrap().body, far.unwrap().body);
    let log = rig.log_tail();
    assert!(!log.contains("panicked"), "{log}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_recover_from_the_death_of_relay_and_server() {
    let _machine = shared().await;
    let (mut rig, mut relay) = started("relay-death", 1, "").await;
    let device = rig.device(1).at(relay.public);
    reached(&device).await;
    let mut wire = device.connect().await.unwrap();
    let time = Request::new("GET", "/tm");
    assert_eq!(wire.exchange(&time).await.unwrap().status, 200);

    relay.kill();
    assert!(wire.is_closed_within(SLACK).await);
    assert!(device.connect().await.is_err());
    relay.start();
    let began = clock::now();
    reached(&device).await;
    println!("after the relay: {:?}", clock::now().since(began));

    let mut wire = device.connect().await.unwrap();
    assert_eq!(wire.exchange(&time).await.unwrap().status, 200);
    rig.kill();
    assert!(wire.is_closed_within(SLACK).await);
    assert!(device.connect().await.is_err());
    relay.says("reason=\"no_tunnel\"").await;
    rig.start().await;
    let began = clock::now();
    reached(&device).await;
    println!("after the server: {:?}", clock::now().since(began));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_those_go_through_who_say_where_to_and_only_our_server_is_there() {
    let _machine = shared().await;
    let metrics = free_address();
    let more = format!("metrics = \"{metrics}\"");
    let (mut rig, relay) = started("relay-routes", 1, &more).await;
    let device = rig.device(1);
    reached(&device.at(relay.public)).await;
    reached(&device.at(relay.strict)).await;
    let connector = Connector::new(&rig.tls_files("der-001")).unwrap();
    // An address is no server name: nothing is named then.
    for (address, name, gets_through) in [
        (relay.public, "127.0.0.1", true),
        (relay.strict, "127.0.0.1", false),
        (relay.public, "elsewhere.example", false),
    ] {
        let stream = TcpStream::connect(address).await.unwrap();
        let shaken = connector.connect(name, stream).await;
        assert_eq!(shaken.is_ok(), gets_through, "{address} {name}");
    }
    relay.says("reason=\"unknown_addressee\"").await;
    let mut plain = Wire::plain(relay.public).await.unwrap();
    plain.send(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(plain.is_closed_within(SLACK).await);
    relay.says("reason=\"no_tls\"").await;

    // A device's certificate is good, and does not make it a server.
    let stream = TcpStream::connect(relay.tunnel).await.unwrap();
    let shaken = connector.connect("localhost", stream).await;
    let mut tunnel = Wire::over(shaken.unwrap());
    assert!(tunnel.is_closed_within(SLACK).await);
    relay.says("reason=\"unknown_server\"").await;
    reached(&device.at(relay.public)).await;

    let mut wire = Wire::plain(metrics).await.unwrap();
    let reply = wire.exchange(&Request::new("GET", "/metrics")).await;
    let counted = reply.unwrap().text();
    for expected in [
        "wattfold_relay_tunnels{addressee=\"utility\"} 1",
        "wattfold_relay_refused_total{reason=\"unknown_addressee\"} 2",
        "wattfold_relay_refused_total{reason=\"no_tls\"} 1",
        "wattfold_relay_tunnels_refused_total{reason=\"unknown_server\"} 1",
        "wattfold_relay_carried_total ",
        "wattfold_relay_connections ",
    ] {
        assert!(counted.contains(expected), "{expected}: {counted}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_finishes_its_hello_is_given_up() {
    let _machine = shared().await;
    let (mut rig, relay) = started("relay-slow", 1, "max_connections = 2").await;
    let device = rig.device(1).at(relay.public);
    reached(&device).await;
    // The place of that connection has to be free again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut silent = Wire::plain(relay.public).await.unwrap();
    let mut half = Wire::plain(relay.public).await.unwrap();
    half.send(&[22, 3, 1]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Both places are taken.
    assert!(device.connect().await.is_err());
    let began = clock::now();
    assert!(silent.is_closed_within(HELLO_TIMEOUT + SLACK).await);
    assert!(half.is_closed_within(SLACK).await);
    let took = clock::now().since(began);
    assert!(HELLO_TIMEOUT - SLACK < took, "{took:?}");
    relay.says("reason=\"too_slow\"").await;
    reached(&device).await;
    let mut endless = Wire::plain(relay.public).await.unwrap();
    let record = [
        vec![22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0],
        vec![0; MAX_HELLO_BYTES],
    ]
    .concat();
    endless.send(&record).await.unwrap();
    assert!(endless.is_closed_within(SLACK).await);
    reached(&device).await;
    rig.stop().await;
}

/// One that asks and asks and reads nothing holds up itself alone, and not for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_holds_up_nobody() {
    let _machine = shared().await;
    let (mut rig, relay) = started("relay-deaf", 2, "").await;
    let other = rig.device(2).at(relay.public);
    reached(&other).await;
    // A buffer of a set size does not grow: what a deaf client takes ends soon, and for good.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let stream = socket.connect(relay.public).await.unwrap();
    let connector = Connector::new(&rig.tls_files("der-001")).unwrap();
    let mut wire = Wire::over(connector.connect("localhost", stream).await.unwrap());
    let request = Request::new("GET", "/dcap").bytes().repeat(1_000);
    let before = rig.resident_bytes();
    // Until everything between here and the server is full, it goes on; then it is waited for.
    let flood = async {
        loop {
            let began = clock::now();
            if wire.send(&request).await.is_err() {
                return clock::now().since(began);
            }
        }
    };
    let polls = async {
        loop {
            let asked = clock::now();
            assert_eq!(other.get("/tm").await.unwrap().status, 200);
            let took = clock::now().since(asked);
            assert!(took < SLACK, "{took:?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let took = tokio::select! {
        took = flood => took,
        () = polls => unreachable!("it asks for ever"),
    };
    assert!(took < SEND_TIMEOUT + 2 * SLACK, "{took:?}");
    let gathered = rig.resident_bytes().saturating_sub(before);
    assert!(gathered < 32 * 1024 * 1024, "{gathered} bytes");
    reached(&other).await;
    rig.stop().await;
}
