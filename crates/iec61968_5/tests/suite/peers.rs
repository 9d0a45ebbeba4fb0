//! zeep, which knows nothing of us but the WSDLs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use iec61968_5::client;
use iec61968_5::envelope::Outcome;
use iec61968_5::message::Operation;

use units::Timestamp;

use crate::http;
use crate::scene::{NOW, Scene};

pub(crate) fn schema_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema")
}

/// The Python that has the peers installed.
pub(crate) fn python() -> PathBuf {
    let venv = std::env::var_os("WATTFOLD_PEERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/venv"),
        PathBuf::from,
    );
    let python = venv.join("bin/python");
    assert!(
        python.exists(),
        "{} is missing: run `cargo xtask peers`",
        python.display()
    );
    python
}

pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{text}\n{errors}");
    text
}

#[test]
fn zeep_loads_every_wsdl_and_its_requests_pass_in_strict_mode() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("iec61968_5-zeep");
    fs::create_dir_all(&out).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zeep_load.py");
    let printed = succeeds(
        Command::new(python())
            .arg(script)
            .arg(schema_dir())
            .arg(&out),
    );
    assert_eq!(printed.lines().count(), Operation::ALL.len(), "{printed}");
    let mut scene = Scene::strict();
    let order = [
        Operation::CreateDerGroups,
        Operation::ChangeDerGroups,
        Operation::QueryDerGroups,
        Operation::QueryDerGroupStatuses,
        Operation::DeleteDerGroups,
        Operation::CreateDerGroups,
        Operation::CreateDerGroupDispatches,
    ];
    for operation in order {
        let request = fs::read_to_string(out.join(format!("{}.xml", operation.name()))).unwrap();
        let (response, _) = scene.post(&request);
        let answer = client::response(response.body.as_bytes(), operation).unwrap();
        assert_eq!(
            answer.reply.result,
            Outcome::Ok,
            "{request}\n{:?}",
            answer.reply
        );
        assert_eq!(
            answer.header.correlation_id.as_deref(),
            Some(operation.name())
        );
    }
}

#[test]
fn zeep_makes_every_call() {
    for scene in [Scene::new(), Scene::strict()] {
        let origin = http::serve(scene);
        let script = "../wattfold/tests/peers/zeep_calls.py";
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let members = ["der-1,der-2", "der-3"];
        let start = NOW.after(Duration::from_secs(60)).since(clock());
        let printed = succeeds(
            Command::new(python())
                .arg(script)
                .args(["--url", &origin, "--members"])
                .args(members)
                .args(["--start-in", &start.as_secs().to_string()]),
        );
        assert!(printed.lines().count() > 30, "{printed}");
    }
}

/// The script counts from the clock of the machine, the scene has one of its own.
fn clock() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the script reads the same clock")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap())
}
