//! Configuration: one TOML file, read once at start; unknown keys are errors.

mod listening;
mod notifications;
mod pen;
mod profile;
mod store;
mod time_zone;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fleet::dispatch::LinearLimit;
use fleet::dispatch::assess::Policy;
use fleet::{DerId, Fleet, IdError, Name};
use serde::Deserialize;
use thiserror::Error;
use units::{Percent, Watts};

use crate::telemetry::Retention;
use crate::tls::CipherPolicy;

pub use self::store::{DatabaseUrl, Store};
pub use listening::{Discovery, MAX_ADDRESSES, MAX_TUNNELS, Tunnel};
pub use notifications::{MAX_HOSTS, MAX_NETWORKS, Notifications, Subscribers};
pub use pen::{MAX_DECIMAL_PEN, PenForm};
pub use profile::{ConnectionPointId, Edition, Extension, profile};
pub use time_zone::TimeZone;

/// Most limits over several DER.
pub const MAX_LIMITS: usize = 32;
/// Most days that telemetry is kept: a century.
pub const MAX_RETENTION_DAYS: u32 = 36_600;

/// Why a configuration is not usable.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {message}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
    /// A value breaks a rule.
    #[error("{key}: {rule}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Which rule.
        rule: String,
    },
}

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// API, console and IEC 61968-5.
    pub enterprise: Enterprise,
    /// IEEE 2030.5 for devices; absent: no device listener.
    pub ieee2030_5: Option<Devices>,
    /// Making ourselves known on the local network; absent: nothing is announced.
    pub discovery: Option<Discovery>,
    /// A database that several nodes share; absent: everything is in the data directory.
    pub store: Option<Store>,
    /// IEC 61968-5 behaviour.
    #[serde(default)]
    pub iec61968_5: Cim,
    /// The control loop.
    #[serde(default)]
    pub control: Control,
    /// Telemetry.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// Limits over several DER.
    #[serde(default)]
    pub limits: Vec<Limit>,
}

/// The listener of people and enterprise systems.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enterprise {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Server certificate chain (PEM); with it the listener speaks HTTPS.
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Names of the accounts that may approve of dispatches for the balancing authority.
    #[serde(default)]
    pub balancing_authority: BTreeSet<String>,
    /// Names of the accounts that may read, change and erase personal data; absent: the first
    /// account alone.
    #[serde(default = "first_account")]
    pub personal_data: BTreeSet<String>,
    /// CA of client certificates (PEM); with it a client may authenticate by certificate.
    pub client_ca: Option<PathBuf>,
}

/// The device listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// Where to listen: one address, or several.
    #[serde(deserialize_with = "listening::addresses")]
    pub listen: Vec<SocketAddr>,
    /// Server certificate chain (PEM).
    pub cert_chain: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// Trusted SERCA and intermediates (PEM).
    pub trust: PathBuf,
    /// `pollRate` told to devices, seconds.
    #[serde(default = "default_poll_rate_s")]
    pub poll_rate_s: u32,
    /// The shorter one told to a device that is, or soon will be, under a control, seconds.
    #[serde(default = "default_urgent_poll_rate_s")]
    pub urgent_poll_rate_s: u32,
    /// Local time where the devices are.
    #[serde(default)]
    pub time_zone: TimeZone,
    /// `postRate` told to devices, seconds.
    #[serde(default = "default_post_rate_s")]
    pub post_rate_s: u32,
    /// IANA private enterprise number for our mRIDs.
    #[serde(default)]
    pub pen: u32,
    /// How it stands at the end of our mRIDs.
    #[serde(default)]
    pub pen_form: PenForm,
    /// Edition of IEEE 2030.5 that clients are served which have no other of their own.
    #[serde(default)]
    pub edition: Edition,
    /// What they are served beyond it.
    #[serde(default)]
    pub extension: Extension,
    /// What may identify a connection point (CSIP-AUS).
    #[serde(default)]
    pub connection_point_id: ConnectionPointId,
    /// Which way devices count the power that their meters call forward.
    #[serde(default)]
    pub forward: Forward,
    /// Most connections open at one time.
    #[serde(default = "default_max_connections")]
    pub max_connections: usize,
    /// How long a connection may wait for its next request, seconds.
    #[serde(default = "default_idle_timeout_s")]
    pub idle_timeout_s: u32,
    /// Which ciphers are offered.
    #[serde(default)]
    pub ciphers: CipherPolicy,
    /// Revoked certificates: LFDIs, one to a line, and PEM revocation lists; read again when it
    /// changes.
    pub revoked: Option<PathBuf>,
    /// Certificates that sign themselves and are honoured all the same (PEM); read again when it
    /// changes.
    pub pinned: Option<PathBuf>,
    /// Relays that bring us devices.
    #[serde(default)]
    pub tunnels: Vec<Tunnel>,
    /// Subscriptions and notifications.
    #[serde(default)]
    pub notifications: Notifications,
}

