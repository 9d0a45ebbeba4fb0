//! Bulk enrolment: files of DER with all that belongs to them, taken in a row at a time.

#![expect(
    unused_qualifications,
    reason = "what `utoipa::path` expands to has them"
)]

mod person;
mod row;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use fleet::dispatch::assess::World;
use fleet::{Command, Event, Fleet};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use store::Actor;
use units::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::api::Api;
use crate::api::problem::{FieldRule, Kind, Problem};
use crate::api::request::{Named, Params, bytes_of, is_of};
use crate::api::value::Time;
use crate::auth::Principal;
use crate::clock;

use row::ReadRow;

pub use row::ImportRow;

/// Where files go.
pub const PATH: &str = "/api/v1/imports";
/// Most bytes of one file.
pub const MAX_IMPORT_BYTES: usize = 128 * 1024 * 1024;
/// Most rows of one file.
pub const MAX_IMPORT_ROWS: usize = 250_000;
/// Rows taken in at one time, so that others' commands do not wait behind a file.
pub const ROWS_PER_TURN: usize = 500;
/// Most errors of one import that are told; more are counted.
pub const MAX_IMPORT_ERRORS: usize = 10_000;
/// Imports that are remembered, newest first.
pub const MAX_IMPORTS: usize = 16;

/// Imports of this node: one at a time, and what became of the last ones.
#[derive(Debug, Default)]
pub(super) struct Imports {
    kept: Mutex<VecDeque<Import>>,
    running: AtomicBool,
    next: AtomicU32,
}

/// How far an import has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// It goes on.
    Running,
    /// All rows have been looked at.
    Finished,
    /// The server stopped taking rows; those that are done stay, and the file can be given again.
    Stopped,
}

/// An import.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Import {
    /// Its number.
    pub id: u32,
    /// How far it has come.
    pub state: ImportState,
    /// Whether nothing is changed by it.
    pub dry_run: bool,
    /// When it began.
    pub started_at: Time,
    /// Rows of the file.
    pub rows: usize,
    /// Rows that have been looked at.
    pub done: usize,
    /// DER that are enrolled, or would be.
    pub enrolled: usize,
    /// DER that were known and of which something has changed, or would.
    pub changed: usize,
    /// DER of which everything was so already.
    pub unchanged: usize,
    /// Rows that are refused.
    pub refused: usize,
    /// Why rows are refused, at most 10000; rows are counted from 1 for the first DER.
    pub errors: Vec<FieldRule>,
}

/// The imports that are remembered.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ImportList {
    /// Newest first, at most 16; without their errors.
    pub items: Vec<Import>,
}

/// How a file is to be taken in.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Only look at every row, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// In which form an export is wanted.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// Form of the file.
    #[serde(default)]
    #[param(inline)]
    pub format: ExportFormat,
    /// Whether it tells personal data, which only accounts that the configuration names may ask.
    #[serde(default)]
    #[param(inline)]
    pub personal: PersonalColumns,
}

/// Whether a file tells personal data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PersonalColumns {
    /// Their columns are empty.
    #[default]
    LeaveOut,
    /// Their columns are filled.
    Include,
}

/// Form of a file of DER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Comma-separated values with a header.
    #[default]
    Csv,
    /// An array of objects.
    Json,
}

