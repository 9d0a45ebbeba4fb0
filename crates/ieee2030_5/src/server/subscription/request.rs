//! What clients ask of their subscriptions.

use units::Timestamp;

use super::super::get::{Asked, page};
use super::super::href::Target;
use super::super::http::{Refusal, Response};
use super::super::notification::{self, Fingerprint};
use super::super::resources::DocumentWrite;
use super::super::{Submission, View};
use super::{Destination, DestinationError, Subscribed, SubscriptionId};
use crate::codec::read::read;
use crate::codec::write::write;
use crate::translate::Client;
use crate::wire::error::ReasonCode;
use crate::wire::subscription::{Subscription, SubscriptionList};

/// `Subscription.encoding`: `application/sep+xml`.
const XML: u8 = 0;

/// The resource that a subscription names: by path or whole URI, whatever its query.
fn target_of(subscription: &Subscription) -> Option<Target> {
    Target::referred(subscription.subscribed_resource.as_str())
}

/// A subscription as its client sees it.
fn shown(client: Client, number: u32, subscribed: &Subscribed) -> Subscription {
    Subscription {
        href: Some(Target::Subscription(client, number).into()),
        ..subscribed.subscription.clone()
    }
}

pub(in crate::server) fn get(
    id: SubscriptionId,
    view: &View<'_>,
    asked: &Asked<'_>,
) -> Result<Response, Refusal> {
    let kept = view.resources.subscriptions(id.client).get(id.number);
    let kept = kept.ok_or(Refusal::NOT_FOUND)?;
    let shown = shown(id.client, id.number, kept);
    Ok(Response::ok(write(&shown, asked.profile)))
}

/// In order of their numbers, which is that of their making.
pub(in crate::server) fn list(
    client: Client,
    view: &View<'_>,
    asked: &Asked<'_>,
) -> Result<Response, Refusal> {
    if !view.config.subscriptions.may_subscribe(client) {
        return Err(Refusal::NOT_FOUND);
    }
    let kept = view.resources.subscriptions(client).iter();
    let members: Vec<Subscription> = kept
        .map(|(number, subscribed)| shown(client, number, subscribed))
        .collect();
    page(asked, &members, |all, results| SubscriptionList {
        href: Some(Target::Subscriptions(client).into()),
        all,
        results,
        poll_rate: Some(view.poll_rates().end_device_s),
        ..SubscriptionList::default()
    })
}

