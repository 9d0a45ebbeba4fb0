//! Walking the hash chain: what was edited, removed or reordered, and where.

mod report;

use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::TransactionBehavior;

use crate::chain;
use crate::sqlite::{self, fleet_file, read_only};
use crate::{Hash, Head, JournalId, OpenError, RawEntry, ReadError, Store, Visit};

pub use report::{Fault, Finding, Report};

/// Most findings a report lists; the others are counted.
pub const MAX_FINDINGS: usize = 64;

/// Verifies the journal in the data directory `directory`, which may be in use meanwhile.
///
/// `known` are heads kept elsewhere. The chain alone can't show that the whole journal was
/// replaced by another that is sound in itself; a head written down outside can.
///
/// # Errors
/// [`AuditError`] when there is no journal to walk; what is wrong with it is in the report.
pub fn verify(directory: &Path, known: &[Head]) -> Result<Report, AuditError> {
    let path = fleet_file(directory);
    let unusable = |source: rusqlite::Error| {
        AuditError::Open(OpenError::Storage {
            place: path.display().to_string(),
            source: source.into(),
        })
    };
    let mut connection = read_only(&path).map_err(unusable)?;
    let behavior = TransactionBehavior::Deferred;
    let snapshot = connection
        .transaction_with_behavior(behavior)
        .map_err(unusable)?;
    let (journal, head) = sqlite::recorded(&snapshot).map_err(unusable)?;
    let mut walk = Walk::new(journal, head, known);
    let mut from = 0;
    loop {
        let visit: &mut Visit<'_> = &mut |entry| walk.step(&entry);
        match sqlite::scan(&snapshot, from, usize::MAX, visit) {
            Ok(()) => return Ok(walk.finish()),
            Err(ReadError::Entry { sequence, .. }) => {
                walk.unreadable(sequence);
                from = sequence + 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Verifies the journal of an open store.
///
/// # Errors
/// [`ReadError`] when it can't be read.
pub fn verify_store(store: &dyn Store, known: &[Head]) -> Result<Report, ReadError> {
    let mut walk = Walk::new(store.journal(), store.head(), known);
    let visit: &mut Visit<'_> = &mut |entry| walk.step(&entry);
    store.scan(0, usize::MAX, visit)?;
    Ok(walk.finish())
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is no journal.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It could not be read to its end.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// An entry that is not what its hash says, kept to find out whether it belongs elsewhere.
struct Suspect {
    sequence: u64,
    at: units::Timestamp,
    actor: String,
    kind: String,
    version: u32,
    payload: String,
    hash: Hash,
    previous: Hash,
}

struct Walk<'a> {
    report: Report,
    known: &'a [Head],
    last: Head,
    /// Whether the hash in `last` could be read.
    linked: bool,
    suspects: Vec<Suspect>,
}

impl<'a> Walk<'a> {
    fn new(journal: JournalId, head: Head, known: &'a [Head]) -> Self {
        let report = Report {
            journal,
            head,
            entries: 0,
            findings: Vec::new(),
            unlisted: 0,
        };
        Self {
            report,
            known,
            last: chain::genesis(journal),
            linked: true,
            suspects: Vec::new(),
        }
    }

    fn step(&mut self, entry: &RawEntry<'_>) -> ControlFlow<()> {
        let next = self.arrive(entry.sequence);
        if next && self.linked && entry.linked_to(self.last.hash) != entry.hash {
            self.suspect(entry);
        }
        if let Some(known) = self
            .known
            .iter()
            .find(|known| known.version == entry.sequence)
            && known.hash != entry.hash
        {
            self.add(entry.sequence, Fault::NotAsKnown { known: known.hash });
        }
        self.last = Head {
            version: entry.sequence,
            hash: entry.hash,
        };
        self.linked = true;
        ControlFlow::Continue(())
    }

    /// An entry whose columns hold what no entry can hold.
    fn unreadable(&mut self, sequence: u64) {
        self.arrive(sequence);
        self.add(sequence, Fault::Altered);
        self.last.version = sequence;
        self.linked = false;
    }

    /// Counts an entry and says whether it is the one that was due.
    fn arrive(&mut self, sequence: u64) -> bool {
        self.report.entries += 1;
        let due = self.last.version + 1;
        if sequence > due {
            let through = sequence - 1;
            self.add(due, Fault::Missing { through });
        } else if sequence < due {
            self.add(sequence, Fault::OutOfPlace);
        }
        sequence == due
    }

    fn suspect(&mut self, entry: &RawEntry<'_>) {
        if self.suspects.len() < MAX_FINDINGS {
            self.suspects.push(Suspect {
                sequence: entry.sequence,
                at: entry.at,
                actor: entry.actor.to_owned(),
                kind: entry.kind.to_owned(),
                version: entry.version,
                payload: entry.payload.to_owned(),
                hash: entry.hash,
                previous: self.last.hash,
            });
        }
        self.add(entry.sequence, Fault::Altered);
    }

    fn add(&mut self, sequence: u64, fault: Fault) {
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(Finding { sequence, fault });
        } else {
            self.report.unlisted += 1;
        }
    }

    fn finish(mut self) -> Report {
        let (last, head) = (self.last, self.report.head);
        if last.version < head.version {
            self.add(
                last.version + 1,
                Fault::Missing {
                    through: head.version,
                },
            );
        } else if last.version > head.version {
            self.add(
                head.version + 1,
                Fault::Surplus {
                    through: last.version,
                },
            );
        } else if self.linked && last.hash != head.hash {
            self.add(last.version, Fault::NotAsKnown { known: head.hash });
        }
        let beyond: Vec<Head> = self
            .known
            .iter()
            .filter(|known| known.version > head.version)
            .copied()
            .collect();
        for known in beyond {
            self.add(known.version, Fault::NotAsKnown { known: known.hash });
        }
        self.name_moved();
        self.report
    }

    /// A suspect whose hash fits in the place of another suspect has been moved from there.
    fn name_moved(&mut self) {
        let mut previous: Vec<(u64, Hash)> = self
            .suspects
            .iter()
            .map(|place| (place.sequence, place.previous))
            .collect();
        for place in 0..previous.len() {
            let (origin, before) = previous[place];
            let moved = self
                .suspects
                .iter()
                .find(|suspect| suspect.sequence != origin && suspect.fits(origin, before));
            let Some(moved) = moved else { continue };
            // What followed the entry in its own place was linked to its hash.
            if let Some(next) = previous
                .get_mut(place + 1)
                .filter(|next| next.0 == origin + 1)
            {
                next.1 = moved.hash;
            }
            let sequence = moved.sequence;
            let finding =
                self.report.findings.iter_mut().find(|finding| {
                    finding.sequence == sequence && finding.fault == Fault::Altered
                });
            if let Some(finding) = finding {
                finding.fault = Fault::Moved { from: origin };
            }
        }
    }
}

impl Suspect {
    fn fits(&self, sequence: u64, previous: Hash) -> bool {
        let entry = RawEntry {
            sequence,
            at: self.at,
            actor: &self.actor,
            kind: &self.kind,
            version: self.version,
            payload: &self.payload,
            hash: self.hash,
        };
        entry.linked_to(previous) == self.hash
    }
}
