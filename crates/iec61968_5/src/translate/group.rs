//! Groups.

use fleet::{
    CimMrid, DerFunction, DerFunctions, DerId, Fleet, Group, GroupChange, GroupName, IdError, Name,
    NewGroup, Version,
};
use units::Timestamp;

use super::{Mint, object_id, present};
use crate::envelope::{ErrorItem, Level, ReplyCode};
use crate::profile::Mode;
use crate::wire::der_groups::{EndDevice, EndDeviceGroup};
use crate::wire::naming::{Name as WireName, NameType, Version as WireVersion};

/// In the order of [`crate::wire::der_groups::DER_FUNCTIONS`].
const FUNCTIONS: [DerFunction; 9] = [
    DerFunction::ConnectDisconnect,
    DerFunction::FrequencyWattCurve,
    DerFunction::MaxRealPowerLimiting,
    DerFunction::RampRateControl,
    DerFunction::ReactivePowerDispatch,
    DerFunction::RealPowerDispatch,
    DerFunction::VoltageRegulation,
    DerFunction::VoltVarCurve,
    DerFunction::VoltWattCurve,
];

/// A group to create, with an mRID from `mint` where it has none.
///
/// # Errors
/// What is missing, malformed or unknown.
pub fn new_group(
    wire: &EndDeviceGroup,
    (fleet, mode): (&Fleet, Mode),
    mint: &mut Mint<'_>,
    now: Timestamp,
) -> Result<NewGroup, ErrorItem> {
    let functions = wire.functions.ok_or_else(|| {
        let reason = "a group to create needs DERFunction";
        ErrorItem::new(ReplyCode::MandatoryMissing, Level::Fatal, reason)
    })?;
    let mrid = match present(wire.mrid.as_deref(), mode) {
        Some(mrid) => CimMrid::new(mrid).map_err(|error| malformed(&error))?,
        None => mint(),
    };
    Ok(NewGroup {
        mrid,
        names: names(&wire.names)?,
        description: description(wire)?,
        functions: function_set(functions),
        members: members(&wire.devices, fleet)?,
        version: wire
            .version
            .map(|version| self::version(version, now))
            .transpose()?,
    })
}

/// A change: what is there replaces, members are added, what is absent stays.
///
/// Interpretation: with an mRID the names given are the new names; without one they say which
/// group is meant, and stay.
///
/// # Errors
/// What is malformed or unknown.
pub fn group_change(
    wire: &EndDeviceGroup,
    fleet: &Fleet,
    mode: Mode,
    now: Timestamp,
) -> Result<GroupChange, ErrorItem> {
    let renames = present(wire.mrid.as_deref(), mode).is_some() && !wire.names.is_empty();
    Ok(GroupChange {
        names: if renames {
            Some(names(&wire.names)?)
        } else {
            None
        },
        description: description(wire)?,
        functions: wire.functions.map(function_set),
        add: members(&wire.devices, fleet)?,
        remove: vec![],
        version: wire
            .version
            .map(|version| self::version(version, now))
            .transpose()?,
    })
}

/// A group as the wire has it.
#[must_use]
pub fn wire_group(group: &Group, fleet: &Fleet) -> EndDeviceGroup {
    let number = |n: u32| Some(i64::from(n));
    let device = |id: &DerId| {
        let der = fleet.der(*id)?;
        let names = vec![WireName::plain(der.name.as_str())];
        Some(EndDevice {
            mrid: Some(der.mrid.as_str().to_owned()),
            names,
        })
    };
    EndDeviceGroup {
        mrid: Some(group.mrid.as_str().to_owned()),
        description: group
            .description
            .as_ref()
            .map(|text| text.as_str().to_owned()),
        functions: Some(FUNCTIONS.map(|function| group.functions.has(function))),
        devices: group.members.iter().filter_map(device).collect(),
        names: wire_names(group),
        version: Some(WireVersion {
            date: Some(group.version.date),
            major: number(group.version.major),
            minor: number(group.version.minor),
            revision: number(group.version.revision),
        }),
    }
}

/// The names of a group as the wire has them.
pub(super) fn wire_names(group: &Group) -> Vec<WireName> {
    let wire = |name: &GroupName| WireName {
        name: name.name.as_str().to_owned(),
        name_type: name.name_type.as_ref().map(|kind| NameType {
            description: None,
            name: kind.as_str().to_owned(),
            authority: name
                .authority
                .as_ref()
                .map(|a| (None, a.as_str().to_owned())),
        }),
    };
    group.names.iter().map(wire).collect()
}

fn function_set(functions: [bool; 9]) -> DerFunctions {
    FUNCTIONS
        .into_iter()
        .zip(functions)
        .filter(|(_, has)| *has)
        .fold(DerFunctions::default(), |set, (function, _)| {
            set.with(function)
        })
}

fn names(wire: &[WireName]) -> Result<Vec<GroupName>, ErrorItem> {
    wire.iter().map(name).collect()
}

fn name(wire: &WireName) -> Result<GroupName, ErrorItem> {
    let text = |text: &str| Name::new(text).map_err(|error| malformed(&error));
    let kind = wire.name_type.as_ref();
    let authority = kind.and_then(|kind| kind.authority.as_ref());
    Ok(GroupName {
        name: text(&wire.name)?,
        name_type: kind.map(|kind| text(&kind.name)).transpose()?,
        authority: authority.map(|(_, name)| text(name)).transpose()?,
    })
}

fn description(wire: &EndDeviceGroup) -> Result<Option<Name>, ErrorItem> {
    let text = wire.description.as_deref().filter(|text| !text.is_empty());
    text.map(Name::new)
        .transpose()
        .map_err(|error| malformed(&error))
}

fn members(wire: &[EndDevice], fleet: &Fleet) -> Result<Vec<DerId>, ErrorItem> {
    wire.iter().map(|device| member(device, fleet)).collect()
}

/// A member by mRID or, without one, by its first name.
fn member(wire: &EndDevice, fleet: &Fleet) -> Result<DerId, ErrorItem> {
    let mrid = wire.mrid.as_deref().filter(|mrid| !mrid.is_empty());
    let found = match (mrid, wire.names.first()) {
        (Some(mrid), _) => CimMrid::new(mrid)
            .ok()
            .and_then(|mrid| fleet.der_by_mrid(&mrid)),
        (None, Some(name)) => Name::new(&name.name)
            .ok()
            .and_then(|name| fleet.der_by_name(&name)),
        (None, None) => None,
    };
    found.map(|der| der.id).ok_or_else(|| {
        let id = object_id(mrid, &wire.names, "EndDevice");
        let details = format!("EndDevice {:?}", id.value);
        let reason = "a member is not known";
        ErrorItem::new(ReplyCode::UnknownDevice, Level::Fatal, reason).details(details)
    })
}

fn version(wire: WireVersion, now: Timestamp) -> Result<Version, ErrorItem> {
    let number = |number: Option<i64>| {
        u32::try_from(number.unwrap_or(0)).map_err(|_| {
            let reason = "version numbers are from 0 to 4294967295";
            ErrorItem::new(ReplyCode::Schema, Level::Fatal, reason)
        })
    };
    Ok(Version {
        date: wire.date.unwrap_or(now),
        major: number(wire.major)?,
        minor: number(wire.minor)?,
        revision: number(wire.revision)?,
    })
}

fn malformed(error: &IdError) -> ErrorItem {
    ErrorItem::new(ReplyCode::Schema, Level::Fatal, error.to_string())
}
