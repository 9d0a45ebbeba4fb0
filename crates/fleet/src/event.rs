//! What has been decided. Events carry decided values, so that folding them never decides again.

use units::Timestamp;

use crate::dispatch::Plan;
use crate::{
    Capability, Control, ControlId, Der, DerId, Dispatch, DispatchId, Group, GroupId, Identity,
    Program, Settings,
};

/// One decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The fleet has its own range of mRIDs.
    FleetFounded(Identity),
    /// A programme exists.
    ProgramCreated(Program),
    /// A programme is now this.
    ProgramChanged(Program),
    /// A DER is authorised.
    DerEnrolled(Der),
    /// A DER has registered itself.
    DerRegistered(DerId, Timestamp),
    /// A DER's nameplate is known.
    CapabilityReported(DerId, Capability),
    /// A DER's settings are known.
    SettingsReported(DerId, Settings),
    /// A group exists.
    GroupCreated(Group),
    /// A group is now this.
    GroupChanged(Group),
    /// A group is gone.
    GroupDeleted(GroupId),
    /// A dispatch is accepted; it has no plan yet.
    DispatchCreated(Dispatch),
    /// A dispatch has this plan.
    PlanAdopted(Plan),
    /// A dispatch is called off.
    DispatchCancelled(DispatchId, Timestamp),
    /// A control is in the world.
    ControlIssued(Control),
    /// A control is withdrawn.
    ControlCancelled(ControlId, Timestamp),
}
