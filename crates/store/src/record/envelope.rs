//! Operating envelopes.

use std::borrow::Cow;

use fleet::{DerId, Envelope, EnvelopePoint, Event, Fallback, Name};
use serde::{Deserialize, Serialize};
use units::{Timestamp, Watts};

use super::field::{IntervalV1, text};
use super::{RecordError, Unstorable};

/// Most import and most export in micro-watts; absent where not set.
#[derive(Serialize, Deserialize)]
struct LimitsV1(Option<i64>, Option<i64>);

impl LimitsV1 {
    fn new(import_max: Option<Watts>, export_max: Option<Watts>) -> Self {
        Self(import_max.map(Watts::micro), export_max.map(Watts::micro))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvelopeV1<'a> {
    der: u32,
    #[serde(borrow)]
    source: Cow<'a, str>,
    set_ms: i64,
    points: Vec<(IntervalV1, LimitsV1)>,
    fallback: LimitsV1,
}

impl<'a> TryFrom<&'a Envelope> for EnvelopeV1<'a> {
    type Error = Unstorable;

    fn try_from(envelope: &'a Envelope) -> Result<Self, Unstorable> {
        let point = |point: &EnvelopePoint| {
            Ok((
                IntervalV1::new("envelope_set", point.interval)?,
                LimitsV1::new(point.import_max, point.export_max),
            ))
        };
        let fallback = envelope.fallback;
        Ok(Self {
            der: envelope.der.0,
            source: envelope.source.as_str().into(),
            set_ms: envelope.set.millis(),
            points: envelope
                .points
                .iter()
                .map(point)
                .collect::<Result<_, _>>()?,
            fallback: LimitsV1::new(fallback.import_max, fallback.export_max),
        })
    }
}

impl EnvelopeV1<'_> {
    pub(super) fn read(self) -> Result<Envelope, RecordError> {
        let point =
            |(interval, LimitsV1(import_max, export_max)): (IntervalV1, LimitsV1)| EnvelopePoint {
                interval: interval.read(),
                import_max: import_max.map(Watts::from_micro),
                export_max: export_max.map(Watts::from_micro),
            };
        let LimitsV1(import_max, export_max) = self.fallback;
        Ok(Envelope {
            der: DerId(self.der),
            source: text("source", &self.source)?,
            set: Timestamp::from_millis(self.set_ms),
            points: self.points.into_iter().map(point).collect(),
            fallback: Fallback {
                import_max: import_max.map(Watts::from_micro),
                export_max: export_max.map(Watts::from_micro),
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvelopeClearedV1<'a> {
    der: u32,
    #[serde(borrow)]
    source: Cow<'a, str>,
}

impl<'a> EnvelopeClearedV1<'a> {
    pub(super) fn new(der: DerId, source: &'a Name) -> Self {
        Self {
            der: der.0,
            source: source.as_str().into(),
        }
    }

    pub(super) fn read(self) -> Result<Event, RecordError> {
        Ok(Event::EnvelopeCleared(
            DerId(self.der),
            text("source", &self.source)?,
        ))
    }
}
