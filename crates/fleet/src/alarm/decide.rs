//! Commands about alarms, and what they lead to.

use units::Timestamp;

use super::{
    Acknowledgement, Alarm, AlarmBook, Condition, Detail, Kind, Means, Shelf, Signal, State,
    Subject, Suppression,
};
use crate::{AlarmId, Event, Fleet, Name, Note, Rejection, SuppressionId};

/// A condition that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raise {
    /// Which row of the table.
    pub kind: Kind,
    /// What it is about.
    pub subject: Subject,
    /// What is known of it.
    pub detail: Detail,
}

/// A rule to set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewSuppression {
    /// What the alarms are about; a place stands for everything at or below it.
    pub subject: Subject,
    /// Which kind; `None` for all.
    pub kind: Option<Kind>,
    /// In what way.
    pub means: Means,
    /// Who sets it.
    pub by: Name,
    /// Why.
    pub reason: Note,
    /// When it ends of itself; `None` for when somebody ends it.
    pub until: Option<Timestamp>,
}

/// What is asked about alarms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AlarmCommand {
    /// The condition of an alarm occurs. Nothing comes of it where it is there already.
    Raise(Raise),
    /// More is known of an alarm.
    Describe(AlarmId, Detail),
    /// The condition of an alarm is gone.
    Return(AlarmId),
    /// Somebody has seen an alarm. Nothing comes of it where somebody has before.
    Acknowledge(AlarmId, Name, Option<Note>),
    /// Put an alarm aside until then.
    Shelve(AlarmId, Name, Note, Timestamp),
    /// Take an alarm off the shelf; by nobody when its time is up.
    Unshelve(AlarmId, Option<Name>),
    /// Keep alarms from being shown.
    Suppress(Box<NewSuppression>),
    /// End a rule; by nobody when its time is up.
    Release(SuppressionId, Option<Name>),
}

/// What was decided about alarms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AlarmEvent {
    /// The condition of an alarm has occurred; of one that is known, again.
    Raised(AlarmId, Raise, Timestamp),
    /// More is known of an alarm.
    Described(AlarmId, Detail),
    /// The condition of an alarm is gone.
    Returned(AlarmId, Timestamp),
    /// Somebody has seen an alarm.
    Acknowledged(AlarmId, Acknowledgement),
    /// An alarm is put aside.
    Shelved(AlarmId, Shelf),
    /// An alarm is no longer put aside.
    Unshelved(AlarmId, Option<Name>, Timestamp),
    /// There is a rule.
    SuppressionSet(Box<Suppression>),
    /// There is no such rule any more.
    SuppressionEnded(SuppressionId, Option<Name>, Timestamp),
    /// An alarm is not shown, by this rule.
    Suppressed(AlarmId, SuppressionId),
    /// An alarm is shown again if its condition is there.
    Released(AlarmId, Timestamp),
    /// An alarm gave its place to another one of higher priority, as many as are kept being open.
    Displaced(AlarmId, AlarmId, Timestamp),
}

impl Fleet {
    pub(crate) fn decide_alarm(
        &self,
        command: &AlarmCommand,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let events = match command {
            AlarmCommand::Raise(raise) => self.raise(raise, now)?,
            AlarmCommand::Describe(id, detail) => {
                let alarm = self.known_alarm(*id)?;
                match alarm.detail == *detail {
                    true => Vec::new(),
                    false => vec![AlarmEvent::Described(*id, *detail)],
                }
            }
            AlarmCommand::Return(id) => match self.known_alarm(*id)?.condition {
                Condition::Normal => Vec::new(),
                Condition::Abnormal => vec![AlarmEvent::Returned(*id, now)],
            },
            AlarmCommand::Acknowledge(id, by, note) => {
                self.acknowledge(*id, (by, note.as_ref()), now)?
            }
            AlarmCommand::Shelve(id, by, reason, until) => {
                let shelf = Shelf {
                    by: by.clone(),
                    reason: reason.clone(),
                    at: now,
                    until: *until,
                };
                vec![self.shelve(*id, shelf)?]
            }
            AlarmCommand::Unshelve(id, by) => self.unshelve(*id, by.as_ref(), now)?,
            AlarmCommand::Suppress(new) => self.suppress(new, now)?,
            AlarmCommand::Release(id, by) => self.release(*id, by.as_ref(), now)?,
        };
        Ok(events.into_iter().map(Event::Alarm).collect())
    }

