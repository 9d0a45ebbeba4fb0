//! Values of settings: exact decimals, switches and excitation.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Parameter;

/// What a profile says, by parameter.
pub type Values = BTreeMap<Parameter, Value>;

/// A decimal number, exact to six decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Decimal(i64);

/// Why a text is no [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a decimal number is required, such as 0.917, with at most {} digits before and {} after the \
     point",
    Decimal::MAX_WHOLE_DIGITS,
    Decimal::MAX_DECIMALS
)]
pub struct DecimalError;

impl Decimal {
    /// Most digits before the point, leading zeros not counted.
    pub const MAX_WHOLE_DIGITS: usize = 9;
    /// Most digits after the point, trailing zeros not counted.
    pub const MAX_DECIMALS: usize = 6;
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(1_000_000);

    /// From a count of millionths.
    #[must_use]
    pub const fn from_micro(micro: i64) -> Self {
        Self(micro)
    }

    /// From a count of thousandths.
    #[must_use]
    pub const fn from_milli(milli: i64) -> Self {
        Self(milli * 1_000)
    }

    /// In millionths.
    #[must_use]
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// How many of `step_micro` millionths it is, if that is a whole number.
    #[must_use]
    pub fn steps(self, step_micro: i64) -> Option<i64> {
        (self.0 % step_micro == 0).then_some(self.0 / step_micro)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let (whole, micro) = (magnitude / 1_000_000, magnitude % 1_000_000);
        if micro == 0 {
            return write!(f, "{sign}{whole}");
        }
        let decimals = format!("{micro:06}");
        write!(f, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (sign, digits) = match text.as_bytes().first() {
            Some(b'-') => (-1, &text[1..]),
            Some(b'+') => (1, &text[1..]),
            _ => (1, text),
        };
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + decimals.len() == 0 || !all_digits(whole) || !all_digits(decimals) {
            return Err(DecimalError);
        }
        let whole = whole.trim_start_matches('0');
        let decimals = decimals.trim_end_matches('0');
        if whole.len() > Self::MAX_WHOLE_DIGITS || decimals.len() > Self::MAX_DECIMALS {
            return Err(DecimalError);
        }
        let micro: i64 = format!("{whole}{decimals:0<6}")
            .parse()
            .map_err(|_| DecimalError)?;
        Ok(Self(sign * micro))
    }
}

/// Whether reactive power is injected or absorbed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Excitation {
    /// Over-excited.
    Injecting,
    /// Under-excited.
    Absorbing,
}

/// What a parameter is set to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Value {
    /// A number in the parameter's unit.
    Number(Decimal),
    /// A function, enabled or disabled.
    Enabled(bool),
    /// A direction of reactive power.
    Excitation(Excitation),
}

impl Value {
    /// The number, of a parameter that is one.
    #[must_use]
    pub const fn number(self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    /// As the common file format of DER settings writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Enabled(true) => f.write_str("ENABLED"),
            Self::Enabled(false) => f.write_str("DISABLED"),
            Self::Excitation(Excitation::Injecting) => f.write_str("INJ"),
            Self::Excitation(Excitation::Absorbing) => f.write_str("ABS"),
        }
    }
}

#[cfg(test)]
mod tests;
