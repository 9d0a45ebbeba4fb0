//! Who may come in: the authorisation list by certificate, and new certificates.

use axum::Json;
use axum::extract::State;
use fleet::{Access, Client, Command, Lfdi};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::api::value::Time;
use crate::api::{Api, aggregator, der};
use crate::auth::Principal;

/// Whether a certificate is on the authorisation list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct AccessView {
    /// Whether it may come in.
    pub granted: bool,
    /// Since when it may not.
    #[schema(required)]
    pub revoked_at: Option<Time>,
}

/// Whether a certificate is to be on the authorisation list.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessRequest {
    /// Whether it may come in.
    pub granted: bool,
}

/// A new certificate in place of the one before.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rekeying {
    /// LFDI of the new certificate, 40 hexadecimal digits.
    pub lfdi: String,
}

/// The certificate of a client.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Key {
    /// LFDI, 40 hexadecimal digits.
    pub lfdi: String,
    /// SFDI, decimal with check digit.
    pub sfdi: u64,
}

impl From<Access> for AccessView {
    fn from(access: Access) -> Self {
        match access {
            Access::Granted => Self {
                granted: true,
                revoked_at: None,
            },
            Access::Revoked(at) => Self {
                granted: false,
                revoked_at: Some(at.into()),
            },
        }
    }
}

/// Grant a DER's certificate access, or revoke it. It holds from the next request, also on a
/// connection that is open.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/access", operation_id = "set_der_access", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    request_body = AccessRequest,
    responses((status = 200, body = AccessView), (status = 404, body = Problem)))]
pub(super) async fn set_der(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<AccessRequest>,
) -> Result<Json<AccessView>, Problem> {
    let id = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    let command = Command::SetAccess(Client::Der(id), request.granted);
    api.command_one(&principal, command).await?;
    api.world(|world| Ok(Json(der::find(world.fleet, &mrid)?.access.into())))
}

/// Give a DER a new certificate. The one before is no longer known.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/lfdi", operation_id = "rekey_der", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    request_body = Rekeying,
    responses((status = 200, body = Key), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn rekey_der(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<Rekeying>,
) -> Result<Json<Key>, Problem> {
    let id = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    rekey(&api, &principal, Client::Der(id), &request).await
}

/// Grant an aggregator's certificate access, or revoke it. It holds from the next request, also
/// on a connection that is open.
#[utoipa::path(put, path = "/api/v1/aggregators/{id}/access", operation_id = "set_aggregator_access", tag = "aggregators",
    params(("id" = u32, Path, description = "Number of the aggregator")),
    request_body = AccessRequest,
    responses((status = 200, body = AccessView), (status = 404, body = Problem)))]
pub(super) async fn set_aggregator(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
    Body(request): Body<AccessRequest>,
) -> Result<Json<AccessView>, Problem> {
    let client = api.world(|world| aggregator::find(world.fleet, &id).map(|one| one.id))?;
    let command = Command::SetAccess(Client::Aggregator(client), request.granted);
    api.command_one(&principal, command).await?;
    api.world(|world| Ok(Json(aggregator::find(world.fleet, &id)?.access.into())))
}

/// Give an aggregator a new certificate. The one before is no longer known.
#[utoipa::path(put, path = "/api/v1/aggregators/{id}/lfdi", operation_id = "rekey_aggregator", tag = "aggregators",
    params(("id" = u32, Path, description = "Number of the aggregator")),
    request_body = Rekeying,
    responses((status = 200, body = Key), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn rekey_aggregator(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
    Body(request): Body<Rekeying>,
) -> Result<Json<Key>, Problem> {
    let client = api.world(|world| aggregator::find(world.fleet, &id).map(|one| one.id))?;
    rekey(&api, &principal, Client::Aggregator(client), &request).await
}

async fn rekey(
    api: &Api,
    principal: &Principal,
    client: Client,
    request: &Rekeying,
) -> Result<Json<Key>, Problem> {
    let lfdi: Lfdi = request.lfdi.parse().map_err(Problem::lfdi)?;
    api.command_one(principal, Command::Rekey(client, lfdi))
        .await?;
    Ok(Json(Key {
        lfdi: lfdi.to_string(),
        sfdi: lfdi.sfdi(),
    }))
}
