//! One POST to a subscriber: its name resolved, the address judged, the connection kept.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use fleet::{Client, Lfdi};
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use ieee2030_5::codec::MEDIA_TYPE;
use ieee2030_5::server::subscription::destination::{Host, Scheme};
use ieee2030_5::server::subscription::{DestinationError, Destinations, Endpoint};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use units::Timestamp;

use super::places::{Place, Places};
use crate::tls::{Connector, TlsError};

/// Time for finding the address of a name.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a connection to be there, and for its TLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a subscriber gets to answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read so that its connection can be kept.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Connections to subscribers that are open at one time.
pub const MAX_CONNECTIONS: usize = 4_096;
/// Those of one client, however many addresses it has named.
pub const MAX_CONNECTIONS_OF_CLIENT: usize = 64;
/// Names that are looked up at one time.
pub const MAX_LOOK_UPS: usize = 32;
/// Addresses of one name that are tried.
pub const MAX_ADDRESSES: usize = 4;

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum DialError {
    #[error("no connection is made any more")]
    Ended,
    #[error("the name has no address")]
    Resolve(#[source] std::io::Error),
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error("no connection")]
    Connect(#[source] std::io::Error),
    #[error("no TLS")]
    Tls(#[from] TlsError),
    #[error("no HTTP")]
    Http(#[from] hyper::Error),
    #[error("nothing happened in time")]
    TooSlow,
    #[error("this server has no certificate to show")]
    NoCertificate,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum PostError {
    #[error("the connection was lost")]
    Lost(#[source] hyper::Error),
    #[error("no answer came in time")]
    TooSlow,
    #[error("the address of the subscription can't be asked for")]
    Target(#[source] http::Error),
}

/// What a subscriber said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
}

/// Opens connections.
pub(super) struct Dialer {
    connector: Option<Connector>,
    destinations: Destinations,
    places: Places,
    look_ups: Semaphore,
}

impl Dialer {
    pub(super) fn new(connector: Option<Connector>, destinations: Destinations) -> Self {
        Self {
            connector,
            destinations,
            places: Places::default(),
            look_ups: Semaphore::new(MAX_LOOK_UPS),
        }
    }

    /// A connection to `endpoint`, whose certificate names the host or is the subscriber's own:
    /// certificates of IEEE 2030.5 have no host names.
    ///
    /// What is judged is the address that is then connected to, so that a name which answers
    /// differently from one moment to the next gains nothing. Where too many are open it waits.
    pub(super) async fn dial(
        &self,
        endpoint: &Endpoint,
        (client, subscriber): (Client, Lfdi),
    ) -> Result<Connection, DialError> {
        let place = self.places.take(client).await.ok_or(DialError::Ended)?;
        let stream = self.connect(endpoint).await?;
        if endpoint.scheme == Scheme::Http {
            return Connection::over(stream, endpoint, place).await;
        }
        let connector = self.connector.as_ref().ok_or(DialError::NoCertificate)?;
        let host = endpoint.host.to_string();
        let shaken = connector.connect_to_subscriber(&host, subscriber, stream);
        let shaken = timeout(CONNECT_TIMEOUT, shaken).await;
        let stream = shaken.map_err(|_| DialError::TooSlow)??;
        Connection::over(stream, endpoint, place).await
    }

    /// Whether a connection to this client is worth keeping for what there may be to tell later.
    pub(super) fn has_room(&self, client: Client) -> bool {
        !self.places.are_wanted(client)
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<TcpStream, DialError> {
        let addresses = self.addresses(endpoint).await?;
        let mut last = DialError::Destination(DestinationError::NotPublic);
        for address in addresses {
            if let Err(error) = self.destinations.check_address(address.ip()) {
                last = error.into();
                continue;
            }
            match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(DialError::Connect)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = DialError::Connect(error),
                Err(_) => last = DialError::TooSlow,
            }
        }
        Err(last)
    }

    async fn addresses(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, DialError> {
        let name = match &endpoint.host {
            Host::Address(address) => return Ok(vec![(*address, endpoint.port).into()]),
            Host::Name(name) => &**name,
        };
        let turn = self.look_ups.acquire().await;
        let found = timeout(
            RESOLVE_TIMEOUT,
            tokio::net::lookup_host((name, endpoint.port)),
        )
        .await;
        drop(turn);
        let found = found.map_err(|_| DialError::TooSlow)?;
        let found = found.map_err(DialError::Resolve)?;
        Ok(found.take(MAX_ADDRESSES).collect())
    }
}

/// A connection that is kept for further posts.
pub(super) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    _place: Place,
}

impl Connection {
    async fn over<S>(stream: S, endpoint: &Endpoint, place: Place) -> Result<Self, DialError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a subscriber ended");
            }
        });
        let host = HeaderValue::try_from(endpoint.to_string());
        Ok(Self {
            requests,
            host: host.expect("hosts and ports are visible ASCII"),
            _place: place,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Posts a notification. Redirections are an answer like any other: nothing follows them.
    pub(super) async fn post(
        &mut self,
        target: &str,
        body: Bytes,
        now: Timestamp,
    ) -> Result<Answer, PostError> {
        let request = Request::post(target)
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .body(Full::new(body))
            .map_err(PostError::Target)?;
        let answering = timeout(ANSWER_TIMEOUT, self.exchange(request, now));
        answering.await.map_err(|_| PostError::TooSlow)?
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        now: Timestamp,
    ) -> Result<Answer, PostError> {
        self.requests.ready().await.map_err(PostError::Lost)?;
        let response = self.requests.send_request(request).await;
        let (head, body) = response.map_err(PostError::Lost)?.into_parts();
        let answer = Answer {
            status: head.status,
            retry_after: retry_after(&head.headers, now),
        };
        // Whatever it says beside the status is only read so that the connection can be used again.
        if let Err(error) = Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            tracing::debug!(
                error,
                "the answer of a subscriber could not be read to its end"
            );
        }
        Ok(answer)
    }
}

/// `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    Some(Timestamp::from_secs(at.as_second()).since(now))
}

#[cfg(test)]
mod tests {
    use fleet::DerId;
    use ieee2030_5::server::subscription::Destination;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    /// Answers each request with a body of this length.
    async fn answering(mut stream: DuplexStream, length: usize) {
        let mut said = Vec::new();
        let mut piece = [0; 4_096];
        loop {
            let read = stream.read(&mut piece).await.unwrap();
            said.extend_from_slice(&piece[..read]);
            if read == 0 {
                return;
            }
            if said.ends_with(b"</Notification>") {
                said.clear();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                if stream.write_all(&vec![b'x'; length]).await.is_err() {
                    return;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_read_as_far_as_its_connection_is_worth() {
        let places = Places::default();
        let to: Destination = "http://198.51.100.7:80/n".parse().unwrap();
        for (length, is_kept) in [(MAX_ANSWER_BYTES, true), (2 * MAX_ANSWER_BYTES, false)] {
            let (near, far) = tokio::io::duplex(1_024);
            tokio::spawn(answering(far, length));
            let place = places.take(Client::Der(DerId(0))).await.unwrap();
            let opening = Connection::over(near, &to.endpoint, place);
            let mut connection = opening.await.unwrap();
            let body = Bytes::from_static(b"<Notification></Notification>");
            let now = Timestamp::default();
            let answer = connection.post("/n", body.clone(), now).await.unwrap();
            assert_eq!(answer.status, StatusCode::OK);
            // The task of the connection has to see what was left.
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(connection.is_open(), is_kept, "{length}");
            let again = connection.post("/n", body, now).await;
            assert_eq!(again.is_ok(), is_kept, "{length}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::from_secs(784_111_777);
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(
            read("Sun, 06 Nov 1994 08:50:37 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
