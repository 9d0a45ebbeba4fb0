//! The database that nodes share.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use store::{Address, AddressError};

use super::ConfigError;

/// The `[store]` table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Where the database is.
    pub url: DatabaseUrl,
    /// CA of the database server's certificate (PEM); with it every connection is TLS.
    pub tls_ca: Option<PathBuf>,
    /// What this node is called in the lease and in logs.
    #[serde(default = "default_node")]
    pub node: String,
    /// How long the lease of a leader lasts that does not renew it, milliseconds. Another node
    /// leads about as long after the leader fell.
    #[serde(default = "default_lease_ms")]
    pub lease_ms: u64,
}

/// A URL that may hold a password, and is not shown for that.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl Store {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let value = |key, rule: String| Err(ConfigError::Value { key, rule });
        if self.node.is_empty() || 48 < self.node.len() || self.node.contains(char::is_control) {
            return value("store.node", "has 1 to 48 bytes".to_owned());
        }
        if !(500..=60_000).contains(&self.lease_ms) {
            return value("store.lease_ms", "must be 500 to 60000".to_owned());
        }
        Ok(())
    }

    /// Where the database is.
    ///
    /// # Errors
    /// [`AddressError`], which never shows the URL.
    pub fn address(&self) -> Result<Address, AddressError> {
        Address::new(&self.url.0, self.tls_ca.as_deref())
    }

    /// How long a lease lasts that is not renewed.
    #[must_use]
    pub const fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl")
    }
}

fn default_node() -> String {
    "node".to_owned()
}

const fn default_lease_ms() -> u64 {
    3_000
}
