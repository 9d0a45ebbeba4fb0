//! The client and the server as values: what one says the other takes, without a socket.

#![expect(
    clippy::tests_outside_test_module,
    reason = "an integration test is a test module as a whole"
)]

#[cfg(test)]
mod explanation;

use std::time::Duration;

use fleet::{
    ActivePower, CimMrid, Command, ControlBase, ControlId, DerId, DerKind, Evidence, Fleet,
    Identity, Lfdi, Mode, Name, NewControl, NewDer, Origin, Pin, Registration,
};
use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::{
    Answer, Client, Config, DeviceConfig, DeviceIndex, Outcome, Phase, Sample, Stage,
};
use ieee2030_5::codec::simple::HexBinary8;
use ieee2030_5::server::{self, Request, Resources, ServerConfig, View, handle};
use ieee2030_5::translate::metering::Quantity;
use ieee2030_5::wire::control_mode::DerControlType;
use ieee2030_5::wire::der::DerType;
use units::{Interval, Timestamp, Vars, VoltAmperes, Watts};

const LFDI: Lfdi = Lfdi([0x3E; 20]);
const PIN: u32 = 111_115;
const DER: DerId = DerId(0);
const OWN: DeviceIndex = DeviceIndex::OWN;

/// A server and a device with time between them.
struct Bench {
    now: Timestamp,
    fleet: Fleet,
    resources: Resources,
    config: ServerConfig,
    client: Client,
    is_connected: bool,
    evidence: Vec<(ControlId, u8)>,
    taken: Vec<u8>,
    metered_w: Vec<f64>,
    log: Vec<String>,
}

fn client(pin: u32, now: Timestamp) -> Client {
    let device = DeviceConfig {
        pin: Some(pin),
        ..DeviceConfig::new(LFDI.0, LFDI.sfdi(), nameplate())
    };
    let config = Config {
        seed: 7,
        ..Config::of_device("https://server.example/dcap".to_owned(), device)
    };
    Client::new(config, now)
}

fn nameplate() -> Nameplate {
    Nameplate {
        der_type: DerType::OTHER_STORAGE,
        modes: DerControlType::new(DerControlType::TARGET_W | DerControlType::DISCHARGE),
        p_inject_max: Watts::whole(5_000),
        p_absorb_max: Watts::whole(4_000),
        s_max: VoltAmperes::whole(5_000),
        q_max: Vars::whole(2_000),
        energy_max: Some(units::WattHours::whole(10_000)),
        gradient_hundredths_per_s: 2_000,
    }
}

impl Bench {
    fn new() -> Self {
        let now = Timestamp::from_secs(1_800_000_000);
        let mut bench = Self {
            now,
            fleet: Fleet::default(),
            resources: Resources::default(),
            config: ServerConfig {
                post_rate_s: 10,
                response_required: HexBinary8::new(0b111),
                ..ServerConfig::new(Lfdi([1; 20]))
            },
            client: client(PIN, now),
            is_connected: true,
            evidence: Vec::new(),
            taken: Vec::new(),
            metered_w: Vec::new(),
            log: Vec::new(),
        };
        let rates = &mut bench.config.poll_rates;
        (rates.der_program_s, rates.end_device_s, rates.der_s) = (10, 30, 20);
        rates.function_set_assignments_s = 10;
        bench.command(&Command::FoundFleet(Identity {
            seed: 1,
            pen: 40_732,
        }));
        bench
    }

    fn command(&mut self, command: &Command) {
        for event in self
            .fleet
            .decide(command, self.now)
            .expect("an accepted command")
        {
            self.fleet.apply(&event);
        }
    }

    fn enrol(&mut self) {
        let mrid = CimMrid::new("der-1").expect("a valid mRID");
        self.command(&Command::EnrolDer(NewDer {
            mrid,
            name: Name::new("battery").expect("a valid name"),
            kind: DerKind::Storage,
            lfdi: LFDI,
            pin: Pin::new(PIN).expect("a valid PIN"),
            registered: false,
            reserve: units::Percent::default(),
            manager: None,
            assignments: Vec::new(),
        }));
    }

