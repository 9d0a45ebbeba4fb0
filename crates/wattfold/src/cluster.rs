//! Several nodes on one database: what one of them is asked, another carries out.
//!
//! A request that needs a decision is carried to the leader as it came, through the database, and
//! carried out there by the same routes. Its answer comes back the same way, and is given when what
//! it rests on is published at the node that was asked. Beside that, nodes tell one another what
//! they have observed of DER, and share accounts and sessions.

pub mod errand;

mod clerk;
mod sharing;

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http_body_util::BodyExt as _;
use store::{Address, Inbox, Shared, Waiting};
use tokio::sync::mpsc as queue;
use tower::ServiceExt as _;

use crate::api::import;
use crate::api::problem::{Kind, Problem};
use crate::auth::{self, Auth};
use crate::device_listener;
use crate::node::membership::{self, Course, Errand};
use crate::node::{DeviceRequest, Node, Unavailable};

use clerk::{Clerk, Done};
use errand::{Asked, Enterprise};

/// Requests of other nodes that the leader carries out at one time.
pub const MAX_CARRIED_OUT: usize = 256;
/// Most bytes of a request that is carried to the leader. Only files of DER and documents may be larger;
/// they are for the leader itself.
pub const MAX_CARRIED_BYTES: usize = 4 * 1024 * 1024;

/// The ends of a node's threads.
pub struct Parts {
    /// Where the database is.
    pub address: Address,
    /// What the node is called; no other is called so at this time.
    pub name: String,
    /// What [`Node::carry`] sends.
    pub errands: mpsc::Receiver<Errand>,
}

/// Starts what a node does among others. `router` has the routes of the enterprise listener, as
/// they are without [`carried`].
pub fn start(node: &Arc<Node>, auth: &Arc<Auth>, router: Router, parts: Parts) {
    let Parts {
        address,
        name,
        errands,
    } = parts;
    let (work, waiting) = queue::channel(MAX_CARRIED_OUT);
    let (done, results) = mpsc::channel();
    let inbox = Inbox::new(address.clone(), name.clone());
    let clerk = Clerk::new(Arc::downgrade(node), inbox, work);
    std::thread::spawn(move || clerk.run(&errands, &results));
    let shared = Shared::new(address, name);
    let (observed, known) = (Arc::downgrade(node), Arc::downgrade(auth));
    std::thread::spawn(move || sharing::run(shared, &observed, &known));
    tokio::spawn(carry_out(Arc::clone(node), router, waiting, done));
}

/// Has the leader carry out what needs a decision, when this node is not the leader. Files of DER are
/// more than the database is to carry.
pub fn carried(router: Router, node: Arc<Node>) -> Router {
    router.layer(middleware::from_fn_with_state(node, carry))
}

async fn carry(State(node): State<Arc<Node>>, request: Request, next: Next) -> Response {
    let stays = request.method().is_safe() || request.uri().path() == import::PATH;
    if stays || node.leads() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    // What a route does not read, for it lets nobody in whom it does not know, is not kept.
    let read = Arc::new(Mutex::new(Vec::new()));
    let here = Request::from_parts(parts.clone(), noting(body, &read));
    let (answered, principal) = auth::remembered(membership::watched(next.run(here))).await;
    let (response, course) = answered;
    if course != Course::TurnedDown {
        return response;
    }
    let body = std::mem::take(&mut *read.lock().unwrap_or_else(PoisonError::into_inner));
    if MAX_CARRIED_BYTES < body.len() {
        let detail =
            format!("more than {MAX_CARRIED_BYTES} bytes are taken by the node that leads alone");
        return Problem::new(Kind::Misdirected, detail).into_response();
    }
    let head = errand::enterprise(&parts, principal);
    match node.carry(head, body).await {
        Ok(reply) => errand::response(reply).map(Body::from),
        Err(unavailable) => Problem::from(unavailable).into_response(),
    }
}

/// `body`, of which as much is noted in `read` as is read of it, until that is too much.
fn noting(body: Body, read: &Arc<Mutex<Vec<u8>>>) -> Body {
    let read = Arc::clone(read);
    Body::new(body.map_frame(move |frame| {
        if let Some(data) = frame.data_ref() {
            let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
            if read.len() <= MAX_CARRIED_BYTES {
                read.extend_from_slice(data);
            }
        }
        frame
    }))
}

/// Carries out what other nodes ask, for as long as the clerk hands it over.
async fn carry_out(
    node: Arc<Node>,
    router: Router,
    mut waiting: queue::Receiver<Waiting>,
    done: mpsc::Sender<Done>,
) {
    while let Some(waiting) = waiting.recv().await {
        let (node, router, done) = (Arc::clone(&node), router.clone(), done.clone());
        tokio::spawn(async move {
            let (id, answer, change) = match waiting {
                Waiting::Decided(id) => (id, lost().await, 0),
                Waiting::Open(request) => {
                    let id = request.id;
                    let work = perform(&node, router, request);
                    let work = membership::watched(membership::carrying_out(id, work));
                    let (answer, course) = work.await;
                    let change = node.standing().map_or(0, |own| own.change);
                    (id, answer.filter(|_| course == Course::Decided), change)
                }
            };
            let result = match answer {
                Some((head, body)) => Done::Answered(store::Reply {
                    id,
                    head,
                    body,
                    change,
                }),
                // Whoever leads next finds it open, or decided.
                None => Done::Left(id),
            };
            if done.send(result).is_err() {
                tracing::debug!("the clerk has gone");
            }
        });
    }
}

/// The answer to a request that was decided by a leader which did not live to tell how.
async fn lost() -> Option<(String, Vec<u8>)> {
    let problem = Problem::from(Unavailable::Unanswered);
    errand::answer(problem.into_response()).await
}

/// Head and body of the answer; nothing when there is none to give.
async fn perform(
    node: &Arc<Node>,
    router: Router,
    request: store::Request,
) -> Option<(String, Vec<u8>)> {
    let response = match errand::read(&request.head) {
        Ok(Asked::Device(head)) => {
            let asked: DeviceRequest = head.request(request.body.into())?;
            device_listener::carried_out(node, asked)
                .await?
                .map(Body::new)
        }
        Ok(Asked::Enterprise(head)) => {
            let Enterprise { principal, .. } = &head;
            let principal = principal.clone().map(errand::Known::principal);
            let asked = head.request(request.body)?;
            let answer = auth::trusting(principal, router.oneshot(asked)).await;
            match answer {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
        Err(error) => {
            tracing::error!(%error, "a request of another node is not readable");
            (StatusCode::BAD_REQUEST, error.to_string()).into_response()
        }
    };
    errand::answer(response).await
}
