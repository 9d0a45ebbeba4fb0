//! What microgrids, their permits and schedules look like.

use fleet::microgrid::{Action, Leave, Permit, State as Stand, Transition};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::value::Time;

/// Where a microgrid stands (IEEE 2030.7-2017).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MicrogridState {
    /// Steady, connected to the grid.
    GridConnected,
    /// On its way to an island as planned.
    PlannedIslanding,
    /// On its way to an island that nobody planned.
    UnplannedIslanding,
    /// Steady, an island.
    Islanded,
    /// On its way back to the grid.
    Reconnecting,
    /// Without voltage.
    DeEnergised,
    /// On its way from there to an island, by its own means.
    BlackStart,
}

/// What a permit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermitAction {
    /// To leave the grid and run as an island.
    Island,
    /// To come back.
    Reconnect,
}

/// The IEEE 2030.5 client that is a microgrid controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MicrogridController {
    /// IEC 61968 mRID of a DER.
    Der(String),
    /// Number of an aggregator.
    Aggregator(u32),
}

/// A DER behind the connection point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MicrogridMember {
    /// IEC 61968 mRID.
    pub der: String,
    /// Whether it can set voltage and frequency of an island; absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid_forming: Option<bool>,
    /// Whether it can start without voltage from outside; absent when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub black_start: Option<bool>,
}

/// A microgrid to put.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MicrogridRequest {
    /// What it is called, 1 to 64 characters.
    pub name: String,
    /// mRID of the node of the hierarchy that feeds its connection point.
    pub assignment: Option<String>,
    /// Most import through the connection point, in W, a magnitude.
    pub import_max_w: Option<f64>,
    /// Most export through the connection point, in W, a magnitude.
    pub export_max_w: Option<f64>,
    /// Its microgrid controller.
    pub controller: Option<MicrogridController>,
    /// The DER behind the connection point, 1 to 1000; each is in one microgrid at most.
    pub members: Vec<MicrogridMember>,
}

/// A microgrid.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MicrogridView {
    /// IEC 61968 mRID.
    pub mrid: String,
    /// What it is called.
    pub name: String,
    /// mRID of the node of the hierarchy that feeds its connection point; null when not known.
    #[schema(required)]
    pub assignment: Option<String>,
    /// Most import through the connection point, in W; null without a rating.
    #[schema(required)]
    pub import_max_w: Option<f64>,
    /// Most export through the connection point, in W; null without a rating.
    #[schema(required)]
    pub export_max_w: Option<f64>,
    /// Its microgrid controller; null without one.
    #[schema(required)]
    pub controller: Option<MicrogridController>,
    /// The DER behind the connection point.
    pub members: Vec<MicrogridMember>,
    /// Where it stands.
    pub state: MicrogridState,
    /// Since when.
    pub since: Time,
    /// Whether it is off the grid and no permit covers that, or has no supply.
    pub is_unplanned: bool,
    /// What the meters of the members that are heard add up to, in W, injection positive. In an island
    /// none of it reaches the grid.
    pub p_w: f64,
    /// The states it came to, oldest first, at most 64.
    pub transitions: Vec<TransitionView>,
    /// Its permits.
    pub permits: Vec<PermitView>,
    /// Number of points of its schedule.
    pub schedule_points_count: usize,
}

/// A state that a microgrid came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TransitionView {
    /// Which state.
    pub to: MicrogridState,
    /// Since when, as reported.
    pub at: Time,
    /// Number of the permit that covers it; null without one.
    #[schema(required)]
    pub permit: Option<u32>,
    /// Whether the operator who reported it agreed.
    pub agreed: bool,
    /// Who reported it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When the report was taken in.
    pub reported_at: Time,
}

/// What somebody has seen of a microgrid.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateReport {
    /// The state that it is in.
    pub state: MicrogridState,
    /// Since when, not ahead; now without it.
    pub at: Option<Time>,
    /// Why, 1 to 512 characters.
    pub reason: String,
    /// Whether the operator who reports agrees to a reconnection that has no permit.
    #[serde(default)]
    pub agreed: bool,
}

