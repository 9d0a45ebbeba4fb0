//! The rules of events: a hierarchy of programmes, supersession, cancellation and randomisation.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Edition, delivery, in_s, issue, states, write_evidence};
use super::{DEVICES, enrol};
use crate::rig::{Rig, Setup, shared};

const OVER_WITHIN: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(20);

/// From the whole grid down to the site.
const LEVELS: [&str; 7] = [
    "system",
    "sub_transmission",
    "substation",
    "feeder",
    "segment",
    "transformer",
    "service_point",
];

/// A control to issue, and the responses and the last step of its delivery that are due.
struct Expected {
    what: &'static str,
    mrid: String,
    responses: Vec<u8>,
    state: &'static str,
}

/// The nodes from the system down to a service point, and one beside them; the DER belongs to the
/// lowest and to that one. Gives the mRIDs of all.
async fn place(rig: &Rig, der: &str) -> Vec<Value> {
    let mut api = rig.api();
    let (mut nodes, mut parent) = (Vec::<Value>::new(), Value::Null);
    for level in LEVELS {
        let body = json!({ "name": level, "level": level, "parent": parent });
        parent = api.post("/assignments", &body).await["mrid"].take();
        nodes.push(parent.clone());
    }
    let beside = json!({ "name": "volunteers", "level": "non_topology" });
    nodes.push(api.post("/assignments", &beside).await["mrid"].take());
    let place = json!({ "assignments": [nodes[6], nodes[7]] });
    let reply = api
        .try_put(&format!("/ders/{der}/assignments"), &place)
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    nodes
}

async fn program(rig: &Rig, name: &str, primacy: u8, node: &Value) -> Value {
    let body = json!({ "name": name, "primacy": primacy, "scope": { "assignment": node } });
    rig.api().post("/programs", &body).await["mrid"].take()
}

