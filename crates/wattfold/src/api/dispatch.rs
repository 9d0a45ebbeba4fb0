//! Dispatches: a schedule of net active power for a group, and how it is going.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fleet::dispatch::assess::World;
use fleet::enrolment::{DemandResponseProgram, DemandResponseProgramId};
use fleet::{
    CimMrid, Command, Conduct, Dispatch, DispatchChange, DispatchPhase, Event, Fleet, Name,
    NewDispatch, Objective, Publish, Stage, Target,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use units::{Interval, Watts};
use utoipa::{IntoParams, ToSchema};

use crate::api::aim::AimView;
use crate::api::approval::{ApprovalNeed, ApprovalView, DispatchPriority};
use crate::api::control::DeliveryStep;
use crate::api::judgement::{Tallies, Tally};
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::settings_profile::author;
use crate::api::value::{MeasuredValue, Time};
use crate::api::verdict::Outcome;
use crate::api::{Api, fresh_mrid, strategy};
use crate::auth::Principal;

/// Most members shown that may be told too late.
pub const MAX_LATE_SHOWN: usize = 100;

/// Where a dispatch stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its first interval lies ahead.
    Scheduled,
    /// An interval is running.
    Running,
    /// Between two intervals.
    Waiting,
    /// All intervals are over.
    Ended,
    /// Called off.
    Cancelled,
}

impl From<DispatchPhase> for Phase {
    fn from(phase: DispatchPhase) -> Self {
        match phase {
            DispatchPhase::Scheduled => Self::Scheduled,
            DispatchPhase::Running(_) => Self::Running,
            DispatchPhase::Waiting(_) => Self::Waiting,
            DispatchPhase::Ended => Self::Ended,
            DispatchPhase::Cancelled => Self::Cancelled,
        }
    }
}

/// A group by name.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct GroupRef {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// Its first name, else its mRID.
    pub title: String,
}

/// One interval of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ScheduledInterval {
    /// When it begins.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// What was asked for.
    pub aim: AimView,
    /// What that comes to as net active power of the group by the plan in force, in W, injection
    /// positive, members that can't be asked included; 0 before there is a plan that tells.
    pub p_w: f64,
}

/// How far a dispatch has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchState {
    /// It has no plan.
    Drafted,
    /// It has a plan and waits for approvals.
    Planned,
    /// It has every approval that it needs and is not published.
    Approved,
    /// Its controls are let out; it has not begun.
    Published,
    /// It has begun.
    Active,
    /// It is over.
    Ended,
    /// Called off.
    Cancelled,
}

/// What a published dispatch is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchStage {
    /// Members know of it; it has not begun.
    Notice,
    /// Members move to their shares.
    RampIn,
    /// Members hold their shares.
    Sustain,
    /// Members let go.
    Release,
    /// Members rest.
    Recovery,
}

impl From<Stage> for DispatchStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Notice => Self::Notice,
            Stage::RampIn => Self::RampIn,
            Stage::Sustain => Self::Sustain,
            Stage::Release => Self::Release,
            Stage::Recovery => Self::Recovery,
        }
    }
}

/// By what the members of a dispatch are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchObjective {
    /// Each by the same fraction of what it can do.
    #[default]
    ProRata,
    /// The cheapest first, by what their contracts pay.
    LeastCost,
    /// Those first that were asked least in the last 30 days.
    LeastUsed,
    /// As few as possible.
    FewestDevices,
}

impl From<Objective> for DispatchObjective {
    fn from(objective: Objective) -> Self {
        match objective {
            Objective::ProRata => Self::ProRata,
            Objective::LeastCost => Self::LeastCost,
            Objective::LeastUsed => Self::LeastUsed,
            Objective::FewestDevices => Self::FewestDevices,
        }
    }
}

impl From<DispatchObjective> for Objective {
    fn from(objective: DispatchObjective) -> Self {
        match objective {
            DispatchObjective::ProRata => Self::ProRata,
            DispatchObjective::LeastCost => Self::LeastCost,
            DispatchObjective::LeastUsed => Self::LeastUsed,
            DispatchObjective::FewestDevices => Self::FewestDevices,
        }
    }
}

/// When a dispatch is let out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchPublication {
    /// As soon as everybody who has to has approved of it.
    #[default]
    WhenApproved,
    /// When it is told to.
    OnCommand,
}

