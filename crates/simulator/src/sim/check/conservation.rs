//! A plan adds up.

use std::collections::BTreeMap;

use fleet::dispatch::Plan;
use fleet::{Aim, Dispatch};
use units::Watts;

use super::Verdict;

/// Shares, what members not asked are expected to do, and the residue make the target of every
/// interval that the plan is about, to the micro-watt.
pub fn check(plan: &Plan, dispatch: &Dispatch) -> Verdict {
    let mut shares: BTreeMap<u32, Watts> = BTreeMap::new();
    for allocation in &plan.allocations {
        *shares.entry(allocation.interval).or_default() += allocation.share.p();
    }
    for balance in &plan.balances {
        let target = dispatch.schedule.get(balance.interval as usize);
        let target = target.ok_or_else(|| format!("no interval {}", balance.interval))?;
        let target = match target.aim {
            Aim::Net(p) => p,
            _ => balance.target,
        };
        let shared = shares.remove(&balance.interval).unwrap_or_default();
        let sum = shared + balance.unasked + balance.residue;
        if sum != target {
            let (dispatch, interval) = (&dispatch.mrid, balance.interval);
            return Err(format!(
                "{dispatch}, interval {interval}, generation {}: shares {shared} + unasked {} + \
                 residue {} = {sum}, not {target}",
                plan.generation, balance.unasked, balance.residue
            ));
        }
    }
    match shares.first_key_value() {
        Some((interval, _)) => Err(format!(
            "shares for interval {interval}, which has no balance"
        )),
        None => Ok(()),
    }
}
