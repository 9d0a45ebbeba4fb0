//! Alarms in the control loop: conditions are looked for, and raised and returned after their
//! delays.
//!
//! What can be seen in the state at once is looked at in every tick; what takes a look at every
//! DER, or at every DER under a shared limit, is looked at a slice in each tick. How long a
//! condition has been there is not kept over a restart: delays begin anew, but for silence, which
//! is told from when a DER was last heard.

mod condition;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet::alarm::silence::Round;
use fleet::alarm::{AlarmBook, Delay, Detail, Kind, Raise, Subject};
use fleet::{AlarmCommand, AlarmId, Command, DerId, DispatchId};
use store::{Actor, Batch};
use units::Timestamp;

use super::{Inputs, State};
use condition::LimitPass;

/// DER that one tick looks at; the next tick goes on with the next ones.
pub(super) const MAX_DERS_OF_TICK: usize = 20_000;
/// DER under shared limits that one tick looks at.
pub(super) const MAX_TERMS_OF_TICK: usize = 20_000;
/// Alarms that one tick raises, describes or returns; the others wait for the next.
pub(super) const MAX_CHANGES_OF_TICK: usize = 1_000;

/// What the server knows of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Vitals {
    /// By how much the clock stands before the latest instant of a decision.
    pub clock_behind: Duration,
    /// Readings refused or lost since the start.
    pub readings_refused: u64,
}

/// Where looking for conditions has got to.
#[derive(Clone, Debug, Default)]
pub(super) struct AlarmPass {
    next: usize,
    round: Round,
    limits: LimitPass,
    vitals: Vitals,
    /// Readings refused by the last tick, `None` before the first.
    refused_before: Option<u64>,
    /// Conditions that are there and not raised yet.
    there: BTreeMap<(Kind, Subject), Span>,
    /// Since when the conditions of raised alarms are gone.
    gone: BTreeMap<AlarmId, Timestamp>,
    /// Alarms that this tick could not raise.
    refused: usize,
    /// Dispatches for which this tick has found no plan.
    pub(super) impossible: BTreeSet<DispatchId>,
}

/// How long a condition has been there.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: Timestamp,
    last_seen: Timestamp,
}

/// What was seen of a condition: what is known of it if it is there.
type Seen = (Kind, Subject, Option<Detail>);

/// What a tick may still change.
struct Room(usize);

impl State {
    /// What the next ticks know of the server itself.
    pub fn note_vitals(&mut self, vitals: Vitals) {
        self.alarm_pass.vitals = vitals;
    }

    /// Looks for conditions, and raises, describes and returns alarms.
    pub(super) fn attend_alarms(&mut self, inputs: &Inputs<'_>, changes: &mut Batch) {
        let mut room = Room(MAX_CHANGES_OF_TICK);
        self.end_what_is_due(inputs, changes);
        let mut seen = self.conditions(inputs);
        seen.extend(self.look_at_ders(inputs));
        seen.extend(self.look_at_limits(inputs));
        for one in seen {
            self.saw(one, inputs, (changes, &mut room));
        }
        if self.fleet.ders().len() <= self.alarm_pass.next {
            self.conclude_round(inputs, (changes, &mut room));
        }
        let book = self.fleet.alarms();
        self.alarm_pass.gone.retain(|id, _| {
            let alarm = book.alarm(*id);
            alarm.is_some_and(|alarm| book.is_raised(alarm.kind, &alarm.subject))
        });
        self.alarm_pass.impossible.clear();
        let refused = std::mem::take(&mut self.alarm_pass.refused);
        if 0 < refused {
            tracing::warn!(refused, "alarms that were not raised for lack of room");
        }
        self.forget_what_is_over(inputs);
    }

    /// Forgets conditions that nobody will say to be gone, since what they are about is over.
    fn forget_what_is_over(&mut self, inputs: &Inputs<'_>) {
        let fleet = &self.fleet;
        self.alarm_pass.there.retain(|(kind, subject), span| {
            let is_of_this_tick = span.last_seen == inputs.now;
            match (kind, subject) {
                (Kind::DerClockAhead, Subject::Der(der)) => {
                    fleet.der(*der).is_some_and(|der| der.removed.is_none())
                }
                (Kind::LimitExceeded | Kind::LimitAtRisk, Subject::Limit(name)) => {
                    inputs.limits.iter().any(|limit| limit.name == *name)
                }
                _ => is_of_this_tick,
            }
        });
    }

    /// Ends the shelving and the rules whose time is up.
    fn end_what_is_due(&mut self, inputs: &Inputs<'_>, changes: &mut Batch) {
        let book = self.fleet.alarms();
        let is_due = |until: Timestamp| until <= inputs.now;
        let shelved = book.alarms().filter_map(|alarm| {
            let shelf = alarm.shelf.as_ref()?;
            is_due(shelf.until).then_some(AlarmCommand::Unshelve(alarm.id, None))
        });
        let rules = book.suppressions().filter_map(|rule| {
            let due = rule.until.is_some_and(is_due);
            due.then_some(AlarmCommand::Release(rule.id, None))
        });
        let commands: Vec<AlarmCommand> = shelved.chain(rules).collect();
        for command in commands {
            self.change_alarm(command, inputs, changes);
        }
    }

