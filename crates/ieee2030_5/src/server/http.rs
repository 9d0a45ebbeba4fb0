//! What the protocol asks of HTTP: media types, methods, ranges, refusals.

use std::fmt;

use bytes::Bytes;

use crate::codec::MEDIA_TYPE;
use crate::codec::read::ReadError;
use crate::codec::table::{Edition, Profile};
use crate::codec::write::write;
use crate::server::fingerprint::Fingerprint;
use crate::translate::{ControlId, DerId, Lfdi};
use crate::wire::error::{Error, ReasonCode};

/// Bytes of a request body. It is less than a document may have, since a server holds one for each
/// of many connections.
pub const MAX_REQUEST_BYTES: usize = 128 * 1024;
/// Media type of what a file holds.
pub const FILE_TYPE: &str = "application/octet-stream";
/// The methods of HTTP (RFC 9110, 9.1, and PATCH), which are refused where they are not for the
/// resource. Any other is none.
const METHODS: [&str; 9] = [
    "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
];

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
    pub if_none_match: Option<&'a str>,
    pub range: Option<&'a str>,
    /// At most one byte more than [`MAX_REQUEST_BYTES`] is of use.
    pub body: &'a [u8],
    /// From the client certificate.
    pub lfdi: Lfdi,
    /// Drawn anew for each request that may change something; a PIN is made of it.
    pub random: u32,
}

impl Request<'_> {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
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
    /// Names this representation.
    pub etag: Option<String>,
    pub content_range: Option<String>,
    pub body: Bytes,
    /// Send the header alone, with the length of `body` in it.
    pub head_only: bool,
    /// Controls in the body and whom they address: those have been sent them once the reply is out.
    pub served: Vec<(ControlId, DerId)>,
    /// For the log: why a request was refused.
    pub refused: Option<Refused>,
    pub reason: Option<String>,
}

impl Response {
    pub(super) fn ok(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            content_type: Some(MEDIA_TYPE),
            body: body.into(),
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

    pub(super) fn options(allowed: &'static [&'static str]) -> Self {
        Self {
            status: 200,
            allow: Some(allowed),
            ..Self::default()
        }
    }

    /// Names the representation and leaves it out if the client has it.
    pub(super) fn tagged(mut self, if_none_match: Option<&str>) -> Self {
        if !matches!(self.status, 200 | 206) || self.body.is_empty() {
            return self;
        }
        let etag = self.etag.take();
        let etag = etag.unwrap_or_else(|| etag_of(&self.body));
        let known = if_none_match.is_some_and(|tags| {
            let mut tags = tags.split(',').map(str::trim);
            tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
        });
        if known {
            self.status = 304;
            self.content_type = None;
            self.content_range = None;
            self.body = Bytes::new();
        }
        self.etag = Some(etag);
        self
    }
}

/// Names a body.
pub(super) fn etag_of(body: &[u8]) -> String {
    format!("\"{:016x}\"", Fingerprint::EMPTY.with(body).0)
}

/// Why a request was refused, as the log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing has this address.
    Absent,
    /// It belongs to somebody else, which the client is not told.
    Foreign,
    /// The certificate is not on the list, or not for this.
    NotAuthorised,
    /// The certificate was taken off the list.
    Revoked,
    Method,
    NotImplemented,
    NotAcceptable,
    MediaType,
    Format,
    Values,
    Limit,
    Conflict,
    Range,
    /// The fleet decided against it.
    Rejected,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::Foreign => "foreign",
            Self::NotAuthorised => "not_authorised",
            Self::Revoked => "revoked",
            Self::Method => "method",
            Self::NotImplemented => "not_implemented",
            Self::NotAcceptable => "not_acceptable",
            Self::MediaType => "media_type",
            Self::Format => "format",
            Self::Values => "values",
            Self::Limit => "limit",
            Self::Conflict => "conflict",
            Self::Range => "range",
            Self::Rejected => "rejected",
        })
    }
}

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    refused: Refused,
    allow: Option<&'static [&'static str]>,
    code: Option<ReasonCode>,
    reason: Option<String>,
    content_range: Option<String>,
}

