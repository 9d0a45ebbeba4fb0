//! `HeaderType`.

use units::Timestamp;

use crate::limits::MAX_ITEMS;
use crate::literals::literals;
use crate::xml::{Decode, DecodeError, Element, Fault, Mode, Writer, boolean, format_timestamp};

literals!(
    /// `Header.Verb`.
    Verb {
        /// Call off.
        Cancel = "cancel",
        /// Has been called off.
        Canceled = "canceled",
        /// Change by merging.
        Change = "change",
        /// Has been changed.
        Changed = "changed",
        /// Close.
        Close = "close",
        /// Has been closed.
        Closed = "closed",
        /// Create.
        Create = "create",
        /// Has been created.
        Created = "created",
        /// Delete.
        Delete = "delete",
        /// Has been deleted.
        Deleted = "deleted",
        /// Carry out an operation set.
        Execute = "execute",
        /// An operation set has been carried out.
        Executed = "executed",
        /// Query.
        Get = "get",
        /// Answer.
        Reply = "reply",
    }
);

literals!(
    /// The nouns this crate serves.
    Noun {
        /// Groups.
        DerGroups = "DERGroups",
        /// What groups do and can do.
        DerGroupStatuses = "DERGroupStatuses",
        /// What groups shall do.
        DerGroupDispatches = "DERGroupDispatches",
        /// A query for groups.
        DerGroupQueries = "DERGroupQueries",
        /// A query for statuses.
        DerGroupStatusQueries = "DERGroupStatusQueries",
    }
);

/// `HeaderType`, without what this crate never acts upon.
///
/// Interpretation: `AsyncReplyFlag`, `ReplyAddress`, `AckRequired`, `ReplayDetection`, `Context`,
/// `Revision` and `User` are checked for their type and otherwise have no effect: answers are
/// synchronous, and a repeated `MessageID` is handled again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// What is asked, as given.
    pub verb: String,
    /// Of what, as given.
    pub noun: String,
    /// When the message was written.
    pub timestamp: Option<Timestamp>,
    /// Who wrote it.
    pub source: Option<String>,
    /// Names the message.
    pub message_id: Option<String>,
    /// Names the exchange it belongs to.
    pub correlation_id: Option<String>,
    /// Free text.
    pub comment: Option<String>,
}

impl Header {
    pub(crate) fn read(element: &Element, decode: &Decode<'_>) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, decode.message_ns);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let verb = fields.text("Verb")?.to_owned();
        if decode.mode == Mode::Strict && Verb::from_literal(&verb).is_none() {
            let fault = Fault::Value {
                value: shortened(&verb),
                expected: "a verb",
            };
            return Err(DecodeError::at(element, fault));
        }
        let noun = fields.text("Noun")?.to_owned();
        fields.optional_text("Revision")?;
        if let Some(replay) = fields.optional("ReplayDetection") {
            read_replay_detection(replay, decode).map_err(|error| error.inside(element))?;
        }
        fields.optional_text("Context")?;
        let timestamp = fields.optional_time("Timestamp")?;
        let source = owned(fields.optional_text("Source")?);
        fields.optional_value("AsyncReplyFlag", "a boolean", boolean)?;
        fields.optional_text("ReplyAddress")?;
        fields.optional_value("AckRequired", "a boolean", boolean)?;
        if let Some(user) = fields.optional("User") {
            read_user(user, decode).map_err(|error| error.inside(element))?;
        }
        let message_id = owned(fields.optional_text("MessageID")?);
        let correlation_id = owned(fields.optional_text("CorrelationID")?);
        let comment = owned(fields.optional_text("Comment")?);
        for property in fields.repeated("Property", MAX_ITEMS)? {
            read_property(property, decode).map_err(|error| error.inside(element))?;
        }
        fields.any_other();
        fields.finish()?;
        Ok(Self {
            verb,
            noun,
            timestamp,
            source,
            message_id,
            correlation_id,
            comment,
        })
    }

    /// Writes the children; the caller has opened the element.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.leaf("Verb", &self.verb);
        w.leaf("Noun", &self.noun);
        w.optional("Timestamp", self.timestamp.map(format_timestamp).as_deref());
        w.optional("Source", self.source.as_deref());
        w.optional("MessageID", self.message_id.as_deref());
        w.optional("CorrelationID", self.correlation_id.as_deref());
        w.optional("Comment", self.comment.as_deref());
    }
}

fn read_replay_detection(element: &Element, decode: &Decode<'_>) -> Result<(), DecodeError> {
    let mut fields = decode.fields(element, decode.message_ns);
    fields.text("Nonce")?;
    fields.value("Created", "a dateTime", crate::xml::timestamp)?;
    fields.finish()
}

fn read_user(element: &Element, decode: &Decode<'_>) -> Result<(), DecodeError> {
    let mut fields = decode.fields(element, decode.message_ns);
    fields.text("UserID")?;
    fields.optional_text("Organization")?;
    fields.finish()
}

fn read_property(element: &Element, decode: &Decode<'_>) -> Result<(), DecodeError> {
    let mut fields = decode.fields(element, decode.message_ns);
    fields.text("Name")?;
    fields.optional_text("Value")?;
    fields.finish()
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
