//! Approval of dispatches, their publication, and the rules about it.

use axum::Json;
use axum::extract::State;
use fleet::{ApprovalRule, Capacity, CimMrid, Command, Fleet, Need, Priority, Rejection};
use serde::{Deserialize, Serialize};
use units::Watts;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::aim::MAX_TARGET_W;
use crate::api::dispatch::{DispatchRow, find, one};
use crate::api::problem::Problem;
use crate::api::request::{Body, Named};
use crate::api::settings_profile::author;
use crate::api::value::Time;
use crate::auth::Principal;

/// How urgent a dispatch is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispatchPriority {
    /// To save or earn money.
    #[default]
    Economic,
    /// To keep the grid within its limits.
    Reliability,
    /// To keep the grid up.
    Emergency,
}

impl From<Priority> for DispatchPriority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Economic => Self::Economic,
            Priority::Reliability => Self::Reliability,
            Priority::Emergency => Self::Emergency,
        }
    }
}

impl From<DispatchPriority> for Priority {
    fn from(priority: DispatchPriority) -> Self {
        match priority {
            DispatchPriority::Economic => Self::Economic,
            DispatchPriority::Reliability => Self::Reliability,
            DispatchPriority::Emergency => Self::Emergency,
        }
    }
}

/// An approval that a dispatch needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalNeed {
    /// By somebody else than who made it.
    SecondPerson,
    /// For the balancing authority.
    BalancingAuthority,
}

impl From<Need> for ApprovalNeed {
    fn from(need: Need) -> Self {
        match need {
            Need::SecondPerson => Self::SecondPerson,
            Need::BalancingAuthority => Self::BalancingAuthority,
        }
    }
}

/// In what capacity somebody approves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalCapacity {
    /// As an operator.
    #[default]
    Operator,
    /// For the balancing authority; only accounts that the configuration names may.
    BalancingAuthority,
}

/// An approval that was given.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ApprovalView {
    /// Name of the account.
    pub by: String,
    /// In what capacity.
    pub capacity: ApprovalCapacity,
    /// When.
    pub at: Time,
}

impl From<&fleet::Approval> for ApprovalView {
    fn from(approval: &fleet::Approval) -> Self {
        Self {
            by: approval.by.to_string(),
            capacity: match approval.capacity {
                Capacity::Operator => ApprovalCapacity::Operator,
                Capacity::BalancingAuthority => ApprovalCapacity::BalancingAuthority,
            },
            at: approval.at.into(),
        }
    }
}

/// An approval to give.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// Generation of the plan that was looked at; approval is refused when another plan has come
    /// since, by a change or by itself.
    pub generation: u32,
    /// In what capacity.
    #[serde(default)]
    pub capacity: ApprovalCapacity,
}

/// A rule about which dispatches need an approval; all rules that fit count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRuleView {
    /// mRID of the group whose dispatches are meant; those of every group when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Dispatches that ask their members for at least so much, up or down, in W.
    #[serde(default)]
    pub from_w: f64,
    /// Dispatches up to this priority; more urgent ones do without.
    pub up_to: DispatchPriority,
    /// What they need.
    pub need: ApprovalNeed,
}

/// The rules about approvals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRules {
    /// The rules.
    pub items: Vec<ApprovalRuleView>,
}

