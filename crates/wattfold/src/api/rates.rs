//! How often clients are asked to look and to post.
#![expect(clippy::option_option, reason = "absent and null are told apart")]

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use fleet::dispatch::assess::Policy;
use ieee2030_5::server::{DocumentWrite, PollRates, Rates};
use serde::{Deserialize, Deserializer, Serialize};
use store::Actor;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::problem::Problem;
use crate::api::request::Body;
use crate::auth::Principal;
use crate::node::{Published, Revision};

/// Longest rate, a week.
pub const MAX_RATE_S: u32 = 604_800;

/// How often clients are asked to look at each kind of resource (`pollRate`) and to post their
/// meters (`postRate`), in s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RatesView {
    /// `DeviceCapability`.
    pub device_capability_s: u32,
    /// `Time`.
    pub time_s: u32,
    /// `EndDeviceList`.
    pub end_device_list_s: u32,
    /// `FunctionSetAssignmentsList`.
    pub function_set_assignments_list_s: u32,
    /// `DERProgramList`, and the controls and defaults below.
    pub der_program_list_s: u32,
    /// `DERList`, and the status and availability below.
    pub der_list_s: u32,
    /// `MirrorUsagePointList`.
    pub mirror_usage_point_list_s: u32,
    /// `DERProgramList` of a DER that is under a control, or will be before it looks again.
    pub urgent_s: u32,
    /// Mirrored meters are to be posted as often.
    pub post_rate_s: u32,
}

/// A change of rates: what is absent stays, null gives it back to the configuration. 1 to 604800.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RatesPatch {
    /// `DeviceCapability`.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub device_capability_s: Option<Option<u32>>,
    /// `Time`.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub time_s: Option<Option<u32>>,
    /// `EndDeviceList`.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub end_device_list_s: Option<Option<u32>>,
    /// `FunctionSetAssignmentsList`.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub function_set_assignments_list_s: Option<Option<u32>>,
    /// `DERProgramList`, and the controls and defaults below.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub der_program_list_s: Option<Option<u32>>,
    /// `DERList`, and the status and availability below.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub der_list_s: Option<Option<u32>>,
    /// `MirrorUsagePointList`.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub mirror_usage_point_list_s: Option<Option<u32>>,
    /// `DERProgramList` of a DER that is under a control, or will be before it looks again.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub urgent_s: Option<Option<u32>>,
    /// Mirrored meters are to be posted as often.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    pub post_rate_s: Option<Option<u32>>,
}

/// What is there, null included.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Show how often clients are asked to look and to post.
#[utoipa::path(get, path = "/api/v1/rates", operation_id = "show_rates", tag = "rates",
    responses((status = 200, body = RatesView)))]
pub(super) async fn show(State(api): State<Api>) -> Json<RatesView> {
    Json(view(&api))
}

/// Change how often clients are asked to look and to post. They learn of it when they look next,
/// subscribers at once.
#[utoipa::path(patch, path = "/api/v1/rates", operation_id = "change_rates", tag = "rates",
    request_body = RatesPatch,
    responses((status = 200, body = RatesView), (status = 422, body = Problem)))]
pub(super) async fn change(
    State(api): State<Api>,
    principal: Principal,
    Body(patch): Body<RatesPatch>,
) -> Result<Json<RatesView>, Problem> {
    let configured = api.node.devices().poll_rates;
    let patched = move |published: &Published<'_>| {
        let mut rates = published.resources.rates().clone();
        patch.apply(&mut rates)?;
        check_program_rate(rates.over(&configured), published.policy)?;
        Ok::<_, Problem>(Revision::Documents(vec![DocumentWrite::rates(&rates)]))
    };
    let actor = Actor::Account(principal.account);
    api.node.revise(actor, patched).await??;
    Ok(Json(view(&api)))
}

/// The rules of the configuration: a device that looks less often would miss controls, or be silent
/// between two looks.
fn check_program_rate(rates: PollRates, policy: Policy) -> Result<(), Problem> {
    let rate = Duration::from_secs(rates.der_program_s.into());
    for (most, rule) in [
        (policy.lead, "control.lead_s"),
        (policy.silent_after / 2, "half of control.silent_after_s"),
    ] {
        if most < rate {
            let rule = format!("must be at most {rule}, {}", most.as_secs());
            return Err(Problem::field("der_program_list_s", rule));
        }
    }
    Ok(())
}

impl RatesPatch {
    fn apply(&self, rates: &mut Rates) -> Result<(), Problem> {
        for (field, given, rate) in [
            (
                "device_capability_s",
                self.device_capability_s,
                &mut rates.device_capability_s,
            ),
            ("time_s", self.time_s, &mut rates.time_s),
            (
                "end_device_list_s",
                self.end_device_list_s,
                &mut rates.end_device_s,
            ),
            (
                "function_set_assignments_list_s",
                self.function_set_assignments_list_s,
                &mut rates.function_set_assignments_s,
            ),
            (
                "der_program_list_s",
                self.der_program_list_s,
                &mut rates.der_program_s,
            ),
            ("der_list_s", self.der_list_s, &mut rates.der_s),
            (
                "mirror_usage_point_list_s",
                self.mirror_usage_point_list_s,
                &mut rates.usage_point_s,
            ),
            ("urgent_s", self.urgent_s, &mut rates.urgent_s),
            ("post_rate_s", self.post_rate_s, &mut rates.post_rate_s),
        ] {
            let Some(given) = given else { continue };
            if given.is_some_and(|rate_s| !(1..=MAX_RATE_S).contains(&rate_s)) {
                return Err(Problem::field(field, format!("must be 1 to {MAX_RATE_S}")));
            }
            *rate = given;
        }
        Ok(())
    }
}

fn view(api: &Api) -> RatesView {
    let configured = api.node.devices();
    let rates = api
        .node
        .read(|published| published.resources.rates().clone());
    let polled = rates.over(&configured.poll_rates);
    RatesView {
        device_capability_s: polled.device_capability_s,
        time_s: polled.time_s,
        end_device_list_s: polled.end_device_s,
        function_set_assignments_list_s: polled.function_set_assignments_s,
        der_program_list_s: polled.der_program_s,
        der_list_s: polled.der_s,
        mirror_usage_point_list_s: polled.usage_point_s,
        urgent_s: polled.urgent_s,
        post_rate_s: rates.post_rate_s.unwrap_or(configured.post_rate_s),
    }
}
