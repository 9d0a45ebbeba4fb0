//! A program that runs the devices: it is told what is asked of them on its standard input, and
//! tells what they measure on its standard output, a JSON object to a line.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};

use ieee2030_5::client::Sample;
use serde::Deserialize;
use tokio::sync::mpsc;
use units::{Timestamp, Vars, Watts};

use crate::der2030::Der2030Error;
use crate::der2030::report::{Happening, Report, Style};

/// Readings that wait to be taken in; the program waits when there are more.
const MAX_WAITING: usize = 1_024;

/// What a program says that a device measures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    pub(super) lfdi: String,
    /// Injection positive.
    p_w: f64,
    #[serde(default)]
    q_var: f64,
    #[serde(default = "voltage_v")]
    voltage_v: f64,
    soc_pct: Option<f64>,
    #[serde(default)]
    p_available_w: f64,
    #[serde(default = "yes")]
    is_connected: bool,
}

fn voltage_v() -> f64 {
    230.0
}

fn yes() -> bool {
    true
}

impl From<&Reading> for Sample {
    fn from(reading: &Reading) -> Self {
        Self {
            p: Watts::from_f64(reading.p_w),
            q: Vars::from_f64(reading.q_var),
            voltage_v: reading.voltage_v,
            soc_hundredths: reading.soc_pct.map(hundredths),
            p_available: Watts::from_f64(reading.p_available_w),
            is_connected: reading.is_connected,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held between 0 and 10 000"
)]
fn hundredths(percent: f64) -> u16 {
    (percent.clamp(0.0, 100.0) * 100.0).round() as u16
}

pub(super) struct Command {
    child: Child,
    input: ChildStdin,
    readings: mpsc::Receiver<Reading>,
}

impl Command {
    pub(super) fn start(command: &[String]) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = std::process::Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (sender, readings) = mpsc::channel(MAX_WAITING);
        drop(std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                let reading = match serde_json::from_str(&line) {
                    Ok(reading) => reading,
                    Err(error) => {
                        tracing::warn!(%error, "not a reading");
                        continue;
                    }
                };
                if sender.blocking_send(reading).is_err() {
                    return;
                }
            }
        }));
        Ok(Self {
            child,
            input,
            readings,
        })
    }

    /// The next reading; an error when the program has ended.
    pub(super) async fn next(&mut self) -> Result<Reading, Der2030Error> {
        self.readings.recv().await.ok_or(Der2030Error::CommandEnded)
    }

    pub(super) fn tell(
        &mut self,
        at: Timestamp,
        lfdi: &str,
        what: &Happening<'_>,
    ) -> Result<(), Der2030Error> {
        let mut report = Report {
            out: &mut self.input,
            style: Style::Json,
        };
        report.tell(at, lfdi, what).map_err(Der2030Error::Command)?;
        self.input.flush().map_err(Der2030Error::Command)
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        // It may have ended by itself.
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            tracing::debug!(%error, "the program that runs the devices");
        }
    }
}
