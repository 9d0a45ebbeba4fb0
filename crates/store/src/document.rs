//! Opaque documents: what a listener keeps for those it serves, in a shape of its own.

use crate::{CommitError, MAX_DOCUMENT_BYTES, MAX_KEY_BYTES};

/// Names a document.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DocumentKey {
    /// Which listener keeps it.
    pub listener: String,
    /// For whom, in the listener's terms.
    pub owner: String,
    /// Under which path.
    pub path: String,
}

/// A document; only the listener knows what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// Its name.
    pub key: DocumentKey,
    /// Version of the shape of its body, so that an old one can be upcast.
    pub version: u32,
    /// The content.
    pub body: Vec<u8>,
}

/// A change of the documents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DocumentChange {
    /// Create or replace.
    Put(Document),
    /// Erase; nothing happens where there is none.
    Delete(DocumentKey),
}

impl DocumentChange {
    pub(crate) fn check(&self) -> Result<(), CommitError> {
        let (key, body) = match self {
            Self::Put(document) => (&document.key, document.body.len()),
            Self::Delete(key) => (key, 0),
        };
        if [&key.listener, &key.owner, &key.path]
            .iter()
            .any(|part| part.len() > MAX_KEY_BYTES)
        {
            return Err(CommitError::TooLarge {
                what: "document key in bytes",
                max: MAX_KEY_BYTES,
            });
        }
        if [&key.listener, &key.owner, &key.path]
            .iter()
            .any(|part| part.contains('\0'))
        {
            return Err(CommitError::Nul {
                what: "document key",
            });
        }
        if body > MAX_DOCUMENT_BYTES {
            let max = MAX_DOCUMENT_BYTES;
            return Err(CommitError::TooLarge {
                what: "document in bytes",
                max,
            });
        }
        Ok(())
    }
}
