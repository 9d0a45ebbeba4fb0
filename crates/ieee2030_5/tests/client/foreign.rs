//! Servers with other habits than ours.
//!
//! The documents are written by hand after what is known of servers and clients in the field and of
//! the schema's annotations; they are no recordings.
#![expect(
    clippy::excessive_nesting,
    reason = "a transcript is read line by line"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use ieee2030_5::client::setpoint::{Modes, Request as Asked};
use ieee2030_5::client::{Answer, Client, Config, DeviceConfig, DeviceIndex, Stage};
use ieee2030_5::codec::table::{Edition, Extension, Profile};
use ieee2030_5::wire::der_curve::DerCurveType;
use units::{Timestamp, Watts};

use crate::town::{OWN, START, nameplate};

const OWN_DEVICE: DeviceIndex = DeviceIndex::OWN;
const LFDI: &str = "a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6";

/// What is answered at an address: status, headers, body.
#[derive(Clone, Default)]
struct Page {
    status: u16,
    location: Option<String>,
    retry_after: Option<Duration>,
    body: String,
}

struct Server {
    client: Client,
    now: Timestamp,
    pages: BTreeMap<String, Page>,
    asked: Vec<String>,
    posted: Vec<String>,
}

impl Server {
    fn new(configure: impl FnOnce(&mut Config)) -> Self {
        let mut device = DeviceConfig::new(OWN, 1, nameplate());
        device.nameplate.modes = ieee2030_5::wire::control_mode::DerControlType::new(u32::MAX >> 5);
        device.doe_modes = ieee2030_5::wire::control_mode::DoeControlType::new(0xF);
        let mut config = Config::of_device("https://server.example/api/v2/dcap".to_owned(), device);
        configure(&mut config);
        Self {
            client: Client::new(config, START),
            now: START,
            pages: BTreeMap::new(),
            asked: Vec::new(),
            posted: Vec::new(),
        }
    }

    fn page(&mut self, href: &str, body: impl Into<String>) {
        let page = Page {
            status: 200,
            body: body.into(),
            ..Page::default()
        };
        self.pages.insert(href.to_owned(), page);
    }

    /// A tree that leads to one programme, each link in another manner.
    fn with_tree(mut self, ns: &str, edev_extra: &str) -> Self {
        self.page(
            "/api/v2/dcap",
            format!(
                r#"<?xml version="1.0"?><s:DeviceCapability xmlns:s="{ns}" href="/api/v2/dcap">
                <s:TimeLink href="https://SERVER.example:443/tm"/>
                <s:EndDeviceListLink href="edev" all="1"/></s:DeviceCapability>"#
            ),
        );
        self.page(
            "/edev",
            format!(
                r#"<EndDeviceList xmlns="{ns}" all="1" results="1" pollRate="60" href="/edev/">
                <EndDevice href="/edev/1"><lFDI>{LFDI}</lFDI><sFDI>1</sFDI><changedTime>1</changedTime>
                <FunctionSetAssignmentsListLink href="/fsa/" all="1"/>{edev_extra}
                <unknown xmlns="urn:other"><deep/></unknown></EndDevice></EndDeviceList>"#
            ),
        );
        self.page(
            "/fsa/",
            format!(
                r#"<FunctionSetAssignmentsList xmlns="{ns}" all="1" results="1">
                <FunctionSetAssignments><DERProgramListLink href="/derp" all="1"/>
                <DemandResponseProgramListLink href="/dr" all="1"/>
                <TariffProfileListLink href="/tp" all="1"/>
                <mRID>1</mRID></FunctionSetAssignments></FunctionSetAssignmentsList>"#
            ),
        );
        self.page(
            "/derp",
            format!(
                r#"<DERProgramList xmlns="{ns}" all="1" results="1" pollRate="60"><DERProgram>
                <mRID>0a0b</mRID><DefaultDERControlLink href="/dderc"/>
                <DERControlListLink href="/derc" all="1"/><primacy>1</primacy>
                </DERProgram></DERProgramList>"#
            ),
        );
        self
    }

    fn controls(&mut self, ns: &str, controls: &str) {
        self.page(
            "/derc",
            format!(
                r#"<DERControlList xmlns="{ns}" all="1" results="1">{controls}</DERControlList>"#
            ),
        );
    }

