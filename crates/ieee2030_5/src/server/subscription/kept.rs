//! Subscriptions as they are kept.

use std::collections::BTreeMap;

use units::Timestamp;

use super::super::href::Target;
use super::super::notification::Fingerprint;
use super::super::resources::{DocumentError, DocumentWrite};
use super::{Destination, DestinationError, SubscriptionId};
use crate::codec::read::read;
use crate::codec::simple::TimeType;
use crate::codec::table::{Profile, complex};
use crate::translate::Client;
use crate::wire::subscription::Subscription;

/// What comes before the number in the path of a document.
const PREFIX: &str = "sub/";

complex! {
    /// A subscription with what is known of it beside. One without is what remains of the newest
    /// when it is over, so that its number is never given out again.
    #[expect(unreachable_pub, reason = "the macro makes every type public")]
    pub struct Record("SubscriptionRecord") {
        one revision: u32 = "revision",
        one renewed: TimeType = "renewed",
        one profile: u8 = "profile",
        one acknowledged: i64 = "acknowledged",
        opt subscription: Subscription = "Subscription",
    }
}

/// A subscription that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribed {
    /// As the client wrote it.
    pub subscription: Subscription,
    /// What it is about; none if no resource has that address.
    pub target: Option<Target>,
    /// Counts up whenever the client changes it.
    pub revision: u32,
    /// When the client last made or renewed it.
    pub renewed: Timestamp,
    /// What its client was served when it was made.
    pub profile: Profile,
    /// What its client knows of the resource.
    pub acknowledged: Fingerprint,
}

impl Subscribed {
    /// Where its notifications go.
    pub fn destination(&self) -> Result<Destination, DestinationError> {
        self.subscription.notification_uri.as_str().parse()
    }

    /// The document that keeps it.
    pub(in crate::server) fn kept_as(&self, id: SubscriptionId) -> DocumentWrite {
        let place = Profile::ALL.iter().position(|known| *known == self.profile);
        let record = Record {
            revision: self.revision,
            renewed: self.renewed.into(),
            profile: place
                .and_then(|place| u8::try_from(place).ok())
                .unwrap_or(u8::MAX),
            acknowledged: self.acknowledged.0.cast_signed(),
            subscription: Some(self.subscription.clone()),
        };
        DocumentWrite::put(id.client, path(id.number), &record)
    }
}

/// The path of the document of subscription `number`.
fn path(number: u32) -> String {
    format!("{PREFIX}{number}")
}

/// The subscriptions of one client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subscriptions {
    in_force: BTreeMap<u32, Subscribed>,
    by_target: BTreeMap<Target, Vec<u32>>,
    used_up: Option<u32>,
}

impl Subscriptions {
    pub(in crate::server) const NONE: Self = Self {
        in_force: BTreeMap::new(),
        by_target: BTreeMap::new(),
        used_up: None,
    };

    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Subscribed> {
        self.in_force.get(&number)
    }

    /// In order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Subscribed)> {
        self.in_force
            .iter()
            .map(|(number, subscribed)| (*number, subscribed))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.in_force.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_force.is_empty()
    }

    /// The subscriptions to `target`.
    pub(super) fn to(&self, target: Target) -> impl Iterator<Item = (u32, &Subscribed)> {
        let numbers = self.by_target.get(&target).map_or(&[][..], Vec::as_slice);
        numbers
            .iter()
            .filter_map(|number| Some((*number, self.get(*number)?)))
    }

    /// The paths of everything that is kept of them.
    pub(in crate::server) fn paths(&self) -> impl Iterator<Item = String> {
        let numbers = self.in_force.keys().copied().chain(self.used_up);
        numbers.map(path)
    }

    fn newest(&self) -> Option<u32> {
        let in_force = self.in_force.last_key_value().map(|(number, _)| *number);
        in_force.max(self.used_up)
    }

    /// A number that no subscription of this client ever had.
    pub(super) fn next_number(&self) -> u32 {
        self.newest().map_or(1, |number| number.saturating_add(1))
    }

    /// What is kept of subscription `number` of `client` when it is over.
    pub(super) fn end(&self, client: Client, number: u32) -> DocumentWrite {
        if self.newest() == Some(number) {
            return DocumentWrite::put(client, path(number), &Record::default());
        }
        DocumentWrite::remove(client, path(number))
    }

    /// The used-up number, which need not be remembered once there is a newer one.
    pub(super) fn outdated(&self, client: Client) -> Option<DocumentWrite> {
        let number = self.used_up?;
        Some(DocumentWrite::remove(client, path(number)))
    }

    /// Takes up one document; `path` is within the client.
    pub(in crate::server) fn apply(
        &mut self,
        path: &str,
        bytes: Option<&[u8]>,
    ) -> Result<(), DocumentError> {
        let unknown = || DocumentError::Path(path.to_owned());
        let number = path
            .strip_prefix(PREFIX)
            .and_then(|number| number.parse().ok());
        let number: u32 = number.ok_or_else(unknown)?;
        let record = bytes.map(read::<Record>).transpose();
        let record = record.map_err(|source| DocumentError::Body {
            path: path.to_owned(),
            source,
        })?;
        self.remove(number);
        let Some(record) = record else {
            return Ok(());
        };
        let Some(subscription) = record.subscription else {
            self.used_up = Some(number);
            return Ok(());
        };
        let target = Target::referred(subscription.subscribed_resource.as_str());
        if let Some(target) = target {
            self.by_target.entry(target).or_default().push(number);
        }
        let profile = Profile::ALL.get(usize::from(record.profile));
        let subscribed = Subscribed {
            subscription,
            target,
            revision: record.revision,
            renewed: record.renewed.timestamp(),
            profile: profile.copied().unwrap_or_default(),
            acknowledged: Fingerprint(record.acknowledged.cast_unsigned()),
        };
        self.in_force.insert(number, subscribed);
        Ok(())
    }

    fn remove(&mut self, number: u32) {
        if self.used_up == Some(number) {
            self.used_up = None;
        }
        let removed = self.in_force.remove(&number);
        let Some(target) = removed.and_then(|subscribed| subscribed.target) else {
            return;
        };
        if let Some(numbers) = self.by_target.get_mut(&target) {
            numbers.retain(|kept| *kept != number);
            if numbers.is_empty() {
                self.by_target.remove(&target);
            }
        }
    }
}
