//! The server: the node's core and what is published of it, driven as the device listener and the
//! owner thread drive them, on a store that survives a crash.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::{Access, DerId, Event, Fleet, Identity, Lfdi, Observation};
use ieee2030_5::client;
use ieee2030_5::server::{PollRates, Response, ServerConfig, Submission, TimeZone};
use store::telemetry::{Quantity, Sample};
use store::{Actor, Batch, Entry, JournalId, Memory, Store};
use units::Timestamp;
use wattfold::config::{Control, Limit};
use wattfold::node::core::{Answer, Committed, Core, Decided, Input, Rim, Rules};
use wattfold::node::{AtOnce, Bodies, DeviceRequest, Durable, Unavailable, observe, restart};
use wattfold::telemetry::{self, Report};

use super::roster::PROFILE;

/// How often devices are asked to look.
pub(super) const POLL_S: u32 = 300;
/// How often when a control is near.
const URGENT_POLL_S: u32 = 120;
const POST_S: u32 = 300;
/// Period of the control loop.
pub(super) const TICK: Duration = Duration::from_secs(10);
/// How far back the latest readings are looked for at start, as `wattfold serve` does.
const RECALL: Duration = Duration::from_secs(3_600);

/// Who is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A device: which, in which session, which of its requests.
    Device(usize, u32, u64),
    Operator,
    Nobody,
}

/// Where the server stands in a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Decided, not committed.
    BeforeCommit,
    /// Committed; nothing published, nobody answered.
    BeforeAnswers,
    /// Between two rounds.
    Idle,
}

/// Who is told what.
pub(super) type Answered = (Asker, Result<Answer, Unavailable>);

/// What came of one round.
pub(super) struct Rounded {
    pub(super) batch: Option<Batch>,
    /// What devices were known to do, where a plan was made of it.
    pub(super) seen: Vec<Observation>,
    pub(super) answers: Vec<Answered>,
}

pub(super) struct Server {
    /// Absent while the process is down.
    core: Option<Core>,
    /// What is left of it meanwhile.
    disk: Option<Box<dyn Store>>,
    pub(super) durable: Durable,
    pub(super) observations: Vec<Observation>,
    samples: BTreeMap<(DerId, Quantity), Sample>,
    bodies: Bodies,
    waiting: Vec<(Input, Asker)>,
    /// Answers that are sent when it is durable what controls are in them.
    held: Vec<(Asker, Response)>,
    pub(super) rules: Rules,
}

struct Plain<'a>(&'a [Observation]);

impl Rim for Plain<'_> {
    fn observed<R>(&self, look: impl FnOnce(&[Observation]) -> R) -> R {
        look(self.0)
    }

    fn admit(&self, _: &Submission, _: &Fleet) -> Result<Report, Unavailable> {
        Ok(Report::default())
    }
}

impl Server {
    pub(super) fn new(limits: Vec<Limit>, time_zone: TimeZone, now: Timestamp) -> Self {
        let devices = ServerConfig {
            profile: PROFILE,
            time_zone,
            poll_rates: PollRates {
                device_capability_s: POLL_S,
                time_s: POLL_S,
                end_device_s: POLL_S,
                der_s: POLL_S,
                function_set_assignments_s: POLL_S,
                der_program_s: POLL_S,
                usage_point_s: POLL_S,
                urgent_s: URGENT_POLL_S,
            },
            post_rate_s: POST_S,
            ..ServerConfig::new(Lfdi([0xEE; 20]))
        };
        let control = Control {
            silent_after_s: 3 * u64::from(POLL_S),
            lead_s: u64::from(POLL_S) + 60,
            settle_s: 60,
            ..Control::default()
        };
        let rules = Rules {
            limits,
            policy: control.policy(POLL_S),
            devices,
            zone: units::UTC.clone(),
        };
        let mut server = Self {
            core: None,
            disk: Some(Box::new(Memory::new(JournalId(1)))),
            durable: Durable::default(),
            observations: Vec::new(),
            samples: BTreeMap::new(),
            bodies: Bodies::default(),
            waiting: Vec::new(),
            held: Vec::new(),
            rules,
        };
        server.start(now);
        server
    }

    /// The identity that the fleet of a run is founded with.
    pub(super) fn identity(seed: u64) -> Identity {
        Identity { seed, pen: 0x1234 }
    }

    pub(super) fn is_up(&self) -> bool {
        self.core.is_some()
    }

    /// What is durable, up or down.
    pub(super) fn store(&self) -> &dyn Store {
        let up = self.core.as_ref().map(Core::store);
        up.or(self.disk.as_deref()).expect("it is up or down")
    }

    /// Starts from what is stored, as `wattfold serve` does.
    pub(super) fn start(&mut self, now: Timestamp) {
        let Some(disk) = self.disk.take() else {
            return;
        };
        let folded = restart::fold(disk.as_ref());
        let (state, resources) = folded.expect("the store has what the server wrote");
        let recent = self.samples.values();
        let recent = recent.filter(|sample| now.before(RECALL) <= sample.at);
        let recent: Vec<Sample> = recent.copied().collect();
        let mut observations = restart::recall(&recent, (&state, &resources), now);
        observations.resize(state.fleet.ders().len(), Observation::default());
        let rules = self.rules.clone();
        let core = Core::new(disk, (state, resources), rules, now);
        let core = core.expect("the newest entry can be read");
        self.durable = core.working().clone();
        self.observations = observations;
        self.bodies = Bodies::default();
        self.core = Some(core);
    }

