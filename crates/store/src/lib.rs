//! What must outlive the process: the journal, the delivery ledger, documents and accounts in one
//! place that commits them together, telemetry in another that may lag behind, and personal data
//! where they can be erased.
//!
//! The journal holds every decided [`fleet::Event`] in order, hash-chained. A [`Batch`] is durable
//! as a whole when [`Store::commit`] returns, or has left no trace. [`Memory`] and [`Sqlite`] keep
//! one contract; all calls block, so the caller is a thread of its own.

pub mod audit;
pub mod backup;
pub mod record;
pub mod telemetry;

mod account;
mod actor;
mod chain;
mod document;
mod error;
mod fold;
mod journal;
mod memory;
mod person;
mod postgres;
mod sqlite;

pub use account::{Account, AccountId};
pub use actor::Actor;
pub use chain::{Hash, Head, JournalId};
pub use document::{Document, DocumentChange, DocumentKey};
pub use error::{CommitError, OpenError, ReadError, StorageError};
pub use fold::{Note, fold, fold_noting, ledger};
pub use journal::{Batch, Entry, RawEntry, Stored};
pub use memory::Memory;
pub use person::{
    Draw, Holder, Kept, MAX_PERSONS_PER_TURN, Onto, Person, Persons, Put, PutError, PutOutcome,
    Unreadable,
};
pub use postgres::{
    Address, AddressError, Asked, Inbox, Lease, MAX_REQUESTS, News, Observed, Position, Postgres,
    Reply, Request, RequestId, Session, Shared, Standing, Term, Waiting,
};
pub use sqlite::{Sqlite, fleet_file};
pub use telemetry::Telemetry;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fleet::DeliveryEntry;
use units::Timestamp;

/// Most entries, and most delivery steps, of one batch.
pub const MAX_BATCH: usize = 1_000_000;
/// Most bytes of one journal entry's payload: the plan of a dispatch of a million DER over seven
/// intervals.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024 * 1024;
/// Most bytes of one document's body.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
/// Most bytes of one part of a document's key, of the name of a secret, or of an account.
pub const MAX_KEY_BYTES: usize = 1024;
/// Most bytes of one secret.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;
/// Most accounts.
pub const MAX_ACCOUNTS: usize = 1_000;

/// Secrets by their names.
pub type Secrets = BTreeMap<String, Vec<u8>>;

/// Looks at one entry and says whether to go on.
pub type Visit<'a> = dyn FnMut(RawEntry<'_>) -> ControlFlow<()> + 'a;

/// One fleet's durable state, with one writer.
pub trait Store: Send {
    /// Which journal this is; drawn when it was begun.
    fn journal(&self) -> JournalId;

    /// Version and hash of the last entry committed.
    fn head(&self) -> Head;

    /// Makes the whole batch durable, or nothing of it, and returns the new version.
    fn commit(&mut self, batch: &Batch) -> Result<u64, CommitError>;

    /// Shows the stored entries with sequence number `from` and up, at most `limit`, in order.
    fn scan(&self, from: u64, limit: usize, visit: &mut Visit<'_>) -> Result<(), ReadError>;

    /// At most `limit` delivery steps after the first `skip`, in the order of commitment.
    fn deliveries(&self, skip: u64, limit: usize) -> Result<Vec<DeliveryEntry>, ReadError>;

    /// One document.
    fn document(&self, key: &DocumentKey) -> Result<Option<Document>, ReadError>;

    /// Every document, by key.
    fn documents(&self) -> Result<Vec<Document>, ReadError>;

    /// Creates an account.
    fn create_account(
        &mut self,
        name: &str,
        password_hash: &str,
        created: Timestamp,
    ) -> Result<AccountId, CommitError>;

    /// Replaces the password of an account.
    fn set_password(&mut self, id: AccountId, password_hash: &str) -> Result<(), CommitError>;

    /// Erases an account; its id is never given again.
    fn delete_account(&mut self, id: AccountId) -> Result<(), CommitError>;

    /// Every account, by id.
    fn accounts(&self) -> Result<Vec<Account>, ReadError>;

    /// A named secret of this installation.
    fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError>;

    /// Every secret, by name.
    fn secrets(&self) -> Result<Secrets, ReadError>;

    /// The last id that an account was given, were it erased since.
    fn last_account(&self) -> Result<AccountId, ReadError>;

    /// Sets a named secret.
    fn set_secret(&mut self, name: &str, value: &[u8]) -> Result<(), CommitError>;

    /// The entries with sequence number `from` and up, decoded, at most `limit`.
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Stored>, ReadError> {
        let mut entries = Vec::new();
        let mut failed = None;
        self.scan(from, limit, &mut |raw| match raw.decode() {
            Ok(entry) => {
                entries.push(entry);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(entries), Err)
    }
}
