//! One running py20305, driven by its own management interface where it would only wait.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::device::Device;
use crate::exchange::{Request, Wire};
use crate::peers::{self, Running};
use crate::rig::{Rig, free_address, until};

/// An interpreter and models of a thousand types are loaded first, by several at once.
const REGISTERED_WITHIN: Duration = Duration::from_secs(90);
const LOOKS_EVERY: Duration = Duration::from_millis(700);

/// Edition of the standard that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edition {
    Y2018,
    Y2023,
}

impl Edition {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Y2018 => "2018",
            Self::Y2023 => "2023",
        }
    }
}

/// One request of the client and its answer, or a notification that it took.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Exchange {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) sent: String,
    pub(super) received: String,
}

impl Exchange {
    pub(super) fn is(&self, method: &str, path: &str, status: u16) -> bool {
        (self.method.as_str(), self.path.as_str(), self.status) == (method, path, status)
    }
}

/// What the client told its device to do.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Applied {
    pub(super) method: String,
    pub(super) params: Value,
    pub(super) refused: Option<String>,
}

pub(super) struct Client {
    _running: Running,
    pub(super) folder: PathBuf,
    edition: Edition,
    management: SocketAddr,
}

impl Client {
    /// With one device behind it: the one whose certificate it shows.
    pub(super) fn start(rig: &Rig, device: &Device, edition: Edition, more: &Value) -> Self {
        let lfdi = device.lfdi.to_string();
        let devices = json!({ "devices": [inverter(&lfdi)] });
        Self::start_with(rig, device, edition, &merged(devices, more))
    }

    /// With what `more` adds to its configuration, devices among it.
    pub(super) fn start_with(rig: &Rig, device: &Device, edition: Edition, more: &Value) -> Self {
        let folder = rig.dir.join(format!("py20305-{}", device.name));
        std::fs::create_dir_all(&folder).unwrap();
        let management = free_address();
        let pki = |file: &str| rig.pki().join(file);
        let config = json!({
            "server": {
                "url": format!("https://localhost:{}", rig.devices.port()),
                "server_2018_compat": edition == Edition::Y2018,
            },
            "tls": {
                "client_cert": pki(&format!("{}.chain.pem", device.name)),
                "client_key": pki(&format!("{}.key.pem", device.name)),
                "ca_cert": pki("ca-chain.pem"),
            },
            "telemetry": { "post_rate_seconds": 1 },
            "history": { "enabled": false },
            "api": { "enabled": true, "port": management.port() },
        });
        let path = folder.join("client.json");
        std::fs::write(&path, merged(config, more).to_string()).unwrap();
        let child = Command::new(peers::python())
            .arg(peers::script("py20305_device.py"))
            .args([&path, &folder])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("client.log")).unwrap())
            .spawn()
            .unwrap();
        Self {
            _running: Running(child),
            folder,
            edition,
            management,
        }
    }

    /// How the device behind it behaves from now on.
    pub(super) fn behave(folder: &Path, behaviour: &Value) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("device.json"), behaviour.to_string()).unwrap();
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.lines("exchanges.jsonl")
    }

    pub(super) fn applied(&self) -> Vec<Applied> {
        self.lines("applied.jsonl")
    }

    /// The last parameters that the device was given by this method.
    pub(super) fn applied_last(&self, method: &str) -> Option<Value> {
        let mut applied = self.applied();
        applied.retain(|one| one.method == method);
        applied.pop().map(|one| one.params)
    }

    fn lines<T: serde::de::DeserializeOwned>(&self, name: &str) -> Vec<T> {
        let text = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        // The last line may be half written.
        let lines = text.lines().map(serde_json::from_str);
        lines.filter_map(Result::ok).collect()
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("client.log")).unwrap_or_default()
    }

    /// Asks its management interface.
    pub(super) async fn ask(&self, method: &str, path: &str) -> Option<Value> {
        let mut wire = Wire::plain(self.management).await.ok()?;
        let request = Request::new(method, &format!("/api/v1{path}"));
        let reply = wire.exchange(&request.body("application/json", "{}")).await;
        let reply = reply.ok().filter(|reply| reply.status == 200)?;
        Some(reply.json())
    }

    /// Has it look for controls now: by itself it never does more often than every ten seconds.
    pub(super) async fn poll(&self) {
        let told = self.ask("POST", "/poll-now").await;
        let told = told.unwrap_or_else(|| panic!("no poll; see {}", self.folder.display()));
        assert_eq!(told["status"], "ok", "{told}");
    }

    /// Waits until the DER is registered, described and metered.
    pub(super) async fn reports(&self, rig: &Rig, mrid: &str) -> Value {
        let mut api = rig.api();
        let what = format!("py20305 reports; see {}", self.folder.display());
        until(&what, REGISTERED_WITHIN, async || {
            let der = api.get(&format!("/ders/{mrid}")).await;
            let told = der["registration"] == "registered"
                && der["capability"].is_object()
                && der["settings"].is_object()
                && der["p_available_w"].is_object()
                && der["p_w"].is_object();
            told.then_some(der)
        })
        .await
    }

    /// Has it look for controls again and again until there is something to see.
    pub(super) async fn polls_until<T>(
        &self,
        what: &str,
        within: Duration,
        mut look: impl AsyncFnMut() -> Option<T>,
    ) -> T {
        let what = format!("{what}; see {}", self.folder.display());
        until(&what, within, async || {
            self.poll().await;
            tokio::time::sleep(LOOKS_EVERY).await;
            look().await
        })
        .await
    }

    /// The status of each response to this control that the server took, in order.
    pub(super) fn responses(&self, control: &str) -> Vec<u8> {
        let exchanges = self.exchanges();
        let posted = exchanges
            .iter()
            .filter(|e| e.method == "POST" && e.status == 201 && e.path.starts_with("/rsps/"));
        let about = posted.filter(|e| element(&e.sent, "subject").eq_ignore_ascii_case(control));
        about
            .map(|e| element(&e.sent, "status").parse().unwrap())
            .collect()
    }

    /// Everything that it sent was taken, and all that it got obeys the schema.
    pub(super) async fn assert_all_is_well(&self) {
        let exchanges = self.exchanges();
        let refused: Vec<&Exchange> = exchanges.iter().filter(|e| e.status >= 400).collect();
        assert!(refused.is_empty(), "{refused:#?}");
        let path = self.folder.join("exchanges.jsonl");
        let arguments = [
            path.to_str().unwrap().to_owned(),
            self.edition.name().to_owned(),
        ];
        let judged = peers::run("sep_valid.py", &arguments).await;
        let told = String::from_utf8_lossy(&judged.stdout);
        let complaint = String::from_utf8_lossy(&judged.stderr);
        assert!(judged.status.success(), "{told}{complaint}");
        println!("{}: {told}", self.folder.display());
    }

    /// What was asked and answered, how often.
    pub(super) fn summary(&self) -> String {
        let exchanges = self.exchanges();
        let mut counts = BTreeMap::<_, usize>::new();
        for exchange in &exchanges {
            let key = (&exchange.method, &exchange.path, exchange.status);
            *counts.entry(key).or_default() += 1;
        }
        let mut text = format!(
            "{} exchanges, edition {}\n",
            exchanges.len(),
            self.edition.name()
        );
        for ((method, path, status), count) in counts {
            writeln!(text, "{count:>5} × {method:<6} {status} {path}").unwrap();
        }
        text
    }
}

