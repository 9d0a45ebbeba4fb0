//! Folding what was decided about strategies.

use units::Timestamp;

use super::{Mark, Occurrence, Outcome, Progress, Standing, Strategy, StrategyBook, StrategyEvent};
use crate::StrategyId;

impl StrategyBook {
    pub(crate) fn apply(&mut self, event: &StrategyEvent) {
        match event {
            StrategyEvent::Put(strategy) => self.apply_put(strategy),
            StrategyEvent::Stood(id, standing, mark) => self.apply_stood(*id, *standing, mark),
            StrategyEvent::Occurred(id, occurrence) => self.apply_occurred(*id, occurrence),
            StrategyEvent::Rearmed(id, _) => {
                if let Some((_, progress)) = self.strategies.get_mut(id) {
                    progress.armed = true;
                }
            }
        }
    }

    /// What begins before a change is not due by it; what has been decided stays so.
    fn apply_put(&mut self, strategy: &Strategy) {
        let id = strategy.id;
        self.count = self.count.max(id.0 + 1);
        self.by_mrid.insert(strategy.mrid.clone(), id);
        let known = self.strategies.remove(&id);
        let occurrences = known.map_or_else(Vec::new, |(_, progress)| progress.occurrences);
        let progress = Progress {
            settled: strategy.changed.at,
            armed: true,
            occurrences,
        };
        self.strategies.insert(id, (strategy.clone(), progress));
    }

    fn apply_stood(&mut self, id: StrategyId, standing: Standing, mark: &Mark) {
        let Some((strategy, progress)) = self.strategies.get_mut(&id) else {
            return;
        };
        strategy.standing = standing;
        strategy.changed = mark.clone();
        progress.resume(mark.at);
        if Self::MAX_RETIRED < self.retired().count() {
            self.let_go_of_the_first_retired();
        }
    }

    fn let_go_of_the_first_retired(&mut self) {
        let Some(first) = self.retired().next() else {
            return;
        };
        if let Some((strategy, _)) = self.strategies.remove(&first) {
            self.by_mrid.remove(&strategy.mrid);
            self.by_dispatch.retain(|_, maker| *maker != first);
        }
    }

    fn apply_occurred(&mut self, id: StrategyId, occurrence: &Occurrence) {
        let Some((_, progress)) = self.strategies.get_mut(&id) else {
            return;
        };
        if let Outcome::Created(dispatch) = occurrence.outcome {
            progress.armed = false;
            self.by_dispatch.insert(dispatch, id);
        }
        progress.settled = progress.settled.max(occurrence.start);
        if Self::MAX_OCCURRENCES <= progress.occurrences.len() {
            progress.occurrences.remove(0);
        }
        progress.occurrences.push(occurrence.clone());
    }
}

impl Progress {
    /// What was to begin while a strategy was paused is not due.
    fn resume(&mut self, at: Timestamp) {
        self.settled = self.settled.max(at);
    }
}
