//! The client against answers that are made up, and its limits.

mod limits;
mod prices;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use units::{Timestamp, Vars, VoltAmperes, WattHours, Watts};

use super::report::Nameplate;
use super::{
    Answer, Client, Config, DeviceConfig, DeviceIndex, MAX_END_DEVICE_PAGES, MAX_EVENTS,
    MAX_PROGRAMS, MAX_WAITING_OF_DEVICE, Method, Request, Sample, Stage,
};
use crate::codec::read::{Complex, Document};
use crate::codec::simple::{HexBinary8, HexBinary128, HexBinary160, TimeType};
use crate::codec::table::Profile;
use crate::codec::write::write;
use crate::schema::{fresh_directory, schema};
use crate::wire::control_mode::{DerControlType, Mode};
use crate::wire::der::{Der, DerList, DerType};
use crate::wire::der_control::{
    DerControl, DerControlBase, DerControlList, DerProgram, DerProgramList,
};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::end_device::{EndDevice, EndDeviceList, Registration};
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::link::{Link, ListLink};
use crate::wire::quantity::ActivePower;
use crate::wire::time::{DateTimeInterval, Time};

const LFDI: [u8; 20] = [0xAB; 20];
const PIN: u32 = 111_115;
const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// What is answered at one address.
#[derive(Clone, Debug, Default)]
struct Made {
    status: u16,
    location: Option<&'static str>,
    retry_after_s: Option<u64>,
    body: Vec<u8>,
}

fn nameplate() -> Nameplate {
    Nameplate {
        der_type: DerType::OTHER_STORAGE,
        modes: DerControlType::new(DerControlType::TARGET_W | DerControlType::CONNECT),
        p_inject_max: Watts::whole(50_000),
        p_absorb_max: Watts::whole(40_000),
        s_max: VoltAmperes::whole(50_000),
        q_max: Vars::whole(22_000),
        energy_max: Some(WattHours::whole(100_000)),
        gradient_hundredths_per_s: 1_000,
    }
}

/// A device, and a server that answers by rote.
struct Rote {
    client: Client,
    now: Timestamp,
    answers: BTreeMap<String, Made>,
    requests: Vec<Request>,
}

