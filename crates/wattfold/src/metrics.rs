//! What is counted, for Prometheus.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use store::Batch;

use crate::node::membership::Standing;

/// Upper bounds of commit times, in seconds.
const COMMIT_BUCKETS_S: [f64; 10] = [
    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Listener {
    listener: &'static str,
    status: u32,
}

/// What is known only at the time of asking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Levels {
    /// DER heard lately.
    pub reachable: usize,
    /// DER heard once and silent now.
    pub silent: usize,
    /// Members of dispatches that are not over whose notice is shorter than they may take to know.
    pub late_members: usize,
    /// Time since start.
    pub uptime: Duration,
}

/// Every counter of the process.
pub struct Metrics {
    registry: Registry,
    responses: Family<Listener, Counter>,
    commands: Family<Outcome, Counter>,
    handshakes: Family<Outcome, Counter>,
    sessions_ended: Family<Outcome, Counter>,
    notifications: Family<Outcome, Counter>,
    notifications_waiting: Gauge,
    subscriptions: Gauge,
    connections: Gauge,
    connections_refused: Counter,
    journal_entries: Counter,
    journal_version: Gauge,
    delivery_steps: Counter,
    commit_seconds: Histogram,
    samples_stored: Counter,
    samples_shed: Counter,
    samples_too_old: Counter,
    reports_refused: Counter,
    reachable: Gauge,
    silent: Gauge,
    late: Gauge,
    uptime: Gauge<f64, AtomicU64>,
    leads: Gauge,
    lease_age: Gauge<f64, AtomicU64>,
    behind: Gauge<f64, AtomicU64>,
    inbox_depth: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("wattfold");
        let metrics = Self {
            responses: Family::default(),
            commands: Family::default(),
            handshakes: Family::default(),
            sessions_ended: Family::default(),
            notifications: Family::default(),
            notifications_waiting: Gauge::default(),
            subscriptions: Gauge::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            journal_entries: Counter::default(),
            journal_version: Gauge::default(),
            delivery_steps: Counter::default(),
            commit_seconds: Histogram::new(COMMIT_BUCKETS_S),
            samples_stored: Counter::default(),
            samples_shed: Counter::default(),
            samples_too_old: Counter::default(),
            reports_refused: Counter::default(),
            reachable: Gauge::default(),
            silent: Gauge::default(),
            late: Gauge::default(),
            uptime: Gauge::default(),
            leads: Gauge::default(),
            lease_age: Gauge::default(),
            behind: Gauge::default(),
            inbox_depth: Gauge::default(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        Self {
            registry,
            ..metrics
        }
    }
}

impl Metrics {
    fn register(&self, to: &mut Registry) {
        to.register(
            "responses",
            "Responses by listener and status",
            self.responses.clone(),
        );
        to.register("commands", "Commands by outcome", self.commands.clone());
        to.register(
            "handshakes",
            "Device TLS handshakes by outcome",
            self.handshakes.clone(),
        );
        let ended = "Device connections closed because of what became of their certificates";
        to.register("sessions_ended", ended, self.sessions_ended.clone());
        self.register_notifications(to);
        to.register(
            "connections",
            "Device connections open",
            self.connections.clone(),
        );
        let refused = "Device connections refused at the limit";
        to.register(
            "connections_refused",
            refused,
            self.connections_refused.clone(),
        );
        to.register(
            "journal_entries",
            "Journal entries committed",
            self.journal_entries.clone(),
        );
        let version = "Version of the journal since the last commit of this process";
        to.register("journal_version", version, self.journal_version.clone());
        to.register(
            "delivery_steps",
            "Delivery steps committed",
            self.delivery_steps.clone(),
        );
        let commit = "Time from decision to durability";
        to.register("commit_seconds", commit, self.commit_seconds.clone());
        to.register(
            "samples_stored",
            "Telemetry samples stored",
            self.samples_stored.clone(),
        );
        to.register(
            "samples_shed",
            "Telemetry samples lost after they were taken in",
            self.samples_shed.clone(),
        );
        to.register(
            "samples_too_old",
            "Telemetry samples turned down as older than samples are kept",
            self.samples_too_old.clone(),
        );
        let refused = "Reports of devices refused because readings wait to be written";
        to.register("reports_refused", refused, self.reports_refused.clone());
        to.register("ders_reachable", "DER heard lately", self.reachable.clone());
        to.register(
            "ders_silent",
            "DER heard once and silent now",
            self.silent.clone(),
        );
        let late =
            "Members of dispatches not over whose notice is shorter than they may take to know";
        to.register("late_members", late, self.late.clone());
        to.register("uptime_seconds", "Time since start", self.uptime.clone());
        self.register_cluster(to);
    }

