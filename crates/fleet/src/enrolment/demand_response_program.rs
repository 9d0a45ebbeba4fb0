//! Demand response programmes: on what terms DER take part in events (CIM `DemandResponseProgram`).

use std::collections::BTreeSet;
use std::time::Duration;

use units::Money;

use super::dated::Dated;
use super::register::Record;
use crate::{AssignmentId, CimMrid, DerKind, Name};

/// A programme, in the order in which they came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DemandResponseProgramId(pub u32);

/// What drives a generator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Fuel {
    /// Diesel.
    Diesel = 1,
    /// Natural gas.
    Gas = 2,
    /// Biogas.
    Biogas = 3,
    /// Hydrogen.
    Hydrogen = 4,
    /// Anything else.
    Other = 5,
}

/// Whether an owner may leave an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptOut {
    /// At will.
    Always,
    /// So often in a calendar year.
    PerYear(u16),
    /// Never: the programme binds.
    Never,
}

/// Which DER may take part.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Eligibility {
    /// Technologies; empty for all.
    pub kinds: BTreeSet<DerKind>,
    /// Nodes of the hierarchy that a DER must belong to one of; empty for all.
    pub assignments: BTreeSet<AssignmentId>,
    /// Fuels that are not allowed in this jurisdiction.
    pub excluded_fuels: BTreeSet<Fuel>,
    /// Hours in a calendar year for which a generator may run under its permit.
    pub permit_hours_per_year: Option<u16>,
    /// Whether a DER may be under contract in another programme at the same time.
    pub dual_participation: bool,
}

/// What holds for every event of a programme.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Most events in a day (UTC).
    pub max_events_per_day: Option<u16>,
    /// Most events in a calendar year (UTC).
    pub max_events_per_year: Option<u16>,
    /// Most hours of events in a calendar year (UTC).
    pub max_hours_per_year: Option<u16>,
    /// Shortest event.
    pub min_duration: Duration,
    /// Longest event.
    pub max_duration: Option<Duration>,
    /// Time that must lie between publishing an event and its start.
    pub notice: Duration,
    /// Time that must lie between the end of an event and the start of the next one.
    pub recovery: Duration,
    /// Whether an owner may leave an event.
    pub opt_out: OptOut,
    /// Paid for each event taken part in.
    pub price_per_event: Option<Money>,
    /// Paid for each kWh delivered.
    pub price_per_kwh: Option<Money>,
    /// Paid for each kW held available in a year.
    pub price_per_kw_year: Option<Money>,
    /// Which DER may take part.
    pub eligibility: Eligibility,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            max_events_per_day: None,
            max_events_per_year: None,
            max_hours_per_year: None,
            min_duration: Duration::ZERO,
            max_duration: None,
            notice: Duration::ZERO,
            recovery: Duration::ZERO,
            opt_out: OptOut::Always,
            price_per_event: None,
            price_per_kwh: None,
            price_per_kw_year: None,
            eligibility: Eligibility {
                dual_participation: true,
                ..Eligibility::default()
            },
        }
    }
}

/// A programme.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DemandResponseProgram {
    /// The utility's own name for it.
    pub mrid: CimMrid,
    /// What people call it.
    pub name: Name,
    /// Its terms over time.
    pub terms: Dated<Terms>,
}

impl DemandResponseProgram {
    /// Most versions of the terms.
    pub const MAX_TERMS: usize = 64;
}

impl Record for DemandResponseProgram {
    const WHAT: &'static str = "demand response program";
    const MAX: usize = 1_000;

    fn mrid(&self) -> &CimMrid {
        &self.mrid
    }
}
