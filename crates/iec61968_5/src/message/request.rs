//! Requests.

use super::Operation;
use crate::envelope::{Header, Noun};
use crate::limits::{MAX_GROUPS_PER_MESSAGE, MAX_ITEMS, MAX_MEMBERS};
use crate::profile::{Namespaces, Profile};
use crate::soap;
use crate::wire::der_group_dispatches::DerGroupDispatches;
use crate::wire::der_group_queries::DerGroupQueries;
use crate::wire::der_groups::DerGroups;
use crate::xml::{Decode, DecodeError, Element, Fields, Writer, attribute};

/// What a request carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// Groups to create, change or delete.
    Groups(DerGroups),
    /// Dispatches to create.
    Dispatches(DerGroupDispatches),
    /// Groups to tell about.
    Query(DerGroupQueries),
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestMessage {
    /// What is to be done.
    pub operation: Operation,
    /// The namespaces it is written in.
    pub namespaces: Namespaces,
    /// Its header.
    pub header: Header,
    /// What it carries; `None` when `Payload` or `Request` is not there.
    pub asked: Option<Asked>,
}

/// Why a body is not a request.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestError {
    /// Its root belongs to no operation.
    NotUnderstood {
        /// Name of the root, shortened.
        root: String,
    },
    /// Its header can't be read.
    Header {
        /// What its root asks for.
        operation: Operation,
        /// The namespaces it is written in.
        namespaces: Namespaces,
        /// What is wrong.
        error: DecodeError,
    },
    /// Something else in it can't be read.
    Content {
        /// What its root asks for.
        operation: Operation,
        /// The namespaces it is written in.
        namespaces: Namespaces,
        /// Its header.
        header: Box<Header>,
        /// What is wrong.
        error: DecodeError,
    },
}

/// Reads the element in the body of an envelope.
///
/// # Errors
/// [`RequestError`], which says how much could be read.
pub fn read_request(body: &Element, profile: &Profile) -> Result<RequestMessage, RequestError> {
    let (operation, payload_base) = identify(body, profile).ok_or_else(|| {
        let root = body.local.chars().take(64).collect();
        RequestError::NotUnderstood { root }
    })?;
    let namespaces = Namespaces {
        message: message_namespace(body, profile),
        payload_base,
    };
    let decode = Decode {
        mode: profile.mode,
        message_ns: &namespaces.message,
        payload_base: &namespaces.payload_base,
        max_groups: MAX_GROUPS_PER_MESSAGE,
        max_members: MAX_MEMBERS,
    };
    let typed = namespaces.typed(operation.message_noun().as_str());
    let mut fields = decode.fields(body, &typed);
    let header = fields
        .required("Header")
        .and_then(|header| Header::read(header, &decode).map_err(|error| error.inside(body)));
    let header = match header {
        Ok(header) => header,
        Err(error) => {
            return Err(RequestError::Header {
                operation,
                namespaces,
                error,
            });
        }
    };
    let content = Content {
        operation,
        namespaces: &namespaces,
        decode,
        typed: &typed,
    };
    match content.read(body, fields) {
        Ok(asked) => Ok(RequestMessage {
            operation,
            namespaces,
            header,
            asked,
        }),
        Err(error) => {
            let header = Box::new(header);
            Err(RequestError::Content {
                operation,
                namespaces,
                header,
                error,
            })
        }
    }
}

/// The root's name decides; `SOAPAction` and the path are hints that peers get wrong.
fn identify(body: &Element, profile: &Profile) -> Option<(Operation, String)> {
    let operation = Operation::ALL
        .into_iter()
        .find(|operation| operation.root() == body.local)?;
    let base = profile.payload_bases.iter().find(|base| {
        let rest = body.ns.strip_prefix(base.as_str());
        rest.and_then(|rest| rest.strip_suffix("Message"))
            == Some(operation.message_noun().as_str())
    })?;
    Some((operation, base.clone()))
}

/// The accepted envelope namespace the header's children are in, else the first one accepted,
/// against which reading them then fails.
fn message_namespace(body: &Element, profile: &Profile) -> String {
    let header = body.children.iter().find(|child| child.local == "Header");
    let used = header
        .and_then(|header| header.children.first())
        .map_or("", |first| &*first.ns);
    let accepted = &profile.message_namespaces;
    let known = accepted
        .iter()
        .find(|ns| *ns == used)
        .or_else(|| accepted.first());
    known
        .cloned()
        .unwrap_or_else(|| Namespaces::default().message)
}

struct Content<'c> {
    operation: Operation,
    namespaces: &'c Namespaces,
    decode: Decode<'c>,
    typed: &'c str,
}

