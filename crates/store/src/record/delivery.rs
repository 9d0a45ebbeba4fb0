//! Steps of the delivery ledger.

use fleet::{ControlId, DeliveryEntry, DeliveryState, DerId, Evidence};
use serde::{Deserialize, Serialize};
use units::{Timestamp, Watts};

use super::{RecordError, json, parse};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum EvidenceV1 {
    Journal,
    Served,
    Response(u8),
    Measured { asked_uw: i64, metered_uw: i64 },
    LastHeardMs(i64),
    Heard,
}

/// `evidence` as JSON.
pub(crate) fn encode_evidence(evidence: Evidence) -> String {
    json(&match evidence {
        Evidence::Journal => EvidenceV1::Journal,
        Evidence::Served => EvidenceV1::Served,
        Evidence::Response(code) => EvidenceV1::Response(code),
        Evidence::Measured { asked, metered } => EvidenceV1::Measured {
            asked_uw: asked.micro(),
            metered_uw: metered.micro(),
        },
        Evidence::LastHeard(at) => EvidenceV1::LastHeardMs(at.millis()),
        Evidence::Heard => EvidenceV1::Heard,
    })
}

fn decode_evidence(evidence: &str) -> Result<Evidence, RecordError> {
    Ok(match parse(evidence)? {
        EvidenceV1::Journal => Evidence::Journal,
        EvidenceV1::Served => Evidence::Served,
        EvidenceV1::Response(code) => Evidence::Response(code),
        EvidenceV1::Measured {
            asked_uw,
            metered_uw,
        } => Evidence::Measured {
            asked: Watts::from_micro(asked_uw),
            metered: Watts::from_micro(metered_uw),
        },
        EvidenceV1::LastHeardMs(at) => Evidence::LastHeard(Timestamp::from_millis(at)),
        EvidenceV1::Heard => Evidence::Heard,
    })
}

const STATES: [DeliveryState; 9] = [
    DeliveryState::Planned,
    DeliveryState::Sent,
    DeliveryState::Received,
    DeliveryState::Started,
    DeliveryState::Following,
    DeliveryState::Silent,
    DeliveryState::Overridden,
    DeliveryState::Rejected,
    DeliveryState::Completed,
];

/// The name of `state`.
pub(crate) const fn state_text(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Planned => "planned",
        DeliveryState::Sent => "sent",
        DeliveryState::Received => "received",
        DeliveryState::Started => "started",
        DeliveryState::Following => "following",
        DeliveryState::Silent => "silent",
        DeliveryState::Overridden => "overridden",
        DeliveryState::Rejected => "rejected",
        DeliveryState::Completed => "completed",
    }
}

/// A step from its columns.
pub(crate) fn decode_step(
    control: i64,
    der: i64,
    state: &str,
    at_ms: i64,
    evidence: &str,
) -> Result<DeliveryEntry, RecordError> {
    let index = |field, value| {
        u32::try_from(value).map_err(|reason| RecordError::malformed(field, &reason))
    };
    let known = STATES.into_iter().find(|known| state_text(*known) == state);
    Ok(DeliveryEntry {
        control: ControlId(index("control", control)?),
        der: DerId(index("der", der)?),
        state: known.ok_or_else(|| RecordError::malformed("state", &"is not known"))?,
        at: Timestamp::from_millis(at_ms),
        evidence: decode_evidence(evidence)
            .map_err(|error| RecordError::malformed("evidence", &error))?,
    })
}
