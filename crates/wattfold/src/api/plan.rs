//! Plans of a dispatch: what each would ask of whom, compared before one is adopted.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use fleet::dispatch::plan::OnShort;
use fleet::dispatch::{Plan, Superseded, reconcile};
use fleet::{ActivePower, Command, DerId, Dispatch, DispatchChange, Objective};
use serde::{Deserialize, Serialize};
use units::{Money, Watts};
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::delivery::{DerRef, MemberStanding};
use crate::api::dispatch::{DispatchObjective, DispatchRow, find, one};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::api::settings_profile::author;
use crate::api::value::Time;
use crate::auth::Principal;

/// Most members of a comparison that are shown; those whose shares differ most come first.
pub const MAX_COMPARED: usize = 1_000;

/// What a plan comes to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PlanView {
    /// By what its members are chosen.
    pub objective: DispatchObjective,
    /// Whether it is the plan in force.
    pub in_force: bool,
    /// Its generation if it is in force, else the one that it would have.
    pub generation: u32,
    /// When it was made.
    pub made_at: Time,
    /// Members that are asked for something.
    pub asked: usize,
    /// Members that are not, by why.
    pub unasked: BTreeMap<MemberStanding, usize>,
    /// By interval: target, what members that are not asked are expected to do, and what nobody is
    /// given, in W.
    pub balances: Vec<BalanceView>,
    /// Energy by which shares differ from what members would do unasked, in Wh.
    pub moved_wh: f64,
    /// What that costs by the prices of contracts, without what an event itself costs; null where
    /// nothing is under contract.
    #[schema(required)]
    pub cost: Option<f64>,
    /// Jain's index of the members' shares of their own ratings: 1 where all do alike.
    pub fairness: f64,
}

/// How one interval adds up: target = shares + unasked + residue.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct BalanceView {
    /// Index of the interval, from 0.
    pub interval: u32,
    /// Net target, in W.
    pub target_w: f64,
    /// Sum of the shares, in W.
    pub shares_w: f64,
    /// Expected of members that are not asked, in W.
    pub unasked_w: f64,
    /// What nobody is given, in W.
    pub residue_w: f64,
}

/// The share of one member by each plan, in its first interval that any asks it in.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ComparedMember {
    /// Who.
    pub der: DerRef,
    /// Index of the interval, from 0.
    pub interval: u32,
    /// By plan, in their order: its share in W, injection positive; null where it is not asked.
    pub shares_w: Vec<Option<f64>>,
    /// By plan: why it is not asked; null where it is.
    pub standings: Vec<Option<MemberStanding>>,
}

/// Plans side by side.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Comparison {
    /// The plan in force first, if there is one, then one for each objective that can be planned.
    pub plans: Vec<PlanView>,
    /// Plans that were in force before, newest first: at most 64.
    pub superseded: Vec<SupersededView>,
    /// Objectives that can't be planned, and why.
    pub refused: BTreeMap<String, Problem>,
    /// Members whose shares differ, at most 1000.
    pub members: Vec<ComparedMember>,
}

/// A plan that another one has taken the place of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct SupersededView {
    /// Its generation.
    pub generation: u32,
    /// When it was made.
    pub made_at: Time,
    /// When the one that took its place was.
    pub superseded_at: Time,
    /// Members that it asked for something.
    pub asked: u32,
    /// The largest part of a target that nobody was given, in W, a magnitude.
    pub residue_w: f64,
}

impl From<&Superseded> for SupersededView {
    fn from(plan: &Superseded) -> Self {
        Self {
            generation: plan.generation,
            made_at: Time(plan.made),
            superseded_at: Time(plan.until),
            asked: plan.asked,
            residue_w: plan.residue.as_f64(),
        }
    }
}

/// A plan to adopt.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Adoption {
    /// By what members are chosen.
    pub objective: DispatchObjective,
    /// Generation of the plan in force when it was compared; adoption is refused when another plan
    /// has come since.
    pub generation: u32,
}

