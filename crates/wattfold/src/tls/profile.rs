//! The one TLS profile of IEEE 2030.5, and the files of a side.

use std::io;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::ssl::{SslContextBuilder, SslFiletype, SslMode, SslOptions, SslVersion};
use openssl::x509::X509;
use serde::Deserialize;

use super::revocation::RevocationError;

/// `@SECLEVEL=0` because OpenSSL 3.2 and later count the short tag of `CCM_8` as 64 bits of
/// security and would drop it at any higher level.
const CCM8: &str = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0";
const CCM8_AND_GCM: &str = "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0";
const GROUPS: &str = "P-256";
const SIGNATURE_ALGORITHMS: &str = "ECDSA+SHA256";

/// Certificates read from a trust file; a file with more is refused.
pub const MAX_TRUST_CERTIFICATES: usize = 256;

/// Which ciphers a listener offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CipherPolicy {
    /// The one that IEEE 2030.5 requires, and no other.
    Ccm8,
    /// That one first, and AES-GCM for peers without it.
    #[default]
    Ccm8AndGcm,
}

/// The PEM files of one side of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Own certificate first, then its intermediates.
    pub cert_chain: PathBuf,
    pub key: PathBuf,
    /// The roots and intermediates that a peer's chain may be built from. Intermediates belong
    /// here because many devices send their leaf certificate alone.
    pub trust: PathBuf,
}

impl TlsFiles {
    pub(super) fn all(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.cert_chain, &self.key, &self.trust];
        files.into_iter().map(PathBuf::as_path)
    }
}

/// Why the TLS files could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} holds no usable PEM certificates", path.display())]
    Certificates { path: PathBuf, source: ErrorStack },
    #[error("{} holds no certificate", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds {found} certificates; at most {MAX_TRUST_CERTIFICATES} are read", path.display())]
    TooManyCertificates { path: PathBuf, found: usize },
    #[error("{} is not the private key of the first certificate in {}", key.display(), chain.display())]
    Key {
        key: PathBuf,
        chain: PathBuf,
        source: ErrorStack,
    },
    #[error("the list of revoked certificates")]
    Revocation(#[from] RevocationError),
    #[error("this OpenSSL cannot be set up for IEEE 2030.5")]
    Profile(#[from] ErrorStack),
}

pub(super) fn apply(
    builder: &mut SslContextBuilder,
    policy: CipherPolicy,
) -> Result<(), ErrorStack> {
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_cipher_list(match policy {
        CipherPolicy::Ccm8 => CCM8,
        CipherPolicy::Ccm8AndGcm => CCM8_AND_GCM,
    })?;
    builder.set_groups_list(GROUPS)?;
    builder.set_sigalgs_list(SIGNATURE_ALGORITHMS)?;
    builder.set_options(SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION);
    // Thousands of idle connections should not each keep their record buffers.
    builder.set_mode(SslMode::RELEASE_BUFFERS);
    Ok(())
}

pub(super) fn load_identity(
    builder: &mut SslContextBuilder,
    files: &TlsFiles,
) -> Result<(), TlsSetupError> {
    read_certificates(&files.cert_chain)?;
    builder
        .set_certificate_chain_file(&files.cert_chain)
        .map_err(|source| TlsSetupError::Certificates {
            path: files.cert_chain.clone(),
            source,
        })?;
    builder
        .set_private_key_file(&files.key, SslFiletype::PEM)
        .and_then(|()| builder.check_private_key())
        .map_err(|source| TlsSetupError::Key {
            key: files.key.clone(),
            chain: files.cert_chain.clone(),
            source,
        })
}

/// At least one and at most [`MAX_TRUST_CERTIFICATES`] certificates.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<X509>, TlsSetupError> {
    let pem = std::fs::read(path).map_err(|source| TlsSetupError::Read {
        path: path.to_owned(),
        source,
    })?;
    let certificates =
        X509::stack_from_pem(&pem).map_err(|source| TlsSetupError::Certificates {
            path: path.to_owned(),
            source,
        })?;
    match certificates.len() {
        0 => Err(TlsSetupError::NoCertificate {
            path: path.to_owned(),
        }),
        found if MAX_TRUST_CERTIFICATES < found => Err(TlsSetupError::TooManyCertificates {
            path: path.to_owned(),
            found,
        }),
        _ => Ok(certificates),
    }
}
