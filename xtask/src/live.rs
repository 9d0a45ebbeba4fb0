//! The demo left running: the console in Chromium, and every command that a guide shows.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{command, output_of, root, run};
use crate::tasks::demo_driver;

/// Documents whose commands are run, in this order, each in a shell of its own.
const GUIDES: [&str; 12] = [
    "README.md",
    "docs/connect-an-inverter.md",
    "docs/settings.md",
    "docs/alarms.md",
    "docs/api.md",
    "docs/dispatch.md",
    "docs/delivery.md",
    "docs/enrolment.md",
    "docs/history.md",
    "docs/microgrids.md",
    "docs/personal-data.md",
    "docs/strategies.md",
];
/// What marks a block of commands as meant for the running demo.
const FOR_THE_DEMO: [&str; 4] = ["endpoints.json", "$API", "$SOAP", "$AUTH"];
const UNTIL_RUNNING: Duration = Duration::from_secs(120);
const UNTIL_OVER: Duration = Duration::from_secs(240);
const UNTIL_STOPPED: Duration = Duration::from_secs(30);

/// Starts the demo, runs the browser tests while it dispatches, runs the documented commands when
/// the dispatch is over, stops it, and verifies the journal that it leaves.
pub(crate) fn demo_as_documented() -> Result<()> {
    let dir = root().join("target/demo-live");
    if dir.is_dir() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    let log = dir.join("driver.log");
    let mut driver = demo_driver(&dir);
    let child = driver.stdout(File::create(&log)?).spawn();
    let mut demo = Demo {
        child: child.context("cannot start the demo")?,
        dir,
    };
    let shown = demo
        .show()
        .with_context(|| format!("the demo's own words are in {}", log.display()));
    let stopped = demo.stop();
    shown.and(stopped)?;
    let data = demo.dir.join("data");
    run(command("target/debug/wattfold", &["audit", "verify", "--data"]).arg(data))
}

struct Demo {
    child: Child,
    dir: PathBuf,
}

impl Demo {
    fn show(&mut self) -> Result<()> {
        self.wait_for("a running dispatch", UNTIL_RUNNING, |summary| {
            summary["running"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        })?;
        let endpoints = self.endpoints().context("endpoints.json is gone")?;
        let text = |key: &str| endpoints[key].as_str().unwrap_or_default().to_owned();
        run(command("npm", &["run", "--silent", "test:live"])
            .current_dir(root().join("console"))
            .env("WATTFOLD_URL", text("console"))
            .env("WATTFOLD_USER", text("user"))
            .env("WATTFOLD_PASSWORD", text("password")))?;
        self.wait_for("the dispatch to be over", UNTIL_OVER, |summary| {
            ["running", "coming"]
                .iter()
                .all(|key| summary[*key].as_array().is_some_and(Vec::is_empty))
        })?;
        GUIDES.iter().try_for_each(|guide| self.follow(guide))
    }

    /// Runs the commands of one document as they stand there, but for the demo's directory.
    fn follow(&self, guide: &str) -> Result<()> {
        let text = std::fs::read_to_string(root().join(guide))?;
        let blocks: Vec<String> = shell_blocks(&text)
            .into_iter()
            .filter(|block| FOR_THE_DEMO.iter().any(|mark| block.contains(mark)))
            .collect();
        if blocks.is_empty() {
            bail!("{guide} shows no command for the running demo");
        }
        println!("--- the commands of {guide}");
        let script = blocks
            .join("\n")
            .replace("target/demo/", &format!("{}/", self.dir.display()));
        run(&mut command("bash", &["-euo", "pipefail", "-c", &script]))
            .with_context(|| format!("a command of {guide} failed"))
    }

    fn endpoints(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.dir.join("endpoints.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn summary(&self) -> Option<Value> {
        let endpoints = self.endpoints()?;
        let access = format!(
            "{}:{}",
            endpoints["user"].as_str()?,
            endpoints["password"].as_str()?
        );
        let url = format!("{}/summary", endpoints["api"].as_str()?);
        let answer = output_of(&mut command("curl", &["-sf", "-u", &access, &url]))?;
        serde_json::from_str(&answer).ok()
    }

    fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let begun = Instant::now();
        while !self.summary().is_some_and(|summary| is_so(&summary)) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the demo ended with {status} while waiting for {what}");
            }
            if limit < begun.elapsed() {
                bail!("waited {} s in vain for {what}", limit.as_secs());
            }
            sleep(Duration::from_millis(500));
        }
        Ok(())
    }

    /// Ends the demo as Ctrl-C does, and its server with it.
    fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            run(Command::new("kill").args(["-INT", &self.child.id().to_string()]))?;
        }
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if UNTIL_STOPPED < begun.elapsed() {
                self.child.kill()?;
                bail!("the demo did not end on SIGINT");
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

/// The blocks of a document that are marked as shell, without the indentation of a list.
fn shell_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let bare = line.trim();
        match &mut open {
            None if bare == "```sh" => open = Some(String::new()),
            None => {}
            Some(block) if bare == "```" => {
                blocks.push(std::mem::take(block));
                open = None;
            }
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_blocks_are_found_inside_lists_too() {
        let text = "a\n```sh\nls\n```\n1. b\n   ```sh\n   echo $API\n   ```\n```toml\nx = 1\n```\n";
        assert_eq!(shell_blocks(text), ["ls\n", "   echo $API\n"]);
    }
}
