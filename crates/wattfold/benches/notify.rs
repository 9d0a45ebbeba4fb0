//! Notifications to a hundred subscribers over mutual TLS, from the command that changes something
//! to the subscriber's answer, beside bare hyper POSTs of the same size over as many connections to
//! the same sink, in turns on the same machine.
//!
//! Every aggregator subscribes to the controls of each of its DER and to those of programmes for
//! all aggregators. A round issues one control to every DER, or one in every programme for all, and
//! ends when nothing waits any more; then each of those subscriptions must have been told of the
//! newest control, or the benchmark fails.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(
    clippy::excessive_nesting,
    reason = "one loop over rounds and subscribers"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fleet::{
    ActivePower, AggregatorId, AssignmentId, CimMrid, Command, ControlBase, DerId, DerKind,
    Identity, Level, Lfdi, Name, NewAggregator, NewAssignment, NewControl, NewDer, NewProgram,
    Origin, Pin, ProgramId, Scope,
};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ieee2030_5::server::ServerConfig;
use ieee2030_5::server::subscription::SubscriptionConfig;
use store::{Actor, JournalId, Memory};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use units::{Interval, Timestamp};
use wattfold::clock;
use wattfold::config::Control;
use wattfold::control_loop::State;
use wattfold::metrics::Metrics;
use wattfold::node::{DeviceRequest, Node, Parts};
use wattfold::notifier::{self, Settings};
use wattfold::pki::{self, InitArgs};
use wattfold::telemetry::Telemetry;
use wattfold::tls::{Acceptor, Connector, TlsFiles};

const SUBSCRIBERS: u32 = 100;
const DERS_EACH: u32 = 100;
/// Groups that one DER of each aggregator belongs to, and programmes of each of them.
const GROUPS: u32 = 10;
const PROGRAMS_EACH: u32 = 10;
const ROUNDS: u32 = 10;
/// Commands that are decided at one time.
const COMMANDS: usize = 1_000;

/// Whose controls change.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Those of every DER, each of which one aggregator subscribes to.
    Own,
    /// Those of every programme for all, each of which all aggregators subscribe to.
    Shared,
}

impl Shape {
    /// In the addresses that are told.
    fn path(self) -> &'static str {
        match self {
            Self::Own => "/own/",
            Self::Shared => "/shared/",
        }
    }

    /// Controls that a round issues.
    fn controls(self) -> u32 {
        match self {
            Self::Own => SUBSCRIBERS * DERS_EACH,
            Self::Shared => GROUPS * PROGRAMS_EACH,
        }
    }

    fn subscriptions(self) -> u32 {
        match self {
            Self::Own => SUBSCRIBERS * DERS_EACH,
            Self::Shared => SUBSCRIBERS * GROUPS * PROGRAMS_EACH,
        }
    }
}

type Bare = SendRequest<Full<Bytes>>;
type Owner = std::thread::JoinHandle<Result<(), store::StorageError>>;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("tokio");
    runtime.block_on(bench());
}

