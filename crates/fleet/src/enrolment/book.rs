//! The state of enrolment.

use std::collections::BTreeMap;

use units::{Interval, Timestamp, Watts};

use super::{
    Binding, BindingReason, Contract, ContractId, DemandResponseProgram, DemandResponseProgramId,
    EnrolmentEvent, Flexibility, Interconnection, Owner, OwnerId, Purpose, Register, ServicePoint,
    ServicePointId, Site, SiteId,
};
use crate::dispatch::LinearLimit;
use crate::{Der, DerId, Fleet, Name};

/// Everything that enrolment knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnrolmentBook {
    pub(super) owners: Register<Owner>,
    pub(super) sites: Register<Site>,
    pub(super) service_points: Register<ServicePoint>,
    pub(super) programs: Register<DemandResponseProgram>,
    pub(super) contracts: Register<Contract>,
    /// By DER.
    pub(super) placed: BTreeMap<DerId, ServicePointId>,
    /// By service point: what stands there, ascending.
    pub(super) behind: BTreeMap<ServicePointId, Vec<DerId>>,
    /// By DER: the contracts that name it.
    pub(super) contracts_of: BTreeMap<DerId, Vec<ContractId>>,
    pub(super) interconnections: BTreeMap<DerId, Interconnection>,
    pub(super) flexibilities: BTreeMap<DerId, Flexibility>,
    /// Counts what may change limits of service points.
    pub(super) revision: u64,
    /// By DER: how it came to its certificate, oldest first.
    pub(super) bindings: BTreeMap<DerId, Vec<Binding>>,
}

impl EnrolmentBook {
    /// Most bindings of one DER that are kept; the journal has those before.
    pub const MAX_BINDINGS: usize = 64;

    /// Another number whenever [`Self::limits`] may have changed.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Every owner.
    #[must_use]
    pub const fn owners(&self) -> &Register<Owner> {
        &self.owners
    }

    /// Every site.
    #[must_use]
    pub const fn sites(&self) -> &Register<Site> {
        &self.sites
    }

    /// Every service point.
    #[must_use]
    pub const fn service_points(&self) -> &Register<ServicePoint> {
        &self.service_points
    }

    /// Every demand response programme.
    #[must_use]
    pub const fn programs(&self) -> &Register<DemandResponseProgram> {
        &self.programs
    }

    /// Every contract.
    #[must_use]
    pub const fn contracts(&self) -> &Register<Contract> {
        &self.contracts
    }

    /// Where `der` stands.
    #[must_use]
    pub fn service_point_of(&self, der: DerId) -> Option<(ServicePointId, &ServicePoint)> {
        let id = *self.placed.get(&der)?;
        Some((id, self.service_points.get(id.0)?))
    }

    /// What stands at a service point, ascending.
    #[must_use]
    pub fn ders_behind(&self, point: ServicePointId) -> &[DerId] {
        self.behind.get(&point).map_or(&[], Vec::as_slice)
    }

    /// The site where `der` stands.
    #[must_use]
    pub fn site_of(&self, der: DerId) -> Option<(SiteId, &Site)> {
        let (_, point) = self.service_point_of(der)?;
        Some((point.site, self.sites.get(point.site.0)?))
    }

    /// Whose `der` is.
    #[must_use]
    pub fn owner_of(&self, der: DerId) -> Option<(OwnerId, &Owner)> {
        let (_, site) = self.site_of(der)?;
        Some((site.owner, self.owners.get(site.owner.0)?))
    }

    /// What is permitted for `der`; `None` where no record is kept.
    #[must_use]
    pub fn interconnection(&self, der: DerId) -> Option<&Interconnection> {
        self.interconnections.get(&der)
    }

    /// What the owner of `der` lets it be used for; `None` where nothing is known beyond its nameplate.
    #[must_use]
    pub fn flexibility(&self, der: DerId) -> Option<&Flexibility> {
        self.flexibilities.get(&der)
    }

    /// How `der` came to its certificate, oldest first; empty while it has its first one.
    #[must_use]
    pub fn bindings(&self, der: DerId) -> &[Binding] {
        self.bindings.get(&der).map_or(&[], Vec::as_slice)
    }

