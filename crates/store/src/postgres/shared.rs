//! What nodes share beside the journal: the latest observation of each DER, wherever it came in,
//! and sessions of the console.

use std::time::Duration;

use ::postgres::Client;
use fleet::{DerId, Observation};
use units::Timestamp;

use super::account;
use super::address::Address;
use super::link::Link;
use crate::record::observation;
use crate::{Account, AccountId, CommitError, StorageError};

/// What is read again with the next look, since it may have become visible late.
const OVERLAP: Duration = Duration::from_secs(2);

/// How long it is kept what a node told that is gone.
const TOLD_FOR: &str = "1 day";

/// A session as nodes share it: by the digest of its token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session {
    /// SHA-256 of the token.
    pub id: [u8; 32],
    /// Whose it is.
    pub account: AccountId,
    /// When it ends.
    pub expires: Timestamp,
}

/// The latest observations of some DER.
pub type Observed = Vec<(DerId, Observation)>;

/// A node's access to what is shared, over a connection of its own.
#[derive(Debug)]
pub struct Shared {
    link: Link,
    node: String,
    /// The newest observation seen, by the database's clock in microseconds.
    seen_us: i64,
}

impl Shared {
    /// For the node called `node`.
    #[must_use]
    pub const fn new(address: Address, node: String) -> Self {
        Self {
            link: Link::patient(address, "wattfold shared"),
            node,
            seen_us: 0,
        }
    }

    /// Tells the other nodes of observations, one for each DER.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn tell(&mut self, observations: &[(DerId, Observation)]) -> Result<(), StorageError> {
        let node = self.node.clone();
        let ders: Vec<i64> = observations.iter().map(|(der, _)| der.0.into()).collect();
        let latest: Vec<String> = observations
            .iter()
            .map(|(_, latest)| observation::encode(latest))
            .collect();
        self.client()?.execute(
            "INSERT INTO observation (der, node, written, latest)
             SELECT der, $2, clock_timestamp(), latest
             FROM unnest($1::bigint[], $3::text[]) AS told (der, latest) ORDER BY der
             ON CONFLICT (der, node) DO UPDATE
             SET written = excluded.written, latest = excluded.latest",
            &[&ders, &node, &latest],
        )?;
        Ok(())
    }

    /// What other nodes told since the last look, and a little of before; of one DER perhaps
    /// several, in no order.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn told(&mut self) -> Result<Observed, StorageError> {
        let node = self.node.clone();
        let overlap = i64::try_from(OVERLAP.as_micros()).unwrap_or(i64::MAX);
        let since = self.seen_us.saturating_sub(overlap);
        if self.seen_us == 0 {
            let forget = format!(
                "DELETE FROM observation WHERE written < clock_timestamp() - interval '{TOLD_FOR}'"
            );
            self.client()?.execute(&forget, &[])?;
        }
        let rows = self.client()?.query(
            "SELECT der, latest, (extract(epoch FROM written) * 1000000)::bigint
             FROM observation
             WHERE written > to_timestamp($1::bigint / 1000000.0) AND node <> $2",
            &[&since, &node],
        )?;
        let mut told = Vec::with_capacity(rows.len());
        for row in &rows {
            self.seen_us = self.seen_us.max(row.try_get(2)?);
            let der = u32::try_from(row.try_get::<_, i64>(0)?);
            match (der, observation::decode(row.try_get(1)?)) {
                (Ok(der), Ok(latest)) => told.push((DerId(der), latest)),
                (_, Err(error)) => tracing::warn!(%error, "an observation is not readable"),
                (Err(error), _) => tracing::warn!(%error, "an observation is of no DER"),
            }
        }
        Ok(told)
    }

    /// Begins a session, and forgets those that ended by `now`. The one that ends first makes room
    /// for it when there are `max`.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn begin_session(
        &mut self,
        session: &Session,
        now: Timestamp,
        max: usize,
    ) -> Result<(), StorageError> {
        let client = self.client()?;
        let room = i64::try_from(max.saturating_sub(1)).unwrap_or(i64::MAX);
        client.execute(
            "DELETE FROM session WHERE expires_ms <= $1 OR id IN (
                 SELECT id FROM session WHERE expires_ms > $1
                 ORDER BY expires_ms DESC OFFSET $2)",
            &[&now.millis(), &room],
        )?;
        client.execute(
            "INSERT INTO session (id, account, expires_ms) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO NOTHING",
            &[
                &session.id.as_slice(),
                &session.account.0.cast_signed(),
                &session.expires.millis(),
            ],
        )?;
        Ok(())
    }

    /// Ends a session everywhere.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn end_session(&mut self, id: [u8; 32]) -> Result<(), StorageError> {
        let sql = "DELETE FROM session WHERE id = $1";
        self.client()?.execute(sql, &[&id.as_slice()])?;
        Ok(())
    }

    /// Ends the sessions of an account but `keep`.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn end_sessions_of(
        &mut self,
        account: AccountId,
        keep: Option<[u8; 32]>,
    ) -> Result<(), StorageError> {
        let keep = keep.as_ref().map_or(&[][..], |id| id.as_slice());
        self.client()?.execute(
            "DELETE FROM session WHERE account = $1 AND id <> $2",
            &[&account.0.cast_signed(), &keep],
        )?;
        Ok(())
    }

    /// Every account, by id.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn accounts(&mut self) -> Result<Vec<Account>, StorageError> {
        Ok(account::all(self.client()?)?)
    }

    /// Creates an account.
    ///
    /// # Errors
    /// As [`Store::create_account`](crate::Store::create_account).
    pub fn create_account(
        &mut self,
        name: &str,
        password_hash: &str,
        created: Timestamp,
    ) -> Result<AccountId, CommitError> {
        account::create(self.client()?, name, password_hash, created)
    }

    /// Replaces the password of an account.
    ///
    /// # Errors
    /// As [`Store::set_password`](crate::Store::set_password).
    pub fn set_password(&mut self, id: AccountId, password_hash: &str) -> Result<(), CommitError> {
        account::set_password(self.client()?, id, password_hash)
    }

    /// Whose session this is, unless it is over at `now`.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn session(
        &mut self,
        id: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<AccountId>, StorageError> {
        let row = self.client()?.query_opt(
            "SELECT account FROM session WHERE id = $1 AND expires_ms > $2",
            &[&id.as_slice(), &now.millis()],
        )?;
        let account: Option<i32> = row.map(|row| row.try_get(0)).transpose()?;
        Ok(account.map(|account| AccountId(account.cast_unsigned())))
    }

    fn client(&mut self) -> Result<&mut Client, StorageError> {
        Ok(self.link.client()?)
    }
}
