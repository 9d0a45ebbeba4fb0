//! The client side: bodies to post, and what the answers say.

use thiserror::Error;
use units::Timestamp;

use crate::envelope::Header;
use crate::message::{
    Asked, Operation, RequestMessage, ResponseMessage, read_response, write_request,
};
use crate::profile::{Namespaces, Profile};
use crate::soap;
use crate::wire::der_group_queries::{DerGroupQueries, GroupKey};
use crate::xml::{self, DecodeError, XmlError};

/// A request ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Path below the server's origin.
    pub path: &'static str,
    /// `SOAPAction`, quotes included.
    pub soap_action: String,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// Who sends a request, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// `Header.Source`.
    pub source: String,
    /// `Header.MessageID`, unique; also the `CorrelationID`.
    pub message_id: String,
    /// When.
    pub at: Timestamp,
}

/// Why an answer says nothing about the request.
#[derive(Debug, Error)]
pub enum ResponseError {
    /// It is no XML.
    #[error("the answer can't be read")]
    Xml(#[source] XmlError),
    /// It is a fault.
    #[error("the server answered with a fault: {0}")]
    Fault(String),
    /// It is XML, but no answer to this operation.
    #[error("the answer does not fit its schema")]
    Schema(#[source] DecodeError),
}

/// Writes a request in the default namespaces.
#[must_use]
pub fn request(operation: Operation, asked: Asked, sender: &Sender) -> Post {
    let namespaces = Namespaces::default();
    let header = Header {
        verb: operation.verb().as_str().to_owned(),
        noun: operation.noun().as_str().to_owned(),
        timestamp: Some(sender.at),
        source: Some(sender.source.clone()),
        message_id: Some(sender.message_id.clone()),
        correlation_id: Some(sender.message_id.clone()),
        comment: None,
    };
    let soap_action = format!("\"{}\"", operation.soap_action(&namespaces.payload_base));
    let message = RequestMessage {
        operation,
        namespaces,
        header,
        asked: Some(asked),
    };
    Post {
        path: operation.path(),
        soap_action,
        content_type: soap::CONTENT_TYPE,
        body: write_request(&message),
    }
}

/// A query for these groups; for all when there are none.
#[must_use]
pub fn query(groups: Vec<GroupKey>) -> Asked {
    let groups = if groups.is_empty() {
        vec![GroupKey::default()]
    } else {
        groups
    };
    Asked::Query(DerGroupQueries { groups })
}

/// Reads the answer to `operation`.
///
/// # Errors
/// [`ResponseError`] when it is a fault or no answer at all; a reply that says `FAILED` is an
/// answer.
pub fn response(body: &[u8], operation: Operation) -> Result<ResponseMessage, ResponseError> {
    let envelope = xml::parse_answer(body).map_err(ResponseError::Xml)?;
    let body = soap::body(&envelope).map_err(|fault| ResponseError::Fault(fault.text))?;
    if let Some(text) = soap::read_fault(body) {
        return Err(ResponseError::Fault(text));
    }
    read_response(body, operation, &Profile::default()).map_err(ResponseError::Schema)
}
