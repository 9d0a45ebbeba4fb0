//! Sessions of the console, in memory: a restart ends them all. Where several nodes share one
//! database they are there instead.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use units::Timestamp;

/// Most sessions at one time; the one that ends first makes room.
pub const MAX_SESSIONS: usize = 1_000;
/// How long a session lasts.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 3_600);

/// SHA-256 of a session's token. Looking it up tells an attacker nothing of the token by how
/// long it takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// Of this token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Of the token with this digest.
    #[must_use]
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    #[must_use]
    pub const fn digest(self) -> [u8; 32] {
        self.0
    }
}

#[derive(Debug)]
struct Session {
    user: String,
    expires: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
}

impl Sessions {
    /// Begins a session and says when it ends.
    pub(super) fn begin(&mut self, id: SessionId, user: String, now: Timestamp) -> Timestamp {
        self.by_id.retain(|_, session| now < session.expires);
        while MAX_SESSIONS <= self.by_id.len() {
            let first = self.by_id.iter().min_by_key(|(_, session)| session.expires);
            let Some(first) = first.map(|(id, _)| *id) else {
                break;
            };
            self.by_id.remove(&first);
        }
        let expires = now.after(SESSION_LIFETIME);
        self.by_id.insert(id, Session { user, expires });
        expires
    }

    /// Whose session this is, unless it is over.
    pub(super) fn user(&self, id: SessionId, now: Timestamp) -> Option<String> {
        let session = self.by_id.get(&id).filter(|session| now < session.expires);
        session.map(|session| session.user.clone())
    }

    pub(super) fn end(&mut self, id: SessionId) {
        self.by_id.remove(&id);
    }

    pub(super) fn end_all_of(&mut self, user: &str, keep: Option<SessionId>) {
        self.by_id
            .retain(|id, session| session.user != user || Some(*id) == keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_by_time_and_by_number() {
        let mut sessions = Sessions::default();
        let id = |n: usize| SessionId::of(&n.to_string());
        let at = |n: usize| Timestamp::from_secs(i64::try_from(n).unwrap());
        for n in 0..=MAX_SESSIONS {
            sessions.begin(id(n), "admin".to_owned(), at(n));
        }
        assert_eq!(sessions.by_id.len(), MAX_SESSIONS);
        assert_eq!(sessions.user(id(0), at(MAX_SESSIONS)), None);
        assert_eq!(
            sessions.user(id(1), at(MAX_SESSIONS)).as_deref(),
            Some("admin")
        );
        assert_eq!(sessions.user(id(1), at(1).after(SESSION_LIFETIME)), None);
    }
}
