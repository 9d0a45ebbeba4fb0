//! Sites and service points.

use axum::Json;
use axum::extract::State;
use fleet::enrolment::{OwnerId, Record, Register, ServicePoint, ServicePointId, Site, SiteId};
use fleet::{CimMrid, Command, EnrolmentCommand, Fleet};
use serde::{Deserialize, Serialize};
use units::Watts;
use utoipa::ToSchema;

use crate::api::control_base::MAX_POWER;
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::{Api, assignment, der};
use crate::auth::Principal;

/// A place with one owner.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SiteView {
    /// The utility's own name for it.
    pub mrid: String,
    /// mRID of its owner.
    pub owner: String,
}

/// A site to put.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteRequest {
    /// mRID of its owner.
    pub owner: String,
}

/// Where a site meets the grid.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ServicePointView {
    /// The utility's own name for it.
    pub mrid: String,
    /// mRID of the site that it serves.
    pub site: String,
    /// mRID of the node of the hierarchy that feeds it; null where it is not known.
    #[schema(required)]
    pub assignment: Option<String>,
    /// Most import of all that is behind it, in W, a magnitude; null without a limit.
    #[schema(required)]
    pub import_max_w: Option<f64>,
    /// Most export of all that is behind it, in W, a magnitude; null without a limit.
    #[schema(required)]
    pub export_max_w: Option<f64>,
    /// mRIDs of the DER that stand behind it.
    pub ders: Vec<String>,
}

/// A service point to put.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicePointRequest {
    /// mRID of the site that it serves.
    pub site: String,
    /// mRID of the node of the hierarchy that feeds it.
    pub assignment: Option<String>,
    /// Most import of all that is behind it, in W, a magnitude.
    pub import_max_w: Option<f64>,
    /// Most export of all that is behind it, in W, a magnitude.
    pub export_max_w: Option<f64>,
}

/// Where a DER stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingPlace {
    /// mRID of the service point; null for none.
    pub service_point: Option<String>,
}

/// List the sites, in the order in which they came.
#[utoipa::path(get, path = "/api/v1/sites", operation_id = "list_sites", tag = "enrolment", params(PageQuery),
    responses((status = 200, body = Page<SiteView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<SiteView>>, Problem> {
    api.world(|world| {
        let sites = (0..).zip(world.fleet.enrolment().sites().items());
        let slice = Slice::cut(sites, |(index, _)| *index, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|(_, site)| view(world.fleet, site))))
    })
}

/// Put a site.
#[utoipa::path(put, path = "/api/v1/sites/{mrid}", operation_id = "put_site", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for it")),
    request_body = SiteRequest,
    responses((status = 200, body = SiteView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<SiteRequest>,
) -> Result<Json<SiteView>, Problem> {
    let site = api.world(|world| {
        let owners = world.fleet.enrolment().owners();
        Ok::<_, Problem>(Site {
            mrid: name(&mrid)?,
            owner: OwnerId(index(owners, "owner", &request.owner)?),
        })
    })?;
    let command = EnrolmentCommand::PutSite(site.clone());
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    Ok(Json(api.world(|world| view(world.fleet, &site))))
}

/// List the service points, in the order in which they came.
#[utoipa::path(get, path = "/api/v1/service_points", operation_id = "list_service_points", tag = "enrolment",
    params(PageQuery),
    responses((status = 200, body = Page<ServicePointView>), (status = 422, body = Problem)))]
pub(super) async fn list_points(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<ServicePointView>>, Problem> {
    api.world(|world| {
        let points = (0..).zip(world.fleet.enrolment().service_points().items());
        let slice = Slice::cut(points, |(index, _)| *index, Direction::Ascending, &query)?;
        Ok(Json(
            slice.render(|(_, point)| point_view(world.fleet, point)),
        ))
    })
}

/// Show one service point.
#[utoipa::path(get, path = "/api/v1/service_points/{mrid}", operation_id = "show_service_point", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for it")),
    responses((status = 200, body = ServicePointView), (status = 404, body = Problem)))]
