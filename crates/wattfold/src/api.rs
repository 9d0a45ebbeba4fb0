//! The HTTP API: one file per noun, the OpenAPI document, and who gets in.

pub mod access;
pub mod account;
pub mod aggregator;
pub mod aim;
pub mod alarm;
pub mod alarm_kind;
pub mod alarm_metrics;
pub mod approval;
pub mod assignment;
pub mod availability;
pub mod binding;
pub mod client_profile;
pub mod conflict;
pub mod control;
pub mod control_base;
pub mod curve;
pub mod default_control;
pub mod delivery;
pub mod demand_response_program;
pub mod der;
pub mod dispatch;
pub mod document;
pub mod enrolment;
pub mod envelope;
pub mod explanation;
pub mod flexibility;
pub mod group;
pub mod import;
pub mod interconnection;
pub mod judgement;
pub mod log_event;
pub mod microgrid;
pub mod owner;
pub mod page;
pub mod person;
pub mod plan;
pub mod problem;
pub mod program;
pub mod program_control;
pub mod program_default;
pub mod rates;
pub mod roll_out;
pub mod series;
pub mod session;
pub mod settings_comparison;
pub mod settings_profile;
pub mod settings_requirement;
pub mod site;
pub mod strategy;
pub mod strategy_occurrence;
pub mod stream;
pub mod subscription;
pub mod summary;
pub mod suppression;
pub mod table;
pub mod telemetry;
pub mod usage_point;
pub mod value;
pub mod verdict;

mod health;
mod openapi;
mod request;
mod routes;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, OptionalFromRequestParts, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use fleet::dispatch::LinearLimit;
use fleet::dispatch::assess::World;
use fleet::{CimMrid, Command, DerId, Dispatch, DispatchId, Event, Mrid};
use http::request::Parts;
use http::{HeaderValue, Method, header};
use store::Actor;
use store::telemetry::{Telemetry as File, TelemetryError};
use tokio::sync::Semaphore;
use units::Timestamp;

use crate::auth::{Auth, AuthError, Presented, Principal};
use crate::clock;
use crate::config::Limit;
use crate::enterprise_listener::Peer;
use crate::node::{AccountChange, AccountError, Node, Published, Revision, Unavailable};

use self::judgement::{Member, Meters, Tallies, Tally, Wanted};
use self::problem::{Kind, Problem};
use self::summary::FeederLimit;

pub use self::openapi::openapi;
pub use self::request::{BODY_TIMEOUT, MAX_BODY_BYTES};

/// Requests that read telemetry at one time; the others wait.
pub const MAX_READERS: usize = 4;
/// Plans compared at one time; other requests for them wait.
pub const MAX_PLANNERS: usize = 1;

/// What the handlers share.
pub struct ApiState {
    node: Arc<Node>,
    auth: Arc<Auth>,
    limits: Vec<FeederLimit>,
    /// Whether the listener speaks TLS, so that cookies may be held to it.
    secure: bool,
    /// Accounts that act for the balancing authority.
    balancing_authority: BTreeSet<String>,
    personal: person::Personal,
    started: Timestamp,
    reading: Semaphore,
    tables: Arc<Semaphore>,
    /// As configured.
    rules: Vec<Limit>,
    planning: Semaphore,
    imports: import::Imports,
    hub: stream::Hub,
    readiness: health::Readiness,
}

type Api = Arc<ApiState>;

/// What the configuration says.
#[derive(Debug)]
pub struct Given {
    /// Limits over several DER.
    pub limits: Vec<Limit>,
    /// Whether the listener speaks TLS.
    pub tls: Tls,
    /// Accounts that act for the balancing authority.
    pub balancing_authority: BTreeSet<String>,
    /// Personal data, and who may see them.
    pub personal: person::Personal,
}

