//! Subscriptions as values: asked for, judged, kept and ended.

use fleet::{
    ActivePower, AggregatorId, CimMrid, ControlBase, DefaultControl, DerKind, Identity, Name,
    NewAggregator, NewControl, NewDer, Origin, Pin,
};
use std::time::Duration;
use units::{Interval, Percent, Timestamp};

use super::{MAX_OF_AGGREGATOR, MAX_OF_DER, Subscribers, SubscriptionConfig};
use crate::codec::read::read;
use crate::server::{Answer, Request, Resources, Response, ServerConfig, View, handle};
use crate::translate::{Client, Command, ControlId, DerId, Fleet, Lfdi, ProgramId};
use crate::wire::error::{Error, ReasonCode};
use crate::wire::subscription::{Subscription, SubscriptionList};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(in crate::server) const AGGREGATOR: Lfdi = Lfdi([0xA0; 20]);
const OTHER_AGGREGATOR: Lfdi = Lfdi([0xB0; 20]);
/// Stands alone.
const DIRECT: Lfdi = Lfdi([0xD0; 20]);
pub(in crate::server) const URI: &str = "https://aggregator.example/ntf";

/// Two aggregators, the first with DER 0 and 1, and DER 2 that stands alone.
pub(in crate::server) struct Scene {
    pub(in crate::server) fleet: Fleet,
    pub(in crate::server) resources: Resources,
    pub(in crate::server) config: ServerConfig,
    pub(in crate::server) now: Timestamp,
}

impl Scene {
    pub(in crate::server) fn new() -> Self {
        let mut scene = Self {
            fleet: Fleet::default(),
            resources: Resources::default(),
            config: ServerConfig::new(Lfdi([0x77; 20])),
            now: NOW,
        };
        let identity = Identity {
            seed: 0xABCD,
            pen: 40_732,
        };
        scene.command(&Command::FoundFleet(identity));
        for (name, lfdi) in [("one", AGGREGATOR), ("two", OTHER_AGGREGATOR)] {
            scene.command(&Command::EnrolAggregator(NewAggregator {
                name: Name::new(name).unwrap(),
                lfdi,
                pin: Pin::with_check_digit(11_111),
                registered: true,
                may_enrol: false,
            }));
        }
        scene.enrol(Lfdi([1; 20]), Some(AggregatorId(0)));
        scene.enrol(Lfdi([2; 20]), Some(AggregatorId(0)));
        scene.enrol(DIRECT, None);
        scene
    }

    pub(in crate::server) fn enrol(&mut self, lfdi: Lfdi, manager: Option<AggregatorId>) {
        let name = format!("der {}", self.fleet.ders().len());
        self.command(&Command::EnrolDer(NewDer {
            mrid: CimMrid::new(&name).unwrap(),
            name: Name::new(&name).unwrap(),
            kind: DerKind::Storage,
            lfdi,
            pin: Pin::with_check_digit(11_111),
            registered: true,
            reserve: Percent::default(),
            manager,
            assignments: Vec::new(),
        }));
    }

    /// Gives the events.
    pub(in crate::server) fn command(&mut self, command: &Command) -> Vec<fleet::Event> {
        let events = self.fleet.decide(command, self.now).unwrap();
        events.iter().for_each(|event| self.fleet.apply(event));
        events
    }

    pub(in crate::server) fn program(&self, der: u32) -> ProgramId {
        self.fleet.der(DerId(der)).unwrap().program
    }

    /// Asks `der` for 1.5 kW from `start_s` seconds from now for `length_s`.
    pub(in crate::server) fn control(
        &mut self,
        der: u32,
        start_s: u64,
        length_s: u64,
    ) -> ControlId {
        self.command(&Command::IssueControl(NewControl {
            der: Some(DerId(der)),
            program: self.program(der),
            origin: Origin::Operator,
            interval: Interval {
                start: self.now.after(Duration::from_secs(start_s)),
                duration: Duration::from_secs(length_s),
            },
            base: power(1_500),
            terms: None,
        }));
        self.fleet.controls().last().unwrap().id
    }

