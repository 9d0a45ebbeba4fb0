//! Where an aggregator is told of changes: mutual TLS, POST only, from its server alone.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fleet::Lfdi;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::ALLOW;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::request_body::{self, BodyError};
use crate::tls::Acceptor;

/// Connections of notifiers at once.
pub const MAX_NOTIFIER_CONNECTIONS: usize = 64;
/// Bytes of one notification.
pub const MAX_NOTIFICATION_BYTES: usize = 512 * 1024;
/// Notifications that wait for the client.
const MAX_WAITING: usize = 256;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(20);
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// A body that was posted, and where the status to answer with goes.
pub(super) struct Notified {
    pub(super) body: Bytes,
    pub(super) answer: oneshot::Sender<u16>,
}

/// Who may notify: the LFDIs of the server's certificates.
pub(super) type Notifiers = watch::Receiver<BTreeSet<Lfdi>>;

/// Listens until it is dropped.
pub(super) async fn listen(
    address: SocketAddr,
    acceptor: Acceptor,
    notifiers: Notifiers,
) -> std::io::Result<mpsc::Receiver<Notified>> {
    let listener = TcpListener::bind(address).await?;
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    let acceptor = Arc::new(acceptor);
    drop(tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(MAX_NOTIFIER_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let (acceptor, notifiers) = (Arc::clone(&acceptor), notifiers.clone());
            let sender = sender.clone();
            drop(tokio::spawn(async move {
                serve(stream, peer, &acceptor, &notifiers, sender).await;
                drop(place);
            }));
        }
    }));
    Ok(receiver)
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: &Acceptor,
    notifiers: &Notifiers,
    sender: mpsc::Sender<Notified>,
) {
    let secured = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
    let Ok(Ok((stream, who))) = secured else {
        tracing::debug!(%peer, "no handshake with a notifier");
        return;
    };
    if !notifiers.borrow().contains(&who.lfdi) {
        tracing::warn!(%peer, lfdi = %who.lfdi, "notifications from a stranger are refused");
        return;
    }
    let service = service_fn(|request| {
        let sender = sender.clone();
        async move { Ok::<_, Infallible>(answer(request, sender).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "the connection of a notifier ended");
    }
}

async fn answer<B>(request: Request<B>, sender: mpsc::Sender<Notified>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if request.method() != Method::POST {
        let mut refused = reply(405);
        refused
            .headers_mut()
            .insert(ALLOW, http::HeaderValue::from_static("POST"));
        return refused;
    }
    let (head, body) = request.into_parts();
    let taken = request_body::take(&head.headers, body, MAX_NOTIFICATION_BYTES, BODY_TIMEOUT);
    let body = match taken.await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => return reply(413),
        Err(BodyError::CutOff) => return reply(400),
        Err(BodyError::TooSlow) => return reply(408),
    };
    let (status, told) = oneshot::channel();
    let notified = Notified {
        body,
        answer: status,
    };
    // With no room the notifier is asked to come again, as it has to be ready to.
    if sender.try_send(notified).is_err() {
        return reply(503);
    }
    reply(told.await.unwrap_or(503))
}

fn reply(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response
}

#[cfg(test)]
mod tests;
