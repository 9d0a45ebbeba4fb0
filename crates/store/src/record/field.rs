//! Fields that several records share.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use fleet::{ActivePower, ControlBase, ReactivePower};
use serde::{Deserialize, Serialize};
use units::{Interval, Percent, Timestamp, Vars, Watts};

use super::{RecordError, Unstorable};

/// Parses a text field, naming it when it is wrong.
pub(super) fn text<T>(field: &str, text: &str) -> Result<T, RecordError>
where
    T: FromStr<Err: Display>,
{
    text.parse()
        .map_err(|reason| RecordError::malformed(field, &reason))
}

/// Parses a text field that may be absent.
pub(super) fn optional_text<T>(
    field: &str,
    absent_or: Option<&Cow<'_, str>>,
) -> Result<Option<T>, RecordError>
where
    T: FromStr<Err: Display>,
{
    absent_or.map(|value| text(field, value)).transpose()
}

/// Whole milliseconds of `duration`; a finer one would not come back the same.
pub(super) fn millis(
    kind: &'static str,
    field: &'static str,
    duration: Duration,
) -> Result<u64, Unstorable> {
    let whole = duration.subsec_nanos().is_multiple_of(1_000_000);
    let millis = u64::try_from(duration.as_millis()).ok().filter(|_| whole);
    millis.ok_or(Unstorable {
        kind,
        field,
        rule: "is not a number of whole milliseconds",
    })
}

/// Start and duration, in milliseconds.
#[derive(Serialize, Deserialize)]
pub(super) struct IntervalV1(i64, u64);

impl IntervalV1 {
    pub(super) fn new(kind: &'static str, interval: Interval) -> Result<Self, Unstorable> {
        let duration = millis(kind, "duration", interval.duration)?;
        Ok(Self(interval.start.millis(), duration))
    }

    pub(super) fn read(&self) -> Interval {
        let Self(start, duration) = *self;
        Interval {
            start: Timestamp::from_millis(start),
            duration: Duration::from_millis(duration),
        }
    }
}

/// Shares are hundredths of a percent and what they are of in micro-watts; `target_w` is a
/// significand and a power of ten.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActivePowerV1 {
    FixedW(i32, i64),
    TargetW(i16, u8),
    MaxLimW(i32, i64),
}

impl From<ActivePower> for ActivePowerV1 {
    fn from(power: ActivePower) -> Self {
        match power {
            ActivePower::FixedW { percent, of } => Self::FixedW(percent.hundredths(), of.micro()),
            ActivePower::TargetW { value, multiplier } => Self::TargetW(value, multiplier),
            ActivePower::MaxLimW { percent, of } => Self::MaxLimW(percent.hundredths(), of.micro()),
        }
    }
}

impl From<ActivePowerV1> for ActivePower {
    fn from(power: ActivePowerV1) -> Self {
        match power {
            ActivePowerV1::FixedW(hundredths, of) => Self::FixedW {
                percent: Percent::from_hundredths(hundredths),
                of: Watts::from_micro(of),
            },
            ActivePowerV1::TargetW(value, multiplier) => Self::TargetW { value, multiplier },
            ActivePowerV1::MaxLimW(hundredths, of) => Self::MaxLimW {
                percent: Percent::from_hundredths(hundredths),
                of: Watts::from_micro(of),
            },
        }
    }
}

/// Hundredths of a percent, and what they are of in micro-vars.
#[derive(Serialize, Deserialize)]
pub(super) struct FixedVarV1(i32, i64);

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlBaseV1 {
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<ActivePowerV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reactive: Option<FixedVarV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energize: Option<bool>,
}

impl From<&ControlBase> for ControlBaseV1 {
    fn from(base: &ControlBase) -> Self {
        Self {
            active: base.active.map(Into::into),
            reactive: base
                .reactive
                .map(|reactive| FixedVarV1(reactive.percent.hundredths(), reactive.of.micro())),
            connect: base.connect,
            energize: base.energize,
        }
    }
}

impl From<ControlBaseV1> for ControlBase {
    fn from(base: ControlBaseV1) -> Self {
        Self {
            active: base.active.map(Into::into),
            reactive: base
                .reactive
                .map(|FixedVarV1(hundredths, of)| ReactivePower {
                    percent: Percent::from_hundredths(hundredths),
                    of: Vars::from_micro(of),
                }),
            connect: base.connect,
            energize: base.energize,
        }
    }
}