/// Compare what plans by every objective would ask of whom now.
#[utoipa::path(get, path = "/api/v1/dispatches/{mrid}/plans", operation_id = "compare_plans", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = Comparison), (status = 404, body = Problem)))]
pub(super) async fn compare(
    State(api): State<Api>,
    Named(mrid): Named,
) -> Result<Json<Comparison>, Problem> {
    api.planning(move |world, limits| {
        let dispatch = find(world.fleet, &mrid)?;
        let mut plans: Vec<(Objective, Plan, bool)> = Vec::new();
        if let Some(plan) = &dispatch.plan {
            plans.push((dispatch.conduct.objective, plan.clone(), true));
        }
        let mut refused = BTreeMap::new();
        for objective in OBJECTIVES {
            let mut next = dispatch.clone();
            next.conduct.objective = objective;
            match reconcile::plan_from(world, &next, limits, OnShort::Reject) {
                Ok(plan) => plans.push((objective, plan, false)),
                Err(rejection) => {
                    refused.insert(name(objective), Problem::from(rejection));
                }
            }
        }
        let members = compared(world, &plans);
        let view = |(objective, plan, in_force): &(Objective, Plan, bool)| {
            view(world, dispatch, (*objective, plan, *in_force))
        };
        Ok(Json(Comparison {
            plans: plans.iter().map(view).collect(),
            superseded: dispatch.superseded.iter().rev().map(Into::into).collect(),
            refused,
            members,
        }))
    })
    .await
}

