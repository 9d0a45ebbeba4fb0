//! The listening side.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509Name, X509StoreContext, X509StoreContextRef, X509VerifyResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use units::Timestamp;

use super::TlsError;
use super::files::{Followed, Stamps, stamps};
use super::flight::{Flight, Watched};
use super::judge::{Judge, Peer};
use super::profile::{
    self, CipherPolicy, TlsFiles, TlsSetupError, load_identity, read_certificates,
};
use super::refusal::Refusal;
use super::revocation::Revocations;
use super::stream::TlsStream;
use crate::clock;
use crate::device_listener::stopped;

/// Sessions kept for clients that resume by session id; clients with tickets need none.
pub const MAX_CACHED_SESSIONS: i32 = 4096;
/// How long one key encrypts session tickets. With a new key old tickets are worth nothing, and
/// their holders make one full handshake each.
pub const TICKET_KEY_LIFE: Duration = Duration::from_secs(12 * 3_600);

/// How often the files of certificates, trust and revocation are looked at.
pub const REFRESH_PERIOD: Duration = Duration::from_millis(500);
/// How often the end of a certificate is looked at that is farther off than this.
const EXPIRY_PERIOD: Duration = Duration::from_secs(3_600);

/// A resumed session is only valid for the listener that made it.
const SESSION_ID_CONTEXT: &[u8] = b"wattfold ieee2030.5";

/// OpenSSL takes a depth as a signed number, in which this is two below none: no issuer is looked
/// for, because finding and verifying issuers is what a [`Judge`] does, once. Were the number ever
/// taken otherwise, OpenSSL would do that work in vain, and the verdict would be the same.
const NO_ISSUERS: u32 = u32::MAX - 1;

/// How a listener is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    pub files: TlsFiles,
    pub ciphers: CipherPolicy,
    /// Revoked certificates: LFDIs, one to a line, and PEM revocation lists.
    pub revoked: Option<PathBuf>,
    /// PEM certificates that sign themselves and are honoured all the same.
    pub pinned: Option<PathBuf>,
}

impl ServerTls {
    /// Nothing revoked, nothing pinned.
    #[must_use]
    pub fn new(files: TlsFiles) -> Self {
        Self {
            files,
            ciphers: CipherPolicy::default(),
            revoked: None,
            pinned: None,
        }
    }

    /// The files that are read again when they change.
    fn stamps(&self) -> Stamps {
        let lists = [&self.revoked, &self.pinned];
        let lists = lists.into_iter().flatten().map(PathBuf::as_path);
        stamps(self.files.all().chain(lists))
    }
}

/// Requires and judges client certificates.
pub struct Acceptor {
    config: ServerTls,
    state: RwLock<Arc<State>>,
    followed: Followed,
    /// Counts the times that other files were read.
    generation: watch::Sender<u64>,
}

struct State {
    context: SslContext,
    judge: Arc<Judge>,
    /// A verdict that OpenSSL turns into the alert `bad_certificate`.
    refused: X509VerifyResult,
    made: Timestamp,
}

impl Acceptor {
    pub fn new(files: &TlsFiles) -> Result<Self, TlsSetupError> {
        Self::with(ServerTls::new(files.clone()))
    }

    pub fn with(config: ServerTls) -> Result<Self, TlsSetupError> {
        let followed = Followed::new(config.stamps());
        let state = State::read(&config, clock::now())?;
        Ok(Self {
            config,
            state: RwLock::new(Arc::new(state)),
            followed,
            generation: watch::Sender::new(0),
        })
    }

    /// Reads certificate, trust, pins and revocations again if a file has changed, and makes
    /// another ticket key in time. On an error the listener goes on with what it had, and tries
    /// again at the next call.
    ///
    /// # Errors
    /// [`TlsSetupError`] once for each change that is not usable.
    pub fn refresh(&self, now: Timestamp) -> Result<(), TlsSetupError> {
        let found = self.config.stamps();
        let is_changed = self.followed.differs(&found);
        let is_old = TICKET_KEY_LIFE <= now.since(self.state().made);
        if !is_changed && !is_old {
            return Ok(());
        }
        let read = State::read(&self.config, now);
        if let Some(state) = self.followed.note(found, read)? {
            *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
            if is_changed {
                self.generation.send_modify(|count| *count += 1);
            }
        }
        Ok(())
    }