/// Which way a forward flow goes at a device's meter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forward {
    /// To the customer, as the standard says.
    #[default]
    Absorbed,
    /// Out of the DER, as some clients have it.
    Injected,
}

/// IEC 61968-5 behaviour.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cim {
    /// Refuse what the schema does not allow, instead of making the best of it.
    #[serde(default)]
    pub strict: bool,
    /// Peers whose namespaces differ, by name of their account.
    #[serde(default)]
    pub peers: std::collections::BTreeMap<String, Peer>,
}

/// How one enterprise peer differs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Overrides the general setting.
    pub strict: Option<bool>,
    /// Namespace of the message envelope.
    pub envelope_namespace: Option<String>,
    /// Start of payload namespaces, before the noun.
    pub payload_namespace: Option<String>,
    /// Which way power flows where a message gives no direction.
    #[serde(default)]
    pub absent_flow: AbsentFlow,
    /// Call a mixed outcome FAILED, as the EPRI test script has it, instead of PARTIAL.
    #[serde(default)]
    pub epri_compat: bool,
}

/// Which way power flows where a message gives no direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsentFlow {
    /// Positive is injection into the grid.
    #[default]
    Injection,
    /// Positive is delivery to the customer.
    Absorption,
}

/// The control loop.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// Period of the loop, milliseconds.
    pub tick_ms: u64,
    /// Silence after which a DER is not counted on, seconds.
    pub silent_after_s: u64,
    /// Time a meter gets to show an effect, beyond the ramp, seconds.
    pub settle_s: u64,
    /// Longest time, in seconds, in which an aggregator passes a control on to a DER.
    #[serde(default = "default_aggregator_latency_s")]
    pub aggregator_latency_s: u64,
    /// Time between deciding a control and its start, seconds.
    pub lead_s: u64,
    /// Deviation that still counts as following, percent of a DER's maximum.
    pub tolerance_pct: f64,
}

/// Telemetry storage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// How long samples are kept, days.
    pub retention_days: u32,
    /// How long roll-ups by the minute are kept, days.
    pub minute_days: u32,
    /// How long roll-ups by the quarter of an hour are kept, days.
    pub quarter_hour_days: u32,
    /// How long roll-ups by the hour are kept, days.
    pub hour_days: u32,
}

/// A limit over several DER.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// What to call it.
    pub name: String,
    /// Most net injection, watts.
    pub max_export_w: Option<f64>,
    /// Most net absorption, watts, as a magnitude.
    pub max_import_w: Option<f64>,
    /// Which DER: `"all"` or names.
    #[serde(default)]
    pub ders: Scope,
}

/// Which DER a limit is about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged)]
pub enum Scope {
    /// Every DER of the fleet.
    #[default]
    All,
    /// A word; only `all` is one.
    Word(String),
    /// These, by name.
    Names(Vec<String>),
}

impl Default for Control {
    fn default() -> Self {
        Self {
            tick_ms: 1_000,
            silent_after_s: 2_700,
            settle_s: 60,
            aggregator_latency_s: default_aggregator_latency_s(),
            lead_s: 900,
            tolerance_pct: 5.0,
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            retention_days: 400,
            minute_days: 800,
            quarter_hour_days: 1_830,
            hour_days: 3_660,
        }
    }
}

/// CSIP 2.1, 5.2.
const fn default_aggregator_latency_s() -> u64 {
    900
}

/// CSIP 2.1, 5.2.
fn first_account() -> BTreeSet<String> {
    BTreeSet::from([crate::auth::FIRST_ACCOUNT.to_owned()])
}

