//! What has been found of the server's resources, link by link.

use std::collections::BTreeMap;
use std::time::Duration;

use units::Timestamp;

use super::clock::ServerClock;
use super::events::{MAX_PROGRAMS, Program};
use super::list::{List, whole};
use super::schedule::{Job, Resource};
use super::{Client, Stage};
use crate::codec::read::{ReadError, read};
use crate::wire::der::{Der, DerList};
use crate::wire::der_control::{
    DefaultDerControl, DerControl, DerControlList, DerProgram, DerProgramList,
};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::{EndDevice, EndDeviceList, Registration};
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::link::{Link, ListLink};
use crate::wire::metering_mirror::MirrorUsagePoint;
use crate::wire::time::Time;

/// Whether the device has an `EndDevice` on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Unknown,
    Absent,
    Present,
}

/// What has been found so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) end_devices: Option<String>,
    pub(super) usage_points: Option<String>,
    presence: Presence,
    post_rate_s: Option<u32>,
    pin: Option<u32>,
    der: Option<Der>,
    pub(super) usage_point: Option<String>,
    usage_point_post_rate_s: Option<u32>,
    pub(super) is_described: bool,
    ders_rate: Option<Duration>,
    programs: BTreeMap<String, Vec<Assigned>>,
    has_read_controls: bool,
    /// Pages of lists that are still being read.
    pages: BTreeMap<Job, Vec<Vec<u8>>>,
}

/// A programme and where its controls are.
#[derive(Clone, Debug)]
struct Assigned {
    program: Program,
    controls: Option<String>,
    default: Option<String>,
}

impl Tree {
    pub(super) fn stage(&self, pin: Option<u32>) -> Stage {
        match self.presence {
            Presence::Unknown => Stage::Discovering,
            Presence::Absent => Stage::Unregistered,
            Presence::Present if self.pin.is_some() && !self.is_trusted(pin) => Stage::WrongPin,
            Presence::Present => {
                let in_service = self.is_trusted(pin)
                    && self.is_described
                    && self.usage_point.is_some()
                    && self.has_read_controls;
                if in_service {
                    Stage::InService
                } else {
                    Stage::Registered
                }
            }
        }
    }

    /// Whether the server has shown the PIN that is expected.
    fn is_trusted(&self, expected: Option<u32>) -> bool {
        expected.is_none_or(|expected| self.pin == Some(expected))
    }

    /// How often meter readings are posted.
    pub(super) fn readings_rate(&self) -> Option<Duration> {
        let rate_s = self.usage_point_post_rate_s.or(self.post_rate_s);
        rate_s.map(|s| Duration::from_secs(s.into()))
    }

    /// How often status and availability are put.
    pub(super) fn status_rate(&self) -> Option<Duration> {
        self.ders_rate
    }

    pub(super) fn capability_href(&self) -> Option<String> {
        link(self.der.as_ref()?.der_capability_link.as_ref())
    }

    pub(super) fn settings_href(&self) -> Option<String> {
        link(self.der.as_ref()?.der_settings_link.as_ref())
    }

    pub(super) fn status_href(&self) -> Option<String> {
        link(self.der.as_ref()?.der_status_link.as_ref())
    }

    pub(super) fn availability_href(&self) -> Option<String> {
        link(self.der.as_ref()?.der_availability_link.as_ref())
    }

    /// Where the next page of the list behind `job` begins.
    pub(super) fn page_start(&self, job: &Job) -> usize {
        let pages = self.pages.get(job).map_or(0, Vec::len);
        pages * super::list::PAGE_LEN
    }
}

/// The path and query of an address; its host is the one that the device is configured for.
pub(super) fn path_of(href: &str) -> &str {
    let after_scheme = href
        .strip_prefix("https://")
        .or_else(|| href.strip_prefix("http://"));
    match after_scheme {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => href,
    }
}

fn link(link: Option<&Link>) -> Option<String> {
    link.map(|link| path_of(link.href.as_str()).to_owned())
}

fn list_link(link: Option<&ListLink>) -> Option<String> {
    link.map(|link| path_of(link.href.as_str()).to_owned())
}

fn rate(seconds: Option<u32>) -> Option<Duration> {
    seconds.map(|s| Duration::from_secs(s.into()))
}

/// What takes in a list once it is whole.
type HandOver<M> = fn(&mut Client, &Job, &[M], Timestamp);

/// When the request was sent and when its answer came.
type Exchange = (Timestamp, Timestamp);

