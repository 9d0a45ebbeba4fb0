//! What can be asked of a fleet.

use std::time::Duration;

use units::{Interval, Percent};

use crate::dispatch::{ApprovalRule, Capacity, Conduct, Objective, Plan, Priority};
use crate::{
    AggregatorId, AlarmCommand, AssignmentId, Capability, CimMrid, Client, ControlBase, ControlId,
    CurveId, CurveShape, DefaultControl, DerFunctions, DerId, DerKind, DispatchId,
    EnrolmentCommand, Envelope, GroupId, GroupName, Identity, Level, Lfdi, MicrogridCommand, Name,
    Pin, ProgramId, Scope, Settings, SettingsCommand, StrategyCommand, Target, Terms, Version,
};

/// A DER to enrol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewDer {
    /// IEC 61968 identity.
    pub mrid: CimMrid,
    /// Name, unique in the fleet.
    pub name: Name,
    /// Technology.
    pub kind: DerKind,
    /// IEEE 2030.5 identity.
    pub lfdi: Lfdi,
    /// Registration PIN.
    pub pin: Pin,
    /// Whether the device gets its `EndDevice` at once (registered out of band) or has to post
    /// it itself (in band).
    pub registered: bool,
    /// Share of its energy that its owner keeps: never below this state of charge.
    pub reserve: Percent,
    /// The aggregator that stands in for it, if any.
    pub manager: Option<AggregatorId>,
    /// Where it belongs, most local nodes only.
    pub assignments: Vec<AssignmentId>,
}

/// A group to create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewGroup {
    /// IEC 61968 identity.
    pub mrid: CimMrid,
    /// Names.
    pub names: Vec<GroupName>,
    /// Free text.
    pub description: Option<Name>,
    /// What may be asked of it.
    pub functions: DerFunctions,
    /// Members; repetition is ignored.
    pub members: Vec<DerId>,
    /// Version, if the caller keeps its own count.
    pub version: Option<Version>,
}

/// A change of a group: what is present replaces or adds, what is absent stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupChange {
    /// New names, if any.
    pub names: Option<Vec<GroupName>>,
    /// New description, if any.
    pub description: Option<Name>,
    /// New functions, if any.
    pub functions: Option<DerFunctions>,
    /// Members to add.
    pub add: Vec<DerId>,
    /// Members to take out.
    pub remove: Vec<DerId>,
    /// New version; without one the minor number is raised.
    pub version: Option<Version>,
}

/// A dispatch to accept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewDispatch {
    /// IEC 61968 identity.
    pub mrid: CimMrid,
    /// Name, if given.
    pub name: Option<Name>,
    /// Who delivers.
    pub group: GroupId,
    /// Targets in order, without overlap, starting on whole seconds.
    pub schedule: Vec<Target>,
    /// How long each interval's ramp may take; `None` for the default.
    pub ramp: Option<Duration>,
    /// On whose behalf, how urgent, and how it is to be served.
    pub conduct: Conduct,
}

/// A change of a dispatch: what is absent stays.
///
/// One that is not published yet may change in any way; approvals that were given are void then. Of
/// one that is published the intervals that have begun stay, but for the end of the one that is
/// running, which may move to any time ahead.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DispatchChange {
    /// New name.
    pub name: Option<Name>,
    /// New schedule.
    pub schedule: Option<Vec<Target>>,
    /// New time for each ramp.
    pub ramp: Option<Duration>,
    /// New objective.
    pub objective: Option<Objective>,
    /// New priority.
    pub priority: Option<Priority>,
    /// Who changes it.
    pub by: Option<Name>,
}

/// A control to issue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewControl {
    /// Who is asked; `None` for every DER that the programme addresses.
    pub der: Option<DerId>,
    /// Under which programme.
    pub program: ProgramId,
    /// Where it comes from.
    pub origin: crate::Origin,
    /// When it holds.
    pub interval: Interval,
    /// What is asked.
    pub base: ControlBase,
    /// How devices are to take it; none for the usual way.
    pub terms: Option<Terms>,
}

/// An aggregator to authorise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewAggregator {
    /// Name, unique among aggregators.
    pub name: Name,
    /// Identity of its certificate.
    pub lfdi: Lfdi,
    /// Registration PIN.
    pub pin: Pin,
    /// Whether it has its `EndDevice` at once or has to post it itself.
    pub registered: bool,
    /// Whether it may create and delete its end devices itself.
    pub may_enrol: bool,
}

