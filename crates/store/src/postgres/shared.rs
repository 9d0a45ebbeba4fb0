//! What nodes share beside the journal: the latest observation of each DER, wherever it came in,
//! and sessions of the console.

use std::time::Duration;

use ::postgres::Client;
use fleet::{DerId, Observation};
use units::Timestamp;

use super::address::Address;
use crate::record::observation;
use crate::{AccountId, StorageError};

/// What is read again with the next look, since it may have become visible late.
const OVERLAP: Duration = Duration::from_secs(2);

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

/// A node's access to what is shared, over a connection of its own.
pub struct Shared {
    address: Address,
    node: String,
    client: Option<Client>,
    /// The newest observation seen, by the database's clock in microseconds.
    seen_us: i64,
}

impl Shared {
    /// For the node called `node`.
    #[must_use]
    pub const fn new(address: Address, node: String) -> Self {
        Self {
            address,
            node,
            client: None,
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
             ON CONFLICT (der) DO UPDATE
             SET node = excluded.node, written = excluded.written, latest = excluded.latest",
            &[&ders, &node, &latest],
        )?;
        Ok(())
    }

    /// What other nodes told since the last look, and a little of before.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn told(&mut self) -> Result<Vec<(DerId, Observation)>, StorageError> {
        let node = self.node.clone();
        let overlap = i64::try_from(OVERLAP.as_micros()).unwrap_or(i64::MAX);
        let since = self.seen_us.saturating_sub(overlap);
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

    /// Begins a session, and forgets those that ended by `now`.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn begin_session(
        &mut self,
        session: &Session,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let client = self.client()?;
        client.execute("DELETE FROM session WHERE expires_ms <= $1", &[&now.millis()])?;
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

    /// The sessions that go on at `now`, at most `limit`, those that end last.
    ///
    /// # Errors
    /// [`StorageError`] when the database does not answer.
    pub fn sessions(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Session>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.client()?.query(
            "SELECT id, account, expires_ms FROM session WHERE expires_ms > $1
             ORDER BY expires_ms DESC LIMIT $2",
            &[&now.millis(), &limit],
        )?;
        let sessions = rows.iter().map(|row| {
            Ok(Session {
                id: super::schema::bytes(row.try_get(0)?),
                account: AccountId(row.try_get::<_, i32>(1)?.cast_unsigned()),
                expires: Timestamp::from_millis(row.try_get(2)?),
            })
        });
        Ok(sessions.collect::<Result<_, ::postgres::Error>>()?)
    }

    fn client(&mut self) -> Result<&mut Client, StorageError> {
        super::reconnected(&mut self.client, &self.address, "wattfold shared")
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("address", &self.address)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
