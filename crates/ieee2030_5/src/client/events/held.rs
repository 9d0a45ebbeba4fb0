//! One event as one device holds it.

use std::sync::Arc;

use units::Timestamp;

use super::rules::{Cut, Winner};
use super::{Outcome, Phase, Traits};
use crate::client::event::Announced;
use crate::client::setpoint::Modes;

/// An event as it goes at this device.
#[derive(Clone, Debug)]
pub(super) struct Held<P> {
    pub(super) event: Arc<Announced<P>>,
    /// With randomisation applied.
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) phase: Phase,
    /// When a cancellation with randomisation takes effect.
    pub(super) cancel_at: Option<Timestamp>,
    asks: Modes,
    /// The modes that nothing better has taken.
    pub(super) left: Modes,
    pub(super) cuts: Vec<Cut>,
    pub(super) part: Part,
    pub(super) was_out: bool,
    pub(super) has_taken_part: bool,
}

/// What part the device takes in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    In,
    /// The owner has the device out of it.
    Out,
    /// It was over before the device came to it.
    Missed,
}

/// What has to outlive a restart of one event at one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Remembered {
    pub(in crate::client) phase: Phase,
    pub(in crate::client) end: Timestamp,
    pub(in crate::client) cancel_at: Option<Timestamp>,
    pub(in crate::client) left: Modes,
    pub(in crate::client) is_out: bool,
    pub(in crate::client) was_out: bool,
    pub(in crate::client) has_taken_part: bool,
}

impl Remembered {
    /// The owner's part and the device's own as bits.
    pub(in crate::client) fn flags(&self) -> u8 {
        u8::from(self.is_out) | u8::from(self.was_out) << 1 | u8::from(self.has_taken_part) << 2
    }

    pub(in crate::client) fn with_flags(flags: u8) -> Self {
        Self {
            phase: Phase::Scheduled,
            end: Timestamp::default(),
            cancel_at: None,
            left: Modes::default(),
            is_out: flags & 1 != 0,
            was_out: flags & 2 != 0,
            has_taken_part: flags & 4 != 0,
        }
    }
}

impl<P> Held<P> {
    pub(super) fn new(event: Arc<Announced<P>>, traits: &Traits) -> Self {
        let (start, end) = event.effective(traits.seed);
        let asks = event.modes.common(traits.supported);
        Self {
            event,
            start,
            end,
            phase: Phase::Scheduled,
            cancel_at: None,
            asks,
            left: asks,
            cuts: Vec::new(),
            part: Part::In,
            was_out: false,
            has_taken_part: false,
        }
    }

    pub(super) fn recalled(event: Arc<Announced<P>>, traits: &Traits, it: Remembered) -> Self {
        let new = Self::new(event, traits);
        let lost = new.asks.without(it.left);
        let cut = Cut {
            at: new.start,
            modes: lost,
            winner: Winner::SameProgram,
        };
        Self {
            phase: it.phase,
            end: it.end,
            cancel_at: it.cancel_at,
            left: it.left.common(new.asks),
            cuts: if lost.is_empty() {
                Vec::new()
            } else {
                vec![cut]
            },
            part: if it.is_out { Part::Out } else { Part::In },
            was_out: it.was_out,
            has_taken_part: it.has_taken_part,
            ..new
        }
    }

    pub(super) fn remembered(&self) -> Remembered {
        Remembered {
            phase: self.phase,
            end: self.end,
            cancel_at: self.cancel_at,
            left: self.left,
            is_out: self.part == Part::Out,
            was_out: self.was_out,
            has_taken_part: self.has_taken_part,
        }
    }

    pub(super) fn mrid(&self) -> u128 {
        self.event.mrid.value()
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// What is seen of it from outside.
    pub(super) fn shown(&self) -> Phase {
        if self.part == Part::Out && !self.is_over() {
            Phase::Over(Outcome::OptedOut)
        } else {
            self.phase
        }
    }

    /// The modes that it asks for and the device can follow.
    pub(super) fn modes(&self) -> Modes {
        self.asks
    }

    /// Whether it can take anything from another event.
    pub(super) fn displaces(&self) -> bool {
        self.start < self.end && !self.asks.is_empty()
    }

    /// It is of no concern to this device from the start.
    pub(super) fn dismiss(&mut self, outcome: Outcome) {
        self.phase = Phase::Over(outcome);
        // What has expired took its modes from others while it ran; what was refused never did.
        if outcome != Outcome::Expired {
            self.end = self.start;
        }
    }

    pub(super) fn next_change(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Over(_) => None,
            Phase::Scheduled => Some(self.start),
            Phase::Active => {
                let coming = self.cuts.iter();
                let coming = coming.filter(|cut| !cut.modes.common(self.left).is_empty());
                let coming = coming.map(|cut| cut.at);
                coming.chain([self.end]).chain(self.cancel_at).min()
            }
        }
    }
}
