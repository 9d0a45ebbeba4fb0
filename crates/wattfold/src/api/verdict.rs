//! Verdicts as the API tells them: the outcome at a DER and what it rests on.

use fleet::dispatch::verdict::{Rank, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::judgement::{Baseline, Estimate, Grain};

/// The outcome at one DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Too early to say.
    Pending,
    /// The meter shows what was asked, within tolerance.
    Delivered,
    /// The meter shows at least half of the asked change.
    PartlyDelivered,
    /// The meter does not show it, or there is none that would, though the device says that it
    /// began.
    AcknowledgedNotDelivered,
    /// Neither the meter nor the device says that it was done.
    NotDelivered,
    /// The evidence contradicts itself: a meter of the wrong sign, one that is stuck, or readings
    /// beyond what the device can do.
    Suspect,
    /// It kept to a limit that held it back.
    CompliedBinding,
    /// It kept to a limit, and nothing shows that it was held back.
    CompliedNonBinding,
    /// The owner opted out.
    OptedOut,
    /// The device refused.
    Rejected,
    /// It was heard before, and not for too long; what it did is not known.
    Silent,
    /// It was never heard.
    NeverReachable,
    /// Its microgrid was no part of the grid when the dispatch was over.
    Islanded,
    /// What it would be judged by is kept no longer: neither its readings nor what those of each
    /// minute came to.
    EvidenceRetired,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pending => Self::Pending,
            Verdict::Delivered => Self::Delivered,
            Verdict::PartlyDelivered => Self::PartlyDelivered,
            Verdict::AcknowledgedNotDelivered => Self::AcknowledgedNotDelivered,
            Verdict::NotDelivered => Self::NotDelivered,
            Verdict::Suspect => Self::Suspect,
            Verdict::CompliedBinding => Self::CompliedBinding,
            Verdict::CompliedNonBinding => Self::CompliedNonBinding,
            Verdict::OptedOut => Self::OptedOut,
            Verdict::Rejected => Self::Rejected,
            Verdict::Silent => Self::Silent,
            Verdict::NeverReachable => Self::NeverReachable,
            Verdict::Islanded => Self::Islanded,
            Verdict::EvidenceRetired => Self::EvidenceRetired,
        }
    }
}

/// The strongest evidence for a verdict.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceRank {
    /// None.
    Nothing,
    /// The device's own word: its responses.
    Response,
    /// What the device measures of itself.
    DeviceTelemetry,
    /// Meters at its terminals, all of which say that they are of revenue quality.
    RevenueMeter,
}

impl From<Rank> for EvidenceRank {
    fn from(rank: Rank) -> Self {
        match rank {
            Rank::Nothing => Self::Nothing,
            Rank::Response => Self::Response,
            Rank::DeviceTelemetry => Self::DeviceTelemetry,
            Rank::RevenueMeter => Self::RevenueMeter,
        }
    }
}

/// How exactly it is known what a meter read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, ToSchema)]
pub enum EvidenceResolution {
    /// By every reading.
    #[serde(rename = "raw")]
    Raw,
    /// In part, or all, by what the readings of each minute came to: mean, lowest and highest.
    #[serde(rename = "1m")]
    Minute,
    /// In part, or all, not any more.
    #[serde(rename = "retired")]
    Retired,
}

impl From<Grain> for EvidenceResolution {
    fn from(grain: Grain) -> Self {
        match grain {
            Grain::Readings => Self::Raw,
            Grain::Minutes => Self::Minute,
            Grain::Retired => Self::Retired,
        }
    }
}

/// How a baseline was come by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaselineKind {
    /// The mean of what the device said, while the controls were to be followed, that it could
    /// inject, or what it said last before.
    AvailablePower,
    /// The mean of its readings of the five minutes before the dispatch.
    ReadingsBefore,
    /// There is neither: it is taken to have rested.
    AssumedZero,
}

/// What a DER would have done unasked.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, ToSchema)]
pub struct BaselineView {
    /// How it was come by.
    pub kind: BaselineKind,
    /// Mean over the time that is judged, in W, injection positive.
    pub p_w: f64,
    /// How far off it may be, in W: twice the standard uncertainty of its readings, or as much as
    /// itself where it rests on a single one. Null when it is only assumed.
    #[schema(required)]
    pub uncertainty_w: Option<f64>,
    /// Number of readings that it rests on.
    pub readings: u32,
}

impl From<Baseline> for BaselineView {
    fn from(baseline: Baseline) -> Self {
        let estimate = baseline.estimate;
        Self {
            kind: match baseline.from {
                Estimate::Available => BaselineKind::AvailablePower,
                Estimate::Before => BaselineKind::ReadingsBefore,
                Estimate::Assumed => BaselineKind::AssumedZero,
            },
            p_w: estimate.p.as_f64(),
            uncertainty_w: (baseline.from != Estimate::Assumed)
                .then(|| estimate.uncertainty.as_f64()),
            readings: estimate.readings,
        }
    }
}
