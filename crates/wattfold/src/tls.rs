//! TLS as IEEE 2030.5 asks for it, on the system's OpenSSL.
//!
//! One profile, for our listener and for the clients of the simulator alike: TLS 1.2, curve P-256,
//! ECDSA with SHA-256, the mandatory `ECDHE-ECDSA-AES128-CCM8` and GCM beside it for peers without
//! CCM, and certificates on both sides. A device is known by the LFDI of its certificate.
//!
//! This module is the only one that names OpenSSL's TLS, so that another backend can take its
//! place. The chain rules of 2030.5 (critical `certificatePolicies`, an empty subject, a critical
//! subjectAltName with a hardwareModuleName) are why the backend is not rustls with webpki.

mod stream;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use fleet::Lfdi;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ssl::{
    self, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslOptions,
    SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509CheckFlags;
use openssl::x509::{X509, X509Name, X509Ref, X509VerifyResult};
use tokio::io::{AsyncRead, AsyncWrite};

pub use stream::TlsStream;

/// IEEE 2030.5 requires `CCM_8`; `@SECLEVEL=0` because OpenSSL 3.2 and later count its short tag as
/// 64 bits of security and would drop it at any higher level.
const CIPHERS: &str = "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0";
const GROUPS: &str = "P-256";
const SIGNATURE_ALGORITHMS: &str = "ECDSA+SHA256";

/// A chain has two to four certificates: root, at most this many intermediates, and the device.
pub const MAX_INTERMEDIATE_CAS: u32 = 2;
/// Certificates read from a trust file; a file with more is refused.
pub const MAX_TRUST_CERTIFICATES: usize = 256;
/// Sessions kept for clients that resume by session id; clients with tickets need none.
pub const MAX_CACHED_SESSIONS: i32 = 4096;

/// A resumed session is only valid for the listener that made it.
const SESSION_ID_CONTEXT: &[u8] = b"wattfold ieee2030.5";

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
    #[error("this OpenSSL cannot be set up for IEEE 2030.5")]
    Profile(#[from] ErrorStack),
}

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the client sent no certificate")]
    NoClientCertificate,
    #[error("the peer's certificate was refused: {reason}")]
    PeerCertificate { reason: &'static str },
    #[error("`{name}` is neither a host name nor an address")]
    ServerName { name: String, source: ErrorStack },
    #[error("the TLS handshake failed")]
    Handshake(#[source] ssl::Error),
    #[error("OpenSSL failed outside the handshake")]
    Backend(#[from] ErrorStack),
}

/// The listening side: requires and verifies a client certificate.
#[derive(Clone)]
pub struct Acceptor {
    context: SslContext,
}

impl Acceptor {
    pub fn new(files: &TlsFiles) -> Result<Self, TlsSetupError> {
        let mut builder = SslContext::builder(SslMethod::tls_server())?;
        apply_profile(&mut builder)?;
        let trusted = load_identity_and_trust(&mut builder, files)?;
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        builder.set_client_ca_list(subjects(&trusted)?);
        builder.set_options(SslOptions::CIPHER_SERVER_PREFERENCE);
        // A resumed session costs no elliptic-curve operation. It keeps the verdict of its full
        // handshake, which is sound because a device is authorised by LFDI on every request.
        builder.set_session_id_context(SESSION_ID_CONTEXT)?;
        builder.set_session_cache_mode(SslSessionCacheMode::SERVER);
        builder.set_session_cache_size(MAX_CACHED_SESSIONS);
        Ok(Self {
            context: builder.build(),
        })
    }

    /// Completes the server's handshake and names the device by its LFDI.
    ///
    /// The time this may take is the caller's to bound.
    pub async fn accept<S>(&self, stream: S) -> Result<(TlsStream<S>, Lfdi), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut tls = tokio_openssl::SslStream::new(Ssl::new(&self.context)?, stream)?;
        if let Err(error) = Pin::new(&mut tls).accept().await {
            return Err(handshake_error(error, tls.ssl().verify_result()));
        }
        let certificate = tls
            .ssl()
            .peer_certificate()
            .ok_or(TlsError::NoClientCertificate)?;
        let lfdi = lfdi(&certificate)?;
        Ok((TlsStream::new(tls), lfdi))
    }
}

/// The connecting side, with a certificate of its own.
#[derive(Clone)]
pub struct Connector {
    context: SslContext,
}

impl Connector {
    pub fn new(files: &TlsFiles) -> Result<Self, TlsSetupError> {
        let mut builder = SslContext::builder(SslMethod::tls_client())?;
        apply_profile(&mut builder)?;
        load_identity_and_trust(&mut builder, files)?;
        builder.set_verify(SslVerifyMode::PEER);
        Ok(Self {
            context: builder.build(),
        })
    }

    /// Completes the client's handshake with a server whose certificate carries `server_name`,
    /// a host name or an IP address, in its subjectAltName.
    pub async fn connect<S>(&self, server_name: &str, stream: S) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut session = Ssl::new(&self.context)?;
        expect_server_name(&mut session, server_name).map_err(|source| TlsError::ServerName {
            name: server_name.to_owned(),
            source,
        })?;
        let mut tls = tokio_openssl::SslStream::new(session, stream)?;
        if let Err(error) = Pin::new(&mut tls).connect().await {
            return Err(handshake_error(error, tls.ssl().verify_result()));
        }
        Ok(TlsStream::new(tls))
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
    let certificates = read_certificates(path)?;
    Ok(lfdi(&certificates[0])?)
}

/// The first 160 bits of the SHA-256 of the certificate's DER (IEEE 2030.5 6.3.4).
pub(crate) fn lfdi(certificate: &X509Ref) -> Result<Lfdi, ErrorStack> {
    let digest = certificate.digest(MessageDigest::sha256())?;
    let (head, _) = digest
        .split_first_chunk()
        .expect("a SHA-256 has more than twenty bytes");
    Ok(Lfdi(*head))
}

fn apply_profile(builder: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_cipher_list(CIPHERS)?;
    builder.set_groups_list(GROUPS)?;
    builder.set_sigalgs_list(SIGNATURE_ALGORITHMS)?;
    builder.set_verify_depth(MAX_INTERMEDIATE_CAS);
    builder.set_options(SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION);
    // Thousands of idle connections should not each keep their record buffers.
    builder.set_mode(SslMode::RELEASE_BUFFERS);
    Ok(())
}

fn load_identity_and_trust(
    builder: &mut SslContextBuilder,
    files: &TlsFiles,
) -> Result<Vec<X509>, TlsSetupError> {
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
        })?;
    let trusted = read_certificates(&files.trust)?;
    let mut store = X509StoreBuilder::new()?;
    for certificate in &trusted {
        store.add_cert(certificate.clone())?;
    }
    builder.set_cert_store(store.build());
    Ok(trusted)
}

