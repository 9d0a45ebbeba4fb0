//! Dispatch of a group: a schedule of net active power, and the plans that serve it.

pub mod aggregate;
pub mod assess;
pub mod limit;
pub mod plan;
pub mod reconcile;
pub mod share;
pub mod verdict;

use std::time::Duration;

use units::{Interval, Timestamp, Watts};

pub use aggregate::{Aggregate, VoltageSpread};
pub use assess::Standing;
pub use limit::LinearLimit;
pub use plan::{Allocation, Plan, Request, plan};

use crate::{CimMrid, DispatchId, Event, GroupId, Name, Rejection};

/// Net active power of the group in one interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// When.
    pub interval: Interval,
    /// Net power at the DER terminals, uncontrollable members included, injection positive.
    pub p: Watts,
}

/// A dispatch as accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispatch {
    /// Dense index.
    pub id: DispatchId,
    /// IEC 61968 identity.
    pub mrid: CimMrid,
    /// Name, if given.
    pub name: Option<Name>,
    /// Who delivers.
    pub group: GroupId,
    /// Targets in order, without overlap.
    pub schedule: Vec<Target>,
    /// How long each interval's ramp may take; delivery is judged after it.
    pub ramp: Duration,
    /// When it was accepted.
    pub created: Timestamp,
    /// When it was called off, if it was.
    pub cancelled: Option<Timestamp>,
    /// The plan in force; its generation counts up from 1.
    pub plan: Option<Plan>,
}

/// Where a dispatch stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DispatchPhase {
    /// Its first interval lies ahead.
    Scheduled,
    /// This interval of its schedule is running.
    Running(usize),
    /// Between two intervals of its schedule.
    Waiting(usize),
    /// All intervals are over.
    Ended,
    /// Called off.
    Cancelled,
}

impl Dispatch {
    /// From the first interval's start to the last one's end; `None` without intervals.
    #[must_use]
    pub fn span(&self) -> Option<Interval> {
        let (first, last) = (self.schedule.first()?, self.schedule.last()?);
        Some(Interval::between(first.interval.start, last.interval.end()))
    }

    /// Where it stands at `now`.
    #[must_use]
    pub fn phase(&self, now: Timestamp) -> DispatchPhase {
        if self.cancelled.is_some() {
            return DispatchPhase::Cancelled;
        }
        match self
            .schedule
            .iter()
            .position(|target| now < target.interval.end())
        {
            None => DispatchPhase::Ended,
            Some(index) if self.schedule[index].interval.contains(now) => {
                DispatchPhase::Running(index)
            }
            Some(0) => DispatchPhase::Scheduled,
            Some(index) => DispatchPhase::Waiting(index),
        }
    }

    /// Adopts the successor of the plan in force.
    ///
    /// # Errors
    /// [`Rejection::DispatchOver`], or [`Rejection::StalePlan`] when its generation is not the next.
    pub fn adopt(&self, plan: Plan, now: Timestamp) -> Result<Event, Rejection> {
        if matches!(
            self.phase(now),
            DispatchPhase::Ended | DispatchPhase::Cancelled
        ) {
            return Err(Rejection::DispatchOver(self.mrid.clone()));
        }
        let expected = self
            .plan
            .as_ref()
            .map_or(1, |current| current.generation + 1);
        if plan.generation != expected {
            let got = plan.generation;
            return Err(Rejection::StalePlan { expected, got });
        }
        Ok(Event::PlanAdopted(plan))
    }
}
