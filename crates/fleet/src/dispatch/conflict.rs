//! Constraints of a plan that contradict each other, to be named to whoever asked for it.

use std::fmt;

use crate::{CimMrid, DerId, Name};

/// Most constraints that a message names.
const MAX_NAMED: usize = 8;

/// One of the constraints that can't all be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// The target of an interval, counted from 1.
    Target {
        /// Which interval.
        interval: usize,
    },
    /// A limit over several members.
    Limit {
        /// What the operator calls it.
        name: Name,
        /// In which interval, counted from 1; `None` between two of them.
        interval: Option<usize>,
    },
    /// The energy that the store of a member holds and its owner keeps.
    Energy(Subject),
    /// What has to be in a vehicle when it leaves.
    Departure(Subject),
    /// How fast a member may change.
    Ramp(Subject),
    /// What the members can do, each for itself.
    Members,
}

/// A member that a constraint is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Which.
    pub der: DerId,
    /// IEC 61968 identity, once looked up.
    pub mrid: Option<CimMrid>,
}

impl Constraint {
    /// The member it is of.
    pub(crate) const fn subject_mut(&mut self) -> Option<&mut Subject> {
        match self {
            Self::Energy(subject) | Self::Departure(subject) | Self::Ramp(subject) => Some(subject),
            Self::Target { .. } | Self::Limit { .. } | Self::Members => None,
        }
    }
}

impl From<DerId> for Subject {
    fn from(der: DerId) -> Self {
        Self { der, mrid: None }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mrid {
            Some(mrid) => write!(f, "{mrid}"),
            None => write!(f, "{}", self.der),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target { interval } => write!(f, "the target of interval {interval}"),
            Self::Limit {
                name,
                interval: Some(interval),
            } => write!(f, "limit {name} in interval {interval}"),
            Self::Limit {
                name,
                interval: None,
            } => write!(f, "limit {name} between intervals"),
            Self::Energy(subject) => write!(f, "the energy of DER {subject}"),
            Self::Departure(subject) => write!(f, "the departure of DER {subject}"),
            Self::Ramp(subject) => write!(f, "the ramp of DER {subject}"),
            Self::Members => f.write_str("the power that the members can give and take"),
        }
    }
}

/// `constraints` as a list of words.
pub(crate) fn words(constraints: &[Constraint]) -> String {
    let named = constraints.iter().take(MAX_NAMED);
    let mut words: Vec<String> = named.map(ToString::to_string).collect();
    if MAX_NAMED < constraints.len() {
        words.push(format!("{} more", constraints.len() - MAX_NAMED));
    }
    let last = words.pop().unwrap_or_default();
    match words.is_empty() {
        true => last,
        false => format!("{} and {last}", words.join(", ")),
    }
}
