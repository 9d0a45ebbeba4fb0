//! No control is followed after its end, nor after its withdrawal has become known.

use std::time::Duration;

use fleet::Control;
use units::Timestamp;

use super::Verdict;
use crate::sim::horizon::Horizon;

/// What a device may be off in taking the server's time: `Time` has whole seconds, and an answer is
/// some time on its way.
pub const SLACK: Duration = Duration::from_secs(5);
/// How far off it may be while its clock has been set and it could not ask for the time.
pub const ASTRAY: Duration = Duration::from_secs(3_600);

/// How well a device knows the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knows {
    /// As well as the protocol allows.
    Time,
    /// Its clock has been set since it last asked.
    Nothing,
}

/// Judges a device that acts on the event `mrid` at `now`; `control` is what is durable of it.
pub fn check(
    (mrid, control): (u128, Option<&Control>),
    (horizon, knows): (&Horizon, Knows),
    now: Timestamp,
) -> Verdict {
    let Some(control) = control else {
        return Err(format!("follows {mrid:032X}, which is not durable"));
    };
    let astray = match knows {
        Knows::Time => Duration::ZERO,
        Knows::Nothing => ASTRAY,
    };
    let end = control.latest_end().after(SLACK + astray);
    if end < now {
        let late_s = now.since(control.latest_end()).as_secs();
        return Err(format!(
            "follows control {} {late_s} s after its end",
            control.id.0
        ));
    }
    let Some(cancelled) = control.cancelled else {
        return Ok(());
    };
    let terms = control.terms();
    let random_s =
        terms.randomize_start_s.unsigned_abs() + terms.randomize_duration_s.unsigned_abs();
    let over = cancelled.after(Duration::from_secs(random_s.into()) + astray);
    if horizon.knows(over, now) {
        let since_s = now.since(cancelled).as_secs();
        return Err(format!(
            "follows control {} {since_s} s after its withdrawal, of which it knows",
            control.id.0
        ));
    }
    Ok(())
}
