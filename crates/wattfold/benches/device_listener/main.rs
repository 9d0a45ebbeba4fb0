//! The device listener against the barest servers that could stand in its place: a blocking
//! OpenSSL accept loop for handshakes, and hyper on OpenSSL with a fixed body for requests.
//!
//! Every server is a process of its own, so that its processor time can be told from that of the
//! load generator, which runs beside them on the same cores. All is mutual TLS with `CCM_8`, and
//! every connection shows another certificate. Ours and the bare one take turns.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::panic, reason = "a benchmark that can't measure has no result")]

mod bare;
mod load;
mod rig;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rig::{Process, Rig};

/// Certificates, and connections for requests.
const DEVICES: usize = 128;
const ROUNDS: usize = 5;
/// Length of a round where nothing else is said.
const ROUND_S: u64 = 2;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [_, "bare-accept", dir] => return bare::accept(Path::new(dir)),
        [_, "bare-get", dir, body] => return bare::get(Path::new(dir), Path::new(body)),
        _ => {}
    }
    let round = std::env::var("WATTFOLD_BENCH_ROUND_S");
    let round_s = round.map_or(ROUND_S, |text| text.parse().expect("a number of seconds"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("tokio");
    runtime.block_on(bench(Duration::from_secs(round_s)));
}

async fn bench(round: Duration) {
    let rig = Rig::start(DEVICES).await;
    println!("{DEVICES} certificates; rounds of {round:?}");
    handshakes(&rig, round).await;
    let mut lists = Vec::new();
    for client in &rig.clients {
        let path = load::control_list(client, rig.server.address).await;
        lists.push(load::get(&path));
    }
    gets(&rig, &lists, round).await;
    posts(&rig, &lists, round).await;
    relayed(&rig, &lists, round).await;
    rig.end();
}

/// One side of a comparison: what was done, and what it cost the server.
#[derive(Clone, Copy)]
struct Score {
    per_s: f64,
    per_cpu_s: f64,
}

impl Score {
    fn of(count: u64, wall: Duration, cpu: Duration) -> Self {
        Self {
            per_s: count as f64 / wall.as_secs_f64(),
            per_cpu_s: count as f64 / cpu.as_secs_f64(),
        }
    }
}

/// Prints the rounds and their medians, and the ratios of the first side to the second.
fn compare(what: &str, names: [&str; 2], rounds: &[[Score; 2]], asked: &str) {
    println!("\n{what}");
    let [a, b] = names;
    println!(
        "{:>6} {:>14} {:>14} {:>7} {:>16} {:>16} {:>7}",
        "round",
        format!("{a} 1/s"),
        format!("{b} 1/s"),
        "ratio",
        format!("{a} 1/cpu-s"),
        format!("{b} 1/cpu-s"),
        "ratio"
    );
    for (number, [ours, bare]) in (1..).zip(rounds) {
        println!(
            "{number:>6} {:>14.0} {:>14.0} {:>7.2} {:>16.0} {:>16.0} {:>7.2}",
            ours.per_s,
            bare.per_s,
            ours.per_s / bare.per_s,
            ours.per_cpu_s,
            bare.per_cpu_s,
            ours.per_cpu_s / bare.per_cpu_s
        );
    }
    let median = |of: fn(&[Score; 2]) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "median: {:.0}/s, ratio {:.2} by the clock, {:.2} by the server's processor time; {asked}",
        median(|[ours, _]| ours.per_s),
        median(|[ours, bare]| ours.per_s / bare.per_s),
        median(|[ours, bare]| ours.per_cpu_s / bare.per_cpu_s),
    );
}

async fn handshakes(rig: &Rig, round: Duration) {
    let bare = Process::bare(&["bare-accept", &rig.pki()]);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut scores = Vec::new();
        for server in [&rig.server, &bare] {
            let before = server.cpu();
            let (count, wall) = load::handshakes(&rig.clients, server.address, round).await;
            scores.push(Score::of(count, wall, server.cpu() - before));
        }
        rounds.push([scores[0], scores[1]]);
    }
    let asked = "0.90 of processor time is asked";
    compare("full mutual handshakes", ["ours", "bare"], &rounds, asked);
    resumed(rig, round);
}