impl From<Publish> for DispatchPublication {
    fn from(publish: Publish) -> Self {
        match publish {
            Publish::WhenApproved => Self::WhenApproved,
            Publish::OnCommand => Self::OnCommand,
        }
    }
}

impl From<DispatchPublication> for Publish {
    fn from(publish: DispatchPublication) -> Self {
        match publish {
            DispatchPublication::WhenApproved => Self::WhenApproved,
            DispatchPublication::OnCommand => Self::OnCommand,
        }
    }
}

/// A member that may be told too late.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LateMember {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// Name.
    pub name: String,
    /// By how much, in s, its notice is shorter than the time that it may take to know.
    pub by_s: f64,
}

/// A dispatch.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DispatchRow {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// Name, if given.
    #[schema(required)]
    pub name: Option<String>,
    /// The group that delivers; null once it is deleted.
    #[schema(required)]
    pub group: Option<GroupRef>,
    /// Where its schedule stands.
    pub phase: Phase,
    /// How far it has come.
    pub state: DispatchState,
    /// What it is doing; null when it is not published or all is over.
    #[schema(required)]
    pub stage: Option<DispatchStage>,
    /// mRID of the demand response programme whose event it is.
    #[schema(required)]
    pub program: Option<String>,
    /// mRID of the strategy that made it; null for one that was made by hand.
    #[schema(required)]
    pub strategy: Option<String>,
    /// How urgent it is.
    pub priority: DispatchPriority,
    /// By what its members are chosen.
    pub objective: DispatchObjective,
    /// Over how long members let go at its end, in s.
    pub release_s: u64,
    /// Account that made it; null for one of another system.
    #[schema(required)]
    pub author: Option<String>,
    /// Approvals that were given.
    pub approvals: Vec<ApprovalView>,
    /// Approvals that it needs and has not got.
    pub missing_approvals: Vec<ApprovalNeed>,
    /// When its controls were let out, if they were.
    #[schema(required)]
    pub published_at: Option<Time>,
    /// Index of the interval that runs or comes next between two, from 0.
    #[schema(required)]
    pub interval_index: Option<usize>,
    /// The intervals in order.
    pub schedule: Vec<ScheduledInterval>,
    /// How long each interval's ramp may take, in s; delivery is judged after it.
    pub ramp_s: f64,
    /// When it was accepted.
    pub created_at: Time,
    /// When it was called off, if it was.
    #[schema(required)]
    pub cancelled_at: Option<Time>,
    /// Generation of the plan in force, from 1; 0 before there is one.
    pub generation: u32,
    /// By interval: the part of the target, in W, that the plan in force gives to nobody; null
    /// for intervals that it no longer covers.
    pub residue_w: Vec<Option<f64>>,
    /// Members to which the plan in force gives shorter notice than the time they may take to
    /// know, those that lack most first; at most 100 are shown.
    pub late: Vec<LateMember>,
    /// How many such members there are.
    pub late_members: usize,
    /// Members that learned of a control after it was to begin, or have not learned of it though it
    /// was.
    pub told_late: usize,
    /// Net target now, in W, injection positive; null outside its intervals.
    #[schema(required)]
    pub target_w: Option<f64>,
    /// Sum of what the members' meters last read, in W, injection positive; silent members are
    /// left out and make it an estimate. Null once the dispatch is over.
    #[schema(required)]
    pub measured_w: Option<MeasuredValue>,
    /// What can be counted on now, in W, injection positive: shares that reachable devices hold,
    /// and the metered power of reachable members that are not asked; silent members count as
    /// zero. Zero outside the intervals.
    pub promised_w: f64,
    /// Members by how far their control of now has come.
    pub counts: BTreeMap<DeliveryStep, usize>,
    /// Members by outcome so far.
    pub verdicts: BTreeMap<Outcome, usize>,
    /// Energy asked of its members so far, in Wh: like the three below exactly the sum of the rows
    /// of its deliveries.
    pub asked_wh: f64,
    /// Energy metered in that time, in Wh.
    pub delivered_wh: f64,
    /// Energy held back in that time, in Wh.
    pub curtailed_wh: f64,
    /// How far off `curtailed_wh` may be, in Wh, if all members err to the same side.
    pub curtailed_uncertainty_wh: f64,
}

