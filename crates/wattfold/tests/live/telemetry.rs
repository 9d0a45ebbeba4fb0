//! More readings than can be written: they are refused, never acknowledged and lost, and controls
//! do not wait.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;
use wattfold::clock;
use wattfold::telemetry::{MAX_BURST, MAX_WAITING_SAMPLES};

use crate::api::Api;
use crate::device::{Device, power_meter, power_readings, write};
use crate::exchange::Reply;
use crate::peers::{self, Running};
use crate::rig::{Rig, Setup, alone, until};

const METER: u128 = 0x2030_5000;
const READINGS: usize = 1_000;
/// Devices that post as much as each of them may: more than the queue holds.
const POSTING: usize = MAX_WAITING_SAMPLES / MAX_BURST + 4;
const POSTS: usize = MAX_BURST / READINGS;
const COMMANDED_WITHIN: Duration = Duration::from_secs(2);
const RESIDENT_MORE_MAX: u64 = 200 * 1_024 * 1_024;

/// While it lives nobody can write the database.
struct Lock {
    running: Running,
    _held: ChildStdin,
}

impl Lock {
    fn take(file: &Path) -> Self {
        let mut child = Command::new(peers::python())
            .arg(peers::script("hold_lock.py"))
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let held = child.stdin.take().unwrap();
        let mut answer = BufReader::new(child.stdout.take().unwrap());
        let running = Running(child);
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        assert_eq!(line, "locked\n");
        Self {
            running,
            _held: held,
        }
    }

    fn release(self) {
        drop(self.running);
    }
}

/// A device with a meter.
#[derive(Clone)]
struct Metered {
    device: Device,
    mrid: u128,
    meter: String,
}

impl Metered {
    /// Enrols the device with a meter for its power.
    async fn enrolled(device: Device, number: usize, api: &mut Api) -> Self {
        let enrolment = json!({
            "name": device.name, "kind": "pv", "lfdi": device.lfdi.to_string(),
            "mrid": format!("metered {number}"), "registration": "out_of_band",
        });
        api.post("/ders", &enrolment).await;
        let mrid = METER + 16 * u128::try_from(number).unwrap();
        let meter = write("POST", "/mup", power_meter(device.lfdi, mrid));
        let meter = device.ask(&meter).await.unwrap();
        assert_eq!(meter.status, 201, "{meter:?}");
        Self {
            meter: meter.header("location").to_owned(),
            device,
            mrid,
        }
    }

    /// Posts so many blocks of readings and gives what was answered.
    async fn posted(self, posts: usize, start_s: i64) -> Vec<Reply> {
        let mut wire = self.device.connect().await.unwrap();
        let mut replies = Vec::new();
        for post in 0..posts {
            let begin_s = start_s + i64::try_from(post * READINGS).unwrap();
            let body = power_readings(self.mrid, begin_s, READINGS);
            let post = write("POST", &self.meter, body);
            replies.push(wire.exchange(&post).await.unwrap());
        }
        replies
    }
}

/// It says when to ask again, in HTTP and in the words of the protocol.
fn assert_puts_off(reply: &Reply, reason_code: u8) {
    let wait_s: u32 = reply.header("retry-after").parse().unwrap();
    let body = reply.text();
    for part in [
        format!("<maxRetryDuration>{wait_s}</maxRetryDuration>"),
        format!("<reasonCode>{reason_code}</reasonCode>"),
    ] {
        assert!(body.contains(&part), "{part}: {body}");
    }
}

/// Gives one command after the other until all is posted. Returns what was answered to that, and
/// the longest time that a command took.
async fn command_meanwhile(
    api: &mut Api,
    mut posting: JoinSet<Vec<Reply>>,
) -> (Vec<Reply>, Duration) {
    let (mut replies, mut commands, mut longest) = (Vec::new(), 0, Duration::ZERO);
    while !posting.is_empty() {
        let group = json!({ "names": [format!("group {commands}")], "members": ["metered 1"] });
        let asked = clock::now();
        api.post("/groups", &group).await;
        longest = longest.max(clock::now().since(asked));
        commands += 1;
        while let Some(ended) = posting.try_join_next() {
            replies.extend(ended.unwrap());
        }
    }
    (replies, longest)
}

async fn stores_the_next(metered: &Metered, api: &mut Api) {
    let at_s = clock::now().secs() - 50;
    let reading = power_readings(metered.mrid, at_s, 1);
    let reading = write("POST", &metered.meter, reading);
    assert_eq!(metered.device.ask(&reading).await.unwrap().status, 204);
    let at = |s: i64| Timestamp::from_second(s).unwrap();
    let path = format!(
        "/telemetry?der=metered%201&quantity=p_w&from={}&to={}",
        at(at_s),
        at(at_s + 1)
    );
    until(
        "the next reading is stored",
        Duration::from_secs(5),
        async || {
            let found = api.get(&path).await;
            let points = found["points"].as_array().unwrap();
            (points.len() == 1).then_some(())
        },
    )
    .await;
}

async fn stored(api: &mut Api, samples: u64) {
    until(
        "what was acknowledged is stored",
        Duration::from_secs(60),
        async || {
            let stored = api.metric("wattfold_samples_stored_total").await;
            assert!(stored <= samples, "{stored} of {samples}");
            (stored == samples).then_some(())
        },
    )
    .await;
    assert_eq!(api.metric("wattfold_samples_shed_total").await, 0);
}

fn samples(acknowledged: usize) -> u64 {
    u64::try_from(acknowledged * READINGS).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_readings_is_put_off_while_commands_are_taken() {
    let _machine = alone().await;
    let setup = Setup {
        devices: 1 + POSTING,
        ..Setup::default()
    };
    let mut rig = Rig::started("telemetry", &setup).await;
    let mut api = rig.api();
    let greedy = Metered::enrolled(rig.device(1), 1, &mut api).await;
    let start_s = clock::now().secs() - 100_000;
    let replies = greedy.clone().posted(3 * POSTS, start_s).await;
    let count = |replies: &[Reply], status| replies.iter().filter(|r| r.status == status).count();
    let mut taken = count(&replies, 204);
    assert!(POSTS - 1 <= taken && taken < replies.len(), "{taken}");
    assert_eq!(taken + count(&replies, 429), replies.len());
    let put_off = replies.iter().filter(|reply| reply.status == 429);
    put_off.for_each(|reply| assert_puts_off(reply, 4));
    stored(&mut api, samples(taken)).await;

    let idle = rig.resident_bytes();
    let lock = Lock::take(&rig.data().join("telemetry.sqlite"));
    let mut posting = JoinSet::new();
    for number in 2..2 + POSTING {
        let metered = Metered::enrolled(rig.device(number), number, &mut api).await;
        posting.spawn(metered.posted(POSTS, start_s));
    }
    let (replies, longest) = command_meanwhile(&mut api, posting).await;
    let resident = rig.resident_bytes();
    let put_off: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 503).collect();
    println!(
        "{} posts of {READINGS} readings, {} put off; the longest command took {longest:?}; \
         {} MiB resident, before {} MiB",
        replies.len(),
        put_off.len(),
        resident >> 20,
        idle >> 20
    );
    assert!(longest < COMMANDED_WITHIN, "{longest:?}");
    assert!(resident < idle + RESIDENT_MORE_MAX, "{resident}");
    assert!(!put_off.is_empty());
    put_off
        .into_iter()
        .for_each(|reply| assert_puts_off(reply, 2));

    lock.release();
    taken += count(&replies, 204);
    stored(&mut api, samples(taken)).await;
    stores_the_next(&greedy, &mut api).await;
    rig.stop().await;
    rig.audit();
}
