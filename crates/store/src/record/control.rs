//! Controls.

use std::borrow::Cow;

use fleet::{Control, ControlId, DerId, DispatchId, Event, Origin, ProgramId, Terms};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::field::{ControlBaseV1, IntervalV1, optional_text, text};
use super::{RecordError, Unstorable};

/// A dispatch with plan generation and schedule interval, or somebody else.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OriginV1 {
    Dispatch(u32, u32, u32),
    Operator,
    Envelope,
    Settings,
}

/// How devices are to take a control; seconds and bitmaps as on the wire.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsV1<'a> {
    #[serde(default)]
    randomize_start_s: i16,
    #[serde(default)]
    randomize_duration_s: i16,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_required: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_category: Option<u32>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Terms> for TermsV1<'a> {
    fn from(terms: &'a Terms) -> Self {
        Self {
            randomize_start_s: terms.randomize_start_s,
            randomize_duration_s: terms.randomize_duration_s,
            response_required: terms.response_required,
            device_category: terms.device_category,
            description: terms.description.as_ref().map(|d| d.as_str().into()),
        }
    }
}

impl TermsV1<'_> {
    fn read(self) -> Result<Terms, RecordError> {
        Ok(Terms {
            randomize_start_s: self.randomize_start_s,
            randomize_duration_s: self.randomize_duration_s,
            response_required: self.response_required,
            device_category: self.device_category,
            description: optional_text("description", self.description.as_ref())?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    der: Option<u32>,
    program: u32,
    origin: OriginV1,
    interval_ms: IntervalV1,
    created_ms: i64,
    base: ControlBaseV1,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    terms: Option<TermsV1<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_ms: Option<i64>,
}

impl<'a> TryFrom<&'a Control> for ControlV1<'a> {
    type Error = Unstorable;

    fn try_from(control: &'a Control) -> Result<Self, Unstorable> {
        Ok(Self {
            id: control.id.0,
            mrid: control.mrid.to_string().into(),
            der: control.der.map(|der| der.0),
            program: control.program.0,
            origin: match control.origin {
                Origin::Dispatch {
                    dispatch,
                    generation,
                    interval,
                } => OriginV1::Dispatch(dispatch.0, generation, interval),
                Origin::Operator => OriginV1::Operator,
                Origin::Envelope => OriginV1::Envelope,
                Origin::Settings => OriginV1::Settings,
            },
            interval_ms: IntervalV1::new("control_issued", control.interval)?,
            created_ms: control.created.millis(),
            base: (&control.base).into(),
            terms: control.terms.as_deref().map(Into::into),
            cancelled_ms: control.cancelled.map(Timestamp::millis),
        })
    }
}

impl ControlV1<'_> {
    pub(super) fn read(self) -> Result<Control, RecordError> {
        Ok(Control {
            id: ControlId(self.id),
            mrid: text("mrid", &self.mrid)?,
            der: self.der.map(DerId),
            program: ProgramId(self.program),
            origin: match self.origin {
                OriginV1::Dispatch(dispatch, generation, interval) => Origin::Dispatch {
                    dispatch: DispatchId(dispatch),
                    generation,
                    interval,
                },
                OriginV1::Operator => Origin::Operator,
                OriginV1::Envelope => Origin::Envelope,
                OriginV1::Settings => Origin::Settings,
            },
            interval: self.interval_ms.read(),
            created: Timestamp::from_millis(self.created_ms),
            base: self.base.read()?,
            terms: self.terms.map(TermsV1::read).transpose()?.map(Box::new),
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
