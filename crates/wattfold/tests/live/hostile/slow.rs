//! Clients that do not finish what they began.

use std::time::Duration;

use wattfold::clock;
use wattfold::device_listener::{BODY_TIMEOUT, HANDSHAKE_TIMEOUT};

use super::with_devices;
use crate::device::{Device, write};
use crate::exchange::Wire;
use crate::rig::shared;

/// How much later than announced a timeout may come.
const SLACK: Duration = Duration::from_secs(5);
/// The head of a record that announces a longer `ClientHello` than follows.
const HALF_A_HELLO: [u8; 11] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];

/// A handshake of which only this much is sent is given up in time.
async fn handshake(rig_devices: std::net::SocketAddr, sent: &[u8]) {
    let mut wire = Wire::plain(rig_devices).await.unwrap();
    wire.send(sent).await.unwrap();
    let began = clock::now();
    let limit = HANDSHAKE_TIMEOUT + SLACK;
    assert!(wire.is_closed_within(limit).await, "{sent:?}");
    let took = clock::now().since(began);
    println!(
        "a handshake of {} bytes was given up after {took:?}",
        sent.len()
    );
    assert!(HANDSHAKE_TIMEOUT - SLACK < took, "{took:?}");
}

/// A `ClientHello` that comes byte by byte is not waited for either.
async fn trickle(devices: std::net::SocketAddr) {
    let mut wire = Wire::plain(devices).await.unwrap();
    let began = clock::now();
    for byte in HALF_A_HELLO.iter().chain(&[0; 40]) {
        if wire.send(&[*byte]).await.is_err() || wire.is_closed_within(Duration::from_secs(1)).await
        {
            break;
        }
    }
    let took = clock::now().since(began);
    assert!(took < HANDSHAKE_TIMEOUT + SLACK, "{took:?}");
}

async fn body(device: &Device) {
    let mut wire = device.connect().await.unwrap();
    let put = write("PUT", "/edev/0/der/1/derg", "");
    let head = put.head("Content-Length: 1000\r\n");
    wire.send(&head).await.unwrap();
    wire.send(b"<DERSettings ").await.unwrap();
    let began = clock::now();
    let reply = wire.reply_within(BODY_TIMEOUT + SLACK).await.unwrap();
    assert_eq!(reply.status, 408, "{reply:?}");
    assert!(reply.text().contains("<Error "), "{reply:?}");
    let took = clock::now().since(began);
    assert!(BODY_TIMEOUT - SLACK < took, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_never_finished_is_given_up() {
    let _machine = shared().await;
    let (mut rig, [device, ..]) = with_devices("slow").await;
    let settings = device.get("/edev/0/der/1/derg").await.unwrap().text();
    let devices = rig.devices;
    tokio::join!(
        handshake(devices, b""),
        handshake(devices, &HALF_A_HELLO),
        trickle(devices),
        body(&device),
    );
    assert_eq!(
        device.get("/edev/0/der/1/derg").await.unwrap().text(),
        settings
    );
    rig.assert_running();
    rig.stop().await;
}
