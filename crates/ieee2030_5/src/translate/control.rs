//! Controls as they are served.

use std::cmp::Ordering;
use std::time::Duration;

use fleet::{
    ControlBase, ControlStatus, CurveId, CurveType, EnterService, FreqDroop, PowerFactor, Scaled,
    Setting,
};
use units::{Percent, Timestamp};

use super::{Control, Fleet};
use crate::codec::simple::{HexBinary8, HexBinary32, PerCent, SignedPerCent, Text, TimeType};
use crate::codec::table::Edition;
use crate::wire::control_mode::Mode;
use crate::wire::der_control::{
    DefaultDerControl, DerControl, DerControlBase, DerUnitRefType, EventState, EventStatus,
    FixedVar, FreqDroopType,
};
use crate::wire::link::Link;
use crate::wire::quantity;
use crate::wire::time::DateTimeInterval;

/// What is asked, in the words of the wire. `curve` gives the address of a curve.
#[must_use]
pub fn base(asked: &ControlBase, curve: impl Fn(CurveId) -> Link) -> DerControlBase {
    let mut base = DerControlBase::default();
    for setting in asked.settings() {
        match *setting {
            Setting::Connect(on) => base.op_mod_connect = Some(on),
            Setting::Energize(on) => base.op_mod_energize = Some(on),
            Setting::FixedPfAbsorbW(pf) => {
                base.op_mod_fixed_pf_absorb_w = Some(Mode::of(power_factor(pf)));
            }
            Setting::FixedPfInjectW(pf) => {
                base.op_mod_fixed_pf_inject_w = Some(Mode::of(power_factor(pf)));
            }
            Setting::FixedVar(fixed) => {
                base.op_mod_fixed_var = Some(Mode::of(FixedVar {
                    ref_type: DerUnitRefType(fixed.reference as u8),
                    value: signed(fixed.percent),
                }));
            }
            Setting::FixedW(share) => base.op_mod_fixed_w = Some(Mode::of(signed(share.percent))),
            Setting::MaxLimW(share) => {
                let hundredths = share.percent.hundredths().clamp(0, 10_000);
                let limit = PerCent(u16::try_from(hundredths).unwrap_or(0));
                base.op_mod_max_lim_w = Some(Mode::of(limit));
            }
            Setting::FreqDroop(droop) => {
                base.op_mod_freq_droop = Some(Mode::of(freq_droop(droop)));
            }
            Setting::Curve(kind, id) => *curve_slot(&mut base, kind) = Some(Mode::of(curve(id))),
            Setting::TargetVar(v) => {
                base.op_mod_target_var = Some(Mode::of(quantity::ReactivePower {
                    multiplier: v.multiplier,
                    value: v.value,
                }));
            }
            Setting::TargetW(v) => base.op_mod_target_w = Some(Mode::of(watts(v))),
            Setting::ImpLimW(v) => base.op_mod_imp_lim_w = Some(watts(v)),
            Setting::ExpLimW(v) => base.op_mod_exp_lim_w = Some(watts(v)),
            Setting::GenLimW(v) => base.op_mod_gen_lim_w = Some(watts(v)),
            Setting::LoadLimW(v) => base.op_mod_load_lim_w = Some(watts(v)),
            Setting::StorageTargetW(v) => base.op_mod_storage_target_w = Some(watts(v)),
            Setting::RampTms(tms) => base.ramp_tms = Some(tms),
        }
    }
    base
}

const fn watts(v: Scaled) -> quantity::ActivePower {
    quantity::ActivePower {
        multiplier: v.multiplier,
        value: v.value,
    }
}

/// `excitation` is true when vars are absorbed (under-excited).
const fn power_factor(pf: PowerFactor) -> quantity::PowerFactorWithExcitation {
    quantity::PowerFactorWithExcitation {
        displacement: pf.displacement,
        excitation: !pf.injects_vars,
        multiplier: pf.multiplier,
    }
}

fn freq_droop(droop: FreqDroop) -> FreqDroopType {
    FreqDroopType {
        dbof: droop.db_of_mhz,
        dbuf: droop.db_uf_mhz,
        kof: droop.k_of,
        kuf: droop.k_uf,
        open_loop_tms: droop.open_loop_tms,
        ..FreqDroopType::default()
    }
}

