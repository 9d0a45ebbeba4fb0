//! The fleet in the words of the wire, and the wire in the words of the fleet.
//!
//! This is the only module that names `fleet`; signs and scales change here and nowhere else. Both
//! sides count active and reactive power of a control as positive when injected, so set-points keep
//! their sign. Metering counts what is delivered to the customer as forward, so readings change it.

mod client;
pub mod control;
pub mod curve;
pub mod der;
pub mod metering;

pub use client::{
    aggregator_registered_at, enrolled_in_band, has_access, is_nmi, is_revoked, is_topology,
    lfdi_of, only_der, program_node, registered_at,
};
pub use fleet::{
    Aggregator, AggregatorId, Assignment, AssignmentId, Client, Command, Control, ControlId, Curve,
    CurveId, Der, DerId, EnrolmentEvent, Event, Evidence, Fleet, Lfdi, Mrid, MridKind, Origin,
    Program, ProgramId, Quality, Registration, Rejection,
};

use crate::codec::simple::{HexBinary128, HexBinary160, UInt40};

/// The number of the thing that an mRID of the fleet's own was made for.
#[must_use]
pub fn numbered_by(mrid: Mrid) -> u32 {
    u32::try_from(mrid.0 >> 32 & u128::from(u32::MAX)).unwrap_or(u32::MAX)
}

impl From<Mrid> for HexBinary128 {
    fn from(mrid: Mrid) -> Self {
        Self::new(mrid.0)
    }
}

impl From<Lfdi> for HexBinary160 {
    fn from(lfdi: Lfdi) -> Self {
        Self(lfdi.0)
    }
}

/// The short form of an identifier.
#[must_use]
pub fn sfdi(lfdi: Lfdi) -> UInt40 {
    UInt40(lfdi.sfdi())
}
