//! A staged roll-out: a new version reaches its DER stage by stage, each on the evidence of those
//! before, and can be halted and taken back.
//!
//! A roll-out does not change requirements: it is laid over them for the DER that its stages have
//! reached. To roll back is to take it away, and what was required before is required again.

use std::time::Duration;

use units::{Percent, Timestamp};

use crate::{DerId, Name, Note, RollOutId, SettingsProfileId};

/// What a stage has to show before the next one begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Criteria {
    /// A stage lasts at least this long.
    pub wait: Duration,
    /// A stage that has not shown enough by then halts the roll-out.
    pub deadline: Duration,
    /// The share of the stage's DER whose read-back matches.
    pub match_min: Percent,
    /// More DER with an alarm about the version than this, in all stages begun, halt the roll-out;
    /// an alarm from before the stage of the DER does not count.
    pub alarms_max: u32,
}

/// Where a roll-out stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// The latest stage gathers its evidence.
    Running,
    /// Nothing is issued until it is resumed or rolled back.
    Halted(HaltReason, Timestamp),
    /// Every stage has shown what it had to.
    Completed(Timestamp),
    /// It was taken back.
    RolledBack(Timestamp),
}

impl Phase {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Halted(_, _) => "halted",
            Self::Completed(_) => "completed",
            Self::RolledBack(_) => "rolled back",
        }
    }
}

/// Why a roll-out stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HaltReason {
    /// Somebody stopped it.
    Operator,
    /// So many DER have an alarm.
    Alarms(u32),
    /// Only so many of so many DER match after the deadline.
    Evidence {
        /// DER of the stage whose read-back matches.
        matching: u32,
        /// DER of the stage.
        of: u32,
    },
}

/// A step of a roll-out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// The next stage begins.
    Advanced,
    /// It stops.
    Halted(HaltReason),
    /// It goes on; the latest stage begins to wait anew.
    Resumed,
    /// It is done.
    Completed,
    /// It is taken back.
    RolledBack,
}

/// How stages are made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StagePlan {
    /// These DER, split by shares that have been reached after each stage, the last one 100 %.
    Shares(Vec<DerId>, Vec<Percent>),
    /// These DER, stage by stage.
    Lists(Vec<Vec<DerId>>),
}

/// A roll-out to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewRollOut {
    /// What it is called, unique among roll-outs.
    pub name: Name,
    /// Which version is to reach the DER.
    pub profile: SettingsProfileId,
    /// Whom, and in which order.
    pub plan: StagePlan,
    /// What each stage has to show.
    pub criteria: Criteria,
    /// Why.
    pub comment: Option<Note>,
    /// Who.
    pub author: Name,
}

/// A staged roll-out of one version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RollOut {
    /// Dense index.
    pub id: RollOutId,
    /// What it is called.
    pub name: Name,
    /// Which version.
    pub profile: SettingsProfileId,
    /// The DER of each stage; no DER is in two.
    pub stages: Vec<Vec<DerId>>,
    /// When each stage that has begun did so.
    pub begun: Vec<Timestamp>,
    /// When the latest stage began to wait: when it began, or was resumed.
    pub waiting_since: Timestamp,
    /// What each stage has to show.
    pub criteria: Criteria,
    /// Where it stands.
    pub phase: Phase,
    /// Why.
    pub comment: Option<Note>,
    /// Who.
    pub author: Name,
    /// When.
    pub created: Timestamp,
}

/// How a DER stands to the version it was given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// The DER is no longer there, and does not count.
    Removed,
    /// Its stage has not begun.
    Ahead,
    /// Its programme is not there yet.
    Pending,
    /// Its programme can't get there: ratings are missing or too small.
    Unable,
    /// Its programme says so; the device has not been heard since.
    Issued,
    /// Heard since, and nothing that is required can be read back.
    Unreadable,
    /// Something reported differs from what is required.
    Differs,
    /// All that is reported is as required, and something is.
    Matches,
}

/// What is known of one DER of a roll-out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// How it stands.
    pub standing: Standing,
    /// Whether it has an alarm about the version, raised since its stage began.
    pub alarm: bool,
}

impl RollOut {
    /// Most stages.
    pub const MAX_STAGES: usize = 20;
    /// Most DER.
    pub const MAX_DERS: usize = 100_000;
    /// Longest wait and deadline.
    pub const MAX_WAIT: Duration = Duration::from_secs(90 * 86_400);

