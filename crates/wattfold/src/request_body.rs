//! Taking in request bodies, bounded in size and time, whatever the protocol.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use thiserror::Error;

/// Bytes that are read of a body that is too large, only to be dropped.
const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;
/// Time that this may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// It has, or announces, more bytes than are taken.
    #[error("the body is too large")]
    TooLarge,
    /// It ended before it was complete.
    #[error("the body was cut off")]
    CutOff,
    /// It did not arrive in time.
    #[error("the body came too slowly")]
    TooSlow,
}

/// The whole body, of at most `max` bytes, arriving within this time.
///
/// Of one that is too large a good deal more is read and dropped: a connection that is closed with
/// something unread is reset, and the client would not see the refusal.
///
/// # Errors
/// [`BodyError`]; nothing is kept then.
pub async fn take<B>(
    headers: &HeaderMap,
    mut body: B,
    max: usize,
    within: Duration,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let announced = headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let taken = if announced.is_some_and(|length| max < length) {
        Err(BodyError::TooLarge)
    } else {
        collect(&mut body, max, within).await
    };
    if taken == Err(BodyError::TooLarge) {
        let discarding = tokio::time::timeout(DISCARD_TIMEOUT, discard(&mut body)).await;
        tracing::debug!(finished = discarding.is_ok(), "a body was too large");
    }
    taken
}

async fn collect<B>(body: &mut B, max: usize, within: Duration) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = tokio::time::timeout(within, Limited::new(body, max).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::CutOff),
        Err(_) => Err(BodyError::TooSlow),
    }
}

async fn discard<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let mut left = MAX_DISCARDED_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(bytes) {
            Some(less) => left = less,
            None => return,
        }
    }
}