impl Refusal {
    /// Without a body, so that absent and forbidden look the same.
    pub(super) const NOT_FOUND: Self = Self::bare(404, Refused::Absent);
    /// What belongs to somebody else looks as if it were not there.
    pub(super) const FOREIGN: Self = Self::bare(404, Refused::Foreign);
    pub(super) const NOT_IMPLEMENTED: Self = Self::bare(501, Refused::NotImplemented);

    const fn bare(status: u16, refused: Refused) -> Self {
        Self {
            status,
            refused,
            allow: None,
            code: None,
            reason: None,
            content_range: None,
        }
    }

    pub(super) fn new(status: u16, code: ReasonCode, reason: String) -> Self {
        let refused = match (status, code) {
            (401 | 403, _) => Refused::NotAuthorised,
            (409, _) => Refused::Conflict,
            (415, _) => Refused::MediaType,
            (_, ReasonCode::RESOURCE_LIMIT) => Refused::Limit,
            (_, ReasonCode::INVALID_FORMAT) => Refused::Format,
            _ => Refused::Values,
        };
        Self {
            code: Some(code),
            reason: Some(reason),
            ..Self::bare(status, refused)
        }
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::new(400, ReasonCode::INVALID_VALUES, reason.into())
    }

    pub(super) fn forbidden(reason: impl Into<String>) -> Self {
        Self::new(403, ReasonCode::INVALID_VALUES, reason.into())
    }

    pub(super) fn conflict(reason: impl Into<String>) -> Self {
        Self::new(409, ReasonCode::INVALID_VALUES, reason.into())
    }

    pub(super) fn limit(reason: impl Into<String>) -> Self {
        Self::new(400, ReasonCode::RESOURCE_LIMIT, reason.into())
    }

    pub(super) fn because(self, refused: Refused) -> Self {
        Self { refused, ..self }
    }

    pub(super) fn method_not_allowed(allowed: &'static [&'static str]) -> Self {
        Self {
            allow: Some(allowed),
            ..Self::bare(405, Refused::Method)
        }
    }

    pub(super) fn into_response(self, profile: Profile) -> Response {
        let body = match self.code {
            Some(reason_code) => write(
                &Error {
                    max_retry_duration: None,
                    reason_code,
                },
                profile,
            ),
            None => Vec::new(),
        };
        Response {
            status: self.status,
            allow: self.allow,
            content_type: self.code.map(|_| MEDIA_TYPE),
            content_range: self.content_range,
            body: body.into(),
            refused: Some(self.refused),
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

/// Whether HTTP has this method.
pub(super) fn is_method(method: &str) -> bool {
    METHODS.contains(&method)
}

/// Whether `application/sep+xml`, or what a file holds, is among what the client takes.
///
/// Interpretation: no `Accept` header, which fielded clients leave out, takes anything. A `level`
/// of an edition other than that which is served is not taken; of the signs, which say how strictly
/// the schema is kept, either is.
pub(super) fn check_accept(
    accept: Option<&str>,
    media_type: &str,
    edition: Edition,
) -> Result<(), Refusal> {
    let Some(accept) = accept else {
        return Ok(());
    };
    let taken = accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let fits = ["*/*", "application/*", media_type]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known));
        fits && parts.all(|parameter| is_served(parameter, edition))
    });
    if taken {
        return Ok(());
    }
    Err(Refusal {
        reason: Some(format!("Accept: {accept}")),
        ..Refusal::bare(406, Refused::NotAcceptable)
    })
}

fn is_served(parameter: &str, edition: Edition) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let value = value.trim().trim_matches('"');
    match name.trim() {
        "q" => value.parse::<f32>().is_ok_and(|weight| 0.0 < weight),
        "level" => {
            let level = value.strip_prefix(['+', '-']).unwrap_or(value);
            match edition {
                Edition::Y2018 => level == "S1",
                Edition::Y2023 => level == "S2" || level == "S1",
            }
        }
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
    let Some(content_type) = request.content_type.filter(|_| request.method != "DELETE") else {
        return Ok(());
    };
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Ok(());
    }
    let reason = format!("Content-Type: {content_type}");
    Err(Refusal::new(415, ReasonCode::INVALID_FORMAT, reason))
}

