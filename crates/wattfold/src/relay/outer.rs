//! The devices' side of a relay.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::FORWARDED;
use http::{Method, Request, Version};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader, copy_buf,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::metrics::Metrics;
use super::route::Routes;
use super::stream::Stream;
use super::{HELLO_TIMEOUT, LINGER_TIMEOUT, MAX_HELLO_BYTES, OPEN_TIMEOUT};
use crate::clock;
use crate::device_listener::Occasional;
use crate::steady::Steady;
use crate::tls::handshake::{self, Hello};

/// Pause after the operating system refuses a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes that wait to be carried, in each direction.
const BUFFER_BYTES: usize = 8 * 1024;

/// Why a device's connection came to nothing.
#[derive(Debug, thiserror::Error)]
enum OuterError {
    #[error("no hello in time")]
    TooSlow,
    #[error("this is no TLS")]
    NoTls,
    #[error("nobody here is called {host:?}")]
    Unknown { host: Option<String> },
    #[error("{name} has no tunnel")]
    NoTunnel { name: String },
    #[error("the tunnel of {name} does not take it")]
    Full { name: String },
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error("the tunnel broke")]
    Tunnel(#[from] h2::Error),
}

impl OuterError {
    const fn code(&self) -> &'static str {
        match self {
            Self::TooSlow => "too_slow",
            Self::NoTls => "no_tls",
            Self::Unknown { .. } => "unknown_addressee",
            Self::NoTunnel { .. } => "no_tunnel",
            Self::Full { .. } => "tunnel_full",
            Self::Io(_) => "connection",
            Self::Tunnel(_) => "tunnel",
        }
    }
}

/// So many connections at one time.
pub(super) fn places(max_connections: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(max_connections))
}

/// One of the connections that may be open at one time.
struct Place {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connection_closed();
    }
}

pub(super) async fn take_devices(
    listener: TcpListener,
    default: Option<String>,
    routes: Routes,
    places: Arc<Semaphore>,
) {
    let mut devices = tokio::task::JoinSet::new();
    let default: Option<Arc<str>> = default.map(Arc::from);
    let metrics = routes.metrics();
    let full = Occasional::default();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while devices.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&places).try_acquire_owned() else {
            metrics.refused("full");
            if let Some(count) = full.occurred(clock::monotonic()) {
                tracing::warn!(%peer, reason = "full", count, "connections refused");
            }
            continue;
        };
        metrics.connection_opened();
        let place = Place {
            metrics: Arc::clone(&metrics),
            _permit: permit,
        };
        let (routes, default) = (routes.clone(), default.clone());
        devices.spawn(async move {
            relay(stream, peer, &routes, default.as_deref()).await;
            drop(place);
        });
    }
}

async fn relay(device: TcpStream, peer: SocketAddr, routes: &Routes, default: Option<&str>) {
    let metrics = routes.metrics();
    let told = |reason: &'static str, error: &OuterError| {
        let error: &dyn std::error::Error = error;
        tracing::info!(%peer, reason, error, "connection ended");
    };
    match reach(device, peer, routes, default).await {
        Err(error) => {
            metrics.refused(error.code());
            told(error.code(), &error);
        }
        Ok((device, tunnel)) => {
            metrics.carried();
            let ended = carry(Steady::new(device), Steady::new(tunnel)).await;
            if let Err(error) = ended.map_err(OuterError::Io) {
                told(error.code(), &error);
            }
        }
    }
}

/// The device, and the stream to whom it wants, which has its hello.
async fn reach(
    mut device: TcpStream,
    peer: SocketAddr,
    routes: &Routes,
    default: Option<&str>,
) -> Result<(TcpStream, Stream), OuterError> {
    device.set_nodelay(true)?;
    let heard = tokio::time::timeout(HELLO_TIMEOUT, hear(&mut device)).await;
    let (hello, host) = heard.map_err(|_| OuterError::TooSlow)??;
    let name = routes
        .addressee(host.as_deref(), default)
        .ok_or(OuterError::Unknown { host })?;
    let mut tunnel = open(peer, &name, routes).await?;
    Steady::new(&mut tunnel).write_all(&hello).await?;
    Ok((device, tunnel))
}

