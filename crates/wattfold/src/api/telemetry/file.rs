//! Readings as a file: DER by DER, quantity by quantity, by time.

use axum::response::Response;
use fleet::DerId;
use store::telemetry::{Quantity, Resolution};
use units::Interval;

use super::{MAX_POINTS, TelemetryPoint, TelemetryQuery, page};
use crate::api::problem::Problem;
use crate::api::table::{
    self, Cell, Column, ColumnKind, Pipe, TableError, TableFormat, TableWriter,
};
use crate::api::{Api, der};

const READINGS: &[Column] = &[
    ("der", ColumnKind::Text),
    ("name", ColumnKind::Text),
    ("quantity", ColumnKind::Text),
    ("at", ColumnKind::Time),
    ("value", ColumnKind::Number),
    ("quality", ColumnKind::Text),
];
const SPANS: &[Column] = &[
    ("der", ColumnKind::Text),
    ("name", ColumnKind::Text),
    ("quantity", ColumnKind::Text),
    ("at", ColumnKind::Time),
    ("value", ColumnKind::Number),
    ("quality", ColumnKind::Text),
    ("count", ColumnKind::Count),
    ("min", ColumnKind::Number),
    ("max", ColumnKind::Number),
    ("first", ColumnKind::Number),
    ("last", ColumnKind::Number),
];

struct Subject {
    der: DerId,
    mrid: String,
    name: String,
}

pub(super) fn send(
    api: &Api,
    query: &TelemetryQuery,
    (format, interval, resolution): (TableFormat, Interval, Option<Resolution>),
) -> Result<Response, Problem> {
    let subjects = api.world(|world| {
        let subject = |der: &fleet::Der| Subject {
            der: der.id,
            mrid: der.mrid.to_string(),
            name: der.name.to_string(),
        };
        match &query.der {
            Some(mrid) => Ok::<_, Problem>(vec![subject(der::find(world.fleet, mrid)?)]),
            None => Ok(world.fleet.ders().iter().map(subject).collect()),
        }
    })?;
    let quantities = match query.quantity {
        Some(quantity) => vec![Quantity::from(quantity)],
        None => Quantity::ALL.to_vec(),
    };
    let columns = match resolution {
        Some(_) => SPANS,
        None => READINGS,
    };
    table::send(api, (format, columns), move |api, table| {
        for subject in &subjects {
            for quantity in &quantities {
                write(api, table, (subject, *quantity), (interval, resolution))?;
            }
        }
        Ok(())
    })
}

/// One quantity of one DER, as many points at a time as an answer may have.
fn write(
    api: &Api,
    table: &mut TableWriter<Pipe>,
    (subject, quantity): (&Subject, Quantity),
    (interval, resolution): (Interval, Option<Resolution>),
) -> Result<(), TableError> {
    let telemetry = api.node.telemetry();
    let mut next = Some(interval.start);
    while let Some(from) = next.filter(|from| *from < interval.end()) {
        let rest = Interval::between(from, interval.end());
        let of = (subject.der, quantity);
        let (points, more) =
            telemetry.with_reader(|file| page(file, of, rest, (resolution, MAX_POINTS)))?;
        for point in &points {
            table.write(row(subject, quantity, point))?;
        }
        next = more;
    }
    Ok(())
}

fn row(subject: &Subject, quantity: Quantity, point: &TelemetryPoint) -> Vec<Cell> {
    let mut row = vec![
        Cell::Text(subject.mrid.clone()),
        Cell::Text(subject.name.clone()),
        Cell::Text(quantity.as_str().to_owned()),
        Cell::Time(point.at.0),
        Cell::Number(point.value),
        Cell::word(point.quality),
    ];
    if let Some(span) = point.span {
        row.push(Cell::Count(i64::from(span.count)));
        row.extend([span.min, span.max, span.first, span.last].map(Cell::Number));
    }
    row
}
