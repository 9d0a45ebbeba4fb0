//! What has come of notifications and is not durable yet.

use std::collections::BTreeMap;
use std::ops::Bound;

use ieee2030_5::server::subscription::SubscriptionId;

use crate::node::Settlement;

/// The newest settlement of each subscription, made durable in turns: however often some are told,
/// the others have theirs.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    by_id: BTreeMap<SubscriptionId, Settlement>,
    /// The last of the turn before.
    last: Option<SubscriptionId>,
}

impl Unsettled {
    pub(super) fn insert(&mut self, settlement: Settlement) {
        self.by_id.insert(settlement.id, settlement);
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) {
        self.by_id.remove(&id);
    }

    /// The next of them, at most `most`; none if there are none.
    pub(super) fn turn(&self, most: usize) -> Vec<Settlement> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.by_id.range((after, Bound::Unbounded));
        let first = self.last.map(|last| self.by_id.range(..=last));
        let all = rest.chain(first.into_iter().flatten());
        let all = all.map(|(_, settlement)| *settlement);
        all.take(most).collect()
    }

    /// That turn was taken.
    pub(super) fn taken(&mut self, turn: &[Settlement]) {
        for settlement in turn {
            self.by_id.remove(&settlement.id);
        }
        self.last = turn.last().map(|settlement| settlement.id);
    }
}

#[cfg(test)]
mod tests {
    use fleet::{AggregatorId, Client};
    use ieee2030_5::server::notification::Fingerprint;

    use super::*;

    fn settlement(number: u32, told: u64) -> Settlement {
        Settlement {
            id: SubscriptionId {
                client: Client::Aggregator(AggregatorId(0)),
                number,
            },
            revision: Some(1),
            told: Some(Fingerprint(told)),
        }
    }

    fn numbers(turn: &[Settlement]) -> Vec<u32> {
        turn.iter().map(|settlement| settlement.id.number).collect()
    }

    #[test]
    fn whoever_is_told_all_the_time_does_not_keep_the_others_from_their_turn() {
        let mut unsettled = Unsettled::default();
        (1..=5).for_each(|number| unsettled.insert(settlement(number, 0)));
        let mut turns = Vec::new();
        for told in 1..=4 {
            let turn = unsettled.turn(2);
            unsettled.taken(&turn);
            turns.push(numbers(&turn));
            unsettled.insert(settlement(1, told));
            unsettled.insert(settlement(2, told));
        }
        assert_eq!(turns, [[1, 2], [3, 4], [5, 1], [2, 1]]);
    }

    #[test]
    fn the_newest_counts_until_it_is_taken() {
        let mut unsettled = Unsettled::default();
        assert!(unsettled.turn(9).is_empty());
        unsettled.insert(settlement(1, 7));
        unsettled.insert(settlement(2, 7));
        unsettled.insert(settlement(1, 8));
        unsettled.remove(settlement(2, 0).id);
        let turn = unsettled.turn(9);
        assert_eq!(turn, [settlement(1, 8)]);
        assert_eq!(unsettled.turn(9), turn, "it was not taken");
        unsettled.taken(&turn);
        assert!(unsettled.turn(9).is_empty());
    }
}
