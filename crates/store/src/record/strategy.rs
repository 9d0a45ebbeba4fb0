//! Strategies and what came of their occurrences.

use std::borrow::Cow;
use std::time::Duration;

use fleet::enrolment::DemandResponseProgramId;
use fleet::strategy::{
    Calendar, Flow, Gauge, Level, Mark, Missed, Occurrence, Outcome, Standing, Strategy, Template,
    Threshold, Trigger,
};
use fleet::{DispatchId, GroupId, Publish, StrategyEvent, StrategyId};
use serde::{Deserialize, Serialize};
use units::{Date, Percent, Timestamp, Watts, Weekday};

use super::dispatch::{AimV1, ObjectiveV1, PriorityV1};
use super::field::{millis, text};
use super::{RecordError, Unstorable, json, parse};

const PUT: &str = "strategy_put";

pub(super) fn encode(event: &StrategyEvent) -> Result<(&'static str, String), Unstorable> {
    use StrategyEvent as E;
    Ok(match event {
        E::Put(strategy) => (PUT, json(&StrategyV1::new(strategy)?)),
        E::Stood(id, standing, mark) => {
            let shape = StoodV1 {
                strategy: id.0,
                standing: standing.name().into(),
                mark: mark.into(),
            };
            ("strategy_stood", json(&shape))
        }
        E::Occurred(id, occurrence) => {
            let shape = OccurredV1::new(*id, occurrence);
            ("strategy_occurred", json(&shape))
        }
        E::Rearmed(id, at) => {
            let shape = RearmedV1 {
                strategy: id.0,
                at_ms: at.millis(),
            };
            ("strategy_rearmed", json(&shape))
        }
    })
}

/// The event of a record of this kind and version; `None` for one that is not about strategies.
pub(super) fn decode(
    kind: &str,
    version: u32,
    payload: &str,
) -> Option<Result<StrategyEvent, RecordError>> {
    use StrategyEvent as E;
    Some(match (kind, version) {
        ("strategy_put", 1) => parse::<StrategyV1<'_>>(payload).and_then(StrategyV1::read),
        ("strategy_stood", 1) => parse::<StoodV1<'_>>(payload).and_then(|it| {
            let standing = standing(&it.standing)?;
            let mark = it.mark.read()?;
            Ok(E::Stood(StrategyId(it.strategy), standing, mark))
        }),
        ("strategy_occurred", 1) => parse::<OccurredV1<'_>>(payload).and_then(|it| it.read()),
        ("strategy_rearmed", 1) => parse::<RearmedV1>(payload).map(|it| {
            let at = Timestamp::from_millis(it.at_ms);
            E::Rearmed(StrategyId(it.strategy), at)
        }),
        _ => return None,
    })
}

fn standing(name: &str) -> Result<Standing, RecordError> {
    let known = Standing::of(name);
    known.ok_or_else(|| RecordError::malformed("standing", &format!("{name:?} is unknown")))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkV1<'a> {
    #[serde(borrow)]
    by: Cow<'a, str>,
    at_ms: i64,
}

impl<'a> From<&'a Mark> for MarkV1<'a> {
    fn from(mark: &'a Mark) -> Self {
        Self {
            by: mark.by.as_str().into(),
            at_ms: mark.at.millis(),
        }
    }
}

impl MarkV1<'_> {
    fn read(&self) -> Result<Mark, RecordError> {
        Ok(Mark {
            by: text("by", &self.by)?,
            at: Timestamp::from_millis(self.at_ms),
        })
    }
}

/// Year, month and day.
#[derive(Serialize, Deserialize)]
struct DateV1(i64, u8, u8);

/// Days of the week from Monday, 1 to 7.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarV1 {
    weekdays: Vec<u8>,
    months: Vec<u8>,
    start_s: u32,
    excluded: Vec<DateV1>,
}

impl From<&Calendar> for CalendarV1 {
    fn from(calendar: &Calendar) -> Self {
        let date = |date: &Date| DateV1(date.year, date.month, date.day);
        Self {
            weekdays: calendar.weekdays.iter().map(|day| *day as u8 + 1).collect(),
            months: calendar.months.iter().copied().collect(),
            start_s: calendar.start_s,
            excluded: calendar.excluded.iter().map(date).collect(),
        }
    }
}

