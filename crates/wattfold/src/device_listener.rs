//! The IEEE 2030.5 listener: mutual TLS, HTTP/1.1, one task for each connection.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use fleet::Lfdi;
use http::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ieee2030_5::codec::MEDIA_TYPE;
use ieee2030_5::codec::write::write;
use ieee2030_5::server::Response;
use ieee2030_5::server::http::MAX_REQUEST_BYTES;
use ieee2030_5::wire::error::{Error, ReasonCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::clock;
use crate::node::{DeviceRequest, Node};
use crate::request_body::{self, BodyError};
use crate::tls::{Acceptor, TlsError, TlsStream};

/// Time a client gets for its part of the TLS handshake; waiting for ours does not count.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a client gets to send a request head, and how long a kept connection may idle.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(120);
/// Time a client gets to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a request head and of pipelined requests that are buffered at most.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Pause after the operating system refuses a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a client that comes in a flood is told to wait, seconds.
const RETRY_AFTER_S: u32 = 5;

/// Serves devices on `listener` until `stop` turns true.
pub async fn serve(
    listener: TcpListener,
    acceptor: Acceptor,
    node: Arc<Node>,
    max_connections: usize,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = Arc::new(acceptor);
    let places = Arc::new(Semaphore::new(max_connections));
    // Handshakes are computed by half of the workers at most, so that a reconnecting fleet does
    // not starve requests.
    let workers = Handle::current().metrics().num_workers();
    let turns = Arc::new(Semaphore::new((workers / 2).max(1)));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            node.metrics().connection_refused();
            drop(stream);
            continue;
        };
        let (acceptor, turns) = (Arc::clone(&acceptor), Arc::clone(&turns));
        let (node, stop) = (Arc::clone(&node), stop.clone());
        tokio::spawn(async move {
            node.metrics().connection_opened();
            connection((stream, peer), &acceptor, &turns, (&node, stop)).await;
            node.metrics().connection_closed();
            drop(place);
        });
    }
}

/// Until `stop` turns true or nobody is left who could turn it.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("nobody is left who could stop this");
    }
}

async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    acceptor: &Acceptor,
    turns: &Semaphore,
    (node, stop): (&Arc<Node>, watch::Receiver<bool>),
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY not set");
    }
    let (stream, lfdi) = match handshake(stream, acceptor, turns).await {
        Ok(Some(shaken)) => shaken,
        Ok(None) => {
            node.metrics().handshake(false);
            return tracing::debug!(%peer, "no TLS handshake in time");
        }
        Err(error) => {
            node.metrics().handshake(false);
            let error: &dyn std::error::Error = &error;
            return tracing::info!(%peer, error, "TLS handshake failed");
        }
    };
    node.metrics().handshake(true);
    // What serving needs is allocated for those who come this far.
    let served = Box::pin(requests(stream, lfdi, node, stop)).await;
    if let Err(error) = served {
        tracing::debug!(%peer, %lfdi, %error, "connection ended");
    }
}

async fn requests(
    stream: TlsStream<TcpStream>,
    lfdi: Lfdi,
    node: &Arc<Node>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), hyper::Error> {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .pipeline_flush(true)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(|request| answer(node, lfdi, request)),
        );
    tokio::pin!(serving);
    tokio::select! {
        served = serving.as_mut() => served,
        () = stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    }
}

/// The handshake, `None` if the client takes too long or hangs up without a word.
///
/// A turn is held while a step is computed, never while the client is waited for: clients that
/// stay silent hold up nobody. Nothing is allocated for one that has not sent anything.
async fn handshake(
    stream: TcpStream,
    acceptor: &Acceptor,
    turns: &Semaphore,
) -> Result<Option<(TlsStream<TcpStream>, Lfdi)>, TlsError> {
    let mut first = [0];
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, stream.peek(&mut first)).await {
        Ok(Ok(1)) => {}
        Ok(_) | Err(_) => return Ok(None),
    }
    let mut patience = HANDSHAKE_TIMEOUT;
    let mut steps = Box::pin(acceptor.accept(stream));
    loop {
        let turn = turns.acquire().await;
        let step = poll_fn(|cx| Poll::Ready(steps.as_mut().poll(cx))).await;
        drop(turn);
        if let Poll::Ready(shaken) = step {
            return shaken.map(Some);
        }
        let asked = clock::now();
        // The end of the sleep is a wake too, so it has to be looked at first.
        tokio::select! {
            biased;
            () = tokio::time::sleep(patience) => return Ok(None),
            () = woken() => {}
        }
        patience = patience.saturating_sub(clock::now().since(asked));
    }
}