async fn bench() {
    let folder = std::env::temp_dir().join(format!("wattfold-notify-{}", std::process::id()));
    let init = InitArgs {
        dir: folder.clone(),
        devices: 0,
        device_names: Vec::new(),
        server_names: Vec::new(),
        server_ips: vec![Ipv4Addr::LOCALHOST.into()],
    };
    pki::init(&init, clock::now()).expect("a new folder");
    let sink = Sink::start(&files(&folder, "server")).await;
    let (node, owner) = node();
    let (stop, stopped) = watch::channel(false);
    let (feed, receiver) = notifier::feed();
    node.notify(feed);
    let settings = Settings {
        connector: Some(Connector::new(&files(&folder, "server")).expect("our own PKI")),
        destinations: node.devices().subscriptions.destinations.clone(),
        give_up_after: Duration::from_secs(3_600),
    };
    let notifying = tokio::spawn(notifier::run(
        Arc::clone(&node),
        settings,
        receiver,
        stopped,
    ));
    enrol(&node).await;
    subscribe(&node, sink.address).await;
    let mut bare = Vec::new();
    for _ in 0..SUBSCRIBERS {
        bare.push(connect(&folder, sink.address).await);
    }
    for shape in [Shape::Own, Shape::Shared] {
        println!(
            "{SUBSCRIBERS} subscribers; a round issues {} controls, of which {} subscriptions are \
             told",
            shape.controls(),
            shape.subscriptions()
        );
        rounds(&node, &sink, (shape, &mut bare)).await;
    }
    stop.send_replace(true);
    notifying.await.expect("the notifier ends");
    node.stop();
    let ended = owner.join().expect("the owner ends");
    ended.expect("memory does not fail");
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

async fn rounds(node: &Arc<Node>, sink: &Sink, (shape, bare): (Shape, &mut Vec<Bare>)) {
    println!(
        "{:>6} {:>16} {:>12} {:>8} {:>8}",
        "round", "notifications/s", "bare 1/s", "ratio", "bytes"
    );
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let before = sink.count.load(Ordering::Relaxed);
        let begun = Instant::now();
        change(node, (shape, round)).await;
        while 0 < node.notifications_waiting() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = begun.elapsed();
        let sent = sink.count.load(Ordering::Relaxed) - before;
        sink.assert_told((shape, round));
        let bytes = sink.bytes.load(Ordering::Relaxed);
        let ours = sent as f64 / took.as_secs_f64();
        let body = Bytes::from(vec![b' '; usize::try_from(bytes).expect("a body")]);
        let theirs = post(bare, &body, took).await;
        println!(
            "{round:>6} {ours:>16.0} {theirs:>12.0} {:>8.2} {bytes:>8}",
            ours / theirs
        );
        rates.push(ours);
        ratios.push(ours / theirs);
    }
    rates.sort_by(f64::total_cmp);
    ratios.sort_by(f64::total_cmp);
    println!(
        "median {:.0}/s (20,000 are asked), ratio {:.2}; none lost",
        rates[rates.len() / 2],
        ratios[ratios.len() / 2]
    );
}

/// Posts per second over all connections for about as long as a round took, one outstanding on
/// each.
async fn post(bare: &mut Vec<Bare>, body: &Bytes, about: Duration) -> f64 {
    let count = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut posting = JoinSet::new();
    for mut connection in bare.drain(..) {
        let (count, body) = (Arc::clone(&count), body.clone());
        posting.spawn(async move {
            while begun.elapsed() < about {
                connection.ready().await.expect("kept alive");
                let request = Request::post("/bare")
                    .header(http::header::HOST, "localhost")
                    .header(http::header::CONTENT_TYPE, "application/sep+xml")
                    .body(Full::new(body.clone()))
                    .expect("a valid request");
                let response = connection.send_request(request).await.expect("an answer");
                assert_eq!(response.status(), 204);
                response.into_body().collect().await.expect("a body");
                count.fetch_add(1, Ordering::Relaxed);
            }
            connection
        });
    }
    *bare = posting.join_all().await;
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Takes notifications and remembers how many controls the newest of each subscription told of.
struct Sink {
    address: SocketAddr,
    count: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    told: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Sink {
    async fn start(files: &TlsFiles) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let sink = Self {
            address: listener.local_addr().expect("bound"),
            count: Arc::default(),
            bytes: Arc::default(),
            told: Arc::default(),
        };
        let acceptor = Arc::new(Acceptor::new(files).expect("our own PKI"));
        let (count, bytes) = (Arc::clone(&sink.count), Arc::clone(&sink.bytes));
        let told = Arc::clone(&sink.told);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = Arc::clone(&acceptor);
                let (count, bytes, told) =
                    (Arc::clone(&count), Arc::clone(&bytes), Arc::clone(&told));
                tokio::spawn(async move {
                    stream.set_nodelay(true).expect("a TCP stream");
                    let (stream, _) = acceptor.accept(stream).await.expect("the notifier");
                    let take = service_fn(move |request| {
                        let (count, bytes, told) =
                            (Arc::clone(&count), Arc::clone(&bytes), Arc::clone(&told));
                        take(request, count, bytes, told)
                    });
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), take)
                        .await
                });
            }
        });
        sink
    }

    /// Every subscription knows of every control.
    fn assert_told(&self, (shape, controls): (Shape, u32)) {
        let told = self.told.lock().expect("no panics");
        let told: Vec<u32> = told
            .iter()
            .filter(|(path, _)| path.starts_with(shape.path()))
            .map(|(_, all)| *all)
            .collect();
        assert_eq!(
            told.len(),
            shape.subscriptions() as usize,
            "subscriptions told"
        );
        let behind = told.iter().filter(|all| **all != controls).count();
        assert_eq!(
            behind, 0,
            "subscriptions that were not told of control {controls}"
        );
    }
}

