//! One cause, one alarm: DER that fall silent together are told as the place that they share.
//!
//! A [`Round`] takes in every DER once, a slice at a time, and then says what is to be raised. A
//! place is a node of the hierarchy or an aggregator. When the first of the DER that have newly
//! fallen silent has been so for its delay, which is as long as it takes its neighbours to fall
//! silent too, the places most of whose DER are silent are looked for, the one with the most silent
//! DER first; of two with the same ones an aggregator goes before a node, for it is the nearer
//! cause, and the lower node before the one above, for it says more. The silent DER of a place that
//! is raised have no alarms of their own; those that are still silent when it has recovered do.

use std::collections::BTreeSet;
use std::time::Duration;

use units::Timestamp;

use super::{AlarmCommand, Delay, Detail, Kind, Raise, Subject};
use crate::dispatch::assess::World;
use crate::{AggregatorId, AlarmId, AssignmentId, Der, DerId, Fleet, Registration};

/// Fewest silent DER that are told as a place.
pub const MIN_SILENT: u32 = 3;
/// Of the DER of a place, the share in percent that is silent when it is raised.
pub const MOST_PCT: u32 = 80;
/// Of the DER of a place, the share in percent below which it has recovered.
pub const FEW_PCT: u32 = 20;
/// Most places raised by one round; when there are more, DER wait for the next one.
pub const MAX_PLACES_OF_ROUND: usize = 4;

/// DER counted at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Count {
    of: u32,
    silent: u32,
    /// Silent for their delay.
    ripe: u32,
    last_heard: Timestamp,
}

impl Count {
    const NONE: Self = Self {
        of: 0,
        silent: 0,
        ripe: 0,
        last_heard: Timestamp::from_secs(0),
    };

    const fn is_most(&self) -> bool {
        MIN_SILENT <= self.silent
            && (self.of as u64) * (MOST_PCT as u64) <= (self.silent as u64) * 100
    }

    const fn is_few(&self) -> bool {
        (self.silent as u64) * 100 < (self.of as u64) * (FEW_PCT as u64)
    }
}

/// A place by its index among all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    Aggregator(AggregatorId),
    Assignment(AssignmentId),
}

impl Place {
    fn subject(self) -> Subject {
        match self {
            Self::Aggregator(id) => Subject::Aggregator(id),
            Self::Assignment(id) => Subject::Assignment(id),
        }
    }
}

/// A DER that no alarm covers and that is silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Newly {
    der: DerId,
    last_heard: Timestamp,
    /// Whether it has been silent for its delay.
    ripe: bool,
}

/// One look at every DER.
#[derive(Clone, Debug, Default)]
pub struct Round {
    nodes: Vec<Count>,
    aggregators: Vec<Count>,
    newly: Vec<Newly>,
}

/// What a round comes to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What is to be told of places, and then of DER.
    pub commands: Vec<AlarmCommand>,
    /// The open alarms of places that have recovered.
    pub recovered: BTreeSet<AlarmId>,
}

impl Round {
    /// Takes in one DER. One that was never heard has not been commissioned, one that is shut out
    /// or removed can't be heard, one in an island is told by its microgrid, and one that a rule covers
    /// is not to be shown: by design none of them is counted.
    pub fn add(&mut self, world: &World<'_>, der: &Der) {
        let Some(last_heard) = last_heard(world, der) else {
            return;
        };
        let book = world.fleet.alarms();
        let own = Subject::Der(der.id);
        if world.fleet.is_moot(Kind::DerSilent, &own) || book.is_raised(Kind::DerSilent, &own) {
            return;
        }
        let silent_after = world.policy.silent_after;
        let silent = silent_after < world.now.since(last_heard);
        let places = places(world.fleet, der);
        let open = |place: &Place| book.is_raised(Kind::PlaceSilent, &place.subject());
        let covered = silent && places.iter().any(open);
        if book.suppressions().next().is_some()
            && book
                .suppressed_by(world.fleet, Kind::DerSilent, &own)
                .is_some()
        {
            return;
        }
        let since = last_heard.after(silent_after);
        let ripe = silent && since.after(delay(world, der)) <= world.now;
        for place in places.iter().filter(|place| !covered || open(place)) {
            let count = self.count_mut(*place);
            count.of += 1;
            count.silent += u32::from(silent);
            count.ripe += u32::from(ripe);
            if silent {
                count.last_heard = count.last_heard.max(last_heard);
            }
        }
        if silent && !covered {
            self.newly.push(Newly {
                der: der.id,
                last_heard,
                ripe,
            });
        }
    }

    /// What is to be raised, told and returned, once every DER was taken in.
    #[must_use]
    pub fn conclude(mut self, fleet: &Fleet) -> Found {
        let mut found = self.known(fleet);
        let mut places = 0;
        while self.newly.iter().any(|newly| newly.ripe) {
            let Some(place) = self.most_silent(fleet) else {
                let ripe = self.newly.iter().filter(|newly| newly.ripe);
                found.commands.extend(ripe.map(raise));
                return found;
            };
            if places == MAX_PLACES_OF_ROUND {
                return found;
            }
            places += 1;
            found.commands.push(self.take(fleet, place));
        }
        found
    }