    pub(in crate::server) fn default_control(&mut self, der: u32, w: i16) {
        let default = DefaultControl::asking(power(w));
        self.command(&Command::SetDefaultControl(self.program(der), default));
    }

    pub(in crate::server) fn view(&self) -> View<'_> {
        View {
            fleet: &self.fleet,
            resources: &self.resources,
            config: &self.config,
        }
    }

    pub(in crate::server) fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    /// Sends a request and keeps what it asks to be kept.
    pub(in crate::server) fn send(
        &mut self,
        lfdi: Lfdi,
        (method, address): (&str, &str),
        body: &str,
    ) -> Response {
        let (path, query) = match address.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (address, None),
        };
        let request = Request {
            method,
            path,
            query,
            accept: None,
            content_type: None,
            if_none_match: None,
            range: None,
            body: body.as_bytes(),
            lfdi,
            random: 0,
        };
        let submission = match handle(&request, &self.view(), self.now) {
            Answer::Reply(reply) => return reply,
            Answer::Submit(submission) => submission,
        };
        if let Some(command) = &submission.command {
            self.command(command);
        }
        for document in &submission.documents {
            self.resources.apply(document).unwrap();
        }
        submission.reply
    }

    /// The first aggregator subscribes; gives the number.
    pub(in crate::server) fn subscribe(&mut self, resource: &str, limit: u32) -> u32 {
        let body = subscription(resource, URI, limit);
        let reply = self.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &body);
        assert_eq!(reply.status, 201, "{resource}: {reply:?}");
        let location = reply.location.unwrap();
        location
            .strip_prefix("/edev/a0/sub/")
            .unwrap()
            .parse()
            .unwrap()
    }
}

pub(in crate::server) fn power(w: i16) -> ControlBase {
    ControlBase::asking(ActivePower::TargetW {
        value: w,
        multiplier: 0,
    })
}

pub(in crate::server) fn subscription(resource: &str, uri: &str, limit: u32) -> String {
    format!(
        "<Subscription xmlns=\"urn:ieee:std:2030.5:ns\">\
         <subscribedResource>{resource}</subscribedResource><encoding>0</encoding>\
         <level>+S1</level><limit>{limit}</limit><notificationURI>{uri}</notificationURI>\
         </Subscription>"
    )
}

fn reason(reply: &Response) -> ReasonCode {
    read::<Error>(&reply.body).unwrap().reason_code
}

#[test]
fn a_subscription_is_made_shown_changed_and_deleted() {
    let mut scene = Scene::new();
    let sub = "/edev/a0/sub";
    let made = scene.send(AGGREGATOR, ("POST", sub), &subscription("/edev", URI, 7));
    assert_eq!(
        (made.status, made.location.as_deref()),
        (201, Some("/edev/a0/sub/1"))
    );
    let shown = scene.send(AGGREGATOR, ("GET", "/edev/a0/sub/1"), "");
    let shown: Subscription = read(&shown.body).unwrap();
    assert_eq!(shown.href.unwrap().as_str(), "/edev/a0/sub/1");
    assert_eq!(
        (shown.limit, shown.subscribed_resource.as_str()),
        (7, "/edev")
    );
    let changed = subscription("/edev/0/fsa", URI, 9);
    assert_eq!(
        scene
            .send(AGGREGATOR, ("PUT", "/edev/a0/sub/1"), &changed)
            .status,
        204
    );
    let listed = scene.send(AGGREGATOR, ("GET", "/edev/a0/sub?s=0&l=5"), "");
    let listed: SubscriptionList = read(&listed.body).unwrap();
    assert_eq!((listed.all, listed.results), (1, 1));
    assert_eq!(listed.subscription[0].limit, 9);
    assert_eq!(
        scene
            .send(AGGREGATOR, ("DELETE", "/edev/a0/sub/1"), "")
            .status,
        204
    );
    for method in ["GET", "PUT", "DELETE"] {
        let reply = scene.send(AGGREGATOR, (method, "/edev/a0/sub/1"), &changed);
        assert_eq!(reply.status, 404, "{method}");
    }
    assert_eq!(
        scene.subscribe("/edev", 1),
        2,
        "the number is not given out again"
    );
}

