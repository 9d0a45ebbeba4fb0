//! Aggregators: clients that stand in for many DER.

use units::Timestamp;

use crate::{AggregatorId, Lfdi, Name, Pin, Registration};

/// Whether a certificate is on the authorisation list. There is no other revocation of device
/// certificates (IEEE 2030.5-2018, 6.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Access {
    /// It may come in.
    #[default]
    Granted,
    /// It may not, since then.
    Revoked(Timestamp),
}

/// A client with one certificate and many end devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aggregator {
    /// Dense index.
    pub id: AggregatorId,
    /// Name, unique among aggregators.
    pub name: Name,
    /// Identity of its certificate.
    pub lfdi: Lfdi,
    /// Registration PIN.
    pub pin: Pin,
    /// When it was authorised.
    pub enrolled: Timestamp,
    /// How far enrolment has come.
    pub registration: Registration,
    /// Whether it may come in.
    pub access: Access,
    /// Whether it may create and delete its end devices itself.
    pub may_enrol: bool,
}

/// Who holds a certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Client {
    /// A DER of its own.
    Der(crate::DerId),
    /// An aggregator.
    Aggregator(AggregatorId),
}
