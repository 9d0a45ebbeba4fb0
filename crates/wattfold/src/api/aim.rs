//! What is wanted of a group in one interval.

use fleet::Aim;
use serde::{Deserialize, Serialize};
use units::{Money, Watts};
use utoipa::ToSchema;

use crate::api::control_base::percent;
use crate::api::problem::Problem;

/// Largest magnitude of a net target, in watts: a thousand gigawatts.
pub const MAX_TARGET_W: f64 = 1e12;
/// Highest price of a kWh, in the currency of the fleet.
pub const MAX_PRICE: f64 = 1e6;

/// What is wanted of the net active power of a group, injection positive, members that can't be
/// asked included. Exactly one of the fields is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AimView {
    /// So much, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_w: Option<f64>,
    /// So much more than the members do unasked when the dispatch is first planned, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_w: Option<f64>,
    /// So much of the way from what the members do unasked to the most that they can do, in percent;
    /// negative for the least, -100 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pct: Option<f64>,
    /// No more than this, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most_w: Option<f64>,
    /// No less than this, in W.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least_w: Option<f64>,
    /// All that contracts sell at this price for a kWh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_per_kwh: Option<f64>,
}

impl AimView {
    /// The aim, or the field at fault and its rule.
    pub(super) fn read(&self) -> Result<Aim, Problem> {
        let within = |field: &str, value: f64, most: f64| match value.abs() <= most {
            true => Ok(value),
            false => Err(Problem::field(field, format!("must be within ±{most:e}"))),
        };
        let watts =
            |field: &str, value: f64| within(field, value, MAX_TARGET_W).map(Watts::from_f64);
        let price = |value: f64| within("price_per_kwh", value, MAX_PRICE).map(Money::from_f64);
        let aims = [
            self.p_w.map(|p| watts("p_w", p).map(Aim::Net)),
            self.delta_w.map(|p| watts("delta_w", p).map(Aim::Delta)),
            self.pct
                .map(|pct| percent("pct", pct, -100.0).map(Aim::Percent)),
            self.at_most_w
                .map(|p| watts("at_most_w", p).map(Aim::AtMost)),
            self.at_least_w
                .map(|p| watts("at_least_w", p).map(Aim::AtLeast)),
            self.price_per_kwh.map(|value| price(value).map(Aim::Price)),
        ];
        let mut given = aims.into_iter().flatten();
        let rule =
            "exactly one of p_w, delta_w, pct, at_most_w, at_least_w, price_per_kwh is given";
        match (given.next(), given.next()) {
            (Some(aim), None) => aim,
            _ => Err(Problem::field("p_w", rule)),
        }
    }
}

impl From<Aim> for AimView {
    fn from(aim: Aim) -> Self {
        let none = Self::default();
        match aim {
            Aim::Net(p) => Self {
                p_w: Some(p.as_f64()),
                ..none
            },
            Aim::Delta(p) => Self {
                delta_w: Some(p.as_f64()),
                ..none
            },
            Aim::Percent(share) => Self {
                pct: Some(share.as_f64()),
                ..none
            },
            Aim::AtMost(p) => Self {
                at_most_w: Some(p.as_f64()),
                ..none
            },
            Aim::AtLeast(p) => Self {
                at_least_w: Some(p.as_f64()),
                ..none
            },
            Aim::Price(price) => Self {
                price_per_kwh: Some(price.as_f64()),
                ..none
            },
        }
    }
}
