//! What comes of notifications: what subscribers know is kept, what is over is not.

use std::collections::BTreeSet;

use ieee2030_5::server::View;
use ieee2030_5::server::notification::{Change, Fingerprint};
use ieee2030_5::server::subscription::SubscriptionId;

use super::core::Input;
use super::{Message, Node};
use crate::notifier::Feed;

/// What came of telling a subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which subscription.
    pub id: SubscriptionId,
    /// Of which revision that holds; of any when absent.
    pub revision: Option<u32>,
    /// What the subscriber knows now; nothing if the subscription is over.
    pub told: Option<Fingerprint>,
}

impl Node {
    /// What the device server answers from.
    pub fn view<R>(&self, look: impl FnOnce(&View<'_>) -> R) -> R {
        look(&self.durable().view(&self.devices))
    }

    /// Keeps what came of notifications. Returns whether the owner takes it; if it is busy, it may
    /// be told later.
    #[must_use]
    pub fn settle(&self, settlements: Vec<Settlement>) -> bool {
        let message = Message::note(Input::Settle(settlements));
        self.leads() && self.inbox.try_send(message).is_ok()
    }

    /// Tells `feed` from now on what is published.
    pub fn notify(&self, feed: Feed) {
        if self.feed.set(feed).is_err() {
            tracing::error!("there is a notifier already");
        }
    }

    /// Notifications that are due and not taken yet.
    #[must_use]
    pub fn notifications_waiting(&self) -> usize {
        self.feed.get().map_or(0, Feed::waiting)
    }

    /// Tells the notifier what a commit has changed.
    pub(super) fn committed(&self, changes: BTreeSet<Change>) {
        if let Some(feed) = self.feed.get() {
            feed.committed(changes);
        }
    }
}
