//! An event of any function set, reduced to what the event rules need.

use std::sync::Arc;

use units::Timestamp;

use super::random;
use super::setpoint::{Modes, Requests};
use crate::codec::simple::HexBinary128;
use crate::wire::demand_response::EndDeviceControl;
use crate::wire::der_control::{DerControl, EventState, EventStatus};
use crate::wire::pricing::TimeTariffInterval;
use crate::wire::response::{ResponseStatus, response_required};

/// Largest `randomizeStart` and `randomizeDuration` (`OneHourRangeType`), in seconds.
pub(super) const RANDOMIZE_MAX_S: i16 = 3600;

/// What an event is, once and for every device that it concerns. It never changes but for its
/// status.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Announced<P> {
    pub(super) mrid: HexBinary128,
    /// The mRID of its programme.
    pub(super) program: u128,
    pub(super) created_s: i64,
    pub(super) start_s: i64,
    pub(super) duration_s: u32,
    pub(super) randomize_start_s: i16,
    pub(super) randomize_duration_s: i16,
    pub(super) reply_to: Option<Arc<str>>,
    pub(super) response_required: u8,
    /// The categories of devices that it is for; all when absent.
    pub(super) device_category: Option<u32>,
    pub(super) modes: Modes,
    pub(super) payload: P,
}

/// An event as a list on the server shows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed<P> {
    pub(super) event: Arc<Announced<P>>,
    pub(super) state: EventState,
    pub(super) state_since: Timestamp,
    pub(super) referred: Referred,
}

/// How it stands with what an event refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Referred {
    Good,
    /// It has not been read yet.
    Awaited,
    /// It does not exist or is not what it should be.
    Wrong,
}

/// Whether a list shows every event that there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    #[default]
    Part,
}

impl<P> Announced<P> {
    /// The interval without randomisation.
    pub(super) fn scheduled(&self) -> (Timestamp, Timestamp) {
        let end_s = self.start_s.saturating_add(self.duration_s.into());
        (
            Timestamp::from_secs(self.start_s),
            Timestamp::from_secs(end_s),
        )
    }

    /// The interval as the device with this seed keeps it, the same at every call.
    pub(super) fn effective(&self, seed: u64) -> (Timestamp, Timestamp) {
        let mrid = self.mrid.value();
        let shift_s = random::within(seed, mrid, self.randomize_start_s);
        let stretch_s = random::within(seed ^ 1, mrid, self.randomize_duration_s);
        let start_s = self.start_s.saturating_add(shift_s);
        let duration_s = i64::from(self.duration_s).saturating_add(stretch_s).max(0);
        (
            Timestamp::from_secs(start_s),
            Timestamp::from_secs(start_s.saturating_add(duration_s)),
        )
    }

    /// For how many seconds the end of a cancelled event is put off at this device: within the
    /// larger of the two ranges, as `EventStatus` has it.
    pub(super) fn cancellation_delay_s(&self, seed: u64) -> u64 {
        let start = self.randomize_start_s.saturating_abs();
        let range_s = start.max(self.randomize_duration_s.saturating_abs());
        random::within(seed ^ 2, self.mrid.value(), range_s).unsigned_abs()
    }

    /// Whether the server wants to be told this.
    pub(super) fn wants(&self, status: ResponseStatus) -> bool {
        let bits = match status {
            ResponseStatus::RECEIVED => response_required::RECEIVED,
            ResponseStatus::OPT_OUT
            | ResponseStatus::OPT_IN
            | ResponseStatus::PARTIAL_OPT_OUT
            | ResponseStatus::PARTIAL_OPT_IN
            | ResponseStatus::COMPLETED_NO_PARTICIPATION
            | ResponseStatus::ACKNOWLEDGED => response_required::SPECIFIC | response_required::USER,
            _ => response_required::SPECIFIC,
        };
        self.response_required & bits != 0
    }
}

/// An event of `program`, with what resources of every function set say in the same words, and what
/// is its own.
macro_rules! announced {
    ($event:ident of $program:ident, { $($own:tt)* }) => {
        Announced {
            mrid: $event.mrid,
            program: $program,
            created_s: $event.creation_time.0,
            start_s: $event.interval.start.0,
            duration_s: $event.interval.duration,
            randomize_start_s: clamped($event.randomize_start),
            randomize_duration_s: clamped($event.randomize_duration),
            reply_to: $event.reply_to.as_ref().map(|uri| uri.as_str().into()),
            response_required: $event.response_required.map_or(0, |bits| bits.value()),
            $($own)*
        }
    };
}

impl Announced<Requests> {
    /// What a `DERControl` of `program` is.
    pub(super) fn der_control(program: u128, control: &DerControl) -> Self {
        let payload = Requests::of(&control.base);
        announced!(control of program, {
            device_category: control.device_category.map(|bits| bits.value()),
            modes: payload.modes(),
            payload,
        })
    }
}

impl Announced<Arc<EndDeviceControl>> {
    /// What an `EndDeviceControl` of `program` is. It has one mode: what it asks of a load.
    pub(super) fn end_device_control(program: u128, control: EndDeviceControl) -> Self {
        announced!(control of program, {
            device_category: Some(control.device_category.value()),
            modes: Modes::ONLY,
            payload: Arc::new(control),
        })
    }
}

impl Announced<Arc<TimeTariffInterval>> {
    /// What a `TimeTariffInterval` of a rate component is.
    pub(super) fn time_tariff_interval(component: u128, interval: TimeTariffInterval) -> Self {
        announced!(interval of component, {
            device_category: None,
            modes: Modes::ONLY,
            payload: Arc::new(interval),
        })
    }
}

impl<P> Listed<P> {
    pub(super) fn new(event: Announced<P>, status: &EventStatus) -> Self {
        Self {
            event: Arc::new(event),
            state: status.current_status,
            state_since: status.date_time.timestamp(),
            referred: Referred::Good,
        }
    }
}

pub(super) fn clamped(seconds: Option<i16>) -> i16 {
    let seconds = seconds.unwrap_or(0);
    seconds.clamp(-RANDOMIZE_MAX_S, RANDOMIZE_MAX_S)
}
