//! A device and the server as values: requests in, replies out, submissions applied as a shell
//! would.

mod bad_input;
mod controls;
mod discovery;
mod metering;
mod peer;
mod reports;

use std::time::Duration;

use fleet::{
    ActivePower, CimMrid, ControlBase, DerKind, Identity, Name, NewControl, NewDer, Origin, Pin,
};
use units::{Interval, Percent, Timestamp, Watts};

use super::{
    Answer, ControlEvidence, Request, Resources, Response, ServerConfig, View, handle, rejected,
};
use crate::codec::MEDIA_TYPE;
use crate::codec::read::{Complex, read};
use crate::codec::table::Edition;
use crate::codec::write::write;
use crate::translate::metering::Measurement;
use crate::translate::{Command, ControlId, DerId, Fleet, Lfdi, sfdi};
use crate::wire::end_device::EndDevice;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Registered, with everything reported that a test puts there.
const OWN: Lfdi = Lfdi([0x3E; 20]);
/// Registered too.
const OTHER: Lfdi = Lfdi([0x4F; 20]);
/// Authorised, not registered yet.
const NEW: Lfdi = Lfdi([0x51; 20]);
/// Nobody knows it.
const STRANGER: Lfdi = Lfdi([0x62; 20]);

struct World {
    fleet: Fleet,
    resources: Resources,
    config: ServerConfig,
    now: Timestamp,
    evidence: Vec<ControlEvidence>,
    measurements: Vec<Measurement>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            fleet: Fleet::default(),
            resources: Resources::default(),
            config: ServerConfig::new(Lfdi([0x77; 20])),
            now: NOW,
            evidence: Vec::new(),
            measurements: Vec::new(),
        };
        world.command(&Command::FoundFleet(Identity {
            seed: 0xABCD,
            pen: 40_732,
        }));
        for (name, lfdi, registered) in [
            ("own", OWN, true),
            ("other", OTHER, true),
            ("new", NEW, false),
        ] {
            world.command(&Command::EnrolDer(NewDer {
                mrid: CimMrid::new(name).unwrap(),
                name: Name::new(name).unwrap(),
                kind: DerKind::Storage,
                lfdi,
                pin: Pin::with_check_digit(11_111),
                registered,
                reserve: Percent::default(),
            }));
        }
        world
    }

    fn command(&mut self, command: &Command) {
        for event in self.fleet.decide(command, self.now).unwrap() {
            self.fleet.apply(&event);
        }
    }

    /// Asks `der` for half of its power from `start_s` seconds from now for `length_s`.
    fn control(&mut self, der: u32, start_s: u64, length_s: u64) -> ControlId {
        let percent = Percent::from_hundredths(5_000);
        self.command(&Command::IssueControl(NewControl {
            der: DerId(der),
            program: self.fleet.der(DerId(der)).unwrap().program,
            origin: Origin::Operator,
            interval: Interval {
                start: self.now.after(Duration::from_secs(start_s)),
                duration: Duration::from_secs(length_s),
            },
            base: ControlBase {
                active: Some(ActivePower::FixedW {
                    percent,
                    of: Watts::whole(5_000),
                }),
                ..ControlBase::default()
            },
        }));
        self.fleet.controls().last().unwrap().id
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    fn ask(&self, request: &Request<'_>) -> Answer {
        let view = View {
            fleet: &self.fleet,
            resources: &self.resources,
            config: &self.config,
        };
        handle(request, &view, self.now)
    }

    /// Sends a request and does with its answer what a shell does.
    fn send(&mut self, request: &Request<'_>) -> Response {
        let submission = match self.ask(request) {
            Answer::Reply(reply) => return reply,
            Answer::Submit(submission) => submission,
        };
        if let Some(command) = &submission.command {
            match self.fleet.decide(command, self.now) {
                Ok(events) => events.iter().for_each(|event| self.fleet.apply(event)),
                Err(rejection) => return rejected(&rejection, Edition::Y2018),
            }
        }
        for document in &submission.documents {
            self.resources.apply(document).unwrap();
        }
        self.evidence.extend(submission.evidence);
        self.measurements.extend(submission.measurements);
        submission.reply
    }

    fn get(&mut self, lfdi: Lfdi, address: &str) -> Response {
        self.send(&request(lfdi, "GET", address, b""))
    }

    /// What is at `address`, which must be there.
    fn read<T: Complex>(&mut self, lfdi: Lfdi, address: &str) -> T {
        let reply = self.get(lfdi, address);
        assert_eq!(reply.status, 200, "{address}: {:?}", reply.reason);
        assert_eq!(reply.content_type, Some(MEDIA_TYPE));
        read(&reply.body).unwrap()
    }

    fn put<T: Complex>(&mut self, lfdi: Lfdi, address: &str, value: &T) -> Response {
        self.send(&request(
            lfdi,
            "PUT",
            address,
            &write(value, Edition::Y2018),
        ))
    }

    fn post<T: Complex>(&mut self, lfdi: Lfdi, address: &str, value: &T) -> Response {
        self.send(&request(
            lfdi,
            "POST",
            address,
            &write(value, Edition::Y2018),
        ))
    }
}

fn request<'a>(lfdi: Lfdi, method: &'a str, address: &'a str, body: &'a [u8]) -> Request<'a> {
    let (path, query) = match address.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (address, None),
    };
    Request {
        method,
        path,
        query,
        accept: Some(MEDIA_TYPE),
        content_type: Some(MEDIA_TYPE),
        body,
        lfdi,
    }
}

fn end_device(lfdi: Lfdi) -> EndDevice {
    EndDevice {
        lfdi: Some(lfdi.into()),
        sfdi: sfdi(lfdi),
        changed_time: NOW.into(),
        ..EndDevice::default()
    }
}