impl ApiState {
    /// The API of `node` for the accounts of `auth`.
    #[must_use]
    pub fn new(node: Arc<Node>, auth: Arc<Auth>, given: Given) -> Arc<Self> {
        let rules = given.limits.clone();
        let limits = given.limits.into_iter().map(|limit| FeederLimit {
            name: limit.name,
            max_export_w: limit.max_export_w,
            max_import_w: limit.max_import_w,
        });
        Arc::new(Self {
            node,
            auth,
            limits: limits.collect(),
            secure: given.tls == Tls::On,
            balancing_authority: given.balancing_authority,
            personal: given.personal,
            started: clock::now(),
            reading: Semaphore::new(MAX_READERS),
            tables: Arc::new(Semaphore::new(table::MAX_TABLES)),
            rules,
            planning: Semaphore::new(MAX_PLANNERS),
            imports: import::Imports::default(),
            hub: stream::Hub::default(),
            readiness: health::Readiness::default(),
        })
    }

    /// Looks at what is published, judged now.
    fn world<R>(&self, look: impl FnOnce(&World<'_>) -> R) -> R {
        let now = clock::now();
        self.node.read(|published| look(&published.world(now)))
    }

    /// Decides one command; its events when it is durable.
    async fn command_one(
        &self,
        principal: &Principal,
        command: Command,
    ) -> Result<Vec<Event>, Problem> {
        let outcomes = self.commands(principal, vec![command]).await?;
        outcomes.into_iter().next().ok_or_else(Problem::lost)?
    }

    /// Decides one command made of what there is when it is decided; its events when it is durable.
    async fn revise_one(
        &self,
        principal: &Principal,
        make: impl FnOnce(&fleet::Fleet) -> Result<Command, Problem> + Send + 'static,
    ) -> Result<Vec<Event>, Problem> {
        let revision = move |published: &Published<'_>| {
            let command = make(published.fleet)?;
            Ok::<_, Problem>(Revision::Commands(vec![command]))
        };
        let actor = Actor::Account(principal.account);
        let outcomes = self.node.revise(actor, revision).await??;
        let outcome = outcomes.into_iter().next().ok_or_else(Problem::lost)?;
        Ok(outcome?)
    }

