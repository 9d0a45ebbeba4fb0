//! Rows of the journal.

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::Type;
use postgres::{GenericClient, Row, Statement, Transaction};
use units::Timestamp;

use super::schema::bytes;
use crate::chain::{self, Hash, Head, JournalId};
use crate::journal::seal;
use crate::record::RecordError;
use crate::{Batch, CommitError, RawEntry, ReadError, Visit};

pub(super) const COPY: &str = "COPY journal (sequence, at_ms, actor, kind, version, payload, hash) FROM STDIN (FORMAT binary)";

/// Appends the entries of `batch` after `head` and returns where the journal is then.
pub(super) fn append(
    transaction: &mut Transaction<'_>,
    copy: &Statement,
    mut head: Head,
    batch: &Batch,
) -> Result<Head, CommitError> {
    let mut rows = BinaryCopyInWriter::new(transaction.copy_in(copy)?, &COLUMNS);
    for entry in &batch.entries {
        let sealed = seal(head, entry)?;
        write(&mut rows, &sealed.raw())?;
        head = Head {
            version: sealed.sequence,
            hash: sealed.hash,
        };
    }
    rows.finish()?;
    Ok(head)
}

pub(super) const COLUMNS: [Type; 7] = [
    Type::INT8,
    Type::INT8,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::TEXT,
    Type::BYTEA,
];

/// Writes one row of [`COPY`].
pub(super) fn write(
    rows: &mut BinaryCopyInWriter<'_>,
    entry: &RawEntry<'_>,
) -> Result<(), postgres::Error> {
    rows.write(&[
        &entry.sequence.cast_signed(),
        &entry.at.millis(),
        &entry.actor,
        &entry.kind,
        &entry.version.cast_signed(),
        &entry.payload,
        &entry.hash.0.as_slice(),
    ])
}

/// Shows the entries from `from` on, as [`crate::Store::scan`] does.
pub(super) fn scan(
    client: &mut impl GenericClient,
    from: u64,
    limit: usize,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = client.query_raw(
        "SELECT sequence, at_ms, actor, kind, version, payload, hash FROM journal
         WHERE sequence >= $1 ORDER BY sequence LIMIT $2",
        [from, limit],
    )?;
    while let Some(row) = rows.next()? {
        if visit(raw_entry(&row)?).is_break() {
            break;
        }
    }
    Ok(())
}

/// The last entry there is.
pub(super) fn last(
    client: &mut impl GenericClient,
    journal: JournalId,
) -> Result<Head, postgres::Error> {
    let sql = "SELECT sequence, hash FROM journal ORDER BY sequence DESC LIMIT 1";
    let Some(row) = client.query_opt(sql, &[])? else {
        return Ok(chain::genesis(journal));
    };
    Ok(Head {
        version: row.try_get::<_, i64>(0)?.cast_unsigned(),
        hash: Hash(bytes(row.try_get(1)?)),
    })
}

pub(super) fn raw_entry(row: &Row) -> Result<RawEntry<'_>, ReadError> {
    let sequence = row.try_get::<_, i64>(0)?.cast_unsigned();
    let malformed = |column: &str, reason: &str| ReadError::Entry {
        sequence,
        error: RecordError::malformed(column, &reason),
    };
    let hash: &[u8] = row.try_get(6)?;
    let hash = hash.try_into();
    let version = u32::try_from(row.try_get::<_, i32>(4)?);
    Ok(RawEntry {
        sequence,
        at: Timestamp::from_millis(row.try_get(1)?),
        actor: row.try_get(2)?,
        kind: row.try_get(3)?,
        version: version.map_err(|_| malformed("version", "is negative"))?,
        payload: row.try_get(5)?,
        hash: Hash(hash.map_err(|_| malformed("hash", "is not 32 bytes"))?),
    })
}
