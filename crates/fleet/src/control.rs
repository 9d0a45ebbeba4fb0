//! A control: what one DER is asked to do in one interval.

use std::cmp::Ordering;

use units::{Interval, Percent, Timestamp, Vars, Watts};

use crate::{ControlId, DerId, DispatchId, Mrid, ProgramId};

/// An active-power request exactly as the wire can hold it, so that a plan that adds up still
/// adds up after encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActivePower {
    /// `opModFixedW`: a signed share of `of`, which is the maximum injection for a positive and
    /// the maximum absorption for a negative share.
    FixedW {
        /// Signed share, -100 % to 100 %.
        percent: Percent,
        /// What the share is of, as a magnitude, when the control was made.
        of: Watts,
    },
    /// `opModTargetW`: `value` × 10^`multiplier` watts.
    TargetW {
        /// Significand.
        value: i16,
        /// Power of ten, 0 to 9.
        multiplier: u8,
    },
    /// `opModMaxLimW`: inject no more than this share of `of`.
    MaxLimW {
        /// Share, 0 to 100 %.
        percent: Percent,
        /// What the share is of, when the control was made.
        of: Watts,
    },
}

impl ActivePower {
    /// In watts, injection positive.
    #[must_use]
    pub fn p(self) -> Watts {
        match self {
            Self::FixedW { percent, of } | Self::MaxLimW { percent, of } => percent.of(of),
            Self::TargetW { value, multiplier } => {
                let scale = 10_i64.saturating_pow(u32::from(multiplier));
                Watts::whole(i64::from(value).saturating_mul(scale))
            }
        }
    }
}

/// A reactive-power request (`opModFixedVar`), as a share of the maximum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReactivePower {
    /// Signed share, injection positive.
    pub percent: Percent,
    /// What the share is of, as a magnitude.
    pub of: Vars,
}

/// What is asked, field by field; an absent field is not touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ControlBase {
    /// Active power.
    pub active: Option<ActivePower>,
    /// Reactive power.
    pub reactive: Option<ReactivePower>,
    /// Connect (`true`) or disconnect.
    pub connect: Option<bool>,
    /// Energise (`true`) or de-energise.
    pub energize: Option<bool>,
}

impl ControlBase {
    /// Whether both say something of the same field. Only then does one of them have to yield.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        (self.active.is_some() && other.active.is_some())
            || (self.reactive.is_some() && other.reactive.is_some())
            || (self.connect.is_some() && other.connect.is_some())
            || (self.energize.is_some() && other.energize.is_some())
    }
}

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
}

/// What one DER is asked to do in one interval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// Dense index.
    pub id: ControlId,
    /// IEEE 2030.5 identity.
    pub mrid: Mrid,
    /// Who is asked.
    pub der: DerId,
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
    /// Whether this control displaces `other` of the same programme where the two overlap: the
    /// later one does, the higher mRID among equals. The order in which they arrived is of no
    /// account.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        self.program == other.program
            && self.der == other.der
            && self.cancelled.is_none_or(|at| self.begins_over(other) < at)
            && self.interval.overlaps(other.interval)
            && self.base.conflicts(&other.base)
            && (self.created, self.mrid) > (other.created, other.mrid)
    }

    /// When this control takes over from `other`. Withdrawn before then it never did; withdrawn
    /// later it has ended the other for good.
    fn begins_over(&self, other: &Self) -> Timestamp {
        self.interval
            .start
            .max(other.interval.start)
            .max(self.created)
    }

    /// When the first of `siblings` displaces this control; a superseded control never resumes
    /// (IEEE 2030.5-2018, 10.2.3.3).
    #[must_use]
    pub fn superseded_at<'a>(
        &self,
        siblings: impl IntoIterator<Item = &'a Self>,
    ) -> Option<Timestamp> {
        siblings
            .into_iter()
            .filter(|sibling| sibling.supersedes(self))
            .map(|sibling| sibling.interval.start.max(self.interval.start))
            .min()
    }

    /// Its status at `now` among the controls of the same DER.
    #[must_use]
    pub fn status<'a>(
        &self,
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
        if now < self.interval.start {
            ControlStatus::Scheduled
        } else if now < self.interval.end() {
            ControlStatus::Active(self.interval.start.max(self.created))
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

/// The control in force for active power among `candidates` (control, primacy) at `now`: lowest
/// primacy value first, then the later creation, then the higher mRID.
#[must_use]
pub fn in_force<'a>(candidates: &[(&'a Control, u8)], now: Timestamp) -> Option<&'a Control> {
    candidates
        .iter()
        .filter(|(control, _)| {
            let siblings = candidates.iter().map(|(sibling, _)| *sibling);
            control.base.active.is_some()
                && control.interval.contains(now)
                && matches!(control.status(siblings, now), ControlStatus::Active(_))
        })
        .min_by(|(a, a_primacy), (b, b_primacy)| {
            a_primacy
                .cmp(b_primacy)
                .then(b.created.cmp(&a.created))
                .then(b.mrid.cmp(&a.mrid))
        })
        .map(|(control, _)| *control)
}