    /// Takes in the next slice of DER. One whose clock is ahead is told at once.
    fn look_at_ders(&mut self, inputs: &Inputs<'_>) -> Vec<Seen> {
        let total = self.fleet.ders().len();
        let from = self.alarm_pass.next.min(total);
        let to = total.min(from + MAX_DERS_OF_TICK);
        let mut round = std::mem::take(&mut self.alarm_pass.round);
        let world = self.world(inputs);
        let is_clean = self.alarm_pass.there.is_empty();
        let mut seen = Vec::new();
        for der in (from..to).filter_map(|index| self.fleet.der(DerId::from(index))) {
            round.add(&world, der);
            let ahead = condition::clock_ahead(&world, der);
            if ahead.is_some() || !is_clean {
                seen.push((Kind::DerClockAhead, Subject::Der(der.id), ahead));
            }
        }
        self.alarm_pass.round = round;
        self.alarm_pass.next = to;
        seen
    }

    /// Says what the round over all DER has found, and begins the next one.
    fn conclude_round(&mut self, inputs: &Inputs<'_>, (changes, room): (&mut Batch, &mut Room)) {
        let round = std::mem::take(&mut self.alarm_pass.round);
        self.alarm_pass.next = 0;
        let found = round.conclude(&self.fleet);
        for command in found.commands {
            if !room.take() {
                return;
            }
            self.change_alarm(command, inputs, changes);
        }
        let places: Vec<AlarmId> = self
            .fleet
            .alarms()
            .raised(Kind::PlaceSilent)
            .map(|alarm| alarm.id)
            .collect();
        for id in places {
            if found.recovered.contains(&id) {
                self.saw_gone(id, Kind::PlaceSilent, inputs, (changes, &mut *room));
            } else {
                self.alarm_pass.gone.remove(&id);
            }
        }
    }

    /// Takes in whether a condition is there; raises or returns its alarm when it has been for long
    /// enough.
    fn saw(
        &mut self,
        (kind, subject, detail): Seen,
        inputs: &Inputs<'_>,
        (changes, room): (&mut Batch, &mut Room),
    ) {
        let book = self.fleet.alarms();
        let raised = book
            .find(kind, &subject)
            .filter(|_| book.is_raised(kind, &subject))
            .map(|alarm| alarm.id);
        match (raised, detail) {
            (Some(id), Some(_)) => {
                self.alarm_pass.gone.remove(&id);
            }
            (Some(id), None) => self.saw_gone(id, kind, inputs, (changes, room)),
            (None, None) => {
                self.alarm_pass.there.remove(&(kind, subject));
            }
            (None, Some(detail)) => {
                let key = (kind, subject);
                let span = self.alarm_pass.there.entry(key.clone());
                let span = span.or_insert(Span {
                    since: inputs.now,
                    last_seen: inputs.now,
                });
                span.last_seen = inputs.now;
                let since = span.since;
                let delay = match kind.rationale().on_delay {
                    Delay::For(delay) => delay,
                    Delay::PollAnd(more) => inputs.policy.latency + more,
                };
                if since.after(delay) <= inputs.now && room.take() {
                    self.alarm_pass.there.remove(&key);
                    let (kind, subject) = key;
                    let raise = Raise {
                        kind,
                        subject,
                        detail,
                    };
                    self.change_alarm(AlarmCommand::Raise(raise), inputs, changes);
                }
            }
        }
    }

    fn saw_gone(
        &mut self,
        id: AlarmId,
        kind: Kind,
        inputs: &Inputs<'_>,
        (changes, room): (&mut Batch, &mut Room),
    ) {
        let since = *self.alarm_pass.gone.entry(id).or_insert(inputs.now);
        if since.after(kind.rationale().off_delay) <= inputs.now && room.take() {
            self.alarm_pass.gone.remove(&id);
            self.change_alarm(AlarmCommand::Return(id), inputs, changes);
        }
    }

    fn change_alarm(&mut self, command: AlarmCommand, inputs: &Inputs<'_>, changes: &mut Batch) {
        let command = Command::Alarm(command);
        match self.execute(&Actor::System, &command, inputs, changes) {
            Ok(events) if !events.is_empty() => {
                tracing::info!(?events, "alarms");
            }
            Ok(_) => {}
            // That there are too many is told by an alarm of its own.
            Err(rejection) => {
                self.alarm_pass.refused += 1;
                tracing::debug!(?command, %rejection, "no alarm");
            }
        }
    }

    /// Whether as many alarms are open as are kept, with a tenth of them as dead band.
    fn overflow(&self) -> Option<Detail> {
        let book = self.fleet.alarms();
        let raised = book.is_raised(Kind::AlarmsOverflow, &Subject::Server);
        let bound = match raised {
            true => AlarmBook::MAX_ACTIVE_ALARMS * 9 / 10,
            false => AlarmBook::MAX_ACTIVE_ALARMS,
        };
        let count = u32::try_from(book.len()).unwrap_or(u32::MAX);
        (bound <= book.len()).then_some(Detail::Count(count))
    }
}

impl Room {
    /// Whether there is room for one more change, which takes it.
    fn take(&mut self) -> bool {
        let is_left = 0 < self.0;
        self.0 = self.0.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
mod tests;
