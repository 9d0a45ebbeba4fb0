//! Contracts: an owner's DER in a programme, for a time.

use units::{Timestamp, Watts};

use super::demand_response_program::DemandResponseProgramId;
use super::owner::OwnerId;
use super::register::Record;
use crate::{CimMrid, DerId};

/// A contract, in the order in which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ContractId(pub u32);

/// An agreement of one owner about one programme (CIM `CustomerAgreement`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contract {
    /// The utility's own name for it.
    pub mrid: CimMrid,
    /// With whom.
    pub owner: OwnerId,
    /// About which programme.
    pub program: DemandResponseProgramId,
    /// The DER that take part, ascending.
    pub ders: Vec<DerId>,
    /// From when.
    pub from: Timestamp,
    /// Until when, the instant excluded; `None` for good.
    pub until: Option<Timestamp>,
    /// Active power that the owner has promised, all DER together, as a magnitude.
    pub committed: Option<Watts>,
}

impl Contract {
    /// Most DER of one contract.
    pub const MAX_DERS: usize = 10_000;

    /// Whether it holds at `at`.
    #[must_use]
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl Record for Contract {
    const WHAT: &'static str = "contract";
    const MAX: usize = 4_000_000;

    fn mrid(&self) -> &CimMrid {
        &self.mrid
    }
}
