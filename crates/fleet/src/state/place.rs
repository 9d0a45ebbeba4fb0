//! Where DER belong, who stands in for them, and which programmes address them.

use std::ops::Bound;

use crate::{
    Access, Aggregator, AggregatorId, AlarmBook, Assignment, AssignmentId, Client, Curve, CurveId,
    Der, DerId, Envelope, Fleet, Lfdi, Program, ProgramId, Role, Scope, SettingsBook,
};

impl Fleet {
    /// The programmes that address `der`, highest rank (lowest primacy value) first.
    #[must_use]
    pub fn programs_of(&self, der: DerId) -> Vec<&Program> {
        let Some(der) = self.der(der) else {
            return Vec::new();
        };
        let mut programs: Vec<&Program> = self.program(der.program).into_iter().collect();
        if !self.programs_by_scope.is_empty() {
            let nodes = self.assignments_of(der.id);
            let scopes = nodes.iter().map(|node| Scope::Assignment(node.id));
            let scopes = scopes.chain([Scope::Device(der.id), Scope::All]);
            let scopes = scopes.filter(|scope| self.reaches(*scope, der.id));
            programs.extend(scopes.flat_map(|scope| self.programs_of_scope(scope)));
        }
        programs.sort_by(|a, b| a.primacy.cmp(&b.primacy).then(b.mrid.cmp(&a.mrid)));
        programs
    }

    /// The programmes in service of this scope, besides those for dispatch shares, in order of
    /// creation.
    pub fn programs_of_scope(&self, scope: Scope) -> impl Iterator<Item = &Program> {
        let ids = self.programs_by_scope.get(&scope);
        ids.map_or(&[][..], Vec::as_slice)
            .iter()
            .filter_map(|id| self.program(*id))
    }

    /// Whether `der` is shown programmes of `scope`. What is asked of many is asked of a grid, of
    /// which an island is no part: while its microgrid is separated, a DER has its own programmes only.
    fn reaches(&self, scope: Scope, der: DerId) -> bool {
        matches!(scope, Scope::Device(_)) || !self.is_separated(der)
    }

    /// Whether `program` addresses `der`.
    #[must_use]
    pub fn addresses(&self, program: &Program, der: DerId) -> bool {
        program.removed.is_none()
            && match program.scope {
                Scope::Device(only) => only == der,
                Scope::All => true,
                Scope::Assignment(node) => {
                    self.assignments_of(der).iter().any(|own| own.id == node)
                }
            }
    }

    /// Every aggregator, by index.
    #[must_use]
    pub fn aggregators(&self) -> &[Aggregator] {
        &self.aggregators
    }

    /// One aggregator.
    #[must_use]
    pub fn aggregator(&self, id: AggregatorId) -> Option<&Aggregator> {
        self.aggregators.get(id.index())
    }

    /// The aggregator with this certificate.
    #[must_use]
    pub fn aggregator_by_lfdi(&self, lfdi: Lfdi) -> Option<&Aggregator> {
        let id = self.aggregators_by_lfdi.get(&lfdi)?;
        self.aggregator(*id)
    }

    /// Whether this certificate may come in, whoever holds it or has held it. One that nobody
    /// ever held has not been revoked.
    #[must_use]
    pub fn access_of(&self, lfdi: Lfdi) -> Access {
        if let Some(der) = self.der_by_lfdi(lfdi) {
            return der.access;
        }
        if let Some(aggregator) = self.aggregator_by_lfdi(lfdi) {
            return aggregator.access;
        }
        let revoked = self.revoked.get(&lfdi);
        revoked.map_or(Access::Granted, |at| Access::Revoked(*at))
    }

    /// Whether whoever speaks for `der`, itself or its aggregator, may come in.
    #[must_use]
    pub fn is_let_in(&self, der: &Der) -> bool {
        let manager = der.manager.and_then(|manager| self.aggregator(manager));
        let access = manager.map_or(Access::Granted, |manager| manager.access);
        der.access == Access::Granted && access == Access::Granted
    }

    /// Who holds this certificate.
    #[must_use]
    pub fn client_by_lfdi(&self, lfdi: Lfdi) -> Option<Client> {
        let der = self.by_lfdi.get(&lfdi).copied().map(Client::Der);
        der.or_else(|| {
            let aggregator = self.aggregators_by_lfdi.get(&lfdi);
            aggregator.copied().map(Client::Aggregator)
        })
    }

    /// The registered DER that `aggregator` stands in for, in the order of an `EndDeviceList`: the
    /// latest change first, then by SFDI.
    #[must_use]
    pub fn ders_of(&self, aggregator: AggregatorId) -> &[DerId] {
        self.managed.get(&aggregator).map_or(&[], Vec::as_slice)
    }

    /// Every node of the group hierarchy, by index.
    #[must_use]
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }

    /// One node of the group hierarchy.
    #[must_use]
    pub fn assignment(&self, id: AssignmentId) -> Option<&Assignment> {
        self.assignments.get(id.index())
    }

    /// The nodes that `der` belongs to, those above included, widest first.
    #[must_use]
    pub fn assignments_of(&self, der: DerId) -> Vec<&Assignment> {
        let leaves = self.der(der).map_or(&[][..], |der| &der.assignments);
        self.with_nodes_above(leaves)
    }

    pub(crate) fn with_nodes_above(&self, leaves: &[AssignmentId]) -> Vec<&Assignment> {
        let mut nodes: Vec<&Assignment> = Vec::new();
        for leaf in leaves {
            let mut next = self.assignment(*leaf);
            while let Some(node) = next {
                if nodes.iter().any(|known| known.id == node.id) {
                    break;
                }
                nodes.push(node);
                next = node.parent.and_then(|id| self.assignment(id));
            }
        }
        nodes.sort_by_key(|node| (node.level, node.id));
        nodes
    }

    /// Every curve, by index.
    #[must_use]
    pub fn curves(&self) -> &[Curve] {
        &self.curves
    }

    /// One curve.
    #[must_use]
    pub fn curve(&self, id: CurveId) -> Option<&Curve> {
        self.curves.get(id.index())
    }

    /// The curves in service of `program`, in order of creation.
    pub fn curves_of(&self, program: ProgramId) -> impl Iterator<Item = &Curve> {
        let ids = self.curves_by_program.get(&program);
        ids.map_or(&[][..], Vec::as_slice)
            .iter()
            .filter_map(|id| self.curve(*id))
            .filter(|curve| curve.removed.is_none())
    }

    /// The envelopes of `der`, one of each source.
    #[must_use]
    pub fn envelopes_of(&self, der: DerId) -> &[Envelope] {
        self.envelopes.get(&der).map_or(&[], Vec::as_slice)
    }

    /// The DER that have an envelope, in order, from the one after `last` on.
    pub fn enveloped_after(&self, last: Option<DerId>) -> impl Iterator<Item = DerId> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let ders = self.envelopes.range((from, Bound::Unbounded));
        ders.map(|(der, _)| *der)
    }

    /// The programme in service that carries the operating envelope of `der`.
    #[must_use]
    pub fn envelope_program(&self, der: DerId) -> Option<&Program> {
        self.programs_of_scope(Scope::Device(der))
            .find(|program| program.role == Role::Envelope)
    }

    /// What is required of the settings of DER, and what became of it.
    #[must_use]
    pub const fn settings(&self) -> &SettingsBook {
        &self.settings
    }

    /// The alarms that are not back to normal, and what is known of those that were.
    #[must_use]
    pub const fn alarms(&self) -> &AlarmBook {
        &self.alarms
    }
}
