//! A control: what a DER, or every DER of a programme, is asked to do in one interval.

mod base;
pub mod explanation;
pub mod precedence;

use std::cmp::Ordering;

use units::{Interval, Timestamp};

pub use base::{
    ActivePower, ControlBase, FixedVar, FreqDroop, PowerFactor, Scaled, Setting, Share,
    VarReference,
};

use precedence::{Loss, Ranked};

use crate::{ControlId, DerId, DispatchId, Mrid, Name, ProgramId};

/// Where a control comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A share of a dispatch.
    Dispatch {
        /// Which dispatch.
        dispatch: DispatchId,
        /// Generation of the plan that asked for it.
        generation: u32,
        /// Which interval of the schedule.
        interval: u32,
    },
    /// An operator, directly.
    Operator,
    /// An operating envelope.
    Envelope,
    /// A settings profile being rolled out.
    Settings,
}

/// How devices are to take a control.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Terms {
    /// Devices move the start by a random time between zero and this, in seconds, -3600 to 3600.
    pub randomize_start_s: i16,
    /// Devices lengthen the duration by a random time between zero and this, in seconds.
    pub randomize_duration_s: i16,
    /// Responses asked for (`responseRequired`); `None` for what the server asks in general.
    pub response_required: Option<u8>,
    /// Device categories addressed (`DeviceCategoryType`); `None` for all.
    pub device_category: Option<u32>,
    /// What an operator calls it.
    pub description: Option<Name>,
}

/// What is asked in one interval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// Dense index.
    pub id: ControlId,
    /// IEEE 2030.5 identity.
    pub mrid: Mrid,
    /// Who is asked; `None` for every DER that the programme addresses.
    pub der: Option<DerId>,
    /// Under which programme.
    pub program: ProgramId,
    /// Where it comes from.
    pub origin: Origin,
    /// When it holds; whole seconds, as the wire has them.
    pub interval: Interval,
    /// When it was made; decides between controls of one primacy.
    pub created: Timestamp,
    /// What is asked.
    pub base: ControlBase,
    /// How devices are to take it; none for the usual way.
    pub terms: Option<Box<Terms>>,
    /// When it was withdrawn, if it was.
    pub cancelled: Option<Timestamp>,
}

/// Life cycle of a control (IEEE 2030.5-2018 `EventStatus.currentStatus`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlStatus {
    /// Its start lies ahead.
    Scheduled,
    /// In force, since then.
    Active(Timestamp),
    /// Withdrawn then.
    Cancelled(Timestamp),
    /// Displaced then by a later control of the same programme.
    Superseded(Timestamp),
    /// Over since then.
    Ended(Timestamp),
}

impl Control {
    /// When it begins to count among others: at its start, or when it was made if that is later.
    #[must_use]
    pub fn begins(&self) -> Timestamp {
        self.interval.start.max(self.created)
    }

    /// Device categories addressed, all bits for all.
    #[must_use]
    pub fn device_category(&self) -> u32 {
        let terms = self.terms.as_ref();
        terms.and_then(|t| t.device_category).unwrap_or(u32::MAX)
    }

    /// How devices are to take it.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms.as_deref().cloned().unwrap_or_default()
    }

    /// The earliest instant at which a device may begin (IEEE 2030.5-2018, 10.2.3.3).
    #[must_use]
    pub fn earliest_start(&self) -> Timestamp {
        let before_s = self
            .terms
            .as_ref()
            .map_or(0, |terms| i64::from(terms.randomize_start_s.min(0)));
        Timestamp::from_millis(self.interval.start.millis() + before_s * 1_000)
    }

    /// The latest instant at which a device may end.
    #[must_use]
    pub fn latest_end(&self) -> Timestamp {
        let after_s = self.terms.as_ref().map_or(0, |terms| {
            i64::from(terms.randomize_start_s.max(0)) + i64::from(terms.randomize_duration_s.max(0))
        });
        Timestamp::from_millis(self.interval.end().millis() + after_s * 1_000)
    }

    /// What later controls among `siblings`, those of its programme, take from it.
    #[must_use]
    pub fn losses<'a>(&'a self, siblings: impl IntoIterator<Item = &'a Self>) -> Vec<Loss<'a>> {
        let siblings: Vec<Ranked<'_>> = siblings.into_iter().map(|c| (c, 0)).collect();
        precedence::losses(&siblings, (self, 0))
    }

    /// When `siblings`, the controls of its programme, leave it nothing of what it asks; a superseded
    /// control never resumes (IEEE 2030.5-2018, 10.2.3.3). One that they keep from ever beginning is
    /// superseded as soon as the other is made.
    #[must_use]
    pub fn superseded_at<'a>(
        &'a self,
        siblings: impl IntoIterator<Item = &'a Self>,
    ) -> Option<Timestamp> {
        let losses = self.losses(siblings);
        if losses.len() < self.base.classes().count() {
            return None;
        }
        let since = |loss: &Loss<'_>| match loss.at == self.begins() {
            true => loss.to.created.max(self.created),
            false => loss.at,
        };
        losses.iter().map(since).max()
    }

    /// Its status at `now` among the controls of the same DER.
    #[must_use]
    pub fn status<'a>(
        &'a self,
        siblings: impl IntoIterator<Item = &'a Self>,
        now: Timestamp,
    ) -> ControlStatus {
        if let Some(at) = self.cancelled {
            return ControlStatus::Cancelled(at);
        }
        match self.superseded_at(siblings) {
            Some(at) if at <= now => return ControlStatus::Superseded(at),
            _ => {}
        }
        if now < self.earliest_start() {
            ControlStatus::Scheduled
        } else if now < self.interval.end() {
            ControlStatus::Active(self.earliest_start().max(self.created))
        } else {
            ControlStatus::Ended(self.interval.end())
        }
    }

    /// Order of an IEEE 2030.5 `DERControlList`: start ascending, then creation time descending,
    /// then mRID descending.
    #[must_use]
    pub fn list_order(&self, other: &Self) -> Ordering {
        self.interval
            .start
            .cmp(&other.interval.start)
            .then(other.created.cmp(&self.created))
            .then(other.mrid.cmp(&self.mrid))
    }
}
