//! `DERGroupStatuses`.

use units::Timestamp;

use super::naming::{Name, Status, read_names, write_names};
use super::quantity::{DerParameter, FlowDirection, UnitMultiplier, UnitSymbol};
use crate::limits::MAX_ITEMS;
use crate::xml::{Decode, DecodeError, Element, Writer, format_timestamp, timestamp};

/// `DERGroupStatuses`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DerGroupStatuses {
    /// One or more groups.
    pub groups: Vec<EndDeviceGroup>,
}

/// `EndDeviceGroup` as `DERGroupStatuses` has it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndDeviceGroup {
    /// Identity.
    pub mrid: Option<String>,
    /// One or more quantities.
    pub parameters: Vec<DerMonitorableParameter>,
    /// Names.
    pub names: Vec<Name>,
    /// Whether the group can be reached.
    pub status: Option<Status>,
}

/// `DERMonitorableParameter` as `DERGroupStatuses` has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DerMonitorableParameter {
    /// Which quantity.
    pub parameter: DerParameter,
    /// Which way it flows; values are signed without one.
    pub flow_direction: Option<FlowDirection>,
    /// Power of ten of all values.
    pub multiplier: UnitMultiplier,
    /// Unit of all values.
    pub unit: UnitSymbol,
    /// Highest value the installation can have.
    pub installed_max: Option<f64>,
    /// Lowest value the installation can have.
    pub installed_min: Option<f64>,
    /// Highest value that can be reached now.
    pub max: Option<f64>,
    /// Lowest value that can be reached now.
    pub min: Option<f64>,
    /// The value now.
    pub nominal: Option<f64>,
    /// When that was.
    pub time_stamp: Timestamp,
}

impl DerGroupStatuses {
    pub(crate) fn read(
        element: &Element,
        decode: &Decode<'_>,
        ns: &str,
    ) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, ns);
        let groups = fields
            .repeated("EndDeviceGroup", decode.max_groups)?
            .into_iter()
            .map(|group| read_group(group, decode, ns))
            .collect::<Result<_, _>>()
            .map_err(|error| error.inside(element))?;
        fields.finish()?;
        Ok(Self { groups })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        for group in &self.groups {
            w.element("EndDeviceGroup", |w| {
                w.optional("mRID", group.mrid.as_deref());
                for parameter in &group.parameters {
                    w.element("DERMonitorableParameter", |w| write_parameter(parameter, w));
                }
                write_names(&group.names, w);
                if let Some(status) = &group.status {
                    w.element("status", |w| status.write(w));
                }
            });
        }
    }
}

fn read_group(
    element: &Element,
    decode: &Decode<'_>,
    ns: &str,
) -> Result<EndDeviceGroup, DecodeError> {
    let mut fields = decode.fields(element, ns);
    let inside = |error: DecodeError| error.inside(element);
    let mrid = fields.optional_text("mRID")?.map(str::to_owned);
    let parameters = fields
        .repeated("DERMonitorableParameter", MAX_ITEMS)?
        .into_iter()
        .map(|parameter| read_parameter(parameter, decode, ns))
        .collect::<Result<_, _>>()
        .map_err(inside)?;
    let names = read_names(&mut fields, decode, ns).map_err(inside)?;
    let status = fields
        .optional("status")
        .map(|child| Status::read(child, decode, ns))
        .transpose()
        .map_err(inside)?;
    fields.finish()?;
    Ok(EndDeviceGroup {
        mrid,
        parameters,
        names,
        status,
    })
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
    let installed_max = fields.optional_float("yUnitInstalledMax")?;
    let installed_min = fields.optional_float("yUnitInstalledMin")?;
    let child = fields.required("DERCurveData")?;
    let mut data = decode.fields(child, ns);
    let mut read_data = || {
        let max = data.optional_float("maxYValue")?;
        let min = data.optional_float("minYValue")?;
        let nominal = data.optional_float("nominalYValue")?;
        let time_stamp = data.value("timeStamp", "a dateTime", timestamp)?;
        Ok((max, min, nominal, time_stamp))
    };
    let (max, min, nominal, time_stamp) =
        read_data().map_err(|error: DecodeError| error.inside(element))?;
    data.finish().map_err(|error| error.inside(element))?;
    fields.finish()?;
    Ok(DerMonitorableParameter {
        parameter,
        flow_direction,
        multiplier,
        unit,
        installed_max,
        installed_min,
        max,
        min,
        nominal,
        time_stamp,
    })
}

fn write_parameter(parameter: &DerMonitorableParameter, w: &mut Writer) {
    let float = |name, value: Option<f64>, w: &mut Writer| {
        w.optional(name, value.map(|v| v.to_string()).as_deref());
    };
    w.leaf("DERParameter", parameter.parameter.as_str());
    w.optional(
        "flowDirection",
        parameter.flow_direction.map(FlowDirection::as_str),
    );
    w.leaf("yMultiplier", parameter.multiplier.as_str());
    w.leaf("yUnit", parameter.unit.as_str());
    float("yUnitInstalledMax", parameter.installed_max, w);
    float("yUnitInstalledMin", parameter.installed_min, w);
    w.element("DERCurveData", |w| {
        float("maxYValue", parameter.max, w);
        float("minYValue", parameter.min, w);
        float("nominalYValue", parameter.nominal, w);
        w.leaf("timeStamp", &format_timestamp(parameter.time_stamp));
    });
}
