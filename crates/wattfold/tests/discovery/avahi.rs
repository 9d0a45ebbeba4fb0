//! An avahi daemon of one's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const BUS: &str =
    "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"
 \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">
<busconfig><type>system</type><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth>
<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/><allow send_type=\"method_call\"/>
<allow send_destination=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>";
const DAEMON: &str = "[server]\nhost-name=avahi-peer\nuse-ipv4=yes\nuse-ipv6=no\n\
                      ratelimit-interval-usec=0\n[publish]\npublish-workstation=no\n";
const READY_TRIES: usize = 100;
const LOOK_TRIES: usize = 10;

/// It keeps its process id in a place that can't be chosen: one runs at a time.
pub(crate) struct Avahi {
    address: String,
    daemons: Vec<Running>,
}

/// A process that ends with its test.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        assert!(ended.is_ok(), "{ended:?}");
    }
}

impl Avahi {
    pub(crate) async fn start(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("avahi-{name}"));
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        std::fs::create_dir_all(&dir).unwrap();
        let socket = dir.join("bus");
        let bus = dir.join("bus.conf");
        std::fs::write(&bus, BUS.replace("SOCKET", socket.to_str().unwrap())).unwrap();
        let config = dir.join("avahi.conf");
        std::fs::write(&config, DAEMON).unwrap();
        let address = format!("unix:path={}", socket.display());
        let mut avahi = Self {
            address,
            daemons: Vec::new(),
        };
        let mut dbus = Command::new("dbus-daemon");
        dbus.arg("--nofork").arg("--nopidfile");
        dbus.arg(format!("--config-file={}", bus.display()));
        avahi.run(dbus);
        wait_for("the message bus", || socket.exists()).await;
        let mut daemon = avahi.command("avahi-daemon");
        daemon.args(["--no-drop-root", "--no-chroot", "--no-rlimits", "-f"]);
        daemon.arg(&config);
        avahi.run(daemon);
        wait_for("avahi", || {
            let mut asked = avahi.command("avahi-browse");
            asked
                .args(["-at"])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            asked.status().unwrap().success()
        })
        .await;
        avahi
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.address);
        command
    }

    fn run(&mut self, mut command: Command) {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; run `cargo xtask test`"));
        self.daemons.insert(0, Running(child));
    }

    /// The line of an instance in what `avahi-browse` resolves.
    pub(crate) async fn browse(&self, kind: &str, name: &str) -> String {
        for _ in 0..LOOK_TRIES {
            if let Some(line) = self.look(kind, name).await {
                return line;
            }
        }
        panic!("avahi does not find {name} of {kind}");
    }

    /// Until it does not find an instance any more.
    pub(crate) async fn gone(&self, kind: &str, name: &str) {
        for _ in 0..LOOK_TRIES {
            if self.look(kind, name).await.is_none() {
                return;
            }
        }
        panic!("avahi still finds {name} of {kind}");
    }

    async fn look(&self, kind: &str, name: &str) -> Option<String> {
        let mut asked = self.command("avahi-browse");
        asked.args(["--resolve", "--parsable", "--terminate", kind]);
        let output = tokio::task::spawn_blocking(move || asked.output().unwrap());
        let output = output.await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_it = |line: &&str| line.starts_with('=') && line.split(';').nth(3) == Some(name);
        let line = text.lines().find(is_it).map(str::to_owned);
        if line.is_none() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        line
    }

    /// Publishes with a subtype until the answer is dropped.
    pub(crate) fn publish(&self, name: &str, subtype: &str, port: u16, text: &[&str]) -> Running {
        let mut command = self.command("avahi-publish-service");
        command
            .arg(format!("--subtype={subtype}"))
            .args([name, "_smartenergy._tcp", &port.to_string()])
            .args(text)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Running(command.spawn().unwrap())
    }
}

async fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..READY_TRIES {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} does not start");
}

/// The virtual environment that `cargo xtask peers` makes.
pub(crate) fn peers() -> PathBuf {
    std::env::var_os("WATTFOLD_PEERS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/venv"),
        PathBuf::from,
    )
}
