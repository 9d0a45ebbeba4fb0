//! A server for a town of DER in one shared programme, and its aggregator, as values.
#![expect(
    clippy::fn_params_excessive_bools,
    reason = "a test says what it expects"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::{
    Answer, Client, Config, DeviceConfig, DeviceIndex, Method, Request, Sample, SubscriptionConfig,
    Taken,
};
use ieee2030_5::codec::read::{Complex, read};
use ieee2030_5::codec::simple::{HexBinary8, HexBinary128, HexBinary160, TimeType, UInt40};
use ieee2030_5::codec::table::Profile;
use ieee2030_5::codec::write::write;
use ieee2030_5::wire::control_mode::{DerControlType, Mode};
use ieee2030_5::wire::der::{Der, DerList, DerType};
use ieee2030_5::wire::der_control::{
    DefaultDerControl, DerControl, DerControlBase, DerControlList, DerProgram, DerProgramList,
};
use ieee2030_5::wire::device_capability::DeviceCapability;
use ieee2030_5::wire::end_device::{EndDevice, EndDeviceList, Registration};
use ieee2030_5::wire::function_set_assignments::{
    FunctionSetAssignments, FunctionSetAssignmentsList,
};
use ieee2030_5::wire::link::{Link, ListLink};
use ieee2030_5::wire::quantity::ActivePower;
use ieee2030_5::wire::response::DerControlResponse;
use ieee2030_5::wire::subscription::{Subscription, SubscriptionList};
use ieee2030_5::wire::time::{DateTimeInterval, Time};
use units::{Timestamp, Vars, VoltAmperes, Watts};

pub(crate) const START: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const OWN: [u8; 20] = [0xA6; 20];
pub(crate) const PIN: u32 = 111_115;
/// Members that the server puts on a page at most.
const PAGE_MAX: usize = 100;
const POLL_RATE_S: u32 = 300;

pub(crate) fn nameplate() -> Nameplate {
    Nameplate {
        der_type: DerType::OTHER_STORAGE,
        modes: DerControlType::new(DerControlType::TARGET_W | DerControlType::MAX_LIM_W),
        p_inject_max: Watts::whole(5_000),
        p_absorb_max: Watts::whole(5_000),
        s_max: VoltAmperes::whole(5_000),
        q_max: Vars::whole(2_000),
        energy_max: None,
        gradient_hundredths_per_s: 1_000,
    }
}

pub(crate) fn lfdi(place: usize) -> [u8; 20] {
    let mut lfdi = [0xD0; 20];
    lfdi[16..].copy_from_slice(&u32::try_from(place).unwrap().to_be_bytes());
    lfdi
}

pub(crate) fn config(devices: usize, subscribes: bool) -> Config {
    let device = |place| DeviceConfig {
        pin: Some(PIN),
        ..DeviceConfig::new(lfdi(place), place as u64, nameplate())
    };
    Config {
        lfdi: OWN,
        registers: false,
        seed: 5,
        subscription: subscribes.then(|| SubscriptionConfig {
            notification_uri: "https://agg.example:8444/ntf".to_owned(),
            fallback: Duration::from_secs(3_600),
            renewal: Duration::from_secs(86_400),
            limit: 100,
        }),
        devices: (0..devices).map(device).collect(),
        ..Config::of_device("https://town.example/dcap".to_owned(), device(0))
    }
}

/// A control of the shared programme that asks for `w` from `start_s` after [`START`].
pub(crate) fn control(mrid: u128, start_s: i64, duration: u32, w: i64) -> DerControl {
    DerControl {
        reply_to: Some("/rsps/0/rsp".into()),
        response_required: Some(HexBinary8::new(0b11)),
        mrid: HexBinary128::new(mrid),
        creation_time: TimeType(START.secs()),
        interval: DateTimeInterval {
            duration,
            start: TimeType(START.secs() + start_s),
        },
        base: DerControlBase {
            op_mod_target_w: Some(Mode::of(ActivePower::nearest(Watts::whole(w)))),
            ..DerControlBase::default()
        },
        ..DerControl::default()
    }
}

/// The town and its aggregator with time between them.
pub(crate) struct Town {
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
    pub(crate) devices: usize,
    pub(crate) controls: Vec<DerControl>,
    pub(crate) subscriptions: BTreeMap<String, String>,
    pub(crate) takes_subscriptions: bool,
    pub(crate) is_up: bool,
    pub(crate) taken: Vec<Taken>,
    /// Device and status of every response that came in.
    pub(crate) responses: Vec<([u8; 20], u8)>,
    /// How often each address was asked with each method.
    pub(crate) asked: BTreeMap<String, usize>,
}