    fn known_alarm(&self, id: AlarmId) -> Result<&Alarm, Rejection> {
        let alarm = self.alarms.alarm(id);
        alarm.ok_or_else(|| Rejection::Unknown {
            what: "alarm",
            id: id.to_string(),
        })
    }

    /// What a rule keeps from being shown is not raised at all: it is once the rule has ended, if
    /// it is still the case.
    fn raise(&self, raise: &Raise, now: Timestamp) -> Result<Vec<AlarmEvent>, Rejection> {
        let book = &self.alarms;
        if self.is_moot(raise.kind, &raise.subject) {
            return Ok(Vec::new());
        }
        let known = book.find(raise.kind, &raise.subject);
        if known.is_some_and(|alarm| alarm.condition == Condition::Abnormal) {
            return Ok(Vec::new());
        }
        if let Some(alarm) = known {
            return Ok(vec![AlarmEvent::Raised(alarm.id, raise.clone(), now)]);
        }
        if book
            .suppressed_by(self, raise.kind, &raise.subject)
            .is_some()
        {
            return Ok(Vec::new());
        }
        let id = AlarmId(book.raised_count);
        let raised = AlarmEvent::Raised(id, raise.clone(), now);
        if book.len() < AlarmBook::MAX_ACTIVE_ALARMS || raise.kind == Kind::AlarmsOverflow {
            return Ok(vec![raised]);
        }
        match book.displaceable_by(raise.kind.rationale().priority) {
            Some(least) => Ok(vec![AlarmEvent::Displaced(least.id, id, now), raised]),
            None => Err(Rejection::TooMany {
                what: "open alarms",
                max: AlarmBook::MAX_ACTIVE_ALARMS,
            }),
        }
    }

    fn acknowledge(
        &self,
        id: AlarmId,
        (by, note): (&Name, Option<&Note>),
        now: Timestamp,
    ) -> Result<Vec<AlarmEvent>, Rejection> {
        let alarm = self.known_alarm(id)?;
        if alarm.state == State::Acknowledged {
            return Ok(Vec::new());
        }
        check(alarm, Signal::Acknowledge)?;
        let acknowledgement = Acknowledgement {
            by: by.clone(),
            at: now,
            note: note.cloned(),
        };
        Ok(vec![AlarmEvent::Acknowledged(id, acknowledgement)])
    }

    fn shelve(&self, id: AlarmId, shelf: Shelf) -> Result<AlarmEvent, Rejection> {
        check(self.known_alarm(id)?, Signal::Shelve)?;
        if shelf.until <= shelf.at || shelf.at.after(AlarmBook::MAX_SHELVE) < shelf.until {
            let hours = AlarmBook::MAX_SHELVE.as_secs() / 3_600;
            return Err(Rejection::Invalid {
                field: "until",
                rule: format!("must be ahead, by {hours} h at most"),
            });
        }
        Ok(AlarmEvent::Shelved(id, shelf))
    }

    fn unshelve(
        &self,
        id: AlarmId,
        by: Option<&Name>,
        now: Timestamp,
    ) -> Result<Vec<AlarmEvent>, Rejection> {
        let alarm = self.known_alarm(id)?;
        check(alarm, Signal::Unshelve)?;
        let unshelved = AlarmEvent::Unshelved(id, by.cloned(), now);
        let rule = self.alarms.suppressed_by(self, alarm.kind, &alarm.subject);
        Ok(
            match rule.filter(|_| alarm.condition == Condition::Abnormal) {
                // First, so that it is shown to nobody between the two and no annunciation counts.
                Some(rule) => vec![AlarmEvent::Suppressed(id, rule.id), unshelved],
                None => vec![unshelved],
            },
        )
    }

