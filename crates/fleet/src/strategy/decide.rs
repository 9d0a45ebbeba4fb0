//! Commands about strategies, and what they lead to.

use std::time::Duration;

use units::Timestamp;

use super::{
    Calendar, Gauge, Level, Mark, NewStrategy, Occurrence, Progress, Standing, Strategy,
    StrategyBook, StrategyCommand, StrategyEvent, Template, Threshold, Trigger,
};
use crate::{Conduct, Event, Fleet, Name, Rejection, StrategyId};

impl Fleet {
    pub(crate) fn decide_strategy(
        &self,
        command: &StrategyCommand,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let event = match command {
            StrategyCommand::Put(new) => self.put_strategy(new, now)?,
            StrategyCommand::Stand(id, standing, by) => self.stand(*id, (*standing, by), now)?,
            StrategyCommand::Note(id, occurrence) => self.note_occurrence(*id, occurrence)?,
            StrategyCommand::Rearm(id) => {
                let (_, progress) = self.known_strategy(*id)?;
                (!progress.armed).then_some(StrategyEvent::Rearmed(*id, now))
            }
        };
        Ok(event.map(Event::Strategy).into_iter().collect())
    }

    fn known_strategy(&self, id: StrategyId) -> Result<(&Strategy, &Progress), Rejection> {
        let found = self.strategies.strategy(id);
        found.ok_or_else(|| Rejection::Unknown {
            what: "strategy",
            id: id.to_string(),
        })
    }

    /// A strategy that is so already is no event. One that is retired stays so.
    fn put_strategy(
        &self,
        new: &NewStrategy,
        now: Timestamp,
    ) -> Result<Option<StrategyEvent>, Rejection> {
        let book = &self.strategies;
        let known = book.by_mrid(&new.mrid).map(|(it, _)| it);
        if known.is_some_and(|it| it.standing == Standing::Retired) {
            return Err(Rejection::MridTaken(new.mrid.clone()));
        }
        let running = || book.strategies().map(|(it, _)| it);
        let running = || running().filter(|it| it.standing != Standing::Retired);
        if known.is_none() && StrategyBook::MAX_STRATEGIES <= running().count() {
            return Err(Rejection::TooMany {
                what: "strategies",
                max: StrategyBook::MAX_STRATEGIES,
            });
        }
        if Strategy::MAX_MRID_CHARS < new.mrid.as_str().chars().count() {
            let rule = format!("has at most {} characters", Strategy::MAX_MRID_CHARS);
            return Err(invalid("mrid", &rule));
        }
        let id = known.map_or(StrategyId(book.count), |it| it.id);
        if running().any(|it| it.id != id && it.name == new.name) {
            return Err(Rejection::NameTaken(new.name.clone()));
        }
        let programs = self.enrolment.programs();
        programs
            .get(new.program.0)
            .ok_or_else(|| Rejection::Unknown {
                what: "demand response program",
                id: new.program.0.to_string(),
            })?;
        self.known_group(new.group)?;
        self.check_trigger(&new.trigger)?;
        check_template(&new.template)?;
        let mark = Mark {
            by: new.by.clone(),
            at: now,
        };
        let strategy = Strategy {
            id,
            mrid: new.mrid.clone(),
            name: new.name.clone(),
            program: new.program,
            group: new.group,
            trigger: new.trigger.clone(),
            template: new.template.clone(),
            standing: known.map_or(Standing::Running, |it| it.standing),
            created: known.map_or_else(|| mark.clone(), |it| it.created.clone()),
            changed: mark,
        };
        let is_so = known.is_some_and(|it| {
            let changed = it.changed.clone();
            *it == Strategy {
                changed,
                ..strategy.clone()
            }
        });
        Ok((!is_so).then(|| StrategyEvent::Put(Box::new(strategy))))
    }

    fn check_trigger(&self, trigger: &Trigger) -> Result<(), Rejection> {
        match trigger {
            Trigger::Calendar(calendar) => check_calendar(calendar),
            Trigger::Threshold(threshold) => {
                if let Gauge::Group(group, _) = threshold.gauge {
                    self.known_group(group)?;
                }
                check_threshold(threshold)
            }
        }
    }

