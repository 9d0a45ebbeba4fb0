//! A client's side of IEEE 2030.5 as a state machine: answers in, requests out.
//!
//! A client speaks for itself, or as an aggregator for up to [`MAX_DEVICES`] devices. It is given
//! one address, that of `DeviceCapability`, and finds everything else by links; what several of its
//! devices share is read once. It opens no socket and reads no clock: the caller says what time it
//! is, carries the requests and brings back the answers.
//!
//! Interpretation: a clock that goes back, or on by more than [`MAX_STEP`] between two calls, has been
//! set. That is not taken for time: no event begins, ends or waits because of it, and the server is
//! asked for the time at once. A device that really slept for so long learns the time from that.
//!
//! Interpretation: a device acts on controls only of a server whose `Registration` shows the PIN
//! that the owner was given; a server that shows none is not trusted unless no PIN is expected.

mod clock;
mod config;
mod content;
mod device;
mod event;
mod events;
mod graph;
mod href;
mod list;
mod meter;
mod random;
pub mod report;
mod response;
mod saved;
mod schedule;
pub mod setpoint;
mod subscription;
mod tree;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use units::Timestamp;

use crate::wire::log_event::LogEvent;
use crate::wire::response::ResponseStatus;

pub use clock::MAX_STEP;
use clock::{ServerClock, Steady};
pub use config::{Config, DeviceConfig, MAX_DEVICES, MAX_IN_FLIGHT, SubscriptionConfig};
use device::Device;
pub use device::{MAX_PRICED, MAX_WAITING_ALARMS};
use events::Due;
pub use events::{MAX_EVENTS, Outcome, Phase};
pub use graph::MAX_NODES;
use graph::{Gone, Graph, Kind, NodeId, Parent, Subscribed};
use href::Home;
pub use list::{MAX_END_DEVICE_PAGES, MAX_PAGES};
pub use meter::Sample;
use report::Nameplate;
use response::Responses;
pub use response::{MAX_WAITING_OF_DEVICE, MAX_WAITING_RESPONSES};
pub use saved::{MAX_SAVED_BYTES, SavedError};
use schedule::{Job, Schedule};
pub use schedule::{MAX_REDIRECTIONS, MAX_RETRY_AFTER, RETRY_MAX, RETRY_REFUSED_MAX};
use setpoint::Setpoint;
pub use subscription::MAX_OBSOLETE;
use tree::Server;
pub use tree::{MAX_ASSIGNMENTS, MAX_PROGRAMS, MAX_RATE_COMPONENTS, Price};
use write::Composed;

/// One of the devices of a client, by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceIndex(pub u32);

impl DeviceIndex {
    /// The device of a client that speaks for itself.
    pub const OWN: Self = Self(0);

    fn of(place: usize) -> Self {
        Self(u32::try_from(place).expect("there are at most MAX_DEVICES"))
    }

    fn place(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request to carry to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: u64,
    pub method: Method,
    /// Path and query on the server that the client is configured for, or a whole `https` address
    /// on another one.
    pub href: String,
    /// Empty for GET and DELETE.
    pub body: Vec<u8>,
}

/// What the server answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'a> {
    pub status: u16,
    pub location: Option<&'a str>,
    pub retry_after: Option<Duration>,
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

/// A response that the server has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub device: DeviceIndex,
    /// The mRID of the event.
    pub subject: u128,
    pub status: ResponseStatus,
}

#[derive(Clone, Debug)]
struct Sent {
    job: Job,
    at: Timestamp,
}

/// A client and its server.
#[derive(Clone, Debug)]
pub struct Client {
    config: Config,
    home: Home,
    schedule: Schedule,
    graph: Graph,
    server: Server,
    devices: Vec<Device>,
    by_lfdi: BTreeMap<[u8; 20], DeviceIndex>,
    steady: Steady,
    clock: Option<ServerClock>,
    /// When the events of which device change next, in server time.
    timers: BTreeSet<(Timestamp, DeviceIndex)>,
    /// Devices of which something else may be asked than when it was last looked at.
    changed: BTreeSet<DeviceIndex>,
    responses: Responses,
    in_flight: BTreeMap<u64, Sent>,
    next_id: u64,
}

impl Client {
    #[must_use]
    pub fn new(config: Config, now: Timestamp) -> Self {
        let (home, start) = Home::of(&config.device_capability_href);
        let edition = config.profile.edition;
        let devices = config.devices.iter().take(MAX_DEVICES);
        let devices = devices.map(|it| Device::new(it.clone(), config.seed, edition));
        let devices: Vec<Device> = devices.collect();
        let places = devices.iter().enumerate();
        let by_lfdi = places.map(|(place, it)| (it.config.lfdi, DeviceIndex::of(place)));
        let mut client = Self {
            home,
            schedule: Schedule::new(config.seed, config.poll_floor),
            graph: Graph::default(),
            server: Server::default(),
            by_lfdi: by_lfdi.collect(),
            devices,
            steady: Steady::new(now),
            clock: None,
            timers: BTreeSet::new(),
            changed: BTreeSet::new(),
            responses: Responses::default(),
            in_flight: BTreeMap::new(),
            next_id: 0,
            config,
        };
        client.follow(Parent::Client, Kind::DeviceCapability, &start, now);
        client
    }

