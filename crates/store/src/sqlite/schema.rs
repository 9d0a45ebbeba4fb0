//! Tables, format version and connection settings.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use crate::chain::{self, Hash, Head, JournalId};
use crate::{OpenError, StorageError};

/// Format of the file as a whole (`user_version`).
const FORMAT: i64 = 1;
/// "Wfld": marks the file as ours.
const APPLICATION: i64 = 0x5766_6c64;

const TABLES: &str = "
CREATE TABLE head (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    journal BLOB NOT NULL,
    version INTEGER NOT NULL,
    hash    BLOB NOT NULL
) STRICT;
CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    payload  TEXT NOT NULL,
    hash     BLOB NOT NULL
) STRICT;
CREATE TABLE delivery (
    step     INTEGER PRIMARY KEY,
    control  INTEGER NOT NULL,
    der      INTEGER NOT NULL,
    state    TEXT NOT NULL,
    at_ms    INTEGER NOT NULL,
    evidence TEXT NOT NULL
) STRICT;
CREATE TABLE document (
    listener TEXT NOT NULL,
    owner    TEXT NOT NULL,
    path     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    body     BLOB NOT NULL,
    PRIMARY KEY (listener, owner, path)
) STRICT;
CREATE TABLE account (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_ms    INTEGER NOT NULL
) STRICT;
CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
";

/// Sets the connection up and creates the tables in a new file.
pub(super) fn prepare(
    connection: &mut Connection,
    path: &Path,
    new: JournalId,
) -> Result<(), OpenError> {
    let storage = |source| refused(path, source);
    configure(connection).map_err(storage)?;
    let pragma = |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    let application: i64 = pragma("application_id").map_err(storage)?;
    let format: i64 = pragma("user_version").map_err(storage)?;
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(storage)?;
    match (application, format, objects) {
        (0, 0, 0) => create(connection, new).map_err(storage),
        (APPLICATION, FORMAT, _) => Ok(()),
        (APPLICATION, found, _) => Err(OpenError::Newer {
            place: path.display().to_string(),
            found,
            known: FORMAT,
        }),
        _ => Err(OpenError::Foreign(path.display().to_string())),
    }
}

/// Looks at every page, those too that a start does not read: what is found later may be damaged
/// further by then.
pub(super) fn check_pages(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let first = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    let found = first.map_err(|source| refused(path, source))?;
    if found == "ok" {
        return Ok(());
    }
    Err(OpenError::Damaged {
        place: path.display().to_string(),
        found,
    })
}

/// Why SQLite would not open `path`.
pub(crate) fn refused(path: &Path, source: rusqlite::Error) -> OpenError {
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign(path.display().to_string()),
        Some(ErrorCode::DatabaseBusy) => OpenError::InUse(path.display().to_string()),
        _ => OpenError::Storage {
            place: path.display().to_string(),
            source: StorageError::Sqlite(source),
        },
    }
}

/// Which journal this is, and the head written with the last commit.
pub(crate) fn recorded(connection: &Connection) -> rusqlite::Result<(JournalId, Head)> {
    connection.query_row("SELECT journal, version, hash FROM head", [], |row| {
        let journal = JournalId(u128::from_be_bytes(row.get(0)?));
        let version = row.get::<_, i64>(1)?.cast_unsigned();
        Ok((
            journal,
            Head {
                version,
                hash: Hash(row.get(2)?),
            },
        ))
    })
}

/// `secure_delete` overwrites what is deleted: an account or document that is erased is gone from
/// the file, too.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(32);
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cache_size = -16384;",
    )
}

fn create(connection: &mut Connection, new: JournalId) -> rusqlite::Result<()> {
    let head = chain::genesis(new);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute(
        "INSERT INTO head (one, journal, version, hash) VALUES (1, ?1, 0, ?2)",
        (new.0.to_be_bytes(), head.hash.0),
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}
