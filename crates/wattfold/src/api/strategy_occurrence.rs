//! Occurrences of strategies: what came of those that are past, when the next ones are, and whether
//! the next dispatch could be made now.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use fleet::dispatch::assess::World;
use fleet::dispatch::{LinearLimit, reconcile};
use fleet::strategy::threshold::Told;
use fleet::strategy::{
    Measured, Missed, Occurrence, Outcome, Progress, Standing, Strategy, Trigger,
};
use fleet::{Command, Dispatch, DispatchId, Event, Fleet, NewDispatch, Rejection};
use serde::{Deserialize, Serialize};
use units::{Timestamp, Zone};
use utoipa::{IntoParams, ToSchema};

use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::request::{Named, Params};
use crate::api::strategy::find;
use crate::api::value::Time;

/// Longest window of occurrences, and how far ahead the next one is looked for.
pub const MAX_WINDOW: Duration = Duration::from_secs(366 * 86_400);
/// How far the window reaches back and ahead when the request does not say.
const DEFAULT_REACH: Duration = Duration::from_secs(31 * 86_400);

/// What came of an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OccurrenceOutcome {
    /// It is to come, by the calendar.
    Upcoming,
    /// A dispatch was made.
    Created,
    /// A dispatch was refused.
    Refused,
    /// Its time had passed: the server was down, or the dispatch before it was not over.
    Missed,
}

/// A time at which a dispatch of a strategy is or was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StrategyOccurrence {
    /// When the dispatch begins, or was to begin.
    pub start: Time,
    /// When that was decided; null when it is to come.
    #[schema(required)]
    pub decided_at: Option<Time>,
    /// What came of it.
    pub outcome: OccurrenceOutcome,
    /// mRID of the dispatch that was made, or of the one that was in its way; null without one.
    #[schema(required)]
    pub dispatch: Option<String>,
    /// Why no dispatch was made; null where one was or is to be.
    #[schema(required)]
    pub reason: Option<String>,
}

/// Occurrences in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StrategyOccurrences {
    /// The last 256 that are decided, and those to come.
    pub items: Vec<StrategyOccurrence>,
}

/// Which occurrences are wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OccurrenceQuery {
    /// From when they begin; 31 days ago without it.
    pub from: Option<Time>,
    /// Until when they begin, at most 366 days later; in 31 days without it.
    pub to: Option<Time>,
}

/// What is known of the power that a strategy watches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct GaugeReading {
    /// It is at least this, in W, whatever DER do that are not heard.
    pub least_w: f64,
    /// It is at most this, in W.
    pub most_w: f64,
    /// The limit, in W; null where it is none.
    #[schema(required)]
    pub max_w: Option<f64>,
    /// Whether it is above its level; null where that can't be told.
    #[schema(required)]
    pub is_above: Option<bool>,
}

/// The next dispatch of a strategy, as it would be made now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StrategyPreview {
    /// When it begins: the next time of the calendar, or after the lead if its level were exceeded now.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// When it is made.
    pub made_at: Time,
    /// Its mRID.
    pub dispatch: String,
    /// Whether it could be made with what members do and can do now.
    pub is_feasible: bool,
    /// Why not; null where it could.
    #[schema(required)]
    pub reason: Option<String>,
    /// Members that it would ask for something.
    pub asked: usize,
    /// What it watches; null where it follows the calendar, or nothing is known.
    #[schema(required)]
    pub gauge: Option<GaugeReading>,
}

/// List the occurrences of a strategy: what came of those that are decided, and those that are to come
/// by the calendar.
#[utoipa::path(get, path = "/api/v1/strategies/{mrid}/occurrences", operation_id = "list_strategy_occurrences",
    tag = "strategies", params(("mrid" = String, Path, description = "mRID"), OccurrenceQuery),
    responses((status = 200, body = StrategyOccurrences), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Named(mrid): Named,
    Params(query): Params<OccurrenceQuery>,
) -> Result<Json<StrategyOccurrences>, Problem> {
    api.world(|world| {
        let (strategy, progress) = find(world.fleet, &mrid)?;
        let from = query
            .from
            .map_or(world.now.before(DEFAULT_REACH), |it| it.0);
        let to = query.to.map_or(world.now.after(DEFAULT_REACH), |it| it.0);
        if to < from || from.after(MAX_WINDOW) < to {
            let rule = "is not before from, and at most 366 days after it";
            return Err(Problem::field("to", rule));
        }
        let decided = progress.occurrences.iter();
        let decided = decided.filter(|it| from <= it.start && it.start <= to);
        let mut items: Vec<StrategyOccurrence> = decided
            .map(|it| StrategyOccurrence::of(world.fleet, it))
            .collect();
        let after = from.before(Duration::from_millis(1));
        let coming = coming(api.node.zone(), (strategy, progress), (after, to));
        items.extend(coming.into_iter().map(StrategyOccurrence::upcoming));
        items.sort_by_key(|it| it.start);
        Ok(Json(StrategyOccurrences { items }))
    })
}

