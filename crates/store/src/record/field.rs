//! Fields that several records share.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use fleet::{
    ActivePower, ControlBase, CurveId, CurveType, FixedVar, FreqDroop, PowerFactor, Scaled,
    Setting, Share, VarReference,
};
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

/// One thing asked. A share is hundredths of a percent with what it is of in micro-watts; a scaled
/// value is a significand and a power of ten; a power factor is displacement, whether vars are
/// injected, and a power of ten.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SettingV1 {
    Connect(bool),
    Energize(bool),
    FixedPfAbsorbW(u16, bool, i8),
    FixedPfInjectW(u16, bool, i8),
    FixedVar(u8, i32, Option<i64>),
    FixedW(i32, Option<i64>),
    FreqDroop(u32, u32, u16, u16, u16),
    Curve(u8, u32),
    MaxLimW(i32, Option<i64>),
    TargetVar(i16, i8),
    TargetW(i16, i8),
    ImpLimW(i16, i8),
    ExpLimW(i16, i8),
    GenLimW(i16, i8),
    LoadLimW(i16, i8),
    StorageTargetW(i16, i8),
    RampTms(u16),
}

impl From<&Setting> for SettingV1 {
    fn from(setting: &Setting) -> Self {
        let share = |share: Share| (share.percent.hundredths(), share.of.map(Watts::micro));
        match *setting {
            Setting::Connect(on) => Self::Connect(on),
            Setting::Energize(on) => Self::Energize(on),
            Setting::FixedPfAbsorbW(pf) => {
                Self::FixedPfAbsorbW(pf.displacement, pf.injects_vars, pf.multiplier)
            }
            Setting::FixedPfInjectW(pf) => {
                Self::FixedPfInjectW(pf.displacement, pf.injects_vars, pf.multiplier)
            }
            Setting::FixedVar(fixed) => Self::FixedVar(
                fixed.reference as u8,
                fixed.percent.hundredths(),
                fixed.of.map(Vars::micro),
            ),
            Setting::FixedW(value) => Self::FixedW(share(value).0, share(value).1),
            Setting::MaxLimW(value) => Self::MaxLimW(share(value).0, share(value).1),
            Setting::FreqDroop(droop) => Self::FreqDroop(
                droop.db_of_mhz,
                droop.db_uf_mhz,
                droop.k_of,
                droop.k_uf,
                droop.open_loop_tms,
            ),
            Setting::Curve(kind, id) => Self::Curve(kind as u8, id.0),
            Setting::TargetVar(v) => Self::TargetVar(v.value, v.multiplier),
            Setting::TargetW(v) => Self::TargetW(v.value, v.multiplier),
            Setting::ImpLimW(v) => Self::ImpLimW(v.value, v.multiplier),
            Setting::ExpLimW(v) => Self::ExpLimW(v.value, v.multiplier),
            Setting::GenLimW(v) => Self::GenLimW(v.value, v.multiplier),
            Setting::LoadLimW(v) => Self::LoadLimW(v.value, v.multiplier),
            Setting::StorageTargetW(v) => Self::StorageTargetW(v.value, v.multiplier),
            Setting::RampTms(tms) => Self::RampTms(tms),
        }
    }
}