    /// Decides commands, each on its own.
    async fn commands(
        &self,
        principal: &Principal,
        commands: Vec<Command>,
    ) -> Result<Vec<Result<Vec<Event>, Problem>>, Problem> {
        let actor = Actor::Account(principal.account);
        let outcomes = self.node.command(actor, commands).await?;
        Ok(outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(Problem::from))
            .collect())
    }

    async fn change_account(&self, change: AccountChange) -> Result<(), AccountError> {
        let shared = self.auth.change_shared(change.clone(), clock::now());
        match shared.await {
            Some(changed) => changed,
            None => self.node.change_account(change).await,
        }
    }

    async fn accounts(&self) -> Result<Vec<store::Account>, Problem> {
        match self.auth.shared_accounts().await {
            Some(accounts) => Ok(accounts?),
            None => Ok(self.node.accounts().await?),
        }
    }

    /// Plans on a copy of what is published, off the runtime's threads: nobody waits for it.
    async fn planning<R: Send + 'static>(
        &self,
        look: impl FnOnce(&World<'_>, &[LinearLimit]) -> Result<R, Problem> + Send + 'static,
    ) -> Result<R, Problem> {
        let busy = || Problem::new(Kind::Overloaded, "nothing can be planned now");
        let _turn = self.planning.acquire().await.map_err(|_| busy())?;
        let node = Arc::clone(&self.node);
        let limits = self.rules.clone();
        let now = clock::now();
        let work = move || {
            let (fleet, deliveries, observations, policy) = node.read(|published| {
                (
                    published.fleet.clone(),
                    published.deliveries.clone(),
                    published.observations.to_vec(),
                    published.policy,
                )
            });
            let rows: Vec<LinearLimit> = limits
                .iter()
                .flat_map(|limit| limit.rows(&fleet))
                .chain(fleet.enrolment().limits())
                .chain(fleet.microgrids().limits())
                .collect();
            let world = World {
                fleet: &fleet,
                observations: &observations,
                deliveries: &deliveries,
                policy,
                now,
            };
            look(&world, &rows)
        };
        let planned = tokio::task::spawn_blocking(work).await;
        planned.map_err(|_| busy())?
    }

    /// Reads telemetry off the runtime's threads.
    async fn telemetry<R: Send + 'static>(
        &self,
        look: impl FnOnce(&File) -> Result<R, TelemetryError> + Send + 'static,
    ) -> Result<R, Problem> {
        let unreadable = || Problem::new(Kind::Overloaded, "telemetry can't be read");
        let _turn = self.reading.acquire().await.map_err(|_| unreadable())?;
        let telemetry = self.node.telemetry().clone();
        let read = tokio::task::spawn_blocking(move || telemetry.with_reader(look)).await;
        read.map_err(|_| unreadable())?.map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "telemetry not read"
            );
            unreadable()
        })
    }

    /// The members of these dispatches, taken together for each.
    async fn tallies(&self, dispatches: &[DispatchId]) -> Result<Tallies, Problem> {
        let members = self.members(dispatches);
        let mut tallies: Tallies = dispatches
            .iter()
            .map(|id| (*id, Tally::default()))
            .collect();
        self.judged(members, |world, dispatch, member| {
            let tally = tallies.entry(dispatch.id).or_default();
            tally.add(world, member);
        })
        .await?;
        Ok(tallies)
    }

    /// Judges members of dispatches in turn, with the readings of no more of them in memory at one
    /// time than [`Meters::read`] takes.
    async fn judged(
        &self,
        members: Vec<(DispatchId, DerId)>,
        mut show: impl FnMut(&World<'_>, &Dispatch, &Member<'_>) + Send,
    ) -> Result<(), Problem> {
        let wanted = self.wanted(&members);
        let mut done = 0;
        while done < wanted.len() {
            let (meters, read) = self.meters(&wanted, done).await?;
            self.world(|world| {
                let each = &wanted[done..done + read];
                judgement::judge(world, each, &meters, |dispatch, member| {
                    show(world, dispatch, member);
                });
            });
            done += read;
        }
        Ok(())
    }

    /// The readings of the members of a dispatch, of as many as [`Meters::read`] takes.
    async fn meters_of(&self, dispatch: DispatchId) -> Result<Meters, Problem> {
        let wanted = self.wanted(&self.members(&[dispatch]));
        Ok(self.meters(&wanted, 0).await?.0)
    }

    fn members(&self, dispatches: &[DispatchId]) -> Vec<(DispatchId, DerId)> {
        self.world(|world| {
            let found = dispatches.iter().filter_map(|id| world.fleet.dispatch(*id));
            let found: Vec<&Dispatch> = found.collect();
            let index = judgement::controls(world.fleet, &found);
            let members = found.iter().flat_map(|dispatch| {
                let members = judgement::members(world.fleet, dispatch, &index);
                members.into_iter().map(|der| (dispatch.id, der))
            });
            members.collect()
        })
    }

    fn wanted(&self, members: &[(DispatchId, DerId)]) -> Arc<[Wanted]> {
        let now = clock::now();
        self.node.read(|published| {
            let fleet = published.fleet;
            let ids: BTreeSet<DispatchId> = members.iter().map(|(id, _)| *id).collect();
            let found = ids.iter().filter_map(|id| fleet.dispatch(*id));
            let index = judgement::controls(fleet, &found.collect::<Vec<_>>());
            let wanted = members.iter().filter_map(|(dispatch, der)| {
                let controls = index.get(dispatch).and_then(|by_der| by_der.get(der));
                let controls = controls.map_or(&[][..], Vec::as_slice);
                let (dispatch, der) = (fleet.dispatch(*dispatch)?, fleet.der(*der)?);
                let asked = (der, controls);
                Some(Wanted::of(dispatch, asked, published.resources, now))
            });
            wanted.collect()
        })
    }

    /// Reads what is `wanted` from the place `from` on, and says of how many it did.
    async fn meters(
        &self,
        wanted: &Arc<[Wanted]>,
        from: usize,
    ) -> Result<(Meters, usize), Problem> {
        let wanted = Arc::clone(wanted);
        let read = move |file: &File| Meters::read(file, &wanted[from..]);
        self.telemetry(read).await
    }
}

