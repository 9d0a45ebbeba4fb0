//! The state of a fleet: dense vectors by typed index, with look-ups by the names others use.

use std::collections::BTreeMap;

use units::Timestamp;

use crate::control::ControlStatus;
use crate::{
    CimMrid, Control, ControlId, Der, DerId, Dispatch, DispatchId, Group, GroupId, Lfdi, Mrid,
    Name, Program, ProgramId, Scope,
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
    pub(crate) controls: Vec<Control>,
    /// By DER: its controls that had not ended when the latest one was made.
    pub(crate) live: Vec<Vec<ControlId>>,
    pub(crate) by_lfdi: BTreeMap<Lfdi, DerId>,
    pub(crate) by_mrid: BTreeMap<CimMrid, DerId>,
    pub(crate) by_name: BTreeMap<Name, DerId>,
    pub(crate) by_control_mrid: BTreeMap<Mrid, ControlId>,
    pub(crate) groups_by_mrid: BTreeMap<CimMrid, GroupId>,
    pub(crate) dispatches_by_mrid: BTreeMap<CimMrid, DispatchId>,
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
    /// Most controls of one DER that are not over at one time.
    pub const MAX_LIVE_CONTROLS: usize = 4_000;

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

    /// The programmes that address `der`, highest rank (lowest primacy value) first.
    #[must_use]
    pub fn programs_of(&self, der: DerId) -> Vec<&Program> {
        let own = self.der(der).and_then(|d| self.program(d.program));
        let all = self.shared_programs();
        let mut programs: Vec<&Program> = own.into_iter().chain(all).collect();
        programs.sort_by(|a, b| a.primacy.cmp(&b.primacy).then(b.mrid.cmp(&a.mrid)));
        programs
    }

    fn shared_programs(&self) -> impl Iterator<Item = &Program> {
        self.programs
            .iter()
            .take_while(|program| program.scope == Scope::All)
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

    /// The controls of `der` that are not long over, in order of issue.
    pub fn controls_of(&self, der: DerId) -> impl Iterator<Item = &Control> + Clone {
        let live = self.live.get(der.index()).map_or(&[][..], Vec::as_slice);
        live.iter().filter_map(|id| self.control(*id))
    }

    /// The status of `control` at `now`.
    #[must_use]
    pub fn status(&self, control: &Control, now: Timestamp) -> ControlStatus {
        control.status(self.controls_of(control.der), now)
    }

    /// The control that decides the active power of `der` at `now`, with its programme's primacy.
    #[must_use]
    pub fn in_force(&self, der: DerId, now: Timestamp) -> Option<&Control> {
        let candidates: Vec<(&Control, u8)> = self
            .controls_of(der)
            .filter_map(|control| Some((control, self.program(control.program)?.primacy)))
            .collect();
        crate::control::in_force(&candidates, now)
    }
}
