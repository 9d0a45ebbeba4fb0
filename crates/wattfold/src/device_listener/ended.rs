//! What is said of connections that end badly.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fleet::Lfdi;
use http::StatusCode;

use crate::clock::Monotonic;
use crate::metrics::Metrics;

/// Time between two lines about the same thing.
const QUIET: Duration = Duration::from_secs(1);

/// Something that may happen thousands of times a second, and is told once in a while.
#[derive(Debug, Default)]
pub(crate) struct Occasional(Mutex<Tally>);

#[derive(Debug, Default)]
struct Tally {
    untold: u64,
    told: Option<Monotonic>,
}

impl Occasional {
    /// It has happened: how often since it was told last, if it is to be told now.
    pub(crate) fn occurred(&self, now: Monotonic) -> Option<u64> {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.untold += 1;
        let since = |told| now.saturating_duration_since(told);
        if tally.told.is_some_and(|told| since(told) < QUIET) {
            return None;
        }
        tally.told = Some(now);
        Some(std::mem::take(&mut tally.untold))
    }
}

/// Notes what was no request: the HTTP library has answered it, or nobody could.
pub(super) fn refused_request(metrics: &Metrics, lfdi: Lfdi, error: &hyper::Error) {
    let (status, reason) = if error.is_parse_too_large() {
        let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        (Some(too_large.as_u16()), "head_too_large")
    } else if error.is_parse() {
        (Some(StatusCode::BAD_REQUEST.as_u16()), "no_http")
    } else if is_late(error) {
        (None, "too_slow")
    } else {
        let error: &dyn std::error::Error = error;
        return tracing::debug!(%lfdi, error, "connection ended");
    };
    if let Some(status) = status {
        metrics.device_response(status);
    }
    let error: &dyn std::error::Error = error;
    tracing::info!(%lfdi, status, reason, error, "request refused");
}

/// Whether the client did not go on with what it began. That it asks for nothing more is no news.
fn is_late(error: &hyper::Error) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |e| e.source());
    causes.any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn what_happens_often_is_told_once_in_a_while_with_its_count() {
        let (full, now) = (Occasional::default(), clock::monotonic());
        assert_eq!(full.occurred(now), Some(1));
        for _ in 0..5 {
            assert_eq!(full.occurred(now), None);
        }
        assert_eq!(full.occurred(now + QUIET), Some(6));
        assert_eq!(full.occurred(now + QUIET), None);
    }
}
