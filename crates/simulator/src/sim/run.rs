//! One run: happenings in the order of virtual time.

use std::time::Duration;

use fleet::{DerId, Event};
use ieee2030_5::server::{DaylightSaving, Response, TimeZone};
use units::Timestamp;
use wattfold::config::{Limit, Scope};
use wattfold::node::DeviceRequest;
use wattfold::node::core::{Answer, Input};

use super::check::{Verdict, Violation};
use super::clock::Quality;
use super::device::{Device, Memory, Meter};
use super::fault::{Counts, Fault};
use super::horizon::Horizon;
use super::link::{Direction, Link, TIMEOUT};
use super::mishap::{self, Mishap};
use super::operator::{AHEAD, Expected, Operator, Wish};
use super::queue::Queue;
use super::roster::Member;
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
/// The end of summer time in Europe in 2026, and a date far from it.
const AUTUMN: Timestamp = Timestamp::from_secs(1_792_890_000);
const SPRING: Timestamp = Timestamp::from_secs(1_774_746_000);
const JUNE: Timestamp = Timestamp::from_secs(1_781_481_600);
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
    Answer {
        asker: Asker,
        response: Response,
        tells_time: bool,
    },
    TimedOut(Asker),
    Round,
    Tick,
    Operate,
    Look,
    Mishap(Mishap),
    Mend(Mend),
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
    wishes: Vec<Wish>,
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
            wishes: Vec::new(),
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
            Happening::Answer {
                asker,
                response,
                tells_time,
            } => self.answer(asker, &response, tells_time),
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
            let tells_time = path == TIME_PATH && status == 200;
            self.reply(asker, response, tells_time);
        }
    }

    fn reply(&mut self, asker: Asker, response: Response, tells_time: bool) {
        let Asker::Device(index, ..) = asker else {
            return;
        };
        let arrivals = self.links[index].carry(Direction::Down, self.now, &mut self.counts);
        for at in arrivals {
            let answer = Happening::Answer {
                asker,
                response: response.clone(),
                tells_time,
            };
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

    fn answer(&mut self, asker: Asker, response: &Response, tells_time: bool) {
        let Some((index, id)) = self.current(asker) else {
            return;
        };
        let device = &mut self.devices[index];
        if let Some((mrid, status)) = device.answered(id, response, self.now) {
            let line = format_args!("d{index} was heard: {status} of {mrid:032X}");
            self.trace.tell(self.now, line);
        }
        if tells_time {
            device.is_astray = false;
        }
        self.wake(index);
    }

    /// A round is due soon.
    fn soon(&mut self) {
        if !self.is_round_due && self.server.is_up() {
            self.is_round_due = true;
            let wait = Duration::from_secs_f64(self.noise.between(0.001, GATHER_S));
            self.queue.push(self.now.after(wait), Happening::Round);
        }
    }

    fn round(&mut self) {
        let crash = self.crash.take();
        let moment = crash.map(|(moment, _)| moment);
        let rounded = self.server.round(moment, self.now);
        if let Some((_, until)) = crash {
            self.crashed(until);
        }
        let Some(rounded) = rounded else {
            return;
        };
        if let Some(batch) = &rounded.batch {
            let line = format_args!(
                "committed {} events, {} steps, {} documents",
                batch.entries.len(),
                batch.deliveries.len(),
                batch.documents.len()
            );
            self.trace.tell(self.now, line);
            for entry in &batch.entries {
                self.trace
                    .tell(self.now, format_args!("  {}", named(&entry.event)));
            }
            let verdict = self.watch.committed(batch, &self.server.durable, self.now);
            self.judge(verdict);
        }
        for (asker, answer) in rounded.answers {
            match (asker, answer) {
                (Asker::Device(index, ..), Ok(Answer::Device(response))) => {
                    let lfdi = self.devices[index].member.lfdi;
                    let response = self.server.outgoing(response, lfdi, self.now);
                    self.reply(asker, response, false);
                }
                (Asker::Operator, Ok(Answer::Commands(outcomes))) => self.outcomes(outcomes),
                _ => {}
            }
        }
        if self.server.has_work() {
            self.soon();
        }
    }

    fn outcomes(&mut self, outcomes: Vec<Result<Vec<Event>, fleet::Rejection>>) {
        let mut wishes = std::mem::take(&mut self.wishes).into_iter();
        for outcome in outcomes {
            let wish = wishes.next();
            let what = wish.as_ref().map_or("found", |wish| wish.what);
            match outcome {
                Ok(events) => {
                    self.trace.tell(self.now, format_args!("{what}: accepted"));
                    if wish.is_some_and(|wish| wish.expected == Expected::Refusal) {
                        self.judge(Err(("refusal", format!("accepted: {what}"))));
                    }
                    self.watch.acknowledged(events);
                }
                Err(rejection) => {
                    self.trace
                        .tell(self.now, format_args!("{what}: {rejection}"));
                    if wish.is_none() {
                        self.judge(Err(("founding", rejection.to_string())));
                    }
                }
            }
        }
    }

    fn operate(&mut self) {
        let quiet = self.begun.after(self.setup.lasts).before(QUIET);
        if quiet <= self.now {
            return;
        }
        let fleet = &self.server.durable.state.fleet;
        if let Some(wish) = self.operator.wish(fleet, self.now)
            && self.server.is_up()
        {
            self.trace
                .tell(self.now, format_args!("operator: {}", wish.what));
            self.commands += 1;
            let input = Input::Commands(server::operator(), vec![wish.command.clone()]);
            self.wishes.push(wish);
            self.server.ask(input, Asker::Operator);
            self.soon();
        }
        let pause = self.operator.pause();
        self.queue.push(self.now.after(pause), Happening::Operate);
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
            .limits(limits, &self.devices, &self.server.durable);
        self.judge(verdict);
    }

    fn mishap(&mut self, mishap: Mishap) {
        let is_crash = matches!(mishap, Mishap::Crash { .. });
        if !is_crash {
            self.counts.add(mishap.fault());
            self.trace.tell(self.now, format_args!("fault: {mishap:?}"));
        }
        let sun = self.sun();
        let (mend, until) = match mishap {
            Mishap::Cut {
                devices,
                ways,
                until,
            } => {
                for index in &devices {
                    ways.iter()
                        .for_each(|way| self.links[*index].cut(*way, until));
                    self.clearance(*index);
                }
                (Mend::Whole(devices), until)
            }
            Mishap::Stop {
                device,
                memory,
                until,
            } => {
                if !self.devices[device].is_on() {
                    return;
                }
                self.devices[device].stop(sun, self.now);
                self.clearance(device);
                (Mend::Start(device, memory), until)
            }
            Mishap::SetClock { device, by_ms } => {
                if !self.devices[device].is_on() {
                    return;
                }
                self.devices[device].set_clock(by_ms);
                self.devices[device].horizon.impair(self.now);
                self.clearance(device);
                return self.wake(device);
            }
            Mishap::OptOut { device, until } => {
                self.devices[device].opt_out(self.now);
                self.wake(device);
                (Mend::OptIn(device), until)
            }
            Mishap::Inert { device, until } => {
                self.devices[device].is_inert = true;
                (Mend::Heed(device), until)
            }
            Mishap::Meter {
                device,
                fault,
                until,
            } => {
                self.devices[device].meter = match fault {
                    Fault::StuckMeter => Meter::Stuck(self.devices[device].output),
                    _ => Meter::Reversed,
                };
                (Mend::Meter(device), until)
            }
            Mishap::Crash {
                moment: Moment::Idle,
                until,
            } => return self.crashed(until),
            Mishap::Crash { moment, until } => {
                self.crash = Some((moment, until));
                return self.soon();
            }
        };
        self.queue.push(until, Happening::Mend(mend));
    }

    fn mend(&mut self, mend: Mend) {
        match mend {
            Mend::Whole(devices) => devices.into_iter().for_each(|index| self.clearance(index)),
            Mend::Start(index, memory) => {
                self.devices[index].start(memory, self.now);
                self.clearance(index);
                self.wake(index);
            }
            Mend::OptIn(index) => {
                self.devices[index].opt_in(self.now);
                self.wake(index);
            }
            Mend::Heed(index) => {
                self.devices[index].is_inert = false;
                self.devices[index].heeds_since = self.now;
            }
            Mend::Meter(index) => self.devices[index].meter = Meter::Honest,
            Mend::Restart => {
                self.server.start(self.now);
                self.trace.tell(self.now, format_args!("the server is up"));
                (0..self.devices.len()).for_each(|index| self.clearance(index));
                let (durable, devices) = (&self.server.durable, &self.devices);
                let verdict = self.watch.restarted(durable, devices);
                self.judge(verdict);
            }
        }
    }

    /// The server is down until then. What it has served until now has to be what is stored, unless
    /// the crash came between a commit and its publication.
    fn crashed(&mut self, until: Timestamp) {
        let was_idle = self.server.is_up();
        self.server.crash();
        self.wishes.clear();
        self.counts.add(Fault::Crash);
        self.trace
            .tell(self.now, format_args!("fault: the server is killed"));
        if was_idle {
            let verdict = self
                .watch
                .replays(self.server.store(), &self.server.durable);
            self.judge(verdict);
        }
        (0..self.devices.len()).for_each(|index| self.clearance(index));
        let until = until.max(self.now.after(TICK));
        self.queue.push(until, Happening::Mend(Mend::Restart));
    }

    /// Notes whether anything stands between a device and the server.
    fn clearance(&mut self, index: usize) {
        let is_whole = self.links[index].whole_at() <= self.now;
        let device = &mut self.devices[index];
        if is_whole && device.is_on() && self.server.is_up() {
            device.horizon.clear(self.now);
        } else {
            device.horizon.impair(self.now);
        }
    }

    fn end(&mut self) {
        self.look();
        let (durable, devices) = (&self.server.durable, &self.devices);
        let replay = self.watch.replays(self.server.store(), durable);
        let restarted = self.watch.restarted(durable, devices);
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

/// All storage together.
fn limits(operator: &Operator, members: &[Member]) -> Vec<Limit> {
    let limited = operator
        .limited
        .iter()
        .filter_map(|der| members.get(der.index()));
    let limited: Vec<&Member> = limited.collect();
    let rating_w: f64 = limited.iter().map(|member| member.rating_w.0).sum();
    vec![Limit {
        name: "transformer".to_owned(),
        max_export_w: Some((rating_w * 0.5).round()),
        max_import_w: Some((rating_w * 0.6).round()),
        ders: Scope::Names(
            limited
                .iter()
                .map(|member| member.name.to_string())
                .collect(),
        ),
    }]
}

/// That of central Europe.
fn time_zone() -> TimeZone {
    TimeZone {
        offset_s: 3_600,
        dst_offset_s: 3_600,
        summers: vec![DaylightSaving {
            start: SPRING,
            end: AUTUMN,
        }],
    }
}

fn named(event: &Event) -> String {
    match event {
        Event::PlanAdopted(plan) => {
            format!("plan {} of dispatch {}", plan.generation, plan.dispatch.0)
        }
        Event::ControlIssued(control) => format!(
            "control {} {} for {:?} {}+{} {:?}",
            control.id.0,
            control.mrid,
            control.der.map(|der| der.0),
            control.interval.start.secs(),
            control.interval.duration.as_secs(),
            control.base.settings()
        ),
        Event::ControlCancelled(id, _) => format!("control {} withdrawn", id.0),
        Event::EnvelopeSet(envelope) => format!("envelope of {}", envelope.der.0),
        Event::ProgramChanged(program) => {
            format!(
                "programme {} {:?}",
                program.id.0,
                program.default.base.settings()
            )
        }
        Event::ProgramCreated(program) => format!("programme {} made", program.id.0),
        Event::DispatchCreated(dispatch) => format!("dispatch {} made", dispatch.id.0),
        other => {
            let all = format!("{other:?}");
            all.split(['(', ' ']).next().unwrap_or_default().to_owned()
        }
    }
}
