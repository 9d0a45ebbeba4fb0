//! The Rust client of another team, built as a program of its own from a workspace of its own.

use anyhow::Result;

use crate::process::{command, run};

const MANIFEST: &str = "crates/wattfold/tests/peers/sep2_client/Cargo.toml";
const TARGET: &str = "target/peers/sep2_client";

/// Builds it unless it is there already.
pub(crate) fn peer() -> Result<()> {
    let build = ["build", "--quiet", "--locked", "--manifest-path", MANIFEST];
    run(command("cargo", &build).args(["--target-dir", TARGET]))
}
