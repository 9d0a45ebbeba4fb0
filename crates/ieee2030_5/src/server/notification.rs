//! Notifications: what has changed for whom, and the words for it.
//!
//! A notification carries what its subscriber would be answered if it asked now, so it says nothing
//! that the subscriber may not read. Whether there is something to tell is known by comparing
//! fingerprints; an [`Interest`] only says whose fingerprints are worth a look.

mod body;
mod interest;

use bytes::Bytes;
use units::Timestamp;

pub use super::fingerprint::Fingerprint;
pub use interest::{Change, Interest, Kind, change_of};

use super::href::Target;
use super::resources::DocumentWrite;
use super::subscription::{self, Destination, Subscribed, SubscriptionId};
use super::{Response, View, represented};
use crate::translate::{Client, ControlId, DerId, Lfdi};
use crate::wire::subscription::{Condition, NotificationStatus};
use body::{Head, Root};

/// Members of one list that are looked through for changes; of a longer list, the first are.
pub const MAX_MEMBERS: u32 = 16_384;

/// What a subscriber is to be told now.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// The client may not come in, so nothing is sent to it.
    Withheld,
    /// It knows the resource as it is.
    Unchanged,
    /// This.
    Tell(Notice),
    /// Nothing more: the subscription is over and nobody may be told so.
    Over,
}

/// A notification that is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub status: NotificationStatus,
    /// The whole document.
    pub body: Vec<u8>,
    /// What the subscriber knows once it has taken this; none if the subscription is over then.
    pub fingerprint: Option<Fingerprint>,
    /// Controls in the body, and whose.
    pub served: Vec<(ControlId, DerId)>,
}

/// What came of looking at a subscription.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    pub word: Word,
    /// Which revision of the subscription was looked at.
    pub revision: u32,
    /// Where its notifications go.
    pub destination: Option<Destination>,
    /// When to look again, whatever happens until then.
    pub wake: Option<Timestamp>,
}

