//! TLS as IEEE 2030.5 asks for it, on the system's OpenSSL.
//!
//! One profile, for our listener and for the clients of the simulator alike: TLS 1.2, curve P-256,
//! ECDSA with SHA-256, the mandatory `ECDHE-ECDSA-AES128-CCM8` and GCM beside it for peers without
//! CCM, and certificates on both sides. A device is known by the LFDI of its certificate.
//!
//! This module is the only one that names OpenSSL's TLS, so that another backend can take its
//! place. The chain rules of 2030.5 (critical `certificatePolicies`, an empty subject, a critical
//! subjectAltName with a hardwareModuleName) are why the backend is not rustls with webpki.

mod acceptor;
mod connector;
mod files;
mod flight;
pub(crate) mod handshake;
mod judge;
mod profile;
mod refusal;
mod revocation;
mod stream;

use std::path::Path;

use fleet::Lfdi;
use openssl::error::ErrorStack;
use openssl::ssl;
use openssl::x509::X509;

pub use acceptor::{Acceptor, MAX_CACHED_SESSIONS, REFRESH_PERIOD, ServerTls, TICKET_KEY_LIFE};
pub use connector::Connector;
pub use flight::{MAX_FLIGHT_BYTES, MAX_SENT_ISSUERS};
pub(crate) use judge::lfdi;
pub use judge::{MAX_INTERMEDIATE_CAS, MAX_KNOWN_CERTIFICATES, Peer};
pub use profile::{CipherPolicy, MAX_TRUST_CERTIFICATES, TlsFiles, TlsSetupError};
pub use refusal::Refusal;
pub use revocation::{MAX_REVOCATION_BYTES, MAX_REVOKED, RevocationError};
pub use stream::TlsStream;

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the peer was refused: {0}")]
    Refused(#[from] Refusal),
    #[error("`{name}` is neither a host name nor an address")]
    ServerName { name: String, source: ErrorStack },
    #[error("the TLS handshake failed")]
    Handshake {
        reason: Refusal,
        #[source]
        source: ssl::Error,
    },
    #[error("OpenSSL failed outside the handshake")]
    Backend(#[from] ErrorStack),
}

impl TlsError {
    fn of_handshake(source: ssl::Error) -> Self {
        Self::Handshake {
            reason: Refusal::of_handshake(source.ssl_error()),
            source,
        }
    }

    /// The reason in the words of logs and counters.
    #[must_use]
    pub const fn reason(&self) -> Refusal {
        match self {
            Self::Refused(reason) | Self::Handshake { reason, .. } => *reason,
            Self::ServerName { .. } => Refusal::Name,
            Self::Backend(_) => Refusal::Handshake,
        }
    }
}

/// The common name in the subject of a certificate (DER), `None` when it has none.
#[must_use]
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let certificate = X509::from_der(certificate).ok()?;
    let mut names = certificate
        .subject_name()
        .entries_by_nid(openssl::nid::Nid::COMMONNAME);
    let name = names.next()?.data().to_string().ok()?;
    Some(name)
}

/// The LFDI of the first certificate in a PEM file, as a device needs to know its own.
pub fn lfdi_of_pem(path: &Path) -> Result<Lfdi, TlsSetupError> {
    let certificates = profile::read_certificates(path)?;
    Ok(lfdi(&certificates[0])?)
}
