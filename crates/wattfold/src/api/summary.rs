//! The state of everything at a glance.

use axum::Json;
use axum::extract::State;
use fleet::dispatch::assess::World;
use fleet::{Dispatch, DispatchId, DispatchPhase};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::der::{self, Contact, DerRow};
use crate::api::dispatch::{self, DispatchRow};
use crate::api::group::{self, GroupRow};
use crate::api::judgement::Tallies;
use crate::api::problem::Problem;
use crate::api::value::Time;
use crate::api::{Api, ApiState};

/// Most rows of each list of a summary; the lists themselves are paged.
pub const MAX_ROWS: usize = 100;

/// How many DER there are, by contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct DerCounts {
    /// All.
    pub total: usize,
    /// Heard lately.
    pub reachable: usize,
    /// Heard once, but not lately.
    pub silent: usize,
    /// Never heard.
    pub never_heard: usize,
}

/// A limit over several DER, as configured.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FeederLimit {
    /// What it is called.
    pub name: String,
    /// Most net injection in W, a magnitude; null when unlimited.
    #[schema(required)]
    pub max_export_w: Option<f64>,
    /// Most net absorption in W, a magnitude; null when unlimited.
    #[schema(required)]
    pub max_import_w: Option<f64>,
}

/// The state of everything at a glance. Each list has at most 100 rows.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Summary {
    /// The instant of judgement.
    pub at: Time,
    /// DER by contact.
    pub ders: DerCounts,
    /// The groups, the oldest first.
    pub groups: Vec<GroupRow>,
    /// Dispatches that run, or pause between two intervals.
    pub running: Vec<DispatchRow>,
    /// Dispatches that lie ahead.
    pub coming: Vec<DispatchRow>,
    /// DER that were heard once, but not lately.
    pub lost: Vec<DerRow>,
    /// Limits over several DER.
    pub feeder_limits: Vec<FeederLimit>,
}

/// Show the state of everything at a glance.
#[utoipa::path(get, path = "/api/v1/summary", operation_id = "show_summary", tag = "summary",
    responses((status = 200, body = Summary), (status = 401, body = Problem)))]
pub(super) async fn show(State(api): State<Api>) -> Result<Json<Summary>, Problem> {
    let open = api.world(open);
    let tallies = api.tallies(&open).await?;
    Ok(Json(api.world(|world| summary(&api, world, &tallies))))
}

/// The dispatches a summary shows.
pub(super) fn open(world: &World<'_>) -> Vec<DispatchId> {
    let open = world
        .fleet
        .open_dispatches(world.now)
        .map(|dispatch| dispatch.id);
    open.take(2 * MAX_ROWS).collect()
}

/// Everything at a glance.
pub(super) fn summary(api: &ApiState, world: &World<'_>, tallies: &Tallies) -> Summary {
    let (coming, running): (Vec<&Dispatch>, Vec<&Dispatch>) = open(world)
        .into_iter()
        .filter_map(|id| world.fleet.dispatch(id))
        .partition(|d| d.phase(world.now) == DispatchPhase::Scheduled);
    let (ders, lost) = contacts(world);
    let groups = der::groups_of(world.fleet, &lost);
    let first = |dispatches: &[&Dispatch]| {
        let count = dispatches.len().min(MAX_ROWS);
        dispatch::rows(world, &dispatches[..count], tallies)
    };
    Summary {
        at: world.now.into(),
        ders,
        groups: world
            .fleet
            .groups()
            .take(MAX_ROWS)
            .map(|g| group::row(world, g))
            .collect(),
        running: first(&running),
        coming: first(&coming),
        lost: lost
            .into_iter()
            .map(|der| der::row(world, der, &groups))
            .collect(),
        feeder_limits: api.limits.clone(),
    }
}

/// DER by contact, and the first of those that are lost.
pub(super) fn contacts<'a>(world: &World<'a>) -> (DerCounts, Vec<&'a fleet::Der>) {
    let mut counts = DerCounts::default();
    let mut lost = Vec::new();
    let ders = world.fleet.ders().iter();
    for der in ders.filter(|der| der.removed.is_none()) {
        counts.total += 1;
        match der::contact(world, der.id) {
            Contact::Reachable => counts.reachable += 1,
            Contact::NeverHeard => counts.never_heard += 1,
            Contact::Silent => {
                counts.silent += 1;
                if lost.len() < MAX_ROWS {
                    lost.push(der);
                }
            }
        }
    }
    (counts, lost)
}
