//! Whose tunnel a device's bytes go into.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fleet::Lfdi;
use h2::client::SendRequest;
use tokio::net::{TcpListener, TcpStream};

use super::metrics::Metrics;
use super::{Addressee, MAX_STREAMS, STREAM_WINDOW_BYTES, TUNNEL_WINDOW_BYTES, tunnel};
use crate::device_listener::HANDSHAKE_TIMEOUT;
use crate::tls::{Acceptor, Peer, TlsStream};

/// Tunnels that one server may hold, for the times of changing over and for several nodes.
pub const MAX_TUNNELS_OF_ADDRESSEE: usize = 4;
/// Handshakes of tunnels at one time.
const MAX_HANDSHAKES: usize = 64;
/// Pause after the operating system refuses a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A way to open streams in a tunnel.
pub(super) type Opener = SendRequest<Bytes>;

struct Entry {
    name: String,
    lfdi: Option<Lfdi>,
    hosts: Vec<String>,
    tunnels: Vec<(u64, Opener)>,
    next: usize,
}

#[derive(Clone)]
pub(super) struct Routes {
    entries: Arc<Mutex<Vec<Entry>>>,
    metrics: Arc<Metrics>,
}

impl Routes {
    pub(super) fn new(addressees: &[Addressee], metrics: Arc<Metrics>) -> Self {
        let entry = |addressee: &Addressee| Entry {
            name: addressee.name.clone(),
            lfdi: addressee.lfdi.parse().ok(),
            hosts: addressee
                .hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            tunnels: Vec::new(),
            next: 0,
        };
        Self {
            entries: Arc::new(Mutex::new(addressees.iter().map(entry).collect())),
            metrics,
        }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// The addressee that a device names, or means by naming nobody.
    pub(super) fn addressee(&self, host: Option<&str>, default: Option<&str>) -> Option<String> {
        let entries = self.entries();
        let found = match host {
            Some(host) => entries
                .iter()
                .find(|entry| entry.hosts.iter().any(|known| known == host)),
            None => entries
                .iter()
                .find(|entry| Some(entry.name.as_str()) == default),
        };
        found.map(|entry| entry.name.clone())
    }

    /// One of the addressee's tunnels, in turns.
    pub(super) fn opener(&self, name: &str) -> Option<Opener> {
        let mut entries = self.entries();
        let entry = entries.iter_mut().find(|entry| entry.name == name)?;
        entry.next = entry.next.wrapping_add(1);
        let turn = entry.next.checked_rem(entry.tunnels.len())?;
        let (_, opener) = entry.tunnels.get(turn)?;
        Some(opener.clone())
    }

    /// The name of the server with this certificate.
    fn name_of(&self, lfdi: Lfdi) -> Option<String> {
        let entries = self.entries();
        let entry = entries.iter().find(|entry| entry.lfdi == Some(lfdi))?;
        Some(entry.name.clone())
    }

    /// Adds a tunnel; the oldest of too many goes.
    fn add(&self, name: &str, id: u64, opener: Opener) {
        let mut entries = self.entries();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.name == name) {
            if MAX_TUNNELS_OF_ADDRESSEE <= entry.tunnels.len() {
                entry.tunnels.remove(0);
            }
            entry.tunnels.push((id, opener));
            self.metrics.tunnels(name, entry.tunnels.len());
        }
    }

    fn remove(&self, id: u64) {
        for entry in self.entries().iter_mut() {
            entry.tunnels.retain(|(known, _)| *known != id);
            self.metrics.tunnels(&entry.name, entry.tunnels.len());
        }
    }

    /// How many tunnels each addressee has.
    pub(super) fn census(&self) -> BTreeMap<String, usize> {
        let entries = self.entries();
        let count = |entry: &Entry| (entry.name.clone(), entry.tunnels.len());
        entries.iter().map(count).collect()
    }
}

/// Takes in the tunnels of servers that are known.
pub(super) async fn take_tunnels(listener: TcpListener, acceptor: Arc<Acceptor>, routes: Routes) {
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_HANDSHAKES));
    let mut tunnels = tokio::task::JoinSet::new();
    for id in 0.. {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no tunnel accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while tunnels.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            routes.metrics.tunnel_refused("full");
            continue;
        };
        let (acceptor, routes) = (Arc::clone(&acceptor), routes.clone());
        tunnels.spawn(async move {
            let known = recognised(stream, peer, &acceptor, &routes).await;
            drop(place);
            if let Some(known) = known {
                tokio::select! {
                    () = carry(known.stream, id, &known.name, &routes) => {}
                    refusal = acceptor.fallen(&known.server) => {
                        routes.remove(id);
                        let (name, reason) = (known.name, refusal.code());
                        tracing::warn!(name, reason, "tunnel ended");
                    }
                }
            }
        });
    }
}