fn curve_slot(base: &mut DerControlBase, kind: CurveType) -> &mut Option<Mode<Link>> {
    match kind {
        CurveType::FreqWatt => &mut base.op_mod_freq_watt,
        CurveType::HfrtMayTrip => &mut base.op_mod_hfrt_may_trip,
        CurveType::HfrtMustTrip => &mut base.op_mod_hfrt_must_trip,
        CurveType::HvrtMayTrip => &mut base.op_mod_hvrt_may_trip,
        CurveType::HvrtMomentaryCessation => &mut base.op_mod_hvrt_momentary_cessation,
        CurveType::HvrtMustTrip => &mut base.op_mod_hvrt_must_trip,
        CurveType::LfrtMayTrip => &mut base.op_mod_lfrt_may_trip,
        CurveType::LfrtMustTrip => &mut base.op_mod_lfrt_must_trip,
        CurveType::LvrtMayTrip => &mut base.op_mod_lvrt_may_trip,
        CurveType::LvrtMomentaryCessation => &mut base.op_mod_lvrt_momentary_cessation,
        CurveType::LvrtMustTrip => &mut base.op_mod_lvrt_must_trip,
        CurveType::VoltVar => &mut base.op_mod_volt_var,
        CurveType::VoltWatt => &mut base.op_mod_volt_watt,
        CurveType::WattPf => &mut base.op_mod_watt_pf,
        CurveType::WattVar => &mut base.op_mod_watt_var,
    }
}

fn signed(percent: Percent) -> SignedPerCent {
    let hundredths = percent.hundredths().clamp(-10_000, 10_000);
    SignedPerCent(i16::try_from(hundredths).unwrap_or(0))
}

/// How long a control that is over is still served as completed, which only the edition of 2023 has
/// a word for.
pub const COMPLETED_FOR: Duration = Duration::from_secs(3_600);

/// How long any other control is served beyond its end.
///
/// Clients set their clocks by
/// `Time.currentTime`, which is in whole seconds, and so are late; one that finds a control gone
/// before its own clock says that it is over takes it for cancelled (IEEE 2030.5-2023, 10.2.2.3,
/// rule p).
pub const LINGERS: Duration = Duration::from_secs(5);

/// `control` as of `now`, without its own addresses, in the words of `edition`.
///
/// `curve` gives the address of a curve.
#[must_use]
pub fn der_control(
    fleet: &Fleet,
    control: &Control,
    (edition, now): (Edition, Timestamp),
    curve: impl Fn(CurveId) -> Link,
) -> DerControl {
    let terms = control.terms();
    let randomised = |seconds: i16| Some(seconds).filter(|s| *s != 0);
    DerControl {
        mrid: control.mrid.into(),
        description: terms.description.map(|text| Text::clipped(text.as_str())),
        version: Some(u16::from(control.cancelled.is_some())),
        creation_time: control.created.into(),
        event_status: event_status(fleet, control, (edition, now)),
        interval: DateTimeInterval {
            duration: u32::try_from(control.interval.duration.as_secs()).unwrap_or(u32::MAX),
            start: control.interval.start.into(),
        },
        randomize_duration: randomised(terms.randomize_duration_s),
        randomize_start: randomised(terms.randomize_start_s),
        response_required: terms.response_required.map(HexBinary8::new),
        base: base(&control.base, curve),
        device_category: terms.device_category.map(HexBinary32::new),
        ..DerControl::default()
    }
}

/// Interpretation: a control that a later one will displace is marked as potentially superseded
/// from the start, although the standard reserves the mark for partial overlap; a client that looks
/// at its whole list comes to the same end, and one that does not is warned.
///
/// Interpretation: the cancellation of a randomised control is itself to be randomised, so that a
/// cancelled control does not bring the step that its randomisation was to avoid.
///
/// The edition of 2023 has no superseded state: controls keep theirs, marked, until they are over.
fn event_status(
    fleet: &Fleet,
    control: &Control,
    (edition, now): (Edition, Timestamp),
) -> EventStatus {
    let losses = fleet.supersession(control);
    let marked = losses.iter().map(|loss| loss.to.created).min();
    let status = match (marked, edition) {
        (Some(_), Edition::Y2018) => fleet.status(control, now),
        _ => control.status([], now),
    };
    let terms = control.terms.as_deref();
    let randomised = terms.is_some_and(|t| t.randomize_start_s != 0 || t.randomize_duration_s != 0);
    let begun = control.earliest_start().max(control.created);
    let (current_status, since) = match status {
        ControlStatus::Scheduled => (EventState::SCHEDULED, control.created),
        ControlStatus::Active(at) => (EventState::ACTIVE, at),
        ControlStatus::Cancelled(at) if randomised => {
            (EventState::CANCELLED_WITH_RANDOMIZATION, at)
        }
        ControlStatus::Cancelled(at) => (EventState::CANCELLED, at),
        ControlStatus::Superseded(at) => (EventState::SUPERSEDED, at),
        ControlStatus::Ended(_) if edition == Edition::Y2023 && control.latest_end() <= now => {
            (EventState::COMPLETED, control.latest_end())
        }
        ControlStatus::Ended(_) => (EventState::ACTIVE, begun),
    };
    EventStatus {
        current_status,
        date_time: TimeType::from(since),
        potentially_superseded: marked.is_some(),
        potentially_superseded_time: marked.map(TimeType::from),
        reason: None,
    }
}

