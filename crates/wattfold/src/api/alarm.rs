//! Alarms by ISA-18.2: what needs an operator's action, who has seen it and what is put aside.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

use axum::Json;
use axum::extract::State;
use fleet::alarm::{Alarm, Condition, Detail, Kind, Priority, State as Stand, Subject};
use fleet::{AlarmCommand, AlarmId, Command, Fleet, Note};
use serde::{Deserialize, Serialize};
use units::Watts;
use utoipa::{IntoParams, ToSchema};

use crate::api::page::{Direction, Page, PageQuery, Slice};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named, Params};
use crate::api::settings_profile::author;
use crate::api::value::Time;
use crate::api::{Api, assignment, der, dispatch, microgrid, strategy};
use crate::auth::Principal;

/// Most alarms acknowledged by one request.
pub const MAX_ACKNOWLEDGED: usize = 1_000;

/// How urgent an alarm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmPriority {
    /// To be dealt with first.
    High,
    /// To be dealt with next.
    Medium,
    /// To be dealt with when the others are.
    Low,
}

/// Where an alarm stands (ANSI/ISA-18.2-2016).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Nothing is to be done; it is not listed any more.
    Normal,
    /// Its condition is there and nobody has seen it.
    Unacknowledged,
    /// Its condition is there and somebody has seen it.
    Acknowledged,
    /// Its condition went away before anybody had seen it.
    ReturnedUnacknowledged,
    /// Put aside by an operator for a time.
    Shelved,
    /// Not shown, by design.
    Suppressed,
    /// Not shown, being out of service.
    OutOfService,
}

/// What an alarm is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlarmSubject {
    /// This server.
    Server,
    /// IEC 61968 mRID of a DER.
    Der(String),
    /// IEEE 2030.5 mRID of a node of the hierarchy: the DER at or below it.
    Assignment(String),
    /// Number of an aggregator: the DER that it stands in for.
    Aggregator(u32),
    /// IEC 61968 mRID of a dispatch.
    Dispatch(String),
    /// Name of a shared limit.
    Limit(String),
    /// IEC 61968 mRID of a microgrid; of a rule, its members too.
    Microgrid(String),
    /// mRID of a strategy.
    Strategy(String),
}

/// What is known of a condition; a field that is absent says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct AlarmDetail {
    /// When the DER, or the last of them, was heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_heard_at: Option<Time>,
    /// Number of DER, or of times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Number of DER of the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_count: Option<u32>,
    /// Power as found, in W, injection positive; of an import limit, import positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_w: Option<f64>,
    /// The bound or target, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_w: Option<f64>,
    /// By how much a clock is off, in s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_s: Option<f64>,
}

/// Who has seen an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AcknowledgementView {
    /// Name of the account.
    pub by: String,
    /// When.
    pub at: Time,
    /// A remark.
    #[schema(required)]
    pub note: Option<String>,
}

/// An alarm put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShelfView {
    /// Name of the account.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Time,
    /// Until when.
    pub until: Time,
}

/// An alarm that is not back to normal.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AlarmView {
    /// Its number.
    pub id: u32,
    /// Its kind, a row of `/api/v1/alarms/kinds`.
    pub kind: String,
    /// How urgent it is.
    pub priority: AlarmPriority,
    /// Where it stands.
    pub state: AlarmState,
    /// Whether its condition is there, whether or not it is shown.
    pub is_there: bool,
    /// What it is about.
    pub subject: AlarmSubject,
    /// What people call that.
    pub subject_name: String,
    /// What is known of it.
    pub detail: AlarmDetail,
    /// What the operator does.
    pub action: String,
    /// When its condition occurred last.
    pub raised_at: Time,
    /// When its condition went away.
    #[schema(required)]
    pub returned_at: Option<Time>,
    /// How often it has been annunciated since it was last normal.
    pub annunciations_count: u32,
    /// Who has seen it since it was last annunciated.
    #[schema(required)]
    pub acknowledged: Option<AcknowledgementView>,
    /// While it is shelved.
    #[schema(required)]
    pub shelved: Option<ShelfView>,
    /// Number of the rule by which it is not shown.
    #[schema(required)]
    pub suppression: Option<u32>,
}

