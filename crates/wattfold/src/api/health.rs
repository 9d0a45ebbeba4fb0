//! Health for supervisors, metrics for Prometheus.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use tokio::sync::Mutex;
use units::Timestamp;

use crate::api::{Api, summary};
use crate::clock;

/// Longest time the owner of the state may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is repeated without asking again, so that anybody may ask often.
const REPEATED: Duration = Duration::from_secs(1);

/// What was last found out.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Option<(Timestamp, StatusCode)>>);

/// The process is there.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The owner of the state answers, and its store can be read.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let mut last = api.readiness.0.lock().await;
    let now = clock::now();
    let status = match *last {
        Some((at, status)) if now.since(at) < REPEATED => status,
        _ => {
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, api.node.accounts()).await;
            match answer {
                Ok(Ok(_)) => StatusCode::OK,
                Ok(Err(_)) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
            }
        }
    };
    *last = Some((now, status));
    let text = if status == StatusCode::OK {
        "ready\n"
    } else {
        "not ready\n"
    };
    (status, text).into_response()
}

/// What is counted.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let counts = api.world(|world| summary::contacts(world).0);
    let gauge = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let uptime = clock::now().since(api.started);
    let text = api
        .node
        .metrics()
        .text(gauge(counts.reachable), gauge(counts.silent), uptime);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}
