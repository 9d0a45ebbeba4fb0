//! The load generator: connections with certificates of their own, and as little work as possible
//! between a request and the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use fleet::Lfdi;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wattfold::tls::{Connector, TlsStream};

/// Handshakes at one time.
const PARALLEL_HANDSHAKES: usize = 16;
const CCM8: &str = "ECDHE-ECDSA-AES128-CCM8";

/// A device.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) lfdi: Lfdi,
    pub(crate) connector: Connector,
}

impl Client {
    async fn connect(&self, server: SocketAddr) -> Connection {
        let tcp = TcpStream::connect(server)
            .await
            .expect("the server listens");
        tcp.set_nodelay(true).expect("a TCP stream");
        let tls = self.connector.connect("localhost", tcp).await;
        let tls = tls.expect("a handshake");
        assert_eq!(tls.cipher(), CCM8);
        Connection {
            tls,
            incoming: Vec::with_capacity(16 * 1024),
        }
    }

    /// What is answered to one request.
    pub(crate) async fn body(&self, server: SocketAddr, request: &[u8]) -> Vec<u8> {
        let mut connection = self.connect(server).await;
        let (_, body) = connection.exchange(request).await;
        body
    }
}

/// An open connection of a device.
pub(crate) struct Connection {
    tls: TlsStream<TcpStream>,
    incoming: Vec<u8>,
}

impl Connection {
    /// Sends a request and reads the whole answer, which must be a success: its head and body.
    async fn exchange(&mut self, request: &[u8]) -> (String, Vec<u8>) {
        let (head, end) = self.ask(request).await;
        let text = String::from_utf8_lossy(&self.incoming[..head]).into_owned();
        (text, self.incoming[head..end].to_vec())
    }

    /// Where the head of the answer ends, and the answer.
    async fn ask(&mut self, request: &[u8]) -> (usize, usize) {
        self.tls.write_all(request).await.expect("kept alive");
        self.incoming.clear();
        loop {
            let read = self.tls.read_buf(&mut self.incoming).await;
            assert_ne!(read.expect("kept alive"), 0, "the server hung up");
            if let Some(ends) = answered(&self.incoming) {
                let is_success = self.incoming.starts_with(b"HTTP/1.1 2");
                let text = || String::from_utf8_lossy(&self.incoming);
                assert!(is_success, "{}", text());
                return ends;
            }
        }
    }

    /// Makes a mirror usage point and answers where its readings go.
    pub(crate) async fn meter(&mut self, lfdi: Lfdi) -> Meter {
        let mrid = u128::from(u64::from_be_bytes(
            *lfdi.0.first_chunk().expect("twenty bytes"),
        )) << 40;
        let body = format!(
            "<MirrorUsagePoint xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>{mrid:032X}</mRID>\
             <roleFlags>0049</roleFlags><serviceCategoryKind>0</serviceCategoryKind>\
             <status>1</status><deviceLFDI>{lfdi}</deviceLFDI>\
             <MirrorMeterReading><mRID>{:032X}</mRID><ReadingType>\
             <accumulationBehaviour>12</accumulationBehaviour><commodity>1</commodity>\
             <dataQualifier>2</dataQualifier><flowDirection>19</flowDirection><kind>37</kind>\
             <powerOfTenMultiplier>0</powerOfTenMultiplier><uom>38</uom></ReadingType>\
             </MirrorMeterReading></MirrorUsagePoint>",
            mrid + 1
        );
        let (head, _) = self.exchange(&post("/mup", &body)).await;
        let location = head
            .lines()
            .find_map(|line| line.strip_prefix("location: "))
            .expect("a place");
        Meter {
            path: location.trim().to_owned(),
            mrid,
        }
    }
}

/// Whether an answer is complete: where its head ends, and where it ends.
fn answered(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).expect("a head");
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.trim().parse().expect("a length"));
    (head + length <= bytes.len()).then_some((head, head + length))
}

#[derive(Clone)]
pub(crate) struct Meter {
    path: String,
    mrid: u128,
}

impl Meter {
    /// One reading of one second, the `n`th since `start_s`.
    pub(crate) fn reading(&self, start_s: u64, n: u64) -> Vec<u8> {
        let at = start_s + n;
        let body = format!(
            "<MirrorMeterReading xmlns=\"urn:ieee:std:2030.5:ns\"><mRID>{:032X}</mRID>\
             <Reading><timePeriod><duration>1</duration><start>{at}</start></timePeriod>\
             <value>{n}</value></Reading></MirrorMeterReading>",
            self.mrid + 1
        );
        post(&self.path, &body)
    }
}

pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/sep+xml\r\n\r\n")
        .into_bytes()
}

fn post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sep+xml\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Where the controls of a device are, found as a device finds them.
pub(crate) async fn control_list(client: &Client, server: SocketAddr) -> String {
    let mut connection = client.connect(server).await;
    let mut at = "/dcap".to_owned();
    for link in [
        "EndDeviceListLink",
        "FunctionSetAssignmentsListLink",
        "DERProgramListLink",
        "DERControlListLink",
    ] {
        let (_, body) = connection.exchange(&get(&format!("{at}?s=0&l=10"))).await;
        let text = String::from_utf8_lossy(&body).into_owned();
        let (_, rest) = text
            .split_once(&format!("<{link} "))
            .unwrap_or_else(|| panic!("no {link} at {at}: {text}"));
        let (_, rest) = rest.split_once("href=\"").expect("a reference");
        at = rest.split('"').next().expect("a reference").to_owned();
    }
    format!("{at}?s=0&l=10")
}

pub(crate) async fn connect(clients: &[Client], server: SocketAddr) -> Vec<Connection> {
    let mut connections = Vec::with_capacity(clients.len());
    for client in clients {
        connections.push(client.connect(server).await);
    }
    connections
}

pub(crate) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// Full handshakes, each with the next certificate.
pub(crate) async fn handshakes(
    clients: &[Client],
    server: SocketAddr,
    round: Duration,
) -> (u64, Duration) {
    let clients: Arc<[Client]> = clients.into();
    let count = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for first in 0..PARALLEL_HANDSHAKES {
        let (clients, count, over) = (Arc::clone(&clients), Arc::clone(&count), Arc::clone(&over));
        tasks.spawn(async move {
            let turns = clients
                .iter()
                .cycle()
                .skip(first)
                .step_by(PARALLEL_HANDSHAKES + 1);
            for client in turns {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let mut connection = client.connect(server).await;
                drop(connection.tls.shutdown().await);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(round).await;
    over.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    (count.load(Ordering::Relaxed), begun.elapsed())
}

/// Requests over all connections, one outstanding on each; `request` makes the nth of a connection.
pub(crate) async fn requests(
    connections: &mut Vec<Connection>,
    request: impl Fn(usize, u64) -> Vec<u8> + Clone + Send + 'static,
    round: Duration,
) -> (u64, Duration) {
    let over = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for (index, mut connection) in connections.drain(..).enumerate() {
        let (over, request) = (Arc::clone(&over), request.clone());
        tasks.spawn(async move {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                connection.ask(&request(index, count)).await;
                count += 1;
            }
            (index, connection, count)
        });
    }
    tokio::time::sleep(round).await;
    over.store(true, Ordering::Relaxed);
    let mut done = tasks.join_all().await;
    let wall = begun.elapsed();
    done.sort_by_key(|(index, ..)| *index);
    let mut total = 0;
    for (_, connection, count) in done {
        connections.push(connection);
        total += count;
    }
    (total, wall)
}