    fn register_cluster(&self, to: &mut Registry) {
        let leads = "Whether decisions are made here: 1 or 0";
        to.register("leads", leads, self.leads.clone());
        let age = "Time since the lease in force was last renewed or seen";
        to.register("lease_age_seconds", age, self.lease_age.clone());
        let behind = "Time since the journal was last known to be folded to its head";
        to.register("journal_behind_seconds", behind, self.behind.clone());
        let depth = "Requests that wait for the leader, of all nodes";
        to.register("inbox_depth", depth, self.inbox_depth.clone());
    }

    /// How this node stands among others.
    pub fn standing(&self, standing: Option<Standing>) {
        self.leads
            .set(i64::from(standing.is_none_or(|own| own.leads)));
        if let Some(own) = standing {
            self.lease_age.set(own.lease_age.as_secs_f64());
            self.behind.set(own.behind.as_secs_f64());
        }
    }

    /// So many requests wait for the leader.
    pub fn inbox_depth(&self, count: usize) {
        self.inbox_depth
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn register_notifications(&self, to: &mut Registry) {
        to.register(
            "notifications",
            "Notifications posted to subscribers, by outcome",
            self.notifications.clone(),
        );
        to.register(
            "notifications_waiting",
            "Notifications that are due and not taken yet",
            self.notifications_waiting.clone(),
        );
        to.register(
            "subscriptions",
            "Subscriptions in force",
            self.subscriptions.clone(),
        );
    }

    /// A notification was posted, or given up.
    pub fn notification(&self, outcome: &'static str) {
        let posted = self.notifications.get_or_create(&Outcome { outcome });
        posted.inc();
    }

    /// So many notifications are due and not taken yet.
    pub fn notifications_waiting(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.notifications_waiting.set(count);
    }

    /// So many subscriptions are in force.
    pub fn subscriptions(&self, count: usize) {
        self.subscriptions
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A response went out on the device listener.
    pub fn device_response(&self, status: u16) {
        self.response("ieee2030_5", status);
    }

    /// A response went out on `listener`.
    pub fn response(&self, listener: &'static str, status: u16) {
        let labels = Listener {
            listener,
            status: u32::from(status),
        };
        self.responses.get_or_create(&labels).inc();
    }

    /// A command was decided.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "an outcome as `Result::is_ok` has it"
    )]
    pub fn command(&self, accepted: bool) {
        let outcome = if accepted { "accepted" } else { "rejected" };
        self.commands.get_or_create(&Outcome { outcome }).inc();
    }

    /// A TLS handshake ended: `ok`, or the code of a [`crate::tls::Refusal`].
    pub fn handshake(&self, outcome: &'static str) {
        self.handshakes.get_or_create(&Outcome { outcome }).inc();
    }

    /// A device's connection was closed for the reason with this code.
    pub fn session_ended(&self, outcome: &'static str) {
        let ended = self.sessions_ended.get_or_create(&Outcome { outcome });
        ended.inc();
    }

    /// A device connected.
    pub fn connection_opened(&self) {
        self.connections.inc();
    }

    /// A device's connection ended.
    pub fn connection_closed(&self) {
        self.connections.dec();
    }

    /// A connection was closed because too many are open.
    pub fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    /// A batch became durable `took` after it was decided.
    pub fn committed(&self, batch: &Batch, took: Duration) {
        self.journal_entries.inc_by(batch.entries.len() as u64);
        let version = batch.expected_version + batch.entries.len() as u64;
        self.journal_version
            .set(i64::try_from(version).unwrap_or(i64::MAX));
        self.delivery_steps.inc_by(batch.deliveries.len() as u64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// Telemetry was stored.
    pub fn samples_stored(&self, count: usize) {
        self.samples_stored.inc_by(count as u64);
    }

    /// Telemetry was shed.
    pub fn samples_shed(&self, count: usize) {
        self.samples_shed.inc_by(count as u64);
    }

    /// Samples were older than samples are kept.
    pub fn samples_too_old(&self, count: usize) {
        self.samples_too_old.inc_by(count as u64);
    }

    /// A report was refused for want of room for its readings.
    pub fn report_refused(&self) {
        self.reports_refused.inc();
    }

    /// Readings that were lost, and reports that were refused, since the start.
    #[must_use]
    pub fn readings_refused(&self) -> u64 {
        self.samples_shed.get() + self.reports_refused.get()
    }

    /// The exposition text, with what is known only at the time of asking.
    #[must_use]
    pub fn text(&self, levels: Levels) -> String {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.reachable.set(count(levels.reachable));
        self.silent.set(count(levels.silent));
        self.late.set(count(levels.late_members));
        self.uptime.set(levels.uptime.as_secs_f64());
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }
}
