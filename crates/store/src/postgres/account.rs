//! Accounts, which the leader's connection and those of the other nodes change alike.

use ::postgres::error::SqlState;
use ::postgres::types::ToSql;
use ::postgres::{Client, Row};
use units::Timestamp;

use crate::account::{check, check_hash};
use crate::{Account, AccountId, CommitError, MAX_ACCOUNTS};

pub(super) fn create(
    client: &mut Client,
    name: &str,
    password_hash: &str,
    created: Timestamp,
) -> Result<AccountId, CommitError> {
    check(name, password_hash)?;
    let mut transaction = client.transaction()?;
    transaction.batch_execute("LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE")?;
    let accounts: i64 = transaction
        .query_one("SELECT count(*) FROM account", &[])?
        .try_get(0)?;
    if accounts.cast_unsigned() >= MAX_ACCOUNTS as u64 {
        let known = transaction.query_opt("SELECT FROM account WHERE name = $1", &[&name])?;
        return Err(match known {
            Some(_) => CommitError::AccountExists(name.to_owned()),
            None => CommitError::TooLarge {
                what: "accounts",
                max: MAX_ACCOUNTS,
            },
        });
    }
    let created = transaction.query_one(
        "INSERT INTO account (name, password_hash, created_ms) VALUES ($1, $2, $3)
         RETURNING id",
        &[&name, &password_hash, &created.millis()],
    );
    let row = created.map_err(|error| match error.code() {
        Some(&SqlState::UNIQUE_VIOLATION) => CommitError::AccountExists(name.to_owned()),
        _ => error.into(),
    })?;
    let id: i32 = row.try_get(0)?;
    transaction
        .commit()
        .map_err(|error| CommitError::Unsure(error.into()))?;
    Ok(AccountId(id.cast_unsigned()))
}

pub(super) fn set_password(
    client: &mut Client,
    id: AccountId,
    password_hash: &str,
) -> Result<(), CommitError> {
    check_hash(password_hash)?;
    let sql = "UPDATE account SET password_hash = $2 WHERE id = $1";
    change_one(client, id, (sql, &[&id.0.cast_signed(), &password_hash]))
}

pub(super) fn delete(client: &mut Client, id: AccountId) -> Result<(), CommitError> {
    let sql = "DELETE FROM account WHERE id = $1";
    change_one(client, id, (sql, &[&id.0.cast_signed()]))
}

/// Every account, by id.
pub(super) fn all(client: &mut Client) -> Result<Vec<Account>, ::postgres::Error> {
    let rows = client.query(
        "SELECT id, name, password_hash, created_ms FROM account ORDER BY id",
        &[],
    )?;
    let account = |row: &Row| {
        Ok(Account {
            id: AccountId(row.try_get::<_, i32>(0)?.cast_unsigned()),
            name: row.try_get(1)?,
            password_hash: row.try_get(2)?,
            created: Timestamp::from_millis(row.try_get(3)?),
        })
    };
    rows.iter().map(account).collect()
}

/// The statement commits by itself: where the database does not say what it came to, nobody knows.
fn change_one(
    client: &mut Client,
    id: AccountId,
    (sql, parameters): (&str, &[&(dyn ToSql + Sync)]),
) -> Result<(), CommitError> {
    let changed = client.execute(sql, parameters);
    let changed = changed.map_err(|error| match error.code() {
        Some(_) => CommitError::Storage(error.into()),
        None => CommitError::Unsure(error.into()),
    });
    match changed? {
        0 => Err(CommitError::NoAccount(id.0)),
        _ => Ok(()),
    }
}