/// Which alarms are wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlarmQuery {
    /// Where they stand.
    #[param(inline)]
    pub state: Option<AlarmState>,
    /// How urgent they are.
    #[param(inline)]
    pub priority: Option<AlarmPriority>,
    /// Name of their kind.
    pub kind: Option<String>,
    /// IEC 61968 mRID of the DER that they are about.
    pub der: Option<String>,
    /// IEEE 2030.5 mRID of a node of the hierarchy at or below which what they are about is.
    pub place: Option<String>,
    /// Most items to answer with, 1 to 1000; 100 without it.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<u32>,
}

/// A remark on an acknowledgement.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// A remark, 1 to 512 characters.
    pub note: Option<String>,
}

/// Alarms to acknowledge.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeManyRequest {
    /// Their numbers, at most 1000.
    pub ids: Vec<u32>,
    /// A remark, 1 to 512 characters.
    pub note: Option<String>,
}

/// An alarm to put aside.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShelveRequest {
    /// Why, 1 to 512 characters.
    pub reason: String,
    /// Until when, at most a day ahead.
    pub until: Time,
}

/// What became of an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ChangedAlarm {
    /// Its number.
    pub id: u32,
    /// Where it stands now.
    pub state: AlarmState,
    /// The alarm; null when it is back to normal.
    #[schema(required)]
    pub alarm: Option<AlarmView>,
}

/// What became of several acknowledgements.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AcknowledgedMany {
    /// Number of alarms that have been seen now, by this request or before.
    pub acknowledged_count: usize,
    /// Those that could not be.
    pub refused: Vec<RefusedAlarm>,
}

/// An alarm that could not be acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedAlarm {
    /// Its number.
    pub id: u32,
    /// Why.
    pub detail: String,
}

/// How many alarms there are: data of the `alarms` event of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlarmCounts {
    /// Grows with every change of any alarm.
    pub revision: u64,
    /// Shown, with the condition there and not seen.
    pub unacknowledged_count: usize,
    /// Shown and seen.
    pub acknowledged_count: usize,
    /// Shown, with the condition gone before it was seen.
    pub returned_unacknowledged_count: usize,
    /// Put aside or not shown by a rule.
    pub hidden_count: usize,
    /// Of those shown, of high priority.
    pub high_count: usize,
    /// Of those shown, of medium priority.
    pub medium_count: usize,
    /// Of those shown, of low priority.
    pub low_count: usize,
}

/// List the alarms that are not back to normal, oldest first.
#[utoipa::path(get, path = "/api/v1/alarms", operation_id = "list_alarms", tag = "alarms", params(AlarmQuery),
    responses((status = 200, body = Page<AlarmView>), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    Params(query): Params<AlarmQuery>,
) -> Result<Json<Page<AlarmView>>, Problem> {
    api.world(|world| page(world.fleet, &query)).map(Json)
}

/// Show one alarm.
#[utoipa::path(get, path = "/api/v1/alarms/{id}", operation_id = "show_alarm", tag = "alarms",
    params(("id" = u32, Path, description = "Number of the alarm")),
    responses((status = 200, body = AlarmView), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(id): Named,
) -> Result<Json<AlarmView>, Problem> {
    api.world(|world| Ok(Json(view(world.fleet, find(world.fleet, &id)?))))
}

/// Say that an alarm has been seen. Of two who say so the first is kept.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/acknowledge", operation_id = "acknowledge_alarm", tag = "alarms",
    params(("id" = u32, Path, description = "Number of the alarm")),
    request_body = AcknowledgeRequest,
    responses((status = 200, body = ChangedAlarm), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn acknowledge(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
    Body(request): Body<AcknowledgeRequest>,
) -> Result<Json<ChangedAlarm>, Problem> {
    let note = request.note.as_deref().map(note).transpose()?;
    let by = author(&principal)?;
    change(&api, &principal, &id, |id| {
        AlarmCommand::Acknowledge(id, by, note)
    })
    .await
}

/// Say of several alarms that they have been seen, each on its own.
#[utoipa::path(post, path = "/api/v1/alarms/acknowledge", operation_id = "acknowledge_alarms", tag = "alarms",
    request_body = AcknowledgeManyRequest,
    responses((status = 200, body = AcknowledgedMany), (status = 422, body = Problem)))]
