//! GET of a `DERControlList` over keep-alive mutual TLS, against a bare hyper + OpenSSL server that
//! returns a fixed body of the same size, in turns on the same machine.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fleet::{
    ActivePower, CimMrid, Command, ControlBase, DerId, DerKind, Identity, Lfdi, Name, NewControl,
    NewDer, Origin, Pin, ProgramId,
};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ieee2030_5::server::ServerConfig;
use ieee2030_5::server::href::Target;
use store::{Actor, JournalId, Memory};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use units::{Interval, Timestamp};
use wattfold::config::Control;
use wattfold::control_loop::State;
use wattfold::metrics::Metrics;
use wattfold::node::{Node, Parts};
use wattfold::pki::{self, InitArgs};
use wattfold::telemetry::Telemetry;
use wattfold::tls::{Acceptor, Connector, TlsFiles};
use wattfold::{clock, device_listener};

const DEVICES: usize = 8;
const CONTROLS_EACH: u64 = 3;
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_secs(1);

type Request = SendRequest<Empty<Bytes>>;
type Work<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("tokio");
    runtime.block_on(bench());
}

async fn bench() {
    let folder = std::env::temp_dir().join(format!("wattfold-bench-{}", std::process::id()));
    let made = pki::init(
        &InitArgs {
            dir: folder.clone(),
            devices: DEVICES,
            device_names: Vec::new(),
            server_names: vec!["localhost".to_owned()],
            server_ips: Vec::new(),
        },
        clock::now(),
    )
    .expect("a new folder");
    let lfdis: Vec<Lfdi> = made.devices.iter().map(|device| device.lfdi).collect();
    let (stop, stopped) = watch::channel(false);
    let (node, owner) = node(&lfdis).await;
    let ours = listen().await;
    let address = ours.local_addr().expect("bound");
    let serving =
        device_listener::serve(ours, acceptor(&folder), Arc::clone(&node), 1_000, stopped);
    tokio::spawn(serving);
    let names: Vec<String> = made.devices.into_iter().map(|device| device.name).collect();
    let path = |index: usize| {
        let owner = u32::try_from(index).expect("few");
        let program = node.read(|p| p.fleet.ders()[index].program.0);
        format!("{}?s=0&l=10", Target::Controls(owner, program))
    };
    let mut mine = Vec::new();
    for (index, name) in names.iter().enumerate() {
        mine.push((connect(&folder, name, address).await, path(index)));
    }
    let (first, first_path) = &mut mine[0];
    let body = get(first, first_path).await;
    println!(
        "GET {}: {} bytes, {CONTROLS_EACH} controls",
        first_path,
        body.len()
    );
    let bare = listen().await;
    let bare_address = bare.local_addr().expect("bound");
    tokio::spawn(serve_fixed(bare, acceptor(&folder), body));
    let mut fixed = Vec::new();
    for name in &names {
        fixed.push((connect(&folder, name, bare_address).await, "/".to_owned()));
    }
    rounds(&mut mine, &mut fixed).await;
    stop.send_replace(true);
    node.stop();
    owner
        .join()
        .expect("the owner ends")
        .expect("memory does not fail");
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

async fn rounds(mine: &mut [(Request, String)], fixed: &mut [(Request, String)]) {
    println!(
        "{:>6} {:>14} {:>14} {:>8}",
        "round", "wattfold 1/s", "bare 1/s", "ratio"
    );
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let ours = rate(mine).await;
        let theirs = rate(fixed).await;
        println!(
            "{round:>6} {ours:>14.0} {theirs:>14.0} {:>8.2}",
            ours / theirs
        );
        ratios.push(ours / theirs);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "median ratio {:.2} (at least 0.60 is asked)",
        ratios[ROUNDS / 2]
    );
}