/// At least one and at most [`MAX_TRUST_CERTIFICATES`] certificates.
fn read_certificates(path: &Path) -> Result<Vec<X509>, TlsSetupError> {
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

/// The authorities named in the certificate request, so that a client with several certificates
/// sends the right one.
fn subjects(trusted: &[X509]) -> Result<openssl::stack::Stack<X509Name>, ErrorStack> {
    let mut names = openssl::stack::Stack::new()?;
    for certificate in trusted {
        names.push(certificate.subject_name().to_owned()?)?;
    }
    Ok(names)
}

fn expect_server_name(session: &mut Ssl, server_name: &str) -> Result<(), ErrorStack> {
    let address = server_name.parse::<IpAddr>().ok();
    if address.is_none() {
        session.set_hostname(server_name)?;
    }
    let expected = session.param_mut();
    expected.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
    match address {
        Some(address) => expected.set_ip(address),
        None => expected.set_host(server_name),
    }
}

fn handshake_error(error: ssl::Error, verdict: X509VerifyResult) -> TlsError {
    if verdict != X509VerifyResult::OK {
        return TlsError::PeerCertificate {
            reason: verdict.error_string(),
        };
    }
    let no_certificate = error.ssl_error().is_some_and(|stack| {
        stack
            .errors()
            .iter()
            .any(|entry| entry.reason() == Some("peer did not return a certificate"))
    });
    if no_certificate {
        return TlsError::NoClientCertificate;
    }
    TlsError::Handshake(error)
}
