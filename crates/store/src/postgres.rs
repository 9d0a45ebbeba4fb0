//! Everything in one PostgreSQL database, which several nodes share.
//!
//! Many may read; who writes holds the [`Lease`], and every commit checks the lease's token in its
//! own transaction. A handle has one connection. The head it shows is that of its last commit or
//! [`Postgres::refresh`].

mod account;
mod address;
mod import;
mod inbox;
mod journal;
mod lease;
mod link;
mod person;
mod schema;
mod shared;
mod tail;
mod telemetry;

use std::cell::RefCell;
use std::collections::BTreeMap;

use ::postgres::binary_copy::BinaryCopyInWriter;
use ::postgres::types::Type;
use ::postgres::{Client, IsolationLevel, Row, Statement, Transaction};
use fleet::DeliveryEntry;
use units::Timestamp;

use crate::record;
use crate::{
    Account, AccountId, Batch, CommitError, Document, DocumentChange, DocumentKey, Hash, Head,
    JournalId, OpenError, ReadError, Secrets, Store, Visit,
};

pub use address::{Address, AddressError};
pub use inbox::{Inbox, MAX_REQUESTS, Reply, Request, RequestId, Waiting};
pub use lease::{Asked, Lease, Standing, Term};

pub use shared::{Observed, Session, Shared};
pub use tail::{News, Position};

pub(crate) use person::SharedPersons;
pub(crate) use telemetry::Samples;

/// Name of what is notified of every commit.
const CHANNEL: &str = "wattfold";

/// A store in a database.
pub struct Postgres {
    client: RefCell<Client>,
    statements: Statements,
    address: Address,
    journal: JournalId,
    head: Head,
    /// What its commits must find in force; 0 without a term.
    token: u64,
}

/// What every commit executes.
struct Statements {
    lock_head: Statement,
    copy_journal: Statement,
    copy_delivery: Statement,
    put_documents: Statement,
    move_head: Statement,
    mark_decided: Statement,
}

/// The head's row, locked for the length of a transaction.
struct Locked {
    head: Head,
    token: u64,
    steps: i64,
    change: i64,
}

impl Postgres {
    /// Opens the store at `address`; where there is none yet, one is begun under the identity
    /// `new`. It reads only until it is told that it [leads](Self::lead).
    ///
    /// # Errors
    /// [`OpenError`] when the server can't be reached, does not keep what it acknowledges, or what
    /// is there is not a store this release can continue.
    pub fn open(address: &Address, new: JournalId) -> Result<Self, OpenError> {
        Self::prepared(address, new)?.finished()
    }

    fn prepared(address: &Address, new: JournalId) -> Result<Self, OpenError> {
        let refused = |source| schema::refused(address, source);
        let mut client = reader(address).map_err(refused)?;
        schema::prepare(&mut client, address, new)?;
        Self::opened(address, client)
    }

    /// Opens the store at `address`, which must be there in this release's format, and changes
    /// nothing.
    ///
    /// # Errors
    /// [`OpenError`] when the server can't be reached, or what is there is no store of this release.
    pub fn existing(address: &Address) -> Result<Self, OpenError> {
        let mut client = reader(address).map_err(|e| schema::refused(address, e))?;
        schema::check(&mut client, address)?;
        Self::opened(address, client)?.finished()
    }

    /// Only what was taken over as a whole is a fleet.
    fn finished(self) -> Result<Self, OpenError> {
        let unfinished = self.is_unfinished();
        match unfinished.map_err(|source| schema::refused(&self.address, source))? {
            true => Err(OpenError::Unfinished(self.address.to_string())),
            false => Ok(self),
        }
    }