    /// Whether it is neither completed nor rolled back.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Halted(_, _))
    }

    /// The stage that gathers its evidence, from 0.
    #[must_use]
    pub fn stage(&self) -> usize {
        self.begun.len().saturating_sub(1)
    }

    /// Every DER, stage by stage.
    pub fn ders(&self) -> impl Iterator<Item = DerId> {
        self.stages.iter().flatten().copied()
    }

    /// When the stage of this DER began.
    #[must_use]
    pub fn reached(&self, der: DerId) -> Option<Timestamp> {
        let begun = self.begun.iter().zip(&self.stages);
        let mut of_der = begun.filter(|(_, stage)| stage.binary_search(&der).is_ok());
        of_der.next().map(|(at, _)| *at)
    }

    /// Whether its programme is to stay as it is.
    #[must_use]
    pub fn holds_still(&self, der: DerId) -> bool {
        matches!(self.phase, Phase::Halted(_, _)) && self.reached(der).is_some()
    }

    /// What the facts lead to at `now`; nothing while a stage still waits, or when it is not
    /// running.
    pub fn evaluate(&self, facts: impl Fn(DerId) -> Facts, now: Timestamp) -> Option<Decision> {
        if self.phase != Phase::Running {
            return None;
        }
        let begun = self.stages.iter().take(self.begun.len()).flatten();
        let alarms = count(begun.filter(|der| facts(**der).alarm));
        if self.criteria.alarms_max < alarms {
            return Some(Decision::Halted(HaltReason::Alarms(alarms)));
        }
        let waited = now.since(self.waiting_since);
        if waited < self.criteria.wait {
            return None;
        }
        let stage = self.stages.get(self.stage())?;
        let standings = stage.iter().map(|der| facts(*der).standing);
        let present: Vec<Standing> = standings.filter(|s| *s != Standing::Removed).collect();
        let matching = count(present.iter().filter(|s| **s == Standing::Matches));
        let of = count(present.iter());
        let needed = u64::from(of) * u64::from(self.criteria.match_min.hundredths().unsigned_abs());
        if needed <= u64::from(matching) * 10_000 {
            return Some(self.next());
        }
        let late = self.criteria.deadline <= waited;
        late.then_some(Decision::Halted(HaltReason::Evidence { matching, of }))
    }

    /// The step that follows when the latest stage is good enough.
    #[must_use]
    pub fn next(&self) -> Decision {
        if self.begun.len() < self.stages.len() {
            Decision::Advanced
        } else {
            Decision::Completed
        }
    }

    /// Whether `decision` can follow where it stands.
    #[must_use]
    pub fn admits(&self, decision: Decision) -> bool {
        match decision {
            Decision::Advanced | Decision::Completed => {
                self.phase == Phase::Running && decision == self.next()
            }
            Decision::Halted(_) => self.phase == Phase::Running,
            Decision::Resumed => matches!(self.phase, Phase::Halted(_, _)),
            Decision::RolledBack => !matches!(self.phase, Phase::RolledBack(_)),
        }
    }

    /// Takes one step. A step that can't follow changes nothing.
    pub fn step(&mut self, decision: Decision, at: Timestamp) {
        if !self.admits(decision) {
            return;
        }
        self.phase = match decision {
            Decision::Advanced => {
                self.begun.push(at);
                Phase::Running
            }
            Decision::Resumed => Phase::Running,
            Decision::Halted(reason) => Phase::Halted(reason, at),
            Decision::Completed => Phase::Completed(at),
            Decision::RolledBack => Phase::RolledBack(at),
        };
        if matches!(decision, Decision::Advanced | Decision::Resumed) {
            self.waiting_since = at;
        }
    }
}

fn count<T>(of: impl Iterator<Item = T>) -> u32 {
    u32::try_from(of.count()).unwrap_or(u32::MAX)
}

/// Splits `ders` at shares, none of the parts empty. The order is mixed by `seed`, so that the first
/// stage is not made of the same DER each time.
pub(super) fn split(ders: &[DerId], shares: &[Percent], seed: u64) -> Vec<Vec<DerId>> {
    let mut mixed = ders.to_vec();
    mixed.sort_by_key(|der| (mix(u64::from(der.0) ^ mix(seed)), *der));
    let total = mixed.len() as u64;
    let mut stages = Vec::new();
    let mut from = 0;
    for share in shares {
        let reached = total * u64::from(share.hundredths().unsigned_abs());
        let to = usize::try_from(reached.div_ceil(10_000)).unwrap_or(mixed.len());
        if let Some(stage) = mixed.get(from..to).filter(|stage| !stage.is_empty()) {
            let mut stage = stage.to_vec();
            stage.sort_unstable();
            stages.push(stage);
            from = to;
        }
    }
    stages
}

/// The finaliser of `SplitMix64`.
const fn mix(of: u64) -> u64 {
    let mixed = (of ^ (of >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests;
