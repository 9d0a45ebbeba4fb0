//! Everything in one SQLite file.
//!
//! Write-ahead log with `synchronous=FULL`: a commit returns after the log is on the medium, and
//! the newest commits survive loss of power. One connection writes; a lock on the data directory
//! keeps every other process out, so the head held in memory is the head on disk.

mod directory;
mod journal;
mod schema;

use std::ops::ControlFlow;
use std::path::Path;

use fleet::DeliveryEntry;
use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};
use units::Timestamp;

use crate::backup::{ImportError, STEPS_PER_READ};
use crate::journal::seal;
use crate::record;
use crate::{
    Account, AccountId, Batch, CommitError, Document, DocumentChange, DocumentKey, Head, JournalId,
    MAX_ACCOUNTS, OpenError, ReadError, Secrets, Store, Visit, account,
};

pub use directory::fleet_file;
pub(crate) use directory::{Lock, keys_file, persons_file, read_only, telemetry_file};
pub(crate) use journal::{last, scan};
pub(crate) use schema::{recorded, refused};

/// A store in a data directory.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    journal: JournalId,
    head: Head,
    /// Held for as long as the connection is open.
    _lock: Lock,
}

impl Sqlite {
    /// Opens the store in `directory`; where there is none yet, one is begun under the identity
    /// `new`.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while another process has the directory open; the others when what is
    /// there is not a store this release can continue.
    pub fn open(directory: &Path, new: JournalId) -> Result<Self, OpenError> {
        let lock = Lock::take(directory)?;
        let path = fleet_file(directory);
        let storage = |source: rusqlite::Error| refused(&path, source);
        let mut connection = Connection::open(&path).map_err(storage)?;
        schema::prepare(&mut connection, &path, new)?;
        schema::check_pages(&connection, &path)?;
        let (journal, head) = recorded(&connection).map_err(storage)?;
        let found = last(&connection, journal).map_err(storage)?;
        if found != head {
            return Err(OpenError::HeadMismatch {
                journal,
                expected: head,
                found,
            });
        }
        Ok(Self {
            connection,
            journal,
            head,
            _lock: lock,
        })
    }

    /// Takes over everything that `from` has; nothing may be here yet but the same journal's
    /// identity.
    pub(crate) fn import(&mut self, from: &dyn Store) -> Result<(), ImportError> {
        if self.head.version != 0 || !self.accounts()?.is_empty() || !self.documents()?.is_empty() {
            return Err(ImportError::NotEmpty);
        }
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut insert = transaction.prepare(journal::INSERT)?;
        let mut failed = None;
        from.scan(1, usize::MAX, &mut |raw| {
            failed = journal::insert(&mut insert, &raw).err();
            match failed {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        drop(insert);
        let head = from.head();
        transaction.execute(
            "UPDATE head SET version = ?1, hash = ?2",
            params![head.version.cast_signed(), head.hash.0],
        )?;
        import_rest(&transaction, from)?;
        transaction.commit()?;
        self.head = head;
        Ok(())
    }

    fn change(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<usize, CommitError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.execute(parameters).map_err(uncommitted)
    }
}

/// SQLite rolls back what has no room. When a write or a sync of the log fails, what is in the log may
/// be found whole by the next start.
fn uncommitted(error: rusqlite::Error) -> CommitError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly) => error.into(),
        _ => CommitError::Unsure(error.into()),
    }
}

impl Store for Sqlite {
    fn journal(&self) -> JournalId {
        self.journal
    }

    fn head(&self) -> Head {
        self.head
    }

