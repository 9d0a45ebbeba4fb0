//! One run: happenings in the order of virtual time.

mod mend;
mod round;

use std::collections::VecDeque;
use std::time::Duration;

use fleet::DerId;
use ieee2030_5::server::Response;
use units::Timestamp;
use wattfold::node::DeviceRequest;
use wattfold::node::core::Input;

use super::check::{Verdict, Violation};
use super::clock::Quality;
use super::device::{Device, Memory};
use super::fault::{Counts, Fault};
use super::horizon::Horizon;
use super::island::{Island, MICROGRIDS};
use super::link::{Direction, Link, TIMEOUT};
use super::mishap::{self, Mishap};
use super::operator::{AHEAD, Operator, Wish};
use super::queue::Queue;
use super::roster::Member;
use super::scene::{AUTUMN, JUNE, limits, time_zone};
use super::server::{self, Asker, Moment, Server, TICK};
use super::trace::Trace;
use super::watch::Watch;
use super::{Outcome, Setup, hour_of_day};
use crate::noise::Noise;
use crate::plant::clear_sky;

/// Faults that last begin after this.
const WARM_UP: Duration = Duration::from_secs(1_800);
/// At the end nothing is asked and nothing new goes wrong for so long, so that all events end and
/// everybody can be heard.
const QUIET: Duration = Duration::from_secs(AHEAD.as_secs() + 2 * Horizon::PATIENCE.as_secs());
/// How often devices are compared with what is published.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long inputs wait for others to share a commit with, in seconds at most.
const GATHER_S: f64 = 0.02;
/// Where a client finds the time.
const TIME_PATH: &str = "/tm";

enum Happening {
    /// A device looks at its plant and its schedule; only the newest such call counts.
    Wake(usize, u64),
    Arrive {
        asker: Asker,
        device: usize,
        request: DeviceRequest,
    },
    Answer(Asker, Reply),
    TimedOut(Asker),
    Round,
    Tick,
    Operate,
    /// The controller of a microgrid looks.
    Island(usize),
    Look,
    Mishap(Mishap),
    Mend(Mend),
}

/// What is on its way to a device.
#[derive(Clone)]
struct Reply {
    response: Response,
    tells: Tells,
}

/// What an answer tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    Time,
    Else,
}

/// The end of something that went wrong.
enum Mend {
    Whole(Vec<usize>),
    Start(usize, Memory),
    OptIn(usize),
    Heed(usize),
    Meter(usize),
    Restart,
}

pub(super) struct Run {
    setup: Setup,
    begun: Timestamp,
    now: Timestamp,
    queue: Queue<Happening>,
    server: Server,
    devices: Vec<Device>,
    links: Vec<Link>,
    wakes: Vec<u64>,
    operator: Operator,
    wishes: VecDeque<Wish>,
    /// Which microgrids are off the grid, or on their way.
    islands: [Option<Island>; MICROGRIDS],
    watch: Watch,
    trace: Trace,
    noise: Noise,
    longitude_h: f64,
    counts: Counts,
    /// Where the next round is to crash.
    crash: Option<(Moment, Timestamp)>,
    is_round_due: bool,
    requests: u64,
    commands: u64,
    violation: Option<Violation>,
}

