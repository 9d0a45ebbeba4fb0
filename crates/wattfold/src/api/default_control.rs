//! The default control of a DER: what it does when no control is in force.

use axum::Json;
use axum::extract::State;
use fleet::dispatch::share::Grid;
use fleet::{ActivePower, Command, ControlBase, Der, Fleet, Setting};
use serde::{Deserialize, Serialize};
use units::Watts;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::der::find;
use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::auth::Principal;

/// What a DER does when no control is in force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultControl {
    /// Active power in W, injection positive; null leaves it to the DER.
    #[schema(required)]
    #[serde(deserialize_with = "Option::deserialize")]
    pub p_w: Option<f64>,
}

/// Set or clear the default control of a DER.
///
/// The answer holds what the device's wire format can hold: the nearest value at or below the
/// magnitude given.
#[utoipa::path(put, path = "/api/v1/ders/{mrid}/default_control",
    operation_id = "set_default_control", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    request_body = DefaultControl,
    responses((status = 200, body = DefaultControl), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn set(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(given): Body<DefaultControl>,
) -> Result<Json<DefaultControl>, Problem> {
    let name = mrid.clone();
    let command = move |fleet: &Fleet| set_p_w(find(fleet, &name)?, given.p_w, fleet);
    api.revise_one(&principal, command).await?;
    api.world(|world| {
        let p_w = p_w(world.fleet, find(world.fleet, &mrid)?);
        Ok(Json(DefaultControl { p_w }))
    })
}

/// What its default control says besides active power stays.
fn set_p_w(der: &Der, p_w: Option<f64>, fleet: &Fleet) -> Result<Command, Problem> {
    let active = p_w.map(|p_w| active(der, p_w)).transpose()?;
    let present = present(fleet, der);
    let others = present.base.settings().iter().filter(|setting| {
        !matches!(
            setting,
            Setting::FixedW(_) | Setting::TargetW(_) | Setting::MaxLimW(_)
        )
    });
    let asked = active.map_or_else(ControlBase::default, ControlBase::asking);
    let base = ControlBase::of(others.chain(asked.settings()).copied());
    let default = fleet::DefaultControl { base, ..present };
    Ok(Command::SetDefaultControl(der.program, default))
}

/// The active power asked of a DER by default, in W.
pub(super) fn p_w(fleet: &Fleet, der: &Der) -> Option<f64> {
    let p = present(fleet, der).base.p(der.settings.as_ref());
    p.map(Watts::as_f64)
}

fn present(fleet: &Fleet, der: &Der) -> fleet::DefaultControl {
    let program = fleet.program(der.program);
    program.map_or_else(Default::default, |program| program.default.clone())
}

/// The request for `p_w` on the device's own grid.
fn active(der: &Der, p_w: f64) -> Result<ActivePower, Problem> {
    let (Some(settings), Some(grid)) = (&der.settings, Grid::of(der)) else {
        let rule = "the DER has reported no mode by which its active power can be asked for";
        return Err(Problem::field("p_w", rule));
    };
    let asked = Watts::from_f64(p_w);
    let (least, most) = (-settings.p_absorb_max, settings.p_inject_max);
    if asked < least || most < asked {
        let (least, most) = (least.as_f64(), most.as_f64());
        let rule = format!("the DER is set to {least} to {most} W");
        return Err(Problem::field("p_w", rule));
    }
    let held = if asked < Watts::ZERO {
        grid.ceil(asked)
    } else {
        grid.floor(asked)
    };
    Ok(grid.encode(held))
}
