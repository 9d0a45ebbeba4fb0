//! Reading requests: bodies, query parameters and path segments, each refused with a problem.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::api::problem::{Kind, Problem};
use crate::request_body::{self, BodyError};

/// Most bytes of a request body: a thousand enrolments, or a group of fifty thousand members.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Longest time a body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON object of at most `MAX` bytes.
#[derive(Debug)]
pub(super) struct Body<T, const MAX: usize = MAX_BODY_BYTES>(pub(super) T);

impl<S, T, const MAX: usize> FromRequest<S> for Body<T, MAX>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let Object(value) = parse(&bytes(request, MAX).await?)?;
        Ok(Self(value))
    }
}

/// A JSON object, or an array of them, of at most [`MAX_BODY_BYTES`].
#[derive(Debug)]
pub(super) struct Bodies<T>(pub(super) OneOrMany<T>);

impl<S, T> FromRequest<S> for Bodies<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        parse(&bytes(request, MAX_BODY_BYTES).await?).map(Self)
    }
}

/// A file of comma-separated values of at most `MAX` bytes.
#[derive(Debug)]
pub(super) struct Csv<const MAX: usize>(pub(super) Bytes);

impl<S: Send + Sync, const MAX: usize> FromRequest<S> for Csv<MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        bytes_of("text/csv", request, MAX).await.map(Self)
    }
}

async fn bytes(request: Request, max: usize) -> Result<Bytes, Problem> {
    bytes_of("application/json", request, max).await
}

/// The body of a request whose type is `media`.
pub(super) async fn bytes_of(media: &str, request: Request, max: usize) -> Result<Bytes, Problem> {
    if !is_of(media, &request) {
        let detail = format!("the body must be {media}");
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let (head, body) = request.into_parts();
    let taken = request_body::take(&head.headers, body, max, BODY_TIMEOUT).await;
    taken.map_err(|error| match error {
        BodyError::TooLarge => Problem::new(
            Kind::TooLarge,
            format!("the body must have at most {max} bytes"),
        ),
        BodyError::CutOff => Problem::new(Kind::Malformed, error.to_string()),
        BodyError::TooSlow => Problem::new(Kind::Timeout, error.to_string()),
    })
}

pub(super) fn is_of(media: &str, request: &Request) -> bool {
    let value = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let essence = value.and_then(|v| v.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(media))
}

/// Reads JSON. `serde_json` itself goes no deeper than 128 levels.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            return at(&path, without_place(&inner.to_string()));
        }
        malformed(&inner)
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::Malformed, format!("the body is no JSON: {error}"))
}

/// The problem at `path`; what is missing has no path of its own yet.
fn at(path: &str, rule: &str) -> Problem {
    let path = if path == "." { "" } else { path };
    let missing = rule
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    match (path, missing) {
        ("", None) => Problem::field("body", rule),
        ("", Some(name)) => Problem::field(name, "is missing"),
        (_, Some(name)) => Problem::field(format!("{path}.{name}"), "is missing"),
        (_, None) => Problem::field(path, rule),
    }
}

/// A field's rule needs no line number; the path says where.
fn without_place(message: &str) -> &str {
    message
        .rsplit_once(" at line ")
        .map_or(message, |(rule, _)| rule)
}

/// Query parameters.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<S, T> FromRequestParts<S> for Params<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(value)| Self(value))
            .map_err(|rejection| {
                let inner = std::error::Error::source(&rejection);
                let inner = inner.and_then(std::error::Error::source);
                let message = inner.map_or_else(|| rejection.body_text(), ToString::to_string);
                match message.split_once(": ") {
                    Some((field, rule)) if !field.contains(' ') => Problem::field(field, rule),
                    _ => at(".", &message),
                }
            })
    }
}

/// The one name in the path.
#[derive(Debug)]
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Self(name))
            .map_err(|rejection| Problem::new(Kind::Malformed, rejection.body_text()))
    }
}

/// One item, or an array of them.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    /// Reads in one pass, so that an error keeps the path to its field.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

/// A value given as an object; `serde` would take an array of its fields too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut many = Vec::new();
        while let Some(Object(item)) = items.next_element()? {
            many.push(item);
        }
        Ok(OneOrMany::Many(many))
    }
}
