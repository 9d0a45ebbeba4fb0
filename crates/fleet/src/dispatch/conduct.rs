//! On whose behalf a dispatch is made, how urgent it is, and how it is served.

use std::collections::BTreeSet;
use std::time::Duration;

use units::Timestamp;

use super::{Dispatch, DispatchPhase};
use crate::Name;
use crate::enrolment::DemandResponseProgramId;

/// How urgent a dispatch is. A more urgent one takes the members of its group from a less urgent one
/// for its intervals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Priority {
    /// To save or earn money.
    #[default]
    Economic = 1,
    /// To keep the grid within its limits.
    Reliability = 2,
    /// To keep the grid up.
    Emergency = 3,
}

/// By what the members are chosen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Objective {
    /// All alike: each by the same fraction of what it can do.
    #[default]
    ProRata = 1,
    /// The cheapest first, by what their contracts pay for a kWh and for an event.
    LeastCost = 2,
    /// Those first that have been asked least of late.
    LeastUsed = 3,
    /// As few as possible: those first that can do most.
    FewestDevices = 4,
}

/// When a dispatch is let out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Publish {
    /// As soon as everybody who has to has approved of it.
    #[default]
    WhenApproved,
    /// When somebody says so.
    OnCommand,
}

/// How a dispatch goes about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conduct {
    /// The programme whose event it is; its terms hold.
    pub program: Option<DemandResponseProgramId>,
    /// How urgent it is.
    pub priority: Priority,
    /// By what members are chosen.
    pub objective: Objective,
    /// When it is let out.
    pub publish: Publish,
    /// Over how long members let go at its end, each after a random time, so that they do not all
    /// come back at once; at most an hour.
    pub release: Duration,
    /// Who made it.
    pub author: Option<Name>,
    /// Who else has changed it.
    pub revised_by: BTreeSet<Name>,
}

impl Conduct {
    /// Longest release: what IEEE 2030.5 can say (`randomizeDuration`).
    pub const MAX_RELEASE: Duration = Duration::from_secs(3_600);
}

/// What a published dispatch is doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// Members know of it; it has not begun.
    Notice,
    /// Members move to their shares.
    RampIn,
    /// Members hold their shares.
    Sustain,
    /// Members let go.
    Release,
    /// It is over, and by its programme's terms members rest.
    Recovery,
}

impl Dispatch {
    /// What it is doing at `now`, where its members rest for `recovery` afterwards; `None` when it is
    /// not in force or all is over.
    #[must_use]
    pub fn stage(&self, now: Timestamp, recovery: Duration) -> Option<Stage> {
        if !self.is_in_force() {
            return None;
        }
        let span = self.span()?;
        let released = span.end().after(self.conduct.release);
        match self.phase(now) {
            DispatchPhase::Cancelled => None,
            DispatchPhase::Scheduled => Some(Stage::Notice),
            DispatchPhase::Waiting(_) => Some(Stage::Sustain),
            DispatchPhase::Running(index) => {
                let begun = self.schedule.get(index)?.interval.start;
                let ramping = now < begun.after(self.ramp);
                Some(if ramping {
                    Stage::RampIn
                } else {
                    Stage::Sustain
                })
            }
            DispatchPhase::Ended if now < released => Some(Stage::Release),
            DispatchPhase::Ended if now < span.end().after(recovery) => Some(Stage::Recovery),
            DispatchPhase::Ended => None,
        }
    }
}
