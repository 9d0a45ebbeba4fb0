//! A domain "no", with its reason.

use std::collections::BTreeSet;

use thiserror::Error;
use units::{WattHours, Watts};

use crate::dispatch::conflict::words;
use crate::dispatch::{Constraint, Need};
use crate::{CimMrid, DerId, Fleet, Lfdi, Name};

/// Why a command is refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejection {
    /// A named limit of the fleet is reached.
    #[error("{what}: at most {max} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The mRID is taken.
    #[error("mRID {0} is already in use")]
    MridTaken(CimMrid),
    /// The name is taken.
    #[error("name {0} is already in use")]
    NameTaken(Name),
    /// The certificate is enrolled already.
    #[error("LFDI {0} is already enrolled")]
    LfdiTaken(Lfdi),
    /// The certificate was revoked, and stays so when its client has another one or is gone.
    #[error("LFDI {0} was revoked")]
    LfdiRevoked(Lfdi),
    /// The DER is registered already.
    #[error("DER {0} is already registered")]
    AlreadyRegistered(DerId),
    /// There is no such thing.
    #[error("no {what} {id}")]
    Unknown {
        /// Which kind of thing.
        what: &'static str,
        /// How it was named.
        id: String,
    },
    /// A value is outside what the field allows.
    #[error("{field}: {rule}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Which rule it breaks.
        rule: String,
    },
    /// The group has not got this ability.
    #[error("group {group} has no {function}")]
    FunctionMissing {
        /// Which group.
        group: CimMrid,
        /// Which `DERFunction`.
        function: &'static str,
    },
    /// The group is being dispatched.
    #[error("group {0} has a dispatch that is not over")]
    GroupInUse(CimMrid),
    /// The dispatch is over or called off.
    #[error("dispatch {0} is over or called off")]
    DispatchOver(CimMrid),
    /// The dispatch is not approved of by everybody who has to.
    #[error("dispatch {dispatch} waits for {}", needs(missing))]
    ApprovalMissing {
        /// Which dispatch.
        dispatch: CimMrid,
        /// Approvals that are missing.
        missing: BTreeSet<Need>,
    },
    /// The terms of the programme do not allow such an event.
    #[error("terms of {program}: {rule}")]
    Terms {
        /// Which programme.
        program: Name,
        /// Which term.
        rule: String,
    },
    /// A microgrid may not do this.
    #[error("microgrid {microgrid} has no permit to {action}")]
    PermitMissing {
        /// Which microgrid.
        microgrid: Name,
        /// What it may not do.
        action: &'static str,
    },
    /// The grid needs the members of a microgrid.
    #[error("microgrid {microgrid} may not leave: emergency dispatch {dispatch} asks its members")]
    NeededByGrid {
        /// Which microgrid.
        microgrid: Name,
        /// By which dispatch.
        dispatch: CimMrid,
    },
    /// A microgrid does not come from one state to the other.
    #[error("microgrid {microgrid} does not come from {from} to {to}")]
    IllegalTransition {
        /// Which microgrid.
        microgrid: Name,
        /// The state that it is in.
        from: &'static str,
        /// The state that was reported.
        to: &'static str,
    },
    /// The owner's personal data are needed.
    #[error("personal data of owner {owner} are needed for contract {contract}; end it first")]
    ContractInForce {
        /// Whose data.
        owner: CimMrid,
        /// For which contract.
        contract: CimMrid,
    },
    /// The owner's personal data were erased, so it can agree to nothing.
    #[error("personal data of owner {0} were erased; it takes another owner")]
    OwnerErased(CimMrid),
    /// The DER is not part of the grid.
    #[error("DER {der} is in microgrid {microgrid}, which is {state}")]
    Islanded {
        /// Which DER.
        der: CimMrid,
        /// In which microgrid.
        microgrid: Name,
        /// The state that the microgrid is in.
        state: &'static str,
    },
    /// Another plan has been adopted since.
    #[error("plan generation {got} is stale: generation {expected} is due")]
    StalePlan {
        /// The generation that would be accepted.
        expected: u32,
        /// The generation given.
        got: u32,
    },
    /// What is approved of is not what was looked at.
    #[error("plan generation {seen} was looked at, and generation {in_force} is in force")]
    ChangedSince {
        /// The generation that was looked at.
        seen: u32,
        /// The one in force; 0 before there is one.
        in_force: u32,
    },
    /// The members can't reach the target for lack of power.
    #[error(
        "interval {interval}: {asked:.1} asked, {reachable:.1} reachable, short by {short:.1}\
         {}",
        limits(limited_by)
    )]
    ShortOfPower {
        /// Which interval, from 1.
        interval: usize,
        /// Net power asked.
        asked: Watts,
        /// The closest net power that can be reached.
        reachable: Watts,
        /// The difference, as a magnitude.
        short: Watts,
        /// Names of the limits that bind, if any beyond the devices' own.
        limited_by: Vec<Name>,
    },
    /// The members have the power but not the energy to hold it.
    #[error("interval {interval}: short by {short:.1} of energy to hold {asked:.1}")]
    ShortOfEnergy {
        /// Which interval, from 1.
        interval: usize,
        /// Net power asked.
        asked: Watts,
        /// Missing energy, as a magnitude.
        short: WattHours,
    },
    /// Limits contradict each other whatever the devices do.
    #[error(
        "interval {interval}: limit {limit} is exceeded by {excess:.1} before anything is asked"
    )]
    LimitExceeded {
        /// Which interval, from 1.
        interval: usize,
        /// Which limit.
        limit: Name,
        /// By how much.
        excess: Watts,
    },
    /// Constraints of several intervals, limits or members contradict each other. Without any one of
    /// them the others do not.
    #[error("{short}; can't be kept together: {}", words(among))]
    Conflict {
        /// What planning one interval after the other meets first.
        short: Box<Self>,
        /// The constraints.
        among: Vec<Constraint>,
    },
}

impl Rejection {
    /// The same with the constraints that contradict each other, where they say more than what one
    /// target is short of.
    pub(crate) fn among(self, among: Vec<Constraint>) -> Self {
        let count = |of: fn(&Constraint) -> bool| among.iter().filter(|c| of(c)).count();
        let targets = count(|c| matches!(c, Constraint::Target { .. }));
        let limits = count(|c| matches!(c, Constraint::Limit { .. }));
        let others = count(|c| matches!(c, Constraint::Ramp(_) | Constraint::Departure(_)));
        if targets < 2 && limits < 2 && others == 0 {
            return self;
        }
        let short = Box::new(self);
        Self::Conflict { short, among }
    }

    /// The same with the identities of the DER that it names.
    pub(crate) fn named(mut self, fleet: &Fleet) -> Self {
        if let Self::Conflict { among, .. } = &mut self {
            for subject in among.iter_mut().filter_map(Constraint::subject_mut) {
                subject.mrid = fleet.der(subject.der).map(|der| der.mrid.clone());
            }
        }
        self
    }
}

fn needs(missing: &BTreeSet<Need>) -> String {
    let name = |need: &Need| match need {
        Need::SecondPerson => "the approval of a second person",
        Need::BalancingAuthority => "the approval of the balancing authority",
    };
    missing.iter().map(name).collect::<Vec<_>>().join(" and ")
}

fn limits(names: &[Name]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = names.iter().map(Name::as_str).collect();
    format!(", limited by {}", names.join(", "))
}
