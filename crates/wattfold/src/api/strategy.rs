//! Strategies: what makes dispatches for a demand response programme by itself.

use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use fleet::dispatch::assess::World;
use fleet::enrolment::DemandResponseProgramId;
use fleet::strategy::{
    Calendar, Flow, Gauge, Level, NewStrategy, Progress, Standing, Strategy, Template, Threshold,
    Trigger,
};
use fleet::{CimMrid, Command, DispatchPhase, Fleet, GroupId, Name, StrategyCommand};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use units::{Date, Watts, Weekday};
use utoipa::ToSchema;

use crate::api::aim::{AimView, MAX_TARGET_W};
use crate::api::approval::DispatchPriority;
use crate::api::control_base::percent;
use crate::api::dispatch::{DispatchObjective, DispatchPublication, GroupRef};
use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::settings_profile::author;
use crate::api::site::{index, name as mrid_of};
use crate::api::strategy_occurrence::{self, StrategyOccurrence};
use crate::api::value::Time;
use crate::api::{Api, fresh_mrid};
use crate::auth::Principal;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeekdayView {
    /// Day 1.
    Monday,
    /// Day 2.
    Tuesday,
    /// Day 3.
    Wednesday,
    /// Day 4.
    Thursday,
    /// Day 5.
    Friday,
    /// Day 6.
    Saturday,
    /// Day 7.
    Sunday,
}

/// Whether a strategy acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StrategyStanding {
    /// It does.
    Running,
    /// Not until it is resumed.
    Paused,
    /// Not any more.
    Retired,
}

/// Which way power counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowView {
    /// Injection.
    Export,
    /// Absorption.
    Import,
}

/// A local time of certain days, by the time zone of the server's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarTrigger {
    /// Days of the week; all when empty.
    #[serde(default)]
    pub weekdays: Vec<WeekdayView>,
    /// Months, 1 to 12; all when empty.
    #[serde(default)]
    pub months: Vec<u8>,
    /// Local time at which the dispatch begins, such as `17:00` or `17:00:30`. One that a change of the
    /// clock leaves out is when the clock is changed; of one that comes twice the first counts.
    pub start: String,
    /// Local dates such as `2026-12-25` on which nothing happens, at most 1000.
    #[serde(default)]
    pub excluded_dates: Vec<String>,
}

/// A measured power that is beyond a level: of the members of a group, or of a shared limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdTrigger {
    /// mRID of the group whose net power counts. Of this and `limit` exactly one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Which way the power of the group counts; `import` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowView>,
    /// Name of the shared limit to which DER contribute, as alarms name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// A dispatch is wanted above this, in W. Of this and `above_pct` exactly one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_w: Option<f64>,
    /// A dispatch is wanted above this share of the limit, in percent, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_pct: Option<f64>,
    /// It has to have been below this, in W, before the next one is wanted; as `above_w` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_w: Option<f64>,
    /// The same as a share of the limit, in percent; as `above_pct` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_pct: Option<f64>,
    /// For how long it has to be above without a break, in s, at most a day.
    #[serde(default)]
    pub lasting_s: u32,
    /// Least time between the end of a dispatch, or a refusal, and the next one, in s: 60 to 604800.
    pub pause_s: u32,
}

/// When a dispatch is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StrategyTrigger {
    /// At a local time of certain days.
    Calendar(CalendarTrigger),
    /// When a measured power has been beyond a level for some time.
    Threshold(ThresholdTrigger),
}

/// What a dispatch of a strategy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyTemplate {
    /// What is wanted of the group.
    pub aim: AimView,
    /// For how long, in s, 1 to 86400.
    pub duration_s: u32,
    /// So long before its start it is made, in s, at most 604800.
    #[serde(default)]
    pub lead_s: u32,
    /// How long the ramp may take, in s; as for any dispatch when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp_s: Option<u32>,
    /// How urgent it is.
    #[serde(default)]
    pub priority: DispatchPriority,
    /// By what members are chosen.
    #[serde(default)]
    pub objective: DispatchObjective,
    /// Whether it is let out by itself once every approval is there, or waits for a command.
    #[serde(default)]
    pub publish: DispatchPublication,
    /// Over how long members let go at its end, in s, at most 3600.
    #[serde(default)]
    pub release_s: u32,
}

