//! Controls as they are served.

use std::cmp::Ordering;

use fleet::{ActivePower, ControlBase, ControlStatus};
use units::{Percent, Timestamp};

use super::{Control, Fleet, Program};
use crate::codec::simple::{PerCent, SignedPerCent, TimeType};
use crate::wire::der_control::{
    DerControl, DerControlBase, DerUnitRefType, EventState, EventStatus, FixedVar,
};
use crate::wire::quantity;
use crate::wire::time::DateTimeInterval;

/// What is asked, in the words of the wire.
#[must_use]
pub fn base(asked: &ControlBase) -> DerControlBase {
    let mut base = DerControlBase {
        op_mod_connect: asked.connect,
        op_mod_energize: asked.energize,
        op_mod_fixed_var: asked.reactive.map(|reactive| FixedVar {
            ref_type: DerUnitRefType::SET_MAX_VAR,
            value: signed(reactive.percent),
        }),
        ..DerControlBase::default()
    };
    match asked.active {
        None => {}
        Some(ActivePower::FixedW { percent, .. }) => base.op_mod_fixed_w = Some(signed(percent)),
        Some(ActivePower::MaxLimW { percent, .. }) => {
            let hundredths = percent.hundredths().clamp(0, 10_000);
            base.op_mod_max_lim_w = Some(PerCent(u16::try_from(hundredths).unwrap_or(0)));
        }
        Some(ActivePower::TargetW { value, multiplier }) => {
            let multiplier = i8::try_from(multiplier).unwrap_or(i8::MAX);
            base.op_mod_target_w = Some(quantity::ActivePower { multiplier, value });
        }
    }
    base
}

fn signed(percent: Percent) -> SignedPerCent {
    let hundredths = percent.hundredths().clamp(-10_000, 10_000);
    SignedPerCent(i16::try_from(hundredths).unwrap_or(0))
}

/// `control` as of `now`, without its addresses.
#[must_use]
pub fn der_control(fleet: &Fleet, control: &Control, now: Timestamp) -> DerControl {
    DerControl {
        mrid: control.mrid.into(),
        creation_time: control.created.into(),
        event_status: event_status(fleet, control, now),
        interval: DateTimeInterval {
            duration: u32::try_from(control.interval.duration.as_secs()).unwrap_or(u32::MAX),
            start: control.interval.start.into(),
        },
        base: base(&control.base),
        ..DerControl::default()
    }
}

/// Interpretation: a control that a later one will displace is marked as potentially superseded
/// from the start, although the standard reserves the mark for partial overlap; a client that looks
/// at its whole list comes to the same end, and one that does not is warned.
fn event_status(fleet: &Fleet, control: &Control, now: Timestamp) -> EventStatus {
    let displaced = control
        .superseded_at(fleet.controls_of(control.der))
        .is_some();
    let status = if displaced {
        fleet.status(control, now)
    } else {
        control.status([], now)
    };
    let (current_status, since) = match status {
        ControlStatus::Scheduled => (EventState::SCHEDULED, control.created),
        ControlStatus::Active(at) => (EventState::ACTIVE, at),
        ControlStatus::Cancelled(at) => (EventState::CANCELLED, at),
        ControlStatus::Superseded(at) => (EventState::SUPERSEDED, at),
        ControlStatus::Ended(_) => (
            EventState::ACTIVE,
            control.interval.start.max(control.created),
        ),
    };
    EventStatus {
        current_status,
        date_time: TimeType::from(since),
        potentially_superseded: displaced,
        potentially_superseded_time: None,
        reason: None,
    }
}

/// The controls of `program` at its DER that are served at `now`, in list order: those not over,
/// cancelled and superseded ones included (they stay until their end).
#[must_use]
pub fn listed<'a>(
    fleet: &'a Fleet,
    der: super::DerId,
    program: &Program,
    now: Timestamp,
) -> Vec<&'a Control> {
    let mut controls: Vec<&Control> = fleet
        .controls_of(der)
        .filter(|control| control.program == program.id && now < control.interval.end())
        .collect();
    let ordered = controls.is_sorted_by(|a, b| a.list_order(b) != Ordering::Greater);
    if !ordered {
        controls.sort_by(|a, b| a.list_order(b));
    }
    controls
}

/// Whether `control` is in force at `now` as far as its own programme goes.
#[must_use]
pub fn is_active(fleet: &Fleet, control: &Control, now: Timestamp) -> bool {
    control.interval.contains(now) && matches!(fleet.status(control, now), ControlStatus::Active(_))
}

#[cfg(test)]
mod tests {
    use fleet::ReactivePower;
    use units::{Vars, Watts};

    use super::*;

    #[test]
    fn set_points_keep_their_sign_and_their_digits() {
        let of = Watts::whole(5_000);
        let percent = Percent::from_hundredths(-3_333);
        let fixed = ControlBase {
            active: Some(ActivePower::FixedW { percent, of }),
            ..ControlBase::default()
        };
        assert_eq!(base(&fixed).op_mod_fixed_w, Some(SignedPerCent(-3_333)));
        let target = ControlBase {
            active: Some(ActivePower::TargetW {
                value: -32_768,
                multiplier: 3,
            }),
            ..ControlBase::default()
        };
        let wire = base(&target).op_mod_target_w.unwrap();
        assert_eq!((wire.value, wire.multiplier), (-32_768, 3));
        assert_eq!(wire.quantity(), Some(Watts::whole(-32_768_000)));
        let limit = ControlBase {
            active: Some(ActivePower::MaxLimW {
                percent: Percent::from_hundredths(0),
                of,
            }),
            reactive: Some(ReactivePower {
                percent: Percent::from_hundredths(-10_000),
                of: Vars::whole(1),
            }),
            connect: Some(false),
            energize: Some(true),
        };
        let wire = base(&limit);
        assert_eq!(wire.op_mod_max_lim_w, Some(PerCent(0)));
        assert_eq!(
            wire.op_mod_fixed_var,
            Some(FixedVar {
                ref_type: DerUnitRefType::SET_MAX_VAR,
                value: SignedPerCent(-10_000)
            })
        );
        assert_eq!(
            (wire.op_mod_connect, wire.op_mod_energize),
            (Some(false), Some(true))
        );
    }
}
