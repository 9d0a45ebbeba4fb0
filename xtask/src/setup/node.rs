//! The console's build tools, from its lock file.

use anyhow::{Context, Result, bail};

use super::{is_stamped, write_stamp};
use crate::process::{command, output_of, root, run};

const OLDEST_NODE: u32 = 20;

/// Installs exactly what `console/package-lock.json` lists, unless it is there already.
pub(crate) fn node_modules() -> Result<()> {
    let console = root().join("console");
    let lock = std::fs::read_to_string(console.join("package-lock.json"))
        .context("cannot read console/package-lock.json")?;
    let stamp = console.join("node_modules/.package-lock.stamp");
    if is_stamped(&stamp, &lock) {
        return Ok(());
    }
    let version = output_of(&mut command("node", &["--version"]))
        .with_context(|| format!("Node.js {OLDEST_NODE} or later is missing"))?;
    let major: u32 = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .with_context(|| format!("cannot read the Node.js version `{version}`"))?;
    if major < OLDEST_NODE {
        bail!("Node.js {version} is too old: {OLDEST_NODE} or later is needed");
    }
    let mut npm = command("npm", &["ci", "--no-audit", "--no-fund"]);
    // The tests drive the distribution's Chromium.
    npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
        .current_dir(&console);
    run(&mut npm)?;
    write_stamp(&stamp, &lock)
}
