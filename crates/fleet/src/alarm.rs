//! Alarms by ANSI/ISA-18.2-2016 (IEC 62682): what needs an operator's action in a given time.
//!
//! An [`Alarm`] is a [`Kind`] from the table of [rationalised](kind) alarms and the [`Subject`]
//! that it is about; its [`State`] follows the state diagram of the standard ([`state`]). What
//! raises it is looked for outside ([`silence`] groups the loss of communication by its place);
//! what is raised, acknowledged, shelved and suppressed is journalled and kept in the
//! [`AlarmBook`]. [`metrics`] says how many there are for the people who have to deal with them.
//!
//! What merely happened, such as an owner's opt-out, is in the journal and the ledger: nobody has
//! to do anything about it, so it is no alarm. Drift of required settings has alarms of its own
//! ([`crate::settings_profile::Drift`]).

pub mod book;
pub mod kind;
pub mod metrics;
pub mod silence;
pub mod state;

mod apply;
mod decide;

use std::time::Duration;

use units::{Timestamp, Watts};

use crate::microgrid::Coupling;
use crate::{
    AggregatorId, AlarmId, AssignmentId, DerId, DispatchId, Fleet, MicrogridId, Name, Note,
    StrategyId, SuppressionId,
};

pub use book::AlarmBook;
pub use decide::{AlarmCommand, AlarmEvent, NewSuppression, Raise};
pub use kind::{Consequence, Delay, Kind, Priority, Rationale};
pub use state::{Condition, Signal, State};

/// What an alarm is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// This server.
    Server,
    /// A DER.
    Der(DerId),
    /// The DER at or below a node of the hierarchy.
    Assignment(AssignmentId),
    /// The DER that an aggregator stands in for.
    Aggregator(AggregatorId),
    /// A dispatch.
    Dispatch(DispatchId),
    /// A shared limit, by name.
    Limit(Name),
    /// A microgrid; of a rule, its members too.
    Microgrid(MicrogridId),
    /// A strategy.
    Strategy(StrategyId),
}

/// What is known of the condition beyond that it is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Nothing.
    Plain,
    /// A DER was last heard then.
    LastHeard(Timestamp),
    /// So many of the DER of a place.
    Members {
        /// How many are affected.
        count: u32,
        /// Of how many.
        of: u32,
        /// When the last of them was heard.
        last_heard: Timestamp,
    },
    /// A power that is beyond a bound.
    Power {
        /// As found, injection positive.
        found: Watts,
        /// The bound.
        bound: Watts,
    },
    /// So many of something.
    Count(u32),
    /// By so much time.
    Off(Duration),
}

/// Who has seen an alarm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    /// Who.
    pub by: Name,
    /// When.
    pub at: Timestamp,
    /// A remark.
    pub note: Option<Note>,
}

/// An alarm put aside for a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shelf {
    /// By whom.
    pub by: Name,
    /// Why.
    pub reason: Note,
    /// When.
    pub at: Timestamp,
    /// Until when; at most [`AlarmBook::MAX_SHELVE`] after.
    pub until: Timestamp,
}

/// Why alarms are not shown on purpose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Means {
    /// The state of the plant makes them pointless, such as maintenance of a feeder: suppressed by
    /// design.
    ByDesign,
    /// They are taken out of service, such as while a meter is known to be wrong.
    OutOfService,
}

/// A rule by which alarms are not shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suppression {
    /// Dense index.
    pub id: SuppressionId,
    /// What they are about; a place stands for everything at or below it.
    pub subject: Subject,
    /// Which kind; `None` for all.
    pub kind: Option<Kind>,
    /// In what way.
    pub means: Means,
    /// Who set it.
    pub by: Name,
    /// Why.
    pub reason: Note,
    /// When.
    pub at: Timestamp,
    /// When it ends of itself; `None` for when somebody ends it.
    pub until: Option<Timestamp>,
}

/// An alarm that is not back to normal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alarm {
    /// Dense index.
    pub id: AlarmId,
    /// Which row of the table.
    pub kind: Kind,
    /// What it is about.
    pub subject: Subject,
    /// Where it stands.
    pub state: State,
    /// Whether its condition is there, whether or not it is shown.
    pub condition: Condition,
    /// What is known of it.
    pub detail: Detail,
    /// When its condition occurred last.
    pub raised: Timestamp,
    /// How often it has been annunciated since it was last normal.
    pub annunciations: u32,
    /// When its condition went away, if it has.
    pub returned: Option<Timestamp>,
    /// Who has seen it since it was last annunciated.
    pub acknowledged: Option<Acknowledgement>,
    /// While it is shelved.
    pub shelf: Option<Shelf>,
    /// The rule by which it is not shown.
    pub suppression: Option<SuppressionId>,
}

impl Alarm {
    /// How urgent it is.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.kind.rationale().priority
    }
}

impl Subject {
    /// Whether `self`, the subject of a rule, stands for `other` too.
    #[must_use]
    pub fn covers(&self, fleet: &Fleet, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (self, other) {
            (Self::Server, _) => false,
            (Self::Assignment(node), Self::Der(der)) => {
                fleet.assignments_of(*der).iter().any(|own| own.id == *node)
            }
            (Self::Assignment(node), Self::Assignment(lower)) => {
                let above = fleet.with_nodes_above(&[*lower]);
                above.iter().any(|own| own.id == *node)
            }
            (Self::Aggregator(aggregator), Self::Der(der)) => {
                let der = fleet.der(*der);
                der.is_some_and(|der| der.manager == Some(*aggregator))
            }
            (Self::Microgrid(id), Self::Der(der)) => {
                let of = fleet.microgrids().of(*der);
                of.is_some_and(|(microgrid, _)| microgrid.id == *id)
            }
            (Self::Assignment(node), Self::Microgrid(id)) => {
                let found = fleet.microgrids().microgrid(*id);
                let leaf = found.and_then(|(microgrid, _)| microgrid.assignment);
                let above = leaf.map(|leaf| fleet.with_nodes_above(&[leaf]));
                above.is_some_and(|above| above.iter().any(|own| own.id == *node))
            }
            _ => false,
        }
    }
}

impl Fleet {
    /// Whether an alarm of this kind about `subject` is suppressed by design: while a microgrid is no
    /// steady part of the grid, that its members are silent or do not follow is told by its own alarm.
    #[must_use]
    pub fn is_moot(&self, kind: Kind, subject: &Subject) -> bool {
        match subject {
            Subject::Der(der) if matches!(kind, Kind::DerSilent | Kind::DerNotFollowing) => {
                self.coupling(*der) != Coupling::Connected
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
