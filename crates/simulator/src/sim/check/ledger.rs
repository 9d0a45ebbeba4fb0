//! The ledger and the devices tell the same story.

use fleet::delivery::state_of_response;
use fleet::{Delivery, DeliveryState, Evidence};

use super::Verdict;
use crate::sim::device::Life;

/// What a device was told that the server has taken, the ledger has: `row` is of the same event and
/// device.
pub fn acknowledged(life: &Life, row: Option<&Delivery>) -> Verdict {
    for status in &life.taken {
        let Some(state) = state_of_response(*status) else {
            continue;
        };
        let Some(row) = row else {
            return Err(format!("response {status} was taken, and there is no row"));
        };
        let confirmed = row.confirmed();
        let has = |state| row.entries.iter().any(|entry| entry.state == state);
        if !confirmed.is_final() && confirmed < state && !has(state) {
            return Err(format!(
                "response {status} was taken, and the row is at {confirmed:?}"
            ));
        }
    }
    Ok(())
}

/// What the ledger says that a device did, it did. `life` is what became of the event there, none if
/// it never met it.
///
/// The device may have sent a response without knowing that it arrived: the answer is lost, the device
/// restarts as it was before, and says something else of the event or nothing.
pub fn happened(row: &Delivery, life: Option<&Life>) -> Verdict {
    let control = row.control.0;
    let Some(life) = life else {
        let told = row
            .entries
            .iter()
            .find(|entry| matches!(entry.evidence, Evidence::Response(_)));
        return match told {
            Some(entry) => Err(format!(
                "control {control} is {:?}, and the device never met it",
                entry.state
            )),
            None => Ok(()),
        };
    };
    for entry in &row.entries {
        let Evidence::Response(status) = entry.evidence else {
            continue;
        };
        if !life.sent.contains(&status) {
            return Err(format!(
                "control {control} has response {status}, which nobody sent"
            ));
        }
        let is_true = match entry.state {
            DeliveryState::Started | DeliveryState::Completed => {
                life.active.is_some() || life.over.is_some()
            }
            DeliveryState::Overridden | DeliveryState::Rejected => {
                life.over.is_some() || life.was_out
            }
            _ => true,
        };
        if !is_true {
            let state = entry.state;
            return Err(format!(
                "control {control} is {state:?}, and at the device {life:?}"
            ));
        }
    }
    Ok(())
}
