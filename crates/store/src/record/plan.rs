//! Plans: one short row for each share, since a plan may hold millions.

use std::time::Duration;

use fleet::dispatch::Past;
use fleet::dispatch::assess::Standing;
use fleet::dispatch::plan::{Allocation, Balance, Plan};
use fleet::{ActivePower, DerId, DispatchId};
use serde::{Deserialize, Serialize};
use units::{Percent, Timestamp, WattHours, Watts};

use super::RecordError;

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum StandingV1 {
    Controllable,
    Silent,
    OptedOut,
    Rejected,
    NotFollowing,
    Unable,
    Commanded,
    NotPermitted,
    Islanded,
    Ineligible,
    Spare,
}

impl From<Standing> for StandingV1 {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Controllable => Self::Controllable,
            Standing::Silent => Self::Silent,
            Standing::OptedOut => Self::OptedOut,
            Standing::Rejected => Self::Rejected,
            Standing::NotFollowing => Self::NotFollowing,
            Standing::Unable => Self::Unable,
            Standing::Commanded => Self::Commanded,
            Standing::NotPermitted => Self::NotPermitted,
            Standing::Islanded => Self::Islanded,
            Standing::Ineligible => Self::Ineligible,
            Standing::Spare => Self::Spare,
        }
    }
}

impl From<StandingV1> for Standing {
    fn from(standing: StandingV1) -> Self {
        match standing {
            StandingV1::Controllable => Self::Controllable,
            StandingV1::Silent => Self::Silent,
            StandingV1::OptedOut => Self::OptedOut,
            StandingV1::Rejected => Self::Rejected,
            StandingV1::NotFollowing => Self::NotFollowing,
            StandingV1::Unable => Self::Unable,
            StandingV1::Commanded => Self::Commanded,
            StandingV1::NotPermitted => Self::NotPermitted,
            StandingV1::Islanded => Self::Islanded,
            StandingV1::Ineligible => Self::Ineligible,
            StandingV1::Spare => Self::Spare,
        }
    }
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ModeV1 {
    FixedW,
    TargetW,
    MaxLimW,
}

/// Interval, DER, mode, and the mode's two numbers: hundredths of a percent and micro-watts they
/// are of, or significand and power of ten.
#[derive(Serialize, Deserialize)]
struct ShareV1(u32, u32, ModeV1, i32, i64);

impl From<&Allocation> for ShareV1 {
    fn from(allocation: &Allocation) -> Self {
        let (mode, first, second) = match allocation.share {
            ActivePower::FixedW { percent, of } => {
                (ModeV1::FixedW, percent.hundredths(), of.micro())
            }
            ActivePower::TargetW { value, multiplier } => {
                (ModeV1::TargetW, i32::from(value), i64::from(multiplier))
            }
            ActivePower::MaxLimW { percent, of } => {
                (ModeV1::MaxLimW, percent.hundredths(), of.micro())
            }
        };
        Self(allocation.interval, allocation.der.0, mode, first, second)
    }
}

impl ShareV1 {
    fn read(&self) -> Result<Allocation, RecordError> {
        let Self(interval, der, mode, first, second) = *self;
        let (percent, of) = (Percent::from_hundredths(first), Watts::from_micro(second));
        let share = match mode {
            ModeV1::FixedW => ActivePower::FixedW { percent, of },
            ModeV1::MaxLimW => ActivePower::MaxLimW { percent, of },
            ModeV1::TargetW => ActivePower::TargetW {
                value: i16::try_from(first)
                    .map_err(|reason| RecordError::malformed("shares.value", &reason))?,
                multiplier: u8::try_from(second)
                    .map_err(|reason| RecordError::malformed("shares.multiplier", &reason))?,
            },
        };
        Ok(Allocation {
            der: DerId(der),
            interval,
            share,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BalanceV1 {
    interval: u32,
    target_uw: i64,
    unasked_uw: i64,
    residue_uw: i64,
}

/// DER, what it would do unasked and what it does in micro-watts, what it is held back by in
/// micro-watt-hours, and milliseconds since when it has been so.
#[derive(Serialize, Deserialize)]
struct PastV1(u32, i64, i64, i64, Option<i64>);

impl From<&Past> for PastV1 {
    fn from(past: &Past) -> Self {
        Self(
            past.der.0,
            past.unasked.micro(),
            past.output.micro(),
            past.held.micro(),
            past.since.map(Timestamp::millis),
        )
    }
}

impl PastV1 {
    fn read(&self) -> Past {
        let Self(der, unasked, output, held, since) = *self;
        Past {
            der: DerId(der),
            unasked: Watts::from_micro(unasked),
            output: Watts::from_micro(output),
            held: WattHours::from_micro(held),
            since: since.map(Timestamp::from_millis),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanV1 {
    dispatch: u32,
    generation: u32,
    made_ms: i64,
    effective_ms: i64,
    shares: Vec<ShareV1>,
    unasked: Vec<(u32, StandingV1)>,
    balances: Vec<BalanceV1>,
    /// Interval and DER.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<(u32, u32)>,
    /// DER and milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    late: Vec<(u32, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pasts: Vec<PastV1>,
    observed: u64,
}

impl From<&Plan> for PlanV1 {
    fn from(plan: &Plan) -> Self {
        let balance = |balance: &Balance| BalanceV1 {
            interval: balance.interval,
            target_uw: balance.target.micro(),
            unasked_uw: balance.unasked.micro(),
            residue_uw: balance.residue.micro(),
        };
        Self {
            dispatch: plan.dispatch.0,
            generation: plan.generation,
            made_ms: plan.made.millis(),
            effective_ms: plan.effective.millis(),
            shares: plan.allocations.iter().map(Into::into).collect(),
            unasked: plan
                .unasked
                .iter()
                .map(|(der, why)| (der.0, (*why).into()))
                .collect(),
            balances: plan.balances.iter().map(balance).collect(),
            elsewhere: plan
                .elsewhere
                .iter()
                .map(|(interval, der)| (*interval, der.0))
                .collect(),
            late: plan
                .late
                .iter()
                .map(|(der, by)| (der.0, u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
                .collect(),
            pasts: plan.pasts.iter().map(Into::into).collect(),
            observed: plan.observed,
        }
    }
}

impl PlanV1 {
    pub(super) fn read(self) -> Result<Plan, RecordError> {
        let balance = |balance: &BalanceV1| Balance {
            interval: balance.interval,
            target: Watts::from_micro(balance.target_uw),
            unasked: Watts::from_micro(balance.unasked_uw),
            residue: Watts::from_micro(balance.residue_uw),
        };
        Ok(Plan {
            dispatch: DispatchId(self.dispatch),
            generation: self.generation,
            made: Timestamp::from_millis(self.made_ms),
            effective: Timestamp::from_millis(self.effective_ms),
            allocations: self
                .shares
                .iter()
                .map(ShareV1::read)
                .collect::<Result<_, _>>()?,
            unasked: self
                .unasked
                .iter()
                .map(|(der, why)| (DerId(*der), (*why).into()))
                .collect(),
            balances: self.balances.iter().map(balance).collect(),
            elsewhere: self
                .elsewhere
                .iter()
                .map(|(interval, der)| (*interval, DerId(*der)))
                .collect(),
            late: self
                .late
                .iter()
                .map(|(der, by_ms)| (DerId(*der), Duration::from_millis(*by_ms)))
                .collect(),
            pasts: self.pasts.iter().map(PastV1::read).collect(),
            observed: self.observed,
        })
    }
}
