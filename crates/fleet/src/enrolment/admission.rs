//! A DER with all that belongs to it, taken in as one.

use units::Watts;

use super::{Contract, Interconnection, Owner, ServicePoint, Site};
use crate::{CimMrid, NewDer};

/// One DER to take in: a line of an import. What is there already is brought to this; what is
/// absent stays as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admission {
    /// The DER; of one that is enrolled already its reserve and place may differ.
    pub der: NewDer,
    /// Where it stands.
    pub standing_at: Option<Location>,
    /// What is permitted for it.
    pub interconnection: Option<Interconnection>,
    /// The programmes that it takes part in.
    pub contracts: Vec<NewContract>,
}

/// Where a DER stands, by the names of the utility.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// Whose it is. An owner that exists keeps what it has agreed to beyond this.
    pub owner: Owner,
    /// Name of the site.
    pub site: CimMrid,
    /// Name of the service point.
    pub service_point: CimMrid,
    /// Most import of the service point, as a magnitude.
    pub import_max: Option<Watts>,
    /// Most export of the service point, as a magnitude.
    pub export_max: Option<Watts>,
}

/// A programme that a DER takes part in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewContract {
    /// Name of the contract; one that exists takes the DER in.
    pub mrid: CimMrid,
    /// Name of the programme.
    pub program: CimMrid,
    /// From when, until when.
    pub from: units::Timestamp,
    /// Until when, the instant excluded.
    pub until: Option<units::Timestamp>,
    /// Active power that the owner has promised, as a magnitude.
    pub committed: Option<Watts>,
}

impl Location {
    pub(super) fn site(&self, owner: super::OwnerId) -> Site {
        Site {
            mrid: self.site.clone(),
            owner,
        }
    }

    pub(super) fn service_point(
        &self,
        site: super::SiteId,
        known: Option<&ServicePoint>,
    ) -> ServicePoint {
        ServicePoint {
            mrid: self.service_point.clone(),
            site,
            assignment: known.and_then(|known| known.assignment),
            import_max: self
                .import_max
                .or_else(|| known.and_then(|known| known.import_max)),
            export_max: self
                .export_max
                .or_else(|| known.and_then(|known| known.export_max)),
        }
    }
}

impl NewContract {
    pub(super) fn contract(
        &self,
        owner: super::OwnerId,
        program: super::DemandResponseProgramId,
        der: crate::DerId,
        known: Option<&Contract>,
    ) -> Contract {
        let mut ders = known.map_or_else(Vec::new, |known| known.ders.clone());
        if let Err(at) = ders.binary_search(&der) {
            ders.insert(at, der);
        }
        Contract {
            mrid: self.mrid.clone(),
            owner,
            program,
            ders,
            from: self.from,
            until: self.until.or_else(|| known.and_then(|known| known.until)),
            committed: self
                .committed
                .or_else(|| known.and_then(|known| known.committed)),
        }
    }
}
