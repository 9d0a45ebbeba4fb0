//! Statuses: query.

use super::answer::{Begun, Response, within_limits};
use super::groups::select;
use crate::message::Payload;
use crate::profile::Profile;
use crate::translate::{View, wire_status};
use crate::wire::der_group_queries::DerGroupQueries;
use crate::wire::der_group_statuses::DerGroupStatuses;

pub(super) fn query(
    query: &DerGroupQueries,
    begun: Begun,
    profile: &Profile,
    view: &View<'_>,
) -> Response {
    let (found, mut errors) = select(query, profile, view);
    let handled = found.len();
    let (found, part) = within_limits(&found);
    errors.extend(part);
    let status = |group| wire_status(group, view.fleet, &(view.status)(group));
    let groups: Vec<_> = found.into_iter().map(status).collect();
    let payload = (!groups.is_empty()).then_some(Payload::Statuses(DerGroupStatuses { groups }));
    begun.answer(handled, errors, payload)
}
