//! Subscriptions: the server tells what changes, and polling is the exception.
//!
//! What the server offers for subscription is subscribed to once, however many devices share it,
//! and read all the same now and then. Subscriptions that the server still has from before are
//! found in its list and kept.

use std::sync::Arc;
use std::time::Duration;

use units::Timestamp;

use super::graph::{Kind, NodeId, Parent, Subscribed};
use super::schedule::{Job, RETRY_MAX};
use super::tree::counts;
use super::{Client, Composed, Method};
use crate::codec::read::read;
use crate::codec::simple::Text;
use crate::codec::table::{Edition, Extension, Profile};
use crate::wire::registry::{self, Carried};
use crate::wire::subscription::{Notification, NotificationStatus, Subscription};

/// Subscriptions to what is no longer of interest that wait to be deleted; further ones are left
/// to the server to drop.
pub const MAX_OBSOLETE: usize = 65_536;

/// `Subscription.encoding`: XML.
const ENCODING_XML: u8 = 0;

/// Everything that any profile has is kept of what a notification carries.
const WIDEST: Profile = Profile::new(Edition::Y2023, Extension::CsipAus13);

impl Client {
    /// Takes in what was posted to the client's listener by its server. Returns the status to
    /// answer with: 204, or 400 for what was not subscribed to, at which a server drops the
    /// subscription.
    ///
    /// Interpretation: a notification about something that is followed but no longer subscribed to
    /// is refused, so that the server stops sending it.
    pub fn on_notification(&mut self, body: &[u8], now: Timestamp) -> u16 {
        let now = self.enter(now);
        let Ok(notification) = read::<Notification>(body) else {
            return 400;
        };
        let nodes = self.subscribed_nodes(&notification);
        if nodes.is_empty() {
            return 400;
        }
        for node in nodes {
            self.notified(node, &notification, now);
        }
        self.step(now);
        204
    }

    fn subscribed_nodes(&self, notification: &Notification) -> Vec<NodeId> {
        let about = self.home.resolve(notification.subscribed_resource.as_str());
        let about = about.map(|href| href.trim_end_matches('/').to_owned());
        let Some(about) = about else {
            return Vec::new();
        };
        let with_slash = format!("{about}/");
        let nodes = self.graph.at(&about).chain(self.graph.at(&with_slash));
        let nodes = nodes.filter(
            |id| match self.graph.get(*id).map(|node| &node.subscribed) {
                Some(Subscribed::At(own)) => self
                    .home
                    .is_same(own, notification.subscription_uri.as_str()),
                // The first notification may overtake the answer to the subscription.
                Some(Subscribed::No) => self.schedule.has(Job::Subscribe(*id)),
                Some(Subscribed::Refused) | None => false,
            },
        );
        nodes.collect()
    }

    fn notified(&mut self, node: NodeId, notification: &Notification, now: Timestamp) {
        match notification.status {
            NotificationStatus::CANCELLED => {
                self.unsubscribed(node);
                self.schedule.ensure(Job::Subscribe(node), now);
                self.schedule.put_off(Job::Subscribe(node), RETRY_MAX, now);
            }
            NotificationStatus::DEFINITION_CHANGED => {
                self.unsubscribed(node);
                self.schedule.ensure(Job::Subscribe(node), now);
                self.schedule.again(Job::Subscribe(node), now);
            }
            NotificationStatus::MOVED | NotificationStatus::DELETED => {
                self.unsubscribed(node);
                self.schedule.drop_job(Job::Subscribe(node));
                // If it is there all the same, it is read as new and subscribed to again.
                if let Some(it) = self.graph.get_mut(node) {
                    it.is_subscribable = false;
                    it.bodies.clear();
                }
                for parent in self.graph.referrers(node) {
                    self.read_soon(parent, now);
                }
                self.look_again(now);
            }
            _ => {
                let carried = notification.resource.as_ref();
                if carried.is_some_and(|it| self.take_carried(node, it, now)) {
                    return;
                }
            }
        }
        self.read_soon(node, now);
    }

    fn read_soon(&mut self, node: NodeId, now: Timestamp) {
        self.schedule.hasten(Job::Read(node), Duration::ZERO, now);
    }

    /// Takes in the resource that came with a notification. Whether it is all there is to read.
    fn take_carried(&mut self, node: NodeId, carried: &Carried, now: Timestamp) -> bool {
        let Some(it) = self.graph.get(node) else {
            return false;
        };
        let is_being_read = !it.reading.is_empty() || self.schedule.is_in_flight(Job::Read(node));
        if is_being_read {
            return false;
        }
        let body = registry::write(carried.document(), WIDEST);
        match it.kind {
            Kind::DefaultControl(_) => self.on_default(node, &body, now).is_ok(),
            kind => {
                let is_whole = counts(kind, &body).is_ok_and(|(members, all)| {
                    // With none of its members the list only says that it has changed.
                    members == all && members != 0
                });
                is_whole && self.list_read(node, vec![body], now).is_ok()
            }
        }
    }

    /// The server offers `node` for subscription.
    pub(super) fn want_subscription(&mut self, node: NodeId, now: Timestamp) {
        if self.config.subscription.is_none() {
            return;
        }
        let Some(it) = self.graph.get_mut(node) else {
            return;
        };
        let is_new = !std::mem::replace(&mut it.is_subscribable, true);
        if is_new && self.server.subscriptions_read {
            self.subscribe(node, now);
        }
    }