async fn take(
    request: Request<Incoming>,
    count: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
    told: Arc<Mutex<BTreeMap<String, u32>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    if head.uri.path() != "/bare" {
        let text = std::str::from_utf8(&body).expect("XML");
        let (_, rest) = text.split_once(" all=\"").expect("a list");
        let (all, _) = rest.split_once('"').expect("a number");
        let all = all.parse().expect("a number");
        let path = head.uri.path().to_owned();
        told.lock().expect("no panics").insert(path, all);
        bytes.store(body.len() as u64, Ordering::Relaxed);
        count.fetch_add(1, Ordering::Relaxed);
    }
    let response = Response::builder().status(204).body(Full::default());
    Ok(response.expect("a valid response"))
}

fn node() -> (Arc<Node>, Owner) {
    let metrics = Arc::new(Metrics::default());
    let mut devices = ServerConfig::new(Lfdi([0; 20]));
    let mut subscriptions = SubscriptionConfig::default();
    subscriptions.destinations.networks = vec!["127.0.0.0/8".parse().expect("a network")];
    devices.subscriptions = subscriptions;
    let parts: Parts = Parts {
        store: Box::new(Memory::new(JournalId(1))),
        state: State::default(),
        resources: ieee2030_5::server::Resources::default(),
        telemetry: Telemetry::in_memory(Arc::clone(&metrics)).expect("memory"),
        observations: Vec::new(),
        limits: Vec::new(),
        control: Control::default(),
        devices,
        zone: units::UTC.clone(),
        metrics,
    };
    Node::start(parts).expect("a thread")
}

