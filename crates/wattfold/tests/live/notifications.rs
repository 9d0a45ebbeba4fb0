//! Subscribers of the real binary: told of what changes, whatever happens in between.

mod hostile;

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use serde_json::json;
use wattfold::clock;

use crate::device::{Device, document, write};
use crate::exchange::{Reply, Request, Wire};
use crate::peers;
use crate::rig::{Rig, Setup, shared};
use crate::sink::{Answer, Sink, Taken};

/// More than a change may take to arrive on a busy machine.
const SOON: Duration = Duration::from_secs(10);
/// The longest pause between attempts and what a busy machine adds to it.
const RETRIED: Duration = Duration::from_secs(75);
/// Time in which nothing must happen.
const QUIET: Duration = Duration::from_secs(3);

const LOOPBACK: &str = "poll_rate_s = 1\npost_rate_s = 1\n\
    [ieee2030_5.notifications]\nplain_http = true\nnetworks = [\"127.0.0.0/8\"]\n";

/// An aggregator with one DER.
struct Scene {
    rig: Rig,
    aggregator: Device,
    /// Number of the aggregator.
    id: u64,
    /// mRID of its DER.
    der: String,
}

impl Scene {
    async fn new(name: &str, ieee2030_5: &'static str) -> Self {
        let setup = Setup {
            devices: 4,
            ieee2030_5,
            ..Setup::default()
        };
        let rig = Rig::started(name, &setup).await;
        let aggregator = rig.device(1);
        let enrolment = json!({
            "name": "aggregator", "lfdi": aggregator.lfdi.to_string(),
            "registration": "out_of_band",
        });
        let id = rig.api().post("/aggregators", &enrolment).await["id"].as_u64();
        let mut scene = Self {
            rig,
            aggregator,
            id: id.unwrap(),
            der: String::new(),
        };
        scene.der = scene.enrol(2).await;
        scene
    }

    /// Another DER of the aggregator; gives its mRID.
    async fn enrol(&self, number: usize) -> String {
        let device = self.rig.device(number);
        let enrolment = json!({
            "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
            "registration": "out_of_band", "aggregator": self.id,
        });
        let der = self.rig.api().post("/ders", &enrolment).await;
        der["mrid"].as_str().unwrap().to_owned()
    }

    async fn wire(&self) -> Wire {
        self.aggregator.connect().await.unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        self.aggregator.get(path).await.unwrap()
    }

    /// The address under which the aggregator's own end device lists its subscriptions.
    fn subscriptions(&self) -> String {
        format!("/edev/a{}/sub", self.id)
    }

    async fn try_subscribe(&self, resource: &str, uri: &str) -> Reply {
        let body = subscription(resource, uri, 100);
        let post = write("POST", &self.subscriptions(), body);
        self.wire().await.exchange(&post).await.unwrap()
    }

    /// Gives the address of the new subscription.
    async fn subscribe(&self, resource: &str, uri: &str) -> String {
        let reply = self.try_subscribe(resource, uri).await;
        assert!(matches!(reply.status, 201 | 204), "{resource}: {reply:?}");
        reply.header("location").to_owned()
    }

    /// Addresses of the programme of the aggregator's first DER, from the links that lead there.
    async fn program(&self) -> Program {
        let fsa = self.get("/edev/0/fsa?s=0&l=10").await.text();
        let programs = href(&fsa, "DERProgramListLink");
        let listed = self.get(&format!("{programs}?s=0&l=10")).await.text();
        Program {
            controls: href(&listed, "DERControlListLink"),
            default_control: href(&listed, "DefaultDERControlLink"),
            list: programs,
        }
    }