/// Ends when the task is woken: by the last thing it polled, which registered itself for that.
async fn woken() {
    let mut polled = false;
    poll_fn(|_| match std::mem::replace(&mut polled, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

async fn answer(
    node: &Arc<Node>,
    lfdi: Lfdi,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let request = match owned(lfdi, request).await {
        Ok(request) => request,
        Err(error) => return Ok(untaken(node, error)),
    };
    let now = clock::now();
    let response = match node.device_at_once(&request, now) {
        Some(response) => Ok(response),
        None => node.device(request.clone()).await,
    };
    if let Some(der) = node.der_of(lfdi) {
        node.heard(der, now);
    }
    Ok(match response {
        Ok(mut response) => {
            if !response.served.is_empty() {
                node.served(std::mem::take(&mut response.served), now);
            }
            note(node, &request, &response);
            outgoing(response)
        }
        Err(unavailable) => {
            tracing::warn!(%lfdi, %unavailable, "device request refused");
            node.metrics()
                .device_response(StatusCode::SERVICE_UNAVAILABLE.as_u16());
            let mut response = bare(StatusCode::SERVICE_UNAVAILABLE);
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            response
        }
    })
}

fn note(node: &Node, request: &DeviceRequest, response: &Response) {
    node.metrics().device_response(response.status);
    if let Some(reason) = &response.reason {
        let DeviceRequest {
            method, path, lfdi, ..
        } = request;
        tracing::info!(%lfdi, method, path, status = response.status, reason, "request refused");
    }
}

/// The request with its body.
async fn owned(lfdi: Lfdi, request: http::Request<Incoming>) -> Result<DeviceRequest, BodyError> {
    let (head, body) = request.into_parts();
    let text = |name: HeaderName| header(&head.headers, name);
    let body = if matches!(head.method, Method::GET | Method::HEAD) {
        Bytes::new()
    } else {
        request_body::take(&head.headers, body, MAX_REQUEST_BYTES, BODY_TIMEOUT).await?
    };
    Ok(DeviceRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        accept: text(ACCEPT),
        content_type: text(CONTENT_TYPE),
        body,
        lfdi,
    })
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// The refusal of a body that could not be taken in.
fn untaken(node: &Node, error: BodyError) -> http::Response<Full<Bytes>> {
    let (status, reason_code) = match error {
        BodyError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, ReasonCode::RESOURCE_LIMIT),
        BodyError::CutOff => (StatusCode::BAD_REQUEST, ReasonCode::INVALID_FORMAT),
        BodyError::TooSlow => (StatusCode::REQUEST_TIMEOUT, ReasonCode::INVALID_FORMAT),
    };
    node.metrics().device_response(status.as_u16());
    let error = Error {
        max_retry_duration: None,
        reason_code,
    };
    let mut response = bare(status);
    *response.body_mut() = Full::new(Bytes::from(write(&error, node.devices().edition)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

fn bare(status: StatusCode) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn outgoing(response: Response) -> http::Response<Full<Bytes>> {
    let length = response.body.len();
    let body = if response.head_only {
        Bytes::new()
    } else {
        Bytes::from(response.body)
    };
    let mut outgoing = bare(StatusCode::from_u16(response.status).unwrap_or_default());
    *outgoing.body_mut() = Full::new(body);
    let headers = outgoing.headers_mut();
    if let Some(kind) = response.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if response.head_only {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(Ok(location)) = response.location.map(HeaderValue::try_from) {
        headers.insert(LOCATION, location);
    }
    if let Some(Ok(allow)) = response
        .allow
        .map(|methods| HeaderValue::try_from(methods.join(", ")))
    {
        headers.insert(ALLOW, allow);
    }
    outgoing
}