/// A device of py20305's configuration.
pub(super) fn inverter(lfdi: &str) -> Value {
    json!({ "type": "custom", "class_path": "py20305_device.Inverter", "lfdi": lfdi })
}

/// The text of the first element of this name, whatever its prefix and attributes.
fn element<'a>(document: &'a str, name: &str) -> &'a str {
    let mut from = document;
    while let Some((_, rest)) = from.split_once(name) {
        if let Some((attributes, rest)) = rest.split_once('>')
            && (attributes.is_empty() || attributes.starts_with(' '))
        {
            return rest.split('<').next().unwrap();
        }
        from = rest;
    }
    panic!("{name}: {document}")
}

fn merged(mut base: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        base[key] = value.clone();
    }
    base
}

/// Leaves what a run showed where the documents take it from.
pub(super) fn write_evidence(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../evidence");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
    println!("{text}");
}

/// What became of one control at one DER, as the REST API shows it.
pub(super) async fn delivery(rig: &Rig, der: &str, control: &str) -> Value {
    let shown = rig.api().get(&format!("/ders/{der}")).await;
    let controls = shown["controls"].as_array().unwrap();
    let row = controls.iter().find(|row| row["mrid"] == control);
    row.cloned().unwrap_or_else(|| panic!("{control}: {shown}"))
}

/// The states of such a row, in order.
pub(super) fn states(row: &Value) -> Vec<&str> {
    let entries = row["entries"].as_array().unwrap();
    let states = entries.iter().map(|entry| entry["state"].as_str().unwrap());
    states.collect()
}

/// When this many seconds from now are over, as the REST API wants it.
pub(super) fn in_s(seconds: i64) -> String {
    let at = wattfold::clock::now().secs() + seconds;
    jiff::Timestamp::from_second(at).unwrap().to_string()
}

/// Issues a control of a programme, and gives its mRID.
pub(super) async fn issue(rig: &Rig, program: &Value, body: &Value) -> String {
    let program = program.as_str().unwrap();
    let path = format!("/programs/{program}/controls");
    let control = rig.api().post(&path, body).await;
    control["mrid"].as_str().unwrap().to_owned()
}
