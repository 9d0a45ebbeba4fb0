//! What is due of strategies: from the state, the readings and the instant, and nothing else but for
//! how long what is measured has been above its level.

use std::collections::{BTreeMap, BTreeSet};

use units::{Date, Interval, Timestamp, Zone};

use super::threshold::Told;
use super::{
    Calendar, Missed, Occurrence, Outcome, Progress, Standing, Strategy, StrategyCommand,
    Threshold, Trigger,
};
use crate::dispatch::LinearLimit;
use crate::dispatch::assess::World;
use crate::{CimMrid, Conduct, Dispatch, DispatchPhase, Fleet, NewDispatch, StrategyId, Target};

/// So much that follows the calendar is found before a look at further strategies is left to the next
/// one.
pub const MAX_DUE: usize = 100;
/// DER under gauges that one look adds up, but for the last gauge; the next goes on.
pub const MAX_TERMS: usize = 20_000;

/// Something to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Due {
    /// A dispatch is to be made, and what came of that noted as an occurrence.
    Create {
        /// Of which strategy.
        strategy: StrategyId,
        /// When it begins.
        start: Timestamp,
        /// The dispatch.
        dispatch: Box<NewDispatch>,
    },
    /// Something is to be noted.
    Note(StrategyCommand),
}

/// What has been seen of the gauges of strategies. Not kept over a restart: the time for which a
/// power has to be above its level begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Since when gauges have been above their level without a break.
    above: BTreeMap<StrategyId, Timestamp>,
    /// Strategies whose gauge can't tell whether it is above.
    blind: BTreeSet<StrategyId>,
    /// The strategy whose gauge was read last.
    last: Option<StrategyId>,
}

impl Watch {
    /// What is due now.
    pub fn due(&mut self, world: &World<'_>, limits: &[LinearLimit], zone: &Zone) -> Vec<Due> {
        let book = world.fleet.strategies();
        let running = || {
            let all = book.strategies();
            all.filter(|(it, _)| it.standing == Standing::Running)
        };
        let mut due = Vec::new();
        for (strategy, progress) in running() {
            if MAX_DUE <= due.len() {
                break;
            }
            if let Trigger::Calendar(calendar) = &strategy.trigger {
                due.extend(world.fleet.due_by_calendar(
                    (strategy, progress),
                    (calendar, zone),
                    world.now,
                ));
            }
        }
        let gauged = |it: &Strategy| matches!(it.trigger, Trigger::Threshold(_));
        let gauged: BTreeSet<StrategyId> = running()
            .map(|(it, _)| it)
            .filter(|it| gauged(it))
            .map(|it| it.id)
            .collect();
        self.above.retain(|id, _| gauged.contains(id));
        self.blind.retain(|id| gauged.contains(id));
        let last = self.last;
        let later = gauged.iter().filter(|id| last < Some(**id));
        let sooner = gauged.iter().filter(|id| Some(**id) <= last);
        let mut terms = 0;
        for id in later.chain(sooner) {
            let Some((strategy, progress)) = book.strategy(*id) else {
                continue;
            };
            if let Trigger::Threshold(threshold) = &strategy.trigger {
                due.extend(self.due_by_threshold((strategy, progress), (threshold, limits), world));
                terms += threshold.terms(world, limits);
            }
            self.last = Some(*id);
            if MAX_TERMS <= terms {
                break;
            }
        }
        due
    }

    /// Whether the gauge of a strategy can't tell whether it is above its level.
    #[must_use]
    pub fn is_blind(&self, id: StrategyId) -> bool {
        self.blind.contains(&id)
    }

    /// What can't be told is not above, so that it makes no dispatch, and not below, so that it makes
    /// room for none.
    fn due_by_threshold(
        &mut self,
        (strategy, progress): (&Strategy, &Progress),
        (threshold, limits): (&Threshold, &[LinearLimit]),
        world: &World<'_>,
    ) -> Option<Due> {
        let (id, now) = (strategy.id, world.now);
        let told = threshold.told(threshold.measured(world, limits));
        match told {
            Told::Unclear => self.blind.insert(id),
            Told::Above | Told::Below | Told::Between => self.blind.remove(&id),
        };
        if told != Told::Above {
            self.above.remove(&id);
            let rearms = told == Told::Below && !progress.armed;
            return rearms.then_some(Due::Note(StrategyCommand::Rearm(id)));
        }
        let since = *self.above.entry(id).or_insert(now);
        let rested = world.fleet.rests_until(strategy, progress, threshold);
        let lasted = since.after(threshold.lasting) <= now;
        if !lasted || !progress.armed || now < rested {
            return None;
        }
        self.above.remove(&id);
        let start = now.ceil_secs().after(strategy.template.lead);
        Some(strategy.create(start))
    }
}