/// A strategy to create, or what one is to be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyRequest {
    /// What it is called, 1 to 64 characters; its dispatches are called so too.
    pub name: String,
    /// mRID of the demand response programme whose events its dispatches are; its terms hold.
    pub program: String,
    /// mRID of the group that delivers.
    pub group: String,
    /// When a dispatch is wanted.
    pub trigger: StrategyTrigger,
    /// What it asks for.
    pub template: StrategyTemplate,
}

/// A strategy.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StrategyView {
    /// Its identity; the mRIDs of its dispatches begin with it.
    pub mrid: String,
    /// What it is called.
    pub name: String,
    /// mRID of the demand response programme whose events its dispatches are.
    pub program: String,
    /// The group that delivers; null once it is deleted.
    #[schema(required)]
    pub group: Option<GroupRef>,
    /// When a dispatch is wanted.
    pub trigger: StrategyTrigger,
    /// What it asks for.
    pub template: StrategyTemplate,
    /// Whether it acts.
    pub standing: StrategyStanding,
    /// When its next dispatch begins by the calendar, within 366 days; null where none does.
    #[schema(required)]
    pub next_at: Option<Time>,
    /// mRID of its dispatch that is not over; null when none is open.
    #[schema(required)]
    pub open_dispatch: Option<String>,
    /// Its last occurrence where that came to nothing and nobody has changed it since; else null.
    #[schema(required)]
    pub failure: Option<StrategyOccurrence>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Time,
    /// Who has last changed what it is or whether it acts; the author of its dispatches.
    pub changed_by: String,
    /// When.
    pub changed_at: Time,
}

/// What makes dispatches by itself.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/strategies", get(list).post(create))
        .route("/strategies/{mrid}", get(show).put(put).delete(retire))
        .route("/strategies/{mrid}/pause", post(pause))
        .route("/strategies/{mrid}/resume", post(resume))
        .route(
            "/strategies/{mrid}/occurrences",
            get(strategy_occurrence::list),
        )
        .route(
            "/strategies/{mrid}/preview",
            get(strategy_occurrence::preview),
        )
}

