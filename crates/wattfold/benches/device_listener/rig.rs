//! The servers, each a process of its own.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wattfold::clock;
use wattfold::pki::{self, InitArgs};
use wattfold::serve::FIRST_PASSWORD_FILE;
use wattfold::tls::{Connector, TlsFiles, lfdi_of_pem};

use crate::here;
use crate::load::Client;

const CONTROLS_EACH: usize = 3;
const READY_TRIES: usize = 200;
/// Ticks of `/proc/PID/stat` in a second, on every Linux.
const TICKS_PER_S: u64 = 100;

/// A server, ended when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// This program again, as a bare server.
    pub(crate) fn bare(words: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(words)
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program");
        let out = child.stdout.take().expect("piped");
        let mut port = String::new();
        BufReader::new(out).read_line(&mut port).expect("a line");
        Self {
            child,
            address: here(port.trim().parse().expect("a port")),
        }
    }

    /// Processor time that it has used.
    pub(crate) fn cpu(&self) -> Duration {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = std::fs::read_to_string(path).expect("it runs");
        let (_, fields) = text.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |field: usize| -> u64 { fields[field].parse().expect("a number") };
        Duration::from_millis((ticks(11) + ticks(12)) * 1_000 / TICKS_PER_S)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The real server with its devices enrolled and controls for them.
pub(crate) struct Rig {
    pub(crate) dir: PathBuf,
    pub(crate) server: Process,
    pub(crate) clients: Vec<Client>,
    tunnel: SocketAddr,
    public: SocketAddr,
}

impl Rig {
    pub(crate) async fn start(devices: usize) -> Self {
        let dir = std::env::temp_dir().join(format!("wattfold-bench-{}", std::process::id()));
        let init = InitArgs {
            dir: dir.join("pki"),
            devices,
            device_names: Vec::new(),
            server_names: vec!["localhost".to_owned()],
            server_ips: Vec::new(),
        };
        let made = pki::init(&init, clock::now()).expect("a new folder");
        let [enterprise, listen, tunnel, public] = free_ports();
        let config = format!(
            "[enterprise]\nlisten = \"{enterprise}\"\n\
             [ieee2030_5]\nlisten = \"{listen}\"\ncert_chain = \"pki/server.chain.pem\"\n\
             key = \"pki/server.key.pem\"\ntrust = \"pki/ca-chain.pem\"\n\
             tunnels = [{{ relay = \"{tunnel}\", server_name = \"localhost\" }}]\n"
        );
        std::fs::write(dir.join("wattfold.toml"), config).expect("our own folder");
        let words = ["serve", "--config", "wattfold.toml", "--data", "data"];
        let server = Process {
            child: wattfold(&dir, &words),
            address: listen,
        };
        let clients = made.devices.iter().map(|device| {
            let (cert_chain, key) = pki::device_paths(&init.dir, &device.name);
            let files = TlsFiles {
                cert_chain,
                key,
                trust: init.dir.join("ca-chain.pem"),
            };
            Client {
                lfdi: device.lfdi,
                connector: Connector::new(&files).expect("our own PKI"),
            }
        });
        let rig = Self {
            clients: clients.collect(),
            server,
            tunnel,
            public,
            dir,
        };
        rig.enrol(enterprise).await;
        rig
    }

    pub(crate) fn pki(&self) -> String {
        self.dir.join("pki").to_string_lossy().into_owned()
    }

    /// Every device enrolled, with controls of its own that begin later.
    async fn enrol(&self, enterprise: SocketAddr) {
        let api = Api {
            url: format!("http://{enterprise}/api/v1"),
            authorization: self.authorization(enterprise).await,
        };
        for (number, client) in self.clients.iter().enumerate() {
            let der = api.post(
                "/ders",
                &json!({
                    "name": format!("DER {number}"), "kind": "storage",
                    "lfdi": client.lfdi.to_string(), "registration": "out_of_band",
                }),
            );
            let program = der["program"].as_str().expect("a programme");
            for control in 0..CONTROLS_EACH {
                let start =
                    clock::now().secs() + 3_600 + 900 * i64::try_from(control).expect("few");
                let start = jiff::Timestamp::from_second(start)
                    .expect("a time")
                    .to_string();
                let request =
                    json!({ "start": start, "duration_s": 900, "base": { "target_w": 1_500 } });
                api.post(&format!("/programs/{program}/controls"), &request);
            }
        }
    }

    /// Waits for the server, and knows its password then.
    async fn authorization(&self, enterprise: SocketAddr) -> String {
        use base64::Engine as _;
        for _ in 0..READY_TRIES {
            let password = self.dir.join("data").join(FIRST_PASSWORD_FILE);
            let is_up = tokio::net::TcpStream::connect(enterprise).await.is_ok();
            if let Ok(password) = std::fs::read_to_string(password)
                && is_up
            {
                let both = format!("admin:{}", password.trim());
                let both = base64::engine::general_purpose::STANDARD.encode(both);
                return format!("Basic {both}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not start");
    }

    /// A relay in front of the server, when its tunnel stands.
    pub(crate) async fn relay(&self) -> Process {
        let words = [
            "pki",
            "server",
            "pki",
            "relay",
            "--server-name",
            "localhost",
        ];
        let made = wattfold(&self.dir, &words).wait();
        assert!(made.expect("our own program").success());
        let lfdi = lfdi_of_pem(&self.dir.join("pki/server.chain.pem")).expect("our own PKI");
        let config = format!(
            "[tunnel]\nlisten = \"{}\"\ncert_chain = \"pki/relay.chain.pem\"\n\
             key = \"pki/relay.key.pem\"\ntrust = \"pki/ca-chain.pem\"\n\
             [[public]]\nlisten = \"{}\"\n\
             [[addressees]]\nname = \"server\"\nlfdi = \"{lfdi}\"\nhosts = [\"localhost\"]\n",
            self.tunnel, self.public
        );
        std::fs::write(self.dir.join("relay.toml"), config).expect("our own folder");
        let relay = Process {
            child: wattfold(&self.dir, &["relay", "--config", "relay.toml"]),
            address: self.public,
        };
        for _ in 0..READY_TRIES {
            if let Ok(tcp) = tokio::net::TcpStream::connect(relay.address).await
                && self.clients[0]
                    .connector
                    .connect("localhost", tcp)
                    .await
                    .is_ok()
            {
                return relay;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the relay gets no tunnel");
    }

    pub(crate) fn end(self) {
        let dir = self.dir.clone();
        drop(self);
        std::fs::remove_dir_all(dir).expect("our own folder");
    }
}

struct Api {
    url: String,
    authorization: String,
}

impl Api {
    fn post(&self, path: &str, body: &Value) -> Value {
        let mut response = ureq::post(format!("{}{path}", self.url))
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json")
            .send(body.to_string())
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = response.body_mut().read_to_string().expect("a text");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// The real program in `dir`, quietly.
fn wattfold(dir: &Path, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_wattfold"))
        .args(words)
        .current_dir(dir)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it was built")
}

fn free_ports<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("bound"))
}
