//! Rows of the journal.

use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use units::Timestamp;

use crate::chain::{self, Hash, Head, JournalId};
use crate::record::RecordError;
use crate::{RawEntry, ReadError, Visit};

pub(super) const INSERT: &str =
    "INSERT INTO journal (sequence, at_ms, actor, kind, version, payload, hash)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

pub(super) fn insert(
    statement: &mut Statement<'_>,
    entry: &RawEntry<'_>,
) -> rusqlite::Result<usize> {
    statement.execute(params![
        entry.sequence.cast_signed(),
        entry.at.millis(),
        entry.actor,
        entry.kind,
        entry.version,
        entry.payload,
        entry.hash.0,
    ])
}

/// Shows the entries from `from` on, as [`crate::Store::scan`] does.
pub(crate) fn scan(
    connection: &Connection,
    from: u64,
    limit: usize,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let mut select = connection.prepare_cached(
        "SELECT sequence, at_ms, actor, kind, version, payload, hash FROM journal
         WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2",
    )?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let mut rows = select.query(params![from, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        if visit(raw_entry(row)?).is_break() {
            break;
        }
    }
    Ok(())
}

/// The last entry there is.
pub(crate) fn last(connection: &Connection, journal: JournalId) -> rusqlite::Result<Head> {
    let sql = "SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1";
    let last = connection.query_row(sql, [], |row| {
        let version = row.get::<_, i64>(0)?.cast_unsigned();
        Ok(Head {
            version,
            hash: Hash(row.get(1)?),
        })
    });
    Ok(last.optional()?.unwrap_or(chain::genesis(journal)))
}

fn raw_entry<'a>(row: &'a Row<'_>) -> Result<RawEntry<'a>, ReadError> {
    let sequence = row.get::<_, i64>(0)?.cast_unsigned();
    let malformed = |column: &str, reason: &dyn std::fmt::Display| ReadError::Entry {
        sequence,
        error: RecordError::malformed(column, &reason),
    };
    let text = |index: usize, column: &str| -> Result<&'a str, ReadError> {
        row.get_ref(index)?
            .as_str()
            .map_err(|reason| malformed(column, &reason))
    };
    let hash = row
        .get_ref(6)?
        .as_blob()
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    Ok(RawEntry {
        sequence,
        at: Timestamp::from_millis(row.get(1)?),
        actor: text(2, "actor")?,
        kind: text(3, "kind")?,
        version: row.get(4).map_err(|reason| malformed("version", &reason))?,
        payload: text(5, "payload")?,
        hash: Hash(hash.ok_or_else(|| malformed("hash", &"is not 32 bytes"))?),
    })
}
