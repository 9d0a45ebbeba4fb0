//! The default control of a programme, in full (`DefaultDERControl`).

use axum::Json;
use axum::extract::State;
use fleet::{Command, DefaultControl, EnterService, Fleet};
use serde::{Deserialize, Serialize};
use units::Timestamp;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::control_base::{Base, scaled};
use crate::api::problem::Problem;
use crate::api::program;
use crate::api::request::{Body, Named};
use crate::api::value::Time;
use crate::auth::Principal;

/// What holds when none of a programme's controls is active; what is absent is left to the device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProgramDefault {
    /// What is asked.
    pub base: Base,
    /// `setGradW`: default ramp rate in percent of the maximum per second, 0 to 655.35.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_pct_per_s: Option<f64>,
    /// `setSoftGradW`: soft-start ramp rate in percent of the maximum per second, 0 to 655.35.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_grad_pct_per_s: Option<f64>,
    /// When to enter service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enter_service: Option<EnterServiceView>,
    /// When it was set; in answers only.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    #[schema(read_only)]
    pub set_at: Option<Time>,
}

/// When to enter service (IEEE 1547-2018, 4.10.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnterServiceView {
    /// `setESDelay`: delay in s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_s: Option<f64>,
    /// `setESHighFreq`: highest frequency in Hz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_freq_hz: Option<f64>,
    /// `setESHighVolt`: highest voltage in percent of the nominal one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_volt_pct: Option<f64>,
    /// `setESLowFreq`: lowest frequency in Hz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_freq_hz: Option<f64>,
    /// `setESLowVolt`: lowest voltage in percent of the nominal one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_volt_pct: Option<f64>,
    /// `setESRampTms`: time of the ramp in s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_s: Option<f64>,
    /// `setESRandomDelay`: most random delay in s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_delay_s: Option<f64>,
}

/// Replace the default control of a programme.
#[utoipa::path(put, path = "/api/v1/programs/{mrid}/default_control",
    operation_id = "set_program_default_control", tag = "programs",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    request_body = ProgramDefault,
    responses((status = 200, body = ProgramDefault), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn set(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(given): Body<ProgramDefault>,
) -> Result<Json<ProgramDefault>, Problem> {
    let command = api.world(|world| {
        let program = program::find(world.fleet, &mrid)?;
        let default = given.read(world.fleet, world.now)?;
        Ok::<_, Problem>(Command::SetDefaultControl(program.id, default))
    })?;
    api.command_one(&principal, command).await?;
    api.world(|world| {
        let program = program::find(world.fleet, &mrid)?;
        Ok(Json(ProgramDefault::of(world.fleet, &program.default)))
    })
}

impl ProgramDefault {
    fn read(&self, fleet: &Fleet, set: Timestamp) -> Result<DefaultControl, Problem> {
        let grad = |field: &str, given: Option<f64>| {
            let count = |given| scaled(field, given, 100.0, u16::MAX.into());
            given.map(count).transpose()
        };
        let enter_service = self.enter_service.unwrap_or_default();
        Ok(DefaultControl {
            base: self.base.read(fleet).map_err(|p| p.under("base"))?,
            grad_w: grad("grad_pct_per_s", self.grad_pct_per_s)?,
            soft_grad_w: grad("soft_grad_pct_per_s", self.soft_grad_pct_per_s)?,
            enter_service: enter_service.read().map_err(|p| p.under("enter_service"))?,
            set,
        })
    }

    pub(super) fn of(fleet: &Fleet, default: &DefaultControl) -> Self {
        let grad = |given: Option<u16>| given.map(|hundredths| f64::from(hundredths) / 100.0);
        let enter_service = default.enter_service;
        let is_set = default.set != Timestamp::default();
        Self {
            base: Base::of(fleet, &default.base),
            grad_pct_per_s: grad(default.grad_w),
            soft_grad_pct_per_s: grad(default.soft_grad_w),
            enter_service: (enter_service != EnterService::default()).then(|| enter_service.into()),
            set_at: is_set.then(|| default.set.into()),
        }
    }
}

impl EnterServiceView {
    fn read(self) -> Result<EnterService, Problem> {
        let long = |field: &str, given: Option<f64>| {
            let count = |given| scaled(field, given, 100.0, u32::MAX);
            given.map(count).transpose()
        };
        let short = |field: &str, given: Option<f64>| {
            let count = |given| scaled(field, given, 100.0, u16::MAX.into());
            given.map(count).transpose()
        };
        let volt = |field: &str, given: Option<f64>| {
            let most = u32::from(i16::MAX.unsigned_abs());
            let count = |given| scaled(field, given, 100.0, most);
            given.map(count).transpose()
        };
        Ok(EnterService {
            delay_cs: long("delay_s", self.delay_s)?,
            high_freq_chz: short("high_freq_hz", self.high_freq_hz)?,
            high_volt_cpct: volt("high_volt_pct", self.high_volt_pct)?,
            low_freq_chz: short("low_freq_hz", self.low_freq_hz)?,
            low_volt_cpct: volt("low_volt_pct", self.low_volt_pct)?,
            ramp_tms_cs: long("ramp_s", self.ramp_s)?,
            random_delay_cs: long("random_delay_s", self.random_delay_s)?,
        })
    }
}

impl From<EnterService> for EnterServiceView {
    fn from(given: EnterService) -> Self {
        fn from_hundredths<T: Into<f64>>(given: Option<T>) -> Option<f64> {
            given.map(|hundredths| hundredths.into() / 100.0)
        }
        Self {
            delay_s: from_hundredths(given.delay_cs),
            high_freq_hz: from_hundredths(given.high_freq_chz),
            high_volt_pct: from_hundredths(given.high_volt_cpct),
            low_freq_hz: from_hundredths(given.low_freq_chz),
            low_volt_pct: from_hundredths(given.low_volt_cpct),
            ramp_s: from_hundredths(given.ramp_tms_cs),
            random_delay_s: from_hundredths(given.random_delay_cs),
        }
    }
}
