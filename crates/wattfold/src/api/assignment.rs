//! Where DER belong: the CSIP group hierarchy, which devices see as function set assignments.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::{Assignment, AssignmentId, Command, Event, Fleet, Level, Name, NewAssignment};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::{Api, der, index_of};
use crate::auth::Principal;

/// Level of the hierarchy, from the widest to the most local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentLevel {
    /// The whole system.
    System,
    /// Sub-transmission.
    SubTransmission,
    /// Substation.
    Substation,
    /// Feeder.
    Feeder,
    /// Segment of a feeder.
    Segment,
    /// Distribution transformer.
    Transformer,
    /// Service point.
    ServicePoint,
    /// A group that has nothing to do with the topology.
    NonTopology,
}

/// A node of the hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AssignmentView {
    /// IEEE 2030.5 mRID.
    pub mrid: String,
    /// What it is called.
    pub name: String,
    /// Its level.
    pub level: AssignmentLevel,
    /// mRID of the node above; null for a root and for a group that is not topological.
    #[schema(required)]
    pub parent: Option<String>,
}

/// A node to create.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignmentRequest {
    /// What it is called, 1 to 64 characters.
    pub name: String,
    /// Its level.
    pub level: AssignmentLevel,
    /// mRID of the node above, of a wider level.
    pub parent: Option<String>,
}

/// Where a DER belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// mRIDs of the most local nodes; it belongs to all above them too.
    pub assignments: Vec<String>,
}

/// List the nodes of the hierarchy, the oldest first.
#[utoipa::path(get, path = "/api/v1/assignments", operation_id = "list_assignments", tag = "assignments", params(PageQuery),
    responses((status = 200, body = Page<AssignmentView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<AssignmentView>>, Problem> {
    api.world(|world| {
        let nodes = world.fleet.assignments().iter();
        let nodes = nodes.filter(|node| node.removed.is_none());
        let slice = Slice::cut(nodes, |node| node.id.0, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|node| view(world.fleet, node))))
    })
}

/// Show one node.
#[utoipa::path(get, path = "/api/v1/assignments/{mrid}", operation_id = "show_assignment", tag = "assignments",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    responses((status = 200, body = AssignmentView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<AssignmentView>, Problem> {
    api.world(|world| Ok(Json(view(world.fleet, find(world.fleet, &mrid)?))))
}

/// Create a node of the hierarchy.
#[utoipa::path(post, path = "/api/v1/assignments", operation_id = "create_assignment", tag = "assignments",
    request_body = AssignmentRequest,
    responses((status = 201, body = AssignmentView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<AssignmentRequest>,
) -> Result<Response, Problem> {
    let parent = api.world(|world| {
        let find = |mrid: &String| find(world.fleet, mrid).map(|node| node.id);
        let found = request.parent.as_ref().map(find).transpose();
        found.map_err(|_| Problem::field("parent", "is no assignment's mRID"))
    })?;
    let new = NewAssignment {
        name: Name::new(&request.name).map_err(|e| Problem::field("name", e.to_string()))?,
        level: request.level.into(),
        parent,
    };
    let events = api
        .command_one(&principal, Command::CreateAssignment(new))
        .await?;
    let id = events.iter().find_map(|event| match event {
        Event::AssignmentCreated(node) => Some(node.id),
        _ => None,
    });
    let created = api.world(|world| Some(view(world.fleet, world.fleet.assignment(id?)?)));
    let created = created.ok_or_else(Problem::lost)?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// Take a node out of service that has no DER, no programme and no node below.
#[utoipa::path(delete, path = "/api/v1/assignments/{mrid}", operation_id = "delete_assignment", tag = "assignments",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    responses((status = 204, description = "Out of service"), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|node| node.id))?;
    api.command_one(&principal, Command::DeleteAssignment(id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Place a DER in the hierarchy, in place of where it was.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/assignments", operation_id = "assign_der", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    request_body = Place,
    responses((status = 200, body = Place), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn assign(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(place): Body<Place>,
) -> Result<Json<Place>, Problem> {
    let command = api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let nodes = nodes(world.fleet, &place.assignments)?;
        Ok::<_, Problem>(Command::AssignDer(der.id, nodes))
    })?;
    api.command_one(&principal, command).await?;
    api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let assignments = mrids(world.fleet, &der.assignments);
        Ok(Json(Place { assignments }))
    })
}

/// The nodes of these mRIDs.
pub(super) fn nodes(fleet: &Fleet, given: &[String]) -> Result<Vec<AssignmentId>, Problem> {
    let given = given.iter().enumerate();
    given
        .map(|(index, mrid)| {
            let field = || format!("assignments[{index}]");
            find(fleet, mrid)
                .map(|node| node.id)
                .map_err(|_| Problem::field(field(), "is no assignment's mRID"))
        })
        .collect()
}

/// The mRIDs of these nodes.
pub(super) fn mrids(fleet: &Fleet, nodes: &[AssignmentId]) -> Vec<String> {
    let nodes = nodes.iter().filter_map(|id| fleet.assignment(*id));
    nodes.map(|node| node.mrid.to_string()).collect()
}

/// The node in service with this mRID, or the answer that there is none.
pub(super) fn find<'a>(fleet: &'a Fleet, mrid: &str) -> Result<&'a Assignment, Problem> {
    index_of(mrid)
        .and_then(|(mrid, index)| {
            let node = fleet.assignment(AssignmentId(index))?;
            (node.mrid == mrid && node.removed.is_none()).then_some(node)
        })
        .ok_or_else(|| Problem::not_found("assignment", mrid))
}

fn view(fleet: &Fleet, node: &Assignment) -> AssignmentView {
    let parent = node.parent.and_then(|id| fleet.assignment(id));
    AssignmentView {
        mrid: node.mrid.to_string(),
        name: node.name.to_string(),
        level: node.level.into(),
        parent: parent.map(|parent| parent.mrid.to_string()),
    }
}

impl From<AssignmentLevel> for Level {
    fn from(level: AssignmentLevel) -> Self {
        match level {
            AssignmentLevel::System => Self::System,
            AssignmentLevel::SubTransmission => Self::SubTransmission,
            AssignmentLevel::Substation => Self::Substation,
            AssignmentLevel::Feeder => Self::Feeder,
            AssignmentLevel::Segment => Self::Segment,
            AssignmentLevel::Transformer => Self::Transformer,
            AssignmentLevel::ServicePoint => Self::ServicePoint,
            AssignmentLevel::NonTopology => Self::NonTopology,
        }
    }
}

impl From<Level> for AssignmentLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::System => Self::System,
            Level::SubTransmission => Self::SubTransmission,
            Level::Substation => Self::Substation,
            Level::Feeder => Self::Feeder,
            Level::Segment => Self::Segment,
            Level::Transformer => Self::Transformer,
            Level::ServicePoint => Self::ServicePoint,
            Level::NonTopology => Self::NonTopology,
        }
    }
}
