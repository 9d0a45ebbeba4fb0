//! Readings over time.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::telemetry::{Quantity, Resolution, Rollup, Sample};
use units::{Interval, Timestamp};
use utoipa::{IntoParams, ToSchema};

use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::request::Params;
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
}

impl PointOf {
    const fn resolution(self) -> Option<Resolution> {
        match self {
            Self::Raw => None,
            Self::Minute => Some(Resolution::Minute),
            Self::QuarterHour => Some(Resolution::QuarterHour),
            Self::Hour => Some(Resolution::Hour),
        }
    }
}

/// Which readings are wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TelemetryQuery {
    /// mRID of the DER.
    pub der: String,
    /// What was measured; its name ends with the unit.
    #[param(inline)]
    pub quantity: Measured,
    /// The first instant, RFC 3339.
    pub from: Time,
    /// The instant after the last, RFC 3339.
    pub to: Time,
    /// What one point stands for; a reading without it. Spans begin at whole multiples of their
    /// length since 1970, in UTC. Those that begin in the range are answered, each as a whole.
    #[param(inline)]
    #[serde(default)]
    pub resolution: PointOf,
    /// Most points to answer with, 1 to 10000; 1000 without it.
    pub limit: Option<usize>,
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

/// Show readings of one DER over time.
#[utoipa::path(get, path = "/api/v1/telemetry", operation_id = "show_telemetry", tag = "telemetry", params(TelemetryQuery),
    responses((status = 200, body = TelemetrySeries), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Params(query): Params<TelemetryQuery>,
) -> Result<Json<TelemetrySeries>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_POINTS);
    if limit == 0 || MAX_POINTS < limit {
        return Err(Problem::field(
            "limit",
            format!("must be 1 to {MAX_POINTS}"),
        ));
    }
    if query.to.0 <= query.from.0 {
        return Err(Problem::field("to", "must be later than from"));
    }
    let der = api.world(|world| super::der::find(world.fleet, &query.der).map(|der| der.id))?;
    let interval = Interval::between(query.from.0, query.to.0);
    let quantity = Quantity::from(query.quantity);
    let series = api.telemetry(move |file| {
        let Some(resolution) = query.resolution.resolution() else {
            let samples = file.query(der, quantity, interval, limit)?;
            let last = samples.last().filter(|_| samples.len() == limit);
            let next = last.map(|last| Timestamp::from_millis(last.at.millis() + 1).into());
            let points = samples.into_iter().map(TelemetryPoint::from).collect();
            return Ok(TelemetrySeries { points, next });
        };
        let found = file.rollups((der, quantity), interval, resolution, limit)?;
        let points = found.rollups.into_iter().map(TelemetryPoint::from);
        Ok(TelemetrySeries {
            points: points.collect(),
            next: found.next.map(Time::from),
        })
    });
    Ok(Json(series.await?))
}
