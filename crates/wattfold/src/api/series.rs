//! Target and measured power of a dispatch over time.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use fleet::Dispatch;
use fleet::dispatch::assess::World;
use serde::Serialize;
use units::{Interval, Timestamp, WattHours, Watts};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::dispatch::find;
use crate::api::judgement::{self, Meters};
use crate::api::problem::Problem;
use crate::api::request::Named;
use crate::api::value::Time;

/// Most points of a series, less one.
const MAX_STEPS: u64 = 600;

/// Target and measured power of a dispatch over time.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Series {
    /// Half width of the band within which an interval counts as delivered, in percent of the
    /// target.
    pub tolerance_pct: f64,
    /// Power over time, at most 601 points.
    pub points: Vec<SeriesPoint>,
    /// The intervals that have begun, ramps left out.
    pub intervals: Vec<SeriesInterval>,
}

/// Power at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct SeriesPoint {
    /// When.
    pub at: Time,
    /// Net target, in W, injection positive; null outside the intervals.
    #[schema(required)]
    pub target_w: Option<f64>,
    /// Sum of the members' latest readings at that instant, in W, injection positive; null
    /// when no member has one.
    #[schema(required)]
    pub measured_w: Option<f64>,
    /// Of members whose latest reading is too old to count: what they read then, in W, injection
    /// positive. Not part of `measured_w`.
    pub silent_w: f64,
}

/// One interval, ramp left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct SeriesInterval {
    /// When the interval begins.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// Net target, in W, injection positive.
    pub p_w: f64,
    /// Target energy after the ramp, up to now while it runs, in Wh, injection positive.
    pub asked_wh: f64,
    /// Sum of the members' metered energy in the same time, in Wh, injection positive; members
    /// without a reading in it count as nothing. Null before the ramp is over.
    #[schema(required)]
    pub delivered_wh: Option<f64>,
    /// Deviation of the delivered from the asked energy, in percent of the magnitude asked; null
    /// when there is nothing to compare.
    #[schema(required)]
    pub error_pct: Option<f64>,
}

/// Show the target and measured power of a dispatch over time.
#[utoipa::path(get, path = "/api/v1/dispatches/{mrid}/series", operation_id = "show_dispatch_series", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = Series), (status = 404, body = Problem)))]
pub(super) async fn series(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<Series>, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|dispatch| dispatch.id))?;
    let meters = api.meters_of(id).await?;
    api.world(|world| {
        let dispatch = find(world.fleet, &mrid)?;
        Ok(Json(Series {
            tolerance_pct: world.policy.tolerance.as_f64(),
            points: points(world, dispatch, &meters),
            intervals: intervals(world, dispatch, &meters),
        }))
    })
}

fn points(world: &World<'_>, dispatch: &Dispatch, meters: &Meters) -> Vec<SeriesPoint> {
    let Some(span) = judgement::span(dispatch, world.now) else {
        return Vec::new();
    };
    let whole_ms = u64::try_from(span.duration.as_millis()).unwrap_or(u64::MAX);
    let step_ms = whole_ms.div_ceil(MAX_STEPS).div_ceil(1_000).max(1) * 1_000;
    let step = Duration::from_millis(step_ms);
    let count = usize::try_from(whole_ms / step_ms).unwrap_or_default() + 1;
    let mut points: Vec<SeriesPoint> =
        std::iter::successors(Some(span.start), |at| Some(at.after(step)))
            .take(count)
            .map(|at| SeriesPoint {
                at: Time(at),
                target_w: target_at(dispatch, at),
                measured_w: None,
                silent_w: 0.0,
            })
            .collect();
    for readings in meters.all() {
        let mut next = readings.p().peekable();
        let mut latest = None;
        for point in &mut points {
            while let Some(reading) = next.next_if(|(at, _)| *at <= point.at.0) {
                latest = Some(reading);
            }
            match latest {
                Some((at, value)) if point.at.0.since(at) <= world.policy.silent_after => {
                    *point.measured_w.get_or_insert(0.0) += value.as_f64();
                }
                Some((_, value)) => point.silent_w += value.as_f64(),
                None => {}
            }
        }
    }
    points
}

fn target_at(dispatch: &Dispatch, at: Timestamp) -> Option<f64> {
    if dispatch.cancelled.is_some_and(|cancelled| cancelled <= at) {
        return None;
    }
    let running = dispatch
        .schedule
        .iter()
        .position(|target| target.interval.contains(at));
    running
        .and_then(|index| dispatch.target_p(index))
        .map(Watts::as_f64)
}

fn intervals(world: &World<'_>, dispatch: &Dispatch, meters: &Meters) -> Vec<SeriesInterval> {
    let over = dispatch.cancelled.unwrap_or(world.now).min(world.now);
    let begun = dispatch
        .schedule
        .iter()
        .enumerate()
        .filter(|(_, target)| target.interval.start < over);
    begun
        .map(|(index, target)| {
            let p = dispatch.target_p(index).unwrap_or_default();
            let settled = target.interval.start.after(dispatch.ramp);
            let judged = Interval::between(settled, target.interval.end().min(over));
            let asked = p.over(judged.duration);
            let metered = meters.all().filter_map(|readings| readings.metered(judged));
            let means: Vec<Watts> = metered.map(|metered| metered.mean).collect();
            let delivered = (!means.is_empty()).then(|| {
                means
                    .into_iter()
                    .sum::<Watts>()
                    .over(judged.duration)
                    .as_f64()
            });
            let asked_wh = asked.as_f64();
            let error = delivered
                .filter(|_| asked != WattHours::ZERO)
                .map(|delivered| (delivered - asked_wh) / asked_wh.abs() * 100.0);
            SeriesInterval {
                start: target.interval.start.into(),
                end: target.interval.end().into(),
                p_w: p.as_f64(),
                asked_wh,
                delivered_wh: delivered,
                error_pct: error,
            }
        })
        .collect()
}