/// Carries both ways until both sides have ended. When one has, the other gets a while to.
async fn carry<A, B>(device: A, tunnel: B) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (from_device, to_device) = tokio::io::split(device);
    let (from_tunnel, to_tunnel) = tokio::io::split(tunnel);
    let mut there = pin!(one_way(from_device, to_tunnel));
    let mut back = pin!(one_way(from_tunnel, to_device));
    let lingering = tokio::select! {
        ended = &mut there => {
            ended?;
            tokio::time::timeout(LINGER_TIMEOUT, back).await
        }
        ended = &mut back => {
            ended?;
            tokio::time::timeout(LINGER_TIMEOUT, there).await
        }
    };
    // One that never ends is ended.
    lingering.unwrap_or(Ok(()))
}

async fn one_way(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    let mut from = BufReader::with_capacity(BUFFER_BYTES, from);
    copy_buf(&mut from, &mut to).await?;
    to.shutdown().await
}

/// What the device said up to and with the name of whom it wants.
async fn hear(device: &mut TcpStream) -> Result<(Vec<u8>, Option<String>), OuterError> {
    let mut said = Vec::with_capacity(512);
    loop {
        if device.read_buf(&mut said).await? == 0 {
            return Err(OuterError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        match handshake::hello(&said) {
            Hello::Whole(host) => return Ok((said, host)),
            Hello::Unfinished if said.len() < MAX_HELLO_BYTES => {}
            Hello::Unfinished | Hello::Nonsense => return Err(OuterError::NoTls),
        }
    }
}

/// A stream to the addressee, at once: it need not say yes before it hears the device.
async fn open(peer: SocketAddr, name: &str, routes: &Routes) -> Result<Stream, OuterError> {
    let opener = routes.opener(name).ok_or_else(|| OuterError::NoTunnel {
        name: name.to_owned(),
    })?;
    let ready = tokio::time::timeout(OPEN_TIMEOUT, opener.ready()).await;
    let mut opener = ready.map_err(|_| OuterError::Full {
        name: name.to_owned(),
    })??;
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = http::Uri::from_static("device");
    let from = format!("for=\"{peer}\"");
    if let Ok(from) = from.parse() {
        request.headers_mut().insert(FORWARDED, from);
    }
    let (answer, outgoing) = opener.send_request(request, false)?;
    let answer = tokio::time::timeout(OPEN_TIMEOUT, answer).await;
    let answer = answer.map_err(|_| OuterError::Full {
        name: name.to_owned(),
    })??;
    Ok(Stream::new(answer.into_body(), outgoing))
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_said_goes_both_ways_and_both_ends_are_passed_on() {
        let ((mut device, outer), (mut server, inner)) = (duplex(64), duplex(64));
        let carrying = tokio::spawn(carry(outer, inner));
        let mut heard = String::new();
        device.write_all(b"question").await.unwrap();
        device.shutdown().await.unwrap();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "question");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        heard.clear();
        device.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "answer");
        carrying.await.unwrap().unwrap();
    }

    /// A device that never closes does not hold its place when the server has gone.
    #[tokio::test(start_paused = true)]
    async fn a_side_that_does_not_end_is_ended() {
        let ((mut device, outer), (server, inner)) = (duplex(64), duplex(64));
        let carrying = tokio::spawn(carry(outer, inner));
        drop(server);
        assert_eq!(device.read(&mut [0]).await.unwrap(), 0);
        let early = LINGER_TIMEOUT - Duration::from_secs(1);
        tokio::time::sleep(early).await;
        assert!(!carrying.is_finished());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(carrying.is_finished());
        carrying.await.unwrap().unwrap();
    }
}
