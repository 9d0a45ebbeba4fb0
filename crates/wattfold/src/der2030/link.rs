//! HTTP/1.1 with keep-alive, over mutual TLS to an IEEE 2030.5 server or plain on this machine.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use fleet::Lfdi;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::tls::{Connector, TlsError};

/// Time for one request and its answer, connecting included.
pub const EXCHANGE_MAX: Duration = Duration::from_secs(10);
/// Bytes of one answer.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

const PORT_HTTPS: u16 = 443;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// A name or an address, an IPv6 address without brackets.
    pub host: String,
    pub port: u16,
}

impl Origin {
    /// Of an `https` address.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let uri: http::Uri = url.parse().ok()?;
        if uri.scheme_str() != Some("https") {
            return None;
        }
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(PORT_HTTPS),
        })
    }

    /// As the `Host` header has it.
    #[must_use]
    pub fn authority(&self) -> String {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }
}

impl From<std::net::SocketAddr> for Origin {
    fn from(address: std::net::SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    #[error("cannot connect to {server}")]
    Connect { server: String, source: io::Error },
    #[error("the TLS handshake with {server} failed")]
    Tls { server: String, source: TlsError },
    #[error("the request cannot be written as HTTP")]
    Request(#[from] http::Error),
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
    pub content_type: Option<String>,
    pub location: Option<String>,
    /// From `Retry-After` in seconds.
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

/// A server, and a connection to it that is kept and made again when it breaks.
pub struct Link {
    origin: Origin,
    tls: Option<Connector>,
    authorization: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
    peer: Option<Lfdi>,
}

impl Link {
    /// To a server that is known by its certificate and wants one.
    #[must_use]
    pub fn mutual_tls(origin: Origin, connector: Connector) -> Self {
        Self {
            origin,
            tls: Some(connector),
            authorization: None,
            sender: None,
            peer: None,
        }
    }

    /// To a server on this machine, with the value of the `Authorization` header.
    #[must_use]
    pub fn plain(origin: Origin, authorization: String) -> Self {
        Self {
            origin,
            tls: None,
            authorization: Some(authorization),
            sender: None,
            peer: None,
        }
    }

    /// The server's LFDI, once there was a connection.
    #[must_use]
    pub fn peer(&self) -> Option<Lfdi> {
        self.peer
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
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            self.connect().await?;
        }
        let Some(sender) = &mut self.sender else {
            return Err(ExchangeError::TimedOut);
        };
        sender.ready().await?;
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let header = |name| {
            let value = answer.headers().get(name);
            value.and_then(|value| value.to_str().ok())
        };
        let content_type = header(CONTENT_TYPE).map(str::to_owned);
        let location = header(LOCATION).map(str::to_owned);
        let retry_after_s = header(RETRY_AFTER).and_then(|value| value.trim().parse().ok());
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
        let body = body.collect().await.map_err(ExchangeError::Body)?;
        Ok(Reply {
            status,
            content_type,
            location,
            retry_after: retry_after_s.map(Duration::from_secs),
            body: body.to_bytes(),
        })
    }

    fn request(&self, message: Message<'_>) -> Result<hyper::Request<Full<Bytes>>, http::Error> {
        let mut request = hyper::Request::builder()
            .method(message.method)
            .uri(message.href)
            .header(HOST, self.origin.authority())
            .header(ACCEPT, message.media_type);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if !matches!(message.method, "GET" | "HEAD" | "DELETE") {
            request = request
                .header(CONTENT_TYPE, message.media_type)
                .header(CONTENT_LENGTH, message.body.len());
        }
        request.body(Full::new(Bytes::copy_from_slice(message.body)))
    }

    async fn connect(&mut self) -> Result<(), ExchangeError> {
        let server = self.origin.authority();
        let Origin { host, port } = &self.origin;
        let connected = TcpStream::connect((host.as_str(), *port)).await;
        let connected = connected.and_then(|it| it.set_nodelay(true).map(|()| it));
        let stream = connected.map_err(|source| ExchangeError::Connect {
            server: server.clone(),
            source,
        })?;
        self.sender = Some(match &self.tls {
            None => handshake(stream).await?,
            Some(connector) => {
                let secured = connector.connect(host, stream).await;
                let secured = secured.map_err(|source| ExchangeError::Tls { server, source })?;
                self.peer = secured.peer_lfdi();
                handshake(secured).await?
            }
        });
        Ok(())
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::{ExchangeError, Link, MAX_ANSWER_BYTES, Message, Origin};

    /// Answers one request with so many bytes.
    async fn serve(mut stream: TcpStream, len: usize) {
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // The client may hang up before the end.
        drop(stream.write_all(&vec![b' '; len]).await);
    }

    #[tokio::test]
    async fn an_answer_has_a_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::from(listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            for len in [MAX_ANSWER_BYTES, MAX_ANSWER_BYTES + 1] {
                serve(listener.accept().await.unwrap().0, len).await;
            }
        });
        let message = Message {
            method: "GET",
            href: "/dcap",
            media_type: "application/sep+xml",
            body: &[],
        };
        let mut link = Link::plain(origin, "Basic".to_owned());
        let longest = link.exchange(message).await.unwrap();
        assert_eq!(longest.body.len(), MAX_ANSWER_BYTES);
        link.close();
        let refused = link.exchange(message).await;
        assert!(
            matches!(refused, Err(ExchangeError::Body(_))),
            "{refused:?}"
        );
        served.await.unwrap();
    }

    #[test]
    fn origins_are_read_from_addresses() {
        let of = |url| Origin::of_url(url).map(|it| it.authority());
        assert_eq!(
            of("https://h.example/dcap").as_deref(),
            Some("h.example:443")
        );
        assert_eq!(of("https://[::1]:8443/dcap").as_deref(), Some("[::1]:8443"));
        assert_eq!(of("http://h.example/dcap"), None);
        assert_eq!(of("h.example/dcap"), None);
    }
}
