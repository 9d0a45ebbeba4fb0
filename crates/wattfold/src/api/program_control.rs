//! Controls under a programme: issued by an operator for one DER or for all that it addresses.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use fleet::dispatch::assess::World;
use fleet::{
    Command, Control, ControlId, ControlStatus, DeliveryState, DerId, Event, Fleet, Name,
    NewControl, Origin, Program, Scope, Terms,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use units::{Interval, Timestamp};
use utoipa::ToSchema;

use crate::api::control::{ControlSource, ControlState, DeliveryStep};
use crate::api::control_base::Base;
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::value::Time;
use crate::api::{Api, der, index_of, program};
use crate::auth::Principal;

/// A control to issue.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlRequest {
    /// When it begins, a whole second; at once when absent.
    pub start: Option<Time>,
    /// How long it holds, in s.
    pub duration_s: u32,
    /// What is asked.
    pub base: Base,
    /// IEC 61968 mRID of the one DER that is asked; absent: every DER that the programme addresses.
    pub der: Option<String>,
    /// How devices are to take it.
    #[serde(default)]
    pub terms: TermsView,
}

/// How devices are to take a control.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TermsView {
    /// Devices move the start by a random time between zero and this, in s, -3600 to 3600.
    pub randomize_start_s: i16,
    /// Devices lengthen the duration by a random time between zero and this, in s, -3600 to 3600.
    pub randomize_duration_s: i16,
    /// Responses asked for, the bits of `responseRequired`; null for what the server asks in
    /// general.
    pub response_required: Option<u8>,
    /// Categories of devices that are asked, the bits of `DeviceCategoryType`; null for all.
    pub device_category: Option<u32>,
    /// What an operator calls it, at most 32 bytes.
    pub description: Option<String>,
}

/// A control as it was issued, and how far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ControlView {
    /// IEEE 2030.5 mRID.
    pub mrid: String,
    /// mRID of its programme.
    pub program: String,
    /// IEC 61968 mRID of the one DER that is asked; null for every DER of the programme.
    #[schema(required)]
    pub der: Option<String>,
    /// When it begins.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// When it was made.
    pub created_at: Time,
    /// Where it is in its life.
    pub status: ControlState,
    /// Where it comes from.
    pub origin: ControlSource,
    /// What is asked.
    pub base: Base,
    /// How devices are to take it.
    pub terms: TermsView,
    /// How far it has come: the number of DER at each step of its delivery.
    pub deliveries: Vec<DeliveryCount>,
}

/// How many DER are at one step of the delivery of a control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct DeliveryCount {
    /// The step.
    pub state: DeliveryStep,
    /// Number of DER.
    pub ders_count: usize,
}

/// What became of several withdrawals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cancelled {
    /// Number of controls that were withdrawn.
    pub cancelled_count: usize,
}

/// List the controls of a programme that are not long over, in order of issue.
#[utoipa::path(get, path = "/api/v1/programs/{mrid}/controls", operation_id = "list_controls", tag = "controls",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID of the programme"), PageQuery),
    responses((status = 200, body = Page<ControlView>), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Named(mrid): Named,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<ControlView>>, Problem> {
    api.world(|world| {
        let program = program::find(world.fleet, &mrid)?;
        let controls = controls(world, program);
        let slice = Slice::cut(
            controls.into_iter(),
            |control| control.id.0,
            Direction::Ascending,
            &query,
        )?;
        Ok(Json(slice.render(|control| view(world, control))))
    })
}

/// Issue a control.
#[utoipa::path(post, path = "/api/v1/programs/{mrid}/controls", operation_id = "issue_control", tag = "controls",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID of the programme")),
    request_body = ControlRequest,
    responses((status = 201, body = ControlView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn issue(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<ControlRequest>,
) -> Result<Response, Problem> {
    let new = api.world(|world| {
        let program = program::find(world.fleet, &mrid)?;
        request.read(world.fleet, program, world.now)
    })?;
    let events = api
        .command_one(&principal, Command::IssueControl(new))
        .await?;
    let id = events.iter().find_map(|event| match event {
        Event::ControlIssued(control) => Some(control.id),
        _ => None,
    });
    let issued = api.world(|world| Some(view(world, world.fleet.control(id?)?)));
    let issued = issued.ok_or_else(Problem::lost)?;
    Ok((StatusCode::CREATED, Json(issued)).into_response())
}

/// Withdraw every control of a programme that is not over.
#[utoipa::path(post, path = "/api/v1/programs/{mrid}/controls/cancel", operation_id = "cancel_controls", tag = "controls",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID of the programme")),
    responses((status = 200, body = Cancelled), (status = 404, body = Problem)))]
pub(super) async fn cancel_all(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<Json<Cancelled>, Problem> {
    let open = api.world(|world| {
        let program = program::find(world.fleet, &mrid)?;
        let controls = controls(world, program).into_iter();
        let open = controls.filter(|control| is_open(world, control));
        Ok::<_, Problem>(
            open.map(|control| Command::CancelControl(control.id))
                .collect::<Vec<_>>(),
        )
    })?;
    let outcomes = api.commands(&principal, open).await?;
    let cancelled = outcomes
        .iter()
        .filter(|outcome| outcome.as_ref().is_ok_and(|events| !events.is_empty()));
    let cancelled_count = cancelled.count();
    Ok(Json(Cancelled { cancelled_count }))
}

/// Show one control.
#[utoipa::path(get, path = "/api/v1/controls/{mrid}", operation_id = "show_control", tag = "controls",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    responses((status = 200, body = ControlView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<ControlView>, Problem> {
    api.world(|world| Ok(Json(view(world, find(world.fleet, &mrid)?))))
}

/// Withdraw one control.
#[utoipa::path(post, path = "/api/v1/controls/{mrid}/cancel", operation_id = "cancel_control", tag = "controls",
    params(("mrid" = String, Path, description = "IEEE 2030.5 mRID")),
    responses((status = 200, body = ControlView), (status = 404, body = Problem)))]
