//! What is asked of a DER, setting by setting, as the wire can hold it.

use units::{Percent, Vars, Watts};

use crate::curve::CurveType;
use crate::{CurveId, Settings};

/// An active-power request exactly as the wire can hold it, so that a plan that adds up still
/// adds up after encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActivePower {
    /// `opModFixedW`: a signed share of `of`, which is the maximum injection for a positive and
    /// the maximum absorption for a negative share.
    FixedW {
        /// Signed share, -100 % to 100 %.
        percent: Percent,
        /// What the share is of, as a magnitude, when the control was made.
        of: Watts,
    },
    /// `opModTargetW`: `value` × 10^`multiplier` watts.
    TargetW {
        /// Significand.
        value: i16,
        /// Power of ten, 0 to 9.
        multiplier: u8,
    },
    /// `opModMaxLimW`: inject no more than this share of `of`.
    MaxLimW {
        /// Share, 0 to 100 %.
        percent: Percent,
        /// What the share is of, when the control was made.
        of: Watts,
    },
}

impl ActivePower {
    /// In watts, injection positive.
    #[must_use]
    pub fn p(self) -> Watts {
        match self {
            Self::FixedW { percent, of } | Self::MaxLimW { percent, of } => percent.of(of),
            Self::TargetW { value, multiplier } => {
                let scale = 10_i64.saturating_pow(u32::from(multiplier));
                Watts::whole(i64::from(value).saturating_mul(scale))
            }
        }
    }
}

/// A share of a maximum of the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    /// Share, -100 % to 100 %.
    pub percent: Percent,
    /// What it was of when the control was made, as a magnitude; `None` for what each device is
    /// set to, as in a control for many.
    pub of: Option<Watts>,
}

impl Share {
    /// Nothing of whatever it is of.
    pub const NONE: Self = Self {
        percent: Percent::from_hundredths(0),
        of: None,
    };
}

/// A value as the wire has it: significand and power of ten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scaled {
    /// Significand.
    pub value: i16,
    /// Power of ten, -9 to 9.
    pub multiplier: i8,
}

impl Scaled {
    /// Nothing.
    pub const ZERO: Self = Self {
        value: 0,
        multiplier: 0,
    };

    /// The closest value at or below `p` in magnitude.
    #[must_use]
    pub fn from_w(p: Watts) -> Self {
        let (mut value, mut multiplier) = (p.micro() / (units::MICRO / 1_000), -3_i8);
        while i16::try_from(value).is_err() || (value % 10 == 0 && value != 0 && multiplier < 0) {
            value /= 10;
            multiplier += 1;
        }
        Self {
            value: i16::try_from(value).unwrap_or(0),
            multiplier: if value == 0 { 0 } else { multiplier },
        }
    }

    /// In watts, saturating.
    #[must_use]
    pub fn w(self) -> Watts {
        let exponent = i32::from(self.multiplier) + 6;
        let value = i64::from(self.value);
        let magnitude = 10_i64.saturating_pow(exponent.unsigned_abs());
        Watts::from_micro(if exponent < 0 {
            value / magnitude
        } else {
            value.saturating_mul(magnitude)
        })
    }
}

/// What the percentage of an `opModFixedVar` is of (`DERUnitRefType`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum VarReference {
    /// `%setMaxW`.
    SetMaxW = 1,
    /// `%setMaxVar`.
    SetMaxVar = 2,
    /// `%statVarAvail`.
    StatVarAvail = 3,
}

/// `opModFixedVar`: reactive power as a share, injection positive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FixedVar {
    /// What the share is of.
    pub reference: VarReference,
    /// Signed share.
    pub percent: Percent,
    /// What the share was of, as a magnitude, where that is known.
    pub of: Option<Vars>,
}

/// A fixed power factor: `displacement` × 10^`multiplier`, over- or under-excited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PowerFactor {
    /// Significand.
    pub displacement: u16,
    /// Whether reactive power is injected (over-excited) rather than absorbed.
    pub injects_vars: bool,
    /// Power of ten.
    pub multiplier: i8,
}

/// `opModFreqDroop` (IEEE 1547-2018, 6.5.2.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FreqDroop {
    /// Over-frequency dead band, in thousandths of a hertz.
    pub db_of_mhz: u32,
    /// Under-frequency dead band, in thousandths of a hertz.
    pub db_uf_mhz: u32,
    /// Over-frequency droop, in thousandths per unit.
    pub k_of: u16,
    /// Under-frequency droop, in thousandths per unit.
    pub k_uf: u16,
    /// Open-loop response time, in hundredths of a second.
    pub open_loop_tms: u16,
}