    fn commit(&mut self, batch: &Batch) -> Result<u64, CommitError> {
        batch.check(self.head.version)?;
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut head = self.head;
        if !batch.entries.is_empty() {
            let mut insert = transaction.prepare_cached(journal::INSERT)?;
            for entry in &batch.entries {
                let sealed = seal(head, entry)?;
                journal::insert(&mut insert, &sealed.raw())?;
                head = Head {
                    version: sealed.sequence,
                    hash: sealed.hash,
                };
            }
            transaction
                .prepare_cached("UPDATE head SET version = ?1, hash = ?2")?
                .execute(params![head.version.cast_signed(), head.hash.0])?;
        }
        insert_deliveries(&transaction, &batch.deliveries)?;
        change_documents(&transaction, &batch.documents)?;
        transaction.commit().map_err(uncommitted)?;
        self.head = head;
        Ok(head.version)
    }

    fn scan(&self, from: u64, limit: usize, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        scan(&self.connection, from, limit, visit)
    }

    fn deliveries(&self, skip: u64, limit: usize) -> Result<Vec<DeliveryEntry>, ReadError> {
        let mut select = self.connection.prepare_cached(
            "SELECT step, control, der, state, at_ms, evidence FROM delivery
             WHERE step > ?1 ORDER BY step LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let skip = i64::try_from(skip).unwrap_or(i64::MAX);
        let mut rows = select.query(params![skip, limit])?;
        let mut steps = Vec::new();
        while let Some(row) = rows.next()? {
            let step = record::decode_step(
                row.get(1)?,
                row.get(2)?,
                row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?,
                row.get(4)?,
                row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?,
            );
            let at = row.get::<_, i64>(0)?.cast_unsigned();
            steps.push(step.map_err(|error| ReadError::Delivery { row: at, error })?);
        }
        Ok(steps)
    }

    fn document(&self, key: &DocumentKey) -> Result<Option<Document>, ReadError> {
        let mut select = self.connection.prepare_cached(
            "SELECT listener, owner, path, version, body FROM document
             WHERE listener = ?1 AND owner = ?2 AND path = ?3",
        )?;
        Ok(select
            .query_row(params![key.listener, key.owner, key.path], document)
            .optional()?)
    }

    fn documents(&self) -> Result<Vec<Document>, ReadError> {
        let mut select = self.connection.prepare_cached(
            "SELECT listener, owner, path, version, body FROM document
             ORDER BY listener, owner, path",
        )?;
        Ok(select.query_map([], document)?.collect::<Result<_, _>>()?)
    }

    fn create_account(
        &mut self,
        name: &str,
        password_hash: &str,
        created: Timestamp,
    ) -> Result<AccountId, CommitError> {
        account::check(name, password_hash)?;
        let count = |sql, parameters: &[&str]| {
            let parameters = rusqlite::params_from_iter(parameters);
            self.connection
                .query_row(sql, parameters, |row| row.get::<_, i64>(0))
        };
        if count("SELECT count(*) FROM account WHERE name = ?1", &[name])? > 0 {
            return Err(CommitError::AccountExists(name.to_owned()));
        }
        if count("SELECT count(*) FROM account", &[])?.cast_unsigned() >= MAX_ACCOUNTS as u64 {
            return Err(CommitError::TooLarge {
                what: "accounts",
                max: MAX_ACCOUNTS,
            });
        }
        let sql = "INSERT INTO account (name, password_hash, created_ms) VALUES (?1, ?2, ?3)";
        self.change(sql, params![name, password_hash, created.millis()])?;
        let id = u32::try_from(self.connection.last_insert_rowid()).unwrap_or(u32::MAX);
        Ok(AccountId(id))
    }

    fn set_password(&mut self, id: AccountId, password_hash: &str) -> Result<(), CommitError> {
        account::check_hash(password_hash)?;
        let sql = "UPDATE account SET password_hash = ?2 WHERE id = ?1";
        match self.change(sql, params![id.0, password_hash])? {
            0 => Err(CommitError::NoAccount(id.0)),
            _ => Ok(()),
        }
    }

    fn delete_account(&mut self, id: AccountId) -> Result<(), CommitError> {
        match self.change("DELETE FROM account WHERE id = ?1", params![id.0])? {
            0 => Err(CommitError::NoAccount(id.0)),
            _ => Ok(()),
        }
    }

    fn accounts(&self) -> Result<Vec<Account>, ReadError> {
        let mut select = self.connection.prepare_cached(
            "SELECT id, name, password_hash, created_ms FROM account ORDER BY id",
        )?;
        let account = |row: &rusqlite::Row<'_>| {
            Ok(Account {
                id: AccountId(row.get(0)?),
                name: row.get(1)?,
                password_hash: row.get(2)?,
                created: Timestamp::from_millis(row.get(3)?),
            })
        };
        Ok(select.query_map([], account)?.collect::<Result<_, _>>()?)
    }

    fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT value FROM secret WHERE name = ?1")?;
        Ok(select.query_row([name], |row| row.get(0)).optional()?)
    }

    fn secrets(&self) -> Result<Secrets, ReadError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT name, value FROM secret")?;
        let secret = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        Ok(select.query_map([], secret)?.collect::<Result<_, _>>()?)
    }

    fn last_account(&self) -> Result<AccountId, ReadError> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'account'";
        let last = self.connection.query_row(sql, [], |row| row.get(0));
        Ok(AccountId(last.optional()?.unwrap_or(0)))
    }

    fn set_secret(&mut self, name: &str, value: &[u8]) -> Result<(), CommitError> {
        account::check_secret(name, value)?;
        let sql = "INSERT INTO secret (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.change(sql, params![name, value]).map(|_| ())
    }
}

fn import_rest(connection: &Connection, from: &dyn Store) -> Result<(), ImportError> {
    let mut skip = 0;
    loop {
        let steps = from.deliveries(skip, STEPS_PER_READ)?;
        insert_deliveries(connection, &steps)?;
        skip += steps.len() as u64;
        if steps.len() < STEPS_PER_READ {
            break;
        }
    }
    let documents = from.documents()?;
    let puts: Vec<DocumentChange> = documents.into_iter().map(DocumentChange::Put).collect();
    change_documents(connection, &puts)?;
    for account in from.accounts()? {
        connection.execute(
            "INSERT INTO account (id, name, password_hash, created_ms) VALUES (?1, ?2, ?3, ?4)",
            params![
                account.id.0,
                account.name,
                account.password_hash,
                account.created.millis()
            ],
        )?;
    }
    let last = from.last_account()?.0;
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'account'", [])?;
    connection.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('account', ?1)",
        [last],
    )?;
    for (name, value) in from.secrets()? {
        connection.execute(
            "INSERT INTO secret (name, value) VALUES (?1, ?2)",
            params![name, value],
        )?;
    }
    Ok(())
}

fn insert_deliveries(connection: &Connection, steps: &[DeliveryEntry]) -> Result<(), CommitError> {
    if steps.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO delivery (control, der, state, at_ms, evidence) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for step in steps {
        insert.execute(params![
            step.control.0,
            step.der.0,
            record::state_text(step.state),
            step.at.millis(),
            record::encode_evidence(step.evidence),
        ])?;
    }
    Ok(())
}

fn change_documents(
    connection: &Connection,
    changes: &[DocumentChange],
) -> Result<(), CommitError> {
    for change in changes {
        match change {
            DocumentChange::Put(Document { key, version, body }) => connection
                .prepare_cached(
                    "INSERT INTO document (listener, owner, path, version, body)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body",
                )?
                .execute(params![key.listener, key.owner, key.path, version, body])?,
            DocumentChange::Delete(key) => connection
                .prepare_cached(
                    "DELETE FROM document WHERE listener = ?1 AND owner = ?2 AND path = ?3",
                )?
                .execute(params![key.listener, key.owner, key.path])?,
        };
    }
    Ok(())
}

fn document(row: &rusqlite::Row<'_>) -> rusqlite::Result<Document> {
    let key = DocumentKey {
        listener: row.get(0)?,
        owner: row.get(1)?,
        path: row.get(2)?,
    };
    Ok(Document {
        key,
        version: row.get(3)?,
        body: row.get(4)?,
    })
}
