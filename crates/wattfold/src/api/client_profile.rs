//! Which edition and extension of IEEE 2030.5 one client is served, where it differs.

use axum::Json;
use axum::extract::State;
use fleet::Client;
use ieee2030_5::server::DocumentWrite;
use serde::{Deserialize, Serialize};
use store::Actor;
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::api::{Api, aggregator, der};
use crate::auth::Principal;
use crate::config::{self, Edition, Extension};

/// What a client is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProfileView {
    /// Edition of IEEE 2030.5.
    pub edition: Edition,
    /// Elements beyond the standard's own.
    pub extension: Extension,
    /// Whether that is the client's own, or what the listener is configured with.
    pub is_own: bool,
}

/// What a client is to be served; an empty object gives it back to the configuration.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileRequest {
    /// Edition of IEEE 2030.5; goes together with `extension`.
    pub edition: Option<Edition>,
    /// Elements beyond the standard's own; goes together with `edition`.
    pub extension: Option<Extension>,
}

/// Set what a DER is served.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/profile", operation_id = "set_der_profile", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    request_body = ProfileRequest,
    responses((status = 200, body = ProfileView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn set_der(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<ProfileRequest>,
) -> Result<Json<ProfileView>, Problem> {
    let id = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    set(&api, &principal, Client::Der(id), request).await
}

/// Set what an aggregator is served.
#[utoipa::path(put, path = "/api/v1/aggregators/{id}/profile", operation_id = "set_aggregator_profile", tag = "aggregators",
    params(("id" = u32, Path, description = "Number of the aggregator")),
    request_body = ProfileRequest,
    responses((status = 200, body = ProfileView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn set_aggregator(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
    Body(request): Body<ProfileRequest>,
) -> Result<Json<ProfileView>, Problem> {
    let id = api.world(|world| aggregator::find(world.fleet, &id).map(|one| one.id))?;
    set(&api, &principal, Client::Aggregator(id), request).await
}

async fn set(
    api: &Api,
    principal: &Principal,
    client: Client,
    request: ProfileRequest,
) -> Result<Json<ProfileView>, Problem> {
    let profile = match (request.edition, request.extension) {
        (Some(edition), Some(extension)) => Some(config::profile(edition, extension)),
        (None, None) => None,
        (Some(_), None) => return Err(Problem::field("extension", "is missing")),
        (None, Some(_)) => return Err(Problem::field("edition", "is missing")),
    };
    let write = DocumentWrite::profile(client, profile);
    api.node
        .write_documents(Actor::Account(principal.account), vec![write])
        .await?;
    let own = api
        .node
        .read(|published| published.resources.profile(client));
    let served = own.unwrap_or(api.node.devices().profile);
    Ok(Json(ProfileView {
        edition: served.into(),
        extension: served.into(),
        is_own: own.is_some(),
    }))
}
