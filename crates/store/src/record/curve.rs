//! Curves.

use std::borrow::Cow;

use fleet::{Curve, CurveId, CurvePoint, CurveShape, Event, ProgramId};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::RecordError;
use super::field::{curve_type, optional_text, text};

/// A point: x, y and whether vars are injected.
type PointV1 = (i32, i32, Option<bool>);

/// Values and times in the units of the wire.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CurveV1<'a> {
    id: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    program: u32,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    created_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_ms: Option<i64>,
    curve_type: u8,
    points: Vec<PointV1>,
    multipliers: (i8, i8),
    y_ref_type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    autonomous_v_ref_time: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_loop_tms: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ramp_dec_tms: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ramp_inc_tms: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ramp_pt1_tms: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v_ref: Option<u16>,
}

impl<'a> From<&'a Curve> for CurveV1<'a> {
    fn from(curve: &'a Curve) -> Self {
        let shape = &curve.shape;
        let points = shape.points.iter();
        Self {
            id: curve.id.0,
            mrid: curve.mrid.to_string().into(),
            program: curve.program.0,
            name: curve.name.as_ref().map(|name| name.as_str().into()),
            created_ms: curve.created.millis(),
            removed_ms: curve.removed.map(Timestamp::millis),
            curve_type: shape.kind as u8,
            points: points.map(|p| (p.x, p.y, p.injects_vars)).collect(),
            multipliers: (shape.x_multiplier, shape.y_multiplier),
            y_ref_type: shape.y_ref_type,
            autonomous_v_ref_time: shape.autonomous_v_ref_time,
            open_loop_tms: shape.open_loop_tms,
            ramp_dec_tms: shape.ramp_dec_tms,
            ramp_inc_tms: shape.ramp_inc_tms,
            ramp_pt1_tms: shape.ramp_pt1_tms,
            v_ref: shape.v_ref,
        }
    }
}

impl CurveV1<'_> {
    pub(super) fn read(self) -> Result<Curve, RecordError> {
        let points = self.points.into_iter();
        Ok(Curve {
            id: CurveId(self.id),
            mrid: text("mrid", &self.mrid)?,
            program: ProgramId(self.program),
            name: optional_text("name", self.name.as_ref())?,
            created: Timestamp::from_millis(self.created_ms),
            removed: self.removed_ms.map(Timestamp::from_millis),
            shape: CurveShape {
                kind: curve_type(self.curve_type)?,
                points: points
                    .map(|(x, y, injects_vars)| CurvePoint { x, y, injects_vars })
                    .collect(),
                x_multiplier: self.multipliers.0,
                y_multiplier: self.multipliers.1,
                y_ref_type: self.y_ref_type,
                autonomous_v_ref_time: self.autonomous_v_ref_time,
                open_loop_tms: self.open_loop_tms,
                ramp_dec_tms: self.ramp_dec_tms,
                ramp_inc_tms: self.ramp_inc_tms,
                ramp_pt1_tms: self.ramp_pt1_tms,
                v_ref: self.v_ref,
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CurveRemovedV1 {
    curve: u32,
    at_ms: i64,
}

impl CurveRemovedV1 {
    pub(super) fn new(curve: CurveId, at: Timestamp) -> Self {
        Self {
            curve: curve.0,
            at_ms: at.millis(),
        }
    }
}

impl From<CurveRemovedV1> for Event {
    fn from(removed: CurveRemovedV1) -> Self {
        let at = Timestamp::from_millis(removed.at_ms);
        Self::CurveRemoved(CurveId(removed.curve), at)
    }
}
