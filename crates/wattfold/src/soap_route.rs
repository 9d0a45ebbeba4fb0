//! IEC 61968-5 over HTTP: WSDLs and schemas by GET, operations by POST.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use fleet::dispatch::Aggregate;
use fleet::{CimMrid, Command, Group, Name};
use http::header::{ALLOW, CONTENT_TYPE, HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use iec61968_5::limits::MAX_BODY_BYTES;
use iec61968_5::profile::{self, PartialResult, Profile};
use iec61968_5::server::{self, Answer};
use iec61968_5::soap::SoapFault;
use iec61968_5::translate::{GroupStatus, View, Voltage};
use iec61968_5::{schema, xml::Mode};
use store::Actor;
use units::Timestamp;
use uuid::Builder;

use crate::auth::{Auth, AuthError, Presented};
use crate::clock;
use crate::config::{AbsentFlow, Cim};
use crate::enterprise_listener::Peer;
use crate::node::{Node, Published, Unavailable};
use crate::request_body::{self, BodyError};

/// Time a client gets to send a body.
const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// What the route needs.
#[derive(Clone)]
pub struct SoapState {
    /// The fleet.
    pub node: Arc<Node>,
    /// Who may ask.
    pub auth: Arc<Auth>,
    /// What is agreed with whom.
    pub config: Arc<Cim>,
    /// Scheme of the listener, for the addresses in WSDLs.
    pub scheme: &'static str,
}

/// The routes below `/61968-5/`.
pub fn router(state: SoapState) -> Router {
    Router::new()
        .route("/61968-5/{*path}", any(respond))
        .with_state(state)
}

async fn respond(State(state): State<SoapState>, request: Request) -> Response {
    let response = handle(&state, request).await;
    state
        .node
        .metrics()
        .response("iec61968_5", response.status().as_u16());
    response
}

async fn handle(state: &SoapState, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let caller = match caller(state, &head).await {
        Ok(caller) => caller,
        Err(error) => return refused(error),
    };
    let path = head.uri.path();
    match head.method {
        Method::GET | Method::HEAD => {
            let host = text(&head.headers, HOST.as_str()).unwrap_or("localhost");
            let origin = format!("{}://{host}", state.scheme);
            match schema::document(path, head.uri.query(), &origin) {
                Some(document) => xml(StatusCode::OK, document),
                None => fault(StatusCode::NOT_FOUND, "there is no such document"),
            }
        }
        Method::POST if schema::is_service(path) => {
            match request_body::take(&head.headers, body, MAX_BODY_BYTES, BODY_TIMEOUT).await {
                Ok(body) => operation(state, caller, &head.headers, &body).await,
                Err(error) => untaken(error),
            }
        }
        Method::POST => fault(StatusCode::NOT_FOUND, "there is no such service"),
        _ => {
            let mut response = fault(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST");
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
            response
        }
    }
}

fn untaken(error: BodyError) -> Response {
    match error {
        BodyError::TooLarge => {
            let rule = format!("a message has at most {MAX_BODY_BYTES} bytes");
            fault(StatusCode::PAYLOAD_TOO_LARGE, &rule)
        }
        BodyError::CutOff => fault(StatusCode::BAD_REQUEST, &error.to_string()),
        BodyError::TooSlow => fault(StatusCode::REQUEST_TIMEOUT, &error.to_string()),
    }
}

/// Who asks.
struct Caller {
    /// Which profile applies.
    name: Name,
    /// What the journal calls it.
    actor: Actor,
}

/// A system is known by its certificate, a person by an account.
async fn caller(state: &SoapState, head: &Parts) -> Result<Caller, AuthError> {
    let peer = head.extensions.get::<Peer>();
    let certificate = peer.and_then(|peer| peer.certificate.as_deref());
    if let Some(name) = certificate.and_then(|name| Name::new(name).ok()) {
        let actor = Actor::Peer(name.clone());
        return Ok(Caller { name, actor });
    }
    let from = peer.map(|peer| peer.address.ip());
    let presented = Presented {
        method: &head.method,
        headers: &head.headers,
        from,
    };
    let principal = state.auth.authenticate(&presented, clock::now()).await?;
    Ok(Caller {
        name: Name::new(&principal.name).map_err(|_| AuthError::Wrong)?,
        actor: Actor::Account(principal.account),
    })
}

/// `command` with who asks, who is no second person to approve of it.
fn by(caller: &Name, mut command: Command) -> Command {
    if let Command::CreateDispatch(new) = &mut command {
        new.conduct.author = Some(caller.clone());
    }
    command
}

async fn operation(
    state: &SoapState,
    caller: Caller,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let profile = profile(&state.config, &caller.name);
    let request = server::Request {
        content_type: text(headers, CONTENT_TYPE.as_str()),
        soap_action: text(headers, "soapaction"),
        body,
    };
    let now = clock::now();
    let asked = state.node.read(|published| {
        let status = |group: &Group| group_status(published, group, now);
        let view = View {
            fleet: published.fleet,
            status: &status,
        };
        server::handle(&request, &profile, &view, &mut mint, now)
    });
    let (commands, continuation) = match asked {
        Answer::Reply(response) => return outgoing(response),
        Answer::Submit(submission) => (submission.commands, submission.continuation),
    };
    let commands = commands
        .into_iter()
        .map(|command| by(&caller.name, command));
    let outcomes = match state.node.command(caller.actor, commands.collect()).await {
        Ok(outcomes) => outcomes,
        Err(unavailable @ Unavailable::Unanswered) => {
            return fault(StatusCode::INTERNAL_SERVER_ERROR, &unavailable.to_string());
        }
        Err(unavailable) => {
            let mut response = fault(StatusCode::SERVICE_UNAVAILABLE, &unavailable.to_string());
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return response;
        }
    };
    let outcomes: Vec<Result<(), fleet::Rejection>> = outcomes
        .into_iter()
        .map(|outcome| outcome.map(drop))
        .collect();
    outgoing(
        state
            .node
            .read(|published| server::finish(continuation, outcomes, published.fleet)),
    )
}

/// A UUID for an object that came without an mRID.
fn mint() -> CimMrid {
    let uuid = Builder::from_random_bytes(crate::auth::random()).into_uuid();
    CimMrid::new(&uuid.to_string()).expect("a UUID has 36 printable characters")
}

fn profile(config: &Cim, name: &Name) -> Profile {
    let mut profile = Profile::default();
    let peer = config.peers.get(name.as_str());
    if peer.and_then(|peer| peer.strict).unwrap_or(config.strict) {
        profile.mode = Mode::Strict;
    }
    if let Some(namespace) = peer.and_then(|peer| peer.envelope_namespace.clone()) {
        profile.message_namespaces = vec![namespace];
    }
    if let Some(namespace) = peer.and_then(|peer| peer.payload_namespace.clone()) {
        profile.payload_bases = vec![namespace];
    }
    if peer.is_some_and(|peer| peer.absent_flow == AbsentFlow::Absorption) {
        profile.absent_flow = profile::AbsentFlow::Absorption;
    }
    if peer.is_some_and(|peer| peer.epri_compat) {
        profile.partial_result = PartialResult::Failed;
    }
    profile
}

fn group_status(published: &Published<'_>, group: &Group, now: Timestamp) -> GroupStatus {
    let sum: Aggregate = published.world(now).aggregate(&group.members);
    let heard = sum.at.is_some();
    GroupStatus {
        at: sum.at.unwrap_or(now),
        p: heard.then_some(sum.p),
        p_up_available: heard.then_some(sum.up),
        p_down_available: heard.then_some(sum.down),
        q: heard.then_some(sum.q),
        voltage: sum.voltage.map(|v| Voltage {
            min_v: v.min_v,
            mean_v: v.mean_v,
            max_v: v.max_v,
        }),
        reporting: sum.reachable as usize,
    }
}

fn refused(error: AuthError) -> Response {
    let status = match error {
        AuthError::Missing | AuthError::Wrong => StatusCode::UNAUTHORIZED,
        AuthError::CrossSite => StatusCode::FORBIDDEN,
        AuthError::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        AuthError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = fault(status, &error.to_string());
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"wattfold\", charset=\"UTF-8\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

fn fault(status: StatusCode, text: &str) -> Response {
    outgoing(server::Response::fault(
        status.as_u16(),
        &SoapFault::client(text),
    ))
}

fn outgoing(response: server::Response) -> Response {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        [(CONTENT_TYPE, response.content_type)],
        response.body,
    )
        .into_response()
}

fn xml(status: StatusCode, document: String) -> Response {
    (
        status,
        [(CONTENT_TYPE, "text/xml; charset=utf-8")],
        document,
    )
        .into_response()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests;
