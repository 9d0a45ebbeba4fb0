//! Folding what was decided about alarms.

use units::Timestamp;

use super::book::Annunciation;
use super::{
    Acknowledgement, Alarm, AlarmBook, AlarmEvent, Condition, Detail, Means, Raise, Shelf, Signal,
    State,
};
use crate::{AlarmId, SuppressionId};

impl AlarmBook {
    pub(crate) fn apply(&mut self, event: &AlarmEvent) {
        self.revision += 1;
        match event {
            AlarmEvent::Raised(id, raise, at) => self.apply_raised(*id, raise, *at),
            AlarmEvent::Described(id, detail) => {
                if let Some(alarm) = self.alarms.get_mut(id) {
                    alarm.detail = *detail;
                }
            }
            AlarmEvent::Returned(id, at) => self.apply_returned(*id, *at),
            AlarmEvent::Acknowledged(id, acknowledgement) => {
                self.apply_acknowledged(*id, acknowledgement);
            }
            AlarmEvent::Shelved(id, shelf) => self.apply_shelved(*id, shelf),
            AlarmEvent::Unshelved(id, _, at) => {
                if let Some(alarm) = self.alarms.get_mut(id) {
                    alarm.shelf = None;
                }
                self.go(*id, Signal::Unshelve, *at);
            }
            AlarmEvent::SuppressionSet(rule) => {
                self.suppressions_count = self.suppressions_count.max(rule.id.0 + 1);
                self.suppressions.insert(rule.id, (**rule).clone());
            }
            AlarmEvent::SuppressionEnded(id, ..) => {
                self.suppressions.remove(id);
            }
            AlarmEvent::Suppressed(id, rule) => self.apply_suppressed(*id, *rule),
            AlarmEvent::Released(id, at) => {
                if let Some(alarm) = self.alarms.get_mut(id) {
                    alarm.suppression = None;
                }
                self.go(*id, Signal::Release, *at);
            }
            AlarmEvent::Displaced(id, ..) => {
                if let Some(alarm) = self.alarms.remove(id) {
                    self.by_subject.remove(&(alarm.kind, alarm.subject));
                    self.displaced_count = self.displaced_count.saturating_add(1);
                }
            }
        }
    }

    fn apply_raised(&mut self, id: AlarmId, raise: &Raise, at: Timestamp) {
        let alarm = self.alarms.entry(id).or_insert_with(|| Alarm {
            id,
            kind: raise.kind,
            subject: raise.subject.clone(),
            state: State::Normal,
            condition: Condition::Normal,
            detail: Detail::Plain,
            raised: at,
            annunciations: 0,
            returned: None,
            acknowledged: None,
            shelf: None,
            suppression: None,
        });
        alarm.condition = Condition::Abnormal;
        alarm.detail = raise.detail;
        alarm.raised = at;
        alarm.returned = None;
        self.by_subject
            .insert((raise.kind, raise.subject.clone()), id);
        self.raised_count = self.raised_count.max(id.0 + 1);
        self.go(id, Signal::Occurs, at);
    }

    fn apply_returned(&mut self, id: AlarmId, at: Timestamp) {
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.condition = Condition::Normal;
            alarm.returned = Some(at);
        }
        self.go(id, Signal::Returns, at);
    }

    fn apply_acknowledged(&mut self, id: AlarmId, acknowledgement: &Acknowledgement) {
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.acknowledged = Some(acknowledgement.clone());
        }
        self.go(id, Signal::Acknowledge, acknowledgement.at);
    }

    fn apply_shelved(&mut self, id: AlarmId, shelf: &Shelf) {
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.shelf = Some(shelf.clone());
        }
        self.go(id, Signal::Shelve, shelf.at);
    }

    fn apply_suppressed(&mut self, id: AlarmId, rule: SuppressionId) {
        let Some(rule) = self.suppressions.get(&rule) else {
            return;
        };
        let (rule, means, at) = (rule.id, rule.means, rule.at);
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.suppression = Some(rule);
            alarm.shelf = None;
            let already = match means {
                Means::ByDesign => State::Suppressed,
                Means::OutOfService => State::OutOfService,
            };
            if alarm.state != already {
                self.go(id, means.signal(), at);
            }
        }
    }

    /// Takes an alarm where `signal` leads. One that is back to normal is let go.
    fn go(&mut self, id: AlarmId, signal: Signal, at: Timestamp) {
        let Some(alarm) = self.alarms.get_mut(&id) else {
            return;
        };
        let Some(next) = alarm.state.next(signal, alarm.condition) else {
            return;
        };
        let was = std::mem::replace(&mut alarm.state, next);
        if next == State::Unacknowledged && was != next {
            alarm.annunciations += 1;
            alarm.acknowledged = None;
            let annunciation = Annunciation {
                at,
                alarm: id,
                kind: alarm.kind,
                subject: alarm.subject.clone(),
            };
            self.remember(annunciation);
        }
        if next == State::Normal
            && let Some(alarm) = self.alarms.remove(&id)
        {
            self.by_subject.remove(&(alarm.kind, alarm.subject));
        }
    }

    fn remember(&mut self, annunciation: Annunciation) {
        let horizon = annunciation.at.before(Self::HISTORY);
        self.history.push_back(annunciation);
        while let Some(first) = self.history.front()
            && (first.at < horizon || Self::MAX_HISTORY < self.history.len())
        {
            self.history.pop_front();
        }
    }
}
