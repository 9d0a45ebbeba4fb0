//! The state of a fleet: dense vectors by typed index, with look-ups by the names others use.

mod live;
mod place;
mod rule;

use std::collections::BTreeMap;

use units::Timestamp;

use crate::dispatch::ApprovalRule;
use crate::{
    Aggregator, AggregatorId, AlarmBook, Assignment, CimMrid, Control, ControlId, Curve, CurveId,
    Der, DerId, Dispatch, DispatchId, EnrolmentBook, Envelope, Group, GroupId, Lfdi, MicrogridBook,
    Mrid, Name, Program, ProgramId, Scope, SettingsBook, StrategyBook,
};

/// What makes the mRIDs of a fleet its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Drawn at random when the fleet is founded; the upper byte is not used.
    pub seed: u64,
    /// IANA private enterprise number, the last 8 digits of every mRID.
    pub pen: u32,
}

/// What an IEEE 2030.5 mRID of ours names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum MridKind {
    /// A programme.
    Program = 1,
    /// The default control of a programme.
    DefaultControl = 2,
    /// A control.
    Control = 3,
    /// The function set assignments of a DER.
    Assignments = 4,
    /// A node of the group hierarchy.
    Assignment = 5,
    /// A curve.
    Curve = 6,
    /// A document of a function set that no dispatch reads.
    Document = 7,
}

impl Identity {
    /// The mRID of thing number `index` of its kind; distinct for distinct pairs.
    #[must_use]
    pub fn mrid(self, kind: MridKind, index: u32) -> Mrid {
        let high = (u128::from(self.seed) << 8 | u128::from(kind as u8)) & u128::from(u64::MAX);
        Mrid(high << 64 | u128::from(index) << 32 | u128::from(self.pen))
    }
}

/// The fold of all events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fleet {
    pub(crate) identity: Identity,
    pub(crate) ders: Vec<Der>,
    pub(crate) programs: Vec<Program>,
    pub(crate) groups: Vec<Option<Group>>,
    pub(crate) dispatches: Vec<Dispatch>,
    /// By DER: the events of demand response programmes that ask or asked it for something, ascending.
    pub(crate) events_of: BTreeMap<DerId, Vec<DispatchId>>,
    pub(crate) approval_rules: Vec<ApprovalRule>,
    pub(crate) controls: Vec<Control>,
    pub(crate) aggregators: Vec<Aggregator>,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) curves: Vec<Curve>,
    /// By DER: one of each source.
    pub(crate) envelopes: BTreeMap<DerId, Vec<Envelope>>,
    /// By DER: its controls that count.
    pub(crate) live: Vec<Vec<ControlId>>,
    /// By programme: controls for all it addresses that count.
    pub(crate) live_shared: BTreeMap<ProgramId, Vec<ControlId>>,
    /// When none of those counts any more.
    pub(crate) shared_until: Timestamp,
    /// By programme for many: controls for single DER that had not ended when the latest was made.
    pub(crate) live_single: BTreeMap<ProgramId, Vec<ControlId>>,
    /// Programmes in service beyond the one that each DER has for its dispatch shares.
    pub(crate) programs_by_scope: BTreeMap<Scope, Vec<ProgramId>>,
    /// By aggregator: the DER it stands in for, the latest change first.
    pub(crate) managed: BTreeMap<AggregatorId, Vec<DerId>>,
    pub(crate) aggregators_by_lfdi: BTreeMap<Lfdi, AggregatorId>,
    /// Certificates that were revoked, since when, and that no client holds any more.
    pub(crate) revoked: BTreeMap<Lfdi, Timestamp>,
    pub(crate) curves_by_program: BTreeMap<ProgramId, Vec<CurveId>>,
    pub(crate) by_lfdi: BTreeMap<Lfdi, DerId>,
    pub(crate) by_mrid: BTreeMap<CimMrid, DerId>,
    pub(crate) by_name: BTreeMap<Name, DerId>,
    pub(crate) by_control_mrid: BTreeMap<Mrid, ControlId>,
    pub(crate) groups_by_mrid: BTreeMap<CimMrid, GroupId>,
    pub(crate) dispatches_by_mrid: BTreeMap<CimMrid, DispatchId>,
    pub(crate) settings: SettingsBook,
    pub(crate) enrolment: EnrolmentBook,
    pub(crate) alarms: AlarmBook,
    pub(crate) microgrids: MicrogridBook,
    pub(crate) strategies: StrategyBook,
}

