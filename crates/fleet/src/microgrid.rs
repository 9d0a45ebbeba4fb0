//! Microgrids: DER behind one connection point that can leave the grid and carry themselves
//! (IEEE 2030.7-2017).
//!
//! A [`Microgrid`] is what it is; its [`Operation`] is what it does: the [`State`] that was last
//! reported, the [`Permit`]s it has and the [schedule](SchedulePoint) at its connection point. What it
//! does decides how its members are [coupled](Coupling) to the grid, and with that what may be asked of
//! them and what they count as.
//!
//! Interpretation: who sees the switch at the connection point reports the state; IEEE 2030.5 has no
//! field that says that a DER runs in an island (`genConnectStatus` and `connectStatus` tell of the
//! DER's own switch, which is closed in an island too), so no device's status is read as one.

pub mod book;
pub mod permit;
pub mod schedule;
pub mod state;

mod apply;
mod decide;

use units::{Timestamp, Watts};

use crate::{AssignmentId, CimMrid, Client, DerId, MicrogridId, Name, Note, PermitId};

pub use book::MicrogridBook;
pub use permit::{Action, Permit, Revocation};
pub use schedule::{Exchange, SchedulePoint};
pub use state::{Coupling, State};

/// DER behind one connection point.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Microgrid {
    /// Dense index.
    pub id: MicrogridId,
    /// IEC 61968 identity.
    pub mrid: CimMrid,
    /// What it is called.
    pub name: Name,
    /// The node of the hierarchy that feeds its connection point, if known.
    pub assignment: Option<AssignmentId>,
    /// Most import through the connection point, as a magnitude; `None` without a rating.
    pub import_max: Option<Watts>,
    /// Most export through the connection point, as a magnitude; `None` without a rating.
    pub export_max: Option<Watts>,
    /// The IEEE 2030.5 client that is its microgrid controller, if it has one.
    pub controller: Option<Client>,
    /// The DER behind the connection point, ascending.
    pub members: Vec<Member>,
}

/// A DER behind the connection point of a microgrid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Which DER.
    pub der: DerId,
    /// Whether it can set voltage and frequency of an island; `None` when it is not known.
    pub grid_forming: Option<bool>,
    /// Whether it can start without voltage from outside; `None` when it is not known.
    pub black_start: Option<bool>,
}

/// What a microgrid does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// The states it came to, oldest first, at least one and at most [`Microgrid::MAX_TRANSITIONS`];
    /// the last one is where it is.
    pub transitions: Vec<Transition>,
    /// Permits that are not long over, in order of being granted.
    pub permits: Vec<Permit>,
    /// What is to flow through the connection point, in order and without overlap.
    pub schedule: Vec<SchedulePoint>,
}

/// A state that a microgrid came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transition {
    /// Which state.
    pub to: State,
    /// Since when, as reported.
    pub at: Timestamp,
    /// Whether a permit, or an operator's agreement, covers it.
    pub leave: Leave,
    /// Who reported it.
    pub by: Name,
    /// Why.
    pub reason: Note,
    /// When the report was taken in.
    pub reported: Timestamp,
}

/// By whose leave a microgrid came to a state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Leave {
    /// None: it was seen, and needs none or has none.
    None,
    /// A permit.
    Permit(PermitId),
    /// The agreement of the operator who reported it.
    Agreement,
}

/// What somebody has seen of a microgrid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The state that it is in.
    pub state: State,
    /// Since when; not ahead, and not before the state that it was in.
    pub at: Timestamp,
    /// Who reports it.
    pub by: Name,
    /// Why.
    pub reason: Note,
    /// Whether the operator who reports it agrees to a reconnection that has no permit.
    pub agreement: Agreement,
}

/// Whether an operator agrees to a reconnection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// They do.
    Given,
    /// They do not say so.
    NotGiven,
}

