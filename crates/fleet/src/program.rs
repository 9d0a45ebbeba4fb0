//! Programmes: who may ask, and whose word goes first.

use crate::{ControlBase, DerId, Mrid, Name, ProgramId};

/// Whom a programme addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One DER: dispatch shares differ between devices.
    Device(DerId),
    /// Every DER of the fleet.
    All,
}

/// A source of controls with a rank.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Dense index.
    pub id: ProgramId,
    /// IEEE 2030.5 identity.
    pub mrid: Mrid,
    /// What it is called.
    pub name: Name,
    /// Lower values win (IEEE 2030.5 `PrimacyType`).
    pub primacy: u8,
    /// Whom it addresses.
    pub scope: Scope,
    /// What holds when none of its controls is active.
    pub default: ControlBase,
}