/// Plan a dispatch anew by an objective and adopt the plan; the one in force is superseded.
#[utoipa::path(post, path = "/api/v1/dispatches/{mrid}/plans", operation_id = "adopt_plan", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = Adoption,
    responses((status = 200, body = DispatchRow), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn adopt(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(adoption): Body<Adoption>,
) -> Result<Json<DispatchRow>, Problem> {
    let found = mrid.clone();
    let by = author(&principal)?;
    api.revise_one(&principal, move |fleet| {
        let dispatch = find(fleet, &found)?;
        let generation = dispatch.plan.as_ref().map_or(0, |plan| plan.generation);
        if generation != adoption.generation {
            let rejection = fleet::Rejection::StalePlan {
                expected: generation + 1,
                got: adoption.generation + 1,
            };
            return Err(rejection.into());
        }
        let change = DispatchChange {
            objective: Some(adoption.objective.into()),
            by: Some(by.clone()),
            ..DispatchChange::default()
        };
        Ok(Command::ChangeDispatch(dispatch.id, change))
    })
    .await?;
    one(&api, &mrid).await.map(Json)
}

const OBJECTIVES: [Objective; 4] = [
    Objective::ProRata,
    Objective::LeastCost,
    Objective::LeastUsed,
    Objective::FewestDevices,
];

fn name(objective: Objective) -> String {
    let name = serde_json::to_value(DispatchObjective::from(objective)).ok();
    name.and_then(|name| Some(name.as_str()?.to_owned()))
        .unwrap_or_default()
}

fn view(
    world: &fleet::dispatch::assess::World<'_>,
    dispatch: &Dispatch,
    (objective, plan, in_force): (Objective, &Plan, bool),
) -> PlanView {
    let asked: BTreeSet<DerId> = plan.allocations.iter().map(|a| a.der).collect();
    let mut unasked = BTreeMap::new();
    for (_, standing) in &plan.unasked {
        *unasked.entry(MemberStanding::from(*standing)).or_default() += 1;
    }
    let balance = |balance: &fleet::dispatch::plan::Balance| BalanceView {
        interval: balance.interval,
        target_w: balance.target.as_f64(),
        shares_w: (balance.target - balance.unasked - balance.residue).as_f64(),
        unasked_w: balance.unasked.as_f64(),
        residue_w: balance.residue.as_f64(),
    };
    let (mut moved_wh, mut cost) = (0.0, None);
    let mut ratios: BTreeMap<DerId, f64> = BTreeMap::new();
    for allocation in &plan.allocations {
        let Some(target) = dispatch.schedule.get(allocation.interval as usize) else {
            continue;
        };
        let base = world.observation(allocation.der).p;
        let base = base.map_or(Watts::ZERO, |reading| reading.value);
        let moved = (allocation.share.p() - base).abs();
        let energy = moved.over(target.interval.duration).as_f64();
        moved_wh += energy;
        if let Some(price) = price(world, allocation.der, target.interval.start) {
            *cost.get_or_insert(0.0) += price.as_f64() * energy / 1_000.0;
        }
        let settings = world
            .fleet
            .der(allocation.der)
            .and_then(|d| d.settings.as_ref());
        let rating = settings.map_or(0.0, |s| s.p_inject_max.max(s.p_absorb_max).as_f64());
        if rating > 0.0 {
            let ratio = ratios.entry(allocation.der).or_default();
            *ratio = ratio.max(moved.as_f64() / rating);
        }
    }
    PlanView {
        objective: objective.into(),
        in_force,
        generation: plan.generation,
        made_at: plan.made.into(),
        asked: asked.len(),
        unasked,
        balances: plan.balances.iter().map(balance).collect(),
        moved_wh,
        cost,
        fairness: jain(ratios.values().copied()),
    }
}

/// R. Jain et al., "A Quantitative Measure of Fairness", DEC-TR-301 (1984).
fn jain(values: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    if squares > 0.0 {
        sum * sum / (count * squares)
    } else {
        1.0
    }
}

fn price(
    world: &fleet::dispatch::assess::World<'_>,
    der: DerId,
    at: units::Timestamp,
) -> Option<Money> {
    let mut contracts = world.fleet.enrolment().contracts_of(der);
    let contract = contracts.find(|contract| contract.holds_at(at))?;
    world.fleet.terms(contract.program, at)?.price_per_kwh
}

/// By how much shares differ, whose, in which interval, and the shares.
type Differing = (Watts, DerId, u32, Vec<Option<Watts>>);

fn compared(
    world: &fleet::dispatch::assess::World<'_>,
    plans: &[(Objective, Plan, bool)],
) -> Vec<ComparedMember> {
    let mut first: BTreeMap<DerId, u32> = BTreeMap::new();
    for allocation in plans.iter().flat_map(|(_, plan, _)| &plan.allocations) {
        let interval = first.entry(allocation.der).or_insert(allocation.interval);
        *interval = (*interval).min(allocation.interval);
    }
    let mut differing: Vec<Differing> = Vec::new();
    for (der, interval) in first {
        let shares: Vec<Option<Watts>> = plans
            .iter()
            .map(|(_, plan, _)| plan.share(der, interval).map(ActivePower::p))
            .collect();
        let base = world.observation(der).p.map_or(Watts::ZERO, |p| p.value);
        let does = shares.iter().map(|share| share.unwrap_or(base));
        let spread = does.clone().max().unwrap_or_default() - does.min().unwrap_or_default();
        if Watts::ZERO < spread {
            differing.push((spread, der, interval, shares));
        }
    }
    differing.sort_by_key(|(spread, der, ..)| (std::cmp::Reverse(*spread), *der));
    differing.truncate(MAX_COMPARED);
    let row = |(_, der, interval, shares): Differing| {
        let known = world.fleet.der(der)?;
        let standing =
            |(_, plan, _): &(Objective, Plan, bool)| plan.standing_of(der).map(Into::into);
        Some(ComparedMember {
            der: DerRef {
                mrid: known.mrid.to_string(),
                name: known.name.to_string(),
                kind: known.kind.into(),
            },
            interval,
            shares_w: shares
                .iter()
                .map(|share| share.map(Watts::as_f64))
                .collect(),
            standings: plans.iter().map(standing).collect(),
        })
    };
    differing.into_iter().filter_map(row).collect()
}
