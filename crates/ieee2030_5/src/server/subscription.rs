//! Subscriptions: who may ask to be told of what, and where.
//!
//! A subscription is nested under the end device of the client that made it. It lives until its
//! client deletes it or no longer renews it, its address refuses it, or what it is about is gone.

pub mod destination;

mod about;
mod kept;
mod request;

use std::time::Duration;

pub(super) use about::{has_latest_change_first, schedules};
pub use destination::{Destination, DestinationError, Destinations, Endpoint, Plaintext};
pub use kept::{Subscribed, Subscriptions};
pub(super) use request::{delete, get, list, over, post, put};

use super::href::Target;
use crate::translate::Client;
use about::Takes;

/// Subscriptions of one aggregator: what it SHALL subscribe to of ten thousand DER.
pub const MAX_OF_AGGREGATOR: usize = 65_536;
/// Subscriptions of one DER.
pub const MAX_OF_DER: usize = 16;

/// One subscription: whose, and its number below that end device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId {
    pub client: Client,
    pub number: u32,
}

/// What an operator sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionConfig {
    pub subscribers: Subscribers,
    pub destinations: Destinations,
    /// How long a subscription lives that is not renewed.
    pub lifetime: Duration,
    /// What the addresses of subscriptions begin with in notifications: scheme, host and port as
    /// clients reach this server, or nothing.
    ///
    /// Interpretation: `subscriptionURI` SHALL be fully qualified; clients that know a subscription
    /// by the path in its `Location` find it again where this is empty.
    pub server_uri: String,
}

impl Default for SubscriptionConfig {
    /// CSIP-AUS has aggregators renew every 24 hours; half as long again is time to do so.
    fn default() -> Self {
        Self {
            subscribers: Subscribers::Aggregators,
            destinations: Destinations::default(),
            lifetime: Duration::from_secs(36 * 3_600),
            server_uri: String::new(),
        }
    }
}

/// Which clients may subscribe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subscribers {
    /// As CSIP has it: devices poll.
    #[default]
    Aggregators,
    /// Devices too.
    All,
}

impl SubscriptionConfig {
    /// Whether `client` may subscribe at all.
    #[must_use]
    pub fn may_subscribe(&self, client: Client) -> bool {
        match client {
            Client::Aggregator(_) => true,
            Client::Der(_) => self.subscribers == Subscribers::All,
        }
    }

    /// How many subscriptions `client` may have.
    #[must_use]
    pub fn limit_of(&self, client: Client) -> usize {
        match client {
            Client::Aggregator(_) => MAX_OF_AGGREGATOR,
            Client::Der(_) => MAX_OF_DER,
        }
    }

    /// What the `subscribable` attribute of `target` says to `client`; nothing means 0.
    #[must_use]
    pub fn subscribable(&self, target: Target, client: Option<Client>) -> Option<u8> {
        client.filter(|client| self.may_subscribe(*client))?;
        match about::takes(target) {
            Takes::None => None,
            Takes::Unconditional => Some(UNCONDITIONAL),
            Takes::Both => Some(BOTH),
        }
    }
}

/// `SubscribableType`: subscriptions without a condition are taken.
const UNCONDITIONAL: u8 = 1;
/// `SubscribableType`: subscriptions with and without a condition are taken.
const BOTH: u8 = 3;

#[cfg(test)]
pub(super) mod tests;
