//! Correcting a dispatch that runs: the next plan, when the one in force no longer fits.
//!
//! A correction follows from something that has changed ([`Cause`]), never from the distance between
//! target and meter, so it is not repeated while its effect has yet to show. A member that was found
//! not to follow, that opted out or refused stays out, and the deviation of one that is asked is no
//! cause within tolerance. What is not asked is followed while it drifts, and a limit is kept by what
//! is metered behind it, but for as little as no meter can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use units::Timestamp;

use super::assess::World;
use super::plan::OnShort;
use super::reconcile::{Cause, causes, plan_from, replan};
use super::{Dispatch, LinearLimit, Plan};
use crate::{DispatchId, Rejection};

/// Time after which a cause that nothing could be done about is planned for again.
pub const TRY_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// A plan to adopt, and what it follows from.
#[derive(Clone, PartialEq, Debug)]
pub struct Correction {
    /// Why the plan in force no longer fits.
    pub cause: Cause,
    /// Its successor.
    pub plan: Plan,
}

/// What was planned for in vain, by dispatch. What it forgets is planned for once more, so nothing
/// depends on its being kept.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Vain(BTreeMap<DispatchId, Attempt>);

/// A plan that would have asked the same of everybody, or that was not possible.
#[derive(Clone, PartialEq, Debug)]
struct Attempt {
    at: Timestamp,
    /// Of the plan in force.
    generation: u32,
    /// All that there were; the plan was made from all that was known.
    causes: BTreeSet<Cause>,
    rejection: Option<Rejection>,
}

impl Vain {
    /// Forgets what is about dispatches that are not among `open`.
    pub fn keep(&mut self, open: &BTreeSet<DispatchId>) {
        self.0.retain(|id, _| open.contains(id));
    }
}

/// The next plan for a dispatch whose plan no longer fits, and why it does not; `None` when it would
/// ask the same of everybody for the same reasons.
///
/// A cause that is in `vain` is planned for again once there is another one, or after
/// [`TRY_AGAIN_AFTER`].
///
/// # Errors
/// The rejection when no plan is possible.
pub fn correction(
    world: &World<'_>,
    dispatch: &Dispatch,
    limits: &[LinearLimit],
    vain: &mut Vain,
) -> Result<Option<Correction>, Rejection> {
    let Some(current) = &dispatch.plan else {
        return Ok(None);
    };
    let causes = causes(world, dispatch, limits);
    let Some(first) = causes.first() else {
        vain.0.remove(&dispatch.id);
        return Ok(None);
    };
    let stands = |attempt: &&Attempt| {
        attempt.generation == current.generation
            && world.now < attempt.at.after(TRY_AGAIN_AFTER)
            && causes.iter().all(|c| attempt.causes.contains(&c.kind()))
    };
    if let Some(attempt) = vain.0.get(&dispatch.id).filter(stands) {
        return attempt.rejection.clone().map_or(Ok(None), Err);
    }
    let planned = replan(world, dispatch, limits);
    let rejection = match planned {
        Ok(plan) if !asks_the_same(dispatch, current, &plan) => {
            vain.0.remove(&dispatch.id);
            return Ok(Some(Correction {
                cause: *first,
                plan,
            }));
        }
        Ok(_) => None,
        Err(rejection) => Some(rejection),
    };
    let attempt = Attempt {
        at: world.now,
        generation: current.generation,
        causes: causes.into_iter().map(Cause::kind).collect(),
        rejection: rejection.clone(),
    };
    vain.0.insert(dispatch.id, attempt);
    rejection.map_or(Ok(None), Err)
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
