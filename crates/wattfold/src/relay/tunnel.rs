//! The server's end of a tunnel: dialling out, and again when it breaks.

use std::sync::Arc;
use std::time::Duration;

use h2::{Ping, PingPong};
use http::header::FORWARDED;
use http::{Method, Request, Response, StatusCode};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::stream::Stream;
use super::{MAX_STREAMS, PING_PERIOD, PING_TIMEOUT, STREAM_WINDOW_BYTES, TUNNEL_WINDOW_BYTES};
use crate::device_listener::{DeviceListener, HANDSHAKE_TIMEOUT, stopped};
use crate::tls::{Connector, TlsError, TlsStream};
use crate::{auth, clock};

/// Wait before the second attempt; it doubles with each that fails.
pub const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
/// The longest wait.
pub const LAST_BACK_OFF: Duration = Duration::from_secs(60);
/// A tunnel that lasted this long is not counted as an attempt that failed.
const LASTED: Duration = Duration::from_secs(30);

/// Which relay, and who we are.
#[derive(Clone)]
pub struct Dial {
    /// Host and port of the relay's tunnel listener.
    pub relay: String,
    /// The name that its certificate carries.
    pub server_name: String,
    /// Our certificate.
    pub connector: Connector,
}

#[derive(Debug, thiserror::Error)]
enum TunnelError {
    #[error("the relay can't be reached")]
    Connect(#[from] std::io::Error),
    #[error("TLS")]
    Tls(#[from] TlsError),
    #[error("the relay does not answer in time")]
    TooSlow,
    #[error("the tunnel broke")]
    Broke(#[from] h2::Error),
    #[error("{0}")]
    Silent(&'static str),
}

/// Holds a tunnel and serves who comes through it, until `stop` turns true.
pub async fn dial(dial: Dial, devices: Arc<DeviceListener>, mut stop: watch::Receiver<bool>) {
    let mut back_off = FIRST_BACK_OFF;
    loop {
        let begun = clock::monotonic();
        let ended = tokio::select! {
            ended = hold(&dial, &devices) => ended,
            () = stopped(&mut stop) => return,
        };
        if LASTED <= begun.elapsed() {
            back_off = FIRST_BACK_OFF;
        }
        let wait = jittered(back_off);
        back_off = (back_off * 2).min(LAST_BACK_OFF);
        let relay = &dial.relay;
        match ended {
            Ok(()) => tracing::info!(relay, ?wait, "tunnel closed"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(relay, error, ?wait, "no tunnel");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

/// Between half of it and all of it, so that servers do not all come back at once.
fn jittered(wait: Duration) -> Duration {
    let [random] = auth::random::<1>();
    wait / 2 + wait / 2 * u32::from(random) / u32::from(u8::MAX)
}

async fn hold(dial: &Dial, devices: &Arc<DeviceListener>) -> Result<(), TunnelError> {
    let connecting = tokio::time::timeout(HANDSHAKE_TIMEOUT, connect(dial)).await;
    let stream = connecting.map_err(|_| TunnelError::TooSlow)??;
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(TUNNEL_WINDOW_BYTES)
        .handshake(stream)
        .await?;
    tracing::info!(relay = dial.relay, "tunnel open");
    let silence = connection.ping_pong();
    let mut silence = std::pin::pin!(watch(silence));
    // They end with the tunnel.
    let mut served = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            silent = &mut silence => return Err(TunnelError::Silent(silent)),
            Some(_) = served.join_next() => continue,
        };
        let Some(accepted) = accepted else {
            return Ok(());
        };
        let (request, mut respond) = accepted?;
        if request.method() != Method::CONNECT {
            let mut refusal = Response::new(());
            *refusal.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            respond.send_response(refusal, true)?;
            continue;
        }
        let peer = forwarded(&request);
        let outgoing = respond.send_response(Response::new(()), false)?;
        let stream = Stream::new(request.into_body(), outgoing);
        let devices = Arc::clone(devices);
        served.spawn(async move { devices.serve(stream, peer).await });
    }
}

async fn connect(dial: &Dial) -> Result<TlsStream<TcpStream>, TunnelError> {
    let stream = TcpStream::connect(&dial.relay).await?;
    stream.set_nodelay(true)?;
    Ok(dial.connector.connect(&dial.server_name, stream).await?)
}

/// Where the device is, as the relay has it.
fn forwarded<B>(request: &Request<B>) -> String {
    let from = request.headers().get(FORWARDED);
    let from = from.and_then(|from| from.to_str().ok());
    format!("relay, {}", from.unwrap_or("from nowhere"))
}

/// Until the other end does not answer any more.
pub(super) async fn watch(pings: Option<PingPong>) -> &'static str {
    let Some(mut pings) = pings else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(PING_PERIOD).await;
        let answer = tokio::time::timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await;
        match answer {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return "the tunnel broke",
            Err(_) => return "the other end of the tunnel is silent",
        }
    }
}
