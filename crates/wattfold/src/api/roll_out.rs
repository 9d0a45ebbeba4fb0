//! Staged roll-outs of settings profiles.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::dispatch::assess::World;
use fleet::settings_profile::read_back::standing;
use fleet::settings_profile::{
    Criteria, Decision, HaltReason, NewRollOut, Phase, RollOut, StagePlan, Standing,
};
use fleet::{Command, DerId, Event, Fleet, RollOutId, SettingsCommand, SettingsEvent};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use units::Percent;
use utoipa::ToSchema;

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::settings_profile::{author, by_number, comment, name};
use crate::api::value::Time;
use crate::api::{Api, der};
use crate::auth::Principal;

/// Where a roll-out stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RollOutPhase {
    /// The latest stage gathers its evidence.
    Running,
    /// Nothing is issued until it is resumed or rolled back.
    Halted,
    /// Every stage has shown what it had to.
    Completed,
    /// It was taken back.
    RolledBack,
}

/// How a DER stands to the version that a roll-out gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RollOutStanding {
    /// The DER is no longer there, and does not count.
    Removed,
    /// Its stage has not begun.
    Ahead,
    /// Its programme is not there yet.
    Pending,
    /// Its programme can't get there: ratings are missing or too small.
    Unable,
    /// Its programme says so; the device has not been heard since.
    Issued,
    /// Heard since, and nothing that the version changed can be read back.
    Unreadable,
    /// Something reported differs from what is required.
    Differs,
    /// All that is reported is as required, and something that the version changed is.
    Matches,
}

impl From<Standing> for RollOutStanding {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Removed => Self::Removed,
            Standing::Ahead => Self::Ahead,
            Standing::Pending => Self::Pending,
            Standing::Unable => Self::Unable,
            Standing::Issued => Self::Issued,
            Standing::Unreadable => Self::Unreadable,
            Standing::Differs => Self::Differs,
            Standing::Matches => Self::Matches,
        }
    }
}

/// What a stage has to show before the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollOutCriteria {
    /// Shortest time of a stage, in s.
    pub wait_s: u64,
    /// A stage that has not shown enough by then halts the roll-out, in s, at most 90 days.
    pub deadline_s: u64,
    /// Share of a stage's DER whose read-back has to match, in percent.
    pub match_min_pct: f64,
    /// More DER with an alarm than this halt the roll-out.
    pub alarms_max: u32,
}

/// A roll-out in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RollOutRow {
    /// Its number.
    pub id: u32,
    /// What it is called.
    pub name: String,
    /// Number of the version that it brings.
    pub profile: u32,
    /// Where it stands.
    pub phase: RollOutPhase,
    /// Since when it is halted, completed or rolled back.
    #[schema(required)]
    pub phase_since: Option<Time>,
    /// Why it is halted.
    #[schema(required)]
    pub halted_because: Option<String>,
    /// The stage that gathers its evidence, from 1.
    pub stage: usize,
    /// Number of DER of each stage.
    pub stages: Vec<usize>,
    /// When each stage that has begun did so.
    pub begun: Vec<Time>,
    /// What a stage has to show.
    pub criteria: RollOutCriteria,
    /// Why.
    #[schema(required)]
    pub comment: Option<String>,
    /// Name of the account that began it.
    pub author: String,
    /// When.
    pub created: Time,
}

/// One DER of a roll-out.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RollOutDer {
    /// IEC 61968 mRID.
    pub der: String,
    /// Its stage, from 1.
    pub stage: usize,
    /// How it stands.
    pub standing: RollOutStanding,
    /// Number of its open drift alarms.
    pub drifts: usize,
}

/// How the stages are made: by share or DER by DER.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StagesRequest {
    /// DER that are split by the shares reached after each stage, in a mixed order.
    Shares(SharesRequest),
    /// mRIDs or names of DER, stage by stage.
    Lists(Vec<Vec<String>>),
}

/// DER and the shares at which they are split.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SharesRequest {
    /// mRIDs or names of DER.
    pub ders: Vec<String>,
    /// Share reached after each stage, in percent; rising, the last one 100.
    pub reached_pct: Vec<f64>,
}

/// A roll-out to begin.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollOutRequest {
    /// What it is called, unique among roll-outs.
    pub name: String,
    /// Number of the version to bring.
    pub profile: u32,
    /// Whom, and in which order.
    pub stages: StagesRequest,
    /// What each stage has to show.
    pub criteria: RollOutCriteria,
    /// Why, 1 to 512 characters.
    pub comment: Option<String>,
}

