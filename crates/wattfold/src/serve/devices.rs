//! The device side: sockets, tunnels, notifications, discovery.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{ServeError, listen};
use crate::config::{Devices, Discovery, Edition, Tunnel};
use crate::device_listener::{Bounds, DeviceListener, stopped};
use crate::discovery::{self, Announcement};
use crate::node::Node;
use crate::tls::{Acceptor, Connector, ServerTls, TlsFiles};
use crate::{notifier, relay};

/// Where our server's `DeviceCapability` is.
const DEVICE_CAPABILITY: &str = "/dcap";
/// How often it is looked whether other function sets are served than were announced.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The device side before it serves.
pub(super) struct DeviceSockets {
    acceptor: Acceptor,
    listeners: Vec<TcpListener>,
    connector: Connector,
    tunnels: Vec<relay::Dial>,
    bounds: Bounds,
    notifications: notifier::Settings,
    announcement: Option<Announcement>,
}

impl DeviceSockets {
    pub(super) fn open(
        devices: &Devices,
        discovery: Option<&Discovery>,
    ) -> Result<Self, ServeError> {
        let acceptor = Acceptor::with(ServerTls {
            files: tls_files(devices),
            ciphers: devices.ciphers,
            revoked: devices.revoked.clone(),
            pinned: devices.pinned.clone(),
        })?;
        let mut listeners = Vec::new();
        for address in &devices.listen {
            listeners.push(listen(*address)?);
            tracing::info!(%address, "IEEE 2030.5 listener");
        }
        let bounds = Bounds {
            max_connections: devices.max_connections,
            idle_timeout: Duration::from_secs(u64::from(devices.idle_timeout_s)),
        };
        let connector = Connector::new(&tls_files(devices))?;
        let tunnel = |tunnel: &Tunnel| relay::Dial {
            relay: tunnel.relay.clone(),
            server_name: tunnel.name().to_owned(),
            connector: connector.clone(),
        };
        let tunnels = devices.tunnels.iter().map(tunnel).collect();
        let told = &devices.notifications;
        let notifications = notifier::Settings {
            connector: Some(connector.clone()),
            destinations: told.rules(&devices.listen).destinations,
            give_up_after: Duration::from_secs(u64::from(told.give_up_after_s)),
        };
        Ok(Self {
            acceptor,
            listeners,
            connector,
            tunnels,
            bounds,
            notifications,
            announcement: discovery.map(|discovery| announcement(discovery, devices)),
        })
    }

    pub(super) fn serve(
        self,
        node: &Arc<Node>,
        halted: &watch::Receiver<bool>,
        tasks: &mut tokio::task::JoinSet<()>,
    ) {
        let (feed, receiver) = notifier::feed();
        node.notify(feed);
        let notifying = notifier::run(
            Arc::clone(node),
            self.notifications,
            receiver,
            halted.clone(),
        );
        tasks.spawn(notifying);
        if let Some(announcement) = self.announcement {
            let announcing = announced(announcement, Arc::clone(node), halted.clone());
            tasks.spawn(announcing);
        }
        let node = Arc::clone(node);
        let serving = DeviceListener::new(self.acceptor, node, self.bounds, halted.clone());
        tasks.spawn(Arc::clone(&serving).refresh());
        tasks.spawn(self.connector.refreshed(halted.clone()));
        for listener in self.listeners {
            tasks.spawn(Arc::clone(&serving).listen(listener));
        }
        for tunnel in self.tunnels {
            tasks.spawn(relay::dial(tunnel, Arc::clone(&serving), halted.clone()));
        }
    }
}

fn tls_files(devices: &Devices) -> TlsFiles {
    TlsFiles {
        cert_chain: devices.cert_chain.clone(),
        key: devices.key.clone(),
        trust: devices.trust.clone(),
    }
}

fn announcement(discovery: &Discovery, devices: &Devices) -> Announcement {
    // IEEE 2030.5 5.7: the letter and number name the edition.
    let level = match devices.edition {
        Edition::Y2018 => "-S1",
        Edition::Y2023 => "-S2",
    };
    Announcement {
        name: discovery.name.clone(),
        host: discovery.host.clone(),
        addresses: Vec::new(),
        port: devices.listen.first().map_or(0, std::net::SocketAddr::port),
        dcap: DEVICE_CAPABILITY.to_owned(),
        level: level.to_owned(),
        function_sets: Vec::new(),
    }
}

/// Announces the function sets that are served, anew when they are others, until `stop` turns true.
async fn announced(mut server: Announcement, node: Arc<Node>, mut stop: watch::Receiver<bool>) {
    let served = || node.read(|published| discovery::function_sets(published.resources.hosted()));
    loop {
        server.function_sets = served();
        let announced = match discovery::announce(&server) {
            Ok(announced) => announced,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "not announced on the local network");
                return;
            }
        };
        tracing::info!(name = server.name, "announced on the local network");
        let is_over = loop {
            if tokio::time::timeout(LOOK_AGAIN, stopped(&mut stop))
                .await
                .is_ok()
            {
                break true;
            }
            if served() != server.function_sets {
                break false;
            }
        };
        announced.withdraw().await;
        if is_over {
            return;
        }
    }
}