    /// Finds or makes the subscription to `node`.
    fn subscribe(&mut self, node: NodeId, now: Timestamp) {
        let Some(it) = self.graph.get_mut(node) else {
            return;
        };
        if it.subscribed != Subscribed::No {
            return;
        }
        match self.server.subscribed.remove(&it.href) {
            Some(href) => {
                it.subscribed = Subscribed::At(href);
                let renewal = self.config.subscription.as_ref().map(|it| it.renewal);
                self.schedule.ensure(Job::Subscribe(node), now);
                self.schedule.repeat(Job::Subscribe(node), renewal, now);
            }
            None => self.schedule.ensure(Job::Subscribe(node), now),
        }
    }

    /// Reads which subscriptions the server has of this client, once it says where.
    pub(super) fn find_subscriptions(&mut self, now: Timestamp) {
        let Some(href) = self.server.subscriptions.clone() else {
            return;
        };
        if self.config.subscription.is_some() && !self.server.subscriptions_read {
            self.follow(Parent::Client, Kind::Subscriptions, &href, now);
        }
    }

    pub(super) fn on_subscriptions(
        &mut self,
        node: NodeId,
        listed: &[Subscription],
        now: Timestamp,
    ) {
        let uri = self
            .config
            .subscription
            .as_ref()
            .map(|it| it.notification_uri.as_str());
        for it in listed {
            let about = self.home.resolve(it.subscribed_resource.as_str());
            let at = it.href.as_ref();
            let at = at.and_then(|href| self.home.resolve(href.as_str()));
            let is_own = Some(it.notification_uri.as_str()) == uri;
            if let (Some(about), Some(at), true) = (about, at, is_own) {
                self.server.subscribed.insert(about.into(), at.into());
            }
        }
        self.server.subscriptions_read = true;
        let gone = self.graph.release(Parent::Client, vec![node]);
        self.forget(gone, now);
        let offered = self.graph.iter().filter(|(_, node)| node.is_subscribable);
        let offered: Vec<NodeId> = offered.map(|(id, _)| id).collect();
        for node in offered {
            self.subscribe(node, now);
        }
    }

    pub(super) fn compose_subscription(&self, node: NodeId) -> Option<Composed> {
        let config = self.config.subscription.as_ref()?;
        let href = self.server.subscriptions.as_ref()?.to_string();
        let level = match self.config.profile.edition {
            Edition::Y2018 => "+S1",
            Edition::Y2023 => "+S2",
        };
        let subscription = Subscription {
            subscribed_resource: self.graph.get(node)?.href.to_string().into(),
            encoding: ENCODING_XML,
            level: Text::clipped(level),
            limit: config.limit,
            notification_uri: config.notification_uri.as_str().into(),
            ..Subscription::default()
        };
        Some((Method::Post, href, self.body(&subscription)))
    }

    pub(super) fn subscription_made(
        &mut self,
        node: NodeId,
        location: Option<&str>,
        now: Timestamp,
    ) {
        let renewal = self.config.subscription.as_ref().map(|it| it.renewal);
        self.schedule.repeat(Job::Subscribe(node), renewal, now);
        let at = location.and_then(|href| self.home.resolve(href));
        let Some(it) = self.graph.get_mut(node) else {
            return;
        };
        let was_subscribed = matches!(it.subscribed, Subscribed::At(_));
        if let Some(at) = at {
            it.subscribed = Subscribed::At(at.into());
        }
        if !was_subscribed {
            // What changed before the server knew of the subscription was not told.
            self.read_soon(node, now);
        }
    }

    /// The server does not take the subscription; it is asked again at the next renewal.
    pub(super) fn subscription_refused(&mut self, node: NodeId, now: Timestamp) {
        if let Some(it) = self.graph.get_mut(node) {
            it.subscribed = Subscribed::Refused;
        }
        let renewal = self.config.subscription.as_ref().map(|it| it.renewal);
        self.schedule.repeat(Job::Subscribe(node), renewal, now);
    }

    fn unsubscribed(&mut self, node: NodeId) {
        if let Some(it) = self.graph.get_mut(node) {
            it.subscribed = Subscribed::No;
        }
    }

    /// A subscription to what is no longer followed is to be deleted.
    pub(super) fn obsolete(&mut self, href: Arc<str>, now: Timestamp) {
        if self.server.obsolete.len() < MAX_OBSOLETE {
            self.server.obsolete.push_back(href);
            self.schedule.ensure(Job::Unsubscribe, now);
        }
    }

    pub(super) fn unsubscription_done(&mut self, now: Timestamp) {
        self.server.obsolete.pop_front();
        if self.server.obsolete.is_empty() {
            self.schedule.drop_job(Job::Unsubscribe);
        } else {
            self.schedule.again(Job::Unsubscribe, now);
        }
    }

    /// Nodes that the server tells about, and nodes that are polled.
    #[must_use]
    pub fn subscription_count(&self) -> (usize, usize) {
        let is_told = |subscribed: &Subscribed| matches!(subscribed, Subscribed::At(_));
        let told = self
            .graph
            .iter()
            .filter(|(_, node)| is_told(&node.subscribed))
            .count();
        (told, self.graph.len() - told)
    }
}