    fn run(&mut self, seconds: u32) {
        for _ in 0..seconds {
            for _ in 0..20 {
                let requests = self.client.poll(self.now);
                for request in requests {
                    let path = request
                        .href
                        .split('?')
                        .next()
                        .unwrap_or_default()
                        .to_owned();
                    let key = match request.method.as_str() {
                        "GET" => path.clone(),
                        method => format!("{method} {path}"),
                    };
                    self.asked.push(key.clone());
                    if !request.body.is_empty() {
                        self.posted
                            .push(String::from_utf8(request.body.clone()).unwrap());
                    }
                    let missing = Page {
                        status: 404,
                        ..Page::default()
                    };
                    let page = self.pages.get(&key).cloned().unwrap_or(missing);
                    let answer = Answer {
                        status: page.status,
                        location: page.location.as_deref(),
                        retry_after: page.retry_after,
                        body: page.body.as_bytes(),
                    };
                    self.client.on_answer(request.id, answer, self.now);
                }
            }
            self.now = self.now.after(Duration::from_secs(1));
        }
    }

    fn count(&self, key: &str) -> usize {
        self.asked.iter().filter(|it| *it == key).count()
    }
}

fn control(mrid: &str, more: &str, base: &str) -> String {
    let (start, created) = (START.secs() + 10, START.secs() - 5);
    format!(
        r#"<DERControl replyTo="/rsp" responseRequired="03"><mRID>{mrid}</mRID>
        <creationTime>{created}</creationTime>
        <EventStatus><currentStatus>0</currentStatus><dateTime>{created}</dateTime>
        <potentiallySuperseded>false</potentiallySuperseded></EventStatus>
        <interval><duration>100</duration><start>{start}</start></interval>{more}
        <DERControlBase>{base}</DERControlBase></DERControl>"#
    )
}

const TARGET: &str = "<opModTargetW><multiplier>1</multiplier><value>120</value></opModTargetW>";
const NS: &str = "urn:ieee:std:2030.5:ns";

#[test]
fn both_namespaces_prefixes_relative_links_and_missing_function_sets_are_taken() {
    for ns in [NS, "http://ieee.org/2030.5"] {
        let mut server = Server::new(|_| ()).with_tree(ns, "");
        server.controls(ns, &control("0a0c", "", TARGET));
        server.run(12);
        let setpoint = server.client.setpoint(OWN_DEVICE, server.now);
        let p = setpoint.active_power().unwrap().request.p(&nameplate());
        assert_eq!(p, Some(Watts::whole(1_200)), "{ns}");
        assert!(
            server.count("/tm") <= 2,
            "a clock that is not there is not asked for again soon"
        );
        assert_eq!(server.client.stage(OWN_DEVICE), Stage::Registered);
    }
}

#[test]
fn an_mrid_is_given_back_as_it_came() {
    let mut server = Server::new(|_| ()).with_tree(NS, "");
    server.controls(NS, &control("0ed30f5a0000", "", TARGET));
    server.run(5);
    let response = server
        .posted
        .iter()
        .find(|it| it.contains("Response"))
        .unwrap();
    assert!(
        response.contains("<subject>0ED30F5A0000</subject>"),
        "{response}"
    );
    assert!(
        !response.contains("modesResponded"),
        "that is of 2023: {response}"
    );
}

#[test]
fn since_2023_a_response_says_which_modes_it_is_about() {
    let profile = Profile::new(Edition::Y2023, Extension::None);
    let mut server = Server::new(|config| config.profile = profile).with_tree(NS, "");
    server.controls(NS, &control("0a0c", "", TARGET));
    server.run(5);
    let response = server
        .posted
        .iter()
        .find(|it| it.contains("Response"))
        .unwrap();
    assert!(
        response.contains("<modesResponded>00400000</modesResponded>"),
        "{response}"
    );
}

#[test]
fn australian_limits_and_ramps_reach_the_device() {
    let mut server = Server::new(|_| ()).with_tree(NS, "");
    let base = r#"<opModMaxLimW>4000</opModMaxLimW><rampTms>500</rampTms>
        <a:opModExpLimW xmlns:a="https://csipaus.org/ns"><multiplier>0</multiplier>
        <value>1500</value></a:opModExpLimW>"#;
    server.controls(NS, &control("0a0c", "", base));
    server.run(12);
    let setpoint = server.client.setpoint(OWN_DEVICE, server.now);
    let asked = setpoint.get(Modes::EXP_LIM_W).unwrap();
    let Asked::ExpLimW(limit) = &asked.request else {
        panic!("{asked:?}");
    };
    assert_eq!(limit.quantity(), Some(Watts::whole(1_500)));
    assert_eq!(
        (setpoint.max_lim_w(), asked.ramp_tms),
        (Some(4_000), Some(500))
    );
}

