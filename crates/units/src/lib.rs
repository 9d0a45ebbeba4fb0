//! Quantities, instants and intervals: the vocabulary every other crate shares.
//!
//! Power and energy are fixed-point: an `i64` count of micro-units. Sums are then exact and
//! independent of order, and a hundredth of a percent of any nameplate given to 0.01 W is a
//! whole number. The range is ±9.2 TW, which a million plants of 1 MW do not exhaust.

mod calendar;
mod percent;
mod quantity;
mod time;
mod zone;

pub use calendar::{Date, Weekday};
pub use percent::Percent;
pub use quantity::{MICRO, Money, Vars, VoltAmperes, WattHours, Watts};
pub use time::{Interval, Timestamp};
pub use zone::{UTC, Zone, ZoneChange};

#[cfg(test)]
mod tests;
