//! Where a database is and how it is reached; a password never leaves here.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long the database gets to accept a connection, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long data may stay unacknowledged before a connection counts as lost.
const TCP_TIMEOUT: Duration = Duration::from_secs(5);

/// A PostgreSQL database.
#[derive(Clone)]
pub struct Address {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
}

/// Why there is no such address.
#[derive(Debug, Error)]
pub enum AddressError {
    /// The URL is not one.
    #[error("is not a PostgreSQL URL: {0}")]
    Url(postgres::Error),
    /// TLS is asked for and there is nothing to verify the server by.
    #[error("asks for TLS (sslmode=require), which needs the CA of the server's certificate")]
    NoCa,
    /// The CA can't be used.
    #[error("the CA of the database server in {path}: {reason}")]
    Ca {
        /// Which file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Address {
    /// The database at `url` (`postgres://USER@HOST:PORT/NAME`, or a Unix socket as
    /// `postgres:///NAME?host=/DIRECTORY`). With the CA of the server's certificate (PEM) every
    /// connection is TLS and the server's name is verified; without one none is.
    ///
    /// # Errors
    /// [`AddressError`], which never shows the URL.
    pub fn new(url: &str, ca: Option<&Path>) -> Result<Self, AddressError> {
        let mut config: Config = url.parse().map_err(AddressError::Url)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(TCP_TIMEOUT);
        }
        let tls = ca.map(client_config).transpose()?;
        match (&tls, config.get_ssl_mode()) {
            (Some(_), _) => config.ssl_mode(SslMode::Require),
            (None, SslMode::Require) => return Err(AddressError::NoCa),
            (None, _) => config.ssl_mode(SslMode::Disable),
        };
        Ok(Self { config, tls })
    }

    /// A connection that the server lists under `name`.
    pub(crate) fn connect(&self, name: &str) -> Result<Client, postgres::Error> {
        let mut config = self.config.clone();
        config.application_name(name);
        let mut client = match &self.tls {
            Some(tls) => config.connect(MakeRustlsConnect::new(ClientConfig::clone(tls)))?,
            None => config.connect(NoTls)?,
        };
        client.batch_execute(
            "SET synchronous_commit = on; SET client_min_messages = warning;
             SET search_path = wattfold, pg_temp; SET TimeZone = 'UTC'",
        )?;
        Ok(client)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            if 0 < number {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "[{}]", path.display())?,
            }
        }
        for port in self.config.get_ports() {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn client_config(ca: &Path) -> Result<Arc<ClientConfig>, AddressError> {
    let refused = |reason: String| AddressError::Ca {
        path: ca.display().to_string(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca).map_err(|e| refused(e.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| refused(e.to_string()))?;
        roots.add(certificate).map_err(|e| refused(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("has no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| refused(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
