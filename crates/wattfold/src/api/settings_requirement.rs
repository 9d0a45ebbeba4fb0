//! Of whom a settings profile is required, and from when.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::settings_profile::{Category, Requirement, Subject};
use fleet::{Command, Event, Fleet, SettingsCommand, SettingsEvent};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::settings_profile::{PerformanceCategory, author, by_number};
use crate::api::value::Time;
use crate::api::{Api, assignment, der};
use crate::auth::Principal;
use crate::clock;

/// Of whom: one of the three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequirementSubject {
    /// IEC 61968 mRID of one DER.
    Der(String),
    /// IEEE 2030.5 mRID of a node of the hierarchy: of every DER at or below it.
    Assignment(String),
    /// Of every DER approved for this category.
    Category(PerformanceCategory),
}

/// A requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RequirementView {
    /// Of whom.
    pub subject: RequirementSubject,
    /// Number of the version that is required; null where nothing is any more.
    #[schema(required)]
    pub profile: Option<u32>,
    /// From when.
    pub from: Time,
    /// Name of the account that required it.
    pub author: String,
}

/// A requirement to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequirementRequest {
    /// Of whom.
    pub subject: RequirementSubject,
    /// Number of the version; null to end what was required before.
    #[schema(required)]
    #[serde(deserialize_with = "Option::deserialize")]
    pub profile: Option<u32>,
    /// From when; at once without it.
    pub from: Option<Time>,
}

/// List what is required, of DER first, then of nodes, then of categories; of each subject what is
/// in force and what is to come.
#[utoipa::path(get, path = "/api/v1/settings-requirements", tag = "settings",
    operation_id = "list_settings_requirements", params(PageQuery),
    responses((status = 200, body = Page<RequirementView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<RequirementView>>, Problem> {
    api.world(|world| {
        let all = (0..).zip(world.fleet.settings().requirements());
        let slice = Slice::cut(all, |(place, _)| *place, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|(_, one)| view(world.fleet, one))))
    })
}

/// Require a version, or end what was required.
///
/// A requirement of a DER goes before one of a node, the most local node first, and that before one
/// of a category. Devices are brought to it within seconds of its beginning.
#[utoipa::path(post, path = "/api/v1/settings-requirements", tag = "settings",
    operation_id = "require_settings", request_body = RequirementRequest,
    responses((status = 201, body = RequirementView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn require(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<RequirementRequest>,
) -> Result<Response, Problem> {
    let author = author(&principal)?;
    let requirement = api.world(|world| {
        let id = |id| by_number(world.fleet, "profile", id);
        Ok::<_, Problem>(Requirement {
            subject: subject(world.fleet, &request.subject)?,
            profile: request.profile.map(id).transpose()?,
            from: request.from.map_or_else(clock::now, |Time(from)| from),
            author,
        })
    })?;
    let command = Command::Settings(SettingsCommand::Require(requirement));
    let events = api.command_one(&principal, command).await?;
    let required = events.iter().find_map(|event| match event {
        Event::Settings(SettingsEvent::Required(requirement)) => Some(requirement),
        _ => None,
    });
    let required = required.ok_or_else(Problem::lost)?;
    let shown = api.world(|world| view(world.fleet, required));
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// Record the performance category that a DER was approved for at interconnection.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/performance_category", tag = "ders",
    operation_id = "set_performance_category",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    request_body = PerformanceCategory,
    responses((status = 200, body = PerformanceCategory), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn set_category(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(given): Body<PerformanceCategory>,
) -> Result<Json<PerformanceCategory>, Problem> {
    let der = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    let command = SettingsCommand::SetCategory(der, given.into());
    api.command_one(&principal, Command::Settings(command))
        .await?;
    let set = api.world(|world| world.fleet.settings().category(der));
    set.map(|category: Category| Json(category.into()))
        .ok_or_else(Problem::lost)
}

fn subject(fleet: &Fleet, given: &RequirementSubject) -> Result<Subject, Problem> {
    match given {
        RequirementSubject::Der(mrid) => {
            let found = der::find(fleet, mrid);
            let found = found.map_err(|_| Problem::field("subject.der", "is no DER's mRID"));
            found.map(|der| Subject::Der(der.id))
        }
        RequirementSubject::Assignment(mrid) => {
            let found = assignment::find(fleet, mrid);
            let rule = "is no assignment's mRID";
            let found = found.map_err(|_| Problem::field("subject.assignment", rule));
            found.map(|node| Subject::Assignment(node.id))
        }
        RequirementSubject::Category(category) => Ok(Subject::Category((*category).into())),
    }
}

fn view(fleet: &Fleet, requirement: &Requirement) -> RequirementView {
    RequirementView {
        subject: subject_view(fleet, requirement.subject),
        profile: requirement.profile.map(|id| id.0),
        from: requirement.from.into(),
        author: requirement.author.to_string(),
    }
}

pub(super) fn subject_view(fleet: &Fleet, subject: Subject) -> RequirementSubject {
    match subject {
        Subject::Der(der) => {
            let mrid = fleet.der(der).map(|der| der.mrid.to_string());
            RequirementSubject::Der(mrid.unwrap_or_default())
        }
        Subject::Assignment(node) => {
            let mrid = fleet.assignment(node).map(|node| node.mrid.to_string());
            RequirementSubject::Assignment(mrid.unwrap_or_default())
        }
        Subject::Category(category) => RequirementSubject::Category(category.into()),
    }
}
