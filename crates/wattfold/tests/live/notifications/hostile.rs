//! Subscribers that want this server to do their bidding, or nothing at all.
#![expect(
    clippy::fn_params_excessive_bools,
    reason = "a test says what it expects"
)]

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::{LOOPBACK, QUIET, SOON, Scene};
use crate::exchange::Request;
use crate::rig::{shared, until};
use crate::sink::{Answer, Sink};

const NO_NETWORKS: &str =
    "poll_rate_s = 1\npost_rate_s = 1\n[ieee2030_5.notifications]\nplain_http = true\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_posted_to_where_a_client_should_not_reach() {
    let _machine = shared().await;
    let scene = Scene::new("notified-inside", NO_NETWORKS).await;
    let inside = Sink::everywhere().await;
    let port = inside.address.port();
    for (host, status) in [
        ("127.0.0.1", 403),
        ("10.0.0.1", 403),
        ("169.254.169.254", 403),
        ("[::1]", 403),
        ("[::ffff:127.0.0.1]", 403),
        ("localhost", 403),
        ("2130706433", 400),
        ("0x7f000001", 400),
        ("user@127.0.0.1", 400),
    ] {
        let uri = format!("http://{host}:{port}/");
        let reply = scene.try_subscribe("/edev", &uri).await;
        assert_eq!(reply.status, status, "{uri}: {reply:?}");
        assert!(reply.text().contains("<Error "), "{reply:?}");
    }
    // A name is not known to lead inside before it is asked for.
    let name = Command::new("hostname").output().unwrap().stdout;
    let name = String::from_utf8(name).unwrap().trim().to_lowercase();
    scene
        .subscribe("/edev", &format!("http://{name}:{port}/"))
        .await;
    scene.enrol(3).await;
    let mut api = scene.rig.api();
    let unreachable = "wattfold_notifications_total{outcome=\"unreachable\"}";
    until("the attempt", SOON, async || {
        (0 < api.metric(unreachable).await).then_some(())
    })
    .await;
    assert_eq!(inside.connections(), 0, "{name} was connected to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirections_are_not_followed() {
    let _machine = shared().await;
    let scene = Scene::new("notified-redirect", LOOPBACK).await;
    let (sink, elsewhere) = (Sink::plain().await, Sink::plain().await);
    sink.answer("/", Answer::Redirect(elsewhere.uri("/secret")));
    let kept = scene.subscribe("/edev", &sink.uri("/")).await;
    scene.enrol(3).await;
    sink.next("the notification", SOON, |_| true).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(elsewhere.connections(), 0);
    assert_eq!(scene.get(&kept).await.status, 200);
}

/// One that never answers and one that is not there: the others are told all the same, and the
/// server answers its devices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_subscriber_holds_up_nobody() {
    let _machine = shared().await;
    let scene = Scene::new("notified-silent", LOOPBACK).await;
    let (silent, quick) = (Sink::plain().await, Sink::plain().await);
    silent.answer("/", Answer::Never);
    scene.subscribe("/edev", &silent.uri("/")).await;
    scene.subscribe("/edev", "http://127.0.0.1:1/").await;
    scene.subscribe("/edev", &quick.uri("/")).await;
    scene.enrol(3).await;
    quick.next("the first change", SOON, |_| true).await;
    quick.clear();
    scene.enrol(4).await;
    quick.next("the second change", SOON, |_| true).await;
    assert_eq!(silent.taken().len(), 1);
    assert_eq!(scene.get("/tm").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_access_stops_notifications_at_once() {
    let _machine = shared().await;
    let scene = Scene::new("notified-revoked", LOOPBACK).await;
    let sink = Sink::plain().await;
    scene.subscribe("/edev", &sink.uri("/edev")).await;
    set_access(&scene, false).await;
    scene.enrol(3).await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(sink.connections(), 0, "{:?}", sink.taken());
    set_access(&scene, true).await;
    let told = sink.next("what changed meanwhile", SOON, |_| true).await;
    assert_eq!(told.status(), 0);
}

async fn set_access(scene: &Scene, granted: bool) {
    let path = format!("/api/v1/aggregators/{}/access", scene.id);
    let body = json!({ "granted": granted }).to_string();
    let put = Request::new("PUT", &path).body("application/json", body);
    let reply = scene.rig.api().send(put).await.unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// What one client subscribed to, and where, is nobody else's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_of_others_do_not_exist() {
    let _machine = shared().await;
    let scene = Scene::new("notified-others", LOOPBACK).await;
    let sink = Sink::plain().await;
    let own = scene.subscribe("/edev", &sink.uri("/")).await;
    let other = scene.rig.device(4);
    let enrolment = json!({
        "name": "other", "lfdi": other.lfdi.to_string(), "registration": "out_of_band",
    });
    scene.rig.api().post("/aggregators", &enrolment).await;
    for (method, path) in [
        ("GET", own.clone()),
        ("DELETE", own.clone()),
        ("GET", scene.subscriptions()),
    ] {
        let reply = other.ask(&Request::new(method, &path)).await.unwrap();
        assert_eq!(reply.status, 404, "{method} {path}: {reply:?}");
    }
    let foreign = super::subscription("/edev/0/fsa", &sink.uri("/"), 1);
    let post = crate::device::write("POST", "/edev/a1/sub", foreign);
    let reply = other.ask(&post).await.unwrap();
    assert_eq!(reply.status, 400, "a resource of another's DER: {reply:?}");
    assert_eq!(scene.get(&own).await.status, 200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(sink.connections(), 0);
}