/// A microgrid to create, or what one is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewMicrogrid {
    /// IEC 61968 identity; one that is known changes.
    pub mrid: CimMrid,
    /// What it is called.
    pub name: Name,
    /// The node of the hierarchy that feeds its connection point.
    pub assignment: Option<AssignmentId>,
    /// Most import through the connection point, as a magnitude.
    pub import_max: Option<Watts>,
    /// Most export through the connection point, as a magnitude.
    pub export_max: Option<Watts>,
    /// Its microgrid controller.
    pub controller: Option<Client>,
    /// The DER behind the connection point.
    pub members: Vec<Member>,
}

/// A permit to grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPermit {
    /// To do what.
    pub action: Action,
    /// In what time.
    pub window: units::Interval,
    /// Who grants it.
    pub by: Name,
    /// Why.
    pub reason: Note,
}

/// What is asked about microgrids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MicrogridCommand {
    /// Create a microgrid, or change what it is.
    Put(Box<NewMicrogrid>),
    /// Take a microgrid out of service; its members are then DER of their own.
    Remove(MicrogridId),
    /// Take in where a microgrid stands.
    Report(MicrogridId, Report),
    /// Grant a permit.
    Grant(MicrogridId, NewPermit),
    /// Revoke a permit, by whom. Nothing comes of it where it is revoked or over.
    Revoke(MicrogridId, PermitId, Name),
    /// Set what is to flow through the connection point; replaces what was set.
    SetSchedule(MicrogridId, Vec<SchedulePoint>),
}

/// What was decided about microgrids.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MicrogridEvent {
    /// A microgrid is this; one that is not known is connected to the grid since then.
    Put(Box<Microgrid>, Timestamp),
    /// A microgrid is out of service.
    Removed(MicrogridId),
    /// A microgrid has come to a state.
    Moved(MicrogridId, Transition),
    /// A microgrid has a permit.
    Granted(MicrogridId, Permit),
    /// A permit is revoked.
    Revoked(MicrogridId, PermitId, Revocation),
    /// This is to flow through the connection point.
    ScheduleSet(MicrogridId, Vec<SchedulePoint>),
}

impl Microgrid {
    /// Most members of one microgrid.
    pub const MAX_MEMBERS: usize = 1_000;
    /// Most transitions of one microgrid that are kept; the journal has those before.
    pub const MAX_TRANSITIONS: usize = 64;
    /// Most permits of one microgrid that are neither revoked nor over.
    pub const MAX_PERMITS: usize = 16;
    /// Most points of one schedule: two days of five-minute intervals.
    pub const MAX_SCHEDULE_POINTS: usize = 576;

    /// Whether `der` is behind its connection point.
    #[must_use]
    pub fn has(&self, der: DerId) -> bool {
        self.members
            .binary_search_by_key(&der, |member| member.der)
            .is_ok()
    }
}

impl Operation {
    /// Where it is.
    ///
    /// # Panics
    /// Never: there is a first transition from the beginning.
    #[must_use]
    pub fn current(&self) -> &Transition {
        let last = self.transitions.last();
        last.expect("a microgrid begins with a state")
    }

    /// The state that it is in.
    #[must_use]
    pub fn state(&self) -> State {
        self.current().to
    }

    /// The state that it was in at `at`, as far back as transitions are kept.
    #[must_use]
    pub fn state_at(&self, at: Timestamp) -> State {
        let begun = self.transitions.iter().rfind(|it| it.at <= at);
        let first = || self.transitions.first();
        begun.or_else(first).map_or(self.state(), |it| it.to)
    }

    /// The permit to do this that holds at `at`.
    #[must_use]
    pub fn permit(&self, action: Action, at: Timestamp) -> Option<&Permit> {
        let mut permits = self.permits.iter();
        permits.find(|permit| permit.action == action && permit.holds_at(at))
    }

    /// Whether it is off the grid and no permit covers that, or it has no supply.
    #[must_use]
    pub fn is_unplanned(&self, now: Timestamp) -> bool {
        match self.state() {
            State::GridConnected | State::Reconnecting => false,
            State::UnplannedIslanding | State::DeEnergised | State::BlackStart => true,
            State::PlannedIslanding | State::Islanded => {
                self.current().leave == Leave::None || self.permit(Action::Island, now).is_none()
            }
        }
    }
}
