//! The domain: DER, groups, programmes, controls, dispatches and what became of them.
//!
//! State is the fold of [`Event`]s: [`Fleet::decide`] turns a [`Command`] into events or a
//! [`Rejection`], [`Fleet::apply`] folds one event in. Nothing here reads a clock, draws a random
//! number or touches the outside world; what changes by the second (readings, responses) stays
//! out of the fold and is passed in as [`Observation`]s and [`Delivery`] rows.

pub mod capability;
pub mod command;
pub mod control;
pub mod delivery;
pub mod der;
pub mod dispatch;
pub mod event;
pub mod group;
pub mod id;
pub mod observation;
pub mod program;
pub mod rejection;

mod apply;
mod decide;
mod state;

pub use capability::{Capability, Mode, Modes, Settings};
pub use command::{Command, GroupChange, NewControl, NewDer, NewDispatch, NewGroup};
pub use control::{ActivePower, Control, ControlBase, ControlStatus, Origin, ReactivePower};
pub use delivery::{Delivery, DeliveryEntry, DeliveryState, Evidence};
pub use der::{Der, DerKind, Registration};
pub use dispatch::{Dispatch, DispatchPhase, Target};
pub use event::Event;
pub use group::{DerFunction, DerFunctions, Group, GroupName, Version};
pub use id::{
    CimMrid, ControlId, DerId, DispatchId, GroupId, IdError, Lfdi, Mrid, Name, Pin, ProgramId,
};
pub use observation::{Observation, Quality, Reading};
pub use program::{Program, Scope};
pub use rejection::Rejection;
pub use state::{Fleet, Identity, MridKind};

#[cfg(test)]
mod tests;
