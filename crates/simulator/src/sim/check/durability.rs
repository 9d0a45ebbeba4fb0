//! What was acknowledged survives a crash.

use fleet::{Event, Fleet};

use super::Verdict;

/// What an operator was told is in the fleet that was folded.
pub fn kept(event: &Event, fleet: &Fleet) -> Verdict {
    let is_there = match event {
        Event::DispatchCreated(dispatch) => fleet.dispatch(dispatch.id).is_some(),
        Event::DispatchCancelled(id, _) => {
            fleet.dispatch(*id).is_some_and(|it| it.cancelled.is_some())
        }
        Event::ControlIssued(control) => fleet
            .control(control.id)
            .is_some_and(|it| it.mrid == control.mrid),
        Event::ControlCancelled(id, _) => {
            fleet.control(*id).is_some_and(|it| it.cancelled.is_some())
        }
        Event::GroupCreated(group) => fleet.group(group.id).is_some(),
        Event::DerEnrolled(der) => fleet.der(der.id).is_some_and(|it| it.lfdi == der.lfdi),
        _ => true,
    };
    match is_there {
        true => Ok(()),
        false => Err(format!("was acknowledged and is gone: {event:?}")),
    }
}
