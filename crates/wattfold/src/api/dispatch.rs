//! Dispatches: a schedule of net active power for a group, and how it is going.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use fleet::dispatch::Standing;
use fleet::dispatch::assess::World;
use fleet::{
    ActivePower, CimMrid, Command, Dispatch, DispatchPhase, Event, Fleet, Name, NewDispatch, Target,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use units::{Interval, Watts};
use utoipa::{IntoParams, ToSchema};

use crate::api::control::DeliveryStep;
use crate::api::judgement::{self, ControlIndex, Member, Meters, Outcome};
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::value::{MeasuredValue, Time, sum};
use crate::api::{Api, fresh_mrid};
use crate::auth::Principal;

/// Largest magnitude of a net target, in watts: a thousand gigawatts.
pub const MAX_TARGET_W: f64 = 1e12;
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
    /// Net active power of the group, in W, injection positive, members that can't be asked
    /// included.
    pub p_w: f64,
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
    /// Where it stands.
    pub phase: Phase,
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
}

/// Which dispatches are wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DispatchQuery {
    /// Where it stands.
    #[param(inline)]
    pub phase: Option<Phase>,
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
    /// Net active power of the group, in W, injection positive.
    pub p_w: f64,
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
        let all = world.fleet.dispatches().iter().rev();
        let wanted = all.filter(|d| query.phase.is_none_or(|p| p == d.phase(world.now).into()));
        let ids = wanted.map(|dispatch| dispatch.id);
        Slice::cut(ids, |id| id.0, Direction::Descending, &page)
    };
    let slice = api.world(slice)?;
    let meters = api.meters(&slice.rows).await?;
    Ok(Json(api.world(|world| {
        let found: Vec<&Dispatch> = slice
            .rows
            .iter()
            .filter_map(|id| world.fleet.dispatch(*id))
            .collect();
        let mut rows = rows(world, &found, &meters).into_iter();
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
    let new = api.world(|world| new_dispatch(world.fleet, &request))?;
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

async fn one(api: &Api, mrid: &str) -> Result<DispatchRow, Problem> {
    let id = api.world(|world| find(world.fleet, mrid).map(|dispatch| dispatch.id))?;
    let meters = api.meters(&[id]).await?;
    api.world(|world| {
        let dispatch = find(world.fleet, mrid)?;
        rows(world, &[dispatch], &meters)
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
fn new_dispatch(fleet: &Fleet, given: &DispatchRequest) -> Result<NewDispatch, Problem> {
    let mrid = match &given.mrid {
        Some(text) => CimMrid::new(text).map_err(|e| Problem::field("mrid", e.to_string()))?,
        None => fresh_mrid(),
    };
    let name = given.name.as_deref().map(Name::new).transpose();
    let group = CimMrid::new(&given.group)
        .ok()
        .and_then(|mrid| fleet.group_by_mrid(&mrid));
    let group = group.ok_or_else(|| Problem::field("group", "is not the mRID of a group"))?;
    if given.schedule.is_empty() || Fleet::MAX_INTERVALS < given.schedule.len() {
        let rule = format!("must have 1 to {} intervals", Fleet::MAX_INTERVALS);
        return Err(Problem::field("schedule", rule));
    }
    let intervals = given.schedule.iter().enumerate();
    let schedule: Result<Vec<Target>, Problem> = intervals
        .map(|(index, interval)| target(index, interval))
        .collect();
    Ok(NewDispatch {
        mrid,
        name: name.map_err(|e| Problem::field("name", e.to_string()))?,
        group: group.id,
        schedule: schedule?,
        ramp: given.ramp_s.map(|s| Duration::from_secs(u64::from(s))),
    })
}

fn target(index: usize, given: &RequestedInterval) -> Result<Target, Problem> {
    let field =
        |name: &str, rule: String| Problem::field(format!("schedule[{index}].{name}"), rule);
    if given.start.0.millis() % 1_000 != 0 {
        return Err(field("start", "must be a whole second".to_owned()));
    }
    if given.duration_s == 0 {
        return Err(field("duration_s", "must be at least 1".to_owned()));
    }
    if !(-MAX_TARGET_W..=MAX_TARGET_W).contains(&given.p_w) {
        return Err(field("p_w", format!("must be within ±{MAX_TARGET_W:e} W")));
    }
    let duration = Duration::from_secs(u64::from(given.duration_s));
    let interval = Interval {
        start: given.start.0,
        duration,
    };
    Ok(Target {
        interval,
        p: Watts::from_f64(given.p_w),
    })
}

/// The rows of `dispatches`, in their order.
pub(super) fn rows(
    world: &World<'_>,
    dispatches: &[&Dispatch],
    meters: &Meters,
) -> Vec<DispatchRow> {
    let index = judgement::controls(world.fleet, dispatches);
    dispatches
        .iter()
        .map(|dispatch| row(world, dispatch, &index, meters))
        .collect()
}

fn row(
    world: &World<'_>,
    dispatch: &Dispatch,
    index: &ControlIndex<'_>,
    meters: &Meters,
) -> DispatchRow {
    let ids = judgement::members(world.fleet, dispatch, index);
    let members = judgement::judge(world, dispatch, &ids, index, meters);
    let phase = dispatch.phase(world.now);
    let running = match phase {
        DispatchPhase::Running(index) => Some(&dispatch.schedule[index]),
        _ => None,
    };
    let open = !matches!(phase, DispatchPhase::Ended | DispatchPhase::Cancelled);
    DispatchRow {
        mrid: dispatch.mrid.to_string(),
        name: dispatch.name.as_ref().map(ToString::to_string),
        group: world.fleet.group(dispatch.group).map(|group| GroupRef {
            mrid: group.mrid.to_string(),
            title: group.title().to_owned(),
        }),
        phase: phase.into(),
        interval_index: match phase {
            DispatchPhase::Running(index) | DispatchPhase::Waiting(index) => Some(index),
            DispatchPhase::Scheduled | DispatchPhase::Ended | DispatchPhase::Cancelled => None,
        },
        schedule: dispatch.schedule.iter().map(scheduled).collect(),
        ramp_s: dispatch.ramp.as_secs_f64(),
        created_at: dispatch.created.into(),
        cancelled_at: dispatch.cancelled.map(Time),
        generation: dispatch.plan.as_ref().map_or(0, |plan| plan.generation),
        residue_w: residues(dispatch),
        late: late(world, dispatch),
        late_members: dispatch.plan.as_ref().map_or(0, |plan| plan.late.len()),
        told_late: members.iter().filter(|m| !m.told_late.is_empty()).count(),
        target_w: running.map(|target| target.p.as_f64()),
        measured_w: open.then(|| measured(world, &members)).flatten(),
        promised_w: running.map_or(0.0, |_| promised(world, &members).as_f64()),
        counts: count(
            members
                .iter()
                .filter_map(|m| m.state.map(DeliveryStep::from)),
        ),
        verdicts: count(members.iter().filter_map(|m| m.verdict.map(Outcome::from))),
    }
}

pub(super) fn scheduled(target: &Target) -> ScheduledInterval {
    ScheduledInterval {
        start: target.interval.start.into(),
        end: target.interval.end().into(),
        p_w: target.p.as_f64(),
    }
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

fn measured(world: &World<'_>, members: &[Member<'_>]) -> Option<MeasuredValue> {
    let reading = |member: &Member<'_>| {
        let heard = world.is_reachable(member.der.id);
        world
            .observation(member.der.id)
            .p
            .filter(|_| heard)
            .map(MeasuredValue::of_watts)
    };
    let readings: Vec<MeasuredValue> = members.iter().filter_map(reading).collect();
    sum(&readings, members.len())
}

fn promised(world: &World<'_>, members: &[Member<'_>]) -> Watts {
    let promise = |member: &Member<'_>| {
        if !world.is_reachable(member.der.id) {
            return Watts::ZERO;
        }
        let held = member.current.filter(|control| {
            let row = world.deliveries.own(control.id);
            control.interval.contains(world.now)
                && row.is_some_and(fleet::Delivery::is_known_to_device)
        });
        let share = held
            .and_then(|control| control.base.active())
            .map(ActivePower::p);
        let unasked = member.current.is_none() || member.standing == Standing::OptedOut;
        let metered = world
            .observation(member.der.id)
            .p
            .map(|reading| reading.value);
        share.or(metered.filter(|_| unasked)).unwrap_or(Watts::ZERO)
    };
    members.iter().map(promise).sum()
}

fn count<K: Ord>(keys: impl Iterator<Item = K>) -> BTreeMap<K, usize> {
    keys.fold(BTreeMap::new(), |mut counts, key| {
        *counts.entry(key).or_default() += 1;
        counts
    })
}