impl SettingV1 {
    fn read(self) -> Result<Setting, RecordError> {
        let share = |hundredths, of: Option<i64>| Share {
            percent: Percent::from_hundredths(hundredths),
            of: of.map(Watts::from_micro),
        };
        let factor = |displacement, injects_vars, multiplier| PowerFactor {
            displacement,
            injects_vars,
            multiplier,
        };
        let scaled = |value, multiplier| Scaled { value, multiplier };
        Ok(match self {
            Self::Connect(on) => Setting::Connect(on),
            Self::Energize(on) => Setting::Energize(on),
            Self::FixedPfAbsorbW(d, i, m) => Setting::FixedPfAbsorbW(factor(d, i, m)),
            Self::FixedPfInjectW(d, i, m) => Setting::FixedPfInjectW(factor(d, i, m)),
            Self::FixedVar(reference, hundredths, of) => Setting::FixedVar(FixedVar {
                reference: match reference {
                    1 => VarReference::SetMaxW,
                    2 => VarReference::SetMaxVar,
                    3 => VarReference::StatVarAvail,
                    _ => {
                        return Err(RecordError::malformed(
                            "fixed_var",
                            &"has no such reference",
                        ));
                    }
                },
                percent: Percent::from_hundredths(hundredths),
                of: of.map(Vars::from_micro),
            }),
            Self::FixedW(hundredths, of) => Setting::FixedW(share(hundredths, of)),
            Self::MaxLimW(hundredths, of) => Setting::MaxLimW(share(hundredths, of)),
            Self::FreqDroop(db_of_mhz, db_uf_mhz, k_of, k_uf, open_loop_tms) => {
                Setting::FreqDroop(FreqDroop {
                    db_of_mhz,
                    db_uf_mhz,
                    k_of,
                    k_uf,
                    open_loop_tms,
                })
            }
            Self::Curve(kind, id) => Setting::Curve(curve_type(kind)?, CurveId(id)),
            Self::TargetVar(v, m) => Setting::TargetVar(scaled(v, m)),
            Self::TargetW(v, m) => Setting::TargetW(scaled(v, m)),
            Self::ImpLimW(v, m) => Setting::ImpLimW(scaled(v, m)),
            Self::ExpLimW(v, m) => Setting::ExpLimW(scaled(v, m)),
            Self::GenLimW(v, m) => Setting::GenLimW(scaled(v, m)),
            Self::LoadLimW(v, m) => Setting::LoadLimW(scaled(v, m)),
            Self::StorageTargetW(v, m) => Setting::StorageTargetW(scaled(v, m)),
            Self::RampTms(tms) => Setting::RampTms(tms),
        })
    }
}

/// The curve type with this number.
pub(super) fn curve_type(number: u8) -> Result<CurveType, RecordError> {
    let kind = CurveType::ALL.get(usize::from(number)).copied();
    kind.ok_or_else(|| RecordError::malformed("curve_type", &"is not one of the fifteen"))
}

/// What is asked. The single fields are those that dispatches have, kept for their brevity; all
/// else is in the list.
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    settings: Vec<SettingV1>,
}

impl From<&ControlBase> for ControlBaseV1 {
    fn from(base: &ControlBase) -> Self {
        let mut record = Self::default();
        for setting in base.settings() {
            match setting {
                Setting::Connect(on) => record.connect = Some(*on),
                Setting::Energize(on) => record.energize = Some(*on),
                Setting::FixedVar(FixedVar {
                    reference: VarReference::SetMaxVar,
                    percent,
                    of: Some(of),
                }) => record.reactive = Some(FixedVarV1(percent.hundredths(), of.micro())),
                other => match ControlBase::of([*other]).active() {
                    Some(power) if record.active.is_none() => record.active = Some(power.into()),
                    _ => record.settings.push(other.into()),
                },
            }
        }
        record
    }
}

impl ControlBaseV1 {
    pub(super) fn read(self) -> Result<ControlBase, RecordError> {
        let mut base = match self.active {
            Some(power) => ControlBase::asking(power.into()),
            None => ControlBase::default(),
        };
        if let Some(FixedVarV1(hundredths, of)) = self.reactive {
            base.set(Setting::FixedVar(FixedVar {
                reference: VarReference::SetMaxVar,
                percent: Percent::from_hundredths(hundredths),
                of: Some(Vars::from_micro(of)),
            }));
        }
        if let Some(connect) = self.connect {
            base.set(Setting::Connect(connect));
        }
        if let Some(energize) = self.energize {
            base.set(Setting::Energize(energize));
        }
        for setting in self.settings {
            base.set(setting.read()?);
        }
        Ok(base)
    }
}
