//! The connecting side, with a certificate of its own.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use fleet::Lfdi;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509CheckFlags;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::TlsError;
use super::acceptor::REFRESH_PERIOD;
use super::files::{Followed, stamps};
use super::flight::Watched;
use super::judge::MAX_INTERMEDIATE_CAS;
use super::profile::{
    self, CipherPolicy, TlsFiles, TlsSetupError, load_identity, read_certificates,
};
use super::refusal::Refusal;
use super::stream::TlsStream;
use crate::device_listener::stopped;

/// Clones show the same certificate, whatever it becomes.
#[derive(Clone)]
pub struct Connector(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    context: RwLock<SslContext>,
    followed: Followed,
}

impl Connector {
    pub fn new(files: &TlsFiles) -> Result<Self, TlsSetupError> {
        let followed = Followed::new(stamps(files.all()));
        Ok(Self(Arc::new(Inner {
            context: RwLock::new(context(files)?),
            followed,
            files: files.clone(),
        })))
    }

    /// Reads the files again if one has changed; what is connected stays so. On an error it goes
    /// on with what it had, and tries again at the next call.
    ///
    /// # Errors
    /// [`TlsSetupError`] once for each change that is not usable.
    pub fn refresh(&self) -> Result<(), TlsSetupError> {
        let found = stamps(self.0.files.all());
        if !self.0.followed.differs(&found) {
            return Ok(());
        }
        let read = context(&self.0.files);
        if let Some(context) = self.0.followed.note(found, read)? {
            let current = self.0.context.write();
            *current.unwrap_or_else(PoisonError::into_inner) = context;
        }
        Ok(())
    }

    /// Refreshes again and again, until `stop` turns true.
    pub(crate) async fn refreshed(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(REFRESH_PERIOD) => {}
                () = stopped(&mut stop) => return,
            }
            let connector = self.clone();
            let reading = tokio::task::spawn_blocking(move || connector.refresh());
            if let Ok(Err(error)) = reading.await {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the certificate that we show stays as it was");
            }
        }
    }

    fn session(&self) -> Result<Ssl, ErrorStack> {
        let context = self.0.context.read();
        Ssl::new(&context.unwrap_or_else(PoisonError::into_inner))
    }

    /// Completes the client's handshake with a server whose certificate carries `server_name`,
    /// a host name or an IP address, in its subjectAltName.
    pub async fn connect<S>(&self, server_name: &str, stream: S) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut session = self.session()?;
        expect_server_name(&mut session, server_name).map_err(|source| TlsError::ServerName {
            name: server_name.to_owned(),
            source,
        })?;
        shake(session, stream).await
    }

    /// Completes the handshake with the listener of a subscriber. Certificates of IEEE 2030.5 have
    /// no host names, so one that does not name `host` must be the subscriber's own.
    pub async fn connect_to_subscriber<S>(
        &self,
        host: &str,
        subscriber: Lfdi,
        stream: S,
    ) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut session = self.session()?;
        if host.parse::<IpAddr>().is_err() {
            session.set_hostname(host)?;
        }
        let tls = shake(session, stream).await?;
        if tls.peer_lfdi() == Some(subscriber) || tls.peer_is_named(host) {
            return Ok(tls);
        }
        Err(TlsError::Refused(Refusal::Name))
    }
}

fn context(files: &TlsFiles) -> Result<SslContext, TlsSetupError> {
    let mut builder = SslContext::builder(SslMethod::tls_client())?;
    profile::apply(&mut builder, CipherPolicy::Ccm8AndGcm)?;
    load_identity(&mut builder, files)?;
    let mut store = X509StoreBuilder::new()?;
    for certificate in read_certificates(&files.trust)? {
        store.add_cert(certificate)?;
    }
    builder.set_cert_store(store.build());
    builder.set_verify_depth(MAX_INTERMEDIATE_CAS);
    builder.set_verify(SslVerifyMode::PEER);
    Ok(builder.build())
}

async fn shake<S>(session: Ssl, stream: S) -> Result<TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut tls = tokio_openssl::SslStream::new(session, Watched::plain(stream))?;
    if let Err(error) = Pin::new(&mut tls).connect().await {
        return Err(match Refusal::of_verdict(tls.ssl().verify_result()) {
            Some(refusal) => TlsError::Refused(refusal),
            None => TlsError::of_handshake(error),
        });
    }
    Ok(TlsStream::new(tls))
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
