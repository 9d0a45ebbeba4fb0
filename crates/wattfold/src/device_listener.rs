//! The IEEE 2030.5 listener: mutual TLS, HTTP/1.1, one task for each connection.

mod answer;
mod census;
mod ended;
mod pace;
mod seldom;

use std::fmt::Display;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fleet::Lfdi;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::clock;
use crate::node::Node;
use crate::tls::{Acceptor, Peer, Refusal, TlsError, TlsStream};

pub(crate) use answer::carried_out;
pub use census::{
    MAX_CONNECTIONS_OF_AGGREGATOR, MAX_CONNECTIONS_OF_DER, MAX_CONNECTIONS_OF_STRANGER,
};
pub(crate) use ended::Occasional;
pub use pace::HEAD_TIMEOUT;

use census::{Census, Guest, Seat};
use ended::refused_request;
use seldom::Seldom;

/// Time a client gets for its part of the TLS handshake; waiting for ours does not count.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a client gets to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a request head and of pipelined requests that are buffered at most.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long a client that is not authorised may wait with its next request.
pub const STRANGER_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for the answer that is under way on a connection which is given up.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause after the operating system refuses a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most connections open at one time.
    pub max_connections: usize,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
}

/// What serves devices, wherever their connections come from.
pub struct DeviceListener {
    acceptor: Arc<Acceptor>,
    node: Arc<Node>,
    bounds: Bounds,
    places: Arc<Semaphore>,
    full: Occasional,
    census: Census,
    turns: Semaphore,
    stop: watch::Receiver<bool>,
}

/// What ends a connection beside its client.
enum Ending {
    /// The device's certificate is not honoured any more.
    Fallen(Refusal),
    /// The client has made too many others since.
    GivenUp,
    /// The listener stops.
    Stopped,
}

/// One of the connections that may be open at one time, from its first packet to its end.
struct Place {
    node: Arc<Node>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.node.metrics().connection_closed();
    }
}

impl DeviceListener {
    /// Serves until `stop` turns true.
    #[must_use]
    pub fn new(
        acceptor: Acceptor,
        node: Arc<Node>,
        bounds: Bounds,
        stop: watch::Receiver<bool>,
    ) -> Arc<Self> {
        // Handshakes are computed by half of the workers at most, so that a reconnecting fleet
        // does not starve requests.
        let workers = Handle::current().metrics().num_workers();
        Arc::new(Self {
            acceptor: Arc::new(acceptor),
            node,
            bounds,
            places: Arc::new(Semaphore::new(bounds.max_connections)),
            full: Occasional::default(),
            census: Census::default(),
            turns: Semaphore::new((workers / 2).max(1)),
            stop,
        })
    }

