//! A distributed energy resource, enrolled.

use units::{Percent, Timestamp};

use crate::{
    Access, AggregatorId, AssignmentId, Capability, CimMrid, DerId, Lfdi, Mode, Name, Pin,
    ProgramId, Settings,
};

/// The technology, which decides how its output behaves when nobody asks for anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DerKind {
    /// Photovoltaic inverter: injects what the sun gives, can be curtailed.
    Pv,
    /// Stationary storage.
    Storage,
    /// Electric-vehicle charger.
    EvCharger,
    /// Controllable load.
    Load,
    /// Dispatchable generator.
    Generator,
}

/// How far enrolment has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Registration {
    /// Its LFDI is known here; the device has yet to register itself (in band).
    Authorised,
    /// It has an `EndDevice` of its own since then.
    Registered(Timestamp),
}

/// A DER as the utility knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Der {
    /// Dense index.
    pub id: DerId,
    /// IEC 61968 identity.
    pub mrid: CimMrid,
    /// Name, unique in the fleet.
    pub name: Name,
    /// Technology.
    pub kind: DerKind,
    /// IEEE 2030.5 identity; authorisation and revocation go by it.
    pub lfdi: Lfdi,
    /// Registration PIN the device owner can compare.
    pub pin: Pin,
    /// When it was authorised.
    pub enrolled: Timestamp,
    /// How far enrolment has come.
    pub registration: Registration,
    /// Nameplate, once reported.
    pub capability: Option<Capability>,
    /// Settings, once reported.
    pub settings: Option<Settings>,
    /// Share of its energy that its owner keeps: never below this state of charge.
    pub reserve: Percent,
    /// The programme that carries the controls addressed to this DER alone.
    pub program: ProgramId,
    /// The aggregator that stands in for it.
    pub manager: Option<AggregatorId>,
    /// Whether its own certificate may come in.
    pub access: Access,
    /// Where it belongs, most local nodes only; empty for nowhere in particular.
    pub assignments: Vec<AssignmentId>,
    /// When what identifies or places it last changed.
    pub changed: Timestamp,
    /// When it was removed; its index is never given again.
    pub removed: Option<Timestamp>,
}

impl Der {
    /// Whether the device says that it supports `mode` and, where it reports settings, has it
    /// enabled.
    #[must_use]
    pub fn can(&self, mode: Mode) -> bool {
        let supported = self.capability.as_ref().is_some_and(|c| c.modes.has(mode));
        let enabled = self.settings.as_ref().is_none_or(|s| s.modes.has(mode));
        supported && enabled
    }
}
