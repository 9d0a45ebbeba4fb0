//! Health for supervisors, metrics for Prometheus.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tokio::sync::Mutex;
use units::Timestamp;

use crate::api::{Api, summary};
use crate::clock;
use crate::metrics::Levels;

/// Longest time the owner of the state may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is repeated without asking again, so that anybody may ask often.
const REPEATED: Duration = Duration::from_secs(1);

/// How far a node that follows may be behind and serve all the same.
const MAX_BEHIND: Duration = Duration::from_secs(10);

/// What was last found out.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Option<(Timestamp, StatusCode)>>);

/// The process is there.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The owner of the state answers, and its store can be read; where another node leads, the state
/// is current.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let mut last = api.readiness.0.lock().await;
    let now = clock::now();
    let status = match *last {
        Some((at, status)) if now.since(at) < REPEATED => status,
        _ => match api.node.standing().filter(|own| !own.leads) {
            Some(own) if own.behind < MAX_BEHIND => StatusCode::OK,
            Some(_) => StatusCode::SERVICE_UNAVAILABLE,
            None => {
                let answer = tokio::time::timeout(ANSWER_TIMEOUT, api.node.accounts()).await;
                match answer {
                    Ok(Ok(_)) => StatusCode::OK,
                    Ok(Err(_)) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
                }
            }
        },
    };
    *last = Some((now, status));
    let text = match (status, api.node.leads()) {
        (StatusCode::OK, true) => "ready\n",
        (StatusCode::OK, false) => "ready, following\n",
        _ => "not ready\n",
    };
    (status, text).into_response()
}

/// What is counted.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let levels = api.world(|world| {
        let counts = summary::contacts(world).0;
        let open = world.fleet.open_dispatches(world.now);
        let plans = open.filter_map(|dispatch| dispatch.plan.as_ref());
        Levels {
            reachable: counts.reachable,
            silent: counts.silent,
            late_members: plans.map(|plan| plan.late.len()).sum(),
            uptime: world.now.since(api.started),
        }
    });
    let waiting = api.node.notifications_waiting();
    api.node.metrics().notifications_waiting(waiting);
    api.node.metrics().standing(api.node.standing());
    let text = api.node.metrics().text(levels);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
