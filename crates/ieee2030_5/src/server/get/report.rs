//! What clients have reported: log events, mirrored meters, responses.

use std::cmp::Reverse;

use units::Timestamp;

use super::{Addressed as _, Asked, document, page, written};
use crate::codec::simple::{HexBinary128, TimeType};
use crate::server::View;
use crate::server::caller::Caller;
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::list::count;
use crate::translate::{Client, MridKind};
use crate::wire::link::ListLink;
use crate::wire::log_event::{LogEvent, LogEventList};
use crate::wire::metering_mirror::{MirrorUsagePoint, MirrorUsagePointList};
use crate::wire::registry;
use crate::wire::response::{ResponseList, ResponseSet, ResponseSetList};

pub(super) fn get(client: Client, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let documents = view.resources.of_client(client);
    match asked.target {
        Target::LogEvents(_) => log_events(client, asked, view),
        Target::LogEvent(_, k) => document(asked, view, documents.log_events.get(&k)),
        Target::MirrorUsagePoint(_, k) => {
            let kept = documents.usage_points.get(&k);
            let shown = kept.map(|kept| usage_point(kept, view));
            document(asked, view, shown.as_ref())
        }
        Target::ResponseSet(_) => Ok(asked.reply(&response_set(client, view))),
        Target::Responses(_) => responses(client, asked, view),
        Target::Response(_, k) => {
            let posted = documents.responses.get(&k).ok_or(Refusal::NOT_FOUND)?;
            let addressed = posted.addressed(asked.target)?;
            Ok(Response::ok(registry::write(&*addressed, asked.profile)))
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

/// The latest first.
fn log_events(client: Client, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let mut members: Vec<LogEvent> = Vec::new();
    for (number, event) in &view.resources.of_client(client).log_events {
        let mut member = event.clone();
        member.set_href(Target::LogEvent(client, *number), None);
        members.push(member);
    }
    members.reverse();
    members.sort_by_key(|member| Reverse(member.created_date_time));
    let all = count(members.len());
    let query = asked.page()?;
    query.narrow(&mut members, |member| member.created_date_time.timestamp());
    page(asked, &members, |_, results| LogEventList {
        href: Some(asked.target.into()),
        subscribable: asked.subscribable(asked.target, view),
        all,
        results,
        ..LogEventList::default()
    })
}

/// Whose mirrored usage points the caller sees, and their numbers: the highest mRID first.
fn mirrored(caller: Caller<'_>, view: &View<'_>) -> Vec<(Client, u32)> {
    if let Caller::Der(der) = caller {
        let kept = view.resources.of(der.id).usage_points.iter();
        let mut own: Vec<_> = kept
            .map(|(number, kept)| (kept.mrid.value(), *number))
            .collect();
        own.sort_by_key(|(mrid, number)| (Reverse(*mrid), *number));
        let client = Client::Der(der.id);
        return own
            .into_iter()
            .map(|(_, number)| (client, number))
            .collect();
    }
    let sees = |client: Client| match client {
        Client::Der(id) => view
            .fleet
            .der(id)
            .is_some_and(|der| caller.answers_for(der)),
        Client::Aggregator(_) => caller.client() == Some(client),
    };
    let all = view.resources.usage_points();
    all.filter(|(client, _)| sees(*client)).collect()
}

pub(super) fn number_of_usage_points(caller: Caller<'_>, view: &View<'_>) -> usize {
    mirrored(caller, view).len()
}

/// A mirrored usage point as its device is to see it now: with the rate it is to post at.
fn usage_point(kept: &MirrorUsagePoint, view: &View<'_>) -> MirrorUsagePoint {
    MirrorUsagePoint {
        post_rate: Some(view.post_rate_s()),
        ..kept.clone()
    }
}

/// In order of mRID, the highest first.
pub(super) fn usage_points(asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let members = mirrored(asked.caller, view);
    let shown = asked.page()?.of(&members);
    let head = MirrorUsagePointList {
        href: Some(Target::MirrorUsagePoints.into()),
        all: count(members.len()),
        results: count(shown.len()),
        poll_rate: Some(view.poll_rates().usage_point_s),
        ..MirrorUsagePointList::default()
    };
    let kept = |(client, number): &(Client, u32)| {
        let points = &view.resources.of_client(*client).usage_points;
        let kept = points.get(number).ok_or(Refusal::NOT_FOUND)?;
        let mut member = usage_point(kept, view);
        member.set_href(Target::MirrorUsagePoint(*client, *number), None);
        Ok(member)
    };
    let shown: Result<Vec<MirrorUsagePoint>, Refusal> = shown.iter().map(kept).collect();
    Ok(written(asked, &head, shown?.into_iter()))
}

pub(super) fn response_sets(asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let client = asked.caller.client();
    let members: Vec<ResponseSet> = client
        .map(|client| response_set(client, view))
        .into_iter()
        .collect();
    page(asked, &members, |all, results| ResponseSetList {
        href: Some(Target::ResponseSets.into()),
        all,
        results,
        ..ResponseSetList::default()
    })
}

fn response_set(client: Client, view: &View<'_>) -> ResponseSet {
    let kept = count(view.resources.of_client(client).responses.len());
    ResponseSet {
        href: Some(Target::ResponseSet(client).into()),
        mrid: response_set_mrid(client, view),
        response_list_link: Some(ListLink::to(Target::Responses(client), kept)),
        ..ResponseSet::default()
    }
}

/// The mRID of a DER's assignments with the top bit set, which no mRID of the fleet's own has;
/// with the bit below as well for an aggregator.
fn response_set_mrid(client: Client, view: &View<'_>) -> HexBinary128 {
    let (number, bits) = match client {
        Client::Der(id) => (id.0, 1_u128 << 127),
        Client::Aggregator(id) => (id.0, 0b11 << 126),
    };
    let mrid = view.fleet.identity().mrid(MridKind::Assignments, number);
    HexBinary128::new(HexBinary128::from(mrid).value() | bits)
}

/// The latest first.
fn responses(client: Client, asked: &Asked<'_>, view: &View<'_>) -> Result<Response, Refusal> {
    let kept = &view.resources.of_client(client).responses;
    let mut members: Vec<(u32, _)> = kept.iter().rev().map(|(k, kept)| (*k, kept)).collect();
    members.sort_by_key(|(_, kept)| Reverse(kept.response.created_date_time));
    let all = count(members.len());
    let query = asked.page()?;
    query.narrow(&mut members, |(_, kept)| {
        let told: Option<TimeType> = kept.response.created_date_time;
        told.map_or(Timestamp::default(), TimeType::timestamp)
    });
    let shown = query.of(&members);
    let head = ResponseList {
        href: Some(asked.target.into()),
        all,
        results: count(shown.len()),
        ..ResponseList::default()
    };
    let mut rendered = Vec::with_capacity(shown.len());
    for (number, posted) in shown {
        rendered.push(posted.addressed(Target::Response(client, *number))?);
    }
    let rendered = rendered.iter().map(|member| &**member);
    Ok(Response::ok(registry::write_list(
        &head,
        rendered,
        asked.profile,
    )))
}
