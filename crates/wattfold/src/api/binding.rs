//! Which certificate speaks for a DER: replaced devices, replaced and moved modules.

use axum::Json;
use axum::extract::State;
use fleet::enrolment::binding::is_unbound;
use fleet::enrolment::{Binding, BindingReason};
use fleet::{Command, EnrolmentCommand, Lfdi};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::api::value::Time;
use crate::api::{Api, der};
use crate::auth::Principal;

/// Why a DER was bound to a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BindingCause {
    /// The device itself was replaced.
    DeviceReplaced,
    /// Only its communications module was replaced.
    ModuleReplaced,
    /// The module came from another DER.
    ModuleMovedHere,
    /// The module was moved to another DER.
    ModuleMovedAway,
    /// The same device has another certificate.
    Rekeyed,
}

/// What was replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Replaced {
    /// The device itself: it has to report nameplate and settings anew before it is asked for
    /// anything.
    Device,
    /// Only its communications module.
    Module,
}

/// One binding.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BindingView {
    /// LFDI of the certificate; null for none.
    #[schema(required)]
    pub lfdi: Option<String>,
    /// LFDI before; null for none.
    #[schema(required)]
    pub previous_lfdi: Option<String>,
    /// Since when.
    pub since: Time,
    /// Why.
    pub reason: BindingCause,
}

/// How a DER came to its certificate.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Bindings {
    /// LFDI that speaks for it now; null for none.
    #[schema(required)]
    pub lfdi: Option<String>,
    /// Oldest first, at most 64; the audit trail has those before.
    pub items: Vec<BindingView>,
}

/// A replacement.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplacementRequest {
    /// LFDI of the certificate that speaks for the DER from now on.
    pub lfdi: String,
    /// What was replaced.
    pub replaced: Replaced,
}

/// A communications module that was moved to another DER.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleMoveRequest {
    /// mRID of the DER where it was.
    pub from: String,
    /// LFDI of the module that takes its place there; none when absent.
    pub replacement_lfdi: Option<String>,
}

/// List how a DER came to its certificate.
#[utoipa::path(get, path = "/api/v1/ders/{mrid}/bindings", operation_id = "list_bindings", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = Bindings), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<Bindings>, Problem> {
    api.world(|world| {
        let der = der::find(world.fleet, &mrid)?;
        let items = world.fleet.enrolment().bindings(der.id).iter();
        Ok(Json(Bindings {
            lfdi: shown(der.lfdi),
            items: items.map(view).collect(),
        }))
    })
}

/// Bind a DER to the certificate of the device or module that replaces its own.
#[utoipa::path(post, path = "/api/v1/ders/{mrid}/bindings", operation_id = "bind_der", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = ReplacementRequest,
    responses((status = 200, body = Bindings), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn bind(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<ReplacementRequest>,
) -> Result<Json<Bindings>, Problem> {
    let id = api.world(|world| der::find(world.fleet, &mrid).map(|der| der.id))?;
    let lfdi = request.lfdi.parse().map_err(Problem::lfdi)?;
    let reason = match request.replaced {
        Replaced::Device => BindingReason::DeviceReplaced,
        Replaced::Module => BindingReason::ModuleReplaced,
    };
    let command = EnrolmentCommand::Bind(id, lfdi, reason);
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    list(State(api), Named(mrid)).await
}

/// Move the communications module of another DER, with its certificate, to this one.
#[utoipa::path(post, path = "/api/v1/ders/{mrid}/module", operation_id = "move_module", tag = "ders",
    params(("mrid" = String, Path, description = "IEC 61968 mRID of the DER where it is now")),
    request_body = ModuleMoveRequest,
    responses((status = 200, body = Bindings), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn move_module(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<ModuleMoveRequest>,
) -> Result<Json<Bindings>, Problem> {
    let replacement = request.replacement_lfdi.as_deref().map(str::parse::<Lfdi>);
    let replacement = replacement.transpose();
    let replacement =
        replacement.map_err(|error| Problem::field("replacement_lfdi", error.to_string()))?;
    let command = api.world(|world| {
        let from = der::find(world.fleet, &request.from);
        let from = from.map_err(|_| Problem::field("from", "is no DER's mRID"))?;
        Ok::<_, Problem>(EnrolmentCommand::MoveModule {
            from: from.id,
            to: der::find(world.fleet, &mrid)?.id,
            replacement,
        })
    })?;
    api.command_one(&principal, Command::Enrolment(command))
        .await?;
    list(State(api), Named(mrid)).await
}

fn shown(lfdi: Lfdi) -> Option<String> {
    (!is_unbound(lfdi)).then(|| lfdi.to_string())
}

fn view(binding: &Binding) -> BindingView {
    BindingView {
        lfdi: shown(binding.lfdi),
        previous_lfdi: shown(binding.previous),
        since: binding.since.into(),
        reason: match binding.reason {
            BindingReason::DeviceReplaced => BindingCause::DeviceReplaced,
            BindingReason::ModuleReplaced => BindingCause::ModuleReplaced,
            BindingReason::ModuleMovedHere => BindingCause::ModuleMovedHere,
            BindingReason::ModuleMovedAway => BindingCause::ModuleMovedAway,
            BindingReason::Rekeyed => BindingCause::Rekeyed,
        },
    }
}
