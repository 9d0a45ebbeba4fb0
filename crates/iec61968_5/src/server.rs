//! The server side: from a POST body to commands and back to an answer, in two pure steps, so
//! that the shell can make the commands durable in between.

mod answer;
mod checks;
mod dispatches;
mod groups;
mod statuses;

use units::Timestamp;

pub use answer::{Continuation, Response, finish};

use crate::envelope::{ErrorItem, Level, ReplyCode};
use crate::message::{Asked, Operation, RequestError, RequestMessage, read_request};
use crate::profile::Profile;
use crate::soap::{self, SoapFault};
use crate::translate::{Command, Mint, View, schema_error};
use crate::xml::{self, XmlError};
use answer::Begun;

/// A POST as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `SOAPAction`.
    pub soap_action: Option<&'a str>,
    /// The body, at most one byte longer than [`crate::limits::MAX_BODY_BYTES`].
    pub body: &'a [u8],
}

/// What to do with a request.
#[derive(Debug)]
pub enum Answer {
    /// Answer now.
    Reply(Response),
    /// Submit the commands one by one, in order, then [`finish`] with their outcomes.
    Submit(Box<Submission>),
}

/// Commands to make durable before the answer.
#[derive(Debug)]
pub struct Submission {
    /// One for each object that could be understood; each stands alone.
    pub commands: Vec<Command>,
    /// How to answer.
    pub continuation: Continuation,
}

/// Handles a POST. Nothing is submitted of a message that can't be read as a whole; of one that
/// can, each object succeeds or fails by itself.
pub fn handle(
    request: &Request<'_>,
    profile: &Profile,
    view: &View<'_>,
    mint: &mut Mint<'_>,
    now: Timestamp,
) -> Answer {
    if !checks::is_soap_11(request.content_type) {
        let fault = SoapFault::client("the content type is text/xml for SOAP 1.1");
        return Answer::Reply(Response::fault(415, &fault));
    }
    let envelope = match xml::parse(request.body) {
        Ok(envelope) => envelope,
        Err(error) => {
            let status = if matches!(error, XmlError::TooLarge(_)) {
                413
            } else {
                400
            };
            return Answer::Reply(Response::fault(
                status,
                &SoapFault::client(error.to_string()),
            ));
        }
    };
    let read = soap::body(&envelope).map(|body| read_request(body, profile));
    let message = match read {
        Ok(Ok(message)) => message,
        Ok(Err(error)) => return Answer::Reply(unreadable(error, profile, mint, now)),
        Err(fault) => return Answer::Reply(Response::fault(500, &fault)),
    };
    if let Some(fault) = checks::soap_action(request.soap_action, &message, profile) {
        return Answer::Reply(Response::fault(500, &fault));
    }
    let begun = Begun::new(&message, profile, mint, now);
    let notes = match checks::header(&message, profile) {
        Ok(notes) => notes,
        Err(error) => return Answer::Reply(begun.failed(error)),
    };
    let begun = begun.noting(notes);
    run(&message, begun, profile, view, mint, now)
}

fn run(
    message: &RequestMessage,
    begun: Begun,
    profile: &Profile,
    view: &View<'_>,
    mint: &mut Mint<'_>,
    now: Timestamp,
) -> Answer {
    match (message.operation, &message.asked) {
        (Operation::CreateDerGroups, Some(Asked::Groups(groups))) => {
            groups::create(groups, begun, (profile, view), mint, now)
        }
        (Operation::ChangeDerGroups, Some(Asked::Groups(groups))) => {
            groups::change(groups, begun, (profile, view), now)
        }
        (Operation::DeleteDerGroups, Some(Asked::Groups(groups))) => {
            groups::delete(groups, begun, (profile, view))
        }
        (Operation::CreateDerGroupDispatches, Some(Asked::Dispatches(dispatches))) => {
            dispatches::create(dispatches, begun, (profile, view), mint)
        }
        (Operation::QueryDerGroups, Some(Asked::Query(query))) => {
            Answer::Reply(groups::query(query, begun, profile, view))
        }
        (Operation::QueryDerGroupStatuses, Some(Asked::Query(query))) => {
            Answer::Reply(statuses::query(query, begun, profile, view))
        }
        (Operation::QueryDerGroups | Operation::QueryDerGroupStatuses, _) => {
            let reason = "Request is missing";
            let error = ErrorItem::new(ReplyCode::RequestMissing, Level::Fatal, reason);
            Answer::Reply(begun.failed(error))
        }
        _ => {
            let reason = "Payload is missing";
            let error = ErrorItem::new(ReplyCode::PayloadMissing, Level::Fatal, reason);
            Answer::Reply(begun.failed(error))
        }
    }
}

fn unreadable(
    error: RequestError,
    profile: &Profile,
    mint: &mut Mint<'_>,
    now: Timestamp,
) -> Response {
    match error {
        RequestError::NotUnderstood { root } => {
            let text = format!("{root} in its namespace belongs to no operation of this server");
            Response::fault(500, &SoapFault::client(text))
        }
        RequestError::Header {
            operation,
            namespaces,
            error,
        } => {
            let item = ErrorItem::new(
                ReplyCode::HeaderElementMissing,
                Level::Fatal,
                "the Header can't be read",
            )
            .details(error.to_string());
            Response::fault_message(operation, &namespaces, item)
        }
        RequestError::Content {
            operation,
            namespaces,
            header,
            error,
        } => {
            let message = RequestMessage {
                operation,
                namespaces,
                header: *header,
                asked: None,
            };
            Begun::new(&message, profile, mint, now).failed(schema_error(&error))
        }
    }
}
