//! Any request to the IEEE 2030.5 server: one line with method and address, one with the headers, then
//! the body. Nothing panics; what is submitted is taken up; nobody is served what is another's.
#![no_main]

use std::sync::LazyLock;

use fleet::{CimMrid, Command, DerId, DerKind, Fleet, Identity, Lfdi, Name, NewDer, Pin};
use ieee2030_5::server::{Answer, Request, Resources, ServerConfig, View, handle};
use libfuzzer_sys::fuzz_target;
use units::{Percent, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const OWN: Lfdi = Lfdi([0x3E; 20]);
const OTHER: Lfdi = Lfdi([0x4F; 20]);

static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
    let mut fleet = Fleet::default();
    let mut commands = vec![Command::FoundFleet(Identity {
        seed: 1,
        pen: 40_732,
    })];
    for (name, lfdi) in [("own", OWN), ("other", OTHER)] {
        commands.push(Command::EnrolDer(NewDer {
            mrid: CimMrid::new(name).expect("a name is an mRID"),
            name: Name::new(name).expect("a short name"),
            kind: DerKind::Pv,
            lfdi,
            pin: Pin::with_check_digit(11_111),
            registered: true,
            reserve: Percent::default(),
        }));
    }
    for command in &commands {
        for event in fleet
            .decide(command, NOW)
            .expect("a fresh fleet takes them")
        {
            fleet.apply(&event);
        }
    }
    fleet
});

static CONFIG: LazyLock<ServerConfig> = LazyLock::new(|| ServerConfig::new(Lfdi([0x77; 20])));

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let mut text = || lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let (Some(line), Some(headers)) = (text(), text()) else {
        return;
    };
    let body = lines.next().unwrap_or_default();
    let (method, address) = line.split_once(' ').unwrap_or((line, "/dcap"));
    let (path, query) = match address.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (address, None),
    };
    let (accept, content_type) = headers.split_once('|').unwrap_or((headers, headers));
    let accept = Some(accept).filter(|accept| !accept.is_empty());
    let content_type = Some(content_type).filter(|kind| !kind.is_empty());
    let request = Request {
        method,
        path,
        query,
        accept,
        content_type,
        body,
        lfdi: OWN,
    };
    let mut resources = Resources::default();
    let view = View {
        fleet: &FLEET,
        resources: &resources,
        config: &CONFIG,
    };
    match handle(&request, &view, NOW) {
        Answer::Reply(reply) => {
            let foreign = OTHER.to_string();
            let body = String::from_utf8(reply.body).expect("replies are text");
            assert!(!body.contains(&foreign));
        }
        Answer::Submit(submission) => {
            assert_eq!(submission.der, DerId(0));
            for document in &submission.documents {
                resources
                    .apply(document)
                    .expect("what is kept can be taken up");
            }
        }
    }
});