    /// Has the default control of the DER's programme ask for `w`.
    async fn default_control(&self, w: i32) {
        let path = format!(
            "/api/v1/programs/{}/default_control",
            self.own_program().await
        );
        let body = json!({ "base": { "target_w": w } }).to_string();
        let put = Request::new("PUT", &path).body("application/json", body);
        let reply = self.rig.api().send(put).await.unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Issues a control in that programme that begins in `start_s` seconds.
    async fn control(&self, start_s: i64, duration_s: u32) {
        let start = jiff::Timestamp::from_second(clock::now().secs() + start_s).unwrap();
        let body = json!({
            "start": start.to_string(), "duration_s": duration_s,
            "base": { "target_w": 1_000 },
        });
        let path = format!("/programs/{}/controls", self.own_program().await);
        self.rig.api().post(&path, &body).await;
    }

    async fn own_program(&self) -> String {
        let der = self.rig.api().get(&format!("/ders/{}", self.der)).await;
        der["program"].as_str().unwrap().to_owned()
    }
}

struct Program {
    list: String,
    controls: String,
    default_control: String,
}

fn subscription(resource: &str, uri: &str, limit: u32) -> String {
    document(
        "Subscription",
        &format!(
            "<subscribedResource>{resource}</subscribedResource><encoding>0</encoding>\
             <level>+S1</level><limit>{limit}</limit><notificationURI>{uri}</notificationURI>"
        ),
    )
}

fn href(body: &str, link: &str) -> String {
    let found = body.split_once(&format!("<{link} href=\""));
    let (_, rest) = found.unwrap_or_else(|| panic!("{link}: {body}"));
    rest.split_once('"').unwrap().0.to_owned()
}

/// Has the schema judge what was posted.
async fn assert_valid(rig: &Rig, taken: &[Taken]) {
    let path = rig.dir.join("notifications.jsonl");
    let mut file = File::create(&path).unwrap();
    for one in taken {
        assert_eq!(
            (one.method.as_str(), one.content_type.as_str()),
            ("POST", "application/sep+xml")
        );
        let line = json!({
            "method": one.method, "path": one.path, "status": 204,
            "content_type": one.content_type, "received": one.body,
        });
        writeln!(file, "{line}").unwrap();
    }
    let judged = peers::run("sep_valid.py", &[path.to_str().unwrap().to_owned()]).await;
    let told = String::from_utf8_lossy(&judged.stdout);
    assert!(
        judged.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&judged.stderr)
    );
    println!("{told}");
}