#[test]
fn the_same_again_renews_it() {
    let mut scene = Scene::new();
    assert_eq!(scene.subscribe("/edev/0/fsa", 1), 1);
    scene.pass(3_600);
    let client = Client::Aggregator(AggregatorId(0));
    for address in [
        "/edev/0/fsa",
        "/edev/0/fsa/",
        "https://server/edev/0/fsa?l=3",
    ] {
        let body = subscription(address, URI, 2);
        let again = scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &body);
        assert_eq!(
            (again.status, again.location.as_deref()),
            (204, Some("/edev/a0/sub/1"))
        );
        let kept = scene.resources.subscriptions(client).get(1).unwrap();
        assert_eq!(kept.subscription.subscribed_resource.as_str(), address);
        assert_eq!((kept.renewed, kept.subscription.limit), (scene.now, 2));
    }
    let elsewhere = subscription("/edev/0/fsa", "https://aggregator.example/2", 1);
    let other = scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &elsewhere);
    assert_eq!(other.status, 201);
    assert_eq!(scene.resources.subscriptions(client).len(), 2);
}

/// Posts `body` as the first aggregator, which is refused and leaves nothing behind.
fn assert_refused(what: &str, body: &str, expected: (u16, ReasonCode)) {
    let mut scene = Scene::new();
    let reply = scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), body);
    assert_eq!((reply.status, reason(&reply)), expected, "{what}");
    let client = Client::Aggregator(AggregatorId(0));
    assert!(scene.resources.subscriptions(client).is_empty(), "{what}");
}

#[test]
fn what_is_not_supported_is_refused() {
    let usual = subscription("/edev", URI, 1);
    let condition = "<Condition><attributeIdentifier>0</attributeIdentifier><lowerThreshold>1\
                     </lowerThreshold><upperThreshold>2</upperThreshold></Condition><encoding>";
    let values = (400, ReasonCode::INVALID_VALUES);
    let forbidden = (403, ReasonCode::INVALID_VALUES);
    let no_condition = (400, ReasonCode::CONDITION_NOT_SUPPORTED);
    for (what, part, instead, expected) in [
        ("EXI", "<encoding>0", "<encoding>1", values),
        ("a level", "+S1", "+X1", values),
        ("a condition", "<encoding>", condition, no_condition),
        ("no notificationURI", URI, "", values),
        ("a path", URI, "/ntf", values),
        ("http", "https:", "http:", forbidden),
        (
            "a private network",
            "aggregator.example",
            "10.0.0.1",
            forbidden,
        ),
        (
            "no limit",
            "<limit>1</limit>",
            "",
            (400, ReasonCode::INVALID_FORMAT),
        ),
    ] {
        assert_refused(what, &usual.replace(part, instead), expected);
    }
    assert_refused("no body", "", (400, ReasonCode::INVALID_FORMAT));
}

#[test]
fn resources_that_one_cannot_subscribe_to_are_refused() {
    let foreign = format!("/derp/{}/derc", Scene::new().program(2).0);
    for resource in [
        "/nothing",
        "nothing",
        "/tm",
        "/edev/0/der/1/ders",
        "/edev/2/fsa",
        &foreign,
        "/edev/a0/sub",
        "/edev/a1",
    ] {
        let body = subscription(resource, URI, 1);
        assert_refused(resource, &body, (400, ReasonCode::INVALID_VALUES));
    }
}

#[test]
fn nobody_sees_the_subscriptions_of_others() {
    let mut scene = Scene::new();
    scene.subscribe("/edev", 1);
    for lfdi in [OTHER_AGGREGATOR, DIRECT, Lfdi([9; 20])] {
        for (method, address) in [
            ("GET", "/edev/a0/sub"),
            ("GET", "/edev/a0/sub/1"),
            ("DELETE", "/edev/a0/sub/1"),
            ("POST", "/edev/a0/sub"),
        ] {
            let reply = scene.send(lfdi, (method, address), &subscription("/edev", URI, 1));
            assert_eq!(reply.status, 404, "{method} {address}");
        }
    }
}