/// Handshakes that take up a session, by `openssl s_time`.
fn resumed(rig: &Rig, round: Duration) {
    let before = rig.server.cpu();
    let seconds = round.as_secs().max(1).to_string();
    let file = |name: &str| format!("{}/{name}", rig.pki());
    let output = Command::new("openssl")
        .args(["s_time", "-reuse", "-tls1_2", "-time", &seconds])
        .args(["-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"])
        .args(["-cert", &file("der-001.chain.pem")])
        .args(["-key", &file("der-001.key.pem")])
        .args(["-CAfile", &file("serca.pem")])
        .args(["-connect", &rig.server.address.to_string()])
        .output()
        .expect("the openssl command");
    let said = String::from_utf8_lossy(&output.stdout);
    let lines = said.lines().filter(|line| line.contains("connections in"));
    let counts: Vec<u64> = lines
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    let [_, count] = counts[..] else {
        panic!("openssl s_time: {output:?}");
    };
    let score = Score::of(count, round, rig.server.cpu() - before);
    println!(
        "resumed handshakes, one at a time: {:.0}/s, {:.0} per second of processor time",
        score.per_s, score.per_cpu_s
    );
}

async fn gets(rig: &Rig, lists: &[Vec<u8>], round: Duration) {
    let clients = &rig.clients;
    let body = clients[0].body(rig.server.address, &lists[0]).await;
    let file = rig.dir.join("body.xml");
    std::fs::write(&file, &body).expect("our own folder");
    let bare = Process::bare(&["bare-get", &rig.pki(), &file.to_string_lossy()]);
    let mut ours = load::connect(clients, rig.server.address).await;
    let mut theirs = load::connect(clients, bare.address).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let first = turn(&mut ours, lists, &rig.server, round).await;
        let second = turn(&mut theirs, lists, &bare, round).await;
        rounds.push([first, second]);
    }
    let what = format!("GET of a DERControlList of {} bytes", body.len());
    let asked = "0.70 and 20,000/s are asked";
    compare(&what, ["ours", "bare"], &rounds, asked);
}

/// Every connection asks for its own again and again.
async fn turn(
    connections: &mut Vec<load::Connection>,
    lists: &[Vec<u8>],
    server: &Process,
    round: Duration,
) -> Score {
    let before = server.cpu();
    let lists = lists.to_vec();
    let own = move |index: usize, _| lists[index].clone();
    let (count, wall) = load::requests(connections, own, round).await;
    Score::of(count, wall, server.cpu() - before)
}

async fn posts(rig: &Rig, lists: &[Vec<u8>], round: Duration) {
    let clients = &rig.clients;
    let body = clients[0].body(rig.server.address, &lists[0]).await;
    let file = rig.dir.join("body.xml");
    std::fs::write(&file, &body).expect("our own folder");
    let bare = Process::bare(&["bare-get", &rig.pki(), &file.to_string_lossy()]);
    let mut ours = load::connect(clients, rig.server.address).await;
    let mut meters = Vec::new();
    for (client, connection) in clients.iter().zip(&mut ours) {
        meters.push(connection.meter(client.lfdi).await);
    }
    let mut theirs = load::connect(clients, bare.address).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let before = rig.server.cpu();
        let (meters, start_s) = (meters.clone(), load::now_s());
        let reading = move |index: usize, n: u64| meters[index].reading(start_s, n);
        let (count, wall) = load::requests(&mut ours, reading, round).await;
        let first = Score::of(count, wall, rig.server.cpu() - before);
        let second = turn(&mut theirs, lists, &bare, round).await;
        rounds.push([first, second]);
    }
    let what = "POST of a MirrorMeterReading, against the GET of the fixed body";
    compare(what, ["ours", "bare"], &rounds, "0.40 is asked");
}

async fn relayed(rig: &Rig, lists: &[Vec<u8>], round: Duration) {
    let relay = rig.relay().await;
    let clients = &rig.clients;
    let mut through = load::connect(clients, relay.address).await;
    let mut direct = load::connect(clients, rig.server.address).await;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let before = relay.cpu();
        let mut first = turn(&mut through, lists, &rig.server, round).await;
        let relay_s = (relay.cpu() - before).as_secs_f64();
        let count = first.per_s * round.as_secs_f64();
        first.per_cpu_s = count / (count / first.per_cpu_s + relay_s);
        let second = turn(&mut direct, lists, &rig.server, round).await;
        rounds.push([first, second]);
    }
    let what = "the same GET through a relay, against without; processor time of both";
    compare(what, ["relay", "direct"], &rounds, "nothing is asked");
}

/// Where clients find a server.
fn here(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