impl Content<'_> {
    fn read(&self, body: &Element, fields: Fields<'_, '_>) -> Result<Option<Asked>, DecodeError> {
        match self.operation {
            Operation::QueryDerGroups | Operation::QueryDerGroupStatuses => {
                self.read_query(body, fields)
            }
            Operation::CreateDerGroups
            | Operation::ChangeDerGroups
            | Operation::DeleteDerGroups
            | Operation::CreateDerGroupDispatches => self.read_payload(body, fields),
        }
    }

    fn read_payload(
        &self,
        body: &Element,
        mut fields: Fields<'_, '_>,
    ) -> Result<Option<Asked>, DecodeError> {
        if let Some(request) = fields.optional("Request") {
            let mut inner = self.decode.fields(request, self.decode.message_ns);
            let read = read_parameters(&mut inner, &self.decode).and_then(|()| {
                inner.any_other();
                inner.finish()
            });
            read.map_err(|error| error.inside(body))?;
        }
        let Some(payload) = fields.optional("Payload") else {
            fields.finish()?;
            return Ok(None);
        };
        fields.finish()?;
        let asked = self.payload(payload).map_err(|error| error.inside(body))?;
        Ok(Some(asked))
    }

    fn payload(&self, payload: &Element) -> Result<Asked, DecodeError> {
        let noun = self.operation.message_noun();
        let ns = self.namespaces.payload(noun.as_str());
        let mut fields = self.decode.fields(payload, &ns);
        let object = fields.required(noun.as_str())?;
        let read = |error: DecodeError| error.inside(payload);
        let asked = if noun == Noun::DerGroupDispatches {
            let dispatches = DerGroupDispatches::read(object, &self.decode, &ns).map_err(read)?;
            Asked::Dispatches(dispatches)
        } else {
            Asked::Groups(DerGroups::read(object, &self.decode, &ns).map_err(read)?)
        };
        fields.namespace(self.typed);
        fields.optional_text("Format")?;
        fields.finish()?;
        Ok(asked)
    }

    fn read_query(
        &self,
        body: &Element,
        mut fields: Fields<'_, '_>,
    ) -> Result<Option<Asked>, DecodeError> {
        let Some(request) = fields.optional("Request") else {
            fields.finish()?;
            return Ok(None);
        };
        fields.finish()?;
        let asked = self.query(request).map_err(|error| error.inside(body))?;
        Ok(Some(asked))
    }

    fn query(&self, request: &Element) -> Result<Asked, DecodeError> {
        let noun = self.operation.message_noun().as_str();
        let ns = self.namespaces.payload(noun);
        // A query's parameters are in the namespace of its message, not of the envelope.
        let mut fields = self.decode.fields(request, self.typed);
        read_parameters(&mut fields, &self.decode)?;
        fields.namespace(&ns);
        let object = fields.required(noun)?;
        let query = DerGroupQueries::read(object, &self.decode, &ns);
        let query = query.map_err(|error| error.inside(request))?;
        fields.namespace(self.typed);
        fields.any_other();
        fields.finish()?;
        Ok(Asked::Query(query))
    }
}

/// Checks `StartTime`, `EndTime`, `Option` and `ID`.
///
/// Interpretation: they narrow requests that this server answers with the present state of named
/// groups, so they have no effect.
fn read_parameters(fields: &mut Fields<'_, '_>, decode: &Decode<'_>) -> Result<(), DecodeError> {
    fields.optional_time("StartTime")?;
    fields.optional_time("EndTime")?;
    for option in fields.repeated("Option", MAX_ITEMS)? {
        let mut inner = decode.fields(option, decode.message_ns);
        inner.text("name")?;
        inner.optional_text("value")?;
        inner.finish()?;
    }
    fields.repeated("ID", MAX_ITEMS)?;
    Ok(())
}

/// Writes a request.
#[must_use]
pub fn write_request(message: &RequestMessage) -> String {
    let noun = message.operation.message_noun().as_str();
    let namespaces = &message.namespaces;
    let declarations = [
        attribute("xmlns:m", &namespaces.typed(noun)),
        attribute("xmlns:msg", &namespaces.message),
        attribute("xmlns:p", &namespaces.payload(noun)),
    ];
    soap::envelope(|w| {
        w.prefixed("m", |w| {
            w.element_with(message.operation.root(), &declarations.concat(), |w| {
                w.element("Header", |w| w.prefixed("msg", |w| message.header.write(w)));
                if let Some(asked) = &message.asked {
                    write_asked(asked, noun, w);
                }
            });
        });
    })
}

fn write_asked(asked: &Asked, noun: &'static str, w: &mut Writer) {
    let wrapper = match asked {
        Asked::Query(_) => "Request",
        Asked::Groups(_) | Asked::Dispatches(_) => "Payload",
    };
    w.element(wrapper, |w| {
        w.prefixed("p", |w| {
            w.element(noun, |w| match asked {
                Asked::Groups(groups) => groups.write(w),
                Asked::Dispatches(dispatches) => dispatches.write(w),
                Asked::Query(query) => query.write(w),
            });
        });
    });
}
