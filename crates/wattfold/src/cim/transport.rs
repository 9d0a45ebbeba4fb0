//! POST over HTTP or HTTPS, with what the server wants to know of us.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iec61968_5::client::Post;
use iec61968_5::limits::MAX_ANSWER_BYTES;
use thiserror::Error;
use ureq::Agent;
use ureq::tls::{
    Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider, parse_pem,
};

use super::CimArgs;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why a server can't be asked.
#[derive(Debug, Error)]
pub enum TransportError {
    /// The URL is neither http nor https.
    #[error("{0:?} starts neither with http:// nor with https://")]
    Url(String),
    /// Nothing says whom to trust.
    #[error("https needs --ca with the certificates that the server's has to lead to")]
    NoCa,
    /// A file can't be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds no certificate or key.
    #[error("{path} holds no {what} in PEM")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The exchange failed.
    #[error("no answer from {url}")]
    Exchange {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
}

/// A way to one server.
pub(super) struct Transport {
    agent: Agent,
    origin: String,
    authorization: Option<String>,
}

impl Transport {
    pub(super) fn new(args: &CimArgs) -> Result<Self, TransportError> {
        let origin = args.url.trim_end_matches('/').to_owned();
        let secure = origin.starts_with("https://");
        if !secure && !origin.starts_with("http://") {
            return Err(TransportError::Url(origin));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(TIMEOUT));
        let config = if secure {
            config.tls_config(tls(args)?)
        } else {
            config
        };
        let authorization = match &args.user {
            Some(user) => {
                let pair = format!("{user}:{}", password(args)?);
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            None => None,
        };
        Ok(Self {
            agent: config.build().new_agent(),
            origin,
            authorization,
        })
    }

    /// HTTP status and body of the answer.
    pub(super) fn post(&self, post: &Post) -> Result<(u16, Vec<u8>), TransportError> {
        let url = format!("{}{}", self.origin, post.path);
        let failed = |source| {
            let (url, source) = (url.clone(), Box::new(source));
            TransportError::Exchange { url, source }
        };
        let mut request = self
            .agent
            .post(&url)
            .header("Content-Type", post.content_type)
            .header("SOAPAction", &post.soap_action);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.send(&post.body).map_err(failed)?;
        let limit = u64::try_from(MAX_ANSWER_BYTES).unwrap_or(u64::MAX);
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        Ok((response.status().as_u16(), body.map_err(failed)?))
    }
}

fn password(args: &CimArgs) -> Result<String, TransportError> {
    if let Some(path) = &args.password.password_file {
        let text = String::from_utf8_lossy(&read(path)?).into_owned();
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    Ok(args.password.password.clone().unwrap_or_default())
}

fn tls(args: &CimArgs) -> Result<TlsConfig, TransportError> {
    let ca = args.ca.as_deref().ok_or(TransportError::NoCa)?;
    let client = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKey::from_pem(&read(key)?).map_err(|_| TransportError::Pem {
                path: key.clone(),
                what: "private key",
            })?;
            Some(ClientCert::new_with_certs(&certificates(cert)?, key))
        }
        _ => None,
    };
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::new_with_certs(&certificates(ca)?))
        .client_cert(client)
        .unversioned_rustls_crypto_provider(crypto)
        .build())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, TransportError> {
    let pem = read(path)?;
    let items: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if items.is_empty() {
        return Err(TransportError::Pem {
            path: path.to_owned(),
            what: "certificate",
        });
    }
    Ok(items)
}

fn read(path: &Path) -> Result<Vec<u8>, TransportError> {
    fs::read(path).map_err(|source| TransportError::Read {
        path: path.to_owned(),
        source,
    })
}
