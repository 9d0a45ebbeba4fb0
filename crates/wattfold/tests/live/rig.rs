//! A server of one's own: PKI, configuration, data, and the process, which never outlives its test.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use wattfold::clock;
use wattfold::serve::FIRST_PASSWORD_FILE;
use wattfold::tls::{Connector, TlsFiles};

use crate::api::Api;
use crate::device::Device;
use crate::exchange::{Request, Wire};

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(10);
const LOG_TAIL: usize = 30;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Below the ports that the system gives to outgoing connections, so that none of these takes a
/// server's port while it is down.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

static MACHINE: RwLock<()> = RwLock::const_new(());

/// For a test that shares the machine with others.
pub(crate) async fn shared() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().await
}

/// For a test that floods the machine or measures it.
pub(crate) async fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().await
}

/// A number that the environment sets, by which a soak makes a test longer.
pub(crate) fn asked(name: &str, default: u64) -> u64 {
    let text = std::env::var_os(name).map(|text| text.into_string().unwrap());
    text.map_or(default, |text| text.parse().unwrap())
}

/// Looks again and again until there is something to see.
pub(crate) async fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = clock::now().after(within);
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(clock::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) devices: usize,
    /// Lines of the `[ieee2030_5]` table.
    pub(crate) ieee2030_5: &'static str,
    /// Lines of the `[enterprise]` table.
    pub(crate) enterprise: &'static str,
    /// Lines of the `[control]` table.
    pub(crate) control: &'static str,
    /// Further tables.
    pub(crate) tables: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            devices: 1,
            ieee2030_5: "poll_rate_s = 1\npost_rate_s = 1",
            enterprise: "",
            control: "tick_ms = 100\nsilent_after_s = 30\nsettle_s = 2\nlead_s = 1",
            tables: String::new(),
        }
    }
}

/// A server, running or not, with its files.
pub(crate) struct Rig {
    pub(crate) dir: PathBuf,
    pub(crate) enterprise: SocketAddr,
    pub(crate) devices: SocketAddr,
    /// Program, and its arguments, that the server is run under; empty for none.
    pub(crate) under: Vec<String>,
    child: Option<Child>,
}