/// Requests per second over all connections, one outstanding on each.
async fn rate(connections: &mut [(Request, String)]) -> f64 {
    let over = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let each = connections.iter_mut().map(|(request, path)| {
        let (over, count) = (Arc::clone(&over), Arc::clone(&count));
        async move {
            while !over.load(Ordering::Relaxed) {
                get(request, path).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let timer = async {
        tokio::time::sleep(ROUND).await;
        over.store(true, Ordering::Relaxed);
    };
    let mut all: Vec<Work<'_>> = each.map(|work| Box::pin(work) as _).collect();
    all.push(Box::pin(timer));
    join(all).await;
    count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}

/// Polls every future until all are done.
async fn join(mut all: Vec<Work<'_>>) {
    std::future::poll_fn(move |context| {
        all.retain_mut(|work| work.as_mut().poll(context).is_pending());
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

async fn get(request: &mut Request, path: &str) -> Bytes {
    request.ready().await.expect("kept alive");
    let asked = http::Request::get(path)
        .header(http::header::HOST, "localhost")
        .header(http::header::ACCEPT, "application/sep+xml")
        .body(Empty::new())
        .expect("a valid request");
    let response = request.send_request(asked).await.expect("an answer");
    assert_eq!(response.status(), 200);
    response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes()
}

/// A node in memory with controls that start in an hour.
async fn node(
    lfdis: &[Lfdi],
) -> (
    Arc<Node>,
    std::thread::JoinHandle<Result<(), store::StorageError>>,
) {
    let metrics = Arc::new(Metrics::default());
    let parts = Parts {
        store: Box::new(Memory::new(JournalId(1))),
        state: State::default(),
        resources: ieee2030_5::server::Resources::default(),
        telemetry: Telemetry::in_memory(Arc::clone(&metrics)).expect("memory"),
        observations: Vec::new(),
        limits: Vec::new(),
        control: Control::default(),
        devices: ServerConfig::new(Lfdi([0; 20])),
        metrics,
    };
    let (node, owner) = Node::start(parts).expect("a thread");
    let mut commands = vec![Command::FoundFleet(Identity {
        seed: 7,
        pen: 37_250,
    })];
    commands.extend(
        (0_u32..)
            .zip(lfdis)
            .map(|(index, lfdi)| enrol(index, *lfdi)),
    );
    accept(&node, commands).await;
    let start = Timestamp::from_secs(clock::now().secs() + 3_600);
    let owners = 0..u32::try_from(lfdis.len()).expect("few");
    accept(
        &node,
        owners
            .flat_map(|owner| (0..CONTROLS_EACH).map(move |k| control(owner, k, start)))
            .collect(),
    )
    .await;
    (node, owner)
}

async fn accept(node: &Node, commands: Vec<Command>) {
    let outcomes = node
        .command(Actor::System, commands)
        .await
        .expect("not busy");
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

fn enrol(index: u32, lfdi: Lfdi) -> Command {
    Command::EnrolDer(NewDer {
        mrid: CimMrid::new(&format!("der-{index}")).expect("short"),
        name: Name::new(&format!("DER {index}")).expect("short"),
        kind: DerKind::Storage,
        lfdi,
        pin: Pin::with_check_digit(11_111),
        registered: true,
        reserve: units::Percent::default(),
    })
}

fn control(owner: u32, index: u64, start: Timestamp) -> Command {
    let duration = Duration::from_secs(900);
    let interval = Interval {
        start: start.after(duration * u32::try_from(index).expect("few")),
        duration,
    };
    let active = Some(ActivePower::TargetW {
        value: 1_500,
        multiplier: 0,
    });
    Command::IssueControl(NewControl {
        der: DerId(owner),
        program: ProgramId(owner),
        origin: Origin::Operator,
        interval,
        base: ControlBase {
            active,
            ..ControlBase::default()
        },
    })
}

async fn serve_fixed(listener: TcpListener, acceptor: Acceptor, body: Bytes) {
    let acceptor = Arc::new(acceptor);
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, body) = (Arc::clone(&acceptor), body.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true).expect("a TCP stream");
            let (stream, _) = acceptor.accept(stream).await.expect("one of our devices");
            let fixed = service_fn(move |_| {
                let response = http::Response::builder()
                    .header(http::header::CONTENT_TYPE, "application/sep+xml")
                    .body(Full::new(body.clone()));
                async move { Ok::<_, Infallible>(response.expect("a valid response")) }
            });
            hyper::server::conn::http1::Builder::new()
                .pipeline_flush(true)
                .serve_connection(TokioIo::new(stream), fixed)
                .await
        });
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

fn acceptor(folder: &Path) -> Acceptor {
    Acceptor::new(&files(folder, "server")).expect("our own PKI")
}

fn files(folder: &Path, name: &str) -> TlsFiles {
    let file = |end: &str| -> PathBuf { folder.join(format!("{name}{end}")) };
    TlsFiles {
        cert_chain: file(".chain.pem"),
        key: file(".key.pem"),
        trust: folder.join("ca-chain.pem"),
    }
}

async fn connect(folder: &Path, name: &str, address: SocketAddr) -> Request {
    let stream = TcpStream::connect(address)
        .await
        .expect("the server listens");
    stream.set_nodelay(true).expect("a TCP stream");
    let connector = Connector::new(&files(folder, name)).expect("our own PKI");
    let stream = connector
        .connect("localhost", stream)
        .await
        .expect("a handshake");
    let (request, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .expect("HTTP");
    tokio::spawn(connection);
    request
}
