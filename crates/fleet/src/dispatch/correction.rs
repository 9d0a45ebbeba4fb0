//! Correcting a dispatch that runs: the next plan, when the one in force no longer fits.
//!
//! A correction follows from something that has changed ([`Cause`]), never from the distance between
//! target and meter, so it is not repeated while its effect has yet to show. A member that was found
//! not to follow, that opted out or refused stays out, and deviations within tolerance are no cause.
//! Whatever members do, there are no more corrections than changes of that kind.

use super::assess::World;
use super::plan::OnShort;
use super::reconcile::{Cause, cause, plan_from, replan};
use super::{Dispatch, LinearLimit, Plan};
use crate::Rejection;

/// A plan to adopt, and what it follows from.
#[derive(Clone, PartialEq, Debug)]
pub struct Correction {
    /// Why the plan in force no longer fits.
    pub cause: Cause,
    /// Its successor.
    pub plan: Plan,
}

/// The next plan for a dispatch whose plan no longer fits, and why it does not; `None` when it would
/// ask the same of everybody for the same reasons.
///
/// # Errors
/// The rejection when no plan is possible.
pub fn correction(
    world: &World<'_>,
    dispatch: &Dispatch,
    limits: &[LinearLimit],
) -> Result<Option<Correction>, Rejection> {
    let Some(current) = &dispatch.plan else {
        return Ok(None);
    };
    let Some(cause) = cause(world, dispatch, limits) else {
        return Ok(None);
    };
    let plan = replan(world, dispatch, limits)?;
    let same = asks_the_same(dispatch, current, &plan);
    Ok((!same).then_some(Correction { cause, plan }))
}

/// The plan that a dispatch needs before it is let out; `None` when the one that it has still fits.
/// Since that was made, others may have been given what it counts on.
///
/// # Errors
/// The rejection when its targets are out of reach by now.
pub fn renewed(
    world: &World<'_>,
    dispatch: &Dispatch,
    limits: &[LinearLimit],
) -> Result<Option<Plan>, Rejection> {
    let next = plan_from(world, dispatch, limits, OnShort::Reject)?;
    let current = dispatch.plan.as_ref();
    let fits = current.is_some_and(|current| asks_the_same(dispatch, current, &next));
    Ok((!fits).then_some(next))
}

/// Whether `next` would change no share that is still ahead and knows of nobody new to leave out.
fn asks_the_same(dispatch: &Dispatch, current: &Plan, next: &Plan) -> bool {
    let same_share = next
        .allocations
        .iter()
        .all(|a| current.share(a.der, a.interval) == Some(a.share));
    let ahead = |interval: u32| {
        dispatch
            .schedule
            .get(interval as usize)
            .is_some_and(|target| next.effective < target.interval.end())
    };
    let kept = current
        .allocations
        .iter()
        .filter(|a| ahead(a.interval))
        .count();
    let elsewhere = current
        .elsewhere
        .iter()
        .filter(|(interval, _)| ahead(*interval));
    same_share
        && kept == next.allocations.len()
        && current.unasked == next.unasked
        && elsewhere.eq(&next.elsewhere)
}