    /// Takes in what the device measures now.
    pub fn measure(&mut self, device: DeviceIndex, sample: Sample, now: Timestamp) {
        let now = self.enter(now);
        if let Some(device) = self.devices.get_mut(device.place()) {
            device.meter.take(sample, now);
        }
    }

    /// Reports an alarm of the device, or its end, where the server takes log events.
    pub fn alarm(&mut self, index: DeviceIndex, event: LogEvent, now: Timestamp) {
        let now = self.enter(now);
        if let Some(device) = self.devices.get_mut(index.place()) {
            if device.alarms.len() < MAX_WAITING_ALARMS {
                device.alarms.push_back(event);
            }
            self.schedule.ensure(Job::LogEvent(index), now);
        }
    }

    /// The requests that are due. Each is to be answered with [`Self::on_answer`] or given up with
    /// [`Self::on_lost`].
    pub fn poll(&mut self, now: Timestamp) -> Vec<Request> {
        let now = self.enter(now);
        self.step(now);
        let mut requests = Vec::new();
        let room = self
            .config
            .max_in_flight
            .saturating_sub(self.in_flight.len());
        for job in self.schedule.due(now, room) {
            let Some((method, href, body)) = self.compose(job, now) else {
                self.schedule.drop_job(job);
                continue;
            };
            let href = self
                .schedule
                .moved(job)
                .map_or(href, |moved| moved.to_string());
            let id = self.next_id;
            self.next_id += 1;
            self.schedule.begin(job);
            self.in_flight.insert(id, Sent { job, at: now });
            requests.push(Request {
                id,
                method,
                href,
                body,
            });
        }
        requests
    }