impl Rig {
    /// Makes PKI and configuration for a server that is yet to be started.
    pub(crate) fn new(name: &str, setup: &Setup) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("live-{name}"));
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        std::fs::create_dir_all(&dir).unwrap();
        let rig = Self {
            dir,
            enterprise: free_address(),
            devices: free_address(),
            under: Vec::new(),
            child: None,
        };
        let pki = rig.pki().to_str().unwrap().to_owned();
        rig.wattfold(&["pki", "init", &pki, "--devices", &setup.devices.to_string()]);
        rig.configure(setup);
        rig
    }

    /// A further server with the certificates of this one.
    pub(crate) fn beside(&self, name: &str, setup: &Setup) -> Self {
        let dir = self.dir.with_file_name(format!("live-{name}"));
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        std::fs::create_dir_all(&dir).unwrap();
        std::os::unix::fs::symlink(self.pki(), dir.join("pki")).unwrap();
        let rig = Self {
            dir,
            enterprise: free_address(),
            devices: free_address(),
            under: Vec::new(),
            child: None,
        };
        rig.configure(setup);
        rig
    }

    pub(crate) async fn started(name: &str, setup: &Setup) -> Self {
        let mut rig = Self::new(name, setup);
        rig.start().await;
        rig
    }

    /// Writes the configuration that the next start reads.
    pub(crate) fn configure(&self, setup: &Setup) {
        let mut text = String::new();
        write!(
            text,
            r#"[enterprise]
listen = "{enterprise}"
{more_enterprise}
[ieee2030_5]
listen = "{devices}"
cert_chain = "pki/server.chain.pem"
key = "pki/server.key.pem"
trust = "pki/ca-chain.pem"
{more_devices}
[control]
{control}
{tables}
"#,
            enterprise = self.enterprise,
            more_enterprise = setup.enterprise,
            devices = self.devices,
            more_devices = setup.ieee2030_5,
            control = setup.control,
            tables = setup.tables,
        )
        .unwrap();
        std::fs::write(self.dir.join("wattfold.toml"), text).unwrap();
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.dir.join("pki")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Starts the server, with as many file descriptors as the system allows, and waits until it
    /// is ready.
    pub(crate) async fn start(&mut self) {
        self.spawn();
        let enterprise = self.enterprise;
        until("the server is ready", READY_WITHIN, async || {
            self.assert_running();
            let mut wire = Wire::plain(enterprise).await.ok()?;
            let reply = wire.exchange(&Request::new("GET", "/readyz")).await.ok()?;
            (reply.status == 200).then_some(())
        })
        .await;
    }

    /// Starts the server and waits until it listens.
    pub(crate) async fn start_https(&mut self) {
        self.spawn();
        let enterprise = self.enterprise;
        until("the server listens", READY_WITHIN, async || {
            self.assert_running();
            Wire::plain(enterprise).await.ok().map(drop)
        })
        .await;
    }

    fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = || -> File {
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            options.open(self.log()).unwrap()
        };
        let child = Command::new("sh")
            .args(["-c", r#"ulimit -n "$(ulimit -H -n)"; exec "$@""#, "sh"])
            .args(&self.under)
            .arg(env!("CARGO_BIN_EXE_wattfold"))
            .args(["serve", "--config", "wattfold.toml", "--data", "data"])
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    /// All that the server wrote.
    pub(crate) fn whole_log(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The last lines that the server wrote.
    pub(crate) fn log_tail(&self) -> String {
        let text = self.whole_log();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }

    /// Starts the server, which is to end by itself and with an error, and gives what it wrote.
    pub(crate) async fn start_in_vain(&mut self) -> String {
        let before = self.whole_log().len();
        self.spawn();
        self.ended().await;
        self.whole_log()[before..].to_owned()
    }

    /// Waits until the server has ended by itself, with an error.
    pub(crate) async fn ended(&mut self) {
        let mut child = self.child.take().expect("started");
        let status = until("the server ends", STOP_WITHIN, async || {
            child.try_wait().unwrap()
        })
        .await;
        assert_eq!(status.code(), Some(1), "{}", self.log_tail());
    }

    pub(crate) fn assert_running(&mut self) {
        let child = self.child.as_mut().expect("started");
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "ended: {ended:?}\n{}", self.log_tail());
    }

    /// SIGKILL: no goodbye, nothing written on the way out.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("started");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("started").id();
        let sent = Command::new("kill")
            .args(["-s", name, &id.to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// SIGTERM, as an operator stops it.
    pub(crate) async fn stop(&mut self) {
        let mut child = self.child.take().expect("started");
        let asked = Command::new("kill").arg(child.id().to_string()).status();
        assert!(asked.unwrap().success());
        let status = until("the server stops", STOP_WITHIN, async || {
            child.try_wait().unwrap()
        })
        .await;
        assert!(status.success(), "{status}\n{}", self.log_tail());
    }

    /// Runs another command of the binary to its end, however it ends.
    pub(crate) fn try_wattfold(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_wattfold"))
            .args(arguments)
            .current_dir(&self.dir)
            .output()
            .unwrap()
    }

    /// Runs another command of the binary to its end.
    pub(crate) fn wattfold(&self, arguments: &[&str]) -> String {
        let output = self.try_wattfold(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Walks the hash chain of the stopped server's journal.
    pub(crate) fn audit(&self) -> String {
        self.wattfold(&["audit", "verify", "--data", "data"])
    }

    pub(crate) fn password(&self) -> String {
        let text = std::fs::read_to_string(self.data().join(FIRST_PASSWORD_FILE)).unwrap();
        text.trim().to_owned()
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(self.enterprise, "admin", &self.password())
    }

    /// Name, LFDI and so on of the device certificates, from 1.
    pub(crate) fn device(&self, number: usize) -> Device {
        let name = format!("der-{number:03}");
        let roster = std::fs::read_to_string(self.pki().join("devices.csv")).unwrap();
        let row = roster.lines().find(|row| row.starts_with(&name)).unwrap();
        let lfdi = row.split(',').nth(1).unwrap().parse().unwrap();
        let connector = Connector::new(&self.tls_files(&name)).unwrap();
        Device::new(name, lfdi, connector, self.devices)
    }

    /// One that shows its certificate alone, without those above it.
    pub(crate) fn device_with_leaf_only(&self, number: usize) -> Device {
        let device = self.device(number);
        let files = self.tls_files(&device.name);
        let chain = std::fs::read_to_string(&files.cert_chain).unwrap();
        let (leaf, _) = chain.split_once("-----END CERTIFICATE-----\n").unwrap();
        let path = self.dir.join(format!("{}.leaf.pem", device.name));
        std::fs::write(&path, format!("{leaf}-----END CERTIFICATE-----\n")).unwrap();
        let files = TlsFiles {
            cert_chain: path,
            ..files
        };
        let connector = Connector::new(&files).unwrap();
        Device::new(device.name, device.lfdi, connector, self.devices)
    }

    pub(crate) fn tls_files(&self, name: &str) -> TlsFiles {
        let pki = self.pki();
        TlsFiles {
            cert_chain: pki.join(format!("{name}.chain.pem")),
            key: pki.join(format!("{name}.key.pem")),
            trust: pki.join("ca-chain.pem"),
        }
    }

    /// Memory of the server that is in RAM now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let pid = self.child.as_ref().expect("started").id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line
            .and_then(|line| line.split_whitespace().nth(1))
            .unwrap();
        kib.parse::<u64>().unwrap() * 1_024
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let killed = child.kill().and_then(|()| child.wait());
            if std::thread::panicking() || killed.is_err() {
                eprintln!("{}: {killed:?}\n{}", self.dir.display(), self.log_tail());
            }
        }
    }
}

pub(crate) fn free_address() -> SocketAddr {
    let process = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap();
    for _ in 0..PORTS {
        let next = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST_PORT + (process + next % PORTS) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port is free");
}
