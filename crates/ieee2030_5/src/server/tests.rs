//! A device and the server as values: requests in, replies out, submissions applied as a shell
//! would.

mod access;
mod aggregators;
mod bad_input;
mod controls;
mod discovery;
mod freshness;
mod hosted;
mod metering;
mod peer;
mod polling;
mod reports;
mod shared_programs;

use std::time::Duration;

use fleet::{
    ActivePower, CimMrid, ControlBase, DerKind, Identity, Name, NewAggregator, NewControl, NewDer,
    Origin, Pin,
};
use units::{Interval, Percent, Timestamp, Watts};

use super::{
    Answer, ControlEvidence, Request, Resources, Response, ServerConfig, View, handle, rejected,
};
use crate::codec::MEDIA_TYPE;
use crate::codec::read::{Complex, read};
use crate::codec::table::Profile;
use crate::codec::write::write;
use crate::translate::metering::Measurement;
use crate::translate::{AggregatorId, Client, Command, ControlId, DerId, Fleet, Lfdi, sfdi};
use crate::wire::end_device::EndDevice;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Registered, with everything reported that a test puts there.
const OWN: Lfdi = Lfdi([0x3E; 20]);
/// Registered too.
const OTHER: Lfdi = Lfdi([0x4F; 20]);
/// Authorised, not registered yet.
const NEW: Lfdi = Lfdi([0x51; 20]);
/// A DER that an aggregator stands in for, registered. Like its aggregators it is there once
/// [`World::with_aggregators`] has been called.
const MANAGED: Lfdi = Lfdi([0x81; 20]);
/// The aggregator that stands in for it, and may enrol.
const AGGREGATOR: Lfdi = Lfdi([0x82; 20]);
/// Another aggregator, with a DER of its own, that may not enrol.
const RIVAL: Lfdi = Lfdi([0x83; 20]);
const OF_RIVAL: Lfdi = Lfdi([0x84; 20]);
/// A DER that was registered and has lost its access.
const REVOKED: Lfdi = Lfdi([0x85; 20]);
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
                registered,
                ..new_der(name, lfdi)
            }));
        }
        world
    }

    /// Aggregators 0 and 1 with DER 3 and 4, and DER 5 without access.
    fn with_aggregators() -> Self {
        let mut world = Self::new();
        for (name, lfdi, may_enrol) in [("first", AGGREGATOR, true), ("second", RIVAL, false)] {
            world.command(&Command::EnrolAggregator(NewAggregator {
                name: Name::new(name).unwrap(),
                lfdi,
                pin: Pin::with_check_digit(22_222),
                registered: true,
                may_enrol,
            }));
        }
        for (name, lfdi, manager) in [
            ("managed", MANAGED, Some(AggregatorId(0))),
            ("of rival", OF_RIVAL, Some(AggregatorId(1))),
            ("revoked", REVOKED, None),
        ] {
            world.command(&Command::EnrolDer(NewDer {
                manager,
                ..new_der(name, lfdi)
            }));
        }
        let revoked = Client::Der(DerId(5));
        world.command(&Command::SetAccess(revoked, false));
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
            der: Some(DerId(der)),
            program: self.fleet.der(DerId(der)).unwrap().program,
            origin: Origin::Operator,
            interval: Interval {
                start: self.now.after(Duration::from_secs(start_s)),
                duration: Duration::from_secs(length_s),
            },
            base: ControlBase::asking(ActivePower::FixedW {
                percent,
                of: Watts::whole(5_000),
            }),
            terms: None,
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
                Err(rejection) => return rejected(&rejection, Profile::default()),
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
            &write(value, Profile::default()),
        ))
    }

    fn post<T: Complex>(&mut self, lfdi: Lfdi, address: &str, value: &T) -> Response {
        self.send(&request(
            lfdi,
            "POST",
            address,
            &write(value, Profile::default()),
        ))
    }
}

fn new_der(name: &str, lfdi: Lfdi) -> NewDer {
    NewDer {
        mrid: CimMrid::new(name).unwrap(),
        name: Name::new(name).unwrap(),
        kind: DerKind::Storage,
        lfdi,
        pin: Pin::with_check_digit(11_111),
        registered: true,
        reserve: Percent::default(),
        manager: None,
        assignments: Vec::new(),
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
        if_none_match: None,
        range: None,
        body,
        lfdi,
        random: 54_321,
    }
}

/// What a client sees of a reply: not why it was refused.
fn seen(reply: Response) -> Response {
    Response {
        refused: None,
        reason: None,
        ..reply
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