impl Run {
    pub(super) fn new(setup: Setup) -> Self {
        let mut noise = Noise::new(setup.seed);
        let begun = match setup.faults.has(Fault::Dst) {
            true => AUTUMN.before(setup.lasts / 2),
            false => JUNE.after(Duration::from_secs_f64(noise.between(0.0, 86_400.0)).max(TICK)),
        };
        let begun = begun.ceil_secs();
        let members = (0..setup.ders).map(|index| Member::new(noise_seed(setup.seed), index));
        let members: Vec<Member> = members.collect();
        let quality = match setup.faults.has(Fault::Drift) {
            true => Quality::Drifting,
            false => Quality::Exact,
        };
        let operator = Operator::new(Noise::new(noise.bits()), &members);
        let server = Server::new(limits(&operator, &members), time_zone(), begun);
        let links = (0..setup.ders).map(|_| Link::new(Noise::new(noise.bits()), setup.faults));
        let links = links.collect();
        let longitude_h = noise.between(0.0, 24.0);
        let mut devices = Vec::with_capacity(setup.ders);
        for member in members {
            devices.push(Device::new(member, quality, &mut noise, begun));
        }
        Self {
            setup,
            begun,
            now: begun,
            queue: Queue::default(),
            server,
            wakes: vec![0; devices.len()],
            devices,
            links,
            operator,
            wishes: VecDeque::new(),
            islands: [const { None }; MICROGRIDS],
            watch: Watch::default(),
            trace: Trace::new(setup.keep),
            noise,
            longitude_h,
            counts: Counts::default(),
            crash: None,
            is_round_due: false,
            requests: 0,
            commands: 0,
            violation: None,
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        self.found();
        let end = self.begun.after(self.setup.lasts);
        while let Some((at, happening)) = self.queue.pop() {
            if end < at || self.violation.is_some() {
                break;
            }
            self.now = at;
            self.happen(happening);
        }
        if self.violation.is_none() {
            self.now = end;
            self.end();
        }
        let digest = self.trace.digest();
        let lines = self.trace.into_lines();
        Outcome {
            requests: self.requests,
            commands: self.commands,
            checks: self.watch.checks,
            faults: self.counts,
            digest,
            violation: self.violation,
            trace: lines,
        }
    }

    /// Founds the fleet and schedules everything that is known from the start.
    fn found(&mut self) {
        let members: Vec<Member> = self.devices.iter().map(|it| it.member.clone()).collect();
        let commands = self.operator.founding(self.setup.seed, &members);
        self.server.ask(
            Input::Commands(server::operator(), commands),
            Asker::Operator,
        );
        self.round();
        let quiet = self.begun.after(self.setup.lasts).before(QUIET);
        let span = (self.begun.after(WARM_UP), quiet);
        let ders = self.devices.len();
        for (at, mishap) in mishap::draw(&mut self.noise, self.setup.faults, ders, span) {
            self.queue.push(at, Happening::Mishap(mishap));
        }
        if self.setup.faults.has(Fault::Dst) && self.begun < AUTUMN {
            self.counts.add(Fault::Dst);
        }
        if self.setup.faults.has(Fault::Drift) {
            self.devices
                .iter()
                .for_each(|_| self.counts.add(Fault::Drift));
        }
        for index in 0..ders {
            self.clearance(index);
            let first = self.noise.between(0.0, 60.0);
            self.wake_at(index, self.now.after(Duration::from_secs_f64(first)));
        }
        self.queue.push(self.now.after(TICK), Happening::Tick);
        self.queue.push(self.now.after(LOOK_EVERY), Happening::Look);
        self.queue.push(span.0, Happening::Operate);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake(index, token) if self.wakes[index] == token => self.wake(index),
            Happening::Wake(..) => {}
            Happening::Arrive {
                asker,
                device,
                request,
            } => self.arrive(asker, device, &request),
            Happening::Answer(asker, reply) => self.answer(asker, &reply),
            Happening::TimedOut(asker) => {
                if let Some((index, id)) = self.current(asker) {
                    self.devices[index].lost(id, self.now);
                    self.wake(index);
                }
            }
            Happening::Round => {
                self.is_round_due = false;
                self.round();
            }
            Happening::Tick => {
                let tick = Input::Tick {
                    readings_refused: 0,
                };
                self.server.ask(tick, Asker::Nobody);
                self.soon();
                self.queue.push(self.now.after(TICK), Happening::Tick);
            }
            Happening::Operate => self.operate(),
            Happening::Island(number) => self.island(number),
            Happening::Look => {
                self.look();
                self.queue.push(self.now.after(LOOK_EVERY), Happening::Look);
            }
            Happening::Mishap(mishap) => self.mishap(mishap),
            Happening::Mend(mend) => self.mend(mend),
        }
    }

    /// Where it is noon when differs from run to run.
    fn sun(&self) -> f64 {
        clear_sky((hour_of_day(self.now) + self.longitude_h) % 24.0)
    }