/// A node of the hierarchy to create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewAssignment {
    /// What it is called.
    pub name: Name,
    /// Its level.
    pub level: Level,
    /// The node above.
    pub parent: Option<AssignmentId>,
}

/// A programme to create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewProgram {
    /// What it is called.
    pub name: Name,
    /// Its rank.
    pub primacy: u8,
    /// Whom it addresses.
    pub scope: Scope,
}

/// A change of a programme: what is absent stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProgramChange {
    /// New name, if any.
    pub name: Option<Name>,
    /// New rank, if any.
    pub primacy: Option<u8>,
}

/// A curve to add to a programme.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewCurve {
    /// Whose curve it is.
    pub program: ProgramId,
    /// What it is called.
    pub name: Option<Name>,
    /// What it says.
    pub shape: CurveShape,
}

/// A request to change the fleet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Give the fleet its own range of mRIDs; once, before anything else.
    FoundFleet(Identity),
    /// Authorise a DER.
    EnrolDer(NewDer),
    /// The device registers itself in band.
    RegisterDer(DerId),
    /// The device reports its nameplate.
    ReportCapability(DerId, Capability),
    /// The device reports its settings.
    ReportSettings(DerId, Settings),
    /// Create a group.
    CreateGroup(NewGroup),
    /// Change a group.
    ChangeGroup(GroupId, GroupChange),
    /// Delete a group that no dispatch is using.
    DeleteGroup(GroupId),
    /// Accept a dispatch. The shell plans it first and adopts the plan in the same step.
    CreateDispatch(NewDispatch),
    /// Adopt a plan for a dispatch; refused when its parent is no longer in force.
    AdoptPlan(Plan),
    /// Change a dispatch. The shell plans it again and adopts the plan in the same step.
    ChangeDispatch(DispatchId, DispatchChange),
    /// Approve of a dispatch.
    ApproveDispatch(DispatchId, Name, Capacity),
    /// Let a dispatch out.
    PublishDispatch(DispatchId),
    /// Say which dispatches need which approvals; replaces what was said.
    SetApprovalRules(Vec<ApprovalRule>),
    /// Call a dispatch off.
    CancelDispatch(DispatchId),
    /// Set what holds under a programme when none of its controls is active.
    SetDefaultControl(ProgramId, DefaultControl),
    /// Issue a control.
    IssueControl(NewControl),
    /// Withdraw a control.
    CancelControl(ControlId),
    /// Authorise an aggregator.
    EnrolAggregator(NewAggregator),
    /// The aggregator registers itself in band.
    RegisterAggregator(AggregatorId),
    /// Put a certificate on the authorisation list, or take it off.
    SetAccess(Client, bool),
    /// A client has a new certificate.
    Rekey(Client, Lfdi),
    /// Remove a DER: its controls are withdrawn and it leaves its groups.
    RemoveDer(DerId),
    /// Place a DER in the hierarchy; replaces where it was.
    AssignDer(DerId, Vec<AssignmentId>),
    /// Create a node of the hierarchy.
    CreateAssignment(NewAssignment),
    /// Take a node out of service that has no DER, no programme and no node below.
    DeleteAssignment(AssignmentId),
    /// Create a programme.
    CreateProgram(NewProgram),
    /// Create the programme of the operating envelope of a DER, unless it has one.
    CreateEnvelopeProgram(DerId),
    /// Change a programme.
    ChangeProgram(ProgramId, ProgramChange),
    /// Take a programme out of service; its controls are withdrawn.
    DeleteProgram(ProgramId),
    /// Add a curve to a programme.
    CreateCurve(NewCurve),
    /// Take a curve out of service that nothing refers to.
    DeleteCurve(CurveId),
    /// Set what a DER may import and export; replaces the envelope of that source.
    SetEnvelope(Envelope),
    /// Withdraw the envelope of one source.
    ClearEnvelope(DerId, Name),
    /// Something about required settings.
    Settings(SettingsCommand),
    /// Something about owners, sites, contracts and permissions.
    Enrolment(EnrolmentCommand),
    /// Something about alarms.
    Alarm(AlarmCommand),
    /// Something about microgrids.
    Microgrid(MicrogridCommand),
    /// Something about strategies.
    Strategy(StrategyCommand),
}
