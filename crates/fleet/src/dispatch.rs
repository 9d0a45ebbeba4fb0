//! Dispatch of a group: a schedule of what is wanted of it, and the plans that serve it.

pub mod aggregate;
pub mod approval;
pub mod assess;
pub mod availability;
pub mod batch;
pub mod behaviour;
pub mod conduct;
pub mod conflict;
pub mod correction;
pub mod limit;
pub mod meanwhile;
pub mod merit;
pub mod past;
pub mod plan;
pub mod reconcile;
pub mod rival;
pub mod share;
pub mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use units::{Interval, Money, Percent, Timestamp, Watts};

pub use aggregate::{Aggregate, VoltageSpread};
pub use approval::{Approval, ApprovalRule, Capacity, Need};
pub use assess::Standing;
pub use batch::Batch;
pub use behaviour::Behaviour;
pub use conduct::{Conduct, Objective, Priority, Publish, Stage};
pub use conflict::{Constraint, Subject};
pub use limit::LinearLimit;
pub use past::Past;
pub use plan::{Allocation, Plan, Request, plan};

use crate::{CimMrid, DerId, DispatchId, Event, GroupId, Name, Rejection};

/// What is wanted of the group in one interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// When.
    pub interval: Interval,
    /// What.
    pub aim: Aim,
}

/// What is wanted of the net active power of a group: that at the DER terminals, uncontrollable
/// members included, injection positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aim {
    /// This much.
    Net(Watts),
    /// So much more than the members do unasked when the dispatch is first planned.
    Delta(Watts),
    /// So much of the way, at the first plan, from what the members do unasked to the most that
    /// they can do; negative for the least.
    Percent(Percent),
    /// No more than this. Members are asked for something only where they would do more.
    AtMost(Watts),
    /// No less than this. Members are asked for something only where they would do less.
    AtLeast(Watts),
    /// All that is to be had at this price for a kWh.
    Price(Money),
}

impl Target {
    /// So much net active power in `interval`.
    #[must_use]
    pub const fn net(interval: Interval, p: Watts) -> Self {
        Self {
            interval,
            aim: Aim::Net(p),
        }
    }
}

impl Target {
    /// Whether it is about the same time as `old` and, if it is relative, to the same.
    pub(crate) fn keeps_reference_of(&self, old: &Self) -> bool {
        let both_deltas = matches!((self.aim, old.aim), (Aim::Delta(_), Aim::Delta(_)));
        self.interval.start == old.interval.start && (self.aim == old.aim || both_deltas)
    }
}

impl Aim {
    /// Whether it is relative to what members do unasked.
    #[must_use]
    pub const fn is_relative(self) -> bool {
        matches!(self, Self::Delta(_) | Self::Percent(_))
    }

    /// The net active power that is wanted, where that does not depend on the members.
    #[must_use]
    pub const fn p(self) -> Option<Watts> {
        match self {
            Self::Net(p) | Self::AtMost(p) | Self::AtLeast(p) => Some(p),
            Self::Delta(_) | Self::Percent(_) | Self::Price(_) => None,
        }
    }

    /// Whether members that would keep within the aim unasked are left alone.
    #[must_use]
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::AtMost(_) | Self::AtLeast(_))
    }
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
    /// On whose behalf, how urgent, and how it is served.
    pub conduct: Conduct,
    /// Who has approved of it.
    pub approvals: Vec<Approval>,
    /// When its controls were let out; before that nobody is asked for anything.
    pub published: Option<Timestamp>,
    /// When it was called off, if it was.
    pub cancelled: Option<Timestamp>,
    /// The plan in force; its generation counts up from 1.
    pub plan: Option<Plan>,
    /// The plans before it, oldest first: the newest [`Self::MAX_SUPERSEDED`].
    pub superseded: Vec<Superseded>,
    /// For how long plans before it asked each member for something until they were superseded.
    pub asked_before: BTreeMap<DerId, Duration>,
}

/// A plan that another one has taken the place of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Superseded {
    /// Its generation.
    pub generation: u32,
    /// When it was made.
    pub made: Timestamp,
    /// When the one that took its place was.
    pub until: Timestamp,
    /// Members that it asked for something.
    pub asked: u32,
    /// The largest part of a target that nobody was given, as a magnitude.
    pub residue: Watts,
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
    /// Most plans that are kept in outline once they are superseded; the journal has all.
    pub const MAX_SUPERSEDED: usize = 64;

    /// Takes up the next plan.
    pub(crate) fn succeed(&mut self, plan: &Plan) {
        if self.published.is_some() {
            for (der, time) in self.asked_by_plan(plan.effective) {
                *self.asked_before.entry(der).or_default() += time;
            }
        }
        if let Some(old) = self.plan.replace(plan.clone()) {
            let asked: BTreeSet<DerId> = old.allocations.iter().map(|a| a.der).collect();
            let residues = old.balances.iter().map(|balance| balance.residue.abs());
            if Self::MAX_SUPERSEDED <= self.superseded.len() {
                self.superseded.remove(0);
            }
            self.superseded.push(Superseded {
                generation: old.generation,
                made: old.made,
                until: plan.made,
                asked: u32::try_from(asked.len()).unwrap_or(u32::MAX),
                residue: residues.max().unwrap_or_default(),
            });
        }
    }

    /// The members that it asks or asked for something, each with for how long in all, up to when it
    /// was called off.
    #[must_use]
    pub fn asked_for(&self) -> BTreeMap<DerId, Duration> {
        let mut all = self.asked_before.clone();
        for (der, time) in self.asked_by_plan(self.asked_until()) {
            *all.entry(der).or_default() += time;
        }
        all
    }

    /// The members that it asks or asked for something as an event of a demand response programme.
    pub(crate) fn taking_part(&self) -> BTreeSet<DerId> {
        let is_event = self.conduct.program.is_some() && self.published.is_some();
        let asked = is_event.then(|| self.asked_for());
        asked.unwrap_or_default().into_keys().collect()
    }

    /// Until when its plan asks members for anything.
    fn asked_until(&self) -> Timestamp {
        let end = self.span().map(|span| span.end());
        self.cancelled.or(end).unwrap_or(self.created)
    }

    /// For how long the plan in force asks members for something until `until`.
    fn asked_by_plan(&self, until: Timestamp) -> Vec<(DerId, Duration)> {
        let Some(plan) = &self.plan else {
            return Vec::new();
        };
        let asked = plan.allocations.iter().filter_map(|allocation| {
            let target = self.schedule.get(allocation.interval as usize)?;
            let time = asked_within(plan, target.interval, until);
            (!time.is_zero()).then_some((allocation.der, time))
        });
        asked.collect()
    }

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

    /// The net active power wanted in schedule interval `index`: as the plan in force has it, else
    /// as it was asked.
    #[must_use]
    pub fn target_p(&self, index: usize) -> Option<Watts> {
        let balances = self.plan.as_ref().map_or(&[][..], |plan| &plan.balances);
        let planned = balances.iter().find(|b| b.interval as usize == index);
        planned
            .map(|balance| balance.target)
            .or_else(|| self.schedule.get(index)?.aim.p())
    }

    /// Whether its members are held to it: it is published and not called off.
    #[must_use]
    pub const fn is_in_force(&self) -> bool {
        self.published.is_some() && self.cancelled.is_none()
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

/// How much of `interval` lies under `plan` and before `until`.
fn asked_within(plan: &Plan, interval: Interval, until: Timestamp) -> Duration {
    let from = interval.start.max(plan.effective);
    interval.end().min(until).since(from)
}
