//! The state diagram of an alarm (ANSI/ISA-18.2-2016, clause 5, states A to I).
//!
//! Interpretation: no alarm here is latched (states E and F), for each condition can be seen to be
//! over. An alarm whose shelving, suppression or absence from service ends is unacknowledged again
//! if its condition is there, and normal if it is not.

/// Whether what the alarm is about is the case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Condition {
    /// It is not.
    Normal,
    /// It is.
    Abnormal,
}

/// Where an alarm stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// State A: nothing is to be done.
    Normal,
    /// State B: its condition is there and nobody has seen it.
    Unacknowledged,
    /// State C: its condition is there and somebody has seen it.
    Acknowledged,
    /// State D: its condition went away before anybody had seen it.
    ReturnedUnacknowledged,
    /// State G: put aside by an operator for a time.
    Shelved,
    /// State H: not shown, by design.
    Suppressed,
    /// State I: not shown, being out of service.
    OutOfService,
}

/// What happens to an alarm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Signal {
    /// Its condition occurs.
    Occurs,
    /// Its condition goes away.
    Returns,
    /// An operator has seen it.
    Acknowledge,
    /// An operator puts it aside.
    Shelve,
    /// The operator, or the time, ends that.
    Unshelve,
    /// A rule keeps it from being shown.
    Suppress,
    /// It is taken out of service.
    TakeOutOfService,
    /// Suppression ends, or it is back in service.
    Release,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Normal,
        Self::Unacknowledged,
        Self::Acknowledged,
        Self::ReturnedUnacknowledged,
        Self::Shelved,
        Self::Suppressed,
        Self::OutOfService,
    ];

    /// Whether it is shown to operators as one to deal with.
    #[must_use]
    pub const fn is_annunciated(self) -> bool {
        matches!(
            self,
            Self::Unacknowledged | Self::Acknowledged | Self::ReturnedUnacknowledged
        )
    }

    /// Where `signal` takes it, with `condition` as it is then; `None` where the diagram has no
    /// such way out of the state.
    #[must_use]
    pub const fn next(self, signal: Signal, condition: Condition) -> Option<Self> {
        use Signal as S;
        let shown = match condition {
            Condition::Normal => Self::Normal,
            Condition::Abnormal => Self::Unacknowledged,
        };
        match (self, signal) {
            (Self::Normal | Self::ReturnedUnacknowledged, S::Occurs) => Some(Self::Unacknowledged),
            (Self::Unacknowledged, S::Returns) => Some(Self::ReturnedUnacknowledged),
            (Self::Acknowledged, S::Returns) | (Self::ReturnedUnacknowledged, S::Acknowledge) => {
                Some(Self::Normal)
            }
            (Self::Unacknowledged, S::Acknowledge) => Some(Self::Acknowledged),
            (Self::Shelved | Self::Suppressed | Self::OutOfService, S::Occurs | S::Returns) => {
                Some(self)
            }
            (
                Self::Normal
                | Self::Unacknowledged
                | Self::Acknowledged
                | Self::ReturnedUnacknowledged,
                S::Shelve,
            ) => Some(Self::Shelved),
            (Self::Shelved, S::Unshelve) | (Self::Suppressed | Self::OutOfService, S::Release) => {
                Some(shown)
            }
            (
                Self::Normal
                | Self::Unacknowledged
                | Self::Acknowledged
                | Self::ReturnedUnacknowledged
                | Self::Shelved
                | Self::OutOfService,
                S::Suppress,
            ) => Some(Self::Suppressed),
            (
                Self::Normal
                | Self::Unacknowledged
                | Self::Acknowledged
                | Self::ReturnedUnacknowledged
                | Self::Shelved
                | Self::Suppressed,
                S::TakeOutOfService,
            ) => Some(Self::OutOfService),
            _ => None,
        }
    }
}
