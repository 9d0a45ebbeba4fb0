//! Following what another node commits.

use std::ops::ControlFlow;
use std::time::Duration;

use ::postgres::fallible_iterator::FallibleIterator as _;
use ::postgres::{IsolationLevel, Transaction};

use super::{CHANNEL, Postgres, delivery, document_change, journal, schema};
use crate::chain::{Hash, Head};
use crate::{Batch, ReadError};

/// How far everything of a store has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// The journal.
    pub head: Head,
    /// Steps of the ledger.
    pub steps: u64,
    /// Commits of any kind.
    pub change: u64,
}

impl Position {
    /// Where it is when `batch` has been committed, after which the journal is at `head`.
    #[must_use]
    pub const fn after(self, batch: &Batch, head: Head) -> Self {
        Self {
            head,
            steps: self.steps + batch.deliveries.len() as u64,
            change: self.change + 1,
        }
    }
}

/// What was committed, and where that leads.
pub type News = (Batch, Position);

impl Postgres {
    /// Has `read` see one state of the store, whatever is committed meanwhile, and says which.
    ///
    /// # Errors
    /// [`ReadError`] when the server can't be reached.
    pub fn consistently<R>(
        &mut self,
        read: impl FnOnce(&Self) -> R,
    ) -> Result<(R, Position), ReadError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        self.client.get_mut().batch_execute(begin)?;
        let position = self.position();
        if let Ok(position) = &position {
            self.head = position.head;
        }
        let seen = read(self);
        self.client.get_mut().batch_execute("ROLLBACK")?;
        Ok((seen, position?))
    }

    /// How far everything has come.
    ///
    /// # Errors
    /// [`ReadError`] when the server can't be reached.
    pub fn position(&mut self) -> Result<Position, ReadError> {
        let sql = "SELECT version, hash, steps, change FROM head";
        let row = self.client.get_mut().query_one(sql, &[])?;
        Ok(Position {
            head: Head {
                version: row.try_get::<_, i64>(0)?.cast_unsigned(),
                hash: Hash(schema::bytes(row.try_get(1)?)),
            },
            steps: row.try_get::<_, i64>(2)?.cast_unsigned(),
            change: row.try_get::<_, i64>(3)?.cast_unsigned(),
        })
    }

    /// What was committed after `position`, as one batch, and where that leads; nothing when it
    /// is nothing. The chain is checked on the way.
    ///
    /// # Errors
    /// [`ReadError`] when the server can't be reached, or what is there does not continue
    /// `position`.
    pub fn since(&mut self, position: Position) -> Result<Option<News>, ReadError> {
        let now = self.position()?;
        if now.change == position.change {
            return Ok(None);
        }
        let mut snapshot = self
            .client
            .get_mut()
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        let row = snapshot.query_one("SELECT version, hash, steps, change FROM head", &[])?;
        let until = Position {
            head: Head {
                version: row.try_get::<_, i64>(0)?.cast_unsigned(),
                hash: Hash(schema::bytes(row.try_get(1)?)),
            },
            steps: row.try_get::<_, i64>(2)?.cast_unsigned(),
            change: row.try_get::<_, i64>(3)?.cast_unsigned(),
        };
        let mut batch = Batch {
            expected_version: position.head.version,
            ..Batch::default()
        };
        let head = entries_since(&mut snapshot, position.head, &mut batch)?;
        if head != until.head {
            return Err(ReadError::Chain {
                sequence: head.version + 1,
            });
        }
        let steps = snapshot.query(
            "SELECT step, control, der, state, at_ms, evidence FROM delivery
             WHERE step > $1 ORDER BY step",
            &[&position.steps.cast_signed()],
        )?;
        batch.deliveries = steps.iter().map(delivery).collect::<Result<_, _>>()?;
        let documents = snapshot.query(
            "SELECT listener, owner, path, version, body FROM document
             WHERE change > $1 ORDER BY change",
            &[&position.change.cast_signed()],
        )?;
        let changes = documents.iter().map(document_change);
        batch.documents = changes.collect::<Result<_, _>>()?;
        snapshot.commit()?;
        self.head = until.head;
        Ok(Some((batch, until)))
    }

    /// Has the server tell of every commit from now on, for [`Self::wait`].
    ///
    /// # Errors
    /// [`ReadError`] when the server can't be reached.
    pub fn listen(&mut self) -> Result<(), ReadError> {
        let sql = format!("LISTEN {CHANNEL}");
        Ok(self.client.get_mut().batch_execute(&sql)?)
    }

    /// Waits for a commit, at most `timeout`.
    ///
    /// # Errors
    /// [`ReadError`] when the connection is lost.
    pub fn wait(&mut self, timeout: Duration) -> Result<(), ReadError> {
        let mut told = self.client.get_mut().notifications();
        told.timeout_iter(timeout).next()?;
        // Several commits are read at once.
        while told.iter().next()?.is_some() {}
        Ok(())
    }
}

fn entries_since(
    snapshot: &mut Transaction<'_>,
    mut head: Head,
    batch: &mut Batch,
) -> Result<Head, ReadError> {
    let mut failed = None;
    journal::scan(snapshot, head.version + 1, usize::MAX, &mut |raw| {
        if raw.sequence != head.version + 1 || raw.linked_to(head.hash) != raw.hash {
            failed = Some(ReadError::Chain {
                sequence: head.version + 1,
            });
            return ControlFlow::Break(());
        }
        head = Head {
            version: raw.sequence,
            hash: raw.hash,
        };
        match raw.decode() {
            Ok(stored) => batch.entries.push(stored.entry),
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(head), Err)
}