impl Rote {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let device = DeviceConfig {
            pin: Some(PIN),
            ..DeviceConfig::new(LFDI, 167_261_211_391, nameplate())
        };
        let href = "https://server.example:443/dcap".to_owned();
        let mut config = Config {
            pen: 40_732,
            seed: 3,
            ..Config::of_device(href, device)
        };
        configure(&mut config);
        Self {
            client: Client::new(config, START),
            now: START,
            answers: BTreeMap::new(),
            requests: Vec::new(),
        }
    }

    fn at<T: Complex>(&mut self, path: &str, value: &T) {
        let body = write(value, Profile::default());
        self.answer(
            path,
            Made {
                status: 200,
                body,
                ..Made::default()
            },
        );
    }

    fn answer(&mut self, path: &str, made: Made) {
        self.answers.insert(path.to_owned(), made);
    }

    fn run(&mut self, seconds: u32) {
        for _ in 0..seconds * 2 {
            let sample = Sample {
                p: Watts::whole(-1_234),
                q: Vars::whole(50),
                voltage_v: 229.4,
                soc_hundredths: Some(5_050),
                p_available: Watts::whole(50_000),
                is_connected: true,
            };
            self.client.measure(DeviceIndex::OWN, sample, self.now);
            for request in self.client.poll(self.now) {
                let path = request.href.split('?').next().unwrap_or_default();
                let made = self.answers.get(&request.href);
                match made.or_else(|| self.answers.get(path)) {
                    None => self.client.on_lost(request.id, self.now),
                    Some(made) => {
                        let answer = Answer {
                            status: made.status,
                            location: made.location,
                            retry_after: made.retry_after_s.map(Duration::from_secs),
                            body: &made.body,
                        };
                        self.client.on_answer(request.id, answer, self.now);
                    }
                }
                self.requests.push(request);
            }
            self.now = self.now.after(Duration::from_millis(500));
        }
    }

    /// A server with everything, in shapes that a device has to cope with.
    fn with_tree(mut self) -> Self {
        self.at(
            "/dcap",
            &DeviceCapability {
                time_link: Some(Link::to("https://server.example/time")),
                end_device_list_link: Some(ListLink::to("/devices", 1)),
                mirror_usage_point_list_link: Some(ListLink::to("/mirrors", 0)),
                poll_rate: Some(20),
                ..DeviceCapability::default()
            },
        );
        let time = Time {
            current_time: TimeType(START.secs()),
            ..Time::default()
        };
        self.at("/time", &time);
        self.at(
            "/devices",
            &EndDeviceList {
                poll_rate: Some(20),
                ..EndDeviceList::default()
            },
        );
        self.at("/own/ders", &ders());
        self.with_own_tree()
    }

    fn with_own_tree(mut self) -> Self {
        let registration = Registration {
            pin: PIN,
            ..Registration::default()
        };
        self.at("/own/pin", &registration);
        let assignments = FunctionSetAssignments {
            der_program_list_link: Some(ListLink::to("/programs", 1)),
            ..FunctionSetAssignments::default()
        };
        self.at(
            "/own/assignments",
            &FunctionSetAssignmentsList {
                all: 1,
                results: 1,
                function_set_assignments: vec![assignments],
                ..FunctionSetAssignmentsList::default()
            },
        );
        self.programs(1, 20);
        for (path, status, location) in [
            ("/own/capability", 204, None),
            ("/own/settings", 204, None),
            ("/own/status", 204, None),
            ("/own/availability", 204, None),
            ("/mirrors", 201, Some("https://server.example/mirrors/1")),
            ("/mirrors/1", 204, None),
            ("/responses", 201, Some("/responses/1")),
        ] {
            self.answer(
                path,
                Made {
                    status,
                    location,
                    ..Made::default()
                },
            );
        }
        self
    }

    fn register(&mut self) {
        let own = EndDevice {
            lfdi: Some(HexBinary160(LFDI)),
            der_list_link: Some(ListLink::to("/own/ders", 1)),
            function_set_assignments_list_link: Some(ListLink::to("/own/assignments", 1)),
            registration_link: Some(Link::to("/own/pin")),
            log_event_list_link: Some(ListLink::to("/alarms", 0)),
            post_rate: Some(15),
            ..EndDevice::default()
        };
        let devices = EndDeviceList {
            all: 1,
            results: 1,
            poll_rate: Some(20),
            end_device: vec![own],
            ..EndDeviceList::default()
        };
        self.at("/devices", &devices);
    }

    fn programs(&mut self, count: u32, poll_rate_s: u32) {
        let program = |index: u32| DerProgram {
            mrid: HexBinary128::new(index.into()),
            der_control_list_link: Some(ListLink::to(format!("/controls/{index}"), 0)),
            ..DerProgram::default()
        };
        let list = DerProgramList {
            all: count,
            results: count,
            poll_rate: Some(poll_rate_s),
            der_program: (0..count).map(program).collect(),
            ..DerProgramList::default()
        };
        self.at("/programs", &list);
        for index in 0..count {
            self.at(&format!("/controls/{index}"), &DerControlList::default());
        }
    }

    fn controls(&mut self, count: u32) {
        let controls: Vec<DerControl> = (0..count).map(control).collect();
        self.at("/controls/0", &page_of(count, &controls));
    }

    fn count(&self, start: &str) -> usize {
        self.requests
            .iter()
            .filter(|request| request.href.starts_with(start))
            .count()
    }
}

/// The control with this number lasts a second; one begins every other second, from a minute after
/// [`START`].
fn control(number: u32) -> DerControl {
    DerControl {
        reply_to: Some("https://server.example/responses".into()),
        response_required: Some(HexBinary8::new(0b11)),
        mrid: HexBinary128::new(number.into()),
        interval: DateTimeInterval {
            duration: 1,
            start: TimeType(START.secs() + 60 + 2 * i64::from(number)),
        },
        base: DerControlBase {
            op_mod_target_w: Some(Mode::of(ActivePower::nearest(Watts::whole(7)))),
            ..DerControlBase::default()
        },
        ..DerControl::default()
    }
}

