//! One procedure: a server, the configuration of its judge, the run and what came out of it.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its environment and the clock"
)]

use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::exchange::{Request, Wire};
use crate::peers::{self, Running};
use crate::rig::{Rig, Setup, free_address, until};

/// The number that every mRID of the server ends with.
const PEN: u32 = 37_250;
/// Its digits add up whichever way the check digit is counted: the standard's sum of all digits,
/// and cactus-client's sum of the first five.
const PIN: u32 = 123_455;
const MAX_WATTS: u32 = 10_000;
const SINK_WITHIN: Duration = Duration::from_secs(60);

/// Every procedure that is not named here is over within this time.
const USUAL: Duration = Duration::from_secs(180);
/// Procedures that wait by design.
const LONG: [(&str, u64); 3] = [
    ("S-ALL-41", 1_200),
    ("S-ALL-46", 1_500),
    ("S-ALL-50", 2_400),
];

/// The judge looks for the programme of one primacy among two that it asked for itself, and warns
/// of the other one (`cactus_client/check/der.py`, `check_der_program`): no server can pass this
/// without warnings.
const WARNS_OF_ITSELF: &str = "S-ALL-49";
const ITS_WARNING: &str = "Skipping DERProgram";

/// 4,320 rounds, one each minute: three days. Fewer are run, one each second, with meters read each
/// second, unless this asks for the real thing.
const THREE_DAYS: &str = "S-ALL-50";
const HURRIED_ROUNDS: u32 = 600;
const IN_FULL: &str = "WATTFOLD_CONFORMANCE_IN_FULL";

/// A procedure that is to be run.
pub(crate) struct Plan {
    name: String,
    pub(crate) longest: Duration,
    compressed: bool,
}

impl Plan {
    pub(crate) fn of(name: &str) -> Self {
        let long = LONG.iter().find(|(long, _)| *long == name);
        let in_full = std::env::var_os(IN_FULL).is_some();
        let longest = match long {
            Some((THREE_DAYS, _)) if in_full => Duration::from_secs(4 * 86_400),
            Some((_, seconds)) => Duration::from_secs(*seconds),
            None => USUAL,
        };
        Self {
            name: name.to_owned(),
            longest,
            compressed: name == THREE_DAYS && !in_full,
        }
    }

    /// Runs it against a server of its own.
    pub(crate) async fn run(&self, sink: &Sink) -> Verdict {
        let rig = Rig::started(&format!("conformance-{}", self.name), &setup()).await;
        let begun = Instant::now();
        let output = self.judge(&rig, sink).await;
        Verdict::read(self, &rig.dir.join("judged"), &output, begun.elapsed())
    }

    async fn judge(&self, rig: &Rig, sink: &Sink) -> String {
        let output = rig.dir.join("judged");
        std::fs::create_dir_all(&output).unwrap();
        let config = rig.dir.join("cactus.json");
        std::fs::write(&config, configuration(rig, sink).to_string()).unwrap();
        let mut command = Command::new(peers::python());
        command.arg(peers::script("cactus.py"));
        if self.compressed {
            command.args(["--hurry", "1", &HURRIED_ROUNDS.to_string()]);
        }
        command.args(["autorun", "--headless", "--quiet", "--config-file"]);
        command.arg(&config).args(["--include", &self.name]);
        command.args(["--timeout", &self.longest.as_secs().to_string()]);
        if self.name != WARNS_OF_ITSELF {
            command.arg("--strict");
        }
        command
            .env("WATTFOLD_API", format!("http://{}/api/v1", rig.enterprise))
            .env("WATTFOLD_USER", "admin")
            .env("WATTFOLD_PASSWORD", rig.password())
            .env("COLUMNS", "250")
            .current_dir(&rig.dir)
            .stdin(Stdio::null());
        let run = tokio::task::spawn_blocking(move || command.output());
        let run = run.await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        std::fs::write(rig.dir.join("cactus.log"), text.as_bytes()).unwrap();
        text.into_owned()
    }
}

fn setup() -> Setup {
    Setup {
        devices: 4,
        ieee2030_5: "poll_rate_s = 60\npost_rate_s = 1\n\
                     pen = 37250\npen_form = \"decimal_digits\"\n\
                     extension = \"csip_aus_1_2\"\nconnection_point_id = \"nmi\"\n\
                     [ieee2030_5.notifications]\nplain_http = true\nnetworks = [\"127.0.0.0/8\"]",
        control: "tick_ms = 100\nsilent_after_s = 2700",
        ..Setup::default()
    }
}

