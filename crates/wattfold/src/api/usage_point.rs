//! Usage points that a DER mirrors: its meters, as it has announced them.

use axum::Json;
use axum::extract::{Path, State};
use fleet::{Client, DerId, Mrid};
use http::StatusCode;
use ieee2030_5::server::Resources;
use ieee2030_5::wire::metering_mirror::MirrorUsagePoint;
use serde::Serialize;
use store::Actor;
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::api::request::Named;
use crate::api::{Api, der};
use crate::auth::Principal;

/// A usage point that a DER mirrors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsagePointView {
    /// Its number.
    pub id: u32,
    /// IEEE 2030.5 mRID, given by the device.
    pub mrid: String,
    /// What the device calls it.
    #[schema(required)]
    pub description: Option<String>,
    /// What is metered, the bits of `RoleFlagsType`, in hexadecimal.
    pub role_flags: String,
    /// mRIDs of its meter readings, given by the device.
    pub meter_readings: Vec<String>,
}

/// The usage points that a DER mirrors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsagePoints {
    /// By number.
    pub items: Vec<UsagePointView>,
}

/// List the usage points that a DER mirrors.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/usage_points", operation_id = "list_usage_points", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = UsagePoints), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<UsagePoints>, Problem> {
    api.node.read(|published| {
        let der = der::find(published.fleet, &mrid)?;
        let documents = published.resources.of(der.id);
        let items = documents.usage_points.iter();
        let items = items.map(|(id, point)| view(*id, point)).collect();
        Ok(Json(UsagePoints { items }))
    })
}

/// Delete the usage points that a DER mirrors. Readings that are stored stay; the device announces
/// its meters again when it finds them gone.
#[utoipa::path(delete, path = "/api/v1/ders/{mrid}/usage_points", operation_id = "delete_usage_points", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 204, description = "Deleted"), (status = 404, body = Problem)))]
pub(super) async fn delete_all(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    delete(&api, &principal, &mrid, |_| true).await
}

/// Delete one usage point that a DER mirrors.
#[utoipa::path(delete, path = "/api/v1/ders/{mrid}/usage_points/{id}", operation_id = "delete_usage_point", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID"),
        ("id" = u32, Path, description = "Number of the usage point")),
    responses((status = 204, description = "Deleted"), (status = 404, body = Problem)))]
pub(super) async fn delete_one(
    State(api): State<Api>,
    principal: Principal,
    Path((mrid, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let known = api.node.read(|published| {
        let der = der::find(published.fleet, &mrid)?;
        let known = numbers(published.resources, der.id);
        Ok::<_, Problem>(known.into_iter().find(|number| number.to_string() == id))
    })?;
    let number = known.ok_or_else(|| Problem::not_found("usage point", &id))?;
    delete(&api, &principal, &mrid, |other| other == number).await
}

async fn delete(
    api: &Api,
    principal: &Principal,
    mrid: &str,
    wanted: impl Fn(u32) -> bool,
) -> Result<StatusCode, Problem> {
    let writes = api.node.read(|published| {
        let der = der::find(published.fleet, mrid)?;
        let mut numbers = numbers(published.resources, der.id);
        numbers.retain(|number| wanted(*number));
        let of = Client::Der(der.id);
        Ok::<_, Problem>(published.resources.without_usage_points(of, numbers))
    })?;
    let actor = Actor::Account(principal.account);
    api.node.write_documents(actor, writes).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn numbers(resources: &Resources, der: DerId) -> Vec<u32> {
    resources.of(der).usage_points.keys().copied().collect()
}

fn view(id: u32, point: &MirrorUsagePoint) -> UsagePointView {
    let readings = point.mirror_meter_reading.iter();
    UsagePointView {
        id,
        mrid: Mrid(point.mrid.value()).to_string(),
        description: point
            .description
            .as_ref()
            .map(|text| text.as_str().to_owned()),
        role_flags: format!("{:04X}", point.role_flags.value()),
        meter_readings: readings.map(|r| Mrid(r.mrid.value()).to_string()).collect(),
    }
}