    fn opened(address: &Address, mut client: Client) -> Result<Self, OpenError> {
        let refused = |source| schema::refused(address, source);
        let mut snapshot = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .map_err(refused)?;
        let (journal, head) = schema::recorded(&mut snapshot).map_err(refused)?;
        let found = journal::last(&mut snapshot, journal).map_err(refused)?;
        snapshot.commit().map_err(refused)?;
        if found != head {
            return Err(OpenError::HeadMismatch {
                journal,
                expected: head,
                found,
            });
        }
        let statements = Statements::prepare(&mut client).map_err(refused)?;
        Ok(Self {
            client: RefCell::new(client),
            statements,
            address: address.clone(),
            journal,
            head,
            token: 0,
        })
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Writes from now on under `term`, in a session that the next leader can end. The head is
    /// that of the database then.
    ///
    /// # Errors
    /// [`ReadError`] when the server can't be reached.
    pub fn lead(&mut self, term: &Term) -> Result<Head, ReadError> {
        let set = "SELECT set_config('application_name', $1, false)";
        self.client.get_mut().execute(set, &[&term.session()])?;
        self.token = term.token;
        self.refresh()
    }

    /// Writes no more.
    pub const fn follow(&mut self) {
        self.token = 0;
    }

    /// Looks how far the journal has come by the commits of others.
    ///
    /// # Errors
    /// [`ReadError`] when the server can't be reached.
    pub fn refresh(&mut self) -> Result<Head, ReadError> {
        (_, self.head) = schema::recorded(self.client.get_mut())?;
        Ok(self.head)
    }
}

fn reader(address: &Address) -> Result<Client, ::postgres::Error> {
    address.connect(&format!("wattfold reader {}", std::process::id()))
}

impl Store for Postgres {
    fn journal(&self) -> JournalId {
        self.journal
    }

    fn head(&self) -> Head {
        self.head
    }

    fn commit(&mut self, batch: &Batch) -> Result<u64, CommitError> {
        let statements = &self.statements;
        let mut transaction = self.client.get_mut().transaction()?;
        let locked = lock_head(&mut transaction, statements)?;
        if locked.token != self.token || self.token == 0 {
            return Err(CommitError::Fenced {
                own: self.token,
                current: locked.token,
            });
        }
        batch.check(locked.head.version)?;
        let mut head = locked.head;
        if !batch.entries.is_empty() {
            head = journal::append(&mut transaction, &statements.copy_journal, head, batch)?;
        }
        let steps = insert_deliveries(
            &mut transaction,
            &statements.copy_delivery,
            locked.steps,
            &batch.deliveries,
        )?;
        let change = locked.change + 1;
        change_documents(
            &mut transaction,
            &statements.put_documents,
            &batch.documents,
            change,
        )?;
        mark_decided(
            &mut transaction,
            &statements.mark_decided,
            &batch.decided,
            change,
        )?;
        transaction.query(
            &statements.move_head,
            &[
                &head.version.cast_signed(),
                &head.hash.0.as_slice(),
                &steps,
                &change,
            ],
        )?;
        transaction
            .commit()
            .map_err(|error| CommitError::Unsure(error.into()))?;
        self.head = head;
        Ok(head.version)
    }

    fn scan(&self, from: u64, limit: usize, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        journal::scan(&mut *self.client.borrow_mut(), from, limit, visit)
    }

    fn deliveries(&self, skip: u64, limit: usize) -> Result<Vec<DeliveryEntry>, ReadError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let skip = i64::try_from(skip).unwrap_or(i64::MAX);
        let rows = self.client.borrow_mut().query(
            "SELECT step, control, der, state, at_ms, evidence FROM delivery
             WHERE step > $1 ORDER BY step LIMIT $2",
            &[&skip, &limit],
        )?;
        rows.iter().map(delivery).collect()
    }

    fn document(&self, key: &DocumentKey) -> Result<Option<Document>, ReadError> {
        let row = self.client.borrow_mut().query_opt(
            "SELECT listener, owner, path, version, body FROM document
             WHERE listener = $1 AND owner = $2 AND path = $3 AND body IS NOT NULL",
            &[&key.listener, &key.owner, &key.path],
        )?;
        Ok(row.as_ref().map(document).transpose()?)
    }

