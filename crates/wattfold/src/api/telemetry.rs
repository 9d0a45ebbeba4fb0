//! Readings over time.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

mod file;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::DerId;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use store::telemetry::{Quantity, Resolution, Rollup, Sample, Telemetry as File, TelemetryError};
use units::{Interval, Timestamp};
use utoipa::{IntoParams, ToSchema};

use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::request::Params;
use crate::api::table::TableFormat;
use crate::api::value::{Time, ValueQuality};

/// Most readings of one answer.
pub const MAX_POINTS: usize = 10_000;
/// Readings of an answer when the request does not say.
pub const DEFAULT_POINTS: usize = 1_000;

/// What was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// Active power in W, injection positive.
    PW,
    /// Reactive power in var, injection positive.
    QVar,
    /// Voltage in V.
    VoltageV,
    /// State of charge in percent, 0 to 100.
    SocPct,
    /// The highest injection the DER could give, in W.
    PAvailableW,
    /// Energy injected in Wh, as the meter counts it.
    EnergyInjectedWh,
    /// Energy absorbed in Wh, as the meter counts it.
    EnergyAbsorbedWh,
    /// Frequency in Hz.
    FrequencyHz,
}

impl From<Measured> for Quantity {
    fn from(measured: Measured) -> Self {
        match measured {
            Measured::PW => Self::P,
            Measured::QVar => Self::Q,
            Measured::VoltageV => Self::Voltage,
            Measured::SocPct => Self::Soc,
            Measured::PAvailableW => Self::PAvailable,
            Measured::EnergyInjectedWh => Self::EnergyInjected,
            Measured::EnergyAbsorbedWh => Self::EnergyAbsorbed,
            Measured::FrequencyHz => Self::Frequency,
        }
    }
}

/// What one point stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
pub enum PointOf {
    /// One reading.
    #[default]
    #[serde(rename = "raw")]
    Raw,
    /// The readings of one minute.
    #[serde(rename = "1m")]
    Minute,
    /// The readings of 15 minutes.
    #[serde(rename = "15m")]
    QuarterHour,
    /// The readings of one hour.
    #[serde(rename = "1h")]
    Hour,
    /// The shortest span of these of which the range has no more than the limit; in a file, than
    /// 1000.
    #[serde(rename = "auto")]
    Auto,
}

impl PointOf {
    fn resolution(self, interval: Interval, limit: usize) -> Option<Resolution> {
        let fits = |resolution: &Resolution| {
            let spans =
                interval.duration.as_millis() / u128::from(resolution.millis().unsigned_abs());
            spans <= limit as u128
        };
        match self {
            Self::Raw => None,
            Self::Minute => Some(Resolution::Minute),
            Self::QuarterHour => Some(Resolution::QuarterHour),
            Self::Hour => Some(Resolution::Hour),
            Self::Auto => Some(
                Resolution::ALL
                    .into_iter()
                    .find(fits)
                    .unwrap_or(Resolution::Hour),
            ),
        }
    }
}

/// Which readings are wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TelemetryQuery {
    /// IEC 61968 mRID of the DER; every DER without it, in a file.
    pub der: Option<String>,
    /// What to show; every quantity without it, in a file.
    #[param(inline)]
    pub quantity: Option<Measured>,
    /// The first instant, RFC 3339.
    pub from: Time,
    /// The instant after the last, RFC 3339.
    pub to: Time,
    /// What one point stands for; a reading without it. Spans begin at whole multiples of their
    /// length since 1970, in UTC. Those that begin in the range are answered, each as a whole.
    #[param(inline)]
    #[serde(default)]
    pub resolution: PointOf,
    /// Most points to answer with, 1 to 10000; 1000 without it. A file has all of them.
    pub limit: Option<usize>,
    /// Form of the answer, instead of what `Accept` says.
    #[param(inline)]
    pub format: Option<TableFormat>,
}

/// One reading, or what those of a span come to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct TelemetryPoint {
    /// When it was taken, by the device's clock; of a span, when that begins.
    pub at: Time,
    /// The value, in the unit that the quantity's name ends with; of a span, the mean, in which
    /// each reading has the same weight.
    pub value: f64,
    /// How far it can be trusted; of a span, the least trustworthy of its readings.
    pub quality: ValueQuality,
    /// More about a span.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<TelemetrySpan>,
}

/// What the readings of a span come to, in the unit that the quantity's name ends with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct TelemetrySpan {
    /// How many there are.
    pub count: u32,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
    /// The first by time.
    pub first: f64,
    /// The last by time.
    pub last: f64,
}