impl Client {
    /// Takes in a resource that was read. One that cannot be read counts as a failure.
    pub(super) fn read(&mut self, resource: Resource, href: &str, body: &[u8], at: Exchange) {
        let job = Job::Read(resource, href.to_owned());
        let taken = match resource {
            Resource::DeviceCapability => {
                read(body).map(|dcap| self.on_device_capability(&job, &dcap, at.1))
            }
            Resource::Time => read(body).map(|time| self.on_time(&job, &time, at)),
            Resource::Registration => {
                read(body).map(|registration| self.on_registration(&job, &registration, at.1))
            }
            Resource::UsagePoint => read(body).map(|point| self.on_usage_point(&job, &point, at.1)),
            Resource::DefaultControl(program) => {
                read(body).map(|default| self.on_default(&job, program, default, at.1))
            }
            Resource::EndDevices => {
                self.list::<EndDeviceList>(&job, body, at.1, Self::on_end_devices)
            }
            Resource::Ders => self.list::<DerList>(&job, body, at.1, Self::on_ders),
            Resource::Assignments => {
                self.list::<FunctionSetAssignmentsList>(&job, body, at.1, Self::on_assignments)
            }
            Resource::Programs => self.list::<DerProgramList>(&job, body, at.1, Self::on_programs),
            Resource::Controls(_) => {
                self.list::<DerControlList>(&job, body, at.1, Self::on_controls)
            }
        };
        if taken.is_err() {
            self.tree.pages.remove(&job);
            self.schedule.failed(&job, at.1);
        }
    }

    /// Adds a page, and hands the list over when it is whole.
    fn list<L: List>(
        &mut self,
        job: &Job,
        body: &[u8],
        now: Timestamp,
        hand_over: HandOver<L::Member>,
    ) -> Result<(), ReadError> {
        let mut pages = self.tree.pages.remove(job).unwrap_or_default();
        pages.push(body.to_vec());
        let whole = whole::<L>(&pages)?;
        if !whole.is_complete {
            self.tree.pages.insert(job.clone(), pages);
            self.schedule.again(job, now);
            return Ok(());
        }
        self.schedule.repeat(job, rate(whole.poll_rate_s), now);
        hand_over(self, job, &whole.members, now);
        Ok(())
    }

    fn on_device_capability(&mut self, job: &Job, dcap: &DeviceCapability, now: Timestamp) {
        self.schedule.repeat(job, rate(dcap.poll_rate), now);
        let time = link(dcap.time_link.as_ref());
        self.schedule.track(Resource::Time, time.as_slice(), now);
        self.tree.end_devices = list_link(dcap.end_device_list_link.as_ref());
        let end_devices = self.tree.end_devices.clone();
        self.schedule
            .track(Resource::EndDevices, end_devices.as_slice(), now);
        self.tree.usage_points = list_link(dcap.mirror_usage_point_list_link.as_ref());
        self.want_usage_point(now);
    }

    fn on_time(&mut self, job: &Job, time: &Time, (sent, received): Exchange) {
        self.schedule.repeat(job, rate(time.poll_rate), received);
        let seen = ServerClock::from_answer(sent, received, time.current_time.0);
        self.clock = Some(self.clock.map_or(seen, |clock| clock.narrowed(seen)));
    }

    fn on_end_devices(&mut self, _: &Job, devices: &[EndDevice], now: Timestamp) {
        let lfdi = self.config.lfdi;
        let own = devices
            .iter()
            .find(|device| device.lfdi.is_some_and(|it| it.0 == lfdi));
        let Some(own) = own else {
            self.tree.presence = Presence::Absent;
            self.schedule.ensure(&Job::Register, now);
            return;
        };
        if self.tree.presence != Presence::Present {
            // A server may show more of itself to a device that it knows.
            self.schedule
                .hasten(Resource::DeviceCapability, Duration::ZERO, now);
        }
        self.tree.presence = Presence::Present;
        self.schedule.drop_job(&Job::Register);
        self.tree.post_rate_s = own.post_rate;
        let registration = link(own.registration_link.as_ref());
        self.schedule
            .track(Resource::Registration, registration.as_slice(), now);
        let ders = list_link(own.der_list_link.as_ref());
        self.schedule.track(Resource::Ders, ders.as_slice(), now);
        let assignments = list_link(own.function_set_assignments_list_link.as_ref());
        let trusted = self.tree.is_trusted(self.config.pin);
        let assignments = assignments.filter(|_| trusted);
        self.schedule
            .track(Resource::Assignments, assignments.as_slice(), now);
        if !trusted {
            self.on_assignments(&Job::Register, &[], now);
        }
        self.want_usage_point(now);
    }