async fn accept(node: &Node, commands: Vec<Command>) {
    for some in commands.chunks(COMMANDS) {
        let outcomes = node
            .command(Actor::System, some.to_vec())
            .await
            .expect("not busy");
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
}

fn lfdi(kind: u8, number: u32) -> Lfdi {
    let mut octets = [kind; 20];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    Lfdi(octets)
}

async fn enrol(node: &Node) {
    let mut commands = vec![Command::FoundFleet(Identity {
        seed: 7,
        pen: 37_250,
    })];
    commands.extend((0..SUBSCRIBERS).map(|number| {
        Command::EnrolAggregator(NewAggregator {
            name: Name::new(&format!("aggregator {number}")).expect("short"),
            lfdi: lfdi(0, number),
            pin: Pin::with_check_digit(11_111),
            registered: true,
            may_enrol: false,
        })
    }));
    commands.extend((0..SUBSCRIBERS * DERS_EACH).map(|number| {
        Command::EnrolDer(NewDer {
            mrid: CimMrid::new(&format!("der-{number}")).expect("short"),
            name: Name::new(&format!("DER {number}")).expect("short"),
            kind: DerKind::Storage,
            lfdi: lfdi(1, number),
            pin: Pin::with_check_digit(11_111),
            registered: true,
            reserve: units::Percent::default(),
            manager: Some(AggregatorId(number / DERS_EACH)),
            assignments: Vec::new(),
        })
    }));
    commands.extend((0..GROUPS).map(|number| {
        Command::CreateAssignment(NewAssignment {
            name: Name::new(&format!("group {number}")).expect("short"),
            level: Level::NonTopology,
            parent: None,
        })
    }));
    commands.extend((0..SUBSCRIBERS).map(|aggregator| {
        let der = DerId(aggregator * DERS_EACH);
        Command::AssignDer(der, (0..GROUPS).map(AssignmentId).collect())
    }));
    commands.extend((0..GROUPS * PROGRAMS_EACH).map(|number| {
        Command::CreateProgram(NewProgram {
            name: Name::new(&format!("programme {number}")).expect("short"),
            primacy: 50,
            scope: Scope::Assignment(AssignmentId(number / PROGRAMS_EACH)),
        })
    }));
    accept(node, commands).await;
}

/// The programmes for all.
fn shared(node: &Node) -> Vec<ProgramId> {
    node.read(|p| {
        let programs = p.fleet.programs();
        let shared = programs
            .iter()
            .filter(|program| matches!(program.scope, Scope::Assignment(_)));
        shared.map(|program| program.id).collect()
    })
}

async fn subscribe(node: &Node, sink: SocketAddr) {
    for number in 0..SUBSCRIBERS * DERS_EACH {
        let program = node.read(|p| p.fleet.ders()[number as usize].program);
        let to = format!("https://{sink}{}{number}", Shape::Own.path());
        subscribe_to(node, number / DERS_EACH, (program, &to)).await;
    }
    for aggregator in 0..SUBSCRIBERS {
        for program in shared(node) {
            let path = Shape::Shared.path();
            let to = format!("https://{sink}{path}{aggregator}/{}", program.0);
            subscribe_to(node, aggregator, (program, &to)).await;
        }
    }
}

async fn subscribe_to(node: &Node, aggregator: u32, (program, to): (ProgramId, &str)) {
    let aggregator = AggregatorId(aggregator);
    let lfdi = node.read(|p| p.fleet.aggregator(aggregator).expect("enrolled").lfdi);
    let body = format!(
        "<Subscription xmlns=\"urn:ieee:std:2030.5:ns\">\
         <subscribedResource>/derp/{}/derc</subscribedResource><encoding>0</encoding>\
         <level>+S1</level><limit>1</limit>\
         <notificationURI>{to}</notificationURI></Subscription>",
        program.0
    );
    let request = DeviceRequest {
        method: "POST".to_owned(),
        path: format!("/edev/a{}/sub", aggregator.0),
        query: None,
        accept: None,
        content_type: None,
        if_none_match: None,
        range: None,
        body: body.into(),
        lfdi,
        random: 0,
    };
    let reply = node.device(request).await.expect("not busy");
    assert_eq!(reply.status, 201, "{reply:?}");
}

/// One more control for every DER, or in every programme for all.
async fn change(node: &Node, (shape, round): (Shape, u32)) {
    let start = Timestamp::from_secs(clock::now().secs() + 3_600 + 900 * i64::from(round));
    let programs: Vec<(Option<DerId>, ProgramId)> = match shape {
        Shape::Own => node.read(|p| {
            let ders = p.fleet.ders().iter();
            ders.map(|der| (Some(der.id), der.program)).collect()
        }),
        Shape::Shared => shared(node)
            .into_iter()
            .map(|program| (None, program))
            .collect(),
    };
    let commands = programs.into_iter().map(|(der, program)| {
        Command::IssueControl(NewControl {
            der,
            program,
            origin: Origin::Operator,
            interval: Interval {
                start,
                duration: Duration::from_secs(900),
            },
            base: ControlBase::asking(ActivePower::TargetW {
                value: 1_500,
                multiplier: 0,
            }),
            terms: None,
        })
    });
    accept(node, commands.collect()).await;
}

fn files(folder: &Path, name: &str) -> TlsFiles {
    let file = |end: &str| -> PathBuf { folder.join(format!("{name}{end}")) };
    TlsFiles {
        cert_chain: file(".chain.pem"),
        key: file(".key.pem"),
        trust: folder.join("ca-chain.pem"),
    }
}

async fn connect(folder: &Path, address: SocketAddr) -> Bare {
    let stream = TcpStream::connect(address).await.expect("the sink listens");
    stream.set_nodelay(true).expect("a TCP stream");
    let connector = Connector::new(&files(folder, "server")).expect("our own PKI");
    let subscriber = Lfdi([0; 20]);
    let stream = connector
        .connect_to_subscriber("127.0.0.1", subscriber, stream)
        .await;
    let stream = stream.expect("a handshake");
    let (requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP");
    tokio::spawn(connection);
    requests
}
