//! Dispatches: from points, multipliers and directions to targets with injection positive.

use std::time::Duration;

use fleet::{CimMrid, Conduct, GroupId, Name, NewDispatch, Target};
use units::{Interval, Watts};

use super::{Mint, present};
use crate::envelope::{ErrorItem, Level, ReplyCode};
use crate::limits::MAX_POINT_W;
use crate::profile::{AbsentFlow, Mode, Profile};
use crate::wire::der_group_dispatches::{
    DerGroupDispatch, DerMonitorableParameter, DispatchSchedule,
};
use crate::wire::quantity::{CurveStyle, DerParameter, FlowDirection, UnitSymbol};

/// Interval number, from 1, and the value there.
type Point = (u32, f64);

/// A dispatch to create, with an mRID from `mint` where it has none.
///
/// # Errors
/// What is malformed, contradictory or not offered.
pub fn new_dispatch(
    wire: &DerGroupDispatch,
    group: GroupId,
    profile: &Profile,
    mint: &mut Mint<'_>,
) -> Result<NewDispatch, ErrorItem> {
    let refused = |error: &dyn std::fmt::Display| {
        ErrorItem::new(ReplyCode::Schema, Level::Fatal, error.to_string())
    };
    let name = wire
        .names
        .first()
        .map(|name| Name::new(&name.name))
        .transpose();
    let name = name.map_err(|error| refused(&error))?;
    let schedule = schedule(&wire.parameter, profile)?;
    let mrid = match present(wire.mrid.as_deref(), profile.mode) {
        Some(mrid) => CimMrid::new(mrid).map_err(|error| refused(&error))?,
        None => mint(),
    };
    Ok(NewDispatch {
        mrid,
        name,
        group,
        schedule,
        ramp: None,
        conduct: Conduct::default(),
    })
}

fn schedule(
    parameter: &DerMonitorableParameter,
    profile: &Profile,
) -> Result<Vec<Target>, ErrorItem> {
    if parameter.parameter != DerParameter::ActivePower {
        let reason = format!("{} can't be dispatched here", parameter.parameter.as_str());
        return Err(not_offered(&reason));
    }
    if parameter.unit != UnitSymbol::W {
        let reason = format!("active power is in W, not in {}", parameter.unit.as_str());
        return Err(ErrorItem::new(ReplyCode::Schema, Level::Fatal, reason));
    }
    let mut targets = vec![];
    for schedule in &parameter.schedules {
        targets.extend(curve(schedule, parameter, profile)?);
    }
    targets.sort_by_key(|target| target.interval.start);
    Ok(targets)
}

fn curve(
    schedule: &DispatchSchedule,
    parameter: &DerMonitorableParameter,
    profile: &Profile,
) -> Result<Vec<Target>, ErrorItem> {
    let length = interval_length(schedule)?;
    let points = ordered(schedule, profile.mode)?;
    let (points, end) = match schedule.curve_style {
        CurveStyle::ConstantYValue => {
            let last = points.last().map_or(0, |(number, _)| *number);
            (points, last + 1)
        }
        CurveStyle::StraightLineYValues => level(points)?,
    };
    // Lenient peers send clock readings with fractions; devices are asked in whole seconds.
    let start = match profile.mode {
        Mode::Strict => schedule.start_time,
        Mode::Lenient => schedule.start_time.ceil_secs(),
    };
    let ends = points
        .iter()
        .skip(1)
        .map(|(number, _)| *number)
        .chain([end]);
    points
        .iter()
        .zip(ends)
        .map(|((number, value), end)| {
            let from = start.after(times(length, number - 1)?);
            let interval = Interval {
                start: from,
                duration: times(length, end - number)?,
            };
            let p = injection(*value, parameter, profile)?;
            Ok(Target::net(interval, p))
        })
        .collect()
}

fn interval_length(schedule: &DispatchSchedule) -> Result<Duration, ErrorItem> {
    let Some(unit) = schedule.interval_unit.seconds() else {
        let unit = schedule.interval_unit.as_str();
        return Err(not_offered(&format!(
            "intervals in {unit} (calendar units) can't be used"
        )));
    };
    let count = u64::try_from(schedule.interval_duration)
        .ok()
        .filter(|count| *count > 0);
    let seconds = count.and_then(|count| count.checked_mul(unit));
    let seconds = seconds.filter(|seconds| u32::try_from(*seconds).is_ok());
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let reason = "timeIntervalDuration is from 1 s to 4294967295 s";
        ErrorItem::new(ReplyCode::Schema, Level::Fatal, reason)
    })
}

