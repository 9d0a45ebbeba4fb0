//! The SOAP 1.1 envelope and its faults.

use crate::xml::{Element, Writer, attribute};

/// Namespace of SOAP 1.1.
pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// Media type of a SOAP 1.1 message.
pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// `faultcode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// The message is at fault.
    Client,
    /// This side is at fault.
    Server,
    /// The envelope is of another SOAP version.
    VersionMismatch,
    /// A header entry that must be understood isn't.
    MustUnderstand,
}

impl FaultCode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "soap:Client",
            Self::Server => "soap:Server",
            Self::VersionMismatch => "soap:VersionMismatch",
            Self::MustUnderstand => "soap:MustUnderstand",
        }
    }
}

/// Why there is no reply but a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoapFault {
    /// Whose fault.
    pub code: FaultCode,
    /// Why.
    pub text: String,
}

impl SoapFault {
    /// A fault of the message.
    #[must_use]
    pub fn client(text: impl Into<String>) -> Self {
        Self {
            code: FaultCode::Client,
            text: text.into(),
        }
    }
}

/// The one element in the body of an envelope.
///
/// # Errors
/// [`SoapFault`] when it is no SOAP 1.1 envelope with exactly one element in its body, or demands
/// that a header entry be understood.
pub fn body(envelope: &Element) -> Result<&Element, SoapFault> {
    if &*envelope.ns == SOAP_12 {
        let text = "SOAP 1.2 is not served, SOAP 1.1 is".to_owned();
        return Err(SoapFault {
            code: FaultCode::VersionMismatch,
            text,
        });
    }
    if !envelope.is(SOAP_11, "Envelope") {
        return Err(SoapFault::client("the root is not a SOAP 1.1 Envelope"));
    }
    let (header, rest) = match envelope.children.split_first() {
        Some((first, rest)) if first.is(SOAP_11, "Header") => (Some(first), rest),
        _ => (None, envelope.children.as_slice()),
    };
    if let Some(entry) = header
        .into_iter()
        .flat_map(|h| &h.children)
        .find(|e| is_mandatory(e))
    {
        let text = format!("header entry {} is not understood", entry.local);
        return Err(SoapFault {
            code: FaultCode::MustUnderstand,
            text,
        });
    }
    match rest.first() {
        Some(body) if body.is(SOAP_11, "Body") => match body.children.as_slice() {
            [only] => Ok(only),
            children => {
                let count = children.len();
                let text = format!("the SOAP Body holds {count} elements instead of one");
                Err(SoapFault::client(text))
            }
        },
        _ => Err(SoapFault::client("the SOAP Envelope has no Body")),
    }
}

fn is_mandatory(entry: &Element) -> bool {
    entry.attributes.iter().any(|(name, value)| {
        name.ends_with(":mustUnderstand") && matches!(value.trim(), "1" | "true")
    })
}

/// An envelope around the body that `write` gives.
pub(crate) fn envelope(write: impl FnOnce(&mut Writer)) -> String {
    let mut w = Writer::default();
    w.prefixed("soap", |w| {
        w.element_with("Envelope", &attribute("xmlns:soap", SOAP_11), |w| {
            w.element("Body", write)
        });
    });
    w.finish()
}

/// A fault; `detail` writes what more there is to say.
pub(crate) fn fault(fault: &SoapFault, detail: impl FnOnce(&mut Writer)) -> String {
    envelope(|w| {
        w.element("Fault", |w| {
            w.prefixed("", |w| {
                w.leaf("faultcode", fault.code.as_str());
                w.leaf("faultstring", &fault.text);
                detail(w);
            });
        });
    })
}

/// The fault in the body of an envelope, if that is what it is.
#[must_use]
pub fn read_fault(body: &Element) -> Option<String> {
    body.is(SOAP_11, "Fault").then(|| {
        let text = body
            .children
            .iter()
            .find(|child| child.local == "faultstring");
        text.map_or_else(String::new, |text| text.text.trim().to_owned())
    })
}
