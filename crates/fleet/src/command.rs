//! What can be asked of a fleet.

use std::time::Duration;

use units::{Interval, Percent};

use crate::dispatch::Plan;
use crate::{
    Capability, CimMrid, ControlBase, ControlId, DerFunctions, DerId, DerKind, DispatchId, GroupId,
    GroupName, Identity, Lfdi, Name, Pin, ProgramId, Settings, Target, Version,
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
}

/// A control to issue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewControl {
    /// Who is asked.
    pub der: DerId,
    /// Under which programme.
    pub program: ProgramId,
    /// Where it comes from.
    pub origin: crate::Origin,
    /// When it holds.
    pub interval: Interval,
    /// What is asked.
    pub base: ControlBase,
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
    /// Call a dispatch off.
    CancelDispatch(DispatchId),
    /// Set what holds under a programme when none of its controls is active.
    SetDefaultControl(ProgramId, ControlBase),
    /// Issue a control.
    IssueControl(NewControl),
    /// Withdraw a control.
    CancelControl(ControlId),
}
