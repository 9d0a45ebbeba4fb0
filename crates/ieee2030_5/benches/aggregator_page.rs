//! The `EndDeviceList` of an aggregator with many devices: time of one page of 255, memory of one
//! device, against writing the same bytes once more.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a benchmark reads the clock and stops at what can not be"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use fleet::{
    AggregatorId, CimMrid, Command, DerKind, Fleet, Identity, Lfdi, Name, NewAggregator, NewDer,
    Pin,
};
use ieee2030_5::server::{Answer, Request, Resources, ServerConfig, View, handle};
use units::{Percent, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const PAGE: usize = 255;

fn main() {
    println!("EndDeviceList of an aggregator, pages of {PAGE}, all of them walked");
    println!(
        "{:>10} {:>12} {:>12} {:>12} {:>14} {:>10}",
        "devices", "median us", "99 % us", "copy us", "bytes a page", "B/device"
    );
    for count in [1_000, 10_000, 100_000] {
        row(count);
    }
}

fn row(count: usize) {
    let before = resident_bytes();
    let fleet = fleet(count);
    let per_device = resident_bytes().saturating_sub(before) / count as u64;
    let resources = Resources::default();
    let config = ServerConfig::new(Lfdi([1; 20]));
    let view = View {
        fleet: &fleet,
        resources: &resources,
        config: &config,
    };
    let mut took = Vec::new();
    let mut copied = Vec::new();
    let mut bytes = 0;
    for start in (0..count).step_by(PAGE) {
        let query = format!("s={start}&l={PAGE}");
        let request = Request {
            method: "GET",
            path: "/edev",
            query: Some(&query),
            accept: Some("application/sep+xml"),
            content_type: None,
            if_none_match: None,
            range: None,
            body: &[],
            lfdi: manager(),
            random: 0,
        };
        let begun = Instant::now();
        let answer = handle(black_box(&request), &view, NOW);
        took.push(begun.elapsed());
        let Answer::Reply(reply) = answer else {
            panic!("a GET changes nothing");
        };
        assert_eq!(reply.status, 200);
        bytes = bytes.max(reply.body.len());
        let begun = Instant::now();
        black_box(black_box(&reply.body).clone());
        copied.push(begun.elapsed());
    }
    println!(
        "{count:>10} {:>12.1} {:>12.1} {:>12.1} {bytes:>14} {per_device:>10}",
        quantile(&mut took, 50),
        quantile(&mut took, 99),
        quantile(&mut copied, 50),
    );
}

fn manager() -> Lfdi {
    Lfdi([0xA6; 20])
}

fn fleet(count: usize) -> Fleet {
    let mut fleet = Fleet::default();
    let mut run = |command: &Command| {
        for event in fleet.decide(command, NOW).expect("acceptable") {
            fleet.apply(&event);
        }
    };
    run(&Command::FoundFleet(Identity {
        seed: 7,
        pen: 37_250,
    }));
    run(&Command::EnrolAggregator(NewAggregator {
        name: Name::new("aggregator").expect("a name"),
        lfdi: manager(),
        pin: Pin::with_check_digit(11_111),
        registered: true,
        may_enrol: true,
    }));
    for index in 0..count {
        let mut lfdi = [0; 20];
        // Spread as hashes are, so that the order by SFDI is not that of enrolment.
        let spread = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        lfdi[..8].copy_from_slice(&spread.to_be_bytes());
        run(&Command::EnrolDer(NewDer {
            mrid: CimMrid::new(&format!("der-{index}")).expect("an mRID"),
            name: Name::new(&format!("DER {index}")).expect("a name"),
            kind: DerKind::Storage,
            lfdi: Lfdi(lfdi),
            pin: Pin::with_check_digit(11_111),
            registered: true,
            reserve: Percent::default(),
            manager: Some(AggregatorId(0)),
            assignments: Vec::new(),
        }));
    }
    fleet
}

/// In microseconds.
fn quantile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.expect("the kernel counts it") * 1_024
}
