//! Curves as they are served.

use super::Curve;
use crate::codec::simple::{PerCent, Text};
use crate::wire::der_control::DerUnitRefType;
use crate::wire::der_curve::{CurveData, DerCurve, DerCurveType};

/// `curve` without its address. `excitation` is true where vars are absorbed (under-excited).
#[must_use]
pub fn der_curve(curve: &Curve) -> DerCurve {
    let shape = &curve.shape;
    let name = curve.name.as_ref();
    DerCurve {
        mrid: curve.mrid.into(),
        description: name.map(|name| Text::clipped(name.as_str())),
        autonomous_v_ref_enable: shape.autonomous_v_ref_time.map(|_| true),
        autonomous_v_ref_time_constant: shape.autonomous_v_ref_time,
        creation_time: curve.created.into(),
        curve_data: shape
            .points
            .iter()
            .map(|point| CurveData {
                excitation: point.injects_vars.map(|injects| !injects),
                xvalue: point.x,
                yvalue: point.y,
            })
            .collect(),
        curve_type: DerCurveType(shape.kind as u8),
        open_loop_tms: shape.open_loop_tms,
        ramp_dec_tms: shape.ramp_dec_tms,
        ramp_inc_tms: shape.ramp_inc_tms,
        ramp_pt1_tms: shape.ramp_pt1_tms,
        v_ref: shape.v_ref.map(PerCent),
        x_multiplier: shape.x_multiplier,
        y_multiplier: shape.y_multiplier,
        y_ref_type: DerUnitRefType(shape.y_ref_type),
        ..DerCurve::default()
    }
}
