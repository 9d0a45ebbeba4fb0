//! The listener of people and enterprise systems: HTTP or HTTPS, with or without client
//! certificates.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::clock;
use crate::config::Enterprise;
use crate::device_listener::{Occasional, stopped};
use crate::steady::Steady;

/// Connections open at one time; the next one is closed at once.
pub const MAX_CONNECTIONS: usize = 1_000;
/// Time a client gets for its TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a client gets to send a request head, and how long a kept connection may idle.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a request head that are buffered at most.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Pause after the operating system refuses a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the listener can't be set up.
#[derive(Debug, Error)]
pub enum ListenerError {
    /// A PEM file is not usable.
    #[error("{}: {source}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not go together, or the CA is not one.
    #[error("TLS settings are not usable: {0}")]
    Tls(String),
}

/// Who is at the other end of a connection, as far as the connection tells.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Common name of its verified certificate, if it showed one.
    pub certificate: Option<String>,
}

/// TLS as `config` asks for it; `None` for plain HTTP.
///
/// # Errors
/// [`ListenerError`] naming the file.
pub fn tls(config: &Enterprise) -> Result<Option<TlsAcceptor>, ListenerError> {
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else {
        return Ok(None);
    };
    let chain = certificates(cert)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| ListenerError::Pem {
        path: key.clone(),
        source,
    })?;
    let refused = |error: &dyn std::error::Error| ListenerError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&error))?;
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(ca)? {
                roots.add(certificate).map_err(|error| refused(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| refused(&error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder
        .with_single_cert(chain, key)
        .map_err(|error| refused(&error))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ListenerError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| ListenerError::Pem {
            path: path.to_owned(),
            source,
        })
}

/// Serves `router` on `listener` until `stop` turns true. Each request carries its [`Peer`].
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) {
    serve_at_most(MAX_CONNECTIONS, listener, tls, (router, stop)).await;
}

async fn serve_at_most(
    connections: usize,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    (router, mut stop): (Router, watch::Receiver<bool>),
) {
    let places = Arc::new(Semaphore::new(connections));
    let full = Occasional::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            if let Some(count) = full.occurred(clock::monotonic()) {
                tracing::warn!(%address, reason = "full", count, "connections refused");
            }
            continue;
        };
        let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
        tokio::spawn(async move {
            if let Err(error) = connection((stream, address), tls, router, stop).await {
                tracing::debug!(%address, %error, "connection ended");
            }
            drop(place);
        });
    }
}

async fn connection(
    (stream, address): (TcpStream, SocketAddr),
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return requests(
            stream,
            Peer {
                address,
                certificate: None,
            },
            router,
            stop,
        )
        .await;
    };
    let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await;
    let stream = shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let shown = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first);
    let certificate = shown.and_then(|der| crate::tls::common_name(der));
    requests(
        stream,
        Peer {
            address,
            certificate,
        },
        router,
        stop,
    )
    .await
}

async fn requests<S>(
    stream: S,
    peer: Peer,
    router: Router,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|mut request| {
        request.extensions_mut().insert(peer.clone());
        let router = router.clone();
        async move { Ok::<_, Infallible>(respond(router, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Steady::new(stream)), service);
    tokio::pin!(serving);
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stopped(&mut stop) => return Ok(()),
    };
    served.map_err(io::Error::other)
}

async fn respond(
    mut router: Router,
    request: http::Request<hyper::body::Incoming>,
) -> axum::response::Response {
    use tower::Service as _;
    match router.call(request.map(axum::body::Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;
    use crate::steady::SEND_TIMEOUT;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answer_is_given_up() {
        let (mut client, server) = duplex(1_024);
        let router = Router::new().route("/", get(|| async { vec![0_u8; 64 * 1_024] }));
        let peer = Peer {
            address: "198.51.100.7:80".parse().unwrap(),
            certificate: None,
        };
        let (_stop, stopped) = watch::channel(false);
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        client.write_all(request).await.unwrap();
        let serving = requests(server, peer, router, stopped);
        let within = SEND_TIMEOUT + Duration::from_secs(1);
        let served = tokio::time::timeout(within, serving).await;
        assert!(served.unwrap().is_err());
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_are_closed_until_one_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", get(|| async { "here" }));
        tokio::spawn(serve_at_most(2, listener, None, (router, stopped)));
        let asked = async || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
            let mut answer = [0; 15];
            stream.write_all(request).await?;
            stream.read_exact(&mut answer).await?;
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
            io::Result::Ok(stream)
        };
        let held = [asked().await.unwrap(), asked().await.unwrap()];
        assert!(asked().await.is_err());
        drop(held);
        let again = async { while asked().await.is_err() {} };
        let within = Duration::from_secs(10);
        tokio::time::timeout(within, again).await.unwrap();
    }
}
