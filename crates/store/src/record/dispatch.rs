//! Dispatches.

use std::borrow::Cow;
use std::time::Duration;

use fleet::{Dispatch, DispatchId, Event, GroupId, Target};
use serde::{Deserialize, Serialize};
use units::{Timestamp, Watts};

use super::field::{IntervalV1, millis, optional_text, text};
use super::plan::PlanV1;
use super::{RecordError, Unstorable};

const KIND: &str = "dispatch_created";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetV1 {
    interval_ms: IntervalV1,
    p_uw: i64,
}

impl TargetV1 {
    fn new(target: &Target) -> Result<Self, Unstorable> {
        Ok(Self {
            interval_ms: IntervalV1::new(KIND, target.interval)?,
            p_uw: target.p.micro(),
        })
    }

    fn read(&self) -> Target {
        Target {
            interval: self.interval_ms.read(),
            p: Watts::from_micro(self.p_uw),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DispatchV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    group: u32,
    schedule: Vec<TargetV1>,
    ramp_ms: u64,
    created_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanV1>,
}

impl<'a> TryFrom<&'a Dispatch> for DispatchV1<'a> {
    type Error = Unstorable;

    fn try_from(dispatch: &'a Dispatch) -> Result<Self, Unstorable> {
        Ok(Self {
            id: dispatch.id.0,
            mrid: dispatch.mrid.as_str().into(),
            name: dispatch.name.as_ref().map(|text| text.as_str().into()),
            group: dispatch.group.0,
            schedule: dispatch
                .schedule
                .iter()
                .map(TargetV1::new)
                .collect::<Result<_, _>>()?,
            ramp_ms: millis(KIND, "ramp", dispatch.ramp)?,
            created_ms: dispatch.created.millis(),
            cancelled_ms: dispatch.cancelled.map(Timestamp::millis),
            plan: dispatch.plan.as_ref().map(Into::into),
        })
    }
}

impl DispatchV1<'_> {
    pub(super) fn read(self) -> Result<Dispatch, RecordError> {
        Ok(Dispatch {
            id: DispatchId(self.id),
            mrid: text("mrid", &self.mrid)?,
            name: optional_text("name", self.name.as_ref())?,
            group: GroupId(self.group),
            schedule: self.schedule.iter().map(TargetV1::read).collect(),
            ramp: Duration::from_millis(self.ramp_ms),
            created: Timestamp::from_millis(self.created_ms),
            cancelled: self.cancelled_ms.map(Timestamp::from_millis),
            plan: self.plan.map(PlanV1::read).transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DispatchCancelledV1 {
    dispatch: u32,
    at_ms: i64,
}

impl DispatchCancelledV1 {
    pub(super) fn new(dispatch: DispatchId, at: Timestamp) -> Self {
        Self {
            dispatch: dispatch.0,
            at_ms: at.millis(),
        }
    }
}

impl From<DispatchCancelledV1> for Event {
    fn from(cancelled: DispatchCancelledV1) -> Self {
        let at = Timestamp::from_millis(cancelled.at_ms);
        Self::DispatchCancelled(DispatchId(cancelled.dispatch), at)
    }
}