/// As cactus-client reads it. The DER of the aggregator has a certificate of its own that never
/// connects.
fn configuration(rig: &Rig, sink: &Sink) -> Value {
    let client = |id: &str, kind: &str, certificate: usize, identity: usize| {
        let files = rig.tls_files(&rig.device(certificate).name);
        let lfdi = rig.device(identity).lfdi;
        json!({
            "id": id,
            "type": kind,
            "certificate-file": files.cert_chain,
            "key-file": files.key,
            "lfdi": lfdi.to_string(),
            "sfdi": lfdi.sfdi(),
            "pen": 28_547,
            "pin": PIN,
            "max-watts": MAX_WATTS,
        })
    };
    json!({
        "output-dir": rig.dir.join("judged"),
        "server": {
            "device-capability-uri": format!("https://localhost:{}/dcap", rig.devices.port()),
            "verify-ssl": true,
            "verify-host-name": true,
            "serca-pem-file": rig.pki().join("serca.pem"),
            "notification-uri": format!("http://{}/", sink.address),
            "pen": PEN,
        },
        "clients": [
            client("device-a", "device", 1, 1),
            client("device-b", "device", 2, 2),
            client("aggregator", "aggregator", 3, 4),
        ],
    })
}

/// The listener that collects notifications for cactus-client.
pub(crate) struct Sink {
    address: SocketAddr,
    _running: Running,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let address = free_address();
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance-sink.log");
        let log = File::create(log).unwrap();
        let child = Command::new(peers::python())
            .args(["-m", "cactus_client_notifications.server.main"])
            .env("APP_PORT", address.port().to_string())
            .env("SERVER_URL", format!("http://{address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let sink = Self {
            address,
            _running: Running(child),
        };
        until("the notification sink listens", SINK_WITHIN, async || {
            let mut wire = Wire::plain(address).await.ok()?;
            let looked = wire.exchange(&Request::new("GET", "/manage")).await;
            looked.ok().filter(|reply| reply.status == 200)
        })
        .await;
        sink
    }
}

/// What the judge said.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    pub(crate) passed: bool,
    pub(crate) strict: bool,
    pub(crate) compressed: bool,
    pub(crate) warnings: Vec<String>,
    pub(crate) schema_errors: Vec<String>,
    pub(crate) took: Duration,
    /// What went wrong.
    failures: Vec<String>,
}

impl Verdict {
    /// From the record that the run left.
    fn read(plan: &Plan, folder: &Path, output: &str, took: Duration) -> Self {
        let record = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.is_dir())
            .unwrap_or_else(|| folder.to_owned());
        let read = |name: &str| std::fs::read_to_string(record.join(name)).unwrap_or_default();
        let log = read("cactus.log");
        let lines = |mark: &str| -> Vec<String> {
            let marked = log.lines().filter_map(|line| line.split_once(mark));
            marked.map(|(_, rest)| rest.to_owned()).collect()
        };
        let mut failures = lines("Exception raised during action/check: ");
        failures.extend(lines("has been marked as failed: "));
        if log.is_empty() {
            failures.push(output.to_owned());
        }
        let passed = read(".result") == "PASS";
        if !passed {
            failures.push(format!("the judge's own record is in {}", record.display()));
        }
        Self {
            name: plan.name.clone(),
            passed,
            strict: plan.name != WARNS_OF_ITSELF,
            compressed: plan.compressed,
            warnings: lines("WARNING cactus_client.model.progress "),
            schema_errors: lines("XSD validation error(s) encountered: "),
            took,
            failures,
        }
    }

    /// Passed, and without any warning but the one that the judge gives of itself.
    pub(crate) fn is_as_it_should_be(&self) -> bool {
        let expected = |warning: &String| !self.strict && warning.contains(ITS_WARNING);
        self.passed && self.schema_errors.is_empty() && self.warnings.iter().all(expected)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_as_it_should_be() {
            "PASS"
        } else {
            "FAIL"
        };
        let took = self.took.as_secs();
        write!(f, "{} {word} {took} s", self.name)?;
        let all = [&self.failures, &self.schema_errors, &self.warnings];
        all.into_iter()
            .flatten()
            .try_for_each(|line| write!(f, "\n    {line}"))
    }
}