/// Which dispatches are wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DispatchQuery {
    /// Where it stands.
    #[param(inline)]
    pub phase: Option<Phase>,
    /// mRID of the strategy that made it.
    pub strategy: Option<String>,
    /// Most items to answer with, 1 to 1000; 100 without it.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<u32>,
}

/// One interval that is asked for.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestedInterval {
    /// When it begins, on a whole second.
    pub start: Time,
    /// How long it lasts, in whole seconds.
    pub duration_s: u32,
    /// Net active power of the group, in W, injection positive. Of this and the fields below exactly
    /// one is given.
    pub p_w: Option<f64>,
    /// So much more than the members do unasked when the dispatch is first planned, in W.
    pub delta_w: Option<f64>,
    /// So much of the way from what the members do unasked to the most that they can do, in percent;
    /// negative for the least, -100 to 100.
    pub pct: Option<f64>,
    /// No more than this, in W.
    pub at_most_w: Option<f64>,
    /// No less than this, in W.
    pub at_least_w: Option<f64>,
    /// All that contracts sell at this price for a kWh.
    pub price_per_kwh: Option<f64>,
}

/// A dispatch that is asked for.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchRequest {
    /// mRID of the group that is to deliver.
    pub group: String,
    /// Intervals in order, without overlap, 1 to 1000.
    pub schedule: Vec<RequestedInterval>,
    /// Name, 1 to 64 characters.
    pub name: Option<String>,
    /// IEC 61968 mRID; a UUID is assigned when absent.
    pub mrid: Option<String>,
    /// How long each interval's ramp may take, in whole seconds; 60 or half of the shortest
    /// interval when absent.
    pub ramp_s: Option<u32>,
    /// mRID of the demand response programme whose event it is; its terms hold.
    pub program: Option<String>,
    /// How urgent it is. A more urgent dispatch takes the members of its group from a less urgent one
    /// for its intervals.
    #[serde(default)]
    pub priority: DispatchPriority,
    /// By what members are chosen.
    #[serde(default)]
    pub objective: DispatchObjective,
    /// When it is let out.
    #[serde(default)]
    pub publish: DispatchPublication,
    /// Over how long members let go at its end, in whole seconds, at most 3600; 0 when absent.
    #[serde(default)]
    pub release_s: u32,
}

/// A change of a dispatch; what is absent stays. Of one that is published the intervals that have
/// begun stay, but for the end of the one that runs.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchPatch {
    /// Name, 1 to 64 characters.
    pub name: Option<String>,
    /// The whole schedule.
    pub schedule: Option<Vec<RequestedInterval>>,
    /// How long each interval's ramp may take, in whole seconds.
    pub ramp_s: Option<u32>,
    /// By what members are chosen.
    pub objective: Option<DispatchObjective>,
    /// How urgent it is.
    pub priority: Option<DispatchPriority>,
}

/// List the dispatches, the newest first.
#[utoipa::path(get, path = "/api/v1/dispatches", operation_id = "list_dispatches", tag = "dispatches", params(DispatchQuery),
    responses((status = 200, body = Page<DispatchRow>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<DispatchQuery>,
) -> Result<Json<Page<DispatchRow>>, Problem> {
    let slice = |world: &World<'_>| {
        let page = PageQuery {
            limit: query.limit,
            after: query.after,
        };
        let strategy = query.strategy.as_deref();
        let strategy = strategy.map(|mrid| strategy::find(world.fleet, mrid));
        let strategy = strategy.transpose()?.map(|(it, _)| it.id);
        let maker = |d: &Dispatch| world.fleet.strategies().maker_of(d.id);
        let made = |d: &Dispatch| maker(d).map(|it| it.id);
        let all = world.fleet.dispatches().iter().rev();
        let wanted = all
            .filter(|d| query.phase.is_none_or(|p| p == d.phase(world.now).into()))
            .filter(|d| strategy.is_none_or(|id| made(d) == Some(id)));
        let ids = wanted.map(|dispatch| dispatch.id);
        Slice::cut(ids, |id| id.0, Direction::Descending, &page)
    };
    let slice = api.world(slice)?;
    let tallies = api.tallies(&slice.rows).await?;
    Ok(Json(api.world(|world| {
        let found: Vec<&Dispatch> = slice
            .rows
            .iter()
            .filter_map(|id| world.fleet.dispatch(*id))
            .collect();
        let mut rows = rows(world, &found, &tallies).into_iter();
        slice.render_all(|_| rows.next())
    })))
}

