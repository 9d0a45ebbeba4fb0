//! Sites and service points.

use units::Watts;

use super::owner::OwnerId;
use super::register::Record;
use crate::{AssignmentId, CimMrid};

/// A site, in the order in which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SiteId(pub u32);

/// A service point, in the order in which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServicePointId(pub u32);

/// A place with one owner (CIM `ServiceLocation`). Its address is personal data of the owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// The utility's own name for it.
    pub mrid: CimMrid,
    /// Whose it is.
    pub owner: OwnerId,
}

/// Where a site meets the grid (CIM `UsagePoint`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServicePoint {
    /// The utility's own name for it.
    pub mrid: CimMrid,
    /// Which site it serves.
    pub site: SiteId,
    /// The node of the hierarchy that feeds it.
    pub assignment: Option<AssignmentId>,
    /// Most import of all that is behind it, as a magnitude.
    pub import_max: Option<Watts>,
    /// Most export of all that is behind it, as a magnitude.
    pub export_max: Option<Watts>,
}

impl Record for Site {
    const WHAT: &'static str = "site";
    const MAX: usize = 4_000_000;

    fn mrid(&self) -> &CimMrid {
        &self.mrid
    }
}

impl Record for ServicePoint {
    const WHAT: &'static str = "service point";
    const MAX: usize = 4_000_000;

    fn mrid(&self) -> &CimMrid {
        &self.mrid
    }
}
