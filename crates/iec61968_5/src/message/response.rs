//! Answers.

use super::Operation;
use crate::envelope::{Header, Noun, Reply};
use crate::limits::{MAX_ANSWER_ELEMENTS, MAX_REPLY_GROUPS};
use crate::profile::{Namespaces, Profile};
use crate::soap::{self, SoapFault};
use crate::wire::der_group_dispatches::DerGroupDispatches;
use crate::wire::der_group_statuses::DerGroupStatuses;
use crate::wire::der_groups::DerGroups;
use crate::xml::{Decode, DecodeError, Element, Fault, Writer, attribute};

/// What an answer carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Groups as they are now.
    Groups(DerGroups),
    /// What groups do and can do.
    Statuses(DerGroupStatuses),
    /// Dispatches as accepted.
    Dispatches(DerGroupDispatches),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseMessage {
    /// What was asked.
    pub operation: Operation,
    /// The namespaces it is written in.
    pub namespaces: Namespaces,
    /// Its header.
    pub header: Header,
    /// What became of the request.
    pub reply: Reply,
    /// What it carries.
    pub payload: Option<Payload>,
}

/// Writes an answer.
#[must_use]
pub fn write_response(message: &ResponseMessage) -> String {
    let operation = message.operation;
    let namespaces = &message.namespaces;
    let noun = operation.noun().as_str();
    let declarations = [
        attribute(
            "xmlns:m",
            &namespaces.typed(operation.message_noun().as_str()),
        ),
        attribute("xmlns:msg", &namespaces.message),
        attribute("xmlns:p", &namespaces.payload(noun)),
    ];
    soap::envelope(|w| {
        w.prefixed("m", |w| {
            w.element_with(operation.response_root(), &declarations.concat(), |w| {
                w.element("Header", |w| w.prefixed("msg", |w| message.header.write(w)));
                w.element("Reply", |w| w.prefixed("msg", |w| message.reply.write(w)));
                if let Some(payload) = &message.payload {
                    write_payload(payload, noun, w);
                }
            });
        });
    })
}

fn write_payload(payload: &Payload, noun: &'static str, w: &mut Writer) {
    w.element("Payload", |w| {
        w.prefixed("p", |w| {
            w.element(noun, |w| match payload {
                Payload::Groups(groups) => groups.write(w),
                Payload::Statuses(statuses) => statuses.write(w),
                Payload::Dispatches(dispatches) => dispatches.write(w),
            });
        });
    });
}

/// Writes a SOAP fault whose detail is the operation's fault message.
#[must_use]
pub fn write_fault(
    operation: Operation,
    namespaces: &Namespaces,
    text: &str,
    reply: &Reply,
) -> String {
    let noun = operation.message_noun().as_str();
    let declarations = [
        attribute("xmlns:m", &namespaces.typed(noun)),
        attribute("xmlns:msg", &namespaces.message),
    ]
    .concat();
    soap::fault(&SoapFault::client(text), |w| {
        w.element("detail", |w| {
            w.prefixed("m", |w| {
                w.element_with(operation.fault_root(), &declarations, |w| {
                    w.element("Reply", |w| w.prefixed("msg", |w| reply.write(w)));
                });
            });
        });
    })
}

/// Reads the answer to `operation` from the element in the body of an envelope.
///
/// # Errors
/// [`DecodeError`] where it is not what the schemas have, as far as the profile's mode minds.
pub fn read_response(
    body: &Element,
    operation: Operation,
    profile: &Profile,
) -> Result<ResponseMessage, DecodeError> {
    let unexpected = || DecodeError::at(body, Fault::Unexpected(body.local.clone()));
    let noun = operation.message_noun().as_str();
    let base = profile.payload_bases.iter().find(|base| {
        body.ns
            .strip_prefix(base.as_str())
            .and_then(|rest| rest.strip_suffix("Message"))
            == Some(noun)
    });
    let payload_base = base.cloned().ok_or_else(unexpected)?;
    if body.local != operation.response_root() {
        return Err(unexpected());
    }
    let used = body
        .children
        .first()
        .and_then(|header| header.children.first());
    let accepted = &profile.message_namespaces;
    let message = used.and_then(|first| accepted.iter().find(|ns| ***ns == *first.ns));
    let message = message
        .cloned()
        .unwrap_or_else(|| Namespaces::default().message);
    let namespaces = Namespaces {
        message,
        payload_base,
    };
    let typed = namespaces.typed(noun);
    let decode = Decode {
        mode: profile.mode,
        message_ns: &namespaces.message,
        payload_base: &namespaces.payload_base,
        max_groups: MAX_REPLY_GROUPS,
        max_members: MAX_ANSWER_ELEMENTS,
    };
    let inside = |error: DecodeError| error.inside(body);
    let mut fields = decode.fields(body, &typed);
    let header = Header::read(fields.required("Header")?, &decode).map_err(inside)?;
    let reply = Reply::read(fields.required("Reply")?, &decode).map_err(inside)?;
    let payload = fields
        .optional("Payload")
        .map(|payload| read_payload(payload, operation, &namespaces, &decode))
        .transpose()
        .map_err(inside)?
        .flatten();
    fields.finish()?;
    Ok(ResponseMessage {
        operation,
        namespaces,
        header,
        reply,
        payload,
    })
}

fn read_payload(
    element: &Element,
    operation: Operation,
    namespaces: &Namespaces,
    decode: &Decode<'_>,
) -> Result<Option<Payload>, DecodeError> {
    let noun = operation.noun();
    let ns = namespaces.payload(noun.as_str());
    let typed = namespaces.typed(operation.message_noun().as_str());
    let inside = |error: DecodeError| error.inside(element);
    let mut fields = decode.fields(element, &ns);
    let object = fields.optional(noun.as_str());
    let payload = match (noun, object) {
        (_, None) => None,
        (Noun::DerGroupStatuses, Some(object)) => Some(Payload::Statuses(
            DerGroupStatuses::read(object, decode, &ns).map_err(inside)?,
        )),
        (Noun::DerGroupDispatches, Some(object)) => {
            let dispatches = DerGroupDispatches::read(object, decode, &ns).map_err(inside)?;
            Some(Payload::Dispatches(dispatches))
        }
        (_, Some(object)) => Some(Payload::Groups(
            DerGroups::read(object, decode, &ns).map_err(inside)?,
        )),
    };
    fields.namespace(&typed);
    fields.optional_text("Format")?;
    fields.finish()?;
    Ok(payload)
}