/// Show one dispatch.
#[utoipa::path(get, path = "/api/v1/dispatches/{mrid}", operation_id = "show_dispatch", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = DispatchRow), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<DispatchRow>, Problem> {
    one(&api, &mrid).await.map(Json)
}

/// Dispatch a group. It is planned at once: refused when its members can't reach the targets.
#[utoipa::path(post, path = "/api/v1/dispatches", operation_id = "create_dispatch", tag = "dispatches",
    request_body = DispatchRequest,
    responses((status = 201, body = DispatchRow), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<DispatchRequest>,
) -> Result<Response, Problem> {
    let author = author(&principal)?;
    let new = api.world(|world| new_dispatch(world.fleet, &request, author))?;
    let mrid = new.mrid.to_string();
    let events = api
        .command_one(&principal, Command::CreateDispatch(new))
        .await?;
    if !events
        .iter()
        .any(|event| matches!(event, Event::DispatchCreated(_)))
    {
        return Err(Problem::lost());
    }
    let row = one(&api, &mrid).await?;
    Ok((StatusCode::CREATED, Json(row)).into_response())
}

/// Change, extend or shorten a dispatch. It is planned anew: refused when its members can't reach the
/// targets. Approvals of one that is not published are void then.
#[utoipa::path(patch, path = "/api/v1/dispatches/{mrid}", operation_id = "change_dispatch", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = DispatchPatch,
    responses((status = 200, body = DispatchRow), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(patch): Body<DispatchPatch>,
) -> Result<Json<DispatchRow>, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|dispatch| dispatch.id))?;
    let change = DispatchChange {
        name: name(patch.name.as_deref())?,
        schedule: patch.schedule.as_deref().map(schedule).transpose()?,
        ramp: patch.ramp_s.map(|s| Duration::from_secs(s.into())),
        objective: patch.objective.map(Into::into),
        priority: patch.priority.map(Into::into),
        by: Some(author(&principal)?),
    };
    api.command_one(&principal, Command::ChangeDispatch(id, change))
        .await?;
    one(&api, &mrid).await.map(Json)
}

/// Call a dispatch off. Its controls that are not over are withdrawn.
#[utoipa::path(post, path = "/api/v1/dispatches/{mrid}/cancel", operation_id = "cancel_dispatch", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = DispatchRow), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn cancel(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<Json<DispatchRow>, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|dispatch| dispatch.id))?;
    api.command_one(&principal, Command::CancelDispatch(id))
        .await?;
    one(&api, &mrid).await.map(Json)
}

pub(super) async fn one(api: &Api, mrid: &str) -> Result<DispatchRow, Problem> {
    let id = api.world(|world| find(world.fleet, mrid).map(|dispatch| dispatch.id))?;
    let tallies = api.tallies(&[id]).await?;
    api.world(|world| {
        let dispatch = find(world.fleet, mrid)?;
        rows(world, &[dispatch], &tallies)
            .pop()
            .ok_or_else(Problem::lost)
    })
}

/// The dispatch of this mRID, or the answer that there is none.
pub(super) fn find<'a>(fleet: &'a Fleet, mrid: &str) -> Result<&'a Dispatch, Problem> {
    CimMrid::new(mrid)
        .ok()
        .and_then(|mrid| fleet.dispatch_by_mrid(&mrid))
        .ok_or_else(|| Problem::not_found("dispatch", mrid))
}

