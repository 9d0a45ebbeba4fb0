//! Credentials verified a short while ago, remembered by a keyed digest.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use units::Timestamp;

/// Most credentials remembered; the ones verified longest ago make room.
pub const MAX_VERIFIED: usize = 1_024;
/// How long they are remembered.
const REMEMBERED: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(super) struct Verified {
    /// Makes the digests worthless outside this process and their order unknown to anyone.
    key: [u8; 32],
    by_digest: BTreeMap<[u8; 32], (String, Timestamp)>,
}

impl Verified {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            by_digest: BTreeMap::new(),
        }
    }

    pub(super) fn knows(&self, name: &str, password: &str, now: Timestamp) -> bool {
        let found = self.by_digest.get(&self.digest(name, password));
        found.is_some_and(|(_, until)| now < *until)
    }

    pub(super) fn remember(&mut self, name: &str, password: &str, now: Timestamp) {
        self.by_digest.retain(|_, (_, until)| now < *until);
        while MAX_VERIFIED <= self.by_digest.len() {
            let oldest = self.by_digest.iter().min_by_key(|(_, (_, until))| *until);
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else {
                break;
            };
            self.by_digest.remove(&oldest);
        }
        let digest = self.digest(name, password);
        self.by_digest
            .insert(digest, (name.to_owned(), now.after(REMEMBERED)));
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.by_digest.retain(|_, (of, _)| of != name);
    }

    fn digest(&self, name: &str, password: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        digest.update(u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(name.as_bytes());
        digest.update(password.as_bytes());
        digest.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn what_was_verified_is_known_for_a_while() {
        let mut verified = Verified::new([7; 32]);
        verified.remember("ann", "secret", NOW);
        assert!(verified.knows("ann", "secret", NOW));
        assert!(!verified.knows("ann", "Secret", NOW) && !verified.knows("anns", "ecret", NOW));
        assert!(!verified.knows("ann", "secret", NOW.after(REMEMBERED)));
        verified.forget("ann");
        assert!(!verified.knows("ann", "secret", NOW));
    }

    #[test]
    fn memory_is_bounded() {
        let mut verified = Verified::new([7; 32]);
        for n in 0..=MAX_VERIFIED {
            verified.remember(&n.to_string(), "secret", NOW);
        }
        assert_eq!(verified.by_digest.len(), MAX_VERIFIED);
    }
}