    /// Serves those who connect to `listener`.
    pub async fn listen(self: Arc<Self>, listener: TcpListener) {
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopped(&mut stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => self.spawn(stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "no connection accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves one whose bytes come some other way, from `peer`.
    pub async fn serve<S>(&self, stream: S, peer: impl Display)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Some(place) = self.place(&peer) {
            self.connection(stream, &peer, place).await;
        }
    }

    /// Reads certificates, trust and revocations again when their files change.
    pub async fn refresh(self: Arc<Self>) {
        self.acceptor.refreshed(self.stop.clone()).await;
    }

    fn place(&self, peer: &impl Display) -> Option<Place> {
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            self.node.metrics().connection_refused();
            if let Some(count) = self.full.occurred(clock::monotonic()) {
                tracing::warn!(%peer, reason = "full", count, "connections refused");
            }
            return None;
        };
        self.node.metrics().connection_opened();
        Some(Place {
            node: Arc::clone(&self.node),
            _permit: permit,
        })
    }

    fn spawn(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        if let Some(place) = self.place(&peer) {
            let listener = Arc::clone(self);
            tokio::spawn(async move { listener.connected(stream, peer, place).await });
        }
    }

    /// Nothing is allocated for a client that has not sent anything.
    async fn connected(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "TCP_NODELAY not set");
        }
        let mut first = [0];
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, stream.peek(&mut first)).await {
            Ok(Ok(1)) => self.connection(stream, &peer, place).await,
            Ok(_) => self.refused(&peer, &Refusal::HungUp.into()),
            Err(_) => self.refused(&peer, &Refusal::TooSlow.into()),
        }
    }

    async fn connection<S>(&self, stream: S, peer: &impl Display, place: Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let metrics = self.node.metrics();
        match self.handshake(stream).await {
            Ok((stream, device)) => {
                metrics.handshake("ok");
                // What serving needs is allocated for those who come this far.
                Box::pin(self.requests(stream, device)).await;
            }
            Err(error) => self.refused(peer, &error),
        }
        drop(place);
    }

    fn refused(&self, peer: &impl Display, error: &TlsError) {
        let reason = error.reason();
        self.node.metrics().handshake(reason.code());
        let error: &dyn std::error::Error = error;
        // A port scan or a health check is no event.
        if reason == Refusal::HungUp {
            tracing::debug!(%peer, reason = reason.code(), error, "handshake refused");
        } else {
            tracing::info!(%peer, reason = reason.code(), error, "handshake refused");
        }
    }

    /// A turn is held while a step is computed, never while the client is waited for: clients that
    /// stay silent hold up nobody.
    async fn handshake<S>(&self, stream: S) -> Result<(TlsStream<S>, Peer), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut patience = HANDSHAKE_TIMEOUT;
        let mut steps = Box::pin(self.acceptor.accept(stream));
        loop {
            let turn = self.turns.acquire().await;
            let step = poll_fn(|cx| Poll::Ready(steps.as_mut().poll(cx))).await;
            drop(turn);
            if let Poll::Ready(shaken) = step {
                return shaken;
            }
            let asked = clock::monotonic();
            // The end of the sleep is a wake too, so it has to be looked at first.
            tokio::select! {
                biased;
                () = tokio::time::sleep(patience) => return Err(Refusal::TooSlow.into()),
                () = woken() => {}
            }
            patience = patience.saturating_sub(asked.elapsed());
        }
    }

    async fn requests<S>(&self, stream: TlsStream<S>, device: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let lfdi = device.lfdi;
        let guest = self.node.read(|published| Guest::of(lfdi, published.fleet));
        let mut seat = self.census.admit(lfdi, guest);
        let phase = pace::Phase::default();
        let stream = pace::Paced::new(stream, phase.clone(), self.idle_timeout(guest));
        let phase = &phase;
        let answered = service_fn(move |request| async move {
            phase.answering();
            let response = answer::answer(&self.node, lfdi, request).await;
            phase.waiting();
            response
        });
        let serving = http().serve_connection(TokioIo::new(stream), answered);
        let mut serving = pin!(serving);
        let ending = pin!(self.ending(&device, &mut seat));
        let served = tokio::select! {
            served = serving.as_mut() => served,
            ending = Seldom::new(ending) => match ending {
                Ending::Fallen(refusal) => return self.ended(lfdi, refusal.code()),
                Ending::GivenUp => {
                    self.ended(lfdi, "too_many_connections");
                    serving.as_mut().graceful_shutdown();
                    let last = tokio::time::timeout(LAST_ANSWER_TIMEOUT, serving).await;
                    last.unwrap_or(Ok(()))
                }
                Ending::Stopped => {
                    serving.as_mut().graceful_shutdown();
                    serving.await
                }
            },
        };
        if let Err(error) = served {
            refused_request(self.node.metrics(), lfdi, &error);
        }
    }

    /// Until something but the client ends the connection.
    async fn ending(&self, device: &Peer, seat: &mut Seat) -> Ending {
        let mut stop = self.stop.clone();
        tokio::select! {
            refusal = self.acceptor.fallen(device) => Ending::Fallen(refusal),
            Ok(()) = &mut seat.given_up => Ending::GivenUp,
            () = stopped(&mut stop) => Ending::Stopped,
        }
    }

    fn idle_timeout(&self, guest: Guest) -> Duration {
        match guest {
            Guest::Stranger => self.bounds.idle_timeout.min(STRANGER_IDLE_TIMEOUT),
            Guest::Der | Guest::Aggregator => self.bounds.idle_timeout,
        }
    }

    fn ended(&self, lfdi: Lfdi, reason: &'static str) {
        self.node.metrics().session_ended(reason);
        tracing::info!(%lfdi, reason, "session ended");
    }
}

/// Each answer is sent before the next request is looked at. With `pipeline_flush`, hyper would
/// gather all answers for a client that does not stop asking.
fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.max_buf_size(MAX_HEAD_BYTES);
    http
}

/// Until `stop` turns true or nobody is left who could turn it.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("nobody is left who could stop this");
    }
}

/// Ends when the task is woken: by the last thing it polled, which registered itself for that.
async fn woken() {
    let mut polled = false;
    poll_fn(|_| match std::mem::replace(&mut polled, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::Response;
    use http_body_util::Empty;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::steady::Steady;

    /// Asks without end and reads `per_s` bytes a second; counts the answers in a minute.
    async fn answers(per_s: usize) -> usize {
        let (client, server) = duplex(64 * 1024);
        let (mut reader, mut writer) = tokio::io::split(client);
        let count = AtomicUsize::new(0);
        let answered = service_fn(|_| async {
            let answers = count.fetch_add(1, Ordering::Relaxed);
            assert!(answers < 1_000_000, "they are gathered");
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        });
        let serving = http().serve_connection(TokioIo::new(Steady::new(server)), answered);
        let asking = async { while writer.write_all(b"HEAD / HTTP/1.1\r\n\r\n").await.is_ok() {} };
        let reading = async {
            let mut buf = vec![0; per_s];
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                reader.read_exact(&mut buf).await.unwrap();
            }
        };
        tokio::select! {
            served = serving => assert_eq!(per_s, 0, "{served:?}"),
            () = asking => {}
            () = reading => unreachable!("it reads for ever"),
            () = tokio::time::sleep(Duration::from_secs(60)) => {}
        }
        count.into_inner()
    }

    /// Every answer has some 60 bytes.
    #[tokio::test(start_paused = true)]
    async fn answers_wait_for_their_reader() {
        let unread = answers(0).await;
        assert!(unread < 64 * 1024 / 30, "{unread}");
        let read = answers(10_000).await;
        assert!((5_000..20_000).contains(&read), "{read}");
    }
}