/// One thing asked, named after its `DERControlBase` element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// Connect (`true`) or disconnect.
    Connect(bool),
    /// Energise (`true`) or de-energise.
    Energize(bool),
    /// Power factor while absorbing active power.
    FixedPfAbsorbW(PowerFactor),
    /// Power factor while injecting active power.
    FixedPfInjectW(PowerFactor),
    /// Reactive power as a share.
    FixedVar(FixedVar),
    /// Active power as a share; negative charges.
    FixedW(Share),
    /// Frequency droop.
    FreqDroop(FreqDroop),
    /// A curve, of the type that the element names.
    Curve(CurveType, CurveId),
    /// Most injection as a share.
    MaxLimW(Share),
    /// Reactive power in vars.
    TargetVar(Scaled),
    /// Active power in watts; negative charges.
    TargetW(Scaled),
    /// CSIP-AUS: most import of the site, in watts.
    ImpLimW(Scaled),
    /// CSIP-AUS: most export of the site, in watts.
    ExpLimW(Scaled),
    /// CSIP-AUS: most generation, in watts.
    GenLimW(Scaled),
    /// CSIP-AUS: most load, in watts.
    LoadLimW(Scaled),
    /// CSIP-AUS 1.3: active power of the storage, in watts.
    StorageTargetW(Scaled),
    /// Ramp time into and out of the control, in hundredths of a second. Never asked alone.
    RampTms(u16),
}

impl Setting {
    /// Which element of the `DERControlBase` it is.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Connect(_) => 0,
            Self::Energize(_) => 1,
            Self::FixedPfAbsorbW(_) => 2,
            Self::FixedPfInjectW(_) => 3,
            Self::FixedVar(_) => 4,
            Self::FixedW(_) => 5,
            Self::FreqDroop(_) => 6,
            Self::MaxLimW(_) => 7,
            Self::TargetVar(_) => 8,
            Self::TargetW(_) => 9,
            Self::ImpLimW(_) => 10,
            Self::ExpLimW(_) => 11,
            Self::GenLimW(_) => 12,
            Self::LoadLimW(_) => 13,
            Self::StorageTargetW(_) => 14,
            Self::RampTms(_) => 15,
            Self::Curve(curve, _) => 16 + *curve as u8,
        }
    }

    /// Which thing it asks: equal for two settings of which only one can hold.
    ///
    /// Interpretation: a value of active power excludes another one whichever of `opModFixedW` and
    /// `opModTargetW` carries it. A limit stands beside them, and so does the storage target of
    /// CSIP-AUS, which is a part of the DER's power.
    #[must_use]
    pub const fn class(&self) -> u8 {
        match self {
            Self::FixedW(_) | Self::TargetW(_) => Self::TargetW(Scaled::ZERO).kind(),
            other => other.kind(),
        }
    }
}

/// A ramp time belongs to what it is asked with.
const RAMP_TMS: u8 = Setting::RampTms(0).kind();

/// What is asked: at most one setting of a kind; a kind that is absent is not touched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ControlBase(Vec<Setting>);

impl ControlBase {
    /// The settings, in any order; the last of a kind counts.
    #[must_use]
    pub fn of(settings: impl IntoIterator<Item = Setting>) -> Self {
        let mut base = Self::default();
        for setting in settings {
            base.set(setting);
        }
        base
    }

    /// Only this active power.
    #[must_use]
    pub fn asking(power: ActivePower) -> Self {
        let setting = match power {
            ActivePower::FixedW { percent, of } => {
                let of = Some(of);
                Setting::FixedW(Share { percent, of })
            }
            ActivePower::MaxLimW { percent, of } => {
                let of = Some(of);
                Setting::MaxLimW(Share { percent, of })
            }
            ActivePower::TargetW { value, multiplier } => Setting::TargetW(Scaled {
                value,
                multiplier: i8::try_from(multiplier).unwrap_or(i8::MAX),
            }),
        };
        Self(vec![setting])
    }

    /// Adds `setting`, in place of another of its kind.
    pub fn set(&mut self, setting: Setting) {
        match self.0.binary_search_by_key(&setting.kind(), Setting::kind) {
            Ok(at) => self.0[at] = setting,
            Err(at) => self.0.insert(at, setting),
        }
    }

