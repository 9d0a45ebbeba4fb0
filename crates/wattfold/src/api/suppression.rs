//! Rules by which alarms are not shown: by design, such as during maintenance, or out of service.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::alarm::{Means, NewSuppression, Suppression};
use fleet::{AlarmCommand, AlarmEvent, Command, Event, Fleet, SuppressionId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::alarm::{AlarmSubject, kind, read_subject, reason, subject_view};
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::settings_profile::author;
use crate::api::value::Time;
use crate::auth::Principal;

/// In what way alarms are not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionMeans {
    /// The state of the plant makes them pointless, such as maintenance of a feeder.
    ByDesign,
    /// They are taken out of service, such as while a meter is known to be wrong.
    OutOfService,
}

/// A rule to set.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressionRequest {
    /// What the alarms are about; a place stands for everything at or below it.
    pub subject: AlarmSubject,
    /// Name of their kind; all without it.
    pub kind: Option<String>,
    /// In what way.
    pub means: SuppressionMeans,
    /// Why, 1 to 512 characters.
    pub reason: String,
    /// When it ends of itself; when somebody ends it without it.
    pub until: Option<Time>,
}

/// A rule by which alarms are not shown.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SuppressionView {
    /// Its number.
    pub id: u32,
    /// What the alarms are about.
    pub subject: AlarmSubject,
    /// What people call that.
    pub subject_name: String,
    /// Name of their kind; null for all.
    #[schema(required)]
    pub kind: Option<String>,
    /// In what way.
    pub means: SuppressionMeans,
    /// Name of the account that set it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Time,
    /// When it ends of itself.
    #[schema(required)]
    pub until: Option<Time>,
}

/// List the rules by which alarms are not shown, oldest first.
#[utoipa::path(get, path = "/api/v1/alarm-suppressions", operation_id = "list_alarm_suppressions",
    tag = "alarms", params(PageQuery),
    responses((status = 200, body = Page<SuppressionView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<SuppressionView>>, Problem> {
    api.world(|world| {
        let rules = world.fleet.alarms().suppressions();
        let slice = Slice::cut(rules, |rule| rule.id.0, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|rule| view(world.fleet, rule))))
    })
}

/// Keep alarms from being shown.
#[utoipa::path(post, path = "/api/v1/alarm-suppressions", operation_id = "suppress_alarms",
    tag = "alarms", request_body = SuppressionRequest,
    responses((status = 201, body = SuppressionView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn set(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<SuppressionRequest>,
) -> Result<Response, Problem> {
    let new = NewSuppression {
        subject: api.world(|world| read_subject(world.fleet, &request.subject))?,
        kind: request.kind.as_deref().map(kind).transpose()?,
        means: match request.means {
            SuppressionMeans::ByDesign => Means::ByDesign,
            SuppressionMeans::OutOfService => Means::OutOfService,
        },
        by: author(&principal)?,
        reason: reason(&request.reason)?,
        until: request.until.map(|Time(until)| until),
    };
    let command = AlarmCommand::Suppress(Box::new(new));
    let events = api.command_one(&principal, Command::Alarm(command)).await?;
    let rule = events.iter().find_map(|event| match event {
        Event::Alarm(AlarmEvent::SuppressionSet(rule)) => Some(rule),
        _ => None,
    });
    let rule = rule.ok_or_else(Problem::lost)?;
    let shown = api.world(|world| view(world.fleet, rule));
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// End a rule: the alarms that it kept from being shown are, if they are still the case.
#[utoipa::path(delete, path = "/api/v1/alarm-suppressions/{id}", operation_id = "release_alarms",
    tag = "alarms", params(("id" = u32, Path, description = "Number of the rule")),
    responses((status = 204, description = "Ended"), (status = 404, body = Problem)))]
pub(super) async fn end(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
) -> Result<StatusCode, Problem> {
    let known = api.world(|world| {
        let rule = id.parse().ok().map(SuppressionId);
        let rule = rule.and_then(|rule| world.fleet.alarms().suppression(rule));
        rule.map(|rule| rule.id)
    });
    let rule = known.ok_or_else(|| Problem::not_found("suppression", &id))?;
    let by = Some(author(&principal)?);
    let command = Command::Alarm(AlarmCommand::Release(rule, by));
    api.command_one(&principal, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(fleet: &Fleet, rule: &Suppression) -> SuppressionView {
    let (subject, subject_name) = subject_view(fleet, &rule.subject);
    SuppressionView {
        id: rule.id.0,
        subject,
        subject_name,
        kind: rule.kind.map(|kind| kind.rationale().name.to_owned()),
        means: match rule.means {
            Means::ByDesign => SuppressionMeans::ByDesign,
            Means::OutOfService => SuppressionMeans::OutOfService,
        },
        by: rule.by.to_string(),
        reason: rule.reason.to_string(),
        at: rule.at.into(),
        until: rule.until.map(Time),
    }
}
