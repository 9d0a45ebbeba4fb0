//! Programmes: who may ask, whose word goes first, and what holds when nothing is asked.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::{Command, Event, Fleet, Name, NewProgram, Program, ProgramChange, Scope};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::program_default::ProgramDefault;
use crate::api::request::{Body, Named, Params};
use crate::api::{Api, assignment, der, index_of};
use crate::auth::Principal;

/// Whom a programme addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProgramScope {
    /// One DER, by its IEC 61968 mRID.
    Der(String),
    /// Every DER at or below this node of the hierarchy, by its IEEE 2030.5 mRID.
    Assignment(String),
    /// Every DER of the fleet.
    All,
}

/// A programme.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProgramView {
    /// IEEE 2030.5 mRID.
    pub mrid: String,
    /// What it is called.
    pub name: String,
    /// Its rank: lower values win.
    pub primacy: u8,
    /// Whom it addresses.
    pub scope: ProgramScope,
    /// What holds when none of its controls is active.
    pub default_control: ProgramDefault,
}

/// Which programmes are wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProgramQuery {
    /// IEC 61968 mRID of a DER that they address; without it the programmes of the whole fleet
    /// and of the hierarchy, but not those that each DER has of its own.
    pub der: Option<String>,
    /// Most items to answer with, 1 to 1000; 100 without it.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<u32>,
}

/// A programme to create.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramRequest {
    /// What it is called, 1 to 64 characters.
    pub name: String,
    /// Its rank, 0 to 255: lower values win.
    pub primacy: u8,
    /// Whom it addresses.
    pub scope: ProgramScope,
}

/// A change of a programme: what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramPatch {
    /// New name.
    pub name: Option<String>,
    /// New rank.
    pub primacy: Option<u8>,
}

/// List the programmes, the oldest first.
#[utoipa::path(get, path = "/api/v1/programs", operation_id = "list_programs", tag = "programs", params(ProgramQuery),
    responses((status = 200, body = Page<ProgramView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<ProgramQuery>,
) -> Result<Json<Page<ProgramView>>, Problem> {
    let page = PageQuery {
        limit: query.limit,
        after: query.after,
    };
    api.world(|world| {
        let fleet = world.fleet;
        let mut programs = match &query.der {
            Some(mrid) => fleet.programs_of(der::find(fleet, mrid)?.id),
            None => fleet.programs().iter().filter(is_shared).collect(),
        };
        programs.sort_by_key(|program| program.id);
        let slice = Slice::cut(
            programs.into_iter(),
            |program| program.id.0,
            Direction::Ascending,
            &page,
        )?;
        Ok(Json(slice.render(|program| view(fleet, program))))
    })
}

fn is_shared(program: &&Program) -> bool {
    program.removed.is_none() && !matches!(program.scope, Scope::Device(_))
}

/// Show one programme.
#[utoipa::path(get, path = "/api/v1/programs/{mrid}", operation_id = "show_program", tag = "programs",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    responses((status = 200, body = ProgramView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<ProgramView>, Problem> {
    api.world(|world| Ok(Json(view(world.fleet, find(world.fleet, &mrid)?))))
}

/// Create a programme for one DER, for a node of the hierarchy, or for the whole fleet.
#[utoipa::path(post, path = "/api/v1/programs", operation_id = "create_program", tag = "programs", request_body = ProgramRequest,
    responses((status = 201, body = ProgramView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<ProgramRequest>,
) -> Result<Response, Problem> {
    let new = NewProgram {
        name: name(&request.name)?,
        primacy: request.primacy,
        scope: api.world(|world| scope(world.fleet, &request.scope))?,
    };
    let events = api
        .command_one(&principal, Command::CreateProgram(new))
        .await?;
    let id = events.iter().find_map(|event| match event {
        Event::ProgramCreated(program) => Some(program.id),
        _ => None,
    });
    let created = api.world(|world| Some(view(world.fleet, world.fleet.program(id?)?)));
    let created = created.ok_or_else(Problem::lost)?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// Change the name or the rank of a programme.
#[utoipa::path(patch, path = "/api/v1/programs/{mrid}", operation_id = "change_program", tag = "programs",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    request_body = ProgramPatch,
    responses((status = 200, body = ProgramView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn change(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(patch): Body<ProgramPatch>,
) -> Result<Json<ProgramView>, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|program| program.id))?;
    let change = ProgramChange {
        name: patch.name.as_deref().map(name).transpose()?,
        primacy: patch.primacy,
    };
    api.command_one(&principal, Command::ChangeProgram(id, change))
        .await?;
    api.world(|world| Ok(Json(view(world.fleet, find(world.fleet, &mrid)?))))
}

/// Take a programme out of service; its controls are withdrawn.
#[utoipa::path(delete, path = "/api/v1/programs/{mrid}", operation_id = "delete_program", tag = "programs",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    responses((status = 204, description = "Out of service"), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|program| program.id))?;
    api.command_one(&principal, Command::DeleteProgram(id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The programme in service with this mRID, or the answer that there is none.
pub(super) fn find<'a>(fleet: &'a Fleet, mrid: &str) -> Result<&'a Program, Problem> {
    index_of(mrid)
        .and_then(|(mrid, index)| {
            let program = fleet.program(fleet::ProgramId(index))?;
            (program.mrid == mrid && program.removed.is_none()).then_some(program)
        })
        .ok_or_else(|| Problem::not_found("programme", mrid))
}

pub(super) fn view(fleet: &Fleet, program: &Program) -> ProgramView {
    ProgramView {
        mrid: program.mrid.to_string(),
        name: program.name.to_string(),
        primacy: program.primacy,
        scope: match program.scope {
            Scope::Device(id) => {
                let der = fleet.der(id);
                ProgramScope::Der(der.map_or_else(String::new, |der| der.mrid.to_string()))
            }
            Scope::Assignment(id) => {
                let node = fleet.assignment(id);
                let mrid = node.map_or_else(String::new, |node| node.mrid.to_string());
                ProgramScope::Assignment(mrid)
            }
            Scope::All => ProgramScope::All,
        },
        default_control: ProgramDefault::of(fleet, &program.default),
    }
}

fn name(given: &str) -> Result<Name, Problem> {
    Name::new(given).map_err(|error| Problem::field("name", error.to_string()))
}

fn scope(fleet: &Fleet, given: &ProgramScope) -> Result<Scope, Problem> {
    let unknown = |what: &str| Problem::field("scope", format!("is no {what}'s mRID"));
    match given {
        ProgramScope::Der(mrid) => der::find(fleet, mrid)
            .map(|der| Scope::Device(der.id))
            .map_err(|_| unknown("DER")),
        ProgramScope::Assignment(mrid) => assignment::find(fleet, mrid)
            .map(|node| Scope::Assignment(node.id))
            .map_err(|_| unknown("assignment")),
        ProgramScope::All => Ok(Scope::All),
    }
}
