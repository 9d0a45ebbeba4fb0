//! One request of a device, from bytes to bytes.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use fleet::{Access, Lfdi};
use http::header::{
    ACCEPT, ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    LOCATION, RANGE, RETRY_AFTER,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use ieee2030_5::codec::MEDIA_TYPE;
use ieee2030_5::codec::write::write;
use ieee2030_5::server::Response;
use ieee2030_5::server::http::MAX_REQUEST_BYTES;
use ieee2030_5::wire::error::{Error, ReasonCode};
use units::Timestamp;

use super::BODY_TIMEOUT;
use crate::api::problem;
use crate::cluster::errand;
use crate::node::{DeviceRequest, Node, Unavailable};
use crate::request_body::{self, BodyError};
use crate::{auth, clock};

/// What a client is told to wait when too much is going on, seconds.
const RETRY_AFTER_S: u16 = 5;

pub(super) async fn answer(
    node: &Arc<Node>,
    lfdi: Lfdi,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let request = match taken(&head, body).await {
        Ok(body) => owned(lfdi, &head, body),
        Err(error) => return Ok(untaken(node, lfdi, &head, error)),
    };
    let now = clock::now();
    let answered = match respond(node, &request, now).await {
        Err(Unavailable::NotLeader) => carried(node, &request).await,
        answered => answered,
    };
    let access = node.heard_from(lfdi, now);
    let mut answer = answered.unwrap_or_else(|error| put_off(node, &request, error));
    if let Access::Revoked(_) = access {
        node.metrics().session_ended("access_revoked");
        tracing::info!(%lfdi, reason = "access_revoked", "session ended");
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
    }
    Ok(answer)
}

/// Answers a request that came in at another node; nothing when this one may not decide.
pub(crate) async fn carried_out(
    node: &Arc<Node>,
    request: DeviceRequest,
) -> Option<http::Response<Full<Bytes>>> {
    let now = clock::now();
    let answered = respond(node, &request, now).await;
    if matches!(answered, Err(Unavailable::NotLeader)) {
        return None;
    }
    node.heard_from(request.lfdi, now);
    Some(answered.unwrap_or_else(|error| put_off(node, &request, error)))
}

async fn respond(
    node: &Node,
    request: &DeviceRequest,
    now: Timestamp,
) -> Result<http::Response<Full<Bytes>>, Unavailable> {
    let mut response = match node.device_at_once(request, now) {
        Some(response) => response?,
        None => node.device(request.clone()).await?,
    };
    if !response.served.is_empty() {
        node.fetched(std::mem::take(&mut response.served), now)
            .await?;
    }
    note(node, request, &response);
    Ok(outgoing(response))
}

/// Has the leader answer.
async fn carried(
    node: &Node,
    request: &DeviceRequest,
) -> Result<http::Response<Full<Bytes>>, Unavailable> {
    let reply = node
        .carry(errand::device(request), request.body.to_vec())
        .await?;
    let mut response = errand::response(reply);
    // What the enterprise interface says of an outcome that nobody knows is no document of a device's.
    let is_problem = |value: &HeaderValue| value == problem::MEDIA_TYPE;
    if response.headers().get(CONTENT_TYPE).is_some_and(is_problem) {
        response.headers_mut().remove(CONTENT_TYPE);
        *response.body_mut() = Bytes::new();
    }
    node.metrics().device_response(response.status().as_u16());
    Ok(response.map(Full::new))
}

fn note(node: &Node, request: &DeviceRequest, response: &Response) {
    node.metrics().device_response(response.status);
    if let Some(refused) = response.refused {
        let DeviceRequest {
            method, path, lfdi, ..
        } = request;
        let (status, why) = (response.status, response.reason.as_deref());
        tracing::info!(%lfdi, method, path, status, reason = %refused, why, "request refused");
    }
}

/// The body of a request that has one.
async fn taken(head: &Parts, body: Incoming) -> Result<Bytes, BodyError> {
    if matches!(head.method, Method::GET | Method::HEAD) {
        return Ok(Bytes::new());
    }
    request_body::take(&head.headers, body, MAX_REQUEST_BYTES, BODY_TIMEOUT).await
}

fn owned(lfdi: Lfdi, head: &Parts, body: Bytes) -> DeviceRequest {
    let text = |name: HeaderName| header(&head.headers, name);
    DeviceRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        accept: text(ACCEPT),
        content_type: text(CONTENT_TYPE),
        if_none_match: text(IF_NONE_MATCH),
        range: text(RANGE),
        body,
        lfdi,
        random: match head.method {
            Method::GET | Method::HEAD => 0,
            _ => u32::from_be_bytes(auth::random()),
        },
    }
}

