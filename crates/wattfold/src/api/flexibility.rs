//! What the owner of a DER lets it be used for, and how its energy behaves.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use fleet::enrolment::{Departure, Flexibility, Switching, Thermal};
use fleet::{Command, EnrolmentCommand};
use serde::{Deserialize, Serialize};
use units::WattHours;
use utoipa::ToSchema;

use crate::api::control_base::percent;
use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::api::value::Time;
use crate::api::{Api, der};
use crate::auth::Principal;

/// Most energy that is taken, in Wh.
const MAX_ENERGY_WH: f64 = 1e9;

/// What has to be in a vehicle when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DepartureView {
    /// When it leaves.
    pub at: Time,
    /// State of charge that it needs by then, 0 to 100.
    pub soc_pct: f64,
}

/// A load that is either off or on at its full rating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchingView {
    /// Least time on, in s.
    pub min_on_s: u32,
    /// Least time off, in s.
    pub min_off_s: u32,
}

/// A load that heats or cools.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThermalView {
    /// Energy that it can do without for a while, in Wh.
    pub hold_wh: f64,
    /// Energy that it can take in advance, in Wh.
    #[serde(default)]
    pub precondition_wh: f64,
    /// Time constant with which it makes up for what it was held back by, in s.
    pub recovery_s: u32,
}

/// What the nameplate of a DER does not tell of its energy and of its owner's needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlexibilityView {
    /// What has to be in a vehicle when it leaves; it is counted on until then only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departure: Option<DepartureView>,
    /// Stored of what is absorbed, more than 0 and at most 100.
    #[serde(default = "whole")]
    pub charge_efficiency_pct: f64,
    /// Injected of what is taken from the store, more than 0 and at most 100.
    #[serde(default = "whole")]
    pub discharge_efficiency_pct: f64,
    /// For a load that is either off or on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switching: Option<SwitchingView>,
    /// For a load that heats or cools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thermal: Option<ThermalView>,
}

const fn whole() -> f64 {
    100.0
}

/// Show what a DER may be used for.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/flexibility", operation_id = "show_flexibility", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = FlexibilityView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<FlexibilityView>, Problem> {
    api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let flexibility = world.fleet.enrolment().flexibility(der.id);
        let flexibility = flexibility.ok_or_else(|| Problem::not_found("flexibility of", &mrid));
        Ok(Json(flexibility?.into()))
    })
}

/// Put what a DER may be used for, as a whole. Every plan honours it from then on.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/flexibility", operation_id = "put_flexibility", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = FlexibilityView,
    responses((status = 200, body = FlexibilityView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<FlexibilityView>,
) -> Result<Json<FlexibilityView>, Problem> {
    let id = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    let command = EnrolmentCommand::PutFlexibility(id, Box::new(request.read()?));
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    show(State(api), Named(mrid)).await
}

impl FlexibilityView {
    fn read(&self) -> Result<Flexibility, Problem> {
        let departure = self.departure.map(|departure| {
            Ok::<_, Problem>(Departure {
                at: departure.at.0,
                soc: percent("departure.soc_pct", departure.soc_pct, 0.0)?,
            })
        });
        let thermal = self.thermal.map(|thermal| {
            Ok::<_, Problem>(Thermal {
                hold: energy("thermal.hold_wh", thermal.hold_wh)?,
                precondition: energy("thermal.precondition_wh", thermal.precondition_wh)?,
                recovery: Duration::from_secs(thermal.recovery_s.into()),
            })
        });
        Ok(Flexibility {
            departure: departure.transpose()?,
            charge_efficiency: percent("charge_efficiency_pct", self.charge_efficiency_pct, 0.0)?,
            discharge_efficiency: percent(
                "discharge_efficiency_pct",
                self.discharge_efficiency_pct,
                0.0,
            )?,
            switching: self.switching.map(|switching| Switching {
                min_on: Duration::from_secs(switching.min_on_s.into()),
                min_off: Duration::from_secs(switching.min_off_s.into()),
            }),
            thermal: thermal.transpose()?,
        })
    }
}

impl From<&Flexibility> for FlexibilityView {
    fn from(flexibility: &Flexibility) -> Self {
        let secs = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self {
            departure: flexibility.departure.map(|departure| DepartureView {
                at: Time(departure.at),
                soc_pct: departure.soc.as_f64(),
            }),
            charge_efficiency_pct: flexibility.charge_efficiency.as_f64(),
            discharge_efficiency_pct: flexibility.discharge_efficiency.as_f64(),
            switching: flexibility.switching.map(|switching| SwitchingView {
                min_on_s: secs(switching.min_on),
                min_off_s: secs(switching.min_off),
            }),
            thermal: flexibility.thermal.map(|thermal| ThermalView {
                hold_wh: thermal.hold.as_f64(),
                precondition_wh: thermal.precondition.as_f64(),
                recovery_s: secs(thermal.recovery),
            }),
        }
    }
}

fn energy(field: &str, wh: f64) -> Result<WattHours, Problem> {
    if !(0.0..=MAX_ENERGY_WH).contains(&wh) {
        return Err(Problem::field(
            field,
            format!("must be 0 to {MAX_ENERGY_WH}"),
        ));
    }
    Ok(WattHours::from_f64(wh))
}