/// A page of a list that has `all` controls.
fn page_of(all: u32, controls: &[DerControl]) -> DerControlList {
    DerControlList {
        all,
        results: u32::try_from(controls.len()).unwrap(),
        der_control: controls.to_vec(),
        ..DerControlList::default()
    }
}

fn ders() -> DerList {
    let der = Der {
        der_capability_link: Some(Link::to("/own/capability")),
        der_settings_link: Some(Link::to("/own/settings")),
        der_status_link: Some(Link::to("/own/status")),
        der_availability_link: Some(Link::to("/own/availability")),
        ..Der::default()
    };
    DerList {
        all: 1,
        results: 1,
        poll_rate: Some(20),
        der: vec![der],
        ..DerList::default()
    }
}

#[test]
fn what_a_device_sends_is_valid_by_the_schema() {
    let mut rote = Rote::new().with_tree();
    rote.run(10);
    rote.register();
    rote.controls(2);
    rote.run(90);
    assert_eq!(rote.client.stage(DeviceIndex::OWN), Stage::InService);
    let directory = fresh_directory("client");
    let mut roots = BTreeSet::new();
    for (number, request) in rote.requests.iter().enumerate() {
        if request.method == Method::Get {
            assert!(request.body.is_empty());
            continue;
        }
        let root = Document::open(&request.body).unwrap().name().to_owned();
        std::fs::write(
            directory.join(format!("{number}-{root}.xml")),
            &request.body,
        )
        .unwrap();
        roots.insert(root);
    }
    let expected = [
        "DERAvailability",
        "DERCapability",
        "DERControlResponse",
        "DERSettings",
        "DERStatus",
        "EndDevice",
        "MirrorMeterReadingList",
        "MirrorUsagePoint",
    ];
    assert_eq!(roots, BTreeSet::from(expected.map(str::to_owned)));
    schema("judge", &directory, &[]);
}

#[test]
fn a_redirection_is_followed_and_a_circle_of_them_slows_down() {
    let mut rote = Rote::new().with_tree();
    let moved = rote.answers.remove("/dcap").unwrap();
    rote.answer("/v2/dcap", moved);
    let to = |location| Made {
        status: 301,
        location: Some(location),
        ..Made::default()
    };
    rote.answer("/dcap", to("https://server.example/v2/dcap"));
    rote.register();
    rote.run(60);
    assert_eq!(rote.client.stage(DeviceIndex::OWN), Stage::InService);
    assert_eq!(rote.count("/dcap"), 1);

    let mut rote = Rote::new();
    rote.answer("/dcap", to("/other"));
    rote.answer("/other", to("/dcap"));
    rote.run(600);
    assert!(
        (30..120).contains(&rote.requests.len()),
        "{}",
        rote.requests.len()
    );
}

#[test]
fn a_server_that_is_away_or_talks_nonsense_is_asked_less_and_less() {
    let mut away = Rote::new();
    away.run(600);
    assert!(
        (5..20).contains(&away.requests.len()),
        "{}",
        away.requests.len()
    );
    let mut nonsense = Rote::new();
    for (status, body) in [
        (200, &b"<html/>"[..]),
        (500, b""),
        (200, b"\xFF"),
        (418, b"tea"),
    ] {
        nonsense.answer(
            "/dcap",
            Made {
                status,
                body: body.to_vec(),
                ..Made::default()
            },
        );
        let before = nonsense.requests.len();
        nonsense.run(300);
        assert!(nonsense.requests.len() - before < 15);
    }
    assert_eq!(nonsense.client.stage(DeviceIndex::OWN), Stage::Discovering);
}

