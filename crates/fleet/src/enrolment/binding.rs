//! Which certificate speaks for a DER, and since when.

use units::Timestamp;

use crate::{DerId, Lfdi};

/// Why a DER was bound to a certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum BindingReason {
    /// The device itself was replaced: nameplate and settings are those of another one.
    DeviceReplaced = 1,
    /// Only its communications module was replaced.
    ModuleReplaced = 2,
    /// The module came from another DER.
    ModuleMovedHere = 3,
    /// The module was moved to another DER.
    ModuleMovedAway = 4,
    /// The same device has another certificate.
    Rekeyed = 5,
}

/// One binding; the one before it ended when it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The certificate.
    pub lfdi: Lfdi,
    /// The certificate before.
    pub previous: Lfdi,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: BindingReason,
}

/// What stands for the certificate of a DER that is bound to none. No digest of a certificate is
/// to be expected to begin with sixteen bytes of ones.
#[must_use]
pub fn unbound(der: DerId) -> Lfdi {
    let mut bytes = [0xFF; 20];
    bytes[16..].copy_from_slice(&der.0.to_be_bytes());
    Lfdi(bytes)
}

/// Whether `lfdi` stands for none.
#[must_use]
pub fn is_unbound(lfdi: Lfdi) -> bool {
    lfdi.0[..16].iter().all(|byte| *byte == 0xFF)
}