    fn stand(
        &self,
        id: StrategyId,
        (standing, by): (Standing, &Name),
        now: Timestamp,
    ) -> Result<Option<StrategyEvent>, Rejection> {
        let (strategy, _) = self.known_strategy(id)?;
        if strategy.standing == standing {
            return Ok(None);
        }
        if strategy.standing == Standing::Retired {
            return Err(invalid("standing", "is retired, and stays so"));
        }
        let mark = Mark {
            by: by.clone(),
            at: now,
        };
        Ok(Some(StrategyEvent::Stood(id, standing, mark)))
    }

    fn note_occurrence(
        &self,
        id: StrategyId,
        occurrence: &Occurrence,
    ) -> Result<Option<StrategyEvent>, Rejection> {
        let (strategy, progress) = self.known_strategy(id)?;
        let known = strategy.has_decided(progress, occurrence.start);
        Ok((!known).then(|| StrategyEvent::Occurred(id, occurrence.clone())))
    }
}

fn check_calendar(calendar: &Calendar) -> Result<(), Rejection> {
    if 86_400 <= calendar.start_s {
        return Err(invalid("start", "is a time of the day"));
    }
    if !calendar.months.iter().all(|month| (1..=12).contains(month)) {
        return Err(invalid("months", "are 1 to 12"));
    }
    if Calendar::MAX_EXCLUDED_DATES < calendar.excluded.len() {
        return Err(Rejection::TooMany {
            what: "excluded dates of one strategy",
            max: Calendar::MAX_EXCLUDED_DATES,
        });
    }
    Ok(())
}

fn check_threshold(threshold: &Threshold) -> Result<(), Rejection> {
    let ordered = match (threshold.above, threshold.below) {
        (Level::Power(above), Level::Power(below)) => below <= above,
        (Level::Share(above), Level::Share(below)) => below <= above,
        _ => return Err(invalid("below", "is in the unit of above")),
    };
    if !ordered {
        return Err(invalid("below", "is not more than above"));
    }
    let is_share = matches!(threshold.above, Level::Share(_));
    if is_share && !matches!(threshold.gauge, Gauge::Limit(_)) {
        return Err(invalid("above", "is a share of a limit only"));
    }
    let longest = Threshold::MAX_LASTING;
    check_time("lasting", threshold.lasting, (Duration::ZERO, longest))?;
    let bounds = (Threshold::MIN_PAUSE, Threshold::MAX_PAUSE);
    check_time("pause", threshold.pause, bounds)
}

fn check_template(template: &Template) -> Result<(), Rejection> {
    let shortest = Duration::from_secs(1);
    check_time(
        "duration",
        template.duration,
        (shortest, Strategy::MAX_DURATION),
    )?;
    check_time("lead", template.lead, (Duration::ZERO, Strategy::MAX_LEAD))?;
    check_time(
        "release",
        template.release,
        (Duration::ZERO, Conduct::MAX_RELEASE),
    )?;
    match template.ramp {
        None => Ok(()),
        Some(ramp) if template.duration <= ramp => {
            Err(invalid("ramp", "is shorter than the dispatch"))
        }
        Some(ramp) => check_time("ramp", ramp, (Duration::ZERO, Strategy::MAX_DURATION)),
    }
}

fn check_time(
    field: &'static str,
    time: Duration,
    (least, most): (Duration, Duration),
) -> Result<(), Rejection> {
    if (least..=most).contains(&time) && time.subsec_nanos() == 0 {
        return Ok(());
    }
    let (least, most) = (least.as_secs(), most.as_secs());
    Err(invalid(
        field,
        &format!("is {least} to {most} whole seconds"),
    ))
}

fn invalid(field: &'static str, rule: &str) -> Rejection {
    Rejection::Invalid {
        field,
        rule: rule.to_owned(),
    }
}
