//! Aggregators: clients that stand in for many DER.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::{Aggregator, AggregatorId, Command, Event, Fleet, Name, NewAggregator};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::access::AccessView;
use crate::api::der::RegistrationState;
use crate::api::enrolment::{self, EnrolBy};
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::value::Time;
use crate::auth::Principal;

/// An aggregator.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AggregatorView {
    /// Its number.
    pub id: u32,
    /// Name, unique among aggregators.
    pub name: String,
    /// IEEE 2030.5 long-form device identifier, 40 hexadecimal digits.
    pub lfdi: String,
    /// IEEE 2030.5 short-form device identifier, decimal with check digit.
    pub sfdi: u64,
    /// IEEE 2030.5 registration PIN, the check digit last.
    pub pin: u32,
    /// When it was authorised.
    pub enrolled_at: Time,
    /// How far enrolment has come.
    pub registration: RegistrationState,
    /// Whether its certificate may come in.
    pub access: AccessView,
    /// Whether it creates and deletes its end devices itself.
    pub may_enrol: bool,
    /// Number of DER that it stands in for.
    pub ders_count: usize,
}

/// An aggregator to authorise.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AggregatorRequest {
    /// Name, unique among aggregators, 1 to 64 characters.
    pub name: String,
    /// LFDI of its certificate, 40 hexadecimal digits.
    pub lfdi: String,
    /// Registration PIN with its check digit; drawn at random when absent.
    pub pin: Option<u32>,
    /// Who creates its `EndDevice`.
    #[serde(default)]
    pub registration: EnrolBy,
    /// Whether it creates and deletes its end devices itself.
    #[serde(default)]
    pub may_enrol: bool,
}

/// List the aggregators, the oldest first.
#[utoipa::path(get, path = "/api/v1/aggregators", operation_id = "list_aggregators", tag = "aggregators", params(PageQuery),
    responses((status = 200, body = Page<AggregatorView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<AggregatorView>>, Problem> {
    api.world(|world| {
        let all = world.fleet.aggregators().iter();
        let slice = Slice::cut(all, |one| one.id.0, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|one| view(world.fleet, one))))
    })
}

/// Show one aggregator.
#[utoipa::path(get, path = "/api/v1/aggregators/{id}", operation_id = "show_aggregator", tag = "aggregators",
    params(("id" = u32, Path, description = "Number of the aggregator")),
    responses((status = 200, body = AggregatorView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(id): Named,
) -> Result<Json<AggregatorView>, Problem> {
    api.world(|world| Ok(Json(view(world.fleet, find(world.fleet, &id)?))))
}

/// Authorise an aggregator.
#[utoipa::path(post, path = "/api/v1/aggregators", operation_id = "enrol_aggregator", tag = "aggregators",
    request_body = AggregatorRequest,
    responses((status = 201, body = AggregatorView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn enrol(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<AggregatorRequest>,
) -> Result<Response, Problem> {
    let new = NewAggregator {
        name: Name::new(&request.name).map_err(|e| Problem::field("name", e.to_string()))?,
        lfdi: request.lfdi.parse().map_err(Problem::lfdi)?,
        pin: enrolment::pin(request.pin)?,
        registered: request.registration == EnrolBy::OutOfBand,
        may_enrol: request.may_enrol,
    };
    let events = api
        .command_one(&principal, Command::EnrolAggregator(new))
        .await?;
    let id = events.iter().find_map(|event| match event {
        Event::AggregatorEnrolled(one) => Some(one.id),
        _ => None,
    });
    let enrolled = api.world(|world| Some(view(world.fleet, world.fleet.aggregator(id?)?)));
    let enrolled = enrolled.ok_or_else(Problem::lost)?;
    Ok((StatusCode::CREATED, Json(enrolled)).into_response())
}

/// The aggregator of this number, or the answer that there is none.
pub(super) fn find<'a>(fleet: &'a Fleet, id: &str) -> Result<&'a Aggregator, Problem> {
    id.parse()
        .ok()
        .and_then(|id| fleet.aggregator(AggregatorId(id)))
        .ok_or_else(|| Problem::not_found("aggregator", id))
}

fn view(fleet: &Fleet, one: &Aggregator) -> AggregatorView {
    AggregatorView {
        id: one.id.0,
        name: one.name.to_string(),
        lfdi: one.lfdi.to_string(),
        sfdi: one.lfdi.sfdi(),
        pin: one.pin.digits(),
        enrolled_at: one.enrolled.into(),
        registration: one.registration.into(),
        access: one.access.into(),
        may_enrol: one.may_enrol,
        ders_count: fleet.ders_of(one.id).len(),
    }
}
