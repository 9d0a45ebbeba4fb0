//! Hosted function sets, as the caller may see them.

use super::Asked;
use crate::server::View;
use crate::server::hosted::path::{HostedPath, Part};
use crate::server::hosted::route::RouteId;
use crate::server::hosted::{place, serve};
use crate::server::href::Target;
use crate::server::http::{Refusal, Response};
use crate::server::list::Page;
use crate::server::resources::Owner;
use crate::translate::Client;
use crate::wire::link::{Link, ListLink};

use super::assignments;

pub(super) fn get(
    path: HostedPath,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    let client = asked.caller.client();
    if client.is_none() && path.client.is_none() {
        return Err(Refusal::NOT_FOUND);
    }
    let page = match path.part {
        Part::Document | Part::Content => Page::DEFAULT,
        Part::List | Part::Active | Part::Assigned(_) => asked.page()?,
    };
    let reply_to = client.map(|client| Target::Responses(client).to_string());
    let set = match (path.part, path.client) {
        (Part::Assigned(number), Some(Client::Der(id))) => {
            let der = super::der(id, view)?;
            Some(assignments::find(der, number, view)?)
        }
        _ => None,
    };
    let sees = |owner: Owner| {
        let named = set.as_ref().is_none_or(|set| set.names(owner));
        named && asked.sight.sees(owner)
    };
    serve::Reading {
        hosted: view.resources.hosted(),
        path,
        page,
        range: asked.range,
        now: asked.now,
        profile: asked.profile,
        sees: &sees,
        reply_to: reply_to
            .as_deref()
            .map(|reply_to| (reply_to, view.config.response_required.value())),
        poll_rate_s: view.poll_rates().der_program_s,
        subscribable: asked.subscribable(asked.target, view),
    }
    .answer()
}

/// A link to the list of `route` at the root or at an end device, if it would show anything.
pub(super) fn list_link(
    route: RouteId,
    client: Option<Client>,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Option<ListLink> {
    let list = place(client, route);
    let sees = |owner: Owner| asked.sight.sees(owner);
    view.resources.hosted().list_link(list, asked.now, sees)
}

/// A link to the document of `route`, if it is there or may be put.
pub(super) fn link(
    route: RouteId,
    client: Option<Client>,
    asked: &Asked<'_>,
    view: &View<'_>,
) -> Option<Link> {
    let path = place(client, route);
    let hosted = view.resources.hosted();
    let seen = hosted
        .get(path)
        .is_none_or(|document| asked.sight.sees(document.owner));
    hosted.link(path).filter(|_| seen)
}