pub(super) async fn cancel(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<Json<ControlView>, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|control| control.id))?;
    api.command_one(&principal, Command::CancelControl(id))
        .await?;
    api.world(|world| Ok(Json(view(world, find(world.fleet, &mrid)?))))
}

/// The control with this mRID, or the answer that there is none.
fn find<'a>(fleet: &'a Fleet, mrid: &str) -> Result<&'a Control, Problem> {
    index_of(mrid)
        .and_then(|(mrid, index)| {
            let control = fleet.control(ControlId(index))?;
            (control.mrid == mrid).then_some(control)
        })
        .ok_or_else(|| Problem::not_found("control", mrid))
}

/// The controls under `program` that are not long over, in order of issue.
fn controls<'a>(world: &World<'a>, program: &Program) -> Vec<&'a Control> {
    let fleet = world.fleet;
    let mut controls: Vec<&Control> = match program.scope {
        Scope::Device(der) => fleet.controls_under(program.id, der).collect(),
        Scope::Assignment(_) | Scope::All => {
            let shared = fleet.shared_controls_of(program.id);
            let single = fleet.single_controls_of(program.id);
            shared.chain(single).collect()
        }
    };
    controls.sort_by_key(|control| control.id);
    controls
}

fn is_open(world: &World<'_>, control: &Control) -> bool {
    let status = world.fleet.status(control, world.now);
    !matches!(
        status,
        ControlStatus::Cancelled(_) | ControlStatus::Ended(_)
    )
}

impl ControlRequest {
    fn read(
        &self,
        fleet: &Fleet,
        program: &Program,
        now: Timestamp,
    ) -> Result<NewControl, Problem> {
        let at_once = Timestamp::from_secs(now.secs());
        let start = self.start.map_or(at_once, |start| start.0);
        Ok(NewControl {
            der: self.addressee(fleet, program)?,
            program: program.id,
            origin: Origin::Operator,
            interval: Interval {
                start,
                duration: Duration::from_secs(self.duration_s.into()),
            },
            base: self.base.read(fleet).map_err(|p| p.under("base"))?,
            terms: Some(self.terms.read().map_err(|p| p.under("terms"))?),
        })
    }

    fn addressee(&self, fleet: &Fleet, program: &Program) -> Result<Option<DerId>, Problem> {
        let given = self.der.as_deref().map(|mrid| der::find(fleet, mrid));
        let given = given.transpose();
        let given = given.map_err(|_| Problem::field("der", "is no DER's mRID"))?;
        Ok(match program.scope {
            Scope::Device(own) => Some(given.map_or(own, |der| der.id)),
            Scope::Assignment(_) | Scope::All => given.map(|der| der.id),
        })
    }
}

impl TermsView {
    fn read(&self) -> Result<Terms, Problem> {
        let description = self.description.as_deref().map(Name::new).transpose();
        Ok(Terms {
            randomize_start_s: self.randomize_start_s,
            randomize_duration_s: self.randomize_duration_s,
            response_required: self.response_required,
            device_category: self.device_category,
            description: description.map_err(|e| Problem::field("description", e.to_string()))?,
        })
    }

    fn of(terms: &Terms) -> Self {
        Self {
            randomize_start_s: terms.randomize_start_s,
            randomize_duration_s: terms.randomize_duration_s,
            response_required: terms.response_required,
            device_category: terms.device_category,
            description: terms.description.as_ref().map(ToString::to_string),
        }
    }
}

fn view(world: &World<'_>, control: &Control) -> ControlView {
    let fleet = world.fleet;
    let der = control.der.and_then(|id| fleet.der(id));
    let program = fleet.program(control.program);
    ControlView {
        mrid: control.mrid.to_string(),
        program: program.map_or_else(String::new, |program| program.mrid.to_string()),
        der: der.map(|der| der.mrid.to_string()),
        start: control.interval.start.into(),
        end: control.interval.end().into(),
        created_at: control.created.into(),
        status: fleet.status(control, world.now).into(),
        origin: control.origin.into(),
        base: Base::of(fleet, &control.base),
        terms: TermsView::of(&control.terms()),
        deliveries: counts(world, control.id),
    }
}

fn counts(world: &World<'_>, control: ControlId) -> Vec<DeliveryCount> {
    let mut counts = std::collections::BTreeMap::<DeliveryState, usize>::new();
    for row in world.deliveries.of(control) {
        *counts.entry(row.state()).or_default() += 1;
    }
    let counts = counts.into_iter();
    counts
        .map(|(state, ders_count)| DeliveryCount {
            state: state.into(),
            ders_count,
        })
        .collect()
}
