//! Microgrids of a run, and their times off the grid as their controllers see and report them.

use std::time::Duration;

use fleet::microgrid::{
    Action, Agreement, Member, MicrogridCommand, NewMicrogrid, NewPermit, Operation, Report, State,
};
use fleet::{CimMrid, Command, DerId, Fleet, MicrogridId, Name, Note};
use units::{Interval, Timestamp, Watts};

/// Microgrids of a run. Half of the DER are in one.
pub(super) const MICROGRIDS: usize = 2;
/// DER that are next to one another in a microgrid: three of each kind.
const NEIGHBOURS: usize = 9;
/// How often the controller of a microgrid looks whether what it saw has been taken in.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long the controller takes over a transition.
const TRANSITION: Duration = Duration::from_secs(60);

/// Why a microgrid is off the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// With a permit.
    Planned,
    /// The grid was lost, and the microgrid carries on.
    Unplanned,
    /// It went dark with the grid, and started by its own means.
    Dark,
}

/// One time off the grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Island {
    why: Why,
    /// The states that it comes to, and when.
    course: Vec<(Timestamp, State)>,
    /// How many of them have been taken in.
    done: usize,
}

/// What its controller does about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Wait,
    Ask(&'static str, Box<Command>),
    Over,
}

/// The microgrids among so many DER.
pub(super) fn founding(ders: usize) -> Vec<Command> {
    let microgrid = |number: usize| {
        let members = (0..ders).filter(|index| index / NEIGHBOURS % (2 * MICROGRIDS) == number);
        let members: Vec<Member> = members
            .map(|index| Member {
                der: DerId::from(index),
                grid_forming: Some(true),
                black_start: Some(true),
            })
            .collect();
        let rating = Watts::whole(4_000 * i64::try_from(members.len()).unwrap_or(i64::MAX));
        let new = NewMicrogrid {
            mrid: CimMrid::new(&format!("microgrid-{number}")).expect("a few letters"),
            name: name(&format!("microgrid {number}")),
            assignment: None,
            import_max: Some(rating),
            export_max: Some(rating),
            controller: None,
            members,
        };
        (!new.members.is_empty()).then(|| Command::Microgrid(MicrogridCommand::Put(Box::new(new))))
    };
    (0..MICROGRIDS).filter_map(microgrid).collect()
}

impl Island {
    pub(super) fn new(why: Why, from: Timestamp, until: Timestamp) -> Self {
        let leaving = match why {
            Why::Planned => &[State::PlannedIslanding, State::Islanded][..],
            Why::Unplanned => &[State::UnplannedIslanding, State::Islanded],
            Why::Dark => &[State::DeEnergised, State::BlackStart, State::Islanded],
        };
        let coming = [State::Reconnecting, State::GridConnected];
        let mut course = Vec::new();
        for (begin, states) in [(from, leaving), (until, &coming[..])] {
            let mut at = begin;
            for state in states {
                course.push((at, *state));
                at = at.after(TRANSITION);
            }
        }
        Self {
            why,
            course,
            done: 0,
        }
    }

    /// What there is to do at `now`, as far as the server is known to have taken in.
    pub(super) fn step(&mut self, id: MicrogridId, fleet: &Fleet, now: Timestamp) -> Step {
        let Some((_, operation)) = fleet.microgrids().microgrid(id) else {
            return Step::Over;
        };
        let Some(&(at, next)) = self.course.get(self.done) else {
            return Step::Over;
        };
        if operation.state() == next {
            self.done += 1;
            return Step::Wait;
        }
        if now < at {
            return Step::Wait;
        }
        // Who does not get leave until it would be back stays where it is.
        let back = self
            .course
            .iter()
            .find(|(_, state)| *state == State::Reconnecting);
        if self.done == 0 && back.is_some_and(|(back, _)| *back <= now) {
            return Step::Over;
        }
        let (what, command) = match self.missing_permit(next, operation, now) {
            Some(action) => ("grant a permit", grant(id, action, now)),
            None => ("report of a microgrid", self.report(id, next, now)),
        };
        Step::Ask(what, Box::new(command))
    }

    /// What is planned has a permit both ways; of what was not, an operator agrees to the return.
    fn missing_permit(&self, next: State, operation: &Operation, now: Timestamp) -> Option<Action> {
        let action = match next {
            State::PlannedIslanding => Action::Island,
            State::Reconnecting | State::GridConnected => Action::Reconnect,
            _ => return None,
        };
        let lacks = self.why == Why::Planned && operation.permit(action, now).is_none();
        lacks.then_some(action)
    }

    fn report(&self, id: MicrogridId, state: State, now: Timestamp) -> Command {
        let report = Report {
            state,
            at: now,
            by: name("microgrid controller"),
            reason: note("seen"),
            agreement: match self.why {
                Why::Planned => Agreement::NotGiven,
                Why::Unplanned | Why::Dark => Agreement::Given,
            },
        };
        Command::Microgrid(MicrogridCommand::Report(id, report))
    }
}

fn grant(id: MicrogridId, action: Action, now: Timestamp) -> Command {
    let permit = NewPermit {
        action,
        window: Interval::between(now, now.after(5 * TRANSITION)),
        by: name("operator"),
        reason: note("asked for"),
    };
    Command::Microgrid(MicrogridCommand::Grant(id, permit))
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a few letters")
}

fn note(text: &str) -> Note {
    Note::new(text).expect("a few letters")
}
