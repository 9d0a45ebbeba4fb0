//! Responses as they were posted, of whatever type derived from `Response`.

use crate::codec::read::{Document, ReadError};
use crate::server::hosted::source;
use crate::server::href::Target;
use crate::server::resources::STORED;
use crate::wire::registry::{self, AnyResource};
use crate::wire::response::Response;

/// Element names of the types derived from `Response`, and its own.
const RESPONSES: [&str; 7] = [
    "DERControlResponse",
    "DefaultDERControlResponse",
    "DrResponse",
    "FlowReservationResponseResponse",
    "PriceResponse",
    "Response",
    "TextResponse",
];

/// One response.
#[derive(Clone, Debug, PartialEq)]
pub struct PostedResponse {
    /// What all responses say.
    pub response: Response,
    /// The document in full.
    bytes: Vec<u8>,
}

impl PostedResponse {
    /// Reads a response of any type.
    pub(in crate::server) fn read(body: &[u8]) -> Result<Self, ReadError> {
        let document = Document::open(body)?;
        let expected = "Response";
        let name = RESPONSES.into_iter().find(|name| document.is(name));
        let kind = name.and_then(registry::find);
        let kind = kind.ok_or(ReadError::Root { expected })?;
        let whole = kind.read_stored(body)?;
        Ok(Self {
            response: document.read_as()?,
            bytes: registry::write(&*whole, STORED),
        })
    }

    /// As it is kept.
    pub(in crate::server) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The response at `target`.
    pub(in crate::server) fn addressed(
        &self,
        target: Target,
    ) -> Result<Box<dyn AnyResource>, ReadError> {
        source::addressed(&self.bytes, &target.to_string())
    }
}