    fn documents(&self) -> Result<Vec<Document>, ReadError> {
        let rows = self.client.borrow_mut().query(
            "SELECT listener, owner, path, version, body FROM document
             WHERE body IS NOT NULL ORDER BY listener, owner, path",
            &[],
        )?;
        Ok(rows.iter().map(document).collect::<Result<_, _>>()?)
    }

    fn create_account(
        &mut self,
        name: &str,
        password_hash: &str,
        created: Timestamp,
    ) -> Result<AccountId, CommitError> {
        account::create(self.client.get_mut(), name, password_hash, created)
    }

    fn set_password(&mut self, id: AccountId, password_hash: &str) -> Result<(), CommitError> {
        account::set_password(self.client.get_mut(), id, password_hash)
    }

    fn delete_account(&mut self, id: AccountId) -> Result<(), CommitError> {
        account::delete(self.client.get_mut(), id)
    }

    fn accounts(&self) -> Result<Vec<Account>, ReadError> {
        Ok(account::all(&mut self.client.borrow_mut())?)
    }

    fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let row = self
            .client
            .borrow_mut()
            .query_opt("SELECT value FROM secret WHERE name = $1", &[&name])?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    fn secrets(&self) -> Result<Secrets, ReadError> {
        let mut client = self.client.borrow_mut();
        let own = "SELECT name, value FROM secret WHERE name <> $1";
        let rows = client.query(own, &[&import::UNFINISHED])?;
        let secrets = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        Ok(secrets.collect::<Result<_, ::postgres::Error>>()?)
    }

    fn last_account(&self) -> Result<AccountId, ReadError> {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM account_id_seq";
        let row = self.client.borrow_mut().query_one(sql, &[])?;
        let last = u32::try_from(row.try_get::<_, i64>(0)?);
        Ok(AccountId(last.unwrap_or(u32::MAX)))
    }

    fn set_secret(&mut self, name: &str, value: &[u8]) -> Result<(), CommitError> {
        crate::account::check_secret(name, value)?;
        let sql = "INSERT INTO secret (name, value) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.client.get_mut().execute(sql, &[&name, &value])?;
        Ok(())
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres")
            .field("address", &self.address)
            .field("head", &self.head)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

impl Statements {
    fn prepare(client: &mut Client) -> Result<Self, ::postgres::Error> {
        let move_head = format!(
            "UPDATE head SET version = $1, hash = $2, steps = $3, change = $4
             RETURNING pg_notify('{CHANNEL}', '')"
        );
        Ok(Self {
            lock_head: client
                .prepare("SELECT version, hash, token, steps, change FROM head FOR UPDATE")?,
            copy_journal: client.prepare(journal::COPY)?,
            copy_delivery: client.prepare(
                "COPY delivery (step, control, der, state, at_ms, evidence)
                 FROM STDIN (FORMAT binary)",
            )?,
            put_documents: client.prepare(
                "INSERT INTO document (listener, owner, path, version, body, change)
                 SELECT *, $6 FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[],
                                          $5::bytea[])
                 ON CONFLICT (listener, owner, path) DO UPDATE
                 SET version = excluded.version, body = excluded.body, change = excluded.change",
            )?,
            move_head: client.prepare(&move_head)?,
            mark_decided: client
                .prepare("UPDATE request SET change = $2 WHERE id = ANY ($1) AND change IS NULL")?,
        })
    }
}

fn lock_head(
    transaction: &mut Transaction<'_>,
    statements: &Statements,
) -> Result<Locked, ::postgres::Error> {
    let row = transaction.query_one(&statements.lock_head, &[])?;
    Ok(Locked {
        head: Head {
            version: row.try_get::<_, i64>(0)?.cast_unsigned(),
            hash: Hash(schema::bytes(row.try_get(1)?)),
        },
        token: row.try_get::<_, i64>(2)?.cast_unsigned(),
        steps: row.try_get(3)?,
        change: row.try_get(4)?,
    })
}

/// Returns the number of the last step.
fn insert_deliveries(
    transaction: &mut Transaction<'_>,
    copy: &Statement,
    mut last: i64,
    steps: &[DeliveryEntry],
) -> Result<i64, ::postgres::Error> {
    if steps.is_empty() {
        return Ok(last);
    }
    let columns = [
        Type::INT8,
        Type::INT8,
        Type::INT8,
        Type::TEXT,
        Type::INT8,
        Type::TEXT,
    ];
    let writer = transaction.copy_in(copy)?;
    let mut rows = BinaryCopyInWriter::new(writer, &columns);
    for step in steps {
        last += 1;
        rows.write(&[
            &last,
            &i64::from(step.control.0),
            &i64::from(step.der.0),
            &record::state_text(step.state),
            &step.at.millis(),
            &record::encode_evidence(step.evidence),
        ])?;
    }
    rows.finish()?;
    Ok(last)
}

/// Of several changes of one document only the last counts. An erased one leaves a row without a
/// body, by which other nodes learn of it.
fn change_documents(
    transaction: &mut Transaction<'_>,
    put: &Statement,
    changes: &[DocumentChange],
    change: i64,
) -> Result<(), ::postgres::Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let last: BTreeMap<&DocumentKey, Option<&Document>> = changes
        .iter()
        .map(|change| match change {
            DocumentChange::Put(document) => (&document.key, Some(document)),
            DocumentChange::Delete(key) => (key, None),
        })
        .collect();
    let part = |part: fn(&DocumentKey) -> &str| -> Vec<&str> {
        last.keys().map(|key| part(key)).collect()
    };
    let documents = || last.values().copied();
    let versions: Vec<i64> = documents()
        .map(|document| document.map_or(0, |known| known.version.into()))
        .collect();
    let bodies: Vec<Option<&[u8]>> = documents()
        .map(|document| document.map(|known| known.body.as_slice()))
        .collect();
    transaction.execute(
        put,
        &[
            &part(|key| &key.listener),
            &part(|key| &key.owner),
            &part(|key| &key.path),
            &versions,
            &bodies,
            &change,
        ],
    )?;
    Ok(())
}

