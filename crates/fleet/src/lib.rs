//! The domain: DER, groups, programmes, controls, dispatches and what became of them.
//!
//! State is the fold of [`Event`]s: [`Fleet::decide`] turns a [`Command`] into events or a
//! [`Rejection`], [`Fleet::apply`] folds one event in. Nothing here reads a clock, draws a random
//! number or touches the outside world; what changes by the second (readings, responses) stays
//! out of the fold and is passed in as [`Observation`]s and [`Delivery`] rows.

pub mod aggregator;
pub mod alarm;
pub mod assignment;
pub mod capability;
pub mod command;
pub mod control;
pub mod curve;
pub mod delivery;
pub mod der;
pub mod dispatch;
pub mod enrolment;
pub mod envelope;
pub mod event;
pub mod group;
pub mod id;
pub mod microgrid;
pub mod observation;
pub mod program;
pub mod rejection;
pub mod settings_profile;
pub mod strategy;

mod apply;
mod consequence;
mod decide;
mod state;

pub use aggregator::{Access, Aggregator, Client};
pub use alarm::{AlarmBook, AlarmCommand, AlarmEvent};
pub use assignment::{Assignment, Level};
pub use capability::{Capability, Mode, Modes, Settings};
pub use command::{
    Command, DispatchChange, GroupChange, NewAggregator, NewAssignment, NewControl, NewCurve,
    NewDer, NewDispatch, NewGroup, NewProgram, ProgramChange,
};
pub use control::{
    ActivePower, Control, ControlBase, ControlStatus, FixedVar, FreqDroop, Origin, PowerFactor,
    Scaled, Setting, Share, Terms, VarReference,
};
pub use curve::{Curve, CurvePoint, CurveShape, CurveType};
pub use delivery::{Delivery, DeliveryEntry, DeliveryState, Evidence, Ledger};
pub use der::{Der, DerKind, Registration};
pub use dispatch::{
    Aim, Approval, ApprovalRule, Capacity, Conduct, Dispatch, DispatchPhase, Need, Objective,
    Priority, Publish, Stage, Target,
};
pub use enrolment::{EnrolmentBook, EnrolmentCommand, EnrolmentEvent};
pub use envelope::{Envelope, EnvelopePoint, Fallback};
pub use event::Event;
pub use group::{DerFunction, DerFunctions, Group, GroupName, Version};
pub use id::{
    AggregatorId, AlarmId, AssignmentId, CimMrid, ControlId, CurveId, DerId, DispatchId, GroupId,
    IdError, Lfdi, MicrogridId, Mrid, Name, Note, PermitId, Pin, ProgramId, RollOutId,
    SettingsProfileId, StrategyId, SuppressionId,
};
pub use microgrid::{MicrogridBook, MicrogridCommand, MicrogridEvent};
pub use observation::{Observation, Quality, Reading};
pub use program::{DefaultControl, EnterService, Program, Role, Scope};
pub use rejection::Rejection;
pub use settings_profile::{SettingsBook, SettingsCommand, SettingsEvent, SettingsProfile};
pub use state::{Fleet, Identity, MridKind};
pub use strategy::{Strategy, StrategyBook, StrategyCommand, StrategyEvent};

#[cfg(test)]
mod tests;