/// Enrol all DER of a file, with their owners, sites, service points, permissions and contracts.
///
/// The file is CSV with a header (`text/csv`) or a JSON array of objects (`application/json`); the
/// columns are the fields of an object. Each row is taken in as a whole or refused with its reason.
/// Rows are known by the mRID of the DER: a file can be given again, and changes what differs. One
/// import runs at a time, at the node that leads; its progress is under `/imports/{id}` there.
#[utoipa::path(post, path = "/api/v1/imports", operation_id = "begin_import", tag = "enrolment", params(ImportQuery),
    request_body(content((Vec<ImportRow> = "application/json"), (String = "text/csv"))),
    responses((status = 202, body = Import), (status = 400, body = Problem), (status = 409, body = Problem),
        (status = 403, body = Problem), (status = 413, body = Problem), (status = 415, body = Problem),
        (status = 421, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn begin(
    State(api): State<Api>,
    principal: Principal,
    Params(query): Params<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    if !api.node.leads() {
        let detail = "files are taken in by the node that leads, whose `/readyz` says `ready`; \
                      that of this one says `ready, following`";
        return Err(Problem::new(Kind::Misdirected, detail));
    }
    let running = Running::begin(&api)?;
    let is_csv = is_of("text/csv", &request);
    let media = if is_csv {
        "text/csv"
    } else {
        "application/json"
    };
    let bytes = bytes_of(media, request, MAX_IMPORT_BYTES).await?;
    let read = tokio::task::spawn_blocking(move || match is_csv {
        true => row::read_csv(&bytes),
        false => row::read_json(&bytes),
    });
    let rows = read.await.map_err(|_| Problem::lost())??;
    if person::says_of_persons(&rows) {
        api.may_see_persons(&principal)?;
    }
    let import = api.imports.add(rows.len(), query, clock::now());
    let id = import.id;
    let actor = Actor::Account(principal.account);
    tokio::spawn(async move {
        let finished = match query.dry_run {
            true => rehearse(&api, id, rows).await,
            false => take_in(&api, id, &actor, rows).await,
        };
        let state = match finished {
            Ok(()) => ImportState::Finished,
            Err(problem) => {
                tracing::warn!(id, detail = problem.detail, "an import stopped");
                ImportState::Stopped
            }
        };
        api.imports.note(id, |import| import.state = state);
        drop(running);
    });
    Ok((StatusCode::ACCEPTED, Json(import)).into_response())
}

/// List the imports that are remembered.
#[utoipa::path(get, path = "/api/v1/imports", operation_id = "list_imports", tag = "enrolment",
    responses((status = 200, body = ImportList)))]
pub(super) async fn list(State(api): State<Api>) -> Json<ImportList> {
    let brief = |import: &Import| Import {
        errors: Vec::new(),
        ..import.clone()
    };
    let items = api.imports.kept().iter().map(brief).collect();
    Json(ImportList { items })
}

/// Show how far an import has come, and which rows are refused.
#[utoipa::path(get, path = "/api/v1/imports/{id}", operation_id = "show_import", tag = "enrolment",
    params(("id" = u32, Path, description = "Number of the import")),
    responses((status = 200, body = Import), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    Named(id): Named,
) -> Result<Json<Import>, Problem> {
    let number = id.parse().ok();
    let kept = api.imports.kept();
    let found = kept.iter().find(|import| Some(import.id) == number);
    found
        .cloned()
        .map(Json)
        .ok_or_else(|| Problem::not_found("import", &id))
}

/// Write all DER to a file that can be imported.
#[utoipa::path(get, path = "/api/v1/exports/ders", operation_id = "export_ders", tag = "enrolment", params(ExportQuery),
    responses((status = 200, description = "The file", content((String = "text/csv"), (Vec<ImportRow> = "application/json"))),
        (status = 403, body = Problem)))]
