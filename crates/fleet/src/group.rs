//! DER groups (IEC 61968-5 `EndDeviceGroup`).

use units::Timestamp;

use crate::{CimMrid, DerId, GroupId, Name};

/// One of the nine abilities of IEC 61968-5 `DERFunction`, in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum DerFunction {
    /// `connectDisconnect`
    ConnectDisconnect,
    /// `frequencyWattCurveFunction`
    FrequencyWattCurve,
    /// `maxRealPowerLimiting`
    MaxRealPowerLimiting,
    /// `rampRateControl`
    RampRateControl,
    /// `reactivePowerDispatch`
    ReactivePowerDispatch,
    /// `realPowerDispatch`
    RealPowerDispatch,
    /// `voltageRegulation`
    VoltageRegulation,
    /// `voltVarCurveFunction`
    VoltVarCurve,
    /// `voltWattCurveFunction`
    VoltWattCurve,
}

/// A set of [`DerFunction`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DerFunctions(pub u16);

impl DerFunctions {
    /// Whether `function` is in the set.
    #[must_use]
    pub const fn has(self, function: DerFunction) -> bool {
        self.0 & (1 << function as u8) != 0
    }

    /// The set with `function` added.
    #[must_use]
    pub const fn with(self, function: DerFunction) -> Self {
        Self(self.0 | (1 << function as u8))
    }
}

/// A CIM `Name`, with the type and authority it was given under.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupName {
    /// The name itself.
    pub name: Name,
    /// `NameType.name`, if given.
    pub name_type: Option<Name>,
    /// `NameTypeAuthority.name`, if given.
    pub authority: Option<Name>,
}

/// IEC 61968-5 `Version` of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// When this version came about.
    pub date: Timestamp,
    /// First number.
    pub major: u32,
    /// Second number; raised by each change.
    pub minor: u32,
    /// Third number.
    pub revision: u32,
}

/// A set of DER that is asked as one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Dense index.
    pub id: GroupId,
    /// IEC 61968 identity.
    pub mrid: CimMrid,
    /// Names; the first one is shown.
    pub names: Vec<GroupName>,
    /// Free text.
    pub description: Option<Name>,
    /// What may be asked of it.
    pub functions: DerFunctions,
    /// Members, ascending and without repetition.
    pub members: Vec<DerId>,
    /// Its version.
    pub version: Version,
}

impl Group {
    /// What to call it: its first name, else its mRID.
    #[must_use]
    pub fn title(&self) -> &str {
        self.names
            .first()
            .map_or(self.mrid.as_str(), |n| n.name.as_str())
    }
}