pub(super) async fn acknowledge_many(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<AcknowledgeManyRequest>,
) -> Result<Json<AcknowledgedMany>, Problem> {
    if MAX_ACKNOWLEDGED < request.ids.len() {
        let rule = format!("has at most {MAX_ACKNOWLEDGED}");
        return Err(Problem::field("ids", rule));
    }
    let note = request.note.as_deref().map(note).transpose()?;
    let by = author(&principal)?;
    let ids = request.ids.iter();
    let commands = ids.map(|id| {
        let command = AlarmCommand::Acknowledge(AlarmId(*id), by.clone(), note.clone());
        Command::Alarm(command)
    });
    let outcomes = api.commands(&principal, commands.collect()).await?;
    let mut refused = Vec::new();
    for (id, outcome) in request.ids.iter().zip(&outcomes) {
        if let Err(problem) = outcome {
            refused.push(RefusedAlarm {
                id: *id,
                detail: problem.detail.clone(),
            });
        }
    }
    Ok(Json(AcknowledgedMany {
        acknowledged_count: outcomes.len() - refused.len(),
        refused,
    }))
}

/// Put an alarm aside for a time.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/shelve", operation_id = "shelve_alarm", tag = "alarms",
    params(("id" = u32, Path, description = "Number of the alarm")),
    request_body = ShelveRequest,
    responses((status = 200, body = ChangedAlarm), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn shelve(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
    Body(request): Body<ShelveRequest>,
) -> Result<Json<ChangedAlarm>, Problem> {
    let reason = reason(&request.reason)?;
    let by = author(&principal)?;
    let Time(until) = request.until;
    change(&api, &principal, &id, |id| {
        AlarmCommand::Shelve(id, by, reason, until)
    })
    .await
}

/// Take an alarm off the shelf before its time.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/unshelve", operation_id = "unshelve_alarm", tag = "alarms",
    params(("id" = u32, Path, description = "Number of the alarm")),
    responses((status = 200, body = ChangedAlarm), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn unshelve(
    State(api): State<Api>,
    principal: Principal,
    Named(id): Named,
) -> Result<Json<ChangedAlarm>, Problem> {
    let by = author(&principal)?;
    change(&api, &principal, &id, |id| {
        AlarmCommand::Unshelve(id, Some(by))
    })
    .await
}

async fn change(
    api: &Api,
    principal: &Principal,
    id: &str,
    command: impl FnOnce(AlarmId) -> AlarmCommand,
) -> Result<Json<ChangedAlarm>, Problem> {
    let id = api.world(|world| find(world.fleet, id).map(|alarm| alarm.id))?;
    api.command_one(principal, Command::Alarm(command(id)))
        .await?;
    let alarm = api.world(|world| {
        let alarm = world.fleet.alarms().alarm(id);
        alarm.map(|alarm| view(world.fleet, alarm))
    });
    Ok(Json(ChangedAlarm {
        id: id.0,
        state: alarm
            .as_ref()
            .map_or(AlarmState::Normal, |alarm| alarm.state),
        alarm,
    }))
}

/// How many alarms there are.
pub(super) fn counts(fleet: &Fleet) -> AlarmCounts {
    let book = fleet.alarms();
    let mut counts = AlarmCounts {
        revision: book.revision(),
        ..AlarmCounts::default()
    };
    for alarm in book.alarms() {
        match alarm.state {
            Stand::Normal => {}
            Stand::Unacknowledged => counts.unacknowledged_count += 1,
            Stand::Acknowledged => counts.acknowledged_count += 1,
            Stand::ReturnedUnacknowledged => counts.returned_unacknowledged_count += 1,
            Stand::Shelved | Stand::Suppressed | Stand::OutOfService => counts.hidden_count += 1,
        }
        if alarm.state.is_annunciated() {
            match alarm.priority() {
                Priority::High => counts.high_count += 1,
                Priority::Medium => counts.medium_count += 1,
                Priority::Low => counts.low_count += 1,
            }
        }
    }
    counts
}

fn find<'a>(fleet: &'a Fleet, id: &str) -> Result<&'a Alarm, Problem> {
    let number = id.parse().ok().map(AlarmId);
    let found = number.and_then(|id| fleet.alarms().alarm(id));
    found.ok_or_else(|| Problem::not_found("alarm", id))
}

