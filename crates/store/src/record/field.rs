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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntervalV1 {
    start_ms: i64,
    duration_ms: u64,
}

impl IntervalV1 {
    pub(super) fn new(kind: &'static str, interval: Interval) -> Result<Self, Unstorable> {
        let duration_ms = millis(kind, "duration", interval.duration)?;
        Ok(Self {
            start_ms: interval.start.millis(),
            duration_ms,
        })
    }

    pub(super) fn read(&self) -> Interval {
        Interval {
            start: Timestamp::from_millis(self.start_ms),
            duration: Duration::from_millis(self.duration_ms),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ActivePowerV1 {
    FixedW { pct_hundredths: i32, of_uw: i64 },
    TargetW { value: i16, multiplier: u8 },
    MaxLimW { pct_hundredths: i32, of_uw: i64 },
}

impl From<ActivePower> for ActivePowerV1 {
    fn from(power: ActivePower) -> Self {
        match power {
            ActivePower::FixedW { percent, of } => Self::FixedW {
                pct_hundredths: percent.hundredths(),
                of_uw: of.micro(),
            },
            ActivePower::TargetW { value, multiplier } => Self::TargetW { value, multiplier },
            ActivePower::MaxLimW { percent, of } => Self::MaxLimW {
                pct_hundredths: percent.hundredths(),
                of_uw: of.micro(),
            },
        }
    }
}

impl From<ActivePowerV1> for ActivePower {
    fn from(power: ActivePowerV1) -> Self {
        match power {
            ActivePowerV1::FixedW {
                pct_hundredths,
                of_uw,
            } => Self::FixedW {
                percent: Percent::from_hundredths(pct_hundredths),
                of: Watts::from_micro(of_uw),
            },
            ActivePowerV1::TargetW { value, multiplier } => Self::TargetW { value, multiplier },
            ActivePowerV1::MaxLimW {
                pct_hundredths,
                of_uw,
            } => Self::MaxLimW {
                percent: Percent::from_hundredths(pct_hundredths),
                of: Watts::from_micro(of_uw),
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReactivePowerV1 {
    pct_hundredths: i32,
    of_uvar: i64,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlBaseV1 {
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<ActivePowerV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reactive: Option<ReactivePowerV1>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energize: Option<bool>,
}

impl From<&ControlBase> for ControlBaseV1 {
    fn from(base: &ControlBase) -> Self {
        Self {
            active: base.active.map(Into::into),
            reactive: base.reactive.map(|reactive| ReactivePowerV1 {
                pct_hundredths: reactive.percent.hundredths(),
                of_uvar: reactive.of.micro(),
            }),
            connect: base.connect,
            energize: base.energize,
        }
    }
}

impl From<ControlBaseV1> for ControlBase {
    fn from(base: ControlBaseV1) -> Self {
        Self {
            active: base.active.map(Into::into),
            reactive: base.reactive.map(|reactive| ReactivePower {
                percent: Percent::from_hundredths(reactive.pct_hundredths),
                of: Vars::from_micro(reactive.of_uvar),
            }),
            connect: base.connect,
            energize: base.energize,
        }
    }
}
