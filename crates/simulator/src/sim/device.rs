//! A device: a plant, the real IEEE 2030.5 client, a clock of its own, and what is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use ieee2030_5::client::setpoint::Setpoint;
use ieee2030_5::client::{Answer, Client, DeviceIndex, Method, Outcome, Phase, Request, Sample};
use ieee2030_5::codec::read::{Complex as _, Document};
use ieee2030_5::server::Response;
use ieee2030_5::wire::response::{DerControlResponse, ResponseStatus};
use units::{Timestamp, Vars, Watts};

use super::clock::{Clock, Quality};
use super::horizon::Horizon;
use super::roster::Member;
use crate::noise::Noise;
use crate::plant::{self, Output, Plant};

/// The longest a device looks away from its plant.
pub(super) const STEP: Duration = Duration::from_secs(30);
/// How often it saves its state.
const SAVE_EVERY: Duration = Duration::from_secs(300);
const OWN: DeviceIndex = DeviceIndex::OWN;
const VOLTAGE_NOMINAL_V: f64 = 230.0;

/// What became of one event at the device, as the device itself has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// When the device first knew of it, by true time.
    pub met: Option<Timestamp>,
    /// When it was first seen in force, by true time.
    pub active: Option<Timestamp>,
    /// How it ended.
    pub over: Option<Outcome>,
    /// The owner had the device out of it at some time.
    pub was_out: bool,
    /// Responses that the device has sent, whatever became of them.
    pub sent: Vec<u8>,
    /// Responses of which the device knows that the server has them.
    pub taken: Vec<u8>,
    /// The device has lost its memory since it met it, or had not saved it when it went off.
    pub forgotten: bool,
}

/// What a device is left with when it restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    Kept,
    Lost,
}

/// What a meter makes of what it measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meter {
    Honest,
    Stuck(Output),
    Reversed,
}

pub(super) struct Device {
    pub(super) member: Member,
    client: Option<Client>,
    plant: Plant,
    clock: Clock,
    /// What is asked of it, as its client has it.
    pub(super) setpoint: Setpoint,
    pub(super) output: Output,
    stepped: Timestamp,
    saved: (Timestamp, Vec<u8>),
    appended: String,
    leaps: u32,
    /// Counts its starts, so that what was under way before reaches nobody.
    pub(super) session: u32,
    /// Its clock was set, and it has not read the server's since.
    pub(super) is_astray: bool,
    pub(super) is_opted_out: bool,
    /// It does not heed what it is asked.
    pub(super) is_inert: bool,
    /// Since when what it is asked has been what it is now, and it has heeded it.
    pub(super) heeds_since: Timestamp,
    pub(super) meter: Meter,
    pub(super) lives: BTreeMap<u128, Life>,
    pub(super) horizon: Horizon,
}

