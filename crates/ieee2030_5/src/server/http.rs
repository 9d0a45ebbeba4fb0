//! What the protocol asks of HTTP: media types, methods, refusals.

use crate::codec::MEDIA_TYPE;
use crate::codec::read::ReadError;
use crate::codec::table::Edition;
use crate::codec::write::write;
use crate::translate::{ControlId, Lfdi};
use crate::wire::error::{Error, ReasonCode};

/// Bytes of a request body. It is less than a document may have, since a server holds one for each
/// of many connections.
pub const MAX_REQUEST_BYTES: usize = 128 * 1024;

/// A request as the listener took it off the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// The path alone, without authority and query.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    pub accept: Option<&'a str>,
    pub content_type: Option<&'a str>,
    /// At most one byte more than [`MAX_REQUEST_BYTES`] is of use.
    pub body: &'a [u8],
    /// From the client certificate.
    pub lfdi: Lfdi,
}

/// A reply to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub location: Option<String>,
    /// Methods for the `Allow` header.
    pub allow: Option<&'static [&'static str]>,
    /// The media type of the body, if there is one.
    pub content_type: Option<&'static str>,
    pub body: Vec<u8>,
    /// Send the header alone, with the length of `body` in it.
    pub head_only: bool,
    /// Controls in the body: the device has been sent them once the reply is out.
    pub served: Vec<ControlId>,
    /// For the log: why a request was refused.
    pub reason: Option<String>,
}

impl Response {
    pub(super) fn ok(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            content_type: Some(MEDIA_TYPE),
            body,
            ..Self::default()
        }
    }

    pub(super) fn no_content() -> Self {
        Self {
            status: 204,
            ..Self::default()
        }
    }

    pub(super) fn located(status: u16, location: String) -> Self {
        Self {
            status,
            location: Some(location),
            ..Self::default()
        }
    }
}

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    allow: Option<&'static [&'static str]>,
    code: Option<ReasonCode>,
    reason: Option<String>,
}

impl Refusal {
    /// Without a body, so that absent and forbidden look the same.
    pub(super) const NOT_FOUND: Self = Self {
        status: 404,
        allow: None,
        code: None,
        reason: None,
    };

    pub(super) fn new(status: u16, code: ReasonCode, reason: String) -> Self {
        Self {
            status,
            allow: None,
            code: Some(code),
            reason: Some(reason),
        }
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::new(400, ReasonCode::INVALID_VALUES, reason.into())
    }

    pub(super) fn limit(reason: impl Into<String>) -> Self {
        Self::new(400, ReasonCode::RESOURCE_LIMIT, reason.into())
    }

    pub(super) fn method_not_allowed(allowed: &'static [&'static str]) -> Self {
        Self {
            status: 405,
            allow: Some(allowed),
            code: None,
            reason: None,
        }
    }

    pub(super) fn into_response(self, edition: Edition) -> Response {
        let body = match self.code {
            Some(reason_code) => write(
                &Error {
                    max_retry_duration: None,
                    reason_code,
                },
                edition,
            ),
            None => Vec::new(),
        };
        Response {
            status: self.status,
            allow: self.allow,
            content_type: self.code.map(|_| MEDIA_TYPE),
            body,
            reason: self.reason,
            ..Response::default()
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        let (status, code) = match error {
            ReadError::BodyTooLong => (413, ReasonCode::RESOURCE_LIMIT),
            ReadError::TooDeep
            | ReadError::TooManyElements
            | ReadError::TooManyAttributes
            | ReadError::TextTooLong => (400, ReasonCode::RESOURCE_LIMIT),
            ReadError::Value { .. } => (400, ReasonCode::INVALID_VALUES),
            _ => (400, ReasonCode::INVALID_FORMAT),
        };
        Self::new(status, code, error.to_string())
    }
}

/// Whether `application/sep+xml` is among what the client takes.
///
/// Interpretation: no `Accept` header, which fielded clients leave out, takes anything. A `level`
/// other than S1 (the 2018 edition) is not what is served.
pub(super) fn check_accept(accept: Option<&str>) -> Result<(), Refusal> {
    let Some(accept) = accept else {
        return Ok(());
    };
    let taken = accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let fits = ["*/*", "application/*", MEDIA_TYPE]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known));
        fits && parts.all(is_served)
    });
    if taken {
        return Ok(());
    }
    Err(Refusal {
        status: 406,
        allow: None,
        code: None,
        reason: Some(format!("Accept: {accept}")),
    })
}

fn is_served(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some(("q", weight)) => weight
            .trim()
            .parse::<f32>()
            .is_ok_and(|weight| 0.0 < weight),
        Some(("level", level)) => level.trim().ends_with("S1"),
        _ => true,
    }
}

/// Whether a body of this size and type is taken.
///
/// Interpretation: a body without a `Content-Type` is taken as `application/sep+xml`.
pub(super) fn check_content(request: &Request<'_>) -> Result<(), Refusal> {
    if request.body.len() > MAX_REQUEST_BYTES {
        let reason = format!("the body is longer than {MAX_REQUEST_BYTES} bytes");
        return Err(Refusal::new(413, ReasonCode::RESOURCE_LIMIT, reason));
    }
    let Some(content_type) = request.content_type else {
        return Ok(());
    };
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Ok(());
    }
    let reason = format!("Content-Type: {content_type}");
    Err(Refusal::new(415, ReasonCode::INVALID_FORMAT, reason))
}