impl Fleet {
    /// Most DER of one fleet.
    pub const MAX_DERS: usize = 4_000_000;
    /// Most groups that exist at one time.
    pub const MAX_GROUPS: usize = 100_000;
    /// Most names of one group.
    pub const MAX_GROUP_NAMES: usize = 16;
    /// Most intervals of one dispatch.
    pub const MAX_INTERVALS: usize = 1_000;
    /// Most dispatches that are not over at one time.
    pub const MAX_OPEN_DISPATCHES: usize = 1_000;
    /// Most controls of one DER, or for all of one programme, that are neither withdrawn nor over at
    /// one time.
    pub const MAX_LIVE_CONTROLS: usize = 4_000;
    /// Most withdrawn controls of one DER, or for all of one programme, that are still shown; of
    /// more, those that were withdrawn first are gone before their end. It is what an envelope of two
    /// days that is replaced every five minutes leaves behind in the quarter of an hour in which every
    /// client looks.
    pub const MAX_WITHDRAWN_CONTROLS: usize = 2_000;
    /// Most controls of one DER, or for all of one programme, that are over and count for what they
    /// took from others that are not; of more, those that ended first are let go.
    pub const MAX_ENDED_CONTROLS: usize = 256;
    /// Most aggregators.
    pub const MAX_AGGREGATORS: usize = 10_000;
    /// Most nodes of the group hierarchy.
    pub const MAX_ASSIGNMENTS: usize = 1_000_000;
    /// Most nodes that one DER belongs to, those above counted in (CSIP 2.1, 4.2.2).
    pub const MAX_ASSIGNMENTS_OF_DER: usize = 15;
    /// Most programmes in service of one scope.
    pub const MAX_PROGRAMS_OF_SCOPE: usize = 15;
    /// Most curves in service of one programme.
    pub const MAX_CURVES_OF_PROGRAM: usize = 64;
    /// Most sources of envelopes of one DER.
    pub const MAX_ENVELOPES_OF_DER: usize = 4;

    /// What makes its mRIDs its own.
    #[must_use]
    pub const fn identity(&self) -> Identity {
        self.identity
    }

    /// Every DER, by index.
    #[must_use]
    pub fn ders(&self) -> &[Der] {
        &self.ders
    }

    /// One DER.
    #[must_use]
    pub fn der(&self, id: DerId) -> Option<&Der> {
        self.ders.get(id.index())
    }

    /// The DER with this certificate.
    #[must_use]
    pub fn der_by_lfdi(&self, lfdi: Lfdi) -> Option<&Der> {
        self.by_lfdi.get(&lfdi).and_then(|id| self.der(*id))
    }

    /// The DER with this IEC 61968 mRID.
    #[must_use]
    pub fn der_by_mrid(&self, mrid: &CimMrid) -> Option<&Der> {
        self.by_mrid.get(mrid).and_then(|id| self.der(*id))
    }

    /// The DER of this name.
    #[must_use]
    pub fn der_by_name(&self, name: &Name) -> Option<&Der> {
        self.by_name.get(name).and_then(|id| self.der(*id))
    }

    /// Every programme, by index.
    #[must_use]
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// One programme.
    #[must_use]
    pub fn program(&self, id: ProgramId) -> Option<&Program> {
        self.programs.get(id.index())
    }

    /// The groups that exist, in order of creation.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().flatten()
    }

    /// One group, unless deleted.
    #[must_use]
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id.index()).and_then(Option::as_ref)
    }

    /// The group with this mRID.
    #[must_use]
    pub fn group_by_mrid(&self, mrid: &CimMrid) -> Option<&Group> {
        self.groups_by_mrid.get(mrid).and_then(|id| self.group(*id))
    }

    /// Every dispatch, in order of creation.
    #[must_use]
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }

    /// One dispatch.
    #[must_use]
    pub fn dispatch(&self, id: DispatchId) -> Option<&Dispatch> {
        self.dispatches.get(id.index())
    }

    /// The dispatch with this mRID.
    #[must_use]
    pub fn dispatch_by_mrid(&self, mrid: &CimMrid) -> Option<&Dispatch> {
        self.dispatches_by_mrid
            .get(mrid)
            .and_then(|id| self.dispatch(*id))
    }

    /// Every control, by index.
    #[must_use]
    pub fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// One control.
    #[must_use]
    pub fn control(&self, id: ControlId) -> Option<&Control> {
        self.controls.get(id.index())
    }

    /// The control with this mRID.
    #[must_use]
    pub fn control_by_mrid(&self, mrid: Mrid) -> Option<&Control> {
        self.by_control_mrid
            .get(&mrid)
            .and_then(|id| self.control(*id))
    }
}
