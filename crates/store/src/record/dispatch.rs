//! Dispatches.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use fleet::enrolment::DemandResponseProgramId;
use fleet::{
    Aim, Approval, ApprovalRule, Capacity, Conduct, Dispatch, DispatchId, Event, GroupId, Need,
    Objective, Priority, Publish, Target,
};
use serde::{Deserialize, Serialize};
use units::{Money, Percent, Timestamp, Watts};

use super::field::{IntervalV1, millis, optional_text, text};
use super::plan::PlanV1;
use super::{RecordError, Unstorable};

const KIND: &str = "dispatch_created";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetV1 {
    interval_ms: IntervalV1,
    p_uw: i64,
}

impl TargetV1 {
    fn read(&self) -> Target {
        Target::net(self.interval_ms.read(), Watts::from_micro(self.p_uw))
    }
}

/// A dispatch of net power, let out when it was created.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DispatchV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    name: Option<Cow<'a, str>>,
    group: u32,
    schedule: Vec<TargetV1>,
    ramp_ms: u64,
    created_ms: i64,
    cancelled_ms: Option<i64>,
    plan: Option<PlanV1>,
}

impl DispatchV1<'_> {
    pub(super) fn read(self) -> Result<Dispatch, RecordError> {
        let created = Timestamp::from_millis(self.created_ms);
        Ok(Dispatch {
            id: DispatchId(self.id),
            mrid: text("mrid", &self.mrid)?,
            name: optional_text("name", self.name.as_ref())?,
            group: GroupId(self.group),
            schedule: self.schedule.iter().map(TargetV1::read).collect(),
            ramp: Duration::from_millis(self.ramp_ms),
            conduct: Conduct::default(),
            approvals: Vec::new(),
            published: Some(created),
            created,
            cancelled: self.cancelled_ms.map(Timestamp::from_millis),
            plan: self.plan.map(PlanV1::read).transpose()?,
            superseded: Vec::new(),
            asked_before: BTreeMap::new(),
        })
    }
}

/// Micro-watts, hundredths of a percent, or millionths of the currency.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AimV1 {
    Net(i64),
    Delta(i64),
    Percent(i32),
    AtMost(i64),
    AtLeast(i64),
    Price(i64),
}

impl From<Aim> for AimV1 {
    fn from(aim: Aim) -> Self {
        match aim {
            Aim::Net(p) => Self::Net(p.micro()),
            Aim::Delta(p) => Self::Delta(p.micro()),
            Aim::Percent(share) => Self::Percent(share.hundredths()),
            Aim::AtMost(p) => Self::AtMost(p.micro()),
            Aim::AtLeast(p) => Self::AtLeast(p.micro()),
            Aim::Price(price) => Self::Price(price.micro()),
        }
    }
}

impl AimV1 {
    pub(super) const fn read(&self) -> Aim {
        match *self {
            Self::Net(micro) => Aim::Net(Watts::from_micro(micro)),
            Self::Delta(micro) => Aim::Delta(Watts::from_micro(micro)),
            Self::Percent(hundredths) => Aim::Percent(Percent::from_hundredths(hundredths)),
            Self::AtMost(micro) => Aim::AtMost(Watts::from_micro(micro)),
            Self::AtLeast(micro) => Aim::AtLeast(Watts::from_micro(micro)),
            Self::Price(micro) => Aim::Price(Money::from_micro(micro)),
        }
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum PriorityV1 {
    Economic,
    Reliability,
    Emergency,
}

impl From<Priority> for PriorityV1 {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Economic => Self::Economic,
            Priority::Reliability => Self::Reliability,
            Priority::Emergency => Self::Emergency,
        }
    }
}