/// The points by ascending interval number.
///
/// Interpretation: numbers count from 1. Strict peers number every interval once and in order;
/// from lenient ones, the last of several points of one number counts, and a gap holds the value
/// before it.
fn ordered(schedule: &DispatchSchedule, mode: Mode) -> Result<Vec<Point>, ErrorItem> {
    let refused = |reason: &str| ErrorItem::new(ReplyCode::Schema, Level::Fatal, reason);
    let numbered = schedule.points.iter().map(|(number, value)| {
        let number = u32::try_from(*number)
            .ok()
            .filter(|n| (1..u32::MAX).contains(n));
        let number = number.ok_or_else(|| refused("intervalNumber counts from 1"))?;
        Ok((number, *value))
    });
    let mut points = numbered.collect::<Result<Vec<_>, ErrorItem>>()?;
    if mode == Mode::Strict {
        let counted = points
            .iter()
            .zip(1..)
            .all(|((number, _), expected)| *number == expected);
        let reason = "intervalNumber counts 1, 2, 3 … without gap or repetition";
        return if counted {
            Ok(points)
        } else {
            Err(refused(reason))
        };
    }
    // The sort is stable, so that of equal numbers the last one sent comes last.
    points.sort_by_key(|(number, _)| *number);
    let mut last_of_each: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        match last_of_each.last_mut() {
            Some(last) if last.0 == point.0 => *last = point,
            _ => last_of_each.push(point),
        }
    }
    if last_of_each.first().is_none_or(|(number, _)| *number != 1) {
        return Err(refused("there is no point for interval 1"));
    }
    Ok(last_of_each)
}

/// The N intervals of a line through N + 1 points, where it is level, and the number its last
/// point has; set-points hold within an interval, so a slope can't be delivered.
fn level(mut points: Vec<Point>) -> Result<(Vec<Point>, u32), ErrorItem> {
    if points
        .windows(2)
        .any(|pair| pair[0].1.total_cmp(&pair[1].1).is_ne())
    {
        let reason = "power can't be ramped along a line; send constantYValue";
        return Err(not_offered(reason));
    }
    match points.pop() {
        Some((end, _)) if !points.is_empty() => Ok((points, end)),
        _ => {
            let reason = "straightLineYValues needs one point more than there are intervals";
            Err(ErrorItem::new(ReplyCode::Schema, Level::Fatal, reason))
        }
    }
}

fn times(length: Duration, count: u32) -> Result<Duration, ErrorItem> {
    let longest = Duration::from_secs(u64::from(u32::MAX));
    length
        .checked_mul(count)
        .filter(|total| *total <= longest)
        .ok_or_else(|| {
            let reason = "the schedule is longer than 4294967295 s";
            ErrorItem::new(ReplyCode::Schema, Level::Fatal, reason)
        })
}

/// A value of the wire as power, injection positive.
///
/// CIM's `forward` is delivered to the customer and `reverse` received from the customer, both as
/// magnitudes. Interpretation: a negative value with an explicit direction is refused in strict
/// mode and reverses the direction in lenient mode.
fn injection(
    value: f64,
    parameter: &DerMonitorableParameter,
    profile: &Profile,
) -> Result<Watts, ErrorItem> {
    let refused = |reason: String| ErrorItem::new(ReplyCode::Schema, Level::Fatal, reason);
    let sign = match parameter.flow_direction {
        Some(FlowDirection::Reverse) => 1.0,
        Some(FlowDirection::Forward) => -1.0,
        None | Some(FlowDirection::None) => match profile.absent_flow {
            AbsentFlow::Injection => 1.0,
            AbsentFlow::Absorption => -1.0,
        },
        Some(other) => {
            let reason = format!("flowDirection {} can't be dispatched here", other.as_str());
            return Err(not_offered(&reason));
        }
    };
    let explicit = matches!(
        parameter.flow_direction,
        Some(FlowDirection::Forward | FlowDirection::Reverse)
    );
    if value < 0.0 && explicit && profile.mode == Mode::Strict {
        let reason = format!("{value}: a value with a flow direction is a magnitude");
        return Err(refused(reason));
    }
    let watts = sign * parameter.multiplier.apply(value);
    if !watts.is_finite() || watts.abs() > MAX_POINT_W {
        let reason = format!("nominalYValue {value} is out of range: {MAX_POINT_W} W at most");
        return Err(refused(reason));
    }
    Ok(Watts::from_f64(watts))
}

fn not_offered(reason: &str) -> ErrorItem {
    ErrorItem::new(ReplyCode::NotOffered, Level::Fatal, reason)
}
