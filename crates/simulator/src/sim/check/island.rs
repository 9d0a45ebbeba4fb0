//! A microgrid that is off the grid is asked for nothing on behalf of the grid.

use fleet::dispatch::Plan;
use fleet::microgrid::{Coupling, State};
use fleet::{Control, DerId, Fleet, Origin, Setting};
use units::Timestamp;

use super::Verdict;

/// Judges the own `control` of a member that is so coupled to the grid.
///
/// What asks for power is withdrawn as soon as the switch may be open, what limits it once it is open
/// for sure. What keeps a DER off stays, and so do required settings.
pub fn control(control: &Control, coupling: Coupling, now: Timestamp) -> Verdict {
    let sets_power = |setting: &Setting| {
        matches!(
            setting,
            Setting::FixedW(_) | Setting::TargetW(_) | Setting::StorageTargetW(_)
        )
    };
    let is_for_grid = match (coupling, control.origin) {
        (Coupling::Connected, _) | (_, Origin::Settings) => false,
        (Coupling::Uncertain, Origin::Envelope) => false,
        (Coupling::Uncertain, Origin::Operator) => control.base.settings().iter().any(sets_power),
        (Coupling::Separated, Origin::Operator | Origin::Envelope)
        | (_, Origin::Dispatch { .. }) => true,
    };
    let is_open = control.cancelled.is_none() && now < control.latest_end();
    match is_for_grid && is_open && !control.base.keeps_off() {
        false => Ok(()),
        true => Err(format!(
            "control {} stands at a member that is {coupling:?}",
            control.id.0
        )),
    }
}

/// Judges every control of the members of microgrids that are off the grid.
pub fn controls(fleet: &Fleet, now: Timestamp) -> Verdict {
    for (microgrid, operation) in fleet.microgrids().microgrids() {
        let coupling = operation.state().coupling();
        if coupling == Coupling::Connected {
            continue;
        }
        let members = microgrid.members.iter().map(|member| member.der);
        for der in members {
            for own in fleet.own_controls_of(der) {
                control(own, coupling, now).map_err(|found| format!("d{}: {found}", der.0))?;
            }
        }
    }
    Ok(())
}

/// Judges a plan: who was known to be off the grid before it was made has no share.
pub fn plan(plan: &Plan, fleet: &Fleet) -> Verdict {
    for allocation in &plan.allocations {
        let Some((_, operation)) = fleet.microgrids().of(allocation.der) else {
            continue;
        };
        let current = operation.current();
        if current.to != State::GridConnected && current.reported < plan.made {
            let (der, state) = (allocation.der.0, current.to.name());
            return Err(format!("d{der} has a share, and its microgrid is {state}"));
        }
    }
    Ok(())
}

/// Judges a member that acts on `followed`, of a programme for many, and knows what was published up to
/// `known`: in an island it is shown no such programme.
pub fn follows(der: DerId, followed: &Control, fleet: &Fleet, known: Timestamp) -> Verdict {
    let Some((_, operation)) = fleet.microgrids().of(der) else {
        return Ok(());
    };
    let current = operation.current();
    let is_separated = current.to.coupling() == Coupling::Separated && current.reported <= known;
    match is_separated && followed.der.is_none() {
        false => Ok(()),
        true => Err(format!(
            "follows control {} for many, and its microgrid is {}",
            followed.id.0,
            current.to.name()
        )),
    }
}
