//! What became of dispatches, as a file: a row for each dispatch and member.

use axum::response::Response;
use fleet::{DerId, DispatchId};
use units::Interval;

use super::{DeliveryRow, rows};
use crate::api::page::MAX_PAGE;
use crate::api::problem::Problem;
use crate::api::table::{self, Cell, Column, ColumnKind, TableError, TableFormat};
use crate::api::{Api, judgement, meters};

const COLUMNS: &[Column] = &[
    ("dispatch", ColumnKind::Text),
    ("from", ColumnKind::Time),
    ("to", ColumnKind::Time),
    ("der", ColumnKind::Text),
    ("name", ColumnKind::Text),
    ("kind", ColumnKind::Text),
    ("state", ColumnKind::Text),
    ("verdict", ColumnKind::Text),
    ("standing", ColumnKind::Text),
    ("asked_w", ColumnKind::Number),
    ("measured_w", ColumnKind::Number),
    ("asked_wh", ColumnKind::Number),
    ("delivered_wh", ColumnKind::Number),
    ("told_late", ColumnKind::Flag),
    ("last_contact_at", ColumnKind::Time),
];

/// A dispatch, when it runs, and its members.
struct Subject {
    id: DispatchId,
    mrid: String,
    runs: Option<Interval>,
    readings: Option<Interval>,
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
            readings: judgement::span(dispatch, world.now),
            members: judgement::members(world.fleet, dispatch, &index),
        })
    })
}

fn judged(api: &Api, subject: &Subject, members: &[DerId]) -> Result<Vec<DeliveryRow>, TableError> {
    let span = subject.readings.filter(|span| !span.duration.is_zero());
    let wanted: Vec<(DerId, Interval)> = span
        .into_iter()
        .flat_map(|span| members.iter().map(move |der| (*der, span)))
        .collect();
    let meters = api
        .node
        .telemetry()
        .with_reader(|file| meters(file, &wanted))?;
    let judged = api.world(|world| {
        let dispatch = world.fleet.dispatch(subject.id)?;
        Some(rows(world, dispatch, members, &meters))
    });
    judged.ok_or(TableError::Gone)
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
        Cell::word(row.standing),
        Cell::number(row.asked_w),
        Cell::number(row.measured_w.map(|measured| measured.value)),
        Cell::Number(row.asked_wh),
        Cell::Number(row.delivered_wh),
        Cell::Flag(row.told_late),
        time(row.last_contact_at.map(|at| at.0)),
    ]
}
