//! Ciphertexts in one SQLite file, keys in another.
//!
//! What is erased is overwritten in the file (`secure_delete`), and the write-ahead log, in which it
//! may stand too, is brought into the file and cut to nothing before the erasure is acknowledged. So
//! neither file has it any more; what the medium under them keeps is for the medium to say.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use fleet::enrolment::PersonId;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, ffi, params};

use super::{Key, KeyMark, Keyed, Medium, Resealing, Row, Sealed, SealedPersons};
use crate::sqlite::{keys_file, persons_file, refused};
use crate::{OpenError, StorageError};

/// "Wfpe" and "Wfke": mark the files as ours.
const CIPHERTEXTS: i64 = 0x5766_7065;
const KEYS: i64 = 0x5766_6b65;
/// Format of either file (`user_version`).
const FORMAT: i64 = 1;
/// Nobody but the user who runs the server.
const OWN: u32 = 0o600;

const PERSON: &str = "CREATE TABLE person (
    person     BLOB PRIMARY KEY CHECK (length(person) = 16),
    version    INTEGER NOT NULL,
    nonce      BLOB NOT NULL CHECK (length(nonce) = 12),
    ciphertext BLOB NOT NULL
) STRICT, WITHOUT ROWID";
const PERSON_KEY: &str = "CREATE TABLE person_key (
    person BLOB PRIMARY KEY CHECK (length(person) = 16),
    key    BLOB CHECK (length(key) = 32)
) STRICT, WITHOUT ROWID";

/// Both files.
#[derive(Debug)]
pub(super) struct Files {
    ciphertexts: Ciphertexts,
    keys: Keys,
}

impl Files {
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        Ok(Self {
            ciphertexts: Ciphertexts::open(directory)?,
            keys: Keys::open(directory)?,
        })
    }

    fn row(&self, person: PersonId) -> Result<Row, StorageError> {
        Ok(Row {
            key: self.keys.get(person)?,
            sealed: self.ciphertexts.get(person)?,
        })
    }
}

impl Medium for Files {
    fn rows(&mut self, persons: &[PersonId]) -> Result<Vec<Row>, StorageError> {
        persons.iter().map(|person| self.row(*person)).collect()
    }

    fn replace(
        &mut self,
        wanted: &[(PersonId, Key)],
        reseal: &mut Resealing<'_>,
    ) -> Result<(), StorageError> {
        let marks: Keyed = wanted
            .iter()
            .map(|(person, key)| (*person, KeyMark::Kept(*key)))
            .collect();
        self.keys.add(&marks)?;
        let mut changed = Vec::new();
        for (index, (person, _)) in wanted.iter().enumerate() {
            if let Some(sealed) = reseal(index, &self.row(*person)?) {
                changed.push((*person, sealed));
            }
        }
        self.ciphertexts.put(&changed)
    }

    fn erase(&mut self, persons: &[PersonId]) -> Result<(), StorageError> {
        self.keys.erase(persons)?;
        self.ciphertexts.erase(persons)
    }
}

/// The file of ciphertexts.
#[derive(Debug)]
pub(crate) struct Ciphertexts(Connection);

impl Ciphertexts {
    pub(crate) fn open(directory: &Path) -> Result<Self, OpenError> {
        open(&persons_file(directory), CIPHERTEXTS, PERSON).map(Self)
    }

    fn get(&self, person: PersonId) -> rusqlite::Result<Option<Sealed>> {
        let sql = "SELECT version, nonce, ciphertext FROM person WHERE person = ?1";
        let mut select = self.0.prepare_cached(sql)?;
        let sealed = |row: &rusqlite::Row<'_>| sealed(row, 0);
        select
            .query_row([person.0.to_be_bytes()], sealed)
            .optional()
    }

