//! Owners, and what they have agreed to.

use std::collections::BTreeMap;

use units::Timestamp;

use super::register::Record;
use crate::CimMrid;

/// An owner, in the order in which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnerId(pub u32);

/// Under which personal data lie outside the journal; drawn at random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PersonId(pub u128);

/// What an owner can agree to, each by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Purpose {
    /// That its DER are dispatched.
    Dispatch = 1,
    /// That readings of its DER are kept and used for operation and settlement.
    Telemetry = 2,
    /// That readings are used for research and planning.
    Research = 3,
    /// That readings are passed on to third parties.
    ThirdParty = 4,
    /// That its owner is written to about offers.
    Marketing = 5,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 5] = [
        Self::Dispatch,
        Self::Telemetry,
        Self::Research,
        Self::ThirdParty,
        Self::Marketing,
    ];
}

/// Agreement, or its withdrawal; the journal has those before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consent {
    /// Agreed then.
    Given(Timestamp),
    /// Withdrawn then.
    Withdrawn(Timestamp),
}

/// Who owns DER (CIM `Customer`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The utility's own name for the record. It must tell nothing of the person: it stays in the
    /// journal when the person's data are erased.
    pub mrid: CimMrid,
    /// Where the person's data lie.
    pub person: PersonId,
    /// What has been agreed to or withdrawn; what is absent was never asked.
    pub consents: BTreeMap<Purpose, Consent>,
    /// When the person's data were erased.
    pub erased: Option<Timestamp>,
}

impl Owner {
    /// Whether `purpose` is agreed to.
    #[must_use]
    pub fn agrees_to(&self, purpose: Purpose) -> bool {
        matches!(self.consents.get(&purpose), Some(Consent::Given(_)))
    }
}

impl Record for Owner {
    const WHAT: &'static str = "owner";
    const MAX: usize = 4_000_000;

    fn mrid(&self) -> &CimMrid {
        &self.mrid
    }
}
