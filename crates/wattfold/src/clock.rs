//! The one place that reads the clock of the operating system.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use units::Timestamp;

/// An instant that only serves to measure how long something takes; it never goes back.
pub type Monotonic = Instant;
/// When a timer is to fire.
pub type Deadline = tokio::time::Instant;
/// When a file was changed, as the file system has it; only good to be compared.
pub type FileTime = SystemTime;

/// Now, for deadlines and periods, which a correction of the clock must not stretch.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn monotonic() -> Monotonic {
    Instant::now()
}

/// When so much time will have passed, on the clock of timers, which tests may stop.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn deadline(after: Duration) -> Deadline {
    Deadline::now() + after
}

/// Now, UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
