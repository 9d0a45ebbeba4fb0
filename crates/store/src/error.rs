//! What can go wrong with storage.

use std::io;

use thiserror::Error;

use crate::record::{RecordError, Unstorable};
use crate::{Head, JournalId};

/// The medium failed.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The database in a file did.
    #[error("the database refused")]
    Sqlite(#[from] rusqlite::Error),
    /// The database server did, or it can't be reached.
    #[error("the database server refused")]
    Postgres(#[from] postgres::Error),
    /// The file system did.
    #[error("the file system refused")]
    Io(#[from] io::Error),
}

/// Why a store can't be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{0} is in use by another process")]
    InUse(String),
    /// It is of a later release.
    #[error("{place} has format {found}; this release reads up to {known}")]
    Newer {
        /// Where.
        place: String,
        /// Its format.
        found: i64,
        /// The latest format known here.
        known: i64,
    },
    /// It is of an earlier release, and this use of it may change nothing.
    #[error(
        "{place} has format {found}, this release writes {known}: start `wattfold serve` on it once, \
         or use the release that wrote it"
    )]
    Older {
        /// Where.
        place: String,
        /// Its format.
        found: i64,
        /// The format of this release.
        known: i64,
    },
    /// Something was to be taken over into it, and has not been as a whole.
    #[error("{0} has part of a fleet: what was to be restored or copied there is to be so again")]
    Unfinished(String),
    /// It is a database, but not one of ours.
    #[error("{0} is not a wattfold store")]
    Foreign(String),
    /// The database may acknowledge what it has not made durable.
    #[error("{place}: {setting} is off, so a commit may be lost with power")]
    Unsafe {
        /// Where.
        place: String,
        /// Which setting.
        setting: &'static str,
    },
    /// Its last entry is not the one that was committed last.
    #[error(
        "journal {journal} should end at {expected} and ends at {found}: \
         entries were lost or changed, run `wattfold audit verify`"
    )]
    HeadMismatch {
        /// Which journal.
        journal: JournalId,
        /// The head recorded with the last commit.
        expected: Head,
        /// The last entry that is there.
        found: Head,
    },
    /// Its pages are not what was written.
    #[error("{place} is damaged, restore a backup: {found}")]
    Damaged {
        /// Where.
        place: String,
        /// The first thing that is wrong with it.
        found: String,
    },
    /// The medium failed.
    #[error("{place} can't be opened")]
    Storage {
        /// Where.
        place: String,
        /// Why.
        #[source]
        source: StorageError,
    },
}

/// Why something was not committed. Nothing of it is stored.
#[derive(Debug, Error)]
pub enum CommitError {
    /// The journal is not where the caller thought.
    #[error("the journal is at version {found}, not at {expected}")]
    Conflict {
        /// The version the caller knew.
        expected: u64,
        /// The version it has.
        found: u64,
    },
    /// The right to write was not taken, is over or was given to another.
    #[error("the lease is held under token {current}, not under {own}")]
    Fenced {
        /// The token of the writer that was refused; 0 without one.
        own: u64,
        /// The token that may write.
        current: u64,
    },
    /// A request of another node was withdrawn while it was decided.
    #[error("a request that another node has sent was withdrawn")]
    Withdrawn,
    /// A named limit is exceeded.
    #[error("{what}: at most {max} are allowed")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// A text has a character that no database takes.
    #[error("{what} has a NUL character")]
    Nul {
        /// Which text.
        what: &'static str,
    },
    /// A value has no place in its record.
    #[error(transparent)]
    Unstorable(#[from] Unstorable),
    /// There is an account of this name.
    #[error("there is an account {0} already")]
    AccountExists(String),
    /// There is no such account.
    #[error("there is no account {0}")]
    NoAccount(u32),
    /// The medium failed, and nothing was kept.
    #[error("the store can't be written")]
    Storage(#[from] StorageError),
    /// The medium failed while it committed: all of the batch was kept, or nothing.
    #[error("it is not known whether the store has kept a change")]
    Unsure(#[source] StorageError),
}

impl From<rusqlite::Error> for CommitError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// Why something stored can't be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// A journal entry is not what its kind and version say.
    #[error("journal entry {sequence}: {error}")]
    Entry {
        /// Which entry.
        sequence: u64,
        /// What is wrong with it.
        error: RecordError,
    },
    /// A delivery step is not what it should be.
    #[error("delivery step {row}: {error}")]
    Delivery {
        /// Which step, from 1.
        row: u64,
        /// What is wrong with it.
        error: RecordError,
    },
    /// The chain is broken.
    #[error("journal entry {sequence} does not continue the chain, run `wattfold audit verify`")]
    Chain {
        /// Which entry.
        sequence: u64,
    },
    /// The medium failed.
    #[error("the store can't be read")]
    Storage(#[from] StorageError),
}

impl From<postgres::Error> for CommitError {
    fn from(error: postgres::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl From<postgres::Error> for ReadError {
    fn from(error: postgres::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}
