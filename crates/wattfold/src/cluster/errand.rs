//! Requests and answers as they lie in the database.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use fleet::Lfdi;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use store::{AccountId, Reply};

use crate::auth::{Principal, SessionId, Via};
use crate::enterprise_listener::Peer;
use crate::node::DeviceRequest;

/// What a node asks of the leader.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// What a device asked.
    Device(Device),
    /// What a person or another system asked.
    Enterprise(Enterprise),
}

/// A device's request without its body.
#[derive(Debug, Serialize, Deserialize)]
pub struct Device {
    method: String,
    path: String,
    query: Option<String>,
    accept: Option<String>,
    content_type: Option<String>,
    if_none_match: Option<String>,
    range: Option<String>,
    lfdi: String,
    random: u32,
}

/// A request to the enterprise listener without its body and credentials, which the node that took
/// it has verified.
#[derive(Debug, Serialize, Deserialize)]
pub struct Enterprise {
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    /// Whose credentials they were.
    pub principal: Option<Known>,
    address: Option<SocketAddr>,
    certificate: Option<String>,
}

/// Who was verified.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Known {
    account: u32,
    name: String,
    session: Option<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Device {
    /// The request with its body.
    pub fn request(self, body: Bytes) -> Option<DeviceRequest> {
        Some(DeviceRequest {
            lfdi: self.lfdi.parse::<Lfdi>().ok()?,
            method: self.method,
            path: self.path,
            query: self.query,
            accept: self.accept,
            content_type: self.content_type,
            if_none_match: self.if_none_match,
            range: self.range,
            body,
            random: self.random,
        })
    }
}

impl Enterprise {
    /// The request with its body.
    pub fn request(self, body: Vec<u8>) -> Option<Request> {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(self.uri)
            .body(Body::from(body))
            .ok()?;
        *request.headers_mut() = header_map(self.headers);
        if let Some(address) = self.address {
            let certificate = self.certificate;
            request.extensions_mut().insert(Peer {
                address,
                certificate,
            });
        }
        Some(request)
    }
}

impl Known {
    /// As routes know it.
    #[must_use]
    pub fn principal(self) -> Principal {
        Principal {
            account: AccountId(self.account),
            name: self.name,
            via: self
                .session
                .map_or(Via::Basic, |digest| Via::Session(SessionId::new(digest))),
        }
    }
}

/// A device's request to be carried.
#[must_use]
pub fn device(request: &DeviceRequest) -> String {
    json(&Asked::Device(Device {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        accept: request.accept.clone(),
        content_type: request.content_type.clone(),
        if_none_match: request.if_none_match.clone(),
        range: request.range.clone(),
        lfdi: request.lfdi.to_string(),
        random: request.random,
    }))
}

/// A request to the enterprise listener, to be carried.
#[must_use]
pub fn enterprise(parts: &Parts, principal: Option<Principal>) -> String {
    let peer = parts.extensions.get::<Peer>();
    json(&Asked::Enterprise(Enterprise {
        method: parts.method.as_str().to_owned(),
        uri: parts.uri.to_string(),
        headers: header_list(&parts.headers),
        principal: principal.map(|principal| Known {
            account: principal.account.0,
            name: principal.name,
            session: match principal.via {
                Via::Session(id) => Some(id.digest()),
                Via::Basic => None,
            },
        }),
        address: peer.map(|peer| peer.address),
        certificate: peer.and_then(|peer| peer.certificate.clone()),
    }))
}

/// What another node asks.
///
/// # Errors
/// Why it can't be read.
pub fn read(head: &str) -> Result<Asked, serde_json::Error> {
    serde_json::from_str(head)
}

/// An answer as it is carried back; nothing when its body breaks off.
pub async fn answer(response: Response<Body>) -> Option<(String, Vec<u8>)> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    let head = json(&Answer {
        status: parts.status.as_u16(),
        headers: header_list(&parts.headers),
    });
    Some((head, body.into()))
}

/// What the client is answered.
#[must_use]
pub fn response(reply: Reply) -> Response<Bytes> {
    let answer: Answer = serde_json::from_str(&reply.head).unwrap_or(Answer {
        status: StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
        headers: Vec::new(),
    });
    let mut response = Response::new(Bytes::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = header_map(answer.headers);
    response
}

/// Without credentials, and without what belongs to one connection.
fn header_list(headers: &HeaderMap) -> Vec<(String, String)> {
    const KEPT_BACK: [HeaderName; 4] = [AUTHORIZATION, COOKIE, CONTENT_LENGTH, TRANSFER_ENCODING];
    let carried = headers
        .iter()
        .filter(|(name, _)| !KEPT_BACK.contains(*name));
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    carried.filter_map(text).collect()
}

fn header_map(headers: Vec<(String, String)>) -> HeaderMap {
    let header = |(name, value): (String, String)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in headers.into_iter().filter_map(header) {
        if name == HOST {
            map.insert(name, value);
        } else {
            map.append(name, value);
        }
    }
    map
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("these have text keys and whole numbers only")
}