/// Show the next dispatch of a strategy, and whether it could be made now. Nothing is made.
#[utoipa::path(get, path = "/api/v1/strategies/{mrid}/preview", operation_id = "preview_strategy",
    tag = "strategies", params(("mrid" = String, Path, description = "mRID")),
    responses((status = 200, body = StrategyPreview), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn preview(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<StrategyPreview>, Problem> {
    let (strategy, start) = api.world(|world| {
        let (strategy, progress) = find(world.fleet, &mrid)?;
        let start = match &strategy.trigger {
            Trigger::Calendar(_) => next(api.node.zone(), (strategy, progress), world.now),
            Trigger::Threshold(_) if strategy.standing == Standing::Retired => None,
            Trigger::Threshold(_) => Some(world.now.ceil_secs().after(strategy.template.lead)),
        };
        let kind = crate::api::problem::Kind::Conflict;
        let none = || Problem::new(kind, "no dispatch is to come within 366 days");
        Ok::<_, Problem>((strategy.clone(), start.ok_or_else(none)?))
    })?;
    let look = move |world: &World<'_>, limits: &[LinearLimit]| {
        let new = strategy.dispatch_at(start);
        let made_at = world.now.max(start.before(strategy.template.lead));
        let tried = attempt(world, &new, limits, made_at);
        let gauge = match &strategy.trigger {
            Trigger::Calendar(_) => None,
            Trigger::Threshold(threshold) => {
                let measured = threshold.measured(world, limits);
                measured.map(|it| GaugeReading::of(it, threshold.told(measured)))
            }
        };
        Ok(StrategyPreview {
            start: start.into(),
            end: start.after(strategy.template.duration).into(),
            made_at: made_at.into(),
            dispatch: new.mrid.to_string(),
            is_feasible: tried.is_ok(),
            reason: tried.as_ref().err().map(ToString::to_string),
            asked: tried.unwrap_or(0),
            gauge,
        })
    };
    Ok(Json(api.planning(look).await?))
}

/// When the next dispatch begins by the calendar.
pub(super) fn next(
    zone: &Zone,
    (strategy, progress): (&Strategy, &Progress),
    now: Timestamp,
) -> Option<Timestamp> {
    let earliest = now.before(Strategy::TOLERANCE);
    let window = (earliest, now.after(MAX_WINDOW));
    coming(zone, (strategy, progress), window)
        .into_iter()
        .next()
}

/// What is to come by the calendar after the first instant and up to the second.
fn coming(
    zone: &Zone,
    (strategy, progress): (&Strategy, &Progress),
    (after, to): (Timestamp, Timestamp),
) -> Vec<Timestamp> {
    match &strategy.trigger {
        Trigger::Calendar(calendar) if strategy.standing == Standing::Running => {
            let starts = calendar.starts(zone, after.max(progress.settled), to);
            starts
                .filter(|at| !strategy.has_decided(progress, *at))
                .collect()
        }
        Trigger::Calendar(_) | Trigger::Threshold(_) => Vec::new(),
    }
}

/// Plans `new`, which is made at `made_at`, with what is known now; how many it asks.
fn attempt(
    world: &World<'_>,
    new: &NewDispatch,
    limits: &[LinearLimit],
    made_at: Timestamp,
) -> Result<usize, Rejection> {
    let command = Command::CreateDispatch(new.clone());
    let events = world.fleet.decide(&command, made_at)?;
    let mut asked = 0;
    for event in events {
        if let Event::DispatchCreated(dispatch) = event {
            let plan = reconcile::replan(world, &dispatch, limits)?;
            let mut ders: Vec<_> = plan.allocations.iter().map(|it| it.der).collect();
            ders.sort_unstable();
            ders.dedup();
            asked = ders.len();
            let planned = Dispatch {
                plan: Some(plan),
                ..dispatch
            };
            world.fleet.publish_if_ready(&planned, made_at)?;
        }
    }
    Ok(asked)
}

impl StrategyOccurrence {
    pub(super) fn of(fleet: &Fleet, occurrence: &Occurrence) -> Self {
        let mrid = |id: DispatchId| fleet.dispatch(id).map(|it| it.mrid.to_string());
        let (outcome, dispatch, reason) = match &occurrence.outcome {
            Outcome::Created(id) => (OccurrenceOutcome::Created, mrid(*id), None),
            Outcome::Refused(note) => (OccurrenceOutcome::Refused, None, Some(note.to_string())),
            Outcome::Missed(Missed::Down) => {
                let reason = "nobody looked at it in time: the server was down";
                (OccurrenceOutcome::Missed, None, Some(reason.to_owned()))
            }
            Outcome::Missed(Missed::Open(id)) => {
                let reason = "the dispatch before it was not over";
                (
                    OccurrenceOutcome::Missed,
                    mrid(*id),
                    Some(reason.to_owned()),
                )
            }
        };
        Self {
            start: occurrence.start.into(),
            decided_at: Some(occurrence.decided.into()),
            outcome,
            dispatch,
            reason,
        }
    }

    fn upcoming(start: Timestamp) -> Self {
        Self {
            start: start.into(),
            decided_at: None,
            outcome: OccurrenceOutcome::Upcoming,
            dispatch: None,
            reason: None,
        }
    }
}

impl GaugeReading {
    fn of(measured: Measured, told: Told) -> Self {
        Self {
            least_w: measured.lo.as_f64(),
            most_w: measured.hi.as_f64(),
            max_w: measured.max.map(units::Watts::as_f64),
            is_above: match told {
                Told::Above => Some(true),
                Told::Below | Told::Between => Some(false),
                Told::Unclear => None,
            },
        }
    }
}
