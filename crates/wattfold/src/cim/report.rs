//! Answers as tables and as JSON.

use iec61968_5::envelope::{ErrorItem, Level, Verb};
use iec61968_5::message::{Payload, ResponseMessage};
use iec61968_5::wire::der_group_dispatches::DerGroupDispatch;
use iec61968_5::wire::der_group_statuses::{self, DerMonitorableParameter};
use iec61968_5::wire::der_groups::{DER_FUNCTIONS, EndDeviceGroup};
use iec61968_5::wire::naming::Name;
use iec61968_5::xml::format_timestamp;
use serde_json::{Value, json};
use units::Timestamp;

const NO_ERROR: &str = "0.0";

/// The answer as tables, each followed by an empty line, and the result.
pub(super) fn tables(answer: &ResponseMessage, now: Timestamp) -> String {
    let payload = match &answer.payload {
        Some(Payload::Groups(groups)) => group_table(&groups.groups),
        Some(Payload::Statuses(statuses)) => status_table(&statuses.groups, now),
        Some(Payload::Dispatches(dispatches)) => dispatch_table(&dispatches.dispatches),
        None if answer.operation.verb() == Verb::Get => "nothing found\n\n".to_owned(),
        None => String::new(),
    };
    let errors: Vec<&ErrorItem> = answer
        .reply
        .errors
        .iter()
        .filter(|error| error.code != NO_ERROR)
        .collect();
    format!(
        "{payload}{}{}\n",
        error_table(&errors),
        answer.reply.result.as_str()
    )
}

fn group_table(groups: &[EndDeviceGroup]) -> String {
    let rows = groups.iter().map(|group| {
        let version = group.version.unwrap_or_default();
        let number = |n: Option<i64>| n.unwrap_or(0).to_string();
        let version = [
            number(version.major),
            number(version.minor),
            number(version.revision),
        ]
        .join(".");
        vec![
            names(&group.names),
            group.mrid.clone().unwrap_or_default(),
            version,
            group.devices.len().to_string(),
            functions(group).join(" "),
        ]
    });
    table(
        &["group", "mRID", "version", "members", "functions"],
        &rows.collect::<Vec<_>>(),
    )
}

fn status_table(groups: &[der_group_statuses::EndDeviceGroup], now: Timestamp) -> String {
    let mut rows = vec![];
    for group in groups {
        let status = group.status.as_ref();
        let state = status.and_then(|status| status.remark.clone().or(status.value.clone()));
        let mut shown = (names(&group.names), state.unwrap_or_default());
        for parameter in &group.parameters {
            let (name, state) = std::mem::take(&mut shown);
            let mut row = vec![name];
            row.extend(parameter_cells(parameter, now));
            row.push(state);
            rows.push(row);
        }
    }
    let head = [
        "group",
        "quantity",
        "now",
        "lowest",
        "highest",
        "installed",
        "unit",
        "age",
        "",
    ];
    table(&head, &rows)
}

fn parameter_cells(parameter: &DerMonitorableParameter, now: Timestamp) -> Vec<String> {
    let number = |value: Option<f64>| match value {
        Some(value) => format!("{:.1}", parameter.multiplier.apply(value)),
        None => "-".to_owned(),
    };
    let installed = match (parameter.installed_min, parameter.installed_max) {
        (None, None) => "-".to_owned(),
        (None, Some(max)) => number(Some(max)),
        (Some(min), max) => format!("{} … {}", number(Some(min)), number(max)),
    };
    vec![
        parameter.parameter.as_str().to_owned(),
        number(parameter.nominal),
        number(parameter.min),
        number(parameter.max),
        installed,
        parameter.unit.as_str().to_owned(),
        format!("{} s", now.since(parameter.time_stamp).as_secs()),
    ]
}

fn dispatch_table(dispatches: &[DerGroupDispatch]) -> String {
    let mut rows = vec![];
    for dispatch in dispatches {
        let mut shown = (
            dispatch.mrid.clone().unwrap_or_default(),
            names(&dispatch.group_names),
        );
        let parameter = &dispatch.parameter;
        for schedule in &parameter.schedules {
            for (number, value) in &schedule.points {
                let (mrid, group) = std::mem::take(&mut shown);
                rows.push(vec![
                    mrid,
                    group,
                    format_timestamp(schedule.start_time),
                    format!(
                        "{number} × {} {}",
                        schedule.interval_duration,
                        schedule.interval_unit.as_str()
                    ),
                    format!("{:.1}", parameter.multiplier.apply(*value)),
                    parameter.unit.as_str().to_owned(),
                ]);
            }
        }
    }
    table(
        &["dispatch", "group", "start", "interval", "target", "unit"],
        &rows,
    )
}

