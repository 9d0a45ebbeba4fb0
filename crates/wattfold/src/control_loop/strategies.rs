//! Strategies in the control loop: what is due is made, and what came of it is noted in the same
//! commit.

use fleet::strategy::{Due, Occurrence, Outcome};
use fleet::{Command, DispatchId, Event, NewDispatch, Note, Rejection, StrategyCommand};
use store::{Actor, Batch};

use super::{Inputs, State};

impl State {
    /// Makes the dispatches that are due, and notes what could not be made.
    pub(super) fn run_strategies(&mut self, inputs: &Inputs<'_>, changes: &mut Batch) {
        if self.fleet.strategies().strategies().next().is_none() {
            return;
        }
        let mut watch = std::mem::take(&mut self.strategy_watch);
        let due = watch.due(&self.world(inputs), inputs.limits, inputs.zone);
        self.strategy_watch = watch;
        for due in due {
            let command = match due {
                Due::Note(command) => command,
                Due::Create {
                    strategy,
                    start,
                    dispatch,
                } => {
                    let occurrence = Occurrence {
                        start,
                        decided: inputs.now,
                        outcome: self.make(*dispatch, inputs, changes),
                    };
                    StrategyCommand::Note(strategy, occurrence)
                }
            };
            let command = Command::Strategy(command);
            if let Err(rejection) = self.execute(&Actor::System, &command, inputs, changes) {
                tracing::error!(?command, %rejection, "not noted of a strategy");
            }
        }
    }

    fn make(&mut self, new: NewDispatch, inputs: &Inputs<'_>, changes: &mut Batch) -> Outcome {
        let mrid = new.mrid.clone();
        let command = Command::CreateDispatch(new);
        let made = self.execute(&Actor::System, &command, inputs, changes);
        match made.map(|events| created(&events)) {
            Ok(Some(id)) => {
                tracing::info!(dispatch = %mrid, "made by a strategy");
                Outcome::Created(id)
            }
            Ok(None) => Outcome::Refused(note("nothing came of it")),
            Err(rejection) => {
                tracing::warn!(dispatch = %mrid, %rejection, "a strategy could not make it");
                Outcome::Refused(reason(&rejection))
            }
        }
    }
}

fn created(events: &[Event]) -> Option<DispatchId> {
    events.iter().find_map(|event| match event {
        Event::DispatchCreated(dispatch) => Some(dispatch.id),
        _ => None,
    })
}

/// Why a dispatch was refused, cut to what a note may hold.
pub(crate) fn reason(rejection: &Rejection) -> Note {
    note(&rejection.to_string())
}

fn note(text: &str) -> Note {
    let printable = text.chars().filter(|c| !c.is_control());
    let cut: String = printable.take(Note::MAX_CHARS).collect();
    Note::new(&cut).expect("a reason has a word and printable characters only")
}
