//! Every microgrid, and what follows for a DER from being a member of one.

use std::collections::BTreeMap;

use units::Timestamp;

use super::{Coupling, Microgrid, Operation};
use crate::dispatch::LinearLimit;
use crate::{CimMrid, DerId, Fleet, MicrogridId};

/// Everything that is known of microgrids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MicrogridBook {
    pub(super) microgrids: BTreeMap<MicrogridId, (Microgrid, Operation)>,
    pub(super) by_mrid: BTreeMap<CimMrid, MicrogridId>,
    pub(super) by_member: BTreeMap<DerId, MicrogridId>,
    /// Microgrids created so far.
    pub(super) count: u32,
    /// Permits granted so far, of all microgrids.
    pub(super) permits_count: u32,
    /// Counts what may change [`Self::limits`].
    pub(super) revision: u64,
}

impl MicrogridBook {
    /// Most microgrids of one fleet.
    pub const MAX_MICROGRIDS: usize = 1_000;

    /// The microgrids in service, in order of creation.
    pub fn microgrids(&self) -> impl DoubleEndedIterator<Item = (&Microgrid, &Operation)> {
        self.microgrids.values().map(|(it, does)| (it, does))
    }

    /// One microgrid, unless it is out of service.
    #[must_use]
    pub fn microgrid(&self, id: MicrogridId) -> Option<(&Microgrid, &Operation)> {
        self.microgrids.get(&id).map(|(it, does)| (it, does))
    }

    /// The microgrid with this mRID.
    #[must_use]
    pub fn by_mrid(&self, mrid: &CimMrid) -> Option<(&Microgrid, &Operation)> {
        self.by_mrid.get(mrid).and_then(|id| self.microgrid(*id))
    }

    /// The microgrid that `der` is a member of.
    #[must_use]
    pub fn of(&self, der: DerId) -> Option<(&Microgrid, &Operation)> {
        self.by_member.get(&der).and_then(|id| self.microgrid(*id))
    }

    /// Another number whenever [`Self::limits`] may have changed.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The ratings of connection points and the schedules there, of the microgrids that are connected
    /// to the grid.
    #[must_use]
    pub fn limits(&self) -> Vec<LinearLimit> {
        let connected = self
            .microgrids()
            .filter(|(_, does)| does.state().coupling() == Coupling::Connected);
        connected.flat_map(|(it, does)| it.limits(does)).collect()
    }
}

impl Fleet {
    /// Every microgrid.
    #[must_use]
    pub const fn microgrids(&self) -> &MicrogridBook {
        &self.microgrids
    }

    /// How `der` is coupled to the grid: with its microgrid, where it is a member of one.
    #[must_use]
    pub fn coupling(&self, der: DerId) -> Coupling {
        let of = self.microgrids.of(der);
        of.map_or(Coupling::Connected, |(_, does)| does.state().coupling())
    }

    /// Whether nothing of what `der` does reaches the grid.
    #[must_use]
    pub fn is_separated(&self, der: DerId) -> bool {
        self.coupling(der) == Coupling::Separated
    }

    /// How `der` was coupled to the grid at `at`, as far back as transitions are kept.
    #[must_use]
    pub fn coupling_at(&self, der: DerId, at: Timestamp) -> Coupling {
        let of = self.microgrids.of(der);
        of.map_or(Coupling::Connected, |(_, does)| {
            does.state_at(at).coupling()
        })
    }
}
