//! What comes of notifications: what subscribers know is kept, what is over is not.

use std::collections::BTreeSet;

use ieee2030_5::server::notification::{self, Change, Fingerprint};
use ieee2030_5::server::subscription::SubscriptionId;
use ieee2030_5::server::{Owner, View};
use store::{Batch, DocumentChange};

use super::owner::{DOCUMENT_LISTENER, Owner as OwnerThread};
use super::{Durable, Input, Node};
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
        look(&self.view_of(&self.durable()))
    }

    pub(super) fn view_of<'a>(&'a self, durable: &'a Durable) -> View<'a> {
        View {
            fleet: &durable.state.fleet,
            resources: &durable.resources,
            config: &self.devices,
        }
    }

    /// Keeps what came of notifications. Returns whether the owner takes it; if it is busy, it may
    /// be told later.
    #[must_use]
    pub fn settle(&self, settlements: Vec<Settlement>) -> bool {
        self.inbox.try_send(Input::Settle { settlements }).is_ok()
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

impl OwnerThread {
    pub(super) fn settle(&mut self, settlements: &[Settlement], batch: &mut Batch) {
        for settlement in settlements {
            let Settlement { id, revision, told } = *settlement;
            let view = View {
                fleet: &self.working.state.fleet,
                resources: &self.working.resources,
                config: &self.node.devices,
            };
            let kept = notification::settle(id, revision, told, &view);
            self.documents(kept.as_slice(), batch);
        }
    }
}

/// What `batch` changes that devices are served.
pub(super) fn changes_of(batch: &Batch) -> BTreeSet<Change> {
    let events = batch.entries.iter();
    let events = events.filter_map(|entry| notification::change_of(&entry.event));
    let documents = batch.documents.iter().filter_map(change_of_document);
    events.chain(documents).collect()
}

fn change_of_document(change: &DocumentChange) -> Option<Change> {
    let key = match change {
        DocumentChange::Put(document) => &document.key,
        DocumentChange::Delete(key) => key,
    };
    let owner: Owner = key.owner.parse().ok()?;
    (key.listener == DOCUMENT_LISTENER).then(|| Change::of_document(owner, &key.path))
}
