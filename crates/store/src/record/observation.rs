//! The latest observation of a DER, as nodes tell it one another.

use fleet::{Observation, Quality, Reading};
use serde::{Deserialize, Serialize};
use units::{Timestamp, Vars, WattHours, Watts};

use super::{RecordError, json, parse};

/// Value, time in milliseconds, and how far it can be trusted.
type ReadingV1<T> = (T, i64, u8);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObservationV1 {
    #[serde(skip_serializing_if = "Option::is_none")]
    p_uw: Option<ReadingV1<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q_uvar: Option<ReadingV1<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voltage_v: Option<ReadingV1<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    soc_pct: Option<ReadingV1<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_available_uw: Option<ReadingV1<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    energy_requested_uwh: Option<ReadingV1<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charge_needed_by_ms: Option<ReadingV1<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<ReadingV1<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_contact_ms: Option<i64>,
}

/// `observation` as JSON.
pub(crate) fn encode(observation: &Observation) -> String {
    json(&ObservationV1 {
        p_uw: observation.p.map(|r| shape(r, Watts::micro)),
        q_uvar: observation.q.map(|r| shape(r, Vars::micro)),
        voltage_v: observation.voltage_v.map(|r| shape(r, |value| value)),
        soc_pct: observation.soc_pct.map(|r| shape(r, |value| value)),
        p_available_uw: observation.p_available.map(|r| shape(r, Watts::micro)),
        energy_requested_uwh: observation
            .energy_requested
            .map(|r| shape(r, WattHours::micro)),
        charge_needed_by_ms: observation
            .charge_needed_by
            .map(|r| shape(r, Timestamp::millis)),
        connected: observation.connected.map(|r| shape(r, |value| value)),
        last_contact_ms: observation.last_contact.map(Timestamp::millis),
    })
}

/// The observation that `text` holds.
pub(crate) fn decode(text: &str) -> Result<Observation, RecordError> {
    let shape: ObservationV1 = parse(text)?;
    Ok(Observation {
        p: shape.p_uw.map(|r| reading(r, Watts::from_micro)),
        q: shape.q_uvar.map(|r| reading(r, Vars::from_micro)),
        voltage_v: shape.voltage_v.map(|r| reading(r, |value| value)),
        soc_pct: shape.soc_pct.map(|r| reading(r, |value| value)),
        p_available: shape.p_available_uw.map(|r| reading(r, Watts::from_micro)),
        energy_requested: shape
            .energy_requested_uwh
            .map(|r| reading(r, WattHours::from_micro)),
        charge_needed_by: shape
            .charge_needed_by_ms
            .map(|r| reading(r, Timestamp::from_millis)),
        connected: shape.connected.map(|r| reading(r, |value| value)),
        last_contact: shape.last_contact_ms.map(Timestamp::from_millis),
    })
}

fn shape<T, S>(reading: Reading<T>, value: impl FnOnce(T) -> S) -> ReadingV1<S> {
    let quality = match reading.quality {
        Quality::Valid => 0,
        Quality::Estimated => 1,
        Quality::Questionable => 2,
    };
    (value(reading.value), reading.at.millis(), quality)
}

fn reading<T, S>((value, at_ms, quality): ReadingV1<S>, read: impl FnOnce(S) -> T) -> Reading<T> {
    Reading {
        value: read(value),
        at: Timestamp::from_millis(at_ms),
        quality: match quality {
            0 => Quality::Valid,
            1 => Quality::Estimated,
            _ => Quality::Questionable,
        },
    }
}