pub(super) async fn show_point(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<ServicePointView>, Problem> {
    api.world(|world| {
        let points = world.fleet.enrolment().service_points();
        let known = CimMrid::new(&mrid).ok();
        let point = known.and_then(|mrid| points.by_mrid(&mrid));
        let point = point.ok_or_else(|| Problem::not_found("service point", &mrid))?;
        Ok(Json(point_view(world.fleet, point)))
    })
}

/// Put a service point. Plans keep what stands behind it within its limits.
#[utoipa::path(put, path = "/api/v1/service_points/{mrid}", operation_id = "put_service_point", tag = "enrolment",
    params(("mrid" = String, Path, description = "The utility's name for it")),
    request_body = ServicePointRequest,
    responses((status = 200, body = ServicePointView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put_point(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<ServicePointRequest>,
) -> Result<Json<ServicePointView>, Problem> {
    let point = api.world(|world| {
        let sites = world.fleet.enrolment().sites();
        let nodes: Vec<String> = request.assignment.clone().into_iter().collect();
        let nodes = assignment::nodes(world.fleet, &nodes)
            .map_err(|_| Problem::field("assignment", "is no assignment's mRID"))?;
        Ok::<_, Problem>(ServicePoint {
            mrid: name(&mrid)?,
            site: SiteId(index(sites, "site", &request.site)?),
            assignment: nodes.first().copied(),
            import_max: limit("import_max_w", request.import_max_w)?,
            export_max: limit("export_max_w", request.export_max_w)?,
        })
    })?;
    let command = EnrolmentCommand::PutServicePoint(point.clone());
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    Ok(Json(api.world(|world| point_view(world.fleet, &point))))
}

/// Say at which service point a DER stands.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/service_point", operation_id = "place_der", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = StandingPlace,
    responses((status = 200, body = StandingPlace), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn place(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<StandingPlace>,
) -> Result<Json<StandingPlace>, Problem> {
    let command = api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let points = world.fleet.enrolment().service_points();
        let point = request.service_point.as_deref();
        let point = point.map(|mrid| index(points, "service_point", mrid));
        Ok::<_, Problem>(EnrolmentCommand::Place(
            der.id,
            point.transpose()?.map(ServicePointId),
        ))
    })?;
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    Ok(Json(request))
}

pub(super) fn name(mrid: &str) -> Result<CimMrid, Problem> {
    CimMrid::new(mrid).map_err(|error| Problem::field("mrid", error.to_string()))
}

/// The index of the record that `field` names.
pub(super) fn index<T: Record>(
    register: &Register<T>,
    field: &str,
    mrid: &str,
) -> Result<u32, Problem> {
    let known = CimMrid::new(mrid).ok();
    let found = known.and_then(|mrid| register.index_of(&mrid));
    found.ok_or_else(|| Problem::field(field, format!("is no {}'s mRID", T::WHAT)))
}

pub(super) fn limit(field: &str, given: Option<f64>) -> Result<Option<Watts>, Problem> {
    if given.is_some_and(|w| !(0.0..=MAX_POWER).contains(&w)) {
        return Err(Problem::field(field, format!("must be 0 to {MAX_POWER}")));
    }
    Ok(given.map(Watts::from_f64))
}

fn view(fleet: &Fleet, site: &Site) -> SiteView {
    let owner = fleet.enrolment().owners().get(site.owner.0);
    SiteView {
        mrid: site.mrid.to_string(),
        owner: owner.map_or_else(String::new, |owner| owner.mrid.to_string()),
    }
}

fn point_view(fleet: &Fleet, point: &ServicePoint) -> ServicePointView {
    let book = fleet.enrolment();
    let site = book.sites().get(point.site.0);
    let id = ServicePointId(book.service_points().index_for(&point.mrid));
    let ders = book.ders_behind(id).iter();
    let node = point.assignment.and_then(|node| fleet.assignment(node));
    ServicePointView {
        mrid: point.mrid.to_string(),
        site: site.map_or_else(String::new, |site| site.mrid.to_string()),
        assignment: node.map(|node| node.mrid.to_string()),
        import_max_w: point.import_max.map(Watts::as_f64),
        export_max_w: point.export_max.map(Watts::as_f64),
        ders: ders
            .filter_map(|der| Some(fleet.der(*der)?.mrid.to_string()))
            .collect(),
    }
}
