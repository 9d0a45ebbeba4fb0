//! Any server to an IEEE 2030.5 client, and any saved state. Nothing panics, the client does not ask
//! without end, and what it saves it can be restored from.
//!
//! The first byte says how the client is configured. Then come answers with a record separator before
//! each: one line with path, status and `Location`, then the body. Those of the path `ntf` are posted
//! to the client as notifications.
#![no_main]

use std::time::Duration;

use ieee2030_5::client::report::Nameplate;
use ieee2030_5::client::{
    Answer, Client, Config, DeviceConfig, DeviceIndex, Request, Sample, SubscriptionConfig,
};
use ieee2030_5::codec::table::{Edition, Extension, Profile};
use ieee2030_5::wire::control_mode::DerControlType;
use ieee2030_5::wire::der::DerType;
use libfuzzer_sys::fuzz_target;
use units::{Timestamp, Vars, VoltAmperes, WattHours, Watts};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const RECORD_SEPARATOR: u8 = 0x1E;
const STEPS: u32 = 30;
/// Requests that are answered in one run.
const REQUESTS_MAX: usize = 400;
/// Polls of one instant after which a client asks without end.
const POLLS_MAX: usize = REQUESTS_MAX + 10;

fuzz_target!(|input: &[u8]| {
    if let Ok(client) = Client::restore(config(u8::MAX), input, NOW) {
        run(client, u8::MAX, &[]);
    }
    let Some((flags, answers)) = input.split_first() else {
        return;
    };
    let answers = answers.split(|byte| *byte == RECORD_SEPARATOR).skip(1);
    let answers: Vec<Page<'_>> = answers.map(Page::of).collect();
    run(Client::new(config(*flags), NOW), *flags, &answers);
});

/// What is answered at a path.
struct Page<'a> {
    path: &'a str,
    status: u16,
    location: Option<&'a str>,
    body: &'a [u8],
}

impl<'a> Page<'a> {
    fn of(record: &'a [u8]) -> Self {
        let end = record.iter().position(|byte| *byte == b'\n');
        let (head, body) = record.split_at(end.unwrap_or(record.len()));
        let head = std::str::from_utf8(head).unwrap_or_default();
        let mut fields = head.splitn(3, ' ');
        Self {
            path: fields.next().unwrap_or_default(),
            status: fields.next().and_then(|it| it.parse().ok()).unwrap_or(200),
            location: fields.next(),
            body: body.get(1..).unwrap_or_default(),
        }
    }
}

fn config(flags: u8) -> Config {
    let has = |bit: u8| flags & bit != 0;
    let nameplate = Nameplate {
        der_type: DerType::OTHER_STORAGE,
        modes: DerControlType::new(u32::MAX >> 5),
        p_inject_max: Watts::whole(5_000),
        p_absorb_max: Watts::whole(5_000),
        s_max: VoltAmperes::whole(5_000),
        q_max: Vars::whole(2_000),
        energy_max: Some(WattHours::whole(10_000)),
        gradient_hundredths_per_s: 100,
    };
    let device = |octet: u8| DeviceConfig {
        pin: has(1).then_some(111_115),
        ..DeviceConfig::new([octet; 20], octet.into(), nameplate)
    };
    let edition = if has(2) {
        Edition::Y2023
    } else {
        Edition::Y2018
    };
    Config {
        profile: Profile::new(edition, Extension::CsipAus13),
        follows_loads: has(4),
        follows_prices: has(8),
        subscription: has(16).then(|| SubscriptionConfig {
            notification_uri: "https://client.example/ntf".to_owned(),
            fallback: Duration::from_secs(3_600),
            renewal: Duration::from_secs(86_400),
            limit: 100,
        }),
        devices: vec![device(0xAB), device(0xAC)],
        ..Config::of_device("https://server.example/dcap".to_owned(), device(0xAB))
    }
}

fn run(mut client: Client, flags: u8, pages: &[Page<'_>]) {
    let mut now = NOW;
    let mut asked = 0;
    let notifications: Vec<&[u8]> = pages
        .iter()
        .filter(|page| page.path == "ntf")
        .map(|page| page.body)
        .collect();
    for step in 0..STEPS {
        for device in [DeviceIndex(0), DeviceIndex(1)] {
            client.measure(device, sample(), now);
        }
        settle(&mut client, now, &mut asked, pages);
        if let Some(body) = notifications.get(step as usize) {
            client.on_notification(body, now);
        }
        match step {
            7 => client.opt_out(DeviceIndex(0), now),
            9 => client.opt_in(DeviceIndex(0), now),
            _ => {}
        }
        for device in client.take_changed(now) {
            let _ = (client.setpoint(device, now), client.prices(device));
            let _ = (client.loads(device), client.events(device).count());
        }
        // A second at first, hours at last; never past what the client itself waits for.
        let pause = Duration::from_secs(1 << (step / 2).min(14));
        let wake = client.wake_at(now).unwrap_or(now);
        now = now.after(pause.min(wake.since(now).max(Duration::from_secs(1))));
        if step == STEPS / 2 {
            client = restored(&client, flags, now);
        }
    }
    restored(&client, flags, now);
}

fn restored(client: &Client, flags: u8, now: Timestamp) -> Client {
    let saved = client.save();
    Client::restore(config(flags), &saved, now).expect("what is saved can be restored")
}

/// Answers what is due now, as long as there is something.
fn settle(client: &mut Client, now: Timestamp, asked: &mut usize, pages: &[Page<'_>]) {
    for _ in 0..POLLS_MAX {
        let requests = client.poll(now);
        if requests.is_empty() {
            return;
        }
        for request in requests {
            *asked += 1;
            if REQUESTS_MAX < *asked {
                client.on_lost(request.id, now);
            } else {
                answer(client, &request, now, pages);
            }
        }
    }
    panic!("the client asks without end");
}

fn answer(client: &mut Client, request: &Request, now: Timestamp, pages: &[Page<'_>]) {
    let path = request.href.split('?').next().unwrap_or_default();
    let missing = Answer {
        status: 404,
        ..Answer::default()
    };
    let page = pages.iter().find(|page| page.path == path);
    let answer = page.map_or(missing, |page| Answer {
        status: page.status,
        location: page.location,
        retry_after: None,
        body: page.body,
    });
    if let Some(taken) = client.on_answer(request.id, answer, now) {
        assert!(client.taken_line(&taken).ends_with('\n'));
    }
}

fn sample() -> Sample {
    Sample {
        p: Watts::whole(1_000),
        q: Vars::ZERO,
        voltage_v: 230.0,
        soc_hundredths: Some(5_000),
        p_available: Watts::whole(5_000),
        is_connected: true,
    }
}
