//! What a client has to know after a restart, as one document.
//!
//! The document holds the server's answers as they came, what became of each event at each device,
//! and the responses that the server has not taken yet. A client that is made from it follows its
//! controls at once, with or without its server, and says nothing twice.
//!
//! It is text, a line each, and the bodies of answers between them. Lines with what the server has
//! taken since may be appended to it; the last of them counts once it is complete.

mod reader;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use units::Timestamp;

use super::clock::ServerClock;
use super::events::{Due, FunctionSet, Outcome, Phase, Remembered};
use super::graph::{Kind, NodeId};
use super::schedule::Job;
use super::{Client, Config, Device, DeviceIndex, Taken};
use crate::codec::simple::{HexBinary128, Simple};

pub use reader::{MAX_SAVED_BYTES, SavedError};

/// The first line. A document with another is refused.
const HEAD: &str = "wattfold-der2030-state 1";

/// Room for what is appended between two savings: more lines than responses can wait.
const MAX_TAKEN_BYTES: usize = 16 * 1024 * 1024;

/// How phases are written.
const PHASES: [(Phase, &str); 11] = [
    (Phase::Scheduled, "scheduled"),
    (Phase::Active, "active"),
    (Phase::Over(Outcome::Completed), "completed"),
    (Phase::Over(Outcome::Cancelled), "cancelled"),
    (Phase::Over(Outcome::Superseded), "superseded"),
    (Phase::Over(Outcome::OptedOut), "opted-out"),
    (Phase::Over(Outcome::Missed), "missed"),
    (Phase::Over(Outcome::Expired), "expired"),
    (Phase::Over(Outcome::NotApplicable), "not-applicable"),
    (Phase::Over(Outcome::Invalid), "invalid"),
    (Phase::Over(Outcome::Abandoned), "abandoned"),
];

impl Phase {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let row = PHASES.iter().find(|(phase, _)| *phase == self);
        row.map_or("", |(_, name)| *name)
    }
}

/// What was said of one device.
#[derive(Debug, Default)]
struct SavedDevice {
    usage_point: Option<Arc<str>>,
    is_described: bool,
    is_opted_out: bool,
    events: BTreeMap<FunctionSet, BTreeMap<u128, Remembered>>,
    responses: Vec<Due>,
}

/// LFDI of the device, mRID of the event, and status of a response.
type Told = ([u8; 20], u128, u8);

/// A document, read.
#[derive(Debug, Default)]
struct Saved {
    clock: Option<ServerClock>,
    devices: BTreeMap<[u8; 20], SavedDevice>,
    answers: BTreeMap<String, Vec<Vec<u8>>>,
    /// Responses that the server took after the rest was written.
    taken: Vec<Told>,
}

