//! What an audit found, for people to read.

use std::fmt;

use crate::{Hash, Head, JournalId};

/// What is wrong at a place in the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The entry, or its link to the one before, was edited.
    Altered,
    /// The entry stood elsewhere.
    Moved {
        /// Its own place.
        from: u64,
    },
    /// Entries from here on are gone.
    Missing {
        /// The last one of them.
        through: u64,
    },
    /// There are entries that were never committed.
    Surplus {
        /// The last one of them.
        through: u64,
    },
    /// The entry has a sequence number that no entry can have.
    OutOfPlace,
    /// The entry is not the one whose hash is on record.
    NotAsKnown {
        /// The hash on record.
        known: Hash,
    },
}

/// One fault and its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Sequence number.
    pub sequence: u64,
    /// What is wrong there.
    pub fault: Fault,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}", self.sequence)?;
        match self.fault {
            Fault::Altered => {
                write!(
                    f,
                    ": its content, its hash or its link to the entry before was edited"
                )
            }
            Fault::Moved { from } => write!(f, ": holds what was entry {from} (reordered)"),
            Fault::Missing { through } if through == self.sequence => write!(f, ": removed"),
            Fault::Missing { through } => write!(f, " to {through}: removed"),
            Fault::Surplus { through } => write!(f, " to {through}: added, never committed here"),
            Fault::OutOfPlace => write!(f, ": no entry can have this number"),
            Fault::NotAsKnown { known } => write!(f, ": is not the entry with hash {known}"),
        }
    }
}

/// The outcome of an audit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Which journal.
    pub journal: JournalId,
    /// The head recorded with the last commit.
    pub head: Head,
    /// Entries walked.
    pub entries: u64,
    /// What is wrong, by sequence number.
    pub findings: Vec<Finding>,
    /// Faults found beyond those listed.
    pub unlisted: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "journal {}", self.journal)?;
        writeln!(f, "entries {}", self.entries)?;
        writeln!(f, "head    {}", self.head)?;
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if self.unlisted > 0 {
            writeln!(f, "and {} more", self.unlisted)?;
        }
        let count = self.findings.len() as u64 + self.unlisted;
        match count {
            0 => write!(f, "intact"),
            1 => write!(f, "NOT intact: 1 fault"),
            _ => write!(f, "NOT intact: {count} faults"),
        }
    }
}