/// What py20305 found: the primacies of the programmes, the best first.
async fn primacies(client: &Client) -> Vec<u64> {
    let found = client.ask("GET", "/programs").await.unwrap();
    let programs = found["programs"].as_array();
    let programs = programs.unwrap_or_else(|| panic!("{found}")).iter();
    let mut primacies: Vec<u64> = programs
        .map(|one| one["primacy"].as_u64().unwrap())
        .collect();
    primacies.sort_unstable();
    primacies
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn py20305_follows_the_rules_of_events() {
    let _machine = shared().await;
    let setup = Setup {
        ieee2030_5: DEVICES,
        ..Setup::default()
    };
    let mut rig = Rig::started("py20305-events", &setup).await;
    let der = enrol(&rig, 1, "out_of_band").await;
    let nodes = place(&rig, &der).await;
    let system = program(&rig, "system", 90, &nodes[0]).await;
    program(&rig, "substation", 80, &nodes[2]).await;
    let feeder = program(&rig, "feeder", 70, &nodes[3]).await;
    program(&rig, "volunteers", 60, &nodes[7]).await;
    let device = rig.device(1);
    let pins = json!({ "registration_pins": { device.lfdi.to_string(): super::PIN } });
    let client = Client::start(&rig, &device, Edition::Y2018, &pins);
    let own = client.reports(&rig, &der).await["program"].clone();
    assert!(
        client.log().contains("Registration PIN verified"),
        "{}",
        client.log()
    );
    assert_eq!(primacies(&client).await, [20, 60, 70, 80, 90]);

    let mut expected = overlapping(&rig, &client, [&system, &feeder, &own]).await;
    expected.extend(overlapping_ahead(&rig, [&system, &feeder]).await);
    expected.extend(cancelled(&rig, &client, &own).await);
    expected.push(randomised(&rig, &own).await);
    client
        .polls_until("all is over", OVER_WITHIN, async || {
            let is_over = |one: &Expected| one.responses.len() <= client.responses(&one.mrid).len();
            expected.iter().all(is_over).then_some(())
        })
        .await;
    let mut text = client.summary();
    for one in &expected {
        let row = delivery(&rig, &der, &one.mrid).await;
        let responses = client.responses(&one.mrid);
        writeln!(
            text,
            "{}: responses {responses:?}, {:?}",
            one.what,
            states(&row)
        )
        .unwrap();
        assert_eq!(responses, one.responses, "{}: {row}", one.what);
        assert_eq!(states(&row).last(), Some(&one.state), "{}: {row}", one.what);
    }
    write_evidence("py20305-events.txt", &text);
    let randomised = &expected.last().unwrap().mrid;
    assert_within_the_random_times(&delivery(&rig, &der, randomised).await);
    client.assert_all_is_well().await;
    drop(client);
    rig.stop().await;
    rig.audit();
}

async fn said(client: &Client, responses: [(&str, &[u8]); 2]) {
    client
        .polls_until("both are known", SOON, async || {
            let all = responses
                .iter()
                .all(|(mrid, codes)| client.responses(mrid) == *codes);
            all.then_some(())
        })
        .await;
}

fn expected(what: &'static str, mrid: String, responses: &[u8], state: &'static str) -> Expected {
    Expected {
        what,
        mrid,
        responses: responses.to_vec(),
        state,
    }
}

/// Two controls of one mode from two programmes, two from one programme: primacy decides about the
/// first pair, age about the second. The displacing ones are known only when the others are on.
async fn overlapping(
    rig: &Rig,
    client: &Client,
    [system, feeder, own]: [&Value; 3],
) -> Vec<Expected> {
    let limit = |pct: f64| json!({ "max_lim_w_pct": pct });
    let var = |pct: f64| json!({ "fixed_var": { "pct": pct, "of": "set_max_var" } });
    let wide = issue(
        rig,
        system,
        &json!({ "duration_s": 60, "base": limit(80.0) }),
    )
    .await;
    let older = issue(rig, own, &json!({ "duration_s": 60, "base": var(20.0) })).await;
    said(client, [(&wide, &[1, 2]), (&older, &[1, 2])]).await;
    // Times of creation are whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let local = json!({ "start": in_s(6), "duration_s": 8, "base": limit(50.0) });
    let local = issue(rig, feeder, &local).await;
    let newer = json!({ "start": in_s(7), "duration_s": 8, "base": var(-10.0) });
    let newer = issue(rig, own, &newer).await;
    vec![
        expected(
            "superseded by a better primacy",
            wide,
            &[1, 2, 7],
            "overridden",
        ),
        expected("of the better primacy", local, &[1, 2, 3], "completed"),
        expected("superseded by a newer one", older, &[1, 2, 7], "overridden"),
        expected("the newer one", newer, &[1, 2, 3], "completed"),
    ]
}

/// Both controls are known before either begins. The first should be on until the second begins
/// (IEEE 2030.5, 10.2.2.3, rule l); py20305 gives it up at once.
async fn overlapping_ahead(rig: &Rig, [system, feeder]: [&Value; 2]) -> Vec<Expected> {
    let power = |w: f64| json!({ "target_w": w });
    let wide = json!({ "start": in_s(8), "duration_s": 30, "base": power(4e3) });
    let wide = issue(rig, system, &wide).await;
    let local = json!({ "start": in_s(14), "duration_s": 6, "base": power(3e3) });
    let local = issue(rig, feeder, &local).await;
    vec![
        expected("given up ahead of its start", wide, &[1, 7], "overridden"),
        expected(
            "known ahead, of the better primacy",
            local,
            &[1, 2, 3],
            "completed",
        ),
    ]
}

/// One withdrawn before it begins, one while it is on.
async fn cancelled(rig: &Rig, client: &Client, own: &Value) -> Vec<Expected> {
    let ahead = json!({ "start": in_s(300), "duration_s": 60, "base": { "connect": true } });
    let ahead = issue(rig, own, &ahead).await;
    let now = json!({ "duration_s": 120, "base": { "target_var": 500.0 } });
    let now = issue(rig, own, &now).await;
    said(client, [(&ahead, &[1]), (&now, &[1, 2])]).await;
    for mrid in [&ahead, &now] {
        rig.api()
            .post(&format!("/controls/{mrid}/cancel"), &json!({}))
            .await;
    }
    vec![
        expected("cancelled before its start", ahead, &[1, 6], "overridden"),
        expected("cancelled while active", now, &[1, 2, 6], "overridden"),
    ]
}

const RANDOMISED_START_S: i64 = 6;
const RANDOMISED_DURATION_S: i64 = 4;
const DURATION_S: i64 = 6;

async fn randomised(rig: &Rig, own: &Value) -> Expected {
    let body = json!({
        "start": in_s(6), "duration_s": DURATION_S,
        "base": { "fixed_pf_inject": { "displacement": 0.95, "injects_vars": true } },
        "terms": {
            "randomize_start_s": RANDOMISED_START_S,
            "randomize_duration_s": RANDOMISED_DURATION_S,
        },
    });
    let mrid = issue(rig, own, &body).await;
    expected("randomised", mrid, &[1, 2, 3], "completed")
}

fn assert_within_the_random_times(row: &Value) {
    /// The client's clock is read in whole seconds, and its response takes a moment.
    const LATE_S: i64 = 3;
    let at = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let entries = row["entries"].as_array().unwrap();
    let reached = |state: &str| {
        let entry = entries.iter().find(|entry| entry["state"] == state);
        at(&entry.unwrap_or_else(|| panic!("{state}: {row}"))["at"]).as_second()
    };
    let begin = at(&row["start"]).as_second();
    let begun = reached("started") - begin;
    assert!(
        (0..=RANDOMISED_START_S + LATE_S).contains(&begun),
        "{begun} s: {row}"
    );
    let lasted = reached("completed") - reached("started");
    let most = DURATION_S + RANDOMISED_DURATION_S + LATE_S;
    assert!(
        (DURATION_S - 1..=most).contains(&lasted),
        "{lasted} s: {row}"
    );
}
