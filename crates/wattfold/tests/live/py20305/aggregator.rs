//! py20305 as an aggregator of two DER: told by notifications, it never polls.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Edition, delivery, in_s, inverter, issue, states, write_evidence};
use crate::rig::{Rig, Setup, free_address, shared, until};

const READY_WITHIN: Duration = Duration::from_secs(90);
const TOLD_WITHIN: Duration = Duration::from_secs(40);

/// Slow enough that within the test nothing is found out by polling.
const NOTIFIED: &str = "poll_rate_s = 900\npost_rate_s = 1\nforward = \"injected\"\n\
    [ieee2030_5.notifications]\nnetworks = [\"127.0.0.0/8\"]\n";

/// The resources that CSIP asks an aggregator to subscribe to, as py20305 names them.
const SUBSCRIBED: [&str; 5] = [
    "EndDeviceList",
    "FSAList",
    "DERProgramList",
    "DERControlList",
    "DefaultDERControl",
];

/// Two DER of the aggregator with the first certificate; gives their mRIDs.
async fn enrol(rig: &Rig) -> [String; 2] {
    let mut api = rig.api();
    let aggregator = rig.device(1);
    let enrolment = json!({
        "name": "aggregator", "lfdi": aggregator.lfdi.to_string(),
        "registration": "out_of_band",
    });
    let id = api.post("/aggregators", &enrolment).await["id"].take();
    let mut mrids = [String::new(), String::new()];
    for (mrid, number) in mrids.iter_mut().zip(2..) {
        let device = rig.device(number);
        let enrolment = json!({
            "name": device.name, "kind": "pv", "lfdi": device.lfdi.to_string(),
            "registration": "out_of_band", "aggregator": id,
        });
        let der = api.post("/ders", &enrolment).await;
        der["mrid"].as_str().unwrap().clone_into(mrid);
    }
    mrids
}

async fn start(rig: &Rig) -> Client {
    let devices = [2, 3].map(|number| inverter(&rig.device(number).lfdi.to_string()));
    let more = json!({
        "devices": devices,
        "subscription": {
            "enabled": true,
            "notification_host": "127.0.0.1",
            "notification_port": free_address().port(),
            "notification_external_host": "localhost",
            "notification_client_cert_mode": "enforce",
        },
    });
    Client::start_with(rig, &rig.device(1), Edition::Y2018, &more)
}

/// Gives all its subscriptions as soon as there are some of each kind.
async fn subscribed(client: &Client) -> Vec<Value> {
    let what = format!("py20305 subscribes; see {}", client.folder.display());
    until(&what, READY_WITHIN, async || {
        let mut told = client.ask("GET", "/subscriptions").await?;
        let all: Vec<Value> = serde_json::from_value(told["subscriptions"].take()).unwrap();
        let has = |kind: &&str| all.iter().any(|one| one["resource_type"] == **kind);
        SUBSCRIBED.iter().all(has).then_some(all)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn py20305_as_an_aggregator_hears_of_controls_by_notification() {
    let _machine = shared().await;
    let setup = Setup {
        devices: 3,
        ieee2030_5: NOTIFIED,
        control: "tick_ms = 100\nsilent_after_s = 2700\nsettle_s = 2\nlead_s = 900",
        ..Setup::default()
    };
    let mut rig = Rig::started("py20305-aggregator", &setup).await;
    let ders = enrol(&rig).await;
    let everybody = json!({ "name": "everybody", "primacy": 50, "scope": "all" });
    let everybody = rig.api().post("/programs", &everybody).await["mrid"].take();
    let client = start(&rig).await;
    subscribed(&client).await;
    for der in &ders {
        client.reports(&rig, der).await;
    }

    let body = json!({ "start": in_s(6), "duration_s": 5, "base": { "max_lim_w_pct": 50.0 } });
    let shared_control = issue(&rig, &everybody, &body).await;
    let own = rig.api().get(&format!("/ders/{}", ders[0])).await["program"].take();
    let body = json!({ "start": in_s(200), "duration_s": 5, "base": { "target_w": 5_000.0 } });
    let withdrawn = issue(&rig, &own, &body).await;
    said(&client, &withdrawn, &[1]).await;
    rig.api()
        .post(&format!("/controls/{withdrawn}/cancel"), &json!({}))
        .await;
    said(&client, &withdrawn, &[1, 6]).await;
    // One response of each kind for each of the two.
    said(&client, &shared_control, &[1, 1, 2, 2, 3, 3]).await;
    let mut text = client.summary();
    for der in &ders {
        let row = delivery(&rig, der, &shared_control).await;
        assert_eq!(states(&row).last(), Some(&"completed"), "{row}");
        text += &format!("shared control at {der}: {:?}\n", states(&row));
    }
    assert_told(&client, &subscribed(&client).await);
    write_evidence("py20305-aggregator.txt", &text);
    client.assert_all_is_well().await;
    drop(client);
    rig.stop().await;
    rig.audit();
}

async fn said(client: &Client, control: &str, codes: &[u8]) {
    let what = format!("{codes:?} to {control}; see {}", client.folder.display());
    until(&what, TOLD_WITHIN, async || {
        let mut responses = client.responses(control);
        responses.sort_unstable();
        (responses == codes).then_some(())
    })
    .await;
}

/// It was told, over mutual TLS, of the resources that it had subscribed to, and took it.
fn assert_told(client: &Client, subscriptions: &[Value]) {
    let exchanges = client.exchanges();
    let notified: Vec<_> = exchanges.iter().filter(|e| e.method == "NOTIFY").collect();
    assert!(notified.iter().all(|e| e.status == 201), "{notified:#?}");
    let controls = notified
        .iter()
        .filter(|e| e.received.contains("xsi:type=\"DERControlList\""));
    assert!(2 <= controls.count(), "{notified:#?}");
    let resources = subscriptions
        .iter()
        .map(|one| one["subscribed_resource"].as_str());
    let resources: Vec<&str> = resources.map(Option::unwrap).collect();
    for one in notified {
        let (_, about) = one.received.split_once("<subscribedResource>").unwrap();
        let about = about.split('<').next().unwrap();
        assert!(resources.contains(&about), "{about}: {resources:?}");
    }
}
