//! Hundredths of a percent.

use std::fmt;

use crate::Watts;

/// A share in hundredths of a percent: 10 000 is the whole.
///
/// IEEE 2030.5 carries set-points in this unit (`PerCent`, `SignedPerCent`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Percent(i32);

impl Percent {
    /// The whole: 100 %.
    pub const WHOLE: Self = Self(10_000);

    /// From hundredths of a percent.
    #[must_use]
    pub const fn from_hundredths(hundredths: i32) -> Self {
        Self(hundredths)
    }

    /// In hundredths of a percent.
    #[must_use]
    pub const fn hundredths(self) -> i32 {
        self.0
    }

    /// In percent, for display.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// This share of `whole`, rounded towards zero to a micro-watt; exact when `whole` is a
    /// multiple of 0.01 W.
    #[must_use]
    pub fn of(self, whole: Watts) -> Watts {
        let micro = i128::from(whole.micro()) * i128::from(self.0) / i128::from(Self::WHOLE.0);
        Watts::from_micro(i64::try_from(micro).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.as_f64())
    }
}