impl From<PriorityV1> for Priority {
    fn from(priority: PriorityV1) -> Self {
        match priority {
            PriorityV1::Economic => Self::Economic,
            PriorityV1::Reliability => Self::Reliability,
            PriorityV1::Emergency => Self::Emergency,
        }
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum ObjectiveV1 {
    ProRata,
    LeastCost,
    LeastUsed,
    FewestDevices,
}

impl From<Objective> for ObjectiveV1 {
    fn from(objective: Objective) -> Self {
        match objective {
            Objective::ProRata => Self::ProRata,
            Objective::LeastCost => Self::LeastCost,
            Objective::LeastUsed => Self::LeastUsed,
            Objective::FewestDevices => Self::FewestDevices,
        }
    }
}

impl From<ObjectiveV1> for Objective {
    fn from(objective: ObjectiveV1) -> Self {
        match objective {
            ObjectiveV1::ProRata => Self::ProRata,
            ObjectiveV1::LeastCost => Self::LeastCost,
            ObjectiveV1::LeastUsed => Self::LeastUsed,
            ObjectiveV1::FewestDevices => Self::FewestDevices,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConductV1<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<u32>,
    priority: PriorityV1,
    objective: ObjectiveV1,
    on_command: bool,
    release_ms: u64,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    author: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    revised_by: Vec<Cow<'a, str>>,
}

impl<'a> ConductV1<'a> {
    fn new(conduct: &'a Conduct) -> Result<Self, Unstorable> {
        Ok(Self {
            program: conduct.program.map(|program| program.0),
            priority: conduct.priority.into(),
            objective: conduct.objective.into(),
            on_command: conduct.publish == Publish::OnCommand,
            release_ms: millis(KIND, "release", conduct.release)?,
            author: conduct.author.as_ref().map(|text| text.as_str().into()),
            revised_by: conduct
                .revised_by
                .iter()
                .map(|text| text.as_str().into())
                .collect(),
        })
    }

    fn read(&self) -> Result<Conduct, RecordError> {
        Ok(Conduct {
            program: self.program.map(DemandResponseProgramId),
            priority: self.priority.into(),
            objective: self.objective.into(),
            publish: match self.on_command {
                true => Publish::OnCommand,
                false => Publish::WhenApproved,
            },
            release: Duration::from_millis(self.release_ms),
            author: optional_text("author", self.author.as_ref())?,
            revised_by: self
                .revised_by
                .iter()
                .map(|by| text("revised_by", by))
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalV1<'a> {
    #[serde(borrow)]
    by: Cow<'a, str>,
    balancing_authority: bool,
    at_ms: i64,
}

impl<'a> From<&'a Approval> for ApprovalV1<'a> {
    fn from(approval: &'a Approval) -> Self {
        Self {
            by: approval.by.as_str().into(),
            balancing_authority: approval.capacity == Capacity::BalancingAuthority,
            at_ms: approval.at.millis(),
        }
    }
}

impl ApprovalV1<'_> {
    fn read(&self) -> Result<Approval, RecordError> {
        Ok(Approval {
            by: text("by", &self.by)?,
            capacity: match self.balancing_authority {
                true => Capacity::BalancingAuthority,
                false => Capacity::Operator,
            },
            at: Timestamp::from_millis(self.at_ms),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DispatchV2<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    group: u32,
    schedule: Vec<(IntervalV1, AimV1)>,
    ramp_ms: u64,
    #[serde(borrow)]
    conduct: ConductV1<'a>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    approvals: Vec<ApprovalV1<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_ms: Option<i64>,
    created_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanV1>,
}

impl<'a> TryFrom<&'a Dispatch> for DispatchV2<'a> {
    type Error = Unstorable;

    fn try_from(dispatch: &'a Dispatch) -> Result<Self, Unstorable> {
        let target = |target: &Target| {
            let interval = IntervalV1::new(KIND, target.interval)?;
            Ok((interval, target.aim.into()))
        };
        let schedule = dispatch.schedule.iter().map(target);
        Ok(Self {
            id: dispatch.id.0,
            mrid: dispatch.mrid.as_str().into(),
            name: dispatch.name.as_ref().map(|text| text.as_str().into()),
            group: dispatch.group.0,
            schedule: schedule.collect::<Result<_, _>>()?,
            ramp_ms: millis(KIND, "ramp", dispatch.ramp)?,
            conduct: ConductV1::new(&dispatch.conduct)?,
            approvals: dispatch.approvals.iter().map(Into::into).collect(),
            published_ms: dispatch.published.map(Timestamp::millis),
            created_ms: dispatch.created.millis(),
            cancelled_ms: dispatch.cancelled.map(Timestamp::millis),
            plan: dispatch.plan.as_ref().map(Into::into),
        })
    }
}

impl DispatchV2<'_> {
    pub(super) fn read(self) -> Result<Dispatch, RecordError> {
        let target = |(interval, aim): &(IntervalV1, AimV1)| Target {
            interval: interval.read(),
            aim: aim.read(),
        };
        let approvals = self.approvals.iter().map(ApprovalV1::read);
        Ok(Dispatch {
            id: DispatchId(self.id),
            mrid: text("mrid", &self.mrid)?,
            name: optional_text("name", self.name.as_ref())?,
            group: GroupId(self.group),
            schedule: self.schedule.iter().map(target).collect(),
            ramp: Duration::from_millis(self.ramp_ms),
            conduct: self.conduct.read()?,
            approvals: approvals.collect::<Result<_, _>>()?,
            published: self.published_ms.map(Timestamp::from_millis),
            created: Timestamp::from_millis(self.created_ms),
            cancelled: self.cancelled_ms.map(Timestamp::from_millis),
            plan: self.plan.map(PlanV1::read).transpose()?,
            superseded: Vec::new(),
            asked_before: BTreeMap::new(),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DispatchApprovedV1<'a> {
    dispatch: u32,
    #[serde(borrow)]
    approval: ApprovalV1<'a>,
}

impl<'a> DispatchApprovedV1<'a> {
    pub(super) fn new(dispatch: DispatchId, approval: &'a Approval) -> Self {
        Self {
            dispatch: dispatch.0,
            approval: approval.into(),
        }
    }

    pub(super) fn read(&self) -> Result<Event, RecordError> {
        let id = DispatchId(self.dispatch);
        Ok(Event::DispatchApproved(id, self.approval.read()?))
    }
}

/// When a dispatch was let out or called off.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DispatchAtV1 {
    dispatch: u32,
    at_ms: i64,
}

impl DispatchAtV1 {
    pub(super) fn new(dispatch: DispatchId, at: Timestamp) -> Self {
        Self {
            dispatch: dispatch.0,
            at_ms: at.millis(),
        }
    }

    pub(super) fn read(&self) -> (DispatchId, Timestamp) {
        let at = Timestamp::from_millis(self.at_ms);
        (DispatchId(self.dispatch), at)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalRuleV1 {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<u32>,
    from_uw: i64,
    up_to: PriorityV1,
    balancing_authority: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovalRulesV1 {
    rules: Vec<ApprovalRuleV1>,
}

impl From<&[ApprovalRule]> for ApprovalRulesV1 {
    fn from(rules: &[ApprovalRule]) -> Self {
        let rule = |rule: &ApprovalRule| ApprovalRuleV1 {
            group: rule.group.map(|group| group.0),
            from_uw: rule.from.micro(),
            up_to: rule.up_to.into(),
            balancing_authority: rule.need == Need::BalancingAuthority,
        };
        Self {
            rules: rules.iter().map(rule).collect(),
        }
    }
}

impl From<ApprovalRulesV1> for Event {
    fn from(rules: ApprovalRulesV1) -> Self {
        let rule = |rule: ApprovalRuleV1| ApprovalRule {
            group: rule.group.map(GroupId),
            from: Watts::from_micro(rule.from_uw),
            up_to: rule.up_to.into(),
            need: match rule.balancing_authority {
                true => Need::BalancingAuthority,
                false => Need::SecondPerson,
            },
        };
        Self::ApprovalRulesSet(rules.rules.into_iter().map(rule).collect())
    }
}
