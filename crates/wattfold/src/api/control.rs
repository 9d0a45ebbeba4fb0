//! Controls and the ledger of their delivery, as the API shows them.

use std::fmt::Write as _;

use fleet::dispatch::assess::World;
use fleet::{
    Control, ControlStatus, Delivery, DeliveryEntry, DeliveryState, DerId, Evidence, Origin,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::value::Time;

/// Where a control comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlSource {
    /// A share of a dispatch.
    Dispatch,
    /// An operator, directly.
    Operator,
    /// An operating envelope.
    Envelope,
    /// A settings profile being rolled out.
    Settings,
}

impl From<Origin> for ControlSource {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Dispatch { .. } => Self::Dispatch,
            Origin::Operator => Self::Operator,
            Origin::Envelope => Self::Envelope,
            Origin::Settings => Self::Settings,
        }
    }
}

/// The control that decides the active power of a DER now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ControlInForce {
    /// IEEE 2030.5 mRID.
    pub mrid: String,
    /// Active power asked, in W, injection positive; null when it asks for something else.
    #[schema(required)]
    pub p_w: Option<f64>,
    /// When it begins.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// Where it comes from.
    pub source: ControlSource,
    /// mRID of the dispatch it serves, if any.
    #[schema(required)]
    pub dispatch: Option<String>,
}

/// Life cycle of a control (IEEE 2030.5 `EventStatus`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlState {
    /// Its start lies ahead.
    Scheduled,
    /// In force.
    Active,
    /// Withdrawn.
    Cancelled,
    /// Displaced by a later control.
    Superseded,
    /// Over.
    Ended,
}

impl From<ControlStatus> for ControlState {
    fn from(status: ControlStatus) -> Self {
        match status {
            ControlStatus::Scheduled => Self::Scheduled,
            ControlStatus::Active(_) => Self::Active,
            ControlStatus::Cancelled(_) => Self::Cancelled,
            ControlStatus::Superseded(_) => Self::Superseded,
            ControlStatus::Ended(_) => Self::Ended,
        }
    }
}

/// How far a control has come at its DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStep {
    /// Decided and durable.
    Planned,
    /// The device has fetched it.
    Sent,
    /// The device says that it has it.
    Received,
    /// The device says that it has begun.
    Started,
    /// A meter agrees.
    Following,
    /// The device has said nothing for too long.
    Silent,
    /// The owner opted out, or another control displaced it.
    Overridden,
    /// The device says that it can't or won't.
    Rejected,
    /// The device says that it is done.
    Completed,
}

impl From<DeliveryState> for DeliveryStep {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Planned => Self::Planned,
            DeliveryState::Sent => Self::Sent,
            DeliveryState::Received => Self::Received,
            DeliveryState::Started => Self::Started,
            DeliveryState::Following => Self::Following,
            DeliveryState::Silent => Self::Silent,
            DeliveryState::Overridden => Self::Overridden,
            DeliveryState::Rejected => Self::Rejected,
            DeliveryState::Completed => Self::Completed,
        }
    }
}

/// One step of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// The state reached.
    pub state: DeliveryStep,
    /// When.
    pub at: Time,
    /// On what grounds, for people.
    pub evidence: String,
}

impl From<&DeliveryEntry> for LedgerEntry {
    fn from(entry: &DeliveryEntry) -> Self {
        Self {
            state: entry.state.into(),
            at: entry.at.into(),
            evidence: evidence(entry.evidence),
        }
    }
}

/// A control with its delivery.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ControlRow {
    /// IEEE 2030.5 mRID.
    pub mrid: String,
    /// When it begins.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// Active power asked, in W, injection positive; null when it asks for something else.
    #[schema(required)]
    pub p_w: Option<f64>,
    /// Where it is in its life.
    pub status: ControlState,
    /// Where it comes from.
    pub origin: ControlSource,
    /// How far it has come at the DER; null when the ledger has no row for it.
    #[schema(required)]
    pub delivery_state: Option<DeliveryStep>,
    /// The steps that led there.
    pub entries: Vec<LedgerEntry>,
}

/// The control in force for active power, rendered.
pub(super) fn in_force(world: &World<'_>, control: &Control) -> ControlInForce {
    ControlInForce {
        mrid: control.mrid.to_string(),
        p_w: asked_w(control),
        start: control.interval.start.into(),
        end: control.interval.end().into(),
        source: control.origin.into(),
        dispatch: match control.origin {
            Origin::Dispatch { dispatch, .. } => {
                world.fleet.dispatch(dispatch).map(|d| d.mrid.to_string())
            }
            Origin::Operator | Origin::Envelope | Origin::Settings => None,
        },
    }
}

/// A control with its ledger.
pub(super) fn row(world: &World<'_>, control: &Control, der: DerId) -> ControlRow {
    let delivery = world.deliveries.get(control.id, der);
    ControlRow {
        mrid: control.mrid.to_string(),
        start: control.interval.start.into(),
        end: control.interval.end().into(),
        p_w: asked_w(control),
        status: world.fleet.status(control, world.now).into(),
        origin: control.origin.into(),
        delivery_state: delivery.map(|d| d.state().into()),
        entries: entries(delivery),
    }
}

/// The steps of a delivery, rendered.
pub(super) fn entries(delivery: Option<&Delivery>) -> Vec<LedgerEntry> {
    delivery.map_or_else(Vec::new, |d| {
        d.entries.iter().map(LedgerEntry::from).collect()
    })
}

/// Active power that `control` asks for, in watts.
pub(super) fn asked_w(control: &Control) -> Option<f64> {
    control.base.p(None).map(units::Watts::as_f64)
}

fn evidence(evidence: Evidence) -> String {
    let mut text = String::new();
    let written = match evidence {
        Evidence::Journal => write!(text, "journal entry durable"),
        Evidence::Served => write!(text, "fetched by the device"),
        Evidence::Response(code) => write!(text, "response {code}: {}", response(code)),
        Evidence::Measured { asked, metered } => {
            write!(text, "meter reads {metered:.0}, {asked:.0} asked")
        }
        Evidence::Heard => write!(text, "heard again"),
        Evidence::LastHeard(at) => write!(text, "last heard {}", Time(at).to_text()),
    };
    written.expect("writing to a string can't fail");
    text
}

/// The meaning of an IEEE 2030.5 `Response.status` (table 27).
const fn response(code: u8) -> &'static str {
    match code {
        1 => "event received",
        2 => "event started",
        3 => "event completed",
        4 => "owner opted out",
        5 => "owner opted in",
        6 => "event cancelled",
        7 => "event superseded",
        8 => "partially completed, owner opted out",
        9 => "partially completed, owner opted in",
        10 => "completed without participation",
        13 => "event aborted by the server",
        14 => "event aborted for another programme",
        15 => "event resumed",
        251 => "not supported",
        252 => "not applicable",
        253 => "invalid",
        254 => "expired",
        _ => "other",
    }
}