/// A subscription for the same resource and address renews the one that is there.
pub(in crate::server) fn post(
    client: Client,
    body: &[u8],
    (view, now): (&View<'_>, Timestamp),
) -> Result<Submission, Refusal> {
    if !view.config.subscriptions.may_subscribe(client) {
        return Err(Refusal::NOT_FOUND);
    }
    let subscription: Subscription = read(body)?;
    let target = check(&subscription, client, (view, now))?;
    let kept = view.resources.subscriptions(client);
    let same = kept
        .to(target)
        .find(|(_, known)| known.subscription.notification_uri == subscription.notification_uri);
    if let Some((number, known)) = same {
        let id = SubscriptionId { client, number };
        let mut submission = renew(id, known, subscription, (view, now))?;
        submission.reply.location = Some(Target::Subscription(client, number).to_string());
        return Ok(submission);
    }
    if view.config.subscriptions.limit_of(client) <= kept.len() {
        return Err(Refusal::limit("the client has too many subscriptions"));
    }
    let number = kept.next_number();
    let subscribed = Subscribed {
        acknowledged: known_to(client, &subscription, (view, now))?,
        subscription,
        target: Some(target),
        revision: 1,
        renewed: now,
        profile: view.profile_of(client),
    };
    let location = Target::Subscription(client, number).to_string();
    let mut submission = Submission::of(client, Response::located(201, location));
    let id = SubscriptionId { client, number };
    submission.documents.push(subscribed.kept_as(id));
    submission.documents.extend(kept.outdated(client));
    Ok(submission)
}

pub(in crate::server) fn put(
    id: SubscriptionId,
    body: &[u8],
    (view, now): (&View<'_>, Timestamp),
) -> Result<Submission, Refusal> {
    let known = view.resources.subscriptions(id.client).get(id.number);
    let known = known.ok_or(Refusal::NOT_FOUND)?;
    let subscription: Subscription = read(body)?;
    check(&subscription, id.client, (view, now))?;
    renew(id, known, subscription, (view, now))
}

/// Interpretation: a client that deletes its own subscription knows that it is over, so no
/// notification tells it.
pub(in crate::server) fn delete(
    id: SubscriptionId,
    view: &View<'_>,
) -> Result<Submission, Refusal> {
    let kept = view.resources.subscriptions(id.client);
    kept.get(id.number).ok_or(Refusal::NOT_FOUND)?;
    let mut submission = Submission::of(id.client, Response::no_content());
    submission.documents.push(over(id, view));
    Ok(submission)
}

/// The document that says that a subscription is over.
pub(in crate::server) fn over(id: SubscriptionId, view: &View<'_>) -> DocumentWrite {
    view.resources
        .subscriptions(id.client)
        .end(id.client, id.number)
}

fn renew(
    id: SubscriptionId,
    known: &Subscribed,
    subscription: Subscription,
    (view, now): (&View<'_>, Timestamp),
) -> Result<Submission, Refusal> {
    let same = known.target == target_of(&subscription)
        && known.subscription.notification_uri == subscription.notification_uri;
    let acknowledged = if same {
        known.acknowledged
    } else {
        known_to(id.client, &subscription, (view, now))?
    };
    let renewed = Subscribed {
        target: target_of(&subscription),
        subscription,
        revision: known.revision.wrapping_add(1),
        renewed: now,
        profile: view.profile_of(id.client),
        acknowledged,
    };
    let mut submission = Submission::of(id.client, Response::no_content());
    submission.documents.push(renewed.kept_as(id));
    Ok(submission)
}

/// What the client would be served now, which it is taken to know.
fn known_to(
    client: Client,
    subscription: &Subscription,
    (view, now): (&View<'_>, Timestamp),
) -> Result<Fingerprint, Refusal> {
    let target = target_of(subscription).ok_or(Refusal::NOT_FOUND)?;
    let seen = notification::represent((client, target), subscription.limit, (view, now));
    seen.map(|seen| seen.fingerprint)
        .ok_or_else(no_such_resource)
}

fn no_such_resource() -> Refusal {
    Refusal::invalid("subscribedResource is no resource that the client may subscribe to")
}

fn check(
    subscription: &Subscription,
    client: Client,
    (view, now): (&View<'_>, Timestamp),
) -> Result<Target, Refusal> {
    let config = &view.config.subscriptions;
    if subscription.encoding != XML {
        return Err(Refusal::invalid("encoding is not 0 (application/sep+xml)"));
    }
    if !is_level(subscription.level.as_str()) {
        return Err(Refusal::invalid("level is none of this standard"));
    }
    let target = target_of(subscription).ok_or_else(no_such_resource)?;
    let taken = config
        .subscribable(target, Some(client))
        .ok_or_else(no_such_resource)?;
    if subscription.condition.is_some() && taken != super::BOTH {
        let reason = "conditions are not supported for this resource".to_owned();
        return Err(Refusal::new(
            400,
            ReasonCode::CONDITION_NOT_SUPPORTED,
            reason,
        ));
    }
    let destination: Destination = subscription
        .notification_uri
        .as_str()
        .parse()
        .map_err(|error: DestinationError| Refusal::invalid(error.to_string()))?;
    config
        .destinations
        .check(&destination)
        .map_err(|error| Refusal::new(403, ReasonCode::INVALID_VALUES, error.to_string()))?;
    match notification::is_there((client, target), (view, now)) {
        true => Ok(target),
        false => Err(no_such_resource()),
    }
}

/// Interpretation: the level is a preference. What is served is what the listener or the client's
/// own profile says, so any level of either edition is taken.
fn is_level(level: &str) -> bool {
    let digits = level
        .strip_prefix(['+', '-'])
        .unwrap_or(level)
        .strip_prefix('S');
    matches!(digits, Some("0" | "1" | "2"))
}