/// The command's content, each field checked.
fn new_dispatch(
    fleet: &Fleet,
    given: &DispatchRequest,
    author: Name,
) -> Result<NewDispatch, Problem> {
    let mrid = match &given.mrid {
        Some(text) => CimMrid::new(text).map_err(|e| Problem::field("mrid", e.to_string()))?,
        None => fresh_mrid(),
    };
    let group = CimMrid::new(&given.group)
        .ok()
        .and_then(|mrid| fleet.group_by_mrid(&mrid));
    let group = group.ok_or_else(|| Problem::field("group", "is not the mRID of a group"))?;
    let program = given.program.as_deref().map(|mrid| {
        let known = CimMrid::new(mrid).ok();
        let known = known.and_then(|mrid| fleet.enrolment().programs().index_of(&mrid));
        known.ok_or_else(|| Problem::field("program", "is not the mRID of a programme"))
    });
    Ok(NewDispatch {
        mrid,
        name: name(given.name.as_deref())?,
        group: group.id,
        schedule: schedule(&given.schedule)?,
        ramp: given.ramp_s.map(|s| Duration::from_secs(u64::from(s))),
        conduct: Conduct {
            program: program.transpose()?.map(DemandResponseProgramId),
            priority: given.priority.into(),
            objective: given.objective.into(),
            publish: given.publish.into(),
            release: Duration::from_secs(given.release_s.into()),
            author: Some(author),
            revised_by: BTreeSet::new(),
        },
    })
}

fn name(given: Option<&str>) -> Result<Option<Name>, Problem> {
    let name = given.map(Name::new).transpose();
    name.map_err(|e| Problem::field("name", e.to_string()))
}

fn schedule(given: &[RequestedInterval]) -> Result<Vec<Target>, Problem> {
    if given.is_empty() || Fleet::MAX_INTERVALS < given.len() {
        let rule = format!("must have 1 to {} intervals", Fleet::MAX_INTERVALS);
        return Err(Problem::field("schedule", rule));
    }
    let intervals = given.iter().enumerate();
    intervals
        .map(|(index, interval)| {
            let target = interval.read();
            target.map_err(|problem| problem.under(&format!("schedule[{index}]")))
        })
        .collect()
}

impl RequestedInterval {
    fn read(&self) -> Result<Target, Problem> {
        if self.start.0.millis() % 1_000 != 0 {
            return Err(Problem::field("start", "must be a whole second"));
        }
        if self.duration_s == 0 {
            return Err(Problem::field("duration_s", "must be at least 1"));
        }
        let aim = AimView {
            p_w: self.p_w,
            delta_w: self.delta_w,
            pct: self.pct,
            at_most_w: self.at_most_w,
            at_least_w: self.at_least_w,
            price_per_kwh: self.price_per_kwh,
        };
        let duration = Duration::from_secs(u64::from(self.duration_s));
        let interval = Interval {
            start: self.start.0,
            duration,
        };
        Ok(Target {
            interval,
            aim: aim.read()?,
        })
    }
}

/// The rows of `dispatches`, in their order.
pub(super) fn rows(
    world: &World<'_>,
    dispatches: &[&Dispatch],
    tallies: &Tallies,
) -> Vec<DispatchRow> {
    let none = Tally::default();
    let tally = |dispatch: &Dispatch| tallies.get(&dispatch.id).unwrap_or(&none);
    dispatches
        .iter()
        .map(|dispatch| row(world, dispatch, tally(dispatch)))
        .collect()
}

fn row(world: &World<'_>, dispatch: &Dispatch, tally: &Tally) -> DispatchRow {
    let phase = dispatch.phase(world.now);
    let running = match phase {
        DispatchPhase::Running(index) => dispatch.target_p(index),
        _ => None,
    };
    let missing = world.fleet.missing_approvals(dispatch);
    let (verdicts, energy) = (tally.total.verdicts.iter(), tally.total.energy);
    let open = !matches!(phase, DispatchPhase::Ended | DispatchPhase::Cancelled);
    DispatchRow {
        mrid: dispatch.mrid.to_string(),
        name: dispatch.name.as_ref().map(ToString::to_string),
        group: world.fleet.group(dispatch.group).map(|group| GroupRef {
            mrid: group.mrid.to_string(),
            title: group.title().to_owned(),
        }),
        phase: phase.into(),
        state: state(world.fleet, dispatch, phase),
        stage: stage(world, dispatch).map(Into::into),
        program: program(world.fleet, dispatch).map(|p| p.mrid.to_string()),
        strategy: world
            .fleet
            .strategies()
            .maker_of(dispatch.id)
            .map(|strategy| strategy.mrid.to_string()),
        priority: dispatch.conduct.priority.into(),
        objective: dispatch.conduct.objective.into(),
        release_s: dispatch.conduct.release.as_secs(),
        author: dispatch.conduct.author.as_ref().map(ToString::to_string),
        approvals: dispatch.approvals.iter().map(Into::into).collect(),
        missing_approvals: missing.into_iter().map(Into::into).collect(),
        published_at: dispatch.published.map(Time),
        interval_index: match phase {
            DispatchPhase::Running(index) | DispatchPhase::Waiting(index) => Some(index),
            DispatchPhase::Scheduled | DispatchPhase::Ended | DispatchPhase::Cancelled => None,
        },
        schedule: scheduled(dispatch),
        ramp_s: dispatch.ramp.as_secs_f64(),
        created_at: dispatch.created.into(),
        cancelled_at: dispatch.cancelled.map(Time),
        generation: dispatch.plan.as_ref().map_or(0, |plan| plan.generation),
        residue_w: residues(dispatch),
        late: late(world, dispatch),
        late_members: dispatch.plan.as_ref().map_or(0, |plan| plan.late.len()),
        told_late: tally.told_late,
        target_w: running.map(Watts::as_f64),
        measured_w: open.then(|| tally.measured()).flatten(),
        promised_w: running.map_or(0.0, |_| tally.promised.as_f64()),
        counts: tally.counts.clone(),
        verdicts: verdicts
            .map(|(verdict, n)| ((*verdict).into(), *n))
            .collect(),
        asked_wh: energy.asked.as_f64(),
        delivered_wh: energy.metered.as_f64(),
        curtailed_wh: energy.curtailed.as_f64(),
        curtailed_uncertainty_wh: energy.curtailed_uncertainty.as_f64(),
    }
}