impl Fleet {
    /// What is due of a strategy that follows the calendar: what could not be made in time is missed,
    /// and the next that can is made, unless a dispatch before it is open.
    fn due_by_calendar(
        &self,
        (strategy, progress): (&Strategy, &Progress),
        (calendar, zone): (&Calendar, &Zone),
        now: Timestamp,
    ) -> Vec<Due> {
        let last = progress.last_dispatch().and_then(|id| self.dispatch(id));
        let is_open = last.is_some_and(|last| is_open(last, now));
        let until = now.after(strategy.template.lead);
        let starts = calendar.starts(zone, progress.settled, until);
        let mut due = Vec::new();
        for start in starts.filter(|start| !strategy.has_decided(progress, *start)) {
            let latest = start.after(Strategy::TOLERANCE);
            if now <= latest {
                if !is_open {
                    due.push(strategy.create(start));
                }
                break;
            }
            let in_its_way = last.filter(|last| latest < end(last));
            let why = in_its_way.map_or(Missed::Down, |last| Missed::Open(last.id));
            let occurrence = Occurrence {
                start,
                decided: now,
                outcome: Outcome::Missed(why),
            };
            let note = StrategyCommand::Note(strategy.id, occurrence);
            due.push(Due::Note(note));
            if MAX_DUE <= due.len() {
                break;
            }
        }
        due
    }

    /// Until when a strategy that follows a gauge rests: a pause after the end of its last dispatch,
    /// or after a refusal.
    fn rests_until(
        &self,
        strategy: &Strategy,
        progress: &Progress,
        threshold: &Threshold,
    ) -> Timestamp {
        let begun = strategy.changed.at;
        let last = progress.last_dispatch().and_then(|id| self.dispatch(id));
        let over = last.map(end);
        let refused = progress.failure().map(|failure| failure.decided);
        let refused = refused.filter(|at| begun <= *at);
        let rest = over.max(refused).map(|at| at.after(threshold.pause));
        rest.map_or(begun, |rest| rest.max(begun))
    }
}

impl Strategy {
    /// The dispatch that begins at `start`.
    #[must_use]
    pub fn dispatch_at(&self, start: Timestamp) -> NewDispatch {
        let template = &self.template;
        let interval = Interval {
            start,
            duration: template.duration,
        };
        NewDispatch {
            mrid: self.mrid_at(start),
            name: Some(self.name.clone()),
            group: self.group,
            schedule: vec![Target {
                interval,
                aim: template.aim,
            }],
            ramp: template.ramp,
            conduct: Conduct {
                program: Some(self.program),
                priority: template.priority,
                objective: template.objective,
                publish: template.publish,
                release: template.release,
                author: Some(self.changed.by.clone()),
                revised_by: BTreeSet::new(),
            },
        }
    }

    /// The mRID of the dispatch that begins at `start`: its own, and the start in the basic format of
    /// ISO 8601.
    fn mrid_at(&self, start: Timestamp) -> CimMrid {
        let Date { year, month, day } = start.date();
        let second = start.secs().rem_euclid(86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let text = format!(
            "{}-{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z",
            self.mrid
        );
        CimMrid::new(&text).expect("the mRID of a strategy leaves room for a start")
    }

    fn create(&self, start: Timestamp) -> Due {
        Due::Create {
            strategy: self.id,
            start,
            dispatch: Box::new(self.dispatch_at(start)),
        }
    }
}

fn is_open(dispatch: &Dispatch, now: Timestamp) -> bool {
    !matches!(
        dispatch.phase(now),
        DispatchPhase::Ended | DispatchPhase::Cancelled
    )
}

/// When a dispatch is over: at its end, or when it was called off before.
fn end(dispatch: &Dispatch) -> Timestamp {
    let end = dispatch.span().map_or(dispatch.created, Interval::end);
    dispatch.cancelled.map_or(end, |at| at.min(end))
}
