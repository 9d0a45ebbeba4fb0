//! Where a DER belongs: the CSIP group hierarchy, served as function set assignments.

use units::Timestamp;

use crate::{AssignmentId, Mrid, Name};

/// Level of the hierarchy (CSIP 2.1, 4.2.2), from the widest to the most local.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// The whole system.
    System,
    /// Sub-transmission.
    SubTransmission,
    /// Substation.
    Substation,
    /// Feeder.
    Feeder,
    /// Segment of a feeder.
    Segment,
    /// Distribution transformer.
    Transformer,
    /// Service point.
    ServicePoint,
    /// A group that has nothing to do with the topology.
    NonTopology,
}

/// One node of the hierarchy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Dense index.
    pub id: AssignmentId,
    /// IEEE 2030.5 identity.
    pub mrid: Mrid,
    /// What it is called.
    pub name: Name,
    /// Its level.
    pub level: Level,
    /// The node above, of a wider level; none for a root and for a non-topology group.
    pub parent: Option<AssignmentId>,
    /// When it was taken out of service.
    pub removed: Option<Timestamp>,
}