/// The part of a file that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Whole,
    /// From the first byte to the last, both included.
    Part(usize, usize),
}

impl Range {
    /// Reads a `Range` header. Units other than bytes and several ranges at once are ignored, as
    /// RFC 9110, 14.2, has it.
    pub(super) fn of(header: Option<&str>, length: usize) -> Result<Self, Refusal> {
        let ranges = header.and_then(|header| header.trim().strip_prefix("bytes="));
        let Some((first, last)) = ranges.and_then(|range| range.split_once('-')) else {
            return Ok(Self::Whole);
        };
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let part = match (number(first), number(last)) {
            (Some(first), Some(last)) if last < first => return Ok(Self::Whole),
            (Some(first), Some(last)) => (first, last.min(length.saturating_sub(1))),
            (Some(first), None) if last.trim().is_empty() => (first, length.saturating_sub(1)),
            (None, Some(suffix)) if first.trim().is_empty() && suffix > 0 => {
                (length.saturating_sub(suffix), length.saturating_sub(1))
            }
            (None, Some(_)) if first.trim().is_empty() => (length, length),
            _ => return Ok(Self::Whole),
        };
        if part.0 < length {
            return Ok(Self::Part(part.0, part.1));
        }
        Err(Refusal {
            content_range: Some(format!("bytes */{length}")),
            ..Refusal::bare(416, Refused::Range)
        })
    }

    /// This part of `content`, which is not copied; `etag` names the whole.
    pub(super) fn response(self, content: &Bytes, etag: Option<String>) -> Response {
        let (status, body, content_range) = match self {
            Self::Whole => (200, content.clone(), None),
            Self::Part(first, last) => {
                let range = format!("bytes {first}-{last}/{}", content.len());
                (206, content.slice(first..=last), Some(range))
            }
        };
        Response {
            status,
            content_type: Some(FILE_TYPE),
            content_range,
            etag,
            body,
            ..Response::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_file() {
        let of = |header| Range::of(Some(header), 10);
        for (header, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=3-", 3, 9),
            ("bytes=3-99", 3, 9),
            ("bytes=-4", 6, 9),
            ("bytes=-99", 0, 9),
        ] {
            assert_eq!(of(header), Ok(Range::Part(first, last)), "{header}");
        }
        for whole in [
            "bytes=5-3",
            "lines=1-2",
            "bytes=1-2,4-5",
            "bytes=x-1",
            "",
            "bytes=-",
        ] {
            assert_eq!(of(whole), Ok(Range::Whole), "{whole}");
        }
        for beyond in ["bytes=10-", "bytes=99-100", "bytes=-0"] {
            assert_eq!(of(beyond).unwrap_err().status, 416, "{beyond}");
        }
        assert_eq!(Range::of(None, 0), Ok(Range::Whole));
        let content = Bytes::from_static(b"0123456789");
        let part = Range::Part(2, 3).response(&content, Some("\"t\"".to_owned()));
        assert_eq!((part.status, &*part.body), (206, &b"23"[..]));
        assert_eq!(
            part.body.as_ptr(),
            content[2..].as_ptr(),
            "nothing is copied"
        );
        assert_eq!(
            part.clone().tagged(None),
            part,
            "the tag is that of the whole"
        );
        assert_eq!(part.clone().tagged(Some("\"t\"")).status, 304);
        assert_eq!(part.content_range.as_deref(), Some("bytes 2-3/10"));
    }

    #[test]
    fn bodies_that_differ_have_different_tags() {
        let tag = |body: &[u8]| Response::ok(body.to_vec()).tagged(None).etag.unwrap();
        let bodies: [&[u8]; 6] = [b"a", b"b", b"ab", b"ba", b"a\0", b"aaaaaaaaa"];
        let mut tags: Vec<String> = bodies.iter().map(|body| tag(body)).collect();
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), bodies.len());
    }
}
