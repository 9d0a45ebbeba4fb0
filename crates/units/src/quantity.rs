//! Fixed-point electrical quantities.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::time::Duration;

/// Micro-units in one unit.
pub const MICRO: i64 = 1_000_000;

const MILLIS_PER_HOUR: i64 = 3_600_000;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $symbol:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0);
            /// The largest value that can be held.
            pub const MAX: Self = Self(i64::MAX);

            /// From a whole number of units, saturating at ±9.2·10¹².
            #[must_use]
            pub const fn whole(units: i64) -> Self {
                Self(units.saturating_mul(MICRO))
            }

            /// From micro-units.
            #[must_use]
            pub const fn from_micro(micro: i64) -> Self {
                Self(micro)
            }

            /// From a real number of units, rounded to the nearest micro-unit; not-a-number
            /// becomes zero and anything out of range saturates.
            #[must_use]
            #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, as documented")]
            pub fn from_f64(units: f64) -> Self {
                Self((units * MICRO as f64).round() as i64)
            }

            /// In units, for display, wire formats and numerics.
            #[must_use]
            pub fn as_f64(self) -> f64 {
                self.0 as f64 / MICRO as f64
            }

            /// In micro-units.
            #[must_use]
            pub const fn micro(self) -> i64 {
                self.0
            }

            /// The magnitude.
            #[must_use]
            pub const fn abs(self) -> Self {
                Self(self.0.saturating_abs())
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(self.0.saturating_neg())
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::ZERO, Add::add)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if let Some(precision) = f.precision() {
                    return write!(f, "{:.precision$} {}", self.as_f64(), $symbol);
                }
                write!(f, "{} {}", self.as_f64(), $symbol)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

quantity!(
    /// Active power; positive is injection into the grid.
    Watts, "W"
);
quantity!(
    /// Reactive power; positive is injection (over-excited).
    Vars, "var"
);
quantity!(
    /// Apparent power.
    VoltAmperes, "VA"
);
quantity!(
    /// Energy; positive is injection into the grid.
    WattHours, "Wh"
);
quantity!(
    /// An amount in the one currency of the fleet.
    Money, "¤"
);

impl Watts {
    /// The energy of this power held for `duration`, rounded towards zero.
    #[must_use]
    pub fn over(self, duration: Duration) -> WattHours {
        WattHours(scaled(self.0, millis(duration), MILLIS_PER_HOUR))
    }
}

impl WattHours {
    /// The constant power that moves this energy in `duration`, rounded towards zero;
    /// `None` for an empty duration.
    #[must_use]
    pub fn spread_over(self, duration: Duration) -> Option<Watts> {
        let millis = millis(duration);
        (millis != 0).then(|| Watts(scaled(self.0, MILLIS_PER_HOUR, millis)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// `value · times / by`, rounded towards zero, saturating. The narrow path is worth having: it is
/// taken for every DER in every plan.
fn scaled(value: i64, times: i64, by: i64) -> i64 {
    if let Some(product) = value.checked_mul(times) {
        return product / by;
    }
    let wide = i128::from(value) * i128::from(times) / i128::from(by);
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}