#[test]
fn a_curve_is_fetched_before_its_control_and_a_wrong_one_makes_it_invalid() {
    let curve = |kind: u8| {
        format!(
            r#"<DERCurve xmlns="{NS}" href="/dc/1"><mRID>0C</mRID><creationTime>1</creationTime>
            <CurveData><xvalue>9200</xvalue><yvalue>4400</yvalue></CurveData>
            <curveType>{kind}</curveType><xMultiplier>-2</xMultiplier>
            <yMultiplier>-2</yMultiplier><yRefType>3</yRefType></DERCurve>"#
        )
    };
    let base = r#"<opModVoltVar href="/dc/1"/>"#;
    for (kind, is_valid) in [(11, true), (12, false)] {
        let mut server = Server::new(|_| ()).with_tree(NS, "");
        server.page("/dc/1", curve(kind));
        server.controls(NS, &control("0a0c", "", base));
        server.run(12);
        let setpoint = server.client.setpoint(OWN_DEVICE, server.now);
        let curve = setpoint.asked.first().and_then(|it| it.curve.as_ref());
        let expected = is_valid.then_some(DerCurveType::VOLT_VAR);
        assert_eq!(curve.map(|it| it.curve_type), expected);
        let status = if is_valid {
            "<status>1</status>"
        } else {
            "<status>253</status>"
        };
        assert!(
            server.posted.iter().any(|it| it.contains(status)),
            "{:?}",
            server.posted
        );
    }
}

#[test]
fn a_default_control_holds_between_events_with_its_ramp() {
    let mut server = Server::new(|_| ()).with_tree(NS, "");
    server.page(
        "/dderc",
        format!(
            r#"<DefaultDERControl xmlns="{NS}"><mRID>0D</mRID><DERControlBase>
            <opModMaxLimW>5000</opModMaxLimW></DERControlBase>
            <setGradW>27</setGradW></DefaultDERControl>"#
        ),
    );
    let limit = "<opModMaxLimW>1000</opModMaxLimW>";
    server.controls(NS, &control("0a0c", "", limit));
    let mut limits = Vec::new();
    for _ in 0..130 {
        server.run(1);
        let setpoint = server.client.setpoint(OWN_DEVICE, server.now);
        assert_eq!(setpoint.standing.grad_w, Some(27));
        limits.extend(setpoint.max_lim_w());
    }
    limits.dedup();
    assert_eq!(limits, [5_000, 1_000, 5_000]);
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    for (status, href, other) in [(503, "/edev", 0), (429, "/derc", 1)] {
        let mut server = Server::new(|_| ()).with_tree(NS, "");
        server.controls(NS, &control("0a0c", "", TARGET));
        let page = Page {
            status,
            retry_after: Some(Duration::from_secs(90)),
            ..Page::default()
        };
        let before = server.pages.insert(href.to_owned(), page).unwrap();
        server.run(88);
        assert_eq!(server.count(href), 1, "{status}");
        let others = server.asked.iter().filter(|it| *it == "/fsa/").count();
        assert_eq!(
            others.min(1),
            other,
            "503 is about everything, 429 about one resource"
        );
        server.pages.insert(href.to_owned(), before);
        server.run(10);
        assert_eq!(server.count(href), 2, "{status}");
    }
}

#[test]
fn redirections_are_followed_to_other_servers_but_never_without_tls() {
    let mut server = Server::new(|_| ()).with_tree(NS, "");
    let moved = |to: &str| Page {
        status: 302,
        location: Some(to.to_owned()),
        ..Page::default()
    };
    let list = server
        .pages
        .insert("/edev".to_owned(), moved("https://b.example/edev"))
        .unwrap();
    server
        .pages
        .insert("https://b.example/edev".to_owned(), list);
    server
        .pages
        .insert("/derc".to_owned(), moved("http://c.example/derc"));
    server.run(5);
    assert_eq!(server.count("https://b.example/edev"), 1);
    assert!(server.asked.iter().all(|it| !it.starts_with("http://")));
    server.run(70);
    assert!(
        2 <= server.count("/edev"),
        "a temporary redirection is asked for anew"
    );
}