/// Whether a listener speaks TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tls {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// The routes of the API, of health and of metrics.
pub fn router(api: Arc<ApiState>) -> Router {
    let guard = || middleware::from_fn_with_state(Arc::clone(&api), guard);
    let count = || middleware::from_fn_with_state(Arc::clone(&api), count);
    let v1 = routes::v1()
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(guard());
    let metrics = Router::new()
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(wrong_method)
        .layer(guard());
    let health = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .method_not_allowed_fallback(wrong_method);
    let root = Router::new().merge(metrics).merge(health);
    root.nest("/api/v1", v1).layer(count()).with_state(api)
}

/// Lets in who has proved who they are, and whoever is about to.
async fn guard(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let logging_in = request.method() == Method::POST && request.uri().path() == "/session";
    if !logging_in {
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let from = request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.address.ip());
        let presented = Presented {
            method: &method,
            headers: &headers,
            from,
        };
        match api.auth.authenticate(&presented, clock::now()).await {
            Ok(principal) => {
                request.extensions_mut().insert(principal);
            }
            Err(error) => return refuse(error, &headers),
        }
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// A browser's own script is not told of HTTP basic: the browser would ask its user for a
/// password over the page.
fn refuse(error: AuthError, headers: &http::HeaderMap) -> Response {
    let problem = Problem::from(error);
    if !matches!(error, AuthError::Missing | AuthError::Wrong) {
        return problem.into_response();
    }
    let script = headers
        .get("sec-fetch-dest")
        .is_some_and(|dest| dest == "empty");
    let challenge = if script {
        "Session realm=\"wattfold\""
    } else {
        "Basic realm=\"wattfold\", charset=\"UTF-8\""
    };
    let challenge = HeaderValue::from_static(challenge);
    problem
        .with_header(header::WWW_AUTHENTICATE, challenge)
        .into_response()
}

async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    api.node
        .metrics()
        .response("api", response.status().as_u16());
    response
}

async fn unknown(request: Request) -> Problem {
    Problem::new(
        Kind::NotFound,
        format!("there is no {}", request.uri().path()),
    )
}

async fn wrong_method(request: Request) -> Problem {
    let detail = format!("{} is not known here; see Allow", request.method());
    Problem::new(Kind::MethodNotAllowed, detail)
}

/// An IEEE 2030.5 mRID of ours, and the index that it was made from.
fn index_of(mrid: &str) -> Option<(Mrid, u32)> {
    let mrid: Mrid = mrid.parse().ok()?;
    let index = (mrid.0 >> 32) & u128::from(u32::MAX);
    Some((mrid, u32::try_from(index).ok()?))
}

/// A random UUID (version 4) as an mRID.
fn fresh_mrid() -> CimMrid {
    let uuid = uuid::Builder::from_random_bytes(crate::auth::random()).into_uuid();
    CimMrid::new(&uuid.to_string()).expect("a UUID has 36 printable characters")
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| AuthError::Missing.into())
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, std::convert::Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let kind = match error {
            AuthError::Missing | AuthError::Wrong => Kind::Unauthenticated,
            AuthError::CrossSite => Kind::CrossSite,
            AuthError::Throttled { .. } => Kind::TooManyAttempts,
            AuthError::Overloaded => Kind::Overloaded,
        };
        let problem = Self::new(kind, error.to_string());
        match error {
            AuthError::Throttled { retry_after_s } => {
                problem.with_header(header::RETRY_AFTER, HeaderValue::from(retry_after_s))
            }
            _ => problem,
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        let kind = match unavailable {
            Unavailable::Unanswered => Kind::UnknownOutcome,
            _ => Kind::Overloaded,
        };
        Self::new(kind, unavailable.to_string())
    }
}

impl Problem {
    /// It was accepted, and changed by somebody else before it could be shown.
    fn lost() -> Self {
        Self::new(Kind::Conflict, "it was changed or deleted in the meantime")
    }
}

#[cfg(test)]
mod tests;
