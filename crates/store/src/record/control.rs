//! Controls.

use std::borrow::Cow;

use fleet::{Control, ControlId, DerId, DispatchId, Event, Origin, ProgramId};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::field::{ControlBaseV1, IntervalV1, text};
use super::{RecordError, Unstorable};

/// A dispatch with plan generation and schedule interval, or an operator.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OriginV1 {
    Dispatch(u32, u32, u32),
    Operator,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    der: u32,
    program: u32,
    origin: OriginV1,
    interval_ms: IntervalV1,
    created_ms: i64,
    base: ControlBaseV1,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_ms: Option<i64>,
}

impl TryFrom<&Control> for ControlV1<'_> {
    type Error = Unstorable;

    fn try_from(control: &Control) -> Result<Self, Unstorable> {
        Ok(Self {
            id: control.id.0,
            mrid: control.mrid.to_string().into(),
            der: control.der.0,
            program: control.program.0,
            origin: match control.origin {
                Origin::Dispatch {
                    dispatch,
                    generation,
                    interval,
                } => OriginV1::Dispatch(dispatch.0, generation, interval),
                Origin::Operator => OriginV1::Operator,
            },
            interval_ms: IntervalV1::new("control_issued", control.interval)?,
            created_ms: control.created.millis(),
            base: (&control.base).into(),
            cancelled_ms: control.cancelled.map(Timestamp::millis),
        })
    }
}

impl ControlV1<'_> {
    pub(super) fn read(self) -> Result<Control, RecordError> {
        Ok(Control {
            id: ControlId(self.id),
            mrid: text("mrid", &self.mrid)?,
            der: DerId(self.der),
            program: ProgramId(self.program),
            origin: match self.origin {
                OriginV1::Dispatch(dispatch, generation, interval) => Origin::Dispatch {
                    dispatch: DispatchId(dispatch),
                    generation,
                    interval,
                },
                OriginV1::Operator => Origin::Operator,
            },
            interval: self.interval_ms.read(),
            created: Timestamp::from_millis(self.created_ms),
            base: self.base.into(),
            cancelled: self.cancelled_ms.map(Timestamp::from_millis),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlCancelledV1 {
    control: u32,
    at_ms: i64,
}

impl ControlCancelledV1 {
    pub(super) fn new(control: ControlId, at: Timestamp) -> Self {
        Self {
            control: control.0,
            at_ms: at.millis(),
        }
    }
}

impl From<ControlCancelledV1> for Event {
    fn from(cancelled: ControlCancelledV1) -> Self {
        let at = Timestamp::from_millis(cancelled.at_ms);
        Self::ControlCancelled(ControlId(cancelled.control), at)
    }
}
