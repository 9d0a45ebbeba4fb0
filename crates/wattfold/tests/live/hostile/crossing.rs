//! A registered device that floods its mirror, and reaches for what is another's.

use std::time::Duration;

use ieee2030_5::server::resources::MAX_USAGE_POINTS;
use serde_json::json;
use wattfold::clock;

use super::with_devices;
use crate::device::{Device, document, power_meter, write};
use crate::exchange::Wire;
use crate::rig::shared;

const POINTS: usize = 10_000;
/// Requests on their way at one time, within what the listener takes of one connection.
const AT_ONCE: usize = 50;
const LONGEST_ANSWER: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_mirror_usage_points_are_refused_beyond_the_limit() {
    let _machine = shared().await;
    let (mut rig, [device, other, _]) = with_devices("hostile-mirror").await;
    let flood = tokio::spawn(flood(device.clone()));
    let mut slowest = Duration::ZERO;
    while !flood.is_finished() {
        let asked = clock::now();
        let reply = other.get("/edev/1").await.unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        slowest = slowest.max(clock::now().since(asked));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(flood.await.unwrap(), MAX_USAGE_POINTS);
    println!("another device waited at most {slowest:?}");
    assert!(slowest < LONGEST_ANSWER, "{slowest:?}");
    let own = device.get("/mup?l=0").await.unwrap().text();
    assert!(
        own.contains(&format!(" all=\"{MAX_USAGE_POINTS}\"")),
        "{own}"
    );
    let theirs = other.get("/mup?l=0").await.unwrap().text();
    assert!(theirs.contains(" all=\"0\""), "{theirs}");
    rig.stop().await;
    rig.audit();
}

/// Posts them all; gives how many were taken.
async fn flood(device: Device) -> usize {
    let mut wire = device.connect().await.unwrap();
    let mut taken = 0;
    for first in (0..POINTS).step_by(AT_ONCE) {
        for number in first..first + AT_ONCE {
            let mrid = 0x10_0000 + 16 * u128::try_from(number).unwrap();
            let post = write("POST", "/mup", power_meter(device.lfdi, mrid));
            wire.send(&post.bytes()).await.unwrap();
        }
        taken += taken_of(&mut wire, AT_ONCE).await;
    }
    taken
}

/// Of so many replies, how many say that it was taken; the others say that it is too much.
async fn taken_of(wire: &mut Wire, replies: usize) -> usize {
    let mut taken = 0;
    for _ in 0..replies {
        let reply = wire.reply().await.unwrap();
        if reply.status == 201 {
            taken += 1;
            continue;
        }
        assert!((400..500).contains(&reply.status), "{reply:?}");
        let text = reply.text();
        assert!(text.contains("<reasonCode>2</reasonCode>"), "{text}");
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_and_meters_of_others_are_refused_and_change_nothing() {
    let _machine = shared().await;
    let (mut rig, [device, other, _]) = with_devices("hostile-forged").await;
    let ders = rig.api().list("/ders").await;
    let mine = ders
        .iter()
        .find(|der| der["name"] == device.name.as_str())
        .unwrap();
    let path = format!("/programs/{}/controls", mine["program"].as_str().unwrap());
    let control = json!({ "duration_s": 600, "base": { "connect": true } });
    let control = rig.api().post(&path, &control).await;
    let subject = control["mrid"].as_str().unwrap();
    let response = |lfdi: fleet::Lfdi| {
        let content = format!(
            "<endDeviceLFDI>{lfdi}</endDeviceLFDI><status>4</status><subject>{subject}</subject>"
        );
        document("DERControlResponse", &content)
    };
    let meter = power_meter(other.lfdi, 0x5000);
    let wrong = |what: &str, status: u16, reply: crate::exchange::Reply| {
        assert_eq!(reply.status, status, "{what}: {}", reply.text());
    };
    let ask = async |request| other.ask(&request).await.unwrap();
    let forged = response(device.lfdi);
    wrong(
        "as the other",
        400,
        ask(write("POST", "/rsps/1/rsp", forged.clone())).await,
    );
    wrong(
        "at the other",
        404,
        ask(write("POST", "/rsps/0/rsp", forged)).await,
    );
    let own = response(other.lfdi);
    wrong(
        "to its control",
        400,
        ask(write("POST", "/rsps/1/rsp", own)).await,
    );
    wrong(
        "its meter",
        201,
        device
            .ask(&write("POST", "/mup", power_meter(device.lfdi, 0x5000)))
            .await
            .unwrap(),
    );
    let seized = ask(write("POST", "/mup", meter)).await;
    assert!(
        (400..500).contains(&seized.status),
        "the readings of another: {seized:?}"
    );
    wrong(
        "at its meter",
        404,
        ask(write("POST", "/mup/0-1", power_meter(other.lfdi, 0x6000))).await,
    );

    let shown = rig
        .api()
        .get(&format!("/ders/{}", mine["mrid"].as_str().unwrap()))
        .await;
    assert_eq!(shown["controls"][0]["delivery_state"], "planned", "{shown}");
    rig.stop().await;
    rig.audit();
}