impl Device {
    pub(super) fn new(member: Member, quality: Quality, noise: &mut Noise, now: Timestamp) -> Self {
        let clock = Clock::new(now, quality, noise);
        let client = Client::new(member.config(), clock.local(now));
        Self {
            plant: member.plant.clone(),
            saved: (now, client.save()),
            client: Some(client),
            member,
            clock,
            setpoint: Setpoint::default(),
            output: Output::default(),
            stepped: now,
            appended: String::new(),
            leaps: 0,
            session: 0,
            is_astray: false,
            is_opted_out: false,
            is_inert: false,
            heeds_since: now,
            meter: Meter::Honest,
            lives: BTreeMap::new(),
            horizon: Horizon::default(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.client.is_some()
    }

    /// Responses that the server has not taken yet.
    pub(super) fn waiting_responses(&self) -> usize {
        self.client.as_ref().map_or(0, Client::waiting_responses)
    }

    /// Lets time pass up to `now`; `sun` is the irradiance as a share of the strongest. Gives what
    /// it sends.
    pub(super) fn step(&mut self, sun: f64, now: Timestamp) -> Vec<Request> {
        self.pass(sun, now);
        let local = self.clock.local(now);
        let sample = self.sample();
        let Some(client) = &mut self.client else {
            return Vec::new();
        };
        client.measure(OWN, sample, local);
        let requests = client.poll(local);
        requests.iter().for_each(|request| self.note_sent(request));
        self.look(now);
        let was_set = self.client.as_ref().map(Client::leaps) != Some(self.leaps);
        if was_set || SAVE_EVERY <= now.since(self.saved.0) {
            self.save(now);
        }
        requests
    }

    /// Lets time pass for the plant alone.
    pub(super) fn step_plant(&mut self, sun: f64, now: Timestamp) {
        self.pass(sun, now);
    }

    /// When it wants to be stepped again.
    pub(super) fn wake_at(&self, now: Timestamp) -> Timestamp {
        let local = self.clock.local(now);
        let wake = self
            .client
            .as_ref()
            .and_then(|client| client.wake_at(local));
        let wait = wake.map_or(STEP, |at| at.since(local));
        now.after(wait.clamp(Duration::from_millis(1), STEP))
    }

    /// Takes in an answer; gives the response to an event that the server has taken with it.
    pub(super) fn answered(
        &mut self,
        id: u64,
        response: &Response,
        now: Timestamp,
    ) -> Option<(u128, u8)> {
        let local = self.clock.local(now);
        let client = self.client.as_mut()?;
        let answer = Answer {
            status: response.status,
            location: response.location.as_deref(),
            retry_after: (response.status == 503).then_some(Duration::from_secs(5)),
            body: &response.body,
        };
        let taken = client.on_answer(id, answer, local);
        let taken = taken.map(|taken| {
            self.appended.push_str(&client.taken_line(&taken));
            let life = self.lives.entry(taken.subject).or_default();
            life.taken.push(taken.status.0);
            (taken.subject, taken.status.0)
        });
        self.look(now);
        taken
    }

    pub(super) fn lost(&mut self, id: u64, now: Timestamp) {
        let local = self.clock.local(now);
        if let Some(client) = &mut self.client {
            client.on_lost(id, local);
        }
    }

    pub(super) fn opt_out(&mut self, now: Timestamp) {
        self.is_opted_out = true;
        let local = self.clock.local(now);
        if let Some(client) = &mut self.client {
            client.opt_out(OWN, local);
        }
        self.look(now);
    }

    pub(super) fn opt_in(&mut self, now: Timestamp) {
        self.is_opted_out = false;
        let local = self.clock.local(now);
        if let Some(client) = &mut self.client {
            client.opt_in(OWN, local);
        }
        self.look(now);
    }

    /// Goes off. The plant is disconnected meanwhile.
    pub(super) fn stop(&mut self, sun: f64, now: Timestamp) {
        self.pass(sun, now);
        self.client = None;
        self.session += 1;
        self.setpoint = Setpoint::default();
        self.heeds_since = now;
    }

    /// Goes on again.
    pub(super) fn start(&mut self, memory: Memory, now: Timestamp) {
        let local = self.clock.local(now);
        let config = self.member.config();
        let mut client = match memory {
            Memory::Kept => {
                let kept = [&self.saved.1[..], self.appended.as_bytes()].concat();
                let restored = Client::restore(config, &kept, local);
                let restored = restored.expect("what the client has saved it can read");
                self.forget_unsaved();
                restored
            }
            Memory::Lost => {
                self.lives
                    .values_mut()
                    .for_each(|life| life.forgotten = true);
                self.horizon.forget();
                Client::new(config, local)
            }
        };
        // The switch is on the device and stays where its owner has put it, whatever was saved.
        match self.is_opted_out {
            true => client.opt_out(OWN, local),
            false => client.opt_in(OWN, local),
        }
        self.client = Some(client);
        self.heeds_since = now;
        self.save(now);
        self.look(now);
    }

    /// Its clock is set.
    pub(super) fn set_clock(&mut self, by_ms: i64) {
        self.clock.set(by_ms);
        self.is_astray = true;
    }

    fn note_sent(&mut self, request: &Request) {
        if request.method != Method::Post {
            return;
        }
        let document = Document::open(&request.body).ok();
        let document = document.filter(|it| it.is(DerControlResponse::TABLE.name));
        let Some(response) = document.and_then(|it| it.read::<DerControlResponse>().ok()) else {
            return;
        };
        let life = self.lives.entry(response.subject.value()).or_default();
        life.sent.extend(response.status.map(|status| status.0));
        // An event whose programme is shown no more is let go of at once: this is the last of it.
        if response.status == Some(ResponseStatus::ABORTED_BY_SERVER) {
            life.over = Some(Outcome::Abandoned);
        }
    }

    /// Of what it has met since it last saved it knows nothing, unless it is shown again.
    fn forget_unsaved(&mut self) {
        let saved = self.saved.0;
        for life in self.lives.values_mut() {
            life.forgotten |= life.met.is_some_and(|at| saved < at);
        }
    }

    fn save(&mut self, now: Timestamp) {
        if let Some(client) = &self.client {
            self.leaps = client.leaps();
            self.saved = (now, client.save());
            self.appended.clear();
        }
    }

    /// The plant does what it is asked, as far as it can.
    fn pass(&mut self, sun: f64, now: Timestamp) {
        let dt_s = now.since(self.stepped).as_secs_f64();
        self.stepped = now;
        let request = match (&self.client, self.is_inert) {
            (None, _) => plant::Request {
                is_disconnected: true,
                ..plant::Request::default()
            },
            (Some(_), true) => plant::Request::default(),
            (Some(_), false) => {
                plant::Request::from_setpoint(&self.setpoint, &self.member.nameplate)
            }
        };
        if 0.0 < dt_s {
            self.output = self.plant.step(&request, sun, dt_s);
        }
    }

    fn sample(&self) -> Sample {
        let output = match self.meter {
            Meter::Honest => self.output,
            Meter::Stuck(output) => output,
            Meter::Reversed => Output {
                p_w: -self.output.p_w,
                ..self.output
            },
        };
        Sample {
            p: Watts::from_f64(output.p_w),
            q: Vars::ZERO,
            voltage_v: VOLTAGE_NOMINAL_V,
            soc_hundredths: output.soc_pct.map(hundredths),
            p_available: Watts::from_f64(output.p_available_w),
            is_connected: output.is_connected,
        }
    }

    /// Takes note of what is asked and of what became of events, if that may be news.
    fn look(&mut self, now: Timestamp) {
        let local = self.clock.local(now);
        let Some(client) = &mut self.client else {
            return;
        };
        if client.take_changed(local).is_empty() {
            return;
        }
        let setpoint = client.setpoint(OWN, local);
        if setpoint != self.setpoint {
            self.setpoint = setpoint;
            self.heeds_since = now;
        }
        for (mrid, phase) in client.events(OWN) {
            let life = self.lives.entry(mrid).or_default();
            life.met.get_or_insert(now);
            match phase {
                Phase::Scheduled => {}
                Phase::Active => {
                    life.active.get_or_insert(now);
                }
                Phase::Over(outcome) => {
                    life.was_out |= outcome == Outcome::OptedOut;
                    life.over = Some(outcome);
                }
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held between 0 and 10 000"
)]
fn hundredths(pct: f64) -> u16 {
    (pct.clamp(0.0, 100.0) * 100.0).round() as u16
}
