//! Requests answered from a view of the fleet, as values.
//!
//! [`handle`] reads nothing but its arguments and changes nothing. What a device asks to have
//! changed comes back as a [`Submission`], which the shell makes durable before it sends the reply.
//! A submission holds for the view it was made from, so requests other than GET and HEAD are to be
//! handled one after another, each against the outcome of the one before.

pub mod freshness;
pub mod hosted;
pub mod href;
pub mod http;
pub mod list;
pub mod notification;
pub mod resources;
pub mod subscription;

mod caller;
mod config;
mod fingerprint;
mod get;
mod submit;

use units::Timestamp;

pub use config::{ConnectionPoints, DaylightSaving, PollRates, ServerConfig, TimeZone};
pub use http::{Refused, Request, Response};
pub use resources::{DocumentWrite, Owner, Rates, Resources};

use crate::codec::table::Profile;
use crate::translate::metering::Measurement;
use crate::translate::{Client, Command, ControlId, DerId, Evidence, Fleet, Lfdi, Rejection};
use crate::wire::error::ReasonCode;
use caller::{Caller, Sight};
use href::Target;
use http::Refusal;

/// What a request is answered from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub fleet: &'a Fleet,
    pub resources: &'a Resources,
    pub config: &'a ServerConfig,
}

impl View<'_> {
    /// What `client` is served by: its own profile, or that of the listener.
    #[must_use]
    pub fn profile_of(&self, client: Client) -> Profile {
        let own = self.resources.profile(client);
        own.unwrap_or(self.config.profile)
    }

    /// How often clients are asked to look.
    #[must_use]
    pub fn poll_rates(&self) -> PollRates {
        self.resources.rates().over(&self.config.poll_rates)
    }

    /// How often clients are asked to post their meters, in seconds.
    #[must_use]
    pub fn post_rate_s(&self) -> u32 {
        let set = self.resources.rates().post_rate_s;
        set.unwrap_or(self.config.post_rate_s)
    }
}

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Send this.
    Reply(Response),
    /// Make this durable, then send its reply.
    Submit(Box<Submission>),
}

/// What a client asks to have changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Who asks.
    pub client: Client,
    /// The DER of which it says something; `measurements` are of it.
    pub der: Option<DerId>,
    /// For the fleet to decide. If it is rejected nothing is kept and [`rejected`] is the reply.
    pub command: Option<Command>,
    /// For the delivery ledger.
    pub evidence: Vec<ControlEvidence>,
    /// For the document store, in order; [`Resources::apply`] takes the same.
    pub documents: Vec<DocumentWrite>,
    /// For telemetry.
    pub measurements: Vec<Measurement>,
    /// What is sent once all of this is kept.
    pub reply: Response,
}

impl Submission {
    /// A submission of nothing, with this reply.
    pub(crate) fn of(client: Client, reply: Response) -> Self {
        Self {
            client,
            der: None,
            command: None,
            evidence: Vec::new(),
            documents: Vec::new(),
            measurements: Vec::new(),
            reply,
        }
    }
}

/// What a device says of a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlEvidence {
    pub control: ControlId,
    pub der: DerId,
    pub evidence: Evidence,
    pub at: Timestamp,
}

/// Answers one request of the client whose certificate has `request.lfdi`.
#[must_use]
pub fn handle(request: &Request<'_>, view: &View<'_>, now: Timestamp) -> Answer {
    let caller = Caller::of(request.lfdi, view.fleet);
    let profile = profile(caller, view);
    match answer(request, (caller, profile), view, now) {
        Ok(answer) => answer,
        Err(refusal) => {
            let mut reply = refusal.into_response(profile);
            reply.head_only = request.method == "HEAD";
            Answer::Reply(reply)
        }
    }
}

fn profile(caller: Caller<'_>, view: &View<'_>) -> Profile {
    let client = caller.client();
    client.map_or(view.config.profile, |client| view.profile_of(client))
}

/// The reply to a submission that the fleet did not accept.
#[must_use]
pub fn rejected(rejection: &Rejection, profile: Profile) -> Response {
    let (status, reason) = match rejection {
        Rejection::AlreadyRegistered(_) | Rejection::LfdiTaken(_) => {
            (409, ReasonCode::INVALID_VALUES)
        }
        Rejection::LfdiRevoked(_) => (403, ReasonCode::INVALID_VALUES),
        Rejection::TooMany { .. } => (400, ReasonCode::RESOURCE_LIMIT),
        Rejection::Unknown { .. } => (404, ReasonCode::INVALID_VALUES),
        _ => (400, ReasonCode::INVALID_VALUES),
    };
    Refusal::new(status, reason, rejection.to_string())
        .because(Refused::Rejected)
        .into_response(profile)
}

fn answer(
    request: &Request<'_>,
    (caller, profile): (Caller<'_>, Profile),
    view: &View<'_>,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    if !http::is_method(request.method) {
        return Err(Refusal::NOT_IMPLEMENTED);
    }
    let target = Target::parse(request.path).ok_or(Refusal::NOT_FOUND)?;
    let role = caller.role(target, view.fleet)?;
    let program = target
        .program()
        .map(|number| caller.program(number, view.fleet))
        .transpose()?;
    let allowed = target.methods();
    if request.method == "OPTIONS" {
        return Ok(Answer::Reply(Response::options(allowed)));
    }
    if !allowed.contains(&request.method) {
        return Err(Refusal::method_not_allowed(allowed));
    }
    if request.is_read() {
        http::check_accept(request.accept, target.media_type(), profile.edition)?;
        let asked = get::Asked {
            target,
            caller,
            program,
            sight: &Sight::new(caller, view.fleet),
            query: request.query,
            limit_max: view.config.list_limit_max,
            range: request.range,
            profile,
            is_told: false,
            now,
        };
        return read(request, &asked, view).map(Answer::Reply);
    }
    http::check_content(request)?;
    let submitted = submit::Submitted {
        target,
        caller,
        role,
        method: request.method,
        body: request.body,
        profile,
        random: request.random,
        now,
    };
    submit::submit(&submitted, view).map(|submission| Answer::Submit(Box::new(submission)))
}

fn read(
    request: &Request<'_>,
    asked: &get::Asked<'_>,
    view: &View<'_>,
) -> Result<Response, Refusal> {
    let mut reply = get::get(asked, view)?.tagged(request.if_none_match);
    if request.method == "HEAD" {
        reply.head_only = true;
        reply.served.clear();
    }
    Ok(reply)
}

/// What a client whose certificate has `lfdi` would be served of `target` if it asked with `query`
/// and pages had up to `limit_max` members.
fn represented(
    (lfdi, target): (Lfdi, Target),
    (query, limit_max): (&str, u32),
    (view, now): (&View<'_>, Timestamp),
) -> Result<Response, Refusal> {
    let caller = Caller::of(lfdi, view.fleet);
    caller.role(target, view.fleet)?;
    let program = target
        .program()
        .map(|number| caller.program(number, view.fleet))
        .transpose()?;
    let asked = get::Asked {
        target,
        caller,
        program,
        sight: &Sight::new(caller, view.fleet),
        query: Some(query),
        limit_max,
        range: None,
        profile: profile(caller, view),
        is_told: true,
        now,
    };
    get::get(&asked, view)
}

#[cfg(test)]
mod tests;
