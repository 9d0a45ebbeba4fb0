//! What is checked before an operation runs.

use crate::envelope::{ErrorItem, Level, Noun, ReplyCode, Verb};
use crate::message::{Operation, RequestMessage};
use crate::profile::{Mode, Profile};
use crate::soap::SoapFault;

/// SOAP 1.1 is `text/xml`; `application/xml` is let pass as some clients send it, while
/// `application/soap+xml` is SOAP 1.2.
pub(super) fn is_soap_11(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else {
        return false;
    };
    let mut parts = content_type.split(';');
    let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"'))
    });
    let readable = charset.is_none_or(|charset| {
        charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii")
    });
    matches!(media.as_str(), "text/xml" | "application/xml") && readable
}

/// In strict mode a `SOAPAction` that names another operation is refused: whatever stands in
/// front of this server may have let the message pass on its strength.
pub(super) fn soap_action(
    given: Option<&str>,
    message: &RequestMessage,
    profile: &Profile,
) -> Option<SoapFault> {
    let action = given
        .map(|action| action.trim().trim_matches('"'))
        .filter(|a| !a.is_empty())?;
    let name = message.operation.name();
    let matches = action.rsplit('/').next() == Some(name);
    (profile.mode == Mode::Strict && !matches)
        .then(|| SoapFault::client(format!("SOAPAction does not name {name}")))
}

/// Verb and noun against the operation; in lenient mode case is folded and a noun that is no
/// noun of the standard only noted.
pub(super) fn header(
    message: &RequestMessage,
    profile: &Profile,
) -> Result<Vec<ErrorItem>, ErrorItem> {
    let operation = message.operation;
    let expected = operation.verb().as_str();
    let given = &message.header.verb;
    let verb_fits = match profile.mode {
        Mode::Strict => given == expected,
        Mode::Lenient => given.eq_ignore_ascii_case(expected),
    };
    if !verb_fits {
        let details = format!(
            "{} has verb {expected}, not {}",
            operation.name(),
            short(given)
        );
        let error = ErrorItem::new(
            ReplyCode::InvalidVerb,
            Level::Fatal,
            "the verb does not fit",
        );
        return Err(error.details(details));
    }
    let noun = &message.header.noun;
    if fits(operation, noun, profile.mode) {
        return Ok(vec![]);
    }
    let expected = operation.noun().as_str();
    let details = format!(
        "{} has noun {expected}, not {}",
        operation.name(),
        short(noun)
    );
    let item = |level| {
        ErrorItem::new(ReplyCode::InvalidNoun, level, "the noun does not fit").details(&*details)
    };
    if profile.mode == Mode::Strict || Noun::from_literal(noun).is_some() {
        return Err(item(Level::Fatal));
    }
    Ok(vec![item(Level::Warning)])
}

/// Interpretation: a query may carry the noun of what it asks for or, in lenient mode, that of
/// the query.
fn fits(operation: Operation, noun: &str, mode: Mode) -> bool {
    match mode {
        Mode::Strict => noun == operation.noun().as_str(),
        Mode::Lenient => {
            operation.verb() == Verb::Get && noun == operation.message_noun().as_str()
                || noun == operation.noun().as_str()
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}
