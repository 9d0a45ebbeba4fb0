//! What a microgrid is permitted to do, and in what time.

use std::time::Duration;

use units::{Interval, Timestamp};

use crate::{Name, Note, PermitId};

/// What a permit is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// To leave the grid and run as an island.
    Island,
    /// To come back.
    Reconnect,
}

/// Leave to do something within a time, until it is revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permit {
    /// Dense index among the permits of all microgrids.
    pub id: PermitId,
    /// To do what.
    pub action: Action,
    /// In what time.
    pub window: Interval,
    /// Who granted it.
    pub by: Name,
    /// Why.
    pub reason: Note,
    /// When it was granted.
    pub granted: Timestamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Revocation>,
}

/// The end of a permit before its time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// By whom.
    pub by: Name,
    /// When.
    pub at: Timestamp,
}

impl Permit {
    /// Longest window of one permit: a month.
    pub const MAX_WINDOW: Duration = Duration::from_secs(31 * 86_400);

    /// Whether it may be made use of at `at`.
    #[must_use]
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.revoked.is_none() && self.window.contains(at)
    }

    /// Whether it can't be made use of any more.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.revoked.is_some() || self.window.end() <= now
    }
}

impl Action {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Island => "island",
            Self::Reconnect => "reconnect",
        }
    }
}
