//! What one subscriber still has to be told, in which order, and when it is tried again.
//!
//! A queue holds numbers of subscriptions, not notifications: what is sent is looked up when its
//! turn comes, so that many changes of one resource become one notification of the newest state,
//! and a queue never holds more than the subscriber has subscriptions. A subscription is never in
//! flight twice, which keeps its notifications in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ieee2030_5::server::notification::Fingerprint;

use crate::clock::Monotonic;

/// Pause after a first failure; it doubles with every further one.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between attempts, so that a subscriber that is back is told within a minute.
pub const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause that a subscriber's `Retry-After` is honoured for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(900);
/// Attempts that are made before anything is given up, however long they took.
pub const MIN_ATTEMPTS: u32 = 5;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The subscriber knows this state now.
    Acknowledged(Known),
    /// There was nothing to tell.
    Nothing,
    /// This subscription's address did not take it.
    Failed(Option<Duration>),
    /// Nothing at this host takes anything.
    Unreachable(Option<Duration>),
    /// The subscription is over.
    Over,
}

/// What a subscriber was told last, of which revision of its subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) revision: u32,
    pub(super) fingerprint: Fingerprint,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Ready,
    Waiting(Monotonic),
    InFlight,
    /// Changed again while in flight.
    Outdated,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    state: State,
    failures: Failures,
    known: Option<Known>,
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    since: Option<Monotonic>,
}

impl Failures {
    /// The pause after one more.
    fn pause(&mut self, retry_after: Option<Duration>, now: Monotonic, spread: f64) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.count.min(16));
        self.count = self.count.saturating_add(1);
        self.since.get_or_insert(now);
        let pause = doubled.min(MAX_PAUSE).mul_f64(0.5 + spread / 2.0);
        pause.max(retry_after.unwrap_or_default().min(MAX_RETRY_AFTER))
    }

    fn are_hopeless(&self, give_up_after: Duration, now: Monotonic) -> bool {
        let lasted = |since: Monotonic| now.saturating_duration_since(since);
        MIN_ATTEMPTS <= self.count
            && self
                .since
                .is_some_and(|since| give_up_after <= lasted(since))
    }
}

/// The queue of one subscriber.
#[derive(Debug)]
pub(super) struct Queue {
    give_up_after: Duration,
    entries: BTreeMap<u32, Entry>,
    ready: VecDeque<u32>,
    waiting: BTreeSet<(Monotonic, u32)>,
    in_flight: usize,
    host: Failures,
    closed_until: Option<Monotonic>,
}

impl Queue {
    pub(super) fn new(give_up_after: Duration) -> Self {
        Self {
            give_up_after,
            entries: BTreeMap::new(),
            ready: VecDeque::new(),
            waiting: BTreeSet::new(),
            in_flight: 0,
            host: Failures::default(),
            closed_until: None,
        }
    }

    /// The resource of subscription `number` may have changed.
    pub(super) fn touch(&mut self, number: u32) {
        let entry = self.entries.entry(number).or_default();
        match entry.state {
            State::Idle => {
                entry.state = State::Ready;
                self.ready.push_back(number);
            }
            State::InFlight => entry.state = State::Outdated,
            State::Ready | State::Waiting(_) | State::Outdated => {}
        }
    }

    /// What the subscriber was told last.
    pub(super) fn known(&self, number: u32) -> Option<Known> {
        self.entries.get(&number)?.known
    }

    /// Failures in a row, of the subscription's address or its host.
    pub(super) fn failures(&self, number: u32) -> u32 {
        let own = self
            .entries
            .get(&number)
            .map_or(0, |entry| entry.failures.count);
        own.max(self.host.count)
    }

    /// The next subscription to attend to; it is in flight from now on. A host that failed is
    /// tried with one at a time.
    pub(super) fn take(&mut self, now: Monotonic) -> Option<u32> {
        if self.closed_until.is_some_and(|until| now < until)
            || (0 < self.host.count && 0 < self.in_flight)
        {
            return None;
        }
        while let Some((until, number)) = self.waiting.first().copied()
            && until <= now
        {
            self.waiting.pop_first();
            self.ready.push_back(number);
            if let Some(entry) = self.entries.get_mut(&number) {
                entry.state = State::Ready;
            }
        }
        let number = self.ready.pop_front()?;
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.state = State::InFlight;
        }
        self.in_flight += 1;
        Some(number)
    }

    /// An attempt has ended. Returns the subscriptions that are given up.
    ///
    /// `spread`, from 0 to 1, keeps many subscribers from coming back at one instant.
    pub(super) fn finish(
        &mut self,
        number: u32,
        outcome: Outcome,
        (now, spread): (Monotonic, f64),
    ) -> Vec<u32> {
        let Some(entry) = self.entries.get_mut(&number) else {
            return Vec::new();
        };
        if !matches!(entry.state, State::InFlight | State::Outdated) {
            return Vec::new();
        }
        self.in_flight -= 1;
        let changed_again = entry.state == State::Outdated;
        entry.state = State::Idle;
        match outcome {
            Outcome::Acknowledged(_) | Outcome::Nothing => {
                entry.failures = Failures::default();
                if let Outcome::Acknowledged(known) = outcome {
                    entry.known = Some(known);
                    self.reopen();
                }
                if changed_again {
                    self.touch(number);
                }
            }
            Outcome::Over => drop(self.entries.remove(&number)),
            Outcome::Failed(retry_after) => {
                let until = now + entry.failures.pause(retry_after, now, spread);
                if entry.failures.are_hopeless(self.give_up_after, now) {
                    self.entries.remove(&number);
                    return vec![number];
                }
                entry.state = State::Waiting(until);
                self.waiting.insert((until, number));
                self.reopen();
            }
            Outcome::Unreachable(retry_after) => {
                self.closed_until = Some(now + self.host.pause(retry_after, now, spread));
                self.touch(number);
                if self.host.are_hopeless(self.give_up_after, now) {
                    return self.give_up();
                }
            }
        }
        Vec::new()
    }

    fn reopen(&mut self) {
        self.host = Failures::default();
        self.closed_until = None;
    }

    /// Everything that waits for this host.
    fn give_up(&mut self) -> Vec<u32> {
        let mut given_up: Vec<u32> = self.ready.drain(..).collect();
        given_up.extend(
            std::mem::take(&mut self.waiting)
                .into_iter()
                .map(|(_, n)| n),
        );
        for number in &given_up {
            self.entries.remove(number);
        }
        self.reopen();
        given_up
    }

    /// When to call [`Queue::take`] again if nothing else happens before.
    ///
    /// While nothing can be taken, because all of `lanes` are in use or a host that failed is being
    /// tried, only the end of an attempt changes that.
    pub(super) fn wake_at(&self, lanes: usize) -> Option<Monotonic> {
        let is_tried = 0 < self.host.count && 0 < self.in_flight;
        if is_tried || lanes <= self.in_flight {
            return None;
        }
        let ready = (!self.ready.is_empty())
            .then_some(self.closed_until)
            .flatten();
        let waiting = self.waiting.first().map(|(until, _)| {
            self.closed_until
                .map_or(*until, |closed| closed.max(*until))
        });
        [ready, waiting].into_iter().flatten().min()
    }

    /// Subscriptions that have something to tell, or may have.
    pub(super) fn pending(&self) -> usize {
        self.ready.len() + self.waiting.len() + self.in_flight
    }
}

#[cfg(test)]
mod tests;
