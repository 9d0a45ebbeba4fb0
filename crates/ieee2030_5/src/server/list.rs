//! Paging: `s` (first member), `l` (most members), `a` (after this time).

use units::Timestamp;

use super::http::Refusal;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    start: usize,
    limit: usize,
    after: Option<Timestamp>,
}

impl Page {
    /// The default is the first member alone: the standard has `l=1` where it is not given.
    pub const DEFAULT: Self = Self {
        start: 0,
        limit: 1,
        after: None,
    };

    /// Reads a query string. Unknown names are ignored, repeated or malformed ones are not.
    pub(super) fn parse(query: Option<&str>, limit_max: u32) -> Result<Self, Refusal> {
        let mut seen = [None; 3];
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "s" => &mut seen[0],
                "l" => &mut seen[1],
                "a" => &mut seen[2],
                _ => continue,
            };
            let number: Option<i64> = value.parse().ok();
            match number {
                Some(number) if 0 <= number && slot.is_none() => *slot = Some(number),
                _ => return Err(Refusal::invalid(format!("query parameter {name}"))),
            }
        }
        let [start, limit, after] = seen;
        let to_usize = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let limit_max = usize::try_from(limit_max).unwrap_or(usize::MAX);
        Ok(Self {
            start: start.map_or(Self::DEFAULT.start, to_usize),
            limit: limit.map_or(Self::DEFAULT.limit, to_usize).min(limit_max),
            after: after.map(Timestamp::from_secs),
        })
    }

    /// The members of this page. A start beyond the end is an empty page, not an error.
    #[must_use]
    pub fn of<T>(self, members: &[T]) -> &[T] {
        &members[self.range(members.len())]
    }

    /// The places of this page's members among `length`.
    #[must_use]
    pub fn range(self, length: usize) -> std::ops::Range<usize> {
        let start = self.start.min(length);
        start..start.saturating_add(self.limit).min(length)
    }

    /// Only what is after this is asked for.
    #[must_use]
    pub const fn after(self) -> Option<Timestamp> {
        self.after
    }

    /// Leaves out what is not after the time asked for.
    ///
    /// Interpretation: `a` narrows what is paged through; `all` still counts the whole list.
    pub fn narrow<T>(self, members: &mut Vec<T>, time: impl Fn(&T) -> Timestamp) {
        if let Some(after) = self.after {
            members.retain(|member| after < time(member));
        }
    }
}

/// A count as the wire has it.
#[must_use]
pub fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