    fn control(&mut self, start_s: i64, duration_s: u64, w: i16) -> u128 {
        let interval = Interval {
            start: self
                .now
                .ceil_secs()
                .after(Duration::from_secs(start_s.unsigned_abs())),
            duration: Duration::from_secs(duration_s),
        };
        let active = ActivePower::TargetW {
            value: w,
            multiplier: 0,
        };
        let program = self.fleet.der(DER).expect("an enrolled DER").program;
        self.command(&Command::IssueControl(NewControl {
            der: Some(DER),
            program,
            origin: Origin::Operator,
            interval,
            base: ControlBase::asking(active),
            terms: None,
        }));
        self.fleet
            .controls()
            .last()
            .expect("the new control")
            .mrid
            .0
    }

    /// Lets the device and the server talk for `seconds`, in steps of a quarter.
    fn run(&mut self, seconds: u32) {
        for _ in 0..seconds * 4 {
            let sample = Sample {
                p: Watts::whole(1_250),
                q: Vars::ZERO,
                voltage_v: 231.5,
                soc_hundredths: Some(6_000),
                p_available: Watts::whole(5_000),
                is_connected: true,
            };
            self.client.measure(OWN, sample, self.now);
            for request in self.client.poll(self.now) {
                let method = request.method.as_str();
                self.log.push(format!("{method} {}", request.href));
                if !self.is_connected {
                    self.client.on_lost(request.id, self.now);
                    continue;
                }
                let reply = self.serve(method, &request.href, &request.body);
                let answer = Answer {
                    status: reply.status,
                    location: reply.location.as_deref(),
                    retry_after: None,
                    body: &reply.body,
                };
                if let Some(taken) = self.client.on_answer(request.id, answer, self.now) {
                    self.taken.push(taken.status.0);
                }
            }
            self.now = self.now.after(Duration::from_millis(250));
        }
    }

    fn serve(&mut self, method: &str, href: &str, body: &[u8]) -> server::Response {
        let (path, query) = match href.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (href, None),
        };
        let request = Request {
            method,
            path,
            query,
            accept: Some("application/sep+xml"),
            content_type: Some("application/sep+xml"),
            if_none_match: None,
            range: None,
            body,
            lfdi: LFDI,
            random: 0,
        };
        let view = View {
            fleet: &self.fleet,
            resources: &self.resources,
            config: &self.config,
        };
        match handle(&request, &view, self.now) {
            server::Answer::Reply(reply) => reply,
            server::Answer::Submit(submission) => {
                if let Some(command) = submission.command {
                    self.command(&command);
                }
                for document in &submission.documents {
                    self.resources
                        .apply(document)
                        .expect("a document of the server");
                }
                for told in &submission.evidence {
                    if let Evidence::Response(code) = told.evidence {
                        self.evidence.push((told.control, code));
                    }
                }
                let powers = submission.measurements.iter();
                let powers = powers.filter(|it| it.quantity == Quantity::ActivePower);
                self.metered_w.extend(powers.map(|it| it.value));
                submission.reply
            }
        }
    }

    fn asked(&mut self) -> Option<Watts> {
        let setpoint = self.client.setpoint(OWN, self.now);
        setpoint.active_power()?.request.p(&nameplate())
    }

    fn codes(&self) -> Vec<u8> {
        self.evidence.iter().map(|(_, code)| *code).collect()
    }
}

#[test]
fn a_device_waits_until_it_is_authorised_then_registers_and_describes_itself() {
    let mut bench = Bench::new();
    bench.run(5);
    assert_eq!(bench.client.stage(OWN), Stage::Unregistered);
    bench.enrol();
    bench.run(70);
    assert_eq!(bench.client.stage(OWN), Stage::InService);
    let der = bench.fleet.der(DER).unwrap();
    assert!(matches!(der.registration, Registration::Registered(_)));
    let capability = der.capability.as_ref().unwrap();
    assert_eq!(capability.p_inject_max, Watts::whole(5_000));
    assert_eq!(capability.p_absorb_max, Watts::whole(4_000));
    assert!(der.can(Mode::TargetW));
    let status = bench.resources.of(DER).status.as_ref().unwrap();
    assert_eq!(
        status.state_of_charge_status.as_ref().unwrap().value.0,
        6_000
    );
    assert!(bench.metered_w.len() >= 3);
    assert!(bench.metered_w.iter().all(|w| (w - 1_250.0).abs() < 0.1));
}

