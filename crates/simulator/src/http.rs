//! HTTP/1.1 with keep-alive, over mutual TLS to the 2030.5 listener or plain to the API.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use wattfold::tls::{Connector, TlsError};

/// Time for one request and its answer, connecting included.
const EXCHANGE_MAX: Duration = Duration::from_secs(10);
/// Bytes of one answer.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    #[error("cannot connect to {address}")]
    Connect {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("the TLS handshake with {address} failed")]
    Tls {
        address: SocketAddr,
        source: TlsError,
    },
    #[error("the request cannot be written as HTTP")]
    Request(#[from] hyper::http::Error),
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    #[error("the answer could not be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer within {} s", EXCHANGE_MAX.as_secs())]
    TimedOut,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub method: &'a str,
    /// Path and query.
    pub href: &'a str,
    /// Media type of what is sent and of what is wanted.
    pub media_type: &'a str,
    pub body: &'a [u8],
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub location: Option<String>,
    pub body: Bytes,
}

/// A server, and a connection to it that is kept and made again when it breaks.
pub struct Link {
    address: SocketAddr,
    tls: Option<Connector>,
    authorization: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Link {
    /// To a server that is known by its certificate and wants one.
    #[must_use]
    pub fn mutual_tls(address: SocketAddr, connector: Connector) -> Self {
        Self {
            address,
            tls: Some(connector),
            authorization: None,
            sender: None,
        }
    }

    /// To a server on this machine, with the value of the `Authorization` header.
    #[must_use]
    pub fn plain(address: SocketAddr, authorization: String) -> Self {
        Self {
            address,
            tls: None,
            authorization: Some(authorization),
            sender: None,
        }
    }

    /// Hangs up.
    pub fn close(&mut self) {
        self.sender = None;
    }

    /// Sends and waits for the answer. What breaks on a connection that was kept is not sent a
    /// second time: it may have been taken.
    pub async fn exchange(&mut self, message: Message<'_>) -> Result<Reply, ExchangeError> {
        let exchanged = tokio::time::timeout(EXCHANGE_MAX, self.exchange_untimed(message)).await;
        let result = exchanged.unwrap_or(Err(ExchangeError::TimedOut));
        if result.is_err() {
            self.close();
        }
        result
    }

    async fn exchange_untimed(&mut self, message: Message<'_>) -> Result<Reply, ExchangeError> {
        let request = self.request(message)?;
        let sender = match &mut self.sender {
            Some(sender) if !sender.is_closed() => sender,
            slot => slot.insert(connect(self.address, self.tls.as_ref()).await?),
        };
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let location = answer.headers().get(LOCATION);
        let location = location
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await;
        let body = body.map_err(ExchangeError::Body)?.to_bytes();
        Ok(Reply {
            status,
            location,
            body,
        })
    }

    fn request(&self, message: Message<'_>) -> Result<hyper::Request<Full<Bytes>>, ExchangeError> {
        let mut request = hyper::Request::builder()
            .method(message.method)
            .uri(message.href)
            .header(HOST, self.address.to_string())
            .header(ACCEPT, message.media_type);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if message.method != "GET" {
            request = request
                .header(CONTENT_TYPE, message.media_type)
                .header(CONTENT_LENGTH, message.body.len());
        }
        Ok(request.body(Full::new(Bytes::copy_from_slice(message.body)))?)
    }
}

async fn connect(
    address: SocketAddr,
    tls: Option<&Connector>,
) -> Result<SendRequest<Full<Bytes>>, ExchangeError> {
    let connected = TcpStream::connect(address).await;
    let stream = connected.map_err(|source| ExchangeError::Connect { address, source })?;
    stream
        .set_nodelay(true)
        .map_err(|source| ExchangeError::Connect { address, source })?;
    match tls {
        None => handshake(stream).await,
        Some(connector) => {
            let name = address.ip().to_string();
            let secured = connector.connect(&name, stream).await;
            handshake(secured.map_err(|source| ExchangeError::Tls { address, source })?).await
        }
    }
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with its sender; how is told by the exchange that it breaks.
    drop(tokio::spawn(connection));
    Ok(sender)
}
