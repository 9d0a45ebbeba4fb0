//! What a relay counts, for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Addressee {
    addressee: String,
}

/// Every counter of a relay.
pub(super) struct Metrics {
    registry: Registry,
    connections: Gauge,
    carried: Counter,
    refused: Family<Reason, Counter>,
    tunnels: Family<Addressee, Gauge>,
    tunnels_refused: Family<Reason, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("wattfold_relay");
        let connections = Gauge::default();
        registry.register(
            "connections",
            "Device connections open",
            connections.clone(),
        );
        let carried = Counter::default();
        let help = "Device connections that reached a server";
        registry.register("carried", help, carried.clone());
        let refused = Family::default();
        let help = "Device connections that reached none, by reason";
        registry.register("refused", help, refused.clone());
        let tunnels = Family::default();
        registry.register("tunnels", "Tunnels open, by addressee", tunnels.clone());
        let tunnels_refused = Family::default();
        let help = "Tunnels refused, by reason";
        registry.register("tunnels_refused", help, tunnels_refused.clone());
        Self {
            registry,
            connections,
            carried,
            refused,
            tunnels,
            tunnels_refused,
        }
    }
}

impl Metrics {
    pub(super) fn connection_opened(&self) {
        self.connections.inc();
    }

    pub(super) fn connection_closed(&self) {
        self.connections.dec();
    }

    /// A device's connection has reached its server.
    pub(super) fn carried(&self) {
        self.carried.inc();
    }

    /// A device's connection was closed before it reached a server.
    pub(super) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    /// So many tunnels of this addressee are open.
    pub(super) fn tunnels(&self, addressee: &str, count: usize) {
        let addressee = addressee.to_owned();
        let tunnels = self.tunnels.get_or_create(&Addressee { addressee });
        tunnels.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A server, or somebody else, did not get a tunnel.
    pub(super) fn tunnel_refused(&self, reason: &'static str) {
        self.tunnels_refused.get_or_create(&Reason { reason }).inc();
    }

    /// The exposition text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }
}

/// Answers `GET /metrics`.
pub(super) async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let show = async move || ([(CONTENT_TYPE, content_type)], metrics.text());
    let router = Router::new().route("/metrics", get(show));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "nobody answers for metrics");
    }
}