fn page(fleet: &Fleet, query: &AlarmQuery) -> Result<Page<AlarmView>, Problem> {
    let kind = query.kind.as_deref().map(kind).transpose()?;
    let about = match &query.der {
        Some(mrid) => Some(Subject::Der(der::find(fleet, mrid)?.id)),
        None => None,
    };
    let place = match &query.place {
        Some(mrid) => Some(Subject::Assignment(assignment::find(fleet, mrid)?.id)),
        None => None,
    };
    let wanted = fleet.alarms().alarms().filter(|alarm| {
        query.state.is_none_or(|state| state == alarm.state.into())
            && query
                .priority
                .is_none_or(|priority| priority == alarm.priority().into())
            && kind.is_none_or(|kind| kind == alarm.kind)
            && about.as_ref().is_none_or(|about| *about == alarm.subject)
            && place
                .as_ref()
                .is_none_or(|place| place.covers(fleet, &alarm.subject))
    });
    let page = PageQuery {
        limit: query.limit,
        after: query.after,
    };
    let slice = Slice::cut(wanted, |alarm| alarm.id.0, Direction::Ascending, &page)?;
    Ok(slice.render(|alarm| view(fleet, alarm)))
}

fn view(fleet: &Fleet, alarm: &Alarm) -> AlarmView {
    let rationale = alarm.kind.rationale();
    let (subject, subject_name) = subject_view(fleet, &alarm.subject);
    let acknowledged = alarm.acknowledged.as_ref().map(|it| AcknowledgementView {
        by: it.by.to_string(),
        at: it.at.into(),
        note: it.note.as_ref().map(Note::to_string),
    });
    let shelved = alarm.shelf.as_ref().map(|shelf| ShelfView {
        by: shelf.by.to_string(),
        reason: shelf.reason.to_string(),
        at: shelf.at.into(),
        until: shelf.until.into(),
    });
    AlarmView {
        id: alarm.id.0,
        kind: rationale.name.to_owned(),
        priority: rationale.priority.into(),
        state: alarm.state.into(),
        is_there: alarm.condition == Condition::Abnormal,
        subject,
        subject_name,
        detail: alarm.detail.into(),
        action: rationale.action.to_owned(),
        raised_at: alarm.raised.into(),
        returned_at: alarm.returned.map(Time),
        annunciations_count: alarm.annunciations,
        acknowledged,
        shelved,
        suppression: alarm.suppression.map(|id| id.0),
    }
}

/// What an alarm is about, and what people call it.
pub(super) fn subject_view(fleet: &Fleet, subject: &Subject) -> (AlarmSubject, String) {
    match subject {
        Subject::Server => (AlarmSubject::Server, "server".to_owned()),
        Subject::Der(id) => {
            let der = fleet.der(*id);
            let mrid = der.map_or_else(String::new, |der| der.mrid.to_string());
            let name = der.map_or_else(String::new, |der| der.name.to_string());
            (AlarmSubject::Der(mrid), name)
        }
        Subject::Assignment(id) => {
            let node = fleet.assignment(*id);
            let mrid = node.map_or_else(String::new, |node| node.mrid.to_string());
            let name = node.map_or_else(String::new, |node| node.name.to_string());
            (AlarmSubject::Assignment(mrid), name)
        }
        Subject::Aggregator(id) => {
            let aggregator = fleet.aggregator(*id);
            let name = aggregator.map_or_else(String::new, |it| it.name.to_string());
            (AlarmSubject::Aggregator(id.0), name)
        }
        Subject::Dispatch(id) => {
            let dispatch = fleet.dispatch(*id);
            let mrid = dispatch.map_or_else(String::new, |it| it.mrid.to_string());
            let name = dispatch.and_then(|it| it.name.as_ref());
            let name = name.map_or_else(|| mrid.clone(), ToString::to_string);
            (AlarmSubject::Dispatch(mrid), name)
        }
        Subject::Limit(name) => (AlarmSubject::Limit(name.to_string()), name.to_string()),
        Subject::Microgrid(id) => {
            let microgrid = fleet.microgrids().microgrid(*id).map(|(it, _)| it);
            let mrid = microgrid.map_or_else(String::new, |it| it.mrid.to_string());
            let name = microgrid.map_or_else(|| "removed".to_owned(), |it| it.name.to_string());
            (AlarmSubject::Microgrid(mrid), name)
        }
        Subject::Strategy(id) => {
            let strategy = fleet.strategies().strategy(*id).map(|(it, _)| it);
            let mrid = strategy.map_or_else(String::new, |it| it.mrid.to_string());
            let name = strategy.map_or_else(|| "removed".to_owned(), |it| it.name.to_string());
            (AlarmSubject::Strategy(mrid), name)
        }
    }
}

