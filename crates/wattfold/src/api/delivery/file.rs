//! What became of dispatches, as a file: a row for each dispatch and member.

use axum::response::Response;
use fleet::{DerId, DispatchId};
use tokio::runtime::Handle;
use units::Interval;

use super::{DeliveryRow, row};
use crate::api::page::MAX_PAGE;
use crate::api::problem::Problem;
use crate::api::table::{self, Cell, Column, ColumnKind, TableError, TableFormat};
use crate::api::{Api, judgement};

const COLUMNS: &[Column] = &[
    ("dispatch", ColumnKind::Text),
    ("from", ColumnKind::Time),
    ("to", ColumnKind::Time),
    ("der", ColumnKind::Text),
    ("name", ColumnKind::Text),
    ("kind", ColumnKind::Text),
    ("state", ColumnKind::Text),
    ("verdict", ColumnKind::Text),
    ("evidence", ColumnKind::Text),
    ("evidence_resolution", ColumnKind::Text),
    ("response_code", ColumnKind::Count),
    ("standing", ColumnKind::Text),
    ("tolerance_pct", ColumnKind::Number),
    ("baseline", ColumnKind::Text),
    ("baseline_w", ColumnKind::Number),
    ("baseline_uncertainty_w", ColumnKind::Number),
    ("asked_w", ColumnKind::Number),
    ("measured_w", ColumnKind::Number),
    ("asked_wh", ColumnKind::Number),
    ("delivered_wh", ColumnKind::Number),
    ("curtailed_wh", ColumnKind::Number),
    ("curtailed_uncertainty_wh", ColumnKind::Number),
    ("told_late", ColumnKind::Flag),
    ("last_contact_at", ColumnKind::Time),
];

/// A dispatch, when it runs, and its members.
struct Subject {
    id: DispatchId,
    mrid: String,
    runs: Option<Interval>,
    members: Vec<DerId>,
}

pub(super) fn send(
    api: &Api,
    format: TableFormat,
    dispatches: Vec<DispatchId>,
) -> Result<Response, Problem> {
    table::send(api, (format, COLUMNS), move |api, table| {
        for dispatch in &dispatches {
            let subject = subject(api, *dispatch).ok_or(TableError::Gone)?;
            for members in subject.members.chunks(MAX_PAGE) {
                for row in judged(api, &subject, members)? {
                    table.write(cells(&subject, &row))?;
                }
            }
        }
        Ok(())
    })
}

fn subject(api: &Api, id: DispatchId) -> Option<Subject> {
    api.world(|world| {
        let dispatch = world.fleet.dispatch(id)?;
        let index = judgement::controls(world.fleet, &[dispatch]);
        Some(Subject {
            id,
            mrid: dispatch.mrid.to_string(),
            runs: dispatch.span(),
            members: judgement::members(world.fleet, dispatch, &index),
        })
    })
}

/// On a thread of its own, which waits for the readings.
fn judged(api: &Api, subject: &Subject, members: &[DerId]) -> Result<Vec<DeliveryRow>, TableError> {
    let members = members.iter().map(|der| (subject.id, *der)).collect();
    let mut rows = Vec::new();
    let judging = api.judged(members, |world, dispatch, member| {
        rows.push(row(world, dispatch, member));
    });
    let judged = Handle::current().block_on(judging);
    judged.map_err(|_| TableError::Gone)?;
    Ok(rows)
}

fn cells(subject: &Subject, row: &DeliveryRow) -> Vec<Cell> {
    let time = |at: Option<_>| at.map_or(Cell::Nothing, Cell::Time);
    vec![
        Cell::Text(subject.mrid.clone()),
        time(subject.runs.map(|runs| runs.start)),
        time(subject.runs.map(|runs| runs.end())),
        Cell::Text(row.der.mrid.clone()),
        Cell::Text(row.der.name.clone()),
        Cell::word(row.der.kind),
        Cell::word(row.state),
        Cell::word(row.verdict),
        Cell::word(row.evidence),
        Cell::word(row.evidence_resolution),
        row.response_code
            .map_or(Cell::Nothing, |code| Cell::Count(code.into())),
        Cell::word(row.standing),
        Cell::Number(row.tolerance_pct),
        Cell::word(row.baseline.kind),
        Cell::Number(row.baseline.p_w),
        Cell::number(row.baseline.uncertainty_w),
        Cell::number(row.asked_w),
        Cell::number(row.measured_w.map(|measured| measured.value)),
        Cell::Number(row.asked_wh),
        Cell::Number(row.delivered_wh),
        Cell::Number(row.curtailed_wh),
        Cell::Number(row.curtailed_uncertainty_wh),
        Cell::Flag(row.told_late),
        time(row.last_contact_at.map(|at| at.0)),
    ]
}