impl Town {
    pub(crate) fn new(devices: usize, subscribes: bool) -> Self {
        Self {
            client: Client::new(config(devices, subscribes), START),
            now: START,
            devices,
            controls: Vec::new(),
            subscriptions: BTreeMap::new(),
            takes_subscriptions: true,
            is_up: true,
            taken: Vec::new(),
            responses: Vec::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Lets everything that is due be done, and then time pass, for `seconds` seconds.
    pub(crate) fn run(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.settle();
            self.now = self.now.after(Duration::from_secs(1));
        }
        self.settle();
    }

    /// Answers until nothing more is asked.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            let requests = self.client.poll(self.now);
            if requests.is_empty() {
                return;
            }
            for request in requests {
                self.answer(&request);
            }
        }
        panic!("the client asks without end");
    }

    pub(crate) fn measure(&mut self) {
        for place in 0..self.devices {
            let sample = Sample {
                p: Watts::whole(1_000),
                q: Vars::ZERO,
                voltage_v: 230.0,
                soc_hundredths: None,
                p_available: Watts::whole(5_000),
                is_connected: true,
            };
            let index = DeviceIndex(u32::try_from(place).unwrap());
            self.client.measure(index, sample, self.now);
        }
    }

    pub(crate) fn asked_w(&mut self, place: usize) -> Option<Watts> {
        let index = DeviceIndex(u32::try_from(place).unwrap());
        let setpoint = self.client.setpoint(index, self.now);
        setpoint.active_power()?.request.p(&nameplate())
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.asked.get(what).copied().unwrap_or(0)
    }

    fn answer(&mut self, request: &Request) {
        let (path, query) = request.href.split_once('?').unwrap_or((&request.href, ""));
        let key = format!("{} {path}", request.method.as_str());
        *self.asked.entry(key).or_default() += 1;
        if !self.is_up {
            self.client.on_lost(request.id, self.now);
            return;
        }
        let made = match request.method {
            Method::Get => self.resource(path, query).map(|body| (200, None, body)),
            Method::Delete => Some((204, None, Vec::new())),
            Method::Put | Method::Post => Some(self.take(path, &request.body)),
        };
        let (status, location, body) = made.unwrap_or((404, None, Vec::new()));
        let answer = Answer {
            status,
            location: location.as_deref(),
            body: &body,
            ..Answer::default()
        };
        self.taken
            .extend(self.client.on_answer(request.id, answer, self.now));
    }

    fn take(&mut self, path: &str, body: &[u8]) -> (u16, Option<String>, Vec<u8>) {
        match path {
            "/mup" => {
                let made = self.count("POST /mup");
                (201, Some(format!("/mup/{made}")), Vec::new())
            }
            "/rsps/0/rsp" => {
                let response: DerControlResponse = read(body).unwrap();
                let status = response.status.unwrap().0;
                self.responses.push((response.end_device_lfdi.0, status));
                (201, Some("/rsps/0/rsp/1".to_owned()), Vec::new())
            }
            "/edev/a/sub" if !self.takes_subscriptions => (403, None, Vec::new()),
            "/edev/a/sub" => {
                let subscription: Subscription = read(body).unwrap();
                let about = subscription.subscribed_resource.as_str().to_owned();
                let next = format!("/edev/a/sub/{}", self.subscriptions.len());
                let at = self.subscriptions.entry(about).or_insert(next);
                (201, Some(at.clone()), Vec::new())
            }
            _ => (204, None, Vec::new()),
        }
    }

    fn resource(&self, path: &str, query: &str) -> Option<Vec<u8>> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        Some(match parts.as_slice() {
            ["dcap"] => body(&dcap(self.devices)),
            ["tm"] => body(&Time {
                current_time: TimeType(self.now.secs()),
                ..Time::default()
            }),
            ["edev"] => body(&self.end_devices(query)),
            ["edev", "a", "sub"] => body(&self.subscription_list()),
            ["edev", _, "rg"] => body(&Registration {
                pin: PIN,
                ..Registration::default()
            }),
            ["edev", n, "der"] => body(&ders(n)),
            ["edev", n, "fsa"] => body(&assignments(n)),
            ["edev", _, "derp"] => body(&programs()),
            ["derp", "1", "derc"] => body(&self.control_list()),
            ["derp", "1", "dderc"] => body(&DefaultDerControl {
                mrid: HexBinary128::new(0xDE),
                subscribable: Some(1),
                ..DefaultDerControl::default()
            }),
            _ => return None,
        })
    }

    fn end_devices(&self, query: &str) -> EndDeviceList {
        let field = |name: &str| -> usize {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(of, _)| *of == name)
                .unwrap()
                .1
                .parse()
                .unwrap()
        };
        let own = EndDevice {
            href: Some("/edev/a".into()),
            lfdi: Some(HexBinary160(OWN)),
            subscription_list_link: Some(ListLink::to("/edev/a/sub", 0)),
            ..EndDevice::default()
        };
        let device = |place: usize| EndDevice {
            href: Some(format!("/edev/{place}").into()),
            lfdi: Some(HexBinary160(lfdi(place))),
            sfdi: UInt40(place as u64),
            der_list_link: Some(ListLink::to(format!("/edev/{place}/der"), 1)),
            function_set_assignments_list_link: Some(ListLink::to(format!("/edev/{place}/fsa"), 1)),
            registration_link: Some(Link::to(format!("/edev/{place}/rg"))),
            ..EndDevice::default()
        };
        let all = std::iter::once(own).chain((0..self.devices).map(device));
        let page = all.skip(field("s")).take(field("l").min(PAGE_MAX));
        let end_device: Vec<EndDevice> = page.collect();
        EndDeviceList {
            subscribable: Some(1),
            all: u32::try_from(self.devices + 1).unwrap(),
            results: u32::try_from(end_device.len()).unwrap(),
            poll_rate: Some(POLL_RATE_S),
            end_device,
            ..EndDeviceList::default()
        }
    }

    pub(crate) fn control_list(&self) -> DerControlList {
        let count = u32::try_from(self.controls.len()).unwrap();
        DerControlList {
            href: Some("/derp/1/derc".into()),
            subscribable: Some(1),
            all: count,
            results: count,
            der_control: self.controls.clone(),
        }
    }

    fn subscription_list(&self) -> SubscriptionList {
        let made = self.subscriptions.iter().map(|(about, at)| Subscription {
            href: Some(at.as_str().into()),
            subscribed_resource: about.as_str().into(),
            notification_uri: "https://agg.example:8444/ntf".into(),
            ..Subscription::default()
        });
        let subscription: Vec<Subscription> = made.collect();
        let count = u32::try_from(subscription.len()).unwrap();
        SubscriptionList {
            all: count,
            results: count,
            subscription,
            ..SubscriptionList::default()
        }
    }
}