    fn want_usage_point(&mut self, now: Timestamp) {
        let is_missing = self.tree.usage_points.is_some() && self.tree.usage_point.is_none();
        if is_missing && self.tree.presence == Presence::Present {
            self.schedule.ensure(&Job::CreateUsagePoint, now);
        }
    }

    fn on_registration(&mut self, job: &Job, registration: &Registration, now: Timestamp) {
        self.schedule.repeat(job, rate(registration.poll_rate), now);
        let was_trusted = self.tree.is_trusted(self.config.pin);
        self.tree.pin = Some(registration.pin);
        if was_trusted != self.tree.is_trusted(self.config.pin) {
            // The links of the EndDevice are followed, or dropped, on its next reading.
            self.schedule
                .hasten(Resource::EndDevices, Duration::ZERO, now);
        }
    }

    fn on_ders(&mut self, job: &Job, ders: &[Der], now: Timestamp) {
        self.tree.ders_rate = self.schedule.rate(job);
        let first = ders.first().cloned();
        let is_same = match (&first, &self.tree.der) {
            (Some(new), Some(old)) => new.der_capability_link == old.der_capability_link,
            (new, old) => new.is_none() && old.is_none(),
        };
        self.tree.der = first;
        if !is_same {
            for job in [Job::Capability, Job::Settings] {
                self.schedule.drop_job(&job);
                self.schedule.ensure(&job, now);
            }
        }
        for job in [Job::Status, Job::Availability] {
            self.schedule.ensure(&job, now);
        }
    }

    fn on_assignments(&mut self, _: &Job, assigned: &[FunctionSetAssignments], now: Timestamp) {
        let lists: Vec<String> = assigned
            .iter()
            .filter_map(|it| list_link(it.der_program_list_link.as_ref()))
            .take(MAX_PROGRAMS)
            .collect();
        self.schedule.track(Resource::Programs, &lists, now);
        self.tree.programs.retain(|list, _| lists.contains(list));
        self.reassign(now);
    }

    fn on_programs(&mut self, job: &Job, programs: &[DerProgram], now: Timestamp) {
        let Job::Read(_, list) = job else { return };
        let assigned = programs.iter().take(MAX_PROGRAMS).map(|program| Assigned {
            program: Program {
                mrid: program.mrid.value(),
                primacy: program.primacy,
            },
            controls: list_link(program.der_control_list_link.as_ref()),
            default: link(program.default_der_control_link.as_ref()),
        });
        self.tree.programs.insert(list.clone(), assigned.collect());
        self.reassign(now);
    }

    /// Follows the programmes that are assigned now and lets go of the others.
    fn reassign(&mut self, now: Timestamp) {
        let assigned: Vec<Assigned> = self.tree.programs.values().flatten().cloned().collect();
        let programs: BTreeMap<u128, Program> = assigned
            .iter()
            .map(|it| (it.program.mrid, it.program))
            .collect();
        self.schedule
            .keep_programs(|mrid| programs.contains_key(&mrid));
        for it in &assigned {
            let mrid = it.program.mrid;
            self.schedule
                .track(Resource::Controls(mrid), it.controls.as_slice(), now);
            self.schedule
                .track(Resource::DefaultControl(mrid), it.default.as_slice(), now);
        }
        let server_now = self.server_time(now);
        self.events.assign(&programs, server_now);
    }

    fn program(&self, mrid: u128) -> Option<Program> {
        let assigned = self.tree.programs.values().flatten();
        assigned
            .map(|it| it.program)
            .find(|program| program.mrid == mrid)
    }

    fn on_controls(&mut self, job: &Job, controls: &[DerControl], now: Timestamp) {
        // A DERControlList has no pollRate of its own; it is read as often as its programme.
        let rate = self.schedule.rate_of(Resource::Programs);
        self.schedule.repeat(job, rate, now);
        let Job::Read(Resource::Controls(mrid), _) = job else {
            return;
        };
        let Some(program) = self.program(*mrid) else {
            return;
        };
        let server_now = self.server_time(now);
        self.events.learn(program, controls, server_now);
        self.tree.has_read_controls = true;
    }

    fn on_default(&mut self, job: &Job, mrid: u128, default: DefaultDerControl, now: Timestamp) {
        let rate = self.schedule.rate_of(Resource::Programs);
        self.schedule.repeat(job, rate, now);
        if let Some(program) = self.program(mrid) {
            self.events.learn_default(program, default);
        }
    }

    fn on_usage_point(&mut self, job: &Job, point: &MirrorUsagePoint, now: Timestamp) {
        self.schedule.repeat(job, None, now);
        self.tree.usage_point_post_rate_s = point.post_rate;
    }
}