/// A server that is one of ours.
struct Known {
    stream: TlsStream<TcpStream>,
    server: Peer,
    name: String,
}

/// The handshake, and whether this is one of our servers.
async fn recognised(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: &Acceptor,
    routes: &Routes,
) -> Option<Known> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY not set");
    }
    let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
    let reason = match shaken {
        Ok(Ok((stream, server))) => match routes.name_of(server.lfdi) {
            Some(name) => {
                return Some(Known {
                    stream,
                    server,
                    name,
                });
            }
            None => {
                let lfdi = server.lfdi;
                tracing::warn!(%peer, %lfdi, "no addressee has this certificate");
                "unknown_server"
            }
        },
        Ok(Err(error)) => error.reason().code(),
        Err(_) => "too_slow",
    };
    routes.metrics.tunnel_refused(reason);
    tracing::warn!(%peer, reason, "tunnel refused");
    None
}

/// Keeps a tunnel open for streams until it ends.
async fn carry(stream: TlsStream<TcpStream>, id: u64, name: &str, routes: &Routes) {
    let shaken = h2::client::Builder::new()
        .enable_push(false)
        .initial_max_send_streams(usize::try_from(MAX_STREAMS).unwrap_or(usize::MAX))
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(TUNNEL_WINDOW_BYTES)
        .handshake(stream)
        .await;
    let (opener, mut connection) = match shaken {
        Ok(shaken) => shaken,
        Err(error) => return tracing::warn!(name, %error, "tunnel failed"),
    };
    let pings = connection.ping_pong();
    routes.add(name, id, opener);
    tracing::info!(name, tunnels = ?routes.census(), "tunnel open");
    let ended = tokio::select! {
        ended = connection => ended.map_err(|error| error.to_string()),
        silent = tunnel::watch(pings) => Err(silent.to_owned()),
    };
    routes.remove(id);
    tracing::info!(name, ?ended, tunnels = ?routes.census(), "tunnel closed");
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opener() -> Opener {
        let (near, far) = tokio::io::duplex(4_096);
        let (opener, _) = h2::client::handshake(near).await.unwrap();
        drop(far);
        opener
    }

    fn routes() -> Routes {
        let addressee = |name: &str, hosts: &[&str]| Addressee {
            name: name.to_owned(),
            lfdi: "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5".to_owned(),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        let addressees = [
            addressee("one", &["One.example", "uno.example"]),
            addressee("two", &["two.example"]),
        ];
        Routes::new(&addressees, Arc::default())
    }

    #[test]
    fn a_device_gets_to_whom_it_names() {
        let routes = routes();
        for (host, default, expected) in [
            (Some("one.example"), None, Some("one")),
            (Some("uno.example"), Some("two"), Some("one")),
            (Some("two.example"), None, Some("two")),
            (Some("three.example"), Some("two"), None),
            (None, Some("two"), Some("two")),
            (None, None, None),
        ] {
            let found = routes.addressee(host, default);
            assert_eq!(found.as_deref(), expected, "{host:?} {default:?}");
        }
    }

    #[tokio::test]
    async fn tunnels_take_turns_and_the_oldest_of_too_many_goes() {
        let routes = routes();
        assert!(routes.opener("one").is_none());
        for id in 0..=u64::try_from(MAX_TUNNELS_OF_ADDRESSEE).unwrap() {
            routes.add("one", id, opener().await);
        }
        assert_eq!(routes.census()["one"], MAX_TUNNELS_OF_ADDRESSEE);
        assert_eq!(routes.census()["two"], 0);
        routes.remove(0);
        assert_eq!(routes.census()["one"], MAX_TUNNELS_OF_ADDRESSEE);
        for id in 1..=u64::try_from(MAX_TUNNELS_OF_ADDRESSEE).unwrap() {
            assert!(routes.opener("one").is_some());
            routes.remove(id);
        }
        assert!(routes.opener("one").is_none());
        assert!(routes.opener("nobody").is_none());
    }
}
