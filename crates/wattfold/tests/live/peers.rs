//! Programs of other teams, in the virtual environment that `cargo xtask peers` makes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

/// The interpreter of that environment.
pub(crate) fn python() -> PathBuf {
    let venv = std::env::var_os("WATTFOLD_PEERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/venv"),
        PathBuf::from,
    );
    let python = venv.join("bin/python");
    assert!(
        python.is_file(),
        "there is no {}: run `cargo xtask peers`",
        python.display()
    );
    python
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(name)
}

/// The program around the crate `sep2_client`, which `cargo xtask peers` builds.
pub(crate) fn sep2_client() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/peers/sep2_client/debug/sep2_client_peer");
    assert!(
        built.is_file(),
        "there is no {}: run `cargo xtask peers`",
        built.display()
    );
    built
}

/// Runs a script to its end without holding up the test's other tasks.
pub(crate) async fn run(name: &str, arguments: &[String]) -> Output {
    let mut command = Command::new(python());
    command.arg(script(name)).args(arguments);
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap()
}

/// A program that is killed when this is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        if let Err(error) = ended {
            eprintln!("{error}");
        }
    }
}
