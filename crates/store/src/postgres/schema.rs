//! Tables, their format, and the way from an older format to this one.

use postgres::{Client, GenericClient, Transaction};

use super::address::Address;
use crate::chain::{self, Hash, Head, JournalId};
use crate::{OpenError, StorageError};

/// Format of the schema as a whole.
pub(super) const FORMAT: i32 = 4;

/// What leads from each format to the next, beginning with that which leads from nothing to the
/// first. Steps are never changed once released.
const STEPS: [&str; 4] = [
    include_str!("format_1.sql"),
    include_str!("format_2.sql"),
    include_str!("format_3.sql"),
    include_str!("format_4.sql"),
];

/// The schema of the keys of personal data. It is apart from the format, since a dump of the schema
/// `wattfold` comes without it.
const KEYS: &str = include_str!("keys.sql");

/// Held while tables are made or migrated, so that nodes that start together do it in turns.
const MIGRATING: i64 = 0x5766_6c64;

/// Settings without which an acknowledged commit can be lost with power.
const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// Checks the server's settings, and creates the tables or brings them to this release's format.
pub(super) fn prepare(
    client: &mut Client,
    address: &Address,
    new: JournalId,
) -> Result<(), OpenError> {
    check_settings(client, address)?;
    let mut transaction = client.transaction().map_err(|e| refused(address, e))?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATING])
        .map_err(|e| refused(address, e))?;
    let found = format(&mut transaction, address)?;
    if FORMAT < found {
        return Err(OpenError::Newer {
            place: address.to_string(),
            found: found.into(),
            known: FORMAT.into(),
        });
    }
    if found < FORMAT {
        migrate(&mut transaction, found, new).map_err(|e| refused(address, e))?;
        tracing::info!(from = found, to = FORMAT, "database migrated");
    }
    make_keys(&mut transaction).map_err(|e| refused(address, e))?;
    transaction.commit().map_err(|e| refused(address, e))
}

/// Checks that the tables are there, in this release's format; changes nothing.
pub(super) fn check(client: &mut Client, address: &Address) -> Result<(), OpenError> {
    let mut transaction = client
        .build_transaction()
        .read_only(true)
        .start()
        .map_err(|e| refused(address, e))?;
    let (place, known) = (address.to_string(), FORMAT.into());
    match format(&mut transaction, address)? {
        0 => Err(OpenError::Foreign(place)),
        found if FORMAT < found => Err(OpenError::Newer {
            place,
            found: found.into(),
            known,
        }),
        found if found < FORMAT => Err(OpenError::Older {
            place,
            found: found.into(),
            known,
        }),
        _ => Ok(()),
    }
}

fn make_keys(transaction: &mut Transaction<'_>) -> Result<(), postgres::Error> {
    let sql = "SELECT to_regclass('wattfold_keys.person_key') IS NOT NULL";
    if transaction.query_one(sql, &[])?.try_get(0)? {
        return Ok(());
    }
    transaction.batch_execute(KEYS)
}

/// Why the server would not do it.
pub(super) fn refused(address: &Address, source: postgres::Error) -> OpenError {
    OpenError::Storage {
        place: address.to_string(),
        source: StorageError::Postgres(source),
    }
}

/// Which journal this is, and the head written with the last commit.
pub(super) fn recorded(
    client: &mut impl GenericClient,
) -> Result<(JournalId, Head), postgres::Error> {
    let row = client.query_one("SELECT journal, version, hash FROM head", &[])?;
    Ok((
        JournalId(u128::from_be_bytes(bytes(row.try_get(0)?))),
        Head {
            version: row.try_get::<_, i64>(1)?.cast_unsigned(),
            hash: Hash(bytes(row.try_get(2)?)),
        },
    ))
}

/// A column that a constraint keeps at `N` bytes.
pub(super) fn bytes<const N: usize>(column: &[u8]) -> [u8; N] {
    column
        .try_into()
        .expect("a constraint of the table keeps the length")
}

fn check_settings(client: &mut Client, address: &Address) -> Result<(), OpenError> {
    for setting in DURABLE {
        let value: String = client
            .query_one("SELECT current_setting($1)", &[&setting])
            .map_err(|e| refused(address, e))?
            .get(0);
        if value != "on" {
            return Err(OpenError::Unsafe {
                place: address.to_string(),
                setting,
            });
        }
    }
    Ok(())
}

/// The format that is there; 0 when nothing is.
fn format(transaction: &mut Transaction<'_>, address: &Address) -> Result<i32, OpenError> {
    let row = transaction
        .query_one(
            "SELECT to_regclass('wattfold.format') IS NOT NULL,
                    EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('wattfold'))",
            &[],
        )
        .map_err(|e| refused(address, e))?;
    match (row.get(0), row.get(1)) {
        (true, _) => transaction
            .query_one("SELECT format FROM wattfold.format", &[])
            .map(|row| row.get(0))
            .map_err(|e| refused(address, e)),
        (false, true) => Err(OpenError::Foreign(address.to_string())),
        (false, false) => Ok(0),
    }
}

fn migrate(
    transaction: &mut Transaction<'_>,
    from: i32,
    new: JournalId,
) -> Result<(), postgres::Error> {
    let done = usize::try_from(from).unwrap_or(0);
    for step in &STEPS[done..] {
        transaction.batch_execute(step)?;
    }
    if done == 0 {
        let head = chain::genesis(new);
        transaction.execute(
            "INSERT INTO head (journal, version, hash, token, steps, change)
             VALUES ($1, 0, $2, 0, 0, 0)",
            &[&new.0.to_be_bytes().as_slice(), &head.hash.0.as_slice()],
        )?;
    }
    transaction.execute("UPDATE format SET format = $1", &[&FORMAT])?;
    Ok(())
}