#[test]
fn demand_response_is_followed_and_answered() {
    let mut server = Server::new(|config| config.follows_loads = true).with_tree(NS, "");
    server.page(
        "/dr",
        format!(
            r#"<DemandResponseProgramList xmlns="{NS}" all="1" results="1" pollRate="60">
            <DemandResponseProgram><mRID>0D12</mRID>
            <EndDeviceControlListLink href="/edc" all="1"/><primacy>3</primacy>
            </DemandResponseProgram></DemandResponseProgramList>"#
        ),
    );
    let start = START.secs() + 10;
    server.page(
        "/edc",
        format!(
            r#"<EndDeviceControlList xmlns="{NS}" all="1" results="1">
            <EndDeviceControl replyTo="/rsp" responseRequired="03"><mRID>0D13</mRID>
            <creationTime>1</creationTime><EventStatus><currentStatus>0</currentStatus>
            <dateTime>1</dateTime><potentiallySuperseded>false</potentiallySuperseded>
            </EventStatus><interval><duration>60</duration><start>{start}</start></interval>
            <deviceCategory>00000004</deviceCategory><drProgramMandatory>true</drProgramMandatory>
            <DutyCycle><normalValue>50</normalValue></DutyCycle>
            <loadShiftForward>false</loadShiftForward></EndDeviceControl></EndDeviceControlList>"#
        ),
    );
    server.run(12);
    let loads = server.client.loads(OWN_DEVICE);
    assert_eq!(loads[0].duty_cycle.as_ref().unwrap().normal_value, 50);
    server.run(70);
    assert!(server.client.loads(OWN_DEVICE).is_empty());
    let told: Vec<&String> = server
        .posted
        .iter()
        .filter(|it| it.contains("<DrResponse"))
        .collect();
    assert!(
        told.last().unwrap().contains("<status>3</status>"),
        "{told:?}"
    );
}

#[test]
fn the_price_of_the_best_tariff_is_in_force() {
    let mut server = Server::new(|config| config.follows_prices = true).with_tree(NS, "");
    let tariff = |mrid: &str, primacy: u8| {
        format!(
            r#"<TariffProfile><mRID>{mrid}</mRID><currency>36</currency>
            <pricePowerOfTenMultiplier>-3</pricePowerOfTenMultiplier><primacy>{primacy}</primacy>
            <RateComponentListLink href="/rc/{mrid}" all="1"/>
            <serviceCategoryKind>0</serviceCategoryKind></TariffProfile>"#
        )
    };
    server.page(
        "/tp",
        format!(
            r#"<TariffProfileList xmlns="{NS}" all="2" results="2" pollRate="60">{}{}</TariffProfileList>"#,
            tariff("0A", 2),
            tariff("0B", 1)
        ),
    );
    for (mrid, starts, price) in [("0A", 0, 250), ("0B", 30, 90)] {
        server.page(
            &format!("/rc/{mrid}"),
            format!(
                r#"<RateComponentList xmlns="{NS}" all="1" results="1"><RateComponent>
                <mRID>C{mrid}0</mRID><ReadingTypeLink href="/rt"/><roleFlags>0000</roleFlags>
                <TimeTariffIntervalListLink href="/tti/{mrid}" all="1"/></RateComponent>
                </RateComponentList>"#
            ),
        );
        let start = START.secs() + starts;
        server.page(
            &format!("/tti/{mrid}"),
            format!(
                r#"<TimeTariffIntervalList xmlns="{NS}" all="1" results="1"><TimeTariffInterval>
                <mRID>E{mrid}0</mRID><creationTime>1</creationTime><EventStatus>
                <currentStatus>0</currentStatus><dateTime>1</dateTime>
                <potentiallySuperseded>false</potentiallySuperseded></EventStatus>
                <interval><duration>60</duration><start>{start}</start></interval>
                <ConsumptionTariffIntervalListLink href="/cti/{mrid}" all="1"/>
                <touTier>1</touTier></TimeTariffInterval></TimeTariffIntervalList>"#
            ),
        );
        server.page(
            &format!("/cti/{mrid}"),
            format!(
                r#"<ConsumptionTariffIntervalList xmlns="{NS}" all="1" results="1">
                <ConsumptionTariffInterval><consumptionBlock>0</consumptionBlock>
                <price>{price}</price><startValue>0</startValue></ConsumptionTariffInterval>
                </ConsumptionTariffIntervalList>"#
            ),
        );
    }
    let mut prices = Vec::new();
    for _ in 0..100 {
        server.run(1);
        let now = server.client.prices(OWN_DEVICE);
        let price = now
            .first()
            .and_then(|it| it.steps.first())
            .and_then(|it| it.price);
        prices.push(price);
    }
    prices.dedup();
    assert_eq!(prices, [Some(250), Some(90), None]);
}
