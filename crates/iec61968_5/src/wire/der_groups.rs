//! `DERGroups`.

use super::naming::{Name, Version, read_names, write_names};
use crate::xml::{Decode, DecodeError, Element, Writer, boolean};

/// The nine booleans of `DERFunction`, in the order of the schema.
pub const DER_FUNCTIONS: [&str; 9] = [
    "connectDisconnect",
    "frequencyWattCurveFunction",
    "maxRealPowerLimiting",
    "rampRateControl",
    "reactivePowerDispatch",
    "realPowerDispatch",
    "voltageRegulation",
    "voltVarCurveFunction",
    "voltWattCurveFunction",
];

/// `DERGroups`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DerGroups {
    /// One or more groups.
    pub groups: Vec<EndDeviceGroup>,
}

/// `EndDeviceGroup` as `DERGroups` has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndDeviceGroup {
    /// Identity.
    pub mrid: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// `DERFunction`, by position in [`DER_FUNCTIONS`].
    pub functions: Option<[bool; 9]>,
    /// Members.
    pub devices: Vec<EndDevice>,
    /// Names.
    pub names: Vec<Name>,
    /// Version.
    pub version: Option<Version>,
}

/// `EndDevice`: a member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndDevice {
    /// Identity.
    pub mrid: Option<String>,
    /// Names.
    pub names: Vec<Name>,
}

impl DerGroups {
    pub(crate) fn read(
        element: &Element,
        decode: &Decode<'_>,
        ns: &str,
    ) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, ns);
        let groups = fields.repeated("EndDeviceGroup", decode.max_groups)?;
        if groups.is_empty() {
            fields.required("EndDeviceGroup")?;
        }
        let groups = groups
            .into_iter()
            .map(|group| read_group(group, decode, ns))
            .collect::<Result<_, _>>()
            .map_err(|error| error.inside(element))?;
        fields.finish()?;
        Ok(Self { groups })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        for group in &self.groups {
            w.element("EndDeviceGroup", |w| write_group(group, w));
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
    let description = fields.optional_text("description")?.map(str::to_owned);
    let functions = fields
        .optional("DERFunction")
        .map(|child| read_functions(child, decode, ns))
        .transpose()
        .map_err(inside)?;
    let devices = fields
        .repeated("EndDevices", decode.max_members)?
        .into_iter()
        .map(|device| read_device(device, decode, ns))
        .collect::<Result<_, _>>()
        .map_err(inside)?;
    let names = read_names(&mut fields, decode, ns).map_err(inside)?;
    let version = fields
        .optional("version")
        .map(|child| Version::read(child, decode, ns))
        .transpose()
        .map_err(inside)?;
    fields.finish()?;
    Ok(EndDeviceGroup {
        mrid,
        description,
        functions,
        devices,
        names,
        version,
    })
}

fn read_functions(
    element: &Element,
    decode: &Decode<'_>,
    ns: &str,
) -> Result<[bool; 9], DecodeError> {
    let mut fields = decode.fields(element, ns);
    let mut functions = [false; 9];
    for (name, function) in DER_FUNCTIONS.into_iter().zip(&mut functions) {
        *function = fields.value(name, "a boolean", boolean)?;
    }
    fields.finish()?;
    Ok(functions)
}

fn read_device(element: &Element, decode: &Decode<'_>, ns: &str) -> Result<EndDevice, DecodeError> {
    let mut fields = decode.fields(element, ns);
    let mrid = fields.optional_text("mRID")?.map(str::to_owned);
    let names = read_names(&mut fields, decode, ns).map_err(|error| error.inside(element))?;
    fields.finish()?;
    Ok(EndDevice { mrid, names })
}

fn write_group(group: &EndDeviceGroup, w: &mut Writer) {
    w.optional("mRID", group.mrid.as_deref());
    w.optional("description", group.description.as_deref());
    if let Some(functions) = group.functions {
        w.element("DERFunction", |w| {
            for (name, function) in DER_FUNCTIONS.into_iter().zip(functions) {
                w.leaf(name, if function { "true" } else { "false" });
            }
        });
    }
    for device in &group.devices {
        w.element("EndDevices", |w| {
            w.optional("mRID", device.mrid.as_deref());
            write_names(&device.names, w);
        });
    }
    write_names(&group.names, w);
    if let Some(version) = &group.version {
        w.element("version", |w| version.write(w));
    }
}
