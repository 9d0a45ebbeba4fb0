//! Who has to approve of a dispatch before it is let out.

use std::collections::BTreeSet;

use units::{Timestamp, Watts};

use super::{Dispatch, Priority};
use crate::{Fleet, GroupId, Name};

/// In what capacity somebody approves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Capacity {
    /// As an operator of this system.
    Operator,
    /// For the balancing authority.
    BalancingAuthority,
}

/// An approval that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// By whom.
    pub by: Name,
    /// In what capacity.
    pub capacity: Capacity,
    /// When.
    pub at: Timestamp,
}

/// An approval that a dispatch needs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Need {
    /// By somebody else than those who made and changed it.
    SecondPerson,
    /// For the balancing authority.
    BalancingAuthority,
}

/// Which dispatches need an approval. All rules that fit count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalRule {
    /// Dispatches of this group; `None` for those of every group.
    pub group: Option<GroupId>,
    /// Dispatches that ask at least so much of their members, up or down.
    pub from: Watts,
    /// Dispatches up to this priority; those that are more urgent do without.
    pub up_to: Priority,
    /// What they need.
    pub need: Need,
}

impl Fleet {
    /// Most rules about approvals.
    pub const MAX_APPROVAL_RULES: usize = 1_000;
    /// Most approvals of one dispatch.
    pub const MAX_APPROVALS: usize = 16;

    /// The rules about approvals.
    #[must_use]
    pub fn approval_rules(&self) -> &[ApprovalRule] {
        &self.approval_rules
    }

    /// The approvals that `dispatch` needs and has not got.
    #[must_use]
    pub fn missing_approvals(&self, dispatch: &Dispatch) -> BTreeSet<Need> {
        let size = dispatch.size();
        let rules = self.approval_rules.iter().filter(|rule| {
            rule.group.is_none_or(|group| group == dispatch.group)
                && rule.from <= size
                && dispatch.conduct.priority <= rule.up_to
        });
        let missing = rules.map(|rule| rule.need).filter(|need| {
            let meets = |approval: &Approval| match need {
                Need::SecondPerson => {
                    let conduct = &dispatch.conduct;
                    conduct.author.as_ref() != Some(&approval.by)
                        && !conduct.revised_by.contains(&approval.by)
                }
                Need::BalancingAuthority => approval.capacity == Capacity::BalancingAuthority,
            };
            !dispatch.approvals.iter().any(meets)
        });
        missing.collect()
    }
}

impl Dispatch {
    /// The most that it asks of its members in any interval, up or down, beyond what those do that
    /// are not asked: as planned, else as far as its targets tell.
    #[must_use]
    pub fn size(&self) -> Watts {
        let balances = self.plan.as_ref().map_or(&[][..], |plan| &plan.balances);
        let planned = balances.iter().map(|b| (b.target - b.unasked).abs());
        let aimed = self.schedule.iter().filter_map(|target| target.aim.p());
        planned
            .chain(aimed.map(Watts::abs))
            .max()
            .unwrap_or_default()
    }
}
