//! A device's side of IEEE 2030.5 as a state machine: answers in, requests out.
//!
//! It is given one address, that of `DeviceCapability`, and finds everything else by links. It
//! opens no socket and reads no clock: the caller says what time it is, carries the requests and
//! brings back the answers.
//!
//! Interpretation: a device acts on controls only of a server whose `Registration` shows the PIN
//! that the owner was given; a server that shows none is not trusted unless no PIN is expected.

mod clock;
mod events;
mod list;
mod meter;
mod random;
pub mod report;
mod schedule;
pub mod setpoint;
mod tree;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use units::Timestamp;

use crate::wire::response::ResponseStatus;

use clock::ServerClock;
use events::{Due, Events};
pub use events::{MAX_EVENTS, MAX_PROGRAMS, Outcome, Phase};
pub use list::MAX_PAGES;
use meter::Meter;
pub use meter::Sample;
use report::Nameplate;
use schedule::{Job, RETRY_FIRST, Resource, Schedule};
use setpoint::Setpoint;
use tree::Tree;

/// Responses that wait for the server; further ones are given up.
pub const MAX_WAITING_RESPONSES: usize = 1024;

/// Who the device is and how it was set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of `DeviceCapability`.
    pub device_capability_href: String,
    pub lfdi: [u8; 20],
    pub sfdi: u64,
    /// The registration PIN the owner was given.
    pub pin: Option<u32>,
    /// The maker's private enterprise number, for the mRIDs of the device's own objects.
    pub pen: u32,
    /// No resource is polled more often than this, whatever its `pollRate`.
    pub poll_floor: Duration,
    /// Decides everything that is random.
    pub seed: u64,
    pub nameplate: Nameplate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
}

/// A request to carry to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: u64,
    pub method: Method,
    /// Path and query on the server that the device is configured for.
    pub href: String,
    /// Empty for GET.
    pub body: Vec<u8>,
}

/// What the server answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub location: Option<&'a str>,
    pub body: &'a [u8],
}

/// How far a device has come with its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Discovering,
    /// The server has no `EndDevice` for it yet.
    Unregistered,
    /// The server shows another PIN than the one that the owner was given.
    WrongPin,
    Registered,
    /// Registered, described, metering, and following its programmes.
    InService,
}

/// One device and its server.
#[derive(Clone, Debug)]
pub struct Client {
    config: Config,
    schedule: Schedule,
    tree: Tree,
    clock: Option<ServerClock>,
    events: Events,
    meter: Meter,
    waiting: VecDeque<Due>,
    in_flight: BTreeMap<u64, (Job, Timestamp)>,
    next_id: u64,
}

impl Client {
    #[must_use]
    pub fn new(config: Config, now: Timestamp) -> Self {
        let mut schedule = Schedule::new(config.seed, config.poll_floor);
        let start = tree::path_of(&config.device_capability_href).to_owned();
        schedule.track(Resource::DeviceCapability, &[start], now);
        Self {
            schedule,
            tree: Tree::default(),
            clock: None,
            events: Events::new(config.seed),
            meter: Meter::default(),
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_id: 0,
            config,
        }
    }

    /// Takes in what the device measures now.
    pub fn measure(&mut self, sample: Sample, now: Timestamp) {
        self.meter.take(sample, now);
    }

    /// The requests that are due. Each is to be answered with [`Self::on_answer`] or given up with
    /// [`Self::on_lost`].
    pub fn poll(&mut self, now: Timestamp) -> Vec<Request> {
        self.step(now);
        let mut requests = Vec::new();
        for job in self.schedule.due(now) {
            let Some((method, href, body)) = self.compose(&job, now) else {
                self.schedule.drop_job(&job);
                continue;
            };
            let id = self.next_id;
            self.next_id += 1;
            self.schedule.begin(&job);
            self.in_flight.insert(id, (job, now));
            requests.push(Request {
                id,
                method,
                href,
                body,
            });
        }
        requests
    }

