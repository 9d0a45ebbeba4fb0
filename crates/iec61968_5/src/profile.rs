//! What is agreed with a peer.

pub use crate::xml::Mode;

/// Envelope namespace of IEC 61968-100:2013.
pub const MESSAGE_2013: &str = "http://iec.ch/TC57/2011/schema/message";
/// Envelope namespace of IEC 61968-100:2022.
pub const MESSAGE_2022: &str = "http://iec.ch/TC57/2021/schema/message";
/// What the payload and typed message namespaces of the 2017 interoperability tests begin with.
pub const PAYLOAD_2017: &str = "http://iec.ch/TC57/2017/";

/// The namespaces one message is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    /// Of the envelope types.
    pub message: String,
    /// What the payload namespaces (`<base><Noun>#`) and the typed message namespaces
    /// (`<base><Noun>Message`) begin with.
    pub payload_base: String,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self {
            message: MESSAGE_2013.to_owned(),
            payload_base: PAYLOAD_2017.to_owned(),
        }
    }
}

impl Namespaces {
    /// Of a payload.
    #[must_use]
    pub fn payload(&self, noun: &str) -> String {
        format!("{}{noun}#", self.payload_base)
    }

    /// Of the typed messages around a payload.
    #[must_use]
    pub fn typed(&self, noun: &str) -> String {
        format!("{}{noun}Message", self.payload_base)
    }
}

/// Which way power flows where a message does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentFlow {
    /// Positive is injection into the grid.
    Injection,
    /// Positive is delivery to the customer (CIM `forward`).
    Absorption,
}

/// `Result` when some objects of a message were handled and some were not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartialResult {
    /// `PARTIAL`.
    Partial,
    /// `FAILED`, as the EPRI test script has it.
    Failed,
}

/// What is agreed with one peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// How closely it keeps to the schemas.
    pub mode: Mode,
    /// Envelope namespaces it may use.
    pub message_namespaces: Vec<String>,
    /// What its payload namespaces may begin with.
    pub payload_bases: Vec<String>,
    /// Which way power flows where it does not say.
    pub absent_flow: AbsentFlow,
    /// What a mixed outcome is called.
    pub partial_result: PartialResult,
    /// `Header.Source` of our replies.
    pub source: String,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            mode: Mode::Lenient,
            message_namespaces: vec![MESSAGE_2013.to_owned(), MESSAGE_2022.to_owned()],
            payload_bases: vec![PAYLOAD_2017.to_owned()],
            absent_flow: AbsentFlow::Injection,
            partial_result: PartialResult::Partial,
            source: "wattfold".to_owned(),
        }
    }
}