#[test]
fn a_list_that_never_ends_is_read_up_to_a_limit() {
    let mut rote = Rote::new().with_tree();
    let stranger = EndDevice {
        lfdi: Some(HexBinary160([1; 20])),
        ..EndDevice::default()
    };
    let list = EndDeviceList {
        all: u32::MAX,
        results: 1,
        poll_rate: Some(3_600),
        end_device: vec![stranger],
        ..EndDeviceList::default()
    };
    rote.at("/devices", &list);
    rote.run(600);
    let reads = rote
        .requests
        .iter()
        .filter(|it| it.method == Method::Get && it.href.starts_with("/devices"));
    let pages: BTreeSet<&str> = reads.map(|it| it.href.as_str()).collect();
    assert_eq!(pages.len(), MAX_END_DEVICE_PAGES);
    assert_eq!(rote.client.stage(DeviceIndex::OWN), Stage::Unregistered);
}

#[test]
fn programmes_beyond_the_limit_are_not_followed() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    rote.programs(u32::try_from(MAX_PROGRAMS).unwrap() + 5, 20);
    rote.run(60);
    let followed = rote
        .requests
        .iter()
        .filter(|it| it.href.starts_with("/controls/"));
    let followed: BTreeSet<&str> = followed.map(|it| it.href.as_str()).collect();
    assert_eq!(followed.len(), MAX_PROGRAMS);
}

#[test]
fn responses_that_nobody_takes_do_not_pile_up() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    rote.programs(1, 600);
    rote.controls(u32::try_from(MAX_EVENTS).unwrap());
    rote.answer(
        "/responses",
        Made {
            status: 503,
            ..Made::default()
        },
    );
    rote.run(60 + 2 * u32::try_from(MAX_EVENTS).unwrap());
    assert_eq!(rote.client.waiting_responses(), MAX_WAITING_OF_DEVICE);
    rote.answer(
        "/responses",
        Made {
            status: 400,
            ..Made::default()
        },
    );
    rote.run(1_200);
    assert_eq!(
        rote.client.waiting_responses(),
        0,
        "what is refused is not repeated"
    );
}

#[test]
fn a_reading_has_the_rate_that_the_server_asks_for() {
    let mut rote = Rote::new().with_tree();
    rote.register();
    rote.run(30);
    let posts = |rote: &Rote| {
        let posts = rote.requests.iter();
        let posts = posts.filter(|it| it.method == Method::Post && it.href == "/mirrors/1");
        posts.count()
    };
    let before = posts(&rote);
    rote.run(150);
    assert_eq!(posts(&rote) - before, 10);
}

#[test]
fn a_registration_that_has_no_effect_is_not_repeated_at_once() {
    let mut rote = Rote::new().with_tree();
    rote.run(300);
    let posts = rote.requests.iter();
    let posts = posts.filter(|it| it.method == Method::Post && it.href == "/devices");
    assert!((4..=6).contains(&posts.count()));
}

/// A control of a minute is under way when the clock is set by an hour.
#[test]
fn a_clock_that_is_set_changes_nothing_but_that_the_server_is_asked() {
    for by_ms in [-3_600_000, 3_600_000] {
        let mut rote = Rote::new().with_tree();
        rote.register();
        let interval = DateTimeInterval {
            duration: 60,
            ..control(0).interval
        };
        let lasting = DerControl {
            interval,
            ..control(0)
        };
        rote.at("/controls/0", &page_of(1, &[lasting]));
        rote.run(90);
        let is_asked = |rote: &mut Rote| {
            let setpoint = rote.client.setpoint(DeviceIndex::OWN, rote.now);
            setpoint.active_power().is_some()
        };
        let (looks, times) = (rote.count("/programs"), rote.count("/time"));
        rote.now = Timestamp::from_millis(rote.now.millis() + by_ms);
        assert!(is_asked(&mut rote));
        rote.at(
            "/time",
            &Time {
                current_time: TimeType(START.secs() + 90),
                ..Time::default()
            },
        );
        let wake = rote.client.wake_at(rote.now).unwrap();
        assert!(wake <= rote.now.after(Duration::from_secs(20)), "{wake:?}");
        rote.run(20);
        assert!(is_asked(&mut rote));
        rote.run(40);
        assert!(!is_asked(&mut rote));
        assert_eq!(rote.count("/programs") - looks, 3);
        assert_eq!((rote.count("/time") - times, rote.client.leaps()), (1, 1));
    }
}
