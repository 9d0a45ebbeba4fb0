//! `DERGroupDispatches`.

use units::Timestamp;

use super::naming::{Name, read_names, write_names};
use super::quantity::{
    CurveStyle, DerParameter, FlowDirection, TimeIntervalKind, UnitMultiplier, UnitSymbol,
};
use crate::limits::{MAX_DISPATCHES_PER_MESSAGE, MAX_POINTS, MAX_SCHEDULES};
use crate::xml::{
    Decode, DecodeError, Element, Writer, finite_float, format_timestamp, integer, timestamp,
};

/// `DERGroupDispatches`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DerGroupDispatches {
    /// One or more dispatches.
    pub dispatches: Vec<DerGroupDispatch>,
}

/// `DERGroupDispatch`.
#[derive(Debug, Clone, PartialEq)]
pub struct DerGroupDispatch {
    /// Identity.
    pub mrid: Option<String>,
    /// `EndDeviceGroup.mRID`.
    pub group_mrid: Option<String>,
    /// `EndDeviceGroup.Names`.
    pub group_names: Vec<Name>,
    /// What is asked of the group.
    pub parameter: DerMonitorableParameter,
    /// Names of the dispatch.
    pub names: Vec<Name>,
}

/// `DERMonitorableParameter` as `DERGroupDispatches` has it.
#[derive(Debug, Clone, PartialEq)]
pub struct DerMonitorableParameter {
    /// Which quantity.
    pub parameter: DerParameter,
    /// Which way it flows.
    pub flow_direction: Option<FlowDirection>,
    /// Power of ten of all values.
    pub multiplier: UnitMultiplier,
    /// Unit of all values.
    pub unit: UnitSymbol,
    /// One or more schedules.
    pub schedules: Vec<DispatchSchedule>,
}

/// `DispatchSchedule`.
#[derive(Debug, Clone, PartialEq)]
pub struct DispatchSchedule {
    /// How points are joined.
    pub curve_style: CurveStyle,
    /// When the first interval starts.
    pub start_time: Timestamp,
    /// Length of one interval, in its unit.
    pub interval_duration: i64,
    /// Unit of that length.
    pub interval_unit: TimeIntervalKind,
    /// `DERCurveData`: interval number and nominal value.
    pub points: Vec<(i64, f64)>,
}

impl DerGroupDispatches {
    pub(crate) fn read(
        element: &Element,
        decode: &Decode<'_>,
        ns: &str,
    ) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, ns);
        let dispatches = fields.repeated("DERGroupDispatch", MAX_DISPATCHES_PER_MESSAGE)?;
        if dispatches.is_empty() {
            fields.required("DERGroupDispatch")?;
        }
        let dispatches = dispatches
            .into_iter()
            .map(|dispatch| read_dispatch(dispatch, decode, ns))
            .collect::<Result<_, _>>()
            .map_err(|error| error.inside(element))?;
        fields.finish()?;
        Ok(Self { dispatches })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        for dispatch in &self.dispatches {
            w.element("DERGroupDispatch", |w| write_dispatch(dispatch, w));
        }
    }
}

fn read_dispatch(
    element: &Element,
    decode: &Decode<'_>,
    ns: &str,
) -> Result<DerGroupDispatch, DecodeError> {
    let mut fields = decode.fields(element, ns);
    let inside = |error: DecodeError| error.inside(element);
    let mrid = fields.optional_text("mRID")?.map(str::to_owned);
    let group = fields.required("EndDeviceGroup")?;
    let (group_mrid, parameter, group_names) = read_group(group, decode, ns).map_err(inside)?;
    let names = read_names(&mut fields, decode, ns).map_err(inside)?;
    fields.finish()?;
    Ok(DerGroupDispatch {
        mrid,
        group_mrid,
        group_names,
        parameter,
        names,
    })
}

type Group = (Option<String>, DerMonitorableParameter, Vec<Name>);

fn read_group(element: &Element, decode: &Decode<'_>, ns: &str) -> Result<Group, DecodeError> {
    let mut fields = decode.fields(element, ns);
    let inside = |error: DecodeError| error.inside(element);
    let mrid = fields.optional_text("mRID")?.map(str::to_owned);
    let parameter = fields.required("DERMonitorableParameter")?;
    let parameter = read_parameter(parameter, decode, ns).map_err(inside)?;
    let names = read_names(&mut fields, decode, ns).map_err(inside)?;
    fields.finish()?;
    Ok((mrid, parameter, names))
}

