//! A relay for a demilitarised zone: devices connect to it, and it carries their bytes to servers
//! that have no open port.
//!
//! A server dials out to the relay and holds one mutual TLS connection, the tunnel. The relay
//! reads of a device's connection only the server name in its `ClientHello`, which says whom it is
//! for, and carries everything, that included, through the tunnel of that addressee. The device's
//! TLS ends at the server: the relay has no key of it, sees no request, and could not pass itself
//! off as a device.
//!
//! The relay is an extension of ours. A device sees nothing of it but an address; the tunnel is
//! HTTP/2 (RFC 9113) in which the relay opens one CONNECT stream for each connection.

mod metrics;
mod outer;
mod route;
mod stream;
mod tunnel;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fleet::Lfdi;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::tls::{Acceptor, CipherPolicy, ServerTls, TlsFiles, TlsSetupError, handshake};

pub use route::MAX_TUNNELS_OF_ADDRESSEE;
pub use tunnel::{Dial, FIRST_BACK_OFF, LAST_BACK_OFF, dial};

/// Bytes of a device's first message; a longer one is refused.
pub const MAX_HELLO_BYTES: usize = handshake::MAX_HELLO_BYTES;
/// Servers that one relay knows.
pub const MAX_ADDRESSEES: usize = 64;
/// Public addresses that one relay listens on.
pub const MAX_PUBLIC: usize = 16;
/// Names by which devices ask for one server.
pub const MAX_HOSTS: usize = 64;
/// Streams that one tunnel carries at a time, if the server takes as many.
pub const MAX_STREAMS: u32 = 20_000;
/// Time a device gets to say whom it wants.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a tunnel gets to take up a connection.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that one side of a connection gets to end it when the other side has.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often each end of a tunnel asks whether the other is there.
pub const PING_PERIOD: Duration = Duration::from_secs(15);
/// Time the other end gets to answer.
pub const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that one stream holds when its reader is slow; then its writer waits.
pub const STREAM_WINDOW_BYTES: u32 = 32 * 1024;
/// Bytes that all streams of a tunnel hold together. A reader that takes nothing for
/// [`crate::steady::SEND_TIMEOUT`] is given up, so that it holds its share no longer.
pub const TUNNEL_WINDOW_BYTES: u32 = 64 * 1024 * 1024;

const BACKLOG: u32 = 4_096;

/// The configuration of a relay: one TOML file, read once at start; unknown keys are errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayConfig {
    /// Where servers dial in.
    pub tunnel: Inner,
    /// Where devices connect.
    pub public: Vec<Public>,
    /// The servers that devices may ask for.
    pub addressees: Vec<Addressee>,
    /// Most device connections at one time.
    #[serde(default = "default_max_connections")]
    pub max_connections: usize,
    /// Where `GET /metrics` is answered for Prometheus, in plain HTTP; absent: nowhere.
    pub metrics: Option<SocketAddr>,
}

/// The listener of tunnels.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inner {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The relay's own certificate chain (PEM).
    pub cert_chain: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// Roots and intermediates of servers (PEM).
    pub trust: PathBuf,
}

/// A listener of devices.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Public {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whom a device means that names no server, by name; absent: nobody.
    pub default: Option<String>,
}

/// A server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Addressee {
    /// What logs call it.
    pub name: String,
    /// The LFDI of its certificate.
    pub lfdi: String,
    /// The host names by which devices ask for it.
    #[serde(default)]
    pub hosts: Vec<String>,
}

const fn default_max_connections() -> usize {
    20_000
}

/// Why a relay does not start.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: {message}", path.display())]
    Parse { path: PathBuf, message: String },
    #[error("{key}: {rule}")]
    Value { key: &'static str, rule: String },
    #[error("TLS of the tunnel listener")]
    Tls(#[from] TlsSetupError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
}

impl RelayConfig {
    /// Reads and checks `path`; relative paths inside are taken from its folder.
    pub fn read(path: &Path) -> Result<Self, RelayError> {
        let text = std::fs::read_to_string(path).map_err(|source| RelayError::Read {
            path: path.to_owned(),
            source,
        })?;
        let parsed: Result<Self, toml::de::Error> = toml::from_str(&text);
        let mut config = parsed.map_err(|error| RelayError::Parse {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let inner = &mut config.tunnel;
        for path in [&mut inner.cert_chain, &mut inner.key, &mut inner.trust] {
            *path = folder.join(&path);
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), RelayError> {
        let value = |key, rule: String| Err(RelayError::Value { key, rule });
        if !(1..=MAX_PUBLIC).contains(&self.public.len()) {
            return value("public", format!("1 to {MAX_PUBLIC} are listened on"));
        }
        if !(1..=MAX_ADDRESSEES).contains(&self.addressees.len()) {
            return value("addressees", format!("1 to {MAX_ADDRESSEES} are known"));
        }
        for addressee in &self.addressees {
            if let Err(error) = addressee.lfdi.parse::<Lfdi>() {
                return value("addressees.lfdi", format!("{}: {error}", addressee.name));
            }
            if MAX_HOSTS < addressee.hosts.len() {
                return value("addressees.hosts", format!("are at most {MAX_HOSTS}"));
            }
        }
        let is_known = |name: &String| self.addressees.iter().any(|known| known.name == *name);
        match self
            .public
            .iter()
            .filter_map(|public| public.default.as_ref())
            .find(|name| !is_known(name))
        {
            Some(name) => value("public.default", format!("`{name}` is no addressee")),
            None => Ok(()),
        }
    }
}

/// Relays until `stop` turns true.
pub async fn run(config: &RelayConfig, mut stop: watch::Receiver<bool>) -> Result<(), RelayError> {
    let metrics = Arc::new(metrics::Metrics::default());
    let routes = route::Routes::new(&config.addressees, Arc::clone(&metrics));
    let acceptor = Acceptor::with(ServerTls {
        // The tunnel is between our own two ends; AES-GCM is the faster of the two.
        ciphers: CipherPolicy::Ccm8AndGcm,
        ..ServerTls::new(TlsFiles {
            cert_chain: config.tunnel.cert_chain.clone(),
            key: config.tunnel.key.clone(),
            trust: config.tunnel.trust.clone(),
        })
    })?;
    let acceptor = Arc::new(acceptor);
    let mut tasks = JoinSet::new();
    let inner = listen(config.tunnel.listen)?;
    tracing::info!(address = %config.tunnel.listen, "tunnel listener");
    let (fresh, until) = (Arc::clone(&acceptor), stop.clone());
    tasks.spawn(async move { fresh.refreshed(until).await });
    tasks.spawn(route::take_tunnels(inner, acceptor, routes.clone()));
    if let Some(address) = config.metrics {
        let listener = listen(address)?;
        tracing::info!(%address, "metrics listener");
        tasks.spawn(metrics::serve(listener, metrics));
    }
    let places = outer::places(config.max_connections);
    for public in &config.public {
        let listener = listen(public.listen)?;
        tracing::info!(address = %public.listen, "device listener");
        let default = public.default.clone();
        let taken = outer::take_devices(listener, default, routes.clone(), Arc::clone(&places));
        tasks.spawn(taken);
    }
    crate::device_listener::stopped(&mut stop).await;
    tasks.shutdown().await;
    Ok(())
}

fn listen(address: SocketAddr) -> Result<TcpListener, RelayError> {
    let listening = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listening().map_err(|source| RelayError::Listen { address, source })
}

#[cfg(test)]
mod tests;