fn state(fleet: &Fleet, dispatch: &Dispatch, phase: DispatchPhase) -> DispatchState {
    let is_approved = fleet.missing_approvals(dispatch).is_empty();
    match phase {
        DispatchPhase::Cancelled => DispatchState::Cancelled,
        DispatchPhase::Ended => DispatchState::Ended,
        _ if dispatch.plan.is_none() => DispatchState::Drafted,
        _ if dispatch.published.is_none() && is_approved => DispatchState::Approved,
        _ if dispatch.published.is_none() => DispatchState::Planned,
        DispatchPhase::Scheduled => DispatchState::Published,
        DispatchPhase::Running(_) | DispatchPhase::Waiting(_) => DispatchState::Active,
    }
}

fn program<'a>(fleet: &'a Fleet, dispatch: &Dispatch) -> Option<&'a DemandResponseProgram> {
    fleet
        .enrolment()
        .programs()
        .get(dispatch.conduct.program?.0)
}

fn stage(world: &World<'_>, dispatch: &Dispatch) -> Option<Stage> {
    let start = dispatch.span()?.start;
    let terms = program(world.fleet, dispatch).and_then(|program| program.terms.at(start));
    dispatch.stage(
        world.now,
        terms.map_or(Duration::ZERO, |terms| terms.recovery),
    )
}

pub(super) fn scheduled(dispatch: &Dispatch) -> Vec<ScheduledInterval> {
    let numbered = dispatch.schedule.iter().enumerate();
    let interval = |(index, target): (usize, &Target)| ScheduledInterval {
        start: target.interval.start.into(),
        end: target.interval.end().into(),
        aim: target.aim.into(),
        p_w: dispatch.target_p(index).map_or(0.0, Watts::as_f64),
    };
    numbered.map(interval).collect()
}

fn late(world: &World<'_>, dispatch: &Dispatch) -> Vec<LateMember> {
    let mut late = dispatch
        .plan
        .as_ref()
        .map_or_else(Vec::new, |p| p.late.clone());
    late.sort_by_key(|(der, by)| (Reverse(*by), *der));
    late.truncate(MAX_LATE_SHOWN);
    let shown = late.into_iter().filter_map(|(der, by)| {
        let der = world.fleet.der(der)?;
        Some(LateMember {
            mrid: der.mrid.to_string(),
            name: der.name.to_string(),
            by_s: by.as_secs_f64(),
        })
    });
    shown.collect()
}

fn residues(dispatch: &Dispatch) -> Vec<Option<f64>> {
    let balances = dispatch
        .plan
        .as_ref()
        .map_or(&[][..], |plan| plan.balances.as_slice());
    let mut residues = vec![None; dispatch.schedule.len()];
    for balance in balances {
        if let Some(residue) = residues.get_mut(balance.interval as usize) {
            *residue = Some(balance.residue.as_f64());
        }
    }
    residues
}
