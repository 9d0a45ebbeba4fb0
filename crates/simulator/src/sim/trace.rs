//! The trace of a run: a digest of all of it, and its last lines in words.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};

use units::Timestamp;

/// Lines that are kept to be shown beside a violation.
const MAX_LINES: usize = 60;

/// How much of a trace is kept in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// The last lines.
    #[default]
    Last,
    /// Everything.
    All,
}

/// What happened, in order. The same seed gives the same trace.
#[derive(Debug)]
pub(super) struct Trace {
    digest: u64,
    keep: usize,
    lines: VecDeque<String>,
}

impl Trace {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            digest: FNV_OFFSET,
            keep: match keep {
                Keep::Last => MAX_LINES,
                Keep::All => usize::MAX,
            },
            lines: VecDeque::new(),
        }
    }

    pub(super) fn tell(&mut self, at: Timestamp, what: fmt::Arguments<'_>) {
        let is_full = self.keep <= self.lines.len();
        let oldest = self.lines.pop_front_if(|_| is_full);
        let mut line = oldest.unwrap_or_default();
        line.clear();
        let written = write!(line, "{} {what}", Clock(at));
        written.expect("a String takes everything");
        self.digest = digest(self.digest, line.as_bytes());
        self.lines.push_back(line);
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

/// An instant as traces have it: date and time, UTC, to the millisecond.
pub(super) struct Clock(pub(super) Timestamp);

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.millis();
        let (day, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
        let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
        let (second, ms) = (in_day / 1_000 % 60, in_day % 1_000);
        write!(f, "{day}d{hour:02}:{minute:02}:{second:02}.{ms:03}")
    }
}

const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01B3;

/// FNV-1a.
pub(super) fn digest(before: u64, bytes: &[u8]) -> u64 {
    let mix = |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    bytes.iter().fold(before, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the reference implementation (Fowler, Noll, Vo).
    #[test]
    fn the_digest_is_fnv_1a() {
        assert_eq!(digest(FNV_OFFSET, b"a"), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(digest(FNV_OFFSET, b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn the_last_lines_are_kept_and_all_count() {
        let mut long = Trace::new(Keep::Last);
        let mut short = Trace::new(Keep::Last);
        for number in 0..100 {
            long.tell(
                Timestamp::from_millis(number),
                format_args!("line {number}"),
            );
            if 20 < number {
                short.tell(
                    Timestamp::from_millis(number),
                    format_args!("line {number}"),
                );
            }
        }
        assert_ne!(long.digest(), short.digest());
        let lines = long.into_lines();
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines, short.into_lines());
        assert_eq!(lines[MAX_LINES - 1], "0d00:00:00.099 line 99");
    }
}
