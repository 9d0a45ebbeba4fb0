//! How well the alarms can be dealt with.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use fleet::Fleet;
use fleet::alarm::metrics::{Metrics, metrics};
use fleet::alarm::{Kind, Priority, State as Stand, Subject};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::Api;
use crate::api::alarm::{AlarmPriority, AlarmState, AlarmSubject, subject_view};
use crate::api::problem::Problem;
use crate::api::request::Params;
use crate::api::value::Time;

/// Longest time that metrics look back, in hours.
pub const MAX_HOURS: u32 = 720;
/// Most operating positions.
pub const MAX_POSITIONS: usize = 1_000;

/// Over which time, and for how many people.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MetricsQuery {
    /// How far to look back, 1 to 720 hours; 24 without it.
    pub hours: Option<u32>,
    /// Operating positions that share the alarms, 1 to 1000; 1 without it.
    pub positions: Option<usize>,
}

/// A stretch in which alarms come faster than they can be dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct FloodView {
    /// The beginning of the first period of ten minutes with more than ten alarms for each
    /// operating position.
    pub start: Time,
    /// The beginning of the first one after it with fewer than five; null while it goes on.
    #[schema(required)]
    pub end: Option<Time>,
    /// Annunciations in it.
    pub annunciations_count: usize,
}

/// An alarm that counts for much.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Contributor {
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub subject: AlarmSubject,
    /// What people call that.
    pub subject_name: String,
    /// How often it was annunciated; of one that chatters, absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annunciations_count: Option<usize>,
}

/// Annunciations of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct PriorityShare {
    /// Which.
    pub priority: AlarmPriority,
    /// How many.
    pub annunciations_count: usize,
    /// Of all, in percent.
    pub share_pct: f64,
    /// What the share should be, in percent.
    pub target_pct: u8,
}

/// Alarms in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StateCount {
    /// Which.
    pub state: AlarmState,
    /// How many.
    pub alarms_count: usize,
}

/// The load of alarms on operators (ANSI/ISA-18.2-2016, clause 16).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AlarmMetrics {
    /// From when.
    pub start: Time,
    /// Until when.
    pub end: Time,
    /// Operating positions that share the alarms.
    pub positions_count: usize,
    /// Annunciations in that time.
    pub annunciations_count: usize,
    /// In the last ten minutes, for each operating position; above one is a high load.
    pub last_ten_minutes: f64,
    /// The most in one period of ten minutes, for each operating position; above ten is a flood.
    pub peak_ten_minutes: f64,
    /// Periods of ten minutes with more than ten, in percent; the target is below 1.
    pub overloaded_pct: f64,
    /// Time in floods, in percent; the target is below 1.
    pub flood_pct: f64,
    /// Whether there is a flood now.
    pub in_flood: bool,
    /// The floods, oldest first.
    pub floods: Vec<FloodView>,
    /// The ten alarms that were annunciated most.
    pub contributors: Vec<Contributor>,
    /// Alarms annunciated three times within a minute; the target is none.
    pub chattering: Vec<Contributor>,
    /// Alarms that have stood for more than a day; the target is fewer than five.
    pub stale_count: usize,
    /// Alarms that gave their place to one of higher priority since the fleet was founded, as many as
    /// are kept being open; the target is none.
    pub displaced_count: u32,
    /// How priorities are distributed.
    pub priorities: Vec<PriorityShare>,
    /// Alarms that are not back to normal, by state.
    pub states: Vec<StateCount>,
}

/// Show how many alarms there are for the people who deal with them.
#[utoipa::path(get, path = "/api/v1/alarms/metrics", operation_id = "show_alarm_metrics", tag = "alarms",
    params(MetricsQuery),
    responses((status = 200, body = AlarmMetrics), (status = 422, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Params(query): Params<MetricsQuery>,
) -> Result<Json<AlarmMetrics>, Problem> {
    let hours = query.hours.unwrap_or(24);
    if !(1..=MAX_HOURS).contains(&hours) {
        return Err(Problem::field("hours", format!("must be 1 to {MAX_HOURS}")));
    }
    let positions = query.positions.unwrap_or(1);
    if !(1..=MAX_POSITIONS).contains(&positions) {
        let rule = format!("must be 1 to {MAX_POSITIONS}");
        return Err(Problem::field("positions", rule));
    }
    let lookback = Duration::from_secs(3_600 * u64::from(hours));
    Ok(Json(api.world(|world| {
        let found = metrics(world.fleet.alarms(), world.now, lookback, positions);
        view(world.fleet, &found, positions)
    })))
}

fn view(fleet: &Fleet, found: &Metrics, positions: usize) -> AlarmMetrics {
    let contributor = |kind: Kind, subject: &Subject, count: Option<usize>| {
        let (subject, subject_name) = subject_view(fleet, subject);
        Contributor {
            kind: kind.rationale().name.to_owned(),
            subject,
            subject_name,
            annunciations_count: count,
        }
    };
    let floods = found.floods.iter().map(|flood| FloodView {
        start: flood.interval.start.into(),
        end: (!flood.goes_on).then(|| flood.interval.end().into()),
        annunciations_count: flood.annunciations,
    });
    let contributors = found.contributors.iter();
    let contributors =
        contributors.map(|(kind, subject, count)| contributor(*kind, subject, Some(*count)));
    let chattering = found.chattering.iter();
    let chattering = chattering.map(|(kind, subject)| contributor(*kind, subject, None));
    let priorities = Priority::ALL.into_iter().map(|priority| {
        let count = found.by_priority.get(&priority).copied().unwrap_or(0);
        PriorityShare {
            priority: priority.into(),
            annunciations_count: count,
            share_pct: 100.0 * count as f64 / found.annunciations.max(1) as f64,
            target_pct: priority.target_pct(),
        }
    });
    let states = Stand::ALL
        .into_iter()
        .filter(|state| *state != Stand::Normal);
    let states = states.map(|state| StateCount {
        state: state.into(),
        alarms_count: found.by_state.get(&state).copied().unwrap_or(0),
    });
    AlarmMetrics {
        start: found.span.start.into(),
        end: found.span.end().into(),
        positions_count: positions,
        annunciations_count: found.annunciations,
        last_ten_minutes: found.last_period,
        peak_ten_minutes: found.peak_period,
        overloaded_pct: found.overloaded_pct,
        flood_pct: found.flood_pct,
        in_flood: found.in_flood,
        floods: floods.collect(),
        contributors: contributors.collect(),
        chattering: chattering.collect(),
        stale_count: found.stale,
        displaced_count: fleet.alarms().displaced_count(),
        priorities: priorities.collect(),
        states: states.collect(),
    }
}