impl Client {
    /// Everything that has to outlive a restart, as far as it is read again: what does not fit is
    /// asked of the server once more.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.save_within(MAX_SAVED_BYTES - MAX_TAKEN_BYTES)
    }

    pub(super) fn save_within(&self, max: usize) -> Vec<u8> {
        let mut text = format!("{HEAD}\n");
        if let Some((low_ms, high_ms)) = self.clock.map(|it| self.steady.of_local(it).bounds()) {
            line(&mut text, format_args!("clock {low_ms} {high_ms}"));
        }
        for (place, device) in self.devices.iter().enumerate() {
            self.save_device(DeviceIndex::of(place), device, &mut text);
        }
        let mut out = text.into_bytes();
        for (_, node) in self.graph.iter() {
            let is_kept = !matches!(
                node.kind,
                Kind::Time | Kind::UsagePoint | Kind::Subscriptions
            );
            if is_kept && !node.bodies.is_empty() {
                let before = out.len();
                let head = format!("answer {} {}\n", node.href, node.bodies.len());
                out.extend_from_slice(head.as_bytes());
                for body in &node.bodies {
                    out.extend_from_slice(format!("page {}\n", body.len()).as_bytes());
                    out.extend_from_slice(body);
                    out.push(b'\n');
                }
                if max < out.len() {
                    out.truncate(before);
                }
            }
        }
        out
    }

    /// The line to append when the server has taken a response.
    #[must_use]
    pub fn taken_line(&self, taken: &Taken) -> String {
        let device = self.devices.get(taken.device.place());
        let lfdi = hex(device.map_or(&[0; 20], |it| &it.config.lfdi));
        format!("taken {lfdi} {:X} {}\n", taken.subject, taken.status.0)
    }

    /// The client that `saved` was written by, with the configuration of today.
    ///
    /// An event that the server had stopped to show is not among what comes back.
    pub fn restore(config: Config, saved: &[u8], now: Timestamp) -> Result<Self, SavedError> {
        let Saved {
            clock,
            devices,
            answers,
            taken,
        } = reader::read(saved)?;
        let mut client = Self::new(config, now);
        client.clock = clock;
        for (lfdi, subject, status) in taken {
            if let Some(device) = client.device(&lfdi) {
                client.responses.already_taken(device, subject, status);
            }
        }
        for (lfdi, saved) in devices {
            if let Some(index) = client.device(&lfdi) {
                client.recall(index, saved, now);
            }
        }
        client.answer_from(&answers, now);
        Ok(client)
    }

    fn save_device(&self, index: DeviceIndex, device: &Device, text: &mut String) {
        let (lfdi, point) = (hex(&device.config.lfdi), device.usage_point.as_deref());
        let flags = (
            u8::from(device.is_described),
            u8::from(device.events.is_opted_out()),
        );
        let point = point.unwrap_or("-");
        line(
            text,
            format_args!("device {lfdi} {point} {} {}", flags.0, flags.1),
        );
        for (set, mrid, it) in device.remembered() {
            let cancel_ms = it
                .cancel_at
                .map_or("-".to_owned(), |at| at.millis().to_string());
            let (phase, end_ms, left) = (it.phase.as_str(), it.end.millis(), it.left.bits());
            let (flags, set) = (it.flags(), set.as_str());
            line(
                text,
                format_args!("event {mrid:X} {phase} {end_ms} {cancel_ms} {left:X} {flags} {set}"),
            );
        }
        for (of, due) in self.responses.of_lane_of(index) {
            if *of == index {
                let mut subject = Vec::new();
                due.subject.write(&mut subject);
                let subject = String::from_utf8_lossy(&subject);
                let (to, status, at_ms) = (&due.reply_to, due.status.0, due.at.millis());
                let (set, modes) = (due.function_set.as_str(), due.modes.bits());
                line(
                    text,
                    format_args!("response {set} {to} {subject} {status} {at_ms} {modes:X}"),
                );
            }
        }
    }

    fn recall(&mut self, index: DeviceIndex, saved: SavedDevice, now: Timestamp) {
        let device = &mut self.devices[index.place()];
        device.is_described = saved.is_described;
        device.usage_point = saved.usage_point;
        if saved.is_opted_out {
            device.events.opt_out(now);
            device.loads.opt_out(now);
        }
        device.recall(saved.events);
        self.respond(index, saved.responses, now);
    }

    /// Goes through the tree with the answers of then, as if the server gave them now, and plans
    /// to read everything once more.
    fn answer_from(&mut self, answers: &BTreeMap<String, Vec<Vec<u8>>>, now: Timestamp) {
        let mut answered = 0;
        loop {
            let unread = self.graph.iter().filter(|(_, node)| !node.is_loaded);
            let known = unread.filter_map(|(id, node)| {
                let pages = answers.get(&*node.href)?;
                Some((id, pages.clone()))
            });
            let known: Vec<_> = known.collect();
            answered += known.len();
            if known.is_empty() || answers.len() < answered {
                break;
            }
            for (node, pages) in known {
                self.answer_node(node, pages, now);
            }
        }
        let nodes: Vec<_> = self.graph.iter().map(|(id, _)| id).collect();
        for node in nodes {
            self.schedule
                .hasten(Job::Read(node), std::time::Duration::ZERO, now);
        }
        for place in 0..self.devices.len() {
            if self.devices[place].usage_point.is_some() {
                self.schedule
                    .ensure(Job::Readings(DeviceIndex::of(place)), now);
            }
        }
    }

    fn answer_node(&mut self, node: NodeId, pages: Vec<Vec<u8>>, now: Timestamp) {
        if self.next_page(node).is_none() {
            let body = pages.first().map_or(&[][..], Vec::as_slice);
            self.read(node, body, (now, now));
        } else if self.list_read(node, pages, now).is_err() {
            self.schedule.failed(Job::Read(node), now);
        }
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("a String takes everything");
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02X}").expect("a String takes everything");
        text
    })
}

fn mrid_of(text: &str) -> Option<HexBinary128> {
    HexBinary128::read(text).ok()
}