    /// Refreshes again and again, until `stop` turns true.
    pub(crate) async fn refreshed(self: &Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(REFRESH_PERIOD) => {}
                () = stopped(&mut stop) => return,
            }
            let acceptor = Arc::clone(self);
            let reading = tokio::task::spawn_blocking(move || acceptor.refresh(clock::now()));
            if let Ok(Err(error)) = reading.await {
                let error: &dyn std::error::Error = &error;
                tracing::error!(
                    error,
                    "certificates, trust and revocations stay as they were"
                );
            }
        }
    }

    /// Changes whenever other files were read.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Whether a connection that was accepted would still be.
    pub fn stands(&self, peer: &Peer, now: Timestamp) -> Result<(), Refusal> {
        self.state().judge.stands(peer, now)
    }

    /// Until the peer's certificate is not honoured any more.
    pub(crate) async fn fallen(&self, peer: &Peer) -> Refusal {
        let mut changes = self.changes();
        loop {
            let now = clock::now();
            if let Err(refusal) = self.stands(peer, now) {
                return refusal;
            }
            let left = peer.not_after.since(now) + Duration::from_millis(1);
            tokio::select! {
                () = tokio::time::sleep(left.min(EXPIRY_PERIOD)) => {}
                changed = changes.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
            }
        }
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Completes the server's handshake and names the client.
    ///
    /// The time this may take is the caller's to bound.
    pub async fn accept<S>(&self, stream: S) -> Result<(TlsStream<S>, Peer), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let state = self.state();
        let flight = Flight::default();
        let verdict = Arc::new(OnceLock::new());
        let session = state.session(&flight, &verdict)?;
        let watched = Watched::new(stream, flight);
        let mut tls = tokio_openssl::SslStream::new(session, watched)?;
        if let Err(error) = Pin::new(&mut tls).accept().await {
            return Err(match verdict.get() {
                Some(Err(refusal)) => TlsError::Refused(*refusal),
                Some(Ok(_)) | None => TlsError::of_handshake(error),
            });
        }
        tls.get_mut().settle();
        let peer = match verdict.get() {
            Some(verdict) => verdict.clone()?,
            None => {
                let shown = tls.ssl().peer_certificate();
                let leaf = shown.ok_or(Refusal::NoCertificate)?;
                // An earlier handshake under this judge has verified it; one that was forgotten
                // since has to do with what the trust file has above it.
                state
                    .judge
                    .verdict(&leaf, &Flight::default(), clock::now())?
            }
        };
        Ok((TlsStream::new(tls), peer))
    }
}

impl State {
    fn read(config: &ServerTls, now: Timestamp) -> Result<Self, TlsSetupError> {
        let trusted = read_certificates(&config.files.trust)?;
        let pinned = match &config.pinned {
            Some(path) => read_certificates(path)?,
            None => Vec::new(),
        };
        let revocations = match &config.revoked {
            Some(path) => Revocations::read(path, &trusted)?,
            None => Revocations::default(),
        };
        let own = read_certificates(&config.files.cert_chain)?;
        Ok(Self {
            context: context(config, &trusted)?,
            judge: Arc::new(Judge::new(&trusted, &pinned, revocations)?),
            refused: refused(&own[0])?,
            made: now,
        })
    }

    /// A session in which the judge has the only word on the client's certificate.
    fn session(
        &self,
        flight: &Flight,
        verdict: &Arc<OnceLock<Result<Peer, Refusal>>>,
    ) -> Result<Ssl, ErrorStack> {
        let mut session = Ssl::new(&self.context)?;
        // OpenSSL keeps the callback as long as the connection; the judge need not live that long.
        let (judge, refused) = (Arc::downgrade(&self.judge), self.refused);
        let (flight, verdict) = (flight.clone(), Arc::clone(verdict));
        let asked = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        // OpenSSL asks several times in a handshake; the certificate is the same each time.
        session.set_verify_callback(asked, move |_, shown| {
            let verdict = verdict.get_or_init(|| {
                let judge = judge.upgrade().ok_or(Refusal::Handshake)?;
                judged(&judge, shown, &flight)
            });
            if verdict.is_err() {
                shown.set_error(refused);
            }
            verdict.is_ok()
        });
        Ok(session)
    }
}

fn judged(judge: &Judge, shown: &X509StoreContextRef, flight: &Flight) -> Result<Peer, Refusal> {
    let chain = shown.chain().ok_or(Refusal::Malformed)?;
    let leaf = chain.get(0).ok_or(Refusal::Malformed)?;
    judge.verdict(leaf, flight, clock::now())
}

fn context(config: &ServerTls, trusted: &[X509]) -> Result<SslContext, TlsSetupError> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    profile::apply(&mut builder, config.ciphers)?;
    load_identity(&mut builder, &config.files)?;
    let mut store = X509StoreBuilder::new()?;
    for certificate in trusted {
        store.add_cert(certificate.clone())?;
    }
    // Completes our own chain if its file does not; clients are not looked for in it.
    builder.set_cert_store(store.build());
    builder.set_verify_cert_store(X509StoreBuilder::new()?.build())?;
    builder.set_verify_depth(NO_ISSUERS);
    builder.set_client_ca_list(subjects(trusted)?);
    builder.set_options(SslOptions::CIPHER_SERVER_PREFERENCE);
    keep_sessions(&mut builder)?;
    Ok(builder.build())
}

/// A resumed session costs no elliptic-curve operation. It keeps the chain that its full handshake
/// verified; whether the certificate still stands is looked at each time.
fn keep_sessions(builder: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    builder.set_session_id_context(SESSION_ID_CONTEXT)?;
    builder.set_session_cache_mode(SslSessionCacheMode::SERVER);
    builder.set_session_cache_size(MAX_CACHED_SESSIONS);
    Ok(())
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

/// CSIP conformance test COMM-004: a refused certificate is answered with `bad_certificate`.
/// OpenSSL chooses the alert by the verdict. One that it answers so is "not yet valid", which any
/// certificate is at the beginning of time.
fn refused(certificate: &X509) -> Result<X509VerifyResult, ErrorStack> {
    let mut long_ago = X509VerifyParam::new()?;
    long_ago.set_time(1);
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(certificate.clone())?;
    store.set_flags(openssl::x509::verify::X509VerifyFlags::PARTIAL_CHAIN)?;
    store.set_param(&long_ago)?;
    let nothing = openssl::stack::Stack::new()?;
    X509StoreContext::new()?.init(&store.build(), certificate, &nothing, |context| {
        context.verify_cert()?;
        Ok(context.error())
    })
}
