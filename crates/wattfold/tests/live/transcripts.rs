//! What clients of the field send, byte by byte as they send it: a table of requests that stray from
//! the letter of the standard, or use all of its freedom, and have to be answered all the same.

mod epri;
mod rows;

use std::fs::File;
use std::io::Write as _;

use serde_json::json;

use crate::device::Device;
use crate::exchange::{Reply, Wire};
use crate::peers;
use crate::rig::{Rig, Setup, shared};
use rows::{Row, Scene};

const PIN: u32 = 111_115;

/// Replies, to be validated by the schema in the end.
struct Transcript(File);

impl Transcript {
    fn add(&mut self, what: &str, reply: &Reply) {
        let line = json!({
            "method": "", "path": what, "status": reply.status,
            "content_type": reply.headers.get("content-type"), "received": reply.text(),
        });
        writeln!(self.0, "{line}").unwrap();
    }
}

/// A server, and a device that is known to it and shows its certificate without those above it.
async fn with_leaf_only(name: &str, registration: &str) -> (Rig, Device) {
    let setup = Setup {
        devices: 2,
        ..Setup::default()
    };
    let rig = Rig::started(name, &setup).await;
    let device = rig.device_with_leaf_only(1);
    let enrolment = json!({
        "name": device.name, "kind": "pv", "lfdi": device.lfdi.to_string(), "pin": PIN,
        "registration": registration,
    });
    rig.api().post("/ders", &enrolment).await;
    (rig, device)
}

async fn judged(rig: &Rig) {
    let path = rig.dir.join("replies.jsonl").to_str().unwrap().to_owned();
    let judged = peers::run("sep_valid.py", &[path]).await;
    let told = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{told}");
    println!("{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_the_field_are_answered() {
    let _machine = shared().await;
    let (mut rig, device) = with_leaf_only("transcripts", "out_of_band").await;
    let der = rig.api().list("/ders").await.remove(0);
    let control = json!({ "duration_s": 600, "base": { "connect": true } });
    let path = format!("/programs/{}/controls", der["program"].as_str().unwrap());
    let control = rig.api().post(&path, &control).await;
    let scene = Scene {
        lfdi: device.lfdi,
        port: rig.devices.port(),
        control: control["mrid"].as_str().unwrap().to_owned(),
    };
    let mut transcript = Transcript(File::create(rig.dir.join("replies.jsonl")).unwrap());
    for Row {
        trap,
        bytes,
        status,
        says,
    } in rows::rows(&scene)
    {
        let mut wire = device.connect().await.unwrap();
        wire.send(&bytes).await.unwrap();
        let reply = if bytes.starts_with(b"HEAD") {
            wire.reply_to_head().await
        } else {
            wire.reply().await
        };
        let reply = reply.unwrap_or_else(|error| panic!("{trap}: {error}"));
        transcript.add(trap, &reply);
        let text = reply.text();
        assert_eq!(reply.status, status, "{trap}: {text}");
        assert!(text.contains(says), "{trap}: {text}");
        if reply.status == 200 && !text.is_empty() {
            assert_eq!(
                reply.header("content-type"),
                "application/sep+xml",
                "{trap}"
            );
        }
    }
    judged(&rig).await;
    rig.stop().await;
}

/// One request on a connection that is kept; gives the reply if it has this status.
async fn answered(wire: &mut Wire, bytes: &[u8], status: u16) -> Reply {
    wire.send(bytes).await.unwrap();
    let reply = wire.reply().await.unwrap();
    let sent = String::from_utf8_lossy(bytes);
    assert_eq!(reply.status, status, "{sent}\n{}", reply.text());
    reply
}