fn body<T: Complex>(value: &T) -> Vec<u8> {
    write(value, Profile::default())
}

fn dcap(devices: usize) -> DeviceCapability {
    let count = u32::try_from(devices).unwrap();
    DeviceCapability {
        poll_rate: Some(POLL_RATE_S),
        time_link: Some(Link::to("/tm")),
        end_device_list_link: Some(ListLink::to("/edev", count)),
        mirror_usage_point_list_link: Some(ListLink::to("/mup", 0)),
        ..DeviceCapability::default()
    }
}

fn ders(n: &str) -> DerList {
    let link = |what: &str| Some(Link::to(format!("/edev/{n}/der/1/{what}")));
    let der = Der {
        der_capability_link: link("dercap"),
        der_settings_link: link("derg"),
        der_status_link: link("ders"),
        der_availability_link: link("dera"),
        ..Der::default()
    };
    DerList {
        all: 1,
        results: 1,
        poll_rate: Some(POLL_RATE_S),
        der: vec![der],
        ..DerList::default()
    }
}

/// Every device has lists of its own that lead to the same programme.
fn assignments(n: &str) -> FunctionSetAssignmentsList {
    let assignment = FunctionSetAssignments {
        der_program_list_link: Some(ListLink::to(format!("/edev/{n}/derp"), 1)),
        ..FunctionSetAssignments::default()
    };
    FunctionSetAssignmentsList {
        subscribable: Some(1),
        all: 1,
        results: 1,
        poll_rate: Some(POLL_RATE_S),
        function_set_assignments: vec![assignment],
        ..FunctionSetAssignmentsList::default()
    }
}

fn programs() -> DerProgramList {
    let program = DerProgram {
        mrid: HexBinary128::new(0xAB),
        primacy: 5,
        der_control_list_link: Some(ListLink::to("/derp/1/derc", 0)),
        default_der_control_link: Some(Link::to("/derp/1/dderc")),
        ..DerProgram::default()
    };
    DerProgramList {
        subscribable: Some(1),
        all: 1,
        results: 1,
        poll_rate: Some(POLL_RATE_S),
        der_program: vec![program],
        ..DerProgramList::default()
    }
}
