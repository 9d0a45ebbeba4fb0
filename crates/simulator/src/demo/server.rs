//! The server as a child process.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::error::DemoError;
use super::layout::Layout;
use super::roster::Roster;
use wattfold::der2030::link::{Link, Message};

const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// A running `wattfold serve`. It is killed when this is dropped.
pub(super) struct Server {
    child: Child,
}

impl Server {
    /// Starts the server and waits until it is ready.
    pub(super) async fn start(wattfold: &Path, layout: &Layout) -> Result<Self, DemoError> {
        let log = || -> Result<File, DemoError> {
            let opened = OpenOptions::new()
                .create(true)
                .append(true)
                .open(layout.log());
            let path = layout.log();
            opened.map_err(|source| DemoError::File {
                what: "open",
                path,
                source,
            })
        };
        let child = Command::new(wattfold)
            .arg("serve")
            .arg("--config")
            .arg(layout.config())
            .arg("--data")
            .arg(layout.data())
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| DemoError::Start {
                path: wattfold.to_owned(),
                source,
            })?;
        let mut server = Self { child };
        server.wait_until_ready(layout).await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self, layout: &Layout) -> Result<(), DemoError> {
        let mut link = Link::plain(layout.enterprise.into(), String::new());
        let message = Message {
            method: "GET",
            href: "/readyz",
            media_type: "*/*",
            body: &[],
        };
        let ready = async {
            loop {
                if link
                    .exchange(message)
                    .await
                    .is_ok_and(|reply| reply.status == 200)
                {
                    return Ok(());
                }
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return Err(DemoError::ServerEnded { log: layout.log() });
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let timed = tokio::time::timeout(READY_WITHIN, ready).await;
        let late = DemoError::NotReady {
            seconds: READY_WITHIN.as_secs(),
            log: layout.log(),
        };
        timed.unwrap_or(Err(late))
    }

    /// SIGKILL: no goodbye, nothing written on the way out.
    pub(super) async fn kill(&mut self) {
        if self.child.kill().await.is_err() {
            // It had ended already, which is what was wanted.
        }
    }

    /// SIGTERM as an operator would, and SIGKILL if that is not heeded.
    pub(super) async fn stop(&mut self) {
        if let Some(pid) = self.child.id() {
            let asked = Command::new("kill").arg(pid.to_string()).status().await;
            let ended = tokio::time::timeout(STOP_WITHIN, self.child.wait()).await;
            if asked.is_ok() && ended.is_ok() {
                return;
            }
        }
        self.kill().await;
    }
}

/// Runs a command of wattfold to its end and gives what it prints.
pub(super) async fn wattfold(program: &Path, arguments: &[String]) -> Result<String, DemoError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| DemoError::Start {
            path: program.to_owned(),
            source,
        })?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let command = arguments
        .iter()
        .take(8)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    Err(DemoError::Command {
        command,
        stderr: format!("{stdout}{stderr}"),
    })
}

pub(super) async fn make_pki(
    program: &Path,
    layout: &Layout,
    roster: &Roster,
) -> Result<(), DemoError> {
    let mut arguments = vec!["pki".to_owned(), "init".to_owned()];
    arguments.push(layout.pki().to_string_lossy().into_owned());
    for member in &roster.members {
        arguments.extend(["--device".to_owned(), member.name.clone()]);
    }
    wattfold(program, &arguments).await.map(drop)
}