pub(super) async fn export(
    State(api): State<Api>,
    principal: Principal,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Problem> {
    if query.personal == PersonalColumns::Include {
        api.may_see_persons(&principal)?;
    }
    let known = Api::clone(&api);
    let rows = tokio::task::spawn_blocking(move || known.world(|world| row::rows(world.fleet)));
    let mut rows = rows.await.map_err(|_| Problem::lost())?;
    if query.personal == PersonalColumns::Include {
        rows = api.tell_persons(rows).await?;
        let account = principal.account.0;
        tracing::info!(account, "personal data of all owners read");
    }
    let write = move || match query.format {
        ExportFormat::Csv => row::write_csv(&rows),
        ExportFormat::Json => serde_json::to_vec(&rows).map_err(|_| Problem::lost()),
    };
    let written = tokio::task::spawn_blocking(write).await;
    let media = match query.format {
        ExportFormat::Csv => "text/csv; charset=utf-8",
        ExportFormat::Json => "application/json",
    };
    let body = written.map_err(|_| Problem::lost())??;
    Ok(([(header::CONTENT_TYPE, media)], body).into_response())
}

/// Takes rows in, some at a time.
async fn take_in(api: &Api, id: u32, actor: &Actor, rows: Vec<ReadRow>) -> Result<(), Problem> {
    for turn in rows.chunks(ROWS_PER_TURN) {
        let now = clock::now();
        let command = |world: &World<'_>, row: &ReadRow| match row {
            Ok(row) => row.command(world.fleet, now),
            Err(problem) => Err(problem.clone()),
        };
        let read: Vec<Result<Command, Problem>> =
            api.world(|world| turn.iter().map(|row| command(world, row)).collect());
        let commands = read.iter().flatten().cloned().collect();
        let mut outcomes = api.node.command(actor.clone(), commands).await?.into_iter();
        let results = read.into_iter().map(|read| {
            read.and_then(|_| {
                outcomes
                    .next()
                    .ok_or_else(Problem::lost)?
                    .map_err(Problem::from)
            })
        });
        let results: Vec<_> = results.collect();
        let taken_in = turn.iter().zip(&results).filter(|(_, done)| done.is_ok());
        api.put_persons(taken_in.filter_map(|(row, _)| row.as_ref().ok()))
            .await?;
        api.imports.note(id, |import| {
            for result in &results {
                import.count(result.as_deref());
            }
        });
    }
    Ok(())
}

/// Takes rows in on a copy of the fleet.
async fn rehearse(api: &Api, id: u32, rows: Vec<ReadRow>) -> Result<(), Problem> {
    let api = Api::clone(api);
    let work = move || {
        let mut copy = api.world(|world| world.fleet.clone());
        for row in rows {
            let result = row.and_then(|row| try_on(&mut copy, &row, clock::now()));
            api.imports
                .note(id, |import| import.count(result.as_deref()));
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Problem::lost())
}

fn try_on(copy: &mut Fleet, row: &ImportRow, now: Timestamp) -> Result<Vec<Event>, Problem> {
    let events = copy.decide(&row.command(copy, now)?, now)?;
    for event in &events {
        copy.apply(event);
    }
    Ok(events)
}

impl Import {
    fn count(&mut self, result: Result<&[Event], &Problem>) {
        self.done += 1;
        match result {
            Ok([]) => self.unchanged += 1,
            Ok(events) => {
                let enrolled = events.iter().any(|e| matches!(e, Event::DerEnrolled(_)));
                *(if enrolled {
                    &mut self.enrolled
                } else {
                    &mut self.changed
                }) += 1;
            }
            Err(problem) => {
                self.refused += 1;
                if self.errors.len() < MAX_IMPORT_ERRORS {
                    self.errors.push(FieldRule {
                        field: problem.field.as_deref().unwrap_or("row").to_owned(),
                        row: u64::try_from(self.done).ok(),
                        rule: match &problem.rule {
                            Some(rule) => rule.to_string(),
                            None => problem.detail.clone(),
                        },
                    });
                }
            }
        }
    }
}

impl Imports {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Import>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, rows: usize, query: ImportQuery, now: Timestamp) -> Import {
        let import = Import {
            id: self.next.fetch_add(1, Ordering::Relaxed) + 1,
            state: ImportState::Running,
            dry_run: query.dry_run,
            started_at: now.into(),
            rows,
            done: 0,
            enrolled: 0,
            changed: 0,
            unchanged: 0,
            refused: 0,
            errors: Vec::new(),
        };
        let mut kept = self.kept();
        kept.push_front(import.clone());
        kept.truncate(MAX_IMPORTS);
        import
    }

    fn note(&self, id: u32, change: impl FnOnce(&mut Import)) {
        if let Some(import) = self.kept().iter_mut().find(|import| import.id == id) {
            change(import);
        }
    }
}

/// The one import that runs; gives its place free when it is over, however that comes about.
struct Running(Api);

impl Running {
    fn begin(api: &Api) -> Result<Self, Problem> {
        if api.imports.running.swap(true, Ordering::AcqRel) {
            return Err(Problem::new(Kind::Conflict, "an import is running"));
        }
        Ok(Self(Api::clone(api)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.imports.running.store(false, Ordering::Release);
    }
}