/// Approve of a dispatch as it was looked at. With the last approval that it needs it is published, unless it waits for
/// a command.
#[utoipa::path(post, path = "/api/v1/dispatches/{mrid}/approve", operation_id = "approve_dispatch", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")), request_body = ApprovalRequest,
    responses((status = 200, body = DispatchRow), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn approve(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
    Body(request): Body<ApprovalRequest>,
) -> Result<Json<DispatchRow>, Problem> {
    let capacity = match request.capacity {
        ApprovalCapacity::Operator => Capacity::Operator,
        ApprovalCapacity::BalancingAuthority => {
            if !api.balancing_authority.contains(&principal.name) {
                let rule = "this account does not act for the balancing authority";
                return Err(Problem::field("capacity", rule));
            }
            Capacity::BalancingAuthority
        }
    };
    let by = author(&principal)?;
    let (found, seen) = (mrid.clone(), request.generation);
    api.revise_one(&principal, move |fleet| {
        let dispatch = find(fleet, &found)?;
        let in_force = dispatch.plan.as_ref().map_or(0, |plan| plan.generation);
        if in_force != seen {
            let rejection = Rejection::ChangedSince { seen, in_force };
            return Err(rejection.into());
        }
        Ok(Command::ApproveDispatch(dispatch.id, by, capacity))
    })
    .await?;
    one(&api, &mrid).await.map(Json)
}

/// Publish a dispatch: its controls are let out.
#[utoipa::path(post, path = "/api/v1/dispatches/{mrid}/publish", operation_id = "publish_dispatch", tag = "dispatches",
    params(("mrid" = String, Path, description = "IEC 61968 mRID")),
    responses((status = 200, body = DispatchRow), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn publish(
    State(api): State<Api>,
    principal: Principal,
    Named(mrid): Named,
) -> Result<Json<DispatchRow>, Problem> {
    let id = api.world(|world| find(world.fleet, &mrid).map(|dispatch| dispatch.id))?;
    api.command_one(&principal, Command::PublishDispatch(id))
        .await?;
    one(&api, &mrid).await.map(Json)
}

/// Show the rules about approvals.
#[utoipa::path(get, path = "/api/v1/approval_rules", operation_id = "show_approval_rules", tag = "dispatches",
    responses((status = 200, body = ApprovalRules)))]
pub(super) async fn show_rules(State(api): State<Api>) -> Json<ApprovalRules> {
    api.world(|world| Json(rules(world.fleet)))
}

/// Replace the rules about approvals.
#[utoipa::path(put, path = "/api/v1/approval_rules", operation_id = "set_approval_rules", tag = "dispatches",
    request_body = ApprovalRules,
    responses((status = 200, body = ApprovalRules), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn set_rules(
    State(api): State<Api>,
    principal: Principal,
    Body(request): Body<ApprovalRules>,
) -> Result<Json<ApprovalRules>, Problem> {
    let read = |world: &fleet::dispatch::assess::World<'_>| {
        let numbered = request.items.iter().enumerate();
        let rules = numbered.map(|(index, rule)| {
            let read = rule.read(world.fleet);
            read.map_err(|problem| problem.under(&format!("items[{index}]")))
        });
        rules.collect::<Result<Vec<_>, _>>()
    };
    let read = api.world(read)?;
    api.command_one(&principal, Command::SetApprovalRules(read))
        .await?;
    Ok(api.world(|world| Json(rules(world.fleet))))
}

fn rules(fleet: &Fleet) -> ApprovalRules {
    let view = |rule: &ApprovalRule| ApprovalRuleView {
        group: rule
            .group
            .and_then(|id| Some(fleet.group(id)?.mrid.to_string())),
        from_w: rule.from.as_f64(),
        up_to: rule.up_to.into(),
        need: rule.need.into(),
    };
    // What is said of a group that is gone concerns no dispatch any more.
    let known = |rule: &&ApprovalRule| rule.group.is_none_or(|id| fleet.group(id).is_some());
    ApprovalRules {
        items: fleet
            .approval_rules()
            .iter()
            .filter(known)
            .map(view)
            .collect(),
    }
}

impl ApprovalRuleView {
    fn read(&self, fleet: &Fleet) -> Result<ApprovalRule, Problem> {
        let group = self.group.as_deref().map(|mrid| {
            let known = CimMrid::new(mrid).ok();
            let known = known.and_then(|mrid| fleet.group_by_mrid(&mrid));
            known.ok_or_else(|| Problem::field("group", "is not the mRID of a group"))
        });
        if !(0.0..=MAX_TARGET_W).contains(&self.from_w) {
            return Err(Problem::field(
                "from_w",
                format!("must be 0 to {MAX_TARGET_W:e}"),
            ));
        }
        Ok(ApprovalRule {
            group: group.transpose()?.map(|group| group.id),
            from: Watts::from_f64(self.from_w),
            up_to: self.up_to.into(),
            need: match self.need {
                ApprovalNeed::SecondPerson => Need::SecondPerson,
                ApprovalNeed::BalancingAuthority => Need::BalancingAuthority,
            },
        })
    }
}
