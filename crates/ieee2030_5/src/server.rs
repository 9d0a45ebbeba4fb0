//! Requests answered from a view of the fleet, as values.
//!
//! [`handle`] reads nothing but its arguments and changes nothing. What a device asks to have
//! changed comes back as a [`Submission`], which the shell makes durable before it sends the reply.
//! A submission holds for the view it was made from, so requests other than GET and HEAD are to be
//! handled one after another, each against the outcome of the one before.

pub mod href;
pub mod http;
pub mod list;
pub mod resources;

mod get;
mod submit;

use units::Timestamp;

pub use http::{Request, Response};
pub use resources::{DocumentWrite, Resources};

use crate::codec::simple::HexBinary8;
use crate::codec::table::Edition;
use crate::translate::metering::{Forward, Measurement};
use crate::translate::registered_at;
use crate::translate::{Command, ControlId, Der, DerId, Evidence, Fleet, Lfdi, Rejection};
use crate::wire::error::ReasonCode;
use href::Target;
use http::Refusal;

/// What a request is answered from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub fleet: &'a Fleet,
    pub resources: &'a Resources,
    pub config: &'a ServerConfig,
}

/// What an operator sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    pub edition: Edition,
    /// The LFDI of the server's own certificate.
    pub lfdi: Lfdi,
    pub poll_rates: PollRates,
    /// How often devices are asked to post their meters, in seconds.
    pub post_rate_s: u32,
    /// Members of one page at most, whatever `l` asks for.
    pub list_limit_max: u32,
    /// What devices are asked to respond to a control.
    pub response_required: HexBinary8,
    /// How good the server's clock is, as `Time.quality` counts.
    pub time_quality: u8,
    pub time_zone: TimeZone,
    /// Which way the meters of devices count.
    pub forward: Forward,
}

/// How often devices are asked to look, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollRates {
    pub device_capability_s: u32,
    pub time_s: u32,
    pub end_device_s: u32,
    pub der_s: u32,
    /// For assignments and programmes; devices look for controls as often as for programmes.
    pub program_s: u32,
    pub usage_point_s: u32,
}

/// Local time where the server is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Seconds east of UTC in winter.
    pub offset_s: i32,
    /// Seconds added between the two instants.
    pub dst_offset_s: i32,
    pub dst_start: Timestamp,
    pub dst_end: Timestamp,
}

impl ServerConfig {
    /// Rates of CSIP: look every ten minutes for controls, post every five.
    #[must_use]
    pub fn new(lfdi: Lfdi) -> Self {
        Self {
            edition: Edition::Y2018,
            lfdi,
            poll_rates: PollRates {
                device_capability_s: 900,
                time_s: 900,
                end_device_s: 900,
                der_s: 600,
                program_s: 600,
                usage_point_s: 900,
            },
            post_rate_s: 300,
            list_limit_max: 255,
            response_required: HexBinary8(0b11),
            time_quality: 7,
            time_zone: TimeZone::default(),
            forward: Forward::Absorbed,
        }
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

/// What a device asks to have changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    pub der: DerId,
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

/// What a device says of a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlEvidence {
    pub control: ControlId,
    pub evidence: Evidence,
    pub at: Timestamp,
}

/// Answers one request of the device whose certificate has `request.lfdi`.
#[must_use]
pub fn handle(request: &Request<'_>, view: &View<'_>, now: Timestamp) -> Answer {
    match answer(request, view, now) {
        Ok(answer) => answer,
        Err(refusal) => Answer::Reply(refusal.into_response(view.config.edition)),
    }
}

/// The reply to a submission that the fleet did not accept.
#[must_use]
pub fn rejected(rejection: &Rejection, edition: Edition) -> Response {
    let (status, reason) = match rejection {
        Rejection::AlreadyRegistered(_) | Rejection::LfdiTaken(_) => {
            (409, ReasonCode::INVALID_VALUES)
        }
        Rejection::TooMany { .. } => (400, ReasonCode::RESOURCE_LIMIT),
        Rejection::Unknown { .. } => (404, ReasonCode::INVALID_VALUES),
        _ => (400, ReasonCode::INVALID_VALUES),
    };
    Refusal::new(status, reason, rejection.to_string()).into_response(edition)
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
enum Caller<'a> {
    /// Its certificate is valid but nobody has authorised it.
    Stranger,
    /// It may register.
    Authorised(&'a Der),
    /// It has an end device.
    Registered(&'a Der),
}

fn answer(request: &Request<'_>, view: &View<'_>, now: Timestamp) -> Result<Answer, Refusal> {
    let target = Target::parse(request.path).ok_or(Refusal::NOT_FOUND)?;
    let caller = match view.fleet.der_by_lfdi(request.lfdi) {
        None => Caller::Stranger,
        Some(der) if registered_at(der).is_none() => Caller::Authorised(der),
        Some(der) => Caller::Registered(der),
    };
    let own = own(target, caller)?;
    let allowed = target.methods();
    if !allowed.contains(&request.method) {
        return Err(Refusal::method_not_allowed(allowed));
    }
    if matches!(request.method, "GET" | "HEAD") {
        http::check_accept(request.accept)?;
        let asked = get::Asked {
            target,
            caller,
            query: request.query,
            now,
        };
        let mut reply = get::get(&asked, view)?;
        if request.method == "HEAD" {
            reply.head_only = true;
            reply.served.clear();
        }
        return Ok(Answer::Reply(reply));
    }
    http::check_content(request)?;
    let sender = match (own, caller) {
        (Some(der), _) => der,
        (None, Caller::Authorised(der)) if target == Target::EndDevices => der,
        (None, _) => {
            let reason = "the certificate is not authorised or not registered".to_owned();
            return Err(Refusal::new(403, ReasonCode::INVALID_VALUES, reason));
        }
    };
    let submitted = submit::Submitted {
        target,
        der: sender,
        body: request.body,
        now,
    };
    submit::submit(&submitted, view).map(|submission| Answer::Submit(Box::new(submission)))
}

/// The caller's DER if `target` is of its own tree; none if `target` is for everyone.
///
/// Resources of others answer exactly as if they did not exist.
fn own(target: Target, caller: Caller<'_>) -> Result<Option<&Der>, Refusal> {
    match (target.owner(), caller) {
        (None, Caller::Registered(der)) => Ok(Some(der)),
        (None, _) => Ok(None),
        (Some(owner), Caller::Registered(der)) if der.id.0 == owner => Ok(Some(der)),
        (Some(_), _) => Err(Refusal::NOT_FOUND),
    }
}

#[cfg(test)]
mod tests;
