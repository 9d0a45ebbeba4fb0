//! Who asked for what is in the world: of each control and dispatch that the software did not make
//! by its own rules, the actor of its journal entry.

use std::collections::BTreeMap;

use fleet::{Control, ControlId, DispatchId, Event, Origin};
use store::Actor;

/// The actors of controls and dispatches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authors {
    controls: BTreeMap<ControlId, Actor>,
    dispatches: BTreeMap<DispatchId, Actor>,
}

impl Authors {
    /// Takes in who caused `event`.
    pub fn note(&mut self, actor: &Actor, event: &Event) {
        if *actor == Actor::System {
            return;
        }
        match event {
            Event::ControlIssued(control) => {
                self.controls.insert(control.id, actor.clone());
            }
            Event::DispatchCreated(dispatch) => {
                self.dispatches.insert(dispatch.id, actor.clone());
            }
            _ => {}
        }
    }

    /// Who asked for `control`: whoever issued it, or created the dispatch that it serves;
    /// [`Actor::System`] when it follows from a rule, such as an envelope's.
    #[must_use]
    pub fn of(&self, control: &Control) -> &Actor {
        let of_dispatch = match control.origin {
            Origin::Dispatch { dispatch, .. } => self.dispatches.get(&dispatch),
            Origin::Operator | Origin::Envelope | Origin::Settings => None,
        };
        let author = of_dispatch.or_else(|| self.controls.get(&control.id));
        author.unwrap_or(&Actor::System)
    }
}
