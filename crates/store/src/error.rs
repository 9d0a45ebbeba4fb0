//! What can go wrong with storage.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::record::{RecordError, Unstorable};
use crate::{Head, JournalId};

/// The medium failed.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The database did.
    #[error("the database refused")]
    Sqlite(#[from] rusqlite::Error),
    /// The file system did.
    #[error("the file system refused")]
    Io(#[from] io::Error),
}

/// Why a store can't be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It is of a later release.
    #[error("{} has format {found}; this release reads up to {known}", path.display())]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The latest format known here.
        known: i64,
    },
    /// It is a database, but not one of ours.
    #[error("{} is not a wattfold store", .0.display())]
    Foreign(PathBuf),
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
    /// The medium failed.
    #[error("{} can't be opened", path.display())]
    Storage {
        /// Where.
        path: PathBuf,
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
    /// A named limit is exceeded.
    #[error("{what}: at most {max} are allowed")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
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
    /// The medium failed.
    #[error("the store can't be written")]
    Storage(#[from] StorageError),
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

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.into())
    }
}
