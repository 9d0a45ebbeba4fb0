//! Strategies: what makes dispatches for a demand response programme by itself, by the calendar or by
//! what is measured.
//!
//! A [`Strategy`] says [when](Trigger) a dispatch is wanted and [what](Template) it asks for; the
//! terms of its programme hold as for any other event of it. [`due`] finds what is due from the state,
//! the readings and the instant alone. Each time that is due comes to one [`Occurrence`], which is
//! folded in the same commit as the dispatch that it made, so that neither a restart nor another
//! leader makes it twice.

pub mod book;
pub mod calendar;
pub mod due;
pub mod threshold;

mod apply;
mod decide;

use std::time::Duration;

use units::Timestamp;

use crate::enrolment::DemandResponseProgramId;
use crate::{
    Aim, CimMrid, DispatchId, GroupId, Name, Note, Objective, Priority, Publish, StrategyId,
};

pub use book::{Progress, StrategyBook};
pub use calendar::Calendar;
pub use due::{Due, Watch};
pub use threshold::{Flow, Gauge, Level, Measured, Threshold};

/// What makes dispatches by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Strategy {
    /// Dense index.
    pub id: StrategyId,
    /// Its identity, from which those of its dispatches are made.
    pub mrid: CimMrid,
    /// What it is called; its dispatches are called so too.
    pub name: Name,
    /// The programme whose events they are; its terms hold.
    pub program: DemandResponseProgramId,
    /// Who delivers.
    pub group: GroupId,
    /// When a dispatch is wanted.
    pub trigger: Trigger,
    /// What it asks for.
    pub template: Template,
    /// Whether it acts.
    pub standing: Standing,
    /// Who made it, and when.
    pub created: Mark,
    /// Who has changed last what it is or whether it acts, and when.
    pub changed: Mark,
}

/// Who did something, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Who.
    pub by: Name,
    /// When.
    pub at: Timestamp,
}

/// When a dispatch is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// At a local time of certain days.
    Calendar(Calendar),
    /// When a measured power has been beyond a level for some time.
    Threshold(Threshold),
}

/// What a dispatch of a strategy asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    /// What is wanted of the group.
    pub aim: Aim,
    /// For how long; whole seconds.
    pub duration: Duration,
    /// So long before its start it is made; whole seconds.
    pub lead: Duration,
    /// How long the ramp may take; `None` for the default.
    pub ramp: Option<Duration>,
    /// How urgent it is.
    pub priority: Priority,
    /// By what members are chosen.
    pub objective: Objective,
    /// Whether it is let out by itself once every approval is there.
    pub publish: Publish,
    /// Over how long members let go at its end.
    pub release: Duration,
}

/// Whether a strategy acts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Standing {
    /// It does.
    Running,
    /// Not until it is resumed.
    Paused,
    /// Not any more.
    Retired,
}

/// One time at which a dispatch was due, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Occurrence {
    /// When the dispatch begins, or was to begin; what tells occurrences of one strategy apart.
    pub start: Timestamp,
    /// When that was decided.
    pub decided: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an occurrence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// This dispatch.
    Created(DispatchId),
    /// Nothing: a dispatch was refused, for this reason.
    Refused(Note),
    /// Nothing: its time had passed.
    Missed(Missed),
}

/// Why the time of an occurrence had passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// Nobody looked at it in time: the server was down.
    Down,
    /// The dispatch before it was not over.
    Open(DispatchId),
}

/// A strategy to create, or what one is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewStrategy {
    /// Its identity; one that is known changes.
    pub mrid: CimMrid,
    /// What it is called.
    pub name: Name,
    /// The programme whose events its dispatches are.
    pub program: DemandResponseProgramId,
    /// Who delivers.
    pub group: GroupId,
    /// When a dispatch is wanted.
    pub trigger: Trigger,
    /// What it asks for.
    pub template: Template,
    /// Who says so.
    pub by: Name,
}

/// What is asked about strategies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StrategyCommand {
    /// Create a strategy, or change what it is.
    Put(Box<NewStrategy>),
    /// Pause, resume or retire a strategy, by whom. Nothing comes of it where it stands so.
    Stand(StrategyId, Standing, Name),
    /// Take in what came of an occurrence. Nothing comes of it where that is known.
    Note(StrategyId, Occurrence),
    /// What is measured has come back: the next time that it is beyond its level counts again.
    Rearm(StrategyId),
}

/// What was decided about strategies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StrategyEvent {
    /// A strategy is this.
    Put(Box<Strategy>),
    /// A strategy acts or does not, by whom and since when.
    Stood(StrategyId, Standing, Mark),
    /// Something came of an occurrence.
    Occurred(StrategyId, Occurrence),
    /// The next time that what is measured is beyond its level counts again.
    Rearmed(StrategyId, Timestamp),
}

impl Strategy {
    /// Most characters of its mRID: what leaves room for the start in those of its dispatches.
    pub const MAX_MRID_CHARS: usize = 46;
    /// Longest dispatch.
    pub const MAX_DURATION: Duration = Duration::from_secs(86_400);
    /// Longest time between making a dispatch and its start.
    pub const MAX_LEAD: Duration = Duration::from_secs(7 * 86_400);
    /// So long after its start a dispatch is still made, where it could not be made before.
    pub const TOLERANCE: Duration = Duration::from_secs(300);
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Running, Self::Paused, Self::Retired];

    /// Its name in the journal and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Retired => "retired",
        }
    }

    /// The standing of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|standing| standing.name() == name)
    }
}