impl CalendarV1 {
    fn read(self) -> Result<Calendar, RecordError> {
        let weekday = |number: u8| {
            let index = usize::from(number).checked_sub(1);
            let day = index.and_then(|index| Weekday::ALL.get(index)).copied();
            day.ok_or_else(|| RecordError::malformed("weekdays", &format!("{number} is no day")))
        };
        let date = |DateV1(year, month, day): DateV1| {
            let found = Date::new(year, month, day);
            let what = format!("{year}-{month}-{day} is no day");
            found.ok_or_else(|| RecordError::malformed("excluded", &what))
        };
        Ok(Calendar {
            weekdays: self
                .weekdays
                .into_iter()
                .map(weekday)
                .collect::<Result<_, _>>()?,
            months: self.months.into_iter().collect(),
            start_s: self.start_s,
            excluded: self
                .excluded
                .into_iter()
                .map(date)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// A group by index, and whether its import counts, or a limit by name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum GaugeV1<'a> {
    GroupExport(u32),
    GroupImport(u32),
    #[serde(borrow)]
    Limit(Cow<'a, str>),
}

/// Micro-watts, or hundredths of a percent.
#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum LevelV1 {
    Power(i64),
    Share(i32),
}

impl From<Level> for LevelV1 {
    fn from(level: Level) -> Self {
        match level {
            Level::Power(p) => Self::Power(p.micro()),
            Level::Share(share) => Self::Share(share.hundredths()),
        }
    }
}

impl From<LevelV1> for Level {
    fn from(level: LevelV1) -> Self {
        match level {
            LevelV1::Power(micro) => Self::Power(Watts::from_micro(micro)),
            LevelV1::Share(hundredths) => Self::Share(Percent::from_hundredths(hundredths)),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdV1<'a> {
    #[serde(borrow)]
    gauge: GaugeV1<'a>,
    above: LevelV1,
    below: LevelV1,
    lasting_ms: u64,
    pause_ms: u64,
}

impl<'a> ThresholdV1<'a> {
    fn new(threshold: &'a Threshold) -> Result<Self, Unstorable> {
        Ok(Self {
            gauge: match &threshold.gauge {
                Gauge::Group(group, Flow::Export) => GaugeV1::GroupExport(group.0),
                Gauge::Group(group, Flow::Import) => GaugeV1::GroupImport(group.0),
                Gauge::Limit(name) => GaugeV1::Limit(name.as_str().into()),
            },
            above: threshold.above.into(),
            below: threshold.below.into(),
            lasting_ms: millis(PUT, "lasting", threshold.lasting)?,
            pause_ms: millis(PUT, "pause", threshold.pause)?,
        })
    }

    fn read(&self) -> Result<Threshold, RecordError> {
        Ok(Threshold {
            gauge: match &self.gauge {
                GaugeV1::GroupExport(group) => Gauge::Group(GroupId(*group), Flow::Export),
                GaugeV1::GroupImport(group) => Gauge::Group(GroupId(*group), Flow::Import),
                GaugeV1::Limit(name) => Gauge::Limit(text("limit", name)?),
            },
            above: self.above.into(),
            below: self.below.into(),
            lasting: Duration::from_millis(self.lasting_ms),
            pause: Duration::from_millis(self.pause_ms),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TriggerV1<'a> {
    Calendar(CalendarV1),
    #[serde(borrow)]
    Threshold(ThresholdV1<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateV1 {
    aim: AimV1,
    duration_ms: u64,
    lead_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ramp_ms: Option<u64>,
    priority: PriorityV1,
    objective: ObjectiveV1,
    on_command: bool,
    release_ms: u64,
}

impl TemplateV1 {
    fn new(template: &Template) -> Result<Self, Unstorable> {
        let ramp = template.ramp.map(|ramp| millis(PUT, "ramp", ramp));
        Ok(Self {
            aim: template.aim.into(),
            duration_ms: millis(PUT, "duration", template.duration)?,
            lead_ms: millis(PUT, "lead", template.lead)?,
            ramp_ms: ramp.transpose()?,
            priority: template.priority.into(),
            objective: template.objective.into(),
            on_command: template.publish == Publish::OnCommand,
            release_ms: millis(PUT, "release", template.release)?,
        })
    }

    fn read(&self) -> Template {
        Template {
            aim: self.aim.read(),
            duration: Duration::from_millis(self.duration_ms),
            lead: Duration::from_millis(self.lead_ms),
            ramp: self.ramp_ms.map(Duration::from_millis),
            priority: self.priority.into(),
            objective: self.objective.into(),
            publish: match self.on_command {
                true => Publish::OnCommand,
                false => Publish::WhenApproved,
            },
            release: Duration::from_millis(self.release_ms),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrategyV1<'a> {
    strategy: u32,
    #[serde(borrow)]
    mrid: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    program: u32,
    group: u32,
    #[serde(borrow)]
    trigger: TriggerV1<'a>,
    template: TemplateV1,
    #[serde(borrow)]
    standing: Cow<'a, str>,
    #[serde(borrow)]
    created: MarkV1<'a>,
    #[serde(borrow)]
    changed: MarkV1<'a>,
}

impl<'a> StrategyV1<'a> {
    fn new(strategy: &'a Strategy) -> Result<Self, Unstorable> {
        Ok(Self {
            strategy: strategy.id.0,
            mrid: strategy.mrid.as_str().into(),
            name: strategy.name.as_str().into(),
            program: strategy.program.0,
            group: strategy.group.0,
            trigger: match &strategy.trigger {
                Trigger::Calendar(calendar) => TriggerV1::Calendar(calendar.into()),
                Trigger::Threshold(threshold) => TriggerV1::Threshold(ThresholdV1::new(threshold)?),
            },
            template: TemplateV1::new(&strategy.template)?,
            standing: strategy.standing.name().into(),
            created: (&strategy.created).into(),
            changed: (&strategy.changed).into(),
        })
    }

    fn read(self) -> Result<StrategyEvent, RecordError> {
        Ok(StrategyEvent::Put(Box::new(Strategy {
            id: StrategyId(self.strategy),
            mrid: text("mrid", &self.mrid)?,
            name: text("name", &self.name)?,
            program: DemandResponseProgramId(self.program),
            group: GroupId(self.group),
            trigger: match self.trigger {
                TriggerV1::Calendar(calendar) => Trigger::Calendar(calendar.read()?),
                TriggerV1::Threshold(threshold) => Trigger::Threshold(threshold.read()?),
            },
            template: self.template.read(),
            standing: standing(&self.standing)?,
            created: self.created.read()?,
            changed: self.changed.read()?,
        })))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoodV1<'a> {
    strategy: u32,
    #[serde(borrow)]
    standing: Cow<'a, str>,
    #[serde(borrow)]
    mark: MarkV1<'a>,
}

/// A dispatch by index, a reason, or why it was too late.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeV1<'a> {
    Created(u32),
    #[serde(borrow)]
    Refused(Cow<'a, str>),
    MissedDown,
    MissedOpen(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OccurredV1<'a> {
    strategy: u32,
    start_ms: i64,
    decided_ms: i64,
    #[serde(borrow)]
    outcome: OutcomeV1<'a>,
}

impl<'a> OccurredV1<'a> {
    fn new(id: StrategyId, occurrence: &'a Occurrence) -> Self {
        Self {
            strategy: id.0,
            start_ms: occurrence.start.millis(),
            decided_ms: occurrence.decided.millis(),
            outcome: match &occurrence.outcome {
                Outcome::Created(dispatch) => OutcomeV1::Created(dispatch.0),
                Outcome::Refused(reason) => OutcomeV1::Refused(reason.as_str().into()),
                Outcome::Missed(Missed::Down) => OutcomeV1::MissedDown,
                Outcome::Missed(Missed::Open(dispatch)) => OutcomeV1::MissedOpen(dispatch.0),
            },
        }
    }

    fn read(&self) -> Result<StrategyEvent, RecordError> {
        let occurrence = Occurrence {
            start: Timestamp::from_millis(self.start_ms),
            decided: Timestamp::from_millis(self.decided_ms),
            outcome: match &self.outcome {
                OutcomeV1::Created(dispatch) => Outcome::Created(DispatchId(*dispatch)),
                OutcomeV1::Refused(reason) => Outcome::Refused(text("refused", reason)?),
                OutcomeV1::MissedDown => Outcome::Missed(Missed::Down),
                OutcomeV1::MissedOpen(dispatch) => {
                    Outcome::Missed(Missed::Open(DispatchId(*dispatch)))
                }
            },
        };
        let id = StrategyId(self.strategy);
        Ok(StrategyEvent::Occurred(id, occurrence))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RearmedV1 {
    strategy: u32,
    at_ms: i64,
}