    /// What has become of the places that are told already.
    fn known(&self, fleet: &Fleet) -> Found {
        let mut found = Found::default();
        for alarm in fleet.alarms().raised(Kind::PlaceSilent) {
            let count = match alarm.subject {
                Subject::Aggregator(id) => self.count(Place::Aggregator(id)),
                Subject::Assignment(id) => self.count(Place::Assignment(id)),
                _ => Count::NONE,
            };
            if count.silent == 0 || count.is_few() {
                found.recovered.insert(alarm.id);
            }
            let Detail::Members {
                count: told,
                last_heard,
                ..
            } = alarm.detail
            else {
                continue;
            };
            // A tenth more or less is worth an entry in the journal.
            if (count.of / 10).max(1) <= told.abs_diff(count.silent) && 0 < count.silent {
                let detail = Detail::Members {
                    count: count.silent,
                    of: count.of,
                    last_heard: last_heard.max(count.last_heard),
                };
                found
                    .commands
                    .push(AlarmCommand::Describe(alarm.id, detail));
            }
        }
        found
    }

    /// The place to tell next: most of its DER are silent, one of them for its delay.
    fn most_silent(&self, fleet: &Fleet) -> Option<Place> {
        let nodes = (0..self.nodes.len()).map(|index| Place::Assignment(AssignmentId::from(index)));
        let aggregators = 0..self.aggregators.len();
        let aggregators = aggregators.map(|index| Place::Aggregator(AggregatorId::from(index)));
        let book = fleet.alarms();
        let may = |place: &Place| {
            let subject = place.subject();
            let count = self.count(*place);
            count.is_most()
                && 0 < count.ripe
                && !book.is_raised(Kind::PlaceSilent, &subject)
                && book
                    .suppressed_by(fleet, Kind::PlaceSilent, &subject)
                    .is_none()
        };
        // How far down a node is; an aggregator is below every node.
        let depth = |place: &Place| match place {
            Place::Aggregator(_) => (1, None),
            Place::Assignment(id) => (0, fleet.assignment(*id).map(|node| node.level)),
        };
        let rank = |place: &Place| {
            let count = self.count(*place);
            let reachable = count.of - count.silent;
            (count.silent, std::cmp::Reverse(reachable), depth(place))
        };
        nodes.chain(aggregators).filter(may).max_by_key(rank)
    }

    /// Raises `place` and takes its silent DER out of what is left.
    fn take(&mut self, fleet: &Fleet, place: Place) -> AlarmCommand {
        let count = self.count(place);
        let below = below(fleet, place);
        let is_there = |newly: &Newly| {
            let der = fleet.der(newly.der);
            der.is_some_and(|der| match place {
                Place::Aggregator(id) => der.manager == Some(id),
                Place::Assignment(_) => {
                    let mut leaves = der.assignments.iter();
                    leaves.any(|leaf| below.get(leaf.index()).copied().unwrap_or(false))
                }
            })
        };
        let gone: Vec<Newly> = self.newly.extract_if(.., |newly| is_there(newly)).collect();
        for newly in &gone {
            let Some(der) = fleet.der(newly.der) else {
                continue;
            };
            for each in places(fleet, der) {
                let count = self.count_mut(each);
                count.of -= 1;
                count.silent -= 1;
                count.ripe -= u32::from(newly.ripe);
            }
        }
        AlarmCommand::Raise(Raise {
            kind: Kind::PlaceSilent,
            subject: place.subject(),
            detail: Detail::Members {
                count: count.silent,
                of: count.of,
                last_heard: count.last_heard,
            },
        })
    }

    fn count(&self, place: Place) -> Count {
        let count = match place {
            Place::Aggregator(id) => self.aggregators.get(id.index()),
            Place::Assignment(id) => self.nodes.get(id.index()),
        };
        count.copied().unwrap_or(Count::NONE)
    }

    fn count_mut(&mut self, place: Place) -> &mut Count {
        let (counts, index) = match place {
            Place::Aggregator(id) => (&mut self.aggregators, id.index()),
            Place::Assignment(id) => (&mut self.nodes, id.index()),
        };
        if counts.len() <= index {
            counts.resize(index + 1, Count::NONE);
        }
        &mut counts[index]
    }
}

fn raise(newly: &Newly) -> AlarmCommand {
    AlarmCommand::Raise(Raise {
        kind: Kind::DerSilent,
        subject: Subject::Der(newly.der),
        detail: Detail::LastHeard(newly.last_heard),
    })
}

/// When a DER was last heard that ought to be heard.
fn last_heard(world: &World<'_>, der: &Der) -> Option<Timestamp> {
    let registered = matches!(der.registration, Registration::Registered(_));
    let expected = registered && der.removed.is_none() && world.fleet.is_let_in(der);
    world.observation(der.id).last_contact.filter(|_| expected)
}

/// Whether `der` ought to be heard and is not.
#[must_use]
pub fn is_silent(world: &World<'_>, der: &Der) -> bool {
    let last = last_heard(world, der);
    last.is_some_and(|last| world.policy.silent_after < world.now.since(last))
}

fn delay(world: &World<'_>, der: &Der) -> Duration {
    match Kind::DerSilent.rationale().on_delay {
        Delay::For(delay) => delay,
        Delay::PollAnd(more) => world.latency(der) + more,
    }
}

/// Of each node of the hierarchy, whether it is `place` or below it. A node comes after the one above
/// it.
fn below(fleet: &Fleet, place: Place) -> Vec<bool> {
    let mut below: Vec<bool> = Vec::with_capacity(fleet.assignments().len());
    for node in fleet.assignments() {
        let above = node.parent.and_then(|id| below.get(id.index()));
        let is_below = above.copied().unwrap_or(false);
        below.push(is_below || place == Place::Assignment(node.id));
    }
    below
}

fn places(fleet: &Fleet, der: &Der) -> Vec<Place> {
    let nodes = fleet.assignments_of(der.id);
    let nodes = nodes.iter().map(|node| Place::Assignment(node.id));
    nodes.chain(der.manager.map(Place::Aggregator)).collect()
}