    /// The contracts that name `der`.
    pub fn contracts_of(&self, der: DerId) -> impl Iterator<Item = &Contract> {
        let ids = self.contracts_of.get(&der).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.contracts.get(id.0))
    }

    /// The contract of `der` about `program` that holds all through `span`.
    #[must_use]
    pub fn contract(
        &self,
        der: DerId,
        program: DemandResponseProgramId,
        span: Interval,
    ) -> Option<&Contract> {
        let covers = |contract: &&Contract| {
            contract.program == program
                && contract.from <= span.start
                && contract.until.is_none_or(|until| span.end() <= until)
        };
        self.contracts_of(der).find(covers)
    }

    /// Whether the owner of `der`, where one is known, agrees to `purpose`.
    #[must_use]
    pub fn agrees_to(&self, der: DerId, purpose: Purpose) -> bool {
        self.owner_of(der)
            .is_none_or(|(_, owner)| owner.agrees_to(purpose))
    }

    /// Whether `der` may be dispatched all through `span`: it has permission to operate, and its
    /// owner agrees. Where no record is kept there is nothing to forbid it.
    #[must_use]
    pub fn may_dispatch(&self, der: DerId, span: Interval) -> bool {
        let permitted = self
            .interconnection(der)
            .is_none_or(|record| record.permits(span));
        permitted && self.agrees_to(der, Purpose::Dispatch)
    }

    /// Most injection and most absorption of `der` all through `span`, as magnitudes: what was
    /// approved for it, and what the service point can carry where it stands there alone.
    #[must_use]
    pub fn limits_during(&self, der: DerId, span: Interval) -> (Option<Watts>, Option<Watts>) {
        let record = self.interconnection(der);
        let approved = record.and_then(|record| record.export_max_during(span));
        let approved_import = record.and_then(|record| record.import_max);
        let alone = self
            .service_point_of(der)
            .filter(|(id, _)| self.ders_behind(*id).len() == 1);
        let least = |a: Option<Watts>, b: Option<Watts>| a.into_iter().chain(b).min();
        (
            least(approved, alone.and_then(|(_, point)| point.export_max)),
            least(
                approved_import,
                alone.and_then(|(_, point)| point.import_max),
            ),
        )
    }

    /// The limits of the service points that several DER share.
    #[must_use]
    pub fn limits(&self) -> Vec<LinearLimit> {
        let shared = self.behind.iter().filter(|(_, ders)| 1 < ders.len());
        let rows = shared.flat_map(|(id, ders)| {
            let point = self.service_points.get(id.0);
            let row = |what: &str, coefficient: f64, max: Option<Watts>| {
                Some(LinearLimit {
                    name: name_of(what, point?),
                    terms: ders.iter().map(|der| (*der, coefficient)).collect(),
                    max: max?,
                    during: None,
                })
            };
            [
                row("export", 1.0, point.and_then(|point| point.export_max)),
                row("import", -1.0, point.and_then(|point| point.import_max)),
            ]
        });
        rows.flatten().collect()
    }
}

/// What a limit of a service point is called, cut to what a name may hold.
fn name_of(what: &str, point: &ServicePoint) -> Name {
    let text = format!("{what} at {}", point.mrid);
    let cut: String = text.chars().take(Name::MAX_CHARS).collect();
    Name::new(&cut).expect("an mRID has printable characters only")
}

impl Fleet {
    /// Who owns what, where it stands and on what terms it takes part.
    #[must_use]
    pub const fn enrolment(&self) -> &EnrolmentBook {
        &self.enrolment
    }

    pub(crate) fn apply_enrolment(&mut self, event: &EnrolmentEvent) {
        let book = &mut self.enrolment;
        match event {
            EnrolmentEvent::OwnerPut(owner) => book.owners.put(owner.clone()),
            EnrolmentEvent::OwnerErased(id, at) => {
                if let Some(owner) = book.owners.get_mut(id.0) {
                    owner.erased = Some(*at);
                }
            }
            EnrolmentEvent::SitePut(site) => book.sites.put(site.clone()),
            EnrolmentEvent::ServicePointPut(point) => {
                book.service_points.put(point.clone());
                book.revision += 1;
            }
            EnrolmentEvent::ProgramPut(program) => book.programs.put(program.clone()),
            EnrolmentEvent::ContractPut(contract) => book.put_contract(contract),
            EnrolmentEvent::Placed(der, point) => book.place(*der, *point),
            EnrolmentEvent::InterconnectionPut(der, record) => {
                book.interconnections
                    .insert(*der, Interconnection::clone(record));
            }
            EnrolmentEvent::FlexibilityPut(der, flexibility) => {
                book.flexibilities
                    .insert(*der, Flexibility::clone(flexibility));
            }
            EnrolmentEvent::Bound(der, binding) => self.apply_bound(*der, *binding),
        }
    }

    fn apply_bound(&mut self, id: DerId, binding: Binding) {
        let bindings = self.enrolment.bindings.entry(id).or_default();
        bindings.push(binding);
        if EnrolmentBook::MAX_BINDINGS < bindings.len() {
            bindings.remove(0);
        }
        let Some(der) = self.ders.get(id.index()) else {
            return;
        };
        let another_device = binding.reason == BindingReason::DeviceReplaced;
        let bound = Der {
            lfdi: binding.lfdi,
            changed: binding.since,
            capability: der.capability.clone().filter(|_| !another_device),
            settings: der.settings.clone().filter(|_| !another_device),
            ..der.clone()
        };
        self.apply_der_changed(&bound);
    }
}

impl EnrolmentBook {
    fn put_contract(&mut self, contract: &Contract) {
        let id = ContractId(self.contracts.index_for(&contract.mrid));
        if let Some(old) = self.contracts.get(id.0) {
            for der in &old.ders {
                if let Some(ids) = self.contracts_of.get_mut(der) {
                    ids.retain(|other| *other != id);
                }
            }
        }
        for der in &contract.ders {
            self.contracts_of.entry(*der).or_default().push(id);
        }
        self.contracts.put(contract.clone());
    }

    fn place(&mut self, der: DerId, point: Option<ServicePointId>) {
        self.revision += 1;
        if let Some(old) = self.placed.remove(&der)
            && let Some(ders) = self.behind.get_mut(&old)
        {
            ders.retain(|other| *other != der);
        }
        if let Some(point) = point {
            self.placed.insert(der, point);
            let ders = self.behind.entry(point).or_default();
            let at = ders.partition_point(|other| *other < der);
            ders.insert(at, der);
        }
    }

    /// Contracts that hold at `at` in other programmes than `program`.
    pub(crate) fn takes_part_elsewhere(
        &self,
        der: DerId,
        program: DemandResponseProgramId,
        at: Timestamp,
    ) -> bool {
        self.contracts_of(der)
            .any(|contract| contract.program != program && contract.holds_at(at))
    }
}