/// List the strategies, in order of creation; the last 1000 retired ones with them.
#[utoipa::path(get, path = "/api/v1/strategies", operation_id = "list_strategies", tag = "strategies", params(PageQuery),
    responses((status = 200, body = Page<StrategyView>), (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Page<StrategyView>>, Problem> {
    api.world(|world| {
        let all = world.fleet.strategies().strategies();
        let slice = Slice::cut(all, |(it, _)| it.id.0, Direction::Ascending, &query)?;
        Ok(Json(slice.render(|(it, progress)| {
            view(&api, world, (it, progress))
        })))
    })
}

/// Show one strategy.
#[utoipa::path(get, path = "/api/v1/strategies/{mrid}", operation_id = "show_strategy", tag = "strategies",
    params(("mrid" = String, Path, description = "mRID")),
    responses((status = 200, body = StrategyView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<StrategyView>, Problem> {
    api.world(|world| Ok(Json(view(&api, world, find(world.fleet, &mrid)?))))
}

/// Create a strategy under an mRID of the server's.
#[utoipa::path(post, path = "/api/v1/strategies", operation_id = "create_strategy", tag = "strategies",
    request_body = StrategyRequest,
    responses((status = 201, body = StrategyView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<StrategyRequest>,
) -> Result<(StatusCode, Json<StrategyView>), Problem> {
    let mrid = fresh_mrid();
    let path = mrid.to_string();
    set(&api, &principal, mrid, &request).await?;
    let row = show(State(api), Named(path)).await?;
    Ok((StatusCode::CREATED, row))
}

/// Create a strategy, or change what it is. What was to begin before the change is not made any more;
/// a dispatch that it has made stays.
#[utoipa::path(put, path = "/api/v1/strategies/{mrid}", operation_id = "put_strategy", tag = "strategies",
    params(("mrid" = String, Path, description = "mRID, at most 46 characters")), request_body = StrategyRequest,
    responses((status = 200, body = StrategyView), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<StrategyRequest>,
) -> Result<Json<StrategyView>, Problem> {
    set(&api, &principal, mrid_of(&mrid)?, &request).await?;
    show(State(api), Named(mrid)).await
}

/// Retire a strategy. What came of it is kept, and a dispatch that is open stays.
#[utoipa::path(delete, path = "/api/v1/strategies/{mrid}", operation_id = "retire_strategy", tag = "strategies",
    params(("mrid" = String, Path, description = "mRID")),
    responses((status = 204, description = "Retired"), (status = 404, body = Problem)))]
pub(super) async fn retire(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<StatusCode, Problem> {
    stand(&api, &principal, &mrid, Standing::Retired).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause a strategy. A dispatch that is open stays.
#[utoipa::path(post, path = "/api/v1/strategies/{mrid}/pause", operation_id = "pause_strategy", tag = "strategies",
    params(("mrid" = String, Path, description = "mRID")),
    responses((status = 200, body = StrategyView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn pause(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<Json<StrategyView>, Problem> {
    stand(&api, &principal, &mrid, Standing::Paused).await?;
    show(State(api), Named(mrid)).await
}

/// Resume a strategy. What was to begin during the pause is not made.
#[utoipa::path(post, path = "/api/v1/strategies/{mrid}/resume", operation_id = "resume_strategy", tag = "strategies",
    params(("mrid" = String, Path, description = "mRID")),
    responses((status = 200, body = StrategyView), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn resume(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<Json<StrategyView>, Problem> {
    stand(&api, &principal, &mrid, Standing::Running).await?;
    show(State(api), Named(mrid)).await
}

/// The strategy of this mRID, or the answer that there is none.
pub(super) fn find<'a>(
    fleet: &'a Fleet,
    mrid: &str,
) -> Result<(&'a Strategy, &'a Progress), Problem> {
    let known = CimMrid::new(mrid).ok();
    let found = known.and_then(|mrid| fleet.strategies().by_mrid(&mrid));
    found.ok_or_else(|| Problem::not_found("strategy", mrid))
}

async fn set(
    api: &Api,
    principal: &Principal,
    mrid: CimMrid,
    request: &StrategyRequest,
) -> Result<(), Problem> {
    let by = author(principal)?;
    let new = api.world(|world| request.read(world.fleet, mrid, by))?;
    let command = StrategyCommand::Put(Box::new(new));
    api.command_one(principal, Command::Strategy(command))
        .await?;
    Ok(())
}

async fn stand(
    api: &Api,
    principal: &Principal,
    mrid: &str,
    standing: Standing,
) -> Result<(), Problem> {
    let by = author(principal)?;
    let id = api.world(|world| find(world.fleet, mrid).map(|(it, _)| it.id))?;
    let command = StrategyCommand::Stand(id, standing, by);
    api.command_one(principal, Command::Strategy(command))
        .await?;
    Ok(())
}

fn group_of(fleet: &Fleet, field: &str, mrid: &str) -> Result<GroupId, Problem> {
    let known = CimMrid::new(mrid).ok();
    let found = known.and_then(|mrid| fleet.group_by_mrid(&mrid));
    let found = found.ok_or_else(|| Problem::field(field, "is not the mRID of a group"));
    Ok(found?.id)
}

const fn secs(secs: u32) -> Duration {
    Duration::from_secs(secs as u64)
}

fn in_secs(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

impl StrategyRequest {
    fn read(&self, fleet: &Fleet, mrid: CimMrid, by: Name) -> Result<NewStrategy, Problem> {
        let name = Name::new(&self.name);
        let programs = fleet.enrolment().programs();
        let trigger = match &self.trigger {
            StrategyTrigger::Calendar(given) => {
                let read = given.read();
                let calendar = read.map_err(|problem| problem.under("trigger.calendar"));
                Trigger::Calendar(calendar?)
            }
            StrategyTrigger::Threshold(given) => {
                let read = given.read(fleet);
                let threshold = read.map_err(|problem| problem.under("trigger.threshold"));
                Trigger::Threshold(threshold?)
            }
        };
        Ok(NewStrategy {
            mrid,
            name: name.map_err(|error| Problem::field("name", error.to_string()))?,
            program: DemandResponseProgramId(index(programs, "program", &self.program)?),
            group: group_of(fleet, "group", &self.group)?,
            trigger,
            template: self.template.read()?,
            by,
        })
    }
}

impl CalendarTrigger {
    fn read(&self) -> Result<Calendar, Problem> {
        if Calendar::MAX_EXCLUDED_DATES < self.excluded_dates.len() {
            let rule = format!("has at most {} dates", Calendar::MAX_EXCLUDED_DATES);
            return Err(Problem::field("excluded_dates", rule));
        }
        let date = |text: &String| {
            let found = read_date(text);
            found.ok_or_else(|| Problem::field("excluded_dates", "are dates such as 2026-12-25"))
        };
        let start = read_time(&self.start);
        Ok(Calendar {
            weekdays: self.weekdays.iter().map(|day| (*day).into()).collect(),
            months: self.months.iter().copied().collect(),
            start_s: start
                .ok_or_else(|| Problem::field("start", "is a time of the day such as 17:00"))?,
            excluded: self
                .excluded_dates
                .iter()
                .map(date)
                .collect::<Result<_, _>>()?,
        })
    }

    fn of(calendar: &Calendar) -> Self {
        let (minutes, second) = (calendar.start_s / 60, calendar.start_s % 60);
        let start = format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let date = |date: &Date| format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
        Self {
            weekdays: calendar.weekdays.iter().map(|day| (*day).into()).collect(),
            months: calendar.months.iter().copied().collect(),
            start: match second {
                0 => start,
                second => format!("{start}:{second:02}"),
            },
            excluded_dates: calendar.excluded.iter().map(date).collect(),
        }
    }
}

/// A date in the extended format of ISO 8601.
fn read_date(text: &str) -> Option<Date> {
    let [year, month, day] = numbers(text, '-')?[..] else {
        return None;
    };
    Date::new(year.into(), month.try_into().ok()?, day.try_into().ok()?)
}

/// Seconds after midnight of `hh:mm` or `hh:mm:ss`.
fn read_time(text: &str) -> Option<u32> {
    let (hour, minute, second) = match numbers(text, ':')?[..] {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let is_time = hour < 24 && minute < 60 && second < 60;
    is_time.then_some(hour * 3_600 + minute * 60 + second)
}

/// Numbers of two to four digits between separators.
fn numbers(text: &str, separator: char) -> Option<Vec<u32>> {
    let number = |part: &str| {
        let digits = (2..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    text.split(separator).map(number).collect()
}

impl ThresholdTrigger {
    fn read(&self, fleet: &Fleet) -> Result<Threshold, Problem> {
        let gauge = match (&self.group, &self.limit, self.flow) {
            (Some(group), None, flow) => {
                let flow = flow.map_or(Flow::Import, Into::into);
                Gauge::Group(group_of(fleet, "group", group)?, flow)
            }
            (None, Some(name), None) => {
                let name = Name::new(name);
                Gauge::Limit(name.map_err(|error| Problem::field("limit", error.to_string()))?)
            }
            (None, Some(_), Some(_)) => {
                return Err(Problem::field("flow", "is of a group only"));
            }
            _ => {
                let rule = "exactly one of group and limit is given";
                return Err(Problem::field("group", rule));
            }
        };
        let above = level(("above_w", self.above_w), ("above_pct", self.above_pct))?;
        let above = above.ok_or_else(|| {
            let rule = "exactly one of above_w and above_pct is given";
            Problem::field("above_w", rule)
        })?;
        let below = level(("below_w", self.below_w), ("below_pct", self.below_pct))?;
        Ok(Threshold {
            gauge,
            above,
            below: below.unwrap_or(above),
            lasting: secs(self.lasting_s),
            pause: secs(self.pause_s),
        })
    }

    fn of(fleet: &Fleet, threshold: &Threshold) -> Self {
        let (group, flow, limit) = match &threshold.gauge {
            Gauge::Group(id, flow) => {
                let group = fleet.group(*id).map(|group| group.mrid.to_string());
                (group, Some((*flow).into()), None)
            }
            Gauge::Limit(name) => (None, None, Some(name.to_string())),
        };
        let watts = |level: Level| match level {
            Level::Power(p) => Some(p.as_f64()),
            Level::Share(_) => None,
        };
        let share = |level: Level| match level {
            Level::Power(_) => None,
            Level::Share(share) => Some(share.as_f64()),
        };
        Self {
            group,
            flow,
            limit,
            above_w: watts(threshold.above),
            above_pct: share(threshold.above),
            below_w: watts(threshold.below),
            below_pct: share(threshold.below),
            lasting_s: in_secs(threshold.lasting),
            pause_s: in_secs(threshold.pause),
        }
    }
}

fn level(
    (field_w, w): (&str, Option<f64>),
    (field_pct, pct): (&str, Option<f64>),
) -> Result<Option<Level>, Problem> {
    match (w, pct) {
        (None, None) => Ok(None),
        (Some(w), None) if w.abs() <= MAX_TARGET_W => Ok(Some(Level::Power(Watts::from_f64(w)))),
        (Some(_), None) => {
            let rule = format!("must be within ±{MAX_TARGET_W:e}");
            Err(Problem::field(field_w, rule))
        }
        (None, Some(pct)) => Ok(Some(Level::Share(percent(field_pct, pct, 0.0)?))),
        (Some(_), Some(_)) => {
            let rule = format!("is not given with {field_w}");
            Err(Problem::field(field_pct, rule))
        }
    }
}

impl StrategyTemplate {
    fn read(&self) -> Result<Template, Problem> {
        let aim = self.aim.read();
        Ok(Template {
            aim: aim.map_err(|problem| problem.under("template.aim"))?,
            duration: secs(self.duration_s),
            lead: secs(self.lead_s),
            ramp: self.ramp_s.map(secs),
            priority: self.priority.into(),
            objective: self.objective.into(),
            publish: self.publish.into(),
            release: secs(self.release_s),
        })
    }

    fn of(template: &Template) -> Self {
        Self {
            aim: template.aim.into(),
            duration_s: in_secs(template.duration),
            lead_s: in_secs(template.lead),
            ramp_s: template.ramp.map(in_secs),
            priority: template.priority.into(),
            objective: template.objective.into(),
            publish: template.publish.into(),
            release_s: in_secs(template.release),
        }
    }
}

fn view(api: &Api, world: &World<'_>, (it, progress): (&Strategy, &Progress)) -> StrategyView {
    let fleet = world.fleet;
    let program = fleet.enrolment().programs().get(it.program.0);
    let last = progress.last_dispatch().and_then(|id| fleet.dispatch(id));
    let open = last.filter(|last| {
        !matches!(
            last.phase(world.now),
            DispatchPhase::Ended | DispatchPhase::Cancelled
        )
    });
    let failure = it.failure(progress);
    StrategyView {
        mrid: it.mrid.to_string(),
        name: it.name.to_string(),
        program: program.map_or_else(String::new, |program| program.mrid.to_string()),
        group: fleet.group(it.group).map(|group| GroupRef {
            mrid: group.mrid.to_string(),
            title: group.title().to_owned(),
        }),
        trigger: match &it.trigger {
            Trigger::Calendar(calendar) => StrategyTrigger::Calendar(CalendarTrigger::of(calendar)),
            Trigger::Threshold(threshold) => {
                StrategyTrigger::Threshold(ThresholdTrigger::of(fleet, threshold))
            }
        },
        template: StrategyTemplate::of(&it.template),
        standing: it.standing.into(),
        next_at: strategy_occurrence::next(api.node.zone(), (it, progress), world.now).map(Time),
        open_dispatch: open.map(|dispatch| dispatch.mrid.to_string()),
        failure: failure.map(|failure| StrategyOccurrence::of(fleet, failure)),
        created_by: it.created.by.to_string(),
        created_at: it.created.at.into(),
        changed_by: it.changed.by.to_string(),
        changed_at: it.changed.at.into(),
    }
}

impl From<Standing> for StrategyStanding {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Running => Self::Running,
            Standing::Paused => Self::Paused,
            Standing::Retired => Self::Retired,
        }
    }
}

impl From<Flow> for FlowView {
    fn from(flow: Flow) -> Self {
        match flow {
            Flow::Export => Self::Export,
            Flow::Import => Self::Import,
        }
    }
}

impl From<FlowView> for Flow {
    fn from(flow: FlowView) -> Self {
        match flow {
            FlowView::Export => Self::Export,
            FlowView::Import => Self::Import,
        }
    }
}

impl From<Weekday> for WeekdayView {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

impl From<WeekdayView> for Weekday {
    fn from(day: WeekdayView) -> Self {
        match day {
            WeekdayView::Monday => Self::Monday,
            WeekdayView::Tuesday => Self::Tuesday,
            WeekdayView::Wednesday => Self::Wednesday,
            WeekdayView::Thursday => Self::Thursday,
            WeekdayView::Friday => Self::Friday,
            WeekdayView::Saturday => Self::Saturday,
            WeekdayView::Sunday => Self::Sunday,
        }
    }
}
