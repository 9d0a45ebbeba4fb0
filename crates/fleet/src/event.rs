//! What has been decided. Events carry decided values, so that folding them never decides again.

use units::Timestamp;

use crate::dispatch::{Approval, ApprovalRule, Plan};
use crate::{
    Aggregator, AlarmEvent, Assignment, Capability, Control, ControlId, Curve, CurveId, Der, DerId,
    Dispatch, DispatchId, EnrolmentEvent, Envelope, Group, GroupId, Identity, MicrogridEvent, Name,
    Program, Settings, SettingsEvent, StrategyEvent,
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
    /// A dispatch is now this, but for its plan.
    DispatchChanged(Box<Dispatch>),
    /// Somebody has approved of a dispatch.
    DispatchApproved(DispatchId, Approval),
    /// A dispatch is let out.
    DispatchPublished(DispatchId, Timestamp),
    /// Dispatches need these approvals.
    ApprovalRulesSet(Vec<ApprovalRule>),
    /// A dispatch is called off.
    DispatchCancelled(DispatchId, Timestamp),
    /// A control is in the world.
    ControlIssued(Control),
    /// A control is withdrawn.
    ControlCancelled(ControlId, Timestamp),
    /// An aggregator is authorised.
    AggregatorEnrolled(Aggregator),
    /// An aggregator is now this.
    AggregatorChanged(Aggregator),
    /// A DER's identity, place or standing is now this.
    DerChanged(Der),
    /// A node of the hierarchy exists.
    AssignmentCreated(Assignment),
    /// A node of the hierarchy is now this.
    AssignmentChanged(Assignment),
    /// A curve exists.
    CurveCreated(Curve),
    /// A curve is out of service.
    CurveRemoved(CurveId, Timestamp),
    /// A DER has this envelope from its source.
    EnvelopeSet(Envelope),
    /// A DER has no envelope from this source any more.
    EnvelopeCleared(DerId, Name),
    /// Something about required settings.
    Settings(SettingsEvent),
    /// Something about owners, sites, contracts and permissions.
    Enrolment(EnrolmentEvent),
    /// Something about alarms.
    Alarm(AlarmEvent),
    /// Something about microgrids.
    Microgrid(MicrogridEvent),
    /// Something about strategies.
    Strategy(StrategyEvent),
}