/// Whether `control` is served at `now`: until it is over at every device, whatever its status, and
/// for a while longer where it can be said to be completed.
#[must_use]
pub fn is_listed(control: &Control, edition: Edition, now: Timestamp) -> bool {
    now < listed_until(control, edition)
}

/// When `control` is no longer served.
#[must_use]
pub fn listed_until(control: &Control, edition: Edition) -> Timestamp {
    let end = control.latest_end();
    match (edition, control.cancelled) {
        (Edition::Y2023, None) => end.after(COMPLETED_FOR),
        _ => end.after(LINGERS),
    }
}

/// In the order of a `DERControlList`, which most are in already.
#[must_use]
pub fn in_list_order(mut controls: Vec<&Control>) -> Vec<&Control> {
    let ordered = controls.is_sorted_by(|a, b| a.list_order(b) != Ordering::Greater);
    if !ordered {
        controls.sort_by(|a, b| a.list_order(b));
    }
    controls
}

/// Whether `control` is in force at `now` as far as its own programme goes.
#[must_use]
pub fn is_active(fleet: &Fleet, control: &Control, now: Timestamp) -> bool {
    let may_run = control.earliest_start() <= now && now < control.latest_end();
    may_run && matches!(fleet.status(control, now), ControlStatus::Active(_))
}

/// When to enter service, as a default control says it.
#[must_use]
pub fn enter_service(asked: &EnterService) -> DefaultDerControl {
    DefaultDerControl {
        set_es_delay: asked.delay_cs,
        set_es_high_freq: asked.high_freq_chz,
        set_es_high_volt: asked.high_volt_cpct,
        set_es_low_freq: asked.low_freq_chz,
        set_es_low_volt: asked.low_volt_cpct,
        set_es_ramp_tms: asked.ramp_tms_cs,
        set_es_random_delay: asked.random_delay_cs,
        ..DefaultDerControl::default()
    }
}

#[cfg(test)]
mod tests {
    use fleet::{ActivePower, Share, VarReference};
    use units::Watts;

    use super::*;

    fn wire(asked: &ControlBase) -> DerControlBase {
        base(asked, |_| Link::default())
    }

    #[test]
    fn set_points_keep_their_sign_and_their_digits() {
        let of = Watts::whole(5_000);
        let percent = Percent::from_hundredths(-3_333);
        let fixed = wire(&ControlBase::asking(ActivePower::FixedW { percent, of }));
        assert_eq!(fixed.op_mod_fixed_w, Some(Mode::of(SignedPerCent(-3_333))));
        let target = wire(&ControlBase::asking(ActivePower::TargetW {
            value: -32_768,
            multiplier: 3,
        }));
        let target = target.op_mod_target_w.unwrap().value;
        assert_eq!((target.value, target.multiplier), (-32_768, 3));
        assert_eq!(target.quantity(), Some(Watts::whole(-32_768_000)));
    }

    #[test]
    fn every_setting_has_its_element() {
        let share = Share {
            percent: Percent::from_hundredths(0),
            of: None,
        };
        let fixed = fleet::FixedVar {
            reference: VarReference::SetMaxVar,
            percent: Percent::from_hundredths(-10_000),
            of: None,
        };
        let all = wire(&ControlBase::of([
            Setting::MaxLimW(share),
            Setting::FixedVar(fixed),
            Setting::Connect(false),
            Setting::Energize(true),
            Setting::RampTms(200),
        ]));
        assert_eq!(all.op_mod_max_lim_w, Some(Mode::of(PerCent(0))));
        let var = FixedVar {
            ref_type: DerUnitRefType::SET_MAX_VAR,
            value: SignedPerCent(-10_000),
        };
        assert_eq!(all.op_mod_fixed_var, Some(Mode::of(var)));
        assert_eq!(
            (all.op_mod_connect, all.op_mod_energize, all.ramp_tms),
            (Some(false), Some(true), Some(200))
        );
    }
}
