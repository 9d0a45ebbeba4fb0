//! Every event is answered, once there was time and a way to.

use ieee2030_5::client::Outcome;

use super::Verdict;
use crate::sim::device::Life;

/// Judges a device that could be reached for long enough and has `waiting` responses left.
pub fn nothing_waits(waiting: usize) -> Verdict {
    match waiting {
        0 => Ok(()),
        _ => Err(format!("{waiting} responses wait to be taken")),
    }
}

/// Judges what became of the event `mrid`, whose `responseRequired` asks for all there is.
///
/// What has expired before it was met may have been shown as completed, and is not answered then;
/// what a device has forgotten it can't answer.
pub fn check(mrid: u128, life: &Life) -> Verdict {
    let Some(outcome) = life.over.filter(|_| !life.forgotten) else {
        return Ok(());
    };
    if outcome == Outcome::Expired || life.taken.iter().any(|status| is_last(*status)) {
        return Ok(());
    }
    let taken = &life.taken;
    Err(format!(
        "event {mrid:032X} ended as {outcome:?} and was answered {taken:?} only"
    ))
}

/// Whether a response says that an event is over (IEEE 2030.5-2018, table 27).
fn is_last(status: u8) -> bool {
    !matches!(status, 1 | 2 | 5 | 15)
}