fn read_parameter(
    element: &Element,
    decode: &Decode<'_>,
    ns: &str,
) -> Result<DerMonitorableParameter, DecodeError> {
    let mut fields = decode.fields(element, ns);
    let parameter = fields.value("DERParameter", "a DERParameter", DerParameter::from_literal)?;
    let flow_direction = fields.optional_value(
        "flowDirection",
        "a flow direction",
        FlowDirection::from_literal,
    )?;
    let multiplier = fields.value("yMultiplier", "a multiplier", UnitMultiplier::from_literal)?;
    let unit = fields.value("yUnit", "a unit", UnitSymbol::from_literal)?;
    let schedules = fields.repeated("DispatchSchedule", MAX_SCHEDULES)?;
    if schedules.is_empty() {
        fields.required("DispatchSchedule")?;
    }
    let schedules = schedules
        .into_iter()
        .map(|schedule| read_schedule(schedule, decode, ns))
        .collect::<Result<_, _>>()
        .map_err(|error| error.inside(element))?;
    fields.finish()?;
    Ok(DerMonitorableParameter {
        parameter,
        flow_direction,
        multiplier,
        unit,
        schedules,
    })
}

fn read_schedule(
    element: &Element,
    decode: &Decode<'_>,
    ns: &str,
) -> Result<DispatchSchedule, DecodeError> {
    let mut fields = decode.fields(element, ns);
    let curve_style = fields.value("curveStyleKind", "a curve style", CurveStyle::from_literal)?;
    let start_time = fields.value("startTime", "a dateTime", timestamp)?;
    let interval_duration =
        fields.value("timeIntervalDuration", "an integer of 64 bits", integer)?;
    let interval_unit = fields.value(
        "timeIntervalUnit",
        "a time unit",
        TimeIntervalKind::from_literal,
    )?;
    let points = fields.repeated("DERCurveData", MAX_POINTS)?;
    if points.is_empty() {
        fields.required("DERCurveData")?;
    }
    let points = points
        .into_iter()
        .map(|point| {
            let mut fields = decode.fields(point, ns);
            let number = fields.value("intervalNumber", "an integer of 64 bits", integer)?;
            let value = fields.value("nominalYValue", "a finite float", finite_float)?;
            fields.finish()?;
            Ok((number, value))
        })
        .collect::<Result<_, _>>()
        .map_err(|error: DecodeError| error.inside(element))?;
    fields.finish()?;
    Ok(DispatchSchedule {
        curve_style,
        start_time,
        interval_duration,
        interval_unit,
        points,
    })
}

fn write_dispatch(dispatch: &DerGroupDispatch, w: &mut Writer) {
    w.optional("mRID", dispatch.mrid.as_deref());
    w.element("EndDeviceGroup", |w| {
        w.optional("mRID", dispatch.group_mrid.as_deref());
        w.element("DERMonitorableParameter", |w| {
            write_parameter(&dispatch.parameter, w)
        });
        write_names(&dispatch.group_names, w);
    });
    write_names(&dispatch.names, w);
}

fn write_parameter(parameter: &DerMonitorableParameter, w: &mut Writer) {
    w.leaf("DERParameter", parameter.parameter.as_str());
    w.optional(
        "flowDirection",
        parameter.flow_direction.map(FlowDirection::as_str),
    );
    w.leaf("yMultiplier", parameter.multiplier.as_str());
    w.leaf("yUnit", parameter.unit.as_str());
    for schedule in &parameter.schedules {
        w.element("DispatchSchedule", |w| {
            w.leaf("curveStyleKind", schedule.curve_style.as_str());
            w.leaf("startTime", &format_timestamp(schedule.start_time));
            w.leaf(
                "timeIntervalDuration",
                &schedule.interval_duration.to_string(),
            );
            w.leaf("timeIntervalUnit", schedule.interval_unit.as_str());
            for (number, value) in &schedule.points {
                w.element("DERCurveData", |w| {
                    w.leaf("intervalNumber", &number.to_string());
                    w.leaf("nominalYValue", &value.to_string());
                });
            }
        });
    }
}