const fn default_poll_rate_s() -> u32 {
    600
}

const fn default_urgent_poll_rate_s() -> u32 {
    60
}

const fn default_post_rate_s() -> u32 {
    300
}

const fn default_max_connections() -> usize {
    20_000
}

/// Beyond the longest poll rate that CSIP has by default, so that connections are kept.
const fn default_idle_timeout_s() -> u32 {
    1_200
}

impl Config {
    /// Reads and checks `path`; relative paths inside are taken from its folder.
    ///
    /// # Errors
    /// [`ConfigError`] naming the file or the key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let parsed: Result<Self, toml::de::Error> = toml::from_str(&text);
        let mut config = parsed.map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        config.resolve(path.parent().unwrap_or(Path::new(".")));
        config.check()?;
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        let enterprise = &mut self.enterprise;
        let optional = [
            &mut enterprise.tls_cert,
            &mut enterprise.tls_key,
            &mut enterprise.client_ca,
        ];
        for path in optional.into_iter().flatten() {
            *path = folder.join(&path);
        }
        if let Some(ca) = self.store.as_mut().and_then(|store| store.tls_ca.as_mut()) {
            *ca = folder.join(&ca);
        }
        if let Some(devices) = &mut self.ieee2030_5 {
            for path in [
                &mut devices.cert_chain,
                &mut devices.key,
                &mut devices.trust,
            ] {
                *path = folder.join(&path);
            }
            let lists = [&mut devices.revoked, &mut devices.pinned];
            for path in lists.into_iter().flatten() {
                *path = folder.join(&path);
            }
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let value = |key, rule: &str| {
            Err(ConfigError::Value {
                key,
                rule: rule.to_owned(),
            })
        };
        if self.enterprise.tls_cert.is_some() != self.enterprise.tls_key.is_some() {
            return value(
                "enterprise.tls_cert",
                "goes together with enterprise.tls_key",
            );
        }
        if self.enterprise.client_ca.is_some() && self.enterprise.tls_cert.is_none() {
            return value("enterprise.client_ca", "needs enterprise.tls_cert");
        }
        if !(50..=60_000).contains(&self.control.tick_ms) {
            return value("control.tick_ms", "must be 50 to 60000");
        }
        if !(0.1..=50.0).contains(&self.control.tolerance_pct) {
            return value("control.tolerance_pct", "must be 0.1 to 50");
        }
        if self.control.silent_after_s == 0 {
            return value("control.silent_after_s", "must be at least 1");
        }
        if let Some(devices) = &self.ieee2030_5 {
            if devices.idle_timeout_s == 0 {
                return value("ieee2030_5.idle_timeout_s", "must be at least 1");
            }
            if devices.pen_form.bits(devices.pen).is_none() {
                let rule = format!("is at most {MAX_DECIMAL_PEN} in decimal digits");
                return value("ieee2030_5.pen", &rule);
            }
            if MAX_TUNNELS < devices.tunnels.len() {
                return value("ieee2030_5.tunnels", &format!("are at most {MAX_TUNNELS}"));
            }
            devices.notifications.check()?;
            let poll_rate_s = u64::from(devices.poll_rate_s);
            if self.control.silent_after_s < 2 * poll_rate_s {
                return value(
                    "control.silent_after_s",
                    "must be twice the poll rate or more",
                );
            }
            if self.control.lead_s < poll_rate_s {
                return value("control.lead_s", "must be the poll rate or more");
            }
        }
        if let Some(store) = &self.store {
            store.check()?;
        }
        self.telemetry.check()?;
        if MAX_LIMITS < self.limits.len() {
            return value("limits", &format!("are at most {MAX_LIMITS}"));
        }
        self.limits.iter().try_for_each(Limit::check)
    }
}

impl Control {
    /// The thresholds of the control loop. Devices that poll for themselves know of a control
    /// within their poll rate of `poll_rate_s`.
    #[must_use]
    pub fn policy(&self, poll_rate_s: u32) -> Policy {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be at most 50 %"
        )]
        let tolerance = Percent::from_hundredths((self.tolerance_pct * 100.0).round() as i32);
        Policy {
            silent_after: Duration::from_secs(self.silent_after_s),
            settle: Duration::from_secs(self.settle_s),
            lead: Duration::from_secs(self.lead_s),
            tolerance,
            latency: Duration::from_secs(u64::from(poll_rate_s)),
            latency_aggregated: Duration::from_secs(self.aggregator_latency_s),
        }
    }
}

