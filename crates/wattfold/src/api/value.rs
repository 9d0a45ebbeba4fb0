//! What every answer is made of: instants, and values with their circumstances.

use fleet::{Quality, Reading};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use units::{Timestamp, Vars, Watts};
use utoipa::ToSchema;

/// An instant as RFC 3339 text in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-03-20T12:00:00Z")]
pub struct Time(pub Timestamp);

impl Time {
    /// As text. An instant beyond the years RFC 3339 can write becomes the nearest one it can.
    #[must_use]
    pub fn to_text(self) -> String {
        let nearest = if self.0 < Timestamp::default() {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        jiff::Timestamp::from_millisecond(self.0.millis())
            .unwrap_or(nearest)
            .to_string()
    }

    /// From RFC 3339 text with any offset; digits beyond the millisecond are cut.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        text.parse::<jiff::Timestamp>()
            .map(|at| Self(Timestamp::from_millis(at.as_millisecond())))
            .map_err(|_| "must be an RFC 3339 time such as 2026-03-20T12:00:00Z")
    }
}

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// How far a value can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueQuality {
    /// Measured.
    Valid,
    /// Estimated or substituted by the device, or a sum from which some members are missing.
    Estimated,
    /// The device itself doubts it.
    Questionable,
}

impl From<Quality> for ValueQuality {
    fn from(quality: Quality) -> Self {
        match quality {
            Quality::Valid => Self::Valid,
            Quality::Estimated => Self::Estimated,
            Quality::Questionable => Self::Questionable,
        }
    }
}

/// A reported value with its age and quality. The unit is the suffix of the field that holds it;
/// active and reactive power are positive when injected into the grid.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, ToSchema)]
pub struct MeasuredValue {
    /// The value, in the unit that the field's suffix names.
    pub value: f64,
    /// When it was taken, by the device's clock; of a sum, when its oldest part was taken.
    pub at: Time,
    /// How far it can be trusted; of a sum, how far its worst part can.
    pub quality: ValueQuality,
}

impl MeasuredValue {
    /// A reading of active power, in watts.
    #[must_use]
    pub fn of_watts(reading: Reading<Watts>) -> Self {
        Self::new(reading.value.as_f64(), reading.at, reading.quality)
    }

    /// A reading of reactive power, in vars.
    #[must_use]
    pub fn of_vars(reading: Reading<Vars>) -> Self {
        Self::new(reading.value.as_f64(), reading.at, reading.quality)
    }

    /// A reading that is a plain number already.
    #[must_use]
    pub fn of_number(reading: Reading<f64>) -> Self {
        Self::new(reading.value, reading.at, reading.quality)
    }

    fn new(value: f64, at: Timestamp, quality: Quality) -> Self {
        Self {
            value,
            at: Time(at),
            quality: quality.into(),
        }
    }
}

/// Adds readings up: `None` without any, the oldest time, the worst quality, and no better than
/// estimated when there are fewer than `expected`.
#[must_use]
pub fn sum(parts: &[MeasuredValue], expected: usize) -> Option<MeasuredValue> {
    let (first, rest) = parts.split_first()?;
    let mut total = rest.iter().fold(*first, |total, part| MeasuredValue {
        value: total.value + part.value,
        at: total.at.min(part.at),
        quality: total.quality.max(part.quality),
    });
    if parts.len() < expected {
        total.quality = total.quality.max(ValueQuality::Estimated);
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_survive_the_round_trip() {
        let noon = Time(Timestamp::from_millis(1_774_008_000_250));
        assert_eq!(noon.to_text(), "2026-03-20T12:00:00.25Z");
        assert_eq!(Time::parse("2026-03-20T12:00:00.25Z"), Ok(noon));
        assert_eq!(Time::parse("2026-03-20T14:00:00.250+02:00"), Ok(noon));
    }

    #[test]
    fn what_is_no_time_is_refused_and_what_cant_be_written_is_clamped() {
        for bad in [
            "",
            "tomorrow",
            "2026-03-20",
            "2026-03-20T12:00:00",
            "12026-03-20T12:00:00Z",
        ] {
            assert!(Time::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Time(Timestamp::from_millis(i64::MAX)).to_text(),
            jiff::Timestamp::MAX.to_string()
        );
        assert_eq!(
            Time(Timestamp::from_millis(i64::MIN)).to_text(),
            jiff::Timestamp::MIN.to_string()
        );
    }

    #[test]
    fn a_sum_is_as_old_and_as_bad_as_its_worst_part() {
        let part = |value, secs, quality| MeasuredValue {
            value,
            at: Time(Timestamp::from_secs(secs)),
            quality,
        };
        let good = part(5.0, 20, ValueQuality::Valid);
        let doubtful = part(-2.0, 10, ValueQuality::Questionable);
        assert_eq!(sum(&[], 0), None);
        assert_eq!(
            sum(&[good, doubtful], 2),
            Some(part(3.0, 10, ValueQuality::Questionable))
        );
        assert_eq!(
            sum(&[good], 2),
            Some(part(5.0, 20, ValueQuality::Estimated))
        );
    }
}