    /// When [`Self::poll`] or a set-point has something new, if nothing arrives before.
    #[must_use]
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let steady_now = self.steady.at(now);
        let ahead = self.timers.first().map(|(at, _)| {
            let server_now = self.server_now(steady_now);
            steady_now.after(at.since(server_now))
        });
        let is_full = self.config.max_in_flight <= self.in_flight.len();
        let due = self.schedule.next_due().filter(|_| !is_full);
        let first = due.into_iter().chain(ahead).min();
        first.map(|at| now.after(at.since(steady_now)))
    }

    /// Takes in the answer to the request `id`. If that was a response to an event and the server
    /// has taken it, says which.
    pub fn on_answer(&mut self, id: u64, answer: Answer<'_>, now: Timestamp) -> Option<Taken> {
        let now = self.enter(now);
        let Sent { job, at: sent } = self.in_flight.remove(&id)?;
        self.schedule.heard();
        let taken = self.response_taken(job, answer.status);
        match answer.status {
            200..=299 => self.succeeded(job, answer, sent, now),
            301 | 302 | 303 | 307 | 308 => self.redirected(job, answer, now),
            404 | 410 => self.vanished(job, now),
            429 | 503 => self.busy(job, answer, now),
            400..=499 => self.refused(job, answer.status, now),
            _ => self.schedule.failed(job, now),
        }
        self.step(now);
        taken
    }

    /// The request `id` got no answer.
    pub fn on_lost(&mut self, id: u64, now: Timestamp) {
        let now = self.enter(now);
        if let Some(sent) = self.in_flight.remove(&id) {
            self.schedule.failed(sent.job, now);
            self.schedule.lost(now);
        }
    }

    /// What is asked of the device now, with server and without.
    pub fn setpoint(&mut self, device: DeviceIndex, now: Timestamp) -> Setpoint {
        let now = self.enter(now);
        self.step(now);
        self.compose_setpoint(device)
    }

    /// The devices of which something else may be asked than at the last call.
    pub fn take_changed(&mut self, now: Timestamp) -> Vec<DeviceIndex> {
        let now = self.enter(now);
        self.step(now);
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    /// The owner takes the device out of every event, those to come included.
    pub fn opt_out(&mut self, index: DeviceIndex, now: Timestamp) {
        let now = self.enter(now);
        let server_now = self.server_now(now);
        if let Some(device) = self.devices.get_mut(index.place()) {
            device.events.opt_out(server_now);
            device.loads.opt_out(server_now);
            self.touched(index, now);
        }
    }

    /// The owner lets the device take part again in what is left of the events and in those to
    /// come.
    pub fn opt_in(&mut self, index: DeviceIndex, now: Timestamp) {
        let now = self.enter(now);
        let server_now = self.server_now(now);
        if let Some(device) = self.devices.get_mut(index.place()) {
            device.events.opt_in(server_now);
            device.loads.opt_in(server_now);
            self.touched(index, now);
        }
    }

    /// Every event the device holds, by mRID.
    pub fn events(&self, device: DeviceIndex) -> impl Iterator<Item = (u128, Phase)> {
        let device = self.devices.get(device.place());
        device.into_iter().flat_map(|device| device.events.phases())
    }

    /// Responses that the server has not taken yet.
    #[must_use]
    pub fn waiting_responses(&self) -> usize {
        self.responses.len()
    }

    #[must_use]
    pub fn stage(&self, device: DeviceIndex) -> Stage {
        let Some(device) = self.devices.get(device.place()) else {
            return Stage::Discovering;
        };
        match device.stage() {
            Stage::InService if !self.meters(device) || !self.follows(device) => Stage::Registered,
            stage => stage,
        }
    }

    /// The device with this LFDI.
    #[must_use]
    pub fn device(&self, lfdi: &[u8; 20]) -> Option<DeviceIndex> {
        self.by_lfdi.get(lfdi).copied()
    }

    /// What the device is.
    #[must_use]
    pub fn nameplate(&self, device: DeviceIndex) -> Option<&Nameplate> {
        self.devices.get(device.place()).map(Device::nameplate)
    }

    /// The server's time, as well as it is known.
    #[must_use]
    pub fn server_time(&self, now: Timestamp) -> Timestamp {
        self.server_now(self.steady.at(now))
    }

    fn server_now(&self, now: Timestamp) -> Timestamp {
        self.clock.map_or(now, |clock| clock.server_time(now))
    }

    /// How often the caller's clock has been set. A saved state is of the clock as it was then, so that
    /// it is to be saved again.
    #[must_use]
    pub fn leaps(&self) -> u32 {
        self.steady.leaps()
    }

    /// The time as it goes on whatever the caller's clock does.
    fn enter(&mut self, now: Timestamp) -> Timestamp {
        let before = self.steady.leaps();
        let now = self.steady.pass(now);
        if self.steady.leaps() != before {
            let nodes = self.graph.iter();
            let times = nodes.filter(|(_, node)| matches!(node.kind, Kind::Time));
            let times: Vec<NodeId> = times.map(|(id, _)| id).collect();
            for id in times {
                self.schedule.hasten(Job::Read(id), Duration::ZERO, now);
            }
        }
        now
    }

    /// Lets the events of the devices go on to `now`.
    fn step(&mut self, now: Timestamp) {
        let server_now = self.server_now(now);
        while let Some((at, index)) = self.timers.first().copied() {
            if server_now < at {
                break;
            }
            self.timers.pop_first();
            let Some(device) = self.devices.get_mut(index.place()) else {
                continue;
            };
            device.next_change = None;
            device.step(server_now);
            self.touched(index, now);
        }
    }

    /// The events of a device have changed: its responses are put on their way, and its timer set.
    fn touched(&mut self, index: DeviceIndex, now: Timestamp) {
        let Some(device) = self.devices.get_mut(index.place()) else {
            return;
        };
        if let Some(before) = device.next_change.take() {
            self.timers.remove(&(before, index));
        }
        device.next_change = device.events_change_at();
        if let Some(at) = device.next_change {
            self.timers.insert((at, index));
        }
        let due = device.take_due();
        self.changed.insert(index);
        self.respond(index, due, now);
    }

    /// Puts the responses of a device on their way. One whose address is none is for nobody.
    fn respond(&mut self, index: DeviceIndex, due: Vec<Due>, now: Timestamp) {
        for due in due {
            if let Some(href) = self.home.resolve(&due.reply_to) {
                let reply_to = href.into();
                self.responses.push(index, Due { reply_to, ..due });
            }
        }
        if let Some(lane) = self.responses.lane(index) {
            self.schedule.ensure(Job::Respond(lane), now);
        }
    }

    fn succeeded(&mut self, job: Job, answer: Answer<'_>, sent: Timestamp, now: Timestamp) {
        match job {
            Job::Read(node) => self.read(node, answer.body, (sent, now)),
            _ => self.written(job, answer.location, now),
        }
    }

    fn redirected(&mut self, job: Job, answer: Answer<'_>, now: Timestamp) {
        let to = answer.location.and_then(|to| self.home.resolve(to));
        let is_followed = to.is_some_and(|to| {
            let to = Arc::from(to);
            self.schedule.redirect(job, to, answer.status, now)
        });
        if !is_followed {
            self.schedule.failed(job, now);
        }
    }

    /// The server asks for time: for this resource, or with 503 for everything.
    fn busy(&mut self, job: Job, answer: Answer<'_>, now: Timestamp) {
        match answer.retry_after {
            Some(wait) if answer.status == 503 => {
                self.schedule.failed(job, now);
                self.schedule.close(wait, now);
            }
            Some(wait) => self.schedule.put_off(job, wait, now),
            None => self.schedule.failed(job, now),
        }
    }

    /// The nodes that the client reads are scheduled as they are first referred to.
    fn follow(&mut self, parent: Parent, kind: Kind, href: &str, now: Timestamp) -> Option<NodeId> {
        let (id, is_new) = self.graph.refer(parent, kind, href)?;
        if is_new {
            self.schedule.ensure(Job::Read(id), now);
        }
        Some(id)
    }

    fn forget(&mut self, gone: Vec<Gone>, now: Timestamp) {
        for (node, subscribed) in gone {
            self.schedule.drop_job(Job::Read(node));
            self.schedule.drop_job(Job::Subscribe(node));
            if let Subscribed::At(href) = subscribed {
                self.obsolete(href, now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
