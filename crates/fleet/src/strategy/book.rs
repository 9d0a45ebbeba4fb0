//! Every strategy, and how far each has come.

use std::collections::BTreeMap;

use units::Timestamp;

use super::{Occurrence, Outcome, Standing, Strategy};
use crate::{CimMrid, DispatchId, Fleet, StrategyId};

/// How far a strategy has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Nothing is due any more of what was to begin up to then.
    pub settled: Timestamp,
    /// Whether what is measured has been below its level since the last dispatch.
    pub armed: bool,
    /// What came of its occurrences, oldest first, at most [`StrategyBook::MAX_OCCURRENCES`].
    pub occurrences: Vec<Occurrence>,
}

/// Everything that is known of strategies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StrategyBook {
    pub(super) strategies: BTreeMap<StrategyId, (Strategy, Progress)>,
    pub(super) by_mrid: BTreeMap<CimMrid, StrategyId>,
    pub(super) by_dispatch: BTreeMap<DispatchId, StrategyId>,
    /// Strategies created so far.
    pub(super) count: u32,
}

impl StrategyBook {
    /// Most strategies that are not retired.
    pub const MAX_STRATEGIES: usize = 1_000;
    /// Most retired strategies that are kept; of more, those that were created first are let go.
    pub const MAX_RETIRED: usize = 1_000;
    /// Most occurrences of one strategy that are kept; the journal has those before.
    pub const MAX_OCCURRENCES: usize = 256;

    /// Every strategy that is kept, in order of creation.
    pub fn strategies(&self) -> impl DoubleEndedIterator<Item = (&Strategy, &Progress)> {
        self.strategies
            .values()
            .map(|(it, progress)| (it, progress))
    }

    /// One strategy.
    #[must_use]
    pub fn strategy(&self, id: StrategyId) -> Option<(&Strategy, &Progress)> {
        let found = self.strategies.get(&id);
        found.map(|(it, progress)| (it, progress))
    }

    /// The strategy with this mRID.
    #[must_use]
    pub fn by_mrid(&self, mrid: &CimMrid) -> Option<(&Strategy, &Progress)> {
        self.by_mrid.get(mrid).and_then(|id| self.strategy(*id))
    }

    /// The strategy that made `dispatch`.
    #[must_use]
    pub fn maker_of(&self, dispatch: DispatchId) -> Option<&Strategy> {
        let id = self.by_dispatch.get(&dispatch)?;
        self.strategy(*id).map(|(it, _)| it)
    }

    pub(super) fn retired(&self) -> impl Iterator<Item = StrategyId> {
        let retired = self.strategies().map(|(it, _)| it);
        retired
            .filter(|it| it.standing == Standing::Retired)
            .map(|it| it.id)
    }
}

impl Progress {
    /// The last dispatch that it made.
    #[must_use]
    pub fn last_dispatch(&self) -> Option<DispatchId> {
        let mut newest = self.occurrences.iter().rev();
        newest.find_map(|occurrence| match occurrence.outcome {
            Outcome::Created(dispatch) => Some(dispatch),
            Outcome::Refused(_) | Outcome::Missed(_) => None,
        })
    }

    /// Its last occurrence, if that came to nothing.
    #[must_use]
    pub fn failure(&self) -> Option<&Occurrence> {
        let last = self.occurrences.last();
        last.filter(|last| !matches!(last.outcome, Outcome::Created(_)))
    }
}

impl Strategy {
    /// Whether it is decided what comes of the occurrence that begins then: a dispatch was made, or
    /// none could be by the strategy as it is.
    #[must_use]
    pub fn has_decided(&self, progress: &Progress, start: Timestamp) -> bool {
        let mut of_start = progress.occurrences.iter().rev();
        of_start.any(|it| {
            let made = matches!(it.outcome, Outcome::Created(_));
            it.start == start && (made || self.changed.at <= it.decided)
        })
    }

    /// Its last occurrence, if that came to nothing and nobody has changed the strategy since.
    #[must_use]
    pub fn failure<'a>(&self, progress: &'a Progress) -> Option<&'a Occurrence> {
        let failure = progress.failure();
        failure.filter(|it| self.standing == Standing::Running && self.changed.at <= it.decided)
    }
}

impl Fleet {
    /// Every strategy.
    #[must_use]
    pub const fn strategies(&self) -> &StrategyBook {
        &self.strategies
    }
}