    /// The process is killed: what is not stored is gone, and nobody who waits is answered.
    pub(super) fn crash(&mut self) {
        self.waiting.clear();
        self.held.clear();
        if let Some(core) = self.core.take() {
            self.disk = Some(core.into_store());
        }
    }

    /// Answers a device at once, or lets it wait for the next round. `None` when it waits, or when
    /// nobody is there.
    pub(super) fn request(
        &mut self,
        request: &DeviceRequest,
        asker: Asker,
        now: Timestamp,
    ) -> Option<Response> {
        self.core.as_ref()?;
        let devices = &self.rules.devices;
        let asked = request.borrowed();
        let response = match self.durable.at_once(&asked, (devices, &self.bodies), now) {
            AtOnce::Reply(response) => response,
            AtOnce::Readings(submission) => {
                self.observe(&submission, now);
                submission.reply
            }
            AtOnce::Decide => {
                let input = Input::Device(Box::new(request.clone()));
                self.waiting.push((input, asker));
                return None;
            }
        };
        self.outgoing(response, (asker, request.lfdi), now)
    }

    /// Who has asked was heard. `None` where the answer has controls that were not sent before: it
    /// waits for the next round then, which gives [`Server::held`].
    pub(super) fn outgoing(
        &mut self,
        mut response: Response,
        (asker, lfdi): (Asker, Lfdi),
        now: Timestamp,
    ) -> Option<Response> {
        let (access, heard) = self.durable.caller(&self.observations, lfdi, now);
        if access == Access::Granted {
            observe::hear(&mut self.observations, heard.as_slice(), now);
        }
        if !response.served.is_empty() {
            let served = std::mem::take(&mut response.served);
            let ders = self.durable.looked_after(&served);
            observe::hear(&mut self.observations, &ders, now);
            let controls = self.durable.newly_served(served);
            if !controls.is_empty() {
                let input = Input::Served { controls, at: now };
                self.waiting.push((input, asker));
                self.held.push((asker, response));
                return None;
            }
        }
        Some(response)
    }

    /// The answer that waited for a round, which is over.
    pub(super) fn held(&mut self, of: Asker) -> Option<Response> {
        let at = self.held.iter().position(|(asker, _)| *asker == of)?;
        Some(self.held.remove(at).1)
    }

    pub(super) fn ask(&mut self, input: Input, asker: Asker) {
        if self.is_up() {
            self.waiting.push((input, asker));
        }
    }

    /// Whether anything waits for a round.
    pub(super) fn has_work(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Decides and commits what waits; a crash may come in between, and nobody is answered then.
    pub(super) fn round(&mut self, crash: Option<Moment>, now: Timestamp) -> Option<Rounded> {
        let (inputs, askers): (Vec<Input>, Vec<Asker>) = self.waiting.drain(..).unzip();
        let core = self.core.as_mut()?;
        let decided: Decided = core.decide(now, inputs, &Plain(&self.observations));
        if crash == Some(Moment::BeforeCommit) {
            self.crash();
            return None;
        }
        let adopts = |entry: &Entry| matches!(entry.event, Event::PlanAdopted(_));
        let seen = match decided.batch().entries.iter().any(adopts) {
            true => self.observations.clone(),
            false => Vec::new(),
        };
        let durable = &self.durable;
        let committed = core.commit(decided, || durable.clone());
        if crash == Some(Moment::BeforeAnswers) {
            self.crash();
            return None;
        }
        let Committed {
            now,
            published,
            answers,
            observed,
            ..
        } = committed;
        if let Some(batch) = &published {
            self.durable.publish(batch, now);
            let ders = self.durable.state.fleet.ders().len();
            self.observations.resize(ders, Observation::default());
        }
        for (submission, _) in &observed {
            self.observe(submission, now);
        }
        Some(Rounded {
            batch: published,
            seen,
            answers: askers.into_iter().zip(answers).collect(),
        })
    }

    fn observe(&mut self, submission: &Submission, now: Timestamp) {
        observe::submitted(&mut self.observations, submission, now);
        let Some(der) = submission.der else {
            return;
        };
        for sample in telemetry::samples(der, &submission.measurements) {
            let latest = self.samples.entry((der, sample.quantity));
            let latest = latest.or_insert(sample);
            if latest.at <= sample.at {
                *latest = sample;
            }
        }
    }
}

/// A request of a client as the listener takes it in.
pub(super) fn request(request: &client::Request, lfdi: Lfdi, random: u32) -> DeviceRequest {
    let (path, query) = match request.href.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (request.href.as_str(), None),
    };
    let media_type = || Some(ieee2030_5::codec::MEDIA_TYPE.to_owned());
    DeviceRequest {
        method: request.method.as_str().to_owned(),
        path: path.to_owned(),
        query,
        accept: media_type(),
        content_type: match request.method {
            client::Method::Get | client::Method::Delete => None,
            client::Method::Post | client::Method::Put => media_type(),
        },
        if_none_match: None,
        range: None,
        body: request.body.clone().into(),
        lfdi,
        random,
    }
}

/// Who the operator is to the journal.
pub(super) fn operator() -> Actor {
    Actor::System
}