/// envoy's issue 320: devices that may not subscribe are not told that they may.
#[test]
fn devices_subscribe_only_where_an_operator_lets_them() {
    let mut scene = Scene::new();
    let text = |reply: Response| String::from_utf8(reply.body.to_vec()).unwrap();
    let of_aggregator = text(scene.send(AGGREGATOR, ("GET", "/edev?s=0&l=9"), ""));
    assert!(
        of_aggregator.contains("subscribable=\"1\""),
        "{of_aggregator}"
    );
    assert_eq!(of_aggregator.matches("SubscriptionListLink").count(), 1);
    let of_device = text(scene.send(DIRECT, ("GET", "/edev?s=0&l=9"), ""));
    assert!(!of_device.contains("subscribable") && !of_device.contains("SubscriptionListLink"));
    let body = subscription("/edev/2/fsa", URI, 1);
    for address in ["/edev/2/sub", "/edev/2/sub/1"] {
        assert_eq!(scene.send(DIRECT, ("GET", address), "").status, 404);
    }
    assert_eq!(
        scene.send(DIRECT, ("POST", "/edev/2/sub"), &body).status,
        404
    );

    scene.config.subscriptions = SubscriptionConfig {
        subscribers: Subscribers::All,
        ..SubscriptionConfig::default()
    };
    let of_device = text(scene.send(DIRECT, ("GET", "/edev/2"), ""));
    assert!(
        of_device.contains("<SubscriptionListLink href=\"/edev/2/sub\""),
        "{of_device}"
    );
    for number in 0..MAX_OF_DER {
        let body = subscription("/edev/2/fsa", &format!("{URI}/{number}"), 1);
        assert_eq!(
            scene.send(DIRECT, ("POST", "/edev/2/sub"), &body).status,
            201
        );
    }
    let reply = scene.send(DIRECT, ("POST", "/edev/2/sub"), &body);
    assert_eq!(
        (reply.status, reason(&reply)),
        (400, ReasonCode::RESOURCE_LIMIT)
    );
    // An aggregator has no subscriptions in the name of its DER.
    assert_eq!(
        scene
            .send(AGGREGATOR, ("POST", "/edev/0/sub"), &body)
            .status,
        403
    );
}

#[test]
fn what_is_kept_is_read_back() {
    let mut scene = Scene::new();
    for resource in ["/edev", "/edev/0/fsa", "/edev/1/fsa"] {
        scene.subscribe(resource, 3);
    }
    let client = Client::Aggregator(AggregatorId(0));
    let mut again = Resources::default();
    for (number, subscribed) in scene.resources.subscriptions(client).iter() {
        let id = super::SubscriptionId { client, number };
        again.apply(&subscribed.kept_as(id)).unwrap();
    }
    assert_eq!(
        again.subscriptions(client),
        scene.resources.subscriptions(client)
    );
}

#[test]
fn an_aggregator_has_a_bounded_number() {
    let mut scene = Scene::new();
    let first = scene.subscribe("/edev", 1);
    let client = Client::Aggregator(AggregatorId(0));
    let id = |number: u32| super::SubscriptionId { client, number };
    let kept = scene.resources.subscriptions(client).get(first).unwrap();
    let mut write = kept.clone().kept_as(id(first));
    let limit = u32::try_from(MAX_OF_AGGREGATOR).unwrap();
    for number in 2..limit {
        write.path = format!("sub/{number}");
        scene.resources.apply(&write).unwrap();
    }
    let ask = |k: u32| subscription("/edev", &format!("{URI}/{k}"), 1);
    let last = scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &ask(1));
    assert_eq!(last.status, 201);
    let refused = scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &ask(2));
    assert_eq!(
        (refused.status, reason(&refused)),
        (400, ReasonCode::RESOURCE_LIMIT)
    );
    let renewed = scene.send(AGGREGATOR, ("POST", "/edev/a0/sub"), &ask(1));
    assert_eq!(renewed.status, 204, "what is there is renewed");
}
