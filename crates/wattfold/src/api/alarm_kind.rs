//! The table of rationalised alarms.

use axum::Json;
use fleet::alarm::{Consequence, Delay, Kind, Priority, Rationale};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::alarm::AlarmPriority;

/// How bad it is if nobody does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmSeverity {
    /// One device delivers less, or less is known.
    Minor,
    /// A commitment is missed, or much is not known.
    Major,
    /// Equipment of the network is overloaded.
    Severe,
}

/// What is known of an alarm before it ever occurs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AlarmKindView {
    /// Its name.
    pub kind: String,
    /// How urgent it is: it follows from severity and time.
    pub priority: AlarmPriority,
    /// What brings it about.
    pub cause: String,
    /// What follows if nobody acts.
    pub consequence: String,
    /// How bad that is.
    pub severity: AlarmSeverity,
    /// What the operator does.
    pub action: String,
    /// The time, in s, in which that still helps.
    pub respond_within_s: u64,
    /// How long, in s, the condition lasts before the alarm is raised, beside the polling interval.
    pub on_delay_s: u64,
    /// Whether one polling interval of the DER comes on top.
    pub waits_for_poll: bool,
    /// How long, in s, the condition is gone before the alarm returns to normal.
    pub off_delay_s: u64,
    /// By how much what raised it must be undercut for the condition to be gone.
    pub deadband: String,
}

/// The table.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AlarmKinds {
    /// Each kind, the most urgent first.
    pub items: Vec<AlarmKindView>,
    /// Of the alarms annunciated, the share in percent that should be of high priority.
    pub target_high_pct: u8,
    /// The share that should be of medium priority.
    pub target_medium_pct: u8,
    /// The share that should be of low priority.
    pub target_low_pct: u8,
}

/// List every kind of alarm with its rationale.
#[utoipa::path(get, path = "/api/v1/alarms/kinds", operation_id = "list_alarm_kinds", tag = "alarms",
    responses((status = 200, body = AlarmKinds)))]
pub(super) async fn list() -> Json<AlarmKinds> {
    Json(AlarmKinds {
        items: Kind::table().iter().map(view).collect(),
        target_high_pct: Priority::High.target_pct(),
        target_medium_pct: Priority::Medium.target_pct(),
        target_low_pct: Priority::Low.target_pct(),
    })
}

fn view(row: &Rationale) -> AlarmKindView {
    let (on_delay, waits_for_poll) = match row.on_delay {
        Delay::For(delay) => (delay, false),
        Delay::PollAnd(more) => (more, true),
    };
    AlarmKindView {
        kind: row.name.to_owned(),
        priority: row.priority.into(),
        cause: row.cause.to_owned(),
        consequence: row.consequence.to_owned(),
        severity: match row.severity {
            Consequence::Minor => AlarmSeverity::Minor,
            Consequence::Major => AlarmSeverity::Major,
            Consequence::Severe => AlarmSeverity::Severe,
        },
        action: row.action.to_owned(),
        respond_within_s: row.respond_within.as_secs(),
        on_delay_s: on_delay.as_secs(),
        waits_for_poll,
        off_delay_s: row.off_delay.as_secs(),
        deadband: row.deadband.to_owned(),
    }
}