fn error_table(errors: &[&ErrorItem]) -> String {
    let rows = errors.iter().map(|error| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        vec![
            error.code.clone(),
            error.level.map_or("", Level::as_str).to_owned(),
            error
                .id
                .as_ref()
                .map(|id| id.value.clone())
                .unwrap_or_default(),
            text(&error.reason),
            text(&error.details),
        ]
    });
    table(
        &["code", "level", "object", "reason", "details"],
        &rows.collect::<Vec<_>>(),
    )
}

/// Columns as wide as their widest cell; nothing when there are no rows.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head)
            .chain(rows)
            .filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let padded = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text.push('\n');
    text
}

fn names(names: &[Name]) -> String {
    names
        .iter()
        .map(|name| name.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn functions(group: &EndDeviceGroup) -> Vec<&'static str> {
    let has = group.functions.unwrap_or_default();
    DER_FUNCTIONS
        .into_iter()
        .zip(has)
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
        .collect()
}

/// The answer as one JSON object, values in their base unit.
pub(super) fn json(answer: &ResponseMessage) -> String {
    let mut object = json!({
        "result": answer.reply.result.as_str(),
        "correlation_id": answer.header.correlation_id,
        "errors": answer.reply.errors.iter().map(error_json).collect::<Vec<_>>(),
    });
    match &answer.payload {
        Some(Payload::Groups(groups)) => {
            object["groups"] = groups.groups.iter().map(group_json).collect();
        }
        Some(Payload::Statuses(statuses)) => {
            object["statuses"] = statuses.groups.iter().map(status_json).collect();
        }
        Some(Payload::Dispatches(dispatches)) => {
            object["dispatches"] = dispatches.dispatches.iter().map(dispatch_json).collect();
        }
        None => {}
    }
    format!("{object}\n")
}

fn error_json(error: &ErrorItem) -> Value {
    json!({
        "code": error.code,
        "level": error.level.map(Level::as_str),
        "object": error.id.as_ref().map(|id| id.value.as_str()),
        "reason": error.reason,
        "details": error.details,
    })
}

fn group_json(group: &EndDeviceGroup) -> Value {
    let version = group.version.unwrap_or_default();
    let member = |device: &iec61968_5::wire::der_groups::EndDevice| json!({ "mrid": device.mrid, "name": names(&device.names) });
    json!({
        "mrid": group.mrid,
        "name": names(&group.names),
        "description": group.description,
        "functions": functions(group),
        "members": group.devices.iter().map(member).collect::<Vec<_>>(),
        "version": [version.major, version.minor, version.revision],
    })
}

fn status_json(group: &der_group_statuses::EndDeviceGroup) -> Value {
    let mut object = json!({
        "mrid": group.mrid,
        "name": names(&group.names),
        "status": group.status.as_ref().and_then(|status| status.value.as_deref()),
    });
    for parameter in &group.parameters {
        let scaled = |value: Option<f64>| value.map(|value| parameter.multiplier.apply(value));
        object[parameter.parameter.as_str()] = json!({
            "unit": parameter.unit.as_str(),
            "now": scaled(parameter.nominal),
            "min": scaled(parameter.min),
            "max": scaled(parameter.max),
            "installed_min": scaled(parameter.installed_min),
            "installed_max": scaled(parameter.installed_max),
            "at": format_timestamp(parameter.time_stamp),
        });
    }
    object
}

fn dispatch_json(dispatch: &DerGroupDispatch) -> Value {
    let parameter = &dispatch.parameter;
    let schedules = parameter.schedules.iter().map(|schedule| {
        let seconds = schedule.interval_unit.seconds();
        let length = seconds.and_then(|s| {
            i64::try_from(s)
                .ok()?
                .checked_mul(schedule.interval_duration)
        });
        let points = schedule.points.iter().map(|(number, value)| {
            json!({ "interval": number, "value": parameter.multiplier.apply(*value) })
        });
        json!({
            "start": format_timestamp(schedule.start_time),
            "interval_s": length,
            "points": points.collect::<Vec<_>>(),
        })
    });
    json!({
        "mrid": dispatch.mrid,
        "group_mrid": dispatch.group_mrid,
        "unit": parameter.unit.as_str(),
        "schedules": schedules.collect::<Vec<_>>(),
    })
}
