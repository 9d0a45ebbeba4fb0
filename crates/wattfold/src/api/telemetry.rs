//! Readings over time.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::telemetry::Quantity;
use units::Interval;
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
    /// Most readings to answer with, 1 to 10000; 1000 without it.
    pub limit: Option<usize>,
}

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct TelemetryPoint {
    /// When it was taken, by the device's clock.
    pub at: Time,
    /// The value, in the unit that the quantity's name ends with.
    pub value: f64,
    /// How far it can be trusted.
    pub quality: ValueQuality,
}

/// Readings over time.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TelemetrySeries {
    /// The readings, the oldest first. As many as the limit: there may be more, from the last
    /// one's time on.
    pub points: Vec<TelemetryPoint>,
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
    let samples = api
        .telemetry(move |file| file.query(der, quantity, interval, limit))
        .await?;
    let points = samples.into_iter().map(|sample| TelemetryPoint {
        at: sample.at.into(),
        value: sample.value,
        quality: sample.quality.into(),
    });
    Ok(Json(TelemetrySeries {
        points: points.collect(),
    }))
}