    /// Puts these in one transaction.
    pub(crate) fn put(&mut self, rows: &[(PersonId, Sealed)]) -> Result<(), StorageError> {
        if rows.is_empty() {
            return Ok(());
        }
        let transaction = begin(&mut self.0)?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO person (person, version, nonce, ciphertext) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (person) DO UPDATE SET version = excluded.version,
                     nonce = excluded.nonce, ciphertext = excluded.ciphertext",
            )?;
            for (person, sealed) in rows {
                let version = sealed.version.cast_signed();
                let id = person.0.to_be_bytes();
                put.execute(params![id, version, sealed.nonce, sealed.ciphertext])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// At most `limit` after `after`, in the order of their ids.
    pub(crate) fn page(
        &self,
        after: Option<PersonId>,
        limit: usize,
    ) -> Result<SealedPersons, StorageError> {
        let mut select = self.0.prepare_cached(
            "SELECT person, version, nonce, ciphertext FROM person
             WHERE ?1 IS NULL OR person > ?1 ORDER BY person LIMIT ?2",
        )?;
        let after = after.map(|person| person.0.to_be_bytes());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows =
            select.query_map(params![after, limit], |row| Ok((id(row)?, sealed(row, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> Result<u64, StorageError> {
        let count = "SELECT count(*) FROM person";
        let count: i64 = self.0.query_row(count, [], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// The keys are gone by now, so whoever reads the file at this time, as a backup does, delays
    /// only when its log is cut.
    fn erase(&mut self, persons: &[PersonId]) -> Result<(), StorageError> {
        let transaction = begin(&mut self.0)?;
        for person in persons {
            transaction
                .prepare_cached("DELETE FROM person WHERE person = ?1")?
                .execute([person.0.to_be_bytes()])?;
        }
        transaction.commit()?;
        if !cut_log(&self.0)? {
            tracing::warn!("erased ciphertexts are in the log of persons.sqlite for a while");
        }
        Ok(())
    }
}

/// The file of keys.
#[derive(Debug)]
pub(crate) struct Keys(Connection);

impl Keys {
    pub(crate) fn open(directory: &Path) -> Result<Self, OpenError> {
        open(&keys_file(directory), KEYS, PERSON_KEY).map(Self)
    }

    fn get(&self, person: PersonId) -> rusqlite::Result<Option<KeyMark>> {
        let sql = "SELECT key FROM person_key WHERE person = ?1";
        let mut select = self.0.prepare_cached(sql)?;
        let mark = |row: &rusqlite::Row<'_>| Ok(KeyMark::of_column(row.get(0)?));
        select.query_row([person.0.to_be_bytes()], mark).optional()
    }

    /// Adds these where there is none yet.
    fn add(&mut self, marks: &[(PersonId, KeyMark)]) -> Result<(), StorageError> {
        let transaction = begin(&mut self.0)?;
        for (person, mark) in marks {
            transaction
                .prepare_cached(
                    "INSERT INTO person_key (person, key) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?
                .execute(params![person.0.to_be_bytes(), mark.column()])?;
        }
        Ok(transaction.commit()?)
    }

    /// At most `limit` after `after`, in the order of their ids.
    pub(crate) fn page(
        &self,
        after: Option<PersonId>,
        limit: usize,
    ) -> Result<Keyed, StorageError> {
        let mut select = self.0.prepare_cached(
            "SELECT person, key FROM person_key
             WHERE ?1 IS NULL OR person > ?1 ORDER BY person LIMIT ?2",
        )?;
        let after = after.map(|person| person.0.to_be_bytes());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mark = |row: &rusqlite::Row<'_>| Ok((id(row)?, KeyMark::of_column(row.get(1)?)));
        let rows = select.query_map(params![after, limit], mark)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn erase(&mut self, persons: &[PersonId]) -> Result<(), StorageError> {
        let transaction = begin(&mut self.0)?;
        for person in persons {
            transaction
                .prepare_cached(
                    "INSERT INTO person_key (person, key) VALUES (?1, NULL)
                     ON CONFLICT (person) DO UPDATE SET key = NULL",
                )?
                .execute([person.0.to_be_bytes()])?;
        }
        transaction.commit()?;
        if cut_log(&self.0)? {
            return Ok(());
        }
        let busy = ffi::Error::new(ffi::SQLITE_BUSY);
        let why = "another process reads the keys, so their log can't be cut".to_owned();
        Err(rusqlite::Error::SqliteFailure(busy, Some(why)).into())
    }
}

/// Opens a file of ours, or makes it. What a crash has left in its log goes into the file, and from
/// the log.
fn open(path: &Path, application: i64, table: &str) -> Result<Connection, OpenError> {
    own(path).map_err(|source| OpenError::Storage {
        place: path.display().to_string(),
        source: source.into(),
    })?;
    let storage = |source| refused(path, source);
    let mut connection = Connection::open(path).map_err(storage)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             PRAGMA trusted_schema = OFF;",
        )
        .map_err(storage)?;
    let pragma = |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    let found: (i64, i64) = (
        pragma("application_id").map_err(storage)?,
        pragma("user_version").map_err(storage)?,
    );
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(storage)?;
    match (found, objects) {
        ((0, 0), 0) => create(&mut connection, application, table).map_err(storage)?,
        ((known, FORMAT), _) if known == application => {}
        ((known, found), _) if known == application => {
            return Err(OpenError::Newer {
                place: path.display().to_string(),
                found,
                known: FORMAT,
            });
        }
        _ => return Err(OpenError::Foreign(path.display().to_string())),
    }
    cut_log(&connection).map_err(storage)?;
    Ok(connection)
}

/// Makes `path` where it is not there, and leaves it to its owner alone.
fn own(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(OWN);
    let file = options.open(path)?;
    file.set_permissions(Permissions::from_mode(OWN))
}

fn create(connection: &mut Connection, application: i64, table: &str) -> rusqlite::Result<()> {
    let transaction = begin(connection)?;
    transaction.execute_batch(table)?;
    transaction.pragma_update(None, "application_id", application)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

fn begin(connection: &mut Connection) -> rusqlite::Result<rusqlite::Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Whether the write-ahead log is empty now; not while somebody reads the file.
fn cut_log(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(busy == 0)
}

fn id(row: &rusqlite::Row<'_>) -> rusqlite::Result<PersonId> {
    Ok(PersonId(u128::from_be_bytes(row.get(0)?)))
}

fn sealed(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Sealed> {
    Ok(Sealed {
        version: row.get::<_, i64>(first)?.cast_unsigned(),
        nonce: row.get(first + 1)?,
        ciphertext: row.get(first + 2)?,
    })
}