#[test]
fn a_control_is_received_followed_and_completed() {
    let mut bench = Bench::new();
    bench.enrol();
    bench.run(20);
    bench.control(15, 20, -3_000);
    bench.run(14);
    assert_eq!((bench.codes(), bench.asked()), (vec![1], None));
    bench.run(4);
    assert_eq!(
        (bench.codes(), bench.asked()),
        (vec![1, 2], Some(Watts::whole(-3_000)))
    );
    bench.run(20);
    assert_eq!((bench.codes(), bench.asked()), (vec![1, 2, 3], None));
}

#[test]
fn controls_that_are_known_are_finished_without_the_server_and_answered_when_it_is_back() {
    let mut bench = Bench::new();
    bench.enrol();
    bench.run(20);
    bench.control(15, 20, 2_000);
    bench.control(35, 20, 1_000);
    bench.run(12);
    bench.is_connected = false;
    bench.run(10);
    assert_eq!(bench.asked(), Some(Watts::whole(2_000)));
    bench.run(20);
    assert_eq!(bench.asked(), Some(Watts::whole(1_000)));
    bench.run(20);
    assert_eq!((bench.asked(), bench.codes()), (None, vec![1, 1]));
    bench.is_connected = true;
    bench.run(120);
    let mut codes = bench.codes();
    codes.sort_unstable();
    assert_eq!(codes, [1, 1, 2, 2, 3, 3]);
    assert_eq!(bench.client.waiting_responses(), 0);
    assert_eq!(bench.taken, bench.codes());
}

#[test]
fn a_replacement_supersedes_and_a_withdrawn_control_is_cancelled() {
    let mut bench = Bench::new();
    bench.enrol();
    bench.run(20);
    let first = bench.control(10, 200, 2_000);
    bench.run(20);
    let second = bench.control(15, 185, 1_500);
    bench.run(30);
    assert_eq!(bench.asked(), Some(Watts::whole(1_500)));
    let id = bench.fleet.controls().last().unwrap().id;
    bench.command(&Command::CancelControl(id));
    bench.run(15);
    assert_eq!(bench.asked(), None);
    let phases: std::collections::BTreeMap<_, _> = bench.client.events(OWN).collect();
    assert_eq!(phases[&first], Phase::Over(Outcome::Superseded));
    assert_eq!(phases[&second], Phase::Over(Outcome::Cancelled));
    let mut codes = bench.codes();
    codes.sort_unstable();
    assert_eq!(codes, [1, 1, 2, 2, 6, 7]);
}

#[test]
fn an_owner_who_opts_out_tells_the_server() {
    let mut bench = Bench::new();
    bench.enrol();
    bench.run(20);
    bench.control(10, 60, 2_000);
    bench.run(20);
    bench.client.opt_out(OWN, bench.now);
    bench.run(5);
    assert_eq!((bench.codes(), bench.asked()), (vec![1, 2, 4], None));
}

#[test]
fn a_server_with_another_pin_is_not_obeyed() {
    let mut bench = Bench::new();
    bench.client = client(222_229, bench.now);
    bench.enrol();
    bench.run(60);
    assert_eq!(bench.client.stage(OWN), Stage::WrongPin);
    bench.control(10, 60, 2_000);
    bench.run(30);
    assert_eq!((bench.codes(), bench.asked()), (vec![], None));
    assert!(bench.log.iter().all(|line| !line.contains("derp")));
}

#[test]
fn a_usage_point_that_the_server_lost_is_made_again() {
    let mut bench = Bench::new();
    bench.enrol();
    bench.run(30);
    bench.resources = Resources::default();
    bench.metered_w.clear();
    bench.run(30);
    assert_eq!(bench.resources.of(DER).usage_points.len(), 1);
    assert!(!bench.metered_w.is_empty());
}

#[test]
fn nothing_is_polled_more_often_than_the_server_asks() {
    let mut bench = Bench::new();
    bench.enrol();
    bench.run(20);
    bench.log.clear();
    bench.run(600);
    let count = |needle: &str| {
        bench
            .log
            .iter()
            .filter(|line| line.contains(needle))
            .count()
    };
    assert!((58..=61).contains(&count("/derc?")), "{}", count("/derc?"));
    assert!(
        (19..=21).contains(&count("GET /edev?")),
        "{}",
        count("GET /edev?")
    );
    assert!(
        (58..=61).contains(&count("POST /mup/")),
        "{}",
        count("POST /mup/")
    );
    assert!(count("/dcap") <= 1);
}