    fn suppress(&self, new: &NewSuppression, now: Timestamp) -> Result<Vec<AlarmEvent>, Rejection> {
        let book = &self.alarms;
        self.check_subject(&new.subject)?;
        if AlarmBook::MAX_SUPPRESSIONS <= book.suppressions.len() {
            return Err(Rejection::TooMany {
                what: "rules that suppress alarms",
                max: AlarmBook::MAX_SUPPRESSIONS,
            });
        }
        if new.until.is_some_and(|until| until <= now) {
            return Err(Rejection::Invalid {
                field: "until",
                rule: "must be ahead".to_owned(),
            });
        }
        let id = SuppressionId(book.suppressions_count);
        let rule = Suppression {
            id,
            subject: new.subject.clone(),
            kind: new.kind,
            means: new.means,
            by: new.by.clone(),
            reason: new.reason.clone(),
            at: now,
            until: new.until,
        };
        let hit = book.alarms().filter(|alarm| {
            let is_of_kind = rule.kind.is_none_or(|kind| kind == alarm.kind);
            let can = alarm.state.next(rule.means.signal(), alarm.condition);
            is_of_kind && can.is_some() && rule.subject.covers(self, &alarm.subject)
        });
        let hit = hit.map(|alarm| AlarmEvent::Suppressed(alarm.id, id));
        let hit: Vec<AlarmEvent> = hit.collect();
        let mut events = vec![AlarmEvent::SuppressionSet(Box::new(rule))];
        events.extend(hit);
        Ok(events)
    }

    fn release(
        &self,
        id: SuppressionId,
        by: Option<&Name>,
        now: Timestamp,
    ) -> Result<Vec<AlarmEvent>, Rejection> {
        let book = &self.alarms;
        if book.suppression(id).is_none() {
            return Err(Rejection::Unknown {
                what: "suppression",
                id: id.to_string(),
            });
        }
        let mut events = vec![AlarmEvent::SuppressionEnded(id, by.cloned(), now)];
        for alarm in book.alarms().filter(|it| it.suppression == Some(id)) {
            let mut others = book.suppressions.values().filter(|rule| {
                let is_of_kind = rule.kind.is_none_or(|kind| kind == alarm.kind);
                rule.id != id && is_of_kind && rule.subject.covers(self, &alarm.subject)
            });
            events.push(match others.next() {
                Some(other) => AlarmEvent::Suppressed(alarm.id, other.id),
                None => AlarmEvent::Released(alarm.id, now),
            });
        }
        Ok(events)
    }

    /// Whether there is what a rule is to be about. A limit is a matter of the configuration, which
    /// the fleet does not know.
    fn check_subject(&self, subject: &Subject) -> Result<(), Rejection> {
        let known = match subject {
            Subject::Server | Subject::Limit(_) => true,
            Subject::Der(der) => self.der(*der).is_some_and(|der| der.removed.is_none()),
            Subject::Assignment(node) => self.assignment(*node).is_some(),
            Subject::Aggregator(aggregator) => self.aggregator(*aggregator).is_some(),
            Subject::Dispatch(dispatch) => self.dispatch(*dispatch).is_some(),
            Subject::Microgrid(id) => self.microgrids.microgrid(*id).is_some(),
            Subject::Strategy(id) => self.strategies.strategy(*id).is_some(),
        };
        match known {
            true => Ok(()),
            false => Err(Rejection::Unknown {
                what: "subject",
                id: format!("{subject:?}"),
            }),
        }
    }
}

impl Means {
    /// What it is to an alarm that is open when the rule is set.
    pub(super) const fn signal(self) -> Signal {
        match self {
            Self::ByDesign => Signal::Suppress,
            Self::OutOfService => Signal::TakeOutOfService,
        }
    }
}

/// Whether `signal` means anything in the state that the alarm is in.
fn check(alarm: &Alarm, signal: Signal) -> Result<(), Rejection> {
    let rule = match signal {
        Signal::Acknowledge => "is neither unacknowledged nor returned unacknowledged",
        Signal::Shelve => "is shelved or suppressed already",
        _ => "is not shelved",
    };
    match alarm.state.next(signal, alarm.condition) {
        Some(_) => Ok(()),
        None => Err(Rejection::Invalid {
            field: "state",
            rule: rule.to_owned(),
        }),
    }
}