    /// Lets a device do what is due, sends what it has to say, and looks at what it does.
    fn wake(&mut self, index: usize) {
        let sun = self.sun();
        let requests = self.devices[index].step(sun, self.now);
        for request in requests {
            let device = &self.devices[index];
            let asker = Asker::Device(index, device.session, request.id);
            let random = u32::try_from(self.noise.bits() >> 32).unwrap_or(0);
            let request = server::request(&request, device.member.lfdi, random);
            let arrivals = self.links[index].carry(Direction::Up, self.now, &mut self.counts);
            for at in arrivals {
                let request = request.clone();
                let arrive = Happening::Arrive {
                    asker,
                    device: index,
                    request,
                };
                self.queue.push(at, arrive);
            }
            self.queue
                .push(self.now.after(TIMEOUT), Happening::TimedOut(asker));
        }
        let device = &self.devices[index];
        let verdict = self.watch.does(device, &self.server.durable, self.now);
        self.judge_of(index, verdict);
        self.wake_at(index, self.devices[index].wake_at(self.now));
    }

    fn wake_at(&mut self, index: usize, at: Timestamp) {
        self.wakes[index] += 1;
        self.queue
            .push(at, Happening::Wake(index, self.wakes[index]));
    }

    fn arrive(&mut self, asker: Asker, device: usize, request: &DeviceRequest) {
        self.requests += 1;
        let response = self.server.request(request, asker, self.now);
        let DeviceRequest { method, path, .. } = request;
        let status = response.as_ref().map_or(0, |response| response.status);
        self.trace
            .tell(self.now, format_args!("d{device} {method} {path} {status}"));
        if self.server.has_work() {
            self.soon();
        }
        if let Some(response) = response {
            let tells = match path == TIME_PATH && status == 200 {
                true => Tells::Time,
                false => Tells::Else,
            };
            self.reply(asker, &Reply { response, tells });
        }
    }

    fn reply(&mut self, asker: Asker, reply: &Reply) {
        let Asker::Device(index, ..) = asker else {
            return;
        };
        let arrivals = self.links[index].carry(Direction::Down, self.now, &mut self.counts);
        for at in arrivals {
            let answer = Happening::Answer(asker, reply.clone());
            self.queue.push(at, answer);
        }
    }

    /// The device and the number of its request, if it still is in that session.
    fn current(&self, asker: Asker) -> Option<(usize, u64)> {
        match asker {
            Asker::Device(index, session, id) => {
                (self.devices[index].session == session).then_some((index, id))
            }
            Asker::Operator | Asker::Nobody => None,
        }
    }

    fn answer(&mut self, asker: Asker, reply: &Reply) {
        let Some((index, id)) = self.current(asker) else {
            return;
        };
        let device = &mut self.devices[index];
        if let Some((mrid, status)) = device.answered(id, &reply.response, self.now) {
            let line = format_args!("d{index} was heard: {status} of {mrid:032X}");
            self.trace.tell(self.now, line);
        }
        if reply.tells == Tells::Time {
            device.is_astray = false;
        }
        self.wake(index);
    }

    fn look(&mut self) {
        let sun = self.sun();
        for index in 0..self.devices.len() {
            if self.devices[index].is_on() {
                self.devices[index].step_plant(sun, self.now);
            }
            let (device, durable) = (&self.devices[index], &self.server.durable);
            let verdict = self
                .watch
                .device((DerId::from(index), device), durable, self.now);
            self.judge_of(index, verdict);
        }
        let limits = &self.server.rules.limits;
        let verdict = self
            .watch
            .limits(limits, &self.devices, (&self.server.durable, self.now));
        self.judge(verdict);
    }

    fn end(&mut self) {
        self.look();
        let (durable, devices) = (&self.server.durable, &self.devices);
        let replay = self.watch.replays(self.server.store(), durable);
        let restarted = self.watch.restarted(self.server.store(), durable, devices);
        let over = self.watch.over(durable, devices);
        self.judge(replay.and(restarted).and(over));
    }

    fn judge_of(&mut self, index: usize, verdict: Result<(), (&'static str, String)>) {
        self.judge(verdict.map_err(|(checker, found)| (checker, format!("d{index} {found}"))));
    }

    /// The first violation is the one that counts.
    fn judge(&mut self, verdict: Result<(), (&'static str, String)>) {
        if let (Err((checker, message)), None) = (verdict, &self.violation) {
            self.violation = Some(Violation {
                at: self.now,
                checker,
                message,
            });
        }
    }
}

/// Names the checker beside what it found.
pub(super) fn by(checker: &'static str, verdict: Verdict) -> Result<(), (&'static str, String)> {
    verdict.map_err(|found| (checker, found))
}

/// The seed of the members, which are the same for every set of faults.
fn noise_seed(seed: u64) -> u64 {
    Noise::fork(seed, usize::MAX).bits()
}