/// What a rule is to be about.
pub(super) fn read_subject(fleet: &Fleet, given: &AlarmSubject) -> Result<Subject, Problem> {
    let at = |field: &str, rule: &str| Problem::field(format!("subject.{field}"), rule);
    Ok(match given {
        AlarmSubject::Server => Subject::Server,
        AlarmSubject::Der(mrid) => {
            let found = der::find(fleet, mrid);
            Subject::Der(found.map_err(|_| at("der", "is no DER's mRID"))?.id)
        }
        AlarmSubject::Assignment(mrid) => {
            let found = assignment::find(fleet, mrid);
            let found = found.map_err(|_| at("assignment", "is no assignment's mRID"))?;
            Subject::Assignment(found.id)
        }
        AlarmSubject::Aggregator(number) => {
            let found = fleet.aggregator(fleet::AggregatorId(*number));
            let found = found.ok_or_else(|| at("aggregator", "is no aggregator's number"))?;
            Subject::Aggregator(found.id)
        }
        AlarmSubject::Dispatch(mrid) => {
            let found = dispatch::find(fleet, mrid);
            let found = found.map_err(|_| at("dispatch", "is no dispatch's mRID"))?;
            Subject::Dispatch(found.id)
        }
        AlarmSubject::Limit(name) => {
            let name = fleet::Name::new(name);
            Subject::Limit(name.map_err(|error| at("limit", &error.to_string()))?)
        }
        AlarmSubject::Microgrid(mrid) => {
            let found = microgrid::find(fleet, mrid);
            let found = found.map_err(|_| at("microgrid", "is no microgrid's mRID"))?;
            Subject::Microgrid(found.0.id)
        }
        AlarmSubject::Strategy(mrid) => {
            let found = strategy::find(fleet, mrid);
            let found = found.map_err(|_| at("strategy", "is no strategy's mRID"))?;
            Subject::Strategy(found.0.id)
        }
    })
}

/// The kind of this name.
pub(super) fn kind(name: &str) -> Result<Kind, Problem> {
    Kind::of(name).ok_or_else(|| Problem::field("kind", "is no kind of alarm"))
}

/// Why something is not to be shown.
pub(super) fn reason(given: &str) -> Result<Note, Problem> {
    Note::new(given).map_err(|error| Problem::field("reason", error.to_string()))
}

fn note(given: &str) -> Result<Note, Problem> {
    Note::new(given).map_err(|error| Problem::field("note", error.to_string()))
}

impl From<Priority> for AlarmPriority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::High => Self::High,
            Priority::Medium => Self::Medium,
            Priority::Low => Self::Low,
        }
    }
}

impl From<Stand> for AlarmState {
    fn from(state: Stand) -> Self {
        match state {
            Stand::Normal => Self::Normal,
            Stand::Unacknowledged => Self::Unacknowledged,
            Stand::Acknowledged => Self::Acknowledged,
            Stand::ReturnedUnacknowledged => Self::ReturnedUnacknowledged,
            Stand::Shelved => Self::Shelved,
            Stand::Suppressed => Self::Suppressed,
            Stand::OutOfService => Self::OutOfService,
        }
    }
}

impl From<Detail> for AlarmDetail {
    fn from(detail: Detail) -> Self {
        let none = Self::default();
        match detail {
            Detail::Plain => none,
            Detail::LastHeard(at) => Self {
                last_heard_at: Some(at.into()),
                ..none
            },
            Detail::Members {
                count,
                of,
                last_heard,
            } => Self {
                count: Some(count),
                of_count: Some(of),
                last_heard_at: Some(last_heard.into()),
                ..none
            },
            Detail::Power { found, bound } => Self {
                found_w: Some(Watts::as_f64(found)),
                bound_w: Some(Watts::as_f64(bound)),
                ..none
            },
            Detail::Count(count) => Self {
                count: Some(count),
                ..none
            },
            Detail::Off(duration) => Self {
                off_s: Some(duration.as_secs_f64()),
                ..none
            },
        }
    }
}