/// The server's own certificate, which it shows to subscribers.
fn server_lfdi(rig: &Rig) -> fleet::Lfdi {
    wattfold::tls::lfdi_of_pem(&rig.tls_files("server").cert_chain).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregator_is_told_over_mutual_tls() {
    let _machine = shared().await;
    let mut scene = Scene::new("notified", LOOPBACK).await;
    let sink = Sink::tls(&scene.rig.tls_files(&scene.aggregator.name)).await;
    let program = scene.program().await;
    let resources = [
        ("/edev", "EndDeviceList"),
        ("/edev/0/fsa", "FunctionSetAssignmentsList"),
        (program.list.as_str(), "DERProgramList"),
        (program.controls.as_str(), "DERControlList"),
        (program.default_control.as_str(), "DefaultDERControl"),
    ];
    for (resource, kind) in resources {
        let seen = scene.get(&format!("{resource}?s=0&l=10")).await.text();
        assert!(seen.contains("subscribable=\"1\""), "{resource}: {seen}");
        let uri = sink.uri(&format!("/{kind}"));
        let location = scene.subscribe(resource, &uri).await;
        let kept = scene.get(&location).await.text();
        assert!(kept.contains(&format!("<notificationURI>{uri}<")), "{kept}");
        // The same again is the same subscription.
        assert_eq!(scene.subscribe(resource, &uri).await, location);
    }
    tokio::time::sleep(QUIET).await;
    assert_eq!(sink.taken().len(), 0, "{:?}", sink.taken());

    scene.enrol(3).await;
    let devices = sink
        .next("EndDeviceList", SOON, |n| n.path == "/EndDeviceList")
        .await;
    assert!(
        devices
            .body
            .contains("<Resource xsi:type=\"EndDeviceList\" href=\"/edev\"")
    );
    assert_eq!(
        (devices.text("subscribedResource"), devices.status()),
        ("/edev", 0)
    );
    assert_eq!(devices.from, Some(server_lfdi(&scene.rig)));

    scene.default_control(-1_500).await;
    let default = sink
        .next("DefaultDERControl", SOON, |n| {
            n.path == "/DefaultDERControl"
        })
        .await;
    assert_eq!(default.text("subscribedResource"), program.default_control);

    scene.control(3, 3).await;
    let controls = |status: &'static str| {
        move |n: &Taken| {
            n.path == "/DERControlList" && n.body.contains(&format!("<currentStatus>{status}<"))
        }
    };
    sink.next("a scheduled control", SOON, controls("0")).await;
    sink.next("the control is active", SOON, controls("1"))
        .await;
    let over = |n: &Taken| n.path == "/DERControlList" && n.body.contains(" all=\"0\"");
    sink.next("the control is over", SOON, over).await;

    let taken = sink.taken();
    assert_valid(&scene.rig, &taken).await;
    assert!(
        !taken.iter().any(|n| n.path == "/DERProgramList"),
        "counts in links are no change"
    );
    let connections = sink.connections();
    assert!(connections <= 2, "connections are kept: {connections}");
    scene.rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_are_told_after_a_crash_what_changed_and_nothing_else() {
    let _machine = shared().await;
    let mut scene = Scene::new("notified-crash", LOOPBACK).await;
    let sink = Sink::plain().await;
    let program = scene.program().await;
    scene
        .subscribe(&program.controls, &sink.uri("/controls"))
        .await;
    scene
        .subscribe(&program.default_control, &sink.uri("/default"))
        .await;
    scene.default_control(-1_000).await;
    sink.next("the default control", SOON, |n| n.path == "/default")
        .await;
    // What was acknowledged is durable a moment later.
    tokio::time::sleep(8 * wattfold::notifier::SETTLE_EVERY).await;
    sink.answer("/controls", Answer::Status(500));
    scene.control(600, 60).await;
    sink.next("a failing attempt", SOON, |n| n.path == "/controls")
        .await;
    scene.rig.kill();
    sink.clear();
    sink.answer("/controls", Answer::Status(201));
    scene.rig.start().await;
    let told = sink
        .next("the control after all", SOON, |n| n.path == "/controls")
        .await;
    assert!(told.body.contains("<currentStatus>0<"), "{told:?}");
    tokio::time::sleep(QUIET).await;
    assert_eq!(sink.taken().len(), 1, "{:?}", sink.taken());
    scene.rig.stop().await;
    sink.clear();
    scene.rig.start().await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(sink.taken().len(), 0, "{:?}", sink.taken());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_that_fails_is_told_the_newest_state_when_it_is_back() {
    let _machine = shared().await;
    let scene = Scene::new("notified-late", LOOPBACK).await;
    let sink = Sink::plain().await;
    let program = scene.program().await;
    sink.answer("/default", Answer::RetryAfter(3));
    scene
        .subscribe(&program.default_control, &sink.uri("/default"))
        .await;
    scene.default_control(-100).await;
    sink.next("the first attempt", SOON, |n| n.path == "/default")
        .await;
    let asked = clock::now();
    for p_w in [-200, -300, -400] {
        scene.default_control(p_w).await;
    }
    sink.clear();
    sink.answer("/default", Answer::Status(204));
    let told = sink
        .next("the newest state", RETRIED, |n| n.path == "/default")
        .await;
    assert!(
        Duration::from_millis(2_500) < clock::now().since(asked),
        "Retry-After is honoured"
    );
    let newest = scene.get(&program.default_control).await.text();
    let (_, newest) = newest.split_once("<DERControlBase>").unwrap();
    let (newest, _) = newest.split_once("</DERControlBase>").unwrap();
    assert!(told.body.contains(newest), "{told:?}");
    tokio::time::sleep(QUIET).await;
    assert_eq!(sink.taken().len(), 1, "one notification for four changes");
}

/// ERR-002 of the CSIP conformance tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_refused_or_whose_resource_is_gone_is_over() {
    let _machine = shared().await;
    let scene = Scene::new("notified-over", LOOPBACK).await;
    let sink = Sink::plain().await;
    let program = scene.program().await;
    sink.answer("/refused", Answer::Status(400));
    let refused = scene
        .subscribe(&program.default_control, &sink.uri("/refused"))
        .await;
    let deleted = scene.subscribe("/edev/0/fsa", &sink.uri("/fsa")).await;
    let stays = scene.subscribe("/edev", &sink.uri("/edev")).await;
    scene.default_control(-500).await;
    sink.next("the refused notification", SOON, |n| n.path == "/refused")
        .await;
    gone(&scene, &refused).await;

    let path = format!("/api/v1/ders/{}", scene.der);
    let reply = scene
        .rig
        .api()
        .send(Request::new("DELETE", &path))
        .await
        .unwrap();
    assert_eq!(reply.status, 204, "{reply:?}");
    let last = sink
        .next("the last notification", SOON, |n| n.path == "/fsa")
        .await;
    assert_eq!(
        (last.status(), last.body.contains("<Resource")),
        (4, false),
        "{last:?}"
    );
    assert!(
        last.body.contains(&format!("{deleted}</subscriptionURI>")),
        "{last:?}"
    );
    gone(&scene, &deleted).await;
    let devices = sink
        .next("the list without it", SOON, |n| n.path == "/edev")
        .await;
    assert_eq!(devices.status(), 0);
    assert_eq!(scene.get(&stays).await.status, 200);
    let again = scene.subscribe("/edev", &sink.uri("/again")).await;
    assert!(
        ![refused, deleted, stays].contains(&again),
        "numbers are not given out twice"
    );
    assert_valid(&scene.rig, &sink.taken()).await;
}

async fn gone(scene: &Scene, subscription: &str) {
    let what = format!("{subscription} is gone");
    crate::rig::until(&what, SOON, async || {
        (scene.get(subscription).await.status == 404).then_some(())
    })
    .await;
}
