//! Who was verified at one node and is known by that at another.

use std::sync::{Mutex, PoisonError};

use super::Principal;

tokio::task_local! {
    /// Who sent the request that a task carries out; another node has verified it.
    static TRUSTED: Option<Principal>;
    /// Whom a task has verified.
    static VERIFIED: Mutex<Option<Principal>>;
}

/// Runs `work` for `principal`, whom another node of this installation has verified.
pub async fn trusting<W: Future>(principal: Option<Principal>, work: W) -> W::Output {
    TRUSTED.scope(principal, work).await
}

/// Runs `work` and tells whom it has verified.
pub async fn remembered<W: Future>(work: W) -> (W::Output, Option<Principal>) {
    let remembered = async {
        let output = work.await;
        let verified = VERIFIED.with(|slot| {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.take()
        });
        (output, verified)
    };
    VERIFIED.scope(Mutex::new(None), remembered).await
}

/// Whom another node has verified.
pub(super) fn trusted() -> Option<Principal> {
    TRUSTED.try_with(Clone::clone).ok().flatten()
}

/// Remembers `principal` for whoever asked.
pub(super) fn remember(principal: &Principal) {
    let kept = VERIFIED.try_with(|slot| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(principal.clone());
    });
    if kept.is_err() {
        tracing::trace!("nobody wants to know");
    }
}
