//! The fleet in the words of the wire, and the wire in the words of the fleet.
//!
//! This is the only module that names `fleet`; signs and scales change here and nowhere else. Both
//! sides count active and reactive power of a control as positive when injected, so set-points keep
//! their sign. Metering counts what is delivered to the customer as forward, so readings change it.

pub mod control;
pub mod der;
pub mod metering;

pub use fleet::{
    Command, Control, ControlId, Der, DerId, Evidence, Fleet, Lfdi, Mrid, MridKind, Program,
    ProgramId, Quality, Registration, Rejection,
};

use crate::codec::simple::{HexBinary128, HexBinary160, UInt40};

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

/// When the device was registered; none while it is only authorised.
#[must_use]
pub fn registered_at(der: &Der) -> Option<units::Timestamp> {
    match der.registration {
        Registration::Authorised => None,
        Registration::Registered(at) => Some(at),
    }
}
