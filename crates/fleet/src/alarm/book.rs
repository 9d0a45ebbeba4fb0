//! The state of alarms: those that are not back to normal, the rules that keep them from being
//! shown, and when the last ones were annunciated.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use units::Timestamp;

use super::{Alarm, Condition, Detail, Kind, Priority, Subject, Suppression};
use crate::{AlarmId, Der, Fleet, SuppressionId};

/// Everything that is known of alarms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlarmBook {
    pub(super) alarms: BTreeMap<AlarmId, Alarm>,
    pub(super) by_subject: BTreeMap<(Kind, Subject), AlarmId>,
    /// Alarms raised so far.
    pub(super) raised_count: u32,
    pub(super) suppressions: BTreeMap<SuppressionId, Suppression>,
    /// Rules set so far.
    pub(super) suppressions_count: u32,
    /// Oldest first.
    pub(super) history: VecDeque<Annunciation>,
    /// Alarms that gave their place to one of higher priority, so far.
    pub(super) displaced_count: u32,
    /// Events folded in so far.
    pub(super) revision: u64,
}

/// One time at which an alarm was shown to operators as unacknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Annunciation {
    /// When.
    pub at: Timestamp,
    /// Which alarm.
    pub alarm: AlarmId,
    /// Of which kind.
    pub kind: Kind,
    /// About what.
    pub subject: Subject,
}

impl AlarmBook {
    /// Most alarms that are kept open, beside the one alarm that says that there are so many. At this
    /// number an alarm takes the place of the oldest one of the lowest priority, if its own is higher,
    /// and is not raised otherwise. What is not told so is told when there is room and it is still the
    /// case.
    pub const MAX_ACTIVE_ALARMS: usize = 10_000;
    /// Most rules by which alarms are not shown.
    pub const MAX_SUPPRESSIONS: usize = 1_000;
    /// Longest time for which an alarm can be shelved: a day, so that each shift but the first sees
    /// it anew.
    pub const MAX_SHELVE: Duration = Duration::from_secs(86_400);
    /// Most annunciations that metrics look back at; of more, the oldest are forgotten.
    pub const MAX_HISTORY: usize = 20_000;
    /// How far metrics look back (ANSI/ISA-18.2-2016, clause 16 asks for 30 days).
    pub const HISTORY: Duration = Duration::from_secs(30 * 86_400);

    /// The alarms that are not back to normal, oldest first.
    pub fn alarms(&self) -> impl DoubleEndedIterator<Item = &Alarm> + Clone {
        self.alarms.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.alarms.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alarms.is_empty()
    }

    /// One alarm, unless it is back to normal.
    #[must_use]
    pub fn alarm(&self, id: AlarmId) -> Option<&Alarm> {
        self.alarms.get(&id)
    }

    /// The alarm of this kind about this, unless it is normal.
    #[must_use]
    pub fn find(&self, kind: Kind, subject: &Subject) -> Option<&Alarm> {
        let key = (kind, subject.clone());
        self.by_subject.get(&key).and_then(|id| self.alarm(*id))
    }

    /// Whether there is one of this kind about this whose condition is there.
    #[must_use]
    pub fn is_raised(&self, kind: Kind, subject: &Subject) -> bool {
        let alarm = self.find(kind, subject);
        alarm.is_some_and(|alarm| alarm.condition == Condition::Abnormal)
    }

    /// The alarms of this kind whose condition is there.
    pub fn raised(&self, kind: Kind) -> impl Iterator<Item = &Alarm> {
        let range = self.by_subject.range((kind, Subject::Server)..);
        let of_kind = range.take_while(move |((of, _), _)| *of == kind);
        of_kind
            .filter_map(|(_, id)| self.alarm(*id))
            .filter(|alarm| alarm.condition == Condition::Abnormal)
    }

    /// The alarm that gives its place to one of `priority`: of those of the lowest priority, which is
    /// lower than that, the oldest.
    #[must_use]
    pub fn displaceable_by(&self, priority: Priority) -> Option<&Alarm> {
        let is_there = |kind: Kind| {
            let mut from = self.by_subject.range((kind, Subject::Server)..);
            from.next().is_some_and(|((first, _), _)| *first == kind)
        };
        let lower = Kind::table().iter().filter(|row| priority < row.priority);
        let lower = lower.filter(|row| row.kind != Kind::AlarmsOverflow && is_there(row.kind));
        let lowest = lower.map(|row| row.priority).max()?;
        let mut others = self.alarms().filter(|it| it.kind != Kind::AlarmsOverflow);
        others.find(|it| it.kind.rationale().priority == lowest)
    }

    /// How many alarms gave their place to one of higher priority, so far.
    #[must_use]
    pub const fn displaced_count(&self) -> u32 {
        self.displaced_count
    }

    /// The rules by which alarms are not shown, oldest first.
    pub fn suppressions(&self) -> impl DoubleEndedIterator<Item = &Suppression> {
        self.suppressions.values()
    }

    /// One rule.
    #[must_use]
    pub fn suppression(&self, id: SuppressionId) -> Option<&Suppression> {
        self.suppressions.get(&id)
    }

    /// The rule that keeps an alarm of this kind about `subject` from being shown.
    #[must_use]
    pub fn suppressed_by(
        &self,
        fleet: &Fleet,
        kind: Kind,
        subject: &Subject,
    ) -> Option<&Suppression> {
        self.suppressions.values().find(|rule| {
            rule.kind.is_none_or(|only| only == kind) && rule.subject.covers(fleet, subject)
        })
    }

    /// When the DER was last heard, as the alarm on its silence has it, its own or that of a place
    /// that it belongs to.
    #[must_use]
    pub fn silent_since(&self, fleet: &Fleet, der: &Der) -> Option<Timestamp> {
        let own = self.find(Kind::DerSilent, &Subject::Der(der.id));
        let nodes = fleet.assignments_of(der.id);
        let nodes = nodes.iter().map(|node| Subject::Assignment(node.id));
        let places = nodes.chain(der.manager.map(Subject::Aggregator));
        let of_places = places.filter_map(|place| self.find(Kind::PlaceSilent, &place));
        let all = own.into_iter().chain(of_places);
        let there = all.filter(|alarm| alarm.condition == Condition::Abnormal);
        let heard = there.filter_map(|alarm| match alarm.detail {
            Detail::LastHeard(at) => Some(at),
            Detail::Members { last_heard, .. } => Some(last_heard),
            _ => None,
        });
        heard.max()
    }

    /// The last annunciations, oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Annunciation> + Clone {
        self.history.iter()
    }

    /// A number that grows with every change.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }
}
