//! Constraints that contradict each other, in the answer to a request that can't be planned.

use fleet::dispatch::{Constraint, Subject};
use serde::Serialize;
use utoipa::ToSchema;

/// What kind of constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    /// The target of an interval.
    Target,
    /// A limit over several members.
    Limit,
    /// The energy that the store of a member holds and its owner keeps.
    Energy,
    /// What has to be in a vehicle when it leaves.
    Departure,
    /// How fast a member may change.
    Ramp,
    /// What the members can do, each for itself.
    Members,
}

/// One of the constraints that can't all be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConflictingConstraint {
    /// What kind.
    pub constraint: ConstraintKind,
    /// Which interval of the schedule, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<usize>,
    /// Name of the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// mRID of the DER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub der: Option<String>,
}

impl From<&Constraint> for ConflictingConstraint {
    fn from(constraint: &Constraint) -> Self {
        let plain = |constraint| Self {
            constraint,
            interval: None,
            limit: None,
            der: None,
        };
        let mrid = |subject: &Subject| Some(subject.to_string());
        match constraint {
            Constraint::Target { interval } => Self {
                interval: Some(*interval),
                ..plain(ConstraintKind::Target)
            },
            Constraint::Limit { name, interval } => Self {
                interval: *interval,
                limit: Some(name.to_string()),
                ..plain(ConstraintKind::Limit)
            },
            Constraint::Energy(subject) => Self {
                der: mrid(subject),
                ..plain(ConstraintKind::Energy)
            },
            Constraint::Departure(subject) => Self {
                der: mrid(subject),
                ..plain(ConstraintKind::Departure)
            },
            Constraint::Ramp(subject) => Self {
                der: mrid(subject),
                ..plain(ConstraintKind::Ramp)
            },
            Constraint::Members => plain(ConstraintKind::Members),
        }
    }
}
