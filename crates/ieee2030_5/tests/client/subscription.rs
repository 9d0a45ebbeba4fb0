//! Told instead of asking.

use ieee2030_5::codec::table::Profile;
use ieee2030_5::codec::write::write;
use ieee2030_5::wire::der_control::DerControlList;
use ieee2030_5::wire::registry::Carried;
use ieee2030_5::wire::subscription::{Notification, NotificationStatus};
use units::Watts;

use crate::town::{Town, control};

const DEVICES: usize = 5;

fn notification(town: &Town, about: &str, list: Option<DerControlList>) -> Notification {
    let at = town
        .subscriptions
        .get(about)
        .map_or("/edev/a/sub/none", String::as_str);
    Notification {
        subscribed_resource: about.into(),
        resource: list.map(Carried::new),
        status: NotificationStatus::CHANGED,
        subscription_uri: format!("https://town.example{at}").into(),
        ..Notification::default()
    }
}

fn tell(town: &mut Town, notification: &Notification) -> u16 {
    let body = write(notification, Profile::default());
    let status = town.client.on_notification(&body, town.now);
    town.settle();
    status
}

fn subscribed() -> Town {
    let mut town = Town::new(DEVICES, true);
    town.run(5);
    town.asked.clear();
    town
}

#[test]
fn what_is_offered_is_subscribed_to_once_and_hardly_polled() {
    let mut town = subscribed();
    let shared = ["/edev", "/derp/1/derc", "/derp/1/dderc"];
    let own = (0..DEVICES).flat_map(|n| [format!("/edev/{n}/fsa"), format!("/edev/{n}/derp")]);
    let mut wanted: Vec<String> = shared
        .iter()
        .map(|it| (*it).to_owned())
        .chain(own)
        .collect();
    wanted.sort_unstable();
    assert_eq!(
        town.subscriptions.keys().cloned().collect::<Vec<_>>(),
        wanted
    );
    assert_eq!(town.client.subscription_count().0, wanted.len());
    town.run(3_000);
    assert_eq!(town.count("GET /derp/1/derc"), 0);
    assert_eq!(town.count("GET /edev/3/fsa"), 0);
    town.run(700);
    assert_eq!(
        town.count("GET /derp/1/derc"),
        1,
        "read all the same now and then"
    );
}

#[test]
fn a_list_that_comes_with_its_notification_is_followed_at_once() {
    let mut town = subscribed();
    town.controls = vec![control(0xC1, 5, 600, 700)];
    let list = town.control_list();
    let told = notification(&town, "/derp/1/derc", Some(list));
    assert_eq!(tell(&mut town, &told), 204);
    assert_eq!(town.count("GET /derp/1/derc"), 0);
    town.run(6);
    assert_eq!(town.asked_w(4), Some(Watts::whole(700)));
    assert_eq!(town.responses.len(), 2 * DEVICES);
}

#[test]
fn a_list_without_its_members_is_read() {
    let mut town = subscribed();
    town.controls = vec![control(0xC1, 5, 600, 700), control(0xC2, 700, 600, 800)];
    let empty = DerControlList {
        results: 0,
        der_control: Vec::new(),
        ..town.control_list()
    };
    let one = DerControlList {
        results: 1,
        der_control: vec![town.controls[0].clone()],
        ..town.control_list()
    };
    for (list, reads) in [(Some(empty), 1), (Some(one), 2), (None, 3)] {
        let told = notification(&town, "/derp/1/derc", list);
        assert_eq!(tell(&mut town, &told), 204);
        assert_eq!(town.count("GET /derp/1/derc"), reads);
    }
}

#[test]
fn a_subscription_that_the_server_ended_is_made_again_if_there_is_something_to_subscribe_to() {
    let mut town = subscribed();
    // What changes until the new subscription stands is read after it.
    for (status, at_once, later, reads) in [
        (NotificationStatus::CANCELLED, 0, 1, 1),
        (NotificationStatus::DEFINITION_CHANGED, 1, 1, 2),
    ] {
        town.asked.clear();
        let told = Notification {
            status,
            ..notification(&town, "/derp/1/derc", None)
        };
        assert_eq!(tell(&mut town, &told), 204);
        assert_eq!(town.count("POST /edev/a/sub"), at_once, "{status:?}");
        assert_eq!(town.count("GET /derp/1/derc"), reads, "{status:?}");
        town.run(70);
        assert_eq!(town.count("POST /edev/a/sub"), later, "{status:?}");
    }
    for status in [NotificationStatus::DELETED, NotificationStatus::MOVED] {
        town.asked.clear();
        let told = Notification {
            status,
            ..notification(&town, "/edev/2/derp", None)
        };
        assert_eq!(tell(&mut town, &told), 204);
        assert_eq!(town.count("GET /edev/2/fsa"), 1, "what led there is read");
        assert_eq!(
            town.count("GET /edev/2/derp"),
            2,
            "it is there all the same"
        );
        assert_eq!(town.count("POST /edev/a/sub"), 1, "and subscribed to again");
    }
}

#[test]
fn what_was_not_subscribed_to_is_refused() {
    let mut town = subscribed();
    let strange = notification(&town, "/edev/9/derp", None);
    let forged = Notification {
        subscription_uri: "https://town.example/edev/a/sub/999".into(),
        ..notification(&town, "/derp/1/derc", None)
    };
    for told in [strange, forged] {
        assert_eq!(tell(&mut town, &told), 400);
    }
    for body in [&b"<html/>"[..], b"", b"\xFF", b"<Notification/>"] {
        assert_eq!(town.client.on_notification(body, town.now), 400);
    }
    assert_eq!(town.asked.len(), 0);
}

#[test]
fn a_server_that_takes_no_subscriptions_is_polled() {
    let mut town = Town::new(DEVICES, true);
    town.takes_subscriptions = false;
    town.run(5);
    town.asked.clear();
    town.run(610);
    assert_eq!(town.count("GET /derp/1/derc"), 2);
    assert_eq!(town.client.subscription_count().0, 0);
}

#[test]
fn subscriptions_are_renewed_and_found_again_after_a_restart() {
    let mut town = subscribed();
    town.run(86_400 + 10);
    let made = town.subscriptions.len();
    assert_eq!(town.count("POST /edev/a/sub"), made, "each once a day");
    let fresh = crate::town::config(DEVICES, true);
    town.client = ieee2030_5::client::Client::new(fresh, town.now);
    town.asked.clear();
    town.run(5);
    assert_eq!(town.count("POST /edev/a/sub"), 0);
    assert_eq!(town.client.subscription_count().0, made);
}