/// A header that stands on several lines is one list (RFC 9110, 5.2).
fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines = headers.get_all(name);
    let mut lines = lines.iter().filter_map(|value| value.to_str().ok());
    let first = lines.next()?.to_owned();
    Some(lines.fold(first, |list, line| list + ", " + line))
}

/// The refusal of a body that could not be taken in.
fn untaken(node: &Node, lfdi: Lfdi, head: &Parts, error: BodyError) -> http::Response<Full<Bytes>> {
    let (status, reason_code, reason) = match error {
        BodyError::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            ReasonCode::RESOURCE_LIMIT,
            "limit",
        ),
        BodyError::CutOff => (
            StatusCode::BAD_REQUEST,
            ReasonCode::INVALID_FORMAT,
            "cut_off",
        ),
        BodyError::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            ReasonCode::INVALID_FORMAT,
            "too_slow",
        ),
    };
    node.metrics().device_response(status.as_u16());
    let (method, path) = (head.method.as_str(), head.uri.path());
    let why: &dyn std::error::Error = &error;
    let number = status.as_u16();
    tracing::info!(%lfdi, method, path, status = number, reason, why, "request refused");
    refusal(node, status, reason_code, None)
}

/// The refusal of what may be asked again later.
fn put_off(
    node: &Node,
    request: &DeviceRequest,
    unavailable: Unavailable,
) -> http::Response<Full<Bytes>> {
    let (status, reason_code, wait_s, reason) = match unavailable {
        Unavailable::TooOften { wait } => (
            StatusCode::TOO_MANY_REQUESTS,
            ReasonCode::REQUEST_FREQUENCY,
            u16::try_from(wait.as_secs()).unwrap_or(u16::MAX),
            "too_often",
        ),
        Unavailable::Busy
        | Unavailable::NoLeader
        | Unavailable::NotLeader
        | Unavailable::Stopping
        | Unavailable::Store
        | Unavailable::Telemetry
        | Unavailable::Unanswered => (
            StatusCode::SERVICE_UNAVAILABLE,
            ReasonCode::RESOURCE_LIMIT,
            RETRY_AFTER_S,
            "unavailable",
        ),
    };
    node.metrics().device_response(status.as_u16());
    let DeviceRequest {
        lfdi, method, path, ..
    } = request;
    let number = status.as_u16();
    tracing::info!(
        %lfdi, method, path, status = number, reason, why = %unavailable, "request refused"
    );
    let mut response = refusal(node, status, reason_code, Some(wait_s));
    let wait = HeaderValue::from(wait_s);
    response.headers_mut().insert(RETRY_AFTER, wait);
    response
}

/// An answer with the protocol's own Error in it, which says when to ask again, in seconds.
fn refusal(
    node: &Node,
    status: StatusCode,
    reason_code: ReasonCode,
    max_retry_duration: Option<u16>,
) -> http::Response<Full<Bytes>> {
    let error = Error {
        max_retry_duration,
        reason_code,
    };
    let mut response = bare(status);
    *response.body_mut() = Full::new(Bytes::from(write(&error, node.devices().profile)));
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, kind);
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
        response.body
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
    let said = [
        (LOCATION, response.location),
        (ETAG, response.etag),
        (CONTENT_RANGE, response.content_range),
    ];
    for (name, text) in said {
        if let Some(Ok(value)) = text.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    if let Some(Ok(allow)) = response
        .allow
        .map(|methods| HeaderValue::try_from(methods.join(", ")))
    {
        headers.insert(ALLOW, allow);
    }
    outgoing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_on_several_lines_is_one_list() {
        let mut headers = HeaderMap::new();
        assert_eq!(header(&headers, ACCEPT), None);
        headers.append(ACCEPT, HeaderValue::from_static("text/html"));
        assert_eq!(header(&headers, ACCEPT).as_deref(), Some("text/html"));
        headers.append(ACCEPT, HeaderValue::from_static(MEDIA_TYPE));
        let both = "text/html, application/sep+xml";
        assert_eq!(header(&headers, ACCEPT).as_deref(), Some(both));
    }
}