    /// When [`Self::poll`] or the set-point has something new, if nothing arrives before.
    #[must_use]
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let ahead = self.events.next_change().map(|at| {
            let server_now = self.server_time(now);
            now.after(at.since(server_now))
        });
        self.schedule.next_due().into_iter().chain(ahead).min()
    }

    /// Takes in the answer to the request `id`. If that was a response to an event and the server
    /// has taken it, returns the event's mRID and the response.
    pub fn on_answer(
        &mut self,
        id: u64,
        answer: Answer<'_>,
        now: Timestamp,
    ) -> Option<(u128, ResponseStatus)> {
        let (job, sent) = self.in_flight.remove(&id)?;
        let answered = matches!(answer.status, 200..=299) && job == Job::Respond;
        let taken = self.waiting.front().filter(|_| answered);
        let taken = taken.map(|due| (due.subject, due.status));
        match answer.status {
            200..=299 => self.succeeded(&job, answer, sent, now),
            301 | 302 | 307 | 308 => self.redirected(&job, answer.location, now),
            404 | 410 => self.vanished(&job, now),
            400..=499 if job == Job::Respond => {
                self.waiting.pop_front();
                self.schedule.drop_job(&job);
            }
            _ => self.schedule.failed(&job, now),
        }
        self.step(now);
        taken
    }

    /// The request `id` got no answer.
    pub fn on_lost(&mut self, id: u64, now: Timestamp) {
        if let Some((job, _)) = self.in_flight.remove(&id) {
            self.schedule.failed(&job, now);
        }
    }

    /// What is asked of the device now, with server and without.
    pub fn setpoint(&mut self, now: Timestamp) -> Setpoint {
        self.step(now);
        self.events.setpoint()
    }

    /// The owner takes the device out of every event, those to come included.
    pub fn opt_out(&mut self, now: Timestamp) {
        let server_now = self.server_time(now);
        self.events.opt_out(server_now);
        self.step(now);
    }

    /// The owner lets the device take part again in what is yet to come.
    pub fn opt_in(&mut self) {
        self.events.opt_in();
    }

    /// Every event the device holds, by mRID.
    pub fn events(&self) -> impl Iterator<Item = (u128, Phase)> {
        self.events.phases()
    }

    /// Responses that the server has not taken yet.
    #[must_use]
    pub fn waiting_responses(&self) -> usize {
        self.waiting.len()
    }

    #[must_use]
    pub fn stage(&self) -> Stage {
        self.tree.stage(self.config.pin)
    }

    /// What the device is.
    #[must_use]
    pub fn nameplate(&self) -> Nameplate {
        self.config.nameplate
    }

    /// The server's time, as well as it is known.
    #[must_use]
    pub fn server_time(&self, now: Timestamp) -> Timestamp {
        self.clock.map_or(now, |clock| clock.server_time(now))
    }

    fn step(&mut self, now: Timestamp) {
        let server_now = self.server_time(now);
        self.events.step(server_now);
        for due in self.events.take_due() {
            if self.waiting.len() < MAX_WAITING_RESPONSES {
                self.waiting.push_back(due);
            }
        }
        if !self.waiting.is_empty() {
            self.schedule.ensure(&Job::Respond, now);
        }
    }

    fn succeeded(&mut self, job: &Job, answer: Answer<'_>, sent: Timestamp, now: Timestamp) {
        match job {
            Job::Read(resource, href) => self.read(*resource, href, answer.body, (sent, now)),
            _ => self.written(job, answer.location, now),
        }
    }

    fn redirected(&mut self, job: &Job, location: Option<&str>, now: Timestamp) {
        match (job, location) {
            (Job::Read(resource, from), Some(to)) => {
                let to = tree::path_of(to).to_owned();
                self.schedule.move_read(*resource, from, to, now);
            }
            _ => self.schedule.failed(job, now),
        }
    }

    /// The server no longer knows the resource: what led to it is read again.
    fn vanished(&mut self, job: &Job, now: Timestamp) {
        match job {
            Job::Respond => {
                self.waiting.pop_front();
                self.schedule.drop_job(job);
            }
            Job::Readings => {
                self.tree.usage_point = None;
                self.schedule.drop_job(job);
                self.schedule.untrack(Resource::UsagePoint);
                self.schedule.ensure(&Job::CreateUsagePoint, now);
            }
            Job::Read(Resource::UsagePoint, _) => self.schedule.drop_job(job),
            Job::Read(Resource::DeviceCapability, _) => self.schedule.failed(job, now),
            _ => {
                self.schedule.failed(job, now);
                for resource in [
                    Resource::DeviceCapability,
                    Resource::EndDevices,
                    Resource::Ders,
                ] {
                    self.schedule.hasten(resource, RETRY_FIRST, now);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
