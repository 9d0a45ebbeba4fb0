//! Answers: the reply header, the outcome as a whole, and the two ways to fault.

use units::Timestamp;

use crate::envelope::{ErrorItem, Header, Level, ObjectId, Outcome, Reply, ReplyCode, Verb};
use crate::limits::{MAX_REPLY_GROUPS, MAX_REPLY_MEMBERS};
use crate::message::{
    Operation, Payload, RequestMessage, ResponseMessage, write_fault, write_response,
};
use crate::profile::{Namespaces, PartialResult, Profile};
use crate::soap::{self, CONTENT_TYPE, SoapFault};
use crate::translate::{CimMrid, Fleet, Group, Mint, Rejection, rejected, wire_group};
use crate::wire::der_group_dispatches::{DerGroupDispatch, DerGroupDispatches};
use crate::wire::der_groups::DerGroups;

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Response {
    /// A SOAP fault.
    #[must_use]
    pub fn fault(status: u16, fault: &SoapFault) -> Self {
        Self {
            status,
            content_type: CONTENT_TYPE,
            body: soap::fault(fault, |_| ()),
        }
    }

    pub(super) fn fault_message(
        operation: Operation,
        namespaces: &Namespaces,
        error: ErrorItem,
    ) -> Self {
        let text = error.reason.clone().unwrap_or_default();
        let reply = Reply {
            result: Outcome::Failed,
            errors: vec![error],
        };
        let body = write_fault(operation, namespaces, &text, &reply);
        Self {
            status: 500,
            content_type: CONTENT_TYPE,
            body,
        }
    }
}

/// An answer of which the header is settled.
#[derive(Debug)]
pub(super) struct Begun {
    operation: Operation,
    namespaces: Namespaces,
    header: Header,
    partial_result: PartialResult,
    notes: Vec<ErrorItem>,
}

impl Begun {
    /// Interpretation: `CorrelationID` is that of the request or, where it has none, its
    /// `MessageID`; the noun is that of the operation even where the request had another.
    pub(super) fn new(
        message: &RequestMessage,
        profile: &Profile,
        mint: &mut Mint<'_>,
        now: Timestamp,
    ) -> Self {
        let asked = &message.header;
        let header = Header {
            verb: Verb::Reply.as_str().to_owned(),
            noun: message.operation.noun().as_str().to_owned(),
            timestamp: Some(now),
            source: Some(profile.source.clone()),
            message_id: Some(mint().as_str().to_owned()),
            correlation_id: asked
                .correlation_id
                .clone()
                .or_else(|| asked.message_id.clone()),
            comment: None,
        };
        Self {
            operation: message.operation,
            namespaces: message.namespaces.clone(),
            header,
            partial_result: profile.partial_result,
            notes: vec![],
        }
    }

    /// With something to say beside the outcome.
    pub(super) fn noting(mut self, notes: impl IntoIterator<Item = ErrorItem>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// Nothing was done.
    pub(super) fn failed(self, error: ErrorItem) -> Response {
        self.answer(0, vec![error], None)
    }

    /// So many objects were handled, these were not.
    pub(super) fn answer(
        self,
        handled: usize,
        mut errors: Vec<ErrorItem>,
        payload: Option<Payload>,
    ) -> Response {
        let result = match (handled, errors.is_empty(), self.partial_result) {
            (_, true, _) => Outcome::Ok,
            (0, false, _) | (_, false, PartialResult::Failed) => Outcome::Failed,
            (_, false, PartialResult::Partial) => Outcome::Partial,
        };
        if errors.is_empty() {
            errors.push(ErrorItem::none());
        }
        errors.extend(self.notes);
        let message = ResponseMessage {
            operation: self.operation,
            namespaces: self.namespaces,
            header: self.header,
            reply: Reply { result, errors },
            payload,
        };
        Response {
            status: 200,
            content_type: CONTENT_TYPE,
            body: write_response(&message),
        }
    }
}

/// As many of `groups` as one answer may show, and a warning when some are left out.
pub(super) fn within_limits<'a>(groups: &[&'a Group]) -> (Vec<&'a Group>, Option<ErrorItem>) {
    let mut members = 0;
    let fits = |group: &&&Group| {
        let first = members == 0;
        members += group.members.len().max(1);
        first || members <= MAX_REPLY_MEMBERS
    };
    let shown: Vec<_> = groups
        .iter()
        .take(MAX_REPLY_GROUPS)
        .take_while(fits)
        .copied()
        .collect();
    if shown.len() == groups.len() {
        return (shown, None);
    }
    let reason = "not all groups fit into one answer; ask for fewer";
    let details = format!("{} of {} groups are shown", shown.len(), groups.len());
    let warning = ErrorItem::new(ReplyCode::PartOnly, Level::Warning, reason).details(details);
    (shown, Some(warning))
}

/// What the answer shows of an object that was handled.
#[derive(Debug)]
pub(super) enum Echo {
    /// Nothing.
    Nothing,
    /// The group as it is then.
    Group(CimMrid),
    /// The dispatch as accepted.
    Dispatch(Box<DerGroupDispatch>),
}

/// What has become of an object so far.
#[derive(Debug)]
pub(super) enum Slot {
    /// It was refused.
    Refused(ErrorItem),
    /// A command was submitted for it.
    Submitted(ObjectId, Echo),
}

/// How to answer once the outcomes are known.
#[derive(Debug)]
pub struct Continuation {
    pub(super) begun: Begun,
    pub(super) slots: Vec<Slot>,
}

/// The answer to a submission, given the outcome of each of its commands in their order and the
/// fleet after them.
#[must_use]
pub fn finish(
    continuation: Continuation,
    results: Vec<Result<(), Rejection>>,
    fleet: &Fleet,
) -> Response {
    let Continuation { begun, slots } = continuation;
    let mut results = results.into_iter();
    let (mut handled, mut errors) = (0, vec![]);
    let (mut groups, mut dispatches) = (vec![], vec![]);
    for slot in slots {
        let (id, echo) = match slot {
            Slot::Refused(error) => {
                errors.push(error);
                continue;
            }
            Slot::Submitted(id, echo) => (id, echo),
        };
        match results.next() {
            Some(Ok(())) => handled += 1,
            Some(Err(rejection)) => {
                errors.push(rejected(&rejection).about(id));
                continue;
            }
            None => {
                let reason = "the server could not do it now";
                errors.push(ErrorItem::new(ReplyCode::Failed, Level::Fatal, reason).about(id));
                continue;
            }
        }
        match echo {
            Echo::Nothing => {}
            Echo::Group(mrid) => {
                groups.extend(fleet.group_by_mrid(&mrid));
            }
            Echo::Dispatch(dispatch) => dispatches.push(*dispatch),
        }
    }
    let (groups, warning) = within_limits(&groups);
    let groups: Vec<_> = groups
        .into_iter()
        .map(|group| wire_group(group, fleet))
        .collect();
    let begun = begun.noting(warning);
    let payload = if !groups.is_empty() {
        Some(Payload::Groups(DerGroups { groups }))
    } else if !dispatches.is_empty() {
        Some(Payload::Dispatches(DerGroupDispatches { dispatches }))
    } else {
        None
    };
    begun.answer(handled, errors, payload)
}
