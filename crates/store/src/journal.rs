//! Entries of the journal and the batches they come in.

use fleet::{DeliveryEntry, Event};
use units::Timestamp;

use crate::chain::{self, Hash, Head};
use crate::record::{self, RecordError};
use crate::{
    Actor, CommitError, DocumentChange, MAX_BATCH, MAX_PAYLOAD_BYTES, ReadError, RequestId,
};

/// A decision to be journalled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Who caused it.
    pub actor: Actor,
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided.
    pub event: Event,
}

/// What is to become durable together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    /// The version this follows; anything else is a conflict.
    pub expected_version: u64,
    /// Decisions, in order.
    pub entries: Vec<Entry>,
    /// Steps of the delivery ledger, in order.
    pub deliveries: Vec<DeliveryEntry>,
    /// Changes of documents, in order.
    pub documents: Vec<DocumentChange>,
    /// Requests of other nodes that this decides. A store that one process has to itself knows of
    /// none and keeps none.
    pub decided: Vec<RequestId>,
}

impl Batch {
    pub(crate) fn check(&self, version: u64) -> Result<(), CommitError> {
        if self.expected_version != version {
            let expected = self.expected_version;
            return Err(CommitError::Conflict {
                expected,
                found: version,
            });
        }
        let parts = [
            ("entries of one batch", self.entries.len()),
            ("delivery steps of one batch", self.deliveries.len()),
            ("document changes of one batch", self.documents.len()),
        ];
        if let Some((what, _)) = parts.into_iter().find(|(_, len)| *len > MAX_BATCH) {
            return Err(CommitError::TooLarge {
                what,
                max: MAX_BATCH,
            });
        }
        self.documents.iter().try_for_each(DocumentChange::check)
    }
}

/// An entry as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its place, from 1.
    pub sequence: u64,
    /// The decision.
    pub entry: Entry,
}

/// An entry as it is stored: the chain covers exactly these bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawEntry<'a> {
    /// Its place, from 1.
    pub sequence: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// Who caused it, as text.
    pub actor: &'a str,
    /// Kind of record.
    pub kind: &'a str,
    /// Version of that kind.
    pub version: u32,
    /// The record.
    pub payload: &'a str,
    /// The hash stored with it.
    pub hash: Hash,
}

impl RawEntry<'_> {
    /// The event alone.
    pub fn event(&self) -> Result<Event, ReadError> {
        record::decode(self.kind, self.version, self.payload).map_err(|error| ReadError::Entry {
            sequence: self.sequence,
            error,
        })
    }

    /// The whole entry.
    pub fn decode(&self) -> Result<Stored, ReadError> {
        let actor = self.actor.parse().map_err(|reason| ReadError::Entry {
            sequence: self.sequence,
            error: RecordError::malformed("actor", &reason),
        })?;
        let entry = Entry {
            actor,
            at: self.at,
            event: self.event()?,
        };
        Ok(Stored {
            sequence: self.sequence,
            entry,
        })
    }

    /// The hash it should have after `previous`.
    #[must_use]
    pub fn linked_to(&self, previous: Hash) -> Hash {
        chain::link(previous, self)
    }
}

/// An entry with its hash, ready to be written.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) kind: &'static str,
    pub(crate) version: u32,
    pub(crate) payload: String,
    pub(crate) hash: Hash,
}

impl Sealed {
    pub(crate) fn raw(&self) -> RawEntry<'_> {
        RawEntry {
            sequence: self.sequence,
            at: self.at,
            actor: &self.actor,
            kind: self.kind,
            version: self.version,
            payload: &self.payload,
            hash: self.hash,
        }
    }
}

/// Encodes `entry` as the one after `head`.
pub(crate) fn seal(head: Head, entry: &Entry) -> Result<Sealed, CommitError> {
    let record = record::encode(&entry.event)?;
    if record.payload.len() > MAX_PAYLOAD_BYTES {
        let max = MAX_PAYLOAD_BYTES;
        return Err(CommitError::TooLarge {
            what: "payload in bytes",
            max,
        });
    }
    let mut sealed = Sealed {
        sequence: head.version + 1,
        at: entry.at,
        actor: entry.actor.to_string(),
        kind: record.kind,
        version: record.version,
        payload: record.payload,
        hash: head.hash,
    };
    sealed.hash = chain::link(head.hash, &sealed.raw());
    Ok(sealed)
}