/// What subscription `id` is to be told; none if there is no such subscription.
///
/// `known` is what its client was told of which revision, where that is newer than what is kept.
#[must_use]
pub fn look(
    id: SubscriptionId,
    known: Option<(u32, Fingerprint)>,
    (view, now): (&View<'_>, Timestamp),
) -> Option<Looked> {
    let subscribed = view.resources.subscriptions(id.client).get(id.number)?;
    let known = known.filter(|(revision, _)| *revision == subscribed.revision);
    let known = known.map_or(subscribed.acknowledged, |(_, fingerprint)| fingerprint);
    let ends = subscribed.renewed.after(view.config.subscriptions.lifetime);
    let (word, wake) = match how_it_stands((id.client, subscribed), ends, (view, now)) {
        Stand::Withheld => (Word::Withheld, None),
        Stand::Over => (Word::Over, None),
        Stand::Ended(status) => (Word::Tell(end(id, subscribed, status, (view, now))), None),
        Stand::InForce(seen) if seen.fingerprint == known || !seen.is_due => {
            (Word::Unchanged, seen.wake)
        }
        Stand::InForce(seen) => {
            let wake = seen.wake;
            (Word::Tell(change(id, subscribed, seen, (view, now))), wake)
        }
    };
    Some(Looked {
        word,
        revision: subscribed.revision,
        destination: subscribed.destination().ok(),
        wake: Some(wake.map_or(ends, |wake| wake.min(ends))).filter(|wake| now < *wake),
    })
}

/// How a subscription stands.
enum Stand {
    InForce(Seen),
    Withheld,
    Ended(NotificationStatus),
    Over,
}

fn how_it_stands(
    (client, subscribed): (Client, &Subscribed),
    ends: Timestamp,
    (view, now): (&View<'_>, Timestamp),
) -> Stand {
    let has_ended = ends <= now;
    if !crate::translate::has_access(client, view.fleet) {
        return if has_ended {
            Stand::Over
        } else {
            Stand::Withheld
        };
    }
    if has_ended {
        return Stand::Ended(NotificationStatus::CANCELLED);
    }
    if subscribed.profile != view.profile_of(client) {
        return Stand::Ended(NotificationStatus::DEFINITION_CHANGED);
    }
    let limit = subscribed.subscription.limit;
    let seen = subscribed.target.and_then(|target| {
        let mut seen = represent((client, target), limit, (view, now))?;
        if let Some(condition) = &subscribed.subscription.condition {
            seen.is_due = is_met(condition, (client, target), (view, now))?;
        }
        Some(seen)
    });
    seen.map_or(Stand::Ended(NotificationStatus::DELETED), Stand::InForce)
}

/// The document that keeps what came of a notification; none if the subscription has changed
/// since.
#[must_use]
pub fn settle(
    id: SubscriptionId,
    revision: Option<u32>,
    told: Option<Fingerprint>,
    view: &View<'_>,
) -> Option<DocumentWrite> {
    let subscribed = view.resources.subscriptions(id.client).get(id.number)?;
    if revision.is_some_and(|revision| subscribed.revision != revision) {
        return None;
    }
    let Some(acknowledged) = told else {
        return Some(subscription::over(id, view));
    };
    let known = Subscribed {
        acknowledged,
        ..subscribed.clone()
    };
    Some(known.kept_as(id))
}

/// Non-list resources are not told with a limit of 0, lists are told without members.
fn change(
    id: SubscriptionId,
    subscribed: &Subscribed,
    seen: Seen,
    (view, now): (&View<'_>, Timestamp),
) -> Notice {
    let told = Root::of(&seen.document);
    let told = told.filter(|root| root.is_list() || 0 < subscribed.subscription.limit);
    let served = if told.is_some() {
        seen.served
    } else {
        Vec::new()
    };
    Notice {
        status: NotificationStatus::CHANGED,
        body: document(
            id,
            subscribed,
            (NotificationStatus::CHANGED, told),
            (view, now),
        ),
        fingerprint: Some(seen.fingerprint),
        served,
    }
}

fn end(
    id: SubscriptionId,
    subscribed: &Subscribed,
    status: NotificationStatus,
    (view, now): (&View<'_>, Timestamp),
) -> Notice {
    Notice {
        status,
        body: document(id, subscribed, (status, None), (view, now)),
        fingerprint: None,
        served: Vec::new(),
    }
}

fn document(
    id: SubscriptionId,
    subscribed: &Subscribed,
    (status, resource): (NotificationStatus, Option<Root<'_>>),
    (view, now): (&View<'_>, Timestamp),
) -> Vec<u8> {
    let path = Target::Subscription(id.client, id.number);
    let uri = format!("{}{path}", view.config.subscriptions.server_uri);
    let head = Head {
        subscribed_resource: &subscribed.subscription.subscribed_resource,
        subscription_uri: &uri.into(),
        status,
        edition: view.profile_of(id.client).edition,
        now,
    };
    body::document(&head, resource)
}

/// A resource as one client is served it.
pub(super) struct Seen {
    pub(super) fingerprint: Fingerprint,
    /// With as many members as were asked for.
    document: Bytes,
    served: Vec<(ControlId, DerId)>,
    wake: Option<Timestamp>,
    /// Whether a change is to be told.
    is_due: bool,
}

/// Whether a reading of the list is outside of the thresholds.
fn is_met(
    condition: &Condition,
    (client, target): (Client, Target),
    (view, now): (&View<'_>, Timestamp),
) -> Option<bool> {
    let lfdi = crate::translate::lfdi_of(client, view.fleet)?;
    let within = condition.lower_threshold.0..=condition.upper_threshold.0;
    let reply = whole((lfdi, target), (view, now))?;
    let readings = Root::of(&reply.body)?;
    Some(readings.values().any(|value| !within.contains(&value)))
}

/// What `client` would be served of `target` with at most `limit` members; none if nothing.
pub(super) fn represent(
    (client, target): (Client, Target),
    limit: u32,
    (view, now): (&View<'_>, Timestamp),
) -> Option<Seen> {
    let lfdi = crate::translate::lfdi_of(client, view.fleet)?;
    let reply = page((lfdi, target), limit, (view, now))?;
    let root = Root::of(&reply.body)?;
    let is_part = root.is_list() && root.number("results")? < root.number("all")?;
    let mut said = match is_part {
        true => Said::of(&whole((lfdi, target), (view, now))?, now)?,
        false => Said::of(&reply, now)?,
    };
    let schedules = subscription::schedules(target, view.fleet);
    if let Some(schedules) = schedules {
        let next = |schedule| Said::of(&whole((lfdi, schedule), (view, now))?, now)?.until;
        said.until = schedules.into_iter().filter_map(next).min();
    }
    Some(Seen {
        fingerprint: said.fingerprint,
        document: reply.body,
        served: reply.served,
        wake: said.until,
        is_due: true,
    })
}

/// Whether `client` is served anything of `target`.
pub(super) fn is_there(
    (client, target): (Client, Target),
    (view, now): (&View<'_>, Timestamp),
) -> bool {
    let lfdi = crate::translate::lfdi_of(client, view.fleet);
    lfdi.is_some_and(|lfdi| page((lfdi, target), 0, (view, now)).is_some())
}

/// What a resource says, and when the clock next changes it.
struct Said {
    fingerprint: Fingerprint,
    until: Option<Timestamp>,
}

impl Said {
    fn of(reply: &Response, now: Timestamp) -> Option<Self> {
        let root = Root::of(&reply.body)?;
        Some(Self {
            fingerprint: root.fingerprint(Fingerprint::EMPTY),
            until: root.next_boundary(now),
        })
    }
}

/// All that changes of a list are looked for in. Of one that has the latest change in front, a page
/// tells.
fn whole(of: (Lfdi, Target), (view, now): (&View<'_>, Timestamp)) -> Option<Response> {
    let limit = match subscription::has_latest_change_first(of.1) {
        true => view.config.list_limit_max,
        false => MAX_MEMBERS,
    };
    let query = format!("s=0&l={limit}");
    represented(of, (&query, limit), (view, now)).ok()
}

fn page(of: (Lfdi, Target), limit: u32, (view, now): (&View<'_>, Timestamp)) -> Option<Response> {
    let query = format!("s=0&l={limit}");
    represented(of, (&query, view.config.list_limit_max), (view, now)).ok()
}

#[cfg(test)]
mod tests;
