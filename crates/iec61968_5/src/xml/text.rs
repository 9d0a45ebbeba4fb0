//! Lexical forms of XML Schema's simple types.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use units::Timestamp;

/// Reads an `xs:boolean`.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Reads an `xs:integer` that fits 64 bits.
#[must_use]
pub fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads an `xs:float` that is a number.
///
/// Interpretation: `INF` and `NaN` are in the lexical space, but no quantity of the standard can
/// have them, so they are refused.
#[must_use]
pub fn finite_float(text: &str) -> Option<f64> {
    let lexical = text
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if !lexical {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Reads an `xs:dateTime`.
///
/// Interpretation: without a zone it is UTC.
#[must_use]
pub fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 19 && bytes[10] == b'T' && bytes[13] == b':' && bytes[16] == b':';
    if !shaped
        || !bytes
            .iter()
            .all(|b| b.is_ascii_digit() || b"-+:.TZ".contains(b))
    {
        return None;
    }
    let instant = match text.parse::<jiff::Timestamp>() {
        Ok(instant) => instant,
        Err(_) => {
            let local: DateTime = text.parse().ok().filter(|_| !has_zone(text))?;
            local.to_zoned(TimeZone::UTC).ok()?.timestamp()
        }
    };
    Some(Timestamp::from_millis(instant.as_millisecond()))
}

fn has_zone(text: &str) -> bool {
    text.get(19..)
        .is_none_or(|rest| rest.contains(['Z', '+', '-']))
}

/// Writes an `xs:dateTime` in UTC, with milliseconds only where there are some.
#[must_use]
pub fn format_timestamp(at: Timestamp) -> String {
    let limits = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
    let millis = at
        .millis()
        .clamp(limits.0.as_millisecond() + 1, limits.1.as_millisecond());
    jiff::Timestamp::from_millisecond(millis)
        .unwrap_or(limits.1)
        .to_string()
}
