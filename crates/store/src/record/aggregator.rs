//! Aggregators.

use std::borrow::Cow;

use fleet::{Aggregator, AggregatorId, Pin, Registration};
use serde::{Deserialize, Serialize};
use units::Timestamp;

use super::RecordError;
use super::der::{access, revoked};
use super::field::text;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AggregatorV1<'a> {
    id: u32,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    lfdi: Cow<'a, str>,
    pin: u32,
    enrolled_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_ms: Option<i64>,
    may_enrol: bool,
}

impl<'a> From<&'a Aggregator> for AggregatorV1<'a> {
    fn from(aggregator: &'a Aggregator) -> Self {
        Self {
            id: aggregator.id.0,
            name: aggregator.name.as_str().into(),
            lfdi: aggregator.lfdi.to_string().into(),
            pin: aggregator.pin.digits(),
            enrolled_ms: aggregator.enrolled.millis(),
            registered_ms: match aggregator.registration {
                Registration::Authorised => None,
                Registration::Registered(at) => Some(at.millis()),
            },
            revoked_ms: revoked(aggregator.access),
            may_enrol: aggregator.may_enrol,
        }
    }
}

impl AggregatorV1<'_> {
    pub(super) fn read(self) -> Result<Aggregator, RecordError> {
        Ok(Aggregator {
            id: AggregatorId(self.id),
            name: text("name", &self.name)?,
            lfdi: text("lfdi", &self.lfdi)?,
            pin: Pin::new(self.pin).map_err(|reason| RecordError::malformed("pin", &reason))?,
            enrolled: Timestamp::from_millis(self.enrolled_ms),
            registration: self.registered_ms.map_or(Registration::Authorised, |at| {
                Registration::Registered(Timestamp::from_millis(at))
            }),
            access: access(self.revoked_ms),
            may_enrol: self.may_enrol,
        })
    }
}