/// List roll-outs, the newest first.
#[utoipa::path(get, path = "/api/v1/roll-outs", tag = "settings", operation_id = "list_roll_outs",
    params(PageQuery),
    responses((status = 200, body = Page<RollOutRow>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<RollOutRow>>, Problem> {
    api.world(|world| {
        let all = world.fleet.settings().roll_outs().iter().rev();
        let slice = Slice::cut(all, |one| one.id.0, Direction::Descending, &query)?;
        Ok(Json(slice.render(row)))
    })
}

/// Show one roll-out.
#[utoipa::path(get, path = "/api/v1/roll-outs/{id}", tag = "settings", operation_id = "show_roll_out",
    params(("id" = u32, Path, description = "Its number")),
    responses((status = 200, body = RollOutRow), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(id): Named,
) -> Result<Json<RollOutRow>, Problem> {
    api.world(|world| Ok(Json(row(find(world.fleet, &id)?))))
}

/// List the DER of a roll-out with how each stands, in order of enrolment.
#[utoipa::path(get, path = "/api/v1/roll-outs/{id}/ders", tag = "settings",
    operation_id = "list_roll_out_ders",
    params(("id" = u32, Path, description = "Its number"), PageQuery),
    responses((status = 200, body = Page<RollOutDer>), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn ders(
    State(api): State<Api>,
    Named(id): Named,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<RollOutDer>>, Problem> {
    api.world(|world| {
        let roll_out = find(world.fleet, &id)?;
        let stages = (1..).zip(&roll_out.stages);
        let mut all: Vec<(DerId, usize)> = stages
            .flat_map(|(stage, ders)| ders.iter().map(move |der| (*der, stage)))
            .collect();
        all.sort_unstable();
        let slice = Slice::cut(all.into_iter(), |row| row.0.0, Direction::Ascending, &query)?;
        Ok(Json(
            slice.render_all(|place| der_view(world, roll_out, place)),
        ))
    })
}

/// Begin a roll-out: its first stage begins at once.
#[utoipa::path(post, path = "/api/v1/roll-outs", tag = "settings", operation_id = "begin_roll_out",
    request_body = RollOutRequest,
    responses((status = 201, body = RollOutRow), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn begin(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<RollOutRequest>,
) -> Result<Response, Problem> {
    let new = api.world(|world| {
        Ok::<_, Problem>(NewRollOut {
            name: name("name", &request.name)?,
            profile: by_number(world.fleet, "profile", request.profile)?,
            plan: plan(world.fleet, &request.stages)?,
            criteria: criteria(&request.criteria)?,
            comment: comment(request.comment.as_deref())?,
            author: author(&principal)?,
        })
    })?;
    let command = Command::Settings(SettingsCommand::BeginRollOut(Box::new(new)));
    let events = api.command_one(&principal, command).await?;
    let begun = events.iter().find_map(|event| match event {
        Event::Settings(SettingsEvent::RollOutBegun(roll_out)) => Some(row(roll_out)),
        _ => None,
    });
    let begun = begun.ok_or_else(Problem::lost)?;
    Ok((StatusCode::CREATED, Json(begun)).into_response())
}

/// Begin the next stage without waiting for evidence, or complete the last one.
#[utoipa::path(post, path = "/api/v1/roll-outs/{id}/advance", tag = "settings",
    operation_id = "advance_roll_out", params(("id" = u32, Path, description = "Its number")),
    responses((status = 200, body = RollOutRow), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn advance(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
) -> Result<Json<RollOutRow>, Problem> {
    step(&api, &principal, &id, RollOut::next).await
}

/// Halt a roll-out: nothing more is issued.
#[utoipa::path(post, path = "/api/v1/roll-outs/{id}/halt", tag = "settings",
    operation_id = "halt_roll_out", params(("id" = u32, Path, description = "Its number")),
    responses((status = 200, body = RollOutRow), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn halt(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
) -> Result<Json<RollOutRow>, Problem> {
    step(&api, &principal, &id, |_| {
        Decision::Halted(HaltReason::Operator)
    })
    .await
}

/// Let a halted roll-out go on; its latest stage waits anew.
#[utoipa::path(post, path = "/api/v1/roll-outs/{id}/resume", tag = "settings",
    operation_id = "resume_roll_out", params(("id" = u32, Path, description = "Its number")),
    responses((status = 200, body = RollOutRow), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn resume(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
) -> Result<Json<RollOutRow>, Problem> {
    step(&api, &principal, &id, |_| Decision::Resumed).await
}

/// Take a roll-out back, a completed one too: each DER is required what it was before.
#[utoipa::path(post, path = "/api/v1/roll-outs/{id}/roll_back", tag = "settings",
    operation_id = "roll_back_roll_out", params(("id" = u32, Path, description = "Its number")),
    responses((status = 200, body = RollOutRow), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn roll_back(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
) -> Result<Json<RollOutRow>, Problem> {
    step(&api, &principal, &id, |_| Decision::RolledBack).await
}

async fn step(
    api: &Api,
    principal: &Principal,
    id: &str,
    decision: impl FnOnce(&RollOut) -> Decision,
) -> Result<Json<RollOutRow>, Problem> {
    let (id, decision) = api.world(|world| {
        let roll_out = find(world.fleet, id)?;
        Ok::<_, Problem>((roll_out.id, decision(roll_out)))
    })?;
    let command = Command::Settings(SettingsCommand::StepRollOut(id, decision));
    api.command_one(principal, command).await?;
    let stepped = api.world(|world| world.fleet.settings().roll_out(id).map(row));
    stepped.map(Json).ok_or_else(Problem::lost)
}

fn find<'a>(fleet: &'a Fleet, id: &str) -> Result<&'a RollOut, Problem> {
    let number = id.parse().ok().map(RollOutId);
    let found = number.and_then(|id| fleet.settings().roll_out(id));
    found.ok_or_else(|| Problem::not_found("roll-out", id))
}

fn plan(fleet: &Fleet, given: &StagesRequest) -> Result<StagePlan, Problem> {
    match given {
        StagesRequest::Shares(shares) => {
            let ders = der::find_all(fleet, "stages.shares.ders", &shares.ders)?;
            let reached = (0..).zip(&shares.reached_pct);
            let reached = reached
                .map(|(at, share)| percent(&format!("stages.shares.reached_pct[{at}]"), *share));
            Ok(StagePlan::Shares(ders, reached.collect::<Result<_, _>>()?))
        }
        StagesRequest::Lists(lists) => {
            let lists = (0..).zip(lists);
            let lists =
                lists.map(|(at, ders)| der::find_all(fleet, &format!("stages.lists[{at}]"), ders));
            Ok(StagePlan::Lists(lists.collect::<Result<_, _>>()?))
        }
    }
}

fn criteria(given: &RollOutCriteria) -> Result<Criteria, Problem> {
    Ok(Criteria {
        wait: Duration::from_secs(given.wait_s),
        deadline: Duration::from_secs(given.deadline_s),
        match_min: percent("criteria.match_min_pct", given.match_min_pct)?,
        alarms_max: given.alarms_max,
    })
}

fn percent(field: &str, given: f64) -> Result<Percent, Problem> {
    crate::api::control_base::percent(field, given, 0.0)
}

fn row(roll_out: &RollOut) -> RollOutRow {
    let (phase, phase_since, reason) = match roll_out.phase {
        Phase::Running => (RollOutPhase::Running, None, None),
        Phase::Halted(reason, at) => (RollOutPhase::Halted, Some(at), Some(reason)),
        Phase::Completed(at) => (RollOutPhase::Completed, Some(at), None),
        Phase::RolledBack(at) => (RollOutPhase::RolledBack, Some(at), None),
    };
    let criteria = roll_out.criteria;
    RollOutRow {
        id: roll_out.id.0,
        name: roll_out.name.to_string(),
        profile: roll_out.profile.0,
        phase,
        phase_since: phase_since.map(Time),
        halted_because: reason.map(because),
        stage: roll_out.stage() + 1,
        stages: roll_out.stages.iter().map(Vec::len).collect(),
        begun: roll_out.begun.iter().copied().map(Time).collect(),
        criteria: RollOutCriteria {
            wait_s: criteria.wait.as_secs(),
            deadline_s: criteria.deadline.as_secs(),
            match_min_pct: f64::from(criteria.match_min.hundredths()) / 100.0,
            alarms_max: criteria.alarms_max,
        },
        comment: roll_out.comment.as_ref().map(ToString::to_string),
        author: roll_out.author.to_string(),
        created: roll_out.created.into(),
    }
}

fn because(reason: HaltReason) -> String {
    match reason {
        HaltReason::Operator => "an operator halted it".to_owned(),
        HaltReason::Alarms(ders) => format!("{ders} DER have an alarm"),
        HaltReason::Evidence { matching, of } => {
            format!("{matching} of {of} DER match after the deadline")
        }
    }
}

fn der_view(
    world: &World<'_>,
    roll_out: &RollOut,
    (id, stage): (DerId, usize),
) -> Option<RollOutDer> {
    let der = world.fleet.der(id)?;
    let heard = world
        .observations
        .get(id.index())
        .and_then(|seen| seen.last_contact);
    let standing = match roll_out.reached(id) {
        Some(_) => standing(world.fleet, der, roll_out.profile, heard),
        None => Standing::Ahead,
    };
    Some(RollOutDer {
        der: der.mrid.to_string(),
        stage,
        standing: standing.into(),
        drifts: world.fleet.settings().drifts_of(id).count(),
    })
}