/// The requests of other nodes that this commit decides; one that was withdrawn, or decided
/// before, takes the whole commit with it.
fn mark_decided(
    transaction: &mut Transaction<'_>,
    mark: &Statement,
    decided: &[RequestId],
    change: i64,
) -> Result<(), CommitError> {
    if decided.is_empty() {
        return Ok(());
    }
    let ids: Vec<[u8; 16]> = decided.iter().map(|id| id.to_be_bytes()).collect();
    let ids: Vec<&[u8]> = ids.iter().map(<[u8; 16]>::as_slice).collect();
    let marked = transaction.execute(mark, &[&ids, &change])?;
    if marked == decided.len() as u64 {
        Ok(())
    } else {
        Err(CommitError::Withdrawn)
    }
}

fn delivery(row: &Row) -> Result<DeliveryEntry, ReadError> {
    let step = record::decode_step(
        row.try_get(1)?,
        row.try_get(2)?,
        row.try_get(3)?,
        row.try_get(4)?,
        row.try_get(5)?,
    );
    let at = row.try_get::<_, i64>(0)?.cast_unsigned();
    step.map_err(|error| ReadError::Delivery { row: at, error })
}

fn document_change(row: &Row) -> Result<DocumentChange, ::postgres::Error> {
    if row.try_get::<_, Option<&[u8]>>(4)?.is_some() {
        return document(row).map(DocumentChange::Put);
    }
    Ok(DocumentChange::Delete(DocumentKey {
        listener: row.try_get(0)?,
        owner: row.try_get(1)?,
        path: row.try_get(2)?,
    }))
}

fn document(row: &Row) -> Result<Document, ::postgres::Error> {
    let key = DocumentKey {
        listener: row.try_get(0)?,
        owner: row.try_get(1)?,
        path: row.try_get(2)?,
    };
    Ok(Document {
        key,
        version: u32::try_from(row.try_get::<_, i64>(3)?).unwrap_or(u32::MAX),
        body: row.try_get(4)?,
    })
}