/// A permit to grant.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermitRequest {
    /// To do what.
    pub action: PermitAction,
    /// From when.
    pub start: Time,
    /// For how long, in s, at most 31 days.
    pub duration_s: u32,
    /// Why, 1 to 512 characters.
    pub reason: String,
}

/// A permit of a microgrid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PermitView {
    /// Its number.
    pub id: u32,
    /// To do what.
    pub action: PermitAction,
    /// From when.
    pub start: Time,
    /// For how long, in s.
    pub duration_s: u64,
    /// Who granted it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was granted.
    pub granted_at: Time,
    /// When it was revoked; null when it was not.
    #[schema(required)]
    pub revoked_at: Option<Time>,
    /// Who revoked it; null when it was not.
    #[schema(required)]
    pub revoked_by: Option<String>,
}

/// What is to flow in one interval: `net_w`, or limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MicrogridSchedulePoint {
    /// When it begins, a whole second.
    pub start: Time,
    /// How long it lasts, in s.
    pub duration_s: u32,
    /// Net power in W, injection positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_w: Option<f64>,
    /// By how much the net power may be missed either way, in W; 0 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_w: Option<f64>,
    /// Most import in W, a magnitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_max_w: Option<f64>,
    /// Most export in W, a magnitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_max_w: Option<f64>,
}

/// What is to flow through the connection point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MicrogridSchedule {
    /// In order and without overlap, at most 576; empty for none.
    pub points: Vec<MicrogridSchedulePoint>,
}

impl From<&Transition> for TransitionView {
    fn from(it: &Transition) -> Self {
        Self {
            to: it.to.into(),
            at: it.at.into(),
            permit: match it.leave {
                Leave::Permit(permit) => Some(permit.0),
                Leave::None | Leave::Agreement => None,
            },
            agreed: it.leave == Leave::Agreement,
            by: it.by.to_string(),
            reason: it.reason.to_string(),
            reported_at: it.reported.into(),
        }
    }
}

impl From<&Permit> for PermitView {
    fn from(it: &Permit) -> Self {
        Self {
            id: it.id.0,
            action: match it.action {
                Action::Island => PermitAction::Island,
                Action::Reconnect => PermitAction::Reconnect,
            },
            start: it.window.start.into(),
            duration_s: it.window.duration.as_secs(),
            by: it.by.to_string(),
            reason: it.reason.to_string(),
            granted_at: it.granted.into(),
            revoked_at: it.revoked.as_ref().map(|it| it.at.into()),
            revoked_by: it.revoked.as_ref().map(|it| it.by.to_string()),
        }
    }
}

impl From<PermitAction> for Action {
    fn from(action: PermitAction) -> Self {
        match action {
            PermitAction::Island => Self::Island,
            PermitAction::Reconnect => Self::Reconnect,
        }
    }
}

impl From<Stand> for MicrogridState {
    fn from(state: Stand) -> Self {
        match state {
            Stand::GridConnected => Self::GridConnected,
            Stand::PlannedIslanding => Self::PlannedIslanding,
            Stand::UnplannedIslanding => Self::UnplannedIslanding,
            Stand::Islanded => Self::Islanded,
            Stand::Reconnecting => Self::Reconnecting,
            Stand::DeEnergised => Self::DeEnergised,
            Stand::BlackStart => Self::BlackStart,
        }
    }
}

impl From<MicrogridState> for Stand {
    fn from(state: MicrogridState) -> Self {
        match state {
            MicrogridState::GridConnected => Self::GridConnected,
            MicrogridState::PlannedIslanding => Self::PlannedIslanding,
            MicrogridState::UnplannedIslanding => Self::UnplannedIslanding,
            MicrogridState::Islanded => Self::Islanded,
            MicrogridState::Reconnecting => Self::Reconnecting,
            MicrogridState::DeEnergised => Self::DeEnergised,
            MicrogridState::BlackStart => Self::BlackStart,
        }
    }
}
