//! `ReplyType` and its error items.

use crate::limits::MAX_ITEMS;
use crate::literals::literals;
use crate::xml::{Decode, DecodeError, Element, Fault, Writer, attribute};

literals!(
    /// `Reply.Result`.
    Outcome {
        /// All done.
        Ok = "OK",
        /// Some objects done, the errors name the others.
        Partial = "PARTIAL",
        /// Nothing done.
        Failed = "FAILED",
    }
);

literals!(
    /// `Error.level`.
    Level {
        /// For information.
        Inform = "INFORM",
        /// Done, but not as it should have been asked.
        Warning = "WARNING",
        /// The object was not handled.
        Fatal = "FATAL",
        /// The message was not handled.
        Catastrophic = "CATASTROPHIC",
    }
);

literals!(
    /// `ID@kind`.
    IdKind {
        /// A name.
        Name = "name",
        /// An mRID.
        Uuid = "uuid",
        /// A transaction.
        Transaction = "transaction",
        /// Anything else.
        Other = "other",
    }
);

literals!(
    /// `Error.code`: the codes of the IEC 61968-9 reply code list that this server gives, and
    /// codes of our own from 99.1 on.
    ReplyCode {
        /// No error.
        NoError = "0.0",
        /// Only a part is shown, and no more will follow.
        PartOnly = "0.2",
        /// A mandatory header element is missing or wrong.
        HeaderElementMissing = "1.5",
        /// `Request` is missing.
        RequestMissing = "1.6",
        /// `Payload` is missing.
        PayloadMissing = "1.7",
        /// The message does not fit its schema.
        Schema = "1.8",
        /// `Header.Noun` does not fit the operation.
        InvalidNoun = "2.5",
        /// `Header.Verb` does not fit the operation.
        InvalidVerb = "2.9",
        /// Two ways of naming one object contradict each other.
        Mismatch = "2.29",
        /// There are too many items.
        TooMany = "3.1",
        /// The server could not do it now.
        Failed = "5.3",
        /// A mandatory field of the object is missing.
        MandatoryMissing = "5.8",
        /// A rule forbids it.
        BusinessRule = "6.1",
        /// The group does not exist.
        UnknownGroup = "99.1",
        /// A DER named as a member does not exist.
        UnknownDevice = "99.2",
        /// The standard allows it, this server does not offer it.
        NotOffered = "99.3",
        /// The group has not got the power or the energy.
        Short = "99.4",
    }
);

/// An identifier and what it identifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectId {
    /// What kind of identifier.
    pub kind: Option<IdKind>,
    /// Of what kind of object.
    pub object_type: Option<String>,
    /// The identifier.
    pub value: String,
}

/// One `Error` of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorItem {
    /// Code as on the wire; see [`ReplyCode`] for those of this server.
    pub code: String,
    /// How bad it is; absent with code 0.0.
    pub level: Option<Level>,
    /// Why.
    pub reason: Option<String>,
    /// Where in the message, or by how much.
    pub details: Option<String>,
    /// Which object.
    pub id: Option<Box<ObjectId>>,
}

impl ErrorItem {
    /// Code 0.0.
    #[must_use]
    pub fn none() -> Self {
        let code = ReplyCode::NoError.as_str().to_owned();
        Self {
            code,
            level: None,
            reason: None,
            details: None,
            id: None,
        }
    }

    /// An error about no object in particular.
    #[must_use]
    pub fn new(code: ReplyCode, level: Level, reason: impl Into<String>) -> Self {
        Self {
            code: code.as_str().to_owned(),
            level: Some(level),
            reason: Some(reason.into()),
            details: None,
            id: None,
        }
    }

    /// The same with details.
    #[must_use]
    pub fn details(self, details: impl Into<String>) -> Self {
        Self {
            details: Some(details.into()),
            ..self
        }
    }

    /// The same about this object.
    #[must_use]
    pub fn about(self, id: ObjectId) -> Self {
        Self {
            id: Some(Box::new(id)),
            ..self
        }
    }
}

/// `ReplyType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The outcome as a whole.
    pub result: Outcome,
    /// What there is to say, object by object.
    pub errors: Vec<ErrorItem>,
}

impl Reply {
    pub(crate) fn read(element: &Element, decode: &Decode<'_>) -> Result<Self, DecodeError> {
        let mut fields = decode.fields(element, decode.message_ns);
        let result = fields.value("Result", "a result", Outcome::from_literal)?;
        let errors = fields
            .repeated("Error", MAX_ITEMS)?
            .into_iter()
            .map(|error| read_error(error, decode))
            .collect::<Result<_, _>>()
            .map_err(|error| error.inside(element))?;
        fields.repeated("ID", MAX_ITEMS)?;
        fields.any_other();
        fields.optional_integer("operationId")?;
        fields.finish()?;
        Ok(Self { result, errors })
    }

    /// Writes the children; the caller has opened the element.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.leaf("Result", self.result.as_str());
        for error in &self.errors {
            w.element("Error", |w| write_error(error, w));
        }
    }
}

fn read_error(element: &Element, decode: &Decode<'_>) -> Result<ErrorItem, DecodeError> {
    let mut fields = decode.fields(element, decode.message_ns);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let code = fields.text("code")?.to_owned();
    let level = fields.optional_value("level", "a level", Level::from_literal)?;
    let reason = owned(fields.optional_text("reason")?);
    let details = owned(fields.optional_text("details")?);
    fields.optional_text("xpath")?;
    fields.optional_text("stackTrace")?;
    fields.optional("Location");
    let id = fields
        .optional("ID")
        .map(read_id)
        .transpose()?
        .map(Box::new);
    fields.optional("relatedID");
    fields.optional("object");
    fields.optional_integer("operationId")?;
    fields.finish()?;
    Ok(ErrorItem {
        code,
        level,
        reason,
        details,
        id,
    })
}

fn read_id(element: &Element) -> Result<ObjectId, DecodeError> {
    if let Some(inner) = element.children.first() {
        return Err(DecodeError::at(
            element,
            Fault::Unexpected(inner.local.clone()),
        ));
    }
    Ok(ObjectId {
        kind: element.attribute("kind").and_then(IdKind::from_literal),
        object_type: element.attribute("objectType").map(str::to_owned),
        value: element.text.trim().to_owned(),
    })
}

fn write_error(error: &ErrorItem, w: &mut Writer) {
    w.leaf("code", &error.code);
    w.optional("level", error.level.map(Level::as_str));
    w.optional("reason", error.reason.as_deref());
    w.optional("details", error.details.as_deref());
    if let Some(id) = &error.id {
        let kind = id
            .kind
            .map(|kind| attribute("kind", kind.as_str()))
            .unwrap_or_default();
        let of = id
            .object_type
            .as_deref()
            .map(|of| attribute("objectType", of));
        w.leaf_with("ID", &(kind + &of.unwrap_or_default()), &id.value);
    }
}
