//! A device: a plant, an IEEE 2030.5 client and a network between that client and the server.

use std::collections::BTreeMap;
use std::time::Duration;

use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::setpoint::Setpoint;
use ieee2030_5::client::{self, Client, DeviceIndex, Phase, Sample, Stage};
use ieee2030_5::codec::MEDIA_TYPE;
use tokio::sync::watch;
use units::{Timestamp, Vars, Watts};

use crate::plant;
use crate::world::Terminal;
use wattfold::der2030::link::{Link, Message, Reply};

/// The longest a device looks away from its plant.
const STEP_MAX: Duration = Duration::from_millis(250);
const STEP_MIN: Duration = Duration::from_millis(10);
/// Each device of the simulator speaks for itself.
const OWN: DeviceIndex = DeviceIndex::OWN;
const VOLTAGE_NOMINAL_V: f64 = 230.0;

/// What is wrong with a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// It answers as if it followed and does not move.
    Inert,
    /// Its owner takes it out of every event.
    OptOut,
    /// Nothing gets through to the server. It goes on with what it knows.
    CutOff,
}

/// What can be seen of a device from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub stage: Stage,
    /// Events it has ever met, by mRID.
    pub events: BTreeMap<u128, Phase>,
    /// Responses that the server has taken: mRID of the event, status, when.
    pub taken: Vec<(u128, u8, Timestamp)>,
    pub exchanges: u64,
    pub exchanges_lost: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            stage: Stage::Discovering,
            events: BTreeMap::new(),
            taken: Vec::new(),
            exchanges: 0,
            exchanges_lost: 0,
        }
    }
}

/// A device as it runs.
pub struct Device {
    client: Client,
    nameplate: Nameplate,
    link: Link,
    terminal: Terminal,
    fault: watch::Receiver<Fault>,
    fault_now: Fault,
    seen: watch::Sender<Seen>,
    clock: fn() -> Timestamp,
}

/// The outside's hold on a device.
#[derive(Debug)]
pub struct Hold {
    pub fault: watch::Sender<Fault>,
    pub seen: watch::Receiver<Seen>,
}

impl Device {
    #[must_use]
    pub fn new(
        config: client::Config,
        nameplate: Nameplate,
        link: Link,
        terminal: Terminal,
        clock: fn() -> Timestamp,
    ) -> (Self, Hold) {
        let (fault, faults) = watch::channel(Fault::None);
        let (seen, seen_outside) = watch::channel(Seen::default());
        let device = Self {
            client: Client::new(config, clock()),
            nameplate,
            link,
            terminal,
            fault: faults,
            fault_now: Fault::None,
            seen,
            clock,
        };
        (
            device,
            Hold {
                fault,
                seen: seen_outside,
            },
        )
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        loop {
            self.heed_fault();
            self.measure();
            for request in self.client.poll((self.clock)()) {
                self.carry(&request).await;
            }
            self.actuate();
            self.show();
            let now = (self.clock)();
            let wake = self
                .client
                .wake_at(now)
                .map_or(STEP_MAX, |at| at.since(now));
            tokio::time::sleep(wake.clamp(STEP_MIN, STEP_MAX)).await;
        }
    }

    fn heed_fault(&mut self) {
        let fault = *self.fault.borrow_and_update();
        if fault == self.fault_now {
            return;
        }
        match (self.fault_now, fault) {
            (_, Fault::OptOut) => self.client.opt_out(OWN, (self.clock)()),
            (Fault::OptOut, _) => self.client.opt_in(OWN, (self.clock)()),
            _ => {}
        }
        if fault == Fault::CutOff {
            self.link.close();
        }
        self.fault_now = fault;
    }

    fn measure(&mut self) {
        let output = *self.terminal.output.borrow_and_update();
        let sample = Sample {
            p: Watts::from_f64(output.p_w),
            q: Vars::ZERO,
            voltage_v: VOLTAGE_NOMINAL_V,
            soc_hundredths: output.soc_pct.map(soc_hundredths),
            p_available: Watts::from_f64(output.p_available_w),
            is_connected: output.is_connected,
        };
        self.client.measure(OWN, sample, (self.clock)());
    }

    fn actuate(&mut self) {
        let request = asked(&mut self.client, self.fault_now, (self.clock)());
        let request = request.map(|it| plant::Request::from_setpoint(&it, &self.nameplate));
        actuate(&self.terminal, request.unwrap_or_default());
    }

    /// Brings a request to the server, and its answer back. The plant is attended to meanwhile.
    async fn carry(&mut self, request: &client::Request) {
        if self.fault_now == Fault::CutOff {
            self.client.on_lost(request.id, (self.clock)());
            return;
        }
        let message = Message {
            method: request.method.as_str(),
            href: &request.href,
            media_type: MEDIA_TYPE,
            body: &request.body,
        };
        let reply = {
            let mut exchange = std::pin::pin!(self.link.exchange(message));
            loop {
                tokio::select! {
                    reply = &mut exchange => break reply,
                    () = tokio::time::sleep(STEP_MAX) => {
                        let now = (self.clock)();
                        let setpoint = asked(&mut self.client, self.fault_now, now);
                        let nameplate = &self.nameplate;
                        let request = setpoint
                            .map(|it| plant::Request::from_setpoint(&it, nameplate));
                        actuate(&self.terminal, request.unwrap_or_default());
                    }
                }
            }
        };
        let now = (self.clock)();
        self.seen.send_modify(|seen| seen.exchanges += 1);
        match reply {
            Ok(reply) => self.bring_back(request.id, &reply, now),
            Err(_) => {
                self.seen.send_modify(|seen| seen.exchanges_lost += 1);
                self.client.on_lost(request.id, now);
            }
        }
    }

    fn bring_back(&mut self, id: u64, reply: &Reply, now: Timestamp) {
        let answer = client::Answer {
            status: reply.status,
            location: reply.location.as_deref(),
            retry_after: reply.retry_after,
            body: &reply.body,
        };
        if let Some(taken) = self.client.on_answer(id, answer, now) {
            let taken = (taken.subject, taken.status.0, now);
            self.seen.send_modify(|seen| seen.taken.push(taken));
        }
    }

    fn show(&mut self) {
        let (stage, client) = (self.client.stage(OWN), &self.client);
        self.seen.send_if_modified(|seen| {
            let mut changed = seen.stage != stage;
            seen.stage = stage;
            for (mrid, phase) in client.events(OWN) {
                changed |= seen.events.insert(mrid, phase) != Some(phase);
            }
            changed
        });
    }
}

/// What is asked of the device, which one that is inert does not heed.
fn asked(client: &mut Client, fault: Fault, now: Timestamp) -> Option<Setpoint> {
    let setpoint = client.setpoint(OWN, now);
    match fault {
        Fault::Inert => None,
        Fault::None | Fault::OptOut | Fault::CutOff => Some(setpoint),
    }
}

/// Hands what is asked to the plant.
fn actuate(terminal: &Terminal, request: plant::Request) {
    terminal.request.send_if_modified(|asked| {
        let changed = *asked != request;
        *asked = request;
        changed
    });
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held between 0 and 10 000"
)]
fn soc_hundredths(soc_pct: f64) -> u16 {
    (soc_pct.clamp(0.0, 100.0) * 100.0).round() as u16
}
