//! A dispatch as it is given on the command line.

use std::time::Duration;

use clap::Args;
use iec61968_5::wire::der_group_dispatches::{
    DerGroupDispatch, DerMonitorableParameter, DispatchSchedule,
};
use iec61968_5::wire::der_group_queries::GroupKey;
use iec61968_5::wire::naming::Name;
use iec61968_5::wire::quantity::{
    CurveStyle, DerParameter, TimeIntervalKind, UnitMultiplier, UnitSymbol,
};
use iec61968_5::xml;
use units::Timestamp;

use super::group_spec;

#[derive(Debug, Args)]
pub(super) struct ScheduleArgs {
    /// Name of the group, or its mRID as a UUID or with the prefix mrid:
    #[arg(long)]
    group: String,
    /// When the first interval starts: 2027-01-15T18:00:00Z, or from now as +10s, +5m, +1h
    #[arg(long)]
    start: String,
    /// Length of each interval: 30s, 15m, 1h
    #[arg(long)]
    interval: String,
    /// Net active power in each interval in W, injection positive: 60000,90000,-40000
    #[arg(
        long,
        value_delimiter = ',',
        allow_hyphen_values = true,
        required = true
    )]
    watts: Vec<f64>,
    /// Name of the dispatch
    #[arg(long)]
    name: Option<String>,
    /// mRID of the dispatch; the server assigns one otherwise
    #[arg(long)]
    mrid: Option<String>,
}

/// The dispatch asked for.
pub(super) fn dispatch(args: &ScheduleArgs, now: Timestamp) -> Result<DerGroupDispatch, String> {
    let interval = duration(&args.interval)
        .filter(|interval| !interval.is_zero())
        .ok_or_else(|| format!("--interval {} is not like 30s, 15m or 1h", args.interval))?;
    let interval_duration = i64::try_from(interval.as_secs())
        .map_err(|_| format!("--interval {} is too long", args.interval))?;
    if let Some(bad) = args.watts.iter().find(|watts| !watts.is_finite()) {
        return Err(format!("--watts {bad} is no power"));
    }
    let GroupKey { mrid, names } = group_spec::key(&args.group);
    let schedule = DispatchSchedule {
        curve_style: CurveStyle::ConstantYValue,
        start_time: start(&args.start, now)?,
        interval_duration,
        interval_unit: TimeIntervalKind::Second,
        points: (1..).zip(args.watts.iter().copied()).collect(),
    };
    Ok(DerGroupDispatch {
        mrid: args.mrid.clone(),
        group_mrid: mrid,
        group_names: names,
        parameter: DerMonitorableParameter {
            parameter: DerParameter::ActivePower,
            flow_direction: None,
            multiplier: UnitMultiplier::One,
            unit: UnitSymbol::W,
            schedules: vec![schedule],
        },
        names: args.name.iter().map(|name| Name::plain(name)).collect(),
    })
}

fn start(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let start = match text.strip_prefix('+') {
        Some(offset) => duration(offset).map(|offset| now.after(offset).ceil_secs()),
        None => xml::timestamp(text),
    };
    start.ok_or_else(|| format!("--start {text} is neither like 2027-01-15T18:00:00Z nor +10s"))
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(seconds).map(Duration::from_secs)
}