impl From<Sample> for TelemetryPoint {
    fn from(sample: Sample) -> Self {
        Self {
            at: sample.at.into(),
            value: sample.value,
            quality: sample.quality.into(),
            span: None,
        }
    }
}

impl From<Rollup> for TelemetryPoint {
    fn from(rollup: Rollup) -> Self {
        Self {
            at: rollup.start.into(),
            value: rollup.mean(),
            quality: rollup.quality.into(),
            span: Some(TelemetrySpan {
                count: rollup.count,
                min: rollup.min,
                max: rollup.max,
                first: rollup.first,
                last: rollup.last,
            }),
        }
    }
}

/// Readings over time.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TelemetrySeries {
    /// The points, the oldest first.
    pub points: Vec<TelemetryPoint>,
    /// When there may be more: what to ask for next as `from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,
}

/// How long telemetry is kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct TelemetryRetention {
    /// Readings.
    pub raw: u64,
    /// Spans of one minute of readings that are gone.
    pub minute: u64,
    /// Spans of 15 minutes.
    pub quarter_hour: u64,
    /// Spans of one hour.
    pub hour: u64,
    /// Readings from before this instant are turned down; null when none have gone yet.
    #[schema(required)]
    pub raw_from: Option<Time>,
}

/// Show how long telemetry is kept.
#[utoipa::path(get, path = "/api/v1/telemetry/retention", operation_id = "show_retention", tag = "telemetry",
    responses((status = 200, body = TelemetryRetention), (status = 503, body = Problem)))]
pub(super) async fn retention(State(api): State<Api>) -> Result<Json<TelemetryRetention>, Problem> {
    let horizon = api.telemetry(File::horizon).await?;
    let days = |time: Duration| time.as_secs() / 86_400;
    let kept = api.node.telemetry().retention();
    let [minute, quarter_hour, hour] = kept.rollups.map(days);
    let raw_from =
        (horizon != i64::MIN).then(|| Timestamp::from_secs(horizon.saturating_mul(3_600)).into());
    Ok(Json(TelemetryRetention {
        raw: days(kept.samples),
        minute,
        quarter_hour,
        hour,
        raw_from,
    }))
}

/// Show readings over time: of one DER a page at a time, or of any in a file.
///
/// With `format` or `Accept` of `text/csv` or `application/vnd.apache.parquet` the answer is a file
/// with every point of the range.
#[utoipa::path(get, path = "/api/v1/telemetry", operation_id = "show_telemetry", tag = "telemetry", params(TelemetryQuery),
    responses((status = 200, content((TelemetrySeries = "application/json"), (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.parquet"))),
        (status = 404, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    Params(query): Params<TelemetryQuery>,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_POINTS);
    if !(1..=MAX_POINTS).contains(&limit) {
        return Err(Problem::field(
            "limit",
            format!("must be 1 to {MAX_POINTS}"),
        ));
    }
    if query.to < query.from {
        return Err(Problem::field("to", "lies before from"));
    }
    let interval = Interval::between(query.from.0, query.to.0);
    let resolution = query.resolution.resolution(interval, limit);
    let format = TableFormat::wanted(query.format, &headers);
    if format != TableFormat::Json {
        return file::send(&api, &query, (format, interval, resolution));
    }
    let missing = |field| Problem::field(field, "is needed without a file's format");
    let mrid = query.der.ok_or_else(|| missing("der"))?;
    let quantity = Quantity::from(query.quantity.ok_or_else(|| missing("quantity"))?);
    let der = api.world(|world| super::der::find(world.fleet, &mrid).map(|der| der.id))?;
    let of = (der, quantity);
    let series = api.telemetry(move |file| page(file, of, interval, (resolution, limit)));
    let (points, next) = series.await?;
    let next = next.map(Time::from);
    Ok(Json(TelemetrySeries { points, next }).into_response())
}

/// Points, and where those after them begin.
type Points = (Vec<TelemetryPoint>, Option<Timestamp>);

/// The first `limit` points.
fn page(
    file: &File,
    (der, quantity): (DerId, Quantity),
    interval: Interval,
    (resolution, limit): (Option<Resolution>, usize),
) -> Result<Points, TelemetryError> {
    let Some(resolution) = resolution else {
        let samples = file.query(der, quantity, interval, limit)?;
        let last = samples.last().filter(|_| samples.len() == limit);
        let next = last.map(|last| Timestamp::from_millis(last.at.millis() + 1));
        let points = samples.into_iter().map(TelemetryPoint::from).collect();
        return Ok((points, next));
    };
    let found = file.rollups((der, quantity), interval, resolution, limit)?;
    let points = found.rollups.into_iter().map(TelemetryPoint::from);
    Ok((points.collect(), found.next))
}