    /// The settings, by kind.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.0
    }

    /// Whether it asks nothing. A ramp time alone asks nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0
            .iter()
            .all(|setting| matches!(setting, Setting::RampTms(_)))
    }

    /// The [classes](Setting::class) of what it asks, each once.
    pub fn classes(&self) -> impl Iterator<Item = u8> + '_ {
        let asked = self.0.iter().map(Setting::class).enumerate();
        asked
            .filter(|(at, class)| {
                let settings = &self.0[..*at];
                *class != RAMP_TMS && settings.iter().all(|earlier| earlier.class() != *class)
            })
            .map(|(_, class)| class)
    }

    /// Whether it asks something of this [class](Setting::class).
    #[must_use]
    pub fn asks_class(&self, class: u8) -> bool {
        class != RAMP_TMS && self.0.iter().any(|setting| setting.class() == class)
    }

    /// The active power asked as a plan has it, where it is known without looking at the device: a
    /// set value before a limit.
    #[must_use]
    pub fn active(&self) -> Option<ActivePower> {
        let power = |setting: &Setting| match *setting {
            Setting::FixedW(Share { percent, of }) => {
                Some(ActivePower::FixedW { percent, of: of? })
            }
            Setting::MaxLimW(Share { percent, of }) => {
                Some(ActivePower::MaxLimW { percent, of: of? })
            }
            Setting::TargetW(Scaled { value, multiplier }) => Some(ActivePower::TargetW {
                value,
                multiplier: u8::try_from(multiplier).ok()?,
            }),
            _ => None,
        };
        self.set_before_limit(power)
    }

    /// The active power asked of a device with these settings, injection positive: a set value
    /// before a limit.
    #[must_use]
    pub fn p(&self, settings: Option<&Settings>) -> Option<Watts> {
        self.set_before_limit(|setting| match *setting {
            Setting::FixedW(Share { percent, of }) => {
                let whole = |s: &Settings| s.p_max_toward(percent);
                Some(percent.of(of.or_else(|| settings.map(whole))?))
            }
            Setting::MaxLimW(Share { percent, of }) => {
                Some(percent.of(of.or_else(|| settings.map(Settings::max_w))?))
            }
            Setting::TargetW(p) | Setting::StorageTargetW(p) => Some(p.w()),
            _ => None,
        })
    }

    fn set_before_limit<T>(&self, power: impl Fn(&Setting) -> Option<T>) -> Option<T> {
        let set = |setting: &&Setting| !matches!(setting, Setting::MaxLimW(_));
        let mut values = self.0.iter().filter(set).filter_map(&power);
        values.next().or_else(|| self.0.iter().find_map(&power))
    }

    /// Connect or disconnect, if asked.
    #[must_use]
    pub fn connect(&self) -> Option<bool> {
        self.0.iter().find_map(|setting| match setting {
            Setting::Connect(connect) => Some(*connect),
            _ => None,
        })
    }

    /// Energise or de-energise, if asked.
    #[must_use]
    pub fn energize(&self) -> Option<bool> {
        self.0.iter().find_map(|setting| match setting {
            Setting::Energize(energize) => Some(*energize),
            _ => None,
        })
    }

    /// Reactive power as a share, if asked.
    #[must_use]
    pub fn fixed_var(&self) -> Option<FixedVar> {
        self.0.iter().find_map(|setting| match setting {
            Setting::FixedVar(fixed) => Some(*fixed),
            _ => None,
        })
    }

    /// Most injection that it allows, and most absorption (as a magnitude), of a device with these
    /// settings.
    #[must_use]
    pub fn limits(&self, settings: &Settings) -> (Option<Watts>, Option<Watts>) {
        let (mut inject, mut absorb) = (None, None);
        let tighten = |slot: &mut Option<Watts>, limit: Watts| {
            *slot = Some(slot.map_or(limit, |present| present.min(limit)));
        };
        for setting in &self.0 {
            match setting {
                Setting::MaxLimW(share) => {
                    let of = share.of.unwrap_or_else(|| settings.max_w());
                    tighten(&mut inject, share.percent.of(of));
                }
                Setting::ExpLimW(limit) | Setting::GenLimW(limit) => {
                    tighten(&mut inject, limit.w());
                }
                Setting::ImpLimW(limit) | Setting::LoadLimW(limit) => {
                    tighten(&mut absorb, limit.w());
                }
                Setting::Energize(false) | Setting::Connect(false) => {
                    tighten(&mut inject, Watts::ZERO);
                    tighten(&mut absorb, Watts::ZERO);
                }
                _ => {}
            }
        }
        (inject, absorb)
    }
}