impl Telemetry {
    fn check(&self) -> Result<(), ConfigError> {
        let days = [
            ("telemetry.retention_days", self.retention_days),
            ("telemetry.minute_days", self.minute_days),
            ("telemetry.quarter_hour_days", self.quarter_hour_days),
            ("telemetry.hour_days", self.hour_days),
        ];
        let wrong = |(_, days): &&(_, u32)| !(1..=MAX_RETENTION_DAYS).contains(days);
        match days.iter().find(wrong) {
            Some((key, _)) => {
                let rule = format!("must be 1 to {MAX_RETENTION_DAYS}");
                Err(ConfigError::Value { key, rule })
            }
            None => Ok(()),
        }
    }

    /// How long telemetry is kept: each roll-up at least as long as what is finer.
    #[must_use]
    pub fn retention(&self) -> Retention {
        let mut most = self.retention_days;
        let mut time = |days: u32| {
            most = most.max(days);
            Duration::from_secs(u64::from(most) * 86_400)
        };
        Retention {
            samples: time(self.retention_days),
            rollups: [self.minute_days, self.quarter_hour_days, self.hour_days].map(time),
        }
    }
}

impl Limit {
    fn check(&self) -> Result<(), ConfigError> {
        let value = |rule: String| {
            Err(ConfigError::Value {
                key: "limits",
                rule,
            })
        };
        if let Err(error) = Name::new(&self.name) {
            return value(format!("{:?}: {error}", self.name));
        }
        let directions = [("export", self.max_export_w), ("import", self.max_import_w)];
        for (direction, _) in directions.iter().filter(|(_, max)| max.is_some()) {
            if let Err(error) = self.row_name(direction) {
                return value(format!("{}: {direction}: {error}", self.name));
            }
        }
        if matches!(&self.ders, Scope::Word(word) if word != "all") {
            return value(format!("{}: ders is \"all\" or a list of names", self.name));
        }
        let bounds = [self.max_export_w, self.max_import_w];
        if bounds.iter().flatten().any(|w| !w.is_finite() || *w < 0.0) {
            return value(format!("{}: bounds are magnitudes in watts", self.name));
        }
        if bounds.iter().all(Option::is_none) {
            return value(format!(
                "{}: has neither max_export_w nor max_import_w",
                self.name
            ));
        }
        Ok(())
    }

    /// What a bound in one direction is called where it binds.
    fn row_name(&self, direction: &str) -> Result<Name, IdError> {
        Name::new(&format!("{} {direction}", self.name))
    }

    /// The names given that no DER of `fleet` bears.
    #[must_use]
    pub fn unknown(&self, fleet: &Fleet) -> Vec<&str> {
        let Scope::Names(names) = &self.ders else {
            return Vec::new();
        };
        let is_known =
            |name: &&String| Name::new(name).is_ok_and(|name| fleet.der_by_name(&name).is_some());
        names
            .iter()
            .filter(|name| !is_known(name))
            .map(String::as_str)
            .collect()
    }

    /// The limit as rows over the DER that `fleet` knows.
    #[must_use]
    pub fn rows(&self, fleet: &Fleet) -> Vec<LinearLimit> {
        let ders: Vec<DerId> = match &self.ders {
            Scope::All | Scope::Word(_) => fleet.ders().iter().map(|der| der.id).collect(),
            Scope::Names(names) => {
                let known = names.iter().filter_map(|name| Name::new(name).ok());
                let mut ids: Vec<DerId> = known
                    .filter_map(|name| Some(fleet.der_by_name(&name)?.id))
                    .collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            }
        };
        let row = |direction: &str, coefficient: f64, max: Option<f64>| {
            Some(LinearLimit {
                name: self.row_name(direction).ok()?,
                terms: ders.iter().map(|id| (*id, coefficient)).collect(),
                max: Watts::from_f64(max?),
                during: None,
            })
        };
        let export = row("export", 1.0, self.max_export_w);
        let import = row("import", -1.0, self.max_import_w);
        export.into_iter().chain(import).collect()
    }
}

#[cfg(test)]
mod tests;
