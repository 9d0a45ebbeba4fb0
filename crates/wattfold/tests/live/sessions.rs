//! What becomes of open connections when a certificate is no longer honoured, and where the server
//! can be reached.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use wattfold::clock;
use wattfold::device_listener::{MAX_CONNECTIONS_OF_DER, MAX_CONNECTIONS_OF_STRANGER};

use crate::device::Device;
use crate::exchange::Request;
use crate::rig::{Rig, Setup, alone, shared, until};

/// From the change of a file to the last session that rests on it.
const WITHIN: Duration = Duration::from_secs(1);

async fn with_list(name: &str, devices: usize) -> Rig {
    let setup = Setup {
        devices,
        ieee2030_5: "poll_rate_s = 1\npost_rate_s = 1\nrevoked = \"pki/revoked.pem\"",
        ..Setup::default()
    };
    Rig::started(name, &setup).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_certificate_ends_its_sessions_within_a_second() {
    let _machine = alone().await;
    let mut rig = with_list("revoked", 2).await;
    let (lost, kept) = (rig.device(1), rig.device(2));
    let mut of_lost = lost.connect().await.unwrap();
    let mut of_kept = kept.connect().await.unwrap();
    let time = Request::new("GET", "/tm");
    for wire in [&mut of_lost, &mut of_kept] {
        assert_eq!(wire.exchange(&time).await.unwrap().status, 200);
    }
    rig.wattfold(&["pki", "revoke", "pki", &lost.name]);
    let began = clock::now();
    assert!(of_lost.is_closed_within(WITHIN).await);
    println!("closed after {:?}", clock::now().since(began));
    assert!(lost.connect().await.is_err());
    assert_eq!(of_kept.exchange(&time).await.unwrap().status, 200);
    let metrics = metrics(&rig).await;
    for counted in [
        "wattfold_sessions_ended_total{outcome=\"revoked\"} 1",
        "wattfold_handshakes_total{outcome=\"revoked\"} 1",
    ] {
        assert!(metrics.contains(counted), "{counted}: {metrics}");
    }
    let log = rig.log_tail();
    assert!(log.contains("reason=\"revoked\""), "{log}");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_authority_ends_the_sessions_below_it() {
    let _machine = shared().await;
    let mut rig = with_list("revoked-authority", 1).await;
    rig.wattfold(&["pki", "authority", "pki", "mica-2"]);
    let mut wire = rig.device(1).connect().await.unwrap();
    let time = Request::new("GET", "/tm");
    assert_eq!(wire.exchange(&time).await.unwrap().status, 200);
    // Nobody's certificate is of this one.
    rig.wattfold(&["pki", "revoke", "pki", "mica-2"]);
    assert!(!wire.is_closed_within(2 * WITHIN).await);
    rig.wattfold(&["pki", "revoke", "pki", "mica"]);
    assert!(wire.is_closed_within(10 * WITHIN).await);
    assert!(rig.device(1).connect().await.is_err());
    rig.stop().await;
}

/// The oldest of too many connections goes, so that a device which came back is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_too_many_connections_loses_its_oldest() {
    let _machine = shared().await;
    let setup = Setup {
        devices: 2,
        ..Setup::default()
    };
    let mut rig = Rig::started("crowded", &setup).await;
    let (device, stranger) = (rig.device(1), rig.device(2));
    let enrolment = json!({
        "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
        "registration": "out_of_band",
    });
    rig.api().post("/ders", &enrolment).await;
    let time = Request::new("GET", "/tm");
    for (client, max) in [
        (device, MAX_CONNECTIONS_OF_DER),
        (stranger, MAX_CONNECTIONS_OF_STRANGER),
    ] {
        let mut wires = Vec::new();
        for _ in 0..=max {
            let mut wire = client.connect().await.unwrap();
            assert_eq!(wire.exchange(&time).await.unwrap().status, 200);
            wires.push(wire);
        }
        let mut oldest = wires.remove(0);
        assert!(oldest.is_closed_within(10 * WITHIN).await, "{max}");
        for wire in &mut wires {
            assert_eq!(wire.exchange(&time).await.unwrap().status, 200, "{max}");
        }
    }
    let counted = "wattfold_sessions_ended_total{outcome=\"too_many_connections\"} 2";
    let metrics = metrics(&rig).await;
    assert!(metrics.contains(counted), "{metrics}");
    let log = rig.log_tail();
    assert!(log.contains("reason=\"too_many_connections\""), "{log}");
    rig.stop().await;
}

async fn metrics(rig: &Rig) -> String {
    let request = rig.api().authorized(Request::new("GET", "/metrics"));
    rig.api().send(request).await.unwrap().text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_whose_access_is_revoked_loses_its_connection_at_its_next_request() {
    let _machine = shared().await;
    let mut rig = Rig::started("barred", &Setup::default()).await;
    let device = rig.device(1);
    let mut api = rig.api();
    let enrolment = json!({
        "name": device.name, "kind": "storage", "lfdi": device.lfdi.to_string(),
        "registration": "out_of_band",
    });
    let der = api.post("/ders", &enrolment).await;
    let mrid = der["mrid"].as_str().unwrap().to_owned();
    let mut wire = device.connect().await.unwrap();
    let own = Request::new("GET", "/edev/0");
    assert_eq!(wire.exchange(&own).await.unwrap().status, 200);
    let barred = json!({ "granted": false });
    let path = format!("/ders/{mrid}/access");
    assert_eq!(api.try_put(&path, &barred).await.status, 200);
    let reply = wire.exchange(&own).await.unwrap();
    assert!((400..500).contains(&reply.status), "{reply:?}");
    assert_eq!(reply.header("connection"), "close");
    assert!(wire.is_closed_within(WITHIN).await);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_in_the_list_leaves_everything_as_it_was() {
    let _machine = shared().await;
    let mut rig = with_list("revoked-nonsense", 1).await;
    let device = rig.device(1);
    let list = rig.pki().join("revoked.pem");
    std::fs::write(&list, format!("{}\nnonsense\n", device.lfdi)).unwrap();
    until("it is said", Duration::from_secs(5), async || {
        rig.log_tail().contains("stay as they were").then_some(())
    })
    .await;
    assert_eq!(device.get("/tm").await.unwrap().status, 200);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_come_over_both_versions_of_ip() {
    let _machine = shared().await;
    let mut rig = Rig::new("ipv6", &Setup::default());
    let config = rig.dir.join("wattfold.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let one = format!("listen = \"{}\"", rig.devices);
    let port = rig.devices.port();
    for (listen, addresses) in [
        (
            format!("listen = [\"{}\", \"[::1]:{port}\"]", rig.devices),
            vec![rig.devices, SocketAddr::from((Ipv6Addr::LOCALHOST, port))],
        ),
        // One socket for both.
        (
            format!("listen = \"[::]:{port}\""),
            vec![
                SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            ],
        ),
    ] {
        std::fs::write(&config, text.replace(&one, &listen)).unwrap();
        rig.start().await;
        for address in addresses {
            let device: Device = rig.device(1).at(address);
            assert_eq!(device.get("/tm").await.unwrap().status, 200, "{address}");
        }
        rig.stop().await;
    }
}
